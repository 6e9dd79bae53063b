"""Values of properties: what users give, as arrays of one type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.nix import storage
from ephyrus.nix.enums import DataType

__all__ = ["Value", "dtype_of_type", "kind_of", "value_array"]

_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float", "O": "str", "S": "str", "U": "str"}
_PLAIN_TYPES = {bool: np.bool_, int: np.int64, float: np.float64, str: np.str_, bytes: np.str_}


_INT64 = np.dtype(np.int64)
_SCALARS: dict[type, np.dtype[Any]] = {
    bool: np.dtype(bool),
    int: _INT64,
    float: np.dtype(np.float64),
}


class Value:
    """One value of a property with what files before 1.1.1 kept beside each.

    Accepted wherever a value of a property is; only the value itself is kept today.

    Parameters
    ----------
    value : bool, int, float or str
        The value.
    """

    def __init__(self, value: Any) -> None:
        self.value = value
        self.uncertainty: float | None = None
        self.reference: str | None = None
        self.filename: str | None = None
        self.encoder: str | None = None
        self.checksum: str | None = None

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, Value) else other))

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        return str(self.value)

    def __repr__(self) -> str:
        return f"Value({self.value!r})"


def kind_of(dtype: Any) -> str:
    """Name the kind of a type: bool, int, float or str.

    Raises
    ------
    TypeError
        If a property cannot have such values.
    """
    kind = _KINDS.get(np.dtype(dtype).kind)
    if kind is None:
        raise TypeError(f"a property cannot have values of type {dtype}")
    return kind


def dtype_of_type(kind: Any) -> Any:
    """Give the type in which a property keeps values of a given type; None if it is no type.

    Raises
    ------
    TypeError
        If a property cannot have such values.
    """
    if not isinstance(kind, type | np.dtype):
        return None
    if isinstance(kind, type) and kind in _PLAIN_TYPES:
        return _stored(np.dtype(_PLAIN_TYPES[kind]))
    if isinstance(kind, type) and not issubclass(kind, np.generic):
        raise TypeError(f"a property cannot have values of type {kind.__name__}")
    return _stored(np.dtype(kind))


def _stored(dtype: Any) -> Any:
    """Widen a type to the one that is kept in the file."""
    wide = {"bool": np.dtype(bool), "int": np.dtype(np.int64), "float": np.dtype(np.float64)}
    kind = kind_of(dtype)
    return wide.get(kind, storage.TEXT_DTYPE)


def value_array(values: Any) -> NDArray[Any]:
    """Give the values of a property as an array of one type.

    Parameters
    ----------
    values : scalar, Value, sequence or ndarray
        Bools, integers, floats or texts, all of one kind.

    Returns
    -------
    ndarray, shape (n,)
        bool, int64 (uint64 for what is larger), float64, or object array of str.

    Raises
    ------
    TypeError
        If kinds are mixed, there are none, or one is something else.
    """
    stored = _SCALARS.get(type(values))
    if stored is not None and (stored is not _INT64 or -(2**63) <= values < 2**63):
        return np.array([values], stored)
    if isinstance(values, np.ndarray) and values.dtype.kind in _KINDS and values.dtype.kind != "O":
        if values.ndim > 1:
            raise TypeError(f"values of a property form a list, not an array of {values.shape}")
        if not values.size:
            raise TypeError("no values were given; give a type for a property without values")
        return _widened(values.reshape(-1))
    items = _items(values)
    if not items:
        raise TypeError("no values were given; give a type for a property without values")
    try:
        kinds = {DataType.get_dtype(item) for item in items}
    except ValueError as error:
        raise TypeError(f"a property cannot have this value: {error}") from error
    if len(kinds) > 1:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"the values of a property must be of one type, got {names}")
    kind = kinds.pop()
    if kind is np.str_:
        return storage.text_array(_object_array(items))
    return _widened(_numbers(items))


def _items(values: Any) -> list[Any]:
    """Give a list of values; a single one becomes a list of one."""
    if isinstance(values, str | bytes | Value) or not isinstance(values, Iterable):
        values = [values]
    elif isinstance(values, dict):
        raise TypeError("a property cannot have a dict as its value; make a section of it")
    plain = [item.value if isinstance(item, Value) else item for item in values]
    return [item[()] if isinstance(item, np.ndarray) and item.ndim == 0 else item for item in plain]


def _object_array(items: list[Any]) -> NDArray[Any]:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _numbers(items: list[Any]) -> NDArray[Any]:
    """Make an array of numbers of one kind, exactly."""
    array = np.array(items)
    if array.dtype.kind not in "biuf" or (
        array.dtype.kind == "f" and all(isinstance(item, int | np.integer) for item in items)
    ):
        raise TypeError(f"these integers do not fit into 64 bits: {items!r}")
    return array


def _widened(array: NDArray[Any]) -> NDArray[Any]:
    """Give an array in a type that is kept in the file."""
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        return array.astype(np.uint64)
    if array.dtype.kind in "SU":
        return storage.text_array(array)
    return array.astype(_stored(array.dtype), copy=False)
