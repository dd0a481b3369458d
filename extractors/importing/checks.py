"""All that can be wrong with a folder of vectors, found before anything is stored."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from extractors.decode import open_source
from extractors.errors import InputError
from extractors.importing.arrays import ArrayError, check_array
from extractors.importing.comparing import one_for_each_key, other_numbers, recomputed
from extractors.importing.found import FoundVector, find_vectors
from extractors.importing.matching import ClipNames, Match
from extractors.importing.plan import Item, Plan
from extractors.importing.scores import scores_in
from extractors.importing.vectors import PUBLISHED_DIMS, short_name
from extractors.keys import embedding_key
from extractors.store import EmbeddingStore
from extractors.types import Clip, Extractor

log = logging.getLogger(__name__)

SHOWN_ALIKE = 3  # files of one fault that get a line of their own

Unmatched = Literal["refuse", "skip"]


def check_folder(
    folder: Path,
    clips: Sequence[Clip],
    extractor: Extractor,
    store: EmbeddingStore,
    *,
    match: Match,
    unmatched: Unmatched,
    scores: bool,
    recompute: int,
    workers: int | None,
    seen: Callable[[int], None] = lambda done: None,
) -> Plan:
    """What `import_folder` will store. Raises InputError with every problem:

    a file that is no float array of the extractor's width, or not finite · a pickle · a vector of no clip, or of one of
    several · a description that names another model · scores that are none, or of other classes · audio that cannot
    be read · two files of one content with different numbers, or numbers other than those in the store
    """
    if unmatched not in get_args(Unmatched):
        raise InputError(f"unmatched: expected refuse or skip, got {unmatched!r}")
    names = ClipNames(clips, match)
    found, problems = find_vectors(folder)
    hints: list[str] = []
    misshapen: list[tuple[FoundVector, str, ArrayError]] = []
    strangers = 0
    items: list[Item] = []
    for done, vector in enumerate(found):
        where = str(vector.path.relative_to(folder))
        try:
            clip = names.find(vector)
            if clip is None:
                strangers += 1
                if unmatched == "skip":
                    continue
                problems.append(f"{where}: no clip is called {' or '.join(map(repr, vector.names))}")
                hints.append("unmatched=skip leaves vectors of no clip.")
        except ValueError as error:
            clip = None
            problems.append(f"{where}: {error}")
        rows = 0
        try:
            rows = check_array(vector.path, extractor.dim)
        except ArrayError as error:
            misshapen.append((vector, where, error))
        own = None
        try:
            own = scores_in(vector.result) if scores else None
        except ValueError as error:
            problems.append(f"{where}: {error}")
            hints.append("scores=false leaves the scores.")
        if clip is not None:
            items.append(Item(vector, clip, rows, own))
        seen(done + 1)
    shapes = _shapes(misshapen)
    problems += shapes
    problems += _other_models(items, extractor)
    items, wrong = _with_one_order(items, _table_labels(store, extractor))
    problems += wrong
    if not items and not problems:
        problems.append(f"none of its {len(found):,} vectors is of a clip of the manifest")
    items = _with_keys(items, clips, extractor, problems, workers)
    if not misshapen:  # else there are no numbers to compare
        items = one_for_each_key(items, clips, problems)
        problems += other_numbers(items, clips, store)
        problems += recomputed(items, clips, extractor, recompute)
    if problems:
        hints += _width_hint({error.width for _, _, error in misshapen})
        hints += _frames_hint([(vector, error) for vector, _, error in misshapen])
        count = len(problems) - len(shapes) + len(misshapen)
        summary = f"import: {folder}: {count:,} problem{'s' * (count > 1)}; nothing was stored"
        raise InputError(summary, problems, "\n".join(dict.fromkeys(hints)) or None)
    return Plan(_with_single_frames(items), strangers)


def _other_models(items: Sequence[Item], extractor: Extractor) -> list[str]:
    """Where a description says which model it was, it must be the one named."""
    expected = short_name(str(extractor.describe().get("model") or extractor.name))
    said: defaultdict[str, int] = defaultdict(int)
    for item in items:
        model = item.vector.result.get("model")
        if isinstance(model, str) and short_name(model).casefold() != expected.casefold():
            said[short_name(model)] += 1
    return [f"{count:,} vectors are said to be of {model}, not of {expected}" for model, count in said.items()]


def _table_labels(store: EmbeddingStore, extractor: Extractor) -> tuple[str, ...] | None:
    """The labels that rows of this extractor have in the store; None where there are no rows yet."""
    table = next((t for t in store.tables() if t.fingerprint == extractor.fingerprint), None)
    return None if table is None else table.labels


def _with_one_order(items: list[Item], stored: tuple[str, ...] | None) -> tuple[list[Item], list[str]]:
    """Scores in one order of labels: the store's, else that of the first. Problems where the classes are others."""
    labels = next((item.scores.labels for item in items if item.scores), ()) if stored is None else stored
    if stored == () and any(item.scores for item in items):
        log.warning("The vectors in the store came without scores: scores are left out.")
        return [replace(item, scores=None) for item in items], []
    problems, ordered = [], []
    for item in items:
        if item.scores is None:
            ordered.append(item)
        elif set(item.scores.labels) == set(labels):
            ordered.append(replace(item, scores=item.scores.ordered(labels)))
        else:
            got = f"{', '.join(item.scores.labels)}; expected {', '.join(labels)}"
            problems.append(f"{item.vector.path.name}: scores of other classes: {got}")
            ordered.append(replace(item, scores=None))
    return ordered, problems


