"""Array annotations: one value per channel, or per item, kept in a dict that checks its values."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import quantities as pq

__all__ = [
    "ArrayDict",
    "equal_arrays",
    "index_arrays",
    "intersect_array_annotations",
    "join_array_annotations",
    "normalize_array_annotations",
]

_KINDS = frozenset("biufcSUmM")
_HINT = "missing values are NaN for numbers and '' for strings"

CheckFunction = Callable[[Any, int], Any]


def normalize_array_annotations(value: Any, length: int) -> Any:
    """Check array annotations and make arrays of them.

    Parameters
    ----------
    value : mapping of str to array_like, or a single array_like
        Lists, tuples and one-dimensional arrays of the right length; empty ones of any length's
        sake ("to be filled later"); a scalar where the length is 1.
    length : int
        Number of channels or items.

    Returns
    -------
    dict of ndarray, or ndarray
        As given; Quantities keep their units, lists become arrays.

    Raises
    ------
    ValueError
        If a value is None, nested, of more than one dimension, an array of objects, or of
        another length.
    """
    if isinstance(value, Mapping):
        return {key: _as_array(item, length, key) for key, item in value.items()}
    return _as_array(value, length, None)


def _as_array(value: Any, length: int, key: Any) -> Any:
    """Make one array annotation."""
    label = "array annotation" if key is None else f"array annotation {key!r}"
    if not isinstance(value, np.ndarray):
        value = _from_sequence(value, label)
    if value.ndim == 0:
        if length != 1:
            raise ValueError(
                f"{label} is a single value, but {length} are needed, one per channel or item"
            )
        value = value.reshape(1)
    if value.ndim != 1:
        raise ValueError(f"{label} must have one dimension, not shape {value.shape}")
    if value.dtype.kind not in _KINDS:
        raise ValueError(f"{label} cannot be an array of dtype {value.dtype}; {_HINT}")
    if len(value) not in (0, length):
        raise ValueError(
            f"{label} has {len(value)} values, but {length} are needed, one per channel or item"
        )
    return value


def _from_sequence(value: Any, label: str) -> Any:
    """Make an array of a list, a tuple or a scalar."""
    if value is None or isinstance(value, Mapping | set | frozenset):
        raise ValueError(f"{label} cannot be {type(value).__name__}; {_HINT}")
    if not isinstance(value, list | tuple):
        return np.asarray(value)
    for item in value:
        if item is None or isinstance(item, list | tuple | Mapping | set):
            raise ValueError(f"{label} cannot contain {type(item).__name__}; {_HINT}")
        if isinstance(item, np.ndarray) and item.ndim:
            raise ValueError(f"{label} must have one dimension, not be a list of arrays")
    if value and all(isinstance(item, pq.Quantity) for item in value):
        dimensionality = value[0].dimensionality
        numbers = [item.rescale(dimensionality).magnitude for item in value]
        return pq.Quantity(np.array(numbers), dimensionality)
    if value and all(isinstance(item, date | datetime) for item in value):
        return np.array(value, dtype="datetime64[us]")
    if value and all(isinstance(item, timedelta) for item in value):
        return np.array(value, dtype="timedelta64[us]")
    return np.array(value) if value else np.array([], dtype=np.float64)


class ArrayDict(dict[str, Any]):
    """Dict of array annotations; every value that is put in is checked.

    Parameters
    ----------
    length : int
        Number of values that each array must have (empty arrays are accepted).
    check_function : callable, optional
        ``check_function(value, length)`` returns the array to keep, or raises ValueError.
    *args, **kwargs
        Contents, as for dict.

    Attributes
    ----------
    length, check_function
        As given.

    Raises
    ------
    ValueError
        If a value is refused (see `normalize_array_annotations`).
    """

    __slots__ = ("check_function", "length")

    def __init__(
        self,
        length: int,
        check_function: CheckFunction = normalize_array_annotations,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self.length = length
        self.check_function = check_function
        super().__init__()
        if args or kwargs:
            self.update(*args, **kwargs)

    @classmethod
    def trusted(cls, length: int, contents: Mapping[str, Any]) -> ArrayDict:
        """Make one of contents that are known to be right, without checks."""
        made = cls(length)
        dict.update(made, contents)
        return made

    def __setitem__(self, key: str, value: Any) -> None:
        dict.__setitem__(self, key, self.check_function({key: value}, self.length)[key])

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Add or replace values; nothing is changed if one of them is refused."""
        new = dict(*args, **kwargs)
        dict.update(self, self.check_function(new, self.length))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, putting in a (checked) default if it is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def __ior__(self, other: Any) -> ArrayDict:  # type: ignore[override,misc] # narrower than dict
        self.update(other)
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.keys() == other.keys() and all(
            equal_arrays(value, other[key]) for key, value in self.items()
        )

    def __ne__(self, other: object) -> bool:
        result = self.__eq__(other)
        return result if result is NotImplemented else not result

    __hash__ = None  # as for dict

    def copy(self) -> ArrayDict:
        """Return a copy that shares the arrays."""
        made = type(self)(self.length, self.check_function)
        dict.update(made, self)
        return made

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> ArrayDict:
        made = type(self)(self.length, self.check_function)
        dict.update(made, {key: value.copy() for key, value in self.items()})
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        check = None if self.check_function is normalize_array_annotations else self.check_function
        return _restore, (type(self), self.length, check, dict(self))

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return self.__reduce__()


