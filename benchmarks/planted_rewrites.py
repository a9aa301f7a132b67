"""Good and bad rewrites planted by code that shares nothing with the generator or the gates.

A bad rewrite takes a good version of a question and damages it in one named way. A good rewrite
says the same in other words, figures or order.
"""

import random
import re

_NUMERALS = "two three four five six seven eight nine ten eleven twelve"
_SMALL = _NUMERALS.split()
_OTHER = dict(zip(_SMALL, _SMALL[3:] + _SMALL[:3], strict=True))
_CURRENCY = {"₹": "$", "Rs.": "€", "Rs": "$", "$": "₹", "€": "£", "£": "$", "INR": "USD"}
_PERIODS = {
    "years": "months", "months": "days", "weeks": "months", "days": "weeks", "hours": "days",
    "year": "month", "month": "week", "week": "year", "day": "hour", "%": " kg",
    "percent": "kilograms", "kg": "km", "km": "kg", "units": "tonnes",
}  # fmt: skip
_OPPOSITES = {
    "debit": "credit", "credit": "debit", "debited": "credited", "credited": "debited",
    "asset": "liability", "assets": "liabilities", "liability": "asset",
    "liabilities": "assets", "increase": "decrease", "increases": "decreases",
    "decrease": "increase", "decreases": "increases", "profit": "loss", "loss": "profit",
    "profits": "losses", "losses": "profits", "buyer": "seller", "seller": "buyer",
    "income": "expense", "expenses": "income", "before": "after", "after": "before",
    "gross": "net", "net": "gross", "maximum": "minimum", "minimum": "maximum",
    "advantages": "disadvantages", "disadvantages": "advantages", "internal": "external",
    "external": "internal", "debtor": "creditor", "creditors": "debtors", "debtors": "creditors",
    "opening": "closing", "closing": "opening", "higher": "lower", "lower": "higher",
    "more": "less", "first": "last", "payable": "receivable", "receivable": "payable",
}  # fmt: skip
_NUMBER_ALONE = re.compile(r"(?<![\w.,])\d[\d,.]*\d\s|(?<![\w.,])\d\s")
_META = (
    "...",
    "Kindly rephrase my previous response.",
    "I'm sorry, but I cannot help with that request.",
    "As an AI language model, I am unable to rephrase this.",
    "Sure! Here is the rephrased question: {}",
    "[Insert question here]",
    "Here's a more casual version: {}",
    "{}\nNote: the question was rewritten in a formal tone.",
    "Please provide the question you want me to rewrite.",
    "Your question here",
    "N/A",
    "Question: {}\nAnswer: {}",
    "Rewritten: {}",
    "I don't have enough information to paraphrase that.",
)


def bad_rewrites(text: str, names: list[str], rng: random.Random) -> dict[str, str]:
    """Return damaged forms of a text by kind; a kind that does not apply is left out.

    Args:
        text: A good version of a question.
        names: Names of other rows, to swap in.
        rng: The source of chance.
    """
    damaged = {
        "swapped number": _swap_number(text, rng),
        "swapped number word": _swap_word(text, _OTHER, rng),
        "dropped number": _cut(text, list(_NUMBER_ALONE.finditer(text)), rng),
        "exchanged numbers": _exchange(text, r"(?<![\w.,/-])\d+(?:[.,]\d+)*(?![\w/-])", rng),
        "dropped not": _drop_not(text, rng),
        "added not": _add_not(text),
        "swapped entity": _swap_name(text, names, rng),
        "exchanged entities": _exchange(text, r"(?<=[a-z,] )[A-Z][a-z]{2,}\b", rng),
        "swapped currency": _swap_sign(text, _CURRENCY, rng),
        "swapped unit": _swap_unit(text, rng),
        "swapped direction": _swap_word(text, _OPPOSITES, rng),
        "dropped clause": _drop_clause(text, rng),
        "placeholder or refusal": rng.choice(_META).replace("{}", text),
    }  # fmt: skip
    return {kind: bad for kind, bad in damaged.items() if bad and bad != text}


def _swap_number(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"\d+", text))
    if not found:
        return None
    match = rng.choice(found)
    number = int(match.group())
    other = rng.choice([number + 1, number * 2 + 1, number * 10 + 3, max(0, number - 1)])
    return _put(text, match, str(other if other != number else number + 7))


