"""What can be told of models before any is trained: their names, sizes and tokenizers.

Outlines are read, never weights: a wrong name would else be noticed when the teacher is finished.
"""

import logging
from collections.abc import Callable, Iterator, Set
from typing import Any

from kedro.io import DatasetError

from kd_kedro.curation.rewriting.rewriting_config import RewritingConfig
from kd_kedro.generation.protocol import TextGenerator
from kd_kedro.models.causal_lm import NO_SERVER
from kd_kedro.models.model_config import SIZES
from kd_kedro.models.prompt_format import CHAT, PromptFormat
from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.pipelines.distillation.models import STUDENT
from kd_kedro.pipelines.distillation.params import INSTEAD_OF_CUT, ExampleParams
from kd_kedro.training.teacher.targets import NO_TARGETS, TeacherTargets

logger = logging.getLogger(__name__)

BASE = "conf/base"
# Tables that have the further columns of the sheet, the one that becomes augmented_qa last first.
_WITH_COLUMNS = ("split_qa", "screened_qa", "validated_qa", "raw_qa")
SEARCHED_RATE = "tuning.space.learning_rate"
# Devlin et al., 2019 (arXiv:1810.04805, appendix A.3) fine-tune at 2e-5 to 5e-5, Hu et al., 2022
# (arXiv:2106.09685, appendix D) train adapters at 1e-4 to 5e-4.
USUAL_AT_MOST = 5e-4


def check_before_run(
    inputs: Set[str], load: Callable[[str], Any], origin: Callable[[str], str]
) -> None:
    """Refuse a run whose prompts lack a column, or whose students cannot be trained.

    Args:
        inputs: Names of what the run reads and does not make.
        load: Loads one of the catalog.
        origin: Says of a parameter where it was set; '' for the default of its model.

    Raises:
        OSError: A model or tokenizer cannot be had.
        ValueError: One does not fit the others, the sheet has no column that prompts are made of,
            nothing can write the answers asked for, or students ask for targets that were not
            captured.
    """
    if "params:distillation.examples" in inputs:
        examples = ExampleParams.model_validate(load("params:distillation.examples"))
        check_fields(examples, inputs, load)
    if "params:distillation.student" not in inputs:
        return
    params = DistillationParams.model_validate(load("parameters")["distillation"])
    check_models(params)
    if params.teacher.served:
        check_server(load, params, inputs)
    if "teacher_targets" in inputs and "params:tuning" not in inputs:
        check_targets(load("teacher_targets"), params, load("run_identity")["env_option"])
    if params.sequence_level.source == "generator":
        check_generator(load("text_generator"))
    made_here = not (params.teacher.pretrained or params.teacher.served)
    if made_here and "params:distillation.teacher" in inputs:
        logger.info(
            "distillation.teacher.pretrained names no teacher: a small one is trained on this "
            "sheet alone. A pretrained one has read more and would serve better "
            "(docs/distillation.md)"
        )
    rewriting = RewritingConfig.model_validate(load("parameters")["augmentation"]["rewriting"])
    said = passed_over(params, origin, rewriting.max_rewrites)
    for warning in [*said, *inherited_rates(params, inputs, origin)]:
        logger.warning("Warning: %s", warning)


def check_fields(params: ExampleParams, inputs: Set[str], load: Callable[[str], Any]) -> None:
    """Refuse a template with a field that no column of the sheet is, in a run that makes the rows.

    Where they are there already, `choose_examples` looks at them first of all. The sheet is read
    for a template with further fields alone.

    Raises:
        ValueError: The message names format and field.
    """
    wanted = [name for name in params.fields if name != "question"]
    source = next((name for name in _WITH_COLUMNS if name in inputs), None)
    if not wanted or source is None or "augmented_qa" in inputs:
        return
    columns = list(load(source).columns)
    for name in wanted:
        if name not in columns:
            raise ValueError(
                f"the template of distillation.examples.format={params.format} has the field "
                f"{name}, but no column of the sheet has that name: say which one it is by "
                f"--params columns.{name}=COLUMN or in globals.yml"
            )


