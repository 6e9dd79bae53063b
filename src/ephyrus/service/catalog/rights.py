"""Rights: who may read, change and share an object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)

from ephyrus.service.accounts import groups, users
from ephyrus.service.accounts.tables import GROUP, USER
from ephyrus.service.catalog import tree
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.snapshots import Snapshot, field_parent
from ephyrus.service.db.schema import DELETED, SHARES, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES

__all__ = ["NONE", "OWN", "READ", "WRITE", "Acl", "absent", "acl", "level", "levels", "refuse"]
__all__ += ["require", "require_data", "set_acl"]

NONE, READ, WRITE, OWN = 0, 1, 2, 3
_NAMES = {"reader": READ, "collaborator": WRITE, "1": READ, "2": WRITE}


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
    each = TYPES[kind]
    table = TABLES[kind]
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
    table = TABLES[kind]
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
        ``does_not_exist``, ``not_authorized``; ``wrong_params``: the type has no rights of its own.
    """
    require(connection, principal, kind, number, READ)
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
    if TYPES[kind].rights_from:
        holder = TYPES[kind].rights_from.removeprefix("parent_")
        raise ServiceError(
            "post_data_invalid", f"A {kind} has the rights of its {holder}; share that instead."
        )
    require(connection, principal, kind, number, OWN)
    unknown = sorted(set(document) - {"safety_level", "shared_with", "shared_with_groups"})
    if unknown:
        raise ServiceError(
            "post_data_invalid",
            f"Unknown: {', '.join(map(str, unknown))}; give safety_level, shared_with or "
            "shared_with_groups.",
            details=", ".join(map(str, unknown)),
        )
    safety = read_safety_level(document.get("safety_level"))
    shares = _read_shares(connection, document)
    targets: dict[str, set[int]] = {kind: {number}}
    if cascade:
        targets = _owned(connection, principal, tree.descendants(connection, targets))
    for each, ids in targets.items():
        if not TYPES[each].rights_from:
            _apply(connection, each, ids, safety, shares)
    return _acl(connection, kind, number)


def read_safety_level(value: object) -> int | None:
    """Check a safety level that was sent; None: none was."""
    if value is None:
        return None
    if isinstance(value, str) and value in {"1", "2", "3"}:
        return int(value)
    if isinstance(value, bool) or value not in (1, 2, 3) or not isinstance(value, int):
        raise ServiceError(
            "bad_parameter",
            "safety_level must be 1 (public), 2 (friendly) or 3 (private).",
            details="safety_level",
        )
    return value


def _read_shares(connection: Connection, document: Mapping[str, Any]) -> dict[str, dict[int, int]]:
    """Read the lists of users and groups that were sent: column to id to level."""
    result: dict[str, dict[int, int]] = {}
    for name, column, resolve in (
        ("shared_with", "user_id", users.resolve),
        ("shared_with_groups", "group_id", groups.resolve),
    ):
        if name not in document:
            continue
        given = document[name] if document[name] is not None else {}
        if not isinstance(given, Mapping):
            raise ServiceError(
                "dict_required", f"{name!r} must be an object of names and levels.", details=name
            )
        found = resolve(connection, list(given))
        result[column] = {found[each]: _level_of(name, value) for each, value in given.items()}
    return result


def _level_of(name: str, value: object) -> int:
    """Read a level of sharing."""
    found = None if isinstance(value, bool) else _NAMES.get(str(value).lower())
    if found is None:
        raise ServiceError(
            "bad_parameter",
            f'{name!r}: a level must be 1 ("reader") or 2 ("collaborator"), not {value!r}.',
            details=name,
        )
    return found


def _owned(
    connection: Connection, principal: Principal, targets: Mapping[str, set[int]]
) -> dict[str, set[int]]:
    """Keep those objects whose rights a principal may change."""
    result = {}
    for kind, ids in targets.items():
        found = levels(connection, principal, kind, ids)
        result[kind] = {number for number in ids if found.get(number) == OWN}
    return result


def _apply(
    connection: Connection,
    kind: str,
    ids: set[int],
    safety: int | None,
    shares: Mapping[str, Mapping[int, int]],
) -> None:
    """Set safety level and shares of objects of one type."""
    for part in chunks(ids):
        if safety is not None:
            table = TABLES[kind]
            connection.execute(
                update(table).where(table.c.id.in_(part)).values(safety_level=safety)
            )
        for column, wanted in shares.items():
            here = and_(SHARES.c.type == kind, SHARES.c.object_id.in_(part))
            connection.execute(
                delete(SHARES).where(here, SHARES.c[column].is_not(None), ~_of_link())
            )
            rows = [
                {"type": kind, "object_id": number, column: who, "level": each}
                for number in part
                for who, each in wanted.items()
            ]
            if rows:
                connection.execute(insert(SHARES), rows)


def _of_link() -> ColumnElement[bool]:
    """Give the condition that a share is that of a share link, which is ended elsewhere."""
    groups_of_links = select(GROUP.c.id).where(GROUP.c.is_link)
    return and_(SHARES.c.group_id.is_not(None), SHARES.c.group_id.in_(groups_of_links))


def inherit(connection: Connection, source: tuple[str, int], kind: str, ids: list[int]) -> None:
    """Give new objects the shares of their parent."""
    query = select(SHARES.c.user_id, SHARES.c.group_id, SHARES.c.level).where(
        SHARES.c.type == source[0], SHARES.c.object_id == source[1]
    )
    rows = [
        {"type": kind, "object_id": number, "user_id": user, "group_id": group, "level": each}
        for user, group, each in connection.execute(query)
        for number in ids
    ]
    if rows:
        connection.execute(insert(SHARES), rows)


def others(connection: Connection, principal: Principal, targets: Mapping[str, set[int]]) -> bool:
    """Tell whether anyone else may write one of the objects: an owner, or by a share."""
    found: dict[str, set[int]] = defaultdict(set)
    for kind, ids in targets.items():
        if not TYPES[kind].rights_from:
            found[kind] |= ids
    for kind, ids in found.items():
        for part in chunks(ids):
            table = TABLES[kind]
            foreign = select(table.c.id).where(
                table.c.id.in_(part),
                table.c.owner_id != principal.user_id,
                table.c.current_state != DELETED,
            )
            shared = select(SHARES.c.id).where(
                SHARES.c.type == kind,
                SHARES.c.object_id.in_(part),
                SHARES.c.level >= WRITE,
                or_(SHARES.c.user_id.is_(None), SHARES.c.user_id != principal.user_id),
            )
            if connection.execute(foreign.limit(1)).first():
                return True
            if connection.execute(shared.limit(1)).first():
                return True
    return False
