"""Parameters of the distillation pipeline, one group for each thing that can go stale alone."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from kd_kedro.curation.records.schema import OWN
from kd_kedro.models.model_config import AdapterConfig, ArchitectureConfig, PruningConfig
from kd_kedro.models.prompt_format import CHAT, TEMPLATE, PromptFormat, field_names
from kd_kedro.training.examples import EXAMPLE_COLUMNS
from kd_kedro.training.loop.training_config import OPERATIONAL, TrainingConfig

CONFIG = ConfigDict(extra="forbid", frozen=True)

INSTEAD_OF_CUT = ("pretrained", "copy_layers", "tokenizer")  # of a student, with what it is made
MOST_TOKENS = 131_072  # that a model is trained to read
PLAIN = "plain"  # the format of prompts that is built in
# No fields of a prompt: what is learned, who teaches, what only a teacher may read, what a row is.
NO_FIELDS = {*OWN, *EXAMPLE_COLUMNS} - {"question"}
Style = Literal["original", "formal", "casual", "general", "typo"]
Account = Literal["given", "counted"]  # of compute: without the teacher's training, with it


class ExampleParams(BaseModel):
    """Which rows are learned from, and how long they may be."""

    model_config = CONFIG

    styles: tuple[Style, ...] = Field(
        default=("original", "formal", "casual", "general", "typo"),
        min_length=1,
        description="Styles of the training rows that models are trained on.",
    )
    max_augmented_rows: int = Field(
        ge=0,
        description="Most training rows of styles other than original, chosen by a hash.",
    )
    max_length: int = Field(
        ge=8,
        le=MOST_TOKENS,
        description=(
            "Most tokens of prompt and answer together; longer rows are cut, counted and listed."
        ),
    )
    max_cut_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        json_schema_extra=OPERATIONAL,
        description=(
            "Share of rows that may be longer than max_length; where more of the training, the "
            "validation or the held-out rows are, the run stops before training."
        ),
    )
    validation_rows: int = Field(
        default=300,
        ge=0,
        description="Most rows of the validation split that early stopping looks at; 0 for none.",
    )
    format: str = Field(
        default=PLAIN,
        description=(
            "How models are asked: plain (Question: … Answer:), chat (the chat template of the "
            "tokenizer), or the name of one of templates."
        ),
    )
    templates: dict[str, str] = Field(
        default={},
        description=(
            "Prompts of your own by name, with fields of the row in braces, such as "
            '"summarize: {question}"; a further column of the sheet (columns.NAME) is a field.'
        ),
    )
    system: str = Field(
        default="",
        description=(
            "What a chat begins with where its row has no system message; empty to leave that to "
            "the chat template."
        ),
    )

    turns: Literal["last", "all"] = Field(
        default="last",
        description=(
            "What of a conversation is learned: what the assistant says last, or each of its turns."
        ),
    )

    @model_validator(mode="after")
    def _asks_in_a_known_format(self) -> "ExampleParams":
        own = sorted({*self.templates} & {PLAIN, CHAT})
        if own:
            raise ValueError(f"templates.{own[0]} has the name of a format that is built in")
        for name, template in self.templates.items():
            try:
                fields = field_names(template)
            except ValueError as error:
                raise ValueError(f"templates.{name}: {error}") from error
            if not {"question"} <= {*fields} or {*fields} & NO_FIELDS:
                raise ValueError(
                    f"templates.{name} has the fields {', '.join(fields) or 'none'}: it must have "
                    "question, and beside it only further columns of the sheet (columns.NAME), "
                    "not answer, context or another that the project makes"
                )
        if self.format not in (PLAIN, CHAT, *self.templates):
            known = ", ".join((PLAIN, CHAT, *self.templates))
            raise ValueError(f"format is {self.format!r}, which is none of {known}")
        if self.system and self.format != CHAT:
            raise ValueError("system is read by the format chat alone; empty it, or choose chat")
        return self

    @property
    def prompt_format(self) -> PromptFormat:
        """How models are asked."""
        if self.format == CHAT:
            return PromptFormat(CHAT, self.system)
        return PromptFormat(self.templates.get(self.format, TEMPLATE))

    @property
    def fields(self) -> tuple[str, ...]:
        """What of a row prompts are made of."""
        template = self.prompt_format.template
        return ("question",) if template == CHAT else tuple(field_names(template))


class TokenizerParams(BaseModel):
    """The tokenizer that teacher and students share."""

    model_config = CONFIG

    pretrained: str = Field(
        default="",
        description="Hub name or folder of an existing tokenizer; empty to train one here.",
    )
    vocab_size: int = Field(
        ge=258, le=262_144, description="Most tokens of a tokenizer trained here."
    )
    min_frequency: int = Field(
        default=2, ge=1, description="How often a pair of tokens must occur to become one."
    )


class TeacherParams(BaseModel):
    """The teacher: made here, or pretrained and fine-tuned here."""

    model_config = CONFIG

    pretrained: str = Field(
        default="",
        description=(
            "Hub name or folder (safetensors only) of a causal or encoder-decoder model, or of an "
            "encoder, which becomes both halves of one; empty to make one here."
        ),
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description=(
            "Dtype a pretrained teacher is loaded in; auto is as stored, float32 for float16 "
            "without a GPU."
        ),
    )
    fine_tune: bool = Field(
        default=True, description="Train the teacher on the answers of the sheet."
    )
    served: bool = Field(
        default=False,
        description=(
            "The teacher is behind a server, which teacher in the catalog describes: nothing is "
            "made or trained here, and its probabilities are asked for at capture."
        ),
    )
    seed: int = Field(default=1, ge=0, description="Seed of its weights, row order and dropout.")
    architecture: ArchitectureConfig = Field(description="Size of a teacher that is made here.")
    training: TrainingConfig = Field(
        description="How it is trained; what is left out is as in distillation.training."
    )

    @model_validator(mode="after")
    def _teaches(self) -> "TeacherParams":
        if self.served and (self.pretrained or self.fine_tune):
            named = "fine_tune is true" if self.fine_tune else f"pretrained is {self.pretrained}"
            raise ValueError(
                f"served is true, so that the teacher is behind a server, but {named}: set "
                "pretrained to '' and fine_tune to false"
            )
        if not self.pretrained and not self.fine_tune and not self.served:
            raise ValueError("an untrained teacher teaches nothing: fine_tune must be true")
        return self


class EnsembleParams(BaseModel):
    """The other teachers of an ensemble: all probabilities are averaged at capture."""

    model_config = CONFIG

    seeds: tuple[int, ...] = Field(
        default=(), description="Seeds of other teachers, made or fine-tuned as the first one is."
    )
    pretrained: tuple[str, ...] = Field(
        default=(),
        description="Hub names or folders of other teachers of the same tokenizer, used as is.",
    )
    weights: tuple[float, ...] = Field(
        default=(),
        description=(
            "Weights of the first teacher, those of the seeds and the pretrained ones; none for "
            "equal weights."
        ),
    )

    @model_validator(mode="after")
    def _one_weight_each(self) -> "EnsembleParams":
        count = 1 + len(self.seeds) + len(self.pretrained)
        if self.weights and (len(self.weights) != count or min(self.weights) <= 0):
            raise ValueError(f"weights must be {count} numbers above 0, the first teacher's first")
        return self

    @property
    def shares(self) -> list[float]:
        """The other teachers' shares of the probability; the first one has the rest."""
        weights = self.weights or (1.0,) * (1 + len(self.seeds) + len(self.pretrained))
        return [weight / sum(weights) for weight in weights[1:]]


