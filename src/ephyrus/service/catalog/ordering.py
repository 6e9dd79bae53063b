"""Order of lists, and cursors that continue a list behind its last object."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Text,
    and_,
    false,
    func,
    literal,
    or_,
    select,
)

from ephyrus.service.catalog.paths import plain_column
from ephyrus.service.catalog.query import LONGEST_CURSOR
from ephyrus.service.catalog.snapshots import Rows, Snapshot
from ephyrus.service.errors import ServiceError

__all__ = ["Key", "behind", "cursor", "ordering"]

_MOST_STEPS = 5
_LONGEST_TEXT = 500  # characters of one text in a cursor


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an order.

    Attributes
    ----------
    name : str
        Name of the field as it was sent, with its ``-``.
    column : column
        What is sorted.
    descending : bool
        The largest comes first.
    may_be_null : bool
        Nulls come last, descending first.
    """

    name: str
    column: ColumnElement[Any]
    descending: bool
    may_be_null: bool = True

    def shown(self) -> ColumnElement[Any]:
        """Give what is selected of it for the cursor: no more than a cursor may hold."""
        if self.column.type.python_type is not str:
            return self.column
        return func.substr(self.column, 1, _LONGEST_TEXT + 1, type_=Text())

    def clause(self) -> ColumnElement[Any]:
        """Give the element of ``ORDER BY``."""
        ordered = self.column.desc() if self.descending else self.column.asc()
        if not self.may_be_null:
            return ordered
        return ordered.nulls_first() if self.descending else ordered.nulls_last()


def ordering(snapshot: Snapshot, rows: Rows, names: Sequence[str]) -> tuple[Key, ...]:
    """Make the order of a list; the id always comes last, so that it is complete.

    Raises
    ------
    ServiceError
        ``wrong_params``: a field is unknown.
    """
    keys = []
    for name in names:
        plain = name.removeprefix("-")
        if plain in {"id", "pk"}:
            keys.append(Key(name, rows.column("id"), name.startswith("-"), may_be_null=False))
            return tuple(keys)
        column, may_be_null = _column(snapshot, rows, plain.split("__"), name)
        keys.append(Key(name, column, name.startswith("-"), may_be_null))
    # in the direction of the key before it, so that one index can give the whole order
    descending = bool(keys) and keys[-1].descending
    return (*keys, Key("id", rows.column("id"), descending, may_be_null=False))


def _column(
    snapshot: Snapshot, rows: Rows, tokens: list[str], name: str
) -> tuple[ColumnElement[Any], bool]:
    """Find the column that is sorted, here or at a parent."""
    found = plain_column(rows, tokens[0])
    if len(tokens) == 1:
        if found is not None and found.kind != "set":
            return found.plain, tokens[0] not in {"date_created", "last_modified", "guid"}
        holder = _holder(rows, tokens[0])
        if holder is not None:
            return holder, False
    for parent in rows.kind.parents:
        if parent.name == tokens[0] and not parent.many and len(tokens) <= _MOST_STEPS:
            if len(tokens) == 1:
                return rows.column(f"{parent.name}_id"), True
            above = snapshot.rows(parent.type)
            inner, _ = _column(snapshot, above, tokens[1:], name)
            seen = above.alive & snapshot.visible(above)
            here = above.column("id") == rows.column(f"{parent.name}_id")
            return select(inner).where(here, seen).correlate(rows.table).scalar_subquery(), True
    raise ServiceError(
        "wrong_params",
        f"order_by names {name!r}, which a {rows.kind.name} cannot be sorted by.",
        details="order_by",
    )


def _holder(rows: Rows, name: str) -> ColumnElement[Any] | None:
    """Find a column of rights, where the object has rights of its own."""
    column = {"owner": "owner_id", "safety_level": "safety_level"}.get(name)
    if column is None or not rows.is_present or rows.kind.rights_from:
        return None
    return rows.column(column)


def cursor(keys: Sequence[Key], values: Sequence[Any]) -> str | None:
    """Write down where a page ends.

    Parameters
    ----------
    keys : sequence of Key
        The order.
    values : sequence
        Values of the last object.

    Returns
    -------
    str or None
        Text that a client sends back as it is. None: a text is too long for an address, and the
        list is continued with an offset.
    """
    if any(isinstance(value, str) and len(value) > _LONGEST_TEXT for value in values):
        return None
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    text = json.dumps(
        [[key.name for key in keys], plain], separators=(",", ":"), ensure_ascii=False
    )
    made = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return made if len(made) <= LONGEST_CURSOR else None


def behind(keys: Sequence[Key], text: str) -> ColumnElement[bool]:
    """Make the condition of all objects that come behind a cursor.

    Raises
    ------
    ServiceError
        ``wrong_params``: the cursor was made by another request, or not by this service.
    """
    *earlier, (last, value) = zip(keys, _read(keys, text), strict=True)
    result = _after(last, value)  # alone where it can be: SQLite looks up no "or" in an index
    for key, value in reversed(earlier):
        result = or_(_after(key, value), and_(_same(key, value), result))
    return result


def _read(keys: Sequence[Key], text: str) -> list[Any]:
    """Read a cursor."""
    try:
        names, values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if names != [key.name for key in keys] or len(values) != len(keys):
            raise ValueError  # noqa: TRY301 (one answer for all that is wrong)
        return [_value(key, value) for key, value in zip(keys, values, strict=True)]
    except (ValueError, TypeError, binascii.Error):
        raise ServiceError(
            "wrong_params",
            "The cursor does not belong to this list; begin again without it.",
            details="cursor",
        ) from None


def _value(key: Key, value: Any) -> Any:
    """Turn a value of a cursor into one that the column is compared with."""
    if value is None:
        return None
    kind = key.column.type.python_type
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is str and isinstance(value, str):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind in {int, float} and isinstance(value, (int, float)) and abs(value) < 2**63:
        return literal(value, Double() if isinstance(value, float) else BigInteger())
    raise ValueError


def _after(key: Key, value: Any) -> ColumnElement[bool]:
    """Give the condition that a key comes behind a value."""
    if value is None:
        return key.column.is_not(None) if key.descending else false()
    if key.descending:
        smaller: ColumnElement[bool] = key.column < value
        return smaller
    larger: ColumnElement[bool] = key.column > value
    return or_(larger, key.column.is_(None)) if key.may_be_null else larger


def _same(key: Key, value: Any) -> ColumnElement[bool]:
    """Give the condition that a key has a value."""
    same: ColumnElement[bool] = key.column == value
    return key.column.is_(None) if value is None else same
