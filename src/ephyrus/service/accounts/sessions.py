"""Sessions: what a cookie stands for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from ephyrus.service.accounts.credentials import digest, new_secret
from ephyrus.service.accounts.scopes import ALL_SCOPES, scopes_to_text
from ephyrus.service.accounts.tables import SESSION, utc_now
from ephyrus.service.principals import Scope
from ephyrus.service.settings import Settings

__all__ = ["MOST_SESSIONS", "NewSession", "begin", "end", "end_all", "is_crowded", "prune", "trim"]

MOST_SESSIONS = 500
"""Most sessions of a user; a program that logs in again and again ends its own oldest ones."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that was just begun.

    Attributes
    ----------
    secret : str
        Value of the cookie; it is not kept.
    max_age : int
        Seconds after which the cookie is of no use.
    """

    secret: str
    max_age: int


def begin(
    conn: Connection,
    user_id: int,
    settings: Settings,
    *,
    scopes: frozenset[Scope] = ALL_SCOPES,
    token_id: int | None = None,
    until: datetime | None = None,
) -> NewSession:
    """Begin a session.

    Parameters
    ----------
    conn : Connection
        Inside a writing transaction, which may be a quiet one: no process knows the session yet.
    user_id : int
        Whose.
    settings : Settings
        How long it lasts.
    scopes : frozenset
        What it may do.
    token_id : int, optional
        Token that it was begun with: revoking that ends the session too.
    until : datetime, optional
        End it then at the latest, in UTC without a zone (a token's own end).

    Returns
    -------
    NewSession
        With a secret of its own, so that a session which an attacker has planted in a browser
        before the login is worth nothing after it.
    """
    now, secret = utc_now(), new_secret()
    ends = now + timedelta(seconds=settings.session_max_seconds)
    if until is not None:
        ends = min(ends, until)
    conn.execute(
        insert(SESSION).values(
            digest=digest(secret),
            user_id=user_id,
            token_id=token_id,
            scopes=scopes_to_text(scopes),
            created=now,
            last_used=now,
            expires=min(ends, now + timedelta(seconds=settings.session_idle_seconds)),
            ends=ends,
        )
    )
    return NewSession(secret, max(1, int((ends - now).total_seconds())))


def end(conn: Connection, session_digest: str) -> None:
    """End a session, if it exists."""
    conn.execute(delete(SESSION).where(SESSION.c.digest == session_digest))


def end_all(conn: Connection, user_id: int, *, but: str = "") -> None:
    """End all sessions of a user, except the one with the digest `but`."""
    conn.execute(delete(SESSION).where(SESSION.c.user_id == user_id, SESSION.c.digest != but))


def prune(conn: Connection) -> None:
    """Forget sessions that have expired; a quiet transaction will do."""
    conn.execute(delete(SESSION).where(SESSION.c.expires <= utc_now()))


def is_crowded(conn: Connection, user_id: int) -> bool:
    """Tell whether a user has more than `MOST_SESSIONS`."""
    own = select(func.count()).where(SESSION.c.user_id == user_id)
    return conn.execute(own).scalar_one() > MOST_SESSIONS


def trim(conn: Connection, user_id: int) -> None:
    """End the oldest sessions of a user, so that `MOST_SESSIONS` are left."""
    newest = (
        select(SESSION.c.id)
        .where(SESSION.c.user_id == user_id)
        .order_by(SESSION.c.id.desc())
        .limit(MOST_SESSIONS)
    )
    conn.execute(delete(SESSION).where(SESSION.c.user_id == user_id, SESSION.c.id.not_in(newest)))
