"""Words whose loss or exchange turns a question round: negations, and pairs such as debit, credit.

Two ways to say one thing agree ("cannot" and "is unable to", "rise" and "increase").
"""

import re
from collections import Counter

from kd_kedro.text.words import word_set

_NEGATION = re.compile(
    r"\b(?:not|never|none|nor|neither|nobody|nothing|nowhere|without|except|excepting|exclud(?:e|es|ed|ing)|"
    r"other than|unless|hardly|false|incorrect|incorrectly|untrue|wrong|wrongly|"
    r"invalid|unable|fail(?:s|ed|ing)?(?= to\b)|lack(?:s|ed|ing)?)\b"
    r"|\bno\b(?!\.?\s*\d)|n't\b"
)
_CANNOT = re.compile(r"\bcannot\b|\bcan't\b")
# Each line: two poles. One of them may not vanish, nor turn into the other.
_STRICT = (
    ("debit debits debited debiting", "credit credits credited crediting"),
    ("asset assets", "liability liabilities"),
    ("gross", "net"),
    ("opening", "closing"),
    ("payable payables creditor creditors", "receivable receivables debtor debtors"),
)
# Here wording varies more ("goes up", "is advantageous"): only an exchange counts.
_LOOSE = (
    (
        "increase increases increased increasing rise rises rising rose raise raises raised grow "
        "grows growing growth up upward upwards",
        "decrease decreases decreased decreasing fall falls falling fell decline declines declined "
        "declining reduce reduces reduced reducing reduction drop drops dropped down downward "
        "downwards",
    ),
    (
        "income incomes revenue revenues earnings",
        "expense expenses expenditure expenditures cost costs",
    ),
    ("profit profits profitable profitability surplus", "loss losses deficit deficits"),
    (
        "buyer buyers purchaser purchasers customer customers",
        "seller sellers vendor vendors supplier suppliers",
    ),
    ("lessor lessors landlord landlords", "lessee lessees tenant tenants"),
    ("lender lenders", "borrower borrowers"),
    ("internal internally inside", "external externally outside"),
    (
        "advantage advantages advantageous benefit benefits beneficial merit merits pro pros",
        "disadvantage disadvantages drawback drawbacks demerit demerits con cons downside "
        "downsides limitation limitations",
    ),
    (
        "maximum highest maximise maximize maximises maximizes most",
        "minimum lowest minimise minimize minimises minimizes least",
    ),
    ("inflow inflows inward inwards", "outflow outflows outward outwards"),
    (
        "import imports imported importer importing",
        "export exports exported exporter exporting",
    ),
    (
        "depreciation depreciated depreciates depreciate",
        "appreciation appreciated appreciates appreciate",
    ),
    (
        "overstated overstate overstates overstatement overvalued",
        "understated understate understates understatement undervalued",
    ),
    ("premium", "discount discounts discounted"),
    ("prepaid advance", "accrued outstanding arrears"),
    ("true correct", "false incorrect wrong"),
    ("before prior preceding earlier", "after following subsequent later"),
    ("above over exceeding", "below under"),
    ("more higher greater larger", "less lower fewer smaller"),
    ("first", "last final"),
    ("long", "short"),
    ("all every each", "some any few several"),
    ("both", "either"),
    ("always", "sometimes rarely"),
    (
        "buy buys bought buying purchase purchases purchased purchasing acquire acquired",
        "sell sells sold selling sale sales",
    ),
    ("pay pays paid paying payment payments", "receive receives received receiving receipt"),
    ("lend lends lent lending", "borrow borrows borrowed borrowing"),
    ("deposit deposits deposited", "withdraw withdraws withdrew withdrawn withdrawal"),
    ("allowed", "received"),
    (
        "add adds added adding addition",
        "subtract subtracted deduct deducts deducted deducting deduction",
    ),
    ("fixed", "variable"),
    ("simple", "compound"),
    ("current", "fixed"),
    ("capital", "revenue"),
    ("active", "passive"),
    ("primary", "secondary"),
    ("public", "private"),
    ("demand", "supply"),
    ("domestic", "foreign"),
    ("beginning start", "end"),
    ("and", "or"),
    ("must shall", "may might"),
    ("old", "new"),
    ("input inputs", "output outputs"),
    ("qualitative", "quantitative"),
    ("strength strengths", "weakness weaknesses"),
    ("accept accepts accepted acceptance", "reject rejects rejected rejection"),
    ("left", "right"),
    ("positive positively", "negative negatively"),
)
_ONLY = word_set("only solely exclusively merely")
_PREFIXES = ("un", "in", "im", "ir", "il", "dis")
_WORD = re.compile(r"[^\W\d_]+")
_NON = re.compile(r"\bnon(?!e\b|etheless)[- ]?[a-z]{3,}")

