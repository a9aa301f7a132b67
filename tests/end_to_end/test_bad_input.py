"""Whatever is wrong with the input: one sentence, an exit status, earlier versions untouched."""

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.harness import run_commands, run_kedro, start_commands
from tests.end_to_end.test_commands import TEST, check_sentence
from tests.processes import Started

HEADER = "Question,Answer,Classification,Correction_Question,Remarks\n"
ROW = "What is cash?,Money at hand.,Yes,,\n"

# name of the sheet: its bytes, and words the sentence must have
SHEETS: dict[str, tuple[bytes, list[str]]] = {
    "missing_column.csv": (b"Question,Remarks\na?,b\n", ["missing_column.csv", "Answer"]),
    "doubled_column.csv": (b"Question,Answer,Answer\na?,b,c\n", ["doubled_column.csv", "Answer"]),
    "empty.csv": (b"", ["empty.csv", "empty"]),
    "header_only.csv": (HEADER.encode(), ["header_only.csv"]),
    "encoding.csv": ((HEADER + ROW).encode() + b"caf\xe9?,b,Yes,,\n", ["encoding.csv", "UTF-8"]),
    "quote.csv": ((HEADER + ROW + '"open,b,Yes,,\n' + ROW).encode(), ["quote.csv", "line 3"]),
    "nul.csv": ((HEADER + ROW + "a\0b?,c,Yes,,\n").encode(), ["nul.csv", "line 3"]),
    "huge.csv": ((HEADER + ROW + "a" * 10_000_000 + ",b,Yes,,\n").encode(), ["huge.csv", "line 3"]),
    "rejected.csv": ((HEADER + ROW.replace("Yes", "No")).encode(), ["reject"]),
    "broken.xlsx": (b"not a workbook", ["broken.xlsx"]),
    "broken.parquet": (b"PAR1", ["broken.parquet", "Parquet"]),
    "broken.json": (b'[{"Question": "a?"', ["broken.json", "line 1"]),
    "no_json.jsonl": (HEADER.encode(), ["no_json.jsonl", "line 1", "JSON"]),
    "sheet.ods": (b"PK", ["sheet.ods", ".xlsx"]),
}


def listing(project: Path) -> set[str]:
    return {str(path) for path in (project / "data" / "test_env").rglob("*") if path.is_file()}


def run_sheet(name: str) -> list[str]:
    return ["run", *TEST, "--pipelines", "preprocessing", "--params", f"qa_csv=data/01_raw/{name}"]


@pytest.fixture(scope="module")
def outcomes(project: Path) -> dict[str, dict[str, Any]]:
    """What became of a run on every bad sheet, in one process; nothing may be left behind."""
    for name, (content, _) in SHEETS.items():
        (project / "data" / "01_raw" / name).write_bytes(content)
    (project / "data" / "01_raw" / "folder.csv").mkdir()
    before = listing(project)
    names = [*SHEETS, "folder.csv", "absent.csv"]
    found = dict(zip(names, run_commands(project, [run_sheet(n) for n in names]), strict=True))
    # The sheet of which every row is rejected is a good file: it fails after validation.
    left = {path for path in listing(project) - before if "validat" not in path}
    assert {path for path in left if "quarantin" not in path} == set()
    assert before <= listing(project)
    return found


@pytest.mark.parametrize("name", SHEETS)
def test_a_bad_sheet_is_one_sentence(outcomes: dict[str, dict[str, Any]], name: str) -> None:
    check_sentence(outcomes[name], *SHEETS[name][1])


def test_what_is_read_is_said_on_the_terminal(outcomes: dict[str, dict[str, Any]]) -> None:
    said = outcomes["rejected.csv"]["err"]
    assert "rejected.csv: question from 'Question', answer from 'Answer'" in said


def test_a_directory_and_an_absent_file(outcomes: dict[str, dict[str, Any]]) -> None:
    check_sentence(outcomes["folder.csv"], "folder.csv", "director")
    check_sentence(outcomes["absent.csv"], "absent.csv")


def test_bad_parameters(project: Path) -> None:
    unknown, bad, nested, student, generator, parallel = run_commands(
        project,
        [
            ["run", *TEST, "--params", "nosuch=1"],
            ["run", *TEST, "--params", "filtering.soap.mode=sometimes"],
            ["run", *TEST, "--params", "filtering.soap.nosuch=1"],
            ["run", *TEST, "--params", "distillation.student.pretrained=/nowhere"],
            ["run", *TEST, "--params", "distillation.sequence_level.source=generator"],
            ["run", *TEST, "--runner=ParallelRunner"],
        ],
    )
    check_sentence(unknown, "unknown parameter nosuch", "--params")
    check_sentence(bad, "filtering.soap.mode", "--params", "sometimes")
    check_sentence(nested, "unknown parameter filtering.soap.nosuch")
    check_sentence(student, "distillation.student.pretrained", "/nowhere")
    check_sentence(generator, "distillation.sequence_level.source", "no task answer")
    check_sentence(parallel, "ParallelRunner", "leave --runner out")
    assert "[ 1/" not in student["err"] + generator["err"]  # before the first node


