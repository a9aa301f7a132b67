"""Sheets whose records name their columns: JSON lines, a JSON list, and Parquet."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from kd_kedro.datasets.sheets import delimited
from kd_kedro.datasets.sheets.conversation import (
    find_conversation,
    read_content,
    read_turn,
    without_conversation,
)
from kd_kedro.datasets.sheets.header import column_name, find_headers
from kd_kedro.datasets.sheets.number_format import general, shown
from kd_kedro.datasets.sheets.record import Record, Sheet, check_cell_size

_SPACES = re.compile(r"\s*")
_MOMENTS = (date, time, timedelta)


class _Keyed(NamedTuple):
    line: int
    values: Mapping[str, Any]
    defect: str
    raw: str


def read_json(path: Path, names: Mapping[str, str]) -> Sheet:
    """Return the records of a file of JSON lines, or of one JSON list of objects.

    A line that is no JSON object is a record with a defect. Numbers stay as they are written.

    Args:
        path: The file, UTF-8 with or without byte order mark.
        names: The sheet's column name by canonical name.

    Raises:
        ValueError: The file is empty, not UTF-8, a list that is broken, or has no object at all.
    """
    text = delimited.read_text(path)
    if text.lstrip().startswith("["):
        keyed = list(_listed(path, text))
    else:
        keyed = list(_lines(text))
        if len(keyed) > 1 and all(each.defect for each in keyed) and _is_object(text):
            raise ValueError(
                f"{path} is one JSON object over {len(keyed)} lines: give a list of objects "
                "([{…}, …]), or one object a line"
            )
    if all(each.defect for each in keyed):
        first = f", line {keyed[0].line}: {keyed[0].defect}" if keyed else " is an empty list"
        raise ValueError(f"{path}{first}; give one JSON object a line, with its columns as keys")
    return _tabulate(path, "line", keyed, names)


def read_parquet(path: Path, names: Mapping[str, str]) -> Sheet:
    """Return the records of a Parquet file; `Record.line` counts its rows from 1.

    Raises:
        ValueError: The file is no readable Parquet, or has no row.
    """
    from pyarrow import parquet

    try:
        read = parquet.ParquetFile(path).read()
        rows = _widened(read).to_pylist()
    # Damaged files fail in pyarrow with errors of many kinds.
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as Parquet ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:80]}): write it again"
        ) from error
    if not rows:
        raise ValueError(f"{path} has columns and no rows: add rows")
    for name in read.column_names:
        if (times := read.column_names.count(name)) > 1:
            raise ValueError(
                f"{path}: column {name!r} stands there {times} times; rename or remove one"
            )
    keyed = [_Keyed(number, values, "", "") for number, values in enumerate(rows, start=1)]
    return _tabulate(path, "row", keyed, names)


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


def _lines(text: str) -> Iterator[_Keyed]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.strip():
            yield _parsed(number, line)


def _parsed(number: int, line: str) -> _Keyed:
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return _Keyed(number, {}, f"no JSON: {error.msg} at column {error.colno}", line)
    except (RecursionError, ValueError) as error:
        return _Keyed(number, {}, f"no JSON that can be read: {error}", line)
    return _object(number, value, line)


def _object(number: int, value: Any, raw: str) -> _Keyed:
    if isinstance(value, dict):
        return _Keyed(number, value, "", raw)
    return _Keyed(
        number, {}, f"the JSON is {_kind(value)}, not an object with columns as keys", raw
    )


def _listed(path: Path, text: str) -> Iterator[_Keyed]:
    """Yield the objects of a JSON list, each with the line where it starts."""
    at, line, counted = _skip(text, text.index("[") + 1), 1, 0
    while not text.startswith("]", at):
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = _DECODER.raw_decode(text, at)
            yield _object(line, value, text[at:end])
            at = _skip(text, end)
            if text.startswith(",", at):
                at = _skip(text, at + 1)
            elif not text.startswith("]", at):
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        except (RecursionError, ValueError) as error:
            what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise ValueError(
                f"{path}, line {line}: the JSON list is broken in the object that begins there "
                f"({what}); correct it, or give one object a line"
            ) from error
    if rest := text[at + 1 :].strip():
        raise ValueError(f"{path} goes on behind its JSON list with {rest[:40]!r}: remove that")


def _skip(text: str, at: int) -> int:
    return _SPACES.match(text, at).end()  # type: ignore[union-attr]


def _is_object(text: str) -> bool:
    try:
        return isinstance(_DECODER.decode(text), dict)
    except (RecursionError, ValueError):
        return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"the key {key!r} stands there {keys.count(key)} times")
    return dict(pairs)


# Numbers as text: 7.0 and 1e5 stay what they are. NaN is what some writers make of no value.
_DECODER = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=lambda _: None, object_pairs_hook=_unique
)


def _tabulate(path: Path, unit: str, keyed: Sequence[_Keyed], names: Mapping[str, str]) -> Sheet:
    """Return records of equal width below a header of all keys."""
    notes = []
    if _holds_conversations(keyed, names):
        keyed, told = _opened(keyed, names)
        notes.append("question and answer are those of conversations of one turn")
        if told:
            kept = f" and stand in {names['remarks']!r}" if "remarks" in names else ""
            notes.append(f"{told} system messages are no part of the questions{kept}")
    keys = _keys(keyed)
    records = [Record(0, keys, "", "")]
    for each in keyed:
        values = {column_name(key): value for key, value in each.values.items()}
        texts = [_to_text(values.get(key)) for key in keys]
        for place, (text, _) in enumerate(texts, start=1):
            check_cell_size(path, each.line, place, text)
        damaged = {place: why for place, (_, why) in enumerate(texts) if why}
        cells = [text for text, _ in texts]
        raw = _raw(each) if each.defect or damaged else ""
        records.append(Record(each.line, cells, each.defect, raw, damaged))
    return Sheet(str(path), path.name, unit, records, typed=True, notes=notes)


def _raw(each: _Keyed) -> str:
    """Return a record as it stands in its file; of a Parquet file, as JSON."""
    return each.raw or json.dumps(each.values, ensure_ascii=False, default=str)


def _keys(keyed: Sequence[_Keyed]) -> list[str]:
    return list(dict.fromkeys(column_name(key) for each in keyed for key in each.values))


def _holds_conversations(keyed: Sequence[_Keyed], names: Mapping[str, str]) -> bool:
    """Return whether question and answer are in conversations, not in columns of their own."""
    first = next((each.values for each in keyed if find_conversation(each.values)), None)
    if first is None:
        return False
    columns = find_headers([Record(0, _keys(keyed), "", "")], names)
    return not columns or isinstance(first.get(columns[0].names["question"]), list)


def _opened(keyed: Sequence[_Keyed], names: Mapping[str, str]) -> tuple[list[_Keyed], int]:
    """Return records with question and answer of their conversations, and how many told a system.

    They stand under the names asked for, in the place of the messages.
    """
    opened, told = [], 0
    for each in keyed:
        messages = find_conversation(each.values)
        others = without_conversation(each.values)
        if each.defect or messages is None:
            opened.append(each._replace(values=others, raw=_raw(each)))
            continue
        turn = read_turn(messages)
        told += bool(turn.system)
        told_first = {names["remarks"]: turn.system} if turn.system and "remarks" in names else {}
        values = {names["question"]: turn.question, names["answer"]: turn.answer}
        opened.append(
            _Keyed(each.line, {**told_first, **others, **values}, turn.defect, _raw(each))
        )
    return opened, told


def _to_text(value: Any) -> tuple[str, str]:
    """Return the text of a value, and why nobody can tell what it says."""
    if isinstance(value, list | dict):
        return _of_parts(value)
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return "", "the value is bytes that are no UTF-8 text"
    text = value if isinstance(value, str) else _written(value)
    if "\0" in text:
        return "", "the text holds a NUL character"
    if any("\ud800" <= char <= "\udfff" for char in text):
        return "", "the text holds half a character (a surrogate without its other half)"
    return text, ""


def _written(value: Any) -> str:
    """Return a value that is no text as it is written; none and NaN as ''."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return general(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return shown(value, "General") if isinstance(value, _MOMENTS) else str(value)


def _of_parts(value: Any) -> tuple[str, str]:
    """Return the text of a content in parts; a list of anything else is no text."""
    parts = isinstance(value, list) and all(isinstance(e, dict) and "type" in e for e in value)
    text, other = read_content(value) if value and parts else ("", "another kind")
    return (text, "") if not other else ("", f"the value is {_kind(value)}, not a text")


def _kind(value: Any) -> str:
    names = {list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), "a single value")
