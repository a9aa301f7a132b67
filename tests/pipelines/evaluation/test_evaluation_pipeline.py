"""The evaluation pipeline on small untrained models, from rows to the page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from kd_kedro.curation.records.lineage import EVENT_COLUMNS, make_waterfall
from kd_kedro.curation.records.schema import table
from kd_kedro.curation.repair.personal_data import SUMMARY
from kd_kedro.datasets.sentence_embedder import SentenceEmbedderDataset
from kd_kedro.metrics.report.slices import score_runs
from kd_kedro.pipelines import evaluation, reporting
from kd_kedro.pipelines.distillation.params import StudentParams
from kd_kedro.pipelines.evaluation.nodes import answer_held_out, judge_student
from kd_kedro.pipelines.evaluation.params import (
    AnsweringParams,
    CompressionParams,
    HonestyParams,
    PromotionParams,
    SlicesParams,
    VerdictParams,
)
from kd_kedro.pipelines.reporting.params import Licences, ReportParams
from tests.pipelines.distillation.recipe import whole

ROOT = Path(__file__).resolve().parents[3]
ATTACK = "<script>alert('a')</script> & \"b\""


def _rows() -> pd.DataFrame:
    asked = [(f"What is item {number}?", f"It is thing {number}.") for number in range(12)]
    asked += [(f"How much is {number} + 1?", str(number + 1)) for number in range(11)]
    asked.append((ATTACK, ATTACK))
    return pd.DataFrame(
        [
            (f"r{i:02}", f"f{i:02}", "test" if i >= 6 else "train", "original", q, a, "sheet.csv")
            for i, (q, a) in enumerate(asked)
        ],
        columns=["row_id", "family_id", "split", "version", "question", "answer", "source"],
        dtype="str",
    )


STUDENT = StudentParams.model_validate(whole("test")["student"])
STUDY = {
    "capture": None,
    "students": {
        "student": STUDENT.model_dump(mode="json"),
        "settings": {"epochs": 3.0, "hidden": 0.0},
        "seed": 2,
    },
    "importances": {"alpha": 0.75, "learning_rate": 0.25},
    "trials": [
        {"number": number, "state": state, "value": value, "losses": losses, "values": values}
        for number, (state, value, losses, values) in enumerate(
            [
                ("complete", 3.0, {"5": 4.0, "10": 3.0}, {"alpha": 0.1, "divergence": "jsd"}),
                ("pruned", None, {"5": 4.5}, {"alpha": 0.9, "divergence": "jsd"}),
                ("fail", None, {}, {}),
                ("complete", 2.5, {"5": 3.5, "10": 2.5}, {"alpha": 0.2, "divergence": ATTACK}),
            ]
        )
    ],
}
PRODUCTS = (
    "reviewed_qa",
    "cleaned_qa",
    "screened_qa",
    "fitb_rephrased",
    "converted_mcq",
    "deduplication_rephrasing",
)


def _language_model(width: int, seed: int, tokenizer: Any) -> Any:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from kd_kedro.models.causal_lm import LanguageModel

    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=96,
        n_embd=width,
        n_layer=1,
        n_head=1,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = GPT2LMHeadModel(config).eval()
    card = {
        "seed": seed,
        "max_length": 96,
        "teacher_targets": None,
        "training": {"epochs": 3.0},
        "objective": {"beta": 0.25},
    }
    return LanguageModel(model, tokenizer, card)


@pytest.fixture(scope="module")
def inputs() -> dict[str, Any]:
    from kd_kedro.models.tokenization import train_byte_bpe

    rows = _rows()
    tokenizer = train_byte_bpe([*rows["question"], *rows["answer"]], 300)
    stage = rows.assign(format="plain")[["row_id", "format", "question", "answer"]]
    events = pd.DataFrame(
        [
            (row, stage, "dropped" if (stage, row) == ("soap", "r00") else "kept", "", "", "", "")
            for stage in ("validation", "soap")
            for row in rows["row_id"]
        ],
        columns=EVENT_COLUMNS,
        dtype="str",
    )
    history = [
        {"step": 1, "cross_entropy": 5.0},
        {"step": 2, "cross_entropy": 4.0},
        {"step": 2, "validation_loss": 4.5},
    ]
    return {
        "augmented_qa": rows,
        "teacher": _language_model(32, 1, tokenizer),
        "baseline_student": _language_model(16, 1, tokenizer),
        "student": _language_model(16, 2, tokenizer),
        "student_seeds": {
            f"{kind}_{seed}": _language_model(16, 10 * seed + number, tokenizer)
            for seed in (3, 4)
            for number, kind in enumerate(("baseline", "student"))
        },
        "control_models": {
            "untrained": _language_model(16, 7, tokenizer),
            "floor_teacher": _language_model(32, 8, tokenizer),
        },
        "sentence_embedder": SentenceEmbedderDataset().load(),
        "final_qa_truth": pd.DataFrame(
            [("r00", "2", "off_topic", "", "cricket", "t", "no", "")],
            columns=[
                "row_id",
                "line",
                "defects",
                "expected",
                "topic",
                "template",
                "gradable",
                "group",
            ],
            dtype="str",
        ),
        "row_events": events,
        "row_waterfall": make_waterfall(events),
        **dict.fromkeys(PRODUCTS, stage),
        "quarantined_rows": stage.iloc[:0],
        "personal_data_summary": table(SUMMARY, [["email", "2", "3", "no"]]),
        "validated_qa": stage.assign(verdict=""),
        "review_queue": stage.iloc[:0],
        "soap_qa": stage[stage["row_id"] != "r00"],
        "teacher_history": history,
        "baseline_history": history,
        "student_history": [],
        "tuning_record": STUDY,
        "params:distillation.student": STUDENT,
        "params:evaluation.answering": AnsweringParams(max_rows=16, max_new_tokens=4, batch_size=8),
        "params:evaluation.verdict": VerdictParams(draws=1000, min_families=9),
        "params:evaluation.compression": CompressionParams(
            prompts=3, new_tokens=2, max_seconds=1, batch_sizes=[1], variants=["torch_int8"]
        ),
        "params:evaluation.slices": SlicesParams(min_families=2, examples=20, topics=2),
        "params:evaluation.honesty": HonestyParams(),
        "params:reporting": ReportParams(
            title="T", licences=Licences(data="CC0", teacher="MIT", student=ATTACK)
        ),
    }


@pytest.fixture(scope="module")
def outputs(inputs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the catalog gives back after a run with the entries of conf/base."""
    folder = tmp_path_factory.mktemp("data").as_posix()
    entries: dict[str, Any] = {}
    for part in ("evaluation", "reporting"):
        written = (ROOT / f"conf/base/{part}/catalog.yml").read_text(encoding="utf-8")
        entries |= yaml.safe_load(written.replace("${globals:data_root}", folder))
    catalog = DataCatalog.from_config(
        {name: entry for name, entry in entries.items() if not name.startswith("_")}
    )
    for name, data in inputs.items():
        catalog[name] = MemoryDataset(data, copy_mode="assign")
    whole_pipeline = evaluation.create_pipeline() + reporting.create_pipeline()
    SequentialRunner().run(whole_pipeline, catalog)
    return {name: catalog.load(name) for name in entries if not name.startswith("_")}


