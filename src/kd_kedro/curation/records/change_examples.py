"""Examples of what each stage removed and changed, for people to look at."""

import json
import re
from collections.abc import Hashable, Mapping
from itertools import groupby
from typing import Any

import pandas as pd

from kd_kedro.curation.records.schema import table

Event = Mapping[Hashable, Any]

COLUMNS = ["stage", "action", "kind", "rows", "row_id", "question", "answer", "became", "evidence"]
SHOWN = ("quarantined", "dropped", "changed", "kept")
LEFT = "left as it is"  # so starts the reason of a row that a stage would have changed
_WHERE = re.compile(r"^.*?, line \d+: ")
_FIGURE = re.compile(r"\d[\d.,]*|(?<!\w)'[^']*'?")
_LONGEST = 400  # characters of a cell
_LONGEST_KIND = 80


def examples_by_kind(
    events: pd.DataFrame,
    products: Mapping[str, pd.DataFrame],
    quarantined_rows: pd.DataFrame,
    count: int,
) -> pd.DataFrame:
    """Return a few rows of each kind that each stage set aside, dropped, changed or had to leave.

    The kind of an event is its reason without places and figures. Which rows are shown depends on
    their row_id alone.

    Args:
        events: Events of all stages, columns `lineage.EVENT_COLUMNS`.
        products: The table each stage let out, by stage and in their order, with `row_id,
            question, answer`.
        quarantined_rows: Rows set aside before they were in any product.
        count: Examples of a kind.

    Returns:
        Text columns `COLUMNS`, in the order of the stages. `rows` counts the kind; `became` is the
        changed row, or the row that a duplicate was merged into.
    """
    cells = {stage: _cells(product) for stage, product in products.items()}
    before: dict[str, tuple[str, str]] = _cells(quarantined_rows)
    records: list[list[str]] = []
    for stage, after in cells.items():
        for key, group in _by_kind(events[events["stage"] == stage]):
            for event in group[:count]:
                row = event["row_id"]
                question, answer = before.get(row, ("", ""))
                became = _became(event, before, after)
                shown = (question, answer, became, event["evidence"])
                records.append([stage, *key, str(len(group)), row, *map(_shorten, shown)])
        before = after
    return table(COLUMNS, records)


def kind_of(reason: str) -> str:
    """Return an event's reason without places and figures, at most 80 characters."""
    plain = _FIGURE.sub("…", without_place(reason))
    if len(plain) <= _LONGEST_KIND:
        return plain
    # Behind the second colon stands what to do; "column Answer" before the first says too little.
    end = plain.find(": ", _LONGEST_KIND // 2)
    return plain[: end if 0 < end < _LONGEST_KIND else _LONGEST_KIND]


def without_place(reason: str) -> str:
    """Return an event's reason without the file and line that it may begin with."""
    return _WHERE.sub("", reason)


def _by_kind(events: pd.DataFrame) -> list[tuple[tuple[str, str], list[Event]]]:
    def key(event: Event) -> tuple[int, str]:
        return SHOWN.index(event["action"]), kind_of(event["reason"])

    left = (events["action"] == "kept") & events["reason"].str.startswith(LEFT)
    shown = events[events["action"].isin(SHOWN[:-1]) | left].to_dict("records")
    shown.sort(key=lambda event: (key(event), event["row_id"]))
    return [((SHOWN[place], kind), list(group)) for (place, kind), group in groupby(shown, key)]


def _became(
    event: Event,
    before: Mapping[str, tuple[str, str]],
    after: Mapping[str, tuple[str, str]],
) -> str:
    if event["action"] == "changed":
        was, now = before.get(event["row_id"], ("", "")), after[event["row_id"]]
        return "\n".join(cell for old, cell in zip(was, now, strict=True) if old != cell)
    facts = json.loads(event["evidence"]) if event["evidence"] else {}
    return "\n".join(after.get(facts.get("survivor_id", ""), ()))


def _cells(rows: pd.DataFrame) -> dict[str, tuple[str, str]]:
    return {
        row: (question, answer)
        for row, question, answer in zip(
            rows["row_id"], rows["question"], rows["answer"], strict=True
        )
    }


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
