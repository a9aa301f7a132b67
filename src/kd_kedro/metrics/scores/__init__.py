"""One answer, one number."""
