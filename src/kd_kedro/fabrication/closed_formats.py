"""Question formats: an item as multiple choice or as a sentence with blanks."""

import re
from random import Random

from kd_kedro.fabrication.templates import Item, fill

_BLANKS = ("____", "_______", "......", "[blank]", "________________")
_FILLING = re.compile(r"\[\[(.+?)\]\]")
_LABELS = {"a": "abcd", "A": "ABCD", "1": "1234", "i": ("i", "ii", "iii", "iv")}
# Label template, how a label is written, what stands between the options.
_STYLES = (
    ("a", "({}) ", " "),
    ("a", "({}) ", "\r\n"),
    ("a", "{}) ", " "),
    ("A", "{}. ", "\r\n"),
    ("A", "{}) ", "\r\n"),
    ("i", "{}) ", "\r\n"),
    ("1", "{}. ", "\r\n"),
    ("1", "({}) ", " "),
    ("", "", "; "),
)


def multiple_choice(rng: Random, item: Item, stem: str = "") -> tuple[str, str, str]:
    """Return an item as a multiple-choice question.

    Args:
        rng: Draws the style, the order of the options and the form of the answer.
        item: An item whose template has wrong options.
        stem: The question without options; '' takes the item's own.

    Returns:
        The question with its options, the answer as the sheet gives it, the right option's text.
    """
    if item.template.options is None:
        raise ValueError(f"template '{item.template.name}' has no options for multiple choice")
    right = item.answer.removesuffix(".")
    options = [right, *item.template.options(rng, item.slots)][:4]
    rng.shuffle(options)
    kind, mark, between = rng.choice(_STYLES)
    labels = [mark.format(each) for each in _LABELS[kind]] if kind else ["", "", "", ""]
    listed = between.join(label + text for label, text in zip(labels, options, strict=True))
    lead = {"\r\n": "\r\n", "; ": " Options: "}.get(between, " ")
    if not kind:
        return f"{stem or item.question}{lead}{listed}", right, right
    label = labels[options.index(right)].strip()
    shown = rng.choice((label, label.strip("(). "), right, f"{right}.", f"{label} {right}"))
    return f"{stem or item.question}{lead}{listed}", shown, right


def fill_in_the_blank(rng: Random, item: Item) -> tuple[str, str, str]:
    """Return an item as a sentence with blanks.

    Args:
        rng: Draws the form of the blank and of the answer.
        item: An item whose template has a cloze sentence.

    Returns:
        The sentence with blanks, the answer (the fillings, or the whole sentence), and the
        fillings joined by '; '.
    """
    sentence = fill(item.template.cloze, item.slots)
    fillings = [fill("{x}", {"x": each}) for each in _FILLING.findall(sentence)]
    if not fillings:
        raise ValueError(f"template '{item.template.name}' has no cloze sentence")
    blank = rng.choice(_BLANKS)
    question = rng.choice(("", "", "Fill in the blank: ")) + _FILLING.sub(blank, sentence)
    whole = fill("{x}", {"x": _FILLING.sub(r"\1", sentence)})
    return question, rng.choice((", ".join(fillings), whole)), "; ".join(fillings)
