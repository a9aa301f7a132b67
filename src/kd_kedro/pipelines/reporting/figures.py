"""Plotly figures of the evaluation, for kedro-viz and MLflow; the report draws its own."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

from kd_kedro.metrics.comparison.power import FAMILIES
from kd_kedro.metrics.report.figure_layout import (
    GOOD,
    IDLE,
    SERIES_COLOURS,
    SIZE,
    SYSTEM_COLOURS,
    lay_out,
)
from kd_kedro.metrics.scores.formatting import show, title
from kd_kedro.pipelines.reporting.evidence_plots import pareto_marks
from kd_kedro.pipelines.reporting.plots import SYSTEMS, system_strips


def models_figure(verdict: Mapping[str, Any]) -> Any:
    """Return teacher, baseline and student with intervals in the metrics that decide.

    Each metric has its own scale, from its least to its greatest end; the values stand in words.
    """
    from plotly.graph_objects import Figure, Scatter

    figure, labels = Figure(), []
    strips = system_strips(verdict)
    for name in (name for name in verdict["primary"] if name in strips):
        for system in (system for system in SYSTEMS if system in strips[name]):
            mark, metric = strips[name][system], verdict["metrics"][name]
            labels.append(f"{title(name)}, {system} {show(name, metric[system]['estimate'])}")
            figure.add_trace(
                Scatter(
                    x=[mark["estimate"]],
                    y=[labels[-1]],
                    mode="markers",
                    marker={"color": SYSTEM_COLOURS[system], "size": 10},
                    name=system,
                    error_x={
                        "type": "data",
                        "symmetric": False,
                        "array": [mark.get("high", mark["estimate"]) - mark["estimate"]],
                        "arrayminus": [mark["estimate"] - mark.get("low", mark["estimate"])],
                        "thickness": 2.5,
                        "width": 0,
                    },
                )
            )
    return lay_out(
        figure,
        x={"showticklabels": False, "range": [0, 100], "title": "each metric on its own scale"},
        y={"autorange": "reversed", "nticks": len(labels) + 1},
    )


def pareto_figure(pareto: Sequence[Mapping[str, Any]]) -> Any:
    """Return a plotly figure of perplexity against latency; an area is the size on disk."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    shown = pareto_marks(pareto)
    for on_front, symbol, colour in (("yes", "circle", GOOD), ("no", "circle-open", IDLE)):
        marks = [mark for mark in shown if mark["on_front"] == on_front]
        figure.add_trace(
            Scatter(
                x=[mark["latency_p50_ms"] for mark in marks],
                y=[mark["perplexity"] for mark in marks],
                text=[mark["label"] for mark in marks],
                customdata=[mark["bytes"] / 1e6 for mark in marks],
                hovertemplate="%{text}: %{x:.1f} ms, perplexity %{y:.2f}, %{customdata:.2f} MB",
                mode="markers+text",
                textposition=[_beside(mark) for mark in marks],
                textfont={"size": SIZE},
                name="on the front" if on_front == "yes" else "beaten or rejected",
                marker={"symbol": symbol, "color": colour, "size": [mark["r"] for mark in marks]},
            )
        )
    return lay_out(
        figure,
        x={"title": "latency p50, ms", **_logarithmic(shown, "latency_p50_ms")},
        y={"title": "perplexity", **_logarithmic(shown, "perplexity")},
        names={"on the front": GOOD, "beaten or rejected": IDLE},
        names_at=("left", "bottom"),
    )


def power_figure(power: Mapping[str, Any]) -> Any:
    """Return the smallest gain with the wanted chance of "better", a line a metric.

    The report draws the whole curves.
    """
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    named = {
        title(name): colour for name, colour in zip(power["metrics"], SERIES_COLOURS, strict=False)
    }
    for name, metric in power["metrics"].items():
        colour = named.get(title(name), IDLE)
        curves = sorted(metric["curves"], key=lambda curve: curve["families"])
        own = [curve["families"] == metric["families"] for curve in curves]
        figure.add_trace(
            Scatter(
                x=[curve["families"] for curve in curves],
                y=[curve["smallest_sd"] for curve in curves],
                mode="lines+markers",
                name=title(name),
                line={"color": colour},
                marker={"size": [12 if this else 6 for this in own]},
            )
        )
    chance = f"{100 * power['wanted']:g} %"
    return lay_out(
        figure,
        x={"title": "held-out families (large: this run)", "type": "log", "tickvals": FAMILIES},
        y={"title": f"gain shown in {chance}, SD", "rangemode": "tozero"},
        names=named,
        names_at=("right", "top"),
    )


def reliability_figure(calibration: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """Return accuracy by confidence of each model's first choice, token by token."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    for model, bins in calibration.items():
        full = [each for each in bins if each["tokens"]]
        figure.add_trace(
            Scatter(
                x=[each["confidence"] for each in full],
                y=[each["accuracy"] for each in full],
                customdata=[each["tokens"] for each in full],
                hovertemplate="sure %{x:.2f}, right %{y:.2f}, %{customdata} tokens",
                mode="lines+markers",
                name=model,
                line={"color": SYSTEM_COLOURS[model]},
            )
        )
    figure.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"dash": "dash", "color": IDLE})
    return lay_out(
        figure,
        x={"title": "how sure: confidence", "range": [0, 1.02]},
        y={"title": "how often right", "range": [0, 1.02]},
        names={model: SYSTEM_COLOURS[model] for model in calibration},
    )


def _beside(mark: Mapping[str, Any]) -> str:
    """Return where a mark's label stands, in plotly's words."""
    side = {"start": "right", "middle": "center", "end": "left"}[mark["anchor"]]
    return f"{'bottom' if mark['label_dy'] > 0 else 'top'} {side}"


def _logarithmic(marks: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    """Return a logarithmic axis on which marks stand where `pareto_marks` places them."""
    if not marks:
        return {}
    ends = [log10(mark[key]) for mark in marks]
    room = 12 / 76 * max(max(ends) - min(ends), 0.05)
    low, high = min(ends) - room, max(ends) + room
    decades = range(floor(low), ceil(high) + 1)
    round_ones = [digit * 10.0**power for power in decades for digit in (1, 2, 3, 5)]
    inside = [value for value in round_ones if low <= log10(value) <= high]
    return {"type": "log", "range": [low, high], "tickvals": inside or [10 ** min(ends)]}
