"""The values a study found best, as parameters of a run: `kedro run --tuned`."""

from collections.abc import Mapping, Set
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from kd_kedro.runs.environments import kedro_command
from kd_kedro.runs.parameter_check import flatten
from kd_kedro.runs.provenance import (
    difference,
    expected_provenance,
    no_version,
    read_provenance,
    source_hashes,
    version_folder,
)

BEST = "best_hyperparameters"


def tuned_parameters(
    catalog: DataCatalog,
    config: Mapping[str, Any],
    full: Pipeline,
    explicit: Mapping[str, Any],
    operational: Set[str] = frozenset(),
    env: str | None = None,
) -> tuple[dict[str, Any], str]:
    """Return what a study found best, where it was made from the present parameters and data.

    Args:
        catalog: Catalog of a session with the parameters of the run, without the tuned ones.
        config: The catalog's configuration.
        full: The pipeline of everything.
        explicit: The `--params` of the run, nested; they win.
        operational: Keys of the parameters that change nothing in what comes out: another number
            of trials or workers is still the same study.
        env: The run's environment, which the study needs too.

    Returns:
        The parameters to run with, nested, the explicit ones included; and one line that says what
        was taken from which trial.

    Raises:
        ValueError: There are none, or they were found with other parameters or data.
    """
    remedy = f"run `{kedro_command('run --pipelines tuning', env)}` first"
    folder = version_folder(catalog, BEST, "load")
    if folder is None:
        raise ValueError(f"--tuned: {no_version(BEST, catalog)}: {remedy}")
    recorded = read_provenance(BEST, folder, remedy)
    best = catalog.load(BEST)
    values: dict[str, Any] = best["parameters"]
    sources = source_hashes(full.inputs(), catalog, config)
    now = expected_provenance(BEST, full, catalog, sources, {})
    free = operational | values.keys()
    for side in (recorded, now):
        side["parameters"] = {k: v for k, v in side["parameters"].items() if k not in free}
    if found := difference(recorded, now):
        raise ValueError(
            f"--tuned: {BEST} of version {folder.name} belong to other parameters or data: "
            f"{found}; {remedy}, or leave --tuned out"
        )
    given = dict(flatten(explicit))
    taken = {key: value for key, value in values.items() if key not in given}
    shown = ", ".join(
        f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in taken.items()
    )
    kept = [key for key in values if key in given]
    trial = (
        f"trial {best['trial']} of version {folder.name}, validation loss "
        f"{best['validation_loss']:.4f}"
    )
    if twin := best.get("baseline"):
        trial += f"; of the baseline trial {twin['trial']}, {twin['validation_loss']:.4f}"
    line = f"Tuned: {shown or 'nothing'} ({trial})"
    if kept:
        line += f"; --params win for {', '.join(kept)}"
    return nested({**given, **taken}), line


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings of dotted keys."""
    result: dict[str, Any] = {}
    for key, value in flat.items():
        *groups, leaf = key.split(".")
        place = result
        for group in groups:
            place = place.setdefault(group, {})
        place[leaf] = value
    return result
