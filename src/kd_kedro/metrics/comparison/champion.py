"""May a newcomer take the champion's place? Two models on rows held out for both.

The very weights are judged, not the method that made them: there are no seeds to average over, and
the intervals cover the luck of the held-out families alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kd_kedro.metrics.comparison.decide import decide_by_holm
from kd_kedro.metrics.comparison.paired_scores import pair, why_silent
from kd_kedro.metrics.comparison.teacher_gap import non_inferiority
from kd_kedro.metrics.scores.exact_match import canonical
from kd_kedro.metrics.scores.formatting import title
from kd_kedro.metrics.scores.metric_table import METRICS
from kd_kedro.text.transcript import earlier_questions

BETTER, FIRST = "better", "first champion"
LAST_BETTER = "the last champion that was better"


@dataclass(frozen=True)
class Decision:
    """Whether the alias moves, in a word and in a sentence."""

    moves: bool
    conclusion: str
    reason: str

    @property
    def anchors(self) -> bool:
        """Whether those to come are held to this newcomer: it is shown to be a gain."""
        return self.moves and self.conclusion in (BETTER, FIRST)


def shared_held_out(newcomer: pd.DataFrame, champion: pd.DataFrame) -> pd.DataFrame:
    """Return the newcomer's test rows that were held out for both, same question and answer.

    A row is left out where its family, in either run, has a name or a question that the other
    split off for training or validation: a sibling seen in training would be an advantage. So would
    a conversation that asks the question earlier, or a row that asks what the conversation does.

    Args:
        newcomer: `augmented_qa` of the newcomer's run.
        champion: That of the champion's.
    """
    runs = (newcomer, champion)
    learnt = [run[run["split"] != "test"] for run in runs]
    asked = {text for rows in learnt for text in rows["question"]}
    whole = {canonical(text) for text in asked}
    seen = whole.union(*map(_earlier, asked))
    named = {name for rows in learnt for name in rows["family_id"]}
    clean = []
    for run in runs:
        tainted = (
            run["question"].map(canonical).isin(seen)
            | run["question"].map(lambda text: not whole.isdisjoint(_earlier(text))).astype(bool)
            | run["family_id"].isin(named)
        )
        families = set(run.loc[tainted, "family_id"])
        original = (run["split"] == "test") & (run["style"] == "original")
        clean.append(run[original & ~run["family_id"].isin(families)])
    ours, theirs = clean
    pairs = set(zip(theirs["question"], theirs["answer"], strict=True))
    both = [pair in pairs for pair in zip(ours["question"], ours["answer"], strict=True)]
    return ours[both].reset_index(drop=True)


def _earlier(question: str) -> set[str]:
    """Return what a conversation asks before its last question; nothing of any other question."""
    return {canonical(text) for text in earlier_questions(question)}


def compare_weights(
    newcomer: pd.DataFrame,
    champion: pd.DataFrame,
    *,
    primary: Sequence[str],
    confidence: float,
    draws: int,
    min_families: int,
    margin: float,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Compare two models' answers by a paired bootstrap over families, Holm over the metrics.

    Args:
        newcomer: Its part of `validation_results`.
        champion: The champion's, of the same rows.
        primary: Names of the metrics that decide; those that are measured from a teacher are left
            out, since the two may have had different ones, those per token where the two cut the
            answers into other tokens, and those that can say nothing on the rows (`why_silent`).
        confidence: Confidence of all intervals of differences together, 0.95 for 95 %.
        draws: Bootstrap draws.
        min_families: A metric that fewer families have something to count in is left out.
        margin: Share of the champion's score that a non-inferior newcomer may lose.
        seed: Seed of the draws.

    Returns:
        By metric: `newcomer` and `champion` as people read them, `difference` (newcomer -
        champion, of logarithms for perplexity) with `low` and `high`, `p_holm`, `conclusion`
        (better, worse, not shown) and `non_inferior` (one-sided, at the same confidence).

    Raises:
        ValueError: The models answered different rows.
    """
    sides = [rows.sort_values("row_id", ignore_index=True) for rows in (champion, newcomer)]
    if not sides[0]["row_id"].equals(sides[1]["row_id"]):
        raise ValueError("newcomer and champion answered different rows")
    # The newcomer stands to the champion as a student to its teacher.
    runs = dict(zip((("teacher", ""), ("student", "")), sides, strict=True))
    measured = {
        metric: scores
        for metric in METRICS
        if metric.name in primary and metric.against_teacher
        for scores in [pair(metric, runs, draws=draws, seed=seed)]
        if not why_silent(metric, scores, sides[0], ("teacher", "student"), min_families)
        if not metric.per_token or scores.same_tokens("teacher", "student")
    }
    level = 1 - confidence
    decisions = decide_by_holm(
        measured, {"student": 1.0, "teacher": -1.0}, primary=primary, level=level
    )
    compared = {}
    for metric, scores in measured.items():
        decision = decisions[metric.name].entry()
        kept = non_inferiority(metric, scores, margin=margin, level=level, refusal="")
        compared[metric.name] = {
            "newcomer": metric.shown(scores.estimate({"student": 1.0}).value),
            "champion": metric.shown(scores.estimate({"teacher": 1.0}).value),
            **{key: decision[key] for key in ("difference", "p_holm", "conclusion")},
            # Not applicable: the champion has nothing to lose, its score is zero.
            "non_inferior": kept["conclusion"] in ("non-inferior", "not applicable"),
        }
    return compared


