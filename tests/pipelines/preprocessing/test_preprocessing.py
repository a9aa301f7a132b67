"""The preprocessing pipeline on a small messy sheet, through Kedro's SequentialRunner."""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from kd_kedro.curation.records.lineage import make_waterfall
from kd_kedro.curation.records.schema import LABELLED, QUARANTINED, STAGE, VALIDATED
from kd_kedro.datasets.qa_sheet import QASheetDataset
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.pipelines.preprocessing import create_pipeline
from kd_kedro.pipelines.preprocessing.nodes import validate_rows
from kd_kedro.pipelines.preprocessing.params import (
    PersonalDataParams,
    PreprocessingParams,
    ReviewParams,
    ValidationParams,
)
from kd_kedro.pipelines.preprocessing.pipeline import STAGES

COLUMNS = {
    "question": "Question",
    "answer": "Answer",
    "verdict": "Classification",
    "correction": "Correction_Question",
    "remarks": "Remarks",
}
HEADER = "Question,Answer,Classification,Correction_Question,Remarks\n"
SHEET = (
    HEADER
    + """What is cost?,A sum paid for a thing.,Yes,,
What is tea?,A drink.,No,,
Is it right?,Hardly.,Yes,invalid,
Why price?,It clears the market.,Yes,Why does price clear the market?,
What is method 3?,It is a method.,Yes,what is method 3?,
What is rent?,It must be paid, by the month.,Yes,
What is tax of â‚¹ 5?,A levy.,,,
What is a firm\ufffds cost?,A sum.,Yes,,
Dividends are paid as a percentage of ____.,Paid-up capital,Yes,,
"Larger output of ____ goods helps growth.
(a) consumer goods (b) capital goods
(c) farm goods (d) public goods",(b),Yes,,
"Which of the following is a cost?
A. Rent
B. Sales
C. Gain",Rent,Yes,,
"Which of the following is a cost?
A. Rent
B. Sales
C. Gain",Economics,Yes,,
One,two,three,four,five,six
"""
)


class Kept(MemoryDataset):  # type: ignore[misc]
    """Memory that a runner does not give back once every node has read it."""

    def _release(self) -> None:
        pass


def _run(
    folder: Path,
    sheet: str,
    mended: pd.DataFrame | None = None,
    personal: PersonalDataParams | None = None,
    columns: dict[str, str] = COLUMNS,
) -> dict[str, pd.DataFrame]:
    path = folder / "sheet.csv"
    path.write_text(sheet, encoding="utf-8")
    if mended is not None:
        mended.to_csv(folder / "mended.csv", index=False)
    inputs: dict[str, Any] = {
        "raw_qa": QASheetDataset(str(path), columns).load(),
        "mended_qa": QASheetDataset(
            str(folder / "mended.csv") if mended is not None else "", columns, optional=True
        ).load(),
        "text_generator": RulesGenerator(),
        **{
            f"params:preprocessing.{name}": field.annotation()  # type: ignore[misc]
            for name, field in PreprocessingParams.model_fields.items()
        },
    }
    if personal:
        inputs["params:preprocessing.personal_data"] = personal
    pipeline = create_pipeline()
    names = pipeline.all_outputs()
    catalog = DataCatalog(
        {name: MemoryDataset(data, copy_mode="assign") for name, data in inputs.items()}
        | {name: Kept() for name in names}
    )
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in names}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    return _run(tmp_path_factory.mktemp("sheet"), SHEET)


def test_columns(left: dict[str, pd.DataFrame]) -> None:
    assert list(left["validated_qa"].columns) == VALIDATED
    assert list(left["quarantined_rows"].columns) == QUARANTINED
    assert list(left["review_labels"].columns) == LABELLED
    for name in ("reviewed_qa", "cleaned_qa", "fitb_rephrased", "converted_mcq"):
        assert list(left[name].columns) == STAGE
        assert not left[name].isna().any().any()


def test_rows_are_conserved(left: dict[str, pd.DataFrame]) -> None:
    events = left["preprocessing_events"]
    pd.testing.assert_frame_equal(
        events, pd.concat([left[f"{stage}_events"] for stage in STAGES], ignore_index=True)
    )
    waterfall = make_waterfall(events).set_index("stage")
    assert waterfall.loc["validation"].tolist() == ["13", "0", "11", "0", "2"]
    assert waterfall.loc["review"].tolist() == ["11", "0", "9", "2", "0"]
    assert waterfall.loc["cleaning"].tolist() == ["9", "0", "8", "0", "1"]
    assert waterfall.loc["mcq", "out"] == "8"


