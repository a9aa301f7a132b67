"""Benchmarks measure with the values that a run has."""

import re
from typing import Any

import yaml

from kd_kedro.curation.duplicates.deduplication_config import DeduplicationConfig, Thresholds
from kd_kedro.curation.relevance.relevance_config import SoapConfig
from kd_kedro.curation.rewriting.rewriting_config import RewritingConfig
from kd_kedro.pipelines.augmentation.params import SplitParams
from tests.conftest import ROOT


def parameters(pipeline: str) -> dict[str, Any]:
    text = (ROOT / "conf" / "base" / pipeline / "parameters.yml").read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(text)[pipeline]
    return read


def test_the_defaults_are_those_of_conf_base() -> None:
    assert SoapConfig() == SoapConfig(**parameters("filtering")["soap"])
    # But for how many are tried: benchmarks judge every rewrite.
    rewriting = parameters("augmentation")["rewriting"] | {"max_rewrites": None}
    assert RewritingConfig() == RewritingConfig(**rewriting)
    assert SplitParams() == SplitParams(**parameters("augmentation")["split"])


def test_the_scale_benchmark_has_the_thresholds_of_conf_base() -> None:
    written = (ROOT / "benchmarks" / "scaling.py").read_text(encoding="utf-8")
    found = re.search(r"^THRESHOLDS = Thresholds\(([^)]*)\)$", written, re.MULTILINE)
    assert found
    thresholds = dict(re.findall(r"(\w+)=([\d.]+)", found[1]))
    asked = DeduplicationConfig(**parameters("filtering")["deduplication"])
    expected = {name: str(getattr(asked, name)) for name in Thresholds.model_fields}
    assert thresholds == expected
