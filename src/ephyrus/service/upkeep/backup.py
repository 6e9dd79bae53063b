"""Writing a backup: one state of the database, and the files that it refers to."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, func, select, text

from ephyrus._version import __version__
from ephyrus.recording import NullProgress, Progress
from ephyrus.service.db.migrations import HEAD
from ephyrus.service.db.schema import ARRAYS, TABLES
from ephyrus.service.upkeep.layout import (
    END,
    FORMAT,
    HEAD_NAME,
    as_json,
    kept_tables,
    keys_of_row,
)

if TYPE_CHECKING:
    from ephyrus.recording import ByteSource
    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.store import ArrayStore

__all__ = ["Written", "write_backup"]

ROWS = 2000  # of one batch
BLOCK = 2**20  # bytes that are copied at a time


@dataclass(slots=True)
class Written:
    """What a backup holds.

    Attributes
    ----------
    rows : dict of str to int
        Rows by table.
    files : int
        Files of the array store.
    bytes : int
        Their bytes.
    missing : list of str
        Keys of files that the database names and the store does not have.
    """

    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)


def write_backup(
    database: Database,
    store: ArrayStore,
    target: IO[bytes],
    *,
    compress: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Write a backup while the service goes on.

    Parameters
    ----------
    database : Database
        The catalog; all of it is read in one snapshot.
    store : ArrayStore
        The arrays.
    target : binary file
        Written from beginning to end.
    compress : bool
        Compress it (gzip).
    progress : Progress, optional
        Told of the bytes of files.

    Returns
    -------
    Written
        What was written; files that are missing in the store are named, not hidden.
    """
    told, written = progress or NullProgress(), Written()
    with (
        database.reading() as connection,
        tarfile.open(fileobj=target, mode="w|gz" if compress else "w|") as archive,
    ):
        into = _Members(archive)
        into.add_json(
            HEAD_NAME,
            {
                "format": FORMAT,
                "version": __version__,
                "revision": HEAD,
                "id_style": database.settings.id_style,
                "created": datetime.now(UTC).isoformat(),
            },
        )
        told.start(None, "B", "arrays")
        try:
            for key in _keys(connection):
                _add_file(into, store, key, written, told)
        finally:
            told.finish()
        for table in kept_tables():
            written.rows[table.name] = _add_table(into, connection, table)
        into.add_json(
            END,
            {
                "rows": written.rows,
                "files": written.files,
                "missing": written.missing,
                "last_ids": _last_ids(connection, is_sqlite=database.is_sqlite),
                "sha256": into.digest.hexdigest(),
            },
        )
    return written


class _Members:
    """Adds members to an archive, and sums up all that is in them."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.digest = hashlib.sha256()

    def add_json(self, name: str, value: Any) -> None:
        """Add a JSON document."""
        self.add(name, json.dumps(value, ensure_ascii=False).encode())

    def add(self, name: str, data: bytes) -> None:
        """Add bytes."""
        self.add_stream(name, len(data), io.BytesIO(data))

    def add_stream(self, name: str, size: int, stream: Any) -> None:
        """Add what a stream gives."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, int(time.time())
        self.digest.update(name.encode())
        self._archive.addfile(info, _Summed(stream, self.digest))


class _Summed:
    """A stream that is summed up while it is read."""

    def __init__(self, stream: Any, digest: Any) -> None:
        self._stream, self._digest = stream, digest

    def read(self, count: int = -1, /) -> bytes:
        """Read bytes."""
        data: bytes = self._stream.read(count)
        self._digest.update(data)
        return data


class _SourceStream:
    """A file of the store, read from its beginning to its end."""

    def __init__(self, source: ByteSource, progress: Progress) -> None:
        self._source, self._progress, self._place = source, progress, 0

    def read(self, count: int = -1, /) -> bytes:
        """Read bytes."""
        left = self._source.size - self._place
        count = left if count < 0 else min(count, left)
        data = self._source.read_at(self._place, count)
        self._place += count
        self._progress.advance(count)
        return data


def _keys(connection: Connection) -> Iterator[str]:
    """Give the keys of all files that the database names, each once."""
    seen: set[str] = set()
    datafile = TABLES["datafile"]
    for table, statement in (
        (ARRAYS, select(ARRAYS.c.location, ARRAYS.c.levels_key).order_by(ARRAYS.c.datafile_id)),
        (datafile, select(datafile.c.store_key).where(datafile.c.store_key.is_not(None))),
    ):
        rows = connection.execution_options(yield_per=ROWS).execute(statement).mappings()
        for row in rows:
            for key in keys_of_row(table, dict(row)):
                if key not in seen:
                    seen.add(key)
                    yield key


def _add_file(
    into: _Members, store: ArrayStore, key: str, written: Written, progress: Progress
) -> None:
    try:
        source = store.source(key)
    except FileNotFoundError:
        written.missing.append(key)
        return
    try:
        into.add_stream(f"files/{key}", source.size, _SourceStream(source, progress))
        written.files += 1
        written.bytes += source.size
    finally:
        source.close()


def _add_table(into: _Members, connection: Connection, table: Table) -> int:
    """Add the rows of a table in batches; gives how many."""
    names = [column.name for column in table.columns]
    order = list(table.primary_key.columns)
    result = connection.execution_options(yield_per=ROWS).execute(select(table).order_by(*order))
    count = 0
    for number, batch in enumerate(result.partitions()):
        lines = [json.dumps(names)]
        lines += [json.dumps([as_json(value) for value in row]) for row in batch]
        count += len(batch)
        into.add(f"tables/{table.name}/{number:06}.jsonl", "\n".join(lines).encode())
    return count


def _last_ids(connection: Connection, *, is_sqlite: bool) -> dict[str, int]:
    """Give the last id that each table gave away, so that none is given twice after a restore."""
    if is_sqlite:
        rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence")).all()
        return {str(name): int(seq) for name, seq in rows}
    found = {}
    for table in kept_tables():
        column = table.autoincrement_column
        if column is None:
            continue
        sequence = connection.execute(
            select(func.pg_get_serial_sequence(f'"{table.name}"', column.name))
        ).scalar()
        if sequence is not None:
            row = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()  # noqa: S608 - the database's own name
            found[table.name] = int(row[0]) if row[1] else 0
    return found
