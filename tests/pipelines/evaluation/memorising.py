"""A small student that has learnt some rows by heart, so that its answers are worth comparing."""

from typing import Any

import pandas as pd
import torch

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate, encode, pad_token_id
from tests.inference.answer_logits import answer_logits
from tests.training.tiny import tiny_model


def rows_with_amounts(count: int, *, prefix: str = "") -> pd.DataFrame:
    """Held-out rows: labels, amounts and sentences, with the marks that do not count."""
    answers = ["Debit.", "₹ 1,200", "An asset", "It is what a firm owes to others, in short."]
    asked = [
        (
            f"{prefix}What is item {number} of the list{', in a few words' * (number % 3)}?",
            answers[number % 4],
        )
        for number in range(count)
    ]
    return pd.DataFrame(
        [
            (f"{prefix}r{i:02}", f"{prefix}f{i:02}", "test", "original", q, a, "sheet.csv")
            for i, (q, a) in enumerate(asked)
        ],
        columns=["row_id", "family_id", "split", "style", "question", "answer", "source"],
        dtype="str",
    )


def memorised(
    tokenizer: Any, rows: pd.DataFrame, *, seed: int = 0, width: int = 32, steps: int = 60
) -> LanguageModel:
    """Return a tiny model after some steps on the rows."""
    model = tiny_model(tokenizer, width=width, seed=seed).train()
    examples = encode(
        tokenizer, list(rows["row_id"]), list(rows["question"]), list(rows["answer"]), 128
    )
    batch = collate(examples, pad_token_id(tokenizer))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(answer_logits(model, batch), batch.answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    card = {"seed": seed, "max_length": 128, "parameters": model.num_parameters()}
    return LanguageModel(model.eval(), tokenizer, card)
