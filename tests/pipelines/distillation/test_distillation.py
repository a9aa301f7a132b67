"""The pipeline on a toy sheet: what comes out, what it depends on, what it refuses."""

import copy
import inspect
import itertools
from dataclasses import replace
from typing import get_args

import pytest
import torch
import yaml

from kd_kedro.losses.divergence_names import BUCKETED, FULL, DivergenceName
from kd_kedro.losses.divergences import DIVERGENCES
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.pipelines.distillation import create_pipeline, sequence_level
from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.pipelines.distillation.nodes import (
    capture_targets,
    choose_examples,
    train_baseline,
    train_seeds,
    train_student,
    train_teacher,
    train_tokenizer,
)
from kd_kedro.pipelines.distillation.sequence_level import make_student_examples, reference_examples
from kd_kedro.pipelines.distillation.students import reference_inputs, taught_inputs
from kd_kedro.pipelines.distillation.training_groups import set_baseline, set_seeds, set_student
from kd_kedro.runs.parameter_check import operational_keys
from kd_kedro.training.examples import learned, questions_of, triples
from kd_kedro.training.teacher.capture_config import serves
from kd_kedro.training.teacher.signals import LiveTeacher
from tests.pipelines.distillation.recipe import CONF, NO_TEACHER, TARGETS, parameters, run, whole
from tests.pipelines.distillation.toy import augmented_qa
from tests.training.tiny import tiny_model

TABLE = augmented_qa(60)
NAMES = {
    "examples": "params:distillation.examples",
    "tokenizer": "params:distillation.tokenizer",
    "teacher": "params:distillation.teacher",
    "ensemble": "params:distillation.ensemble",
    "sequence_level": "params:distillation.sequence_level",
    "targets": "params:distillation.targets",
    "student": "params:distillation.student",
    "baseline": "params:distillation.controls.baseline",
    "training": "params:distillation.training",
    "objective": "params:distillation.objective",
    "on_policy": "params:distillation.on_policy",
    "seeds": "params:distillation.seeds",
    "controls": "params:distillation.controls",
}
LEARNED = ("student", "training", "objective", "on_policy")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return run(TABLE, tmp_path_factory.mktemp("distillation"))


@pytest.fixture(scope="module")
def groups():
    values = parameters("test")
    return {short: values[name] for short, name in NAMES.items()}


def chosen(table, groups):
    """The examples of a table: training, validation and the student's own."""
    training, validation = choose_examples(table, groups["examples"])
    return (
        training,
        validation,
        make_student_examples(training, None, None, groups["sequence_level"]),
    )


def asked_of(groups):
    """What a student of these groups is asked."""
    length = groups["examples"].max_length
    return set_student(*(groups[name] for name in LEARNED), groups["seeds"].first, length)


def student_of(catalog, table, groups, path, **changed):
    names = ("teacher", "teacher_targets", "start_student")
    given = {name: catalog.load(name) for name in names} | changed
    _, validation, examples = chosen(table, groups)
    return train_student(examples, validation, *given.values(), asked_of(groups), path)


def capture_of(catalog, table, groups, path):
    given = (catalog.load("tokenizer"), catalog.load("teacher"), groups["targets"])
    *_, examples = chosen(table, groups)
    return capture_targets(examples, *given, groups["examples"].max_length, path)


def teacher_of(catalog, groups, params, path, ensemble=None):
    training, validation, _ = chosen(TABLE, groups)
    return train_teacher(
        training,
        validation,
        catalog.load("tokenizer"),
        params,
        ensemble or groups["ensemble"],
        groups["examples"].max_length,
        path,
    )


def test_every_parameter_is_named_in_the_order_of_its_argument():
    # Kedro takes a parameter's type from the argument at its place.
    for node in create_pipeline().nodes:
        assert [*node._inputs] == [*inspect.signature(node.func).parameters][: len(node._inputs)]
        assert len(node.inputs) <= 7


