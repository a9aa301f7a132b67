"""Further versions of training rows, each behind the gates that keep its meaning.

Only train rows have versions, the answer never changes, and a version that fails a gate, or says
what another row says already, is absent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from kd_kedro.curation.preservation import misspelling_defect, preservation_defect
from kd_kedro.curation.rows import SPLIT, normalise, table

ORIGINAL = "original"
TYPO = "typo"
TRAIN = "train"


@dataclass(frozen=True)
class Candidate:
    """A version of a question as a generator made it.

    Attributes:
        parent: The row_id of the row it is a version of.
        version: `formal`, `casual`, `general` or `typo`.
        text: The question; '' where the generator made none.
        reason: How it was made, or why it was not.
    """

    parent: str
    version: str
    text: str
    reason: str


@dataclass(frozen=True)
class Augmented:
    """What became of the candidates.

    Attributes:
        rows: The original rows and the versions that passed, columns `SPLIT`.
        created: How each new row was made, by row_id.
        absent: Why a version is absent: by parent row_id, then by version.
    """

    rows: pd.DataFrame
    created: dict[str, str]
    absent: dict[str, dict[str, str]]


def trainable(split_qa: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may have versions: the originals of train."""
    return split_qa[(split_qa["split"] == TRAIN) & (split_qa["version"] == ORIGINAL)]


def add_versions(
    split_qa: pd.DataFrame, candidates: Sequence[Candidate], max_typo_share: float
) -> Augmented:
    """Return the rows with the versions that keep what their row asks.

    Args:
        split_qa: Table with columns `SPLIT`, version `original` throughout.
        candidates: Versions of train rows, in the order in which the first of two equal ones wins.
        max_typo_share: The largest share of a question's words that may be misspelt, 0 to 1.

    Raises:
        ValueError: A candidate is a version of a row that is not in train.
    """
    parents = {row["row_id"]: row for row in trainable(split_qa).to_dict("records")}
    # What any row asks, held-out rows above all, no version may ask again.
    taken = {normalise(question) for question in split_qa["question"]}
    records, created = [], {}
    absent: dict[str, dict[str, str]] = {}
    for each in candidates:
        if each.parent not in parents:
            raise ValueError(f"row {each.parent} is not in train and may have no {each.version}")
        parent = parents[each.parent]
        same = normalise(each.text)
        if defect := _defect(each, parent["question"], max_typo_share) or _taken(same, taken):
            absent.setdefault(each.parent, {})[each.version] = defect
            continue
        taken.add(same)
        row_id = f"{each.parent}-{each.version}"
        created[row_id] = each.reason
        records.append(
            (
                row_id,
                parent["family_id"],
                TRAIN,
                each.version,
                each.text,
                parent["answer"],
                parent["source"],
            )
        )
    rows = pd.concat([split_qa[SPLIT], table(SPLIT, records)], ignore_index=True)
    return Augmented(rows, created, absent)


def _defect(candidate: Candidate, question: str, max_typo_share: float) -> str:
    if not candidate.text:
        return candidate.reason
    if candidate.version == TYPO:
        return misspelling_defect(question, candidate.text, max_typo_share)
    return preservation_defect(question, candidate.text)


def _taken(same: str, taken: set[str]) -> str:
    return "another row asks the same" if same in taken else ""


def absent_evidence(augmented: Augmented) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Return, by parent, the evidence of which versions are absent and why."""
    return {parent: {"absent": versions} for parent, versions in augmented.absent.items()}
