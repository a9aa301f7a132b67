"""The field's own judge scores the same rows, and agrees with us to the last digit."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from kedro.io import Version
from tokenizers.processors import TemplateProcessing

from kd_kedro.datasets.file_folder import FileFolderDataset
from kd_kedro.datasets.hf_model import HFModelDataset
from kd_kedro.inference.generate import generate_answers
from kd_kedro.metrics.scores.held_out import grade
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.pipelines.evaluation.nodes import write_lm_eval_tasks
from kd_kedro.pipelines.evaluation.params import AnsweringParams
from kd_kedro.training.examples import make_examples
from tests.pipelines.evaluation.memorising import memorised, rows_with_amounts

ROWS = rows_with_amounts(40)
IDENTITY = {"env_option": " --env gpt2,server"}
ANSWERING = AnsweringParams(max_new_tokens=20)


@pytest.fixture(scope="module", params=["$A", "{eos} $A {eos}"])
def student(request: pytest.FixtureRequest) -> Any:
    """Has seen a part of the rows for a few steps: right in some, wrong in others.

    Its tokenizer puts no marks around a text, or one on each side.
    """
    tokenizer = train_byte_bpe([*ROWS["question"], *ROWS["answer"]], vocabulary=300)
    eos = (tokenizer.eos_token, tokenizer.eos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=request.param.format(eos=eos[0]), special_tokens=[eos]
    )
    return memorised(tokenizer, ROWS.head(24))


@pytest.fixture(scope="module")
def folders(student: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The student and the tasks, as the catalog saves them."""
    place = tmp_path_factory.mktemp("judged")
    HFModelDataset(filepath=str(place / "student")).save(student)
    FileFolderDataset(filepath=str(place / "tasks")).save(
        write_lm_eval_tasks(make_examples(ROWS), student, IDENTITY, ANSWERING)
    )
    return place / "student", place / "tasks"


@pytest.mark.parametrize("batch_size", [1, 7])
def test_its_exact_match_is_ours_to_the_last_digit(
    student: Any, folders: tuple[Path, Path], batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.socket.connect", _no_network)
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    model, tasks = folders
    command = (tasks / "README.md").read_text(encoding="utf-8")
    [arguments] = re.findall(r"--model_args (\S+)", command)
    judged = simple_evaluate(
        model="hf",
        model_args=arguments.replace("STUDENT", str(model)),
        tasks=["kd_kedro"],
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        device="cpu",
        batch_size=batch_size,
    )
    answers = generate_answers(student, list(ROWS["question"]), max_new_tokens=20, batch_size=5)
    ours = grade(ROWS, answers, None, model="student", seed="0")
    ours = ours[ours["gradable"] == "yes"].set_index("row_id")
    theirs = {
        sample["doc"]["row_id"]: sample["exact_match"] for sample in judged["samples"]["kd_kedro"]
    }
    assert theirs == {row: float(cell == "yes") for row, cell in ours["exact_match"].items()}
    share = (ours["exact_match"] == "yes").mean()
    assert 0.2 < share < 1
    assert judged["results"]["kd_kedro"]["exact_match,canonical"] == share


def test_the_folder_holds_the_gradable_rows_as_the_models_read_them(student: Any) -> None:
    made = write_lm_eval_tasks(make_examples(ROWS), student, IDENTITY, ANSWERING)
    files = {name: content.decode("utf-8") for name, content in made.items()}
    rows = [json.loads(line) for line in files["held_out.jsonl"].splitlines()]
    assert len(rows) == 30  # every fourth answer is a sentence
    assert {row["row_id"] for row in rows} <= set(ROWS["row_id"])
    assert "Question: What is item " in rows[0]["prompt"]
    assert rows[0]["prompt"].endswith("?\nAnswer:")
    assert {row["target"] for row in rows} == {"debit", "₹ 1,200", "an asset"}
    assert "max_gen_toks: 20\n" in files["kd_kedro.yaml"]
    assert "`kedro run --pipelines merging --env gpt2,server` makes" in files["README.md"]
    assert "may differ: 0 of these rows" in files["README.md"]


def test_the_folder_runs_without_this_package(folders: tuple[Path, Path]) -> None:
    code = (folders[1] / "kd_kedro_rows.py").read_text(encoding="utf-8")
    assert "import kd_kedro" not in code
    assert "from kd_kedro" not in code


def test_a_folder_comes_back_as_it_went(tmp_path: Path) -> None:
    version = Version(None, "2026-01-01T00.00.00.000Z")
    dataset = FileFolderDataset(filepath=str(tmp_path / "texts"), version=version)
    files = {"a.md": "one\r\ntwo ₹\n".encode(), "b.yaml": b"", "c.onnx": b"\x00\xff"}
    dataset.save(files)
    again = FileFolderDataset(filepath=str(tmp_path / "texts"), version=Version(None, None))
    assert again.load() == files
    sizes = {name: len(content) for name, content in files.items()}
    assert json.loads(str(again.preview())) == sizes


def _no_network(*_: Any) -> None:
    raise AssertionError("something asked the network")
