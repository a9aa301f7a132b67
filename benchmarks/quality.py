"""What each way of distilling brings: held-out loss of students that differ in one thing.

    python benchmarks/quality.py [--data SHEET] [--cache FOLDER] [--seeds 5] [--json OUT]

The sheet goes through the project's own pipelines up to a trained teacher, once. Then students of
one size, budget and set of seeds are trained: from random weights without a teacher (`baseline`),
cut out of the teacher without its targets (`untaught`), and cut by each method, which is compared
with `untaught` of its seed on the same held-out families. `layer_copy`, which needs a student as
wide as its teacher, is compared with one of its own shape that starts from random weights (`wide`).
Choices are made on `--families validation`; `test` is for reporting.
"""

import sys
from typing import Any

import numpy as np
from measuring import finish, run
from paired import compare
from students import (
    ROOT,
    Recipe,
    Sheet,
    determines,
    family_losses,
    parser_of,
    prepare,
    run_card,
    train_all,
)

DENSE = {"source": "dense"}
# conf/base's teacher has 4 layers of this width.
WIDE = {"num_hidden_layers": 2, "hidden_size": 160, "num_attention_heads": 5}


def divergence(name: str, targets: dict[str, Any] = DENSE) -> Recipe:
    """Return the recipe of a divergence alone, without hidden states."""
    return Recipe(
        {"targets": targets, "objective": {"divergence": name, "hidden_state_weight": 0.0}}
    )


METHODS: dict[str, Recipe] = {
    "baseline": Recipe(node="train_baseline"),
    "untaught": Recipe({"objective": {"alpha": 1.0, "beta": 0.0, "hidden_state_weight": 0.0}}),
    "forward_kl": divergence("forward_kl"),
    "reverse_kl": divergence("reverse_kl"),
    "jsd": divergence("jsd"),
    "top_k": divergence("bucketed_forward_kl", {"source": "top_k", "k": 14}),
    "sampled": divergence("forward_kl", {}),
    "default": Recipe(),
    # Generating costs far more than training here: hence few and short answers of its own.
    "on_policy": Recipe(
        {
            "targets": DENSE,
            "objective": {"hidden_state_weight": 0.0},
            "on_policy": {"share": 0.1, "max_new_tokens": 32},
        }
    ),
    "wide": Recipe({"student": {"architecture": WIDE, "from_teacher": None}}),
    "layer_copy": Recipe({"student": {"copy_layers": [0, 3]}}),
}
# What is compared with what: a cut student with its own start, which learned without a teacher.
REFERENCES = {
    **{name: "untaught" for name in METHODS if name not in ("baseline", "wide", "layer_copy")},
    "untaught": "baseline",
    "layer_copy": "wide",
}


def measure(sheet: Sheet, recipes: dict[str, Recipe], seeds: range, split: str) -> dict[str, Any]:
    """Return the figures of every recipe, and of the teacher, on a split."""
    losses = {
        name: np.stack([family_losses(sheet, recipe, seed, split) for seed in seeds])
        for name, recipe in recipes.items()
    }
    losses["teacher"] = family_losses(sheet, None, 0, split)[None]
    references = {name: REFERENCES[name] for name in recipes if name in REFERENCES}
    told = compare(losses, references, draws=10_000)
    for name, recipe in recipes.items():
        cards = [run_card(sheet, recipe, seed) for seed in seeds]
        told[name]["processor_seconds"] = [card["processor_seconds"] for card in cards]
    return told


def main() -> None:
    """Train what is not there yet, compare, print a table."""
    parser = parser_of(__doc__)
    parser.add_argument("--methods", default=",".join(METHODS), help="some of them, by comma")
    args = parser.parse_args()
    names = args.methods.split(",")
    if unknown := sorted({*names} - {*METHODS}):
        raise ValueError(f"--methods: there is no {unknown[0]}; there are {', '.join(METHODS)}")
    chosen = {*names}
    while missing := {REFERENCES[name] for name in chosen if name in REFERENCES} - chosen:
        chosen |= missing
    recipes = {name: METHODS[name] for name in METHODS if name in chosen}
    cache = args.cache or ROOT / "data" / "benchmarks" / args.data.stem
    sheet = prepare(args.data, cache, args.env, args.tokens or 0)
    seeds = range(1, args.seeds + 1)
    train_all(sheet, recipes, seeds, args.processes)
    told = measure(sheet, recipes, seeds, args.families)
    print(table(told))
    figures = {
        "families": args.families,
        "seeds": list(seeds),
        "methods": told,
        "parameters": {name: determines(sheet, each) for name, each in recipes.items()},
    }
    best = min((name for name in recipes), key=lambda name: told[name]["loss"]["estimate"])
    finish(figures, f"quality: {best} has the lowest loss on {args.families} families", args.json)


def table(told: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| method | loss (nats a token) | perplexity | difference in perplexity | p (Holm) |",
        "|---|---|---|---|---|",
    ]
    for name, figures in told.items():
        loss, perplexity = figures["loss"], figures["perplexity"]
        cells = [
            name.replace("_", " "),
            f"{loss['estimate']:.4f} [{loss['low']:.4f}, {loss['high']:.4f}]",
            f"{perplexity['estimate']:.2f}",
        ]
        if "difference" in figures:
            gap = figures["difference"]
            percent = [100 * np.expm1(gap[key]) for key in ("estimate", "low", "high")]
            beside = "" if gap["from"] == "untaught" else f" against {gap['from']}"
            cells += [
                f"{percent[0]:+.1f} % [{percent[1]:+.1f}, {percent[2]:+.1f}]{beside}",
                f"{gap['p_holm']:.3f}",
            ]
        lines.append("| " + " | ".join(cells + [""] * (5 - len(cells))) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    run(main)
