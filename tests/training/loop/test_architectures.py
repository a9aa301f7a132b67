"""Every architecture teaches and learns: loaded, asked, scored, captured, trained, copied."""

import json

import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    CohereConfig,
    CohereForCausalLM,
    DeepseekV3ForCausalLM,
    DiffLlamaForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma4ForCausalLM,
    GPT2LMHeadModel,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    Lfm2ForCausalLM,
    LlamaForCausalLM,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
    SmolLM3ForCausalLM,
)

from kd_kedro.inference.generate import generate_answers
from kd_kedro.inference.scoring import score_together
from kd_kedro.models.build import pretrained_model, size_card
from kd_kedro.models.causal_lm import LanguageModel
from kd_kedro.models.encoding import collate, encode_prompts
from kd_kedro.models.layer_copying import blocks, check_copy, copy_layers, same_shape
from kd_kedro.models.modes import decoder_start
from kd_kedro.models.tokenization import train_byte_bpe
from kd_kedro.storage.fingerprints import weights_fingerprint
from kd_kedro.training.loop.train import train
from kd_kedro.training.loop.training_config import ObjectiveConfig, TrainingConfig
from kd_kedro.training.teacher.capture import capture
from kd_kedro.training.teacher.capture_config import CaptureConfig
from kd_kedro.training.teacher.signals import LiveTeacher
from kd_kedro.training.teacher.store import identity, open_targets
from tests.inference.answer_logits import answer_logits
from tests.training.architectures import ALL, CAUSAL, ENCODER_DECODER, build, save
from tests.training.tiny import ANSWERS, QUESTIONS

ROWS = [(f"row{number}", *row) for number, row in enumerate(zip(QUESTIONS, ANSWERS, strict=True))]
KEY = "distillation.teacher.pretrained"
SETTINGS = TrainingConfig(
    learning_rate=1e-2,
    batch_size=6,
    gradient_accumulation_steps=1,
    epochs=9,
    max_tokens=10**6,
    max_steps=3,
    warmup_ratio=0.0,
    lr_scheduler_type="linear",
    weight_decay=0.0,
    max_grad_norm=1.0,
    num_evaluations=1,
    patience=0,
    precision="fp32",
)
DENSE = CaptureConfig(
    source="dense",
    k=1,
    bytes_per_token=4,
    temperatures=(1.0,),
    hidden_states=False,
    dtype="float32",
    precision="fp32",
    batch_size=4,
    rows_per_shard=4,
    seed=0,
)


def load(folder, tokenizer):
    return pretrained_model(str(folder), KEY, tokenizer, "float32")


@pytest.mark.parametrize("kind", ALL)
def test_a_folder_is_loaded_as_it_is_and_described(kind, tokenizer, tmp_path):
    model = build(kind, tokenizer, extra=7)
    loaded = load(save(tmp_path, model, tokenizer), tokenizer)
    assert weights_fingerprint(loaded) == weights_fingerprint(model)
    card = size_card(loaded)
    assert card["architecture"] == type(model).__name__
    assert (card["layers"], card["width"], card["heads"]) == (3, 16, 2)
    assert card["vocabulary"] == len(tokenizer) + 7
    assert card.get("encoder_layers") == (3 if kind in ENCODER_DECODER else None)


def test_an_encoder_becomes_both_halves_of_an_encoder_decoder(tokenizer, tmp_path):
    bert = build("bert", tokenizer)
    model = load(save(tmp_path, bert, tokenizer), tokenizer)
    halves = (model.encoder, model.decoder.bert)
    for half in halves:
        name = "encoder.layer.2.output.dense.weight"
        torch.testing.assert_close(half.get_parameter(name), bert.get_parameter(name))
    again = load(tmp_path, tokenizer)  # what is new comes from the seed
    assert weights_fingerprint(again) == weights_fingerprint(model)
    other = pretrained_model(str(tmp_path), KEY, tokenizer, "float32", seed=1)
    assert weights_fingerprint(other) != weights_fingerprint(model)
    assert decoder_start(model) is not None


