"""What students learn from: the written examples, and what a teacher wrote to their questions.

Sequence-level distillation: Kim and Rush, 2016, arXiv:1606.07947.
"""

import logging
from collections import Counter

import pandas as pd

from kd_kedro.generation.llm.reply_defects import answer_defect
from kd_kedro.generation.protocol import Request, TextGenerator
from kd_kedro.metrics.scores.exact_match import exact_match, gradable
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.prompt_format import Asked
from kd_kedro.pipelines.distillation.models import STUDENT
from kd_kedro.pipelines.distillation.params import MOST_TOKENS, SequenceLevelParams
from kd_kedro.training.contexts import teacher_asked_of, teacher_questions_of
from kd_kedro.training.examples import asked_of, questions_of

logger = logging.getLogger(__name__)

REFERENCE = "reference"  # the outcome of an example whose answer stood in the sheet
Outcome = tuple[str, str, str]  # answer, outcome, reason


def make_student_examples(
    training_examples: pd.DataFrame,
    teacher: LanguageModel,
    text_generator: TextGenerator,
    params: SequenceLevelParams,
    student_tokenizer: str = "",
    max_length: int = MOST_TOKENS,
) -> pd.DataFrame:
    """Return what students learn from: the training examples, and answers that a teacher wrote.

    Args:
        training_examples: The questions, with the answers of the sheet.
        teacher: The teacher; it reads contexts. Its tokenizer also says which answers students can
            read whole.
        text_generator: What writes the answers where the source is a generator.
        params: Who writes, and what is kept of it.
        student_tokenizer: Hub name or folder of the student's own tokenizer, where it has one.
        max_length: Most tokens that students read of a question and its answer.

    Returns:
        The training examples with `outcome` reference, then one example for each answer of the
        teacher with its outcome (`ok` where it is learned from) and reason. The weight is 0 where
        nothing is learned from an example.

    Raises:
        ValueError: No example is left to learn from.
    """
    reference = training_examples.assign(outcome=REFERENCE, reason="")
    if params.source == "none":
        return reference
    answered = _answered(
        training_examples, teacher, text_generator, params, student_tokenizer, max_length
    )
    if not params.keep_reference:
        reference["weight"] = "0"
        if not (answered["outcome"] == "ok").any():
            raise ValueError(
                "no answer of the teacher can be used and sequence_level.keep_reference is false: "
                f"{_reasons(answered)}"
            )
    return pd.concat([reference, answered], ignore_index=True)


def reference_examples(student_examples: pd.DataFrame) -> pd.DataFrame:
    """Return the training examples again: what a baseline learns from, whatever students do."""
    return student_examples[student_examples["outcome"] == REFERENCE].assign(weight="1")


def _answered(
    examples: pd.DataFrame,
    teacher: LanguageModel,
    text_generator: TextGenerator,
    params: SequenceLevelParams,
    student_tokenizer: str,
    max_length: int,
) -> pd.DataFrame:
    """Return an example for each answer that a teacher wrote."""
    asked = asked_of(examples)
    if params.source == "teacher":
        made = _ask_teacher(examples, teacher, params)
    else:
        made = _ask_generator(teacher_questions_of(examples), text_generator, params)
    made = _that_fit(asked, made, teacher, student_tokenizer, max_length)
    judged = [
        _judge(outcome, written, params.must_match)
        for outcome, written in zip(made, examples["answer"], strict=True)
    ]
    columns = dict(zip(("answer", "outcome", "reason"), zip(*judged, strict=True), strict=True))
    answered = examples.assign(
        **{name: pd.Series(texts, examples.index, "str") for name, texts in columns.items()},
        example_id=examples["example_id"] + "-teacher",
    )
    answered["weight"] = (answered["outcome"] == "ok").map({True: "1", False: "0"}).astype("str")
    learned = int((answered["outcome"] == "ok").sum())
    logger.info(
        "student_examples: %d of %d answers of the teacher can be learned from%s",
        learned,
        len(answered),
        f"; {_reasons(answered)}" if learned < len(answered) else "",
    )
    return answered


def _judge(outcome: Outcome, written: str, must_match: bool) -> Outcome:
    answer, status, _ = outcome
    if status == "ok" and must_match and gradable(written) and not exact_match(answer, written):
        return answer, "rejected", "differs from the reference answer, which can be graded"
    return outcome


def _that_fit(
    asked: list[Asked],
    made: list[Outcome],
    teacher: LanguageModel,
    student_tokenizer: str,
    max_length: int,
) -> list[Outcome]:
    """Return the outcomes with those rejected that a student would learn the beginning of alone."""
    from kd_kedro.models.encoding import whole_lengths
    from kd_kedro.models.prompt_format import format_of
    from kd_kedro.models.tokenization import load_pretrained_tokenizer

    tokenizer = teacher.tokenizer
    if student_tokenizer:
        key, how = f"{STUDENT}.tokenizer", format_of(tokenizer)
        tokenizer = load_pretrained_tokenizer(student_tokenizer, key, how)
    most = min(max_length, teacher.max_length)
    lengths = whole_lengths(tokenizer, asked, [answer for answer, _, _ in made])
    return [
        (answer, "rejected", "longer than examples.max_length with its question")
        if status == "ok" and length > most
        else (answer, status, reason)
        for (answer, status, reason), length in zip(made, lengths, strict=True)
    ]


def _reasons(answered: pd.DataFrame) -> str:
    lost = answered[answered["outcome"] != "ok"]
    counts = Counter(zip(lost["outcome"], lost["reason"], strict=True))
    return "; ".join(
        f"{count} {outcome} ({reason})" for (outcome, reason), count in counts.most_common(5)
    )


def _ask_teacher(
    examples: pd.DataFrame,
    teacher: LanguageModel,
    params: SequenceLevelParams,
) -> list[Outcome]:
    from kd_kedro.inference.generate import write_answers

    sizes = {"max_new_tokens": params.max_new_tokens, "batch_size": params.batch_size}
    asked, names = teacher_asked_of(examples), list(examples["teacher"])
    written: dict[int, tuple[str, bool]] = {}
    for name in sorted(set(names)):  # '' asks all of an ensemble together
        places = [place for place, named in enumerate(names) if named == name]
        own = [asked[place] for place in places]
        texts = write_answers(teacher.named(name), own, **sizes)
        written |= dict(zip(places, texts, strict=True))
    made = []
    for place, question in enumerate(questions_of(examples)):
        text, whole = written[place]
        defect = (
            answer_defect(question, text) if whole else "cut off at max_new_tokens or max_length"
        )
        made.append((text, "rejected" if defect else "ok", defect or "teacher"))
    return made


def _ask_generator(
    questions: list[str], text_generator: TextGenerator, params: SequenceLevelParams
) -> list[Outcome]:
    requests = [Request("answer", question, {}, params.seed) for question in questions]
    return [
        (outcome.text if outcome.status == "ok" else "", outcome.status, outcome.reason)
        for outcome in text_generator.generate(requests)
    ]
