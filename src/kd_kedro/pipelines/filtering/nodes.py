"""Nodes of the filtering pipeline: what does not belong, is there twice, or contradicts."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.curation.duplicates.conflicts import Duplicates, Link, find_duplicates
from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig
from kd_kedro.curation.duplicates.near_questions import (
    Nearness,
    asking_the_same,
    read_pairs,
    search_questions,
    write_pairs,
)
from kd_kedro.curation.records.lineage import record_stage
from kd_kedro.curation.records.schema import CONFLICTS, DISCARDED, DUPLICATES, SHARED, STAGE, table
from kd_kedro.curation.relevance.decisions import Opinion, decide_rows
from kd_kedro.curation.relevance.dropped_shares import LEAST_ROWS, describe_dropped_shares
from kd_kedro.curation.relevance.relevance_config import SoapConfig
from kd_kedro.curation.relevance.scores import score_rows
from kd_kedro.curation.rewriting.preservation import preservation_defect
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.metrics.scores.classification import labels_of
from kd_kedro.metrics.scores.exact_match import canonical
from kd_kedro.text.embedder import Embedder
from kd_kedro.text.normalise import normalise, squeeze
from kd_kedro.text.transcript import is_transcript

logger = logging.getLogger(__name__)
Tables2 = tuple[pd.DataFrame, pd.DataFrame]
Tables3 = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
Evidence = dict[str, dict[str, Any]]


def score_relevance(
    review_labels: pd.DataFrame, sentence_embedder: Embedder, params: SoapConfig
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score every row by how far it is from the domain, learning from the reviewers' labels.

    Returns:
        `relevance_scores`, `review_queue`, `abstention_facts`.
    """
    columns = [[squeeze(text) for text in review_labels[name]] for name in ("question", "answer")]
    pairs = np.stack([sentence_embedder.encode(texts) for texts in columns], axis=1)
    scores, queue, abstained = score_rows(review_labels, pairs, params)
    if abstained:
        logger.info("The relevance filter removes nothing by itself: %s.", abstained)
    return scores, queue, {"mode": scores["mode"].iloc[0], "abstained": abstained}


def remove_outliers(
    converted_mcq: pd.DataFrame,
    relevance_scores: pd.DataFrame,
    text_generator: TextGenerator,
    params: SoapConfig,
) -> Tables3:
    """Remove rows that do not belong to the domain; a row a person accepted or mended stays.

    Returns:
        `soap_qa`, `discarded_rows`, `soap_events`.

    Raises:
        ValueError: No row is left.
    """
    decisions = decide_rows(
        converted_mcq,
        relevance_scores,
        partial(_ask_relevance, text_generator),
        verdict_wins=params.verdict_wins,
        budget=params.check_budget,
    )
    dropped = {
        row: f"does not belong to the domain ({decision.name})"
        for row, decision in decisions.items()
        if decision.outlying
    }
    if len(dropped) == len(decisions):
        raise ValueError(
            f"filtering.soap ({relevance_scores['mode'].iloc[0]}) finds that none of the "
            f"{len(dropped)} rows belongs: choose another filtering.soap.mode or raise its "
            "threshold"
        )
    gone = converted_mcq["row_id"].isin(list(dropped))
    kept = converted_mcq[~gone].reset_index(drop=True)
    evidence = {row: decision.evidence for row, decision in decisions.items()}
    discarded = extend(
        converted_mcq[gone],
        DISCARDED,
        lambda row: [*(str(evidence[row][name]) for name in ("score", "threshold")), dropped[row]],
    )
    disputed = [row for row in decisions.keys() - dropped.keys() if decisions[row].disputed]
    events = record_stage(
        "soap",
        converted_mcq,
        kept,
        dropped=dropped,
        reasons=dict.fromkeys(disputed, "a person accepted it, the model not"),
        evidence=evidence,
    )
    return kept, discarded, events


