"""The sample has what it declares, where it declares it."""

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from kd_kedro.curation.records.schema import row_id
from kd_kedro.fabrication.fabrication_config import FabricationParameters
from kd_kedro.pipelines.fabrication import create_pipeline
from kd_kedro.pipelines.fabrication.nodes import fabricate_sheet
from kd_kedro.text.normalise import normalise

RAW = Path(__file__).parents[2] / "data/01_raw"


def small(settings, **changes) -> FabricationParameters:
    return FabricationParameters(**(settings | {"rows": 400} | changes))


def carries(truth: pd.DataFrame, defect: str) -> pd.Series:
    return truth["defects"].str.split(";").map(lambda names: defect in names)


def test_the_committed_sheet_is_what_the_pipeline_makes(sample):
    assert (RAW / "final_qa.csv").read_bytes() == sample[0].encode()


def test_the_committed_truth_is_what_the_pipeline_makes(sample):
    made = sample[1].to_csv(index=False, lineterminator="\n")
    assert (RAW / "final_qa_truth.csv").read_bytes() == made.encode()


def test_same_seed_same_bytes(vocabulary, settings):
    first = fabricate_sheet(vocabulary, small(settings))
    second = fabricate_sheet(vocabulary, small(settings))
    assert first[0] == second[0]
    pd.testing.assert_frame_equal(first[1], second[1])


def test_another_seed_has_other_rows_and_the_same_structure(vocabulary, settings):
    one, one_truth = fabricate_sheet(vocabulary, small(settings, seed=1))
    two, two_truth = fabricate_sheet(vocabulary, small(settings, seed=2))
    assert one.splitlines()[0] == two.splitlines()[0]
    for defect in settings["shares"]:
        assert carries(one_truth, defect).sum() == carries(two_truth, defect).sum()
    assert not set(one_truth["row_id"]) & set(two_truth["row_id"])


def test_the_vocabulary_is_not_changed(vocabulary, settings):
    before = repr(vocabulary)
    fabricate_sheet(vocabulary, small(settings))
    assert repr(vocabulary) == before


def test_every_defect_has_its_share(sample, settings):
    truth = sample[1]
    assert len(truth) == settings["rows"]
    for defect, share in settings["shares"].items():
        assert carries(truth, defect).sum() == round(share * settings["rows"]), defect


def test_unreviewed_rows_and_those_off_topic_have_their_share(records, settings):
    unreviewed = records[(records["verdict"] == "") & (records["question"] != "")]
    assert len(unreviewed) == round(settings["unreviewed"] * settings["rows"])
    off_topic = carries(unreviewed, "off_topic").sum()
    assert off_topic == round(settings["unreviewed_off_topic"] * len(unreviewed))


@pytest.mark.slow
def test_row_ids_are_those_of_a_strict_reader():
    """The records are read from the file, each with the line where it starts."""
    truth = pd.read_csv(RAW / "final_qa_truth.csv", dtype=str, keep_default_na=False)
    lines = io.StringIO((RAW / "final_qa.csv").read_bytes().decode(), newline="").readlines()
    reader, start = csv.reader(lines), 0
    for number, cells in enumerate(reader):
        line, raw = start + 1, "".join(lines[start : reader.line_num]).rstrip("\n")
        start = reader.line_num
        if number:
            identity = row_id(str(line), cells if len(cells) == 5 else [raw])
            assert tuple(truth.loc[number - 1, ["row_id", "line"]]) == (identity, str(line))
    assert number == len(truth)
    assert truth["row_id"].is_unique


def test_a_rejected_row_says_so_and_no_other_does(records):
    verdicts = records["verdict"].str.strip().str.lower()
    rejected = (verdicts == "no") | (records["correction"] == "invalid")
    assert rejected.equals(carries(records, "reviewer_reject"))
    assert {"No", "no", "NO "} <= set(records["verdict"])


def test_reviewed_off_topic_rows_are_rejected(records):
    reviewed = records[carries(records, "off_topic") & (records["verdict"] != "")]
    assert carries(reviewed, "reviewer_reject").all()


def test_broken_records_break_the_contract_and_no_other_does(sample):
    text, truth = sample
    broken = carries(truth, "comma_break")
    cells = list(csv.reader(io.StringIO(text, newline="")))[1:]
    verdicts = {"yes", "no", ""}
    breaks = [len(row) != 5 or row[2].strip().lower() not in verdicts for row in cells]
    assert breaks == list(broken)
    assert {len(row) == 5 for row, bad in zip(cells, breaks, strict=True) if bad} == {True, False}