def _swap_word(text: str, table: dict[str, str], rng: random.Random) -> str | None:
    found = [m for m in re.finditer(r"[A-Za-z]+", text) if m.group().lower() in table]
    if not found:
        return None
    match = rng.choice(found)
    new = table[match.group().lower()]
    return _put(text, match, new.capitalize() if match.group()[0].isupper() else new)


def _swap_sign(text: str, table: dict[str, str], rng: random.Random) -> str | None:
    signs = "|".join(re.escape(sign) for sign in table)
    found = list(re.finditer(rf"(?<![A-Za-z])(?:{signs})(?=\s?\d)", text))
    if not found:
        return None
    match = rng.choice(found)
    return _put(text, match, table[match.group()])


def _swap_unit(text: str, rng: random.Random) -> str | None:
    units = "|".join(re.escape(unit) for unit in sorted(_PERIODS, key=len, reverse=True))
    found = list(re.finditer(rf"(?<=\d)(\s?)({units})(?![A-Za-z])", text))
    if not found:
        return None
    match = rng.choice(found)
    return _put(text, match, match[1] + _PERIODS[match[2]])


def _drop_not(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"\s(?:not|NOT|never|without)\b|n['’]t\b|(?<=\b[Cc]an)not\b", text))
    return _cut(text, found, rng)


def _add_not(text: str) -> str | None:
    match = re.search(r"\b(?:is|are|can|should|does|do|was|will)\b(?! not|n?['’]t)", text)
    return text[: match.end()] + " not" + text[match.end() :] if match else None


def _swap_name(text: str, names: list[str], rng: random.Random) -> str | None:
    found = list(re.finditer(r"(?<=[a-z,] )[A-Z][A-Za-z]{2,}\b", text)) + list(
        re.finditer(
            r"(?:^|(?<=[.?!] ))(?!Wh|How)[A-Z][a-z]{2,}(?= (?:paid|sold|bought|purchased|started|"
            r"invested|borrowed|owes|draws|has|and [A-Z]))|(?<=[a-z,] )[B-HJ-Z](?= [a-z])",
            text,
        )
    )
    others = [name for name in names if name.lower() not in text.lower()]
    if not found or not others:
        return None
    match = rng.choice(found)
    if len(match.group()) == 1:
        return _put(
            text, match, rng.choice([one for one in "BCDXYZPQ" if one not in text] or ["W"])
        )
    return _put(text, match, rng.choice(others))


def _exchange(text: str, pattern: str, rng: random.Random) -> str | None:
    found = list(re.finditer(pattern, text))
    if len({match.group() for match in found}) < 2:
        return None
    one, other = sorted(rng.sample(found, 2), key=lambda match: match.start())
    # Members of one list may stand in any order.
    between = text[one.end() : other.start()].strip()
    if one.group() == other.group() or not re.search(r"\b[a-z]{3,}\b", between):
        return None
    return (
        text[: one.start()] + other.group() + text[one.end() : other.start()]
        + one.group() + text[other.end() :]
    )  # fmt: skip


def _drop_clause(text: str, rng: random.Random) -> str | None:
    """Drop what stands between commas or after a link, of four words and more."""
    clauses = re.finditer(
        r",? (?:if|when|which|because|where|while|under which|given that|assuming|after|during|"
        r"in the context of|in terms of|according to|based on)\b[^?.,;]+|, [^?.,;]+(?=,)|"
        r"(?:^|(?<=[.!] ))[^?.!]{20,}[.!] (?=\S)",
        text,
    )
    long = [m for m in clauses if len(re.findall(r"[A-Za-z]{3,}", m.group())) >= 4]
    kept = [m for m in long if len(text) - len(m.group()) > 15]
    return _cut(text, kept, rng)


def _cut(text: str, found: list[re.Match[str]], rng: random.Random) -> str | None:
    return _put(text, rng.choice(found), "").strip() if found else None