Poles = tuple[frozenset[str], frozenset[str]]
_STRICT_POLES: tuple[Poles, ...] = tuple((word_set(a), word_set(b)) for a, b in _STRICT)
_LOOSE_POLES: tuple[Poles, ...] = tuple((word_set(a), word_set(b)) for a, b in _LOOSE)

_DIRECTIONS = frozenset(
    word for pair in (*_LOOSE_POLES, *_STRICT_POLES) for pole in pair for word in pole
) | word_set("only")
# Those whose exchange for each other turns a question round. Most other words with an opposite
# vary between rewordings ("the main", "the primary").
DECISIVE = word_set(
    "debit debits debited credit credits credited increase increases increased increasing "
    "decrease decreases decreased decreasing rise rises rising fall falls falling asset "
    "assets liability liabilities income expense expenses profit profits loss losses "
    "buyer buyers seller sellers before after above below more less most least first last "
    "maximum minimum higher lower gross net opening closing internal external advantage "
    "advantages disadvantage disadvantages lessor lessee creditor creditors debtor "
    "debtors payable receivable long short all some both either only or"
)
# "and", "or" and the like stand in so many places that their neighbours tell nothing.
_NO_PLACE = word_set("and or all every each some any few several must shall may might")
_POLE_OF = {
    word: (number, min(pole))
    for number, pair in enumerate((*_LOOSE_POLES, *_STRICT_POLES))
    for pole in pair
    for word in pole - _NO_PLACE
}


def negation_count(text: str) -> int:
    """Return how many negating words a text has, contractions and "cannot" among them."""
    small = _CANNOT.sub("can not", text.casefold().replace("’", "'"))
    return len(_NEGATION.findall(small))


def direction_words(text: str) -> frozenset[str]:
    """Return the words of a text that have an opposite."""
    return _DIRECTIONS & set(_words(text))


def negation_defect(source: str, rewrite: str) -> str:
    """Return how a rewrite's negations differ from its source's, '' where they do not."""
    was, now = negation_count(source), negation_count(rewrite)
    if was != now:
        return f"negation changed: {was} negating words became {now}"
    return ""


def opposite_defect(source: str, rewrite: str) -> str:
    """Return which word a rewrite turns into its opposite, '' where none."""
    before, after = Counter(_words(source)), Counter(_words(rewrite))
    for pair in _STRICT_POLES:
        was, now = ([sum(words[w] for w in pole) for pole in pair] for words in (before, after))
        for pole in (0, 1):
            if bool(was[pole]) != bool(now[pole]):
                there = before if was[pole] else after
                word = next(w for w in there if w in pair[pole])
                return f"direction {'lost' if was[pole] else 'added'}: {word}"
        if (was[0] - now[0]) * (was[1] - now[1]) < 0:
            return f"direction changed: {_first(pair, before)}"
    for pair in _LOOSE_POLES:
        was, now = ([sum(words[w] for w in pole) for pole in pair] for words in (before, after))
        if (was[0] - now[0]) * (was[1] - now[1]) < 0:
            return f"direction changed: {_first(pair, before)}"
    if bool(_ONLY & before.keys()) != bool(_ONLY & after.keys()):
        return "direction changed: only"
    if len(_NON.findall(source.casefold())) != len(_NON.findall(rewrite.casefold())):
        return "direction changed: non-"
    return _prefix_defect(before, after)


def opposite_poles(one: str, other: str) -> bool:
    """Return whether two words stand for the two poles of one pair."""
    return any(
        (one in first and other in second) or (other in first and one in second)
        for first, second in (*_STRICT_POLES, *_LOOSE_POLES)
    )


def _prefix_defect(before: Counter[str], after: Counter[str]) -> str:
    """Return a word that gained or lost a negating prefix: solvent, insolvent."""
    for one, other in ((before, after), (after, before)):
        for word in one.keys() - other.keys():
            for prefix in _PREFIXES:
                bare = word.removeprefix(prefix)
                if bare != word and len(bare) > 3 and bare in other and bare not in one:
                    return f"direction changed: {word}"
    return ""


def direction_marks(text: str) -> dict[int, list[tuple[int, int, str]]]:
    """Return where a text has words of direction, by the pair of opposites they belong to.

    Args:
        text: A text in small letters.

    Returns:
        By pair the start, the end and the pole of each word; pairs with one pole are left out.
    """
    marks: dict[int, list[tuple[int, int, str]]] = {}
    for match in _WORD.finditer(text):
        if match.group() in _POLE_OF:
            pair, pole = _POLE_OF[match.group()]
            marks.setdefault(pair, []).append((match.start(), match.end(), pole))
    return {pair: found for pair, found in marks.items() if len({pole for *_, pole in found}) > 1}


def _first(pair: Poles, words: Counter[str]) -> str:
    return next(word for word in words if word in pair[0] | pair[1])


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
