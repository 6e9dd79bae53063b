"""Values of annotations as text with the name of their type, as odML properties have them.

The data service keeps the values of a property as text; the ``dtype`` of the property says what
they are. What is written here is read here, so that numbers stay numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

__all__ = ["typed_texts", "value_of"]

_TRUE = frozenset({"true", "1"})


def typed_texts(values: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
    """Write values that are plain Python as text.

    Parameters
    ----------
    values : sequence
        At least one.

    Returns
    -------
    str
        The one type of all: int, float, boolean, datetime, date; string where they have none in
        common.
    tuple of str
        The values.

    Examples
    --------
    >>> typed_texts([1, 2.5]), typed_texts([True]), typed_texts([1, "a"])
    (('float', ('1.0', '2.5')), ('boolean', ('true',)), ('string', ('1', 'a')))
    """
    kinds = {_kind(each) for each in values}
    if kinds == {"int", "float"}:
        kinds = {"float"}
    dtype = kinds.pop() if len(kinds) == 1 else "string"
    return dtype, tuple(_text(each, dtype) for each in values)


def value_of(text: Any, dtype: Any) -> Any:
    """Read a value as its property says; text where that does not fit.

    Examples
    --------
    >>> value_of("5", "int"), value_of("5", "string"), value_of("five", "int")
    (5, '5', 'five')
    """
    try:
        return _READ[str(dtype)](text)
    except (KeyError, ValueError, TypeError):
        return text


def _boolean(text: str) -> bool:
    return text.lower() in _TRUE


_READ: Mapping[str, Any] = {
    "int": int,
    "float": float,
    "boolean": _boolean,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, date):
        return "datetime" if isinstance(value, datetime) else "date"
    return "string"


def _text(value: Any, dtype: str) -> str:
    """Write a value so that it comes back as it is."""
    if dtype == "boolean":
        return str(value).lower()
    if dtype == "float":
        return repr(float(value))
    return value.isoformat() if isinstance(value, date) else str(value)
