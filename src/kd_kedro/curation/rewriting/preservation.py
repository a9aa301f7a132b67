"""Does a rewrite still say the same? One gate for each kind of meaning that rewriting loses.

A gate compares what it reads in the source with what it reads in the rewrite, and answers with
the name of the loss or ''.
"""

import re
from collections import Counter
from collections.abc import Callable

from kd_kedro.curation.rewriting.wording import (
    anchors,
    asker_defect,
    clause_defect,
    exchanged,
    further_question_defect,
)
from kd_kedro.text.boilerplate import meta_defect
from kd_kedro.text.code_tokens import lost_code
from kd_kedro.text.facts import read_facts
from kd_kedro.text.language import language_defect
from kd_kedro.text.names import TOKEN, names, sentence_heads
from kd_kedro.text.polarity import DECISIVE, direction_marks, negation_defect, opposite_defect
from kd_kedro.text.quantities import number_marks, plain, quantity_defect
from kd_kedro.text.words import FRAME, one_slip, word_set

_LETTER = re.compile(r"(?<![\w.&'’(-])(?:(?<![.?!:] )(?<!^)A|[B-HJ-Z])(?![\w.)-])", re.MULTILINE)
_A = re.compile(r"(?<!\w)A(?!\w)")
# Endings of common nouns, adverbs and plurals.
_COMMON = re.compile(r"(?:tion|ment|ness|ity|ance|ence|ism|ing|sion|ure|ly|s)$")
_NO_NAMES = FRAME | word_set(
    "mr mrs ms dr shri smt messrs rs inr usd eur gbp rupee rupees dollar dollars euro euros pound "
    "pounds percent per cent not no never none cannot except false true only all and or i lakh "
    "lakhs crore crores thousand hundred million billion one two three four five six seven eight "
    "nine ten pa p.a half st nd rd th"
)
_FORMS = (
    word_set("ltd limited"),
    word_set("co company"),
    word_set("pvt private"),
    word_set("corp corporation"),
    word_set("inc incorporated"),
    word_set("govt government"),
    word_set("dept department"),
    word_set("jan january"),
    word_set("feb february"),
    word_set("mar march"),
    word_set("apr april"),
    word_set("jun june"),
    word_set("jul july"),
    word_set("aug august"),
    word_set("sep sept september"),
    word_set("oct october"),
    word_set("nov november"),
    word_set("dec december"),
)


def _keeps_names(source: str, rewrite: str) -> str:
    # A name at the head of a sentence is seen as one only where it moves inside.
    there = _tokens(rewrite) | _abbreviated(source, rewrite)
    known = _tokens(source) | _abbreviated(rewrite, source)
    lost = sorted(name for name in _telling(names(source)) if not _stands_in(name, there, rewrite))
    if lost:
        return f"names lost: {', '.join(lost)}"
    new = sorted(name for name in _telling(names(rewrite)) if not _stands_in(name, known, source))
    if new:
        return f"names added: {', '.join(new)}"
    gone = _heads(source) - there
    if letters := _letters_changed(source, rewrite):
        return f"names changed: {', '.join(sorted(letters))}"
    if gone and (instead := _heads(rewrite) - known):
        return f"names changed: {min(gone)} became {min(instead)}"
    return ""


def _keeps_counts(source: str, rewrite: str) -> str:
    """Return two names of which one stands less often and the other more: one took its place."""
    known = _telling(names(source) | names(rewrite))
    was, now = (
        Counter(name for name in map(str.casefold, TOKEN.findall(text)) if name in known)
        for text in (source, rewrite)
    )
    less, more = was - now, now - was
    if less.keys() & now.keys() and more.keys() & was.keys():
        return f"names changed: {min(less)} became {min(more)}"
    return ""


def _keeps_places(source: str, rewrite: str) -> str:
    """Return numbers, names or directions that changed places: "A sold to B", "B sold to A"."""
    before, after = plain(source), plain(rewrite)
    known = names(source) | _heads(source)
    counts, new_counts = number_marks(before), number_marks(after)
    turned, new_turned = direction_marks(before), direction_marks(after)
    kinds = [
        *((counts[unit], new_counts[unit]) for unit in counts.keys() & new_counts.keys()),
        (_name_marks(before, known), _name_marks(after, known)),
        *((turned[pair], new_turned[pair]) for pair in turned.keys() & new_turned.keys()),
    ]
    for was, now in kinds:
        if found := exchanged(anchors(before, was), anchors(after, now)):
            return f"exchanged: {found}"
    return ""


