"""JSON schemas of objects and envelopes, made from the table of types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ephyrus.service.types import TYPES, ArrayField, Attribute, ObjectType, Parent

__all__ = ["components", "id_schema", "new_name", "ref", "selection_name"]

Schema = dict[str, Any]

_VALUES: Mapping[str, list[str]] = {
    "text": ["string"],
    "int": ["integer"],
    "float": ["number"],
    "bool": ["boolean"],
    "datetime": ["string"],
    "text or int": ["string", "integer"],
}
_MESSAGE_KEYS = ["logged_in_as", "message", "message_type"]
_LINK = {"type": ["string", "null"]}
_LINKS = {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "object"}]}}


def ref(name: str) -> Schema:
    """Refer to a schema by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def selection_name(kind: ObjectType) -> str:
    """Name of the schema of the envelope with objects of a type."""
    return f"{kind.name}_selection"


def new_name(kind: ObjectType) -> str:
    """Name of the schema of what is sent to create an object of a type."""
    return f"{kind.name}_new"


def id_schema(style: str) -> Schema:
    """Give the schema of an id."""
    if style == "int":
        return {"type": "integer", "minimum": 1}
    return {"type": "string", "pattern": "^[1-9A-V][0-9A-V]{9}$"}


def components(style: str) -> dict[str, Schema]:
    """Give all schemas by name.

    Parameters
    ----------
    style : {"int", "base32"}
        How ids are printed.
    """
    schemas: dict[str, Schema] = {
        "Message": _object(
            {
                "logged_in_as": {"type": "string"},
                "message": {"type": "string"},
                "message_type": {"type": "string"},
            },
            required=_MESSAGE_KEYS,
        ),
        "Error": _object(
            {
                "logged_in_as": {"type": "string"},
                "message": {"type": "string"},
                "message_type": {"type": "string"},
                "details": {"type": ["string", "object", "array", "null"]},
            },
            required=[*_MESSAGE_KEYS, "details"],
        ),
        "Quantity": _pair({"type": ["number", "null"]}),
        "Array": _pair({"type": ["string", "null", "array"]}),
        "Partial": _object({}),
    }
    for kind in TYPES.values():
        schemas[kind.name] = _item(kind, style)
        schemas[selection_name(kind)] = _selection(kind)
        schemas[new_name(kind)] = _new(kind, required=True)
        schemas[f"{kind.name}_change"] = _new(kind, required=False)
    return schemas


def _object(properties: Mapping[str, Any], *, required: list[str] | None = None) -> Schema:
    made: Schema = {"type": "object", "properties": dict(properties)}
    if required:
        made["required"] = required
    return made


def _pair(data: Schema) -> Schema:
    return _object(
        {"data": data, "units": {"type": ["string", "null"]}}, required=["data", "units"]
    )


def _attribute(attribute: Attribute) -> Schema:
    types = _VALUES[attribute.value]
    if attribute.required:
        return {"type": types if len(types) > 1 else types[0]}
    return {"type": [*types, "null"]}


def _fields(kind: ObjectType, style: str) -> Schema:
    """Give the schema of the fields of an object as it is shown."""
    properties: dict[str, Any] = {
        "id": id_schema(style),
        "guid": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
        "current_state": {"enum": [10, 20, 30]},
        "safety_level": {"enum": [1, 2, 3]},
        "owner": {"type": "string"},
        "date_created": {"type": "string"},
        "last_modified": {"type": "string"},
        "shared_with": {"type": ["object", "null"]},
        "metadata": {"type": "array"},
    }
    properties.update({each.name: _attribute(each) for each in kind.attributes})
    properties.update({each.name: ref("Quantity") for each in kind.quantities})
    properties.update({each.name: ref("Array") for each in kind.arrays})
    properties.update({each.name: _LINKS if each.many else _LINK for each in kind.parents})
    properties.update({f"{child.name}_set": _LINKS for child, _ in kind.children})
    return _object(properties)


def _item(kind: ObjectType, style: str) -> Schema:
    """Give the schema of an object in ``selected``."""
    properties = {
        "id": {"type": "string"},
        "model": {"const": kind.model},
        "permalink": {"type": "string"},
        "location": {"type": "string"},
        "fields": _fields(kind, style),
        "arrays": _object({}),
        "partial": ref("Partial"),
    }
    return _object(properties, required=["id", "model", "permalink", "location", "fields"])


def _selection(kind: ObjectType) -> Schema:
    """Give the schema of the envelope with objects."""
    own = _object(
        {
            "objects_selected": {"type": "integer", "minimum": 0},
            "selected": {"type": "array", "items": ref(kind.name)},
            "selected_range": {
                "type": ["array", "null"],
                "items": {"type": "integer"},
                "minItems": 2,
                "maxItems": 2,
            },
            "total": {"type": ["integer", "null"]},
            "first": _LINK,
            "previous": _LINK,
            "next": _LINK,
            "next_cursor": _LINK,
        },
        required=["objects_selected", "selected", "selected_range"],
    )
    return {"allOf": [ref("Message"), own]}


def _sent_array(array: ArrayField) -> Schema:
    units: Schema = {"type": ["string", "null"] if array.is_text else "string"}
    data = {"type": ["integer", "string"] if array.required else ["integer", "string", "null"]}
    return _object({"data": data, "units": units}, required=["data"])


def _sent_parent(parent: Parent) -> Schema:
    one: Schema = {"type": ["integer", "string", "null"]}
    if parent.many:
        return {"type": ["array", "null"], "items": {"type": ["integer", "string"]}}
    return {"type": ["integer", "string"]} if parent.required else one


def _new(kind: ObjectType, *, required: bool) -> Schema:
    """Give the schema of what is sent to create or change an object."""
    quantity = _object(
        {"data": {"type": "number"}, "units": {"type": "string"}}, required=["data", "units"]
    )
    properties: dict[str, Any] = {each.name: _attribute(each) for each in kind.attributes}
    properties.update({each.name: quantity for each in kind.quantities})
    properties.update({each.name: _sent_array(each) for each in kind.arrays})
    properties.update({each.name: _sent_parent(each) for each in kind.parents})
    properties["metadata"] = {"type": "array", "items": {"type": ["integer", "string"]}}
    properties["safety_level"] = {"enum": [1, 2, 3]}
    return _object(properties, required=list(kind.required) if required else None)
