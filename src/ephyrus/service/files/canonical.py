"""The form in which arrays are kept: an HDF5 file whose one dataset lies in one piece at its end.

Any HDF5 library opens such a file, and the service needs none: the values are found at an offset
that is known, in C order, little-endian, texts as UTF-8 of fixed width padded with zeros.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from h5py import h5d, h5f, h5fd, h5p, h5s, h5t
from numpy.typing import NDArray

__all__ = [
    "DATASET",
    "DTYPES",
    "ArrayWriter",
    "StoredArrayInfo",
    "array_header",
    "array_nbytes",
    "is_kept_dtype",
    "kept_dtype",
    "store_array",
]

DATASET = "data"
ALIGNMENT = 512  # of the values within the file
MOST_TEXT = 64 * 2**10  # bytes of one text

DTYPES = frozenset(
    {"|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8"},
)
"""Types of numbers that are kept; texts are ``|S<width>`` besides."""


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: Any, /) -> Any:
        """Append bytes."""


@dataclass(frozen=True, slots=True)
class StoredArrayInfo:
    """An array that was written.

    Attributes
    ----------
    key : str
        Key of its file in the store, or the file's name while it has none.
    offset : int
        Where the values begin.
    dtype : str
        One of `DTYPES`, or ``|S<width>``.
    shape : tuple of int
        One to three dimensions.
    sorted : bool or None
        Whether the numbers of one dimension never decrease; None: not asked.
    digest : str
        SHA-1 of the values.
    size : int
        Bytes of the file.
    """

    key: str
    offset: int
    dtype: str
    shape: tuple[int, ...]
    sorted: bool | None
    digest: str
    size: int

    def at(self, key: str) -> StoredArrayInfo:
        """Give the same for the file's key in a store."""
        return replace(self, key=key)

    @property
    def location(self) -> dict[str, Any]:
        """Where it lies, as the catalog keeps it."""
        return {"kind": "stored", "key": self.key, "offset": self.offset}

    @property
    def row(self) -> dict[str, Any]:
        """Its row in the table of arrays, but for the datafile."""
        return {
            "dtype": self.dtype,
            "shape": list(self.shape),
            "sorted": self.sorted,
            "location": self.location,
        }


def is_kept_dtype(dtype: str) -> bool:
    """Tell whether arrays of a type are kept in this form."""
    if dtype in DTYPES:
        return True
    width = dtype[2:]
    is_text = dtype.startswith("|S") and width.isascii() and width.isdigit()
    return is_text and str(int(width)) == width and 1 <= int(width) <= MOST_TEXT


def kept_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the type in which numbers of `dtype` are kept: truth values as bytes, little-endian.

    Raises
    ------
    TypeError
        If they cannot be kept exactly.
    """
    plain = np.dtype("u1") if dtype.kind == "b" else np.dtype(dtype.str).newbyteorder("<")
    if not is_kept_dtype(plain.str):
        raise TypeError(f"values of type {dtype} cannot be kept; convert them to a number type")
    return plain


def array_nbytes(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    """Give the bytes of an array; Python's numbers do not overflow."""
    return dtype.itemsize * math.prod(shape)


class _Recorder:
    """A file for HDF5 that keeps what is written to it and has any length without room for it."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self._length = 0
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, self._length)
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Give the place."""
        return self._at

    def write(self, data: Any) -> int:
        """Keep bytes."""
        piece = bytes(data)
        self.pieces.append((self._at, piece))
        self._at += len(piece)
        self._length = max(self._length, self._at)
        return len(piece)

    def readinto(self, buffer: Any) -> int:
        """Give what was written, zeros elsewhere."""
        view = memoryview(buffer).cast("B")
        view[:] = self.content(self._at, len(view))
        self._at += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length."""
        self._length = self._at if size is None else size
        return self._length

    def flush(self) -> None:
        """Nothing waits."""

    def content(self, start: int, count: int) -> bytes:
        """Give a range of bytes."""
        result = bytearray(count)
        for at, piece in self.pieces:
            low, high = max(at, start), min(at + len(piece), start + count)
            if low < high:
                result[low - start : high - start] = piece[low - at : high - at]
        return bytes(result)


@lru_cache(maxsize=256)
def array_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Make the beginning of the file of an array; the values follow it immediately.

    Parameters
    ----------
    dtype : numpy.dtype
        One of `DTYPES`, or ``S<width>``.
    shape : tuple of int
        Its shape.

    Returns
    -------
    bytes
    """
    recorder = _Recorder()
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_V18)
    access.set_alignment(max(1, array_nbytes(dtype, shape)), ALIGNMENT)
    access.set_fileobj_driver(h5fd.fileobj_driver, recorder)
    timeless = h5p.create(h5p.FILE_CREATE)
    timeless.set_obj_track_times(False)  # the same array always has the same bytes
    file = h5f.create(b"array", h5f.ACC_TRUNC, fcpl=timeless, fapl=access)
    created = h5p.create(h5p.DATASET_CREATE)
    created.set_layout(h5d.CONTIGUOUS)
    created.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    created.set_fill_time(h5d.FILL_TIME_NEVER)
    created.set_obj_track_times(False)
    space = h5s.create_simple(shape, shape)
    dataset = h5d.create(file, DATASET.encode(), _file_type(dtype), space, dcpl=created)
    offset = dataset.get_offset()
    del dataset
    file.close()
    end = max(at + len(piece) for at, piece in recorder.pieces)
    return recorder.content(0, end if offset is None else offset)


