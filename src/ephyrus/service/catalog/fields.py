"""What a body of JSON sets: names and values are checked, references are read, nothing is asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ephyrus.service.catalog import permalinks
from ephyrus.service.catalog.limits import few
from ephyrus.service.catalog.storing import attribute_columns, quantity_columns
from ephyrus.service.catalog.values import missing, read_attribute
from ephyrus.service.db.schema import FACTS
from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.units import check_unit
from ephyrus.service.types import ArrayField, ObjectType, Parent, Quantity

__all__ = ["Change", "flatten", "read_change"]

_READ_ONLY = frozenset(
    {
        "id",
        "guid",
        "owner",
        "date_created",
        "last_modified",
        "current_state",
        "permalink",
        "location",
        "model",
        "arrays",
        "partial",
    }
)
_RIGHTS = ("safety_level", "shared_with", "shared_with_groups")


@dataclass(slots=True)
class Change:
    """What a body sets.

    Attributes
    ----------
    columns : dict
        Columns of the row, by the name of the field that they belong to.
    parents : dict
        References to at most one parent: id or None, by name.
    links : dict
        References to several parents, by name.
    arrays : dict
        Datafiles of arrays: id or None, by name.
    metadata : list or None
        Values to annotate with, as sent; None: not a word.
    rights : dict
        What an ACL takes.
    """

    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    parents: dict[str, int | None] = field(default_factory=dict)
    links: dict[str, tuple[int, ...]] = field(default_factory=dict)
    arrays: dict[str, int | None] = field(default_factory=dict)
    metadata: list[Any] | None = None
    rights: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Names of the fields that are set."""
        return {*self.columns, *self.links}


def flatten(document: object) -> dict[str, Any]:
    """Take attributes from the top of a body or from inside ``fields``.

    Raises
    ------
    ServiceError
        ``data_parsing_error``: the body, or ``fields``, is no object.
    """
    if not isinstance(document, Mapping):
        raise ServiceError("data_parsing_error", "The body must be a JSON object.")
    inner = document.get("fields", {})
    if not isinstance(inner, Mapping):
        raise ServiceError("data_parsing_error", "'fields' must be a JSON object.")
    return {**{key: value for key, value in document.items() if key != "fields"}, **inner}


def read_change(kind: ObjectType, document: object, *, is_new: bool, style: str = "int") -> Change:
    """Read a body.

    Parameters
    ----------
    kind : ObjectType
        Type of the object.
    document : object
        The body.
    is_new : bool
        The object is created: what is required must be given.
    style : {"int", "base32"}
        Style of ids.

    Returns
    -------
    Change
        What is set.

    Raises
    ------
    ServiceError
        As section 5 of the interface names them: unknown names, missing or wrong values.
    """
    values = _known(kind, flatten(document))
    if is_new:
        absent = [name for name in kind.required if _is_unset(values.get(name))]
        if absent:
            raise missing(absent)
    change = Change(rights={name: values[name] for name in _RIGHTS if name in values})
    if change.rights.get("shared_with", 0) is None:  # as it is printed where nothing is shared
        del change.rights["shared_with"]
    if kind.rights_from:
        change.rights = {}
    for attribute in kind.attributes:
        if attribute.name in values:
            value = read_attribute(attribute, values[attribute.name])
            change.columns[attribute.name] = attribute_columns(attribute, value)
    for quantity in kind.quantities:
        if quantity.name in values:
            number, units = _read_quantity(quantity, values[quantity.name])
            change.columns[quantity.name] = quantity_columns(quantity.name, number, units)
    for array in kind.arrays:
        if array.name in values:
            _read_array(change, array, values[array.name], style)
    for parent in kind.parents:
        if parent.name in values:
            _read_parent(change, parent, values[parent.name], style)
    if values.get("metadata") is not None:
        change.metadata = read_list("metadata", values["metadata"])
    return change


