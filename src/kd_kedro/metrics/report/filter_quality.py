"""Precision and recall of each curation step against a table of planted defects."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from kd_kedro.metrics.scores.exact_match import exact_match

COLUMNS = [
    "filter",
    "defect",
    "precision",
    "recall",
    "true_positive",
    "false_positive",
    "false_negative",
    "rows",
]

_DAMAGE = {"mojibake", "unicode", "unrepairable"}
_BLANK = re.compile(r"_{2,}|\.{4,}|\[blank\]|…{2,}", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """The rows of one kind of defect: treated rightly, treated wrongly, missed."""

    right: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)


def measure_filters(
    truth: pd.DataFrame, events: pd.DataFrame, stages: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return precision and recall of each step on each kind of planted defect.

    A row that an earlier step removed cannot be judged by a later one: `rows` are the rows with
    the defect that reached the step.

    Args:
        truth: `row_id, defects, expected, group`; `defects` joined by `;`. May be empty, or of
            another sheet: only rows that have events count.
        events: `row_events`.
        stages: The tables before and after the steps that change text: `reviewed_qa`,
            `cleaned_qa`, `fitb_rephrased`, `converted_mcq`.

    Returns:
        Table with `COLUMNS`, all text, a share '' where nothing could be divided; no rows where
        no truth applies.
    """
    known = truth[truth["row_id"].isin(events["row_id"])] if len(truth) else truth
    if known.empty:
        return pd.DataFrame(columns=COLUMNS, dtype="str")
    ledger = _Ledger(known, events[events["row_id"].isin(known["row_id"])], stages)
    return pd.DataFrame(
        [_record(step, defect, judge(ledger, defect)) for step, defect, judge in _STEPS],
        columns=COLUMNS,
        dtype="str",
    )


def measure_against_reviewers(
    validated_qa: pd.DataFrame, review_queue: pd.DataFrame, events: pd.DataFrame
) -> pd.DataFrame:
    """Return precision and recall of the relevance filter on rows that a person judged.

    Each was judged by a model that saw neither its verdict nor those of its neighbours, whether
    or not the verdict overruled the model afterwards.

    Args:
        validated_qa: `row_id, verdict`.
        review_queue: Names every judged row on which person and model disagree.
        events: `row_events`; what the stage `review` dropped, a person rejected.

    Returns:
        Table with `COLUMNS`, one row, or none where no row was rejected or none accepted, or where
        the filter was off and judged nothing.
    """
    dropped = (events["stage"] == "review") & (events["action"] == "dropped")
    rejected = set(events.loc[dropped, "row_id"])
    said = set(validated_qa.loc[validated_qa["verdict"].str.strip() != "", "row_id"])
    accepted, disagreed = said - rejected, set(review_queue["row_id"])
    outcome = Outcome(rejected - disagreed, accepted & disagreed, rejected & disagreed)
    comparable = rejected and accepted and not _is_off(events)
    records = [_record("soap", "reviewer_reject", outcome)] if comparable else []
    return pd.DataFrame(records, columns=COLUMNS, dtype="str")


def _is_off(events: pd.DataFrame) -> bool:
    """Tell whether the relevance filter's mode is `none`, which its events say."""
    said = events.loc[events["stage"] == "soap", "evidence"]
    return bool(said.map(lambda text: text != "" and json.loads(text)["mode"] == "none").any())


