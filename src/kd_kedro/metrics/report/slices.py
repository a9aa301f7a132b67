"""The same scores on parts of the held-out rows, to see where a model is weak."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.scores.metric import Metric, present
from kd_kedro.metrics.scores.metric_table import METRICS
from kd_kedro.metrics.statistics.significance import Floats

NAMES = [metric.name for metric in METRICS]
COLUMNS = ["slice", "value", "model", "rows", "families", *NAMES]
RUN_COLUMNS = ["model", "seed", "rows", "families", *NAMES]


def score_slices(results: pd.DataFrame, labels: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return the scores of each model on each slice, its seeds pooled.

    Args:
        results: `validation_results`.
        labels: By slice (format, topic …) the value of each row_id; rows without one are left
            out of that slice.

    Returns:
        Table with `COLUMNS`, all text; a score is '' where no row of the slice counts.
    """
    rows = results.reset_index(drop=True)
    statistics = {metric.name: _statistics(metric, rows) for metric in METRICS}
    everywhere = {"all": dict.fromkeys(rows["row_id"], "all")}
    records = []
    for name, values in {**everywhere, **labels}.items():
        value = rows["row_id"].map(dict(values)).fillna("")
        for key, part in rows[value != ""].groupby([value, "model"]):
            records.append([name, *map(str, key), *_scores(part, statistics)])
    return pd.DataFrame(records, columns=COLUMNS, dtype="str")


def score_runs(results: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of each model and seed: table with `RUN_COLUMNS`, all text."""
    rows = results.reset_index(drop=True)
    statistics = {metric.name: _statistics(metric, rows) for metric in METRICS}
    records = [
        [*map(str, key), *_scores(part, statistics)]
        for key, part in rows.groupby(["model", "seed"])
    ]
    return pd.DataFrame(records, columns=RUN_COLUMNS, dtype="str")


def length_thirds(results: pd.DataFrame) -> dict[str, str]:
    """Return by row_id whether its reference is among the short, medium or long third."""
    rows = results.drop_duplicates("row_id")
    length = rows["reference"].str.len()
    low, high = np.quantile(length, [1 / 3, 2 / 3])
    names = [
        f"to {low:.0f} characters",
        f"{low:.0f} to {high:.0f} characters",
        f"above {high:.0f} characters",
    ]
    thirds = np.searchsorted([low, high], length, side="left")
    return dict(zip(rows["row_id"], [names[third] for third in thirds], strict=True))


def worst_slice(slices: pd.DataFrame, *, min_families: int) -> dict[str, Any] | None:
    """Return the slice where the student falls furthest behind its teacher in perplexity.

    Args:
        slices: What `score_slices` returned.
        min_families: Slices with fewer families are too small to be named.

    Returns:
        `slice, value, families, student, teacher` (perplexities), or None where no slice is
        large enough.
    """
    large = (slices["slice"] != "all") & (slices["families"].astype(int) >= min_families)
    parts = slices[large & present(slices["perplexity"])]
    perplexity: dict[tuple[str, str, int], dict[str, float]] = {}
    for record in parts.to_dict("records"):
        key = (str(record["slice"]), str(record["value"]), int(record["families"]))
        perplexity.setdefault(key, {})[str(record["model"])] = float(record["perplexity"])
    if not perplexity:
        return None
    worst = max(perplexity, key=lambda key: perplexity[key]["student"] / perplexity[key]["teacher"])
    return {
        **dict(zip(("slice", "value", "families"), worst, strict=True)),
        **{model: perplexity[worst][model] for model in ("student", "teacher")},
    }


def _statistics(metric: Metric, rows: pd.DataFrame) -> Floats:
    parts = [
        (run.index, metric.statistics(run.reset_index(drop=True)))
        for _, run in rows.groupby(["model", "seed"])
    ]
    whole = np.zeros((len(rows), parts[0][1].shape[1]))
    for index, values in parts:
        whole[index] = values
    return whole


def _scores(part: pd.DataFrame, statistics: Mapping[str, Floats]) -> Iterator[str]:
    yield str(part["row_id"].nunique())
    yield str(part["family_id"].nunique())
    for metric in METRICS:
        sums = statistics[metric.name][part.index].sum(axis=0)
        yield _written(metric, sums)


def _written(metric: Metric, sums: Sequence[float] | Floats) -> str:
    counted = np.asarray(sums)
    return f"{metric.shown(float(metric.score(counted))):.6g}" if counted.any() else ""