def passed_over(
    params: DistillationParams, origin: Callable[[str], str], tried: int | None
) -> Iterator[str]:
    """Yield what a user set and conf/base lets have no effect, or not the usual one.

    Args:
        params: All parameters of the pipeline.
        origin: Says of a parameter where it was set; '' for the default of its model.
        tried: Most rewrites that augmentation tries; None where it has no such limit.
    """

    def given(key: str) -> bool:
        return origin(key) == "--params"

    teacher = "distillation.teacher"
    named = not origin(f"{teacher}.pretrained").startswith(BASE)
    if (
        not params.teacher.fine_tune
        and params.teacher.pretrained
        and named
        and origin(f"{teacher}.fine_tune").startswith(BASE)
    ):
        yield (
            f"{teacher}.fine_tune is false, which {BASE} has for the sample's own teacher, so that "
            f"{params.teacher.pretrained} teaches as it is: --params {teacher}.fine_tune=true lets "
            "it learn the sheet first"
        )
    most, key = params.examples.max_augmented_rows, "distillation.examples.max_augmented_rows"
    limit = "augmentation.rewriting.max_rewrites"
    inherited = origin(limit).startswith(BASE) and not origin(key).startswith(BASE)
    if tried is not None and most > tried and inherited:
        yield (
            f"{key} is {most:,}, but {BASE} lets no more than {tried:,} rewrites be tried: set "
            f"{limit} too, to null for all"
        )
    student = params.student
    another = next((name for name in INSTEAD_OF_CUT if getattr(student, name)), "")
    for name in type(student.from_teacher).model_fields:
        if not given(key := f"{STUDENT}.from_teacher.{name}"):
            continue
        if another:
            yield f"{key} has no effect, since {STUDENT}.{another} makes another student"
        elif student.from_teacher.budget[0] and name in SIZES:
            yield f"{key} has no effect beside the budget {student.from_teacher.budget[0]}"
    if student.from_teacher.cuts:
        for name in type(student.architecture).model_fields:
            if given(key := f"{STUDENT}.architecture.{name}"):
                yield (
                    f"{key} has no effect, since the student is cut out of the teacher: set sizes "
                    f"in {STUDENT}.from_teacher, or {STUDENT}.from_teacher=null"
                )


def inherited_rates(
    params: DistillationParams, inputs: Set[str], origin: Callable[[str], str]
) -> Iterator[str]:
    """Yield what is to be said of pretrained models that inherit the rate of small ones.

    The rates of conf/base are for small models, and make another one forget what it knows. A
    teacher that conf/base names itself is small.

    Args:
        params: All parameters of the pipeline.
        inputs: Names of what the run reads and does not make.
        origin: Says of a parameter where it was set; '' for the default of its model.
    """
    teacher, student = params.teacher, params.student
    small = origin("distillation.teacher.pretrained").startswith(BASE)
    named = "" if small else teacher.pretrained
    taught = student.pretrained or (named if student.starts_as_teacher else "")
    if taught and "params:tuning" in inputs:
        if not origin(SEARCHED_RATE):
            yield (
                f"{SEARCHED_RATE} is the range for small models, but students "
                f"begin as {taught}, which is pretrained: {_usual(f'{SEARCHED_RATE}.high', 1e-4)}"
            )
        return
    begun = [("students", taught, "distillation.training.learning_rate", params.training)]
    if teacher.fine_tune and "params:distillation.teacher" in inputs:
        key = "distillation.teacher.training.learning_rate"
        begun.append(("the teacher", named, key, teacher.training))
    for who, name, key, training in begun:
        rate = training.learning_rate
        if name and rate > USUAL_AT_MOST and origin(key).startswith(BASE):
            yield (
                f"{key} is {rate:g}, which {BASE} has for small models, but "
                f"{who} begin{'s' * (who != 'students')} as {name}, which is pretrained: "
                f"{_usual(key, 5e-5)}"
            )


def _usual(key: str, rate: float) -> str:
    return (
        "usual are 1e-5 to 1e-4, of an adapter to 5e-4; set it in the recipe or by --params "
        f"{key}={rate:g}"
    )


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
    how = params.examples.prompt_format
    if how.template == CHAT and not params.tokenizer.pretrained:
        raise ValueError(
            "distillation.examples.format is chat, but a tokenizer that is trained in the run has "
            "no chat template: set distillation.tokenizer.pretrained to that of an "
            "instruction-tuned model, or take another format"
        )
    shared = _tokenizer(params.tokenizer.pretrained, "distillation.tokenizer.pretrained", how)
    own = _tokenizer(student.tokenizer, f"{STUDENT}.tokenizer", how) or shared
    teacher = _outline(params.teacher.pretrained, "distillation.teacher.pretrained", shared, length)
    for number, name in enumerate(params.ensemble.pretrained):
        _outline(name, f"distillation.ensemble.pretrained.{number}", shared, length)
    outline = _outline(student.pretrained, f"{STUDENT}.pretrained", own, length)
    if teacher is not None:
        check_copy(teacher, student.copy_layers)
    if student.from_teacher.cuts:
        _check_cut(params, teacher, shared)
    if outline is not None and adapter.kind != "none":
        layers_to_adapt(outline, adapter.target_modules)
    if outline is not None and adapter.kind == "qlora":
        refuse_narrow(outline, f"{STUDENT}.pretrained")


