"""Parameters checked before anything runs: an unknown key or a bad value is one sentence."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from kedro.config import OmegaConfigLoader
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from kd_kedro.runs.environments import PARAMS, parameter_origin

NOTHING: Mapping[str, str] = MappingProxyType({})


def check_parameters(
    values: Mapping[str, Any],
    models: Mapping[str, type[BaseModel]],
    loader: OmegaConfigLoader,
    *,
    renamed: Mapping[str, str] = NOTHING,
    catalog_keys: Mapping[str, str] = NOTHING,
) -> dict[str, Any]:
    """Check the parameters of the files and of `--params` against the models of the pipelines.

    Args:
        values: The parameters as the loader reads them, runtime parameters included.
        models: By pipeline, the model of all its groups, with what one asks of another.
        loader: Says where a value was set: its runtime parameters, its folders.
        renamed: By former key of a parameter or group, the key it has now.
        catalog_keys: Keys of `--params` that catalog entries read; one that ends in `.*` stands for
            every key of its group.

    Returns:
        All parameters, nested, with the defaults of the models where the files say nothing.

    Raises:
        ValueError: A key that no pipeline knows or that has another name now, a value outside its
            bounds, or values that do not fit together; the message names the key, the value, where
            it was set and what would be right.
    """
    runtime = dict(flatten(loader.runtime_params or {}))
    known = {key for name, model in models.items() for key, _ in fields(model, f"{name}.")}
    known |= {key for key in catalog_keys if not key.endswith(".*")}
    for key, value in runtime.items():
        if key in catalog_keys or f"{key.rpartition('.')[0]}.*" in catalog_keys:
            _check_catalog_value(key, value)
        elif key not in known:
            members = sorted(name for name in known if name.startswith(f"{key}."))
            if not members:
                raise ValueError(_unknown(key, PARAMS, known, renamed))
            if value is not None and not isinstance(value, Mapping):
                raise ValueError(_no_group(key, PARAMS, value, members[0]))
    groups = models.keys() | {key.partition(".")[0] for key in catalog_keys}
    for name in sorted(values.keys() - groups):
        raise ValueError(_unknown(name, parameter_origin(name, loader), known, renamed))
    complete = dict(values)
    for name, model in models.items():
        try:
            checked = model.model_validate(with_groups(model, values.get(name) or {}))
        except ValidationError as error:
            raise ValueError(_reason(error, name, model, renamed, loader)) from error
        complete[name] = checked.model_dump(mode="json")
    return complete


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of nested mappings with its dotted key."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{name}.")
        else:
            yield name, value


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield every field of a model and of the models in it with its dotted key."""
    for name, field in model.model_fields.items():
        inner = group_model(field)
        if inner:
            yield from fields(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def group_model(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a field that is a group of parameters; None where it is a value."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def with_groups(model: type[BaseModel], values: Any, default: Any = None) -> Any:
    """Return the values with every group of the model in them, as far as it has defaults.

    Args:
        model: The model of a group or of a pipeline.
        values: Plain values of it, in which groups may be absent or in part.
        default: The group's own default, which gives the values that are left out.
    """
    if not isinstance(values, Mapping):
        return values
    filled = dict(values)
    for name, field in model.model_fields.items():
        inner = group_model(field)
        own = getattr(default, name, None if field.is_required() else field.default)
        if inner:
            filled[name] = with_groups(inner, filled.get(name, {}), own)
        elif isinstance(default, BaseModel):
            filled.setdefault(name, own)
    return filled


def operational_keys(models: Mapping[str, type[BaseModel]]) -> frozenset[str]:
    """Return the keys of the parameters that say how a run is done, not what comes of it.

    Args:
        models: By pipeline, the model of all its groups.
    """
    return frozenset(
        key
        for name, model in models.items()
        for key, field in fields(model, f"{name}.")
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("operational")
    )


def _reason(
    error: ValidationError,
    name: str,
    model: type[BaseModel],
    renamed: Mapping[str, str],
    loader: OmegaConfigLoader,
) -> str:
    # A former name comes first: the present one is missing only because of it.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    what = first["msg"].removeprefix("Value error, ")
    key = ".".join([name, *(str(part) for part in first["loc"])])
    if first["type"] == "value_error" and isinstance(first["input"], Mapping):
        return f"parameters of {key} do not fit together: {what}"
    where = parameter_origin(key, loader) or f"conf/{loader.base_env}/{name}/parameters.yml"
    known = {each for each, _ in fields(model, f"{name}.")}
    if first["type"] == "extra_forbidden":
        return _unknown(key, where, known, renamed)
    if first["type"] == "missing":
        return f"parameter {key} is missing: it belongs in {where}"
    if first["type"] == "model_type":
        member = min(each for each in known if each.startswith(f"{key}."))
        return _no_group(key, where, first["input"], member)
    return f"parameter {key} in {where} is {first['input']!r}: {what}"


def _check_catalog_value(key: str, value: Any) -> None:
    """Refuse a value of `--params` that a catalog entry cannot read."""
    many = key.endswith(".options")
    texts = value if many and isinstance(value, list) else [value]
    if isinstance(value, list) != many or not all(isinstance(text, str) for text in texts):
        if many:
            kind = "a list of texts, as [A,B,C]"
        elif key.endswith("_csv"):
            kind = "a file's path"
        else:
            kind = f"a text, in quotes of its own where it reads as a number: '{key}=\"{value}\"'"
        raise ValueError(f"parameter {key} in {PARAMS} is {value!r}: it takes {kind}")


def _no_group(key: str, where: str, value: Any, member: str) -> str:
    return (
        f"parameter {key} in {where} is {value!r}, but it is a group of parameters: name one of "
        f"them, as {member}"
    )


def _unknown(key: str, where: str, known: set[str], renamed: Mapping[str, str]) -> str:
    for former in sorted(renamed, key=len, reverse=True):
        if key == former or key.startswith(f"{former}."):
            return f"parameter {key} in {where} is called {renamed[former]}{key[len(former) :]} now"
    close = get_close_matches(key, known | renamed.keys(), n=1, cutoff=0.5)
    hint = "docs/parameters.md lists them all"
    if close:
        hint = f"did you mean {renamed.get(close[0], close[0])}?"
    return f"unknown parameter {key} in {where}: {hint}"
