"""Rows that are the same, nearly the same, or contradict each other."""
