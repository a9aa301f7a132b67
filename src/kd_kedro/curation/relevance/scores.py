"""How relevant each row is to the sheet's domain, and which rows a reviewer should look at."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from kd_kedro.curation.records.review_queue import (
    farthest_from_threshold,
    nearest_threshold,
    spread_out,
    verdict_by_question,
)
from kd_kedro.curation.records.reviewer import ACCEPTED, REJECTED
from kd_kedro.curation.records.schema import CELLS, table
from kd_kedro.curation.relevance import kernel_ridge
from kd_kedro.curation.relevance.dropped_shares import Clusters, cluster_rows
from kd_kedro.curation.relevance.relevance_config import SoapConfig
from kd_kedro.curation.relevance.soap import Judgement, judge_relevance
from kd_kedro.text.normalise import normalise

SCORES = [
    "row_id", "label", "mode", "order", "score", "threshold", "uncertain", "same_question",
    "cluster",
]  # fmt: skip
QUEUE = ["row_id", "line", "source", *CELLS, "score", "threshold", "why"]

_WHY = {
    REJECTED: "a person rejected it, the model not",
    ACCEPTED: "a person accepted it, the model not",
}

Vectors = npt.NDArray[np.float32]
Verdicts = npt.NDArray[np.int8]
Rows = npt.NDArray[np.int64]


def score_rows(
    labels: pd.DataFrame, pairs: Vectors, config: SoapConfig
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Score rows as they came, and list those worth a reviewer's minute.

    All rows are scored, those that reviewers rejected among them: verdicts were given on that
    text, and neighbours in the sheet tell about each other.

    Args:
        labels: Text columns `LABELLED`, in the order of the sheet.
        pairs: float32 (n, 2, d), unit embeddings of the question and answer of each row.
        config: Mode of the filter and its settings; `band` is the share of the rows without a
            person's word, those nearest the threshold, that are uncertain.

    Returns:
        Text columns `SCORES`: `order` is yes where neighbours counted, `uncertain` the rank of a
        row from 1, the most uncertain first, `same_question` what persons said of the same
        question, `cluster` the number of a group of like rows. Text columns `QUEUE`:
        disagreements by margin, then uncertain rows. Why the filter abstains, '' where it decides.
    """
    said = labels["label"]
    verdicts = np.select(
        [said == REJECTED, said == ACCEPTED],
        [kernel_ridge.REJECTED, kernel_ridge.ACCEPTED],
        kernel_ridge.UNREVIEWED,
    ).astype(np.int8)
    judgement = judge_relevance(pairs, verdicts, config)
    # A mended copy may have no verdict column: mending a row says that it belongs.
    free = ((said == "") & (labels["mended"] == "")).to_numpy()
    band = 0.0 if judgement.mode == "none" else config.band  # nothing is near no threshold
    uncertain = nearest_threshold(judgement.margins, free, band)
    return (
        _list_scores(labels, verdicts, judgement, uncertain, cluster_rows(pairs)),
        _list_queue(labels, pairs, verdicts, judgement, uncertain),
        judgement.abstained,
    )


def _list_scores(
    labels: pd.DataFrame,
    verdicts: Verdicts,
    judgement: Judgement,
    uncertain: Rows,
    clusters: Clusters,
) -> pd.DataFrame:
    questions = [normalise(question) for question in labels["question"]]
    rejected = verdict_by_question(questions, verdicts >= 0, verdicts == kernel_ridge.REJECTED)
    said = {question: REJECTED if no else ACCEPTED for question, no in rejected.items()}
    ranks = {place: str(rank) for rank, place in enumerate(uncertain.tolist(), start=1)}
    order = "yes" if judgement.ordered else ""
    # repr() keeps every digit, so that what is read back compares as it did.
    scores = [map(repr, some.tolist()) for some in (judgement.scores, judgement.thresholds)]
    rows = zip(labels["row_id"], labels["label"], *scores, questions, clusters, strict=True)
    return table(
        SCORES,
        [
            (
                row,
                label,
                judgement.mode,
                order,
                score,
                threshold,
                ranks.get(place, ""),
                said.get(question, ""),
                str(cluster),
            )
            for place, (row, label, score, threshold, question, cluster) in enumerate(rows)
        ],
    )


def _list_queue(
    labels: pd.DataFrame,
    pairs: Vectors,
    verdicts: Verdicts,
    judgement: Judgement,
    uncertain: Rows,
) -> pd.DataFrame:
    rejected = verdicts == kernel_ridge.REJECTED
    disagreeing = (verdicts >= 0) & (rejected != judgement.outlying)
    order = np.concatenate(
        [
            spread_out(farthest_from_threshold(judgement.margins, disagreeing), pairs),
            spread_out(uncertain, pairs),
        ]
    )
    cells = labels[["row_id", "line", "source", *CELLS]].to_numpy().tolist()
    said = labels["label"].tolist()
    return table(
        QUEUE,
        [
            [
                *cells[row],
                f"{judgement.scores[row]:.4f}",
                f"{judgement.thresholds[row]:.4f}",
                _WHY.get(said[row], "the model is not sure"),
            ]
            for row in order.tolist()
        ],
    )
