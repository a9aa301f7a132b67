"""The augmentation pipeline through Kedro's SequentialRunner, its validator included."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro.validation.exceptions import DataValidationError
from pydantic import ValidationError

from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig
from kd_kedro.curation.records.lineage import EVENT_COLUMNS
from kd_kedro.curation.records.row_texts import products_of
from kd_kedro.curation.records.schema import SPLIT, STAGE, content_hash, table
from kd_kedro.curation.rewriting.rewriting_config import RewritingConfig
from kd_kedro.generation.protocol import Outcome, Request
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.pipelines.augmentation import create_pipeline
from kd_kedro.pipelines.augmentation.nodes import augment_rows, split_rows
from kd_kedro.pipelines.augmentation.params import SplitParams
from kd_kedro.pipelines.augmentation.pipeline import STAGES
from kd_kedro.pipelines.filtering import pipeline as filtering
from kd_kedro.pipelines.filtering.nodes import find_neighbours
from kd_kedro.pipelines.preprocessing import pipeline as preprocessing
from kd_kedro.training.examples import ORIGINAL, choose_training_examples

CONF = Path(__file__).resolve().parents[3] / "conf/base"
DEDUPLICATION = DeduplicationConfig(
    **yaml.safe_load((CONF / "filtering/parameters.yml").read_text())["filtering"]["deduplication"]
    | {"same_question_threshold": 1.0, "question_threshold": 1.0, "equal_answer_threshold": 1.0}
)
CATALOG = CONF / "augmentation/catalog.yml"
WORDS = ("rent", "cost", "price", "profit", "capital", "stock", "cash", "sales", "debt", "share")
ROWS = table(
    STAGE,
    [
        (
            f"id{n}",
            str(n + 2),
            "s.csv",
            "",
            "plain",
            "",
            "",
            f"What is the {a} of {b}?",
            f"{a} {b}.",
        )
        for n, (a, b) in enumerate((a, b) for a in WORDS for b in WORDS if a < b)
    ],
)


PRODUCTS = (
    "validated_qa",
    "reviewed_qa",
    "cleaned_qa",
    "screened_qa",
    "fitb_rephrased",
    "converted_mcq",
    "soap_qa",
)


class Kept(MemoryDataset):  # type: ignore[misc]
    """Memory that a runner does not give back once every node has read it."""

    def _release(self) -> None:
        pass


class Words:
    """Embeds a text as the words that stand in it."""

    def encode(self, texts: list[str]) -> npt.NDArray[np.float32]:
        vectors = np.zeros((len(texts), 1024), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.casefold().split():
                row[zlib.crc32(word.encode()) % 1024] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Failing:
    """Gives back what it was given, fails, or loses a number."""

    def generate(self, requests: list[Request]) -> list[Outcome]:
        kinds = ("unchanged", "failed", "rejected")
        return [
            Outcome(kinds[n % 3], each.text, "no")  # type: ignore[arg-type]
            for n, each in enumerate(requests)
        ]


def _events(*stages: str) -> pd.DataFrame:
    records = [
        (row, stage, "kept", "", content_hash(q, a), content_hash(q, a), "")
        for stage in stages
        for row, q, a in zip(ROWS["row_id"], ROWS["question"], ROWS["answer"], strict=True)
    ]
    return table(EVENT_COLUMNS, records)


def _run(generator: Any = None, **rewriting: Any) -> dict[str, Any]:
    pipeline = create_pipeline()
    inputs: dict[str, Any] = {
        "deduplication_rephrasing": ROWS,
        "sentence_embedder": Words(),
        "text_generator": generator or RulesGenerator(),
        "params:filtering.deduplication": DEDUPLICATION,
        "params:augmentation.split": SplitParams(threshold=1.0),
        "params:augmentation.rewriting": RewritingConfig(
            similarity_min=0.1, typo_similarity_min=0.1, **rewriting
        ),
        "preprocessing_events": _events(*preprocessing.STAGES),
        "filtering_events": _events(*filtering.STAGES),
        "quarantined_rows": ROWS.head(0),
        "near_pairs": find_neighbours(ROWS, Words(), DEDUPLICATION, 1.0),
    } | dict.fromkeys(PRODUCTS, ROWS)
    catalog = DataCatalog(
        {name: MemoryDataset(data, copy_mode="assign") for name, data in inputs.items()}
        | {name: Kept(copy_mode="assign") for name in pipeline.all_outputs()}
    )
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.all_outputs()}


@pytest.fixture(scope="module")
def left() -> dict[str, Any]:
    return _run()


def test_only_train_has_versions_and_answers_stay(left: dict[str, Any]) -> None:
    rows = left["augmented_qa"]
    assert list(rows.columns) == [*SPLIT, "line"]
    assert set(rows["style"]) == {"original", "formal", "casual", "general", "typo"}
    held_out = rows[rows["split"] != "train"]
    assert set(held_out["style"]) == {"original"}
    assert len(held_out)
    made = rows[rows["style"] != "original"]
    parents = rows.set_index("row_id").loc[made["row_id"].str.rsplit("-", n=1).str[0]]
    assert made["answer"].tolist() == parents["answer"].tolist()
    assert made["family_id"].tolist() == parents["family_id"].tolist()
    assert (made["question"].to_numpy() != parents["question"].to_numpy()).all()


def test_shares(left: dict[str, Any]) -> None:
    shares = left["split_qa"]["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.8, abs=0.12)
    assert {"train", "validation", "test"} == set(shares.index)


def test_the_account_closes(left: dict[str, Any]) -> None:
    waterfall = left["row_waterfall"]
    assert waterfall["stage"].tolist() == list(STAGES)
    counts = waterfall.drop(columns="stage").astype(int)
    assert (
        counts["in"] + counts["created"]
        == counts["out"] + counts["dropped"] + counts["quarantined"]
    ).all()
    assert counts["out"].iloc[-1] == len(left["augmented_qa"])
    assert len(left["row_events"]) == len(STAGES) * len(ROWS) + counts["created"].iloc[-1]


def test_events_and_texts_give_back_what_every_stage_let_out(left: dict[str, Any]) -> None:
    products = products_of(left["row_texts"], left["row_events"])
    for stage in [*STAGES][:-2]:
        assert products[stage]["question"].tolist() == ROWS["question"].tolist()


def test_the_plot_ends_where_the_table_does(left: dict[str, Any]) -> None:
    figure = json.loads(left["waterfall_plot"].to_json())["data"][0]
    assert figure["type"] == "waterfall"
    assert figure["x"][0] == len(ROWS)


def test_only_ok_enters_the_data() -> None:
    left = _run(Failing())
    assert len(left["augmented_qa"]) == len(ROWS)
    evidence = [json.loads(text) for text in left["augmentation_events"]["evidence"] if text]
    reasons = {found["reason"] for each in evidence for found in each["absent"].values()}
    assert reasons == {"unchanged: no", "failed: no", "rejected: no"}


def test_a_limit_takes_those_that_training_would_have_chosen(left: dict[str, Any]) -> None:
    styles = [ORIGINAL, *RewritingConfig().styles]

    def chosen(made: dict[str, Any], count: int) -> list[str]:
        return list(choose_training_examples(made["augmented_qa"], styles, count)["row_id"])

    few = _run(max_rewrites=9)
    assert 0 < (few["augmented_qa"]["style"] != "original").sum() <= 9
    assert chosen(few, 4) == chosen(left, 4)
    none = _run(max_rewrites=0)["augmented_qa"]
    assert set(none["style"]) == {"original"}


def test_rows_in_other_languages_stay_and_the_run_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    texts = [
        ("What is rent?", "A cost."),
        ("Was ist Miete?", "Miete ist der Preis der Nutzung."),
        ("Sauerteig füttern?", "Das macht man mit Wasser und Mehl."),
        ("什么是租金？", "使用的价格。"),
    ]
    rows = table(
        SPLIT,
        [(f"r{n}", f"f{n}", "train", "original", *text, "s.csv") for n, text in enumerate(texts)],
    )
    config = RewritingConfig(similarity_min=0.1, typo_similarity_min=0.1)
    with caplog.at_level("INFO"):
        augmented, events = augment_rows(rows, RulesGenerator(), Words(), config)
    made = augmented[augmented["style"] != "original"]
    assert set(made["row_id"].str.partition("-")[0]) == {"r0"}
    assert events["reason"].tolist()[:4] == [
        "",
        "left as it is: in German",
        "left as it is: in German",
        "left as it is: in the script Cjk",
    ]
    assert "augmentation left 2 rows in German as they were" in caplog.text
    assert "augmentation left 1 row in the script Cjk as it was" in caplog.text


def test_evidence_has_score_and_threshold(left: dict[str, Any]) -> None:
    events = left["augmentation_events"]
    made = events[events["action"] == "created"]
    for text in made["evidence"]:
        found = json.loads(text)
        assert found["band"][0] <= found["similarity"] <= found["band"][1]


def test_a_band_that_lets_nothing_in() -> None:
    with pytest.raises(ValidationError, match="no rewrite could be in the band"):
        RewritingConfig(similarity_min=0.9, similarity_max=0.8)


def test_a_straddling_family_is_not_saved(tmp_path: Path, left: dict[str, Any]) -> None:
    config = yaml.safe_load(CATALOG.read_text())["augmented_qa"]
    path = tmp_path / "augmented_qa.csv"
    catalog = DataCatalog.from_config({"augmented_qa": config | {"filepath": str(path)}})
    good = left["augmented_qa"]
    train = good[good["split"] == "train"].iloc[0]
    bad = pd.concat([good, train.to_frame().T.assign(split="test", row_id="x")], ignore_index=True)
    with pytest.raises(DataValidationError, match=str(train["family_id"])):
        catalog.save("augmented_qa", bad)
    assert not path.exists()
    catalog.save("augmented_qa", good)
    assert catalog.load("augmented_qa").equals(good)


def test_shares_must_add_up() -> None:
    with pytest.raises(ValidationError, match=r"add up to 0\.9"):
        SplitParams(train=0.7, validation=0.1, test=0.1)


def test_a_row_that_was_converted_stays_with_the_conversation_that_asks_it() -> None:
    rows = ROWS.head(3).copy()
    statement = "The left side is the ____ side."
    rows.loc[1, "question"] = f"⟦user⟧ {statement}\n⟦assistant⟧ debit\n⟦user⟧ And the right one?"
    screened = rows.copy()
    screened.loc[2, "question"] = statement
    near = find_neighbours(rows, Words(), DEDUPLICATION, 1.0)
    split, _ = split_rows(
        rows, rows, near, screened, Words(), SplitParams(threshold=1.0), DEDUPLICATION
    )
    families = split["family_id"]
    assert families[0] != families[1] == families[2]
