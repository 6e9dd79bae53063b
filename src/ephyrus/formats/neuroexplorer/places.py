"""Where the data of the variables lie, and how they go together to streams."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.words import free_name
from ephyrus.formats.neuroexplorer.header import Header, UnusableError, Variable, left_out
from ephyrus.formats.neuroexplorer.layout import FIELD_NAME_BYTES, WEIGHT, Kind
from ephyrus.recording import (
    ByteSource,
    Opening,
    decode,
    joint_stretches,
    run_table,
    segment_at,
    time_ordered,
)

__all__ = ["Index", "Part", "Signal", "Table", "find"]

LONGEST = 2.0**62  # ticks of a stretch
MOST_POINTS = 2**62  # what numbers of samples are compared with; files have fewer
LONGEST_ITEM = 2**30  # bytes of one waveform or marker value: what a type can hold
MOST_SHARED = 4  # times the bytes of the file that all variables together may claim
MOST_FIELDS = 2**14  # of the markers of a file
RESERVED = ("tick", "unit", "label", "duration", "waveform", "value")  # columns with a meaning
NOUNS = {Kind.CONTINUOUS: "samples", Kind.POPULATION: "weights"}


@dataclass(frozen=True, slots=True)
class Part:
    """An array in the file: items of `width` values of `dtype`, from a byte on."""

    offset: int
    dtype: np.dtype[Any]
    width: int = 1

    @property
    def item_bytes(self) -> int:
        """Bytes of one item."""
        return self.dtype.itemsize * self.width

    def whole_items(self, source: ByteSource, count: int) -> int:
        """Give how many of `count` items the file can hold."""
        if not self.item_bytes:
            return count
        return min(count, max(source.size - self.offset, 0) // self.item_bytes)

    def read(self, source: ByteSource, start: int, stop: int, field: str) -> NDArray[Any]:
        """Look at items [start, stop), shape (stop - start, width)."""
        place, count = self.offset + start * self.item_bytes, (stop - start) * self.width
        if not count:  # the offset of nothing may be anything
            return np.empty((stop - start, self.width), self.dtype)
        return source.array(place, self.dtype, count, field=field).reshape(stop - start, self.width)


@dataclass(frozen=True, slots=True)
class Table:
    """A variable whose items have times of their own.

    Attributes
    ----------
    variable : Variable
        Its header.
    count : int
        Items that are read.
    parts : mapping of str to Part
        ``tick``; ``end`` of intervals; ``waveform``; the fields of markers by their names.
    fields : tuple of str
        Names of the fields of markers, in order.
    """

    variable: Variable
    count: int
    parts: Mapping[str, Part]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Continuous:
    """A continuous variable: its samples, and the runs they make.

    Attributes
    ----------
    variable : Variable
        Its header.
    samples : Part
        Where they lie.
    ticks, counts : ndarray of int64, shape (runs,)
        Time of the first sample, and number of samples, of each stretch without a gap.
    """

    variable: Variable
    samples: Part
    ticks: NDArray[np.int64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """Continuous variables of equal rate, start and length.

    Attributes
    ----------
    members : tuple of Continuous
        One per channel.
    runs : ndarray of RUN_DTYPE
        Their runs.
    """

    members: tuple[Continuous, ...]
    runs: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Everything that is found before data are read.

    Attributes
    ----------
    signals : tuple of Signal
        Continuous variables, grouped.
    tables : tuple of Table
        Variables with times.
    runs : tuple of ndarray of RUN_DTYPE
        Of each table.
    orders : mapping of int to ndarray of int64
        For tables whose times are not sorted in the file, the order that sorts them.
    segments : ndarray of int64, shape (segments, 2)
        First and last time stamp of the tables in each segment; empty segments go backwards.
    weights : mapping of str to ndarray of float64
        Population vectors.
    """

    signals: tuple[Signal, ...]
    tables: tuple[Table, ...]
    runs: tuple[NDArray[Any], ...]
    orders: Mapping[int, NDArray[np.int64]]
    segments: NDArray[np.int64]
    weights: Mapping[str, NDArray[np.float64]]


