"""What a student learns from: a signal for each answer token, wherever it came from.

A source yields a signal for a batch; a signal puts teacher and student on the same events. The
loss takes a signal and never learns whether a live teacher, a dense cache, a top-k cache or a
sampled one made it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from kd_kedro.inference.generate import answer_states
from kd_kedro.losses.chunked_head import head_logits
from kd_kedro.losses.divergence_names import FULL
from kd_kedro.losses.divergences import DIVERGENCES
from kd_kedro.losses.event_log_probs import event_log_probs
from kd_kedro.losses.mixture import mixture
from kd_kedro.models.encoding import NO_PROMPTS, Batch, Prompts, read_by
from kd_kedro.models.modes import decoder_start
from kd_kedro.models.precision import autocast


class Signal(Protocol):
    """The teacher's opinion on the answer tokens of one batch, at one temperature."""

    @property
    def temperature(self) -> float:
        """What both sides' logits are divided by before the softmax."""
        ...

    @property
    def hidden(self) -> torch.Tensor | None:
        """(tokens, teacher width) what the teacher's head was given, where it was kept."""
        ...

    def part(self, start: int, end: int) -> "Signal":
        """Return the signal of a range of tokens."""
        ...

    def divergence(self, name: str, weight: float, logits: torch.Tensor) -> torch.Tensor:
        """Return the divergence of a student from the teacher, token by token.

        Args:
            name: One that the source serves.
            weight: Weight of the teacher in mixtures.
            logits: (tokens, student vocabulary) float32 or float64, not yet divided.

        Returns:
            (tokens,) nats.
        """
        ...


class TargetSource(Protocol):
    """Where signals come from.

    Attributes:
        serves: The divergences this source gives exactly (a sampled one: in expectation over its
            draws); others must be refused.
        temperatures: Those it can be asked at; None for any.
        hidden_width: Size of the hidden states its signals carry; None where they carry none.
        fingerprint: What determines every signal.
    """

    serves: frozenset[str]
    temperatures: tuple[float, ...] | None
    hidden_width: int | None
    fingerprint: str

    def signal(self, batch: Batch, temperature: float) -> Signal:
        """Return the signal for the answer tokens of a batch, row by row."""
        ...


@dataclass(frozen=True)
class DenseSignal:
    """The teacher's whole distribution: (tokens, shared vocabulary) log probabilities."""

    teacher: torch.Tensor
    temperature: float
    hidden: torch.Tensor | None = None

    def part(self, start: int, end: int) -> "DenseSignal":
        """Return the signal of a range of tokens."""
        hidden = None if self.hidden is None else self.hidden[start:end]
        return DenseSignal(self.teacher[start:end], self.temperature, hidden)

    def divergence(self, name: str, weight: float, logits: torch.Tensor) -> torch.Tensor:
        """Return the divergence over the shared ids: cut first, then softmax."""
        shared = shared_logits(logits, self.teacher.shape[-1], self.temperature)
        return DIVERGENCES[name](self.teacher, torch.log_softmax(shared, -1), weight)


@dataclass(frozen=True)
class TopKSignal:
    """The teacher's k most likely tokens, and all others as one bucket, the last event.

    Attributes:
        teacher: (tokens, k + 1) log probabilities, summing to one with the bucket.
        ids: (tokens, k) int64 token ids of the first k events.
        vocabulary: Number of ids that teacher and student share.
        temperature: Temperature of the signal, see `Signal`.
        hidden: Hidden states, see `Signal`.
    """

    teacher: torch.Tensor
    ids: torch.Tensor
    vocabulary: int
    temperature: float
    hidden: torch.Tensor | None = None

    def part(self, start: int, end: int) -> "TopKSignal":
        """Return the signal of a range of tokens."""
        hidden = None if self.hidden is None else self.hidden[start:end]
        teacher, ids = self.teacher[start:end], self.ids[start:end]
        return TopKSignal(teacher, ids, self.vocabulary, self.temperature, hidden)

    def divergence(self, name: str, weight: float, logits: torch.Tensor) -> torch.Tensor:
        """Return the divergence over the k tokens and the bucket."""
        shared = shared_logits(logits, self.vocabulary, self.temperature)
        student = event_log_probs(shared, self.ids, self.ids.shape[-1])
        return DIVERGENCES[name](self.teacher, student, weight)


