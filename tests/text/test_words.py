import pytest

from kd_kedro.text.normalise import bare, normalise, squeeze, without_end, wording, words_only
from kd_kedro.text.words import DERIVATIONS, content_words, root, stem, words_and_signs


@pytest.mark.parametrize(
    ("word", "inflected", "derived"),
    [
        ("declares", "declar", "declar"),
        ("companies", "compan", "compan"),
        ("applied", "appl", "appli"),
        ("trading", "trading", "trad"),
        ("freely", "freel", "free"),
        ("uses", "use", "uses"),
        ("ring", "ring", "ring"),
        ("a", "a", "a"),
    ],
)
def test_stems(word, inflected, derived):
    assert stem(word) == inflected
    assert stem(word, DERIVATIONS) == derived


def test_related_words_have_one_root():
    assert root("depreciation") == root("depreciated") == "depreci"
    assert root("is") == "is"


def test_words():
    assert content_words("The firm's asset(s), at Rs 5%.") == ["firm's", "asset", "rs", "5", "%"]
    assert words_and_signs("Re-sale isn’t -1 + ₹2") == ["re", "sale", "isn't", "-1", "+", "₹", "2"]


def test_words_of_other_scripts_have_their_marks() -> None:
    assert content_words("हिन्दी की किताब") == ["हिन्दी", "की", "किताब"]
    assert words_only("का") != words_only("की")
    assert content_words("什么是资产？") == list("什么是资产")
    assert content_words("Ελλάδα 5 %") == ["ελλάδα", "5"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("什么是资产？", "什么是资产"),
        ("ما هي الأصول؟", "ما هي الأصول"),
        ("«Was?»", "was"),
        ("यह क्या है।", "यह क्या है"),
    ],
)
def test_marks_of_all_scripts_are_overlooked(one: str, other: str) -> None:
    assert wording(one) == wording(other)
    assert normalise(one) == normalise(other)
    assert without_end(f"{other}。") == without_end(f"{other}؛") == without_end(other)


def test_forms_for_comparison_overlook_more_and_more():
    text = " The  (Asset), a thing; "
    assert squeeze(text) == "The (Asset), a thing;"
    assert without_end(text) == "the (asset), a thing"
    assert without_end("Rent;. ", ". ") == "rent;"
    assert normalise(text) == "the asset a thing"
    assert wording(text) == "asset thing"
    assert words_only("It's 1,5!") == "it s 1 5"
    assert (bare("A(n),"), bare("(n)", "()")) == ("a(n)", "n")
