"""What a reader must know before believing the verdict, in sentences."""

from collections.abc import Mapping
from typing import Any

from kd_kedro.metrics.report.evidence import TO_BEAT
from kd_kedro.metrics.scores.formatting import title
from kd_kedro.pipelines.evaluation.params import VerdictParams
from kd_kedro.training.lengths import counts_sentence


def caveats(evidence: Mapping[str, Any]) -> list[str]:
    """Return the sentences that the pages open with, none where nothing speaks against them.

    Args:
        evidence: Its `verdict`, `controls`, `leakage`, `curation` and `cut` are read.
    """
    verdict, leakage = evidence["verdict"], evidence["leakage"]
    primary = {name: verdict["metrics"][name] for name in verdict["primary"]}
    said = _other_rules(verdict) + _unbeaten_controls(primary, evidence["controls"])
    if leakage["near"] > leakage["max_near_share"] * leakage["rows"]:
        said.append(
            f"{leakage['near']} of {leakage['rows']} held-out rows lie near a training row, by "
            f"their words or by their meaning; scores without them are under “nearness to train”."
        )
    if read := evidence.get("perhaps_read", 0):
        said.append(
            f"The teacher may have read {read} of the {leakage['rows']} held-out rows: it was "
            "trained when other rows of this sheet were held out. Train it again on this split, or "
            "take another."
        )
    said += evidence["curation"]["relevance"]["warnings"]
    said += [
        f"{_opening(title(name))} could not be judged: {metric['reason']}."
        for name, metric in primary.items()
        if metric["conclusion"] == "not applicable"
    ]
    return said + [_cut(facts) for facts in evidence.get("cut", [])]


def _cut(facts: Mapping[str, Any]) -> str:
    """Say which rows no model read whole, or which answers none could write whole."""
    if facts["where"] == "answering":
        return (
            f"{counts_sentence(facts, 'reference answers')} are longer than the {facts['limit']} "
            "tokens after which models were stopped (evaluation.answering.max_new_tokens): scores "
            "of written answers compare them with answers that could not be whole."
        )
    own = " in the tokens of the student's own tokenizer" if facts["where"] != "training" else ""
    return (
        f"{counts_sentence(facts)} were cut: they are longer than {facts['limit']} tokens{own} "
        "(distillation.examples.max_length), question and answer together."
    )


def _unbeaten_controls(
    primary: Mapping[str, Mapping[str, Any]], controls: Mapping[str, Mapping[str, str]]
) -> list[str]:
    said = []
    for control in TO_BEAT:
        for place, words in (("behind", "behind"), ("not ahead", "not clearly ahead of")):
            found = [
                title(name)
                for name, metric in primary.items()
                if metric["conclusion"] != "not applicable"
                and controls.get(name, {}).get(control) == place
            ]
            if found:
                said.append(
                    f"The student is {words} the control “{control}” in {', '.join(found)}."
                )
    return said


def _other_rules(verdict: Mapping[str, Any]) -> list[str]:
    """Say where the verdict was reached by other rules than this project's own."""
    usual = VerdictParams()
    said = []
    if set(verdict["primary"]) != set(usual.primary):
        ours, theirs = (
            ", ".join(map(title, names)) for names in (usual.primary, verdict["primary"])
        )
        said.append(
            f"The metrics that decide here are {theirs}; the project's own are {ours}. They must "
            "have been chosen before anybody saw a result."
        )
    if verdict["confidence"] < usual.confidence or verdict["margin"] > usual.margin:
        said.append(
            "The verdict is more lenient than the project's own: confidence "
            f"{verdict['confidence']:g} instead of {usual.confidence:g}, margin "
            f"{verdict['margin']:g} instead of {usual.margin:g}."
        )
    return said


def _opening(words: str) -> str:
    return words[:1].upper() + words[1:]
