"""Students enter a real registry, and the alias moves where the rules say so."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from tokenizers.processors import TemplateProcessing

from benchmarks.tokenizer_families import family_tokenizer
from kd_kedro.inference.generate import generate_answers
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import encode_prompts
from kd_kedro.models.prompt_format import CHAT, PromptFormat, give_format
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.evaluation.params import VerdictParams
from kd_kedro.registry import model_registry as registry
from kd_kedro.registry.candidate import find_candidate
from kd_kedro.registry.promote import _decide_first, promote
from kd_kedro.registry.registered_student import RegisteredStudent
from kd_kedro.runs.recipe import Recipe, Saved, recipe_text
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.text.transcript import write_transcript
from kd_kedro.training.examples import asked_of, make_examples
from tests.pipelines.evaluation.memorising import memorised, rows_with_amounts
from tests.training.architectures import build

ROOT = Path(__file__).resolve().parents[2]
ROWS = rows_with_amounts(40)
CASH = {"question": "What is cash?"}
CONCLUSIONS = {"perplexity": "better", "bleu": "not shown", "exact_match": "not shown"}


RECIPE_OF_NOTHING = Recipe.model_validate(
    {
        "schema": "kd_kedro.recipe/1",
        "kedro_run_id": "",
        "env": "test",
        "params": {},
        "command": {},
        "only_missing_outputs": False,
        "commit": "",
        "dirty": False,
        "environment": {},
        "parameters": {},
        "inputs": [],
        "loaded": {},
        "saved": {},
        "sources": {},
    }
)


def verdict(overall: str) -> dict[str, Any]:
    ahead = {"controls": {"echo": {"student_ahead": True}}}
    metrics = {
        name: {"conclusion": each, "families": 40, **ahead} for name, each in CONCLUSIONS.items()
    }
    said = {"overall": overall, "overall_reason": "", "confidence": 0.95}
    return {**said, "primary": list(metrics), "metrics": metrics}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_byte_bpe([*ROWS["question"], *ROWS["answer"]], vocabulary=300)


@pytest.fixture(scope="module")
def trained(tokenizer: Any) -> LanguageModel:
    """Right in about half of the rows."""
    return memorised(tokenizer, ROWS.head(24), width=32)


@pytest.fixture(scope="module")
def untrained(tokenizer: Any) -> LanguageModel:
    return memorised(tokenizer, ROWS, width=32, steps=0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an empty store; making one takes seconds, so that tests copy it."""
    project = tmp_path_factory.mktemp("store") / "project"
    project.mkdir()
    shutil.copytree(ROOT / "conf", project / "conf")
    shutil.copy(ROOT / "pyproject.toml", project)
    _keep_store_in(project)
    with KedroSession.create(project_path=project, env="test") as session:
        session.load_context()
    return project


