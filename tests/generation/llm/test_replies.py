import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.generation.llm.replies import Reply, judge_reply
from kd_kedro.generation.prompts import Prompt
from kd_kedro.generation.protocol import Request

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
        ("I'm curious why a trial balance is drawn up, can you tell?",) * 2,
        ("Q: Why is a trial balance drawn up?", "Why is a trial balance drawn up?"),
        ('"question": "Why is a trial balance drawn up?"', "Why is a trial balance drawn up?"),
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
        ("Why is a trial balance drawn up for {customer}?", "markup"),
        ("Why is a trial balance drawn up | What is a trial balance for?", "markup"),
        ("Explain the purpose of a trial balance and the", "breaks off"),
        ("I'm not giving advice about a trial balance, may I know why?", "speaks of itself"),
        ("Great question! Why is a trial balance drawn up?", "talk about the task"),
        ("Was ist der Zweck, wenn man eine trial balance hat?", "another language"),
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


SALE = "What is the journal entry when goods worth ₹12,000 are sold to Mohan on credit?"
BABBLE = r"""
I'm unable to provide that information.
I am unable to rephrase this question as it is unclear.
I can't fulfill that request.
I cannot assist you with the journal entry for goods sold to Mohan.
I'm not able to give financial advice about goods sold on credit to Mohan.
It is not appropriate for me to answer about goods sold to Mohan.
Unfortunately, I cannot rephrase the question about goods sold to Mohan.
Unfortunately I can't discuss the journal entry for goods sold on credit.
My training data does not cover the journal entry for goods sold to Mohan.
I don't have enough context to rephrase the journal entry question.
I do not feel comfortable rewriting this question.
As a responsible AI, I can't discuss goods sold to Mohan.
As an assistant, I would ask about the goods sold to Mohan.
Your question about goods sold to Mohan has been rephrased below.
Below is the rephrased question: What entry records goods worth ₹12,000 sold to Mohan on credit?
Sure thing! What entry records goods worth ₹12,000 sold to Mohan on credit?
Okay, here you go: What entry records goods worth ₹12,000 sold to Mohan on credit?
Great question! What entry records goods worth ₹12,000 sold to Mohan on credit?
What entry records goods worth ₹12,000 sold to Mohan on credit? I hope this helps!
What entry records goods worth ₹12,000 sold to Mohan on credit? Let me know if you'd like another.
What entry records goods worth ₹12,000 sold to Mohan on credit? (Formal)
What entry records goods worth ₹12,000 sold to Mohan on credit? [formal version]
What entry records goods worth ₹12,000 sold to Mohan on credit? Answer: Mohan A/c Dr.
What entry records goods worth ₹12,000 sold to Mohan on credit? Debit Mohan, credit Sales.
Mohan A/c Dr. 12,000 To Sales A/c 12,000
Debit Mohan 12,000 and credit Sales 12,000 for goods sold on credit.
The journal entry is: Mohan A/c Dr ₹12,000, To Sales A/c ₹12,000.
What is the journal entry when goods worth ₹[amount] are sold to [name] on credit?
What is the journal entry when goods worth ₹XXXX are sold to Mohan on credit?
What is the journal entry when goods worth ₹____ are sold to Mohan on credit?
What is the journal entry when goods are sold to {customer} on credit?
What is the journal entry when goods are sold to <customer name> on credit?
What is the journal entry when goods worth ₹12,000 are sold to Mohan on
Can you provide the text you want rephrased about goods sold on credit?
Could you please share the question you'd like me to reword?
What would you like to know about goods sold to Mohan on credit?
Please provide more details about goods sold to Mohan.
Could you provide more context about the goods sold to Mohan on credit?
User: What entry records goods sold to Mohan on credit?
Q: What entry records goods sold to Mohan? A: Mohan A/c Dr.
Question: What entry records goods worth ₹12,000 sold to Mohan on credit? Answer: Mohan Dr.
{"question": "What entry records goods sold to Mohan on credit?"}
<p>What entry records goods worth ₹12,000 sold to Mohan on credit?</p>
\boxed{What entry records goods sold to Mohan?}
What entry records goods sold to Mohan on credit?<|im_end|>
What entry records goods sold to Mohan on credit?</s>
[Rephrased] What entry records goods worth ₹12,000 sold to Mohan on credit?
- What entry records goods worth ₹12,000 sold to Mohan on credit?
1) What entry records goods sold to Mohan? 2) How are goods sold to Mohan recorded?
What entry records goods sold to Mohan on credit? / How are goods sold to Mohan booked?
What entry records goods sold to Mohan on credit? | How are goods sold to Mohan on credit booked?
This question asks about the journal entry for goods sold to Mohan on credit.
The user wants the journal entry for goods sold to Mohan.
I would rephrase it as: What entry records goods sold to Mohan on credit?
Let me rephrase: What entry records goods sold to Mohan on credit?
In other words, what entry records goods worth ₹12,000 sold to Mohan on credit?
To put it formally: what entry records goods worth ₹12,000 sold to Mohan on credit?
same as above
Same question.
No change needed.
N/A
null
undefined
TODO: rephrase the goods question
Lorem ipsum dolor sit amet, goods sold to Mohan on credit?
Your text here
Question goes here?
What is the [topic]?
Insert question about goods sold to Mohan here.
Error 429: Too many requests
Request timed out.
Service temporarily unavailable
You exceeded your current quota, please check your plan and billing details.
Content blocked due to safety settings.
This content may violate our usage policies.
¿Cuál es el asiento contable cuando se venden mercancías a Mohan a crédito?
मोहन को उधार माल बेचने पर क्या प्रविष्टि होगी?
Was ist der Buchungssatz, wenn Waren auf Kredit an Mohan verkauft werden?
Keep its meaning, every number, unit, name and negation.
Write one question and nothing else.
"""


@pytest.mark.parametrize("text", BABBLE.strip().splitlines())
def test_nothing_of_what_models_babble_enters(text: str) -> None:
    assert judge(text, SALE, "formal")[:2] == ("rejected", SALE)


def test_human_paraphrases_mostly_pass(shared_data: Path) -> None:
    with (shared_data / "medical_question_pairs" / "mqp.csv").open(encoding="utf-8") as file:
        pairs = [(row[1], row[2]) for row in csv.reader(file) if row[3] == "1"]
    statuses = [judge(second, first)[0] for first, second in pairs]
    assert len(statuses) > 900
    # They are letters to a doctor and tell more than they ask; a model tells nothing of itself.
    assert statuses.count("rejected") < 0.15 * len(statuses)


@pytest.mark.parametrize("sign", [".", "? ", "\n", "[", " / "])
def test_a_reply_of_many_signs_is_turned_away(sign: str) -> None:
    assert judge(f"Why is a trial balance drawn up?{sign * 5000}a")[0] == "rejected"
