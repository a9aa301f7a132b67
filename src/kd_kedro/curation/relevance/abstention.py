"""Whether a sheet, or the verdicts on it, show clearly enough which of its rows are off topic.

Verdicts may be few, and contradict each other: what they teach is asked of the reviewed rows
themselves, each judged without its own verdict. Without verdicts there is only the distance to the
domain's centre, which has a largest value in every sheet, and a sheet of two subjects has two
centres. Rows are off topic only where they are few, where the text itself tells them from
the rest, and where they are a mixture of subjects: far rows that are mostly of one subject are a
second subject of the sheet, which nobody called wrong.
"""

import numpy as np
import numpy.typing as npt

from kd_kedro.curation.relevance.kernel_ridge import ACCEPTED, REJECTED, UNREVIEWED
from kd_kedro.curation.relevance.relevance_config import SoapConfig

Vectors = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Verdicts = npt.NDArray[np.int8]

_FOLDS = 5
_LEAST = 2 * _FOLDS  # rows of each kind that cross-validation needs
_SAME_SUBJECT = 0.1  # mean cosine from which two groups of far rows are one subject
_CHANCE = 0.05  # probability from which chance may have told the reviewed rows apart
_SURE = 0.75  # least probability, odds of three to one, that most of what would go is rejected
_MOST_COMPARED = 1000  # far rows; clustering compares all pairs


def reason_to_abstain(pairs: Vectors, outlying: Mask, settings: SoapConfig) -> str:
    """Return why the rows found must not be called off topic, '' where they may.

    Args:
        pairs: float32 (n, k, d), unit embeddings of the texts of each row.
        outlying: bool (n,), the rows beyond the threshold.
        settings: `min_rows`, `max_share`, `max_subject_share`, `max_cohesion` and
            `min_separation`.
    """
    if not outlying.any():
        return ""
    return _too_few_or_many(outlying, settings) or _not_apart(pairs, outlying, settings)


def reason_to_distrust(verdicts: Verdicts, outlying: Mask) -> str:
    """Return why verdicts do not teach which rows are off topic, '' where they do.

    They do where the reviewed rows that would go are more often rejected than those that would stay
    (Fisher's exact test, one-sided, 5 %), and where the odds are three to one that most rows that
    would go are rejected (the posterior of that share, from a uniform prior).

    Args:
        verdicts: int8 (n,), 1 rejected, 0 accepted, -1 not reviewed.
        outlying: bool (n,), the rows that would go, each judged without its own verdict.
    """
    from scipy.stats import beta, fisher_exact

    rejected, accepted = verdicts == REJECTED, verdicts == ACCEPTED
    if not outlying[verdicts == UNREVIEWED].any():
        return ""
    right, wrong = int((rejected & outlying).sum()), int((accepted & outlying).sum())
    rows = [[right, wrong], [int(rejected.sum()) - right, int(accepted.sum()) - wrong]]
    chance = float(fisher_exact(rows, alternative="greater").pvalue)
    if chance <= _CHANCE and beta.sf(0.5, 1 + right, 1 + wrong) >= _SURE:
        return ""
    why = (
        f"chance does as well in {chance:.0%} of cases"
        if chance > _CHANCE
        else "too many of the rows that it finds are accepted ones"
    )
    return (
        f"the verdicts do not tell which rows belong: of rows judged without their own verdict the "
        f"filter finds {right} of {rejected.sum()} rejected ones, and wrongly {wrong} of "
        f"{accepted.sum()} accepted ones ({why}); review more rows, "
        "or look for verdicts that contradict each other"
    )


def cohesion(rows: Vectors) -> float:
    """Return the mean cosine of two rows, float32 (n, d) of unit length; 1 for a single row."""
    total, count = rows.sum(axis=0, dtype=np.float64), len(rows)
    if count == 1:
        return 1.0
    return float((total @ total - count) / (count * (count - 1)))


def largest_subject(rows: Vectors) -> float:
    """Return the share of rows that are of the commonest subject, float32 (n, d) of unit length.

    A subject is a cluster of average linkage, whose parts have a mean cosine of 0.1 at least.
    """
    from sklearn.cluster import AgglomerativeClustering

    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MOST_COMPARED)).astype(int)]
    if len(some) == 1:
        return 1.0
    clustering = AgglomerativeClustering(
        n_clusters=None, distance_threshold=1 - _SAME_SUBJECT, metric="cosine", linkage="average"
    )
    return float(np.bincount(clustering.fit_predict(some)).max() / len(some))


def separation(rows: Vectors, outlying: Mask) -> float:
    """Return the F1 at which a linear model finds far rows that it was not taught with.

    It is high where few rows lie at the boundary, and low where near and far rows shade into each
    other. Ridge classifier, cross-validated in five folds of rows drawn at random; 0 where there
    are fewer than ten rows of a kind.
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import f1_score
    from sklearn.model_selection import KFold, cross_val_predict

    if min(outlying.sum(), (~outlying).sum()) < _LEAST:
        return 0.0
    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    found = cross_val_predict(RidgeClassifier(), rows, outlying, cv=folds)
    return float(f1_score(outlying, found, zero_division=0))


def _too_few_or_many(outlying: Mask, settings: SoapConfig) -> str:
    if len(outlying) < settings.min_rows:
        return (
            f"the sheet has {len(outlying)} rows, and {settings.min_rows} are needed "
            "(filtering.soap.min_rows)"
        )
    if outlying.mean() > settings.max_share:
        return (
            f"{outlying.mean():.0%} of the rows are far from its centre, more than "
            f"{settings.max_share:.0%} (filtering.soap.max_share): it has more than one subject"
        )
    return ""


def _not_apart(pairs: Vectors, outlying: Mask, settings: SoapConfig) -> str:
    rows = pairs.reshape(len(pairs), -1) / np.float32(np.sqrt(pairs.shape[1]))
    far, near = rows[outlying], rows[~outlying]
    largest = largest_subject(far)
    if largest > settings.max_subject_share:
        return (
            f"{largest:.0%} of the far rows are of one subject, more than "
            f"{settings.max_subject_share:.0%} (filtering.soap.max_subject_share): it may belong "
            "to the sheet"
        )
    if cohesion(far) > settings.max_cohesion * cohesion(near):
        return (
            f"the far rows have a mean cosine of {cohesion(far):.2f} to each other, the near ones "
            f"of {cohesion(near):.2f} (filtering.soap.max_cohesion {settings.max_cohesion:g}): "
            "those are of many subjects too"
        )
    separated = separation(rows, outlying)
    if separated < settings.min_separation:
        return (
            f"there is no gap between near and far rows: they are told apart with F1 "
            f"{separated:.2f}, and {settings.min_separation:.2f} is needed "
            "(filtering.soap.min_separation)"
        )
    return ""
