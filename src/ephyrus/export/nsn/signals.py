"""Analog entities: a region of the file for each channel, filled piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ephyrus.export.columns import signal_shape
from ephyrus.export.nsn.elements import Texts, head_bytes, write_head
from ephyrus.export.nsn.tracks import Track, rate_of, seconds_of, unit_of
from ephyrus.formats.nsn.layout import ELEMENT, ITEM, Kind
from ephyrus.recording import Progress
from ephyrus.recording.channelfacts import place_and_filters, value_range

__all__ = ["SignalTrack", "channel_facts"]

PIECE_BYTES = 4 * 2**20  # of values that are held at a time
RUN = ITEM[Kind.ANALOG]


def channel_facts(obj: Any, channel: int, width: int) -> dict[str, Any]:
    """Give the facts of one channel of an object: its annotations, array annotations last."""
    facts = dict(obj.annotations)
    for name, column in obj.array_annotations.items():
        if len(column) == width:
            facts[name] = column[channel]
    return facts


class SignalTrack:
    """The channels of a signal, in all its runs.

    Parameters
    ----------
    track : Track
        The signals.
    place : int
        Where in the file the first channel's element goes.

    Attributes
    ----------
    stop : int
        The place behind the last channel's element.
    width : int
        Number of channels.
    data_bytes : int
        Bytes of the samples of all channels.
    """

    def __init__(self, track: Track, place: int) -> None:
        self._parts = [part for part in track.parts if signal_shape(part[0])[0]]
        self._first = track.first
        self._place = place
        self.width = signal_shape(self._first)[1]
        self._samples = sum(signal_shape(signal)[0] for signal, _ in self._parts)
        self._items_bytes = 8 * self._samples + RUN.itemsize * len(self._parts)
        self._step = ELEMENT.itemsize + head_bytes(Kind.ANALOG) + self._items_bytes
        self.stop = place + self.width * self._step
        self.data_bytes = 8 * self._samples * self.width

    def write(self, file: BinaryIO, texts: Texts, progress: Progress) -> None:
        """Write all channels."""
        low, high = np.full(self.width, np.inf), np.full(self.width, -np.inf)
        done = 0  # bytes of each element behind its head
        for signal, shift in self._parts:
            count = signal_shape(signal)[0]
            time = seconds_of(signal.t_start) + shift
            self._put(file, done, [np.array((time, count), RUN)] * self.width)
            done += RUN.itemsize
            samples = max(1, PIECE_BYTES // (8 * max(1, self.width)))
            for piece in signal.iter_chunks(samples=samples):
                values = np.asarray(piece.magnitude, "<f8").T
                np.fmin(low, np.fmin.reduce(values, axis=1), out=low)
                np.fmax(high, np.fmax.reduce(values, axis=1), out=high)
                self._put(file, done, list(np.ascontiguousarray(values)))
                done += 8 * values.shape[1]
                progress.advance(values.nbytes)
        for channel in range(self.width):
            self._write_head(file, texts, channel, (float(low[channel]), float(high[channel])))

    def _put(self, file: BinaryIO, done: int, rows: Sequence[NDArray[Any]]) -> None:
        """Write what comes next of each channel."""
        begin = self._place + ELEMENT.itemsize + head_bytes(Kind.ANALOG) + done
        for channel, row in enumerate(rows):
            file.seek(begin + channel * self._step)
            file.write(row.tobytes())

    def _write_head(
        self, file: BinaryIO, texts: Texts, channel: int, extent: tuple[float, float]
    ) -> None:
        signal = self._first
        facts = channel_facts(signal, channel, self.width)
        has_extent = np.isfinite(extent).all()
        measured = {"min_value": extent[0], "max_value": extent[1]} if has_extent else {}
        info: Mapping[str, Any] = {
            "sample_rate": rate_of(signal),
            "units": unit_of(signal, facts),
            **value_range(np.dtype("f8"), 1.0, 0.0, {**measured, **facts}),
            **place_and_filters(facts),
        }
        place = self._place + channel * self._step
        label = self._label(facts, channel)
        write_head(file, place, texts, Kind.ANALOG, label, self._samples, info, self._items_bytes)

    def _label(self, facts: Mapping[str, Any], channel: int) -> str:
        """Name a channel: as it is named, else after its signal."""
        name = self._first.name or "signal"
        named = f"{name} {channel}" if self.width > 1 else name
        return str(facts.get("channel_names") or named)
