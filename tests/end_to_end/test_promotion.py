"""After a run: its student is registered, and the field's own judge agrees with the verdict."""

import json
import re
from pathlib import Path

import pandas as pd
from huggingface_hub import ModelCard

from tests.end_to_end.harness import ROOT, environment, latest, run_commands
from tests.processes import module, script, start

TEST = ["--env", "test"]


def test_a_student_is_registered_once_and_is_no_champion_without_a_gain(project: Path) -> None:
    dry, first, second, nowhere, absent = run_commands(
        project,
        [
            ["promote", *TEST, "--dry-run"],
            ["promote", *TEST],
            ["promote", *TEST],
            ["promote"],
            ["promote", "nosuch", *TEST],
        ],
    )
    assert dry["code"] == 0, dry["err"]
    assert "Dry run, nothing was changed. kd_kedro_student: a new version" in dry["out"]
    overall = json.loads(latest(project, "08_reporting/verdict.json").read_text())["overall"]
    for outcome in (first, second):
        assert outcome["code"] == 0, outcome["err"]
        assert "kd_kedro_student: version 1" in outcome["out"]
        assert overall == "better" or "there is no champion yet" in outcome["out"]
    for outcome, said in ((nowhere, "in this environment"), (absent, "no run nosuch")):
        assert outcome["code"] == 1
        assert said in outcome["err"]
        assert "Traceback" not in outcome["err"]


def test_the_snippet_of_the_docs_gives_the_judged_answers(project: Path) -> None:
    [promoted] = run_commands(project, [["promote", *TEST]])
    assert promoted["code"] == 0, promoted["err"]
    page = (ROOT / "docs" / "promotion.md").read_text(encoding="utf-8")
    section = page.partition("## Load it")[2]
    snippet = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    rows = pd.read_csv(
        latest(project, "07_model_output/validation_results.csv"),
        dtype="str",
        keep_default_na=False,
    )
    card = json.loads((latest(project, "06_models/student") / "card.json").read_text("utf-8"))
    judged = rows[(rows["model"] == "student") & (rows["seed"] == str(card["seed"]))]
    asked = list(judged["question"])
    ask = project / "ask.py"
    ask.write_text(
        f"{snippet}\nimport json\nprint(json.dumps(model.predict({asked!r})))\n"
        f"chats = [[{{'role': 'user', 'content': each}}] for each in {asked[:5]!r}]\n"
        "print(json.dumps([pipeline(each)[0]['generated_text'].strip() for each in chats]))\n",
        encoding="utf-8",
    )
    [done] = start(script, [[str(ask)]], project, environment(project)).outcomes()
    assert done["code"] == 0, done["err"][-2000:]
    answers, chatted = map(json.loads, done["out"].splitlines()[-2:])
    assert answers == list(judged["prediction"])
    assert chatted == answers[:5]


def test_lm_eval_scores_the_same_rows_the_same(project: Path, tmp_path: Path) -> None:
    student = latest(project, "06_models/student")
    tasks = latest(project, "08_reporting/lm_eval_tasks")
    words = f"--model hf --model_args pretrained={student} --tasks kd_kedro --include_path {tasks}"
    words += " --device cpu --batch_size 8"
    command = ["lm_eval", *words.split(), "--output_path", str(tmp_path)]
    [done] = start(module, [command], project, environment(project)).outcomes()
    assert done["code"] == 0, done["err"][-2000:]
    (results,) = tmp_path.rglob("results_*.json")
    judged = json.loads(results.read_text(encoding="utf-8"))["results"]["kd_kedro"]
    rows = pd.read_csv(latest(project, "07_model_output/validation_results.csv"), dtype="str")
    seed = json.loads((student / "card.json").read_text(encoding="utf-8"))["seed"]
    own = rows[(rows["model"] == "student") & (rows["seed"] == str(seed))]
    gradable = own[own["gradable"] == "yes"]
    assert len(gradable)
    assert judged["exact_match,canonical"] == (gradable["exact_match"] == "yes").mean()


def test_the_model_card_tells_the_numbers_of_the_evidence(project: Path) -> None:
    evidence = json.loads(latest(project, "08_reporting/evidence.json").read_text(encoding="utf-8"))
    card = ModelCard(latest(project, "08_reporting/model_card.md").read_text(encoding="utf-8"))
    told = {each.metric_type: each.metric_value for each in card.data.eval_results}
    metrics = evidence["verdict"]["metrics"]
    judged = {name: each["student"]["estimate"] for name, each in metrics.items()}
    assert told == {name: value for name, value in judged.items() if value is not None}
    assert str(project) not in card.content
