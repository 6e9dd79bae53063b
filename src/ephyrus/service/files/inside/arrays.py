"""Takes the one array out of an HDF5 file that anybody may have made.

What leads out of the file (external links and storage, virtual datasets) is refused before anything
is read, and so is everything that is not simply one array. What the file claims about sizes counts
only as far as the file itself is long enough to make it likely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5g, h5o, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

from ephyrus.nix.guard import LocalFile, open_guarded
from ephyrus.service.files.canonical import (
    MOST_TEXT,
    ArrayWriter,
    StoredArrayInfo,
    is_kept_shape,
    kept_dtype,
)
from ephyrus.service.files.nursery import Refused

__all__ = ["ALWAYS_ALLOWED", "ArrayLimits", "NotAnArray", "copy_array", "is_hdf5"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ALWAYS_ALLOWED = 64 * 2**20  # bytes that any file may unpack to
BLOCK = 4 * 2**20  # bytes that are copied at a time
MOST_BAND = 256 * 2**20  # bytes of a row of chunks that is held at a time
TEXT_ROWS = 2**16  # texts that are held at a time
_FILTERS = {
    h5z.FILTER_DEFLATE,
    h5z.FILTER_SHUFFLE,
    h5z.FILTER_FLETCHER32,
    h5z.FILTER_SZIP,
    h5z.FILTER_NBIT,
    h5z.FILTER_SCALEOFFSET,
    32000,  # lzf, which h5py brings along
}
_LAYOUTS = {h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED}


class NotAnArray(Refused):
    """A sound HDF5 file, as far as one can see, of another content than one array."""


@dataclass(frozen=True, slots=True)
class ArrayLimits:
    """What may be unpacked.

    Attributes
    ----------
    most : int
        Bytes of the array.
    ratio : int
        How many times larger than the file it may be, beyond `ALWAYS_ALLOWED`.
    """

    most: int
    ratio: int

    def check(self, nbytes: int, file_size: int) -> None:
        """Refuse an array that is too large in itself, or for its file."""
        allowed = min(self.most, max(ALWAYS_ALLOWED, self.ratio * file_size))
        if nbytes > allowed:
            raise Refused(
                f"the array declares {nbytes:,} bytes, and a file of {file_size:,} bytes may hold "
                f"{allowed:,}; send it with less compression or in parts"
            )


def is_hdf5(path: Path, *, at_start: bool = False) -> bool:
    """Tell whether a file says that it is HDF5: at its beginning, or after a user block.

    Parameters
    ----------
    path : Path
        The file.
    at_start : bool
        Only the beginning counts.
    """
    size = path.stat().st_size
    offset = 0
    with path.open("rb") as file:
        while offset + len(SIGNATURE) <= size:
            file.seek(offset)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
            if at_start:
                break
            offset = max(512, 2 * offset)
    return False


def copy_array(path: Path, target: Path, limits: ArrayLimits) -> StoredArrayInfo:
    """Copy the array of an HDF5 file to a file in the form that is kept.

    Parameters
    ----------
    path : Path
        The uploaded file.
    target : Path
        The file to make.
    limits : ArrayLimits
        What may be unpacked.

    Returns
    -------
    StoredArrayInfo
        Its key is the name of `target`.

    Raises
    ------
    NotAnArray
        If the file holds something else than one array in its root.
    Refused
        If it is damaged, leads out of itself, or is too large.
    """
    try:
        with (
            closing(LocalFile(path, "r")) as source,
            open_guarded(source, "r", path.name) as file,
            target.open("xb") as sink,
        ):
            dataset = _the_dataset(file)
            return _copied(dataset, path.stat().st_size, limits, sink, target.name)
    except Refused:
        raise
    # What the library makes of damaged files has no common class of its own.
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise Refused(f"the HDF5 file cannot be read: {_short(error)}") from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _the_dataset(file: h5py.File) -> h5d.DatasetID:
    """Give the dataset that is all there is in the root."""
    root = h5g.open(file.id, b"/")
    count = root.get_num_objs()
    if count != 1:
        raise NotAnArray(f"the root holds {count} entries, an array file has one")
    name = root.get_objname_by_idx(0)
    if root.links.get_info(name).type != h5py.h5l.TYPE_HARD:
        raise Refused("the entry is a link; array files hold the array itself")
    if h5o.get_info(root, name).type != h5o.TYPE_DATASET:
        raise NotAnArray("the entry in the root is a group, not an array")
    access = h5p.create(h5p.DATASET_ACCESS)
    access.set_chunk_cache(12421, BLOCK, 0.75)
    dataset = h5d.open(root, name, access)
    _check_storage(dataset.get_create_plist())
    return dataset


def _check_storage(created: Any) -> None:
    """Refuse data that lie elsewhere or need code that is not built in."""
    if created.get_layout() not in _LAYOUTS:
        raise Refused("the dataset is a virtual one: its values lie in other files")
    if created.get_external_count():
        raise Refused("the values lie in external files")
    for number in range(created.get_nfilters()):
        code = created.get_filter(number)[0]
        if code not in _FILTERS or not h5z.filter_avail(code):
            raise Refused(f"the values are compressed with filter {code}; use gzip or none")


def _copied(
    dataset: h5d.DatasetID, file_size: int, limits: ArrayLimits, sink: Any, name: str
) -> StoredArrayInfo:
    """Check type and sizes, and copy."""
    space = dataset.get_space()
    if (
        space.get_simple_extent_type() != h5s.SIMPLE
        or not 1 <= space.get_simple_extent_ndims() <= 3
    ):
        raise NotAnArray("the dataset has not 1 to 3 dimensions")
    shape = tuple(int(length) for length in space.get_simple_extent_dims())
    if not is_kept_shape(shape):
        raise NotAnArray(f"the dataset holds no values, and has the shape {shape}")
    kind = dataset.get_type()
    if kind.get_class() == h5t.STRING:
        return _copied_texts(dataset, kind, shape, file_size, limits, sink, name)
    stored = _number_type(kind)
    plain = kept_dtype(stored)
    limits.check(math.prod(shape) * max(plain.itemsize, stored.itemsize), file_size)
    _check_chunks(dataset, stored.itemsize, file_size, limits)
    writer = ArrayWriter(sink, plain, shape)
    for start, stop in _bands(dataset, shape, stored.itemsize):
        writer.write(_read(dataset, start, stop, shape, stored).astype(plain, copy=False))
    return writer.finish(name)


def _number_type(kind: Any) -> np.dtype[Any]:
    """Give the type of numbers."""
    if kind.get_class() not in {h5t.INTEGER, h5t.FLOAT, h5t.ENUM}:
        raise NotAnArray("the values are neither numbers nor texts")
    found: np.dtype[Any] = np.dtype(kind.dtype)
    if found.kind not in "biuf":
        raise NotAnArray(f"values of type {found} are not kept")
    plain: np.dtype[Any] = np.dtype(found.str)
    return plain


def _check_chunks(
    dataset: h5d.DatasetID, itemsize: int, file_size: int, limits: ArrayLimits
) -> None:
    """Refuse chunks that are too large to unpack, and pieces that the file cannot hold."""
    created = dataset.get_create_plist()
    layout = created.get_layout()
    if layout == h5d.CHUNKED:
        nbytes = math.prod(int(length) for length in created.get_chunk()) * itemsize
        if nbytes > MOST_BAND:
            raise Refused(f"the chunks have {nbytes:,} bytes each, {MOST_BAND:,} are allowed")
        limits.check(nbytes, file_size)
    offset = dataset.get_offset() if layout == h5d.CONTIGUOUS else None
    if offset is not None and offset + dataset.get_storage_size() > file_size:
        raise Refused(
            f"the values end at byte {offset + dataset.get_storage_size():,}, the file has "
            f"{file_size:,} bytes"
        )


def _bands(
    dataset: h5d.DatasetID, shape: tuple[int, ...], itemsize: int
) -> Iterator[tuple[int, int]]:
    """Cut the rows into bands that are read at a time: of whole chunks, where these are small."""
    row_bytes = max(1, math.prod(shape[1:]) * itemsize)
    rows = max(1, BLOCK // row_bytes)
    created = dataset.get_create_plist()
    if created.get_layout() == h5d.CHUNKED:
        height = int(created.get_chunk()[0])
        if height * row_bytes <= MOST_BAND:  # else chunks are unpacked more than once
            rows = max(1, rows // height) * height
    if rows * row_bytes > MOST_BAND:
        raise Refused(f"a row has {row_bytes:,} bytes, {MOST_BAND:,} are allowed")
    for start in range(0, shape[0], rows):
        yield start, min(start + rows, shape[0])


def _read(
    dataset: h5d.DatasetID,
    start: int,
    stop: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Read rows [start, stop)."""
    counts = (stop - start, *shape[1:])
    rows = np.empty(counts, dtype)
    if rows.size:
        space = dataset.get_space()
        space.select_hyperslab((start, *(0 for _ in shape[1:])), counts)
        memory = None if dtype.kind != "O" else h5t.py_create(dtype)
        dataset.read(h5s.create_simple(counts), space, rows, memory)
    return rows


