"""Where the header is, and which columns are question and answer."""

import logging

import pytest

from tests.datasets.sheets.sheet_files import load, pairs, sentence, write

HEAD = "Question,Answer,Classification\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"Export of 2024,,\n\n made by,me,\n{HEAD}q,a,no\n", "5"),
        (f"Export of 2024\n{HEAD}q,a,no\n", "3"),
        (f'"Export ""2024"", all\nof it"\n{HEAD}q,a,no\n', "4"),
        ("Export, of, 2024\nQuestion;Answer;Classification\nq;a;no\n", "3"),
    ],
)
def test_a_title_above_the_header_is_none_of_the_rows(tmp_path, caplog, text, line):
    with caplog.at_level(logging.INFO):
        rows = load(write(tmp_path, text))
    assert rows[["line", "question", "answer", "verdict"]].to_numpy().tolist() == [
        [line, "q", "a", "no"]
    ]
    assert f"the header is line {int(line) - 1}, below a title" in caplog.text


def test_two_headers_below_a_title_are_told_apart_by_nobody(tmp_path):
    path = write(tmp_path, f"Export\n{HEAD}q,a,no\n{HEAD}r,b,no\n")
    assert "lines 2 and 4 name the columns of question and answer" in sentence(path)


def test_a_header_that_is_the_first_record_is_it_even_where_it_comes_again(tmp_path):
    rows = load(write(tmp_path, f"{HEAD}q,a,no\n{HEAD}r,b,no\n"))
    assert rows["question"].tolist() == ["q", "Question", "r"]


def test_no_header_is_looked_for_far_below(tmp_path):
    path = write(tmp_path, "Title\nNr,Text\n" + "1,x\n" * 19 + f"{HEAD}q,a,no\n")
    assert "line 2: there is no column 'Question' (question), only 'Nr', 'Text'" in sentence(path)


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("question,answer,CLASSIFICATION", "q,a,no", ["q", "a", "no"]),
        ("id,prompt,completion", "1,q,a", ["q", "a", ""]),
        ("prompt,response,Classification", "q,a,no", ["q", "a", "no"]),
        ("instruction,output", "q,a", ["q", "a", ""]),
        ("instruction,input,output", "q,1 2,a", ["q\n\n1 2", "a", ""]),
        ("instruction,context,response", "q, ,a", ["q", "a", ""]),
        ("input,output", "q,a", ["q", "a", ""]),
        ("text,label", "q,a", ["q", "a", ""]),
        ("label,text,answer,question", "x,y,a,q", ["q", "a", ""]),
    ],
)
def test_names_of_public_data_sets_are_understood_and_said(tmp_path, caplog, header, row, expected):
    with caplog.at_level(logging.INFO):
        rows = load(write(tmp_path, f"{header}\n{row}\n"))
    assert rows[["question", "answer", "verdict"]].to_numpy().tolist() == [expected]
    assert "(guessed: columns in globals.yml names others)" in caplog.text


@pytest.mark.parametrize("header", ["Question,Answer,Verdict", "question,answer,verdict"])
def test_a_verdict_is_read_from_the_column_called_so(tmp_path, header):
    rows = load(write(tmp_path, f"{header}\nq,a,no\n"))
    assert rows["verdict"].tolist() == ["no"]
    # The one that was asked for comes first.
    rows = load(write(tmp_path, f"{header},Classification\nq,a,no,yes\n"))
    assert rows["verdict"].tolist() == ["yes"]


def test_a_row_that_holds_known_names_is_no_header(tmp_path):
    path = write(tmp_path, "My Question,My Answer\nq,a\ninput,output\nr,b\n")
    assert "no column 'Question' (question), only 'My Question', 'My Answer'" in sentence(path)
    rows = load(write(tmp_path, "A title,,\nid,prompt,completion\n1,q,a\n"))
    assert pairs(rows) == [["q", "a"]]


def test_line_ends_and_spaces_in_a_name_are_one_space(tmp_path):
    path = write(tmp_path, '"Question\n (en)", Answer\u00a0 en \nq,a\n')
    assert pairs(load(path, columns={"question": "Question (en)", "answer": "Answer  en"})) == [
        ["q", "a"]
    ]


def test_nothing_is_guessed_where_columns_were_named(tmp_path):
    path = write(tmp_path, "prompt,completion\nq,a\n")
    named = {"question": "Frage", "answer": "Antwort"}
    assert "no column 'Frage' (question), only 'prompt', 'completion'" in sentence(
        path, columns=named
    )


def test_what_is_read_from_where_is_said(tmp_path, caplog):
    path = write(tmp_path, "Nr,Question,Answer,Urteil\n1,q,a,ja\n")
    with caplog.at_level(logging.INFO):
        load(path)
    assert caplog.messages == [
        f"Reads {path}: question from 'Question', answer from 'Answer'",
        "  not read: 'Nr', 'Urteil'",
    ]


def test_a_column_without_a_name_that_holds_text_is_said(tmp_path, caplog):
    path = write(tmp_path, ",Question,,Answer,\nx,q,note,a,\n,r,,b,\ny,s,,c,\n")
    with caplog.at_level(logging.INFO):
        rows = load(path)
    assert pairs(rows) == [["q", "a"], ["r", "b"], ["s", "c"]]
    assert caplog.messages[1] == (
        "  not read: column 1, which has no name (text in 2 rows), "
        "column 3, which has no name (text in 1 row)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Question,Answer,\nq,a,\nr,b,\n",
        "Question,Answer\nq,a,\nr,b,\n",
        "Question,Answer,,\nq,a\nr,b\n",
    ],
)
def test_a_delimiter_at_the_end_of_all_records_is_no_cell(tmp_path, text):
    rows = load(write(tmp_path, text))
    assert pairs(rows) == [["q", "a"], ["r", "b"]]
    assert rows["defect"].tolist() == ["", ""]


def test_one_cell_too_many_in_a_record_stays_a_defect(tmp_path):
    rows = load(write(tmp_path, "Question,Answer\nq,a,\nr,b,c\n"))
    assert rows["defect"].tolist() == ["3 cells where the header has 2"] * 2


def test_a_name_that_stands_twice_matters_only_where_it_is_read(tmp_path):
    rows = load(write(tmp_path, "Question,Answer,Note,Note,,\nq,a,1,2,3,4\n"))
    assert pairs(rows) == [["q", "a"]]
