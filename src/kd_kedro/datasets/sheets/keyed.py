"""Sheets whose records name their columns: JSON lines, a JSON list, and Parquet."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from kd_kedro.datasets.sheets import delimited
from kd_kedro.datasets.sheets.conversation import (
    Turn,
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
    keyed, notes = _in_one_shape(keyed, names)
    keys = _keys(keyed)
    records = [Record(0, keys, "", "")]
    for each in keyed:
        texts = [_to_text(each.values.get(key)) for key in keys]
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
    return list(dict.fromkeys(key for each in keyed for key in each.values))


def _in_one_shape(
    keyed: Sequence[_Keyed], names: Mapping[str, str]
) -> tuple[Sequence[_Keyed], list[str]]:
    """Return records with question and answer in the same columns, and notes on what was moved.

    A record without a question of its own may hold a conversation, or the keys of another known
    pair. What it says comes to stand in the columns of the other records; where there are none,
    under the names asked for.
    """
    keyed = [
        each._replace(values={column_name(key): value for key, value in each.values.items()})
        for each in keyed
    ]
    columns = _columns(keyed, names)
    told = 0
    kinds: Counter[str] = Counter()
    shaped = []
    for each in keyed:
        if each.defect or not _is_missing(each.values.get(columns["question"])):
            shaped.append(each)
        elif (messages := find_conversation(each.values)) is not None:
            turn = read_turn(messages)
            told += bool(turn.system)
            kinds["conversation"] += 1
            shaped.append(_opened(each, turn, columns, names))
        else:
            shaped.append(_renamed(each, columns, names))
            kinds["other"] += shaped[-1] is not each
    if kinds["conversation"]:
        shaped = [each._replace(values=without_conversation(each.values)) for each in shaped]
    return shaped, _notes(kinds, told, len(keyed), names)


def _notes(
    kinds: Mapping[str, int], told: int, records: int, names: Mapping[str, str]
) -> list[str]:
    notes = []
    if some := kinds["conversation"]:
        which = "" if some == records else f" in {some} of {records} records"
        notes.append(f"question and answer are those of conversations of one turn{which}")
    if told:
        kept = f" and stand in {names['remarks']!r}" if "remarks" in names else ""
        notes.append(f"{told} system messages are no part of the questions{kept}")
    if kinds["other"]:
        notes.append(f"question and answer have other names in {kinds['other']} records")
    return notes


def _columns(keyed: Sequence[_Keyed], names: Mapping[str, str]) -> Mapping[str, str]:
    """Return the columns of records that are no conversations; the names asked for if none is."""
    found = find_headers([Record(0, _keys(keyed), "", "")], names)
    flat = found and not all(_is_missing(e.values.get(found[0].names["question"])) for e in keyed)
    return found[0].names if flat else names


def _is_missing(question: Any) -> bool:
    return question is None or isinstance(question, list) or not str(question).strip()


def _opened(
    each: _Keyed, turn: Turn, columns: Mapping[str, str], names: Mapping[str, str]
) -> _Keyed:
    """Return a record with question and answer of its conversation, in the place of the messages.

    What the model was told before stands among the remarks.
    """
    told_first = {names["remarks"]: turn.system} if turn.system and "remarks" in names else {}
    others = without_conversation(each.values)
    said = {columns["question"]: turn.question, columns["answer"]: turn.answer}
    return _Keyed(each.line, {**told_first, **others, **said}, turn.defect, _raw(each))


def _renamed(each: _Keyed, columns: Mapping[str, str], names: Mapping[str, str]) -> _Keyed:
    """Return a record with the known names of its question and answer exchanged for the columns'.

    The text that an instruction is about is put below it.
    """
    own = {key: value for key, value in each.values.items() if value is not None}
    found = find_headers([Record(0, [*own], "", "")], names)
    if not found or found[0].names["question"] == columns["question"]:
        return each
    header = found[0]
    question, answer = (own.pop(header.names[key]) for key in ("question", "answer"))
    below = own.pop(header.about, "") if header.about else ""
    if below and isinstance(question, str) and isinstance(below, str):
        question = f"{question.rstrip()}\n\n{below}"
    values = {**own, columns["question"]: question, columns["answer"]: answer}
    return each._replace(values=values, raw=_raw(each))


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
