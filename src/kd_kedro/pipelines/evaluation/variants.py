"""The student's other forms: each is made, judged on held-out rows, and described."""

import logging
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kd_kedro.metrics.efficiency.compression import Entry
from kd_kedro.metrics.efficiency.latency import cores
from kd_kedro.metrics.efficiency.memory import stored_bytes
from kd_kedro.metrics.efficiency.parity import family_sums, parity, perplexity
from kd_kedro.pipelines.evaluation.params import CompressionParams
from kd_kedro.training.examples import asked_of

logger = logging.getLogger(__name__)

BATCH = 16  # rows scored together at most
_LOGITS = 2**26  # of a batch in memory at once: 256 MB in float32
_FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/'\"]+/)+")


class _NotApplicableError(Exception):
    """Why a variant cannot be made of this student, or here."""


@dataclass(frozen=True)
class _Sources:
    """What variants are made of.

    Attributes:
        model: The student's model, without an adapter.
        student: The student as it is certified.
        graphs: The ONNX files made so far, by name of the variant.
    """

    model: Any
    student: Entry
    graphs: dict[str, bytes] = field(default_factory=dict)


def make_variants(
    student: Any,
    entry: Entry,
    rows: pd.DataFrame,
    max_length: int,
    params: CompressionParams,
) -> tuple[dict[str, Entry | Mapping[str, Any]], dict[str, bytes]]:
    """Return the variants by name, and the files of those of ONNX.

    Args:
        student: The student, as a language model without an adapter.
        entry: The same, as it is certified.
        rows: Held-out examples.
        max_length: Most tokens of a row.
        params: Which variants, and what they must hold to.
    """
    from kd_kedro.inference.incremental import model_steps, score_with
    from kd_kedro.models.encoding import encode, pad_token_id

    sources = _Sources(student.model, entry)
    texts = (asked_of(rows), list(rows["answer"]))
    names = [str(number) for number in range(len(rows))]
    examples = encode(student.tokenizer, names, *texts, max_length)
    how: dict[str, Any] = {
        "padding": pad_token_id(student.tokenizer),
        "batch_size": batch_size(
            max(len(row.input_ids) for row in examples), len(student.tokenizer)
        ),
    }
    student_scores: list[dict[str, Any]] = []
    variants: dict[str, Entry | Mapping[str, Any]] = {}
    for name in params.variants:
        try:
            variant = _MAKERS[name](sources)
            student_scores = student_scores or score_with(
                model_steps(student.model), examples, **how, name="student scores"
            )
            steps = variant.scoring or variant.system.steps(params.threads[0] or cores())
            scores = score_with(steps, examples, **how, name=f"{name} scores")
        except _NotApplicableError as obstacle:
            variants[name] = {"status": "not applicable", "reason": str(obstacle)}
        # Exporters meet architectures that they cannot do: the run goes on without the variant.
        except Exception as error:
            # What the report shows names no folder of this machine; the log has it whole.
            first = _FOLDERS.sub("", (str(error).splitlines() or [""])[0])[:200]
            reason = f"could not be made: {type(error).__name__}: {first}"
            logger.warning("compression: %s %s", name, reason, exc_info=True)
            variants[name] = {"status": "failed", "reason": reason}
        else:
            judged = _judge(variant, scores, student_scores, list(rows["family_id"]), params)
            variants[name] = replace(variant, facts={**judged, **variant.facts})
    return variants, sources.graphs


def batch_size(longest: int, vocabulary: int) -> int:
    """Return how many rows are scored together, so that their logits stay within bounds.

    Args:
        longest: Tokens of the longest row.
        vocabulary: Logits of a token.
    """
    return max(1, min(BATCH, _LOGITS // (longest * vocabulary)))


def _judge(
    variant: Entry,
    scores: Sequence[Mapping[str, Any]],
    student_scores: Sequence[Mapping[str, Any]],
    families: list[str],
    params: CompressionParams,
) -> dict[str, Any]:
    """Return status, reason and quality of a variant."""
    sums = family_sums(scores, families)
    change = parity(
        sums,
        family_sums(student_scores, families),
        margin=params.margin,
        confidence=params.confidence,
        min_families=params.min_families,
        draws=params.draws,
        seed=params.seed,
    )
    difference = variant.facts.get("logit_difference", 0.0)
    if not difference <= params.logit_tolerance:
        change["reason"] = (
            f"logits differ by {difference:.1g} of the largest, more than "
            f"{params.logit_tolerance:g}"
        )
    pairs = zip(scores, student_scores, strict=True)
    equal = sum(int(np.sum(own["top1"] == other["top1"])) for own, other in pairs)
    return {
        "status": "rejected" if change["reason"] else "accepted",
        **change,
        "perplexity": perplexity(sums),
        "same_first_choice": equal / sum(each["answer_tokens"] for each in scores),
    }


def _torch_int8(sources: _Sources) -> Entry:
    from kd_kedro.inference.incremental import model_steps
    from kd_kedro.models.quantisation import int8_copy, stored_tensors

    if sources.model.config.is_encoder_decoder:
        raise _NotApplicableError(
            "only causal models are quantised: this has an encoder and a decoder"
        )
    model = int8_copy(sources.model)
    tensors = stored_tensors(model)
    timed = model_steps(model, last_only=True)
    facts = _facts(sources, "int8", stored_bytes(tensors))
    weights = sum(tensor.nbytes for tensor in tensors.values())
    system = replace(sources.student.system, steps=lambda _: timed)
    return Entry(system, facts, weights, scoring=model_steps(model))


def _onnx(sources: _Sources) -> Entry:
    from kd_kedro.inference.incremental import largest_logit_difference, model_steps
    from kd_kedro.models.quantisation import float_copy

    entry = _onnx_entry(sources, _float_graph(sources), "float32")
    system = entry.system
    # Two tokens at least: one is read with the cache of the others.
    rows = [[*row, row[-1]][-system.max_length :] for row in system.prompts[:8]]
    difference = largest_logit_difference(
        model_steps(float_copy(sources.model)), system.steps(1), rows
    )
    return replace(entry, facts={**entry.facts, "logit_difference": difference})


def _onnx_int8(sources: _Sources) -> Entry:
    from kd_kedro.inference.onnx_export import int8_onnx

    # onnxruntime quantises into a file alone.
    with tempfile.TemporaryDirectory() as folder:
        graph = int8_onnx(_float_graph(sources), Path(folder))
    sources.graphs["onnx_int8"] = graph
    return _onnx_entry(sources, graph, "int8")


def _float_graph(sources: _Sources) -> bytes:
    from kd_kedro.inference.onnx_export import export_onnx, onnx_obstacle

    obstacle = onnx_obstacle(sources.model)
    if obstacle:
        raise _NotApplicableError(obstacle)
    if "onnx" not in sources.graphs:
        sources.graphs["onnx"] = export_onnx(sources.model)
    return sources.graphs["onnx"]


def _onnx_entry(sources: _Sources, graph: bytes, dtype: str) -> Entry:
    from kd_kedro.inference.onnx_export import onnx_steps

    system = replace(sources.student.system, steps=lambda threads: onnx_steps(graph, threads))
    return Entry(system, _facts(sources, dtype, len(graph)))


def _facts(sources: _Sources, dtype: str, size: int) -> dict[str, Any]:
    count = sources.student.facts["parameters"]
    return {"parameters": count, "bytes": size, "dtype": dtype, "device": "cpu"}


_MAKERS: dict[str, Callable[[_Sources], Entry]] = {
    "torch_int8": _torch_int8,
    "onnx": _onnx,
    "onnx_int8": _onnx_int8,
}
