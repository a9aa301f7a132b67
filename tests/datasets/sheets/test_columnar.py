"""Parquet files, folders of them and saved datasets as sheets."""

import json
import logging

import datasets
import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from kd_kedro.datasets.qa_sheet import QASheetDataset
from tests.datasets.sheets.sheet_files import load, pairs, sentence

COLUMNS = {"question": "question", "answer": "answer"}
LABELLED = datasets.Dataset.from_dict(
    {"question": ["q1", "q2", "q3", "q4"], "answer": [1, 0, -1, None]},
    features=datasets.Features(
        {"question": datasets.Value("string"), "answer": datasets.ClassLabel(names=["no", "yes"])}
    ),
)


def _shard(path, *answers):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"question": [f"of {each}" for each in answers], "answer": list(answers)})
    parquet.write_table(table, path)


def _answers(folder, split=None):
    return load(str(folder), columns=COLUMNS, sheet=split)["answer"].tolist()


def _saved(folder):
    LABELLED.save_to_disk(str(folder / "sheet"))
    return folder / "sheet"


def _described(folder):
    """A dataset whose tables say nothing of features, as other programs write them."""
    sheet = _saved(folder)
    file = next(sheet.glob("*.arrow"))
    table = LABELLED.data.table.replace_schema_metadata(None)
    with ipc.new_stream(str(file), table.schema) as stream:
        stream.write_table(table)
    return sheet


def _parquet(folder):
    LABELLED.to_parquet(folder / "sheet.parquet")
    return folder / "sheet.parquet"


def _snapshot(folder):
    (folder / "sheet").mkdir()
    LABELLED.to_parquet(folder / "sheet" / "train-00000-of-00001.parquet")
    return folder / "sheet"


@pytest.mark.parametrize("made", [_saved, _described, _parquet, _snapshot])
def test_classes_are_read_by_their_names(tmp_path, caplog, made):
    with caplog.at_level(logging.INFO):
        rows = load(str(made(tmp_path)), columns=COLUMNS)
    assert pairs(rows) == [["q1", "yes"], ["q2", "no"], ["q3", ""], ["q4", ""]]
    assert "of 'answer' the names of classes are read, not their numbers" in caplog.text


def test_a_class_without_a_name_is_refused(tmp_path):
    features = {"answer": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    said = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"question": ["q", "r"], "answer": [1, 2]}).replace_schema_metadata(said)
    parquet.write_table(table, tmp_path / "sheet.parquet")
    said = sentence(str(tmp_path / "sheet.parquet"), columns=COLUMNS)
    assert "sheet.parquet, row 2: column 'answer' is class 2, but only 2 have names" in said


def test_columns_whose_names_differ_by_spaces_are_one_that_stands_twice(tmp_path):
    table = pa.table({"question": ["q"], "answer": ["a"], "answer ": ["b"]})
    parquet.write_table(table, tmp_path / "sheet.parquet")
    said = sentence(str(tmp_path / "sheet.parquet"), columns=COLUMNS)
    assert "column 'answer' stands there 2 times" in said


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        (["data/train-00000-of-00002", "data/train-00001-of-00002", "data/test-00000-of-00001"],
         {"train": ["0", "1"], "test": ["2"]}),
        (["train-00000-of-00001-a09b74b3ef9c3b56", "test-00000-of-00001-0f"],
         {"train": ["0"], "test": ["1"]}),
        (["train", "test"], {"train": ["0"], "test": ["1"]}),
        (["train/0000", "train/0001", "test/part-00000-5e3f.c000.snappy"],
         {"train": ["0", "1"], "test": ["2"]}),
        (["main/train-00000-of-00001", "socratic/train-00000-of-00001"],
         {"main/train": ["0"], "socratic/train": ["1"]}),
        (["default/train/0000", "default/test/0000"],
         {"default/train": ["0"], "default/test": ["1"]}),
    ],
)  # fmt: skip
def test_parquet_files_of_a_folder_are_one_sheet_a_split(tmp_path, caplog, files, splits):
    for number, name in enumerate(files):
        _shard(tmp_path / f"{name}.parquet", str(number))
    (tmp_path / "train.jsonl").write_text("{}\n")
    said = sentence(str(tmp_path), columns=COLUMNS)
    assert said.endswith(f"has the splits {', '.join(sorted(splits))}: name one as qa_sheet")
    for split, answers in splits.items():
        assert _answers(tmp_path, split) == answers
    assert f"has no split 'dev', only {', '.join(sorted(splits))}" in sentence(
        str(tmp_path), columns=COLUMNS, sheet="dev"
    )


