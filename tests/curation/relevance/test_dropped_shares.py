import numpy as np
import pytest

from kd_kedro.curation.records.schema import STAGE, table
from kd_kedro.curation.relevance.dropped_shares import cluster_rows, describe_dropped_shares
from kd_kedro.curation.relevance.scores import SCORES


def sheet(answers: list[str], clusters: list[int], said: dict[int, str] | None = None, mode="none"):
    """Return the rows and their scores."""
    rows = table(
        STAGE,
        [
            [f"r{n}", str(n), "s", "", "plain", "", "", f"Question {n}?", answer]
            for n, answer in enumerate(answers)
        ],
    )
    scores = table(
        SCORES,
        [
            [f"r{n}", (said or {}).get(n, ""), mode, "", "0", "1", "", "", str(cluster)]
            for n, cluster in enumerate(clusters)
        ],
    )
    return rows, scores


def described(rows, scores, gone, labels=()):
    return describe_dropped_shares(rows, rows[~rows.index.isin(gone)], scores, labels)


def test_more_than_two_percent_without_verdicts_are_said():
    rows, scores = sheet(["a"] * 100, [0] * 100, mode="cold_start")
    assert described(rows, scores, range(2)) == []
    warning, remedy = described(rows, scores, range(3))
    assert "removed 3 of 100 rows (3%)" in warning
    assert "mended_csv" in remedy
    reviewed, scores = sheet(["a"] * 100, [0] * 100, mode="reviewer")
    assert described(reviewed, scores, range(3)) == []


@pytest.mark.parametrize(("removed", "count"), [(5, 0), (7, 2)])
def test_a_label_whose_share_more_than_halved_is_named(removed, count):
    # 10 of 40 rows are 25 %; 5 of 35 are 14.3 %, 3 of 33 are 9.1 %.
    rows, scores = sheet(["bug"] * 10 + ["idea"] * 30, [0] * 40, mode="reviewer")
    found = described(rows, scores, range(removed), ["bug", "idea"])
    assert len(found) == count
    if found:
        assert "1 of 2 labels: “bug” (10 rows, 7 removed)" in found[0]


def test_a_cluster_whose_share_more_than_halved_is_shown_unless_a_person_rejected_some_of_it():
    rows, scores = sheet(["a"] * 40, [0] * 30 + [1] * 10, mode="reviewer")
    warning, _ = described(rows, scores, range(30, 39))
    assert "removed 9 of 10 rows that resemble each other, such as “Question 30?”" in warning
    rows, scores = sheet(["a"] * 40, [0] * 30 + [1] * 10, {39: "rejected"}, mode="reviewer")
    assert described(rows, scores, range(30, 39)) == []


def test_clusters_are_groups_of_like_rows():
    pairs = np.repeat(np.eye(2, dtype=np.float32), 40, axis=0)[:, None]
    clusters = cluster_rows(pairs)
    assert clusters[0] != clusters[40]
    assert len(set(clusters[:40])) == len(set(clusters[40:])) == 1
    assert set(cluster_rows(pairs[:59])) == {0}
