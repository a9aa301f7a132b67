"""`kedro run` with a server behind it: killed, resumed, traced; and without one."""

import csv
import json
import time
from pathlib import Path

import pytest

from kd_kedro.generation.protocol import Request
from kd_kedro.generation.rules.rule_generator import RulesGenerator
from kd_kedro.text.boilerplate import contamination
from tests.end_to_end.harness import copy_project, run_commands, start_commands
from tests.end_to_end.test_commands import check_sentence
from tests.generation.llm.chat_server_double import Answer, Asked, ChatServerDouble, question

pytestmark = pytest.mark.slow
TOPICS = ("rent", "capital", "goodwill", "depreciation", "drawings", "inventory", "cash", "debts")
DIRTY = ("...", "Kindly rephrase my previous response.", "I'm sorry, but I cannot do that.")


def respond(asked: Asked) -> Answer:
    time.sleep(0.05)
    number = int(asked.text.split("method ")[1].split()[0])
    if number % 4 == 3:
        return question(DIRTY[number // 4 % len(DIRTY)])
    return question(RulesGenerator().generate([Request("fitb", asked.text)])[0].text)


def test_a_run_that_was_killed_resumes_and_says_who_wrote(tmp_path: Path) -> None:
    copy_project(tmp_path)
    sheet = "".join(
        f"The {topic} of method {number} is ____.,Its own.,Yes,,\n"
        for number, topic in enumerate(TOPICS * 15)
    )
    header = "Question,Answer,Classification,Correction_Question,Remarks\n"
    (tmp_path / "sheet.csv").write_text(header + sheet)
    with ChatServerDouble(respond) as server:
        params = f"qa_csv=sheet.csv,server_url={server.url},server_model=double"
        words = ["run", "--env", "server", "--pipelines", "preprocessing", "--params"]
        first = start_commands(tmp_path, [[*words, params]])
        while len(server.asked) < 40 and first.running():
            time.sleep(0.01)
        first.kill()
        assert 40 <= len(server.asked) < 120
        absent = params.replace(server.url, "http://127.0.0.1:9/v1")
        refused, done = run_commands(tmp_path, [[*words, absent], [*words, params]])
        # What was in the air when it was killed is asked twice, nothing else.
        assert 120 <= len(server.asked) <= 120 + 2 * 16
    check_sentence(refused, "server", "http://127.0.0.1:9/v1", "start it")
    assert done["code"] == 0, done["err"][-2000:]
    events = read(tmp_path, "08_reporting/fitb_events.csv")
    facts = [json.loads(event["evidence"]) for event in events]
    assert [fact.get("model") for fact in facts].count("double") == 90
    # What the server spoiled, the rules did: the recipe names them second.
    spoiled = [fact["before"] for fact in facts if "model" not in fact]
    assert len(spoiled) == 30
    assert all(before.startswith("double rejected: ") for before in spoiled)
    assert len({fact["prompt"] for fact in facts if "prompt" in fact}) == 1
    assert all(event["action"] == "changed" for event in events)
    rows = read(tmp_path, "02_intermediate/fitb_rephrased.csv")
    assert len(rows) == 120
    assert not any(contamination(row["question"]) for row in rows)


def read(project: Path, table: str) -> list[dict[str, str]]:
    files = sorted((project / "data" / table).glob("*/*.csv"))
    with files[-1].open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
