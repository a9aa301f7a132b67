"""What differs between two runs: code, parameters, data, row counts, the students' answers."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from kd_kedro.metrics.comparison.run_difference import compare_runs
from kd_kedro.runs.recipe import Recipe, artifact_text

SCHEMA = "kd_kedro.run_comparison/1"
Pair = list[Any]
# Gives a table of a run (0 or 1) by name, or says why there is none.
Reader = Callable[[int, str], "pd.DataFrame | str"]


def compare_recipes(
    first: Recipe, second: Recipe, recipe_of: Callable[[str], Recipe | None]
) -> dict[str, Any]:
    """Return what differs in how two runs were made and in what they made, as pairs.

    Args:
        first: Recipe of one run.
        second: Recipe of the other.
        recipe_of: Gives the recipe of the run of a timestamp; None if it has none.

    Returns:
        JSON-able dict: pairs by name of code, command, environment, parameters and sources that
        differ, and of data whose content differs: versions, and whether that is certain.
    """
    names = sorted((first.saved.keys() | first.loaded.keys()) & _datasets(second))
    data = {}
    for name in names:
        ours, theirs = (_version_and_hash(recipe, name, recipe_of) for recipe in (first, second))
        if ours[0] != theirs[0] and (ours[1] != theirs[1] or ours[1] is None):
            known = ours[1] is not None and theirs[1] is not None
            data[name] = {"versions": [ours[0], theirs[0]], "content": "differs" if known else "?"}
    return {
        "code": _pairs(_code(first), _code(second)),
        "command": _pairs(_command(first), _command(second)),
        "environment": _pairs(first.environment, second.environment),
        "parameters": _pairs(first.parameters, second.parameters),
        "sources": _pairs(first.sources, second.sources),
        "data": data,
        "equal_data": len(names) - len(data),
        "only_first": sorted(_datasets(first) - _datasets(second)),
        "only_second": sorted(_datasets(second) - _datasets(first)),
    }


def compare_outcomes(
    read: Reader, judging: Any, *, row_counts: str, results: str
) -> dict[str, Any]:
    """Return row counts by stage and the difference of every metric, or why there are none.

    Args:
        read: Gives the tables.
        judging: Rules of judging a difference: `primary`, `confidence`, `draws`, `min_families`,
            `seed`.
        row_counts: Name of the table of row counts by stage.
        results: Name of the table of every held-out answer's scores.
    """
    counts = [read(number, row_counts) for number in (0, 1)]
    scores = [read(number, results) for number in (0, 1)]
    outcome: dict[str, Any] = {}
    if reasons := [table for table in counts if isinstance(table, str)]:
        outcome["rows"] = {"reason": "; ".join(dict.fromkeys(reasons))}
    else:
        outcome["rows"] = _count_differences(*counts)  # type: ignore[arg-type]
    if reasons := [table for table in scores if isinstance(table, str)]:
        outcome["students"] = {"reason": "; ".join(dict.fromkeys(reasons))}
    else:
        outcome["students"] = compare_runs(
            *scores,  # type: ignore[arg-type]
            primary=judging.primary,
            confidence=judging.confidence,
            draws=judging.draws,
            min_families=judging.min_families,
            seed=judging.seed,
        )
    return outcome


def read_table(client: Any, run_id: str, recipe: Recipe, project: Path, name: str) -> Any:
    """Return a table that a run made; where there is none, the reason in words.

    The version's own file comes first, then the copy that MLflow keeps.
    """
    saved = recipe.saved.get(name)
    if saved is None:
        return f"run {recipe.kedro_run_id} made no {name}"
    file = project / saved.path / Path(saved.path).parent.name
    if file.is_file():
        return _table(file)
    text = artifact_text(client, run_id, f"{name}/{file.name}")
    if text is None:
        return (
            f"{name} of run {recipe.kedro_run_id} is gone: neither {saved.path} nor a copy in "
            "MLflow is there"
        )
    return _table(io.StringIO(text, newline=""))


def _table(source: Any) -> pd.DataFrame:
    return pd.read_csv(source, dtype=str, keep_default_na=False, na_filter=False)


def _count_differences(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Pair]:
    ours, theirs = (
        {
            f"{record['stage']} {column}": record[column]
            for record in table.to_dict("records")
            for column in table.columns
            if column != "stage"
        }
        for table in (first, second)
    )
    return _pairs(ours, theirs)


def _datasets(recipe: Recipe) -> set[str]:
    return set(recipe.saved) | set(recipe.loaded)


def _version_and_hash(
    recipe: Recipe, name: str, recipe_of: Callable[[str], Recipe | None]
) -> tuple[str, str | None]:
    if name in recipe.saved:
        return recipe.saved[name].version, recipe.saved[name].sha256
    version = recipe.loaded[name]
    maker = recipe_of(version)
    saved = maker.saved.get(name) if maker else None
    return version, saved.sha256 if saved else None


def _code(recipe: Recipe) -> dict[str, Any]:
    return {"commit": recipe.commit, "uncommitted changes": "yes" if recipe.dirty else "no"}


def _command(recipe: Recipe) -> dict[str, Any]:
    return {"env": recipe.env, "params": recipe.params or None, **recipe.command}


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Pair]:
    return {
        key: [first.get(key), second.get(key)]
        for key in sorted(first.keys() | second.keys())
        if first.get(key) != second.get(key)
    }
