"""Parameters of the evaluation pipeline."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kd_kedro.metrics.scores.metric_table import METRICS

_CONFIG = ConfigDict(extra="forbid", frozen=True)


class AnsweringParams(BaseModel):
    """How the held-out rows are answered and scored."""

    model_config = _CONFIG

    max_rows: int = Field(
        default=450,
        ge=2,
        description="Held-out rows to use at most; whole families, chosen by a hash of their name.",
    )
    max_new_tokens: int = Field(
        default=64, ge=1, le=4096, description="Tokens after which an answer is cut."
    )
    batch_size: int = Field(default=64, ge=1, le=4096, description="Rows answered at once.")
    threads: int = Field(
        default=1,
        ge=0,
        le=1024,
        description=(
            "CPU threads for answering; 0 leaves it to torch. Small models write token by token "
            "fastest on one: with two, a busy machine was six times slower."
        ),
    )
    label_families: int = Field(
        default=10,
        ge=2,
        description=(
            "An answer of words that so many train families share is a label, and held-out rows "
            "with it are classified."
        ),
    )
    seed: int = Field(default=0, ge=0, description="Seed of the shuffled answers.")


class VerdictParams(BaseModel):
    """How sure the verdict must be."""

    model_config = _CONFIG

    primary: tuple[str, ...] = Field(
        default=("perplexity", "bleu", "exact_match"),
        min_length=1,
        description=(
            "Metrics that decide the verdict, Holm-adjusted among themselves; all others are "
            "reported, adjusted among themselves, and decide nothing."
        ),
    )
    confidence: float = Field(
        default=0.95,
        ge=0.5,
        le=0.999,
        description="Confidence of the differences, over all metrics of a role together (Holm).",
    )
    margin: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description=(
            "Share of the teacher's score that the student may lose and still be non-inferior."
        ),
    )
    draws: int = Field(
        default=10_000,
        ge=1_000,
        le=1_000_000,
        description="Bootstrap draws over held-out families and seeds, and permutations.",
    )
    min_families: int = Field(
        default=30,
        ge=2,
        description="Fewer held-out families than this cannot be judged: not applicable.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of bootstrap and permutations.")

    @field_validator("primary")
    @classmethod
    def _known(cls, primary: tuple[str, ...]) -> tuple[str, ...]:
        known = {metric.name: metric for metric in METRICS}
        for name in primary:
            if name not in known:
                raise ValueError(f"there is no metric {name}; there are {', '.join(known)}")
            if not known[name].against_teacher:
                raise ValueError(
                    f"{name} is nearness to the teacher, which distillation works for: it cannot "
                    "decide whether that did any good"
                )
        if len(set(primary)) < len(primary):
            raise ValueError("a metric is named twice")
        return primary


class CompressionParams(BaseModel):
    """How teacher, student and the student's variants are weighed and timed."""

    model_config = _CONFIG

    prompts: int = Field(
        default=120,
        ge=3,
        description="Most turns of a setting: questions to time, of those that are answered.",
    )
    new_tokens: int = Field(
        default=16, ge=1, le=4096, description="Tokens of every timed answer, for all models."
    )
    max_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Seconds of a setting of threads and batch after which no turn is begun.",
    )
    batch_sizes: list[Annotated[int, Field(ge=1, le=1024)]] = Field(
        default=[1, 8],
        min_length=1,
        description="Questions answered together; the first is the one of the ratios.",
    )
    threads: list[Annotated[int, Field(ge=0, le=1024)]] = Field(
        default=[1, 0],
        min_length=1,
        description="CPU threads, 0 for all cores; the first are those of the ratios.",
    )
    max_spread: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description=(
            "A ratio whose 95 % interval is wider than this to either side, as a share of the "
            "ratio, is refused. Three runs at 0.05 differ by less than 10 % nineteen times of "
            "twenty."
        ),
    )
    variants: list[Literal["torch_int8", "onnx", "onnx_int8"]] = Field(
        default=["torch_int8", "onnx", "onnx_int8"],
        description="Forms of the student to make and judge; those of ONNX need kd_kedro[onnx].",
    )
    scored_rows: int = Field(
        default=200,
        ge=1,
        description="Rows that variants are judged on at most, of those that are answered.",
    )
    margin: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="A variant whose perplexity may have risen by more than this is rejected.",
    )
    confidence: float = Field(
        default=0.95, ge=0.5, le=0.999, description="Confidence of that one-sided interval."
    )
    draws: int = Field(
        default=2_000, ge=100, le=1_000_000, description="Bootstrap draws of that interval."
    )
    min_families: int = Field(
        default=30, ge=2, description="With fewer held-out families every variant is rejected."
    )
    logit_tolerance: float = Field(
        default=1e-3,
        gt=0,
        le=1,
        description="Most that ONNX logits in float32 may differ, as a share of the largest.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the bootstrap.")


class SlicesParams(BaseModel):
    """Which parts of the held-out rows are looked at."""

    model_config = _CONFIG

    min_families: int = Field(
        default=10, ge=1, description="Smaller slices are shown but not named as the worst."
    )
    topics: int = Field(default=8, ge=1, le=100, description="Topics to find, at most.")
    seed: int = Field(default=0, ge=0, description="Seed of the search for topics.")


class PromotionParams(BaseModel):
    """When `kedro promote` lets a student take the champion's place in MLflow's registry."""

    model_config = _CONFIG

    model: str = Field(
        default="kd_kedro_student",
        min_length=1,
        pattern=r"^[^/:\"'\s]+$",
        description="Name of the registered model whose versions the students are.",
    )
    saving: float = Field(
        default=0.1,
        gt=0,
        le=10,
        description="How much smaller or faster a newcomer must be to count as such: 0.1 is 10 %.",
    )


class LeakageParams(BaseModel):
    """When a held-out row counts as seen in training."""

    model_config = _CONFIG

    ngram: int = Field(default=5, ge=1, le=50, description="Words of an n-gram.")
    ngram_share: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="A question is near by words where so many of its n-grams occur in train.",
    )
    cosine: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="A question is near by meaning from this cosine to a train question on.",
    )
    max_near_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="The report warns where more of the held-out rows are near.",
    )


class EvaluationParams(BaseModel):
    """All parameters of the evaluation pipeline."""

    model_config = _CONFIG

    answering: AnsweringParams
    leakage: LeakageParams
    verdict: VerdictParams
    compression: CompressionParams
    slices: SlicesParams
    promotion: PromotionParams
