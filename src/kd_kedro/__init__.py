"""From a messy question-answer sheet to a small distilled model and an honest verdict."""

import warnings

__version__ = "0.1.0"

# kedro-mlflow defines an MLflow model class at import; MLflow warns about it at every command.
warnings.filterwarnings("ignore", message=r"(?s).*Add type hints to the `predict` method")
