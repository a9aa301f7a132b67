"""Held-out losses of many models on the same families, and how sure their differences are."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kd_kedro.metrics.scores.exact_match import log_perplexity
from kd_kedro.metrics.statistics.significance import (
    Estimate,
    Floats,
    estimate_over_seeds,
    holm_levels,
    resample_families,
)

LEVEL = 0.05  # what a 95 % interval leaves outside


def compare(
    losses: Mapping[str, Floats], references: Mapping[str, str], *, draws: int, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Return each model's loss and its difference from its reference, with 95 % intervals.

    Families are resampled, the same ones for every model; differences are paired by seed as well.
    p is adjusted for all differences together (Holm 1979); intervals are each for itself.

    Args:
        losses: By name (seeds, families, 2): summed nats and answer tokens.
        references: Names of models, and of the models that they are compared with.
        draws: Resamples.
        seed: Of the resampling.

    Returns:
        By name: `loss` and `perplexity` with `low` and `high`, `losses` of the seeds, and where
        there is a reference `difference`: model - reference in nats an answer token.
    """
    stacked = np.concatenate(list(losses.values()))
    ends = np.cumsum([len(each) for each in losses.values()])
    runs = {
        name: slice(end - len(each), end)
        for (name, each), end in zip(losses.items(), ends.tolist(), strict=True)
    }
    observed = log_perplexity(stacked.sum(axis=1))
    resampled = resample_families(stacked, log_perplexity, draws=draws, seed=seed)
    told: dict[str, dict[str, Any]] = {}
    for name, own in runs.items():
        loss = _shown(estimate_over_seeds(observed[own], resampled[:, own]))
        told[name] = {
            "loss": loss,
            "perplexity": {key: float(np.exp(value)) for key, value in loss.items()},
            "losses": observed[own].tolist(),
        }
    p_values = {}
    for name, reference in references.items():
        own, other = runs[name], runs[reference]
        difference = estimate_over_seeds(
            observed[own] - observed[other], resampled[:, own] - resampled[:, other]
        )
        told[name]["difference"] = {"from": reference, **_shown(difference)}
        p_values[name] = difference.p_value
    for name, (p_holm, _) in holm_levels(p_values, LEVEL).items():
        told[name]["difference"]["p_holm"] = p_holm
    return told


def _shown(estimate: Estimate) -> dict[str, float]:
    low, high = estimate.interval(LEVEL)
    return {"estimate": estimate.value, "low": low, "high": high}
