"""Pure functions on rows."""
