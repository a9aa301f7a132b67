"""A table of held-out results made up with known effects."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from kd_kedro.metrics.scores.metric_table import RESULT_COLUMNS

_WORDS = ["cash", "sales", "debit", "credit", "ledger", "of", "the", "a", "to", "is", "balance"]


def make_results(
    families: int = 60,
    seeds: int = 3,
    *,
    effect: float = 0.0,
    seed_spread: float = 0.0,
    gradable: float = 0.5,
    random: int = 0,
) -> pd.DataFrame:
    """Results where the student's nll per token is the baseline's minus `effect`."""
    rng = np.random.default_rng(random)
    runs = [("teacher", "")] + [
        (model, str(seed)) for seed in range(seeds) for model in ("baseline", "student")
    ]
    shift = {run: rng.normal(0, seed_spread) if run[0] == "student" else 0.0 for run in runs}
    level = {"teacher": 1.0, "baseline": 2.0, "student": 2.0 - effect}
    records = []
    for family in range(families):
        hardness, size = rng.normal(0, 0.4), int(rng.integers(4, 15))
        words = list(rng.choice(_WORDS, size))
        can_be_graded = rng.random() < gradable
        for model, seed in runs:
            nll = level[model] + shift[model, seed] + hardness + rng.normal(0, 0.1)
            said = [word if rng.random() < 0.7 else str(rng.choice(_WORDS)) for word in words]
            agreeing = size + 1 if model == "teacher" else int(rng.binomial(size + 1, 0.6))
            records.append(
                {
                    "row_id": f"row{family:03}",
                    "family_id": f"family{family:03}",
                    "model": model,
                    "seed": seed,
                    "question": f"What is {family}?",
                    "reference": " ".join(words),
                    "prediction": " ".join(said),
                    "nll": repr(float(nll * (size + 1))),
                    "answer_tokens": str(size + 1),
                    "answer_bytes": str(len(" ".join(words))),
                    "agreeing_tokens": str(agreeing),
                    "gradable": "yes" if can_be_graded else "no",
                    "exact_match": "yes" if can_be_graded and rng.random() < 0.3 else "no",
                }
            )
    # What else a row may tell does not apply here.
    return pd.DataFrame(records, dtype="str").reindex(columns=RESULT_COLUMNS, fill_value="")


@pytest.fixture(scope="session")
def results() -> Callable[..., pd.DataFrame]:
    """The maker of made-up results."""
    return make_results
