"""Sheets whose records name their columns: JSON lines, a JSON list, and what has columns."""

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from kd_kedro.curation.records.schema import CONTEXT, SYSTEM
from kd_kedro.datasets.sheets import delimited
from kd_kedro.datasets.sheets.conversation import (
    TOLD,
    Turn,
    find_conversation,
    read_content,
    read_turn,
    without_conversation,
)
from kd_kedro.datasets.sheets.header import (
    Header,
    answer_names,
    column_name,
    find_headers,
    known_pairs,
    known_questions,
    subject_of,
)
from kd_kedro.datasets.sheets.number_format import general, shown
from kd_kedro.datasets.sheets.record import Record, Sheet, check_cell_size

_SPACES = re.compile(r"\s*")
_PASSAGE = ("text", "content", "passage")  # what the text of a retrieved passage is called
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


def tabulate_rows(
    path: Path, rows: Iterable[Mapping[str, Any]], names: Mapping[str, str], notes: Sequence[str]
) -> Sheet:
    """Return the records of a table's rows; `Record.line` counts them from 1.

    Args:
        path: The file or folder they are of.
        rows: Values by column, of at least one row.
        names: The sheet's column name by canonical name.
        notes: What a user should know of how they were read, as sentences.
    """
    keyed = [_Keyed(number, values, "", "") for number, values in enumerate(rows, start=1)]
    return _tabulate(path, "row", keyed, names, notes)


def _lines(text: str) -> Iterator[_Keyed]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.strip():
            yield _parsed(number, line)


def _parsed(number: int, line: str) -> _Keyed:
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return _Keyed(number, {}, f"no JSON: {_told(error)} at column {error.colno}", line)
    except (RecursionError, ValueError) as error:
        return _Keyed(number, {}, f"no JSON that can be read: {error}", line)
    return _object(number, value, line)


def _object(number: int, value: Any, raw: str) -> _Keyed:
    if isinstance(value, dict):
        why = _repeated(map(column_name, value))
        return _Keyed(number, {} if why else value, why, raw)
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
            what = _told(error) if isinstance(error, json.JSONDecodeError) else str(error)
            raise ValueError(
                f"{path}, line {line}: the JSON list is broken in the object that begins there "
                f"({what}); correct it, or give one object a line"
            ) from error
    if rest := text[at + 1 :].strip():
        raise ValueError(f"{path} goes on behind its JSON list with {rest[:40]!r}: remove that")


def _told(error: json.JSONDecodeError) -> str:
    return error.msg.removesuffix(" at")  # some messages end as if the place came next


def _skip(text: str, at: int) -> int:
    return _SPACES.match(text, at).end()  # type: ignore[union-attr]


def _is_object(text: str) -> bool:
    try:
        return isinstance(_DECODER.decode(text), dict)
    except (RecursionError, ValueError):
        return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if why := _repeated(key for key, _ in pairs):
        raise ValueError(why)
    return dict(pairs)


def _repeated(keys: Iterable[str]) -> str:
    """Return which key stands there more than once; '' where none does."""
    repeated = ((key, times) for key, times in Counter(keys).items() if times > 1)
    return next((f"the key {key!r} stands there {times} times" for key, times in repeated), "")


class _Number(str):
    """A number as it is written: 7.0 and 1e5 stay what they are."""

    __slots__ = ()


# NaN is what some writers make of no value.
_DECODER = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=lambda _: None, object_pairs_hook=_unique
)


def _tabulate(
    path: Path,
    unit: str,
    keyed: Sequence[_Keyed],
    names: Mapping[str, str],
    notes: Sequence[str] = (),
) -> Sheet:
    """Return records of equal width below a header of all keys; notes are on how they were read."""
    keyed, shapes, elsewhere = _in_one_shape(keyed, names)
    keys = [key for key in _keys(keyed) if key not in elsewhere]
    records = [Record(0, keys, "", "")]
    readers = {names.get(CONTEXT): _passages}
    for each in keyed:
        texts = [readers.get(key, _to_text)(each.values.get(key)) for key in keys]
        for place, (text, _) in enumerate(texts, start=1):
            check_cell_size(path, each.line, place, text)
        damaged = {place: why for place, (_, why) in enumerate(texts) if why}
        cells = [text for text, _ in texts]
        whole = not each.defect and not damaged and all(cell.strip() for cell in cells)
        raw = "" if whole else _raw(each)
        records.append(Record(each.line, cells, each.defect, raw, damaged))
    return Sheet(str(path), path.name, unit, records, typed=True, notes=[*notes, *shapes])


def _raw(each: _Keyed) -> str:
    """Return a record as it stands in its file; of a Parquet file, as JSON."""
    return each.raw or json.dumps(each.values, ensure_ascii=False, default=str)


