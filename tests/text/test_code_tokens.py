import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.text.code_tokens import code_differs, code_key, code_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("What does any() do?", {"any"}),
        ("Is `None` falsy? And `git  add -A`?", {"None", "git", "add", "-A"}),
        ("```py\nx = 1\n```", {"py", "x", "=", "1"}),
        ("What does -d do, and --no-cache=x?", {"-d", "--no-cache=x"}),
        ("What is chmod +x?", {"+x"}),
        ("Is a <= b, or >> or && or i++?", {"<=", ">>", "&&", "i++"}),
        ("json.loads, setup.py and .gitignore", {"json.loads", "setup.py", ".gitignore"}),
        (
            "std::move, my_var, __init__ and parseInt",
            {"std::move", "my_var", "__init__", "parseint"},
        ),
        ("/etc/passwd and ~/x", {"/etc/passwd", "~/x"}),
        ("$push, @Test, #include and :after", {"$push", "@test", "#include", ":after"}),
        ("What does <br> do?", {"<br>"}),
        (r"Is \D in a regex \d?", {r"\D", r"\d"}),
        ("What does sort! do in Ruby?", {"sort!"}),
        ("What does : do and what does cd .. do?", {":", ".."}),
        ("Is [1, 2] of {a,b} or (0, 1]?", {"[1,2]", "{a,b}", "(0,1]"}),
        ("Is f' of -5 in A∪B = -3?", {"f'", "-5", "∪", "-3"}),
        ("What are *p and &p?", {"*p", "&p"}),
        ("Is 5 mW a MW, 10mHz, pH 7 or VAT in Mb/s?", {"mW", "mHz", "pH", "Mb"}),
    ],
)
def test_what_looks_like_code(text: str, tokens: set[str]) -> None:
    assert code_tokens(text) == tokens


@pytest.mark.parametrize(
    "text",
    [
        "Was it sold?Find it, e.g. at 5 p.a., by a Ph.D. of the U.S.A.!",
        "Stop! Then go: A & B / C - D = 5% #1 (net)",
        "Fill in ____ and ______.",
        "| a | b |\n|---|---|",
        "Rs.500, ₹500 and $500 at a 3:2 ratio, 1/2 or and/or",
        "Qu'est-ce que c'est ? L'état",
        "What is an account(s) payable?",
        "Does he pay [Delhi, 2015] or (1, 2) ? The firms' -500, 'x' and rock 'n' roll .. so",
    ],
)
def test_prose_is_no_code(text: str) -> None:
    assert code_tokens(text) == frozenset()


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("What does any() do?", "What does all() do?", True),
        ("What does `len` do?", "What does len() do?", False),
        ("How does `sum` work?", "How does the function sum work?", False),
        ("What does parseInt do?", "What does parseint do?", False),
        ("What does -d do?", "What does -D do?", True),
        ("What does `x` do?", "What does it do?", True),
        ("What does it do?", "What does `x` do?", True),
        ("Is (x) tested?", "Is (!x) tested?", True),
        ("What is [1, 2]?", "What is (1, 2)?", True),
        ("What is [1, 2]?", "What is [1,2]?", False),
        ("Is -5 odd?", "Is 5 odd?", True),
        ("Is it 5 mW?", "Is it 5 MW?", True),
        ("Is it 5 mW?", "is it 5mw?", False),
        ("Is it 5 MW?", "is it 5 mw?", False),
        ("Is it 5 Mb?", "Is it 5 MB?", True),
        ("Is it 5 Mbps?", "is it 5 mbps?", False),
        ("Is it 5 mS?", "is it 5 ms?", True),
        ("What does `Map` do?", "What does `map` do?", True),
        ("What does `useState()` do?", "what does `usestate` do?", False),
    ],
)
def test_code_of_either_text_stands_in_the_other(one: str, other: str, differs: bool) -> None:
    assert code_differs(one, other) is differs


def test_the_key_has_what_a_normalised_text_has_not() -> None:
    assert code_key("What does tar -X do to json.load()?") == "-X"
    assert code_key("What does any() do?") == ""
    assert code_key("What?") == ""


def test_a_long_word_takes_no_time() -> None:
    # Base64 of a picture: minutes, where every letter starts a search to the end.
    assert code_tokens("aB3" * 100_000) == frozenset()


@given(st.text("ab.()`<-!? \n"))
def test_every_text_has_its_own_code(text: str) -> None:
    assert not code_differs(text, text)
