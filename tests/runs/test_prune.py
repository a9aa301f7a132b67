"""What may go goes; what somebody registered, tagged, pinned or stands on stays."""

import os
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
from kedro.io import DataCatalog

from kd_kedro.cli.past_runs import _pins, choose_versions
from kd_kedro.cli.runs_terminal import print_choices
from kd_kedro.runs.provenance import write_provenance
from kd_kedro.runs.prune import (
    FORGOTTEN,
    Version,
    artifact_folders,
    choose,
    delete,
    protected_runs,
    recipes,
    versions_of,
)
from kd_kedro.runs.recipe import RECIPE, Recipe, Saved, recipe_text

TIMES = [f"2026-01-0{day}T00.00.00.000Z" for day in range(1, 6)]


def make(folder: Path, name: str, version: str, *, finished: bool = True) -> Path:
    place = folder / name / version
    place.mkdir(parents=True)
    (place / name).write_text("12345")
    if finished:
        write_provenance(place, {"parameters": {}, "sources": {}})
    os.utime(place, (0, 0))
    return place


def catalog_of(folder: Path, *names: str) -> DataCatalog:
    entries = {
        name: {"type": "text.TextDataset", "filepath": str(folder / name), "versioned": True}
        for name in names
    }
    plain = {"type": "text.TextDataset", "filepath": str(folder / "plain.txt")}
    return DataCatalog.from_config({**entries, "plain": plain})


