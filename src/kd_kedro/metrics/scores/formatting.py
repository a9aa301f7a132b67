"""Numbers and verdicts in words and rows, for the terminal, the report and the model card."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kd_kedro.metrics.scores.diversity import DESCRIPTIONS, Description
from kd_kedro.metrics.scores.metric import Metric
from kd_kedro.metrics.scores.metric_table import METRICS

# figure, ratio, title, decimals
COMPRESSION_ROWS = (
    ("parameters", "parameters", "parameters", 0),
    ("bytes", "bytes", "bytes on disk", 0),
    ("latency_p50_ms", "latency_p50", "latency p50, ms", 1),
    ("latency_p95_ms", "latency_p95", "latency p95, ms", 1),
    ("latency_p99_ms", "latency_p99", "latency p99, ms", 1),
    ("prefill_p50_ms", "prefill_p50", "time to the first token, ms", 2),
    ("decode_p50_ms", "decode_p50", "time of a further token, ms", 2),
    ("tokens_per_second", "tokens_per_second", "tokens per second", 0),
    ("peak_memory_bytes", "peak_memory", "peak memory, bytes", 0),
)
_READ: dict[str, Metric | Description] = {
    **{metric.name: metric for metric in METRICS},
    **{description.name: description for description in DESCRIPTIONS},
}


@dataclass(frozen=True)
class SummaryTable:
    """A table to print: title, header, rows of text, and a sentence below."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""


def summarise(
    waterfall: pd.DataFrame | None,
    verdict: Mapping[str, Any] | None,
    compression: Mapping[str, Any] | None,
) -> list[SummaryTable]:
    """Return the tables a run ends with; what is None (not reached yet) is left out.

    Args:
        waterfall: `row_waterfall`.
        verdict: The verdict.
        compression: Size, speed and memory of teacher and student.
    """
    tables = []
    if waterfall is not None:
        header = [str(column) for column in waterfall.columns]
        tables.append(SummaryTable("Rows", header, waterfall.astype(str).to_numpy().tolist()))
    if verdict is not None:
        tables.append(_verdict_table(verdict))
    if compression is not None:
        tables.append(_compression_table(compression))
    return tables


def verdict_sentence(verdict: Mapping[str, Any]) -> str:
    """Return the verdict in one sentence: the overall word, then what the primary metrics say.

    A student that its training has made worse is told of first, in a sentence of its own: behind
    its untrained self in the first metric that decides, or clearly so in another.
    """
    return f"{_worse_than_untrained(verdict)}{_against_baseline(verdict)}"


def _worse_than_untrained(verdict: Mapping[str, Any]) -> str:
    behind = []
    for name in verdict["primary"]:
        metric = verdict["metrics"][name]
        untrained = metric["controls"].get("untrained")
        if untrained is None:
            continue
        now, before = metric["student"]["estimate"], untrained["estimate"]
        # A perplexity that no number holds is shown as None.
        ends = [math.inf if value is None else value for value in (now, before)]
        worse = ends[0] < ends[1] if metric["higher_is_better"] else ends[0] > ends[1]
        first = name == verdict["primary"][0] and worse and show(name, now) != show(name, before)
        if first or untrained.get("student_behind"):
            behind.append(f"{title(name)} ({show(name, now)}, {show(name, before)} untrained)")
    if not behind:
        return ""
    return f"The distilled student is worse than before its training in {_join(behind)}. "


def _against_baseline(verdict: Mapping[str, Any]) -> str:
    by_conclusion: dict[str, list[str]] = {}
    for name in verdict["primary"]:
        conclusion = verdict["metrics"][name]["conclusion"]
        by_conclusion.setdefault(conclusion, []).append(title(name))
    parts = [
        f"{conclusion} than its baseline in {_join(by_conclusion[conclusion])}"
        for conclusion in ("better", "worse")
        if conclusion in by_conclusion
    ]
    if "not shown" in by_conclusion:
        from_what = "" if parts else " from its baseline"
        parts.append(f"not shown to differ{from_what} in {_join(by_conclusion['not shown'])}")
    idle = by_conclusion.get("not applicable", [])
    if not parts:
        does = "is" if len(idle) == 1 else "are"
        return f"No primary metric could be judged: {_join(idle)} {does} not applicable."
    if idle:
        parts.append(f"while {_join(idle)} {'does' if len(idle) == 1 else 'do'} not apply")
    said = ", ".join(parts)
    if verdict["overall"] == "mixed":
        return f"Mixed: the distilled student is {said}."
    return f"The distilled student is {said}."


