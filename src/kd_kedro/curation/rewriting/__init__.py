"""Rewrites that keep the meaning."""
