import pytest

from kd_kedro.curation.records.contract import bring_back, check_records, identify, split_valid
from kd_kedro.curation.records.schema import RAW, row_id, table

RECORDS = table(
    RAW,
    [
        ("2", "s.csv", "What is cost?", "A sum.", " YES ", "", "", "", ""),
        ("3", "s.csv", "What is price?", "A sum", "asked for a good.", "Yes", "", "", ""),
        ("4", "s.csv", " ", "A sum.", "", "", "", "", ""),
        ("5", "s.csv", "", "", "", "", "", "6 cells where the header has 5", "a,b,c,d,e,f"),
    ],
)


def test_what_breaks_the_contract_is_named_with_file_line_and_column() -> None:
    records = identify(RECORDS)
    reasons = list(check_records(records, ["yes", "no"]).values())
    assert reasons[0].startswith(
        "s.csv, line 3: column verdict says 'asked for a good.', not one of no, yes or blank: "
        "correct the cell, or add the word to preprocessing.validation.verdicts"
    )
    assert reasons[1] == "s.csv, line 4: column question is empty"
    assert reasons[2] == "s.csv, line 5: 6 cells where the header has 5"
    valid, quarantined = split_valid(records, check_records(records, ["yes", "no"]), set())
    assert valid["line"].tolist() == ["2"]
    assert quarantined["raw"].tolist() == ["", "", "a,b,c,d,e,f"]
    assert set(quarantined["stage"]) == {"validation"}


def test_identity_is_of_position_and_cells() -> None:
    ids = identify(RECORDS)["row_id"].tolist()
    assert ids[0] == row_id("2", ["What is cost?", "A sum.", " YES ", "", ""])
    assert ids[3] == row_id("5", ["a,b,c,d,e,f"])


def test_records_that_say_the_same_on_one_line_are_rows_of_their_own() -> None:
    ids = identify(RECORDS.iloc[[0, 1, 0, 0]])["row_id"].tolist()
    assert ids[:2] == identify(RECORDS)["row_id"].tolist()[:2]
    assert len(set(ids)) == 4


def test_a_mended_row_takes_the_place_of_its_own() -> None:
    records = identify(RECORDS)
    bad = records["row_id"].iloc[3]
    mended = records.iloc[[3]].assign(question="What is a?", answer="b", defect="", raw="")
    back, seen = bring_back(records, mended)
    assert seen == {bad}
    assert back["row_id"].tolist() == records["row_id"].tolist()
    assert back["question"].iloc[3] == "What is a?"
    assert records["question"].iloc[3] == ""
    valid, _ = split_valid(back, check_records(back, ["yes", "no"]), seen)
    assert valid["mended"].tolist() == ["", "yes"]


def test_a_row_that_is_not_mended_keeps_its_raw_text() -> None:
    records = identify(RECORDS)
    untouched = records.iloc[[3]].assign(defect="", raw="")
    back, seen = bring_back(records, untouched)
    _, quarantined = split_valid(back, check_records(back, ["yes", "no"]), seen)
    assert quarantined["raw"].tolist()[-1] == "a,b,c,d,e,f"


@pytest.mark.parametrize(
    ("row", "message"), [("nobody", "is not in the sheet"), ("", "without row_id")]
)
def test_a_mended_row_of_another_sheet(row: str, message: str) -> None:
    records = identify(RECORDS)
    with pytest.raises(ValueError, match=message):
        bring_back(records, records.iloc[[3]].assign(row_id=row))


def test_a_row_mended_twice() -> None:
    records = identify(RECORDS)
    with pytest.raises(ValueError, match="stands twice"):
        bring_back(records, records.iloc[[3, 3]])


def test_a_row_keeps_its_further_columns_whatever_becomes_of_it() -> None:
    contexts = ["one", "two", "three", ""]
    records = identify(RECORDS.assign(context=contexts))
    # They are no part of its identity.
    assert records["row_id"].tolist() == identify(RECORDS)["row_id"].tolist()
    valid, quarantined = split_valid(records, check_records(records, ["yes", "no"]), set())
    assert valid["context"].tolist() == ["one"]
    assert quarantined["context"].tolist() == ["two", "three", ""]


def test_a_mended_row_keeps_its_context_where_its_copy_has_none() -> None:
    records = identify(RECORDS.assign(context=["one", "two", "three", ""]))
    copy = records.iloc[[1, 3]].assign(verdict="yes", question="What is a?", defect="")
    back, _ = bring_back(records, copy.drop(columns="context"))
    assert back["context"].tolist() == ["one", "two", "three", ""]
    assert back["question"].iloc[3] == "What is a?"
    # One that the sheet lacks is that of the mended rows alone.
    told, _ = bring_back(records, copy.assign(system=["", "Be brief."]))
    assert told["system"].tolist() == ["", "", "", "Be brief."]
    # Rows of a table without contexts may stand below those of one that has them.
    back, _ = bring_back(records, copy.assign(context=["", "four"]))
    assert back["context"].tolist() == ["one", "two", "three", "four"]
