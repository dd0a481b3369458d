"""A folder of vectors into the store: looked at as a whole first, and stored only if all of it is in order."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from extractors.importing.arrays import read_embedding
from extractors.importing.checks import Unmatched, check_folder
from extractors.importing.matching import Match, content_of
from extractors.importing.plan import Item, Plan
from extractors.progress import ProgressReport
from extractors.store import EmbeddingStore
from extractors.types import Clip, Embedding, Extractor

log = logging.getLogger(__name__)

BATCH_ROWS = 4096  # of one commit …
BATCH_BYTES = 64 * 2**20  # … or fewer, once their frames are as much


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of a folder. Counts are vectors, but for `missing`.

    new       : contents stored now; copies of one content count once
    known     : contents that the store has already, with the same numbers
    unmatched : left where they are, for no clip is called so
    missing   : clips with audio that the folder has nothing of
    """

    extractor: str
    folder: Path
    new: int
    known: int
    unmatched: int
    missing: int

    def __str__(self) -> str:
        """
        >>> print(ImportSummary("imported_emotion2vec_plus_large", Path("out"), 1200, 3, 0, 2))
        imported_emotion2vec_plus_large: 1,200 new, 3 known already, from out; clips without a vector there: 2
        """
        text = f"{self.extractor}: {self.new:,} new, {self.known:,} known already, from {self.folder}"
        text += f"; files of no clip: {self.unmatched:,}" if self.unmatched else ""
        return text + (f"; clips without a vector there: {self.missing:,}" if self.missing else "")


def import_folder(
    folder: str | os.PathLike[str],
    clips: Sequence[Clip],
    extractor: Extractor,
    store: EmbeddingStore,
    *,
    match: Match = "auto",
    unmatched: Unmatched = "refuse",
    scores: bool = True,
    recompute: int = 0,
    workers: int | None = None,
    progress: bool = True,
) -> ImportSummary:
    """Store the vectors of `folder` (FunASR's `output_dir`, the WebUI's folders, `export=npy` and `webui`) for `clips`.

    Each goes under the key that extraction with `extractor` would give its clip: the audio's content, the span, the
    extractor's fingerprint. (dim,) and (1, dim) are vectors; (frames, dim) is kept, and its mean is the vector.
    Scores go along where there are some. Every file is checked before the first is stored (see `check_folder`).

    extractor : an `ImportedVectors`; or the model itself, where the vectors are known to be of its very weights and
        settings: they are then taken for computed ones, and `recompute` clips are computed to see whether they are
    match     : what a KEY is, see `ClipNames`
    unmatched : a vector of no clip: "refuse" all, or "skip" it
    scores    : False leaves them
    workers   : threads that read audio, whose bytes are the key

    Raises InputError with every problem, and then nothing was stored; StoreError where the disk refuses.

    >>> import tempfile, numpy as np, soundfile
    >>> from extractors.importing.vectors import ImportedVectors
    >>> with tempfile.TemporaryDirectory() as place:
    ...     soundfile.write(f"{place}/a.wav", np.zeros(16_000), 16_000)
    ...     np.save(f"{place}/a.npy", np.ones((50, 4), np.float16))
    ...     store, extractor = EmbeddingStore(f"{place}/store"), ImportedVectors(model="mine", dim=4)
    ...     import_folder(place, [Clip("a", Path(place) / "a.wav")], extractor, store).new
    1
    """
    folder = Path(folder).expanduser()
    with ProgressReport(extractor.name, total=None, unit="files", shown=progress) as report:
        plan = check_folder(
            folder,
            clips,
            extractor,
            store,
            match=match,
            unmatched=unmatched,
            scores=scores,
            recompute=recompute,
            workers=workers,
            seen=report.show,
        )
    new = 0
    for items in _batches(plan):
        new += store.put(extractor, [item.key for item in items], [_embedding(item) for item in items])
    store.compact()
    matched = {item.clip for item in plan.items}
    return ImportSummary(
        extractor=extractor.name,
        folder=folder,
        new=new,
        known=len(plan.items) - new,
        unmatched=plan.unmatched,
        missing=len(
            {content_of(clip) for clip in clips if clip.audio is not None} - {content_of(clips[i]) for i in matched}
        ),
    )


def _embedding(item: Item) -> Embedding:
    embedding = read_embedding(item.vector.path, one_frame=item.one_frame)
    if item.scores is None:
        return embedding
    return replace(embedding, scores=item.scores.values, labels=item.scores.labels)


def _batches(plan: Plan) -> Iterator[list[Item]]:
    """With scores first: the store's table takes the labels from its first rows."""
    batch: list[Item] = []
    size = 0
    for item in sorted(plan.items, key=lambda item: item.scores is None):
        batch.append(item)
        size += item.vector.path.stat().st_size
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
