"""Annotations as metadata: values with types on one side, properties and text on the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

__all__ = ["annotations_of", "as_text", "flat"]

_TRUE = frozenset({"true", "1"})


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

    A property with several values gives a list; a name ``a.b`` gives ``b`` within ``a``.
    """
    found: dict[str, list[Any]] = {}
    for about, value in pairs:
        fields = about.get("fields", about)
        text = value.get("fields", value).get("data")
        found.setdefault(str(fields.get("name")), []).append(_read(text, fields.get("dtype")))
    notes: dict[str, Any] = {}
    for name, values in found.items():
        _put(notes, name.split("."), values[0] if len(values) == 1 else values)
    return notes


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


def as_text(value: Any) -> tuple[str, str]:
    """Give a plain value as text, and the name of its type."""
    if isinstance(value, bool):
        return str(value).lower(), "boolean"
    if isinstance(value, int):
        return str(value), "int"
    if isinstance(value, float):
        return repr(value), "float"
    if isinstance(value, datetime | date):
        return value.isoformat(), "datetime" if isinstance(value, datetime) else "date"
    return str(value), "string"


def flat(notes: Mapping[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    """List annotations by dotted name, each with its values; None and empty lists are left out."""
    found: dict[str, list[Any]] = {}
    for name, value in notes.items():
        plain = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(plain, Mapping):
            found |= flat(plain, f"{prefix}{name}.")
        elif isinstance(plain, list | tuple):
            if plain:
                found[f"{prefix}{name}"] = list(plain)
        elif plain is not None:
            found[f"{prefix}{name}"] = [plain]
    return found
