"""Rows that are longer than max_length: told before any training, or refused."""

import logging
import re

import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

from kd_kedro.generation.protocol import Outcome
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.distillation.cost import GROUPS, plan_distillation
from kd_kedro.pipelines.distillation.lengths import (
    check_lengths,
    check_student_lengths,
    length_notes,
)
from kd_kedro.pipelines.distillation.nodes import choose_examples
from kd_kedro.training.examples import encode_examples
from tests.pipelines.distillation.recipe import CONF, parameters, run
from tests.pipelines.distillation.toy import augmented_qa
from tests.training.architectures import build, save

TABLE = augmented_qa(60)


@pytest.fixture(scope="module")
def tokenizer():
    return train_byte_bpe([*TABLE["question"], *TABLE["answer"]], 400)


def lengthened(split, count):
    """The table with that many original rows of a split made long."""
    table = TABLE.copy()
    own = table.index[(table["split"] == split) & (table["style"] == "original")][:count]
    table.loc[own, "answer"] = [f"{'much more ' * (40 + n)}of it" for n in range(count)]
    return table


def checked(table, tokenizer, teacher="", **changed):
    params = parameters("test", {"examples": changed})["params:distillation.examples"]
    examples = (*choose_examples(table, params), table)
    return check_lengths(*examples, tokenizer, params, teacher)


def test_a_few_long_rows_are_listed_and_said_before_training(tokenizer, caplog):
    facts, length = checked(lengthened("train", 2), tokenizer)
    assert length == facts["limit"] == 160
    assert [part["part"] for part in facts["parts"]] == ["training", "validation", "held-out"]
    assert len(facts["rows"]) == 2
    longest = facts["rows"][0]["tokens"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.name.startswith("kd_kedro.pipelines.distillation")
    rows = facts["parts"][0]["rows"]
    assert record.getMessage() == (
        f"2 of {rows} training rows ({200 / rows:.1f} %) are longer than "
        "distillation.examples.max_length=160 tokens and are cut (length_facts): --params "
        f"distillation.examples.max_length={longest} cuts none"
    )
    assert checked(TABLE, tokenizer)[0]["rows"] == []
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("split", "part"), [("train", "training"), ("test", "held-out")])
def test_more_than_the_share_stops_with_the_length_that_would_do(split, part, tokenizer):
    table = lengthened(split, 8)
    with pytest.raises(ValueError, match=rf"^8 of \d+ {part} rows \(\d") as refused:
        checked(table, tokenizer)
    said = str(refused.value)
    enough, longest = (
        int(said.partition(before)[2].split()[0])
        for before in ("--params distillation.examples.max_length=", "5 % of them and ")
    )
    assert 160 < enough < longest
    facts, _ = checked(table, tokenizer, max_length=enough)
    assert 0 < len(facts["rows"]) < 8
    assert checked(table, tokenizer, max_length=longest)[0]["rows"] == []
    assert len(checked(table, tokenizer, max_cut_share=1)[0]["rows"]) == 8
    assert said.endswith("--params distillation.examples.max_cut_share=1 trains on cut rows")


def test_a_teacher_with_too_few_positions_for_all_rows_is_named(tokenizer, tmp_path, caplog):
    folder = save(tmp_path, build("gpt2", tokenizer), tokenizer)  # 128 positions
    told = f"(but distillation.teacher.pretrained '{folder}' reads at most 128 tokens: "
    with pytest.raises(ValueError, match=re.escape(f" cuts none {told}")):
        checked(lengthened("train", 8), tokenizer, folder, max_length=120)
    checked(lengthened("train", 2), tokenizer, folder, max_length=120)
    checked(TABLE, tokenizer, folder, max_length=50, max_cut_share=1)  # 128 hold all of these
    assert [told in record.getMessage() for record in caplog.records] == [True, False]