def _known(kind: ObjectType, values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the names that can be set; others are passed over or refused."""
    aliases = {each.alias: each.name for each in kind.attributes if each.alias}
    fields = {
        each.name
        for group in (kind.attributes, kind.quantities, kind.arrays, kind.parents)
        for each in group
    }
    fields |= {"metadata", *_RIGHTS}
    ignored = set(_READ_ONLY)
    if kind.name == "datafile":
        ignored |= {*FACTS, "conversion_type"}
    result, unknown = {}, []
    for key, value in values.items():
        name = aliases.get(key, key)
        if name in fields:
            result[name] = value
        elif key not in ignored and not key.endswith("_set"):
            unknown.append(key)
    if unknown:
        raise ServiceError(
            "post_data_invalid",
            f"A {kind.name} has no {few(unknown)}; it has {', '.join(sorted(fields))}.",
            details=few(unknown),
        )
    return result


def _is_unset(value: object) -> bool:
    """Tell whether a value means that nothing is set."""
    if isinstance(value, Mapping):
        return "data" in value and value["data"] is None
    return value is None or value == []


def _read_pair(name: str, value: object) -> Mapping[str, Any] | None:
    """Check the form ``{"data": .., "units": ..}``; None: it is to be unset."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ServiceError(
            "dict_required",
            f'{name!r} must be an object {{"data": .., "units": ..}}, not {str(value)[:60]!r}.',
            details=name,
        )
    unknown = sorted(set(value) - {"data", "units"})
    if unknown:
        raise ServiceError(
            "post_data_invalid", f"{name!r} has no {unknown[0][:60]!r}; it has data and units.",
            details=name,
        )  # fmt: skip
    if "data" not in value:
        raise ServiceError("data_missing", f"{name!r} has no 'data'.", details=name)
    return None if value["data"] is None else value


def _read_quantity(quantity: Quantity, value: object) -> tuple[float | None, str | None]:
    """Read a number with its unit."""
    pair = _read_pair(quantity.name, value)
    if pair is None:
        if quantity.required:
            raise missing([quantity.name])
        return None, None
    number = pair["data"]
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    if not is_number or not math.isfinite(_float(number)):
        raise ServiceError(
            "bad_float_data",
            f"{quantity.name!r} must have a finite number, not {str(number)[:60]!r}.",
            details=quantity.name,
        )
    check_unit(quantity.dimension, pair.get("units"), name=quantity.name)
    if quantity.dimension == "rate" and number <= 0:
        raise ServiceError(
            "bad_parameter",
            f"{quantity.name} must be greater than 0, not {str(number)[:60]}.",
            details=quantity.name,
        )
    return number, pair["units"]


def _float(number: float) -> float:
    """Turn a number into a float; an integer that is too large becomes infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _read_array(change: Change, array: ArrayField, value: object, style: str) -> None:
    """Read the reference of an array, with its unit."""
    pair = _read_pair(array.name, value)
    if pair is None:
        if array.required:
            raise missing([array.name])
        datafile, units = None, None
    else:
        datafile = permalinks.parse(pair["data"], kind="datafile", style=style).id
        units = pair.get("units")
        if array.is_text:
            _check_text_units(array.name, units)
        else:
            check_unit(array.dimension, units, name=array.name)
    change.arrays[array.name] = datafile
    change.columns[array.name] = {f"{array.name}_id": datafile, f"{array.name}__units": units}


def _check_text_units(name: str, units: object) -> None:
    """Check the unit of text, which may be anything short."""
    if units is not None and (not isinstance(units, str) or len(units) > 64 or "\0" in units):
        raise ServiceError(
            "bad_parameter", f"{name!r}: units must be a short text or null.", details=name
        )


def read_list(name: str, value: object) -> list[Any]:
    """Check that something is a list."""
    if not isinstance(value, (list, tuple)):
        raise ServiceError("not_iterable", f"{name!r} must be a list.", details=name)
    return list(value)


def _read_parent(change: Change, parent: Parent, value: object, style: str) -> None:
    """Read the reference to a parent, or to several."""
    if not parent.many:
        if value is None and parent.required:
            raise missing([parent.name])
        number = None
        if value is not None:
            number = permalinks.parse(value, kind=parent.type, style=style).id
        change.parents[parent.name] = number
        change.columns[parent.name] = {f"{parent.name}_id": number}
        return
    given = [] if value is None else read_list(parent.name, value)
    ids = {permalinks.parse(each, kind=parent.type, style=style).id for each in given}
    change.links[parent.name] = tuple(sorted(ids))
