"""Views: parts of data arrays that are read when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from operator import index as as_index
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ephyrus.nix.exceptions import InvalidSlice, OutOfBounds

if TYPE_CHECKING:
    from ephyrus.nix.axes import Axis

__all__ = ["DataView"]

_ALL = slice(None)


class DataView:
    """A part of a data array; what is written goes through to the array.

    Parameters
    ----------
    array : DataArray or DataFrame
        Whose part it is.
    slices : sequence of slice or None
        One for each axis, with start and stop inside of the data; None for a view of nothing.
    message : str
        Why it is a view of nothing.
    is_inside : bool
        Whether the slices are known to lie inside of the data.

    Attributes
    ----------
    array : DataArray
        As given.
    debug_message : str
        As given.
    """

    def __init__(
        self,
        array: Any,
        slices: Sequence[slice] | None,
        message: str = "",
        *,
        is_inside: bool = False,
    ) -> None:
        self.array = array
        self.debug_message = message
        self._slices: tuple[slice, ...] | None = None
        if slices is not None:
            self._slices = tuple(slices) if is_inside else self._checked(tuple(slices))

    def _checked(self, slices: tuple[slice, ...]) -> tuple[slice, ...]:
        shape = self.array.shape
        if len(slices) != len(shape):
            raise OutOfBounds(
                f"{len(slices)} slices do not select a part of data of the shape {shape}"
            )
        for each, length in zip(slices, shape, strict=True):
            if not 0 <= each.start <= each.stop <= length:
                raise OutOfBounds(
                    f"the part {each.start}:{each.stop} is outside of data of the shape {shape}"
                )
        return slices

    @property
    def valid(self) -> bool:
        """Whether there is data; `debug_message` tells why not."""
        return self._slices is not None

    @property
    def slices(self) -> tuple[slice, ...] | None:
        """The part of the array on each axis."""
        return self._slices

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Length of each axis; None if the view is of nothing."""
        if self._slices is None:
            return None
        return tuple(each.stop - each.start for each in self._slices)

    @property
    def data_extent(self) -> tuple[int, ...] | None:
        """Length of each axis, as :attr:`shape`."""
        return self.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values as stored."""
        dtype = self.array.dtype  # of a data frame one for each column
        found: np.dtype[Any] = self.array.data_type if isinstance(dtype, tuple) else dtype
        return found

    @property
    def data_type(self) -> Any:
        """Type of the values as stored, ``DataType.String`` for text."""
        return self.array.data_type

    @property
    def size(self) -> int:
        """Number of values."""
        shape = self.shape
        return 0 if shape is None else math.prod(shape)

    def __len__(self) -> int:
        shape = self.shape
        return shape[0] if shape else 0

    def __bool__(self) -> bool:
        return True

    @property
    def unit(self) -> str | None:
        """Unit of the values; None for rows of a data frame, whose columns have their own."""
        found: str | None = getattr(self.array, "unit", None)
        return found

    @property
    def label(self) -> str | None:
        """What the values are; None for rows of a data frame."""
        found: str | None = getattr(self.array, "label", None)
        return found

    @property
    def dimensions(self) -> list[Axis]:
        """The axes of the part, with the offset, ticks and labels of its items.

        They have ``index_of``, ``range_indices``, ``positions(start, stop)``, ``unit``, ``label``.
        Rows of a data frame have none.
        """
        if self._slices is None or not hasattr(self.array, "dimensions"):
            return []
        axes = [dimension._axis() for dimension in self.array.dimensions]
        return [
            axis.slice(each.start, each.stop)
            for axis, each in zip(axes, self._slices, strict=False)
        ]

    # --- values ---

    def _absolute(self, key: Any) -> tuple[Any, ...]:
        """Give the place in the array for a place in the view."""
        if key is Ellipsis or (isinstance(key, slice) and key == _ALL):
            return self._slices or ()
        shape = self.shape or ()
        keys = key if isinstance(key, tuple) else (key,)
        if sum(each is Ellipsis for each in keys) > 1:
            raise IndexError("only one ellipsis (...) is possible")
        if not any(each is Ellipsis for each in keys):
            keys = (*keys, Ellipsis)
        place = next(number for number, each in enumerate(keys) if each is Ellipsis)
        missing = len(shape) - (len(keys) - 1)
        if missing < 0:
            raise OutOfBounds(f"{len(keys) - 1} indices for a view of the shape {shape}", key)
        keys = (*keys[:place], *[slice(None)] * missing, *keys[place + 1 :])
        bounds = self._slices or ()
        return tuple(map(_absolute_key, keys, bounds))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if self._slices is None:
            return np.empty(0, self.dtype)
        values: NDArray[Any] = self.array[self._absolute(key)]
        return values

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._slices is None:
            raise InvalidSlice(f"a view of nothing cannot be written to: {self.debug_message}")
        self.array[self._absolute(key)] = value

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for position in range(len(self)):
            yield self[position]

    def __array__(
        self,
        dtype: DTypeLike | None = None,
        copy: bool | None = None,
    ) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the values lie in a file: an array of them is always a copy")
        values = self[...]
        return values if dtype is None else values.astype(dtype, copy=False)

    def read_direct(self, data: NDArray[Any]) -> None:
        """Read all values into an array of the same shape."""
        if data.shape != self.shape:
            raise ValueError(f"the view has the shape {self.shape}, the array {data.shape}")
        data[...] = self[...]

    def write_direct(self, data: NDArray[Any]) -> None:
        """Write all values from an array of the same shape."""
        if np.shape(data) != self.shape:
            raise ValueError(f"the view has the shape {self.shape}, the array {np.shape(data)}")
        self[...] = data

    def __str__(self) -> str:
        return f"DataView: {{array = {self.array.name}, slices = {self._slices}}}"

    __repr__ = __str__


def _absolute_key(key: Any, bounds: slice) -> Any:
    """Shift an index or slice on one axis into the array."""
    length = bounds.stop - bounds.start
    if isinstance(key, slice):
        start, stop, step = _slice_parts(key, length)
        return slice(bounds.start + start, bounds.start + max(start, stop), step)
    try:
        position = as_index(key)
    except TypeError:
        raise TypeError(
            f"a view is read by integers and slices, not by {type(key).__name__}"
        ) from None
    if not -length <= position < length:
        raise OutOfBounds(f"outside of a view of the length {length}", position)
    return bounds.start + position % length


def _slice_parts(key: slice, length: int) -> tuple[int, int, int]:
    """Give start, stop and step of a slice that must lie inside of the view."""
    step = 1 if key.step is None else as_index(key.step)
    if step < 1:
        raise ValueError(f"the step of a slice must be at least 1, got {step}")
    for edge in (key.start, key.stop):
        if edge is not None and not -length <= as_index(edge) <= length:
            raise OutOfBounds(f"outside of a view of the length {length}", key)
    start, stop, _ = slice(key.start, key.stop).indices(length)
    return start, stop, step
