"""A text generator as a catalog entry: which one rewrites is an edit of the catalog."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml
from kedro.io import AbstractDataset
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kd_kedro.generation.llm.chat_server import ChatServer, ServerOptions
from kd_kedro.generation.llm.llm_generator import Backend, LanguageModelGenerator, Price
from kd_kedro.generation.llm.local_model import LocalModel, LocalOptions
from kd_kedro.generation.llm.response_cache import ResponseCache
from kd_kedro.generation.prompts import Prompt, read_prompts
from kd_kedro.generation.protocol import TextGenerator
from kd_kedro.generation.routes import RoutedGenerator
from kd_kedro.generation.rules.rule_generator import RulesGenerator

# Generators that their options make. What one reads from a file must be named in its options by
# its hash: options are all that the freshness check sees of it.
_GENERATORS: dict[str, Callable[..., TextGenerator]] = {"rules": RulesGenerator}
# Language models: by name, options and credentials, who answers.
_LANGUAGE_MODELS: dict[str, Callable[[str, Mapping[str, Any], Any], Backend]] = {
    "transformers": lambda name, options, _: LocalModel(name, LocalOptions.model_validate(options)),
    "openai": lambda name, options, credentials: ChatServer(
        name, ServerOptions.model_validate(options), keys_of(f"text generator {name}", credentials)
    ),
}
_ONE = (*_GENERATORS, *_LANGUAGE_MODELS)
BACKENDS = (*_ONE, "by_task")


class _PriceOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(default=0.0, ge=0, description="Of a million tokens read.")
    output: float = Field(default=0.0, ge=0, description="Of a million tokens written.")


class _CommonOptions(BaseModel):
    """What every language model may be told."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    price: _PriceOptions = _PriceOptions()
    max_failed_share: float = Field(default=0.2, ge=0, le=1, description="More stops the run.")


