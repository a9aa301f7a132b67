"""Tokenizers of the kinds that pretrained models bring, trained on a few texts."""

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
_SPECIAL = [UNKNOWN, BEGIN, END]
# What a post-processor puts around a text.
TEMPLATES = ["$A", f"{BEGIN} $A", f"$A {END}", f"{BEGIN} $A {END}"]


def _byte_level(prefix=False):
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    made.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    return made, trainers.BpeTrainer(
        vocab_size=330, special_tokens=_SPECIAL, initial_alphabet=letters
    )


def _prepended():
    made = Tokenizer(models.BPE(unk_token=UNKNOWN))
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return made, trainers.BpeTrainer(vocab_size=90, special_tokens=_SPECIAL)


def _prefixed_bytes():
    made, trainer = _byte_level()
    made.normalizer = normalizers.Prepend(" ")
    return made, trainer


def _metaspace(scheme):
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    made.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return made, trainers.UnigramTrainer(vocab_size=120, special_tokens=_SPECIAL, unk_token=UNKNOWN)


def _word_piece():
    made = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    return made, trainers.WordPieceTrainer(vocab_size=120, special_tokens=_SPECIAL)


KINDS = {
    "bytes": _byte_level,  # GPT-2, Llama 3, Qwen
    "bytes with a prefix": lambda: _byte_level(prefix=True),
    "bytes after a space": _prefixed_bytes,
    "prepended": _prepended,  # Llama 2, Mistral
    "metaspace always": lambda: _metaspace("always"),  # T5
    "metaspace first": lambda: _metaspace("first"),
    "metaspace never": lambda: _metaspace("never"),  # Gemma
    "word pieces": _word_piece,  # BERT
}


def tokenizer_of(kind, template, texts):
    """Return a tokenizer of a kind whose post-processor puts marks as a template says."""
    made, trainer = KINDS[kind]()
    trainer.show_progress = False
    made.train_from_iterator(texts, trainer)
    ids = [(name, made.token_to_id(name)) for name in (BEGIN, END)]
    made.post_processor = TemplateProcessing(single=template, special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )
