"""What a user reads of an error: one sentence, the innermost cause."""

import re
import sqlite3
from collections.abc import Iterator

import click
from kedro.io import DatasetError
from kedro.validation import DataValidationError
from pydantic import ValidationError
from yaml import YAMLError

_STORES = {"mlflow": "the MLflow store", "optuna": "the study's database"}


def sentence(error: BaseException) -> str:
    """Return what a user should read of an error: the innermost cause, on one line.

    Kedro wraps what a dataset or a node raised; the wrapped message is the one that names file,
    row, column or key.
    """
    chain = list(_chain(error))
    inner = chain[-1]
    if isinstance(inner, KeyError) and any("credentials" in str(each) for each in chain[:-1]):
        return (
            f"the catalog names credentials {inner.args[0]}, which no credentials.yml of this "
            "environment has: write them as docs/generation.md (language models) and "
            "docs/tuning.md (a study's database) say, or take what needs them out of the catalog"
        )
    if isinstance(inner, OSError) and inner.strerror:
        # A write that fails names no file, but Kedro says which dataset it was writing.
        named = re.search(r"filepath=\w*\(?'?([^',)]+)", str(chain[0]))
        file = inner.filename or (named[1] if named else "a file")
        text = f"{inner.strerror}: {file}"
        if "saving data" in str(chain[0]):
            text = f"{text}; this version was not kept, earlier ones are untouched"
    elif isinstance(inner, sqlite3.OperationalError):
        # SQLite names no file; what MLflow and Optuna wrap of it says whose it is.
        owners = {type(each).__module__.partition(".")[0] for each in chain}
        store = next((name for name in _STORES if name in owners), "")
        return f"{_STORES.get(store, 'an SQLite file')} could not be used: {inner}"
    elif isinstance(inner, YAMLError):
        # Kedro says which file it was; the parser below calls it "<file>".
        return " ".join(str(next(each for each in chain if isinstance(each, YAMLError))).split())
    elif isinstance(inner, ValidationError):
        first = inner.errors()[0]
        text = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    else:
        text = str(inner) or type(inner).__name__
    if type(inner) not in (ValueError, DatasetError) and not isinstance(
        inner, OSError | ValidationError | click.ClickException
    ):
        text = f"{type(inner).__name__}: {text}"
    # A table's schema knows columns and rows, and Kedro knows which table it is.
    tables = [each.dataset_name for each in chain if isinstance(each, DataValidationError)]
    if tables and str(tables[0]) not in text:
        text = f"{tables[0]}: {text}"
    return " ".join(text.split())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        # `raise … from None` cuts the chain on purpose; what a handler met on its way counts
        # only where it was named as the cause, or where Kedro wraps what it caught.
        following = error.__cause__
        if following is None and isinstance(error, DatasetError) and not error.__suppress_context__:
            following = error.__context__
        # Raised by the system, an OSError has a number; without one it is a sentence of our own.
        sentence_of_ours = isinstance(error, OSError) and error.errno is None
        if isinstance(error, ValueError) or sentence_of_ours:
            return
        error = following
