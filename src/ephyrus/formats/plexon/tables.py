"""Spikes and events: one table per channel, cut into segments by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError
from ephyrus.formats.plexon.blocks import EVENT, SPIKE, Blocks
from ephyrus.formats.plexon.layout import (
    BLOCK,
    STROBED,
    Header,
    channel_facts,
    described_groups,
    known_groups,
    listed,
    millivolt,
    text,
)
from ephyrus.recording import (
    ByteSource,
    Opening,
    TableStream,
    Unit,
    Waveforms,
    columns,
    padded_rows,
    rows,
    run_table,
    seconds,
    segment_at,
    unit_counts,
)

SAMPLE = np.dtype("<i2")
NOWHERE = slice(0, 0)
MOST_TRAINS = 2**22  # of a channel
_SPIKE_FACTS = ("gain", "filter", "threshold", "reference", "method")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The spikes or events of one channel.

    Attributes
    ----------
    kind : int
        `SPIKE` or `EVENT`.
    number : int
        Channel number.
    name : str
        Its name.
    place : slice
        Its blocks.
    runs : ndarray of RUN_DTYPE
        Its items in each segment.
    facts : mapping
        Annotations.
    units : tuple of int
        Units that occur (spikes).
    counts : ndarray of int64, shape (units, runs)
        Spikes of each unit in each run.
    shape : (int, int)
        Waveforms of a spike and words of each; (0, 0): there are none.
    is_even : bool
        All blocks have waveforms of this shape; else one each, of different lengths.
    gain : float
        Millivolt per count.
    has_words : bool
        Events carry digital words.
    """

    kind: int
    number: int
    name: str
    place: slice
    runs: NDArray[Any]
    facts: Mapping[str, Any]
    units: tuple[int, ...] = ()
    counts: NDArray[np.int64] | None = None
    shape: tuple[int, int] = (0, 0)
    is_even: bool = True
    gain: float = 1.0
    has_words: bool = False


def find_tables(
    opening: Opening, header: Header, blocks: Blocks, segment_starts: NDArray[np.int64]
) -> tuple[Table, ...]:
    """Find the spikes of each channel that has some, and the events of each event channel."""
    spike_groups, spikes = described_groups(
        opening, "spike", header.spike_channels, blocks.groups(SPIKE)
    )
    events: dict[int, list[Any]] = {}  # some files have several inputs of one number
    for row in header.event_channels:
        events.setdefault(int(row["channel"]), []).append(row)
    event_groups = dict(known_groups(opening, "event", events, blocks.groups(EVENT)))
    _note_strangers(opening, "spike", [number for number, _ in spike_groups], spikes)
    _note_strangers(opening, "event", list(event_groups), events)
    _note_spike_gains(opening, header, [spikes.get(number) for number, _ in spike_groups])
    tables = [
        _spikes(opening, header, blocks, segment_starts, number, place, spikes.get(number))
        for number, place in spike_groups
    ]
    event_groups = {**dict.fromkeys(events, NOWHERE), **event_groups}
    tables += [
        _events(opening, header, blocks, segment_starts, number, place, events.get(number, []))
        for number, place in event_groups.items()
    ]
    return tuple(tables)


def _note_strangers(
    opening: Opening, kind: str, numbers: Sequence[int], known: Mapping[int, Any]
) -> None:
    strangers = [number for number in numbers if number not in known]
    if strangers:
        opening.note(
            f"{kind} channels {listed(strangers)} have data and no header; they are named by "
            "their number" + (", with a gain of 1" if kind == "spike" else ""),
            field=f"{kind} channel header",
        )


def _note_spike_gains(opening: Opening, header: Header, found: Sequence[Any]) -> None:
    without = [int(row["channel"]) for row in found if row is not None and row["gain"] == 0]
    if without:
        opening.note(
            f"spike channels {listed(without)} have data and a gain of 0; 1 is assumed",
            field="spike channel header",
        )
    if found and header.spikes.lacks_gain:
        opening.note(
            "a gain of 0 of the spike preamplifier; 1 is assumed",
            offset=208,
            field="spike preamplifier gain",
        )


