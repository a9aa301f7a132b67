"""The node that removes what does not belong, and says whom to ask about the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kd_kedro.curation.records.lineage import record_stage
from kd_kedro.curation.records.review_queue import (
    farthest_from_threshold,
    nearest_threshold,
    spread_out,
    verdict_by_question,
)
from kd_kedro.curation.records.schema import CELLS, STAGE, table
from kd_kedro.curation.relevance.soap import Judgement, judge_relevance
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.pipelines.filtering.nodes import Embedder, extend
from kd_kedro.pipelines.filtering.params import SoapParams
from kd_kedro.pipelines.preprocessing.params import ReviewParams
from kd_kedro.text.normalise import normalise, squeeze

DISCARDED = [*STAGE, "score", "threshold", "reason"]
QUEUE = ["row_id", "line", "source", *CELLS, "score", "threshold", "why"]

Tables4 = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]


def remove_outliers(
    converted_mcq: pd.DataFrame,
    validated_qa: pd.DataFrame,
    sentence_embedder: Embedder,
    text_generator: TextGenerator,
    params: SoapParams,
    review: ReviewParams,
) -> Tables4:
    """Remove rows that do not belong to the domain; a row a person accepted or mended stays.

    All rows are judged as they came, those that reviewers rejected among them: verdicts were given
    on that text, and neighbours in the sheet tell about each other.

    Returns:
        `soap_qa`, `discarded_rows`, `review_queue`, `soap_events`.

    Raises:
        ValueError: No row is left.
    """
    pairs = _embed_pairs(validated_qa, sentence_embedder)
    verdicts = _verdicts(validated_qa, review)
    judgement = judge_relevance(pairs, verdicts, params.settings())
    ids = validated_qa["row_id"]
    # A mended copy may have no verdict column: mending a row says that it belongs.
    mended = converted_mcq.loc[converted_mcq["mended"] == "yes", "row_id"]
    judged = (verdicts >= 0) | ids.isin(mended).to_numpy()
    uncertain = nearest_threshold(judgement.margins, ~judged, params.band)
    rows = converted_mcq.assign(place=pd.Index(ids).get_indexer(converted_mcq["row_id"]))
    checks = _check_uncertain(
        rows, validated_qa, verdicts, judgement, uncertain, text_generator, params.check_budget
    )
    decisions = {
        row: _decide(judgement, place, checks.get(row), bool(judged[place]) and params.verdict_wins)
        for row, place in zip(rows["row_id"], rows["place"], strict=True)
    }
    dropped = {
        row: f"does not belong to the domain ({decision.name})"
        for row, decision in decisions.items()
        if decision.outlying
    }
    if len(dropped) == len(decisions):
        raise ValueError(
            f"filtering.soap ({judgement.mode}) finds that none of the {len(dropped)} rows "
            "belongs: choose another filtering.soap.mode or raise its threshold"
        )
    gone = converted_mcq["row_id"].isin(list(dropped))
    kept = converted_mcq[~gone].reset_index(drop=True)
    discarded = extend(
        converted_mcq[gone],
        DISCARDED,
        lambda row: [
            *(str(decisions[row].evidence[name]) for name in ("score", "threshold")),
            dropped[row],
        ],
    )
    events = record_stage(
        "soap",
        converted_mcq,
        kept,
        dropped=dropped,
        reasons={
            row: "a person accepted it, the model not"
            for row, place in zip(rows["row_id"], rows["place"], strict=True)
            if row not in dropped and judged[place] and judgement.outlying[place]
        },
        evidence={row: decision.evidence for row, decision in decisions.items()},
    )
    queue = _list_queue(validated_qa, pairs, verdicts, judgement, uncertain)
    return kept, discarded, queue, events


@dataclass(frozen=True)
class Decision:
    """Whether a row is out, by whom, and the facts for its event."""

    outlying: bool
    by: str
    evidence: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Who decided; of the model, its mode."""
        return str(self.evidence["mode"]) if self.by == "model" else self.by


def _decide(judgement: Judgement, place: int, check: Decision | None, accepted: bool) -> Decision:
    model = bool(judgement.outlying[place])
    decision = check or Decision(model, "model", {})
    if accepted:
        decision = Decision(False, "person", {})
    facts = {
        "mode": judgement.mode,
        "order": judgement.ordered,
        "score": round(float(judgement.scores[place]), 4),
        "threshold": round(float(judgement.thresholds[place]), 4),
        "decided_by": decision.by,
    }
    return Decision(decision.outlying, decision.by, {**facts, **decision.evidence})


