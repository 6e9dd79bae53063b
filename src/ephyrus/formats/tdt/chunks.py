"""Streams whose samples lie in chunks of one channel each in the .tev."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError, FormatError, UnsupportedVersionError
from ephyrus.formats.tdt.data import Chunks, Piece
from ephyrus.formats.tdt.layout import (
    CLOCK,
    DTYPES,
    HEAD_WORDS,
    Store,
)
from ephyrus.formats.tdt.tsq import BlockIndex, place_of, ticks_of
from ephyrus.recording import Opening, as_fraction

__all__ = [
    "Samples",
    "StreamPart",
    "part_in_tev",
    "runs_of",
    "samples_of",
    "stream_notes",
    "table_of",
]

DISABLED = "2"  # of the key Enabled in the .Tbk
SMALLEST_SHARE = 0.5  # of the chunks of the fullest channel that a salvaged channel must have


@dataclass(frozen=True, slots=True)
class Samples:
    """What the records of a store say of the numbers they point to.

    Attributes
    ----------
    dtype : numpy.dtype
        Type of a number.
    points : int
        Numbers of a record.
    rate : float
        Numbers per second.
    """

    dtype: np.dtype[Any]
    points: int
    rate: float

    @property
    def nbytes(self) -> int:
        """Bytes that a record points to."""
        return self.points * self.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class StreamPart:
    """A stream within one block.

    Attributes
    ----------
    name : str
        Of its store.
    channels : tuple of int
        Ascending.
    dtype, rate
        Of its samples.
    pieces : tuple of Chunks or Strips
        Where they lie.
    counts, ticks : ndarray of int64
        Samples of each run; ticks of its first one since the start of the block.
    """

    name: str
    channels: tuple[int, ...]
    dtype: np.dtype[Any]
    rate: Fraction
    pieces: tuple[Piece, ...]
    counts: NDArray[np.int64]
    ticks: NDArray[np.int64]
    annotations: Mapping[str, Any] = field(default_factory=dict)


def samples_of(opening: Opening, index: BlockIndex, store: Store) -> Samples | None:
    """Check size, format and rate of the records of a store.

    Returns
    -------
    Samples or None
        None where they cannot be true and the rest is to be salvaged.

    Raises
    ------
    UnsupportedVersionError, CorruptError
        If the format is not known; if size or rate cannot be true.
    """
    first, name = store.first, index.source.name
    place = place_of(int(store.rows.min()))
    dtype = DTYPES.get(int(first["format"]))
    nbytes = (int(first["size"]) - HEAD_WORDS) * 4
    rate = float(first["rate"])
    error: FormatError | None = None
    if dtype is None:
        reason = f"numbers of store {store.name!r} have the unknown format {first['format']}"
        error = UnsupportedVersionError(name, reason, offset=place + 32, field="format")
    elif nbytes <= 0 or nbytes % dtype.itemsize:
        reason = f"records of store {store.name!r} point to {nbytes} bytes of {dtype}"
        error = CorruptError(name, reason, offset=place, field="size")
    elif not (np.isfinite(rate) and rate > 0):
        reason = f"store {store.name!r} has the sampling rate {rate}"
        error = CorruptError(name, reason, offset=place + 36, field="rate")
    if error is not None or dtype is None:
        opening.damaged(error or CorruptError(name, "no format"), lost=store.rows.size)
        return None
    return Samples(dtype, nbytes // dtype.itemsize, rate)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Chunks of a store: `rows` (record numbers) and `ticks` have the shape (channels, chunks)."""

    channels: tuple[int, ...]
    rows: NDArray[np.intp]
    ticks: NDArray[np.int64]


def table_of(opening: Opening, index: BlockIndex, store: Store, samples: Samples) -> _Table:
    """Put the chunks of all channels beside each other; they must be as many, at the same times."""
    ticks, sound = ticks_of(opening, index, store.rows, store.name)
    bounds = store.bounds
    rows = store.rows
    if sound is not None:
        before = np.concatenate(([0], np.cumsum(sound)))
        bounds, rows, ticks = before[bounds], rows[sound], ticks[sound]
    counts = np.diff(bounds)
    most, least = int(counts.max()), int(counts.min())
    if most == least:
        shape = len(counts), most
        table = _Table(tuple(store.channels.tolist()), rows.reshape(shape), ticks.reshape(shape))
        return _simultaneous(opening, index, store, samples, table)
    if most - least > 1:
        _unequal(opening, index, store, counts, f"have {least:,} to {most:,} chunks")
    kept = np.flatnonzero(counts >= max(SMALLEST_SHARE * most, 1))
    least = int(counts[kept].min())
    opening.note(
        f"channels of store {store.name!r} have {least:,} or more chunks: all are cut to that",
        path=index.source.name,
        lost=int(counts.sum() - least * kept.size) * samples.points,
    )
    places = bounds[:-1][kept][:, np.newaxis] + np.arange(least)
    channels = tuple(store.channels[kept].tolist())
    return _simultaneous(
        opening, index, store, samples, _Table(channels, rows[places], ticks[places])
    )