def _put(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


# Each pair is read both ways only where both stand here.
_WORDING = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (
            r"^What (?:is|are) the difference between (.+?) and ([^?]+)\?$",
            r"In what way does \1 differ from \2?",
        ),
        (
            r"^(?:Differentiate|Distinguish) between (.+?) and (.+?)\.?$",
            r"How is \1 different from \2?",
        ),
        (r"^What is the (\w+) of ([^?,]+)\?$", r"\2 has what \1?"),
        (r"^What is ([^?,]{3,50})\?$", r"How would you define \1?"),
        (r"^What are ([^?,]{3,50})\?$", r"How would you describe \1?"),
        (r"^What does ([^?]+) mean\?$", r"How do you define \1?"),
        (r"^(?:Explain|Describe) (.+?)\.?$", r"Give an account of \1."),
        (r"^Define (.+?)\.?$", r"Give the definition of \1."),
        (r"^Why (is|are|do|does|should|can) (.+)\?$", r"For what reason \1 \2?"),
        (r"^How (does|do|can|is|are|should) (.+)\?$", r"In what way \1 \2?"),
        (r"^How many (.+)\?$", r"What number of \1?"),
        (r"^How is (.+?) (calculat|comput|defin|determin)ed\?$", r"How does one \2e \1?"),
        (r"^(If [^?,]+), ([a-z][^?]+)\?$", r"\2? Assume this: \1."),
        (r"^(In [^?,]+), (what|how|why|which)( [^?]+)\?$", r"\2\3 \1?"),
        (r"^(What|Which|How|Why)([^?,]+?) in ([^?,]+)\?$", r"In \3, \1\2?"),
        (r"^(What|Which|Who) (.+)\?$", r"Say \1 \2."),
    )
)  # fmt: skip
_FORMS = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"(?<=\d),(?=\d{2,3}\b)", ""),
        (r"(?<![\d.,])(\d{1,3})(\d{3})(?![\d.,]|\s?(?:AD|BC))(?<!19\d\d)(?<!20\d\d)", r"\1,\2"),
        (r"(?<=\d)\s?%", " percent"),
        (r"(?<=\d) ?(?:percent|per cent)\b", "%"),
        (r"₹\s?(?=\d)", "Rs "),
        (r"\bRs\.?\s?(?=\d)", "₹"),
        (r"\$\s?(\d[\d,.]*\d|\d)(?![\d,.]*\d|\s?(?:million|billion|thousand))", r"\1 dollars"),
        (r"\b(is|are|do|does|was|were|should|would|could|has|have) not\b", r"\1n't"),
        (r"\b(is|are|do|does|was|were|should|would|could|has|have)n['’]t\b", r"\1 not"),
        (r"\bcannot\b", "can't"),
        (r"\bcan['’]t\b", "cannot"),
        *(
            (rf"(?<![\d.,/-]){n}(?![\d.,%/-]|\s?(?:%|percent))(?=\s[a-z])", word)
            for n, word in enumerate(_SMALL, 2)
        ),
        *((rf"\b{word}\b(?=\s[a-z])", str(n)) for n, word in enumerate(_SMALL, 2)),
    )
)  # fmt: skip
_SYNONYMS = {
    "primary": "main", "main": "primary", "significance": "importance", "purpose": "aim",
    "importance": "significance", "calculate": "compute", "determine": "work out",
    "businesses": "firms", "common": "usual", "types": "kinds", "type": "kind",
    "method": "technique", "methods": "techniques", "required": "needed", "affect": "influence",
    "key": "main", "important": "essential", "necessary": "needed", "role": "function",
    "impact": "effect", "typically": "usually", "obtain": "get", "objective": "goal",
    "objectives": "goals", "advantages": "benefits", "increase": "rise", "decrease": "decline",
    "employees": "workers", "ways": "means", "features": "characteristics",
    "characteristics": "features", "components": "parts", "used": "employed", "happens": "occurs",
    "example": "instance", "organization": "organisation", "company": "firm", "factors": "causes",
}  # fmt: skip


def good_rewrite(text: str, rng: random.Random) -> tuple[str, list[str]] | None:
    """Return a text said otherwise, and how; None where nothing applies.

    Every change of form that applies is made (1,000 and 1000, not and n't, Rs and ₹), one or two
    words become synonyms, and the question is asked in another frame.
    """
    how: list[str] = []
    new = text
    for pattern, frame in rng.sample(_WORDING, len(_WORDING)):
        asked = pattern.sub(frame, new, count=1)
        if asked != new:
            new, how = asked[0].upper() + asked[1:], ["frame"]
            break
    # Both ways to write a thing are in the list: one that was undone is no change.
    for pattern, form in rng.sample(_FORMS, len(_FORMS)):
        found = pattern.sub(form, new)
        if found not in (new, text) and how.count("form") < 3:
            new, how = found, [*how, "form"]
    words = [m for m in re.finditer(r"[a-z]+", new) if m.group() in _SYNONYMS]
    for match in sorted(rng.sample(words, min(2, len(words))), key=lambda m: -m.start()):
        new = _put(new, match, _SYNONYMS[match.group()])
        how = [*how, "synonym"] if "synonym" not in how else how
    return (new, sorted(set(how))) if new != text else None
