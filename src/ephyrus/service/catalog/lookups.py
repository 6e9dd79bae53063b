"""Lookups: what the last part of a filter's name does with a column and a text."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    and_,
    bindparam,
    extract,
    func,
    literal,
    or_,
)
from sqlalchemy.types import TypeEngine

from ephyrus.service.catalog.values import parse_moment
from ephyrus.service.db.functions import contains, matches
from ephyrus.service.db.patterns import PatternError, compiled
from ephyrus.service.errors import ServiceError

__all__ = ["ALIASES", "LOOKUPS", "NAMES", "Column", "apply", "refused", "split_list"]

Condition = ColumnElement[bool]
_MOST_VALUES = 10_000
_LARGEST = 2**63

ALIASES: Mapping[str, str] = {"le": "lte", "ge": "gte"}
"""Lookups that old clients spell differently."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that can be filtered.

    Attributes
    ----------
    kind : {"text", "number", "bool", "moment", "set"}
        What it holds; ``set``: only whether it is set can be asked.
    plain : column
        The column.
    folded : column or None
        The same without case, of text.
    read : callable
        Turns one text of a request into a value; raises ValueError.
    """

    kind: Literal["text", "number", "bool", "moment", "set"]
    plain: ColumnElement[Any]
    folded: ColumnElement[Any] | None = None
    read: Callable[[str], Any] = str


def refused(key: str, reason: str) -> ServiceError:
    """Make the error of a filter that is not understood."""
    return ServiceError("wrong_params", f"The filter {key!r} {reason}.", details=key)


def split_list(text: str) -> list[str]:
    """Split ``[a,b]`` or ``a,b``."""
    inner = text.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
    return [part.strip().strip("\"'") for part in inner.split(",")] if inner.strip() else []


def read_number(text: str) -> int | float:
    """Read a number that is finite and that the databases can compare."""
    try:
        number: int | float = int(text)
    except ValueError:
        number = float(text)
    if not -_LARGEST <= number < _LARGEST and not isinstance(number, float):
        return float(number)
    if not math.isfinite(number):
        raise ValueError
    return number


def read_bool(text: str) -> bool:
    """Read true or false."""
    found = {"1": True, "true": True, "0": False, "false": False}.get(text.lower())
    if found is None:
        raise ValueError
    return found


def read_text(text: str) -> str:
    """Read text: PostgreSQL keeps no zeros, so that nothing can be equal to such a text."""
    if "\0" in text:
        raise ValueError
    return text


_READ: Mapping[str, Callable[[str], Any]] = {
    "number": read_number,
    "bool": read_bool,
    "moment": parse_moment,
    "text": read_text,
}


def _value(column: Column, text: str) -> Any:
    """Turn one text of a request into a value of a column."""
    return (_READ[column.kind] if column.read is str else column.read)(text)


def _bound(value: Any) -> Any:
    """Give numbers a type of their own: that of the column might be too small for them."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return literal(value, Double() if isinstance(value, float) else BigInteger())


def _successor(text: str) -> str | None:
    """Give the smallest text behind all that begin with `text`; None: there is none."""
    for position in range(len(text) - 1, -1, -1):
        code = ord(text[position]) + 1
        if code == 0xD800:
            code = 0xE000
        if code <= 0x10FFFF:
            return text[:position] + chr(code)
    return None


def _exact(column: Column, text: str) -> Condition:
    value = _value(column, text)
    if isinstance(value, datetime) and not value.microsecond:
        return _range_of(column, value, value + timedelta(seconds=1))
    condition: Condition = column.plain == _bound(value)
    return condition


def _range_of(column: Column, low: datetime, end: datetime) -> Condition:
    """Compare with a whole second: times are printed without a fraction."""
    return and_(column.plain >= low, column.plain < end)


def _in(column: Column, text: str) -> Condition:
    parts = split_list(text)
    if len(parts) > _MOST_VALUES:
        raise ValueError
    if column.kind == "moment":
        return or_(*(_exact(column, part) for part in parts)) if parts else column.plain.in_([])
    values = [_value(column, part) for part in parts]
    if column.kind != "number":
        return column.plain.in_(values)
    kind: TypeEngine[Any] = BigInteger()
    if any(isinstance(value, float) for value in values):
        kind = Double()
    return column.plain.in_(bindparam(None, values, expanding=True, type_=kind))


def _isnull(column: Column, text: str) -> Condition:
    return column.plain.is_not(None) if text == "0" else column.plain.is_(None)