def test_what_is_quarantined_says_where(left: dict[str, pd.DataFrame]) -> None:
    reasons = left["quarantined_rows"]["reason"].tolist()
    assert len(reasons) == 3
    assert all(reason.startswith("sheet.csv, line ") for reason in reasons)
    assert "U+FFFD" in reasons[-1]


def test_a_repair_is_told_with_before_and_after(left: dict[str, pd.DataFrame]) -> None:
    events = left["cleaning_events"].set_index("reason")
    assert json.loads(events.loc["repaired: mojibake", "evidence"]) == {
        "repairs": [
            {
                "column": "question",
                "repair": "mojibake",
                "characters": 3,
                "places": 1,
                "spans": [{"at": 15, "before": "â‚¹", "after": "₹"}],
            }
        ]
    }
    untouched = left["cleaning_events"]["action"] != "changed"
    assert (left["cleaning_events"].loc[untouched, "evidence"] == "").all()


def test_reviewers_are_heard(left: dict[str, pd.DataFrame]) -> None:
    questions = left["reviewed_qa"]["question"].tolist()
    assert "Why does price clear the market?" in questions
    assert "What is tea?" not in questions
    assert "Is it right?" not in questions
    labels = left["review_labels"].set_index("question")["label"]
    assert labels["What is tea?"] == labels["Is it right?"] == "rejected"
    assert (labels["What is cost?"], labels["What is tax of â‚¹ 5?"]) == ("accepted", "")
    assert len(labels) == len(left["validated_qa"])


def test_formats_are_opened(left: dict[str, pd.DataFrame]) -> None:
    rows = left["converted_mcq"].set_index("question")
    assert rows.loc["What is tax of ₹ 5?", "format"] == "plain"
    fitb = rows.loc["What are dividends paid as a percentage of?"]
    assert fitb["format"] == "fitb"
    both = rows.loc["Larger output of which goods helps growth?"]
    assert (both["format"], both["answer"]) == ("fitb+mcq", "capital goods")
    assert rows.loc["What is a cost?", "answer"] == "Rent"


@pytest.mark.parametrize(
    ("question", "answer", "asked", "told"),
    [
        (
            "Welche der Aussagen ist richtig?\n(a) Miete\n(b) Brot",
            "b",
            "Welche der Aussagen ist richtig?\n(a) Miete\n(b) Brot",
            "Brot",
        ),
        (
            "Which loop prints 1?\n(a) for n in x:\n    print(n);\n(b) while x:\n    print(1);",
            "(b)",
            "Which loop prints 1?",
            "while x:\n    print(1);",
        ),
        (
            "What does this print?\n\n```python\nif x:\n    print(1)\n```\n(a) 1\n(b) 2",
            "(a)",
            "What does this print?\n\n```python\nif x:\n    print(1)\n```",
            "1",
        ),
        (
            "Complete it:\n\n    x = ____(3)\n    y = 2",
            "int",
            "Complete it:\n\n    x = ____(3)\n    y = 2",
            "int",
        ),
        (
            "Which of these stores it?\n(a) git  commit -m x\n(b) git\n  push",
            "(a)",
            "What stores it?",
            "git  commit -m x",
        ),
        ("Die Miete ist ____.", "ein Preis", "Die Miete ist ____.", "ein Preis"),
    ],
)
def test_code_and_other_languages_keep_what_they_say(
    tmp_path: Path, question: str, answer: str, asked: str, told: str
) -> None:
    row = _run(tmp_path, f'{HEADER}"{question}","{answer}",,,\n')["converted_mcq"].iloc[0]
    assert (row["question"], row["answer"]) == (asked, told)


def test_an_abstained_row_stays_as_it_was(left: dict[str, pd.DataFrame]) -> None:
    events = left["mcq_events"].set_index("row_id")
    abstained = events[events["reason"].str.startswith("abstained")]
    assert abstained["action"].tolist() == ["kept"]
    row = left["converted_mcq"].set_index("row_id").loc[abstained.index[0]]
    assert row["answer"] == "Economics"
    assert "B. Sales" in row["question"]


