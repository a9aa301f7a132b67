"""Past runs compared, run again and pruned, in a project that is a git repository."""

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.harness import latest, run_commands

TEST = ["--env", "test"]
OTHER = "data/01_raw/other.csv"


class Past:
    """A project with past runs: their timestamps, and what commands on them said."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.data = project / "data" / "test_env"
        self.first = self.versions("08_reporting/verdict.json")[0]

    def versions(self, dataset: str) -> list[str]:
        return sorted(path.name for path in (self.data / dataset).iterdir())


@pytest.fixture(scope="module")
def past(project: Path) -> Past:
    """A finished run without a repository, then one of a node, of another sheet, and of none."""
    as_user = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*as_user, "commit", "-qm", "start"]):
        subprocess.run(["git", "-C", str(project), *words], check=True)
    shutil.copy(project / "data/01_raw/test_qa.csv", project / OTHER)
    outcomes = run_commands(
        project,
        [
            ["run", "--nodes", "judge_student", *TEST],
            ["run", "--pipelines", "preprocessing", "--params", f"qa_csv={OTHER}", *TEST],
            ["run", "--pipelines", "preprocessing", "--params", "qa_csv=nosuch.csv", *TEST],
        ],
    )
    assert [outcome["code"] for outcome in outcomes] == [0, 0, 1], outcomes
    return Past(project)


@pytest.fixture(scope="module")
def said(past: Past) -> dict[str, dict[str, Any]]:
    """What each command said, by name."""
    _, other = past.versions("02_intermediate/validated_qa.csv")
    judged = past.versions("08_reporting/verdict.json")[1]
    (past.project / OTHER).write_text("Question,Answer\nWhat is it?,Another\n", encoding="utf-8")
    shown = past.project / "build" / "comparison.json"  # git does not see what lies there
    shown.parent.mkdir()
    with sqlite3.connect(past.project / "mlflow.db") as store:
        [[failed]] = store.execute("select run_uuid from runs where status = 'FAILED'").fetchall()
    prune = ["prune", *TEST, "--keep-last", "1"]
    commands = {
        "compare": ["compare", past.first, judged, *TEST, "--json", str(shown)],
        "unknown": ["compare", past.first, "nosuch", *TEST],
        "ambiguous": ["reproduce", "2"],
        "no code": ["reproduce", past.first],
        "failed": ["reproduce", failed],
        "raw file": ["reproduce", other],
        "runs": ["runs", *TEST],
        "again": ["reproduce", judged, *TEST],
        "dry": prune,
        "prune": [*prune, "--yes"],
        "after": ["reproduce", judged],
        "none": ["prune", "--keep-last", "0", *TEST],
    }
    return dict(zip(commands, run_commands(past.project, list(commands.values())), strict=True))


def check_sentence(outcome: dict[str, Any], *words: str) -> None:
    assert outcome["code"] == 1, outcome
    lines = [line for line in outcome["err"].splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, outcome["err"]
    for word in words:
        assert word in lines[0], lines[0]


def test_what_differs_is_printed_and_written(past: Past, said: dict[str, dict[str, Any]]) -> None:
    outcome = said["compare"]
    assert outcome["code"] == 0, outcome["err"]
    assert "40 rows of 40 families are common" in outcome["out"]
    assert "judge_student" in outcome["out"]
    text = (past.project / "build" / "comparison.json").read_text(encoding="utf-8")
    comparison = json.loads(text)
    assert comparison["data"] == {}  # the node made the same verdict again
    assert comparison["code"]["commit"][0] == ""
    metrics = comparison["students"]["metrics"]
    assert metrics["perplexity"]["difference"] == {"estimate": 0, "low": 0, "high": 0}


def test_runs_are_listed_with_sheet_state_and_verdict(
    past: Past, said: dict[str, dict[str, Any]]
) -> None:
    verdict = latest(past.project, "08_reporting/verdict.json").read_text(encoding="utf-8")
    overall = json.loads(verdict)["overall"]
    assert said["runs"]["code"] == 0, said["runs"]["err"]
    lines = [
        line
        for line in said["runs"]["out"].splitlines()
        if line.startswith(tuple("0123456789abcdef"))
    ]
    refused, other, judged, whole = lines
    for line, words in (
        (refused, ("test, preprocessing", "failed")),
        (other, ("other.csv", "test", "finished")),
        (judged, ("test, ", "judge_student", overall, "perplexity")),
        (whole, ("test_qa.csv", " test ", "finished", overall, "perplexity")),
    ):
        for word in words:
            assert word in line, line


def test_a_run_that_is_not_one_is_named(said: dict[str, dict[str, Any]]) -> None:
    check_sentence(said["unknown"], "no run nosuch")
    check_sentence(said["ambiguous"], "runs begin with 2: ", "give more of its name")


def test_a_run_without_its_code_is_refused(said: dict[str, dict[str, Any]]) -> None:
    check_sentence(said["no code"], "not made in a git repository")


def test_a_failed_run_left_its_recipe_and_is_refused(said: dict[str, dict[str, Any]]) -> None:
    check_sentence(said["failed"], "did not finish (MLflow says FAILED)")


def test_another_raw_file_is_refused_with_both_hashes(said: dict[str, dict[str, Any]]) -> None:
    check_sentence(said["raw file"], "raw_qa is not what the run read", "other.csv was other.csv,")


def test_a_node_is_run_again_on_the_versions_it_loaded(
    past: Past, said: dict[str, dict[str, Any]]
) -> None:
    assert said["again"]["code"] == 0, said["again"]
    assert "Reproduced: of 1 outputs" in said["again"]["out"]
    with sqlite3.connect(past.project / "mlflow.db") as store:
        tagged = "select count(*) from tags where key = 'reproduces'"
        assert store.execute(tagged).fetchone() == (2,)  # and once more after pruning


def test_a_dry_run_says_what_would_go(said: dict[str, dict[str, Any]]) -> None:
    assert said["dry"]["code"] == 0, said["dry"]["err"]
    assert "give --yes to delete them" in said["dry"]["out"]


def test_only_the_last_stay_and_what_they_stand_on(
    past: Past, said: dict[str, dict[str, Any]]
) -> None:
    assert said["prune"]["code"] == 0, said["prune"]["err"]
    assert past.first not in past.versions("02_intermediate/validated_qa.csv")
    assert past.versions("07_model_output/validation_results.csv") == [past.first]
    assert (past.project / "data/01_raw/test_qa.csv").is_file()


def test_a_pruned_run_is_reproduced_by_its_recipe(
    past: Past, said: dict[str, dict[str, Any]]
) -> None:
    assert "Reproduced: of 1 outputs" in said["after"]["out"], said["after"]
    # Of four verdicts the first two went; each reproduction left one.
    assert past.first not in past.versions("08_reporting/verdict.json")
    assert len(past.versions("08_reporting/verdict.json")) == 2


def test_none_to_keep_is_refused(said: dict[str, dict[str, Any]]) -> None:
    assert said["none"]["code"] == 2
    assert "0 is not in the range x>=1" in said["none"]["err"]
