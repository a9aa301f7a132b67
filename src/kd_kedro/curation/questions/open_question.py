"""A multiple-choice row as an open question: its stem and its chosen option."""

import re

from kd_kedro.curation.questions.answer_key import (
    SAYS_ANSWER,
    Choice,
    Match,
    combination,
    is_none,
    is_reference,
    without_label,
)
from kd_kedro.text.language import foreign_language, is_english
from kd_kedro.text.layout import has_layout
from kd_kedro.text.normalise import one_line
from kd_kedro.text.words import words_and_signs

_COMMANDS = re.compile(
    r"(?:define|explain|state|name|list|describe|choose|select|identify|find|calculate|compute|"
    r"determine|work out|give|pass|record|show|tell|indicate|classify|match|pick|tick)\b",
    re.IGNORECASE,
)
_OPTIONS_FOLLOW = re.compile(
    r"\s*(?:\((?:the )?)?\b(?:options|choices|choose from|select one)\s*:?\)?\s*$", re.IGNORECASE
)
_JUDGED = r"(?:in)?(?:correct|true|false|right|wrong|best|most appropriate|valid)"
_NEEDS_OPTIONS = re.compile(
    r"(?i)\b(?:which|what)\b[^?]*\b(?:of|from|among) (?:the following|these|those)\s*"
    r"(?:options?|sentences?|alternatives?|pairs?|combinations?)?\s*"
    rf"(?:is|are|is/are|would be)?\s*(?:not )?(?:the )?{_JUDGED}\s*[?:.]*$"
    r"|\bfrom among the\b|\bof the following statements?\b|\bstatements? (?:is|are)\b"
    r"|\bgiven below\b|statement 1\b"
)
_SAYS_NOTHING = re.compile(
    r"(?i)(?:choose|select|identify|pick|tick|find)(?: out)? the (?:most )?(?:in)?"
    r"(?:correct|right|true|false|wrong|odd|best|appropriate)"
    r"(?: (?:answer|option|statement|alternative|one|choice))?s?(?: from the following)?\W*"
)
_WHICH_OF = re.compile(
    r"(?i)\bwhich (?:one )?of (?:the following|these|the below)(?: (?P<noun>[a-z/]+s))?"
    r"(?= (?P<verb>is/are|is|are|was|were|does|do|did|will|would|can|could|must|has|have|may|"
    r"should|best|most|cannot|[a-z]+[^s\W]s)\b)"
)


_NAMES_LABEL = re.compile(r"\([A-Ja-j]\)")
# A last sentence that asks and only lacks its mark; one that ends in "is" breaks off.
_ASKS = re.compile(
    r"(?:^|[.!]\s+)(?:which|what|who|whom|whose|why|how (?:many|much|long|often|far|old))\s"
    r"[^.?!:_]*"
    r"(?<!\bis)(?<!\bare)(?<!\bwas)(?<!\bof)(?<!\bto)(?<!\bby)(?<!\bthe)(?<!\ba)(?<!\bthat)"
    r"(?<=\w)$",
    re.IGNORECASE,
)


def open_stem(choice: Choice, chosen: int | None = None) -> str:
    """Return the stem as a question without options.

    "Which of the following is a cost?" asks as well without; "Which of the following statements is
    correct?" does not, and gets them back in one line. So does every question that is answered by
    "None of the above".

    Args:
        choice: Stem and options.
        chosen: Which option is the answer, where that is known.
    """
    stem = _OPTIONS_FOLLOW.sub("", choice.stem.strip())
    if foreign_language(stem):
        return stem
    if not has_layout(stem):
        stem = one_line(stem)
    answers_none = chosen is not None and is_none(choice, chosen)
    if answers_none or _NEEDS_OPTIONS.search(stem) or _SAYS_NOTHING.fullmatch(stem):
        listed = "; ".join(_trim(choice, n) for n in range(len(choice.options)))
        asked = re.sub(r"(?i)of the following|from the following", "of these", stem).rstrip(" .:?")
        if asked.casefold().startswith(("choose", "select", "identify", "pick", "tick")):
            wanted = re.sub(r"(?i)^(?:choose|select|identify|pick|tick) (?:the )?", "", asked)
            asked = f"Which of these is the {wanted}"
        return f"{asked}: {listed}?"
    opened = _WHICH_OF.sub(_what_for, stem)
    if _ASKS.search(asked := opened.rstrip(" ,:")):
        opened = f"{asked}?"
    # What starts small in a formula or a name stays small.
    return opened[:1].upper() + opened[1:] if is_english(opened) else opened


def is_open_question(stem: str) -> bool:
    """Return whether a stem asks, rather than breaks off where its options begin."""
    text = stem.strip()
    last = re.split(r"(?<=[.!?])\s+", text)[-1]
    # What is told after the question, in whole sentences, belongs to it.
    told_after = "?" in text and text.endswith((".", ")", "”", '"'))
    return told_after or bool(re.search(r"\?\s*(?:\n|$)", stem) or _COMMANDS.match(last))


def open_answer(choice: Choice, match: Match, answer: str) -> str:
    """Return the answer to the open question: the option's text, or the sentence that has it.

    A label or a bare option becomes the option's text. A whole sentence that says more stays.
    """
    chosen = option_text(choice, match.index)
    text = without_label(choice, answer)
    text = SAYS_ANSWER.sub("", text).strip()
    if not text or words_and_signs(text) == words_and_signs(choice.options[match.index]):
        return chosen
    if combination(choice, match.index) and (is_reference(text) or _NAMES_LABEL.search(text)):
        return chosen
    return text


def option_text(choice: Choice, index: int) -> str:
    """Return an option so that it can be read alone: references to other options spelt out."""
    parts = combination(choice, index)
    if parts and len(parts) > 1:
        texts = [_trim(choice, part) for part in parts]
        return f"{', '.join(texts[:-1])} and {texts[-1]}"
    return _trim(choice, index)


def _what_for(found: re.Match[str]) -> str:
    noun = found["noun"]
    if noun and found["verb"].casefold() in ("is", "was", "has", "does"):
        noun = re.sub(r"(?<=[^aeiou])ies$", "y", noun) if noun.endswith("ies") else noun
        noun = re.sub(r"(?<=[^su])s$|(?<=ss)es$|(?<=[sx]h)es$", "", noun)
    what = "which" if noun else "what"
    if found.group()[0].isupper():
        what = what.capitalize()
    return f"{what} {noun}" if noun else what


def _trim(choice: Choice, index: int) -> str:
    """Return an option without the mark that parts it from the next one."""
    option = choice.options[index].strip()
    # Lines of code end in semicolons, all of them; and several lines are parted from the next ones.
    if "\n" in option or all(each.rstrip().endswith(";") for each in choice.options):
        return option
    return option.rstrip(";,.").strip()
