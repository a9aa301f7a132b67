"""Nodes of the sample_teacher pipeline: a corpus without the sample's held-out rows, a teacher."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig
from kd_kedro.fabrication.corpus import as_train_split, corpus_rows, held_out_keys, leave_out
from kd_kedro.fabrication.fabrication_config import FabricationParameters
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.model_config import TRAINED_HERE
from kd_kedro.pipelines.augmentation.params import SplitParams
from kd_kedro.pipelines.distillation.nodes import train_tokenizer
from kd_kedro.pipelines.distillation.params import ExampleParams, TokenizerParams
from kd_kedro.pipelines.sample_teacher.params import CorpusParams, SampleTeacherParams
from kd_kedro.text.embedder import Embedder
from kd_kedro.training.examples import (
    choose_training_examples,
    choose_validation_examples,
    make_examples,
)
from kd_kedro.training.loop.training_config import History, ObjectiveConfig


def make_corpus(
    augmented_qa: pd.DataFrame,
    fabrication_vocabulary: dict[str, Any],
    sentence_embedder: Embedder,
    corpus: CorpusParams,
    fabrication: FabricationParameters,
    examples: ExampleParams,
    split: SplitParams,
    deduplication: DeduplicationConfig,
) -> pd.DataFrame:
    """Return what the sample's teacher learns from: the sample's training rows, and a corpus.

    The corpus is of other seeds and holds nothing that the sample holds out.
    """
    held_out = augmented_qa[augmented_qa["split"] != "train"]
    seeds = range(corpus.first_seed, corpus.first_seed + corpus.sheets)
    rows = leave_out(
        corpus_rows(fabrication, seeds, fabrication_vocabulary),
        held_out,
        held_out_keys(fabrication, fabrication_vocabulary, set(held_out["row_id"])),
        sentence_embedder,
        deduplication.family_nearness(split.threshold),
    )
    own = choose_training_examples(
        augmented_qa, examples.styles, examples.max_augmented_rows, examples.fields
    )
    further = make_examples(as_train_split(rows), examples.fields)
    return pd.concat([own, further], ignore_index=True)


def train_sample_teacher(
    corpus_examples: pd.DataFrame,
    augmented_qa: pd.DataFrame,
    fabricated_qa: str,
    examples: ExampleParams,
    params: SampleTeacherParams,
    training_work_dir: Path,
) -> tuple[dict[str, LanguageModel], History]:
    """Train the sample's teacher and its tokenizer on the corpus.

    Returns:
        `teacher`, with float16 weights, and its history. Its card says of which sheet it is
        (`sheet`, a hash of the file) and which rows of that sheet it has not read (`held_out`).
    """
    from kd_kedro.models.build import new_model, size_card
    from kd_kedro.storage.fingerprints import weights_fingerprint
    from kd_kedro.training.loop.model_training import TrainingInputs, train_model

    vocabulary = TokenizerParams(vocab_size=params.vocab_size)
    tokenizer = train_tokenizer(corpus_examples, vocabulary, examples)
    validation = choose_validation_examples(augmented_qa, examples.validation_rows, examples.fields)
    inputs = TrainingInputs(
        corpus_examples, validation, tokenizer, examples.max_length, training_work_dir
    )
    teacher, history = train_model(
        new_model(params.architecture, tokenizer, examples.max_length, params.seed),
        inputs,
        params.training,
        ObjectiveConfig(),
        seed=params.seed,
        name="sample_teacher",
        origin="",
    )
    model = teacher.model.half()
    held_out = augmented_qa.loc[augmented_qa["split"] != "train", "row_id"]
    card = {
        **teacher.card,
        **size_card(model),
        "weights": weights_fingerprint(model),
        "training_rows": len(corpus_examples),
        "sheet": hashlib.sha256(fabricated_qa.encode()).hexdigest(),
        "held_out": sorted(held_out),
        "licence": TRAINED_HERE,
    }
    return {"teacher": replace(teacher, model=model, card=card)}, history
