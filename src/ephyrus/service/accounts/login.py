"""Logging in: by password, or with a token."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, or_, select, update

from ephyrus.service.accounts import sessions, users
from ephyrus.service.accounts.credentials import presented
from ephyrus.service.accounts.limits import LoginLimits
from ephyrus.service.accounts.names import normal_name
from ephyrus.service.accounts.passwords import Passwords
from ephyrus.service.accounts.scopes import ALL_SCOPES, scopes_from_text
from ephyrus.service.accounts.sessions import NewSession
from ephyrus.service.accounts.tables import TOKEN, USER, utc_now
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Scope

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.settings import Settings

__all__ = ["LoggedIn", "Logins"]

log = logging.getLogger(__name__)

_MAX_TYPED = 256  # longer than any name; what is cut off cannot make it one


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Who has logged in, and the session that was begun."""

    username: str
    session: NewSession


class Logins:
    """Lets users in; one per process.

    Parameters
    ----------
    database : Database
        Of the service.
    settings : Settings
        Cost of passwords, limits on attempts, life of sessions.

    Attributes
    ----------
    passwords : Passwords
        Hashes and verifies.
    limits : LoginLimits
        Counts attempts.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self.passwords = Passwords(settings)
        self.limits = LoginLimits(database, settings)

    def by_password(
        self, username: str, password: str, *, network: str, former: str = ""
    ) -> LoggedIn:
        """Log a user in by name and password.

        Unknown names, wrong passwords, users without a password and users who are not active are
        answered alike, after the same work.

        Parameters
        ----------
        username, password : str
            As typed.
        network : str
            Where from, see `proxies.client_network`.
        former : str
            Digest of the session that the client had until now; it ends.

        Raises
        ------
        ServiceError
            ``invalid_credentials``, ``too_many_requests``, ``unavailable``.
        """
        name = normal_name(username[:_MAX_TYPED])
        user_id = self.check_password(name, password, network=network)
        return LoggedIn(name, self.begin(user_id, former=former))

    def check_password(self, name: str, password: str, *, network: str) -> int:
        """Demand a user's password, as `by_password` does, and give the user's id.

        Parameters
        ----------
        name : str
            User name in its normal form.
        password, network : str
            As for `by_password`.

        Raises
        ------
        ServiceError
            ``invalid_credentials``, ``too_many_requests``, ``unavailable``.
        """
        self.limits.take(name, network)
        with self._database.reading() as conn:
            found = users.stored_password(conn, name)
        user_id, stored = (None, None) if found is None else found
        if not self.passwords.verify(stored, password) or user_id is None or stored is None:
            # not the name: people type passwords into the wrong field
            log.warning("a login from %s failed", network)
            raise _refusal()
        renewed = self.passwords.rehashed(stored, password)
        with self._database.writing(quiet=True) as conn:
            _demand_unchanged(conn, user_id, stored)
            if renewed is not None:
                conn.execute(update(USER).where(USER.c.id == user_id).values(password=renewed))
            self.limits.give_back(conn, name, network)
        return user_id

    def by_token(self, token: str, *, network: str, former: str = "") -> LoggedIn:
        """Log a user in with a bearer token, so that a browser can be used where there is one.

        The session has the token's scopes, and ends with the token.

        Parameters
        ----------
        token : str
            The token's text.
        network, former : str
            As for `by_password`.

        Raises
        ------
        ServiceError
            ``invalid_credentials``, ``too_many_requests``.
        """
        shown = presented([(b"authorization", b"Bearer " + token.strip().encode())])
        self.limits.take("", network)
        now = utc_now()
        with self._database.writing(quiet=True) as conn:
            row = conn.execute(
                select(TOKEN.c.id, TOKEN.c.user_id, TOKEN.c.scopes, TOKEN.c.expires, USER.c.name)
                .join(USER)
                .where(
                    TOKEN.c.digest == (shown.digest if shown else ""),
                    USER.c.is_active,
                    or_(TOKEN.c.expires.is_(None), TOKEN.c.expires > now),
                )
            ).one_or_none()
            if row is None:
                log.warning("a login with a token from %s failed", network)
                raise _refusal()
            self.limits.give_back(conn, "", network)
        scopes = scopes_from_text(row.scopes)
        session = self.begin(
            row.user_id, former=former, scopes=scopes, token_id=row.id, until=row.expires
        )
        return LoggedIn(row.name, session)

    def begin(
        self,
        user_id: int,
        *,
        former: str = "",
        scopes: frozenset[Scope] = ALL_SCOPES,
        token_id: int | None = None,
        until: datetime | None = None,
    ) -> NewSession:
        """Begin the session of somebody who has proved who they are; see `sessions.begin`."""
        with self._database.writing(quiet=True) as conn:
            sessions.prune(conn)
            begun = sessions.begin(
                conn, user_id, self._settings, scopes=scopes, token_id=token_id, until=until
            )
            is_crowded = sessions.is_crowded(conn, user_id)
        log.info("user %d has logged in", user_id)
        if former or is_crowded:
            with self._database.writing() as conn:  # other workers may know these sessions
                sessions.end(conn, former)
                sessions.trim(conn, user_id)
        return begun

    def end(self, session_digest: str) -> None:
        """End a session."""
        with self._database.writing() as conn:
            sessions.end(conn, session_digest)


def _demand_unchanged(conn: Connection, user_id: int, stored: str) -> None:
    """Refuse if the password was changed, or the user deactivated, while it was verified."""
    row = USER.c
    query = select(row.id).where(row.id == user_id, row.password == stored, row.is_active)
    if conn.execute(query).one_or_none() is None:
        raise _refusal()


def _refusal() -> ServiceError:
    return ServiceError("invalid_credentials", "User name or password is wrong.")