def test_every_model_and_seed_answers_every_chosen_row(outputs: dict[str, Any]) -> None:
    results = outputs["validation_results"]
    runs = results.groupby(["model", "seed"]).size()
    assert runs.to_dict() == {
        **{
            (model, ""): 16
            for model in ("teacher", "untrained", "floor_teacher", "majority", "echo", "shuffled")
        },
        **{(model, seed): 16 for model in ("baseline", "student") for seed in ("2", "3", "4")},
    }
    assert outputs["evaluation_facts"]["held_out"]["rows_used"] == 16
    assert outputs["evaluation_facts"]["held_out"]["held_out_rows"] == 18
    teacher = results[results["model"] == "teacher"]
    assert (teacher["agreeing_tokens"] == teacher["answer_tokens"]).all()


def test_json_products_have_no_nan(outputs: dict[str, Any]) -> None:
    for name in ("verdict", "power", "compression", "evaluation_facts", "evidence"):
        json.dumps(outputs[name], allow_nan=False)


def test_no_onnx_file_is_kept_where_none_was_accepted(outputs: dict[str, Any]) -> None:
    assert outputs["student_onnx"] == b""
    assert outputs["compression"]["variants"]["torch_int8"]["status"] == "rejected"  # 18 families
    assert len(outputs["pareto_plot"].data) == 2


def test_filters_are_measured_where_the_truth_fits(outputs: dict[str, Any]) -> None:
    quality = outputs["filter_quality"].set_index("defect")
    assert quality.loc["off_topic", ["precision", "recall"]].tolist() == ["1.0000", "1.0000"]


def test_the_page_shows_what_was_removed(outputs: dict[str, Any]) -> None:
    shown = outputs["curation_examples"]
    assert shown[["stage", "action", "rows", "row_id"]].to_numpy().tolist() == [
        ["soap", "dropped", "1", "r00"]
    ]
    gallery = outputs["report"].partition('id="curation"')[2].partition("</section>")[0]
    assert "1 dropped" in gallery
    assert "r00" in gallery
    assert "email" in outputs["report"].partition('id="personal-data"')[2]


