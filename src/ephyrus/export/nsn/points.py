"""Events, epochs, spikes and irregular samples as entities, one behind the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.constants import EventType
from ephyrus.export.nsn.elements import Texts, head_bytes, write_head
from ephyrus.export.nsn.signals import channel_facts
from ephyrus.export.nsn.tracks import Track, rate_of, unit_of
from ephyrus.formats.nsn.layout import (
    ELEMENT,
    EPOCH_FIELDS,
    ITEM,
    Kind,
    epoch_text,
)
from ephyrus.recording.channelfacts import (
    place_and_filters,
    sample_counts,
    unit_bits,
    value_range,
)

__all__ = ["PointWriter"]

PIECE_BYTES = 4 * 2**20  # of items that are held at a time
MOST_NUMBER = 2**32 - 1


class PointWriter:
    """Writes the entities that are no signals.

    Parameters
    ----------
    file : BinaryIO
        Where to.
    place : int
        Where in the file the next element goes.
    texts : Texts
        Makes texts of fixed length.

    Attributes
    ----------
    place : int
        The same, after what was written.
    count : int
        Number of entities.
    unordered : list of str
        Names of objects whose times go back.
    arrays : set of str
        Names of array annotations that there were.
    """

    def __init__(self, file: BinaryIO, place: int, texts: Texts, count: int) -> None:
        self._file, self._texts = file, texts
        self.place = place
        self.count = count
        self.unordered: list[str] = []
        self.arrays: set[str] = set()

    def events(self, track: Track, *, are_epochs: bool = False) -> None:
        """Write events as texts or numbers, epochs as label and duration."""
        first, numbers = track.first, self._numbers(track)
        known = first.annotations.get("event_type")
        event_type = EventType(known) if known in set(EventType) else EventType.TEXT
        if event_type > EventType.CSV and not numbers:
            event_type = EventType.TEXT
        info = {
            "event_type": int(EventType.CSV if are_epochs else event_type),
            "csv_desc": EPOCH_FIELDS if are_epochs else self._fields(first, event_type),
        }
        begin = self._begin(Kind.EVENT)
        count, shortest, longest, last = 0, MOST_NUMBER, 0, -np.inf
        for piece, shift in self._pieces(track):
            times = _times(piece, shift)
            if are_epochs:
                items = _epoch_items(piece)
            else:
                items = _items(piece, numbers if event_type > EventType.CSV else [])
            order = np.argsort(times, kind="stable").tolist()
            last = self._check_order(first, times[order], last)
            self._file.write(b"".join(_event(times[at], items[at]) for at in order))
            lengths = [len(item) for item in items]
            count += len(items)
            shortest, longest = min([shortest, *lengths]), max([longest, *lengths])
        info |= {"min_data_length": min(shortest, longest), "max_data_length": longest}
        self._end(Kind.EVENT, begin, first.name or "events", count, info)

    def _numbers(self, track: Track) -> list[str]:
        """Name the numbers that events were read as, by the first of them."""
        first, _ = next(self._pieces(track))
        return [name for name in first.array_annotations if name.startswith("number")]

    def _pieces(self, track: Track) -> Iterator[tuple[Any, float]]:
        """Give the objects of a track piece by piece, and what is added to their times."""
        for obj, shift in track.parts:
            for piece in obj.chunks(PIECE_BYTES):
                self.arrays |= set(piece.array_annotations)
                yield piece, shift

    @staticmethod
    def _fields(event: Any, event_type: EventType) -> str:
        fields = event.annotations.get("field_names", "")
        return fields if event_type == EventType.CSV and isinstance(fields, str) else ""

    def spikes(self, track: Track) -> None:
        """Write a spike train: with its waveforms, or its times alone."""
        train = track.first
        number = train.annotations.get("unit_id", 0)
        is_number = isinstance(number, int | np.integer) and 0 <= number <= MOST_NUMBER
        unit = int(number) if is_number else 0
        if train.waveforms is None:
            self._neural(track, unit)
            return
        if not train.annotations.get("unit_ids_are_bits"):
            unit = int(unit_bits(np.array([unit]))[0])
        self._segments(track, unit, rate_of(train) or 1.0, _waveforms, train.waveforms)

    def samples(self, track: Track) -> None:
        """Write irregular samples as segments of one sample, one source for each channel."""
        self._segments(track, 0, 1.0, _values, track.first)

    def _neural(self, track: Track, unit: int) -> None:
        train = track.first
        begin = self._begin(Kind.NEURAL)
        count, last = 0, -np.inf
        for piece, shift in self._pieces(track):
            times = np.sort(_times(piece, shift))
            last = self._check_order(train, times, last)
            self._file.write(times.astype("<f8").tobytes())
            count += times.size
        info = {
            "source_entity_id": self.count,
            "source_unit_id": unit,
            "probe_info": str(train.annotations.get("probe_info", "")),
        }
        self._end(Kind.NEURAL, begin, train.name or "spikes", count, info)

    def _segments(self, track: Track, unit: int, rate: float, values_of: Any, shaped: Any) -> None:
        """Write segments of ``values_of(piece)``, shape (items, sources, samples)."""
        first = track.first
        width = shaped.shape[1]
        begin = self._begin(Kind.SEGMENT, width)
        count, shortest, longest, last = 0, MOST_NUMBER, 0, -np.inf
        low, high = np.inf, -np.inf
        for piece, shift in self._pieces(track):
            times, values = _times(piece, shift), values_of(piece)
            counts = sample_counts(values)
            last = self._check_order(first, times, last)
            self._write_segments(times, values, counts, unit)
            if counts.size:
                shortest = min(shortest, int(counts.min()))
                longest = max(longest, int(counts.max()))
                low = float(np.fmin(low, np.fmin.reduce(values, axis=None)))
                high = float(np.fmax(high, np.fmax.reduce(values, axis=None)))
            count += times.size
        info = {
            "source_count": width,
            "min_sample_count": min(shortest, longest),
            "max_sample_count": longest,
            "sample_rate": rate,
            "units": unit_of(shaped, first.annotations),
        }
        measured = {"min_value": low, "max_value": high} if np.isfinite([low, high]).all() else {}
        sources = tuple(_source(first, at, width, measured) for at in range(width))
        self._end(Kind.SEGMENT, begin, first.name or "segments", count, info, sources)

    def _write_segments(
        self,
        times: NDArray[np.float64],
        values: NDArray[np.float64],
        counts: NDArray[np.uint32],
        unit: int,
    ) -> None:
        """Write items, those of equal length that follow each other at once."""
        bounds = [0, *(np.flatnonzero(np.diff(counts)) + 1).tolist(), counts.size]
        for start, stop in pairwise(bounds):
            if start == stop:
                continue
            length = int(counts[start])
            shape = values.shape[1], length
            dtype = np.dtype([("head", ITEM[Kind.SEGMENT]), ("values", "<f8", shape)])
            items = np.zeros(stop - start, dtype)
            items["head"]["samples"], items["head"]["unit"] = length, unit
            items["head"]["time"] = times[start:stop]
            items["values"] = values[start:stop, :, :length]
            self._file.write(items.tobytes())

    def _check_order(self, obj: Any, times: NDArray[np.float64], last: float) -> float:
        """Note objects whose times go back; gives the last time."""
        if not times.size:
            return last
        if times[0] < last or (np.diff(times) < 0).any():
            name = obj.name or type(obj).__name__
            self.unordered += [] if name in self.unordered else [name]
        return float(times[-1])

    def _begin(self, kind: Kind, sources: int = 0) -> int:
        """Leave room for a head; gives the place where the items begin."""
        begin = self.place + ELEMENT.itemsize + head_bytes(kind, sources)
        self._file.seek(begin)
        return begin

    def _end(
        self,
        kind: Kind,
        begin: int,
        label: str,
        count: int,
        info: Mapping[str, Any],
        sources: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        """Write the head of the items that were written, and go on behind them."""
        stop = self._file.tell()
        write_head(
            self._file, self.place, self._texts, kind, label, count, info, stop - begin, sources
        )
        self.place = max(stop, begin)
        self.count += 1


def _times(piece: Any, shift: float) -> NDArray[np.float64]:
    """Give times in seconds."""
    times = getattr(piece, "times", piece)
    return np.asarray(times.rescale("s").magnitude, np.float64) + shift


def _items(piece: Any, numbers: list[str]) -> list[bytes]:
    """Give events as bytes: their labels, or the numbers that they were read as."""
    if numbers:
        rows = np.column_stack([piece.array_annotations[name] for name in numbers])
        packed = rows.astype(rows.dtype.newbyteorder("<")).tobytes()
        width = rows.dtype.itemsize * rows.shape[1]
        return [packed[at : at + width] for at in range(0, len(packed), width)]
    return [str(label).encode("utf-8", "replace") for label in piece.labels]


def _epoch_items(piece: Any) -> list[bytes]:
    durations = np.asarray(piece.durations.rescale("s").magnitude, np.float64).tolist()
    return [
        epoch_text(str(label), duration)
        for label, duration in zip(piece.labels, durations, strict=True)
    ]


def _event(time: float, item: bytes) -> bytes:
    return np.array((time, len(item)), ITEM[Kind.EVENT]).tobytes() + item


def _waveforms(piece: Any) -> NDArray[np.float64]:
    return np.asarray(piece.waveforms.magnitude, np.float64)


def _values(piece: Any) -> NDArray[np.float64]:
    return np.asarray(piece.magnitude, np.float64)[:, :, np.newaxis]


def _source(obj: Any, channel: int, width: int, measured: Mapping[str, float]) -> dict[str, Any]:
    """Give the facts of one source."""
    facts = {
        name: value[channel]
        if isinstance(value, list | np.ndarray) and len(value) == width
        else value
        for name, value in obj.annotations.items()
    }
    facts |= channel_facts(obj, channel, width) if obj.ndim > 1 else {}
    shift = facts.get("sub_sample_shift", 0.0)
    return {
        **value_range(np.dtype("f8"), 1.0, 0.0, {**measured, **facts}),
        "sub_sample_shift": shift if isinstance(shift, int | float) else 0.0,
        **place_and_filters(facts),
    }
