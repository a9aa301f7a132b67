"""The pipeline on a toy sheet: real students, one capture, and what is refused before a trial."""

import json
from dataclasses import replace

import pytest
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from sqlalchemy import make_url

from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.distillation.nodes import choose_examples
from kd_kedro.pipelines.distillation.sequence_level import make_student_examples
from kd_kedro.pipelines.distillation.starts import make_start
from kd_kedro.pipelines.distillation.training_groups import set_baseline, set_start, set_student
from kd_kedro.pipelines.tuning import create_pipeline
from kd_kedro.pipelines.tuning.nodes import (
    capture_for_trials,
    choose_best,
    run_baseline_study,
    run_study,
    tabulate_study,
)
from kd_kedro.pipelines.tuning.params import BASELINE_RATE, TARGETS
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.training.loop import model_training
from kd_kedro.training.teacher.targets import TeacherTargets
from tests.pipelines.distillation.recipe import NO_TEACHER, Kept, parameters
from tests.pipelines.distillation.recipe import run as distil
from tests.pipelines.distillation.toy import augmented_qa
from tests.pipelines.tuning.quadratic import outcomes, params

TABLE = augmented_qa(60)
GROUPS = ("examples", "sequence_level", "student", "training", "objective", "on_policy")
TUNING = params(trials=4, budget=1.0, pruner={"kind": "none"})


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    return distil(TABLE, tmp_path_factory.mktemp("distillation"))


def inputs_of(distilled, folder, table=TABLE, tuning=TUNING, groups=None, **changed):
    groups = {name: parameters("test", groups)[f"params:distillation.{name}"] for name in GROUPS}
    training, validation = choose_examples(table, groups["examples"])
    asked = ("student", "training", "objective", "on_policy")
    return {
        "examples": make_student_examples(training, None, None, groups["sequence_level"]),
        "validation_examples": validation,
        **{name: distilled.load(name) for name in ("teacher", "teacher_targets", "start_student")},
        "settings": set_student(
            *(groups[name] for name in asked), 1, groups["examples"].max_length
        ),
        "tuning": tuning,
        "study_storage": make_url(f"sqlite:///{folder}/study.sqlite"),
        "training_work_dir": folder / "work",
        **changed,
    }


def start_of(distilled, groups, folder):
    """What students begin as whose parameters differ from those of the run."""
    values = parameters("test", groups)
    student, examples = (values[f"params:distillation.{name}"] for name in ("student", "examples"))
    asked = set_start(student, 16, False, examples.max_length)
    data = (*choose_examples(TABLE, examples), distilled.load("teacher"))
    return make_start(*data, asked, folder / "start")[0]


@pytest.fixture(scope="module")
def record(distilled, tmp_path_factory):
    return run_study(**inputs_of(distilled, tmp_path_factory.mktemp("study")))


def test_the_pipeline_leaves_a_table_the_best_values_and_two_figures(distilled, tmp_path):
    inputs = inputs_of(distilled, tmp_path)
    inputs["student_examples"] = inputs.pop("examples")
    inputs["tokenizer"] = distilled.load("tokenizer")
    inputs["training_examples"], _ = choose_examples(
        TABLE, parameters("test")["params:distillation.examples"]
    )
    inputs |= parameters("test")
    del inputs["settings"]
    inputs["params:tuning"] = inputs.pop("tuning")
    pipeline = create_pipeline()
    assert max(len(node.inputs) for node in pipeline.nodes) <= 9
    catalog = DataCatalog({name: Kept(value) for name, value in inputs.items()})
    for name in pipeline.all_outputs():
        catalog[name] = Kept()
    SequentialRunner().run(pipeline, catalog)
    study, best = catalog.load("study"), catalog.load("best_hyperparameters")
    assert list(study["number"]) == [0, 1, 2, 3]
    assert best["validation_loss"] == study["value"].min()
    assert study.loc[best["trial"], "alpha"] == best["parameters"]["distillation.objective.alpha"]
    assert best["capture"] == catalog.load("teacher_targets").manifest["fingerprint"]
    history = json.loads(catalog.load("tuning_history_plot").to_json())
    assert [len(trace["x"]) for trace in history["data"]] == [4, 0, 4]
    importance = json.loads(catalog.load("tuning_importance_plot").to_json())
    assert set(importance["data"][0]["y"]) <= set(TARGETS)
    json.dumps(catalog.load("tuning_record"), allow_nan=False)


def test_a_trial_is_scored_on_the_validation_split_by_step(record):
    for trial in record["trials"]:
        assert trial["value"] == min(trial["losses"].values())
        assert [int(step) for step in trial["losses"]] == [2, 4]


