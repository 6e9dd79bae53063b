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
from ephyrus.recording.levelquery import means_of, pairs_of
from ephyrus.recording.rowsource import Rows

__all__ = ["Levels", "build_levels", "worth_levels"]

HELD_BYTES = 2**24  # a level up to this size is read once and held
ALL_HELD_BYTES = 96 * 2**20  # all levels that are held


class _Held:
    """Levels that were read whole, those used last; of all files together."""

    def __init__(self) -> None:
        self._levels: OrderedDict[tuple[int, int], NDArray[Any]] = OrderedDict()
        self._bytes = 0
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
            if key not in self._levels:
                self._levels[key] = level
                self._bytes += level.nbytes
            while self._bytes > ALL_HELD_BYTES:
                self._bytes -= self._levels.popitem(last=False)[1].nbytes

    def forget(self, number: int) -> None:
        """Let go of the levels of a file."""
        with self._lock:
            for key in [key for key in self._levels if key[0] == number]:
                self._bytes -= self._levels.pop(key).nbytes


_HELD = _Held()


class _Level:
    """A level of a file; `of` gives the same of fewer channels."""

    def __init__(self, source: ByteSource, place: Place, number: int) -> None:
        self.factor = place.factor
        self.count = place.count
        self._source = source
        self._place = place
        self._number = number
        self._items: NDArray[np.intp] | None = None  # positions in a row that is laid flat
        self._item_shape = place.shape[place.section == "pairs" :]

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
        whole = self._whole()
        if whole is not None:
            return self._chosen(whole[first:last], last - first)
        offset = place.offset + first * place.entry_bytes
        values = self._source.array(offset, place.dtype, (last - first) * place.items)
        return self._chosen(values, last - first)

    def gather(self, starts: NDArray[np.int64], count: int) -> NDArray[Any]:
        """Read `count` entries from each of the starts."""
        values = self._gathered(starts, count)
        return self._chosen(values, len(starts), count)

    def pick(self, starts: NDArray[np.int64], count: int, items: NDArray[np.int64]) -> NDArray[Any]:
        """Read `count` pairs from each of the starts, of one value of a row: (starts, count, 2)."""
        place = self._place
        width = place.items // 2
        whole = self._whole()
        if whole is None:
            new = np.diff(starts, prepend=-1) != 0
            whole = self._gathered(starts[new], count)
            starts = (np.cumsum(new) - 1) * count
        chosen = items if self._items is None else self._items[items]
        # one flat index is much quicker than one for each axis
        first = starts * place.items + chosen
        step = np.arange(count)[:, None] * place.items + np.arange(2) * width
        found: NDArray[Any] = whole.reshape(-1).take(first[:, None, None] + step)
        return found

    def _gathered(self, starts: NDArray[np.int64], count: int) -> NDArray[Any]:
        place = self._place
        whole = self._whole()
        if whole is not None:
            entries: NDArray[Any] = whole[starts[:, None] + np.arange(count)]
            return entries
        offsets = place.offset + starts * place.entry_bytes
        return self._source.gather(offsets, count * place.entry_bytes).view(place.dtype)

    def _whole(self) -> NDArray[Any] | None:
        """Give all entries, if they are few: they are read once."""
        place = self._place
        if place.end - place.offset > HELD_BYTES:
            return None
        key = self._number, place.offset
        held = _HELD.get(key)
        if held is None:
            held = self._source.array(place.offset, place.dtype, place.count * place.items)
            held = held.reshape(place.count, *place.shape)
            _HELD.put(key, held)
        return held

    def _chosen(self, values: NDArray[Any], *axes: int) -> NDArray[Any]:
        """Take channels of entries, and give them their shape."""
        lead = (*axes, 2) if self._place.section == "pairs" else axes
        if self._items is not None:
            width = self._place.items // (2 if self._place.section == "pairs" else 1)
            values = values.reshape(*lead, width)[..., self._items]
        return values.reshape(*lead, *self._item_shape)


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
        return ChosenLevels(chosen["pairs"], chosen["sums"], chosen["counts"] or None)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class ChosenLevels:
    """Levels of some channels, as `ephyrus.recording.thinning.thin` takes them."""

    _pairs: list[_Level]
    _sums: list[_Level]
    _counts: list[_Level] | None

    def pairs(self, rows: Rows, edges: NDArray[np.int64]) -> NDArray[Any] | None:
        """Give extremes of bins in order of occurrence, (bins, 2, ...); None: bins too short."""
        return pairs_of(self._pairs, rows, edges)

    def means(self, rows: Rows, edges: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Give means of bins, (bins, ...); None: bins too short."""
        return means_of(self._sums, self._counts, rows, edges)
