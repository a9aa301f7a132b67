"""The database in which a study's trials outlive the run that began them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset

if TYPE_CHECKING:
    from sqlalchemy import URL


class StudyStorageDataset(AbstractDataset[NoReturn, "URL"]):
    """Gives a node the address of a database that Optuna keeps studies in.

    ```yaml
    study_storage:
      type: kd_kedro.datasets.study_storage.StudyStorageDataset
      url: postgresql+psycopg://db.example.org:5432/optuna
      credentials: study_storage    # in credentials.yml: {username: …, password: …}
    ```
    """

    OPERATIONAL = frozenset({"url", "credentials"})  # where trials lie changes no trial

    def __init__(
        self,
        *,
        url: str,
        credentials: Mapping[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Read the address.

        Args:
            url: Address in SQLAlchemy's form. The folder of a sqlite file is made.
            credentials: `username` and `password`, which then need not stand in the address.
            metadata: Metadata for kedro-viz.

        Raises:
            ValueError: The address is none, or the credentials are no mapping of those keys.
        """
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            address = make_url(url)
        except (ArgumentError, ValueError):  # both repeat the address, and it may hold a password
            raise ValueError(
                "the url of the study's storage cannot be read: write it in the catalog as "
                "sqlite:////folder/study.sqlite or postgresql+psycopg://host:5432/database"
            ) from None
        if credentials is not None and not isinstance(credentials, Mapping):
            raise ValueError(
                "the credentials of the study's storage are no mapping: write them in "
                "credentials.yml as {username: …, password: …}"
            )
        if unknown := sorted((credentials or {}).keys() - {"username", "password"}):
            raise ValueError(
                f"the credentials of the study's storage hold {', '.join(unknown)}: it takes "
                "username and password"
            )
        self._url = address.set(**credentials) if credentials else address
        self.metadata = metadata

    def load(self) -> "URL":
        """Return the address; it shows no password where it is printed.

        Raises:
            OSError: The folder of a sqlite file cannot be made.
        """
        if self._url.get_backend_name() == "sqlite" and self._url.database:
            folder = Path(self._url.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OSError(
                    f"the folder {folder} of the study's storage cannot be made "
                    f"({error.strerror}): free the path or change study_storage in the catalog"
                ) from error
        return self._url

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: trials are written by the study itself."""
        raise NotImplementedError("a study's storage is an address, nothing is saved to it")

    def _describe(self) -> dict[str, Any]:
        return {"url": self._url.render_as_string(hide_password=True)}
