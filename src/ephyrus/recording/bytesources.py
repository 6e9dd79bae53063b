"""Bytes of one file, wherever it lies: a `ByteSource` hands out ranges of them, bounds-checked.

It has no position, so it may be shared by threads. Local files are mapped, or read with ``pread``
(files on a network, or that may shrink: a mapped file that shrinks ends the process).
"""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike, NDArray

from ephyrus.errors import TruncatedError

__all__ = ["ByteSource", "FsspecSource", "MappedSource", "MemorySource", "PreadSource"]

GAP_BYTES = 8 * 2**10  # of many places: copying so much costs less than asking once more
SPAN_BYTES = 2**25  # most that is read in one go because of that


class ByteSource(ABC):
    """Bounds-checked random access to the bytes of one file.

    Parameters
    ----------
    name : str
        Path or address, as error messages show it.
    size : int
        Length in bytes.

    Attributes
    ----------
    requests, bytes_read : int
        How often, and for how many bytes, the source was asked (diagnostics; not synchronised).
    is_in_memory : bool
        Arrays are views: asking for a long range costs nothing.
    holds_file : bool
        It holds a descriptor of the system while it is open.
    """

    is_in_memory = False
    holds_file = False

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.requests = 0
        self.bytes_read = 0

    def read_at(self, offset: int, count: int, *, field: str | None = None) -> bytes:
        """Copy `count` bytes from `offset`.

        Raises
        ------
        TruncatedError
            If the file ends before ``offset + count``.
        OSError
            If the file system fails.
        """
        self._check(offset, count, field)
        return self._read(offset, count)

    def array(
        self, offset: int, dtype: DTypeLike, count: int, *, field: str | None = None
    ) -> NDArray[Any]:
        """Look at `count` items of `dtype` from `offset`, without copying where that is possible.

        Parameters
        ----------
        offset : int
            First byte.
        dtype : dtype
            Type of one item, with its byte order.
        count : int
            Number of items.
        field : str, optional
            What is being read, for error messages.

        Returns
        -------
        ndarray, shape (count,)
            Read-only; a view of the mapping for mapped and in-memory sources, else a fresh array.

        Raises
        ------
        TruncatedError
            If the file ends before the last item; nothing is allocated then.
        """
        item = np.dtype(dtype)
        self._check(offset, count * item.itemsize, field)
        result = self._array(offset, item, count)
        result.flags.writeable = False
        return result

    def read_into(self, offset: int, buffer: NDArray[np.uint8]) -> None:
        """Fill a buffer with the bytes from `offset`.

        Raises
        ------
        TruncatedError
            If the file ends before the buffer is full.
        """
        self._check(offset, len(buffer), None)
        self._fill(offset, buffer)

    def _fill(self, offset: int, buffer: NDArray[np.uint8]) -> None:
        """Fill a buffer from a range that was checked."""
        buffer[:] = self._array(offset, np.dtype("u1"), len(buffer))

    def gather(self, offsets: NDArray[np.int64], nbytes: int) -> NDArray[np.uint8]:
        """Copy as many bytes from each of many places.

        Parameters
        ----------
        offsets : ndarray of int64, shape (places,)
            First byte of each; not decreasing.
        nbytes : int
            How many.

        Returns
        -------
        ndarray of uint8, shape (places, nbytes)

        Raises
        ------
        TruncatedError
            If the file ends before the last place does; nothing is allocated then.
        """
        if len(offsets) == 0:
            return np.empty((0, nbytes), np.uint8)
        first, last = int(offsets[0]), int(offsets[-1])
        self._check(first, last - first + nbytes, None)
        if last - first <= len(offsets) * (nbytes + GAP_BYTES):
            whole = self._array(first, np.dtype("u1"), last - first + nbytes)
            if nbytes == 0:
                return np.empty((len(offsets), 0), np.uint8)
            found: NDArray[np.uint8] = sliding_window_view(whole, nbytes)[offsets - first]
            return found
        buffer = np.empty(len(offsets) * nbytes, np.uint8)
        self._fill_ranges(offsets.tolist(), [nbytes] * len(offsets), buffer)
        return buffer.reshape(len(offsets), nbytes)

    def ranges(self, offsets: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Copy ranges of different length, and lay them end to end.

        Parameters
        ----------
        offsets : ndarray of int64, shape (places,)
            First byte of each, in any order.
        sizes : ndarray of int64, shape (places,)
            How many bytes; 0 is allowed.

        Returns
        -------
        ndarray of uint8, shape (sum of sizes,)

        Raises
        ------
        TruncatedError
            If the file ends before one of them does; nothing is allocated then.
        """
        total = int(sizes.sum())
        if total == 0:
            return np.empty(0, np.uint8)
        low, high = int(offsets.min()), int((offsets + sizes).max())
        self._check(low, high - low, None)
        self.bytes_read += total - (high - low)
        buffer = np.empty(total, np.uint8)
        if high - low <= min(total + len(offsets) * GAP_BYTES, SPAN_BYTES):
            view, begins = self._array(low, np.dtype("u1"), high - low).data, offsets - low
            ranges = zip(begins.tolist(), (begins + sizes).tolist(), strict=True)
            buffer[:] = np.frombuffer(b"".join([view[a:b] for a, b in ranges]), np.uint8)
        else:
            self._fill_ranges(offsets.tolist(), sizes.tolist(), buffer)
        return buffer

    def _fill_ranges(self, offsets: list[int], sizes: list[int], buffer: NDArray[np.uint8]) -> None:
        """Fill a buffer from ranges that were checked."""
        at = 0
        for offset, size in zip(offsets, sizes, strict=True):
            if size:
                self._fill(offset, buffer[at : at + size])
                at += size

    def head(self, count: int) -> bytes:
        """Copy the first `count` bytes, or fewer where the file is shorter."""
        return self._read(0, min(count, self.size))

    def _check(self, offset: int, nbytes: int, field: str | None) -> None:
        if offset < 0 or nbytes < 0 or offset + nbytes > self.size:
            raise TruncatedError(
                self.name,
                f"{max(nbytes, 0):,} bytes are needed here, the file has {self.size:,} bytes"
                + (" and the place is before its start" if offset < 0 else ""),
                offset=offset,
                field=field,
            )
        self.requests += 1
        self.bytes_read += nbytes

    @abstractmethod
    def _read(self, offset: int, count: int) -> bytes:
        """Copy bytes of a range that was checked."""

    def _array(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """Give items of a range that was checked."""
        return np.frombuffer(self._read(offset, count * dtype.itemsize), dtype, count)

    def close(self) -> None:  # noqa: B027 - sources in memory have nothing to release
        """Release descriptors and maps; arrays handed out before stay valid."""


class MemorySource(ByteSource):
    """Bytes that are in memory already."""

    is_in_memory = True

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(name, len(data))
        self._data = data

    def _read(self, offset: int, count: int) -> bytes:
        return self._data[offset : offset + count]

    def _array(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        return np.frombuffer(self._data, dtype, count, offset)


class MappedSource(ByteSource):
    """A local file, mapped into memory read-only."""

    is_in_memory = True
    holds_file = True  # a map has a copy of the descriptor

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else None
        super().__init__(str(path), size)

    def _read(self, offset: int, count: int) -> bytes:
        return b"" if self._map is None else self._map[offset : offset + count]

    def _array(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        if self._map is None or count == 0:
            return np.empty(0, dtype)
        return np.frombuffer(self._map, dtype, count, offset)

    def close(self) -> None:
        """Unmap the file, or leave that to the last array that still looks at it."""
        if self._map is not None:
            with suppress(BufferError):
                self._map.close()


class PreadSource(ByteSource):
    """A local file, read by position; survives a file that shrinks while it is open."""

    holds_file = True

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        super().__init__(str(path), os.fstat(self._file.fileno()).st_size)

    def _read(self, offset: int, count: int) -> bytes:
        return self._array(offset, np.dtype("u1"), count).tobytes()

    def _array(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        buffer = np.empty(count * dtype.itemsize, "u1")
        self._fill(offset, buffer)
        return buffer.view(dtype)

    def _fill(self, offset: int, buffer: NDArray[np.uint8]) -> None:
        view = memoryview(buffer.data)
        done = 0
        while done < len(buffer):
            got = self._read_into(view[done:], offset + done)
            if got == 0:
                raise TruncatedError(
                    self.name, "the file became shorter while it was read", offset=offset + done
                )
            done += got

    def _fill_ranges(self, offsets: list[int], sizes: list[int], buffer: NDArray[np.uint8]) -> None:
        if not hasattr(os, "preadv"):
            super()._fill_ranges(offsets, sizes, buffer)
            return
        preadv, file, view = os.preadv, self._file.fileno(), memoryview(buffer.data)
        at = done = 0
        for offset, size in zip(offsets, sizes, strict=True):
            if size:
                done += preadv(file, (view[at : at + size],), offset)
                at += size
        if done != len(buffer):
            raise TruncatedError(self.name, "the file became shorter while it was read")

    def _read_into(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [view], offset)
        with self._lock:  # systems without preadv share one file position
            self._file.seek(offset)
            return self._file.readinto(view) or 0

    def close(self) -> None:
        """Close the descriptor."""
        self._file.close()


class FsspecSource(ByteSource):
    """A file behind any address that fsspec understands."""

    def __init__(self, filesystem: Any, path: str) -> None:
        self._filesystem = filesystem
        self._path = path
        super().__init__(filesystem.unstrip_protocol(path), int(filesystem.size(path)))

    def _read(self, offset: int, count: int) -> bytes:
        if count == 0:
            return b""
        data = bytes(self._filesystem.cat_file(self._path, start=offset, end=offset + count))
        if len(data) != count:
            raise TruncatedError(
                self.name, "the file became shorter while it was read", offset=offset + len(data)
            )
        return data
