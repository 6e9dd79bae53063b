"""What signals have in common: payload, channels, arithmetic and comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import quantities as pq
from numpy.typing import DTypeLike, NDArray

from ephyrus.core._quantitylists import joined_quantities
from ephyrus.core._unitarray import converted
from ephyrus.core.baseneo import copy_annotations
from ephyrus.core.dataobject import DataObject
from ephyrus.core.units import DIMENSIONLESS, UnitInfo, as_unit, convert, unit_of

__all__ = ["BaseSignal", "as_quantity", "payload"]

_NUMERIC = "biufc"


def payload(
    values: Any,
    units: Any,
    dtype: DTypeLike | None,
    *,
    copy: bool | None,
    what: str = "signal",
    default: Any = None,
) -> tuple[NDArray[Any], UnitInfo]:
    """Check the data given to a constructor and return them in the units wanted.

    Parameters
    ----------
    values : array_like or Quantity
        Also lists of Quantities, which may differ in units.
    units : str, unit or None
        Needed unless `values` is a Quantity, which is converted to them.
    dtype : dtype_like or None
        None keeps what the data have.
    copy : bool or None
        True copies; False shares memory; None shares where no conversion is needed.
    what : str, optional
        Name of the argument, for error messages.
    default : unit, optional
        Units of numbers for which none are given; without it they are refused.

    Returns
    -------
    data : ndarray
    unit : UnitInfo

    Raises
    ------
    ValueError
        If units are missing or of another dimension, data are not numbers, or `copy` is False
        and a conversion is needed.
    """
    shared = isinstance(values, np.ndarray)
    values = joined_quantities(values, units, what)
    if isinstance(values, pq.Quantity):
        source = unit_of(values)
        target = source if units is None else as_unit(units)
        data = values.view(np.ndarray)
    elif units is None and default is None:
        raise ValueError(f"Units must be specified for {what}, such as units='mV'")
    else:
        source = target = as_unit(default if units is None else units)
        data = np.asarray(values)
    if data.dtype.kind not in _NUMERIC:
        raise ValueError(f"{what} must be numbers, not an array of dtype {data.dtype}")
    converts = source is not target or (dtype is not None and data.dtype != np.dtype(dtype))
    if copy is False and (converts or not shared):
        raise ValueError(
            f"{what} cannot be shared (copy=False): its units, dtype or type must be converted"
        )
    if source is not target:
        return converted(data, source, target, dtype), target
    if dtype is not None and data.dtype != np.dtype(dtype):
        return data.astype(dtype), target
    if copy and shared:
        data = data.copy()
    return data, target


class BaseSignal(DataObject):
    """Base of AnalogSignal, IrregularlySampledSignal and ImageSequence.

    The first axis is time. Arithmetic gives signals with the metadata of the left operand;
    what does not keep the time axis is a plain Quantity.
    """

    _quantity_attr: ClassVar[str] = "signal"

    def _annotated_length(self) -> int:
        """Return the number of channels (last axis)."""
        return int(self.shape[-1] if self.lazy_shape is None else self.lazy_shape[-1])

    def _check_consistency(self, other: BaseSignal) -> None:
        """Check that two signals have the same time axis; raises ValueError."""

    # --- other packages -------------------------------------------------------------------

    def to_xarray(self) -> Any:
        """Give the data as an ``xarray.DataArray`` with its coordinates; a lazy object is loaded.

        Returns
        -------
        xarray.DataArray
            A copy with dimensions ``time`` and ``channel`` (images: ``time``, ``row`` and
            ``column``). Coordinates: ``time``; ``channel``, the array annotation
            ``channel_names`` or numbers (``row`` and ``column``: positions in space); and one
            along the last dimension per array annotation. Coordinates with a unit have it as
            attribute ``units``. Attributes of the array: ``units``; ``sampling_rate`` and
            ``spatial_scale`` with ``sampling_rate_units`` and ``spatial_scale_units``;
            ``description``, ``file_origin``, and the annotations (those that are no numbers,
            text or arrays as text). A name that is taken gets an underscore.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        """
        from ephyrus.core._frames import data_array

        return data_array(self)

    # --- results of numpy -----------------------------------------------------------------

    def _derived(self, data: Any, unit: UnitInfo) -> Any:
        """Make the result of arithmetic: a signal if the time axis is kept, else a Quantity."""
        data = np.asarray(data)
        if data.ndim != self.ndim or data.shape[:-1] != self.shape[:-1]:
            return as_quantity(data, unit)
        new = self._like(data, unit)
        if new._annotations:
            new._annotations = copy_annotations(new._annotations)
        if data.shape[-1] != self.shape[-1]:
            new._array_annotations = None
        elif new._array_annotations:
            new._array_annotations = {
                key: value.copy() for key, value in new._array_annotations.items()
            }
        return new

    def _wrap_result(self, result: pq.Quantity, inputs: tuple[Any, ...]) -> Any:
        """Make signals of the results of ufuncs; truth values are plain arrays."""
        if result.dtype.kind == "b":
            return result.view(np.ndarray)
        return self._derived(result.view(np.ndarray), unit_of(result))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply a ufunc; two signals must have the same time axis."""
        if method == "__call__" and len(inputs) > 1:
            for other in inputs:
                if other is not self and isinstance(other, BaseSignal):
                    self._check_consistency(other)
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)

    # --- arithmetic -----------------------------------------------------------------------

    def _operand(self, other: Any) -> tuple[Any, UnitInfo] | None:
        """Return the numbers and the unit of the other operand, None if it is none.

        Single Quantities count as Python numbers, so that they do not widen the dtype.
        """
        if isinstance(other, pq.Quantity):
            if isinstance(other, BaseSignal):
                self._check_consistency(other)
            values = other.view(np.ndarray)
            return (values if other.ndim else values.item()), unit_of(other)
        if not isinstance(other, int | float | complex):
            other = np.asarray(other)
            if other.dtype.kind not in _NUMERIC:
                return None
        return other, DIMENSIONLESS

    def _sum(self, function: Callable[..., Any], other: Any, *, reflected: bool = False) -> Any:
        """Add or subtract: the other operand is converted to the units of this signal."""
        operand = self._operand(other)
        if operand is None:
            return NotImplemented
        unit = self._unit
        values = convert(operand[0], operand[1], unit)
        own = self.view(np.ndarray)
        return self._derived(function(values, own) if reflected else function(own, values), unit)

    def _product(
        self, function: Callable[..., Any], other: Any, power: int, *, reflected: bool = False
    ) -> Any:
        """Multiply or divide: the units are multiplied or divided too."""
        operand = self._operand(other)
        if operand is None:
            return NotImplemented
        values, unit = operand
        own, own_unit = self.view(np.ndarray), self._unit
        result = function(values, own) if reflected else function(own, values)
        if reflected and power < 0:
            unit = as_unit(unit.dimensionality / own_unit.dimensionality)
        elif unit is DIMENSIONLESS:
            unit = own_unit
        elif power < 0:
            unit = as_unit(own_unit.dimensionality / unit.dimensionality)
        else:
            unit = as_unit(own_unit.dimensionality * unit.dimensionality)
        return self._derived(result, unit)

    def __add__(self, other: Any) -> Any:
        return self._sum(np.add, other)

    def __radd__(self, other: Any) -> Any:
        return self._sum(np.add, other, reflected=True)

    def __sub__(self, other: Any) -> Any:
        return self._sum(np.subtract, other)

    def __rsub__(self, other: Any) -> Any:
        return self._sum(np.subtract, other, reflected=True)

    def __mul__(self, other: Any) -> Any:
        return self._product(np.multiply, other, 1)

    def __rmul__(self, other: Any) -> Any:
        return self._product(np.multiply, other, 1, reflected=True)

    def __truediv__(self, other: Any) -> Any:
        return self._product(np.true_divide, other, -1)

    def __rtruediv__(self, other: Any) -> Any:
        return self._product(np.true_divide, other, -1, reflected=True)

    def __pow__(self, other: Any) -> Any:
        operand = self._operand(other)
        if operand is None:
            return NotImplemented
        exponent, unit = operand
        if unit.base is not DIMENSIONLESS.base:
            raise ValueError(f"an exponent must be dimensionless, not in {unit.symbol}")
        exponent = convert(exponent, unit, DIMENSIONLESS)
        distinct = np.unique(exponent)
        if self._unit is DIMENSIONLESS:
            return self._derived(self.view(np.ndarray) ** exponent, DIMENSIONLESS)
        if len(distinct) != 1:
            raise ValueError("a signal with units must be raised to a uniform power")
        power = distinct[0].item()
        new_unit = as_unit(self._unit.dimensionality**power)
        return self._derived(self.view(np.ndarray) ** exponent, new_unit)

    def __imul__(self, other: Any) -> Self:
        return self._in_place(np.multiply, other, self.__mul__)

    def __itruediv__(self, other: Any) -> Self:
        return self._in_place(np.true_divide, other, self.__truediv__)

    def _in_place(
        self, function: Callable[..., Any], other: Any, full: Callable[[Any], Any]
    ) -> Self:
        """Multiply or divide in place; with units, only where no other object shares the data."""
        operand = self._operand(other)
        if operand is None:
            return NotImplemented  # type: ignore[no-any-return] # as Python wants it
        values, unit = operand
        if unit is not DIMENSIONLESS:
            if isinstance(self.base, pq.Quantity):
                raise ValueError("can not modify units of a view of a Quantity")
            self_unit = unit_of(full(other)[:0])
        own = self.view(np.ndarray)
        function(own, values, out=own)
        if unit is not DIMENSIONLESS:
            self._dimensionality = self_unit.dimensionality
        return self

    # --- comparison -----------------------------------------------------------------------

    def _comparable(self, other: Any) -> Any:
        """Return the numbers of the other side in the units of this signal.

        Raises
        ------
        ValueError
            If it is of another dimension.
        """
        if not isinstance(other, pq.Quantity):
            return other
        values = other.view(np.ndarray)
        # A Python number does not widen float32 data.
        return convert(values if other.ndim else values.item(), unit_of(other), self._unit)

    def _equality(self, other: Any) -> Any:
        """Compare for equality element by element; other dimensions are unequal."""
        try:
            values = self._comparable(other)
        except ValueError:
            return np.zeros(self.shape, dtype=np.bool_)
        return self.view(np.ndarray) == values

    def __eq__(self, other: object) -> Any:
        return self._equality(other)

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return ~equal if isinstance(equal, np.ndarray) else not equal

    def __lt__(self, other: Any) -> Any:
        return self.view(np.ndarray) < self._comparable(other)

    def __le__(self, other: Any) -> Any:
        return self.view(np.ndarray) <= self._comparable(other)

    def __gt__(self, other: Any) -> Any:
        return self.view(np.ndarray) > self._comparable(other)

    def __ge__(self, other: Any) -> Any:
        return self.view(np.ndarray) >= self._comparable(other)

    __hash__ = None  # type: ignore[assignment] # arrays are not hashable

    def rectify(self, **kwargs: Any) -> Self:
        """Return the absolute values as a new signal with all metadata.

        Parameters
        ----------
        **kwargs
            Keywords of `numpy.absolute`; ``axis`` is ignored.

        Returns
        -------
        same class
        """
        kwargs.pop("axis", None)
        return self._derived(np.abs(self.view(np.ndarray), **kwargs), self._unit)  # type: ignore[no-any-return]


def as_quantity(data: NDArray[Any], unit: UnitInfo) -> pq.Quantity:
    """Return an array as a plain Quantity."""
    result = np.asarray(data).view(pq.Quantity)
    result._dimensionality = unit.dimensionality
    return result
