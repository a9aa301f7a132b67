"""The report of a finished evaluation: what it shows, and that it needs nothing else."""

import html
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from kd_kedro.curation.records.schema import table
from kd_kedro.curation.repair.personal_data import SUMMARY
from kd_kedro.pipelines import evaluation, reporting
from kd_kedro.pipelines.evaluation.data_quality import measure_curation
from kd_kedro.pipelines.evaluation.nodes import judge_student
from kd_kedro.pipelines.evaluation.params import VerdictParams
from kd_kedro.pipelines.reporting import nodes
from kd_kedro.pipelines.reporting.params import ReportParams
from tests.pipelines.finished_evaluation import ROOT, STUDY, events_of


def page_of(inputs: dict[str, Any], outputs: dict[str, Any], **changed: Any) -> str:
    """The page of a run in which some inputs were others."""

    def given(name: str) -> Any:
        return changed.get(name, outputs.get(name, inputs.get(name)))

    [gather] = evaluation.create_pipeline().only_nodes("gather_evidence").nodes
    [write] = reporting.create_pipeline().only_nodes("write_report").nodes
    changed |= gather.run({name: given(name) for name in gather.inputs})
    page: str = write.run({name: given(name) for name in write.inputs})["report"]
    return page


def test_the_page_opens_with_warnings_of_losses_and_says_why_the_filter_abstained(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    curation = finished_evaluation["curation_facts"]
    relevance = {"mode": "cold_start", "abstained": "few rows", "warnings": ["Half is gone <1>."]}
    page = page_of(
        evaluation_inputs, finished_evaluation, curation_facts=curation | {"relevance": relevance}
    )
    assert page.index("Half is gone &lt;1&gt;.") < page.index('id="rows"')
    assert "The relevance filter removed nothing by itself: few rows." in page


def test_what_fine_tuning_brought_the_teacher_is_told_but_of_what_is_measured_from_it(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    _, _, after = finished_evaluation["report"].partition("What fine-tuning brought the teacher")
    told = after.partition("</table>")[0]
    assert "perplexity" in told
    assert "bits per byte" in told
    assert "KL from" not in told
    results = finished_evaluation["validation_results"]
    plain = judge_student(results[results["model"] != "pretrained_teacher"], VerdictParams())
    page = page_of(evaluation_inputs, finished_evaluation, verdict=plain)
    assert "What fine-tuning brought" not in page


def test_the_page_shows_what_was_removed(finished_evaluation: dict[str, Any]) -> None:
    shown = finished_evaluation["curation_examples"]
    assert shown[["stage", "action", "rows", "row_id"]].to_numpy().tolist() == [
        ["soap", "dropped", 1, "r00"]
    ]
    gallery = finished_evaluation["report"].partition('id="curation"')[2].partition("</section>")[0]
    assert "1 dropped" in gallery
    assert "r00" in gallery
    assert shown["question"].tolist() == ["What is item 0?"]
    assert "email" in finished_evaluation["report"].partition('id="personal-data"')[2]


def test_the_page_says_which_rows_were_cut(finished_evaluation: dict[str, Any]) -> None:
    page = finished_evaluation["report"]
    warnings = page.partition('class="warnings"')[2].partition("</div>")[0]
    assert "1 of 2 training rows (50 %) were cut: they are longer than 96 tokens (dis" in warnings
    asked = finished_evaluation["evaluation_facts"]["cut_references"]
    (part,) = asked["parts"]
    assert (asked["limit"], part["rows"]) == (4, 16)
    assert f"{part['long']} of 16 held-out reference answers (" in warnings
    shown = page.partition('id="cut"')[2].partition("</section>")[0]
    assert '<code>r06</code></td><td>training</td><td class="n">97</td>' in shown
    longest = asked["rows"][0]
    assert f"<code>{longest['row_id']}</code></td><td>held-out</td>" in shown


def test_the_page_lists_the_shapes_within_a_budget(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    shown = finished_evaluation["report"].partition('id="shapes"')[2].partition("</section>")[0]
    first, second = re.findall(r"<tr>.*?</tr>", shown.partition("<tbody>")[2])
    assert re.findall(r">([^<]+)</td>", first) == [
        *("1", "16", "1", "128", "14,384", "33.1 %", "57,536", "5.6882", "taken")
    ]
    assert "diverged" in second
    assert "taken" not in second
    page = page_of(evaluation_inputs, finished_evaluation, start_facts={"candidates": []})
    assert 'id="shapes"' not in page


def test_the_page_shows_no_row_as_it_was_before_a_mask(
    evaluation_inputs: dict[str, Any],
) -> None:
    events = events_of(evaluation_inputs["augmented_qa"], "review")

    def shown(masked: str) -> int:
        summary = table(SUMMARY, [["email", "2", "3", masked]])
        texts, report = evaluation_inputs["row_texts"], evaluation_inputs["params:reporting"]
        return len(nodes.pick_curation_examples(events, texts, summary, report))

    assert shown("no") == 1
    assert shown("yes") == 0


def test_the_page_escapes_what_rows_and_licences_say(finished_evaluation: dict[str, Any]) -> None:
    page = finished_evaluation["report"]
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page


def test_the_page_needs_nothing_else(finished_evaluation: dict[str, Any]) -> None:
    page = finished_evaluation["report"]
    for forbidden in ("http://", "https://", "src=", "url(", "@import", "<link", str(ROOT)):
        assert forbidden not in page, forbidden
    assert page.startswith("<!doctype html>")


def test_every_number_of_the_page_is_the_evidences(finished_evaluation: dict[str, Any]) -> None:
    from kd_kedro.metrics.report.evidence import numbers
    from kd_kedro.metrics.scores.formatting import verdict_sentence

    page, evidence = finished_evaluation["report"], finished_evaluation["evidence"]
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


def test_the_first_lines_say_what_the_gain_is_and_what_would_have_bought_it(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    verdict = deepcopy(finished_evaluation["verdict"])
    part = {"difference": 0.0, "low": -0.1, "high": 0.1, "conclusion": "not shown"}
    parts = {"start": part, "targets": part}
    parts |= {"patient": {"teacher_given": {**part, "conclusion": "worse"}}}
    verdict["metrics"][verdict["primary"][0]]["attribution"] = parts
    page = page_of(evaluation_inputs, finished_evaluation, verdict=verdict)
    known = evaluation_inputs | finished_evaluation
    evidence = {**finished_evaluation["evidence"], "verdict": verdict}
    [write] = reporting.create_pipeline().only_nodes("write_model_card").nodes
    card = write.run({name: (known | {"evidence": evidence})[name] for name in write.inputs})
    for text in (page.partition('class="tiles"')[0], card["model_card"].partition("|")[0]):
        assert "Beyond its start the targets bring no gain that is shown." in text
        said = html.unescape(text)
        assert "the same compute, the teacher's training not counted, would have bought" in said
    assert "Beyond its start" not in finished_evaluation["report"]


@pytest.mark.parametrize(
    ("rate", "said"), [(0.002, "was trained with another."), (0.004, "has it.")]
)
def test_the_page_says_how_the_baseline_was_tuned(
    evaluation_inputs: dict[str, Any],
    finished_evaluation: dict[str, Any],
    rate: float,
    said: str,
) -> None:
    assert "The baseline had no study of its own." in finished_evaluation["report"]
    facts = deepcopy(finished_evaluation["evaluation_facts"])
    facts["models"]["baseline"]["training"] = {"learning_rate": rate}
    trial = {"number": 7, "state": "complete", "value": 2.5, "losses": {"5": 2.5}}
    record = {"importances": {}, "trials": [{**trial, "values": {"learning_rate": 0.004}}]}
    page = page_of(
        evaluation_inputs,
        finished_evaluation,
        baseline_tuning_record=record,
        evaluation_facts=facts,
    )
    assert "own, of 1 trial over the same learning rates: trial 7 has the least loss, 2.5" in page
    assert f"<code>learning_rate 0.004</code>. The baseline of this report {said}" in page


def test_the_pages_say_which_run_they_are_of(finished_evaluation: dict[str, Any]) -> None:
    identity = finished_evaluation["run_identity"]
    for page in (finished_evaluation["report"], finished_evaluation["model_card"]):
        assert identity["run"] in page
        assert identity["commit"][:10] in page


def test_every_command_of_the_pages_names_the_environment_of_their_run(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    adapted = finished_evaluation["evaluation_facts"]
    models = adapted["models"] | {
        "student": adapted["models"]["student"] | {"adapter": {"rank": 2}}
    }
    other = page_of(
        evaluation_inputs, finished_evaluation, tuning_record=STUDY | {"capture": "other"}
    )
    [write] = reporting.create_pipeline().only_nodes("write_model_card").nodes
    known = (
        evaluation_inputs | finished_evaluation | {"evaluation_facts": adapted | {"models": models}}
    )
    card = write.run({name: known[name] for name in write.inputs})["model_card"]
    found = {}
    for page in (finished_evaluation["report"], other, card):
        for command in re.findall(r"(?:<code>|`)kedro ([^`<]+)", page):
            found[command.removesuffix(" --env gpt2,server")] = command
    assert set(found) == {
        *("trace ROW_ID", "run --tuned", "run --pipelines tuning", "run --pipelines merging")
    }
    assert all(command.endswith(" --env gpt2,server") for command in found.values())


@pytest.mark.parametrize("held", [{"schema": "kd_kedro.evidence/2"}, {}])
def test_evidence_of_another_version_is_refused_before_any_page(held: dict[str, str]) -> None:
    known = {"evidence": held, "run_identity": {"env_option": " --env gpt2"}}
    said = "run `kedro run --pipelines evaluation,reporting --env gpt2` to gather it anew"
    with pytest.raises(ValueError, match=said):
        reporting.check_before_run({"evidence"}, known.__getitem__, str)


def test_evidence_as_it_is_gathered_is_not_refused(finished_evaluation: dict[str, Any]) -> None:
    reporting.check_before_run({"evidence"}, finished_evaluation.__getitem__, str)
    reporting.check_before_run({"row_events"}, {}.__getitem__, str)


def test_the_cost_of_each_form_is_drawn(finished_evaluation: dict[str, Any]) -> None:
    assert len(finished_evaluation["pareto_plot"].data) == 2


def test_the_page_says_which_seed_and_which_order_it_shows(
    finished_evaluation: dict[str, Any],
) -> None:
    page = finished_evaluation["report"]
    saved = page.split('id="compression"')[1].split("</section>")[0]
    assert "its perplexity, is that of the first seed" in saved
    assert "take turns, until a kind has no more rows" in page


def test_rules_of_ones_own_are_told(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    lenient = VerdictParams(primary=("token_f1",), confidence=0.8, margin=0.3, min_families=9)
    verdict = judge_student(finished_evaluation["validation_results"], lenient)
    page = page_of(evaluation_inputs, finished_evaluation, verdict=verdict)
    assert "The metrics that decide here are token F1" in page
    assert "confidence 0.8 instead of 0.95, margin 0.3 instead of 0.05" in page


def test_a_student_behind_its_teacher_is_worse_with_both_figures(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    results = finished_evaluation["validation_results"].copy()
    lost = results["model"].isin(["student", "baseline"])
    results.loc[lost, "nll"] += 50
    judging = VerdictParams(primary=("perplexity",), min_families=9)
    verdict = judge_student(results, judging)
    page = page_of(evaluation_inputs, finished_evaluation, verdict=verdict)
    tile = page.partition("as good as its teacher</span>")[2].partition("</div>")[0]
    assert 'class="badge worse"' in tile
    for who in ("student", "teacher"):
        assert f'data-key="verdict.perplexity.{who}.estimate"' in tile


def test_the_page_names_the_models_of_an_ensemble(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    facts = finished_evaluation["evaluation_facts"]
    teacher = {**facts["models"]["teacher"], "ensemble": {"pretrained_0": "<owner>/other"}}
    told = {**facts, "models": {**facts["models"], "teacher": teacher}}
    page = page_of(evaluation_inputs, finished_evaluation, evaluation_facts=told)
    assert "The teacher is an ensemble of 2 models" in page
    assert "pretrained_0: &lt;owner&gt;/other" in page
    assert "ensemble of" not in finished_evaluation["report"]


def test_precision_and_recall_of_each_filter_are_shown(finished_evaluation: dict[str, Any]) -> None:
    section = finished_evaluation["report"].split('id="filters"')[1].split("</section>")[0]
    (off_topic,) = (row for row in section.split("<tr>") if "<td>off topic</td>" in row)
    assert off_topic.count("100.0 %") == 2
    (mojibake,) = (row for row in section.split("<tr>") if "<td>mojibake</td>" in row)
    assert "no row treated" in mojibake
    assert "no row has it" in mojibake
    assert "cannot be compared with reviewers" in section


def test_without_a_truth_the_page_says_why_there_is_no_precision(
    evaluation_inputs: dict[str, Any], finished_evaluation: dict[str, Any]
) -> None:
    quality = measure_curation(
        evaluation_inputs["final_qa_truth"].head(0),
        evaluation_inputs["row_events"],
        evaluation_inputs["row_texts"],
        evaluation_inputs["review_queue"],
    )
    assert quality.empty
    histories = {"teacher": [], "baseline": [], "student": []}
    page = page_of(
        evaluation_inputs,
        finished_evaluation,
        curation_facts=finished_evaluation["curation_facts"] | {"filters": []},
        training_histories=histories,
        tuning_record={},
    )
    assert "precision and recall cannot be told" in page
    assert "No model was trained in this run" in page


def test_the_page_shows_the_study(finished_evaluation: dict[str, Any]) -> None:
    section = finished_evaluation["report"].partition('id="tuning"')[2].partition("</section>")[0]
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
    evaluation_inputs: dict[str, Any],
    finished_evaluation: dict[str, Any],
    record: dict[str, Any],
    said: str,
) -> None:
    page = page_of(evaluation_inputs, finished_evaluation, tuning_record=record)
    assert said in page
    assert "Optimisation history" not in page


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
    finished_evaluation: dict[str, Any], browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    file = tmp_path / "report.html"
    file.write_text(finished_evaluation["report"], encoding="utf-8")
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


@pytest.mark.browser
def test_on_a_phone_a_table_shows_that_it_scrolls_and_keeps_the_verdict_in_view(
    finished_evaluation: dict[str, Any], browser: Any, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(finished_evaluation["report"], encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
    told = page.evaluate(
        """[...document.querySelectorAll('.scroll')]
        .filter(box => box.scrollWidth > box.clientWidth)
        .map(box => {
            box.scrollLeft = box.scrollWidth
            const first = box.querySelector('tbody tr').firstElementChild
            const edge = box.getBoundingClientRect()
            const badge = box.querySelector('table.metrics .narrow .badge')
            return {
                shadow: getComputedStyle(box).backgroundAttachment,
                kept: first.getBoundingClientRect().left - edge.left,
                badge: badge && badge.getBoundingClientRect().left - edge.left,
                width: edge.width,
            }
        })"""
    )
    page.close()
    assert told
    for each in told:
        assert each["shadow"] == "local, local, scroll, scroll"
        assert each["kept"] == pytest.approx(0, abs=1)
    badges = [(each["badge"], each["width"]) for each in told if each["badge"] is not None]
    assert badges
    assert all(0 <= left < width / 2 for left, width in badges)


def test_parameters_in_yaml_are_the_models_fields() -> None:
    shown = yaml.safe_load((ROOT / "conf/base/reporting/parameters.yml").read_text())
    assert set(shown["reporting"]) <= set(ReportParams.model_fields)
    ReportParams.model_validate(shown["reporting"])
