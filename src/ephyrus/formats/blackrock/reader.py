"""Index, descriptors and reading of a whole recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.blackrock.blocks import (
    Samples,
    block_offset,
    index_samples,
    read_samples,
)
from ephyrus.formats.blackrock.header import Header, NsxHeader, version_text
from ephyrus.formats.blackrock.layout import STAMPS
from ephyrus.formats.blackrock.packets import Packets, index_packets
from ephyrus.formats.blackrock.segments import Segments, of_packets, of_samples
from ephyrus.formats.blackrock.tables import (
    PacketTable,
    packet_tables,
    table_columns,
    table_stream,
)
from ephyrus.recording import (
    BlockInfo,
    Opening,
    Reading,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    run_table,
    seconds,
)
from ephyrus.recording.clock import sample_times
from ephyrus.recording.sampleplaces import EvenRows

__all__ = ["Index", "describe", "index", "read_rows", "read_signal", "read_table", "sample_places"]


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Where samples and packets lie.

    Attributes
    ----------
    samples : tuple of Samples
        Of each continuous file.
    packets : Packets or None
        Of the file of spikes and events.
    segments : Segments
        The recording's segments.
    tables : tuple of PacketTable
        Spikes and events, in the order of the streams.
    """

    samples: tuple[Samples, ...]
    packets: Packets | None
    segments: Segments
    tables: tuple[PacketTable, ...]


def index(opening: Opening, header: Header) -> Index:
    """Find blocks and packets, and the segments that they make."""
    samples = tuple(index_samples(opening, each) for each in header.nsx)
    segments = of_samples(opening, header.nsx, samples)
    packets = None
    if header.nev is not None:
        resets = None if segments is None else segments.resets
        packets = index_packets(opening, header.nev, resets, wraps=_wraps(header, samples))
        segments = segments or of_packets(header.nev, packets)
    if segments is None:
        zero = np.zeros(1, np.int64)
        segments = Segments(zero, zero, Fraction(1), (np.empty(0, np.int64),) * len(samples))
    tables: tuple[PacketTable, ...] = ()
    if header.nev is not None and packets is not None:
        tables = tuple(packet_tables(opening, header.nev, packets, segments))
    return Index(samples, packets, segments, tables)


def _wraps(header: Header, samples: Sequence[Samples]) -> bool:
    """Tell whether stamps of packets began again at 0, and not because the clock was reset."""
    if header.nev is None or header.nev.major > 2:
        return False
    latest = Fraction(0)
    for each, found in zip(header.nsx, samples, strict=True):
        if found.groups.any():
            return False
        stop = Fraction(int(found.stops.max(initial=0)), each.resolution)
        latest = max(latest, stop * header.nev.resolution)
    return latest > STAMPS


def describe(header: Header, index: Index) -> RecordingInfo:
    """Build the descriptors."""
    run_segments = index.segments.run_segments or (np.empty(0, np.int64),) * len(header.nsx)
    signals = tuple(
        _signal(number, each, samples, segments)
        for number, (each, samples, segments) in enumerate(
            zip(header.nsx, index.samples, run_segments, strict=True)
        )
    )
    tables: tuple[TableStream, ...] = ()
    if header.nev is not None and index.packets is not None:
        tables = tuple(
            table_stream(number, header.nev, index.packets, table)
            for number, table in enumerate(index.tables)
        )
    dates = [each.recorded for each in header.members if each.recorded is not None]
    return RecordingInfo(
        segments=tuple(_segments(header, index, run_segments)),
        blocks=(BlockInfo(None, _block_facts(header), dates[0] if dates else None),),
        signals=signals,
        tables=tables,
        software=(header.nev.application or None) if header.nev else None,
    )


def _signal(
    number: int, header: NsxHeader, samples: Samples, segments: NDArray[np.int64]
) -> SignalStream:
    facts = {
        "nsx": header.number,
        "file_name": header.name,
        "file_spec": version_text(header.version),
    }
    texts = {"sampling_group": header.label, "comment": header.comment}
    return SignalStream(
        index=number,
        id=str(header.number),
        name=f"nsx{header.number}",
        length=samples.length,
        dtype=np.dtype("<i2"),
        rate=header.rate,
        channels=header.channels,
        runs=run_table(samples.counts, samples.ticks, segments),
        clock=Fraction(header.resolution),
        annotations=facts | {name: text for name, text in texts.items() if text},
    )


def _block_facts(header: Header) -> dict[str, Any]:
    """Give the annotations of the block."""
    members = header.members
    facts: dict[str, Any] = {
        "files": [each.name for each in members],
        "file_specs": [version_text(each.version) for each in members],
    }
    comments = [each.comment for each in members if each.comment]
    if comments:
        facts["comment"] = comments[0]
    if header.nev is not None:
        facts |= {"application": header.nev.application, **header.nev.facts}
    return facts


def _segments(
    header: Header, index: Index, run_segments: Sequence[NDArray[np.int64]]
) -> list[SegmentInfo]:
    """Give the extents of the segments: from the first to behind the last of everything."""
    count = index.segments.count
    starts, stops = np.full(count, np.inf), np.full(count, -np.inf)
    for each, samples, segments in zip(header.nsx, index.samples, run_segments, strict=True):
        clock = Fraction(each.resolution)
        ends = sample_times(samples.ticks, clock, samples.counts, each.rate)
        np.minimum.at(starts, segments, seconds(samples.ticks, clock))
        np.maximum.at(stops, segments, np.maximum(ends, seconds(samples.stops, clock)))
    if header.nev is not None and index.packets is not None:
        clock = Fraction(header.nev.resolution)
        for table in index.tables:
            ticks, runs = index.packets.ticks[table.places], table.runs
            lasts = ticks[runs["first"] + runs["count"] - 1].astype(np.int64) + 1
            np.minimum.at(starts, runs["segment"], seconds(ticks[runs["first"]], clock))
            np.maximum.at(stops, runs["segment"], seconds(lasts, clock))
    empty = starts > stops
    starts[empty], stops[empty] = 0.0, 0.0
    return [
        SegmentInfo(start, stop)
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    ]


def read_signal(
    reading: Reading[Header, Index],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored samples [start, stop), a view of the file where that is possible."""
    header, samples = reading.header.nsx[stream.index], reading.index.samples[stream.index]
    return read_samples(reading.files, header, samples, start, stop, channels)


def sample_places(
    reading: Reading[Header, Index], stream: SignalStream, run: int
) -> EvenRows | None:
    """Tell where the samples of a run lie, if they are in one block of the file."""
    header, samples = reading.header.nsx[stream.index], reading.index.samples[stream.index]
    first, count = int(stream.runs["first"][run]), int(stream.runs["count"][run])
    offset = block_offset(header, samples, first, count)
    if offset is None:
        return None
    source = reading.files.source(header.name)
    return EvenRows(source, offset, np.dtype("<i2"), len(header.channels))


def read_table(
    reading: Reading[Header, Index],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    return _columns(reading, stream, slice(start, stop), columns)


def read_rows(
    reading: Reading[Header, Index],
    stream: TableStream,
    rows: NDArray[np.intp],
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of the items at positions `rows`."""
    return _columns(reading, stream, rows, columns)


def _columns(
    reading: Reading[Header, Index], stream: TableStream, places: Any, columns: Sequence[str]
) -> dict[str, NDArray[Any]]:
    header, packets = reading.header.nev, reading.index.packets
    assert header is not None and packets is not None  # noqa: S101, PT018 - tables are of packets
    table = reading.index.tables[stream.index]
    return table_columns(reading.files, header, packets, table, places, columns)
