"""Where the samples of a signal lie in its file: many short ranges are read in one go.

Format modules may say where, by a function of the name ``sample_places`` (see
`ephyrus.recording.declaration.FormatModule`): rows of all channels that follow each other, or
pieces of each channel. Overviews of long recordings ask for thousands of short ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.bytesources import ByteSource
from ephyrus.recording.rowsource import Counts, laid_out

if TYPE_CHECKING:
    from ephyrus.recording.recording import Recording
    from ephyrus.recording.streams import SignalStream

__all__ = ["EvenRows", "PieceRows", "Pieces", "SamplePlaces", "sample_places_of", "taken"]

Channels = NDArray[np.intp] | None


@dataclass(frozen=True, slots=True)
class EvenRows:
    """Rows of numbers, one after the other in a file.

    Attributes
    ----------
    source : ByteSource
        The file.
    offset : int
        First byte of the first row.
    dtype : numpy.dtype
        Type of the numbers, with their byte order.
    width : int
        Numbers of a row.
    """

    source: ByteSource
    offset: int
    dtype: np.dtype[Any]
    width: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.width * self.dtype.itemsize

    def gather(
        self, starts: NDArray[np.int64], counts: Counts, channels: Channels = None
    ) -> NDArray[Any]:
        """Read short ranges of rows.

        Parameters
        ----------
        starts : ndarray of int64, shape (places,)
            First row of each range; not decreasing.
        counts : int or ndarray of int64, shape (places,)
            How many rows.
        channels : ndarray of intp, optional
            Positions in a row (default: all).

        Returns
        -------
        ndarray
            Shape (places, counts, channels), or, where the counts are an array, the ranges end to
            end, (sum of counts, channels).

        Raises
        ------
        TruncatedError
            If the file ends before one of the ranges does.
        """
        offsets = self.offset + starts * self.row_bytes
        if isinstance(counts, np.ndarray):
            data = self.source.ranges(offsets, counts * self.row_bytes)
            rows: NDArray[Any] = data.view(self.dtype).reshape(-1, self.width)
        else:
            data = self.source.gather(offsets, counts * self.row_bytes).reshape(-1)
            rows = data.view(self.dtype).reshape(len(starts), counts, self.width)
        return rows if channels is None else taken(rows, channels, rows.ndim - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The samples of one channel, in pieces of a file.

    Attributes
    ----------
    source : ByteSource
        The file.
    offsets : ndarray of int64, shape (pieces,)
        First byte of each piece.
    firsts : ndarray of int64, shape (pieces + 1,)
        First sample of each piece, and the number of samples.
    dtype : numpy.dtype
        Type of a sample, with its byte order.
    """

    source: ByteSource
    offsets: NDArray[np.int64]
    firsts: NDArray[np.int64]
    dtype: np.dtype[Any]

    def ranges(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[Any]:
        """Read ranges of samples, and lay them end to end: shape (samples,)."""
        wanted = np.flatnonzero(starts < stops)
        starts, stops = starts[wanted], stops[wanted]
        first = np.searchsorted(self.firsts, starts, "right") - 1
        counts = np.searchsorted(self.firsts, stops, "left") - first
        piece = laid_out(first, counts)
        low = np.maximum(np.repeat(starts, counts), self.firsts[piece])
        high = np.minimum(np.repeat(stops, counts), self.firsts[piece + 1])
        item = self.dtype.itemsize
        offsets = self.offsets[piece] + (low - self.firsts[piece]) * item
        return self.source.ranges(offsets, (high - low) * item).view(self.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class PieceRows:
    """Channels that lie apart from each other, each in pieces.

    Attributes
    ----------
    channels : sequence of Pieces
        The channels; all of one type.
    first : int
        Sample of theirs that is the first row.
    """

    channels: Sequence[Pieces]
    first: int = 0

    def gather(
        self, starts: NDArray[np.int64], counts: Counts, channels: Channels = None
    ) -> NDArray[Any]:
        """Read short ranges of rows: see `EvenRows.gather`."""
        chosen = self.channels if channels is None else [self.channels[at] for at in channels]
        begin = self.first + starts
        end = begin + counts
        table = np.empty((len(chosen), int((end - begin).sum())), self.channels[0].dtype)
        for row, pieces in zip(table, chosen, strict=True):
            row[...] = pieces.ranges(begin, end)
        if isinstance(counts, np.ndarray):
            return table.T
        return table.reshape(len(chosen), len(starts), counts).transpose(1, 2, 0)


SamplePlaces = EvenRows | PieceRows


def sample_places_of(recording: Recording, stream: SignalStream, run: int) -> SamplePlaces | None:
    """Ask the format of a recording where the samples of a run lie; None: it does not say.

    Parameters
    ----------
    recording : Recording
        The recording.
    stream : SignalStream
        One of its signals.
    run : int
        Position among the runs of the stream.
    """
    find = getattr(recording.module, "sample_places", None)
    return None if find is None else find(recording.reading, stream, run)


def taken(values: NDArray[Any], channels: NDArray[np.intp], axis: int) -> NDArray[Any]:
    """Take channels along an axis; one or neighbours without copying."""
    if len(channels) and int(channels[-1]) - int(channels[0]) == len(channels) - 1:
        first = int(channels[0])
        if len(channels) == 1 or bool((np.diff(channels) == 1).all()):
            lead = (slice(None),) * axis
            return values[(*lead, slice(first, first + len(channels)))]
    return values.take(channels, axis)
