"""Formats of the user's sheet: each reader gives the same records."""
