"""Workbooks as people bring them: several sheets, merged and hidden cells, titles, formats."""

import datetime as dt
import logging

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from tests.datasets.sheets.sheet_files import HEADER, load, pairs, sentence, workbook

NOTES = [["Read me"], ["the rows are elsewhere"]]


def test_the_only_sheet_with_the_columns_is_read_and_the_others_are_named(tmp_path, caplog):
    path = workbook(tmp_path, {"Notes": NOTES, "QA": [HEADER, ["q", "a"]], "Empty": []})
    with caplog.at_level(logging.INFO):
        rows = load(path)
    assert rows[["line", "source"]].to_numpy().tolist() == [["2", "sheet.xlsx, sheet QA"]]
    assert "sheet 'QA': question from 'Question'" in caplog.text
    assert "has other sheets, which are not read: 'Notes'" in caplog.text
    assert "Empty" not in caplog.text


def test_of_several_sheets_the_first_or_the_one_that_is_named(tmp_path):
    path = workbook(tmp_path, {"A": [HEADER, ["q", "a"]], "2024": [HEADER, ["r", "b"]]})
    assert pairs(load(path)) == [["q", "a"]]
    assert pairs(load(path, sheet=2024)) == [["r", "b"]]
    assert pairs(load(path, sheet="a")) == [["q", "a"]]


def test_names_that_were_asked_for_count_more_than_known_ones(tmp_path):
    known, asked = [["text", "label"], ["x", "y"]], [HEADER, ["q", "a"]]
    assert pairs(load(workbook(tmp_path, {"Lists": known, "QA": asked}))) == [["q", "a"]]
    assert pairs(load(workbook(tmp_path, {"Notes": NOTES, "Lists": known}))) == [["x", "y"]]


def test_a_workbook_that_does_not_say_which_sheet_is_refused(tmp_path):
    rows = [HEADER, ["q", "a"]]
    path = workbook(tmp_path, {"Notes": NOTES, "A": rows, "B": rows})
    assert "in the sheets 'A', 'B': name one of them in qa_sheet" in sentence(path)
    assert "has no sheet 'C': it has 'Notes', 'A', 'B'" in sentence(path, sheet="C")
    path = workbook(tmp_path, {"Notes": NOTES, "A": [["Nr", "My Question"], [1, "q"]]})
    said = sentence(path)
    assert "in none of its sheets 'Notes', 'A': 'Notes' has 'Read me'; 'A' has 'Nr', 'My" in said


def test_a_hidden_sheet_is_read_only_where_it_is_named(tmp_path):
    def hide(book):
        book["B"].sheet_state = "hidden"

    path = workbook(tmp_path, {"A": NOTES, "B": [HEADER, ["q", "a"]]}, hide)
    assert "none of its sheets 'A', 'B' (hidden)" in sentence(path)
    assert pairs(load(path, sheet="B")) == [["q", "a"]]


def test_errors_name_sheet_and_row(tmp_path):
    path = workbook(tmp_path, {"QA": [["T"], ["Question", "Reply"], ["q", "a"]]})
    assert f"{path}, sheet 'QA', row 2: there is no column 'Answer'" in sentence(path)
    assert "sheet 'QA' has a header and no rows" in sentence(workbook(tmp_path, {"QA": [HEADER]}))
    assert "sheet 'QA' is empty" in sentence(workbook(tmp_path, {"QA": []}))


def test_a_title_of_merged_cells_stands_above_the_header(tmp_path, caplog):
    rows = [["Report", None, None], [], HEADER, ["q", "a", None]]
    path = workbook(tmp_path, {"QA": rows}, lambda book: book["QA"].merge_cells("A1:C1"))
    with caplog.at_level(logging.INFO):
        found = load(path)
    assert found[["line", "question", "defect"]].to_numpy().tolist() == [["4", "q", ""]]
    assert "the header is row 3, below a title" in caplog.text


def test_a_header_merged_down_over_two_rows_is_one(tmp_path):
    def merge(book):
        for area in ("A2:A3", "B2:B3", "C2:D2"):
            book["QA"].merge_cells(area)

    rows = [
        ["Report"],
        ["Question", "Answer", "Review", None],
        [None, None, "Classification", "Remarks"],
        ["q", "a", "No", "r"],
    ]
    found = load(workbook(tmp_path, {"QA": rows}, merge))
    assert found[["line", "question", "verdict", "remarks"]].to_numpy().tolist() == [
        ["4", "q", "No", "r"]
    ]


