"""The settings of deduplication."""

from pydantic import BaseModel, ConfigDict, Field

from kd_kedro.curation.duplicates.near_questions import Nearness


class Thresholds(BaseModel):
    """The cosines from which texts are near."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    same_question_threshold: float = Field(
        default=0.99,
        ge=0.5,
        le=1,
        description="Cosine from which two questions ask the same, so that answers must agree.",
    )
    question_threshold: float = Field(
        default=0.93,
        ge=0.5,
        le=1,
        description="Cosine from which questions are near: one is kept where their answers agree.",
    )
    equal_answer_threshold: float = Field(
        default=0.75,
        ge=0.5,
        le=1,
        description="The same where the answers are equal and have three words or a figure.",
    )
    answer_threshold: float = Field(
        default=0.9, ge=0.5, le=1, description="Cosine from which two answers agree."
    )


class DeduplicationConfig(Thresholds):
    """Duplicates, contradictions and shared answers."""

    rephrase: bool = Field(
        default=True,
        description=(
            "Rephrase the questions of rows that share an answer, the first of each group excepted."
        ),
    )
    rephrase_min_words: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="Words a shared answer has at least for its questions to be rephrased.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the rephrasing.")

    def family_nearness(self, split_threshold: float) -> Nearness:
        """Return from which cosine questions may be of one family: never above what is merged.

        Args:
            split_threshold: `augmentation.split.threshold`.
        """
        return Nearness(
            min(split_threshold, self.question_threshold),
            min(split_threshold, self.equal_answer_threshold),
        )
