"""Streams made of entities, as the Neuroshare interface and ``.nsn`` files have them.

An entity is one channel, or one source of events or spikes, with times in floating point seconds
in one time span. Channels that were sampled together become one stream; pauses that all analog
entities have in common (of triggered recordings, say) divide the recording into segments.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.words import frequency_text
from ephyrus.dll.interface import AnalogInfo, FileInfo
from ephyrus.recording.clock import as_fraction, exact_clock, seconds
from ephyrus.recording.grouping import (
    joint_stretches,
    segment_at,
    table_runs,
    time_ordered,
)
from ephyrus.recording.streams import (
    RUN_DTYPE,
    Channels,
    SegmentInfo,
    SignalStream,
    run_table,
)

__all__ = [
    "AnalogEntry",
    "Placed",
    "Segments",
    "date_of",
    "file_facts",
    "is_rate",
    "is_time",
    "placed",
    "signals_of",
]

LARGEST_TIME = 1e9  # seconds: 30 years
LEAST_RATE, LARGEST_RATE = 1e-6, 1e12  # Hz
_WHOLE = 1e-9  # of a clock: how far 1 / resolution may be from a whole number
_LARGEST_TICK = 2.0**53
_LARGEST_CLOCK = 2**53
_NANOSECONDS = 10**9


def is_time(seconds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which times a recording can have."""
    return np.isfinite(seconds) & (np.abs(np.nan_to_num(seconds)) <= LARGEST_TIME)


def is_rate(rate: float) -> bool:
    """Tell whether a rate (Hz) is one that a recording can have."""
    return math.isfinite(rate) and LEAST_RATE <= rate <= LARGEST_RATE


@dataclass(frozen=True, slots=True, eq=False)
class AnalogEntry:
    """An analog entity.

    Attributes
    ----------
    entity : int
        Its number.
    label : str
        Its name.
    info : AnalogInfo
        How it was recorded; see `is_rate`.
    counts : ndarray of int64, shape (runs,)
        Samples of each run.
    t_starts : ndarray of float64, shape (runs,)
        Times of their first samples in seconds; see `is_time`.
    """

    entity: int
    label: str
    info: AnalogInfo
    counts: NDArray[np.int64]
    t_starts: NDArray[np.float64]

    @property
    def t_stops(self) -> NDArray[np.float64]:
        """Times just after the last samples of the runs in seconds."""
        return self.t_starts + self.counts / self.info.sample_rate


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The stretches of time in which anything analog was recorded.

    Attributes
    ----------
    starts, stops : ndarray of float64, shape (segments,)
        Seconds, ascending; one stretch at least.
    early : float
        What an item may be too early and still belong to a stretch: half a sample, as times of
        the same moment can differ in their last digits.
    """

    starts: NDArray[np.float64]
    stops: NDArray[np.float64]
    early: float = 0.0

    @classmethod
    def of(cls, entries: Iterable[AnalogEntry], time_span: float) -> Segments:
        """Unite the runs of all analog entities; without any, take the time span of the file."""
        known = [entry for entry in entries if entry.counts.size]
        end = time_span if 0 < time_span <= LARGEST_TIME else 0.0
        if not known:
            return cls(np.zeros(1), np.array([end]))
        slack = max(1 / entry.info.sample_rate for entry in known)
        early = 0.5 / max(entry.info.sample_rate for entry in known)
        starts, stops = joint_stretches(
            np.concatenate([entry.t_starts for entry in known]),
            np.concatenate([entry.t_stops for entry in known]),
            1.5 * slack,
        )
        return cls(starts, stops, early)

    def at(self, times: NDArray[np.float64]) -> NDArray[np.intp]:
        """Give the segment in which each time falls."""
        return segment_at(times, self.starts - self.early)

    def infos(self, times: Sequence[NDArray[np.float64]]) -> tuple[SegmentInfo, ...]:
        """Describe the segments so that they reach around everything that happens in them."""
        low, high = self.starts.copy(), np.maximum(self.starts, self.stops)
        for each in times:
            if each.size:
                segments = self.at(each)
                np.minimum.at(low, segments, each)
                np.maximum.at(high, segments, each)
        return tuple(SegmentInfo(float(a), float(b)) for a, b in zip(low, high, strict=True))


def signals_of(
    entries: Sequence[AnalogEntry], segments: Segments, resolution: float
) -> tuple[tuple[SignalStream, ...], tuple[tuple[int, ...], ...]]:
    """Make streams of the analog entities; those with equal rate and runs are one stream.

    Returns
    -------
    streams : tuple of SignalStream
    members : tuple of tuple of int
        Positions in `entries` of the channels of each stream.

    Raises
    ------
    ValueError, OverflowError
        If a time of a run is none that a clock can have.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for position, entry in enumerate(entries):
        key = entry.info.sample_rate, entry.counts.tobytes(), entry.t_starts.tobytes()
        groups.setdefault(key, []).append(position)
    streams = tuple(
        _stream(number, [entries[at] for at in positions], segments, resolution)
        for number, positions in enumerate(groups.values())
    )
    return streams, tuple(map(tuple, groups.values()))


