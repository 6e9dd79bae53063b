"""``ephyrus service user`` and ``ephyrus service token``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import typer

from ephyrus.cli import console
from ephyrus.cli.failures import FINE, Failure
from ephyrus.cli.service.configured import read_settings
from ephyrus.service.accounts import tokens, users
from ephyrus.service.accounts.limits import LoginLimits
from ephyrus.service.accounts.names import checked_name
from ephyrus.service.accounts.oidc import flow
from ephyrus.service.accounts.passwords import Passwords
from ephyrus.service.accounts.scopes import parse_scopes, scopes_to_text
from ephyrus.service.accounts.tables import utc_now
from ephyrus.service.db.engine import Database

__all__ = [
    "add_token",
    "add_user",
    "change_user",
    "link_user",
    "list_tokens",
    "list_users",
    "revoke_token",
    "set_password",
    "unlock_user",
]


@contextmanager
def _opened() -> Iterator[Database]:
    """Open the database of the service that the settings name."""
    database = Database(read_settings())
    try:
        database.upgrade()
        yield database
    finally:
        database.close()


def _asked_password(*, stdin: bool) -> str:
    """Read a password: from standard input, or twice from the terminal without showing it."""
    if stdin:
        line = sys.stdin.readline()
        if not line:
            raise Failure("there is no password on standard input", "give it as the first line")
        return line.rstrip("\r\n")
    if not _is_terminal():
        raise Failure("there is no terminal to ask for the password", "use --stdin to send it")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def add_user(
    name: str, *, full_name: str, email: str, is_admin: bool, ask: bool, stdin: bool
) -> int:
    """Make a user; gives the exit code."""
    normal = checked_name(name)
    with _opened() as database:
        with database.reading() as conn:
            if users.find(conn, normal) is not None:
                raise Failure(f"there is a user {normal!r} already")
        stored = None
        if ask:
            stored = Passwords(database.settings).hash(_asked_password(stdin=stdin), name=normal)
        with database.writing() as conn:
            user = users.create(
                conn,
                normal,
                password_hash=stored,
                full_name=full_name,
                email=email,
                is_admin=is_admin,
            )
    console.say(f"user {user.name} made (id {user.id}){', administrator' if is_admin else ''}")
    return FINE


def list_users(*, as_json: bool) -> int:
    """List the users; gives the exit code."""
    with _opened() as database, database.reading() as conn:
        found = users.listing(conn)
    if as_json:
        console.write_json([_user(each) for each in found])
        return FINE
    shown = console.table("id", "user", "full name", "e-mail", "rights", right=("id",))
    for each in found:
        rights = ["administrator"] * each.is_admin + ["not active"] * (not each.is_active)
        rights += ["no password"] * (not each.has_password)
        row = (each.id, each.name, each.full_name, each.email, ", ".join(rights))
        shown.add_row(*console.cells(*row))
    console.out().print(shown)
    return FINE


def _user(user: users.User) -> dict[str, Any]:
    return {
        "id": user.id,
        "username": user.name,
        "full_name": user.full_name,
        "email": user.email,
        "is_admin": user.is_admin,
        "is_active": user.is_active,
        "has_password": user.has_password,
        "created": user.created,
    }


def set_password(name: str, *, stdin: bool) -> int:
    """Give a user a new password; gives the exit code."""
    with _opened() as database:
        with database.reading() as conn:
            user = users.get(conn, name)
        stored = Passwords(database.settings).hash(_asked_password(stdin=stdin), name=user.name)
        limits = LoginLimits(database, database.settings)
        with database.writing() as conn:
            users.set_password(conn, user.id, stored)
            limits.clear(conn, user.name)
    console.say(f"user {user.name} has a new password; all sessions of the user have ended")
    return FINE


def change_user(name: str, **changes: bool) -> int:
    """Change whether a user is active or an administrator; gives the exit code."""
    with _opened() as database, database.writing() as conn:
        user = users.change(conn, users.get(conn, name).id, changes)
    state = "active" if user.is_active else "not active"
    console.say(f"user {user.name} is {state}{', administrator' if user.is_admin else ''}")
    return FINE


def unlock_user(name: str) -> int:
    """Forget the failed logins of a user; gives the exit code."""
    with _opened() as database, database.writing() as conn:
        user = users.get(conn, name)
        LoginLimits(database, database.settings).clear(conn, user.name)
    console.say(f"the failed logins of user {user.name} are forgotten")
    return FINE


def link_user(name: str, subject: str) -> int:
    """Link a user with somebody of the login provider; gives the exit code."""
    with _opened() as database, database.writing() as conn:
        user, issuer = users.get(conn, name), database.settings.oidc_issuer
        flow.link(conn, user.id, issuer=issuer, subject=subject)
    console.say(f"user {user.name} logs in as {console.plain(subject)} of {issuer}")
    return FINE


def add_token(user: str, name: str, *, scope: str, days: float | None) -> int:
    """Make a token and write it to standard output; gives the exit code."""
    scopes = parse_scopes([scope])
    expires = None if days is None else _in_days(days)
    with _opened() as database, database.writing() as conn:
        owner = users.get(conn, user)
        text, token = tokens.issue(
            conn, owner.id, name, scopes, expires=expires, settings=database.settings
        )
    end = "no end" if token.expires is None else f"until {_minute(token.expires)} UTC"
    granted = scopes_to_text(token.scopes)
    console.note("token", f"{token.name} of user {owner.name}: {granted}, {end}; shown this once")
    console.say(text)
    return FINE


def _in_days(days: float) -> datetime:
    try:
        return utc_now() + timedelta(days=days)
    except OverflowError:
        raise Failure(f"--days: {days:g} days reach beyond the calendar") from None


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def list_tokens(user: str | None, *, as_json: bool) -> int:
    """List tokens; gives the exit code."""
    with _opened() as database, database.reading() as conn:
        found = tokens.listing(conn, None if user is None else users.get(conn, user).id)
        names = users.names(conn, [each.user_id for each in found])
    if as_json:
        console.write_json([_token(each, names[each.user_id]) for each in found])
        return FINE
    columns = ("id", "user", "name", "begins with", "scopes", "last used", "until")
    shown = console.table(*columns, right=("id",))
    for each in found:
        used = "never" if each.last_used is None else _minute(each.last_used)
        until = "no end" if each.expires is None else _minute(each.expires)
        row = (each.id, names[each.user_id], each.name, each.prefix)
        shown.add_row(*console.cells(*row, scopes_to_text(each.scopes), used, until))
    console.out().print(shown)
    return FINE


def _token(token: tokens.Token, user: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "user": user,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": scopes_to_text(token.scopes).split(),
        "created": token.created,
        "last_used": token.last_used,
        "expires": token.expires,
    }


def revoke_token(token_id: int) -> int:
    """Revoke a token; gives the exit code."""
    with _opened() as database, database.writing() as conn:
        tokens.revoke(conn, token_id)
    console.say(f"token {token_id} is revoked")
    return FINE
