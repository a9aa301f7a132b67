"""Pipelines and nodes that `--nodes` and its like name, with and without their namespaces."""

import os
import sys
from pathlib import Path

import click
import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

from kd_kedro.cli.commands import cli
from kd_kedro.cli.run import _check_pipelines, _whole_names

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _project() -> None:
    bootstrap_project(ROOT)
    pipelines.set_requested(None)


@pytest.mark.parametrize("name", ["train_student", "distillation.student.train_student"])
def test_a_training_comes_with_the_node_that_reads_its_parameters(name: str) -> None:
    assert _whole_names([name]) == [
        "distillation.student.set_student",
        "distillation.student.train_student",
    ]


def test_a_node_that_is_named_twice_comes_once() -> None:
    both = _whole_names(["train_student"])
    assert _whole_names(["set_student", "train_student", "train_student"]) == both
    assert _whole_names(["elsewhere.train_student"]) == ["elsewhere.train_student"]


def test_other_nodes_come_alone_and_in_their_order() -> None:
    names = ["judge_student", "clean_text", "no_such_node"]
    whole = _whole_names(names)
    assert [name.rpartition(".")[2] for name in whole] == names
    assert whole[-1] == "no_such_node"  # which Kedro refuses by this name
    assert all("." in name for name in whole[:-1])


def test_no_two_nodes_have_one_short_name() -> None:
    nodes = {node.name: node.short_name for name in pipelines for node in pipelines[name].nodes}
    assert len(set(nodes.values())) == len(nodes)


def test_an_unknown_pipeline_is_told_with_those_that_there_are() -> None:
    _check_pipelines(["filtering", "__default__"])
    with pytest.raises(ValueError, match=r"no pipeline 'nosuch': .*filtering, .*reporting"):
        _check_pipelines(["filtering", "nosuch"])


def test_programs_of_this_environment_are_found_without_it_on_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for _ in range(2):
        cli.get_command(click.Context(cli), "run")
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/nowhere"
