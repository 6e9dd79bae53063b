"""Lists of Quantities that users give where one Quantity is meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq

from ephyrus.core.units import UnitInfo, as_unit, convert, quantity, unit_of

__all__ = ["joined_quantities"]

_HOLDERS = (pq.Quantity, list, tuple)


def joined_quantities(values: Any, units: Any, name: str) -> Any:
    """Return lists of Quantities, which numpy would strip of their units, as one Quantity.

    Parameters
    ----------
    values : object
        Anything but lists and tuples with Quantities, at any depth, is returned as it is.
    units : str, unit or None
        Of the result; by default those of the first Quantity.
    name : str
        What the values are, for error messages.

    Raises
    ------
    ValueError
        If numbers without units are among the Quantities, or a dimension differs.
    """
    first = _first_quantity(values) if isinstance(values, list | tuple) else None
    if first is None:
        return values
    unit = unit_of(first) if units is None else as_unit(units)
    return quantity(np.array(_numbers_in(values, unit, name)), unit)


def _first_quantity(values: Any) -> pq.Quantity | None:
    """Return the first Quantity in nested lists."""
    if not any(issubclass(kind, _HOLDERS) for kind in set(map(type, values))):
        return None  # found out without a look at each number
    for value in values:
        if isinstance(value, pq.Quantity):
            return value
        found = _first_quantity(value) if isinstance(value, list | tuple) else None
        if found is not None:
            return found
    return None


def _numbers_in(values: Any, unit: UnitInfo, name: str) -> Any:
    """Return nested lists of Quantities as nested lists of numbers in one unit."""
    if isinstance(values, list | tuple):
        return [_numbers_in(value, unit, name) for value in values]
    if not isinstance(values, pq.Quantity):
        raise ValueError(f"{name} mix Quantities and numbers without units")  # noqa: TRY004
    return convert(values.view(np.ndarray), unit_of(values), unit)
