"""Places that cannot be written to, said before the work and with the setting that names them."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

from extractors.errors import EmofuseError, InputError

REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


def check_writable(path: Path, setting: str, *, given: Path | None = None) -> None:
    """Make sure that a file can be written at `path`. Its folder is made on the way. `given` is the value of `setting`
    where that is not the path itself.

    Raises InputError that names the setting.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     check_writable(Path(folder) / "new" / "out.jsonl", "output")
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder; expected the name of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}-"):
            pass
    except OSError as error:
        reason = f"{path.parent} is a file" if path.parent.is_file() else error.strerror
        raise InputError(
            f"{setting}={given or path} cannot be written: {reason}", hint=f"Give another {setting}=…."
        ) from None


def unwritable_run(error: BaseException) -> InputError | None:
    """What to say of an error on the way to a run's first line: the folder of the run could not be made, or its log
    not be opened. None where it is another error."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if not isinstance(cause, OSError) or cause.errno not in REFUSED:
        return None
    return InputError(
        f"the folder of this run cannot be written: {cause.filename}: {cause.strerror}",
        hint="Give another with hydra.run.dir=FOLDER (of several runs at once hydra.sweep.dir=FOLDER), or start where "
        "files can be written.",
    )


def unwritable_store(error: EmofuseError) -> EmofuseError:
    """The error as it is; of a store whose folder cannot be written one that names the setting, a mistake of input."""
    cause = error.__cause__
    if isinstance(error, InputError) or not isinstance(cause, OSError) or cause.errno not in REFUSED:
        return error
    if not str(error).startswith("store: "):
        return error
    return InputError(str(error), hint="Give another with store.path=FOLDER, or in the variable EMOFUSE_STORE.")
