"""`kedro distill-plan` against what then happens: time, peak memory and disk of every part.

    python benchmarks/plan.py [--env ENV] [--data augmented_qa.csv] [--seeds] [--json OUT]

Every part of the distillation pipeline runs between two plans, each in a process of its own, and
is compared with their mean: on a machine whose speed drifts, a plan is as old as the part is long.
Where early stopping ended a training, its plan is taken for the steps that were made. The ratios
are planned / happened. `--data` is a table like augmented_qa; without it, the project's own.
"""

import multiprocessing
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from measuring import finish, parser, run

from kd_kedro.datasets.hf_model import HFModelDataset
from kd_kedro.pipelines.distillation import create_pipeline
from kd_kedro.pipelines.distillation.cost import GROUPS, plan_distillation
from kd_kedro.training.planning.probe import PeakMemory

ROOT = Path(__file__).resolve().parents[1]
WORK_DIRECTORIES = ("target_store", "training_work_dir")
# Nodes, by what the plan calls them.
PARTS = {
    "train_tokenizer": "tokenizer",
    "train_teacher": "teacher",
    "capture_targets": "capture",
    "train_baseline": "baseline",
    "train_student": "student",
    "train_seeds": "further_seeds",
    "train_controls": "ensemble_teachers",
}
AGAIN = ("further_seeds", "ensemble_teachers")  # what repeats other parts


def given(env: str | None, data: Path | None) -> dict[str, Any]:
    """Return what the pipeline reads: its table and its parameters."""
    bootstrap_project(ROOT)
    with KedroSession.create(project_path=ROOT, env=env) as session:
        catalog = session.load_context().catalog
        inputs = create_pipeline().inputs() - {"augmented_qa", *WORK_DIRECTORIES}
        values = {name: catalog.load(name) for name in sorted(inputs)}
        if data:
            table = pd.read_csv(data, dtype=str, keep_default_na=False)
        elif catalog.exists("augmented_qa"):
            table = catalog.load("augmented_qa")
        else:
            raise ValueError("there is no augmented_qa: run `kedro run`, or give --data")
        return values | {"augmented_qa": table}


def planned(env: str | None, data: Path | None) -> dict[str, Any]:
    """Return the figures of a plan made in a process of its own."""
    # Forked from one that has imported the libraries: a plan does not count their import.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "kd_kedro.training.loop.train"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_plan, env, data).result()


def _plan(env: str | None, data: Path | None) -> dict[str, Any]:
    values = given(env, data)
    groups = {name: values[f"params:distillation.{name}"] for name in GROUPS}
    return plan_distillation(values["augmented_qa"], **groups).figures()


def happened(node: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Run a node, keep what it makes among the values, and return what it cost."""
    peak, start = PeakMemory(), time.perf_counter()
    values |= node.run({name: values[name] for name in node.inputs})
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "memory": peak.bytes()}


def compare(part: str, plans: list[dict[str, Any]], real: dict[str, Any], steps: int) -> Any:
    """Return what was planned for a part, what it took, and their ratios."""
    seconds = [plan["seconds_of"][part] for plan in plans]
    made: dict[str, Any] = {"planned_seconds": seconds, "seconds": real["seconds"]}
    cost = plans[0].get(part)
    share = 1.0
    if isinstance(cost, dict) and cost.get("steps"):
        share = steps / cost["steps"]
        made |= {"planned_steps": cost["steps"], "steps": steps}
    made["ratio"] = statistics.fmean(seconds) * share / real["seconds"]
    if isinstance(cost, dict):
        memory = statistics.fmean(plan[part]["memory"] for plan in plans)
        made |= {"planned_memory": memory, "memory": real["memory"]}
        made["memory_ratio"] = memory / real["memory"]
    return made


def saved_bytes(model: Any, folder: Path) -> int:
    """Return what a model takes on disk, saved as the catalog saves it."""
    HFModelDataset(filepath=str(folder)).save(model)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--env", help="Kedro environment")
    arguments.add_argument("--data", type=Path, help="a table like augmented_qa")
    again = "what is trained again too: further seeds and the second teacher"
    arguments.add_argument("--seeds", action="store_true", help=again)
    words = arguments.parse_args()
    values = given(words.env, words.data)
    parts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        stores = {name: Path(folder) / name for name in WORK_DIRECTORIES}
        for path in stores.values():
            path.mkdir()
        values |= stores
        before = planned(words.env, words.data)
        plans = [before]
        for node in create_pipeline().nodes:
            part = PARTS.get(node.short_name, "")
            if part in AGAIN and not words.seeds:
                continue
            real = happened(node, values)
            if not part:
                continue
            after = planned(words.env, words.data)
            history = values.get(f"{part}_history") or [{"step": 0}]
            parts[part] = compare(part, [before, after], real, int(history[-1]["step"]))
            print(f"{part}: {parts[part]}", file=sys.stderr)
            plans.append(after)
            before = after
        models = [name for name in ("teacher", "baseline_student", "student") if name in values]
        disk = {
            "target_store": [
                before["capture"]["bytes"],
                values["teacher_targets"].manifest["bytes"],
            ],
            "models": [
                sum(before[part]["model_bytes"] for part in ("teacher", "baseline", "student")),
                sum(saved_bytes(values[name], Path(folder) / name) for name in models),
            ],
        }
    total = sum(part["ratio"] * part["seconds"] for part in parts.values())
    figures = {
        "parts": parts,
        "ratio": total / sum(part["seconds"] for part in parts.values()),
        "worst_ratio": max((p["ratio"] for p in parts.values()), key=lambda r: max(r, 1 / r)),
        "memory_ratio": before["memory"] / max(part.get("memory", 0) for part in parts.values()),
        "disk_ratios": {name: plan / real for name, (plan, real) in disk.items()},
        "disk_bytes": disk,
        "break_even_epochs": [plan["break_even_epochs"] for plan in plans],
        "plan_seconds_of_all": [plan["seconds"] for plan in plans],
    }
    finish(
        figures,
        f"plan: planned / happened is {figures['ratio']:.2f} of the time of all, "
        f"{figures['worst_ratio']:.2f} of the worst part, {figures['memory_ratio']:.2f} of the "
        f"peak memory, {figures['disk_ratios']['target_store']:.2f} of the target store",
        words.json,
    )


if __name__ == "__main__":
    run(main)
