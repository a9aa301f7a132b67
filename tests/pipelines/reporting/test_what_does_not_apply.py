"""Report, model card and plots where much does not apply: they say so, and nothing is invented."""

import json
import re

import pandas as pd
import pytest

from kd_kedro.curation.records.lineage import EVENT_COLUMNS, WATERFALL_COLUMNS
from kd_kedro.curation.repair.personal_data import SUMMARY
from kd_kedro.metrics.report.filter_quality import COLUMNS as FILTER_COLUMNS
from kd_kedro.metrics.report.leakage import COLUMNS as OVERLAP_COLUMNS
from kd_kedro.metrics.report.slices import score_slices
from kd_kedro.pipelines.distillation.params import StudentParams
from kd_kedro.pipelines.evaluation.evidence_gathering import (
    describe_answers,
    gather_curation,
    gather_evidence,
)
from kd_kedro.pipelines.evaluation.nodes import judge_student, measure_power
from kd_kedro.pipelines.evaluation.params import (
    LeakageParams,
    SlicesParams,
    VerdictParams,
)
from kd_kedro.pipelines.reporting.model_card import write_model_card
from kd_kedro.pipelines.reporting.nodes import (
    pick_instructive_examples,
    plot_evidence,
    write_report,
)
from kd_kedro.pipelines.reporting.params import Licences, ReportParams
from tests.metrics.conftest import make_results
from tests.pipelines.distillation.recipe import whole

FIGURES = ("parameters", "bytes", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms")
TIMES = ("latency_p50", "latency_p95", "latency_p99", "prefill_p50", "decode_p50")
MODEL = {
    **dict.fromkeys((*FIGURES, "prefill_p50_ms", "decode_p50_ms"), 2.0),
    **{"tokens_per_second": 9.0, "peak_memory_bytes": 7, "perplexity": None},
}
COMPRESSION = {
    "teacher": MODEL,
    "student": MODEL,
    "variants": {},
    "ratios": {
        **dict.fromkeys(("parameters", "bytes", "peak_memory"), 1.0),
        **{key: {"refused": "it spreads too wide"} for key in (*TIMES, "tokens_per_second")},
    },
    "settings": [],
    "pareto": [{"model": "teacher", "status": "", **MODEL, "on_front": "no"}],
    "machine": {"cpu": "one", "cores": 1, "load_before": 0.0, "load_after": 0.0},
    **{"device": "cpu", "threads": 1, "batch": 1, "new_tokens": 1, "answers_timed": 1},
    **{"max_spread": 0.05, "how": "by turns"},
}
FACTS = {
    "held_out": dict.fromkeys(
        ("held_out_rows", "held_out_families", "rows_used", "families_used"), 5
    ),
    "max_new_tokens": 4,
    "begin": [],
    "models": {model: {"seed": 0} for model in ("teacher", "baseline", "student")},
}
NEAR = ("0.1", "0.3", "x", "What?", "no", "no")


@pytest.mark.parametrize(
    ("families", "seeds", "gradable", "tokens", "said"),
    [
        (30, 1, 0.5, "same", "one seed cannot tell the method from the luck of the seed"),
        (30, 2, 0.0, "same", "only 0 held-out families have a gradable answer"),
        (30, 2, 0.5, "other", "teacher and student have different tokenizers"),
        (1, 1, 1.0, "same", "only 1 held-out families have an answer"),
    ],
)
def test_pages_without_controls_labels_and_certified_times_say_so(
    families: int, seeds: int, gradable: float, tokens: str, said: str
) -> None:
    results = make_results(families, seeds, gradable=gradable)
    if tokens == "other":
        results.loc[results["model"] != "teacher", "agreeing_tokens"] = ""
    judging = VerdictParams(draws=1000, min_families=9)
    rows = results["row_id"].unique()
    overlap = pd.DataFrame([(row, *NEAR) for row in rows], columns=OVERLAP_COLUMNS)
    slices = score_slices(results, {"part": dict.fromkeys(rows, "one")})
    evidence = gather_evidence(
        FACTS,
        judge_student(results, judging),
        measure_power(results, judging),
        describe_answers(results, overlap, slices, SlicesParams(min_families=2), LeakageParams()),
        COMPRESSION,
        gather_curation(
            pd.DataFrame(columns=FILTER_COLUMNS),
            pd.DataFrame(columns=WATERFALL_COLUMNS),
            pd.DataFrame(columns=SUMMARY),
            {"mode": "none", "abstained": "", "warnings": []},
            pd.DataFrame(),
            pd.DataFrame(columns=EVENT_COLUMNS),
        ),
        judging,
    )
    evidence = json.loads(json.dumps(evidence, allow_nan=False))
    wording = ReportParams(licences=Licences(data="CC0", teacher="MIT", student="MIT"))
    identity = {"run": "now", "commit": "0123456789abc", "tree": "changed", "env_option": ""}
    page = write_report(
        evidence,
        identity,
        FACTS,
        pick_instructive_examples(results, wording),
        pd.DataFrame(columns=["stage"]),
        {key: [] for key in ("teacher", "baseline", "student")},
        {},
        {},
        StudentParams.model_validate(whole("test")["student"]),
        wording,
    )
    card = write_model_card(evidence, identity, FACTS, results, wording)
    assert len(plot_evidence(evidence)) == 4
    for text in (re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL), card):
        assert said in text
        assert "not certified" in text
        assert not re.search(r"\b(nan|None)\b(?! was looked)", text)
