"""Kedro's project settings."""

import os
from pathlib import Path

from kedro.config import OmegaConfigLoader

os.environ.setdefault("DO_NOT_TRACK", "1")

PROJECT_PATH = Path(__file__).resolve().parents[2]

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**"]},
    # mlflow.yml needs an absolute path: a relative sqlite path would follow the working directory.
    "custom_resolvers": {"project_path": lambda *_: PROJECT_PATH.as_posix()},
}