def test_a_damaged_model_is_named(project: Path) -> None:
    weights = sorted(project.glob("data/test_env/06_models/student/*/student/model.safetensors"))[
        -1
    ]
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    [outcome] = run_commands(project, [["run", *TEST, "--nodes", "answer_held_out"]])
    weights.write_bytes(whole)
    check_sentence(outcome, "model.safetensors")


def test_targets_of_other_rows_are_refused(project: Path) -> None:
    manifests = project.glob("data/test_env/05_model_input/teacher_targets.json/*/*targets.json")
    manifest = sorted(manifests)[-1]
    whole = manifest.read_text()
    content = json.loads(whole)
    manifest.write_text(json.dumps({**content, "rows": "0" * 16}))
    [outcome] = run_commands(project, [["run", *TEST, "--nodes", "train_student"]])
    manifest.write_text(whole)
    check_sentence(outcome, "rows")


def test_a_full_disk_leaves_nothing_half_written(project: Path) -> None:
    sheet = project / "data" / "01_raw" / "large.csv"
    sheet.write_text(HEADER + "".join(ROW.replace("cash", f"x{n}") for n in range(90_000)))
    before = listing(project)
    # No file may grow past 3 MB: the same OSError as a full disk gives, without filling one.
    [outcome] = run_commands(project, [run_sheet(sheet.name)], largest_file=3_000_000)
    check_sentence(outcome, "File too large", "validated_qa.csv", "earlier ones are untouched")
    assert listing(project) == before


# Appended to a project's settings: the run stops before its third node until it is interrupted.
PAUSE = """

import time
from pathlib import Path

from kedro.framework.hooks import hook_impl


class Pause:
    begun = 0

    @hook_impl
    def before_node_run(self):
        self.begun += 1
        if self.begun == 3:
            Path("paused").touch()
            time.sleep(600)


HOOKS = (*HOOKS, Pause())
"""


# Appended to a project's settings: the run is refused after MLflow was told of it.
REFUSE = """

from kedro.framework.hooks import hook_impl


class Refuse:
    @hook_impl(trylast=True)
    def before_pipeline_run(self):
        raise ValueError("refused at the start")


HOOKS = (*HOOKS, Refuse())
"""


@contextmanager
def added_to_settings(project: Path, text: str) -> Iterator[None]:
    settings = project / "src" / "kd_kedro" / "settings.py"
    own = settings.read_text(encoding="utf-8")
    settings.write_text(own + text, encoding="utf-8")
    try:
        yield
    finally:
        settings.write_text(own, encoding="utf-8")
        (project / "paused").unlink(missing_ok=True)


def newest_run(project: Path) -> tuple[Path, str]:
    """Where the artifacts of the newest run are, and how it ended."""
    with sqlite3.connect(project / "mlflow.db") as store:
        newest = "select artifact_uri, status from runs order by start_time desc limit 1"
        [[artifacts, status]] = store.execute(newest).fetchall()
    folder = Path(urlsplit(artifacts).path)
    assert folder.is_relative_to(project)  # which is a copy of the one that made the store
    return folder, status


def pause(project: Path) -> Started:
    """Start a run and wait until it stands still."""
    run = start_commands(project, [["run", *TEST, "--pipelines", "preprocessing"]])
    while not (project / "paused").exists():
        assert run.running(), run.outcomes()
        time.sleep(0.05)
    return run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_a_signal_ends_is_killed_and_has_its_recipe(project: Path, number: int) -> None:
    before = {path.parent for path in project.glob("data/test_env/**/provenance.json")}
    with added_to_settings(project, PAUSE):
        run = pause(project)
        run.interrupt(number)
        [outcome] = run.outcomes()
    said = outcome["err"]
    assert outcome["code"] == 128 + number, said
    assert "Interrupted: what was finished is kept" in said
    assert "Traceback" not in said
    artifacts, status = newest_run(project)
    assert status == "KILLED"
    recipe = json.loads((artifacts / "recipe.json").read_text(encoding="utf-8"))
    made = {path.parent for path in project.glob("data/test_env/**/provenance.json")} - before
    assert {project / each["path"] for each in recipe["saved"].values()} == made
    assert len(made) >= 2


def test_a_run_that_was_killed_at_once_is_told_so_by_the_next_command(project: Path) -> None:
    with added_to_settings(project, PAUSE):
        pause(project).kill()
    assert newest_run(project)[1] == "RUNNING"
    [outcome] = run_commands(project, [["compare", "nosuch", "nosuch", *TEST]])
    check_sentence(outcome, "no run nosuch")
    assert newest_run(project)[1] == "KILLED"


def test_a_run_that_is_refused_at_its_start_failed(project: Path) -> None:
    with added_to_settings(project, REFUSE):
        done = run_kedro(project, "run", *TEST, "--pipelines", "preprocessing")
    assert done.returncode == 1
    assert "Error: refused at the start" in done.stderr
    assert newest_run(project)[1] == "FAILED"
