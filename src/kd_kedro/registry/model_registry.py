"""Students in MLflow's model registry: written and read without pickle and without the network."""

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kd_kedro.models import literal_chat
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import Example, pad_token_id
from kd_kedro.models.marks import marks
from kd_kedro.models.modes import decoder_start
from kd_kedro.models.prompt_format import (
    CHAT,
    begins_itself,
    field_names,
    format_of,
    prompt_fields,
    prompt_text,
    saved_with,
)
from kd_kedro.models.quiet import quiet_transformers
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.text import transcript

CHAMPION = "champion"
ANCHOR = "promotion.anchor"  # tag of a champion: the version that the next ones are held to
_LOADER = Path(__file__).with_name("registered_student.py")
_BESIDE = (literal_chat, transcript)  # what it imports
_NEEDED = ("mlflow", "torch", "transformers", "tokenizers", "safetensors")
_WHAT = "Students of kd_kedro that `kedro promote` registered; @champion is the one to beat."
_PICKLED = {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".dill", ".ckpt"}
# What belongs to sampling or to beams, and a greedy generation config must not have.
_NOT_GREEDY = (
    *("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff"),
    *("eta_cutoff", "early_stopping", "length_penalty", "max_length"),
)


@dataclass(frozen=True)
class Asking:
    """How a student is asked.

    Attributes:
        max_new_tokens: Most tokens of an answer, as when it was judged.
        example: The fields of a prompt: a question of its sheet that it has not learnt, and what
            else its prompt is made of.
    """

    max_new_tokens: int = 64
    example: Mapping[str, str] = field(
        default_factory=lambda: {"question": "What is depreciation?"}
    )


def save(
    language_model: LanguageModel, folder: Path, card: str = "", asking: Asking | None = None
) -> None:
    """Write a student as a model of MLflow that answers as it was judged.

    The folder has two flavours. `python_function` takes questions and gives answers; where the
    prompt has further fields, it takes a table with a column of each.
    `transformers` gives the pipeline, greedy, whose chat template is the prompt's; of an
    encoder-decoder model, for which there is no pipeline, model and tokenizer.

    Args:
        language_model: A language model without adapter.
        folder: A folder that is not there yet.
        card: Its model card, Markdown with its metadata; '' for none.
        asking: Longest answer and example question; the default values where left out.

    Raises:
        ValueError: A file of the folder holds pickled objects.
    """
    import mlflow
    import transformers
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    from kd_kedro.registry.registered_student import ANSWERING

    asking = asking or Asking()
    model = language_model.model
    two_parts = bool(model.config.is_encoder_decoder)
    tokenizer = saved_with(language_model.tokenizer, encoded=two_parts)
    template = format_of(tokenizer).template
    fields = prompt_fields([tokenizer])
    alone, text = len(fields) == 1, Schema([ColSpec(DataType.string)])
    columns = text if alone else Schema([ColSpec(DataType.string, name) for name in fields])
    example = {name: asking.example.get(name, "") for name in fields}
    described = Model()
    mlflow.pyfunc.save_model(
        str(folder),
        loader_module=_LOADER.stem,
        code_paths=[str(_LOADER), *(str(module.__file__) for module in _BESIDE)],
        mlflow_model=described,
        signature=ModelSignature(inputs=columns, outputs=text),
        input_example=[example["question"] if alone else example],
        metadata={"prompt_template": _shown(template)},
        # Without these MLflow loads the model to see what it imports, torchvision too.
        pip_requirements=[f"{name}=={installed(name)}" for name in _NEEDED],
    )
    described.add_flavor(
        "transformers",
        transformers_version=transformers.__version__,
        code=None,
        task="text2text-generation" if two_parts else "text-generation",
        instance_type=f"Text{'2Text' if two_parts else ''}GenerationPipeline",
        pipeline_model_type=type(model).__name__,
        source_model_name="kd_kedro student",
        model_binary="model",
        components=["tokenizer"],
        tokenizer_type=type(tokenizer).__name__,
    )
    with quiet_transformers(), _greedy(language_model, asking.max_new_tokens):
        model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "components" / "tokenizer")
    (begin, end), start = marks(language_model.tokenizer), decoder_start(model)
    # What stands around a prompt, as `inference.generate` has it.
    prompt = Example("", begin, len(begin), len(begin), end)
    answering = {
        "template": None if template == CHAT else template,
        "fields": fields,
        "max_length": language_model.max_length,
        "max_new_tokens": asking.max_new_tokens,
        "begin": () if begins_itself(tokenizer) else begin,
        "end": () if start is None else end,
        "decoder_prefix": () if start is None else prompt.decoder_prefix(start),
    }
    (folder / ANSWERING).write_text(json.dumps(answering, indent=1) + "\n", encoding="utf-8")
    if card:
        (folder / "model_card.md").write_text(card, encoding="utf-8")
    files = [path for path in folder.rglob("*") if path.is_file()]
    described.model_size_bytes = sum(path.stat().st_size for path in files)
    described.save(str(folder / "MLmodel"))
    refuse_pickle(folder)


@contextmanager
def _greedy(language_model: LanguageModel, max_new_tokens: int) -> Iterator[None]:
    """Let a model generate greedily by itself, put back as it was afterwards.

    A pipeline samples, and a pretrained model's own generation config may ask for it.
    """
    model, tokenizer = language_model.model, language_model.tokenizer
    before = model.generation_config
    model.generation_config = copy.deepcopy(before)
    model.generation_config.update(
        **dict.fromkeys(_NOT_GREEDY),
        do_sample=False,
        num_beams=1,
        max_new_tokens=max_new_tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=pad_token_id(tokenizer),
        _from_model_config=False,
    )
    try:
        yield
    finally:
        model.generation_config = before