class Place:
    """A project in which runs can be put down as a run leaves them."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.context = KedroSession.create(project_path=project, env="test").load_context()
        self.client = self.context.mlflow.server._mlflow_client
        name = self.context.mlflow.tracking.experiment.name
        self.experiment = self.client.get_experiment_by_name(name).experiment_id
        self.runs = 0
        self.git_dirty = "false"

    def run(
        self,
        student: LanguageModel | None,
        overall: str = "better",
        rows: Any = ROWS,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """Put a finished run down; return its id."""
        self.runs += 1
        version = f"2026-01-{self.runs:02}T00.00.00.000Z"
        catalog = self.context._get_catalog(save_version=version)
        made = {"augmented_qa": rows}
        if student is not None:
            made |= {"student": student, "verdict": verdict(overall)}
        for name, product in made.items():
            catalog.save(name, product)
        saved = dict.fromkeys([*made, "validation_results"], version)
        return self.track(version, saved, parameters=parameters)

    def track(
        self,
        version: str,
        saved: dict[str, str],
        loaded: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
        env: str = "test",
    ) -> str:
        """Track a run that ended, with its recipe; return its id."""
        recipe = RECIPE_OF_NOTHING.model_copy(
            update={
                "kedro_run_id": version,
                "env": env,
                "loaded": loaded or {},
                "parameters": parameters or {},
                "saved": {
                    name: Saved(version=each, sha256="", path="") for name, each in saved.items()
                },
            }
        )
        code = {"mlflow.source.git.commit": "a" * 40, "git_dirty": self.git_dirty}
        run = self.client.create_run(self.experiment, tags={"kedro_run_id": version, **code})
        self.client.log_text(run.info.run_id, recipe_text(recipe), "recipe.json")
        self.client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def promote(self, name: str | None = None, *, dry_run: bool = False) -> str:
        candidate = find_candidate(self.context, self.client, self.experiment, name)
        return promote(self.client, candidate, self.context, dry_run=dry_run)

    @property
    def champion(self) -> Any:
        return registry.champion(self.client, "kd_kedro_student")

    @property
    def versions(self) -> list[Any]:
        return list(self.client.search_model_versions("name='kd_kedro_student'"))


@pytest.fixture
def place(store: Path, tmp_path: Path) -> Place:
    return _copied(store, tmp_path / "project")


def test_a_better_student_is_registered_and_generates_offline(
    place: Place, trained: LanguageModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import mlflow

    run = place.run(trained)
    assert "a new version becomes the champion" in place.promote(dry_run=True)
    assert (place.versions, place.champion) == ([], None)
    said = place.promote()
    assert said == (
        "kd_kedro_student: version 1 becomes the champion: there was none, and it is better than "
        "its baseline."
    )
    version = place.champion
    assert version.run_id == run
    assert version.tags["verdict"] == "better"
    assert version.tags["verdict.perplexity"] == "better"
    assert version.tags["kedro_run_id"] == "2026-01-01T00.00.00.000Z"
    assert version.tags["weights"] == weights_fingerprint(trained.model)
    assert int(version.tags["parameters"]) == trained.parameters

    monkeypatch.setattr("socket.socket.connect", _no_network)
    address = "models:/kd_kedro_student@champion"
    pipeline = mlflow.transformers.load_model(address, return_full_text=False)
    assert pipeline.task == "text-generation"
    question = ROWS["question"][0]
    chat = [{"role": "user", "content": question}]
    assert pipeline(chat)[0]["generated_text"].strip() == "Debit."
    assert mlflow.pyfunc.load_model(address).predict([question]) == ["Debit."]


def test_a_version_tells_what_it_is_and_its_example_is_a_held_out_question(
    place: Place, trained: LanguageModel
) -> None:
    import mlflow

    rows = ROWS.assign(split=["train"] * 10 + ["test"] * 30)
    place.run(trained, "not shown", rows=rows)
    place.promote()
    [version] = place.versions
    assert version.description.startswith("The distilled student is better than its baseline in pe")
    assert "load_model('models:/kd_kedro_student/1').predict([question])" in version.description
    [model] = place.client.search_registered_models()
    assert model.description
    loaded = mlflow.pyfunc.load_model("models:/kd_kedro_student/latest")
    assert loaded.input_example == [rows["question"][10]]
    assert loaded.metadata.metadata["prompt_template"] == "Question: {prompt}\nAnswer:"


def test_an_answer_is_as_long_as_when_it_was_judged(place: Place, untrained: LanguageModel) -> None:
    import mlflow

    run = place.run(untrained, parameters={"evaluation.answering.max_new_tokens": 3})
    place.promote(run)
    loaded = mlflow.pyfunc.load_model("models:/kd_kedro_student/1")
    questions = list(ROWS["question"].head(4))
    assert loaded.predict(questions) == generate_answers(
        untrained, questions, max_new_tokens=3, batch_size=4
    )


@pytest.mark.parametrize(
    ("kind", "marks"),
    [
        ("gpt2", "$A"),
        ("gpt2", "{0} $A {0}"),
        ("llama", "{0} $A"),
        ("t5", "$A {0}"),
        ("t5", "{0} $A {0}"),  # its decoder reads its own start, then the mark, as BART's
        ("encoder_decoder", "{0} $A {0}"),
    ],
)
def test_every_kind_of_student_gives_the_judged_answers(
    kind: str, marks: str, tokenizer: Any, tmp_path: Path
) -> None:
    import mlflow

    reader = copy.deepcopy(tokenizer)
    reader.backend_tokenizer.post_processor = TemplateProcessing(
        single=marks.format(reader.eos_token), special_tokens=[(reader.eos_token, 0)]
    )
    model = build(kind, reader)
    model.generation_config.update(do_sample=True, temperature=0.7, top_k=5)  # as GPT-2's own
    student = LanguageModel(model, reader, {"max_length": 90})
    registry.save(student, tmp_path / "model", "", registry.Asking(20, CASH))
    questions = [
        "What is cash?",
        f"What does {reader.eos_token} mean in {{braces}}?",
        "Which of them? " * 20,  # leaves no room for an answer
        "é" * 400,  # is longer than the model is
    ]
    judged = [
        generate_answers(student, [each], max_new_tokens=20, batch_size=1)[0] for each in questions
    ]
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert loaded.predict(questions) == judged
    assert loaded.predict(questions[0]) == judged[:1]
    assert loaded.predict(pd.DataFrame({"question": questions})) == judged
    parts = mlflow.transformers.load_model(str(tmp_path / "model"), return_type="components")
    assert type(parts["model"]) is type(model)
    assert model.generation_config.do_sample  # as it was
    if not model.config.is_encoder_decoder:
        chat = mlflow.transformers.load_model(str(tmp_path / "model"), return_full_text=False)
        asked = chat([{"role": "user", "content": questions[0]}])
        assert asked[0]["generated_text"].strip() == judged[0]


@pytest.mark.parametrize("how", [PromptFormat(CHAT, "Be brief."), PromptFormat("[{question}]")])
def test_a_student_of_another_prompt_gives_the_judged_answers(
    how: PromptFormat, tmp_path: Path
) -> None:
    import mlflow

    tokenizer = family_tokenizer("smollm2", [*ROWS["question"], *ROWS["answer"]])
    give_format(tokenizer, how, "tokenizer")
    student = LanguageModel(build("llama", tokenizer), tokenizer, {"max_length": 90})
    registry.save(student, tmp_path / "model", "", registry.Asking(9, CASH))
    questions = ["What is cash?", "<|im_end|> in a question"]
    judged = generate_answers(student, questions, max_new_tokens=9, batch_size=1)
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert loaded.predict(questions) == judged
    chat = mlflow.transformers.load_model(str(tmp_path / "model"), return_full_text=False)
    asked = chat([{"role": "user", "content": questions[0]}])
    assert asked[0]["generated_text"].strip() == judged[0]


def test_a_student_whose_prompt_has_further_fields_is_asked_with_them(
    place: Place, tokenizer: Any
) -> None:
    import mlflow

    reader = give_format(copy.deepcopy(tokenizer), PromptFormat("{topic}: {question}"), "tokenizer")
    student = LanguageModel(build("gpt2", reader), reader, {"max_length": 90})
    rows = ROWS.assign(topic=[f"topic {number}" for number in range(len(ROWS))])
    place.run(student, "not shown", rows, {"evaluation.answering.max_new_tokens": 9})
    place.promote()
    loaded = mlflow.pyfunc.load_model("models:/kd_kedro_student/1")
    [example] = loaded.input_example
    assert example == {"question": rows["question"][0], "topic": "topic 0"}
    assert loaded.metadata.metadata["prompt_template"] == "{topic}: {prompt}"
    [version] = place.versions
    assert version.description.endswith(".predict([{'question': question, 'topic': topic}])`")
    asked = [example, {"question": "What is cash?", "topic": "a topic"}]
    judged = generate_answers(student, asked, max_new_tokens=9, batch_size=1)
    assert judged[0] != judged[1]
    assert loaded.predict(asked) == judged
    assert loaded.predict(pd.DataFrame(asked)[["topic", "question"]]) == judged
    with pytest.raises(mlflow.MlflowException, match=r"missing inputs \['topic'\]"):
        loaded.predict(pd.DataFrame({"question": ["What is cash?"]}))


@pytest.mark.parametrize(
    "how",
    [
        PromptFormat(CHAT),
        PromptFormat(CHAT, "Be brief."),
        PromptFormat(),
        PromptFormat("<|im_start|>{question}"),
    ],
)
def test_a_registered_student_reads_a_conversation_as_in_training(
    how: PromptFormat, tmp_path: Path
) -> None:
    tokenizer = family_tokenizer("smollm2", [*ROWS["question"], *ROWS["answer"]])
    give_format(tokenizer, how, "tokenizer")
    student = LanguageModel(build("llama", tokenizer), tokenizer, {"max_length": 900})
    registry.save(student, tmp_path / "model")
    said = [("user", "What is cash?"), ("assistant", "Money."), ("user", "And <|im_end|>?")]
    questions = [
        write_transcript(said),
        write_transcript([("system", "Be kind."), *said]),
        "⟦user⟧ alone",
        "⟦assistant⟧ speaks last",  # no transcript
        "What is cash?",
    ]
    columns = ["row_id", "family_id", "split", "style", "question", "answer"]
    rows = [[f"r{n}", "", "train", "original", text, ""] for n, text in enumerate(questions)]
    trained = encode_prompts(
        tokenizer, asked_of(make_examples(pd.DataFrame(rows, columns=columns)))
    )
    read = []
    registered = RegisteredStudent(tmp_path / "model")
    generate = registered.model.generate

    def spy(**given: Any) -> Any:
        read.append(given["input_ids"][0].tolist())
        return generate(**given)

    registered.model.generate = spy
    registered.predict(questions)
    assert read == trained
    code = {path.name for path in (tmp_path / "model" / "code").glob("*.py")}
    assert code == {"registered_student.py", "literal_chat.py", "transcript.py"}


def test_nothing_of_the_registered_folder_is_pickled_or_names_this_machine(
    trained: LanguageModel, tmp_path: Path
) -> None:
    registry.save(trained, tmp_path / "model", "---\nlicense: apache-2.0\n---\n# A student\n")
    files = {path for path in (tmp_path / "model").rglob("*") if path.is_file()}
    weights = {path.name for path in files if path.stat().st_size > 20_000}
    assert weights == {"model.safetensors"}
    assert not [path for path in files if str(ROOT).encode() in path.read_bytes()]
    assert "A student" in (tmp_path / "model" / "model_card.md").read_text(encoding="utf-8")


def test_a_pickled_file_is_refused(tmp_path: Path) -> None:
    torch.save({"a": 1}, tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match=r"weights.safetensors .* only safetensors"):
        registry.refuse_pickle(tmp_path)


def test_the_same_student_is_no_second_version(
    place: Place, trained: LanguageModel, untrained: LanguageModel
) -> None:
    place.run(trained)
    place.promote()
    assert "version 1 has these very weights and is the champion" in place.promote()
    place.run(untrained)
    place.promote()
    place.promote()
    assert len(place.versions) == 2


def test_a_later_promotion_changes_what_was_decided_and_not_what_the_version_is(
    place: Place, trained: LanguageModel
) -> None:
    place.git_dirty = "true"
    place.run(trained, "not shown")
    assert "version 1 (of a run with uncommitted changes) does not become" in place.promote()
    place.git_dirty = "false"
    place.run(trained)
    assert "version 1 (of a run with uncommitted changes) becomes the champion" in place.promote()
    [version] = place.versions
    facts = ("kedro_run_id", "augmented_qa", "verdict", "commit", "git_dirty")
    first = "2026-01-01T00.00.00.000Z"
    assert [version.tags[name] for name in facts] == [first, first, "not shown", "a" * 40, "true"]
    assert version.tags["promotion"] == "first champion"
    assert version.tags["promotion.kedro_run_id"] == "2026-01-02T00.00.00.000Z"


def test_a_repetition_is_promoted_by_its_name_alone(place: Place, trained: LanguageModel) -> None:
    first = place.run(trained)
    again = place.run(trained)
    place.client.set_tag(again, "reproduces", first)
    assert find_candidate(place.context, place.client, place.experiment, None).run_id == first
    assert find_candidate(place.context, place.client, place.experiment, again).run_id == again


def test_without_a_gain_over_the_baseline_there_is_no_first_champion(
    place: Place, trained: LanguageModel
) -> None:
    place.run(trained, "not shown")
    said = place.promote()
    assert said.endswith("must be better than its baseline: not shown; there is no champion yet.")
    assert place.champion is None
    assert [each.tags["promotion"] for each in place.versions] == ["not shown"]


def test_a_better_newcomer_takes_the_place_and_a_worse_one_does_not(
    place: Place, trained: LanguageModel, untrained: LanguageModel
) -> None:
    place.run(untrained)
    place.promote()
    place.run(trained, "not shown")
    said = place.promote()
    assert said.startswith("kd_kedro_student: version 2 becomes the champion: it is better in perp")
    worse = copy.deepcopy(untrained.model)
    with torch.no_grad():
        worse.transformer.wpe.weight.mul_(0.5)
    place.run(LanguageModel(worse, untrained.tokenizer, untrained.card))
    said = place.promote()
    assert "version 3 does not become the champion: it is worse in perplexity" in said
    assert said.endswith("version 2 stays the champion.")
    assert str(place.champion.version) == "2"
    assert place.champion.tags["promotion.against"] == "version 1"


def test_an_equal_but_smaller_newcomer_takes_the_place(
    place: Place, trained: LanguageModel
) -> None:
    padded = copy.deepcopy(trained.model)
    padded.resize_token_embeddings(len(trained.tokenizer) + 64, mean_resizing=False)
    with torch.no_grad():  # never likely: the same answers at a greater cost
        padded.transformer.wte.weight[len(trained.tokenizer) :] = 0
    place.run(LanguageModel(padded, trained.tokenizer, trained.card))
    place.promote()
    place.run(trained)
    said = place.promote()
    assert "version 2 becomes the champion" in said
    assert str(place.champion.version) == "2"


@pytest.fixture(scope="module")
def sure(tokenizer: Any) -> LanguageModel:
    """Right in all rows."""
    return memorised(tokenizer, ROWS, width=32, steps=100)


def duller(model: LanguageModel, scale: float, unused: int) -> LanguageModel:
    """The same answers with logits of a lesser scale, so a greater loss, and tokens nobody says."""
    made, tokens = copy.deepcopy(model.model), len(model.tokenizer)
    made.resize_token_embeddings(tokens + unused, mean_resizing=False)
    with torch.no_grad():
        made.transformer.wte.weight[tokens:] = 0
        for weight in made.transformer.ln_f.parameters():
            weight.mul_(scale)
    return LanguageModel(made, model.tokenizer, model.card)


@pytest.fixture(scope="module")
def chained(store: Path, sure: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a champion that was better, and after it a smaller one, worse by 3 %."""
    place = _copied(store, tmp_path_factory.mktemp("chain") / "project")
    for scale, unused in ((1.0, 448), (0.8, 192)):
        place.run(duller(sure, scale, unused))
        place.promote()
    assert [str(place.champion.version), place.champion.tags[registry.ANCHOR]] == ["2", "1"]
    return place.project


