"""A finished evaluation and its report on small untrained models, which tests of both share."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.runner import SequentialRunner

from kd_kedro.curation.records.lineage import EVENT_COLUMNS, make_waterfall
from kd_kedro.curation.records.row_texts import collect_texts
from kd_kedro.curation.records.schema import table
from kd_kedro.curation.repair.personal_data import SUMMARY
from kd_kedro.datasets.run_identity import RunIdentityDataset
from kd_kedro.datasets.sentence_embedder import SentenceEmbedderDataset
from kd_kedro.pipelines import evaluation, reporting
from kd_kedro.pipelines.augmentation.pipeline import STAGES
from kd_kedro.pipelines.distillation.params import ExampleParams, StudentParams
from kd_kedro.pipelines.evaluation.params import (
    AnsweringParams,
    CompressionParams,
    LeakageParams,
    SlicesParams,
    VerdictParams,
)
from kd_kedro.pipelines.reporting.params import Licences, ReportParams
from kd_kedro.training.lengths import count_long_rows
from tests.pipelines.distillation.recipe import whole

ROOT = Path(__file__).resolve().parents[2]
ATTACK = "<script>alert('a')</script> & \"b\""


def _rows() -> pd.DataFrame:
    asked = [(f"What is item {number}?", f"It is thing {number}.") for number in range(12)]
    asked += [(f"How much is {number} + 1?", str(number + 1)) for number in range(11)]
    asked.append((ATTACK, ATTACK))
    return pd.DataFrame(
        [
            (f"r{i:02}", f"f{i:02}", "test" if i >= 6 else "train", "original", q, a, "sheet.csv")
            for i, (q, a) in enumerate(asked)
        ],
        columns=["row_id", "family_id", "split", "style", "question", "answer", "source"],
        dtype="str",
    )


SHAPES = [
    {
        "num_hidden_layers": depth,
        "hidden_size": 16,
        "num_attention_heads": 1,
        "intermediate_size": 128,
        "parameters": 14_384,
        "parameters_share": 0.331,
        "bytes": 57_536,
        "validation_loss": loss,
        "taken": depth == 1,
    }
    for depth, loss in ((1, 5.68819), (2, None))
]
STUDENT = StudentParams.model_validate(whole("test")["student"])
STUDY = {
    "capture": None,
    "students": {
        "student": STUDENT.model_dump(mode="json"),
        "settings": {"epochs": 3.0, "hidden": 0.0},
        "seed": 2,
    },
    "importances": {"alpha": 0.75, "learning_rate": 0.25},
    "trials": [
        {"number": number, "state": state, "value": value, "losses": losses, "values": values}
        for number, (state, value, losses, values) in enumerate(
            [
                ("complete", 3.0, {"5": 4.0, "10": 3.0}, {"alpha": 0.1, "divergence": "jsd"}),
                ("pruned", None, {"5": 4.5}, {"alpha": 0.9, "divergence": "jsd"}),
                ("fail", None, {}, {}),
                ("complete", 2.5, {"5": 3.5, "10": 2.5}, {"alpha": 0.2, "divergence": ATTACK}),
            ]
        )
    ],
}


def events_of(rows: pd.DataFrame, dropped_at: str) -> pd.DataFrame:
    """Events of all stages up to deduplication: one stage drops the first row."""
    stages = [stage for stage in STAGES if stage not in ("split", "augmentation")]
    last = stages.index(dropped_at)
    records = [
        (row, stage, "dropped" if (stage, row) == (dropped_at, "r00") else "kept", "", "", "", "")
        for number, stage in enumerate(stages)
        for row in rows["row_id"]
        if row != "r00" or number <= last
    ]
    return pd.DataFrame(records, columns=EVENT_COLUMNS, dtype="str")


def language_model(width: int, seed: int, tokenizer: Any) -> Any:
    """An untrained GPT-2 of one layer."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from kd_kedro.models.causal_lm import LanguageModel

    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=96,
        n_embd=width,
        n_layer=1,
        n_head=1,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = GPT2LMHeadModel(config).eval()
    card = {
        "seed": seed,
        "max_length": 96,
        "teacher_targets": None,
        "training": {"epochs": 3.0},
        "objective": {"beta": 0.25},
    }
    return LanguageModel(model, tokenizer, card)


