"""Reading a backup into an empty service."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tarfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, text, update

from ephyrus.errors import EphyrusError
from ephyrus.recording import NullProgress, Progress
from ephyrus.service.db.migrations import HEAD
from ephyrus.service.db.schema import CHANGE, TABLES
from ephyrus.service.upkeep.backup import BLOCK, Written
from ephyrus.service.upkeep.layout import (
    END,
    FORMAT,
    HEAD_NAME,
    from_json,
    kept_tables,
    postponed,
    row_with_keys,
)

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.store import ArrayStore

__all__ = ["RestoreError", "read_backup"]


class RestoreError(EphyrusError):
    """A backup cannot be read, or there is no room for it; nothing was changed."""


def read_backup(
    database: Database,
    store: ArrayStore,
    source: IO[bytes],
    *,
    progress: Progress | None = None,
) -> Written:
    """Read a backup into an empty service.

    All rows are written in one transaction, after the files: a backup that is cut or damaged leaves
    the service as it was.

    Parameters
    ----------
    database : Database
        The catalog, with its tables and without any user or object.
    store : ArrayStore
        Where the files go, under keys of their own.
    source : binary file
        Read from beginning to end; compressed or not.
    progress : Progress, optional
        Told of the bytes of files.

    Raises
    ------
    RestoreError
        If the service is not empty, or the backup is not whole or of another version.
    """
    _check_empty(database)
    keys: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=source, mode="r|*") as archive:
            reader = _Reader(archive)
            _check_head(reader.document(HEAD_NAME), database)
            _read_files(reader, store, keys, progress or NullProgress())
            with database.writing() as connection:
                return _read_tables(reader, connection, keys, is_sqlite=database.is_sqlite)
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError) as error:
        _take_back(store, keys)
        raise RestoreError(f"the backup is cut or damaged: {error}") from error
    except BaseException:
        _take_back(store, keys)
        raise


def _take_back(store: ArrayStore, keys: dict[str, str]) -> None:
    for key in keys.values():
        with contextlib.suppress(OSError):
            store.delete(key)


class _Reader:
    """Reads members one after the other, and sums up all that is in them."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._digest = hashlib.sha256()
        self.member: tarfile.TarInfo | None = archive.next()

    def document(self, name: str) -> Any:
        """Read the JSON document that must come now."""
        if self.member is None or self.member.name != name:
            found = "its end" if self.member is None else self.member.name
            raise RestoreError(f"this is no backup, or a cut one: found {found}, expected {name}")
        if name == END:
            self.sum = self._digest.hexdigest()
        document = json.loads(b"".join(self.blocks()))
        self.advance()
        return document

    def blocks(self) -> Iterator[bytes]:
        """Read the bytes of the member."""
        member = self.member
        assert member is not None  # noqa: S101 - asked for when there is one
        stream = self._archive.extractfile(member)
        if stream is None:
            raise RestoreError(f"{member.name} is no file: this is no backup")
        self._digest.update(member.name.encode())
        left = member.size
        while left:
            data = stream.read(min(BLOCK, left))
            if not data:
                raise RestoreError(f"the backup ends within {member.name}")
            self._digest.update(data)
            left -= len(data)
            yield data

    def advance(self) -> None:
        """Go on to the next member."""
        self.member = self._archive.next()


def _check_empty(database: Database) -> None:
    with database.reading() as connection:
        for table in kept_tables():
            if connection.execute(select(table).limit(1)).first() is not None:
                raise RestoreError(
                    f"the service is not empty: there are rows in table {table.name}; restore into "
                    "a new database (--database, --data-folder)"
                )


def _check_head(head: Any, database: Database) -> None:
    if head["format"] != FORMAT or head["revision"] != HEAD:
        raise RestoreError(
            f"the backup was written by ephyrus {head['version']} (form {head['format']}, tables "
            f"{head['revision']}), and this version has form {FORMAT}, tables {HEAD}; restore it "
            "with that version, and then start this one on the database"
        )
    if head["id_style"] != database.settings.id_style:
        raise RestoreError(
            f"the backup has ids of style {head['id_style']!r} and the service "
            f"{database.settings.id_style!r}: set id_style before the database is made"
        )


