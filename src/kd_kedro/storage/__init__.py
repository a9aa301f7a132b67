"""Atomic folders, fingerprints, keyed caches. It imports no other room."""
