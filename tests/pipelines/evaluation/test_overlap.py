"""What held-out rows are compared with: all that was read of the train rows."""

import zlib

import numpy as np

from kd_kedro.curation.records.schema import SPLIT, table
from kd_kedro.pipelines.evaluation.nodes import compare_with_train
from kd_kedro.pipelines.evaluation.params import LeakageParams
from kd_kedro.training.examples import make_examples


class Words:
    """Embeds a text as the words that stand in it."""

    def encode(self, texts):
        vectors = np.zeros((len(texts), 512), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in text.casefold().split():
                vector[zlib.crc32(word.encode()) % 512] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_question_that_a_conversation_asks_on_its_way_was_seen():
    talk = "⟦user⟧ What is a debit?\n⟦assistant⟧ The left.\n⟦user⟧ And why is it so?"
    rows = table(
        SPLIT,
        [
            ["a", "f1", "test", "original", "What is a debit", "The left", "s"],
            ["b", "f2", "train", "original", "What is rent?", "A cost.", "s"],
            ["c", "f3", "train", "original", talk, "By custom.", "s"],
        ],
    )
    held_out = make_examples(rows[rows["split"] == "test"])
    (found,) = compare_with_train(held_out, rows, Words(), LeakageParams()).to_dict("records")
    assert (found["nearest_row_id"], found["nearest_question"]) == ("c", "What is a debit?")
    assert (found["same_question"], found["same_answer"]) == ("yes", "yes")
