"""The long table of texts gives every stage's product back."""

import pandas as pd

from kd_kedro.curation.records.lineage import record_stage
from kd_kedro.curation.records.row_texts import COLUMNS, collect_texts, products_of
from kd_kedro.curation.records.schema import table

CELLS = ["row_id", "question", "answer"]


def test_each_stage_comes_back_as_it_was() -> None:
    raw = table(
        [*CELLS, "verdict"], [["a", "q", "x", "No"], ["b", "r", "y", ""], ["c", "s", "z", ""]]
    )
    cleaned = table(CELLS, [["a", "q", "x"], ["b", "R", "y"]])
    opened = table(CELLS, [["b", "R", "why"]])
    aside = table(CELLS, [["d", "broken", ""]])
    products = {"validation": raw, "cleaning": cleaned, "fitb": opened}
    texts = collect_texts(products, aside)
    assert texts.columns.tolist() == COLUMNS
    assert texts.to_numpy().tolist() == [
        ["d", "quarantine", "broken", "", ""],
        ["a", "validation", "q", "x", "No"],
        ["b", "validation", "r", "y", ""],
        ["c", "validation", "s", "z", ""],
        ["b", "cleaning", "R", "y", ""],
        ["b", "fitb", "R", "why", ""],
    ]
    events = pd.concat(
        [
            record_stage("validation", raw, raw),
            record_stage("cleaning", raw, cleaned, quarantined={"c": "it is damaged"}),
            record_stage("fitb", cleaned, opened, dropped={"a": "it is no question"}),
        ]
    )
    again = products_of(texts, events)
    for stage, product in products.items():
        rows = again[stage][CELLS].sort_values("row_id").to_numpy().tolist()
        assert rows == product[CELLS].to_numpy().tolist()
    assert again["quarantine"][CELLS].to_numpy().tolist() == [["d", "broken", ""]]
    assert again["validation"]["verdict"].tolist() == ["No", "", ""]
