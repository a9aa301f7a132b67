"""Whether all that a model learnt from was made here."""

import pandas as pd
import pytest

from kd_kedro.pipelines.evaluation.data_quality import is_made_here

TRUTH = pd.DataFrame({"row_id": ["a", "b"], "template": ["class: element", "formula: half"]})
RULES, MODEL = '{"similarity":0.9}', '{"model":"some-llm","similarity":0.9}'


@pytest.mark.parametrize(
    ("truth", "read", "evidence", "made_here"),
    [
        (TRUTH, ["a", "b"], RULES, True),
        (TRUTH, ["a"], RULES, True),
        (TRUTH, ["a", "c"], RULES, False),
        (TRUTH, ["a", "b"], MODEL, False),
        (TRUTH.assign(template=["class: element", ""]), ["a", "b"], RULES, False),
        (pd.DataFrame(), ["a"], RULES, False),
    ],
)
def test_rows_are_made_here_where_each_has_a_template_and_no_model_wrote(
    truth: pd.DataFrame, read: list[str], evidence: str, made_here: bool
) -> None:
    events = [(row, "validation", "kept", "") for row in read]
    events.append((f"{read[0]}-formal", "augmentation", "created", evidence))
    table = pd.DataFrame(events, columns=["row_id", "stage", "action", "evidence"])
    assert is_made_here(truth, table) is made_here
