"""Rows keep their identity, events account for every one of them."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.records.lineage import EVENT_COLUMNS, make_waterfall, record_stage, trace
from kd_kedro.curation.records.schema import content_hash, row_id
from kd_kedro.text.normalise import normalise


def rows(**texts: str) -> pd.DataFrame:
    return pd.DataFrame(
        [(key, text, "answer") for key, text in texts.items()],
        columns=["row_id", "question", "answer"],
    )


def test_one_event_a_row_with_its_action() -> None:
    before = rows(a="same", b="old", c="gone", d="odd")
    after = rows(a="same", b="new", e="made")
    events = record_stage(
        "review",
        before,
        after,
        dropped={"c": "reviewer rejected"},
        quarantined={"d": "no answer"},
        created={"e": "made from a"},
        evidence={"c": {"verdict": "No"}},
    )
    assert list(events.columns) == EVENT_COLUMNS
    assert dict(zip(events["row_id"], events["action"], strict=True)) == {
        "a": "kept",
        "b": "changed",
        "c": "dropped",
        "d": "quarantined",
        "e": "created",
    }
    assert events.loc[events["row_id"] == "c", "evidence"].item() == '{"verdict":"No"}'
    assert events.loc[events["row_id"] == "b", "after_hash"].item() == content_hash("new", "answer")


@pytest.mark.parametrize(
    ("after", "removed", "message"),
    [
        (rows(a="x"), {}, "1 rows vanished without a reason, first b"),
        (rows(a="x", b="y"), {"b": "why"}, "removed but still there"),
        (rows(a="x", b="y", c="z"), {}, "appeared unannounced"),
    ],
)
def test_a_row_cannot_vanish_or_appear(
    after: pd.DataFrame, removed: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        record_stage("soap", rows(a="x", b="y"), after, dropped=removed)


def test_a_row_cannot_stand_twice() -> None:
    twice = pd.concat([rows(a="x"), rows(a="x")])
    with pytest.raises(ValueError, match="row a stands in the table twice"):
        record_stage("soap", twice, rows(a="x"))


def test_waterfall_counts_and_conserves() -> None:
    first = record_stage("validation", rows(a="x", b="y"), rows(a="x"), quarantined={"b": "bad"})
    second = record_stage("review", rows(a="x"), rows(a="x", c="z"), created={"c": "made"})
    waterfall = make_waterfall(pd.concat([first, second]))
    assert waterfall.to_numpy().tolist() == [
        ["validation", "2", "0", "1", "0", "1"],
        ["review", "1", "1", "2", "0", "0"],
    ]
    other_run = record_stage("review", rows(a="x", b="y"), rows(a="x", b="y"))
    with pytest.raises(ValueError, match="review saw 2 rows but validation left 1"):
        make_waterfall(pd.concat([first, other_run]))


@given(st.sets(st.text("abcdef", min_size=1, max_size=2), max_size=12), st.data())
def test_waterfall_conserves_whatever_a_stage_does(ids: set[str], data: st.DataObject) -> None:
    before = rows(**dict.fromkeys(sorted(ids), "text"))
    fate = {key: data.draw(st.sampled_from(["keep", "drop", "hold"])) for key in sorted(ids)}
    after = before[before["row_id"].map(fate) == "keep"]
    events = record_stage(
        "soap",
        before,
        after,
        dropped={key: "why" for key, what in fate.items() if what == "drop"},
        quarantined={key: "why" for key, what in fate.items() if what == "hold"},
    )
    for record in make_waterfall(events).to_dict("records"):
        counts = {key: int(record[key]) for key in ("in", "created", "out", "dropped")}
        held = int(record["quarantined"])
        assert counts["in"] + counts["created"] == counts["out"] + counts["dropped"] + held


def test_trace_follows_a_row_and_what_was_made_from_it() -> None:
    made = record_stage(
        "augmentation", rows(a="x"), rows(a="x", **{"a-typo": "xx"}), created={"a-typo": "typo"}
    )
    first = record_stage("validation", rows(a="x"), rows(a="x"))
    life = trace(pd.concat([first, made]), "a")
    assert life["stage"].tolist() == ["validation", "augmentation", "augmentation"]
    with pytest.raises(ValueError, match="row nosuch is in no event"):
        trace(made, "nosuch")


def test_row_id_depends_on_position_and_on_where_cells_end() -> None:
    assert row_id("2", ["ab", "c"]) != row_id("3", ["ab", "c"])
    assert row_id("2", ["ab", "c"]) != row_id("2", ["a", "bc"])
    assert len(row_id("2", ["ab", "c"])) == 12


@pytest.mark.parametrize(
    ("left", "right"),
    [("What  is  Cash ?", "what is cash"), ("'Cash' book.", "cash book")],
)
def test_normalise_unites(left: str, right: str) -> None:
    assert normalise(left) == normalise(right)


@pytest.mark.parametrize(
    ("left", "right"), [("2.5 % of 10", "25 % of 10"), ("a - b", "a + b"), ("₹ 5", "$ 5")]
)
def test_normalise_keeps_numbers_operators_and_currency(left: str, right: str) -> None:
    assert normalise(left) != normalise(right)
