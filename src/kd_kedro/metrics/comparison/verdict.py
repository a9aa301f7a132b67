"""The verdict: teacher, baseline student and distilled student on the same held-out rows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import pandas as pd

from kd_kedro.metrics.comparison.attribution import attribute
from kd_kedro.metrics.comparison.decide import NOTHING, Decision, conclude, decide_by_holm
from kd_kedro.metrics.comparison.paired_scores import (
    SYSTEMS,
    PairedScores,
    pair,
    paired_runs,
    seeds_of,
    why_not_judged,
)
from kd_kedro.metrics.comparison.teacher_gap import gap_recovered, non_inferiority
from kd_kedro.metrics.report.evidence import PATIENT
from kd_kedro.metrics.scores.diversity import describe_runs
from kd_kedro.metrics.scores.metric import Metric
from kd_kedro.metrics.scores.metric_table import METRICS
from kd_kedro.metrics.statistics.permutation import mcnemar, permutation_p
from kd_kedro.metrics.statistics.significance import Estimate

SCHEMA = "kd_kedro.verdict/2"
_GAIN = {"student": 1.0, "baseline": -1.0}


def judge(
    results: pd.DataFrame,
    *,
    primary: Sequence[str],
    confidence: float,
    draws: int,
    min_families: int,
    margin: float,
    seed: int,
    metrics: Sequence[Metric] = METRICS,
) -> dict[str, Any]:
    """Return the verdict on the student against the baseline of the same size, seed and budget.

    The primary metrics decide: their intervals are adjusted by Holm among themselves, the other
    metrics' among the others.

    Args:
        results: `validation_results`: one row per held-out row, model and seed; the
            teacher's seed is '', as that of controls (models that are shown and not judged).
        primary: Names of the metrics that decide.
        confidence: Confidence of the differences over all metrics of a role, 0.95 for 95 %.
        draws: Number of bootstrap draws, and of random swaps in the permutation test.
        min_families: A metric with fewer held-out families to judge on is not applicable.
        margin: Share of the teacher's score that a non-inferior student may lose.
        seed: Seed of bootstrap and permutations.
        metrics: What is measured; all metrics by default.

    Returns:
        JSON-able dict: what was judged how, `overall` with `overall_reason`, `non_inferior` (every
        primary metric is, None where none can be), and `metrics` by name.

    Raises:
        ValueError: Models or seeds are missing, the models answered different rows, or a primary
            metric does not exist.
    """
    if unknown := [name for name in primary if name not in {metric.name for metric in metrics}]:
        known = ", ".join(metric.name for metric in metrics)
        raise ValueError(f"there is no metric {unknown[0]} to decide the verdict: name of {known}")
    runs = paired_runs(results)
    level = 1 - confidence
    scores = {metric: pair(metric, runs, draws=draws, seed=seed) for metric in metrics}
    refusals = {
        metric: why_not_judged(metric, runs, each, min_families) for metric, each in scores.items()
    }
    decisions = decide_by_holm(
        {metric: each for metric, each in scores.items() if not refusals[metric]},
        _GAIN,
        primary=primary,
        level=level,
    )
    entries = {
        metric.name: {
            **_systems(metric, each, level),
            **_decided(metric, each, decisions.get(metric.name), refusals[metric], draws),
            "role": "primary" if metric.name in primary else "secondary",
            **_against_teacher(
                metric, each, decisions.get(metric.name), refusals[metric], margin, level
            ),
            "attribution": attribute(metric, each, level=level, refusal=refusals[metric]),
            "families": each.families,
            "higher_is_better": metric.higher_is_better,
            "signature": metric.signature(),
        }
        for metric, each in scores.items()
    }
    if "exact_match" in entries:
        first = seeds_of(runs)[0]
        entries["exact_match"]["mcnemar"] = mcnemar(runs["student", first], runs["baseline", first])
    deciding = {name: entry for name, entry in entries.items() if name in primary}
    overall, reason = conclude_overall(
        {name: entry["conclusion"] for name, entry in deciding.items()}
    )
    return {
        "schema": SCHEMA,
        "seeds": [int(name) if name.isdigit() else name for name in seeds_of(runs)],
        "families": int(results["family_id"].nunique()),
        "confidence": confidence,
        "margin": margin,
        "overall": overall,
        "overall_reason": reason,
        "non_inferior": _all_non_inferior(deciding),
        "primary": list(deciding),
        "metrics": entries,
        "descriptions": describe_runs(runs),
    }


def conclude_overall(conclusions: Mapping[str, str]) -> tuple[str, str]:
    """Return what the primary metrics' conclusions say together, and why, in one sentence."""
    found: dict[str, list[str]] = {}
    for name, conclusion in conclusions.items():
        found.setdefault(conclusion, []).append(name)
    better, worse = ", ".join(found.get("better", [])), ", ".join(found.get("worse", []))
    if better and worse:
        return "mixed", f"better than the baseline in {better}, worse in {worse}."
    if better:
        return "better", f"better than the baseline in {better} and worse in no primary metric."
    if worse:
        return "worse", f"worse than the baseline in {worse} and better in no primary metric."
    if "not shown" in found:
        return "not shown", "no primary metric's interval excludes zero."
    return "not applicable", "no primary metric could be judged."