def _stream(
    number: int, entries: Sequence[AnalogEntry], segments: Segments, resolution: float
) -> SignalStream:
    first = entries[0]
    clock, ticks = _clock_of_runs(first.t_starts, resolution)
    middles = first.t_starts + np.minimum(0.5, first.counts / 2) / first.info.sample_rate
    alone = len(entries) == 1
    return SignalStream(
        index=number,
        id=str(first.entity),
        name=first.label if alone else f"Analog ({frequency_text(first.info.sample_rate)})",
        length=int(first.counts.sum()),
        dtype=np.dtype("<f8"),
        rate=as_fraction(first.info.sample_rate),
        channels=Channels.table(
            [entry.label for entry in entries],
            ids=[str(entry.entity) for entry in entries],
            units=[entry.info.units for entry in entries],
            extra=_facts([entry.info for entry in entries]),
        ),
        runs=run_table(first.counts, ticks, segments.at(middles))
        if first.counts.size
        else np.zeros(0, RUN_DTYPE),
        clock=clock,
    )


def _facts(infos: Sequence[AnalogInfo]) -> dict[str, NDArray[Any]]:
    """Give range, place and filters of channels, one array for each fact."""
    rows = [asdict(info) for info in infos]
    names = [name for name in rows[0] if name not in ("sample_rate", "units")]
    return {name: np.array([row[name] for row in rows]) for name in names}


def _clock_of_runs(
    times: NDArray[np.float64], resolution: float
) -> tuple[Fraction, NDArray[np.int64]]:
    """Give a clock on which runs begin at whole ticks, that of the file where it has them all."""
    clock = _file_clock(times, resolution)
    if clock is not None:
        return clock, np.rint(times * float(clock)).astype(np.int64)
    exact, ticks = exact_clock(times.tolist())
    if exact > _LARGEST_CLOCK:  # some time is next to nothing, and is given as nothing
        return Fraction(_NANOSECONDS), np.rint(times * _NANOSECONDS).astype(np.int64)
    return exact, ticks


def _file_clock(times: NDArray[np.float64], resolution: float) -> Fraction | None:
    """Give the clock of the file's resolution, if it gives each of some times to the last digit."""
    if not (math.isfinite(resolution) and 0 < 1 / max(resolution, 1e-300) < _LARGEST_TICK):
        return None
    per_second = 1 / resolution
    whole = round(per_second)
    if whole < 1 or abs(per_second - whole) > _WHOLE * per_second:
        return None
    ticks = np.rint(times * whole)
    if np.abs(ticks).max(initial=0) >= _LARGEST_TICK:
        return None
    clock = Fraction(whole)
    return clock if np.array_equal(seconds(ticks.astype(np.int64), clock), times) else None


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Items of a table in segments.

    Attributes
    ----------
    ticks : ndarray of int64 or float64, shape (items,)
        Times in the order of the stream.
    clock : Fraction
        Ticks per second; 1 where ticks are seconds.
    runs : ndarray of RUN_DTYPE
        One for each segment that has items.
    order : ndarray of intp or None
        Position in the file of each item of the stream; None: as they are.
    """

    ticks: NDArray[Any]
    clock: Fraction
    runs: NDArray[Any]
    order: NDArray[np.intp] | None

    def rows(self, start: int, stop: int) -> NDArray[np.intp]:
        """Give the positions in the file of items [start, stop)."""
        return np.arange(start, stop) if self.order is None else self.order[start:stop]

    def chosen(self, column: NDArray[Any]) -> NDArray[Any]:
        """Bring a column of the file into the order of the stream."""
        return column if self.order is None else column[self.order]


def placed(times: NDArray[np.float64], segments: Segments, resolution: float) -> Placed:
    """Put items, whose times (s) can be, into segments, in order of time."""
    where = segments.at(times)
    order = time_ordered(times, where)
    if order is not None:
        times, where = times[order], where[order]
    clock = _file_clock(times, resolution)
    per_second = 1 if clock is None else int(clock)
    limit = np.abs(segments.starts * per_second) < _LARGEST_TICK
    begins = np.floor(np.where(limit, segments.starts * per_second, 0)).astype(np.int64)
    ticks = times if clock is None else np.rint(times * per_second).astype(np.int64)
    return Placed(ticks, clock or Fraction(1), table_runs(where, begins), order)


def date_of(info: FileInfo) -> datetime | None:
    """Give when the recording began; None where the file says no date.

    A month of 0 is that of old writers, which count from 0.
    """
    month = info.month + 1 if info.month == 0 and info.year else info.month
    try:
        day = datetime(info.year, month, info.day, info.hour, info.minute, info.second)
        return day + timedelta(milliseconds=info.millisecond)
    except (ValueError, OverflowError):
        return None


def file_facts(info: FileInfo) -> Mapping[str, Any]:
    """Give what a file says of itself, as annotations."""
    facts = {"file_type": info.file_type, "comment": info.comment}
    return {key: value for key, value in facts.items() if value}
