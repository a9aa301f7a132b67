"""Targets captured through a server against those of the same teacher in this process.

    python benchmarks/served_teacher.py [--model DIR] [--data SHEET] [--rows 48] [--json OUT]

A completion server on loopback (`completion_server.py`) has the teacher behind it, the sample's
without `--model`. Both forms that are known are asked, `prompt_logprobs` and `echo` (with ids, and
with texts in their place); the worst is told: the share of positions with the same ids, of which
those that float16 finds as likely as the last one may be others, and the largest difference of a
stored log probability of the same id (a step of float16 is 0.016 below -16, 0.031 below -32).

A capture through the server is killed in the middle and goes on: `asked_again` counts rows that
were answered before and are asked again. Then the server lies, each lie in each form; a lie is
refused where the capture ends with a sentence that names it (`refused`) and stores nothing.
"""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from completion_server import LIES, CompletionServer
from measuring import at_least, finish, parser, run

from kd_kedro.datasets.hf_model import HFModelDataset
from kd_kedro.models.build import pretrained_model
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import Batch, Example, collate, encode, pad_token_id
from kd_kedro.models.tokenization import load_pretrained_tokenizer, train_byte_bpe
from kd_kedro.training.teacher.capture import capture
from kd_kedro.training.teacher.capture_config import CaptureConfig
from kd_kedro.training.teacher.signals import TopKSignal
from kd_kedro.training.teacher.store import identity, open_targets
from kd_kedro.training.teacher.teacher_server import TeacherServer, TeacherServerOptions

ROOT = Path(__file__).resolve().parents[1]
FORMS = {"prompt_logprobs": False, "echo": False, "echo by text": True}  # tokens as texts
LENGTH = 160
STEP = 2.0**-10  # of float16, relative
# What the sentence says that refuses a lie.
NAMED = {
    "other tokenizer": "tokenizer",
    "shifted positions": "shifted",
    "shifted probabilities": "shifted",
    "too few entries": "targets.k asks for",
    "lower cap": "max allowed",
    "NaN": "NaN",
    "minus infinity": "minus infinity",
    "above 0": "above 0",
    "sum above 1": "sum to",
    "cut prompt": "was cut",
    "marks added": "marks were added",
    "nothing at a place": "has nothing at",
}


def served(teacher: LanguageModel, url: str, form: str, cache: Path | None = None) -> LanguageModel:
    """Return the teacher as one behind a server."""
    options = TeacherServerOptions(
        base_url=url,
        model="teacher",
        form=form.split(maxsplit=1)[0],
        concurrency=1,
        retries=1,
        backoff_s=0.05,
    )
    who = TeacherServer("the teacher behind a server", options, (), cache)
    return replace(teacher, model=None, server=who)


def captured(
    teacher: LanguageModel, rows: Sequence[Example], belongs_to: Any, store: Path, k: int
) -> TopKSignal:
    """Capture and return the signal of all rows at once."""
    config = CaptureConfig(source="top_k", k=k, hidden_states=False, rows_per_shard=8)
    manifest = capture([(teacher, 1.0)], rows, belongs_to, store, config)
    made = open_targets(manifest, store, belongs_to).signal(_batch(teacher, rows), 1.0)
    assert isinstance(made, TopKSignal)
    return made


def compared(one: TopKSignal, other: TopKSignal) -> tuple[float, float]:
    """Return the share of positions with the same ids, and the largest difference of a value."""
    values, others = (dict_of(each) for each in (one, other))
    same, largest = 0, 0.0
    for mine, theirs in zip(values, others, strict=True):
        last = min(mine.values())
        apart = [{**mine, **theirs}[token] for token in mine.keys() ^ theirs.keys()]
        same += all(value - last <= abs(last) * STEP for value in apart)
        both = mine.keys() & theirs.keys()
        largest = max([largest, *(abs(mine[token] - theirs[token]) for token in both)])
    return same / len(values), largest


def dict_of(signal: TopKSignal) -> list[dict[int, float]]:
    """Return the log probabilities of each position by id."""
    size = signal.ids.shape[-1]
    parts = zip(signal.ids.tolist(), signal.teacher[:, :size].tolist(), strict=True)
    return [dict(zip(ids, values, strict=True)) for ids, values in parts]


def _batch(teacher: LanguageModel, rows: Sequence[Example]) -> Batch:
    return collate(rows, pad_token_id(teacher.tokenizer))


def _capture_until_killed(
    tokenizer: Any, url: str, rows: Sequence[Example], belongs_to: Any, folder: Path, k: int
) -> None:
    teacher = served(
        LanguageModel(None, tokenizer), url, "prompt_logprobs", folder / "cache.sqlite"
    )
    captured(teacher, rows, belongs_to, folder, k)


