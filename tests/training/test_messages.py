"""Rows and examples as conversations, read by other trainers as they are."""

import datasets
import pytest
from kedro.io import DatasetError
from transformers import AutoTokenizer

from benchmarks.tokenizer_families import family_tokenizer
from kd_kedro.curation.records.schema import SPLIT, table
from kd_kedro.datasets.qa_sheet import QASheetDataset
from kd_kedro.models.prompt_format import PromptFormat, give_format
from kd_kedro.pipelines.distillation.params import ExampleParams
from kd_kedro.training.examples import choose_training_examples, encode_examples, make_examples
from kd_kedro.training.messages import as_messages, write_messages

TALK = "⟦user⟧ What is a debit?\n⟦assistant⟧ The left.\n⟦user⟧ And a “credit”?"
ROWS = table(
    SPLIT,
    [
        ["007", "f1", "train", "original", "What is ½ of ₹ 4?", "₹ 2", "a.csv"],
        ["007-casual", "f1", "train", "casual", "½ of ₹ 4?", "₹ 2", "a.csv"],
        ["b", "f2", "train", "original", TALK, "The right.", "talk.jsonl"],
        ["c", "f3", "test", "original", "NA", "None", "a.csv"],
    ],
)
PARAMS = ExampleParams(max_augmented_rows=9, max_length=64, format="chat", system="Be brief.")
NAMES = [
    f"{name}.{kind}"
    for name in ("augmented_qa", "training_examples")
    for kind in ("jsonl", "parquet")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("exported")
    tables = {
        "augmented_qa": make_examples(ROWS),
        "training_examples": choose_training_examples(ROWS, PARAMS.styles, 9, PARAMS.fields),
    }
    for name in NAMES:
        table = as_messages(tables[name.split(".")[0]], PARAMS.prompt_format)
        write_messages(table, root / name)
    return root


def loaded(folder, name):
    builder = "json" if name.endswith(".jsonl") else "parquet"
    where = {"data_files": str(folder / name), "cache_dir": str(folder / "cache")}
    return datasets.load_dataset(builder, split="train", **where)


@pytest.mark.parametrize("name", NAMES)
def test_other_libraries_read_the_files_as_they_are(name, folder):
    rows = loaded(folder, name)
    assert rows.column_names[0] == "messages"
    assert rows["row_id"][:2] == ["007", "b"] if "examples" in name else ["007", "007-casual"]
    system = {"role": "system", "content": "Be brief."}
    assert rows[0]["messages"] == [
        system,
        {"role": "user", "content": "What is ½ of ₹ 4?"},
        {"role": "assistant", "content": "₹ 2"},
    ]
    talk = next(row["messages"] for row in rows if row["row_id"] == "b")
    said = [(each["role"], each["content"]) for each in talk]
    assert said == [
        ("system", "Be brief."),
        ("user", "What is a debit?"),
        ("assistant", "The left."),
        ("user", "And a “credit”?"),
        ("assistant", "The right."),
    ]
    assert len(rows) == (3 if "examples" in name else 4)


@pytest.mark.parametrize("how", [PARAMS.prompt_format, PromptFormat()])
def test_a_trainer_of_trl_reads_the_tokens_of_training(how, tmp_path):
    from trl import SFTConfig, SFTTrainer

    from tests.training.architectures import build, save

    own = give_format(
        family_tokenizer("qwen2", [*ROWS["question"], *ROWS["answer"]]), how, "tokenizer"
    )
    place = save(tmp_path / "student", build("llama", own), own)
    examples = choose_training_examples(ROWS, PARAMS.styles, 9, PARAMS.fields)
    write_messages(as_messages(examples, how), tmp_path / NAMES[2])
    trainer = SFTTrainer(
        model=place,
        args=SFTConfig(str(tmp_path / "out"), report_to="none", max_length=512, use_cpu=True),
        train_dataset=loaded(tmp_path, NAMES[2]),
        processing_class=AutoTokenizer.from_pretrained(place),
    )
    rows = encode_examples(examples, own, 512)
    for row, read in zip(rows, trainer.train_dataset, strict=True):
        # A chat template may write blanks behind a turn.
        ids = read["input_ids"]
        assert tuple(ids[: len(row.input_ids)]) == row.input_ids
        assert not own.decode(ids[len(row.input_ids) :]).strip()


@pytest.mark.parametrize("name", NAMES[:2])
def test_an_exported_file_is_a_sheet_again(name, folder):
    sheet = QASheetDataset(
        filepath=str(folder / name),
        columns={"question": "question", "answer": "answer"},
    ).load()
    asked = dict(zip(sheet["answer"], sheet["question"], strict=True))
    assert asked["The right."] == f"⟦system⟧ Be brief.\n{TALK}"
    assert asked["₹ 2"].endswith("½ of ₹ 4?")


def test_a_dataset_folder_is_a_sheet(folder, tmp_path):
    rows = loaded(folder, NAMES[0])
    rows.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": rows, "test": rows.select([3])}).save_to_disk(tmp_path / "two")

    def read(name, split=None):
        columns = {"question": "question", "answer": "answer"}
        return QASheetDataset(str(tmp_path / name), columns, sheet=split).load()

    assert [*read("one")["answer"]] == [*read("two", "train")["answer"]] == [*ROWS["answer"]]
    assert read("two", "test")[["line", "answer"]].to_numpy().tolist() == [["1", "None"]]
    with pytest.raises(DatasetError, match=r"has the splits test, train: name one as qa_sheet"):
        read("two")
    with pytest.raises(DatasetError, match=r"has no split 'dev', only test, train"):
        read("two", "dev")
    (next((tmp_path / "one").glob("*.arrow"))).write_bytes(b"ARROW")
    with pytest.raises(DatasetError, match=r"one/data-0.* cannot be read"):
        read("one")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="is a directory that no dataset was saved to"):
        read("empty")


def test_another_ending_is_refused(tmp_path):
    table = as_messages(make_examples(ROWS), PARAMS.prompt_format)
    with pytest.raises(ValueError, match=r"out.csv ends in neither \.jsonl nor \.parquet"):
        write_messages(table, tmp_path / "out.csv")


def test_a_system_message_of_its_row_is_the_first_message_in_every_format():
    examples = make_examples(ROWS.head(2).assign(system=["Own.", ""]))
    for how, second in ((PARAMS.prompt_format, ["system", "user"]), (PromptFormat(), ["user"])):
        messages = as_messages(examples, how)
        assert messages["messages"][0][0] == {"role": "system", "content": "Own."}
        assert [each["role"] for each in messages["messages"][1]] == [*second, "assistant"]
        assert "system" not in messages
