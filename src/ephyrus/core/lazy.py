"""What a lazy object reads through. The core knows no file: it knows these two protocols.

A *lazy* object is an ordinary object of its class with true metadata and no data: its array has
size 0, `lazy_shape` tells the true shape, and `load` reads all of it or a part. What it reads
from is a source, given by whoever made the object. Sources are picklable; a pickled or copied
lazy object carries its source, never data.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ephyrus.core.units import SECOND, UnitInfo, convert

__all__ = [
    "MAX_CHUNK_BYTES",
    "ChannelSelection",
    "ColumnSelection",
    "PointSource",
    "Points",
    "ScaledPoints",
    "ScaledSource",
    "SignalSource",
    "chunk_bounds",
    "read_points",
]

MAX_CHUNK_BYTES = 64 * 1024 * 1024


class SignalSource(Protocol):
    """Where a lazy AnalogSignal or ImageSequence reads its samples.

    Attributes
    ----------
    shape : tuple of int
        True shape, ``(time, channel)`` or ``(frame, row, column)``.
    dtype : numpy.dtype
        Of loaded data in physical units.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """True shape."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of loaded data."""

    def read(self, start: int, stop: int, channels: NDArray[np.intp] | None) -> NDArray[Any]:
        """Read samples ``[start, stop)`` of some or all channels in physical units.

        Parameters
        ----------
        start, stop : int
            Half-open range of samples (frames), within the shape.
        channels : ndarray of intp or None
            Channels in the order wanted; None for all.

        Returns
        -------
        ndarray
            A new array that belongs to the caller.
        """

    def read_raw(
        self, start: int, stop: int, channels: NDArray[np.intp] | None
    ) -> tuple[NDArray[Any], float]:
        """Read samples as the integers of the file, with the one gain that scales them.

        Parameters
        ----------
        start, stop, channels
            As for `read`.

        Returns
        -------
        raw : ndarray
            In the dtype of the file.
        gain : float
            Physical value of 1, the same for all these channels.

        Raises
        ------
        ValueError
            If the gains of the channels differ or an offset is not 0.
        """


@dataclass(frozen=True, slots=True)
class Points:
    """Items that a `PointSource` returns: spikes, events, epochs or irregular samples.

    Attributes
    ----------
    times : ndarray of float64, shape (item,)
        Seconds.
    durations : ndarray of float64, shape (item,), optional
        Seconds (epochs).
    labels : ndarray of str, shape (item,), optional
        Events and epochs.
    values : ndarray, shape (item, channel), optional
        In physical units (irregular signals).
    waveforms : ndarray, shape (spike, channel, sample), optional
        In physical units.
    array_annotations : dict of ndarray, shape (item,) each
        For irregular signals: shape (channel,).
    stored : dict of (ndarray, UnitInfo)
        ``"times"`` and ``"durations"`` as they are kept where that is not in seconds: objects in
        that very unit take them as they are, exact to the last bit.
    """

    times: NDArray[np.float64]
    durations: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    values: NDArray[Any] | None = None
    waveforms: NDArray[Any] | None = None
    array_annotations: dict[str, NDArray[Any]] = field(default_factory=dict)
    stored: dict[str, tuple[NDArray[Any], UnitInfo]] = field(default_factory=dict)

    def times_in(self, unit: UnitInfo) -> NDArray[Any]:
        """Give the times in a unit of time."""
        return self._in("times", self.times, unit)

    def durations_in(self, unit: UnitInfo) -> NDArray[Any]:
        """Give the durations in a unit of time; 0 where there are none."""
        durations = np.zeros(len(self.times)) if self.durations is None else self.durations
        return self._in("durations", durations, unit)

    def _in(self, name: str, values: NDArray[Any], unit: UnitInfo) -> NDArray[Any]:
        kept, kept_unit = self.stored.get(name, (values, SECOND))
        if kept_unit is unit:
            return kept
        return np.asarray(convert(values, SECOND, unit))