def teacher_sentence(verdict: Mapping[str, Any]) -> str:
    """Return how the student stands to its teacher: non-inferior or behind, the gap recovered."""
    deciding = {name: verdict["metrics"][name] for name in verdict["primary"]}
    kept = [
        title(name)
        for name, metric in deciding.items()
        if metric["non_inferiority"]["conclusion"] == "non-inferior"
    ]
    behind = [
        f"{title(name)} ({', its teacher '.join(show(name, value) for value in ends)})"
        for name in behind_teacher(verdict)
        for ends in [[deciding[name][who]["estimate"] for who in ("student", "teacher")]]
    ]
    margin = f"within a margin of {100 * verdict['margin']:g} %"
    if verdict["non_inferior"] is None:
        first = "Whether it keeps up with its teacher could not be judged"
    elif verdict["non_inferior"]:
        first = f"It is non-inferior to its teacher {margin} in {_join(kept)}"
    elif kept:
        first = f"It is non-inferior to its teacher {margin} in {_join(kept)} only"
    elif not behind:
        first = f"It is not shown to be non-inferior to its teacher {margin}"
    else:
        first = f"It is worse than its teacher in {_join(behind)}"
    if kept and behind:
        first += f", and worse than it in {_join(behind)}"
    shares = [
        f"{_share(gap['estimate'])} [{_share(gap['low'])}, {_share(gap['high'])}] in {title(name)}"
        for name, metric in deciding.items()
        if (gap := metric["gap_recovered"])["estimate"] is not None
    ]
    if not shares:
        return f"{first}."
    return f"{first}; of the teacher's lead over the baseline it recovers {_join(shares)}."


def ensemble_sentence(card: Mapping[str, Any]) -> str:
    """Return who an ensemble of teachers are, '' of one teacher.

    Args:
        card: The teacher's, with the origins of the others by name under `ensemble`.
    """
    others = card.get("ensemble", {})
    if not others:
        return ""
    named = "; ".join(f"{name}: {origin}" for name, origin in others.items())
    return (
        f"The teacher is an ensemble of {1 + len(others)} models, whose probabilities are averaged "
        f"(the first: {card.get('origin', 'of unknown origin')}; {named}); what is said of the "
        "teacher, its costs too, is said of all of them together."
    )


def attribution_sentence(verdict: Mapping[str, Any]) -> str:
    """Return what of the gain is the student's start and what its targets, '' if not known.

    And whether plain training with the same compute would have bought it, where that was tried.
    """
    parts = {name: verdict["metrics"][name].get("attribution", {}) for name in verdict["primary"]}
    begun = {name: each for name, each in parts.items() if "start" in each}
    patient = {name: each["patient"] for name, each in parts.items() if "patient" in each}
    said = [_start_and_targets(begun)] if begun else []
    for account, words in _ACCOUNTS.items():
        own = {name: each[account] for name, each in patient.items() if account in each}
        said += [_patience(own, words)] if own else []
    return " ".join(said)


def _start_and_targets(parts: Mapping[str, Mapping[str, Any]]) -> str:
    told = [
        f"{title(name)} {_part(name, each['start'])} by the start and "
        f"{_part(name, each['targets'])} by the targets"
        for name, each in parts.items()
    ]
    first = f"It begins as a part of its teacher; against the baseline that gives {_join(told)}."
    concluded = {name: each["targets"]["conclusion"] for name, each in parts.items()}
    if "better" in concluded.values():
        return first
    cost = [title(name) for name, conclusion in concluded.items() if conclusion == "worse"]
    worse = f", and cost some in {_join(cost)}" if cost else ""
    return f"{first} Beyond its start the targets bring no gain that is shown{worse}."


# Of a compute: what is said of the teacher's part in it.
_ACCOUNTS = {
    "teacher_given": "the teacher's training not counted",
    "teacher_counted": "the teacher's training counted",
}


def _patience(parts: Mapping[str, Mapping[str, Any]], account: str) -> str:
    """Return how the student stands to a baseline that had all its compute."""
    found = {part["conclusion"] for part in parts.values()}
    told = _join([f"{title(name)} {_part(name, part)}" for name, part in parts.items()])
    if found >= {"better", "worse"}:
        bought = "would have bought some of this and not all"
    elif "better" in found:
        bought = "would not have bought this"
    elif "worse" in found:
        bought = "would have bought more"
    else:
        bought = "is not shown to buy less or more"
    return (
        f"Plain training of the baseline with the same compute, {account}, {bought}: against it "
        f"the student has {told}."
    )


