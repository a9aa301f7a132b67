"""Pure functions on rows of questions and answers."""
