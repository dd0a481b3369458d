"""Texts to vectors with sentence-transformers: exact whatever shares a batch, nothing cut off, no foreign code."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from extractors.errors import InputError
from extractors.fingerprint import fingerprint
from extractors.long_texts import split_text
from extractors.text_models import resolve_text_model
from extractors.types import Embedding, Float32

log = logging.getLogger(__name__)

VERSION = 1  # raise it with every change here that changes a number
SPARE = 4  # tokens; a part cut out of a text may break into a few more than it had inside
LONGEST = 1_000_000  # tokens; tokenizers without a limit state larger numbers than this


class SentenceTransformerExtractor:
    """Texts to (dim,) float32 with any sentence-transformers model, by name or folder.

    A vector equals `SentenceTransformer(model).encode(text)`, whatever else is in the batch (to 1e-5). Texts are brought
    to Unicode NFC first. A text longer than the model reads (`max_seq_length` tokens, 256 for all-MiniLM-L6-v2) is not
    cut off: it is split between words, its parts are encoded and their vectors averaged by their tokens, then scaled to
    unit length again where the model does so; the log says how many texts that were.

    With `frames=True`, `.frames` is (tokens, width): the model's token vectors, without padding, with the special tokens
    and the prompt that the model puts around a text (as `encode(output_value="token_embeddings")`); the parts of a long
    text one after another. `width` is that of the transformer, `frames_dim`, which in a few models is not `dim`.

    `prompt` is put before every text ("query: " for e5 models); None takes the model's own default, if it has one.
    `normalize` scales vectors to unit length where the model does not itself. `device`: "auto", "cpu", "cuda", "cuda:1".
    `batch_tokens` bounds the tokens of a batch, padding included; it does not change the numbers.
    `offline` and where the model is looked for: `extractors.text_models.resolve_text_model`.

    Nothing of a model's own code is run and only safetensors are read. Raises InputError where the model cannot be
    found or loaded.

    >>> extractor = SentenceTransformerExtractor(device="cpu")
    >>> calm, same = extractor.extract(["It is all right.", "It is all right."], frames=True)
    >>> calm.vector.shape, calm.frames.shape, bool((calm.vector == same.vector).all())
    ((384,), (7, 384), True)
    """

    modality: Literal["text"] = "text"
    frame_rate: float | None = None  # frames are tokens

    def __init__(
        self,
        *,
        model: str | Path = "all-MiniLM-L6-v2",
        prompt: str | None = None,
        normalize: bool = False,
        offline: bool | None = None,
        device: str = "auto",
        batch_tokens: int = 8_192,
    ) -> None:
        if batch_tokens < 1:
            raise InputError(f"text: expected batch_tokens of at least 1, got {batch_tokens}")
        self.folder = resolve_text_model(model, offline=offline)
        from extractors.text_loading import load_sentence_transformer

        self.model = load_sentence_transformer(self.folder.path, device=device)
        default = self.model.prompts.get(self.model.default_prompt_name or "", "")
        self.prompt = (default or "") if prompt is None else prompt
        self.normalize, self.batch_tokens = normalize, batch_tokens
        limit = self.model.max_seq_length
        self.max_seq_length = int(limit) if limit and limit < LONGEST else None
        self._fast = bool(getattr(self.model.tokenizer, "is_fast", False))
        self.dim = int(self._encode([("a", 1)])[0].vector.shape[0])

    @property
    def name(self) -> str:
        return self.folder.model_id.rpartition("/")[2]

    @property
    def fingerprint(self) -> str:
        """Digest of all that changes the numbers. The weights stand for the model: a copy under another name or in
        another place makes the same vectors under the same key."""
        return fingerprint(self._settings())

    def _settings(self) -> dict[str, Any]:
        return {
            "extractor": "sentence-transformers",
            "version": VERSION,
            "weight_hash": self.folder.weight_hash,
            "modules": self._modules(),
            "max_seq_length": self.max_seq_length,
            "prompt": self.prompt,
            "normalize": self.normalize,
            "unicode": "NFC",
        }

    def _modules(self) -> list[str]:
        """Kinds of modules, and how the pooling pools: the weights do not say."""
        kinds = [type(module).__name__ for module in self.model]
        modes = [getattr(module, "pooling_mode", "") for module in self.model]
        return [f"{kind} {mode}".strip() for kind, mode in zip(kinds, modes, strict=True)]

    @cached_property
    def frames_dim(self) -> int:
        """Width of the tokens' vectors, in a few models not `dim`; `dim` for a model that has none."""
        try:
            [embedding] = self._encode([("a", 1)], frames=True)
        except InputError:
            return self.dim
        return self.dim if embedding.frames is None else int(embedding.frames.shape[1])

    def describe(self) -> dict[str, Any]:
        """What the fingerprint covers and what a reader wants to know, JSON-able."""
        known = {"name": self.name, "modality": self.modality, "dim": self.dim, "model_id": self.folder.model_id}
        return {**known, "source": self.folder.source, **self._settings()}

    def extract(self, clips: Sequence[str], *, frames: bool = False) -> list[Embedding]:
        """One embedding per text, in order. Raises InputError that lists every entry that is no text, or empty."""
        problems = [f"text {i}: {problem}" for i, text in enumerate(clips) if (problem := _problem(text))]
        if problems:
            raise InputError("expected texts of at least one visible character", problems)
        texts = [unicodedata.normalize("NFC", text).strip() for text in clips]
        lengths = self._count_tokens(texts)
        parts: list[tuple[str, int]] = []
        owners: list[slice] = []
        for text, length in zip(texts, lengths, strict=True):
            found = [(text, length)]
            if self._fast and self.max_seq_length and length > self.max_seq_length:
                found = self._split(text)
            owners.append(slice(len(parts), len(parts) + len(found)))
            parts += found
        long = sum(length > (self.max_seq_length or LONGEST) for length in lengths)
        if long and self._fast:
            log.info(
                "%d of %d texts are longer than %s tokens: encoded in parts", long, len(texts), self.max_seq_length
            )
        elif long:
            log.warning("%d of %d texts were cut off after %s tokens", long, len(texts), self.max_seq_length)
        encoded = self._encode(parts, frames=frames)
        return [self._merge(encoded[owner], [tokens for _, tokens in parts[owner]]) for owner in owners]

    def _count_tokens(self, texts: list[str]) -> list[int]:
        """Tokens of each text with prompt and special tokens; a rough guess for tokenizers that are not transformers'."""
        if not self._fast or not texts:
            return [len(self.prompt + text) // 4 + 2 for text in texts]
        prompted = [self.prompt + text for text in texts]
        found = self.model.tokenizer(prompted, truncation=False, padding=False, verbose=False, return_length=True)
        return [int(length) for length in found["length"]]

    def _split(self, text: str) -> list[tuple[str, int]]:
        assert self.max_seq_length is not None
        around = self._count_tokens([""])[0] + SPARE
        room = max(self.max_seq_length - around, 1)
        found = self.model.tokenizer(
            text,
            add_special_tokens=False,
            truncation=False,
            verbose=False,
            return_offsets_mapping=True,
        )
        return split_text(text, found["offset_mapping"], room)

    def _encode(self, parts: list[tuple[str, int]], *, frames: bool = False) -> list[Embedding]:
        done: dict[int, Embedding] = {}
        for batch in self._batches([tokens for _, tokens in parts]):
            for position, embedding in zip(batch, self._run([parts[i][0] for i in batch], frames), strict=True):
                done[position] = embedding
        return [done[position] for position in range(len(parts))]

    def _batches(self, lengths: list[int]) -> Iterator[list[int]]:
        """Positions, longest first, in batches whose padded size stays within `batch_tokens`."""
        batch: list[int] = []
        longest = 1
        for position in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
            if batch and (len(batch) + 1) * longest > self.batch_tokens:
                yield batch
                batch = []
            longest = lengths[position] if not batch else longest
            batch.append(position)
        if batch:
            yield batch

    def _run(self, texts: list[str], frames: bool) -> list[Embedding]:
        how: dict[str, Any] = {"prompt": self.prompt, "batch_size": len(texts), "show_progress_bar": False}
        if not frames:
            vectors = self.model.encode(texts, normalize_embeddings=self.normalize, **how)
            return [Embedding(vector=vector) for vector in np.asarray(vectors, np.float32)]
        found = self.model.encode(texts, output_value=None, **how)
        if "token_embeddings" not in found[0]:
            raise InputError(f"{self.name} gives no token vectors, so there are no sequences")
        answers = []
        for one in found:
            vector = one["sentence_embedding"].float().cpu().numpy()
            tokens = one["token_embeddings"][one["attention_mask"].bool()].float().cpu().numpy()
            answers.append(Embedding(vector=_unit(vector) if self.normalize else vector, frames=tokens))
        return answers

    def _merge(self, parts: list[Embedding], tokens: list[int]) -> Embedding:
        if len(parts) == 1:
            return parts[0]
        vectors = np.stack([part.vector for part in parts])
        vector = np.average(vectors, axis=0, weights=tokens).astype(np.float32)
        if np.allclose(
            np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3
        ):  # the model, or `normalize`, makes unit vectors
            vector = _unit(vector)
        sequences = [part.frames for part in parts if part.frames is not None]
        return Embedding(vector=vector, frames=np.concatenate(sequences) if sequences else None)


def _unit(vector: Float32) -> Float32:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _problem(text: Any) -> str | None:
    if not isinstance(text, str):
        return f"{type(text).__name__} {text!r:.40}"
    return None if any(character.isprintable() and not character.isspace() for character in text) else "empty"
