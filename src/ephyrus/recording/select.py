"""Which segments, streams, items and channels a request means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.streams import RecordingInfo, SegmentInfo, SignalStream
from ephyrus.recording.times import run_extents

__all__ = [
    "ChannelSelection",
    "StreamKey",
    "channel_positions",
    "find_stream",
    "item_range",
    "with_extents",
]

ChannelSelection = int | str | slice | Sequence[int] | Sequence[str] | NDArray[Any] | None
StreamKey = int | str


def with_extents(info: RecordingInfo) -> tuple[SegmentInfo, ...]:
    """Fill in the extents of segments that the format left open, from their runs."""
    count = len(info.segments)
    starts, stops = np.full(count, np.inf), np.full(count, -np.inf)
    for stream in (*info.signals, *info.stimuli):
        t_start, t_stop = run_extents(stream)
        np.minimum.at(starts, stream.runs["segment"], t_start)
        np.maximum.at(stops, stream.runs["segment"], t_stop)
    return tuple(
        _extended(segment, *((0.0, 0.0) if start > stop else (float(start), float(stop))))
        for segment, start, stop in zip(info.segments, starts, stops, strict=True)
    )


def _extended(segment: SegmentInfo, t_start: float, t_stop: float) -> SegmentInfo:
    if segment.t_start is not None and segment.t_stop is not None:
        return segment
    return SegmentInfo(
        t_start if segment.t_start is None else segment.t_start,
        t_stop if segment.t_stop is None else segment.t_stop,
        segment.name,
        segment.block,
        segment.annotations,
        segment.rec_datetime,
    )


def channel_positions(stream: SignalStream, channels: ChannelSelection) -> NDArray[np.intp] | None:
    """Give channel positions as an integer array; None stays None (all, in order).

    Raises
    ------
    IndexError
        If a position or a name is not in the stream, or a mask has another length.
    """
    if channels is None:
        return None
    count = len(stream.channels)
    if isinstance(channels, slice):
        return np.arange(count)[channels]
    array = np.atleast_1d(np.asarray(channels))
    if array.dtype.kind == "U":
        return np.array([_channel_named(stream, str(name)) for name in array], np.intp)
    if array.dtype == bool:
        if array.shape != (count,):
            raise IndexError(f"a mask of {array.size} for {count} channels of {stream.name!r}")
        return np.flatnonzero(array)
    positions = array.astype(np.intp).reshape(-1)
    if array.size and (array.dtype.kind not in "iu" or array.ndim != 1):
        raise IndexError(f"channels of {stream.name!r} are chosen by positions, names or a mask")
    if positions.size and (positions.min() < -count or positions.max() >= count):
        raise IndexError(f"{stream.name!r} has {count} channels, asked for {positions.tolist()}")
    return np.where(positions < 0, positions + count, positions)


def _channel_named(stream: SignalStream, name: str) -> int:
    for labels in (stream.channels.names, stream.channels.ids):
        if name in labels:
            return labels.index(name)
    raise IndexError(f"{stream.name!r} has no channel {name!r}; it has {[*stream.channels.names]}")


def find_stream(key: StreamKey, streams: Sequence[Any], what: Literal["signal", "table"]) -> Any:
    """Find a stream by position, id or name (in this order).

    Raises
    ------
    KeyError
        If there is none; the message lists those that exist.
    """
    if isinstance(key, str):
        for names in ([stream.id for stream in streams], [stream.name for stream in streams]):
            if key in names:
                return streams[names.index(key)]
    elif -len(streams) <= key < len(streams):
        return streams[key]
    there = ", ".join(repr(stream.name) for stream in streams) or "none"
    raise KeyError(f"no {what} {key!r} in this recording; it has {len(streams)}: {there}")


def item_range(start: int, stop: int | None, length: int, name: str) -> tuple[int, int]:
    """Check a half-open item range of a stream; None as `stop` means its end.

    Raises
    ------
    IndexError
        If it reaches outside the stream.
    """
    stop = length if stop is None else stop
    if not 0 <= start <= stop <= length:
        raise IndexError(f"items {start} to {stop} of {name!r}, which has {length:,}")
    return int(start), int(stop)
