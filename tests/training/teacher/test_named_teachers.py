"""Rows that name their teacher have its targets; the others have those of all together."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate
from kd_kedro.training.examples import check_teachers, make_examples, teachers_named
from kd_kedro.training.teacher.capture import capture
from kd_kedro.training.teacher.store import identity, open_targets
from tests.training.teacher.test_store import DENSE, ROWS, TOP_K
from tests.training.tiny import tiny_model

NAMED = {"row1": "teacher", "row2": "pretrained_0", "row4": "pretrained_0"}


@pytest.fixture(scope="module")
def teacher(tokenizer):
    other = LanguageModel(tiny_model(tokenizer, seed=5), tokenizer, {"share": 0.25})
    first = LanguageModel(tiny_model(tokenizer, seed=9), tokenizer)
    return replace(first, ensemble={"pretrained_0": other})


@pytest.mark.parametrize("config", [DENSE, TOP_K])
def test_each_row_has_the_targets_of_its_teacher(config, teacher, examples, tmp_path):
    config = config.model_copy(update={"temperatures": (1.0,)})

    def targets(of, rows, named=None):
        chosen = [row for row in ROWS if row[0] in {each.row_id for each in rows}]
        who = identity(chosen, of.tokenizer, of.members, 128, named or {})
        own = {row: (name, teacher.named(name).members) for row, name in (named or {}).items()}
        manifest = capture(of.members, rows, who, tmp_path, config, own)
        return open_targets(manifest, tmp_path, who)

    mixed = targets(teacher, examples, NAMED)
    student = torch.randn(1, len(teacher.tokenizer), generator=torch.Generator().manual_seed(1))
    (divergence,) = {"bucketed_forward_kl", "forward_kl"} & mixed.serves
    for row in examples:
        alone = targets(teacher.named(NAMED.get(row.row_id, "")), [row])
        batch = collate([row], 1)
        there, here = (
            each.signal(batch, 1.0)
            .divergence(divergence, 0.0, student.expand(row.answer_tokens, -1))
            .sum()
            for each in (mixed, alone)
        )
        torch.testing.assert_close(there, here, rtol=1e-5, atol=1e-5)


def test_other_names_are_other_targets(teacher):
    one, other, none = (
        identity(ROWS, teacher.tokenizer, teacher.members, 128, named)
        for named in (NAMED, {**NAMED, "row0": "teacher"}, {})
    )
    assert len({each["named"] for each in (one, other, none)}) == 3


def test_the_column_of_a_sheet_reaches_the_examples_and_an_unknown_name_is_refused():
    cells = {"family_id": "f", "split": "train", "style": "original", "question": "q"}
    rows = pd.DataFrame(
        [
            {"row_id": f"r{number}", **cells, "answer": "a", "teacher": name}
            for number, name in enumerate(["", "teacher", "tax"])
        ]
    )
    examples = make_examples(rows)
    assert teachers_named(examples) == {"r1": "teacher", "r2": "tax"}
    check_teachers(examples, ["teacher", "tax"])
    with pytest.raises(ValueError, match=r"row r2 names the teacher 'tax', but .* are teacher, se"):
        check_teachers(examples, ["teacher", "seed_2"])
    assert not teachers_named(make_examples(rows.drop(columns="teacher")))
