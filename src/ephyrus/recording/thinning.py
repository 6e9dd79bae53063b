"""Exactly so many points of a long array: seven ways, each read piece by piece.

Everything works on :class:`Rows`: any array that gives ranges of rows. What comes out is
:class:`Thinned`, which gives ranges of points; both are read in any order and from any thread, and
hold one piece at a time. Point j of M of a range of n samples stands for the samples
``j * n // M`` to ``(j + 1) * n // M - 1``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.bins import even_edges, reduce_pieces
from ephyrus.recording.binreads import bin_pairs, bin_positions
from ephyrus.recording.rowsource import PIECE_VALUES, Rows, pieces_of, spans
from ephyrus.recording.spectral import decimated, resampled
from ephyrus.recording.triangles import lttb_positions, minmaxlttb_positions

__all__ = ["KINDS", "Kind", "PairSource", "Rows", "Thinned", "positions", "thin"]

Kind = Literal["mean", "stride", "minmax", "lttb", "minmaxlttb", "resample", "decimate"]
KINDS: tuple[Kind, ...] = get_args(Kind)

GAP_BYTES = 16 * 2**10  # reading across so much costs less than reading twice
MAX_CHOSEN = 2**20  # points x channels that are chosen one by one, and held
MAX_LINE = 100_000  # points of a line of triangles, which are chosen one after the other


class PairSource(Protocol):
    """What knows extremes and sums of long stretches: see `ephyrus.recording.levels`."""

    def pairs(self, rows: Rows, edges: NDArray[np.int64]) -> NDArray[Any] | None:
        """Give extremes of bins in order of occurrence, (bins, 2, ...); None: bins too short."""

    def means(self, rows: Rows, edges: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Give means of bins, (bins, ...); None: bins too short."""


@dataclass(frozen=True, slots=True)
class Thinned:
    """An array in few points, read in ranges of points.

    Attributes
    ----------
    read : callable
        ``read(first, last)`` gives points [first, last), shape ``(last - first, *shape[1:])``.
    shape : tuple of int
        Points, then as a row of the array.
    dtype : numpy.dtype
        Type of the values.
    """

    read: Callable[[int, int], NDArray[Any]]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def thin(
    rows: Rows,
    points: int,
    kind: Kind = "mean",
    *,
    start: int = 0,
    stop: int | None = None,
    levels: PairSource | None = None,
) -> Thinned:
    """Give a range of an array in fewer points.

    Parameters
    ----------
    rows : Rows
        The array.
    points : int
        How many points. As many as there are samples, or more: the samples themselves.
    kind : str
        One of `KINDS`: ``"mean"`` of each bin, NaNs left out; ``"stride"``, the first sample of
        each bin; ``"minmax"``, lowest and highest of each of ``points // 2`` bins in order of
        occurrence (an odd number of points ends with the last sample of the range, so that one
        point is that sample); ``"lttb"``, largest triangle of three buckets; ``"minmaxlttb"``, the
        same among the extremes of finer bins; ``"resample"`` by Fourier transform of the whole
        range; ``"decimate"``, a zero-phase low-pass filter, then every so many samples.
    start, stop : int
        Half-open range of rows; `stop` None: to the end.
    levels : PairSource, optional
        Precomputed extremes and sums of the whole array, for ``"minmax"`` and ``"mean"``.

    Returns
    -------
    Thinned
        Of the dtype of the array where samples are picked, else float64.

    Raises
    ------
    ValueError
        If the kind is unknown, there is less than one point, or the range is too large for the
        kind: the message says how large it may be.
    """
    if kind not in KINDS:
        names = ", ".join(map(repr, KINDS))
        raise ValueError(f"kind must be one of {names}, not {kind!r}")
    if points < 1:
        raise ValueError(f"points must be 1 or more, not {points}")
    end = rows.length if stop is None else stop
    part = rows.between(start, end)
    if points >= part.length:
        return Thinned(part.read, (part.length, *rows.item_shape), rows.dtype)
    shape = points, *rows.item_shape
    if kind == "mean":
        return Thinned(_Means(rows, start, end, points, levels), shape, np.dtype(np.float64))
    if kind == "stride":
        return Thinned(_Strides(part, points), shape, rows.dtype)
    if kind == "minmax":
        return Thinned(_MinMax(rows, start, end, points, levels), shape, rows.dtype)
    if kind == "decimate":
        return Thinned(decimated(part, points), shape, np.dtype(np.float64))
    if kind == "resample":
        return _held(resampled(part, points))
    return _held(part.at(positions(rows, points, kind, start=start, stop=stop) - start))


