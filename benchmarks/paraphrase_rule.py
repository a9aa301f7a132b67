"""Do two questions ask the same? A rule learned from pairs that people have labelled.

Near in embedding is not the same: "what causes it" is near "what cures it". The rule is a logistic
regression on how the two texts match as wholes, sentence by sentence, token by token and word by
word. It never merges two texts that contradict each other (`contradicts`), whatever its score.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from kd_kedro.curation.duplicates.neighbours import Pair, Vectors
from kd_kedro.curation.duplicates.signature import unite
from kd_kedro.curation.rewriting.wording import asker_defect, telling_words
from kd_kedro.datasets.sentence_embedder import MAX_TOKENS, SentenceEmbedder
from kd_kedro.text.names import names
from kd_kedro.text.polarity import negation_count, opposite_defect
from kd_kedro.text.quantities import quantities, quantity_defect

TOKEN_LAYERS = (0, 3, 6)  # the words alone, half in context, wholly in context
_FOLDS = 5
_MARGIN = 0.005  # of precision, that other pairs may cost
_RIDGE = 10.0  # 1/C of the logistic regression
_DIRECTIONS = 64  # of largest spread among the training questions
_LOWEST = 3  # worst matched tokens that are looked at
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")
_SAID_AGAIN = 0.6  # of the telling words of two sentences, that are in both
_SPELT_LIKE = 0.8  # of difflib's ratio: "azythromycin" is azithromycin

Pairs = Sequence[tuple[str, str]]


class Tokens(NamedTuple):
    """The tokens of a text without the special ones: ids int64 (t,), states float32 (layers, t, d).

    States have length 1.
    """

    ids: npt.NDArray[np.int64]
    states: npt.NDArray[np.float32]


class TokenStates:
    """A sentence embedder, and the states of the tokens of each text by the model in `folder`.

    The tokens of a text are read once.
    """

    def __init__(self, embedder: SentenceEmbedder, folder: Path):
        import torch
        from transformers import AutoModel, AutoTokenizer

        self.encode = embedder.encode
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=getattr(torch, embedder.precision),
        ).eval()
        self._memo: dict[str, Tokens] = {}

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text with their states, as `TOKEN_LAYERS` leave them."""
        for text in texts:
            if text not in self._memo:
                self._memo[text] = self._read(text)
        return [self._memo[text] for text in texts]

    def _read(self, text: str) -> Tokens:
        import torch

        batch = self._tokenizer(text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            layers = self._model(**batch, output_hidden_states=True).hidden_states
            states = torch.stack([layers[layer][0, 1:-1].float() for layer in TOKEN_LAYERS])
            unit = torch.nn.functional.normalize(states, dim=2)
        return Tokens(batch["input_ids"][0, 1:-1].numpy(), unit.numpy())


class TokenEmbedder(Protocol):
    """Turns texts into unit vectors, whole and token by token."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n, d), rows of length 1."""
        ...

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text."""
        ...


@dataclass(frozen=True)
class _Text:
    whole: Vectors
    sentences: Vectors
    asked: Vectors
    tokens: Tokens
    words: frozenset[str]


class ParaphraseRule:
    """Says which pairs of questions ask the same; learned from labelled pairs.

    Attributes:
        threshold: Probability from which a pair asks the same.
    """

    threshold: float

    def __init__(self, embedder: TokenEmbedder, precision: float = 0.97):
        """Take the embedder that reads the texts.

        Args:
            embedder: Reads whole texts and their tokens.
            precision: Share of the pairs called the same that have to be.
        """
        self._embedder = embedder
        self._precision = precision

    def fit(self, pairs: Pairs, same: Sequence[bool]) -> "ParaphraseRule":
        """Learn from pairs and whether each asks the same; returns the rule.

        The threshold is chosen on scores that a rule gave which saw neither the pair nor another
        pair of its questions.

        Raises:
            ValueError: All labels are equal, or there are fewer groups of questions than folds.
        """
        from sklearn.model_selection import GroupKFold

        labels = np.asarray(same, dtype=bool)
        groups = question_groups(pairs)
        if labels.all() or not labels.any() or len(set(groups)) < _FOLDS:
            raise ValueError(
                f"a rule is learned from pairs of both kinds and of {_FOLDS} questions or more: "
                f"there are {len(labels)} pairs, {int(labels.sum())} of which ask the same"
            )
        unseen = np.zeros(len(labels))
        for seen, rest in GroupKFold(_FOLDS, shuffle=True, random_state=0).split(
            labels, groups=groups
        ):
            self._learn([pairs[row] for row in seen], labels[seen])
            unseen[rest] = self.score([pairs[row] for row in rest])
        self.threshold = safe_threshold(unseen, labels, self._precision + _MARGIN)
        self._learn(pairs, labels)
        return self

    def _learn(self, pairs: Pairs, same: npt.NDArray[np.bool_]) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        texts = _read(pairs, self._embedder)
        self._token_weight = _rarity(set(text.tokens.ids.tolist()) for text in texts.values())
        self._word_weight = _rarity(text.words for text in texts.values())
        wholes = np.stack([text.whole for text in texts.values()])
        self._mean = wholes.mean(0)
        _, spread, directions = np.linalg.svd(wholes - self._mean, full_matrices=False)
        # Half way to whitening: common directions count less, rare ones are noise.
        kept = min(_DIRECTIONS, int((spread > 1e-6).sum()))
        self._turn = directions[:kept].T / spread[:kept] ** 0.25
        model = LogisticRegression(C=1 / _RIDGE, max_iter=3000)
        self._model: Any = make_pipeline(StandardScaler(), model)
        self._model.fit(self._features(pairs, texts), same)

    def ask_the_same(self, pairs: Pairs) -> npt.NDArray[np.bool_]:
        """Return which pairs ask the same and do not contradict each other."""
        return self.score(pairs) >= self.threshold

    def score(self, pairs: Pairs) -> npt.NDArray[np.float64]:
        """Return the probability that each pair asks the same; 0 where the two contradict."""
        apart = np.array([contradicts(one, other) for one, other in pairs], dtype=bool)
        return np.where(apart, 0.0, self.rank(pairs))

    def rank(self, pairs: Pairs) -> npt.NDArray[np.float64]:
        """Return the probability that each pair asks the same, contradictions not looked at."""
        if not len(pairs):
            return np.zeros(0)
        features = self._features(pairs, _read(pairs, self._embedder))
        probability: npt.NDArray[np.float64] = self._model.predict_proba(features)[:, 1]
        return probability

    def _features(self, pairs: Pairs, texts: dict[str, _Text]) -> npt.NDArray[np.float64]:
        return np.array(
            [
                [
                    *self._of_wholes(texts[one], texts[other]),
                    *self._of_tokens(texts[one].tokens, texts[other].tokens),
                    *_overlap(texts[one].words, texts[other].words, self._word_weight),
                    *_differences(one, other),
                ]
                for one, other in pairs
            ]
        )

    def _of_wholes(self, one: _Text, other: _Text) -> list[float]:
        turned, there = ((text.whole - self._mean) @ self._turn for text in (one, other))
        lengths = float(np.linalg.norm(turned) * np.linalg.norm(there))
        sentences = one.sentences @ other.sentences.T
        asked = one.asked @ other.asked.T
        return [
            float(one.whole @ other.whole),
            float(turned @ there) / max(lengths, 1e-12),
            float(sentences.max()),
            float(sentences.min()),
            *sorted((float(sentences.max(0).mean()), float(sentences.max(1).mean()))),
            *sorted(
                (
                    float((one.sentences @ other.whole).max()),
                    float((other.sentences @ one.whole).max()),
                )
            ),
            float(asked.max()),
            *sorted((float(asked.max(0).mean()), float(asked.max(1).mean()))),
        ]

    def _of_tokens(self, one: Tokens, other: Tokens) -> list[float]:
        """Return how well the tokens of each text are matched in the other, rare ones first."""
        default = max(self._token_weight.values())
        weights = [
            np.array([self._token_weight.get(token, default) for token in text.ids.tolist()])
            for text in (one, other)
        ]
        found: list[float] = []
        for here, there in zip(one.states, other.states, strict=True):
            cosine = here @ there.T
            matched = cosine.max(1), cosine.max(0)
            means = [float(m @ w / w.sum()) for m, w in zip(matched, weights, strict=True)]
            worst = [
                float(np.sort((1 - m) * w)[-_LOWEST:].mean())
                for m, w in zip(matched, weights, strict=True)
            ]
            found += [*sorted(means), *sorted(worst)]
        return found + _overlap(
            frozenset(one.ids.tolist()), frozenset(other.ids.tolist()), self._token_weight
        )


def safe_threshold(
    scores: npt.NDArray[np.float64], same: npt.NDArray[np.bool_], precision: float
) -> float:
    """Return the lowest score from which upwards enough of the pairs are the same.

    Args:
        scores: float64 (n,).
        same: bool (n,).
        precision: Share of the pairs from the threshold upwards that have to be the same.

    Returns:
        A score, above all scores where no threshold is enough.
    """
    order = np.argsort(-scores, kind="stable")
    share = np.cumsum(same[order]) / np.arange(1, len(order) + 1)
    # A threshold cannot part equal scores, and a score of 0 is a contradiction.
    last = np.append(scores[order][:-1] > scores[order][1:], True) & (scores[order] > 0)
    enough = np.flatnonzero((share >= precision) & last)
    return float(scores[order][enough[-1]]) if len(enough) else float(np.inf)


def question_groups(pairs: Pairs) -> list[int]:
    """Return for each pair the number of its group: pairs with a question in common share one."""
    place: dict[str, int] = {}
    for text in (text for pair in pairs for text in pair):
        place.setdefault(text, len(place))
    links = [Pair(place[one], place[other], 1.0) for one, other in pairs]
    families = unite(len(place), links)
    number = {row: group for group, members in enumerate(families) for row in members}
    return [number[place[one]] for one, _ in pairs]


def contradicts(one: str, other: str) -> bool:
    """Return whether two texts differ in a number, a name or a negation.

    Numbers differ where each text has one that the other lacks, of the same unit, or where one
    number has two units; names where each text has one that nothing in the other is spelt like:
    what one text says and the other leaves out is no contradiction. Negations differ where one of
    two single sentences negates, or one of two sentences that share most of their words; other
    negations among several sentences tell what happened, and the score must judge them.
    """
    own, others = _units_of_numbers(one), _units_of_numbers(other)
    if _units_alone(own, others) & _units_alone(others, own):
        return True
    shared = own.keys() & others.keys()
    if any(own[n] and others[n] and not own[n] & others[n] for n in shared):
        return True
    if _names_alone(one, other) and _names_alone(other, one):
        return True
    return _negations_differ(_sentences(one), _sentences(other))


def _negations_differ(one: Sequence[str], other: Sequence[str]) -> bool:
    return any(
        bool(negation_count(here)) != bool(negation_count(there))
        for here in one
        for there in other
        if len(one) == len(other) == 1 or _shared(here, there) >= _SAID_AGAIN
    )


def _shared(one: str, other: str) -> float:
    """Return the share of the telling words of two sentences that stand in both."""
    here, there = frozenset(telling_words(one)), frozenset(telling_words(other))
    return len(here & there) / max(len(here | there), 1)


def _units_of_numbers(text: str) -> dict[str, set[str]]:
    """Return the units that each number of a text has."""
    found: dict[str, set[str]] = {}
    for each in quantities(text):
        if not each.loose:
            found.setdefault(each.value, set()).update({each.unit} - {""})
    return found


def _units_alone(own: dict[str, set[str]], others: dict[str, set[str]]) -> set[str]:
    """Return the units, '' for none, of the numbers that only one of two texts has."""
    return {unit for number in own.keys() - others.keys() for unit in own[number] or {""}}


def _names_alone(one: str, other: str) -> bool:
    """Return whether a text has a name that nothing in another is spelt like."""
    there = re.findall(r"[\w&.-]*\w", other.casefold())
    return any(not get_close_matches(name, there, 1, _SPELT_LIKE) for name in names(one))


def _differences(one: str, other: str) -> list[float]:
    return [
        float(bool(quantity_defect(one, other))),
        float(abs(negation_count(one) - negation_count(other))),
        float(bool(opposite_defect(one, other))),
        float(bool(asker_defect(one, other))),
    ]


def _overlap(one: frozenset[Any], other: frozenset[Any], weights: dict[Any, float]) -> list[float]:
    """Return shared weight by union, by lighter and by heavier text; heaviest and all unmatched."""
    default = max(weights.values(), default=1.0)

    def weigh(words: Iterable[Any]) -> list[float]:
        return [weights.get(word, default) for word in words]

    left, right, both = sum(weigh(one)), sum(weigh(other)), sum(weigh(one & other))
    light, heavy = max(min(left, right), 1e-9), max(left, right, 1e-9)
    alone = sorted(max(weigh(words), default=0.0) for words in (one - other, other - one))
    return [
        both / max(left + right - both, 1e-9),
        both / light,
        both / heavy,
        *alone,
        light - both,
        heavy - both,
        float(np.log((heavy + 1) / (light + 1))),
    ]


def _rarity(documents: Iterable[Iterable[Any]]) -> dict[Any, float]:
    """Return the inverse document frequency of each word."""
    counts: Counter[Any] = Counter()
    total = 0
    for document in documents:
        counts.update(set(document))
        total += 1
    return {word: float(np.log((total + 1) / (count + 0.5))) for word, count in counts.items()}


def _read(pairs: Pairs, embedder: TokenEmbedder) -> dict[str, _Text]:
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    sentences = [_sentences(text) for text in texts]
    vectors = embedder.encode([sentence for found in sentences for sentence in found])
    ends = np.cumsum([len(found) for found in sentences])[:-1]
    return {
        text: _Text(whole, own, own[_asking(found)], tokens, frozenset(telling_words(text)))
        for text, whole, own, found, tokens in zip(
            texts,
            embedder.encode([" ".join(text.split()) for text in texts]),
            np.split(vectors, ends),
            sentences,
            embedder.encode_tokens(texts),
            strict=True,
        )
    }


def _sentences(text: str) -> list[str]:
    squeezed = " ".join(text.split())
    found = [part for part in _SENTENCE_END.split(squeezed) if len(part.split()) > 1]
    return found or [squeezed]


def _asking(sentences: list[str]) -> list[int]:
    """Return the places of the sentences that ask, the last one's where none does."""
    asking = [place for place, text in enumerate(sentences) if text.rstrip().endswith("?")]
    return asking or [len(sentences) - 1]
