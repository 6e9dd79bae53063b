"""``ephyrus service backup``, ``restore`` and ``check``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from ephyrus.cli import console
from ephyrus.cli.failures import FINE, PROBLEMS, Failure
from ephyrus.cli.progress import RichProgress
from ephyrus.cli.service.configured import read_settings
from ephyrus.service.db.engine import Database
from ephyrus.service.files.store import ArrayStore, open_store
from ephyrus.service.upkeep.backup import write_backup
from ephyrus.service.upkeep.check import Report, check_service, remove_orphans
from ephyrus.service.upkeep.restore import RestoreError, read_backup

__all__ = ["backup", "check", "opened", "restore"]

PATIENCE = 2_000_000.0  # seconds that one query may take here
SHOWN = 100  # findings


@contextmanager
def opened(*, patient: bool = False) -> Iterator[tuple[Database, ArrayStore]]:
    """Open the service that the settings name."""
    settings = read_settings()
    if patient:
        settings = settings.model_copy(update={"query_seconds": PATIENCE})
    database = Database(settings)
    try:
        database.upgrade()
        yield database, open_store(settings)
    finally:
        database.close()


def backup(target: str, *, overwrite: bool, quiet: bool) -> int:
    """Write a backup; gives the exit code."""
    compress = target.lower().endswith((".gz", ".tgz"))
    with (
        opened(patient=True) as (database, store),
        _written(target, overwrite=overwrite) as file,
        RichProgress(quiet=quiet) as progress,
    ):
        written = write_backup(database, store, file, compress=compress, progress=progress)
    rows = sum(written.rows.values())
    text = f"{rows:,} rows and {written.files:,} files ({written.bytes:,} bytes) were written"
    if not quiet:
        console.note("info", text)
    for key in written.missing[:SHOWN]:
        console.note("error", f"file {key} is missing in the store: it is not in the backup")
    return PROBLEMS if written.missing else FINE


@contextmanager
def _written(target: str, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Open the file to write: under another name until it is complete."""
    if target == "-":
        if sys.stdout.isatty():
            raise Failure("a backup is not for the eye", "send standard output to a file")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target).expanduser()
    if path.exists() and not overwrite:
        raise Failure(f"{path} is there already", "--overwrite replaces it")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with ExitStack() as stack:
        stack.callback(part.unlink, missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def restore(source: str, *, quiet: bool) -> int:
    """Read a backup; gives the exit code."""
    with ExitStack() as stack:
        if source == "-":
            file: IO[bytes] = sys.stdin.buffer
        else:
            file = stack.enter_context(Path(source).expanduser().open("rb"))
        database, store = stack.enter_context(opened(patient=True))
        progress = stack.enter_context(RichProgress(quiet=quiet))
        try:
            written = read_backup(database, store, file, progress=progress)
        except RestoreError as error:
            raise Failure(f"{source}: {error}") from error
    rows = sum(written.rows.values())
    if not quiet:
        console.note("info", f"{rows:,} rows and {written.files:,} files were restored")
    for key in written.missing[:SHOWN]:
        console.note("error", f"file {key} was missing when the backup was made")
    return PROBLEMS if written.missing else FINE


def check(*, digests: bool, remove_orphans: bool, as_json: bool) -> int:
    """Check a service; gives the exit code."""
    with (
        opened(patient=True) as (database, store),
        RichProgress(quiet=as_json) as progress,
    ):
        report = check_service(database, store, digests=digests, progress=progress)
        removed = _removed(store, report) if remove_orphans else 0
    if as_json:
        console.write_json(
            {
                "files": report.files,
                "bytes": report.bytes,
                "findings": [{"kind": each.kind, "what": each.what} for each in report.findings],
                "orphans": report.orphans,
                "removed": removed,
            }
        )
    else:
        _show(report, removed)
    is_bad = report.findings or len(report.orphans) > removed
    return PROBLEMS if is_bad else FINE


def _removed(store: ArrayStore, report: Report) -> int:
    return remove_orphans(store, report)


def _show(report: Report, removed: int) -> None:
    for finding in report.findings[:SHOWN]:
        console.say(f"{finding.kind}: {console.plain(finding.what)}")
    more = len(report.findings) - SHOWN
    if more > 0:
        console.say(f"and {more:,} more; --json lists them all")
    if removed:
        console.say(f"{removed:,} stored files that nothing refers to were removed")
    elif report.orphans:
        console.say(
            f"{len(report.orphans):,} stored files are left over; --remove-orphans removes them"
        )
    verdict = "all is well" if not report.findings else f"{len(report.findings):,} problems"
    console.say(f"{report.files:,} files, {report.bytes:,} bytes: {verdict}")
