"""Writing objects: creating one, changing one or all that filters select."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy import update as sql_update

from ephyrus.service.catalog import annotation, copying, rights, sharing
from ephyrus.service.catalog.facts import log_operation, set_facts
from ephyrus.service.catalog.fields import Change, flatten, read_change
from ephyrus.service.catalog.guid import guid_of
from ephyrus.service.catalog.limits import MOST_CHANGED, MOST_IN_TREE, check_product
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.reading import get, select_ids
from ephyrus.service.catalog.records import Record
from ephyrus.service.catalog.references import check_aligned, check_references
from ephyrus.service.catalog.snapshots import id_style
from ephyrus.service.catalog.storing import (
    add_links,
    allocate,
    batches,
    datafile_guids,
    empty_row,
    open_versions,
    record,
    rows_of,
)
from ephyrus.service.db.engine import moment
from ephyrus.service.db.schema import ACTIVE, LINKS, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES, ObjectType

__all__ = [
    "Written",
    "bulk_update",
    "create",
    "first_parent",
    "flatten",
    "log_operation",
    "new_row",
    "set_facts",
    "update",
    "writer",
]

PRIVATE = 3
_FREE = {"section", "metadata"}  # what can be changed of an object of a served recording


@dataclass(frozen=True, slots=True)
class Written:
    """What became of an update.

    Attributes
    ----------
    record : Record
        The object as it is now.
    changed : bool
        Something was changed.
    """

    record: Record
    changed: bool


def create(
    connection: Connection,
    principal: Principal,
    kind: str,
    document: object,
    *,
    facts: Mapping[str, Any] | None = None,
) -> Record:
    """Create an object.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    principal : Principal
        Who creates and then owns it.
    kind : str
        Its type.
    document : mapping
        The body: attributes at the top or inside ``fields``.
    facts : mapping, optional
        What the server knows of a datafile (names of ``FACTS``).

    Returns
    -------
    Record
        The new object. Safety level and shares are those of its first parent, unless given.

    Raises
    ------
    ServiceError
        The body is wrong (400), a parent may not be edited (403), or nobody is logged in (401).
    """
    user = writer(principal)
    if kind == "section" and isinstance(document, Mapping) and "source_template" in document:
        return copying.copy_section(connection, principal, document)
    each = TYPES[kind]
    change = read_change(each, document, is_new=True, style=id_style(connection))
    check_references(connection, principal, each, change)
    number = insert_object(connection, each, change, user, facts or {})
    if change.rights:
        rights.set_acl(connection, principal, kind, number, change.rights)
    if change.metadata:
        annotation.annotate(connection, principal, kind, [number], change.metadata)
    return get(connection, principal, kind, number)


def insert_object(
    connection: Connection,
    kind: ObjectType,
    change: Change,
    user: int,
    facts: Mapping[str, Any],
) -> int:
    """Store a new object whose references were checked; give its id."""
    (number,) = allocate(connection, kind.name, 1)
    row = {**new_row(connection, kind, change, user), "id": number, **facts}
    source = first_parent(kind, change)
    if source is not None:
        row["safety_level"] = _safety_of(connection, *source)
    check_aligned(connection, kind, [row])
    datafiles = datafile_guids(connection, kind, [row])
    row["guid"] = guid_of(kind, row, links=change.links, datafiles=datafiles)
    connection.execute(insert(TABLES[kind.name]), row)
    for name, parents in change.links.items():
        add_links(connection, kind.name, name, [(number, above) for above in parents])
    open_versions(connection, kind.name, [number], user, ["created"])
    if source is not None and not kind.rights_from:
        sharing.inherit(connection, source, kind.name, [number])
    return number


def new_row(connection: Connection, kind: ObjectType, change: Change, user: int) -> dict[str, Any]:
    """Make the row of a new private object, which has no id and no guid yet."""
    now = moment(connection)
    row = {
        **empty_row(kind),
        "owner_id": user,
        "safety_level": PRIVATE,
        "current_state": ACTIVE,
        "date_created": now,
        "last_modified": now,
    }
    for attribute in kind.attributes:
        if attribute.default is not None:
            row[attribute.name] = attribute.default
    for columns in change.columns.values():
        row |= columns
    return row


def writer(principal: Principal) -> int:
    """Give the user who writes.

    Raises
    ------
    ServiceError
        Nobody is logged in.
    """
    if principal.user_id is None:
        raise rights.refuse(principal, "Only users can write.")
    return principal.user_id


def first_parent(kind: ObjectType, change: Change) -> tuple[str, int] | None:
    """Find the parent whose rights a new object gets."""
    for parent in kind.parents:
        number = change.parents.get(parent.name)
        several = change.links.get(parent.name, ())
        if number is None and several:
            number = several[0]
        if number is not None and not TYPES[parent.type].rights_from:
            return parent.type, number
    return None


def _safety_of(connection: Connection, kind: str, number: int) -> int:
    table = TABLES[kind]
    query = select(table.c.safety_level).where(table.c.id == number)
    return int(connection.execute(query).scalar_one())


def update(
    connection: Connection,
    principal: Principal,
    kind: str,
    number: int,
    document: object,
    *,
    expected_guid: str | None = None,
    append: bool = True,
    cascade: bool = True,
) -> Written:
    """Change an object: only what the body names.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    principal : Principal
        Who changes it.
    kind, number : str, int
        The object.
    document : mapping
        The body.
    expected_guid : str, optional
        Change it only if this is its guid.
    append, cascade : bool
        How annotations are made, see :func:`annotation.annotate`.

    Returns
    -------
    Written
        The object; nothing is written if nothing differs.

    Raises
    ------
    ServiceError
        ``does_not_exist``, ``not_authorized``, ``precondition_failed``; the body is wrong.
    """
    rights.require(connection, principal, kind, number, rights.WRITE)
    check_guid(connection, kind, number, expected_guid)
    change = read_change(TYPES[kind], document, is_new=False, style=id_style(connection))
    check_references(connection, principal, TYPES[kind], change, [number])
    changed = _apply(connection, principal, TYPES[kind], [number], change, append, cascade)
    return Written(get(connection, principal, kind, number), number in changed)


def check_guid(connection: Connection, kind: str, number: int, expected: str | None) -> None:
    """Check that an object is what a client takes it for (``If-Match``).

    Raises
    ------
    ServiceError
        ``precondition_failed``.
    """
    if expected is None:
        return
    table = TABLES[kind]
    found = connection.execute(select(table.c.guid).where(table.c.id == number)).scalar()
    if found != expected:
        raise ServiceError(
            "precondition_failed",
            f"The {kind} {number} was changed since; read it again.",
            details={"guid": found or ""},
        )


def bulk_update(
    connection: Connection,
    principal: Principal,
    kind: str,
    query: ListQuery,
    document: object,
    *,
    skip: bool = False,
    append: bool = True,
    cascade: bool = True,
) -> tuple[int, ...]:
    """Change all objects that filters select, or none.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    principal : Principal
        Who changes them.
    kind : str
        Their type.
    query : ListQuery
        The selection; its offset, order and size of pages are disregarded.
    document : mapping
        The body.
    skip : bool
        Pass over those that may not be edited, in place of refusing all.
    append, cascade : bool
        How annotations are made.

    Returns
    -------
    tuple of int
        The objects that were changed, in ascending order.

    Raises
    ------
    ServiceError
        ``wrong_params``: ``at_time`` cannot be changed. ``not_authorized``; the body is wrong.
        ``too_large``: there are more than ``MOST_CHANGED``.

    Notes
    -----
    Rows are read and written a few hundred at a time, all in the one transaction.
    """
    writer(principal)
    change = read_change(TYPES[kind], document, is_new=False, style=id_style(connection))
    ids = editable_ids(connection, principal, kind, query, skip=skip, most=MOST_CHANGED)
    check_references(connection, principal, TYPES[kind], change, ids)
    changed = _apply(connection, principal, TYPES[kind], ids, change, append, cascade)
    return tuple(sorted(changed))


def editable_ids(
    connection: Connection,
    principal: Principal,
    kind: str,
    query: ListQuery,
    *,
    skip: bool,
    most: int = MOST_IN_TREE,
) -> list[int]:
    """Select objects that are to be written."""
    if query.at_time is not None:
        raise ServiceError(
            "wrong_params", "What was cannot be changed: leave at_time away.", details="at_time"
        )
    ids = select_ids(connection, principal, kind, query, most=most)
    found = rights.levels(connection, principal, kind, ids)
    closed = [number for number in ids if found[number] < rights.WRITE]
    if closed and not skip:
        raise rights.refuse(
            principal,
            f"The selection holds objects that you may not edit, first the {kind} {closed[0]}; "
            "narrow it, or pass over them with mode=ignore.",
        )
    return [number for number in ids if found[number] >= rights.WRITE]


def _apply(
    connection: Connection,
    principal: Principal,
    kind: ObjectType,
    ids: Sequence[int],
    change: Change,
    append: bool,
    cascade: bool,
) -> set[int]:
    """Change objects that may be edited; give those that differ from what they were."""
    _check_free(connection, kind, ids, change)
    for name, parents in change.links.items():
        check_product(name, len(ids), len(parents))
    changed: set[int] = set()
    for part in batches(connection, kind.name, ids) if change.names else ():
        changed |= _apply_some(connection, principal, kind, part, change)
    if change.metadata is not None:
        changed |= annotation.annotate_changed(
            connection, principal, kind.name, ids, change.metadata, append=append, cascade=cascade
        )
    if change.rights:
        changed |= rights.set_many(connection, principal, kind.name, ids, change.rights)
    return changed


def _apply_some(
    connection: Connection,
    principal: Principal,
    kind: ObjectType,
    ids: Sequence[int],
    change: Change,
) -> set[int]:
    """Change columns and relations of a few objects; give those that differ from what they were."""
    names: dict[int, set[str]] = defaultdict(set)
    before = rows_of(connection, kind.name, ids)
    _apply_columns(connection, kind, before, change, names)
    for name, parents in change.links.items():
        for number in _apply_links(connection, kind, name, ids, parents):
            names[number].add(name)
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, each in names.items():
        groups[tuple(sorted(each))].append(number)
    return record(connection, kind.name, groups, principal.user_id)


def _check_free(
    connection: Connection, kind: ObjectType, ids: Iterable[int], change: Change
) -> None:
    """Check that what is changed does not come from the files of a served recording."""
    if change.names <= _FREE:
        return
    table = TABLES[kind.name]
    for part in chunks(ids):
        query = select(table.c.id).where(table.c.id.in_(part), table.c.recording_id.is_not(None))
        found = connection.execute(query.limit(1)).scalar()
        if found is not None:
            raise ServiceError(
                "not_authorized",
                f"The {kind.name} {found} belongs to a recording that is served from its own "
                "files and cannot be changed; annotate it, or import the recording.",
            )


def _apply_columns(
    connection: Connection,
    kind: ObjectType,
    before: Mapping[int, Mapping[str, Any]],
    change: Change,
    names: dict[int, set[str]],
) -> None:
    """Set columns of those rows that differ; remember the names of what was changed."""
    if not change.columns:
        return
    wanted = {key: value for part in change.columns.values() for key, value in part.items()}
    touched = []
    for number, row in before.items():
        differing = {
            name
            for name, columns in change.columns.items()
            if any(row[key] != value for key, value in columns.items())
        }
        if differing:
            names[number] |= differing
            touched.append(number)
    if change.arrays:
        check_aligned(connection, kind, [{**before[number], **wanted} for number in touched])
    table = TABLES[kind.name]
    for part in chunks(touched):
        connection.execute(sql_update(table).where(table.c.id.in_(part)).values(**wanted))


def _apply_links(
    connection: Connection,
    kind: ObjectType,
    name: str,
    ids: Sequence[int],
    parents: Sequence[int],
) -> set[int]:
    """Replace the relations of objects to several parents; give the objects that differ."""
    table = LINKS[kind.name, name]
    own, above = table.c[f"{kind.name}_id"], table.c[f"{name}_id"]
    present: dict[int, set[int]] = {number: set() for number in ids}
    wanted = set(parents)
    ended: list[int] = []
    changed: set[int] = set()
    for part in chunks(ids):
        query = select(table.c.link_id, own, above).where(own.in_(part), table.c.ends_at.is_(None))
        for link, number, other in connection.execute(query):
            present[number].add(other)
            if other not in wanted:
                ended.append(link)
                changed.add(number)
    for part in chunks(ended):
        here = table.c.link_id.in_(part)
        connection.execute(sql_update(table).where(here).values(ends_at=moment(connection)))
    lacking = {number: wanted - found for number, found in present.items()}
    added = ((number, other) for number, each in lacking.items() for other in sorted(each))
    add_links(connection, kind.name, name, added)
    return changed | {number for number, each in lacking.items() if each}
