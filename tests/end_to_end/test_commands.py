"""Commands after a run: partial runs, stale artifacts, old versions, traces, bad input."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd

from tests.end_to_end.harness import run_commands

TEST = ["--env", "test"]
FILTER = ["run", *TEST, "--pipelines", "filtering"]


def one(project: Path, *words: str) -> dict[str, Any]:
    return run_commands(project, [list(words)])[0]


def check_sentence(outcome: dict[str, Any], *words: str) -> None:
    """One sentence on the last lines of stderr, an exit status, and no traceback."""
    assert outcome["code"] == 1, outcome
    lines = [line for line in outcome["err"].splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, outcome["err"]
    assert "Traceback" not in outcome["err"] + outcome["out"]
    for word in words:
        assert word in lines[0], lines[0]


def test_each_pipeline_runs_alone_on_what_the_one_before_left(project: Path) -> None:
    names = [
        "preprocessing",
        "filtering",
        "augmentation",
        "distillation",
        "evaluation",
        "reporting",
    ]
    # No verdict needs so many families, and no artifact depends on it.
    small = {"distillation": ["--params", "evaluation.verdict.min_families=999"]}
    commands = [["run", "--pipelines", name, *TEST, *small.get(name, [])] for name in names]
    outcomes = run_commands(project, commands)
    for name, outcome in zip(names, outcomes, strict=True):
        assert outcome["code"] == 0, (name, outcome["err"][-2000:])
        assert "\r" not in outcome["err"] + outcome["out"], name  # no frames of bars in a file
    preprocessing, _, _, distillation, evaluation, reporting = outcomes
    assert (
        "quarantined_rows: data/test_env/03_primary/quarantined_rows.csv/" in preprocessing["out"]
    )
    assert "This run is too small to be judged" in distillation["err"]
    assert "There is no terminal to ask on, so it goes on." in distillation["err"]
    assert "Report:  kedro run --pipelines reporting" in evaluation["out"]
    assert "Report:  data/test_env/08_reporting/report.html/" in reporting["out"]


def test_stale_artifacts_are_named_and_old_versions_come_back(project: Path) -> None:
    versions = sorted((project / "data/test_env/03_primary/soap_qa.csv").iterdir())
    pinned = f"soap_qa:{versions[0].name}"
    stale, again, fresh = run_commands(
        project,
        [
            [
                "run",
                "--pipelines",
                "filtering",
                "--params",
                "preprocessing.cleaning.nosuch=1",
                *TEST,
            ],
            ["run", "--nodes", "sort_out_duplicates", "--load-versions", pinned, *TEST],
            ["run", "--pipelines", "filtering", "--params", "qa_csv=data/01_raw/other.csv", *TEST],
        ],
    )
    check_sentence(stale, "unknown parameter preprocessing.cleaning.nosuch")
    assert again["code"] == 0, again["err"]
    check_sentence(fresh, "raw_qa", "other.csv, absent")


def test_another_sheet_makes_what_was_made_stale(project: Path) -> None:
    sheet = project / "data/01_raw/final_qa.csv"
    (project / "data/01_raw/longer.csv").write_text(
        sheet.read_text(encoding="utf-8") + "What is one more?,One more row,Yes,,\n",
        encoding="utf-8",
    )
    outcome = one(
        project,
        "run",
        "--pipelines",
        "filtering",
        "--params",
        "qa_csv=data/01_raw/longer.csv",
        *TEST,
    )
    check_sentence(
        outcome, "converted_mcq", "stale", "raw_qa", "kedro run --pipelines preprocessing"
    )


def test_the_plan_tells_costs_and_leaves_nothing(project: Path) -> None:
    before = sorted((project / "data").rglob("*"))
    runs = sqlite3.connect(project / "mlflow.db").execute("select count(*) from runs").fetchone()
    words = ["distill-plan", "--params", "distillation.seeds.count=4"]
    told, absent, nowhere, stale, refused = run_commands(
        project,
        [
            [*words, *TEST, "--json", "plan.json"],
            ["distill-plan"],
            ["distill-plan", "--env", "nosuch"],
            ["distill-plan", *TEST, "--params", "qa_csv=/nowhere.csv"],
            ["distill-plan", *TEST, "--params", "distillation.student.pretrained=/nowhere"],
        ],
    )
    assert told["code"] == 0, told["err"]
    parts = ("teacher targets", "4 steps", "both with 3 further seeds", "peak memory", "FLOPs")
    for word in (*parts, "plain training of the baseline would read"):
        assert word in told["out"]
    figures = json.loads((project / "plan.json").read_text(encoding="utf-8"))
    assert figures["further_seeds"] == 3
    assert figures["conclusion"] in " ".join(told["out"].split())
    check_sentence(absent, "kedro run --pipelines preprocessing,filtering,augmentation")
    check_sentence(nowhere, "nosuch")
    check_sentence(stale, "augmented_qa", "is stale", "nowhere.csv, absent", "name another")
    check_sentence(refused, "student.pretrained", "'/nowhere'", "give a hub name")
    assert sorted((project / "data").rglob("*")) == before
    after = sqlite3.connect(project / "mlflow.db").execute("select count(*) from runs").fetchone()
    assert after == runs


def test_trace_prints_a_life(project: Path) -> None:
    path = sorted(project.glob("data/test_env/05_model_input/augmented_qa.csv/*/*.csv"))[-1]
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    typos = rows.loc[rows["style"] == "typo", "row_id"]
    row = typos[~typos.str[0].str.isdigit()].iloc[0].removesuffix("-typo")
    path = sorted(project.glob("data/test_env/02_intermediate/validated_qa.csv/*/*.csv"))[-1]
    line = pd.read_csv(path, dtype=str).set_index("row_id").loc[row, "line"]
    life, same, several, nothing = run_commands(
        project,
        [["trace", *words, *TEST] for words in ([row], ["--line", line], [row[0]], ["nosuch"])],
    )
    for words in ("validation", "augmentation", "created", "Question:"):
        assert words in life["out"]
    assert same["out"] == life["out"]
    assert several["code"] == 1
    assert row in several["out"]
    check_sentence(
        nothing, "row nosuch is in no event", "`kedro trace nosuch --run RUN --env test`"
    )
    version = next(name for name in nothing["err"].split() if name.startswith("20")).rstrip(",")
    earlier, none = run_commands(
        project,
        [["trace", name, "--run", version, *TEST] for name in (row, "nosuch")],
    )
    assert earlier["code"] == 0, earlier["err"]
    for words in (row, "validation", "Question:"):
        assert words in earlier["out"]
    check_sentence(none, f"rows of run {version}")


def test_a_table_is_exported_as_messages(project: Path) -> None:
    words = ["export", "training_examples"]
    written, again, other, nothing = run_commands(
        project,
        [
            [*words, "train.jsonl", *TEST],
            [*words, "train.jsonl", *TEST],
            [*words, "train.csv", *TEST],
            [*words, "train.parquet"],
        ],
    )
    assert "rows of training_examples are in train.jsonl" in written["out"], written
    first = json.loads((project / "train.jsonl").read_text(encoding="utf-8").split("\n")[0])
    assert [each["role"] for each in first["messages"]] == ["user", "assistant"]
    check_sentence(again, "train.jsonl is there already")
    check_sentence(other, "train.csv ends in neither .jsonl nor .parquet")
    check_sentence(nothing, "training_examples", "run `kedro run` first")


def test_the_review_queue_is_written_filled_in_and_handed_back(project: Path) -> None:
    written, again, nowhere = run_commands(
        project,
        [
            ["review-queue", "--rows", "8", "--output", "queue.csv", *TEST],
            ["review-queue", "--output", "queue.csv", *TEST],
            ["review-queue", "--output", "no/such/folder/queue.csv", *TEST],
        ],
    )
    assert "8 rows are in queue.csv" in written["out"], written
    check_sentence(again, "queue.csv is there already")
    check_sentence(nowhere, "no/such/folder")
    queue = pd.read_csv(
        project / "queue.csv", dtype=str, keep_default_na=False, encoding="utf-8-sig"
    )
    row = queue["row_id"].iloc[0]
    filled = queue.head(1).assign(verdict="No")
    filled.to_csv(project / "filled.csv", index=False)
    mended = ["--params", "mended_csv=filled.csv", "--pipelines", "preprocessing", *TEST]
    outcome = one(project, "run", *mended)
    assert outcome["code"] == 0, outcome["err"][-2000:]
    events = pd.read_csv(
        sorted(project.glob("data/test_env/08_reporting/review_events.csv/*/*.csv"))[-1],
        dtype=str,
        keep_default_na=False,
    ).set_index("row_id")
    assert events.loc[row, "reason"] == "reviewer's verdict: No"
