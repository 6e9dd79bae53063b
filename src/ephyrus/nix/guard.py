"""Reading with an eye on damaged heaps, on which HDF5 itself would never end.

HDF5 keeps texts of variable length in "global heap collections": a head, then objects one after
another, each with its length. It goes on from one object to the next by that length, without
asking whether the step leads anywhere: where damage has made it zero, or so large that it wraps
around, reading one text never ends, and nothing but the system can stop it. Here each collection
is looked through before HDF5 gets to see it.

Other libraries' files and ours alike have such collections anywhere in the file, and HDF5 does not
tell where. So what HDF5 reads has to pass through `Guard`, which costs some microseconds a read.
File objects and addresses always do. Local files of up to `SEARCHED` bytes are searched for
collections first, and only those that have a suspicious one are read through a guard; what lies in
unused parts of a file, or in data, may look like one, and is no reason to refuse the file. Longer
local files are not searched: that would take longer than opening them.
"""

from __future__ import annotations

import io
import os
from typing import Any

import h5py
import numpy as np
from h5py import h5f, h5fd, h5p

from ephyrus.nix.storage import encode

__all__ = ["SEARCHED", "Guard", "LocalFile", "heap_fault", "looks_damaged", "open_guarded"]

SEARCHED = 2**20  # bytes of the longest local file that is searched whenever it is opened
_COLLECTION = b"GCOL"
_FILE = b"\x89HDF\r\n\x1a\n"
_HEAD = 16  # bytes of a collection's head, and of each object's
_LENGTHS = (2, 4, 8)


def heap_fault(data: Any, size_of_lengths: int = 8) -> str | None:
    """Tell what is wrong with a collection; None if HDF5 gets to its end.

    Parameters
    ----------
    data : bytes-like
        The whole collection, or as much of it as there is.
    size_of_lengths : int
        Bytes of a length in this file.
    """
    end = _length_of(data, 0, size_of_lengths)
    if end > len(data):
        return f"it claims {end} bytes and there are {len(data)}"
    at = _HEAD
    while at + _HEAD <= end:
        step = _length_of(data, at, size_of_lengths)
        if data[at] or data[at + 1]:  # the number of an object; 0 is what is free, head included
            step = _HEAD + (step + 7) // 8 * 8
        if step < _HEAD or at + step > end:
            return f"the object {at} bytes after its beginning claims {step} bytes"
        at += step
    return None


def _length_of(data: Any, at: int, size: int) -> int:
    """Read the length in the head of a collection or an object."""
    return int.from_bytes(data[at + 8 : at + 8 + size], "little")


def _size_of_lengths(head: Any) -> int:
    """Read from the beginning of a file how many bytes a length has in it."""
    place = 10 if len(head) > 14 and head[8] >= 2 else 14
    found = head[place] if len(head) > place else 8
    return found if found in _LENGTHS else 8


def looks_damaged(path: Any) -> bool:
    """Tell whether a local file has anything that looks like a damaged collection.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  (the path may be bytes)
        data = file.read()
    size = _size_of_lengths(data[:16])
    return any(
        heap_fault(data[at : at + _length_of(data, at, size)], size) is not None
        for at in _collections(data)
    )


def _collections(data: bytes) -> list[int]:
    """List where a collection may begin."""
    values = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(values[: -len(_COLLECTION)] == _COLLECTION[0])
    for number in range(1, len(_COLLECTION)):  # much faster than bytes.find
        places = places[values[places + number] == _COLLECTION[number]]
    found: list[int] = places.tolist()
    return found


class LocalFile(io.FileIO):
    """A local file for a guard, locked as HDF5 locks the files that it opens itself."""

    def __init__(self, path: Any, mode: str) -> None:
        super().__init__(path, "rb" if mode == "r" else "rb+")
        try:
            import fcntl
        except ImportError:  # Windows, where HDF5 has no such locks either
            return
        try:
            kind = fcntl.LOCK_SH if mode == "r" else fcntl.LOCK_EX
            fcntl.flock(self.fileno(), kind | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise
        except OSError:  # a file system without locks
            return


class Guard:
    """A file object for HDF5 that refuses to hand out damaged collections.

    Parameters
    ----------
    source : file object
        Has read or readinto, seek, and for changes write, truncate and flush.
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self._into = getattr(source, "readinto", None)
        self._lengths = 8
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the place."""
        self._at = int(self._source.seek(offset, whence))
        return self._at

    def tell(self) -> int:
        """Give the place."""
        return int(self._source.tell())

    def read(self, size: int = -1) -> bytes:
        """Read; HDF5 itself uses `readinto`."""
        data: bytes = self._source.read(size)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, beyond the end of the file with zeros.

        Raises
        ------
        OSError
            If the buffer begins with a damaged collection.
        """
        place, view = self._at, memoryview(buffer).cast("B")
        done = self._filled(view)
        if done < len(view):
            view[done:] = bytes(len(view) - done)
        head = bytes(view[:_HEAD])
        if head.startswith(_COLLECTION):
            self._check(place, view, head)
        elif head.startswith(_FILE):
            self._lengths = _size_of_lengths(head)
        return len(view)

    def _filled(self, view: memoryview) -> int:
        """Read until the buffer is full or the file ends; streams may give less at once."""
        done = 0
        while done < len(view):
            if self._into is not None:
                count = self._into(view[done:]) or 0
            else:
                piece = self._source.read(len(view) - done)
                count = len(piece)
                view[done : done + count] = piece
            if not count:
                break
            done += count
        self._at += done
        return done

    def _check(self, place: int, view: memoryview, head: bytes) -> None:
        """Look through a collection of which the buffer is the beginning."""
        length = _length_of(head, 0, self._lengths)
        data = bytes(view[:length])
        size = self._source.seek(0, os.SEEK_END)
        missing = min(length, size - place) - len(data)
        if missing > 0:
            self._source.seek(place + len(data))
            rest = bytearray(missing)
            data += rest[: self._filled(memoryview(rest))]
        fault = heap_fault(data, self._lengths)
        if fault is not None:
            raise OSError(f"the collection of texts at byte {place} is damaged: {fault}")

    def write(self, data: Any) -> int:
        """Write at the place."""
        return int(self._source.write(data))

    def truncate(self, size: int | None = None) -> int:
        """Set the length."""
        return int(self._source.truncate(size))

    def flush(self) -> None:
        """Hand everything on."""
        self._source.flush()


def open_guarded(source: Any, mode: str, name: str) -> h5py.File:
    """Open a file object that exists already, through a guard.

    Parameters
    ----------
    source : file object
        The bytes.
    mode : {"r", "r+"}
        Whether it may be changed.
    name : str
        As messages show it.

    Raises
    ------
    OSError
        If HDF5 cannot open it.
    """
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_LATEST)  # as in opening.py
    access.set_fileobj_driver(h5fd.fileobj_driver, Guard(source))
    flags = h5f.ACC_RDONLY if mode == "r" else h5f.ACC_RDWR
    return h5py.File(h5f.open(encode(name), flags, access))
