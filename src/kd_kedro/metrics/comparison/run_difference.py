"""Do the students of two runs differ, on the held-out rows that both answered?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.comparison.decide import NOTHING, decide_by_holm
from kd_kedro.metrics.comparison.paired_scores import (
    PairedScores,
    scores_of,
    sum_by_family,
    why_silent,
)
from kd_kedro.metrics.scores.metric import Metric
from kd_kedro.metrics.scores.metric_table import METRICS

SCHEMA = "kd_kedro.run_difference/2"
_KEY = ["question", "reference"]
_DIFFERENCE = {"first": -1.0, "second": 1.0}
_OTHER_TOKENS = (
    "the students read the same answers as other tokens, or as fewer: nothing that is measured "
    "per token can be compared, bits per byte can"
)


def compare_runs(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    primary: Sequence[str],
    confidence: float,
    draws: int,
    min_families: int,
    seed: int,
) -> dict[str, Any]:
    """Return the difference second - first of every metric of the students.

    Rows are the same where question and reference are; a family is what it was in the first run.
    Families and seeds are paired, as in the verdict.

    Args:
        first: `validation_results` of one run.
        second: That of the other.
        primary: Names of the metrics that decide: they come first and are adjusted by Holm among
            themselves, the others among themselves, as in the verdict.
        confidence: Family-wise confidence of each group's differences, 0.95 for 95 %.
        draws: Number of bootstrap draws.
        min_families: A metric with fewer common families to judge on is not applicable.
        seed: Seed of the bootstrap.

    Returns:
        JSON-able dict: schema, counts of rows and families in each and in both, the seeds both
        have, and by metric, those that decide first, its role (primary, secondary), the estimate
        of each run, the difference with its Holm-adjusted interval, p_holm, conclusion (better,
        worse, not shown, not applicable) and reason.
    """
    students = [_runs_of(results, "student") for results in (first, second)]
    seeds = sorted(students[0].keys() & students[1].keys())
    rows = [_asked(runs) for runs in students]
    common = rows[0].merge(rows[1], on=[*_KEY, "copy"], suffixes=("", "_second"))
    tables = _same_labels([_align(runs[name], common) for runs in students for name in seeds])
    families = common["family_id"].nunique()
    unusable = _unusable(students, seeds, families, min_families)
    same_teacher = _same_teacher(first, second)
    scores: dict[Metric, PairedScores] = {}
    refusals: dict[Metric, str] = {}
    for number, metric in enumerate(METRICS):
        if unusable:
            refusals[metric] = unusable
        elif not metric.against_teacher and not same_teacher:
            refusals[metric] = "the students had different teachers to agree with"
        elif found := _measure(metric, tables, common, draws, seed + number):
            scores[metric] = found
            refusals[metric] = _why_not_compared(metric, found, tables[0], min_families)
        else:
            refusals[metric] = (
                "one of the runs was made before validation_results had what it needs"
            )
    judged = {metric: each for metric, each in scores.items() if not refusals[metric]}
    decisions = decide_by_holm(judged, _DIFFERENCE, primary=primary, level=1 - confidence)
    entries = {
        metric: {
            **_shown(metric, scores.get(metric)),
            **(decisions[metric.name].entry() if metric in judged else _refused(refusals[metric])),
        }
        for metric in sorted(METRICS, key=lambda metric: metric.name not in primary)
    }
    return {
        "schema": SCHEMA,
        "seeds": seeds,
        "rows": {"first": len(rows[0]), "second": len(rows[1]), "common": len(common)},
        "families": {
            "first": rows[0]["family_id"].nunique(),
            "second": rows[1]["family_id"].nunique(),
            "common": families,
        },
        "metrics": {
            metric.name: {
                "role": "primary" if metric.name in primary else "secondary",
                **entry,
                "higher_is_better": metric.higher_is_better,
                "signature": metric.signature(),
            }
            for metric, entry in entries.items()
        },
    }


def _runs_of(results: pd.DataFrame, model: str) -> dict[str, pd.DataFrame]:
    """Return a model's rows by seed, each with a number that tells copies of it apart."""
    own = results[results["model"] == model]
    return {
        str(seed): rows.sort_values("row_id", ignore_index=True).assign(
            copy=lambda table: table.groupby(_KEY).cumcount()
        )
        for seed, rows in own.groupby("seed", sort=True)
    }


