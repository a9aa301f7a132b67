"""A statement with blanks, each written `____`, as a question that keeps its words.

By syntax where the sentence allows: the question word goes to the front where the main clause
can be inverted with certainty, and stands in the blank's own place otherwise. Statements with
several blanks, and those whose blank cannot be read, are asked about inside a carrier phrase.
"""

import re

from kd_kedro.text.grammar import (
    ADVERBS,
    AUXILIARIES,
    BE,
    CONJUNCTIONS,
    DETERMINERS,
    HAVE,
    PREPOSITIONS,
    PRONOUNS,
    Clause,
    cut_clause,
    is_verb,
    lower_first,
    split_sentences,
    starts_with_verb,
    third_person_base,
)
from kd_kedro.text.normalise import bare
from kd_kedro.text.words import word_set

BLANK = "____"
_ADVERBIAL = re.compile(
    r"^(?:According to|As per|In|On|At|By|For|From|Under|Within|During|Since|After|Before|With|"
    r"Among|Between|Traditionally|Typically|Generally|Usually|As|When|If|While|Although|Because|"
    r"Given|Unlike|Despite|Once|Where|To)\b"
)
_INDEFINITE = frozenset(("a", "an", "a(n)"))
_PEOPLE_VERBS = word_set("attributed written coined proposed invented discovered founded authored")
_NEAR = word_set("about approximately nearly around almost least")
_QUANTIFIERS = word_set("some any many most several few all both more less very no other")
_INTRANSITIVE = word_set("arise arrive become begin belong consist depend exist happen occur rely")
# After these no "what" or "which" can stand.
_NO_WHAT = _QUANTIFIERS | ADVERBS | {"and", "or"}


def ask(statement: str) -> tuple[str, str]:
    """Return the question a statement with blanks becomes, and how it was made.

    Args:
        statement: Text with at least one `____`.

    Returns:
        The question, and `syntax: fronted`, `syntax: in place` or `carrier phrase`.
    """
    text = re.sub(r"\s+", " ", statement).strip()
    sentences = split_sentences(text)
    with_blanks = [number for number, part in enumerate(sentences) if BLANK in part]
    if len(with_blanks) == 1 and _is_outside_quotes(sentences, with_blanks[0]):
        place = with_blanks[0]
        asked = _ask_sentence(sentences[place])
        if asked and (joined := _with_context(asked[0], sentences[:place], sentences[place + 1 :])):
            return joined, f"syntax: {asked[1]}"
    return _carrier(text), "carrier phrase"


def _is_outside_quotes(sentences: list[str], place: int) -> bool:
    """Return whether no sentence breaks a quotation and the blank stands in none."""
    whole = all(sentence.count('"') % 2 == 0 for sentence in sentences)
    return whole and sentences[place].split(BLANK)[0].count('"') % 2 == 0


def _ask_sentence(sentence: str) -> tuple[str, str] | None:
    words = sentence.split()
    # "(____)" or "pre-____" stick to something the rules below do not read.
    if not any(re.fullmatch(rf"{BLANK}[.,;:?!]*", word) for word in words):
        return None
    words = _strip_end(words)
    if sentence.count(BLANK) > 1:
        several = _several(words)
        return (_finish(several), "in place") if several else None
    place = next(number for number, word in enumerate(words) if word.startswith(BLANK))
    for rule in (_subject, _reason, _end, _leading_phrase):
        if question := rule(words, place):
            return _finish(question), "fronted"
    if question := _final_clause(words, place) or _in_place(words, place):
        return _finish(question), "in place"
    return None


def _subject(words: list[str], place: int) -> str | None:
    """`____ is the set of …`, `The ____ stage is …`, `A(n) ____ campaign is …`."""
    if place > 1 or (place == 1 and bare(words[0]) not in DETERMINERS - _QUANTIFIERS):
        return None
    rest = words[place + 1 :]
    if words[place] != BLANK or not rest or bare(rest[0]) in CONJUNCTIONS:
        return None
    rest = [rest[0].removesuffix("(s)"), *rest[1:]]
    if starts_with_verb(rest):
        return " ".join(["What", *rest])
    if _can_be_noun(rest[0]):
        one = place == 1 and bare(words[0]) in _INDEFINITE
        return " ".join(["What kind of" if one else "Which", *rest])
    return None


