"""A study outlives its processes: what is missing is run, what died is tried again."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from kd_kedro.pipelines.tuning.study import ATTEMPTS, importances, storage_errors
from kd_kedro.pipelines.tuning.workers import run_trial
from tests.pipelines.tuning.quadratic import Quadratic, complete, outcomes, params, work

ROOT = Path(__file__).resolve().parents[3]
FROM_A_PROCESS = """
import sys
from pathlib import Path
from tests.pipelines.tuning.quadratic import *
action, trial, workers, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
if __name__ == "__main__":
    tuning = params(trials=6, workers=workers)
    complete(work(folder / "study.sqlite", tuning, Quadratic(folder / "seen", trial, action)))
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Six trials in one go."""
    folder = tmp_path_factory.mktemp("whole")
    return complete(work(folder / "study.sqlite", params(trials=6)))


def in_a_process(folder, action, trial, workers=1):
    """Run a study in a process of its own; its trials leave a file each in `seen`."""
    (folder / "seen").mkdir(exist_ok=True)
    (folder / "run.py").write_text(FROM_A_PROCESS)
    return subprocess.Popen(
        [sys.executable, folder / "run.py", action, trial, str(workers), folder],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_seed_gives_the_same_study_again(whole, tmp_path):
    again = complete(work(tmp_path / "study.sqlite", params(trials=6)))
    assert outcomes(again) == outcomes(whole)
    other = complete(work(tmp_path / "other.sqlite", params(trials=6, seed=2)))
    assert outcomes(other) != outcomes(whole)


def test_a_study_goes_on_where_it_ended(whole, tmp_path):
    for trials in (1, 4, 6):
        found = complete(work(tmp_path / "study.sqlite", params(trials=trials)))
        assert len(found) == trials
    assert outcomes(found) == outcomes(whole)
    assert outcomes(complete(work(tmp_path / "study.sqlite", params(trials=2)))) == outcomes(whole)


@pytest.mark.parametrize("trial", ["trial 0", "trial 4"])
def test_a_killed_trial_is_tried_again_with_its_values(whole, tmp_path, trial):
    process = in_a_process(tmp_path, "sleep", trial)
    while not list((tmp_path / "seen").glob(f"*-{trial}")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    trials = complete(work(tmp_path / "study.sqlite", params(trials=6)))
    failed = [t for t in trials if t["state"] == "fail"]
    again = [t for t in trials if t["attempt"] == 2]
    assert [t["number"] for t in failed] == [int(trial[-1])]
    assert [t["values"] for t in again] == [t["values"] for t in failed]
    assert outcomes(trials) == outcomes(whole)
    assert not list((tmp_path / "work").iterdir())


def test_a_trial_that_others_count_as_dead_is_tried_again(whole, tmp_path):
    (tmp_path / "seen").mkdir()
    lost = Quadratic(tmp_path / "seen", "trial 3", "be counted as dead")
    trials = complete(work(tmp_path / "study.sqlite", params(trials=6), lost))
    assert [t["number"] for t in trials if t["state"] == "fail"] == [3]
    assert outcomes(trials) == outcomes(whole)


def test_a_trial_that_raises_ends_the_run_and_is_tried_again(whole, tmp_path):
    tuning = params(trials=6)
    with pytest.raises(OSError, match="the disk is full"):
        complete(work(tmp_path / "study.sqlite", tuning, Quadratic(None, "trial 3", "raise")))
    trials = complete(work(tmp_path / "study.sqlite", tuning))
    assert [t["state"] for t in trials].count("fail") == 1
    assert outcomes(trials) == outcomes(whole)


def test_a_trial_is_not_tried_for_ever(tmp_path):
    for number in range(ATTEMPTS):
        failing = Quadratic(None, f"trial {number}", "raise")
        todo = work(tmp_path / "study.sqlite", params(trials=2), failing)
        with pytest.raises(OSError, match="the disk is full"):
            complete(todo)
    trials = complete(work(tmp_path / "study.sqlite", params(trials=2)))
    assert [t["state"] for t in trials] == ["fail"] * ATTEMPTS + ["complete"]


def test_a_loss_that_is_no_number_ends_its_trial_alone(tmp_path):
    todo = work(tmp_path / "study.sqlite", params(trials=3), Quadratic(None, "trial 1", "diverge"))
    trials = complete(todo)
    assert [t["state"] for t in trials] == ["complete", "pruned", "complete"]
    assert trials[1]["reason"] == "the validation loss at step 20 is no number"


def test_the_pruner_ends_what_is_worse_than_the_median_and_nothing_too_early(tmp_path):
    pruner = {"kind": "median", "startup_trials": 2, "after": 1}
    trials = complete(work(tmp_path / "some.sqlite", params(trials=10, pruner=pruner)))
    pruned = [t for t in trials if t["state"] == "pruned"]
    assert pruned
    assert min(t["number"] for t in pruned) >= 2
    assert {t["pruned_at"] for t in pruned} <= {20, 30}
    none = complete(work(tmp_path / "none.sqlite", params(trials=10, pruner={"kind": "none"})))
    assert {t["state"] for t in none} == {"complete"}


def test_fixed_values_are_taken_and_the_others_searched(tmp_path):
    space = {
        "alpha": {"low": 0.0, "high": 1.0, "log": False, "choices": [], "fixed": 0.25},
        "temperature": {"low": None, "high": None, "log": False, "choices": [1, 2], "fixed": None},
        "divergence": {"choices": [], "fixed": None},
    }
    trials = complete(work(tmp_path / "study.sqlite", params(trials=8, space=space)))
    assert {t["values"]["alpha"] for t in trials} == {0.25}
    assert {t["values"]["temperature"] for t in trials} == {1.0, 2.0}
    assert {t["values"]["divergence"] for t in trials} == {"forward_kl"}
    assert len({t["values"]["learning_rate"] for t in trials}) == 8


def test_tpe_finds_the_place_and_what_matters(tmp_path):
    three = {"divergence": {"choices": ["forward_kl", "reverse_kl", "jsd"], "fixed": None}}
    tuning = params(trials=25, pruner={"kind": "none"}, space=three)
    todo = work(tmp_path / "study.sqlite", tuning)
    trials = complete(todo)
    assert {t["values"]["divergence"] for t in trials} == {"forward_kl", "reverse_kl", "jsd"}
    best = min(trials, key=lambda t: t["value"])
    assert best["values"]["learning_rate"] == pytest.approx(3e-3, rel=0.2)
    shares = importances(todo.study())
    assert max(shares, key=shares.get) == "learning_rate"
    assert sum(shares.values()) == pytest.approx(1)


def test_one_trial_tells_nothing_of_importance(tmp_path):
    todo = work(tmp_path / "study.sqlite", params(trials=1))
    complete(todo)
    assert importances(todo.study()) == {}


def test_workers_share_the_trials_and_run_no_more_than_are_missing(tmp_path):
    (tmp_path / "seen").mkdir()
    tuning = params(trials=9, workers=2)
    trials = complete(work(tmp_path / "study.sqlite", tuning, Quadratic(tmp_path / "seen")))
    assert [t["number"] for t in trials] == list(range(9))
    drawn = {tuple(t["values"].values()) for t in trials}
    assert len(drawn) == 9
    processes = {path.name.partition("-")[0] for path in (tmp_path / "seen").iterdir()}
    assert len(processes) == 2


@pytest.mark.parametrize(
    ("action", "said"), [("raise", "the disk is full"), ("die", "a worker of the study ended")]
)
def test_a_worker_that_fails_is_one_sentence_and_the_next_run_goes_on(tmp_path, action, said):
    tuning = params(trials=5, workers=2)
    failing = Quadratic(None, "trial 3", action)
    with pytest.raises(ValueError, match=said):
        complete(work(tmp_path / "study.sqlite", tuning, failing))
    trials = complete(work(tmp_path / "study.sqlite", params(trials=5)))
    assert sum(t["state"] in {"complete", "pruned"} for t in trials) == 5


def test_workers_end_with_the_process_that_waits_for_them(tmp_path):
    process = in_a_process(tmp_path, "", "", workers=2)
    while not list((tmp_path / "seen").iterdir()):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    trials = complete(work(tmp_path / "study.sqlite", params(trials=6)))
    assert sum(t["state"] in {"complete", "pruned"} for t in trials) == 6


def test_a_trial_killed_before_optunas_first_sign_of_life_is_not_waited_for(tmp_path):
    def killed(*_):
        raise KeyboardInterrupt

    todo = work(tmp_path / "study.sqlite", params(trials=2), killed)
    with pytest.raises(KeyboardInterrupt):
        run_trial(todo, todo.study().ask())  # no thread here gives signs of life
    trials = complete(work(tmp_path / "study.sqlite", params(trials=2)))
    assert [t["state"] for t in trials] == ["fail", "complete", "complete"]


def test_studies_in_one_database_leave_each_other_alone(whole, tmp_path):
    complete(work(tmp_path / "study.sqlite", params(trials=2, seed=5), name="another"))
    mine = complete(work(tmp_path / "study.sqlite", params(trials=6)))
    assert outcomes(mine) == outcomes(whole)


def refused(address):
    todo = work(address, params(trials=1))
    with pytest.raises(ValueError, match="study_storage") as caught, storage_errors(todo.address):
        complete(todo)
    return str(caught.value)


def test_a_storage_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "text.sqlite").write_text("no database at all, only a text " * 40)
    assert "file is not a database" in refused(tmp_path / "text.sqlite")
    assert "unable to open database file" in refused(tmp_path / "absent" / "study.sqlite")
    assert "nosuch" in refused("nosuch://host/name")
    said = refused("mysql+pymysql://me:secret@host/name")
    assert "driver mysql+pymysql is not installed: install it beside this package" in said
    assert "kd_kedro[postgresql]" in refused("postgresql+psycopg2://host/name")
    assert "secret" not in said


def test_a_storage_that_cannot_be_written_is_one_sentence(tmp_path):
    complete(work(tmp_path / "study.sqlite", params(trials=1)))
    said = refused(f"sqlite:///file:{tmp_path}/study.sqlite?mode=ro&uri=true")
    assert "readonly database" in said


def test_nothing_is_printed_about_trials(tmp_path, capfd):
    complete(work(tmp_path / "study.sqlite", params(trials=2)))
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
