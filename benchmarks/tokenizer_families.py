"""Tokenizers of the families that pretrained models bring, small and trained on a few texts.

Each has what tells its family apart: how it cuts texts, what it puts around them by itself, which
token ends an assistant's turn, and the chat template of its models, abridged.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from tokenizers.processors import RobertaProcessing, TemplateProcessing
from transformers import PreTrainedTokenizerFast

_DIGITS = Regex(r"\p{N}{1,3}")
_SYSTEM_NOT_FIRST = (
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
)

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# The last turn of Qwen 3 has empty thoughts, which its prompt of generation has not.
QWEN3 = CHATML.replace(
    "{{'<|im_start|>' + message['role'] + '\n' + message['content']",
    "{{'<|im_start|>' + message['role'] + '\n' + ('<think>\n\n</think>\n\n' "
    "if loop.last and message['role'] == 'assistant' else '') + message['content']",
)
LLAMA_3 = (
    "{{- bos_token }}{%- for message in messages %}"
    "{%- if loop.first and message['role'] != 'system' %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\n' }}"
    "{{- 'Today Date: ' + strftime_now('%d %b %Y') + '<|eot_id|>' }}{%- endif %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
LLAMA_2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}"
    "{% else %}{% set loop_messages = messages %}{% set system_message = '' %}{% endif %}"
    "{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    f"{_SYSTEM_NOT_FIRST}"
    "{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] '"
    " + (system_message if loop.first else '') + message['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    f"{_SYSTEM_NOT_FIRST}"
    "{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
PHI_3 = (
    "{% for message in messages %}"
    "{{'<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """What tells a family of tokenizers apart.

    Attributes:
        cut: Returns an untrained tokenizer and its trainer's class.
        special: Special tokens, those that come in texts of no model first.
        begin: The token that it puts before a text by itself; '' for none.
        end: The token that it puts after a text by itself; '' for none.
        eos: The end-of-sequence token.
        bos: The begin-of-sequence token; '' for none.
        chat: The chat template; '' for none.
        turn_end: The token that ends an assistant's turn; '' without a chat template.
        strips: Whether special tokens take the blanks behind them.
        encodes: Whether an encoder reads the prompt.
    """

    cut: Callable[[], tuple[Tokenizer, Any]]
    special: tuple[str, ...]
    eos: str
    begin: str = ""
    end: str = ""
    bos: str = ""
    chat: str = ""
    turn_end: str = ""
    strips: bool = False
    encodes: bool = False


def _bytes(*, digits: bool = False, composed: bool = False) -> tuple[Tokenizer, Any]:
    made = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(_DIGITS, "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([split, level]) if digits else level
    if composed:
        made.normalizer = normalizers.NFC()
    made.decoder = decoders.ByteLevel()
    return made, trainers.BpeTrainer


def _sentence_piece(scheme: str) -> tuple[Tokenizer, Any]:
    """Pieces with blanks as `▁`, one before a text: `prepended` as Llama 2 had it at first."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    replace = normalizers.Replace(" ", "▁")
    strip = decoders.Strip(" ", 1, 0)
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if scheme == "prepended":
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), replace])
        made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    elif scheme == "never":
        made.normalizer = replace
        made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
        made.decoder = decoders.Sequence(steps)
        return made, trainers.BpeTrainer
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    made.decoder = decoders.Sequence([*steps, strip])
    return made, trainers.BpeTrainer


def _unigram() -> tuple[Tokenizer, Any]:
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.decoder = decoders.Metaspace(prepend_scheme="always")
    return made, trainers.UnigramTrainer


def _word_pieces() -> tuple[Tokenizer, Any]:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    return made, trainers.WordPieceTrainer


_IM = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_HEADERS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
FAMILIES = {
    "gpt2": Family(_bytes, ("<|endoftext|>",), "<|endoftext|>"),
    "qwen2": Family(
        lambda: _bytes(composed=True), _IM, "<|im_end|>", chat=CHATML, turn_end="<|im_end|>"
    ),
    "qwen3": Family(
        lambda: _bytes(composed=True), _IM, "<|im_end|>", chat=QWEN3, turn_end="<|im_end|>"
    ),
    "smollm2": Family(
        lambda: _bytes(digits=True), _IM, "<|endoftext|>", chat=CHATML, turn_end="<|im_end|>"
    ),
    "llama3": Family(
        lambda: _bytes(digits=True),
        _HEADERS,
        "<|eot_id|>",
        begin="<|begin_of_text|>",
        bos="<|begin_of_text|>",
        chat=LLAMA_3,
        turn_end="<|eot_id|>",
    ),
    "llama2": Family(
        lambda: _sentence_piece("prepended"),
        ("<unk>", "<s>", "</s>"),
        "</s>",
        begin="<s>",
        bos="<s>",
        chat=LLAMA_2,
        turn_end="</s>",
    ),
    "mistral": Family(
        lambda: _sentence_piece("first"),
        ("<unk>", "<s>", "</s>", "[INST]", "[/INST]"),
        "</s>",
        begin="<s>",
        bos="<s>",
        chat=MISTRAL,
        turn_end="</s>",
    ),
    "gemma": Family(
        lambda: _sentence_piece("never"),
        ("<unk>", "<pad>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
        "<eos>",
        begin="<bos>",
        bos="<bos>",
        chat=GEMMA,
        turn_end="<end_of_turn>",
    ),
    "phi3": Family(
        lambda: _sentence_piece("prepended"),
        ("<unk>", "<s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<|endoftext|>",
        bos="<s>",
        chat=PHI_3,
        turn_end="<|end|>",
        strips=True,
    ),
    "t5": Family(_unigram, ("<pad>", "</s>", "<unk>"), "</s>", end="</s>", encodes=True),
    "bart": Family(
        _bytes,
        ("<s>", "<pad>", "</s>", "<unk>", "<mask>"),
        "</s>",
        begin="<s>",
        end="</s>",
        bos="<s>",
        encodes=True,
    ),
    "bert": Family(
        _word_pieces,
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
        "[SEP]",
        begin="[CLS]",
        end="[SEP]",
        encodes=True,
    ),
}


def family_tokenizer(name: str, texts: Iterable[str]) -> Any:
    """Return a tokenizer of a family, trained on texts."""
    family = FAMILIES[name]
    made, kind = family.cut()
    options: dict[str, Any] = {"vocab_size": 400, "show_progress": False}
    special = [AddedToken(each, special=True, rstrip=family.strips) for each in family.special]
    options["special_tokens"] = special
    if isinstance(made.decoder, decoders.ByteLevel):
        options["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()
    if kind is trainers.UnigramTrainer:
        options["unk_token"] = "<unk>"
    made.train_from_iterator(texts, kind(**options))
    marks = [(each, made.token_to_id(each)) for each in (family.begin, family.end) if each]
    if name == "bart":
        made.post_processor = RobertaProcessing(marks[1], marks[0], add_prefix_space=False)
    elif marks:
        around = " ".join(filter(None, [family.begin, "$A", family.end]))
        made.post_processor = TemplateProcessing(single=around, special_tokens=marks)
    named = {"bos_token": family.bos, "eos_token": family.eos, "pad_token": family.special[0]}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        clean_up_tokenization_spaces=False,
        **{key: token for key, token in named.items() if token},
    )
    tokenizer.chat_template = family.chat or None
    return tokenizer
