import csv
import datetime
import io
import re
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DatasetError

from kd_kedro.curation.records.schema import CONFLICTS, DISCARDED, QUARANTINED
from kd_kedro.datasets.qa_sheet import MENDED, QASheetDataset
from kd_kedro.datasets.sheets import delimited
from tests.datasets.sheets.sheet_files import COLUMNS, load, sentence, write

HEADER = "Question,Answer,Classification,Correction_Question,Remarks\n"
SHARED = Path(__file__).parents[2] / "../shared/data/accounting_qa/input_qa.csv"


def test_all_cells_are_text_and_nothing_is_missing(tmp_path):
    rows = load(write(tmp_path, HEADER + "None,NA,007,nan,1e5\n7,,,,\n"))
    cells = rows[["question", "answer", "verdict", "correction", "remarks"]].to_numpy().tolist()
    assert cells == [["None", "NA", "007", "nan", "1e5"], ["7", "", "", "", ""]]
    assert rows.notna().to_numpy().all()
    assert rows["source"].tolist() == ["sheet.csv", "sheet.csv"]


def test_lines_are_where_records_start(tmp_path):
    text = HEADER + 'q1,"one\ntwo\r\nthree",Yes,,\r\n\nq2,a,No,,\n"q\n3",a,,,\nq4,a,,,'
    rows = load(write(tmp_path, text))
    assert rows["line"].tolist() == ["2", "6", "7", "9"]
    assert rows["answer"][0] == "one\ntwo\r\nthree"


@pytest.mark.parametrize("mark", [";", "\t", ","])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_delimiter_is_that_of_the_header_outside_quotes(tmp_path, mark, bom):
    header = mark.join(['"Ques,;\ttion"', "Answer", "Extra"])
    text = f"{header}\n{mark.join(['a;,b' if mark == chr(9) else 'ab', 'c', 'd'])}\n"
    columns = {"question": "Ques,;\ttion", "answer": "Answer", "verdict": None}
    rows = QASheetDataset(write(tmp_path, bom + text.encode()), columns).load()
    assert rows["answer"].tolist() == ["c"]
    assert rows["verdict"].tolist() == [""]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("sep=;\nQuestion;Answer\nq;a, b\n", {}),
        ('"sep=|"\r\nQuestion|Answer\r\nq|a, b\r\n', {}),
        ("SEP=^\nQuestion^Answer\nq^a, b\n", {}),
        ("Question|Answer\nq|a, b\n", {}),
        ("Question, asked;Answer\nq;a, b\n", {"question": "Question, asked"}),
        ("Nr, from 1;Question;Answer\n1, 2;q;a, b\n", {}),
        ("Question;Answer, Reason, Place\nq;a, b\n", {"answer": "Answer, Reason, Place"}),
    ],
)
def test_the_delimiter_is_what_the_sheet_says_or_what_fits_it_best(tmp_path, text, columns):
    names = {"question": "Question", "answer": "Answer", **columns}
    rows = QASheetDataset(write(tmp_path, text), names).load()
    assert rows[["question", "answer"]].to_numpy().tolist() == [["q", "a, b"]]
    assert rows["line"].tolist() == ["3" if "ep=" in text.casefold() else "2"]


def test_spaces_around_quotes_belong_to_no_cell(tmp_path):
    rows = load(
        write(
            tmp_path,
            HEADER
            + 'q1, "a, b",Yes,,\n"q2" ,  "two\nlines"  ,No, "x" , "y" \n'
            + 'q3, 5" pipe,Yes,,\nq4, "so" he said,,,\nq5, plain ,,,\n',
        )
    )
    assert rows["answer"].tolist() == ["a, b", "two\nlines", ' 5" pipe', ' "so" he said', " plain "]
    assert rows["defect"].tolist() == [""] * 5
    assert rows["remarks"][1] == "y"


def test_too_many_or_too_few_cells_are_a_defect_of_their_row_alone(tmp_path):
    rows = load(write(tmp_path, HEADER + "q,a,b,Yes,,\nq2,a2,Yes,,\nq3,a3\n"))
    assert rows["defect"].tolist() == [
        "6 cells where the header has 5",
        "",
        "2 cells where the header has 5",
    ]
    assert rows["raw"].tolist() == ["q,a,b,Yes,,", "", "q3,a3"]
    assert rows["question"].tolist() == ["", "q2", ""]


