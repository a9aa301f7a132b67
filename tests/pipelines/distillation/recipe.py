"""Running the distillation pipeline with the settings of conf/, and nothing else."""

from functools import reduce
from pathlib import Path

import pandas as pd
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from omegaconf import OmegaConf

from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.pipelines.distillation import PARAMETERS, create_pipeline
from kd_kedro.pipelines.distillation.groups import decide_capture, inherit_training
from kd_kedro.runs.parameter_check import with_groups

CONF = Path(__file__).resolve().parents[3] / "conf"
TARGETS = {"hidden_state_weight": 0.0}  # an objective that asks for nothing but targets
NO_TEACHER = {"beta": 0.0, **TARGETS}  # one that asks no teacher


class Kept(MemoryDataset):
    """In memory, and still there after the run."""

    def __init__(self, data=None):
        super().__init__(**({} if data is None else {"data": data}), copy_mode="assign")

    def _release(self):
        pass


def whole(env, changed=None):
    """Return all parameters of the pipeline as plain values, of a sheet that is not the sample."""
    # The project's own loader, in another test, may have said otherwise.
    OmegaConf.register_new_resolver("with_sample", lambda one, other: other, replace=True)
    loader = OmegaConfigLoader(
        str(CONF),
        env=env,
        base_env="base",
        default_run_env="local",
        merge_strategy={"parameters": "soft"},
        runtime_params={"distillation": changed} if changed else None,
    )
    written = with_groups(PARAMETERS, loader["parameters"]["distillation"])
    return decide_capture(inherit_training(written))


def parameters(env, changed=None):
    """Return the `params:` inputs of the pipeline, checked by their models."""
    given, values = whole(env, changed), {}
    for name in create_pipeline().inputs():
        if name.startswith("params:"):
            _, group, *inner = name.split(".")
            model = PARAMETERS.model_fields[group].annotation
            values[name] = reduce(getattr, inner, model.model_validate(given[group]))
    return values


def run(
    table: pd.DataFrame, folder: Path, env="test", changed=None, teacher=None, **entries
) -> DataCatalog:
    """Run the pipeline on a table; models stay in memory, work directories lie in `folder`.

    `teacher` is an entry of the catalog in the place of one in memory.
    """
    inputs = {
        "augmented_qa": table,
        "target_store": _made(folder / "store"),
        "training_work_dir": _made(folder / "work"),
        "text_generator": RulesGenerator(),
        **parameters(env, changed),
        **entries,
    }
    catalog = DataCatalog({name: Kept(value) for name, value in inputs.items()})
    for name in create_pipeline().all_outputs():
        catalog[name] = teacher if teacher and name == "teacher" else Kept()
    SequentialRunner().run(create_pipeline(), catalog)
    return catalog


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
