"""Frames of a question: a pattern of the whole sentence, and other sentences that ask the same."""

import re
from collections.abc import Iterable

from kd_kedro.text.grammar import (
    ADVERBS,
    AUXILIARIES,
    CONJUNCTIONS,
    DETERMINERS,
    PREPOSITIONS,
    PRONOUNS,
    RELATIVES,
)


def _any(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word))))


AUXILIARY = rf"(?:{_any(AUXILIARIES)})\b"
_FUNCTION = AUXILIARIES | CONJUNCTIONS | RELATIVES | PRONOUNS | ADVERBS | PREPOSITIONS
# A comparative, a superlative, a participle or another adjective: a noun phrase begins with one
# only where a noun follows ("deferred tax"), none is "larger", "deducted from income".
_ADJECTIVE = (
    r"(?:(?:bigg|broad|bright|cheap|clear|clos|cold|dark|deep|dens|earli|easi|fair|fast|few|firm|"
    r"fresh|great|hard|heavi|high|hott?|larg|lat|light|likeli|long|loos|loud|low|near|new|nic|old|"
    r"poor|quick|rar|rich|riski|saf|sharp|short|simpl|slow|small|smart|soft|soon|steep|strict|"
    r"strong|tall|thick|thinn?|tight|tough|warm|weak|wealthi|wid|wis|young|costli|happi|busi|"
    r"brief|bulki|calm|clean|cool|dear|fin|friendli|full|healthi|lengthi|mild|plain|pur|rough|"
    r"smooth|stiff|sweet|tasti|tricki|wett?)"
    r"e(?:r|st)|better|best|worse|worst|less|least|farther|further|"
    r"\w{2,}[^\We]ed|owed|used|agreed|paid|unpaid|sold|bought|left|sent|held|kept|made|known|given|"
    r"taken|shown|written|lost|spent|built|found|drawn|done|meant|due|open|closed|outstanding|"
    r"true|false|correct|incorrect|right|wrong|next|new|missing|happening|going|remaining|"
    r"different|similar|same|equal|bad|good|important|necessary|likely|possible|impossible|legal|"
    r"payable|deductible|taxable|available|allowable|chargeable|recoverable|refundable|eligible|"
    r"under|over|per|after|before|about|between|above|below|behind)"
)
# What begins no noun phrase, or no noun of which there may be so much.
NO_NOUN_PHRASE = (
    rf"(?:(?:{_any((AUXILIARIES | RELATIVES | PRONOUNS | ADVERBS) - {'very'})}|"
    rf"in|on|at|of|to|by|for|from|with|into|among|than|like)\b(?!-)|{_ADJECTIVE}(?![\w'’&-])"
    rf"(?=[ ]+(?:{_any(_FUNCTION | DETERMINERS)})\b|[^ ]|$|[^?]* or\b))"
)
_COUNTED = rf"(?!{NO_NOUN_PHRASE}|(?:{_any(_FUNCTION | DETERMINERS)})\b)[“\"‘]?[\w'’&-]+[”\"]?"
# A noun follows "how many" where its verb comes later: after a few nouns, or after a plural.
_COUNTED_NOUNS = rf"{_COUNTED}(?: (?:of )?{_COUNTED}){{0,3}} {AUXILIARY}"
_PLURAL = rf"(?:{_COUNTED} ){{0,2}}(?={_COUNTED})[“\"‘]?[\w'’&-]+s[”\"]? [^?,]*?{AUXILIARY}"

# A noun phrase: no second command, no clause.
NP = (
    r"(?P<np>(?:(?!\band (?:explain|describe|give|state|discuss|list|mention|how|what|why|when)\b|"
    r"\b(?:when|how|why|which|that|if)\b)[^,;:?().])+)"
)

