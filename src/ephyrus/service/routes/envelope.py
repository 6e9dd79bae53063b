"""The envelope that every JSON answer comes in, and objects as they are shown in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import orjson

from ephyrus.service.catalog.ids import format_id
from ephyrus.service.catalog.permalinks import permalink, profile
from ephyrus.service.routes.answers import Answer, Headers

if TYPE_CHECKING:
    from ephyrus.service.catalog.records import Record
    from ephyrus.service.partial.view import View
    from ephyrus.service.routes.call import Call

__all__ = [
    "LEVELS",
    "Facts",
    "Level",
    "Shown",
    "created",
    "message",
    "moment_text",
    "objects",
    "present",
]

Level = Literal["link", "info", "beard", "data", "full"]
LEVELS: tuple[Level, ...] = ("link", "info", "beard", "data", "full")
"""How much of an object is shown."""

LIST_TEXT = "Here is the list of requested objects."
EMPTY_TEXT = "No objects match the request."
CREATED_TEXT = "Object created successfully."
DELETED_TEXT = "Object was deleted."

_FILE_FACTS = ("size", "mime", "file_type", "extracted_info", "operations_log", "last_task_id")
_NULL = {"data": None, "units": None}


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of objects.

    Attributes
    ----------
    level : str
        One of :data:`LEVELS`.
    children : bool
        Lists of children are shown where the level has them.
    only : frozenset of str, optional
        Names of the fields that are shown; None: all.
    style : str
        How ids are printed.
    at_time : datetime, optional
        The objects are shown as they were then, UTC; links to their arrays say so too, as these may
        be deleted by now.
    """

    level: Level = "beard"
    children: bool = True
    only: frozenset[str] | None = None
    style: str = "int"
    at_time: datetime | None = None


@dataclass(slots=True)
class Facts:
    """What is shown of an object and does not lie in its record.

    Attributes
    ----------
    arrays : mapping
        Rows of the catalog's table of arrays by id of the datafile.
    pairs : list of (Record, Record), optional
        Properties and values that it is annotated with.
    view : View, optional
        The part of its arrays that was asked for.
    values : mapping of str to list
        Arrays that are shown in place of their links.
    nested : mapping of str to list
        Children that are shown in place of their permalinks, by type.
    """

    arrays: Mapping[int, Any] = field(default_factory=dict)
    pairs: Sequence[tuple[Record, Record]] | None = None
    view: View | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    nested: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)


def message(
    call: Call,
    message_type: str,
    text: str,
    *,
    status: int = 200,
    headers: Headers | None = None,
    **extra: Any,
) -> Answer:
    """Make an answer that is a message.

    Parameters
    ----------
    call : Call
        The request.
    message_type : str
        Type of the message.
    text : str
        The message, for people.
    status : int
        HTTP status.
    headers : mapping or iterable of (str, str), optional
        Further headers.
    **extra
        Further keys of the envelope.
    """
    document = {
        "logged_in_as": call.principal.username,
        "message": text,
        "message_type": message_type,
        **extra,
    }
    return Answer(
        status=status,
        body=orjson.dumps(document, default=str),
        headers={"Cache-Control": "no-store"} if headers is None else headers,
    )


def selection(
    call: Call,
    items: Sequence[Mapping[str, Any]],
    *,
    message_type: str = "",
    text: str = "",
    offset: int | None = 0,
    status: int = 200,
    headers: Headers | None = None,
    **extra: Any,
) -> Answer:
    """Make an answer that shows objects, which have been presented before.

    `offset` is the position of the first one in the selection; None: it is not known.
    """
    last = None if offset is None or not items else offset + len(items) - 1
    return message(
        call,
        message_type or ("object_selected" if items else "no_objects_found"),
        text or (LIST_TEXT if items else EMPTY_TEXT),
        status=status,
        headers=headers,
        objects_selected=len(items),
        selected=items,
        selected_range=None if last is None else [offset, last],
        **extra,
    )


def objects(
    call: Call, records: Sequence[Record], *, shown: Shown | None = None, **options: Any
) -> Answer:
    """Make an answer that shows records; for the options see :func:`selection`."""
    shown = shown or Shown(style=call.service.settings.id_style)
    return selection(call, [present(record, shown) for record in records], **options)


def created(call: Call, records: Sequence[Record], **extra: Any) -> Answer:
    """Make the answer for objects that were created."""
    first = records[0]
    location = permalink(first.type, first.id, call.service.settings.id_style)
    return objects(
        call,
        records,
        message_type="object_created",
        text=CREATED_TEXT,
        status=201,
        headers={"Location": location, "Cache-Control": "no-store"},
        **extra,
    )


