"""What is measured, and how certain it is."""