def test_the_page_shows_no_row_as_it_was_before_a_mask(inputs: dict[str, Any]) -> None:
    from kd_kedro.pipelines.reporting import nodes

    events = inputs["row_events"].replace({"stage": {"soap": "review"}})
    products = [inputs[name] for name in PRODUCTS[:5]]
    rest = [
        inputs["soap_qa"],
        inputs["deduplication_rephrasing"],
        inputs["params:reporting"],
    ]
    first = inputs["validated_qa"]

    def shown(masked: str) -> int:
        summary = table(SUMMARY, [["email", "2", "3", masked]])
        return len(
            nodes.pick_curation_examples(
                events, summary, inputs["quarantined_rows"], first, *products, *rest
            )
        )

    assert shown("no") == 1
    assert shown("yes") == 0


def test_the_page_escapes_what_rows_and_licences_say(outputs: dict[str, Any]) -> None:
    page = outputs["report"]
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page


def test_the_page_needs_nothing_else(outputs: dict[str, Any]) -> None:
    page = outputs["report"]
    for forbidden in ("http://", "https://", "src=", "url(", "@import", "<link", str(ROOT)):
        assert forbidden not in page, forbidden
    assert page.startswith("<!doctype html>")


def test_every_number_of_the_page_is_the_evidences(outputs: dict[str, Any]) -> None:
    from kd_kedro.metrics.report.evidence import numbers
    from kd_kedro.metrics.scores.formatting import verdict_sentence

    page, evidence = outputs["report"], outputs["evidence"]
    assert f"<h1>{verdict_sentence(evidence['verdict'])}</h1>" in page
    known = numbers(evidence)
    told = re.findall(r'<data data-key="([^"]+)" value="([^"]+)">', page)
    assert len(told) > 100
    assert [key for key, value in told if known[key] != float(value)] == []
    shown = {key for key, _ in told}
    for name, metric in evidence["verdict"]["metrics"].items():
        for system in ("teacher", "baseline", "student"):
            if metric[system]["estimate"] is not None:
                assert f"verdict.{name}.{system}.estimate" in shown
    assert "of them without a true difference excludes zero is at most 5 %" in page
    assert "<code>objective.beta</code></dt><dd><code>0.25</code>" in page
    assert "None" not in page
    assert "nan" not in page.lower().replace("finance", "")


def test_the_pages_say_which_run_they_are_of(outputs: dict[str, Any]) -> None:
    identity = outputs["run_identity"]
    for page in (outputs["report"], outputs["model_card"]):
        assert identity["run"] in page
        assert identity["commit"][:10] in page


