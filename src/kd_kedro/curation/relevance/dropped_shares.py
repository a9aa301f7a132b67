"""What a reader must know of the rows that the relevance filter removed or did not judge."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kd_kedro.curation.records.reviewer import REJECTED

Vectors = npt.NDArray[np.float32]
Clusters = npt.NDArray[np.int64]

_UNREVIEWED_SHARE = 0.02
_ROWS_A_CLUSTER, _MOST_CLUSTERS = 30, 12
LEAST_ROWS = 5  # of a label or cluster whose share says something
_MOST_NAMED = 3
_REMEDY = (
    "Read discarded_rows: a copy of the rows that belong brings them back (--params "
    "mended_csv=FILE), and --params filtering.soap.mode=none switches the filter off."
)


def cluster_rows(pairs: Vectors) -> Clusters:
    """Return int64 (n,), the cluster of each row by k-means, about 30 rows to a cluster.

    Args:
        pairs: float32 (n, k, d), unit embeddings of the texts of each row.
    """
    from sklearn.cluster import KMeans

    count = int(np.clip(len(pairs) // _ROWS_A_CLUSTER, 1, _MOST_CLUSTERS))
    if count == 1:
        return np.zeros(len(pairs), dtype=np.int64)
    found = KMeans(count, n_init=1, random_state=0).fit_predict(pairs.reshape(len(pairs), -1))
    clusters: Clusters = found.astype(np.int64)
    return clusters


def describe_dropped_shares(
    before: pd.DataFrame, after: pd.DataFrame, scores: pd.DataFrame, labels: Sequence[str]
) -> list[str]:
    """Return sentences about removals that nobody's verdict explains, none where there are none.

    More than 2 % of the rows removed where the filter learned from no verdicts; a label that lost
    more than half of its share of the rows; a cluster that did, unless a person rejected one of
    its rows.

    Args:
        before: Text columns `row_id, question, answer` that came to the filter.
        after: Those that it let through.
        scores: Text columns `scores.SCORES`.
        labels: Answers that are labels of a closed set, as they stand in `before`; may be empty.
    """
    gone = ~before["row_id"].isin(after["row_id"]).to_numpy()
    if not gone.any():
        return []
    scored = scores.set_index("row_id")
    said = []
    if scored["mode"].iloc[0] != "reviewer" and gone.mean() > _UNREVIEWED_SHARE:
        said.append(
            f"The relevance filter removed {gone.sum()} of {len(before)} rows ({gone.mean():.0%}) "
            f"without having learned from verdicts."
        )
    lost = _halved(before["answer"].where(before["answer"].isin(list(labels)), ""), gone)
    if lost:
        named = ", ".join(
            f"“{label}” ({total} rows, {total - left} removed)"
            for label, (total, left) in list(lost.items())[:_MOST_NAMED]
        )
        said.append(
            f"The relevance filter more than halved the share of {len(lost)} of {len(labels)} "
            f"labels: {named}."
        )
    explained = set(scored.loc[scored["label"] == REJECTED, "cluster"])
    cluster = before["row_id"].map(scored["cluster"])
    lost = _halved(cluster.where(~cluster.isin(explained), ""), gone)
    if lost:
        total, left = (sum(counts) for counts in zip(*lost.values(), strict=True))
        example = before.loc[gone & cluster.isin(list(lost)).to_numpy(), "question"].iloc[0]
        said.append(
            f"The relevance filter removed {total - left} of {total} rows that resemble each "
            f"other, such as “{_short(example)}”, and more than halved their share."
        )
    return [*said, _REMEDY] if said else []


def _halved(groups: pd.Series, gone: npt.NDArray[np.bool_]) -> Mapping[Any, tuple[int, int]]:
    """Return rows before and after of the groups whose share more than halved; '' is no group."""
    total = groups[groups != ""].value_counts()
    left = groups[~gone].value_counts().reindex(total.index, fill_value=0)
    whole = max(1, int((~gone).sum()))
    lost = (total >= LEAST_ROWS) & (left / whole < total / len(groups) / 2)
    return {name: (int(total[name]), int(left[name])) for name in total.index[lost]}


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 80 else f"{words[:79]}…"
