"""A text generator as a catalog entry: which one rewrites is an edit of the catalog."""

from collections.abc import Mapping
from typing import Any, NoReturn

from kedro.io import AbstractDataset

from kd_kedro.generation.protocol import TextGenerator
from kd_kedro.generation.rules import RulesGenerator

BACKENDS = {"rules": RulesGenerator}


class TextGeneratorDataset(AbstractDataset[None, TextGenerator]):  # type: ignore[misc]
    """Loads a text generator; nothing is saved."""

    def __init__(
        self,
        backend: str = "rules",
        options: Mapping[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe a text generator.

        Args:
            backend: One of `BACKENDS`.
            options: Keyword arguments of the backend.
            metadata: For kedro-viz; not used here.

        Raises:
            ValueError: There is no such backend.
        """
        if backend not in BACKENDS:
            raise ValueError(
                f"backend '{backend}' of text_generator is unknown: use one of "
                f"{', '.join(BACKENDS)} in conf/base/preprocessing/catalog.yml"
            )
        self._backend = backend
        self._options = dict(options or {})
        self.metadata = metadata

    def load(self) -> TextGenerator:
        """Return the text generator.

        Raises:
            ValueError: The backend does not know an option, or its value is out of bounds.
        """
        try:
            return BACKENDS[self._backend](**self._options)
        except TypeError as error:
            raise ValueError(
                f"options of text_generator do not fit the backend {self._backend}: {error}; "
                "see conf/base/preprocessing/catalog.yml"
            ) from error

    def save(self, data: None) -> NoReturn:
        """Refuse: a generator is made from its description.

        Raises:
            OSError: Always.
        """
        raise OSError("text_generator is read-only: describe it in the catalog")

    def _describe(self) -> dict[str, Any]:
        return {"backend": self._backend, "options": self._options}