def _name_marks(text: str, known: set[str]) -> list[tuple[int, int, str]]:
    found = ((match, match.group().casefold()) for match in TOKEN.finditer(text))
    return [(match.start(), match.end(), name) for match, name in found if name in known]


def _heads(text: str) -> set[str]:
    """Return words at the head of a sentence that may be names: no question word, no verb."""
    return {word for word in sentence_heads(text) if not _COMMON.search(word)}


def _telling(found: set[str]) -> set[str]:
    """Return names without titles, currencies and words written large for emphasis."""
    return {name for name in found if name.rstrip(".") not in _NO_NAMES}


def _stands_in(name: str, tokens: set[str], text: str) -> bool:
    """Return whether a name stands in a text: as it is, in another form, or by its initials."""
    forms = {name, *(form for forms in _FORMS if name.rstrip(".") in forms for form in forms)}
    forms |= {part for part in [name.replace(".", "")] if part}
    if forms & tokens:
        return True
    parts = [part for part in re.split(r"[-&/.]", name) if part]
    if len(parts) > 1 and all(part in tokens for part in parts):
        return True
    return len(name) > 1 and any(
        "".join(word[0] for word in run) == name for run in _runs(text, len(name))
    )


def _abbreviated(text: str, other: str) -> set[str]:
    """Return the words of a text that an acronym in another text stands for."""
    own = set(TOKEN.findall(text))
    acronyms = {word for word in TOKEN.findall(other) if 1 < len(word) < 7 and word.isupper()} - own
    return {
        word
        for acronym in acronyms
        for run in _runs(text, len(acronym))
        if "".join(word[0] for word in run) == acronym.casefold()
        for word in run
    }


def _runs(text: str, length: int) -> list[list[str]]:
    """Return the runs of so many neighbouring words, with and without small words."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    big = [word for word in words if word not in ("of", "and", "the", "for", "in", "on")]
    return [some[n : n + length] for some in (words, big) for n in range(len(some) - length + 1)]


def _tokens(text: str) -> set[str]:
    """Return the words of a text; one with a hyphen in its parts and whole."""
    words = {word.casefold() for word in TOKEN.findall(text)}
    return words | {part for word in words for part in re.split(r"[-&.]", word) if part}


def _letters_changed(source: str, rewrite: str) -> set[str]:
    """Return the single capitals ("A pays B") that stand in one text only.

    "I" is none, and an A at the head of a sentence may be an article.
    """
    was, now = set(_LETTER.findall(source)), set(_LETTER.findall(rewrite))
    changed = (was ^ now) - {"A"}
    if "A" in was ^ now and (was | now) - {"A"}:
        changed |= {"A"} if not (_A.search(source) and _A.search(rewrite)) else set()
    return changed


def _keeps_code(source: str, rewrite: str) -> str:
    lost = lost_code(source, rewrite)
    return f"code lost: {', '.join(lost[:3])}" if lost else ""


GATES: tuple[Callable[[str, str], str], ...] = (
    language_defect,
    meta_defect,
    quantity_defect,
    negation_defect,
    opposite_defect,
    _keeps_code,
    _keeps_names,
    _keeps_counts,
    _keeps_places,
    asker_defect,
    clause_defect,
    further_question_defect,
)


def preservation_defect(source: str, rewrite: str) -> str:
    """Return the first gate that a rewrite fails, in words; '' where it passes all.

    Args:
        source: The text as it was.
        rewrite: The text made of it.
    """
    return next((reason for gate in GATES if (reason := gate(source, rewrite))), "")


def misspelling_defect(source: str, misspelt: str, max_share: float) -> str:
    """Return why a text with typing errors is more than that, '' where it is not.

    Args:
        source: The text as it was.
        misspelt: The same words, some with one typing error.
        max_share: The largest share of the words that may be misspelt, 0 to 1.
    """
    before, after = source.split(), misspelt.split()
    if len(before) != len(after):
        return "words added or lost"
    changed = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    if len(changed) > max(1, max_share * len(before)):
        return f"{len(changed)} of {len(before)} words misspelt"
    for was, now in changed:
        if any(char.isdigit() for char in was + now) or names(f"- {was}") or names(f"- {now}"):
            return f"a number or name misspelt: {was}"
        if _states(was) or _states(now):
            return f"a number, unit or negation misspelt: {was}"
        if read_facts(now).directions & DECISIVE or not one_slip(was, now):
            return f"another word: {was} became {now}"
    return ""


def _states(word: str) -> bool:
    """Return whether a word is a number, a currency, a sign of calculation or a negation."""
    facts = read_facts(word)
    return bool(facts.values or facts.currencies or facts.operators or facts.negations)
