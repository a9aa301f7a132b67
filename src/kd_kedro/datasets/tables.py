"""The schema of every table of the catalog, under the table's name.

Catalog entries name them as `validator: kd_kedro.datasets.tables.NAME`.
"""

from kd_kedro.curation.duplicates.families import check_families
from kd_kedro.curation.duplicates.near_questions import NEAR_PAIRS
from kd_kedro.curation.records import change_examples, lineage, schema
from kd_kedro.curation.records import row_texts as texts
from kd_kedro.curation.relevance import scores
from kd_kedro.curation.repair import personal_data as findings
from kd_kedro.datasets.table_schema import TableSchema
from kd_kedro.metrics.report import filter_quality as quality
from kd_kedro.metrics.report import instructive_answers, leakage
from kd_kedro.metrics.report import slices as parts
from kd_kedro.metrics.scores.metric_table import NUMBER_COLUMNS, RESULT_COLUMNS
from kd_kedro.training.examples import EXAMPLE_COLUMNS

_SCORED = ["score", "threshold"]
_LINKED = ["similarity", "threshold"]

# Further columns are those of the sheet that no stage between screening and split reads.
validated_qa = TableSchema(schema.VALIDATED, further=True)
screened_qa = TableSchema(schema.STAGE, further=True)
stage_rows = TableSchema(schema.STAGE)
quarantined_rows = TableSchema(schema.QUARANTINED, further=True)
review_labels = TableSchema(schema.LABELLED)
personal_data = TableSchema(findings.FINDINGS)
personal_data_summary = TableSchema(findings.SUMMARY, whole=["rows", "findings"])

relevance_scores = TableSchema(scores.SCORES, number=_SCORED)
review_queue = TableSchema(scores.QUEUE, number=_SCORED)
discarded_rows = TableSchema(schema.DISCARDED, number=_SCORED)
near_pairs = TableSchema(NEAR_PAIRS, number=["cosine"])
exact_duplicate_qa_pairs = TableSchema(schema.DUPLICATES, number=_LINKED)
same_question_diff_answers = TableSchema(schema.CONFLICTS, whole=["group_id"], number=_LINKED)
same_answer_diff_questions = TableSchema(schema.SHARED, whole=["group_id"])

# A family that straddles two splits, or a held-out row that is no original, is refused on saving.
# Further columns are fields of a prompt, or the context that only a teacher reads.
split_rows = TableSchema(schema.SPLIT, further=True, check=check_families)
row_events = TableSchema(lineage.EVENT_COLUMNS)
row_texts = TableSchema(texts.COLUMNS)
row_waterfall = TableSchema(lineage.WATERFALL_COLUMNS, whole=lineage.WATERFALL_COLUMNS[1:])

examples = TableSchema(EXAMPLE_COLUMNS, number=["weight"], further=True)
student_examples = TableSchema(
    [*EXAMPLE_COLUMNS, "outcome", "reason"], number=["weight"], further=True
)
study = TableSchema(
    ["state"], whole=["number"], number=["value", "seconds", "pruned_at"], further=True
)

validation_results = TableSchema(RESULT_COLUMNS, number=NUMBER_COLUMNS)
filter_quality = TableSchema(
    quality.COLUMNS,
    whole=["true_positive", "false_positive", "false_negative", "rows"],
    number=["precision", "recall"],
)
slices = TableSchema(parts.COLUMNS, whole=["rows", "families"], number=parts.NAMES)
train_overlap = TableSchema(leakage.COLUMNS, number=["ngram_share", "cosine"])
curation_examples = TableSchema(change_examples.COLUMNS, whole=["rows"])
instructive_examples = TableSchema(instructive_answers.COLUMNS)


def __getattr__(name: str) -> TableSchema:
    """Return the schema of `{stage}_qa`: after every stage a row has the same columns."""
    if name.endswith("_qa"):
        return stage_rows
    raise AttributeError(f"module {__name__} has no table {name}")