def recipe(timestamp: str, loaded: dict[str, str]) -> Recipe:
    return Recipe(
        kedro_run_id=timestamp,
        env=None,
        params={},
        command={},
        only_missing_outputs=False,
        commit="abc",
        dirty=False,
        environment={},
        parameters={},
        inputs=[],
        loaded=loaded,
        saved={"model": Saved(version=timestamp, sha256="0", path="x")},
        sources={},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five versions of a table and of a model."""
    for name in ("table", "model"):
        for time in TIMES:
            make(tmp_path, name, time)
    return tmp_path


def going(folder: Path, keep_last=1, protected=None, pinned=(), loaded=None) -> set[str]:
    """Dataset and day of what goes."""
    found = choose(
        versions_in(catalog_of(folder, "table", "model")),
        keep_last=keep_last,
        protected=protected or {},
        pinned=pinned,
        recipe_of=lambda time: recipe(time, loaded[time]) if loaded and time in loaded else None,
    )
    return {f"{each.version.dataset} {each.version.version[9]}" for each in found if each.goes}


def versions_in(catalog: DataCatalog) -> list[Version]:
    return versions_of(catalog, catalog.keys())


def test_the_last_ones_of_every_dataset_stay(folder):
    assert going(folder, 4) == {"table 1", "model 1"}
    assert going(folder, 9) == set()


def test_an_unfinished_version_is_none_of_the_last_and_goes(folder):
    make(folder, "table", "2026-01-09T00.00.00.000Z", finished=False)
    assert going(folder, 5) == {"table 9"}


def test_an_unfinished_version_of_this_hour_may_be_one_being_written(folder):
    os.utime(make(folder, "table", "2026-01-09T00.00.00.000Z", finished=False))
    assert going(folder, 5) == set()


def test_a_protected_run_keeps_what_it_saved(folder):
    assert going(folder, 4, {TIMES[0]: "registered as student 1"}) == set()


def test_a_kept_version_keeps_what_its_run_loaded_and_so_on(folder):
    loaded = {
        TIMES[4]: {"table": TIMES[2]},
        TIMES[2]: {"model": TIMES[0], "gone": TIMES[0]},
    }
    assert going(folder, loaded=loaded) == {
        "table 1", "table 2", "table 4", "model 2", "model 3", "model 4",
    }  # fmt: skip


def test_pins_name_a_version_or_a_run(folder):
    kept = going(folder, 4, pinned=[f"table:{TIMES[0]}"])
    assert kept == {"model 1"}
    assert going(folder, 4, pinned=[TIMES[0]]) == set()


@pytest.mark.parametrize(
    "slip", [TIMES[0][:16], f"tabel:{TIMES[0]}", "table", f"table:{TIMES[0]} ", ":" + TIMES[0]]
)
def test_a_pin_that_pins_nothing_is_refused(folder, slip):
    catalog = catalog_of(folder, "table")
    assert _pins({"pinned_versions": [TIMES[0], f"table:{TIMES[4]}"]}, catalog)
    with pytest.raises(ValueError, match="which is neither dataset:version nor a run's whole"):
        _pins({"pinned_versions": [slip]}, catalog)


def test_two_entries_of_one_folder_keep_for_each_other(folder):
    entry = {"type": "text.TextDataset", "filepath": str(folder / "table"), "versioned": True}
    catalog = DataCatalog.from_config({"table": entry, "alias": entry})
    found = choose(
        versions_in(catalog),
        keep_last=4,
        protected={},
        pinned=[f"alias:{TIMES[0]}"],
        recipe_of=lambda _: None,
    )
    assert not any(each.goes for each in found)


def test_none_to_keep_is_refused(folder):
    with pytest.raises(ValueError, match="--keep-last is 0: at least one"):
        going(folder, 0)


def test_what_is_no_version_folder_is_never_seen(folder, tmp_path_factory):
    (folder / "table" / "notes").mkdir()
    (folder / "plain.txt").write_text("raw")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "table" / "2026-01-08T00.00.00.000Z").symlink_to(elsewhere)
    raw = folder / "01_raw"
    make(raw, "sheet", TIMES[0])
    seen = versions_in(catalog_of(folder, "table")) + versions_in(catalog_of(raw, "sheet"))
    assert [each.version for each in seen] == TIMES


def test_what_goes_is_deleted_and_nothing_else(folder):
    found = choose(
        versions_in(catalog_of(folder, "table")),
        keep_last=2,
        protected={},
        pinned=(),
        recipe_of=lambda _: None,
    )
    delete(found)
    assert sorted(path.name for path in (folder / "table").iterdir()) == TIMES[3:]
    assert sorted(path.name for path in (folder / "model").iterdir()) == TIMES
    assert next(each.version.size for each in found) > 5


def test_mlflows_copy_is_counted_and_goes_with_its_version(folder, capsys):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("runs", artifact_location=str(folder / "artifacts"))
    runs = [client.create_run(experiment, tags={"kedro_run_id": time}) for time in TIMES[:2]]
    for run in runs:
        for name in ("table/table", "model/model", "recipe.json"):
            client.log_text(run.info.run_id, "1234567", name)
    catalog = catalog_of(folder, "table", "model")
    catalog.get("table").metadata = {"runs": {"kept": True}}
    found = choose(
        versions_of(catalog, ["table", "model"], artifact_folders(client, experiment)),
        keep_last=4,
        protected={},
        pinned=(),
        recipe_of=lambda _: None,
    )
    going = {each.version.dataset: each.version for each in found if each.goes}
    assert {name: each.copy_size for name, each in going.items()} == {"table": 0, "model": 7}
    print_choices(found, deleted=False)
    assert "2 versions, 91 B (7 B of it MLflow's copies), would go" in capsys.readouterr().out
    delete(found)
    first, second = ({each.path for each in client.list_artifacts(run.info.run_id)} for run in runs)
    assert first == {"table", "recipe.json"}
    assert second == {"table", "model", "recipe.json"}


def test_mlflow_says_which_runs_are_registered_and_tagged(tmp_path):
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.create_experiment("runs", artifact_location=str(tmp_path / "artifacts"))
    first, second, third, _ = (
        client.create_run(experiment, tags={"kedro_run_id": time}) for time in TIMES[:4]
    )
    for run in client.search_runs([experiment]):
        client.set_terminated(run.info.run_id)
    client.create_run(experiment, tags={"kedro_run_id": TIMES[4]})
    client.set_tag(second.info.run_id, "keep", "")
    client.create_registered_model("student")
    source = str(tmp_path / "artifacts")
    client.create_model_version("student", source, tags={"kedro_run_id": TIMES[0]})
    client.create_model_version("student", source, run_id=third.info.run_id)
    assert protected_runs(client, experiment) == {
        TIMES[0]: "registered as student 1",
        TIMES[1]: "tagged keep",
        TIMES[2]: "registered as student 2",
        TIMES[4]: "its run has not ended",
    }
    made = recipe(TIMES[0], {"table": TIMES[1]})
    client.log_text(first.info.run_id, recipe_text(made), RECIPE)
    recipe_of = recipes(client, experiment)
    assert recipe_of(TIMES[0]) == made
    assert recipe_of(TIMES[1]) is None
    assert recipe_of(TIMES[4]) is None


def test_what_mlflow_forgot_stays_unless_told_to_go(folder):
    make(folder, "table", "2026-01-09T00.00.00.000Z", finished=False)
    found = choose(
        versions_in(catalog_of(folder, "table")),
        keep_last=1,
        protected={},
        pinned=(),
        recipe_of=lambda _: None,
        known={*TIMES[2:]},
    )
    assert [each.version.version[9] for each in found if each.goes] == ["3", "4", "9"]
    assert {each.reason for each in found if each.version.version in TIMES[:2]} == {FORGOTTEN}


def test_a_store_that_knows_no_version_prunes_nothing(folder):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("runs", artifact_location=str(folder / "artifacts"))
    server = SimpleNamespace(_mlflow_client=client)
    tracking = SimpleNamespace(experiment=SimpleNamespace(name="runs"))
    context = SimpleNamespace(
        catalog=catalog_of(folder, "table"),
        config_loader={"globals": {}},
        mlflow=SimpleNamespace(server=server, tracking=tracking),
    )
    for forgotten in (False, True):
        with pytest.raises(ValueError, match="MLflow knows the run of none of the versions here"):
            choose_versions(context, 1, forgotten=forgotten)
    # One that was deleted in MLflow is known.
    run = client.create_run(experiment, tags={"kedro_run_id": TIMES[1]})
    client.delete_run(run.info.run_id)
    for forgotten, days in ((False, ["2"]), (True, ["1", "2", "3", "4"])):
        choices = choose_versions(context, 1, forgotten=forgotten)
        assert [each.version.version[9] for each in choices if each.goes] == days
