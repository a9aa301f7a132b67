"""What every row said after each stage, as one long table that holds only what changed."""

from collections.abc import Mapping

import pandas as pd

from kd_kedro.curation.records.lineage import stages_of
from kd_kedro.curation.records.schema import table

COLUMNS = ["row_id", "stage", "question", "answer", "verdict"]
QUARANTINED = "quarantine"  # the stage of rows that no stage let out


def collect_texts(
    products: Mapping[str, pd.DataFrame], quarantined_rows: pd.DataFrame
) -> pd.DataFrame:
    """Return each row's text where a stage made or changed it.

    Args:
        products: The table each stage let out, by stage and in their order, with `row_id,
            question, answer`; that of validation may have `verdict`, what a reviewer said of it.
        quarantined_rows: Rows set aside before they were in any product.

    Returns:
        Text columns `COLUMNS`: the rows set aside first, as stage `quarantine`, then the stages in
        their order.
    """
    said: dict[str, tuple[str, str]] = {}
    records = []
    for stage, product in products.items():
        verdicts = product["verdict"] if "verdict" in product else [""] * len(product)
        columns = (product[name] for name in ("row_id", "question", "answer"))
        for row, question, answer, verdict in zip(*columns, verdicts, strict=True):
            if said.get(row) != (question, answer):
                records.append([row, stage, question, answer, verdict])
                said[row] = (question, answer)
    aside = [
        [row, QUARANTINED, question, answer, ""]
        for row, question, answer in zip(
            *(quarantined_rows[name] for name in ("row_id", "question", "answer")), strict=True
        )
    ]
    return table(COLUMNS, [*aside, *records])


def products_of(row_texts: pd.DataFrame, events: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows that each stage let out, as they were then: the reverse of `collect_texts`.

    Args:
        row_texts: Text columns `COLUMNS`.
        events: Events of all stages in their order, columns `lineage.EVENT_COLUMNS`.

    Returns:
        By stage, and for the rows set aside by `quarantine`, `row_id, question, answer, verdict`.
    """
    columns = [name for name in COLUMNS if name != "stage"]
    stayed = events[events["action"].isin(("kept", "changed", "created"))]
    products = {QUARANTINED: row_texts.loc[row_texts["stage"] == QUARANTINED, columns]}
    known = row_texts[row_texts["stage"] != QUARANTINED]
    stages = stages_of(events)
    for number, stage in enumerate(stages, 1):
        until = known[known["stage"].isin(stages[:number])]
        latest = until.drop_duplicates("row_id", keep="last")
        rows = stayed.loc[stayed["stage"] == stage, "row_id"]
        products[stage] = latest.loc[latest["row_id"].isin(rows), columns]
    return products
