"""Every metric of the verdict: which sums over rows it needs, and what it makes of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from kd_kedro.metrics.scores import calibration, classification, overlap
from kd_kedro.metrics.scores import exact_match as text
from kd_kedro.metrics.statistics.significance import Floats, Score

RESULT_COLUMNS = [
    "row_id",
    "family_id",
    "model",
    "seed",
    "question",
    "reference",
    "prediction",
    "nll",
    "answer_tokens",
    "answer_bytes",
    "agreeing_tokens",
    "teacher_kl",
    "brier",
    "calibration_tokens",
    "calibration_confidence",
    "calibration_gaps",
    "gradable",
    "exact_match",
    "token_f1",
    "rouge1",
    "rouge2",
    "rougeL",
    "semantic_similarity",
    "bertscore_f1",
    "label",
    "predicted_label",
]


_NO_LABELS = "no label is the whole answer of enough train families and of a held-out row"
OTHER_TOKENS = "teacher and student have different tokenizers: their tokens cannot be compared"


@dataclass(frozen=True)
class Metric:
    """How one metric is computed from sums over rows and shown.

    Attributes:
        statistics: Takes one run's rows, returns (rows, columns) to be summed. A row that does not
            count is zero in every column; so is every row of a run without this metric.
        score: Maps sums, shape (..., columns), to scores, shape (...).
        shown: Makes of a score the number that people read.
        bounds: Least and greatest number shown.
        signature: Says exactly what was computed.
        log_scale: Scores are logarithms of what is shown: differences are of logarithms.
        per_token: A mean over tokens, which the second sum counts: models that cut the same answers
            into other tokens, or more of them, have no difference.
        against_teacher: The teacher has a score of its own to compare with; no for what is
            measured from the teacher, such as agreement with it.
        counted: What a family must have to count, as it is said where too few have it.
        absent: Why no family at all counts, as it is said then; '' says it with `counted`.
    """

    name: str
    statistics: Callable[[pd.DataFrame], Floats]
    score: Score
    higher_is_better: bool
    shown: Callable[[float], float]
    bounds: tuple[float, float]
    signature: Callable[[], str]
    log_scale: bool = False
    per_token: bool = False
    against_teacher: bool = True
    counted: str = "an answer"
    absent: str = ""

    def displayed(self, score: float) -> float | None:
        """Return the number that people read of a score, within bounds; None of an infinite one."""
        low, high = self.bounds
        with np.errstate(over="ignore"):
            number = min(high, max(low, self.shown(score)))
        return number if np.isfinite(number) else None


def _bits_and_bytes(rows: pd.DataFrame) -> Floats:
    sums = _numbers(rows, "nll", "answer_bytes")
    bits: Floats = sums * (sums[:, 1:] > 0) / [np.log(2), 1.0]
    return bits


def _gaps(rows: pd.DataFrame) -> Floats:
    gaps = calibration.numbers_of_bins(rows["calibration_gaps"])
    tokens = _numbers(rows, "answer_tokens")[:, 0] * (rows["calibration_gaps"] != "").to_numpy()
    _refuse_infinite(rows, gaps, "calibration_gaps")
    return np.column_stack([tokens, tokens, gaps])


def _mean_of_rows(
    name: str, signature: Callable[[], str], bounds: tuple[float, float] = (0.0, 1.0)
) -> Metric:
    """Return a metric whose score is the mean of a column of numbers."""

    def statistics(rows: pd.DataFrame) -> Floats:
        there = (rows[name] != "").to_numpy(dtype=np.float64)
        return np.column_stack([_numbers(rows, name), there])

    return Metric(name, statistics, text.ratio, True, float, bounds, signature)


METRICS = (
    Metric(
        "perplexity",
        lambda rows: _numbers(rows, "nll", "answer_tokens"),
        text.log_perplexity,
        False,
        lambda value: float(np.exp(value)),
        (0.0, np.inf),
        lambda: (
            "exp(sum of nll / sum of answer tokens, end-of-sequence included); "
            "difference = log(student) - log(baseline)"
        ),
        log_scale=True,
        per_token=True,
    ),
    Metric(
        "bits_per_byte",
        _bits_and_bytes,
        text.ratio,
        False,
        float,
        (0.0, np.inf),
        lambda: (
            "sum of nll in bits, end-of-sequence included / sum of UTF-8 bytes of the references "
            "that were scored; does not depend on the tokenizer"
        ),
    ),
    Metric(
        "bleu",
        lambda rows: text.bleu_statistics(list(rows["prediction"]), list(rows["reference"])),
        text.bleu,
        True,
        float,
        (0.0, 100.0),
        lambda: f"sacrebleu|{text.bleu_signature()}",
    ),
    Metric(
        "chrf",
        lambda rows: overlap.chrf_statistics(list(rows["prediction"]), list(rows["reference"])),
        overlap.chrf,
        True,
        float,
        (0.0, 100.0),
        lambda: f"sacrebleu|chrF2|{overlap.chrf_signature()}",
    ),
    *(_mean_of_rows(name, partial(overlap.rouge_signature, name)) for name in overlap.ROUGE),
    Metric(
        "exact_match",
        lambda rows: _numbers(rows, "exact_match", "gradable"),
        text.ratio,
        True,
        float,
        (0.0, 1.0),
        lambda: (
            "share of gradable rows answered exactly; "
            "case, white space and final punctuation do not count, digits do"
        ),
        counted="a gradable answer",
    ),
    _mean_of_rows(
        "token_f1",
        lambda: "mean over rows of the F1 of words, numbers and signs shared; every script",
    ),
    _mean_of_rows(
        "semantic_similarity",
        lambda: (
            "mean over rows of the cosine of the sentence embedder's vectors; 0 for an empty answer"
        ),
        (-1.0, 1.0),
    ),
    _mean_of_rows(
        "bertscore_f1",
        lambda: (
            "mean over rows of BERTScore F1 on the sentence embedder's last layer; no idf, "
            "no rescaling; 0 for an empty answer"
        ),
        (-1.0, 1.0),
    ),
    Metric(
        "accuracy",
        lambda rows: classification.label_statistics(rows)[:, :2],
        text.ratio,
        True,
        float,
        (0.0, 1.0),
        lambda: "share of rows with a label for an answer that name it; unparsable is wrong",
        counted="a label for an answer",
        absent=_NO_LABELS,
    ),
    Metric(
        "macro_f1",
        classification.label_statistics,
        classification.macro_f1,
        True,
        float,
        (0.0, 1.0),
        lambda: "mean F1 of the labels that references have; unparsable is a class of its own",
        counted="a label for an answer",
        absent=_NO_LABELS,
    ),
    Metric(
        "teacher_agreement",
        lambda rows: _numbers(rows, "agreeing_tokens", "answer_tokens"),
        text.ratio,
        True,
        float,
        (0.0, 1.0),
        lambda: "share of reference answer tokens where the top-1 token is the teacher's",
        per_token=True,
        against_teacher=False,
        absent=OTHER_TOKENS,
    ),
    Metric(
        "teacher_kl",
        lambda rows: _numbers(rows, "teacher_kl", "answer_tokens"),
        text.ratio,
        False,
        float,
        (0.0, np.inf),
        lambda: "mean over reference answer tokens of KL(teacher || model), nats",
        per_token=True,
        against_teacher=False,
        absent=OTHER_TOKENS,
    ),
    Metric(
        "ece",
        _gaps,
        calibration.ece,
        False,
        float,
        (0.0, 1.0),
        lambda: (
            f"expected calibration error of the top-1 token, {calibration.BINS} equal bins of "
            "confidence, over reference answer tokens"
        ),
        per_token=True,
    ),
    Metric(
        "brier",
        lambda rows: _numbers(rows, "brier", "answer_tokens"),
        text.ratio,
        False,
        float,
        (0.0, 2.0),
        lambda: "mean over reference answer tokens of the sum over the vocabulary of (p - y)^2",
        per_token=True,
    ),
)


def _numbers(rows: pd.DataFrame, *columns: str) -> Floats:
    """Return (rows, columns); a row with an empty cell, which does not apply, is zero in all."""
    there = np.array((rows[list(columns)] != "").all(axis=1), dtype=bool)
    numbers = np.column_stack(
        [
            (rows[column] == "yes").to_numpy(dtype=np.float64)
            if column in ("gradable", "exact_match")
            else rows[column].where(there, "0").to_numpy(dtype=np.float64)
            for column in columns
        ]
    )
    _refuse_infinite(rows, numbers, columns[0])
    return numbers


def _refuse_infinite(rows: pd.DataFrame, numbers: Floats, column: str) -> None:
    finite = np.array(np.isfinite(numbers).all(axis=1), dtype=bool)
    if not finite.all():
        bad = rows.iloc[int(np.argmin(finite))]
        raise ValueError(
            f"validation_results: {bad['model']} of seed {bad['seed']!r} has no finite "
            f"{column} for row {bad['row_id']}: its training diverged; lower the learning rate"
        )
