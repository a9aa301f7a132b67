"""The node that removes what does not belong, and says whom to ask about the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kd_kedro.curation.lineage import record_stage
from kd_kedro.curation.relevance import Judgement, judge_relevance
from kd_kedro.curation.review_queue import (
    farthest_from_threshold,
    nearest_threshold,
    spread_out,
    verdict_by_question,
)
from kd_kedro.curation.rows import CELLS, STAGE, normalise, table
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.pipelines.filtering.nodes import Embedder, Evidence, extend, squeeze
from kd_kedro.pipelines.filtering.params import SoapParams
from kd_kedro.pipelines.preprocessing.params import ReviewParams

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
    # A mended copy may have no verdict column: mending a row says that it belongs.
    mended = converted_mcq.loc[converted_mcq["mended"] == "yes", "row_id"]
    judged = (verdicts >= 0) | validated_qa["row_id"].isin(mended).to_numpy()
    accepted = judged & params.verdict_wins
    present = validated_qa["row_id"].isin(converted_mcq["row_id"]).to_numpy()
    uncertain = nearest_threshold(judgement.margins, ~judged, params.band)
    checked = _check_uncertain(
        validated_qa,
        verdicts,
        judgement,
        uncertain[present[uncertain]],
        text_generator,
        params.check_budget,
    )
    outlying = judgement.outlying
    outlying[list(checked)] = [check.outlying for check in checked.values()]
    gone = outlying & ~accepted & present
    if gone.sum() == present.sum():
        raise ValueError(
            f"filtering.soap ({judgement.mode}) finds that none of the {gone.sum()} rows belongs: "
            "choose another filtering.soap.mode or raise its threshold"
        )
    ids = validated_qa["row_id"]
    evidence: Evidence = {}
    for index, row in enumerate(ids):
        check = checked.get(index)
        by = "person" if accepted[index] else check.by if check else "model"
        evidence[row] = {
            "mode": judgement.mode,
            "order": judgement.ordered,
            "score": round(float(judgement.scores[index]), 4),
            "threshold": round(float(judgement.thresholds[index]), 4),
            "decided_by": by,
            **(check.evidence if check else {}),
        }
    reasons = {
        row: f"does not belong to the domain ({_judge_name(evidence[row])})" for row in ids[gone]
    }
    left = converted_mcq["row_id"].isin(list(reasons))
    discarded = extend(
        converted_mcq[left],
        DISCARDED,
        lambda row: [str(evidence[row]["score"]), str(evidence[row]["threshold"]), reasons[row]],
    )
    kept = converted_mcq[~left].reset_index(drop=True)
    events = record_stage(
        "soap",
        converted_mcq,
        kept,
        dropped=reasons,
        reasons=dict.fromkeys(
            ids[judgement.outlying & accepted & present], "a person accepted it, the model not"
        ),
        evidence=evidence,
    )
    queue = _list_queue(validated_qa, pairs, verdicts, judgement, uncertain)
    return kept, discarded, queue, events


@dataclass(frozen=True)
class Check:
    """What a rule or a language model says of an uncertain row."""

    outlying: bool
    by: str
    evidence: Mapping[str, Any]


def _verdicts(validated_qa: pd.DataFrame, review: ReviewParams) -> npt.NDArray[np.int8]:
    """Return 1 where a person rejected a row, 0 where one accepted it, -1 elsewhere."""
    said = validated_qa["verdict"].str.strip().str.casefold()
    rejects = [verdict.strip().casefold() for verdict in review.reject_verdicts]
    return np.where(said == "", -1, said.isin(rejects)).astype(np.int8)


def _check_uncertain(
    rows: pd.DataFrame,
    verdicts: npt.NDArray[np.int8],
    judgement: Judgement,
    uncertain: npt.NDArray[np.int64],
    generator: TextGenerator,
    budget: int,
) -> dict[int, Check]:
    """Return what rules, then the generator, say of uncertain rows; those without a say are absent.

    Args:
        rows: `validated_qa`.
        verdicts: int8 (n,).
        judgement: Of all rows.
        uncertain: Their positions, the most uncertain first.
        generator: Is asked for `yes` or `no` to whether a row belongs.
        budget: Rows to ask about at most.
    """
    questions = [normalise(question) for question in rows["question"]]
    said = verdict_by_question(questions, verdicts >= 0, verdicts == 1)
    checked = {
        row: Check(said[questions[row]], "rule", {"rule": "a person judged the same question"})
        for row in uncertain.tolist()
        if questions[row] in said
    }
    asked = [row for row in uncertain.tolist() if row not in checked][:budget]
    if not asked:
        return checked
    context = {"examples": _examples(rows, verdicts, judgement)}
    outcomes = generator.generate(
        [
            Request("relevance", question, {"answer": answer, **context})
            for question, answer in rows.iloc[asked][["question", "answer"]].to_numpy().tolist()
        ]
    )
    for row, outcome in zip(asked, outcomes, strict=True):
        if outcome.status == "ok" and outcome.text in ("yes", "no"):
            checked[row] = Check(
                outcome.text == "no",
                "language model",
                {"said": outcome.text, **outcome.evidence},
            )
    return checked


def _examples(
    rows: pd.DataFrame, verdicts: npt.NDArray[np.int8], judgement: Judgement, count: int = 6
) -> str:
    """Return questions that belong: accepted ones if there are any, the nearest to the domain."""
    sure = np.flatnonzero(verdicts == 0) if (verdicts == 0).any() else np.arange(len(rows))
    nearest = sure[np.argsort(judgement.scores[sure], kind="stable")]
    # Evenly from the nearer half, so that they are not all alike.
    places = np.linspace(0, len(nearest) // 2, count).astype(int)
    return " | ".join(dict.fromkeys(squeeze(rows["question"].iloc[nearest[places]])))


def _judge_name(facts: Mapping[str, Any]) -> str:
    return str(facts["mode"] if facts["decided_by"] == "model" else facts["decided_by"])


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
        [embedder.encode(squeeze(rows["question"])), embedder.encode(squeeze(rows["answer"]))],
        axis=1,
    )
