"""A generator for each task, and a second for what the first could not do."""

from collections.abc import Collection, Mapping, Sequence

from kd_kedro.generation.protocol import Outcome, Request, TextGenerator

_PASSED_ON = ("rejected", "failed")


class RoutedGenerator:
    """Gives each task to its generators: the next gets what the one before rejected or failed.

    Args:
        generators: Text generators by name.
        tasks: Names of generators by task, the first to be asked first.

    Raises:
        ValueError: A task names a generator that there is not.
    """

    def __init__(
        self, generators: Mapping[str, TextGenerator], tasks: Mapping[str, Sequence[str]]
    ) -> None:
        for task, names in tasks.items():
            unknown = set(names) - set(generators)
            if unknown or not names:
                raise ValueError(
                    f"task {task} of text_generator names {min(unknown, default='no generator')}: "
                    f"use {', '.join(generators)}"
                )
        self._generators, self._tasks = generators, tasks

    @property
    def tasks(self) -> Collection[str]:
        """The tasks that all generators named for them can do."""
        return {
            task
            for task, names in self._tasks.items()
            if all(task in self._generators[name].tasks for name in names)
        }

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return one outcome per request, in the same order.

        Raises:
            ValueError: A request has a task that no generator is named for.
        """
        for request in requests:
            if request.task not in self._tasks:
                raise ValueError(
                    f"text_generator has no generator for the task {request.task}: name one in "
                    "text_generator.options.tasks of the catalog"
                )
        outcomes: dict[int, Outcome] = {}
        for turn in range(max((len(names) for names in self._tasks.values()), default=0)):
            for name, places in self._due(requests, outcomes, turn).items():
                made = self._generators[name].generate([requests[place] for place in places])
                outcomes |= {
                    place: _after(outcomes.get(place), outcome)
                    for place, outcome in zip(places, made, strict=True)
                }
                # One model in memory at a time: a node asks each generator once.
                if release := getattr(self._generators[name], "release", None):
                    release()
        return [outcomes[place] for place in range(len(requests))]

    def _due(
        self, requests: Sequence[Request], outcomes: Mapping[int, Outcome], turn: int
    ) -> dict[str, list[int]]:
        """Return the places of the requests that each generator gets at a turn."""
        due: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            names = self._tasks[request.task]
            if turn < len(names) and (
                place not in outcomes or outcomes[place].status in _PASSED_ON
            ):
                due.setdefault(names[turn], []).append(place)
        return due


def _after(first: Outcome | None, second: Outcome) -> Outcome:
    """Return the second outcome, with why the first was none."""
    if first is None:
        return second
    who = first.evidence.get("model", "rules")
    evidence = {**second.evidence, "before": f"{who} {first.status}: {first.reason}"}
    return Outcome(second.status, second.text, second.reason, evidence)
