import pytest

from kd_kedro.curation.records.reviewer import is_full_question


@pytest.mark.parametrize(
    ("correction", "question"),
    [
        ("Why does price clear the market?", "Why price?"),
        ("什么是公司的资产？", "什么是资产"),
        ("ما هي أصول الشركة هذه؟", "ما هي أصول الشركة"),
        ("Wie hoch ist die Steuer auf Bücher?", "Wie hoch die Steuer auf Bücher"),
    ],
)
def test_a_question_in_any_script_corrects_one(correction: str, question: str) -> None:
    assert is_full_question(correction, question, 4)


@pytest.mark.parametrize("remark", ["answer needs to be checked?", "什么？", "什么是公司的资产。"])
def test_a_remark_does_not(remark: str) -> None:
    assert not is_full_question(remark, "什么是资产", 4)
