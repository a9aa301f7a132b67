import hashlib
import json
import logging

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig
from kd_kedro.curation.records.schema import STAGE, VALIDATED, table
from kd_kedro.curation.relevance.relevance_config import SoapConfig
from kd_kedro.generation.protocol import Outcome
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.pipelines.filtering import nodes
from kd_kedro.pipelines.filtering.nodes import keep_survivors, score_relevance
from kd_kedro.pipelines.filtering.pipeline import create_pipeline
from kd_kedro.pipelines.preprocessing.nodes import review_rows
from kd_kedro.pipelines.preprocessing.params import ReviewParams
from tests.conftest import ROOT

PARAMETERS = yaml.safe_load((ROOT / "conf/base/filtering/parameters.yml").read_text())["filtering"]
DEDUPLICATION = DeduplicationConfig(**PARAMETERS["deduplication"])
RULES = RulesGenerator()
ACCOUNTS = ["ledger", "journal", "depreciation", "goodwill", "debtors", "inventory"]
GARDEN = ["roses", "compost", "pruning", "seedlings", "lawn", "bulbs"]


def soap(**changes) -> SoapConfig:
    return SoapConfig(**PARAMETERS["soap"] | changes)


class TopicEmbedder:
    """Places texts by their topic words; equal bags of words are near."""

    def encode(self, texts):
        return np.array([self._vector(text) for text in texts], np.float32).reshape(-1, 64)

    def _vector(self, text):
        words = {word.strip("?.,").casefold() for word in text.split()}
        vector = np.zeros(64)
        vector[0] = 2.0 if words & set(GARDEN) else -2.0
        for word in sorted(words):
            seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
            vector[1:] += np.random.default_rng(seed).normal(scale=0.1, size=63)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class Rephraser:
    """Asks every question in other words, with a status of choice."""

    def __init__(self, status="ok", text="Please tell: {}"):
        self.status, self.text = status, text

    def generate(self, requests):
        return [
            Outcome(self.status, self.text.format(request.text), "test") for request in requests
        ]


