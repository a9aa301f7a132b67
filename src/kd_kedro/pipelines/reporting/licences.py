"""Licences of data and models: as stated, or known because all of it was made here."""

from collections.abc import Mapping
from typing import Any

from kd_kedro.models.model_config import TRAINED_HERE
from kd_kedro.pipelines.reporting.params import Licences

NOT_STATED = "not stated"
_OWN_ID = "apache-2.0"
_ROWS = "Apache-2.0: its rows were fabricated by kd_kedro"
_OWN = {"data": _ROWS, "teacher": TRAINED_HERE, "student": TRAINED_HERE}
# The origin of a student that begins with weights of its teacher.
_OF_TEACHER = ("the teacher's layers", "a student cut out of the teacher")


def known_licences(
    stated: Licences, evidence: Mapping[str, Any], cards: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return the licences of data, teacher and student.

    One that is not stated is known only where everything it was made from was made here: rows of
    the fabrication pipeline, and models whose weights were random, or whose own card says so, as
    that of the sample's teacher. A student that learned what a language model wrote
    (`distillation.sequence_level`) is made of more.

    Args:
        stated: What the parameters say; an empty text states nothing.
        evidence: The one object of all numbers; of it, whether the rows were made here, and who
            wrote answers.
        cards: Each model's own card by name.
    """
    rows = bool(evidence.get("curation", {}).get("made_here"))
    own = cards.get("teacher", {})
    teacher = rows and _was_made_here(own)
    taught_here = teacher and evidence.get("answers_from") != "generator"
    made = {
        "data": rows,
        "teacher": teacher,
        "student": taught_here and _was_random(cards.get("student", {})),
    }
    return {
        name: text or (_OWN[name] if made[name] else NOT_STATED)
        for name, text in stated.model_dump().items()
    }


def hub_licence(licence: str) -> str:
    """Return what the hub calls a licence that `known_licences` returned: its id, or other."""
    return _OWN_ID if licence == TRAINED_HERE else "other"


def _was_random(card: Mapping[str, Any]) -> bool:
    """Tell whether a model's weights, or the teacher's that they were copied from, were random."""
    return all(map(_names_no_model, [card.get("origin", ""), *card.get("ensemble", {}).values()]))


def _was_made_here(card: Mapping[str, Any]) -> bool:
    """Tell whether a model was trained by this project on fabricated rows, in this run or before.

    The models of an ensemble are known by their origins alone.
    """
    known = card.get("licence") == TRAINED_HERE or _names_no_model(card.get("origin", ""))
    return known and all(map(_names_no_model, card.get("ensemble", {}).values()))


def _names_no_model(origin: str) -> bool:
    return origin == "made in this run" or origin.startswith(("random weights", *_OF_TEACHER))


def base_model(cards: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the name of the pretrained model that a student's weights come from; None of none."""
    origin = str(cards.get("student", {}).get("origin", ""))
    return pretrained(cards, "teacher" if origin.startswith(_OF_TEACHER) else "student")


def pretrained(cards: Mapping[str, Mapping[str, Any]], model: str) -> str | None:
    """Return the name that a model was loaded by; None where its weights were random."""
    card = cards.get(model, {})
    origin = str(card.get("origin", ""))
    return origin if origin and not _was_random({"origin": origin}) else None
