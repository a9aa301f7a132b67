"""A model answers or scores."""
