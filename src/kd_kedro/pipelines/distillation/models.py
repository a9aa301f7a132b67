"""Where the models of the pipeline come from: parameters become a teacher or a student."""

from typing import Any

from kd_kedro.models.causal_lm import LanguageModel  # imports nothing heavy
from kd_kedro.pipelines.distillation.params import StudentParams, TeacherParams

STUDENT = "distillation.student"


def make_model(
    params: TeacherParams | StudentParams,
    tokenizer: Any,
    max_length: int,
    seed: int,
    key: str,
    dtype: str,
    quantization: Any = None,
) -> Any:
    """Return a pretrained model, or a new one of the architecture that the parameters name."""
    from kd_kedro.models.build import new_model, pretrained_model

    if params.pretrained:
        return pretrained_model(
            params.pretrained,
            f"{key}.pretrained",
            tokenizer,
            dtype,
            seed=seed,
            quantization=quantization,
        )
    return new_model(params.architecture, tokenizer, max_length, seed)


def make_student(
    params: StudentParams,
    tokenizer: Any,
    max_length: int,
    seed: int,
    teacher: LanguageModel | None,
    taught: bool,
) -> Any:
    """Return a student before its training, or the baseline that is its twin.

    Both are the same model with the same adapter, but for copied layers: the baseline has the
    configuration they give and random weights, since the teacher's layers are the teacher's help.

    Args:
        params: What it is made of.
        tokenizer: The tokenizer of teacher and student.
        max_length: Positions of a new model.
        seed: Seed of all weights that are new.
        teacher: The teacher whose layers are copied, where the parameters ask for it.
        taught: Whether it is a student; False for the baseline.
    """
    from kd_kedro.models.adapters import add_adapter, four_bits
    from kd_kedro.models.layer_copying import copy_layers, same_shape

    if params.copy_layers:
        if teacher is None:
            raise ValueError(f"{STUDENT}.copy_layers: there is no teacher to copy layers of")
        make = copy_layers if taught else same_shape
        return make(teacher.model, params.copy_layers, seed)
    adapter = params.adapter
    quantization = four_bits(f"{STUDENT}.adapter.kind") if adapter.kind == "qlora" else None
    model = make_model(params, tokenizer, max_length, seed, STUDENT, "float32", quantization)
    if adapter.kind == "none":
        return model
    return add_adapter(model, adapter, seed)


def origin_of(params: StudentParams, taught: bool) -> str:
    """Return what a student's weights were before its training, for its card."""
    if not params.copy_layers:
        return params.pretrained
    layers = f"the teacher's layers {', '.join(map(str, params.copy_layers))}"
    return layers if taught else f"random weights, shaped as {layers}"
