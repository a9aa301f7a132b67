"""The same scores on parts of the held-out rows, to see where a model is weak."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kd_kedro.metrics.text import bleu, bleu_statistics

COLUMNS = [
    "slice",
    "value",
    "model",
    "rows",
    "families",
    "perplexity",
    "bleu",
    "exact_match",
    "teacher_agreement",
]


def score_slices(results: pd.DataFrame, labels: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return the scores of each model on each slice, its seeds pooled.

    Args:
        results: `validation_results`, all text.
        labels: By slice (format, topic …) the value of each row_id; rows without one are left
            out of that slice.

    Returns:
        Table with `COLUMNS`, all text; exact_match is '' where no row of the slice is gradable.
    """
    scored = _with_statistics(results)
    records = [_record(["all", "all", str(model)], rows) for model, rows in scored.groupby("model")]
    for name, values in labels.items():
        labelled = scored.assign(value=scored["row_id"].map(dict(values)).fillna(""))
        parts = labelled[labelled["value"] != ""].groupby(["value", "model"])
        records += [_record([name, *map(str, key)], rows) for key, rows in parts]
    return pd.DataFrame(records, columns=COLUMNS, dtype="str")


def score_runs(results: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of each model and seed: table with `model, seed` and `COLUMNS[3:]`."""
    parts = _with_statistics(results).groupby(["model", "seed"])
    records = [_record([str(part) for part in key], rows) for key, rows in parts]
    return pd.DataFrame(records, columns=["model", "seed", *COLUMNS[3:]], dtype="str")


def worst_slice(slices: pd.DataFrame, *, min_families: int) -> dict[str, str] | None:
    """Return the slice where the student falls furthest behind its teacher in perplexity.

    Args:
        slices: What `score_slices` returned.
        min_families: Slices with fewer families are too small to be named.

    Returns:
        `slice, value, families, student, teacher` (perplexities), or None where no slice is
        large enough.
    """
    parts = slices[(slices["slice"] != "all") & (slices["families"].astype(int) >= min_families)]
    perplexity: dict[tuple[str, str, str], dict[str, str]] = {}
    for record in parts.to_dict("records"):
        key = (record["slice"], record["value"], record["families"])
        perplexity.setdefault(key, {})[record["model"]] = record["perplexity"]
    behind = {
        key: float(models["student"]) / float(models["teacher"])
        for key, models in perplexity.items()
    }
    if not behind:
        return None
    worst = max(behind, key=lambda key: behind[key])
    return {
        **dict(zip(("slice", "value", "families"), worst, strict=True)),
        "student": perplexity[worst]["student"],
        "teacher": perplexity[worst]["teacher"],
    }


def _with_statistics(results: pd.DataFrame) -> pd.DataFrame:
    statistics = bleu_statistics(list(results["prediction"]), list(results["reference"]))
    return results.assign(_bleu=list(statistics))


def _record(names: list[str], rows: pd.DataFrame) -> list[str]:
    tokens = rows["answer_tokens"].astype(float).sum()
    gradable = (rows["gradable"] == "yes").sum()
    agreeing = rows["agreeing_tokens"]  # empty where the tokenizers differ
    exact = (rows["exact_match"] == "yes").sum() / gradable if gradable else None
    return [
        *names,
        str(rows["row_id"].nunique()),
        str(rows["family_id"].nunique()),
        f"{np.exp(rows['nll'].astype(float).sum() / tokens):.4f}",
        f"{float(bleu(np.sum(np.stack(list(rows['_bleu'])), axis=0))):.4f}",
        "" if exact is None else f"{exact:.4f}",
        "" if (agreeing == "").any() else f"{agreeing.astype(float).sum() / tokens:.4f}",
    ]
