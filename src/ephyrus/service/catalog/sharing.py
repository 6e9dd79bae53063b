"""Safety levels and shares as they are stored: reading what is sent, comparing, and setting it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from ephyrus.service.accounts import groups, users
from ephyrus.service.accounts.tables import GROUP
from ephyrus.service.catalog.limits import check_product, few
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.storing import insert_rows
from ephyrus.service.db.schema import DELETED, HELD, SHARES, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.types import TYPES

__all__ = ["Wanted", "apply", "differing", "inherit", "others", "read_wanted"]

_NAMES = {"reader": 1, "collaborator": 2, "1": 1, "2": 2}
_FIELDS = {"user_id": "shared_with", "group_id": "shared_with_groups"}
_WRITE = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rights that are to be set.

    Attributes
    ----------
    safety_level : int or None
        None: it stays.
    shares : mapping
        ``user_id`` and ``group_id`` to levels by id; what is not there stays.
    """

    safety_level: int | None
    shares: Mapping[str, Mapping[int, int]]


def read_wanted(connection: Connection, document: Mapping[str, Any]) -> Wanted:
    """Read the body of an ACL.

    Raises
    ------
    ServiceError
        ``post_data_invalid``, ``bad_parameter``, ``dict_required``, ``wrong_reference``.
    """
    unknown = sorted(
        map(str, set(document) - {"safety_level", "shared_with", "shared_with_groups"})
    )
    if unknown:
        raise ServiceError(
            "post_data_invalid",
            f"Unknown: {few(unknown)}; give safety_level, shared_with or shared_with_groups.",
            details=few(unknown),
        )
    safety = _read_safety_level(document.get("safety_level"))
    return Wanted(safety, _read_shares(connection, document))


def _read_safety_level(value: object) -> int | None:
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
            f'{name!r}: a level must be 1 ("reader") or 2 ("collaborator"), not '
            f"{str(value)[:60]!r}.",
            details=name,
        )
    return found


def differing(connection: Connection, kind: str, ids: Collection[int], wanted: Wanted) -> set[int]:
    """Find the objects of one type whose rights are not those that are wanted."""
    table = TABLES[kind]
    result: set[int] = set()
    for part in chunks(ids):
        if wanted.safety_level is not None:
            other = table.c.safety_level != wanted.safety_level
            query = select(table.c.id).where(table.c.id.in_(part), other)
            result |= set(connection.execute(query).scalars())
        for column, levels in wanted.shares.items():
            present: dict[int, dict[int, int]] = {number: {} for number in part}
            query_shares = select(SHARES.c.object_id, SHARES.c[column], SHARES.c.level).where(
                _shares_of(kind, part, column)
            )
            for number, who, level in connection.execute(query_shares):
                present[number][who] = level
            result |= {number for number, found in present.items() if found != levels}
    return result


def _shares_of(kind: str, ids: Collection[int], column: str) -> ColumnElement[bool]:
    """Give the condition of the shares with users, or with groups, of objects of one type."""
    here = and_(SHARES.c.type == kind, SHARES.c.object_id.in_(ids))
    return and_(here, SHARES.c[column].is_not(None), ~_of_link())


def apply(connection: Connection, kind: str, ids: Collection[int], wanted: Wanted) -> None:
    """Set safety level and shares of objects of one type."""
    for column, levels in wanted.shares.items():
        check_product(_FIELDS[column], len(ids), len(levels))
    for part in chunks(ids):
        if wanted.safety_level is not None:
            table = HELD[kind]
            connection.execute(
                update(table).where(table.c.id.in_(part)).values(safety_level=wanted.safety_level)
            )
        for column, levels in wanted.shares.items():
            connection.execute(delete(SHARES).where(_shares_of(kind, part, column)))
            _insert_shares(connection, kind, part, column, levels)


def _insert_shares(
    connection: Connection, kind: str, ids: Collection[int], column: str, levels: Mapping[int, int]
) -> None:
    """Share objects of one type with users, or with groups."""
    rows = (
        {"type": kind, "object_id": number, column: who, "level": each}
        for number in ids
        for who, each in levels.items()
    )
    insert_rows(connection, SHARES, rows)


def _of_link() -> ColumnElement[bool]:
    """Give the condition that a share is that of a share link, which is ended elsewhere."""
    groups_of_links = select(GROUP.c.id).where(GROUP.c.is_link)
    return and_(SHARES.c.group_id.is_not(None), SHARES.c.group_id.in_(groups_of_links))


def inherit(connection: Connection, source: tuple[str, int], kind: str, ids: list[int]) -> None:
    """Give new objects the shares of their parent."""
    query = select(SHARES.c.user_id, SHARES.c.group_id, SHARES.c.level).where(
        SHARES.c.type == source[0], SHARES.c.object_id == source[1]
    )
    rows = (
        {"type": kind, "object_id": number, "user_id": user, "group_id": group, "level": each}
        for user, group, each in connection.execute(query).all()
        for number in ids
    )
    insert_rows(connection, SHARES, rows)


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
                SHARES.c.level >= _WRITE,
                or_(SHARES.c.user_id.is_(None), SHARES.c.user_id != principal.user_id),
            )
            if connection.execute(foreign.limit(1)).first():
                return True
            if connection.execute(shared.limit(1)).first():
                return True
    return False