def _same_teacher(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    """Tell whether the teachers find the common answers as likely as each other."""
    teachers = [_runs_of(results, "teacher").get("") for results in (first, second)]
    if teachers[0] is None or teachers[1] is None:
        return False
    both = teachers[0].merge(teachers[1], on=[*_KEY, "copy"])
    one, other = (both[name].to_numpy(dtype=np.float64) for name in ("nll_x", "nll_y"))
    # The same weights in other batches: the last digits may differ.
    return bool(np.allclose(one, other, rtol=1e-3, atol=1e-3))


def _asked(runs: dict[str, pd.DataFrame]) -> pd.DataFrame:
    columns = [*_KEY, "copy", "family_id"]
    return next(iter(runs.values()))[columns] if runs else pd.DataFrame(columns=columns)


def _align(rows: pd.DataFrame, common: pd.DataFrame) -> pd.DataFrame:
    """Return a run's answers to the common rows, in their order."""
    return common[[*_KEY, "copy"]].merge(rows, on=[*_KEY, "copy"], how="left", validate="1:1")


def _same_labels(tables: Sequence[pd.DataFrame]) -> Sequence[pd.DataFrame]:
    """Ask for a label where all tables do: each run's train split says what is a label."""
    if not tables or not all("label" in table for table in tables):
        return tables
    labels = np.stack([table["label"].to_numpy(dtype=str) for table in tables])
    agreed = (labels == labels[0]).all(axis=0)
    return [
        table.assign(**{n: table[n].where(agreed, "") for n in ("label", "predicted_label")})
        for table in tables
    ]


def _measure(
    metric: Metric, tables: Sequence[pd.DataFrame], common: pd.DataFrame, draws: int, seed: int
) -> PairedScores | None:
    """Return a metric's scores of all runs; None where a run has no column that it needs."""
    try:
        by_row = [metric.statistics(table) for table in tables]
    except KeyError:
        return None
    families, index = np.unique(common["family_id"].to_numpy(dtype=str), return_inverse=True)
    statistics = np.stack([sum_by_family(rows, index, len(families)) for rows in by_row])
    # A family counts where every run has something to count in it.
    statistics = statistics[:, statistics.any(axis=2).all(axis=0)]
    half = len(tables) // 2  # the first run's seeds come first, in the same order
    models = ("first",) * half + ("second",) * half
    return scores_of(metric, statistics, models, draws=draws, seed=seed)


def _why_not_compared(
    metric: Metric, scores: PairedScores, rows: pd.DataFrame, min_families: int
) -> str:
    if reason := why_silent(metric, scores, rows, ("first", "second"), min_families):
        return reason
    if metric.per_token and not scores.same_tokens("first", "second"):
        return _OTHER_TOKENS
    return ""


def _shown(metric: Metric, scores: PairedScores | None) -> dict[str, float | None]:
    if scores is None or not scores.families:
        return dict.fromkeys(_DIFFERENCE)
    return {name: metric.displayed(scores.estimate({name: 1.0}).value) for name in _DIFFERENCE}


def _refused(reason: str) -> dict[str, Any]:
    return {
        "difference": dict(NOTHING),
        "p_holm": None,
        "conclusion": "not applicable",
        "reason": reason,
    }


def _unusable(
    students: Sequence[dict[str, pd.DataFrame]],
    seeds: Sequence[str],
    families: int,
    min_families: int,
) -> str:
    """Return why nothing can be compared, '' where something can."""
    if len(seeds) < 2:
        first, second = (", ".join(sorted(runs)) or "none" for runs in students)
        return (
            "fewer than two seeds are common to both runs "
            f"({first} and {second}): a difference could be the luck of a seed"
        )
    if families < min_families:
        return f"{families} held-out families are common to both runs; {min_families} are needed"
    return ""
