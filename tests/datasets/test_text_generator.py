import pytest
from kedro.io import DatasetError

from kd_kedro.datasets.text_generator import TextGeneratorDataset
from kd_kedro.generation.protocol import Request, TextGenerator


def test_loads_a_generator() -> None:
    generator = TextGeneratorDataset("rules", {"typo_share": 0.25}).load()
    assert isinstance(generator, TextGenerator)
    assert generator.generate([Request("typo", "What is depreciation?")])[0].status == "ok"


def test_wrong_descriptions_are_sentences() -> None:
    with pytest.raises(ValueError, match="backend 'oracle' of text_generator is unknown"):
        TextGeneratorDataset("oracle")
    with pytest.raises(DatasetError, match="options of text_generator do not fit"):
        TextGeneratorDataset("rules", {"temperature": 1}).load()
    with pytest.raises(DatasetError, match="not allowed"):
        TextGeneratorDataset().save(None)  # type: ignore[arg-type]