def _reason(words: list[str], place: int) -> str | None:
    """`S will … because ____.` asks why."""
    if place != len(words) - 1 or bare(words[place - 1]) != "because":
        return None
    return _fronted("Why", words[: place - 1])


def _end(words: list[str], place: int) -> str | None:
    """`S is ____.`, `S V … of ____.`, `S is a ____ firm.`"""
    before, after = words[:place], words[place + 1 :]
    if len(after) == 1 and before and bare(before[-1]) in _INDEFINITE:
        clause = _main_clause(before[:-1])
        if clause and clause[1].verb.casefold() in BE and not clause[1].rest:
            return _fronted(f"What kind of {after[0]}", before[:-1])
    if after or len(before) < 2 or words[place] != BLANK:
        return None
    if bare(before[-1]) in ("the", "a", "an", "a(n)", "their", "its"):
        if bare(before[-1]) in ("their", "its"):
            return None
        before = before[:-1]
    last = bare(before[-1])
    if before[-1].endswith((",", ":")) or last in ("as", "except") or not _takes_object(before):
        return None
    who = last in ("by", "to") and len(before) > 1 and bare(before[-2]) in _PEOPLE_VERBS
    return _fronted("Whom" if who else "What", before)


def _leading_phrase(words: list[str], place: int) -> str | None:
    """`During the ____ stage of …, S is …` asks `During which stage of …, is S …`."""
    if place not in (1, 2) or bare(words[0]) not in PREPOSITIONS:
        return None
    if place == 2 and bare(words[1]) not in ("the", "a", "an"):
        return None
    comma = next((n for n, word in enumerate(words) if word.endswith(",")), None)
    if comma is None or comma <= place or not _can_be_noun(words[place + 1]):
        return None
    clause = cut_clause(words[comma + 1 :])
    if clause is None:
        return None
    inverted = clause.inverted()
    if inverted is None:
        return None
    phrase = [words[0], "which", *words[place + 1 : comma], words[comma].rstrip(",")]
    return " ".join([*phrase, inverted])


def _takes_object(before: list[str]) -> bool:
    """Return whether what stands before a final blank asks for a noun: a verb or preposition."""
    last = bare(before[-1])
    # After "will ____" a verb is missing, not a noun.
    if last in BE | HAVE | PREPOSITIONS or third_person_base(last):
        return last != "than"
    # "a gene which encodes ____"
    relative = len(before) > 1 and bare(before[-2]) in ("which", "that", "who")
    return is_verb(last) or last.endswith(("ed", "ing")) or (relative and last.endswith("s"))


def _is_known_verb(word: str) -> bool:
    return is_verb(word) or third_person_base(word) is not None


def _final_clause(words: list[str], place: int) -> str | None:
    """`… suggests that ____.`, `… on the grounds that ____.`: a clause is asked for."""
    before = words[:place]
    if place != len(words) - 1 or place < 4 or bare(before[-1]) != "that":
        return None
    if [bare(word) for word in before[-4:-1]] == ["on", "the", "grounds"]:
        return " ".join([*before[:-4], "on what grounds"])
    # "the reason that ____" has no verb.
    says = _is_known_verb(before[-2]) and bare(before[-3]) not in DETERMINERS
    return " ".join([*before[:-1], "what"]) if says else None


def _in_place(words: list[str], place: int) -> str | None:
    """The question word in the blank's own place: `… are debited to which account`."""
    before, after = words[:place], words[place + 1 :]
    if before and not after:
        # "is referred to as: ____"
        before = [*before[:-1], before[-1].rstrip(":")]
    last, mark = (bare(before[-1]) if before else ""), words[place][len(BLANK) :]
    if before and before[-1].endswith(","):
        # "In marketing terms, ____ refers to …"
        opens = place < 8 and _ADVERBIAL.match(before[0]) and not mark and starts_with_verb(after)
        return " ".join([*before, "what", *after]) if opens else None
    is_noun = bool(after) and not mark and _can_be_noun(after[0])
    if is_noun and last in _NEAR and after[0].endswith("s"):
        return " ".join([*before, "how many", *after])
    if is_noun and last not in _NO_WHAT and (len(after) == 1 or not starts_with_verb(after)):
        if last in _INDEFINITE:
            return " ".join([*before[:-1], "what kind of", *after])
        return " ".join([*(before[:-1] if last == "the" else before), "which", *after])
    if last in _NO_WHAT or not _stands_alone(before, mark, after):
        return None
    return " ".join([*(before[:-1] if last in DETERMINERS else before), "what" + mark, *after])


