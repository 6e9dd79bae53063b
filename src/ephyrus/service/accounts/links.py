"""Share links: whoever has the address may read an object and what lies below it, for a time.

A link is a group without members. What it opens is shared with the group (level 1), and a request
that shows the link's secret belongs to it. So rights are asked in one way, new objects below get
the link's right like any other share, and withdrawing a link is removing its group.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from ephyrus.service.accounts import groups
from ephyrus.service.accounts.tables import GROUP, SHARE_LINK, USER, utc_now
from ephyrus.service.errors import ServiceError

__all__ = ["MOST_LINKS", "Link", "find", "insert_link", "listing", "prune", "revoke"]

MOST_LINKS = 1000
"""Most links that a user may have."""

_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Link:
    """A share link, without its secret.

    Attributes
    ----------
    id, user_id, group_id : int
        Ids of the link, of who made it, and of the group that stands for it.
    type, object_id : str, int
        The object that it opens.
    name : str
        What it is for.
    created, expires : datetime
        In UTC.
    """

    id: int
    user_id: int
    group_id: int
    type: str
    object_id: int
    name: str
    created: datetime
    expires: datetime


def _link(row: Row[*tuple[Any, ...]]) -> Link:
    return Link(
        row.id,
        row.user_id,
        row.group_id,
        row.type,
        row.object_id,
        row.name,
        row.created,
        row.expires,
    )


def find(conn: Connection, digest: str) -> Link | None:
    """Find a link that is valid now; None: there is none."""
    query = (
        select(SHARE_LINK)
        .join(USER)
        .where(
            SHARE_LINK.c.digest == digest,
            SHARE_LINK.c.expires > utc_now(),
            USER.c.is_active,
        )
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else _link(row)


def insert_link(
    conn: Connection,
    user_id: int,
    kind: str,
    number: int,
    *,
    digest: str,
    name: str,
    expires: datetime | None,
    most_seconds: int,
) -> Link:
    """Keep a new link; what it opens is still to be shared with its group.

    Parameters
    ----------
    conn : Connection
        Inside a writing transaction.
    user_id : int
        Who makes it.
    kind, number : str, int
        The object.
    digest : str
        SHA-256 of the secret.
    name : str
        What it is for; may be empty.
    expires : datetime, optional
        End, in UTC without a zone; None: in 30 days, or as late as it may be.
    most_seconds : int
        Longest life.

    Raises
    ------
    ServiceError
        ``bad_parameter``: the end is past or too late, the name too long, or there are too many.
    """
    now = utc_now()
    latest = now + timedelta(seconds=most_seconds)
    end = min(now + timedelta(days=30), latest) if expires is None else expires
    if not now < end <= latest:
        raise _refusal("expires", f"must lie before {latest:%Y-%m-%d %H:%M:%S} and not in the past")
    if len(name) > _MAX_NAME:
        raise _refusal("name", f"has at most {_MAX_NAME} characters")
    own = conn.execute(select(func.count()).where(SHARE_LINK.c.user_id == user_id)).scalar_one()
    if own >= MOST_LINKS:
        raise _refusal("links", f"there are {own} already; withdraw those that are not needed")
    group = insert(GROUP).values(name=f"link:{secrets.token_hex(16)}", is_link=True)
    values = {
        "digest": digest,
        "user_id": user_id,
        "group_id": conn.execute(group.returning(GROUP.c.id)).scalar_one(),
        "type": kind,
        "object_id": number,
        "name": name,
        "created": now,
        "expires": end,
    }
    row = conn.execute(insert(SHARE_LINK).values(**values).returning(*SHARE_LINK.c)).one()
    return _link(row)


def _refusal(field: str, rule: str) -> ServiceError:
    return ServiceError("bad_parameter", f"Share link: {field} {rule}.", details={field: rule})


def listing(conn: Connection, user_id: int) -> list[Link]:
    """List the links of a user, oldest first; expired ones too."""
    query = select(SHARE_LINK).where(SHARE_LINK.c.user_id == user_id).order_by(SHARE_LINK.c.id)
    return [_link(row) for row in conn.execute(query)]


def revoke(conn: Connection, link_id: int, *, user_id: int) -> None:
    """Withdraw a link of a user.

    Raises
    ------
    ServiceError
        ``does_not_exist``.
    """
    query = select(SHARE_LINK.c.group_id).where(
        SHARE_LINK.c.id == link_id, SHARE_LINK.c.user_id == user_id
    )
    group_id = conn.execute(query).scalar()
    if group_id is None:
        raise ServiceError("does_not_exist", "There is no such share link.")
    groups.drop(conn, [group_id])


def prune(conn: Connection) -> None:
    """Forget links that have expired."""
    query = select(SHARE_LINK.c.group_id).where(SHARE_LINK.c.expires <= utc_now()).limit(500)
    groups.drop(conn, conn.execute(query).scalars().all())
