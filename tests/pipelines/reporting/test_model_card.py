"""The model card: metadata that the hub's own library reads, numbers that are the evidence's."""

from typing import Any

import pytest
from huggingface_hub import ModelCard

from kd_kedro.metrics.comparison.verdict import judge
from kd_kedro.pipelines.reporting.model_card import cell, render_model_card
from kd_kedro.pipelines.reporting.params import Licences, ModelCardParams, ReportParams
from tests.metrics.comparison.judging import JUDGING
from tests.metrics.conftest import make_results

WORDING = ReportParams(
    licences=Licences(data="CC-BY-4.0", teacher="MIT", student="as | the <data>"),
    model_card=ModelCardParams(name="A student", language=["en", "hi"], licence="apache-2.0"),
)
CARDS = {
    "teacher": {"origin": "owner/teacher", "parameters": 900},
    "student": {"origin": "made in this run", "parameters": 100, "weights": "abc"},
}
COSTS = {
    "teacher": {"parameters": 900, "latency_p50_ms": 9.0},
    "student": {"parameters": 100, "latency_p50_ms": 3.0},
    "ratios": {"parameters": 9.0, "latency_p50": {"refused": "the machine was busy"}},
    "device": "cpu",
    "how": "in turns",
}
LEAKAGE = {"rows": 40, "near": 3, "near_with_same_answer": 1, "max_near_share": 0.05}
CONTROLS = {"bleu": {"echo": "ahead", "majority": "not ahead"}}
WORST = {"slice": "format", "value": "mcq", "families": 12, "student": 9.0, "teacher": 3.0}


@pytest.fixture(scope="module")
def verdict() -> dict[str, Any]:
    return judge(make_results(effect=0.4), **JUDGING)


def test_the_hub_reads_back_the_very_numbers(verdict: dict[str, Any]) -> None:
    card = ModelCard(render_model_card({"verdict": verdict}, CARDS, WORDING, 64))
    found = {each.metric_type: each for each in card.data.eval_results}
    judged = {
        name: metric["student"]["estimate"]
        for name, metric in verdict["metrics"].items()
        if metric["student"]["estimate"] is not None
    }
    assert judged
    assert {name: each.metric_value for name, each in found.items()} == judged
    assert {each.dataset_split for each in found.values()} == {"test"}
    assert "% interval" in found["perplexity"].metric_name
    assert card.data.model_name == "A student"
    assert card.data.language == ["en", "hi"]
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "transformers"
    assert card.data.to_dict()["teacher"] == "owner/teacher"


def test_the_body_opens_with_the_verdict(verdict: dict[str, Any]) -> None:
    body = ModelCard(render_model_card({"verdict": verdict}, CARDS, WORDING, 64)).text.strip()
    assert body.startswith("# A student\n\n**The distilled student is ")
    for absent in ("What it costs", "leakage checks", "Where it is weakest", "None", "{{"):
        assert absent not in body


def test_every_section_of_the_evidence_is_told(verdict: dict[str, Any]) -> None:
    evidence = {
        "verdict": verdict,
        "compression": COSTS,
        "leakage": LEAKAGE,
        "controls": CONTROLS,
        "worst_slice": WORST,
        "curation": {"relevance": {"warnings": ["A label is gone."]}},
        "held_out": {"rows_used": 40, "families_used": 40},
    }
    body = render_model_card(evidence, CARDS, WORDING, 64)
    for said in (
        "Before you believe it",
        "- A label is gone.",
        "- 3 of 40 held-out rows lie near a training row",
        "| parameters | 900 | 100 | 9.00 × |",
        "| latency p50, ms | 9.0 | 3.0 | not certified |",
        "3 lie near a training row",
        "- BLEU: ahead of echo, not ahead of majority",
        "where format is\nmcq: perplexity 9.00 against\n3.00, 12 families",
        "rows used: 40",
        "| student | as \\| the \\<data\\> |",
    ):
        assert said in body


def test_every_table_has_whole_rows(verdict: dict[str, Any]) -> None:
    evidence = {"verdict": verdict, "compression": COSTS}
    lines = render_model_card(evidence, CARDS, WORDING, 64).splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|---"):
            columns = line.count("|")
            below = lines[number + 1 :]
            table = below[: next(i for i, text in enumerate([*below, ""]) if not text)]
            assert table
            for row in table:
                assert row.replace("\\|", "").count("|") == columns, row


def test_no_text_leaves_its_cell() -> None:
    assert cell("a|b\n# c <script> `x`") == "a\\|b # c \\<script\\> \\`x\\`"
