"""One training in several processes: through torch's elastic launcher, from inside a node.

Each worker is given a folder: the model, the rows and the settings lie in it as safetensors and
JSON, captured targets are named by where they are. Workers train as `fit` does in one process; the
first leaves the learned weights and the history in the folder.
"""

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from kd_kedro.models.encoding import Example
from kd_kedro.storage.atomic import writing
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.training.loop.distillation_module import (
    load_learned,
    save_learned,
    whole_module,
)
from kd_kedro.training.loop.fit import Training, fit
from kd_kedro.training.loop.on_policy import OnPolicy
from kd_kedro.training.loop.training_config import ObjectiveConfig, OnPolicyConfig, TrainingConfig
from kd_kedro.training.processes import SIGNALS, end_with_parent, environment, exit_words
from kd_kedro.training.teacher.signals import LiveTeacher, TargetSource
from kd_kedro.training.teacher.store import CachedTargets

_SHARE = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"


def launch(training: Training, folder: Path) -> list[dict[str, float]]:
    """Train a model in `settings.num_processes` processes; as `fit`, which each of them calls.

    Raises:
        ValueError: If the model or the targets cannot be handed to another process, or what a
            worker raised.
        OSError: If a worker was ended from outside, or what a worker raised.
    """
    model, settings, on_policy = training.model, training.settings, training.on_policy
    if on_policy is not None and settings.strategy == "fsdp":
        raise ValueError(
            "training.strategy: a student whose weights lie in shards cannot sample answers; use "
            "ddp, or set on_policy.share to 0"
        )
    handed = folder / "handed"
    shutil.rmtree(handed, ignore_errors=True)
    with writing(handed):
        handed.mkdir(parents=True)
    save_model(model, handed / "model")
    asked = {
        "rows": [list(asdict(row).values()) for row in training.rows],
        "validation": [list(asdict(row).values()) for row in training.validation],
        "objective": training.objective.model_dump(),
        "targets": _describe(training.targets, handed / "teacher"),
        "on_policy": on_policy
        and on_policy.settings | {"teacher": _describe(on_policy.teacher, handed / "judge")},
        "settings": settings.model_dump(),
        "seed": training.seed,
        "padding": training.padding,
        "folder": str(folder),
        "description": training.description,
        "threads": max(1, torch.get_num_threads() // settings.num_processes),
    }
    with writing(handed):
        (handed / "launch_config.json").write_text(json.dumps(asked), encoding="utf-8")
    _run_workers(handed, settings, folder.name)
    load_learned(whole_module(model), handed)
    model.eval()
    history: list[dict[str, float]] = json.loads((handed / "history.json").read_text("utf-8"))
    return history


def _run_workers(handed: Path, settings: TrainingConfig, name: str) -> None:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    alone = settings.num_nodes == 1
    config = LaunchConfig(
        min_nodes=settings.num_nodes,
        max_nodes=settings.num_nodes,
        nproc_per_node=settings.num_processes,
        run_id=name,  # the fingerprint: machines with other settings never meet
        rdzv_backend="c10d",
        rdzv_endpoint=str(handed / "rendezvous") if alone else settings.rdzv_endpoint,
        rdzv_configs={"store_type": "file"} if alone else {},
        local_addr="127.0.0.1" if alone or _is_loopback(settings.rdzv_endpoint) else None,
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=str(handed / "logs")),
        shutdown_timeout=5,
    )
    try:
        with environment(_SHARE, "1" if alone else None), _signals_put_back():
            elastic_launch(config, _work)(str(handed))
    except SignalException as ended:
        if ended.sigval == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise SystemExit(128 + ended.sigval.value) from None
    except ChildFailedError as failed:
        _raise_what_failed(handed, failed)


def _raise_what_failed(handed: Path, failed: Any) -> None:
    errors = sorted(handed.glob("error-*.json"), key=lambda path: path.stat().st_mtime_ns)
    if errors:
        told = json.loads(errors[0].read_text(encoding="utf-8"))
        kinds = {"ValueError": ValueError, "OSError": OSError, "FileNotFoundError": OSError}
        raise kinds.get(told["type"], RuntimeError)(told["message"]) from None
    rank, failure = failed.get_first_failure()
    raise OSError(
        f"training.num_processes: process {rank} of the training ended with "
        f"{exit_words(failure.exitcode)}; run again and it goes on from its last checkpoint"
    ) from None


def _work(place: str) -> None:
    """Train in one of the processes; torch's launcher has put rank and world size around it."""
    handed, rank = Path(place), os.environ["RANK"]
    end_with_parent()
    try:
        _train_share(handed)
    except Exception as error:
        told = {"type": type(error).__name__, "message": str(error)}
        (handed / f"error-{rank}.json").write_text(json.dumps(told), encoding="utf-8")
        raise


def _train_share(handed: Path) -> None:
    asked = json.loads((handed / "launch_config.json").read_text(encoding="utf-8"))
    settings = TrainingConfig(**asked["settings"])
    torch.set_num_threads(asked["threads"])
    os.environ["OMP_NUM_THREADS"] = str(asked["threads"])
    _join(handed, settings)
    model = load_model(handed / "model")
    training = Training(
        model,
        _examples(asked["rows"]),
        _examples(asked["validation"]),
        ObjectiveConfig(**asked["objective"]),
        _open(asked["targets"]),
        settings,
        asked["seed"],
        asked["padding"],
        asked["description"],
        _policy(asked["on_policy"]),
    )
    history = fit(training, Path(asked["folder"]))
    writes = os.environ["LOCAL_RANK"] == "0"
    save_learned(whole_module(model), handed, writes)
    if writes:
        (handed / "history.json").write_text(json.dumps(history), encoding="utf-8")
    torch.distributed.destroy_process_group()


