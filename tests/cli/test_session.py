"""What stands on the terminal and what in the log file, as conf/logging.yml says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Another process: the configuration is of the whole process.
SCRIPT = """
import logging, pathlib, sys, warnings
import mlflow
from kd_kedro.cli.session import set_up_terminal
print(set_up_terminal(pathlib.Path(sys.argv[1])))
logging.getLogger("kd_kedro.hooks.progress").info("a node runs")
logging.getLogger("kd_kedro.metrics.x").info("a detail")
logging.getLogger("mlflow.store").info("a library")
logging.getLogger("kd_kedro.traceback").error("a traceback")
warnings.warn("a warning")
from transformers.utils.logging import tqdm
list(tqdm(["a bar of a library"]))
"""


def say(project: Path, tmp_path: Path, **environment: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(project)],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    # Kedro tells where it found no configuration, before a command of ours has begun.
    return done.stdout.splitlines()[-1], done.stderr


def test_our_lines_stand_on_the_terminal_and_everything_in_the_log(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "conf").mkdir(parents=True)
    shutil.copy(ROOT / "conf" / "logging.yml", project / "conf")
    log, terminal = say(project, tmp_path)
    assert log == str(project / "logs" / "kedro.log")
    assert terminal == "a node runs\n"
    lines = [line.split(" ", 2)[2] for line in Path(log).read_text().splitlines()]
    assert lines == [
        "INFO kd_kedro.hooks.progress: a node runs",
        "INFO kd_kedro.metrics.x: a detail",
        "INFO mlflow.store: a library",
        "ERROR kd_kedro.traceback: a traceback",
    ]


def test_another_configuration_can_be_chosen_as_kedro_has_it(tmp_path: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text(
        "version: 1\n"
        "handlers: {all: {class: logging.StreamHandler}}\n"
        "root: {level: WARNING, handlers: [all]}\n"
    )
    log, terminal = say(tmp_path, tmp_path, KEDRO_LOGGING_CONFIG=str(other))
    assert log == "None"
    assert "a traceback" in terminal
    assert "a detail" not in terminal