def describe_relevance(
    converted_mcq: pd.DataFrame,
    soap_qa: pd.DataFrame,
    relevance_scores: pd.DataFrame,
    abstention_facts: Mapping[str, str],
) -> dict[str, Any]:
    """Say what the relevance filter did, and warn of removals that no verdict explains.

    Returns:
        `relevance_facts`: `mode`, `abstained` (why no score removed a row, or '') and `warnings`.
    """
    answers = converted_mcq["answer"].tolist()
    known = labels_of(answers, converted_mcq["row_id"].tolist(), min_families=LEAST_ROWS)
    labels = [answer for answer in dict.fromkeys(answers) if canonical(answer) in known]
    warnings = describe_dropped_shares(converted_mcq, soap_qa, relevance_scores, labels)
    return {**abstention_facts, "warnings": warnings}


def _ask_relevance(
    generator: TextGenerator, texts: Sequence[tuple[str, str]], examples: str
) -> list[Opinion]:
    """Ask a text generator whether rows belong; only a plain yes or no is an opinion."""
    outcomes = generator.generate(
        [
            Request("relevance", question, {"answer": answer, "examples": examples})
            for question, answer in texts
        ]
    )
    opinions = []
    for outcome in outcomes:
        sure = outcome.status == "ok" and outcome.text in ("yes", "no")
        said = outcome.text if sure else outcome.reason
        facts = {"asked": outcome.status, "said": said, **outcome.evidence}
        opinions.append(Opinion(outcome.text == "yes" if sure else None, facts))
    return opinions


def find_neighbours(
    soap_qa: pd.DataFrame,
    sentence_embedder: Embedder,
    params: DeduplicationConfig,
    split_threshold: float,
) -> pd.DataFrame:
    """Search once for rows with near questions: all that deduplication or the split ask for.

    Returns:
        `near_pairs`.
    """
    vectors = sentence_embedder.encode([squeeze(text) for text in soap_qa["question"]])
    pairs = search_questions(soap_qa, vectors, params.family_nearness(split_threshold))
    return write_pairs(pairs, soap_qa["row_id"].tolist())


def sort_out_duplicates(
    soap_qa: pd.DataFrame,
    near_pairs: pd.DataFrame,
    sentence_embedder: Embedder,
    params: DeduplicationConfig,
) -> Tables3:
    """Find rows to merge, rows that contradict each other, and answers that questions share.

    Returns:
        `exact_duplicate_qa_pairs`, `same_question_diff_answers`, `same_answer_diff_questions`.
    """
    nearness = Nearness(params.question_threshold, params.equal_answer_threshold)
    found = find_duplicates(
        soap_qa,
        asking_the_same(read_pairs(near_pairs, soap_qa, nearness), soap_qa),
        sentence_embedder.encode([squeeze(text) for text in soap_qa["question"]]),
        sentence_embedder.encode([squeeze(text) for text in soap_qa["answer"]]),
        params,
        mended=set(soap_qa.loc[soap_qa["mended"] == "yes", "row_id"]),
        reviewed=set(soap_qa.loc[soap_qa["verdict"].str.strip() != "", "row_id"]),
    )
    return (
        _list_merged(soap_qa, found),
        _list_conflicts(soap_qa, found),
        _list_shared(soap_qa, found),
    )


def keep_survivors(
    soap_qa: pd.DataFrame,
    exact_duplicate_qa_pairs: pd.DataFrame,
    same_question_diff_answers: pd.DataFrame,
    same_answer_diff_questions: pd.DataFrame,
    text_generator: TextGenerator,
    params: DeduplicationConfig,
) -> Tables2:
    """Keep one row of each family; ask the questions of rows that share an answer differently.

    The first row of a group that shares an answer stays as it is, so that rows which come later
    change nothing for those that were there; a conversation stays what was said.

    Returns:
        `deduplication_rephrasing`, `deduplication_events`.
    """
    merged, conflicts = exact_duplicate_qa_pairs, same_question_diff_answers
    gone = set(merged["row_id"]) | set(conflicts["row_id"])
    kept = soap_qa[~soap_qa["row_id"].isin(gone)].reset_index(drop=True)
    rephrased: Mapping[str, str] = {}
    asked: Evidence = {}
    if params.rephrase:
        later = same_answer_diff_questions[same_answer_diff_questions["group_id"].duplicated()]
        # "An asset" answers many questions by rights; a sentence shared by two tells a copy.
        telling = later["answer"].map(lambda text: len(text.split())) >= params.rephrase_min_words
        alone = ~later["question"].map(is_transcript).astype(bool)
        rephrased, asked = _rephrase(
            later[telling & alone], set(kept["question"]), text_generator, params.seed
        )
    kept["question"] = [
        rephrased.get(row, question)
        for row, question in zip(kept["row_id"], kept["question"], strict=True)
    ]
    evidence: Evidence = {
        **_evidence(merged, "survivor_id"),
        **_evidence(conflicts, "group_id"),
    }
    for row, facts in asked.items():
        evidence[row] = {**evidence.get(row, {}), **facts}
    events = record_stage(
        "deduplication",
        soap_qa,
        kept,
        dropped=dict(zip(merged["row_id"], merged["reason"], strict=True)),
        quarantined=dict(zip(conflicts["row_id"], conflicts["reason"], strict=True)),
        reasons=dict.fromkeys(rephrased, "rephrased: its answer stands at another question"),
        evidence=evidence,
    )
    return kept, events


