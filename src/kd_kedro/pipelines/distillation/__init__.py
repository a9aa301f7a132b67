"""The distillation pipeline."""

from kd_kedro.pipelines.distillation.groups import DistillationParams
from kd_kedro.pipelines.distillation.pipeline import create_pipeline
from kd_kedro.pipelines.distillation.preflight import check_before_run

__all__ = ["CATALOG_KEYS", "PARAMETERS", "RENAMED", "check_before_run", "create_pipeline"]

PARAMETERS = DistillationParams
CATALOG_KEYS = {
    "teacher_url": "with `--env served`: where the teacher's server is",
    "teacher_model": "with `--env served`: the teacher's name there",
}
_TRAINING = {
    "accumulation": "gradient_accumulation_steps",
    "warmup": "warmup_ratio",
    "schedule": "lr_scheduler_type",
    "evaluations": "num_evaluations",
    "checkpoint_steps": "save_steps",
    "nodes": "num_nodes",
    "rendezvous": "rdzv_endpoint",
}
_ARCHITECTURE = {
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "init_std": "initializer_range",
}
_IN_GROUPS = {
    "training": _TRAINING,
    "teacher.training": _TRAINING,
    "teacher.architecture": _ARCHITECTURE,
    "student.architecture": _ARCHITECTURE,
    "examples": {"versions": "styles", "augmented_rows": "max_augmented_rows"},
    "sequence_level": {"keep_written": "keep_reference"},
    "tokenizer": {"vocabulary": "vocab_size"},
    "targets": {
        "draws": "bytes_per_token",
        "num_samples": "bytes_per_token",
        "hidden": "hidden_states",
    },
    "objective": {"hidden": "hidden_state_weight", "hidden_distance": "hidden_state_loss"},
}
RENAMED = {
    f"distillation.{group}.{former}": f"distillation.{group}.{present}"
    for group, names in _IN_GROUPS.items()
    for former, present in names.items()
}
