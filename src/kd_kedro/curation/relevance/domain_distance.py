"""How far rows lie from the domain, without any verdict."""

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]


def centre_distance(pairs: Vectors, trim: float, rounds: int = 5) -> Scores:
    """Return 1 - cosine to the domain's centre, the mean of the nearest `trim` share of rows.

    Args:
        pairs: float32 (n, 2, d).
        trim: Share of rows that make the centre, so that outliers do not pull at it.
        rounds: Number of times that centre and nearest rows are found anew.

    Returns:
        float64 (n,).
    """
    rows = pairs.reshape(len(pairs), -1) / np.float32(np.sqrt(pairs.shape[1]))
    centre = rows.mean(axis=0)
    for _ in range(rounds):
        distance = 1 - rows @ (centre / max(float(np.linalg.norm(centre)), 1e-9))
        centre = rows[distance <= np.quantile(distance, trim)].mean(axis=0)
    nearness: Scores = (rows @ (centre / max(float(np.linalg.norm(centre)), 1e-9))).astype(float)
    return 1 - nearness


def clipped_threshold(scores: Scores, spread: float, rounds: int = 50) -> float:
    """Return the median plus `spread` standard deviations of the core (sigma clipping).

    The deviation is how far the 15.9th percentile lies below the median, one standard deviation in
    a normal core: outliers lie on the other side. It is raised by its own standard error
    (1.49 / √n), so that few rows are judged less boldly. Rows above the threshold are left out and
    both are found anew until nothing changes.

    Args:
        scores: float64 (n,).
        spread: Deviations above the median where outliers begin.
        rounds: Most repetitions.
    """
    core, threshold = scores, float(scores.max(initial=0.0))
    for _ in range(rounds):
        low, middle = np.quantile(core, [0.1587, 0.5])
        deviation = (middle - low) * (1 + 1.49 / np.sqrt(len(core)))
        threshold = float(middle + spread * deviation)
        inside = scores[scores <= threshold]
        if len(inside) == len(core):
            break
        core = inside
    # Rows that all lie at one place are no outliers of each other.
    return threshold + 1e-9


def cluster_outlierness(pairs: Vectors, min_cluster_size: int) -> Scores:
    """Return HDBSCAN's outlier score (GLOSH) of each row, as the earlier system used it.

    Campello et al. 2015, "Hierarchical density estimates for data clustering, visualization, and
    outlier detection". Dense clumps of off-topic rows are clusters to it.
    """
    from hdbscan import HDBSCAN

    rows = pairs.reshape(len(pairs), -1).astype(np.float64)
    if len(rows) <= min_cluster_size:
        return np.zeros(len(rows))
    scores: Scores = HDBSCAN(min_cluster_size=min_cluster_size).fit(rows).outlier_scores_
    return np.nan_to_num(scores)
