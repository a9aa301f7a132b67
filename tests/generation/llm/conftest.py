"""Folders of tiny models with random weights, as a hub or a user would have them."""

from collections.abc import Callable
from pathlib import Path

import pytest

CHAT = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a maker of model folders: `gpt2`, `llama` (with a chat template) or `t5`."""
    import torch
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        T5Config,
        T5ForConditionalGeneration,
    )

    from kd_kedro.models.tokenization import train_byte_bpe
    from tests.training.tiny import ANSWERS, QUESTIONS

    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind in made:
            return made[kind]
        torch.set_num_threads(1)
        tokenizer = train_byte_bpe([*QUESTIONS, *ANSWERS], vocabulary=300)
        ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
        common = {"vocab_size": len(tokenizer), **ends}
        # Weights large enough that a wrong position or mask shows in the text.
        with torch.random.fork_rng():
            torch.manual_seed(0)
            if kind == "gpt2":
                model = GPT2LMHeadModel(
                    GPT2Config(
                        **common,
                        n_positions=128,
                        n_embd=32,
                        n_layer=2,
                        n_head=2,
                        initializer_range=0.4,
                    )
                )
            elif kind == "llama":
                tokenizer.chat_template = CHAT
                model = LlamaForCausalLM(
                    LlamaConfig(
                        **common,
                        hidden_size=32,
                        intermediate_size=64,
                        num_hidden_layers=2,
                        num_attention_heads=2,
                        max_position_embeddings=256,
                        initializer_range=0.4,
                    )
                )
            else:
                model = T5ForConditionalGeneration(
                    T5Config(
                        **common,
                        d_model=32,
                        d_kv=16,
                        d_ff=64,
                        num_layers=2,
                        num_heads=2,
                        decoder_start_token_id=tokenizer.pad_token_id,
                        initializer_factor=3.0,
                    )
                )
        made[kind] = tmp_path_factory.mktemp("models") / kind
        model.save_pretrained(made[kind])
        tokenizer.save_pretrained(made[kind])
        return made[kind]

    return make