def positions(
    rows: Rows, points: int, kind: Kind, *, start: int = 0, stop: int | None = None
) -> NDArray[np.int64]:
    """Tell which rows the points are, for kinds that pick samples.

    Parameters
    ----------
    rows, points, kind, start, stop
        As for `thin`.

    Returns
    -------
    ndarray of int64, shape (points,) for ``"stride"``, else ``(points, *item_shape)``
        Positions in the array, increasing along the first axis.

    Raises
    ------
    ValueError
        If the kind does not pick samples, or there are too many points.
    """
    end = rows.length if stop is None else stop
    part = rows.between(start, end)
    if points >= part.length:
        return np.arange(start, end)
    if kind == "stride":
        return even_edges(part.length, points, 0, points)[:-1] + start
    if points * rows.width > MAX_CHOSEN:
        raise ValueError(
            f"{points:,} points of {rows.width:,} channels are too many to be chosen one by one: "
            f"at most {MAX_CHOSEN:,} in all; ask for fewer points, or for mean, minmax or stride"
        )
    if kind == "minmax":
        return _minmax_positions(part, points) + start
    if kind in ("lttb", "minmaxlttb") and points > MAX_LINE:
        raise ValueError(
            f"kind={kind} chooses one point after the other, at most {MAX_LINE:,}, not {points:,}; "
            "ask for fewer points, or for mean, minmax or stride"
        )
    if kind == "lttb":
        return lttb_positions(part, points) + start
    if kind == "minmaxlttb":
        return minmaxlttb_positions(part, points) + start
    raise ValueError(f"kind={kind} gives no samples of the array: its points have no positions")


def _held(values: NDArray[Any]) -> Thinned:
    return Thinned(lambda first, last: values[first:last], values.shape, values.dtype)


@dataclass(frozen=True, slots=True)
class _Means:
    """Means of bins."""

    rows: Rows
    start: int
    stop: int
    points: int
    levels: PairSource | None

    def __call__(self, first: int, last: int) -> NDArray[np.float64]:
        rows = self.rows
        edges = even_edges(self.stop - self.start, self.points, first, last) + self.start
        result = np.empty((last - first, *rows.item_shape))
        step = max(1, PIECE_VALUES // 32 // max(1, rows.width))
        for at in range(0, last - first, step):
            part = edges[at : at + step + 1]
            known = None if self.levels is None else self.levels.means(rows, part)
            result[at : at + step] = self._read(part) if known is None else known
        return result

    def _read(self, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        rows = self.rows
        found: NDArray[np.float64] = reduce_pieces(
            pieces_of(rows, int(edges[0]), int(edges[-1])),
            edges,
            "mean",
            dtype=rows.dtype,
            item_shape=rows.item_shape,
        )
        return found


@dataclass(frozen=True, slots=True)
class _Strides:
    """First samples of bins."""

    part: Rows
    points: int

    def __call__(self, first: int, last: int) -> NDArray[Any]:
        part = self.part
        places = even_edges(part.length, self.points, first, last)[:-1]
        spacing = part.length // self.points * part.width * part.dtype.itemsize
        if spacing > GAP_BYTES:
            return part.many(places, 1)[:, 0]
        result = np.empty((last - first, *part.item_shape), part.dtype)
        for a, b in spans(places, part.rows_per_piece):
            result[a:b] = part.read(int(places[a]), int(places[b - 1]) + 1)[places[a:b] - places[a]]
        if last > first:  # the spans end where the last point begins
            result[-1:] = part.read(int(places[-1]), int(places[-1]) + 1)
        return result


@dataclass(frozen=True, slots=True)
class _MinMax:
    """Lowest and highest of bins, in order of occurrence."""

    rows: Rows
    start: int
    stop: int
    points: int
    levels: PairSource | None

    def __call__(self, first: int, last: int) -> NDArray[Any]:
        rows, bins = self.rows, self.points // 2
        result = np.empty((last - first, *rows.item_shape), rows.dtype)
        if last == self.points > 2 * bins:
            result[-1:] = rows.read(self.stop - 1, self.stop)
            last -= 1
        step = max(1, PIECE_VALUES // 8 // max(1, rows.width))
        for at in range(first // 2, -(-last // 2), step):
            end = min(at + step, -(-last // 2))
            pairs = self._pairs(even_edges(self.stop - self.start, bins, at, end) + self.start)
            points = pairs.reshape(-1, *rows.item_shape)
            a, b = max(first, 2 * at), min(last, 2 * end)
            result[a - first : b - first] = points[a - 2 * at : b - 2 * at]
        return result

    def _pairs(self, edges: NDArray[np.int64]) -> NDArray[Any]:
        known = None if self.levels is None else self.levels.pairs(self.rows, edges)
        return bin_pairs(self.rows, edges) if known is None else known


def _minmax_positions(part: Rows, points: int) -> NDArray[np.int64]:
    """Tell which rows the extremes are."""
    bins = points // 2
    result = np.empty((points, *part.item_shape), np.int64)
    if bins:
        edges = even_edges(part.length, bins, 0, bins)
        pairs = bin_positions(part, edges)
        result[: 2 * bins] = pairs.reshape(2 * bins, *part.item_shape)
    if points > 2 * bins:
        result[-1] = part.length - 1
    return result
