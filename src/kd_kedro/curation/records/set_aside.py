"""Why stages took rows away, counted and in words."""

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from kd_kedro.curation.records.change_examples import kind_of, without_place
from kd_kedro.curation.records.lineage import stages_of

QUARANTINED, DROPPED = "quarantined", "dropped"
_TEXTS = 3  # of one kind that are told apart


@dataclass(frozen=True)
class SetAside:
    """Rows that a stage took away for one reason.

    Attributes:
        stage: The stage.
        action: quarantined or dropped.
        reason: Why, without places; without figures too, where they make many reasons of one.
        rows: Number of these rows.
    """

    stage: str
    action: str
    reason: str
    rows: int


def count_set_aside(events: pd.DataFrame, most: int) -> list[SetAside]:
    """Return what was taken away, by stage in their order, quarantined first, commonest first.

    Args:
        events: Events of the stages in their order, columns `lineage.EVENT_COLUMNS`.
        most: Reasons of a stage and action that are told; the others are counted together.
    """
    found = []
    for stage in stages_of(events):
        for action in (QUARANTINED, DROPPED):
            own = events[(events["stage"] == stage) & (events["action"] == action)]
            told = _commonest(own["reason"])
            if len(rest := told[most:]) > 1:
                rows = sum(count for _, count in rest)
                told = [*told[:most], (f"{len(rest)} other reasons", rows)]
            found += [SetAside(stage, action, reason, rows) for reason, rows in told]
    return found


def quarantine_sentence(events: pd.DataFrame) -> str:
    """Return how many rows wait for a person and how they come back; '' where none does.

    Args:
        events: Events of the stages in their order, columns `lineage.EVENT_COLUMNS`.
    """
    waiting = int((events["action"] == QUARANTINED).sum())
    if not waiting:
        return ""
    rows = int((events["stage"] == events["stage"].iloc[0]).sum())
    return (
        f"{waiting} of {rows} rows were quarantined. To bring them back, correct them in a copy of "
        "the file they are in, and run with --params mended_csv=COPY."
    )


def _commonest(reasons: pd.Series) -> list[tuple[str, int]]:
    kinds: dict[str, Counter[str]] = {}
    for reason in reasons:
        kinds.setdefault(kind_of(reason), Counter())[without_place(reason)] += 1
    counted: list[tuple[str, int]] = []
    for kind, texts in kinds.items():
        counted += texts.items() if len(texts) <= _TEXTS else [(kind, texts.total())]
    return sorted(counted, key=lambda each: (-each[1], each[0]))