class Claims:
    """What variables take of the file.

    Their data are apart in sound files, or shared by a few. Headers that all claim the whole file
    would make any number of times its bytes of it.

    Parameters
    ----------
    opening : Opening
        Tells the size of the file, and whether variables are read that are not whole in it.
    """

    def __init__(self, opening: Opening) -> None:
        self._size = opening.files.main.size
        self._salvage = opening.salvage
        self._bytes = MOST_SHARED * self._size
        self._fields = MOST_FIELDS

    def take(self, variable: Variable) -> None:
        """Count a variable.

        Raises
        ------
        UnusableError
            If the variables claim more than they may, this one included.
        """
        fields = variable.fields if variable.kind == Kind.MARKER else 0
        if fields > self._fields:
            raise UnusableError(f"its {fields:,} fields are more than markers have")
        needed, there = variable.data_bytes, max(self._size - variable.offset, 0)
        if needed > there:
            needed = there if self._salvage else 0  # nothing of it will be read
        if needed > self._bytes:
            raise UnusableError(
                f"the variables before it claim {MOST_SHARED} times the bytes of the file already"
            )
        self._bytes -= needed
        self._fields -= fields


def find(opening: Opening, header: Header) -> Index:
    """Find the data of all variables; of the data themselves, only time stamps are read.

    Raises
    ------
    FormatError
        If the file ends while it is read.
    """
    continuous: list[Continuous] = []
    tables: list[Table] = []
    weights: dict[str, NDArray[np.float64]] = {}
    claims = Claims(opening)
    for variable in header.variables:
        try:
            claims.take(variable)
            if variable.kind == Kind.CONTINUOUS:
                continuous += _continuous(opening, header, variable)
            elif variable.kind == Kind.POPULATION:
                name = _own_name(variable.name, variable.number, weights)
                weights[name] = _weights(opening, header, variable)
            else:
                tables.append(_table(opening, header, variable))
        except UnusableError as error:
            is_signal = variable.kind == Kind.CONTINUOUS
            lost = variable.points if is_signal else variable.count
            left_out(opening, variable.name, variable.place, error, lost)
    starts = _segment_starts(header, continuous)
    times = opening.cached("times", lambda: _times(opening, tables, starts))
    edges = np.searchsorted(times["owner"], np.arange(len(tables) + 1)).tolist()
    parts = [slice(low, high) for low, high in pairwise(edges)]
    counts, segments = times["count"], times["segment"]
    return Index(
        signals=tuple(_signals(continuous, starts)),
        tables=tuple(tables),
        runs=tuple(run_table(counts[at], starts[segments[at]], segments[at]) for at in parts),
        orders={at: times[f"order_{at}"] for at in range(len(tables)) if f"order_{at}" in times},
        segments=np.column_stack([times["first"], times["last"]]),
        weights=weights,
    )


def _whole(
    opening: Opening, header: Header, variable: Variable, parts: Iterable[Part], count: int
) -> int:
    """Give how many of `count` items the file holds; strict reading wants all."""
    source = opening.files.main
    if count and variable.offset < header.end:
        raise UnusableError(f"its data would begin at byte {variable.offset}, within the headers")
    whole = min(part.whole_items(source, count) for part in parts)
    if whole < count:
        noun = NOUNS.get(variable.kind, "items")
        reason = (
            f"{count:,} {noun} from byte {variable.offset:,} on do not fit in the file of "
            f"{source.size:,} bytes"
        )
        if not opening.salvage or not whole:
            raise UnusableError(reason)
        opening.note(
            f"{reason}: the first {whole:,} are read",
            offset=variable.place,
            field=variable.name,
            lost=count - whole,
        )
    return whole


# Variables with times


