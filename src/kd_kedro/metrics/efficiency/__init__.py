"""Time, memory and size of a model, and parity of its smaller forms."""
