"""The sample: made rows with planted defects, and the truth about each."""