def test_a_stray_quote_is_a_defect_of_its_row_alone(tmp_path):
    rows = load(write(tmp_path, HEADER + '"he said "hi", ok",a,Yes,,\n5" pipe,a,Yes,,\n'))
    assert rows["defect"][0].startswith("text after the closing quote of cell 1")
    assert rows["question"].tolist() == ["", '5" pipe']


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "sheet.csv is empty"),
        (b"\xef\xbb\xbf \n", "sheet.csv is empty"),
        (HEADER.encode(), "has a header and no rows"),
        (b"Question,Reply\nq,a\n", r"no column 'Answer' \(answer\), only 'Question', 'Reply'"),
        (b"question,Answer\nq,a\n", "no column 'Question'.* but 'question'"),
        (b"Question,Answer,classification\nq,a,b\n", "'Classification'.* but 'classification'"),
        (b"Question,Answer,Answer\nq,a,a\n", "line 1: column 'Answer' stands there 2 times"),
        (HEADER.encode() + b"q,a,,,\nq,caf\xe9,,,\n", "line 3: byte 0xe9 at offset 71"),
        (b"\xef\xbb\xbfQuestion,Answer\nq,\xe9\n", "line 2: byte 0xe9 at offset 21"),
        ((HEADER + "q,a,,,\n").encode("utf-16"), "UTF-16"),
        (HEADER.encode() + b'q,"a,Yes,,\nq2,b,Yes,,\n', "line 2: the quote opened here is never"),
        (
            HEADER.encode() + b'q,a,,,\nq,"a,Yes,,\nq2,"b, c",Yes,,\n',
            "line 3: the quote opened here is not closed .* line 4",
        ),
        (HEADER.encode() + b"q,a,,,\nq\0,a,,,\n", "line 3: NUL byte"),
        (
            HEADER.encode() + b"q,a,,,\nq," + b"x" * 10_000_000 + b",,,\n",
            "line 3, column 2: .*10.0",
        ),
        (b"PK\x03\x04junk", "spreadsheet by content"),
    ],
)
def test_bad_files_end_with_one_sentence(tmp_path, content, expected):
    message = sentence(write(tmp_path, content))
    assert re.search(expected, message), message
    assert str(tmp_path / "sheet.csv") in message


def test_bad_paths_end_with_one_sentence(tmp_path):
    assert "does not exist" in sentence(str(tmp_path / "none.csv"))
    assert "is a directory" in sentence(str(tmp_path))
    assert "'.ods', which is not read" in sentence(write(tmp_path, "x", "sheet.ods"))
    assert "cannot be read as Parquet" in sentence(write(tmp_path, "x", "sheet.parquet"))
    assert "cannot be read as XLSX" in sentence(write(tmp_path, "x", "sheet.xlsx"))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"question": "Question"}, "has no answer"),
        ({"question": "Q", "answer": "Q"}, "gives 'Q' to question and to another"),
        ({"question": "Q", "answer": "A", "anwser": "A"}, "'anwser' is almost 'answer'"),
    ],
)
def test_a_wrong_mapping_ends_with_one_sentence(tmp_path, columns, expected):
    assert expected in sentence(write(tmp_path, HEADER + "q,a,,,\n"), columns=columns)


def test_a_sheet_without_the_column_is_told_to_name_it_whatever_it_is_called(tmp_path):
    path = write(tmp_path, "frage,answer\nq,a\n")
    said = sentence(path, columns={"question": "question", "answer": "answer"})
    assert "only 'frage', 'answer'; set columns.question" in said


def test_options_in_columns_stand_below_the_question(tmp_path):
    columns = {"question": "Q", "answer": "R", "options": ["A", "B", "C"]}
    path = write(tmp_path, "Q,A,B,C,R\nWhich?,one,two,three,B\nWhat is it?,,,,it\n")
    rows = QASheetDataset(path, columns).load()
    assert list(rows["question"]) == ["Which?\n(a) one\n(b) two\n(c) three", "What is it?"]
    assert list(rows["defect"]) == ["", ""]


def test_a_row_with_a_gap_in_its_options_or_no_question_gains_none(tmp_path):
    columns = {"question": "Q", "answer": "R", "options": ["A", "B", "C"]}
    rows = "Which?,A,x,,z\n,A,x,y,z\nWhich?,A,x,y,\n"
    made = QASheetDataset(write(tmp_path, "Q,R,A,B,C\n" + rows), columns).load()
    assert made["defect"].tolist() == ["option (b) is empty and a later one is not", "", ""]
    assert made["question"].tolist() == ["", "", "Which?\n(a) x\n(b) y"]


def test_a_review_queue_comes_back_with_a_verdict_in_each_row(tmp_path):
    header = "row_id,line,source,question,answer,verdict,why\n"
    path = write(tmp_path, header + "a,1,s,q?,r,yes,w\nb,2,s,q?,r, ,w\n")
    assert "line 3: the verdict is blank; write yes or no" in sentence(path, optional=True)
    judged = write(tmp_path, header + "a,1,s,q?,r,yes,w\n")
    assert len(load(judged, optional=True)) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [("ABC", "give a list"), (["A", "D"], "there is no column 'D' (options)")],
)
def test_wrong_option_columns_end_with_one_sentence(tmp_path, options, expected):
    columns = {"question": "Q", "answer": "R", "options": options}
    path = write(tmp_path, "Q,A,B,R\nWhich?,one,two,B\n")
    assert expected in sentence(path, columns=columns)


