"""Values of annotations and columns on their way into a frame and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus.core.units import as_unit, quantity, unit_of

__all__ = ["column_values", "plain", "restored"]

# What stands for an array: a dict with this key alone.
_ARRAY = "__array__"


def plain(value: Any) -> Any:
    """Give an annotation without arrays, so that dicts of them can be compared and stored.

    Parameters
    ----------
    value : annotation
        See `check_annotations`.

    Returns
    -------
    object
        Arrays, Quantities and numpy scalars become dicts of lists and numbers, which `restored`
        turns back; other values stay as they are.
    """
    if isinstance(value, np.ndarray | np.generic):
        return {_ARRAY: _plain_array(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return value


def _plain_array(value: Any) -> dict[str, Any]:
    array = np.asarray(value)
    numbers = array.view(np.int64) if array.dtype.kind in "mM" else array
    found = {
        "values": numbers.ravel().tolist(),
        "shape": list(array.shape),
        "dtype": array.dtype.str,
        "scalar": isinstance(value, np.generic),
    }
    return found | ({"units": unit_of(value).symbol} if isinstance(value, pq.Quantity) else {})


def restored(value: Any) -> Any:
    """Give back what `plain` was given."""
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return _restored_array(value[_ARRAY])
        return {key: restored(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(restored(item) for item in value)
    return value


def _restored_array(told: dict[str, Any]) -> Any:
    dtype = np.dtype(told["dtype"])
    if dtype.kind in "mM":
        array = np.array(told["values"], dtype=np.int64).view(dtype)
    else:
        array = np.array(told["values"], dtype=dtype)
    array = array.reshape(told["shape"])
    if told["scalar"]:
        return array[()]
    return quantity(array, as_unit(told["units"])) if "units" in told else array


def column_values(column: Any, dtype: str | None) -> NDArray[Any]:
    """Give a column of a frame as an array of numbers, times, text or bytes.

    Parameters
    ----------
    column : pandas.Series
    dtype : str or None
        What the array was before it became a column.

    Returns
    -------
    ndarray, shape (row,)
        Text that is missing is "".
    """
    values: NDArray[Any] = column.to_numpy()
    kind = None if dtype is None else np.dtype(dtype).kind
    if values.dtype.kind == "O":
        items = values.tolist()
        if not items:
            return np.array([], dtype=dtype or "U")
        if all(isinstance(item, bytes) for item in items):
            return np.array(items, dtype="S")
        if kind == "U" or any(isinstance(item, str) for item in items):
            missing = column.isna().tolist()
            texts = ["" if gone else str(item) for item, gone in zip(items, missing, strict=True)]
            return np.array(texts, dtype="U")
        return np.array(items)
    if kind is not None and kind in "mM":
        return values.astype(np.dtype(dtype))
    return np.array(values)
