"""Models that no student can be made of are refused before the teacher is trained."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node

from kd_kedro.curation.records.schema import table
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.hooks.model_check import PreflightHooks
from kd_kedro.models.build import outline
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.distillation import preflight
from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.pipelines.distillation.preflight import (
    check_fields,
    check_generator,
    check_models,
    check_targets,
    inherited_rates,
    passed_over,
)
from kd_kedro.training.teacher.targets import TeacherTargets
from tests.pipelines.distillation.recipe import NO_TEACHER, TARGETS, run, whole
from tests.pipelines.distillation.toy import augmented_qa
from tests.training.architectures import CAUSAL, build, save

ROOT = Path(__file__).resolve().parents[3]
TABLE = augmented_qa(60)
KINDS = [*CAUSAL, "t5", "bert", "encoder_decoder"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small pretrained models by architecture, of one tokenizer, and `other` of another one."""
    root = tmp_path_factory.mktemp("hub")
    tokenizer = train_byte_bpe(TABLE["question"], 300)
    for kind in KINDS:
        save(root / kind, build(kind, tokenizer), tokenizer)
    other = train_byte_bpe(TABLE["answer"], 300)
    save(root / "other", build("gpt2", other), other)
    return root


def check(folder, groups):
    """Check parameters in which `@name` is a folder of `folder`; models have 128 positions."""

    def at(value):
        if isinstance(value, dict):
            return {key: at(each) for key, each in value.items()}
        return str(folder / value[1:]) if isinstance(value, str) and value[0] == "@" else value

    groups = {"examples": {"max_length": 128}} | at(groups)
    check_models(DistillationParams.model_validate(whole("test", groups)))


@pytest.mark.parametrize("kind", KINDS)
def test_an_outline_is_the_model_without_its_weights(folder, kind):
    model = outline(str(folder / kind), "student.pretrained")
    assert {weight.device.type for weight in model.parameters()} == {"meta"}
    check(folder, {"student": {"pretrained": f"@{kind}"}, "tokenizer": {"pretrained": f"@{kind}"}})


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "a tokenizer that is trained in the run has no chat template"),
        ({"tokenizer": {"pretrained": "@gpt2"}}, r"tokenizer\.pretrained: .* no chat template"),
    ],
)
def test_a_chat_without_a_template_is_refused(folder, groups, message):
    examples = {"max_length": 128, "format": "chat"}
    with pytest.raises(ValueError, match=message):
        check(folder, groups | {"examples": examples})


SHARED = {"tokenizer": {"pretrained": "@gpt2"}, "targets": {"k": 14}}
LIVE = {"targets": {"source": "live"}, "objective": {"divergence": "jsd"}}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            {"student": {"pretrained": "@gone"}},
            r"distillation\.student\.pretrained: no safetensors",
        ),
        (
            {
                "student": {"tokenizer": "@gone"},
                "objective": NO_TEACHER,
                "sequence_level": {"source": "teacher"},
            },
            r"distillation\.student\.tokenizer: no tokenizer",
        ),
        ({"tokenizer": {"pretrained": "@gone"}}, r"distillation\.tokenizer\.pretrained: no token"),
        (
            {"ensemble": {"pretrained": ["/gone"]}, "objective": TARGETS},
            r"distillation\.ensemble\.pretrained\.0: no safe",
        ),
        (
            SHARED | {"student": {"pretrained": "@other"}},
            r"distillation\.student\.pretrained: .* was trained with another tokenizer",
        ),
        (
            SHARED | {"teacher": {"pretrained": "@gpt2"}, "student": {"copy_layers": [9]}},
            r"student\.copy_layers: the teacher has no layer 9",
        ),
        (
            {"student": {"from_teacher": {"parameters": 0.01}}},
            r"student\.from_teacher\.parameters is 0\.01, but the smallest shape",
        ),
        (
            SHARED
            | {
                "tokenizer": {"pretrained": "@llama"},
                "teacher": {"pretrained": "@llama"},
                "student": {"from_teacher": {"parameters": 0.01}},
            },
            r"student\.from_teacher\.parameters is 0\.01, but the smallest shape",
        ),
        (
            SHARED
            | {
                "tokenizer": {"pretrained": "@phi"},
                "teacher": {"pretrained": "@phi"},
                "student": {"from_teacher": {"latency": 0.5}},
            },
            r"student\.from_teacher: a PhiForCausalLM cannot be cut",
        ),
        (
            {"student": {"pretrained": "@gpt2", "adapter": {"kind": "qlora"}}},
            r"distillation\.student\.adapter\.kind: 4-bit weights need",
        ),
        (
            {
                "student": {
                    "pretrained": "@llama",
                    "adapter": {"kind": "lora", "target_modules": ["c_attn"]},
                }
            },
            r"adapter\.target_modules: LlamaForCausalLM has no 'c_attn'",
        ),
        (
            {"student": {"pretrained": "@gpt2"}, "examples": {"max_length": 160}},
            r"reads at most 128 tokens but distillation\.examples\.max_length is 160",
        ),
    ],
)
def test_what_a_later_node_would_refuse_is_refused_now(folder, groups, message):
    with pytest.raises((ValueError, OSError), match=message):
        check(folder, groups)


