"""``ephyrus service import`` and ``ephyrus service unlink``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ephyrus.cli import console
from ephyrus.cli.failures import Failure, Tally
from ephyrus.cli.inputs import How, Source, find_sources, open_source, remarks
from ephyrus.cli.progress import RichProgress
from ephyrus.cli.service.keep import opened
from ephyrus.recording.files import is_url
from ephyrus.service.accounts import users
from ephyrus.service.db.engine import Database
from ephyrus.service.files.store import ArrayStore
from ephyrus.service.inplace.discover import plain_options
from ephyrus.service.upkeep.importing import Imported, import_recording
from ephyrus.service.upkeep.linking import link_recording, unlink_recording

__all__ = ["run", "unlink"]


def run(
    paths: Sequence[str],
    *,
    owner: str,
    safety_level: int,
    recursive: bool,
    format: str | None,
    options: Mapping[str, Any],
    link: bool,
    quiet: bool,
) -> int:
    """Put recordings into a service; gives the exit code."""
    how = How(format, options, access="pread")
    tally = Tally()
    with opened() as (database, store):
        with database.reading() as connection:
            user = users.find(connection, owner)
        if user is None:
            raise Failure(f"there is no user {owner!r}", "'ephyrus service user list' lists them")
        for source in find_sources(paths, tally, recursive=recursive, format=format):
            with tally.attempt(source.path), RichProgress(quiet=quiet) as progress:
                put = _linked if link else _copied
                done = put(
                    database,
                    store,
                    source,
                    how,
                    {"owner_id": user.id, "safety_level": safety_level, "progress": progress},
                    quiet=quiet,
                )
                where = ", ".join(f"/electrophysiology/block/{each}" for each in done.block_ids)
                copied = "" if link else f", {done.bytes:,} bytes"
                path = console.plain(source.path)
                console.say(f"{path}: {where} ({done.objects:,} objects{copied})")
    return tally.code


def _copied(
    database: Database,
    store: ArrayStore,
    source: Source,
    how: How,
    facts: dict[str, Any],
    *,
    quiet: bool,
) -> Imported:
    with open_source(source.path, how, facts["progress"]) as recording:
        remarks(recording, quiet=quiet)
        name = source.within.as_posix()
        return import_recording(database, store, recording, name=name, **facts)


def _linked(
    database: Database,
    store: ArrayStore,
    source: Source,
    how: How,
    facts: dict[str, Any],
    *,
    quiet: bool,
) -> Imported:
    if is_url(source.path):
        raise Failure(f"{source.path}: only local files are shown where they lie")
    with open_source(source.path, how, facts["progress"]) as recording:
        remarks(recording, quiet=quiet)
        declared = recording.format
        options = plain_options(declared, recording.options)
    name = source.within.as_posix()
    return link_recording(database, store, source.path, declared.name, options, name=name, **facts)


def unlink(paths: Sequence[str]) -> int:
    """Take recordings out of a service that are shown where they lie; gives the exit code."""
    tally = Tally()
    with opened() as (database, store):
        for path in paths:
            with tally.attempt(path):
                if not unlink_recording(database, store, path):
                    raise Failure(f"{path}: is not shown by this service")
                console.say(f"{console.plain(path)}: not shown any more")
    return tally.code
