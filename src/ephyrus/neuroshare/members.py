"""What the streams of a recording are as entities: signals, and what happens at times.

Each class gives the items of one entity; `ephyrus.neuroshare.recordinglibrary` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.constants import EntityType, Result
from ephyrus.dll.failures import failure
from ephyrus.dll.interface import (
    AnalogInfo,
    NeuralInfo,
    SegmentInfo,
    SegmentItems,
    SourceInfo,
)
from ephyrus.dll.search import found_index
from ephyrus.neuroshare.timeline import Timeline
from ephyrus.recording import (
    Recording,
    SignalStream,
    TableStream,
    as_fraction,
    scaled,
    seconds,
    time_ordered,
)
from ephyrus.recording.channelfacts import (
    place_and_filters,
    sample_counts,
    unit_bits,
    value_range,
)
from ephyrus.recording.clock import sample_times
from ephyrus.recording.times import run_positions

__all__ = ["Member", "SampleMember", "SignalMember", "SpikeMember", "TableMember", "UnitMember"]


class Member:
    """An entity of a recording.

    Attributes
    ----------
    label : str
        Its name.
    entity_type : int
        What it is.
    count : int
        Number of items.
    """

    label: str
    entity_type: int
    count: int

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give times of items [start, stop) in seconds."""
        raise NotImplementedError

    def time_of(self, index: int) -> float:
        """Give the time of an item in seconds."""
        return float(self.times(index, index + 1)[0])

    def index_at(self, time: float, search: int) -> int:
        """Give the item that is meant by a time."""
        return found_index(self.time_of, self.count, time, search)


class SignalMember(Member):
    """A channel of a signal stream."""

    entity_type = EntityType.Analog

    def __init__(
        self, recording: Recording, timeline: Timeline, stream: SignalStream, channel: int
    ) -> None:
        self.label = stream.channels.names[channel]
        self.count = stream.length
        self._recording, self._timeline = recording, timeline
        self._stream, self._channel = stream, channel

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give times of samples [start, stop) in seconds."""
        stream = self._stream
        positions = np.arange(start, stop)
        runs = stream.runs[run_positions(stream, positions)]
        found = sample_times(runs["tick"], stream.clock, positions - runs["first"], stream.rate)
        shifts: NDArray[np.float64] = self._timeline.shifts[runs["segment"]]
        return found + shifts

    def values(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give samples [start, stop) in physical units."""
        found = self._recording.read_scaled(
            self._stream, start, stop, [self._channel], dtype=np.dtype(np.float64)
        )
        return found[:, 0]

    def together(self, start: int, count: int) -> int:
        """Tell how many of `count` samples from `start` on are of one run."""
        if count == 0:
            return 0
        run = self._stream.runs[run_positions(self._stream, start)]
        return min(count, int(run["first"] + run["count"]) - start)

    def analog_info(self) -> AnalogInfo:
        """Tell how the channel was recorded."""
        channels, at = self._stream.channels, self._channel
        facts = {name: column[at] for name, column in channels.extra.items()}
        gain, offset = float(channels.gain[at]), float(channels.offset[at])
        return AnalogInfo(
            sample_rate=float(self._stream.rate),
            units=channels.units[at],
            **value_range(self._stream.dtype, gain, offset, facts),
            **place_and_filters(facts),
        )


class TableMember(Member):
    """An entity with the items of a table, in order of time."""

    def __init__(self, recording: Recording, timeline: Timeline, stream: TableStream) -> None:
        self.label = stream.name
        self.count = stream.length
        self._recording, self._timeline, self._stream = recording, timeline, stream

    @cached_property
    def _order(self) -> NDArray[np.intp] | None:
        """Positions of the items in order of time; None where they are so already."""
        if self._stream.is_sorted and len(self._stream.runs) <= 1:
            return None
        return time_ordered(self.stored_times(0, self._stream.length))

    def stored_times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give times of items [start, stop) of the stream in seconds."""
        stream = self._stream
        ticks = self._recording.read_table(stream, start, stop, ["tick"])["tick"]
        runs = stream.runs[run_positions(stream, np.arange(start, stop))]
        shifts: NDArray[np.float64] = self._timeline.shifts[runs["segment"]]
        return seconds(ticks, stream.clock) + shifts

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give times of items [start, stop) in seconds."""
        if self._order is None:
            return self.stored_times(start, stop)
        rows = self._order[start:stop]
        first, last = _span(rows)
        return self.stored_times(first, last)[rows - first]

    def columns(self, start: int, stop: int, *names: str) -> dict[str, NDArray[Any]]:
        """Give columns of items [start, stop)."""
        if self._order is None:
            return self._recording.read_table(self._stream, start, stop, names)
        rows = self._order[start:stop]
        first, last = _span(rows)
        found = self._recording.read_table(self._stream, first, last, names)
        return {name: column[rows - first] for name, column in found.items()}


def _span(rows: NDArray[np.intp]) -> tuple[int, int]:
    """Give the half-open range that holds some positions."""
    return (int(rows.min()), int(rows.max()) + 1) if rows.size else (0, 0)


