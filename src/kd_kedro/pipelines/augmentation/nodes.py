"""Nodes of the augmentation pipeline: split families, add rewrites, account for every row."""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kd_kedro.curation.duplicates import families
from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig
from kd_kedro.curation.duplicates.near_questions import find_near_survivors
from kd_kedro.curation.records import lineage
from kd_kedro.curation.records.row_texts import collect_texts
from kd_kedro.curation.records.schema import join_further
from kd_kedro.curation.rewriting.rewrites import (
    Candidate,
    add_rewrites,
    rewrite_id,
    trainable,
)
from kd_kedro.curation.rewriting.rewriting_config import RewritingConfig
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.pipelines.augmentation.params import SplitParams
from kd_kedro.storage.fingerprints import first_by_hash
from kd_kedro.text.embedder import Embedder
from kd_kedro.text.language import language

logger = logging.getLogger(__name__)


def split_rows(
    deduplication_rephrasing: pd.DataFrame,
    soap_qa: pd.DataFrame,
    near_pairs: pd.DataFrame,
    screened_qa: pd.DataFrame,
    sentence_embedder: Embedder,
    params: SplitParams,
    deduplication: DeduplicationConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Deal the families of the rows to train, validation and test.

    A family is never narrower than what deduplication would merge, and holds what a conversation
    asks at any turn. Further columns of the sheet come back to their rows here: the stages in
    between do not read them. Rows keep their line for the messages of training.

    Returns:
        `split_qa`, `split_events`.
    """
    near = find_near_survivors(
        deduplication_rephrasing,
        soap_qa,
        near_pairs,
        sentence_embedder.encode(list(deduplication_rephrasing["question"])),
        deduplication.family_nearness(params.threshold),
    )
    shares = {"train": params.train, "validation": params.validation, "test": params.test}
    before = dict(zip(screened_qa["row_id"], screened_qa["question"], strict=True))
    asked_first = [before[row] for row in deduplication_rephrasing["row_id"]]
    dealt = families.split_rows(deduplication_rephrasing, near, shares, asked_first)
    dealt["line"] = deduplication_rephrasing["line"].to_numpy()
    split = join_further(dealt, screened_qa)
    reasons = dict(zip(split["row_id"], split["split"], strict=True))
    evidence = {
        row: {"family_id": family}
        for row, family in zip(split["row_id"], split["family_id"], strict=True)
    }
    events = lineage.record_stage(
        "split", deduplication_rephrasing, split, reasons=reasons, evidence=evidence
    )
    return split, events


def augment_rows(
    split_qa: pd.DataFrame,
    text_generator: TextGenerator,
    sentence_embedder: Embedder,
    params: RewritingConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add formal, casual, general and misspelt rewrites of train rows; answers stay.

    Rows in other languages than English that no rewrite was made of are told of.

    Returns:
        `augmented_qa`, `augmentation_events`.
    """
    rows = trainable(split_qa).to_dict("records")
    every = [(row["row_id"], style, row) for row in rows for style in params.styles]
    names = [rewrite_id(row_id, style) for row_id, style, _ in every]
    # By the hash that training chooses rewrites by.
    wanted = [every[place] for place in sorted(first_by_hash(names, params.max_rewrites))]
    # One call, so that a model can put texts of like length together.
    outcomes = text_generator.generate(
        [
            Request(style, row["question"], {"answer": row["answer"]}, params.seed)
            for _, style, row in wanted
        ]
    )
    candidates = []
    made: dict[str, Mapping[str, Any]] = {}
    for (parent, style, _), outcome in zip(wanted, outcomes, strict=True):
        text = outcome.text if outcome.status == "ok" else ""
        reason = outcome.reason if text else f"{outcome.status}: {outcome.reason}"
        candidates.append(Candidate(parent, style, text, reason))
        made[rewrite_id(parent, style)] = outcome.evidence
    augmented = add_rewrites(split_qa, candidates, sentence_embedder.encode, params)
    rewritten = {row.rpartition("-")[0] for row in augmented.created}
    left = {
        str(row["row_id"]): foreign
        for row in {row["row_id"]: row for _, _, row in wanted}.values()
        if row["row_id"] not in rewritten
        and (foreign := language(row["question"], row["answer"])) not in ("", "English")
    }
    for foreign, count in Counter(left.values()).most_common():
        rows_were = "1 row in %s as it was" if count == 1 else f"{count} rows in %s as they were"
        logger.info(f"augmentation left {rows_were}", foreign)
    events = lineage.record_stage(
        "augmentation",
        split_qa,
        augmented.rows,
        created=augmented.created,
        reasons={row: f"left as it is: in {foreign}" for row, foreign in left.items()},
        evidence={
            row: {**made.get(row, {}), **augmented.evidence.get(row, {})}
            for row in {**augmented.created, **augmented.evidence}
        },
    )
    return augmented.rows, events


def make_waterfall(row_events: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
    """Count what every stage took in, made, let out and took away.

    Returns:
        `row_waterfall`, `waterfall_plot`.

    Raises:
        ValueError: A stage does not take in what the one before it let out.
    """
    waterfall = lineage.make_waterfall(row_events)
    return waterfall, _plot(waterfall)


def collect_row_texts(quarantined_rows: pd.DataFrame, **products: pd.DataFrame) -> pd.DataFrame:
    """Put what each stage made of the rows into one table: `row_texts`.

    Args:
        quarantined_rows: Rows set aside before they were in any product.
        products: The table each stage let out, by stage and in their order.
    """
    return collect_texts(products, quarantined_rows)


def _plot(waterfall: pd.DataFrame) -> Any:
    from plotly.graph_objects import Figure, Waterfall

    from kd_kedro.metrics.report.figure_layout import BAD, GOOD, IDLE, SIZE, lay_out

    labels, measures, values = ["raw"], ["absolute"], [int(waterfall["in"].iloc[0])]
    for stage in waterfall.to_dict("records"):
        for what, sign in (("dropped", -1), ("quarantined", -1), ("created", 1)):
            if count := int(stage[what]):
                labels.append(f"{stage['stage']}: {what}")
                measures.append("relative")
                values.append(sign * count)
    labels.append("training table")
    measures.append("total")
    values.append(0)
    left = int(waterfall["out"].iloc[-1])
    figure = Figure(
        Waterfall(
            y=labels,
            x=values,
            measure=measures,
            orientation="h",
            text=[
                f"{value:+,d}" if measure == "relative" else f"{value:,d}"
                for value, measure in zip([*values[:-1], left], measures, strict=True)
            ],
            textposition="outside",
            cliponaxis=False,
            textfont={"size": SIZE},
            increasing={"marker": {"color": GOOD}},
            decreasing={"marker": {"color": BAD}},
            totals={"marker": {"color": IDLE}},
        )
    )
    return lay_out(
        figure,
        x={"title": "rows", "range": [0, 1.25 * max(values[0], left)], "nticks": 4},
        y={"autorange": "reversed", "nticks": len(labels) + 1},
    )