def present(record: Record, shown: Shown, facts: Facts | None = None) -> dict[str, Any]:
    """Show an object.

    Parameters
    ----------
    record : Record
        The object.
    shown : Shown
        What is shown of it.
    facts : Facts, optional
        What else is known of it.

    Returns
    -------
    dict
        The object as it stands in ``selected``.
    """
    facts = facts or Facts()
    kind = record.kind
    address = permalink(kind.name, record.id, shown.style)
    item: dict[str, Any] = {
        "id": str(format_id(record.id, shown.style)),
        "model": kind.model,
        "permalink": address,
        # clients take a location apart into category, type and id
        "location": f"/{kind.category}/{kind.name}/{address.rpartition('/')[2]}",
        "fields": {},
    }
    if shown.level == "link":
        return item
    fields = _fields(record, shown, facts)
    if shown.only is not None:
        fields = {name: value for name, value in fields.items() if name in shown.only}
    item["fields"] = fields
    arrays = _shapes(record, facts)
    if arrays:
        item["arrays"] = arrays
    if facts.view is not None and facts.view.partial is not None:
        item["partial"] = facts.view.partial
    return item


def _shapes(record: Record, facts: Facts) -> dict[str, Any]:
    """Say what the arrays of an object are; a datafile is its own array, named ``data``."""
    ids = {name: ref.datafile_id for name, ref in record.arrays.items() if ref is not None}
    if record.type == "datafile":
        ids = {"data": record.id}
    return {
        name: {"dtype": row.dtype, "shape": list(row.shape)}
        for name, number in ids.items()
        if (row := facts.arrays.get(number)) is not None
    }


def moment_text(moment: datetime | None) -> str | None:
    """Write a time as clients know it."""
    return None if moment is None else moment.isoformat(" ", "seconds")


def _fields(record: Record, shown: Shown, facts: Facts) -> dict[str, Any]:
    """Give the fields of an object, each group where the level has it."""
    fields = _common(record, shown.style)
    if shown.level != "data":
        fields.update(_attributes(record))
    fields.update(_quantities(record, facts))
    fields.update(_arrays(record, shown, facts))
    if shown.level in ("beard", "full"):
        fields.update(_parents(record, shown.style))
        if shown.children:
            fields.update(_children(record, shown.style, facts))
    if shown.level == "full" and facts.pairs is not None:
        brief = Shown("info", style=shown.style)
        fields["metadata"] = [
            [present(above, brief), present(value, brief)] for above, value in facts.pairs
        ]
    return fields


def _common(record: Record, style: str) -> dict[str, Any]:
    return {
        "id": format_id(record.id, style),
        "guid": record.guid,
        "current_state": record.state,
        "safety_level": record.safety_level,
        "owner": profile(record.owner_id),
        "date_created": moment_text(record.created),
        "last_modified": moment_text(record.modified),
        "shared_with": record.shared_with,
        "metadata": [permalink("value", each, style) for each in record.metadata or ()],
    }


def _attributes(record: Record) -> dict[str, Any]:
    shown = {}
    for attribute in record.kind.attributes:
        value = record.attributes.get(attribute.name)
        if isinstance(value, datetime):
            value = moment_text(value)
        shown[attribute.name] = value
    if record.type == "datafile":
        shown["title"] = shown["name"]
        shown.update({name: record.facts.get(name) for name in _FILE_FACTS})
        shown["conversion_type"] = shown["file_type"]
    return shown


def _quantities(record: Record, facts: Facts) -> dict[str, Any]:
    replaced = facts.view.quantities if facts.view is not None else {}
    shown: dict[str, Any] = {}
    for name, (value, units) in record.quantities.items():
        shown[name] = (
            dict(_NULL) if value is None else {"units": units, "data": replaced.get(name, value)}
        )
    return shown


def _arrays(record: Record, shown: Shown, facts: Facts) -> dict[str, Any]:
    links = facts.view.links if facts.view is not None else None
    given: dict[str, Any] = {}
    for name, ref in record.arrays.items():
        if ref is None or (links is not None and links.get(name, "") is None):
            given[name] = dict(_NULL)
        elif name in facts.values:
            given[name] = {"units": ref.units, "data": facts.values[name]}
        elif links is not None and name in links:
            given[name] = {"units": ref.units, "data": _at(links[name], shown.at_time)}
        else:
            link = permalink("datafile", ref.datafile_id, shown.style)
            given[name] = {"units": ref.units, "data": _at(link, shown.at_time)}
    return given


def _at(link: str | None, moment: datetime | None) -> str | None:
    """Let a link lead to an array as it was."""
    if link is None or moment is None:
        return link
    return f"{link}{'&' if '?' in link else '?'}at_time={moment.isoformat()}"


def _parents(record: Record, style: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for parent in record.kind.parents:
        value = record.parents.get(parent.name)
        if parent.many:
            ids = value if isinstance(value, tuple) else ()
            shown[parent.name] = [permalink(parent.type, each, style) for each in ids]
        else:
            shown[parent.name] = (
                permalink(parent.type, value, style) if isinstance(value, int) else None
            )
    return shown


def _children(record: Record, style: str, facts: Facts) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for kind, _ in record.kind.children:
        name = f"{kind.name}_set"
        if name in shown:
            continue
        ids = (record.children or {}).get(kind.name, ())
        shown[name] = facts.nested.get(
            kind.name, [permalink(kind.name, each, style) for each in ids]
        )
    return shown
