"""Write the antonyms and the common synonyms of WordNet, as `kd_kedro.text.opposites` reads them.

`python tools/wordnet_pairs.py DICT`, DICT being the folder `dict` of WordNet 3.1 with `data.*` and
`index.sense`. A line has a word and its antonyms, or its synonyms, in alphabetical order.
"""

import itertools
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "src/kd_kedro/text/wordnet"
PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
SENSE_PARTS = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
# How often both words were read in the sense they share, in the texts that WordNet's makers read.
LEAST_READ = 1


class Meaning(NamedTuple):
    """Words that mean the same, and the antonyms of each: its place, their meaning and place."""

    words: list[str]
    antonyms: list[tuple[int, tuple[str, str], int]]


def main(folder: Path) -> None:
    """Write both files anew from the folder `dict` of WordNet."""
    meanings = dict(read_meanings(folder))
    read = read_counts(folder / "index.sense")
    antonyms, synonyms = defaultdict(set), defaultdict(set)
    for (part, offset), meaning in meanings.items():
        for own, other, place in meaning.antonyms:
            add(antonyms, meaning.words[own], meanings[other].words[place])
        for one, other in itertools.combinations(meaning.words, 2):
            if min(read.get((word, part, offset), 0) for word in (one, other)) >= LEAST_READ:
                add(synonyms, one, other)
    for name, pairs in (("antonyms", antonyms), ("synonyms", synonyms)):
        lines = (f"{word} {' '.join(sorted(others))}\n" for word, others in sorted(pairs.items()))
        (FOLDER / f"{name}.txt").write_text("".join(lines), encoding="utf-8")


def read_meanings(folder: Path):
    """Yield the part of speech and offset of each meaning, and the meaning."""
    for name, part in PARTS.items():
        for line in (folder / f"data.{name}").read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):
                continue
            fields = line.split(" | ")[0].split()
            count = int(fields[3], 16)
            words = [re.sub(r"\(.*", "", word).lower() for word in fields[4 : 4 + 2 * count : 2]]
            pointers = fields[5 + 2 * count :][: 4 * int(fields[4 + 2 * count])]
            antonyms = [
                (int(places[:2], 16) - 1, (to.replace("s", "a"), offset), int(places[2:], 16) - 1)
                for sign, offset, to, places in zip(*[iter(pointers)] * 4, strict=True)
                if sign == "!"
            ]
            yield (part, fields[0]), Meaning(words, antonyms)


def read_counts(path: Path) -> dict[tuple[str, str, str], int]:
    """Return how often a word was read in a meaning, by word, part of speech and offset."""
    counts = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, offset, _, count = line.split()
        word, sense = key.split("%")
        counts[word, SENSE_PARTS[sense[0]], offset] = int(count)
    return counts


def add(pairs: dict[str, set[str]], one: str, other: str) -> None:
    """Add a pair of single words, in alphabetical order."""
    if one.isalpha() and other.isalpha() and one != other:
        pairs[min(one, other)].add(max(one, other))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
