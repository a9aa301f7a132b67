"""The study's figures for kedro-viz."""

from kd_kedro.pipelines.tuning.study_plots import COLOURS, history_figure


def test_every_colour_is_that_of_a_state_that_is_drawn() -> None:
    trial = {"value": 1.0, "losses": {"2": 1.0}, "values": {"alpha": 0.5}}
    states = ("complete", "pruned", "fail")
    trials = [{**trial, "number": n, "state": state} for n, state in enumerate(states)]
    drawn = {trace.marker.color for trace in history_figure({"trials": trials}).data}
    assert drawn - {None} == set(COLOURS.values())