def test_workers_train_the_very_same_students(distilled, record, tmp_path):
    tuning = TUNING.model_copy(update={"workers": 2, "startup_trials": 4, "trials": 2})
    one = tuning.model_copy(update={"workers": 1})
    together = run_study(**inputs_of(distilled, tmp_path, tuning=tuning))
    alone = run_study(**inputs_of(distilled, tmp_path, tuning=one, study_storage=another(tmp_path)))
    assert outcomes(together["trials"]) == outcomes(alone["trials"])
    assert together["study"] == alone["study"]


def another(folder):
    return make_url(f"sqlite:///{folder}/another.sqlite")


def test_the_test_split_touches_no_trial(distilled, record, tmp_path):
    table = TABLE.copy()
    table.loc[table["split"] == "test", "answer"] = "Another answer."
    again = run_study(**inputs_of(distilled, tmp_path, table=table))
    assert again["study"] == record["study"]
    assert outcomes(again["trials"]) == outcomes(record["trials"])


def test_other_validation_rows_or_another_budget_are_another_study(distilled, record, tmp_path):
    table = TABLE.copy()
    table.loc[table["split"] == "validation", "answer"] = "Another answer."
    one = TUNING.model_copy(update={"trials": 1})
    changed = run_study(**inputs_of(distilled, tmp_path, table=table, tuning=one))
    less = one.model_copy(update={"budget": 0.5})
    shorter = run_study(**inputs_of(distilled, tmp_path, tuning=less))
    assert len({record["study"], changed["study"], shorter["study"]}) == 3


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"divergence": {"choices": ["jsd", "bucketed_jsd"], "fixed": None}}, "cannot give 'jsd'"),
        (
            {
                "temperature": {
                    **{"low": 1.0, "high": 4.0, "log": False},
                    **{"choices": [], "fixed": None},
                }
            },
            "captured at 1, not 2.5",
        ),
    ],
)
def test_a_space_that_the_capture_cannot_serve_is_refused(distilled, tmp_path, space, said):
    inputs = inputs_of(distilled, tmp_path, tuning=params(space=space))
    with pytest.raises(ValueError, match=rf"tuning\.space: objective\..*{said}"):
        run_study(**inputs)
    assert not (tmp_path / "study.sqlite").exists()


def test_rows_and_teacher_must_be_those_of_the_capture(distilled, tmp_path):
    table = TABLE.copy()
    table.loc[table["split"] == "train", "answer"] = "Another answer."
    with pytest.raises(ValueError, match="teacher_targets belong to another set of rows"):
        run_study(**inputs_of(distilled, tmp_path, table=table))
    with pytest.raises(ValueError, match="teacher_targets belong to another teacher"):
        run_study(**inputs_of(distilled, tmp_path, teacher=distilled.load("student")))


def test_a_study_captures_what_no_student_asks_for(distilled, tmp_path):
    inputs = inputs_of(distilled, tmp_path, groups={"objective": NO_TEACHER})
    targets = parameters("test", {"objective": NO_TEACHER})["params:distillation.targets"]
    nothing = TeacherTargets({"source": "none"}, tmp_path / "store")
    given = [inputs[name] for name in ("examples", "teacher")]
    settings = inputs["settings"]
    found = capture_for_trials(*given, nothing, targets, TUNING, settings)
    asked = distilled.load("teacher_targets").manifest  # with hidden states
    assert (found.manifest["hidden_width"], asked["hidden_width"]) == (None, 32)
    differ = {key for key in asked if found.manifest[key] != asked[key]}
    assert differ == {"hidden_states", "hidden_width", "fingerprint", "bytes", "shards"}
    assert found.manifest.keys() == asked.keys()
    assert (tmp_path / "store" / found.manifest["fingerprint"] / "manifest.json").is_file()
    assert capture_for_trials(*given, found, targets, TUNING, settings) is found
    alone = params(space={"beta": ALONE | {"fixed": 0.0}, "alpha": ALONE | {"fixed": 1.0}})
    assert capture_for_trials(*given, nothing, targets, alone, settings) is nothing


def test_without_validation_rows_there_is_no_study(distilled, tmp_path):
    table = TABLE[TABLE["split"] != "validation"]
    with pytest.raises(ValueError, match="a study needs rows to compare its trials on"):
        run_study(**inputs_of(distilled, tmp_path, table=table))


ONE = {"trials": 1, "pruner": {"kind": "none"}}
ALONE = {"low": None, "high": None, "log": False, "choices": [], "fixed": None}


