"""What happened to every row: events, the waterfall, and one row's life.

A row never vanishes: at every stage in + created = out + dropped + quarantined. `record_stage`
is the only maker of events, and it raises where a stage breaks that.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kd_kedro.curation.records.schema import content_hash, table

EVENT_COLUMNS = ["row_id", "stage", "action", "reason", "before_hash", "after_hash", "evidence"]
WATERFALL_COLUMNS = ["stage", "in", "created", "out", "dropped", "quarantined"]

Reasons = Mapping[str, str]


def record_stage(
    stage: str,
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    dropped: Reasons | None = None,
    quarantined: Reasons | None = None,
    created: Reasons | None = None,
    reasons: Reasons | None = None,
    evidence: Mapping[str, Mapping[str, Any]] | None = None,
) -> pd.DataFrame:
    """Return one event per incoming row and one per created row of a stage.

    Args:
        stage: The stage's name: its events are the table `{stage}_events`.
        before: Table with unique `row_id`, and `question` and `answer`.
        after: The stage's product, with the same columns.
        dropped: Reason by row_id of every row the stage removed.
        quarantined: Reason by row_id of every row it set aside for a person.
        created: Reason by row_id of every row that is in `after` and was not in `before`.
        reasons: Reason by row_id of rows that stay (changed or kept), where there is one.
        evidence: Facts by row_id (score, threshold, survivor_id …), written as compact JSON.

    Returns:
        Table with `EVENT_COLUMNS`, in the order of `before`, created rows last.

    Raises:
        ValueError: A row vanished, appeared unannounced, stands twice, or was removed and kept.
    """
    dropped, quarantined, created = dropped or {}, quarantined or {}, created or {}
    reasons, evidence = reasons or {}, evidence or {}
    old, new = _hashes(stage, before), _hashes(stage, after)
    _check_conservation(stage, old, new, dropped, quarantined, created)
    rows = []
    for row, before_hash in old.items():
        if row in new:
            action = "kept" if new[row] == before_hash else "changed"
            rows.append((row, action, reasons.get(row, ""), before_hash, new[row]))
        elif row in dropped:
            rows.append((row, "dropped", dropped[row], before_hash, ""))
        else:
            rows.append((row, "quarantined", quarantined[row], before_hash, ""))
    rows += [(row, "created", reason, "", new[row]) for row, reason in created.items()]
    return table(
        EVENT_COLUMNS,
        [
            (row, stage, action, reason, was, now, _compact(evidence.get(row)))
            for row, action, reason, was, now in rows
        ],
    )


def collect_events(*stages: pd.DataFrame) -> pd.DataFrame:
    """Put the events of stages into one table, in the order of the stages."""
    return pd.concat(stages, ignore_index=True)


def stages_of(events: pd.DataFrame) -> list[str]:
    """Return the stages in their order, which is that of the events."""
    return [str(stage) for stage in events["stage"].unique()]


def make_waterfall(events: pd.DataFrame) -> pd.DataFrame:
    """Return the count of rows in, created, out, dropped and quarantined at each stage.

    Args:
        events: The events of the stages in their order, `EVENT_COLUMNS`.

    Returns:
        Table with `WATERFALL_COLUMNS`, counts as text, in the order of the stages.

    Raises:
        ValueError: A stage's rows in are not the rows out of the stage before it.
    """
    counts = events.groupby(["stage", "action"]).size()
    records: list[list[str]] = []
    for stage in stages_of(events):
        kept, changed, created, dropped, quarantined = (
            int(counts.get((stage, action), 0))
            for action in ("kept", "changed", "created", "dropped", "quarantined")
        )
        rows_in, out = kept + changed + dropped + quarantined, kept + changed + created
        if records and int(records[-1][3]) != rows_in:
            raise ValueError(
                f"stage {stage} saw {rows_in} rows but {records[-1][0]} left {records[-1][3]}: "
                "the events are of different runs; run the pipelines again from preprocessing"
            )
        records.append([stage, *map(str, (rows_in, created, out, dropped, quarantined))])
    return table(WATERFALL_COLUMNS, records)


def trace(events: pd.DataFrame, row: str) -> pd.DataFrame:
    """Return the events of a row and of the rows made from it, in the order of `events`.

    Raises:
        ValueError: No event names the row.
    """
    own = events[(events["row_id"] == row) | events["row_id"].str.startswith(f"{row}-")]
    if own.empty:
        raise ValueError(f"row {row} is in no event: take a row_id from validated_qa")
    return own.reset_index(drop=True)


def _hashes(stage: str, rows: pd.DataFrame) -> dict[str, str]:
    hashes = {
        row: content_hash(question, answer)
        for row, question, answer in zip(
            rows["row_id"], rows["question"], rows["answer"], strict=True
        )
    }
    if len(hashes) != len(rows):
        twice = rows.loc[rows["row_id"].duplicated(), "row_id"].iloc[0]
        raise ValueError(f"stage {stage}: row {twice} stands in the table twice")
    return hashes


def _check_conservation(
    stage: str,
    old: Mapping[str, str],
    new: Mapping[str, str],
    dropped: Reasons,
    quarantined: Reasons,
    created: Reasons,
) -> None:
    gone = old.keys() - new.keys()
    wrong: Sequence[tuple[str, set[str]]] = (
        ("vanished without a reason", gone - dropped.keys() - quarantined.keys()),
        ("removed but still there", (dropped.keys() | quarantined.keys()) - gone),
        ("both dropped and quarantined", dropped.keys() & quarantined.keys()),
        ("appeared unannounced", (new.keys() - old.keys()) - created.keys()),
        ("announced as created but not new", created.keys() - (new.keys() - old.keys())),
    )
    for what, rows in wrong:
        if rows:
            raise ValueError(f"stage {stage}: {len(rows)} rows {what}, first {min(rows)}")


def _compact(facts: Mapping[str, Any] | None) -> str:
    return json.dumps(facts, separators=(",", ":"), ensure_ascii=False) if facts else ""
