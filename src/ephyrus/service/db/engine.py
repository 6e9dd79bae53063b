"""The database: connections for reading and for writing, and the counter of changes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, update
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError

from ephyrus.service.db import sqlite
from ephyrus.service.db.asking import NO_ANSWER, LoopWatch, Thread
from ephyrus.service.db.schema import CHANGE
from ephyrus.service.db.watching import PostgresWatch, SqliteWatch
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings

__all__ = ["Database", "moment"]

_EPOCH = datetime(1970, 1, 1)
_MOMENT = "ephyrus_moment"
_USED = "ephyrus_used"
_IDLE_SECONDS = 0.2


class Database:
    """The database of a service.

    Parameters
    ----------
    settings : Settings
        ``database_url`` tells where it is, ``query_seconds`` how long one query may take.

    Attributes
    ----------
    engine : Engine
        Engine of SQLAlchemy. Its connections are for the methods below.
    settings : Settings
        As given.
    is_sqlite : bool
        The database is embedded.

    Notes
    -----
    Safe to share between threads. Nothing is opened before it is needed.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        url = make_url(settings.database_url)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if not self.is_sqlite and url.get_backend_name() != "postgresql":
            raise ValueError(
                f"database {url.render_as_string()!r} is neither SQLite nor PostgreSQL; give an "
                "address that begins with postgresql+psycopg:// or leave it empty"
            )
        options = {"anonymous_read": settings.anonymous_read, "id_style": settings.id_style}
        if self.is_sqlite:
            if url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.engine = _sqlite_engine(url, settings).execution_options(**options)
        else:
            self.engine = _postgres_engine(url, settings).execution_options(**options)
        self._readers = self.engine
        if not self.is_sqlite:
            self._readers = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._watch: SqliteWatch | PostgresWatch | None = None
        self._watch_lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database.

        Yields
        ------
        Connection
            For reading alone.

        Raises
        ------
        ServiceError
            ``unavailable``: the database does not answer, or a query takes longer than
            ``query_seconds``.
        """
        with _failures(), self._readers.connect() as connection:
            if self.is_sqlite:
                with sqlite.time_limit(connection, self.settings.query_seconds):
                    yield connection
            else:
                yield connection

    @contextmanager
    def writing(self, *, quiet: bool = False) -> Iterator[Connection]:
        """Give a connection for one transaction, which is kept if the block ends well.

        Parameters
        ----------
        quiet : bool
            What is written concerns nobody who keeps what he has read (a heartbeat, the time of
            last use): the counter of changes stays, and on PostgreSQL other writers are not
            waited for.

        Yields
        ------
        Connection
            All who are not quiet write one after the other.

        Raises
        ------
        ServiceError
            ``unavailable``: the database does not answer, or others write for too long.
        """
        with _failures(), self.engine.connect() as plain:
            connection = plain.execution_options(ephyrus_write=True)
            with connection.begin():
                connection.info.pop(_MOMENT, None)
                if not quiet:
                    connection.info[_MOMENT] = _advance(connection)
                yield connection

    def changes(self) -> int:
        """Give a number that grows with every transaction that is not quiet, of any process.

        Returns
        -------
        int
            Who has seen a number sees in later transactions all that was written up to it.

        Notes
        -----
        A few microseconds on SQLite, one tiny query on PostgreSQL. Thread-safe.
        """
        try:  # not _failures(): every request asks
            with self._watch_lock:
                if self._watch is None:
                    kind = SqliteWatch if self.is_sqlite else PostgresWatch
                    self._watch = kind(self.engine)
                return self._watch.counter()
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error

    def loop_watch(self, thread: Thread) -> LoopWatch:
        """Make what asks a PostgreSQL server for the same number in the event loop.

        Parameters
        ----------
        thread : callable
            Runs a function in a worker thread.
        """
        return LoopWatch(self.engine, seconds=self.settings.database_seconds, thread=thread)

    def upgrade(self) -> None:
        """Bring the tables to what this version of the package works with.

        Raises
        ------
        ServiceError
            ``unavailable``: the database was made by a newer version, or with another style of
            ids.
        """
        from ephyrus.service.db.upgrading import upgrade  # alembic is slow to import

        with _failures():
            upgrade(self)

    def close(self) -> None:
        """Close all connections."""
        with self._watch_lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self.engine.dispose()


def moment(connection: Connection) -> datetime:
    """Give the time of a writing transaction.

    Parameters
    ----------
    connection : Connection
        Of :meth:`Database.writing`.

    Returns
    -------
    datetime
        In UTC, without a zone. It is later than that of every earlier transaction which was not
        quiet, even if a clock was set back.
    """
    found = connection.info.get(_MOMENT)
    return found if found is not None else datetime.now(UTC).replace(tzinfo=None)


def _advance(connection: Connection) -> datetime:
    """Advance the counter of changes, which makes other writers wait, and take the time."""
    now = datetime.now(UTC).replace(tzinfo=None)
    here = (now - _EPOCH) // timedelta(microseconds=1)
    greatest = func.max if connection.dialect.name == "sqlite" else func.greatest
    statement = (
        update(CHANGE)
        .values(
            counter=CHANGE.c.counter + 1,
            last_at=greatest(here, CHANGE.c.last_at + 1),
        )
        .returning(CHANGE.c.last_at)
    )
    return _EPOCH + timedelta(microseconds=connection.execute(statement).scalar_one())


@contextmanager
def _failures() -> Iterator[None]:
    """Turn what the database refuses for now into an answer."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(error) from error


def _unavailable(error: DBAPIError) -> ServiceError:
    return ServiceError("unavailable", _reason(error), headers={"Retry-After": "2"})


def _reason(error: DBAPIError) -> str:
    """Say what the database is busy with."""
    text = str(error.orig).lower()
    slow = ("interrupted", "statement timeout", "user-defined function raised")
    if any(words in text for words in slow):
        return "The query takes too long; narrow the selection with further filters."
    if "locked" in text or "lock timeout" in text:
        return "Others are writing to the database; try again in a moment."
    return NO_ANSWER


def _sqlite_engine(url: Any, settings: Settings) -> Engine:
    """Make an engine for the embedded database."""
    engine = create_engine(
        url, connect_args={"timeout": settings.lock_seconds}, pool_size=8, max_overflow=56
    )
    event.listen(engine, "connect", sqlite.prepare)
    event.listen(engine, "begin", sqlite.begin)
    return engine


def _postgres_engine(url: Any, settings: Settings) -> Engine:
    """Make an engine for PostgreSQL."""
    limits = {
        "statement_timeout": round(settings.query_seconds * 1000),
        "lock_timeout": round(settings.lock_seconds * 1000),
        "idle_in_transaction_session_timeout": 600_000,
        "timezone": "UTC",
        "jit": "off",  # queries are short
    }
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=8,
        max_overflow=24,
        pool_timeout=settings.lock_seconds,
        connect_args={
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
            "connect_timeout": 10,
            # a server that is out of reach is noticed after some seconds, not after hours
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )
    _check_idle(engine)
    return engine


def _check_idle(engine: Engine) -> None:
    """Try connections that were not used for a moment before they are used again.

    A server that was restarted has closed them. The question costs as much as a small query, so it
    is not asked of connections that are in use all the time.
    """

    def checkin(_connection: object, record: Any) -> None:
        record.info[_USED] = time.monotonic()

    def checkout(connection: Any, record: Any, _proxy: object) -> None:
        if time.monotonic() - record.info.get(_USED, math.inf) < _IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "checkin", checkin)
    event.listen(engine, "checkout", checkout)
