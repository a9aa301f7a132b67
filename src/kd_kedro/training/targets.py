"""What a student learns from: a signal for each answer token, wherever it came from.

A source yields a signal for a batch; a signal puts teacher and student on the same events. The
loss takes a signal and never learns whether a live teacher, a dense cache or a top-k cache made it.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch

from kd_kedro.training.answering import answer_logits
from kd_kedro.training.divergences import FULL
from kd_kedro.training.examples import Batch


class Signal(Protocol):
    """The teacher's opinion on the answer tokens of one batch."""

    @property
    def temperature(self) -> float:
        """What both sides' logits are divided by before the softmax."""
        ...

    @property
    def teacher(self) -> torch.Tensor:
        """(tokens, events) float32 log probabilities of the teacher."""
        ...

    def student(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the student's float32 log probabilities of the same events.

        Args:
            logits: (tokens, student vocabulary), any floating dtype.
        """
        ...


class TargetSource(Protocol):
    """Where signals come from.

    Attributes:
        serves: The divergences this source gives exactly; others must be refused.
        fingerprint: What determines every signal.
        temperature: Of every signal.
    """

    serves: frozenset[str]
    fingerprint: str
    temperature: float

    def signal(self, batch: Batch) -> Signal:
        """Return the signal for the answer tokens of a batch, row by row."""
        ...


@dataclass(frozen=True)
class DenseSignal:
    """The teacher's whole distribution: (tokens, shared vocabulary) log probabilities."""

    teacher: torch.Tensor
    temperature: float

    def student(self, logits: torch.Tensor) -> torch.Tensor:
        """Return log probabilities over the shared ids: cut first, then softmax."""
        shared = logits[:, : self.teacher.shape[-1]].float() / self.temperature
        return torch.log_softmax(shared, -1)


@dataclass(frozen=True)
class TopKSignal:
    """The teacher's k most likely tokens, and all others as one bucket, the last event.

    Attributes:
        teacher: (tokens, k + 1) float32 log probabilities, summing to one with the bucket.
        ids: (tokens, k) int64 token ids of the first k events.
        vocabulary: How many ids teacher and student share.
        temperature: As in `Signal`.
    """

    teacher: torch.Tensor
    ids: torch.Tensor
    vocabulary: int
    temperature: float

    def student(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the student's log probabilities of the k tokens and of the bucket.

        The bucket is summed over the other tokens in log space; 1 - sum of the top would lose a
        small tail to rounding, and its gradient with it.
        """
        shared = logits[:, : self.vocabulary].float() / self.temperature
        total = shared.logsumexp(-1, keepdim=True)
        rest = shared.scatter(1, self.ids, float("-inf")).logsumexp(-1, keepdim=True)
        return torch.cat([shared.gather(1, self.ids), rest], -1) - total


class LiveTeacher:
    """A source that asks the teacher anew for every batch: the reference for every cache."""

    serves = FULL

    def __init__(self, model: Any, temperature: float, vocabulary: int, fingerprint: str) -> None:
        self._model = model.eval()
        self.temperature = temperature
        self._vocabulary = vocabulary
        self.fingerprint = fingerprint

    def signal(self, batch: Batch) -> DenseSignal:
        """Return the teacher's distribution over the shared ids, without gradients."""
        return DenseSignal(
            teacher_log_probs(self._model, batch, self.temperature, self._vocabulary),
            self.temperature,
        )


def teacher_log_probs(
    model: Any, batch: Batch, temperature: float, vocabulary: int
) -> torch.Tensor:
    """Return (answer tokens, vocabulary) float32 log probabilities of a teacher in eval mode."""
    with torch.no_grad():
        device = next(model.parameters()).device
        logits = answer_logits(model, batch.input_ids.to(device), batch.labels.to(device))
        return torch.log_softmax(logits[:, :vocabulary].float() / temperature, -1)
