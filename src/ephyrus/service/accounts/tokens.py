"""Bearer tokens: for programs, with scopes and an end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from ephyrus.service.accounts import users
from ephyrus.service.accounts.credentials import digest, new_token, token_prefix
from ephyrus.service.accounts.scopes import ALL_SCOPES, scopes_from_text, scopes_to_text
from ephyrus.service.accounts.tables import TOKEN, utc_now
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Scope

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.settings import Settings

__all__ = [
    "MOST_TOKENS",
    "Token",
    "issue",
    "issue_start_token",
    "listing",
    "revoke",
    "revoke_start_token",
]

MOST_TOKENS = 200
"""Most tokens that a user may have."""

_MAX_NAME = 100
_START = "ephyrus serve"
_FORGOTTEN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it may be shown: without its secret.

    Attributes
    ----------
    id, user_id : int
        Ids of the token and its user.
    name : str
        What it is for, as the user has written.
    prefix : str
        Begin of the token's text, to recognise it.
    scopes : frozenset of {"read", "write", "admin"}
        What it may do.
    created, last_used, expires : datetime or None
        In UTC; never used, never expires: None.
    """

    id: int
    user_id: int
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created: datetime
    last_used: datetime | None
    expires: datetime | None


def issue(
    conn: Connection,
    user_id: int,
    name: str,
    scopes: frozenset[Scope],
    *,
    expires: datetime | None = None,
    settings: Settings | None = None,
) -> tuple[str, Token]:
    """Make a token.

    Parameters
    ----------
    conn : Connection
        Inside a writing transaction.
    user_id : int
        Whose.
    name : str
        What it is for.
    scopes : frozenset
        What it may do.
    expires : datetime, optional
        End, in UTC without a zone. None: as late as the settings allow.
    settings : Settings, optional
        Give the longest life; None: no limit.

    Returns
    -------
    str
        The token's text, which is shown once and not kept.
    Token
        What is kept.

    Raises
    ------
    ServiceError
        ``bad_parameter``: no name, an end that is past or too late, or too many tokens.
    """
    now, text = utc_now(), new_token()
    values = {
        "digest": digest(text),
        "user_id": user_id,
        "name": _checked_name(name),
        "prefix": token_prefix(text),
        "scopes": scopes_to_text(scopes),
        "created": now,
        "expires": _checked_end(now, expires, settings.token_max_seconds if settings else 0),
    }
    own = conn.execute(select(func.count()).where(TOKEN.c.user_id == user_id)).scalar_one()
    if own >= MOST_TOKENS:
        raise ServiceError(
            "bad_parameter",
            f"There are {own} tokens already; revoke those that are no longer used.",
            details={"tokens": f"at most {MOST_TOKENS}"},
        )
    row = conn.execute(insert(TOKEN).values(**values).returning(*TOKEN.c)).one()
    return text, _token(row)


def _checked_name(name: str) -> str:
    stripped = name.strip()
    if not 1 <= len(stripped) <= _MAX_NAME:
        raise ServiceError(
            "bad_parameter",
            f"A token needs a name of 1 to {_MAX_NAME} characters that says what it is for.",
            details={"name": f"1 to {_MAX_NAME} characters"},
        )
    return stripped


def _checked_end(now: datetime, expires: datetime | None, most_seconds: int) -> datetime | None:
    latest = now + timedelta(seconds=most_seconds) if most_seconds else None
    if expires is None:
        return latest
    if expires <= now:
        raise ServiceError(
            "bad_parameter", "The token's end is past.", details={"expires": "is past"}
        )
    if latest is not None and expires > latest:
        raise ServiceError(
            "bad_parameter",
            f"A token lives at most {most_seconds} seconds here.",
            details={"expires": f"later than {latest:%Y-%m-%d %H:%M:%S}"},
        )
    return expires


def _token(row: Row[Any]) -> Token:
    return Token(
        row.id,
        row.user_id,
        row.name,
        row.prefix,
        scopes_from_text(row.scopes),
        row.created,
        row.last_used,
        row.expires,
    )


def listing(conn: Connection, user_id: int | None = None) -> list[Token]:
    """List the tokens of a user, or of all, oldest first; expired ones too."""
    query = select(TOKEN).order_by(TOKEN.c.id)
    if user_id is not None:
        query = query.where(TOKEN.c.user_id == user_id)
    return [_token(row) for row in conn.execute(query)]


def revoke(conn: Connection, token_id: int, *, user_id: int | None = None) -> None:
    """Revoke a token; with `user_id`, only if it is that user's.

    Raises
    ------
    ServiceError
        ``does_not_exist``.
    """
    query = delete(TOKEN).where(TOKEN.c.id == token_id)
    if user_id is not None:
        query = query.where(TOKEN.c.user_id == user_id)
    if not conn.execute(query).rowcount:
        raise ServiceError(
            "does_not_exist", "There is no such token.", details={"token": str(token_id)}
        )


def issue_start_token(database: Database, settings: Settings, *, username: str = "local") -> str:
    """Make the token that a service for one user shows at its start.

    The user is made if need be, an administrator without a password. `revoke_start_token` ends the
    token at the stop; those of processes that were killed end here, a month after their last use.

    Parameters
    ----------
    database : Database
        Of the service.
    settings : Settings
        Of the service.
    username : str
        Name of the one user.

    Returns
    -------
    str
        The token, with all scopes.
    """
    with database.writing() as conn:
        user = users.find(conn, username) or users.create(conn, username, is_admin=True)
        last_sign = func.coalesce(TOKEN.c.last_used, TOKEN.c.created)
        conn.execute(
            delete(TOKEN).where(TOKEN.c.name == _START, last_sign < utc_now() - _FORGOTTEN)
        )
        return issue(conn, user.id, _START, ALL_SCOPES, settings=settings)[0]


def revoke_start_token(database: Database, text: str) -> None:
    """End the token of a service for one user when it stops."""
    with database.writing() as conn:
        conn.execute(delete(TOKEN).where(TOKEN.c.digest == digest(text), TOKEN.c.name == _START))
