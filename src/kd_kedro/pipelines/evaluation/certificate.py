"""Weighs and judges teacher, student and the student's variants, and has them timed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from kd_kedro.metrics.efficiency.compression import Entry, System, certify, cpu_threads
from kd_kedro.metrics.efficiency.memory import parameters, safetensors_bytes, weight_bytes
from kd_kedro.metrics.efficiency.parity import family_sums, perplexity
from kd_kedro.models.prompt_format import Asked
from kd_kedro.pipelines.evaluation.params import CompressionParams
from kd_kedro.pipelines.evaluation.variants import BATCH, make_variants
from kd_kedro.training.examples import asked_of

VARIANTS_FILE = "variants.json"
ONNX_FILE = "student.onnx"


def certify_student(
    timed: Sequence[Asked],
    scored: pd.DataFrame,
    teacher: Any,
    student: Any,
    params: CompressionParams,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the certificate, and the files of the student's variants.

    The files are `variants.json`, which tells of every variant what became of it and why, and
    `student.onnx`, the fastest ONNX form that was accepted, where one was.

    Args:
        timed: What is answered while the clock runs.
        scored: Held-out rows that variants are judged on: family_id, question, answer.
        teacher: A language model, which may be behind a server and is not measured then.
        student: A language model, with an adapter or without.
        params: Settings of the measurement and the variants to try.
    """
    from kd_kedro.inference.scoring import score_together
    from kd_kedro.models.adapters import merged

    here = [each for each in (teacher, student) if each.server is None]
    models = [replace(each, model=merged(each.model)) for each in here]
    student = models[-1]
    families = list(scored["family_id"])
    with cpu_threads(params.threads[0]):
        scores = score_together(models, asked_of(scored), list(scored["answer"]), batch_size=BATCH)
        values: list[float | None] = [perplexity(family_sums(each, families)) for each in scores]
        limit = min(each.max_length for each in models)
        if scores[-1][0]["agreeing_tokens"] is None:  # a token is another thing for each of them
            values[0], limit = None, student.max_length
        entries = [
            certificate_entry(each, timed, value)
            for each, value in zip(models, values, strict=True)
        ]
        large, small = entries[0] if len(entries) > 1 else None, entries[-1]
        variants, graphs = make_variants(student, small, scored, limit, params)
    certificate = certify(
        large,
        small,
        variants,
        new_tokens=params.new_tokens,
        max_seconds=params.max_seconds,
        batch_sizes=params.batch_sizes,
        threads=params.threads,
        max_spread=params.max_spread,
    )
    return certificate, _variant_files(certificate["variants"], graphs)


def _variant_files(
    variants: Mapping[str, Mapping[str, Any]], graphs: Mapping[str, bytes]
) -> dict[str, bytes]:
    # The graph in float32 is there without being asked for where the one in int8 is made of it.
    accepted = [
        name for name in variants if name in graphs and variants[name]["status"] == "accepted"
    ]
    fastest = min(accepted, key=lambda name: variants[name]["latency_p50_ms"], default="")
    outcomes = {
        name: {"status": each["status"], "reason": each["reason"]}
        for name, each in variants.items()
    }
    outline = {"variants": outcomes, "files": {ONNX_FILE: fastest} if fastest else {}}
    text = json.dumps(outline, indent=2, ensure_ascii=False) + "\n"
    files = {ONNX_FILE: graphs[fastest]} if fastest else {}
    return {VARIANTS_FILE: text.encode("utf-8"), **files}


def certificate_entry(
    language_model: Any, questions: Sequence[Asked], quality: float | None = None
) -> Entry:
    """Return a language model as it is certified; an ensemble is all of its models together.

    Args:
        language_model: Who answers.
        questions: What is answered while the clock runs.
        quality: Its perplexity on held-out rows, where it is known.
    """
    from kd_kedro.inference.incremental import mixed_steps, model_steps
    from kd_kedro.models.causal_lm import positions
    from kd_kedro.models.encoding import encode_prompts

    model, tokenizer = language_model.model, language_model.tokenizer
    models = [member.model for member, _ in language_model.members]
    steps = model_steps(model, last_only=True)
    if len(models) > 1:
        weighted = [
            (model_steps(member.model, last_only=True), share)
            for member, share in language_model.members
        ]
        steps = mixed_steps(weighted, len(tokenizer))
    return Entry(
        System(lambda _: steps, encode_prompts(tokenizer, questions), min(map(positions, models))),
        {
            "parameters": sum(map(parameters, models)),
            "bytes": sum(map(safetensors_bytes, models)),
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": str(next(iter(model.parameters())).device),
            "perplexity": quality,
        },
        sum(map(weight_bytes, models)),
    )
