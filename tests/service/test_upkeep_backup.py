"""Backups: what is written is read back, into either database, and damage is noticed."""

from __future__ import annotations

import io
import json
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from ephyrus.recording.blocks import from_blocks
from ephyrus.service.accounts import users
from ephyrus.service.catalog import selections
from ephyrus.service.catalog.bulk import NewObject, insert_tree
from ephyrus.service.db.engine import Database
from ephyrus.service.db.schema import ARRAYS, JOBS, SELECTIONS, TABLES
from ephyrus.service.files.store import FolderStore
from ephyrus.service.principals import Principal
from ephyrus.service.settings import Settings
from ephyrus.service.upkeep.backup import write_backup
from ephyrus.service.upkeep.check import check_service, remove_orphans
from ephyrus.service.upkeep.importing import import_recording
from ephyrus.service.upkeep.layout import kept_tables
from ephyrus.service.upkeep.restore import RestoreError, read_backup
from tests.synth.held import held_recording
from tests.synth.objects import block_of, signal_of


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path / "arrays")


@pytest.fixture
def filled(database, store) -> Database:
    """A service with a user and an imported recording."""
    with database.writing() as connection:
        user = users.create(connection, "ada", full_name="Ada", is_admin=True)
    with held_recording() as recording:
        import_recording(database, store, recording, owner_id=user.id, safety_level=2)
    with database.writing() as connection:  # a section within one that has a higher id
        ids = insert_tree(
            connection,
            user.id,
            [
                NewObject("section", "above", attributes={"name": "above"}),
                NewObject(
                    "section",
                    "below",
                    attributes={"name": "below"},
                    parents={"parent_section": "above"},
                ),
            ],
        )
        table = TABLES["section"]
        first = connection.execute(select(table.c.id).order_by(table.c.id)).scalar()
        connection.execute(
            table.update().where(table.c.id == first).values(parent_section_id=ids["below"])
        )
        save(connection, user.id, shared_with={"ada": 1})
    return database


def save(connection, user_id, **more) -> int:
    """Save a selection."""
    values = {"name": "mine", "query": "name=x", **more}
    who = Principal(user_id, "ada")
    return selections.create(connection, user_id, "block", values, who).id


def rows_of(database: Database) -> dict[str, list[Any]]:
    """All rows, without the keys of files."""
    found = {}
    with database.reading() as connection:
        for table in kept_tables():
            order = list(table.primary_key.columns)
            rows = [
                dict(row._mapping) for row in connection.execute(select(table).order_by(*order))
            ]
            for row in rows:
                if table is ARRAYS:
                    row["location"] = {**row["location"], "key": ""}
            found[table.name] = rows
    return found


def contents(database: Database, store: FolderStore) -> dict[int, bytes]:
    """The bytes of all arrays."""
    found = {}
    with database.reading() as connection:
        for row in connection.execute(select(ARRAYS)):
            source = store.source(row.location["key"])
            found[row.datafile_id] = source.read_at(0, source.size)
            source.close()
    return found


def backup_of(database: Database, store: FolderStore, **options: Any) -> bytes:
    target = io.BytesIO()
    write_backup(database, store, target, **options)
    return target.getvalue()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request) -> Any:
    if request.param == "sqlite":
        settings = Settings(data_folder=request.getfixturevalue("new_sqlite")())
    else:
        settings = Settings(database=request.getfixturevalue("new_postgresql")())
    database = Database(settings)
    yield database
    database.close()


def test_imported_arrays_are_those_of_the_recording(filled, store):
    with filled.reading() as connection:
        table = TABLES["analogsignalarray"]
        row = connection.execute(select(table).order_by(table.c.id)).first()
        place = connection.execute(
            select(ARRAYS).where(ARRAYS.c.datafile_id == row.signal_id)
        ).one()
        datafile = TABLES["datafile"]
        facts = connection.execute(select(datafile).where(datafile.c.id == row.signal_id)).one()
    with held_recording() as recording:
        expected = recording.read_scaled(0)
    source = store.source(place.location["key"])
    found = source.array(place.location["offset"], place.dtype, expected.size)
    np.testing.assert_array_equal(found.reshape(place.shape), expected)
    assert (row.safety_level, facts.safety_level, facts.file_type) == (2, 2, 5)
    assert facts.size == source.size


def test_everything_comes_back(filled, empty, store, tmp_path):
    target = io.BytesIO()
    written = write_backup(filled, store, target, compress=True)
    assert written.missing == []
    target.seek(0)
    other = FolderStore(tmp_path / "other")
    restored = read_backup(empty, other, target)
    assert rows_of(empty) == rows_of(filled)
    assert contents(empty, other) == contents(filled, store)
    assert restored.rows == {name: count for name, count in written.rows.items() if count}
    assert restored.files == written.files == len(list(other.keys()))
    report = check_service(empty, other, digests=True)
    assert (report.findings, report.orphans) == ([], [])
    with filled.writing() as one, empty.writing() as two:  # ids go on where they were
        ids = [
            insert_tree(each, 1, [NewObject("block", "b", attributes={"name": "next"})])["b"]
            for each in (one, two)
        ]
    assert ids[0] == ids[1]


def test_a_service_that_holds_anything_is_left_alone(filled, store):
    data = backup_of(filled, store)
    before = rows_of(filled)
    with pytest.raises(RestoreError, match="not empty"):
        read_backup(filled, store, io.BytesIO(data))
    assert rows_of(filled) == before


