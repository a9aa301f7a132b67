"""Students in MLflow's model registry: written and read without pickle and without the network."""

from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.quiet import quiet_transformers
from kd_kedro.storage.fingerprints import weights_fingerprint

CHAMPION = "champion"
TASK = "text-generation"
_NEEDED = ("mlflow", "torch", "transformers", "tokenizers", "safetensors")
_PICKLED = {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".dill", ".ckpt"}


def save(language_model: LanguageModel, folder: Path, card: str = "") -> None:
    """Write a student in MLflow's transformers flavour.

    Args:
        language_model: A causal language model without adapter.
        folder: A folder that is not there yet.
        card: Its model card, Markdown with its metadata; '' for none.

    Raises:
        ValueError: It is an encoder-decoder model, or a file of the folder holds pickled objects.
    """
    import mlflow
    from huggingface_hub import ModelCard

    model = language_model.model
    check(model)
    named = model.name_or_path
    # MLflow writes this name into its files and asks the hub for a name that could be one there.
    model.name_or_path = "kd_kedro student"
    # Whoever loads it asks without a limit; an answer without an end stops at the last position.
    limit = model.generation_config.max_length
    model.generation_config.max_length = language_model.max_length
    try:
        with quiet_transformers():
            mlflow.transformers.save_model(
                {"model": model, "tokenizer": language_model.tokenizer},
                str(folder),
                task=TASK,
                model_card=ModelCard(card) if card else None,
                # Without these MLflow loads the model to see what it imports, torchvision too.
                pip_requirements=[f"{name}=={installed(name)}" for name in _NEEDED],
            )
    finally:
        model.name_or_path = named
        model.generation_config.max_length = limit
    refuse_pickle(folder)


def check(model: Any) -> None:
    """Make sure that a model can be registered.

    Raises:
        ValueError: It is an encoder-decoder model.
    """
    if model.config.is_encoder_decoder:
        raise ValueError(
            f"the student ({type(model).__name__}) has an encoder and a decoder, and the installed "
            "transformers has no pipeline for their text: MLflow cannot register it"
        )


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
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    refuse_pickle(folder)
    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(
            folder / "model",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype="auto",
        )
        tokenizer = PreTrainedTokenizerFast.from_pretrained(
            folder / "components" / "tokenizer", local_files_only=True
        )
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
        if name not in {model.name for model in client.search_registered_models(f"name='{name}'")}:
            client.create_registered_model(name)
        with TemporaryDirectory() as place:
            save(language_model, Path(place) / "model", card)
            client.log_artifacts(run_id, str(Path(place) / "model"), name)
        source = f"{client.get_run(run_id).info.artifact_uri}/{name}"
        texts = {key: str(value) for key, value in {**kept, **decision}.items()}
        return client.create_model_version(name, source, run_id, tags=texts)
    for key, value in decision.items():
        client.set_model_version_tag(name, found.version, key, str(value))
    return found


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
