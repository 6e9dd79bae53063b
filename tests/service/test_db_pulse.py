"""A PostgreSQL server that stops answering, though its connections stand."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import func, make_url, select, text

from ephyrus.service.db.engine import Database
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings

NO_ANSWER = "The database does not answer"


class Line:
    """Leads connections to a server; while it is `held` they stand, and nothing comes through."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._flows = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        self._flows.set()
        self._start(self._accept)

    def _start(self, function, *args):
        threading.Thread(target=function, args=args, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._server)
                self._sockets += [near, far]
                self._start(self._lead, near, far)
                self._start(self._lead, far, near)

    def _lead(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._flows.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing through within the block."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    def close(self) -> None:
        """Cut all connections."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def line(postgresql_url: str) -> Iterator[Line]:
    url = make_url(postgresql_url)
    assert url.host is not None
    assert url.port is not None
    made = Line((url.host, url.port))
    yield made
    made.close()


@contextmanager
def opened(address: str, **settings: float) -> Iterator[Database]:
    database = Database(Settings(database=address, database_seconds=0.4, **settings))
    try:
        yield database
    finally:
        database.close()


def one(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(1)).scalar_one()


def refused(database: Database) -> None:
    """Reading, writing and the counter are refused, each with the advice to come back."""
    for ask in (database.reading, database.writing):
        with pytest.raises(ServiceError, match=NO_ANSWER) as error, ask() as connection:
            connection.execute(select(1))
        assert error.value.status == 503
        assert error.value.headers["Retry-After"] == "2"
    with pytest.raises(ServiceError, match=NO_ANSWER):
        database.changes()


def test_a_server_that_hangs_is_noticed_and_forgotten_when_it_goes_on(
    line: Line, postgresql_url: str
) -> None:
    address = make_url(postgresql_url).set(port=line.port).render_as_string()
    with opened(address) as database:
        assert one(database) == 1
        before = database.changes()
        # in the middle of a transaction: nobody is let in any more
        with (
            pytest.raises(ServiceError, match=NO_ANSWER),
            database.writing() as connection,
            line.held(),
        ):
            connection.execute(select(1))
        with line.held():
            refused(database)
        found = one_when_it_answers(database)
        assert found == 1
        assert database.changes() == before  # what was begun was not kept


def one_when_it_answers(database: Database) -> int:
    """Read; a server that hung a moment ago is looked at each second."""
    for _ in range(100):
        with suppress(ServiceError):
            return one(database)
        threading.Event().wait(0.1)
    raise AssertionError("the database was not found again")


def test_a_query_that_is_merely_slow_is_waited_for(postgresql_url: str) -> None:
    with opened(postgresql_url) as database, database.reading() as connection:
        slow = select(text("7")).select_from(func.pg_sleep(0.5))  # five times the silence
        assert connection.execute(slow).scalar_one() == 7


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_process_of_the_server_that_hangs_alone_is_left(postgresql_url: str) -> None:
    with opened(postgresql_url, query_seconds=1.0, lock_seconds=0.2) as database:
        with database.reading() as connection:
            pid = connection.execute(select(func.pg_backend_pid())).scalar_one()
        with stopped(pid), pytest.raises(ServiceError, match=NO_ANSWER):
            one(database)  # on the same connection
        assert one(database) == 1
