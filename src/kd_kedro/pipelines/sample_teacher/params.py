"""Parameters of the sample_teacher pipeline."""

from pydantic import BaseModel, ConfigDict, Field

from kd_kedro.models.model_config import ArchitectureConfig
from kd_kedro.training.loop.training_config import TrainingConfig

_CONFIG = ConfigDict(extra="forbid", frozen=True)


class CorpusParams(BaseModel):
    """The fabricated corpus that the sample's teacher reads beside the sample."""

    model_config = _CONFIG

    first_seed: int = Field(default=1001, ge=0, description="Seed of the corpus's first sheet.")
    sheets: int = Field(
        default=12,
        ge=1,
        le=1000,
        description="Sheets, each as long as the sample and of a seed of its own.",
    )


class SampleTeacherParams(BaseModel):
    """All parameters of the sample_teacher pipeline."""

    model_config = _CONFIG

    corpus: CorpusParams
    vocab_size: int = Field(default=2000, ge=258, description="Most tokens of its tokenizer.")
    seed: int = Field(default=1, ge=0, description="Seed of its weights and its row order.")
    architecture: ArchitectureConfig = Field(
        default=ArchitectureConfig(num_hidden_layers=4, hidden_size=160, num_attention_heads=5),
        description="Its size.",
    )
    training: TrainingConfig = Field(
        default=TrainingConfig(
            learning_rate=3e-3,
            batch_size=16,
            epochs=100,
            max_tokens=10_000_000,
            num_evaluations=12,
            patience=0,
        ),
        description="How it is trained.",
    )