def make_sheet(rows: list[tuple[str, str, str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the stage table and the validated table of (question, answer, verdict) rows.

    Rejected rows stand in the validated table alone.
    """
    numbered = [(f"r{n}", str(n + 2), *row) for n, row in enumerate(rows)]
    validated = [
        [row, line, "s", q, a, verdict, "", "", ""] for row, line, q, a, verdict in numbered
    ]
    stage = [
        [row, line, "s", verdict, "plain", "", "", q, a]
        for row, line, q, a, verdict in numbered
        if verdict != "No"
    ]
    return table(STAGE, stage), table(VALIDATED, validated)


def remove_outliers(stage, validated, embedder, generator, parameters, reviewing):
    """Return what the two nodes leave: kept and discarded rows, the queue, events."""
    _, labels, _ = review_rows(validated, reviewing)
    scores, queue, _ = score_relevance(labels, embedder, parameters)
    kept, discarded, events = nodes.remove_outliers(stage, scores, generator, parameters)
    return kept, discarded, queue, events


def rows_about(topics: list[str], verdict: str, count: int) -> list[tuple[str, str, str]]:
    return [
        (
            f"What is {topics[n % len(topics)]} case{n}?",
            f"{topics[n % len(topics)]} answer{n}",
            verdict,
        )
        for n in range(count)
    ]


def test_reviewer_mode_removes_unreviewed_rows_like_the_rejected():
    sheet = [
        *rows_about(ACCOUNTS, "Yes", 60),
        *rows_about(GARDEN, "No", 30),
        *rows_about(GARDEN, "", 5),
        *rows_about(ACCOUNTS, "", 5),
        *rows_about(GARDEN, "yes", 1),
    ]
    stage, validated = make_sheet(sheet)
    kept, discarded, _, events = remove_outliers(
        stage, validated, TopicEmbedder(), RULES, soap(min_reviewed=10), ReviewParams()
    )
    assert discarded["row_id"].tolist() == [f"r{n}" for n in range(90, 95)]
    assert "r100" in set(kept["row_id"])  # a person accepted it
    assert (discarded["score"].astype(float) > discarded["threshold"].astype(float)).all()
    assert set(discarded["reason"]) == {
        "does not belong to the domain (learned from the reviewers' verdicts)"
    }
    actions = events.set_index("row_id")["action"]
    assert (actions == "dropped").sum() == 5
    assert (actions == "kept").sum() == len(stage) - 5
    assert events.set_index("row_id").loc["r100", "reason"] == "a person accepted it, the model not"


def test_a_mended_row_without_a_verdict_stays():
    stage, validated = make_sheet(
        [
            *rows_about(ACCOUNTS, "Yes", 60),
            *rows_about(GARDEN, "No", 30),
            *rows_about(GARDEN, "", 2),
        ]
    )
    for rows in (stage, validated):
        rows.loc[rows["row_id"] == "r91", "mended"] = "yes"
    _, discarded, _, _ = remove_outliers(
        stage, validated, TopicEmbedder(), RULES, soap(min_reviewed=10), ReviewParams()
    )
    assert discarded["row_id"].tolist() == ["r90"]


def test_verdicts_can_be_overruled_by_parameter():
    stage, validated = make_sheet(
        [
            *rows_about(ACCOUNTS, "Yes", 60),
            *rows_about(GARDEN, "No", 30),
            *rows_about(GARDEN, "Yes", 1),
        ]
    )
    parameters = soap(min_reviewed=10, verdict_wins=False)
    _, discarded, _, _ = remove_outliers(
        stage, validated, TopicEmbedder(), RULES, parameters, ReviewParams()
    )
    assert discarded["row_id"].tolist() == ["r90"]


@pytest.mark.parametrize("mode", ["cold_start", "hdbscan"])
def test_modes_without_verdicts(mode):
    stage, validated = make_sheet([*rows_about(ACCOUNTS, "", 80), *rows_about(GARDEN, "", 12)])
    parameters = soap(
        mode=mode,
        min_rows=0,
        max_share=1,
        max_subject_share=1,
        max_cohesion=100,
        min_separation=0,
    )
    kept, discarded, _, _ = remove_outliers(
        stage, validated, TopicEmbedder(), RULES, parameters, ReviewParams()
    )
    assert len(kept) + len(discarded) == 92
    if mode == "cold_start":
        assert {f"r{n}" for n in range(80, 92)} <= set(discarded["row_id"])


def test_mode_none_removes_nothing_and_asks_nobody():
    stage, validated = make_sheet([*rows_about(ACCOUNTS, "", 80), *rows_about(GARDEN, "", 4)])
    oracle = Oracle()
    kept, discarded, queue, events = remove_outliers(
        stage, validated, TopicEmbedder(), oracle, soap(mode="none"), ReviewParams()
    )
    assert (len(kept), len(discarded), len(queue), oracle.requests) == (84, 0, 0, [])
    assert {facts["mode"] for facts in facts_of(events).values()} == {"none"}


class Oracle:
    """Says yes to accounts and no to the rest, fails on what it is told to, and keeps count."""

    def __init__(self, failing=()):
        self.failing, self.requests = failing, []

    def generate(self, requests):
        self.requests += requests
        return [self.answer(request) for request in requests]

    def answer(self, request):
        if any(word in request.text for word in self.failing):
            return Outcome("failed", request.text, "no answer")
        belongs = any(word in request.text for word in ACCOUNTS)
        return Outcome("ok", "yes" if belongs else "no", "oracle", {"model": "oracle-1"})


def cautious_sheet():
    """Return a sheet whose unreviewed rows are all uncertain to a filter that knows little."""
    return make_sheet(
        [
            *rows_about(ACCOUNTS, "Yes", 60),
            *rows_about(GARDEN, "No", 30),
            *rows_about(["ledger roses"], "", 2),
            *rows_about(["compost roses"], "", 2),
        ]
    )


def facts_of(events):
    return {
        row: json.loads(evidence)
        for row, evidence in zip(events["row_id"], events["evidence"], strict=True)
    }


def test_the_generator_is_asked_about_uncertain_rows_within_the_budget():
    stage, validated = cautious_sheet()
    oracle = Oracle()
    _, discarded, _, events = remove_outliers(
        stage, validated, TopicEmbedder(), oracle, soap(band=1.0, check_budget=3), ReviewParams()
    )
    assert [request.task for request in oracle.requests] == ["relevance"] * 3
    assert set(oracle.requests[0].context) == {"answer", "examples"}
    assert "roses" not in oracle.requests[0].context["examples"]
    facts = facts_of(events)
    by = [facts[f"r{n}"]["decided_by"] for n in range(90, 94)]
    assert sorted(by) == ["language model"] * 3 + ["model"]
    assert facts["r0"]["decided_by"] == "person"
    asked = next(row for row in facts.values() if row["decided_by"] == "language model")
    assert asked["model"] == "oracle-1"
    assert asked.keys() >= {"mode", "score", "threshold", "order"}
    # The model alone would have removed the rows that name both topics.
    assert set(discarded["row_id"]) == {"r92", "r93"}


def test_a_generator_without_an_answer_leaves_it_to_the_model():
    stage, validated = cautious_sheet()
    tables = [
        remove_outliers(stage, validated, TopicEmbedder(), generator, parameters, ReviewParams())
        for generator, parameters in (
            (Oracle(failing=["?"]), soap(band=1.0, check_budget=9)),
            (RULES, soap(band=1.0, check_budget=9)),
            (RULES, soap()),
        )
    ]
    for _, discarded, _, _ in tables[:2]:
        assert discarded["row_id"].tolist() == tables[2][1]["row_id"].tolist()
    assert facts_of(tables[0][3])["r90"]["asked"] == "failed"
    assert facts_of(tables[1][3])["r90"]["asked"] == "unchanged"


def test_a_rule_takes_over_the_verdict_on_the_same_question():
    rows = [*rows_about(ACCOUNTS, "Yes", 60), *rows_about(GARDEN, "No", 30)]
    stage, validated = make_sheet([*rows, (rows[0][0].upper(), "roses answer", "")])
    oracle = Oracle()
    _, discarded, _, events = remove_outliers(
        stage, validated, TopicEmbedder(), oracle, soap(band=1.0, check_budget=9), ReviewParams()
    )
    assert discarded.empty
    assert oracle.requests == []
    assert facts_of(events)["r90"]["decided_by"] == "rule"


def test_where_verdicts_are_distrusted_a_rule_still_removes_a_rejected_question(caplog):
    caplog.set_level(logging.INFO)
    rows = [
        (question, answer, "No" if n // len(ACCOUNTS) % 2 else "Yes")
        for n, (question, answer, _) in enumerate(rows_about(ACCOUNTS, "", 60))
    ]
    stage, validated = make_sheet(
        [*rows, (rows[6][0].upper(), "roses answer", ""), *rows_about(GARDEN, "", 20)]
    )
    _, discarded, _, _ = remove_outliers(
        stage, validated, TopicEmbedder(), RULES, soap(min_reviewed=10, band=1.0), ReviewParams()
    )
    assert discarded[["row_id", "reason"]].to_numpy().tolist() == [
        ["r60", "does not belong to the domain (rule)"]
    ]
    assert "The relevance filter removes nothing by itself: the verdicts do not" in caplog.text


def test_the_queue_has_disagreements_first_and_leaves_them_in_the_data():
    stage, validated = make_sheet(
        [
            *rows_about(ACCOUNTS, "Yes", 60),
            *rows_about(GARDEN, "No", 30),
            ("What is ledger case99?", "ledger answer99", "No"),
            ("What is compost case99?", "compost answer99", "Yes"),
            *rows_about(["ledger roses"], "", 2),
        ]
    )
    kept, _, queue, _ = remove_outliers(
        stage, validated, TopicEmbedder(), RULES, soap(order="never", band=0.5), ReviewParams()
    )
    assert set(queue["row_id"][:2]) == {"r90", "r91"}
    assert queue.set_index("row_id").loc["r90", "why"] == "a person rejected it, the model not"
    assert queue.set_index("row_id").loc["r91", "verdict"] == "Yes"
    assert queue["why"].tolist()[2:] == ["the model is not sure"]
    assert "r91" in set(kept["row_id"])


def test_a_correction_that_rejects_counts_as_a_verdict():
    stage, validated = make_sheet(
        [
            *rows_about(ACCOUNTS, "Yes", 60),
            *rows_about(GARDEN, "Yes", 30),
            *rows_about(GARDEN, "", 3),
        ]
    )
    validated.loc[60:89, "correction"] = "Invalid"
    stage = stage.drop(index=range(60, 90)).reset_index(drop=True)
    _, discarded, _, _ = remove_outliers(
        stage, validated, TopicEmbedder(), RULES, soap(), ReviewParams()
    )
    assert discarded["row_id"].tolist() == ["r90", "r91", "r92"]


def test_removing_everything_is_an_error():
    stage, validated = make_sheet(
        [
            *rows_about(ACCOUNTS, "Yes", 60),
            *rows_about(GARDEN, "No", 30),
            *rows_about(GARDEN, "", 4),
        ]
    )
    with pytest.raises(ValueError, match="none of the 4 rows belongs"):
        remove_outliers(
            stage.tail(4), validated, TopicEmbedder(), RULES, soap(min_reviewed=10), ReviewParams()
        )


class Kept(MemoryDataset):
    """Memory that a runner does not give back once every node has read it."""

    def _release(self):
        pass


def run_deduplication(rows, generator, **changes):
    stage, validated = make_sheet(rows)
    parameters = DEDUPLICATION.model_copy(update=changes)
    catalog = DataCatalog(
        {
            "converted_mcq": MemoryDataset(stage),
            "review_labels": MemoryDataset(review_rows(validated, ReviewParams())[1]),
            "sentence_embedder": MemoryDataset(TopicEmbedder(), copy_mode="assign"),
            "text_generator": MemoryDataset(generator, copy_mode="assign"),
            "params:filtering.soap": MemoryDataset(soap(spread=20.0)),
            "params:filtering.deduplication": MemoryDataset(parameters),
            "params:augmentation.split.threshold": MemoryDataset(0.9),
        }
    )
    for name in create_pipeline().all_outputs():
        catalog[name] = Kept()
    SequentialRunner().run(create_pipeline(), catalog)
    return {name: catalog.load(name) for name in create_pipeline().all_outputs()}


SHEET = [
    ("What is a ledger?", "A book of accounts.", "Yes"),
    ("what is a ledger", "A book of accounts", "Yes"),
    ("What is goodwill?", "Reputation.", "Yes"),
    ("What is goodwill?", "A liability of 500.", "Yes"),
    ("Who are debtors of a firm?", "Those who owe it money.", ""),
    ("Name the customers on credit.", "Those who owe it money.", ""),
    ("What is inventory?", "Goods in stock.", ""),
]


def test_the_pipeline_conserves_rows_and_says_why():
    tables = run_deduplication(SHEET, Rephraser())
    assert tables["exact_duplicate_qa_pairs"][["row_id", "survivor_id"]].to_numpy().tolist() == [
        ["r1", "r0"]
    ]
    assert tables["same_question_diff_answers"]["row_id"].tolist() == ["r2", "r3"]
    assert tables["same_question_diff_answers"]["group_id"].nunique() == 1
    assert tables["same_answer_diff_questions"]["row_id"].tolist() == ["r4", "r5"]
    rows = tables["deduplication_rephrasing"].set_index("row_id")
    assert rows.index.tolist() == ["r0", "r4", "r5", "r6"]
    # The first of a group stays as it is, the later ones are asked differently.
    assert rows.loc["r4", "question"] == "Who are debtors of a firm?"
    assert rows.loc["r5", "question"] == "Please tell: Name the customers on credit."
    events = tables["deduplication_events"].set_index("row_id")
    assert events["action"].tolist() == [
        "kept",
        "dropped",
        "quarantined",
        "quarantined",
        "kept",
        "changed",
        "kept",
    ]
    assert '"survivor_id":"r0"' in events.loc["r1", "evidence"]
    stages = [tables["soap_events"], tables["deduplication_events"]]
    pd.testing.assert_frame_equal(tables["filtering_events"], pd.concat(stages, ignore_index=True))


@pytest.mark.parametrize(
    "generator",
    [
        Rephraser("unchanged"),
        Rephraser("rejected"),
        Rephraser("failed", "..."),
        Rephraser("ok", "{} Not 500."),
        Rephraser("ok", "What is inventory?"),
    ],
)
def test_only_a_fit_rephrasing_enters_the_data(generator):
    rows = run_deduplication(SHEET, generator)["deduplication_rephrasing"].set_index("row_id")
    assert rows.loc["r5", "question"] == "Name the customers on credit."


def test_rephrasing_can_be_switched_off():
    rows = run_deduplication(SHEET, Rephraser(), rephrase=False)["deduplication_rephrasing"]
    assert not rows["question"].str.startswith("Please tell").any()


def test_questions_with_a_short_shared_answer_stay():
    rows = [("Is rent a cost?", "Yes", ""), ("Is an owner's loan a liability?", "Yes", "")]
    kept = run_deduplication([*SHEET, *rows], Rephraser())["deduplication_rephrasing"]
    assert kept["question"].tolist()[-2:] == [rows[0][0], rows[1][0]]


def test_inputs_are_left_as_they_were():
    stage, _ = make_sheet(SHEET)
    before = stage.copy(deep=True)
    empty = stage.head(0).assign(survivor_id="", reason="", similarity="")
    shared = stage.iloc[[4, 5]].assign(group_id="1")
    keep_survivors(stage, empty, empty.assign(group_id=""), shared, Rephraser(), DEDUPLICATION)
    pd.testing.assert_frame_equal(stage, before)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (SoapConfig, {"mode": "density"}),
        (SoapConfig, {"trim": 1.5}),
        (SoapConfig, {"nosuch": 1}),
        (DeduplicationConfig, {"question_threshold": 1.2}),
    ],
)
def test_parameters_out_of_range_are_refused(model, changes):
    group = PARAMETERS["soap" if model is SoapConfig else "deduplication"]
    with pytest.raises(ValueError, match=next(iter(changes))):
        model(**group | changes)


def test_conversations_that_share_an_answer_stay_as_they_were_said():
    talks = [
        f"⟦user⟧ Hello\n⟦assistant⟧ Hi, you.\n⟦user⟧ {asked}"
        for asked in ("How do debtors pay?", "Is goodwill paid?")
    ]
    rows = [(asked, "They pay it in cash at once.", "") for asked in talks]
    alone = ("Who are depreciation?", "They pay it in cash at once.", "")
    kept = run_deduplication([*SHEET, *rows, alone], Rephraser())["deduplication_rephrasing"]
    assert kept["question"].tolist()[-3:] == [*talks, "Please tell: Who are depreciation?"]


def test_a_conversation_is_no_duplicate_of_one_that_goes_on():
    said = "⟦user⟧ What is a ledger?\n⟦assistant⟧ A book of accounts.\n⟦user⟧ And who writes it?"
    more = f"{said}\n⟦assistant⟧ A clerk writes.\n⟦user⟧ And who reads it?"
    rows = [(said, "A clerk writes.", ""), (more, "A clerk reads.", "")]
    left = run_deduplication(
        [*SHEET, *rows], Rephraser(), question_threshold=0.01, same_question_threshold=0.01
    )
    assert left["deduplication_rephrasing"]["question"].tolist()[-2:] == [said, more]