@pytest.fixture(scope="module")
def other_tokenizer(tmp_path_factory):
    """A folder with a tokenizer that is not the teacher's."""
    folder = str(tmp_path_factory.mktemp("tokenizer"))
    train_byte_bpe(TABLE["question"], 300).save_pretrained(folder)
    return folder


def test_a_study_of_another_tokenizer_trains_students_of_it(
    distilled, other_tokenizer, tmp_path, monkeypatch
):
    seen = []
    monkeypatch.setattr(model_training, "train_model", seen_by(seen, model_training.train_model))
    space = {"beta": ALONE | {"fixed": 0.0}, "alpha": ALONE | {"fixed": 1.0}}
    groups = {"student": {"tokenizer": other_tokenizer}, "objective": NO_TEACHER}
    live = TeacherTargets(
        {"source": "live"}, tmp_path
    )  # as the refusal of other choices says: nothing is captured
    record = run_study(
        **inputs_of(distilled, tmp_path, tuning=params(**ONE, space=space), groups=groups)
        | {"teacher_targets": live}
    )
    assert record["capture"] is None
    assert {len(inputs.tokenizer) for inputs in seen} == {300}


def seen_by(seen, train):
    def train_and_tell(model, inputs, *given, **named):
        seen.append(inputs)
        return train(model, inputs, *given, **named)

    return train_and_tell


def test_trials_begin_as_the_students_start_and_another_start_is_another_study(
    distilled, tmp_path, monkeypatch
):
    groups = {"student": {"from_teacher": {"num_hidden_layers": 1}}}
    own = inputs_of(distilled, tmp_path, tuning=params(**ONE), groups=groups)
    own["start_student"] = start_of(distilled, groups, tmp_path)
    begun, train = [], model_training.train_model

    def train_and_tell(model, *given, **named):
        begun.append(weights_fingerprint(model))
        return train(model, *given, **named)

    monkeypatch.setattr(model_training, "train_model", train_and_tell)
    study = run_study(**own)["study"]
    (start,) = own["start_student"].values()
    assert set(begun) == {start.card["weights"]}
    other = replace(start, card={**start.card, "weights": "another"})
    assert run_study(**own | {"start_student": {"start": other}})["study"] != study


def test_a_space_that_compares_tokens_of_two_tokenizers_is_refused(
    distilled, other_tokenizer, tmp_path
):
    groups = {"student": {"tokenizer": other_tokenizer}, "objective": NO_TEACHER}
    with pytest.raises(ValueError, match=r"tuning\.space: beta or .* but student\.tokenizer"):
        run_study(**inputs_of(distilled, tmp_path, groups=groups))


ON_POLICY = {
    "targets": {"source": "dense"},
    "objective": {"divergence": "forward_kl"},
    "on_policy": {"share": 1.0, "max_new_tokens": 4},
    "seeds": {"count": 1},
}


def test_trials_sample_answers_as_the_student_does(tmp_path, monkeypatch):
    seen = []
    dense = distil(TABLE, tmp_path, changed=ON_POLICY)
    monkeypatch.setattr(model_training, "train_model", seen_by(seen, model_training.train_model))
    space = {"divergence": {"choices": [], "fixed": None}}
    tuning = params(**ONE, space=space)
    names = set()
    for share in (0.0, 1.0):
        groups = ON_POLICY | {"on_policy": {"share": share, "max_new_tokens": 4}}
        record = run_study(**inputs_of(dense, tmp_path, tuning=tuning, groups=groups))
        names.add(record["study"])
    written, sampled = seen
    assert written.on_policy is None
    assert sampled.on_policy.config.share == 1.0
    assert len(names) == 2
    zero = params(
        **ONE,
        space=space | {"beta": ALONE | {"choices": [0.0, 1.0]}, "alpha": ALONE | {"fixed": 1.0}},
    )
    with pytest.raises(ValueError, match=r"tuning\.space: .*beta is 0 but on_policy\.share"):
        run_study(**inputs_of(dense, tmp_path, tuning=zero, groups=ON_POLICY))


def test_alpha_that_may_be_0_beside_a_beta_that_is_0_is_refused(distilled, tmp_path):
    space = {"alpha": ALONE | {"choices": [0.0, 1.0]}, "beta": ALONE}
    inputs = inputs_of(
        distilled, tmp_path, tuning=params(space=space), groups={"objective": NO_TEACHER}
    )
    with pytest.raises(ValueError, match=r"tuning\.space: objective: alpha and beta are both 0"):
        run_study(**inputs)
    assert not (tmp_path / "study.sqlite").exists()


