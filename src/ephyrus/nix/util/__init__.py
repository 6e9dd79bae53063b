"""Small helpers of the NIX model: names, units, ids and times."""

from __future__ import annotations

import calendar
import os
import time
import uuid
from typing import Any

import h5py

from ephyrus.nix.util import names, units

__all__ = [
    "create_id",
    "is_uuid",
    "names",
    "now_int",
    "str_to_time",
    "time_to_str",
    "units",
    "vlen_str_dtype",
]

_TIME = "%Y%m%dT%H%M%S"

vlen_str_dtype: Any = h5py.string_dtype()  # object array of str, kept as variable-length UTF-8


def create_id() -> str:
    """Make a new random id (UUID 4, lower case)."""
    number = bytearray(os.urandom(16))
    number[6] = number[6] & 0x0F | 0x40  # version 4
    number[8] = number[8] & 0x3F | 0x80  # of the usual variant
    text = number.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_uuid(text: Any) -> bool:
    """Tell whether a text is a UUID."""
    if not isinstance(text, str) or not 32 <= len(text) <= 45:
        return False
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def now_int() -> int:
    """Give the time in whole POSIX seconds."""
    return int(time.time())


def time_to_str(seconds: int) -> str:
    """Give a time of the file (UTC) for whole POSIX seconds.

    Examples
    --------
    >>> time_to_str(0)
    '19700101T000000'
    """
    return time.strftime(_TIME, time.gmtime(seconds))


def str_to_time(text: str) -> int:
    """Give the whole POSIX seconds of a time of the file; a fraction is dropped.

    Examples
    --------
    >>> str_to_time("19700102T000001.5")
    86401
    """
    return calendar.timegm(time.strptime(text.partition(".")[0], _TIME))
