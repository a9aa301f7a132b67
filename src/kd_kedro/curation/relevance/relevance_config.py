"""The settings of SOAP, the semantic outlier filter."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class SoapConfig(BaseModel):
    """The semantic outlier filter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto", "reviewer", "cold_start", "hdbscan", "none"] = Field(
        default="auto",
        description=(
            "reviewer learns from the verdicts, cold_start needs none and removes rows only where "
            "the sheet shows clearly which do not belong, hdbscan is the earlier system's method, "
            "none removes nothing; auto is reviewer where there are enough verdicts, else "
            "cold_start."
        ),
    )
    order: Literal["auto", "always", "never"] = Field(
        default="auto",
        description=(
            "Whether the scores of neighbouring rows count: auto where outliers stand together. "
            "hdbscan never looks at them."
        ),
    )
    verdict_wins: bool = Field(
        default=True,
        description="A row a person accepted or mended stays, whatever the filter thinks of it.",
    )
    min_reviewed: int = Field(
        default=5,
        ge=2,
        le=100_000,
        description="Verdicts of each kind from which auto is reviewer.",
    )
    block_rows: int = Field(
        default=200,
        ge=1,
        le=10_000,
        description="Contiguous rows that share a fold in cross-fitting.",
    )
    folds: int = Field(default=5, ge=3, le=20, description="Folds of cross-fitting.")
    kernel_width: float = Field(
        default=1.0, gt=0, le=100, description="Gaussian kernel's width: exp(-width · distance²)."
    )
    ridge: float = Field(default=0.3, gt=0, le=100, description="Ridge of the reviewer model.")
    max_training_rows: int = Field(
        default=8000,
        ge=100,
        le=50_000,
        description="Reviewed rows a model learns from; evenly spaced beyond.",
    )
    prior_strength: float = Field(
        default=100,
        ge=0,
        le=1e6,
        description=(
            "reviewer: how firmly estimate, distance and neighbourhoods are held to counting the "
            "same; 0 leaves it to the verdicts."
        ),
    )
    neighbour_rows: tuple[Annotated[float, Field(gt=0, le=1000)], ...] = Field(
        default=(3.0, 10.0, 30.0),
        min_length=1,
        description="Widths of the neighbourhoods, standard deviations in rows.",
    )
    min_autocorrelation: float = Field(
        default=0.3,
        ge=-1,
        le=1,
        description=(
            "order auto: least correlation between a row's being an outlier and the next one's."
        ),
    )
    band: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description=(
            "Share of the unreviewed rows, those nearest the threshold, that are uncertain: they "
            "go to review_queue, and rules and the check look at them."
        ),
    )
    check_budget: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Uncertain rows that text_generator is asked about, the most uncertain first.",
    )
    trim: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="cold_start: share of rows, the nearest, that make the centre.",
    )
    spread: float = Field(
        default=2.1,
        gt=0,
        le=20,
        description="cold_start: robust deviations above the median where outliers begin.",
    )
    min_rows: int = Field(
        default=300,
        ge=0,
        le=1_000_000,
        description="cold_start: rows of the sheet below which it removes nothing.",
    )
    max_share: float = Field(
        default=0.27,
        gt=0,
        le=1,
        description="cold_start: share of the rows beyond the threshold above which it abstains.",
    )
    max_subject_share: float = Field(
        default=0.45,
        gt=0,
        le=1,
        description=(
            "cold_start: share of the rows beyond the threshold that one subject may have; above, "
            "it abstains."
        ),
    )
    max_cohesion: float = Field(
        default=0.6,
        ge=0,
        le=100,
        description=(
            "cold_start: mean cosine between rows beyond the threshold over that between the "
            "others, above which it abstains."
        ),
    )
    min_separation: float = Field(
        default=0.85,
        ge=0,
        le=1,
        description=(
            "cold_start: F1 of a cross-validated linear model of the rows beyond the threshold "
            "below which there is no gap, so that it abstains."
        ),
    )
    min_cluster_size: int = Field(
        default=6, ge=2, le=1000, description="hdbscan: least rows of a cluster."
    )
    outlier_threshold: float = Field(
        default=0.3, ge=0, le=1, description="hdbscan: outlier score above which a row is removed."
    )
