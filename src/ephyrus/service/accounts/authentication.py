"""From the headers of a request to who makes it."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, select, update

from ephyrus.service.accounts import friends, groups, links
from ephyrus.service.accounts.credentials import Presented, presented
from ephyrus.service.accounts.scopes import not_authenticated, scopes_from_text
from ephyrus.service.accounts.tables import SESSION, TOKEN, USER, utc_now
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import ANONYMOUS, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ephyrus.service.db.engine import Database
    from ephyrus.service.settings import Settings

__all__ = ["Authenticator"]

log = logging.getLogger(__name__)

_MOST_ENTRIES: Final = 10_000

_REFUSALS = {
    "session": "The session has ended; log in again.",
    "link": "The share link has expired or was withdrawn; ask for a new one.",
    "token": "The token is not valid: it has expired, was revoked, or is not of this service.",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A principal, valid while the database is at `stamp` and until a Unix time."""

    principal: Principal
    stamp: int
    until: float


@dataclass(frozen=True, slots=True)
class _Found:
    """Credentials of the database: whose, until when, and when their use is written down."""

    principal: Principal
    expires: datetime | None
    touch_at: datetime


class Authenticator:
    """Finds who makes a request; one per process, for all threads.

    Parameters
    ----------
    database : Database
        Of the service.
    settings : Settings
        How often a use is written down, and for how long it prolongs a session.

    Notes
    -----
    What was found is kept in the process, under the digest of the credentials (the secrets
    themselves are nowhere), as long as the change counter of the database stands still: a logout,
    a revoked token, a user who leaves a group count at once in all workers. The end of a session
    or token is observed besides.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._entries: dict[tuple[str, str], _Entry] = {}

    def cached(self, scope: Mapping[str, Any], stamp: int) -> Principal | None:
        """Give the principal of a request if that needs no database.

        Parameters
        ----------
        scope : mapping
            ASGI scope; only its headers are looked at.
        stamp : int
            State of the database, of `Database.changes`.

        Returns
        -------
        Principal or None
            `ANONYMOUS` for a request without credentials. None: ask `authenticate`, in a thread.
        """
        shown = presented(scope["headers"])
        return ANONYMOUS if shown is None else self._known(shown, stamp)

    def authenticate(self, scope: Mapping[str, Any], stamp: int | None = None) -> Principal:
        """Give the principal of a request.

        Parameters
        ----------
        scope : mapping
            ASGI scope; only its headers are looked at.
        stamp : int, optional
            State of the database that the caller has asked for; None: it is asked for here.

        Raises
        ------
        ServiceError
            ``not_authenticated``: there are credentials, and they are not (or no longer) valid.
        """
        shown = presented(scope["headers"])
        if shown is None:
            return ANONYMOUS
        if not shown.digest and shown.kind != "link":
            raise not_authenticated(_REFUSALS[shown.kind])
        if stamp is None:
            stamp = self._database.changes()
        return self._known(shown, stamp) or self._look_up(shown, stamp)

    def _known(self, shown: Presented, stamp: int) -> Principal | None:
        entry = self._entries.get((shown.digest, shown.link))
        if entry is None or entry.stamp != stamp or time.time() >= entry.until:
            return None
        return entry.principal

    def _look_up(self, shown: Presented, stamp: int) -> Principal:
        now, key = utc_now(), (shown.digest, shown.link)
        with self._database.reading() as conn:
            found = _FINDERS[shown.kind](conn, shown.digest, self._settings)
            link = links.find(conn, shown.link) if shown.link else None
        is_over = found is None or (found.expires is not None and found.expires <= now)
        if found is None or is_over or (link is None and shown.is_link_demanded):
            self._entries.pop(key, None)
            raise not_authenticated(_REFUSALS[shown.kind if is_over else "link"])
        principal, touch_at, expires = found.principal, found.touch_at, found.expires
        if touch_at <= now:
            expires = self._touch(shown, expires)
            touch_at = now + timedelta(seconds=self._settings.touch_seconds)
        ends = [touch_at] if expires is None else [touch_at, expires]
        if link is not None:
            ends.append(link.expires)
            principal = replace(principal, groups=principal.groups | {link.group_id})
        self._keep(key, _Entry(principal, stamp, _unix_time(min(ends))))
        return principal

    def _keep(self, key: tuple[str, str], entry: _Entry) -> None:
        if len(self._entries) >= _MOST_ENTRIES:
            self._entries = {}
        self._entries[key] = entry

    def _touch(self, shown: Presented, expires: datetime | None) -> datetime | None:
        """Write down that credentials are in use, and give their end."""
        try:
            with self._database.writing(quiet=True) as conn:
                return _TOUCHERS[shown.kind](conn, shown.digest, self._settings, expires)
        except ServiceError as error:
            # a busy or read-only database is no reason to refuse somebody who is known
            log.warning("the last use of a %s could not be written: %s", shown.kind, error)
            return expires


def _unix_time(moment: datetime) -> float:
    if moment == datetime.max:
        return math.inf
    return moment.replace(tzinfo=UTC).timestamp()


def _principal(conn: Connection, row: Row[*tuple[Any, ...]], *, by_cookie: bool) -> Principal:
    scopes = scopes_from_text(row.scopes)
    return Principal(
        row.user_id,
        row.name,
        is_admin=bool(row.is_admin) and "admin" in scopes,
        groups=groups.of_user(conn, row.user_id),
        friends=friends.of_user(conn, row.user_id),
        scopes=scopes,
        by_cookie=by_cookie,
    )


def _find_session(conn: Connection, digest: str, settings: Settings) -> _Found | None:
    row = conn.execute(
        select(
            SESSION.c.user_id,
            SESSION.c.scopes,
            SESSION.c.expires,
            SESSION.c.last_used,
            USER.c.name,
            USER.c.is_admin,
        )
        .join(USER)
        .where(SESSION.c.digest == digest, USER.c.is_active)
    ).one_or_none()
    if row is None:
        return None
    touch_at = row.last_used + timedelta(seconds=_touch_seconds(settings))
    return _Found(_principal(conn, row, by_cookie=True), row.expires, touch_at)


def _find_token(conn: Connection, digest: str, settings: Settings) -> _Found | None:
    row = conn.execute(
        select(
            TOKEN.c.user_id,
            TOKEN.c.scopes,
            TOKEN.c.expires,
            TOKEN.c.created,
            TOKEN.c.last_used,
            USER.c.name,
            USER.c.is_admin,
        )
        .join(USER)
        .where(TOKEN.c.digest == digest, USER.c.is_active)
    ).one_or_none()
    if row is None:
        return None
    touch_at = row.created  # the first use is always written down
    if row.last_used is not None:
        touch_at = row.last_used + timedelta(seconds=settings.touch_seconds)
    return _Found(_principal(conn, row, by_cookie=False), row.expires, touch_at)


def _touch_seconds(settings: Settings) -> float:
    # a session that is in use must not expire because its use was not written down
    return min(settings.touch_seconds, settings.session_idle_seconds / 2)


def _touch_session(
    conn: Connection, digest: str, settings: Settings, expires: datetime | None
) -> datetime | None:
    now = utc_now()
    ends = conn.execute(select(SESSION.c.ends).where(SESSION.c.digest == digest)).scalar()
    if ends is None:
        return expires
    prolonged: datetime = min(ends, now + timedelta(seconds=settings.session_idle_seconds))
    conn.execute(
        update(SESSION).where(SESSION.c.digest == digest).values(last_used=now, expires=prolonged)
    )
    return prolonged


def _touch_token(
    conn: Connection, digest: str, settings: Settings, expires: datetime | None
) -> datetime | None:
    conn.execute(update(TOKEN).where(TOKEN.c.digest == digest).values(last_used=utc_now()))
    return expires


def _find_nobody(conn: Connection, digest: str, settings: Settings) -> _Found | None:
    return _Found(ANONYMOUS, None, datetime.max)


_FINDERS = {"link": _find_nobody, "session": _find_session, "token": _find_token}
_TOUCHERS = {"session": _touch_session, "token": _touch_token}
