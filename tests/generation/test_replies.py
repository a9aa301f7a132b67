import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.generation.prompts import Prompt
from kd_kedro.generation.protocol import Request
from kd_kedro.generation.replies import Reply, judge_reply

PROMPT = Prompt(
    system="You ask a question in other words. Keep every number.", user="Question: {text}"
)
QUESTION = "What is the purpose of a trial balance?"


def judge(
    text: str, source: str = QUESTION, task: str = "rephrase", finish: str = "stop", **context
):
    request = Request(task, source, context)
    return judge_reply(request, PROMPT.messages(request), Reply(text, finish))


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("Why is a trial balance drawn up?", "Why is a trial balance drawn up?"),
        ('"Why is a trial balance drawn up?"', "Why is a trial balance drawn up?"),
        (
            "Sure! Here is the rephrased question:\n\nWhy is a trial balance drawn up?",
            "Why is a trial balance drawn up?",
        ),
        (
            'Here\'s a formal version: "Why is a trial balance drawn up?"',
            "Why is a trial balance drawn up?",
        ),
        (
            "Rephrased question: Why is a trial balance drawn up?",
            "Why is a trial balance drawn up?",
        ),
        (
            "<think>\nSo: why?\n</think>\n\nWhy is a trial balance drawn up?",
            "Why is a trial balance drawn up?",
        ),
        ("**Question:** Why is a trial balance drawn up?", "Why is a trial balance drawn up?"),
        ("Explain why a trial balance is drawn up.", "Explain why a trial balance is drawn up."),
        ("What's a trial balance for? Please explain.",) * 2,
        ("Why is a “trial balance” drawn up?", "Why is a “trial balance” drawn up?"),
    ],
)
def test_takes_off_what_surrounds_a_good_text(reply: str, kept: str) -> None:
    assert judge(reply)[:2] == ("ok", kept)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "empty"),
        ("?!", "no words"),
        ("...", "no words"),
        ("Kindly rephrase my previous response.", "talk about the task"),
        ("I'm sorry, but I cannot do that.", "refusal"),
        ("1. Why is a trial balance drawn up?\n2. What is a trial balance for?", "several lines"),
        ("1. Why is a trial balance drawn up?", "item of a list"),
        (
            "Why is a trial balance drawn up? Alternatively, what does a trial balance serve for?",
            "several candidates",
        ),
        (
            "What purpose of a trial balance is known? What is the purpose of a trial balance?",
            "several candidates",
        ),
        ("Why is a trial balance drawn up?\n\nNote: the meaning is kept.", "talk about the task"),
        ("You ask a question in other words.", "repeats its prompt"),
        ("Balance", "too short"),
        ("试算平衡表的目的是什么?", "another script"),
        ("Quel est le but de la balance de vérification?", "another language"),
        ("¿Cuál es el propósito de un balance de comprobación?", "another language"),
        ("Why is a trial balance drawn up? " * 12, "several candidates"),
        ("A trial balance " + "lists all accounts and " * 20, "runs on"),
        ("A trial balance proves that debits equal credits.", "asks nothing"),
        ("Why draw up a trial balance? It finds errors in a ledger.", "goes on after its question"),
        ("Why is a ____ balance drawn up?", "has a blank"),
        ("Where do elephants live in the winter?", "no word of the text"),
        ("Why is a trial balance drawn \ufffd up?", "broken character U+FFFD"),
        ("Why is a [blank] drawn up, <question>?", "placeholder"),
    ],
)
def test_rejects_what_is_no_clean_text(reply: str, why: str) -> None:
    status, text, reason = judge(reply)
    assert (status, text) == ("rejected", QUESTION)
    assert why in reason


def test_a_reply_that_was_cut_off_or_filtered_is_rejected() -> None:
    assert judge("Why is a trial", finish="length")[0] == "rejected"
    assert judge("Why is a trial balance drawn up?", finish="content_filter")[0] == "rejected"


def test_the_same_text_is_unchanged() -> None:
    assert judge("what is the purpose of a trial balance")[0] == "unchanged"


def test_a_blank_must_be_gone_and_the_answer_not_be_there() -> None:
    statement = "Rent paid in advance is a ____ account."
    asked = "What kind of account is rent paid in advance?"
    assert judge(asked, statement, "fitb", answer="Personal")[0] == "ok"
    assert (
        "gives the answer"
        in judge(
            "Is rent paid in advance a personal account?", statement, "fitb", answer="Personal"
        )[2]
    )
    assert "blank" in judge("Is rent paid in advance a ____ account?", statement, "fitb")[2]


@pytest.mark.parametrize(
    ("reply", "text"), [("yes", "yes"), ("No.", "no"), ("**Yes**, it does.", "yes")]
)
def test_relevance_is_yes_or_no(reply: str, text: str) -> None:
    assert judge(reply, task="relevance")[:2] == ("ok", text)


@pytest.mark.parametrize("reply", ["maybe", "yes and no", "It is relevant.", ""])
def test_relevance_that_is_neither_is_rejected(reply: str) -> None:
    assert judge(reply, task="relevance")[0] == "rejected"


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(["rephrase", "fitb", "mcq"]))
def test_any_reply_has_an_outcome(source: str, reply: str, task: str) -> None:
    status, text, reason = judge(reply, source, task, answer="x")
    assert reason
    if status == "ok":
        assert text.strip()
        assert text in reply
    else:
        assert text == source