def test_baseline_and_student_are_twins(catalog):
    baseline, student = catalog.load("baseline_student"), catalog.load("student")
    assert baseline.parameters == student.parameters < catalog.load("teacher").parameters
    assert baseline.card["steps"] == student.card["steps"]
    assert baseline.card["seed"] == student.card["seed"]
    assert baseline.card["weights"] != student.card["weights"]
    assert baseline.card["teacher_targets"] is None
    fingerprint = catalog.load("teacher_targets").manifest["fingerprint"]
    assert student.card["teacher_targets"] == fingerprint


def test_the_cards_say_what_each_model_was_asked_and_with_which_budget(catalog, groups):
    baseline, student = catalog.load("baseline_student").card, catalog.load("student").card
    assert baseline["objective"] == {"alpha": 1.0, "beta": 0.0}
    assert student["objective"] == groups["objective"].model_dump()
    assert student["training"] == baseline["training"] == groups["training"].model_dump()
    assert catalog.load("teacher").card["training"] == groups["teacher"].training.model_dump()


KINDS = ("baseline", "student", "cut_untaught")  # in the order in which they are trained


def test_the_other_seeds_have_all_kinds(catalog, groups):
    first = groups["seeds"].first
    expected = {f"{kind}_{first + n}" for kind in KINDS for n in (1, 2)}
    assert set(catalog.load("student_seeds")) == expected
    weights = {model.card["weights"] for model in catalog.load("student_seeds").values()}
    assert len(weights) == 6


def test_side_by_side_they_are_the_same(catalog, groups, tmp_path):
    two = groups["seeds"].model_copy(update={"count": 2, "workers": 2})
    asked = set_seeds(*(groups[name] for name in LEARNED), two, groups["controls"], 160)
    _, validation, examples = chosen(TABLE, groups)
    names = ("teacher", "teacher_targets", "start_student")
    given = (catalog.load(name) for name in names)
    models, history = train_seeds(examples, validation, *given, asked, tmp_path)
    seeds = catalog.load("student_seeds")
    assert list(models) == [f"{kind}_{groups['seeds'].first + 1}" for kind in KINDS]
    for name, model in models.items():
        alone = seeds[name].card
        assert model.card["validation_loss"] == pytest.approx(alone["validation_loss"], rel=1e-4)
        assert (model.card["training"], model.card["seed"]) == (alone["training"], alone["seed"])
        assert any(f"{name}.validation_loss" in record for record in history)


def test_trainings_with_processes_of_their_own_wait_for_each_other(groups):
    two = groups["seeds"].model_copy(update={"workers": 2})
    for processes, workers in ((1, 2), (2, 1)):
        training = groups["training"].model_copy(update={"num_processes": processes})
        given = {**groups, "training": training}
        asked = set_seeds(*(given[name] for name in LEARNED), two, groups["controls"], 160)
        assert asked["workers"] == workers


def test_histories_are_steps_with_losses(catalog):
    for name in ("teacher", "baseline", "student"):
        history = catalog.load(f"{name}_history")
        assert all("step" in record for record in history)
        assert any("loss" in record for record in history)
        assert any("validation_loss" in record for record in history)
    assert any("divergence" in record for record in catalog.load("student_history"))
    keys = {key for record in catalog.load("seeds_history") for key in record}
    assert {"step", "baseline_2.loss", "student_3.validation_loss"} <= keys


def test_the_targets_cover_the_training_rows_alone(catalog):
    assert (
        catalog.load("teacher_targets").manifest["row_count"] == (TABLE["split"] == "train").sum()
    )


def test_augmented_rows_are_bounded_and_original_ones_are_not(catalog, groups, tmp_path):
    def rows(**changed):
        examples = groups["examples"].model_copy(update=changed)
        own = {**groups, "examples": examples}
        return capture_of(catalog, TABLE, own, tmp_path).manifest["row_count"]

    train = TABLE["split"] == "train"
    original = int((train & (TABLE["style"] == "original")).sum())
    assert rows(max_augmented_rows=3) == original + 3
    assert rows(max_augmented_rows=0) == rows(styles=("original",)) == original
    assert rows(styles=("casual",)) == int((train & (TABLE["style"] == "casual")).sum())


