"""Making language models: from an architecture, a hub name or a local folder."""

import copy
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from kd_kedro.models.adapters import adapter_card, is_adapted, refuse_narrow
from kd_kedro.models.marks import marks
from kd_kedro.models.model_config import ArchitectureConfig
from kd_kedro.models.modes import decoder_start, evaluating
from kd_kedro.models.quiet import quiet_transformers
from kd_kedro.models.tokenization import load_pretrained_tokenizer, refuse_gguf
from kd_kedro.storage.atomic import first_line

_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model")
OWN_TOKENIZER = (
    "set tokenizer.pretrained to a tokenizer that teacher and student share, or give the student "
    "its own (student.tokenizer) and let the teacher write its answers (sequence-level "
    "distillation, sequence_level.source)"
)


def new_model(architecture: ArchitectureConfig, tokenizer: Any, max_length: int, seed: int) -> Any:
    """Return an untrained GPT-2-architecture model, the same for the same seed.

    Args:
        architecture: Its size.
        tokenizer: Gives the vocabulary and the end-of-sequence token.
        max_length: Number of its positions.
        seed: Seed of its initial weights. The global random state is left as it was.
    """
    tokens = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _gpt2(architecture, len(tokenizer), max_length, tokens)


def new_outline(architecture: ArchitectureConfig, vocab_size: int, max_length: int) -> Any:
    """Return what `new_model` makes, without weights, from the size of the vocabulary alone."""
    with torch.device("meta"):
        return _gpt2(architecture, vocab_size, max_length, {"eos_token_id": 0, "pad_token_id": 0})


def _gpt2(
    architecture: ArchitectureConfig, vocab_size: int, max_length: int, tokens: dict[str, int]
) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=max_length,
        n_embd=architecture.hidden_size,
        n_layer=architecture.num_hidden_layers,
        n_head=architecture.num_attention_heads,
        activation_function="gelu_pytorch_tanh",  # GPT-2's own function, in one kernel
        resid_pdrop=architecture.dropout,
        embd_pdrop=architecture.dropout,
        attn_pdrop=architecture.dropout,
        initializer_range=architecture.initializer_range,
        bos_token_id=tokens["eos_token_id"],
        **tokens,
    )
    return GPT2LMHeadModel(config)


def pretrained_model(
    name: str, key: str, tokenizer: Any, dtype: str, *, seed: int = 0, quantization: Any = None
) -> Any:
    """Load a causal or encoder-decoder language model by hub name or from a local folder.

    A pretrained encoder (BERT and its kin) becomes both halves of an encoder-decoder: its weights
    start encoder and decoder, the attention from one to the other is new (Rothe, Narayan and
    Severyn, 2020, arXiv:1907.12461, BERT2BERT).

    Args:
        name: Hub name, or a folder with config.json and safetensors weights.
        key: The parameter that named it, for the messages.
        tokenizer: The tokenizer it will be used with.
        dtype: `auto`, `float32` or `bfloat16`. `auto` is as stored, but float32 for float16
            where there is no GPU: processors compute little in float16, and slowly.
        seed: Seed of the weights that an encoder lacks as a decoder.
        quantization: What transformers calls `quantization_config`; None for weights as stored.

    Raises:
        OSError: If it cannot be had, has no safetensors weights, or they are damaged.
        ValueError: If weights are missing, if it belongs to another tokenizer, if its logits are
            not head(hidden states), or if it is too narrow for 4-bit weights.
    """
    from safetensors import SafetensorError
    from transformers import AutoConfig

    refuse_gguf(name, key)
    given: dict[str, Any] = {
        "dtype": dtype,
        "trust_remote_code": False,
        "use_safetensors": True,
        "output_loading_info": True,
    }
    if quantization is not None:
        refuse_narrow(outline(name, key), key)
        given["quantization_config"] = quantization
    try:
        with quiet_transformers(), torch.random.fork_rng():
            torch.manual_seed(seed)
            config = AutoConfig.from_pretrained(name, trust_remote_code=False)
            load = _load_around_encoder if _is_encoder(config) else _load
            model, missing = load(name, config, given)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _not_there(name, key, error) from error
    _refuse_missing_weights(name, key, missing)
    if dtype == "auto" and model.dtype == torch.float16 and not torch.cuda.is_available():
        model = model.float()
    refuse_other_tokenizer(name, key, model, tokenizer)
    _name_special_tokens(model, tokenizer)
    _refuse_other_head(name, key, model)
    return model


