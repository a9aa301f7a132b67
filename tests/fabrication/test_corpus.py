"""The corpus of the sample's teacher has nothing that a sheet holds out."""

import json
from pathlib import Path

import pandas as pd
import pytest

from kd_kedro.curation.duplicates.families import split_rows
from kd_kedro.curation.duplicates.near_questions import Nearness
from kd_kedro.curation.duplicates.signature import question_key
from kd_kedro.datasets.sentence_embedder import SentenceEmbedderDataset
from kd_kedro.fabrication.corpus import as_train_split, corpus_rows, held_out_keys, leave_out
from kd_kedro.fabrication.fabrication_config import FabricationParameters
from kd_kedro.fabrication.records import make_rows
from kd_kedro.fabrication.sheet import write_sheet
from kd_kedro.metrics.report.leakage import measure_overlap
from kd_kedro.storage.fingerprints import file_fingerprint

RAW = Path(__file__).parents[2] / "data/01_raw"
SHARES = {"train": 0.5, "validation": 0.25, "test": 0.25}


@pytest.fixture(scope="module")
def embedder():
    return SentenceEmbedderDataset().load()


@pytest.fixture(scope="module")
def parameters(settings) -> FabricationParameters:
    return FabricationParameters(**(settings | {"rows": 400}))


@pytest.fixture(scope="module")
def held_out(vocabulary, parameters) -> pd.DataFrame:
    """A sheet's held-out rows as the split of a curated sheet has them."""
    rows = make_rows(parameters, vocabulary)
    table = pd.DataFrame(
        {
            "row_id": write_sheet(rows)[1]["row_id"],
            "line": [str(n) for n in range(len(rows))],
            "question": [row.question for row in rows],
            "answer": [row.answer for row in rows],
            "source": "",
        }
    )
    split = split_rows(table, [], SHARES)
    return split[split["split"] != "train"]


def test_no_held_out_question_is_in_the_corpus_in_any_wording(
    vocabulary, parameters, held_out, embedder
):
    rows = corpus_rows(parameters, range(1001, 1007), vocabulary)
    keys = held_out_keys(parameters, vocabulary, set(held_out["row_id"]))
    asked_again = [row for row in rows if row.item.key in keys]
    assert len(asked_again) > 20  # other seeds do ask what is held out
    left = leave_out(rows, held_out, keys, embedder, Nearness(0.9, 0.9))
    assert 0.8 * len(rows) < len(left) <= len(rows) - len(asked_again)
    assert not {row.item.key for row in left} & keys
    assert not {question_key(row.question) for row in left} & {
        *map(question_key, held_out.question)
    }

    corpus = as_train_split(left)
    vectors = [embedder.encode(list(part["question"])) for part in (held_out, corpus)]
    overlap = measure_overlap(held_out.reset_index(drop=True), corpus, *vectors, n=8)
    assert set(overlap["same_question"]) == {"no"}


def test_a_near_question_of_another_draw_is_left_out(vocabulary, parameters, held_out, embedder):
    """What a person wrote into the sheet is no draw, but its near question leaves the corpus."""
    row = next(
        each
        for each in corpus_rows(parameters, [1001], vocabulary)
        if each.item.template.name == "concept: definition"
    )
    written = held_out.head(1).assign(question=row.question.rstrip("?") + ", please?")
    assert leave_out([row], written, set(), embedder, Nearness(0.9, 0.9)) == []
    assert leave_out([row], held_out.head(1), set(), embedder, Nearness(0.9, 0.9)) == [row]


def test_the_corpus_is_sound_and_has_each_question_once(vocabulary, parameters):
    rows = corpus_rows(parameters, [1001, 1002], vocabulary)
    assert {defect for row in rows for defect in row.defects} <= {"currency", "formula"}
    assert len({question_key(row.question) for row in rows}) == len(rows)
    assert not any("\ue000" in row.question + row.answer for row in rows)


def test_rows_of_another_sheet_are_refused(vocabulary, parameters):
    with pytest.raises(ValueError, match="row r-none of split_qa is none of the sheet"):
        held_out_keys(parameters, vocabulary, {"r-none"})


def test_the_committed_teacher_is_of_the_committed_sheet(vocabulary, settings):
    folder = RAW / "sample_teacher"
    card = json.loads((folder / "card.json").read_text("utf-8"))
    assert card["sheet"] == file_fingerprint(RAW / "final_qa.csv")
    assert (folder / "model.safetensors").stat().st_size < 8_000_000
    assert json.loads((folder / "config.json").read_text("utf-8"))["dtype"] == "float16"
    keys = held_out_keys(FabricationParameters(**settings), vocabulary, set(card["held_out"]))
    assert len(keys) > 900
