"""Plexon: .plx files of the MAP and OmniPlex systems and of Offline Sorter.

Read are versions 100 to 107: continuous channels at their own rates, spikes with sorted units and
waveforms, events and strobed words. Version 107 is read as 106.

A recording is one block. Where all continuous channels pause together a new segment begins; a
channel that pauses alone has several signals in one segment. Files without continuous data have one
segment. Spikes and events belong to the segment in which they fall: those before the first to the
first, which begins with them, those in a pause to the segment before it. Continuous channels that
were recorded at the same times with the same rate are one signal, named by what their names begin
with (WB wide band, FP field potential, SPKC spike continuous, AI auxiliary); its channel ids are
the channel numbers of the file. Its samples are in mV and begin at the time stamp of the first
block, which need not be 0.

Spikes are trains of each channel and unit, ``ch5#1`` (0 is unsorted, 1 the unit that Plexon calls
a), with waveforms in mV where all spikes of the channel have one; where those differ in length, all
are given the most frequent one, with zeros at the end of shorter ones, and that is noted. Each
event channel is one event table, also if nothing happened on it. The words of channel 257 (strobed)
are its labels, and array annotation ``word`` as numbers; labels of other channels are empty. Inputs
that share a channel number are one table, with the names of the others in ``other_names``.

Gaps in the chain of blocks cannot be bridged: what follows damaged blocks is not read (strict
reading refuses such files). An incomplete last block, and blank blocks at the end, are cut with a
note. A header without a time stamp frequency is accepted where there are no blocks; else
``salvage=True`` assumes the rate of the waveforms.

Not read: the .pl2 format, .ddt files, sorting templates and boxes of the spike channels, the tables
of counts in the file header (they stop at 130 channels, and are wrong in some files).

Source: the structures of Plexon's published C header and SDK ("Plexon data file structure"),
compared with recordings of both systems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.plexon import continuous, tables
from ephyrus.formats.plexon.blocks import EVENT, SLOW, SPIKE, Blocks, find_blocks
from ephyrus.formats.plexon.layout import MAGIC, Header, check_clock, parse
from ephyrus.recording import (
    BlockInfo,
    FileSet,
    Format,
    Opening,
    Reading,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    seconds,
)
from ephyrus.recording.sampleplaces import PieceRows
from ephyrus.recording.times import run_extents

FORMAT = Format(
    name="plexon",
    label="Plexon (.plx)",
    io_class="PlexonIO",
    extensions=("plx",),
    holds=("Block", "Segment", "Group", "AnalogSignal", "SpikeTrain", "Event"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Where everything lies."""

    blocks: Blocks
    segment_starts: NDArray[np.int64]
    continuous: continuous.Continuous
    tables: tuple[tables.Table, ...]


def sniff(files: FileSet, head: bytes) -> float:
    """Tell by the magic number; a .pl2 file, by its name, is ours to refuse."""
    if head[: len(MAGIC)] == MAGIC:
        return 1.0
    return 0.15 if files.suffix == "pl2" else 0.0


def parse_header(opening: Opening) -> Header:
    """Read the headers of the file and of its channels."""
    return parse(opening)


def index(opening: Opening, header: Header) -> Index:
    """Walk through the blocks."""
    blocks = find_blocks(opening, header)
    if blocks.tick.size:
        check_clock(opening, header)
    _note_ranges(opening, header, blocks)
    slow = continuous.find_continuous(opening, header, blocks)
    starts = _segment_starts(blocks, slow)
    return Index(blocks, starts, slow, tables.find_tables(opening, header, blocks, starts))


def _segment_starts(blocks: Blocks, slow: continuous.Continuous) -> NDArray[np.int64]:
    """Give the first tick of each segment; spikes and events before the first belong to it."""
    begins = [
        blocks.tick[place.start] for kind in (SPIKE, EVENT) for _, place in blocks.groups(kind)
    ]
    first = min([*begins, *slow.stretches[:1]], default=0)
    return np.concatenate(([first], slow.stretches[1:])).astype(np.int64)


def _note_ranges(opening: Opening, header: Header, blocks: Blocks) -> None:
    """Note an assumed range of the converter if there are data that depend on it."""
    for kind, scale, name in ((SPIKE, header.spikes, "spikes"), (SLOW, header.slow, "slow data")):
        places = blocks.groups(kind)
        if scale.is_assumed and any(blocks.words[place].any() for _, place in places):
            opening.note(
                f"no full scale or number of bits of {name}; {scale.full_scale:g} mV and 12 bits "
                "are assumed, as in older versions",
                offset=202,
                field="full scale",
            )


def describe(header: Header, index: Index) -> RecordingInfo:
    """Build the descriptors."""
    signals = continuous.describe_signals(header, index.continuous, index.segment_starts)
    return RecordingInfo(
        segments=_segments(header, index, signals),
        blocks=(BlockInfo(annotations=header.facts, rec_datetime=header.recorded),),
        signals=signals,
        tables=tables.describe_tables(header, index.tables),
        software=header.facts.get("acquiring_software") or None,
    )


def _segments(
    header: Header, index: Index, signals: Sequence[SignalStream]
) -> tuple[SegmentInfo, ...]:
    """Give segments with their extents: all their samples, spikes and events lie within."""
    starts = seconds(index.segment_starts, header.clock)
    stops = starts.copy()
    for stream in signals:
        np.maximum.at(stops, stream.runs["segment"], run_extents(stream)[1])
    tables.reach(index.tables, index.blocks, header.clock, stops)
    return tuple(map(SegmentInfo, starts.tolist(), stops.tolist()))


def read_signal(
    reading: Reading[Header, Index],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored samples [start, stop)."""
    source = reading.files.main
    return continuous.read_samples(
        source, reading.index.continuous, stream.index, start, stop, channels
    )


def sample_places(reading: Reading[Header, Index], stream: SignalStream, run: int) -> PieceRows:
    """Tell where the samples of a run lie."""
    first = int(stream.runs["first"][run])
    return continuous.sample_places(
        reading.files.main, reading.index.continuous, stream.index, first
    )


def read_table(
    reading: Reading[Header, Index],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of spikes or events [start, stop)."""
    return read_rows(reading, stream, slice(start, stop), columns)


def read_rows(
    reading: Reading[Header, Index],
    stream: TableStream,
    rows: NDArray[np.intp] | slice,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of the spikes or events at the given positions."""
    table = reading.index.tables[stream.index]
    return tables.read_items(reading.files.main, reading.index.blocks, table, rows, columns)
