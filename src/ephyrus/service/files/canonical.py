"""The form in which arrays are kept: an HDF5 file whose one dataset lies in one piece at its end.

Any HDF5 library opens such a file, and the service needs none: the values are found at an offset
that is known, in C order, little-endian, texts as UTF-8 of fixed width padded with zeros.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders.hdf5_head import hdf5_head
from ephyrus.service.files.order import Order

__all__ = [
    "DATASET",
    "DTYPES",
    "ArrayWriter",
    "StoredArrayInfo",
    "array_header",
    "array_nbytes",
    "is_kept_dtype",
    "is_kept_shape",
    "kept_dtype",
    "store_array",
]

DATASET = "data"
MOST_TEXT = 64 * 2**10  # bytes of one text
MOST_EMPTY = 2**24  # lengths of an array without values, multiplied: rows of nothing cost too
LONGEST = 2**62  # of one axis

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


def is_kept_shape(shape: Sequence[int]) -> bool:
    """Tell whether arrays of a shape are kept: 1 to 3 axes, and not endless rows of nothing."""
    if not 1 <= len(shape) <= 3 or any(not 0 <= length < LONGEST for length in shape):
        return False
    return 0 not in shape or math.prod(max(length, 1) for length in shape) <= MOST_EMPTY


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
        Always the same for the same array.
    """
    return hdf5_head(ArrayPart(DATASET, dtype, shape, _unread))


def _unread(start: int, stop: int) -> NDArray[Any]:
    raise NotImplementedError("a header is made without the values")


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
        self._order = Order(self._dtype, shape[1:])
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
        self._order.add(values)

    def finish(self, key: str) -> StoredArrayInfo:
        """Describe the array, which has to be complete.

        Raises
        ------
        ValueError
            If rows are missing.
        """
        if self._rows != self._shape[0]:
            raise ValueError(f"{self._rows} of {self._shape[0]} rows were written")
        return StoredArrayInfo(
            key,
            self._offset,
            self._dtype.str,
            self._shape,
            self._order.is_sorted,
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
