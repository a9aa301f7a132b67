"""Distillation with targets captured once, beside TRL's GKD and SFT trainers and the arithmetic.

`python benchmarks/distillation.py [--data SHEET] [--size cpu] [--threads 1 2] [--rounds 3]
[--json OUT]`

The sides take turns, all through their own `training_step`, with their own collator and AdamW: (a)
`cached`, ours from targets captured as conf/base says, but without hidden states; (b) `live`, ours
with the teacher beside it; (c) `gkd`, TRL's GKDTrainer off-policy; (d) `sft`, TRL's SFTTrainer, and
`text`, ours without a teacher. (a) to (c) learn from the forward KL alone at temperature 1.
`forward` is a bare pass of the teacher, `capture` ours that keeps the targets; `transformers` is
the Trainer that TRL builds on: it makes all logits at once, which is faster on a CPU.

`equal`: rows of one length, two thirds answer, in the very same batches. `natural`: rows as long as
they are, each side in batches of its own making (`gkd_grouped`: with `group_by_length`, which is
not its default). Beside each ratio stands that of the FLOPs alone, where GKD projects every token
and we project the answers'. `loss_difference` is that of `live` and of a dense cache from `gkd`'s
loss on one batch; the cache of conf/base gives an estimate of it. With natural lengths GKD's loss
is another one, since it pads left without position ids.

On a GPU, `--size full` trains 774M -> 82M in bf16.
"""

import tempfile
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from distillation_timing import Job, in_process, peak, prepare, seconds
from distillation_workload import (
    SIZES,
    Size,
    equal_examples,
    forward_flops,
    natural_examples,
    train_tokenizer,
)
from measuring import at_least, finish, parser, run
from rich.console import Console
from rich.table import Table
from sheets import read_sheet

from kd_kedro.models.encoding import Example

SAMPLE = Path(__file__).parents[1] / "data/01_raw/final_qa.csv"
EPOCHS = 4
REMEMBERED = ("cached", "gkd")  # whose memory is measured
# Dense bf16, by the vendor's datasheet, FLOP/s.
DATASHEET = {"H100": 989e12, "H200": 989e12, "A100": 312e12}


def main() -> None:
    arguments = parser(__doc__.splitlines()[0], learns=False)
    arguments.add_argument("--data", type=Path, default=SAMPLE, help="sheet of questions, answers")
    arguments.add_argument("--size", choices=SIZES, default="cpu", help="of models and batches")
    arguments.add_argument("--threads", type=at_least(1), nargs="+", default=[1, 2])
    arguments.add_argument("--rounds", type=at_least(1), default=3, help="epochs of each side")
    given = arguments.parse_args()

    size = SIZES[given.size]
    sheet = read_sheet(given.data)
    tokenizer = train_tokenizer(sheet, size.vocabulary)
    rows = {
        "equal": equal_examples(sheet, tokenizer, size),
        "natural": natural_examples(sheet, tokenizer, size),
    }
    figures: dict[str, Any] = {f"threads_{threads}": {} for threads in given.threads}
    with tempfile.TemporaryDirectory(prefix="distillation-") as folder:
        for name, examples in rows.items():
            work = Path(folder) / name
            tokenizer.save_pretrained(work / "tokenizer")
            job = Job(size, examples, name == "equal", work, max(given.threads))
            prepared = in_process(prepare, job)
            job = replace(job, manifest=prepared["manifest"])
            peaks = {side: round(in_process(peak, job, side)) for side in REMEMBERED}
            for threads in given.threads:
                timed = in_process(seconds, replace(job, threads=threads), given.rounds)
                measured = prepared | timed | {"peak_megabytes": peaks}
                figures[f"threads_{threads}"][name] = judged(size, examples, measured)
                show(f"{threads} thread(s), {name}", figures[f"threads_{threads}"][name])
    finish(figures | setting(given.size, given.data, rows), summary(figures), given.json)


