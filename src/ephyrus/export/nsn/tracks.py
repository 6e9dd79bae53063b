"""What of a tree becomes one entity: the same signal, train or source of events in all segments."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.export.columns import signal_shape

if TYPE_CHECKING:
    from ephyrus.core import AnalogSignal, Block, Segment

__all__ = ["Track", "Tree", "rate_of", "seconds_of", "unit_of"]


def seconds_of(time: Any) -> float:
    """Give a time as a plain number of seconds."""
    return float(time.rescale("s").magnitude)


def rate_of(obj: Any) -> float:
    """Give a sampling rate as a plain number of Hz; 0 where there is none."""
    rate = getattr(obj, "sampling_rate", None)
    return 0.0 if rate is None else float(rate.rescale("Hz").magnitude)


def unit_of(quantity: Any, annotations: Mapping[str, Any] | None = None) -> str:
    """Give a unit as text: that of the file where it is not known; empty for none."""
    text = str(quantity.units.dimensionality.string)
    return str((annotations or {}).get("units_string", "")) if text == "dimensionless" else text


@dataclass(slots=True, eq=False)
class Track:
    """One entity, or one for each channel.

    Attributes
    ----------
    parts : list of (object, float)
        The objects in order of time, and seconds to be added to their times.
    stop : float
        End of the last of them in seconds.
    segment : int
        The segment of the last of them.
    """

    parts: list[tuple[Any, float]] = field(default_factory=list)
    stop: float = -np.inf
    segment: int = -1

    @property
    def first(self) -> Any:
        """The first object, which has the facts that all share."""
        return self.parts[0][0]


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """The segments of some blocks in one span of time.

    Attributes
    ----------
    segments : list of Segment
        In order.
    shifts : list of float
        Seconds to be added to the times of each: 0 unless it begins before the one before it ends.
    stop : float
        End of the last in seconds.
    """

    segments: list[Segment]
    shifts: list[float]
    stop: float

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> Tree:
        """Place the segments of some blocks."""
        segments = [segment for block in blocks for segment in block.segments]
        shifts, reached = [], -np.inf
        for segment in segments:
            begin, end = _extent(segment)
            slack = max((1 / rate_of(each) for each in segment.analogsignals), default=0.0)
            overlap = reached - begin
            shift = overlap if overlap > min(slack, (end - begin) / 2) else 0.0
            shifts.append(shift)
            reached = max(reached, end + shift)
        return cls(segments, shifts, float(reached) if np.isfinite(reached) else 0.0)

    @property
    def moved(self) -> int:
        """How many segments are moved."""
        return sum(1 for shift in self.shifts if shift)

    def signals(self) -> list[Track]:
        """Give the tracks of analog signals: runs of the same channels that do not overlap."""
        found: dict[Hashable, list[Track]] = {}
        for number, signal, shift in self._objects("analogsignals"):
            begin, end = _signal_extent(signal, shift)
            tracks = found.setdefault(_signal_key(signal), [])
            slack = 0.5 / rate_of(signal)
            track = next((each for each in tracks if each.stop <= begin + slack), None)
            if track is None:
                track = Track()
                tracks.append(track)
            track.parts.append((signal, shift))
            track.stop, track.segment = end, number
        return [track for tracks in found.values() for track in tracks]

    def others(self, children: str) -> list[Track]:
        """Give the tracks of a child list: objects of the same name, one of each segment."""
        found: dict[Hashable, list[Track]] = {}
        for number, obj, shift in self._objects(children):
            tracks = found.setdefault(_key(obj), [])
            track = next((each for each in tracks if each.segment < number), None)
            if track is None:
                track = Track()
                tracks.append(track)
            track.parts.append((obj, shift))
            track.segment = number
        return [track for tracks in found.values() for track in tracks]

    def _objects(self, children: str) -> Iterator[tuple[int, Any, float]]:
        pairs = zip(self.segments, self.shifts, strict=True)
        for number, (segment, shift) in enumerate(pairs):
            for obj in getattr(segment, children):
                yield number, obj, shift


def _extent(segment: Segment) -> tuple[float, float]:
    """Give begin and end of a segment in seconds, 0 for one without content."""
    begin, end = segment.t_start, segment.t_stop
    if begin is None or end is None:
        return 0.0, 0.0
    return seconds_of(begin), seconds_of(end)


def _signal_extent(signal: AnalogSignal, shift: float) -> tuple[float, float]:
    begin = seconds_of(signal.t_start) + shift
    return begin, begin + signal_shape(signal)[0] / rate_of(signal)


def _signal_key(signal: AnalogSignal) -> Hashable:
    names = tuple(map(str, signal.array_annotations.get("channel_names", ())))
    width = signal_shape(signal)[1]
    return signal.name, names, width, signal.units.dimensionality.string, rate_of(signal)


def _key(obj: Any) -> Hashable:
    """Tell objects apart that are not the same thing in another segment."""
    waveforms = getattr(obj, "waveforms", None)
    shape = None if waveforms is None else waveforms.shape[1:]
    unit = obj.annotations.get("unit_id", obj.annotations.get("id"))
    return obj.name, shape, rate_of(obj), str(unit), obj.annotations.get("event_type")
