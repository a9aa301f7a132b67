"""Every benchmark runs as its first lines say, on small files, and writes the keys it promises.

The figures themselves are measured on real data and stand in docs/results.md.
"""

import csv
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from kd_kedro.generation.protocol import Outcome, Request
from tests.conftest import ROOT
from tests.pipelines.distillation.toy import augmented_qa
from tests.processes import script, start

SHEET = ROOT / "data" / "01_raw" / "test_qa.csv"


def figures(name: str, tmp_path: Path, *words: str | Path) -> dict[str, Any]:
    """Run a benchmark, as a user does, that must succeed and return its JSON."""
    command = [ROOT / "benchmarks" / f"{name}.py", *words, "--json", tmp_path / "figures.json"]
    [ran] = start(script, [[str(word) for word in command]], ROOT, os.environ).outcomes()
    assert ran["code"] == 0, ran["err"]
    assert ran["out"].strip().splitlines()[-1].startswith(name)
    made: dict[str, Any] = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    return made


@pytest.mark.slow
def test_embedding(tmp_path: Path) -> None:
    made = figures("embedding", tmp_path, "--data", SHEET)
    assert made["speedup"] > 0
    assert made["auc_difference"] < 0.005
    assert len(made["ours_seconds"]) == len(made["plain_seconds"])


