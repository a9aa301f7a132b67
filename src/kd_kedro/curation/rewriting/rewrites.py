"""Rewrites of training rows, each behind the gates that keep its meaning.

Only train rows have rewrites, the answer never changes, and a rewrite that fails a gate, or says
what another row says already, is absent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kd_kedro.curation.duplicates.neighbours import nearest_others
from kd_kedro.curation.records.schema import table
from kd_kedro.curation.rewriting.preservation import misspelling_defect, preservation_defect
from kd_kedro.curation.rewriting.rewriting_config import Limits
from kd_kedro.text.normalise import wording
from kd_kedro.text.transcript import is_transcript

ORIGINAL = "original"
TYPO = "typo"
TRAIN = "train"
NEAREST_OTHERS = 5  # rows of other families that a rewrite is compared with word by word

Encode = Callable[[list[str]], npt.NDArray[np.float32]]
Evidence = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A rewrite of a question as a generator made it.

    Attributes:
        parent: The row_id of the row it is a rewrite of.
        style: `formal`, `casual`, `general` or `typo`.
        text: The question; '' where the generator made none.
        reason: The way it was made, or why it was not.
    """

    parent: str
    style: str
    text: str
    reason: str


@dataclass(frozen=True)
class Augmented:
    """What became of the candidates.

    Attributes:
        rows: The original rows and the rewrites that passed, columns `SPLIT` and further ones, in
            which a rewrite says what its row says.
        created: The way each new row was made, by row_id.
        evidence: By row_id: of a new row its similarity to its source and the band it had to be
            in, of a parent which rewrites are absent, each with the reason, score and threshold.
    """

    rows: pd.DataFrame
    created: dict[str, str]
    evidence: dict[str, Evidence]


def rewrite_id(parent: str, style: str) -> str:
    """Return the row_id of a rewrite."""
    return f"{parent}-{style}"


def trainable(split_qa: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may have rewrites: the originals of train, but for conversations.

    What was said before stands in the question of a conversation, and must stay what was said.
    """
    rows = split_qa[(split_qa["split"] == TRAIN) & (split_qa["style"] == ORIGINAL)]
    return rows[~rows["question"].map(is_transcript).astype(bool)]


def add_rewrites(
    split_qa: pd.DataFrame, candidates: Sequence[Candidate], encode: Encode, limits: Limits
) -> Augmented:
    """Return the rows with the rewrites that keep what their row asks.

    Args:
        split_qa: Table with columns `SPLIT` and further ones, style `original` throughout.
        candidates: Rewrites of train rows, in the order in which the first of two equal ones wins.
        encode: Turns n texts into float32 (n, d), rows of length 1.
        limits: Bounds of a rewrite's distance from its source.

    Raises:
        ValueError: A candidate is a rewrite of a row that is not in train.
    """
    parents = {row["row_id"]: row for row in trainable(split_qa).to_dict("records")}
    for each in candidates:
        if each.parent not in parents:
            raise ValueError(f"row {each.parent} is not in train and may have no {each.style}")
    questions = [parents[each.parent]["question"] for each in candidates]
    findings = judge(candidates, questions, encode, limits)
    _find_neighbours(findings, candidates, split_qa, encode)

    # What any row asks, held-out rows above all, no rewrite may ask again.
    taken = {wording(question) for question in split_qa["question"]}
    columns = list(split_qa.columns)
    records, created = [], {}
    evidence: dict[str, Evidence] = {}
    for each, finding in zip(candidates, findings, strict=True):
        same = wording(each.text)
        if not finding["reason"] and same in taken:
            finding["reason"] = "another row asks the same"
        if finding["reason"]:
            absent = evidence.setdefault(each.parent, {"absent": {}})["absent"]
            absent[each.style] = finding
            continue
        taken.add(same)
        row_id = rewrite_id(each.parent, each.style)
        created[row_id] = each.reason
        evidence[row_id] = {key: finding[key] for key in finding if key != "reason"}
        own = {"row_id": row_id, "style": each.style, "question": each.text}
        parent = parents[each.parent]
        records.append([own.get(name, parent[name]) for name in columns])
    rows = pd.concat([split_qa, table(columns, records)], ignore_index=True)
    return Augmented(rows, created, evidence)


def judge(
    candidates: Sequence[Candidate], questions: Sequence[str], encode: Encode, limits: Limits
) -> list[Evidence]:
    """Return what the gates find in rewrites, each compared with its own source only.

    Args:
        candidates: n rewrites.
        questions: The n questions they are rewrites of.
        encode: Turns n texts into float32 (n, d), rows of length 1.
        limits: Bounds of a rewrite's distance from its source.

    Returns:
        n findings: `reason` ('' where a rewrite passes) and, where it came so far, its
        `similarity` with its source and the `band` that had to be in.
    """
    findings: list[Evidence] = [
        {"reason": wording_defect(each, question, limits.max_typo_share)}
        for each, question in zip(candidates, questions, strict=True)
    ]
    left = [n for n, finding in enumerate(findings) if not finding["reason"]]
    if not left:
        return findings
    rewrites = encode([candidates[n].text for n in left])
    sources = encode([questions[n] for n in left])
    for n, similarity in zip(left, np.sum(rewrites * sources, axis=1).tolist(), strict=True):
        findings[n] |= _in_band(candidates[n].style, float(similarity), limits)
    return findings


def wording_defect(candidate: Candidate, question: str, max_typo_share: float) -> str:
    """Return why a rewrite is not fit to use, from its words alone; '' where they are fit."""
    if not candidate.text:
        return candidate.reason
    if wording(candidate.text) == wording(question):
        return "a copy of its source"
    if candidate.style == TYPO:
        return misspelling_defect(question, candidate.text, max_typo_share)
    return preservation_defect(question, candidate.text)


def _in_band(style: str, similarity: float, limits: Limits) -> Evidence:
    low, high = limits.similarity_min, limits.similarity_max
    if style == TYPO:
        low, high = limits.typo_similarity_min, 1.0
    reason = ""
    if similarity < low:
        reason = f"too far from its source: similarity {similarity:.3f} below {low:g}"
    elif similarity > high and style != TYPO:
        reason = f"its source again: similarity {similarity:.3f} above {high:g}"
    return {"reason": reason, "similarity": round(similarity, 4), "band": [low, high]}


def _find_neighbours(
    findings: Sequence[Evidence],
    candidates: Sequence[Candidate],
    split_qa: pd.DataFrame,
    encode: Encode,
) -> None:
    """Note rewrites that say what a row of another family asks, and say it more closely."""
    left = [
        n
        for n, finding in enumerate(findings)
        if not finding["reason"] and candidates[n].style != TYPO
    ]
    if not left:
        return
    rows, questions = split_qa["row_id"].tolist(), split_qa["question"].tolist()
    _, families = np.unique(split_qa["family_id"].to_numpy(dtype=object), return_inverse=True)
    family = dict(zip(rows, families.tolist(), strict=True))
    others = nearest_others(
        encode([candidates[n].text for n in left]),
        np.array([family[candidates[n].parent] for n in left]),
        np.array([findings[n]["similarity"] for n in left], dtype=np.float32),
        encode(questions),
        families,
        NEAREST_OTHERS,
    )
    for place, nearest in others.items():
        finding = findings[left[place]]
        for other, cosine in nearest:
            if not preservation_defect(questions[other], candidates[left[place]].text):
                finding["reason"] = f"row {rows[other]} asks the same"
                finding |= {"score": round(cosine, 4), "threshold": finding["similarity"]}
                break
