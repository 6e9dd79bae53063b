"""Where the samples of a stream lie, and how they come into one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import FileSet, channel_rows, rows

__all__ = ["Chunks", "Piece", "Strips", "read_pieces"]

TILE_BYTES = 512 * 2**10  # read and turned at once: fits the cache of a core
STRIP = 1024  # samples turned at once
NARROW = 32  # bytes of a frame: up to that, channels are copied one by one
FILES = 32  # looked at together: a view of a file holds a descriptor


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """Chunks of one channel each, anywhere in a .tev.

    Attributes
    ----------
    path : str
        The file.
    dtype : numpy.dtype
        Type of a sample.
    points : int
        Samples of a chunk.
    offsets : ndarray of int64, shape (chunks, channels)
        First byte of each.
    """

    path: str
    dtype: np.dtype[Any]
    points: int
    offsets: NDArray[np.int64]

    @property
    def length(self) -> int:
        """Samples of each channel."""
        return len(self.offsets) * self.points

    def read(
        self, files: FileSet, start: int, stop: int, columns: NDArray[np.intp] | slice
    ) -> NDArray[Any]:
        """Read samples [start, stop): shape (samples, columns)."""
        offsets = self.offsets[:, columns]
        width = offsets.shape[1]
        out = np.empty((stop - start, width), self.dtype)
        first, last = start // self.points, -(-stop // self.points)
        if width == 0 or first == last:
            return out
        if last - first == 1:
            self._part(files, offsets[first], start % self.points, out)
            return out
        head = -start % self.points
        tail = stop % self.points
        if head:
            self._part(files, offsets[first], self.points - head, out[:head])
            first += 1
        if tail:
            last -= 1
            self._part(files, offsets[last], 0, out[len(out) - tail :])
        self._whole(files, offsets[first:last], out[head : len(out) - tail])
        return out

    def _part(
        self, files: FileSet, offsets: NDArray[np.int64], skip: int, out: NDArray[Any]
    ) -> None:
        """Read a part of one chunk of each channel."""
        places = offsets + skip * self.dtype.itemsize
        step = max(1, TILE_BYTES // (out.shape[1] * self.dtype.itemsize))
        for begin in range(0, len(out), step):
            count = min(step, len(out) - begin)
            at = places + begin * self.dtype.itemsize
            out[begin : begin + count] = rows(files.source(self.path), at, self.dtype, count).T

    def _whole(self, files: FileSet, offsets: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Read whole chunks, a cache full at a time."""
        width, points, source = offsets.shape[1], self.points, files.source(self.path)
        nbytes = width * points * self.dtype.itemsize
        if nbytes > TILE_BYTES:
            for at, chunk in enumerate(offsets):
                self._part(files, chunk, 0, out[at * points : (at + 1) * points])
            return
        step = TILE_BYTES // nbytes
        tile = channel_rows(width, step * points, self.dtype)
        for begin in range(0, len(offsets), step):
            places = offsets[begin : begin + step]
            count = len(places)
            chunks = rows(source, places.reshape(-1), self.dtype, points)
            chunks = chunks.reshape(count, width, points)
            target = out[begin * points : (begin + count) * points]
            if width == 1:
                target.reshape(count, points)[...] = chunks[:, 0]
                continue
            used = tile[:, : count * points]
            used.reshape(width, count, points)[...] = chunks.transpose(1, 0, 2)
            _turn(used, target)


@dataclass(frozen=True, slots=True, eq=False)
class Strips:
    """Channels that lie each in files of its own, sample after sample.

    Attributes
    ----------
    dtype : numpy.dtype
        Type of a sample.
    length : int
        Samples of each channel.
    channels : tuple of tuple of (path, offset, count)
        For each channel its parts: the file, the first byte, the samples there.
    """

    dtype: np.dtype[Any]
    length: int
    channels: tuple[tuple[tuple[str, int, int], ...], ...]

    def read(
        self, files: FileSet, start: int, stop: int, columns: NDArray[np.intp] | slice
    ) -> NDArray[Any]:
        """Read samples [start, stop): shape (samples, columns); one column may be a view."""
        chosen = np.arange(len(self.channels))[columns].tolist()
        if len(chosen) == 1:
            strip = self._strip(files, chosen[0], start, stop)
            return (strip if len(self.channels) <= FILES else strip.copy())[:, np.newaxis]
        out = np.empty((stop - start, len(chosen)), self.dtype)
        for first in range(0, len(chosen), FILES):
            part = slice(first, first + FILES)
            self._turned(
                [self._strip(files, each, start, stop) for each in chosen[part]], out[:, part]
            )
        return out

    def _turned(self, strips: Sequence[NDArray[Any]], out: NDArray[Any]) -> None:
        """Put strips side by side, a cache full at a time."""
        step = max(STRIP, TILE_BYTES // (len(strips) * self.dtype.itemsize))
        tile = channel_rows(len(strips), step, self.dtype)
        for begin in range(0, len(out), step):
            target = out[begin : begin + step]
            used = tile[:, : len(target)]
            for strip, row in zip(strips, used, strict=True):
                row[...] = strip[begin : begin + step]
            _turn(used, target)

    def _strip(self, files: FileSet, channel: int, start: int, stop: int) -> NDArray[Any]:
        """Read samples of one channel, which may lie in several parts."""
        found, first = [], 0
        for path, offset, count in self.channels[channel]:
            low, high = max(start - first, 0), min(stop - first, count)
            if low < high:
                place = offset + low * self.dtype.itemsize
                found.append(files.source(path).array(place, self.dtype, high - low))
            first += count
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else np.empty(0, self.dtype)


Piece = Chunks | Strips


def read_pieces(
    files: FileSet,
    pieces: Sequence[Piece],
    start: int,
    stop: int,
    columns: NDArray[np.intp] | None,
    empty: NDArray[Any],
) -> NDArray[Any]:
    """Read samples [start, stop) of pieces that follow each other.

    Parameters
    ----------
    files : FileSet
        The recording's files.
    pieces : sequence of Chunks or Strips
        What the stream consists of.
    start, stop : int
        Half-open range.
    columns : ndarray of int or None
        Channels; None: all.
    empty : ndarray, shape (0, channels)
        What no samples are.
    """
    chosen = slice(None) if columns is None else columns
    found, first = [], 0
    for piece in pieces:
        low, high = max(start - first, 0), min(stop - first, piece.length)
        if low < high:
            found.append(piece.read(files, low, high, chosen))
        first += piece.length
    if len(found) == 1:
        return found[0]
    return np.concatenate(found) if found else empty


def _turn(tile: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy channels in rows to samples in rows."""
    if len(tile) * tile.itemsize <= NARROW:
        for column, row in zip(out.T, tile, strict=True):
            column[...] = row
        return
    for begin in range(0, len(out), STRIP):
        out[begin : begin + STRIP] = tile[:, begin : begin + STRIP].T
