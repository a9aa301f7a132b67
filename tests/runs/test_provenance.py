"""What an artifact was made from is written beside it, and a stale one is named."""

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

from kd_kedro.datasets.qa_sheet import QASheetDataset
from kd_kedro.runs.provenance import (
    check_fresh,
    check_readable,
    expected_provenance,
    source_hashes,
    version_folder,
    write_provenance,
)


def clean(raw: str, size: int) -> str:
    return raw[:size]


def judge(cleaned: str, margin: float) -> str:
    return f"{cleaned}{margin}"


PIPELINE = Pipeline(
    [
        node(clean, ["raw", "params:clean.size"], "cleaned", name="clean"),
        node(judge, ["cleaned", "params:judge"], "verdict", name="judge"),
    ]
)
MADE_BY = {"cleaned": "curation", "verdict": "evaluation"}


def build(
    folder: Path, size: int = 3, version: str = "2026-01-01T00.00.00.000Z", loaded: str = ""
) -> DataCatalog:
    entries = {
        name: {"type": "text.TextDataset", "filepath": str(folder / name), "versioned": True}
        for name in MADE_BY
    }
    raw = {"type": "text.TextDataset", "filepath": str(folder / "raw.txt")}
    catalog = DataCatalog.from_config(
        {"raw": raw, **entries},
        save_version=version,
        load_versions={"cleaned": loaded} if loaded else None,
    )
    catalog["params:clean.size"], catalog["params:judge"] = size, {"margin": 0.5}
    return catalog


def sources(catalog: DataCatalog) -> dict[str, str]:
    return source_hashes(["raw", "params:judge"], catalog, {"raw": {"type": "text.TextDataset"}})


def make(catalog: DataCatalog) -> None:
    catalog.save("cleaned", "abc")
    folder = version_folder(catalog, "cleaned", "save")
    assert folder is not None
    write_provenance(
        folder, expected_provenance("cleaned", PIPELINE, catalog, sources(catalog), {})
    )


def check(catalog: DataCatalog, pinned: tuple[str, ...] = ()) -> None:
    check_fresh(["cleaned", "raw"], PIPELINE, catalog, sources(catalog), pinned, MADE_BY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "raw.txt").write_text("abcdef")
    return tmp_path


def test_a_fresh_artifact_passes(folder: Path) -> None:
    make(build(folder))
    check(build(folder))


def test_what_was_never_made_names_the_command(folder: Path) -> None:
    missing = r"there is no cleaned \(\S*/cleaned is missing\): run `kedro run --pipelines"
    with pytest.raises(ValueError, match=missing):
        check(build(folder))
    (folder / "cleaned").mkdir()
    with pytest.raises(ValueError, match=r"/cleaned has no version\): run"):
        check(build(folder))


def test_what_is_to_be_run_first_is_run_in_the_same_environment(folder: Path) -> None:
    catalog = build(folder)
    with pytest.raises(ValueError, match="run `kedro run --pipelines curation --env gpt2,server`"):
        check_fresh(
            ["cleaned"], PIPELINE, catalog, sources(catalog), (), MADE_BY, env="gpt2,server"
        )


def test_all_that_has_to_run_first_is_named_in_one_command(folder: Path) -> None:
    def told(catalog: DataCatalog) -> str:
        with pytest.raises(ValueError, match="first") as found:
            check_fresh(["verdict"], PIPELINE, catalog, sources(catalog), (), MADE_BY)
        return str(found.value)

    make(build(folder))
    assert "run `kedro run --pipelines evaluation` first" in told(build(folder))
    judged = build(folder, size=4)  # what evaluation reads is stale
    assert "run `kedro run --pipelines curation,evaluation` first" in told(judged)
    judged.save("verdict", "abc0.5")
    place = version_folder(judged, "verdict", "save")
    assert place is not None
    made_from = expected_provenance("verdict", PIPELINE, judged, sources(judged), {})
    write_provenance(place, made_from)
    stale = told(build(folder, size=5))
    assert "parameter clean.size was 4 and is 5 now" in stale
    assert "run `kedro run --pipelines curation,evaluation` first, with the same --params" in stale


