"""Which streams, segments and channels an overview shows, and what it has no room for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.words import counted
from ephyrus.recording.frames import signal_or_table
from ephyrus.recording.recording import Recording
from ephyrus.recording.select import ChannelSelection, StreamKey, channel_positions
from ephyrus.recording.streams import SignalStream, TableStream

__all__ = [
    "Key",
    "Row",
    "chosen_rows",
    "chosen_segments",
    "chosen_streams",
    "chosen_tables",
    "far_apart",
]

Key = StreamKey | SignalStream | TableStream
Row = tuple[SignalStream, NDArray[np.intp]]


def chosen_streams(
    recording: Recording, streams: Key | Sequence[Key] | None
) -> list[SignalStream | TableStream]:
    """Find the streams that are asked for; None means all signals and tables."""
    if streams is None:
        return [*recording.signals, *recording.tables]
    if isinstance(streams, int | str | SignalStream | TableStream):
        streams = [streams]
    return [signal_or_table(recording, key) for key in streams]


def chosen_segments(
    recording: Recording, segments: int | Sequence[int] | None
) -> tuple[int, ...] | None:
    """Check segment positions; negative ones count from the end."""
    if segments is None:
        return None
    count = len(recording.segments)
    wanted = [segments] if isinstance(segments, int) else [*segments]
    if any(not -count <= segment < count for segment in wanted):
        raise IndexError(f"the recording has {count} segments, asked for {wanted}")
    return tuple(int(segment) % count for segment in wanted)


def far_apart(recording: Recording, segments: tuple[int, ...] | None) -> bool:
    """Tell whether segments are sweeps with long pauses between them."""
    chosen = range(len(recording.segments)) if segments is None else segments
    extents = np.array(
        [
            (recording.segments[each].t_start or 0.0, recording.segments[each].t_stop or 0.0)
            for each in chosen
        ]
    )
    if len(extents) < 2:
        return False
    starts, stops = extents.T
    return bool(np.sum(stops - starts) < 0.2 * (stops.max() - starts.min()))


def chosen_rows(
    signals: list[SignalStream], channels: ChannelSelection, room: int
) -> tuple[list[Row], list[str]]:
    """Give the channels that are drawn, the first ones where there are too many; what is not."""
    left_out = []
    images = [stream for stream in signals if len(stream.item_shape) > 1]
    if images:
        left_out.append(counted(len(images), "image sequence"))
    signals = [stream for stream in signals if len(stream.item_shape) == 1]
    rows: list[Row] = []
    left = 0
    for stream, positions in _wanted(signals, channels):
        if room and len(positions):
            rows.append((stream, positions[:room]))
        left += max(len(positions) - room, 0)
        room -= min(room, len(positions))
    left_out += [counted(left, "channel")] if left else []
    return rows, left_out


def _wanted(signals: list[SignalStream], channels: ChannelSelection) -> list[Row]:
    """Give the positions in each signal that a selection means; names may lie in different ones."""
    names = [channels] if isinstance(channels, str) else channels
    if not isinstance(names, Sequence | np.ndarray) or not all(
        isinstance(name, str) for name in names
    ):
        found = [(stream, channel_positions(stream, channels)) for stream in signals]
        everything = [np.arange(len(stream.channels)) for stream in signals]
        return [
            (stream, whole if positions is None else positions)
            for (stream, positions), whole in zip(found, everything, strict=True)
        ]
    known = [{*stream.channels.names, *stream.channels.ids} for stream in signals]
    for name in names:
        if not any(name in each for each in known):
            there = ", ".join(repr(stream.name) for stream in signals) or "none"
            raise IndexError(f"no channel {name!r} in the signals that are drawn: {there}")
    mine = [[name for name in names if name in each] for each in known]
    return [
        (stream, np.asarray(channel_positions(stream, some), np.intp))
        for stream, some in zip(signals, mine, strict=True)
    ]


def chosen_tables(
    tables: list[TableStream], room: dict[str, int]
) -> tuple[list[TableStream], list[str]]:
    """Give the tables that there is room for, by kind, and what there is no room for."""
    left = dict.fromkeys(room, 0)
    room, chosen = dict(room), []
    for table in tables:
        if not table.length:
            continue
        kind = str(table.kind) if table.kind in room else "marks"
        size = {"samples": len(table.channels or ()), "spikes": len(table.units)}.get(kind, 1)
        if room[kind]:
            chosen.append(table)
        left[kind] += max(size - room[kind], 0)
        room[kind] -= min(room[kind], size)
    nouns = {
        "samples": "channel of irregular samples",
        "spikes": "unit",
        "marks": "table of events or epochs",
    }
    return chosen, [counted(left[kind], noun) for kind, noun in nouns.items() if left[kind]]
