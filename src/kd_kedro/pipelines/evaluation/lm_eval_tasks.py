"""The held-out rows as tasks of EleutherAI's lm-evaluation-harness (`lm_eval`).

The folder needs nothing of this package: rows with their prompts as the models read them, the
very function that our exact match compares answers by, and a YAML file that names them. Its
metric is the harness's own `exact_match`.
"""

import inspect
import json

import pandas as pd

from kd_kedro.metrics.scores.exact_match import canonical, gradable

TASK = "kd_kedro"
_ROWS = "held_out.jsonl"

_YAML = """\
# {rows} held-out rows with one right wording, of {all_rows} that were judged.
task: {task}
custom_dataset: !function kd_kedro_rows.load
test_split: test
output_type: generate_until
doc_to_text: prompt
doc_to_target: target
num_fewshot: 0
generation_kwargs:
  until: []                # the end-of-sequence token alone ends an answer
  do_sample: false
  max_gen_toks: {max_new_tokens}
filter_list:
  - name: canonical
    filter:
      - function: custom
        filter_fn: !function kd_kedro_rows.canonical_answers
      - function: take_first
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""

_PYTHON = '''\
"""Rows and answers of the task {task}; written by kd_kedro, needs lm_eval and nothing else."""

import json
import pathlib
import unicodedata


def load(**_):
    """Return the rows by split, read from the file beside this one; no network, no cache."""
    from datasets import Dataset

    lines = pathlib.Path(__file__).with_name("{rows}").read_text(encoding="utf-8").split("\\n")
    return {{"test": Dataset.from_list([json.loads(line) for line in lines if line])}}


def canonical_answers(answers, _):
    """Return the answers of every row without what exact match does not count."""
    return [[canonical(answer) for answer in each] for each in answers]


{canonical}'''

_README = """\
# Held-out rows for lm_eval

{rows} rows whose answer has one right wording (a label, an amount, a journal entry), of {all_rows}
held-out rows that were judged.

    lm_eval --model hf --model_args pretrained=STUDENT{marks} --tasks {task} \\
        --include_path THIS_FOLDER --device cpu --batch_size 16

STUDENT is the student's folder; where it was trained as an adapter, merged_student's, which
`kedro run --pipelines merging{env_option}` makes. Nothing is
read from the network where STUDENT is a folder. `exact_match` is the share of these rows answered
exactly: case, white space and final punctuation do not count, digits do.

A prompt that leaves no room for {max_new_tokens} tokens loses its beginning in lm_eval and is read
whole by kd_kedro; a special token that a prompt quotes is one token there and its letters here. So
their answers may differ: {differ} of these rows with this student.
"""


def task_files(
    rows: pd.DataFrame, *, max_new_tokens: int, bare: bool, env_option: str
) -> dict[str, str]:
    """Return the folder's files, text by name.

    Args:
        rows: The held-out rows that were judged: row_id, family_id, question, answer, prompt (what
            lm_eval is given to read) and differs (whether the student reads it otherwise there).
        max_new_tokens: Tokens after which an answer is cut.
        bare: Whether the tokenizer's own marks must not be put around a prompt.
        env_option: What a command about the run ends with, such as ` --env gpt2`.
    """
    graded = rows[rows["answer"].map(gradable)]
    records = [
        {
            **{name: row[name] for name in ("row_id", "family_id", "prompt", "answer")},
            "target": canonical(row["answer"]),
        }
        for row in graded.to_dict("records")
    ]
    names = {
        "task": TASK,
        "rows": len(records),
        "all_rows": len(rows),
        "max_new_tokens": max_new_tokens,
        "differ": int(graded["differs"].sum()),
        "env_option": env_option,
        "marks": ",add_bos_token=False" if bare else "",
    }
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    return {
        f"{TASK}.yaml": _YAML.format(**names),
        "kd_kedro_rows.py": _PYTHON.format(
            task=TASK, rows=_ROWS, canonical=inspect.getsource(canonical)
        ),
        _ROWS: "".join(f"{line}\n" for line in lines),
        "README.md": _README.format(**names),
    }
