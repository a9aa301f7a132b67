"""Where marks stand in the report's drawings of controls, agreement, calibration, power, cost."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

from kd_kedro.metrics.report.evidence import TO_BEAT
from kd_kedro.metrics.scores.metric_table import METRICS

LOG_SCALED = {metric.name for metric in METRICS if metric.log_scale}
Box = tuple[float, float, float, float]
_MARGIN = 6.0  # percent of the width kept free on either side
# The drawing of cost where it is narrowest, on a phone, in pixels; the style has its height.
PARETO_WIDTH, PARETO_HEIGHT = 300.0, 288.0
LETTER, LINE = 6.5, 14.0  # the size of its labels' letters
_PARTS = ("agree_right", "differ_right", "agree_wrong", "differ_wrong")


def control_strips(verdict: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Return by primary metric where student and controls stand, in percent of the width."""
    strips = {}
    for name in verdict["primary"]:
        metric = verdict["metrics"][name]
        shown = {"student": metric["student"]} | {
            control: metric["controls"][control]
            for control in TO_BEAT
            if control in metric["controls"]
        }
        whole = {
            who: {key: each[key] for key in ("estimate", "low", "high")}
            for who, each in shown.items()
            if None not in (each["estimate"], each["low"], each["high"])
        }
        if "student" not in whole or len(whole) < 2:
            continue
        # An untrained model's perplexity is thousands of times a trained one's.
        scale = log if name in LOG_SCALED else float
        places = {
            who: {key: scale(value) for key, value in each.items()} for who, each in whole.items()
        }
        ends = [value for each in places.values() for value in each.values()]
        low, span = min(ends), max(max(ends) - min(ends), 1e-12)
        strips[name] = {
            who: {
                key: _MARGIN + (100 - 2 * _MARGIN) * (value - low) / span
                for key, value in each.items()
            }
            for who, each in places.items()
        }
    return strips


def cosine_bars(histogram: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the bars of held-out questions by the cosine of the nearest training question.

    Args:
        histogram: Its bins, from 0 to 1: `from` and `rows`.
    """
    most = max(*(each["rows"] for each in histogram), 1)
    return [
        {
            "height": 100 * each["rows"] / most,
            "label": f"{each['from']:.1f}",
            "rows": each["rows"],
        }
        for each in histogram
    ]


def agreement_bars(
    agreement: Mapping[str, Mapping[str, int]],
) -> dict[str, list[dict[str, Any]]]:
    """Return by model the parts of a bar, in percent of its answers; none without answers."""
    bars: dict[str, list[dict[str, Any]]] = {}
    for model, counts in agreement.items():
        if not counts["answers"]:
            continue
        edge = 0.0
        for name in _PARTS:
            width = 100 * counts[name] / counts["answers"]
            bars.setdefault(model, []).append({"name": name, "x": edge, "width": width})
            edge += width
    return bars


def reliability_lines(
    calibration: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, dict[str, Any]]:
    """Return by model accuracy over confidence in a box of 100 × 100: a `line` and its `marks`."""
    drawn = {}
    for model, bins in calibration.items():
        full = [each for each in bins if each["tokens"]]
        marks = [
            (f"{100 * each['confidence']:.2f}", f"{100 - 100 * each['accuracy']:.2f}")
            for each in full
        ]
        if marks:
            drawn[model] = {"line": " ".join(map(",".join, marks)), "marks": marks}
    return drawn


def pareto_marks(pareto: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return where models stand by latency (x) and perplexity (y), in percent; size is the radius.

    Fast and good is at the lower left. Models whose perplexity cannot be compared are left out.
    A mark's `label` has the `anchor` and the distance `label_dy` in pixels with which it lies on no
    other label and on no other mark, also where the drawing is as narrow as a phone.
    """
    shown = [row for row in pareto if row["perplexity"] and row["latency_p50_ms"]]
    if not shown:
        return []
    across = _places([log(row["latency_p50_ms"]) for row in shown])
    down = _places([-log(row["perplexity"]) for row in shown])
    largest = max(row["bytes"] for row in shown)
    marks = [
        {**row, "x": x, "y": y, "r": 4 + 14 * (row["bytes"] / largest) ** 0.5, "label": _label(row)}
        for row, x, y in zip(shown, across, down, strict=True)
    ]
    _place_labels(marks)
    return marks


def label_box(mark: Mapping[str, Any]) -> Box:
    """Return left, top, right and bottom of a mark's label in pixels, on the least width."""
    width = LETTER * len(mark["label"])
    before = {"start": 0.0, "middle": width / 2, "end": width}[mark["anchor"]]
    left = mark["x"] * PARETO_WIDTH / 100 - before
    baseline = mark["y"] * PARETO_HEIGHT / 100 + mark["label_dy"]
    return left, baseline - LINE + 3, left + width, baseline + 3


def mark_box(mark: Mapping[str, Any]) -> Box:
    """Return left, top, right and bottom of a mark in pixels, on the least width."""
    x, y, r = mark["x"] * PARETO_WIDTH / 100, mark["y"] * PARETO_HEIGHT / 100, mark["r"]
    return x - r, y - r, x + r, y + r


def overlap(one: Box, other: Box) -> bool:
    """Tell whether two boxes have an area in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def power_lines(power: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return by metric the curves of the chance of "better" over the gain, in a box of 100 × 100.

    Returns:
        `lines` (families, points, smallest gain with the wanted chance), `own` (where the gain of
        this run stands, None where it is a loss), `reach` (the right edge, in standard deviations)
        and the numbers of `power`.
    """
    drawn = {}
    for name, metric in power["metrics"].items():
        reach = metric["effects_sd"][-1] or 1.0
        lines = [
            {
                **curve,
                "points": " ".join(
                    f"{100 * effect / reach:.2f},{100 - 100 * chance:.2f}"
                    for effect, chance in zip(metric["effects_sd"], curve["power"], strict=True)
                ),
            }
            for curve in metric["curves"]
        ]
        own = 100 * metric["effect_sd"] / reach
        drawn[name] = {
            **metric,
            "lines": lines,
            "own": own if 0 <= own <= 100 else None,
            "reach": reach,
        }
    return drawn


def _label(row: Mapping[str, Any]) -> str:
    rejected = " (rejected)" if row["status"] == "rejected" else ""
    return f"{row['model'].replace('_', ' ')}{rejected}"


def _place_labels(marks: Sequence[dict[str, Any]]) -> None:
    """Give each label the place nearest its mark that is free: above it, below it, farther off."""
    taken = [mark_box(mark) for mark in marks]
    for mark in sorted(marks, key=lambda mark: mark["x"]):
        mark["anchor"] = "start" if mark["x"] < 30 else "end" if mark["x"] > 70 else "middle"
        for step in range(2 * int(PARETO_HEIGHT)):
            beyond = mark["r"] + 4 + step // 2
            mark["label_dy"] = beyond + LINE - 4 if step % 2 else -beyond
            box = label_box(mark)
            inside = box[1] >= 0 and box[3] <= PARETO_HEIGHT
            if inside and not any(overlap(box, other) for other in taken):
                break
        taken.append(label_box(mark))


def _places(values: Sequence[float]) -> list[float]:
    low, span = min(values), max(max(values) - min(values), 1e-12)
    return [12 + 76 * (value - low) / span for value in values]