def _several(words: list[str]) -> str | None:
    """Several blanks, each before its noun: `which account is debited and which … credited`."""
    asked: list[str] = []
    for place, word in enumerate(words):
        if not word.startswith(BLANK):
            asked.append(word)
            continue
        after = words[place + 1 :]
        last = bare(asked[-1]) if asked else "the"
        noun = bool(after) and _can_be_noun(after[0]) and not starts_with_verb(after)
        if word != BLANK or not noun or last not in {"the"} | PREPOSITIONS:
            return None
        asked = [*(asked[:-1] if last == "the" else asked), "which"]
    return " ".join(asked)


def _stands_alone(before: list[str], mark: str, after: list[str]) -> bool:
    """Return whether a blank is a whole noun phrase, so that "what" can stand for it."""
    last = bare(before[-1]) if before else ""
    if last in DETERMINERS - _INDEFINITE - {"the"}:
        return False
    if not after:
        return bool(before) and (last in DETERMINERS | ADVERBS | _NEAR or _takes_object(before))
    if third_person_base(last) in _INTRANSITIVE and bare(after[0]) in PREPOSITIONS:
        return False
    followers = PREPOSITIONS | CONJUNCTIONS | {"%"}
    if last in PREPOSITIONS:
        followers = followers | AUXILIARIES
    return bool(mark) or bare(after[0]) in followers


def _fronted(asker: str, before: list[str], after: list[str] | None = None) -> str | None:
    """Return `asker` and the inverted clause, after its leading adverbial where it has one."""
    found = _main_clause(before)
    if found is None:
        return None
    adverbial, clause = found
    inverted = clause.inverted()
    if inverted is None:
        return None
    question = " ".join([asker, inverted, *(after or [])])
    if not adverbial:
        return question
    return f"{' '.join(adverbial)} {question[0].lower()}{question[1:]}"


def _main_clause(words: list[str]) -> tuple[list[str], Clause] | None:
    """Return the leading adverbial and the main clause after it."""
    adverbial: list[str] = []
    if _ADVERBIAL.match(" ".join(words)):
        comma = next((n for n, word in enumerate(words) if word.endswith(",")), None)
        if comma is None:
            return None
        adverbial, words = words[: comma + 1], words[comma + 1 :]
    clause = cut_clause(words) if len(words) > 1 else None
    return (adverbial, clause) if clause else None


def _with_context(question: str, before: list[str], after: list[str]) -> str | None:
    """Return the question among the other sentences of its statement, ending in its mark."""
    if after:
        if any(sentence.endswith("?") for sentence in after):
            return None
        given = [" ".join(lower_first(sentence.rstrip(".;:! ").split())) for sentence in after]
        question = f"{question[:-1]}, given that {', and that '.join(given)}?"
    return " ".join([*before, question])


def _carrier(text: str) -> str:
    statement = re.sub(r"\s+([.,;:])", r"\1", text).rstrip(" :;,?")
    if statement.endswith(BLANK):
        statement += "."
    quote = "“{}”" if '"' in statement else '"{}"'
    if text.count(BLANK) > 1:
        return f"Which words, in order, complete the statement {quote.format(statement)}?"
    return f"What completes the statement {quote.format(statement)}?"


def _can_be_noun(word: str) -> bool:
    plain = bare(word)
    closed = (
        DETERMINERS | PREPOSITIONS | CONJUNCTIONS | AUXILIARIES | PRONOUNS | ADVERBS | {"", "then"}
    )
    return bool(re.match(r"[a-z(]", plain)) and plain not in closed and not plain.endswith("ly")


def _strip_end(words: list[str]) -> list[str]:
    last = words[-1].rstrip(".:;,?! ")
    return [*words[:-1], last] if last else words[:-1]


def _finish(question: str) -> str:
    # The mark of the statement goes, inside a closing quotation mark, too.
    text = re.sub(r"[.,;:]([\"”’])$", r"\1", question.strip())
    return text[0].upper() + text[1:].rstrip(" .:;,") + "?"
