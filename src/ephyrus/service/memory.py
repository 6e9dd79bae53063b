"""How a process of the service deals with memory that was used and is free again."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

# numbers of the parameters of glibc's mallopt (malloc.h)
_TRIM_THRESHOLD = -1
_TOP_PAD = -2
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8

KEPT_BYTES = 32 * 2**20
PAD_BYTES = 4 * 2**20
ARENAS = 4


def keep_freed_memory() -> bool:
    """Keep up to 32 MiB of freed memory per arena for the next answers, on Linux with glibc.

    Answers are made in blocks of about a megabyte. Memory of that size is otherwise given back to
    the system at once and asked for again with the next block, page by page, which takes several
    times as long as reading and copying the block.

    Returns
    -------
    bool
        Whether the C library knows of this.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
        ctypes.CDLL(None).gnu_get_libc_version  # noqa: B018  # other libraries have other numbers
    except (OSError, AttributeError):
        return False
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    mallopt.restype = ctypes.c_int
    values = {
        _ARENA_MAX: ARENAS,
        _MMAP_THRESHOLD: KEPT_BYTES,
        _TRIM_THRESHOLD: KEPT_BYTES,
        _TOP_PAD: PAD_BYTES,
    }
    return bool(sum(mallopt(name, value) for name, value in values.items()) == len(values))
