"""Is a quantised model still the model it was made from, and which model pays?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kd_kedro.metrics.scores.exact_match import log_perplexity
from kd_kedro.metrics.statistics.significance import Floats, resample_families


def family_sums(scores: Sequence[Mapping[str, Any]], families: Sequence[str]) -> Floats:
    """Return (families, 2): nats and answer tokens summed over each family's rows."""
    _, place = np.unique(list(families), return_inverse=True)
    sums = np.zeros((int(place.max()) + 1, 2))
    np.add.at(sums, place, [[each["nll"], each["answer_tokens"]] for each in scores])
    return sums


def perplexity(sums: Floats) -> float:
    """Return the perplexity of (families, 2) sums."""
    return float(np.exp(log_perplexity(sums.sum(axis=0))))


def parity(
    variant: Floats,
    original: Floats,
    *,
    margin: float,
    confidence: float,
    min_families: int,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Say whether a variant's perplexity is at most `margin` above that of its original.

    Families are resampled, the same ones for both; non-inferior where the one-sided upper end of
    the change lies below the margin.

    Args:
        variant: (families, 2) nats and tokens of the changed model.
        original: The same of the model it was made from.
        margin: Largest rise of perplexity, 0.05 for 5 %.
        confidence: Confidence of the one-sided interval.
        min_families: Fewer cannot show parity.
        draws: Draws of the bootstrap.
        seed: Seed of the bootstrap.

    Returns:
        `perplexity_change` and its upper end `perplexity_change_high` (share: 0.05 is 5 % more),
        and `reason`, '' where it is non-inferior.
    """
    statistics = np.stack([variant, original])
    observed = log_perplexity(statistics.sum(axis=1))
    resampled = resample_families(statistics, log_perplexity, draws=draws, seed=seed)
    high = float(np.quantile(resampled[:, 0] - resampled[:, 1], confidence))
    change, high = (float(np.expm1(each)) for each in (observed[0] - observed[1], high))
    reason = ""
    if len(variant) < min_families:
        reason = f"{len(variant)} held-out families are fewer than the {min_families} it takes"
    elif not high <= margin:
        reason = (
            f"perplexity rises by {100 * change:.1f} %, at {100 * confidence:g} % confidence by up "
            f"to {100 * high:.1f} %, more than {100 * margin:g} %"
        )
    return {"perplexity_change": change, "perplexity_change_high": high, "reason": reason}


def pareto_table(entries: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return by model quality, latency and size, and whether no other beats it in all of them.

    Args:
        entries: By model `perplexity` (None where it cannot be compared), `latency_p50_ms`,
            `bytes`, and for a variant `status`; only accepted ones stand on the front or push
            others off it.

    Returns:
        One row for each model: model, status, perplexity, latency_p50_ms, bytes, on_front
        (yes, no).
    """
    costs = {
        name: (each["perplexity"], each["latency_p50_ms"], each["bytes"])
        for name, each in entries.items()
        if each.get("status", "accepted") == "accepted" and each["perplexity"] is not None
    }

    def beaten(own: tuple[float, ...]) -> bool:
        return any(
            other != own and all(a <= b for a, b in zip(other, own, strict=True))
            for other in costs.values()
        )

    return [
        {
            "model": name,
            "status": each.get("status", ""),
            **{key: each[key] for key in ("perplexity", "latency_p50_ms", "bytes")},
            "on_front": "yes" if name in costs and not beaten(costs[name]) else "no",
        }
        for name, each in entries.items()
    ]
