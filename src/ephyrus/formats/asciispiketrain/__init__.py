r"""Spike trains as text: each line is a train, its spike times separated by tabs.

Written by Neo's ``AsciiSpikeTrainIO`` and by analysis scripts, named ``.txt``. There is no header:
the first line is the first train. Times are decimal numbers in ``unit`` (seconds if nothing else is
told), separated by tabs, blanks, commas or semicolons, or by ``delimiter``. A delimiter at the end
or the start of a line is tolerated; an empty line is a train without spikes, and a last line
needs no newline. A unit after a number (``1.5 s``, as Neo 0.14 writes by mistake) is accepted and
obeyed. Times are read in double precision and kept in the order of the file.

All trains begin at ``t_start`` (0 s if nothing is told) and end at the largest time in the file, so
that they share a span. A spike before ``t_start`` is an error that says so.

Opening reads the whole file once, piece by piece, without keeping it.

Not read: text in UTF-16, decimals with commas, comments.

Source: there is no specification; the layout is that of Neo's ``AsciiSpikeTrainIO``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError
from ephyrus.formats.asciispiketrain.times import (
    Header,
    Walk,
    parsed,
    separators_of,
    text_pieces,
    time_count,
)
from ephyrus.recording import (
    RUN_DTYPE,
    SNIFF_BYTES,
    FileSet,
    Format,
    Opening,
    Option,
    Reading,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    Unit,
    columns,
    seconds,
    under_way,
)
from ephyrus.recording.plaintext import UTF8_MARK, UTF16_MARKS, text_start, units_per_second

__all__ = [
    "FORMAT",
    "describe",
    "index",
    "parse_header",
    "read_options",
    "read_signal",
    "read_table",
    "separators_of",
    "sniff",
]

PIECE_DTYPE = np.dtype(
    [
        ("offset", "<i8"),  # first byte
        ("spike", "<i8"),  # number of its first spike, counted over the whole file
    ]
)


FORMAT = Format(
    name="asciispiketrain",
    label="Spike trains as text",
    io_class="AsciiSpikeTrainIO",
    extensions=("txt",),
    holds=("Segment", "SpikeTrain"),
    writes=("Block", "Segment"),
    options=(
        Option("delimiter", None, "What separates times (default: any usual one).", "text"),
        Option("t_start", 0.0, "Beginning of all trains.", "time"),
        Option("unit", "s", "Unit of the times.", "unit", aliases=("units",)),
    ),
    write_options=(
        Option("delimiter", "\t", "What to write after each time.", "text"),
        Option("unit", "s", "Unit to write times in.", "unit", aliases=("units",)),
    ),
)


@dataclass(frozen=True, slots=True)
class Index:
    """Where the spikes are.

    Attributes
    ----------
    pieces : ndarray of PIECE_DTYPE
        The pieces of the file, and an entry for its end.
    first : ndarray of int64, shape (trains + 1,)
        Number of the first spike of each train, and of all spikes.
    offsets : ndarray of int64, shape (trains + 1,)
        First byte of each line, and the end of the last.
    is_sorted : ndarray of bool, shape (trains,)
        Times never decrease in a train.
    t_start, t_stop : float
        Span of all trains in seconds.
    """

    pieces: NDArray[Any]
    first: NDArray[np.int64]
    offsets: NDArray[np.int64]
    is_sorted: NDArray[np.bool_]
    t_start: float
    t_stop: float


def sniff(files: FileSet, head: bytes) -> float:
    """Tell lines of unequal counts of numbers."""
    if b"\0" in head or head.startswith((b"ATF", *UTF16_MARKS)):
        return 0.0
    lines = re.split(rb"\r\n|\n|\r", head.removeprefix(UTF8_MARK))
    if len(lines) > 1 and (len(head) >= SNIFF_BYTES or not lines[-1].strip()):
        lines.pop()  # cut by the end of the head, or none
    counts = [time_count(line) for line in lines]
    if None in counts or not any(counts):
        return 0.0
    fits = files.suffix in FORMAT.extensions
    if len(lines) == 1 or len({*counts}) == 1:  # as good a table of numbers
        return 0.1 * fits
    return 0.5 if fits else 0.2


def parse_header(opening: Opening) -> Header:
    """Look at what ends the lines; there is no header in the file."""
    options, main = opening.options, opening.files.main
    head = main.head(SNIFF_BYTES)
    offset, newline = text_start(main, head)
    return Header(
        offset=offset,
        newline=newline,
        separators=separators_of(options["delimiter"]),
        per_second=units_per_second(options["unit"], "unit"),
        t_start=options["t_start"],
    )


def index(opening: Opening, header: Header) -> Index:
    """Walk through the file: count spikes and trains, find the largest time."""
    source = opening.files.main
    walk = Walk(opening, header)
    with under_way(opening.progress, source.size, "B", f"reading {opening.files.name}"):
        for offset, data in text_pieces(source, header):
            walk.take(offset, data)
            opening.progress.advance(len(data))
    first, offsets = np.concatenate(walk.first), np.concatenate(walk.offsets)
    if walk.is_open:
        first, offsets = np.append(first, walk.spikes), np.append(offsets, source.size)
    is_sorted = np.ones(first.size - 1, np.bool_)
    is_sorted[np.concatenate([np.zeros(0, np.int64), *walk.unsorted])] = False
    pieces = np.array([*walk.pieces, (source.size, walk.spikes)], PIECE_DTYPE)
    t_start, t_stop = _span(opening, header, walk)
    return Index(pieces, first, offsets, is_sorted, t_start, t_stop)


def _span(opening: Opening, header: Header, walk: Walk) -> tuple[float, float]:
    """Give the span of all trains; a spike before `t_start` is refused."""
    if not walk.spikes:
        return header.t_start, header.t_start
    low, high = seconds([walk.low, walk.high], header.per_second).tolist()
    if low < header.t_start:
        error = CorruptError(
            opening.files.path,
            f"t_start={header.t_start} s is after the first spike at {low} s; give a t_start "
            "before it",
        )
        opening.damaged(error)
    return min(header.t_start, low), max(header.t_start, high)


def describe(header: Header, index: Index) -> RecordingInfo:
    """Build the descriptors: one segment, one spikes stream per line."""
    counts = np.diff(index.first)
    runs = np.zeros(counts.size, RUN_DTYPE)
    runs["count"] = counts
    with_spikes = np.minimum(counts, 1)  # a train without spikes has no run
    kinds = columns(tick="<f8", unit="<i4")
    tables = tuple(
        TableStream(
            index=line,
            id=str(line),
            name=f"Line {line}",
            kind="spikes",
            length=int(count),
            columns=kinds,
            clock=header.per_second,
            runs=runs[line : line + with_spikes[line]],
            units=(Unit(0, f"Line {line}", str(line), {"channel_index": line}),),
            unit_counts=counts[np.newaxis, line : line + with_spikes[line]],
            is_sorted=bool(index.is_sorted[line]),
        )
        for line, count in enumerate(counts)
    )
    return RecordingInfo(segments=(SegmentInfo(index.t_start, index.t_stop),), tables=tables)


def read_signal(
    reading: Reading[Header, Index],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give nothing: there are no signals in these files."""
    return np.empty((0, 0))