FRAMES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), rewrites)
    for pattern, rewrites in (
        (rf"^what (?:is|are) meant by {NP}\?$", ("What does {np} mean?", "Define {np}.")),
        (
            rf"^what does (?:the term )?{NP} mean\?$",
            ("What is meant by {np}?", "What is the meaning of {np}?"),
        ),
        (
            r"^what is the (?:main |key |basic )?difference between "
            r"(?P<a>[^,?]+) and (?P<b>[^,?]+)\?$",
            ("Differentiate between {a} and {b}.", "Distinguish {a} from {b}."),
        ),
        (
            r"^(?:differentiate|distinguish) between (?P<a>[^,?.]+) and (?P<b>[^,?.]+)[.?]?$",
            ("What is the difference between {a} and {b}?", "Distinguish {a} from {b}."),
        ),
        (
            rf"^what (?:is|are) the (?P<noun>purpose|objective|meaning|definition|concept|"
            rf"significance|"
            rf"importance|advantages|disadvantages|benefits|features|characteristics|types|objectives|"
            rf"limitations|functions|role|effect|impact|formula) of {NP}\?$",
            ("State the {noun} of {np}.", "Can you state the {noun} of {np}?"),
        ),
        (
            rf"^(?:define|explain the (?:term|meaning of)) {NP}\.?$",
            ("What is meant by {np}?", "What does {np} mean?"),
        ),
        (rf"^explain the concept of {NP}\.?$", ("What is the concept of {np}?",)),
        (
            r"^(?:explain|describe) (?P<np>(?:the|a|an|how|why|what|when) [^?]+?)\.?$",
            ("Can you explain {np}?", "Give an explanation of {np}."),
        ),
        (
            r"^why (?P<rest>(?:is|are|was|were|do|does|did|can|should|must|might|would)\b[^?]+)\?$",
            ("For what reason {rest}?", "For which reason {rest}?"),
        ),
        (
            r"^how (?P<rest>(?:is|are|was|were|do|does|did|can|should|would|will)\b[^?]+)\?$",
            ("In what way {rest}?", "In which way {rest}?"),
        ),
        (
            r"^what is (?P<np>(?:an? )?(?!(?:an?|the|one|being|considered|required)\b|"
            rf"{NO_NOUN_PHRASE})(?:[\w'’-]+ ){{0,3}}[\w'’-]+)\?$",
            (
                "What is meant by {np}?",
                "What do you understand by {np}?",
                "Explain the meaning of {np}.",
            ),
        ),
        (
            r"^what are (?P<np>the (?!\w+\?)(?:[\w'’-]+ ){0,4}?[\w'’-]+s "
            r"(?:of|in|for|between|to|involved in|associated with) [^?]+)\?$",
            ("List {np}.", "Can you list {np}?", "Name {np}.", "Which are {np}?"),
        ),
        (
            r"^what is (?P<np>the (?:[\w'’-]+ ){0,2}(?:role|purpose|significance|importance|basis|"
            r"treatment|effect|impact|meaning|objective|function|concept|process|nature|relationship|"
            r"reason|formula|method|rule|principle|definition|focus|goal|aim|procedure|scope|"
            r"implication|consequence|primary \w+|main \w+)"
            r" (?:of|in|for|behind|between|to|on)\b[^?]+)\?$",
            ("State {np}.", "Can you state {np}?", "Tell me {np}.", "Give {np}."),
        ),
        (
            r"^when (?P<rest>(?:is|are|was|were|do|does|did|can|should|must)\b[^?]+)\?$",
            ("At what point {rest}?",),
        ),
        (
            r"^what (?P<kind>type|types) of (?P<rest>[^?]+)\?$",
            ("Which {kind} of {rest}?",),
        ),
        (
            rf"^how many (?P<rest>(?:{_COUNTED_NOUNS}|{_PLURAL})[^?]+)\?$",
            ("What number of {rest}?",),
        ),
        (rf"^how much (?P<rest>{_COUNTED_NOUNS}[^?]+)\?$", ("What amount of {rest}?",)),
        (r"^how many of (?P<rest>(?!an?\b)[^?,]+)\?$", ("What number of {rest}?",)),
        (r"^how much of (?P<rest>(?!an?\b)[^?,]+)\?$", ("What part of {rest}?",)),
        (
            r"^how much (?P<rest>(?:is|was) (?:\w+ed\b)?"
            r"(?:(?!\b(?:than|more|less|up|down|\w+ed|\w+ing)\b)[^?,])*)\?$",
            ("What amount {rest}?",),
        ),
        (r"^what happens to (?P<rest>[^?]+)\?$", ("What becomes of {rest}?",)),
        (
            r"^what happens (?P<rest>(?:when|if)\b[^?]+)\?$",
            ("What takes place {rest}?", "What occurs {rest}?"),
        ),
        (
            r"^what (?P<noun>factor|factors|role|type|types|kind|kinds|condition|conditions|"
            r"principle|account|accounts|method|methods) (?P<rest>[^?]+)\?$",
            ("Which {noun} {rest}?",),
        ),
        (
            r"^which (?P<noun>factor|factors|type|types|principle|account|accounts|method|methods) "
            r"(?P<rest>[^?]+)\?$",
            ("What {noun} {rest}?",),
        ),
        (
            r"^(?:calculate|compute|find|determine) "
            r"(?P<np>(?:the|its|his|her|their) [^?]+?)\.?$",
            ("What is {np}?", "Work out {np}."),
        ),
        (
            r"^what is (?P<np>the (?:journal entry|entry|value|amount|ratio|total|cost|profit|loss|"
            r"balance|net \w+|gross \w+|current ratio|quick ratio|debt\S* ratio|\w+ ratio|"
            r"\w+ turnover|journal entry to record|closing \w+|opening \w+)\b[^?]*)\?$",
            ("Determine {np}.", "State {np}."),
        ),
        (
            r"^what (?:is|would be) the journal entry (?P<rest>(?:for|to|when|if)\b[^?]+)\?$",
            ("Give the journal entry {rest}.", "Which journal entry is passed {rest}?"),
        ),
        (
            r"^(?:pass|record|give|prepare|write|show) "
            r"(?P<np>the (?:necessary )?journal entr(?:y|ies)\b"
            r"[^?]*?)\.?$",
            ("What is {np}?",),
        ),
    )
)
