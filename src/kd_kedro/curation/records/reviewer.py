"""What reviewers said about a row: rejected, or its question corrected."""

import re
from collections.abc import Collection, Sequence

import pandas as pd

from kd_kedro.curation.records.schema import LABELLED, table
from kd_kedro.curation.records.verdict_words import read_verdict
from kd_kedro.text.language import asks
from kd_kedro.text.transcript import has_mark, is_transcript, last_message, with_last_message
from kd_kedro.text.words import content_words, word_pattern

ACCEPTED, REJECTED = "accepted", "rejected"

_ASKS = re.compile(
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|can|could|do|does|did|will|"
    r"would|should|may|must|has|have|had|if|in|on|at|by|for|from|to|under|of|with|according)\b",
    re.IGNORECASE,
)


def review(
    validated: pd.DataFrame,
    *,
    reject_verdicts: Sequence[str],
    reject_corrections: Sequence[str],
    min_question_words: int,
) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """Return the rows reviewers left, the reason of each dropped row, of each corrected one.

    In a conversation a corrected question stands in the place of what the user said last.

    Args:
        validated: Table with the columns of `validated_qa`.
        reject_verdicts: Verdicts, in any case, that drop a row, see `read_verdict`.
        reject_corrections: Corrections, in any case, that drop a row.
        min_question_words: Words a correction has at least to replace the question.
    """
    verdicts = {verdict.strip().casefold() for verdict in reject_verdicts}
    corrections = {correction.strip().casefold() for correction in reject_corrections}
    rows = validated.copy()
    dropped: dict[str, str] = {}
    corrected: dict[str, str] = {}
    for index, row in enumerate(validated.to_dict("records")):
        correction = row["correction"].strip()
        if read_verdict(row["verdict"], verdicts):
            dropped[row["row_id"]] = f"reviewer's verdict: {row['verdict'].strip()}"
        elif correction.casefold() in corrections:
            dropped[row["row_id"]] = f"reviewer's correction: {correction}"
        elif _corrects(correction, row["question"], min_question_words):
            rows.at[index, "question"] = with_last_message(row["question"], correction)
            corrected[row["row_id"]] = "question corrected by a reviewer"
    return rows[~rows["row_id"].isin(list(dropped))].reset_index(drop=True), dropped, corrected


def label_rows(validated: pd.DataFrame, rejected: Collection[str]) -> pd.DataFrame:
    """Return all rows as they came, with what reviewers said of each, to learn from.

    Args:
        validated: Table with the columns of `validated_qa`.
        rejected: row_ids of the rows that `review` dropped.

    Returns:
        Text columns `LABELLED`; `label` is `accepted`, `rejected`, or '' where nobody said.
    """
    labels = [
        REJECTED if row in rejected else ACCEPTED if verdict.strip() else ""
        for row, verdict in zip(validated["row_id"], validated["verdict"], strict=True)
    ]
    return table(LABELLED, validated.assign(label=labels)[LABELLED].to_numpy().tolist())


def is_full_question(correction: str, question: str, min_words: int) -> bool:
    """Return whether a correction is a question itself, not a remark about one.

    "answer needs to be checked?" is a remark: it neither starts as a question does nor shares its
    words with the one it corrects.
    """
    long = max(len(correction.split()), len(word_pattern().findall(correction))) >= min_words
    if not asks(correction) or not long:
        return False
    words = set(content_words(correction))
    shared = len(words & set(content_words(question))) / len(words) if words else 0.0
    return bool(_ASKS.match(correction)) or shared >= 0.5


def _corrects(correction: str, question: str, min_words: int) -> bool:
    """Return whether a correction is a question to be asked in the place of a row's own."""
    if has_mark(correction) and not is_transcript(correction):
        return False  # it would be taken for messages that nobody wrote
    return is_full_question(last_message(correction), last_message(question), min_words)
