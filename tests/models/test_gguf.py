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


def small_llama(tokenizer, **settings):
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KEYS,
        tie_word_embeddings=True,
        initializer_range=0.3,
        **settings,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def llama(tokenizer):
    return small_llama(tokenizer)


def write(path, model, tokenizer, architecture="llama", change=lambda tensors: None, kind="F32"):
    """Write a model as llama.cpp does: rotary halves of a head interleaved, names of its own.

    `change` gets the file's tensors by name before they are written; `kind` is the type of all but
    norms.
    """
    config, writer = model.config, gguf.GGUFWriter(path, architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
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
    tensors = {}
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
        tensors[renamed] = values
    change(tensors)
    for name, values in tensors.items():
        written = gguf.GGMLQuantizationType["F32" if values.ndim == 1 else kind]
        packed = gguf.quantize(values, written)
        writer.add_tensor(name, packed, raw_shape=packed.shape, raw_dtype=written)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_folder_has_the_models_logits_its_tokenizer_and_its_chat_template(
    llama, tokenizer, tmp_path
):
    file = write(tmp_path / "model.gguf", llama, tokenizer)
    convert_gguf(file, tmp_path / "folder", file_fingerprint(file).upper())
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


@pytest.mark.parametrize(
    ("kind", "largest", "expected"),
    [
        ("Q8_0", 1.0, torch.float16),
        ("F16", 1.0, torch.float16),
        ("BF16", 1.0, torch.bfloat16),
        ("BF16", 1e5, torch.bfloat16),
        ("F32", 1.0, torch.float32),
        ("Q8_0", 1e5, torch.float32),
    ],
)
def test_weights_are_written_in_a_type_that_holds_them(
    llama, tokenizer, tmp_path, kind, largest, expected
):
    def change(tensors):
        tensors["output_norm.weight"] = tensors["output_norm.weight"] * 0 + np.float32(largest)

    convert_gguf(
        write(tmp_path / "m.gguf", llama, tokenizer, "llama", change, kind), tmp_path / "f"
    )
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "f")
    assert model.dtype == expected
    torch.testing.assert_close(
        model.model.norm.weight.float(), torch.full((32,), largest), rtol=5e-3, atol=0
    )
    own = model.model.layers[1].mlp.up_proj.weight.float()
    torch.testing.assert_close(
        own, llama.model.layers[1].mlp.up_proj.weight, rtol=1e-2 * (kind != "F32"), atol=1e-2
    )


def _drop(name):
    return lambda tensors: tensors.pop(name)


def _spoil(value):
    def change(tensors):
        tensors["blk.1.ffn_up.weight"][3, 4] = value

    return change


def _narrow(tensors):
    tensors["blk.1.ffn_up.weight"] = tensors["blk.1.ffn_up.weight"][:-2]


def _grow(tensors):
    tensors["blk.2.attn_norm.weight"] = np.ones(32, np.float32)
    tensors["blk.0.attn_q.bias"] = np.ones(32, np.float32)


def _slow(factors):
    def change(tensors):
        tensors["rope_freqs.weight"] = np.array(factors, np.float32)

    return change


