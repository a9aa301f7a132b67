"""On-policy distillation: the student answers, and the teacher itself judges its words.

Agarwal et al., 2024 (GKD, arXiv:2306.13649): in a share of the batches the reference answers give
way to ones that the student samples. There is one rule for who is asked: reference answers are
judged by the targets of the training, sampled ones by the live teacher, for no cache can know them.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch

from kd_kedro.models.causal_lm import positions
from kd_kedro.models.encoding import Batch, Example, answered_rows, collate, with_prompts
from kd_kedro.models.modes import decoder_start, evaluating
from kd_kedro.storage.fingerprints import settings_fingerprint
from kd_kedro.training.loop.training_config import OnPolicyConfig
from kd_kedro.training.teacher.signals import LiveTeacher


@dataclass(frozen=True)
class OnPolicy:
    """How a student samples answers.

    Attributes:
        teacher: The teacher that judges the sampled answers.
        config: Share, temperature and length of sampled answers; a cut one has no end token.
        end: The end-of-sequence token.
        padding: The padding token.
    """

    teacher: LiveTeacher
    config: OnPolicyConfig
    end: int
    padding: int

    @property
    def settings(self) -> dict[str, Any]:
        """All that determines which answers are sampled and what is said of them."""
        return {
            **self.config.model_dump(),
            "end": self.end,
            "padding": self.padding,
            "teacher": self.teacher.fingerprint,
        }

    def chooses(self, *place: int) -> bool:
        """Say whether the batch of a place (seed, step, number) is to be sampled."""
        return bool(torch.rand((), generator=_generator("batch", *place)) < self.config.share)

    def sample(self, model: Any, batch: Batch, *place: int) -> Batch:
        """Return a batch of the same prompts with answers sampled from the student.

        The draws depend on the place and the weights alone: the random state of the training is
        left as it was, and a resumed training samples the same.

        Args:
            model: The student; it samples without dropout.
            batch: The batch whose prompts are answered.
            place: Seed, step, number of the batch and of the process.
        """
        rows = answered_rows(batch)
        if not rows:  # a process without a row of its own
            return batch
        with torch.random.fork_rng():
            torch.manual_seed(_seed("answers", *place))
            answers = self._answers(model, rows)
        sampled = [
            replace(row, input_ids=(*row.input_ids[: row.answer_start], *answer))
            for row, answer in zip(rows, answers, strict=True)
        ]
        return replace(collate(sampled, self.padding, decoder_start(model)), written=False)

    def _answers(self, model: Any, rows: list[Example]) -> list[list[int]]:
        start = decoder_start(model)
        prompts = [
            row.input_ids[: row.answer_start] if start is None else row.encoder_ids for row in rows
        ]
        longest = max(map(len, prompts))
        judged = [row.answer_start for row in with_prompts(rows, self.teacher.prompts)]
        budget = positions(model) - longest
        for judge, _ in self.teacher.models:
            budget = min(budget, positions(judge) - max(longest, *judged))
        ids = torch.full((len(prompts), longest), self.padding)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            # A causal model goes on at the right end; an encoder counts positions from the left.
            first = longest - len(prompt) if start is None else 0
            ids[row, first : first + len(prompt)] = torch.tensor(prompt)
            mask[row, first : first + len(prompt)] = 1
        given: dict[str, Any]
        if start is None:
            read = longest
            given = {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0).to(model.device)}
        else:
            before = torch.tensor([row.decoder_prefix(start) for row in rows])
            read = before.shape[1]
            given = {"decoder_input_ids": before.to(model.device), "decoder_start_token_id": start}
        with evaluating(model):
            generated = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                **given,
                max_new_tokens=max(1, min(self.config.max_new_tokens, budget)),
                do_sample=True,
                temperature=self.config.temperature,
                top_k=0,
                top_p=1.0,
                num_beams=1,
                use_cache=True,
                eos_token_id=self.end,
                pad_token_id=self.padding,
            )
        return [self._until_end(row) for row in generated[:, read:]]

    def _until_end(self, generated: torch.Tensor) -> list[int]:
        ids: list[int] = generated.tolist()
        return ids[: ids.index(self.end) + 1] if self.end in ids else ids


def _generator(*words: Any) -> torch.Generator:
    return torch.Generator().manual_seed(_seed(*words))


def _seed(*words: Any) -> int:
    return int(settings_fingerprint(list(words))[:12], 16)
