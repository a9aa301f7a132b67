"""Students made of a teacher: some of its layers, or its shape alone."""

import copy
import re
from collections.abc import Sequence
from typing import Any

import torch

_OWN_NUMBER = re.compile(r"(^|_)(idx|index)$|layer_id|layer_number|block_id")


def copy_layers(teacher: Any, layers: Sequence[int], seed: int) -> Any:
    """Return a float32 student with chosen layers of the teacher, in the order given.

    Embeddings, head, final norm and whatever else is not in a layer are copied as well. An
    encoder-decoder keeps the same layers of both halves.

    Args:
        teacher: A causal or encoder-decoder language model.
        layers: Numbers of its layers, counted from 0.
        seed: Seed of what is copied from nowhere: nothing, in the architectures known.

    Raises:
        ValueError: If the teacher has no such layer.
    """
    student = same_shape(teacher, layers, seed)
    given = teacher.state_dict()
    origins = _origins(student, layers, given)
    student.load_state_dict({name: given[origin] for name, origin in origins.items()})
    return student


def same_shape(teacher: Any, layers: Sequence[int], seed: int) -> Any:
    """Return an untrained float32 model with the teacher's configuration and as many layers.

    Args:
        teacher: Gives the configuration, and no weight.
        layers: Numbers of the teacher's layers that the new ones stand for.
        seed: Seed of the weights. The global random state is left as it was.

    Raises:
        ValueError: If the teacher has no such layer, or its class is not made of layers that way.
    """
    check_layers(teacher, layers)
    refused = ValueError(
        f"distillation.student.copy_layers: a {type(teacher).__name__} with other layers "
        "cannot be made; leave it empty and give student.pretrained"
    )
    try:
        student = untrained(teacher, seed, shortened(teacher.config, layers))
    except Exception as error:  # whatever a class says of a configuration that it cannot have
        raise refused from error
    if not (_same_kinds(teacher, student, layers) and _same_shapes(teacher, student, layers)):
        raise refused
    return student


def untrained(model: Any, seed: int, config: Any = None) -> Any:
    """Return a float32 model of a model's class with random weights, the same for the same seed.

    Args:
        model: Gives class, configuration and settings of generation, and no weight.
        seed: Seed of the weights. The global random state is left as it was.
        config: Configuration, where it is not the model's own.
    """
    config = copy.deepcopy(model.config) if config is None else config
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = type(model)(config=config).float()
    own, head = made.get_output_embeddings(), model.get_output_embeddings()
    if own is not None and head.weight is not model.get_input_embeddings().weight:
        # The head of FLAN-T5 is none of its embeddings, whatever its configuration says.
        own.weight = torch.nn.Parameter(own.weight.detach().clone())
    made.generation_config = copy.deepcopy(model.generation_config)
    return made.eval()


def check_copy(outline: Any, layers: Sequence[int]) -> None:
    """Refuse, from a teacher's outline, layers of which no student can be made.

    Raises:
        ValueError: The teacher has no such layer, or no model of its class has layers of their
            kinds alone.
    """
    if layers:
        with torch.device("meta"):
            same_shape(outline, layers, 0)


def check_layers(teacher: Any, layers: Sequence[int]) -> None:
    """Refuse layers that a teacher does not have.

    Raises:
        ValueError: The message names the first of them.
    """
    for name, stack in blocks(teacher).items():
        wrong = [layer for layer in layers if layer >= len(stack)]
        if wrong:
            raise ValueError(
                f"distillation.student.copy_layers: the teacher has no layer {wrong[0]}; its "
                f"{name} has layers 0 to {len(stack) - 1}"
            )


def blocks(model: Any) -> dict[str, torch.nn.ModuleList]:
    """Return the stacks of layers by name: one of a causal model, two of an encoder-decoder."""
    stacks: dict[str, torch.nn.ModuleList] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in stacks)
        if isinstance(module, torch.nn.ModuleList) and not inside:
            stacks[name] = module
    return stacks


def shortened(config: Any, layers: Sequence[int]) -> Any:
    """Return a model's configuration with some of its layers alone."""
    config = copy.deepcopy(config)
    halves = [half for name in ("encoder", "decoder") if (half := getattr(config, name, None))]
    for part in halves or [config]:
        _shorten(part, layers)
    return config


def _shorten(config: Any, layers: Sequence[int]) -> None:
    # What a configuration says layer by layer (layer_types, attention_layers, …) goes with them.
    count = config.num_hidden_layers
    for name, value in list(vars(config).items()):
        told = isinstance(value, list | tuple) and len(value) == count
        if told and not re.search(r"token|limit", name) and name != "architectures":
            setattr(config, name, [value[layer] for layer in layers])
    if getattr(config, "attention_types", None) is not None:  # GPT-Neo: how often each kind comes
        config.attention_types = [[[kind], 1] for kind in config.attention_layers]
    config.num_hidden_layers = len(layers)
    if getattr(config, "num_decoder_layers", None) is not None:
        config.num_decoder_layers = len(layers)


def _same_kinds(teacher: Any, student: Any, layers: Sequence[int]) -> bool:
    """Return whether each layer of a student is of the kind of the one that it stands for."""
    given, made = blocks(teacher), blocks(student)
    return given.keys() == made.keys() and all(
        len(made[name]) == len(layers)
        and all(
            _kind(made[name][own], own) == _kind(stack[layer], layer)
            for own, layer in enumerate(layers)
        )
        for name, stack in given.items()
    )


def _same_shapes(teacher: Any, student: Any, layers: Sequence[int]) -> bool:
    """Return whether each weight of a student has the shape of the one that it stands for.

    Gemma 3n and 4 have an embedding whose width grows with the number of layers.
    """
    given, own = teacher.state_dict(), student.state_dict()
    origins = _origins(student, layers, given)
    return all(
        origin in given and given[origin].shape == own[name].shape
        for name, origin in origins.items()
    )


def _kind(layer: torch.nn.Module, number: int) -> list[tuple[str, ...]]:
    # T5's first layer alone holds the positions.
    said = [
        (
            name,
            type(module).__name__,
            *(f"{key}={value}" for key, value in _settings(module, number)),
        )
        for name, module in layer.named_modules()
        if "relative_attention_bias" not in name
    ]
    return sorted(said)


def _settings(module: torch.nn.Module, number: int) -> list[tuple[str, Any]]:
    """Return what a module of the layer with a number is told, but for the number itself.

    Numbers count: GPT-2 may divide by that of the layer, DIFF Transformer's lambda follows it.
    """
    own = ("training", "has_relative_attention_bias")
    return [
        (key, value - number if type(value) is int and _OWN_NUMBER.search(key) else value)
        for key, value in sorted(vars(module).items())
        if isinstance(value, bool | int | float | str) and key not in own
    ]


def _origins(student: Any, layers: Sequence[int], given: dict[str, Any]) -> dict[str, str]:
    """Return by name of each of a student's weights the name of the one it stands for."""
    stacks = list(blocks(student))
    return {name: _origin(name, layers, stacks, given) for name in student.state_dict()}


def _origin(name: str, layers: Sequence[int], stacks: Sequence[str], given: dict[str, Any]) -> str:
    for stack in stacks:
        if name.startswith(f"{stack}."):
            number, rest = name.removeprefix(f"{stack}.").split(".", 1)
            origin = f"{stack}.{layers[int(number)]}.{rest}"
            # T5's first layer alone holds the positions that all layers share.
            return origin if origin in given else name
    return name
