import pytest

from kd_kedro.curation.records.verdict_words import read_verdict


@pytest.mark.parametrize(
    ("verdict", "known", "read"),
    [
        (" YES ", {"yes", "no"}, "yes"),
        (" ", {"yes", "no"}, ""),
        ("Nein", {"yes", "no"}, "no"),
        ("SÍ", {"yes", "no"}, "yes"),
        ("是", {"yes", "no"}, "yes"),
        ("✔\ufe0f", {"yes", "no"}, "yes"),
        ("✖\ufe0f", {"yes", "no"}, "no"),
        ("si\u0301", {"yes", "no"}, "yes"),
        ("FALSE", {"yes", "no"}, "no"),
        ("perhaps", {"yes", "no"}, None),
        ("yes, but", {"yes", "no"}, None),
        ("ja", {"gut", "schlecht"}, None),
        ("gut", {"gut", "schlecht"}, "gut"),
        ("nein", {"no"}, "no"),
        ("ja", {"no"}, None),
    ],
)
def test_which_known_word_a_verdict_says(verdict: str, known: set[str], read: str | None) -> None:
    assert read_verdict(verdict, known) == read
