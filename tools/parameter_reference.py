"""Write or check `docs/parameters.md`, the reference of every parameter, from the models.

python tools/parameter_reference.py           write it
python tools/parameter_reference.py --check   fail where it is out of step
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project
from omegaconf import OmegaConf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kd_kedro.runs.parameter_check import fields, flatten, group_model, with_groups
from kd_kedro.runs.pipeline_packages import catalog_keys, parameter_models

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "parameters.md"
HEAD = """# Parameters

Written by `make docs` from the pydantic models that the pipelines export as `PARAMETERS`. A setting
of the tier *recipe* stands in `conf/base`, with the value shown here; one of the tier *advanced*
stands in no file and has the default of its model. Change either for a run with `kedro run
--params KEY=VALUE[,KEY=VALUE]`, for good in `conf/local/<pipeline>/parameters.yml`. A key that is
not here is refused, and one that had another name once is answered with the present one.
"""


def main() -> int:
    """Write the page, or compare it with what the models say."""
    bootstrap_project(ROOT)
    text = _page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    in_step = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
    if not in_step:
        print("docs/parameters.md is out of step: run `make docs`", file=sys.stderr)
    return int(not in_step)


def _page() -> str:
    values, of_sample = _written(sample=False), dict(flatten(_checked(_written(sample=True))))
    parts = [
        HEAD,
        "## Sheet, columns and server, by `--params`\n",
        "| key | what it is |",
        "|---|---|",
    ]
    parts += [f"| `{key}` | {what} |" for key, what in catalog_keys().items()]
    written, checked = dict(flatten(values)), dict(flatten(_checked(values)))
    for key, model in _groups():
        parts += [f"\n## {key}\n", (model.__doc__ or "").strip().split("\n\n")[0], ""]
        parts += ["| key | value | tier | bounds | what it does |", "|---|---|---|---|---|"]
        parts += [
            _row(name, field, name in written, _shown(checked[name], of_sample[name]))
            for name, field in fields(model, f"{key}.")
        ]
    return "\n".join(parts) + "\n"


def _written(sample: bool) -> dict[str, Any]:
    """Return what conf/base says, where the sheet is the sample or where it is another."""
    OmegaConf.register_new_resolver(
        "with_sample", lambda one, other: one if sample else other, replace=True
    )
    arguments = {**settings.CONFIG_LOADER_ARGS, "default_run_env": "base"}
    values: dict[str, Any] = OmegaConfigLoader(str(ROOT / "conf"), **arguments)["parameters"]
    return values


def _shown(value: Any, of_sample: Any) -> str:
    return f"`{value}`" if value == of_sample else f"`{value}`; of the sample `{of_sample}`"


def _groups() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the groups of every pipeline, or the pipeline itself where it is one group."""
    for name, model in parameter_models().items():
        groups = {part: group_model(field) for part, field in model.model_fields.items()}
        if all(groups.values()):
            yield from sorted((f"{name}.{part}", inner) for part, inner in groups.items() if inner)
        else:
            yield name, model


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the files with the defaults of the models."""
    models = parameter_models()
    return {
        name: model.model_validate(with_groups(model, values.get(name, {}))).model_dump(mode="json")
        for name, model in models.items()
    }


def _row(key: str, field: FieldInfo, in_files: bool, value: str) -> str:
    tier = "recipe" if in_files else "advanced"
    what = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| `{key}` | {value} | {tier} | {_bounds(field)} | {what} |"


def _bounds(field: FieldInfo) -> str:
    return ", ".join([_kind(field.annotation), *_limits(field.metadata)])


def _kind(annotation: Any) -> str:
    """Return a type as text, the bounds of its items included."""
    inner = get_args(annotation)
    if get_origin(annotation) is Annotated:
        rules = [rule for each in inner[1:] for rule in getattr(each, "metadata", [each])]
        return f"{_kind(inner[0])} {' and '.join(_limits(rules))}"
    if any(get_origin(each) is Annotated for each in inner):
        items = ["..." if each is Ellipsis else _kind(each) for each in inner]
        return f"{annotation.__origin__.__name__}[{', '.join(items)}]"
    kind = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return kind.replace("typing.", "").replace("|", "\\|")


def _limits(rules: Sequence[Any]) -> list[str]:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥"}
    return [
        f"{sign} {getattr(rule, name)}"
        for rule in rules
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]


if __name__ == "__main__":
    sys.exit(main())
