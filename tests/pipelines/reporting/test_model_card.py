"""The model card: metadata that the hub's own library reads, numbers that are the evidence's."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from huggingface_hub import ModelCard
from tokenizers.processors import TemplateProcessing

from kd_kedro.metrics.comparison.verdict import judge
from kd_kedro.models.model_config import TRAINED_HERE
from kd_kedro.pipelines.reporting.licences import known_licences
from kd_kedro.pipelines.reporting.model_card import cell, render_model_card
from kd_kedro.pipelines.reporting.params import Licences, ModelCardParams, ReportParams
from kd_kedro.pipelines.reporting.usage import Example, held_out_example, languages
from tests.metrics.comparison.judging import JUDGING
from tests.metrics.conftest import make_results

WORDING = ReportParams(
    licences=Licences(data="CC-BY-4.0", teacher="MIT", student="as | the <data>"),
    model_card=ModelCardParams(name="A student", licence="apache-2.0"),
)
EXAMPLE = Example("What is ```depreciation```, 'n'?\nSay.", "The | cost", "A loss")
CARDS = {
    "teacher": {"origin": "owner/teacher", "parameters": 900},
    "student": {"origin": "made in this run", "parameters": 100, "weights": "abc"},
}
COSTS = {
    "teacher": {"parameters": 900, "latency_p50_ms": 9.0},
    "student": {"parameters": 100, "latency_p50_ms": 3.0},
    "ratios": {"parameters": 9.0, "latency_p50": {"refused": "the machine was busy"}},
    "device": "cpu",
    "how": "in turns",
}
LEAKAGE = {"rows": 40, "near": 3, "near_with_same_answer": 1, "max_near_share": 0.05}
CONTROLS = {"bleu": {"echo": "ahead", "majority": "not ahead", "shuffled": "behind"}}
WORST = {"slice": "format", "value": "mcq", "families": 12, "student": 9.0, "teacher": 3.0}


def card_of(
    evidence: dict[str, Any],
    cards: dict[str, Any] = CARDS,
    wording: ReportParams = WORDING,
    example: Example = EXAMPLE,
    language: tuple[str, ...] = ("en", "hi"),
    begin: tuple[int, ...] = (),
) -> str:
    return render_model_card(evidence, cards, wording, 8, begin, example, language)


@pytest.fixture(scope="module")
def verdict() -> dict[str, Any]:
    return judge(make_results(effect=0.4), **JUDGING)


def test_the_hub_reads_back_the_very_numbers(verdict: dict[str, Any]) -> None:
    card = ModelCard(card_of({"verdict": verdict}))
    found = {each.metric_type: each for each in card.data.eval_results}
    judged = {
        name: metric["student"]["estimate"]
        for name, metric in verdict["metrics"].items()
        if metric["student"]["estimate"] is not None
    }
    assert judged
    assert {name: each.metric_value for name, each in found.items()} == judged
    assert {each.dataset_split for each in found.values()} == {"test"}
    assert "% interval" in found["perplexity"].metric_name
    assert card.data.model_name == "A student"
    assert card.data.language == ["en", "hi"]
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "transformers"
    assert card.data.to_dict()["teacher"] == "owner/teacher"


def test_the_body_opens_with_the_verdict(verdict: dict[str, Any]) -> None:
    body = ModelCard(card_of({"verdict": verdict})).text.strip()
    assert body.startswith("# A student\n\n**The distilled student is ")
    for absent in ("What it costs", "leakage checks", "Where it is weakest", "None", "{{"):
        assert absent not in body


def test_an_ensemble_of_teachers_is_named_with_all_of_its_models(verdict: dict[str, Any]) -> None:
    teacher = {"origin": "made here", "ensemble": {"seed_7": "made | here", "pretrained_0": "c/d"}}
    body = card_of({"verdict": verdict}, {"teacher": teacher, "student": {}}, ReportParams())
    assert "The teacher is an ensemble of 3 models" in body
    assert "(the first: made here; seed\\_7: made \\| here; pretrained\\_0: c/d)" in body
    assert "ensemble" not in card_of({"verdict": verdict})


def test_every_section_of_the_evidence_is_told(verdict: dict[str, Any]) -> None:
    evidence = {
        "verdict": verdict,
        "compression": COSTS,
        "leakage": LEAKAGE,
        "controls": CONTROLS,
        "worst_slice": WORST,
        "curation": {"relevance": {"warnings": ["A label is gone."]}},
        "held_out": {"rows_used": 40, "families_used": 40},
    }
    body = card_of(evidence)
    for said in (
        "Before you believe it",
        "- A label is gone.",
        "- 3 of 40 held-out rows lie near a training row",
        "| parameters | 900 | 100 | 9.00 × |",
        "| latency p50, ms | 9.0 | 3.0 | not certified |",
        "3 lie near a training row",
        "- BLEU: ahead of echo, not ahead of majority, behind shuffled",
        "where format is\nmcq: perplexity 9.00 against\n3.00, 12 families",
        "rows used: 40",
        "| student | as \\| the \\<data\\> |",
    ):
        assert said in body


def test_every_table_has_whole_rows(verdict: dict[str, Any]) -> None:
    evidence = {"verdict": verdict, "compression": COSTS}
    lines = card_of(evidence).splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|---"):
            columns = line.count("|")
            below = lines[number + 1 :]
            table = below[: next(i for i, text in enumerate([*below, ""]) if not text)]
            assert table
            for row in table:
                assert row.replace("\\|", "").count("|") == columns, row


def test_a_conversation_is_asked_as_one(verdict: dict[str, Any]) -> None:
    cards = {**CARDS, "student": {**CARDS["student"], "prompt_template": "chat"}}
    for question, asked in (
        ("⟦user⟧ Hi.\n⟦assistant⟧ Yes?\n⟦user⟧ Why?", [("Hi.", "user"), ("Yes?", "assistant")]),
        ("Why?", []),
    ):
        said = [{"role": role, "content": text} for text, role in [*asked, ("Why?", "user")]]
        body = card_of({"verdict": verdict}, cards, example=Example(question, "It is.", "So."))
        assert f"\nasked = {said!r}\n" in body


def test_no_text_leaves_its_cell() -> None:
    assert cell("a|b\n# c <script> `x`") == "a\\|b # c \\<script\\> \\`x\\`"


MADE = "made in this run"
CUT = "a student cut out of the teacher"
SAMPLES = {"origin": "sample_teacher", "licence": TRAINED_HERE}


@pytest.mark.parametrize(
    ("made_here", "teacher", "student", "said"),
    [
        (True, {"origin": MADE}, {"origin": MADE}, ("own", "own", "own")),
        (True, {"origin": MADE}, {"origin": "the teacher's layers 0, 2"}, ("own", "own", "own")),
        (True, {"origin": MADE}, {"origin": CUT}, ("own", "own", "own")),
        (True, {"origin": "owner/teacher"}, {"origin": MADE}, ("own", "not", "not")),
        (True, {"origin": "owner/teacher"}, {"origin": CUT}, ("own", "not", "not")),
        (True, SAMPLES, {"origin": CUT}, ("own", "own", "own")),
        (True, {**SAMPLES, "ensemble": {"b": "c/d"}}, {"origin": CUT}, ("own", "not", "not")),
        (False, SAMPLES, {"origin": CUT}, ("not", "not", "not")),
        (True, {"origin": MADE}, {"origin": "owner/student"}, ("own", "own", "not")),
        (True, {"origin": MADE, "ensemble": {"b": "c/d"}}, {"origin": MADE}, ("own", "not", "not")),
        (False, {"origin": MADE}, {"origin": MADE}, ("not", "not", "not")),
    ],
)
def test_a_licence_is_not_stated_unless_all_was_made_here(
    verdict: dict[str, Any],
    made_here: bool,
    teacher: dict[str, Any],
    student: dict[str, Any],
    said: tuple[str, ...],
) -> None:
    evidence = {"verdict": verdict, "curation": {"made_here": made_here}}
    card = ModelCard(card_of(evidence, {"teacher": teacher, "student": student}, ReportParams()))
    found = dict(re.findall(r"^\| (data|teacher|student) \| (.*) \|$", card.text, re.M)[:3])
    words = {"own": "Apache-2.0: ", "not": "not stated"}
    for name, word in zip(("data", "teacher", "student"), said, strict=True):
        assert found[name].startswith(words[word])
    assert card.data.license == ("apache-2.0" if said[2] == "own" else "other")
    assert card.data.license_name == (None if said[2] == "own" else "not-stated")
    base = {CUT: teacher["origin"], "owner/student": "owner/student"}.get(student["origin"])
    assert card.data.base_model == (None if base == MADE else base)


@pytest.mark.parametrize(
    ("source", "student"), [("teacher", "own"), ("generator", "not")], ids=["teacher", "generator"]
)
def test_what_a_language_model_wrote_for_students_is_not_made_here(
    source: str, student: str
) -> None:
    evidence = {"curation": {"made_here": True}, "answers_from": source}
    cards = {"teacher": {"origin": MADE}, "student": {"origin": MADE}}
    found = known_licences(Licences(), evidence, cards)
    assert found["teacher"].startswith("Apache-2.0")
    assert found["student"].startswith({"own": "Apache-2.0", "not": "not stated"}[student])


def test_layers_of_a_pretrained_teacher_are_its_weights(verdict: dict[str, Any]) -> None:
    cards = {"teacher": {"origin": "owner/t"}, "student": {"origin": "the teacher's layers 0, 2"}}
    assert ModelCard(card_of({"verdict": verdict}, cards)).data.base_model == "owner/t"


@pytest.mark.parametrize(
    ("texts", "codes"),
    [
        (["What is the cost of it?", "An amount that is owed.", "12,500", "Cash"], ["en"]),
        (["Was ist der Preis?", "Das ist eine Summe und nicht mehr."], ["de"]),
        (["आय क्या है?", "यह धन है"], []),
        (["資産とは何ですか", "それはお金です", "貸借対照表"], ["ja"]),
        (["什么是资产", "资产是资源"], ["zh"]),
        (["12,500", "42 %", "Helsinki"], []),
        (["What is the cost of it?"] * 5 + ["Was ist der Preis und wie ist er?"] * 5, ["en", "de"]),
        (["What is the cost of it?"] * 30 + ["Was ist der Preis und wie ist er?"], ["en"]),
    ],
)
def test_languages_are_measured(texts: list[str], codes: list[str]) -> None:
    assert languages(texts) == codes


def test_languages_that_nothing_tells_are_not_named(verdict: dict[str, Any]) -> None:
    card = ModelCard(card_of({"verdict": verdict}, language=()))
    assert card.data.language is None
    assert "questions and answers: not known." in card.text


def test_the_example_is_a_held_out_question_whatever_was_answered() -> None:
    rows = [
        (f"r{n}", model, seed, "q" * n, f"ref {n}", f"{model} {seed} {n}")
        for model, seed in (("teacher", ""), ("student", "2"), ("student", "1"))
        for n in range(1, 9)
    ]
    columns = ["row_id", "model", "seed", "question", "reference", "prediction"]
    shown = held_out_example(pd.DataFrame(rows, columns=columns))
    assert shown == Example("qqq", "ref 3", "student 2 3")


@pytest.mark.parametrize(
    ("kind", "marked"),
    [
        *(("gpt2", "$A"), ("llama", "$A"), ("t5", "$A"), ("encoder_decoder", "$A")),
        *(("gpt2", "{eos} $A {eos}"), ("llama", "$A {eos}"), ("t5", "$A {eos}")),
    ],
)
def test_the_snippet_runs_as_printed_and_answers_as_it_was_judged(
    kind: str, marked: str, verdict: dict[str, Any], tmp_path: Path
) -> None:
    """The model as the catalog saves it, asked by the code of its card in a bare namespace."""
    from kd_kedro.datasets.hf_model import HFModelDataset
    from kd_kedro.inference.generate import generate_answers
    from kd_kedro.models.build import pretrained_model, size_card
    from kd_kedro.models.causal_lm import LanguageModel
    from kd_kedro.models.marks import marks
    from kd_kedro.models.tokenization import train_byte_bpe
    from tests.training.architectures import build, save

    tokenizer = train_byte_bpe(["What is cost?", "A sum of money that is paid."], 280)
    eos = (tokenizer.eos_token, tokenizer.eos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=marked.format(eos=eos[0]), special_tokens=[eos]
    )
    place = save(tmp_path / "made", build(kind, tokenizer), tokenizer)
    model = pretrained_model(place, "student", tokenizer, "float32")
    student = LanguageModel(model, tokenizer, size_card(model))
    HFModelDataset(filepath=(tmp_path / "student").as_posix()).save(student)
    question = f'What is "cost",\nsaid `he`? ``` {eos[0]}'
    (answer,) = generate_answers(student, [question], max_new_tokens=8, batch_size=1)
    assert answer

    cards = {"teacher": {}, "student": dict(student.card)}
    example, begin = Example(question, "r", answer), marks(tokenizer)[0]
    card = ModelCard(card_of({"verdict": verdict}, cards, example=example, begin=begin))
    seq2seq = kind in ("t5", "encoder_decoder")
    assert card.data.pipeline_tag == ("text2text-generation" if seq2seq else "text-generation")
    (code,) = re.findall(r"^(?P<f>`{4,})python\n(.*?)^(?P=f)$", card.text, re.M | re.S)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code[1].replace("PATH_OR_NAME", str(tmp_path / "student")), {})
    assert printed.getvalue().strip() == answer
