"""A language model in this process as a backend: any causal or seq2seq model, local or cached.

Prompts of like length share a batch. Greedy text does not depend on the batch but for the
rounding of the arithmetic; sampled text draws from a seed of its own row.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kd_kedro.generation.llm.constrained_decoding import Vocabulary
from kd_kedro.generation.llm.llm_generator import Answers, Failure, Question
from kd_kedro.generation.llm.replies import Reply
from kd_kedro.generation.llm.reply_forms import (
    MisfitError,
    form_instruction,
    form_schema,
    read_form,
)
from kd_kedro.generation.prompts import Message
from kd_kedro.models.quiet import quiet_transformers
from kd_kedro.storage.atomic import first_line

_FILES = ["*.safetensors", "*.json", "*.model", "*.jinja", "*.txt"]


class LocalOptions(BaseModel):
    """Which model answers in this process, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1, description="A folder, or a name on the hub.")
    revision: str | None = Field(default=None, description="Commit or branch on the hub.")
    download: bool = Field(default=False, description="Fetch a hub model that is not here.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto is bfloat16 on a GPU, float32 elsewhere."
    )
    temperature: float = Field(default=0.0, ge=0, le=2, description="0 is greedy.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Nucleus of a sample.")
    max_tokens: int = Field(default=128, ge=1, le=8192, description="Longest reply.")
    structured: bool = Field(default=True, description="Hold replies to JSON by schema.")
    batch_size: int = Field(default=16, ge=1, le=1024, description="Prompts answered together.")


