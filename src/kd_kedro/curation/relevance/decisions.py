"""Whether a row is off topic in the end: by a person's word, a rule, a check, or its score."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.curation.records.reviewer import ACCEPTED, REJECTED
from kd_kedro.text.normalise import squeeze

_EXAMPLES = 6
Scored = Mapping[Hashable, Any]


@dataclass(frozen=True)
class Opinion:
    """What a check says of a row.

    Attributes:
        belongs: Whether the row belongs to the domain; None where the check cannot say.
        evidence: Facts for the row's event.
    """

    belongs: bool | None
    evidence: Mapping[str, Any]


# Takes (question, answer) of n rows and example questions that belong; returns n opinions.
Check = Callable[[Sequence[tuple[str, str]], str], Sequence[Opinion]]


@dataclass(frozen=True)
class Decision:
    """Whether a row is out, by whom, and the facts for its event.

    Attributes:
        outlying: Whether the row is off topic.
        by: `person`, `rule`, `language model` or `model`.
        evidence: Mode, score and threshold of the model, and who decided.
        disputed: Whether a person accepted or mended what the model finds off topic.
    """

    outlying: bool
    by: str
    evidence: Mapping[str, Any]
    disputed: bool

    @property
    def name(self) -> str:
        """Who decided; of the model, its mode, or that it learned from verdicts on other rows."""
        if self.by != "model":
            return self.by
        mode = str(self.evidence["mode"])
        return "learned from the reviewers' verdicts" if mode == "reviewer" else mode


def decide_rows(
    rows: pd.DataFrame,
    scores: pd.DataFrame,
    check: Check,
    *,
    verdict_wins: bool,
    budget: int,
) -> dict[str, Decision]:
    """Decide about each row that is still in the data.

    Rule and check decide where the model abstains too: a row whose very question a person rejected
    goes, and so does one that the check finds off topic.

    Args:
        rows: Text columns `row_id, question, answer, mended`. Their texts are the ones to show to
            a check: personal data may be masked in them.
        scores: Text columns `scores.SCORES`, of these rows and of others.
        check: Is asked about uncertain rows that no rule decides, the most uncertain first.
        verdict_wins: Whether a row that a person accepted or mended stays in any case.
        budget: Rows to ask about at most.

    Returns:
        The decision by row_id, in the order of `rows`.
    """
    scored: dict[str, Scored] = {row["row_id"]: row for row in scores.to_dict("records")}
    present = {row["row_id"]: row for row in rows.to_dict("records")}
    uncertain = sorted(
        (row for row in present if scored[row]["uncertain"]),
        key=lambda row: int(scored[row]["uncertain"]),
    )
    ruled = {row for row in uncertain if scored[row]["same_question"]}
    asked = [row for row in uncertain if row not in ruled][:budget]
    opinions: dict[str, Opinion] = {}
    if asked:
        texts = [(present[row]["question"], present[row]["answer"]) for row in asked]
        examples = _examples(rows, scored)
        opinions = dict(zip(asked, check(texts, examples), strict=True))
    return {
        row: _decide(
            scored[row],
            judged=scored[row]["label"] != "" or cells["mended"] == "yes",
            verdict_wins=verdict_wins,
            ruled=row in ruled,
            opinion=opinions.get(row),
        )
        for row, cells in present.items()
    }


def _decide(
    scored: Scored, *, judged: bool, verdict_wins: bool, ruled: bool, opinion: Opinion | None
) -> Decision:
    score, threshold = float(scored["score"]), float(scored["threshold"])
    model = outlying = score > threshold
    by, evidence = "model", {}
    if judged and verdict_wins:
        outlying, by = False, "person"
    elif ruled:
        outlying, by = scored["same_question"] == REJECTED, "rule"
        evidence = {"rule": "a person judged the same question"}
    elif opinion:
        evidence = dict(opinion.evidence)
        if opinion.belongs is not None:
            outlying, by = not opinion.belongs, "language model"
    facts = {
        "mode": scored["mode"],
        "order": scored["order"] == "yes",
        "score": round(score, 4),
        "threshold": round(threshold, 4),
        "decided_by": by,
    }
    return Decision(outlying, by, {**facts, **evidence}, judged and model)


def _examples(rows: pd.DataFrame, scored: Mapping[str, Scored]) -> str:
    """Return questions that belong: accepted ones if there are any, of those nearest the domain."""
    accepted = rows[[scored[row]["label"] == ACCEPTED for row in rows["row_id"]]]
    sure = rows if accepted.empty else accepted
    far = np.array([float(scored[row]["score"]) for row in sure["row_id"]])
    nearest = sure["question"].iloc[np.argsort(far, kind="stable")]
    # Evenly from the nearer half, so that they are not all alike.
    places = np.linspace(0, len(nearest) // 2, _EXAMPLES).astype(int)
    return " | ".join(dict.fromkeys(map(squeeze, nearest.iloc[places])))
