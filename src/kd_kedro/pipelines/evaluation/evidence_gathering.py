"""Brings everything that was found into the one object that all pages and records are made of."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kd_kedro.metrics.report.evidence import SCHEMA, beaten_controls, warnings
from kd_kedro.metrics.report.leakage import summarise_overlap
from kd_kedro.metrics.report.slices import score_runs, worst_slice
from kd_kedro.metrics.scores.agreement import agree_and_correct
from kd_kedro.metrics.scores.calibration import reliability_table
from kd_kedro.metrics.scores.classification import classification_report
from kd_kedro.metrics.scores.formatting import title
from kd_kedro.pipelines.evaluation.params import HonestyParams, SlicesParams, VerdictParams

JUDGED = ("teacher", "baseline", "student")


def gather_evidence(
    validation_results: pd.DataFrame,
    evaluation_facts: Mapping[str, Any],
    verdict: Mapping[str, Any],
    power: Mapping[str, Any],
    compression: Mapping[str, Any],
    train_overlap: pd.DataFrame,
    slices: pd.DataFrame,
    filter_quality: pd.DataFrame,
    row_waterfall: pd.DataFrame,
    choices: SlicesParams,
    honesty: HonestyParams,
    judging: VerdictParams,
) -> dict[str, Any]:
    """Return `evidence`: every number of report, model card and MLflow, under one name each."""
    bounds = {"ngram_share": honesty.ngram_share, "cosine": honesty.cosine}
    by_model = dict(list(validation_results.groupby("model")))
    gathered: dict[str, Any] = {
        "schema": SCHEMA,
        "held_out": dict(evaluation_facts["held_out"]),
        "verdict": dict(verdict),
        "power": dict(power),
        "honesty": {
            "controls": beaten_controls(verdict),
            "overlap": {
                **summarise_overlap(train_overlap, **bounds),
                "ngram": honesty.ngram,
                **{f"{name}_from": bound for name, bound in bounds.items()},
            },
        },
        "agreement": agree_and_correct(validation_results),
        "calibration": {name: reliability_table(by_model[name]) for name in JUDGED},
        # Lists: a label may hold what no name of a metric may.
        "labels": [
            {"model": name, **report}
            for name in JUDGED
            if (report := classification_report(by_model[name]))
        ],
        "worst_slice": worst_slice(slices, min_families=choices.min_families),
        "slices": _records(slices),
        "runs": _records(score_runs(validation_results)),
        "compression": dict(compression),
        "curation": {
            "waterfall": _records(row_waterfall),
            "filters": _records(filter_quality),
        },
    }
    gathered["honesty"]["warnings"] = [
        *_other_rules(judging),
        *warnings(gathered, max_near_share=honesty.max_near_share),
    ]
    return gathered


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _other_rules(judging: VerdictParams) -> list[str]:
    """Say where the verdict was reached by other rules than this project's own."""
    usual = VerdictParams()
    said = []
    if set(judging.primary) != set(usual.primary):
        ours, theirs = (", ".join(map(title, names)) for names in (usual.primary, judging.primary))
        said.append(
            f"The metrics that decide here are {theirs}; the project's own are {ours}. They must "
            "have been chosen before anybody saw a result."
        )
    if judging.confidence < usual.confidence or judging.margin > usual.margin:
        said.append(
            "The verdict is more lenient than the project's own: confidence "
            f"{judging.confidence:g} instead of {usual.confidence:g}, margin {judging.margin:g} "
            f"instead of {usual.margin:g}."
        )
    return said