def _spikes(
    opening: Opening,
    header: Header,
    blocks: Blocks,
    segment_starts: NDArray[np.int64],
    number: int,
    place: slice,
    row: Any,
) -> Table:
    """Find segments, units and the size of waveforms of a channel's spikes."""
    runs = _runs(blocks.tick[place], segment_starts)
    values = blocks.unit[place]
    totals = np.bincount(values)
    units = np.flatnonzero(totals).tolist()
    shape, is_even = _waveform_shape(opening, number, blocks.waves[place], blocks.words[place])
    _check_trains(opening, number, int(blocks.offset[place.start]), len(units) * len(runs))
    return Table(
        kind=SPIKE,
        number=number,
        name=_name(number, row),
        place=place,
        runs=runs,
        facts=_spike_facts(header, row),
        units=tuple(units),
        counts=totals[units, np.newaxis] if len(runs) == 1 else unit_counts(values, units, runs),
        shape=shape,
        is_even=is_even,
        gain=millivolt(header.spikes, 1 if row is None else int(row["gain"]), 1),
    )


def _check_trains(opening: Opening, number: int, offset: int, trains: int) -> None:
    """Refuse units and segments of which every spike has its own: no recording is so."""
    if trains > MOST_TRAINS:
        raise CorruptError(
            opening.files.main.name,
            f"spike channel {number} has {trains:,} trains (units times segments), at most "
            f"{MOST_TRAINS:,}",
            offset=offset,
            field="block",
        )


def _events(
    opening: Opening,
    header: Header,
    blocks: Blocks,
    segment_starts: NDArray[np.int64],
    number: int,
    place: slice,
    found: Sequence[Any],
) -> Table:
    """Find the events of a number; inputs that share it cannot be told apart."""
    row = found[0] if found else None
    facts: dict[str, Any] = {"channel_id": number}
    if row is not None:
        facts |= channel_facts(row, header.version)
    if len(found) > 1:
        facts["other_names"] = [text(other["name"]) for other in found[1:]]
        if place != NOWHERE:
            opening.note(
                f"event channel {number} is that of {len(found)} inputs, "
                f"{', '.join(text(each['name']) for each in found)}; its events are given as those "
                "of the first",
                field="event channel header",
            )
    return Table(
        kind=EVENT,
        number=number,
        name=_name(number, row),
        place=place,
        runs=_runs(blocks.tick[place], segment_starts),
        facts=facts,
        has_words=number == STROBED or bool(blocks.unit[place].any()),
    )


def _name(number: int, row: Any) -> str:
    return f"ch{number}" if row is None else text(row["name"])


def _spike_facts(header: Header, row: Any) -> dict[str, Any]:
    if row is None:
        return {}
    facts: dict[str, Any] = {name: int(row[name]) for name in _SPIKE_FACTS}
    if text(row["sig_name"]):
        facts["sig_name"] = text(row["sig_name"])
    return facts | channel_facts(row, header.version)


def _runs(ticks: NDArray[np.int64], segment_starts: NDArray[np.int64]) -> NDArray[Any]:
    """Cut ordered times into segments; those before the first segment belong to it."""
    if ticks.size < segment_starts.size:
        there, counts = np.unique(segment_at(ticks, segment_starts), return_counts=True)
    else:
        cuts = np.searchsorted(ticks, segment_starts[1:], "left")
        counts = np.append(cuts, ticks.size) - np.append(0, cuts)
        there = np.flatnonzero(counts)
        counts = counts[there]
    return run_table(counts, segment_starts[there], there)


def _waveform_shape(
    opening: Opening, number: int, waves: NDArray[np.uint16], words: NDArray[np.uint16]
) -> tuple[tuple[int, int], bool]:
    """Give the shape of a channel's waveforms, (0, 0) if not all spikes have one; if all have it.

    Of different lengths the most frequent one is taken.
    """
    shape = int(waves[0]), int(words[0])
    if (waves == shape[0]).all() and (words == shape[1]).all():
        return (shape if all(shape) else (0, 0)), True
    if (waves == 1).all() and words.all():
        common = int(np.bincount(words).argmax())
        opening.note(
            f"spike channel {number}: its waveforms differ in length; all are given {common} "
            "samples, with zeros at the end of shorter ones",
            field="block",
            lost=int(np.count_nonzero(words > common)),
        )
        return (1, common), False
    some = np.count_nonzero(waves.astype(np.int64) * words)
    if some:
        opening.note(
            f"spike channel {number}: not all of its {waves.size:,} spikes have waveforms, or not "
            f"as many; times only are given, {some:,} waveforms are not",
            field="block",
            lost=int(some),
        )
    return (0, 0), True


