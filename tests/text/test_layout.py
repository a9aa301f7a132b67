import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.text.layout import around_code, code_spans, has_layout


@pytest.mark.parametrize(
    "text",
    [
        "a:\n  - b",
        "all:\n\techo",
        "| a | b |\n| 1 | 2 |",
        "- one\n- two",
        "1. one\n2. two",
        "one  \ntwo",
        "```\nx\n```",
        "int x = 1;\nint y = 2;",
        "--- a/x\n+++ b/x",
        "    x = 1\ny",
    ],
)
def test_white_space_that_means_something(text: str) -> None:
    assert has_layout(text)


@pytest.mark.parametrize("text", ["", "One line.", "Two lines\nof prose.", "a  b", "\n a word"])
def test_white_space_of_prose(text: str) -> None:
    assert not has_layout(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("run `a b` and ``c`d``", ["`a b`", "``c`d``"]),
        ("so\n```py\nx = `1`\n```\nend", ["```py\nx = `1`\n```"]),
        ("so\n    x = 1\nend", ["    x = 1"]),
        ("```\nnever closed", ["```\nnever closed"]),
        ("a ` 5 and no other", []),
    ],
)
def test_code_is_found(text: str, code: list[str]) -> None:
    assert [text[start:end] for start, end in code_spans(text)] == code


def test_prose_is_rewritten_around_code() -> None:
    made = around_code("say `say` twice", lambda prose: [prose.replace("say", "tell")])
    assert made == ["tell `say` twice"]


def test_a_rewrite_that_loses_code_is_none() -> None:
    assert around_code("say `a` and `b`", lambda prose: ["say nothing", prose.upper()]) == [
        "SAY `a` AND `b`"
    ]


@given(st.text(alphabet="a` \n\t~x", max_size=40))
def test_what_is_not_rewritten_comes_back(text: str) -> None:
    assert around_code(text, lambda prose: [prose]) == [text]