def test_a_cell_merged_with_another_says_so_and_nothing_else(tmp_path, caplog):
    def merge(book):
        for area in ("A2:A3", "B4:B5", "C6:C7", "A8:C8", "A9:A10", "B9:B10", "D2:D9"):
            book["QA"].merge_cells(area)

    rows = [
        [*HEADER, "Remarks"],
        ["q1", "a1", None, "all"],
        [None, "a2"],
        ["q3", "a3"],
        ["q4", None],
        ["q5", "a5", "No"],
        ["q6", "a6", None],
        ["Part 2", None, None],
        ["q7", "a7", None],
        [None, None, None],
    ]
    with caplog.at_level(logging.INFO):
        found = load(workbook(tmp_path, {"QA": rows}, merge))
    said = {row["line"]: row["defect"] for row in found.to_dict("records")}
    assert list(said) == ["2", "3", "4", "5", "6", "7", "8", "9"]
    assert {line for line, defect in said.items() if not defect} == {"2", "4", "6", "9"}
    for line, column, first in (
        ("3", "Question", "A2"),
        ("5", "Answer", "B4"),
        ("7", "Classification", "C6"),
        ("8", "Answer", "A8"),
    ):
        assert said[line].startswith(f"column {column}: merged with {first}, so it has no")
    assert "cells are merged (A2:A3 and 6 more)" in caplog.text


def test_hidden_rows_and_columns_are_read_and_said(tmp_path, caplog):
    def hide(book):
        book["QA"].row_dimensions[3].hidden = True
        book["QA"].column_dimensions["B"].hidden = True

    with caplog.at_level(logging.INFO):
        rows = load(workbook(tmp_path, {"QA": [HEADER, ["q", "a"], ["r", "b"]]}, hide))
    assert pairs(rows) == [["q", "a"], ["r", "b"]]
    assert "hidden rows are read too (1)" in caplog.text
    assert "hidden columns (B) count" in caplog.text


def test_cells_are_what_their_formats_show(tmp_path):
    values = [
        (5, ";;;", ""),
        (0, "0;-0;;@", ""),
        ("x", '@" €"', "x €"),
        ("x", "0.00", "x"),
        (dt.timedelta(hours=30, minutes=5), "[h]:mm", "30:05"),
        (dt.datetime(2024, 2, 3), "[$-407]d. mmmm yyyy", "3. Februar 2024"),
        (150, '[>100]0" big";0" small"', "150 big"),
        ("two\nlines", "General", "two\nlines"),
        ("a_x000D_\nb_x005F_x000D_", "General", "a\r\nb_x000D_"),
        ("long " * 6000, "General", "long " * 6000),
    ]

    def shape(book):
        for row, (_, code, _) in enumerate(values, start=2):
            book["QA"].cell(row, 2).number_format = code

    rows = [HEADER, *(["q", value] for value, _, _ in values)]
    found = load(workbook(tmp_path, {"QA": rows}, shape))
    assert found["answer"].tolist() == [text for _, _, text in values]
    hidden = "column Answer: the number format of the cell shows nothing of it"
    assert found["defect"].tolist() == [hidden, hidden, *[""] * 8]


def test_dates_of_a_workbook_that_counts_from_1904(tmp_path):
    def mac(book: openpyxl.Workbook):
        book.epoch = CALENDAR_MAC_1904

    path = workbook(tmp_path, {"QA": [HEADER, ["q", dt.date(2024, 2, 3)]]}, mac)
    assert pairs(load(path)) == [["q", "2024-02-03"]]


@pytest.mark.parametrize("sheet", ["QA", 1])
def test_a_sheet_is_no_part_of_a_text_file(tmp_path, sheet):
    (tmp_path / "sheet.csv").write_text("Question,Answer\nq,a\n")
    assert "has no sheets: leave qa_sheet empty" in sentence(
        str(tmp_path / "sheet.csv"), sheet=sheet
    )