class _Ledger:
    """What was planted and what happened, by row."""

    def __init__(
        self, truth: pd.DataFrame, events: pd.DataFrame, stages: Mapping[str, pd.DataFrame]
    ) -> None:
        defects = [set(names.split(";")) - {""} for names in truth["defects"]]
        self.defects = dict(zip(truth["row_id"], defects, strict=True))
        self.expected = dict(zip(truth["row_id"], truth["expected"], strict=True))
        self.group = dict(zip(truth["row_id"], truth["group"], strict=True))
        self.actions: dict[str, dict[str, str]] = {
            str(stage): dict(zip(rows["row_id"], rows["action"], strict=True))
            for stage, rows in events.groupby("stage")
        }
        self.reasons = dict(
            zip(zip(events["stage"], events["row_id"], strict=True), events["reason"], strict=True)
        )
        self.texts = {
            name: {
                row: (question, answer)
                for row, question, answer in zip(
                    table["row_id"], table["question"], table["answer"], strict=True
                )
            }
            for name, table in stages.items()
        }

    def at(self, stage: str, *actions: str) -> set[str]:
        """Rows of the truth that met one of these actions at a stage."""
        return {
            row for row, action in self.actions.get(stage, {}).items() if action in actions
        } & self.defects.keys()

    def reached(self, stage: str, defect: str) -> set[str]:
        """Rows with a defect that came as far as a stage."""
        return {row for row in self.actions.get(stage, {}) if defect in self.defects.get(row, ())}


Judge = Callable[[_Ledger, str], Outcome]


def _removed(stage: str, action: str) -> Judge:
    """Judge a step by the rows it takes away."""

    def judge(ledger: _Ledger, defect: str) -> Outcome:
        found, planted = ledger.at(stage, action), ledger.reached(stage, defect)
        return Outcome(found & planted, found - planted, planted - found)

    return judge


def _repaired(ledger: _Ledger, defect: str) -> Outcome:
    """Judge cleaning by whether the text became what it was before the damage.

    Sound rows whose characters cleaning altered are the wrongly treated ones.
    """
    planted = _with_known_text(ledger, defect)
    right = {row for row in planted if _holds_expected(ledger, row)}
    sound = {row for row in ledger.at("cleaning", "changed") if not ledger.defects[row] & _DAMAGE}
    return Outcome(right, {row for row in sound if _altered(ledger, row)}, planted - right)


def _survived(ledger: _Ledger, defect: str) -> Outcome:
    """Judge cleaning by whether signs and amounts are still there."""
    planted = {
        row
        for row in _with_known_text(ledger, defect)
        if "unrepairable" not in ledger.defects[row]  # is to be set aside
    }
    right = {row for row in planted if _holds_expected(ledger, row) or not _altered(ledger, row)}
    return Outcome(right, set(), planted - right)


def _with_known_text(ledger: _Ledger, defect: str) -> set[str]:
    """Rows that reached cleaning and whose right text is known.

    A damaged row that is also a blank or a multiple choice is left out: `expected` is what
    conversion should make of it, not what cleaning should.
    """
    return {
        row
        for row in ledger.reached("cleaning", defect)
        if not (ledger.defects[row] & _DAMAGE and ledger.defects[row] & {"fitb", "mcq"})
    }


def _opened(ledger: _Ledger, defect: str) -> Outcome:
    """Judge blanks by the row left: a question without a blank, an answer with what filled it.

    Where the blank has options, the answer is a letter until they are converted: the row is
    looked at after that.
    """
    found, planted = ledger.at("fitb", "changed"), ledger.reached("fitb", defect)
    rows = {**ledger.texts["fitb_rephrased"], **ledger.texts["converted_mcq"]}
    right = {
        row
        for row in found & planted
        if not _BLANK.search(rows[row][0])
        and all(
            _squeeze(part).casefold() in _squeeze(rows[row][1]).casefold()
            for part in ledger.expected[row].split(";")
        )
    }
    return Outcome(right, found - right, planted - right)


def _converted(ledger: _Ledger, defect: str) -> Outcome:
    """Judge multiple choice by the answer it left: the text of the right option."""
    found, planted = ledger.at("mcq", "changed"), ledger.reached("mcq", defect)
    answers = ledger.texts["converted_mcq"]
    right = {row for row in found & planted if exact_match(answers[row][1], ledger.expected[row])}
    return Outcome(right, found - right, planted - right)


