"""How likely models find given answers, how far that is from their teacher, how calibrated.

Of an ensemble the mean of its members' probabilities is scored, as its students learn from it.

Models of one tokenizer go through the rows together, so that the teacher runs once for all of
them; the vocabulary is looked at a few tokens at a time, and nothing of its size is kept.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from kd_kedro.inference.generate import answer_states
from kd_kedro.losses.divergences import forward_kl
from kd_kedro.losses.mixture import mixture
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import Example, batches_by_length, collate, encode, pad_token_id
from kd_kedro.models.modes import decoder_start, evaluating
from kd_kedro.models.prompt_format import Asked, asked_as
from kd_kedro.storage.fingerprints import tokenizer_fingerprint

# Log probabilities of one model in memory at once: 16 MB of float32.
_CHUNK = 2**22
_SINGLE = ("nll", "brier", "agreeing_tokens", "teacher_kl", "accepted_tokens")
_BINNED = ("calibration_tokens", "calibration_confidence", "calibration_gaps")

Record = dict[str, Any]


def score_together(
    models: Sequence[LanguageModel],
    questions: Sequence[Asked],
    answers: Sequence[str],
    *,
    batch_size: int,
    bins: int = 10,
) -> list[list[Record]]:
    """Score given answers, token by token, as each model would have predicted them.

    Args:
        models: Who judges; the first is the teacher. Models with the teacher's tokenizer and prompt
            read the same tokens, cut where the model with the fewest positions must; others are
            scored alone and have no numbers that compare with the teacher.
        questions: What is asked: questions, or the fields of prompts.
        answers: The answers to be scored, one for each question.
        batch_size: Rows scored together.
        bins: Equal bins of confidence, the probability of the model's first choice.

    Returns:
        For each model one record for each row, in order. Sums over its answer tokens, the
        end-of-sequence token included: `nll` (nats), `brier` (sum over the vocabulary of
        (p - y)^2), `agreeing_tokens` (first choice is the teacher's), `teacher_kl` (KL(teacher
        || model), nats) and `accepted_tokens` (sum of min(p, q), the chance that the teacher
        accepts a token that the model drafts: Leviathan et al. 2023, "Fast Inference from
        Transformers via Speculative Decoding", corollary 3.6), these three over the ids both
        vocabularies have and None without a common tokenizer; `answer_tokens` and `answer_bytes`
        (UTF-8), both without what was cut off; and by bin `calibration_tokens`,
        `calibration_confidence` and `calibration_gaps` (confidence - correct), lists of `bins`
        numbers.
    """
    prints = [
        (tokenizer_fingerprint(model.tokenizer), asked_as(model.tokenizer)) for model in models
    ]
    company = [place for place, found in enumerate(prints) if found == prints[0]]
    alone = [[place] for place in range(len(models)) if place not in company]
    scored: list[list[Record]] = [[] for _ in models]
    for group in [company, *alone]:
        records = _score_group(
            [models[place] for place in group], questions, answers, batch_size, bins
        )
        for place, own in zip(group, records, strict=True):
            scored[place] = own
    for place in (place for group in alone for place in group):
        for record in scored[place]:
            record.update(agreeing_tokens=None, teacher_kl=None, accepted_tokens=None)
    return scored


def _score_group(
    models: Sequence[LanguageModel],
    questions: Sequence[Asked],
    answers: Sequence[str],
    batch_size: int,
    bins: int,
) -> list[list[Record]]:
    """Score models of one tokenizer, the first as the others' teacher and as its own."""
    limit = min((model.max_length for model in models), default=0)  # of ensembles, of all members
    ids = [str(number) for number in range(len(questions))]
    tokenizer = models[0].tokenizer if models else None
    examples = encode(tokenizer, ids, questions, answers, limit) if models else []
    records: list[list[Record]] = [[{} for _ in examples] for _ in models]
    with ExitStack() as stack:
        for language_model in models:
            for member, _ in language_model.members:
                stack.enter_context(evaluating(member.model))
        bar = tqdm(total=len(examples), desc="scores", unit="row", disable=None)
        stack.enter_context(bar)
        for chosen in batches_by_length([len(e.input_ids) for e in examples], batch_size):
            rows = [examples[index] for index in chosen]
            for own, sums in zip(records, _sums_of_rows(models, rows, bins), strict=True):
                for index, numbers in zip(chosen, sums.tolist(), strict=True):
                    example = examples[index]
                    own[index] = {
                        **_record(numbers, bins),
                        "answer_tokens": example.answer_tokens,
                        "answer_bytes": scored_bytes(tokenizer, example, answers[index]),
                    }
            bar.update(len(chosen))
    return records


def _sums_of_rows(
    models: Sequence[LanguageModel], rows: Sequence[Example], bins: int
) -> list[torch.Tensor]:
    """Return for each model (rows, 5 + 3 bins) float64, columns as `_token_scores` has them."""
    judges = [_judge(language_model, rows) for language_model in models]
    labels = torch.tensor([token for row in rows for token in row.input_ids[row.answer_start :]])
    counts = torch.tensor([row.answer_tokens for row in rows])
    row_of = torch.arange(len(rows)).repeat_interleave(counts)
    sums = [torch.zeros(len(rows), len(_SINGLE) + 3 * bins, dtype=torch.float64) for _ in models]
    step = max(1, _CHUNK // max(each.head.out_features for judge in judges for each in judge))
    for start in range(0, len(labels), step):
        part = slice(start, start + step)
        teacher: torch.Tensor | None = None
        for judge, total in zip(judges, sums, strict=True):
            log_probs = mixture([(each.log_probs(part), each.share) for each in judge])
            teacher = log_probs if teacher is None else teacher.to(log_probs.device)
            found = _token_scores(log_probs, teacher, labels[part].to(log_probs.device), bins)
            total.index_add_(0, row_of[part], found.cpu())
    return sums


@dataclass(frozen=True)
class _Judge:
    """A model on a batch: alone, or one of an ensemble with its share of the probability.

    Attributes:
        states: (answer tokens, width), what the head is given.
        head: The language-model head.
        share: Share of the probability.
        vocabulary: Ids that count: all of a model that is alone, those of the tokenizer of an
            ensemble, whose members may be padded to different sizes.
        device: Where log probabilities are put.
    """

    states: torch.Tensor
    head: Any
    share: float
    vocabulary: int | None
    device: Any

    def log_probs(self, part: slice) -> torch.Tensor:
        """Return (tokens, vocabulary) log probabilities of some of the tokens."""
        logits: torch.Tensor = self.head(self.states[part]).float()[:, : self.vocabulary]
        return logits.log_softmax(-1).to(self.device)


def _judge(language_model: LanguageModel, rows: Sequence[Example]) -> list[_Judge]:
    """Run a model, or all of an ensemble, over a batch up to the head."""
    tokenizer, members = language_model.tokenizer, language_model.members
    vocabulary = len(tokenizer) if len(members) > 1 else None
    judges = []
    for member, share in members:
        model = member.model
        batch = collate(rows, pad_token_id(tokenizer), decoder_start(model)).to(model.device)
        states, head = answer_states(model, batch), model.get_output_embeddings()
        judges.append(_Judge(states, head, share, vocabulary, language_model.model.device))
    return judges


def _token_scores(
    log_probs: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor, bins: int
) -> torch.Tensor:
    """Return (tokens, 5 + 3 bins) float64: `_SINGLE`, then the bins of each of `_BINNED`."""
    label_log_probs = log_probs.gather(1, labels[:, None])[:, 0]
    # Sum of (p - y)^2 = sum of p^2 - 2 p of the label + 1.
    brier = (2 * log_probs).exp().sum(-1) - 2 * label_log_probs.exp() + 1
    shared = min(log_probs.shape[1], teacher.shape[1])
    known, asked = _over_shared_ids(teacher, shared), _over_shared_ids(log_probs, shared)
    agreeing = known.argmax(-1) == asked.argmax(-1)
    divergence = forward_kl(known, asked).clamp(min=0)
    accepted = torch.minimum(known, asked).exp().sum(-1)
    best, choice = log_probs.max(-1)
    confidence = best.double().exp()
    place = (confidence * bins).long().clamp(max=bins - 1)
    inside = torch.nn.functional.one_hot(place, bins).double()
    gap = confidence - (choice == labels).double()
    single = torch.stack([-label_log_probs, brier, agreeing, divergence, accepted], dim=1).double()
    return torch.cat([single, inside, inside * confidence[:, None], inside * gap[:, None]], dim=1)


def _over_shared_ids(log_probs: torch.Tensor, size: int) -> torch.Tensor:
    # Vocabularies are padded to different sizes: what no tokenizer writes is left out of both.
    return log_probs if log_probs.shape[1] == size else log_probs[:, :size].log_softmax(-1)


def scored_bytes(tokenizer: Any, example: Example, answer: str) -> int:
    """Return the bytes of an answer, or of what is left of it where it was cut."""
    ids = example.input_ids[example.answer_start :]
    whole = ids[-1] == tokenizer.eos_token_id  # a cut answer has no end
    return len((answer if whole else tokenizer.decode(ids).lstrip()).encode())


def _record(numbers: list[float], bins: int) -> Record:
    parts = {
        name: numbers[len(_SINGLE) + place * bins : len(_SINGLE) + (place + 1) * bins]
        for place, name in enumerate(_BINNED)
    }
    record: Record = dict(zip(_SINGLE, numbers, strict=False))
    return {
        **record,
        "agreeing_tokens": round(record["agreeing_tokens"]),
        **parts,
        "calibration_tokens": [round(number) for number in parts["calibration_tokens"]],
    }
