"""A corpus for the sample's teacher: rows of other seeds, without what the sample holds out."""

from collections.abc import Collection, Iterable

import pandas as pd

from kd_kedro.curation.duplicates.near_questions import Nearness, search_questions
from kd_kedro.curation.duplicates.signature import question_key
from kd_kedro.curation.records.schema import SPLIT, table
from kd_kedro.fabrication.drawing import Row
from kd_kedro.fabrication.fabrication_config import DefectShares, FabricationParameters
from kd_kedro.fabrication.records import make_rows
from kd_kedro.fabrication.sheet import write_sheet
from kd_kedro.fabrication.templates import Vocabulary
from kd_kedro.text.embedder import Embedder

# Everything that damages a row, copies it or puts it into a format; currency signs and formulas are
# part of sound text.
SOUND = DefectShares(
    **{name: 0.0 for name in DefectShares.model_fields if name not in ("currency", "formula")}
)
_SOUND = {"shares": SOUND, "unreviewed": 0.0}


def corpus_rows(
    parameters: FabricationParameters, seeds: Iterable[int], words: Vocabulary
) -> list[Row]:
    """Return the sound rows of several seeds, each question in each wording once.

    Args:
        parameters: Those of the sample; its defects and its seed are left out.
        seeds: Seeds of the corpus.
        words: The vocabulary.
    """
    seen: dict[str, Row] = {}
    for seed in seeds:
        for row in make_rows(parameters.model_copy(update={**_SOUND, "seed": seed}), words):
            seen.setdefault(question_key(row.question), row)
    return list(seen.values())


def held_out_keys(
    parameters: FabricationParameters, words: Vocabulary, held_out: Collection[str]
) -> set[str]:
    """Return what the held-out rows of a fabricated sheet ask, whatever their wording.

    Args:
        parameters: What the sheet was made with.
        words: The vocabulary.
        held_out: Their row ids.

    Raises:
        ValueError: A row id is none of that sheet.
    """
    rows = make_rows(parameters, words)
    asked = dict(zip(write_sheet(rows)[1]["row_id"], (row.item.key for row in rows), strict=True))
    if strange := sorted({*held_out} - asked.keys()):
        raise ValueError(
            f"row {strange[0]} of split_qa is none of the sheet that fabrication makes: run the "
            "curation on the fabricated sample first (kedro run --to-nodes split_rows)"
        )
    return {asked[row] for row in held_out}


def leave_out(
    rows: Iterable[Row],
    held_out: pd.DataFrame,
    keys: Collection[str],
    embedder: Embedder,
    nearness: Nearness,
) -> list[Row]:
    """Return the rows that ask nothing that is held out.

    Left out is what was drawn as the same question as a held-out row, in whichever wording, and
    what would be of one family with it (near questions with equal signature).

    Args:
        rows: Rows of the corpus.
        held_out: Text columns `question, answer` of the held-out rows.
        keys: What they ask, as `held_out_keys` says.
        embedder: Gives unit vectors of questions.
        nearness: From which cosine questions may be of one family.
    """
    others = [row for row in rows if row.item.key not in keys]
    both = pd.DataFrame(
        {
            "question": [*held_out["question"], *(row.question for row in others)],
            "answer": [*held_out["answer"], *(row.answer for row in others)],
        }
    )
    count = len(held_out)
    near = search_questions(
        both, embedder.encode(list(both["question"])), nearness, askers=range(count)
    )
    taken = {pair.second - count for pair in near if pair.first < count <= pair.second}
    return [row for place, row in enumerate(others) if place not in taken]


def as_train_split(rows: Iterable[Row]) -> pd.DataFrame:
    """Return rows of a corpus as a table with the columns of `split_qa`, all in train."""
    names = enumerate(rows)
    return table(
        SPLIT,
        [
            (f"corpus-{n}", f"corpus-{n}", "train", "original", row.question, row.answer, "corpus")
            for n, row in names
        ],
    )
