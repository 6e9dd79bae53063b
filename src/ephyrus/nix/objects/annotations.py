"""Annotations as properties of a section, and back.

Neo knows texts, numbers, flat lists and arrays of one type, quantities, dates and times; their form
is kept. The definition of a property tells everything else: what has no form of its own is a text
in JSON, which other readers give as that text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus.core.units import unit_from_text
from ephyrus.nix.enums import DataType
from ephyrus.nix.objects.claims import check_data_set
from ephyrus.nix.objects.kinds import RESERVED
from ephyrus.nix.objects.texts import is_text, kept_text
from ephyrus.nix.property import Property
from ephyrus.nix.section import Section

__all__ = [
    "ARRAY_ANNOTATION",
    "Stored",
    "annotations_of",
    "array_of",
    "key_of",
    "put_annotations",
    "put_value",
    "value_of",
]

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
_ARRAY_KEY = "array"
_NUMBER_TYPES = {np.dtype(each).str for each in "?bBhHiIlLqQefd"}
_NUMBER_TYPES |= {np.dtype(each).newbyteorder().str for each in "hHiIqQefd"}
_KEPT_TYPES = {np.dtype(each).str for each in (np.int64, np.float64, np.bool_)}  # of properties

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
        return _text_form(value)
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < _LARGEST):
        return Stored(value)
    if isinstance(value, date | time):
        name, text = next((name, text) for name, kind, text in TIMES if isinstance(value, kind))
        return Stored(_year(value) + value.strftime(text), None, name)
    if isinstance(value, list | tuple):
        return _list_form(list(value))
    return _json_form(value)


def _year(value: Any) -> str:
    """Give the zeros that `strftime` leaves out of early years."""
    year = getattr(value, "year", 9999)
    return "0" * (4 - len(str(year)))


def _text_form(value: str) -> Stored | None:
    if not is_text(value):
        return _json_form(value)
    return Stored(value) if value else Stored(str)


def _quantity_form(value: pq.Quantity) -> Stored | None:
    unit = value.dimensionality.string
    magnitude = np.asarray(value.magnitude)
    if magnitude.ndim > 1 or magnitude.dtype.kind not in "biuf":
        return None
    if not magnitude.size:
        return Stored(float, unit, EMPTY_LIST)
    one = _typed(ONE_ITEM, magnitude.dtype) if magnitude.shape == (1,) else None
    if one is None and magnitude.dtype.str not in _KEPT_TYPES:
        one = _typed(ARRAY, magnitude.dtype) if magnitude.ndim else None
    return Stored(magnitude.reshape(-1), unit, one)


def _array_form(value: np.ndarray[Any, Any]) -> Stored | None:
    if value.ndim > 1 or value.dtype.kind not in "biufU":
        return _json_form(value.tolist())
    if value.ndim == 0:
        return stored_form(value.item())
    if value.dtype.kind != "U":
        kept = Stored(value.dtype) if not value.size else Stored(value)
        return kept._replace(definition=_typed(ARRAY, value.dtype))
    texts = value.tolist()
    if not all(map(is_text, texts)):
        return _json_form(texts)
    return Stored(texts if texts else str, None, ARRAY)


def _typed(word: str, dtype: np.dtype[Any]) -> str:
    """Name a form, and the type of numbers that are not kept in their own."""
    return word if dtype.str in _KEPT_TYPES else f"{word} {dtype.str}"


def _list_form(value: list[Any]) -> Stored | None:
    if not value:
        return Stored(str, None, EMPTY_LIST)
    items = [item.item() if isinstance(item, np.generic) else item for item in value]
    kinds = set(map(type, items))
    fits = all(
        is_text(item)
        if isinstance(item, str)
        else not isinstance(item, int) or abs(item) < _LARGEST
        for item in items
    )
    if len(kinds) == 1 and kinds <= set(_PLAIN) and fits:
        return Stored(items, None, ONE_ITEM if len(items) == 1 else None)
    return _json_form(items)


def _json_form(value: Any) -> Stored | None:
    """Give the text in JSON, if reading that gives the value again."""
    try:
        text = json.dumps(value, default=_plain_form)
    except (TypeError, ValueError, RecursionError):  # dates, complex numbers and the like within
        return None
    return Stored(text, None, JSON)


def _plain_form(value: Any) -> Any:
    """Give arrays and numbers of numpy within a structure in a form that JSON has."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        return value.item()
    if type(value) is np.ndarray and value.dtype.kind in "biufU":
        return {_ARRAY_KEY: value.tolist(), "dtype": value.dtype.str}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _from_plain_form(found: dict[str, Any]) -> Any:
    """Give the array for what `_plain_form` makes of one."""
    if found.keys() != {_ARRAY_KEY, "dtype"}:
        return found
    dtype = found["dtype"]
    known = dtype in _NUMBER_TYPES or re.fullmatch(r"[<>]U\d{1,6}", str(dtype))
    return np.array(found[_ARRAY_KEY], dtype) if known else found


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
        name = _property_name(section, str(key))
        stored = stored_form(value)
        if stored is None:
            note(f"annotation {key!r} of {section.name}: {type(value).__name__} is not kept")
            continue
        if isinstance(value, datetime) and value.tzinfo is not None:
            note(f"annotation {key!r} of {section.name}: the time zone is not kept")
        made = put_value(section, name, stored)
        if name != key:
            made.reference = kept_text(key)
        if arrays:
            made.type = ARRAY_ANNOTATION


