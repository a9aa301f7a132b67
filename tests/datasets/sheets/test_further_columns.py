"""Columns that are named beside question, answer and what reviewers said."""

import json
import logging
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.datasets.sheets.sheet_files import load, sentence, workbook, write

COLUMNS = {
    "question": "Question",
    "answer": "Answer",
    "verdict": "Classification",
    "context": "Document",
    "teacher": "Expert",
    "topic": "Fach",
}
CELLS = ["question", "answer", "verdict", "context", "teacher", "topic"]
HEADER = ["Document", "Question", "Fach", "Answer", "Expert", "Note"]
ROWS = [
    [" One.\n\nTwo, three. ", "q1", "tax", "a1", "seed_7", "x"],
    ["", "q2", "007", "a2", "", "x"],
]
READ = [["q1", "a1", "", "One.\n\nTwo, three.", "seed_7", "tax"], ["q2", "a2", "", "", "", "007"]]
RECORDS = [dict(zip(HEADER, row, strict=True)) for row in ROWS]


def _csv(folder: Path) -> str:
    pd.DataFrame(RECORDS).to_csv(folder / "sheet.csv", index=False)
    return str(folder / "sheet.csv")


def _xlsx(folder: Path) -> str:
    return workbook(folder, {"rows": [HEADER, *ROWS]})


def _jsonl(folder: Path) -> str:
    # A key may be absent where it has no text.
    lines = [json.dumps({key: text for key, text in row.items() if text}) for row in RECORDS]
    return write(folder, "\n".join(lines), "sheet.jsonl")


def _conversations(folder: Path) -> str:
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": row["Question"]},
                    {"role": "assistant", "content": row["Answer"]},
                ],
                **{key: row[key] for key in ("Document", "Expert", "Fach")},
            }
        )
        for row in RECORDS
    ]
    return write(folder, "\n".join(lines), "sheet.jsonl")


def _parquet(folder: Path) -> str:
    pd.DataFrame(RECORDS).to_parquet(folder / "sheet.parquet")
    return str(folder / "sheet.parquet")


def _dataset(folder: Path) -> str:
    datasets.Dataset.from_list(RECORDS).save_to_disk(str(folder / "sheet"))
    return str(folder / "sheet")


@pytest.mark.parametrize("made", [_csv, _xlsx, _jsonl, _conversations, _parquet, _dataset])
def test_further_columns_are_read_under_their_names(tmp_path, caplog, made):
    with caplog.at_level(logging.INFO):
        rows = load(made(tmp_path), columns=COLUMNS)
    assert rows[CELLS].to_numpy().tolist() == READ
    assert list(rows.columns)[-3:] == ["context", "teacher", "topic"]
    assert "context from 'Document'" in caplog.text


@pytest.mark.parametrize("made", [_csv, _xlsx, _jsonl, _parquet])
def test_a_named_column_that_is_not_there_is_refused(tmp_path, made):
    path = made(tmp_path)
    # That a column has the name of the key does not make it the one that was asked for.
    said = sentence(path, columns={**COLUMNS, "note": "Source"})
    assert said.startswith(path)
    assert "there is no column 'Source' (note), only " in said
    assert said.endswith("set columns.note in globals.yml or by --params")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *(
            (name, f"'{name}' is the name of a column that the project makes")
            for name in ("row_id", "family_id", "split", "style", "source", "line", "fields")
        ),
        ("Question", "'Question' is the name of a column"),
        ("weight", "is the name of a column"),
        ("why", "is the name of a column"),
        ("verdcit", "'verdcit' is almost 'verdict': correct it"),
        ("Context", "'Context' is almost 'context'"),
        ("sytem", "'sytem' is almost 'system'"),
        ("teacher's", "is almost 'teacher'"),
        ("two words", "'two words' cannot be a field of a prompt"),
    ],
)
def test_names_that_mean_something_else_are_refused(tmp_path, name, said):
    assert said in sentence(_csv(tmp_path), columns={**COLUMNS, name: "Note"})


