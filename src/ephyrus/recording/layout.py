"""Reading structured layouts: checked counts, stored entry sizes, texts.

Everything here raises `FormatError` with the file, the offset and the field itself, so that
format modules rarely need a ``raise``.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError, TruncatedError
from ephyrus.recording.files import ByteSource
from ephyrus.recording.limits import HEADER_BYTES

__all__ = [
    "checked_count",
    "corrupt",
    "decode",
    "fixed_text",
    "positive",
    "read_entries",
    "read_struct",
    "read_text",
]


def corrupt(
    source: ByteSource, reason: str, *, offset: int | None = None, field: str | None = None
) -> NoReturn:
    """Raise `CorruptError` for a place in `source`."""
    raise CorruptError(source.name, reason, offset=offset, field=field)


def read_struct(source: ByteSource, offset: int, dtype: np.dtype[Any], field: str) -> np.void:
    """Read one structured value.

    Returns
    -------
    numpy.void
        One record; its fields are read by name.

    Raises
    ------
    TruncatedError
        If the file ends inside it.
    """
    entry: np.void = source.array(offset, dtype, 1, field=field)[0]
    return entry


def read_entries(
    source: ByteSource,
    offset: int,
    dtype: np.dtype[Any],
    count: int,
    field: str,
    *,
    entry_bytes: int | None = None,
) -> NDArray[Any]:
    """Read a table whose entries may be stored longer or shorter than we know them.

    Parameters
    ----------
    source : ByteSource
        The file.
    offset : int
        First byte of the first entry.
    dtype : numpy.dtype
        Layout of one entry.
    count : int
        Number of entries, as the file says.
    field : str
        Name of the table, for error messages.
    entry_bytes : int, optional
        Stored size of one entry (default: that of `dtype`). Fields beyond a shorter entry are zero.

    Returns
    -------
    ndarray, shape (count,), of `dtype`

    Raises
    ------
    CorruptError
        If the count or the entry size is negative or zero-sized.
    TruncatedError
        If the file ends inside the table.
    """
    stored = dtype.itemsize if entry_bytes is None else entry_bytes
    checked_count(source, count, max(stored, 1), offset, field)
    if count == 0:
        return np.zeros(0, dtype)
    if stored <= 0:
        corrupt(source, f"entries of {stored} bytes", offset=offset, field=field)
    raw = source.array(offset, "u1", count * stored, field=field).reshape(count, stored)
    if stored == dtype.itemsize:
        return raw.view(dtype)[:, 0]
    entries = np.zeros((count, dtype.itemsize), "u1")
    known = min(stored, dtype.itemsize)
    entries[:, :known] = raw[:, :known]
    return entries.view(dtype)[:, 0]


def checked_count(source: ByteSource, count: int, itemsize: int, offset: int, field: str) -> int:
    """Accept a count read from the file only if that many items fit behind `offset`.

    Returns
    -------
    int
        The count.

    Raises
    ------
    CorruptError
        If it is negative.
    TruncatedError
        If the items do not fit in the rest of the file.
    """
    count = int(count)
    if count < 0:
        corrupt(source, f"a count of {count}", offset=offset, field=field)
    if offset < 0 or offset + count * itemsize > source.size:
        raise TruncatedError(
            source.name,
            f"{count:,} items of {itemsize} bytes are promised, "
            f"{max(source.size - offset, 0):,} bytes are left in the file",
            offset=offset,
            field=field,
        )
    return count


def positive(source: ByteSource, value: float, field: str, *, offset: int | None = None) -> float:
    """Accept a number read from the file only if it is finite and greater than 0."""
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        corrupt(source, f"found {number}, expected a number above 0", offset=offset, field=field)
    return number


def fixed_text(raw: bytes | np.bytes_, encoding: str = "cp1252") -> str:
    """Decode a text field of fixed width: up to the first NUL, blanks stripped.

    Bytes that the code page does not define are read as Latin-1, so that no name is lost.
    """
    text = bytes(raw).split(b"\0", 1)[0]
    try:
        return text.decode(encoding).strip()
    except UnicodeDecodeError:
        return text.decode("latin-1").strip()


def decode(raw: bytes, encoding: str | None = None) -> str:
    """Decode a text of unknown encoding: UTF-8 if it is valid (a mark is dropped), else cp1252.

    Parameters
    ----------
    raw : bytes
        The text.
    encoding : str, optional
        The encoding that the file claims; wins if the bytes fit it.
    """
    for candidate in (encoding, "utf-8-sig", "cp1252"):
        if candidate is None:
            continue
        try:
            return raw.decode(candidate)
        except (ValueError, LookupError):  # a claimed name may be no text encoding, or no name
            continue
    return raw.decode("latin-1")


def read_text(source: ByteSource, field: str, *, encoding: str | None = None) -> str:
    """Read a whole text file of header size.

    Raises
    ------
    CorruptError
        If it is longer than a header can be.
    """
    if source.size > HEADER_BYTES:
        corrupt(
            source,
            f"a text header of {source.size:,} bytes (at most {HEADER_BYTES:,} are read)",
            field=field,
        )
    return decode(source.read_at(0, source.size, field=field), encoding)
