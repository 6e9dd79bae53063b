"""Making levels: the finest in one pass over an array, the others from the finer ones."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.extremes import extreme_pairs
from ephyrus.recording.levelfile import (
    PAIR_FACTOR,
    SUM_FACTOR,
    Place,
    head_of,
    layout,
    worth_levels,
)
from ephyrus.recording.levelquery import RATIO
from ephyrus.recording.limits import NullProgress, Progress, under_way
from ephyrus.recording.rowsource import Rows, pieces_of

__all__ = ["build_levels"]


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
        ``read(start, stop)`` gives rows [start, stop), shape ``(stop - start, *item_shape)``.
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
    places = layout(rows.length, rows.dtype, rows.item_shape, counts=rows.dtype.kind == "f")
    with draft.open("x+b") as file:
        writer = _Writer(file, places)
        with under_way(progress, rows.length, "rows", "making levels"):
            for first, values in pieces_of(rows, 0, rows.length):
                writer.add(first, values)
                progress.advance(len(values))
        writer.make_coarser()
        with_counts = writer.has_nans
        places = layout(rows.length, rows.dtype, rows.item_shape, counts=with_counts)
        file.truncate(places[-1].end)
        file.seek(0)
        file.write(head_of(rows, source, with_counts, places))
        file.flush()
        os.fsync(file.fileno())


class _Writer:
    """Levels under way in a file: the finest from samples, the others from the finer ones."""

    def __init__(self, file: BinaryIO, places: list[Place]) -> None:
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

    def _entries(self, place: Place) -> Iterator[tuple[int, NDArray[Any]]]:
        """Read a level back, in pieces of whole blocks of the next one."""
        step = max(1, 2**21 // max(1, place.entry_bytes)) * RATIO
        for first in range(0, place.count, step):
            count = min(step, place.count - first)
            self._file.seek(place.offset + first * place.entry_bytes)
            data = self._file.read(count * place.entry_bytes)
            yield first, np.frombuffer(data, place.dtype).reshape(count, *place.shape)

    def _put(self, place: Place, first: int, entries: NDArray[Any]) -> None:
        self._file.seek(place.offset + first * place.entry_bytes)
        self._file.write(np.ascontiguousarray(entries, place.dtype).data)


def _joined(entries: NDArray[Any], starts: NDArray[np.int64], coarser: Place) -> NDArray[Any]:
    """Make blocks of blocks."""
    if coarser.section == "pairs":
        samples = entries.reshape(-1, *entries.shape[2:])
        stops = np.minimum(starts + RATIO, len(entries))
        return extreme_pairs(samples, 2 * starts, 2 * stops)
    with np.errstate(invalid="ignore"):
        sums: NDArray[Any] = np.add.reduceat(entries, starts, axis=0, dtype=coarser.dtype)
    return sums
