"""A stage of the curation is declared once, where its pipeline is."""

import pytest

from kd_kedro.datasets import tables
from kd_kedro.pipeline_registry import register_pipelines
from kd_kedro.pipelines.augmentation.pipeline import STAGES
from kd_kedro.pipelines.filtering.pipeline import STAGES as FILTERING
from kd_kedro.pipelines.preprocessing.pipeline import STAGES as PREPROCESSING

CURATION = ("preprocessing", "filtering", "augmentation")


def test_every_node_with_events_is_a_stage_whose_rows_are_an_output_of_it() -> None:
    pipelines = register_pipelines()
    made = {
        output.removesuffix("_events"): node.outputs
        for name in CURATION
        for node in pipelines[name].nodes
        for output in node.outputs
        if output.endswith("_events") and not node.short_name.startswith("collect_")
    }
    assert made.keys() == STAGES.keys()
    assert [stage for stage, product in STAGES.items() if product not in made[stage]] == []


def test_events_and_texts_are_collected_in_the_order_of_the_stages() -> None:
    nodes = {node.short_name: node for node in register_pipelines()["__default__"].nodes}
    before = ("preprocessing", "filtering")
    collected = [name for part in before for name in nodes[f"collect_{part}_events"].inputs]
    assert collected == [f"{stage}_events" for stage in (*PREPROCESSING, *FILTERING)]
    assert nodes["collect_events"].inputs == [
        *(f"{part}_events" for part in before),
        "split_events",
        "augmentation_events",
    ]
    products = [STAGES[stage] for stage in (*PREPROCESSING, *FILTERING)]
    assert nodes["collect_row_texts"].inputs == ["quarantined_rows", *products]


def test_rows_after_any_stage_have_one_schema() -> None:
    assert tables.reviewed_qa is tables.cleaned_qa is tables.stage_rows
    assert tables.validated_qa is not tables.stage_rows
    with pytest.raises(AttributeError, match="has no table nosuch"):
        _ = tables.nosuch
