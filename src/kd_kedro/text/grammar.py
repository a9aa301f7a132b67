"""Just enough English grammar for rewriting by rules: closed word classes and inversion.

Closed classes are listed; verbs are recognised from a short lexicon only where a wrong guess
would do harm. Whoever is not sure leaves the sentence as it stands.
"""

import re
from dataclasses import dataclass

from kd_kedro.text.normalise import bare
from kd_kedro.text.words import word_set

BE = word_set("is are was were")
MODALS = word_set("can could will would shall should may might must")
HAVE = word_set("has have had")
AUXILIARIES = BE | MODALS | HAVE | word_set("do does did")
DETERMINERS = word_set(
    "a an the a(n) this that these those its his her their our your my some any no every "
    "each all most many several few both such one two three four five"
)
PREPOSITIONS = word_set(
    "of to in on at by for from with as into onto upon about under over between among "
    "through during within without against toward towards after before until since across "
    "behind beyond like than per via following regarding concerning despite except"
)
CONJUNCTIONS = word_set("and or but nor because so if when while whereas although though")
RELATIVES = word_set("that which who whom whose where when why if whether because what how")
PRONOUNS = word_set("it he she they we you i there this these those who which that")
ADVERBS = word_set(
    "also often always usually never generally typically sometimes primarily mainly "
    "commonly frequently not only very more most less then thus therefore indeed however "
    "traditionally recently"
)

# Base forms whose third person in -s is hardly ever a plural noun after its subject.
_VERBS = word_set(
    "accuse act adopt affect aim allow apply argue arise arrive ascribe assert assume "
    "attempt attribute avoid be become begin believe belong bring calculate carry cause "
    "claim comprise conclude conduct consist constitute contain contribute convey create "
    "declare decrease define deliver demand demonstrate deny depend depict derive "
    "describe determine develop differ disclose discuss earn elucidate emphasize enable "
    "encourage engage enhance ensure entail enter equal establish examine exhibit exist "
    "explain express facilitate fail favour favor follow function gain generate give "
    "govern happen help hold identify imagine imply include increase indicate influence "
    "infer insist interpret involve keep lead locate lower maintain make mark mask mean "
    "measure need obtain occur offer operate owe own pay perform pertain portray posit "
    "possess present prevent produce prohibit propose prove provide reason receive "
    "recognize record reduce refer reflect regard reject relate rely remain represent "
    "require result reveal say see seek seem serve show signify stand state strengthen "
    "suffer suggest suppose sustain take teach tell tend think treat try understand use "
    "uphold violate"
)
_AMBIGUOUS = word_set(
    "act aim cause claim demand function gain increase influence lead mark mask mean "
    "measure need offer present produce reason record result show stand state try use"
)


def _third_person(verb: str) -> str:
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


_BASE_OF_THIRD = {_third_person(verb): verb for verb in _VERBS}


@dataclass(frozen=True)
class Clause:
    """A main clause cut at its finite verb: subject, verb (auxiliary or not), the rest."""

    subject: list[str]
    verb: str
    rest: list[str]

    def inverted(self) -> str | None:
        """Return the clause in the order of a question, None where that takes "does".

        "Does … declare" for "declares" would change a word of the clause.
        """
        first = self.verb.casefold()
        if first in BE | MODALS or (first in HAVE and _is_participle(self.rest)):
            return " ".join([first, *self.subject, *self.rest])
        return None


def is_verb(word: str) -> bool:
    """Return whether a word is the base form of a known verb."""
    return bare(word) in _VERBS


def third_person_base(word: str) -> str | None:
    """Return the base form of a known verb in the third person, None otherwise."""
    return _BASE_OF_THIRD.get(bare(word))


def cut_clause(words: list[str]) -> Clause | None:
    """Return a main clause cut at its finite verb, None where that is not certain.

    Args:
        words: The words of a clause without any leading adverbial ("According to Locke,").
    """
    quoted = words[0][:1] in _OPEN_QUOTES and words[0][-1:] not in _CLOSE_QUOTES
    for place, word in enumerate(words[1:], start=1):
        plain = bare(word)
        quoted = quoted or word[:1] in _OPEN_QUOTES
        if quoted:
            quoted = word.rstrip(".,;:")[-1:] not in _CLOSE_QUOTES
            continue
        if plain in RELATIVES or word.endswith((",", ";", ":")) or plain in ("to", "not"):
            # "to" before a verb makes an infinitive; anywhere else in a subject it is rare.
            return None
        if plain in BE | MODALS or (plain in HAVE and _is_participle(words[place + 1 :])):
            return _clause(words, place)
        if plain in _BASE_OF_THIRD and _can_be_verb(words, place):
            return _clause(words, place)
    return None


