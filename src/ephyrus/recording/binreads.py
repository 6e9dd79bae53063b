"""Extremes of the bins of an array: short ones many at a time, long ones in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.extremes import extreme_pairs, extreme_positions
from ephyrus.recording.rowsource import Rows, pieces_of, spans

__all__ = ["bin_pairs", "bin_positions"]

_FIRST = np.zeros(1, np.int64)


def bin_pairs(rows: Rows, edges: NDArray[np.int64]) -> NDArray[Any]:
    """Read lowest and highest of bins in order of occurrence, shape (bins, 2, *item_shape)."""
    most = rows.rows_per_piece
    result = np.empty((len(edges) - 1, 2, *rows.item_shape), rows.dtype)
    for a, b in spans(edges, most):
        start, stop = int(edges[a]), int(edges[b])
        if stop - start > most:
            result[a] = _pair_of_long(rows, start, stop)
        else:
            local = edges[a : b + 1] - start
            result[a:b] = extreme_pairs(rows.read(start, stop), local[:-1], local[1:])
    return result


def _pair_of_long(rows: Rows, start: int, stop: int) -> NDArray[Any]:
    """Reduce one bin that is longer than a piece: pairs of pieces are a signal again."""
    found = np.empty((0, *rows.item_shape), rows.dtype)
    for _first, values in pieces_of(rows, start, stop):
        ends = extreme_pairs(values, _FIRST, np.array([len(values)]))[0]
        found = np.concatenate([found, ends])
        if len(found) >= 64:
            found = extreme_pairs(found, _FIRST, np.array([len(found)]))[0]
    pair: NDArray[Any] = extreme_pairs(found, _FIRST, np.array([len(found)]))[0]
    return pair


def bin_positions(part: Rows, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tell the rows of lowest and highest of bins, in order of occurrence: (bins, 2, ...)."""
    most = max(1, part.rows_per_piece // 4)
    result = np.empty((len(edges) - 1, 2, *part.item_shape), np.int64)
    for a, b in spans(edges, most):
        start, stop = int(edges[a]), int(edges[b])
        if stop - start > most:
            result[a] = _positions_in_long(part, start, stop)
        else:
            local = edges[a : b + 1] - start
            places = extreme_positions(part.read(start, stop), local[:-1], local[1:])
            result[a:b] = places + start
    return result


def _positions_in_long(part: Rows, start: int, stop: int) -> NDArray[np.int64]:
    """Find the extremes of one bin that is longer than a piece."""
    values = np.empty((0, *part.item_shape), part.dtype)
    rows = np.empty((0, *part.item_shape), np.int64)
    for first, piece in pieces_of(part, start, stop):
        places = extreme_positions(piece, _FIRST, np.array([len(piece)]))[0]
        values = np.concatenate([values, np.take_along_axis(piece, places, axis=0)])
        rows = np.concatenate([rows, places + first])
        best = extreme_positions(values, _FIRST, np.array([len(values)]))[0]
        values = np.take_along_axis(values, best, axis=0)
        rows = np.take_along_axis(rows, best, axis=0)
    return rows
