"""Arrays that grow: their rows lie in several files of the store, one behind the other.

A file of the store is never changed. Rows that are appended are a file of their own, and the
catalog names all files of an array in order; now and then some of them are copied into one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.files import ByteSource

if TYPE_CHECKING:
    from ephyrus.service.catalog.records import ArrayRow
    from ephyrus.service.files.store import ArrayStore

__all__ = ["JoinedSource", "Part", "Piece", "Sources", "joined", "keys_of", "pieces_of"]
__all__ += ["row_bytes", "with_keys"]

_MOST_OPEN = 256  # files that are kept open


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that lie in one file.

    Attributes
    ----------
    key : str
        Key of the file in the store.
    offset : int
        Byte where the first row begins.
    rows : int
        How many there are.
    digest : str
        SHA-1 of them; empty: not known.
    """

    key: str
    offset: int
    rows: int
    digest: str = ""

    @property
    def told(self) -> list[Any]:
        """The piece as the catalog keeps it."""
        return [self.key, self.offset, self.rows, self.digest]


def pieces_of(location: Mapping[str, Any], length: int) -> tuple[Piece, ...]:
    """Give the pieces of an array that lies in the store.

    Parameters
    ----------
    location : mapping
        Where it lies, of kind ``"stored"`` or ``"pieces"``.
    length : int
        Its rows; of an array that has grown since it may be that before.
    """
    if location["kind"] == "pieces":
        return tuple(_cut([Piece(*each) for each in location["pieces"]], length))
    digest = str(location.get("digest", ""))
    return (Piece(location["key"], int(location["offset"]), length, digest),)


def _cut(pieces: Iterable[Piece], length: int) -> Iterator[Piece]:
    """Give the pieces of the first rows."""
    for piece in pieces:
        if piece.rows > length:
            if length:
                yield Piece(piece.key, piece.offset, length)
            return
        yield piece
        length -= piece.rows


def keys_of(location: Mapping[str, Any]) -> list[str]:
    """Give the keys of all files that the rows of an array lie in."""
    if location["kind"] == "pieces":
        return [str(each[0]) for each in location["pieces"]]
    return [location["key"]] if location["kind"] == "stored" else []


def with_keys(location: Mapping[str, Any], new: Mapping[str, str]) -> dict[str, Any]:
    """Give a location with the keys that its files have in another store; others stay."""
    if location["kind"] == "pieces":
        pieces = [[new.get(key, key), *rest] for key, *rest in location["pieces"]]
        shared = [new.get(key, key) for key in location.get("shared", ())]
        return {**location, "pieces": pieces, **({"shared": shared} if shared else {})}
    if location["kind"] == "stored":
        return {**location, "key": new.get(location["key"], location["key"])}
    return dict(location)


def row_bytes(row: ArrayRow) -> int:
    """Give the bytes of one row of an array."""
    return int(np.prod(row.shape[1:], dtype=np.int64)) * np.dtype(row.dtype).itemsize


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes [offset, offset + size) of a file, which is opened when they are wanted."""

    opened: Callable[[], ByteSource]
    offset: int
    size: int


class JoinedSource(ByteSource):
    """Parts of several files, read as if they were one.

    Parameters
    ----------
    name : str
        Name, as messages show it.
    parts : iterable of Part
        The parts, in order.
    """

    def __init__(self, name: str, parts: Iterable[Part]) -> None:
        self._parts = [part for part in parts if part.size]
        sizes = [part.size for part in self._parts]
        self._ends = np.cumsum(np.array(sizes, np.int64))
        super().__init__(name, sum(sizes))

    def _spans(self, offset: int, count: int) -> Iterable[tuple[Part, int, int]]:
        """Give the parts that a range touches, each with its own range in its file."""
        at = int(np.searchsorted(self._ends, offset, "right"))
        while count:
            part = self._parts[at]
            within = offset - (int(self._ends[at]) - part.size)
            here = min(count, part.size - within)
            yield part, part.offset + within, here
            offset, count, at = offset + here, count - here, at + 1

    def _read(self, offset: int, count: int) -> bytes:
        spans = self._spans(offset, count)
        return b"".join(part.opened().read_at(start, here) for part, start, here in spans)

    def _array(self, offset: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        nbytes = count * dtype.itemsize
        for part, start, here in self._spans(offset, nbytes):
            if here == nbytes:  # mostly
                return part.opened().array(start, dtype, count)
            break
        buffer = np.empty(nbytes, np.uint8)
        self._fill(offset, buffer)
        return buffer.view(dtype)

    def _fill(self, offset: int, buffer: NDArray[np.uint8]) -> None:
        done = 0
        for part, start, here in self._spans(offset, len(buffer)):
            part.opened().read_into(start, buffer[done : done + here])
            done += here

    def gather(self, offsets: NDArray[np.int64], nbytes: int) -> NDArray[np.uint8]:
        """Copy as many bytes from each of many places; see `ByteSource.gather`."""
        result = np.empty((len(offsets), nbytes), np.uint8)
        if result.size == 0:
            return result
        self._check(int(offsets[0]), int(offsets[-1]) - int(offsets[0]) + nbytes, None)
        first = np.searchsorted(self._ends, offsets, "right")
        last = np.searchsorted(self._ends, offsets + (nbytes - 1), "right")
        group = np.where(first == last, first, -1)  # -1: reaches into the next part
        borders = np.flatnonzero(np.diff(group, prepend=-2, append=-2))
        for a, b in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            if group[a] < 0:
                for place in range(a, b):
                    self._fill(int(offsets[place]), result[place])
                continue
            part = self._parts[int(group[a])]
            base = int(self._ends[int(group[a])]) - part.size - part.offset
            result[a:b] = part.opened().gather(offsets[a:b] - base, nbytes)
        return result


class Sources:
    """Opens files of a store by key, and keeps those used last.

    Parameters
    ----------
    store : ArrayStore
        The store.
    most : int
        How many are kept open. One that is let go is closed when nobody reads it any more.
    """

    def __init__(self, store: ArrayStore, *, most: int = _MOST_OPEN) -> None:
        self._store = store
        self._most = most
        self._open: OrderedDict[str, ByteSource] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> ByteSource:
        """Open a file, unless it is open.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        with self._lock:
            found = self._open.get(key)
            if found is not None:
                self._open.move_to_end(key)
                return found
        found = self._store.source(key)
        with self._lock:
            self._open[key] = found
            while len(self._open) > self._most:
                self._open.popitem(last=False)
        return found

    def clear(self) -> None:
        """Let go of all files."""
        with self._lock:
            self._open.clear()


def joined(
    sources: Sources, pieces: Sequence[Piece], width: int, *, name: str, head: Iterable[Part] = ()
) -> JoinedSource:
    """Give pieces as one file.

    Parameters
    ----------
    sources : Sources
        Opens their files.
    pieces : sequence of Piece
        The pieces.
    width : int
        Bytes of a row.
    name : str
        Name of the file, as messages show it.
    head : iterable of Part
        What lies before the first row.
    """

    def opener(key: str) -> Callable[[], ByteSource]:
        return lambda: sources.get(key)

    parts = [Part(opener(each.key), each.offset, each.rows * width) for each in pieces]
    return JoinedSource(name, [*head, *parts])
