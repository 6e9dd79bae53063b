"""Annotations as properties of a section, and back.

Neo knows texts, numbers, flat lists and arrays of one type, quantities, dates and times; their form
is kept. The definition of a property tells everything else: what has no form of its own is a text
in JSON, which other readers give as that text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple

import numpy as np
import quantities as pq

from ephyrus.core.units import unit_from_text
from ephyrus.nix.objects.kinds import RESERVED
from ephyrus.nix.property import Property
from ephyrus.nix.section import Section

__all__ = ["annotations_of", "array_annotations_of", "put_annotations", "put_value", "value_of"]

ARRAY_ANNOTATION = "ARRAYANNOTATION"
EMPTY_LIST, ONE_ITEM, ARRAY, JSON = "EMPTYLIST", "LIST", "ARRAY", "JSON"
TIMES: tuple[tuple[str, type, str], ...] = (  # a datetime is a date as well: it comes first
    ("DATETIME", datetime, "%Y-%m-%dT%H:%M:%S.%f"),
    ("DATE", date, "%Y-%m-%d"),
    ("TIME", time, "%H:%M:%S.%f"),
)
_FORMATS = {name: (kind, text) for name, kind, text in TIMES}
_PLAIN = (bool, int, float, str)
_LARGEST = 2**63

Note = Callable[[str], None]


class Stored(NamedTuple):
    """A value in the form of a property: values (or their type), unit, definition."""

    values: Any
    unit: str | None = None
    definition: str | None = None


def stored_form(value: Any) -> Stored | None:
    """Give the form in which a value is kept; None if there is none.

    Parameters
    ----------
    value : object
        An annotation.
    """
    if isinstance(value, pq.Quantity):
        return _quantity_form(value)
    if isinstance(value, np.ndarray):
        return _array_form(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return Stored(value) if value else Stored(str)
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < _LARGEST):
        return Stored(value)
    for name, kind, text in TIMES:
        if isinstance(value, kind):
            return Stored(value.strftime(text), None, name)
    if isinstance(value, list | tuple):
        return _list_form(list(value))
    return _json_form(value)


def _quantity_form(value: pq.Quantity) -> Stored | None:
    unit = value.dimensionality.string
    magnitude = np.asarray(value.magnitude)
    if magnitude.ndim > 1 or magnitude.dtype.kind not in "biuf":
        return None
    if not magnitude.size:
        return Stored(float, unit, EMPTY_LIST)
    one = ONE_ITEM if magnitude.shape == (1,) else None
    return Stored(magnitude.reshape(-1), unit, one)


def _array_form(value: np.ndarray[Any, Any]) -> Stored | None:
    if value.ndim > 1 or value.dtype.kind not in "biufU":
        return _json_form(value.tolist())
    if not value.size:
        return Stored(str if value.dtype.kind == "U" else value.dtype, None, EMPTY_LIST)
    if value.dtype.kind == "U":
        return Stored(value.reshape(-1).tolist(), None, ARRAY)
    return Stored(value.reshape(-1), None, ARRAY)


def _list_form(value: list[Any]) -> Stored | None:
    if not value:
        return Stored(str, None, EMPTY_LIST)
    items = [item.item() if isinstance(item, np.generic) else item for item in value]
    kinds = set(map(type, items))
    fits = all(not isinstance(item, int) or abs(item) < _LARGEST for item in items)
    if len(kinds) == 1 and kinds <= set(_PLAIN) and fits:
        return Stored(items, None, ONE_ITEM if len(items) == 1 else None)
    return _json_form(items)


def _json_form(value: Any) -> Stored | None:
    try:
        return Stored(json.dumps(value, ensure_ascii=False), None, JSON)
    except (TypeError, ValueError):  # dates, complex numbers and the like within a structure
        return None


def put_value(section: Section, name: str, stored: Stored) -> Property:
    """Make a property of a value in its stored form."""
    made = section.create_property(name, stored.values)
    if stored.unit is not None:
        made.unit = stored.unit
    if stored.definition is not None:
        made.definition = stored.definition
    return made


def put_annotations(
    section: Section, annotations: Mapping[str, Any], note: Note, *, arrays: bool = False
) -> None:
    """Write annotations as properties.

    Parameters
    ----------
    section : Section
        The object's section.
    annotations : mapping
        Annotations, or array annotations.
    note : callable
        Told of each that is not kept, or under another name.
    arrays : bool
        They are array annotations.
    """
    for key, value in annotations.items():
        name = str(key).replace("/", "_")
        stored = stored_form(value)
        if stored is None or not name or name == "." or "\0" in name:
            note(f"annotation {key!r} of {section.name}: {type(value).__name__} is not kept")
            continue
        if section.has_property_by_name(name) or (name in RESERVED and not arrays):
            note(f"annotation {key!r} of {section.name}: the name is taken; it is not kept")
            continue
        if name != key:
            note(f"annotation {key!r} of {section.name} is named {name!r}")
        if isinstance(value, datetime) and value.tzinfo is not None:
            note(f"annotation {key!r} of {section.name}: the time zone is not kept")
        made = put_value(section, name, stored)
        if arrays:
            made.type = ARRAY_ANNOTATION


def value_of(found: Property) -> Any:
    """Give the value of a property as it was before it was written."""
    values, unit, definition = list(found.values), found.unit, found.definition
    if unit is not None:
        return _as_quantity(values, unit, definition)
    if definition == EMPTY_LIST:
        return []
    if not values:
        return ""
    if definition in _FORMATS:
        return _as_time(values, definition)
    if definition == JSON and isinstance(values[0], str):
        try:
            return json.loads(values[0])
        except ValueError:
            return values[0]
    if definition == ARRAY:
        return np.array(values)
    return values[0] if len(values) == 1 and definition != ONE_ITEM else values


def _as_quantity(values: list[Any], unit: str, definition: str | None) -> Any:
    units, known = unit_from_text(unit)
    if not known or any(isinstance(value, str) for value in values):
        return values[0] if len(values) == 1 else values
    if len(values) == 1 and definition != ONE_ITEM:
        return pq.Quantity(values[0], units)
    return pq.Quantity(np.array(values, np.float64 if not values else None), units)


def _as_time(values: list[Any], definition: str) -> Any:
    kind, text = _FORMATS[definition]
    try:
        parsed = datetime.strptime(values[0], text)
    except (TypeError, ValueError):
        return values[0]
    return {datetime: parsed, date: parsed.date(), time: parsed.time()}[kind]


def annotations_of(properties: Iterable[Property]) -> dict[str, Any]:
    """Give the annotations among the properties of a section."""
    return {
        found.name: value_of(found)
        for found in properties
        if found.name not in RESERVED and found.type != ARRAY_ANNOTATION
    }


def array_annotations_of(properties: Iterable[Property]) -> dict[str, Any]:
    """Give the array annotations among the properties of a section."""
    return {found.name: _as_array(found) for found in properties if found.type == ARRAY_ANNOTATION}


def _as_array(found: Property) -> Any:
    values = np.array(list(found.values))
    if found.unit is None:
        return values
    units, known = unit_from_text(found.unit)
    return pq.Quantity(values, units) if known else values
