"""Text generators behind one protocol."""
