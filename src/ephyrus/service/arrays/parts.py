"""The part of an array that a request asks for: rows, channels, fewer points, physical values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.rowsource import Rows
from ephyrus.recording.thinning import Kind, positions, thin
from ephyrus.service.arrays.opening import OpenArray
from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.errors import ServiceError

__all__ = ["Choice", "choose", "chosen_positions"]

Attributes = Mapping[str, str | int | float | None]
Read = Callable[[int, int], NDArray[Any]]


@dataclass(slots=True, eq=False)
class Choice:
    """What is wanted of an array.

    Attributes
    ----------
    start, stop : int
        Half-open range of rows within the array.
    places : ndarray of int64, shape (rows,), or None
        Rows one by one, in place of the range.
    channels : ndarray of intp or None
        Positions along axis 1; None: all.
    points : int or None
        Points that the rows are reduced to; None, or not less than there are rows: none is lost.
    kind : str
        Kind of downsampling.
    is_scaled : bool
        Give physical values; False: stored numbers.
    dtype : numpy.dtype or None
        Type of the values; None: as they are.
    """

    start: int
    stop: int
    places: NDArray[np.int64] | None = None
    channels: NDArray[np.intp] | None = None
    points: int | None = None
    kind: Kind = "mean"
    is_scaled: bool = True
    dtype: np.dtype[Any] | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.stop - self.start if self.places is None else len(self.places)

    @property
    def is_thinned(self) -> bool:
        """There are fewer points than rows."""
        return self.points is not None and self.points < self.count


def choose(
    array: OpenArray, choice: Choice, *, name: str, attributes: Attributes | None = None
) -> ArrayPart:
    """Give a part of an array; nothing is read yet.

    Parameters
    ----------
    array : OpenArray
        The array.
    choice : Choice
        What is wanted of it.
    name : str
        Name of the part.
    attributes : mapping, optional
        Facts of the array.

    Raises
    ------
    ServiceError
        ``wrong_params``: text cannot be reduced or given another type, the array has no channels,
        or the range is too long for the kind of downsampling.
    """
    _check(array, choice)
    read, dtype, items = _thinned(array, choice) if choice.is_thinned else _plain(array, choice)
    count = choice.points if choice.is_thinned and choice.points is not None else choice.count
    if choice.dtype is not None and choice.dtype != dtype:
        read, dtype = _converting(read, choice.dtype), choice.dtype
    return ArrayPart(name, dtype, (count, *items), read, attributes or {})


def chosen_positions(array: OpenArray, choice: Choice) -> NDArray[np.int64]:
    """Tell which rows of the array the points are: for ``times=1``.

    Returns
    -------
    ndarray of int64
        Shape (points,), or that of the part where each channel has rows of its own.

    Raises
    ------
    ServiceError
        ``wrong_params``: the points of this kind are not rows of the array.
    """
    if not choice.is_thinned or choice.points is None:
        return np.arange(choice.start, choice.stop) if choice.places is None else choice.places
    rows, start, stop = _source(array, choice)
    try:
        found = positions(rows, choice.points, choice.kind, start=start, stop=stop)
    except ValueError as error:
        raise _wrong("times" if "no positions" in str(error) else "kind", str(error)) from error
    return found if choice.places is None else choice.places[found]


def _wrong(name: str, text: str) -> ServiceError:
    return ServiceError("wrong_params", f"{text[:1].upper()}{text[1:]}.", details=name)


def _check(array: OpenArray, choice: Choice) -> None:
    if choice.channels is not None and len(array.shape) < 2:
        raise _wrong("channels", "the array has one dimension: it has no channels to choose")
    if array.dtype.kind in "iufb":
        return
    if choice.is_thinned:
        raise _wrong("downsample", "the array holds text, which cannot be downsampled")
    if choice.dtype is not None:
        raise _wrong("dtype", "the array holds text, which has no other type")


def _plain(array: OpenArray, choice: Choice) -> tuple[Read, np.dtype[Any], tuple[int, ...]]:
    """Read rows as they are."""
    channels, start, places = choice.channels, choice.start, choice.places
    items = array.shape[1:] if channels is None else (len(channels), *array.shape[2:])
    scaled = array.read_scaled if choice.is_scaled else None
    dtype = array.dtype if scaled is None else array.scaled_dtype
    if places is not None:
        rows = array.rows(channels)

        def read_places(first: int, last: int) -> NDArray[Any]:
            values = _at(rows, places[first:last])
            return values if scaled is None else _physical(array, values, channels, dtype)

        return read_places, dtype, items
    source = array.read if scaled is None else scaled

    def read(first: int, last: int) -> NDArray[Any]:
        return source(start + first, start + last, channels)

    return read, dtype, items


def _thinned(array: OpenArray, choice: Choice) -> tuple[Read, np.dtype[Any], tuple[int, ...]]:
    """Reduce stored numbers to points, and scale these."""
    rows, start, stop = _source(array, choice)
    levels = None
    if array.levels is not None and choice.places is None:
        levels = array.levels.of(choice.channels)
    try:
        thinned = thin(rows, choice.points or 1, choice.kind, start=start, stop=stop, levels=levels)
    except ValueError as error:
        raise _wrong("kind", str(error)) from error
    if not choice.is_scaled or array.gain is None:
        return thinned.read, thinned.dtype, rows.item_shape
    picked = thinned.dtype == array.dtype and choice.kind not in ("mean", "resample", "decimate")
    dtype = array.scaled_dtype if picked else np.dtype(np.float64)

    def read(first: int, last: int) -> NDArray[Any]:
        return _physical(array, thinned.read(first, last), choice.channels, dtype)

    return read, dtype, rows.item_shape


def _source(array: OpenArray, choice: Choice) -> tuple[Rows, int, int]:
    """Give what is reduced: rows, and the range of them."""
    rows, places = array.rows(choice.channels), choice.places
    if places is None:
        return rows, choice.start, choice.stop

    def read(first: int, last: int) -> NDArray[Any]:
        return _at(rows, places[first:last])

    return Rows(read, len(places), rows.dtype, rows.item_shape), 0, len(places)


def _at(rows: Rows, places: NDArray[np.int64]) -> NDArray[Any]:
    """Read rows one by one, in any order."""
    if len(places) == 0:
        return rows.read(0, 0)
    low, high = int(places.min()), int(places.max())
    if high - low < max(4 * len(places), 1024) and high - low < 4 * rows.rows_per_piece:
        return np.ascontiguousarray(rows.read(low, high + 1)[places - low])
    order = np.argsort(places, kind="stable")
    values = rows.many(places[order], 1)[:, 0]
    result = np.empty_like(values)
    result[order] = values
    return result


def _physical(
    array: OpenArray, values: NDArray[Any], channels: Any, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Scale stored numbers; the channels lie along axis 1."""
    gain, offset = array.gain, array.offset
    if gain is None:
        return values.astype(dtype, copy=False)
    zero = np.zeros_like(gain) if offset is None else offset
    if channels is not None and gain.size > 1:
        gain, zero = gain[channels], zero[channels]
    if values.ndim > 1 and gain.size > 1:
        shape = (-1, *[1] * (values.ndim - 2))
        gain, zero = gain.reshape(shape), zero.reshape(shape)
    return (values * gain + zero).astype(dtype, copy=False)


def _converting(read: Read, dtype: np.dtype[Any]) -> Read:
    """Give values another type: whole numbers are rounded and kept within their limits."""

    def converted(first: int, last: int) -> NDArray[Any]:
        values = read(first, last)
        if dtype.kind == "f" or (values.dtype.kind != "f" and np.can_cast(values.dtype, dtype)):
            return values.astype(dtype)
        limits = np.iinfo(dtype)
        if values.dtype.kind == "f":
            # the largest float that is not above the limit: int64 and uint64 end at 2**63, 2**64
            top = np.nextafter(np.float64(limits.max) + 1, 0) if limits.bits == 64 else limits.max
            values = np.clip(
                np.rint(np.nan_to_num(values.astype(np.float64), nan=0.0)), limits.min, top
            )
            return values.astype(dtype)
        own = np.iinfo(values.dtype) if values.dtype.kind in "iu" else limits
        low, high = max(limits.min, own.min), min(limits.max, own.max)
        return np.clip(values, low, high).astype(dtype)

    return converted
