"""JSON lines, JSON lists and Parquet files as sheets, with and without conversations."""

import datetime as dt
import decimal
import json
import logging

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from kd_kedro.curation.records.contract import identify
from kd_kedro.datasets.qa_sheet import MENDED
from kd_kedro.datasets.sheets import keyed
from tests.datasets.sheets.sheet_files import COLUMNS, load, pairs, sentence, write


def lines(folder, *records, name="sheet.jsonl"):
    texts = [each if isinstance(each, str) else json.dumps(each) for each in records]
    return write(folder, "\n".join(texts) + "\n", name)


def defects(rows):
    return rows["defect"].tolist()


@pytest.mark.parametrize("name", ["sheet.jsonl", "sheet.ndjson", "sheet.json"])
def test_a_line_is_a_record_with_its_text_as_written(tmp_path, name):
    path = write(
        tmp_path,
        '\ufeff{"Question": "q ☃", "Answer": 7.10, "Classification": true, "other": [1]}\r\n\n'
        '{"Answer": "a\\nb\\u2028", "Question": "r", "Remarks": null}',
        name,
    )
    rows = load(path)
    assert rows[["line", "source", "question", "answer", "verdict"]].to_numpy().tolist() == [
        ["1", name, "q ☃", "7.10", "yes"],
        ["3", name, "r", "a\nb\u2028", ""],
    ]


def test_a_broken_line_is_one_record_with_a_defect(tmp_path):
    path = lines(
        tmp_path,
        {"Question": "q", "Answer": "a"},
        '{"Question": "q", "Answer"',
        '{"Question": "q',
        "[1]",
        '{"Question": "q", "Question": "r", "Answer": "a"}',
        '{"Question": "q", "Question ": "r", "Answer": "a"}',
        {"Question": "q", "Answer": ["a", "b"]},
        {"Question": {"text": "q"}, "Answer": "a"},
        '{"Question": "\\ud83d", "Answer": "a"}',
        '{"Question": "q\\u0000", "Answer": "a"}',
        '{"Question": "q", "Answer": NaN}',
        {"Answer": "a"},
        '{"Question": "\\ud83d\\ude00", "Answer": "a"}',
        {"Question": "q", "Answer": [{"type": "text", "text": "a"}]},
    )
    rows = load(path)
    assert defects(rows) == [
        "",
        "no JSON: Expecting ':' delimiter at column 27",
        "no JSON: Unterminated string starting at column 14",
        "the JSON is a list, not an object with columns as keys",
        "no JSON that can be read: the key 'Question' stands there 2 times",
        "the key 'Question' stands there 2 times",
        "column Answer: the value is a list, not a text",
        "column Question: the value is an object, not a text",
        "column Question: the text holds half a character (a surrogate without its other half)",
        "column Question: the text holds a NUL character",
        *[""] * 4,
    ]
    assert rows["raw"][1] == '{"Question": "q", "Answer"'
    assert rows["line"].tolist() == [str(n) for n in range(1, 15)]
    assert pairs(rows)[10:] == [["q", ""], ["", "a"], ["😀", "a"], ["q", "a"]]


def test_a_line_of_extremes_is_one_record(tmp_path):
    deep, long = "[" * 100_000, "9" * 6000
    keys = ",".join(f'"{number}": 1' for number in range(20_000))
    rows = load(
        lines(
            tmp_path,
            {"Question": "q", "Answer": "a"},
            f'{{"Question": "q", "Answer": "a", "x": {deep}{deep.replace("[", "]")}}}',
            f'{{"Question": {long}, "Answer": -{long}}}',
            f"{{{keys}}}",
        )
    )
    assert defects(rows)[0] == defects(rows)[2] == defects(rows)[3] == ""
    assert "no JSON that can be read: maximum recursion depth exceeded" in defects(rows)[1]
    assert pairs(rows)[2] == [long, f"-{long}"]