class SequenceLevelParams(BaseModel):
    """Answers that a teacher writes to the training questions, for students to be trained on."""

    model_config = CONFIG

    source: Literal["none", "teacher", "generator"] = Field(
        default="none",
        description=(
            "Who writes them: nobody; the teacher of this run; or text_generator of the catalog, "
            "such as a server, by its prompt for the task answer."
        ),
    )
    keep_reference: bool = Field(
        default=True,
        description="Train students on the reference answers as well as on the teacher's.",
    )
    must_match: bool = Field(
        default=True,
        description="Reject an answer that differs from a reference answer that can be graded.",
    )
    max_new_tokens: int = Field(
        default=96,
        ge=1,
        le=65_536,
        description="Tokens after which the teacher's answer is cut, and rejected.",
    )
    batch_size: int = Field(
        default=64, ge=1, le=65_536, description="Questions the teacher answers at once."
    )
    seed: int = Field(
        default=0, ge=0, description="Chooses among the answers of a generator that samples."
    )


class StudentParams(BaseModel):
    """The student, and the baseline that is its twin without a teacher."""

    model_config = CONFIG

    tokenizer: str = Field(
        default="",
        description=(
            "Hub name or folder of the student's own tokenizer, where it is not the teacher's: it "
            "then learns from answers alone (sequence_level); empty for the teacher's."
        ),
    )
    pretrained: str = Field(
        default="",
        description=(
            "Hub name or folder (safetensors only) of a causal or encoder-decoder model, or of an "
            "encoder, which becomes both halves of one; empty to make one here."
        ),
    )
    copy_layers: tuple[NonNegativeInt, ...] = Field(
        default=(),
        description=(
            "Numbers of the teacher's layers, from 0, that the student is made of, with the "
            "teacher's embeddings, norms and head; the baseline then has that shape and random "
            "weights. Empty to copy none."
        ),
    )
    from_teacher: PruningConfig = Field(
        default=PruningConfig(),
        description=(
            "Sizes of a student that is cut out of the teacher (structured pruning); the baseline "
            "then has that shape and random weights. null for a student that is not cut; not "
            "read where pretrained, copy_layers or tokenizer make another one."
        ),
    )
    adapter: AdapterConfig = Field(
        default=AdapterConfig(), description="LoRA or QLoRA on a pretrained student."
    )
    architecture: ArchitectureConfig = Field(
        default=ArchitectureConfig(num_hidden_layers=2, hidden_size=96, num_attention_heads=3),
        description="Size of a student with random weights that is made here.",
    )

    @model_validator(mode="before")
    @classmethod
    def _is_cut_where_nothing_else_is_asked(cls, values: Any) -> Any:
        """Take `from_teacher`, which conf/base gives, for a student that nothing else makes."""
        if not isinstance(values, Mapping):
            return values
        otherwise = any(values.get(name) for name in INSTEAD_OF_CUT)
        if otherwise or values.get("from_teacher", {}) is None:
            return {**values, "from_teacher": {}}
        return values

    @model_validator(mode="after")
    def _is_made_one_way(self) -> "StudentParams":
        if self.copy_layers and self.pretrained:
            raise ValueError("copy_layers and pretrained are two students; empty one of them")
        if self.copy_layers and self.tokenizer:
            raise ValueError(
                "copy_layers brings the teacher's embeddings, which belong to the teacher's "
                "tokenizer; empty tokenizer or copy_layers"
            )
        if self.adapter.kind != "none" and not self.pretrained:
            raise ValueError(
                f"adapter.kind is {self.adapter.kind} but pretrained is empty: an adapter changes "
                "a model that has learned before"
            )
        return self

    @property
    def starts_as_teacher(self) -> bool:
        """Whether its first weights are some of the teacher's."""
        return bool(self.copy_layers) or self.from_teacher.cuts


