"""A corpus and a teacher of a small fabricated sheet, and when a run takes that teacher."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig
from kd_kedro.curation.duplicates.families import split_rows
from kd_kedro.datasets.hf_model import HFModelDataset
from kd_kedro.datasets.sentence_embedder import SentenceEmbedderDataset
from kd_kedro.fabrication.fabrication_config import FabricationParameters
from kd_kedro.models.build import pretrained_model, told_by_card
from kd_kedro.models.model_config import TRAINED_HERE, ArchitectureConfig
from kd_kedro.pipelines.augmentation.params import SplitParams
from kd_kedro.pipelines.distillation.params import ExampleParams
from kd_kedro.pipelines.fabrication.nodes import fabricate_sheet
from kd_kedro.pipelines.sample_teacher.nodes import make_corpus, train_sample_teacher
from kd_kedro.pipelines.sample_teacher.params import CorpusParams, SampleTeacherParams
from kd_kedro.runs import config_loader

ROOT = Path(__file__).resolve().parents[3]
SHEET = FabricationParameters(rows=400)
EXAMPLES = ExampleParams(max_augmented_rows=0, max_length=96, validation_rows=20)


@pytest.fixture(scope="module")
def vocabulary():
    return yaml.safe_load((ROOT / "conf/base/fabrication/vocabulary.yml").read_text("utf-8"))


@pytest.fixture(scope="module")
def sheet(vocabulary) -> str:
    return fabricate_sheet(vocabulary, SHEET)[0]


@pytest.fixture(scope="module")
def augmented_qa(vocabulary) -> pd.DataFrame:
    from kd_kedro.fabrication.records import make_rows
    from kd_kedro.fabrication.sheet import write_sheet

    rows = make_rows(SHEET, vocabulary)
    table = pd.DataFrame(
        {
            "row_id": write_sheet(rows)[1]["row_id"],
            "line": [str(n) for n in range(len(rows))],
            "question": [row.question for row in rows],
            "answer": [row.answer for row in rows],
            "source": "",
        }
    )
    return split_rows(table, [], {"train": 0.8, "validation": 0.1, "test": 0.1})


@pytest.fixture(scope="module")
def corpus(augmented_qa, vocabulary) -> pd.DataFrame:
    return make_corpus(
        augmented_qa,
        vocabulary,
        SentenceEmbedderDataset().load(),
        CorpusParams(sheets=2),
        SHEET,
        EXAMPLES,
        SplitParams(),
        DeduplicationConfig(),
    )


def test_the_corpus_has_the_training_rows_and_nothing_held_out(corpus, augmented_qa):
    own = augmented_qa.loc[augmented_qa["split"] == "train", "row_id"]
    held_out = augmented_qa[augmented_qa["split"] != "train"]
    assert set(own) <= set(corpus["row_id"])
    assert not set(held_out["row_id"]) & set(corpus["row_id"])
    questions = {json.loads(fields)["question"] for fields in corpus["fields"]}
    assert not questions & set(held_out["question"])
    assert len(corpus) > len(own) + 300
    assert set(corpus["split"]) == {"train"}


@pytest.fixture(scope="module")
def teacher(corpus, augmented_qa, sheet, tmp_path_factory):
    params = SampleTeacherParams(corpus=CorpusParams(sheets=2), vocab_size=300)
    changed = {"max_steps": 3, "num_evaluations": 1, "batch_size": 4}
    params = params.model_copy(
        update={
            "architecture": ArchitectureConfig(
                num_hidden_layers=2, hidden_size=16, num_attention_heads=2
            ),
            "training": params.training.model_copy(update=changed),
        }
    )
    work = tmp_path_factory.mktemp("work")
    return train_sample_teacher(corpus, augmented_qa, sheet, EXAMPLES, params, work)[0]["teacher"]


def test_its_card_says_of_which_sheet_it_is_and_what_it_has_not_read(
    teacher, augmented_qa, sheet, tmp_path
):
    held_out = augmented_qa.loc[augmented_qa["split"] != "train", "row_id"]
    assert teacher.card["held_out"] == sorted(held_out)
    assert {weight.dtype for weight in teacher.model.parameters()} == {torch.float16}
    folder = tmp_path / "sample_teacher"
    HFModelDataset(filepath=str(folder)).save(teacher)
    assert told_by_card(str(folder)) == {"held_out": sorted(held_out), "licence": TRAINED_HERE}
    assert told_by_card("some/model") == {}
    loaded = pretrained_model(str(folder), "teacher.pretrained", teacher.tokenizer, "auto")
    assert loaded.dtype == (torch.float16 if torch.cuda.is_available() else torch.float32)


def test_it_teaches_the_very_sheet_that_its_card_names(teacher, sheet, tmp_path, monkeypatch):
    monkeypatch.setattr(config_loader, "PROJECT_PATH", tmp_path)
    (tmp_path / "sheet.csv").write_text(sheet, encoding="utf-8", newline="")
    (tmp_path / "other.csv").write_text(sheet + "\n", encoding="utf-8", newline="")
    HFModelDataset(filepath=str(tmp_path / "sample_teacher")).save(teacher)
    places = {"qa_csv": "sheet.csv", "sample_teacher": "sample_teacher"}
    assert config_loader.is_sample(places)
    assert not config_loader.is_sample({**places, "qa_csv": "other.csv"})
    assert not config_loader.is_sample({**places, "qa_csv": "absent.csv"})
    assert not config_loader.is_sample({**places, "sample_teacher": "absent"})
