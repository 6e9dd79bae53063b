"""The array below all data objects: a Quantity that is cheap to make and safe with numpy.

quantities copies and compares dimensionalities at every step; here they are shared (quantities
never changes one in place after making an object) and looked up by identity. Whatever numpy makes
of such an array is a plain Quantity unless a class says what else it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import quantities as pq
from numpy.typing import DTypeLike, NDArray
from quantities.dimensionality import Dimensionality

from ephyrus.core.units import UnitInfo, as_unit, convert, quantity, unit_of

__all__ = ["UnitArray", "converted"]

# Functions of numpy that join a sequence of arrays; quantities would lose the units.
_JOINERS = frozenset({np.concatenate, np.hstack, np.vstack, np.dstack, np.stack, np.column_stack})


# Functions that quantities applies along an axis without keeping the units.
_UNIT_KEEPERS = frozenset({np.add, np.maximum, np.minimum, np.fmax, np.fmin})


def _plain(value: Any) -> Any:
    """Return data objects (also those in lists) as plain Quantities, anything else unchanged."""
    if isinstance(value, UnitArray):
        return value.view(pq.Quantity)
    if type(value) in (list, tuple) and any(isinstance(v, UnitArray | list | tuple) for v in value):
        return type(value)([_plain(item) for item in value])
    return value


def _plain_method(name: str) -> Callable[..., Any]:
    """Make a method of ndarray whose result has no sense as a data object: a plain Quantity."""
    inherited = getattr(np.ndarray, name)

    def method(self: UnitArray, *args: Any, **kwargs: Any) -> Any:
        return inherited(self.view(pq.Quantity), *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"UnitArray.{name}"
    method.__doc__ = (
        f"Return ``{name}`` of the data as a plain Quantity; see `numpy.ndarray.{name}`."
    )
    return method


class UnitArray(pq.Quantity):  # type: ignore[misc] # quantities has no usable types
    """Base of data objects: an array with a unit."""

    def __array_finalize__(self, obj: Any) -> None:
        dimensionality = getattr(obj, "_dimensionality", None)
        self._dimensionality = Dimensionality() if dimensionality is None else dimensionality
        if type(obj) is type(self) and obj.shape == self.shape:
            self._take_metadata(obj)

    def _take_metadata(self, other: Self) -> None:
        """Take over the metadata of an object that numpy itself copies or views as a whole."""

    @classmethod
    def _wrap(cls, data: NDArray[Any], unit: UnitInfo) -> Self:
        """View an array as this class in a unit; no metadata yet."""
        new: Any = data.view(cls)
        new._dimensionality = unit.dimensionality
        return new  # type: ignore[no-any-return] # numpy types the view as an ndarray

    # --- units ----------------------------------------------------------------------------

    @property
    def _unit(self) -> UnitInfo:
        """The interned unit of the data."""
        return unit_of(self)

    @property
    def units(self) -> pq.Quantity:
        """The unit of the data, a Quantity of magnitude 1."""
        return quantity(1.0, self._unit)

    @units.setter
    def units(self, units: Any) -> None:
        pq.Quantity.units.fset(self, units)

    def as_array(self, units: Any = None) -> NDArray[Any]:
        """Return the data as a plain array.

        Parameters
        ----------
        units : str or unit, optional
            Convert to these first.

        Returns
        -------
        ndarray
            A view of the data, unless it is converted.
        """
        values: NDArray[Any] = self.view(np.ndarray)
        return values if units is None else convert(values, self._unit, as_unit(units))

    def as_quantity(self) -> pq.Quantity:
        """Return the data as a plain Quantity (a view)."""
        return self.view(pq.Quantity)

    # --- numpy ----------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply a ufunc to plain Quantities; subclasses say what becomes of the result."""
        out = kwargs.get("out")
        if out is not None:
            kwargs["out"] = tuple(_plain(item) for item in out)
        result = getattr(ufunc, method)(*[_plain(item) for item in inputs], **kwargs)
        if out is not None and len(out) == 1 and isinstance(out[0], UnitArray):
            return out[0]
        if method == "__call__" and isinstance(result, pq.Quantity):
            return self._wrap_result(result, inputs)
        if ufunc in _UNIT_KEEPERS and method in ("reduce", "accumulate", "reduceat"):
            return quantity(result, self._unit)
        return result

    def _wrap_result(self, result: pq.Quantity, inputs: tuple[Any, ...]) -> Any:
        """Decide what the result of a ufunc is: here, a plain Quantity."""
        return result

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Apply a function of numpy to plain Quantities."""
        if func in _JOINERS and args and not isinstance(args[0], np.ndarray):
            parts = [_plain(item) for item in args[0]]
            if all(isinstance(part, pq.Quantity) for part in parts):
                unit = unit_of(parts[0])
                numbers = [convert(part.magnitude, unit_of(part), unit) for part in parts]
                return quantity(func(numbers, *args[1:], **kwargs), unit)
        plain = {key: _plain(value) for key, value in kwargs.items()}
        return func(*[_plain(item) for item in args], **plain)

    @property
    def T(self) -> pq.Quantity:  # noqa: N802 - name of numpy
        """The transposed data, a plain Quantity."""
        return self.view(pq.Quantity).T

    @property
    def mT(self) -> pq.Quantity:  # noqa: N802 - name of numpy
        """The data with the last two axes exchanged, a plain Quantity."""
        return self.view(pq.Quantity).mT

    transpose = _plain_method("transpose")
    reshape = _plain_method("reshape")
    ravel = _plain_method("ravel")
    flatten = _plain_method("flatten")
    swapaxes = _plain_method("swapaxes")
    diagonal = _plain_method("diagonal")
    repeat = _plain_method("repeat")
    take = _plain_method("take")
    compress = _plain_method("compress")
    dot = _plain_method("dot")


def converted(
    values: NDArray[Any], source: UnitInfo, target: UnitInfo, dtype: DTypeLike | None
) -> NDArray[Any]:
    """Convert an array to another unit and, if asked, another dtype in the same pass."""
    if dtype is None:
        return np.asarray(convert(values, source, target))
    wanted = np.dtype(dtype)
    if wanted.kind not in "fc":
        rounded: NDArray[Any] = np.rint(convert(values, source, target)).astype(wanted)
        return rounded
    if np.can_cast(values.dtype, wanted, "same_kind"):
        return np.asarray(convert(values.astype(wanted, copy=False), source, target))
    return np.asarray(convert(values, source, target)).astype(wanted)
