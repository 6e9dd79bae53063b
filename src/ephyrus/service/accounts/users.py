"""Users: who they are, and what administrators do with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ephyrus.service.accounts.names import as_id, checked_name, normal_name
from ephyrus.service.accounts.tables import SESSION, TOKEN, USER
from ephyrus.service.errors import ServiceError

__all__ = [
    "User",
    "change",
    "count",
    "create",
    "find",
    "get",
    "listing",
    "names",
    "resolve",
    "set_password",
    "stored_password",
]

_MAX_FULL_NAME = 200
_MAX_EMAIL = 254


@dataclass(frozen=True, slots=True)
class User:
    """A user.

    Attributes
    ----------
    id : int
        Id, for life.
    name : str
        Name in its normal form: lower case.
    full_name, email : str
        As given; empty: unknown.
    is_admin : bool
        Administrator.
    is_active : bool
        May log in.
    created : datetime
        When, in UTC.
    has_password : bool
        May log in by password.
    """

    id: int
    name: str
    full_name: str
    email: str
    is_admin: bool
    is_active: bool
    created: datetime
    has_password: bool


_COLUMNS = (
    USER.c.id,
    USER.c.name,
    USER.c.full_name,
    USER.c.email,
    USER.c.is_admin,
    USER.c.is_active,
    USER.c.created,
    USER.c.password.is_not(None).label("has_password"),
)


def _user(row: Row[Any]) -> User:
    return User(
        row.id,
        row.name,
        row.full_name,
        row.email,
        bool(row.is_admin),
        bool(row.is_active),
        row.created,
        bool(row.has_password),
    )


def find(conn: Connection, who: str | int) -> User | None:
    """Find a user by id, or by name in any spelling; None: there is none."""
    user_id = as_id(who)
    condition = USER.c.name == normal_name(str(who)) if user_id is None else USER.c.id == user_id
    row = conn.execute(select(*_COLUMNS).where(condition)).one_or_none()
    return None if row is None else _user(row)


def get(conn: Connection, who: str | int) -> User:
    """Give a user by id or name.

    Raises
    ------
    ServiceError
        ``does_not_exist``.
    """
    user = find(conn, who)
    if user is None:
        raise ServiceError("does_not_exist", "There is no such user.", details={"user": str(who)})
    return user


def listing(
    conn: Connection, *, offset: int = 0, limit: int | None = None, containing: str = ""
) -> list[User]:
    """List users by name.

    Parameters
    ----------
    offset, limit : int
        Part of the list.
    containing : str
        Only those whose name or full name contains this, in any case.
    """
    query = select(*_COLUMNS).order_by(USER.c.name).offset(offset).limit(limit)
    if containing:
        text = normal_name(containing)
        matches = USER.c.name.contains(text, autoescape=True) | func.lower(
            USER.c.full_name
        ).contains(text, autoescape=True)
        query = query.where(matches)
    return [_user(row) for row in conn.execute(query)]


def count(conn: Connection) -> int:
    """Count the users."""
    return conn.execute(select(func.count()).select_from(USER)).scalar_one()


def names(conn: Connection, ids: Iterable[int]) -> dict[int, str]:
    """Give the names of users by id; unknown ids are left out."""
    wanted = sorted(set(ids))
    rows = conn.execute(select(USER.c.id, USER.c.name).where(USER.c.id.in_(wanted)))
    return {row.id: row.name for row in rows}


def resolve(conn: Connection, given: Iterable[str | int]) -> dict[str | int, int]:
    """Give the ids of users that are named by name or id.

    Raises
    ------
    ServiceError
        ``wrong_reference``: there is no such user.
    """
    found: dict[str | int, int] = {}
    for who in given:
        user = find(conn, who)
        if user is None:
            raise ServiceError(
                "wrong_reference", f"There is no user {who!r}.", details={"user": str(who)}
            )
        found[who] = user.id
    return found


def create(
    conn: Connection,
    name: str,
    *,
    password_hash: str | None = None,
    full_name: str = "",
    email: str = "",
    is_admin: bool = False,
) -> User:
    """Make a user.

    Parameters
    ----------
    conn : Connection
        Inside a writing transaction.
    name : str
        Name in any spelling; its normal form must be new.
    password_hash : str, optional
        Of `Passwords.hash`, made before the transaction, since it takes its time. None: the user
        cannot log in by password.
    full_name, email : str
        Empty: unknown.
    is_admin : bool
        Make an administrator.

    Raises
    ------
    ServiceError
        ``bad_parameter``: the name is not allowed or taken, or something is too long.
    """
    values = {
        "name": checked_name(name),
        "full_name": _short(full_name, "full_name", _MAX_FULL_NAME),
        "email": _checked_email(email),
        "is_admin": is_admin,
        "password": password_hash,
    }
    try:
        with conn.begin_nested():  # a name that is taken must not spoil the transaction
            user_id = conn.execute(insert(USER).values(**values).returning(USER.c.id)).scalar_one()
    except IntegrityError:
        raise ServiceError(
            "bad_parameter",
            f"There is a user {values['name']!r} already.",
            details={"name": "taken"},
        ) from None
    return get(conn, user_id)


def change(conn: Connection, user_id: int, changes: Mapping[str, Any]) -> User:
    """Change a user.

    Parameters
    ----------
    conn : Connection
        Inside a writing transaction.
    user_id : int
        Whom.
    changes : mapping
        Of `full_name`, `email`, `is_admin`, `is_active`. A user who is no longer active loses all
        sessions and tokens.

    Raises
    ------
    ServiceError
        ``does_not_exist``; ``bad_parameter``: something is too long, or the last administrator
        would be gone.
    """
    user = get(conn, user_id)
    values = dict(changes)
    if "full_name" in values:
        values["full_name"] = _short(values["full_name"], "full_name", _MAX_FULL_NAME)
    if "email" in values:
        values["email"] = _checked_email(values["email"])
    stays = values.get("is_admin", user.is_admin) and values.get("is_active", user.is_active)
    if user.is_admin and user.is_active and not stays:
        _keep_an_administrator(conn, user_id)
    if values:
        conn.execute(update(USER).where(USER.c.id == user_id).values(**values))
    if values.get("is_active") is False:
        conn.execute(delete(SESSION).where(SESSION.c.user_id == user_id))
        conn.execute(delete(TOKEN).where(TOKEN.c.user_id == user_id))
    return get(conn, user_id)


def _keep_an_administrator(conn: Connection, user_id: int) -> None:
    # rows are locked, so that two administrators cannot take each other's rights at once
    others = conn.execute(
        select(USER.c.id)
        .where(USER.c.is_admin, USER.c.is_active)
        .order_by(USER.c.id)
        .with_for_update()
    ).scalars()
    if not set(others) - {user_id}:
        raise ServiceError(
            "bad_parameter",
            "This is the last administrator; make another one first.",
            details={"user": "last administrator"},
        )


def set_password(conn: Connection, user_id: int, password_hash: str | None) -> None:
    """Give a user a new password and end all sessions; None takes the password away.

    Raises
    ------
    ServiceError
        ``does_not_exist``.
    """
    get(conn, user_id)
    conn.execute(update(USER).where(USER.c.id == user_id).values(password=password_hash))
    conn.execute(delete(SESSION).where(SESSION.c.user_id == user_id))


def stored_password(conn: Connection, name: str) -> tuple[int, str | None] | None:
    """Give id and password hash of an active user by name; None: there is none."""
    query = select(USER.c.id, USER.c.password).where(
        USER.c.name == normal_name(name), USER.c.is_active
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else (row.id, row.password)


def _short(text: str, field: str, most: int) -> str:
    stripped = text.strip().encode("utf-8", "replace").decode("utf-8")
    if len(stripped) > most:
        raise ServiceError(
            "bad_parameter",
            f"'{field}' has {len(stripped)} characters; at most {most} are kept.",
            details={field: f"longer than {most} characters"},
        )
    return stripped


def _checked_email(text: str) -> str:
    email = _short(text, "email", _MAX_EMAIL)
    # whether it works only a letter would show; this finds what was typed into the wrong field
    name, _, host = email.rpartition("@")
    if email and not (name and host and not any(each.isspace() for each in email)):
        raise ServiceError(
            "bad_parameter",
            "The e-mail address needs the form name@host.",
            details={"email": "no address"},
        )
    return email
