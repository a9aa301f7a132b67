"""Whether a student learns facts that only its teacher reads.

    python benchmarks/planted_facts.py [--json OUT]

Facts are planted in the contexts of examples: no answer of any sheet has them, and no prompt of the
student. A small teacher is trained here, on contexts with other facts, to answer from what it
reads. Then it writes the answers to the planted questions and is captured over them, and a student
learns from both alone. The student is asked in other words than it learned from, and must be right
however it is asked. The JSON has the share of planted facts that the teacher tells with its context
(`teacher`), the share of these that the student learned (`with_context`), and the share of all that
it learned where the same teacher was asked without any context (`without`).
"""

import argparse
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from measuring import finish, parser, run

from kd_kedro.inference.generate import generate_answers
from kd_kedro.models.build import new_model
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.model_config import ArchitectureConfig
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.distillation.nodes import capture_targets, teacher_inputs
from kd_kedro.pipelines.distillation.params import SequenceLevelParams
from kd_kedro.pipelines.distillation.sequence_level import make_student_examples
from kd_kedro.pipelines.distillation.students import taught_inputs
from kd_kedro.training.contexts import teacher_asked_of
from kd_kedro.training.examples import learned, make_examples
from kd_kedro.training.loop.model_training import TrainingInputs, train_model
from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig
from kd_kedro.training.teacher.capture_config import CaptureConfig

COLOURS = [
    "red",
    "blue",
    "green",
    "white",
    "black",
    "brown",
    "grey",
    "pink",
    "gold",
    "silver",
    "violet",
    "orange",
]
ANIMALS = [
    "lion",
    "fox",
    "owl",
    "wolf",
    "bear",
    "deer",
    "crab",
    "swan",
    "hawk",
    "seal",
    "toad",
    "mole",
]
SYLLABLES = ["ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo"]
OPENINGS = ["", "Please: ", "Tell me, ", "I ask you: ", "One more thing. ", "So now, tell us: "]
ASKED = [
    f"{opening}{question}"
    for opening in OPENINGS
    for question in (
        "which sign has {name}?",
        "what is the sign of {name}?",
        "{name} has which sign?",
        "of {name} the sign is what?",
    )
]
OTHER_WORDS = (  # of the probes: no example is asked so
    "Please: the sign {name} has is which?",
    "So now, tell us: {name} has what sign?",
    "I ask you: which is the sign of {name}?",
)
MAX_LENGTH = 40  # of the student's prompt and answer
UNKNOWN = "unknown"  # what the sheet says of every planted fact


class Sizes(NamedTuple):
    """How much is planted and learned."""

    facts: int = 60
    teacher_rows: int = 8000
    student_epochs: float = 6.0
    width: int = 64


@dataclass(frozen=True)
class Planted:
    """The facts, and the teacher that reads them.

    Attributes:
        facts: What each name's sign is.
        examples: The questions with their contexts, whose answers say nothing.
        teacher: It answers from what it reads.
    """

    facts: dict[str, str]
    examples: pd.DataFrame
    teacher: LanguageModel


def main() -> None:
    arguments: argparse.Namespace = parser(__doc__, learns=False).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Sizes(), Path(folder))
    finish(
        figures,
        f"planted_facts: the teacher tells {figures['teacher']:.2f} of the facts in its contexts; "
        f"the student learned {figures['with_context']:.2f} of these, and "
        f"{figures['without']:.2f} where the teacher had no context",
        arguments.json,
    )


def measure(sizes: Sizes, folder: Path) -> dict[str, float]:
    """Return the shares that the benchmark is about."""
    planted = plant(sizes, folder)
    told = told_by_teacher(planted)
    taught, untold = (
        learned_by_student(planted, rows, sizes, folder / name)
        for name, rows in (
            ("with", planted.examples),
            ("without", planted.examples.assign(context="")),
        )
    )
    return {
        "with_context": len(taught & told) / max(1, len(told)),
        "without": len(untold) / len(planted.facts),
        "teacher": len(told) / len(planted.facts),
    }


