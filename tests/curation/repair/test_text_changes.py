from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.repair.text_changes import (
    MOST_SPANS,
    Span,
    change_evidence,
    changed_characters,
    changed_spans,
)

FEW = st.text(alphabet="ab \n\u200b", max_size=40)


def test_each_changed_place_is_found() -> None:
    spans = changed_spans("â‚¹ 500 and â‚¹ 700\r\nend", "₹ 500 and ₹ 700\nend")
    assert spans == [Span(0, "â‚¹", "₹"), Span(12, "â‚¹", "₹"), Span(19, "\r", "")]
    assert changed_characters(spans) == 7


def test_spaces_at_both_ends_are_two_places() -> None:
    assert changed_spans("  a word\n", "a word") == [Span(0, "  ", ""), Span(8, "\n", "")]


@given(FEW, FEW)
def test_spans_make_one_text_of_the_other(before: str, after: str) -> None:
    made, at = "", 0
    for span in changed_spans(before, after):
        assert before[span.start : span.start + len(span.before)] == span.before
        assert span.before != span.after
        made += before[at : span.start] + span.after
        at = span.start + len(span.before)
    assert made + before[at:] == after


def test_evidence_counts_all_and_shows_a_few() -> None:
    before = "word\u200b " * 30 + "x" * 500
    facts = change_evidence("answer", "control_characters", before, before.replace("\u200b", ""))
    assert (facts["column"], facts["repair"]) == ("answer", "control_characters")
    assert (facts["characters"], facts["places"]) == (30, 30)
    assert facts["spans"][:2] == [
        {"at": 4, "before": "\u200b", "after": ""},
        {"at": 10, "before": "\u200b", "after": ""},
    ]
    assert len(facts["spans"]) == MOST_SPANS


def test_a_long_place_is_cut_in_the_evidence() -> None:
    (span,) = change_evidence("answer", "edge_spaces", "a" + " " * 900, "a")["spans"]
    assert span == {"at": 1, "before": " " * 80 + "…", "after": ""}
