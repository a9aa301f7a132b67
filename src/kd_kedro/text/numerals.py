"""Numbers in words: "two hundred and fifty thousand" is 250000, "three quarters" 0.75."""

import re
from collections.abc import Sequence
from fractions import Fraction

_UP_TO_NINETEEN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_FULL_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_FROM_THIRD = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_WORDS = {word: value for value, word in enumerate(_UP_TO_NINETEEN.split())} | {
    word: value for value, word in zip(range(20, 100, 10), _FULL_TENS.split(), strict=True)
}
_TENS = frozenset(_FULL_TENS.split())
_ORDINALS = {word: value for value, word in enumerate(_FROM_THIRD.split(), start=3)}
_PARTS = {"half": 2, "quarter": 4}
SCALES = {
    "hundred": 100, "thousand": 1000, "k": 1000, "lakh": 10**5, "lac": 10**5, "million": 10**6,
    "mn": 10**6, "crore": 10**7, "cr": 10**7, "billion": 10**9, "bn": 10**9,
}  # fmt: skip
# "An hundred hundred hundred ..." is no amount: there a new number begins.
_LARGEST = 10**30
_TIMES = {"twice": 2, "double": 2, "thrice": 3, "triple": 3, "treble": 3}


def either(words: Sequence[str]) -> str:
    """Return a pattern of words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_SMALL = either([*_WORDS])
SPELT = re.compile(
    rf"(?<![a-z])(?:(?:{_SMALL}|an?(?=\s(?:hundred|thousand|lakh|lac|million|crore|billion))|half|"
    rf"(?:{either([*_ORDINALS])})s?|quarters?|{either([*_TIMES])}|"
    rf"hundred|thousand|lakh|lac|million|crore|billion)s?(?![a-z])"
    r"(?:(?:\s+and)?[\s-]+(?=[a-z]))?)+"
)


def spelt_values(phrase: str, following: str) -> list[tuple[str, bool]]:
    """Return the numbers of a run of number words, and of each whether it may be none.

    "two hundred and fifty" is one number, "two three" are two.

    Args:
        phrase: The run, in small letters.
        following: What comes after it.
    """
    values: list[tuple[str, bool]] = []
    total, current, open_ = Fraction(0), Fraction(0), False
    words = [word for word in re.split(r"[\s-]+", phrase) if word]
    words = words[:-1] if words and words[-1] == "and" else words
    small_ones = len(words) == 1 and words[0] in ("one", "zero", "quarter", "quarters")

    def close() -> None:
        nonlocal total, current, open_
        if open_:
            values.append((written(total + current), small_ones))
        total, current, open_ = Fraction(0), Fraction(0), False

    last = ""
    for word in words:
        single = word if word in _WORDS or word in SCALES else word.removesuffix("s")
        if word in _TIMES:
            close()
            values.append((f"×{_TIMES[word]}", False))
        elif single in SCALES:
            if total + current > _LARGEST:
                close()
            if not open_ and last not in ("a", "an"):
                values.append((single, False))  # a scale alone: "hundreds of firms"
                last = single
                continue
            current = (current if open_ and current else Fraction(1)) * SCALES[single]
            if single != "hundred":
                total, current = total + current, Fraction(0)
            open_ = True
        elif single in _WORDS:
            value = _WORDS[single]
            fits = not open_ or last in SCALES or last == "and"
            fits = fits or (value < 10 and last in _TENS)
            if not fits:
                close()
            current, open_ = current + value, True
        elif single in ("half", "quarter") or single in _ORDINALS:
            part = _PARTS.get(single) or _ORDINALS[single]
            if open_ and last in _WORDS and 0 < total + current < 10:  # three quarters
                values.append((written(Fraction(int(total + current), part)), False))
                total, current, open_ = Fraction(0), Fraction(0), False
            else:
                close()
                of_year = single == "half" and re.match(r"[\s-]*year", following)
                number = Fraction(1, part) if single in _PARTS else Fraction(part)
                values.append((written(number), bool(of_year) or single == "quarter"))
        elif word == "and" and last not in SCALES:
            close()
        last = single
    close()
    return values


def written(value: Fraction) -> str:
    """Return a number in decimals where they end, as a fraction in lowest terms otherwise."""
    if 10**6 % value.denominator:
        return str(value)
    return f"{float(value):.6f}".rstrip("0").rstrip(".") if value.denominator > 1 else str(value)