def _with_single_frames(items: list[Item]) -> list[Item]:
    """(1, dim) is the frame of a clip of 25 to 44 ms where the description says so, or, as FunASR writes none, where
    others of the folder have several frames."""
    frames = any(item.rows > 1 for item in items)
    return [
        replace(item, one_frame=item.vector.result.get("granularity", "frame" if frames else "") == "frame")
        if item.rows == 1
        else item
        for item in items
    ]


def _with_keys(
    items: list[Item], clips: Sequence[Clip], extractor: Extractor, problems: list[str], workers: int | None
) -> list[Item]:
    keyed = []
    with open_source("speech", workers) as source:
        contents = source.contents(clips[item.clip] for item in items)
        for item, (clip, content) in zip(items, contents, strict=True):
            if isinstance(content, str):
                key = embedding_key(content, clip.start, clip.end, extractor.fingerprint)
                keyed.append(replace(item, key=key))
            else:
                reason = getattr(content, "reason", None) or content
                problems.append(f"clip {clip.id!r}: {clip.audio}: {reason}")
    return keyed


def _shapes(misshapen: Sequence[tuple[FoundVector, str, ArrayError]]) -> list[str]:
    """A line for each file; of many files with the same fault one line."""
    alike: defaultdict[object, list[str]] = defaultdict(list)
    for _, where, error in misshapen:
        alike[str(error) if error.width is None else error.width].append(f"{where}: {error}")
    lines = []
    for found in alike.values():
        rest = len(found) - SHOWN_ALIKE
        lines += found if rest < 2 else [*found[:SHOWN_ALIKE], f"{rest:,} more files have the same fault"]
    return lines


def _frames_hint(misshapen: Sequence[tuple[FoundVector, ArrayError]]) -> list[str]:
    """Where the files are said to be frames of a model whose vectors have another width than its frames."""
    for vector, error in misshapen:
        described = vector.result.get("extractor")
        dim = described.get("dim") if isinstance(described, Mapping) else None
        if vector.result.get("granularity") == "frame" and isinstance(dim, int) and error.width not in (None, dim):
            return [
                f"They are frames of {error.width} values, and vectors of that model have {dim}: no vector can be made of "
                "them. Export again with granularity=utterance, and import that."
            ]
    return []


def _width_hint(widths: set[int | None]) -> list[str]:
    if len(widths) != 1 or None in widths:
        return []
    (width,) = widths
    like = [model for model, dim in PUBLISHED_DIMS.items() if dim == width]
    return [f"All of them have {width} values" + (f", as those of {' and '.join(like)} have." if like else ".")]
