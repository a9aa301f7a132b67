"""One run of the whole graph: what it leaves on disk, on the terminal and in MLflow."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

Finished = tuple[Path, str]

TABLES = {
    "02_intermediate": [
        "validated_qa",
        "reviewed_qa",
        "cleaned_qa",
        "screened_qa",
        "personal_data",
        "fitb_rephrased",
        "converted_mcq",
    ],
    "03_primary": [
        "soap_qa",
        "quarantined_rows",
        "discarded_rows",
        "exact_duplicate_qa_pairs",
        "same_question_diff_answers",
        "same_answer_diff_questions",
        "deduplication_rephrasing",
    ],
    "05_model_input": ["split_qa", "augmented_qa"],
}


def newest(project: Path, pattern: str) -> Path:
    found = sorted(project.glob(f"data/test_env/{pattern}"))
    assert found, pattern
    return found[-1]


def read(project: Path, layer: str, name: str) -> pd.DataFrame:
    path = newest(project, f"{layer}/{name}.csv/*/{name}.csv")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.mark.parametrize(
    ("layer", "name"), [(layer, name) for layer, names in TABLES.items() for name in names]
)
def test_every_stage_left_a_versioned_table_with_its_provenance(
    finished: Finished, layer: str, name: str
) -> None:
    project, _ = finished
    path = newest(project, f"{layer}/{name}.csv/*/{name}.csv")
    provenance = json.loads((path.parent / "provenance.json").read_text())
    assert "raw_qa" in provenance["sources"]
    assert "row_id" in read(project, layer, name).columns


def test_rows_are_conserved(finished: Finished) -> None:
    project, _ = finished
    path = newest(project, "**/row_waterfall.csv/*/row_waterfall.csv")
    waterfall = pd.read_csv(path)
    assert list(waterfall.columns) == ["stage", "in", "created", "out", "dropped", "quarantined"]
    total = waterfall["in"] + waterfall["created"]
    assert (total == waterfall["out"] + waterfall["dropped"] + waterfall["quarantined"]).all()
    assert waterfall["in"].tolist()[1:] == waterfall["out"].tolist()[:-1]
    last = len(read(project, "05_model_input", "augmented_qa"))
    assert waterfall["out"].iloc[-1] == last


def test_no_family_straddles_and_only_train_is_augmented(finished: Finished) -> None:
    project, _ = finished
    rows = read(project, "05_model_input", "augmented_qa")
    columns = ["row_id", "family_id", "split", "style", "question", "answer", "source"]
    assert list(rows.columns) == [*columns, "line"]
    assert (rows.groupby("family_id")["split"].nunique() == 1).all()
    assert set(rows.loc[rows["style"] != "original", "split"]) == {"train"}
    assert set(rows["split"]) == {"train", "validation", "test"}


def test_verdict_and_compression_are_filled_in(finished: Finished) -> None:
    project, _ = finished
    verdict = json.loads(newest(project, "**/verdict.json/*/verdict.json").read_text())
    assert {"schema", "seeds", "families", "metrics"} <= verdict.keys()
    expected = {"perplexity", "bleu", "exact_match", "teacher_agreement"}
    assert expected <= verdict["metrics"].keys()
    for metric in verdict["metrics"].values():
        assert metric["conclusion"] in {"better", "worse", "not shown", "not applicable"}
        if metric["conclusion"] in {"better", "worse"}:
            interval = metric["difference"]
            assert interval["low"] > 0 or interval["high"] < 0
    compression = json.loads(newest(project, "**/compression.json/*/compression.json").read_text())
    assert compression["ratios"]["parameters"] > 1


def test_models_are_safetensors_with_their_tokenizer(finished: Finished) -> None:
    project, _ = finished
    for name in ("teacher", "baseline_student", "student"):
        folder = newest(project, f"06_models/{name}/*/{name}")
        assert (folder / "model.safetensors").is_file()
        assert (folder / "tokenizer.json").is_file()
    suspicious = [
        path
        for pattern in ("*.bin", "*.pt", "*.pkl", "*.pickle")
        for path in project.glob(f"data/test_env/**/{pattern}")
        if "work" not in path.as_posix()
    ]
    assert suspicious == []


def test_the_terminal_ends_with_the_table(finished: Finished) -> None:
    _, printed = finished
    for words in (
        "Rows",
        "augmentation",
        "perplexity",
        "distilled student",
        "Report:",
        "kedro viz",
    ):
        assert words in printed


def test_mlflow_knows_the_run(finished: Finished) -> None:
    import mlflow

    project, _ = finished
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("kd_kedro")
    assert experiment is not None
    run = client.search_runs([experiment.experiment_id])[0]
    assert run.info.status == "FINISHED"
    assert run.data.params["filtering.soap.mode"]
    assert not any(" " in key or len(value) > 500 for key, value in run.data.params.items())
    verdict = json.loads(newest(project, "**/verdict.json/*/verdict.json").read_text())
    time = run.data.tags["kedro_run_id"].rpartition(".")[0]
    assert run.info.run_name == f"test_qa · test · {time}"
    assert run.data.tags["verdict"] == verdict["overall"]
    assert run.data.tags["mlflow.note.content"].startswith(f"**Verdict: {verdict['overall']}**")
    logged = run.data.metrics["student/perplexity"]
    assert logged == pytest.approx(verdict["metrics"]["perplexity"]["student"]["estimate"])
    steps = {name for name in run.data.metrics if "/" not in name}
    assert {name.partition(".")[0] for name in steps} == {
        path.name.removesuffix("_history.json")
        for path in project.glob("data/test_env/**/*_history.json")
        if path.is_dir()
    }
    assert len(client.get_metric_history(run.info.run_id, "student.loss")) > 1
    inputs = {entry.dataset.name: entry for entry in run.inputs.dataset_inputs}
    for names in TABLES.values():
        assert set(names) <= inputs.keys()
    tags = {tag.key: tag.value for tag in inputs["cleaned_qa"].tags}
    assert tags["kedro_version"] == run.data.tags["kedro_run_id"]
    artifacts = {entry.path for entry in client.list_artifacts(run.info.run_id)}
    assert {"teacher", "student", "baseline_student", "report", "verdict"} <= artifacts


def test_the_reports_numbers_are_mlflows(finished: Finished) -> None:
    import mlflow

    project, _ = finished
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("kd_kedro")
    assert experiment is not None
    report = newest(project, "**/report.html/*/report.html")
    of_report = f"tags.kedro_run_id = '{report.parent.name}'"
    (run,) = client.search_runs([experiment.experiment_id], of_report)
    page = report.read_text(encoding="utf-8")
    told = re.findall(r'<data data-key="([^"]+)" value="([^"]+)">', page)
    assert len(told) > 200
    assert "<code>kedro trace ROW_ID --env test</code>" in page
    path = client.download_artifacts(run.info.run_id, "tables/numbers.json")
    known = dict(json.loads(Path(path).read_text(encoding="utf-8"))["data"])
    wrong = [key for key, value in told if float(known[key]) != float(value)]
    assert wrong == []
    listed = {
        entry.path
        for folder in ("figures", "tables")
        for entry in client.list_artifacts(run.info.run_id, folder)
    }
    plots = {f"figures/{name}_plot.html" for name in ("models", "power", "reliability", "pareto")}
    tables = {f"tables/{name}.json" for name in ("slices", "instructive_examples")}
    assert plots | tables <= listed