def _table(opening: Opening, header: Header, variable: Variable) -> Table:
    """Find the arrays of neurons, events, intervals, waveforms and markers."""
    ticks = Part(variable.offset, variable.tick)
    parts = {"tick": ticks}
    behind = variable.offset + variable.count * ticks.item_bytes
    fields: tuple[str, ...] = ()
    if variable.kind == Kind.INTERVAL:
        parts["end"] = Part(behind, variable.tick)
    elif variable.kind == Kind.WAVEFORM and variable.points:
        parts["waveform"] = Part(behind, variable.value, variable.points)
    elif variable.kind == Kind.MARKER:
        is_there = variable.count or variable.offset >= header.end
        found = _fields(opening.files.main, variable, behind) if is_there else {}
        parts |= found
        fields = tuple(found)
    if max(part.item_bytes for part in parts.values()) > LONGEST_ITEM:
        raise UnusableError("an item of it is longer than 1 GiB")
    count = _whole(opening, header, variable, parts.values(), variable.count)
    return Table(variable, count, parts, fields)


def _fields(source: ByteSource, variable: Variable, place: int) -> dict[str, Part]:
    """Find the fields of markers: each is a name and the values of all markers."""
    dtype = np.dtype("<u4") if variable.has_numbers else np.dtype("u1")
    width = variable.field_bytes // dtype.itemsize
    values = variable.count * variable.field_bytes
    step = FIELD_NAME_BYTES + values
    if place + variable.fields * step > source.size + values:
        raise UnusableError(f"{variable.fields} fields do not fit in the file")
    fields: dict[str, Part] = {}
    for number in range(variable.fields):
        raw = source.read_at(place + number * step, FIELD_NAME_BYTES, field=variable.name)
        name = decode(raw.split(b"\0", 1)[0]).strip() or f"field_{number}"
        name = _own_name(free_name(name, (*RESERVED, "end")), number, fields)
        fields[name] = Part(place + number * step + FIELD_NAME_BYTES, dtype, width)
    return fields


def _own_name(name: str, number: int, taken: Container[str]) -> str:
    """Give a name that is not taken; underscores alone would grow with each of the same name."""
    return free_name(f"{name}_{number}", taken) if name in taken else name


