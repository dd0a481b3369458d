"""Ids as file names: safe on Linux, macOS and Windows, and back again."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

LONGEST = 255  # bytes of a file name, suffix included, on all common file systems
_FORBIDDEN = frozenset('<>:"/\\|?*%')  # separators, what Windows refuses, and the sign that the encoding itself uses
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)  # files of that name open a device


def file_name(id: str) -> str:
    """`id` as the stem of a file name. `id_of` gives it back.

    Letters of any script, digits, spaces and most signs stay. Path separators, what Windows refuses, control and
    invisible characters, a leading dot, the first letter of a device name and % itself become %XX, as in a URL.
    No id can leave its folder.

    >>> file_name("call 7 – Zürich"), file_name("../../x"), file_name("100%"), file_name("con")
    ('call 7 – Zürich', '%2E.%2F..%2Fx', '100%25', '%63on')
    """
    first = bool(_DEVICE.match(id)) or id.startswith(".")
    return "".join(
        _escaped(sign) if (first and not place) or not _harmless(sign) else sign for place, sign in enumerate(id)
    )


def id_of(name: str) -> str | None:
    """The id whose `file_name` is `name`; None where another program chose the name.

    >>> id_of("%2E.%2F..%2Fx"), id_of("Zürich"), id_of("100%"), id_of("%41")
    ('../../x', 'Zürich', None, None)
    """
    try:
        id = unquote_to_bytes(name.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    return id if file_name(id) == name else None


def name_problems(ids: Iterable[str], *, suffix: str) -> list[str]:
    """What keeps these ids from being file names in one folder: no two may be one file, on any file system.

    >>> name_problems(["a", "A", "b"], suffix=".npy")
    ["ids 'a', 'A': one file on Windows and macOS, which do not tell the names apart"]
    """
    problems = []
    same: defaultdict[str, list[str]] = defaultdict(list)
    for id in ids:
        name = file_name(id) + suffix
        if not id:
            problems.append("an empty id")
        elif (size := len(name.encode())) > LONGEST:
            problems.append(f"id {_short(id)}: its file name has {size} bytes, {LONGEST} are possible")
        else:
            same[unicodedata.normalize("NFC", name).casefold()].append(id)
    for ids_of_one in same.values():
        if len(ids_of_one) > 1:
            shown = ", ".join(_short(id) for id in dict.fromkeys(ids_of_one))
            apart = "one file on Windows and macOS, which do not tell the names apart"
            problems.append(
                f"ids {shown}: {apart}" if len(set(ids_of_one)) > 1 else f"id {shown}: {len(ids_of_one)} clips"
            )
    return problems


def _harmless(sign: str) -> bool:
    return sign == " " or (sign not in _FORBIDDEN and unicodedata.category(sign)[0] not in "CZ")


def _escaped(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))


def _short(id: str) -> str:
    return repr(id if len(id) <= 60 else id[:57] + "…")