def test_a_json_list_is_a_sheet_with_the_lines_of_its_objects(tmp_path):
    text = '[\n {"Question": "q",\n  "Answer": "a"}\n,\n {"Question": "r", "Answer": 1}, 7\n]\n'
    rows = load(write(tmp_path, text, "sheet.json"))
    assert rows[["line", "question", "answer"]].to_numpy().tolist() == [
        ["2", "q", "a"],
        ["5", "r", "1"],
        ["5", "", ""],
    ]
    assert defects(rows)[2].startswith("the JSON is a single value, not an object")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[\n{"Question": "q"}\n{"Question": "r"}]', "line 2: the JSON list is broken"),
        ('[{"Question": "q"},\n{"Question"', "line 2: the JSON list is broken"),
        ('[{"Question": "q", "Answer": "a"}] x', "goes on behind its JSON list with 'x'"),
        ("[]", "is an empty list"),
        ('{\n "data": []\n}', "is one JSON object over 3 lines: give a list of objects"),
        ("Question,Answer\nq,a\n", "line 1: no JSON: Expecting value at column 1; give one JSON"),
        ('{"Question": "q", "Reply": "a"}', "no column 'Answer' (answer), only 'Question', 'Re"),
        ('{"Question": "caf\udce9"}', "line 1: byte 0xe9"),
        ("", "is empty"),
    ],
)
def test_files_that_are_no_sheet_end_with_one_sentence(tmp_path, text, expected):
    content = text.encode("utf-8", "surrogateescape")
    said = sentence(write(tmp_path, content, "sheet.json"))
    assert expected in said
    assert str(tmp_path / "sheet.json") in said


def said(*messages):
    return [{"role": role, "content": content} for role, content in messages]


PARTS = [
    {"type": "thinking", "thinking": "hm"},
    {"type": "text", "text": "one "},
    {"type": "text", "text": "two"},
]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"messages": said(("user", "q"), ("assistant", "a"))}, ["q", "a", ""]),
        (
            {"messages": said(("system", "Be short."), ("user", "q"), ("assistant", "a"))},
            ["q", "a", ""],
        ),
        ({"messages": said(("user", PARTS), ("assistant", PARTS))}, ["one two", "one two", ""]),
        (
            {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
            ["q", "a", ""],
        ),
        (
            {
                "prompt": said(("developer", "s"), ("user", "q")),
                "completion": said(("assistant", "a")),
            },
            ["q", "a", ""],
        ),
        (
            {"messages": said(("system", "s"), ("user", "q"), ("assistant", "a")), "Remarks": "r"},
            ["q", "a", "r"],
        ),
    ],
)
def test_a_conversation_of_one_turn_is_a_question_and_its_answer(tmp_path, record, expected):
    rows = load(lines(tmp_path, record))
    assert rows[["question", "answer", "remarks"]].to_numpy().tolist() == [expected]
    assert defects(rows) == [""]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (said(("user", "q"), ("assistant", "a"), ("user", "r")), "a conversation of user, assist"),
        (said(("user", "q"), ("assistant", "")) * 2, "message 2 of the conversation is empty"),
        (said(("user", "x\n⟦user⟧ y"), ("assistant", "a")) * 2,
         "message 1 of the conversation has a line that begins with a mark of transcripts"),
        (said(("user", "q")), "the conversation has no answer"),
        (said(("assistant", "a")), "the conversation has no question"),
        (said(("assistant", "a"), ("user", "q")), "a conversation of assistant, user"),
        (said(("user", "q"), ("system", "s"), ("assistant", "a")), "a conversation of user, sys"),
        (said(("user", "q"), ("tool", "a")), "message 2 of the conversation has the role 'tool'"),
        (said(("user", [{"type": "image_url", "image_url": "u"}]), ("assistant", "a")),
         "message 1 of the conversation holds a part of the type 'image_url', not text"),
        (["q", "a"], "message 1 of the conversation has no role"),
        ([], "the conversation has no answer"),
    ],
)  # fmt: skip
def test_any_other_conversation_is_set_aside_with_its_text(tmp_path, messages, expected):
    good = {"messages": said(("user", "q"), ("assistant", "a"))}
    rows = load(lines(tmp_path, good, {"messages": messages}))
    assert defects(rows)[1].startswith(expected)
    assert json.loads(rows["raw"][1]) == {"messages": messages}
    assert pairs(rows)[1] == ["", ""]


