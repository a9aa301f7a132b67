from pathlib import Path

import pytest
import yaml
from kedro.io import DataCatalog, DatasetError

from kd_kedro.datasets.text_generator import TextGeneratorDataset
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.runs.provenance import source_hashes
from tests.conftest import ROOT
from tests.generation.llm.chat_server_double import Answer, Asked, ChatServerDouble, question

PROMPTS = str(ROOT / "conf" / "base" / "resources" / "prompts.yml")
TYPE = "kd_kedro.datasets.text_generator.TextGeneratorDataset"


def good(asked: Asked) -> Answer:
    return question(asked.text.replace("What is", "Which is"))


def test_loads_a_generator() -> None:
    generator = TextGeneratorDataset("rules", {"typo_share": 0.25}).load()
    assert isinstance(generator, TextGenerator)
    assert generator.generate([Request("typo", "What is depreciation?")])[0].status == "ok"


def test_wrong_descriptions_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="backend 'oracle' of text_generator is unknown"):
        TextGeneratorDataset("oracle")
    with pytest.raises(DatasetError, match="options of text_generator do not fit"):
        TextGeneratorDataset("rules", {"temperature": 1}).load()
    with pytest.raises(DatasetError, match="not allowed"):
        TextGeneratorDataset().save(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backend", "options", "message"),
    [
        ("openai", {"model": "m"}, "generator openai do not fit .* base_url: Field required"),
        ("openai", {"base_url": "http://h/v1", "model": "m", "key": "sk-x"}, "key: Extra inputs"),
        ("openai", {"base_url": "http://sk-x@h/v1", "model": "m"}, "base_url: String should match"),
        ("openai", {"base_url": "http://h:port/v1", "model": "m"}, "base_url of .* is no address"),
        ("transformers", {"model": "x", "batch_size": 0}, "batch_size: Input should be greater"),
        ("by_task", {"tasks": {"fitb": "rules"}}, "`generators`, by name, and `tasks`"),
        (
            "by_task",
            {"generators": {"a": {"backend": "magic"}}, "tasks": {"fitb": "a"}},
            "backend 'magic' of text generator a is unknown",
        ),
        (
            "by_task",
            {"generators": {"a": {"backend": "rules"}}, "tasks": {"fitb": ["a", "b"]}},
            "task fitb of text_generator names b: use a",
        ),
    ],
)
def test_options_that_do_not_fit_are_named(backend: str, options, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        TextGeneratorDataset(backend, options, prompts=PROMPTS).load()
    assert "sk-x" not in str(caught.value)


def test_prompts_must_be_there(tmp_path: Path) -> None:
    options = {"base_url": "http://h/v1", "model": "m"}
    with pytest.raises(DatasetError, match="has no prompts: name their file"):
        TextGeneratorDataset("openai", options).load()
    with pytest.raises(DatasetError, match=r"absent\.yml cannot be read"):
        TextGeneratorDataset("openai", options, prompts=str(tmp_path / "absent.yml")).load()


def test_keys_come_from_credentials_and_are_shown_nowhere(tmp_path: Path) -> None:
    with ChatServerDouble(good) as server:
        generators = {
            "paid": {
                "backend": "openai",
                "base_url": server.url,
                "model": "m",
                "credentials": "mine",
                "concurrency": 1,
            },
            "rules": {"backend": "rules"},
        }
        described = {
            "type": TYPE,
            "backend": "by_task",
            "prompts": PROMPTS,
            "cache": str(tmp_path / "replies.sqlite"),
            "options": {"generators": generators, "tasks": {"formal": ["paid", "rules"]}},
        }
        catalog = DataCatalog.from_config(
            {"text_generator": described}, credentials={"mine": {"keys": "sk-one, sk-two"}}
        )
        generator = catalog.load("text_generator")
        outcomes = generator.generate(
            [Request("formal", "What is rent?"), Request("formal", "What is capital?")]
        )
        assert [asked.key for asked in server.asked] == ["sk-one", "sk-two"]
    assert [outcome.text for outcome in outcomes] == ["Which is rent?", "Which is capital?"]
    shown = repr(catalog.get("text_generator")) + repr(catalog) + repr(outcomes)
    assert "sk-" not in shown
    assert "paid" in shown


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": " , "}, {"keys": [1]}, {"key": "a"}])
def test_credentials_without_a_key_are_a_sentence(keys) -> None:
    options = {"base_url": "http://h/v1", "model": "m"}
    with pytest.raises(DatasetError, match="credentials of text generator openai have no"):
        TextGeneratorDataset("openai", options, prompts=PROMPTS, credentials=keys).load()


def test_a_key_that_was_copied_wrongly_is_not_shown() -> None:
    options = {"base_url": "http://h/v1", "model": "m"}
    keys = {"keys": ["sk-one", "sk-t\u2026wo"]}
    with pytest.raises(DatasetError, match="key 2 in the credentials") as caught:
        TextGeneratorDataset("openai", options, prompts=PROMPTS, credentials=keys).load()
    assert "sk-t" not in str(caught.value)


def test_other_prompts_are_another_source(tmp_path: Path) -> None:
    def hashed(words: str) -> str:
        file = tmp_path / "prompts.yml"
        file.write_text(yaml.safe_dump({"formal": {"user": f"{words}: {{text}}"}}))
        entry = {"type": TYPE, "backend": "by_task", "prompts": str(file)}
        catalog = DataCatalog.from_config({"text_generator": entry})
        return source_hashes(["text_generator"], catalog, {"text_generator": entry})[
            "text_generator"
        ]

    assert hashed("Question") == hashed("Question") != hashed("Ask")


def test_how_to_ask_is_no_source_but_whom_is() -> None:
    def hashed(**options: object) -> str:
        server = {"backend": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m"}
        entry = {
            "type": TYPE,
            "backend": "by_task",
            "options": {"generators": {"a": server | options}, "tasks": {"formal": "a"}},
        }
        catalog = DataCatalog.from_config({"text_generator": entry})
        return source_hashes(["text_generator"], catalog, {"text_generator": entry})[
            "text_generator"
        ]

    same = {"base_url": "http://127.0.0.1:2/v1", "concurrency": 2, "price": {"input": 1}}
    assert hashed() == hashed(**same)
    assert hashed() != hashed(model="n")
    assert hashed() != hashed(temperature=0.5)


@pytest.mark.parametrize("environment", ["llm", "server"])
def test_recipes_name_what_there_is(environment: str) -> None:
    from omegaconf import OmegaConf

    file = ROOT / "conf" / environment / "resources" / "catalog.yml"
    entry = OmegaConf.to_container(OmegaConf.load(file))["text_generator"]
    options = entry["options"]
    prompts = yaml.safe_load(Path(PROMPTS).read_text())
    assert set(options["tasks"]) == set(prompts)
    named = {
        n
        for names in options["tasks"].values()
        for n in ([names] if isinstance(names, str) else names)
    }
    assert named == set(options["generators"])
