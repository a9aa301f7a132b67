import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.curation.questions.answer_key import match_answer
from kd_kedro.curation.questions.choices import parse_choice
from kd_kedro.curation.questions.open_question import open_answer


@pytest.mark.parametrize(
    ("question", "stem", "options"),
    [
        (
            "What a firm always pays is the fixed cost; the variable cost; the rent; the tax",
            "What a firm always pays is",
            ("the fixed cost", "the variable cost", "the rent", "the tax"),
        ),
        (
            "The head office of the bank is in Mumbai; Delhi; Kolkata; Chennai",
            "The head office of the bank is in",
            ("Mumbai", "Delhi", "Kolkata", "Chennai"),
        ),
        (
            "The sum of 20 and 30, less 8, is 42; 50; 58; 20",
            "The sum of 20 and 30, less 8, is",
            ("42", "50", "58", "20"),
        ),
        (
            "When demand is elastic and the price falls, revenue will\nrise; fall; stay; vanish",
            "When demand is elastic and the price falls, revenue will",
            ("rise", "fall", "stay", "vanish"),
        ),
        (
            "What follows? Sales rise; costs fall.; Sales fall.; Costs rise.; Nothing.",
            "What follows?",
            ("Sales rise; costs fall.", "Sales fall.", "Costs rise.", "Nothing."),
        ),
        (
            "____ buy from ____. firms; households; banks; states; shops; schools; farms; mines",
            "____ buy from ____.",
            ("firms; households", "banks; states", "shops; schools", "farms; mines"),
        ),
    ],
)
def test_options_between_semicolons(question: str, stem: str, options: tuple[str, ...]) -> None:
    choice = parse_choice(question, "B")
    assert choice is not None
    assert (choice.stem, choice.options) == (stem, options)


def test_the_answer_says_where_the_first_option_begins() -> None:
    choice = parse_choice(
        "One of these is paid by shops is the tax on sales; rent; the wage; interest",
        "The tax on sales.",
    )
    assert choice is not None
    assert choice.stem == "One of these is paid by shops is"
    assert choice.options[0] == "the tax on sales"


def test_an_answer_that_is_no_option_makes_no_options() -> None:
    assert parse_choice("Shops pay rent; wages; interest; tax", "Money") is None


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Which?\nI. Cash\nII. Land\nI only\nII only\nBoth\nNeither", 4),
        ("Which is it?\nOne fact that is told in a sentence.\nRed\nGreen\nBlue\nGrey", 4),
        ("Which is it?\nRed\nGreen\nBlue", 3),
        ("Which is it?\nRed\nGreen\nBlue\nGrey\nWhite", 5),
        ("They say\nRed\nGreen\nBlue\nGrey", 4),
        ("Find both.\ng = 1; h = 2\ng = 2; h = 3\ng = 3; h = 4\ng = 4; h = 5", 4),
        ("Which did he ask?\nIs it so?\nIs it not?\nWhy?\nWhen?", 4),
    ],
)
def test_options_on_lines_of_their_own(question: str, options: int) -> None:
    choice = parse_choice(question, "(b)")
    assert choice is not None
    assert choice.options == tuple(question.split("\n")[-options:])


@pytest.mark.parametrize("mark", ["- ", "– ", "* ", "•", "☐ ", "[ ] ", "- [ ] ", "-"])
@pytest.mark.parametrize("answer", ["Sales", "B", "{}Sales"])
def test_bullets_belong_to_no_option(mark: str, answer: str) -> None:
    listed = "\n".join(mark + option for option in ("Cash", "Sales", "Rent", "Tax", "Land"))
    answer = answer.format(mark)
    choice = parse_choice(f"Read this.\nWhich is income?\n{listed}", answer)
    assert choice is not None
    assert choice.options == ("Cash", "Sales", "Rent", "Tax", "Land")
    match = match_answer(choice, answer)
    assert match is not None
    assert open_answer(choice, match, answer) == "Sales"


@pytest.mark.parametrize(
    ("lines", "answer", "options"),
    [
        (("-5", "-3", "-2"), "-3", ("-5", "-3", "-2")),
        (("- 5", "- 3", "- 2"), "- 3", ("- 5", "- 3", "- 2")),
        (("- 5", "- 3", "- 2"), "3", ("5", "3", "2")),
        (("- 5", "3", "- 2"), "B", ("- 5", "3", "- 2")),
    ],
)
def test_a_minus_belongs_to_its_number(
    lines: tuple[str, ...], answer: str, options: tuple[str, ...]
) -> None:
    choice = parse_choice("\n".join(("What is it?", *lines)), answer)
    assert choice is not None
    assert choice.options == options
    match = match_answer(choice, answer)
    assert match is not None
    assert options[match.index] in (answer, "3")


FACTS = ["Cash 100\nLoan 200\nLand 300", "- Cash 100\n- Loan 200\n- Land 300",
         "Cash 100; Loan 200; Land 300"]  # fmt: skip


@pytest.mark.parametrize("listed", FACTS)
def test_a_question_behind_a_list_is_no_option(listed: str) -> None:
    question = f"The firm has:\n{listed}\nWhich is fixed?"
    # The answer's text needs no options; the question may need the list.
    assert parse_choice(question, "Land 300") is None
    choice = parse_choice(question, "C")
    assert choice is not None
    assert choice.stem == "The firm has:\nWhich is fixed?"
    assert choice.options == ("Cash 100", "Loan 200", "Land 300")


def test_a_question_behind_bullets_is_no_option_of_a_stem_that_asks() -> None:
    choice = parse_choice("Which is fixed?\n- Cash\n- Loan\n- Land\nWhich one?", "C")
    assert choice is not None
    assert choice.options == ("Cash", "Loan", "Land")


def test_a_question_in_the_line_of_semicolons_is_not_decided() -> None:
    assert parse_choice("The firm has cash; loans; land. Which is fixed?", "C") is None


def test_a_table_has_no_options() -> None:
    assert parse_choice("What is it?\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |", "B") is None


def test_options_with_the_same_text_are_options_but_only_a_label_says_which() -> None:
    question = "How many?\nfour\nfour\nfive\nsix"
    choice = parse_choice(question, "four")
    assert choice is not None
    assert match_answer(choice, "four") is None
    match = match_answer(choice, "(b) four")
    assert match is not None
    assert match.index == 1


@pytest.mark.parametrize(
    "question",
    ["Which is right? a; ; b; ; c; x", "a; ; b; ; c; x", "   ", "", ";;; ;", "\n;\n", ";; ;; ?"],
)
def test_what_is_empty_is_no_option(question: str) -> None:
    assert parse_choice(question, "x") is None


@given(st.text("ab;?. \n", max_size=40))
def test_any_text_is_read(question: str) -> None:
    choice = parse_choice(question, "a")
    assert choice is None or all(choice.options)
