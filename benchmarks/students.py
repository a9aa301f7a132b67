"""A sheet prepared once by the real pipelines, and students trained on what they left.

Everything lies in one folder, the cache: the project's data with its teacher, captured targets,
and each student in a folder addressed by all that determines it. So a comparison that was stopped
goes on where it was, and two benchmarks share the students that they have in common.
"""

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from measuring import at_least, file_to_write
from tqdm import tqdm

from kd_kedro.datasets.hf_model import HFModelDataset
from kd_kedro.metrics.statistics.significance import Floats
from kd_kedro.storage.fingerprints import file_fingerprint, settings_fingerprint
from kd_kedro.training.teacher.targets import TeacherTargets

ROOT = Path(__file__).resolve().parents[1]
PREPARED = "prepared.json"  # in the cache, once the sheet's teacher is trained: of what
RUN = "run.json"  # in a student's folder, written last
TEACHER = "train_teacher"
CAPTURE = "capture_targets"
SEED = "params:distillation.seeds.first"


@dataclass(frozen=True, eq=False)
class Recipe:
    """How a student is trained.

    Attributes:
        changes: Of the parameters below `distillation`: {"objective": {"beta": 1.0}, …}.
        node: `train_student`, or `train_baseline` for one that has no teacher.
    """

    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    node: str = "train_student"


@dataclass(frozen=True)
class Sheet:
    """What the pipelines left of one sheet; plain values, so that workers can have it."""

    cache: Path
    env: str
    max_tokens: int

    @contextmanager
    def project(self, recipe: Recipe, seed: int) -> Iterator[tuple[Pipeline, Any]]:
        """Give the nodes that lead from the teacher to a student, and their catalog."""
        changes = {group: dict(values) for group, values in recipe.changes.items()}
        changes["seeds"] = {"first": seed}
        if self.max_tokens:
            changes["training"] = {"max_tokens": self.max_tokens, **changes.get("training", {})}
        whole = pipelines["distillation"]
        nodes = whole.to_nodes(full_name(whole, recipe.node))
        nodes -= whole.to_nodes(full_name(whole, TEACHER))
        with _session(self.cache, self.env, {"distillation": changes}) as context:
            catalog = context.catalog
            for name in nodes.all_outputs():
                catalog[name] = MemoryDataset()
            yield nodes, catalog

    def folder(self, recipe: Recipe, seed: int) -> Path:
        """Return where the student of a recipe and a seed lies, or will."""
        name = settings_fingerprint([recipe.node, determines(self, recipe), seed])
        return self.cache / "students" / name


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of what every comparison of students takes."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--data", type=Path, default=ROOT / "data" / "01_raw" / "final_qa.csv")
    made.add_argument("--cache", type=Path, help="keeps data, teacher, targets and students")
    made.add_argument("--env", default="local", help="the project's environment")
    made.add_argument("--seeds", type=at_least(2), default=5)
    made.add_argument("--tokens", type=at_least(1), help="budget; without: that of conf/base")
    made.add_argument("--processes", type=at_least(1), default=2)
    made.add_argument("--families", choices=("validation", "test"), default="test")
    made.add_argument("--json", type=file_to_write, help="write the figures here")
    return made


def context_of(sheet: Sheet) -> Any:
    """Give Kedro's context of what the pipelines left, in a `with`."""
    return _session(sheet.cache, sheet.env, {})


def full_name(pipeline: Pipeline, name: str) -> str:
    """Return a node's name with its namespaces."""
    (found,) = (node.name for node in pipeline.nodes if node.short_name == name)
    return str(found)


@cache
def determines(sheet: Sheet, recipe: Recipe) -> dict[str, Any]:
    """Return what a student depends on but its seed: its parameters, what its teacher is."""
    with sheet.project(recipe, 0) as (nodes, catalog):
        names = {name for name in nodes.inputs() if name.startswith("params:")} - {SEED}
        held = {name: catalog.load(name) for name in sorted(names)}
    made = {
        name: value.model_dump(mode="json") if hasattr(value, "model_dump") else value
        for name, value in held.items()
    }
    return {**made, "prepared": json.loads((sheet.cache / PREPARED).read_text("utf-8"))}