@pytest.mark.parametrize("kind", ALL)
def test_a_batch_answers_as_each_question_alone_without_a_cache(kind, tokenizer, tmp_path):
    model = load(save(tmp_path, build(kind, tokenizer), tokenizer), tokenizer)
    asked = LanguageModel(model, tokenizer)
    together = generate_answers(asked, QUESTIONS, max_new_tokens=8, batch_size=4)
    assert together == [token_by_token(model, tokenizer, question, 8) for question in QUESTIONS]


def token_by_token(model, tokenizer, question, count):
    prompt = torch.tensor(encode_prompts(tokenizer, [question]))
    start = decoder_start(model)
    ids = prompt if start is None else torch.tensor([[start]])
    begun = ids.shape[1]
    with torch.no_grad():
        for _ in range(count):
            given = {"input_ids": ids}
            if start is not None:
                given = {"input_ids": prompt, "decoder_input_ids": ids}
            best = model(**given, use_cache=False).logits[0, -1].argmax()
            if best == tokenizer.eos_token_id:
                break
            ids = torch.cat([ids, best.view(1, 1)], 1)
    return tokenizer.decode(ids[0, begun:], skip_special_tokens=True).strip()


@pytest.mark.parametrize("kind", ALL)
def test_scores_do_not_depend_on_the_batch(kind, tokenizer):
    asked = LanguageModel(build(kind, tokenizer), tokenizer)
    (one,) = score_together([asked], QUESTIONS, ANSWERS, batch_size=1)
    (six,) = score_together([asked], QUESTIONS, ANSWERS, batch_size=6)
    assert [r["nll"] for r in one] == pytest.approx([r["nll"] for r in six], rel=1e-4)


@pytest.mark.parametrize("kind", CAUSAL)
def test_right_padding_needs_no_mask_and_left_padding_without_positions_is_wrong(
    kind, tokenizer, examples
):
    model = build(kind, tokenizer).double()
    with torch.no_grad():
        together = answer_logits(model, collate(examples, tokenizer.pad_token_id))
        alone = [answer_logits(model, collate([e], tokenizer.pad_token_id)) for e in examples]
        torch.testing.assert_close(together, torch.cat(alone))
        row = examples[2]
        padded = torch.tensor([[tokenizer.pad_token_id] * 5 + list(row.input_ids)])
        left = model(padded).logits[0, 5 + row.answer_start - 1 : -1]
    assert (left - alone[2]).abs().max() > 0.01


@pytest.mark.parametrize(
    ("teacher", "student"),
    [(kind, kind) for kind in ALL]
    + [("llama", "t5"), ("gpt2", "encoder_decoder"), ("t5", "gpt2"), ("encoder_decoder", "qwen3")],
)
def test_what_one_architecture_says_another_learns(teacher, student, tokenizer, examples, tmp_path):
    # The teacher's vocabulary is padded more than the student's, then less.
    teaching = LanguageModel(build(teacher, tokenizer, extra=9, width=24), tokenizer)
    belongs_to = identity(ROWS, tokenizer, [(teaching, 1.0)], 128)
    manifest = capture([(teaching, 1.0)], examples, belongs_to, tmp_path, DENSE)
    targets = open_targets(manifest, tmp_path, belongs_to)
    model = build(student, tokenizer, extra=4 if student == teacher else 20, seed=1)
    batch = collate(examples, tokenizer.pad_token_id, decoder_start(teaching.model))
    live = LiveTeacher(teaching.model, len(tokenizer), "x").signal(batch, 1.0)
    torch.testing.assert_close(targets.signal(batch, 1.0).teacher, live.teacher)
    before = weights_fingerprint(model)
    history = train(
        model,
        examples,
        [],
        objective=ObjectiveConfig(alpha=0.5, beta=0.5),
        targets=targets,
        settings=SETTINGS,
        seed=0,
        padding=tokenizer.pad_token_id,
        work_dir=tmp_path,
        description="student",
    )
    losses = [record["loss"] for record in history if "loss" in record]
    assert losses[-1] < losses[0]
    assert weights_fingerprint(model) != before


