"""Students of copied layers and students with adapters, through the pipeline."""

import pytest
import torch

from kd_kedro.pipelines.merging.nodes import merge_student
from kd_kedro.storage.fingerprints import weights_fingerprint
from tests.pipelines.distillation.recipe import parameters, run
from tests.pipelines.distillation.toy import augmented_qa
from tests.training.architectures import build, save

TABLE = augmented_qa(60)
ONE_SEED = {"seeds": {"count": 1}}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run without copies or adapters, whose teacher and tokenizer the others use."""
    return run(TABLE, tmp_path_factory.mktemp("plain"), changed=ONE_SEED)


def test_a_student_without_an_adapter_needs_no_merging(plain):
    with pytest.raises(ValueError, match=r"^student is a plain model without an adapter"):
        merge_student(plain.load("student"))


def test_copied_layers_are_the_students_start_and_the_baselines_shape_alone(tmp_path):
    catalog = run(TABLE, tmp_path, changed={**ONE_SEED, "student": {"copy_layers": [1]}})
    teacher, student, baseline = (
        catalog.load(name) for name in ("teacher", "student", "baseline_student")
    )
    assert student.model.config.n_layer == 1 < teacher.model.config.n_layer
    assert student.parameters == baseline.parameters
    assert student.card["origin"] == "the teacher's layers 1"
    assert baseline.card["origin"] == "random weights, shaped as the teacher's layers 1"
    theirs = teacher.model.transformer.wte.weight
    near, far = (
        torch.cosine_similarity(theirs, each.model.transformer.wte.weight).mean()
        for each in (student, baseline)
    )
    assert near > 0.9  # four steps lead nobody far from where he began
    assert far < 0.5


def test_a_student_cut_out_of_the_teacher_and_a_baseline_of_its_shape(tmp_path):
    shape = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 1}
    changed = {**ONE_SEED, "student": {"from_teacher": shape | {"intermediate_size": 40}}}
    catalog = run(TABLE, tmp_path, changed=changed)
    teacher, student, baseline = (
        catalog.load(name).model for name in ("teacher", "student", "baseline_student")
    )
    for model in (student, baseline):
        config = model.config
        assert (config.n_layer, config.n_embd, config.n_head, config.n_inner) == (1, 16, 1, 40)
    assert catalog.load("student").card["origin"] == "a student cut out of the teacher"
    untaught = catalog.load("control_models")["cut_untaught"]
    assert untaught.card["origin"] == "a student cut out of the teacher"
    assert untaught.card["teacher_targets"] is None
    assert untaught.card["weights"] != catalog.load("student").card["weights"]
    theirs, own, random = (m.transformer.wte.weight for m in (teacher, student, baseline))
    assert unlike(theirs, own) < 0.2  # each channel is made of the teacher's, four steps on
    assert unlike(theirs, random) > 0.5


def unlike(given, made):
    """Which share of some columns is no linear combination of others."""
    return (given @ torch.linalg.lstsq(given, made).solution - made).norm() / made.norm()


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_an_adapter_is_trained_beside_its_twin_and_merged(kind, plain, tmp_path):
    tokenizer = plain.load("tokenizer")
    base = build(kind, tokenizer)
    folder = save(tmp_path / "base", base, tokenizer)
    changed = {**ONE_SEED, "student": {"pretrained": folder, "adapter": {"kind": "lora"}}}
    catalog = run(TABLE, tmp_path, changed=changed)
    student, baseline = catalog.load("student"), catalog.load("baseline_student")
    assert student.card["adapter"] == baseline.card["adapter"]
    assert student.card["adapter"]["rank"] == 16
    assert student.card["origin"] == "base"
    assert student.card["weights"] != baseline.card["weights"]
    merged = merge_student(student)
    assert type(merged.model) is type(base)
    assert "adapter" not in merged.card
    assert merged.card["parameters"] == sum(weight.numel() for weight in base.parameters())
    assert merged.card["weights"] == weights_fingerprint(merged.model)
    assert weights_fingerprint(merged.model) != weights_fingerprint(base)


@pytest.mark.parametrize("kind", ["t5", "bert"])
def test_an_encoder_decoder_teaches(kind, plain, tmp_path):
    folder = save(tmp_path / "base", build(kind, plain.load("tokenizer")), plain.load("tokenizer"))
    changed = {"teacher": {"pretrained": folder}, "student": {"from_teacher": None}}
    catalog = run(TABLE, tmp_path, changed={**ONE_SEED, **changed})
    assert catalog.load("teacher").model.config.is_encoder_decoder
    assert catalog.load("teacher").card["encoder_layers"] == 3
    assert not catalog.load("student").model.config.is_encoder_decoder


@pytest.mark.parametrize(
    ("student", "message"),
    [
        ({"copy_layers": [-1]}, "greater than or equal to 0"),
        ({"copy_layers": [0], "pretrained": "gpt2"}, "copy_layers and pretrained are two students"),
        ({"adapter": {"kind": "lora"}}, "an adapter changes a model that has learned before"),
        ({"adapter": {"kind": "dora"}}, "Input should be 'none', 'lora' or 'qlora'"),
    ],
)
def test_students_that_cannot_be_are_refused(student, message):
    with pytest.raises(ValueError, match=message):
        parameters("test", {"student": student})
