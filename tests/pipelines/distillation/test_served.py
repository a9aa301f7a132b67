"""The pipeline with a teacher behind a real server, and what such a teacher cannot do."""

from dataclasses import replace

import pytest
import torch
from kedro.io import DataCatalog, DatasetError, MemoryDataset, Version

from benchmarks.completion_server import CompletionServer
from benchmarks.tokenizer_families import family_tokenizer
from kd_kedro.datasets.hf_model import HFModelDataset, ServedTeacherDataset
from kd_kedro.hooks.model_check import check_needs
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate
from kd_kedro.pipelines.distillation import create_pipeline
from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.pipelines.distillation.preflight import check_before_run
from kd_kedro.pipelines.distillation.starts import make_start
from kd_kedro.pipelines.distillation.training_groups import set_start
from kd_kedro.training.examples import encode_examples, learned, make_examples, triples
from kd_kedro.training.teacher.capture import capture
from kd_kedro.training.teacher.store import identity, open_targets
from tests.pipelines.distillation.recipe import parameters, run, whole
from tests.pipelines.distillation.toy import augmented_qa
from tests.training.tiny import tiny_model

TABLE = augmented_qa(24)
LENGTH = 120
STUDENTS = ("baseline", "student", "seeds", "controls")


@pytest.fixture(scope="module")
def teacher():
    tokenizer = family_tokenizer("qwen2", [*TABLE["question"], *TABLE["answer"]])
    return LanguageModel(tiny_model(tokenizer, seed=3), tokenizer)


@pytest.fixture(scope="module")
def names(teacher, tmp_path_factory):
    """A folder of a student of the teacher's tokenizer, as a download leaves it."""
    folder = tmp_path_factory.mktemp("hub") / "student"
    tiny_model(teacher.tokenizer, width=8, seed=4).save_pretrained(folder)
    teacher.tokenizer.save_pretrained(folder)
    return str(folder)


def changed(names, **groups):
    few = {"max_tokens": 2000, "epochs": 1, "batch_size": 8, "num_evaluations": 1}
    return {
        "examples": {"max_length": LENGTH, "max_augmented_rows": 0},
        "tokenizer": {"pretrained": names},
        "student": {"pretrained": names},
        "training": few,
        "seeds": {"count": 2, "workers": 2},
        **groups,
    }


def entry(folder, url, **options):
    given = {"base_url": url, "model": "tiny", "backoff_s": 0.01, "retries": 1, **options}
    return ServedTeacherDataset(
        filepath=str(folder / "teacher"),
        options=given,
        cache=str(folder / "cache.sqlite"),
        version=Version(None, "2026-11-30T08.00.00.000Z"),
    )


@pytest.mark.slow
def test_students_learn_from_a_server_what_they_learn_from_its_model(teacher, names, tmp_path):
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        made = run(TABLE, tmp_path, "served", changed(names), teacher=entry(tmp_path, server.url))
    assert len(server.asked) - 2 == len(made.load("training_examples"))
    asked = teacher.tokenizer.batch_decode([body["prompt"] for body in server.asked[2:]])
    chat = teacher.tokenizer.apply_chat_template(
        [{"role": "user", "content": "{}"}], tokenize=False, add_generation_prompt=True
    )
    begin, end = chat.split("{}")
    assert all(each.startswith(begin) and end in each for each in asked)
    examples = learned(made.load("student_examples"))
    tokenizer, targets = made.load("tokenizer"), made.load("teacher_targets")
    assert targets.manifest["server"] == {"model": "tiny", "extra_body": {}}
    # From the catalog, where the server itself is gone.
    served = entry(tmp_path, "http://127.0.0.1:9/v1").load()
    there = targets.source(triples(examples), tokenizer, served.members, LENGTH)
    who = identity(triples(examples), tokenizer, [(teacher, 1.0)], LENGTH)
    rows = encode_examples(examples, tokenizer, LENGTH)
    config = parameters("served", changed(names))["params:distillation.targets"]
    here = capture([(teacher, 1.0)], rows, who, tmp_path / "own", config)
    batch = collate(rows, tokenizer.pad_token_id)
    said, own = (
        each.signal(batch, 1.0) for each in (there, open_targets(here, tmp_path / "own", who))
    )
    assert torch.equal(said.ids, own.ids)
    torch.testing.assert_close(said.teacher, own.teacher, rtol=1e-3, atol=1e-3)
    assert made.load("student").card["teacher_targets"] == targets.manifest["fingerprint"]
    assert set(made.load("student_seeds")) == {"baseline_2", "student_2"}
    assert not made.load("teacher_history")
    other = entry(tmp_path, "http://127.0.0.1:9/v1", model="large").load()
    with pytest.raises(ValueError, match="belong to another teacher"):
        targets.source(triples(examples), tokenizer, other.members, LENGTH)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"tokenizer": {"pretrained": ""}}, "tokenizer.pretrained is empty"),
        ({"targets": {"source": "dense"}}, "targets.source is dense, but a server gives"),
        ({"targets": {"source": "sampled"}}, "targets.source is sampled"),
        ({"targets": {"source": "live"}}, "targets.source is live"),
        ({"targets": {"temperatures": [2.0]}}, "targets.temperatures are 2, but a server"),
        ({"targets": {"hidden_states": True}}, "a server gives no hidden states"),
        ({"objective": {"hidden_state_weight": 1.0}}, "a server gives no hidden states"),
        ({"ensemble": {"pretrained": ["other"]}}, "ensemble names other teachers"),
        ({"student": {"pretrained": "", "copy_layers": [0]}}, "student.copy_layers makes"),
        ({"student": {"pretrained": ""}}, "student.from_teacher makes students"),
        ({"on_policy": {"share": 0.5}}, "on_policy.share is above 0"),
        ({"sequence_level": {"source": "teacher"}}, "sequence_level.source is teacher"),
        ({"controls": {"patient": "given"}}, "controls.patient is given"),
        ({"teacher": {"fine_tune": True}}, "fine_tune is true"),
        ({"teacher": {"pretrained": "large"}}, "pretrained is large"),
    ],
)
def test_what_a_server_cannot_do_is_refused_by_the_parameters(groups, said):
    with pytest.raises(ValueError, match=said):
        DistillationParams.model_validate(whole("served", groups))


