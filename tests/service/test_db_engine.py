"""Connections, the counter of changes, and upgrades."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import ValidationError
from sqlalchemy import insert, select, text

import ephyrus.service.db.migrations as migrations
from ephyrus.service.db.engine import Database, moment
from ephyrus.service.db.schema import CHANGE, META, METADATA
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings


def test_migrations_make_the_tables_that_the_code_has(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    folder = migrations.__path__[0]
    assert ScriptDirectory(folder).get_heads() == [migrations.HEAD]


def test_writing_commits_at_the_end_and_rolls_back_on_an_error(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(insert(META), {"key": "kept", "value": "1"})

    def fail() -> None:
        with database.writing() as connection:
            connection.execute(insert(META), {"key": "lost", "value": "1"})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with database.reading() as connection:
        keys = set(connection.execute(select(META.c.key)).scalars())
    assert keys == {"format", "id_style", "kept"}


def test_changes_grow_with_writing_and_not_with_quiet_writing(database: Database) -> None:
    first = database.changes()
    assert database.changes() == first
    with database.writing() as connection:
        connection.execute(insert(META), {"key": "a", "value": "1"})
        assert database.changes() == first
    assert database.changes() == first + 1
    with database.writing(quiet=True) as connection:
        connection.execute(insert(META), {"key": "b", "value": "1"})
    assert database.changes() == first + 1
    other = Database(database.settings)
    with other.writing():
        pass
    other.close()
    assert database.changes() == first + 2


def test_moments_of_transactions_never_repeat_or_go_back(database: Database) -> None:
    with database.writing() as connection:
        first = moment(connection)
        ahead = 10**6 * 3600
        connection.execute(CHANGE.update().values(last_at=CHANGE.c.last_at + ahead))
    with database.writing() as connection:
        second = moment(connection)
    with database.writing() as connection:
        third = moment(connection)
    assert second - first > timedelta(minutes=59)
    assert third - second == timedelta(microseconds=1)


def test_a_reader_sees_one_state_and_does_not_wait_for_a_writer(database: Database) -> None:
    with database.reading() as reader:
        before = reader.execute(select(CHANGE.c.counter)).scalar_one()
        with database.writing() as writer:
            writer.execute(insert(META), {"key": "new", "value": "1"})
            assert reader.execute(select(CHANGE.c.counter)).scalar_one() == before
        assert reader.execute(select(CHANGE.c.counter)).scalar_one() == before
        assert reader.execute(select(META.c.value).where(META.c.key == "new")).all() == []


def test_who_saw_a_counter_sees_all_that_was_written_up_to_it(database: Database) -> None:
    """Four writers add rows that carry the counter; a reader compares counter and rows."""
    begin = database.changes()
    failures: list[object] = []

    def write(name: str) -> None:
        for index in range(15):
            with database.writing() as connection:
                connection.execute(insert(META), {"key": f"{name}-{index}", "value": "x"})

    writers = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen = database.changes() - begin
        with database.reading() as connection:
            rows = connection.execute(select(META.c.key).where(META.c.value == "x")).all()
        if len(rows) < seen:
            failures.append((seen, len(rows)))
    for writer in writers:
        writer.join()
    assert failures == []
    assert database.changes() - begin == 60


def test_several_processes_may_upgrade_at_once(postgresql_server: str, tmp_path) -> None:
    import psycopg

    plain = postgresql_server.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE DATABASE upgraded_at_once")
    url = postgresql_server.rsplit("/", 1)[0] + "/upgraded_at_once"
    for settings in (Settings(database=url), Settings(data_folder=tmp_path)):
        databases = [Database(settings) for _ in range(4)]
        failures: list[BaseException] = []

        def upgrade(each: Database, failures: list[BaseException] = failures) -> None:
            try:
                each.upgrade()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=upgrade, args=(each,)) for each in databases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert [each.changes() for each in databases] == [1, 1, 1, 1]
        for each in databases:
            each.close()


def test_a_newer_database_is_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServiceError, match="form 9999") as error:
        database.upgrade()
    assert error.value.status == 503


def test_another_style_of_ids_is_refused(database: Database) -> None:
    other = Database(database.settings.model_copy(update={"id_style": "base32"}))
    with pytest.raises(ServiceError, match="style 'int' and is opened with 'base32'"):
        other.upgrade()
    other.close()


def test_another_format_of_content_is_refused(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(META.update().where(META.c.key == "format").values(value="2"))
    with pytest.raises(ServiceError, match="content of format 2"):
        database.upgrade()


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValidationError, match="neither SQLite nor PostgreSQL"):
        Settings(database="mysql://localhost/x")


def test_a_full_disk_is_told(sqlite_database: Database) -> None:
    def fill() -> None:
        with sqlite_database.writing() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no more than there are
            many = [{"key": f"k{number}", "value": "x" * 10_000} for number in range(100)]
            connection.execute(insert(META), many)

    with pytest.raises(ServiceError, match="disk of the database is full") as error:
        fill()
    assert error.value.status == 503
    with sqlite_database.reading() as connection:
        assert connection.execute(select(META.c.key).where(META.c.key == "k0")).all() == []


def test_a_query_that_takes_too_long_is_given_up(database: Database) -> None:
    hasty = Database(database.settings.model_copy(update={"query_seconds": 0.5}))
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) "
        "SELECT count(*) FROM n"
    )
    with (
        pytest.raises(ServiceError, match="takes too long") as error,
        hasty.reading() as connection,
    ):
        connection.execute(text(endless)).scalar()
    assert error.value.status == 503
    with hasty.reading() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    hasty.close()


def test_a_writer_gives_up_when_others_write_for_too_long(database: Database) -> None:
    hasty = Database(database.settings.model_copy(update={"lock_seconds": 0.2}))
    with database.writing():
        with pytest.raises(ServiceError, match="Others are writing") as error, hasty.writing():
            pass
        assert error.value.headers == {"Retry-After": "2"}
    with hasty.writing():
        pass
    hasty.close()


def test_a_database_that_is_away_is_reported(tmp_path) -> None:
    away = Database(Settings(database="postgresql+psycopg://nobody@127.0.0.1:1/none"))
    with pytest.raises(ServiceError, match="does not answer") as error, away.reading():
        pass
    assert error.value.message_type == "unavailable"
    with pytest.raises(ServiceError, match="does not answer"):
        away.changes()
    away.close()


def test_the_watch_comes_back_after_the_connection_was_lost(postgresql_url: str) -> None:
    database = Database(Settings(database=postgresql_url))
    before = database.changes()
    with database.writing(quiet=True) as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    assert database.changes() == before
    with database.reading() as connection:
        assert connection.execute(select(CHANGE.c.counter)).scalar_one() == before
    database.close()
