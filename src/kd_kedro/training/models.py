"""Making causal language models: from an architecture, a hub name or a local folder."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kd_kedro.training.answering import answer_logits
from kd_kedro.training.console import quiet_transformers
from kd_kedro.training.examples import Batch
from kd_kedro.training.tokenization import load_pretrained_tokenizer


@dataclass(frozen=True)
class Architecture:
    """The size of a GPT-2-architecture model.

    Attributes:
        layers: Transformer blocks.
        width: Size of the hidden states; a multiple of `heads`.
        heads: Attention heads.
        dropout: Share of activations dropped in training, everywhere GPT-2 drops any.
        init_std: Standard deviation of the initial weights. GPT-2's 0.02 suits its width of 768
            and more; narrow models learn to copy from the prompt much sooner from larger weights.
    """

    layers: int
    width: int
    heads: int
    dropout: float
    init_std: float


def new_model(architecture: Architecture, tokenizer: Any, max_length: int, seed: int) -> Any:
    """Return an untrained GPT-2-architecture model, the same for the same seed.

    Args:
        architecture: Its size.
        tokenizer: Gives the vocabulary and the end-of-sequence token.
        max_length: How many positions it has.
        seed: Of its initial weights. The global random state is left as it was.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=max_length,
        n_embd=architecture.width,
        n_layer=architecture.layers,
        n_head=architecture.heads,
        activation_function="gelu_pytorch_tanh",  # GPT-2's own function, in one kernel
        resid_pdrop=architecture.dropout,
        embd_pdrop=architecture.dropout,
        attn_pdrop=architecture.dropout,
        initializer_range=architecture.init_std,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return GPT2LMHeadModel(config)


def pretrained_model(name: str, key: str, tokenizer: Any, dtype: str) -> Any:
    """Load a causal language model by hub name or from a local folder.

    Args:
        name: Hub name, or a folder with config.json and safetensors weights.
        key: The parameter that named it, for the messages.
        tokenizer: The tokenizer it will be used with.
        dtype: `auto` (as stored), `float32` or `bfloat16`.

    Raises:
        OSError: If it cannot be had, has no safetensors weights, or they are damaged.
        ValueError: If weights are missing, if it belongs to another tokenizer, or if its logits
            are not head(hidden states).
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        with quiet_transformers():
            model, loading = AutoModelForCausalLM.from_pretrained(
                name,
                dtype=dtype,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise OSError(
            f"{key}: no safetensors model could be loaded from '{name}'; give a hub name that "
            "this machine can reach or a folder with config.json and model.safetensors"
        ) from error
    _refuse_missing_weights(name, key, loading["missing_keys"])
    _refuse_other_tokenizer(name, key, model, tokenizer)
    _refuse_other_head(name, key, model)
    return model


def size_card(model: Any) -> dict[str, Any]:
    """Return what a card says of a model's size and shape, as plain JSON values."""
    config = model.config
    return {
        "architecture": type(model).__name__,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "layers": config.num_hidden_layers,
        "width": config.hidden_size,
        "heads": config.num_attention_heads,
        "vocabulary": config.vocab_size,
    }


def _refuse_missing_weights(name: str, key: str, missing: Collection[str]) -> None:
    """transformers fills what a checkpoint lacks with random weights and only warns of it."""
    if missing:
        raise ValueError(
            f"{key}: '{name}' lacks {len(missing)} of the weights that its config.json names, "
            f"{min(missing)} first; give a whole checkpoint"
        )


def _refuse_other_tokenizer(name: str, key: str, model: Any, tokenizer: Any) -> None:
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ValueError(
            f"{key}: the tokenizer has {len(tokenizer)} tokens but '{name}' has embeddings for "
            f"{rows}; set tokenizer.pretrained to the model's own tokenizer"
        )
    folder = Path(name)
    if folder.is_dir() and not (folder / "tokenizer.json").is_file():
        return
    own = load_pretrained_tokenizer(name)
    if own.get_vocab() != tokenizer.get_vocab():
        raise ValueError(
            f"{key}: '{name}' was trained with another tokenizer than the one of this run; "
            "set tokenizer.pretrained to the model's own tokenizer"
        )


def _refuse_other_head(name: str, key: str, model: Any) -> None:
    """Make sure that selecting hidden states before the head changes no logit of this model."""
    ids = torch.zeros((1, 2), dtype=torch.long, device=model.device)
    training = model.training
    model.eval()
    with torch.no_grad():
        whole = model(input_ids=ids).logits[0]
        selected = answer_logits(model, Batch(("probe",), ids, ids))
    model.train(training)
    if not torch.allclose(whole, selected, rtol=1e-2, atol=1e-2):
        raise ValueError(
            f"{key}: '{name}' ({type(model).__name__}) does more than one linear head to its "
            "hidden states, which distillation does not support; use another architecture"
        )
