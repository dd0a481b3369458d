"""One batch through an extractor, such that one bad clip fails alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from extractors.errors import InputError, MissingExtraError
from extractors.rows import check_shapes, frames_dim
from extractors.types import Embedding, Extractor

log = logging.getLogger(__name__)


class Embedder:
    """Calls the extractor, checks what it says, and finds the clips that it cannot take.

    `seconds` is the time spent inside `extractor.extract`. `on_out_of_memory` is called before a batch that did not
    fit is tried again in halves.
    """

    def __init__(self, extractor: Extractor, *, frames: bool, on_out_of_memory: Callable[[], None]) -> None:
        self._extractor, self._frames, self._on_out_of_memory = extractor, frames, on_out_of_memory
        self.seconds = 0.0

    def __call__(self, payloads: Sequence[Any]) -> list[Embedding | Exception]:
        """An embedding, or the reason why not, for each payload, in order. A batch that raises is tried in halves."""
        answer = self._extract(payloads)
        if not isinstance(answer, Exception):
            return [self._checked(embedding) for embedding in answer]
        if len(payloads) == 1:
            return [answer]
        if is_out_of_memory(answer):
            log.warning("%d clips at once do not fit into memory; from here on half as many", len(payloads))
            self._on_out_of_memory()
        half = len(payloads) // 2
        return self(payloads[:half]) + self(payloads[half:])

    def _extract(self, payloads: Sequence[Any]) -> list[Embedding] | Exception:
        began = time.perf_counter()
        try:
            answer = self._extractor.extract(payloads, frames=self._frames)
            if len(answer) != len(payloads):
                raise ValueError(f"{self._extractor.name} gave {len(answer)} embeddings for {len(payloads)} clips")
        except MissingExtraError:
            raise
        except Exception as error:
            log.debug("%s failed on a batch of %d", self._extractor.name, len(payloads), exc_info=True)
            return error.with_traceback(None)  # which would keep the memory of the batch alive
        finally:
            self.seconds += time.perf_counter() - began
        return answer

    def _checked(self, embedding: Embedding) -> Embedding | Exception:
        if self._frames and embedding.frames is None:
            raise InputError(
                f"{self._extractor.name} gives no frames", hint="Set frames=false, or use another encoder."
            )
        try:
            check_shapes(embedding, self._extractor.dim, frames_dim(self._extractor))
        except ValueError as error:
            return error
        return embedding if self._frames or embedding.frames is None else replace(embedding, frames=None)


def is_out_of_memory(error: Exception) -> bool:
    """Of the host, or of a GPU, as torch says it.

    >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"))
    True
    """
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()