def outline(name: str, key: str) -> Any:
    """Return what `pretrained_model` loads, without its weights.

    Args:
        name: Hub name or folder.
        key: The parameter that named it, for the message.

    Raises:
        OSError: If there is no such model.
    """
    from transformers import (
        AutoConfig,
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
        EncoderDecoderModel,
    )

    refuse_gguf(name, key)
    try:
        with quiet_transformers(), torch.device("meta"):
            config = AutoConfig.from_pretrained(name, trust_remote_code=False)
            if config.is_encoder_decoder:
                return AutoModelForSeq2SeqLM.from_config(config)
            if not _is_encoder(config):
                return AutoModelForCausalLM.from_config(config)
            encoder = AutoModel.from_config(config)
            decoding = copy.deepcopy(config)
            decoding.is_decoder = decoding.add_cross_attention = True
            decoder = AutoModelForCausalLM.from_config(decoding)
            return EncoderDecoderModel(encoder=encoder, decoder=decoder)
    except (OSError, ValueError) as error:
        raise _not_there(name, key, error) from error


def told_by_card(name: str) -> dict[str, Any]:
    """Return what the card of a model folder says that holds of whoever starts from it.

    Args:
        name: Hub name or folder.

    Returns:
        `held_out`, ids of rows that were kept from the model, and its `licence`; of both what is
        there.
    """
    card = Path(name) / "card.json"
    if not card.is_file():
        return {}
    known = json.loads(card.read_text(encoding="utf-8"))
    return {key: known[key] for key in ("held_out", "licence") if key in known}


def size_card(model: Any) -> dict[str, Any]:
    """Return what a card says of a model's size and shape, as plain JSON values."""
    plain = model.get_base_model() if is_adapted(model) else model
    config = plain.config
    card: dict[str, Any] = {
        "architecture": type(plain).__name__,
        "parameters": sum(weight.numel() for weight in model.parameters()),
    }
    if plain is not model:
        card["adapter"] = adapter_card(model)
    if getattr(config, "decoder", None) is not None:  # an encoder and a decoder put together
        card["encoder_layers"] = config.encoder.num_hidden_layers
        config = config.decoder
    elif config.is_encoder_decoder:
        card["encoder_layers"] = config.num_hidden_layers
    layers = getattr(config, "num_decoder_layers", None)
    return {
        **card,
        "layers": config.num_hidden_layers if layers is None else layers,
        "width": config.hidden_size,
        "heads": config.num_attention_heads,
        "vocabulary": config.vocab_size,
    }