def test_the_test_split_touches_nothing(catalog, groups, tmp_path):
    table = TABLE.copy()
    test = table["split"] == "test"
    assert test.any()
    table.loc[test, "question"] = "另 a wholly other question?"
    table.loc[test, "answer"] = "Another answer."
    again = run(table, tmp_path)
    for name in ("teacher", "baseline_student", "student"):
        assert again.load(name).card["weights"] == catalog.load(name).card["weights"]


def test_the_tokenizer_sees_no_held_out_text(groups):
    table = TABLE.copy()
    table.loc[table["split"] != "train", "question"] = "Zyzzyva " * 50
    trained, same = (
        train_tokenizer(chosen(each, groups)[0], groups["tokenizer"], groups["examples"])
        for each in (table, TABLE)
    )
    assert trained.get_vocab() == same.get_vocab()


def test_nodes_leave_the_table_as_it_was(catalog, groups, tmp_path):
    before = TABLE.copy()
    student_of(catalog, TABLE, groups, tmp_path)
    assert TABLE.equals(before)


def test_a_student_repeats_bit_by_bit(catalog, groups, tmp_path):
    student, _ = student_of(catalog, TABLE, groups, tmp_path)
    assert student.card["weights"] == catalog.load("student").card["weights"]


def test_rows_in_another_order_give_the_same_targets(catalog, groups, tmp_path):
    turned = TABLE.iloc[::-1].reset_index(drop=True)
    targets = capture_of(catalog, turned, groups, tmp_path)
    assert targets.manifest == catalog.load("teacher_targets").manifest


def test_targets_of_other_rows_or_another_teacher_are_refused(catalog, groups, tmp_path):
    changed = TABLE.copy()
    changed.loc[0, "answer"] = "Debit nothing."
    assert changed.loc[0, "split"] == "train"
    with pytest.raises(ValueError, match="teacher_targets belong to another set of rows"):
        student_of(catalog, changed, groups, tmp_path)
    with pytest.raises(ValueError, match="teacher_targets belong to another teacher"):
        student_of(catalog, TABLE, groups, tmp_path, teacher=catalog.load("student"))


def test_a_divergence_the_targets_cannot_give_is_refused(catalog, groups, tmp_path):
    wrong = groups["objective"].model_copy(update={"divergence": "jsd"})
    with pytest.raises(ValueError, match=r"objective\.divergence: .* use forward_kl"):
        student_of(catalog, TABLE, {**groups, "objective": wrong}, tmp_path)


def test_a_student_that_asks_no_teacher_says_so(catalog, groups, tmp_path):
    alone = groups["objective"].model_copy(update=NO_TEACHER)
    student, _ = student_of(
        catalog, TABLE, {**groups, "objective": alone}, tmp_path, teacher_targets=None
    )
    assert student.card["teacher_targets"] is None
    assert student.card["objective"] == catalog.load("baseline_student").card["objective"] | {
        "alpha": alone.alpha
    }


def test_where_no_student_asks_for_targets_no_teacher_is_read(catalog, groups, tmp_path):
    alone = parameters("test", {"objective": NO_TEACHER})["params:distillation.targets"]
    *_, examples = chosen(TABLE, groups)
    nothing = capture_targets(examples, None, None, alone, 64, tmp_path)
    assert nothing.manifest == {"source": "none"}
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"^teacher_targets hold nothing, .* run capture_targets"):
        student_of(catalog, TABLE, groups, tmp_path, teacher_targets=nothing)


