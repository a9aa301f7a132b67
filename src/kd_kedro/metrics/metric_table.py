"""Every metric of the verdict: which sums over rows it needs, and what it makes of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kd_kedro.metrics import text
from kd_kedro.metrics.significance import Floats, Score

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
    "agreeing_tokens",
    "gradable",
    "exact_match",
]


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
    against_teacher: bool = True
    counted: str = "an answer"
    absent: str = ""


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
    Metric(
        "teacher_agreement",
        lambda rows: _numbers(rows, "agreeing_tokens", "answer_tokens"),
        text.ratio,
        True,
        float,
        (0.0, 1.0),
        lambda: "share of reference answer tokens where the top-1 token is the teacher's",
        against_teacher=False,
        absent="teacher and student have different tokenizers: their tokens cannot be compared",
    ),
)


def _numbers(rows: pd.DataFrame, *columns: str) -> Floats:
    if any((rows[column] == "").all() for column in columns):  # the run has no such metric
        return np.zeros((len(rows), len(columns)))
    numbers = np.column_stack(
        [
            (rows[column] == "yes").to_numpy(dtype=np.float64)
            if column in ("gradable", "exact_match")
            else rows[column].to_numpy(dtype=np.float64)
            for column in columns
        ]
    )
    if not np.isfinite(numbers).all():
        bad = rows.loc[~np.isfinite(numbers).all(axis=1)].iloc[0]
        raise ValueError(
            f"validation_results: {bad['model']} of seed {bad['seed']!r} has no finite "
            f"{columns[0]} for row {bad['row_id']}: its training diverged; lower the learning rate"
        )
    return numbers
