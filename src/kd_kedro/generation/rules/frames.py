"""Frames of a question: a pattern of the whole sentence, and other sentences that ask the same."""

import re

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
            r"^what is (?P<np>(?:an? )?(?!(?:an?|the|it|this|that|one|being|meant|not|"
            r"considered|required|done)\b)(?:[\w'’-]+ ){0,3}[\w'’-]+)\?$",
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
        (r"^how many (?P<rest>[^?]+)\?$", ("What number of {rest}?",)),
        (r"^how much (?P<rest>[^?]+)\?$", ("What amount of {rest}?",)),
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
