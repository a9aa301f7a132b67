"""Which option of a multiple-choice question an answer means.

The text decides first, the label second; where neither is certain, nothing is chosen.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kd_kedro.text.normalise import without_end
from kd_kedro.text.words import DERIVATIONS, stem, word_set, words_and_signs

LETTERS = "abcdefghij"

# What may stand before a label or an option in an answer: "The correct answer is: option ".
_PREFIX = (
    r"(?:(?:the )?(?:correct |right )?(?:answer|option|choice|ans)(?: is|:|-)?[\s:]*(?:option )?)?"
)
_ONE_LABEL = r"[A-Ja-j]|[ivIV]{1,4}|\d{1,2}"
_BARE_LABEL = re.compile(rf"^\W*{_PREFIX}[(\[]?(?P<label>{_ONE_LABEL})[)\].:]?\W*$", re.IGNORECASE)
_LABEL_AND_TEXT = re.compile(
    rf"^\W*{_PREFIX}(?:[(\[](?P<inside>{_ONE_LABEL})[)\]]|(?P<label>{_ONE_LABEL})[).:])"
    # A separator, but not the sign of "(a) -1".
    r"\s*(?:[:–—]\s*|-\s+)?(?P<text>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
SAYS_ANSWER = re.compile(
    r"^(?:the )?(?:correct |right )?(?:answer|option|choice)(?: is|:)\s*", re.IGNORECASE
)
# A label in a sentence: "It is A, since ", "I think A because ", "Option B is right", "cash (A)".
_LABEL_IN_SENTENCE = (
    re.compile(
        rf"^\W*(?:{_PREFIX}|(?:it|that|this)(?: is|['’]s) (?:option )?)"
        rf"(?:(?<=option |choice |answer )(?P<named>{_ONE_LABEL})\s"
        rf"|(?P<label>{_ONE_LABEL})(?:,|\s*[;–—]|\s+-)\s+(?![(\[]?(?:{_ONE_LABEL})\b))",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<![^\s(\[])(?P<label>{_ONE_LABEL})[)\].:]?(?:\s*[,;–—-]\s*|\s+)"
        r"(?:because|since|as|due to)(?![\w-])",
        re.IGNORECASE,
    ),
    re.compile(r"[(\[](?P<label>[A-J])[)\]]"),
)
# Marks of a list's lines; "-5" is a number.
_BULLET = re.compile(
    r"(?:\[[ xX]?\]\s+|[•‣◦∙·●○■□▪▫◆◇❖☐☑☒✓✔➢➤►▶⁃]\s*|[-–—*](?:\s+|(?=[A-Z][a-z])))"
    r"(?:\[[ xX]?\]\s+)?(?=\S)"
)
_NUMBER = re.compile(r"[^\w\s]*\d[\d.,\s%]*")
_REST = (
    r"(?: (?:of )?(?:the|these|them|are))*"
    r"(?: (?:above|following|options?|choices|answers|statements|listed|given|are|is|correct|true|"
    r"these))*$"
)
_ALL = re.compile(rf"^(?:all|both|each){_REST}")
_NONE = re.compile(rf"^(?:none|neither){_REST}")


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


def match_answer(
    choice: Choice, answer: str, min_overlap: float = 0.75, min_margin: float = 0.25
) -> Match | None:
    """Return the option that an answer means, None where that is not certain.

    Args:
        choice: The options.
        answer: The answer.
        min_overlap: Share of an option's telling words that an answer must have where it does
            not quote the option.
        min_margin: Least difference of that share from the next option's.
    """
    if _is_ambiguous(choice, answer):
        return None
    by_label = _by_label(choice, answer)
    text = without_label(choice, answer)
    if by_label is not None and without_end(text) == without_end(choice.options[by_label]):
        # Another option may have the same text; the label says which.
        return Match(by_label, "text and label")
    by_text = _by_text(choice, text) if text else None
    if by_text is None and text:
        by_text = _by_overlap(choice, text, min_overlap, min_margin)
    if by_text is not None and by_text.how != "text" and _label_in_sentence(choice, answer):
        # The letter would stay in the answer, and the reason may have another option's words.
        by_text = by_text if combination(choice, by_text.index) else None
    if by_text is not None and by_label is not None:
        if by_label in combination(choice, by_text.index):
            return by_text
        # A label and a text that point at different options: a person must look.
        return Match(by_text.index, "text and label") if by_text.index == by_label else None
    if by_text is None and by_label is not None and not text:
        return Match(by_label, "label")
    return by_text


def names_option(choice: Choice, answer: str) -> bool:
    """Return whether an answer is the label or the text of an option, one or several.

    That makes sure that options are options, even where it leaves open which one is meant.
    """
    text = without_label(choice, answer)
    if not text:
        return True
    words = words_and_signs(SAYS_ANSWER.sub("", text))
    return any(
        without_end(option) == without_end(text) or (words and words_and_signs(option) == words)
        for option in choice.options
    )


def without_bullets(lines: Sequence[str], answer: str) -> list[str]:
    """Return lines without the bullets that all of them have.

    Args:
        lines: The lines.
        answer: The answer. Where it is a line such as "- 5", that is a number and no bullet.
    """
    bare = [line.removeprefix(bullet(line)) for line in lines]
    numbers = answer.strip() in lines and any(map(_NUMBER.fullmatch, bare))
    return list(lines) if numbers or not all(map(bullet, lines)) else bare


def bullet(line: str) -> str:
    """Return the mark that makes a line an item of a list ("- ", "•"), '' where it has none."""
    found = _BULLET.match(line)
    return found.group() if found else ""


def without_label(choice: Choice, answer: str) -> str:
    """Return the answer without bullet and label before it; '' where it is a label alone."""
    answer = answer.strip()
    unmarked = answer.removeprefix(bullet(answer))
    if not ("\n" in answer or answer in choice.options or _NUMBER.fullmatch(unmarked)):
        answer = unmarked
    is_option = tuple(words_and_signs(answer)) in {
        tuple(words_and_signs(each)) for each in choice.options
    }
    if is_option and not _is_bracketed(answer):
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


def combination(choice: Choice, index: int) -> tuple[int, ...]:
    """Return the options that an option refers to; empty where it stands for itself."""
    option = choice.options[index]
    plain = " ".join(words_and_signs(option))
    others = tuple(
        n for n in range(index) if not _NONE.match(" ".join(words_and_signs(choice.options[n])))
    )
    if _ALL.match(plain) and len(plain.split()) > 1:
        return others
    refs = re.sub(
        r"(?i)\b(?:both|and|or|only|are|correct|true|options?|&)\b|[(),.&]", " ", option
    ).split()
    if len(refs) > 1 and all(ref.casefold() in choice.labels for ref in refs):
        return tuple(choice.labels.index(ref.casefold()) for ref in refs)
    return ()


def is_none(choice: Choice, index: int) -> bool:
    """Return whether an option says that the others are not it: "None of the above"."""
    plain = " ".join(words_and_signs(choice.options[index]))
    return bool(_NONE.match(plain)) and len(plain.split()) > 1


def is_reference(text: str) -> bool:
    """Return whether a text only refers to options: "all of the above", "a and c"."""
    plain = " ".join(words_and_signs(text))
    return bool(
        _ALL.match(plain)
        or _NONE.match(plain)
        or re.fullmatch(r"(?:both )?(?:[a-j] )+(?:and )?[a-j]", plain)
    )


def _by_label(choice: Choice, answer: str) -> int | None:
    # An option may itself be "a": then the text decides, unless brackets make it a label.
    texts = {tuple(words_and_signs(option)) for option in choice.options}
    if tuple(words_and_signs(answer)) in texts and not _is_bracketed(answer):
        return None
    for pattern in (_BARE_LABEL, _LABEL_AND_TEXT):
        if found := pattern.match(answer.strip()):
            groups = found.groupdict()
            label = (groups.get("inside") or groups["label"]).casefold()
            if label in choice.labels:
                return choice.labels.index(label)
    return None


def _label_in_sentence(choice: Choice, answer: str) -> bool:
    named = [
        label.casefold()
        for pattern in _LABEL_IN_SENTENCE
        for found in pattern.finditer(answer.strip())
        for label in found.groups("")
    ]
    return not set(choice.labels).isdisjoint(named)


def _is_bracketed(answer: str) -> bool:
    return bool(re.fullmatch(rf"[(\[]?(?:{_ONE_LABEL})[)\]]", answer.strip()))


def _is_ambiguous(choice: Choice, answer: str) -> bool:
    """Return whether an answer is the label of one option and the text of another."""
    plain = answer.strip().casefold()
    if plain not in choice.labels:
        return False
    same = [n for n, option in enumerate(choice.options) if without_end(option) == plain]
    return bool(same) and same != [choice.labels.index(plain)]


def _by_text(choice: Choice, text: str) -> Match | None:
    words = words_and_signs(SAYS_ANSWER.sub("", text))
    same = [
        n for n, option in enumerate(choice.options) if without_end(option) == without_end(text)
    ]
    if same:
        return Match(same[0], "text") if len(same) == 1 else None
    options = [words_and_signs(option) for option in choice.options]
    equal = [n for n, option in enumerate(options) if option == words]
    if len(equal) == 1:
        return Match(equal[0], "text")
    if equal:
        return None
    if (index := _named_combination(choice, text, words)) is not None:
        return Match(index, "contained")
    inside = [n for n, option in enumerate(options) if _contains(words, option)]
    # An answer that repeats the stem says nothing by what the stem has already.
    asked = words_and_signs(choice.stem)
    inside = [n for n in inside if not _contains(asked, options[n])] or inside
    # "cost" stands inside "fixed cost": the longer one is meant.
    inside = [
        n for n in inside
        if not any(other != n and _contains(options[other], options[n]) for other in inside)
    ]  # fmt: skip
    if len(inside) == 1 and not is_reference(choice.options[inside[0]]):
        return Match(inside[0], "contained")
    return None


def _named_combination(choice: Choice, text: str, words: list[str]) -> int | None:
    """Return the option "(a) & (c)", "all of the above" that an answer spells out."""
    named = {
        n for n, option in enumerate(choice.options)
        if not combination(choice, n) and _says(words, words_and_signs(option))
    }  # fmt: skip
    if len(named) < 2:
        labels = {label.casefold() for label in re.findall(r"\(([A-Ja-j])\)", text)}
        named |= {choice.labels.index(label) for label in labels if label in choice.labels}
    if len(named) < 2:
        return None
    fits = [n for n in range(len(choice.options)) if set(combination(choice, n)) == named]
    return fits[0] if len(fits) == 1 else None


def _by_overlap(choice: Choice, text: str, min_overlap: float, min_margin: float) -> Match | None:
    """Return the option whose telling words the answer has, where one stands out."""
    stemmed = [_stems(words_and_signs(option)) for option in choice.options]
    told = _stems(words_and_signs(text))
    common = set.intersection(*map(set, stemmed))
    asked = _stems(words_and_signs(choice.stem))
    scores = []
    for stems in stemmed:
        telling = [word for word in stems if word not in common and word not in _EMPTY]
        # What the stem says already tells options apart less.
        weights = {word: 0.5 if word in asked else 1.0 for word in telling}
        total = sum(weights.values())
        scores.append(
            sum(weights[word] for word in telling if word in told) / total if total else 0.0
        )
    order = sorted(range(len(scores)), key=lambda n: -scores[n])
    best, second = order[0], order[1]
    if scores[best] < min_overlap or scores[best] - scores[second] < min_margin:
        return None
    # What stands in brackets explains; where the stem asks what is not so, "is not" may be added.
    said = _negated(words_and_signs(re.sub(r"\([^()]*\)", " ", text)))
    if said != _negated(words_and_signs(choice.options[best])) and not _asks_what_is_not(
        choice.stem
    ):
        return None
    return Match(best, "overlap")


def _says(words: list[str], option: list[str]) -> bool:
    return _contains(words, option) or _share(words, option) >= 0.9


def _share(words: list[str], option: list[str]) -> float:
    stems = [word for word in _stems(option) if word not in _EMPTY]
    told = _stems(words)
    return sum(word in told for word in stems) / len(stems) if stems else 0.0


def _negated(words: list[str]) -> bool:
    return any(
        word in ("not", "no", "never", "cannot", "neither", "nor") or word.endswith("n't")
        for word in words
    )


def _asks_what_is_not(question: str) -> bool:
    words = words_and_signs(question)
    return _negated(words) or not {"incorrect", "false", "wrong", "except"}.isdisjoint(words)


def _contains(words: list[str], part: list[str]) -> bool:
    width = len(part)
    return bool(part) and any(words[n : n + width] == part for n in range(len(words) - width + 1))


def _stems(words: Iterable[str]) -> list[str]:
    return [stem(word, DERIVATIONS) for word in words]


_EMPTY = frozenset(
    _stems(word_set("a an the of to in on for by with and or is are be as at it its that this"))
)