@pytest.mark.parametrize(
    ("changed", "captures", "states"),
    [
        ({}, True, True),
        ({"objective": {"beta": 0.2, **TARGETS}}, True, False),
        ({"objective": NO_TEACHER}, False, False),
        ({"objective": {"beta": 0.0}}, True, True),
        ({"objective": NO_TEACHER, "targets": {"capture": True}}, True, False),
        ({"objective": TARGETS, "targets": {"hidden_states": True}}, True, True),
    ],
)
def test_what_is_captured_follows_whether_the_objective_asks_and_makes_nothing_stale(
    changed, captures, states, catalog
):
    targets = whole("test", changed)["targets"]
    assert (targets["capture"], targets["hidden_states"]) == (captures, states)
    assert "distillation.targets.capture" in operational_keys({"distillation": DistillationParams})
    assert "capture" not in catalog.load("teacher_targets").manifest  # nor is it in the address


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_who_judges_sampled_answers_computes_as_the_capture_did(
    catalog, groups, tmp_path, precision
):
    on_policy = groups["on_policy"].model_copy(update={"share": 0.5})
    targets = groups["targets"].model_copy(update={"precision": precision})
    training, validation, _ = chosen(TABLE, groups)
    length = groups["examples"].max_length
    inputs = taught_inputs(
        reference_inputs(
            training, validation, catalog.load("tokenizer"), groups["student"], length, tmp_path
        ),
        catalog.load("teacher"),
        capture_of(catalog, TABLE, {**groups, "targets": targets}, tmp_path),
        on_policy,
    )
    assert inputs.on_policy.teacher.precision == precision


def test_one_seed_has_no_others(groups, tmp_path):
    one = groups["seeds"].model_copy(update={"count": 1})
    asked = set_seeds(*(groups[name] for name in LEARNED), one, groups["controls"], 160)
    _, validation, examples = chosen(TABLE, groups)
    teacher = LanguageModel(None, None)
    models, history = train_seeds(examples, validation, teacher, None, {}, asked, tmp_path)
    assert (asked["students"], models, history) == ({}, {}, [])


def test_without_validation_rows_it_still_trains(catalog, groups, tmp_path):
    training, validation, _ = chosen(TABLE[TABLE["split"] != "validation"], groups)
    length = groups["examples"].max_length
    student, history = train_baseline(
        training,
        validation,
        catalog.load("tokenizer"),
        catalog.load("start_student"),
        set_baseline(groups["student"], groups["training"], 1, length, groups["baseline"]),
        tmp_path,
    )
    assert student.card["validation_loss"] is None
    assert all("validation_loss" not in record for record in history)


def test_a_pretrained_teacher_from_a_folder_is_used_as_it_is(catalog, groups, tmp_path):
    teacher = catalog.load("teacher")
    teacher.model.save_pretrained(tmp_path / "teacher")
    params = groups["teacher"].model_copy(
        update={"pretrained": str(tmp_path / "teacher"), "fine_tune": False}
    )
    loaded, history = teacher_of(catalog, groups, params, tmp_path)
    assert loaded.card["weights"] == teacher.card["weights"]
    assert loaded.card["origin"] == "teacher"  # the card travels, a path of this machine does not
    assert history == []


def test_a_pretrained_model_that_is_not_there_is_named(catalog, groups, tmp_path):
    params = groups["teacher"].model_copy(update={"pretrained": str(tmp_path / "gone")})
    with pytest.raises(OSError, match=r"distillation\.teacher\.pretrained: no safetensors model"):
        teacher_of(catalog, groups, params, tmp_path)


def test_a_pretrained_model_with_another_tokenizer_is_refused(catalog, groups, tmp_path):
    teacher = catalog.load("teacher")
    teacher.model.save_pretrained(tmp_path / "teacher")
    other = groups["tokenizer"].model_copy(update={"vocab_size": 300})
    foreign = train_tokenizer(chosen(TABLE, groups)[0], other, groups["examples"])
    foreign.save_pretrained(tmp_path / "teacher")
    params = groups["teacher"].model_copy(update={"pretrained": str(tmp_path / "teacher")})
    with pytest.raises(ValueError, match="was trained with another tokenizer"):
        teacher_of(catalog, groups, params, tmp_path)


