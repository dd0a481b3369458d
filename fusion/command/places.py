"""What to say where the folder of a run, or the store, turns out not to be writable: which setting names it."""

from __future__ import annotations

import errno

from extractors.errors import EmofuseError, InputError, StoreError

REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


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
    if not isinstance(error, StoreError) or not isinstance(cause, OSError) or cause.errno not in REFUSED:
        return error
    return InputError(str(error), hint="Give another with store.path=FOLDER, or in the variable EMOFUSE_STORE.")