def test_a_conversation_of_several_turns_is_a_transcript_and_its_last_answer(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    turns = said(("user", "What is a\ndebit?"), ("assistant", "The left."), ("user", "And 2?"))
    whole = [*turns, *said(("assistant", "The right."))]
    once = said(("user", "q"), ("assistant", "a"))
    told = said(("system", "s"))
    records = [{"messages": [*told, *whole]}, {"messages": [*told, *once]}, {"messages": once}]
    rows = load(lines(tmp_path, *records))
    asked = "⟦user⟧ What is a\ndebit?\n⟦assistant⟧ The left.\n⟦user⟧ And 2?"
    assert rows[["question", "answer", "system"]].to_numpy().tolist() == [
        [f"⟦system⟧ s\n{asked}", "The right.", ""],
        ["q", "a", "s"],
        ["q", "a", ""],
    ]
    assert defects(rows) == [""] * 3
    assert "those of conversations of one turn, 1 of several" in caplog.text
    assert "1 system message is no part of the questions" in caplog.text


def test_a_row_is_the_same_whatever_the_other_rows_look_like(tmp_path):
    once = {"messages": said(("system", "s"), ("user", "q"), ("assistant", "a"))}
    longer = {"messages": [*once["messages"], *said(("user", "r"), ("assistant", "b"))]}
    alone, beside = (
        identify(load(lines(tmp_path, once, *others))).iloc[0] for others in ((), (longer,))
    )
    assert alone.equals(beside)
    assert (alone["system"], alone["remarks"]) == ("s", "")


def test_columns_of_their_own_go_before_a_conversation(tmp_path):
    turn = said(("user", "x"), ("assistant", "y"))
    rows = load(lines(tmp_path, {"messages": turn, "question": "q", "answer": "a"}))
    assert pairs(rows) == [["q", "a"]]


def test_a_parquet_file_is_a_sheet(tmp_path):
    path = tmp_path / "sheet.parquet"
    columns = {
        "Question": ["q", None, "r"],
        "Answer": [0.1 + 0.2, 7.0, None],
        "Classification": [True, False, None],
        "Remarks": pa.array(np.array([0.1, 2, np.nan], "float32")),
        "Correction_Question": pa.array([b"ok", b"\xff", None]),
        "many": [[1.0] * 9] * 3,
    }
    parquet.write_table(pa.table(columns), path)
    rows = load(str(path))
    assert rows[["line", "question", "answer", "verdict", "remarks"]].to_numpy().tolist() == [
        ["1", "q", "0.3", "yes", "0.1"],
        ["2", "", "", "", ""],
        ["3", "r", "", "", ""],
    ]
    assert (
        defects(rows)[1] == "column Correction_Question: the value is bytes that are no UTF-8 text"
    )


def test_values_of_a_parquet_file_are_written_without_noise(tmp_path):
    path = tmp_path / "sheet.parquet"
    values = [
        (dt.datetime(2024, 2, 3), "2024-02-03"),
        (dt.date(2024, 2, 3), "2024-02-03"),
        (dt.time(2, 1), "02:01:00"),
        (decimal.Decimal("7.10"), "7.10"),
        (2**60 + 1, str(2**60 + 1)),
    ]
    for value, text in values:
        parquet.write_table(pa.table({"Question": ["q"], "Answer": [value]}), path)
        assert pairs(load(str(path))) == [["q", text]]


def test_conversations_in_a_parquet_file(tmp_path):
    path = tmp_path / "sheet.parquet"
    parquet.write_table(
        pa.table({"messages": [said(("user", "q"), ("assistant", "a")), said(("user", "q"))]}), path
    )
    rows = load(str(path))
    assert pairs(rows) == [["q", "a"], ["", ""]]
    assert json.loads(rows["raw"][1]) == {"messages": said(("user", "q"))}


def test_what_was_read_of_a_conversation_is_not_told_as_unread(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    turn = said(("user", "q"), ("assistant", "a"))
    for records in (
        ({"prompt": turn[:1], "completion": turn[1:]},),
        ({"messages": turn}, {"messages": None}),
    ):
        assert pairs(load(lines(tmp_path, *records)))[0] == ["q", "a"]
    assert "not read" not in caplog.text


def test_records_of_several_shapes_are_read_each_by_its_own(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    names = {"question": "question", "answer": "answer", "remarks": "remarks"}
    turn = said(("system", "s"), ("user", "q1"), ("assistant", "a1"))
    records = [
        {"messages": turn},
        {"question": "q2", "answer": "a2"},
        {"instruction": "q3", "input": "i", "output": "a3"},
        {"prompt": said(("user", "q4")), "completion": said(("assistant", "a4"))},
        {"question": None, "prompt": "q5", "completion": "a5"},
        {"question": "q6", "answer": "a6", "messages": turn},
        {"messages": said(("user", "q7"))},
        {"question": "q8"},
        {"note": "n"},
    ]
    rows = load(lines(tmp_path, *records), columns=names)
    assert pairs(rows) == [
        ["q1", "a1"],
        ["q2", "a2"],
        ["q3\n\ni", "a3"],
        ["q4", "a4"],
        ["q5", "a5"],
        ["q6", "a6"],
        ["", ""],
        ["q8", ""],
        ["", ""],
    ]
    assert rows["line"].tolist() == [str(line) for line in range(1, 10)]
    assert rows["system"].tolist() == ["s", *[""] * 8]
    assert [line for line, why in enumerate(defects(rows), 1) if why] == [7]
    assert "ends without a message of the assistant" in rows["defect"][6]
    assert "conversations of one turn in 3 of 9 records" in caplog.text
    assert "question and answer have other names in 2 of 9 records" in caplog.text
    assert "'note'" in caplog.text


PLAIN = {"question": "question", "answer": "answer", "remarks": "remarks"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"question": "q", "answer": "a"}, {"question": "r", "response": "b"}),
        ({"prompt": "q", "completion": "a"}, {"prompt": "r", "response": "b"}),
        ({"instruction": "q", "output": "a"}, {"instruction": "r", "response": "b"}),
        ({"question": "q", "answer": "a"}, {"query": "r", "answer": "b"}),
        ({"question": "q", "answer": "a"}, {"question": "", "query": "r", "answer": "b"}),
        ({"question": "q", "answer": "a"}, {"question": "r", "answer": None, "response": "b"}),
        ({"input": "q", "output": "a"}, {"instruction": "r", "output": "b"}),
    ],
)
@pytest.mark.parametrize("columns", [PLAIN, COLUMNS])
def test_pairs_that_share_a_name_are_read_each_by_its_own(tmp_path, columns, first, second):
    rows = load(lines(tmp_path, first, second), columns=columns)
    assert pairs(rows) == [["q", "a"], ["r", "b"]]
    assert defects(rows) == ["", ""]


