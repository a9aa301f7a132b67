"""A tokenizer, a model and examples for the tests of the engine."""

import pytest

from kd_kedro.models.encoding import encode
from kd_kedro.models.tokenization import train_byte_bpe
from tests.training.tiny import ANSWERS, QUESTIONS, tiny_model


@pytest.fixture(scope="session")
def tokenizer():
    return train_byte_bpe([*QUESTIONS, *ANSWERS], vocabulary=300)


@pytest.fixture
def model(tokenizer):
    return tiny_model(tokenizer)


@pytest.fixture(scope="session")
def examples(tokenizer):
    ids = [f"row{number}" for number in range(len(QUESTIONS))]
    return encode(tokenizer, ids, QUESTIONS, ANSWERS, 128)