def _compare(name: str, column: Column, text: str) -> Condition:
    value = _value(column, text)
    if name in {"gt", "lte"} and isinstance(value, datetime) and not value.microsecond:
        end = value + timedelta(seconds=1)
        return column.plain >= end if name == "gt" else column.plain < end
    compare = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
    condition: Condition = compare[name](column.plain, _bound(value))
    return condition


def _range(column: Column, text: str) -> Condition:
    parts = split_list(text)
    if len(parts) != 2:
        raise ValueError
    return and_(_compare("gte", column, parts[0]), _compare("lte", column, parts[1]))


def _cased(column: Column, text: str, fold: bool) -> tuple[ColumnElement[Any], str]:
    """Give the column and the text of a comparison with or without case."""
    value = read_text(text)
    if not fold or column.folded is None:
        return column.plain, value
    return column.folded, value.casefold()


def _iexact(column: Column, text: str) -> Condition:
    if column.kind != "text":
        return _exact(column, text)
    plain, value = _cased(column, text, fold=True)
    return plain == value


def _contains(fold: bool, column: Column, text: str) -> Condition:
    return contains(*_cased(column, text, fold))


def _startswith(fold: bool, column: Column, text: str) -> Condition:
    plain, value = _cased(column, text, fold)
    if not value:
        return plain.is_not(None)
    end = _successor(value)
    return plain >= value if end is None else and_(plain >= value, plain < end)


def _endswith(fold: bool, column: Column, text: str) -> Condition:
    plain, value = _cased(column, text, fold)
    return func.substr(plain, func.length(plain) - len(value) + 1) == value


def _regex(fold: bool, column: Column, text: str) -> Condition:
    value = read_text(text)
    pattern = compiled(value, fold)
    plain = column.folded if fold and column.folded is not None else column.plain
    return matches(plain, f"{'i' if fold else 's'}{value}", pattern.postgres)


def _part(name: str, column: Column, text: str) -> Condition:
    """Compare a part of a date; days of the week count from 1, Sunday."""
    value = int(text)
    if not 0 <= value < 10_000:
        raise ValueError
    if name == "week_day":
        return extract("dow", column.plain) == value - 1
    if name == "year":
        if not 1 <= value < 9999:
            raise ValueError
        return _range_of(column, datetime(value, 1, 1), datetime(value + 1, 1, 1))
    return extract(name, column.plain) == value


_COMPARE = {name: partial(_compare, name) for name in ("gt", "gte", "lt", "lte")}
_TEXT = {
    "contains": partial(_contains, False),
    "icontains": partial(_contains, True),
    "startswith": partial(_startswith, False),
    "istartswith": partial(_startswith, True),
    "endswith": partial(_endswith, False),
    "iendswith": partial(_endswith, True),
    "regex": partial(_regex, False),
    "iregex": partial(_regex, True),
}
_PARTS = {name: partial(_part, name) for name in ("year", "month", "day", "week_day")}
_COMMON = {"exact": _exact, "iexact": _iexact, "in": _in, "isnull": _isnull}

LOOKUPS: Mapping[str, Mapping[str, Callable[[Column, str], Condition]]] = {
    "text": {**_COMMON, **_COMPARE, "range": _range, **_TEXT},
    "number": {**_COMMON, **_COMPARE, "range": _range},
    "bool": _COMMON,
    "moment": {**_COMMON, **_COMPARE, "range": _range, **_PARTS},
    "set": {"isnull": _isnull},
}
"""Lookups of each kind of column."""

NAMES = frozenset(name for table in LOOKUPS.values() for name in table) | frozenset(ALIASES)
"""All names of lookups."""


def apply(key: str, column: Column, lookup: str, text: str) -> Condition:
    """Make the condition of a filter.

    Parameters
    ----------
    key : str
        Name of the filter as it was sent, for messages.
    column : Column
        What is compared.
    lookup : str
        Name of the lookup.
    text : str
        What it is compared with.

    Returns
    -------
    condition
        For ``WHERE``.

    Raises
    ------
    ServiceError
        ``wrong_params``: the column has no such lookup, or the text cannot be read.
    """
    make = LOOKUPS[column.kind].get(ALIASES.get(lookup, lookup))
    if make is None:
        names = ", ".join(LOOKUPS[column.kind])
        raise refused(key, f"has the lookup {lookup!r}, which is not one of {names}")
    try:
        return make(column, text)
    except PatternError as error:
        raise refused(key, f"has a pattern that is refused: {error}") from None
    except (ValueError, OverflowError):
        raise refused(key, f"has a value that cannot be read: {text[:60]!r}") from None
