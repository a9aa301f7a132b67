"""The student's model card: Hugging Face metadata and the report's content, as Markdown."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kd_kedro.metrics.scores.formatting import (
    COMPRESSION_ROWS,
    attribution_sentence,
    ensemble_sentence,
    show,
    show_difference,
    show_figure,
    show_ratio,
    teacher_sentence,
    title,
    verdict_sentence,
)
from kd_kedro.pipelines.reporting.caveats import caveats
from kd_kedro.pipelines.reporting.licences import (
    base_model,
    hub_licence,
    known_licences,
    pretrained,
)
from kd_kedro.pipelines.reporting.params import ReportParams
from kd_kedro.pipelines.reporting.usage import (
    Example,
    fence,
    held_out_example,
    languages,
    pipeline_tag,
)
from kd_kedro.text.transcript import read_transcript

TEMPLATE = "model_card.md.j2"


def write_model_card(
    evidence: Mapping[str, Any],
    run_identity: Mapping[str, str],
    evaluation_facts: Mapping[str, Any],
    validation_results: pd.DataFrame,
    wording: ReportParams,
) -> str:
    """Write the student's model card."""
    asked = validation_results.drop_duplicates("row_id")
    card = render_model_card(
        evidence,
        evaluation_facts["models"],
        wording,
        evaluation_facts["max_new_tokens"],
        evaluation_facts["begin"],
        held_out_example(validation_results),
        wording.model_card.language or languages([*asked["question"], *asked["reference"]]),
        run_identity["env_option"],
    )
    run, commit, tree = (run_identity[name] for name in ("run", "commit", "tree"))
    return f"{card}\nRun {run}, commit {commit}, tree {tree}.\n"


