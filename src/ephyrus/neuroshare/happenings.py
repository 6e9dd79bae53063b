"""Events and epochs of a recording as event entities: texts, numbers, comma-separated values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from ephyrus.dll.constants import EntityType, EventType
from ephyrus.dll.interface import EventInfo, EventItems
from ephyrus.formats.nsn.layout import EPOCH_FIELDS, epoch_text
from ephyrus.neuroshare.members import TableMember
from ephyrus.neuroshare.timeline import Timeline
from ephyrus.recording import Recording, TableStream, pieces, seconds

__all__ = [
    "EpochMember",
    "EventMember",
    "GivenMember",
    "NumberMember",
    "TextMember",
    "event_members",
]

PIECE_ITEMS = 65_536  # looked at together for the lengths of texts
_TYPES = {1: EventType.BYTE, 2: EventType.WORD, 4: EventType.DWORD}


class EventMember(TableMember):
    """Something that happens at times, as items of bytes."""

    entity_type = EntityType.Event
    event_type: EventType
    csv_desc = ""

    def event_info(self) -> EventInfo:
        """Tell what the items are."""
        least, most = self._lengths
        return EventInfo(self.event_type, least, most, self.csv_desc)

    def items(self, start: int, stop: int) -> EventItems:
        """Give items [start, stop)."""
        return EventItems(self.times(start, stop), self.raw(start, stop))

    def raw(self, start: int, stop: int) -> list[bytes]:
        """Give the bytes of items [start, stop)."""
        raise NotImplementedError

    @cached_property
    def _lengths(self) -> tuple[int, int]:
        """Bytes of the shortest and the longest item."""
        lengths = [len(item) for piece in self._pieces() for item in piece]
        return min(lengths, default=0), max(lengths, default=0)

    def _pieces(self) -> Iterator[list[bytes]]:
        for start, stop in pieces(0, self.count, 1, PIECE_ITEMS):
            yield self.raw(start, stop)


class TextMember(EventMember):
    """A column of texts."""

    event_type = EventType.TEXT

    def __init__(
        self, recording: Recording, timeline: Timeline, stream: TableStream, column: str = "label"
    ) -> None:
        super().__init__(recording, timeline, stream)
        self._column = column
        if column != "label":
            self.label = f"{stream.name} {column}"

    def raw(self, start: int, stop: int) -> list[bytes]:
        """Give the texts of items [start, stop) in UTF-8."""
        column = self.columns(start, stop, self._column)[self._column]
        return [_text(value).encode("utf-8", "replace") for value in column.tolist()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


class NumberMember(TextMember):
    """A column of whole numbers of up to 32 bits."""

    def __init__(
        self, recording: Recording, timeline: Timeline, stream: TableStream, column: str
    ) -> None:
        super().__init__(recording, timeline, stream, column)
        self._width = stream.columns[column].itemsize
        self.event_type = _TYPES[self._width]

    @property
    def _lengths(self) -> tuple[int, int]:
        return self._width, self._width

    def raw(self, start: int, stop: int) -> list[bytes]:
        """Give the numbers of items [start, stop), little-endian."""
        column = self.columns(start, stop, self._column)[self._column]
        packed = np.ascontiguousarray(column, column.dtype.newbyteorder("<")).tobytes()
        width = self._width
        return [packed[at : at + width] for at in range(0, len(packed), width)]


class GivenMember(TextMember):
    """Events of a file that says itself of which type they are."""

    def __init__(self, recording: Recording, timeline: Timeline, stream: TableStream) -> None:
        super().__init__(recording, timeline, stream)
        self.event_type = EventType(stream.annotations["event_type"])
        self.csv_desc = str(stream.annotations.get("field_names", ""))
        self._numbers = [name for name in stream.columns if name.startswith("number")]

    def raw(self, start: int, stop: int) -> list[bytes]:
        """Give the texts or numbers of items [start, stop)."""
        if not self._numbers:
            return super().raw(start, stop)
        found = self.columns(start, stop, *self._numbers)
        rows = np.column_stack([found[name] for name in self._numbers])
        packed = rows.astype(rows.dtype.newbyteorder("<")).tobytes()
        width = rows.dtype.itemsize * rows.shape[1]
        return [packed[at : at + width] for at in range(0, len(packed), width)]


class EpochMember(EventMember):
    """Epochs, each an item at its beginning: its label and how long it lasts."""

    event_type = EventType.CSV
    csv_desc = EPOCH_FIELDS

    def raw(self, start: int, stop: int) -> list[bytes]:
        """Give label and duration of items [start, stop)."""
        found = self.columns(start, stop, "label", "duration")
        durations = seconds(found["duration"], self._stream.clock)
        return [
            epoch_text(label, duration)
            for label, duration in zip(found["label"].tolist(), durations.tolist(), strict=True)
        ]


def event_members(
    recording: Recording, timeline: Timeline, stream: TableStream
) -> Iterator[EventMember]:
    """Make the entities of a table of events: its labels, and one for each further column.

    Columns are numbers of up to 32 bits, or texts.
    """
    if stream.annotations.get("event_type") in set(EventType):
        yield GivenMember(recording, timeline, stream)
        return
    yield TextMember(recording, timeline, stream)
    for name in stream.annotation_columns:
        dtype: np.dtype[Any] = stream.columns[name]
        if dtype.shape:
            continue
        is_number = dtype.kind in "iub" and dtype.itemsize in _TYPES
        kind: type[TextMember] = NumberMember if is_number else TextMember
        yield kind(recording, timeline, stream, name)
