"""Equality of attributes and annotations of any types, arrays and quantities included."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import quantities as pq

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["equal_mask", "equal_values", "is_many", "is_one_of"]

# Values that are compared by ``==`` alone.
_PLAIN = frozenset({str, int, float, bool, bytes, complex, type(None)})


def equal_values(a: Any, b: Any) -> bool:
    """Tell whether two values of any types are equal as a whole.

    Parameters
    ----------
    a, b : object
        Arrays, lists and tuples must have the same shape (an array of one element also equals
        that element); quantities are converted to the same units, and a bare number is compared
        with the number of a quantity.

    Returns
    -------
    bool
        False also for what cannot be compared.
    """
    if type(a) in _PLAIN and type(b) in _PLAIN:
        return bool(a == b)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return _equal_arrays(a, b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(equal_values(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(equal_values, a, b))
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return False


def _equal_arrays(a: Any, b: Any) -> bool:
    """Tell whether two values, one of them an array, are equal as a whole."""
    try:
        shape, other = np.shape(a), np.shape(b)
        if shape != other and not (np.size(a) == 1 == np.size(b)):
            return False
        if isinstance(a, pq.Quantity) and isinstance(b, pq.Quantity):
            return _equal_quantities(a, b)
        return bool(np.all(np.ravel(np.asarray(a)) == np.ravel(np.asarray(b))))
    except (TypeError, ValueError):  # nested lists of unequal lengths have no shape
        return False


def _equal_quantities(a: Any, b: Any) -> bool:
    """Compare quantities of equal size; what only rounding of units tells apart is equal."""
    first = np.ravel(np.asarray(a))
    if a.dimensionality == b.dimensionality:
        return bool(np.all(first == np.ravel(np.asarray(b))))
    converted = b.rescale(a.dimensionality)
    return bool(np.allclose(first, np.ravel(np.asarray(converted)), rtol=1e-12, atol=0.0))


def equal_mask(values: Any, control: Any) -> NDArray[np.bool_]:
    """Tell which elements of a list or a one-dimensional array equal a value."""
    if isinstance(values, np.ndarray) and type(control) in _PLAIN:
        return np.asarray(np.asarray(values) == control, dtype=np.bool_)
    return np.array([equal_values(value, control) for value in values], dtype=np.bool_)


def is_one_of(value: Any, choices: Collection[Any]) -> bool:
    """Tell whether a value equals one of several as a whole."""
    if type(value) in _PLAIN or isinstance(value, np.generic):
        try:
            return bool(value in choices)
        except (TypeError, ValueError):  # an array is among the choices
            pass
    return any(equal_values(value, choice) for choice in choices)


def is_many(value: Any) -> bool:
    """Tell whether a value has elements to which a condition applies one by one."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, (list, tuple))
