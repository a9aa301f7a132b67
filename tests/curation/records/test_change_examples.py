import pandas as pd

from kd_kedro.curation.records.change_examples import examples_by_kind, kind_of
from kd_kedro.curation.records.lineage import EVENT_COLUMNS
from kd_kedro.curation.records.schema import table


def rows(*cells):
    return table(["row_id", "question", "answer"], cells)


def events(*records):
    return table(EVENT_COLUMNS, [(r, s, a, why, "x", "y", e) for r, s, a, why, e in records])


def test_each_kind_is_counted_and_shown_with_what_it_became():
    made = examples_by_kind(
        events(
            ("d", "validation", "quarantined", "s.csv, line 7: 4 cells, 5 expected", ""),
            ("a", "validation", "kept", "", ""),
            ("b", "validation", "kept", "", ""),
            ("c", "validation", "kept", "", ""),
            ("a", "cleaning", "changed", "text repaired", ""),
            ("b", "cleaning", "kept", "", ""),
            ("c", "cleaning", "kept", "", ""),
            ("a", "deduplication", "kept", "", ""),
            ("b", "deduplication", "dropped", "same question", '{"survivor_id":"a"}'),
            ("c", "deduplication", "dropped", "same question", '{"survivor_id":"a"}'),
        ),
        {
            "validation": rows(("a", "qâ€™s", "x"), ("b", "q's", "x"), ("c", "q's!", "x")),
            "cleaning": rows(("a", "q's", "x"), ("b", "q's", "x"), ("c", "q's!", "x")),
            "deduplication": rows(("a", "q's", "x")),
        },
        rows(("d", "broken", "row")),
        count=1,
    )
    assert made.drop(columns="evidence").to_numpy().tolist() == [
        ["validation", "quarantined", "… cells, … expected", "1", "d", "broken", "row", ""],
        ["cleaning", "changed", "text repaired", "1", "a", "qâ€™s", "x", "q's"],
        ["deduplication", "dropped", "same question", "2", "b", "q's", "x", "q's\nx"],
    ]


def test_rows_that_a_stage_had_to_leave_are_counted_too():
    left = rows(("a", "Was ist Miete?", "x"), ("b", "Was ist Brot?", "x"), ("c", "rent", "x"))
    made = examples_by_kind(
        events(
            ("a", "augmentation", "kept", "left as it is: in German", ""),
            ("b", "augmentation", "kept", "left as it is: in German", ""),
            ("c", "augmentation", "kept", "train", ""),
        ),
        {"augmentation": left},
        rows(),
        count=1,
    )
    assert made[["action", "kind", "rows"]].to_numpy().tolist() == [
        ["kept", "left as it is: in German", "2"]
    ]


def test_long_cells_are_cut_and_nothing_removed_gives_an_empty_table():
    long = rows(("a", "q" * 1000, "x"))
    kept = events(("a", "validation", "kept", "", ""))
    assert examples_by_kind(kept, {"validation": long}, rows(), count=2).empty
    changed = events(("a", "cleaning", "changed", "text repaired", ""))
    made = examples_by_kind(
        pd.concat([kept, changed]),
        {"validation": long, "cleaning": rows(("a", "w" * 900, "x"))},
        rows(),
        count=2,
    )
    assert made["question"].str.len().tolist() == [401]
    assert made["became"].iloc[0].endswith("w…")


def test_a_kind_is_a_reason_without_places_and_advice():
    asked = "open the sheet in a spreadsheet program and save it again"
    told = "the formula there has no stored value"
    assert kind_of(f"s.xlsx, line 5: column Answer: {told}: {asked}") == f"column Answer: {told}"
    assert kind_of("s.csv, line 7: 4 cells, 5 expected") == "… cells, … expected"
    assert len(kind_of("word " * 90)) == 80
