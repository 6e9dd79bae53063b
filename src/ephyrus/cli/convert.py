"""``ephyrus convert``: a recording of any size, in another format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ephyrus._shared.words import counted
from ephyrus.cli import console, words
from ephyrus.cli.failures import Failure, Tally
from ephyrus.cli.inputs import How, find_sources, open_source, recording_files, remarks
from ephyrus.cli.progress import RichProgress
from ephyrus.cli.targets import (
    Job,
    check_free,
    made_folder,
    planned,
    target_format,
    write_options,
)
from ephyrus.errors import FormatError, NeoReadWriteError
from ephyrus.export import WriteReport, writer
from ephyrus.recording import Format, Progress, Recording

if TYPE_CHECKING:
    from ephyrus.core import Block, Segment

__all__ = ["Job", "run"]


def run(paths: Sequence[str], how: How, job: Job, *, recursive: bool, quiet: bool) -> int:
    """Convert recordings; gives the exit code."""
    declared = target_format(job) if job.to is not None or len(paths) == 1 else None
    tally = Tally(salvage=how.salvage)
    found = find_sources(paths, tally, recursive=recursive, format=how.format)
    sources = [source for source in found if not _was_written(source.path, paths, job)]
    if not sources:
        return tally.code
    are_many = len(paths) > 1 or Path(sources[0].path) != Path(paths[0])
    declared = declared or target_format(job)
    options = write_options(declared, job)
    plan = planned(sources, job, declared, are_many=are_many)
    with RichProgress(quiet=quiet) as progress:
        for source, target in plan:
            with (
                tally.attempt(source.path),
                open_source(source.path, how, progress) as recording,
            ):
                remarks(recording, quiet=quiet)
                files = recording_files(recording)
                check_free(target, declared, files, overwrite=job.overwrite)
                report = _written(recording, job, declared, target, options, progress)
                progress.finish()
                _show(recording, declared, report, quiet=quiet)
    return tally.code


def _was_written(path: str, paths: Sequence[str], job: Job) -> bool:
    """Tell whether a recording found in a folder lies in the target, a folder within that one."""
    target = Path(job.target).expanduser().resolve()
    if path in paths or not target.is_dir():
        return False
    roots = [Path(each).expanduser().resolve() for each in paths]
    is_within = any(root in target.parents for root in roots)
    return is_within and target in Path(path).resolve().parents


def _written(
    recording: Recording,
    job: Job,
    declared: Format,
    target: Path,
    options: Mapping[str, Any],
    progress: Progress,
) -> WriteReport:
    """Write a recording to a file."""
    blocks = _blocks(recording, job)
    write = writer(declared.name)
    try:
        with made_folder(target.parent):
            return write(blocks, target, options, progress=progress)
    except FormatError:
        raise
    except (NeoReadWriteError, ValueError) as error:
        hint = _choice(blocks)
        if hint is None and isinstance(error, ValueError) and declared.write_options:
            hint = f"'ephyrus formats {declared.name}' explains --write-option"
        raise Failure(f"{recording.path}: {error}", hint) from error


def _choice(blocks: Sequence[Block]) -> str | None:
    """Advise to choose, where there is something to choose from."""
    if len(blocks) > 1:
        return f"--block 0 to --block {len(blocks) - 1} writes one of them"
    segments = len(blocks[0].segments)
    return f"--segment 0 to --segment {segments - 1} writes one of them" if segments > 1 else None


def _blocks(recording: Recording, job: Job) -> list[Block]:
    """Give what is to be written; its data are loaded piece by piece later on."""
    blocks = recording.tree(lazy=True)
    if job.block is not None:
        blocks = [_item(blocks, job.block, "block", recording.path)]
    if job.segment is None:
        return blocks
    if len(blocks) > 1:
        raise Failure(
            f"{recording.path}: segment {job.segment} of which of {len(blocks)} blocks?",
            f"add --block 0 to --block {len(blocks) - 1}",
        )
    segment = _item(blocks[0].segments, job.segment, "segment", recording.path)
    return [_alone(blocks[0], segment)]


def _item(items: Sequence[Any], number: int, what: str, path: str) -> Any:
    if number >= len(items):
        raise Failure(
            f"{path}: there is no {what} {number}",
            f"it has {counted(len(items), what)}, counted from 0",
        )
    return items[number]


def _alone(block: Block, segment: Segment) -> Block:
    """Make a block with one segment of another one."""
    from ephyrus.core import Block

    alone = Block(
        name=block.name,
        description=block.description,
        file_origin=block.file_origin,
        rec_datetime=segment.rec_datetime or block.rec_datetime,
        **block.annotations,
    )
    alone.segments.append(segment)
    return alone


def _show(recording: Recording, declared: Format, report: WriteReport, *, quiet: bool) -> None:
    """Say what was written, and what was left out."""
    if not quiet:
        size = sum(path.stat().st_size for path in report.paths)
        names = ", ".join(str(path) for path in report.paths)
        console.say(
            Text.assemble(
                console.plain(recording.path),
                (" → ", "bold"),
                (console.plain(names), "green"),
                (f"  {declared.name}, {words.size(size)}", "dim"),
            )
        )
    for loss in report.losses:
        console.note("note", f"{report.paths[0]}: {loss}")
