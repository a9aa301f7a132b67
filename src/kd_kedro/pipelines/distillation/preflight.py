"""What can be told of models before any is trained: their names, sizes and tokenizers.

Outlines are read, never weights: a wrong name would else be noticed when the teacher is finished.
"""

from collections.abc import Callable, Set
from typing import Any

from kd_kedro.generation.protocol import TextGenerator
from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.pipelines.distillation.models import STUDENT


def check_before_run(inputs: Set[str], load: Callable[[str], Any]) -> None:
    """Refuse, in a run that reads how students are made, one that cannot be trained.

    Args:
        inputs: Names of what the run reads and does not make.
        load: Loads one of the catalog.

    Raises:
        OSError: A model or tokenizer cannot be had.
        ValueError: One does not fit the others, or nothing can write the answers asked for.
    """
    if "params:distillation.student" not in inputs:
        return
    params = DistillationParams.model_validate(load("parameters")["distillation"])
    check_models(params)
    if params.sequence_level.source == "generator":
        check_generator(load("text_generator"))


def check_models(params: DistillationParams) -> None:
    """Refuse pretrained models and tokenizers that a node would refuse later.

    Raises:
        OSError: One cannot be had.
        ValueError: One does not fit the others, the adapter or `examples.max_length`; the message
            names the parameter.
    """
    from kd_kedro.models.adapters import four_bits, layers_to_adapt, refuse_narrow
    from kd_kedro.models.layer_copying import check_copy

    student, length = params.student, params.examples.max_length
    adapter = student.adapter
    if adapter.kind == "qlora":
        four_bits(f"{STUDENT}.adapter.kind")
    shared = _tokenizer(params.tokenizer.pretrained, "distillation.tokenizer.pretrained")
    own = _tokenizer(student.tokenizer, f"{STUDENT}.tokenizer") or shared
    teacher = _outline(params.teacher.pretrained, "distillation.teacher.pretrained", shared, length)
    for number, name in enumerate(params.ensemble.pretrained):
        _outline(name, f"distillation.ensemble.pretrained.{number}", shared, length)
    outline = _outline(student.pretrained, f"{STUDENT}.pretrained", own, length)
    if teacher is not None:
        check_copy(teacher, student.copy_layers)
    if outline is not None and adapter.kind != "none":
        layers_to_adapt(outline, adapter.target_modules)
    if outline is not None and adapter.kind == "qlora":
        refuse_narrow(outline, f"{STUDENT}.pretrained")


def check_generator(generator: TextGenerator) -> None:
    """Refuse a text generator that cannot write the answers of `sequence_level`.

    Raises:
        ValueError: It has no task `answer`.
    """
    if "answer" not in generator.tasks:
        raise ValueError(
            "distillation.sequence_level.source is generator, but text_generator has no task "
            f"answer (only {', '.join(sorted(generator.tasks))}): let a language model do it in "
            "the catalog, as with --env server, or take source teacher"
        )


def _tokenizer(name: str, key: str) -> Any:
    from kd_kedro.models.tokenization import load_pretrained_tokenizer

    return load_pretrained_tokenizer(name, key) if name else None


def _outline(name: str, key: str, tokenizer: Any, max_length: int) -> Any:
    """Return a pretrained model without weights; None where it is made in the run."""
    from kd_kedro.models.build import outline, refuse_other_tokenizer
    from kd_kedro.models.causal_lm import positions

    if not name:
        return None
    model = outline(name, key)
    if tokenizer is not None:
        refuse_other_tokenizer(name, key, model, tokenizer)
    # An encoder-decoder reads prompts and answers apart: the rows tell how long both are.
    if not model.config.is_encoder_decoder and positions(model) < max_length:
        raise ValueError(
            f"{key}: '{name}' reads at most {positions(model)} tokens but distillation.examples."
            f"max_length is {max_length}; lower that, or choose another model"
        )
    return model