def test_a_column_beside_the_answer_is_no_other_name_of_it(tmp_path):
    both = {"question": "q", "answer": "a", "response": "x"}
    rows = load(lines(tmp_path, both, {"question": "r", "answer": None, "response": "b"}))
    assert pairs(rows) == [["q", "a"], ["r", ""]]


@pytest.mark.parametrize(
    ("flat", "about", "expected"),
    [
        ({"question": "q", "answer": "a"}, {"input": 21}, "r\n\n21"),
        ({"question": "q", "answer": "a"}, {"input": " "}, "r"),
        ({"instruction": "q", "response": "a"}, {"input": "x"}, "r\n\nx"),
        ({"instruction": "q", "input": "", "response": "a"}, {"context": "x"}, "r\n\nx"),
    ],
)
def test_what_an_instruction_is_about_stands_below_it(tmp_path, flat, about, expected):
    told = {"instruction": "r", **about, "output": "b"}
    assert pairs(load(lines(tmp_path, flat, told))) == [["q", "a"], [expected, "b"]]
    path = tmp_path / "sheet.parquet"
    parquet.write_table(pa.Table.from_pylist([{**dict.fromkeys(told), **flat}, told]), path)
    assert pairs(load(str(path)))[1] == [expected, "b"]


def test_an_instruction_about_what_is_no_text_is_set_aside(tmp_path):
    records = [{"instruction": "r", "input": value, "output": "b"} for value in ([1], {"x": 1})]
    rows = load(lines(tmp_path, {"question": "q", "answer": "a"}, *records))
    assert defects(rows)[1:] == [
        f"column input: the value is {kind}, not a text" for kind in ("a list", "an object")
    ]
    assert [json.loads(raw) for raw in rows["raw"][1:]] == records