def judged(size: Size, examples: list[Example], measured: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one setting out of what was measured."""
    taken, losses, peaks = (measured[key] for key in ("seconds", "losses", "peak_megabytes"))
    times = {name: median(values) for name, values in taken.items()}
    least = {name: value for name, value in flops(size, examples).items() if name in times}
    rate = median(measured["flops_per_second"])
    ratios = speedups(times)
    limits = speedups(least)
    spread = [speedups({s: v[n] for s, v in taken.items()}) for n in range(len(taken["gkd"]))]
    shares = [ratios[key] / limits[key] for key in ("four_epochs_vs_gkd", "next_student_vs_gkd")]
    return {
        **{key: round(value, 3) for key, value in ratios.items()},
        "share_of_flop_limit": round(min(shares), 3),
        "peak_memory_vs_gkd": round(peaks["cached"] / peaks["gkd"], 3),
        "loss_difference": max(abs(losses[name] - losses["gkd"]) for name in ("dense", "live")),
        "text_loss_difference": abs(losses["text"] - losses["sft"]),
        "losses": losses,
        "flop_limit": {key: round(value, 3) for key, value in limits.items()},
        "ratios_from_to": {
            key: [round(min(r[key] for r in spread), 3), round(max(r[key] for r in spread), 3)]
            for key in ratios
        },
        "seconds": {name: [round(v, 3) for v in values] for name, values in taken.items()},
        "floor_seconds": {name: round(value / rate, 3) for name, value in least.items()},
        "share_of_matrix_rate": {
            name: round(value / rate / times[name], 3) for name, value in least.items()
        },
        "matrix_gflops_per_second": [round(v / 1e9, 1) for v in measured["flops_per_second"]],
        "peak_megabytes": peaks,
        "bytes_per_answer_token": round(
            measured["manifest"]["bytes"] / measured["manifest"]["answer_tokens"], 1
        ),
        **utilisation(least["cached"] / times["cached"]),
    }


def speedups(cost: dict[str, float]) -> dict[str, float]:
    """Return the ratios of an epoch's costs, be they seconds or FLOPs."""
    named = {
        "cached_step_vs_sft": cost["cached"] / cost["sft"],
        "capture_vs_forward": cost["capture"] / cost["forward"],
        "four_epochs_vs_gkd": EPOCHS * cost["gkd"] / (cost["capture"] + EPOCHS * cost["cached"]),
        "next_student_vs_gkd": cost["gkd"] / cost["cached"],
        "text_step_vs_sft": cost["text"] / cost["sft"],
        "cached_step_vs_transformers": cost["cached"] / cost["transformers"],
        "live_step_vs_gkd": cost["live"] / cost["gkd"],
    }
    if "gkd_grouped" in cost:
        grouped = cost["gkd_grouped"]
        spent = cost["capture"] + EPOCHS * cost["cached"]
        named["four_epochs_vs_gkd_grouped"] = EPOCHS * grouped / spent
        named["next_student_vs_gkd_grouped"] = grouped / cost["cached"]
    return named


def flops(size: Size, examples: list[Example]) -> dict[str, float]:
    """Return the least FLOPs of an epoch of each side; a backward pass is twice a forward one."""
    forward = {
        (who, whole): forward_flops(shape, size.vocabulary, examples, whole)
        for who, shape in (("teacher", size.teacher), ("student", size.student))
        for whole in (True, False)
    }
    answers, everywhere = 3 * forward["student", False], 3 * forward["student", True]
    gkd = forward["teacher", True] + everywhere
    return {
        "forward": forward["teacher", True],
        "capture": forward["teacher", False],
        "cached": answers,
        "live": forward["teacher", False] + answers,
        "gkd": gkd,
        "gkd_grouped": gkd,
        "sft": everywhere,
        "text": answers,
        "transformers": everywhere,
    }


def utilisation(achieved: float) -> dict[str, float]:
    """Return the student's step on a GPU as a share of what its datasheet says, if it is known."""
    import torch

    if not torch.cuda.is_available():
        return {}
    name = torch.cuda.get_device_name()
    peaks = [peak for key, peak in DATASHEET.items() if key in name]
    return {"model_flops_utilisation": round(achieved / peaks[0], 3)} if peaks else {}


def setting(name: str, data: Path, rows: dict[str, list[Example]]) -> dict[str, Any]:
    """Return what was compared, with what."""
    import torch

    size = SIZES[name]
    return {
        "size": {"name": name, **asdict(size)},
        "data": data.name,
        "rows": {
            key: {
                "rows": len(examples),
                "tokens": sum(len(row.input_ids) for row in examples),
                "answer_tokens": sum(row.answer_tokens for row in examples),
                "longest": max(len(row.input_ids) for row in examples),
            }
            for key, examples in rows.items()
        },
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": {each: version(each) for each in ("torch", "transformers", "trl")},
        "rivals": "GKDTrainer (lmbda 0, beta 0), SFTTrainer, Trainer: no gradient checkpointing, "
        "fused AdamW, " + ("bf16" if torch.cuda.is_available() else "float32"),
    }


def show(title: str, figures: dict[str, Any]) -> None:
    """Print one setting as two tables."""
    console = Console(width=100)
    table = Table(title=title)
    for column in ("", "seconds an epoch", "floor", "of matrix rate", "peak MB"):
        table.add_column(column, justify="right")
    for name, values in figures["seconds"].items():
        table.add_row(
            name,
            f"{median(values):.2f} [{min(values):.2f}, {max(values):.2f}]",
            f"{figures['floor_seconds'][name]:.2f}",
            f"{figures['share_of_matrix_rate'][name]:.0%}",
            str(figures["peak_megabytes"].get(name, "")),
        )
    console.print(table)
    ratios = Table()
    for column in ("", "measured", "FLOPs alone"):
        ratios.add_column(column, justify="right")
    for name, (low, high) in figures["ratios_from_to"].items():
        limit = figures["flop_limit"][name]
        ratios.add_row(name, f"{figures[name]:.2f} [{low:.2f}, {high:.2f}]", f"{limit:.2f}")
    for name in ("share_of_flop_limit", "peak_memory_vs_gkd", "loss_difference"):
        ratios.add_row(name, f"{figures[name]:.2g}", "")
    if "model_flops_utilisation" in figures:
        ratios.add_row(
            "student's step, of the datasheet", f"{figures['model_flops_utilisation']:.0%}"
        )
    console.print(ratios)


def summary(figures: dict[str, Any]) -> str:
    """Return one line of the figures that matter, the worst of all thread counts."""
    equal = [each["equal"] for each in figures.values()]
    natural = [each["natural"] for each in figures.values()]
    return (
        f"distillation: a cached step {max(f['cached_step_vs_sft'] for f in equal):.2f} of SFT's; "
        f"four epochs {min(f['four_epochs_vs_gkd'] for f in equal):.2f} x and a further student "
        f"{min(f['next_student_vs_gkd'] for f in equal):.2f} x GKD at equal lengths, "
        f"{min(f['four_epochs_vs_gkd'] for f in natural):.2f} x and "
        f"{min(f['next_student_vs_gkd'] for f in natural):.2f} x at natural ones; peak memory "
        f"{max(f['peak_memory_vs_gkd'] for f in equal + natural):.2f} of GKD's"
    )


if __name__ == "__main__":
    run(main)