def _keys(keyed: Sequence[_Keyed]) -> list[str]:
    return list(dict.fromkeys(key for each in keyed for key in each.values))


def _in_one_shape(
    keyed: Sequence[_Keyed], names: Mapping[str, str]
) -> tuple[Sequence[_Keyed], list[str], set[str]]:
    """Return records with question and answer in the same columns, and notes on what was moved.

    With them come the names that question and answer have in some records alone.

    A record may hold a conversation instead of a question, or the keys of another known pair. What
    it says comes to stand in the columns of the other records; where there are none, under the
    names asked for.
    """
    keyed = [
        each._replace(values={column_name(key): value for key, value in each.values.items()})
        for each in keyed
    ]
    header = _header(keyed, names)
    beside = _beside_an_answer(keyed, header.names)
    own_columns = _columns_of_a_shape(keyed, names)
    elsewhere: set[str] = set()
    kinds: Counter[str] = Counter()
    system = names.get(SYSTEM, TOLD)
    shaped = []
    for each in keyed:
        question = each.values.get(header.names["question"])
        messages = None if each.defect else find_conversation(each.values)
        if each.defect:
            shaped.append(each)
        elif messages is not None and (_is_missing(question) or isinstance(question, list)):
            turn = read_turn(messages)
            shaped.append(_opened(each, turn, header.names, system))
            kinds["conversation"] += 1
            kinds["several"] += turn.turns > 1
            kinds["told"] += bool(turn.system) and turn.turns == 1 and not shaped[-1].defect
        else:
            shaped.append(_renamed(each, header, names, beside, own_columns))
            if shaped[-1] is not each and not shaped[-1].defect:
                elsewhere |= _filled(each.values) - shaped[-1].values.keys()
                kinds["other"] += 1
            kinds["beside"] += messages is not None
    if kinds["conversation"]:
        shaped = [
            each if each.defect else each._replace(values=without_conversation(each.values))
            for each in shaped
        ]
    elsewhere -= {*header.names.values(), header.about}
    return shaped, _notes(kinds, len(keyed)), elsewhere


def _notes(kinds: Mapping[str, int], records: int) -> list[str]:
    notes = []
    if some := kinds["conversation"]:
        which = "" if some == records else f" in {some} of {records} records"
        turns = f", {kinds['several']} of several" if kinds["several"] else ""
        notes.append(f"question and answer are those of conversations of one turn{turns}{which}")
    if kinds["several"]:
        notes.append(
            "of several turns, all that was said before the last answer is the question, as a "
            "transcript (⟦system⟧ … ⟦user⟧ … ⟦assistant⟧ …)"
        )
    if some := kinds["beside"]:
        where = f"in {some} of {records} records"
        notes.append(f"{where} a conversation stands beside a question and is not read")
    if some := kinds["told"]:
        what = "1 system message is" if some == 1 else f"{some} system messages are"
        notes.append(f"{what} no part of the questions")
    if some := kinds["other"]:
        notes.append(f"question and answer have other names in {some} of {records} records")
    return notes


def _header(keyed: Sequence[_Keyed], names: Mapping[str, str]) -> Header:
    """Return the columns of records that are no conversations; the names asked for if none is."""
    keys = _keys(keyed)
    for found in find_headers([Record(0, keys, "", "")], names):
        questions = [each.values.get(found.names["question"]) for each in keyed]
        if not all(_is_missing(each) or isinstance(each, list) for each in questions):
            return found
    return Header(0, dict(names))


def _beside_an_answer(keyed: Sequence[_Keyed], columns: Mapping[str, str]) -> set[str]:
    """Return the keys that stand in a record beside its answer, and so are no other name of it."""
    return {
        key
        for each in keyed
        if not _is_missing(each.values.get(columns["answer"]))
        for key in _filled(each.values)
    }


