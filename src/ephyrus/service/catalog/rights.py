"""Rights: who may read, change and share an object."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    FromClause,
    and_,
    or_,
    select,
)

from ephyrus.service.accounts.tables import GROUP, USER
from ephyrus.service.catalog import sharing, tree
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.snapshots import Snapshot, field_parent
from ephyrus.service.db.schema import HELD, SHARES, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES

__all__ = ["NONE", "OWN", "READ", "WRITE", "Acl", "absent", "acl", "level", "levels", "refuse"]
__all__ += ["require", "require_data", "require_many", "set_acl", "set_many"]

NONE, READ, WRITE, OWN = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Acl:
    """Who may do what with an object.

    Attributes
    ----------
    safety_level : int
        1 public, 2 friendly, 3 private.
    shared_with : mapping of str to int
        User name to level: 1 reads, 2 reads and writes.
    groups : mapping of str to int
        Name of a group to level.
    """

    safety_level: int
    shared_with: Mapping[str, int]
    groups: Mapping[str, int]


def absent(kind: str, number: int) -> ServiceError:
    """Make the error of an object that does not exist."""
    return ServiceError("does_not_exist", f"There is no {kind} with the id {number}.")


def refuse(principal: Principal, text: str) -> ServiceError:
    """Make the error of something that somebody may not do."""
    if principal.is_anonymous:
        return ServiceError(
            "not_authenticated",
            f"{text} Log in first.",
            headers={"WWW-Authenticate": "Session"},
        )
    return ServiceError("not_authorized", text)


def levels(
    connection: Connection, principal: Principal, kind: str, numbers: Iterable[int]
) -> dict[int, int]:
    """Tell what a principal may do with objects of one type, deleted ones too.

    Returns
    -------
    dict of int to int
        0 nothing, 1 read, 2 read and write, 3 all (owner, administrator), by id. Objects that do
        not exist are left out.
    """
    result: dict[int, int] = {}
    for ids in chunks(dict.fromkeys(numbers)):
        holders = _holders(connection, kind, ids)
        for holder_kind, pairs in holders.items():
            found = _own_levels(connection, principal, holder_kind, set(pairs.values()))
            result |= {number: found[holder] for number, holder in pairs.items()}
    return result


def _holders(connection: Connection, kind: str, ids: list[int]) -> dict[str, dict[int, int]]:
    """Find the objects whose rights hold, by type: id of the object to id of the holder."""
    table = HELD[kind]
    if kind not in TYPES:
        found = connection.execute(select(table.c.id).where(table.c.id.in_(ids))).scalars()
        return {kind: {number: number for number in found}}
    each = TYPES[kind]
    holder_kind, column = kind, table.c.id
    source: FromClause = table
    joined: FromClause = table
    while each.rights_from:
        parent = field_parent(each, each.rights_from)
        above = TABLES[parent.type].alias()
        joined = joined.join(above, above.c.id == source.c[f"{parent.name}_id"])
        holder_kind, column, source, each = parent.type, above.c.id, above, TYPES[parent.type]
    query = select(table.c.id, column).select_from(joined).where(table.c.id.in_(ids))
    return {holder_kind: dict(connection.execute(query).all())}


def _own_levels(
    connection: Connection, principal: Principal, kind: str, ids: set[int]
) -> dict[int, int]:
    """Tell what a principal may do with objects that have rights of their own."""
    table = HELD[kind]
    if principal.is_admin:
        return dict.fromkeys(ids, OWN)
    snapshot = Snapshot.of(connection, principal)
    query = select(table.c.id, table.c.owner_id, table.c.safety_level).where(table.c.id.in_(ids))
    shared = _shared_levels(connection, principal, kind, ids)
    result = {}
    for number, owner, safety in connection.execute(query):
        level = shared.get(number, NONE)
        if principal.is_anonymous:
            level = max(level, READ if safety == 1 and snapshot.anonymous_read else NONE)
        elif owner == principal.user_id:
            level = OWN
        elif safety == 1 or (safety == 2 and owner in principal.friends):
            level = max(level, READ)
        result[number] = level
    return result


def _shared_levels(
    connection: Connection, principal: Principal, kind: str, ids: set[int]
) -> dict[int, int]:
    """Give the levels of direct shares."""
    who = [] if principal.is_anonymous else [SHARES.c.user_id == principal.user_id]
    if principal.groups:
        who.append(SHARES.c.group_id.in_(sorted(principal.groups)))
    if not who:
        return {}
    query = select(SHARES.c.object_id, SHARES.c.level).where(
        SHARES.c.type == kind, SHARES.c.object_id.in_(ids), or_(*who)
    )
    result: dict[int, int] = {}
    for number, level in connection.execute(query):
        result[number] = max(level, result.get(number, NONE))
    return result


def level(connection: Connection, principal: Principal, kind: str, number: int) -> int:
    """Tell what a principal may do with an object; 0 also if there is none."""
    return levels(connection, principal, kind, [number]).get(number, NONE)


def require(
    connection: Connection,
    principal: Principal,
    kind: str,
    number: int,
    least: int,
    *,
    at_time: datetime | None = None,
) -> None:
    """Check that an object exists and that a principal may do something with it.

    Parameters
    ----------
    connection : Connection
        Database.
    principal : Principal
        Who asks.
    kind, number : str, int
        The object.
    least : int
        ``READ``, ``WRITE`` or ``OWN``.
    at_time : datetime, optional
        The object is read at this time; it may have been deleted since.

    Raises
    ------
    ServiceError
        ``does_not_exist``; ``not_authorized`` (``not_authenticated`` if nobody is logged in).
    """
    rows = Snapshot.of(connection, principal, at_time).rows(kind)
    exists = select(rows.column("id")).where(rows.column("id") == number, rows.alive)
    if connection.execute(exists).first() is None:
        raise absent(kind, number)
    if level(connection, principal, kind, number) >= least:
        return
    if kind == "datafile" and least == READ:
        require_data(connection, principal, number, at_time=at_time)
        return
    verb = {READ: "read", WRITE: "changed"}.get(least, "shared")
    raise refuse(principal, f"This {kind} may not be {verb} by {principal.username or 'anyone'}.")


def require_many(
    connection: Connection, principal: Principal, kind: str, ids: Collection[int], least: int
) -> None:
    """Check several objects of one type as :func:`require` checks one, in few statements."""
    rows = Snapshot.of(connection, principal).rows(kind)
    there: set[int] = set()
    for part in chunks(ids):
        query = select(rows.column("id")).where(rows.column("id").in_(part), rows.alive)
        there |= set(connection.execute(query).scalars())
    found = levels(connection, principal, kind, there)
    for number in ids:
        if found.get(number, NONE) < least:
            require(connection, principal, kind, number, least)


def require_data(
    connection: Connection,
    principal: Principal,
    datafile_id: int,
    *,
    at_time: datetime | None = None,
) -> None:
    """Check that a principal may read the numbers of a datafile.

    The rights of the datafile or those of an object whose array it is hold, whichever give more.

    Raises
    ------
    ServiceError
        ``does_not_exist``; ``not_authorized`` (``not_authenticated`` if nobody is logged in).
    """
    snapshot = Snapshot.of(connection, principal, at_time)
    rows = snapshot.rows("datafile")
    query = select(snapshot.visible(rows)).where(rows.column("id") == datafile_id, rows.alive)
    found = connection.execute(query).first()
    if found is None:
        raise absent("datafile", datafile_id)
    if found[0] or _through_array(connection, snapshot, datafile_id):
        return
    raise refuse(principal, f"This datafile may not be read by {principal.username or 'anyone'}.")


def _through_array(connection: Connection, snapshot: Snapshot, datafile_id: int) -> bool:
    """Tell whether an object can be read whose array lies in a datafile."""
    ways = []
    for kind in TYPES.values():
        for array in kind.arrays:
            rows = snapshot.rows(kind)
            here = rows.column(f"{array.name}_id") == datafile_id
            ways.append(
                select(rows.column("id")).where(here, rows.alive, snapshot.visible(rows)).exists()
            )
    return bool(connection.execute(select(or_(*ways))).scalar())


def acl(connection: Connection, principal: Principal, kind: str, number: int) -> Acl:
    """Read who may do what with an object, for those who own it.

    Raises
    ------
    ServiceError
        ``does_not_exist``, ``not_authorized``.

    Notes
    -----
    Properties and values have the rights of their section.
    """
    require(connection, principal, kind, number, READ)
    ((kind, pairs),) = _holders(connection, kind, [number]).items()
    number = pairs[number]
    if level(connection, principal, kind, number) < OWN:
        own = principal.username
        shared = _shared_levels(connection, principal, kind, {number})
        safety = _safety(connection, kind, number)
        return Acl(safety, {own: shared[number]} if own and number in shared else {}, {})
    return _acl(connection, kind, number)


def _safety(connection: Connection, kind: str, number: int) -> int:
    table = TABLES[kind]
    return int(
        connection.execute(select(table.c.safety_level).where(table.c.id == number)).scalar_one()
    )


def _acl(connection: Connection, kind: str, number: int) -> Acl:
    """Read who may do what with an object."""
    here = and_(SHARES.c.type == kind, SHARES.c.object_id == number)
    people = select(USER.c.name, SHARES.c.level).join_from(
        SHARES, USER, USER.c.id == SHARES.c.user_id
    )
    teams = select(GROUP.c.name, SHARES.c.level).join_from(
        SHARES, GROUP, and_(GROUP.c.id == SHARES.c.group_id, GROUP.c.is_link.is_(False))
    )
    return Acl(
        _safety(connection, kind, number),
        dict(connection.execute(people.where(here).order_by(USER.c.name)).all()),
        dict(connection.execute(teams.where(here).order_by(GROUP.c.name)).all()),
    )


def set_acl(
    connection: Connection,
    principal: Principal,
    kind: str,
    number: int,
    document: Mapping[str, Any],
    *,
    cascade: bool = False,
) -> Acl:
    """Change who may do what with an object.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    principal : Principal
        The owner, or an administrator.
    kind, number : str, int
        The object.
    document : mapping
        ``safety_level``, and ``shared_with`` and ``shared_with_groups`` (users or groups by name
        or id; levels as numbers, "reader" or "collaborator"), each of which replaces the list.
    cascade : bool
        The descendants that the principal owns get the same rights.

    Returns
    -------
    Acl
        The new rights.

    Raises
    ------
    ServiceError
        ``does_not_exist``, ``not_authorized``, ``bad_parameter``, ``dict_required``,
        ``wrong_reference`` (there is no such user), ``post_data_invalid``.
    """
    _check_own_rights(kind)
    require(connection, principal, kind, number, OWN)
    wanted = sharing.read_wanted(connection, document)
    targets: dict[str, set[int]] = {kind: {number}}
    if cascade:
        targets = _owned(connection, principal, tree.descendants(connection, targets))
    for each, ids in targets.items():
        if not TYPES[each].rights_from:
            sharing.apply(connection, each, ids, wanted)
    return _acl(connection, kind, number)


def set_many(
    connection: Connection,
    principal: Principal,
    kind: str,
    ids: Collection[int],
    document: Mapping[str, Any],
) -> set[int]:
    """Set the rights of objects of one type; give those that had others.

    Raises
    ------
    ServiceError
        As :func:`set_acl`. Objects that have the rights already may be those of others.
    """
    _check_own_rights(kind)
    wanted = sharing.read_wanted(connection, document)
    changed = sharing.differing(connection, kind, ids, wanted)
    found = levels(connection, principal, kind, changed)
    for number in sorted(changed):
        if found[number] < OWN:
            raise refuse(principal, f"The {kind} {number} may not be shared by you.")
    sharing.apply(connection, kind, changed, wanted)
    return changed


def _check_own_rights(kind: str) -> None:
    """Check that objects of a type have rights of their own."""
    if TYPES[kind].rights_from:
        holder = TYPES[kind].rights_from.removeprefix("parent_")
        raise ServiceError(
            "post_data_invalid", f"A {kind} has the rights of its {holder}; share that instead."
        )


def _owned(
    connection: Connection, principal: Principal, targets: Mapping[str, set[int]]
) -> dict[str, set[int]]:
    """Keep those objects whose rights a principal may change."""
    result = {}
    for kind, ids in targets.items():
        found = levels(connection, principal, kind, ids)
        result[kind] = {number for number in ids if found.get(number) == OWN}
    return result
