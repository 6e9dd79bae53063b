"""Data that come in pieces: iterators and dask arrays, written in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.nix import storage
from ephyrus.nix.data_set import grow

__all__ = ["Pieces", "first_and_rest", "write_pieces"]

_PIECE = 2**25  # bytes of a dask array that are calculated at a time


@dataclass(frozen=True)
class Pieces:
    """Data as they are given: the first piece, and an iterator over those that follow.

    Attributes
    ----------
    first : ndarray or None
        None if there are no data.
    rest : iterator of ndarray
        Each follows the one before on the first axis.
    shape : tuple of int or None
        Of all data, if it is known.
    """

    first: NDArray[Any] | None
    rest: Iterator[NDArray[Any]]
    shape: tuple[int, ...] | None


def _array(data: Any, dtype: Any) -> NDArray[Any]:
    """Give one piece as an array."""
    if dtype is not None and storage.file_type(dtype)[1] is storage.TEXT_DTYPE:
        array = np.asarray(data, object)
    else:
        array = np.asarray(data)
    is_unclear = array.dtype.kind == "O" and dtype is None
    if is_unclear and not all(isinstance(each, str | bytes) for each in array.ravel()):
        raise TypeError("data of Python objects that are not all texts cannot be kept in a file")
    if array.dtype.names is not None:
        raise TypeError("a data array has no columns; use create_data_frame for a table")
    return array.reshape(1) if array.ndim == 0 else array


def _dask_pieces(data: Any) -> Iterator[Any]:
    """Cut a dask array along its first axis."""
    row = data.dtype.itemsize * int(np.prod(data.shape[1:], dtype=object))
    step = max(1, _PIECE // max(1, row))
    for start in range(0, max(1, data.shape[0]), step):
        yield np.asarray(data[start : start + step])


def first_and_rest(data: Any, dtype: Any) -> Pieces:
    """Take the first piece of data.

    Raises
    ------
    ValueError
        If an iterator is empty.
    TypeError
        If they are Python objects other than texts. The pieces that follow raise it when one has
        values that do not fit into the type of the first, unless `dtype` is given.
    """
    if data is None:
        return Pieces(None, iter(()), None)
    if type(data) is np.ndarray and dtype is None and data.ndim and data.dtype.kind in "biuf":
        return Pieces(data, iter(()), data.shape)
    is_dask = hasattr(data, "dask") and hasattr(data, "compute")
    if is_dask and data.ndim:
        found: Iterator[Any] = _dask_pieces(data)
    elif isinstance(data, Iterator):
        found = data
    else:
        array = _array(data, dtype)
        return Pieces(array, iter(()), array.shape)
    try:
        first = _array(next(found), dtype)
    except StopIteration:
        raise ValueError("the iterator that was given as data has no array") from None
    rest = (_array(each, dtype) for each in found)
    if dtype is None:
        rest = (_fitting(each, first.dtype) for each in rest)
    return Pieces(first, rest, data.shape if is_dask else None)


def _fitting(piece: NDArray[Any], kept: np.dtype[Any]) -> NDArray[Any]:
    """Give a piece back if its values can be kept in the type of the first."""
    if kept.kind in "OUST" or (kept.kind in "fc" and np.can_cast(piece.dtype, kept, "same_kind")):
        return piece
    if piece.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):
            is_same = np.array_equal(piece.astype(kept), piece)
        if is_same:
            return piece
    raise TypeError(
        f"a piece of {piece.dtype} has values that do not fit into {kept}, the type of the first "
        "piece; give the type of all by dtype="
    )


def write_pieces(did: Any, pieces: Pieces) -> None:
    """Append the pieces that follow the first.

    Raises
    ------
    ValueError
        If one has other lengths on the axes beside the first.
    """
    for piece in pieces.rest:
        stored, shape = storage.memory_dtype(did), did.shape
        if piece.shape[1:] != shape[1:]:
            raise ValueError(
                f"a piece of the shape {piece.shape} does not follow one of the shape {shape}"
            )
        is_text = stored is storage.TEXT_DTYPE
        grow(did, storage.text_array(piece) if is_text else np.ascontiguousarray(piece, stored))