def _file_type(dtype: np.dtype[Any]) -> Any:
    """Give the type as HDF5 has it; texts say that they are UTF-8."""
    if dtype.kind != "S":
        return h5t.py_create(dtype)
    text = h5t.C_S1.copy()
    text.set_size(dtype.itemsize)
    text.set_strpad(h5t.STR_NULLPAD)
    text.set_cset(h5t.CSET_UTF8)
    return text


class ArrayWriter:
    """Writes an array in blocks of rows to a file that is new.

    Parameters
    ----------
    sink : object with write
        The file: a `NewFile` of a store, or a file that is open for writing.
    dtype : numpy.dtype
        Type of what is written.
    shape : tuple of int
        Shape of the whole array.

    Raises
    ------
    TypeError
        If arrays of this type are not kept.
    """

    def __init__(self, sink: Sink, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._dtype = kept_dtype(dtype)
        self._shape = shape
        self._sink = sink
        header = array_header(self._dtype, shape)
        self._offset = len(header)
        self._rows = 0
        self._digest = hashlib.sha1(usedforsecurity=False)
        self._sorted = len(shape) == 1 and self._dtype.kind in "iuf"
        self._last: Any = None
        sink.write(header)

    def write(self, block: NDArray[Any]) -> None:
        """Append rows.

        Raises
        ------
        ValueError
            If they do not have the array's shape, or are more than it has.
        """
        if block.shape[1:] != self._shape[1:] or self._rows + len(block) > self._shape[0]:
            raise ValueError(
                f"rows of shape {block.shape} do not fit after {self._rows} rows of {self._shape}"
            )
        values = np.ascontiguousarray(block, self._dtype)
        self._rows += len(values)
        if values.size == 0:
            return
        data = values.view(np.uint8).reshape(-1).data
        self._digest.update(data)
        self._sink.write(data)
        if self._sorted:
            self._sorted = self._goes_on(values)
            self._last = values[-1]

    def _goes_on(self, values: NDArray[Any]) -> bool:
        """Tell whether the values never decrease, from the last one before on; NaN is no order."""
        if self._last is not None and not self._last <= values[0]:
            return False
        return bool(np.all(values[:-1] <= values[1:])) and bool(values[-1] == values[-1])

    def finish(self, key: str) -> StoredArrayInfo:
        """Describe the array, which has to be complete.

        Raises
        ------
        ValueError
            If rows are missing.
        """
        if self._rows != self._shape[0]:
            raise ValueError(f"{self._rows} of {self._shape[0]} rows were written")
        is_ordered = len(self._shape) == 1 and self._dtype.kind in "iuf"
        return StoredArrayInfo(
            key,
            self._offset,
            self._dtype.str,
            self._shape,
            self._sorted if is_ordered else None,
            self._digest.hexdigest(),
            self._offset + array_nbytes(self._dtype, self._shape),
        )


class Creating(Protocol):
    """What new files are made in."""

    def create(self) -> Any:
        """Begin a file."""


def store_array(store: Creating, values: NDArray[Any]) -> StoredArrayInfo:
    """Put an array that is in memory into a store.

    Parameters
    ----------
    store : ArrayStore
        The store.
    values : ndarray
        One to three dimensions, numbers or text of kind ``"S"``.

    Returns
    -------
    StoredArrayInfo
    """
    with store.create() as new:
        writer = ArrayWriter(new, values.dtype, values.shape)
        writer.write(values)
        return writer.finish(new.commit())
