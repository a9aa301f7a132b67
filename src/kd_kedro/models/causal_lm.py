"""A language model with the tokenizer it was trained with and the card that tells its origin."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.models.encoding import Example

FIRST = "teacher"  # what the first one of an ensemble is named
NO_SERVER = (
    "distillation.teacher.served is true, but teacher in the catalog is a folder of weights: "
    "describe the server there (ServedTeacherDataset, docs/distillation.md), or add --env served"
)


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A language model, its tokenizer, and what made it.

    Attributes:
        model: A `transformers` causal or encoder-decoder language model, or one of them with an
            adapter (`peft`); None of a teacher behind a server.
        tokenizer: Its fast tokenizer.
        card: Plain JSON values: architecture, parameter count, training settings, fingerprint of
            the weights, where the weights came from.
        ensemble: The others of an ensemble of teachers, by name; the card of each has its `share`
            of the probability, this model has the rest.
        server: Who is asked where the model is behind a server
            (`training.teacher.teacher_server.TeacherServer`).
    """

    model: Any
    tokenizer: Any
    card: Mapping[str, Any] = field(default_factory=dict)
    ensemble: Mapping[str, "LanguageModel"] = field(default_factory=dict)
    server: Any = None

    @property
    def parameters(self) -> int:
        """The number of weights, tied ones counted once."""
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def max_length(self) -> int:
        """The longest sequence the model takes, in tokens, prompt and answer together.

        Of an ensemble, the longest that all of them take.
        """
        if self.model is None:
            return int(self.card["max_length"])
        longest = positions(self.model)
        own = min(int(self.card.get("max_length") or longest), longest)
        return min([own, *(each.max_length for each in self.ensemble.values())])

    @property
    def members(self) -> list[tuple["LanguageModel", float]]:
        """This model and the others of its ensemble with their shares, which sum to one."""
        members = [self.ensemble[name] for name in sorted(self.ensemble)]
        others = [(member, float(member.card["share"])) for member in members]
        return [(self, 1.0 - sum(share for _, share in others)), *others]

    def named(self, name: str) -> "LanguageModel":
        """Return one of an ensemble by its name, `FIRST` for this model alone, all of it for ''."""
        if not name:
            return self
        return replace(self, ensemble={}) if name == FIRST else self.ensemble[name]


def positions(model: Any) -> int:
    """Return the longest sequence a model can read, in tokens; a million without a bound."""
    config = model.config
    halves = [getattr(config, name, None) or config for name in ("encoder", "decoder")]
    known = [getattr(half, "max_position_embeddings", None) for half in halves]
    return min(int(count or 1_000_000) for count in known)


def check_length(models: Iterable[Any], rows: "Sequence[Example]") -> None:
    """Make sure that models have positions for the longest row.

    Raises:
        ValueError: If one has not.
    """
    for model in models:
        longest = max((tokens_read(model, row) for row in rows), default=0)
        if longest > positions(model):
            raise ValueError(
                f"a row has {longest} tokens but {type(model).__name__} has positions for "
                f"{positions(model)}: lower distillation.examples.max_length, or shorten its "
                "context where it has one"
            )


def tokens_read(model: Any, row: "Example") -> int:
    """Return the positions that a model needs for a row.

    An encoder reads the prompt, its decoder the answer, a causal model both.
    """
    if model.config.is_encoder_decoder:
        return max(len(row.encoder_ids), row.begin + row.answer_tokens)
    return len(row.input_ids)