def check(names, teacher, **groups):
    """What is checked before a run that captures."""
    values = {"parameters": {"distillation": whole("served", changed(names, **groups))}}

    def load(name):
        return teacher.load() if name == "teacher" else values[name]

    inputs = {"params:distillation.student", "params:distillation.teacher", "target_store"}
    check_before_run(inputs, load, lambda _: "conf/served")


def test_a_server_is_tried_before_the_first_node(teacher, names, tmp_path):
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        with pytest.raises(ValueError, match=r"max allowed: 20.*max-logprobs of vLLM"):
            check(names, entry(tmp_path, server.url), targets={"k": 30})
        with pytest.raises(KeyError, match="augmentation"):  # what it looks at after the teacher
            check(names, entry(tmp_path, server.url))
    with pytest.raises(ValueError, match="the teacher behind a server finds no server at"):
        check(names, entry(tmp_path, server.url))
    with pytest.raises(ValueError, match=r"options.form of teacher in the catalog"):
        check(names, entry(tmp_path, server.url, form="chat"))
    weights = HFModelDataset(filepath=str(tmp_path / "none"), version=Version(None, "x"))
    with pytest.raises(ValueError, match="teacher in the catalog is a folder of weights"):
        check(names, weights)


def test_a_server_that_reads_less_than_a_row_may_have_is_refused_before_the_first_node(
    teacher, names, tmp_path
):
    served = (teacher.model, teacher.tokenizer)
    with CompletionServer(*served, max_model_len=LENGTH) as server:
        most = LENGTH - 1  # it writes a token
        said = rf"max_length is {LENGTH}, but the teacher .* at {server.url} reads at most {most} "
        with pytest.raises(ValueError, match=said):
            check(names, entry(tmp_path, server.url))
    with (
        CompletionServer(*served, max_model_len=LENGTH + 1) as server,
        pytest.raises(KeyError, match="augmentation"),  # what it looks at after the teacher
    ):
        check(names, entry(tmp_path, server.url))


def test_a_context_that_a_server_cannot_read_whole_is_refused_before_any_training(
    teacher, names, tmp_path
):
    settings = parameters("served", changed(names))
    student = settings["params:distillation.student"]
    train = TABLE[TABLE["split"] == "train"].head(6)
    contexts = ["", "", "long " * 40, "", "short", ""]
    examples = make_examples(train.assign(context=contexts))
    with CompletionServer(teacher.model, teacher.tokenizer, max_model_len=150) as server:
        there = replace(entry(tmp_path, server.url).load(), tokenizer=teacher.tokenizer)

        def start(rows):
            return make_start(rows, rows, there, set_start(student, 8, False, LENGTH), tmp_path)

        row = examples["row_id"][2]
        said = rf"^toy, row {row} has \d+ tokens with its context, but .* at {server.url} reads at "
        with pytest.raises(ValueError, match=rf"{said}most 149, and .*--max-model-len"):
            start(examples)
        assert start(examples.assign(context=""))[0] == {}
    assert start(examples)[0] == {}  # nobody says how much the server reads
    nodes = {node.short_name: node.inputs for node in create_pipeline().nodes}
    assert all("start_student" in nodes[f"train_{name}"] for name in STUDENTS)


def test_a_server_beside_a_teacher_that_would_be_trained_is_refused(tmp_path):
    server = entry(tmp_path, "http://127.0.0.1:9/v1")
    # As kedro keeps them: groups are models of pydantic.
    group = parameters("test")["params:distillation.teacher"]
    values = {"distillation": {"teacher": group}}
    catalog = DataCatalog({"teacher": server, "parameters": MemoryDataset(values)})
    with pytest.raises(ValueError, match=r"needs distillation.teacher.served=true, but"):
        check_needs({"teacher"}, catalog)
    values["distillation"]["teacher"] = group.model_copy(update={"served": True})
    catalog = DataCatalog({"teacher": server, "parameters": MemoryDataset(values)})
    check_needs({"teacher", "parameters"}, catalog)


def test_a_key_in_the_wrong_place_is_not_repeated(tmp_path):
    wrong = entry(tmp_path, "http://127.0.0.1:9/v1", api_key="sk-secret")
    with pytest.raises(DatasetError) as refused:
        wrong.load()
    assert "api_key" in str(refused.value)
    assert "sk-secret" not in f"{refused.value}{wrong!r}"