@pytest.mark.slow
def test_duplicates(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    words = ["rent", "goodwill", "stock", "capital", "audit", "salaries", "loans", "shares"]
    lines = ["question_1,question_2,label"]
    for word, other in zip(words, words[1:] + words[:1], strict=True):
        lines += [f"What is {word}?,Define {word}.,1", f"What is {word}?,Who audits {other}?,0"]
    pairs.write_text("\n".join(lines), encoding="utf-8")
    made = figures("duplicates", tmp_path, "--sheet", SHEET, "--scale", "500", "--pairs", pairs)
    told = made["pairs"]
    assert told.keys() >= {"precision", "recall", "recall_minilm", "ap", "ap_minilm"}
    assert told["ap"] > 0.5
    assert 0 <= made["repetition"]["recall"] <= 1
    assert 0 <= made["repetition"]["precision"] <= 1
    assert made["scale"]["rows"] == 500
    assert made["scale"]["recall_vs_exact"] == 1
    assert made["scale"].keys() >= {"seconds", "peak_gb"}


@pytest.mark.slow
def test_opposites(tmp_path: Path) -> None:
    pairs, same = tmp_path / "pairs.csv", tmp_path / "same.csv"
    pairs.write_text(
        "question_1,question_2,half\nWhat is a secured loan?,What is an unsecured loan?,held_out\n"
        "What is rent?,What is the rent?,develop\n",
        encoding="utf-8",
    )
    same.write_text("question_1,question_2\nWhat is goodwill?,Define goodwill.\n", encoding="utf-8")
    made = figures("opposites", tmp_path, "--opposites", pairs, "--paraphrases", same)
    assert (made["opposites"]["pairs"], made["opposites"]["apart"]) == (2, 1)
    assert made["by_half"]["held_out"]["share"] == 1
    assert made["merged"] == [["What is rent?", "What is the rent?"]]
    assert made["paraphrases"]["apart"] == 0


@pytest.mark.slow
def test_augmentation(tmp_path: Path) -> None:
    made = figures("augmentation", tmp_path, "--data", SHEET, "--rows", "60")
    assert 0.9 < made["kept_share"] <= 1
    assert made["caught"] >= 0.95
    assert made["false_rejection"] <= 0.2
    assert 0 < made["distinct_2"] < 1
    assert 0 < made["self_bleu"] < 1


def chat_model(folder: Path) -> Path:
    """Write a tiny Llama with random weights and a chat template that knows a system's role."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from kd_kedro.models.tokenization import train_byte_bpe

    tokenizer = train_byte_bpe([SHEET.read_text(encoding="utf-8")], vocabulary=300)
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = LlamaConfig(
        vocab_size=len(tokenizer), num_attention_heads=2, initializer_range=0.4, **sizes, **ends
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_generators(tmp_path: Path) -> None:
    model = chat_model(tmp_path / "model")
    words = ["--model", model, "--data", SHEET, "--rows", "4", "--max-tokens", "24"]
    made = figures("generators", tmp_path, *words, "--served", "8")
    assert made["rows"] == 4
    assert made["asked"] >= 12
    assert made["asked"] == made["kept"] + sum(made["rejected_by"].values())
    # Random weights babble within the form until they are cut off.
    assert made["rejected_by"]["reply: cut off at max_tokens"] > 0
    assert made["contaminated"] == 0
    assert made["relevance"]["said_yes"] + made["relevance"]["said_no"] == 4
    assert (made["served"]["asked"], made["served"]["same"]) == (8, 8)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What is the rent of a shop?", ""),
        ("Keep every number, unit, name: what is the rent of a shop?", "every number unit name"),
        ("Do not answer it. What is the rent?", "do not answer it"),
        ('{"question": "What is the rent?"}', "{"),
        ("Question: what is the rent of a shop?", "Question:"),
        ("What is the rent of a shop, rephrased?", "rephrased"),
        ("Sure! What is the rent of a shop?", "Sure!"),
    ],
)
def test_contamination_is_seen(monkeypatch: pytest.MonkeyPatch, text: str, found: str) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    names = runpy.run_path(str(ROOT / "benchmarks" / "generators.py"))
    request = Request("general", "What is a shop's rent?")
    assert names["contaminant"](names["Fate"](request, Outcome("ok", text, ""), "")) == found


@pytest.mark.slow
def test_plan(tmp_path: Path) -> None:
    augmented_qa(60).to_csv(tmp_path / "augmented.csv", index=False)
    made = figures("plan", tmp_path, "--env", "test", "--data", tmp_path / "augmented.csv")
    assert made["parts"].keys() == {"tokenizer", "teacher", "capture", "baseline", "student"}
    assert made["parts"]["student"]["planned_steps"] == made["parts"]["student"]["steps"] == 4
    assert 0.9 < made["disk_ratios"]["target_store"] < 1.1
    assert 0.9 < made["disk_ratios"]["models"] < 1.1
    assert min(made["ratio"], made["worst_ratio"], made["memory_ratio"]) > 0


def test_compression(tmp_path: Path) -> None:
    small = ("--repeats", "2", "--turns", "6", "--seconds", "0.3", "--variants", "torch_int8")
    made = figures("compression", tmp_path, *small)
    assert len(made["certificates"]) == 2
    assert {len(values) for values in made["ratios"].values()} == {2}
    assert made.keys() >= {"differences", "largest_difference", "refused"}


@pytest.mark.slow
def test_verdict(tmp_path: Path) -> None:
    words = ["--worlds", "2", "--runs", "1", "--families", "40", "--draws", "399"]
    made = figures("verdict", tmp_path, *words, "--table", "200", "--processes", "1")
    assert {(cell["seeds"], cell["families"]) for cell in made["coverage"]} == {
        (seeds, families) for seeds in (2, 3, 5) for families in (30, 100, 450)
    }
    assert made["coverage"][0].keys() >= {"95 %", "98.3 %", "95 %, families only"}
    assert made["planted"].keys() == {"useless", "all", "perplexity only"}
    for told in made["planted"].values():
        assert sum(told["overall"].values()) == 1
    assert all(gain > 0 for gain in made["gains"].values())


def test_text_repair(tmp_path: Path) -> None:
    made = figures("text_repair", tmp_path, "--data", SHEET)
    assert made["rows"] > 100
    assert made["rows_losing_symbols"] == 0
    assert made["mojibake_left"] == 0


@pytest.mark.slow
def test_strangers(tmp_path: Path) -> None:
    sheets = tmp_path / "sheets"
    sheets.mkdir()
    (sheets / "bread.csv").write_text(
        "Nr;My Question;My Answer\n"
        "1;How much water does dough have?;About 70 % â€“ of the flour.\n"
        "2;How long does dough rest?; Two hours. \n"
        "3;How long does dough rest?;Two hours.\n"
        "4;What is a firm\ufffds cost?;A sum.\n",
        encoding="utf-8",
    )
    (sheets / "words.csv").write_text("x,y,z\nWhat is flour?,Grain.,no\n")
    (sheets / "words.yml").write_text("{question: x, answer: y, verdict: z}\n")
    (sheets / "broken.csv").write_text("x,y\n1,2\n")
    made = figures("strangers", tmp_path, "--sheets", sheets)
    bread = made["bread.csv"]
    assert (bread["rows"], bread["dropped"]["exact_copy"], bread["dropped"]["rejected"]) == (
        4,
        1,
        0,
    )
    assert bread["changed"] == {"mojibake": 3, "control": 0, "edge_space": 2, "other": 0}
    assert [*bread["quarantined"].values()] == [1]
    assert bread["rows"] == sum(bread["dropped"].values()) + bread["kept"] + 1
    assert "reviewers rejected all" in made["words.csv"]["error"]
    assert "there is no column" in made["broken.csv"]["error"]


def test_question_formats(tmp_path: Path) -> None:
    folder = tmp_path / "questions" / "test"
    folder.mkdir(parents=True)
    (folder / "trade_test.csv").write_text(
        "Which of these is paid by shops?,Rent,Rain,Snow,Wind,A\n"
        "Goods that are sold are ____ goods.,finished,raw,free,lost,A\n"
        "A debt is paid in,money,grain,words,stones,B\n",
        encoding="utf-8",
    )
    made = figures("question_formats", tmp_path, "--data", tmp_path / "questions")
    assert made["fitb"]["rows"] == 1
    assert made["fitb"]["converted"] == made["fitb"]["by_syntax"] == 1
    assert made["mcq"]["rows"] == 3
    assert made["mcq"]["extracted"] > 0.9
    assert made["mcq"]["correct"] > 0.99


@pytest.mark.slow
def test_relevance(tmp_path: Path) -> None:
    with SHEET.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    for name, part in (("train", rows[::2]), ("data", rows[1::2])):
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *part])
    words = ["--train", tmp_path / "train.csv", "--data", tmp_path / "data.csv", "--draws", "1"]
    made = figures("relevance", tmp_path, *words)
    for name in ("row", "ordered"):
        assert made[name].keys() >= {"ap", "f1", "cold_auc", "ap_interval"}
        assert made[name]["auc"] > 0.8
    assert 0 <= made["hdbscan"]["ap"] <= 1
    assert made["curve"][0] == made["curve"][0] | {"reviewed": 0, "auto": ["cold_start"]}


def test_cold_start(tmp_path: Path) -> None:
    folder = tmp_path / "mmlu" / "test"
    folder.mkdir(parents=True)
    paid = [
        "rent",
        "wages",
        "tax",
        "interest",
        "insurance",
        "postage",
        "cleaning",
        "repairs",
        "power",
        "advertising",
    ]
    questions = [f"When is {what} paid by shops?,{what},Rain,Snow,Wind,A\n" for what in paid * 2]
    questions.append("Who sang at the opera in Verona?,A tenor,Rain,Snow,Wind,A\n")
    (folder / "trade_test.csv").write_text("".join(questions), encoding="utf-8")
    made = figures("cold_start", tmp_path, "--data", tmp_path, "--sample", SHEET, "--mixes", "0")
    # The right to abstain is what keeps a sheet of few rows whole.
    clean = made["clean"]["mmlu trade_test"]
    assert (clean["dropped_before"] > 0, clean["dropped"]) == (True, 0)
    assert "21 rows, and 300 are needed" in clean["abstained"]
    sample = made["off_topic"]["sample"]
    assert (sample["rows"], sample["off_topic"]) == (500, 65)
    # Nothing lies beyond the threshold here, so that there is nothing to abstain from.
    assert sample["now"] == sample["before"]
    assert (sample["now"]["dropped"], sample["now"]["abstained"]) == (0, "")


@pytest.mark.slow
def test_quality_and_target_store(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    lines = SHEET.read_text(encoding="utf-8").splitlines(keepends=True)
    sheet.write_text("".join(lines[:200]), encoding="utf-8")
    words: list[str | Path] = ["--env", "test", "--data", sheet, "--cache", tmp_path / "cache"]
    words += ["--seeds", "2", "--processes", "1"]
    made = figures("quality", tmp_path, *words, "--methods", "forward_kl,top_k")
    methods = ["baseline", "untaught", "forward_kl", "top_k", "teacher"]
    assert list(made["methods"]) == methods
    for name in ("forward_kl", "top_k"):
        gap = made["methods"][name]["difference"]
        assert gap["from"] == "untaught"
        assert gap["low"] <= gap["estimate"] <= gap["high"]
        assert len(made["methods"][name]["losses"]) == 2
    told = figures("target_store", tmp_path, *words, "--k", "8", "--bytes", "8")
    assert set(told["sources"]) == {"dense", "default", "top_k 8", "sampled 8"}
    assert told["default"]["bytes_per_token"] == pytest.approx(32, rel=0.05)
    assert told["default"].keys() >= {"loss_minus_dense", "seed_noise"}
    dense, small = (told["sources"][name] for name in ("dense", "top_k 8"))
    assert small["bytes_per_token"] < dense["bytes_per_token"] / 10
    # The students of both benchmarks are the same ones, trained once.
    assert dense["losses"] == made["methods"]["forward_kl"]["losses"]
    shape = ["--shape", "1", "16", "1", "64", "--objectives"]
    told = figures("cut_students", tmp_path, *words, *shape)
    assert 0 < told["parameters_share"] < 1
    for part in ("gain", "start", "targets"):
        assert told[part]["low"] <= told[part]["difference"] <= told[part]["high"]
    whole = told["start"]["difference"] + told["targets"]["difference"]
    assert whole == pytest.approx(told["gain"]["difference"])
    others = ("default", "hidden states 0", "hidden states 1")
    others += ("0.5, 0.5, hidden states 0", "0.1, 0.9, hidden states 0")
    assert list(told["students"]) == [f"cut {name}" for name in others]
    assert set(told["patient"]) == {"teacher_given", "teacher_counted"}
    spent = [
        told["parameters"][name]["params:distillation.training"]["max_tokens"]
        for name in ("patient_given", "patient_counted")
    ]
    assert 0 < spent[0] < spent[1]


@pytest.mark.slow
def test_prompts(tmp_path: Path) -> None:
    made = figures("prompts", tmp_path)
    assert len(made) >= 10
    assert all(found["equal"] == found["rows"] > 20 for found in made.values())


@pytest.mark.slow
def test_planted_facts(tmp_path: Path) -> None:
    made = figures("planted_facts", tmp_path)
    assert made["teacher"] >= 0.9
    assert made["with_context"] >= 0.9
    assert made["without"] <= 0.1


@pytest.mark.slow
def test_distillation(tmp_path: Path) -> None:
    words = ["--data", SHEET, "--size", "tiny", "--threads", "1", "--rounds", "1"]
    made = figures("distillation", tmp_path, *words)["threads_1"]
    ratios = {"cached_step_vs_sft", "capture_vs_forward", "four_epochs_vs_gkd"}
    ratios |= {"next_student_vs_gkd", "share_of_flop_limit", "peak_memory_vs_gkd"}
    for lengths in ("equal", "natural"):
        assert all(made[lengths][name] > 0 for name in ratios)
    assert made["equal"]["loss_difference"] < 1e-4
    assert made["equal"]["text_loss_difference"] < 1e-4


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("text_repair", ["--data", "nosuch.csv"], "nosuch.csv does not exist"),
        ("question_formats", ["--data", "nosuch"], "nosuch has no CSV file"),
        ("relevance", ["--data", "nosuch.csv"], "nosuch.csv does not exist"),
        ("embedding", ["--data", "nosuch.csv"], "nosuch.csv does not exist"),
        ("embedding", ["--data", "pyproject.toml"], "pyproject.toml ends in '.toml'"),
        ("augmentation", ["--data", "nosuch.csv"], "nosuch.csv"),
        ("quality", ["--data", "nosuch.csv"], "nosuch.csv does not exist"),
        ("quality", ["--methods", "magic"], "--methods: there is no magic"),
        ("target_store", ["--data", "nosuch.csv"], "nosuch.csv does not exist"),
        ("distillation", ["--data", "nosuch.csv"], "nosuch.csv does not exist"),
        ("distillation", ["--data", "{sheet}", "--size", "full"], "too little text"),
        ("duplicates", [], "nothing to measure"),
        ("duplicates", ["--sheet", "nosuch.csv"], "nosuch.csv does not exist"),
        ("duplicates", ["--scale", "-5"], "--scale: must be 2 or more"),
        ("duplicates", ["--pairs", "{pairs}"], "pairs.csv has only pairs with label 1"),
        ("opposites", ["--opposites", "nosuch.csv"], "nosuch.csv does not exist"),
        ("opposites", ["--opposites", "{sheet}"], "has no column question_1"),
        ("relevance", ["--data", "{sheet}", "--train", "{sheet}"], "the file that is judged"),
        ("relevance", ["--data", "{sheet}", "--clinc", "{pairs}"], "pairs.csv has not the parts"),
        ("generators", ["--data", "{sheet}", "--model", "nosuch"], "nosuch is no folder"),
        ("generators", ["--data", "{sheet}", "--model", "{folder}"], "has no *.safetensors"),
        ("question_formats", ["--data", "{folder}"], "latin.csv cannot be read as CSV in UTF-8"),
        ("text_repair", ["--data", "{sheet}", "--json", "no/a.json"], "the folder it is to lie in"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    words: list[str],
    said: str,
) -> None:
    pairs, latin = tmp_path / "pairs.csv", tmp_path / "latin.csv"
    pairs.write_text("question_1,question_2,label\nWhat is rent?,Define rent.,1\n", "utf-8")
    latin.write_bytes("A café pays,rent,rain,A\n".encode("latin-1"))
    files = {"{pairs}": str(pairs), "{sheet}": str(SHEET), "{folder}": str(tmp_path)}
    # As a command, but in this process: importing torch anew for each would take a minute.
    monkeypatch.setattr(sys, "argv", [name, *[files.get(word, word) for word in words]])
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "benchmarks" / f"{name}.py"), run_name="__main__")
    assert ended.value.code not in (None, 0)
    assert said in " ".join(f"{capsys.readouterr().err} {ended.value.code}".split())


@pytest.mark.slow
def test_kills(tmp_path: Path) -> None:
    made = figures("kills", tmp_path, "--kills", "2", "--rows", "300", "--steps", "60")
    assert made["same"] == 2
    assert made["expected"].keys() == {"targets", "weights", "history"}
    assert [kill["same"] for kill in made["kills"]] == [True, True]


@pytest.mark.slow
def test_text_metrics(tmp_path: Path) -> None:
    made = figures("text_metrics", tmp_path, "--data", SHEET, "--rows", "40")
    assert made["pairs"] == 40
    for name in ("bleu", "chrf", "rouge"):
        assert made[name]["max_difference"] < 1e-9
    assert made["rouge_other_scripts"].keys() == {"pairs", "cut_otherwise", "scored_otherwise"}


@pytest.mark.slow
def test_served_teacher(tmp_path: Path) -> None:
    made = figures("served_teacher", tmp_path, "--rows", "6")
    assert made["same_ids"] == 1
    assert made["largest_difference"] <= 2**-5  # a step of float16 below -32
    assert made["asked_again"] == 0
    assert made["lies_refused"] == made["lies"] == 36
