"""History: the versions that an object had."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from ephyrus.service.accounts.tables import USER
from ephyrus.service.catalog import rights
from ephyrus.service.db.schema import VERSIONS
from ephyrus.service.principals import Principal

__all__ = ["Version", "versions"]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an object.

    Attributes
    ----------
    guid : str
        Digest of its content.
    starts_at, ends_at : datetime
        When it held, in UTC; the end of the present one is None, that of the last one of a deleted
        object is when it was deleted.
    user_id, user : int or None, str
        Who made it; None: the server.
    changed : tuple of str
        Names of what was changed; ``created`` for the first.
    """

    guid: str
    starts_at: datetime
    ends_at: datetime | None
    user_id: int | None
    user: str
    changed: tuple[str, ...]


def versions(
    connection: Connection,
    principal: Principal,
    kind: str,
    number: int,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[Version]:
    """List the versions of an object, deleted or not, from the first to the last.

    Parameters
    ----------
    connection : Connection
        Database.
    principal : Principal
        Who asks.
    kind, number : str, int
        The object.
    start, end : datetime, optional
        Only versions that began in this time, both ends included.

    Returns
    -------
    list of Version
        The versions.

    Raises
    ------
    ServiceError
        ``does_not_exist``, ``not_authorized``.
    """
    table = VERSIONS[kind]
    found = rights.levels(connection, principal, kind, [number])
    if number not in found:
        raise rights.absent(kind, number)
    if found[number] < rights.READ:
        raise rights.refuse(principal, f"This {kind} may not be read by you.")
    query = (
        select(
            table.c.guid,
            table.c.starts_at,
            table.c.ends_at,
            table.c.user_id,
            USER.c.name,
            table.c.changed,
        )
        .select_from(table.outerjoin(USER, USER.c.id == table.c.user_id))
        .where(table.c.id == number)
        .order_by(table.c.starts_at)
    )
    if start is not None:
        query = query.where(table.c.starts_at >= start)
    if end is not None:
        query = query.where(table.c.starts_at <= end)
    return [
        Version(guid, starts, ends, user_id, name or "", tuple(changed))
        for guid, starts, ends, user_id, name, changed in connection.execute(query)
    ]