def _restore(
    cls: type[ArrayDict], length: int, check: CheckFunction | None, contents: dict[str, Any]
) -> ArrayDict:
    """Recreate a pickled ArrayDict."""
    made = cls(length) if check is None else cls(length, check)
    dict.update(made, contents)
    return made


def equal_arrays(a: Any, b: Any) -> bool:
    """Tell whether two array annotations are equal in units and values (NaN and NaT too)."""
    if isinstance(a, pq.Quantity) or isinstance(b, pq.Quantity):
        if not (isinstance(a, pq.Quantity) and isinstance(b, pq.Quantity)):
            return False
        if a.dimensionality != b.dimensionality:
            return False
    a, b = np.asarray(a), np.asarray(b)
    may_miss = a.dtype.kind in "fcmM" and b.dtype.kind in "fcmM"
    return bool(np.array_equal(a, b, equal_nan=may_miss))


def index_arrays(arrays: Mapping[str, Any], index: Any) -> dict[str, Any]:
    """Index every array (an int gives single values); empty arrays stay empty.

    Raises
    ------
    IndexError
        If the index is out of range.
    """
    return {key: value[index] if len(value) else value for key, value in arrays.items()}


def join_array_annotations(
    first: Mapping[str, Any], *others: Mapping[str, Any], stacklevel: int = 2
) -> dict[str, Any]:
    """Join array annotations end to end.

    Parameters
    ----------
    first, *others : mapping of str to ndarray
        Keys that are not in all of them are left out, with one UserWarning that names them.
        Quantities are converted to the units of the first.
    stacklevel : int, optional
        Of the warning.

    Returns
    -------
    dict of ndarray

    Raises
    ------
    ValueError
        If a key has a dimension in one of them that it does not have in another.
    """
    joined: dict[str, Any] = {}
    dropped = {key for other in others for key in other if key not in first}
    for key, value in first.items():
        if all(key in other for other in others):
            joined[key] = _join(key, [value, *(other[key] for other in others)])
        else:
            dropped.add(key)
    if dropped:
        warnings.warn(
            "array annotations that are not in all of the merged objects are left out: "
            + ", ".join(sorted(dropped)),
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return joined


def _join(key: str, values: list[Any]) -> Any:
    """Join the arrays of one key."""
    first = values[0]
    if not any(isinstance(value, pq.Quantity) for value in values):
        return np.concatenate(values)
    if not all(isinstance(value, pq.Quantity) for value in values):
        raise ValueError(f"array annotation {key!r} has units in one object and none in another")
    dimensionality = first.dimensionality
    numbers = [value.rescale(dimensionality).magnitude for value in values]
    return pq.Quantity(np.concatenate(numbers), dimensionality)


def intersect_array_annotations(maps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the array annotations that all have in common with equal values, copied."""
    first, *others = maps
    return {
        key: value.copy()
        for key, value in first.items()
        if all(key in other and equal_arrays(value, other[key]) for other in others)
    }
