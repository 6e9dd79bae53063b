"""Data sets: making, reading and writing whole arrays."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t
from numpy.typing import NDArray

from ephyrus.errors import LimitError
from ephyrus.nix.storage.text import as_text, text_array
from ephyrus.nix.storage.types import (
    BOOL,
    FAULTS,
    LINK_LIST,
    TEXT,
    TEXT_DTYPE,
    broken,
    file_name,
    object_path,
)

__all__ = [
    "can_grow",
    "chunk_of",
    "chunk_shape",
    "create_data_set",
    "empty",
    "file_type",
    "memory_dtype",
    "read_all",
    "read_rows",
    "write_all",
    "write_rows",
]

_CHUNK_MIN, _CHUNK_MAX = 1024, 2**20  # bytes
_GZIP_LEVEL = 6

_data_lists: dict[tuple[tuple[int, ...], bool], Any] = {}


def file_type(dtype: Any) -> tuple[Any, Any]:
    """Give the type in the file for a numpy type, and the type of arrays to be written.

    Raises
    ------
    TypeError
        If HDF5 has none for it.
    """
    if dtype is str or dtype is np.str_ or np.dtype(dtype).kind in "USO":
        return TEXT, TEXT_DTYPE
    return _number_type(np.dtype(dtype))


@lru_cache(maxsize=64)
def _number_type(plain: np.dtype[Any]) -> tuple[Any, Any]:
    """Give the type in the file for numbers, and the type of arrays to be written."""
    if plain.kind == "b":
        return BOOL, plain
    if plain.kind == "f" and plain.itemsize > 8:
        plain = np.dtype(np.float64)
    return h5t.py_create(plain, logical=True), plain


@lru_cache(maxsize=1024)
def chunk_shape(shape: tuple[int, ...], itemsize: int, least: int = _CHUNK_MIN) -> tuple[int, ...]:
    """Choose chunks: the whole of small arrays with room to grow, else up to 1 MiB.

    Chunks keep the last axes whole, because that is how arrays are appended to and read.
    """
    chunk = [max(length, 1) for length in shape]
    for axis in range(len(chunk)):
        size = itemsize * math.prod(chunk)
        if size <= _CHUNK_MAX:
            break
        chunk[axis] = max(1, chunk[axis] * _CHUNK_MAX // size)
    size = itemsize * math.prod(chunk)
    if size < least:
        chunk[0] *= max(1, least // size)
    return tuple(chunk)


def _data_list(chunk: tuple[int, ...], *, compress: bool) -> Any:
    """Give the (kept) property list for a chunk shape."""
    key = chunk, compress
    found = _data_lists.get(key)
    if found is None:
        found = h5p.create(h5p.DATASET_CREATE)
        found.set_chunk(chunk)
        if compress:
            found.set_deflate(_GZIP_LEVEL)
        if len(_data_lists) > 512:
            _data_lists.clear()
        _data_lists[key] = found
    return found


@lru_cache(maxsize=256)
def _growing_space(shape: tuple[int, ...]) -> Any:
    """Give a space of a shape whose axes may all grow."""
    return h5s.create_simple(shape, (h5s.UNLIMITED,) * len(shape))


def create_data_set(
    gid: Any,
    name: bytes,
    dtype: Any,
    shape: tuple[int, ...],
    *,
    data: NDArray[Any] | None = None,
    compress: bool = False,
    least: int = _CHUNK_MIN,
) -> Any:
    """Create a chunked data set whose axes may all grow, and write `data` into it.

    Chunks have at least `least` bytes, so that appending item by item does not make one for each.
    """
    stored, memory = file_type(dtype)
    if data is not None and memory is TEXT_DTYPE:
        data = text_array(data)
    elif data is not None and (data.dtype != memory or not data.flags.c_contiguous):
        data = np.ascontiguousarray(data, memory)
    itemsize = 16 if memory is TEXT_DTYPE else memory.itemsize
    space = _growing_space(shape)
    plist = _data_list(chunk_shape(shape, itemsize, least), compress=compress)
    did = h5d.create(gid, name, stored, space, plist, lcpl=LINK_LIST)
    if data is not None and data.size:
        try:
            did.write(h5s.ALL, h5s.ALL, data)
        except BaseException:
            gid.unlink(name)
            raise
    return did


def can_grow(did: Any) -> bool:
    """Tell whether all axes of a data set may grow without limit."""
    most = did.get_space().get_simple_extent_dims(1)
    return bool(most) and all(each in (None, h5s.UNLIMITED) for each in most)


def write_all(did: Any, data: NDArray[Any]) -> None:
    """Give a data set the shape and the values of an array."""
    if did.shape != data.shape:
        did.set_extent(data.shape)
    if data.size:
        did.write(h5s.ALL, h5s.ALL, data)


def memory_dtype(did: Any) -> Any:
    """Give the numpy type of the values of a data set: text as `TEXT_DTYPE`, bit fields as bool."""
    kind = did.get_type()
    if isinstance(kind, h5t.TypeBitfieldID):
        return np.dtype(bool)
    dtype = kind.dtype
    if dtype.kind in "SO" and h5py.check_string_dtype(dtype) is not None:
        return TEXT_DTYPE
    return dtype


def empty(did: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Make an array for the values of a data set.

    Raises
    ------
    LimitError
        If the data set claims to be larger than memory.
    """
    try:
        return np.empty(did.shape, dtype)
    except (MemoryError, ValueError) as error:
        raise LimitError(
            f"{file_name(did)}: {object_path(did)} has the shape {did.shape}, more than memory"
        ) from error


def chunk_of(did: Any) -> tuple[int, ...] | None:
    """Give the shape of the chunks; None if the data lie in one piece."""
    plist = did.get_create_plist()
    return tuple(plist.get_chunk()) if plist.get_layout() == h5d.CHUNKED else None


def read_rows(did: Any, rows: slice) -> NDArray[Any]:
    """Read a part of the first axis of a data set of numbers."""
    shape = (rows.stop - rows.start, *did.shape[1:])
    try:
        kind = did.get_type()
        values = np.empty(shape, kind.dtype)
        if values.size:
            space = did.get_space()
            space.select_hyperslab((rows.start,) + (0,) * (len(shape) - 1), shape)
            did.read(h5s.create_simple(shape), space, values)
    except FAULTS as error:
        raise broken(did, f"{object_path(did)} cannot be read: {error}") from error
    return values


def read_all(did: Any) -> NDArray[Any]:
    """Read a whole data set; text as an object array of str.

    Raises
    ------
    CorruptError
        If the bytes make no sense.
    LimitError
        If it claims to be larger than memory.
    """
    try:
        kind = did.get_type()
        values = empty(did, kind.dtype)
        if values.size:
            did.read(h5s.ALL, h5s.ALL, values)
    except LimitError:
        raise
    except FAULTS as error:
        raise broken(did, f"{object_path(did)} cannot be read: {error}") from error
    if isinstance(kind, h5t.TypeBitfieldID):
        return values.astype(bool)
    return as_text(values) if values.dtype.kind in "SO" else values


def write_rows(did: Any, start: int, values: NDArray[Any]) -> None:
    """Write an array at a place on the first axis."""
    if not values.size:
        return
    space = did.get_space()
    space.select_hyperslab((start,) + (0,) * (values.ndim - 1), values.shape)
    did.write(h5s.create_simple(values.shape), space, np.ascontiguousarray(values))
