"""Parameters checked before anything runs: an unknown key or a bad value is one sentence."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.pipeline import Pipeline
from pydantic import BaseModel, ValidationError

from kd_kedro.pipelines.evaluation.params import PromotionParams

# Keys of --params that catalog entries read through ${runtime_params:…}, with what they are.
CATALOG_KEYS = {
    "qa_csv": "the sheet to work on: CSV or XLSX",
    "mended_csv": "a mended copy of quarantined rows, to bring them back",
    "truth_csv": "which defect each row of the sheet has, where that is known",
    "server_url": "with `--env server`: where the model server is, as http://127.0.0.1:8000/v1",
    "server_model": "with `--env server`: the model's name there",
}


def check_parameters(
    loader: OmegaConfigLoader,
    pipelines: Mapping[str, Pipeline],
    together: Mapping[str, type[BaseModel]] = MappingProxyType({}),
) -> None:
    """Check the parameters of the files and of `--params` against the models of the pipelines.

    Args:
        loader: The session's configuration loader, runtime parameters included.
        pipelines: The registered pipelines by name.
        together: By pipeline, a model of all its groups, which knows what one asks of another.

    Raises:
        ValueError: A key that no pipeline knows, a value outside its bounds, or values that do not
            fit together; the message names the key, the value, where it was set and what would
            be right.
    """
    runtime = dict(flatten(loader.runtime_params or {}))
    models = parameter_models(pipelines)
    known = {key for name, model in models.items() for key in _fields(name, model)}
    known |= CATALOG_KEYS.keys()
    for key, value in runtime.items():
        if key not in known and not any(name.startswith(f"{key}.") for name in known):
            raise ValueError(f"unknown parameter {key} in --params{_hint(key, known)}")
        if key in CATALOG_KEYS and not isinstance(value, str):
            kind = "a file's path" if key.endswith("_csv") else "a text"
            raise ValueError(f"parameter {key} in --params is {value!r}: it takes {kind}")
    values = loader["parameters"]
    for name, model in models.items():
        _check_group(name, model, _get(values, name), runtime, loader)
    for name, model in together.items():
        try:
            model.model_validate(values[name])
        except ValidationError as error:
            what = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"parameters of {name} do not fit together: {what}") from error


def parameter_models(pipelines: Mapping[str, Pipeline]) -> dict[str, type[BaseModel]]:
    """Return the pydantic model of every group of parameters of the pipelines, by its key."""
    from kedro.validation.type_extractor import TypeExtractor

    found = TypeExtractor(dict(pipelines)).extract_types_from_pipelines()
    if "evaluation" in pipelines:  # what `kedro promote` reads, and no node
        found["evaluation.promotion"] = PromotionParams
    return {
        key: model
        for key, model in sorted(found.items())
        if isinstance(model, type) and issubclass(model, BaseModel)
    }


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of nested mappings with its dotted key."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{name}.")
        else:
            yield name, value


def _check_group(
    name: str,
    model: type[BaseModel],
    value: Any,
    runtime: Mapping[str, Any],
    loader: OmegaConfigLoader,
) -> None:
    if value is None:
        raise ValueError(f"parameters {name} are missing: they belong in {_file(name, loader)}")
    try:
        model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([name, *(str(part) for part in first["loc"])])
        where = "--params" if key in runtime else _file(name, loader)
        if first["type"] == "extra_forbidden":
            hint = _hint(key, set(_fields(name, model)))
            raise ValueError(f"unknown parameter {key} in {where}{hint}") from error
        if first["type"] == "missing":
            raise ValueError(f"parameter {key} is missing: it belongs in {where}") from error
        what = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"parameter {key} in {where} is {first['input']!r}: {what}") from error


def _fields(name: str, model: type[BaseModel]) -> Iterator[str]:
    for field, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields(f"{name}.{field}", inner)
        else:
            yield f"{name}.{field}"


def _get(values: Mapping[str, Any], dotted: str) -> Any:
    value: Any = values
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _file(name: str, loader: OmegaConfigLoader) -> str:
    pipeline = name.split(".", maxsplit=1)[0]
    for env in (loader.env or loader.default_run_env, loader.base_env):
        path = Path(str(env)) / pipeline / "parameters.yml"
        if (Path(loader.conf_source) / path).is_file():
            break
    return f"conf/{path.as_posix()}"


def _hint(key: str, known: set[str]) -> str:
    close = get_close_matches(key, known, n=1, cutoff=0.5)
    return f": did you mean {close[0]}?" if close else ": docs/parameters.md lists them all"
