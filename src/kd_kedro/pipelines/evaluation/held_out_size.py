"""Whether as many families are held out as the verdict needs, told before anything is trained."""

from collections.abc import Callable, Mapping, Set
from math import ceil, log10
from typing import Any

import pandas as pd

from kd_kedro.metrics.scores.held_out import choose_held_out
from kd_kedro.pipelines.augmentation.params import SplitParams
from kd_kedro.pipelines.distillation.params import SeedParams
from kd_kedro.pipelines.evaluation.params import EvaluationParams

_SPLIT_TABLES = ("split_qa", "augmented_qa")
_SEEDS = 2  # fewer cannot tell the method from the luck of the seed
# A larger test share than this leaves too little to learn from.
_LARGEST_TEST_SHARE = 0.5


def doubt_before_node(
    inputs: Mapping[str, Any], made: Set[str], load: Callable[[str], Any]
) -> tuple[str, bool]:
    """Say, before the first node that reads the split rows, that they are too few for a verdict.

    Args:
        inputs: What the node reads, by name.
        made: Names of all that the run makes.
        load: Loads one of the catalog.

    Returns:
        The sentence, '' where there is no doubt or the run is not about it; and whether the run
        goes on to train, so that it should be asked.
    """
    rows = next((inputs[name] for name in _SPLIT_TABLES if name in inputs), None)
    if rows is None or not made & {"split_qa", "student", "verdict"}:
        return "", False
    # Parameters of pipelines that are not run are plain mappings.
    evaluation = EvaluationParams.model_validate(load("params:evaluation"))
    sentence = verdict_doubt(
        rows,
        test_share=SplitParams.model_validate(load("params:augmentation.split")).test,
        max_rows=evaluation.answering.max_rows,
        min_families=evaluation.verdict.min_families,
        seeds=SeedParams.model_validate(load("params:distillation.seeds")).count,
    )
    return sentence, "student" in made


def verdict_doubt(
    rows: pd.DataFrame, *, test_share: float, max_rows: int, min_families: int, seeds: int
) -> str:
    """Return why no metric can be judged on the held-out rows, and what to do; '' where one can.

    Args:
        rows: `split_qa` or `augmented_qa`; only original rows count.
        test_share: Share of the families that are held out, above 0.
        max_rows: Most held-out rows that are asked.
        min_families: Fewest families that are judged.
        seeds: Students that are trained.
    """
    original = rows[rows["style"] == "original"]
    held_out = original[original["split"] == "test"]
    there = held_out["family_id"].nunique()
    asked = choose_held_out(original, max_rows=max_rows)["family_id"].nunique() if there else 0
    if there < min_families:
        families = original["family_id"].nunique()
        return (
            f"This run is too small to be judged: {there} of {families} families of questions are "
            f"held out, and a verdict needs {min_families} (evaluation.verdict.min_families). "
            + _remedy(len(original), families, test_share, min_families)
        )
    if asked < min_families:
        return (
            f"This run is too small to be judged: {asked} of {there} held-out families are asked, "
            f"and a verdict needs {min_families} (evaluation.verdict.min_families). Raise "
            f"evaluation.answering.max_rows ({max_rows} now) to {len(held_out)}."
        )
    if seeds < _SEEDS:
        return (
            f"This run is too small to be judged: {seeds} student is trained, and a verdict needs "
            f"{_SEEDS} to tell the method from the luck of the seed. Raise "
            f"distillation.seeds.count to {_SEEDS} or more."
        )
    return ""


def _remedy(rows: int, families: int, test_share: float, needed: int) -> str:
    if not rows:
        return "No row is left after the curation: look at where they went."
    # A hash deals the families, so that the share held out varies: a tenth more than needed.
    wanted = _round_up(1.1 * needed / test_share * rows / families)
    share = ceil(110 * needed / families) / 100
    more = f"About {wanted} rows like these would do ({rows} now, both counted after curation)"
    if share > _LARGEST_TEST_SHARE:
        return (
            f"{more}; a larger test share alone (augmentation.split.test, {test_share:g} now) "
            "would leave too little to learn from."
        )
    return (
        f"{more}, or a test share of {share:g} (augmentation.split.test, {test_share:g} now, with "
        "augmentation.split.train lowered by as much)."
    )


def _round_up(number: float) -> int:
    """Return a number with two digits that count, not smaller."""
    unit = 10 ** max(0, int(log10(number)) - 1)
    return int(ceil(number / unit) * unit)
