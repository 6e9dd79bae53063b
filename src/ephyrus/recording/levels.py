"""Levels: extremes and sums of the blocks of a long array, kept in a file beside it.

With them any range is shown in few points at a cost that does not follow its length. A file of
levels holds, for blocks of 32, 128, 512, ... samples, lowest and highest value in order of
occurrence, and for blocks of 64, 256, ... samples the sum (and, where there are NaNs, how many
samples are none). It has about an eighth of the size of 16-bit samples, less for others.

The file begins with a line that names the format, and a JSON object in a head of `HEAD_BYTES`; then
the levels follow, little-endian, each at a multiple of `ALIGNMENT`. Where each lies follows from
length, dtype and shape, so a file that says otherwise is refused.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import FormatError
from ephyrus.recording.extremes import extreme_pairs
from ephyrus.recording.files import ByteSource, PreadSource
from ephyrus.recording.levelquery import RATIO, means_of, pairs_of
from ephyrus.recording.limits import NullProgress, Progress, under_way
from ephyrus.recording.rowsource import Rows, pieces_of

__all__ = ["Levels", "build_levels", "worth_levels"]

MAGIC = b"EPHYRUS LEVELS 1\n"
HEAD_BYTES = 4096
ALIGNMENT = 64
PAIR_FACTOR = 32  # samples of a block of the finest level of extremes
SUM_FACTOR = 64
FEWEST_BLOCKS = 64  # a level with fewer is not worth having
SHORTEST = 2**14  # samples of the shortest array that levels are made for
HELD_BYTES = 2**24  # a level up to this size is read once and held
ALL_HELD_BYTES = 96 * 2**20  # all levels that are held
MAX_ITEM = 8  # bytes of the numbers that levels are made for

Section = Literal["pairs", "sums", "counts"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a level lies in the file."""

    section: Section
    factor: int
    count: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def items(self) -> int:
        return prod(self.shape)

    @property
    def entry_bytes(self) -> int:
        return self.dtype.itemsize * self.items

    @property
    def end(self) -> int:
        return self.offset + self.count * self.entry_bytes


def worth_levels(length: int, dtype: np.dtype[Any], item_shape: tuple[int, ...] = ()) -> bool:
    """Tell whether levels are made of an array: numbers, and many of them.

    Parameters
    ----------
    length : int
        Number of rows.
    dtype : numpy.dtype
        Type of the values.
    item_shape : tuple of int
        Shape of a row.
    """
    numbers = dtype.kind in "iuf" and dtype.itemsize <= MAX_ITEM
    return numbers and length >= SHORTEST and 0 not in item_shape


def build_levels(
    path: Path,
    read: Callable[[int, int], NDArray[Any]],
    length: int,
    *,
    dtype: np.dtype[Any],
    item_shape: tuple[int, ...] = (),
    source: str = "",
    progress: Progress | None = None,
) -> None:
    """Make the levels of an array, in one pass over it.

    They are written beside `path` and renamed when they are whole and on disk, so that what is at
    `path` is always whole; made again they are the same, byte by byte.

    Parameters
    ----------
    path : Path
        The file that is made or replaced.
    read : callable
        ``read(start, stop)`` gives rows [start, stop), shape (stop - start, *item_shape).
    length : int
        Number of rows.
    dtype : numpy.dtype
        Type of the values.
    item_shape : tuple of int
        Shape of a row.
    source : str
        What the levels are made of, as `Levels.source` tells later.
    progress : Progress, optional
        Told about rows; cancels.

    Raises
    ------
    ValueError
        If the array is nothing for levels: see `worth_levels`.
    Cancelled
        If `progress` says so; then nothing is left behind.
    """
    if not worth_levels(length, dtype, item_shape):
        raise ValueError(f"no levels are made of {length:,} rows of type {dtype}")
    rows = Rows(read, length, dtype, item_shape)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        _write(draft, rows, source, progress or NullProgress())
        draft.replace(path)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _write(draft: Path, rows: Rows, source: str, progress: Progress) -> None:
    places = _layout(rows.length, rows.dtype, rows.item_shape, counts=rows.dtype.kind == "f")
    with draft.open("x+b") as file:
        writer = _Writer(file, places)
        with under_way(progress, rows.length, "rows", "making levels"):
            for first, values in pieces_of(rows, 0, rows.length):
                writer.add(first, values)
                progress.advance(len(values))
        writer.make_coarser()
        with_counts = writer.has_nans
        places = _layout(rows.length, rows.dtype, rows.item_shape, counts=with_counts)
        file.truncate(places[-1].end)
        file.seek(0)
        file.write(_head(rows, source, with_counts, places))
        file.flush()
        os.fsync(file.fileno())