@pytest.fixture
def chain(chained: Path, tmp_path: Path) -> Place:
    place = _copied(chained, tmp_path / "project")
    place.runs = 2
    return place


def test_a_chain_of_smaller_champions_does_not_lose_the_margin_at_every_step(
    chain: Place, sure: LanguageModel
) -> None:
    chain.run(duller(sure, 0.73, 0))  # 3 % worse again, 6 % worse than the first
    said = chain.promote()
    assert (
        "version 3 does not become the champion: it is as good within the margin and take" in said
    )
    assert said.endswith(
        "but next to version 1, the last champion that was better, it is worse in perplexity, and "
        "it is not shown to be within the margin in perplexity; version 2 stays the champion."
    )
    # Champions from before that was kept have only themselves to be held to.
    chain.client.delete_model_version_tag("kd_kedro_student", "2", registry.ANCHOR)
    said = chain.promote()
    assert "version 3 becomes the champion" in said
    assert said.endswith("; it was compared with version 2.")
    assert chain.champion.tags[registry.ANCHOR] == "2"


def test_a_better_champion_is_what_the_next_ones_are_held_to(
    chain: Place, sure: LanguageModel
) -> None:
    chain.run(duller(sure, 0.9, 192))
    said = chain.promote()
    assert said.endswith(
        "version 3 becomes the champion: it is better in perplexity and worse in none, and it is "
        "as good within the margin as version 1, the last champion that was better; it was "
        "compared with version 2."
    )
    assert chain.champion.tags[registry.ANCHOR] == "1"
    chain.run(duller(sure, 1.0, 448))  # the first one's very weights
    assert "version 1 becomes the champion: it is better in perplexity" in chain.promote()
    assert chain.champion.tags[registry.ANCHOR] == "1"
    chain.run(sure)
    assert "version 4 becomes the champion" in chain.promote()
    assert chain.champion.tags[registry.ANCHOR] == "4"
    assert chain.champion.tags["promotion"] == "better"