@pytest.mark.parametrize(
    ("group", "change", "message"),
    [
        ("teacher", {"fine_tune": False}, "an untrained teacher teaches nothing"),
        (
            "student",
            {"architecture": {"num_attention_heads": 5}},
            "num_attention_heads 5 does not divide",
        ),
        ("objective", {"temperature": 0}, "greater than 0"),
        ("targets", {"temperatures": [1.0, 0.0]}, "greater than 0"),
        ("objective", {"gamma": 1}, "Extra inputs"),
        ("objective", {"alpha": 0, "beta": 0}, "alpha and beta are both 0"),
        ("objective", {"hidden_state_weight": float("inf")}, "hidden_state_weight"),
        ("examples", {"styles": ["poetic"]}, "Input should be 'original'"),
    ],
)
def test_parameters_out_of_bounds_are_refused(group, change, message):
    with pytest.raises(ValueError, match=message):
        parameters("test", {group: change})


LIVE = {
    "targets": {"source": "live"},
    "objective": {"divergence": "jsd"},
    "seeds": {"count": 1},
}


def test_a_live_teacher_is_asked_and_nothing_is_captured(catalog, groups, tmp_path):
    live = run(TABLE, tmp_path, changed=LIVE)
    manifest = live.load("teacher_targets").manifest
    assert manifest["source"] == "live"
    assert "shards" not in manifest
    assert list((tmp_path / "store").iterdir()) == []
    student = live.load("student").card
    assert student["weights"] != live.load("baseline_student").card["weights"]
    assert student["objective"]["divergence"] == "jsd"
    # The same teacher, read from a dense cache, teaches the same up to rounding.
    dense = run(TABLE, tmp_path / "dense", changed=LIVE | {"targets": {"source": "dense"}})
    losses = [
        [record["loss"] for record in each.load("student_history") if "loss" in record]
        for each in (live, dense)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    with pytest.raises(ValueError, match="teacher_targets belong to another teacher"):
        student_of(live, TABLE, groups, tmp_path, teacher=catalog.load("student"))


def test_an_ensemble_teaches_with_its_shares(catalog, groups, tmp_path):
    changed = {
        "ensemble": {"seeds": [7], "weights": [3.0, 1.0]},
        "objective": TARGETS,
        "seeds": {"count": 1},
    }
    both = run(TABLE, tmp_path, changed=changed)
    (further,) = both.load("teacher").ensemble.values()
    assert further.card["share"] == 0.25
    assert further.card["seed"] == 7
    assert further.card["weights"] != both.load("teacher").card["weights"]
    keys = {key for record in both.load("teacher_history") for key in record}
    assert "seed_7.loss" in keys
    assert both.load("teacher").card["weights"] == catalog.load("teacher").card["weights"]
    alone, together = (each.load("teacher_targets").manifest for each in (catalog, both))
    assert together["teacher"] != alone["teacher"]
    assert both.load("student").card["weights"] != catalog.load("student").card["weights"]
    with pytest.raises(ValueError, match="teacher_targets belong to another teacher"):
        student_of(both, TABLE, groups, tmp_path, teacher=catalog.load("teacher"))


def test_a_pretrained_teacher_joins_the_ensemble(catalog, groups, tmp_path):
    folder = tmp_path / "other"
    catalog.load("student").model.save_pretrained(folder)
    values = parameters("test", {"ensemble": {"pretrained": [str(folder)]}})
    # The first teacher is taken as it is too: a training takes no part in this.
    first = groups["teacher"].model_copy(update={"pretrained": str(folder), "fine_tune": False})
    ensemble = values["params:distillation.ensemble"]
    teacher, history = teacher_of(catalog, groups, first, tmp_path, ensemble)
    teachers = teacher.ensemble
    assert teachers["pretrained_0"].card["weights"] == catalog.load("student").card["weights"]
    assert teachers["pretrained_0"].card["share"] == 0.5
    assert history == []


def test_a_student_learns_from_its_own_answers(groups, tmp_path):
    changed = LIVE | {"on_policy": {"share": 0.5, "max_new_tokens": 8}}
    catalog = run(TABLE, tmp_path, changed=changed)
    card = catalog.load("student").card
    assert card["on_policy"]["share"] == 0.5
    assert "on_policy" not in catalog.load("baseline_student").card
    assert any("divergence" in record for record in catalog.load("student_history"))


def test_a_student_of_another_tokenizer_learns_from_answers_alone(catalog, groups, tmp_path):
    teacher, student = tmp_path / "a", tmp_path / "b"
    catalog.load("teacher").model.save_pretrained(teacher)
    catalog.load("tokenizer").save_pretrained(teacher)
    smaller = groups["tokenizer"].model_copy(update={"vocab_size": 300})
    other = train_tokenizer(chosen(TABLE, groups)[0], smaller, groups["examples"])
    tiny_model(other).save_pretrained(student)
    other.save_pretrained(student)
    changed = {
        "tokenizer": {"pretrained": str(teacher)},
        "teacher": {"pretrained": str(teacher), "fine_tune": False},
        "student": {"pretrained": str(student)},
        "sequence_level": {"source": "teacher", "must_match": False, "max_new_tokens": 8},
        "targets": {"source": "live"},
        "objective": {"alpha": 1.0, **NO_TEACHER},
        "seeds": {"count": 1},
    }
    with pytest.raises(ValueError, match=r"the tokenizer has .*student\.tokenizer"):
        run(TABLE, tmp_path / "refused", changed=changed)
    changed["student"]["tokenizer"] = str(student)
    made = run(TABLE, tmp_path / "run", changed=changed)
    examples = made.load("student_examples")
    assert (examples["outcome"] != "reference").sum() == (TABLE["split"] == "train").sum()
    assert made.load("student").tokenizer.get_vocab() == other.get_vocab()
    assert made.load("baseline_student").tokenizer.get_vocab() == other.get_vocab()
    assert made.load("teacher").tokenizer.get_vocab() != other.get_vocab()


def says(catalog, text):
    """The teacher, made to say a text to whatever it is asked."""
    teacher = catalog.load("teacher")
    model = copy.deepcopy(teacher.model)
    ids = teacher.tokenizer(text)["input_ids"]
    tokens = itertools.cycle([*ids, teacher.tokenizer.eos_token_id])

    def say(_module, _given, logits):
        forced = torch.full_like(logits, -1e9)
        forced[..., next(tokens)] = 0.0
        return forced

    model.get_output_embeddings().register_forward_hook(say)
    return replace(teacher, model=model)


@pytest.mark.parametrize(
    ("text", "size", "must_match", "outcome", "reason"),
    [
        (" Debit Land.", 60, False, "ok", "teacher"),
        (" Debit Land.", 60, True, "rejected", "differs from the reference answer"),
        (" Debit Land.", 1, False, "rejected", "cut off at max_new_tokens"),
        ("", 60, False, "rejected", "empty"),
        (" As an AI language model, I cannot.", 90, False, "rejected", "refusal"),
    ],
)
def test_only_what_a_teacher_wrote_well_is_learned_from(
    catalog, groups, text, size, must_match, outcome, reason
):
    params = groups["sequence_level"].model_copy(
        update={"source": "teacher", "must_match": must_match, "max_new_tokens": size}
    )
    written = chosen(TABLE, groups)[0]
    alone = params.model_copy(update={"keep_reference": False})
    teacher = says(catalog, text)
    made = make_student_examples(written, teacher, None, params)
    answers = made[made["outcome"] != "reference"]
    assert set(answers["outcome"]) == {outcome}
    assert answers["reason"].str.startswith(reason).all()
    assert [*answers["row_id"]] == [*written["row_id"]]
    assert questions_of(answers) == questions_of(written)
    assert len(learned(made)) == len(written) * (2 if outcome == "ok" else 1)
    assert triples(reference_examples(made)) == triples(written)
    if outcome == "ok":
        only = make_student_examples(written, says(catalog, text), None, alone)
        assert set(learned(only)["answer"]) == {text.strip()}
        assert triples(reference_examples(only)) == triples(written)
        assert triples(learned(reference_examples(only))) == triples(written)
    else:
        with pytest.raises(ValueError, match="no answer of the teacher can be used"):
            make_student_examples(written, says(catalog, text), None, alone)


def test_how_many_answers_can_be_learned_from_stands_on_the_terminal():
    loggers = yaml.safe_load((CONF / "logging.yml").read_text(encoding="utf-8"))["loggers"]
    spoken = tuple(name for name, each in loggers.items() if each.get("handlers") == ["terminal"])
    assert sequence_level.logger.name.startswith(spoken)


FSDP = {"strategy": "fsdp", "num_processes": 2}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"objective": {"divergence": "jsd"}}, "jsd, which targets.source sampled cannot give"),
        ({"objective": {"temperature": 3.0}}, "temperature is 3, which targets.temperatures lack"),
        (
            {"objective": {"hidden_state_weight": 0.5}, "targets": {"hidden_states": False}},
            "targets.hidden_states is false",
        ),
        (
            {
                "targets": {"source": "top_k", "k": 400},
                "objective": {"divergence": "bucketed_forward_kl"},
            },
            "targets.k is 400 but tokenizer.vocab_size 400",
        ),
        (
            {"targets": {"source": "sampled", "temperatures": [1.0, 2.0]}},
            "sampled targets are drawn at one temperature",
        ),
        ({"ensemble": {"seeds": [1]}}, "must all differ"),
        ({"targets": {"capture": False}}, r"targets\.capture is false but objective\.beta or"),
        ({"controls": {"teacher_seed": 1}}, "that of the teacher"),
        (
            {
                "ensemble": {"seeds": [4]},
                "objective": TARGETS,
                "targets": {"hidden_states": True},
            },
            r"targets\.hidden_states: several teachers share no hidden states",
        ),
        (
            {"ensemble": {"seeds": [4]}},
            r"objective\.hidden_state_weight: several teachers share no hidden states; set it to 0",
        ),
        (
            {
                "on_policy": {"share": 0.5},
                "targets": {"source": "top_k"},
                "objective": {"divergence": "bucketed_forward_kl"},
            },
            "on_policy.share is above 0, which asks the teacher",
        ),
        (
            {"on_policy": {"share": 0.5}, "objective": NO_TEACHER},
            "objective.beta is 0: the teacher would not judge",
        ),
        ({"student": {"tokenizer": "other"}}, "student.tokenizer is set, so that"),
        (LIVE | {"on_policy": {"share": 0.5}, "training": FSDP}, "training.strategy is fsdp"),
        ({"student": {"copy_layers": [1, 9]}}, "copy_layers has 9, but .* layers are 0 to 1 "),
        (
            {"student": {"from_teacher": {"num_hidden_layers": 3}}},
            r"from_teacher\.num_hidden_layers: 3 is more than the teacher's 2",
        ),
        (
            {"student": {"from_teacher": {"hidden_size": 32}}},
            r"from_teacher\.hidden_size: 1 heads of the teacher's 16 channels make 16, not 32",
        ),
        (
            {"student": {"from_teacher": None}, "objective": NO_TEACHER},
            "the student would learn nothing from a teacher",
        ),
        (
            {"sequence_level": {"source": "teacher"}, "examples": {"max_length": 96}},
            "sequence_level.max_new_tokens is 96 and examples.max_length 96",
        ),
        (
            {"student": {"tokenizer": "other"}, "objective": NO_TEACHER},
            "the student would learn nothing from a teacher",
        ),
    ],
)
def test_groups_that_do_not_fit_are_refused_before_anything_runs(changed, message):
    everything({})
    with pytest.raises(ValueError, match=message):
        everything(changed)


def everything(changed):
    return DistillationParams.model_validate(whole("test", changed))


def test_a_divergence_is_served_as_the_engine_says():
    assert set(DIVERGENCES) == set(get_args(DivergenceName)) == FULL | BUCKETED
    assert serves("live") == LiveTeacher.serves
