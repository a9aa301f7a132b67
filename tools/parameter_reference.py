"""Write or check `docs/parameters.md`, the reference of every parameter, from the models.

python tools/parameter_reference.py           write it
python tools/parameter_reference.py --check   fail where it is out of step
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines, settings
from kedro.framework.startup import bootstrap_project
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kd_kedro.runs.parameter_check import CATALOG_KEYS, parameter_models

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "parameters.md"
HEAD = """# Parameters

Written by `make docs` from the pydantic models in `src/kd_kedro/pipelines/*/params.py`; the values
are those of `conf/base`. Change one for a run with `kedro run --params KEY=VALUE[,KEY=VALUE]`, for
good in `conf/local/<pipeline>/parameters.yml`. A key that is not here is refused.
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
    arguments = {**settings.CONFIG_LOADER_ARGS, "default_run_env": "base"}
    values = OmegaConfigLoader(conf_source=str(ROOT / "conf"), **arguments)["parameters"]
    parts = [HEAD, "## Files, by `--params` alone\n", "| key | what it is |", "|---|---|"]
    parts += [f"| `{key}` | {what} |" for key, what in CATALOG_KEYS.items()]
    for key, model in parameter_models({name: pipelines[name] for name in pipelines}).items():
        parts += [f"\n## {key}\n", (model.__doc__ or "").strip().split("\n\n")[0], ""]
        parts += ["| key | value | bounds | what it does |", "|---|---|---|---|"]
        group: Any = values
        for part in key.split("."):
            group = group[part]
        parts += list(_rows(key, model, group))
    return "\n".join(parts) + "\n"


def _rows(prefix: str, model: type[BaseModel], values: Any) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}.{name}"
        value = values[name]
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _rows(key, field.annotation, value)
        else:
            what = " ".join((field.description or "").split()).replace("|", "\\|")
            yield f"| `{key}` | `{value}` | {_bounds(field)} | {what} |"


def _bounds(field: FieldInfo) -> str:
    annotation = field.annotation
    kind = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    kind = kind.replace("typing.", "").replace("|", "\\|")
    kind = re.sub(r"Annotated\[(\w+), Ge\(ge=(\d+)\)\]", r"\1 ≥ \2", kind)
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥"}
    limits = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([kind, *limits])


if __name__ == "__main__":
    sys.exit(main())