@pytest.mark.parametrize("kind", ALL)
def test_all_layers_copied_are_the_teacher(kind, tokenizer, examples):
    teacher = build(kind, tokenizer, extra=3)
    batch = collate(examples, tokenizer.pad_token_id, decoder_start(teacher))
    student = copy_layers(teacher, [0, 1, 2], 0)
    with torch.no_grad():
        torch.testing.assert_close(answer_logits(student, batch), answer_logits(teacher, batch))


@pytest.mark.parametrize("student_start", [None, 0, 7])
@pytest.mark.parametrize("kind", ["gpt2", "t5", "encoder_decoder"])
def test_a_live_teacher_reads_the_batch_of_another_kind_of_student(
    kind, student_start, tokenizer, examples
):
    teacher = build(kind, tokenizer)
    source = LiveTeacher(teacher, len(tokenizer), "live")
    own = source.signal(collate(examples, 1, decoder_start(teacher)), 1.0)
    read = source.signal(collate(examples, 1, student_start), 1.0)
    torch.testing.assert_close(read.teacher, own.teacher)
    torch.testing.assert_close(read.hidden, own.hidden)


def test_gradient_checkpointing_computes_blocks_twice_and_learns_the_same(
    tokenizer, examples, tmp_path
):
    passes, ended = [], []
    for recompute in (False, True):
        model, count = build("llama", tokenizer), []
        first = model.model.layers[0].self_attn
        first.register_forward_pre_hook(lambda *_, seen=count: seen.append(1))
        train(
            model,
            examples,
            [],
            objective=ObjectiveConfig(),
            targets=None,
            settings=SETTINGS.model_copy(update={"gradient_checkpointing": recompute}),
            seed=0,
            padding=1,
            work_dir=tmp_path,
            description="student",
        )
        passes.append(len(count))
        ended.append(weights_fingerprint(model))
    assert passes == [3, 6]
    assert ended[0] == ended[1]


@pytest.mark.parametrize("kind", ALL)
def test_chosen_layers_are_the_teacher_with_the_others_taken_out(kind, tokenizer, examples):
    teacher = build(kind, tokenizer)
    batch = collate(examples, tokenizer.pad_token_id, decoder_start(teacher))
    student = copy_layers(teacher, [0, 2], 0)
    asked = LanguageModel(student, tokenizer)  # with a cache, which needs every layer's own number
    answers = generate_answers(asked, QUESTIONS[:3], max_new_tokens=6, batch_size=3)
    assert answers == [token_by_token(student, tokenizer, q, 6) for q in QUESTIONS[:3]]
    skip_second_layer(teacher)
    with torch.no_grad():
        expected = answer_logits(teacher, batch)
        torch.testing.assert_close(answer_logits(student, batch), expected)
    assert size_card(student)["layers"] == 2


def skip_second_layer(model):
    """Make the second layer hand on what it was given."""
    for stack in blocks(model).values():
        stack[1].register_forward_hook(hand_on, with_kwargs=True)


def hand_on(_, given, kwargs, output):
    hidden = given[0] if given else kwargs["hidden_states"]
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden


def test_a_first_layer_of_t5_other_than_the_teachers_first_knows_positions(tokenizer):
    teacher = build("t5", tokenizer)
    student = copy_layers(teacher, [1, 2], 0)
    copied, first, second = (
        model.decoder.block[number].layer[0].SelfAttention
        for model, number in ((student, 0), (teacher, 0), (teacher, 1))
    )
    torch.testing.assert_close(copied.q.weight, second.q.weight)
    positions = (each.relative_attention_bias.weight for each in (copied, first))
    torch.testing.assert_close(*positions)


def test_the_kinds_of_attention_go_with_their_layers(tokenizer):
    config = build("qwen3", tokenizer).config
    config.layer_types = ["full_attention", "sliding_attention", "full_attention"]
    config.sliding_window = 4
    teacher = Qwen3ForCausalLM(config)
    student = copy_layers(teacher, [1, 2], 0)
    assert student.config.layer_types == ["sliding_attention", "full_attention"]


