"""Fewer points for long signals: minimum and maximum, mean, or one sample of each bin.

Everything here streams: it holds one piece of the signal and the bins. Bins cover the range exactly
(every sample is in one bin) and never cross the border of a run, so that no bin spans a gap.

`bin_edges` and `reduce_pieces` work on plain arrays, and on pieces from anywhere; `downsample` is
what a `Recording` needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.bins import DownsampleMethod, bin_edges, check_method, reduce_pieces
from ephyrus.recording.limits import NullProgress, Progress, pieces, under_way
from ephyrus.recording.recording import Recording
from ephyrus.recording.scale import scaled as to_units
from ephyrus.recording.select import ChannelSelection, channel_positions, item_range
from ephyrus.recording.streams import SignalStream
from ephyrus.recording.times import item_times, run_positions

__all__ = ["DownsampleMethod", "Downsampled", "bin_edges", "downsample", "reduce_pieces"]

PIECE_BYTES = 16 * 2**20  # of stored numbers; larger pieces are not faster
GAP_BYTES = 64 * 2**10  # reading across less than this costs less than a second read


@dataclass(frozen=True, slots=True, eq=False)
class Downsampled:
    """A signal in few points.

    Attributes
    ----------
    method : {"minmax", "mean", "stride"}
        What the values are.
    first, last : ndarray of int64, shape (bins,)
        First and last sample of each bin, as positions in the stream (both belong to the bin).
    run : ndarray of int64, shape (bins,)
        Run of the stream that each bin lies in.
    t_first, t_last : ndarray of float64, shape (bins,)
        Times of these samples in seconds.
    values : ndarray
        For ``"mean"`` and ``"stride"`` of shape (bins, channels); for ``"minmax"`` of shape
        (bins, 2, channels): lowest, then highest. For images (rows, columns) replace channels.
    """

    method: DownsampleMethod
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    run: NDArray[np.int64]
    t_first: NDArray[np.float64]
    t_last: NDArray[np.float64]
    values: NDArray[Any]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Samples in each bin."""
        return self.last - self.first + 1

    @property
    def times(self) -> NDArray[np.float64]:
        """What each value stands for, in seconds: the sample (stride) or the bin's middle."""
        return self.t_first if self.method == "stride" else (self.t_first + self.t_last) / 2

    @property
    def low(self) -> NDArray[Any]:
        """Lowest value of each bin, shape (bins, channels); ``"minmax"`` only."""
        return self._side(0)

    @property
    def high(self) -> NDArray[Any]:
        """Highest value of each bin, shape (bins, channels); ``"minmax"`` only."""
        return self._side(1)

    def _side(self, side: int) -> NDArray[Any]:
        if self.method != "minmax":
            raise ValueError(f'only method="minmax" has low and high values, not {self.method!r}')
        return self.values[:, side]

    def __len__(self) -> int:
        return len(self.first)