def read_table(
    reading: Reading[Header, Index],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give spikes [start, stop) of one line, in the order of the file."""
    found: dict[str, NDArray[Any]] = {}
    if "tick" in columns:
        found["tick"] = _spikes(reading, stream.index, start, stop)
    if "unit" in columns:
        found["unit"] = np.zeros(stop - start, np.int32)
    return {name: found[name] for name in columns}


def _spikes(
    reading: Reading[Header, Index], line: int, start: int, stop: int
) -> NDArray[np.float64]:
    """Parse the part of a line in which the spikes are."""
    values = np.empty(stop - start)
    if start == stop:
        return values
    index, source = reading.index, reading.files.main
    begin = int(index.first[line])
    line_begin, line_end = (int(offset) for offset in index.offsets[line : line + 2])
    pieces = index.pieces
    first = int(np.searchsorted(pieces["spike"], begin + start, "right")) - 1
    last = int(np.searchsorted(pieces["spike"], begin + stop, "left"))
    for at in range(first, last):
        offset = max(int(pieces["offset"][at]), line_begin)
        end = min(int(pieces["offset"][at + 1]), line_end)
        spike = max(int(pieces["spike"][at]) - begin, 0)
        if offset >= end:
            continue
        found = parsed(source.read_at(offset, end - offset, field="times"), reading.header).values
        low, high = max(start, spike), min(stop, spike + found.size)
        if low < high:
            values[low - start : high - start] = found[low - spike : high - spike]
    return values


def read_options(options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options of opening for the old style: arguments given to ``read_segment``.

    Parameters
    ----------
    options : mapping
        Options that the recording was opened with.
    given : mapping
        Keywords of ``read_segment``: delimiter, t_start, unit; they win.

    Returns
    -------
    dict
        Options.
    """
    return FORMAT.renamed({**options, **given})