def changed(data: bytes, name: str, change: Any) -> bytes:
    """A backup with another member."""
    target = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as old,
        tarfile.open(fileobj=target, mode="w") as new,
    ):
        for member in old:
            content = old.extractfile(member).read()
            if member.name == name:
                content = change(content)
                member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return target.getvalue()


def other_version(content: bytes) -> bytes:
    return json.dumps({**json.loads(content), "revision": "0000"}).encode()


DAMAGE = {
    "cut": (lambda data: data[: len(data) // 2], "ends within|cut"),
    "cut between": (lambda data: data[: data.rindex(b"end.json")], "cut"),
    "nothing": (lambda data: b"", "cut|no backup"),
    "no tar": (lambda data: b"x" * 5000, "cut or damaged"),
    "other version": (
        lambda data: changed(data, "ephyrus-backup.json", other_version),
        "restore it with that version",
    ),
    "other content": (
        lambda data: changed(
            data, "tables/user/000000.jsonl", lambda content: content.replace(b"Ada", b"Eve")
        ),
        "content is not what its end says",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_backup_leaves_nothing(sqlite_database, new_sqlite, store, tmp_path, damage):
    with sqlite_database.writing() as connection:
        user = users.create(connection, "ada", full_name="Ada")
    with held_recording() as recording:
        import_recording(sqlite_database, store, recording, owner_id=user.id)
    change, message = DAMAGE[damage]
    data = change(backup_of(sqlite_database, store))
    empty = Database(Settings(data_folder=new_sqlite()))
    other = FolderStore(tmp_path / "other")
    before = rows_of(empty)
    with pytest.raises(RestoreError, match=message):
        read_backup(empty, other, io.BytesIO(data))
    assert rows_of(empty) == before
    assert list(other.keys()) == []
    empty.close()


def test_a_file_that_is_missing_is_named(sqlite_database, new_sqlite, store, tmp_path):
    with sqlite_database.writing() as connection:
        user = users.create(connection, "ada")
    with held_recording() as recording:
        import_recording(sqlite_database, store, recording, owner_id=user.id)
    lost, short, other = list(store.keys())[:3]
    store.delete(lost)
    path = store.local_path(short)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    path = store.local_path(other)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    findings = check_service(sqlite_database, store, digests=True).findings
    found = {
        next(key for key in (lost, short, other) if key in each.what): each.kind
        for each in findings
    }
    assert found == {lost: "missing", short: "short", other: "changed"}
    assert len(check_service(sqlite_database, store).findings) == 2
    target = io.BytesIO()
    assert write_backup(sqlite_database, store, target).missing == [lost]
    empty = Database(Settings(data_folder=new_sqlite()))
    target.seek(0)
    assert read_backup(empty, FolderStore(tmp_path / "other"), target).missing == [lost]
    empty.close()


def test_selections_that_are_no_longer_understood(sqlite_database, store):
    with sqlite_database.writing() as connection:
        user = users.create(connection, "ada")
        number = save(connection, user.id)
    assert check_service(sqlite_database, store).findings == []
    with sqlite_database.writing() as connection:
        connection.execute(SELECTIONS.update().values(query="gone=x"))
    (finding,) = check_service(sqlite_database, store).findings
    assert (finding.kind, finding.what) == (
        "selection",
        f"The selection {number} (mine) is no longer understood, change its query: The filter "
        "'gone' names 'gone', which a block does not have.",
    )


def test_left_over_files(sqlite_database, store, monkeypatch):
    with store.create() as new:
        new.write(b"nobody's")
        key = new.commit()
    assert check_service(sqlite_database, store).orphans == []  # it may be an upload under way
    monkeypatch.setattr("ephyrus.service.upkeep.check.ORPHAN_AGE", 0.0)
    report = check_service(sqlite_database, store)
    assert report.orphans == [key]
    assert remove_orphans(store, report) == 1
    assert check_service(sqlite_database, store).orphans == []


def test_a_damaged_database(sqlite_database, store):
    sqlite_database.close()
    with sqlite3.connect(sqlite_database.settings.data_folder / "catalog.sqlite") as connection:
        connection.execute(
            "INSERT INTO array (datafile_id, dtype, shape, location) VALUES (77, '<f4', '[1]', ?)",
            ['{"kind": "recorded"}'],
        )
    connection.close()
    findings = check_service(sqlite_database, store).findings
    assert [finding.kind for finding in findings] == ["database"]
    assert "datafile" in findings[0].what


def test_overviews_of_long_signals_are_built_later(sqlite_database, store):
    with sqlite_database.writing() as connection:
        user = users.create(connection, "ada")
    long = signal_of(np.zeros((200_000, 1), np.float32), name="long")
    recording = from_blocks(block_of(long, signal_of(np.zeros((10, 1)), name="short")))
    import_recording(sqlite_database, store, recording, owner_id=user.id)
    with sqlite_database.reading() as connection:
        (job,) = connection.execute(select(JOBS)).all()
        array = connection.execute(
            select(ARRAYS).where(ARRAYS.c.datafile_id == job.payload["datafile"])
        ).one()
    assert (job.kind, array.shape) == ("levels", [200_000])


def test_an_import_that_fails_leaves_nothing(sqlite_database, store, monkeypatch):
    with sqlite_database.writing() as connection:
        user = users.create(connection, "ada")
    before = rows_of(sqlite_database)

    def fail(*arguments: Any, **keywords: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ephyrus.service.upkeep.importing.insert_arriving", fail)
    with held_recording() as recording, pytest.raises(OSError, match="No space"):
        import_recording(sqlite_database, store, recording, owner_id=user.id)
    assert rows_of(sqlite_database) == before
    assert list(store.keys()) == []
    assert list(Path(store.unfinished).iterdir()) == []
