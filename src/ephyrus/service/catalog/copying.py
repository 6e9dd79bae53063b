"""Copies of sections, with what is below them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from ephyrus.service.catalog import permalinks, rights
from ephyrus.service.catalog.fields import flatten
from ephyrus.service.catalog.inserting import Existing, NewObject, insert_tree
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.reading import get, get_many
from ephyrus.service.catalog.records import BRIEF, Record
from ephyrus.service.catalog.snapshots import Snapshot, id_style
from ephyrus.service.catalog.storing import record
from ephyrus.service.db.schema import DELETED, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal

__all__ = ["copy_section"]

_OPTIONS = ("source_template", "with_properties", "with_datafiles", "recursive")
_MOST_SECTIONS = 10_000


def copy_section(
    connection: Connection, principal: Principal, document: Mapping[str, Any]
) -> Record:
    """Create a section from another one.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    principal : Principal
        Who copies; what he may not read is left out.
    document : mapping
        Body of a new section, with ``source_template`` (the section that is copied),
        ``with_properties`` (properties and values too), ``recursive`` (sections below too) and
        ``with_datafiles`` (the files of the source are linked to the copy, those that may be
        edited; files and blocks are never duplicated). What else it names replaces what is copied.

    Returns
    -------
    Record
        The new section.

    Raises
    ------
    ServiceError
        ``wrong_reference``, ``not_authorized``; the body is wrong.
    """
    from ephyrus.service.catalog import writing  # writing creates sections by this function

    values = flatten(document)
    options = {name: values.pop(name, None) for name in _OPTIONS}
    source = _source(connection, principal, options["source_template"])
    given = {
        **{name: value for name, value in source.attributes.items() if value is not None},
        "is_template": False,
        **values,
    }
    copy = writing.create(connection, principal, "section", given)
    pairs = {source.id: copy.id}
    if _flag("recursive", options):
        pairs |= _copy_below(connection, principal, source.id, copy)
    if _flag("with_properties", options):
        _copy_properties(connection, principal, pairs, copy)
    if _flag("with_datafiles", options):
        _link_datafiles(connection, principal, pairs)
    return get(connection, principal, "section", copy.id)


def _flag(name: str, options: Mapping[str, Any]) -> bool:
    """Read an option that is on or off."""
    value = options[name]
    if value in (None, False, 0, "0", "false"):
        return False
    if value in (True, 1, "1", "true"):
        return True
    raise ServiceError("bad_parameter", f"{name!r} must be 0 or 1.", details=name)


def _source(connection: Connection, principal: Principal, value: object) -> Record:
    """Read the section that is copied."""
    number = permalinks.parse(value, kind="section", style=id_style(connection)).id
    try:
        return get(connection, principal, "section", number, detail=BRIEF)
    except ServiceError as error:
        if error.message_type != "does_not_exist":
            raise
        raise ServiceError(
            "wrong_reference",
            f"'source_template': there is no section with the id {number}.",
            details={"field": "source_template", "id": number},
        ) from None


def _children(
    connection: Connection, principal: Principal, kind: str, field: str, above: list[int]
) -> list[Record]:
    """Read the objects of a type that lie below others and may be read."""
    rows = Snapshot.of(connection, principal).rows(kind)
    found: list[int] = []
    for part in chunks(above):
        query = select(rows.column("id")).where(rows.column(f"{field}_id").in_(part), rows.alive)
        found.extend(connection.execute(query).scalars())
    records = get_many(connection, principal, kind, sorted(found), detail=BRIEF)
    return [records[number] for number in sorted(records)]


def _insert(
    connection: Connection, principal: Principal, copy: Record, objects: list[NewObject]
) -> dict[Any, int]:
    """Store copies, with the rights of the section that they lie below."""
    return insert_tree(
        connection,
        copy.owner_id,
        objects,
        user_id=principal.user_id,
        shares_of=("section", copy.id),
    )


def _copy_below(
    connection: Connection, principal: Principal, source: int, copy: Record
) -> dict[int, int]:
    """Copy the sections below a section; give the ids of the copies by those of the originals."""
    objects: list[NewObject] = []
    frontier = [source]
    seen = {source, copy.id}  # a copy that lies below its own source is not copied again
    while frontier:
        below = _children(connection, principal, "section", "parent_section", frontier)
        fresh = [each for each in below if each.id not in seen]
        seen |= {each.id for each in fresh}
        for each in fresh:
            above = each.parents["parent_section"]
            objects.append(
                NewObject(
                    "section",
                    each.id,
                    {**each.attributes, "is_template": False},
                    parents={"parent_section": Existing(copy.id) if above == source else above},
                    safety_level=copy.safety_level,
                )
            )
        frontier = [each.id for each in fresh]
        if len(objects) > _MOST_SECTIONS:
            raise ServiceError("too_large", f"There are more than {_MOST_SECTIONS} sections below.")
    ids = _insert(connection, principal, copy, objects)
    return {int(key): number for key, number in ids.items()}


def _copy_properties(
    connection: Connection, principal: Principal, pairs: Mapping[int, int], copy: Record
) -> None:
    """Copy properties and values of sections."""
    objects = []
    properties = _children(connection, principal, "property", "section", list(pairs))
    for each in properties:
        above: Any = each.parents["section"]
        parents = {"section": Existing(pairs[above])}
        objects.append(
            NewObject("property", ("property", each.id), each.attributes, parents=parents)
        )
    numbers = [each.id for each in properties]
    for each in _children(connection, principal, "value", "parent_property", numbers):
        parent = {"parent_property": ("property", each.parents["parent_property"])}
        objects.append(NewObject("value", ("value", each.id), each.attributes, parents=parent))
    _insert(connection, principal, copy, objects)


def _link_datafiles(connection: Connection, principal: Principal, pairs: Mapping[int, int]) -> None:
    """Link the files of sections to their copies."""
    table = TABLES["datafile"]
    changed = []
    for source, copy in pairs.items():
        query = select(table.c.id).where(
            table.c.section_id == source, table.c.current_state != DELETED
        )
        ids = list(connection.execute(query).scalars())
        found = rights.levels(connection, principal, "datafile", ids)
        mine = [number for number in ids if found[number] >= rights.WRITE]
        for part in chunks(mine):
            connection.execute(update(table).where(table.c.id.in_(part)).values(section_id=copy))
        changed.extend(mine)
    record(connection, "datafile", {("section",): changed}, principal.user_id)