def _times(
    opening: Opening, tables: list[Table], starts: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Read all time stamps once: their order, and the items of each table in each segment."""
    first = np.full(starts.size, np.iinfo(np.int64).max)
    last = np.full(starts.size, np.iinfo(np.int64).min)
    nothing = np.empty(0, np.int64)
    owners, segments, counts, orders = [nothing], [nothing], [nothing], {}
    for number, table in enumerate(tables):
        ticks = _ticks(opening.files.main, table)
        order = time_ordered(ticks)
        if order is not None:
            orders[f"order_{number}"] = order
            ticks = ticks[order]
            opening.note(
                "the time stamps are not in order: they are sorted",
                offset=table.variable.offset,
                field=table.variable.name,
            )
        cuts = _cuts(ticks, starts)
        there = np.flatnonzero(cuts[1:] - cuts[:-1])
        first[there] = np.minimum(first[there], ticks[cuts[there]])
        last[there] = np.maximum(last[there], ticks[cuts[there + 1] - 1])
        owners.append(np.full(there.size, number))
        segments.append(there)
        counts.append(cuts[there + 1] - cuts[there])
    columns = {"owner": owners, "segment": segments, "count": counts}
    found = {name: np.concatenate(parts) for name, parts in columns.items()}
    return {**found, "first": first, "last": last, **orders}


def _cuts(ticks: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the first item of each segment, and the number of items."""
    cuts = np.zeros(starts.size + 1, np.int64)
    if starts.size > 1:
        cuts[1:-1] = np.searchsorted(ticks, starts[1:])
    cuts[-1] = ticks.size
    return cuts


def _ticks(source: ByteSource, table: Table) -> NDArray[Any]:
    return table.parts["tick"].read(source, 0, table.count, table.variable.name)[:, 0]


def _weights(opening: Opening, header: Header, variable: Variable) -> NDArray[np.float64]:
    """Read a population vector."""
    part = Part(variable.offset, WEIGHT)
    whole = _whole(opening, header, variable, [part], variable.count)
    return part.read(opening.files.main, 0, whole, variable.name)[:, 0].astype(np.float64)


# Continuous variables


def _continuous(opening: Opening, header: Header, variable: Variable) -> Iterator[Continuous]:
    """Find the samples and the stretches of a continuous variable, unless it is empty."""
    if not variable.count or not variable.points:
        return
    source, fragments = opening.files.main, variable.count
    ticks = Part(variable.offset, variable.tick)
    indexes = Part(ticks.offset + fragments * ticks.item_bytes, variable.index)
    samples = Part(indexes.offset + fragments * indexes.item_bytes, variable.value)
    if indexes.whole_items(source, fragments) < fragments:
        raise UnusableError(f"{fragments:,} fragments do not fit in the file")
    points = _whole(opening, header, variable, [samples], variable.points)
    starts = ticks.read(source, 0, fragments, variable.name)[:, 0].astype(np.int64)
    begins = indexes.read(source, 0, fragments, variable.name)[:, 0].astype(np.int64)
    if fragments == 1 and begins[0] == 0:
        yield Continuous(variable, samples, starts, np.array([points]))
        return
    bounds = np.append(begins, min(variable.points, MOST_POINTS))
    if begins[0] != 0 or np.any(bounds[1:] < bounds[:-1]):
        raise UnusableError(
            "its fragments do not begin at increasing sample numbers from 0 to "
            f"{variable.points:,}: {', '.join(map(str, begins[:4].tolist()))}, ..."
        )
    counts = np.diff(np.minimum(bounds, points))
    filled = np.flatnonzero(counts)
    starts, counts = starts[filled], counts[filled]
    firsts = _run_firsts(starts, counts, float(header.clock) / variable.rate)
    yield Continuous(variable, samples, starts[firsts], np.add.reduceat(counts, firsts))


def _run_firsts(
    starts: NDArray[np.int64], counts: NDArray[np.int64], period: float
) -> NDArray[np.intp]:
    """Give the fragments that do not follow the one before within half a sample of `period` ticks.

    Differences are taken before anything becomes a float: ticks may have more than 53 bits.
    """
    late = np.diff(starts) - counts[:-1] * period
    return np.concatenate(([0], np.flatnonzero(np.abs(late) >= period / 2) + 1))


def _segment_starts(header: Header, continuous: list[Continuous]) -> NDArray[np.int64]:
    """Give the tick at which each segment begins: after the pauses of all continuous variables."""
    if not continuous:
        return np.array([header.first_tick or 0], np.int64)
    periods = [float(header.clock) / each.variable.rate for each in continuous]
    starts = np.concatenate([each.ticks for each in continuous])
    stops = np.concatenate(
        [
            each.ticks + np.minimum(np.rint(each.counts * period), LONGEST).astype(np.int64)
            for each, period in zip(continuous, periods, strict=True)
        ]
    )
    begins, _ = joint_stretches(starts, stops, min(periods) / 2)
    return np.asarray(begins, np.int64)


def _signals(continuous: list[Continuous], starts: NDArray[np.int64]) -> Iterator[Signal]:
    """Group variables that have the same rate, type and runs."""
    groups: dict[Any, list[Continuous]] = {}
    for each in continuous:
        variable = each.variable
        key = variable.rate, variable.value, each.ticks.tobytes(), each.counts.tobytes()
        groups.setdefault(key, []).append(each)
    for members in groups.values():
        ticks = members[0].ticks
        runs = run_table(members[0].counts, ticks, segment_at(ticks, starts))
        yield Signal(tuple(members), runs)