def test_whatever_is_said_layer_by_layer_goes_with_the_layers(tokenizer, tmp_path):
    ids = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.eos_token_id}
    teacher = GPTNeoForCausalLM(
        GPTNeoConfig(
            hidden_size=16,
            num_layers=4,
            num_heads=2,
            attention_types=[[["global", "local"], 2]],
            max_position_embeddings=64,
            vocab_size=len(tokenizer),
            **ids,
        )
    )
    student = copy_layers(teacher, [1, 3], 1)
    kinds = [block.attn.attention_type for block in student.transformer.h]
    assert kinds == student.config.attention_layers == ["local", "local"]
    student.save_pretrained(tmp_path)
    again = GPTNeoForCausalLM.from_pretrained(tmp_path)
    assert weights_fingerprint(again) == weights_fingerprint(student)


def test_kinds_that_follow_from_the_number_of_a_layer_are_refused(tokenizer):
    config = Qwen3MoeConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=16,
        moe_intermediate_size=8,
        num_experts=2,
        num_experts_per_tok=1,
        decoder_sparse_step=2,  # every second layer
        vocab_size=len(tokenizer),
    )
    teacher = Qwen3MoeForCausalLM(config)
    with pytest.raises(ValueError, match=r"copy_layers: a Qwen3MoeForCausalLM with other layers"):
        copy_layers(teacher, [1, 3], 0)
    with torch.device("meta"):
        outline = Qwen3MoeForCausalLM(config)
    with pytest.raises(ValueError, match=r"copy_layers: a Qwen3MoeForCausalLM with other layers"):
        check_copy(outline, [1, 3])
    check_copy(outline, [0, 1])


