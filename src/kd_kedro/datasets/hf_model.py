"""Hugging Face models and tokenizers as versioned folders: safetensors, tokenizer.json, a card."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, cast

from kedro.io import AbstractVersionedDataset, Version
from pydantic import ValidationError

from kd_kedro.datasets.previews import JSONPreview
from kd_kedro.datasets.text_generator import keys_of
from kd_kedro.models.causal_lm import NO_SERVER, LanguageModel
from kd_kedro.models.prompt_format import saved_with
from kd_kedro.models.quiet import quiet_transformers
from kd_kedro.storage.atomic import write_folder
from kd_kedro.storage.fingerprints import file_fingerprint

CARD = "card.json"
BASE = "base"  # where the model lies that an adapter belongs to
ENSEMBLE = "ensemble"  # where the other teachers of an ensemble lie
Models = LanguageModel | dict[str, LanguageModel]


class HFModelDataset(AbstractVersionedDataset[Models, Models]):
    """Saves one `LanguageModel`, or a dict of them, each in a folder of its own.

    A folder appears whole or not at all, and its card keeps the hash of every file, so that a
    damaged one is refused by name instead of giving wrong answers. A model with an adapter is the
    adapter in the format of `peft`, and its base in a folder below; the other teachers of an
    ensemble lie in folders below the first one's, which its card counts as its own files.

    ```yaml
    student:
      type: kd_kedro.datasets.hf_model.HFModelDataset
      filepath: data/06_models/student
      versioned: true
    ```
    """

    def __init__(
        self,
        *,
        filepath: str,
        device: str = "auto",
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember where the folder is to be.

        Args:
            filepath: The folder, without its version.
            device: Where models are put on loading: `auto` is a GPU where there is one.
            version: Kedro's.
            metadata: Metadata for kedro-viz.
        """
        super().__init__(PurePosixPath(filepath), version)
        self._device = device
        self.metadata = metadata

    def load(self) -> Models:
        """Return the model, or the models by name.

        Raises:
            ValueError: A file is missing or is not what was saved; the message names it.
        """
        folder = Path(self._get_load_path())
        if (folder / CARD).is_file():
            return self._load_model(folder)
        parts = sorted(path for path in folder.glob("*") if path.is_dir())
        if not parts and not (folder / "empty").is_file():
            raise ValueError(_broken(folder, f"{CARD} is missing"))
        return {path.name: self._load_model(path) for path in parts}

    def save(self, data: Models) -> None:
        """Write the folder beside its place, then move it there."""
        write_folder(Path(self._get_save_path()), lambda folder: _save_models(folder, data))

    def preview(self) -> JSONPreview:
        """Return the card, or the cards by name, for kedro-viz."""
        folder = Path(self._get_load_path())
        cards = {path.parent.name: _card(path.parent) for path in sorted(folder.rglob(CARD))}
        shown: Mapping[str, Any] = _card(folder) if (folder / CARD).is_file() else cards
        return JSONPreview(json.dumps(shown, ensure_ascii=False))

    def _load_model(self, folder: Path) -> LanguageModel:
        import torch

        _check_files(folder)
        try:
            with quiet_transformers():
                model = _read_model(folder)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(_broken(folder, f"its weights cannot be read ({reason})")) from error
        auto = "cuda" if torch.cuda.is_available() else "cpu"
        model = model.to(auto if self._device == "auto" else self._device).eval()
        card = _saved_card(folder)
        members = sorted(path for path in (folder / ENSEMBLE).glob("*") if path.is_dir())
        ensemble = {path.name: self._load_model(path) for path in members}
        return LanguageModel(model, _load_tokenizer(folder), card, ensemble)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


