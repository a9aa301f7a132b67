"""Multiple-choice rows: where the options are, and which of them the answer means.

The text decides first, the label second; where neither is certain, nothing is chosen.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LETTERS = "abcdefghij"
ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii")

# A label and what closes it: "(a)", "a)", "A.", "a:", "[a]". It stands at a line's start or after
# a space, and a space or the option follows.
_LABEL = re.compile(
    r"(?:(?<=\s)|^)(?P<open>[(\[]?)(?P<label>[A-Ja-j]|[ivIV]{1,4}|\d{1,2})"
    r"(?P<close>[)\]]|\.\)|[.:](?=\s))(?=\s*\S)",
    re.MULTILINE,
)
_ALL = re.compile(r"^(?:all|both|each)(?: (?:of )?(?:the|these|them|are))*(?: (?:above|following|options|correct|true|these|three|four))*$")
_NONE = re.compile(r"^(?:none|neither)(?: (?:of )?(?:the|these|them|are))*(?: (?:above|following|options|correct|true|these))*$")
_BARE_LABEL = re.compile(
    r"^\W*(?:(?:the )?(?:correct |right )?(?:answer|option|choice|ans)(?: is|:|-)?[\s:]*(?:option )?)?"
    r"[(\[]?(?P<label>[A-Ja-j]|[ivIV]{1,4}|\d{1,2})[)\].:]?\W*$",
    re.IGNORECASE,
)
_LABEL_AND_TEXT = re.compile(
    r"^\W*(?:(?:the )?(?:correct |right )?(?:answer|option|choice|ans)(?: is|:|-)?[\s:]*(?:option )?)?"
    r"(?:[(\[](?P<inside>[A-Ja-j]|[ivIV]{1,4}|\d{1,2})[)\]]|(?P<label>[A-Ja-j]|[ivIV]{1,4}|\d{1,2})[).:])"
    r"[\s:–-]*(?P<text>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_SAYS_ANSWER = re.compile(r"^(?:the )?(?:correct |right )?(?:answer|option|choice)(?: is|:)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """A question with its options.

    Attributes:
        stem: The question without the option block.
        labels: The label of each option, lower case; a letter by position where it has none.
        options: The text of each option.
        labelled: Whether the labels stand in the text.
    """

    stem: str
    labels: tuple[str, ...]
    options: tuple[str, ...]
    labelled: bool


@dataclass(frozen=True)
class Match:
    """The option an answer means.

    Attributes:
        index: Which option, from 0.
        how: `text`, `label`, `text and label`, `contained` or `overlap`.
    """

    index: int
    how: str


def parse_choice(question: str, answer: str = "") -> Choice | None:
    """Return the stem and the options of a multiple-choice question, None where it is none.

    Args:
        question: The question, its line breaks as they came.
        answer: The answer. Options without labels are taken for options only where the answer
            is one of them or a bare label.
    """
    for kind in (LETTERS, ROMANS, tuple(map(str, range(1, 11)))):
        if choice := _labelled(question, kind):
            return choice
    for choice in (_own_lines(question), _semicolons(question)):
        if choice and answer and _settles(choice, answer):
            return choice
    return None


def match_answer(
    choice: Choice, answer: str, min_overlap: float = 0.75, min_margin: float = 0.25
) -> Match | None:
    """Return the option that an answer means, None where that is not certain.

    Args:
        choice: The options.
        answer: The answer.
        min_overlap: Share of an option's telling words that an answer must have where it does
            not quote the option.
        min_margin: How far that share must be above the next option's.
    """
    by_label = _by_label(choice, answer)
    text = _without_label(choice, answer)
    by_text = _by_text(choice, text) if text else None
    if by_text is None and text:
        by_text = _by_overlap(choice, _words(text), min_overlap, min_margin)
    if by_text is not None and by_label is not None:
        if by_label in _combination(choice, by_text.index):
            return by_text
        # A label and a text that point at different options: a person must look.
        return Match(by_text.index, "text and label") if by_text.index == by_label else None
    if by_text is not None:
        return by_text
    if by_label is not None and not text:
        return Match(by_label, "label")
    return None


def option_text(choice: Choice, index: int) -> str:
    """Return an option so that it can be read alone: references to other options spelt out."""
    parts = _combination(choice, index)
    if parts and len(parts) > 1:
        texts = [_trim(choice.options[part]) for part in parts]
        return f"{', '.join(texts[:-1])} and {texts[-1]}"
    return _trim(choice.options[index])


def open_answer(choice: Choice, match: Match, answer: str) -> str:
    """Return the answer to the open question: the option's text, or the sentence that has it.

    A label or a bare option becomes the option's text. A whole sentence that says more stays.
    """
    chosen = option_text(choice, match.index)
    text = _without_label(choice, answer)
    text = _SAYS_ANSWER.sub("", text).strip()
    if not text or _words(text) == _words(choice.options[match.index]):
        return chosen
    if _combination(choice, match.index) and (_is_reference(choice, text)):
        return chosen
    return re.sub(r"\s+", " ", text)


def open_stem(choice: Choice) -> str:
    """Return the stem as a question without options.

    "Which of the following is a cost?" asks as well without; "Which of the following statements is
    correct?" does not, and gets them back in one line.
    """
    stem = choice.stem.strip()
    if "|" not in stem:
        stem = re.sub(r"\s+", " ", stem)
    if _NEEDS_OPTIONS.search(stem) or _SAYS_NOTHING.fullmatch(stem):
        listed = "; ".join(_trim(option) for option in choice.options)
        asked = re.sub(r"(?i)of the following|from the following", "of these", stem).rstrip(" .:?")
        if asked.casefold().startswith(("choose", "select", "identify", "pick", "tick")):
            wanted = re.sub(r"(?i)^(?:choose|select|identify|pick|tick) (?:the )?", "", asked)
            asked = f"Which of these is the {wanted}"
        return f"{asked}: {listed}?"
    opened = _WHICH_OF.sub(lambda found: _what_for(found), stem)
    return opened[:1].upper() + opened[1:]


def is_open_question(stem: str) -> bool:
    """Return whether a stem asks, rather than breaks off where its options begin."""
    last = re.split(r"(?<=[.!?])\s+", stem.strip())[-1]
    return bool(re.search(r"\?\s*(?:\n|$)", stem)) or bool(
        re.match(r"(?i)(?:define|explain|state|name|list|describe|choose|select|identify)\b", last)
    )


_NEEDS_OPTIONS = re.compile(
    r"(?i)\b(?:which|what)\b[^?]*\b(?:of|from|among) (?:the following|these|those)\s*"
    r"(?:statements?|options?|sentences?|alternatives?|pairs?|combinations?)?\s*"
    r"(?:is|are|is/are|would be)?\s*(?:not |NOT )?(?:the )?(?:in)?(?:correct|true|false|right|wrong|best|most appropriate|valid|invalid)\s*[?:.]*$"
    r"|\bfrom among the\b|\bof the following statements?\b|\bstatements? (?:is|are)\b|\bgiven below\b|statement 1\b"
)
_SAYS_NOTHING = re.compile(
    r"(?i)(?:choose|select|identify|pick|tick|find)(?: out)? the (?:most )?(?:in)?(?:correct|right|true|"
    r"false|wrong|odd|best|appropriate)(?: (?:answer|option|statement|alternative|one|choice))?s?"
    r"(?: from the following)?\W*"
)
_WHICH_OF = re.compile(
    r"(?i)\bwhich (?:one )?of (?:the following|these|the below)(?: (?P<noun>[a-z/]+s))?"
    r"(?= (?P<verb>is|are|was|were|does|do|did|will|would|can|could|must|has|have|may|should|"
    r"best|most|cannot|[a-z]+[^s\W]s)\b)"
)


def _what_for(found: re.Match[str]) -> str:
    noun = found["noun"]
    what = "which" if noun else "what"
    if found.group()[0].isupper():
        what = what.capitalize()
    return f"{what} {noun}" if noun else what


def _labelled(question: str, kind: Sequence[str]) -> Choice | None:
    """Return the options behind the longest run of labels a, b, c … of one kind."""
    marks = [m for m in _LABEL.finditer(question) if m["label"].casefold() in kind]
    best: list[re.Match[str]] = []
    for start, mark in enumerate(marks):
        if mark["label"].casefold() != kind[0]:
            continue
        run = [mark]
        for later in marks[start + 1 :]:
            wanted = kind[len(run)] if len(run) < len(kind) else ""
            if later["label"].casefold() == wanted and _same_form(mark, later):
                run.append(later)
        if len(run) > len(best) or (len(run) == len(best) and _lines(question, run) > _lines(question, best)):
            best = run
    least = 2 if kind is LETTERS and best and best[0]["close"] == ")" else 3
    if len(best) < least:
        return None
    stem = question[: best[0].start()].rstrip()
    ends = [mark.start() for mark in best[1:]] + [len(question)]
    options = tuple(
        re.sub(r"\s+", " ", question[mark.end() : end]).strip()
        for mark, end in zip(best, ends, strict=True)
    )
    if not stem.strip() or not all(options):
        return None
    return Choice(stem, tuple(mark["label"].casefold() for mark in best), options, True)


def _same_form(first: re.Match[str], other: re.Match[str]) -> bool:
    # A forgotten opening bracket is common; "a)" and "b." in one list is not.
    same_case = first["label"].isupper() == other["label"].isupper() or first["label"].isdigit()
    return first["close"] == other["close"] and same_case


def _lines(question: str, run: Iterable[re.Match[str]]) -> int:
    return sum(question[: mark.start()].rstrip(" \t")[-1:] in ("\n", "") for mark in run)


def _own_lines(question: str) -> Choice | None:
    """Return options that stand on lines of their own, without labels."""
    lines = [line.strip() for line in question.strip().split("\n") if line.strip()]
    if any(line.startswith("|") for line in lines):
        return None
    # The stem ends at the last line that asks or announces; else it is the first line.
    ends = [n for n, line in enumerate(lines[:-3]) if line.endswith(("?", ":")) or "____" in line]
    cut = (ends[-1] if ends else 0) + 1
    return _unlabelled("\n".join(lines[:cut]), lines[cut:])


def _semicolons(question: str) -> Choice | None:
    """Return options in the last line, parted by semicolons, after the mark that ends the stem."""
    head, _, tail = question.strip().rpartition("\n")
    found = re.match(r"(?P<stem>.*(?:[?:]|_{2,}[.:]?|(?<=[a-z])\.))\s+(?P<rest>[^;]+(?:;[^;]+){2,})$", tail, re.DOTALL)
    if not found:
        if not head or tail.count(";") < 2:
            return None
        return _unlabelled(head, tail.split(";"))
    stem = f"{head}\n{found['stem']}" if head else found["stem"]
    return _unlabelled(stem, found["rest"].split(";"))


def _unlabelled(stem: str, options: Sequence[str]) -> Choice | None:
    texts = tuple(option.strip() for option in options)
    if not 3 <= len(texts) <= len(LETTERS) or not all(texts) or not stem.strip():
        return None
    return Choice(stem, tuple(LETTERS[: len(texts)]), texts, False)


def _settles(choice: Choice, answer: str) -> bool:
    match = match_answer(choice, answer)
    return match is not None and match.how in ("text", "label", "text and label")


def _by_label(choice: Choice, answer: str) -> int | None:
    # An option may itself be "a" or "4": then the text decides.
    texts = {tuple(_words(option)) for option in choice.options}
    if tuple(_words(answer)) in texts:
        return None
    for pattern in (_BARE_LABEL, _LABEL_AND_TEXT):
        if found := pattern.match(answer.strip()):
            groups = found.groupdict()
            label = (groups.get("inside") or groups["label"]).casefold()
            if label in choice.labels:
                return choice.labels.index(label)
    return None


def _without_label(choice: Choice, answer: str) -> str:
    """Return the answer without the label before it; '' where it is a label alone."""
    if tuple(_words(answer)) in {tuple(_words(option)) for option in choice.options}:
        return answer.strip()
    bare = _BARE_LABEL.match(answer.strip())
    if bare and bare["label"].casefold() in choice.labels:
        return ""
    found = _LABEL_AND_TEXT.match(answer.strip())
    if found:
        label = (found["inside"] or found["label"]).casefold()
        if label in choice.labels and not re.match(r"\s*[&,]|\s*and\s*\(", found["text"]):
            return found["text"].strip()
    return answer.strip()


def _by_text(choice: Choice, text: str) -> Match | None:
    words = _words(_SAYS_ANSWER.sub("", text))
    equal = [n for n, option in enumerate(choice.options) if _words(option) == words]
    if len(equal) == 1:
        return Match(equal[0], "text")
    if equal:
        return None
    if (index := _named_combination(choice, text, words)) is not None:
        return Match(index, "contained")
    inside = [n for n, option in enumerate(choice.options) if _contains(words, _words(option))]
    # An answer that repeats the stem says nothing by what the stem has already.
    stem = _words(choice.stem)
    inside = [n for n in inside if not _contains(stem, _words(choice.options[n]))] or inside
    # "cost" stands inside "fixed cost": the longer one is meant.
    inside = [
        n for n in inside
        if not any(
            other != n and _contains(_words(choice.options[other]), _words(choice.options[n]))
            for other in inside
        )
    ]  # fmt: skip
    if len(inside) == 1 and not _is_reference(choice, choice.options[inside[0]]):
        return Match(inside[0], "contained")
    return None


def _named_combination(choice: Choice, text: str, words: list[str]) -> int | None:
    """Return the option "(a) & (c)", "all of the above" that an answer spells out."""
    named = {
        n for n, option in enumerate(choice.options)
        if not _combination(choice, n) and (_contains(words, _words(option)) or _share(words, _words(option)) >= 0.9)
    }  # fmt: skip
    if len(named) < 2:
        labels = {label.casefold() for label in re.findall(r"\(([A-Ja-j])\)", text)}
        named |= {choice.labels.index(label) for label in labels if label in choice.labels}
    if len(named) < 2:
        return None
    fits = [n for n in range(len(choice.options)) if set(_combination(choice, n)) == named]
    return fits[0] if len(fits) == 1 else None


def _combination(choice: Choice, index: int) -> tuple[int, ...]:
    """Return the options that an option refers to; empty where it stands for itself."""
    option = choice.options[index]
    plain = " ".join(_words(option))
    others = tuple(n for n in range(index) if not _NONE.match(" ".join(_words(choice.options[n]))))
    if _ALL.match(plain) and len(plain.split()) > 1:
        return others
    refs = re.sub(r"(?i)\b(?:both|and|or|only|are|correct|true|options?|&)\b|[(),.&]", " ", option).split()
    if len(refs) > 1 and all(ref.casefold() in choice.labels for ref in refs):
        return tuple(choice.labels.index(ref.casefold()) for ref in refs)
    return ()


def _is_reference(choice: Choice, text: str) -> bool:
    plain = " ".join(_words(text))
    return bool(
        _ALL.match(plain) or _NONE.match(plain) or re.fullmatch(r"(?:both )?(?:[a-j] )+(?:and )?[a-j]", plain)
    )


def _by_overlap(
    choice: Choice, words: list[str], min_overlap: float, min_margin: float
) -> Match | None:
    """Return the option whose telling words the answer has, where one stands out."""
    stemmed = [_stems(_words(option)) for option in choice.options]
    told = _stems(words)
    common = set.intersection(*map(set, stemmed))
    asked = _stems(_words(choice.stem))
    scores = []
    for stems in stemmed:
        telling = [stem for stem in stems if stem not in common and stem not in _EMPTY]
        # What the stem says already tells options apart less.
        weights = {stem: 0.5 if stem in asked else 1.0 for stem in telling}
        total = sum(weights.values())
        scores.append(sum(weights[stem] for stem in telling if stem in told) / total if total else 0.0)
    order = sorted(range(len(scores)), key=lambda n: -scores[n])
    best, second = order[0], order[1]
    if scores[best] < min_overlap or scores[best] - scores[second] < min_margin:
        return None
    if _negated(words) != _negated(_words(choice.options[best])) and not _negated(_words(choice.stem)):
        return None
    return Match(best, "overlap")


def _share(words: list[str], option: list[str]) -> float:
    stems = [stem for stem in _stems(option) if stem not in _EMPTY]
    told = _stems(words)
    return sum(stem in told for stem in stems) / len(stems) if stems else 0.0


def _negated(words: list[str]) -> bool:
    return any(word in ("not", "no", "never", "cannot", "neither", "nor") or word.endswith("n't") for word in words)


def _contains(words: list[str], part: list[str]) -> bool:
    width = len(part)
    return bool(part) and any(words[n : n + width] == part for n in range(len(words) - width + 1))


def _words(text: str) -> list[str]:
    plain = text.casefold().replace("’", "'").replace("-", " ")
    return re.findall(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?|[%₹$€£+<>=−*/^]", plain)


def _stems(words: Iterable[str]) -> list[str]:
    return [re.sub(r"(?:ies|es|s|ed|ing|y|e|ly)$", "", word) if len(word) > 4 else word for word in words]


def _trim(option: str) -> str:
    return re.sub(r"\s+", " ", option).strip().rstrip(";,.").strip()


_EMPTY = frozenset(_stems("a an the of to in on for by with and or is are be as at it its that this".split()))