def _clause(words: list[str], place: int) -> Clause | None:
    rest = words[place + 1 :]
    # A question word cannot be moved out of a relative or adverbial clause, only out of the
    # clause that is the verb's own object ("says that he is ____").
    if {bare(word) for word in rest[1:]} & (RELATIVES - {"what", "how"}):
        return None
    return Clause(lower_first(words[:place]), words[place], rest)


def starts_with_verb(words: list[str]) -> bool:
    """Return whether the words after a missing subject start with its verb."""
    if not words:
        return False
    first = bare(words[0])
    following = [bare(word) for word in words[1:7]]
    if first in AUXILIARIES:
        return True
    if first in ADVERBS or (first.endswith("ly") and len(first) > 4):
        return starts_with_verb(words[1:])
    if first in _BASE_OF_THIRD:
        base = _BASE_OF_THIRD[first]
        return base not in _AMBIGUOUS or not (set(following[:4]) & (AUXILIARIES | {"that"}))
    if first in _VERBS:
        follower = following[0] if following else ""
        return follower in DETERMINERS | PREPOSITIONS or first not in _AMBIGUOUS
    return first.endswith("ed") and bool(following) and following[0] in DETERMINERS | PREPOSITIONS


def lower_first(words: list[str]) -> list[str]:
    """Return words whose first, where only its place capitalised it, starts small."""
    if not words or (len(words[0]) > 1 and words[0].isupper()):
        return words
    plain = bare(words[0])
    small = (
        DETERMINERS | PREPOSITIONS | CONJUNCTIONS | RELATIVES | PRONOUNS | AUXILIARIES | ADVERBS
    ) - {"i"}
    if plain in small or plain in _PLURALS or _ABSTRACT.search(words[0]):
        return [words[0][0].lower() + words[0][1:], *words[1:]]
    return words


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text; initials, abbreviations and decimals do not end one."""
    parts = re.split(r"(?<=[.!?])[\"”’]?\s+(?=[\"“‘(A-Z0-9_])|\n+", text.strip())
    sentences: list[str] = []
    for part in (part.strip() for part in parts):
        if sentences and re.search(
            r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|Co|Ltd|Inc|No|Rs|Sec|Art|vs|etc|St|Fig|[eE]\.g|i\.e|U\.S))\.$",
            sentences[-1],
        ):
            sentences[-1] += " " + part
        elif part:
            sentences.append(part)
    return sentences


def _can_be_verb(words: list[str], place: int) -> bool:
    """Return whether a word with a verb's form can be one where it stands."""
    before = bare(words[place - 1])
    if before in DETERMINERS | PREPOSITIONS | CONJUNCTIONS:
        return False
    later = {bare(word) for word in words[place + 1 : place + 6]}
    if _BASE_OF_THIRD[bare(words[place])] in _AMBIGUOUS and later & AUXILIARIES:
        return False
    return place <= 8


def _is_participle(rest: list[str]) -> bool:
    words = [bare(word) for word in rest[:3]]
    while words and (words[0] in ADVERBS or words[0].endswith("ly")):
        words = words[1:]
    return bool(words) and (words[0] in ("been", "become") or words[0].endswith(("ed", "en")))


_PLURALS = word_set(
    "companies firms managers businesses organizations organisations dividends shares "
    "profits debentures assets liabilities expenses costs accounts goods consumers people "
    "individuals"
)
# A capitalised word with such an ending is a common noun at the head of its sentence.
_ABSTRACT = re.compile(r"^[A-Z][a-z]+(?:tion|ment|ness|ity|ance|ence|ism|ing|sion|ure)(?:s|ies)?$")
_OPEN_QUOTES, _CLOSE_QUOTES = ("“", "‘", '"', "'"), ("”", "’", '"', "'")