def plant(sizes: Sizes, folder: Path) -> Planted:
    """Return planted facts, and a teacher trained to answer from contexts with other facts."""
    chooser = random.Random(0)
    names = [
        "".join(syllables).capitalize()
        for syllables in chooser.sample(
            [(a, b, c) for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES], sizes.facts
        )
    ]
    facts = {name: _sign(chooser) for name in names}
    rows = [
        _row(name, facts[name], wording.format(name=name), UNKNOWN)
        for name in names
        for wording in ASKED
    ]
    practice = []
    while len(practice) < sizes.teacher_rows:
        name, sign = chooser.choice(names), _sign(chooser)
        if sign != facts[name]:
            asked = chooser.choice(ASKED).format(name=name)
            practice.append(_row(name, sign, asked, sign))
    examples, learning = (_examples(table) for table in (rows, practice))
    texts = [f"{row['context']} {row['question']} {row['answer']}" for row in practice]
    tokenizer = train_byte_bpe([f"Question: {text}\nAnswer: {text}" for text in texts], 1000)
    inputs = teacher_inputs(
        TrainingInputs(learning, learning.head(0), tokenizer, MAX_LENGTH, _made(folder))
    )
    architecture = ArchitectureConfig(
        num_hidden_layers=2, hidden_size=sizes.width, num_attention_heads=4
    )
    model = new_model(architecture, tokenizer, inputs.longest, 0)
    teacher, _ = _train(model, inputs, 1.0, ObjectiveConfig(), "teacher")
    return Planted(facts, examples, teacher)


def told_by_teacher(planted: Planted) -> set[str]:
    """Return the names whose sign the teacher tells with the context, however it is asked."""
    asked = teacher_asked_of(planted.examples)
    said = generate_answers(planted.teacher, asked, max_new_tokens=8, batch_size=256)
    names = planted.examples["name"]
    wrong = {name for name, text in zip(names, said, strict=True) if text != planted.facts[name]}
    return {*planted.facts} - wrong


def learned_by_student(
    planted: Planted, examples: pd.DataFrame, sizes: Sizes, folder: Path
) -> set[str]:
    """Return the names whose sign a student tells that learned from the teacher's examples.

    It counts where the sign is told in every probe.
    """
    student = train_student(planted, examples, sizes, folder)
    known = {*planted.facts}
    for wording in OTHER_WORDS:
        probes = [wording.format(name=name) for name in planted.facts]
        said = generate_answers(student, probes, max_new_tokens=8, batch_size=256)
        pairs = zip(planted.facts.items(), said, strict=True)
        known &= {name for (name, sign), text in pairs if text == sign}
    return known


def train_student(
    planted: Planted, examples: pd.DataFrame, sizes: Sizes, folder: Path
) -> LanguageModel:
    """Train a student on its teacher's answers and targets, through the nodes of the pipeline."""
    teacher, tokenizer = planted.teacher, planted.teacher.tokenizer
    asks = SequenceLevelParams(
        source="teacher", keep_reference=False, must_match=False, max_new_tokens=8
    )
    written = make_student_examples(examples, teacher, None, asks, max_length=MAX_LENGTH)
    config = CaptureConfig(source="dense", capture=True, hidden_states=False)
    targets = capture_targets(written, tokenizer, teacher, config, MAX_LENGTH, _made(folder))
    own = learned(written)
    alone = TrainingInputs(own, own.head(0), tokenizer, MAX_LENGTH, _made(folder))
    architecture = ArchitectureConfig(
        num_hidden_layers=2, hidden_size=sizes.width, num_attention_heads=4
    )
    model = new_model(architecture, tokenizer, MAX_LENGTH, 1)
    goal = ObjectiveConfig(alpha=0.5, beta=0.5)
    inputs = taught_inputs(alone, teacher, targets, None)
    student, _ = _train(model, inputs, sizes.student_epochs, goal, "student")
    return student


def _train(
    model: Any, inputs: TrainingInputs, epochs: float, goal: ObjectiveConfig, name: str
) -> Any:
    settings = TrainingConfig(
        learning_rate=3e-3, batch_size=32, epochs=epochs, max_tokens=10**9, num_evaluations=1
    )
    return train_model(model, inputs, settings, goal, seed=0, name=name, origin="")


def _sign(chooser: random.Random) -> str:
    return f"{chooser.choice(COLOURS)} {chooser.choice(ANIMALS)}"


def _row(name: str, sign: str, question: str, answer: str) -> dict[str, str]:
    context = f"{name} has {sign}."
    return {"name": name, "context": context, "question": question, "answer": answer}


def _examples(rows: Sequence[dict[str, str]]) -> pd.DataFrame:
    ids = [f"r{number:05d}" for number in range(len(rows))]
    same = {"family_id": ids, "split": "train", "style": "original"}
    return make_examples(pd.DataFrame(rows).assign(row_id=ids, **same))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    run(main)
