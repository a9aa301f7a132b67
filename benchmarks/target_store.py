"""Bytes of captured targets against what students learn from them.

    python benchmarks/target_store.py [--data SHEET] [--cache FOLDER] [--seeds 5] [--json OUT]

One teacher's answers are captured dense, as the top k with their tail, and as a sample with a
budget of bytes; students that differ in nothing else learn from each. Bytes are those of all files
on disk, by answer token. Hidden states, which all sources would keep alike, are left out. The seed
noise is the standard deviation of the held-out loss between the seeds of the dense students; beside
it stands the difference from them, paired by seed and family. k and bytes are chosen on `--families
validation`; `test` is for reporting. The cache is that of `quality.py`.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from measuring import at_least, finish, run
from paired import compare
from students import (
    ROOT,
    Recipe,
    Sheet,
    determines,
    family_losses,
    parser_of,
    prepare,
    stored_bytes,
    train_all,
)

from kd_kedro.training.teacher.packed_bits import id_bits

KS = (8, 16, 32, 64, 128)
BYTES = (16, 24, 48, 61)
MOST_BYTES = 64  # of the default, an answer token
GPT2_VOCABULARY = 50_257


def sources(sheet: Sheet, ks: Sequence[int], budgets: Sequence[float]) -> dict[str, Recipe]:
    """Return the recipes of all sources under the project's divergence; its own is `default`."""
    held = determines(sheet, Recipe())
    targets, objective = (held[f"params:distillation.{name}"] for name in ("targets", "objective"))
    plain = objective["divergence"].removeprefix("bucketed_")
    full = {"objective": {"divergence": plain, "hidden_state_weight": 0.0}}
    bucketed = {"objective": {"divergence": f"bucketed_{plain}", "hidden_state_weight": 0.0}}
    made = {
        "dense": Recipe({**full, "targets": {"source": "dense"}}),
        "default": Recipe({"objective": {"hidden_state_weight": 0.0}}),
    }
    for k in ks:
        made[f"top_k {k}"] = Recipe({**bucketed, "targets": {"source": "top_k", "k": k}})
    if plain == "forward_kl":  # which is all that draws can serve
        for budget in sorted({*budgets} - {targets["bytes_per_token"]}):
            made[f"sampled {budget:g}"] = Recipe(
                {**full, "targets": {"source": "sampled", "bytes_per_token": budget}}
            )
    return made


def measure(
    sheet: Sheet, recipes: dict[str, Recipe], manifests: dict[str, Any], seeds: range, split: str
) -> dict[str, dict[str, Any]]:
    """Return bytes and losses of every source on a split."""
    losses = {
        name: np.stack([family_losses(sheet, recipe, seed, split) for seed in seeds])
        for name, recipe in recipes.items()
    }
    told = compare(losses, {name: "dense" for name in recipes if name != "dense"}, draws=10_000)
    for name in recipes:
        manifest = manifests[name]
        size = stored_bytes(sheet, manifest)
        told[name] |= {
            "bytes_per_token": size,
            "bytes_per_token_gpt2": size - _written(manifest) + _written(manifest, GPT2_VOCABULARY),
            "answer_tokens": manifest["answer_tokens"],
        }
    return told


def _written(manifest: dict[str, Any], vocabulary: int = 0) -> float:
    """Return the arithmetic of a token's bytes, without what files hold around them."""
    vocabulary = vocabulary or manifest["vocabulary"]
    if manifest["source"] == "sampled":  # the same bytes buy fewer entries of more ids
        return float(manifest["bytes_per_token"])
    value = 4 if manifest["dtype"] == "float32" else 2
    if manifest["source"] == "dense":
        return float(vocabulary * value)
    k = int(manifest["k"])
    ids = math.ceil(k * id_bits(vocabulary) / 8)
    return float(ids + k * value + 4 * len(manifest["temperatures"]))


def main() -> None:
    """Train what is not there yet, weigh, compare, print a table."""
    parser = parser_of(__doc__)
    parser.add_argument("--k", type=at_least(1), nargs="*", default=KS)
    parser.add_argument("--bytes", type=at_least(4), nargs="*", default=BYTES)
    args = parser.parse_args()
    cache = args.cache or ROOT / "data" / "benchmarks" / args.data.stem
    sheet = prepare(args.data, cache, args.env, args.tokens or 0)
    recipes = sources(sheet, args.k, args.bytes)
    seeds = range(1, args.seeds + 1)
    manifests = train_all(sheet, recipes, seeds, args.processes)
    told = measure(sheet, recipes, manifests, seeds, args.families)
    noise = float(np.std(told["dense"]["losses"], ddof=1))
    own, kept = told["default"], manifests["default"]
    default = {
        "bytes_per_token": own["bytes_per_token"],
        "loss_minus_dense": own["difference"]["estimate"],
        "interval": [own["difference"]["low"], own["difference"]["high"]],
        "seed_noise": noise,
        "targets": {key: kept[key] for key in ("source", "bytes_per_token", "temperatures")},
    }
    print(table(told, noise))
    figures = {
        "default": default,
        "families": args.families,
        "seeds": list(seeds),
        "sources": told,
        "parameters": {name: determines(sheet, each) for name, each in recipes.items()},
    }
    finish(
        figures,
        f"target_store: the default takes {default['bytes_per_token']:.1f} bytes an answer token "
        f"(at most {MOST_BYTES} asked), its loss is dense {default['loss_minus_dense']:+.4f} nats, "
        f"seed noise {noise:.4f}",
        args.json,
    )


def table(told: dict[str, dict[str, Any]], noise: float) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| source | bytes a token | at 50,257 tokens | loss (nats a token) | minus dense "
        f"(seed noise {noise:.4f}) |",
        "|---|---|---|---|---|",
    ]
    for name, figures in told.items():
        gap = figures.get("difference")
        shown = f"{gap['estimate']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}]" if gap else ""
        lines.append(
            f"| {name} | {figures['bytes_per_token']:,.1f} | "
            f"{figures['bytes_per_token_gpt2']:,.1f} | "
            f"{figures['loss']['estimate']:.4f} | {shown} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    run(main)