def test_xlsx_cells_become_the_text_that_was_typed(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(list(COLUMNS.values()))
    sheet.append(["007", 7, 7.0, 2.5, None])
    sheet.append([])
    sheet.append([datetime.date(2024, 3, 1), datetime.datetime(2024, 3, 1, 9, 30), True, "", ""])
    sheet.append(["q", "a", "Yes", "", "", "too much"])
    sheet.append(["q", "=1+1"])
    sheet.append(["a_x000D_\nb", "c"])
    book.save(tmp_path / "sheet.xlsx")
    rows = load(str(tmp_path / "sheet.xlsx"))
    cells = rows[["question", "answer", "verdict", "correction", "remarks"]].to_numpy().tolist()
    assert cells[0] == ["007", "7", "7", "2.5", ""]
    assert cells[1][:3] == ["2024-03-01", "2024-03-01 9:30:00", "yes"]
    assert rows["line"].tolist() == ["2", "4", "5", "6", "7"]
    assert cells[4][0] == "a\r\nb"
    assert rows["defect"][2] == "6 cells where the header has 5"
    assert rows["defect"][3].startswith("column Answer: the formula there has no stored value")


def test_xlsx_cells_are_what_they_show(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Question", "Answer", "Classification", "Note"])
    shown = [(0.73, "0.00%"), (12.5, '"€" 0.00'), (42, "00000"), (0.1 + 0.2, "General")]
    for number, (value, code) in enumerate(shown, start=2):
        sheet.append([f"q{number}", value, True])
        sheet.cell(number, 2).number_format = code
    sheet.append(["q6", "#N/A", False, "a"])
    sheet.append(["q7", "a", None, "#DIV/0!"])
    for row, column in ((6, 2), (7, 4)):
        sheet.cell(row, column).data_type = "e"
    book.save(tmp_path / "sheet.xlsx")
    columns = {"question": "Question", "answer": "Answer", "verdict": "Classification"}
    rows = QASheetDataset(str(tmp_path / "sheet.xlsx"), columns).load()
    assert rows["answer"].tolist() == ["73.00%", "€ 12.50", "00042", "0.3", "", "a"]
    assert rows["verdict"].tolist() == ["yes"] * 4 + ["", ""]
    assert rows["defect"].tolist() == [
        *[""] * 4,
        "column Answer: the cell shows the error #N/A",
        "",
    ]


@pytest.mark.parametrize("path", ["", None, str(Path(__file__).parents[2])])
def test_no_mended_copy_is_an_empty_table(path):
    dataset = QASheetDataset(path, COLUMNS, optional=True)
    rows = dataset.load()
    assert list(rows.columns) == MENDED
    assert rows.empty
    assert dataset.exists()


@pytest.mark.parametrize("columns", [QUARANTINED, DISCARDED, CONFLICTS])
def test_a_mended_copy_keeps_row_id_and_place(tmp_path, columns):
    cells = {"row_id": "abc", "line": "17", "source": "sheet.csv", "question": "q", "raw": "raw"}
    row = [cells.get(name, name) for name in columns]
    path = write(tmp_path, f"{','.join(columns)}\n{','.join(row)}\n")
    row = load(path, optional=True).iloc[0]
    assert row[["row_id", "line", "source", "question", "raw"]].tolist() == [
        "abc",
        "17",
        "sheet.csv",
        "q",
        "",
    ]


def test_a_mistaken_mended_copy_ends_with_one_sentence(tmp_path):
    assert "no column 'row_id'" in sentence(write(tmp_path, HEADER + "q,a,,,\n"), optional=True)
    assert "does not exist" in sentence(str(tmp_path / "none.csv"), optional=True)
    path = write(tmp_path, "row_id,question,answer\nabc,q\n")
    assert "line 2: 2 cells where the header has 3" in sentence(path, optional=True)


def test_the_users_file_is_never_written(tmp_path):
    path = write(tmp_path, HEADER + "q,a,,,\n")
    with pytest.raises(DatasetError, match="user's file"):
        QASheetDataset(path, COLUMNS).save("anything")


def test_preview_shows_first_rows(tmp_path):
    preview = QASheetDataset(write(tmp_path, HEADER + "q,a,,,\n" * 9), COLUMNS).preview()
    assert len(preview["data"]) == 5
    assert QASheetDataset.preview.__annotations__["return"].__name__ == "TablePreview"


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2
        ),
        min_size=1,
    ),
    st.sampled_from(delimited.DELIMITERS),
)
def test_what_the_csv_module_writes_is_read_back(cells, mark):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=mark, quoting=csv.QUOTE_ALL).writerows(cells)
    found = list(delimited.records(Path("x.csv"), buffer.getvalue(), mark))
    assert [record.cells for record in found] == cells
    assert not any(record.defect for record in found)


def test_the_real_sheet_reads_as_the_csv_module_reads_it():
    if not SHARED.exists():
        pytest.skip(f"shared data absent: {SHARED}")
    with SHARED.open(encoding="utf-8", newline="") as file:
        expected = list(csv.reader(file))[1:]
    rows = load(str(SHARED))
    assert rows[list(COLUMNS)].to_numpy().tolist() == expected
