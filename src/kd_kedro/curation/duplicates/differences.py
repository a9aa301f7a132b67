"""Does the wording of two near questions differ in what makes them two: an opposite, code, a word?

Near in meaning is not the same. Opposites stand in the same sentences, so an embedder gives them
cosines near 1, and a word that it does not know is as good as any other. What is compared is the
wording: words that only one of the texts has, and words that stand in each other's place where the
texts are laid side by side. The more freely a text is reworded, the less the latter tell.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import product

from kd_kedro.text.code_tokens import code_differs
from kd_kedro.text.language import foreign_language
from kd_kedro.text.opposites import are_forms, are_opposites
from kd_kedro.text.polarity import negation_count
from kd_kedro.text.quantities import quantities
from kd_kedro.text.words import FRAME, FUNCTION_WORDS, stem, word_set

Words = tuple[str, ...]
Place = tuple[Words, Words]  # what each text has there

_WORD = re.compile(r"[^\W_]+(?:[_.-][^\W_]+|['’](?!s\b)[^\W_]+)*")
# Two numbers or letters that may not change places: 2^3, a - b, shares of 3:2.
_FORMULA = re.compile(r"(?<![\w.,])([A-Za-z]|\d+)\s?([-−/÷^<>:])\s?([A-Za-z]|\d+)(?![\w.,]\w|\w)")
_ARTICLES = word_set("a an the")
# What a question asks of its subject, in words that may stand for each other as those of FRAME may.
_ASKING = FRAME | word_set(
    "aim assess assessed assessing calculating central character characteristic characteristics "
    "compute computed computing core crucial defining definition describes described determined "
    "determines determining distinction distinctions distinguishes essential evaluate evaluated "
    "evaluating explained explains feature features finding function functions fundamental goal "
    "importance important intended kind kinds measure measured measures measuring objective "
    "principal principle principles purpose purposes relevance show shows significance significant "
    "sort sorts type types vital"
)
# Words of one line say how many; a word of another line for it makes another question.
_QUANTIFIERS = (
    word_set("all every each whole entire everyone everybody everything everywhere always"),
    word_set("any anyone anybody anything anywhere"),
    word_set("some someone somebody something several sometimes occasionally part partly"),
    word_set("most mostly majority usually"),
    word_set("few fewest minority rarely seldom"),
    word_set("many much often frequently"),
    word_set("one single once"),
    word_set("both"),
    word_set("either"),
    word_set("half"),
    word_set("neither none nobody nothing nowhere never"),
    word_set("exactly precisely"),
    word_set("least"),
)
_KIND = {word: kind for kind, words in enumerate(_QUANTIFIERS) for word in words}
_ONLY = word_set("only solely exclusively merely")
# Of the languages that `foreign_language` names.
_FOREIGN_NEGATIONS = word_set(
    "nicht kein keine keinen keiner keinem ohne nie niemals ne pas non jamais sans aucun aucune ni "
    "no sin nunca ningún ninguna jamás senza mai nessun nessuna não sem nenhum nenhuma niet geen "
    "zonder nooit inte utan aldrig bez nigdy nie değil olmayan tidak bukan tanpa"
)
# Without those that are other words too ("ein" in "schalte es ein", "o" in Spanish).
_FOREIGN_ARTICLES = word_set(
    "der die das den dem des eine einen einem einer eines le la les l un une du el los las lo una "
    "unos unas il gli uno os as um uma de het een"
)
# Where one of these joins two things, their order tells nothing.
_SYMMETRICAL = word_set(
    "between versus vs both difference differences differ differs different compare compared "
    "distinguish distinguishes relation relationship equal equals zwischen entre"
)
# So does one of these alone between two things, or somewhere in a list with commas.
_JOINING = word_set("and or plus times und oder et ou y o e")
# What puts the thing behind it in its place: with it, a thing may stand anywhere.
_LINKS = word_set(
    "to of in on at by for from with without as into than if when while before after during under "
    "since because about above according and or"
)
_SAYS_NO_PLACE = (FRAME | FUNCTION_WORDS) - _LINKS
# In a text reworded in more places or words, a quantifier or one word for another may be chance.
_MOST_PLACES, _LONGEST_PLACE = 2, 4
_LONGEST_MOVED = 4  # words
_MOST_OWN_WORDS = 50  # compared with all of the other text's


@lru_cache(maxsize=200_000)
def wording_difference(one: str, other: str) -> str:
    """Return what in their wording makes two near texts ask for two things, '' if nothing does.

    Args:
        one: A question.
        other: A question.
    """
    if code_differs(one, other):
        return "code"
    one, other = sorted((one, other))  # texts laid side by side the other way may fit otherwise
    foreign = bool(foreign_language(one) or foreign_language(other))
    words, others = _words(one, foreign), _words(other, foreign)
    if words == others:
        return _turned(one, other)
    found = _opposites(words, others) or _order(one, other, foreign) or _turned(one, other)
    if not found and foreign:
        found = _other_negation(words, others)
    places = _places(words, others)
    if found or _is_reworded(places):
        return found
    return _other_quantifier(words, others) or _substitution(places, foreign)


@lru_cache(maxsize=200_000)
def _words(text: str, foreign: bool) -> Words:
    small = text.casefold().replace("every other", "every-other")
    articles = _FOREIGN_ARTICLES if foreign else _ARTICLES
    return tuple(word for word in _WORD.findall(small) if word not in articles)


def _opposites(words: Words, others: Words) -> str:
    """Return a word of one text alone whose opposite stands in the other alone."""
    own, theirs = (
        sorted(set(a) - {*b} - FUNCTION_WORDS) for a, b in ((words, others), (others, words))
    )
    if max(len(own), len(theirs)) > _MOST_OWN_WORDS:
        return ""
    for one, other in product(own, theirs):
        if not {one, other} <= FRAME and _opposed(one, other):
            return f"{one}, {other}"
    return ""


def _opposed(one: str, other: str) -> bool:
    """Return whether words are opposites of which neither is a negation.

    Negations are counted by the signature: "not included" is "excluded".
    """
    return negation_count(one) == negation_count(other) and are_opposites(one, other)


def _other_quantifier(words: Words, others: Words) -> str:
    """Return words of which each text alone says how many, "only" among them."""
    was, now = ({_KIND[word]: word for word in some if word in _KIND} for some in (words, others))
    own, theirs = was.keys() - now.keys(), now.keys() - was.keys()
    if own and theirs:
        return f"{was[min(own)]}, {now[min(theirs)]}"
    return "" if _ONLY.isdisjoint(words) == _ONLY.isdisjoint(others) else "only"


def _other_negation(words: Words, others: Words) -> str:
    was, now = (sum(word in _FOREIGN_NEGATIONS for word in some) for some in (words, others))
    return "" if was == now else "negation"


def _places(words: Words, others: Words) -> list[Place]:
    """Return what stands in each other's place where two texts are laid side by side."""
    stems, other_stems = [stem(word) for word in words], [stem(word) for word in others]
    codes = SequenceMatcher(None, stems, other_stems).get_opcodes()
    return [(words[a:b], others[c:d]) for tag, a, b, c, d in codes if tag != "equal"]


