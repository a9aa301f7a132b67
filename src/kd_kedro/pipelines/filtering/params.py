"""What can be chosen about filtering."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kd_kedro.curation.duplicates.near_questions import Nearness
from kd_kedro.curation.relevance.soap import Settings


class SoapParams(BaseModel):
    """The semantic outlier filter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto", "reviewer", "cold_start", "hdbscan"] = Field(
        description=(
            "reviewer learns from the verdicts, cold_start needs none, hdbscan is the earlier "
            "system's method; auto is reviewer where there are enough verdicts, else cold_start."
        )
    )
    order: Literal["auto", "always", "never"] = Field(
        description=(
            "Whether the scores of neighbouring rows count: auto where outliers stand together. "
            "hdbscan never looks at them."
        )
    )
    verdict_wins: bool = Field(
        description="A row a person accepted or mended stays, whatever the filter thinks of it."
    )
    min_reviewed: int = Field(
        ge=2, le=100_000, description="Verdicts of each kind from which auto is reviewer."
    )
    block_rows: int = Field(
        ge=1, le=10_000, description="Contiguous rows that share a fold in cross-fitting."
    )
    folds: int = Field(ge=3, le=20, description="Folds of cross-fitting.")
    kernel_width: float = Field(
        gt=0, le=100, description="Gaussian kernel's width: exp(-width · distance²)."
    )
    ridge: float = Field(gt=0, le=100, description="Ridge of the reviewer model.")
    max_training_rows: int = Field(
        ge=100, le=50_000, description="Reviewed rows a model learns from; evenly spaced beyond."
    )
    prior_strength: float = Field(
        ge=0,
        le=1e6,
        description=(
            "reviewer: how firmly estimate, distance and neighbourhoods are held to counting the "
            "same; 0 leaves it to the verdicts."
        ),
    )
    neighbour_rows: list[Annotated[float, Field(gt=0, le=1000)]] = Field(
        min_length=1, description="Widths of the neighbourhoods, standard deviations in rows."
    )
    min_togetherness: float = Field(
        ge=-1,
        le=1,
        description=(
            "order auto: least correlation between a row's being an outlier and the next one's."
        ),
    )
    band: float = Field(
        ge=0,
        le=1,
        description=(
            "Share of the unreviewed rows, those nearest the threshold, that are uncertain: they "
            "go to review_queue, and rules and the check look at them."
        ),
    )
    check_budget: int = Field(
        ge=0,
        le=1_000_000,
        description="Uncertain rows that text_generator is asked about, the most uncertain first.",
    )
    trim: float = Field(
        gt=0, le=1, description="cold_start: share of rows, the nearest, that make the centre."
    )
    spread: float = Field(
        gt=0,
        le=20,
        description="cold_start: robust deviations above the median where outliers begin.",
    )
    min_cluster_size: int = Field(ge=2, le=1000, description="hdbscan: least rows of a cluster.")
    outlier_threshold: float = Field(
        ge=0, le=1, description="hdbscan: outlier score above which a row is removed."
    )

    def settings(self) -> Settings:
        """Return what the filter itself needs to know."""
        node_only = {"verdict_wins", "band", "check_budget", "neighbour_rows"}
        return Settings(
            **self.model_dump(exclude=node_only), neighbour_rows=tuple(self.neighbour_rows)
        )


class DeduplicationParams(BaseModel):
    """Duplicates, contradictions and shared answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    same_question_threshold: float = Field(
        ge=0.5,
        le=1,
        description="Cosine from which two questions ask the same, so that answers must agree.",
    )
    question_threshold: float = Field(
        ge=0.5,
        le=1,
        description="Cosine from which questions are near: one is kept where their answers agree.",
    )
    equal_answer_threshold: float = Field(
        ge=0.5,
        le=1,
        description="The same where the answers are equal and have three words or a figure.",
    )
    answer_threshold: float = Field(
        ge=0.5, le=1, description="Cosine from which two answers agree."
    )
    rephrase: bool = Field(
        description=(
            "Rephrase the questions of rows that share an answer, the first of each group excepted."
        )
    )
    rephrase_min_words: int = Field(
        ge=1,
        le=1000,
        description="Words a shared answer has at least for its questions to be rephrased.",
    )
    seed: int = Field(ge=0, description="Seed of the rephrasing.")

    def family_nearness(self, split_threshold: float) -> Nearness:
        """Return from which cosine questions may be of one family: never above what is merged.

        Args:
            split_threshold: `augmentation.split.threshold`.
        """
        return Nearness(
            min(split_threshold, self.question_threshold),
            min(split_threshold, self.equal_answer_threshold),
        )


class FilteringParams(BaseModel):
    """All parameters of the filtering pipeline."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    soap: SoapParams
    deduplication: DeduplicationParams
