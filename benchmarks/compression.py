"""Does the compression certificate repeat? The same models, certified several times in a row.

    python benchmarks/compression.py [--data SHEET] [--repeats 3] [--turns 60] [--seconds 3]

Teacher and student have the sizes of the sample's models and random weights: a time does not
depend on what was learned. What counts is the largest relative difference between any two repeats
of each ratio that was certified in at least two of them; refused ones are counted.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from measuring import at_least, finish, parser, run
from transformers import GPT2Config, GPT2LMHeadModel

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.evaluation.certificate import certify_student
from kd_kedro.pipelines.evaluation.params import CompressionParams

SHEET = Path(__file__).resolve().parents[1] / "data" / "01_raw" / "test_qa.csv"
# num_hidden_layers, hidden_size and num_attention_heads, as in conf/base/distillation.
SIZES = {"teacher": (4, 160, 5), "student": (2, 96, 3)}
TIMED = ("latency_p50", "latency_p95", "latency_p99", "prefill_p50", "decode_p50")


def model(tokenizer: Any, layers: int, width: int, heads: int) -> LanguageModel:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=160,
        n_layer=layers,
        n_embd=width,
        n_head=heads,
        initializer_range=0.06,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LanguageModel(GPT2LMHeadModel(config).eval(), tokenizer)


def ratios(certificate: dict[str, Any]) -> dict[str, float | None]:
    """Return every timed ratio of a certificate by name; None where it was refused."""
    told = {name: certificate["ratios"][name] for name in TIMED}
    for setting in certificate["settings"]:
        told[f"threads {setting['threads']}, batch {setting['batch']}"] = setting["ratio"]
    for name, variant in certificate["variants"].items():
        if "ratios" in variant:
            told[f"{name} latency_p50"] = variant["ratios"]["latency_p50"]
    return {name: None if isinstance(each, dict) else each for name, each in told.items()}


def main() -> None:
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--data", type=Path, default=SHEET, help="sheet with the questions")
    arguments.add_argument("--repeats", type=at_least(2), default=3)
    arguments.add_argument("--turns", type=at_least(3), default=60)
    arguments.add_argument("--seconds", type=float, default=3.0, help="of each setting")
    known = CompressionParams().variants
    arguments.add_argument("--variants", nargs="*", choices=known, default=known)
    chosen = arguments.parse_args()
    sheet = pd.read_csv(chosen.data, dtype=str, keep_default_na=False, usecols=[0, 1])
    sheet.columns = pd.Index(["question", "answer"])
    tokenizer = train_byte_bpe([*sheet["question"], *sheet["answer"]], 2000)
    models = [model(tokenizer, *size) for size in SIZES.values()]
    rows = sheet.sample(min(200, len(sheet)), random_state=0)
    rows["family_id"] = [str(number) for number in range(len(rows))]
    params = CompressionParams(
        prompts=chosen.turns, max_seconds=chosen.seconds, variants=chosen.variants
    )
    questions = list(rows["question"])[: chosen.turns]
    certificates = [
        certify_student(questions, rows, *models, params)[0] for _ in range(chosen.repeats)
    ]

    by_run = [ratios(each) for each in certificates]
    table = {name: [each[name] for each in by_run] for name in by_run[0]}
    differences = {}
    for name, values in table.items():
        told = [value for value in values if value is not None]
        shown = " ".join("refused" if value is None else f"{value:.3f}" for value in values)
        if len(told) > 1:
            differences[name] = max(told) / min(told) - 1
            shown += f"   differ by {100 * differences[name]:.1f} %"
        print(f"{name:28} {shown}")
    for name, variant in certificates[-1]["variants"].items():
        print(
            f"{name:28} {variant['status']}, {variant.get('bytes', 0):,} bytes {variant['reason']}"
        )
    refused = sum(value is None for values in table.values() for value in values)
    largest = max(differences.values(), default=None)
    figures = {
        "ratios": table,
        "differences": differences,
        "largest_difference": largest,
        "refused": refused,
        "certificates": certificates,
    }
    said = "no ratio was certified twice" if largest is None else f"{100 * largest:.1f} %"
    total = sum(map(len, table.values()))
    finish(
        figures,
        f"compression: largest difference between repeats {said}; {refused} of {total} refused",
        chosen.json,
    )


if __name__ == "__main__":
    run(main)
