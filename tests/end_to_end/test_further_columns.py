"""A column of facts in the user's sheet, from the sheet to the examples that models learn from."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.end_to_end.harness import ROOT, copy_project, run_commands

FACT = "zxqv"
NAMED = "qa_csv=sheet.csv,columns.context=Document,columns.area=Area,columns.system=Told"
MASK = "preprocessing.personal_data.mask=[email]"
TEMPLATE = "distillation.examples.format=by_area"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with a sheet whose facts stand in a column of their own."""
    folder = copy_project(tmp_path_factory.mktemp("columns"))
    sheet = pd.read_csv(ROOT / "data/01_raw/test_qa.csv", dtype="str", keep_default_na=False)
    facts = [
        f"{FACT} {place} of fact@example.org." if place % 3 else "" for place in range(len(sheet))
    ]
    sheet = sheet.assign(Document=facts, Area=[f"area {place % 7}" for place in range(len(sheet))])
    sheet = sheet.assign(Told="Be brief, says fact@example.org.")
    sheet.to_csv(folder / "sheet.csv", index=False)
    templates = "distillation:\n  examples:\n    templates: {by_area: 'In {area}: {question}'}\n"
    (folder / "conf/local/distillation").mkdir(parents=True)
    (folder / "conf/local/distillation/parameters.yml").write_text(templates)
    return folder


def newest(project: Path, name: str) -> pd.DataFrame:
    path = sorted(project.glob(f"data/test_env/*/{name}.csv/*/{name}.csv"))[-1]
    return pd.read_csv(path, dtype="str", keep_default_na=False)


def test_facts_of_a_column_reach_the_contexts_of_examples_and_no_prompt(project: Path) -> None:
    run = ["run", "--env", "test", "--to-nodes", "choose_examples", "--params"]
    refused, unnamed, done = run_commands(
        project,
        [
            [*run, f"{NAMED},columns.note=Note"],
            [*run, f"qa_csv=sheet.csv,{TEMPLATE}"],
            [*run, f"{NAMED},{MASK},{TEMPLATE}"],
        ],
    )
    assert refused["code"] == 1
    assert "sheet.csv, line 1: there is no column 'Note' (note), only 'Question'" in refused["err"]
    assert unnamed["code"] == 1
    assert "examples.format=by_area has the field area, but no column of the" in unnamed["err"]
    assert len([*project.glob("data/test_env/*/validated_qa.csv/*")]) == 1  # of the last one alone
    assert done["code"] == 0, done["err"][-3000:]
    validated = newest(project, "validated_qa").set_index("row_id")
    examples = newest(project, "training_examples")
    parents = validated.loc[examples["row_id"].str.split("-").str[0]]
    expected = parents["context"].str.replace("fact@example.org", "[EMAIL]")
    assert examples["context"].tolist() == expected.tolist()
    assert {"original", "formal"} <= set(examples["style"])
    assert (examples["context"] == "").any()
    assert examples["context"].str.contains(FACT).any()
    assert examples["area"].tolist() == parents["area"].tolist()
    assert examples["fields"].str.contains('"area": "area ').all()
    assert (examples["system"] == "Be brief, says [EMAIL].").all()
    others = examples.drop(columns="context")
    assert not others.apply(lambda column: column.str.contains(FACT)).to_numpy().any()


def test_what_is_held_out_is_exported_where_it_is_asked_for_alone(project: Path) -> None:
    words = ["export", "augmented_qa", "--env", "test"]
    usual, whole, none = run_commands(
        project,
        [
            [*words, "train.jsonl"],
            [*words, "all.parquet", "--split", "all"],
            ["export", "training_examples", "none.jsonl", "--split", "test", "--env", "test"],
        ],
    )
    counts = newest(project, "augmented_qa")["split"].value_counts()
    out = {name: counts[name] for name in ("validation", "test")}
    assert f"{counts['train']} rows of augmented_qa are in train.jsonl" in usual["out"]
    assert f"(train: {counts['train']}); {sum(out.values())} rows stayed out (" in usual["out"]
    assert all(f"{name}: {count}" in usual["out"] for name, count in out.items())
    rows = [json.loads(line) for line in (project / "train.jsonl").read_text().splitlines()]
    assert {row["split"] for row in rows} == {"train"}
    assert rows[0]["messages"][0] == {"role": "system", "content": "Be brief, says [EMAIL]."}
    assert len(pd.read_parquet(project / "all.parquet")) == counts.sum()
    assert "stayed out" not in whole["out"]
    assert "training_examples has no row of the split test, only of train" in none["err"]