def test_a_column_is_read_as_one_thing(tmp_path):
    said = sentence(_csv(tmp_path), columns={**COLUMNS, "context": "Fach"})
    assert "gives 'Fach' to context and to another key" in said


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_context_is_no_part_of_an_instruction(tmp_path, ending):
    rows = [{"instruction": "q", "Context": "doc", "response": "a"}]
    path = tmp_path / f"sheet.{ending}"
    if ending == "csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        path.write_text(json.dumps(rows[0]))
    default = {"question": "Question", "answer": "Answer"}
    assert load(str(path), columns=default)["question"].tolist() == ["q\n\ndoc"]
    read = load(str(path), columns={**default, "context": "context"})
    assert read[["question", "answer", "context"]].to_numpy().tolist() == [["q", "a", "doc"]]


def test_a_context_is_no_second_answer(tmp_path):
    records: list[dict[str, Any]] = [
        {"question": "q1", "answer": "a1", "response": "a rationale"},
        {"question": "q2", "answer": "a2"},
    ]
    path = write(tmp_path, "\n".join(map(json.dumps, records)), "sheet.jsonl")
    named = {"question": "question", "answer": "answer", "context": "response"}
    rows = load(path, columns=named)
    assert rows[["answer", "context", "defect"]].to_numpy().tolist() == [
        ["a1", "a rationale", ""],
        ["a2", "", ""],
    ]


NAMED = {"question": "Question", "answer": "Answer", "context": "Document"}
PASSAGES: list[tuple[Any, str]] = [
    (["One.", "Two.\nThree."], "One.\n\nTwo.\nThree."),
    (["One.", "", "Two."], "One.\n\nTwo."),
    ([], ""),
    ([{"title": "t", "text": "One."}, {"title": "u", "text": "Two."}], "One.\n\nTwo."),
    ([{"content": "One.", "score": 0.5}], "One."),
    ([{"id": 7, "passage": "One."}, {"id": 8, "passage": "Two."}], "One.\n\nTwo."),
]


def _as_jsonl(folder: Path, record: dict[str, Any]) -> str:
    return write(folder, json.dumps(record), "sheet.jsonl")


def _as_json(folder: Path, record: dict[str, Any]) -> str:
    return write(folder, json.dumps([record], indent=1), "sheet.json")


def _as_parquet(folder: Path, record: dict[str, Any]) -> str:
    parquet.write_table(pa.Table.from_pylist([record]), folder / "sheet.parquet")
    return str(folder / "sheet.parquet")


@pytest.mark.parametrize("made", [_as_jsonl, _as_json, _as_parquet])
@pytest.mark.parametrize(("passages", "context"), PASSAGES)
def test_a_context_may_be_a_list_of_passages(tmp_path, made, passages, context):
    path = made(tmp_path, {"Question": "q", "Answer": "a", "Document": passages})
    rows = load(path, columns=NAMED)
    assert rows[["question", "answer", "context", "defect"]].to_numpy().tolist() == [
        ["q", "a", context, ""]
    ]


def test_a_context_of_a_conversation_may_be_a_list_of_passages(tmp_path):
    turn = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    rows = load(_as_jsonl(tmp_path, {"messages": turn, "Document": ["x", "y"]}), columns=NAMED)
    assert rows[["question", "answer", "context"]].to_numpy().tolist() == [["q", "a", "x\n\ny"]]


@pytest.mark.parametrize("made", [_as_jsonl, _as_parquet])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Document", [1, 2]),
        ("Document", ["One.", None]),
        ("Document", [["One."]]),
        ("Document", [{"title": "One."}]),
        ("Document", [{"text": "One.", "content": "Two."}]),
        ("Document", [{"text": 1}]),
        ("Document", {"text": "One."}),
        ("Question", ["One."]),
        ("Answer", [{"text": "One."}]),
    ],
)
def test_a_value_that_nobody_can_read_sets_its_row_aside(tmp_path, made, key, value):
    record = {"Question": "q", "Answer": "a", "Document": "d", key: value}
    rows = load(made(tmp_path, record), columns=NAMED)
    kind = "a list" if isinstance(value, list) else "an object"
    assert rows["defect"].tolist() == [f"column {key}: the value is {kind}, not a text"]
    assert json.loads(rows["raw"][0]) == record


def test_a_mended_copy_has_the_further_columns_that_stand_in_it(tmp_path):
    path = write(tmp_path, "row_id,question,answer,context,system,reason\nab,q,a,doc,s,why not\n")
    rows = load(path, columns=COLUMNS, optional=True)
    assert rows["context"].tolist() == ["doc"]
    assert rows["system"].tolist() == ["s"]  # those of conversations are named nowhere
    assert not {"teacher", "topic", "reason"} & set(rows.columns)