class LocalModel:
    """Answers with a model that is loaded when the first question comes.

    Args:
        name: What the text generator is called in messages.
        options: Which model, and how.

    Raises:
        ValueError: The model is not on this machine.
    """

    def __init__(self, name: str, options: LocalOptions) -> None:
        self._name, self._options = name, options
        self._folder = _folder(name, options)
        self._fingerprint = fingerprint(self._folder)
        self._loaded: tuple[Any, Any] | None = None
        self._vocabulary: Vocabulary | None = None

    def identity(self) -> Mapping[str, Any]:
        """Return what determines a reply: the weights themselves, not the folder they lie in."""
        options = self._options
        model = Path(options.model).name if Path(options.model).is_dir() else options.model
        sampling = {"temperature": options.temperature, "top_p": options.top_p}
        return {
            "backend": "transformers",
            "model": model,
            "weights": self._fingerprint,
            "dtype": self._dtype(),
            "max_tokens": options.max_tokens,
            **({"structured": True} if options.structured else {}),
            **(sampling if options.temperature else {}),
        }

    def ask(self, questions: Sequence[Question]) -> Answers:
        """Yield each question's place with its reply, batch by batch, the longest first."""
        import torch

        model, tokenizer = self._load()
        apart = bool(model.config.is_encoder_decoder)
        structured = self._options.structured
        prompts = [
            self._prompt(tokenizer, _in_form(question) if structured else question.messages, apart)
            for question in questions
        ]
        longest = _context(model, tokenizer)
        if not apart:
            longest -= self._options.max_tokens
        order = sorted(range(len(prompts)), key=lambda place: (-len(prompts[place]), place))
        fit = [place for place in order if len(prompts[place]) <= longest]
        for start in range(0, len(fit), self._options.batch_size):
            batch = fit[start : start + self._options.batch_size]
            asked = [questions[place] for place in batch]
            try:
                replies = list(self._generate([prompts[place] for place in batch], asked))
            except torch.OutOfMemoryError as error:
                raise ValueError(
                    f"text generator {self._name} has no memory for {len(batch)} prompts of up to "
                    f"{len(prompts[batch[0]])} tokens at a time: lower its batch_size"
                ) from error
            yield from zip(batch, replies, strict=True)
        for place in order[: len(order) - len(fit)]:
            reason = f"the prompt has {len(prompts[place])} tokens, the model takes {longest}"
            yield place, Failure(reason, of_question=True)

    def release(self) -> None:
        """Give back the model's memory."""
        if self._loaded is None:
            return
        import gc

        import torch

        self._loaded = self._vocabulary = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _dtype(self) -> str:
        import torch

        if self._options.dtype != "auto":
            return self._options.dtype
        return "bfloat16" if torch.cuda.is_available() else "float32"

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import torch
            from safetensors import SafetensorError

            try:
                model, tokenizer, missing = _read_folder(self._folder, self._dtype())
            except (OSError, ValueError, RuntimeError, SafetensorError) as error:
                raise self._unfit(
                    f"cannot be loaded ({first_line(error)})", "give a whole folder"
                ) from error
            if missing:
                # transformers fills them with random weights and only warns of it.
                raise self._unfit(
                    f"lacks {len(missing)} of the weights that its config.json names, "
                    f"{min(missing)} first",
                    "give a whole folder",
                )
            ends = _end_tokens(model, tokenizer)
            if not ends:
                raise self._unfit(
                    "has no token that ends a text", "name its eos_token_id in config.json"
                )
            if self._options.structured:
                self._vocabulary = self._read_vocabulary(tokenizer, ends)
            device = "cuda" if torch.cuda.is_available() else "cpu"
            self._loaded = model.eval().to(device), tokenizer
        return self._loaded

    def _read_vocabulary(self, tokenizer: Any, ends: list[int]) -> Vocabulary:
        try:
            if not tokenizer.chat_template:
                raise ValueError("it has no chat template (chat_template.jinja)")
            return Vocabulary(tokenizer, ends)
        except ValueError as error:
            raise self._unfit(
                f"cannot be asked for JSON by schema: {error}",
                "set structured: false, or name another model",
            ) from error

    def _unfit(self, why: str, remedy: str) -> ValueError:
        model = self._options.model
        return ValueError(f"model {model} of text generator {self._name} {why}: {remedy}")

    def _prompt(self, tokenizer: Any, messages: list[Message], apart: bool) -> list[int]:
        from kd_kedro.models.literal_chat import PromptRefusedError

        try:
            return _encode(tokenizer, messages, apart)
        except PromptRefusedError as error:
            raise self._unfit(
                f"has a chat template that cannot be used ({first_line(error)})",
                "correct its chat_template.jinja",
            ) from error

    def _generate(
        self, prompts: list[list[int]], questions: list[Question]
    ) -> Iterator[Reply | Failure]:
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        model, tokenizer = self._load()
        ends = _end_tokens(model, tokenizer)
        padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else ends[0]
        longest = max(len(prompt) for prompt in prompts)
        seq2seq = model.config.is_encoder_decoder
        pads = [[padding] * (longest - len(prompt)) for prompt in prompts]
        ids = [p + pad if seq2seq else pad + p for p, pad in zip(prompts, pads, strict=True)]
        ones = [[1] * len(prompt) for prompt in prompts]
        zeros = [[0] * len(pad) for pad in pads]
        masks = [o + z if seq2seq else z + o for o, z in zip(ones, zeros, strict=True)]
        mask = torch.tensor(masks, device=model.device)
        inputs = {"input_ids": torch.tensor(ids, device=model.device), "attention_mask": mask}
        if not seq2seq:
            # Padding on the left must not shift positions, or it changes the text.
            inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
        processors = LogitsProcessorList()
        if vocabulary := self._vocabulary:
            grammars = [vocabulary.grammar(form_schema(question.task)) for question in questions]
            processors.append(vocabulary.follow(grammars))
        if self._options.temperature:
            seeds = [_seed(question) for question in questions]
            processors.append(_draws(seeds, self._options.temperature, self._options.top_p))
        settings = GenerationConfig(
            max_new_tokens=self._options.max_tokens,
            do_sample=False,
            num_beams=1,
            eos_token_id=ends,
            pad_token_id=padding,
            decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
        )
        with torch.inference_mode():
            written = model.generate(
                **inputs, generation_config=settings, logits_processor=processors
            )
        written = written[:, 1:] if seq2seq else written[:, longest:]
        for prompt, row, question in zip(prompts, written.tolist(), questions, strict=True):
            place = next((n for n, token in enumerate(row) if token in ends), None)
            said = row if place is None else row[:place]
            finish, tokens = "length" if place is None else "stop", (len(prompt), len(said))
            if vocabulary is None:
                text = tokenizer.decode(said, skip_special_tokens=True)
                yield Reply(text, finish, *tokens)
            else:
                yield _read_structured(vocabulary.text(said), question.task, finish, tokens)


def _read_folder(folder: Path, dtype: str) -> tuple[Any, Any, Collection[str]]:
    """Return model, tokenizer, and the names of weights that the files lack."""
    import torch
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
        AutoTokenizer,
    )

    with quiet_transformers():
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model, loading = kind.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            dtype=getattr(torch, dtype),
        )
    return model, tokenizer, loading["missing_keys"]


