"""How the tests judge: as conf/base does, with fewer draws and families."""

from typing import Any

JUDGING: dict[str, Any] = {
    "primary": ("perplexity", "bleu", "exact_match", "teacher_agreement"),
    "confidence": 0.95,
    "draws": 999,
    "min_families": 5,
    "margin": 0.05,
    "seed": 0,
}