def _verdicts(validated_qa: pd.DataFrame, review: ReviewParams) -> npt.NDArray[np.int8]:
    """Return 1 where a person rejected a row, 0 where one accepted it, -1 elsewhere."""
    said = validated_qa["verdict"].str.strip().str.casefold()
    remark = validated_qa["correction"].str.strip().str.casefold()
    rejected = said.isin([verdict.strip().casefold() for verdict in review.reject_verdicts])
    rejected |= remark.isin([word.strip().casefold() for word in review.reject_corrections])
    return np.where(rejected, 1, np.where(said == "", -1, 0)).astype(np.int8)


def _check_uncertain(
    rows: pd.DataFrame,
    validated_qa: pd.DataFrame,
    verdicts: npt.NDArray[np.int8],
    judgement: Judgement,
    uncertain: npt.NDArray[np.int64],
    generator: TextGenerator,
    budget: int,
) -> dict[str, Decision]:
    """Return by row_id what rules, then the generator, say of uncertain rows.

    Args:
        rows: `converted_mcq` with `place`, the position in `validated_qa`. Its texts are the ones
            to show a generator: personal data may be masked in them.
        validated_qa: All rows, to find the same question with a verdict.
        verdicts: int8 (n,).
        judgement: Of all rows.
        uncertain: Their positions, the most uncertain first.
        generator: Is asked for `yes` or `no` to whether a row belongs.
        budget: Rows to ask about at most.
    """
    questions = [normalise(question) for question in validated_qa["question"]]
    said = verdict_by_question(questions, verdicts >= 0, verdicts == 1)
    present = rows.set_index("place")
    places = [place for place in uncertain.tolist() if place in present.index]
    rule = {"rule": "a person judged the same question"}
    checks = {
        str(present.at[place, "row_id"]): Decision(said[questions[place]], "rule", rule)
        for place in places
        if questions[place] in said
    }
    asked = present.loc[[place for place in places if questions[place] not in said][:budget]]
    if asked.empty:
        return checks
    examples = _examples(rows, verdicts, judgement)
    outcomes = generator.generate(
        [
            Request("relevance", question, {"answer": answer, "examples": examples})
            for question, answer in zip(asked["question"], asked["answer"], strict=True)
        ]
    )
    for place, row, outcome in zip(asked.index.tolist(), asked["row_id"], outcomes, strict=True):
        if outcome.status == "ok" and outcome.text in ("yes", "no"):
            by, outlying, said_so = "language model", outcome.text == "no", outcome.text
        else:
            by, outlying, said_so = "model", bool(judgement.outlying[place]), outcome.reason
        facts = {"asked": outcome.status, "said": said_so, **outcome.evidence}
        checks[row] = Decision(outlying, by, facts)
    return checks


def _examples(
    rows: pd.DataFrame, verdicts: npt.NDArray[np.int8], judgement: Judgement, count: int = 6
) -> str:
    """Return questions that belong: accepted ones if there are any, of those nearest the domain."""
    accepted = rows[verdicts[rows["place"]] == 0]
    sure = rows if accepted.empty else accepted
    nearest = sure.iloc[np.argsort(judgement.scores[sure["place"]], kind="stable")]
    # Evenly from the nearer half, so that they are not all alike.
    places = np.linspace(0, len(nearest) // 2, count).astype(int)
    return " | ".join(dict.fromkeys(map(squeeze, nearest["question"].iloc[places])))


def _list_queue(
    rows: pd.DataFrame,
    pairs: npt.NDArray[np.float32],
    verdicts: npt.NDArray[np.int8],
    judgement: Judgement,
    uncertain: npt.NDArray[np.int64],
) -> pd.DataFrame:
    """Return rows worth a reviewer's minute: disagreements by margin, then uncertain ones."""
    disagreeing = (verdicts >= 0) & ((verdicts == 1) != judgement.outlying)
    why = {1: "a person rejected it, the model not", 0: "a person accepted it, the model not"}
    order = np.concatenate(
        [
            spread_out(farthest_from_threshold(judgement.margins, disagreeing), pairs),
            spread_out(uncertain, pairs),
        ]
    )
    cells = rows[["row_id", "line", "source", *CELLS]].to_numpy().tolist()
    return table(
        QUEUE,
        [
            [
                *cells[row],
                f"{judgement.scores[row]:.4f}",
                f"{judgement.thresholds[row]:.4f}",
                why.get(int(verdicts[row]), "the model is not sure"),
            ]
            for row in order.tolist()
        ],
    )


def _embed_pairs(rows: pd.DataFrame, embedder: Embedder) -> npt.NDArray[np.float32]:
    """Return float32 (n, 2, d): question and answer of each row."""
    return np.stack(
        [
            embedder.encode([squeeze(text) for text in rows[column]])
            for column in ("question", "answer")
        ],
        axis=1,
    )
