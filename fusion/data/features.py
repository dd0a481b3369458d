"""Vectors that somebody else computed, from an .npz of plain arrays, as the table that everything downstream sees."""

from __future__ import annotations

import difflib
import logging
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extractors.errors import InputError
from extractors.types import MODALITIES, Modality
from fusion.data.label_arrays import LabelNames as LabelNames
from fusion.data.label_arrays import are_shares, read_shares
from fusion.data.labels import Labels, encode_labels, label_problems, soft_targets, tell_of_distributions
from fusion.data.manifest_checks import PARTS
from fusion.data.problems import Numbering, Problems
from fusion.data.raw_table import row_numbers
from fusion.data.soft_labels import LabelColumn
from fusion.data.table import FeatureTable

log = logging.getLogger(__name__)

WORDS = ("label", "speaker", "transcript", "split", "group", "id")  # one entry a row
NAMES = "label_names"  # one entry a column of `label`
ROLES = (*MODALITIES, *WORDS, NAMES)
COLUMN = {"transcript": "text"}  # role -> column of `FeatureTable.rows`, where they differ

EXPECTED = "Expected an .npz of several arrays, as numpy.savez writes it."


def load_features(
    path: str | os.PathLike[str],
    *,
    arrays: Mapping[str, str | None] | None = None,
    label_names: LabelNames | None = None,
    labels: Sequence[str] | None = None,
    require_label: bool = True,
) -> FeatureTable:
    """Read an .npz. No extractor is involved, and nothing in the file can run code.

    Arrays: `speech` (rows, dim) and `text` (rows, dim), either may be missing; `label` (rows,) text or whole numbers,
    or (rows, classes) weights or counts of votes, all NaN where there is no label, with the classes' names as
    `label_names` (classes,) or by that argument; optional `speaker`, `transcript`, `split` (train, val, test), `group`,
    `id`, each (rows,). A row whose vector is all NaN has no such modality; a vector that is NaN or infinite in part is a
    problem.

    Args:
        path: the file.
        arrays: where an array goes by another name in the file: `{"speech": "feat_audio"}`; None: not to be used.
        label_names: names for labels that are numbers, or columns: `["negative", "positive"]` for 0 and 1, or a mapping.
        labels: the order of the classes; by default `label_names`' order, else numbers by size, else names sorted.
        require_label: False where labels are not needed, as for prediction.

    Returns:
        A table of float32 vectors, not standardised: that is done on the training rows of each fold.

    Raises:
        InputError: everything that is wrong with the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/x.npz", text=np.ones((4, 3)), label=[1, 0, 1, 0], speaker=["a", "a", "b", "c"])
    ...     table = load_features(f"{folder}/x.npz", label_names=["calm", "angry"])
    >>> table.dims, table.labels, table.targets
    ({'text': 3}, ('calm', 'angry'), array([1, 0, 1, 0]))
    """
    path = Path(path)
    problems = Problems()
    found, unused = _read_arrays(path, dict(arrays or {}), problems)
    stored = found.pop(NAMES, None)
    features, present = _modalities(found, problems)
    soft = are_shares(found.get("label"))
    rows = _rows({role: array for role, array in found.items() if not (soft and role == "label")}, problems)
    lengths = {role: len(array) for role, array in found.items() if array.ndim}
    if len(set(lengths.values())) > 1:
        shapes = ", ".join(f"{role} {found[role].shape}" for role in lengths)
        problems.of_file.append(f"the arrays disagree on the number of rows: {shapes}")
        _raise(path, problems, max(lengths.values()))
    count = next(iter(lengths.values()), 0)
    if not features:
        problems.of_file.append("neither `speech` nor `text` can be used; expected one or both of shape (rows, dim)")
    elif not count:
        problems.of_file.append("no rows")
    else:
        problems.add_rows("neither speech nor text", ~np.any(list(present.values()), axis=0))
    names: Labels
    order: list[str] | None
    if soft:
        given = label_names if label_names is not None else stored
        names, order = read_shares(found["label"], given, problems, require_label=require_label)
    else:
        names, order = _label_names(found.get("label"), rows, count, label_names, problems, require_label=require_label)
        unused += [NAMES] if stored is not None else []
    if problems.count:
        _raise(path, problems, count)
    if unused:
        log.info("%s: not used: %s", path.name, ", ".join(unused))
    targets, ordered = encode_labels(names, labels if labels is not None else order)
    tell_of_distributions(names, path.name)
    if isinstance(names, LabelColumn):
        words = pd.Series([None if target < 0 else ordered[target] for target in targets], dtype=object)
    else:
        words = names
    frame = _row_frame(rows, words, count)
    return FeatureTable(features, present, targets, ordered, frame, soft=soft_targets(names, ordered))


