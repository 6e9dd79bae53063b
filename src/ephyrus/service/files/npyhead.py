"""The head of a ``.npy`` file, read strictly: nothing in it is evaluated, nothing is believed.

The head is a Python dictionary of three keys as text. It is taken apart by patterns that know just
the forms which can be kept, so that a type which holds objects (a pickle) is not even recognised.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ephyrus.service.errors import ServiceError
from ephyrus.service.files.canonical import MOST_TEXT, is_kept_shape

__all__ = ["NpyHead", "read_head", "refused"]

MAGIC = b"\x93NUMPY"
MOST_HEAD = 16 * 2**10  # bytes; NumPy writes 128
MOST_ROW = 256 * 2**20  # bytes of what lies at one place of the first axis: it is read as a whole
_LENGTHS = {1: 2, 2: 4, 3: 4}  # bytes that tell the length of the text, by version

_TEXT = re.compile(
    r"\{\s*(?:(?:"
    r"(?P<q1>['\"])descr(?P=q1)\s*:\s*(?P<q2>['\"])(?P<descr>[<>|=]?[a-zA-Z?]\d{0,9})(?P=q2)|"
    r"(?P<q3>['\"])fortran_order(?P=q3)\s*:\s*(?P<order>True|False)|"
    r"(?P<q4>['\"])shape(?P=q4)\s*:\s*\((?P<shape>[\d,\sL]{0,200})\)"
    r")\s*(?:,\s*|(?=\}))){3}\}\s*",
    re.ASCII,
)
_DESCR = re.compile(r"(?:[<>]?[iu][1248]|[<>]?f[248]|[<>]?b1|[<>]?[SU][1-9]\d{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class NpyHead:
    """What a head says.

    Attributes
    ----------
    dtype : numpy.dtype
        Numbers, truth values or text.
    shape : tuple of int
        One to three dimensions.
    length : int
        Bytes of the head itself.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    length: int

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return self.dtype.itemsize * math.prod(self.shape)


def read_head(data: bytes | bytearray) -> NpyHead | None:
    """Read the head of a file from its beginning.

    Parameters
    ----------
    data : bytes
        What has come of the file.

    Returns
    -------
    NpyHead or None
        None: more has to come.

    Raises
    ------
    ServiceError
        ``bad_parameter``: it is no such file, or holds what is not kept.
    """
    if not data.startswith(MAGIC[: len(data)]):
        raise refused('it does not begin as a ".npy" file does; write it with numpy.save')
    if len(data) < len(MAGIC) + 2:
        return None
    width = _LENGTHS.get(data[6])
    if width is None or data[7] != 0:
        raise refused(f'".npy" files of version {data[6]}.{data[7]} are not known')
    first = len(MAGIC) + 2 + width
    if len(data) < first:
        return None
    length = first + int.from_bytes(data[first - width : first], "little")
    if length > MOST_HEAD:
        raise refused(f"its head says that it has {length:,} bytes, {MOST_HEAD:,} are allowed")
    if len(data) < length:
        return None
    return _parsed(bytes(data[first:length]).decode("latin-1"), length)


def _parsed(text: str, length: int) -> NpyHead:
    """Take the text of a head apart."""
    match = _TEXT.fullmatch(text)
    if match is None or None in (match["descr"], match["order"], match["shape"]):
        raise refused(
            "its head is not that of an array of plain numbers or text (objects, records and "
            "times are not kept)"
        )
    descr = match["descr"].replace("|", "").replace("=", "")
    if _DESCR.fullmatch(descr) is None:
        raise refused(
            f"its values have the type {match['descr']!r}, which is not kept; convert them to "
            "numbers of 1 to 8 bytes, or to text"
        )
    dtype = np.dtype(descr)
    shape = _shape(match["shape"])
    if match["order"] == "True" and sum(extent != 1 for extent in shape) > 1:
        raise refused(
            "it is in Fortran order; write numpy.ascontiguousarray(values), which is in C order"
        )
    if dtype.kind in "SU" and dtype.itemsize > MOST_TEXT:
        raise refused(f"a text has {dtype.itemsize:,} bytes, {MOST_TEXT:,} are allowed")
    row = dtype.itemsize * math.prod(shape[1:])
    if row > MOST_ROW:
        raise refused(
            f"a row of it has {row:,} bytes, {MOST_ROW:,} are allowed; let the long axis be the "
            "first one"
        )
    return NpyHead(dtype, shape, length)


def _shape(text: str) -> tuple[int, ...]:
    parts = [part.strip().rstrip("L") for part in text.split(",")]
    if parts and not parts[-1]:
        parts.pop()
    if not all(part.isdigit() and len(part) <= 19 for part in parts):
        raise refused("its shape cannot be read")
    shape = tuple(map(int, parts))
    if not is_kept_shape(shape):
        raise refused(f"it has the shape {shape}; 1 to 3 dimensions with values in them are kept")
    return shape


def refused(why: str) -> ServiceError:
    """Make the error of what is no array that is kept."""
    return ServiceError("bad_parameter", f"This is not an array that is kept: {why}.")
