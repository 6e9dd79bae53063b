"""The counter of changes, read so cheaply that it can be asked on every request."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

__all__ = ["COUNTER", "PostgresWatch", "SqliteWatch", "detached"]

COUNTER = "SELECT counter FROM change"
"""The question."""


def detached(engine: Engine) -> Any:
    """Give a driver's connection that is not of the pool any more.

    Raises
    ------
    OperationalError
        The server cannot be reached.
    """
    try:
        pooled = engine.raw_connection()
    except engine.dialect.loaded_dbapi.OperationalError as error:
        raise OperationalError(COUNTER, None, error) from error
    connection = pooled.driver_connection
    pooled.detach()
    return connection


class SqliteWatch:
    """The counter of an embedded database.

    ``PRAGMA data_version`` tells in microseconds whether any other connection, of this process or
    of another, has written anything; the counter itself is read only then.
    """

    def __init__(self, engine: Engine) -> None:
        self._connection: sqlite3.Connection = detached(engine)
        self._cursor = self._connection.cursor()
        self._seen = -1
        self._counter = -1

    def counter(self) -> int:
        """Read the counter."""
        try:
            (seen,) = self._cursor.execute("PRAGMA data_version").fetchone()
            if seen != self._seen:
                (self._counter,) = self._cursor.execute(COUNTER).fetchone()
                self._seen = seen
        except sqlite3.OperationalError as error:
            raise OperationalError(COUNTER, None, error) from error
        return self._counter

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class PostgresWatch:
    """The counter of a PostgreSQL database, on a connection that never begins a transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Any = None

    def counter(self) -> int:
        """Read the counter; a connection that was lost is made once more."""
        if self._connection is not None:
            try:
                return self._read()
            except OperationalError:
                self.close()
        self._connection = detached(self._engine)
        self._connection.autocommit = True
        return self._read()

    def _read(self) -> int:
        """Ask the database."""
        try:
            (found,) = self._connection.execute(COUNTER).fetchone()
        except self._engine.dialect.loaded_dbapi.OperationalError as error:
            raise OperationalError(COUNTER, None, error) from error
        return int(found)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
