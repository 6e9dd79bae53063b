"""NeuroExplorer: .nex and .nex5 files, as NeuroExplorer, Offline Sorter and other programs write.

Read are .nex files (versions 100 to 106) and .nex5 files (versions 500 to 502, with 32-bit and
64-bit time stamps, integer and float samples, text and number markers) with all kinds of variables:

- neurons and waveforms are spike trains, the latter with waveforms in mV; the same unit is often
  there as both, and both are kept. Wire, unit and position are annotations where the file has
  them (.nex5: in its metadata);
- events are events without labels; markers are events whose labels are the values of their first
  field, the other fields are array annotations under their names (numbers too those of the first);
- intervals are epochs, the synthetic interval ``AllFile`` too;
- continuous variables of equal rate, start and length are the channels of one signal. Fragments
  that follow each other within half a sample are joined. Pauses common to all continuous variables
  make segments; a variable that pauses alone has several signals in a segment;
- population vectors are the annotation ``population_vectors`` of the block: weights by name. The
  JSON text of a .nex5 file is its annotation ``metadata``.

Time stamps that are not in order are sorted, with their waveforms, and that is noted. A variable
whose data are not whole in the file is left out, and that is noted; ``salvage=True`` gives what
there is of it. Left out are also the last variables where headers together claim more than four
times the bytes of the file, or more than 16,384 fields of markers: no sound file does. The bytes of
samples and waveforms are touched when they are asked for; time stamps are read once on opening, to
put them into segments.

Not read: gain and filter settings (which programs leave empty), and variables whose data lie behind
4 GiB in a .nex file, because its offsets cannot say where.

Source: Nex Technologies, the C header of the .nex format and the description of the .nex5 file
format, as published with their example programs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.words import frequency_text
from ephyrus.formats.neuroexplorer import header as headers
from ephyrus.formats.neuroexplorer import items, metadata, places, samples
from ephyrus.formats.neuroexplorer.header import Header, Variable
from ephyrus.formats.neuroexplorer.layout import Kind
from ephyrus.formats.neuroexplorer.places import Index, Signal, Table
from ephyrus.recording import (
    BlockInfo,
    Channels,
    FileSet,
    Format,
    Opening,
    Reading,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    Unit,
    Waveforms,
    as_fraction,
    columns,
    seconds,
)
from ephyrus.recording.sampleplaces import PieceRows
from ephyrus.recording.times import run_extents

FORMAT = Format(
    name="neuroexplorer",
    label="NeuroExplorer (nex, nex5)",
    io_class="NeuroExplorerIO",
    extensions=("nex", "nex5"),
    holds=("Block", "Segment", "Group", "AnalogSignal", "SpikeTrain", "Event", "Epoch"),
)


def sniff(files: FileSet, head: bytes) -> float:
    """Tell by the signature."""
    return 1.0 if head[:4] in headers.MAGICS else 0.0


def parse_header(opening: Opening) -> Header:
    """Read the headers of the file and of its variables."""
    return headers.parse(opening)


def index(opening: Opening, header: Header) -> Index:
    """Find the data of the variables."""
    return places.find(opening, header)


def describe(header: Header, index: Index) -> RecordingInfo:
    """Build the descriptors."""
    signals = tuple(_signal(at, signal, header.clock) for at, signal in enumerate(index.signals))
    names = Counter(table.variable.name for table in index.tables)
    tables = tuple(
        _table(at, table, runs, header.clock, is_alone=names[table.variable.name] == 1)
        for at, (table, runs) in enumerate(zip(index.tables, index.runs, strict=True))
    )
    facts: dict[str, Any] = {"comment": header.comment, "version": header.version}
    if index.weights:
        facts["population_vectors"] = dict(index.weights)
    if header.metadata is not None:
        facts["metadata"] = header.metadata
    return RecordingInfo(
        segments=_segments(header, index, signals),
        blocks=(BlockInfo(annotations=facts),),
        signals=signals,
        tables=tables,
        software=metadata.software(header.metadata),
    )


def _segments(
    header: Header, index: Index, signals: Sequence[SignalStream]
) -> tuple[SegmentInfo, ...]:
    """Give segments the extent of all that is in them, the outer ones that of the recording."""
    is_filled = index.segments[:, 0] <= index.segments[:, 1]
    t_start = np.where(is_filled, seconds(index.segments[:, 0], header.clock), np.inf)
    t_stop = np.where(is_filled, seconds(index.segments[:, 1], header.clock), -np.inf)
    for signal in signals:
        begins, ends = run_extents(signal)
        np.minimum.at(t_start, signal.runs["segment"], begins)
        np.maximum.at(t_stop, signal.runs["segment"], ends)
    if header.first_tick is not None:
        t_start[0] = min(t_start[0], float(seconds(header.first_tick, header.clock)))
        t_stop[0] = max(t_stop[0], t_start[0])
    if header.end_tick is not None:
        t_stop[-1] = max(t_stop[-1], float(seconds(header.end_tick, header.clock)))
    return tuple(
        SegmentInfo(float(start), float(stop)) if start <= stop else SegmentInfo(0.0, 0.0)
        for start, stop in zip(t_start, t_stop, strict=True)
    )


def _signal(number: int, signal: Signal, clock: Fraction) -> SignalStream:
    variables = [member.variable for member in signal.members]
    first = variables[0]
    alone = len(variables) == 1
    return SignalStream(
        index=number,
        id=str(first.number),
        name=first.name if alone else f"Continuous ({frequency_text(first.rate)})",
        length=int(signal.runs["count"].sum()),
        dtype=first.value,
        rate=as_fraction(first.rate),
        channels=Channels.table(
            [variable.name for variable in variables],
            ids=[str(variable.number) for variable in variables],
            units=[variable.units for variable in variables],
            gain=[variable.gain for variable in variables],
            offset=[variable.shift for variable in variables],
        ),
        runs=signal.runs,
        clock=clock,
    )


def _table(
    number: int, table: Table, runs: NDArray[Any], clock: Fraction, *, is_alone: bool
) -> TableStream:
    """Describe a variable with times; `is_alone`: no other one has its name."""
    variable = table.variable
    kinds = {Kind.INTERVAL: "epochs", Kind.EVENT: "events", Kind.MARKER: "events"}
    kind: Any = kinds.get(variable.kind, "spikes")
    is_spikes = kind == "spikes"
    identifier = str(variable.number)
    label = variable.name if is_alone and variable.name else f"{variable.name}#{identifier}"
    unit = Unit(variable.unit, variable.name, label, variable.annotations)
    facts = {"id": identifier} if is_spikes else {"field_names": [*table.fields]}
    return TableStream(
        index=number,
        id=identifier,
        name=variable.name,
        kind=kind,
        length=table.count,
        columns=columns(**_column_types(table, kind)),
        clock=clock,
        runs=runs,
        units=(unit,) if is_spikes else (),
        unit_counts=runs["count"][np.newaxis] if is_spikes else np.zeros((0, 0), np.int64),
        waveforms=_waveforms(variable) if "waveform" in table.parts else None,
        annotations={key: value for key, value in facts.items() if value},
    )


def _column_types(table: Table, kind: str) -> dict[str, Any]:
    """Name the columns of a table and their types."""
    variable = table.variable
    types: dict[str, Any] = {"tick": variable.tick}
    if kind == "spikes":
        types["unit"] = np.int32
        if "waveform" in table.parts:
            types["waveform"] = variable.value, (1, variable.points)
        return types
    types["label"] = object
    if kind == "epochs":
        types["duration"] = np.int64
    numbers = variable.has_numbers
    for name in table.fields if numbers else table.fields[1:]:
        types[name] = np.dtype("<u4") if numbers else f"<U{max(variable.text_bytes, 1)}"
    return types


def _waveforms(variable: Variable) -> Waveforms:
    return Waveforms(
        as_fraction(variable.rate),
        Fraction(variable.prethreshold),
        variable.units,
        variable.gain,
        variable.shift,
    )


def read_signal(
    reading: Reading[Header, Index],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored samples [start, stop)."""
    signal = reading.index.signals[stream.index]
    return samples.read(reading.files.main, signal, start, stop, channels)


def sample_places(reading: Reading[Header, Index], stream: SignalStream, run: int) -> PieceRows:
    """Tell where the samples of a run lie."""
    signal = reading.index.signals[stream.index]
    return samples.sample_places(reading.files.main, signal, int(stream.runs["first"][run]))


def read_table(
    reading: Reading[Header, Index],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    table, order = reading.index.tables[stream.index], reading.index.orders.get(stream.index)
    source = reading.files.main
    return {name: items.column(source, table, name, start, stop, order) for name in columns}
