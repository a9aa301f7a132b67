"""Sheets in columns: Parquet files, folders of them, and datasets that Hugging Face saved."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from kd_kedro.datasets.sheets.header import column_name
from kd_kedro.datasets.sheets.keyed import tabulate_rows
from kd_kedro.datasets.sheets.record import Sheet

_DEPTHS = ("*", "*/*", "*/*/*")  # a configuration's folder, a split's, a file
_SHARD = re.compile(r"(.+)-\d+-of-\d+(-[0-9a-f]+)?")  # train-00000-of-00002
_PART = re.compile(r"(part-)?\d+(-.+)?")  # 0000, part-00000-…: its folder names the split
_NO_SPLIT = ("", "data")  # names of folders and files that are none of a split


def read_parquet(path: Path, names: Mapping[str, str]) -> Sheet:
    """Return the records of a Parquet file; `Record.line` counts its rows from 1.

    Raises:
        ValueError: The file is no readable Parquet, or has no row.
    """
    return _of_columns(path, names, {path: partial(_parquet, path)}, "Parquet")


def read_folder(path: Path, names: Mapping[str, str], split: str) -> Sheet:
    """Return the records of a folder that Hugging Face `datasets` saved, or of Parquet files.

    Args:
        path: The folder, of one dataset or of several splits.
        names: The sheet's column name by canonical name.
        split: Which split is read; '' where there is one.

    Raises:
        IsADirectoryError: No dataset was saved to the folder, and there is no Parquet file in it.
        ValueError: It has several splits, not the one asked for, files that are damaged, or no row.
    """
    if any((path / name).is_file() for name in ("dataset_dict.json", "state.json")):
        return _read_saved(path, names, split)
    splits: dict[str, list[Path]] = {}
    for file in folder_files(path):
        if file.suffix.lower() == ".parquet":
            splits.setdefault(_split_of(path, file), []).append(file)
    if not splits:
        raise IsADirectoryError(
            f"{path} is a directory that no dataset was saved to, without Parquet files: give the "
            "path of a sheet"
        )
    chosen = _choose(path, splits, split)
    files = splits[chosen]
    tables = {file: partial(_parquet, file) for file in files}
    notes = [f"split {chosen!r} in {len(files)} Parquet file{'s' * (len(files) > 1)}"]
    place = path if len(files) > 1 else files[0]
    return _of_columns(place, names, tables, "Parquet", notes=notes)


def folder_files(path: Path) -> list[Path]:
    """Return the files of a dataset's folder, sorted, but for hidden ones, which are never read."""
    found = (file for depth in _DEPTHS for file in path.glob(depth) if file.is_file())
    return sorted(
        file
        for file in found
        if not any(part.startswith(".") for part in file.relative_to(path).parts)
    )


def _split_of(path: Path, file: Path) -> str:
    """Return the split of a Parquet file in a folder, its configuration before it."""
    shard = _SHARD.fullmatch(file.stem)
    name = shard[1] if shard else "" if _PART.fullmatch(file.stem) else file.stem
    parts = [*file.relative_to(path).parent.parts, name]
    return "/".join(dict.fromkeys(each for each in parts if each not in _NO_SPLIT)) or path.name


def _choose(path: Path, splits: Iterable[str], split: str) -> str:
    """Return the split that is read: the one asked for, or the only one."""
    found = sorted(splits)
    if not split and len(found) > 1:
        raise ValueError(f"{path} has the splits {', '.join(found)}: name one as qa_sheet")
    if split and split not in found:
        raise ValueError(f"{path} has no split {split!r}, only {', '.join(found)}")
    return split or found[0]


def _read_saved(path: Path, names: Mapping[str, str], split: str) -> Sheet:
    folder = path
    if (path / "dataset_dict.json").is_file():
        splits = _listed(path / "dataset_dict.json", "splits", str)
        folder = path / _choose(path, splits, split)
    elif split:
        raise ValueError(f"qa_sheet is {split!r}, but {path} has no splits: leave qa_sheet empty")
    files = [
        folder / name
        for name in _listed(folder / "state.json", "_data_files", itemgetter("filename"))
    ]
    info = folder / "dataset_info.json"
    features = _json(info).get("features") if info.is_file() else None
    tables = {file: partial(_arrow, file) for file in files}
    return _of_columns(folder, names, tables, "an Arrow stream", _class_names(features))