def small(kind, **config):
    """A model of four layers with weights large enough that every mistake shows."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
    sizes |= {"vocab_size": 300, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    torch.manual_seed(0)
    model = kind(kind.config_class(**sizes | config)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.3)
    return model


NARROW = {"intermediate_size": 16, "num_key_value_heads": 2}


@pytest.mark.parametrize(
    ("kind", "config", "layers"),
    [
        (SmolLM3ForCausalLM, {**NARROW, "no_rope_layers": [1, 0, 0, 1]}, [1, 3]),
        (Lfm2ForCausalLM, {**NARROW, "layer_types": ["conv", "full_attention"] * 2}, [0, 1]),
        (GPT2LMHeadModel, {"scale_attn_by_inverse_layer_idx": True}, [0, 1]),
        (Qwen3ForCausalLM, {**NARROW, "head_dim": 8, "max_window_layers": 2}, [1, 2]),
    ],
)
def test_a_copy_says_what_the_teacher_says_without_the_other_layers(kind, config, layers):
    teacher = small(kind, **config)
    student = copy_layers(teacher, layers, 0)
    ids = torch.arange(20, 32)[None]
    for stack in blocks(teacher).values():
        for number in {0, 1, 2, 3} - {*layers}:
            stack[number].register_forward_hook(hand_on, with_kwargs=True)
    with torch.no_grad():
        expected = teacher(ids, use_cache=False).logits
        torch.testing.assert_close(student(ids, use_cache=False).logits, expected)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        # Attention is divided by the number of the layer; a weight of it follows the number.
        (GPT2LMHeadModel, {"scale_attn_by_inverse_layer_idx": True}),
        (DiffLlamaForCausalLM, NARROW),
        # Which layers are dense, by their numbers and from a number on.
        (
            Qwen3MoeForCausalLM,
            {**NARROW, "moe_intermediate_size": 8, "num_experts": 2, "mlp_only_layers": [1]},
        ),
        (
            DeepseekV3ForCausalLM,
            {
                **NARROW,
                **{"first_k_dense_replace": 2, "n_routed_experts": 2, "moe_intermediate_size": 8},
                **{"n_group": 1, "topk_group": 1, "num_experts_per_tok": 1},
            },
        ),
        # An embedding is as wide as there are layers.
        (Gemma4ForCausalLM, {**NARROW, "hidden_size_per_layer_input": 4, "head_dim": 8}),
    ],
)
def test_what_follows_from_the_number_of_a_layer_is_refused_before_training(kind, config):
    with torch.device("meta"):
        outline = small(kind, **config)
    with pytest.raises(ValueError, match=rf"copy_layers: a {kind.__name__} with other layers"):
        check_copy(outline, [1, 2])
    check_copy(outline, [0, 1, 2, 3])


def test_what_only_has_as_many_values_as_there_are_layers_stays(tokenizer):
    teacher = small(LlamaForCausalLM, **NARROW)
    teacher.config.time_step_limit = (0.0, 0.5, 0.7, float("inf"))
    assert len(copy_layers(teacher, [1, 2], 0).config.time_step_limit) == 4


def test_a_baseline_of_the_same_shape_has_none_of_the_teachers_weights(tokenizer):
    teacher = build("llama", tokenizer)
    student, baseline = copy_layers(teacher, [0, 2], 0), same_shape(teacher, [0, 2], 0)
    assert baseline.config.to_dict() == student.config.to_dict()
    taken = dict(teacher.named_parameters())
    for name, weight in baseline.named_parameters():
        if weight.ndim > 1:  # norms begin as ones everywhere
            assert not torch.equal(weight, taken[name])
    state = torch.get_rng_state()
    assert weights_fingerprint(same_shape(teacher, [0, 2], 0)) == weights_fingerprint(baseline)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_layer_the_teacher_lacks_is_named(tokenizer):
    with pytest.raises(ValueError, match=r"copy_layers: the teacher has no layer 3; its model\.la"):
        copy_layers(build("llama", tokenizer), [0, 3], 0)


def test_a_teacher_whose_layers_cannot_be_counted_is_refused(tokenizer):
    sizes = {"d_model": 16, "encoder_layers": 3, "decoder_layers": 3, "encoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 16}
    teacher = BartForConditionalGeneration(BartConfig(**sizes, **heads, vocab_size=300))
    with pytest.raises(ValueError, match=r"copy_layers: a BartForConditionalGeneration .* cannot"):
        copy_layers(teacher, [0, 2], 0)


def test_another_tokenizer_without_a_tokenizer_json_is_seen(tokenizer, tmp_path):
    foreign = train_byte_bpe(ANSWERS, vocabulary=280)
    folder = save(tmp_path, build("gpt2", tokenizer), foreign)
    made = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(made["vocab"]), encoding="utf-8")
    merges = "\n".join(" ".join(pair) for pair in made["merges"])
    (tmp_path / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "GPT2Tokenizer"}), encoding="utf-8"
    )
    with pytest.raises(ValueError, match="was trained with another tokenizer"):
        load(folder, tokenizer)


def test_another_tokenizer_is_refused_by_name_and_sequence_level_offered(tokenizer, tmp_path):
    foreign = train_byte_bpe(ANSWERS, vocabulary=280)
    folder = save(tmp_path, build("qwen2", foreign, extra=100), foreign)
    message = (
        rf"teacher\.pretrained: '{folder}' was trained with another tokenizer \(BPE, 273 tokens\) "
        r"than 'the one trained in this run' \(BPE, 300 tokens\); .*\(sequence-level distillation, "
    )
    with pytest.raises(ValueError, match=message):
        load(folder, tokenizer)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (lambda **sizes: Gemma2Config(**sizes, head_dim=8), Gemma2ForCausalLM),  # soft-capped
        (lambda **sizes: CohereConfig(**sizes, logit_scale=0.99), CohereForCausalLM),
    ],
)
def test_logits_that_are_changed_after_the_head_are_refused(config, kind, tokenizer, tmp_path):
    # By so little here that two tokens of small logits would not show it.
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    made = config(**sizes, **ids, vocab_size=300, intermediate_size=16, num_key_value_heads=1)
    folder = save(tmp_path, kind(made), tokenizer)
    with pytest.raises(ValueError, match=r"teacher\.pretrained: .* more than one linear head"):
        load(folder, tokenizer)


def test_penalties_of_a_checkpoint_do_not_change_greedy_answers(tokenizer, tmp_path):
    model = build("gpt2", tokenizer)
    model.generation_config.repetition_penalty = 1.9
    loaded = load(save(tmp_path, model, tokenizer), tokenizer)
    assert loaded.generation_config.repetition_penalty in (None, 1.0)