def _read_arrays(
    path: Path, arrays: dict[str, str | None], problems: Problems
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Role -> array, and the names of arrays that nothing here reads."""
    if not path.is_file():
        raise InputError(f"no such file: {path}", hint=EXPECTED)
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            single = file.read(6) == b"\x93NUMPY"
        raise InputError(f"{path} {'holds a single array' if single else 'cannot be read: no .npz'}", hint=EXPECTED)
    found: dict[str, NDArray[Any]] = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            there = list(archive.files)
            arrays = {role: name for role, name in arrays.items() if name != role}
            source = {role: name for role in ROLES if (name := arrays.get(role, role)) is not None}
            claimed = set(arrays.values())
            for role in arrays:
                if role not in ROLES:
                    problems.of_file.append(f"arrays: {role!r} is none of {', '.join(ROLES)}")
            for role, name in source.items():
                if name not in there and role in arrays:
                    problems.of_file.append(f"arrays: {role} is to be {name!r}, and there is no such array")
                if name not in there or (name in claimed and role not in arrays):
                    continue
                try:
                    found[role] = archive[name]
                except ValueError as error:  # of objects: numpy would have to unpickle them, and a pickle can run code
                    if "Object arrays" not in str(error):
                        raise
                    problems.of_file.append(
                        f"array {name!r} holds Python objects, which are not read because they can run code; "
                        f"save it as text or numbers: {name}=np.array({name}.tolist())"
                    )
                    found[role] = np.empty(())  # there, and of no use
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read: {reason}", hint=EXPECTED) from error
    unused = [
        name for name in there if name not in source.values() or (name in claimed and name not in arrays.values())
    ]
    missing = [role for role in source if role not in found and role != NAMES]
    for name in unused:
        for near in difflib.get_close_matches(name.lower(), missing, n=1, cutoff=0.8):  # "speakers"
            problems.of_file.append(
                f"array {name!r} is not used; did you mean {near!r}? Say so (arrays: {{{near}: {name}}}) or take it out"
            )
    return found, unused


def _modalities(
    found: dict[str, NDArray[Any]], problems: Problems
) -> tuple[dict[Modality, NDArray[np.float32]], dict[Modality, NDArray[np.bool_]]]:
    """Vectors, zeros where absent, and which rows are there."""
    features: dict[Modality, NDArray[np.float32]] = {}
    present: dict[Modality, NDArray[np.bool_]] = {}
    for modality in MODALITIES:
        if modality not in found or (array := found[modality]).shape == ():
            continue
        if array.dtype.kind not in "fiub" or array.ndim != 2 or not array.shape[1]:
            hint = "; pool over the frames, for instance array.mean(axis=1)" if array.ndim == 3 else ""
            hint = "; if these are the words, say arrays: {transcript: text}" if array.dtype.kind in "US" else hint
            problems.of_file.append(
                f"`{modality}`: expected numbers of shape (rows, dim), got {array.dtype} {array.shape}{hint}"
            )
            continue
        with np.errstate(over="ignore"):
            values = array.astype(np.float32)
        absent: NDArray[np.bool_] = np.asarray(np.isnan(values).all(axis=1))  # (rows,)
        broken = np.asarray(~np.isfinite(values).all(axis=1)) & ~absent
        problems.add_rows(f"`{modality}` holds NaN, or values beyond float32, in part of its vector", broken)
        if absent.all() and len(absent):
            problems.of_file.append(f"`{modality}`: every vector is NaN; leave the array out")
            continue
        if zeros := int((values == 0).all(axis=1).sum()):
            log.warning("%d rows of `%s` are all zeros. Where there was nothing, NaN says so.", zeros, modality)
        features[modality] = np.where(absent[:, None], np.float32(0), values)
        present[modality] = ~absent
    return features, present


def _rows(found: dict[str, NDArray[Any]], problems: Problems) -> dict[str, pd.Series]:
    """Role -> (rows,) text; missing where it is empty. Whole numbers become their digits."""
    rows = {}
    for role in WORDS:
        if role not in found or (array := found[role]).shape == ():
            continue
        if array.ndim != 1 or array.dtype.kind not in "USiub":
            hint = "; take the class of each, for instance (label > 0).astype(int)" if array.dtype.kind == "f" else ""
            problems.of_file.append(
                f"`{role}`: expected text or whole numbers of shape (rows,), got {array.dtype} {array.shape}{hint}"
            )
            continue
        if array.dtype.kind == "S":
            array = np.char.decode(array, "utf-8", "replace")
        elif array.dtype.kind == "b":
            array = array.astype(int)
        values = pd.Series(array.astype(str), dtype="str")
        stripped = values.str.strip()
        rows[role] = (values if role == "transcript" else stripped).mask(stripped == "")
    if "split" in rows:
        parts = rows["split"].str.lower().map(PARTS).astype("str")
        wrong = (rows["split"].notna() & parts.isna()).to_numpy()
        problems.add_rows("split is not train, val or test", wrong)
        rows["split"] = parts
    if "id" in rows:
        problems.add_rows("no id", rows["id"].isna().to_numpy())
        problems.add_rows("the id of another row", (rows["id"].duplicated() & rows["id"].notna()).to_numpy())
    return rows


def _label_names(
    array: NDArray[Any] | None,
    rows: dict[str, pd.Series],
    count: int,
    label_names: LabelNames | None,
    problems: Problems,
    *,
    require_label: bool,
) -> tuple[pd.Series, list[str] | None]:
    """(rows,) names of the labels, and the order they should stand in; None: sorted."""
    if array is None or "label" not in rows:
        if require_label and array is None:
            problems.of_file.append("no array `label`")
        return pd.Series(pd.array([None] * count, dtype="str")), None
    names, order = rows["label"], None
    numbers = array.dtype.kind in "iub"
    if label_names is not None:
        mapping = label_names if isinstance(label_names, Mapping) else dict(enumerate(label_names))
        named = {str(value): str(name) for value, name in mapping.items()}
        unnamed = sorted(set(names.dropna().unique()) - set(named))
        if unnamed:
            problems.of_file.append(f"label_names has no name for {', '.join(unnamed)}")
        names = names.map(named).astype("str")
        order = [name for name in dict.fromkeys(named.values()) if (names == name).any()]
    elif numbers:
        order = [str(value) for value in np.unique(array.astype(int))]
    if require_label and not problems.of_file:
        problems.add_rows("no label", names.isna().to_numpy())
        label_problems(names, problems)
    return names, order


def _row_frame(rows: dict[str, pd.Series], names: pd.Series, count: int) -> pd.DataFrame:
    nothing = pd.Series([None] * count, dtype=object)
    columns = {"id": rows.get("id", pd.Series([str(number) for number in range(1, count + 1)]))}
    columns |= {COLUMN.get(role, role): rows.get(role, nothing) for role in ("speaker", "transcript", "group", "split")}
    columns |= {"content": nothing, "label": names}
    return pd.DataFrame({name: column.astype(object).where(column.notna(), None) for name, column in columns.items()})


def _raise(path: Path, problems: Problems, count: int) -> None:
    plural = "s" if problems.count > 1 else ""
    raise InputError(f"{path.name}: {problems.count:,} problem{plural}", problems.tell(Numbering(row_numbers(count))))
