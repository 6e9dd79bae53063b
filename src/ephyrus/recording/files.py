"""Bytes: the only code that opens input files.

A `ByteSource` hands out bounds-checked byte ranges of one file; a `FileSet` is the recording's
main file and the siblings that belong to it. Neither has a position, so both may be shared by
threads. Local files are mapped (``access="mmap"``) or read with ``pread`` (``access="pread"``: for
files on a network or files that may shrink, because a mapped file that shrinks ends the process).
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike, NDArray

from ephyrus.errors import FormatError, TruncatedError
from ephyrus.recording.addresses import entries, entries_in_memory, filesystem, is_url
from ephyrus.recording.opened import Closable, OpenSources

__all__ = [
    "Access",
    "ByteSource",
    "FileSet",
    "FsspecSource",
    "MappedSource",
    "MemorySource",
    "PreadSource",
    "is_url",
]

Access = Literal["mmap", "pread"]

GAP_BYTES = 8 * 2**10  # of many places: copying so much costs less than asking once more

# What systems say of names that no file can have; names in headers may be anything.
_IMPOSSIBLE = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.EILSEQ}


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
        data = b"".join(self._ranges(offsets.tolist(), nbytes))
        if len(data) != len(offsets) * nbytes:
            raise TruncatedError(self.name, "the file became shorter while it was read")
        return np.frombuffer(data, np.uint8).reshape(len(offsets), nbytes)

    def _ranges(self, offsets: list[int], nbytes: int) -> list[bytes]:
        """Copy ranges that were checked."""
        return [self._read(offset, nbytes) for offset in offsets]

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

    def _ranges(self, offsets: list[int], nbytes: int) -> list[bytes]:
        if not hasattr(os, "pread"):
            return super()._ranges(offsets, nbytes)
        pread, file = os.pread, self._file.fileno()
        return [pread(file, nbytes, offset) for offset in offsets]

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


class FileSet:
    """A recording's main file and the files that belong to it.

    Names inside headers are looked up below the recording's own folder only.

    Parameters
    ----------
    path : path-like or str
        The main file or folder; an address (``s3://...``) goes through fsspec.
    access : {"mmap", "pread"}
        How local files are read.
    storage_options : dict, optional
        Passed to fsspec (credentials, ...).
    memory : mapping of str to bytes, optional
        Files in memory by name; `path` then names the main one and nothing is opened on disk.

    Raises
    ------
    FileNotFoundError
        If the main file is not there.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        access: Access = "mmap",
        storage_options: Mapping[str, Any] | None = None,
        memory: Mapping[str, bytes] | None = None,
    ) -> None:
        if access not in ("mmap", "pread"):
            raise ValueError(f'access must be "mmap" or "pread", not {access!r}')
        self.access: Access = access
        self.storage_options = dict(storage_options or {})
        self._memory = None if memory is None else dict(memory)
        self._filesystem: Any = None
        self._open_sources = OpenSources()
        self._paths: dict[str, str] = {}
        self._fingerprints: dict[str, tuple[int, float]] = {}
        self.path = self._located(os.fspath(path))
        self.is_dir = self._is_dir()

    def _located(self, path: str) -> str:
        """Give the path as it will be opened, or raise FileNotFoundError."""
        if self._memory is not None:
            if path not in self._memory:
                raise FileNotFoundError(f"no file {path!r} in memory; there are {[*self._memory]}")
            return path
        if is_url(path):
            self._filesystem, inner = filesystem(path, self.storage_options)
            if not self._filesystem.exists(inner):
                raise FileNotFoundError(f"{path}: no such file or folder")
            return inner
        local = Path(path).expanduser()
        if not local.exists():
            raise FileNotFoundError(f"{local}: no such file or folder")
        return str(local)

    @property
    def address(self) -> str:
        """The path as a user would give it: for files elsewhere with its protocol."""
        if self._filesystem is None:
            return self.path
        return str(self._filesystem.unstrip_protocol(self.path))

    def _is_dir(self) -> bool:
        if self._memory is not None:
            return False
        if self._filesystem is not None:
            return bool(self._filesystem.isdir(self.path))
        return Path(self.path).is_dir()

    @cached_property
    def name(self) -> str:
        """Name of the main file or folder, without its folder."""
        return PurePosixPath(self.path.replace("\\", "/") if os.name == "nt" else self.path).name

    @property
    def stem(self) -> str:
        """Name of the main file without its last suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """Last suffix of the main file, lower case, without its dot."""
        return PurePosixPath(self.name).suffix[1:].lower()

    @property
    def main(self) -> ByteSource:
        """The main file."""
        return self.source(self.name)

    def names(self, below: str = "") -> list[str]:
        """Names of all files in the recording's folder, or in the folder `below` it, sorted."""
        return sorted(name for name, kind in self._entries(below) if kind == "file")

    def folders(self, below: str = "") -> list[str]:
        """Names of the folders in the recording's folder, or in the folder `below` it, sorted."""
        return sorted(name for name, kind in self._entries(below) if kind == "directory")

    def _entries(self, below: str) -> Iterator[tuple[str, str]]:
        """Give names in a folder and what they name: "file", "directory" or something else."""
        if self._memory is not None:
            return entries_in_memory(self._memory, below)
        return entries(self._filesystem, self._below(below) if below else self._folder())

    def find(self, name: str) -> str | None:
        """Give the name under which `name` is in the folder, whatever the case, or None."""
        try:
            if self.exists(name):
                return name
        except FormatError:
            return None
        wanted = name.casefold()
        return next((there for there in self.names() if there.casefold() == wanted), None)

    def exists(self, name: str) -> bool:
        """Tell whether a file of that name belongs to the recording's folder."""
        path = self._below(name)
        if self._memory is not None:
            return path in self._memory
        if self._filesystem is not None:
            return bool(self._filesystem.isfile(path))
        try:
            return Path(path).is_file()
        except OSError as error:
            if error.errno not in _IMPOSSIBLE:
                raise
            return False

    def source(self, name: str, *, field: str | None = None) -> ByteSource:
        """Open a file of the recording's folder, or give it if it is open (keep few of them).

        Parameters
        ----------
        name : str
            Name relative to the folder, as a header may give it.
        field : str, optional
            Where the name comes from, for error messages.

        Raises
        ------
        FormatError
            If the name leads out of the folder, or the file changed since it was first opened.
        FileNotFoundError
            If it is not there.
        """
        known = self._open_sources.get(self._paths.get(name, ""))
        if known is not None:
            return known
        path = self._below(name, field)
        source = self._open_sources.opened(path, self._opened)
        self._paths[name] = path
        return source

    @property
    def is_open(self) -> bool:
        """Whether any file is held open."""
        return bool(self._open_sources)

    def fingerprint(self) -> tuple[int, float] | None:
        """Give size and modification time of a local main file or folder; None elsewhere."""
        if self._memory is not None or self._filesystem is not None:
            return None
        status = Path(self.path).stat()
        return status.st_size, status.st_mtime

    def status(self, name: str) -> os.stat_result | None:
        """Give size and times of a local file of the recording; None elsewhere."""
        if self._memory is not None or self._filesystem is not None:
            return None
        return Path(self._below(name)).stat()

    def close(self) -> None:
        """Close every file; a later :meth:`source` opens it again."""
        self._open_sources.close()

    def attach(self, opened: Closable) -> None:
        """Let something that was opened for the recording be closed with its files."""
        self._open_sources.attach(opened)

    def _folder(self) -> str:
        if self.is_dir:
            return self.path
        if self._filesystem is not None:
            return str(PurePosixPath(self.path).parent)
        return str(Path(self.path).parent)

    def _below(self, name: str, field: str | None = None) -> str:
        """Path of a sibling; refuses names that lead out of the folder."""
        if not self.is_dir and name == self.name:  # whatever characters the user's own name has
            return self.path
        parts = PureWindowsPath(name)  # knows both separators, drives and anchors
        if not parts.parts or parts.anchor or ".." in parts.parts or "\0" in name:
            raise FormatError(
                self.path,
                f"the file name {name!r} leads out of the recording's folder; it is not opened",
                field=field,
            )
        relative = parts.as_posix()
        if self._memory is not None:
            return relative
        if self._filesystem is not None:
            return f"{self._folder()}/{relative}"
        return str(Path(self._folder()) / relative)

    def _opened(self, path: str) -> ByteSource:
        """Open a file that did not change; names that no file can have are of none."""
        try:
            self._check_unchanged(path)
            return self._open(path)
        except UnicodeEncodeError as error:
            raise FileNotFoundError(f"{path!r}: no file can have this name") from error
        except OSError as error:
            if error.errno not in _IMPOSSIBLE:
                raise
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error

    def _open(self, path: str) -> ByteSource:
        if self._memory is not None:
            if path not in self._memory:
                raise FileNotFoundError(f"no file {path!r} in memory; there are {[*self._memory]}")
            return MemorySource(path, self._memory[path])
        if self._filesystem is not None:
            return FsspecSource(self._filesystem, path)
        return MappedSource(Path(path)) if self.access == "mmap" else PreadSource(Path(path))

    def _check_unchanged(self, path: str) -> None:
        """Refuse a local file that changed after its header was read."""
        if self._memory is not None or self._filesystem is not None:
            return
        status = Path(path).stat()
        fingerprint = status.st_size, status.st_mtime
        if self._fingerprints.setdefault(path, fingerprint) != fingerprint:
            raise FormatError(
                path, "the file changed after it was opened; open the recording again"
            )

    def __getstate__(self) -> dict[str, Any]:
        path = self.address
        if self._filesystem is None and self._memory is None:
            path = str(Path(path).absolute())  # a worker may run in another folder
        return {
            "path": path,
            "access": self.access,
            "storage_options": self.storage_options,
            "memory": self._memory,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # a recipe: opened anew where it is unpickled