def _read_files(
    reader: _Reader, store: ArrayStore, keys: dict[str, str], progress: Progress
) -> None:
    progress.start(None, "B", "arrays")
    try:
        while reader.member is not None and reader.member.name.startswith("files/"):
            with store.create() as new:
                for data in reader.blocks():
                    new.write(data)
                    progress.advance(len(data))
                keys[reader.member.name.removeprefix("files/")] = new.commit()
            reader.advance()
    finally:
        progress.finish()


def _read_tables(
    reader: _Reader, connection: Connection, keys: dict[str, str], *, is_sqlite: bool
) -> Written:
    """Insert all rows, then what refers to later ones, and check that nothing is missing."""
    written = Written(files=len(keys))
    tables = {table.name: table for table in kept_tables()}
    later: list[tuple[Table, list[dict[str, Any]]]] = []
    while reader.member is not None and reader.member.name.startswith("tables/"):
        table = tables[reader.member.name.split("/")[1]]
        names, *rows = b"".join(reader.blocks()).decode().split("\n")
        columns = [table.c[name] for name in json.loads(names)]
        values = [
            row_with_keys(table, _row(columns, json.loads(line)), keys) for line in rows if line
        ]
        written.rows[table.name] = written.rows.get(table.name, 0) + len(values)
        later += _inserted(connection, table, values)
        reader.advance()
    for table, values in later:
        _fill_in(connection, table, values)
    end = reader.document(END)
    counts = {name: count for name, count in end["rows"].items() if count}
    if end["sha256"] != reader.sum or counts != written.rows or end["files"] != len(keys):
        raise RestoreError("the backup is damaged: its content is not what its end says")
    _set_last_ids(connection, end["last_ids"], is_sqlite=is_sqlite)
    _set_time(connection)
    written.missing = end["missing"]
    return written


def _row(columns: list[Any], values: list[Any]) -> dict[str, Any]:
    return {
        column.name: from_json(column, value) for column, value in zip(columns, values, strict=True)
    }


def _inserted(
    connection: Connection, table: Table, rows: list[dict[str, Any]]
) -> list[tuple[Table, list[dict[str, Any]]]]:
    """Insert rows; gives what is to be filled in when all are there."""
    names = postponed(table)
    bare = [{**row, **dict.fromkeys(names)} for row in rows]
    connection.execute(insert(table), bare)
    rest = [row for row in rows if any(row[name] is not None for name in names)]
    wanted = [{key: row[key] for key in ("id", *names)} for row in rest]
    return [(table, wanted)] if wanted else []


def _fill_in(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    names = [name for name in rows[0] if name != "id"]
    statement = (
        update(table)
        .where(table.c.id == bindparam("_id"))
        .values({name: bindparam(f"_{name}") for name in names})
    )
    connection.execute(
        statement, [{f"_{key}": value for key, value in row.items()} for row in rows]
    )


def _set_time(connection: Connection) -> None:
    """Let what is written from now on be later than all that was, whatever the clock says here."""
    found = (
        connection.execute(select(func.max(table.c.last_modified))).scalar()
        for table in TABLES.values()
    )
    last = max((each for each in found if each is not None), default=None)
    if last is not None:
        passed = (last - datetime(1970, 1, 1)) // timedelta(microseconds=1)
        connection.execute(update(CHANGE).where(CHANGE.c.last_at < passed).values(last_at=passed))


def _set_last_ids(connection: Connection, last: dict[str, int], *, is_sqlite: bool) -> None:
    """Let ids go on after the last one that was ever given."""
    for table in kept_tables():
        column = table.autoincrement_column
        if column is None:
            continue
        highest = connection.execute(select(func.max(column))).scalar() or 0
        number = max(last.get(table.name, 0), highest)
        if not number:
            continue
        if not is_sqlite:
            connection.execute(
                select(
                    func.setval(func.pg_get_serial_sequence(f'"{table.name}"', column.name), number)
                )
            )
        elif table.dialect_options["sqlite"]["autoincrement"]:
            names = {"name": table.name, "seq": number}
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), names)
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :seq)"), names)