def test_a_damaged_table_is_named_before_it_is_used(folder: Path) -> None:
    entry = {
        "type": "pandas.CSVDataset",
        "filepath": str(folder / "rows.csv"),
        "versioned": True,
        "validator": "kd_kedro.datasets.tables.row_waterfall",
    }
    catalog = DataCatalog.from_config({"rows": entry}, save_version="2026-01-01T00.00.00.000Z")
    counts = dict.fromkeys(["in", "created", "out", "dropped", "quarantined"], "0")
    catalog.save("rows", pd.DataFrame([{"stage": "soap", **counts}]))
    check_readable(["rows"], catalog, {"rows": "augmentation"})
    path = next(folder.rglob("rows.csv/*/rows.csv"))
    path.write_text(path.read_text().replace("created", "creat"))
    said = r"^rows is damaged: column created is missing.* in .*; run `kedro run --pipelines augmen"
    with pytest.raises(ValueError, match=said):
        check_readable(["rows"], catalog, {"rows": "augmentation"})


def test_another_parameter_makes_it_stale(folder: Path) -> None:
    make(build(folder))
    with pytest.raises(ValueError, match=r"stale: parameter clean\.size was 3 and is 4 now"):
        check(build(folder, size=4))


def test_another_raw_file_makes_it_stale(folder: Path) -> None:
    make(build(folder))
    (folder / "raw.txt").write_text("abcdeg")
    with pytest.raises(ValueError, match=r"stale: source raw was 'raw\.txt, hash \w+' and is"):
        check(build(folder))


def test_a_dataset_folder_is_all_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "sheet" / "train").mkdir(parents=True)
    rows, entry = tmp_path / "sheet/train/data.arrow", {"filepath": str(tmp_path / "sheet")}

    def now() -> str:
        catalog = DataCatalog({"raw": QASheetDataset(**entry)})
        return source_hashes(["raw"], catalog, {"raw": entry})["raw"]

    rows.write_bytes(b"one")
    before = now()
    rows.write_bytes(b"two")
    changed = now()
    rows.rename(tmp_path / "sheet/data.arrow")
    assert before.startswith("sheet, hash ")
    assert len({before, changed, now()}) == 3


def test_of_a_raw_file_that_is_gone_no_run_is_told_that_could_not_read_it(folder: Path) -> None:
    make(build(folder))
    (folder / "raw.txt").unlink()
    with pytest.raises(ValueError, match=r"is 'raw\.txt, absent' now; bring the file back"):
        check(build(folder))


def test_of_a_version_that_is_not_there_the_others_are_named(folder: Path) -> None:
    make(build(folder))
    with pytest.raises(ValueError, match=r"no such version of cleaned .*: there are 2026-01-01T00"):
        check(build(folder, loaded="2021-01-01T00.00.00.000Z"), pinned=("cleaned",))


def test_a_pinned_version_is_the_users_choice(folder: Path) -> None:
    make(build(folder))
    check(build(folder, size=4), pinned=("cleaned",))


def test_a_version_without_provenance_was_never_finished(folder: Path) -> None:
    build(folder).save("cleaned", "abc")
    with pytest.raises(ValueError, match="never finished: delete"):
        check(build(folder))


def test_a_later_stage_inherits_what_an_earlier_one_was_made_from(folder: Path) -> None:
    catalog = build(folder)
    whole = expected_provenance("verdict", PIPELINE, catalog, sources(catalog), {})
    assert whole["parameters"] == {"clean.size": 3, "judge.margin": 0.5}
    alone = expected_provenance(
        "verdict",
        PIPELINE.from_nodes("judge"),
        catalog,
        {},
        {"cleaned": expected_provenance("cleaned", PIPELINE, catalog, sources(catalog), {})},
    )
    assert alone == whole


def test_how_a_training_runs_makes_nothing_stale(folder: Path) -> None:
    catalog = build(folder)
    for processes in (1, 2):
        catalog["params:judge"] = {"training": {"epochs": 0.5, "num_processes": processes}}
        whole = expected_provenance(
            "verdict",
            PIPELINE,
            catalog,
            sources(catalog),
            {},
            operational={"judge.training.num_processes"},
        )
        assert whole["parameters"] == {"clean.size": 3, "judge.training.epochs": 0.5}
