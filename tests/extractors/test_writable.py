"""Places are tried before the work, and what refuses them is said with the setting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from extractors.errors import InputError
from extractors.files import write_text
from extractors.writable import check_writable_file, check_writable_folder


def test_what_may_be_written_leaves_nothing(tmp_path: Path) -> None:
    check_writable_folder(tmp_path / "a" / "b", "output", beside=True)
    check_writable_file(tmp_path / "a" / "x.json", "output")
    (tmp_path / "link").symlink_to(tmp_path)
    check_writable_folder(tmp_path / "link" / "c", "output")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file", "file is a file"),
        ("file/below", "file is a file"),
        ("dangling", "dangling is a link to nowhere"),
        ("dangling/below", "dangling is a link to nowhere"),
        ("n" * 300, "File name too long"),
    ],
)
def test_folders_that_cannot_be(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=reason) as error:
        check_writable_folder(tmp_path / name, "export.path")
    assert str(error.value).startswith("export.path=")
    assert "Give another export.path=" in str(error.value)


@pytest.mark.parametrize(
    ("name", "reason"), [("folder", "it is a folder"), ("f" * 250 + ".json", "too long"), ("f" * 300, "too long")]
)
def test_files_that_cannot_be(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=reason):
        check_writable_file(tmp_path / name, "output")


def test_the_longest_name_that_passes_can_be_written(tmp_path: Path) -> None:
    for length in range(230, 256):
        path = tmp_path / ("f" * length)
        try:
            check_writable_file(path, "output")
        except InputError:
            break
        write_text(path, "x")
    assert length > 230


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_above_that_is_closed(tmp_path: Path) -> None:
    (tmp_path / "closed" / "out").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o500)
    check_writable_folder(tmp_path / "closed" / "out", "export.path")
    with pytest.raises(InputError, match="Permission denied"):
        check_writable_folder(tmp_path / "closed" / "out", "export.path", beside=True)
    (tmp_path / "closed").chmod(0o700)