def test_rows_are_counted_in_the_tokens_of_the_student_too(tokenizer, tmp_path):
    letters = train_byte_bpe(["0"], 258)  # a token for each letter
    letters.save_pretrained(tmp_path)
    params = parameters("test")["params:distillation.examples"]
    examples = (*choose_examples(TABLE, params), TABLE)
    said = r"^in the tokens of distillation\.student\.tokenizer \d+ of \d+ training rows"
    with pytest.raises(ValueError, match=said):
        check_student_lengths(
            *examples, tokenizer, params.model_copy(update={"max_length": 100}), str(tmp_path)
        )
    assert check_student_lengths(*examples, tokenizer, params, "")["parts"] == []


@pytest.mark.parametrize("kind", ["bert", "encoder_decoder"])
@pytest.mark.parametrize("part", ["question", "answer"])
def test_a_row_that_an_encoder_or_a_decoder_cannot_read_is_refused_before_training(
    part, kind, tokenizer, tmp_path
):
    folder = save(tmp_path, build(kind, tokenizer), tokenizer)  # 128 positions
    changed = {"examples": {"max_length": 400, "max_augmented_rows": 0}}
    params = parameters("test", changed)["params:distillation.examples"]
    table = TABLE.copy()
    row = table.index[(table["split"] == "train") & (table["style"] == "original")][2]
    table.loc[row, part] = "land " * 130
    examples = (*choose_examples(table, params), table)
    said = (
        rf"^toy, row {table.loc[row, 'row_id']} has (\d+) tokens in its {part}, but distillation\."
        r"{}\.pretrained '.*' reads at most 128: lower distillation\.examples\.max_length, or"
    )
    with pytest.raises(ValueError, match=said.format("student")) as refused:
        check_student_lengths(*examples, tokenizer, params, "", folder)
    rows = encode_examples(examples[0], tokenizer, 400)
    [own] = [each for each in rows if each.row_id == table.loc[row, "row_id"]]
    tokens = len(own.encoder_ids) if part == "question" else own.begin + own.answer_tokens
    assert tokens == int(re.search(said.format("student"), str(refused.value))[1])
    with pytest.raises(ValueError, match=said.format("teacher")):
        check_lengths(*examples, tokenizer, params, folder)
    short = (*choose_examples(TABLE, params), TABLE)
    check_student_lengths(*short, tokenizer, params, "", folder)
    check_lengths(*short, tokenizer, params, folder)
    with pytest.raises(ValueError, match=said.format("student")):  # as the plan says it
        length_notes(*examples, tokenizer, params, "", (), "", folder)


def test_no_model_is_trained_before_the_rows_were_counted():
    bootstrap_project(CONF.parent)
    for name in ("__default__", "distillation"):
        order = [node.short_name for node in pipelines[name].nodes]
        teacher = order.index("train_teacher")
        assert max(map(order.index, ("check_lengths", "check_student_lengths"))) < teacher
        [node] = pipelines[name].only_nodes_with_outputs("teacher").nodes
        assert "length_settings" in node.inputs  # whatever runs the nodes


def test_a_plan_says_what_a_run_would(tokenizer):
    def planned(table):
        values = parameters("test")
        groups = {name: values[f"params:distillation.{name}"] for name in GROUPS}
        return plan_distillation(table, **groups).length_notes

    [note] = planned(lengthened("test", 8))  # the tokenizer is trained on the others
    assert note.startswith("a run would stop before training: 8 of ")


class Talkative:
    """A generator that answers some questions at length."""

    tasks = frozenset({"answer"})

    def generate(self, requests):
        for number, _ in enumerate(requests):
            yield Outcome("ok", "Debit. " * (100 if number % 2 else 1), "")


def test_a_teachers_answer_that_would_be_cut_is_not_learned_from(tmp_path):
    changed = {
        "sequence_level": {"source": "generator", "must_match": False},
        "seeds": {"count": 1},
    }
    catalog = run(TABLE, tmp_path, changed=changed, text_generator=Talkative())
    written = catalog.load("student_examples").query("outcome != 'reference'")
    assert {*written["outcome"][::2]} == {"ok"}
    assert {*written["reason"][1::2]} == {"longer than examples.max_length with its question"}
