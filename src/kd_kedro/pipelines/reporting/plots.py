"""Where marks stand in the report's inline drawings."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from kd_kedro.metrics.scores.metric_table import METRICS

SYSTEMS = ("teacher", "baseline", "student")
_FROM_TEACHER = {metric.name for metric in METRICS if not metric.against_teacher}
_MARGIN = 6.0  # percent of the width kept free on either side


def difference_strips(verdict: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return by metric where the difference's interval stands, in percent of the width.

    Right of the middle is in the student's favour, whatever the metric's direction. Each metric
    has its own scale: its outermost end touches the margin.
    """
    strips = {}
    for name, metric in verdict["metrics"].items():
        difference = metric["difference"]
        if difference["estimate"] is None:
            continue
        sign = 1 if metric["higher_is_better"] else -1
        low, high = sorted((sign * difference["low"], sign * difference["high"]))
        reach = max(abs(low), abs(high), 1e-12)
        strips[name] = {
            key: 50 + (50 - _MARGIN) * value / reach
            for key, value in (
                ("low", low),
                ("estimate", sign * difference["estimate"]),
                ("high", high),
            )
        }
    return strips


def system_strips(verdict: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Return by metric and system where the interval stands, in percent of the width.

    The teacher is left out of what is measured from it, such as agreement with it.
    """
    strips = {}
    for name, metric in verdict["metrics"].items():
        shown = SYSTEMS[1:] if name in _FROM_TEACHER else SYSTEMS
        ends = [value for system in shown for value in metric[system].values() if value is not None]
        if not ends:
            continue
        low, span = min(ends), max(max(ends) - min(ends), 1e-12)
        strips[name] = {
            system: {
                key: _MARGIN + (100 - 2 * _MARGIN) * (value - low) / span
                for key, value in metric[system].items()
                if value is not None
            }
            for system in shown
        }
    return strips


def loss_curves(
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Any] | None:
    """Return the polylines of training and validation loss in a box of 100 × 100.

    Returns:
        `lines` (model, kind, points as SVG takes them, last value), `top`, `bottom` (nats) and
        `steps` (the right edge); None where no loss was recorded.
    """
    series = []
    for model, history in histories.items():
        for kind, keys in (
            ("validation", ("validation_loss",)),
            ("training", ("cross_entropy", "loss")),
        ):
            points = _points(history, keys)
            if points:
                series.append((model, kind, points))
    values = [value for _, _, points in series for _, value in points]
    if not values:
        return None
    top, bottom = max(values), min(values)
    steps = max(max(step for step, _ in points) for _, _, points in series)
    span = max(top - bottom, 1e-12)
    lines = [
        {
            "model": model,
            "kind": kind,
            "points": " ".join(
                f"{100 * step / max(steps, 1):.2f},{96 - 92 * (value - bottom) / span:.2f}"
                for step, value in points
            ),
            "last": points[-1][1],
        }
        for model, kind, points in series
    ]
    return {"lines": lines, "top": top, "bottom": bottom, "steps": steps}


def study_marks(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the trials of a study stand, in percent of the box, and what was best.

    Args:
        record: `tuning_record`; empty where no study was made.

    Returns:
        `trials` (state, number, loss, x, y, values), `steps` (the best so far as lines x1, x2, y1,
        y2), `top`, `bottom` (nats), `best` (the best trial), `shares` (name, share in percent,
        largest first) and `counts` by state; empty where no trial finished.
    """
    shown = [
        (trial, min(trial["losses"].values()))
        for trial in record.get("trials", ())
        if (trial["state"] in {"complete", "pruned"} and trial["losses"])
    ]
    finished = [trial for trial, _ in shown if trial["state"] == "complete"]
    if not finished:
        return {}
    low, high = (float(f(loss for _, loss in shown)) for f in (min, max))
    last = int(max(*(trial["number"] for trial, _ in shown), 1))

    def across(number: int) -> float:
        return _MARGIN / 2 + (100 - _MARGIN) * number / last

    def down(loss: float) -> float:
        return _MARGIN + (100 - 2 * _MARGIN) * (high - loss) / max(high - low, 1e-12)

    trials = [
        {
            **{key: trial[key] for key in ("state", "number", "values")},
            "loss": loss,
            "x": across(trial["number"]),
            "y": down(loss),
        }
        for trial, loss in shown
    ]
    counts = {
        state: sum(trial["state"] == state for trial in record["trials"])
        for state in ("complete", "pruned", "fail")
    }
    shares = sorted(record["importances"].items(), key=lambda item: -item[1])
    return {
        "trials": trials,
        "steps": _best_so_far([mark for mark in trials if mark["state"] == "complete"]),
        "top": high,
        "bottom": low,
        "last": last,
        "best": min(finished, key=lambda trial: (trial["value"], trial["number"])),
        "shares": [(name, 100 * share) for name, share in shares],
        "counts": counts,
    }


def waterfall_bars(records: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return by stage the widths in percent of what stayed, was created, dropped, set aside."""
    largest = max((int(row["in"]) + int(row["created"]) for row in records), default=1) or 1
    return [
        {
            "stayed": 100 * (int(row["out"]) - int(row["created"])) / largest,
            **{key: 100 * int(row[key]) / largest for key in ("created", "dropped", "quarantined")},
        }
        for row in records
    ]


def _best_so_far(marks: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return the stairs under the marks: a tread to each next mark, a riser where it is better."""
    steps = []
    best = marks[0]["y"]
    for before, mark in pairwise(marks):
        steps.append({"x1": before["x"], "x2": mark["x"], "y1": best, "y2": best})
        if mark["y"] > best:
            steps.append({"x1": mark["x"], "x2": mark["x"], "y1": best, "y2": mark["y"]})
            best = mark["y"]
    return steps


def _points(history: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[tuple[float, float]]:
    """Return (step, value) of the first key that the history has, where it is a finite number."""
    for key in keys:
        points = [
            (float(entry["step"]), float(entry[key]))
            for entry in history
            if entry.get(key) is not None and abs(float(entry[key])) < float("inf")
        ]
        if points:
            return points
    return []
