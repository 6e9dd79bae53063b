"""From elements to streams: items found, put into segments, described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.constants import EventType
from ephyrus.dll.interface import AnalogInfo, NeuralInfo, SegmentInfo
from ephyrus.dll.structures import SOURCE_INFO
from ephyrus.errors import CorruptError
from ephyrus.formats.nsn import chains
from ephyrus.formats.nsn.elements import Element, Header
from ephyrus.formats.nsn.layout import EPOCH_FIELDS, ITEM, Kind, facts_of
from ephyrus.recording import (
    BlockInfo,
    ByteSource,
    Opening,
    RecordingInfo,
    SignalStream,
    TableStream,
    heads,
)
from ephyrus.recording.entities import (
    AnalogEntry,
    Placed,
    Segments,
    date_of,
    file_facts,
    is_rate,
    is_time,
    placed,
    signals_of,
)
from ephyrus.recording.entitytables import Table, count_of_numbers

__all__ = ["Items", "Plan", "describe", "plan"]


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """The items of an event, segment or neural element.

    Attributes
    ----------
    element : Element
        Where they are from.
    offsets : ndarray of int64, shape (items,)
        First byte of each, in the order of the file.
    times : ndarray of float64, shape (items,)
        Seconds.
    counts : ndarray of int64, shape (items,)
        Bytes of each event, samples of each segment.
    units : ndarray of uint32, shape (items,)
        Unit of each spike.
    rows : int
        Rows of samples in each segment.
    """

    element: Element
    offsets: NDArray[np.int64]
    times: NDArray[np.float64]
    counts: NDArray[np.int64]
    units: NDArray[np.uint32]
    rows: int = 1

    @property
    def is_epochs(self) -> bool:
        """Whether these are epochs as ephyrus writes them."""
        info = self.element.info
        is_csv = self.element.kind == Kind.EVENT and info["event_type"] == EventType.CSV
        return is_csv and info["csv_desc"] == EPOCH_FIELDS

    @property
    def most_samples(self) -> int:
        """Samples of the longest segment, as the file says, if that can be."""
        said, there = self.element.info["max_sample_count"], int(self.counts.max(initial=0))
        room = self.element.stop - self.element.start
        return max(said, there) if 8 * said * self.rows <= room else there

    @property
    def are_samples(self) -> bool:
        """Whether these are samples at times of their own: segments of one sample."""
        is_single = self.element.kind == Kind.SEGMENT and self.most_samples == 1
        return is_single and bool((self.counts == 1).all())

    @property
    def numbers(self) -> int:
        """How many numbers each event has that is given; 0 for texts."""
        return count_of_numbers(self.element.info.get("event_type", -1), self.counts)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The index of a file.

    Attributes
    ----------
    segments : Segments
        Stretches in which anything analog was recorded.
    signals : tuple of SignalStream
        The signals.
    offsets : tuple of tuple of ndarray
        First byte of each run of each channel of each signal.
    items : tuple of Items
        The items of each table.
    places : tuple of Placed
        How they lie in segments.
    tables : tuple of TableStream
        The tables.
    """

    segments: Segments
    signals: tuple[SignalStream, ...]
    offsets: tuple[tuple[NDArray[np.int64], ...], ...]
    items: tuple[Items, ...]
    places: tuple[Placed, ...]
    tables: tuple[TableStream, ...] = field(default=())


def plan(opening: Opening, header: Header) -> Plan:
    """Find all runs and items."""
    source = opening.files.main
    entries, offsets = [], []
    for element in header.elements:
        if element.kind == Kind.ANALOG:
            entry = _analog(opening, source, element)
            if entry is not None:
                entries.append(entry[0])
                offsets.append(entry[1])
    segments = Segments.of(entries, header.file.time_span)
    try:
        signals, members = signals_of(entries, segments, header.file.time_stamp_resolution)
    except (ValueError, OverflowError) as error:
        raise CorruptError(source.name, str(error), field="times of analog runs") from error
    repeated = {entry.label for entry in entries}
    items = [
        _FINDERS[element.kind](opening, source, element)
        for element in header.elements
        if element.kind in _FINDERS
        and not (element.kind == Kind.SEGMENT and element.label in repeated)
    ]
    resolution = header.file.time_stamp_resolution
    places = [
        placed(each.times, segments, 0.0 if each.is_epochs else resolution) for each in items
    ]  # epochs in seconds, so that their durations are exact
    return Plan(
        segments,
        signals,
        tuple(tuple(offsets[at] for at in group) for group in members),
        tuple(items),
        tuple(places),
        tuple(_table(n, *pair) for n, pair in enumerate(zip(items, places, strict=True))),
    )


def describe(header: Header, plan: Plan) -> RecordingInfo:
    """Build the descriptors."""
    facts = dict(file_facts(header.file))
    if header.information:
        facts["information"] = list(header.information)
    return RecordingInfo(
        segments=plan.segments.infos([items.times for items in plan.items]),
        blocks=(BlockInfo(annotations=facts, rec_datetime=date_of(header.file)),),
        signals=plan.signals,
        tables=plan.tables,
        software=header.file.app_name or None,
    )