def reach(
    tables: Sequence[Table], blocks: Blocks, clock: Fraction, stops: NDArray[np.float64]
) -> None:
    """Move the ends of segments (s, in place) behind all spikes and events in them."""
    for table in tables:
        runs = table.runs
        last = blocks.tick[table.place][runs["first"] + runs["count"] - 1]
        np.maximum.at(stops, runs["segment"], seconds(last, clock))


def describe_tables(header: Header, tables: Sequence[Table]) -> tuple[TableStream, ...]:
    """Describe the tables."""
    describers = {SPIKE: _describe_spikes, EVENT: _describe_events}
    return tuple(describers[table.kind](header, index, table) for index, table in enumerate(tables))


def _describe_spikes(header: Header, index: int, table: Table) -> TableStream:
    made: dict[str, Any] = {"tick": "<i8", "unit": "<i4"}
    waveforms = None
    if all(table.shape):
        made["waveform"] = (SAMPLE, table.shape)
        left = Fraction(header.points_before) / header.waveform_rate
        waveforms = Waveforms(header.waveform_rate, left, "mV", table.gain)
    return TableStream(
        index=index,
        id=f"ch{table.number}",
        name=table.name,
        kind="spikes",
        length=table.place.stop - table.place.start,
        columns=columns(**made),
        clock=header.clock,
        runs=table.runs,
        units=tuple(_unit(table, unit) for unit in table.units),
        unit_counts=np.zeros((0, 0), np.int64) if table.counts is None else table.counts,
        waveforms=waveforms,
        annotations=table.facts,
    )


def _unit(table: Table, unit: int) -> Unit:
    facts = {"channel_id": table.number, "unit_id": unit}
    return Unit(unit, table.name, f"ch{table.number}#{unit}", facts)


def _describe_events(header: Header, index: int, table: Table) -> TableStream:
    made: dict[str, Any] = {"tick": "<i8", "label": object}
    if table.has_words:
        made["word"] = "<u2"
    return TableStream(
        index=index,
        id=f"event{table.number}",
        name=table.name,
        kind="events",
        length=table.place.stop - table.place.start,
        columns=columns(**made),
        clock=header.clock,
        runs=table.runs,
        annotations=table.facts,
    )


def read_items(
    source: ByteSource, blocks: Blocks, table: Table, chosen: Any, names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Give columns of the chosen items (a slice or positions) of a table."""
    return {name: _column(source, blocks, table, chosen, name) for name in names}


def _column(
    source: ByteSource, blocks: Blocks, table: Table, chosen: Any, name: str
) -> NDArray[Any]:
    """Give one column of the chosen items."""
    if name == "tick":
        ticks: NDArray[np.int64] = blocks.tick[table.place][chosen]
        return ticks
    if name == "waveform":
        offsets: NDArray[np.int64] = blocks.offset[table.place][chosen] + BLOCK.itemsize
        if table.is_even:
            return _waveforms(source, table, offsets)
        counts = blocks.words[table.place][chosen]
        return padded_rows(source, offsets, SAMPLE, counts, table.shape[1])[:, np.newaxis]
    units: NDArray[np.uint16] = blocks.unit[table.place][chosen]
    if name == "label":
        return _labels(table, units)
    return units.astype(np.int32) if name == "unit" else units


def _labels(table: Table, words: NDArray[np.uint16]) -> NDArray[Any]:
    """Give words as texts; that of an input without words is empty."""
    values, which = np.unique(words, return_inverse=True)
    texts = [str(word) if word or table.number == STROBED else "" for word in values.tolist()]
    return np.array(texts, object)[which]


def _waveforms(source: ByteSource, table: Table, offsets: NDArray[np.int64]) -> NDArray[Any]:
    waves, words = table.shape
    found = rows(source, offsets, SAMPLE, waves * words)
    return found.reshape(offsets.size, waves, words)
