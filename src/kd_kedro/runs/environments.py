"""The environments of a run: which folders of conf/ count, in which order, and who names them.

`--env gpt2,server` reads conf/base, conf/gpt2, conf/server and conf/local; the last word wins. So
what belongs to this machine alone, in conf/local, counts with every recipe.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader

_ENDINGS = (".yml", ".yaml", ".json")
PARAMS = "--params"


def environment_names(loader: OmegaConfigLoader) -> list[str]:
    """Return the environments that a loader reads, the one that wins last."""
    named = [name.strip() for name in (loader.env or "").split(",")]
    ends = (loader.base_env, loader.default_run_env)
    recipes = [name for name in named if name and name not in ends]
    return list(dict.fromkeys([loader.base_env, *recipes, loader.default_run_env]))


def no_environment(name: str, loader: OmegaConfigLoader) -> str:
    """Return in one sentence that there is no such environment, and which there are."""
    folder = Path(loader.conf_source)
    ends = (loader.base_env, loader.default_run_env)
    found = sorted(
        each.name
        for each in (folder.iterdir() if folder.is_dir() else ())
        if each.is_dir() and each.name not in ends and not each.name.startswith(".")
    )
    there = f"; there are {', '.join(found)}" if found else ""
    return f"there is no environment {name}: {folder.name}/{name} does not exist{there}"


def kedro_command(words: str, env: str | None) -> str:
    """Return a command that the user can type, in the environment of the present one.

    Args:
        words: What comes after `kedro`.
        env: The environment; None for the default one.
    """
    return f"kedro {words} --env {env}" if env else f"kedro {words}"


def parameter_origin(key: str, loader: OmegaConfigLoader) -> str:
    """Return where a parameter gets its value.

    Args:
        key: Its dotted key.
        loader: The configuration loader, with its runtime parameters.

    Returns:
        `--params`, the path of a file that begins with conf/, or '' where the value is the default
        of its model.
    """
    if _holds(loader.runtime_params or {}, key):
        return PARAMS
    folder = Path(loader.conf_source)
    for name in reversed(environment_names(loader)):
        for path in _parameter_files(folder / name):
            if _holds(yaml.safe_load(path.read_text(encoding="utf-8")), key):
                return f"conf/{path.relative_to(folder).as_posix()}"
    return ""


def _parameter_files(folder: Path) -> Iterator[Path]:
    """Yield the files of an environment that Kedro reads parameters from."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        named = any(part.startswith("parameters") for part in parts)
        if named and not hidden and path.suffix in _ENDINGS:
            yield path


def _holds(values: Any, key: str) -> bool:
    """Return whether nested values give one to a dotted key, or a plain one to a group of it."""
    for part in key.split("."):
        if not isinstance(values, Mapping):
            return values is not None
        if part not in values:
            return False
        values = values[part]
    return True
