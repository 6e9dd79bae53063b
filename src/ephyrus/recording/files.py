"""The files of a recording: with `ephyrus.recording.bytesources` the only code that opens input.

A `ByteSource` hands out bounds-checked byte ranges of one file; a `FileSet` is the recording's
main file and the siblings that belong to it. Neither has a position, so both may be shared by
threads. Local files are mapped (``access="mmap"``) or read with ``pread`` (``access="pread"``: for
files on a network or files that may shrink, because a mapped file that shrinks ends the process).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from ephyrus.errors import FormatError
from ephyrus.recording.addresses import entries, entries_in_memory, filesystem, is_url
from ephyrus.recording.bytesources import (
    ByteSource,
    FsspecSource,
    MappedSource,
    MemorySource,
    PreadSource,
)
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

# What systems say of names that no file can have; names in headers may be anything.
_IMPOSSIBLE = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.EILSEQ}


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

    @property
    def descriptors(self) -> int:
        """How many files are held open."""
        return self._open_sources.descriptors

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
