"""Structured pruning: a smaller model cut out of a larger one."""
