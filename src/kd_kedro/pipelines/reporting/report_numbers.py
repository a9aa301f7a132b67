"""Writes numbers of the evidence into the page, each with its key and its exact value.

So a number of the report can be looked up in `evidence.json` and in MLflow, and a test does so.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kd_kedro.metrics.report.evidence import numbers
from kd_kedro.metrics.scores.formatting import show, show_difference

NOTHING = "–"


def writers(evidence: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Return the functions that templates write numbers with; one that is not there is a dash.

    `value`, `change` and `chance` take a metric's name and a path below it, the others a whole key.
    """
    from markupsafe import Markup

    known = numbers(evidence)

    def number(key: str, write: Callable[[float], str]) -> Any:
        if key not in known:
            return NOTHING
        found = known[key]
        return Markup('<data data-key="{}" value="{}">{}</data>').format(
            key, repr(found), write(found)
        )

    def of_metric(write: Callable[[str, float], str]) -> Callable[[str, str], Any]:
        return lambda name, path: number(f"verdict.{name}.{path}", lambda it: write(name, it))

    return {
        "value": of_metric(show),
        "change": of_metric(show_difference),
        "chance": of_metric(lambda _, p: "< 0.001" if p < 0.001 else f"{p:.3f}"),
        "described": lambda name, who: number(
            f"verdict.descriptions.{name}.{who}", lambda it: show(name, it)
        ),
        "count": lambda key: number(key, lambda it: f"{it:,.0f}"),
        "percent": lambda key: number(key, lambda it: f"{100 * it:.3g} %"),
        "times": lambda key: number(key, lambda it: f"{it:.2f} ×"),
        "decimal": lambda key, digits: number(key, lambda it: f"{it:,.{digits}f}"),
    }
