"""The counter of changes, read so cheaply that it can be asked on every request."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

__all__ = ["PostgresWatch", "SqliteWatch"]

_COUNTER = "SELECT counter FROM change"


class SqliteWatch:
    """The counter of an embedded database.

    ``PRAGMA data_version`` tells in microseconds whether any other connection, of this process or
    of another, has written anything; the counter itself is read only then.
    """

    def __init__(self, engine: Engine) -> None:
        self._pooled = engine.raw_connection()
        connection: Any = self._pooled.driver_connection
        self._connection: sqlite3.Connection = connection
        self._pooled.detach()  # it is not given back
        self._seen = -1
        self._counter = -1

    def counter(self) -> int:
        """Read the counter."""
        try:
            (seen,) = self._connection.execute("PRAGMA data_version").fetchone()
            if seen != self._seen:
                (self._counter,) = self._connection.execute(_COUNTER).fetchone()
                self._seen = seen
        except sqlite3.OperationalError as error:
            raise OperationalError(_COUNTER, None, error) from error
        return self._counter

    def close(self) -> None:
        """Close the connection."""
        self._pooled.close()


class PostgresWatch:
    """The counter of a PostgreSQL database, on a connection of its own that never begins a
    transaction.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Any = None

    def counter(self) -> int:
        """Read the counter; a connection that was lost is made once more."""
        if self._connection is not None:
            try:
                return self._read()
            except DBAPIError:
                self.close()
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection.detach()
        return self._read()

    def _read(self) -> int:
        """Ask the database."""
        return int(self._connection.exec_driver_sql(_COUNTER).scalar_one())

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
