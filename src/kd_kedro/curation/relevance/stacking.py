"""Several scores of a row made into one probability: logistic regression that starts from equals.

Stacked generalisation (Wolpert 1992) with a prior: with few verdicts all scores count the same,
with many the verdicts say how much each counts. No weight is below zero, for each score says by
itself how far a row is from the domain.
"""

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def stack(features: Scores, rejected: Mask, taught: Mask, prior: Scores, strength: float) -> Scores:
    """Return the probability of rejection of each row.

    Args:
        features: float64 (n, k), scores on one scale, higher is farther from the domain.
        rejected: bool (n,), the verdicts; read where `taught`.
        taught: bool (n,), rows to learn from, some rejected and some not.
        prior: float64 (k,), weights before any verdict.
        strength: Pull of the prior on the weights: the loss, summed over rows, grows
            by strength / 2 times the squared distance.

    Returns:
        float64 (n,), between 0 and 1.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    known = features[taught]
    sign = np.where(rejected[taught], 1.0, -1.0)
    count = features.shape[1]

    def loss(values: Scores) -> tuple[float, Scores]:
        margin = sign * (known @ values[:count] + values[count])
        away = values[:count] - prior
        slope = -sign * expit(-margin)
        value = np.logaddexp(0, -margin).sum() + strength / 2 * away @ away
        return float(value), np.append(known.T @ slope + strength * away, slope.sum())

    share = rejected[taught].mean()
    start = np.append(prior, np.log(share / (1 - share)))
    bounds = [(0.0, None)] * count + [(None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    probability: Scores = expit(features @ found[:count] + found[count])
    return probability
