"""Who is asked the held-out questions."""

from types import SimpleNamespace

from kd_kedro.pipelines.evaluation.answers import who_is_asked


def test_twins_of_every_seed_are_asked_under_one_name() -> None:
    model = SimpleNamespace(card={"seed": 10})
    further = ("baseline_11", "student_11", "cut_untaught_11", "patient_given_10")
    seeds = dict.fromkeys((*further, "patient_given_11"), model)
    controls = dict.fromkeys(("untrained", "cut_untaught"), model)
    found: dict[str, list[str]] = {}
    for each in who_is_asked(model, model, model, seeds, controls):
        found.setdefault(each.model, []).append(each.seed)
    both = ["10", "11"]
    assert found == {
        "teacher": [""],
        "untrained": [""],
        **dict.fromkeys(("baseline", "student", "cut_untaught", "patient_given"), both),
    }
