"""What `kedro runs`, `compare`, `reproduce` and `prune` print."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from kd_kedro.cli.terminal import table
from kd_kedro.metrics.scores.formatting import show, show_difference, title
from kd_kedro.runs.environments import kedro_command
from kd_kedro.runs.overview import RunSummary
from kd_kedro.runs.prune import Choice

_UNLIMITED = 10_000  # columns
_RUNS = ("run", "started (UTC)", "sheet", "recipe", "state", "verdict", "main figure")


def print_runs(runs: Sequence[RunSummary], total: int, env: str | None) -> None:
    """Print a table of runs, or that there is none yet.

    Args:
        runs: The latest runs.
        total: Number of all runs.
        env: The environment whose store was read; None for the default one.
    """
    console = Console()
    if not runs:
        _say(console, f"There are no runs yet: `{kedro_command('run', env)}` makes the first.")
        return
    rows = [[cell or "–" for cell in astuple(each)] for each in runs]
    shown = _runs_table(rows)
    width = _whole_width(console, shown)
    if not console.is_terminal:
        console.width = max(console.width, width)
    elif console.width < width:
        shown = _narrow_runs_table(console, rows)
    console.print(shown)
    if len(runs) < total:
        _say(console, f"{len(runs)} of {total} runs, --last N for more.")
    _say(
        console,
        "What differs: kedro compare RUN RUN. The same again: kedro reproduce RUN. Into the "
        "registry: kedro promote RUN. Each takes --env, as it is listed.",
    )


def _runs_table(rows: Sequence[Sequence[str]]) -> Table:
    header = _RUNS[: len(rows[0])]
    shown = table("Runs", header, rows, whole=set(header))
    shown.box, shown.padding = None, (0, 2, 0, 0)  # lines would take a quarter of 80 columns
    return shown


def _whole_width(console: Console, shown: Table) -> int:
    unlimited = console.options.update(max_width=_UNLIMITED)
    return Measurement.get(console, unlimited, shown).maximum


def _narrow_runs_table(console: Console, rows: Sequence[Sequence[str]]) -> Table:
    """Return the runs without their figure, which the description in MLflow has, a line each.

    Sheet and recipe are cut to the room that names, states and verdicts leave.
    """
    bare = _runs_table([[run, started, "", "", *said] for run, started, _, _, *said, _ in rows])
    room = len(_RUNS[2]) + max(0, console.width - _whole_width(console, bare)) // 2

    def cut(cell: str) -> str:
        text = Text(cell)
        text.truncate(room, overflow="ellipsis")
        return text.plain

    return _runs_table(
        [
            [run, started, cut(sheet), cut(recipe), *said]
            for run, started, sheet, recipe, *said, _ in rows
        ]
    )


def print_comparison(comparison: Mapping[str, Any]) -> None:
    """Print what differs between two runs.

    Args:
        comparison: What `past_runs.compare_past_runs` returns.
    """
    console = Console()
    first, second = comparison["runs"]
    for letter, run in (("A", first), ("B", second)):
        console.print(
            f"{letter}: {run['mlflow']} of {run['kedro']}, {run['status'].lower()}",
            soft_wrap=True,
            highlight=False,
        )
    equal = []
    for key in ("code", "command", "environment", "parameters", "sources", "rows"):
        pairs = comparison[key]
        heading = {"sources": "Raw data", "rows": "Row counts by stage"}.get(key, key.capitalize())
        if "reason" in pairs:
            _say(console, f"{heading} cannot be compared: {pairs['reason']}.")
        elif pairs:
            rows = [[name, *map(_cell, pair)] for name, pair in pairs.items()]
            console.print(table(heading, ["", "A", "B"], rows))
        else:
            equal.append(heading.lower())
    if equal:
        _say(console, f"The same in both: {', '.join(equal)}.")
    _print_data(console, comparison)
    _print_students(console, comparison["students"])
    if "teacher" in comparison["data"]:
        _say(console, "The teachers differ: what is measured from a teacher is from the run's own.")


def print_agreement(outcome: Mapping[str, Any]) -> None:
    """Print whether a run made the same once more.

    Args:
        outcome: What `past_runs.agreement_of` returns.
    """
    console = Console()
    by_outcome: dict[str, list[str]] = defaultdict(list)
    for name, each in outcome["outputs"].items():
        by_outcome[each["outcome"]].append(name)
    rows = [
        [name, each["outcome"], each["reason"]]
        for name, each in outcome["outputs"].items()
        if each["outcome"] != "agrees"
    ]
    if rows:
        console.print(table("Outputs that do not agree", ["output", "outcome", "why"], rows))
    if outcome["environment"] and not outcome["agrees"]:
        rows = [[name, *map(_cell, pair)] for name, pair in outcome["environment"].items()]
        console.print(table("The machine is not the same", ["", "then", "now"], rows))
    for name, each in outcome["outputs"].items():
        if each["outcome"] == "agrees" and each["reason"]:
            _say(console, f"{name} agrees {each['reason']}, which holds measured times.")
    counts = [
        f"{len(by_outcome[name])} {words}"
        for name, words in (
            ("agrees", "agree"),
            ("differs", "differ"),
            ("not made", "were not made"),
            ("cannot be compared", "cannot be compared"),
        )
        if by_outcome[name]
    ]
    then, now = outcome["runs"]
    verdict = "Reproduced" if outcome["agrees"] else "Not reproduced"
    text = f"{verdict}: of {len(outcome['outputs'])} outputs of {then}, {', '.join(counts)} ({now})"
    console.print(Text(text, style="bold"), soft_wrap=True)


def print_choices(choices: Sequence[Choice], *, deleted: bool) -> None:
    """Print which versions go and which are kept though they are older.

    Args:
        choices: What happens to every version.
        deleted: Whether they are deleted, or would be.
    """
    console = Console()
    going = [choice for choice in choices if choice.goes]
    usual = "among the last "
    special = [each for each in choices if not each.goes and not each.reason.startswith(usual)]
    for heading, part in (("Kept", special), ("Deleted" if deleted else "To be deleted", going)):
        if part:
            header = ["version", "why", "datasets", "size"]
            console.print(table(heading, header, _by_version(part)))
    kept = len(choices) - len(going)
    size = _size(sum(map(_bytes, going)))
    if copies := sum(choice.version.copy_size for choice in going):
        size += f" ({_size(copies)} of it MLflow's copies)"
    if not going:
        text = f"Nothing to delete: all {kept} versions are kept."
    elif deleted:
        text = f"Deleted {len(going)} versions, {size}; {kept} are kept."
    else:
        text = (
            f"{len(going)} versions, {size}, would go and {kept} be kept: "
            "give --yes to delete them."
        )
    console.print(Text(text, style="bold"), soft_wrap=True)


def _print_data(console: Console, comparison: Mapping[str, Any]) -> None:
    if comparison["data"]:
        rows = [
            [name, *each["versions"], "differs" if each["content"] == "differs" else "not known"]
            for name, each in comparison["data"].items()
        ]
        console.print(table("Data versions", ["dataset", "A", "B", "content"], rows))
    _say(console, f"{comparison['equal_data']} datasets have the same content in both.")
    for letter, key in (("A", "only_first"), ("B", "only_second")):
        if names := comparison[key]:
            _say(console, f"Only in {letter}: {', '.join(names)}.")


def _print_students(console: Console, students: Mapping[str, Any]) -> None:
    if "reason" in students:
        _say(console, f"The students cannot be compared: {students['reason']}.")
        return
    rows = []
    for name, metric in students["metrics"].items():
        difference = metric["difference"]
        shown = [show_difference(name, difference[key]) for key in ("estimate", "low", "high")]
        rows.append(
            [
                title(name),
                "yes" if metric["role"] == "primary" else "",
                show(name, metric["first"]),
                show(name, metric["second"]),
                "–" if metric["p_holm"] is None else f"{shown[0]} [{shown[1]}, {shown[2]}]",
                metric["conclusion"],
            ]
        )
    header = ["metric", "decides", "A", "B", "B - A", "B is"]
    console.print(table("Students on the held-out rows of both", header, rows))
    count, families = students["rows"], students["families"]
    _say(
        console,
        f"{count['common']} rows of {families['common']} families are common (A has "
        f"{count['first']} rows, B {count['second']}); seeds in both: "
        f"{', '.join(students['seeds']) or 'none'}. Intervals are adjusted by Holm, those of the "
        "metrics that decide among themselves, and the others among themselves.",
    )
    reasons: dict[str, list[str]] = defaultdict(list)
    for name, metric in students["metrics"].items():
        if metric["conclusion"] == "not applicable":
            reasons[metric["reason"]].append(title(name))
    for reason, names in reasons.items():
        _say(console, f"Not applicable: {', '.join(names)}, as {reason}.")


def _by_version(part: Sequence[Choice]) -> list[list[str]]:
    groups: dict[tuple[str, str], list[Choice]] = defaultdict(list)
    for choice in part:
        groups[choice.version.version, choice.reason].append(choice)
    rows = []
    for (version, reason), own in sorted(groups.items()):
        names = [choice.version.dataset for choice in own]
        shown = ", ".join(names) if len(names) <= 4 else f"{len(names)} datasets"
        rows.append([version, reason, shown, _size(sum(map(_bytes, own)))])
    return rows


def _bytes(choice: Choice) -> int:
    return choice.version.size + choice.version.copy_size


def _cell(value: Any) -> str:
    return "–" if value is None else str(value)


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False, markup=False)


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