def decide_first(overall: str, reason: str = "") -> Decision:
    """Return whether a newcomer becomes the first champion: only a shown gain will do.

    Args:
        overall: The verdict on it against its baseline.
        reason: Why, as the verdict says it.
    """
    if overall == "better":
        return Decision(True, FIRST, "there was none, and it is better than its baseline")
    why = f" ({reason.rstrip('.')})" if reason else ""
    return Decision(
        False, overall, f"the first champion must be better than its baseline: {overall}{why}"
    )


def hold_to_anchor(decision: Decision, beside_anchor: Decision, anchor: str) -> Decision:
    """Return a decision for a newcomer that would take the place, held to the anchor as well.

    The anchor is the last champion that was better. Each that came after it by being non-inferior
    may have lost up to the margin, and the next one to that one: a chain of them is held together
    by what it began with.

    Args:
        decision: That beside the champion, for the newcomer.
        beside_anchor: That beside the anchor, without savings.
        anchor: What the anchor is called.
    """
    beside = f"next to {anchor}, {LAST_BETTER}, {beside_anchor.reason}"
    if beside_anchor.conclusion == BETTER:
        return Decision(True, BETTER, f"{decision.reason}; {beside}")
    if beside_anchor.conclusion != "non-inferior":
        return Decision(False, beside_anchor.conclusion, f"{decision.reason}, but {beside}")
    kept = f"and it is as good within the margin as {anchor}, {LAST_BETTER}"
    conclusion = decision.conclusion
    if conclusion == BETTER:  # than a champion that had lost part of the margin
        conclusion = "non-inferior and better than the champion"
    return Decision(True, conclusion, f"{decision.reason}, {kept}")


def decide(
    metrics: Mapping[str, Mapping[str, Any]],
    savings: Mapping[str, float],
    *,
    families: int,
    min_families: int,
    saving: float,
) -> Decision:
    """Return whether a newcomer takes the champion's place.

    Args:
        metrics: The metrics that `compare_weights` takes.
        savings: Ratios champion / newcomer of size and time, by what was measured.
        families: Held-out families that both were judged on.
        min_families: Fewer decide nothing.
        saving: 0.1: what is smaller or faster is so by at least 10 %.
    """
    if families < min_families or not metrics:
        few = f"only {families} families were held out for both; {min_families} are needed"
        none = "no primary metric can be compared on the rows held out for both"
        return Decision(False, "not applicable", few if families < min_families else none)
    by = {
        conclusion: [
            title(name) for name, each in metrics.items() if each["conclusion"] == conclusion
        ]
        for conclusion in ("better", "worse")
    }
    inferior = [title(name) for name, each in metrics.items() if not each["non_inferior"]]
    gains = [
        f"{ratio:.2f} times less {name}" for name, ratio in savings.items() if ratio >= 1 + saving
    ]
    if by["better"] and not by["worse"]:
        reason = f"it is better in {', '.join(by['better'])} and worse in none"
        return Decision(True, BETTER, reason)
    if inferior:
        conclusion = "mixed" if by["better"] else "worse" if by["worse"] else "not shown"
        shown = f"it is worse in {', '.join(by['worse'])}" if by["worse"] else "no gain is shown"
        reason = f"{shown}, and it is not shown to be within the margin in {', '.join(inferior)}"
        return Decision(False, conclusion, reason)
    if gains:
        reason = f"it is as good within the margin and takes {gains[0]}"
        return Decision(True, "non-inferior and cheaper", reason)
    reason = f"it is as good within the margin, but not {100 * saving:g} % smaller or faster"
    return Decision(False, "non-inferior", reason)
