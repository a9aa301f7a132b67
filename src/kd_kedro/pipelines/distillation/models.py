"""Where the models of the pipeline come from: parameters become a teacher or a student."""

from typing import TYPE_CHECKING, Any

from kd_kedro.models.causal_lm import LanguageModel  # imports nothing heavy
from kd_kedro.models.model_config import PruningConfig
from kd_kedro.pipelines.distillation.params import StudentParams, TeacherParams

if TYPE_CHECKING:
    from kd_kedro.training.loop.model_training import TrainingInputs

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
    inputs: "TrainingInputs",
    seed: int,
    teacher: LanguageModel | None,
    start: bool,
) -> Any:
    """Return a student before its training, or the baseline that is its twin.

    Both are the same model with the same adapter, but for weights that are the teacher's: the
    baseline has the configuration they give and random weights, since they are the teacher's help.

    Args:
        params: What it is made of.
        inputs: What it learns from: its tokenizer, its length, and rows to measure a teacher on.
        seed: Seed of all weights that are new.
        teacher: The teacher whose weights it begins with, where the parameters ask for it.
        start: Whether it begins as a student does; False for the baseline.
    """
    from kd_kedro.models.adapters import add_adapter, four_bits
    from kd_kedro.models.layer_copying import copy_layers, same_shape

    if params.starts_as_teacher:
        if teacher is None:
            raise ValueError(f"{STUDENT}: there is no teacher to begin as")
        if params.from_teacher.cuts:
            return _cut(teacher, params.from_teacher, inputs, None if start else seed)
        make = copy_layers if start else same_shape
        return make(teacher.model, params.copy_layers, seed)
    adapter = params.adapter
    quantization = four_bits(f"{STUDENT}.adapter.kind") if adapter.kind == "qlora" else None
    model = make_model(
        params, inputs.tokenizer, inputs.max_length, seed, STUDENT, "float32", quantization
    )
    if adapter.kind == "none":
        return model
    return add_adapter(model, adapter, seed)


def _cut(
    teacher: LanguageModel, config: PruningConfig, inputs: "TrainingInputs", seed: int | None
) -> Any:
    """Return what is cut out of a teacher, or where there is a seed a random model of its shape."""
    from tqdm import tqdm

    from kd_kedro.models.encoding import pad_token_id
    from kd_kedro.models.pruning.prune import prune, pruned_shape, shape_of
    from kd_kedro.models.pruning.shape import wanted_shape
    from kd_kedro.training.examples import calibration_examples, encode_examples

    shape = wanted_shape(config, shape_of(teacher.model))
    student = prune(
        teacher.model,
        shape,
        encode_examples(
            calibration_examples(inputs.examples, config.calibration_rows),
            inputs.tokenizer,
            inputs.max_length,
        ),
        pad_token_id(inputs.tokenizer),
        lambda rows: tqdm(rows, desc="measuring the teacher's units", unit="row", disable=None),
    )
    return student if seed is None else pruned_shape(student, shape, seed)


def origin_of(params: StudentParams, start: bool) -> str:
    """Return what a student's weights were before its training, for its card."""
    if not params.starts_as_teacher:
        return params.pretrained
    layers = f"the teacher's layers {', '.join(map(str, params.copy_layers))}"
    begun = layers if params.copy_layers else "a student cut out of the teacher"
    return begun if start else f"random weights, shaped as {begun}"