def test_without_what_it_is_held_to_no_champion_follows(chain: Place, sure: LanguageModel) -> None:
    chain.run(sure)
    rows = chain.client.get_model_version("kd_kedro_student", "1").tags["augmented_qa"]
    chain.client.set_model_version_tag("kd_kedro_student", "1", "augmented_qa", "gone")
    said = chain.promote()
    assert "held to version 1, the last champion that was better, and what version 1 learnt" in said
    chain.client.set_model_version_tag("kd_kedro_student", "1", "augmented_qa", rows)
    chain.client.delete_model_version("kd_kedro_student", "1")
    said = chain.promote()
    assert said.endswith(
        "and it is gone from the registry: delete the tag promotion.anchor of version 2 to go by "
        "that one alone; version 2 stays the champion."
    )


def test_what_the_champion_learnt_is_not_asked(
    place: Place, trained: LanguageModel, untrained: LanguageModel
) -> None:
    learnt = ROWS.assign(split=["train"] * 36 + ["test"] * 4)
    place.run(untrained, rows=learnt)
    place.promote()
    place.run(trained)
    said = place.promote()
    assert "only 4 families were held out for both; 5 are needed; version 1 stays" in said


def test_a_damaged_champion_is_refused_by_name(
    place: Place, trained: LanguageModel, untrained: LanguageModel
) -> None:
    place.run(untrained)
    place.promote()
    place.client.set_model_version_tag("kd_kedro_student", "1", "weights", "others")
    place.run(trained)
    with pytest.raises(ValueError, match="version 1 of kd_kedro_student is not what was registe"):
        place.promote()


