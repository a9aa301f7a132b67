"""Plotly figures of the evaluation, for kedro-viz and MLflow; the report draws its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from kd_kedro.metrics.scores.formatting import title
from kd_kedro.pipelines.reporting.plots import SYSTEMS


def models_figure(verdict: Mapping[str, Any]) -> Any:
    """Return a plotly figure of teacher, baseline and student with intervals, a panel a metric."""
    from plotly.graph_objects import Figure, Scatter
    from plotly.subplots import make_subplots

    shown = [name for name, m in verdict["metrics"].items() if m["student"]["estimate"] is not None]
    if not shown:
        return Figure()
    figure = make_subplots(rows=1, cols=len(shown), subplot_titles=[title(n) for n in shown])
    for column, name in enumerate(shown, start=1):
        systems = [verdict["metrics"][name][system] for system in SYSTEMS]
        values = [each["estimate"] for each in systems]
        figure.add_trace(
            Scatter(
                x=list(SYSTEMS),
                y=values,
                mode="markers",
                showlegend=False,
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [each["high"] - each["estimate"] for each in systems],
                    "arrayminus": [each["estimate"] - each["low"] for each in systems],
                },
            ),
            row=1,
            col=column,
        )
    return figure


def pareto_figure(pareto: Sequence[Mapping[str, Any]]) -> Any:
    """Return a plotly figure of perplexity against latency; an area is the size on disk."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    shown = [row for row in pareto if row["perplexity"] is not None]
    largest = max((row["bytes"] for row in shown), default=1)
    for on_front, symbol in (("yes", "circle"), ("no", "circle-open")):
        rows = [row for row in shown if row["on_front"] == on_front]
        figure.add_trace(
            Scatter(
                x=[row["latency_p50_ms"] for row in rows],
                y=[row["perplexity"] for row in rows],
                text=[f"{row['model']}, {row['bytes'] / 1e6:.2f} MB" for row in rows],
                mode="markers+text",
                textposition="top center",
                name="on the front" if on_front == "yes" else "beaten or rejected",
                marker={
                    "symbol": symbol,
                    "size": [8 + 32 * (row["bytes"] / largest) ** 0.5 for row in rows],
                },
            )
        )
    figure.update_xaxes(title="latency p50, ms", rangemode="tozero")
    figure.update_yaxes(title="perplexity, lower is better")
    return figure


def power_figure(power: Mapping[str, Any]) -> Any:
    """Return the chance of "better" by size of the gain: a panel a metric, a line a size of set."""
    from plotly.graph_objects import Figure, Scatter
    from plotly.subplots import make_subplots

    metrics = power["metrics"]
    if not metrics:
        return Figure()
    figure = make_subplots(
        cols=len(metrics), subplot_titles=[title(name) for name in metrics], shared_yaxes=True
    )
    for column, metric in enumerate(metrics.values(), start=1):
        for curve in metric["curves"]:
            figure.add_trace(
                Scatter(
                    x=metric["effects_sd"],
                    y=curve["power"],
                    mode="lines",
                    name=f"{curve['families']} families",
                    legendgroup=str(curve["families"]),
                    showlegend=column == 1,
                ),
                row=1,
                col=column,
            )
        figure.add_vline(x=metric["effect_sd"], line_dash="dot", row=1, col=column)
        figure.update_xaxes(title_text="gain, standard deviations", row=1, col=column)
    figure.add_hline(y=power["wanted"], line_dash="dash")
    return figure


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
            )
        )
    figure.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"dash": "dash"})
    return figure.update_layout(xaxis_title="confidence", yaxis_title="accuracy")
