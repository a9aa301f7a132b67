"""The report: one HTML page made from the same objects that the catalog keeps as JSON and CSV."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kd_kedro.metrics.report.evidence import FLOOR, PRETRAINED
from kd_kedro.metrics.scores.formatting import (
    COMPRESSION_ROWS,
    attribution_sentence,
    behind_teacher,
    ensemble_sentence,
    refusals,
    show,
    teacher_sentence,
    title,
    verdict_sentence,
)
from kd_kedro.metrics.scores.metric_table import METRICS
from kd_kedro.pipelines.distillation.params import StudentParams
from kd_kedro.pipelines.reporting.caveats import caveats
from kd_kedro.pipelines.reporting.evidence_plots import (
    agreement_bars,
    control_strips,
    cosine_bars,
    pareto_marks,
    power_lines,
    reliability_lines,
)
from kd_kedro.pipelines.reporting.licences import known_licences
from kd_kedro.pipelines.reporting.params import ReportParams
from kd_kedro.pipelines.reporting.plots import (
    difference_strips,
    loss_curves,
    study_marks,
    system_strips,
    waterfall_bars,
)
from kd_kedro.pipelines.reporting.report_numbers import writers

TEMPLATE = "page.html.j2"
# Percent of colour in the fullest cell of the confusion matrix: numbers on more are hard to read.
CELL_TINT = 40
_NO_FLOOR = "there is no second teacher (distillation.controls.teacher_seed)"
_NOT_TRAINED = "the teacher was not trained in this run, so that it has no twin of another seed"


def render_report(
    *,
    evidence: Mapping[str, Any],
    identity: Mapping[str, str],
    facts: Mapping[str, Any],
    examples: pd.DataFrame,
    curation_examples: pd.DataFrame,
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    tuning: Mapping[str, Any],
    baseline_tuning: Mapping[str, Any],
    student: StudentParams,
    wording: ReportParams,
) -> str:
    """Return the page: self-contained, no script, no external resource, every text escaped.

    Args:
        evidence: Every number that the page shows, but for the tables below.
        identity: Which run, commit and state of the tree the page is of.
        facts: The models' cards, from `answer_held_out`.
        examples: Instructive rows.
        curation_examples: Rows that the curation steps removed or changed.
        histories: Training history by model.
        tuning: `tuning_record`; empty where there is none.
        baseline_tuning: `baseline_tuning_record`; empty where there is none.
        student: What the student was made of.
        wording: Title and licences.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kd_kedro.pipelines.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        **writers(evidence),
        title=wording.title,
        cell_tint=CELL_TINT,
        title_of=title,
        show=show,
        evidence=evidence,
        identity=identity,
        facts=facts,
        warnings=caveats(evidence),
        **_verdict(evidence),
        **_teacher(evidence, facts["models"]["teacher"]),
        ensemble=ensemble_sentence(facts["models"]["teacher"]),
        **_costs(evidence["compression"]),
        **_curation(evidence["curation"]),
        power=power_lines(evidence["power"]),
        cosine_bars=cosine_bars(evidence["leakage"]["cosines"]),
        slices=_slices_by_kind(evidence["slices"]),
        examples=_records(examples),
        gallery=_kinds_by_stage(curation_examples),
        curves=loss_curves(histories),
        tuning=_study(tuning, facts["models"]["student"], student),
        baseline_tuning=_baseline_study(baseline_tuning, facts["models"]["baseline"]),
        licences=known_licences(wording.licences, evidence, facts["models"]),
        cards={model: _flat_card(card) for model, card in facts["models"].items()},
    )


def _verdict(evidence: Mapping[str, Any]) -> dict[str, Any]:
    verdict = evidence["verdict"]
    return {
        "verdict": verdict,
        "sentence": verdict_sentence(verdict),
        "attribution_sentence": attribution_sentence(verdict),
        "teacher_sentence": teacher_sentence(verdict),
        "behind": behind_teacher(verdict),
        "confidence": f"{100 * verdict['confidence']:g}",
        "differences": difference_strips(verdict),
        "systems": system_strips(verdict),
        "secondary": [name for name in verdict["metrics"] if name not in verdict["primary"]],
        "describers": _describers(verdict["descriptions"]),
        "runs": evidence["runs"],
        "controls": control_strips(verdict),
    }


