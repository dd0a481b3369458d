"""Memory of a worker."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt in GNU's malloc.h
LARGEST = 2**25  # bytes: the highest threshold that it takes
ALWAYS = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees for what it asks for next; whether its C library can be told so.

    A step of a stack asks for the same few megabytes again and again. GNU's allocator gives them back to the system each
    time, which then clears every page before it hands it out once more: a tenth of the time of a step. For a process that
    does nothing else.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl and macOS have none
    if mallopt is None:
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    return bool(mallopt(MMAP_THRESHOLD, LARGEST)) and bool(mallopt(TRIM_THRESHOLD, ALWAYS))
