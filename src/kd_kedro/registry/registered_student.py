"""A registered student as MLflow loads it: questions come in, the answers that were judged go out.

This file lies beside the weights in the registry, with those that make prompts and read
conversations, so that whoever loads the model needs none of this project: it imports nothing but
what the model's requirements name. The answers are those of `kd_kedro.inference.generate`, one
question at a time, and tests compare the two.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    PreTrainedTokenizerFast,
)

try:  # they lie beside this
    from literal_chat import question_ids  # type: ignore[import-not-found]
    from transcript import as_question, read_transcript  # type: ignore[import-not-found]
except ImportError:
    from kd_kedro.models.literal_chat import question_ids
    from kd_kedro.text.transcript import as_question, read_transcript

# Written beside the weights: template (None for a chat) and its fields, max_length, max_new_tokens,
# the ids that stand around a prompt and those that a decoder of its own reads first, as they were
# when it was judged.
ANSWERING = "answering.json"


class RegisteredStudent:
    """Answers questions greedily, in the way it was judged.

    Attributes:
        model: The model.
        tokenizer: Its tokenizer.
        answering: Content of `answering.json`.
    """

    def __init__(self, folder: Path) -> None:
        """Read weights, tokenizer and the way it was judged from a registered folder."""
        self.answering = json.loads((folder / ANSWERING).read_text(encoding="utf-8"))
        self.model, self.tokenizer = read_model(folder)
        self.model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> list[str]:
        """Return one answer for each question, in order.

        A question may be the transcript of a conversation (`⟦user⟧ …`), as in training.

        Args:
            model_input: A question, several of them, or a table whose first column they are. Where
                the prompt has further fields: a table or records with a column of each.
            params: None are known.
        """
        with torch.inference_mode():
            return [self._answer(_with_messages(each)) for each in self._asked(model_input)]

    def _asked(self, model_input: Any) -> list[dict[str, str]]:
        """Return the fields of each prompt."""
        fields, is_table = self.answering["fields"], getattr(model_input, "ndim", 1) == 2
        if len(fields) == 1:
            questions = model_input.iloc[:, 0] if is_table else model_input
            questions = [questions] if isinstance(questions, str) else questions
            return [{"question": str(question)} for question in questions]
        records = model_input.to_dict("records") if is_table else model_input
        records = [records] if isinstance(records, Mapping) else records
        return [{name: str(record[name]) for name in fields} for record in records]

    def _answer(self, asked: Mapping[str, Any]) -> str:
        model, tokenizer = self.model, self.tokenizer
        ids, new_tokens = self._prompt(asked)
        inputs = {"input_ids": torch.tensor([ids], device=model.device)}
        read = len(ids)
        if model.config.is_encoder_decoder:
            start = getattr(model.config, "decoder_start_token_id", None)
            inputs["decoder_start_token_id"] = model.config.pad_token_id if start is None else start
            first = self.answering["decoder_prefix"]
            inputs["decoder_input_ids"] = torch.tensor([first], device=model.device)
            read = len(first)
        padding = tokenizer.pad_token_id
        written = model.generate(
            **inputs,
            attention_mask=torch.ones_like(inputs["input_ids"]),
            max_new_tokens=new_tokens,
            do_sample=False,
            num_beams=1,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.eos_token_id if padding is None else padding,
        )[0]
        return str(tokenizer.decode(written[read:], skip_special_tokens=True)).strip()

    def _prompt(self, asked: Mapping[str, Any]) -> tuple[list[int], int]:
        """Return what is read of a prompt, and how many tokens its answer may have."""
        limit, begin, end = (self.answering[key] for key in ("max_length", "begin", "end"))
        new_tokens = min(self.answering["max_new_tokens"], limit - 1)
        (ids,) = question_ids(self.tokenizer, self.answering["template"], [asked])
        if len(begin) + len(ids) + len(end) >= limit:  # it loses its beginning, but for the marks
            room = max(limit - new_tokens, limit // 2) - len(begin) - len(end)
            ids = ids[max(0, len(ids) - max(0, room)) :]
        read = [*begin, *ids, *end]
        apart = self.model.config.is_encoder_decoder
        return read, new_tokens if apart else min(new_tokens, limit - len(read))


def _with_messages(asked: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a prompt, with the messages where its question is a transcript."""
    said = read_transcript(asked["question"])
    if not said:
        return {**asked}
    messages = [{"role": role, "content": text} for role, text in said]
    return {**asked, "question": as_question(said), "messages": messages}


def read_model(folder: Path) -> tuple[Any, Any]:
    """Return model and tokenizer of a registered folder, from safetensors and JSON alone."""
    here = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(folder / "model", **here)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = kind.from_pretrained(folder / "model", use_safetensors=True, dtype="auto", **here)
    # tokenizer.json says all; a class named after an architecture would rebuild it its own way.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(
        folder / "components" / "tokenizer", local_files_only=True
    )
    return model, tokenizer


def _load_pyfunc(path: str) -> RegisteredStudent:
    """Return the model; MLflow calls this."""
    return RegisteredStudent(Path(path))
