"""Opening files: locally, from file objects and addresses; locks; and edits that swap on close."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py

from ephyrus._shared.extras import optional_module
from ephyrus.errors import WrongFormatError
from ephyrus.nix import storage
from ephyrus.nix.enums import FileMode
from ephyrus.nix.exceptions import LockedFileError, MissingFileError
from ephyrus.nix.guard import SEARCHED, LocalFile, looks_damaged, open_guarded
from ephyrus.nix.store import Store

__all__ = ["Session", "open_session"]

_LIBVER = ("v108", "latest")  # everything that is made can be read by HDF5 1.8
_BUSY = {errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK}  # what a lock fails with
_LONGEST = 255 - 14  # bytes of a name that leave room for the mark

_writers: set[tuple[int, int] | str] = set()
_writers_lock = threading.Lock()


class Session:
    """One opening of a file.

    Parameters
    ----------
    name : str
        As messages show it.
    mode : str
        Of :class:`FileMode`.

    Attributes
    ----------
    store : Store
        The open file.
    is_new : bool
        Whether it has no content yet.
    """

    store: Store

    def __init__(self, name: str, mode: str) -> None:
        self.name = name
        self.mode = mode
        self.is_new = False
        self._target: Path | None = None  # takes the content of `_part` on close
        self._part: Path | None = None
        self._made: Path | None = None  # did not exist before
        self._key: tuple[int, int] | str | None = None
        self._lock: Any = None
        self._local: LocalFile | None = None  # between HDF5 and the file
        self._opened: Any = None

    def close(self, *, keep: bool = True) -> None:
        """Close the file; with `keep`, what was written beside takes its place.

        Raises
        ------
        OSError
            If that fails; the old file is whole then.
        """
        if self._opened is None:
            return
        opened, self._opened = self._opened, None
        try:
            self.store.close()
            opened.close()
            self._close_local()  # an open file cannot be replaced on Windows
            if keep and self._part is not None and self._target is not None:
                _flush(self._part)
                self._part.replace(self._target)
                self._part = None
        finally:
            self._release()

    def _release(self) -> None:
        """Give up locks and what is not wanted any more."""
        if self._part is not None:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)
        self._close_local()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._key is not None:
            with _writers_lock:
                _writers.discard(self._key)
            self._key = None

    def _close_local(self) -> None:
        if self._local is not None:
            self._local.close()
            self._local = None

    def discard(self) -> None:
        """Close after a failed opening: what was made is removed."""
        self.close(keep=False)
        self._release()
        if self._made is not None:
            with suppress(OSError):
                self._made.unlink(missing_ok=True)

    # --- steps of opening ---

    def open_object(self, source: Any) -> None:
        """Open an object with read, seek and tell."""
        self._use(_opened(source, "r" if self.mode == FileMode.ReadOnly else "r+", self.name))

    def create_object(self, source: Any) -> None:
        """Make a file in an object with write, read, seek and tell."""
        self.is_new = True
        self._use(_opened(source, "w", self.name))

    def open_path(self, path: Path, *, safe: bool | None) -> None:
        """Open or make a local file."""
        exists = path.exists()
        if self.mode == FileMode.ReadOnly:
            if not exists:
                raise MissingFileError(errno.ENOENT, "there is no such file to read", str(path))
            self._open_existing(path, "r")
            return
        path = path.resolve()
        self._claim(path)
        self.is_new = not exists or self.mode == FileMode.Overwrite
        is_beside = self.is_new if safe is None else safe
        if is_beside:
            self._open_beside(path, copy=not self.is_new)
        elif self.is_new:
            self._made = None if exists else path
            self._use(_opened(path, "w" if exists else "x", self.name))
        else:
            self._open_existing(path, "r+")

    def _open_beside(self, path: Path, *, copy: bool) -> None:
        """Open a copy, or make a new file, that takes the place of `path` on close."""
        stem = path.name if len(os.fsencode(path.name)) <= _LONGEST else "nix"
        self._target = path
        self._part = path.with_name(f"{stem}.part-{secrets.token_hex(4)}")
        if path.exists():
            self._lock = _locked(path)
        if copy:
            shutil.copyfile(path, self._part)
            self._open_existing(self._part, "r+")
        else:
            self._use(_opened(self._part, "x", self.name))
        if path.exists():
            shutil.copymode(path, self._part)

    def _open_existing(self, path: Path, mode: str) -> None:
        """Open a local file; one on which HDF5 might never end, through a guard."""
        with _explained(self.name, mode):
            if path.is_file() and path.stat().st_size <= SEARCHED and looks_damaged(path):
                self._local = LocalFile(path, mode)
        self._use(_opened(self._local or path, mode, self.name))

    def _claim(self, path: Path) -> None:
        """Be the only writer of a file, or of one that is to be made, in this process."""
        key: tuple[int, int] | str = str(path)
        with suppress(FileNotFoundError):
            facts = path.stat()
            key = facts.st_dev, facts.st_ino
        with _writers_lock:
            if key in _writers:
                raise LockedFileError(
                    errno.EBUSY, "the file is already open for writing; close it first", str(path)
                )
            _writers.add(key)
        self._key = key

    def _use(self, opened: Any) -> None:
        try:
            self.store = Store(opened.id, self.name, writable=self.mode != FileMode.ReadOnly)
        except BaseException:
            opened.close()
            raise
        self._opened = opened


def _opened(source: Any, mode: str, name: str) -> Any:
    """Open a file with h5py; what file objects hold is read through a guard."""
    with _explained(name, mode):
        if mode in ("r", "r+") and not isinstance(source, Path):
            return open_guarded(source, mode, name)
        new = {"track_order": True} if mode in "wx" else {}
        return h5py.File(source, mode, libver=_LIBVER, **new)


@contextmanager
def _explained(name: str, mode: str) -> Iterator[None]:
    """Make errors of opening name the file and tell what to do."""
    try:
        yield
    except OSError as error:
        text = str(error)
        is_locked = error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)
        if is_locked or "unable to lock file" in text or "already open" in text:
            raise LockedFileError(
                errno.EBUSY, "the file is open elsewhere; close it there first", name
            ) from error
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        if mode in ("r", "r+"):
            raise WrongFormatError(
                name, f"this is no HDF5 file, or a damaged one: {text}"
            ) from error
        raise
    except storage.FAULTS as error:
        raise WrongFormatError(name, f"HDF5 cannot open it: {error}") from error


def _locked(path: Path) -> Any:
    """Lock a file against other writers, where the system can."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows, and an open file could not be replaced there
        return None
    handle = path.open("rb")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        if error.errno in _BUSY:
            raise LockedFileError(
                errno.EBUSY, "the file is open elsewhere; close it there first", str(path)
            ) from error
        return None  # a file system without locks
    return handle


