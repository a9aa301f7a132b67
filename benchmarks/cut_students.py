"""What a student's start is worth, and what the teacher's targets add to it.

    python benchmarks/cut_students.py [--data SHEET] [--cache FOLDER] [--seeds 5] [--json OUT]

The sheet goes through the project's own pipelines up to a trained teacher, once. Then students of
one shape and budget are trained from two starts, random weights and a part cut out of the teacher,
with several objectives; `cut_untaught` is the cut one with the reference answers alone. Two patient
twins have random weights, no teacher and more budget: all the compute that capture and student
took (`patient_given`: the teacher was there before), and the teacher's training too
(`patient_counted`). `--curve` adds students of other sizes. Differences are of loss in nats an
answer token, negative where the first is better. Choices are made on `--families validation`.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from measuring import at_least, finish, run
from paired import LEVEL
from students import (
    ROOT,
    Recipe,
    Sheet,
    context_of,
    determines,
    family_losses,
    parser_of,
    prepare,
    train_all,
)

from kd_kedro.metrics.comparison.attribution import attribute
from kd_kedro.metrics.comparison.decide import conclude
from kd_kedro.metrics.comparison.paired_scores import PairedScores, scores_of
from kd_kedro.metrics.comparison.teacher_gap import gap_recovered
from kd_kedro.metrics.report.evidence import CUT_UNTAUGHT, PATIENT
from kd_kedro.metrics.scores.metric_table import METRICS

PERPLEXITY = next(metric for metric in METRICS if metric.name == "perplexity")
DRAWS = 10_000
# Of conf/base's teacher: 4 layers, 160 hidden channels, 5 heads, 640 neurons.
SHAPE = (2, 96, 3, 384)
CURVE = {"60 %": (3, 128, 4, 640), "27 %": SHAPE, "11 %": (1, 64, 2, 256), "5 %": (1, 32, 1, 128)}
SIZES = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
OBJECTIVES: dict[str, dict[str, float]] = {
    "default": {},
    "hidden states 0": {"hidden_state_weight": 0.0},
    "hidden states 1": {"hidden_state_weight": 1.0},
    "0.5, 0.5, hidden states 0": {"alpha": 0.5, "beta": 0.5, "hidden_state_weight": 0.0},
    "0.1, 0.9, hidden states 0": {"alpha": 0.1, "beta": 0.9, "hidden_state_weight": 0.0},
}
ALONE = {"alpha": 1.0, "beta": 0.0, "hidden_state_weight": 0.0}


def cut(shape: Sequence[int]) -> dict[str, Any]:
    """Return the parameters of a student cut out of the teacher."""
    return {"from_teacher": dict(zip(SIZES, shape, strict=True))}


def recipes(shape: Sequence[int], curve: bool, objectives: bool, rate: float) -> dict[str, Recipe]:
    """Return every student but the patient ones."""
    training = {"training": {"learning_rate": rate}} if rate else {}
    made = {
        "baseline": Recipe({"student": cut(shape)}, "train_baseline"),
        "random": Recipe({"student": {"from_teacher": None}}),
        CUT_UNTAUGHT: Recipe({"student": cut(shape), "objective": ALONE, **training}),
    }
    for name, objective in OBJECTIVES.items() if objectives else [("default", {})]:
        made[f"cut {name}"] = Recipe({"student": cut(shape), "objective": objective, **training})
    for name, size in CURVE.items() if curve else ():
        made[f"curve {name}"] = Recipe({"student": cut(size), **training})
        made[f"curve {name} baseline"] = Recipe({"student": cut(size)}, "train_baseline")
    return made


def patient(sheet: Sheet, student: Recipe) -> dict[str, Recipe]:
    """Return the twins that have the whole compute, by whether the teacher's training counts."""
    from kd_kedro.training.examples import encode_examples
    from kd_kedro.training.planning.compute import compute_taken, patient_training, planned_tokens

    with context_of(sheet) as context:
        catalog = context.catalog
        length = catalog.load("params:distillation.examples.max_length")
        rows = encode_examples(catalog.load("training_examples"), catalog.load("tokenizer"), length)
        training = catalog.load("params:distillation.training")
        if sheet.max_tokens:
            training = training.model_copy(update={"max_tokens": sheet.max_tokens})
        own = planned_tokens(rows, training)
        captured = float(sum(len(row.input_ids) for row in rows))
        compute = compute_taken([catalog.load("teacher")], rows, asked=captured, tokens=own)
    budgets = compute.patient_tokens(parameters_of(sheet, student))
    return {
        PATIENT[account]: Recipe(
            {**student.changes, "training": patient_training(training, tokens, own)},
            "train_baseline",
        )
        for account, tokens in budgets.items()
    }


def parameters_of(sheet: Sheet, recipe: Recipe) -> int:
    """Return the number of a trained student's parameters."""
    card = sheet.folder(recipe, 1) / "model" / "card.json"
    return int(json.loads(card.read_text(encoding="utf-8"))["parameters"])