def _head(rows: Rows, source: str, with_counts: bool, places: list[_Place]) -> bytes:
    facts = {
        "length": rows.length,
        "dtype": rows.dtype.newbyteorder("<").str,
        "item_shape": list(rows.item_shape),
        "counts": with_counts,
        "factors": {name: _factors(places, name) for name in ("pairs", "sums")},
        "source": source,
    }
    head = MAGIC + json.dumps(facts).encode() + b"\n"
    if len(head) > HEAD_BYTES:
        raise ValueError(f"source is {len(source):,} characters long, too long for the head")
    return head.ljust(HEAD_BYTES, b" ")


def _factors(places: list[_Place], section: str) -> list[int]:
    return [place.factor for place in places if place.section == section]


def _layout(
    length: int, dtype: np.dtype[Any], item_shape: tuple[int, ...], *, counts: bool
) -> list[_Place]:
    """Place the levels in the file; those that may be missing come last."""
    little = dtype.newbyteorder("<")
    kinds: list[tuple[Section, int, tuple[int, ...]]] = [
        ("pairs", PAIR_FACTOR, (2, *item_shape)),
        ("sums", SUM_FACTOR, item_shape),
    ]
    if counts:
        kinds.append(("counts", SUM_FACTOR, item_shape))
    places: list[_Place] = []
    at = HEAD_BYTES
    for section, finest, shape in kinds:
        for factor in _factors_from(finest, length):
            at = -(-at // ALIGNMENT) * ALIGNMENT
            stored = little if section == "pairs" else _sum_dtype(section, dtype, factor)
            places.append(_Place(section, factor, -(-length // factor), stored, shape, at))
            at = places[-1].end
    return places


def _factors_from(finest: int, length: int) -> Iterator[int]:
    """Give the factors of the levels of an array, the finest first."""
    factor = finest
    yield factor
    while length > factor * RATIO * FEWEST_BLOCKS:
        factor *= RATIO
        yield factor


def _sum_dtype(section: Section, dtype: np.dtype[Any], factor: int) -> np.dtype[Any]:
    """Give the smallest type that holds every sum of a block."""
    if section == "counts":
        return np.dtype("<i4" if factor < 2**31 else "<i8")
    if dtype.kind == "f" or dtype.itemsize == 8:
        return np.dtype("<f8")
    unsigned = dtype.kind == "u"
    largest = factor << (8 * dtype.itemsize - (0 if unsigned else 1))
    return np.dtype("<i4" if largest < 2**31 else "<i8")


class _Writer:
    """Levels under way in a file: the finest from samples, the others from the finer ones."""

    def __init__(self, file: BinaryIO, places: list[_Place]) -> None:
        self._file = file
        self._places = places
        self._finest = {
            section: next(place for place in places if place.section == section)
            for section in dict.fromkeys(place.section for place in places)
        }
        self._rest: NDArray[Any] | None = None  # samples of blocks that are not complete yet
        self.has_nans = False

    def add(self, first: int, values: NDArray[Any]) -> None:
        """Add samples that follow those before; a block may be in two pieces."""
        values = np.asarray(values)
        if self._rest is not None:
            first -= len(self._rest)
            values = np.concatenate([self._rest, values])
        length_left = self._finest["pairs"].count * PAIR_FACTOR - first
        whole = len(values) // SUM_FACTOR * SUM_FACTOR
        if len(values) > length_left - PAIR_FACTOR:  # the last block may have fewer samples
            whole = len(values)
        self._rest = values[whole:].copy()
        if whole:
            self._add_blocks(first, values[:whole])

    def _add_blocks(self, first: int, values: NDArray[Any]) -> None:
        starts = np.arange(0, len(values), PAIR_FACTOR)
        stops = np.minimum(starts + PAIR_FACTOR, len(values))
        self._put(self._finest["pairs"], first // PAIR_FACTOR, extreme_pairs(values, starts, stops))
        starts = np.arange(0, len(values), SUM_FACTOR)
        place = self._finest["sums"]
        if "counts" in self._finest:
            missing = np.isnan(values)
            if missing.any():
                self.has_nans = True
                values = np.where(missing, 0, values)
            counts = np.add.reduceat(~missing, starts, axis=0, dtype=np.int64)
            self._put(self._finest["counts"], first // SUM_FACTOR, counts)
        with np.errstate(invalid="ignore"):  # infinities of both signs
            sums = np.add.reduceat(values, starts, axis=0, dtype=place.dtype)
        self._put(place, first // SUM_FACTOR, sums)

    def make_coarser(self) -> None:
        """Make each level from the one before it."""
        for finer, coarser in zip(self._places[:-1], self._places[1:], strict=True):
            if finer.section == coarser.section:
                for first, entries in self._entries(finer):
                    starts = np.arange(0, len(entries), RATIO)
                    self._put(coarser, first // RATIO, _joined(entries, starts, coarser))

    def _entries(self, place: _Place) -> Iterator[tuple[int, NDArray[Any]]]:
        """Read a level back, in pieces of whole blocks of the next one."""
        step = max(1, 2**21 // max(1, place.entry_bytes)) * RATIO
        for first in range(0, place.count, step):
            count = min(step, place.count - first)
            self._file.seek(place.offset + first * place.entry_bytes)
            data = self._file.read(count * place.entry_bytes)
            yield first, np.frombuffer(data, place.dtype).reshape(count, *place.shape)

    def _put(self, place: _Place, first: int, entries: NDArray[Any]) -> None:
        self._file.seek(place.offset + first * place.entry_bytes)
        self._file.write(np.ascontiguousarray(entries, place.dtype).data)


def _joined(entries: NDArray[Any], starts: NDArray[np.int64], coarser: _Place) -> NDArray[Any]:
    """Make blocks of blocks."""
    if coarser.section == "pairs":
        samples = entries.reshape(-1, *entries.shape[2:])
        stops = np.minimum(starts + RATIO, len(entries))
        return extreme_pairs(samples, 2 * starts, 2 * stops)
    with np.errstate(invalid="ignore"):
        sums: NDArray[Any] = np.add.reduceat(entries, starts, axis=0, dtype=coarser.dtype)
    return sums


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

    def __init__(self, source: ByteSource, place: _Place, number: int) -> None:
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
        facts = _facts(source)
        self.length: int = facts["length"]
        self.dtype = np.dtype(facts["dtype"])
        self.item_shape: tuple[int, ...] = tuple(facts["item_shape"])
        self.source: str = facts["source"]
        self._file = source
        places = _layout(self.length, self.dtype, self.item_shape, counts=facts["counts"])
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


def _facts(source: ByteSource) -> dict[str, Any]:
    """Read and check the head."""
    head = source.head(HEAD_BYTES)
    if not head.startswith(MAGIC) or len(head) < HEAD_BYTES:
        raise FormatError(source.name, "not a file of levels; remove it, so that it is made again")
    try:
        facts = json.loads(head[len(MAGIC) :])
        dtype = np.dtype(facts["dtype"])
        length, shape = facts["length"], facts["item_shape"]
        numbers = [length, *shape]
        sound = (
            all(type(number) is int and 0 < number < 2**48 for number in numbers)
            and len(shape) <= 3
            and worth_levels(length, dtype, tuple(shape))
            and isinstance(facts["source"], str)
            and isinstance(facts["counts"], bool)
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        sound = False
    if not sound:
        raise FormatError(source.name, "the head of these levels cannot be true; remove the file")
    places = _layout(length, dtype, tuple(shape), counts=facts["counts"])
    if facts.get("factors") != {name: _factors(places, name) for name in ("pairs", "sums")}:
        raise FormatError(source.name, "these levels have other factors than they should")
    return dict(facts)
