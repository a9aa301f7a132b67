"""A run's student becomes a version of the registered model and, if it has earned it, champion."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from kd_kedro.metrics.comparison.champion import (
    LAST_BETTER,
    Decision,
    compare_weights,
    decide,
    decide_first,
    hold_to_anchor,
    shared_held_out,
)
from kd_kedro.metrics.efficiency.compression import certify, cpu_threads
from kd_kedro.metrics.report.evidence import TO_BEAT
from kd_kedro.metrics.scores.formatting import title, verdict_sentence
from kd_kedro.metrics.scores.held_out import choose_held_out, grade
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.prompt_format import Asked, prompt_fields
from kd_kedro.pipelines.evaluation.certificate import certificate_entry
from kd_kedro.pipelines.evaluation.params import (
    AnsweringParams,
    CompressionParams,
    PromotionParams,
    VerdictParams,
)
from kd_kedro.registry import model_registry as registry
from kd_kedro.registry.candidate import Candidate, find_candidate, versions_exist
from kd_kedro.runs.kedro_internals import catalog_of_versions
from kd_kedro.runs.mlflow_store import tracking
from kd_kedro.storage.fingerprints import tokenizer_fingerprint, weights_fingerprint
from kd_kedro.training.examples import asked_of, make_examples


@dataclass(frozen=True)
class Rules:
    """The parameters that a promotion obeys."""

    promotion: PromotionParams
    answering: AnsweringParams
    judging: VerdictParams
    timing: CompressionParams


def promote_run(context: Any, name: str | None, *, dry_run: bool) -> str:
    """Register a run's student, let the alias move where it has earned it, and say so.

    Args:
        context: Kedro's, of the environment the run was made in.
        name: The name that `find_candidate` takes.
        dry_run: Whether nothing is changed, see `promote`.
    """
    client, experiment = tracking(context)
    return promote(
        client, find_candidate(context, client, experiment, name), context, dry_run=dry_run
    )


def promote(client: Any, candidate: Candidate, context: Any, *, dry_run: bool) -> str:
    """Register a student and let the alias `champion` move to it where it has earned it.

    Args:
        client: An `MlflowClient`.
        candidate: The student.
        context: Kedro's, to read parameters and the champion's rows.
        dry_run: Decide and say it, and change nothing.

    Returns:
        What was decided and why, in one sentence.
    """
    rules = _rules(context)
    name = rules.promotion.model
    fingerprint = weights_fingerprint(candidate.student.model)
    holder = registry.champion(client, name)
    if holder is not None and holder.tags.get("weights") == fingerprint:
        return f"{name}: version {holder.version} has these very weights and is the champion."
    anchor = registry.anchor(client, holder) if holder else None
    decision = _decide(client, candidate, holder, anchor, context, rules)
    tags = {
        "kedro_run_id": candidate.kedro_run_id,
        "augmented_qa": candidate.versions["augmented_qa"],
        "verdict": candidate.verdict["overall"],
        **{
            f"verdict.{metric}": candidate.verdict["metrics"][metric]["conclusion"]
            for metric in _primary(candidate.verdict)
        },
        "commit": candidate.commit,
        "git_dirty": candidate.git_dirty,
    }
    decided = {
        "promotion": decision.conclusion,
        "promotion.reason": decision.reason,
        "promotion.against": f"version {holder.version}" if holder else "no champion",
        "promotion.kedro_run_id": candidate.kedro_run_id,
    }
    if dry_run:
        known = registry.registered(client, name, fingerprint)
        label = f"version {known.version}" if known else "a new version"
        label += _dirty(known.tags if known else tags)
        return f"Dry run, nothing was changed. {_sentence(name, label, decision, holder)}"
    version = registry.register(
        client,
        name,
        candidate.student,
        run_id=candidate.run_id,
        tags=tags,
        decision=decided,
        card=candidate.card,
        asking=_asking(candidate, rules),
        description=f"{verdict_sentence(candidate.verdict)} Run {candidate.kedro_run_id}.",
    )
    if decision.moves:
        held_to: Any = version if decision.anchors else anchor
        client.set_model_version_tag(name, version.version, registry.ANCHOR, held_to.version)
        client.set_registered_model_alias(name, registry.CHAMPION, version.version)
    label = f"version {version.version}{_dirty(version.tags)}"
    return _sentence(name, label, decision, holder)


def _asking(candidate: Candidate, rules: Rules) -> registry.Asking:
    """Return how a student was asked when it was judged, with a question it has not learnt."""
    rows = candidate.augmented_qa
    fields = prompt_fields([candidate.student.tokenizer])
    held_out = rows.loc[rows["split"] == "test", fields]
    tokens = candidate.max_new_tokens or rules.answering.max_new_tokens
    first = [dict(zip(fields, row, strict=True)) for row in held_out.head(1).to_numpy().tolist()]
    return registry.Asking(tokens, *first)


def _decide(
    client: Any,
    candidate: Candidate,
    holder: Any | None,
    anchor: Any,  # None where it is gone
    context: Any,
    rules: Rules,
) -> Decision:
    if holder is None:
        return _decide_first(candidate.verdict, rules.judging)
    decision = _beside(client, candidate, holder, context, rules, weigh=True)
    if not decision.moves or anchor is holder:
        return decision
    if anchor and anchor.tags.get("weights") == weights_fingerprint(candidate.student.model):
        return decision  # it was the anchor before
    number = holder.tags[registry.ANCHOR]
    absent = _not_known(context, anchor) if anchor else "it is gone from the registry"
    if absent:
        reason = (
            f"{decision.reason}, but it is held to version {number}, {LAST_BETTER}, and {absent}: "
            f"delete the tag {registry.ANCHOR} of version {holder.version} to go by that one alone"
        )
        return Decision(False, "not applicable", reason)
    beside_anchor = _beside(client, candidate, anchor, context, rules, weigh=False)
    return hold_to_anchor(decision, beside_anchor, f"version {anchor.version}")


def _beside(
    client: Any, candidate: Candidate, version: Any, context: Any, rules: Rules, *, weigh: bool
) -> Decision:
    """Return the decision for a candidate beside a version, as if that one were the champion.

    Args:
        client: An `MlflowClient`.
        candidate: The student.
        version: The version.
        context: Kedro's, to read the version's rows.
        rules: What a promotion obeys.
        weigh: Whether a saving counts.
    """
    if reason := _not_known(context, version):
        return Decision(False, "not applicable", reason)
    then = {"augmented_qa": version.tags["augmented_qa"]}
    rows = shared_held_out(
        candidate.augmented_qa, catalog_of_versions(context, then).load("augmented_qa")
    )
    families = int(rows["family_id"].nunique())
    least = rules.judging.min_families
    if families < least:
        return decide({}, {}, families=families, min_families=least, saving=0.0)
    with TemporaryDirectory() as place:
        models = {
            "newcomer": candidate.student,
            "champion": registry.load(client, version, Path(place)),
        }
        return _compare(models, rows, rules, weigh)


def _not_known(context: Any, version: Any) -> str:
    """Say that the rows which a version learnt are not there; '' where they are."""
    rows = version.tags.get("augmented_qa", "")
    if rows and versions_exist(context.catalog, {"augmented_qa": rows}):
        return ""
    return (
        f"what version {version.version} learnt (augmented_qa {rows or 'unknown'}) is not in this "
        "environment"
    )


def _decide_first(verdict: Mapping[str, Any], judging: VerdictParams) -> Decision:
    """Return whether a verdict makes the first champion: one that was reached by these rules."""
    primary = _primary(verdict)
    confidence = verdict["confidence"]
    if set(primary) != set(judging.primary) or confidence < judging.confidence:
        ours, theirs = (", ".join(map(title, names)) for names in (judging.primary, primary))
        reason = (
            f"its verdict was reached by {theirs} at {100 * confidence:g} %, and "
            f"{ours} at {100 * judging.confidence:g} % are asked for"
        )
        return Decision(False, "not applicable", reason)
    for name in primary:
        metric = verdict["metrics"][name]
        if metric["conclusion"] == "better" and metric["families"] < judging.min_families:
            reason = f"it is better in {title(name)} on {metric['families']} families alone"
            return Decision(False, "not applicable", f"{reason}; {judging.min_families} are needed")
    gains = {
        name: sorted(
            control
            for control, each in verdict["metrics"][name]["controls"].items()
            if control in TO_BEAT and not each["student_ahead"]
        )
        for name in primary
        if verdict["metrics"][name]["conclusion"] == "better"
    }
    if gains and all(gains.values()):
        name, behind = next(iter(gains.items()))
        reason = f"it is better in {title(name)}, but not ahead of the control {behind[0]} there"
        return Decision(False, "not applicable", reason)
    return decide_first(verdict["overall"], verdict["overall_reason"])


def _compare(
    models: Mapping[str, LanguageModel], rows: pd.DataFrame, rules: Rules, weigh: bool
) -> Decision:
    chosen = choose_held_out(rows, max_rows=rules.answering.max_rows)
    with cpu_threads(rules.answering.threads):
        newcomer, champion = _graded(models, chosen, rules.answering)
    same = len({tokenizer_fingerprint(model.tokenizer) for model in models.values()}) == 1
    metrics = compare_weights(
        newcomer,
        champion,
        # Perplexity counts tokens: other tokens, another perplexity.
        primary=[
            "bits_per_byte" if name == "perplexity" and not same else name
            for name in rules.judging.primary
        ],
        confidence=rules.judging.confidence,
        draws=rules.judging.draws,
        min_families=rules.judging.min_families,
        margin=rules.judging.margin,
        seed=rules.judging.seed,
    )
    families, least = int(chosen["family_id"].nunique()), rules.judging.min_families
    saving = rules.promotion.saving
    decision = decide(metrics, {}, families=families, min_families=least, saving=saving)
    if not weigh or decision.conclusion != "non-inferior":  # then no saving could change it
        return decision
    savings = _savings(models, _asked(models, chosen), rules.timing)
    return decide(metrics, savings, families=families, min_families=least, saving=saving)


def _graded(
    models: Mapping[str, LanguageModel], rows: pd.DataFrame, answering: AnsweringParams
) -> list[pd.DataFrame]:
    from kd_kedro.inference.generate import generate_answers
    from kd_kedro.inference.scoring import score_together

    questions, references = _asked(models, rows), list(rows["answer"])
    size = answering.batch_size
    scores = score_together(list(models.values()), questions, references, batch_size=size)
    graded = []
    for (name, model), own in zip(models.items(), scores, strict=True):
        answers = generate_answers(
            model, questions, max_new_tokens=answering.max_new_tokens, batch_size=size
        )
        graded.append(grade(rows, answers, own, model=name, seed=""))
    return graded


def _asked(models: Mapping[str, LanguageModel], rows: pd.DataFrame) -> list[Asked]:
    """Return what rows ask, with the fields of the prompts of all models."""
    return asked_of(make_examples(rows, prompt_fields(each.tokenizer for each in models.values())))


def _savings(
    models: Mapping[str, LanguageModel], questions: list[Asked], timing: CompressionParams
) -> dict[str, float]:
    """Return champion ÷ newcomer of what a smaller or faster model saves.

    A time that spread too widely to be certified is left out.
    """
    asked = questions[: timing.prompts]
    champion, newcomer = (certificate_entry(models[n], asked) for n in ("champion", "newcomer"))
    ratios = certify(
        champion,
        newcomer,
        {},
        new_tokens=timing.new_tokens,
        max_seconds=timing.max_seconds,
        batch_sizes=timing.batch_sizes[:1],
        threads=timing.threads[:1],
        max_spread=timing.max_spread,
    )["ratios"]
    named = {"parameters": "parameters", "bytes": "bytes", "latency_p50": "time per answer"}
    return {named[key]: ratios[key] for key in named if not isinstance(ratios[key], dict)}


def _dirty(tags: Mapping[str, str]) -> str:
    return " (of a run with uncommitted changes)" if tags.get("git_dirty") == "true" else ""


def _sentence(name: str, label: str, decision: Decision, holder: Any | None) -> str:
    if decision.moves:
        compared = f"; it was compared with version {holder.version}" if holder else ""
        return f"{name}: {label} becomes the champion: {decision.reason}{compared}."
    stays = f"version {holder.version} stays the champion" if holder else "there is no champion yet"
    return f"{name}: {label} does not become the champion: {decision.reason}; {stays}."


def _primary(verdict: Mapping[str, Any]) -> list[str]:
    return list(verdict["primary"])


def _rules(context: Any) -> Rules:
    groups = context.params["evaluation"]
    return Rules(
        PromotionParams.model_validate(groups["promotion"]),
        AnsweringParams.model_validate(groups["answering"]),
        VerdictParams.model_validate(groups["verdict"]),
        CompressionParams.model_validate(groups["compression"]),
    )