def test_how_a_training_runs_is_no_other_study_and_a_trial_has_one_process(
    distilled, record, tmp_path
):
    several = {"num_processes": 2, "strategy": "fsdp", "save_steps": 1}
    one = TUNING.model_copy(update={"trials": 1})
    found = run_study(**inputs_of(distilled, tmp_path, tuning=one, groups={"training": several}))
    assert found["study"] == record["study"]
    assert outcomes(found["trials"]) == outcomes(record["trials"])[:1]


def test_what_the_space_leaves_alone_is_no_best_value(record):
    left_alone = {"temperature", "divergence"}
    assert all(getattr(TUNING.space, name).values == () for name in left_alone)
    best = choose_best(record, {})
    assert "baseline" not in best
    assert set(best["parameters"]) == {
        target for name, target in TARGETS.items() if name not in left_alone
    }


def test_where_no_trial_finished_there_is_no_best(record):
    pruned = {"state": "pruned", "value": None, "reason": "the validation loss is no number"}
    nothing = {**record, "trials": [{**trial, **pruned} for trial in record["trials"]]}
    with pytest.raises(
        ValueError, match=r"no trial of the student's study finished .the validation loss is"
    ):
        choose_best(nothing, {})
    with pytest.raises(ValueError, match="no trial of the baseline's study finished"):
        choose_best(record, {**nothing, "trained": "baseline"})
    assert tabulate_study(nothing)["value"].isna().all()


def baselines_of(distilled, folder, tuning=TUNING, student=None, start=None):
    groups = parameters("test", {"student": student or {}})
    student, training, examples = (
        groups[f"params:distillation.{name}"] for name in ("student", "training", "examples")
    )
    chosen, validation = choose_examples(TABLE, examples)
    rate = groups["params:distillation.controls.baseline"]
    return run_baseline_study(
        chosen,
        validation,
        distilled.load("tokenizer"),
        distilled.load("start_student") if start is None else start,
        tuning,
        make_url(f"sqlite:///{folder}/study.sqlite"),
        set_baseline(student, training, 1, examples.max_length, rate),
        folder / "work",
    )


def test_a_baseline_has_as_many_trials_over_the_same_learning_rates(distilled, record, tmp_path):
    own = baselines_of(distilled, tmp_path)
    assert own["trained"] == "baseline"
    assert own["capture"] is None
    assert len(own["trials"]) == len(record["trials"]) == TUNING.trials
    space = TUNING.space.learning_rate
    for trial in own["trials"]:
        assert space.low <= trial["values"]["learning_rate"] <= space.high
        assert (trial["values"]["alpha"], trial["values"]["beta"]) == (1.0, 0.0)
    chosen = choose_best(record, own)
    best = min(own["trials"], key=lambda trial: trial["value"])
    assert chosen["parameters"][BASELINE_RATE] == best["values"]["learning_rate"]
    assert chosen["baseline"]["validation_loss"] == best["value"]
    assert chosen["parameters"] | choose_best(record, {})["parameters"] == chosen["parameters"]


def test_a_baseline_that_could_search_nothing_has_no_study(distilled, tmp_path):
    off = TUNING.model_copy(update={"baseline": False})
    assert baselines_of(distilled, tmp_path, off) == {}
    given = params(trials=1, space={"learning_rate": ALONE | {"fixed": 0.002}})
    assert baselines_of(distilled, tmp_path, given) == {}
    assert not (tmp_path / "study.sqlite").exists()


def test_a_baseline_of_a_cut_student_is_tuned_from_random_weights(distilled, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(model_training, "train_model", origins(seen, model_training.train_model))
    copied = {"copy_layers": [0]}
    start = start_of(distilled, {"student": copied}, tmp_path)
    record = baselines_of(distilled, tmp_path, params(**ONE), copied, start)
    assert seen == ["random weights, shaped as the teacher's layers 0"]
    alone = {"alpha": ALONE | {"fixed": 1.0}, "beta": ALONE | {"fixed": 0.0}}
    groups = {"student": copied, "objective": {"alpha": 1.0, **NO_TEACHER}}
    inputs = inputs_of(distilled, tmp_path, tuning=params(**ONE, space=alone), groups=groups)
    students = run_study(**inputs | {"start_student": start})
    assert seen[1:] == ["the teacher's layers 0"]
    assert students["study"] != record["study"]


def origins(seen, train):
    def train_and_tell(model, inputs, *given, **named):
        seen.append(named["origin"])
        return train(model, inputs, *given, **named)

    return train_and_tell
