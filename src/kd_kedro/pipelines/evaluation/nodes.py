"""Nodes of the evaluation pipeline: connect the models to the metrics."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kd_kedro.metrics.comparison.power import power_curves
from kd_kedro.metrics.comparison.verdict import judge
from kd_kedro.metrics.report.leakage import is_near, measure_overlap
from kd_kedro.metrics.report.slices import length_thirds, score_slices
from kd_kedro.metrics.report.topics import cluster_topics
from kd_kedro.metrics.scores.held_out import choose_held_out, first_families
from kd_kedro.pipelines.distillation.params import ExampleParams
from kd_kedro.pipelines.evaluation.answers import grade_all, perhaps_read, who_is_asked
from kd_kedro.pipelines.evaluation.certificate import certify_student
from kd_kedro.pipelines.evaluation.lm_eval_tasks import task_files
from kd_kedro.pipelines.evaluation.params import (
    AnsweringParams,
    CompressionParams,
    LeakageParams,
    SlicesParams,
    VerdictParams,
)
from kd_kedro.text.embedder import TokenEmbedder
from kd_kedro.training.examples import (
    asked_of,
    make_examples,
    questions_of,
    with_earlier_turns,
)
from kd_kedro.training.lengths import Facts, count_long_rows, counts_sentence, longest_row

logger = logging.getLogger(__name__)

_LIMIT = "evaluation.answering.max_new_tokens"


def choose_held_out_examples(
    augmented_qa: pd.DataFrame, answering: AnsweringParams, examples: ExampleParams
) -> pd.DataFrame:
    """Choose the held-out rows that are asked: whole families, first in the order of a hash."""
    rows = choose_held_out(augmented_qa, max_rows=answering.max_rows)
    return make_examples(rows, examples.fields)


def answer_held_out(
    held_out_examples: pd.DataFrame,
    augmented_qa: pd.DataFrame,
    teacher: Any,
    baseline_student: Any,
    student: Any,
    student_seeds: Mapping[str, Any],
    control_models: Mapping[str, Any],
    sentence_embedder: TokenEmbedder,
    answering: AnsweringParams,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Let every model of every seed, and the controls, answer and score the held-out rows.

    Returns:
        `validation_results`, and the facts around it: how many rows were held out and used, which
        reference answers are longer than those of a model can be, the ids that the student reads
        before a prompt, and each model's card.
    """
    from kd_kedro.models.marks import marks

    rows = _asked(held_out_examples)
    train = augmented_qa[(augmented_qa["split"] == "train") & (augmented_qa["style"] == "original")]
    asked = who_is_asked(teacher, baseline_student, student, student_seeds, control_models)
    cut = _cut_references(rows, (teacher, student), answering.max_new_tokens)
    results = grade_all(rows, train, asked, sentence_embedder, answering)
    facts = {
        "held_out": _held_out_counts(augmented_qa, rows),
        "max_new_tokens": answering.max_new_tokens,
        "cut_references": cut,
        "begin": list(marks(student.tokenizer)[0]),
        "models": {each.model: _card(each.language_model) for each in asked[:3]},
        "perhaps_read": perhaps_read(teacher, rows),
    }
    return results, facts


def measure_power(validation_results: pd.DataFrame, verdict: VerdictParams) -> dict[str, Any]:
    """Tell how large a gain this run's procedure could have shown."""
    return power_curves(
        validation_results,
        primary=verdict.primary,
        confidence=verdict.confidence,
        draws=verdict.draws,
        min_families=verdict.min_families,
        seed=verdict.seed,
    )


def compare_with_train(
    held_out_examples: pd.DataFrame,
    augmented_qa: pd.DataFrame,
    sentence_embedder: TokenEmbedder,
    leakage: LeakageParams,
) -> pd.DataFrame:
    """Find for every held-out row the nearest row that was trained on, or turn of one.

    A conversation was read whole: what it asks and answers at each of its turns counts.
    """
    rows = _asked(held_out_examples)
    train = augmented_qa[augmented_qa["split"] == "train"]
    train = _asked(with_earlier_turns(make_examples(train)))
    vectors = [sentence_embedder.encode(list(part["question"])) for part in (rows, train)]
    return measure_overlap(rows, train, *vectors, n=leakage.ngram)


def judge_student(validation_results: pd.DataFrame, verdict: VerdictParams) -> dict[str, Any]:
    """Compare the distilled student with its baseline and its teacher."""
    return judge(
        validation_results,
        primary=verdict.primary,
        confidence=verdict.confidence,
        draws=verdict.draws,
        min_families=verdict.min_families,
        margin=verdict.margin,
        seed=verdict.seed,
    )


