"""A teacher behind a server in the evaluation: what it says of the references, and its answers."""

from collections.abc import Sequence
from typing import Any

from kd_kedro.models.prompt_format import Asked

LIKELIEST = 5  # tokens that are asked for at each place, of which none but its own counts
Record = dict[str, Any]


def score_served(
    teacher: Any,
    scores: Sequence[Sequence[Record]],
    models: Sequence[Any],
    questions: Sequence[Asked],
    answers: Sequence[str],
) -> list[list[Record]]:
    """Return the scores of a teacher behind a server, before those of the models in this process.

    A server gives the log probabilities of the references alone: what needs a distribution over the
    vocabulary is absent of the teacher, and of the others what compares them with it.

    Args:
        teacher: The teacher.
        scores: What `score_together` says of the models without it.
        models: These models.
        questions: The questions.
        answers: The answers that are scored.

    Raises:
        ValueError: The server is not there, or is another one than that of the targets.
    """
    from tqdm import tqdm

    from kd_kedro.inference.scoring import scored_bytes
    from kd_kedro.models.encoding import encode
    from kd_kedro.storage.fingerprints import tokenizer_fingerprint

    check_same(teacher)
    tokenizer = teacher.tokenizer
    own = tokenizer_fingerprint(tokenizer)
    # Cut where the others are: the same tokens are scored.
    alike = [each for each in models if tokenizer_fingerprint(each.tokenizer) == own]
    limit = min(each.max_length for each in (teacher, *alike))
    ids = [str(number) for number in range(len(questions))]
    rows = encode(tokenizer, ids, questions, answers, limit)
    with tqdm(total=len(rows), desc="the teacher's scores", unit="row", disable=None) as bar:
        said = teacher.server.log_probs(rows, tokenizer, LIKELIEST, bar.update)
    records = [
        {
            "nll": -float(each.own.sum(dtype="float64")),
            "answer_tokens": row.answer_tokens,
            "answer_bytes": scored_bytes(tokenizer, row, answer),
        }
        for row, each, answer in zip(rows, said, answers, strict=True)
    ]
    alone = {"agreeing_tokens": None, "teacher_kl": None, "accepted_tokens": None}
    return [records, *([{**record, **alone} for record in part] for part in scores)]


def answer_served(teacher: Any, questions: Sequence[Asked], max_new_tokens: int) -> list[str]:
    """Return the answers that a teacher behind a server writes."""
    from tqdm import tqdm

    from kd_kedro.models.encoding import encode_prompts

    prompts = encode_prompts(teacher.tokenizer, questions)
    with tqdm(total=len(prompts), desc="the teacher's answers", unit="row", disable=None) as bar:
        written: list[str] = teacher.server.write(prompts, max_new_tokens, bar.update)
    return written


def check_same(teacher: Any) -> None:
    """Refuse another model at the server than the one that the targets were asked of.

    Raises:
        ValueError: The message names both.
    """
    then, now = teacher.card["server"], teacher.server.identity()
    if then != now:
        raise ValueError(
            f"the teacher of this run was {then['model']} behind a server, but the catalog names "
            f"{now['model']} now: run the distillation pipeline again, or name the former one"
        )