def _part(name: str, part: Mapping[str, Any]) -> str:
    value, low, high = (show_difference(name, part[key]) for key in ("difference", "low", "high"))
    return f"{value} [{low}, {high}]"


def behind_teacher(verdict: Mapping[str, Any]) -> list[str]:
    """Return the primary metrics in which the student is clearly worse than its teacher."""
    return [
        name
        for name in verdict["primary"]
        if verdict["metrics"][name]["non_inferiority"]["conclusion"] == "worse"
    ]


def title(name: str) -> str:
    """Return a metric's name as people read it."""
    return _READ[name].title if name in _READ else name.replace("_", " ")


def show(name: str, value: float | None) -> str:
    """Return a metric's value as people read it."""
    if value is None:
        return "–"
    metric = _READ.get(name)
    if metric and metric.percent:
        return f"{100 * value:.1f} %"
    if isinstance(metric, Metric) and metric.decimals is not None:
        return f"{value:.{metric.decimals}f}"
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{decimals}f}"


def show_difference(name: str, value: float | None) -> str:
    """Return student - baseline as people read it: that of logarithms as a change in percent."""
    if value is None:
        return "–"
    metric = _READ.get(name)
    if metric and metric.percent:
        return f"{_signed(100 * value, 1)} points"
    if not isinstance(metric, Metric):
        return _signed(value, 2)
    if metric.log_scale:
        return f"{_signed(100 * math.expm1(value), 1)} %"
    return _signed(value, 2 if metric.decimals is None else metric.decimals)


def _share(value: float | None) -> str:
    return "no end" if value is None else f"{round(100 * value) + 0:,d} %"


def show_figure(value: float | None, digits: int) -> str:
    """Return a measured figure as people read it."""
    return "–" if value is None else f"{value:,.{digits}f}"


def show_ratio(ratio: float | Mapping[str, str]) -> str:
    """Return a ratio of the certificate as people read it."""
    return "not certified" if isinstance(ratio, Mapping) else f"{ratio:.2f} ×"


def refusals(compression: Mapping[str, Any]) -> str:
    """Return which ratios were not certified and why, '' where all were."""
    told = {
        title: compression["ratios"][ratio]["refused"]
        for _, ratio, title, _ in COMPRESSION_ROWS
        if isinstance(compression["ratios"][ratio], Mapping)
    }
    if not told:
        return ""
    names, first = list(told), next(iter(told.values()))
    return f"Not certified: {', '.join(names)}. Of the first: {first}."


def _signed(value: float, decimals: int) -> str:
    # Adding 0.0 turns the -0.0 that rounding leaves into 0.0.
    text = f"{round(value, decimals) + 0.0:+.{decimals}f}"
    # What rounds to nothing has no sign worth showing.
    return text if any(digit in text for digit in "123456789") else text[1:]


def _verdict_table(verdict: Mapping[str, Any]) -> SummaryTable:
    metrics = verdict["metrics"]
    rows = []
    for name in verdict["primary"]:
        metric = metrics[name]
        systems = [
            _interval(metric[system], lambda value, name=name: show(name, value))
            for system in ("teacher", "baseline", "student")
        ]
        difference = _interval(
            metric["difference"], lambda value, name=name: show_difference(name, value)
        )
        rows.append([title(name), *systems, difference, metric["conclusion"]])
    header = ["metric", "teacher", "baseline student", "distilled student", "difference", "verdict"]
    idle = [
        f"{title(name)}: {metrics[name]['reason']}."
        for name in verdict["primary"]
        if metrics[name]["conclusion"] == "not applicable"
    ]
    sentences = [
        each(verdict) for each in (verdict_sentence, attribution_sentence, teacher_sentence)
    ]
    note = " ".join(filter(None, [*sentences, *idle]))
    return SummaryTable(f"Verdict: {verdict['overall']}", header, rows, note)


def _compression_table(compression: Mapping[str, Any]) -> SummaryTable:
    rows = [
        [
            title,
            show_figure(compression["teacher"][key], digits),
            show_figure(compression["student"][key], digits),
            show_ratio(compression["ratios"][ratio]),
        ]
        for key, ratio, title, digits in COMPRESSION_ROWS
    ]
    header = ["", "teacher", "student", "student saves"]
    return SummaryTable("Compression", header, rows, refusals(compression))


def _interval(estimate: Mapping[str, float | None], write: Any) -> str:
    if estimate["estimate"] is None:
        return "–"
    text = write(estimate["estimate"])
    return f"{text} [{write(estimate['low'])}, {write(estimate['high'])}]"


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
