"""Annotations as metadata: values with types on one side, properties and text on the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

__all__ = ["Note", "annotations_of", "notes_of"]

_TRUE = frozenset({"true", "1"})


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation as it is sent.

    Attributes
    ----------
    name : str
        Dotted name: ``a.b`` is ``b`` within ``a``.
    dtype : str
        Type of its values: int, float, boolean, datetime, date or string.
    unit : str
        Unit of its values; empty: none.
    texts : tuple of str
        The values.
    """

    name: str
    dtype: str
    unit: str
    texts: tuple[str, ...]


def _boolean(text: str) -> bool:
    return text.lower() in _TRUE


_READ: Mapping[str, Any] = {
    "int": int,
    "float": float,
    "boolean": _boolean,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
}


def annotations_of(pairs: Iterable[Any]) -> dict[str, Any]:
    """Make annotations of the [property, value] pairs of an object.

    A property with several values gives a list; a name ``a.b`` gives ``b`` within ``a``; numbers
    with a unit that is known give a quantity.
    """
    found: dict[tuple[str, str], list[Any]] = {}
    for about, value in pairs:
        fields = about.get("fields", about)
        text = value.get("fields", value).get("data")
        key = str(fields.get("name")), str(fields.get("unit") or "")
        found.setdefault(key, []).append(_read(text, fields.get("dtype")))
    notes: dict[str, Any] = {}
    for (name, unit), values in found.items():
        plain = values[0] if len(values) == 1 else values
        _put(notes, name.split("."), _with_unit(plain, unit))
    return notes


def _with_unit(value: Any, unit: str) -> Any:
    """Give numbers their unit; what is no number, or has no unit that is known, stays."""
    if not unit or not np.issubdtype(np.asarray(value).dtype, np.number):
        return value
    import quantities as pq

    from ephyrus.core.units import unit_from_text

    known, is_known = unit_from_text(unit)
    return pq.Quantity(value, known) if is_known else value


def _put(notes: dict[str, Any], path: list[str], value: Any) -> None:
    """Put a value where its dotted name says; where that is taken, under the whole name."""
    place = notes
    for part in path[:-1]:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            notes[".".join(path)] = value
            return
        place = inner
    place[path[-1]] = value


def _read(text: Any, dtype: Any) -> Any:
    """Read a value as its property says; text where that does not fit."""
    try:
        return _READ[str(dtype)](text)
    except (KeyError, ValueError, TypeError):
        return text


def notes_of(annotations: Mapping[str, Any]) -> tuple[list[Note], int]:
    """Give annotations as they are sent, and how many have no value: None and empty ones."""
    notes: list[Note] = []
    left_out = 0
    for name, value in _flat(annotations):
        unit = str(value.dimensionality.string) if hasattr(value, "dimensionality") else ""
        bare = value.magnitude if unit else value
        plain = bare.tolist() if hasattr(bare, "tolist") else bare
        values = [_plain(each) for each in _listed(plain)]
        if values:
            dtype = _dtype(values)
            notes.append(Note(name, dtype, unit, tuple(_text(each, dtype) for each in values)))
        else:
            left_out += 1
    return notes, left_out


def _flat(annotations: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Give what is within annotations by its dotted name."""
    for name, value in annotations.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _listed(value: Any) -> Iterable[Any]:
    """Give the values of an annotation; None has none."""
    if value is None or isinstance(value, Mapping):
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _dtype(values: list[Any]) -> str:
    """Name the one type of values; text where they have none in common."""
    kinds = {_kind(each) for each in values}
    if kinds == {"int", "float"}:
        return "float"
    return kinds.pop() if len(kinds) == 1 else "string"


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
    if isinstance(value, bool) and dtype == "boolean":
        return str(value).lower()
    if dtype == "float":
        return repr(float(value))
    return value.isoformat() if isinstance(value, date) else str(value)
