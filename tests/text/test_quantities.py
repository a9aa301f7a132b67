import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.text.quantities import quantities, quantity_defect


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Rs. 1,00,000 and 2,500.00", [("100000", "₹"), ("2500", "")]),
        ("one thousand rupees", [("1000", "₹")]),
        ("5 lakhs at five per cent", [("500000", ""), ("5", "%")]),
        ("5 to 10%", [("5", "%"), ("10", "%")]),
        ("two hundred and fifty thousand", [("250000", "")]),
        ("twenty and thirty", [("20", ""), ("30", "")]),
        ("½ of it, or three quarters", [("0.5", ""), ("0.75", "")]),
        ("2½ years", [("2.5", "year")]),
        ("a 3-year bond", [("3", "year")]),
        ("twice US$ 500", [("×2", ""), ("500", "$")]),
        ("2/10, n/30", [("2", ""), ("10", ""), ("30", "")]),
        ("on 31.12.2020", [("31.12.2020", "")]),
        ("hundreds of firms", [("hundred", "")]),
    ],
)
def test_numbers_and_units(text: str, found: list[tuple[str, str]]) -> None:
    assert [(each.value, each.unit) for each in quantities(text)] == found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rent is Rs. 12,500.", "Rent is ₹12500."),
        ("A rate of 5%", "A rate of five percent"),
        ("It cost $1,000.00.", "It cost one thousand dollars."),
        ("Which one of the 3 is it?", "Which of the three is it?"),
        ("After 1 year", "After one year"),
        ("5% to 10% a month", "5 to 10 % a month"),
        ("Half of the cost", "1/2 of the cost"),
        ("12% per annum", "12% p.a."),
        ("Assets = liabilities + capital", "Assets equal liabilities plus capital"),
        ("₹5 lakh", "INR 500,000"),
        ("Rs 500 and Rs 300", "Rs 500 and 300"),
        ("1st of 3 items", "first of three items"),
    ],
)
def test_one_amount_written_in_two_ways(one: str, other: str) -> None:
    assert quantity_defect(one, other) == ""
    assert quantity_defect(other, one) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rent is Rs 12,500.", "Rent is Rs 12,600."),
        ("Rent is Rs 500.", "Rent is $ 500."),
        ("Rent is Rs 500.", "Rent is 500."),
        ("10% of 500", "10 of 500"),
        ("10% of 500", "10 of 500%"),
        ("for 3 months", "for 3 years"),
        ("two partners", "three partners"),
        ("5 lakh", "5 crore"),
        ("In 2021 it was $500 more.", "In 500 it was $2021 more."),
        ("twice the cost", "thrice the cost"),
        ("4 + 2", "4 - 2"),
        ("12% per annum", "12% in all"),
    ],
)
def test_another_amount(one: str, other: str) -> None:
    assert quantity_defect(one, other)
    assert quantity_defect(other, one)


@given(st.integers(1000, 10**9))
def test_separators_do_not_matter(number: int) -> None:
    assert quantity_defect(f"Rs {number}", f"Rs {number:,}") == ""
    assert quantity_defect(f"Rs {number}", f"Rs {number + 1:,}")


@given(st.text())
def test_every_text_agrees_with_itself(text: str) -> None:
    assert quantity_defect(text, text) == ""


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2 1/0", ["2", "1", "0"]),
        ("2\t1/2", ["2.5"]),
        ("Step 5\n1/2", ["5", "0.5"]),
        ("7" * 5000, ["7" * 5000]),
        ("7" * 5000 + " 1/2", ["7" * 5000, "0.5"]),
        ("an hundred thousand", ["100000"]),
    ],
)
def test_odd_numbers_are_read(text: str, values: list[str]) -> None:
    assert [each.value for each in quantities(text)] == values


def test_a_number_of_scales_without_end_is_cut() -> None:
    assert all(len(each.value) < 60 for each in quantities("an hundred " * 2700))


PIECES = st.sampled_from([
    "0", "1", "2", "9", "10", "1/2", "1/0", "/", ".", ",", "-", "%", "½", "٣", "Rs", "hundred",
    "thousand", "crore", "an", "a", "and", "half", "three", "twenty", "quarters", "thirds",
    "twice", "k", "years", " ", "\n", "\t", "\u00a0",
])  # fmt: skip


@given(st.lists(PIECES, max_size=25).map("".join) | st.lists(PIECES).map(" ".join) | st.text())
def test_every_text_has_its_quantities(text: str) -> None:
    assert all(each.value and each.start < each.end for each in quantities(text))


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("यह १,२५,००० रुपये है", "125000", ""),
        ("القيمة ١٬٠٠٠٫٥٪", "1000.5", "%"),
        ("価格は１，２００￥です", "1200", "¥"),
        ("Der Preis ist 1.000,50 €.", "1000.5", "€"),
        ("Das sind nicht 1.000 Stück.", "1000", ""),
        ("Le prix est de 10\u202f000,5 €", "10000.5", "€"),
        ("The price is 1.000 $", "1", "$"),
        ("It is 2,25,000", "225000", ""),
    ],
)
def test_numbers_of_other_scripts_and_languages(text: str, value: str, unit: str) -> None:
    [found] = quantities(text)
    assert (found.value, found.unit) == (value, unit)


def test_a_comma_before_two_figures_parts_no_thousands() -> None:
    assert [each.value for each in quantities("3,50 or 350")] == ["3", "50", "350"]
