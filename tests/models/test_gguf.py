"""A GGUF file becomes a folder whose model says what the file's model said."""

import json

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from kd_kedro.models.build import pretrained_model
from kd_kedro.models.gguf import convert_gguf
from kd_kedro.models.tokenization import load_pretrained_tokenizer
from kd_kedro.storage.fingerprints import file_fingerprint
from tests.training.tiny import ANSWERS, QUESTIONS

CHAT = "{% for message in messages %}{{ message['content'] }}<|endoftext|>{% endfor %}"
HEADS, KEYS = 4, 2


@pytest.fixture(scope="module")
def llama(tokenizer):
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KEYS,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(config).eval()


def write(path, model, tokenizer, architecture="llama"):
    """Write a model as llama.cpp does: rotary halves of a head interleaved, names of its own."""
    config, writer = model.config, gguf.GGUFWriter(path, architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    state = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    writer.add_token_list(sorted(state["vocab"], key=state["vocab"].get))
    writer.add_token_merges([" ".join(pair) for pair in state["merges"]])
    writer.add_bos_token_id(tokenizer.eos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(CHAT)
    names = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "model.layers.": "blk.",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "post_attention_layernorm": "ffn_norm",
        "input_layernorm": "attn_norm",
    }
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight":  # tied
            continue
        values = weight.numpy().astype(np.float32)
        for heads, part in ((HEADS, "q_proj"), (KEYS, "k_proj")):
            if part in name:
                shape = (heads, 2, len(values) // heads // 2, values.shape[1])
                values = values.reshape(shape).swapaxes(1, 2).reshape(values.shape)
        renamed = name
        for ours, theirs in names.items():
            renamed = renamed.replace(ours, theirs)
        writer.add_tensor(renamed, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_folder_has_the_models_logits_its_tokenizer_and_its_chat_template(
    llama, tokenizer, tmp_path
):
    file = write(tmp_path / "model.gguf", llama, tokenizer)
    convert_gguf(file, tmp_path / "folder", file_fingerprint(file))
    own = load_pretrained_tokenizer(str(tmp_path / "folder"), "key")
    assert own.get_vocab() == tokenizer.get_vocab()
    assert own.chat_template == CHAT
    for text in QUESTIONS + ANSWERS:
        assert own(text)["input_ids"] == tokenizer(text)["input_ids"]
    model = pretrained_model(str(tmp_path / "folder"), "key", own, "auto")
    ids = torch.tensor([tokenizer(QUESTIONS[0])["input_ids"]])
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, llama(ids).logits, rtol=2e-2, atol=2e-2)
    assert not hasattr(AutoModelForCausalLM.from_pretrained(tmp_path / "folder"), "hf_quantizer")


def test_another_file_is_refused_and_leaves_no_folder(llama, tokenizer, tmp_path):
    file = write(tmp_path / "model.gguf", llama, tokenizer)
    with pytest.raises(ValueError, match=r"is not .*: its SHA-256 is [0-9a-f]+, not 0"):
        convert_gguf(file, tmp_path / "folder", "0")
    with pytest.raises(OSError, match=r"absent\.gguf does not exist"):
        convert_gguf(tmp_path / "absent.gguf", tmp_path / "folder")
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"model\.gguf could not be read as GGUF"):
        convert_gguf(file, tmp_path / "folder")
    other = write(tmp_path / "other.gguf", llama, tokenizer, architecture="nosuch")
    with pytest.raises(ValueError, match=r"other\.gguf could not be read as GGUF \(.*nosuch"):
        convert_gguf(other, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_gguf_file_in_place_of_a_folder_is_answered_with_the_way_to_one(tokenizer):
    with pytest.raises(OSError, match=r"^key: 'a/b\.gguf' is a GGUF file: convert it"):
        pretrained_model("a/b.gguf", "key", tokenizer, "auto")
    with pytest.raises(OSError, match=r"^key: 'a/b\.gguf' is a GGUF file: convert it"):
        load_pretrained_tokenizer("a/b.gguf", "key")
