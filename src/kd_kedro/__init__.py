"""From a messy question-answer sheet to a small distilled model and an honest verdict."""

__version__ = "0.1.0"
