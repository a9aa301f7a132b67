"""One tiny random model of every architecture that may teach or learn."""

import torch
from transformers import (
    BertConfig,
    BertLMHeadModel,
    BertModel,
    EncoderDecoderModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

CAUSAL = ["gpt2", "llama", "phi", "phi3", "qwen2", "qwen3"]
ENCODER_DECODER = ["t5", "encoder_decoder"]
ALL = CAUSAL + ENCODER_DECODER


def build(kind, tokenizer, *, extra=0, layers=3, seed=0, width=16):
    """A model with `extra` rows of vocabulary beyond the tokenizer's, as Llama and Qwen have."""
    ids = {
        "vocab_size": len(tokenizer) + extra,
        "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    heads = {"num_attention_heads": 2, "initializer_range": 0.3}
    shape = {**ids, **heads, "hidden_size": width, "num_hidden_layers": layers}
    decoder = {**shape, "intermediate_size": max(32, width), "max_position_embeddings": 128}
    grouped = {**decoder, "num_key_value_heads": 1}
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    bert = {**decoder, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    t5 = {"d_kv": 8, "d_ff": 32, "dropout_rate": 0.0, "decoder_start_token_id": ids["pad_token_id"]}
    sizes = {"d_model": width, "num_layers": layers, "num_heads": 2, "initializer_factor": 1.0}
    gpt2 = {"n_positions": 128, "n_embd": width, "n_layer": layers, "n_head": 2, **still}
    make = {
        "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**ids, **gpt2, initializer_range=0.3)),
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**grouped)),
        "mistral": lambda: MistralForCausalLM(MistralConfig(**grouped)),
        "phi": lambda: PhiForCausalLM(PhiConfig(**decoder, resid_pdrop=0.0)),
        "phi3": lambda: Phi3ForCausalLM(Phi3Config(**grouped, sliding_window=None)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**grouped)),
        "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**grouped, head_dim=8)),
        "t5": lambda: T5ForConditionalGeneration(T5Config(**ids, **sizes, **t5)),
        "bert": lambda: BertModel(BertConfig(**bert)),
        "encoder_decoder": lambda: EncoderDecoderModel(
            encoder=BertModel(BertConfig(**bert)),
            decoder=BertLMHeadModel(
                BertConfig(**bert, is_decoder=True, add_cross_attention=True),
            ),
        ),
    }[kind]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make()
    if kind == "encoder_decoder":
        model.config.decoder_start_token_id = tokenizer.eos_token_id
        model.config.pad_token_id = tokenizer.pad_token_id
    if kind == "t5":  # T5 begins with weights too small for a mistake to show
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "relative" in name:
                    weight.normal_()
    return model.eval()


def save(folder, model, tokenizer):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
