"""``ephyrus check``: every check of the header, the full walk, and all the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from ephyrus._shared.words import counted
from ephyrus.cli import console, words
from ephyrus.cli.failures import Tally, error_entry, explained
from ephyrus.cli.inputs import How, Source, find_sources, open_source
from ephyrus.cli.progress import RichProgress
from ephyrus.errors import FormatError, WrongFormatError
from ephyrus.recording import (
    Problem,
    Progress,
    Recording,
    SignalStream,
    TableStream,
    pieces,
    under_way,
)

__all__ = ["Report", "check_order", "run"]

PIECE_BYTES = 8 * 2**20
PAGE_BYTES = 4096


@dataclass(slots=True)
class Report:
    """What was found in one recording.

    Attributes
    ----------
    path : str
        The recording.
    format : str
        Name of its format.
    contents : str
        What it holds, in words.
    nbytes : int
        Bytes of data that were read.
    problems : list of Problem
        What is wrong with it.
    error : FormatError or None
        Why it is refused where damage is not to be salvaged.
    """

    path: str
    format: str = ""
    contents: str = ""
    nbytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    error: FormatError | None = None

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong with it."""
        return not self.problems and self.error is None


def run(paths: Sequence[str], how: How, *, recursive: bool, as_json: bool, quiet: bool) -> int:
    """Check recordings; gives the exit code."""
    tally = Tally(salvage=True)
    reports = []
    with RichProgress(quiet=quiet) as progress:
        sources = find_sources(paths, tally, recursive=recursive, format=how.format, lost=True)
        for source in sources:
            with tally.attempt(source.path):
                report = _checked(source, how, progress)
                reports.append(report)
                tally.problems += not report.is_sound
                if not as_json:
                    _show(report)
    if as_json:
        unreadable = tally.entries(format=None, status="unreadable", bytes_read=0, problems=[])
        console.write_json([_entry(report) for report in reports] + unreadable)
    elif len(reports) + tally.failed > 1 and not quiet:
        _show_sum(reports, tally)
    return tally.code


def _checked(source: Source, how: How, progress: Progress) -> Report:
    """Check one recording; one that is refused is looked into again, salvaging what is sound."""
    try:
        return _walked(open_source(source.path, how, progress), progress)
    except WrongFormatError:
        raise
    except FormatError as error:
        if how.salvage:
            raise
        refused = error
    report = _walked(open_source(source.path, replace(how, salvage=True), progress), progress)
    report.error = refused
    report.problems = [problem for problem in report.problems if not _same(problem, refused)]
    return report


def _same(problem: Problem, error: FormatError) -> bool:
    place = error.path, error.offset, error.field, error.reason
    return not problem.lost and place == (
        problem.path,
        problem.offset,
        problem.field,
        problem.reason,
    )


def _walked(recording: Recording, progress: Progress) -> Report:
    """Read all data of an open recording, and close it."""
    with recording:
        signals = (*recording.signals, *recording.stimuli)
        total = sum(stream.length * stream.item_bytes for stream in signals)
        total += sum(table.length * table.item_bytes for table in recording.tables)
        report = Report(
            recording.path,
            recording.format.name,
            _contents(recording),
            problems=list(recording.problems),
        )
        try:
            with under_way(progress, total, "B", recording.path):
                for stream in recording.signals:
                    report.nbytes += _read_signal(recording, stream, report, progress)
                for stream in recording.stimuli:  # most are computed: no bytes of the file
                    _read_signal(recording, stream, report, progress)
                for table in recording.tables:
                    _read_table(recording, table, report, progress)
        except FormatError as error:
            report.error = error
    return report


def _read_signal(
    recording: Recording, stream: SignalStream, report: Report, progress: Progress
) -> int:
    """Read a signal piece by piece; gives the bytes of its samples."""
    nbytes = 0
    for start, stop in pieces(0, stream.length, stream.item_bytes, PIECE_BYTES):
        values = recording.read_signal(stream, start, stop)
        wanted = stop - start, *stream.item_shape
        if values.shape != wanted:
            _found(
                report, stream.name, f"samples {start:,} to {stop:,}: {values.shape}, not {wanted}"
            )
        _touch(values)
        nbytes += values.nbytes
        progress.advance(values.nbytes)
    return nbytes


