"""The counter of changes of a PostgreSQL database, asked in the event loop.

Every request asks for it. A thread for each question would cost more than the question, and a
blocking question would hold up all requests where the server is slow; so one connection is asked
without waiting, and its socket is watched by the event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ephyrus.service.db.watching import COUNTER, detached
from ephyrus.service.errors import ServiceError

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.pq.abc import PGconn, PGresult
    from sqlalchemy import Engine

__all__ = ["NO_ANSWER", "LoopWatch"]

_NAME = b"ephyrus_counter"
_BINARY = 1
NO_ANSWER = "The database does not answer at the moment; try again later."
"""What is told when it cannot be reached."""

Thread = Callable[[Callable[[], Any]], Awaitable[Any]]


class LoopWatch:
    """Asks for the counter of changes without a thread.

    Parameters
    ----------
    engine : Engine
        Makes the connection.
    seconds : float
        How long the server may take to answer.
    thread : callable
        Runs a function that blocks, such as the making of a connection, in a worker thread.

    Notes
    -----
    A question that is under way may have been answered before a change of which the one who asks
    now already knows. So whoever comes meanwhile waits for the next question, which is asked once
    for all of them.
    """

    def __init__(self, engine: Engine, *, seconds: float, thread: Thread) -> None:
        self._engine = engine
        self._seconds = seconds
        self._thread = thread
        self._loop = asyncio.get_running_loop()
        driver = engine.dialect.loaded_dbapi
        self._failure: type[Exception] = driver.Error
        self._is_fine = driver.pq.ExecStatus.COMMAND_OK
        self._connection: Connection[Any] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._socket = -1
        self._is_new = False  # the connection has not answered yet
        self._waiting: list[asyncio.Future[int]] = []  # for the next question
        self._asked: list[asyncio.Future[int]] = []  # for the one that is under way
        self._is_told = False  # the server knows the question
        self._result: PGresult | None = None
        self._limit: asyncio.TimerHandle | None = None

    async def counter(self) -> int:
        """Read the counter.

        Raises
        ------
        ServiceError
            ``unavailable``: the server cannot be reached, or does not answer in time.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move(loop)
        mine: asyncio.Future[int] = loop.create_future()
        self._waiting.append(mine)
        if self._limit is None:
            self._limit = loop.call_later(self._seconds, self._give_up)
        if not self._asked:
            self._ask()
        return await mine

    async def close(self) -> None:
        """Close the connection."""
        if self._connecting is not None:
            await asyncio.wait([self._connecting])
        self._give_up()

    def _ask(self) -> None:
        """Send the question for all who wait."""
        if self._connecting is not None or (self._connection is not None and not self._is_told):
            return
        if self._connection is None:
            self._connecting = self._loop.create_task(self._connect())
            return
        self._asked, self._waiting = self._waiting, []
        try:
            self._connection.pgconn.send_query_prepared(_NAME, (), result_format=_BINARY)
        except self._failure:
            self._lose()

    def _readable(self, pgconn: PGconn) -> None:
        """Take what the server has sent."""
        try:
            pgconn.consume_input()
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    self._finish()
                    return
                self._result = result
        except self._failure:
            self._lose()

    def _finish(self) -> None:
        """Tell the answer to those who asked, and ask for those who came meanwhile.

        The first answer of a connection is that the server has understood the question.
        """
        result, self._result = self._result, None
        if result is not None and not self._is_told and result.status == self._is_fine:
            self._is_told = True
            if self._waiting:
                self._ask()
            return
        value = result.get_value(0, 0) if result is not None and result.ntuples else None
        if value is None:  # a refusal, or something was said while nobody asked
            self._lose()
            return
        self._is_new = False
        asked, self._asked = self._asked, []
        answer = int.from_bytes(value, "big")
        for each in asked:
            if not each.done():
                each.set_result(answer)
        self._cancel_limit()
        if self._waiting:
            self._limit = self._loop.call_later(self._seconds, self._give_up)
            self._ask()

    def _lose(self) -> None:
        """Ask again on a new connection, if the lost one had ever answered."""
        was_new = self._is_new
        self._drop()
        self._waiting[:0], self._asked = self._asked, []
        if was_new:
            self._give_up()
        elif self._waiting:
            self._ask()

    def _give_up(self) -> None:
        """Tell all that there is no answer; the next request makes a new connection."""
        self._cancel_limit()
        self._drop()
        waiting = self._asked + self._waiting
        self._asked, self._waiting = [], []
        for each in waiting:
            if not each.done():
                each.set_exception(
                    ServiceError("unavailable", NO_ANSWER, headers={"Retry-After": "2"})
                )

    def _cancel_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _drop(self) -> None:
        connection, self._connection, self._result = self._connection, None, None
        if connection is not None:
            self._loop.remove_reader(self._socket)
            os.close(self._socket)
            connection.close()

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin anew in another event loop, since the one before has ended."""
        connection, self._connection = self._connection, None
        if connection is not None:
            os.close(self._socket)
            connection.close()
        self._loop, self._connecting, self._limit, self._result = loop, None, None, None
        self._asked, self._waiting = [], []

    async def _connect(self) -> None:
        """Make a connection, and ask for those who wait."""
        try:
            connection: Connection[Any] = await self._thread(self._made)
        except Exception:  # noqa: BLE001  # whatever it is, there is no connection
            self._connecting = None
            self._give_up()
            return
        self._connecting = None
        self._connection, self._is_new, self._is_told = connection, True, False
        # a copy, since the driver closes its own when the connection is lost
        self._socket = os.dup(connection.pgconn.socket)
        self._loop.add_reader(self._socket, self._readable, connection.pgconn)
        try:
            connection.pgconn.send_prepare(_NAME, COUNTER.encode("ascii"))
        except self._failure:
            self._lose()

    def _made(self) -> Connection[Any]:
        """Make a connection that does not wait."""
        connection: Connection[Any] = detached(self._engine)
        connection.autocommit = True
        connection.pgconn.nonblocking = 1
        return connection