def _is_reworded(places: Sequence[Place]) -> bool:
    longest = max((len(side) for place in places for side in place), default=0)
    return len(places) > _MOST_PLACES or longest > _LONGEST_PLACE


def _substitution(places: Sequence[Place], foreign: bool) -> str:
    """Return a word and what stands for it: its opposite, or what is no form of it.

    Of several words in one place each must stand for another.
    """
    for own, theirs in places:
        if len(own) != len(theirs) or (theirs, own) in places:
            continue
        pairs = list(zip(own, theirs, strict=True))
        opposed = [pair for pair in pairs if _opposed(*pair)]
        others = [pair for pair in pairs if not _may_stand_for(*pair, foreign)]
        if opposed or len(others) == len(pairs):
            return ", ".join((opposed or others)[0])
    return ""


def _may_stand_for(one: str, other: str, foreign: bool) -> bool:
    if foreign:
        return are_forms(one, other)
    return (
        {one, other} <= _ASKING
        or _KIND.get(one, one) == _KIND.get(other, other)
        or not FUNCTION_WORDS.isdisjoint((one, other))
        or are_forms(one, other)
        # The signature compares numbers and negations.
        or bool(quantities(one) and quantities(other))
        or negation_count(one) != negation_count(other)
    )


def _turned(one: str, other: str) -> str:
    """Return a formula of one text whose sides have changed places in the other."""
    was, now = ({found.groups() for found in _FORMULA.finditer(some)} for some in (one, other))
    turned = [(a, sign, b) for a, sign, b in was - now if (b, sign, a) in now - was]
    return "".join(min(turned)) if turned else ""


def _order(one: str, other: str, foreign: bool) -> str:
    """Return "order" where parts have changed places around what links them ("miles to feet")."""
    if not _SYMMETRICAL.isdisjoint(_all_words(one, foreign) + _all_words(other, foreign)):
        return ""
    listed = "," in one or "," in other
    for read in (_words, _all_words, _bare_words):
        words, others = read(one, foreign), read(other, foreign)
        if words == others or len(words) != len(others) or sorted(words) != sorted(others):
            continue
        if any(_exchanged(words, turned, listed) for turned in _rotations(others)) or any(
            _exchanged(others, turned, listed) for turned in _rotations(words)
        ):
            return "order"
    return ""


@lru_cache(maxsize=200_000)
def _all_words(text: str, foreign: bool) -> Words:
    """Return the words of a text with its articles: in German they tell who does it to whom."""
    return tuple(_WORD.findall(text.casefold()))


@lru_cache(maxsize=200_000)
def _bare_words(text: str, foreign: bool) -> Words:
    """Return the stems of a text's words that say something, and what links them."""
    return tuple(stem(word) for word in _words(text, foreign) if word not in _SAYS_NO_PLACE)


def _rotations(words: Words) -> list[Words]:
    """Return a text as it stands, and with what stands from a link on put in front."""
    return [words] + [words[n:] + words[:n] for n, word in enumerate(words) if word in _LINKS and n]


def _exchanged(words: Words, others: Words, listed: bool) -> bool:
    """Return whether two parts of one text stand in each other's place in the other."""
    unequal = [n for n, (a, b) in enumerate(zip(words, others, strict=True)) if a != b]
    if not unequal:
        return False
    own, theirs = (some[unequal[0] : unequal[-1] + 1] for some in (words, others))
    return any(
        own == theirs[-first:] + theirs[last:-first] + theirs[:last]
        and _tell_places(own[:first], own[-last:])
        and not _is_joined(own[first : len(own) - last], listed)
        for first, last in product(range(1, _LONGEST_MOVED + 1), repeat=2)
        if first + last < len(own)
    )


def _tell_places(first: Words, last: Words) -> bool:
    """Return whether parts that change places are two things or what links two things.

    A link that moves with its thing ("from Rome", "to Oslo") tells nothing.
    """
    return _LINKS.isdisjoint((first[0], last[0])) or {*first, *last} <= _LINKS


def _is_joined(between: Words, listed: bool) -> bool:
    return not _JOINING.isdisjoint(between) and (listed or len(between) == 1)
