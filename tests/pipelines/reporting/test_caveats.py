"""What the pages say before anything else."""

from typing import Any

from kd_kedro.pipelines.reporting.caveats import caveats
from kd_kedro.training.lengths import count_long_rows

JUDGED = {"conclusion": "better", "reason": "the interval lies above zero"}


def test_a_reader_is_warned_of_what_would_spoil_the_verdict() -> None:
    evidence: dict[str, Any] = {
        "verdict": {
            "primary": ["perplexity", "bleu", "exact_match"],
            "confidence": 0.95,
            "margin": 0.05,
            "metrics": {
                "perplexity": JUDGED,
                "bleu": JUDGED,
                "exact_match": {
                    "conclusion": "not applicable",
                    "reason": "only 3 held-out families have a gradable answer; 30 are needed",
                },
            },
        },
        "controls": {
            "bleu": {"echo": "not ahead", "majority": "ahead"},
            "perplexity": {"echo": "behind"},
        },
        "leakage": {"near": 30, "rows": 100, "max_near_share": 0.2},
        "curation": {"relevance": {"warnings": ["Half of a label is gone."]}},
    }
    said = caveats(evidence)
    assert said == [
        "The student is behind the control “echo” in perplexity.",
        "The student is not clearly ahead of the control “echo” in BLEU.",
        "30 of 100 held-out rows lie near a training row, by their words or by their meaning; "
        "scores without them are under “nearness to train”.",
        "Half of a label is gone.",
        "Exact match could not be judged: only 3 held-out families have a gradable answer; 30 are "
        "needed.",
    ]
    evidence["leakage"]["max_near_share"] = 0.3
    assert len(caveats(evidence)) == 4
    evidence["perhaps_read"] = 7
    assert "The teacher may have read 7 of the 100 held-out rows" in caveats(evidence)[2]
    evidence["cut"] = [{**count_long_rows({"training": {"a": 9}}, 8), "where": "student's tokens"}]
    assert caveats(evidence)[-1] == (
        "1 of 1 training rows (100 %) were cut: they are longer than 8 tokens in the tokens of the "
        "student's own tokenizer (distillation.examples.max_length), question and answer together."
    )
