import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.generation.rules.styles import casual, formal, general
from kd_kedro.generation.rules.synonyms import exchange
from kd_kedro.generation.rules.typos import add_typos

TASKS = ("formal", "casual", "general", "rephrase", "typo")


def _text(task: str, text: str, seed: int = 0) -> tuple[str, str]:
    outcome = RulesGenerator().generate([Request(task, text, {}, seed)])[0]
    return outcome.status, outcome.text


def test_is_a_text_generator() -> None:
    assert isinstance(RulesGenerator(), TextGenerator)


def test_same_request_same_text_and_seeds_vary() -> None:
    question = "What is the difference between cost and price?"
    assert _text("formal", question) == _text("formal", question)
    assert len({_text("formal", question, seed)[1] for seed in range(20)}) > 2


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "question",
    [
        "What is the part of trust in a market?",
        "Define goodwill.",
        "Journalise this transaction: Ravi paid rent of ₹ 5,000.",
        "If assets are 4,800 and liabilities are 1,100, what is capital?",
        "Sales are 500. Find the gross profit.",
    ],
)
def test_every_task_rewrites_ordinary_questions(task: str, question: str) -> None:
    status, text = _text(task, question)
    assert status == "ok"
    assert text != question


def test_frames() -> None:
    texts = {_text("general", "Distinguish between cost and price.", seed)[1] for seed in range(9)}
    assert "What is the difference between cost and price?" in texts
    moved = {_text("general", "If sales fall, what is the profit?", seed)[1] for seed in range(9)}
    assert "What is the profit if sales fall?" in moved


def test_words_are_exchanged_but_terms_are_not() -> None:
    chance = random.Random(0)
    assert exchange("It is a main cost", "general", 2, chance).startswith("It is a ")
    texts = {exchange("It is a key asset", "general", 1, random.Random(n)) for n in range(9)}
    assert texts == {"It is a main asset", "It is a chief asset"}
    assert exchange("in the primary market", "casual", 2, chance) == "in the primary market"
    assert exchange("This is a crucial step", "general", 1, chance) == "This is a vital step"


def test_a_second_command_is_no_noun_phrase() -> None:
    question = "Define goodwill and explain when it is recorded."
    for seed in range(20):
        for task in ("formal", "casual", "general"):
            assert "mean" not in _text(task, question, seed)[1]


def test_an_opening_only_where_no_frame_is_known() -> None:
    texts = {_text("general", "Why is rent a cost?", seed)[1] for seed in range(9)}
    assert texts == {"For what reason is rent a cost?", "For which reason is rent a cost?"}


@pytest.mark.parametrize(
    ("question", "rewrites"),
    [
        ("How much is VAT on $100?", {"What amount is VAT on $100?"}),
        ("How much is needed?", {"What amount is needed?"}),
        ("How much of the loan is repaid?", {"What part of the loan is repaid?"}),
        ("How many of the bills are open?", {"What number of the bills are open?"}),
        ("How much deferred tax is due?", {"What amount of deferred tax is due?"}),
        ("How many kilos of flour are needed?", {"What number of kilos of flour are needed?"}),
        ("How many shops in Goa are open?", {"What number of shops in Goa are open?"}),
        ("Is rent due when it falls, as per an Act?", set()),
        ("What tax is due, as per the Act, 1872?", {"As per the Act, 1872, what tax is due?"}),
        *(
            (question, set())
            for question in (
                "How much can I deduct?",
                "How many are there?",
                "How much did Smith & Co. pay?",
                "How much should I set aside for tax?",
                "How much longer is the term?",
                "How many remain open after it is due?",
                "How many unpaid are there?",
                "How much of a discount do we get?",
                "How much is profit affected by tax?",
                "When, if ever, is goodwill impaired?",
                "How many, if any, are open?",
                "What tax, if any, is due?",
                "What tax is due, if any?",
                "What tax is due if any?",
                "What if sales fall?",
                "In which year, if any, is relief given?",
                "What is larger?",
                "What is cheaper to buy?",
                "What is deducted from income?",
                "What is deductible?",
                "What is on the balance sheet?",
            )
        ),
    ],
)
def test_a_frame_needs_what_it_is_about(question: str, rewrites: set[str]) -> None:
    found = {text for text in general(question) if ": " not in text}
    assert found == rewrites


@pytest.mark.parametrize("thing", ["interest", "deferred tax", "a ledger", "higher education"])
def test_a_noun_phrase_is_defined(thing: str) -> None:
    assert f"What is meant by {thing}?" in general(f"What is {thing}?")
    assert any(text.endswith(f"what {thing} is?") for text in formal(f"What is {thing}?"))