def downsample(
    recording: Recording,
    stream: int | str | SignalStream,
    bins: int,
    *,
    start: int = 0,
    stop: int | None = None,
    channels: ChannelSelection = None,
    method: DownsampleMethod = "minmax",
    scaled: bool = True,
    max_bytes: int = PIECE_BYTES,
    progress: Progress | None = None,
) -> Downsampled:
    """Give a signal, or a range of it, in few points.

    Parameters
    ----------
    recording : Recording
        What to read from.
    stream : int, str or SignalStream
        Which signal.
    bins : int
        Number of bins. There are as many bins as samples if there are fewer samples, and as many as
        runs if there are more runs.
    start, stop : int
        Half-open sample range; `stop` None: to the end.
    channels : int, str, slice or sequence, optional
        Positions, names, or a mask (default: all).
    method : {"minmax", "mean", "stride"}
        Lowest and highest value of each bin (nothing that stands out is lost: for drawing), the
        mean, or the first sample.
    scaled : bool
        Give physical units; False: stored numbers.
    max_bytes : int
        Most bytes of stored numbers held at a time (at least one sample is).
    progress : Progress, optional
        Told about bytes read; cancels.

    Returns
    -------
    Downsampled
        Values are of the dtype that `Recording.read_scaled` gives (stored numbers: of the stream's
        dtype); means are float64. NaNs are left out of their bins; a bin of NaNs only is NaN.

    Raises
    ------
    ValueError
        If `bins` is below 1 or the method is unknown.
    IndexError
        If the range or a channel is not in the stream.
    FormatError
        If the bytes cannot be true.
    Cancelled
        If `progress` says so.

    Notes
    -----
    ``"stride"`` reads single samples where they lie far apart, the other methods read the range
    once. Bins differ by at most one sample in length within a run.
    """
    found = recording.signal(stream)
    check_method(method)
    start, stop = item_range(start, stop, found.length, found.name)
    chosen = channel_positions(found, channels)
    if len(found.item_shape) > 1:  # the one "channel" of images is the whole frame
        chosen = None
    edges = bin_edges(_run_edges(found, start, stop), bins)
    item_shape = found.item_shape if chosen is None else (len(chosen),)
    max_bytes = recording.limits.piece_bytes(max_bytes)
    width = int(np.prod(item_shape, dtype=np.int64)) * found.dtype.itemsize
    spans = (
        _picked_spans(edges[:-1], found.item_bytes)
        if method == "stride"
        else [(start, stop)][: len(edges) - 1]
    )
    cuts = [cut for first, last in spans for cut in pieces(first, last, width, max_bytes)]
    values = reduce_pieces(
        _reported(recording, found, cuts, chosen, progress or NullProgress()),
        edges,
        method,
        dtype=found.dtype,
        item_shape=item_shape,
    )
    if scaled:
        values = _in_units(found, values, chosen, paired=method == "minmax")
    first, last = edges[:-1], edges[1:] - 1
    run = run_positions(found, first)
    return Downsampled(
        method, first, last, run, item_times(found, first), item_times(found, last), values
    )


def _run_edges(stream: SignalStream, start: int, stop: int) -> NDArray[np.int64]:
    """Give the borders of the runs within [start, stop), with both ends."""
    inner = stream.runs["first"]
    inner = inner[(inner > start) & (inner < stop)]
    return np.concatenate([[start], inner, [stop]]).astype(np.int64)


def _picked_spans(picks: NDArray[np.int64], item_bytes: int) -> list[tuple[int, int]]:
    """Join picked positions that are near each other to spans that are read in one go."""
    if not len(picks):
        return []
    far = np.flatnonzero(np.diff(picks) * item_bytes > GAP_BYTES) + 1
    firsts = picks[np.concatenate([[0], far])]
    lasts = picks[np.concatenate([far, [len(picks)]]) - 1] + 1
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _reported(
    recording: Recording,
    stream: SignalStream,
    cuts: list[tuple[int, int]],
    channels: NDArray[np.intp] | None,
    progress: Progress,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Read stored numbers piece by piece and report their bytes."""
    width = stream.item_bytes
    total = sum(last - first for first, last in cuts) * width
    with under_way(progress, total, "B", f"reading {stream.name}"):
        for first, last in cuts:
            yield first, recording.read_signal(stream, first, last, channels)
            progress.advance((last - first) * width)


def _in_units(
    stream: SignalStream, values: NDArray[Any], channels: NDArray[np.intp] | None, *, paired: bool
) -> NDArray[Any]:
    """Scale bins; the lowest stored number is the highest value where the gain is negative."""
    table = stream.channels
    if len(stream.item_shape) > 1:
        result = to_units(values, table.gain[0], table.offset[0])
        return result[:, ::-1] if paired and table.gain[0] < 0 else result
    picked = slice(None) if channels is None else channels
    result = to_units(values, table.gain[picked], table.offset[picked])
    if paired:
        flipped = table.gain[picked] < 0
        result[..., flipped] = result[:, ::-1][..., flipped]
    return result
