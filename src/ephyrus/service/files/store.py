"""Where uploaded files and arrays are kept: a folder, or an object store.

Files have random names that the store makes itself; nothing in a request ever names one. A file
comes into being at once and whole: it is written under another name (or as parts that nobody sees),
made durable, and only then has its key. It is never changed afterwards.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ephyrus._shared.extras import optional_module
from ephyrus.recording.files import ByteSource, PreadSource

if TYPE_CHECKING:
    from types import TracebackType

    from ephyrus.service.settings import Settings

__all__ = [
    "ArrayStore",
    "FolderStore",
    "NewFile",
    "checked_key",
    "new_key",
    "open_store",
]

KEY = re.compile(r"[0-9a-f]{32}")
UNFINISHED = ".unfinished"
COPIED = 8 * 2**20  # bytes that are handed to an object store at a time

# Without these the system would translate line ends, or hand the file on to child processes.
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class NewFile(Protocol):
    """A file that is being written; as a context manager it leaves nothing unless committed."""

    key: str
    size: int

    def write(self, data: Any) -> None:
        """Append bytes."""

    def commit(self, *, settled: bool = True) -> str:
        """Make the file durable and give its key; see `ArrayStore.adopt` for `settled`."""

    def abort(self) -> None:
        """Take back what was written, unless it was committed."""

    def __enter__(self) -> NewFile: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ArrayStore(Protocol):
    """Files by key, each written once."""

    def create(self) -> NewFile:
        """Begin a file under a new key."""

    def adopt(self, path: Path, *, settled: bool = True) -> str:
        """Take over a finished local file, which is gone afterwards; gives its key.

        With ``settled=False`` it is durable only after `settle`: many at once cost less.
        """

    def settle(self, keys: Iterable[str]) -> None:
        """Make files durable that were taken over or committed without that."""

    def source(self, key: str) -> ByteSource:
        """Open a file for reading; raises `FileNotFoundError` if there is none."""

    def local_path(self, key: str) -> Path | None:
        """Give the place of a file in the file system, or None if it has none there."""

    def size(self, key: str) -> int:
        """Give the length of a file; raises `FileNotFoundError` if there is none."""

    def delete(self, key: str) -> None:
        """Remove a file, if it is there."""

    def keys(self, *, older_than: float = 0.0) -> Iterator[str]:
        """List the files that were finished more than `older_than` seconds ago."""

    def sweep(self, *, older_than: float) -> int:
        """Remove files that nobody has written to for `older_than` seconds; gives how many."""

    def check(self) -> None:
        """Make sure that the store can be reached; raises `OSError` if not."""


def open_store(settings: Settings) -> ArrayStore:
    """Open the store that the settings name.

    Raises
    ------
    MissingExtraError
        If it is an object store and obstore is not installed.
    OSError
        If the address is none of a store.
    """
    if not settings.array_store:
        return FolderStore(settings.data_folder / "arrays")
    optional_module("obstore", "objectstore", "Keeping arrays in an object store")
    from ephyrus.service.files import objectstore

    return objectstore.open_object_store(settings.array_store, seconds=settings.store_seconds)


def new_key() -> str:
    """Make the name of a file that is to be."""
    return secrets.token_hex(16)


def checked_key(key: str) -> str:
    """Refuse anything that is not a key of ours, whatever a damaged database says."""
    if KEY.fullmatch(key) is None:
        raise FileNotFoundError(f"{key!r} is not a key of the array store")
    return key


class Discarded:
    """What all kinds of unfinished files do at the end of their block."""

    def abort(self) -> None:
        """Take back what was written, unless it was committed."""
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()


class NewFolderFile(Discarded):
    """A file that is being written beside its place."""

    def __init__(self, store: FolderStore) -> None:
        self.key = new_key()
        self.size = 0
        self._store = store
        self._path = store.unfinished / self.key
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        self._is_open = True

    def __enter__(self) -> NewFolderFile:
        return self

    def write(self, data: Any) -> None:
        """Append bytes."""
        view = memoryview(data).cast("B")
        while len(view):
            done = os.write(self._descriptor, view)
            self.size += done
            view = view[done:]

    def commit(self, *, settled: bool = True) -> str:
        """Make the file durable and give its key; see `ArrayStore.adopt` for `settled`."""
        if settled:
            os.fsync(self._descriptor)
        self._close()
        self._store.take(self._path, self.key, settled=settled)
        return self.key

    def abort(self) -> None:
        """Take back what was written, unless it was committed."""
        self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)


class FolderStore:
    """Files in a folder, spread over 256 folders by the beginning of their keys.

    Parameters
    ----------
    root : Path
        The folder; made if it is missing, readable by its owner only.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unfinished = root / UNFINISHED
        for folder in (root, self.unfinished):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self) -> NewFolderFile:
        """Begin a file under a new key."""
        return NewFolderFile(self)

    def adopt(self, path: Path, *, settled: bool = True) -> str:
        """Take over a finished local file, which is gone afterwards; gives its key.

        A file of the same file system is moved, any other copied.
        """
        key = new_key()
        place = self.unfinished / key
        try:
            path.rename(place)
        except OSError:
            with path.open("rb") as source, self.create() as new:
                shutil.copyfileobj(source, new, COPIED)
                new.commit()
            path.unlink()
            return new.key
        try:
            if settled:
                _synced(place)
            self.take(place, key, settled=settled)
        except BaseException:
            place.unlink(missing_ok=True)
            raise
        return key

    def settle(self, keys: Iterable[str]) -> None:
        """Make files durable that were taken over without that."""
        paths = [self._path(key) for key in keys]
        for path in paths:
            _synced(path)
        for folder in {path.parent for path in paths}:
            _synced_folder(folder)

    def take(self, path: Path, key: str, *, settled: bool = True) -> None:
        """Give a durable file of the folder for unfinished ones its final place."""
        place = self._path(key)
        if not place.parent.is_dir():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _synced_folder(self.root)
        now = time.time()
        os.utime(path, (now, now))  # its age counts from here
        path.chmod(0o400)
        path.rename(place)
        if settled:
            _synced_folder(place.parent)

    def source(self, key: str) -> PreadSource:
        """Open a file for reading; raises `FileNotFoundError` if there is none."""
        return PreadSource(self._path(key))

    def local_path(self, key: str) -> Path | None:
        """Give the place of a file in the file system."""
        return self._path(key)

    def size(self, key: str) -> int:
        """Give the length of a file; raises `FileNotFoundError` if there is none."""
        return self._path(key).stat().st_size

    def delete(self, key: str) -> None:
        """Remove a file, if it is there."""
        self._path(key).unlink(missing_ok=True)

    def keys(self, *, older_than: float = 0.0) -> Iterator[str]:
        """List the files that were finished more than `older_than` seconds ago."""
        latest = time.time() - older_than
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            for path in sorted(folder.iterdir()):
                if KEY.fullmatch(path.name) and _modified(path) <= latest:
                    yield path.name

    def sweep(self, *, older_than: float) -> int:
        """Remove files that nobody has written to for `older_than` seconds; gives how many."""
        latest = time.time() - older_than
        removed = 0
        for path in self.unfinished.iterdir():
            if _modified(path) <= latest:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def check(self) -> None:
        """Make sure that the folder is there (a drive of the network may be away)."""
        self.unfinished.stat()

    def _path(self, key: str) -> Path:
        checked_key(key)
        return self.root / key[:2] / key


def _modified(path: Path) -> float:
    """Give when a file was last written; one that has just been removed is as new as can be."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _synced(path: Path) -> None:
    """Make the content of a file durable."""
    descriptor = os.open(path, (os.O_RDWR if os.name == "nt" else os.O_RDONLY) | _FLAGS)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _synced_folder(path: Path) -> None:
    """Make the names in a folder durable, where the system has a way to do that."""
    if os.name != "nt":
        _synced(path)