class BaselineParams(BaseModel):
    """The student's twin without a teacher: what it does not share with the student."""

    model_config = CONFIG

    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description=(
            "Its peak learning rate, which a study of its own chooses (--tuned); null for that of "
            "distillation.training."
        ),
    )

    def trains(self, training: TrainingConfig) -> TrainingConfig:
        """Return the student's training as the baseline has it."""
        if self.learning_rate is None:
            return training
        return training.model_copy(update={"learning_rate": self.learning_rate})


class SeedParams(BaseModel):
    """Seeds of the students; `student` is the first one's, fixed beforehand."""

    model_config = CONFIG

    first: int = Field(default=1, ge=0, description="Seed of baseline_student and student.")
    count: int = Field(
        ge=1, le=100, description="Seeds in all; those after the first are in student_seeds."
    )
    workers: int = Field(
        default=1,
        json_schema_extra=OPERATIONAL,
        ge=1,
        le=256,
        description=(
            "Processes that train students of further seeds side by side, each with its share of "
            "the cores and with teacher and rows of its own; faster where students are small. "
            "Without effect where training.num_processes or num_nodes is above 1."
        ),
    )


class ControlParams(BaseModel):
    """Models that are trained only to be compared with."""

    model_config = CONFIG

    baseline: BaselineParams = Field(
        default=BaselineParams(), description="What the baseline does not share with the student."
    )
    cut_untaught: bool = Field(
        default=True,
        description=(
            "Where students begin with weights of the teacher: train such a start on the reference "
            "answers alone too, for every seed, so that the report can tell what of the gain is "
            "the start and what the targets."
        ),
    )
    patient: Literal["none", "given", "counted", "both"] = Field(
        default="none",
        description=(
            "Train the baseline with as much compute as capture and student took together (given: "
            "the teacher was there before), with that of the teacher's training in the run too "
            "(counted), or one twin of each kind (both), for every seed: would plain training have "
            "bought the gain?"
        ),
    )
    pretrained_teacher: bool = Field(
        default=False,
        description=(
            "Where a pretrained teacher is fine-tuned: ask it the held-out questions as it came "
            "too, so that the report can tell what fine-tuning brought."
        ),
    )
    teacher_seed: int | None = Field(
        default=2,
        ge=0,
        description=(
            "Seed of a second teacher; how far it is from the first is the floor under the "
            "student's distance. null for none: it costs a teacher's training."
        ),
    )

    def as_it_came(self, teacher: TeacherParams) -> TeacherParams | None:
        """Return the teacher before its fine-tuning; None where that is not asked."""
        if not (self.pretrained_teacher and teacher.pretrained and teacher.fine_tune):
            return None
        return teacher.model_copy(update={"fine_tune": False})

    @property
    def patient_accounts(self) -> tuple[Account, ...]:
        """The accounts of the compute by which a patient twin is trained."""
        if self.patient == "none":
            return ()
        return ("given", "counted") if self.patient == "both" else (self.patient,)
