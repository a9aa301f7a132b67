"""A GGUF file as a model folder that transformers, and so this project, loads."""

import re
from collections.abc import Collection, Set
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from kd_kedro.models.quiet import quiet_transformers
from kd_kedro.storage.atomic import first_line, write_folder
from kd_kedro.storage.fingerprints import file_fingerprint

_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
# What transformers writes beside the weights of a model with its tokenizer.
_BESIDE = re.compile(
    r"(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab"
    r"|model\.safetensors\.index)\.json|merges\.txt|chat_template\.jinja"
)
_MOST_NAMES = 3  # of weights in a message
# How Llama 3.1 and its successors slow their rotary frequencies (their config.json), by a factor
# of their own. A GGUF file has a tensor of what comes of it, by how much each is slower.
_SLOWED = "rope_freqs.weight"
_LLAMA3 = {
    "rope_type": "llama3",
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


class _Loaded(NamedTuple):
    """Tokenizer and model of a file, with what of the file is not in the model and the reverse.

    Attributes:
        tokenizer: The tokenizer.
        model: The model, its weights in float32.
        missing: Weights of the model that the file lacks.
        reshaped: Weights that have another shape in the file than in the model.
        unread: What the file has that is not in the model.
        types: Names of the types of the file's tensors, as F32 or Q4_1.
    """

    tokenizer: Any
    model: Any
    missing: Collection[str]
    reshaped: Collection[str]
    unread: Collection[str]
    types: Set[str]


def convert_gguf(file: Path, folder: Path, sha256: str = "") -> None:
    """Write the model and the tokenizer of a GGUF file as safetensors and JSON.

    Weights that were quantised are written as what they stand for, in float16, which holds the
    scales of GGUF's blocks as they are; the weights of a file without quantised ones keep their
    type. Where a weight is too large for that type, all are written in float32.

    Args:
        file: The GGUF file, of an architecture that transformers reads.
        folder: Where the model goes: a folder that is not there, is empty, or has a model and
            nothing else, which is replaced.
        sha256: Hash that the file must have; empty for any.

    Raises:
        ValueError: The file has another hash, cannot be read, lacks weights, or has weights that
            transformers does not read or that are no finite numbers.
        OSError: The file is not there, or the folder holds something else or cannot be written.
    """
    folder = folder.resolve()
    _check_file(file, sha256)
    _check_replaceable(folder)
    try:
        with quiet_transformers(), TemporaryDirectory() as alone:
            # Beside the file and in the working directory transformers would read other files.
            link = Path(alone) / "model.gguf"
            link.symlink_to(file.resolve())
            loaded = _load(link)
    except Exception as error:  # each reader of a part of the file fails in its own way
        raise ValueError(f"{file} could not be read as GGUF ({first_line(error)})") from error
    _check_weights(file, loaded)
    dtype, model = _written_type(loaded), loaded.model
    # The weights are plain by now. What says that they were quantised would be saved, and the
    # folder could not be loaded for training.
    model.hf_quantizer = None
    del model.config.quantization_config

    def fill(unfinished: Path) -> None:
        with quiet_transformers():
            model.to(dtype).save_pretrained(unfinished)
            loaded.tokenizer.save_pretrained(unfinished)

    write_folder(folder, fill)


def _check_file(file: Path, sha256: str) -> None:
    if not file.is_file():
        what = "is a directory" if file.is_dir() else "does not exist"
        raise OSError(f"{file} {what}: give a GGUF file")
    if sha256 and (found := file_fingerprint(file)) != sha256.casefold():
        raise ValueError(
            f"{file} is not the file that was asked for: its SHA-256 is {found}, not {sha256}"
        )


def _check_replaceable(folder: Path) -> None:
    """Refuse a place whose files would be lost, unless they are those of a model."""
    another = "give a folder that is empty or does not exist"
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OSError(f"{folder} is a file: {another}")
    names = {each.name: each.is_file() for each in folder.iterdir()}
    for name, is_file in sorted(names.items()):
        if not (is_file and (_WEIGHTS.fullmatch(name) or _BESIDE.fullmatch(name))):
            raise OSError(f"{folder} has {name!r}, which would be lost: {another}")
    if names and not ("config.json" in names and any(map(_WEIGHTS.fullmatch, names))):
        raise OSError(f"{folder} has files that are no model, which would be lost: {another}")


def _load(file: Path) -> _Loaded:
    import gguf
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = {"pretrained_model_name_or_path": file.parent, "gguf_file": str(file)}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model, told = AutoModelForCausalLM.from_pretrained(
        **place, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True
    )
    reader = gguf.GGUFReader(file)
    unread = {*told["unexpected_keys"], *_unread(reader, model)}
    for tensor in reader.tensors:
        if tensor.name == _SLOWED and _slow(model.config, torch.tensor(tensor.data)):
            unread.discard(_SLOWED)
    types = {each.tensor_type.name for each in reader.tensors}
    reshaped = [name for name, *_ in told["mismatched_keys"]]
    return _Loaded(tokenizer, model, told["missing_keys"], reshaped, unread, types)


def _unread(reader: Any, model: Any) -> list[str]:
    """Return what of a file transformers passes over without saying so: tensors, rope scaling."""
    from transformers.modeling_gguf_pytorch_utils import (
        TENSOR_PROCESSORS,
        TensorProcessor,
        get_gguf_hf_weights_map,
    )

    architecture = reader.get_field("general.architecture").contents()
    scaling = f"{architecture}.rope.scaling.type"
    scaled = scaling in reader.fields and reader.get_field(scaling).contents() != "none"
    rope = getattr(model.config, "rope_parameters", None) or {}
    unread = [scaling] if scaled and rope.get("rope_type") == "default" else []
    if sum(int(each.n_elements) for each in reader.tensors) != model.num_parameters():
        processor = TENSOR_PROCESSORS.get(architecture, TensorProcessor)()
        read = get_gguf_hf_weights_map(model, processor)
        unread += [each.name for each in reader.tensors if each.name not in read]
    return unread


def _slow(config: Any, factors: torch.Tensor) -> bool:
    """Give a configuration the rotary frequencies of Llama 3, where these are its factors.

    Args:
        config: The configuration, with plain frequencies.
        factors: By how much each frequency is slower, of half a head's width.

    Returns:
        Whether they are; if not, the configuration stays what it is.
    """
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    plain = config.rope_parameters
    config.rope_parameters = {**plain, **_LLAMA3, "factor": float(factors.max())}
    slowed, _ = ROPE_INIT_FUNCTIONS["llama3"](config)
    width = 2 * len(factors)
    wanted = plain["rope_theta"] ** (-torch.arange(0, width, 2) / width) / factors
    if slowed.shape == wanted.shape and torch.allclose(slowed, wanted, rtol=1e-3):
        return True
    config.rope_parameters = plain
    return False


def _check_weights(file: Path, loaded: _Loaded) -> None:
    """Refuse a file whose model would have other weights than the file says, or none at all."""
    if loaded.reshaped:
        raise ValueError(
            f"{file} has weights of another shape than its own description says "
            f"({_few(loaded.reshaped)}): get a whole file"
        )
    if loaded.missing:
        raise ValueError(f"{file} has no weights for {_few(loaded.missing)}: get a whole file")
    if loaded.unread:
        raise ValueError(
            f"{file} has parts that transformers does not read, so that its model would be "
            f"another ({_few(loaded.unread)}): get the model as safetensors"
        )
    weights = loaded.model.named_parameters()
    if endless := [name for name, weight in weights if not weight.isfinite().all()]:
        raise ValueError(
            f"{file} has weights that are infinite or no number ({_few(endless)}): get a file "
            "without them"
        )


def _few(names: Collection[str]) -> str:
    """Return the first of some names, and how many follow."""
    shown = ", ".join(sorted(names)[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _written_type(loaded: _Loaded) -> torch.dtype:
    """Return the type in which weights are written: float32 where theirs is too small for one."""
    types = loaded.types - {"F32"}  # which norms are in every file
    if not types:
        return torch.float32
    own = torch.bfloat16 if types == {"BF16"} else torch.float16
    largest = max(float(weight.detach().abs().max()) for weight in loaded.model.parameters())
    return own if largest <= torch.finfo(own).max else torch.float32
