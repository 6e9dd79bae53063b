"""Groups of users."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ephyrus.service.accounts.names import as_id, checked_name, normal_name
from ephyrus.service.accounts.tables import GROUP, GROUP_MEMBER, USER
from ephyrus.service.db.schema import SHARES
from ephyrus.service.errors import ServiceError

__all__ = [
    "Group",
    "add_members",
    "change",
    "create",
    "drop",
    "find",
    "get",
    "listing",
    "members",
    "of_user",
    "remove",
    "remove_member",
    "resolve",
    "set_members",
]

_MAX_DESCRIPTION = 1000
_GROUPS = select(GROUP).where(GROUP.c.is_link.is_(False))


@dataclass(frozen=True, slots=True)
class Group:
    """A group: id, name in its normal form, description."""

    id: int
    name: str
    description: str


def _group(row: Row[Any]) -> Group:
    return Group(row.id, row.name, row.description)


def find(conn: Connection, which: str | int) -> Group | None:
    """Find a group by id, or by name in any spelling; None: there is none."""
    group_id = as_id(which)
    condition = (
        GROUP.c.name == normal_name(str(which)) if group_id is None else GROUP.c.id == group_id
    )
    row = conn.execute(_GROUPS.where(condition)).one_or_none()
    return None if row is None else _group(row)


def get(conn: Connection, which: str | int) -> Group:
    """Give a group by id or name.

    Raises
    ------
    ServiceError
        ``does_not_exist``.
    """
    group = find(conn, which)
    if group is None:
        raise ServiceError(
            "does_not_exist", "There is no such group.", details={"group": str(which)}
        )
    return group


def listing(conn: Connection) -> list[Group]:
    """List all groups by name."""
    return [_group(row) for row in conn.execute(_GROUPS.order_by(GROUP.c.name))]


def of_user(conn: Connection, user_id: int) -> frozenset[int]:
    """Give the ids of the groups that a user belongs to."""
    query = select(GROUP_MEMBER.c.group_id).where(GROUP_MEMBER.c.user_id == user_id)
    return frozenset(conn.execute(query).scalars())


def members(conn: Connection, group_id: int) -> dict[int, str]:
    """Give the members of a group, name by id, in the order of names."""
    query = (
        select(USER.c.id, USER.c.name)
        .join(GROUP_MEMBER, GROUP_MEMBER.c.user_id == USER.c.id)
        .where(GROUP_MEMBER.c.group_id == group_id)
        .order_by(USER.c.name)
    )
    return {row.id: row.name for row in conn.execute(query)}


def resolve(conn: Connection, given: Iterable[str | int]) -> dict[str | int, int]:
    """Give the ids of groups that are named by name or id.

    Raises
    ------
    ServiceError
        ``wrong_reference``: there is no such group.
    """
    found: dict[str | int, int] = {}
    for which in given:
        group = find(conn, which)
        if group is None:
            raise ServiceError(
                "wrong_reference", f"There is no group {which!r}.", details={"group": str(which)}
            )
        found[which] = group.id
    return found


def create(conn: Connection, name: str, *, description: str = "") -> Group:
    """Make a group.

    Raises
    ------
    ServiceError
        ``bad_parameter``: the name is not allowed or taken, or the description is too long.
    """
    values = {
        "name": checked_name(name, what="group name"),
        "description": _checked_description(description),
    }
    try:
        with conn.begin_nested():
            group_id = conn.execute(
                insert(GROUP).values(**values).returning(GROUP.c.id)
            ).scalar_one()
    except IntegrityError:
        raise _taken(values["name"]) from None
    return get(conn, group_id)


def change(
    conn: Connection, group_id: int, *, name: str | None = None, description: str | None = None
) -> Group:
    """Give a group another name or description.

    Raises
    ------
    ServiceError
        ``does_not_exist``; ``bad_parameter`` as for `create`.
    """
    group = get(conn, group_id)
    values = {
        "name": group.name if name is None else checked_name(name, what="group name"),
        "description": group.description
        if description is None
        else _checked_description(description),
    }
    try:
        with conn.begin_nested():
            conn.execute(update(GROUP).where(GROUP.c.id == group_id).values(**values))
    except IntegrityError:
        raise _taken(values["name"]) from None
    return get(conn, group_id)


def _taken(name: str) -> ServiceError:
    return ServiceError(
        "bad_parameter", f"There is a group {name!r} already.", details={"name": "taken"}
    )


def _checked_description(text: str) -> str:
    if len(text) > _MAX_DESCRIPTION:
        raise ServiceError(
            "bad_parameter",
            f"The description has {len(text)} characters; at most {_MAX_DESCRIPTION} are kept.",
            details={"description": f"longer than {_MAX_DESCRIPTION} characters"},
        )
    return text


def remove(conn: Connection, group_id: int) -> None:
    """Remove a group; what was shared with it is shared with its members no longer.

    Raises
    ------
    ServiceError
        ``does_not_exist``.
    """
    get(conn, group_id)
    drop(conn, [group_id])


def drop(conn: Connection, group_ids: Sequence[int]) -> None:
    """Remove groups of any kind, with all that was shared with them.

    SQLite gives the ids of removed rows again: what is left of a group would belong to a new one.
    """
    conn.execute(delete(SHARES).where(SHARES.c.group_id.in_(group_ids)))
    conn.execute(delete(GROUP).where(GROUP.c.id.in_(group_ids)))


def set_members(conn: Connection, group_id: int, user_ids: Iterable[int]) -> None:
    """Make exactly these users the members of a group."""
    wanted = set(user_ids)
    gone = set(members(conn, group_id)) - wanted
    if gone:
        conn.execute(
            delete(GROUP_MEMBER).where(
                GROUP_MEMBER.c.group_id == group_id, GROUP_MEMBER.c.user_id.in_(sorted(gone))
            )
        )
    add_members(conn, group_id, wanted)


def add_members(conn: Connection, group_id: int, user_ids: Iterable[int]) -> None:
    """Add users to a group; those who belong to it already are no error."""
    new = sorted(set(user_ids) - set(members(conn, group_id)))
    if new:
        rows = [{"group_id": group_id, "user_id": user_id} for user_id in new]
        conn.execute(insert(GROUP_MEMBER), rows)


def remove_member(conn: Connection, group_id: int, user_id: int) -> None:
    """Take a user out of a group; one who does not belong to it is no error."""
    conn.execute(
        delete(GROUP_MEMBER).where(
            GROUP_MEMBER.c.group_id == group_id, GROUP_MEMBER.c.user_id == user_id
        )
    )
