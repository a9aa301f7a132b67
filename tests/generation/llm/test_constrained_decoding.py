"""What is written under a schema parses under it, whatever the model would rather say."""

import json
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from kd_kedro.generation.llm.constrained_decoding import Vocabulary
from kd_kedro.generation.llm.reply_forms import form_schema, read_form
from tests.models.tokenizers_of_kinds import END, TEMPLATES, UNKNOWN, tokenizer_of
from tests.training.tiny import QUESTIONS


def byte_fallback(signs: str = "") -> PreTrainedTokenizerFast:
    """Return a tokenizer as Llama 2 and Mistral have: pieces, and bytes for all other signs."""
    pieces = [UNKNOWN, END, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abchistw", *signs]
    made = Tokenizer(
        models.BPE(
            {piece: place for place, piece in enumerate(pieces)},
            merges=[],
            unk_token=UNKNOWN,
            byte_fallback=True,
        )
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token=UNKNOWN, eos_token=END)


TOKENIZERS = {
    "bytes": tokenizer_of("bytes", TEMPLATES[0], QUESTIONS),
    "bytes after a space": tokenizer_of("bytes after a space", TEMPLATES[0], QUESTIONS),
    "byte fallback": byte_fallback('{}":'),
    "byte fallback, signs as bytes": byte_fallback(),
}
VOCABULARIES = {name: Vocabulary(each, [each.eos_token_id]) for name, each in TOKENIZERS.items()}
TASKS = ("rephrase", "relevance", "answer")


def write(kind: str, tasks: Sequence[str], seed: int, steps: int, pad_to: int = 0) -> torch.Tensor:
    """Return (rows, steps) ids of a model that would say anything, and in the end closes."""
    tokenizer, vocabulary = TOKENIZERS[kind], VOCABULARIES[kind]
    follow = vocabulary.follow([vocabulary.grammar(form_schema(task)) for task in tasks])
    source = torch.Generator().manual_seed(seed)
    size = max(len(tokenizer), pad_to)
    quotes = [n for n in range(len(tokenizer)) if vocabulary.text([n]) == '"']
    prompt = 3
    ids = torch.zeros(len(tasks), prompt, dtype=torch.long)
    for step in range(steps):
        scores = torch.randn(len(tasks), size, generator=source)
        scores[:, len(tokenizer) :] += 100  # a padded vocabulary: rows no token has
        if step > steps // 2:
            scores[:, quotes] += 50
        ids = torch.cat([ids, follow(ids, scores).argmax(-1, keepdim=True)], dim=1)
    return ids[:, prompt:]


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_whatever_is_said_parses(kind: str, seed: int) -> None:
    end = TOKENIZERS[kind].eos_token_id
    written = write(kind, TASKS, seed, steps=80, pad_to=700).tolist()
    for task, row in zip(TASKS, written, strict=True):
        said = row[: row.index(end)]
        assert set(row[len(said) :]) == {end}  # nothing more after the object
        text = VOCABULARIES[kind].text(said)
        assert list(json.loads(text)) == form_schema(task)["required"]
        assert read_form(text, task) == next(iter(json.loads(text).values()))


def without_signs() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE(unk_token=UNKNOWN))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        ["what is rent"], trainers.BpeTrainer(special_tokens=[UNKNOWN, END], show_progress=False)
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token=UNKNOWN, eos_token=END)


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        (
            tokenizer_of("word pieces", TEMPLATES[0], QUESTIONS),
            "cannot be read as bytes: .*decoder",
        ),
        (tokenizer_of("metaspace always", TEMPLATES[0], QUESTIONS), "cannot be read as bytes: "),
        (ByT5Tokenizer(), r"\(ByT5Tokenizer\) cannot be read as bytes: Only fast"),
        (without_signs(), 'gives {"a": "b", "c": 1} back as another text'),
        (tokenizer_of("bytes with a prefix", TEMPLATES[0], QUESTIONS), "back as another text"),
    ],
)
def test_a_tokenizer_that_cannot_follow_is_refused(tokenizer, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        Vocabulary(tokenizer, [tokenizer.eos_token_id])
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "text"}, "Invalid type: text"),
        ({"$ref": "https://example.org/form.json"}, "fetch"),
        ({"not": {"type": "string"}}, "Unimplemented"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-ahead"),
    ],
)
def test_a_schema_that_cannot_be_kept_to_is_refused(schema, message: str) -> None:
    with pytest.raises(ValueError, match=f"the JSON schema cannot be kept to: .*{message}") as said:
        VOCABULARIES["bytes"].grammar(schema)
    assert "\n" not in str(said.value)
