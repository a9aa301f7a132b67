import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.duplicates.differences import wording_difference


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ("What does any() do?", "What does all() do?", "code"),
        # Opposites, wherever they stand.
        ("What is a secured loan?", "What is an unsecured loan?", "secured, unsecured"),
        (
            "Which drawbacks has leasing for a firm?",
            "What are the advantages for a firm that leases?",
            "drawbacks, advantages",
        ),
        # Words of a frame turn a question round where one stands in place of the other.
        ("How do I log in?", "How do I log out?", "in, out"),
        ("What is sent to the bank?", "What is sent from the bank?", "from, to"),
        ("How do I sign in to it?", "How do I sign out of it?", "in, out"),
        ("When is it paid?", "Why is it paid?", "when, why"),
        ("What must a partner sign?", "What may a partner sign?", "may, must"),
        # How many.
        ("Which students passed all exams?", "Which students passed any exam?", "all, any"),
        ("Can every member vote?", "Can each member vote?", ""),
        ("Is it held every week?", "Is it held every other week?", "every, every-other"),
        ("Can only partners sign?", "Can partners sign?", "only"),
        ("Do both have to sign?", "Does either have to sign?", "both, either"),
        # One word for another.
        ("What is the syntax of git add?", "What is the syntax of git rm?", "add, rm"),
        ("What does useradd do?", "What does userdel do?", "useradd, userdel"),
        ("What does git show do?", "What does git fetch do?", "fetch, show"),
        ("How is a fee levied?", "How is a tax levied?", "fee, tax"),
        ("Why did the firm receive it?", "Why did the firm recieve it?", ""),
        ("What is the purpose of a ledger?", "What is the function of a ledger?", ""),
        ("Which items are not included?", "Which items are excluded?", ""),
        ("What are two uses of it?", "What are 2 uses of it?", ""),
        # In a text reworded in more places it may be chance.
        ("Which firm buys paper daily?", "What sort of company buys some leaflets a day?", ""),
        # What has changed places.
        ("How do I turn miles to feet?", "How do I turn feet to miles?", "order"),
        ("What is 2^3?", "What is 3^2?", "2^3"),
        ("Shares are 3:2. Find b.", "Shares are 2:3. Find b.", "2:3"),
        ("Is 3 + 2 or 1/2 it?", "Is 2 + 3 or 1/2 it?", ""),
        ("Can a tenant sue the landlord?", "Can the landlord sue a tenant?", "order"),
        ("Compare feet with miles.", "Compare miles with feet.", ""),
        ("How do feet and miles differ?", "How do miles and feet differ?", ""),
        ("In a court, who pays the fee?", "Who pays the fee in a court?", ""),
        ("Does debt follow low wages?", "Do low wages follow debts?", "order"),
        ("How do I cast a float to an int in C?", "In C, how can I cast ints to floats?", "order"),
        ("Who flies from Rome to Oslo?", "Who flies to Oslo from Rome?", ""),
        ("Do I debit rent and credit cash?", "Do I debit cash and credit rent?", "order"),
        ("What do mice, cats and dogs eat?", "What do dogs, cats and mice eat?", ""),
        ("Darf ein Käufer dem Wirt kündigen?", "Darf ein Wirt dem Käufer kündigen?", "order"),
        # What links things has changed places, and they have not.
        ("Can I go with a dog without a visa?", "Can I go without a dog with a visa?", "order"),
        ("With a dog, can I go without a visa?", "Can I go with a visa without a dog?", "order"),
        ("Is it due before May after tax?", "Is it due after May before tax?", "order"),
        ("Is it so by law because of him?", "Is it so because of law by him?", "order"),
        ("Can I go with a dog without a visa?", "Can I go without a visa with a dog?", ""),
        ("Can I go with or without a visa?", "Can I go without or with a visa?", ""),
        # Other languages: no words of an English frame, their own articles and negations.
        ("Ist der Hund krank?", "Ist der Hund nicht krank?", "negation"),
        ("Wie schalte ich das Licht an?", "Wie schalte ich das Licht aus?", "an, aus"),
        ("Was ist der Teig mit Hefe?", "Was ist ein Teig mit Hefe?", ""),
        ("¿Qué pasa con la tienda?", "¿Qué pasa en la tienda?", "con, en"),
        ("Pourquoi dort-il le jour ?", "Pourquoi dort-il la nuit ?", "jour, nuit"),
    ],
)
def test_what_makes_two_questions(one: str, other: str, difference: str) -> None:
    found = {wording_difference(one, other), wording_difference(other, one)}
    assert {", ".join(sorted(some.split(", "))) for some in found} == {
        ", ".join(sorted(difference.split(", ")))
    }


WORDS = ["what", "is", "the", "open", "closed", "any", "all", "to", "from", "feet", "and", "firm"]
QUESTIONS = st.lists(st.sampled_from(WORDS)).map(" ".join)


@given(QUESTIONS, QUESTIONS)
def test_both_ways_alike_and_none_with_itself(one: str, other: str) -> None:
    assert wording_difference(one, other) == wording_difference(other, one)
    assert wording_difference(one, one) == ""


def test_long_texts_take_no_time_to_speak_of() -> None:
    one, other = (" ".join(f"{side}{n}" for n in range(3000)) for side in ("a", "b"))
    assert wording_difference(one, other) == ""
