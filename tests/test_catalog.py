"""The catalog keeps its promises: versions, layers, and tables that come back as they went."""

from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.framework.project import settings as project
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog

from kd_kedro.datasets.optional import OptionalTableDataset
from kd_kedro.pipeline_registry import register_pipelines
from kd_kedro.runs.pipeline_packages import catalog_keys
from kd_kedro.runs.product_metadata import ProductMetadata

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def entries() -> dict[str, Any]:
    bootstrap_project(ROOT)
    loader = project.CONFIG_LOADER_CLASS(
        conf_source=str(ROOT / "conf"),
        **{**project.CONFIG_LOADER_ARGS, "default_run_env": "base"},
    )
    written = {name: entry for name, entry in loader["catalog"].items() if name[0] != "_"}
    assert len(written) <= 60
    resolver = DataCatalog.from_config(written).config_resolver
    made = {name for part in register_pipelines().values() for name in part.datasets()}
    resolved = {
        name: resolver.resolve_pattern(name)
        for name in made - written.keys()
        if not name.startswith("params:")
    }
    assert [name for name, entry in resolved.items() if not entry] == []
    return {name: entry for name, entry in written.items() if "{" not in name} | resolved


def tables(entries: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in entries.items():
        if entry["type"] == "pandas.CSVDataset":
            yield name, entry


def test_every_entry_but_events_facts_and_the_run_has_a_layer(entries: dict[str, Any]) -> None:
    without = {n for n, e in entries.items() if not e["metadata"]["kedro-viz"].get("layer")}
    told = {name for name in entries if name.endswith(("_events", "_facts"))}
    assert without == told | {"run_identity"}


def test_what_runs_are_told_of_a_product_is_known(entries: dict[str, Any]) -> None:
    said = {
        name: ProductMetadata.model_validate(entry["metadata"]["runs"])
        for name, entry in entries.items()
        if "runs" in entry["metadata"]
    }
    # What `kedro compare` and `kedro runs` read of runs whose versions were pruned.
    assert {name for name, each in said.items() if each.kept} == {
        "row_waterfall",
        "validation_results",
        "verdict",
    }
    assert {name for name in entries if name.endswith("_history")} == {
        name for name, each in said.items() if each.history
    }


def test_layers_close_no_circle(entries: dict[str, Any]) -> None:
    def layer(name: str) -> str | None:
        return entries[name]["metadata"]["kedro-viz"].get("layer") if name in entries else None

    before: dict[str | None, set[str | None]] = {}
    for part in register_pipelines().values():
        for node in part.nodes:
            for name in node.outputs:
                before.setdefault(layer(name), set()).update(map(layer, node.inputs))
    order = [
        *TopologicalSorter({to: own - {None, to} for to, own in before.items()}).static_order()
    ]
    assert order.index("models") < order.index("model_output") < order.index("reporting")


@pytest.mark.parametrize(
    ("key", "name"),
    [("qa_csv", "raw_qa"), ("mended_csv", "mended_qa"), ("truth_csv", "final_qa_truth")],
)
def test_a_file_named_in_params_is_the_one_that_is_read(key: str, name: str) -> None:
    bootstrap_project(ROOT)
    loader = project.CONFIG_LOADER_CLASS(
        conf_source=str(ROOT / "conf"),
        runtime_params={key: "mine.csv"},
        **{**project.CONFIG_LOADER_ARGS, "default_run_env": "base"},
    )
    assert key in catalog_keys()
    assert loader["catalog"][name]["filepath"] == "mine.csv"


def test_a_mended_copy_has_the_columns_of_the_sheet() -> None:
    bootstrap_project(ROOT)
    loader = project.CONFIG_LOADER_CLASS(
        conf_source=str(ROOT / "conf"),
        runtime_params={"columns": {"context": "Document", "answer": "Antwort"}},
        **{**project.CONFIG_LOADER_ARGS, "default_run_env": "base"},
    )
    sheet, copy = (loader["catalog"][name]["columns"] for name in ("raw_qa", "mended_qa"))
    assert sheet == copy
    assert (sheet["context"], sheet["answer"], sheet["question"]) == (
        "Document",
        "Antwort",
        "Question",
    )


def test_everything_but_raw_files_and_back_ends_is_versioned(entries: dict[str, Any]) -> None:
    places = {"training_work_dir", "target_store", "study_storage"}
    places |= {"sentence_embedder", "text_generator"}
    raw = {n for n, e in entries.items() if e["metadata"]["kedro-viz"].get("layer") == "raw"}
    unversioned = {name for name, entry in entries.items() if not entry.get("versioned")}
    assert unversioned == raw | places


def test_every_table_is_read_as_text_and_written_with_quotes(entries: dict[str, Any]) -> None:
    for name, entry in tables(entries):
        assert entry["load_args"] == {"dtype": "str", "keep_default_na": False, "na_filter": False}
        assert entry["save_args"]["quoting"] == 1, name


# Lone surrogates are not text; everything else is, carriage returns and NUL included.
cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells), max_size=6))
def test_a_table_comes_back_as_it_went(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, Any], rows: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    entry = {**entries["validated_qa"], "filepath": str(folder / "table.csv"), "versioned": False}
    entry = {key: value for key, value in entry.items() if key != "validator"}  # any columns
    catalog = DataCatalog.from_config({"table": entry})
    table = pd.DataFrame(rows, columns=["question", "answer"], dtype="str")
    catalog.save("table", table)
    assert catalog.load("table").to_numpy().tolist() == table.to_numpy().tolist()


def test_an_absent_optional_table_is_empty(tmp_path: Path) -> None:
    assert OptionalTableDataset(filepath=str(tmp_path / "absent.csv")).load().empty
