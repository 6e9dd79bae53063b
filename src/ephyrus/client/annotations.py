"""Annotations as metadata: values with types on one side, properties and text on the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ephyrus._shared.notes import typed_texts, value_of

__all__ = ["Note", "annotations_of", "notes_of"]


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
        found.setdefault(key, []).append(value_of(text, fields.get("dtype")))
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
            dtype, texts = typed_texts(values)
            notes.append(Note(name, dtype, unit, texts))
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