def _columns_of_a_shape(
    keyed: Sequence[_Keyed], names: Mapping[str, str]
) -> dict[tuple[str, str], set[str]]:
    """Return by the pair of question and answer the keys that all records with it hold.

    Such a key is a column of the sheet, whatever its name, and no second answer.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for each in keyed:
        keys = {key.casefold() for key in each.values}
        for pair in map(_shape, known_pairs(_filled(each.values), names)):
            found[pair] = found.get(pair, keys) & keys
    return found


def _shape(pair: tuple[str, str]) -> tuple[str, str]:
    return pair[0].casefold(), pair[1].casefold()


def _filled(values: Mapping[str, Any]) -> set[str]:
    return {key for key, value in values.items() if value is not None}


def _is_missing(value: Any) -> bool:
    return value is None or not str(value).strip()


def _opened(each: _Keyed, turn: Turn, columns: Mapping[str, str], system: str) -> _Keyed:
    """Return a record with question and answer of its conversation, in the place of the messages.

    What the model was told before a question stands in the column `system`, whatever other records
    hold; before several turns it stands in their transcript.
    """
    values = without_conversation(each.values)
    said = {columns["question"]: turn.question, columns["answer"]: turn.answer}
    told = {system: turn.system} if turn.system else {}
    defect = turn.defect or _overwritten(values, {**said, **told}, "the conversation")
    own = {**said, **told} if turn.turns == 1 else said
    return _Keyed(each.line, {**values, **own}, defect, _raw(each))


def _renamed(
    each: _Keyed,
    header: Header,
    names: Mapping[str, str],
    beside: Collection[str],
    own_columns: Mapping[tuple[str, str], Collection[str]],
) -> _Keyed:
    """Return a record with the known names of its question and answer exchanged for the columns'.

    The text that an instruction is about is put below it, unless it stands in the others' column.
    """
    columns = header.names["question"], header.names["answer"]
    own = {key: value for key, value in each.values.items() if value is not None}
    pair = _own_pair(own, columns, names, beside)
    about = subject_of(pair[0], own, names)
    about = "" if header.about in own else about
    if pair[0] not in own or (pair == columns and not about):
        return _with_one_answer(each, own, pair, names, columns, own_columns)
    question, answer = own.pop(pair[0]), own.pop(pair[1], None)
    below, why = _to_text(own.pop(about, None))
    if why:
        return _set_aside(each, columns, f"column {about}: {why}")
    if below.strip() and not _to_text(question)[1]:
        question = f"{_to_text(question)[0].rstrip()}\n\n{below}"
    said = dict(zip(columns, (question, answer), strict=True))
    if lost := _overwritten(own, said, " and ".join(pair)):
        return _set_aside(each, columns, lost)
    renamed = each._replace(values={**own, **said}, raw=_raw(each))
    return _with_one_answer(renamed, {**own, pair[1]: answer}, pair, names, columns, own_columns)


def _with_one_answer(
    each: _Keyed,
    own: Mapping[str, Any],
    pair: tuple[str, str],
    names: Mapping[str, str],
    columns: tuple[str, str],
    own_columns: Mapping[tuple[str, str], Collection[str]],
) -> _Keyed:
    """Return a record, set aside where another name of an answer has another text there."""
    answer = own.get(pair[1])
    if _is_missing(answer) or _shape(pair) not in own_columns:
        return each
    for key in answer_names(own, names):
        text, damage = _to_text(own[key])
        if (
            key.casefold() not in own_columns[_shape(pair)]
            and not damage
            and text.strip() not in ("", _to_text(answer)[0].strip())
        ):
            why = f"columns {pair[1]} and {key} have each an answer: nobody can tell which counts"
            return _set_aside(each, columns, why)
    return each


def _set_aside(each: _Keyed, columns: Collection[str], why: str) -> _Keyed:
    return each._replace(values=dict.fromkeys(columns), defect=why, raw=_raw(each))


def _own_pair(
    own: Mapping[str, Any],
    columns: tuple[str, str],
    names: Mapping[str, str],
    beside: Collection[str],
) -> tuple[str, str]:
    """Return the names of question and answer in a record; the columns' where it has no others.

    A record without an answer has the name of its question all the same, with any for the answer.
    """
    question, answer = columns
    pairs = known_pairs(own, names)
    if not _is_missing(own.get(question)):
        others = (
            []
            if answer in own
            else [pair for pair in pairs if pair[0] == question and pair[1] not in beside]
        )
    else:
        others = sorted(
            (pair for pair in pairs if pair[0] != question), key=lambda pair: pair[1] != answer
        )
        if not others and _is_missing(own.get(answer)):
            alone = known_questions(own, names)
            others = [(key, "") for key in alone if key not in beside and not _is_missing(own[key])]
    return others[0] if others else columns


def _overwritten(values: Mapping[str, Any], said: Mapping[str, Any], by: str) -> str:
    """Return the defect of a record whose own text stands where another of it would come to."""
    for key, text in said.items():
        if not _is_missing(values.get(key)) and values[key] != text:
            return f"column {key} has a text, and {by} another: nobody can tell which counts"
    return ""


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


def _passages(value: Any) -> tuple[str, str]:
    """Return the text of a context, which may be a list of texts or of objects with one each."""
    if isinstance(value, list):
        texts = [_passage(each) for each in value]
        if None not in texts:
            value = "\n\n".join(text for text in texts if text and text.strip())
    return _to_text(value)


def _passage(value: Any) -> str | None:
    """Return the text of one passage; None where it has none, or more than one."""
    if isinstance(value, dict):
        texts = [value[key] for key in _PASSAGE if value.get(key) is not None]
        value = texts[0] if len(texts) == 1 else None
    return value if isinstance(value, str) and not isinstance(value, _Number) else None


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
