"""Every metric of the verdict: which sums over rows it needs, and what it makes of them."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from kd_kedro.metrics.scores import calibration, classification, overlap
from kd_kedro.metrics.scores import exact_match as text
from kd_kedro.metrics.scores.metric import Metric, numbers, present, refuse_infinite
from kd_kedro.metrics.statistics.significance import Floats

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
    "accepted_tokens",
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
# Those of numbers; an empty cell does not apply.
NUMBER_COLUMNS = [
    *("nll", "answer_tokens", "answer_bytes", "agreeing_tokens", "teacher_kl"),
    *("accepted_tokens", "brier"),
    *("token_f1", "rouge1", "rouge2", "rougeL", "semantic_similarity", "bertscore_f1"),
]


_NO_LABELS = "no label is the whole answer of enough train families and of a held-out row"
OTHER_TOKENS = "teacher and student have different tokenizers: their tokens cannot be compared"
_SERVED = "the teacher is behind a server, which tells no distributions"
NOT_COMPARED = f"{OTHER_TOKENS}; or {_SERVED}"


def _bits_and_bytes(rows: pd.DataFrame) -> Floats:
    sums = numbers(rows, "nll", "answer_bytes")
    bits: Floats = sums * (sums[:, 1:] > 0) / [np.log(2), 1.0]
    return bits


def _too_short(rows: pd.DataFrame) -> str:
    """Say whether BLEU gives the references themselves nothing: it counts runs of four words."""
    references = list(rows["reference"])
    if text.bleu_statistics(references, references)[:, -1].any():
        return ""
    return "no held-out answer has the four words in a row that BLEU counts"


def _one_label(rows: pd.DataFrame) -> str:
    labels = set(rows["label"]) - {""}
    return f"every held-out label is “{labels.pop()}”" if len(labels) == 1 else ""


def _gaps(rows: pd.DataFrame) -> Floats:
    gaps = calibration.numbers_of_bins(rows["calibration_gaps"])
    tokens = numbers(rows, "answer_tokens")[:, 0] * (rows["calibration_gaps"] != "").to_numpy()
    refuse_infinite(rows, gaps, "calibration_gaps")
    return np.column_stack([tokens, tokens, gaps])


def _mean_of_rows(
    name: str,
    title: str,
    signature: Callable[[], str],
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    percent: bool = False,
) -> Metric:
    """Return a metric whose score is the mean of a column of numbers."""

    def statistics(rows: pd.DataFrame) -> Floats:
        there = present(rows[name]).to_numpy(dtype=np.float64)
        return np.column_stack([numbers(rows, name), there])

    return Metric(
        name=name,
        title=title,
        statistics=statistics,
        score=text.ratio,
        higher_is_better=True,
        shown=float,
        bounds=bounds,
        signature=signature,
        percent=percent,
        decimals=None if percent else 3,
    )


METRICS = (
    Metric(
        name="perplexity",
        title="perplexity",
        statistics=lambda rows: numbers(rows, "nll", "answer_tokens"),
        score=text.log_perplexity,
        higher_is_better=False,
        shown=lambda value: float(np.exp(value)),
        bounds=(0.0, np.inf),
        signature=lambda: (
            "exp(sum of nll / sum of answer tokens, end-of-sequence included); "
            "difference = log(student) - log(baseline)"
        ),
        log_scale=True,
        per_token=True,
    ),
    Metric(
        name="bits_per_byte",
        title="bits per byte",
        statistics=_bits_and_bytes,
        score=text.ratio,
        higher_is_better=False,
        shown=float,
        bounds=(0.0, np.inf),
        signature=lambda: (
            "sum of nll in bits, end-of-sequence included / sum of UTF-8 bytes of the references "
            "that were scored; does not depend on the tokenizer"
        ),
        decimals=3,
    ),
    Metric(
        name="bleu",
        title="BLEU",
        statistics=lambda rows: text.bleu_statistics(
            list(rows["prediction"]), list(rows["reference"])
        ),
        score=text.bleu,
        higher_is_better=True,
        shown=float,
        bounds=(0.0, 100.0),
        signature=lambda: f"sacrebleu|{text.bleu_signature()}",
        silent=_too_short,
    ),
    Metric(
        name="chrf",
        title="chrF",
        statistics=lambda rows: overlap.chrf_statistics(
            list(rows["prediction"]), list(rows["reference"])
        ),
        score=overlap.chrf,
        higher_is_better=True,
        shown=float,
        bounds=(0.0, 100.0),
        signature=lambda: f"sacrebleu|chrF2|{overlap.chrf_signature()}",
    ),
    *(
        _mean_of_rows(name, name.replace("rouge", "ROUGE-"), partial(overlap.rouge_signature, name))
        for name in overlap.ROUGE
    ),
    Metric(
        name="exact_match",
        title="exact match",
        statistics=lambda rows: numbers(rows, "exact_match", "gradable"),
        score=text.ratio,
        higher_is_better=True,
        shown=float,
        bounds=(0.0, 1.0),
        signature=lambda: (
            "share of gradable rows answered exactly; "
            "case, white space and final punctuation do not count, digits do"
        ),
        counted="a gradable answer",
        percent=True,
    ),
    _mean_of_rows(
        "token_f1",
        "token F1",
        lambda: "mean over rows of the F1 of words, numbers and signs shared; every script",
        percent=True,
    ),
    _mean_of_rows(
        "semantic_similarity",
        "semantic similarity",
        lambda: (
            "mean over rows of the cosine of the sentence embedder's vectors; 0 for an empty answer"
        ),
        bounds=(-1.0, 1.0),
    ),
    _mean_of_rows(
        "bertscore_f1",
        "BERTScore F1",
        lambda: (
            "mean over rows of BERTScore F1 on the sentence embedder's last layer; no idf, "
            "no rescaling; 0 for an empty answer"
        ),
        bounds=(-1.0, 1.0),
    ),
    Metric(
        name="accuracy",
        title="label accuracy",
        statistics=lambda rows: classification.label_statistics(rows)[:, :2],
        score=text.ratio,
        higher_is_better=True,
        shown=float,
        bounds=(0.0, 1.0),
        signature=lambda: (
            "share of rows with a label for an answer that name it; unparsable is wrong"
        ),
        counted="a label for an answer",
        absent=_NO_LABELS,
        silent=_one_label,
        percent=True,
    ),
    Metric(
        name="macro_f1",
        title="label macro F1",
        statistics=classification.label_statistics,
        score=classification.macro_f1,
        higher_is_better=True,
        shown=float,
        bounds=(0.0, 1.0),
        signature=lambda: (
            "mean F1 of the labels that references have; unparsable is a class of its own"
        ),
        counted="a label for an answer",
        absent=_NO_LABELS,
        silent=_one_label,
        percent=True,
    ),
    Metric(
        name="teacher_agreement",
        title="agreement with teacher",
        statistics=lambda rows: numbers(rows, "agreeing_tokens", "answer_tokens"),
        score=text.ratio,
        higher_is_better=True,
        shown=float,
        bounds=(0.0, 1.0),
        signature=lambda: "share of reference answer tokens where the top-1 token is the teacher's",
        per_token=True,
        against_teacher=False,
        absent=NOT_COMPARED,
        percent=True,
    ),
    Metric(
        name="teacher_kl",
        title="KL from teacher, nats per token",
        statistics=lambda rows: numbers(rows, "teacher_kl", "answer_tokens"),
        score=text.ratio,
        higher_is_better=False,
        shown=float,
        bounds=(0.0, np.inf),
        signature=lambda: "mean over reference answer tokens of KL(teacher || model), nats",
        per_token=True,
        against_teacher=False,
        absent=NOT_COMPARED,
        decimals=3,
    ),
    Metric(
        name="draft_acceptance",
        title="draft acceptance",
        statistics=lambda rows: numbers(rows, "accepted_tokens", "answer_tokens"),
        score=text.ratio,
        higher_is_better=True,
        shown=float,
        bounds=(0.0, 1.0),
        signature=lambda: (
            "mean over reference answer tokens of the sum over the vocabulary of min(teacher, "
            "model): what speculative decoding with the model as draft accepts"
        ),
        per_token=True,
        against_teacher=False,
        absent=NOT_COMPARED,
        percent=True,
    ),
    Metric(
        name="ece",
        title="calibration error (ECE)",
        statistics=_gaps,
        score=calibration.ece,
        higher_is_better=False,
        shown=float,
        bounds=(0.0, 1.0),
        signature=lambda: (
            f"expected calibration error of the top-1 token, {calibration.BINS} equal bins of "
            "confidence, over reference answer tokens"
        ),
        per_token=True,
        absent=_SERVED,
        percent=True,
    ),
    Metric(
        name="brier",
        title="Brier score",
        statistics=lambda rows: numbers(rows, "brier", "answer_tokens"),
        score=text.ratio,
        higher_is_better=False,
        shown=float,
        bounds=(0.0, 2.0),
        signature=lambda: (
            "mean over reference answer tokens of the sum over the vocabulary of (p - y)^2"
        ),
        per_token=True,
        absent=_SERVED,
        decimals=3,
    ),
)
