"""Levels: extremes and sums of the blocks of a long array, kept in a file beside it.

With them any range is shown in few points at a cost that does not follow its length. A file of
levels holds, for blocks of 32, 128, 512, ... samples, lowest and highest value in order of
occurrence, and for blocks of 64, 256, ... samples the sum (and, where there are NaNs, how many
samples are none). It has about an eighth of the size of 16-bit samples, less for others.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import FormatError
from ephyrus.recording.files import ByteSource, PreadSource
from ephyrus.recording.levelbuild import build_levels
from ephyrus.recording.levelfile import Place, layout, read_facts, worth_levels
from ephyrus.recording.levelgrowth import grown_means, grown_pairs
from ephyrus.recording.levelmeans import means_of
from ephyrus.recording.levelpairs import pairs_of
from ephyrus.recording.rowsource import Rows, laid_out

__all__ = ["Levels", "build_levels", "worth_levels"]

HELD_BYTES = 2**25  # a level up to this size is read whole and held, when that pays
READ_WORTH = 4096  # bytes read in one go that cost as much as a short read
ALL_HELD_BYTES = 96 * 2**20  # all levels that are held


class _Held:
    """Levels that were read whole, those used last; of all files together."""

    def __init__(self) -> None:
        self._levels: OrderedDict[tuple[int, int], NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._reads: dict[tuple[int, int], int] = {}  # of levels that are not held
        self._lock = threading.Lock()
        self._numbers = count(1)

    def number(self) -> int:
        """Give a file its number."""
        return next(self._numbers)

    def get(self, key: tuple[int, int]) -> NDArray[Any] | None:
        """Give a level, if it is held."""
        with self._lock:
            found = self._levels.get(key)
            if found is not None:
                self._levels.move_to_end(key)
            return found

    def put(self, key: tuple[int, int], level: NDArray[Any]) -> None:
        """Hold a level, in place of those not used for the longest time."""
        with self._lock:
            self._reads.pop(key, None)
            if key not in self._levels:
                self._levels[key] = level
                self._bytes += level.nbytes
            while self._bytes > ALL_HELD_BYTES:
                self._bytes -= self._levels.popitem(last=False)[1].nbytes

    def pays(self, key: tuple[int, int], nbytes: int, reads: int) -> bool:
        """Tell whether short reads of a level have cost as much by now as the whole of it."""
        if nbytes > HELD_BYTES:
            return False
        with self._lock:
            reads += self._reads.get(key, 0)
            self._reads[key] = reads
        return reads * READ_WORTH >= nbytes

    def forget(self, number: int) -> None:
        """Let go of the levels of a file."""
        with self._lock:
            for key in [key for key in self._reads if key[0] == number]:
                del self._reads[key]
            for key in [key for key in self._levels if key[0] == number]:
                self._bytes -= self._levels.pop(key).nbytes


_HELD = _Held()


class _Level:
    """A level of a file; `of` gives the same of fewer channels."""

    def __init__(self, source: ByteSource, place: Place, number: int) -> None:
        self.factor = place.factor
        self.count = place.count
        self.dtype = place.dtype
        self._source = source
        self._place = place
        self._number = number
        self._key = number, place.offset
        self._items: NDArray[np.intp] | None = None  # positions in a row that is laid flat
        self._item_shape = place.shape[place.section == "pairs" :]

    @property
    def is_held(self) -> bool:
        """Entries are in memory."""
        return _HELD.get(self._key) is not None

    def of(self, channels: NDArray[np.intp] | None) -> _Level:
        """Give the level of some channels (axis 0 of a row)."""
        if channels is None:
            return self
        chosen = _Level(self._source, self._place, self._number)
        width = int(np.prod(self._item_shape, dtype=np.int64))
        items = np.arange(width).reshape(self._item_shape)[channels]
        chosen._items, chosen._item_shape = items.ravel(), items.shape
        return chosen

    def read(self, first: int, last: int) -> NDArray[Any]:
        """Read entries [first, last)."""
        place = self._place
        whole = self._whole(1 + (last - first) * place.entry_bytes // READ_WORTH)
        if whole is not None:
            return self._chosen(whole[first:last], last - first)
        offset = place.offset + first * place.entry_bytes
        values = self._source.array(offset, place.dtype, (last - first) * place.items)
        return self._chosen(values, last - first)

    def window(self, starts: NDArray[np.int64], count: int) -> _Window:
        """Read `count` entries from each of the starts, which do not decrease."""
        place = self._place
        whole = self._whole(len(starts))
        if whole is not None:
            return _Window(self, whole, None)
        offsets = place.offset + starts * place.entry_bytes
        data = self._source.gather(offsets, count * place.entry_bytes).view(place.dtype)
        shift = starts - np.arange(len(starts)) * count
        return _Window(self, data.reshape(-1, *place.shape), shift)

    def ranges(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[Any]:
        """Read ranges of entries, and lay them end to end; the starts do not decrease."""
        place, counts = self._place, stops - starts
        whole = self._whole(len(starts))
        if whole is not None:
            return self._chosen(whole[laid_out(starts, counts)], int(counts.sum()))
        offsets = place.offset + starts * place.entry_bytes
        data = self._source.ranges(offsets, counts * place.entry_bytes)
        return self._chosen(data.view(place.dtype), int(counts.sum()))

    def _whole(self, reads: int) -> NDArray[Any] | None:
        """Give all entries, if they are held or so many reads more make that worth while."""
        place = self._place
        held = _HELD.get(self._key)
        if held is None and _HELD.pays(self._key, place.end - place.offset, reads):
            held = self._source.array(place.offset, place.dtype, place.count * place.items)
            held = held.reshape(place.count, *place.shape)
            _HELD.put(self._key, held)
        return held

    def _chosen(self, values: NDArray[Any], *axes: int) -> NDArray[Any]:
        """Take channels of entries, and give them their shape."""
        lead = (*axes, 2) if self._place.section == "pairs" else axes
        if self._items is not None:
            width = self._place.items // (2 if self._place.section == "pairs" else 1)
            values = values.reshape(*lead, width)[..., self._items]
        return values.reshape(*lead, *self._item_shape)


@dataclass(frozen=True, slots=True)
class _Window:
    """Entries of a level around places: all of them, or those that were read for each place.

    Attributes
    ----------
    level : _Level
        The level.
    entries : ndarray, shape (entries, ...)
        Entries of all channels.
    shift : ndarray of int64, shape (places,), or None
        Number, within the level, of the entry that each place would begin with if the entries
        were those from 0 on; None: they are.
    """

    level: _Level
    entries: NDArray[Any]
    shift: NDArray[np.int64] | None

    def take(self, entries: NDArray[np.int64], rows: Any = slice(None)) -> NDArray[Any]:
        """Give entries near some of the places."""
        at = entries if self.shift is None else entries - self.shift[rows]
        return self.level._chosen(self.entries[at], *entries.shape)


class Levels:
    """A file of levels, opened for reading.

    Parameters
    ----------
    source : ByteSource
        The file.

    Attributes
    ----------
    length : int
        Rows of the array.
    dtype : numpy.dtype
        Its type, little-endian.
    item_shape : tuple of int
        Shape of its rows.
    source : str
        What they were made of.

    Raises
    ------
    FormatError
        If the file is not one of levels, or not whole.
    """

    def __init__(self, source: ByteSource) -> None:
        facts = read_facts(source)
        self.length: int = facts["length"]
        self.dtype = np.dtype(facts["dtype"])
        self.item_shape: tuple[int, ...] = tuple(facts["item_shape"])
        self.source: str = facts["source"]
        self._file = source
        places = layout(self.length, self.dtype, self.item_shape, counts=facts["counts"])
        if places[-1].end != source.size:
            raise FormatError(
                source.name,
                f"the levels of {self.length:,} rows have {places[-1].end:,} bytes, "
                f"the file has {source.size:,}; remove it, so that it is made again",
            )
        number = _HELD.number()
        weakref.finalize(self, _HELD.forget, number)
        self._levels = {
            section: [_Level(source, place, number) for place in places if place.section == section]
            for section in ("pairs", "sums", "counts")
        }

    @classmethod
    def open(cls, path: Path) -> Levels:
        """Open a local file."""
        return cls(PreadSource(path))

    def of(self, channels: NDArray[np.intp] | None = None) -> ChosenLevels:
        """Give what `thin` asks, for an array of some of the channels (axis 0 of a row)."""
        chosen = {
            section: [level.of(channels) for level in levels]
            for section, levels in self._levels.items()
        }
        return ChosenLevels(chosen["pairs"], chosen["sums"], chosen["counts"] or None, self.length)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class ChosenLevels:
    """Levels of some channels, as `ephyrus.recording.thinning.thin` takes them."""

    _pairs: list[_Level]
    _sums: list[_Level]
    _counts: list[_Level] | None
    _length: int

    def pairs(self, rows: Rows, edges: NDArray[np.int64]) -> NDArray[Any] | None:
        """Give extremes of bins in order of occurrence, (bins, 2, ...); None: bins too short."""
        if rows.length > self._length:
            return grown_pairs(self._pairs, rows, edges, self._length)
        return pairs_of(self._pairs, rows, edges)

    def means(self, rows: Rows, edges: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Give means of bins, (bins, ...); None: bins too short."""
        if rows.length > self._length:
            return grown_means(self._sums, self._counts, rows, edges, self._length)
        return means_of(self._sums, self._counts, rows, edges)