def _copied_texts(
    dataset: h5d.DatasetID,
    kind: Any,
    shape: tuple[int, ...],
    file_size: int,
    limits: ArrayLimits,
    sink: Any,
    name: str,
) -> StoredArrayInfo:
    """Copy texts, in a width that the longest of them needs."""
    is_variable = kind.is_variable_str()
    itemsize = 16 if is_variable else int(kind.get_size())
    if itemsize > MOST_TEXT:
        raise Refused(f"texts of {itemsize:,} bytes are not kept, {MOST_TEXT:,} are allowed")
    limits.check(math.prod(shape) * itemsize, file_size)
    _check_chunks(dataset, itemsize, file_size, limits)
    dtype = h5py.string_dtype("utf-8") if is_variable else np.dtype(f"S{itemsize}")
    pad = b" " if kind.get_strpad() == h5t.STR_SPACEPAD else b""
    rows = max(1, TEXT_ROWS // max(1, math.prod(shape[1:])))

    def blocks() -> Iterator[NDArray[Any]]:
        for start in range(0, shape[0], rows):
            stop = min(start + rows, shape[0])
            yield _as_utf8(_read(dataset, start, stop, shape, dtype), pad)

    width = _width(blocks)
    limits.check(math.prod(shape) * width, file_size)
    writer = ArrayWriter(sink, np.dtype(f"S{width}"), shape)
    for block in blocks():
        writer.write(block.astype(f"S{width}"))
    return writer.finish(name)


def _width(blocks: Callable[[], Iterator[NDArray[Any]]]) -> int:
    """Give the bytes of the longest text, at least 1."""
    width = max((block.dtype.itemsize for block in blocks()), default=1)
    if width > MOST_TEXT:
        raise Refused(f"a text has {width:,} bytes, {MOST_TEXT:,} are allowed")
    return max(1, width)


def _as_utf8(values: NDArray[Any], pad: bytes) -> NDArray[Any]:
    """Give texts as UTF-8, in the width that they need."""
    texts = [_one_utf8(value, pad) for value in values.ravel().tolist()]
    width = max(map(len, texts), default=1)
    if width > MOST_TEXT:
        raise Refused(f"a text has {width:,} bytes, {MOST_TEXT:,} are allowed")
    return np.array(texts, f"S{max(1, width)}").reshape(values.shape)


def _one_utf8(value: Any, pad: bytes) -> bytes:
    """Give one text as UTF-8; what is not UTF-8 is taken for Latin-1, in which all bytes mean."""
    data = bytes(value) if isinstance(value, bytes) else str(value or "").encode("utf-8", "replace")
    data = data.rstrip(pad) if pad else data
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1").encode()
    return data