def test_a_mended_row_comes_back(tmp_path: Path, left: dict[str, pd.DataFrame]) -> None:
    broken = left["quarantined_rows"].iloc[[0]]
    mended = broken.assign(answer="It must be paid, by the month.", verdict="Yes", raw="")
    again = _run(tmp_path, SHEET, mended)
    row = again["converted_mcq"].set_index("row_id").loc[broken["row_id"].iloc[0]]
    assert row["mended"] == "yes"
    assert row["answer"] == "It must be paid, by the month."
    event = again["validation_events"].set_index("row_id").loc[broken["row_id"].iloc[0]]
    assert (event["action"], event["reason"]) == ("changed", "mended")
    assert len(again["quarantined_rows"]) == 2


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("What is cost?,A sum.,No,,\n", "reviewers rejected all 1 usable rows of sheet.csv"),
        ("What is cost?,,Yes,,\n", "sheet.csv has no usable row"),
    ],
)
def test_nothing_left_is_an_error(tmp_path: Path, rows: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        _run(tmp_path, HEADER + rows)


@pytest.mark.slow
def test_real_sheet(tmp_path: Path, shared_data: Path) -> None:
    text = (shared_data / "accounting_qa/input_qa.csv").read_text(encoding="utf-8-sig")
    left = _run(tmp_path, text)
    assert len(left["validated_qa"]) + 3 == 6328
    assert set(left["validation_quarantined"]["line"]) == {"8", "515", "938"}
    events = left["mcq_events"]
    chosen = events["reason"].str.contains("chosen by").sum()
    abstained = events["reason"].str.startswith("abstained").sum()
    assert chosen >= 80
    assert abstained <= 14


def test_words_that_reject_must_be_known_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text(SHEET, encoding="utf-8")
    raw = QASheetDataset(str(path), COLUMNS).load()
    none = QASheetDataset("", optional=True).load()
    german = ValidationParams(verdicts=["Ja", "Nein"])
    with pytest.raises(ValueError, match=r"reject_verdicts has no, which .* \(Ja, Nein\)"):
        validate_rows(raw, none, german, ReviewParams())
    with pytest.raises(ValueError, match="has no usable row"):
        validate_rows(raw.head(1), none, german, ReviewParams(reject_verdicts=["nein"]))


def test_verdicts_in_other_words_are_read_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["ja", "JA", "Nein", "vielleicht", "TRUE", "no", ""]
    rows = [f"What is part {n} of it?,Part {n}.,{word},,\n" for n, word in enumerate(words)]
    with caplog.at_level(logging.INFO):
        left = _run(tmp_path, HEADER + "".join(rows))
    labels = dict(
        zip(left["review_labels"]["verdict"], left["review_labels"]["label"], strict=True)
    )
    assert labels == {
        "ja": "accepted",
        "JA": "accepted",
        "TRUE": "accepted",
        "Nein": "rejected",
        "no": "rejected",
        "": "",
    }
    assert left["quarantined_rows"]["verdict"].tolist() == ["vielleicht"]
    assert [text for text in caplog.messages if text.startswith("verdicts")] == [
        "verdicts read as no: 'nein' (1)",
        "verdicts read as yes: 'ja' (2), 'true' (1)",
        "verdicts that are not known, whose rows are set aside: 'vielleicht' (1); known are yes, "
        "no and blank: add words of your reviewers to preprocessing.validation.verdicts, and "
        "those that reject a row to preprocessing.review.reject_verdicts",
    ]


def test_a_broken_line_of_json_comes_back_by_a_mended_copy(tmp_path: Path) -> None:
    (tmp_path / "sheet.jsonl").write_text(
        '{"Question": "What is cash?", "Answer": "Money at hand."}\n{"Question": "What is', "utf-8"
    )
    raw = QASheetDataset(str(tmp_path / "sheet.jsonl"), COLUMNS).load()
    none = QASheetDataset("", optional=True).load()
    valid, quarantined, events = validate_rows(raw, none, ValidationParams(), ReviewParams())
    assert valid["line"].tolist() == ["1"]
    assert quarantined["reason"].item().startswith("sheet.jsonl, line 2: no JSON: ")
    assert quarantined["raw"].item() == '{"Question": "What is'
    copy = quarantined.assign(question="What is cost?", answer="A sum.")
    copy.to_csv(tmp_path / "mended.csv", index=False)
    mended = QASheetDataset(str(tmp_path / "mended.csv"), optional=True).load()
    valid, quarantined, again = validate_rows(raw, mended, ValidationParams(), ReviewParams())
    assert valid["question"].tolist() == ["What is cash?", "What is cost?"]
    assert quarantined.empty
    assert events["row_id"].tolist() == again["row_id"].tolist() == valid["row_id"].tolist()


PERSONAL = (
    HEADER
    + """"What does Ravi Kumar owe, if he draws Rs 98,765?",Mail ravi@example.org: Ravi owes it.,,,
What is account 4010?,A cost.,,,
"""
)


def test_personal_data_is_flagged_but_stays(tmp_path: Path) -> None:
    left = _run(tmp_path, PERSONAL)
    assert left["screened_qa"].equals(left["cleaned_qa"])
    found = left["personal_data"]
    assert found["kind"].tolist() == ["person", "email", "person"]
    assert "avi" not in "".join(found["excerpt"])
    summary = left["personal_data_summary"].set_index("kind")
    assert summary.loc["person"].tolist() == ["1", "2", "no"]
    assert summary.loc["phone"].tolist() == ["0", "0", "no"]
    events = left["personal_data_events"]
    assert events["action"].tolist() == ["kept", "kept"]
    assert json.loads(events["evidence"].iloc[0]) == {"found": {"person": 2, "email": 1}}


def test_personal_data_is_masked_by_parameter(tmp_path: Path) -> None:
    left = _run(tmp_path, PERSONAL, personal=PersonalDataParams(mask=["person", "email"]))
    row = left["converted_mcq"].iloc[0]
    assert row["question"] == "What does [PERSON] owe, if he draws Rs 98,765?"
    assert row["answer"] == "Mail [EMAIL]: [PERSON] owes it."
    events = left["personal_data_events"]
    assert events["action"].tolist() == ["changed", "kept"]
    assert json.loads(events["evidence"].iloc[0])["masked"] == {"person": 2, "email": 1}


def test_what_is_masked_must_be_looked_for() -> None:
    with pytest.raises(ValidationError, match="mask has email"):
        PersonalDataParams(detect=["phone"], mask=["email"])


CONTEXTS = """Question,Answer,Document
What does Ravi Kumar owe for rent?,Rs 500 a month.,"Ravi Kumar
pays Rs 500 (ravi@example.org)."
What is a cost?,A sum.,Costs are sums: ask cost@example.org.
What is a firm\ufffds gain?,A sum.,Gains are sums.
What is a tax?,,Taxes are levies.
What is tea?,A drink.,
"""


def test_contexts_are_screened_and_set_aside_with_their_rows(tmp_path: Path) -> None:
    columns = {**COLUMNS, "context": "Document"}
    left = _run(tmp_path, CONTEXTS, personal=PersonalDataParams(mask=["email"]), columns=columns)
    assert left["screened_qa"]["context"].tolist() == [
        "Ravi Kumar\npays Rs 500 ([EMAIL]).",
        "Costs are sums: ask [EMAIL].",
        "",
    ]
    found = left["personal_data"].query("kind == 'email'")
    assert found["column"].tolist() == ["context", "context"]
    events = left["personal_data_events"]
    assert events["reason"].tolist() == [*["personal data masked in context"] * 2, ""]
    aside = left["quarantined_rows"]
    assert aside["context"].tolist() == ["Taxes are levies.", "Gains are sums."]
    assert "context" not in left["reviewed_qa"]
    assert "context" not in left["fitb_rephrased"]
    # Mended in copies of two tables below each other, of which one has no contexts.
    mended = aside.assign(question="What is it, in a word?", answer="A levy.")
    mended["context"] = [text if text.startswith("Taxes") else "" for text in aside["context"]]
    again = _run(tmp_path, CONTEXTS, mended, columns=columns)["screened_qa"].set_index("row_id")
    assert again.loc[aside["row_id"], "context"].tolist() == aside["context"].tolist()
