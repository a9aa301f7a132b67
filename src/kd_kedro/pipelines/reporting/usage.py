"""What a model card shows of the held-out rows: their languages and a question with its answer."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kd_kedro.text.language import language

# Scripts stand for a language where one alone is commonly written in them.
_CODES = {
    "English": "en",
    "French": "fr",
    "German": "de",
    "Spanish": "es",
    "Italian": "it",
    "Portuguese": "pt",
    "Dutch": "nl",
    "Swedish": "sv",
    "Polish": "pl",
    "Turkish": "tr",
    "Indonesian": "id",
    "the script Cjk": "zh",
    "the script Hiragana": "ja",
    "the script Katakana": "ja",
    "the script Hangul": "ko",
    "the script Greek": "el",
    "the script Thai": "th",
    "the script Georgian": "ka",
    "the script Armenian": "hy",
    "the script Tamil": "ta",
    "the script Telugu": "te",
    "the script Kannada": "kn",
    "the script Malayalam": "ml",
    "the script Gujarati": "gu",
    "the script Gurmukhi": "pa",
    "the script Sinhala": "si",
    "the script Khmer": "km",
    "the script Lao": "lo",
    "the script Myanmar": "my",
}
_LEAST_SHARE = 0.1  # of the texts that tell their language; fewer are quotations and slips


@dataclass(frozen=True)
class Example:
    """A held-out question, its reference, and what the student answered when it was judged."""

    question: str
    reference: str
    answer: str


def languages(texts: Sequence[str]) -> list[str]:
    """Return the languages of texts as far as they tell them, the commonest first.

    Returns:
        ISO 639 codes; none where no text tells its language, or none that has a code.
    """
    told = Counter(name for text in texts if (name := language(text)))
    if "the script Hiragana" in told or "the script Katakana" in told:
        told["the script Hiragana"] += told.pop("the script Cjk", 0)
    least = _LEAST_SHARE * told.total()
    common = [name for name, count in told.most_common() if count >= least]
    return list(dict.fromkeys(_CODES[name] for name in common if name in _CODES))


def held_out_example(results: pd.DataFrame) -> Example:
    """Return a held-out row with the answer of the student's first seed: a short question.

    Which one does not depend on any answer: of the questions in the order of their length, that
    at the first quarter.

    Args:
        results: `validation_results`; the student itself is the first of its seeds there.
    """
    own = results[results["model"] == "student"]
    rows = own[own["seed"] == own["seed"].iloc[0]].to_dict("records")
    rows.sort(key=lambda row: (len(row["question"]), row["row_id"]))
    chosen = rows[len(rows) // 4]
    return Example(chosen["question"], chosen["reference"], chosen["prediction"])


def pipeline_tag(card: Mapping[str, Any]) -> str:
    """Return the hub's name of what a model does, from its own card."""
    return "text2text-generation" if "encoder_layers" in card else "text-generation"


def fence(text: str) -> str:
    """Return a fence of backticks that a text inside it cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)
