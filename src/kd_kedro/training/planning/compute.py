"""The compute that a distillation takes, and what plain training would read for as much."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.training.loop.training_config import TrainingConfig, planned_steps

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.models.encoding import Example

# FLOPs a parameter and token: 2 of the forward pass, twice as many of the backward pass (Kaplan et
# al., 2020, arXiv:2001.08361, section 2.1). Attention within the context and padding are left out.
FORWARD = 2.0
TRAINING = 3 * FORWARD
_ENOUGH = 1_000_000.0  # epochs: the tokens alone end a patient training


@dataclass(frozen=True)
class Compute:
    """What a distillation takes.

    Attributes:
        tokens: Tokens that the student's training reads.
        asking: FLOPs of asking the teachers, at capture or live.
        teachers: FLOPs of the teachers' trainings in the run; 0 where they were there before.
    """

    tokens: float
    asking: float
    teachers: float

    def patient_tokens(self, parameters: int) -> dict[str, float]:
        """Return what a model reads by plain training with all of it, by account.

        Args:
            parameters: The model's.

        Returns:
            `given`, the teachers' trainings left out; `counted`, with them, where there were any.
        """
        a_token = TRAINING * parameters
        given = self.tokens + self.asking / a_token
        if not self.teachers:
            return {"given": given}
        return {"given": given, "counted": given + self.teachers / a_token}


def compute_taken(
    teachers: Iterable[LanguageModel], rows: "Sequence[Example]", *, asked: float, tokens: float
) -> Compute:
    """Return what a distillation takes; of the teachers what their trainings really read.

    Args:
        teachers: The teachers; their cards say what their trainings in the run were.
        rows: What they were trained on.
        asked: Tokens at which every teacher is asked.
        tokens: Tokens that the student's training reads.
    """
    asking = trained = 0.0
    for teacher in teachers:
        asking += FORWARD * teacher.parameters * asked
        if steps := teacher.card.get("steps"):
            settings = TrainingConfig.model_validate(teacher.card["training"])
            trained += TRAINING * teacher.parameters * tokens_read(rows, steps, settings)
    return Compute(tokens, asking, trained)


def planned_tokens(rows: "Sequence[Example]", settings: TrainingConfig) -> float:
    """Return the tokens that a training reads where nothing stops it early."""
    return tokens_read(rows, planned_steps(rows, settings), settings)


def tokens_read(rows: "Sequence[Example]", steps: int, settings: TrainingConfig) -> float:
    """Return the tokens that some steps read, on the mean of the rows."""
    batch = settings.batch_size * settings.gradient_accumulation_steps
    return steps * batch * sum(len(row.input_ids) for row in rows) / len(rows)


def patient_training(settings: TrainingConfig, tokens: float, own: float) -> dict[str, Any]:
    """Return the fields of a training that change where it reads so many tokens.

    It is not stopped early, and the validation rows are scored as often a token.

    Args:
        settings: The training of the student's twin.
        tokens: Tokens to read.
        own: Tokens that the twin's own training reads.
    """
    return {
        "max_tokens": round(tokens),
        "epochs": _ENOUGH,
        "max_steps": 0,
        "patience": 0,
        "num_evaluations": max(1, round(settings.num_evaluations * tokens / own)),
    }
