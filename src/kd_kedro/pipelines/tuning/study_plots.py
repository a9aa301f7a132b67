"""The study as plotly figures, for kedro-viz and MLflow."""

from collections.abc import Mapping
from typing import Any

from kd_kedro.metrics.report.figure_layout import IDLE, STUDENT, lay_out

COLOURS = {"complete": STUDENT, "pruned": IDLE}


def history_figure(record: Mapping[str, Any]) -> Any:
    """Return the loss of every trial, and the best so far."""
    from plotly.graph_objects import Figure, Scatter

    done = [trial for trial in record["trials"] if trial["state"] == "complete"]
    pruned = [t for t in record["trials"] if t["state"] == "pruned" and t["losses"]]
    best = [min(t["value"] for t in done[: place + 1]) for place in range(len(done))]
    figure = Figure(
        [
            Scatter(
                x=[trial["number"] for trial in done],
                y=[trial["value"] for trial in done],
                mode="markers",
                name="finished",
                marker={"color": COLOURS["complete"], "size": 9},
                text=[_values(trial) for trial in done],
            ),
            Scatter(
                x=[trial["number"] for trial in pruned],
                y=[min(trial["losses"].values()) for trial in pruned],
                mode="markers",
                name="ended early",
                marker={"color": COLOURS["pruned"], "size": 9, "symbol": "x"},
                text=[_values(trial) for trial in pruned],
            ),
            Scatter(
                x=[trial["number"] for trial in done],
                y=best,
                mode="lines",
                name="best so far",
                line={"color": COLOURS["complete"], "shape": "hv"},
            ),
        ]
    )
    return lay_out(
        figure,
        x={"title": "trial"},
        y={"title": "validation loss, nats a token"},
        names={
            "finished, line: best so far": COLOURS["complete"],
            "ended early": COLOURS["pruned"],
        },
        names_at=("right", "top"),
    )


def importance_figure(record: Mapping[str, Any]) -> Any:
    """Return each searched value's share in the difference between trials, largest on top."""
    from plotly.graph_objects import Bar, Figure

    shares = sorted(record["importances"].items(), key=lambda item: item[1])
    bars = Bar(
        x=[share for _, share in shares],
        y=[name for name, _ in shares],
        orientation="h",
        text=[f"{share:.0%}" for _, share in shares],
        marker={"color": COLOURS["complete"]},
    )
    return lay_out(
        Figure(bars),
        x={"title": "importance (PED-ANOVA)", "tickformat": ".0%", "range": [0, 1]},
        y={"nticks": len(shares) + 1},
    )


def _values(trial: Mapping[str, Any]) -> str:
    return "<br>".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial["values"].items()
    )