def extend(
    rows: pd.DataFrame, columns: Sequence[str], more: Callable[[str], list[str]]
) -> pd.DataFrame:
    """Return rows with further cells behind their own, made from their row_id."""
    return table(columns, [[*row, *more(row[0])] for row in rows[STAGE].to_numpy().tolist()])


def _list_merged(rows: pd.DataFrame, found: Duplicates) -> pd.DataFrame:
    ids = rows["row_id"].tolist()
    cells = {
        ids[row]: [ids[keeper], found.reason[row], *_link_cells(found.link[row], ids)]
        for row, keeper in found.survivor.items()
    }
    return extend(rows[rows["row_id"].isin(list(cells))], DUPLICATES, cells.__getitem__)


def _list_conflicts(rows: pd.DataFrame, found: Duplicates) -> pd.DataFrame:
    ids = rows["row_id"].tolist()
    cells = {
        ids[row]: [str(group), found.reason[row], *_link_cells(found.link[row], ids)]
        for row, group in found.conflict.items()
    }
    return extend(rows[rows["row_id"].isin(list(cells))], CONFLICTS, cells.__getitem__)


def _link_cells(link: Link, ids: Sequence[str]) -> list[str]:
    threshold = "" if link.threshold is None else f"{link.threshold:g}"
    return [ids[link.neighbour], f"{link.similarity:.4f}", threshold]


def _evidence(rows: pd.DataFrame, group: str) -> Evidence:
    """Return what a row was compared with, and how near that is; similarities as numbers."""
    return {
        row["row_id"]: {
            group: str(row[group]),
            "neighbour_id": row["neighbour_id"],
            "similarity": float(row["similarity"]),
            **({"threshold": float(row["threshold"])} if _given(row["threshold"]) else {}),
        }
        for row in rows.to_dict("records")
    }


def _given(cell: Any) -> bool:
    """Say whether a cell of numbers holds one: it is '' as written and NaN as read."""
    return cell != "" and not pd.isna(cell)


def _list_shared(rows: pd.DataFrame, found: Duplicates) -> pd.DataFrame:
    ids = rows["row_id"].tolist()
    cells = {ids[row]: [str(group)] for row, group in found.shared_answer.items()}
    return extend(rows[rows["row_id"].isin(list(cells))], SHARED, cells.__getitem__)


def _rephrase(
    rows: pd.DataFrame, questions: set[str], generator: TextGenerator, seed: int
) -> tuple[Mapping[str, str], Evidence]:
    """Return the new question by row_id, where one is fit to stand in the data, and the evidence.

    The evidence says who was asked, and why a question was not taken over.
    """
    requests = [
        Request("rephrase", question, {"answer": answer}, seed)
        for question, answer in zip(rows["question"], rows["answer"], strict=True)
    ]
    known = {normalise(question) for question in questions}
    accepted: dict[str, str] = {}
    asked: Evidence = {}
    for row, request, outcome in zip(
        rows["row_id"], requests, generator.generate(requests), strict=True
    ):
        key = normalise(outcome.text)
        defect = "" if outcome.status == "ok" else f"{outcome.status}: {outcome.reason}"
        defect = defect or preservation_defect(request.text, outcome.text)
        defect = defect or ("another row asks the same" if key in known else "")
        asked[row] = dict(outcome.evidence)
        if defect:
            asked[row]["not_rephrased"] = defect
            continue
        known.add(key)
        accepted[row] = outcome.text
    return accepted, asked