def fingerprint(folder: Path) -> str:
    """Return a hash of a model's weights, read at their ends, and of its small files."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix not in (".safetensors", ".json", ".jinja", ".model"):
            continue
        size = file.stat().st_size
        digest.update(f"{file.name} {size}".encode())
        with file.open("rb") as content:
            digest.update(content.read(1 << 20))
            content.seek(max(0, size - (1 << 20)))
            digest.update(content.read())
    return digest.hexdigest()[:16]


def _folder(name: str, options: LocalOptions) -> Path:
    if Path(options.model).is_dir():
        folder = Path(options.model)
    else:
        from huggingface_hub import snapshot_download

        try:
            found = snapshot_download(
                options.model,
                revision=options.revision,
                local_files_only=not options.download,
                allow_patterns=_FILES,
                ignore_patterns=["consolidated*", "original/*"],  # the same weights once more
            )
        except Exception as error:
            raise ValueError(
                f"model {options.model} of text generator {name} is not on this machine: fetch it "
                f"with `hf download {options.model}`, set download: true, or name a folder"
            ) from error
        folder = Path(found)
    if not list(folder.glob("*.safetensors")):
        raise ValueError(
            f"model {options.model} of text generator {name} has no *.safetensors: convert its "
            "weights, other formats can run code and are not read"
        )
    return folder


def _in_form(question: Question) -> list[Message]:
    """Return the messages of a question that ask for its form, which a system's message does."""
    first, *others = question.messages
    if first["role"] != "system":
        first, others = {"role": "system", "content": ""}, question.messages
    words = f"{first['content']}\n{form_instruction(question.task)}".strip()
    return [{"role": "system", "content": words}, *others]


def _read_structured(text: str, task: str, finish: str, tokens: tuple[int, int]) -> Reply | Failure:
    try:
        return Reply(read_form(text, task), "stop", *tokens)
    except MisfitError as error:
        if finish == "length":
            return Reply(text, finish, *tokens)
        return Failure(f"{error}: {text[:60]!r}", of_question=True)


def _encode(tokenizer: Any, messages: list[Message], apart: bool) -> list[int]:
    """Return the ids of a prompt, through the chat template where the tokenizer has one.

    A template writes its marks itself. Without one the tokenizer's stand around the text; those
    after it only where an encoder reads it, since a causal model goes on behind them.
    """
    from kd_kedro.models.literal_chat import PromptRefusedError, chat_ids
    from kd_kedro.models.marks import literal_ids, marks

    merged = [{"role": "user", "content": "\n".join(m["content"] for m in messages)}]
    if not tokenizer.chat_template:
        (ids,) = literal_ids(tokenizer, [merged[0]["content"]], marked=True)
        after = () if apart else marks(tokenizer)[1]
        return ids[: len(ids) - len(after)]
    try:
        return chat_ids(tokenizer, [messages])[0]
    except PromptRefusedError:
        # Some templates know no system role, or leave it out.
        return chat_ids(tokenizer, [merged])[0]


def _context(model: Any, tokenizer: Any) -> int:
    """Return how many tokens a model can read."""
    known = [
        getattr(model.config, field, None)
        for field in ("max_position_embeddings", "n_positions", "n_ctx")
    ]
    known.append(tokenizer.model_max_length)
    return min((int(size) for size in known if size and size < 10_000_000), default=512)


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return the ids of the tokens that end a reply."""
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return list(dict.fromkeys(t for t in [*ends, tokenizer.eos_token_id] if t is not None))


def _seed(question: Question) -> int:
    key = f"{question.seed}\x1f{question.messages}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:7], "big")


def _draws(seeds: list[int], temperature: float, top_p: float) -> Any:
    """Return a logits processor after which the greedy choice is a sample of each row's own.

    The largest of logits plus Gumbel noise is a draw from their softmax (Gumbel 1954; Maddison,
    Tarlow and Minka, "A* Sampling", 2014).
    """
    import torch
    from transformers import LogitsProcessor, TopPLogitsWarper

    sources = [torch.Generator().manual_seed(seed) for seed in seeds]
    nucleus = TopPLogitsWarper(top_p) if top_p < 1 else None

    class Draws(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            scores = scores.float() / temperature
            scores = nucleus(input_ids, scores) if nucleus else scores
            uniform = torch.stack(
                [torch.rand(scores.shape[-1], generator=source) for source in sources]
            ).to(scores.device)
            return scores - torch.log(-torch.log(uniform.clamp(1e-10, 1 - 1e-7)))

    return Draws()
