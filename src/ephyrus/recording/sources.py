"""What lazy objects of a recording read through (the protocols of `ephyrus.core.lazy`).

A source names a place in a recording: a stream, a run, channels or a unit. It holds no data and
pickles with the recording's recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.core.lazy import Points
from ephyrus.recording.arena import Allocate
from ephyrus.recording.clock import seconds, ticks_at
from ephyrus.recording.scale import scaled, scaled_dtype, single_gain

if TYPE_CHECKING:
    from ephyrus.recording.recording import Recording
    from ephyrus.recording.streams import SignalStream, TableStream

__all__ = ["RunSignal", "TableItems"]


@dataclass(frozen=True, slots=True)
class RunSignal:
    """A run of a signal stream, or some of its channels.

    Attributes
    ----------
    recording : Recording
        Where it is read from.
    stream : int
        Position among the recording's signals (or stimuli).
    run : int
        Position among the stream's runs.
    channels : tuple of int or None
        Channel positions; None: all.
    is_stimulus : bool
        The stream is one of the recording's stimuli.
    """

    recording: Recording
    stream: int
    run: int
    channels: tuple[int, ...] | None = None
    is_stimulus: bool = False

    @property
    def _stream(self) -> SignalStream:
        streams = self.recording.stimuli if self.is_stimulus else self.recording.signals
        return streams[self.stream]

    @property
    def shape(self) -> tuple[int, ...]:
        """True shape: (time, channel) or (frame, row, column)."""
        stream = self._stream
        items = stream.item_shape if self.channels is None else (len(self.channels),)
        return int(stream.runs["count"][self.run]), *items

    @property
    def dtype(self) -> np.dtype[Any]:
        """Float type of the values in physical units."""
        return scaled_dtype(self._stream.dtype)

    def read(
        self,
        start: int,
        stop: int,
        channels: NDArray[np.intp] | None,
        *,
        allocate: Allocate = np.empty,
    ) -> NDArray[Any]:
        """Read samples [start, stop) of the run in physical units."""
        stream = self._stream
        first = int(stream.runs["first"][self.run])
        positions = self._positions(channels)
        return self.recording.read_scaled(
            stream, first + start, first + stop, positions, allocate=allocate
        )

    def read_raw(
        self, start: int, stop: int, channels: NDArray[np.intp] | None
    ) -> tuple[NDArray[Any], float]:
        """Read stored numbers and the one gain that makes them physical."""
        stream, positions = self._stream, self._positions(channels)
        picked = slice(None) if positions is None else positions
        gain = single_gain(stream.channels.gain[picked], stream.channels.offset[picked])
        first = int(stream.runs["first"][self.run])
        raw = self.recording.read_signal(stream, first + start, first + stop, positions)
        return np.array(raw), gain

    def _positions(self, channels: NDArray[np.intp] | None) -> NDArray[np.intp] | None:
        """Channel positions in the stream of channel positions in this object."""
        if self.channels is None:
            return channels
        mine = np.array(self.channels, np.intp)
        return mine if channels is None else mine[channels]


@dataclass(frozen=True, slots=True)
class TableItems:
    """The items of one segment in a table; of spikes, those of one unit.

    Attributes
    ----------
    recording : Recording
        Where they are read from.
    stream : int
        Position among the recording's tables.
    run : int or None
        Position among the stream's runs; None: the segment has no items.
    unit : int
        Position among the stream's units.
    channels : tuple of int or None
        Columns of ``value`` (irregular samples); None: all.
    """

    recording: Recording
    stream: int
    run: int | None
    unit: int = 0
    channels: tuple[int, ...] | None = None

    @property
    def _stream(self) -> TableStream:
        return self.recording.tables[self.stream]

    @property
    def length(self) -> int:
        """Number of items."""
        stream = self._stream
        if self.run is None:
            return 0
        if stream.kind == "spikes":
            return int(stream.unit_counts[self.unit, self.run])
        return int(stream.runs["count"][self.run])

    def window(self, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
        """Give the range of items that holds all with t_start <= t <= t_stop (seconds)."""
        stream = self._stream
        if self.run is None or not stream.is_sorted or (t_start is None and t_stop is None):
            return 0, self.length
        ticks = self._columns(0, self.length, ["tick"])["tick"]
        start, stop = 0, self.length
        if t_start is not None:
            start = int(np.searchsorted(ticks, _below(t_start, stream), "left"))
        if t_stop is not None:
            stop = int(np.searchsorted(ticks, _below(t_stop, stream) + 2, "right"))
        return start, max(start, stop)

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Read items [start, stop): times in seconds, values in physical units."""
        stream = self._stream
        names = [name for name in stream.columns if name not in ("unit", "waveform")]
        if waveforms and stream.waveforms is not None:
            names.append("waveform")
        found = self._columns(start, stop, names)
        return Points(
            times=seconds(found["tick"], stream.clock),
            durations=seconds(found["duration"], stream.clock) if "duration" in found else None,
            labels=found["label"].astype(np.str_) if "label" in found else None,
            values=self._values(found["value"]) if "value" in found else None,
            waveforms=self._waveforms(found["waveform"]) if "waveform" in found else None,
            array_annotations={name: found[name] for name in stream.annotation_columns},
        )

    def _columns(self, start: int, stop: int, names: list[str]) -> dict[str, NDArray[Any]]:
        """Columns of items [start, stop) of this unit in this run."""
        stream = self._stream
        if self.run is None or start >= stop:
            return {name: np.empty(0, stream.columns[name]) for name in names}
        first = int(stream.runs["first"][self.run])
        if len(stream.units) <= 1:
            return self.recording.read_table(stream, first + start, first + stop, names)
        return self.recording.read_unit(stream, self.run, self.unit, start, stop, names)

    def _values(self, raw: NDArray[Any]) -> NDArray[Any]:
        table = self._stream.channels
        if table is None:
            raise ValueError(f"table {self._stream.name!r} has values but no channels")
        picked: Any = slice(None) if self.channels is None else np.array(self.channels, np.intp)
        return scaled(raw[:, picked], table.gain[picked], table.offset[picked])

    def _waveforms(self, raw: NDArray[Any]) -> NDArray[Any] | None:
        layout = self._stream.waveforms
        return None if layout is None else scaled(raw, layout.gain, layout.offset)


def _below(time: float, stream: TableStream) -> float:
    """Give a tick just below `time`: the core compares exactly, in seconds, afterwards."""
    if not np.isfinite(time):
        return time
    return float(ticks_at(time, stream.clock)) - 1