def _analog(
    opening: Opening, source: ByteSource, element: Element
) -> tuple[AnalogEntry, NDArray[np.int64]] | None:
    """Find the runs of an analog entity; None where it can have no times."""
    info = AnalogInfo(**element.info)
    offsets, counts, times = chains.runs(source, element.start, element.stop, element.item_count)
    _compare(opening, element, int(counts.sum()), "samples")
    has_rate = is_rate(info.sample_rate)
    if not (has_rate and is_time(times).all()):
        if counts.size or has_rate:
            what = "times of its runs" if has_rate else f"rate of {info.sample_rate} Hz"
            reason = f"analog entity {element.number} ({element.label!r}): the {what} cannot be"
            error = CorruptError(source.name, reason, offset=element.start, field="sample_rate")
            opening.damaged(error, lost=int(counts.sum()))
        else:
            opening.note(f"analog entity {element.number} ({element.label!r}) is empty: left out")
        return None
    return AnalogEntry(element.number, element.label, info, counts, times), offsets


def _compare(opening: Opening, element: Element, there: int, what: str) -> None:
    """Note it where an element holds fewer items than it promises."""
    if there < element.item_count:
        opening.note(
            f"entity {element.number} ({element.label!r}) promises {element.item_count:,} {what}, "
            f"its element holds {there:,}",
            offset=element.start,
            field="item count",
            lost=element.item_count - there,
        )


def _events(opening: Opening, source: ByteSource, element: Element) -> Items:
    offsets = chains.event_items(source, element.start, element.stop, element.item_count)
    found = heads(source, offsets, ITEM[Kind.EVENT])
    _compare(opening, element, offsets.size, "events")
    return _sound(opening, source, element, offsets, found["time"], found["bytes"])


def _neural(opening: Opening, source: ByteSource, element: Element) -> Items:
    there = min(element.item_count, (element.stop - element.start) // 8)
    offsets = element.start + 8 * np.arange(there)
    times = source.array(element.start, ITEM[Kind.NEURAL], there)
    _compare(opening, element, there, "spikes")
    return _sound(opening, source, element, offsets, times, np.zeros(there, np.int64))


def _segments(opening: Opening, source: ByteSource, element: Element) -> Items:
    rows, offsets = _rows(source, element)
    found = heads(source, offsets, ITEM[Kind.SEGMENT])
    _compare(opening, element, offsets.size, "segments")
    return _sound(
        opening, source, element, offsets, found["time"], found["samples"], found["unit"], rows
    )


def _rows(source: ByteSource, element: Element) -> tuple[int, NDArray[np.int64]]:
    """Tell whether an item has a row for each source or one alone: by what fills the element."""
    sources, most = max(len(element.sources), 1), element.item_count
    place = element.start, element.stop
    equal = _rows_of_equal(source, element)
    for rows in dict.fromkeys((sources, 1)) if equal is None else (equal,):
        offsets = chains.segment_items(source, *place, most, rows)
        if offsets.size == most and _end(source, offsets, rows) == element.declared_stop:
            return rows, offsets
    rows = sources if equal is None else equal
    return rows, chains.segment_items(source, *place, most, rows)


def _rows_of_equal(source: ByteSource, element: Element) -> int | None:
    """Tell it for items that are all as long as the first; None where they are not."""
    head = ITEM[Kind.SEGMENT]
    if element.start + head.itemsize > element.stop:
        return None
    samples = int(source.array(element.start, head, 1)[0]["samples"])
    length = element.declared_stop - element.start
    for rows in (max(len(element.sources), 1), 1):
        if element.item_count * (head.itemsize + 8 * samples * rows) == length:
            return rows
    return None


def _end(source: ByteSource, offsets: NDArray[np.int64], rows: int) -> int:
    """Give the place after the last of some items."""
    if not offsets.size:
        return -1
    head = heads(source, offsets[-1:], ITEM[Kind.SEGMENT])[0]
    return int(offsets[-1]) + ITEM[Kind.SEGMENT].itemsize + 8 * rows * int(head["samples"])


def _sound(
    opening: Opening,
    source: ByteSource,
    element: Element,
    offsets: NDArray[np.int64],
    times: NDArray[np.float64],
    counts: NDArray[Any],
    units: NDArray[np.uint32] | None = None,
    rows: int = 1,
) -> Items:
    """Keep the items with times that can be."""
    good = is_time(times)
    if not good.all():
        first = int(offsets[np.flatnonzero(~good)[0]])
        lost = int(np.count_nonzero(~good))
        reason = f"entity {element.number} ({element.label!r}): {lost:,} times cannot be"
        opening.damaged(CorruptError(source.name, reason, offset=first, field="time"), lost=lost)
        offsets, times, counts = offsets[good], times[good], counts[good]
        units = None if units is None else units[good]
    if units is None:
        units = np.full(offsets.size, element.info.get("source_unit_id", 0), np.uint32)
    return Items(
        element,
        offsets,
        np.ascontiguousarray(times),
        counts.astype(np.int64),
        np.ascontiguousarray(units),
        rows,
    )


_FINDERS: Mapping[int, Callable[[Opening, ByteSource, Element], Items]] = {
    Kind.EVENT: _events,
    Kind.SEGMENT: _segments,
    Kind.NEURAL: _neural,
}


def _table(number: int, items: Items, place: Placed) -> TableStream:
    element, info = items.element, items.element.info
    table = Table(number, element.number, element.label, place)
    if element.kind == Kind.EVENT:
        if items.is_epochs:
            return table.epochs()
        return table.events(info["event_type"], info["csv_desc"], items.numbers)
    if element.kind == Kind.NEURAL:
        return table.times(NeuralInfo(**info))
    sources = [facts_of(SOURCE_INFO, record) for record in element.sources[: items.rows]]
    if items.are_samples:
        return table.samples(info["units"], sources)
    return table.waveforms(SegmentInfo(**info), sources, items.units, items.most_samples)