def test_a_base_too_narrow_for_four_bits_is_refused_now(folder, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    narrow = {"pretrained": "@llama", "adapter": {"kind": "qlora"}}
    with pytest.raises(ValueError, match=r"student\.pretrained: LlamaForCausalLM is too narrow"):
        check(folder, {"student": narrow})


def test_a_live_teacher_of_another_kind_teaches_as_its_cache_does(folder, tmp_path):
    changed = LIVE | {
        "tokenizer": {"pretrained": str(folder / "t5")},
        "teacher": {"pretrained": str(folder / "t5")},
        "student": {"from_teacher": None},
        "examples": {"max_augmented_rows": 8},
        "seeds": {"count": 1},
    }
    losses = []
    for source in ("live", "dense"):
        targets = {"targets": {"source": source, "dtype": "float32"}}
        catalog = run(TABLE, tmp_path / source, changed=changed | targets)
        history = catalog.load("student_history")
        losses.append([record["loss"] for record in history if "loss" in record])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


RATE = "distillation.training.learning_rate"
TEACHERS = "distillation.teacher.training.learning_rate"
SEARCHED = "tuning.space.learning_rate"
CUT_SIZE = "distillation.student.from_teacher.hidden_size"
NAMED = {"pretrained": "some/model"}
OWN = {"pretrained": "some/model", "from_teacher": None}
MAIN = {"params:distillation.student", "params:distillation.teacher"}
STUDY = {"params:distillation.student", "params:tuning"}


@pytest.mark.parametrize(
    ("groups", "inputs", "set_by_recipe", "named"),
    [
        ({}, MAIN, (), []),  # made in the run
        ({"student": OWN}, MAIN, (), [RATE]),
        ({"teacher": NAMED, "student": {"from_teacher": None}}, MAIN, (), [TEACHERS]),
        ({"teacher": NAMED}, MAIN, (), [RATE, TEACHERS]),
        ({"teacher": {**NAMED, "fine_tune": False}}, MAIN, (), [RATE]),
        ({"teacher": NAMED}, {"params:distillation.student"}, (RATE,), []),
        ({"teacher": NAMED}, MAIN, (TEACHERS, RATE), []),
        ({"student": OWN}, MAIN, (RATE,), []),
        ({"student": OWN, "training": {"learning_rate": 5e-5}}, MAIN, (), []),
        ({"student": OWN}, STUDY, (), [SEARCHED]),
        ({"student": OWN}, STUDY, (SEARCHED,), []),
    ],
)
def test_rates_of_small_models_are_not_taken_for_pretrained_ones_unsaid(
    groups, inputs, set_by_recipe, named
):
    def origin(key):
        if key in set_by_recipe or key.endswith(".pretrained"):
            return "conf/mine/distillation/parameters.yml"
        return "" if key == SEARCHED else "conf/base/distillation/parameters.yml"

    params = DistillationParams.model_validate(whole("base", groups))
    said = list(inherited_rates(params, inputs, origin))
    assert [sentence.split()[0] for sentence in said] == named
    for sentence in said:
        assert "some/model, which is pretrained: usual are 1e-5 to 1e-4" in sentence


def test_the_rates_of_conf_base_are_for_the_teacher_that_it_names():
    params = DistillationParams.model_validate(whole("base", {"teacher": NAMED}))
    assert list(inherited_rates(params, MAIN, lambda key: "conf/base/parameters.yml")) == []


MORE_ROWS = {"examples": {"max_augmented_rows": 5000}}


@pytest.mark.parametrize(
    ("groups", "chosen", "said"),
    [
        ({}, (), ""),
        (
            {"teacher": {**NAMED, "fine_tune": False}},
            ("distillation.teacher.pretrained",),
            "some/model teaches as it is",
        ),
        (
            {"teacher": {**NAMED, "fine_tune": False}},
            ("distillation.teacher.pretrained", "distillation.teacher.fine_tune"),
            "",
        ),
        ({}, ("distillation.student.architecture.hidden_size",), "has no effect"),
        (
            {"student": {"from_teacher": None}},
            ("distillation.student.architecture.hidden_size",),
            "",
        ),
        ({}, (CUT_SIZE,), ""),
        ({"student": {"from_teacher": {"parameters": 0.3}}}, (CUT_SIZE,), "beside the budget"),
        ({"student": NAMED}, (CUT_SIZE,), "student.pretrained makes another student"),
        (MORE_ROWS, ("distillation.examples.max_augmented_rows",), "no more than 1,600 rewrites"),
        (MORE_ROWS, (), ""),
    ],
)
def test_what_conf_base_passes_over_is_said(groups, chosen, said):
    params = DistillationParams.model_validate(whole("base", groups))

    def origin(key):
        return "--params" if key in chosen else "conf/base/parameters.yml"

    told = list(passed_over(params, origin, 1600))
    assert len(told) == bool(said)
    assert all(said in sentence for sentence in told)


def test_a_run_is_told_before_its_first_node(folder, caplog, monkeypatch):
    bootstrap_project(ROOT)
    name = str(folder / "gpt2")
    student = {"pretrained": name, "from_teacher": None}
    models = {"student": student, "tokenizer": {"pretrained": name}}
    loader = settings.CONFIG_LOADER_CLASS(
        str(ROOT / "conf"),
        env="test",
        runtime_params={"distillation": models | {"examples": {"max_length": 128}}},
        **settings.CONFIG_LOADER_ARGS,
    )
    catalog = DataCatalog({"parameters": MemoryDataset(loader["parameters"])})
    hooks = PreflightHooks()
    hooks.after_context_created(SimpleNamespace(config_loader=loader))
    pipeline = Pipeline([node(len, "params:distillation.student", "out")])
    # Kedro's configuration of logging, which bootstrapping applies, may take pytest's handler away.
    log = logging.getLogger(preflight.__name__)
    monkeypatch.setattr(log, "handlers", [caplog.handler])
    monkeypatch.setattr(log, "propagate", False)
    hooks.before_pipeline_run(pipeline, catalog)
    own = [record for record in caplog.records if record.name == preflight.__name__]
    assert [record.getMessage() for record in own] == [
        f"Warning: {RATE} is 0.003, which conf/base has for small models, but students begin as "
        f"{name}, which is pretrained: usual are 1e-5 to 1e-4, of an adapter to 5e-4; set it in "
        f"the recipe or by --params {RATE}=5e-05"
    ]


def fields_of(template, inputs, **tables):
    """What is said of a template's fields before a run that reads these tables."""
    examples = {"format": "own", "templates": {"own": template}}
    params = DistillationParams.model_validate(whole("test", {"examples": examples})).examples
    check_fields(params, inputs, tables.__getitem__)


def test_a_field_that_no_column_of_the_sheet_is_is_refused_before_the_first_node():
    sheet = table(["row_id", "question", "answer", "area"])
    said = (
        r"the template of distillation\.examples\.format=own has the field topic, but no column of "
        r"the sheet has that name: say which one it is by --params columns\.topic=COLUMN"
    )
    for source in ("raw_qa", "validated_qa", "screened_qa", "split_qa"):
        fields_of("In {area}: {question}", {source}, **{source: sheet})
        with pytest.raises(ValueError, match=said):
            fields_of("{area}, {topic}: {question}", {source}, **{source: sheet})
    fields_of("{topic}: {question}", {"augmented_qa", "raw_qa"})  # looks at augmented_qa itself
    fields_of("Q: {question}", {"raw_qa"})  # the sheet is not read


def test_students_who_ask_for_targets_that_were_not_captured_are_refused_before_the_first_node():
    nothing = TeacherTargets({"source": "none"}, Path())
    asking, alone = (
        DistillationParams.model_validate(whole("test", groups))
        for groups in ({}, {"objective": NO_TEACHER, "sequence_level": {"source": "teacher"}})
    )
    with pytest.raises(
        ValueError, match=r"hold nothing.* `kedro run --nodes capture_targets --env "
    ):
        check_targets(nothing, asking, " --env test")
    check_targets(nothing, alone, "")
    check_targets(TeacherTargets({"source": "sampled"}, Path()), asking, "")


def test_rules_that_answer_nothing_are_refused_by_the_parameters_name():
    with pytest.raises(ValueError, match=r"sequence_level\.source is generator, but .* no task an"):
        check_generator(RulesGenerator())
