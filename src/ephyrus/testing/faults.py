"""Files that are watched, and files that fail: byte sources for tests.

A `WatchedFileSet` tells a *watch* of every opening and every read before it happens. A `Counter`
counts them; a `FailAt` makes one of them fail, as a bad disk or a lost network drive would. Both go
into a `Recording` with its file set::

    counter = Counter()
    recording = Recording(module, WatchedFileSet(path, watch=counter, access="pread"))
    assert counter.nbytes < 1_000_000
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import Access, ByteSource, FileSet

__all__ = ["Counter", "FailAt", "InjectedError", "Watch", "WatchedFileSet", "WatchedSource"]

Watch = Callable[[str, int, int], None]
"""Told the file, the offset and the number of bytes of a read; an opening is a read of no bytes."""


class InjectedError(OSError):
    """The failure that `FailAt` injects."""


class Counter:
    """A watch that counts.

    Attributes
    ----------
    requests : int
        Openings and reads.
    nbytes : int
        Bytes that were asked for, views of mapped files included.
    names : set of str
        Files that were opened.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.nbytes = 0
        self.names: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, name: str, offset: int, nbytes: int) -> None:
        """Count one request."""
        with self._lock:
            self.requests += 1
            self.nbytes += nbytes
            self.names.add(name)


class FailAt:
    """A watch that raises `InjectedError` at the `number`-th request (1: the first), once.

    Attributes
    ----------
    error : InjectedError or None
        What was raised.
    """

    def __init__(self, number: int) -> None:
        self._left = number
        self.error: InjectedError | None = None

    def __call__(self, name: str, offset: int, nbytes: int) -> None:
        """Fail if it is time to."""
        self._left -= 1
        if self._left == 0:
            place = f"{name} (injected at byte {offset})"
            self.error = InjectedError(errno.EIO, os.strerror(errno.EIO), place)
            raise self.error


class WatchedSource(ByteSource):
    """A byte source that tells `watch` of every read of `inner`."""

    def __init__(self, inner: ByteSource, watch: Watch) -> None:
        super().__init__(inner.name, inner.size)
        self._inner = inner
        self._watch = watch

    def _read(self, offset: int, count: int) -> bytes:
        self._watch(self.name, offset, count)
        return self._inner.read_at(offset, count)

    def _array(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        self._watch(self.name, offset, count * dtype.itemsize)
        return self._inner.array(offset, dtype, count)

    def close(self) -> None:
        """Close the source that is watched."""
        self._inner.close()


def unwatched(name: str, offset: int, nbytes: int) -> None:
    """Watch nothing: what an unpickled file set does."""


class WatchedFileSet(FileSet):
    """A `FileSet` whose files are `WatchedSource` objects.

    Parameters
    ----------
    path : path-like or str
        As for `FileSet`.
    watch : callable
        See `Watch`; it may raise.
    access, memory
        As for `FileSet`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        watch: Watch = unwatched,
        access: Access = "mmap",
        storage_options: Mapping[str, Any] | None = None,
        memory: Mapping[str, bytes] | None = None,
    ) -> None:
        self._watch = watch
        super().__init__(path, access=access, storage_options=storage_options, memory=memory)

    def _open(self, path: str) -> ByteSource:
        self._watch(path, 0, 0)
        return WatchedSource(super()._open(path), self._watch)