def _check_cut(params: DistillationParams, teacher: Any, tokenizer: Any) -> None:
    """Refuse sizes or a budget that no student cut out of the teacher has.

    Args:
        params: All parameters of the pipeline.
        teacher: Its outline where it is pretrained.
        tokenizer: The tokenizer where it is pretrained; the vocabulary of one that is trained in
            the run is taken to be as large as it may become.
    """
    from kd_kedro.models.build import new_outline
    from kd_kedro.models.pruning.prune import check_shape, shape_of
    from kd_kedro.models.pruning.shape import wanted_shape
    from kd_kedro.training.shape_search import check_outline

    if teacher is None:
        vocab_size = len(tokenizer) if tokenizer else params.tokenizer.vocab_size
        made = (params.teacher.architecture, vocab_size, params.examples.max_length)
        teacher = new_outline(*made)
    config = params.student.from_teacher
    if config.budget[0]:
        check_outline(teacher, config)
    else:
        check_shape(teacher, wanted_shape(config, shape_of(teacher)))


def check_server(load: Callable[[str], Any], params: DistillationParams, inputs: Set[str]) -> None:
    """Refuse a teacher behind a server that is not there, refuses, or reads other or fewer tokens.

    It is asked where the run captures its targets.

    Raises:
        ValueError: The message says what is wrong with the server or its entry in the catalog.
    """
    try:
        server = load("teacher").server
    except DatasetError as error:
        if error.__cause__ is not None and isinstance(error.__cause__, ValueError):
            raise error.__cause__ from error
        server = None
    if server is None:
        raise ValueError(NO_SERVER)
    if "target_store" in inputs and params.targets.capture is not False:
        key, how = "distillation.tokenizer.pretrained", params.examples.prompt_format
        tokenizer = _tokenizer(params.tokenizer.pretrained, key, how)
        server.check(tokenizer, params.targets.k)
        most, length = server.positions(), params.examples.max_length
        if most is not None and most < length:
            raise ValueError(
                f"distillation.examples.max_length is {length}, but the teacher behind the server "
                f"at {server.options.base_url} reads at most {most} tokens: lower that, or let the "
                "server read more (--max-model-len of vLLM)"
            )


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


def check_targets(targets: TeacherTargets, params: DistillationParams, env_option: str) -> None:
    """Refuse students who ask for targets that were not captured, since none were asked for then.

    A change of `objective` makes no targets stale but this one.

    Raises:
        ValueError: The message names the command that captures them.
    """
    if params.objective.asks_teacher and not targets.asked_for:
        raise ValueError(
            f"{NO_TARGETS}: run `kedro run --nodes capture_targets{env_option}` first, with the "
            "same --params as this"
        )


def _tokenizer(name: str, key: str, how: PromptFormat) -> Any:
    from kd_kedro.models.tokenization import load_pretrained_tokenizer

    return load_pretrained_tokenizer(name, key, how) if name else None


def _outline(name: str, key: str, tokenizer: Any, max_length: int) -> Any:
    """Return a pretrained model without weights; None where it is made in the run."""
    from kd_kedro.models.build import outline, refuse_other_tokenizer
    from kd_kedro.models.causal_lm import positions

    if not name:
        return None
    model = outline(name, key)
    if tokenizer is not None:
        refuse_other_tokenizer(name, key, model, tokenizer)
    # An encoder-decoder reads prompts and answers apart: the nodes that count rows (`lengths`) hold
    # them against it.
    if not model.config.is_encoder_decoder and positions(model) < max_length:
        raise ValueError(
            f"{key}: '{name}' reads at most {positions(model)} tokens but distillation.examples."
            f"max_length is {max_length}; lower that, or choose another model"
        )
    return model
