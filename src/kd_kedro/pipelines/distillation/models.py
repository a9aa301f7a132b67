"""Where the models of the pipeline come from: parameters become a teacher or a student."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kd_kedro.models.causal_lm import LanguageModel  # imports nothing heavy
from kd_kedro.pipelines.distillation.params import StudentParams, TeacherParams

if TYPE_CHECKING:
    from kd_kedro.training.loop.model_training import TrainingInputs

STUDENT = "distillation.student"
SERVED = "a server"  # the origin of a teacher that is behind one
START = "start"  # the name of the model in `start_student`
Start = Mapping[str, LanguageModel]  # empty where students begin as no part of the teacher


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
    inputs: "TrainingInputs",
    seed: int,
    start_student: Start,
    start: bool,
) -> Any:
    """Return a student before its training, or the baseline that is its twin.

    Both are the same model with the same adapter, but for weights that are the teacher's: the
    baseline has the configuration they give and random weights, since they are the teacher's help.

    Args:
        params: What it is made of.
        inputs: What it learns from: its tokenizer, its length.
        seed: Seed of all weights that are new.
        start_student: What `make_start` made.
        start: Whether it begins as a student does; False for the baseline.

    Raises:
        ValueError: It begins as a part of the teacher, but there is no start.
    """
    from kd_kedro.models.adapters import add_adapter, four_bits
    from kd_kedro.models.layer_copying import untrained

    if params.starts_as_teacher:
        if START not in start_student:
            raise ValueError(f"{STUDENT}: start_student is empty; run make_start again")
        begun = start_student[START].model
        return copy.deepcopy(begun).cpu() if start else untrained(begun, seed)
    adapter = params.adapter
    quantization = four_bits(f"{STUDENT}.adapter.kind") if adapter.kind == "qlora" else None
    model = make_model(
        params, inputs.tokenizer, inputs.max_length, seed, STUDENT, "float32", quantization
    )
    if adapter.kind == "none":
        return model
    return add_adapter(model, adapter, seed)


def card_of_start(start_student: Start) -> dict[str, Any]:
    """Return what a student's card says of the start that it came from."""
    return {START: start_student[START].card["weights"]} if start_student else {}


def origin_of(params: StudentParams, start: bool) -> str:
    """Return what a student's weights were before its training, for its card."""
    if not params.starts_as_teacher:
        return params.pretrained
    layers = f"the teacher's layers {', '.join(map(str, params.copy_layers))}"
    begun = layers if params.copy_layers else "a student cut out of the teacher"
    return begun if start else f"random weights, shaped as {begun}"


def served_card(max_length: int) -> dict[str, Any]:
    """Return the card of a teacher behind a server: no weights, no training."""
    return {"name": "teacher", "origin": SERVED, "max_length": max_length}
