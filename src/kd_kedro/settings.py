"""Kedro's project settings."""

import os

from kd_kedro.hooks.freshness import FreshnessHooks
from kd_kedro.hooks.going_on import GoingOnHooks
from kd_kedro.hooks.mlflow import TrackingHooks
from kd_kedro.hooks.model_check import PreflightHooks
from kd_kedro.hooks.outcome import OutcomeHooks
from kd_kedro.hooks.parameters import ParameterHooks
from kd_kedro.hooks.progress import ProgressHooks
from kd_kedro.runs.config_loader import PROJECT_PATH, CheckedConfigLoader
from kd_kedro.runs.mlflow_store import sqlite_uri

# No telemetry, and nothing of the Hugging Face libraries or MLflow calls home.
os.environ.setdefault("DO_NOT_TRACK", "1")

CONFIG_LOADER_CLASS = CheckedConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**"]},
    # An environment lists only the leaves it changes.
    "merge_strategy": {"parameters": "soft"},
    # mlflow.yml needs an absolute path: a relative sqlite path would follow the working directory.
    "custom_resolvers": {"project_path": PROJECT_PATH.as_posix, "sqlite_uri": sqlite_uri},
}

# TrackingHooks is kedro-mlflow's hook with pydantic parameters flattened: see hooks/mlflow.py.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",)
HOOKS = (
    ParameterHooks(),
    PreflightHooks(),
    FreshnessHooks(),
    GoingOnHooks(),
    ProgressHooks(),
    OutcomeHooks(),
    TrackingHooks(),
)
