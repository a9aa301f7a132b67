"""Rows that are off topic."""
