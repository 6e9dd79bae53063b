"""``ephyrus service import``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ephyrus.cli import console
from ephyrus.cli.failures import Failure, Tally
from ephyrus.cli.inputs import How, find_sources, open_source, remarks
from ephyrus.cli.progress import RichProgress
from ephyrus.cli.service.keep import opened
from ephyrus.service.accounts import users
from ephyrus.service.upkeep.importing import import_recording

__all__ = ["run"]


def run(
    paths: Sequence[str],
    *,
    owner: str,
    safety_level: int,
    recursive: bool,
    format: str | None,
    options: Mapping[str, Any],
    quiet: bool,
) -> int:
    """Copy recordings into a service; gives the exit code."""
    how = How(format, options, access="pread")
    tally = Tally()
    with opened() as (database, store):
        with database.reading() as connection:
            user = users.find(connection, owner)
        if user is None:
            raise Failure(f"there is no user {owner!r}", "'ephyrus service user list' lists them")
        for source in find_sources(paths, tally, recursive=recursive, format=format):
            with tally.attempt(source.path), RichProgress(quiet=quiet) as progress:
                with open_source(source.path, how, progress) as recording:
                    remarks(recording, quiet=quiet)
                    done = import_recording(
                        database,
                        store,
                        recording,
                        owner_id=user.id,
                        name=source.within.as_posix(),
                        safety_level=safety_level,
                        progress=progress,
                    )
                where = ", ".join(f"/electrophysiology/block/{each}" for each in done.block_ids)
                console.say(
                    f"{console.plain(source.path)}: {where} "
                    f"({done.objects:,} objects, {done.bytes:,} bytes)"
                )
    return tally.code
