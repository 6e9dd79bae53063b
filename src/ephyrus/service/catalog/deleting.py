"""Deleting objects, and all that they own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from ephyrus.service.catalog import rights, sharing, tree
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.selected import resolved
from ephyrus.service.catalog.storing import close_versions, record
from ephyrus.service.catalog.writing import check_guid, editable_ids
from ephyrus.service.db.engine import moment
from ephyrus.service.db.schema import DELETED, LINKS, TABLES, TAGGINGS
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES, ObjectType, Parent

__all__ = ["Deleted", "delete", "delete_many"]

Ids = dict[str, set[int]]


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted.

    Attributes
    ----------
    ids : tuple of int
        The objects that were named or selected.
    counts : mapping of str to int
        All objects, those that they owned included, by type.
    """

    ids: tuple[int, ...]
    counts: Mapping[str, int]


def delete(
    connection: Connection,
    principal: Principal,
    kind: str,
    number: int,
    *,
    force: bool = False,
    expected_guid: str | None = None,
) -> Deleted:
    """Delete an object with all that it owns. It stays readable at earlier times.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    principal : Principal
        Who deletes: somebody who may write it.
    kind, number : str, int
        The object.
    force : bool
        Also if others may write it, or something that goes with it.
    expected_guid : str, optional
        Delete it only if this is its guid.

    Returns
    -------
    Deleted
        What was deleted.

    Raises
    ------
    ServiceError
        ``does_not_exist``, ``not_authorized``, ``precondition_failed``, ``has_collaborators``;
        ``in_use``: the datafile holds an array of an object that stays.
    """
    rights.require(connection, principal, kind, number, rights.WRITE)
    check_guid(connection, kind, number, expected_guid)
    return _delete(connection, principal, kind, [number], force=force)


def delete_many(
    connection: Connection,
    principal: Principal,
    kind: str,
    query: ListQuery,
    *,
    force: bool = False,
    skip: bool = False,
) -> Deleted:
    """Delete all objects that filters select, or none.

    Parameters
    ----------
    connection, principal, kind, force
        As for :func:`delete`.
    query : ListQuery
        The selection: there must be a filter.
    skip : bool
        Pass over those that may not be edited.

    Returns
    -------
    Deleted
        What was deleted.

    Raises
    ------
    ServiceError
        ``wrong_params``: there is no filter. Else as for :func:`delete`.
    """
    if not resolved(connection, principal, kind, query).selects:
        raise ServiceError(
            "wrong_params",
            "A list is deleted only with a filter that says which objects go.",
            details="filter",
        )
    ids = editable_ids(connection, principal, kind, query, skip=skip)
    return _delete(connection, principal, kind, ids, force=force)


def _delete(
    connection: Connection, principal: Principal, kind: str, ids: list[int], *, force: bool
) -> Deleted:
    """Delete objects that may be edited."""
    if not ids:
        return Deleted((), {})
    targets = tree.owned(connection, {kind: set(ids)})
    targets = {each: numbers for each, numbers in targets.items() if numbers}
    _check_not_served(connection, targets)
    _check_not_used(connection, targets)
    if not force and sharing.others(connection, principal, targets):
        raise ServiceError(
            "has_collaborators",
            "Others may write this, or something that goes with it; delete it with force=1.",
        )
    for each, numbers in targets.items():
        _mark(connection, each, numbers)
    for each, numbers in targets.items():
        _detach(connection, each, numbers, principal.user_id)
    return Deleted(tuple(sorted(ids)), {each: len(numbers) for each, numbers in targets.items()})


def _check_not_served(connection: Connection, targets: Ids) -> None:
    """Check that nothing belongs to a served recording."""
    for kind, ids in targets.items():
        table = TABLES[kind]
        for part in chunks(ids):
            query = select(table.c.id).where(
                table.c.id.in_(part), table.c.recording_id.is_not(None)
            )
            found = connection.execute(query.limit(1)).scalar()
            if found is not None:
                raise ServiceError(
                    "not_authorized",
                    f"The {kind} {found} belongs to a recording that is served from its own files "
                    "and goes only with these.",
                )