def prepare(sheet: Path, cache: Path, env: str, max_tokens: int) -> Sheet:
    """Run the project on a sheet up to its teacher, where that is not done, data in the cache.

    Args:
        sheet: Questions and answers, CSV or XLSX.
        cache: Folder.
        env: The project's environment.
        max_tokens: Budget of the students; 0 for that of the environment.

    Raises:
        ValueError: The cache holds another sheet or other parameters, or the run failed.
    """
    if not sheet.is_file():
        raise ValueError(f"{sheet} does not exist: give a sheet of questions and answers")
    cache = cache.resolve()
    bootstrap_project(ROOT)
    _quieten()
    _write_conf(sheet.resolve(), cache, env)
    made = Sheet(cache, env, max_tokens)
    last = full_name(pipelines["__default__"], TEACHER)
    upstream = pipelines["__default__"].to_nodes(last)
    with _session(cache, env, {}) as context:
        names = sorted(name for name in upstream.inputs() if name.startswith("params:"))
        catalog = context.catalog  # made anew each time it is asked for
        parameters = json.dumps([str(catalog.load(name)) for name in names])
        given = ROOT / catalog.load("params:distillation.teacher").pretrained
    weights = given / "model.safetensors"
    asked = {
        "sheet": file_fingerprint(sheet),
        "teacher": file_fingerprint(weights) if weights.is_file() else "",
        "parameters": settings_fingerprint([parameters]),
        "env": env,
    }
    if (cache / PREPARED).is_file():
        held = json.loads((cache / PREPARED).read_text(encoding="utf-8"))
        if held != asked:
            differs = next(key for key in asked if held.get(key) != asked[key])
            raise ValueError(f"{cache} was prepared from another {differs}: name another --cache")
        return made
    words = ["run", "--conf-source", str(cache / "conf"), "--env", env, "--to-nodes", last]
    ran = subprocess.run(
        [sys.executable, "-m", "kedro", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "DO_NOT_TRACK": "1"},
        stdout=sys.stderr,
        check=False,
    )
    if ran.returncode:
        raise ValueError(f"the pipelines failed on {sheet}: the reason stands above")
    (cache / PREPARED).write_text(json.dumps(asked), encoding="utf-8")
    return made


def train_all(
    sheet: Sheet, recipes: Mapping[str, Recipe], seeds: Sequence[int], processes: int
) -> dict[str, dict[str, Any]]:
    """Train every recipe with every seed, those that are not there yet.

    Seed by seed, so that what is there when it is stopped can be compared.

    Returns:
        The manifest of what each recipe's students learn from; none where they have no teacher.
    """
    manifests = {name: _capture(sheet, recipe, seeds[0]) for name, recipe in recipes.items()}
    jobs = [
        (sheet, name, recipe, seed, manifests[name])
        for seed in seeds
        for name, recipe in recipes.items()
        if not (sheet.folder(recipe, seed) / RUN).is_file()
    ]
    with _workers(min(processes, len(jobs))) as apply:
        for told in (bar := tqdm(apply(_train, jobs), desc="students", total=len(jobs))):
            bar.write(told, file=sys.stderr)
    return {name: manifest for name, manifest in manifests.items() if manifest}


def stored_bytes(sheet: Sheet, manifest: Mapping[str, Any]) -> float:
    """Return bytes an answer token of all files of captured targets, the manifest included."""
    with _session(sheet.cache, sheet.env, {}) as context:
        folder = context.catalog.load("target_store") / str(manifest["fingerprint"])
    size = sum(path.stat().st_size for path in folder.iterdir())
    return size / int(manifest["answer_tokens"])


def family_losses(sheet: Sheet, recipe: Recipe | None, seed: int, split: str) -> Floats:
    """Return a model's loss on the original rows of a split, family by family.

    Args:
        sheet: Where the rows and the models are.
        recipe: Of the student; None for the teacher.
        seed: Of the student.
        split: `validation` or `test`.

    Returns:
        (families, 2): summed negative log-likelihood in nats, and answer tokens.
    """
    from kd_kedro.inference.scoring import score_together

    folder = sheet.cache / "teacher" if recipe is None else sheet.folder(recipe, seed)
    kept = folder / f"{split}.npy"
    if kept.is_file():
        losses: Floats = np.load(kept, allow_pickle=False)
        return losses
    if recipe is None:
        with _session(sheet.cache, sheet.env, {}) as context:
            model = context.catalog.load("teacher")
    else:
        model = HFModelDataset(filepath=str(folder / "model"), device="cpu").load()
    rows = _rows(sheet)
    chosen = (rows["split"] == split) & (rows["style"] == "original")
    rows = rows[chosen].sort_values("row_id")
    questions, answers = list(rows["question"]), list(rows["answer"])
    (scores,) = score_together([model], questions, answers, batch_size=64)
    table = pd.DataFrame({name: [s[name] for s in scores] for name in ("nll", "answer_tokens")})
    losses = table.groupby(rows["family_id"].to_numpy()).sum().to_numpy(dtype=np.float64)
    folder.mkdir(exist_ok=True)
    np.save(kept, losses)
    return losses