def _property_name(section: Section, key: str) -> str:
    """Give the name of a property for a key; another one than the key ends in an underscore."""
    name = kept_text(key).replace("/", "_")
    if name != key or name in ("", "."):
        name = f"{name.strip('.')}_"
    while name in RESERVED or section.has_property_by_name(name):
        name += "_"
    return name


def key_of(found: Property) -> str:
    """Give the key of the annotation that a property is."""
    name = found.name
    return (found.reference or name) if name.endswith("_") else name


def value_of(found: Property) -> Any:
    """Give the value of a property as it was before it was written."""
    values, unit, definition = _values(found), found.unit, found.definition
    if unit is not None and (not values or not isinstance(values[0], str)):
        return _as_quantity(values, unit, definition)
    word, _, dtype = (definition or "").partition(" ")
    if word == ARRAY:
        return _as_array(values, dtype)
    if definition == EMPTY_LIST:
        return []
    if not values:
        return ""
    if definition in _FORMATS:
        return _as_time(values, definition)
    if definition == JSON and isinstance(values[0], str):
        return _from_json(values[0])
    return values[0] if len(values) == 1 and definition != ONE_ITEM else values


def _values(found: Property) -> list[Any]:
    check_data_set(found._gid, None, f"property {found.name}")
    return list(found.values)


def _as_array(values: list[Any], dtype: str) -> NDArray[Any]:
    """Give an array of the type that a definition names, if it names one."""
    if values and isinstance(values[0], str):
        return np.array(values, np.str_)
    return np.array(values, dtype if dtype in _NUMBER_TYPES else None)


def _as_quantity(values: list[Any], unit: str, definition: str | None) -> Any:
    units, known = unit_from_text(unit)
    if not known:
        return values[0] if len(values) == 1 else values
    word, _, dtype = (definition or "").partition(" ")
    if len(values) == 1 and word not in (ONE_ITEM, ARRAY):
        return pq.Quantity(values[0], units)
    return pq.Quantity(_as_array(values, dtype if values else "<f8"), units)


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
        key_of(found): value_of(found)
        for found in properties
        if found.name not in RESERVED and found.type != ARRAY_ANNOTATION
    }


def array_of(found: Property) -> Any:
    """Give the values of a property as an array, with its unit."""
    values, unit, definition = _values(found), found.unit, found.definition
    word, _, dtype = (definition or "").partition(" ")
    if word == JSON and values and isinstance(values[0], str):
        return np.array(_from_json(values[0]))
    array = _as_array(values, dtype)
    if not values and dtype not in _NUMBER_TYPES:
        array = array.astype(np.str_ if found.data_type is DataType.String else found.data_type)
    if unit is None:
        return array
    units, known = unit_from_text(unit)
    return pq.Quantity(array, units) if known else array


def _from_json(text: str) -> Any:
    try:
        return json.loads(text, object_hook=_from_plain_form)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return text