def _check_not_used(connection: Connection, targets: Ids) -> None:
    """Check that no object that stays has an array in a datafile that goes."""
    for kind in TYPES.values() if "datafile" in targets else ():
        table = TABLES[kind.name]
        for array in kind.arrays:
            for part in chunks(targets["datafile"]):
                column = table.c[f"{array.name}_id"]
                query = select(table.c.id, column).where(
                    column.in_(part), table.c.current_state != DELETED
                )
                for number, datafile in connection.execute(query):
                    if number not in targets.get(kind.name, ()):
                        raise ServiceError(
                            "in_use",
                            f"The datafile {datafile} holds {array.name!r} of the {kind.name} "
                            f"{number}; delete that first.",
                            details={"type": kind.name, "id": number, "field": array.name},
                        )


def _mark(connection: Connection, kind: str, ids: set[int]) -> None:
    """Mark objects as deleted and end what held of them."""
    table, now = TABLES[kind], moment(connection)
    for part in chunks(ids):
        connection.execute(
            update(table)
            .where(table.c.id.in_(part))
            .values(current_state=DELETED, last_modified=now)
        )
        connection.execute(
            update(TAGGINGS)
            .where(
                TAGGINGS.c.type == kind,
                TAGGINGS.c.object_id.in_(part),
                TAGGINGS.c.ends_at.is_(None),
            )
            .values(ends_at=now)
        )
        for parent in TYPES[kind].parents:
            if parent.many:
                links = LINKS[kind, parent.name]
                here = links.c[f"{kind}_id"].in_(part)
                connection.execute(
                    update(links).where(here, links.c.ends_at.is_(None)).values(ends_at=now)
                )
    close_versions(connection, kind, ids)


def _detach(connection: Connection, kind: str, ids: set[int], user_id: int | None) -> None:
    """Take relations to deleted objects away from those that stay."""
    for child, parent in TYPES[kind].children:
        changed = (
            _detach_links(connection, child, parent, ids)
            if parent.many
            else _detach_column(connection, child, parent, ids)
        )
        record(connection, child.name, {(parent.name,): changed}, user_id)
    if kind == "value":
        for name, changed in _detach_tags(connection, ids).items():
            record(connection, name, {("metadata",): changed}, user_id)


def _detach_column(
    connection: Connection, child: ObjectType, parent: Parent, ids: set[int]
) -> set[int]:
    """Unset a relation to deleted objects; give the objects that had it."""
    table = TABLES[child.name]
    column = table.c[f"{parent.name}_id"]
    changed: set[int] = set()
    for part in chunks(ids):
        here = column.in_(part) & (table.c.current_state != DELETED)
        changed |= set(connection.execute(select(table.c.id).where(here)).scalars())
        connection.execute(update(table).where(here).values({column: None}))
    return changed


def _detach_links(
    connection: Connection, child: ObjectType, parent: Parent, ids: set[int]
) -> set[int]:
    """End links to deleted objects; give the objects that had them."""
    links = LINKS[child.name, parent.name]
    changed: set[int] = set()
    for part in chunks(ids):
        here = links.c[f"{parent.name}_id"].in_(part) & links.c.ends_at.is_(None)
        query = select(links.c[f"{child.name}_id"]).where(here)
        changed |= set(connection.execute(query).scalars())
        connection.execute(update(links).where(here).values(ends_at=moment(connection)))
    return changed


def _detach_tags(connection: Connection, ids: set[int]) -> Ids:
    """End annotations with deleted values; give the objects that had them."""
    changed: Ids = {}
    for part in chunks(ids):
        here = TAGGINGS.c.value_id.in_(part) & TAGGINGS.c.ends_at.is_(None)
        query = select(TAGGINGS.c.type, TAGGINGS.c.object_id).where(here)
        for kind, number in connection.execute(query):
            changed.setdefault(kind, set()).add(number)
        connection.execute(update(TAGGINGS).where(here).values(ends_at=moment(connection)))
    return changed