@cache
def _rows(sheet: Sheet) -> pd.DataFrame:
    with _session(sheet.cache, sheet.env, {}) as context:
        return context.catalog.load("augmented_qa")


def run_card(sheet: Sheet, recipe: Recipe, seed: int) -> dict[str, Any]:
    """Return what is known of a training: parameters, history, seconds."""
    text = (sheet.folder(recipe, seed) / RUN).read_text(encoding="utf-8")
    card: dict[str, Any] = json.loads(text)
    return card


def _capture(sheet: Sheet, recipe: Recipe, seed: int) -> dict[str, Any]:
    with sheet.project(recipe, seed) as (nodes, catalog):
        if CAPTURE not in {node.short_name for node in nodes.nodes}:
            return {}
        SequentialRunner().run(nodes.to_nodes(full_name(nodes, CAPTURE)), catalog)
        return dict(catalog.load("teacher_targets").manifest)


@contextmanager
def _workers(processes: int) -> Iterator[Callable[..., Iterable[str]]]:
    """Give what applies a function to many jobs, in other processes or, of one, in this one."""
    # Read by what a worker imports: one thread each, and no bars of their own.
    os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1", TOKENIZERS_PARALLELISM="false")
    if processes < 2:
        _start()
        yield map
        return
    with get_context("spawn").Pool(processes, _start) as pool:
        yield pool.imap_unordered


def _start() -> None:
    import torch

    torch.set_num_threads(1)
    bootstrap_project(ROOT)
    _quieten()


def _train(job: tuple[Sheet, str, Recipe, int, dict[str, Any]]) -> str:
    sheet, name, recipe, seed, manifest = job
    folder = sheet.folder(recipe, seed)
    shutil.rmtree(folder, ignore_errors=True)
    wall, processor = time.perf_counter(), time.process_time()
    with sheet.project(recipe, seed) as (nodes, catalog):
        (trained,) = (node for node in nodes.nodes if node.short_name == recipe.node)
        targets = TeacherTargets(manifest, catalog.load("target_store"))
        catalog["teacher_targets"] = MemoryDataset(targets)
        rest = Pipeline([node for node in nodes.nodes if node.short_name != CAPTURE])
        SequentialRunner().run(rest, catalog)
        student, history = (catalog.load(output) for output in trained.outputs)
    run = {
        "recipe": name,
        "seed": seed,
        "seconds": round(time.perf_counter() - wall, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        "history": history,
        "parameters": determines(sheet, recipe),
    }
    HFModelDataset(filepath=str(folder / "model")).save(student)
    (folder / RUN).write_text(json.dumps(run), encoding="utf-8")
    best = min(record.get("validation_loss", float("inf")) for record in history)
    return f"{name}, seed {seed}: validation loss {best:.4f}, {run['processor_seconds']:.0f} s"


def _quieten() -> None:
    for name in ("kedro", "kedro_mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def _session(cache: Path, env: str, parameters: dict[str, Any]) -> Iterator[Any]:
    conf = str(cache / "conf")
    with KedroSession.create(ROOT, conf_source=conf, env=env, runtime_params=parameters) as session:
        yield session.load_context()


def _write_conf(sheet: Path, cache: Path, env: str) -> None:
    """Copy the configuration; the copy's data and MLflow store lie in the cache."""
    conf = cache / "conf"
    shutil.copytree(ROOT / "conf", conf, dirs_exist_ok=True)  # another benchmark may be reading
    tracked = {
        "name": "benchmark",
        "create_experiment_kwargs": {"artifact_location": f"{cache.as_posix()}/mlruns"},
    }
    changes = {
        # Relative, because entries of the catalog put the project's path before it.
        "globals.yml": {"data_root": os.path.relpath(cache / "data", ROOT), "qa_csv": str(sheet)},
        "mlflow.yml": {
            "server": {"mlflow_tracking_uri": f"sqlite:///{cache.as_posix()}/mlflow.db"},
            "tracking": {"experiment": tracked},
        },
    }
    (conf / env).mkdir(exist_ok=True)
    for name, values in changes.items():
        path = conf / env / name
        held = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
        path.write_text(yaml.safe_dump({**(held or {}), **values}), encoding="utf-8")