def test_what_cannot_be_promoted_is_said_in_a_sentence(place: Place) -> None:
    with pytest.raises(ValueError, match="no finished run has a student"):
        place.promote()
    place.run(None)
    for name, said in (
        ("nosuch", "no run nosuch"),
        (None, "no finished run has a student and a verdict"),
        ("2026-01-01", "of 2026-01-01T00.00.00.000Z neither made nor read student: `kedro run"),
    ):
        with pytest.raises(ValueError, match=said):
            place.promote(name)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("gpt2,server", r"another environment: `kedro promote \w{8} --env gpt2,server`"),
        ("test", "student of version 1, which run .* had, is gone"),
    ],
)
def test_a_run_whose_student_is_not_here_is_told_with_what_is_known(
    place: Place, env: str, said: str
) -> None:
    run = place.track("2026-03", saved={}, loaded={"student": "1"}, env=env)
    with pytest.raises(ValueError, match=said):
        place.promote(run)


def test_a_run_that_only_judged_names_the_student_it_loaded(
    place: Place, trained: LanguageModel, tmp_path: Path
) -> None:
    place.run(trained, "not shown")
    made = "2026-01-01T00.00.00.000Z"
    place.context._get_catalog(save_version="2026-02").save("verdict", verdict("better"))
    saved = {"verdict": "2026-02", "validation_results": "2026-02"}
    run = place.track("2026-02", saved=saved, loaded={"student": made, "augmented_qa": made})
    assert "becomes the champion" in place.promote()
    assert place.champion.run_id == run


