"""Spikes and events: which packets make which table, and their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.blackrock.events import (
    PERIODIC_INPUTS,
    event_columns,
    event_labels,
    tracked_points,
)
from ephyrus.formats.blackrock.header import NevHeader, filter_facts
from ephyrus.formats.blackrock.layout import (
    EVENT_KINDS,
    LARGEST_ELECTRODE,
    TRACKING,
    event_layout,
    packet_head,
)
from ephyrus.formats.blackrock.packets import Packets, packet_offsets
from ephyrus.formats.blackrock.segments import Segments, packet_segments, packet_starts
from ephyrus.recording import (
    FileSet,
    Opening,
    TableStream,
    Unit,
    Waveforms,
    columns,
    heads,
    rows,
    run_table,
    table_runs,
    unit_counts,
)

__all__ = ["PacketTable", "packet_tables", "table_columns", "table_stream"]

DIGITAL, PERIODIC, SERIAL = 0x01, 0x40, 0x80  # bits of the reason of an input
ANALOG_INPUTS = range(1, 6)  # input k is bit k
LEFT_SWEEP = 10  # samples before a spike's time: the convention, the file does not say
NOISE, LARGEST_UNIT = 255, 16
SAMPLE_SIZES = (1, 2, 4)  # bytes of a sample of a waveform
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class PacketTable:
    """The packets of one table.

    Attributes
    ----------
    kind : int
        Packet id: the electrode of spikes, 0 of inputs, else one of `EVENT_KINDS`.
    name : str
        Name of the table.
    places : slice or ndarray of int
        Its items in the columns of the index.
    runs : ndarray of RUN_DTYPE
        Its items by segment.
    is_spikes : bool
        They are spikes.
    sample_type : str
        Of spikes: type of a waveform's samples.
    samples : int
        Of spikes: samples of a waveform.
    channel : int
        Of analog inputs: which one (1 to 5).
    points : int
        Of tracking packets: most numbers that one has.
    """

    kind: int
    name: str
    places: Any
    runs: NDArray[Any]
    is_spikes: bool = False
    sample_type: str = "<i2"
    samples: int = 0
    channel: int = 0
    points: int = 0

    @property
    def length(self) -> int:
        """Number of items."""
        return int(self.runs["count"].sum())


def packet_tables(
    opening: Opening, header: NevHeader, packets: Packets, segments: Segments
) -> list[PacketTable]:
    """Find the tables of a file: spikes by electrode, inputs by their reason, and the rest."""
    tables: list[PacketTable] = []
    ignored = 0
    ticks = packet_starts(segments, header)
    found = packet_segments(segments, header, packets) if segments.count > 1 else None
    firsts, lasts = packets.bounds[:-1].tolist(), packets.bounds[1:].tolist()
    for kind, first, last in zip(packets.ids.tolist(), firsts, lasts, strict=True):
        if _is_electrode(header, kind):
            runs = _runs(found, ticks, slice(first, last))
            form, samples, _ = _wave_layout(header, kind)
            name, places = f"ch{kind}", slice(first, last)
            tables.append(PacketTable(kind, name, places, runs, True, form, samples))
        elif kind in EVENT_KINDS or kind == 0:
            tables += _events(opening, header, packets, found, ticks, kind, slice(first, last))
        else:
            ignored += last - first
    spikes = [table for table in tables if table.is_spikes]
    _note_waveforms(opening, header, [table.kind for table in spikes])
    if ignored:
        path = opening.files.source(header.name).name
        opening.note("packets of unknown kinds are left out", path=path, lost=ignored)
    return spikes + [table for table in tables if not table.is_spikes]


def _note_waveforms(opening: Opening, header: NevHeader, electrodes: Sequence[int]) -> None:
    """Tell of waveforms whose layout or scale is not as the file says, or not known."""
    by_reason: dict[str, list[int]] = {}
    for electrode in electrodes:
        if reason := _wave_layout(header, electrode)[2]:
            by_reason.setdefault(reason, []).append(electrode)
        if header.factor(electrode) == 0:
            reason = "the scale of waveforms is not known: raw counts are given without unit"
            by_reason.setdefault(reason, []).append(electrode)
    for reason, those in by_reason.items():
        what = f"electrode {those[0]}" if len(those) == 1 else f"{len(those)} electrodes"
        opening.note(
            f"{what}{f' ({_few(those)})' if len(those) > 1 else ''}: {reason}",
            path=opening.files.source(header.name).name,
            field="NEUEVWAV",
        )


def _few(items: Sequence[int]) -> str:
    shown = ", ".join(map(str, items[:5]))
    return f"{shown}, ..." if len(items) > 5 else shown


def _is_electrode(header: NevHeader, kind: int) -> bool:
    if kind in EVENT_KINDS or kind == 0:
        return False
    return kind <= LARGEST_ELECTRODE[header.version] or kind in header.waves


def _runs(
    segments: NDArray[np.intp] | None, ticks: NDArray[np.int64], places: slice
) -> NDArray[Any]:
    """Make runs of packets; `segments` is None where there is a single one."""
    if segments is None:
        return run_table([places.stop - places.start], ticks[:1], [0])
    return table_runs(segments[places], ticks)


def _wave_layout(header: NevHeader, electrode: int) -> tuple[str, int, str]:
    """Give type and number of samples of waveforms, and what is wrong with what the file says."""
    room = header.packet_bytes - packet_head(header.major).itemsize
    wave, reason = header.waves.get(electrode), ""
    size = 2 if header.is_16_bit or wave is None else max(int(wave["sample_bytes"]), 1)
    if size not in SAMPLE_SIZES:
        reason = f"waveforms with samples of {size} bytes; 2 are assumed"
        size = 2
    stated = 0 if wave is None or header.version == (2, 1) else int(wave["samples"])
    if stated * size > room:
        reason = f"waveforms of {stated} samples; packets have room for {room // size}"
        stated = 0
    return f"<i{size}", stated or room // size, reason


def _events(
    opening: Opening,
    header: NevHeader,
    packets: Packets,
    segments: NDArray[np.intp] | None,
    ticks: NDArray[np.int64],
    kind: int,
    own: slice,
) -> Iterator[PacketTable]:
    """Give the tables that packets of a kind make; an input may have several reasons."""
    count = own.stop - own.start
    if kind:
        runs = _runs(segments, ticks, own)
        points = 0
        if kind == TRACKING:
            source = opening.files.source(header.name)
            offsets = packet_offsets(header, packets.numbers[own])
            layout = event_layout(kind, header.major, header.packet_bytes)
            points = tracked_points(heads(source, offsets, layout))
        yield PacketTable(kind, EVENT_KINDS[kind], own, runs, points=points)
        return
    found = np.zeros(count, np.intp) if segments is None else segments[own]
    without_reason = np.ones(count, bool)
    for name, channel, chosen in _ports(packets.marks[own]):
        without_reason &= ~chosen
        places = np.flatnonzero(chosen)
        if places.size:
            runs = table_runs(found[places], ticks)
            yield PacketTable(kind, name, places + own.start, runs, channel=channel)
    if without_reason.any():
        opening.note(
            "packets of inputs that give no known reason are left out",
            path=opening.files.source(header.name).name,
            lost=int(np.count_nonzero(without_reason)),
        )


def _ports(reasons: NDArray[np.uint8]) -> Iterator[tuple[str, int, NDArray[np.bool_]]]:
    """Give the tables of inputs: name, analog input, and which items belong to it."""
    digital = (reasons & DIGITAL) != 0
    serial = (reasons & SERIAL) != 0
    yield "digital_input_port", 0, digital & ~serial
    yield "serial_input_port", 0, digital & serial
    for channel in ANALOG_INPUTS:
        yield f"analog_input_channel_{channel}", channel, (reasons & (1 << channel)) != 0
    yield PERIODIC_INPUTS, 0, (reasons & PERIODIC) != 0


# Descriptors


def table_stream(
    index: int, header: NevHeader, packets: Packets, table: PacketTable
) -> TableStream:
    """Describe a table."""
    shared: dict[str, Any] = {
        "index": index,
        "id": table.name,
        "name": table.name,
        "length": table.length,
        "clock": Fraction(header.resolution),
        "runs": table.runs,
    }
    if not table.is_spikes:
        found = event_columns(header, table.kind, table.name, table.channel, table.points)
        dtypes = {name: dtype for name, (dtype, _) in found.items()}
        return TableStream(
            kind="events", columns=columns(tick="<i8", label=object, **dtypes), **shared
        )
    marks = packets.marks[table.places]
    occurring = np.bincount(marks)
    ids = np.flatnonzero(occurring).tolist()
    one_run = len(table.runs) == 1
    facts = _electrode_facts(header, table.kind)
    named: dict[str, Any] = {"tick": "<i8", "unit": "<i4"}
    if table.samples:
        named["waveform"] = (table.sample_type, (1, table.samples))
    rate = Fraction(header.wave_rate)
    factor = header.factor(table.kind)
    return TableStream(
        kind="spikes",
        columns=columns(**named),
        units=tuple(_unit(table, unit, facts) for unit in ids),
        unit_counts=occurring[ids, np.newaxis] if one_run else unit_counts(marks, ids, table.runs),
        waveforms=Waveforms(
            rate, LEFT_SWEEP / rate, "uV" if factor else "", factor / 1000 if factor else 1.0
        )
        if table.samples
        else None,
        **shared,
    )


def _unit(table: PacketTable, unit: int, facts: Mapping[str, Any]) -> Unit:
    name = f"{table.name}#{unit}"
    return Unit(
        unit,
        name,
        name,
        {
            "channel_id": table.kind,
            "unit_id": unit,
            "unit_classification": _classification(unit),
            **facts,
        },
    )


def _classification(unit: int) -> str:
    if unit == 0:
        return "unclassified"
    if unit == NOISE:
        return "noise"
    return "sorted" if unit <= LARGEST_UNIT else "reserved"


def _electrode_facts(header: NevHeader, electrode: int) -> dict[str, Any]:
    """Give what the extended headers tell of an electrode."""
    facts: dict[str, Any] = {}
    if (wave := header.waves.get(electrode)) is not None:
        names = ("connector", "pin", "energy_threshold", "high_threshold", "low_threshold")
        facts |= {name: int(wave[name]) for name in names}
    if electrode in header.labels:
        facts["label"] = header.labels[electrode]
    if (entry := header.filters.get(electrode)) is not None:
        facts |= {name: value[0].item() for name, value in filter_facts(entry).items()}
    return facts


# Columns


def table_columns(
    files: FileSet,
    header: NevHeader,
    packets: Packets,
    table: PacketTable,
    places: Any,
    names: Sequence[str],
) -> Columns:
    """Read columns of items.

    Parameters
    ----------
    files, header, packets, table
        What they are read from.
    places : slice or ndarray of int
        Items of the table.
    names : sequence of str
        The columns.
    """
    at = _within(table.places, places)
    found: Columns = {}
    if "tick" in names:
        found["tick"] = packets.ticks[at].astype(np.int64)
    if "unit" in names:
        found["unit"] = packets.marks[at].astype(np.int32)
    wanted = [name for name in names if name not in found]
    if not wanted:
        return found
    source = files.source(header.name)
    offsets = packet_offsets(header, packets.numbers[at])
    if table.is_spikes:
        begins = offsets + packet_head(header.major).itemsize
        waves = rows(source, begins, table.sample_type, table.samples)
        return found | {"waveform": waves[:, np.newaxis, :]}
    layout = event_layout(table.kind, header.major, header.packet_bytes)
    read = heads(source, offsets, layout)
    made = event_columns(header, table.kind, table.name, table.channel, table.points)
    for name in wanted:
        if name == "label":
            found[name] = event_labels(header, table.kind, table.channel, read)
        else:
            dtype, make = made[name]
            found[name] = np.asarray(make(read, packets.ticks[at].astype(np.int64)), dtype)
    return found


def _within(own: Any, places: Any) -> Any:
    """Give items of a table as places in the index."""
    if not isinstance(own, slice):
        return own[places]
    if isinstance(places, slice):
        return slice(own.start + places.start, own.start + places.stop)
    return own.start + places