class ServedTeacherDataset(AbstractVersionedDataset[LanguageModel, LanguageModel]):
    """A teacher behind a server in the place of `teacher`; its tokenizer is what is saved.

    ```yaml
    teacher:
      type: kd_kedro.datasets.hf_model.ServedTeacherDataset
      filepath: data/06_models/teacher
      versioned: true
      options: {base_url: "http://127.0.0.1:8000/v1", model: Qwen/Qwen2.5-7B-Instruct}
    ```

    Attributes:
        NEEDS: Parameters by key, with the values they must have beside it.
    """

    NEEDS: ClassVar = {"distillation.teacher.served": True}

    def __init__(
        self,
        *,
        filepath: str,
        options: Mapping[str, Any],
        cache: str | None = None,
        credentials: Mapping[str, Any] | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the server.

        Args:
            filepath: The folder of the tokenizer, without its version.
            options: Those of `TeacherServerOptions`.
            cache: SQLite file that keeps what was answered between runs; None keeps nothing.
            credentials: `keys` of the server, a list or one text with commas.
            version: Kedro's.
            metadata: Metadata for kedro-viz.
        """
        super().__init__(PurePosixPath(filepath), version)
        self._options, self._credentials = dict(options), credentials
        self._cache = Path(cache) if cache else None
        self.metadata = metadata

    def load(self) -> LanguageModel:
        """Return the teacher, who has no tokenizer before one was saved.

        Raises:
            ValueError: The options are none of a server, or a file is not what was saved.
        """
        server = self._server()
        if not self.exists():
            return LanguageModel(None, None, {}, server=server)
        folder = Path(self._get_load_path())
        _check_files(folder)
        return LanguageModel(None, _load_tokenizer(folder), _saved_card(folder), server=server)

    def save(self, data: LanguageModel) -> None:
        """Write the tokenizer, and which model it belongs to."""
        card = {**data.card, "server": self._server().identity()}

        def fill(folder: Path) -> None:
            data.tokenizer.save_pretrained(folder)
            _write_card(folder, card)

        write_folder(Path(self._get_save_path()), fill)

    def preview(self) -> JSONPreview:
        """Return the card for kedro-viz."""
        return JSONPreview(json.dumps(_card(Path(self._get_load_path())), ensure_ascii=False))

    def _server(self) -> Any:
        from kd_kedro.training.teacher.teacher_server import TeacherServer, TeacherServerOptions

        try:
            options = TeacherServerOptions.model_validate(self._options)
        except ValidationError as error:
            # The message must not repeat the value: it may be a key in the wrong place.
            first = error.errors()[0]
            raise ValueError(
                f"options.{'.'.join(map(str, first['loc']))} of teacher in the catalog: "
                f"{first['msg']}; correct it"
            ) from None
        who = "the teacher behind a server"
        return TeacherServer(who, options, tuple(keys_of(who, self._credentials)), self._cache)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_dir()

    def _describe(self) -> dict[str, Any]:
        # Only what is surely no key, wherever one was put by mistake.
        return {
            "filepath": str(self._filepath),
            "model": self._options.get("model"),
            "version": self._version,
        }


class HFTokenizerDataset(AbstractVersionedDataset[Any, Any]):
    """Saves a fast tokenizer as a versioned folder."""

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember where the folder is to be.

        Args:
            filepath: The folder, without its version.
            version: Kedro's.
            metadata: Metadata for kedro-viz.
        """
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def load(self) -> Any:
        """Return the tokenizer.

        Raises:
            ValueError: A file is missing or is not what was saved; the message names it.
        """
        folder = Path(self._get_load_path())
        _check_files(folder)
        return _load_tokenizer(folder)

    def save(self, data: Any) -> None:
        """Write the folder beside its place, then move it there."""

        def fill(folder: Path) -> None:
            data.save_pretrained(folder)
            _write_card(folder, {"vocabulary": len(data), "class": type(data).__name__})

        write_folder(Path(self._get_save_path()), fill)

    def preview(self) -> JSONPreview:
        """Return the card for kedro-viz."""
        return JSONPreview(json.dumps(_card(Path(self._get_load_path())), ensure_ascii=False))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


def _save_models(folder: Path, data: Models) -> None:
    if isinstance(data, LanguageModel):
        _save_model(folder, data)
        return
    for name, model in data.items():
        (folder / name).mkdir()
        _save_model(folder / name, model)
    if not data:
        (folder / "empty").touch()


def _save_model(folder: Path, language_model: LanguageModel) -> None:
    if language_model.model is None:
        raise ValueError(NO_SERVER)
    from kd_kedro.models.adapters import is_adapted, save_adapter, without_adapter

    for name, member in language_model.ensemble.items():
        (folder / ENSEMBLE / name).mkdir(parents=True)
        _save_model(folder / ENSEMBLE / name, member)
    model = language_model.model
    with quiet_transformers():
        if is_adapted(model):
            save_adapter(model, folder)
            without_adapter(model).save_pretrained(folder / BASE)
        else:
            model.save_pretrained(folder)
    encoded = bool(model.config.is_encoder_decoder)
    saved_with(language_model.tokenizer, encoded=encoded).save_pretrained(folder)
    _write_card(folder, dict(language_model.card))


def _read_model(folder: Path) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    from kd_kedro.models.adapters import load_adapter

    if (folder / BASE).is_dir():
        return load_adapter(_read_model(folder / BASE), folder)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return kind.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        dtype="auto",
    )


def _write_card(folder: Path, card: dict[str, Any]) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): file_fingerprint(path) for path in paths}
    text = json.dumps({**card, "files": files}, indent=2, ensure_ascii=False)
    (folder / CARD).write_text(text, encoding="utf-8")


def _card(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(_broken(folder, f"{CARD} is missing or no JSON")) from error
    return cast(dict[str, Any], card)


def _saved_card(folder: Path) -> dict[str, Any]:
    return {key: value for key, value in _card(folder).items() if key != "files"}


def _check_files(folder: Path) -> None:
    files = _card(folder).get("files")
    if not isinstance(files, dict):
        raise ValueError(_broken(folder, f"{CARD} does not list its files"))
    for name, saved in files.items():
        path = folder / name
        if not path.is_file():
            raise ValueError(_broken(folder, f"{name} is missing"))
        if file_fingerprint(path) != saved:
            raise ValueError(_broken(folder, f"{name} is not what was saved (its hash differs)"))


def _load_tokenizer(folder: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    # tokenizer.json says all; a class named after an architecture would rebuild it its own way.
    return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def _broken(folder: Path, what: str) -> str:
    return (
        f"the model folder {folder} is damaged: {what}; run the pipeline that makes it again, or "
        "choose another version with --load-versions"
    )