def test_the_card_is_the_newest_that_was_written_from_the_runs_evidence(
    place: Place, trained: LanguageModel
) -> None:
    place.run(trained)
    made, judged, *reported = (f"2026-01-0{day}T00.00.00.000Z" for day in range(1, 5))
    parts = ("student", "verdict", "augmented_qa", "validation_results")
    run = place.track(judged, saved={"evidence": judged}, loaded=dict.fromkeys(parts, made))
    for version, evidence in zip(reported, (judged, made), strict=True):
        place.context._get_catalog(save_version=version).save("model_card", f"From {evidence}")
        place.track(version, saved={"model_card": version}, loaded={"evidence": evidence})
    candidate = find_candidate(place.context, place.client, place.experiment, run)
    assert candidate.card == f"From {judged}"


def test_a_verdict_on_another_student_promotes_none(
    place: Place, trained: LanguageModel, untrained: LanguageModel
) -> None:
    place.run(untrained)
    judged = place.run(trained)
    old, new = (f"2026-01-0{day}T00.00.00.000Z" for day in (1, 2))
    place.track("2026-03", saved={}, loaded={"student": old, "verdict": new, "augmented_qa": new})
    with pytest.raises(ValueError, match=f"student of version {old} and a verdict on {new}: "):
        place.promote("2026-03")
    place.promote()
    assert place.champion.run_id == judged


