"""From files to streams: the index of all channels, and the descriptors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError, TruncatedError
from ephyrus.formats.alphaomega.blocks import FileBlocks, read_blocks_of
from ephyrus.formats.alphaomega.heads import PART, FileHead, Header, chained
from ephyrus.formats.alphaomega.layout import IGNORED, MESSAGES, SAMPLE, SIGNAL, Definition
from ephyrus.formats.alphaomega.placing import HALF, WRAP
from ephyrus.formats.alphaomega.points import Points, point_tables, read_columns, table_stream
from ephyrus.formats.alphaomega.signals import (
    Chains,
    Group,
    channel_ids,
    signal_groups,
    signal_stream,
)
from ephyrus.recording import (
    BlockInfo,
    Opening,
    Reading,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    seconds,
)
from ephyrus.recording.sampleplaces import PieceRows, Pieces

__all__ = ["Index", "describe", "index", "read_rows", "read_signal", "read_table", "sample_places"]

Extent = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Where everything is.

    Attributes
    ----------
    chains : list of list of int
        Files of each segment.
    signals, tables : list
        Channels of each signal, items of each table.
    extents : list of (float, float)
        Seconds of begin and end of each segment.
    """

    chains: Chains
    signals: list[Group]
    tables: list[Points]
    extents: list[Extent]


def index(opening: Opening, header: Header) -> Index:
    """Walk through every file, join files to recordings, and sort blocks by channel."""
    heads = header.files
    files = [read_blocks_of(opening, head) for head in heads]
    chains = chained(heads, [file.fastest for file in files])
    keys = _channels(opening, heads, files)
    _check_joints(opening, heads, files, chains)
    ids = dict(zip(keys, channel_ids([known.number for known in keys]), strict=True))
    signals = signal_groups(opening, heads, files, chains, keys, ids)
    tables = point_tables(opening, heads, files, chains, keys, ids)
    extents = _extents(opening, heads, chains, signals, tables)
    return Index(chains, signals, tables, extents)


def _channels(
    opening: Opening, heads: Sequence[FileHead], files: Sequence[FileBlocks]
) -> dict[Definition, list[int]]:
    """Give the channels, with the files that define them alike."""
    first: dict[Definition, Definition] = {}
    keys: dict[Definition, list[int]] = {}
    for at, file in enumerate(files):
        for known in file.definitions.values():
            if known.kind == IGNORED:
                continue
            if known.rate is None:
                _refuse_rate(opening, heads[at], known, file)
                continue
            # what users turn while they record does not make another channel
            same = first.setdefault(replace(known, duration=0.0, facts=()), known)
            keys.setdefault(same, []).append(at)
    return dict(sorted(keys.items(), key=lambda each: each[0].number))


def _refuse_rate(opening: Opening, head: FileHead, known: Definition, file: FileBlocks) -> None:
    """Refuse a rate that cannot be, where there are data."""
    data = file.messages if known.kind == MESSAGES else file.data.get(known.number)
    if data is not None and data.offsets.size:
        error = CorruptError(
            opening.files.source(head.name).name,
            f"a sampling rate of {known.khz:g} kHz; the data of channel {known.number} "
            f"({known.name!r}) cannot be read",
            offset=file.places[known.number],
            field="channel definition",
        )
        opening.damaged(error, lost=data.offsets.size)


def _check_joints(
    opening: Opening, heads: Sequence[FileHead], files: Sequence[FileBlocks], chains: Chains
) -> None:
    """Refuse a file that lost its end, though another one continues it."""
    for chain in chains:
        for before, after in pairwise(chain):
            if files[before].is_closed:
                continue
            lost = _samples_between(files[before], files[after])
            if lost:
                source = opening.files.source(heads[before].name)
                error = TruncatedError(
                    source.name,
                    f"the end of the file is missing, though {heads[after].name!r} continues it",
                    offset=source.size,
                )
                opening.damaged(error, lost=lost)


def _samples_between(before: FileBlocks, after: FileBlocks) -> int:
    """Count the samples of continuous channels that two files of a recording leave out."""
    lost = 0
    for number, following in after.data.items():
        if after.definitions[number].kind == SIGNAL and following.stamps.size:
            blocks = before.data.get(number)
            if blocks is None or not blocks.stamps.size:
                lost += 1  # at least
                continue
            end = int(blocks.stamps[-1]) + int(blocks.samples[-1])
            apart = (int(following.stamps[0]) - end + HALF) % WRAP - HALF  # the counter may wrap
            lost += max(apart, 0)
    return lost


