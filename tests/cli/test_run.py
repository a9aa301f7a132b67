"""Pipelines and nodes that `--nodes` and its like name, with and without their namespaces."""

import os
import sys
from pathlib import Path

import click
import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

from kd_kedro.cli.commands import cli
from kd_kedro.cli.run import _check_pipelines, _whole_names, run
from kd_kedro.cli.runs import runs

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


def refused(*arguments: str) -> str:
    with pytest.raises(click.UsageError) as caught:
        run.make_context("run", [*arguments])
    return caught.value.message


def test_an_option_given_twice_is_refused_with_the_one_that_says_both() -> None:
    assert (
        refused("--env", "test", "-e", "server")
        == "--env is given 2 times: write --env test,server"
    )
    assert refused("--params=a=1", "--params", "b=[2,3]").endswith("write --params a=1,b=[2,3]")
    with pytest.raises(click.UsageError, match="--last is given 2 times: give it once"):
        runs.make_context("runs", ["--last", "3", "--last", "4"])
    context = run.make_context("run", ["--yes", "--yes", "--env", "test"])
    assert (context.params["env"], context.params["yes"]) == ("test", True)


def of_file(folder: Path, text: str) -> list[str]:
    file = folder / "run.yml"
    file.write_text(text)
    return ["--config", str(file)]


def test_options_are_read_from_a_file_and_those_given_win(tmp_path: Path) -> None:
    file = of_file(
        tmp_path,
        "run: {pipelines: [preprocessing, filtering], nodes: clean_text, from-nodes: [a, b], "
        "env: [test, server], tuned: true, load_versions: {x: 2026-11-20T14.00.00.000Z}, "
        "params: {a: {b: [1, 2]}}, tags: u}",
    )
    options = run.make_context("run", [*file, "--tags", "v,w"]).params
    assert options["pipelines"] == ["preprocessing", "filtering"]
    assert (options["node_names"], options["from_nodes"]) == (["clean_text"], ["a", "b"])
    assert (options["env"], options["tuned"]) == ("test,server", True)
    assert options["load_versions"] == {"x": "2026-11-20T14.00.00.000Z"}
    assert (options["params"], options["tags"]) == ({"a": {"b": [1, 2]}}, ["v", "w"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run:\n  pipelnes: preprocessing\n", "'pipelnes' is no option of a run; did you mean pip"),
        ("run: {xyzzy: 1}\n", "'xyzzy' is no option of a run; there are async, conf_source, env,"),
        ("pipelines: preprocessing\n", "has no level 'run' with options below it, as in run: {"),
        ("- run\n", "has no level 'run'"),
        ("run: preprocessing\n", "has no level 'run'"),
        ("", "has no level 'run'"),
        ("run: {", "cannot be read as YAML: "),
        ("run", "has no level 'run'"),
        ("run: {env: '${nosuch}'}", "cannot be read as YAML: "),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    message = refused(*of_file(tmp_path, text))
    assert said in message
    assert str(tmp_path / "run.yml") in message
    assert "\n" not in message
