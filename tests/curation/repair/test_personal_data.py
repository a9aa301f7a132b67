"""Personal data on fabricated people, and check digits against hypothesis."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.records.schema import STAGE, table
from kd_kedro.curation.repair.identity_numbers import gstin, iban, luhn, verhoeff
from kd_kedro.curation.repair.personal_data import (
    KINDS,
    excerpt,
    find,
    mask,
    screen,
    summarise,
    without_letters,
)
from kd_kedro.text.quantities import quantities
from kd_kedro.text.transcript import read_transcript, write_transcript

REGIONS = ("IN", "US")
DIGITS = st.text("0123456789", min_size=5, max_size=18)


def _found(text: str) -> list[tuple[str, str]]:
    return [(each.kind, text[each.start : each.end]) for each in find(text, KINDS, REGIONS)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Write to a.b+tax@mail.example.co.in now", "email", "a.b+tax@mail.example.co.in"),
        ("Reach us at +91 98765 43210.", "phone", "+91 98765 43210"),
        ("My mobile is 9876543210.", "phone", "9876543210"),
        ("Call (212) 555-0123 now", "phone", "(212) 555-0123"),
        ("Mr. R.K. Sharma paid rent", "person", "R.K. Sharma"),
        ("Rahul paid rent", "person", "Rahul"),
        ("Regards,\nAnita Rao", "person", "Anita Rao"),
        ("Yours sincerely,\n\n Quillon Zed", "person", "Quillon Zed"),
        ("at 12, MG Road, Bengaluru - 560001.", "address", "12, MG Road, Bengaluru - 560001"),
        ("at 221B Baker Street, London NW1 6XE", "address", "221B Baker Street, London NW1 6XE"),
        ("P.O. Box 123, Austin, TX 78701", "address", "P.O. Box 123, Austin, TX 78701"),
        ("Her PAN is ABCPK1234F.", "identity", "ABCPK1234F"),
        ("GSTIN 27AAPFU0939F1ZV", "identity", "27AAPFU0939F1ZV"),
        ("Aadhaar 2341 2341 2346", "identity", "2341 2341 2346"),
        ("SSN 123-45-6789", "identity", "123-45-6789"),
        ("passport no. K1234567", "identity", "K1234567"),
        ("to DE89 3704 0044 0532 0130 00.", "account", "DE89 3704 0044 0532 0130 00"),
        ("Account number: 123456789012", "account", "123456789012"),
        ("pay to someone@okicici", "account", "someone@okicici"),
        ("card 4111 1111 1111 1111.", "card", "4111 1111 1111 1111"),
    ],
)
def test_personal_data_is_found(text: str, kind: str, value: str) -> None:
    assert _found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "Account 4010 has Rs 9876543210 and 1234567890 units.",
        "Sales were 9876543210 in 2020-2021, costs 1,00,000 and 98765 43.21.",
        "Pass the entry of ₹ 4111 1111 1111 1111.",
        "card 4111 1111 1111 1112",
        "Aadhaar-like 2341 2341 2347",
        "GSTIN 27AAPFU0939F1ZW",
        "DE88 3704 0044 0532 0130 00",
        "SSN 000-45-6789",
        "ISBN 9780306406157",
        "invoice 1002003004 of 12-03-2020 14:00",
        "Section 80C of the Act, 1961, and Ind AS 109",
        "Johnson & Johnson, Thomas Cook Ltd and Rahul Traders",
        "500 shares of Reliance Industries at 10 each on the High Road",
        "240 / 2 - 80 = 40, then 5 x 10 = 50",
        "What is a Limited Liability Partnership?",
    ],
)
def test_amounts_codes_and_firms_are_none(text: str) -> None:
    assert _found(text) == []


def test_only_what_is_asked_for_is_found() -> None:
    assert find("Rahul, a@b.org", ["email"]) == find("Rahul, a@b.org", ["email", "phone"])
    assert find("Rahul, a@b.org", []) == []


def test_one_person_has_one_mask_in_a_row() -> None:
    texts = ["Ravi Kumar sold to Mohan for Rs 500. Ravi's gain?", "Mr. Kumar gained; Mohan paid."]
    found = [find(text, KINDS, REGIONS) for text in texts]
    assert mask(texts, found, ["person"]) == [
        "[PERSON A] sold to [PERSON B] for Rs 500. [PERSON A]'s gain?",
        "Mr. [PERSON A] gained; [PERSON B] paid.",
    ]
    assert mask(texts, found, ["email"]) == texts


def test_numbers_that_matter_survive_a_mask() -> None:
    text = "Mr. Rao (+91 98765 43210) owes Rs 12,500 at 5% for 3 months."
    [masked] = mask([text], [find(text, KINDS, REGIONS)], KINDS)
    assert masked == "Mr. [PERSON] ([PHONE]) owes Rs 12,500 at 5% for 3 months."
    assert [each.value for each in quantities(masked)] == ["12500", "5", "3"]


def test_tables_do_not_tell_what_was_found() -> None:
    rows = table(
        STAGE, [("r1", "2", "s.csv", "", "plain", "", "", "Who is Rahul?", "Mail a@b.org.")]
    )
    screened, findings, evidence = screen(rows, KINDS, ["email"], REGIONS)
    assert screened["answer"].tolist() == ["Mail [EMAIL]."]
    assert findings["excerpt"].tolist() == ["R… (5 characters)", "a… (7 characters)"]
    assert evidence == {"r1": {"found": {"person": 1, "email": 1}, "masked": {"email": 1}}}
    summary = summarise(findings, KINDS, ["email"]).set_index("kind")
    assert summary.loc["email"].tolist() == ["1", "1", "yes"]
    assert summary.loc["card"].tolist() == ["0", "0", "no"]


def test_further_columns_are_screened_but_for_the_name_of_a_teacher() -> None:
    rows = table(
        [*STAGE, "context", "teacher", "topic"],
        [
            (
                "r1", "2", "s.csv", "", "plain", "", "", "Who pays Rahul?", "Mohan does.",
                "Mohan pays Rahul, says a@b.org.", "Rahul", "Mail to c@d.org",
            )
        ],
    )  # fmt: skip
    screened, findings, evidence = screen(rows, KINDS, ["person", "email"], REGIONS)
    cells = screened[["question", "answer", "context", "teacher", "topic"]].to_numpy().tolist()
    assert cells == [
        [
            "Who pays [PERSON A]?",
            "[PERSON B] does.",
            "[PERSON B] pays [PERSON A], says [EMAIL A].",
            "Rahul",
            "Mail to [EMAIL B]",
        ]
    ]
    assert findings["column"].tolist() == ["question", "answer", *["context"] * 3, "topic"]
    assert evidence["r1"]["masked"] == {"person": 4, "email": 2}


@given(DIGITS, st.integers(0, 9))
def test_one_digit_ends_a_number(digits: str, other: int) -> None:
    for check in (luhn, verhoeff):
        fitting = [digit for digit in "0123456789" if check(digits + digit)]
        assert len(fitting) == 1
        wrong = str(other) if str(other) != digits[2] else str((other + 1) % 10)
        assert not check(digits[:2] + wrong + digits[3:] + fitting[0])


@given(DIGITS)
def test_verhoeff_sees_neighbours_exchanged(digits: str) -> None:
    number = next(digits + digit for digit in "0123456789" if verhoeff(digits + digit))
    exchanged = number[:1] + number[2] + number[1] + number[3:]
    assert verhoeff(exchanged) == (number[1] == number[2])


@given(st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=11, max_size=26))
def test_two_digits_make_an_iban(account: str) -> None:
    assert 1 <= sum(iban(f"DE{check:02d}{account}") for check in range(2, 99)) <= 1


@given(st.from_regex(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z", fullmatch=True))
def test_one_sign_ends_a_gstin(number: str) -> None:
    signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert sum(gstin(number + sign) for sign in signs) == 1


@given(st.text())
def test_any_text_is_read_and_nothing_overlaps(text: str) -> None:
    found = find(text, KINDS, REGIONS)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert mask([text], [found], []) == [text]
    assert all(excerpt(text[each.start : each.end]) for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "Dr Machinery A/c Cr Bank",
        "Dr. Cash Account 5,000",
        "Dr Widgets Old A/c, Cr Bank",
        "Dr Prepaid Cover To Bank",
        "CA Institute sets the paper",
        "Paul & Sons paid",
        "Paul and Sons paid",
        "Mary's Bakery paid",
    ],
)
def test_entries_and_firms_are_no_people(text: str) -> None:
    assert _found(text) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Dr. Mehta paid cash to the bank.", ["Mehta"]),
        ("CA Mehta signed. To pay: 5", ["Mehta"]),
        ("Ravi & Mohan are partners", ["Ravi", "Mohan"]),
    ],
)
def test_people_near_the_books_are_found(text: str, names: list[str]) -> None:
    assert _found(text) == [("person", name) for name in names]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Mr. Ravi Kumar paid " * 2500, 2500),
        ("12,345 67.89 1,234,567 " * 2000, 0),
        ("regards" + "\n" * 50_000, 0),
        ("account number" + " 1" * 25_000, 0),
        ("1." * 25_000, 0),
        ("aadhaar" + " " * 50_000, 0),
        ("Flat" + " " * 50_000 + "1" + " " * 50_000, 0),
        ("Ravi " + "A." * 25_000, 1),
        ("account number 123456789" + "," * 50_000, 1),
    ],
)
def test_long_cells_are_read(text: str, count: int) -> None:
    assert len(find(text, KINDS, REGIONS)) == count


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Mr Andrés Gómez-Núñez pays.", "Mr [PERSON] pays."),
        ("Dr Özil met Mrs Łucja Żak.", "Dr [PERSON A] met Mrs [PERSON B]."),
        ("Ravi Müller sold it.", "[PERSON] sold it."),
        ("Mail anna@müller.de.", "Mail [EMAIL]."),
    ],
)
def test_names_have_letters_of_all_kinds(text: str, masked: str) -> None:
    found = find(text, ["person", "email"])
    assert mask([text], [found], ["person", "email"]) == [masked]


def test_masks_leave_the_messages_of_a_conversation() -> None:
    said = [
        ("system", "You are Dr. Ravi Kumar"),
        ("user", "Call +44 20 7946 0958\n\nRegards,"),
        ("assistant", "John Smith\nFlat No. 5"),
        ("user", "anna@example.org"),
    ]
    row = ["r", write_transcript(said), "Write to ben@example.org."]
    rows, found, _ = screen(table(["row_id", "question", "answer"], [row]), KINDS, KINDS, ["GB"])
    masked = read_transcript(rows["question"][0])
    assert [role for role, _ in masked] == [role for role, _ in said]
    assert masked[-1][1] == "[EMAIL A]"
    assert {"person", "phone", "email", "address"} <= set(found["kind"])
    assert without_letters("[EMAIL A] of [PERSON AB] [A B]") == "[EMAIL] of [PERSON] [A B]"
