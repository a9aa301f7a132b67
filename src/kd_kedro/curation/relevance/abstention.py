"""Whether a sheet shows clearly enough, without any verdict, which of its rows are off topic.

A distance to the domain's centre has a largest value in every sheet, and a sheet of two subjects
has two centres. Rows are off topic only where they are few, where the text itself tells them from
the rest, and where they are a mixture of subjects: rows that resemble each other as much as those
of the domain do are a second subject of the sheet, which nobody called wrong.
"""

import numpy as np
import numpy.typing as npt

from kd_kedro.curation.relevance.relevance_config import SoapConfig

Vectors = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_FOLDS = 5
_LEAST = 2 * _FOLDS  # rows of each kind that cross-validation needs


def reason_to_abstain(pairs: Vectors, outlying: Mask, settings: SoapConfig) -> str:
    """Return why the rows found must not be called off topic, '' where they may.

    Args:
        pairs: float32 (n, k, d), unit embeddings of the texts of each row.
        outlying: bool (n,), the rows beyond the threshold.
        settings: `min_rows`, `max_share`, `max_cohesion`, `max_relative_cohesion` and
            `min_separation`.
    """
    if not outlying.any():
        return ""
    return _too_few_or_many(outlying, settings) or _not_apart(pairs, outlying, settings)


def cohesion(rows: Vectors) -> float:
    """Return the mean cosine of two different rows; float32 (n, d), unit vectors, n at least 2."""
    total, count = rows.sum(axis=0, dtype=np.float64), len(rows)
    return float((total @ total - count) / (count * (count - 1)))


def separation(rows: Vectors, outlying: Mask) -> float:
    """Return the F1 at which a linear model finds far rows that it was not taught with.

    It is high where few rows lie at the boundary, and low where near and far rows shade into each
    other. Ridge classifier, cross-validated in five folds of rows drawn at random.
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import f1_score
    from sklearn.model_selection import KFold, cross_val_predict

    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    found = cross_val_predict(RidgeClassifier(), rows, outlying, cv=folds)
    return float(f1_score(outlying, found, zero_division=0))


def _too_few_or_many(outlying: Mask, settings: SoapConfig) -> str:
    if len(outlying) < settings.min_rows:
        return f"the sheet has {len(outlying)} rows, and {settings.min_rows} are needed (min_rows)"
    if outlying.mean() > settings.max_share:
        return (
            f"{outlying.mean():.0%} of the rows are far from its centre, more than "
            f"{settings.max_share:.0%} (max_share): it has more than one subject"
        )
    if min(outlying.sum(), (~outlying).sum()) < _LEAST:
        return f"{outlying.sum()} far rows are too few to tell whether they are a group"
    return ""


def _not_apart(pairs: Vectors, outlying: Mask, settings: SoapConfig) -> str:
    rows = pairs.reshape(len(pairs), -1) / np.float32(np.sqrt(pairs.shape[1]))
    outside, inside = cohesion(rows[outlying]), cohesion(rows[~outlying])
    limit = min(settings.max_cohesion, settings.max_relative_cohesion * inside)
    if outside > limit:
        return (
            f"the far rows have a mean cosine of {outside:.2f} to each other, more than "
            f"{limit:.2f} (max_cohesion, max_relative_cohesion): they are a subject of their own"
        )
    separated = separation(rows, outlying)
    if separated < settings.min_separation:
        return (
            f"there is no gap between near and far rows: they are told apart with F1 "
            f"{separated:.2f}, and {settings.min_separation:.2f} is needed (min_separation)"
        )
    return ""