@pytest.fixture(scope="session")
def evaluation_inputs() -> dict[str, Any]:
    from kd_kedro.models.tokenization import train_byte_bpe

    rows = _rows()
    tokenizer = train_byte_bpe([*rows["question"], *rows["answer"]], 300)
    stage = rows.assign(format="plain")[["row_id", "format", "question", "answer"]]
    events = events_of(rows, "soap")
    history = [
        {"step": 1, "cross_entropy": 5.0},
        {"step": 2, "cross_entropy": 4.0},
        {"step": 2, "validation_loss": 4.5},
    ]
    return {
        "augmented_qa": rows,
        "teacher": language_model(32, 1, tokenizer),
        "baseline_student": language_model(16, 1, tokenizer),
        "student": language_model(16, 2, tokenizer),
        "student_seeds": {
            f"{kind}_{seed}": language_model(16, 10 * seed + number, tokenizer)
            for seed in (3, 4)
            for number, kind in enumerate(("baseline", "student"))
        },
        "control_models": {
            "untrained": language_model(16, 7, tokenizer),
            "floor_teacher": language_model(32, 8, tokenizer),
            "pretrained_teacher": language_model(32, 9, tokenizer),
        },
        "sentence_embedder": SentenceEmbedderDataset().load(),
        "final_qa_truth": pd.DataFrame(
            [("r00", "2", "off_topic", "", "cricket", "t", "no", "")],
            columns=[
                "row_id",
                "line",
                "defects",
                "expected",
                "topic",
                "template",
                "gradable",
                "group",
            ],
            dtype="str",
        ),
        "row_events": events,
        "row_waterfall": make_waterfall(events),
        "row_texts": collect_texts({"validation": stage.assign(verdict="")}, stage.iloc[:0]),
        "converted_mcq": stage,
        "personal_data_summary": table(SUMMARY, [["email", "2", "3", "no"]]),
        "review_queue": stage.iloc[:0],
        "run_identity": RunIdentityDataset(env="gpt2,server", version=Version(None, None)).load(),
        "relevance_facts": {"mode": "cold_start", "abstained": "", "warnings": []},
        "length_facts": count_long_rows({"training": {"r06": 97, "r07": 20}}, 96, 0.5),
        "student_length_facts": count_long_rows({}, 96),
        "start_facts": {"candidates": SHAPES},
        "teacher_history": history,
        "baseline_history": history,
        "student_history": [],
        "tuning_record": STUDY,
        "baseline_tuning_record": {},
        "params:distillation.examples": ExampleParams(max_augmented_rows=9, max_length=96),
        "params:distillation.student": STUDENT,
        "params:distillation.sequence_level.source": "none",
        "params:evaluation.answering": AnsweringParams(max_rows=16, max_new_tokens=4, batch_size=8),
        "params:evaluation.verdict": VerdictParams(draws=1000, min_families=9),
        "params:evaluation.compression": CompressionParams(
            prompts=3, new_tokens=2, max_seconds=1, batch_sizes=[1], variants=["torch_int8"]
        ),
        "params:evaluation.slices": SlicesParams(min_families=2, topics=2),
        "params:evaluation.leakage": LeakageParams(),
        "params:reporting": ReportParams(
            title="T",
            instructive_examples=20,
            licences=Licences(data="CC0", teacher="MIT", student=ATTACK),
        ),
    }


@pytest.fixture(scope="session")
def finished_evaluation(
    evaluation_inputs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    return evaluated(evaluation_inputs, tmp_path_factory.mktemp("data").as_posix())


def evaluated(inputs: dict[str, Any], folder: str) -> dict[str, Any]:
    """What the catalog gives back after a run with the entries of conf/base."""
    entries: dict[str, Any] = {}
    for part in ("evaluation/catalog", "reporting/catalog", "resources/catalog_families"):
        written = (ROOT / f"conf/base/{part}.yml").read_text(encoding="utf-8")
        entries |= yaml.safe_load(written.replace("${globals:data_root}", folder))
    catalog = DataCatalog.from_config(
        {name: entry for name, entry in entries.items() if not name.startswith("_")}
    )
    for name, data in inputs.items():
        catalog[name] = MemoryDataset(data, copy_mode="assign")
    whole_pipeline = evaluation.create_pipeline() + reporting.create_pipeline()
    SequentialRunner().run(whole_pipeline, catalog)
    made = {*whole_pipeline.all_outputs(), "run_identity"}
    return {name: catalog.load(name) for name in made}