def _extents(
    opening: Opening,
    heads: Sequence[FileHead],
    chains: Chains,
    signals: Sequence[Group],
    tables: Sequence[Points],
) -> list[Extent]:
    """Give begin and end of each segment: those of the heads, as far as the data agree."""
    count = len(chains)
    begins, ends = np.full(count, np.inf), np.full(count, -np.inf)
    surely = begins.copy()
    for group in signals:
        runs = group.channels[0].runs
        slack = 1 / float(group.rate)  # slow channels begin up to a sample before the fast ones
        starts = seconds(runs["tick"], group.rate)
        np.minimum.at(begins, runs["segment"], starts)
        np.minimum.at(surely, runs["segment"], starts + slack)
        np.maximum.at(ends, runs["segment"], seconds(runs["tick"] + runs["count"], group.rate))
    for points in tables:
        for run in points.runs:
            low, high = run["first"], run["first"] + run["count"] - 1
            edges = seconds(points.ticks[[low, high]], points.rate)
            segment = run["segment"]
            begins[segment] = min(begins[segment], edges[0])
            surely[segment] = min(surely[segment], edges[0])
            ends[segment] = max(ends[segment], edges[1])
    found = []
    for at, chain in enumerate(chains):
        times = float(begins[at]), float(surely[at]), float(ends[at])
        found.append(_extent(opening, heads[chain[0]], heads[chain[-1]], *times))
    return found


def _extent(
    opening: Opening, first: FileHead, last: FileHead, begin: float, surely: float, end: float
) -> Extent:
    """Give begin and end of a segment whose data begin and end at these times (inf: no data).

    The head is wrong if it begins later than the data `surely` do.
    """
    start = first.first_time
    if start is None or (surely < start and np.isfinite(begin)):
        if start is not None:
            opening.note(
                f"the head says that the data begin at {start:g} s, they begin at {begin:g} s",
                path=opening.files.source(first.name).name,
                field="first acquisition time",
            )
        start = begin if np.isfinite(begin) else 0.0
    return start, max(start, end, last.last_time or 0.0)


def describe(header: Header, index: Index) -> RecordingInfo:
    """Build the descriptors."""
    heads = header.files
    segments = tuple(
        _segment(heads, chain, *extent)
        for chain, extent in zip(index.chains, index.extents, strict=True)
    )
    first = heads[index.chains[0][0]]
    return RecordingInfo(
        segments=segments,
        blocks=(
            BlockInfo(
                annotations={**first.facts, "files": [head.name for head in heads]},
                rec_datetime=first.recorded,
            ),
        ),
        signals=tuple(signal_stream(at, group) for at, group in enumerate(index.signals)),
        tables=tuple(table_stream(at, points) for at, points in enumerate(index.tables)),
        software=first.facts.get("application") or None,
    )


def _segment(
    heads: Sequence[FileHead], chain: Sequence[int], t_start: float, t_stop: float
) -> SegmentInfo:
    first = heads[chain[0]]
    stem = PurePosixPath(first.name).stem
    return SegmentInfo(
        t_start=t_start,
        t_stop=t_stop,
        name=PART.sub("", stem) or stem,
        annotations={**first.facts, "files": [heads[at].name for at in chain]},
        rec_datetime=first.recorded,
    )


def read_signal(
    reading: Reading[Header, Index],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored samples [start, stop)."""
    positions = None if channels is None else channels.tolist()
    return reading.index.signals[stream.index].read(reading.files, start, stop, positions)


def sample_places(
    reading: Reading[Header, Index], stream: SignalStream, run: int
) -> PieceRows | None:
    """Tell where the samples of a run lie; None: not all are in one file."""
    channels = reading.index.signals[stream.index].channels
    if any(len(channel.files) != 1 for channel in channels):
        return None
    pieces = []
    for channel in channels:
        name, low, high = channel.files[0]
        offsets, firsts = channel.offsets[low:high], channel.firsts[low : high + 1]
        pieces.append(Pieces(reading.files.source(name), offsets, firsts, SAMPLE))
    return PieceRows(pieces, int(stream.runs["first"][run]))


def read_table(
    reading: Reading[Header, Index],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    points = reading.index.tables[stream.index]
    return read_columns(reading.files, points, slice(start, stop), columns)


def read_rows(
    reading: Reading[Header, Index],
    stream: TableStream,
    rows: NDArray[np.intp],
    columns: Sequence[str],
) -> Mapping[str, NDArray[Any]]:
    """Give columns of the items at these positions."""
    return read_columns(reading.files, reading.index.tables[stream.index], rows, columns)
