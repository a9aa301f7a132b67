"""Commands of Kedro and its plug-ins: what goes wrong is one sentence, at once, and a status."""

from pathlib import Path

import pytest

from tests.end_to_end.harness import copy_project, run_commands

COMMANDS = {
    "viz run": ["viz", "run", "--no-browser"],
    "viz": ["viz", "--no-browser"],
    "viz build": ["viz", "build"],
    "viz --params": ["viz", "run", "--no-browser", "--env", "test", "--params", "nosuch=1"],
    "catalog": ["catalog", "describe-datasets"],
    "patterns": ["catalog", "list-patterns", "--env", "gpt2,nosuch"],
    "run": ["run", "--env", "test"],
    "lineage": ["lineage"],
}
SENTENCES = {
    "viz --params": "unknown parameter nosuch in --params",
    "patterns": "there is no environment nosuch: conf/nosuch does not exist; there are flan_t5,",
}
BAD = "parameter reporting.title in conf/local/parameters.yml is 3: Input should be a valid string"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


def test_a_bad_configuration_ends_every_command_with_a_sentence(project: Path) -> None:
    pages = project / "build" / "api" / "main"
    pages.parent.mkdir(parents=True)
    pages.write_text("of an earlier graph")
    (project / "conf" / "local").mkdir(exist_ok=True)
    (project / "conf" / "local" / "parameters.yml").write_text("reporting: {title: 3}\n")
    outcomes = run_commands(project, list(COMMANDS.values()))
    for name, outcome in zip(COMMANDS, outcomes, strict=True):
        assert outcome["code"] == 1, (name, outcome)
        told = [line for line in outcome["err"].splitlines() if line.startswith("Error: ")]
        assert len(told) == 1, (name, outcome["err"])
        assert SENTENCES.get(name, BAD) in told[0], name
        assert "Traceback" not in outcome["out"] + outcome["err"], name
    assert pages.read_text() == "of an earlier graph"
    assert "Traceback" in (project / "logs" / "kedro.log").read_text()