class SpikeMember(TableMember):
    """Spikes with their waveforms: a segment entity."""

    entity_type = EntityType.Segment

    def segment_info(self) -> SegmentInfo:
        """Tell what the waveforms are."""
        waveforms, shape = self._stream.waveforms, self._stream.columns["waveform"].shape
        rate, unit = (0.0, "") if waveforms is None else (float(waveforms.rate), waveforms.unit)
        least = int(self._stream.annotations.get("min_sample_count", shape[1]))
        return SegmentInfo(shape[0], min(least, shape[1]), shape[1], rate, unit)

    def source_info(self, source: int) -> SourceInfo:
        """Tell how a channel of the waveforms was recorded."""
        layout, dtype = self._stream.waveforms, self._stream.columns["waveform"]
        _check_source(source, dtype.shape[0])
        facts: dict[str, Any] = dict(self._stream.annotations)
        facts |= self._stream.units[0].annotations if self._stream.units else {}
        facts = {name: _of_source(value, source) for name, value in facts.items()}
        gain, offset = (1.0, 0.0) if layout is None else (layout.gain, layout.offset)
        return SourceInfo(
            sub_sample_shift=float(facts.get("sub_sample_shift", 0.0)),
            **value_range(dtype.base, gain, offset, facts),
            **place_and_filters(facts),
        )

    def items(self, start: int, stop: int) -> SegmentItems:
        """Give spikes [start, stop)."""
        found = self.columns(start, stop, "unit", "waveform")
        layout = self._stream.waveforms
        gain, offset = (1.0, 0.0) if layout is None else (layout.gain, layout.offset)
        values = scaled(found["waveform"], gain, offset, dtype=np.dtype(np.float64))
        counts = sample_counts(values)
        units = self._unit_bits[np.searchsorted(self._unit_ids, found["unit"])]
        return SegmentItems(self.times(start, stop), values, counts, units)

    @cached_property
    def _unit_ids(self) -> NDArray[np.int64]:
        return np.sort(np.array([unit.id for unit in self._stream.units], np.int64))

    @cached_property
    def _unit_bits(self) -> NDArray[np.uint32]:
        if self._stream.annotations.get("unit_ids_are_bits"):
            return self._unit_ids.astype(np.uint32)
        return unit_bits(self._unit_ids)


class SampleMember(TableMember):
    """Samples at times of their own: a segment entity with one sample in each item."""

    entity_type = EntityType.Segment

    def segment_info(self) -> SegmentInfo:
        """Tell what the samples are; where channels have several units, that of the first."""
        channels = self._stream.channels
        units = channels.units if channels is not None else ("",)
        return SegmentInfo(len(units), 1, 1, float(as_fraction(self._stream.clock)), units[0])

    def source_info(self, source: int) -> SourceInfo:
        """Tell how a channel was recorded."""
        channels = self._stream.channels
        _check_source(source, 0 if channels is None else len(channels))
        if channels is None:
            raise failure(Result.BADSOURCE)
        facts = {name: column[source] for name, column in channels.extra.items()}
        gain, offset = float(channels.gain[source]), float(channels.offset[source])
        dtype = self._stream.columns["value"].base
        return SourceInfo(
            sub_sample_shift=0.0,
            **value_range(dtype, gain, offset, facts),
            **place_and_filters(facts),
        )

    def items(self, start: int, stop: int) -> SegmentItems:
        """Give samples [start, stop)."""
        found = self.columns(start, stop, "value")["value"]
        channels = self._stream.channels
        gain, offset = (1.0, 0.0) if channels is None else (channels.gain, channels.offset)
        values = scaled(found, gain, offset, dtype=np.dtype(np.float64))[:, :, np.newaxis]
        ones, zeros = np.ones(stop - start, np.uint32), np.zeros(stop - start, np.uint32)
        return SegmentItems(self.times(start, stop), values, ones, zeros)


def _of_source(value: Any, source: int) -> Any:
    """Give a fact of one source of several."""
    is_each = isinstance(value, list | np.ndarray) and source < len(value)
    return value[source] if is_each else value


def _check_source(source: int, count: int) -> None:
    if not 0 <= source < count:
        raise failure(Result.BADSOURCE, f"there are {count} sources, asked for source {source}")


class UnitMember(Member):
    """The spikes of one unit: a neural entity."""

    entity_type = EntityType.Neural

    def __init__(self, spikes: TableMember, unit: int, source_entity: int) -> None:
        stream = spikes._stream
        self._spikes, self._unit = spikes, unit
        self.source_entity = source_entity
        names = [each.name for each in stream.units]
        own = stream.units[unit]
        self.label = own.name if names.count(own.name) == 1 else f"{own.name}#{own.id}"
        self.count = int(stream.unit_counts[unit].sum())

    @cached_property
    def _rows(self) -> NDArray[np.intp] | None:
        """Positions of its spikes in the stream in order of time; None: all, as they are."""
        spikes = self._spikes
        stream, order = spikes._stream, spikes._order
        if len(stream.units) == 1:
            return order
        parts = [
            spikes._recording.unit_rows(stream, run)[self._unit] + int(stream.runs["first"][run])
            for run in range(len(stream.runs))
        ]
        rows = np.concatenate(parts) if parts else np.empty(0, np.intp)
        if order is None:
            return rows
        is_own = np.zeros(stream.length, bool)
        is_own[rows] = True
        return order[is_own[order]]

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give times of spikes [start, stop) in seconds."""
        if self._rows is None:
            return self._spikes.stored_times(start, stop)
        rows = self._rows[start:stop]
        first, last = _span(rows)
        return self._spikes.stored_times(first, last)[rows - first]

    def neural_info(self) -> NeuralInfo:
        """Tell where the spikes were sorted from."""
        stream = self._spikes._stream
        facts: Mapping[str, Any] = {**stream.annotations, **stream.units[self._unit].annotations}
        unit, probe = stream.units[self._unit].id, str(facts.get("probe_info", ""))
        return NeuralInfo(self.source_entity, max(unit, 0), probe)  # unsigned in the interface
