"""How connections to SQLite are set up: journal, locks, functions and limits of time."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from ephyrus.service.db import patterns

__all__ = ["begin", "prepare", "time_limit"]

_STEPS = 100_000  # steps of SQLite's machine between looks at the clock: about a millisecond

_DEADLINE = threading.local()


def prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Set up a new connection.

    Readers are not hindered by a writer (WAL), what is acknowledged is on the disk
    (``synchronous=FULL``), and references hold (``foreign_keys``).
    """
    connection.isolation_level = None  # transactions are begun by `begin` below
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-32768",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("ephyrus_matches", 2, _matches, deterministic=True)


def begin(connection: Connection) -> None:
    """Begin a transaction: a writer takes the lock at once, so that it never has to give up."""
    write = connection.get_execution_options().get("ephyrus_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def time_limit(connection: Connection, seconds: float) -> Iterator[None]:
    """Interrupt queries that go on for longer than `seconds`."""
    driver: Any = connection.connection.driver_connection
    deadline = time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    _DEADLINE.time = deadline
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
        _DEADLINE.time = None


def _matches(key: str, text: str | None) -> bool | None:
    """Tell whether a pattern is found in a text.

    The key is the pattern behind ``i`` (the text is folded) or ``s``. The function may be slow for
    long texts, and SQLite looks at the clock between its own steps only.
    """
    if text is None:
        return None
    deadline = getattr(_DEADLINE, "time", None)
    if deadline is not None and time.monotonic() > deadline:
        raise TimeoutError
    return patterns.compiled(key[1:], key[0] == "i").found_in(text)