@pytest.mark.parametrize("names", [["data/train-00000-of-00001"], ["0000", "0001"], ["qa"]])
def test_the_only_split_of_a_folder_needs_no_name(tmp_path, caplog, names):
    caplog.set_level(logging.INFO)
    for name in names:
        _shard(tmp_path / f"{name}.parquet", "1", "2")
    assert _answers(tmp_path) == ["1", "2"] * len(names)
    assert f"in {len(names)} Parquet file" in caplog.text


def test_a_damaged_shard_is_named(tmp_path):
    _shard(tmp_path / "train-00000-of-00002.parquet", "1")
    (tmp_path / "train-00001-of-00002.parquet").write_bytes(b"PAR1")
    said = sentence(str(tmp_path), columns=COLUMNS)
    assert "train-00001-of-00002.parquet cannot be read as Parquet" in said


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("dataset_dict.json", '{"splits": []}', "dataset_dict.json lists no splits: save the"),
        ("dataset_dict.json", "{}", "dataset_dict.json lists no splits: save the dataset again"),
        ("dataset_dict.json", "", "dataset_dict.json cannot be read as JSON (JSONDecodeError)"),
        ("train/state.json", None, "train/state.json cannot be read as JSON (FileNotFoundError)"),
        ("train/state.json", "", "train/state.json cannot be read as JSON (JSONDecodeError)"),
        ("train/state.json", "[1]", "train/state.json lists no data_files: save the dataset"),
        ("train/state.json", "{}", "train/state.json lists no data_files: save the dataset again"),
        ("train/state.json", '{"_data_files": [1]}', "train/state.json lists no data_files"),
        ("train/state.json", '{"_data_files": 7}', "train/state.json lists no data_files"),
        ("train/state.json", '{"_data_files": [{"filename": "x.arrow"}]}',
         "train/x.arrow cannot be read as an Arrow stream (FileNotFoundError"),
        ("train/dataset_info.json", "{", "train/dataset_info.json cannot be read as JSON"),
    ],
)  # fmt: skip
def test_a_damaged_dataset_is_refused_with_the_file(tmp_path, file, text, said):
    datasets.DatasetDict({"train": LABELLED}).save_to_disk(str(tmp_path / "sheet"))
    damaged = tmp_path / "sheet" / file
    if text is None:
        damaged.unlink()
    else:
        damaged.write_text(text)
    assert f"{tmp_path}/sheet/{said}" in sentence(str(tmp_path / "sheet"), columns=COLUMNS)


def test_a_folder_is_all_of_its_files_but_for_hidden_ones(tmp_path):
    sheet = tmp_path / "sheet"
    elsewhere = tmp_path / "elsewhere"
    _shard(elsewhere / "train" / "0000.parquet", "1")
    _shard(sheet / "data" / "test-00000-of-00001.parquet", "2")
    _shard(sheet / ".cache" / "train.parquet", "3")
    (sheet / "train").symlink_to(elsewhere / "train")
    (sheet / "README.md").write_text("x")
    files = QASheetDataset(str(sheet), COLUMNS).files
    assert [str(each.relative_to(sheet)) for each in files] == [
        "README.md",
        "data/test-00000-of-00001.parquet",
        "train/0000.parquet",
    ]
    assert _answers(sheet, "train") == ["1"]