def _touch(values: NDArray[Any]) -> None:
    """Bring every page of a mapped piece into memory, so that a failing disk shows."""
    if values.dtype.kind != "O" and values.size:
        values.reshape(-1)[:: max(1, PAGE_BYTES // values.dtype.itemsize)].copy()


def _read_table(
    recording: Recording, table: TableStream, report: Report, progress: Progress
) -> None:
    for run in table.runs:
        first, last = int(run["first"]), int(run["first"] + run["count"])
        latest = None
        for start, stop in pieces(first, last, table.item_bytes, PIECE_BYTES):
            found = recording.read_table(table, start, stop, list(table.columns))
            short = [name for name, column in found.items() if len(column) != stop - start]
            if short:
                _found(report, table.name, f"items {start:,} to {stop:,}: {short} end early")
            if table.is_sorted:
                latest = check_order(report, table, start, found["tick"], latest)
            nbytes = (stop - start) * table.item_bytes
            report.nbytes += nbytes
            progress.advance(nbytes)


def check_order(
    report: Report, table: TableStream, start: int, ticks: NDArray[Any], latest: Any
) -> Any:
    """Note times that go backwards; gives the last time of the piece."""
    if not ticks.size:
        return latest
    before = np.concatenate([ticks[:1] if latest is None else [latest], ticks[:-1]])
    backwards = np.flatnonzero(ticks < before)
    if backwards.size:
        times = counted(backwards.size, "time is", "times are")
        first = start + int(backwards[0])
        _found(
            report, table.name, f"{times} before the preceding one, first that of item {first:,}"
        )
    return ticks[-1]


def _found(report: Report, stream: str, reason: str) -> None:
    report.problems.append(Problem(report.path, reason, field=stream))


def _contents(recording: Recording) -> str:
    """Name what a recording holds, shortly."""
    parts = [counted(len(recording.segments), "segment")]
    channels = sum(len(stream.channels) for stream in recording.signals)
    if channels:
        parts.append(counted(channels, "channel"))
    for kind, noun in (("spikes", "spike"), ("events", "event"), ("epochs", "epoch")):
        items = sum(table.length for table in recording.tables if table.kind == kind)
        if items:
            parts.append(counted(items, noun))
    return ", ".join(parts)


def _show(report: Report) -> None:
    """Print what was found in one recording."""
    path = console.plain(report.path)
    if report.is_sound:
        console.say(
            Text.assemble(
                ("✓ ", "green"),
                path,
                (f"  {report.format}, {report.contents}, {words.size(report.nbytes)} read", "dim"),
            )
        )
        return
    number = len(report.problems) + (report.error is not None)
    console.say(
        Text.assemble(
            ("✗ ", "bold red"), path, (f"  {report.format}, {counted(number, 'problem')}", "")
        )
    )
    for line in _lines(report):
        console.say(f"    {console.plain(line)}")


def _lines(report: Report) -> list[str]:
    """Give what is wrong, without repeating the path of the recording."""
    lines = [] if report.error is None else [f"refused: {explained(report.error)}"]
    lines += [str(problem) for problem in report.problems]
    prefix = f"{report.path}: "
    return [line.replace(prefix, "", 1) for line in lines]


def _show_sum(reports: list[Report], tally: Tally) -> None:
    sound = sum(report.is_sound for report in reports)
    parts = [f"{sound:,} sound"]
    if len(reports) > sound:
        parts.append(f"{len(reports) - sound:,} with problems")
    if tally.failed:
        parts.append(f"{tally.failed:,} not readable")
    total = counted(len(reports) + tally.failed, "recording")
    console.say(Text(f"{total}: {', '.join(parts)}", style="bold"))


def _entry(report: Report) -> dict[str, Any]:
    return {
        "path": report.path,
        "format": report.format,
        "status": "sound" if report.is_sound else "problems",
        "bytes_read": report.nbytes,
        "problems": [
            {
                "path": problem.path,
                "offset": problem.offset,
                "field": problem.field,
                "reason": problem.reason,
                "lost": problem.lost,
            }
            for problem in report.problems
        ],
        "error": None if report.error is None else error_entry(report.error),
    }