def render_model_card(
    evidence: Mapping[str, Any],
    cards: Mapping[str, Mapping[str, Any]],
    wording: ReportParams,
    max_new_tokens: int,
    begin: Sequence[int],
    example: Example,
    language: Sequence[str],
    env_option: str = "",
) -> str:
    """Return the card: metadata with `model-index`, then what the report says.

    Args:
        evidence: The one object of all numbers; only its verdict must be there.
        cards: Each model's own card by name, from `answer_held_out`.
        wording: Names and licences.
        max_new_tokens: Tokens after which the judged answers were cut.
        begin: Ids that the student reads before a prompt.
        example: A held-out question.
        language: Languages of the rows, as ISO 639 codes; none where they are not known.
        env_option: What a command about the run ends with, such as ` --env gpt2`.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from kd_kedro.models.prompt_format import CHAT, field_names, prompt_text
    from kd_kedro.models.prompt_format import TEMPLATE as PLAIN

    verdict = evidence["verdict"]
    environment = Environment(
        loader=PackageLoader("kd_kedro.pipelines.reporting", "templates"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = cell
    compression = evidence.get("compression")
    licences = known_licences(wording.licences, evidence, cards)
    template = str(cards["student"].get("prompt_template", PLAIN))
    chat = template == CHAT
    others = {} if chat else {name: f"{{{name}}}" for name in field_names(template)}
    asked = {**others, "question": example.question}
    prompt = example.question if chat else prompt_text(asked, template)
    body = environment.get_template(TEMPLATE).render(
        wording=wording,
        licences=licences,
        language=language,
        example=example,
        prompt=repr(prompt),
        messages=repr(_messages(example.question)),
        chat=chat,
        fence=fence(prompt),
        encoder_decoder=pipeline_tag(cards["student"]) != "text-generation",
        max_new_tokens=max_new_tokens,
        begin=begin,
        env_option=env_option,
        sentence=verdict_sentence(verdict),
        teacher=" ".join(filter(None, [attribution_sentence(verdict), teacher_sentence(verdict)])),
        ensemble=ensemble_sentence(cards.get("teacher", {})),
        verdict=verdict,
        rows=_verdict_rows(verdict),
        kept=_teacher_rows(verdict),
        compression=compression,
        costs=_cost_rows(compression) if compression else [],
        leakage=evidence.get("leakage"),
        controls=evidence.get("controls", {}),
        warnings=caveats(evidence) if "leakage" in evidence else [],
        worst=evidence.get("worst_slice"),
        held_out=evidence.get("held_out"),
        title=title,
        cards=cards,
        show=show,
        percent=lambda value: f"{100 * value:g} %",
    )
    metadata = _metadata(verdict, cards, wording, licences["student"], language)
    return f"---\n{metadata}\n---\n\n{body}"


def _messages(question: str) -> list[dict[str, str]]:
    """Return a question, or the conversation that it is a transcript of, as a chat."""
    said = read_transcript(question) or [("user", question)]
    return [{"role": role, "content": text} for role, text in said]


def cell(text: Any) -> str:
    """Return a text that stands in a cell of a Markdown table and cannot leave it."""
    flat = " ".join(str(text).split())
    return re.sub(r"([\\`*_\[\]|<>])", r"\\\1", flat)


def _metadata(
    verdict: Mapping[str, Any],
    cards: Mapping[str, Mapping[str, Any]],
    wording: ReportParams,
    licence: str,
    language: Sequence[str],
) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    card = wording.model_card
    task = pipeline_tag(cards["student"])
    known = card.licence or hub_licence(licence)
    results = [
        EvalResult(
            task_type=task,
            dataset_type=_slug(card.dataset),
            dataset_name=card.dataset,
            dataset_split="test",
            metric_type=name,
            metric_value=metric["student"]["estimate"],
            metric_name=f"{title(name)}, {_interval_in_words(name, metric, verdict)}",
        )
        for name, metric in verdict["metrics"].items()
        if metric["student"]["estimate"] is not None
    ]
    data = ModelCardData(
        language=list(language) or None,
        license=known,
        license_name=_slug(licence) if known == "other" else None,
        library_name="transformers",
        pipeline_tag=task,
        tags=["knowledge-distillation", "kd_kedro", "question-answering"],
        base_model=base_model(cards),
        teacher=pretrained(cards, "teacher"),
        model_name=card.name,
        eval_results=results,
    )
    return str(data.to_yaml())


def _interval_in_words(name: str, metric: Mapping[str, Any], verdict: Mapping[str, Any]) -> str:
    student = metric["student"]
    if student["low"] is None or student["high"] is None:
        return "no interval"
    return (
        f"{100 * verdict['confidence']:g} % interval {show(name, student['low'])} to "
        f"{show(name, student['high'])}"
    )


def _verdict_rows(verdict: Mapping[str, Any]) -> list[list[str]]:
    metrics = verdict["metrics"]
    ordered = sorted(metrics, key=lambda name: metrics[name]["role"])
    return [
        [
            title(name),
            *(
                _with_interval(metrics[name][system], lambda value, name=name: show(name, value))
                for system in ("teacher", "baseline", "student")
            ),
            _with_interval(
                metrics[name]["difference"],
                lambda value, name=name: show_difference(name, value),
            ),
            f"**{metrics[name]['conclusion']}**"
            if metrics[name]["role"] == "primary"
            else metrics[name]["conclusion"],
            cell(metrics[name]["reason"]),
        ]
        for name in ordered
    ]


def _teacher_rows(verdict: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for name in verdict["primary"]:
        kept = verdict["metrics"][name]["non_inferiority"]
        gap = verdict["metrics"][name]["gap_recovered"]
        share = _with_interval(
            gap, lambda value: "open" if value is None else f"{100 * value:.0f} %"
        )
        rows.append([title(name), kept["conclusion"], share, cell(kept["reason"])])
    return rows


def _cost_rows(compression: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for figure, ratio, name, digits in COMPRESSION_ROWS:
        models = [
            show_figure(compression[who].get(figure), digits) for who in ("teacher", "student")
        ]
        saved = compression["ratios"].get(ratio)
        rows.append([name, *models, "–" if saved is None else show_ratio(saved)])
    return rows


def _with_interval(estimate: Mapping[str, Any], write: Any) -> str:
    if estimate["estimate"] is None:
        return "–"
    text = write(estimate["estimate"])
    return f"{text} ({write(estimate['low'])} to {write(estimate['high'])})"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:96] or "unnamed"
