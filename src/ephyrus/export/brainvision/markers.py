"""The markers: events and epochs of all segments, as lines of the marker file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.words import counted
from ephyrus.formats.brainvision.layout import escaped
from ephyrus.formats.brainvision.markers import NEW_SEGMENT

if TYPE_CHECKING:
    from ephyrus.core import Block, Epoch, Event, Segment
    from ephyrus.export.brainvision.channels import Channel, Table

__all__ = ["MarkerList"]

_PIECE_BYTES = 2**20
_NEAR = 1e-3  # samples by which a time may be off without being told
_KNOWN_NOTES = {"durations", "channels", "dates"}
_NO_DATE = "0" * 20


@dataclass(frozen=True, slots=True, order=True)
class _Marker:
    """One marker; they are sorted by position, the beginning of a segment first."""

    position: int
    is_inner: bool
    kind: str = field(compare=False)
    label: str = field(compare=False, default="")
    size: int = field(compare=False, default=1)
    channel: int = field(compare=False, default=0)
    date: str = field(compare=False, default="")


class MarkerList:
    """Markers of the whole file, and what was left out of them.

    Parameters
    ----------
    channels : sequence of Channel
        Channels of the file; those of markers are found by their ids, if they have any.
    """

    def __init__(self, channels: Sequence[Channel]) -> None:
        ids = [channel.id for channel in channels]
        has_ids = len(set(ids)) == len(ids) and all(ids)
        names = ids if has_ids else map(str, range(1, len(ids) + 1))
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        self._markers: list[_Marker] = []
        self._outside = self._rounded = 0
        self._notes: set[str] = set()

    def collect(self, block: Block, segments: Sequence[Segment], tables: Sequence[Table]) -> None:
        """Take the events and epochs of segments whose signals follow each other."""
        first = 0
        for number, (segment, table) in enumerate(zip(segments, tables, strict=True)):
            began = segment.rec_datetime or (block.rec_datetime if number == 0 else None)
            self._collect(segment, table, first, began)
            first += table.length
        self._markers.sort()

    def _collect(self, segment: Segment, table: Table, first: int, began: datetime | None) -> None:
        found = [
            marker
            for kind, items in (("Event", segment.events), ("Epoch", segment.epochs))
            for item in items
            for piece in item.chunks(_PIECE_BYTES)
            for marker in self._markers_of(piece, item.name or kind, table, first)
        ]
        starts = [m for m in found if not m.is_inner and m.position == first + 1]
        date = next((m.date for m in starts if m.date), _date_text(began))
        begin = _Marker(first + 1, False, NEW_SEGMENT, date=date or _NO_DATE)
        self._markers += [begin, *(marker for marker in found if marker not in starts)]

    def _markers_of(
        self, piece: Event | Epoch, kind: str, table: Table, first: int
    ) -> Iterator[_Marker]:
        """Make the markers of loaded events or epochs."""
        notes = piece.array_annotations
        if len(piece.labels):
            self._notes |= set(notes) - _KNOWN_NOTES
        exact = (_seconds(piece.times) - table.t_start) * table.rate
        with np.errstate(invalid="ignore"):
            sample = np.rint(exact)
            is_inside = (sample >= 0) & (sample < table.length)
        self._outside += int(np.count_nonzero(~is_inside))
        self._rounded += int(np.count_nonzero(np.abs(exact - sample)[is_inside] > _NEAR))
        durations = getattr(piece, "durations", notes.get("durations", np.zeros(len(sample))))
        sizes = np.nan_to_num(np.rint(_seconds(durations) * table.rate), posinf=0, neginf=0)
        channels = notes.get("channels", np.zeros(len(sample), int))
        dates = notes.get("dates", np.full(len(sample), ""))
        is_inner = kind.lower() != NEW_SEGMENT.lower()
        for i in np.flatnonzero(is_inside):
            yield _Marker(
                int(sample[i]) + first + 1,
                is_inner,
                escaped(kind),
                escaped(str(piece.labels[i])),
                max(1, int(sizes[i])),
                self._numbers.get(str(channels[i]), 0),  # 0: all
                _date_text(_read_date(str(dates[i]))),
            )

    def lines(self) -> list[str]:
        """Give the lines of the section."""
        return [
            f"Mk{i}={m.kind},{m.label},{m.position},{m.size},{m.channel}"
            + (f",{m.date}" if m.date else "")
            for i, m in enumerate(self._markers, 1)
        ]

    def losses(self) -> list[str]:
        """Tell what was left out or rounded."""
        found = []
        if self._outside:
            found.append(f"{counted(self._outside, 'marker')} outside of the signals left out")
        if self._rounded:
            found.append(f"times of {counted(self._rounded, 'marker')} rounded to whole samples")
        if self._notes:
            names = ", ".join(sorted(self._notes))
            found.append(f"array annotations of events and epochs are left out: {names}")
        return found


def _seconds(values: Any) -> NDArray[np.float64]:
    """Give times as floats in s; bare numbers are seconds."""
    if hasattr(values, "rescale"):
        values = values.rescale("s").magnitude
    return np.asarray(values, np.float64)


def _read_date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _date_text(date: datetime | None) -> str:
    """Give a date as twenty digits, its time of day as it is told; empty for None."""
    if date is None:
        return ""
    return (
        f"{date.year:04}{date.month:02}{date.day:02}"
        f"{date.hour:02}{date.minute:02}{date.second:02}{date.microsecond:06}"
    )
