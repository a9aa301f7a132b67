"""What the packages of the registered pipelines bring beside their nodes.

The package `kd_kedro.pipelines.<name>` of a registered pipeline may export

- `PARAMETERS`: the pydantic model of all its groups of parameters, those that no node reads
  included, with the checks between them; a field with `json_schema_extra={"operational": True}`
  says how a run is done, not what comes of it;
- `RENAMED`: by the former dotted key of a parameter or group, the key that it has now;
- `CATALOG_KEYS`: by key of `--params` that catalog entries read, through `${globals:…}` or
  `${runtime_params:…}`, what it is; the last part of a key may be `*`, for any name;
- `check_before_run(inputs, load, origin)`: refuses, before the first node, a run that would fail
  later; it gets the names of what the run reads, the catalog's `load`, and `parameter_origin`
  (`kd_kedro.runs.environments`) of a key.
- `doubt_before_node(inputs, made, load)`: says, before a node, why the run may not reach what it is
  for; it gets what the node reads by name, the names of all that the run makes and the catalog's
  `load`, and gives a sentence ('' for none) and whether what follows costs so much that a user is
  to be asked.
"""

from collections.abc import Callable, Mapping, Set
from importlib import import_module
from typing import Any

from kedro.framework.project import pipelines
from pydantic import BaseModel

Check = Callable[[Set[str], Callable[[str], Any], Callable[[str], str]], None]


def parameter_models() -> dict[str, type[BaseModel]]:
    """Return the model of every pipeline's parameters, by the pipeline's name."""
    return dict(sorted(_exported("PARAMETERS").items()))


def renamed_parameters() -> dict[str, str]:
    """Return the present key by the former key of every renamed parameter or group."""
    return _merged("RENAMED")


def catalog_keys() -> dict[str, str]:
    """Return what every key of `--params` is that catalog entries read."""
    return _merged("CATALOG_KEYS")


def checks_before_run() -> list[Check]:
    """Return the checks that a run has to pass before its first node."""
    return list(_exported("check_before_run").values())


def doubts_before_node() -> list[
    Callable[[Mapping[str, Any], Set[str], Callable[[str], Any]], tuple[str, bool]]
]:
    """Return what may say, before a node, that the run cannot reach what it is for."""
    return list(_exported("doubt_before_node").values())


def _exported(attribute: str) -> dict[str, Any]:
    modules = {
        name: import_module(f"kd_kedro.pipelines.{name}")
        for name in pipelines
        if name != "__default__"
    }
    return {
        name: getattr(module, attribute)
        for name, module in modules.items()
        if hasattr(module, attribute)
    }


def _merged(attribute: str) -> dict[str, str]:
    return {key: text for part in _exported(attribute).values() for key, text in part.items()}
