"""Fewer points for long signals: minimum and maximum, mean, or one sample of each bin.

Everything here streams: it holds one piece of the signal and the bins. Bins cover the range exactly
(every sample is in one bin) and never cross the border of a run, so that no bin spans a gap.

`bin_edges` and `reduce_pieces` work on plain arrays, and on pieces from anywhere; `downsample` is
what a `Recording` needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephyrus.recording.limits import NullProgress, Progress, pieces
from ephyrus.recording.recording import Recording
from ephyrus.recording.scale import scaled as to_units
from ephyrus.recording.select import ChannelSelection, channel_positions, item_range
from ephyrus.recording.streams import SignalStream
from ephyrus.recording.times import item_times, run_positions

__all__ = ["DownsampleMethod", "Downsampled", "bin_edges", "downsample", "reduce_pieces"]

DownsampleMethod = Literal["minmax", "mean", "stride"]

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
    _check_method(method)
    start, stop = item_range(start, stop, found.length, found.name)
    chosen = channel_positions(found, channels)
    if len(found.item_shape) > 1:  # the one "channel" of images is the whole frame
        chosen = None
    edges = bin_edges(_run_edges(found, start, stop), bins)
    item_shape = found.item_shape if chosen is None else (len(chosen),)
    limit = recording.limits.read_bytes
    max_bytes = max_bytes if limit is None else min(max_bytes, limit)
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


def bin_edges(borders: ArrayLike, bins: int) -> NDArray[np.int64]:
    """Cut one or more neighbouring ranges into bins.

    Parameters
    ----------
    borders : array_like of int, shape (ranges + 1,)
        Borders that no bin may cross, not decreasing: first position of each range, and the end of
        the last one. ``[0, n]`` is one range of n samples.
    bins : int
        Number of bins over all ranges. Each range that is not empty gets at least one bin and a
        share that follows its length.

    Returns
    -------
    ndarray of int64, shape (bins given + 1,)
        Bin j holds the positions ``edges[j]`` to ``edges[j + 1] - 1``. A range of n samples and m
        bins has its borders at ``j * n // m`` from its beginning.

    Raises
    ------
    ValueError
        If `bins` is below 1 or the borders decrease.

    Examples
    --------
    >>> bin_edges([0, 10], 4)
    array([ 0,  2,  5,  7, 10])
    >>> bin_edges([0, 8, 10], 4)
    array([ 0,  2,  5,  8, 10])
    """
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, not {bins}")
    given = np.asarray(borders, np.int64)
    if len(given) < 2 or np.any(np.diff(given) < 0):
        raise ValueError("borders of ranges are two or more positions that do not decrease")
    limits = np.unique(given)
    lengths = np.diff(limits)
    shares = _shares(lengths, bins)
    edges = np.empty(int(shares.sum()) + 1, np.int64)
    edges[-1] = limits[-1]
    at = 0
    for first, length, share in zip(
        limits[:-1].tolist(), lengths.tolist(), shares.tolist(), strict=True
    ):
        whole, rest = divmod(length, share)
        steps = np.arange(share)  # step * length // share, without the large product
        edges[at : at + share] = first + steps * whole + steps * rest // share
        at += share
    return edges


def _shares(lengths: NDArray[np.int64], bins: int) -> NDArray[np.int64]:
    """Share bins among ranges by length: one at least, one per sample at most."""
    if bins >= lengths.sum():
        return lengths
    shares = np.ones(len(lengths), np.int64)
    if bins <= len(lengths):
        return shares
    exact = lengths.astype(object)  # whole numbers of any size
    short = np.zeros(len(lengths), bool)
    while True:  # ranges shorter than a bin get one, the others share what is left
        left, total = bins - int(short.sum()), exact[~short].sum()
        more = ~short & (exact * left < total).astype(bool)
        if not more.any():
            break
        short |= more
    products = exact[~short] * left
    quotas = products // total
    order = np.argsort((-(products % total)).astype(np.float64), kind="stable")
    quotas[order[: left - quotas.sum()]] += 1
    shares[~short] = quotas.astype(np.int64)
    return shares


def reduce_pieces(
    chunks: Iterable[tuple[int, NDArray[Any]]],
    edges: ArrayLike,
    method: DownsampleMethod = "minmax",
    *,
    dtype: np.dtype[Any],
    item_shape: tuple[int, ...] = (),
) -> NDArray[Any]:
    """Reduce pieces of an array to bins along their first axis.

    Parameters
    ----------
    chunks : iterable of (int, ndarray)
        Position of each piece's first item, and the piece, of shape (items, *item_shape); in order.
        Together they must hold every position of the bins (``"stride"``: the first of each bin).
    edges : array_like of int, shape (bins + 1,)
        As `bin_edges` gives them: increasing.
    method : {"minmax", "mean", "stride"}
        What to give for each bin.
    dtype : numpy.dtype
        Type of the items.
    item_shape : tuple of int
        Shape of one item.

    Returns
    -------
    ndarray, shape (bins, *item_shape), for ``"minmax"`` (bins, 2, *item_shape)
        Of `dtype`; for ``"mean"`` float64.

    Raises
    ------
    ValueError
        If the method is unknown, or an item is missing.

    Examples
    --------
    >>> data = np.array([3, 1, 2, 5, 4, 9])
    >>> pieces_of_data = [(0, data[:4]), (4, data[4:])]
    >>> reduce_pieces(pieces_of_data, [0, 3, 6], dtype=data.dtype)
    array([[1, 3],
           [4, 9]])
    >>> reduce_pieces([(0, data)], [0, 3, 6], "mean", dtype=data.dtype)
    array([2., 6.])
    """
    _check_method(method)
    limits = np.asarray(edges, np.int64)
    if method == "stride":
        return _picked(chunks, limits[:-1], np.empty((len(limits) - 1, *item_shape), dtype))
    state = (_MinMax if method == "minmax" else _Mean)(len(limits) - 1, item_shape, dtype)
    position = int(limits[0])
    for first, chunk in chunks:
        if first != position:
            raise ValueError(f"a piece begins at {first}, expected {position}")
        position += len(chunk)
        if len(chunk) == 0:
            continue
        begin = int(np.searchsorted(limits, first, "right")) - 1
        end = int(np.searchsorted(limits, position, "left"))
        starts = np.maximum(limits[begin:end] - first, 0)
        if position > limits[-1]:
            raise ValueError(f"a piece ends at {position}, the last bin at {limits[-1]}")
        state.add(slice(begin, end), chunk, starts)
    if position != limits[-1]:
        raise ValueError(f"the pieces end at {position}, the last bin at {limits[-1]}")
    return state.result()


class _MinMax:
    """Lowest and highest value of each bin; NaNs count as nothing."""

    def __init__(self, bins: int, item_shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.values = np.empty((bins, 2, *item_shape), dtype)
        floating = dtype.kind == "f"
        self.lower: np.ufunc = np.fmin if floating else np.minimum
        self.upper: np.ufunc = np.fmax if floating else np.maximum
        if floating:
            self.values[...] = np.nan
        elif dtype.kind == "b":
            self.values[:, 0], self.values[:, 1] = True, False
        else:
            self.values[:, 0], self.values[:, 1] = np.iinfo(dtype).max, np.iinfo(dtype).min

    def add(self, bins: slice, chunk: NDArray[Any], starts: NDArray[np.int64]) -> None:
        low, high = self.values[bins, 0], self.values[bins, 1]
        self.lower(low, self.lower.reduceat(chunk, starts, axis=0), out=low)
        self.upper(high, self.upper.reduceat(chunk, starts, axis=0), out=high)

    def result(self) -> NDArray[Any]:
        return self.values


class _Mean:
    """Mean of each bin in float64; NaNs count as nothing."""

    def __init__(self, bins: int, item_shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.sums = np.zeros((bins, *item_shape))
        self.counts = np.zeros((bins, *item_shape), np.int64)
        self.floating = dtype.kind == "f"

    def add(self, bins: slice, chunk: NDArray[Any], starts: NDArray[np.int64]) -> None:
        missing = np.isnan(chunk) if self.floating else None
        if missing is None or not missing.any():
            lengths = np.diff(starts, append=len(chunk))
            self.counts[bins] += lengths.reshape(-1, *[1] * (chunk.ndim - 1))
        else:
            chunk = np.where(missing, 0, chunk)
            self.counts[bins] += np.add.reduceat(~missing, starts, axis=0, dtype=np.int64)
        with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
            self.sums[bins] += np.add.reduceat(chunk, starts, axis=0, dtype=np.float64)

    def result(self) -> NDArray[np.float64]:
        means = np.full(self.sums.shape, np.nan)
        np.divide(self.sums, self.counts, out=means, where=self.counts > 0)
        return means


def _picked(
    chunks: Iterable[tuple[int, NDArray[Any]]], picks: NDArray[np.int64], out: NDArray[Any]
) -> NDArray[Any]:
    """Take single positions from pieces; pieces between the positions may be left out."""
    done = 0
    for first, chunk in chunks:
        end = int(np.searchsorted(picks, first + len(chunk), "left"))
        if done < end and picks[done] < first:
            break
        out[done:end] = chunk[picks[done:end] - first]
        done = end
    if done < len(picks):
        raise ValueError(f"the pieces do not hold position {picks[done]}")
    return out


def _check_method(method: str) -> None:
    if method not in get_args(DownsampleMethod):
        names = ", ".join(map(repr, get_args(DownsampleMethod)))
        raise ValueError(f"method must be one of {names}, not {method!r}")


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
    progress.start(sum(last - first for first, last in cuts) * width, "B", f"reading {stream.name}")
    try:
        for first, last in cuts:
            yield first, recording.read_signal(stream, first, last, channels)
            progress.advance((last - first) * width)
    finally:
        progress.finish()


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
