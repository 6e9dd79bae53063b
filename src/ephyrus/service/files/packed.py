"""An array as the file of its own that it could have: one that shares a file, or has several."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ephyrus.recording.files import ByteSource, MemorySource
from ephyrus.service.arrays.pieces import Part, Sources, joined, pieces_of, row_bytes
from ephyrus.service.files.canonical import array_header

if TYPE_CHECKING:
    from ephyrus.service.catalog.records import ArrayRow
    from ephyrus.service.files.store import ArrayStore

__all__ = ["PackedSource", "array_file"]


class PackedSource(ByteSource):
    """A head, and a range of a file behind it.

    Parameters
    ----------
    head : bytes
        What comes first.
    source : ByteSource
        The file.
    offset, count : int
        The range.
    """

    def __init__(self, head: bytes, source: ByteSource, offset: int, count: int) -> None:
        super().__init__(source.name, len(head) + count)
        self._head = head
        self._source = source
        self._offset = offset - len(head)  # where the head would begin

    def _read(self, offset: int, count: int) -> bytes:
        begun = self._head[offset : offset + count]
        rest = count - len(begun)
        if not rest:
            return begun
        return begun + self._source.read_at(self._offset + offset + len(begun), rest)

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def array_file(store: ArrayStore, row: ArrayRow) -> ByteSource:
    """Open the file of a stored array: HDF5, with nothing in it but this array.

    Raises
    ------
    FileNotFoundError
        It is not in the store.
    """
    dtype = np.dtype(row.dtype)
    head = array_header(dtype, tuple(row.shape))
    if row.location["kind"] == "pieces":
        return _joined(store, row, head)
    source = store.source(row.location["key"])
    offset, count = int(row.location["offset"]), dtype.itemsize * prod(row.shape)
    if not row.location.get("packed") and source.size == offset + count:
        return source
    return PackedSource(head, source, offset, count)  # also of what an array was before it grew


def _joined(store: ArrayStore, row: ArrayRow, head: bytes) -> ByteSource:
    """Open all files of an array that grew, as one."""
    sources = Sources(store)
    pieces = pieces_of(row.location, row.shape[0])
    for piece in pieces:
        sources.get(piece.key)
    first = MemorySource("head", head)
    parts = [Part(lambda: first, 0, len(head))]
    name = f"datafile {row.datafile_id}"
    return joined(sources, pieces, row_bytes(row), name=name, head=parts)
