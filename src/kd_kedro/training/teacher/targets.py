"""The teachers of a run and what was captured of them, each as one object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.training.teacher.capture_config import NOTHING

if TYPE_CHECKING:  # torch would make every kedro command slow
    from kd_kedro.models.encoding import Prompts
    from kd_kedro.training.teacher.signals import LiveTeacher, TargetSource
    from kd_kedro.training.teacher.store import Teachers

NO_TARGETS = (
    "teacher_targets hold nothing, because distillation.objective asked no teacher when they were "
    "made"
)
Rows = Sequence[tuple[str, str, str]]  # example_id, question, answer


@dataclass(frozen=True)
class TeacherTargets:
    """What was captured of the teachers, with the place it lies in.

    Attributes:
        manifest: Plain JSON values: what the targets belong to, how they were captured, and the
            files they are in. Where `source` is `live` or `none`, nothing was captured; `none`
            says that nobody was to ask for them.
        store: Folder of all stores; the manifest's fingerprint names the one it is in.
    """

    manifest: Mapping[str, Any]
    store: Path

    @property
    def asked_for(self) -> bool:
        """Whether a student was to ask for them, so that there are any."""
        return self.manifest.get("source") != NOTHING

    def source(
        self,
        rows: Rows,
        tokenizer: Any,
        teachers: "Teachers",
        max_length: int,
        named: Mapping[str, str] = MappingProxyType({}),
        prompts: "Prompts" = MappingProxyType({}),
    ) -> "TargetSource":
        """Open the targets of these rows, or the teachers themselves where they are asked live.

        `prompts` are what live teachers read in place of the rows' own, by example id.

        Raises:
            ValueError: The targets are those of other rows, of another tokenizer or teacher, or
                there are none.
            FileNotFoundError: A shard is gone.
        """
        from kd_kedro.training.teacher.store import check_identity, identity, open_targets

        if not self.asked_for:
            raise ValueError(f"{NO_TARGETS}; run capture_targets again")

        belongs_to = identity(rows, tokenizer, teachers, max_length, named)
        if self.manifest.get("source") != "live":
            return open_targets(self.manifest, self.store, belongs_to)
        check_identity(self.manifest, belongs_to)
        return live_teacher(teachers, tokenizer, self.manifest["precision"], prompts)


def teachers_of(teacher: LanguageModel) -> "Teachers":
    """Return a teacher and those of its ensemble with their shares, which sum to one."""
    return teacher.members


def live_teacher(
    teachers: "Teachers",
    tokenizer: Any,
    precision: str,
    prompts: "Prompts" = MappingProxyType({}),
) -> "LiveTeacher":
    """Return the teachers as a source that is asked at every step, in prompts of their own."""
    from kd_kedro.storage.fingerprints import settings_fingerprint
    from kd_kedro.training.teacher.signals import LiveTeacher
    from kd_kedro.training.teacher.store import teachers_fingerprint

    (first, _), *further = teachers
    own = [{row: list(ids) for row, ids in prompts.items()}] if prompts else []
    return LiveTeacher(
        first.model,
        len(tokenizer),
        settings_fingerprint(["live", teachers_fingerprint(teachers), precision, *own]),
        further=[(teacher.model, share) for teacher, share in further],
        precision=precision,
        prompts=prompts,
    )