def _simultaneous(
    opening: Opening, index: BlockIndex, store: Store, samples: Samples, table: _Table
) -> _Table:
    """Leave out channels whose chunks are at other times than those of the first channel."""
    if len(table.channels) == 1 or np.array_equal(table.ticks[1:], table.ticks[:-1]):
        return table
    tolerance = 0.5 * samples.points / samples.rate * float(CLOCK)
    fits = (np.abs(table.ticks - table.ticks[0]) <= tolerance).all(axis=1)
    if fits.all():
        return table
    odd = ", ".join(str(table.channels[at]) for at in np.flatnonzero(~fits)[:5])
    _unequal(
        opening, index, store, (~fits) * table.rows.shape[1], f"are not simultaneous ({odd} ...)"
    )
    channels = tuple(channel for channel, good in zip(table.channels, fits, strict=True) if good)
    return _Table(channels, table.rows[fits], table.ticks[fits])


def _unequal(
    opening: Opening, index: BlockIndex, store: Store, counts: NDArray[Any], what: str
) -> None:
    error = CorruptError(
        index.source.name,
        f"the channels of store {store.name!r} {what}: records are lost or damaged",
        field=store.name,
    )
    opening.damaged(error, lost=int(counts.sum()))


def _run_starts(ticks: NDArray[np.int64], samples: Samples) -> NDArray[np.intp]:
    """Find the chunks with which a stretch without gaps begins."""
    sample = float(CLOCK) / samples.rate
    longest = samples.points * sample + max(0.5 * samples.points, 1) * sample
    steps = np.diff(ticks)
    return np.concatenate(([0], np.flatnonzero((steps > longest) | (steps < 0)) + 1))


def runs_of(
    ticks: NDArray[np.int64], samples: Samples
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give counts and first ticks of the runs of chunks at `ticks`."""
    starts = _run_starts(ticks, samples)
    counts = np.diff(np.append(starts, len(ticks))) * samples.points
    return counts.astype(np.int64), ticks[starts]


def stream_notes(index: BlockIndex, name: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Annotate a store: what the .Tbk says of it; that integers have no scale."""
    found: dict[str, Any] = {"store": name}
    item = index.block.stores.get(name, {})
    if item.get("HeadName"):
        found["head_name"] = item["HeadName"]
    if item.get("Enabled") == DISABLED:
        found["enabled"] = False
    if dtype.kind == "i":
        found["scale_factor"] = "not in the files"
    return found


def part_in_tev(opening: Opening, index: BlockIndex, store: Store) -> StreamPart | None:
    """Make a stream of chunks in the .tev; those beyond its end are cut."""
    samples = samples_of(opening, index, store)
    if samples is None:
        return None
    table = table_of(opening, index, store, samples)
    source = opening.files.source(index.block.files.tev or "")
    offsets = np.ascontiguousarray(index.column("offset")[table.rows].T)
    count = _within(opening, store, samples, offsets, source.size, source.name)
    if count == 0:
        return None
    counts, ticks = runs_of(table.ticks[0][:count], samples)
    piece = Chunks(index.block.files.tev or "", samples.dtype, samples.points, offsets[:count])
    return StreamPart(
        store.name,
        table.channels,
        samples.dtype,
        as_fraction(samples.rate),
        (piece,),
        counts,
        ticks,
        stream_notes(index, store.name, samples.dtype),
    )


def _within(
    opening: Opening,
    store: Store,
    samples: Samples,
    offsets: NDArray[np.int64],
    size: int,
    path: str,
) -> int:
    """Count the chunks before the first that does not lie in the file."""
    inside = ((offsets >= 0) & (offsets <= size - samples.nbytes)).all(axis=1)
    if inside.all():
        return len(offsets)
    count = int(np.argmin(inside))
    opening.note(
        f"chunks of store {store.name!r} lie beyond the end of the file, which was cut or is "
        f"still being copied; {count:,} of {len(offsets):,} are read",
        path=path,
        offset=int(offsets[count].max()),
        field=store.name,
        lost=(len(offsets) - count) * samples.points,
    )
    return count