def _teacher(evidence: Mapping[str, Any], card: Mapping[str, Any]) -> dict[str, Any]:
    metrics = evidence["verdict"]["metrics"]
    agreement = metrics["teacher_agreement"]
    inapplicable = agreement["conclusion"] == "not applicable"
    no_second = _NO_FLOOR if "training" in card else _NOT_TRAINED
    return {
        "floor": metrics["teacher_kl"]["controls"].get(FLOOR),
        "before": [
            metric.name
            for metric in METRICS
            if metric.against_teacher and PRETRAINED in metrics[metric.name]["controls"]
        ],
        "no_floor": agreement["reason"] if inapplicable else no_second,
        "agreement_bars": agreement_bars(evidence["agreement"]),
        "reliability": reliability_lines(evidence["calibration"]),
        "labels": next((each for each in evidence["labels"] if each["model"] == "student"), None),
    }


def _costs(compression: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "compression": compression,
        "compression_rows": COMPRESSION_ROWS,
        "refusals": refusals(compression),
        "pareto": pareto_marks(compression["pareto"]),
    }


def _curation(curation: Mapping[str, Any]) -> dict[str, Any]:
    stages, filters = curation["waterfall"], curation["filters"]
    return {
        "stages": stages,
        "bars": waterfall_bars(stages),
        "filters": filters,
        "truth_known": any(record["filter"] != "soap" for record in filters),
        "reviewed": any(
            (record["filter"], record["defect"]) == ("soap", "reviewer_reject")
            for record in filters
        ),
        "personal_data": curation["personal_data"],
    }


def _describers(descriptions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return whom the descriptions tell of, controls with the models."""
    order = ("reference", "teacher", "baseline", "student")
    named = dict.fromkeys(
        who
        for row in descriptions.values()
        for who in (*order, *(f"controls.{name}" for name in row.get("controls", {})))
    )
    return list(named)


def _study(
    record: Mapping[str, Any], card: Mapping[str, Any], student: StudentParams
) -> dict[str, Any]:
    """Return a study's marks, and how it relates to the student that was judged."""
    marks = study_marks(record)
    if not marks:
        return {}
    trained = {**card.get("training", {}), **card.get("objective", {})}
    its = record.get("students", {"settings": {}})
    settings = {key: value for key, value in its["settings"].items() if key in trained}
    return {
        **marks,
        "of_this_student": record["capture"] == card.get("teacher_targets")
        and its.get("student") == student.model_dump(mode="json")
        and its.get("seed") == card.get("seed")
        and all(trained[key] == value for key, value in settings.items()),
        "taken": all(trained.get(key) == value for key, value in marks["best"]["values"].items()),
    }


def _baseline_study(record: Mapping[str, Any], card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the best trial of the baseline's study, and whether the baseline has its rate."""
    marks = study_marks(record)
    if not marks:
        return {}
    best = marks["best"]
    rate = best["values"]["learning_rate"]
    return {
        "best": best,
        "rate": rate,
        "trials": len(record["trials"]),
        "taken": card.get("training", {}).get("learning_rate") == rate,
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _slices_by_kind(slices: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return by kind of slice one record per value, with each model's scores."""
    kinds: dict[str, dict[str, dict[str, Any]]] = {}
    for record in slices:
        if record["slice"] == "all":
            continue
        values = kinds.setdefault(str(record["slice"]), {})
        entry = values.setdefault(
            str(record["value"]),
            {"value": record["value"], "rows": record["rows"], "families": record["families"]},
        )
        entry[str(record["model"])] = record
    return {
        kind: sorted(values.values(), key=lambda entry: (-int(entry["rows"]), entry["value"]))
        for kind, values in kinds.items()
    }


def _kinds_by_stage(examples: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return by stage one entry per kind of removal or change, with its example rows."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for record in _records(examples):
        kinds = stages.setdefault(record["stage"], [])
        if not kinds or (kinds[-1]["action"], kinds[-1]["kind"]) != (
            record["action"],
            record["kind"],
        ):
            kinds.append({key: record[key] for key in ("action", "kind", "rows")} | {"shown": []})
        kinds[-1]["shown"].append(record)
    return stages


def _flat_card(card: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return a card's leaves as (dotted key, text), in the card's order."""
    leaves: list[tuple[str, str]] = []
    for key, value in card.items():
        if isinstance(value, Mapping):
            leaves += _flat_card(value, f"{prefix}{key}.")
        elif value is not None:
            leaves.append(
                (f"{prefix}{key}", f"{value:g}" if isinstance(value, float) else str(value))
            )
    return leaves
