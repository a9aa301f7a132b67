"""What a row is, and what happened to it."""
