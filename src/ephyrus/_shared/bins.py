"""Bins over a long array: their borders, and what is kept of each; one piece at a time.

Bins cover a range exactly: every position is in one bin.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "DownsampleMethod",
    "bin_edges",
    "check_method",
    "even_edges",
    "reduce_pieces",
    "thinned",
]

COLUMNS_PER_PIXEL = 4  # points in time that are told apart where there are very many

DownsampleMethod = Literal["minmax", "mean", "stride"]


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
        edges[at : at + share] = first + even_edges(length, share, 0, share)[:-1]
        at += share
    return edges


def even_edges(length: int, bins: int, first: int, last: int) -> NDArray[np.int64]:
    """Give the borders of bins [first, last) among those that cut a range evenly.

    Parameters
    ----------
    length : int
        Items of the whole range.
    bins : int
        Bins of the whole range, 1 or more.
    first, last : int
        Half-open range of bins that are wanted.

    Returns
    -------
    ndarray of int64, shape (last - first + 1,)
        Border j is at ``j * length // bins`` from the beginning of the range.

    Examples
    --------
    >>> even_edges(10, 4, 1, 4)
    array([ 2,  5,  7, 10])
    """
    whole, rest = divmod(length, bins)
    steps = np.arange(first, last + 1)
    return steps * whole + steps * rest // bins  # steps * length // bins, without large products


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
        Position of each piece's first item, and the piece, of shape (items, ...); in order.
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
    ndarray, shape (bins, ...), for ``"minmax"`` (bins, 2, ...)
        Where ``...`` is `item_shape`. Of `dtype`; for ``"mean"`` float64.

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
    check_method(method)
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


def check_method(method: str) -> None:
    """Raise ValueError unless `method` is one of `DownsampleMethod`."""
    if method not in get_args(DownsampleMethod):
        names = ", ".join(map(repr, get_args(DownsampleMethod)))
        raise ValueError(f"method must be one of {names}, not {method!r}")


def thinned(times: NDArray[np.float64], t_start: float, t_stop: float, width: int) -> Any:
    """Choose one time of each quarter of a column, where there are far more than columns.

    Parameters
    ----------
    times : ndarray, shape (item,)
    t_start, t_stop : float
        Stretch of time over which the columns lie.
    width : int
        Columns.

    Returns
    -------
    slice or ndarray of int
        Index of the times that are kept.
    """
    columns = width * COLUMNS_PER_PIXEL
    if len(times) <= 2 * columns:
        return slice(None)
    scale = columns / (t_stop - t_start)
    cells = np.floor((times - t_start) * scale)
    steps = np.diff(cells)
    if np.all(steps >= 0):  # sorted, as almost always: no need to sort again
        return np.flatnonzero(np.concatenate([[True], steps > 0]))
    return np.unique(cells, return_index=True)[1]