def asked_again(
    teacher: LanguageModel, rows: Sequence[Example], belongs_to: Any, folder: Path, k: int
) -> int:
    """Kill a capture in the middle, let it go on, and return the rows that were asked twice."""
    with CompletionServer(teacher.model, teacher.tokenizer) as server:
        given = (teacher.tokenizer, server.url, rows, belongs_to, folder, k)
        process = multiprocessing.get_context("spawn").Process(
            target=_capture_until_killed, args=given
        )
        process.start()
        while len(server.asked) < 2 + len(rows) // 2 and process.is_alive():
            time.sleep(0.01)
        process.kill()
        process.join()
        before = len(server.asked)
        _capture_until_killed(*given)
        asked = [tuple(each["prompt"]) for each in server.asked]
    wanted = {row.input_ids for row in rows}
    first, then = asked[: before - 1], asked[before:]  # the last one was not answered any more
    return len(wanted & {*first} & {*then})


def refusal(
    teacher: LanguageModel, rows: Sequence[Example], belongs_to: Any, k: int, form: str, lie: str
) -> str:
    """Return the sentence with which a lie is refused, '' where it came through or left targets."""
    text = " ".join(f"zz{number} yy{number}" for number in range(400))
    other = train_byte_bpe([text], vocabulary=len(teacher.tokenizer))
    lying = CompletionServer(
        teacher.model, teacher.tokenizer, lie=lie, other=other, by_text=FORMS[form]
    )
    with lying as server, tempfile.TemporaryDirectory() as store:
        try:
            captured(served(teacher, server.url, form), rows, belongs_to, Path(store), k)
        except ValueError as error:
            kept = [*Path(store).rglob("*.safetensors")]
            return "" if kept or NAMED[lie] not in str(error) else str(error)
    return ""


def teacher_of(folder: Path) -> LanguageModel:
    """Return a teacher and its tokenizer."""
    if (folder / "card.json").is_file():
        return HFModelDataset(filepath=str(folder), device="cpu").load()  # type: ignore[return-value]
    tokenizer = load_pretrained_tokenizer(str(folder), "--model")
    return LanguageModel(pretrained_model(str(folder), "--model", tokenizer, "float32"), tokenizer)


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__, learns=False)
    arguments.add_argument("--model", type=Path, default=ROOT / "data/01_raw/sample_teacher")
    arguments.add_argument("--data", type=Path, default=ROOT / "data/01_raw/test_qa.csv")
    arguments.add_argument("--rows", type=at_least(4), default=48)
    arguments.add_argument("--k", type=at_least(2), default=16)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    teacher = teacher_of(given.model)
    sheet = pd.read_csv(given.data, dtype=str, keep_default_na=False).iloc[: given.rows, :2]
    triples = [
        (f"row{n}", *map(str, cells)) for n, cells in enumerate(sheet.itertuples(index=False))
    ]
    rows = encode(teacher.tokenizer, *map(list, zip(*triples, strict=True)), LENGTH)
    belongs_to = identity(triples, teacher.tokenizer, [(teacher, 1.0)], LENGTH)
    same, largest = 1.0, 0.0
    refused: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = captured(teacher, rows, belongs_to, folder / "own", given.k)
        for form, by_text in FORMS.items():
            with CompletionServer(teacher.model, teacher.tokenizer, by_text=by_text) as server:
                there = served(teacher, server.url, form)
                said = captured(there, rows, belongs_to, folder / form, given.k)
            share, difference = compared(said, own)
            same, largest = min(same, share), max(largest, difference)
        again = asked_again(teacher, rows, belongs_to, folder / "killed", given.k)
    for form in FORMS:
        refused[form] = {
            lie: refusal(teacher, rows[:4], belongs_to, given.k, form, lie) for lie in LIES
        }
    told = [sentence for lies in refused.values() for sentence in lies.values()]
    figures = {
        "rows": len(rows),
        "answer_tokens": len(own.ids),
        "k": given.k,
        "same_ids": same,
        "largest_difference": largest,
        "asked_again": again,
        "lies_refused": sum(map(bool, told)),
        "lies": len(told),
        "refused": refused,
    }
    finish(
        figures,
        f"served_teacher: {100 * same:.1f} % of {len(own.ids)} positions with the same ids, "
        f"largest difference {largest:.2g}; {again} rows asked again; {figures['lies_refused']} of "
        f"{len(told)} lies refused",
        given.json,
    )


if __name__ == "__main__":
    sys.exit(run(main))
