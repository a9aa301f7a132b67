"""A GGUF file as a model folder that transformers, and so this project, loads."""

from pathlib import Path

import torch

from kd_kedro.models.quiet import quiet_transformers
from kd_kedro.storage.atomic import first_line, write_folder
from kd_kedro.storage.fingerprints import file_fingerprint


def convert_gguf(file: Path, folder: Path, sha256: str = "") -> None:
    """Write the model and the tokenizer of a GGUF file as safetensors and JSON.

    Weights that were quantised are written as what they stand for, in float16, which holds the
    scales of GGUF's blocks as they are.

    Args:
        file: The GGUF file, of an architecture that transformers reads.
        folder: Where the model goes; one that is there is replaced.
        sha256: Hash that the file must have; empty for any.

    Raises:
        ValueError: The file has another hash, or is none that can be read.
        OSError: It is not there, or the folder could not be written.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not file.is_file():
        raise OSError(f"{file} does not exist: give a GGUF file")
    if sha256 and (found := file_fingerprint(file)) != sha256:
        raise ValueError(
            f"{file} is not the file that was asked for: its SHA-256 is {found}, not {sha256}"
        )
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
            model = AutoModelForCausalLM.from_pretrained(
                file.parent, gguf_file=file.name, dtype=torch.float32
            )
    except Exception as error:  # each reader of a part of the file fails in its own way
        raise ValueError(f"{file} could not be read as GGUF ({first_line(error)})") from error
    # The weights are plain by now. What says that they were quantised would be saved, and the
    # folder could not be loaded for training.
    model.hf_quantizer = None
    del model.config.quantization_config

    def fill(unfinished: Path) -> None:
        with quiet_transformers():
            model.to(torch.float16).save_pretrained(unfinished)
            tokenizer.save_pretrained(unfinished)

    write_folder(folder, fill)
