"""The configuration of the project: from several environments, parameters checked and complete."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.project import pipelines
from omegaconf import OmegaConf

from kd_kedro.runs.environments import environment_names, no_environment
from kd_kedro.runs.parameter_check import check_parameters
from kd_kedro.runs.pipeline_packages import catalog_keys, parameter_models, renamed_parameters
from kd_kedro.storage.fingerprints import file_fingerprint

PROJECT_PATH = Path(__file__).resolve().parents[3]


class CheckedConfigLoader(OmegaConfigLoader):  # type: ignore[misc]
    """Kedro's loader, for several environments; its parameters hold every default of the models.

    Kedro reads the base and one environment. This one reads the base, every environment that `env`
    names (`gpt2,server`), in this order, and the default one (conf/local) last. A key of
    globals.yml may be given by `--params`; which ones, `CATALOG_KEYS` of the pipelines say.
    `${environment:}` stands for the environments as `--env` takes them, '' for none, and
    `${with_sample:one,other}` for the first value where the sheet is the one that the sample's
    teacher was made for, else for the other.

    The check of parameters is no hook, because kedro-viz loads a project without hooks, and Kedro
    passes over a group of parameters that no file has.
    """

    def __getitem__(self, key: str) -> Any:
        """Return a kind of configuration.

        Raises:
            ValueError: An environment that is not there, or an unknown or impossible parameter;
                named in one sentence.
        """
        if key in self or key not in self.config_patterns:
            return super().__getitem__(key)
        if key != "parameters":
            return self._merged(key)
        pipelines.set_requested(None)  # a parameter may belong to a pipeline that is not run
        self[key] = check_parameters(
            self._merged(key),
            parameter_models(),
            self,
            renamed=renamed_parameters(),
            catalog_keys=catalog_keys(),
        )
        return self[key]

    def _merged(self, key: str) -> dict[str, Any]:
        named = ",".join(environment_names(self)[1:-1])
        OmegaConf.register_new_resolver("environment", lambda: named, replace=True)
        if key == "parameters":
            sample = is_sample(self["globals"])
            OmegaConf.register_new_resolver(
                "with_sample", lambda one, other: one if sample else other, replace=True
            )
        layers = [self._of_one(name, key) for name in environment_names(self)]
        if key == "globals":
            merged = {name: value for layer in layers for name, value in layer.items()}
            given = self.runtime_params or {}
            return _soft(merged, {name: given[name] for name in given.keys() & merged.keys()})
        if not any(layers):
            raise MissingConfigException(f"{self.conf_source} has no file of {key}")
        if self.merge_strategy.get(key) == "soft":
            return reduce(_soft, layers)
        return {name: value for layer in layers for name, value in layer.items()}

    def _of_one(self, name: str, key: str) -> dict[str, Any]:
        """Return what one environment alone says, as Kedro reads it."""
        ends = self.base_env, self.env
        self.base_env = self.env = name
        found: dict[str, Any] | None = None
        with suppress(MissingConfigException):  # there is no such folder
            found = super().__getitem__(key)
        self.base_env, self.env = ends
        if found is None and name != self.default_run_env:  # a clone has no conf/local
            raise ValueError(no_environment(name, self))
        return found or {}


def is_sample(places: Mapping[str, Any]) -> bool:
    """Return whether the sheet is the one that the sample's teacher was made for.

    That teacher has read a corpus without what this very sheet holds out, which its card names by
    hash; of another sheet it may have read the held-out rows.

    Args:
        places: Values of globals.yml: `qa_csv` and `sample_teacher`.
    """
    sheet = PROJECT_PATH / str(places["qa_csv"])
    card = PROJECT_PATH / str(places["sample_teacher"]) / "card.json"
    if not (sheet.is_file() and card.is_file()):
        return False
    made_for = json.loads(card.read_text(encoding="utf-8")).get("sheet")
    return bool(made_for == file_fingerprint(sheet))


def _soft(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return nested values with those of the other put over them, leaf by leaf."""
    merged: Any = OmegaConf.to_container(OmegaConf.unsafe_merge(one, other))
    return merged  # type: ignore[no-any-return]
