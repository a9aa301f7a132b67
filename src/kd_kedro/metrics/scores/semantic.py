"""Does an answer mean what its reference means? Cosine of sentence vectors, and BERTScore."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from kd_kedro.metrics.statistics.significance import Floats
from kd_kedro.text.embedder import TokenEmbedder, Vectors

# Pairs whose token states are in memory at once: 2 x 512 x 384 numbers for each at most.
_CHUNK = 128


def compare_meanings(
    embedder: TokenEmbedder, predictions: Sequence[str], references: Sequence[str]
) -> tuple[Floats, Floats]:
    """Return semantic similarity and BERTScore F1 of each pair of texts.

    Give all models' answers at once: a reference is then read once for all of them.

    Returns:
        Two arrays (n,): cosines of the sentence vectors, -1 to 1, and BERTScore F1; both 0 where
        a text is blank.
    """
    pairs = list(zip(predictions, references, strict=True))
    whole = np.array([bool(one.strip() and other.strip()) for one, other in pairs], dtype=bool)
    similarities, f1 = np.zeros(len(pairs)), np.zeros(len(pairs))
    asked = np.flatnonzero(whole).tolist()
    if not asked:
        return similarities, f1
    similarities[asked] = cosines(
        embedder.encode([pairs[index][0] for index in asked]),
        embedder.encode([pairs[index][1] for index in asked]),
    )
    asked.sort(key=lambda index: pairs[index][1])
    with tqdm(total=len(asked), desc="BERTScore", unit="pair", disable=None) as bar:
        for start in range(0, len(asked), _CHUNK):
            chosen = asked[start : start + _CHUNK]
            texts = list(dict.fromkeys(text for index in chosen for text in pairs[index]))
            states = dict(zip(texts, embedder.encode_states(texts), strict=True))
            for index in chosen:
                f1[index] = bertscore_f1(*(states[text] for text in pairs[index]))
            bar.update(len(chosen))
    return similarities, f1


def cosines(first: Vectors, second: Vectors) -> Floats:
    """Return the cosine of each pair of unit vectors.

    Args:
        first: (n, d), rows of length 1.
        second: The same for the other side.

    Returns:
        (n,), -1 to 1.
    """
    products = np.einsum("nd,nd->n", first.astype(np.float64), second.astype(np.float64))
    found: Floats = np.clip(products, -1.0, 1.0)
    return found


def bertscore_f1(prediction: Vectors, reference: Vectors) -> float:
    """Return BERTScore F1 (Zhang et al. 2020, equations 1 and 2) without idf and rescaling.

    Every token is matched with the likest one of the other text. As in the authors' code the
    special tokens may be matched with, but are not counted themselves.

    Args:
        prediction: (tokens, d) states of length 1, the first and last of special tokens.
        reference: The same of the reference.

    Returns:
        F1, at most 1; 0 where a text has no token but the special ones.
    """
    if len(prediction) <= 2 or len(reference) <= 2:
        return 0.0
    likeness = prediction.astype(np.float64) @ reference.astype(np.float64).T
    precision = likeness.max(axis=1)[1:-1].mean()
    recall = likeness.max(axis=0)[1:-1].mean()
    total = precision + recall
    return float(2 * precision * recall / total) if total > 0 else 0.0
