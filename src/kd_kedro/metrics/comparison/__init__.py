"""One system against another."""
