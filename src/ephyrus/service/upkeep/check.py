"""Comparing the database with the store of arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, select, text

from ephyrus.recording import NullProgress, Progress
from ephyrus.service.arrays.pieces import pieces_of
from ephyrus.service.catalog.selected import stale
from ephyrus.service.db.schema import ARRAYS, DISCARDED, RECORDINGS, TABLES
from ephyrus.service.inplace.files import State, is_unchanged

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.store import ArrayStore

__all__ = ["Finding", "Report", "check_service", "remove_orphans"]

ROWS = 2000
BLOCK = 2**20
ORPHAN_AGE = 3600.0  # seconds: younger files may belong to an upload that is under way
SHA1_LETTERS = 40


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Attributes
    ----------
    kind : {"database", "missing", "short", "changed", "recording", "selection"}
        The database is damaged; a file is not there, is too short, has other content than when it
        was written; a recording that is served in place changed or is gone; a saved selection is
        no longer understood.
    what : str
        The object, and what is the matter.
    """

    kind: str
    what: str


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes
    ----------
    findings : list of Finding
        What is wrong.
    orphans : list of str
        Keys of stored files that nothing refers to: they take room and do no harm.
    files : int
        Files that were looked at.
    bytes : int
        Their bytes.
    """

    findings: list[Finding] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Expected:
    """A file that must be there; others may share it, behind `size`."""

    key: str
    what: str
    size: int | None
    offset: int = 0
    digest: str = ""
    is_shared: bool = False


def check_service(
    database: Database,
    store: ArrayStore,
    *,
    digests: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Look for what is missing, short, changed or left over.

    Parameters
    ----------
    database : Database
        The catalog.
    store : ArrayStore
        The arrays.
    digests : bool
        Read all arrays and compare their checksums.
    progress : Progress, optional
        Told of files.
    """
    told, report = progress or NullProgress(), Report()
    # Files come before the rows that name them: what is in neither list is left over.
    there = set(store.keys(older_than=ORPHAN_AGE))
    named: set[str] = set()
    with database.reading() as connection:
        _check_database(connection, report, is_sqlite=database.is_sqlite)
        told.start(None, "files", "checking")
        try:
            for expected in _expected(connection):
                named.add(expected.key)
                _check_file(store, expected, report, digests=digests)
                told.advance(1)
        finally:
            told.finish()
        _check_recordings(connection, report)
        report.findings += [Finding("selection", text) for text in stale(connection)]
        # what was replaced a short while ago is removed by itself
        named.update(connection.execute(select(DISCARDED.c.key)).scalars())
    report.orphans = sorted(there - named)
    return report


def remove_orphans(store: ArrayStore, report: Report) -> int:
    """Remove stored files that nothing refers to; gives how many."""
    for key in report.orphans:
        store.delete(key)
    return len(report.orphans)


def _check_database(connection: Connection, report: Report, *, is_sqlite: bool) -> None:
    if not is_sqlite:
        return
    for row in connection.execute(text("PRAGMA integrity_check")):
        if row[0] != "ok":
            report.findings.append(Finding("database", str(row[0])))
    for row in connection.execute(text("PRAGMA foreign_key_check")):
        report.findings.append(
            Finding("database", f"row {row[1]} of {row[0]} refers to one of {row[2]} that is gone")
        )


def _expected(connection: Connection) -> Iterator[_Expected]:
    """Give the files that the database names."""
    datafile = TABLES["datafile"]
    joined = ARRAYS.join(datafile, datafile.c.id == ARRAYS.c.datafile_id)
    statement = select(ARRAYS, datafile.c.content, datafile.c.store_key).select_from(joined)
    for row in connection.execution_options(yield_per=ROWS).execute(statement):
        yield from _array_files(row)
    statement = select(datafile.c.id, datafile.c.store_key, datafile.c.size).where(
        datafile.c.store_key.is_not(None)
    )
    for found in connection.execution_options(yield_per=ROWS).execute(statement):
        yield _Expected(found.store_key, f"upload of datafile {found.id}", found.size)


def _array_files(row: Any) -> Iterator[_Expected]:
    what = f"array of datafile {row.datafile_id}"
    if row.location["kind"] != "recorded":
        width = prod(row.shape[1:]) * np.dtype(row.dtype).itemsize
        for piece in pieces_of(row.location, row.shape[0]):
            size = piece.offset + piece.rows * width
            digest = piece.digest or _digest_of(row)
            is_shared = bool(row.location.get("packed")) or (
                piece.key in row.location.get("shared", ())
            )
            yield _Expected(piece.key, what, size, piece.offset, digest, is_shared)
    if row.levels_key:
        yield _Expected(row.levels_key, f"levels of datafile {row.datafile_id}", None)


def _digest_of(row: Any) -> str:
    """Give the checksum of an array in one piece, where that of the datafile is one of the rows."""
    content = row.content or ""
    is_of_rows = row.location["kind"] == "stored" and row.store_key is None
    return content if is_of_rows and len(content) == SHA1_LETTERS else ""


def _check_file(store: ArrayStore, wanted: _Expected, report: Report, *, digests: bool) -> None:
    try:
        size = store.size(wanted.key)
    except FileNotFoundError:
        report.findings.append(Finding("missing", f"{wanted.what}: there is no file {wanted.key}"))
        return
    report.files += 1
    report.bytes += size
    least = wanted.size
    if least is not None and size != least and not (wanted.is_shared and size > least):
        text = f"{wanted.what}: file {wanted.key} has {size:,} bytes, expected {least:,}"
        report.findings.append(Finding("short" if size < least else "changed", text))
    elif digests and wanted.digest and _digest(store, wanted) != wanted.digest:
        text = f"{wanted.what}: file {wanted.key} has other content than was written"
        report.findings.append(Finding("changed", text))


def _digest(store: ArrayStore, wanted: _Expected) -> str:
    """Give the checksum of the values in a file."""
    summed = hashlib.sha1(usedforsecurity=False)
    source = store.source(wanted.key)
    try:
        end = source.size if wanted.size is None else wanted.size
        for place in range(wanted.offset, end, BLOCK):
            summed.update(source.read_at(place, min(BLOCK, end - place)))
    finally:
        source.close()
    return summed.hexdigest()


def _check_recordings(connection: Connection, report: Report) -> None:
    """Look whether recordings that are served in place are as they were."""
    statement = select(RECORDINGS).where(RECORDINGS.c.state == "ready")
    for row in connection.execute(statement):
        if not is_unchanged(row.files or [row.path], State(row.size, row.modified_ns)):
            report.findings.append(Finding("recording", f"{row.path} changed, or is gone"))