def _shown(template: str) -> str:
    """Return the prompt as MLflow shows it."""
    if template == CHAT:
        return "the chat template of the tokenizer: {prompt}"
    names = {name: f"{{{name}}}" for name in field_names(template)}
    return prompt_text({**names, "question": "{prompt}"}, template)


def refuse_pickle(folder: Path) -> None:
    """Make sure that nothing in a folder is read by unpickling.

    Raises:
        ValueError: A file may be; the message names it.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (path.suffix in _PICKLED or _is_pickle(path)):
            raise ValueError(
                f"{path.name} of the registered model may hold pickled objects, which run code "
                "when they are read: only safetensors weights are taken"
            )


def read(folder: Path, card: Mapping[str, Any]) -> LanguageModel:
    """Read a student that `save` wrote, by its weights and its tokenizer's file alone.

    Args:
        folder: The folder, downloaded.
        card: What its card is to say.
    """
    from kd_kedro.registry.registered_student import read_model

    refuse_pickle(folder)
    with quiet_transformers():
        model, tokenizer = read_model(folder)
    return LanguageModel(model.eval(), tokenizer, card)


def register(
    client: Any,
    name: str,
    language_model: LanguageModel,
    *,
    run_id: str,
    tags: Mapping[str, Any],
    decision: Mapping[str, Any],
    card: str = "",
    asking: Asking | None = None,
    description: str = "",
) -> Any:
    """Return the version of the registered model with these weights, a new one if there is none.

    Args:
        client: An `MlflowClient`.
        name: Name of the registered model; made where there is none.
        language_model: The model that `save` describes.
        run_id: MLflow's id of the run it belongs to.
        tags: What the version is and where it comes from: written once, with the version.
        decision: What was decided of it now; what was decided earlier is replaced.
        card: The card that `save` describes.
        asking: The longest answer and the example question that `save` describes.
        description: What the version is, in Markdown; its address is added.
    """
    fingerprint = weights_fingerprint(language_model.model)
    kept = {
        **tags,
        "weights": fingerprint,
        "max_length": language_model.max_length,
        "parameters": language_model.parameters,
    }
    found = registered(client, name, fingerprint)
    if found is None:
        known = {each.name: each for each in client.search_registered_models(f"name='{name}'")}
        if name not in known:
            client.create_registered_model(name, description=_WHAT)
        elif not known[name].description:
            client.update_registered_model(name, _WHAT)
        with TemporaryDirectory() as place:
            save(language_model, Path(place) / "model", card, asking)
            client.log_artifacts(run_id, str(Path(place) / "model"), name)
        source = f"{client.get_run(run_id).info.artifact_uri}/{name}"
        texts = {key: str(value) for key, value in {**kept, **decision}.items()}
        found = client.create_model_version(name, source, run_id, tags=texts)
    for key, value in decision.items():
        client.set_model_version_tag(name, found.version, key, str(value))
    fields = prompt_fields([language_model.tokenizer])
    record = f"{{{', '.join(f'{each!r}: {each}' for each in fields)}}}"
    example = "question" if len(fields) == 1 else record
    asked = f"mlflow.pyfunc.load_model('models:/{name}/{found.version}').predict([{example}])"
    client.update_model_version(name, found.version, f"{description}\n\n`{asked}`".strip())
    return client.get_model_version(name, found.version)


def registered(client: Any, name: str, fingerprint: str) -> Any | None:
    """Return the version of a registered model that has these weights; None where none has."""
    for each in client.search_model_versions(f"name='{name}'"):
        if each.tags.get("weights") == fingerprint:
            return each
    return None


def champion(client: Any, name: str) -> Any | None:
    """Return the version that the alias points to; None where there is none."""
    models = client.search_registered_models(f"name='{name}'")
    number = next((model.aliases.get(CHAMPION) for model in models), None)
    return client.get_model_version(name, number) if number else None


def anchor(client: Any, holder: Any) -> Any | None:
    """Return the last champion that was better, to which the next ones are held.

    It is the champion itself, also where it came before this was kept; None where it is gone.

    Args:
        client: An `MlflowClient`.
        holder: The version that is the champion.
    """
    number = holder.tags.get(ANCHOR, str(holder.version))
    if number == str(holder.version):
        return holder
    versions = client.search_model_versions(f"name='{holder.name}'")
    return next((each for each in versions if str(each.version) == number), None)


def load(client: Any, version: Any, place: Path) -> LanguageModel:
    """Return the student of a version.

    Args:
        client: An `MlflowClient`.
        version: The version.
        place: Folder to download it to.

    Raises:
        ValueError: It is not what was registered.
    """
    import mlflow

    uri = client.get_model_version_download_uri(version.name, version.version)
    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(place)))
    student = read(folder, {"max_length": int(version.tags.get("max_length", 0))})
    if weights_fingerprint(student.model) != version.tags.get("weights"):
        raise ValueError(
            f"version {version.version} of {version.name} is not what was registered (its weights "
            f"differ): delete it, or move the alias {CHAMPION} to another version"
        )
    return student


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4)
    # A pickle of protocol 2 or later, or a zip archive, in which torch puts one.
    return (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05") or head == b"PK\x03\x04"
