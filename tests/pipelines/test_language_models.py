"""The stages that rewrite, asking a real HTTP server that misbehaves, as the catalog says."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog

from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig
from kd_kedro.curation.questions.question_format import read_formats
from kd_kedro.curation.records.schema import STAGE, table
from kd_kedro.curation.rewriting.rewriting_config import RewritingConfig
from kd_kedro.datasets.sentence_embedder import SentenceEmbedderDataset
from kd_kedro.generation.prompts import read_prompts
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.pipelines.augmentation.nodes import augment_rows
from kd_kedro.pipelines.filtering.nodes import keep_survivors
from kd_kedro.pipelines.preprocessing.nodes import convert_blanks, convert_choices
from kd_kedro.pipelines.preprocessing.params import ChoiceParams, RewriteParams
from kd_kedro.text.boilerplate import contamination
from tests.conftest import ROOT
from tests.generation.llm.chat_server_double import Answer, Asked, ChatServerDouble, question

PROMPTS = ROOT / "conf" / "base" / "resources" / "prompts.yml"
DIRTY = (
    "...",
    "Lorem ipsum dolor",
    "[Your question here]",
    "Kindly rephrase my previous response.",
    "I'm sorry, but I can't assist with that.",
    "As an AI language model, I ask nothing.",
)
TOPICS = ("rent", "capital", "goodwill", "depreciation", "drawings", "inventory", "cash", "debtors")


def respond(asked: Asked) -> Answer:
    """Rewrite by rules, but for every third text and now and then a whole failure."""
    if asked.number % 7 == 6:
        return Answer(429, headers={"Retry-After": "0"})
    if sum(map(ord, asked.text)) % 3 == 0:
        return question(DIRTY[sum(map(ord, asked.text)) // 3 % len(DIRTY)])
    task = "fitb" if "____" in asked.text else "formal"
    return question(RulesGenerator().generate([Request(task, asked.text)])[0].text)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what the recipe's entry loads, with the server of this test."""
    recipe = (ROOT / "conf" / "server" / "resources" / "catalog.yml").read_text()
    entry = yaml.safe_load(recipe)["text_generator"]
    with ChatServerDouble(respond) as server:
        entry |= {
            "prompts": str(PROMPTS),
            "cache": str(tmp_path_factory.mktemp("cache") / "replies.sqlite"),
        }
        entry["options"]["generators"]["server"] |= {
            "base_url": server.url, "model": "double", "backoff_s": 0.01
        }  # fmt: skip
        # The rules would do what the server fails at, and nothing would be left to see.
        entry["options"]["tasks"] |= {"fitb": "server", "mcq": "server"}
        yield DataCatalog.from_config({"text_generator": entry}).load("text_generator")


def rows(kind: str, texts: list[tuple[str, str]]) -> pd.DataFrame:
    cells = [(f"r{n}", str(n + 2), "s.csv", "", "", "", "", q, a) for n, (q, a) in enumerate(texts)]
    read = read_formats(table(STAGE, cells))
    assert set(read["format"]) == {kind}
    return read


def evidence(events: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {
        row: json.loads(facts)
        for row, facts in zip(events["row_id"], events["evidence"], strict=True)
        if facts
    }


def check(before: pd.DataFrame, after: pd.DataFrame, events: pd.DataFrame, task: str) -> None:
    """Assert that no row is lost, nothing dirty is in, and that the evidence names its maker."""
    assert set(before["row_id"]) <= set(after["row_id"])
    source = dict(zip(before["row_id"], before["question"], strict=True))
    for row, text in zip(after["row_id"], after["question"], strict=True):
        assert contamination(text, source[row.split("-")[0]]) == ""
    version = read_prompts(yaml.safe_load(PROMPTS.read_text()), "prompts.yml")[task].version
    made = [facts for facts in evidence(events).values() if facts.get("prompt") == version]
    assert made
    assert {facts["model"] for facts in made} == {"double"}


def test_blanks(generator: TextGenerator) -> None:
    before = rows("fitb", [(f"The {topic} of a firm is ____.", "Its own.") for topic in TOPICS])
    after, events = convert_blanks(before, generator, RewriteParams())
    check(before, after, events, "fitb")
    actions = set(zip(events["action"], events["reason"].str.split(":").str[0], strict=True))
    assert actions == {("changed", "model"), ("kept", "left as it is")}


def test_stems_of_multiple_choice(generator: TextGenerator) -> None:
    before = rows(
        "mcq",
        [
            (f"The {topic} of a firm is a kind of\n(a) {topic} item\n(b) ghost\n(c) song", "(b)")
            for topic in TOPICS
        ],
    )
    after, events = convert_choices(before, generator, ChoiceParams(), RewriteParams())
    check(before, after, events, "mcq")
    assert any("not_opened" in facts for facts in evidence(events).values())
    assert set(after["answer"]) == {"ghost"}


def test_rephrasing(generator: TextGenerator) -> None:
    before = rows("plain", [(f"What is {t} to the firm?", "A thing that it owns.") for t in TOPICS])
    nothing = pd.DataFrame(
        columns=["row_id", "survivor_id", "group_id", "reason", "similarity", "neighbour_id",
                 "threshold"],
        dtype=str,
    )  # fmt: skip
    parameters = yaml.safe_load((ROOT / "conf/base/filtering/parameters.yml").read_text())
    settings = DeduplicationConfig(
        **parameters["filtering"]["deduplication"] | {"rephrase": True, "rephrase_min_words": 1}
    )
    after, events = keep_survivors(
        before, nothing, nothing, before.assign(group_id="1"), generator, settings
    )
    check(before, after, events, "rephrase")
    refused = [facts for facts in evidence(events).values() if "not_rephrased" in facts]
    assert refused
    assert all(facts["model"] == "double" for facts in refused)
    assert len(evidence(events)) == len(TOPICS) - 1


def test_versions(generator: TextGenerator, tmp_path: Path) -> None:
    before = pd.DataFrame(
        [
            (f"r{n}", f"f{n}", "train", "original", f"What is {t} to the firm?", "It.", "s.csv")
            for n, t in enumerate(TOPICS)
        ],
        columns=["row_id", "family_id", "split", "style", "question", "answer", "source"],
    )
    embedder = SentenceEmbedderDataset().load()
    after, events = augment_rows(before, generator, embedder, RewritingConfig())
    check(before, after, events, "formal")
    facts = evidence(events)
    made = [facts[row] for row in after["row_id"] if row.endswith("-formal")]
    assert made
    assert all(each["tokens"] == 15 for each in made)
    absent = [each["absent"] for each in facts.values() if "absent" in each]
    assert any("rejected" in str(each) for each in absent)
