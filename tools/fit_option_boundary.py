"""Fit the weights of `curation/questions/option_boundary.py`.

`python tools/fit_option_boundary.py FOLDER...`

The folders hold multiple-choice questions in MMLU's form. Each question is written in one line
with its options parted by semicolons, after a space, a colon and a line break; the weights are
those under which the true place of the first option is most probable. Prints them, and how often
the most probable place is the true one in ten-fold cross-validation.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from kd_kedro.curation.questions.option_boundary import candidates, signs
from kd_kedro.curation.repair.text_repair import repair

Floats = npt.NDArray[np.float64]
Example = tuple[Floats, int]
PENALTY = 0.5


def read_examples(folders: list[Path]) -> list[list[Example]]:
    """Return for each question its renderings: signs (places × signs), and the true place."""
    found = []
    for path in sorted(path for folder in folders for path in folder.rglob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            for question, *options, _ in csv.reader(lines):
                if not any(";" in option or "\n" in option for option in options):
                    found.append(_render(repair(question)[0], [repair(o)[0] for o in options]))
    return [examples for examples in found if examples]


def _render(stem: str, options: list[str]) -> list[Example]:
    out = []
    for between in (" ", ": ", "\n"):
        words, breaks = [], set()
        for line in f"{stem}{between}{options[0]}".split("\n"):
            breaks.add(len(words))
            words.extend(line.split())
        place = len(words) - len(options[0].split())
        places = candidates(words, frozenset(breaks - {0}), options[1:])
        if place not in places:
            continue
        found = [signs(words, frozenset(breaks - {0}), n, options[1:]) for n in places]
        out.append((np.array([list(each.values()) for each in found]), places.index(place)))
    return out


def fit(examples: list[Example]) -> Floats:
    """Return the weights that maximise the penalised likelihood."""
    rows = np.concatenate([each for each, _ in examples])
    sizes = np.array([len(each) for each, _ in examples])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    right = starts + np.array([place for _, place in examples])

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = rows @ weights
        scores -= np.repeat(np.maximum.reduceat(scores, starts), sizes)
        odds = np.exp(scores)
        totals = np.add.reduceat(odds, starts)
        shares = odds / np.repeat(totals, sizes)
        value = -(scores[right] - np.log(totals)).sum() + PENALTY * weights @ weights
        slope = rows.T @ shares - rows[right].sum(axis=0) + 2 * PENALTY * weights
        return float(value), slope

    found = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x)


def main() -> None:
    """Fit, cross-validate, print."""
    questions = read_examples([Path(each) for each in sys.argv[1:]])
    order = np.random.default_rng(0).permutation(len(questions))
    hits: dict[int, list[bool]] = {}
    for fold in range(10):
        judged = set(order[fold::10].tolist())
        train = [each for n, all_ in enumerate(questions) if n not in judged for each in all_]
        weights = fit(train)
        for n in judged:
            for way, (rows, place) in enumerate(questions[n]):
                hits.setdefault(way, []).append(int(np.argmax(rows @ weights)) == place)
    for way, right in sorted(hits.items()):
        print(f"rendering {way}: right in {np.mean(right):.4f} of {len(right)}")
    weights = fit([each for all_ in questions for each in all_])
    names = list(signs(["a", "b"], frozenset(), 1, ["c"]))
    print("WEIGHTS: dict[str, float] = {")
    for name, weight in zip(names, weights, strict=True):
        print(f'    "{name}": {weight:.2f},')
    print("}")


if __name__ == "__main__":
    main()