def _systems(metric: Metric, scores: PairedScores, level: float) -> dict[str, Any]:
    """Return the judged models' estimates, and those of the controls that have the metric.

    Of a control also whether the student is ahead of it or behind it, paired on the same families.
    """
    estimates = {
        model: _shown(scores.estimate({model: 1.0}), level, metric)
        if scores.families
        else dict(NOTHING)
        for model in dict.fromkeys(scores.models)
    }
    controls: dict[str, Any] = {
        name: {**each, **_place(metric, scores, name, level)}
        for name, each in estimates.items()
        if name not in SYSTEMS and scores.families
    }
    # Patient twins are one control, by account of the compute they had.
    patient = {
        f"teacher_{account}": controls.pop(model)
        for account, model in PATIENT.items()
        if model in controls
    }
    controls |= {"patient": patient} if patient else {}
    return {**{system: estimates[system] for system in SYSTEMS}, "controls": controls}


def _place(metric: Metric, scores: PairedScores, control: str, level: float) -> dict[str, bool]:
    low, high = scores.estimate({"student": 1.0, control: -1.0}).interval(level)
    conclusion = conclude(low, high, metric.higher_is_better)[0]
    return {"student_ahead": conclusion == "better", "student_behind": conclusion == "worse"}


def _decided(
    metric: Metric, scores: PairedScores, decision: Decision | None, refusal: str, draws: int
) -> dict[str, Any]:
    """Return student - baseline with the interval that decides, and what it decides."""
    if decision is None:
        return {
            "difference": dict(NOTHING),
            "p_holm": None,
            "p_permutation": None,
            "conclusion": "not applicable",
            "reason": refusal,
        }
    # Student's t has no ends, a difference of two shares has: 0.3 points cannot become 150.
    reach = inf if metric.log_scale else metric.bounds[1] - metric.bounds[0]
    bounded = replace(decision, low=max(decision.low, -reach), high=min(decision.high, reach))
    student, baseline = (scores.statistics[scores.of(name)] for name in _GAIN)
    swapped = permutation_p(student, baseline, metric.score, draws=draws, seed=scores.seed)
    return {**bounded.entry(), "p_permutation": swapped}


def _against_teacher(
    metric: Metric,
    scores: PairedScores,
    decision: Decision | None,
    refusal: str,
    margin: float,
    level: float,
) -> dict[str, Any]:
    # The share's interval has the level of the difference's: it holds no gain where that does not.
    own_level = level if decision is None else decision.level
    return {
        "non_inferiority": non_inferiority(
            metric, scores, margin=margin, level=level, refusal=refusal
        ),
        "gap_recovered": gap_recovered(metric, scores, level=own_level, refusal=refusal),
    }


def _all_non_inferior(deciding: Mapping[str, Mapping[str, Any]]) -> bool | None:
    """Tell whether every primary metric is non-inferior; it needs no adjustment (all must be)."""
    said = {entry["non_inferiority"]["conclusion"] for entry in deciding.values()}
    said.discard("not applicable")
    return said == {"non-inferior"} if said else None


def _shown(estimate: Estimate, level: float, metric: Metric) -> dict[str, float | None]:
    low, high = estimate.interval(level)
    values = {"estimate": estimate.value, "low": low, "high": high}
    return {key: metric.displayed(value) for key, value in values.items()}