def test_a_record_with_two_answers_is_set_aside_with_its_text(tmp_path):
    records = [
        {"question": "", "answer": "a", "messages": said(("user", "q"), ("assistant", "b"))},
        {"answer": "a", "prompt": "q", "completion": "b"},
    ]
    rows = load(lines(tmp_path, {"question": "q", "answer": "a"}, *records))
    assert defects(rows)[1:] == [
        f"column answer has a text, and {other} another: nobody can tell which counts"
        for other in ("the conversation", "prompt and completion")
    ]
    assert [json.loads(raw) for raw in rows["raw"][1:]] == records


@pytest.mark.parametrize("columns", [PLAIN, COLUMNS])
def test_a_record_without_an_answer_keeps_its_question_and_its_text(tmp_path, caplog, columns):
    caplog.set_level(logging.INFO)
    records = [
        {"question": "C?", "answer": None},
        {"question": "E?"},
        {"prompt": "I?", "completion": None},
        {"instruction": "L?", "input": "x", "output": ""},
        {"Question": "K?", "completion": "8"},
        {"answer": "7"},
    ]
    flat = {"Question": "B?", "Answer": "2"}
    rows = load(lines(tmp_path, flat, {"question": "A?", "answer": "1"}, *records), columns=columns)
    questions = ["B?", "A?", "C?", "E?", "I?", "L?\n\nx", "K?", ""]
    assert rows["question"].tolist() == questions
    assert rows["answer"].tolist()[:7] == ["2", "1", *[""] * 5]
    assert defects(rows) == [""] * 8
    assert rows["raw"].tolist() == ["", "", *map(json.dumps, records)]
    assert "not read: 'completion'\n" in caplog.text  # of K?; others were read where they stand


def test_a_record_without_an_answer_in_a_parquet_file_keeps_its_text(tmp_path):
    path = tmp_path / "sheet.parquet"
    records = [{"question": "q", "answer": "a", "prompt": None}]
    records += [{"question": None, "answer": None, "prompt": "r"}]
    parquet.write_table(pa.Table.from_pylist(records), path)
    rows = load(str(path))
    assert pairs(rows) == [["q", "a"], ["r", ""]]
    assert [raw and json.loads(raw) for raw in rows["raw"]] == ["", records[1]]


def test_another_column_of_a_record_without_question_is_no_question(tmp_path):
    both = {"question": "q", "answer": "a", "text": "t"}
    rows = load(lines(tmp_path, both, {"question": "", "answer": None, "text": "u"}))
    assert pairs(rows)[1] == ["", ""]


@pytest.mark.parametrize("columns", [PLAIN, COLUMNS])
@pytest.mark.parametrize("name", ["output", "response", "Response"])
def test_a_second_answer_sets_its_record_aside(tmp_path, columns, name):
    flat = {"Question": "q", "Answer": "a"}
    two = {"question": "r", "answer": "6", name: 7}
    same, label = {**two, name: " 6"}, {"question": "s", "answer": "6", "label": "easy"}
    rows = load(lines(tmp_path, flat, two, same, label), columns=columns)
    assert defects(rows) == [
        "",
        f"columns answer and {name} have each an answer: nobody can tell which counts",
        "",
        "",
    ]
    assert json.loads(rows["raw"][1]) == two
    assert pairs(rows) == [["q", "a"], ["", ""], ["r", "6"], ["s", "6"]]