def write_lm_eval_tasks(
    held_out_examples: pd.DataFrame,
    student: Any,
    run_identity: Mapping[str, str],
    answering: AnsweringParams,
) -> dict[str, bytes]:
    """Write the held-out rows as tasks of lm-evaluation-harness, the field's own judge."""
    from kd_kedro.models.encoding import encode_prompts, prompt_texts
    from kd_kedro.models.marks import marks
    from kd_kedro.models.prompt_format import begins_itself

    rows = _asked(held_out_examples)
    tokenizer, apart = student.tokenizer, student.model.config.is_encoder_decoder
    begin, end = marks(tokenizer)
    ours = encode_prompts(tokenizer, asked_of(held_out_examples))
    # lm_eval puts all of a tokenizer's marks around a prompt, or none.
    itself = begins_itself(tokenizer)
    bare = (bool(end) or itself) and not apart
    lead = "".join(tokenizer.convert_ids_to_tokens(list(begin))) if bare and not itself else ""
    prompts = [f"{lead}{text}" for text in prompt_texts(tokenizer, asked_of(held_out_examples))]
    read = tokenizer(prompts, add_special_tokens=not bare)["input_ids"] if prompts else []
    left = student.max_length - answering.max_new_tokens
    differs = [
        len(ids) > left or theirs != [*ids, *(end if apart else ())]
        for ids, theirs in zip(ours, read, strict=True)
    ]
    files = task_files(
        rows.assign(prompt=prompts, differs=differs),
        max_new_tokens=answering.max_new_tokens,
        bare=bare,
        env_option=run_identity["env_option"],
    )
    return {name: text.encode("utf-8") for name, text in files.items()}


def measure_compression(
    held_out_examples: pd.DataFrame, teacher: Any, student: Any, compression: CompressionParams
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Weigh and time teacher, student and the student's variants, an adapter merged as it is used.

    A teacher that is an ensemble costs what all of its models cost together.

    Returns:
        The certificate, and the files of the student's variants.
    """
    rows = _asked(held_out_examples)
    timed = asked_of(first_families(rows, max_rows=compression.prompts))
    scored = first_families(rows, max_rows=compression.scored_rows)
    return certify_student(timed, scored, teacher, student, compression)


def slice_results(
    validation_results: pd.DataFrame,
    held_out_examples: pd.DataFrame,
    converted_mcq: pd.DataFrame,
    final_qa_truth: pd.DataFrame,
    train_overlap: pd.DataFrame,
    sentence_embedder: TokenEmbedder,
    slices: SlicesParams,
    leakage: LeakageParams,
) -> pd.DataFrame:
    """Score the models on parts of the held-out rows: source, format, length, topic and others."""
    rows = validation_results.drop_duplicates("row_id")
    questions = list(rows["question"])
    vectors = sentence_embedder.encode(questions)
    topics = cluster_topics(questions, vectors, clusters=slices.topics, seed=slices.seed)
    near = is_near(train_overlap, ngram_share=leakage.ngram_share, cosine=leakage.cosine)
    graded = zip(rows["row_id"], rows["gradable"] == "yes", strict=True)
    labels = {
        "format": _by_row(converted_mcq, "format"),
        "answer": {row: "gradable" if can_be else "free" for row, can_be in graded},
        "length of the reference": length_thirds(validation_results),
        "topic": dict(zip(rows["row_id"], topics, strict=True)),
        "nearness to train": {row: "near" if is_so else "far" for row, is_so in near.items()},
        "source": _by_row(held_out_examples, "source"),
    }
    if len(final_qa_truth):
        labels["fabricated topic"] = _by_row(final_qa_truth, "topic")
        labels["template"] = _by_row(final_qa_truth, "template")
    return score_slices(validation_results, labels)


def _asked(held_out_examples: pd.DataFrame) -> pd.DataFrame:
    return held_out_examples.assign(question=questions_of(held_out_examples))


def _cut_references(rows: pd.DataFrame, models: Sequence[Any], limit: int) -> Facts:
    """Count the reference answers that no model could write whole, and tell of them."""
    from kd_kedro.models.encoding import answer_lengths

    # The end token need not be written: an answer of just so many tokens is whole without it.
    lengths = [answer_lengths(each.tokenizer, list(rows["answer"])) for each in models]
    longest = [max(sizes) - 1 for sizes in zip(*lengths, strict=True)]
    facts = count_long_rows({"held-out": dict(zip(rows["row_id"], longest, strict=True))}, limit)
    if facts["rows"]:
        needed = longest_row(facts)
        beside = (
            "and a distillation.examples.max_length with room for them"
            if needed >= min(each.max_length for each in models)
            else "(the evaluation alone has to run again)"
        )
        logger.warning(
            f"{counts_sentence(facts, 'reference answers')} are longer than {_LIMIT}={limit} "
            f"tokens, after which models are stopped: --params {_LIMIT}={needed} {beside} lets "
            "them be written whole"
        )
    return facts


def _by_row(table: pd.DataFrame, column: str) -> dict[str, str]:
    return dict(zip(table["row_id"], table[column], strict=True))


def _card(model: Any) -> dict[str, Any]:
    """Return a model's card; of an ensemble also where the weights of its others come from."""
    others = {name: each.card["origin"] for name, each in model.ensemble.items()}
    card = {key: value for key, value in model.card.items() if key != "held_out"}
    return {**card, **({"ensemble": others} if others else {})}


def _held_out_counts(augmented_qa: pd.DataFrame, used: pd.DataFrame) -> dict[str, int]:
    held_out = augmented_qa[augmented_qa["split"] == "test"]
    return {
        "held_out_rows": len(held_out),
        "held_out_families": int(held_out["family_id"].nunique()),
        "rows_used": len(used),
        "families_used": int(used["family_id"].nunique()),
    }
