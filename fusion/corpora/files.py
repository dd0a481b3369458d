"""Finds the files of a corpus among what unpacking, converting and copying leave around them."""

from __future__ import annotations

import csv
import filecmp
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from extractors.errors import InputError

# the best copy first: where an utterance was also converted, its own format is taken
AUDIO = (".wav", ".flac", ".ogg", ".opus", ".mp3")
VIDEO = (".mp4", ".flv", ".avi", ".mov", ".mkv")
LFS = b"version https://git-lfs"
SHOWN = 6


def files_of(root: Path, suffixes: Iterable[str]) -> list[Path]:
    """Every file below `root` with one of `suffixes` (in any case), sorted; links to folders are followed once.

    Hidden files and folders are passed over: `._x.wav` and `__MACOSX` hold Mac metadata under the name of audio.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.WAV", "a.wav", "._a.wav", "notes.txt"):
    ...         _ = Path(folder, name).write_bytes(b"")
    ...     [path.name for path in files_of(Path(folder), AUDIO)]
    ['a.wav', 'b.WAV']
    """
    wanted = {suffix.lower() for suffix in suffixes}
    return sorted(path for path in _walk(root) if path.suffix.lower() in wanted)


def stem(path: Path) -> str:
    """The name without its suffix, in lower case: copies on other systems change the case."""
    return path.stem.lower()


def audio_by_name(
    paths: Iterable[Path], key: Callable[[Path], str] = stem
) -> tuple[dict[str, Path], list[str], list[str]]:
    """`key(path)` -> the file, sorted; problems; notes. Copies are taken once.

    Two files of one key are a problem where their contents differ, and a note where they are the same or where one
    is a conversion of the other (by its suffix).
    """
    chosen: dict[str, Path] = {}
    problems: list[str] = []
    copies: list[Path] = []
    converted: Counter[tuple[str, str]] = Counter()
    for path in sorted(paths, key=lambda p: (AUDIO.index(p.suffix.lower()), len(p.parts), p)):
        first = chosen.setdefault(key(path), path)
        if first is path:
            continue
        if first.suffix.lower() != path.suffix.lower():
            converted[path.suffix.lower(), first.suffix.lower()] += 1
        elif filecmp.cmp(first, path, shallow=False):
            copies.append(path)
        else:
            problems.append(f"{path} and {first}: one name, two contents")
    notes = [
        f"{count:,} {suffix} files left aside: the same names are there as {taken}"
        for (suffix, taken), count in sorted(converted.items())
    ]
    if copies:
        shown = ", ".join(map(str, copies[:2])) + (", …" if len(copies) > 2 else "")
        notes.append(f"{len(copies):,} copies of files left aside: {shown}")
    return dict(sorted(chosen.items())), problems, notes


def read_text(path: Path, *encodings: str) -> str:
    """The words of a file whose encoding nobody states: UTF-16 by its mark, else UTF-8, else the first of `encodings`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "x.txt")
    ...     _ = file.write_bytes("打远一看".encode("gb18030"))
    ...     read_text(file, "gb18030")
    '打远一看'
    """
    raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    for encoding in ("utf-8-sig", *encodings):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")  # every byte is a character there


def read_table(
    path: Path, *encodings: str, delimiter: str = ",", quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a table with a header, spaces and line breaks in cells collapsed.

    Raises InputError where a row cannot be told from the next: a quotation mark that never closes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "x.csv")
    ...     _ = file.write_text('id,text\\n1,"a,  b"\\n2\\n')
    ...     read_table(file)
    (['id', 'text'], [{'id': '1', 'text': 'a, b'}, {'id': '2', 'text': ''}])
    """
    reader = csv.DictReader(io.StringIO(read_text(path, *encodings)), delimiter=delimiter, quoting=quoting)
    try:
        columns = list(reader.fieldnames or ())
        rows = [{name: one_line(row[name]) or "" for name in columns} for row in reader]
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from error
    return columns, rows


def has_columns(path: Path, delimiter: str, *groups: Iterable[str]) -> bool:
    """Whether the first line, in any case, names one of each group: so that a table of other things is not read whole."""
    with path.open("rb") as file:
        first = file.readline(100_000).decode("utf-8-sig", errors="replace").lower()
    names = {name.strip().strip('"') for name in first.strip().split(delimiter)}
    return all(names.intersection(group) for group in groups)


def one_line(text: str | None) -> str | None:
    """White space collapsed; None where nothing is left.

    >>> one_line("  It's\\n late "), one_line(" ")
    ("It's late", None)
    """
    return " ".join((text or "").split()) or None


def is_lfs_pointer(path: Path) -> bool:
    """Whether Git left a note in place of the file: a checkout without `git lfs pull`."""
    try:
        with path.open("rb") as file:
            return file.read(len(LFS)) == LFS
    except OSError:
        return False


def found_in(root: Path) -> str:
    """What lies in `root`, in a few words.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "Actor_01").mkdir()
    ...     _ = Path(folder, "Actor_01", "x.mp4").write_bytes(b"")
    ...     found_in(Path(folder))
    'folders Actor_01; files: 1 .mp4'
    """
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    kinds = Counter(path.suffix.lower() or "without suffix" for path in _walk(root))
    shown = ", ".join(folders[:SHOWN]) + (", …" if len(folders) > SHOWN else "")
    files = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(SHOWN))
    return f"folders {shown or 'none'}; files: {files or 'none'}"


def _walk(root: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in files:
            if not name.startswith("."):
                yield Path(folder, name)
