"""Why rows were taken away, counted: the commonest first, in the order of the stages."""

import pandas as pd

from kd_kedro.curation.records.lineage import EVENT_COLUMNS
from kd_kedro.curation.records.schema import table
from kd_kedro.curation.records.set_aside import SetAside, count_set_aside, quarantine_sentence


def events(*told: tuple[str, str, str]) -> pd.DataFrame:
    """Return events of these stages, actions and reasons."""
    return table(
        EVENT_COLUMNS,
        [(f"r{n}", stage, action, why, "", "", "") for n, (stage, action, why) in enumerate(told)],
    )


def test_reasons_are_counted_without_their_places_quarantine_first() -> None:
    told = events(
        ("validation", "kept", ""),
        ("validation", "quarantined", "a.csv, line 2: no answer"),
        ("validation", "quarantined", "a.csv, line 9: column verdict says 'ja'"),
        ("validation", "quarantined", "a.csv, line 11: column verdict says 'ja'"),
        ("review", "dropped", "reviewer's verdict: No"),
        ("review", "dropped", "reviewer's verdict: no"),
        ("review", "dropped", "reviewer's verdict: no"),
        ("soap", "dropped", "off topic"),
        ("soap", "quarantined", "asks nothing"),
        ("soap", "changed", "a space at its end"),
    )
    assert count_set_aside(told, 5) == [
        SetAside("validation", "quarantined", "column verdict says 'ja'", 2),
        SetAside("validation", "quarantined", "no answer", 1),
        SetAside("review", "dropped", "reviewer's verdict: no", 2),
        SetAside("review", "dropped", "reviewer's verdict: No", 1),
        SetAside("soap", "quarantined", "asks nothing", 1),
        SetAside("soap", "dropped", "off topic", 1),
    ]


def test_many_texts_of_one_kind_are_one_reason_and_rare_reasons_are_added_up() -> None:
    told = events(
        *(("soap", "dropped", f"its score is {n}.5") for n in range(4)),
        *(("soap", "dropped", name) for name in ("one", "two", "three")),
    )
    assert count_set_aside(told, 2) == [
        SetAside("soap", "dropped", "its score is …", 4),
        SetAside("soap", "dropped", "one", 1),
        SetAside("soap", "dropped", "2 other reasons", 2),
    ]
    # A single one is told: it takes no more place than its count would.
    assert [each.reason for each in count_set_aside(told, 3)][-1] == "two"


def test_what_was_quarantined_is_said_of_the_rows_that_came_in() -> None:
    told = events(
        ("validation", "kept", ""),
        ("validation", "quarantined", "no answer"),
        ("review", "quarantined", "odd"),
    )
    assert quarantine_sentence(told).startswith("2 of 2 rows were quarantined. ")
    assert "mended_csv" in quarantine_sentence(told)
    assert quarantine_sentence(told.head(1)) == ""
    assert quarantine_sentence(events()) == ""