@pytest.mark.parametrize("question", ["What is larger?", "What is deducted from income?"])
def test_only_a_noun_phrase_goes_before_its_verb(question: str) -> None:
    assert not any(text.endswith(" is?") for text in formal(question) + casual(question))


@pytest.mark.parametrize(
    ("question", "written"),
    [
        ("Don’t we pay?", "do we not pay?"),
        ("Why can't they pay?", "why can they not pay?"),
        ("It is due, isn't it?", "is it not?"),
        ("Isn't VAT due?", "isn't VAT due?"),
        ("Why isn't the loan due?", "why isn't the loan due?"),
        ("Aren't I right?", "aren't I right?"),
        ("Which firm doesn't pay?", "which firm does not pay?"),
        ("What's been paid?", "what's been paid?"),
    ],
)
def test_not_goes_behind_the_subject(question: str, written: str) -> None:
    assert any(text.endswith(written) for text in formal(question))


def test_what_forbids_is_written_in_full() -> None:
    texts = formal("Don't round. What is rent?")
    assert texts
    assert all(text.startswith("Do not round. ") for text in texts)


def test_a_sentence_ends_in_a_full_verb() -> None:
    assert not any(text.endswith("'re?") for text in casual("Who are they?"))


def test_contractions() -> None:
    casual = {_text("casual", "Why is it not a cost of the firm?", seed)[1] for seed in range(9)}
    assert all("isn't" in text or "it's not" in text or "is it not" in text for text in casual)


@pytest.mark.parametrize("task", ["formal", "casual", "general"])
def test_nothing_fits_is_said(task: str) -> None:
    assert _text(task, "Goodwill")[0] == "unchanged"
    assert _text("fitb", "No blank here.")[0] == "unchanged"


def test_unknown_task_and_option() -> None:
    with pytest.raises(ValueError, match="no task sing"):
        _text("sing", "What is cost?")
    with pytest.raises(ValueError, match="typo_share"):
        RulesGenerator(typo_share=0)


WORDS = st.lists(
    st.sampled_from(
        ["What", "is", "depreciation", "of", "12,500", "B2B", "RBI", "cannot", "ledger"]
    ),
    min_size=4,
    max_size=24,
)


@given(WORDS, st.integers(0, 99))
def test_typos_hit_at_most_one_word_in_four_and_no_number(words: list[str], seed: int) -> None:
    text = " ".join(words)
    after = add_typos(text, 0.25, random.Random(seed)).split()
    changed = [(was, now) for was, now in zip(words, after, strict=True) if was != now]
    assert len(changed) <= max(1, len(words) // 4)
    assert {was for was, _ in changed} <= {"depreciation", "ledger"}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "code",
    [
        "`main() is not None`",
        "```python\nif main is not None:\n    return usually\n```",
        "    while main is not potential:\n        print(typically)\n",
    ],
)
def test_code_in_a_question_stays_as_it_is(task: str, code: str) -> None:
    question = f"It is usually written so.\n{code}\nWhy is it not a main error of the program?"
    for seed in range(5):
        status, text = _text(task, question, seed)
        assert status == "ok"
        assert code in text


@pytest.mark.parametrize("task", TASKS)
def test_a_call_stays_as_it_is(task: str) -> None:
    question = "What happens if I call main() twice in the whole program?"
    assert all("main()" in _text(task, question, seed)[1] for seed in range(20))


def test_a_word_in_capitals_keeps_all_or_none_of_them() -> None:
    assert not any("wHAT" in _text("formal", "WHAT IS RENT?", seed)[1] for seed in range(9))


def test_a_blank_in_code_is_not_asked_for_amid_it() -> None:
    for text in ("Complete: SELECT ____ FROM users;", "What is this?\n- a ____ of the list"):
        assert _text("fitb", text, 0) == ("unchanged", text)


@pytest.mark.parametrize("task", [*TASKS, "fitb", "mcq"])
def test_an_answer_tells_the_language_of_a_short_question(task: str) -> None:
    short = Request(task, "Sauerteig ____?", {"answer": "Er ist nicht für Brot."})
    [outcome] = RulesGenerator().generate([short])
    assert (outcome.status, outcome.reason) == (
        "unchanged",
        "rules write English; this is German",
    )


@pytest.mark.parametrize("task", ["formal", "casual", "general", "rephrase", "fitb", "mcq", "typo"])
def test_no_english_words_stand_beside_another_language(task: str) -> None:
    text = "Le fleuve qui traverse Paris est ____."
    [outcome] = RulesGenerator().generate([Request(task, text)])
    assert (outcome.status, outcome.text) == ("unchanged", text)
    assert outcome.reason == "rules write English; this is French"