def _join(handed: Path, settings: TrainingConfig) -> None:
    devices = torch.cuda.device_count()
    if devices and devices < settings.num_processes:
        raise ValueError(
            f"training.num_processes is {settings.num_processes} but this machine has {devices} "
            "GPUs; give at most as many"
        )
    if settings.num_nodes == 1:
        # Meet over a file, talk over loopback: nothing listens to the network.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
        method = f"file://{handed / 'meeting'}"
    else:
        method = "env://"
    torch.distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if devices else "gloo",
        init_method=method,
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
    )


def save_model(model: Any, folder: Path) -> None:
    """Write a model, plain or with adapters, so that `load_model` makes the very same again.

    Raises:
        ValueError: If its class is none of transformers' own.
    """
    import transformers
    from safetensors.torch import save_model as write

    adapters = getattr(model, "peft_config", {})
    plain = model.get_base_model() if adapters else model
    if not hasattr(transformers, type(plain).__name__):
        raise ValueError(
            f"training.num_processes: a {type(plain).__name__} cannot be handed to other "
            "processes; set it to 1"
        )
    card = {
        "class": type(plain).__name__,
        "dtype": str(plain.dtype).removeprefix("torch."),
        "attention": plain.config._attn_implementation,
        "learned": [name for name, weight in model.named_parameters() if weight.requires_grad],
        "adapters": bool(adapters),
        "weights": weights_fingerprint(model),
    }
    with writing(folder):
        folder.mkdir(parents=True)
        plain.config.save_pretrained(folder / "config")
        for adapter in adapters.values():
            adapter.save_pretrained(folder / "adapters")
        write(model, str(folder / "model.safetensors"))
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def load_model(folder: Path) -> Any:
    """Make again the model that `save_model` wrote."""
    import transformers
    from safetensors.torch import load_model as read

    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    config = transformers.AutoConfig.from_pretrained(folder / "config", trust_remote_code=False)
    model = getattr(transformers, card["class"])._from_config(
        config, dtype=getattr(torch, card["dtype"]), attn_implementation=card["attention"]
    )
    if card["adapters"]:
        from peft import PeftConfig, get_peft_model

        model = get_peft_model(model, PeftConfig.from_pretrained(folder / "adapters"))
    read(model, folder / "model.safetensors")
    learned = set(card["learned"])
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in learned)
    if weights_fingerprint(model) != card["weights"]:
        raise ValueError(
            f"training.num_processes: a {card['class']} of such weights cannot be handed to other "
            "processes; set it to 1"
        )
    return model


def _describe(targets: TargetSource | None, folder: Path) -> dict[str, Any] | None:
    if targets is None:
        return None
    if isinstance(targets, CachedTargets):
        return {"manifest": dict(targets.manifest), "folder": str(targets.folder.resolve())}
    if isinstance(targets, LiveTeacher):
        places = [folder / str(n) for n in range(len(targets.models))]
        for place, (model, _) in zip(places, targets.models, strict=True):
            save_model(model, place)
        return {
            "teachers": [str(place) for place in places],
            "shares": [share for _, share in targets.models],
            "vocabulary": targets.vocabulary,
            "fingerprint": targets.fingerprint,
            "precision": targets.precision,
            "prompts": {row: list(ids) for row, ids in targets.prompts.items()},
        }
    raise ValueError(
        f"training.num_processes: a {type(targets).__name__} cannot be handed to other processes; "
        "set it to 1"
    )


def _open(described: dict[str, Any] | None) -> TargetSource | None:
    if described is None:
        return None
    if "manifest" in described:
        return CachedTargets(described["manifest"], Path(described["folder"]))
    teachers = [load_model(Path(place)) for place in described["teachers"]]
    if torch.cuda.is_available():
        teachers = [teacher.to(f"cuda:{os.environ['LOCAL_RANK']}") for teacher in teachers]
    return LiveTeacher(
        teachers[0],
        described["vocabulary"],
        described["fingerprint"],
        further=list(zip(teachers, described["shares"], strict=True))[1:],
        precision=described["precision"],
        prompts=described["prompts"],
    )


def _policy(described: dict[str, Any] | None) -> OnPolicy | None:
    if described is None:
        return None
    teacher = _open(described.pop("teacher"))
    assert isinstance(teacher, LiveTeacher)
    end, padding = described.pop("end"), described.pop("padding")
    return OnPolicy(teacher, OnPolicyConfig(**described), end, padding)


def _examples(rows: list[Any]) -> list[Example]:
    return [
        Example(row_id, tuple(ids), start, begin, tuple(end))
        for row_id, ids, start, begin, end in rows
    ]


def _is_loopback(endpoint: str) -> bool:
    return endpoint.rpartition(":")[0] in {"127.0.0.1", "localhost", "[::1]"}


@contextmanager
def _signals_put_back() -> Iterator[None]:
    """Let the launcher have its signal handlers, then put the caller's back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
