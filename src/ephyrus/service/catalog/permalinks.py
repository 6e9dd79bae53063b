"""Permalinks: the addresses of objects, as they are printed and as they are accepted."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ephyrus.service.catalog.ids import format_id, parse_id
from ephyrus.service.errors import ServiceError
from ephyrus.service.types import TYPES, ObjectType, find

__all__ = ["Reference", "parse", "permalink", "profile"]

_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that a request names.

    Attributes
    ----------
    type : str or None
        Its type; None: it was named by the bare id.
    id : int
        Its id.
    """

    type: str | None
    id: int


def permalink(kind: str, number: int, style: str = "int") -> str:
    """Print the address of an object: no host, no slash at the end."""
    category = TYPES[kind].category
    middle = "" if category == "datafiles" else f"{kind}/"
    return f"/{category}/{middle}{format_id(number, style)}"


def profile(user_id: int) -> str:
    """Print the address of a user."""
    return f"/profiles/profile/{user_id}"


def parse(value: object, *, kind: str | None = None, style: str = "int") -> Reference:
    """Read an id or a permalink.

    Parameters
    ----------
    value : str or int
        A bare id, or a permalink with or without a host, slashes at its ends, a part that follows
        the id (``/data``) and a query.
    kind : str, optional
        The type that is wanted.
    style : {"int", "base32"}
        Style of the database's ids.

    Returns
    -------
    Reference
        What is named. The type is `kind` where that is given.

    Raises
    ------
    ServiceError
        ``wrong_reference``: it cannot name an object, or names one of another type.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)) or len(str(value)) > _LONGEST:
        raise _wrong(value, "is neither an id nor a permalink")
    parts = [part for part in _path(str(value)).split("/") if part]
    if len(parts) == 1 and "://" not in str(value):
        return Reference(kind, _id(value, parts[0], style))
    found = _typed(parts)
    if found is None:
        raise _wrong(value, "is neither an id nor a permalink")
    if kind is not None and found[0].name != kind:
        raise _wrong(value, f"is not a {kind}")
    return Reference(found[0].name, _id(value, found[1], style))


def _path(text: str) -> str:
    """Take the path out of an address."""
    try:
        return urlsplit(text.strip()).path
    except ValueError:
        return ""


def _typed(parts: list[str]) -> tuple[ObjectType, str] | None:
    """Find type and id in the parts of a path."""
    if len(parts) >= 2 and parts[0] == "datafiles":
        rest = parts[2:] if parts[1] == "datafile" else parts[1:]
        return (TYPES["datafile"], rest[0]) if rest else None
    if len(parts) < 3:
        return None
    kind = find(parts[0], parts[1])
    return None if kind is None else (kind, parts[2])


def _id(value: object, text: str, style: str) -> int:
    """Read the id of a reference."""
    try:
        return parse_id(text, style)
    except ServiceError:
        raise _wrong(value, "is neither an id nor a permalink") from None


def _wrong(value: object, reason: str) -> ServiceError:
    return ServiceError("wrong_reference", f"{str(value)[:100]!r} {reason}.")