def test_rules_of_ones_own_are_told(inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
    lenient = VerdictParams(primary=("token_f1",), confidence=0.8, margin=0.3, min_families=9)
    page = page_of(inputs, outputs, **{"params:evaluation.verdict": lenient})
    assert "The metrics that decide here are token F1" in page
    assert "confidence 0.8 instead of 0.95, margin 0.3 instead of 0.05" in page
    with pytest.raises(ValueError, match="nearness to the teacher"):
        VerdictParams(primary=("perplexity", "teacher_kl"))


def test_the_evidence_is_what_the_other_products_say(outputs: dict[str, Any]) -> None:
    evidence = outputs["evidence"]
    for name in ("verdict", "power", "compression"):
        assert evidence[name] == outputs[name]
    assert len(evidence["slices"]) == len(outputs["slices"])
    overlap = evidence["honesty"]["overlap"]
    assert overlap["rows"] == len(outputs["train_overlap"]) == 16


def page_of(inputs: dict[str, Any], outputs: dict[str, Any], **changed: Any) -> str:
    """The page of a run in which some inputs were others."""
    from kd_kedro.pipelines.evaluation import evidence_gathering as evidence
    from kd_kedro.pipelines.reporting import nodes

    def given(names: str) -> list[Any]:
        return [changed.get(name, outputs.get(name, inputs.get(name))) for name in names.split()]

    gathered = evidence.gather_evidence(
        *given(
            "validation_results evaluation_facts verdict power compression train_overlap slices "
            "filter_quality row_waterfall params:evaluation.slices params:evaluation.honesty "
            "params:evaluation.verdict"
        )
    )
    page, _ = nodes.write_report(
        gathered,
        *given(
            "run_identity validation_results evaluation_facts train_overlap curation_examples "
            "personal_data_summary training_histories tuning_record params:distillation.student "
            "params:evaluation.slices params:reporting params:evaluation.verdict"
        ),
    )
    return page


def test_without_a_truth_the_page_says_why_there_is_no_precision(
    inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    from kd_kedro.pipelines.evaluation import data_quality

    truth, stage = inputs["final_qa_truth"].head(0), inputs["converted_mcq"]
    events, validated, queue = (
        inputs[name] for name in ("row_events", "validated_qa", "review_queue")
    )
    quality = data_quality.measure_curation(truth, events, validated, queue, *[stage] * 4)
    assert quality.empty
    histories = {"teacher": [], "baseline": [], "student": []}
    page = page_of(
        inputs, outputs, filter_quality=quality, training_histories=histories, tuning_record={}
    )
    assert "precision and recall cannot be told" in page
    assert "No model was trained in this run" in page


def test_the_page_shows_the_study(outputs: dict[str, Any]) -> None:
    section = outputs["report"].partition('id="tuning"')[2].partition("</section>")[0]
    assert "Of 4 trials 2 finished, 1 was ended early and 1 failed. Trial 3 has" in section
    assert "2.5000 nats" in section
    assert section.count("<title>trial") == 3
    assert "75 %" in section


OTHER = "of other students than that of this report"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({}, ""),
        ({**STUDY, "capture": "another"}, OTHER),
        ({**STUDY, "students": {**STUDY["students"], "seed": 3}}, OTHER),
        ({**STUDY, "students": {**STUDY["students"], "student": {}}}, OTHER),
        ({**STUDY, "students": {**STUDY["students"], "settings": {"epochs": 4.0}}}, OTHER),
        ({key: value for key, value in STUDY.items() if key != "students"}, OTHER),
    ],
)
def test_a_study_of_other_students_is_not_shown(
    inputs: dict[str, Any], outputs: dict[str, Any], record: dict[str, Any], said: str
) -> None:
    page = page_of(inputs, outputs, tuning_record=record)
    assert said in page
    assert "Optimisation history" not in page


def test_parameters_in_yaml_are_the_models_fields() -> None:
    models = {
        "answering": AnsweringParams,
        "verdict": VerdictParams,
        "compression": CompressionParams,
        "slices": SlicesParams,
        "promotion": PromotionParams,
        "honesty": HonestyParams,
    }
    written = yaml.safe_load((ROOT / "conf/base/evaluation/parameters.yml").read_text())
    assert set(written) == {"evaluation"}
    assert set(written["evaluation"]) == set(models)
    for name, model in models.items():
        assert set(written["evaluation"][name]) == set(model.model_fields)
        model.model_validate(written["evaluation"][name])
    shown = yaml.safe_load((ROOT / "conf/base/reporting/parameters.yml").read_text())
    assert set(shown["reporting"]) == set(ReportParams.model_fields)
    ReportParams.model_validate(shown["reporting"])


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=quiet)
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_the_screen(
    outputs: dict[str, Any], browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    file = tmp_path / "report.html"
    file.write_text(outputs["report"], encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 1280:  # a wide screen shows every column
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
        tables = "[...document.querySelectorAll('.scroll')]"
        cut = page.evaluate(
            f"{tables}.filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
        )
        assert cut == []
    assert requests == [file.as_uri()]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 21, 24)") == (scheme == "dark")
    page.close()


def test_students_of_another_tokenizer_are_not_compared_token_by_token(
    inputs: dict[str, Any],
) -> None:
    from kd_kedro.models.tokenization import train_byte_bpe

    other = train_byte_bpe(["another text about depreciation"] * 3, 270)
    names = ("baseline_2", "student_2", "baseline_3", "student_3")
    baseline, student, *seeds = (_language_model(16, seed, other) for seed in (2, 2, 3, 3))
    results, _ = answer_held_out(
        inputs["augmented_qa"],
        inputs["teacher"],
        baseline,
        student,
        dict(zip(names[2:], seeds, strict=True)),
        {},
        inputs["sentence_embedder"],
        inputs["params:evaluation.answering"],
    )
    verdict = judge_student(results, inputs["params:evaluation.verdict"])
    agreement = verdict["metrics"]["teacher_agreement"]
    assert agreement["conclusion"] == "not applicable"
    assert "different tokenizers" in agreement["reason"]
    assert agreement["teacher"]["estimate"] is None
    assert verdict["metrics"]["perplexity"]["student"]["estimate"] > 0
    students = score_runs(results).query("model in ('baseline', 'student')")
    assert set(students["teacher_agreement"]) == set(students["teacher_kl"]) == {""}
