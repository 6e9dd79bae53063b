"""Levels of an array that has grown since: they know its first rows, the others are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.binreads import bin_pairs
from ephyrus.recording.extremes import extreme_pairs
from ephyrus.recording.levelmeans import means_of
from ephyrus.recording.levelpairs import pairs_of
from ephyrus.recording.levelquery import Blocks
from ephyrus.recording.rowsource import Rows, pieces_of, spans

__all__ = ["grown_means", "grown_pairs"]

Sums = tuple[NDArray[Any], NDArray[np.int64]]


def grown_pairs(
    levels: Sequence[Blocks], rows: Rows, edges: NDArray[np.int64], length: int
) -> NDArray[Any] | None:
    """Give extremes of bins in order of occurrence.

    Parameters
    ----------
    levels : sequence of Blocks
        Pairs of blocks of the first `length` rows.
    rows : Rows
        The array as it is now.
    edges : ndarray of int64, shape (bins + 1,)
        Borders of the bins, increasing.
    length : int
        Rows that the levels know.

    Returns
    -------
    ndarray or None
        Shape (bins, 2, ...); None: the levels do not help.
    """
    if edges[0] >= length:
        return None
    known = rows.between(0, length)
    if edges[-1] <= length:
        return pairs_of(levels, known, edges)

    def read(part: NDArray[np.int64]) -> NDArray[Any]:
        found = pairs_of(levels, known, part)
        return bin_pairs(rows, part) if found is None else found

    whole = int(np.searchsorted(edges, length, "right")) - 1
    found = [read(edges[: whole + 1])] if whole else []
    if edges[whole] < length:  # a bin of which the levels know the beginning
        ends = read(np.array([edges[whole], length]))
        later = bin_pairs(rows, np.array([length, edges[whole + 1]]))
        both = np.concatenate([ends[0], later[0]])
        found.append(extreme_pairs(both, np.zeros(1, np.int64), np.array([len(both)])))
        whole += 1
    if whole + 1 < len(edges):
        found.append(bin_pairs(rows, edges[whole:]))
    return np.concatenate(found)


def grown_means(
    sums: Sequence[Blocks],
    counts: Sequence[Blocks] | None,
    rows: Rows,
    edges: NDArray[np.int64],
    length: int,
) -> NDArray[np.float64] | None:
    """Give means of bins; NaNs count as nothing.

    Parameters
    ----------
    sums, counts : sequence of Blocks
        As for `means_of`, of the first `length` rows.
    rows, edges, length
        As for `grown_pairs`.

    Returns
    -------
    ndarray of float64 or None
        Shape (bins, ...); None: the levels do not help.
    """
    if edges[0] >= length:
        return None
    known = rows.between(0, length)
    if edges[-1] <= length:
        return means_of(sums, counts, known, edges)
    whole = int(np.searchsorted(edges, length, "right")) - 1
    found: list[NDArray[np.float64]] = []
    if whole:
        means = means_of(sums, counts, known, edges[: whole + 1])
        found.append(_mean(_read_sums(rows, edges[: whole + 1])) if means is None else means)
    if edges[whole] < length:  # a bin of which the levels know the beginning
        first = _known_sums(sums, counts, known, np.array([edges[whole], length]))
        later = _read_sums(rows, np.array([length, edges[whole + 1]]))
        with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
            found.append(_mean((first[0] + later[0], first[1] + later[1])))
        whole += 1
    if whole + 1 < len(edges):
        found.append(_mean(_read_sums(rows, edges[whole:])))
    return np.concatenate(found)


def _mean(sums: Sums) -> NDArray[np.float64]:
    total, number = sums
    result = np.full(total.shape, np.nan)
    np.divide(total, number, out=result, where=number > 0)
    return result


def _known_sums(
    sums: Sequence[Blocks],
    counts: Sequence[Blocks] | None,
    known: Rows,
    edges: NDArray[np.int64],
) -> Sums:
    """Give the sum of one bin that the levels know, and how many of its samples are not NaN."""
    mean = means_of(sums, counts, known, edges)
    if mean is None:
        return _read_sums(known, edges)
    share: NDArray[np.float64] | None = np.ones(mean.shape)
    if counts is not None:  # the share of samples that are not NaN is a mean, too
        there = Rows(
            lambda start, stop: (~np.isnan(known.read(start, stop))).astype(np.int8),
            known.length,
            np.dtype(np.int8),
            known.item_shape,
        )
        share = means_of(counts, None, there, edges)
    if share is None:
        return _read_sums(known, edges)
    number = np.rint(share * (edges[1] - edges[0])).astype(np.int64)
    return np.where(number > 0, mean, 0.0) * number, number


def _read_sums(rows: Rows, edges: NDArray[np.int64]) -> Sums:
    """Add the samples of bins; those of a long bin piece by piece."""
    is_exact = rows.dtype.kind != "f" and rows.dtype.itemsize < 8
    dtype = np.dtype(np.int64 if is_exact else np.float64)
    shape = (len(edges) - 1, *rows.item_shape)
    total, number = np.zeros(shape, dtype), np.zeros(shape, np.int64)
    with np.errstate(invalid="ignore"):
        for a, b in spans(edges, rows.rows_per_piece):
            starts = edges[a:b] - edges[a]  # of a bin that is longer than a piece: its beginning
            for _first, values in pieces_of(rows, int(edges[a]), int(edges[b])):
                there = ~np.isnan(values) if rows.dtype.kind == "f" else np.True_
                plain = np.where(there, values, 0) if rows.dtype.kind == "f" else values
                total[a:b] += np.add.reduceat(plain, starts, axis=0, dtype=dtype)
                counted = np.broadcast_to(there, values.shape)
                number[a:b] += np.add.reduceat(counted, starts, axis=0, dtype=np.int64)
    return total, number
