"""A run that cannot be had again is refused by name; one that can is compared output by output."""

import subprocess
from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

from kd_kedro.runs.provenance import source_hashes
from kd_kedro.runs.recipe import Recipe, Saved, content_hash
from kd_kedro.runs.reproduce import (
    agreement,
    check_inputs,
    check_loaded,
    check_recipe,
    check_tree,
    not_comparable,
)
from kd_kedro.storage.git import CODE, changed_files, git

VERSION = "2026-01-01T00.00.00.000Z"


def recipe(**changed):
    values = {
        "kedro_run_id": VERSION,
        "env": None,
        "params": {},
        "command": {},
        "only_missing_outputs": False,
        "commit": "a" * 40,
        "dirty": False,
        "environment": {},
        "parameters": {"clean.size": 3},
        "inputs": ["raw"],
        "loaded": {},
        "saved": {},
        "sources": {},
    }
    return Recipe(**{**values, **changed})


def run(status="FINISHED"):
    tags = {"kedro_run_id": VERSION}
    info = SimpleNamespace(run_id="f" * 32, status=status)
    return SimpleNamespace(info=info, data=SimpleNamespace(tags=tags))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"dirty": True}, "made with uncommitted changes on aaaaaaaaaaaa"),
        ({"commit": ""}, "not made in a git repository"),
        ({"only_missing_outputs": True}, "only what was missing"),
        ({"conf_source": "/elsewhere"}, "made with --conf-source /elsewhere, whose state"),
        ({"saved": {}}, "there is nothing to compare"),
    ],
)
def test_a_run_whose_code_or_work_is_not_known_is_refused(changed, words):
    with pytest.raises(ValueError, match=words):
        check_recipe(run(), recipe(**changed))


def test_a_run_that_failed_is_refused():
    with pytest.raises(ValueError, match=r"did not finish \(MLflow says FAILED\)"):
        check_recipe(run("FAILED"), recipe())


def test_another_tree_is_refused_with_what_to_do():
    check_tree(recipe(), "a" * 40, "")
    with pytest.raises(ValueError, match=r"uncommitted changes \(src/x.py\): commit or stash"):
        check_tree(recipe(), "a" * 40, " M src/x.py\n?? y")
    with pytest.raises(ValueError, match=r"at commit bbbbbbbbbbbb.*`git checkout a{40}`"):
        check_tree(recipe(), "b" * 40, "")
    with pytest.raises(ValueError, match="no git repository"):
        check_tree(recipe(), "", "")


def test_a_tree_that_git_does_not_tell_of_is_not_clean(tmp_path):
    assert changed_files(tmp_path, CODE) == "?? git status did not answer"
    assert git(tmp_path, "rev-parse", "HEAD") == ""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert changed_files(tmp_path, CODE) == ""


def test_only_what_decides_a_run_makes_its_code_unknown(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name in ("data/sheet.csv", "review_queue.csv", "docs/page.md", "tests/test_x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    assert changed_files(tmp_path, CODE) == ""
    for name in ("src/kd_kedro/x.py", "conf/mine/globals.yml", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    assert {line[3:] for line in changed_files(tmp_path, CODE).splitlines()} == {
        "src/",
        "conf/",
        "pyproject.toml",
    }


ENTRIES = {
    "raw": {"type": "text.TextDataset"},
    "cleaned": {"type": "text.TextDataset", "versioned": True},
}
PIPELINE = Pipeline([node(str.strip, "cleaned", "out", name="strip")])


@pytest.fixture
def catalog(tmp_path):
    (tmp_path / "raw").write_text("abc")
    entries = {name: {**each, "filepath": str(tmp_path / name)} for name, each in ENTRIES.items()}
    catalog = DataCatalog.from_config(entries, save_version=VERSION)
    catalog.save("cleaned", "abc")
    return catalog


def check(catalog, now=3, **changed):
    sources = source_hashes(["raw"], catalog, ENTRIES)
    then = recipe(**{"sources": sources, **changed})
    check_inputs(then, PIPELINE, {"clean.size": now}, catalog, ENTRIES)


def test_what_is_as_it_was_passes(catalog):
    check(catalog)


def test_another_parameter_is_named(catalog):
    with pytest.raises(ValueError, match=r"parameter clean\.size was 3 and is 4 now"):
        check(catalog, now=4)


def test_another_raw_file_is_named_with_both_hashes(catalog, tmp_path):
    sources = source_hashes(["raw"], catalog, ENTRIES)
    then = sources["raw"]
    (tmp_path / "raw").write_text("abd")
    with pytest.raises(ValueError, match=rf"raw is not .*/raw was {then} and is raw, hash \w"):
        check(catalog, sources=sources)


def check_cleaned(catalog, version, sha256):
    maker = recipe(saved={"cleaned": Saved(version=VERSION, sha256=sha256, path="")})
    check_loaded(recipe(loaded={"cleaned": version}), catalog, {VERSION: maker}.get)


def test_a_loaded_version_is_there_and_what_was_saved(catalog, tmp_path):
    saved = content_hash(tmp_path / "cleaned" / VERSION)
    check_cleaned(catalog, VERSION, saved)
    with pytest.raises(ValueError, match=r"cleaned of version 2025\S+, which the run loaded, is g"):
        check_cleaned(catalog, "2025-01-01T00.00.00.000Z", saved)
    with pytest.raises(ValueError, match=r"which the run loaded, was changed since it was saved"):
        check_cleaned(catalog, VERSION, "another")


def test_what_is_made_from_measured_times_cannot_be_compared():
    full = Pipeline(
        [
            node(len, "model", "compression", name="measure"),
            node(divmod, ["compression", "study"], "report", name="report"),
            node(len, "report", "card", name="card"),
            node(sorted, "model", "verdict", name="judge"),
        ]
    )
    measured = {"compression": "it holds measured times", "study": "it goes on"}
    reasons = not_comparable(full, measured, ["compression", "report", "card", "verdict"])
    assert reasons["compression"] == "it holds measured times"
    assert reasons["report"] == reasons["card"] == "it is made from compression"
    assert "verdict" not in reasons
    # What the run had from an earlier one, or not at all, makes no difference.
    reasons = not_comparable(full, measured, ["study", "report", "card"])
    assert reasons["report"] == "it is made from study"


def test_what_holds_measured_times_is_compared_without_them():
    def saved(sha256, unmeasured):
        kept = Saved(version=VERSION, sha256=sha256, unmeasured_sha256=unmeasured, path="")
        return recipe(saved={"evidence": kept})

    reasons = {"evidence": "it is made from compression"}
    for now, outcome in (("rest", "agrees"), ("other", "differs")):
        then, again = saved("1", "rest"), saved("2", now)
        found = agreement(then, again, reasons, {"evidence": "compression"})["evidence"]
        assert found["outcome"] == outcome
        assert found["reason"].endswith("its part compression")


def test_agreement_is_by_content_and_output_by_output():
    def saved(**hashes):
        return {
            name: Saved(version=VERSION, sha256=value, path="") for name, value in hashes.items()
        }

    then = recipe(saved=saved(same="1", other="1", timed="1", lost="1"))
    now = recipe(saved=saved(same="1", other="2", timed="2", more="1"))
    found = agreement(then, now, {"timed": "it holds measured times"}, {})
    assert {name: each["outcome"] for name, each in found.items()} == {
        "same": "agrees",
        "other": "differs",
        "timed": "cannot be compared",
        "lost": "not made",
    }
