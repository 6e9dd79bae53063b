"""The database: connections for reading and for writing, and the counter of changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from ephyrus._shared.extras import optional_module
from ephyrus.service.db import sqlite
from ephyrus.service.db.asking import NO_ANSWER, LoopWatch, Thread
from ephyrus.service.db.schema import CHANGE
from ephyrus.service.db.watching import PostgresWatch, SqliteWatch
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings

if TYPE_CHECKING:
    from ephyrus.service.db.pulse import Pulse

__all__ = ["Database", "has_turn", "moment", "take_turn"]

_EPOCH = datetime(1970, 1, 1)
_MOMENT = "ephyrus_moment"
_LATE = "ephyrus_late"


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
        options = {"anonymous_read": settings.anonymous_read, "id_style": settings.id_style}
        self._pulse: Pulse | None = None
        if self.is_sqlite:
            if url.database:
                file = Path(url.database)
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if not file.exists():
                    file.touch(mode=0o600)  # the folder may be one that others can read
            self.engine = _sqlite_engine(url, settings).execution_options(**options)
        else:
            optional_module("psycopg", "postgresql", "A PostgreSQL database")
            from ephyrus.service.db import postgres  # with the driver, which SQLite does without

            engine, self._pulse = postgres.make_engine(url, settings)
            self.engine = engine.execution_options(**options)
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
        with self._failures(), self._readers.connect() as connection:
            if self.is_sqlite:
                with sqlite.time_limit(connection, self.settings.query_seconds):
                    yield connection
            else:
                yield connection

    @contextmanager
    def writing(self, *, quiet: bool = False, late: bool = False) -> Iterator[Connection]:
        """Give a connection for one transaction, which is kept if the block ends well.

        Parameters
        ----------
        quiet : bool
            What is written concerns nobody who keeps what he has read (a heartbeat, the time of
            last use): the counter of changes stays, and on PostgreSQL other writers are not
            waited for.
        late : bool
            On PostgreSQL, others who write are kept waiting from `take_turn` on only. What is
            written before must concern nobody else, such as new rows that no other row refers to;
            `moment` is not in order until then.

        Yields
        ------
        Connection
            All who are not quiet write one after the other.

        Raises
        ------
        ServiceError
            ``unavailable``: the database does not answer, or others write for too long.
        """
        with self._failures(), self.engine.connect() as plain:
            connection = plain.execution_options(ephyrus_write=True)
            with connection.begin():
                is_late = late and not self.is_sqlite  # which has one writer anyway
                connection.info.pop(_MOMENT, None)
                connection.info[_LATE] = is_late
                if is_late:
                    connection.info[_MOMENT] = datetime.now(UTC).replace(tzinfo=None)
                elif not quiet:
                    connection.info[_MOMENT] = _advance(connection)
                yield connection
                take_turn(connection)

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
        try:  # not self._failures(): every request asks
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

        with self._failures():
            upgrade(self)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn what the database refuses for now into an answer."""
        if self._pulse is not None:
            self._pulse.require()
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error

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


def has_turn(connection: Connection) -> bool:
    """Tell whether a writing transaction is not one that takes its turn later."""
    return not connection.info.get(_LATE)


def take_turn(connection: Connection) -> datetime | None:
    """Let a late transaction be the one that writes: from here others wait for its end.

    Parameters
    ----------
    connection : Connection
        Of :meth:`Database.writing`.

    Returns
    -------
    datetime or None
        The time of the transaction, which `moment` gives from now on; None: it had its turn.
    """
    if has_turn(connection):
        return None
    connection.info[_LATE] = False
    now = connection.info[_MOMENT] = _advance(connection)
    return now


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


def _unavailable(error: DBAPIError) -> ServiceError:
    return ServiceError("unavailable", _reason(error), headers={"Retry-After": "2"})


def _reason(error: DBAPIError) -> str:
    """Say what the database is busy with."""
    text = str(error.orig).lower()
    slow = ("interrupted", "statement timeout", "user-defined function raised")
    if any(words in text for words in slow):
        return "The query takes too long; narrow the selection with further filters."
    if "disk is full" in text or "no space left" in text:
        return "The disk of the database is full."
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