class TextGeneratorDataset(AbstractDataset[None, TextGenerator]):  # type: ignore[misc]
    """Loads a text generator; nothing is saved.

    Attributes:
        OPERATIONAL: Options that say how to ask, not what comes of it: a change of one makes
            nothing stale.
    """

    OPERATIONAL = frozenset(
        [
            "base_url",
            "credentials",
            "concurrency",
            "requests_per_minute",
            "tokens_per_minute",
            "timeout_s",
            "retries",
            "backoff_s",
            "max_wait_s",
            "price",
            "max_failed_share",
            "batch_size",
            "download",
        ]
    )

    def __init__(
        self,
        backend: str = "rules",
        options: Mapping[str, Any] | None = None,
        prompts: str | None = None,
        cache: str | None = None,
        credentials: Mapping[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe a text generator.

        Args:
            backend: One of `BACKENDS`.
            options: Those of the backend: see docs/generation.md.
            prompts: YAML file of prompts by task; language models need one.
            cache: SQLite file that keeps replies between runs; None keeps none.
            credentials: `keys` of the server, a list or one text with commas.
            metadata: Metadata for kedro-viz; not used here.

        Raises:
            ValueError: There is no such backend.
        """
        if backend not in BACKENDS:
            raise ValueError(
                f"backend '{backend}' of text_generator is unknown: use one of "
                f"{', '.join(BACKENDS)} in the catalog"
            )
        self._backend = backend
        self._options = dict(options or {})
        self._credentials = credentials
        self._cache = Path(cache) if cache else None
        # The freshness check reads this file: an artifact made with other prompts is stale.
        self._filepath = prompts or ""
        self.metadata = metadata

    def load(self) -> TextGenerator:
        """Return the text generator.

        Raises:
            ValueError: The description does not fit the backend; the message says where.
        """
        if self._backend in _GENERATORS:
            return _generator("text_generator", self._backend, self._options)
        prompts = self._read_prompts()
        cache = ResponseCache(self._cache)
        if self._backend != "by_task":
            return _language_model(
                self._backend, self._backend, self._options, self._credentials, prompts, cache
            )
        return _routed(self._options, prompts, cache)

    def save(self, data: None) -> NoReturn:
        """Refuse: a generator is made from its description.

        Raises:
            OSError: Always.
        """
        raise OSError("text_generator is read-only: describe it in the catalog")

    def _read_prompts(self) -> dict[str, Prompt]:
        if not self._filepath:
            raise ValueError(
                f"text_generator of backend {self._backend} has no prompts: name their file as "
                "`prompts` in the catalog"
            )
        try:
            content = yaml.safe_load(Path(self._filepath).read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(
                f"{self._filepath} cannot be read ({error.strerror}): correct `prompts` of "
                "text_generator"
            ) from error
        except yaml.YAMLError as error:
            raise ValueError(f"{self._filepath} is no YAML: {error}; mend it") from error
        if not isinstance(content, dict):
            raise ValueError(f"{self._filepath} has no prompts by task: mend it")
        return read_prompts(content, self._filepath)

    def _describe(self) -> dict[str, Any]:
        # Only what is surely no key, wherever one was put by mistake.
        described = self._options.get("generators", {"text_generator": self._options})
        models = {
            name: own.get("model", own.get("backend")) if isinstance(own, Mapping) else None
            for name, own in described.items()
        }
        return {
            "backend": self._backend,
            "models": models,
            "tasks": self._options.get("tasks"),
            "prompts": Path(self._filepath).name or None,
        }


def _generator(name: str, backend: str, options: Mapping[str, Any]) -> TextGenerator:
    try:
        return _GENERATORS[backend](**options)
    except TypeError as error:
        raise ValueError(
            f"options of {name} do not fit the backend {backend}: {error}; correct them in the "
            "catalog"
        ) from error


def _routed(
    options: Mapping[str, Any], prompts: Mapping[str, Prompt], cache: ResponseCache
) -> RoutedGenerator:
    unknown = set(options) - {"generators", "tasks"}
    if unknown or not options.get("generators") or not options.get("tasks"):
        raise ValueError(
            "options of text_generator with backend by_task are `generators`, by name, and "
            "`tasks`, names by task: correct them in the catalog"
        )
    generators: dict[str, TextGenerator] = {}
    for name, described in options["generators"].items():
        own = dict(described)
        backend, credentials = own.pop("backend", None), own.pop("credentials", None)
        if backend in _GENERATORS:
            generators[name] = _generator(name, backend, own)
        else:
            generators[name] = _language_model(name, backend, own, credentials, prompts, cache)
    tasks = {
        task: [names] if isinstance(names, str) else list(names)
        for task, names in options["tasks"].items()
    }
    return RoutedGenerator(generators, tasks)


def _language_model(
    name: str,
    backend: Any,
    options: Mapping[str, Any],
    credentials: Mapping[str, Any] | None,
    prompts: Mapping[str, Prompt],
    cache: ResponseCache,
) -> LanguageModelGenerator:
    own = {key: value for key, value in options.items() if key not in _CommonOptions.model_fields}
    try:
        common = _CommonOptions.model_validate(dict(options))
        if backend not in _LANGUAGE_MODELS:
            raise ValueError(
                f"backend '{backend}' of text generator {name} is unknown: use "
                f"{', '.join(_ONE[:-1])} or {_ONE[-1]}"
            )
        made = _LANGUAGE_MODELS[backend](name, own, credentials)
    except ValidationError as error:
        # The message must not repeat the value: it may be a key in the wrong place.
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"options of text generator {name} do not fit the backend {backend}: {where}: "
            f"{first['msg']}; correct them in the catalog"
        ) from None
    return LanguageModelGenerator(
        name,
        made,
        prompts,
        cache,
        price=Price(common.price.input, common.price.output),
        max_failed_share=common.max_failed_share,
    )


def keys_of(who: str, credentials: Mapping[str, Any] | None) -> list[str]:
    """Return the keys of a server; none where it has no credentials.

    Args:
        who: What messages call what the catalog describes.
        credentials: `keys`, a list or one text with commas.

    Raises:
        ValueError: They hold no key, or one that cannot be one.
    """
    if credentials is None:
        return []
    keys = credentials.get("keys") if isinstance(credentials, Mapping) else None
    keys = keys.split(",") if isinstance(keys, str) else keys
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError(
            f"credentials of {who} have no `keys`: write a list of them, or one "
            "text with commas, in credentials.yml"
        )
    found = list(dict.fromkeys(key.strip() for key in keys if key.strip()))
    for number, key in enumerate(found, 1):
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError(
                f"key {number} in the credentials of {who} has a character that "
                "no key has: copy it again"
            )
    if not found:
        raise ValueError(f"credentials of {who} have no key in `keys`: add one")
    return found