def scores(losses: dict[str, Any]) -> PairedScores:
    """Return losses of models, by name (seeds, families, 2), paired by family and seed."""
    models = [name for name, each in losses.items() for _ in each]
    return scores_of(PERPLEXITY, np.concatenate([*losses.values()]), models, draws=DRAWS, seed=0)


def difference(paired: PairedScores, one: str, other: str) -> dict[str, float]:
    """Return the difference of two models' losses with its 95 % interval."""
    estimate = paired.estimate({one: 1.0, other: -1.0})
    low, high = estimate.interval(LEVEL)
    return {"difference": estimate.value, "low": low, "high": high}


def judged(losses: dict[str, Any], student: str) -> dict[str, Any]:
    """Return the figures of one student against its baseline, its start and its teacher."""
    paired = scores(
        {
            "teacher": losses["teacher"],
            "baseline": losses["baseline"],
            "student": losses[student],
            **{name: losses[name] for name in losses if name == CUT_UNTAUGHT or "patient" in name},
        }
    )
    whole = difference(paired, "student", "baseline")
    told = {
        "recovered": gap_recovered(PERPLEXITY, paired, level=LEVEL, refusal=""),
        "verdict": conclude(whole["low"], whole["high"], PERPLEXITY.higher_is_better)[0],
        "gain": whole,
        **attribute(PERPLEXITY, paired, level=LEVEL, refusal=""),
    }
    return told


def main() -> None:
    """Train what is not there yet, compare, print a table."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--shape",
        type=at_least(1),
        nargs=4,
        default=SHAPE,
        metavar="SIZE",
        help="layers, hidden channels, heads and neurons of the students",
    )
    parser.add_argument("--rate", type=float, default=0.0, help="learning rate of cut students")
    parser.add_argument("--curve", action="store_true", help="students of other sizes too")
    parser.add_argument("--objectives", action="store_true", help="other objectives too")
    parser.add_argument("--no-patient", action="store_true", help="leave the patient twins out")
    args = parser.parse_args()
    cache = args.cache or ROOT / "data" / "benchmarks" / args.data.stem
    sheet = prepare(args.data, cache, args.env, args.tokens or 0)
    seeds = range(1, args.seeds + 1)
    students = recipes(args.shape, args.curve, args.objectives, args.rate)
    train_all(sheet, students, seeds, args.processes)
    if not args.no_patient:
        longer = patient(sheet, students["baseline"])
        train_all(sheet, longer, seeds, args.processes)
        students |= longer
    losses: dict[str, Any] = {"teacher": family_losses(sheet, None, 0, args.families)[None]}
    for name, recipe in students.items():
        own = [family_losses(sheet, recipe, seed, args.families) for seed in seeds]
        losses[name] = np.stack(own)
    print(table(losses))
    figures = report(sheet, students, losses)
    setting = {"families": args.families, "seeds": list(seeds), "sheet": args.data.name}
    whole, share = figures["recovered"]["estimate"], figures["parameters_share"]
    recovered = "no share" if whole is None else f"{100 * whole:.0f} %"
    told = f"{recovered} of the teacher's lead recovered by {100 * share:.0f} % of its parameters"
    finish(figures | setting, f"cut_students: {told}", args.json)


def report(sheet: Sheet, students: dict[str, Recipe], losses: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the default student, of every other cut one, and of the curve."""
    with context_of(sheet) as context:
        teacher = context.catalog.load("teacher").parameters
    cuts = {name: judged(losses, name) for name in students if name.startswith("cut ")}
    curve = []
    for size in CURVE:
        name = f"curve {size}"
        if name not in students:
            continue
        part = {"baseline": losses[f"{name} baseline"], "teacher": losses["teacher"]}
        curve.append(
            {
                "parameters_share": parameters_of(sheet, students[name]) / teacher,
                "recovered": judged({**part, name: losses[name]}, name)["recovered"],
            }
        )
    return {
        **cuts["cut default"],
        "parameters_share": parameters_of(sheet, students["cut default"]) / teacher,
        "students": cuts,
        "random_start": {
            key: value
            for key, value in judged(losses, "random").items()
            if key in ("recovered", "gain", "verdict")  # it has another start
        },
        "losses": {
            name: (each.sum(1)[:, 0] / each.sum(1)[:, 1]).tolist() for name, each in losses.items()
        },
        "curve": curve,
        "parameters": {name: determines(sheet, each) for name, each in students.items()},
    }


def table(losses: dict[str, Any]) -> str:
    """Return the mean losses as a Markdown table."""
    lines = ["| student | loss (nats a token) | perplexity |", "|---|---|---|"]
    for name, each in losses.items():
        own = each.sum(1)
        mean = float((own[:, 0] / own[:, 1]).mean())
        lines.append(f"| {name} | {mean:.4f} | {np.exp(mean):.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    run(main)