def _is_encoder(config: Any) -> bool:
    """Return whether a checkpoint is an encoder alone, trained to fill in masks."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    if config.is_encoder_decoder or type(config) not in MODEL_FOR_MASKED_LM_MAPPING:
        return False
    causal = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    return causal is None or causal.__name__ not in (config.architectures or [])


def _load(name: str, config: Any, given: dict[str, Any]) -> tuple[Any, Collection[str]]:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model, loading = kind.from_pretrained(name, **given)
    return model, loading["missing_keys"]


def _load_around_encoder(
    name: str, config: Any, given: dict[str, Any]
) -> tuple[Any, Collection[str]]:
    from transformers import AutoModel, AutoModelForCausalLM, EncoderDecoderModel

    encoder, loading = AutoModel.from_pretrained(name, **given)
    config.is_decoder = config.add_cross_attention = True
    decoder, _ = AutoModelForCausalLM.from_pretrained(name, config=config, **given)
    # What is new is wanted: cross-attention, and the pooler that a checkpoint for masks lacks.
    missing = [weight for weight in loading["missing_keys"] if "pooler" not in weight]
    return EncoderDecoderModel(encoder=encoder, decoder=decoder), missing


def _name_special_tokens(model: Any, tokenizer: Any) -> None:
    """Let a model generate as it is asked to, not by penalties its checkpoint brought along."""
    from transformers import GenerationConfig

    begin: tuple[int, ...] = ()
    if model.config.is_encoder_decoder:
        if getattr(model.config, "pad_token_id", None) is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        if getattr(model.config, "decoder_start_token_id", None) is None:
            starts = (tokenizer.cls_token_id, tokenizer.bos_token_id, model.config.pad_token_id)
            start = next((token for token in starts if token is not None), tokenizer.eos_token_id)
            model.config.decoder_start_token_id = start
        begin = marks(tokenizer)[0]
    # Whoever generates without this project's prefix of the decoder (BART's `</s> <s>`).
    forced = begin[0] if begin and begin[0] != decoder_start(model) else None
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=decoder_start(model),
        forced_bos_token_id=forced,
    )


def _not_there(name: str, key: str, error: Exception) -> OSError:
    return OSError(
        f"{key}: no safetensors model could be loaded from '{name}' ({first_line(error)}); give a "
        "hub name that this machine can reach or a folder with config.json and model.safetensors"
    )


def _refuse_missing_weights(name: str, key: str, missing: Collection[str]) -> None:
    """transformers fills what a checkpoint lacks with random weights and only warns of it."""
    if missing:
        raise ValueError(
            f"{key}: '{name}' lacks {len(missing)} of the weights that its config.json names, "
            f"{min(missing)} first; give a whole checkpoint"
        )


def refuse_other_tokenizer(name: str, key: str, model: Any, tokenizer: Any) -> None:
    """Refuse a model that was trained with another tokenizer.

    Raises:
        ValueError: The message names both.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ValueError(
            f"{key}: the tokenizer has {len(tokenizer)} tokens but '{name}' has embeddings for "
            f"{rows}; {OWN_TOKENIZER}"
        )
    folder = Path(name)
    if folder.is_dir() and not any((folder / file).is_file() for file in _TOKENIZER_FILES):
        return
    own = load_pretrained_tokenizer(name, key)
    if own.get_vocab() != tokenizer.get_vocab():
        present = tokenizer.name_or_path or "the one trained in this run"
        raise ValueError(
            f"{key}: '{name}' was trained with another tokenizer ({_described(own)}) than "
            f"'{present}' ({_described(tokenizer)}); {OWN_TOKENIZER}"
        )


def _described(tokenizer: Any) -> str:
    return f"{type(tokenizer.backend_tokenizer.model).__name__}, {len(tokenizer)} tokens"


def _refuse_other_head(name: str, key: str, model: Any) -> None:
    """Make sure that a model's logits are what its head says, neither capped nor scaled after.

    The head is made to say known numbers, some of them large: they must come out unchanged.
    """
    head = model.get_output_embeddings()
    said: list[torch.Tensor] = []

    def say(_: Any, __: Any, logits: torch.Tensor) -> torch.Tensor:
        said.append(torch.linspace(-90, 90, logits.numel()).reshape(logits.shape).to(logits))
        return said[0]

    ids = torch.full((1, 2), model.generation_config.eos_token_id, device=model.device)
    inputs = {"input_ids": ids}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    if isinstance(head, torch.nn.Linear):
        hook = head.register_forward_hook(say)
        try:
            with evaluating(model):
                logits = model(**inputs, use_cache=False).logits
        finally:
            hook.remove()
        if torch.equal(logits.to(said[0]), said[0]):
            return
    raise ValueError(
        f"{key}: '{name}' ({type(model).__name__}) does more than one linear head to its "
        "hidden states, which distillation does not support; use another architecture"
    )