def _json(file: Path) -> dict[str, Any]:
    """Return what a file says of a dataset."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{file} cannot be read as JSON ({type(error).__name__}): save the dataset again"
        ) from error
    return found if isinstance(found, dict) else {}


def _listed(file: Path, key: str, read: Callable[[Any], str]) -> list[str]:
    """Return the names that a file of a dataset lists under a key."""
    found = _json(file).get(key)
    try:
        listed = [str(read(each)) for each in found or ()]
    except (KeyError, TypeError):
        listed = []
    if not listed:
        raise ValueError(f"{file} lists no {key.strip('_')}: save the dataset again, with rows")
    return listed


def _arrow(path: Path) -> Any:
    from pyarrow import ipc

    with path.open("rb") as file:
        return ipc.open_stream(file).read_all()


def _parquet(path: Path) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(path).read()


def _of_columns(
    path: Path,
    names: Mapping[str, str],
    tables: Mapping[Path, Callable[[], Any]],
    kind: str,
    classes: Mapping[str, Sequence[str]] | None = None,
    notes: Sequence[str] = (),
) -> Sheet:
    """Return the records of tables of one sheet, each with what reads it by its file.

    `classes` are names of classes by column; a table that says itself which it has may do without.
    """
    rows: list[dict[str, Any]] = []
    named: dict[str, None] = {}
    for file, read in tables.items():
        found, own_classes = _rows(file, read, kind)
        for column, its in {**own_classes, **(classes or {})}.items():
            if _name_classes(file, found, column, its):
                named[column] = None
        rows += found
    if not rows:
        raise ValueError(f"{path} has columns and no rows: add rows")
    if named:
        shown = ", ".join(map(repr, named))
        notes = [*notes, f"of {shown} the names of classes are read, not their numbers"]
    return tabulate_rows(path, rows, names, notes)


def _rows(
    file: Path, read: Callable[[], Any], kind: str
) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Return the rows of a table, and the names of classes by column that it brings."""
    try:
        table = read()
        rows = _widened(table).to_pylist()
    # Damaged files fail in pyarrow with errors of many kinds.
    except Exception as error:
        raise ValueError(
            f"{file} cannot be read as {kind} ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:80]}): write it again"
        ) from error
    for name, times in Counter(map(column_name, table.column_names)).items():
        if times > 1:
            raise ValueError(
                f"{file}: column {name!r} stands there {times} times; rename or remove one"
            )
    return rows, _own_classes(table)


def _own_classes(table: Any) -> dict[str, list[str]]:
    """Return the names of classes by column, where Hugging Face `datasets` wrote a table."""
    try:
        return _class_names(json.loads(table.schema.metadata[b"huggingface"])["info"]["features"])
    except (KeyError, TypeError, ValueError):  # others say nothing, or something else
        return {}


def _class_names(features: Any) -> dict[str, list[str]]:
    """Return the names of classes by column from the features of a dataset, as JSON has them."""
    return {
        column: feature["names"]
        for column, feature in (features.items() if isinstance(features, dict) else ())
        if isinstance(feature, dict)
        and feature.get("_type") == "ClassLabel"
        and isinstance(feature.get("names"), list)
    }


def _name_classes(
    file: Path, rows: Sequence[dict[str, Any]], column: str, classes: Sequence[str]
) -> bool:
    """Write the names of classes in place of their numbers; below 0 there is none.

    Returns:
        Whether a row has a number of a class there.
    """
    found = False
    for number, row in enumerate(rows, start=1):
        value = row.get(column)
        if not isinstance(value, int):
            continue
        if value >= len(classes):
            raise ValueError(
                f"{file}, row {number}: column {column!r} is class {value}, but only "
                f"{len(classes)} have names; write the file again"
            )
        row[column], found = classes[value] if value >= 0 else None, True
    return found


def _widened(table: Any) -> Any:
    """Return a table whose numbers of 32 bits have the digits they were written with."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_float32(field.type) or pa.types.is_float16(field.type):
            digits = [
                None if value is None else float(str(value))
                for value in table.column(place).to_numpy()
            ]
            table = table.set_column(place, field.name, pa.array(digits, pa.float64()))
    return table