@runtime_checkable
class PointSource(Protocol):
    """Where a lazy SpikeTrain, Event, Epoch or IrregularlySampledSignal reads its items.

    Attributes
    ----------
    length : int
        True number of items.
    """

    @property
    def length(self) -> int:
        """True number of items."""

    def window(self, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
        """Find the items of a closed window of time.

        Parameters
        ----------
        t_start, t_stop : float or None
            Seconds; None is open.

        Returns
        -------
        start, stop : int
            Half-open range that contains all items with ``t_start <= t <= t_stop``; it may be
            wider, the caller masks exactly.
        """

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Read the items ``[start, stop)``.

        Parameters
        ----------
        start, stop : int
            Half-open range of items.
        waveforms : bool, optional
            Whether to read the waveforms of spikes too.

        Returns
        -------
        Points
            New arrays that belong to the caller.
        """


@dataclass(frozen=True, slots=True)
class ChannelSelection:
    """Some channels of a `SignalSource`, as a source of its own.

    Attributes
    ----------
    source : SignalSource
        With shape (time, channel).
    channels : ndarray of intp
        Channels of `source`, in the order wanted.
    """

    source: SignalSource
    channels: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, ...]:
        """True shape of the selection."""
        return (self.source.shape[0], len(self.channels))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of loaded data."""
        return self.source.dtype

    def _inner(self, channels: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """Translate channels of the selection into channels of the source."""
        return self.channels if channels is None else self.channels[channels]

    def read(self, start: int, stop: int, channels: NDArray[np.intp] | None) -> NDArray[Any]:
        """Read samples in physical units; see `SignalSource.read`."""
        return self.source.read(start, stop, self._inner(channels))

    def read_raw(
        self, start: int, stop: int, channels: NDArray[np.intp] | None
    ) -> tuple[NDArray[Any], float]:
        """Read samples as integers of the file; see `SignalSource.read_raw`."""
        return self.source.read_raw(start, stop, self._inner(channels))


@dataclass(frozen=True, slots=True)
class ColumnSelection:
    """Some channels of a `PointSource` with values, as a source of its own.

    Attributes
    ----------
    source : PointSource
        Of an irregularly sampled signal.
    channels : ndarray of intp
        Channels of `source`, in the order wanted.
    """

    source: PointSource
    channels: NDArray[np.intp]

    @property
    def length(self) -> int:
        """True number of items."""
        return self.source.length

    def window(self, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
        """Find the items of a closed window of time; see `PointSource.window`."""
        return self.source.window(t_start, t_stop)

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Read items of the chosen channels; see `PointSource.read`."""
        points = self.source.read(start, stop, waveforms=waveforms)
        values = None if points.values is None else points.values[:, self.channels]
        arrays = {
            key: value[self.channels] if len(value) else value
            for key, value in points.array_annotations.items()
        }
        return replace(points, values=values, array_annotations=arrays)


@dataclass(frozen=True, slots=True)
class ScaledSource:
    """A `SignalSource` whose samples are converted to another unit.

    Attributes
    ----------
    source : SignalSource
    source_unit, target_unit : UnitInfo
        Units of what `source` reads and of what this one reads.
    """

    source: SignalSource
    source_unit: UnitInfo
    target_unit: UnitInfo

    @property
    def shape(self) -> tuple[int, ...]:
        """True shape."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of loaded data."""
        return converted_dtype(self.source.dtype)

    def read(self, start: int, stop: int, channels: NDArray[np.intp] | None) -> NDArray[Any]:
        """Read samples in the target unit; see `SignalSource.read`."""
        data = self.source.read(start, stop, channels)
        return np.asarray(convert(data, self.source_unit, self.target_unit))

    def read_raw(
        self, start: int, stop: int, channels: NDArray[np.intp] | None
    ) -> tuple[NDArray[Any], float]:
        """Read the integers of the file with their gain in the target unit."""
        raw, gain = self.source.read_raw(start, stop, channels)
        return raw, float(convert(gain, self.source_unit, self.target_unit))


@dataclass(frozen=True, slots=True)
class ScaledPoints:
    """A `PointSource` whose values are converted to another unit.

    Attributes
    ----------
    source : PointSource
        Of an irregularly sampled signal.
    source_unit, target_unit : UnitInfo
        Units of what `source` reads and of what this one reads.
    """

    source: PointSource
    source_unit: UnitInfo
    target_unit: UnitInfo

    @property
    def length(self) -> int:
        """True number of items."""
        return self.source.length

    def window(self, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
        """Find the items of a closed window of time; see `PointSource.window`."""
        return self.source.window(t_start, t_stop)

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Read items with values in the target unit; see `PointSource.read`."""
        points = self.source.read(start, stop, waveforms=waveforms)
        if points.values is None:
            return points
        values = np.asarray(convert(points.values, self.source_unit, self.target_unit))
        return replace(points, values=values)


def converted_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that data have after a conversion of units."""
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


def read_points(
    source: PointSource,
    t_start: float | None = None,
    t_stop: float | None = None,
    *,
    waveforms: bool = False,
    array_annotations: dict[str, NDArray[Any]] | None = None,
    per_item: bool = True,
) -> Points:
    """Read exactly the items of a closed window of time.

    Parameters
    ----------
    source : PointSource
    t_start, t_stop : float or None
        Seconds, both ends included; None is open.
    waveforms : bool, optional
        Whether to read waveforms.
    array_annotations : dict, optional
        Annotations of *all* items that replace those of the source (a caller changed them).
    per_item : bool, optional
        Whether the array annotations have one value per item (False: per channel).

    Returns
    -------
    Points
        Only items with ``t_start <= t <= t_stop``; array annotations cut alike.
    """
    start, stop = 0, source.length
    if t_start is not None or t_stop is not None:
        start, stop = source.window(t_start, t_stop)
        start = min(max(start, 0), source.length)
        stop = min(max(stop, start), source.length)
    points = source.read(start, stop, waveforms=waveforms)
    if array_annotations is not None:
        own = dict(array_annotations)
        if per_item:
            own = {key: value[start:stop] for key, value in own.items()}
        points = replace(points, array_annotations=own)
    keep = np.ones(len(points.times), dtype=np.bool_)
    if t_start is not None:
        keep &= points.times >= t_start
    if t_stop is not None:
        keep &= points.times <= t_stop
    return points if keep.all() else _masked(points, keep, per_item=per_item)


def _masked(points: Points, keep: NDArray[np.bool_], *, per_item: bool) -> Points:
    """Keep some of the items (empty annotations stay empty)."""

    def cut(values: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if values is None else values[keep]

    annotations = points.array_annotations
    if per_item:
        annotations = {
            key: value[keep] if len(value) else value for key, value in annotations.items()
        }
    return Points(
        times=points.times[keep],
        durations=cut(points.durations),
        labels=cut(points.labels),
        values=cut(points.values),
        waveforms=cut(points.waveforms),
        array_annotations=annotations,
        stored={name: (values[keep], unit) for name, (values, unit) in points.stored.items()},
    )


def chunk_bounds(
    length: int, item_bytes: int, max_bytes: int, *, at_least_one: bool = True
) -> list[tuple[int, int]]:
    """Cut a length into half-open ranges of at most `max_bytes` each (at least one item).

    Parameters
    ----------
    length : int
        Number of items.
    item_bytes : int
        Payload of one item.
    max_bytes : int
        Largest payload of a range.
    at_least_one : bool, optional
        Whether a length of 0 gives one empty range (so that an empty object has one piece).

    Returns
    -------
    list of (start, stop)

    Raises
    ------
    ValueError
        If `max_bytes` is below 1.
    """
    if max_bytes < 1:
        raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
    step = max(1, max_bytes // max(1, item_bytes))
    if length == 0:
        return [(0, 0)] if at_least_one else []
    return [(start, min(start + step, length)) for start in range(0, length, step)]