def _flush(path: Path) -> None:
    """Bring a file's bytes to the disk before it takes the place of another."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def open_session(source: Any, mode: str, *, safe: bool | None) -> Session:
    """Open a file.

    Parameters
    ----------
    source : str, bytes, Path or file object
        Local path, address for fsspec (``https://...``; read only), or an object with read, seek
        and tell.
    mode : str
        Of :class:`FileMode`.
    safe : bool or None
        Whether to work beside and swap on close; None does so when an existing file is overwritten.

    Raises
    ------
    ValueError
        If the mode is none.
    MissingFileError
        If there is nothing to read.
    LockedFileError
        If someone else writes the file.
    WrongFormatError
        If it is no HDF5 file.
    """
    if mode not in (FileMode.ReadOnly, FileMode.ReadWrite, FileMode.Overwrite):
        raise ValueError(f"unknown mode {mode!r}; use FileMode.ReadOnly, .ReadWrite or .Overwrite")
    if hasattr(source, "read") and hasattr(source, "seek"):
        return _session_of_object(source, mode)
    path = os.fsdecode(source)
    if "://" in path:
        if mode != FileMode.ReadOnly:
            raise ValueError(f"{path}: files at an address can only be read; use FileMode.ReadOnly")
        fsspec = optional_module("fsspec", "cloud", "opening an address")
        return _session_of_object(fsspec.open(path, "rb").open(), mode, path)
    session = Session(path, mode)
    try:
        session.open_path(Path(path), safe=safe)
    except BaseException:
        session.discard()
        raise
    return session


def _session_of_object(source: Any, mode: str, name: str | None = None) -> Session:
    session = Session(name or str(getattr(source, "name", "file object")), mode)
    is_empty = source.seek(0, os.SEEK_END) == 0
    if mode == FileMode.Overwrite or (mode == FileMode.ReadWrite and is_empty):
        session.create_object(source)
    else:
        session.open_object(source)
    return session