def test_lost_letters_stand_in_the_unrepairable_rows_only(records):
    lost = (records["question"] + records["answer"]).str.contains("\ufffd")
    assert lost.equals(carries(records, "unrepairable"))


def test_no_question_comes_twice_unless_it_is_planted(records):
    readable = records[records["question"] != ""]
    for _, same in readable.groupby(readable["question"].map(normalise)):
        if len(same) > 1:
            assert same["group"].nunique() == 1, list(same["question"])
            assert same["group"].iloc[0].split("-")[0] != "decoy"


def test_groups_are_pairs_with_the_survivor_first(records):
    planted = records[records["group"] != ""]
    for group, pair in planted.groupby("group"):
        kind = group.rsplit("-", 1)[0]
        marks = [kind in defects.split(";") for defects in pair["defects"]]
        assert marks == ([True, True] if kind == "contradictory" else [False, True]), group


def test_contradictions_differ_in_their_answers_alone(records):
    planted = records[records["group"].str.startswith("contradictory")]
    for _, pair in planted.groupby("group"):
        assert pair["question"].nunique() == 1
        assert pair["answer"].nunique() == 2


def test_mojibake_is_undone_by_the_opposite_misreading(records):
    """Bytes that cp1252 does not define came through as C1 controls, as browsers do it."""

    def undone(text: str) -> str:
        raw = b"".join(
            bytes([ord(c)]) if 0x80 <= ord(c) < 0xA0 else c.encode("cp1252") for c in text
        )
        return raw.decode("utf-8")

    rows = records[carries(records, "mojibake")]
    for row in rows[~rows["defects"].str.contains("mcq|fitb|unicode")].itertuples():
        whole = [row.question, row.answer]
        assert any(
            cell.isascii() is False and undone(cell) == row.expected
            for cell in whole
            if _encodable(cell)
        ), whole


def _encodable(cell: str) -> bool:
    return all(0x80 <= ord(c) < 0xA0 or c.encode("cp1252", "ignore") for c in cell)


def test_odd_unicode_differs_from_what_is_expected(records):
    rows = records[carries(records, "unicode") & ~carries(records, "mojibake")]
    for row in rows[~rows["defects"].str.contains("mcq|fitb")].itertuples():
        assert row.expected not in (row.question, row.answer)


def test_currency_signs_stand_in_their_rows_only(records):
    readable = records[~carries(records, "mojibake") & (records["question"] != "")]
    signs = (readable["question"] + readable["answer"]).str.contains("[₹€$£]")
    assert signs.equals(carries(readable, "currency"))


def test_multiple_choice_lists_the_right_option_and_the_answer_points_at_it(records):
    styles = set()
    for row in records[carries(records, "mcq")].itertuples():
        if "unicode" not in row.defects and "mojibake" not in row.defects:
            assert row.expected in row.question
        styles.add("\r\n" in row.question)
    assert styles == {True, False}


def test_blanks_and_their_fillings(records):
    rows = records[carries(records, "fitb") & ~records["defects"].str.contains("unicode|mojibake")]
    assert rows["question"].str.contains(r"____|\.\.\.\.|\[blank\]").all()
    for row in rows[~carries(rows, "mcq")].itertuples():
        assert all(filling in row.answer for filling in row.expected.split("; "))


def test_the_mark_for_money_never_reaches_the_file(sample):
    assert "\ue000" not in sample[0]
    assert not sample[1]["expected"].str.contains("\ue000").any()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"unreviewed": 0.4, "unreviewed_off_topic": 0.9}, "raise shares.off_topic"),
        ({"unreviewed": 0.0, "unreviewed_off_topic": 0.0}, "raise shares.reviewer_reject"),
        ({"rows": 60_000}, "lower fabrication.rows"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_to_do(vocabulary, settings, changes, named):
    with pytest.raises(ValueError, match=named):
        fabricate_sheet(vocabulary, FabricationParameters(**(settings | changes)))


def test_the_pipeline_runs(vocabulary, settings):
    catalog = DataCatalog(
        {
            "fabrication_vocabulary": MemoryDataset(vocabulary),
            "params:fabrication": MemoryDataset(small(settings)),
            "fabricated_qa": MemoryDataset(),
            "final_qa_truth": MemoryDataset(),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    assert len(catalog.load("final_qa_truth")) == 400