def test_the_slower_positions_of_llama_3_are_kept(tokenizer, tmp_path):
    rope = {
        "rope_theta": 500000.0,
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    model = small_llama(tokenizer, rope_parameters=rope, max_position_embeddings=131072)
    # Wavelengths of 6.3, 167, 4443 and 118143 tokens, so that the third is between plain and slow:
    # smooth = (8192 / 4442.88 - 1) / (4 - 1) = 0.28128, 1 / ((1 - smooth) / 32 + smooth) = 3.29226.
    file = write(tmp_path / "m.gguf", model, tokenizer, change=_slow([1, 1, 3.29226, 32]))
    convert_gguf(file, tmp_path / "folder")
    own = AutoModelForCausalLM.from_pretrained(tmp_path / "folder")
    assert own.config.rope_parameters == rope
    ids = torch.arange(400)[None] % len(tokenizer)
    with torch.no_grad():
        torch.testing.assert_close(own(ids).logits, model(ids).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_slow([1, 2, 3, 4]), r"transformers does not read.*\(rope_freqs.weight\)"),
        (_drop("blk.1.ffn_up.weight"), "has no weights for model.layers.1.mlp.up_proj.weight"),
        (_drop("token_embd.weight"), "has no weights for "),
        (_narrow, "weights of another shape.*.model.layers.1.mlp.up_proj.weight.: get a whole"),
        (_grow, r"transformers does not read.*\(blk.0.attn_q.bias, blk.2.attn_norm.weight\)"),
        (_spoil(np.nan), "are infinite or no number .model.layers.1.mlp.up_proj.weight"),
        (_spoil(-np.inf), "are infinite or no number .model.layers.1.mlp.up_proj.weight"),
    ],
)
def test_a_model_of_other_weights_than_the_files_is_refused(
    llama, tokenizer, tmp_path, change, said
):
    file = write(tmp_path / "model.gguf", llama, tokenizer, change=change)
    with pytest.raises(ValueError, match=rf"^\S+model\.gguf .*{said}"):
        convert_gguf(file, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_stretched_positions_that_transformers_does_not_read_are_refused(
    llama, tokenizer, tmp_path, monkeypatch
):
    add = gguf.GGUFWriter.add_vocab_size

    def stretched(writer, size):
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        add(writer, size)

    monkeypatch.setattr(gguf.GGUFWriter, "add_vocab_size", stretched)
    file = write(tmp_path / "model.gguf", llama, tokenizer)
    with pytest.raises(ValueError, match=r"does not read.*\(llama\.rope\.scaling\.type\)"):
        convert_gguf(file, tmp_path / "folder")


def test_what_stands_around_the_file_is_no_part_of_its_model(
    llama, tokenizer, tmp_path, monkeypatch
):
    own = write(tmp_path / "model.gguf", llama, tokenizer)
    for name in ("tokenizer_config.json", "tokenizer.json", "chat_template.jinja", "config.json"):
        (tmp_path / name).write_text("{broken")
    (tmp_path / "here").mkdir()
    write(tmp_path / "here" / "model.gguf", llama, tokenizer, change=_spoil(np.nan))
    monkeypatch.chdir(tmp_path / "here")
    convert_gguf(own, tmp_path / "folder")
    assert load_pretrained_tokenizer(str(tmp_path / "folder"), "key").chat_template == CHAT


def test_only_a_folder_of_a_model_is_replaced(llama, tokenizer, tmp_path):
    file = write(tmp_path / "model.gguf", llama, tokenizer)
    folder = tmp_path / "folder"
    for _ in range(2):
        convert_gguf(file, folder)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OSError, match=r"folder has 'notes\.txt', which would be lost: give a fold"):
        convert_gguf(file, folder)
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "config.json").write_text("{}")
    with pytest.raises(OSError, match="tokens has files that are no model, which would be lost"):
        convert_gguf(file, tmp_path / "tokens")
    with pytest.raises(OSError, match=r"model\.gguf is a file: give a folder"):
        convert_gguf(file, file)
    with pytest.raises(OSError, match=r"model\.gguf/folder could not be written"):
        convert_gguf(file, file / "folder")
    assert (folder / "notes.txt").read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "model.gguf", "tokens"]


def test_another_file_is_refused_and_leaves_no_folder(llama, tokenizer, tmp_path):
    file = write(tmp_path / "model.gguf", llama, tokenizer)
    with pytest.raises(ValueError, match=r"is not .*: its SHA-256 is [0-9a-f]+, not 0"):
        convert_gguf(file, tmp_path / "folder", "0")
    with pytest.raises(OSError, match=r"absent\.gguf does not exist"):
        convert_gguf(tmp_path / "absent.gguf", tmp_path / "folder")
    with pytest.raises(OSError, match=r"is a directory: give a GGUF file"):
        convert_gguf(tmp_path, tmp_path / "folder")
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=r"model\.gguf could not be read as GGUF"):
        convert_gguf(file, tmp_path / "folder")
    file.write_bytes(whole[:2000])
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
