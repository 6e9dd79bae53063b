"""The counter of changes, asked of PostgreSQL in the event loop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from ephyrus.service.db.asking import LoopWatch
from ephyrus.service.db.engine import Database
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings

Check = Callable[[LoopWatch, Database], Awaitable[None]]


def watched(url: str, check: Check, *, seconds: float = 60.0) -> None:
    """Run a check with a watch in an event loop, and close all behind it."""

    async def run() -> None:
        watch = database.loop_watch(asyncio.to_thread)
        try:
            await check(watch, database)
        finally:
            await watch.close()

    database = Database(Settings(database=url, database_seconds=seconds))
    try:
        asyncio.run(run())
    finally:
        database.close()


def backend(watch: LoopWatch) -> int:
    """The process of the server that answers."""
    assert watch._connection is not None
    return watch._connection.pgconn.backend_pid


def write(database: Database) -> None:
    with database.writing():
        pass


def test_the_counter_is_that_of_the_database(postgresql_url):
    async def check(watch, database):
        first = await watch.counter()
        assert first == database.changes()
        write(database)
        assert await watch.counter() == first + 1 == database.changes()

    watched(postgresql_url, check)


def test_who_asks_after_a_change_sees_it(postgresql_url):
    """Each of many askers sees the change that was made before it asked, whatever is under way."""

    async def check(watch, database):
        first = await watch.counter()
        asking = []
        for number in range(20):
            asking += [asyncio.create_task(watch.counter()) for _ in range(5)]
            await asyncio.sleep(0)  # all of them have asked
            write(database)
            if number % 4 == 3:
                await asyncio.sleep(0)
        seen = await asyncio.gather(*asking)
        for number in range(20):
            assert all(first + number <= each for each in seen[5 * number : 5 * number + 5])
        assert await watch.counter() == first + 20

    watched(postgresql_url, check)


def test_those_who_wait_share_a_question(postgresql_url):
    async def check(watch, _database):
        await watch.counter()
        connection = watch._connection
        sent = []

        class Counted:
            def send_query_prepared(self, *args, **options):
                sent.append(args)
                connection.pgconn.send_query_prepared(*args, **options)

        class Fake:
            pgconn = Counted()

        watch._connection = Fake()
        assert len(set(await asyncio.gather(*(watch.counter() for _ in range(100))))) == 1
        watch._connection = connection
        assert len(sent) == 2  # the first one's, and one for all who came meanwhile

    watched(postgresql_url, check)


def test_one_who_leaves_takes_nobody_along(postgresql_url):
    async def check(watch, database):
        await watch.counter()
        tasks = [asyncio.create_task(watch.counter()) for _ in range(4)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[2].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in found] == [True, False] * 2
        assert found[1] == found[3] == database.changes()

    watched(postgresql_url, check)


def test_a_lost_connection_is_made_anew(postgresql_url):
    async def check(watch, database):
        first = await watch.counter()
        for wait in (False, True):  # noticed with the next question, or before it
            process = backend(watch)
            with database.engine.connect() as connection:
                connection.execute(text("SELECT pg_terminate_backend(:n, 60000)"), {"n": process})
            if wait:
                while watch._connection is not None:
                    await asyncio.sleep(0.01)
            assert await watch.counter() == first
            assert backend(watch) != process

    watched(postgresql_url, check)


def test_a_refusal_is_no_answer(postgresql_url):
    async def check(watch, database):
        first = await watch.counter()
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE change RENAME TO away"))
        with pytest.raises(ServiceError, match="does not answer") as told:
            await watch.counter()
        assert (told.value.status, told.value.headers) == (503, {"Retry-After": "2"})
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO change"))
        assert await watch.counter() == first

    watched(postgresql_url, check)


def test_a_server_that_stands_still_is_not_waited_for(postgresql_url):
    async def check(watch, _database):
        first = await watch.counter()
        process = backend(watch)
        os.kill(process, signal.SIGSTOP)
        try:
            asking = [asyncio.create_task(watch.counter()) for _ in range(3)]
            found = await asyncio.gather(*asking, return_exceptions=True)
        finally:
            os.kill(process, signal.SIGCONT)
        watch._seconds = 60.0
        assert all(isinstance(each, ServiceError) and each.status == 503 for each in found)
        assert await watch.counter() == first
        assert backend(watch) != process

    watched(postgresql_url, check, seconds=1.0)


def test_a_server_that_is_not_there():
    async def check(watch, _database):
        for _ in range(2):
            with pytest.raises(ServiceError, match="does not answer"):
                await watch.counter()

    watched("postgresql+psycopg://nobody@127.0.0.1:1/none", check)


def test_event_loops_may_follow_each_other(postgresql_url):
    database = Database(Settings(database=postgresql_url, database_seconds=60.0))
    made: list[LoopWatch] = []

    async def ask() -> int:
        if not made:
            made.append(database.loop_watch(asyncio.to_thread))
        return await made[0].counter()

    async def ask_and_close() -> int:
        try:
            return await ask()
        finally:
            await made[0].close()

    first = asyncio.run(ask())
    write(database)
    assert asyncio.run(ask()) == asyncio.run(ask_and_close()) == first + 1
    database.close()
