"""Limits on failed logins, counted in the database so that all workers share them.

Three allowances are kept, each of so many attempts that comes back evenly over a window:

* *pair*: one user name from one network. Who guesses a password from one place is stopped here,
  and stops nobody else.
* *address*: all user names from one network.
* *name*: one user name from all networks that its user never logged in from. It bounds guessing
  from many places at once. Such an attack may use up the allowance, but it cannot lock the user
  out: networks from which the user logged in within `KNOWN_DAYS` are not counted here, sessions and
  tokens go on, and an administrator can clear it.

A login that succeeds costs nothing and empties *pair*; it does not empty *name*, since otherwise
the user's own logins would give an attacker new attempts.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ephyrus.service.accounts.tables import LOGIN_ATTEMPT
from ephyrus.service.errors import ServiceError

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.settings import Settings

__all__ = ["KNOWN_DAYS", "LoginLimits"]

KNOWN_DAYS = 60
"""Days for which a network counts as known after a login from it."""

log = logging.getLogger(__name__)

_SKEW = 0.5  # seconds by which the clocks of workers may differ, and requests may overtake
_PRUNE_SECONDS = 60.0
_PRUNE_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class _Allowance:
    """One row of attempts: what is counted, and how many are allowed in a window."""

    kind: str
    name: str
    network: str
    attempts: int

    @property
    def key(self) -> str:
        return _key(self.kind, self.name, self.network)


class LoginLimits:
    """Counts attempts to log in; one per process.

    Parameters
    ----------
    database : Database
        Of the service.
    settings : Settings
        The allowances.

    Notes
    -----
    An allowance is one number, the time at which it will be full again (GCRA): each attempt moves
    it by ``window / attempts``; more than ``window`` ahead of now is refused. Rows that are past
    mean nothing and are removed; there are never many more than `login_rows`.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._next_prune = 0.0
        self._pruning = threading.Lock()

    def take(self, name: str, network: str) -> None:
        """Take one attempt, before the password is looked at.

        Parameters
        ----------
        name : str
            User name in its normal form; whether there is such a user makes no difference. Empty:
            none was sent (a login with a token), only the network is counted.
        network : str
            Where from, see `proxies.client_network`.

        Raises
        ------
        ServiceError
            ``too_many_requests``, with ``Retry-After``; then nothing is taken.
        """
        self._prune()
        now = time.time()
        with self._database.reading() as conn:
            allowances = self._allowances(conn, name, network, now)
            ends = _ends_of(conn, [each.key for each in allowances])
        # most refusals end here, without writing
        states = [(each, ends.get(each.key, now)) for each in allowances]
        try:
            self._demand(now, states, taken=1)
        except ServiceError:
            log.warning("logins from %s are refused for a while", network)
            raise
        with self._database.writing(quiet=True) as conn:
            taken = [(each, self._move(conn, each, now)) for each in allowances]
            self._demand(now, taken, taken=0)

    def give_back(self, conn: Connection, name: str, network: str) -> None:
        """Count an attempt as no failure, and remember that the user logs in from this network.

        Parameters
        ----------
        conn : Connection
            Inside a writing transaction, which may be a quiet one.
        name, network : str
            As for `take`.
        """
        now = time.time()
        for each in self._allowances(conn, name, network, now):
            step = self._settings.login_window_seconds / each.attempts
            conn.execute(
                update(LOGIN_ATTEMPT)
                .where(LOGIN_ATTEMPT.c.key == each.key)
                .values(until=0.0 if each.kind == "pair" else LOGIN_ATTEMPT.c.until - step)
            )
        if name:
            known_until = now + KNOWN_DAYS * 86_400
            _upsert(conn, _Allowance("known", name, network, 0), known_until, known_until)

    def clear(self, conn: Connection, name: str) -> None:
        """Forget the attempts on a user name from all networks (for administrators)."""
        row = LOGIN_ATTEMPT.c
        conn.execute(delete(LOGIN_ATTEMPT).where(row.subject == _key(name), row.kind != "known"))

    def _allowances(
        self, conn: Connection, name: str, network: str, now: float
    ) -> list[_Allowance]:
        """Give the allowances that an attempt takes from, in the order in which rows are locked."""
        settings = self._settings
        found = [_Allowance("address", "", network, settings.login_attempts_address)]
        if name:
            found.append(_Allowance("pair", name, network, settings.login_attempts))
            known = _key("known", name, network)
            if _ends_of(conn, [known]).get(known, 0.0) <= now:
                found.append(_Allowance("name", name, "", settings.login_attempts_name))
        return sorted(found, key=lambda each: each.key)

    def _move(self, conn: Connection, allowance: _Allowance, now: float) -> float:
        step = self._settings.login_window_seconds / allowance.attempts
        column = LOGIN_ATTEMPT.c.until
        moved = case((column > now, column), else_=now) + step
        return _upsert(conn, allowance, now + step, moved)

    def _demand(self, now: float, states: list[tuple[_Allowance, float]], *, taken: int) -> None:
        """Refuse if an allowance is used up, `taken` further attempts included."""
        window = self._settings.login_window_seconds
        waits = [
            max(until, now) + taken * window / each.attempts - now - window
            for each, until in states
        ]
        if max(waits) > _SKEW:
            wait = math.ceil(round(max(waits), 3))
            raise ServiceError(
                "too_many_requests",
                f"Too many failed logins; try again in {wait} s.",
                details={"retry_after": wait},
                headers={"Retry-After": str(wait)},
            )

    def _prune(self) -> None:
        """Remove rows that mean nothing any more, once in a while."""
        now = time.monotonic()
        with self._pruning:
            if now < self._next_prune:
                return
            self._next_prune = now + _PRUNE_SECONDS
        with self._database.writing(quiet=True) as conn:
            prune(conn, most_rows=self._settings.login_rows)


def prune(conn: Connection, *, most_rows: int) -> None:
    """Remove rows that are past, and those nearest to it beyond `most_rows`."""
    row = LOGIN_ATTEMPT.c
    keys = select(row.key).order_by(row.until).limit(_PRUNE_ROWS)
    # rows that another worker holds are left to the next time: nobody waits, nothing locks up
    keys = keys.with_for_update(skip_locked=True)
    past = conn.execute(keys.where(row.until <= time.time())).scalars().all()
    conn.execute(delete(LOGIN_ATTEMPT).where(row.key.in_(past)))
    left = conn.execute(select(func.count()).select_from(LOGIN_ATTEMPT)).scalar_one()
    if left > most_rows:
        extra = conn.execute(keys.limit(min(left - most_rows, _PRUNE_ROWS))).scalars().all()
        conn.execute(delete(LOGIN_ATTEMPT).where(row.key.in_(extra)))


def _key(*parts: str) -> str:
    # names of users who do not exist, and addresses, are kept only in this form
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _ends_of(conn: Connection, keys: list[str]) -> dict[str, float]:
    row = LOGIN_ATTEMPT.c
    rows = conn.execute(select(row.key, row.until).where(row.key.in_(keys)))
    return {each.key: each.until for each in rows}


def _upsert(conn: Connection, what: _Allowance, new: float, changed: Any) -> float:
    """Insert a row or change it, in one statement, and give its time."""
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    subject = _key(what.name) if what.name else ""
    statement = dialect.insert(LOGIN_ATTEMPT).values(
        key=what.key, kind=what.kind, subject=subject, until=new
    )
    statement = statement.on_conflict_do_update(
        index_elements=[LOGIN_ATTEMPT.c.key], set_={"until": changed}
    )
    until: float = conn.execute(statement.returning(LOGIN_ATTEMPT.c.until)).scalar_one()
    return until