@dataclass(frozen=True)
class SampledSignal:
    """A weighted sample of the teacher's tokens: an unbiased estimate of the forward KL.

    Each entry counts a share whose mean over the draws is the teacher's probability. So
    sum(share log q) is sum(p log q) in expectation, and -H(p) less that is the divergence, with its
    gradient (Anshumann et al., 2025, arXiv:2503.16870, section 4).

    Attributes:
        shares: (tokens, entries), what each token counts; 0 where a token has fewer entries.
        ids: (tokens, entries) int64.
        entropy: (tokens,) nats, of the teacher's whole distribution; an estimate of it, too, whose
            sum over a row is what counts.
        vocabulary: Number of ids that teacher and student share.
        temperature: Temperature of the signal, see `Signal`.
        hidden: Hidden states, see `Signal`.
    """

    shares: torch.Tensor
    ids: torch.Tensor
    entropy: torch.Tensor
    vocabulary: int
    temperature: float
    hidden: torch.Tensor | None = None

    def part(self, start: int, end: int) -> "SampledSignal":
        """Return the signal of a range of tokens."""
        hidden = None if self.hidden is None else self.hidden[start:end]
        shares, ids, entropy = (each[start:end] for each in (self.shares, self.ids, self.entropy))
        return SampledSignal(shares, ids, entropy, self.vocabulary, self.temperature, hidden)

    def divergence(self, name: str, _: float, logits: torch.Tensor) -> torch.Tensor:
        """Return the estimate, which for a single token may lie below zero."""
        shared = shared_logits(logits, self.vocabulary, self.temperature)
        student = event_log_probs(shared, self.ids, 0)
        return -self.entropy - (self.shares * student).sum(-1)


class LiveTeacher:
    """A source that asks the teacher anew for every batch: the reference for every cache.

    Args:
        model: The teacher.
        vocabulary: Number of ids that teacher and student share.
        fingerprint: What determines every signal.
        further: More models, with their shares of the probability; the first one has the rest.
        precision: `fp32` or `bf16`, of the forward passes.
        prompts: What it reads in place of a row's prompt, by row id; see `training.contexts`.
    """

    serves: frozenset[str] = FULL
    temperatures: tuple[float, ...] | None = None

    def __init__(
        self,
        model: Any,
        vocabulary: int,
        fingerprint: str,
        *,
        further: Sequence[tuple[Any, float]] = (),
        precision: str = "fp32",
        prompts: Prompts = NO_PROMPTS,
    ) -> None:
        first = 1.0 - sum(share for _, share in further)
        self.models = [(model.eval(), first), *((each.eval(), share) for each, share in further)]
        width: int = model.get_output_embeddings().weight.shape[1]
        self.hidden_width = None if further else width
        self.vocabulary = vocabulary
        self.precision = precision
        self.prompts = prompts
        self.fingerprint = fingerprint

    def signal(self, batch: Batch, temperature: float) -> DenseSignal:
        """Return the teacher's distribution over the shared ids, without gradients."""
        device = batch.labels.device
        with torch.no_grad(), autocast(self.precision, device):
            if len(self.models) == 1:
                ((model, _),) = self.models
                hidden = self._states(model, batch)
                log_probs = log_probs_of(model, hidden, temperature, self.vocabulary)
                return DenseSignal(log_probs.to(device), temperature, hidden.to(device))
            mixed = mixture(
                [
                    (
                        log_probs_of(model, self._states(model, batch), 1.0, self.vocabulary).to(
                            device
                        ),
                        share,
                    )
                    for model, share in self.models
                ]
            )
            return DenseSignal(torch.log_softmax(mixed / temperature, -1), temperature)

    def _states(self, model: Any, batch: Batch) -> torch.Tensor:
        read = read_by(batch, decoder_start(model), self.prompts)
        return answer_states(model, read.to(model.device))


def log_probs_of(
    model: Any, hidden: torch.Tensor, temperature: float, vocabulary: int
) -> torch.Tensor:
    """Return (tokens, vocabulary) log probabilities over the shared ids, float32 or wider.

    Args:
        model: The model whose head is asked.
        hidden: (tokens, width), what the head is given.
        temperature: What the logits are divided by.
        vocabulary: Number of ids that teacher and student share.
    """
    logits = head_logits(model.get_output_embeddings(), hidden)
    wide = torch.promote_types(logits.dtype, torch.float32)
    if temperature != 1:  # else the softmax widens them on its way, which saves a pass
        logits = logits.to(wide)
    return torch.log_softmax(shared_logits(logits, vocabulary, temperature), -1, dtype=wide)


def shared_logits(logits: torch.Tensor, vocabulary: int, temperature: float) -> torch.Tensor:
    """Return logits of the ids both sides have, divided by the temperature.

    Where there is nothing to cut or to divide they are returned as they are: each would be a pass
    over the vocabulary forward, and one more backward.
    """
    if vocabulary < logits.shape[-1]:
        logits = logits[:, :vocabulary]
    return logits if temperature == 1 else logits / temperature
