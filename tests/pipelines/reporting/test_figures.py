"""Figures for kedro-viz: legible in its small preview, without a legend, in either theme."""

import json
import re
from typing import Any

import pytest

from kd_kedro.metrics.report import figure_layout
from kd_kedro.pipelines.reporting.figures import models_figure, pareto_figure
from tests.pipelines.reporting.test_style import contrast, form

PLOTS = ["models_plot", "power_plot", "reliability_plot", "pareto_plot"]
SMALLEST = 12


def rgb(colour: str) -> list[float]:
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


@pytest.mark.parametrize("name", PLOTS)
def test_every_letter_keeps_its_size_and_every_line_its_name(
    finished_evaluation: dict[str, Any], name: str
) -> None:
    figure = json.loads(finished_evaluation[name].to_json())
    layout = figure["layout"]
    assert not {"xaxis", "yaxis"} & set(layout)  # the preview writes these in 8 pixels
    assert figure["data"]
    for trace in figure["data"]:
        assert (trace["xaxis"], trace["yaxis"]) == ("x2", "y2")
    for axis in ("xaxis2", "yaxis2"):
        assert layout[axis]["tickfont"]["size"] >= SMALLEST
        assert layout[axis]["title"]["font"]["size"] >= SMALLEST
    assert layout["font"]["size"] >= SMALLEST
    assert layout["showlegend"] is False
    if name != "models_plot":  # there the names stand on the axis
        [names] = layout["annotations"]
        written = set(re.findall(r"■ ([^<]+)<", names["text"]))
        assert written == {trace["name"] for trace in figure["data"]}


def test_models_stand_in_rows_that_say_their_value(finished_evaluation: dict[str, Any]) -> None:
    verdict = finished_evaluation["verdict"]
    rows = [trace["y"][0] for trace in models_figure(verdict).data]
    primary = [name for name in verdict["primary"] if verdict["metrics"][name]["families"]]
    assert len(rows) == 3 * len(primary)
    assert rows[0].startswith("perplexity, teacher ")


def test_marks_of_cost_stand_within_the_axes() -> None:
    shown = [
        {**form("teacher", 30.0, 1.9, 9), "on_front": "yes"},
        {**form("student", 30.0, 1.9, 4), "on_front": "no"},
    ]
    layout = json.loads(pareto_figure(shown).to_json())["layout"]
    for axis, value in (("xaxis2", 30.0), ("yaxis2", 1.9)):
        low, high = (10**end for end in layout[axis]["range"])
        assert low < value < high
        assert all(low <= tick <= high for tick in layout[axis]["tickvals"])
    assert json.loads(pareto_figure([]).to_json())["layout"]["yaxis2"]["title"]


@pytest.mark.parametrize("ground", ["#eeeeee", "#111111"])  # kedro-viz's, light and dark
def test_colours_can_be_told_from_either_ground(ground: str) -> None:
    colours = {*figure_layout.SERIES_COLOURS, *figure_layout.SYSTEM_COLOURS.values()}
    colours |= {figure_layout.GOOD, figure_layout.BAD, figure_layout.IDLE}
    assert {one for one in colours if contrast(rgb(one), rgb(ground)) < 3} == set()
