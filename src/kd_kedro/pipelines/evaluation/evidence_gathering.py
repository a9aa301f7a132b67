"""Brings everything that was found into the one object that all pages and records are made of."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from kd_kedro.metrics.report.evidence import SCHEMA, beaten_controls
from kd_kedro.metrics.report.leakage import cosine_histogram, summarise_overlap
from kd_kedro.metrics.report.slices import score_runs, worst_slice
from kd_kedro.metrics.scores.agreement import agree_and_correct
from kd_kedro.metrics.scores.calibration import reliability_table
from kd_kedro.metrics.scores.classification import classification_report
from kd_kedro.pipelines.evaluation.data_quality import is_made_here
from kd_kedro.pipelines.evaluation.params import LeakageParams, SlicesParams, VerdictParams

JUDGED = ("teacher", "baseline", "student")
NONE: Mapping[str, Any] = MappingProxyType({})
SHOWN_ROWS = 20  # of those that were cut, the longest


def describe_answers(
    validation_results: pd.DataFrame,
    train_overlap: pd.DataFrame,
    slices: pd.DataFrame,
    choices: SlicesParams,
    leakage: LeakageParams,
) -> dict[str, Any]:
    """Return `answer_facts`: what the answers say beside the verdict."""
    by_model = dict(list(validation_results.groupby("model")))
    bounds = {"ngram_share": leakage.ngram_share, "cosine": leakage.cosine}
    return {
        "leakage": {
            **summarise_overlap(train_overlap, **bounds),
            "ngram": leakage.ngram,
            **{f"{name}_from": bound for name, bound in bounds.items()},
            "max_near_share": leakage.max_near_share,
            "cosines": cosine_histogram(train_overlap),
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
    }


def gather_evidence(
    evaluation_facts: Mapping[str, Any],
    verdict: Mapping[str, Any],
    power: Mapping[str, Any],
    answer_facts: Mapping[str, Any],
    compression: Mapping[str, Any],
    curation: Mapping[str, Any],
    judging: VerdictParams,
    length_facts: Mapping[str, Any] = NONE,
    student_length_facts: Mapping[str, Any] = NONE,
    answers_from: str = "none",
    start_facts: Mapping[str, Any] = NONE,
) -> dict[str, Any]:
    """Return `evidence`: every number of report, model card and MLflow, under one name each."""
    cut = {
        "training": length_facts,
        "student's tokens": student_length_facts,
        "answering": evaluation_facts.get("cut_references", NONE),
    }
    return {
        "schema": SCHEMA,
        "held_out": dict(evaluation_facts["held_out"]),
        "perhaps_read": evaluation_facts.get("perhaps_read", 0),
        "verdict": dict(verdict),
        "rules": {"draws": judging.draws, "min_families": judging.min_families},
        "power": dict(power),
        "controls": beaten_controls(verdict),
        **answer_facts,
        "compression": dict(compression),
        "curation": dict(curation),
        # `distillation.sequence_level.source`: who wrote answers that students learned from.
        "answers_from": answers_from,
        # A table: the shapes within a budget, of which the students have one.
        "shapes": start_facts.get("candidates", []),
        # A list: what is shown of it are sentences and rows.
        "cut": [
            {**facts, "where": where, "rows": facts["rows"][:SHOWN_ROWS]}
            for where, facts in cut.items()
            if facts and facts["rows"]
        ],
    }


def gather_curation(
    filter_quality: pd.DataFrame,
    row_waterfall: pd.DataFrame,
    personal_data_summary: pd.DataFrame,
    relevance_facts: Mapping[str, Any],
    final_qa_truth: pd.DataFrame,
    row_events: pd.DataFrame,
) -> dict[str, Any]:
    """Return `curation_facts`: what the curation did, as the evidence holds it."""
    return {
        "waterfall": _records(row_waterfall),
        "filters": _records(filter_quality),
        "personal_data": _records(personal_data_summary),
        "relevance": dict(relevance_facts),
        "made_here": is_made_here(final_qa_truth, row_events),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows; an empty or infinite number, which JSON lacks, is None."""
    return [
        {
            str(key): None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]