@pytest.mark.parametrize(
    ("lenient", "said"),
    [
        ({"confidence": 0.5}, "exact match at 50 %, and perplexity, BLEU, exact match at 95 % are"),
        ({"primary": ["perplexity"]}, "its verdict was reached by perplexity at 95 %"),
        (
            {"metrics": {name: {"conclusion": "better", "families": 4} for name in CONCLUSIONS}},
            "it is better in perplexity on 4 families alone; 5 are needed",
        ),
    ],
)
def test_a_lenient_verdict_makes_no_first_champion(lenient: dict[str, Any], said: str) -> None:
    got = _decide_first({**verdict("better"), **lenient}, VerdictParams(min_families=5))
    assert not got.moves
    assert said in got.reason


def _copied(project: Path, place: Path) -> Place:
    shutil.copytree(project, place)
    _keep_store_in(place)
    return Place(place)


def _keep_store_in(project: Path) -> None:
    bootstrap_project(ROOT)
    tracking = (ROOT / "conf" / "base" / "mlflow.yml").read_text(encoding="utf-8")
    (project / "conf" / "base" / "mlflow.yml").write_text(
        tracking.replace("${project_path:}", project.as_posix()), encoding="utf-8"
    )


def _no_network(*_: Any) -> None:
    raise AssertionError("something asked the network")


def test_a_gain_that_a_control_has_too_makes_no_champion() -> None:
    said = verdict("better")
    better = next(name for name, word in CONCLUSIONS.items() if word == "better")
    said["metrics"][better]["controls"] = {
        "echo": {"student_ahead": False},
        "floor_teacher": {"student_ahead": False},
    }
    judging = VerdictParams(primary=tuple(CONCLUSIONS), min_families=5)
    got = _decide_first(said, judging)
    assert not got.moves
    assert got.reason == f"it is better in {better}, but not ahead of the control echo there"