def _merged(kind: str) -> Judge:
    """Judge deduplication: of a group of n, n - 1 rows are to go, whichever survives."""

    def judge(ledger: _Ledger, defect: str) -> Outcome:
        gone = ledger.at("deduplication", "dropped")
        present = ledger.actions.get("deduplication", {}).keys() & ledger.defects.keys()
        groups = _groups(ledger, present, {"exact_duplicate", "near_duplicate"})
        right, missed, in_groups = set(), set(), set()
        for members in groups.values():
            in_groups |= members
            marked = {row for row in members if defect in ledger.defects[row]}
            stays = members - gone
            # Whoever survives, one row may: an unmarked one first, so that its copies are missed.
            spare = sorted(stays, key=lambda row: (bool(ledger.defects[row]), row))[:1]
            right |= marked - stays | (marked & set(spare) if members & gone else set())
            missed |= (marked & stays) - set(spare)
        near = {row for row in gone if "near" in ledger.reasons["deduplication", row]}
        wrong = {row for row in gone - in_groups if (row in near) == (kind == "near")}
        return Outcome(right, wrong, missed)

    return judge


def _kept_apart(ledger: _Ledger, defect: str) -> Outcome:
    planted = ledger.reached("deduplication", defect)
    right = planted & ledger.at("deduplication", "kept", "changed")
    return Outcome(right, set(), planted - right)


def _contradictory(ledger: _Ledger, defect: str) -> Outcome:
    found = ledger.at("deduplication", "quarantined")
    present = ledger.actions.get("deduplication", {}).keys() & ledger.defects.keys()
    members = set().union(*_groups(ledger, present, {defect}).values())
    marked = {row for row in members if defect in ledger.defects[row]}
    return Outcome(found & members, found - members, marked - found)


_STEPS: tuple[tuple[str, str, Judge], ...] = (
    ("validation", "comma_break", _removed("validation", "quarantined")),
    ("review", "reviewer_reject", _removed("review", "dropped")),
    ("cleaning", "mojibake", _repaired),
    ("cleaning", "unicode", _repaired),
    ("cleaning", "unrepairable", _removed("cleaning", "quarantined")),
    ("cleaning", "currency", _survived),
    ("cleaning", "formula", _survived),
    ("fitb", "fitb", _opened),
    ("mcq", "mcq", _converted),
    ("soap", "off_topic", _removed("soap", "dropped")),
    ("deduplication", "exact_duplicate", _merged("exact")),
    ("deduplication", "near_duplicate", _merged("near")),
    ("deduplication", "decoy", _kept_apart),
    ("deduplication", "contradictory", _contradictory),
)


def _groups(ledger: _Ledger, rows: set[str], kinds: set[str]) -> dict[str, set[str]]:
    """Return by group the rows present, for groups of these kinds with at least two present."""
    groups: dict[str, set[str]] = {}
    for row in rows:
        if ledger.group[row]:
            groups.setdefault(ledger.group[row], set()).add(row)
    return {
        name: members
        for name, members in groups.items()
        if len(members) > 1 and any(ledger.defects[row] & kinds for row in members)
    }


def _holds_expected(ledger: _Ledger, row: str) -> bool:
    cells = ledger.texts["cleaned_qa"].get(row)
    expected = ledger.expected[row]
    if cells is None or not expected:
        return False
    return any(_squeeze(expected) == _squeeze(cell) for cell in cells)


def _altered(ledger: _Ledger, row: str) -> bool:
    before = ledger.texts["reviewed_qa"].get(row)
    after = ledger.texts["cleaned_qa"].get(row)
    if before is None or after is None:
        return True
    return [_squeeze(cell) for cell in before] != [_squeeze(cell) for cell in after]


def _squeeze(text: str) -> str:
    """Letters, digits and signs alone: how quotes and spaces are written is no damage."""
    return "".join(
        character
        for character in unicodedata.normalize("NFC", text)
        if unicodedata.category(character)[0] in "LNS" or character in "%/-*()"
    )


def _record(step: str, defect: str, outcome: Outcome) -> list[str]:
    right, wrong, missed = len(outcome.right), len(outcome.wrong), len(outcome.missed)
    precision = f"{right / (right + wrong):.4f}" if right + wrong else ""
    recall = f"{right / (right + missed):.4f}" if right + missed else ""
    counts = [str(count) for count in (right, wrong, missed, right + missed)]
    return [step, defect, precision, recall, *counts]