def test_a_column_of_all_records_is_no_second_answer(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    flat = [{"question": "q", "answer": "a", "output": value} for value in ("x", None)]
    rows = load(lines(tmp_path, *flat, {"prompt": "r", "completion": "b"}))
    assert pairs(rows) == [["q", "a"], ["q", "a"], ["r", "b"]]
    assert "not read: 'output'\n" in caplog.text


@pytest.mark.parametrize("columns", [PLAIN, COLUMNS])
@pytest.mark.parametrize("name", ["remarks", "Remarks"])
def test_system_messages_stand_in_a_column_of_their_own(tmp_path, caplog, columns, name):
    caplog.set_level(logging.INFO)
    turn = {"messages": said(("system", "s"), ("user", "r"), ("assistant", "b"))}
    flat = {"prompt": "q", "completion": "a", name: "x", "system": "of the computer"}
    path = lines(tmp_path, flat, turn, {**turn, name: "y"})
    rows = load(path, columns=columns)
    assert rows[["remarks", "system"]].to_numpy().tolist() == [["x", ""], ["", "s"], ["y", "s"]]
    assert ", system from the system messages of conversations\n" in caplog.text
    assert "2 system messages are no part of the questions\n" in caplog.text
    assert "not read: 'system'\n" in caplog.text  # nobody named that column
    assert "system" not in load(path, columns={**columns, "system": None})


def test_a_named_column_has_the_system_messages_of_conversations_too(tmp_path):
    turns = said(("system", "s"), ("user", "r"), ("assistant", "b"))
    records = [
        {"prompt": "q", "completion": "a", "Anweisung": "x"},
        {"messages": turns},
        {"messages": turns, "Anweisung": "s"},
        {"messages": turns[1:], "Anweisung": "y"},
        {"messages": turns, "Anweisung": "y"},
        {"messages": [*turns, *turns[1:]], "Anweisung": "y"},
    ]
    rows = load(lines(tmp_path, *records), columns={**PLAIN, "system": "Anweisung"})
    assert rows["system"].tolist() == ["x", "s", "s", "y", "", ""]
    why = "column Anweisung has a text, and the conversation another: nobody can tell which counts"
    assert defects(rows) == ["", "", "", "", why, why]


def test_conversations_that_are_not_read_are_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    turn = {"messages": said(("user", "r"), ("assistant", "b"))}
    load(lines(tmp_path, {"question": "q", "answer": "a", **turn}, turn), columns=PLAIN)
    assert (
        "in 1 of 2 records a conversation stands beside a question and is not read" in caplog.text
    )


def test_conversations_stand_in_the_columns_of_flat_records(tmp_path):
    flat = {"prompt": "q", "completion": "a"}
    turn = said(("user", "r"), ("assistant", "b"))
    names = {"question": "question", "answer": "answer"}
    rows = load(lines(tmp_path, flat, {"messages": turn}), columns=names)
    assert pairs(rows) == [["q", "a"], ["r", "b"]]


def test_a_column_that_stands_twice_in_a_parquet_file_is_named(tmp_path):
    path = tmp_path / "sheet.parquet"
    columns = [pa.array(["q"]), pa.array(["r"]), pa.array(["a"])]
    parquet.write_table(pa.table(columns, names=["Question", "Question", "Answer"]), path)
    assert "column 'Question' stands there 2 times" in sentence(str(path))


def test_parquet_files_that_are_no_sheet_end_with_one_sentence(tmp_path):
    assert "cannot be read as Parquet" in sentence(write(tmp_path, b"PAR1", "sheet.parquet"))
    empty = pa.table({"Question": pa.array([], pa.string())})
    parquet.write_table(empty, tmp_path / "sheet.parquet")
    assert "has columns and no rows" in sentence(str(tmp_path / "sheet.parquet"))


def test_a_mended_copy_may_be_of_any_format(tmp_path):
    row = {"row_id": "abc", "line": "17", "source": "s", "question": "q", "answer": "a"}
    rows = load(lines(tmp_path, row), optional=True)
    assert list(rows.columns) == MENDED
    assert rows.iloc[0][["row_id", "line", "question"]].tolist() == ["abc", "17", "q"]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["Question", "Answer", "x"]),
            st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        ).map(lambda record: {"Question": "", "Answer": "", **record}),
        min_size=1,
    ),
    st.booleans(),
    st.booleans(),
)
def test_what_the_json_module_writes_is_read_back(tmp_path_factory, records, ascii_only, listed):
    path = tmp_path_factory.getbasetemp() / "sheet.json"
    texts = [json.dumps(each, ensure_ascii=ascii_only) for each in records]
    path.write_text(
        json.dumps(records, ensure_ascii=ascii_only, indent=1) if listed else "\n".join(texts),
        encoding="utf-8",
        newline="",
    )
    header, *found = keyed.read_json(path, COLUMNS).records
    read = [dict(zip(header.cells, each.cells, strict=True)) for each in found]
    assert [{key: each.get(key, "") for key in header.cells} for each in records] == read
    assert not any(each.defect or each.damaged for each in found)
