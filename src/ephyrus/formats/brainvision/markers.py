"""The marker file: one line per marker, made into one table per marker type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.brainvision.header import read_text_file
from ephyrus.formats.brainvision.layout import (
    MARKER_LINE,
    TextFile,
    real_number,
    unescaped,
    whole_number,
)
from ephyrus.recording import Opening, run_table

__all__ = [
    "NEW_SEGMENT",
    "MarkerTable",
    "Markers",
    "marker_tables",
    "read_markers",
]

NEW_SEGMENT = "New Segment"
_DATE_DIGITS = 20  # YYYYMMDDhhmmssuuuuuu


@dataclass(frozen=True, slots=True)
class Markers:
    """Markers in the order of the file, a sequence for each field.

    Positions and sizes are in samples, positions count from 1; channel 0 means all.
    """

    types: Sequence[str] = ()
    labels: Sequence[str] = ()
    positions: Sequence[int] = ()
    sizes: Sequence[int] = ()
    channels: Sequence[int] = ()
    dates: Sequence[datetime | None] = ()

    def beginnings(self) -> list[tuple[int, datetime]]:
        """Give positions and dates of the dated beginnings of segments."""
        return [
            (self.positions[i], date)
            for i, date in enumerate(self.dates)
            if date is not None and self.types[i].lower() == NEW_SEGMENT.lower()
        ]


@dataclass(frozen=True, slots=True, eq=False)
class MarkerTable:
    """Markers of one type, by segment and in time order.

    Attributes
    ----------
    name : str
        The type.
    columns : dict of str to ndarray
        ``tick`` (samples from the segment's start), ``label``, ``durations`` (samples),
        ``channels`` and, if one has a date, ``dates``.
    runs : ndarray of RUN_DTYPE
        One per segment that has markers of the type.
    """

    name: str
    columns: dict[str, NDArray[Any]]
    runs: NDArray[Any]


def read_markers(opening: Opening, name: str | None) -> Markers:
    """Read a marker file; lines that are no markers are left out with a note.

    Parameters
    ----------
    opening : Opening
        The context.
    name : str or None
        The file; None gives no markers.
    """
    if name is None:
        return Markers()
    text = read_text_file(opening, name, "marker file")
    first = text.first_lines()[:1]
    if not (first and MARKER_LINE.match(first[0])):
        opening.note(
            "the first line is not that of a BrainVision marker file", path=text.path, offset=0
        )
    if "marker infos" not in text.sections:
        opening.note("there is no section [Marker Infos]; there are no events", path=text.path)
        return Markers()
    return _usual_markers(text) or _any_markers(opening, text)


# Type, description, position, size, channel, and perhaps a date; of most files that is all.
_USUAL = re.compile(
    r"^[Mm][Kk][^=,\n]*=([^,\s][^,\n]*(?<!\s)),([^,\n]*),([0-9]{1,15}),([0-9]{1,15}),([0-9]{1,15})"
    r"(?:,([0-9]{20}))?$",
    re.MULTILINE,
)


def _usual_markers(text: TextFile) -> Markers | None:
    """Read markers a column at a time, for they come in tens of thousands; None if one is odd."""
    lines = text.sections["marker infos"]
    joined = "\n".join(line for line, _ in lines)
    found = _USUAL.findall(joined)
    if not found or len(found) != len(lines):
        return None
    types, labels, positions, sizes, channels, stored = zip(*found, strict=True)
    dates: list[datetime | None] = [None] * len(found)
    for i in [i for i, date in enumerate(stored) if date]:
        dates[i] = _date(stored[i])
        if dates[i] is None and stored[i].strip("0"):
            return None
    has_commas = "\\1" in joined
    return Markers(
        list(map(unescaped, types)) if has_commas else types,
        list(map(unescaped, labels)) if has_commas else labels,
        list(map(int, positions)),
        list(map(int, sizes)),
        list(map(int, channels)),
        dates,
    )


def _any_markers(opening: Opening, text: TextFile) -> Markers:
    """Read markers line by line, and note what is odd."""
    rows = []
    faults: Counter[str] = Counter()
    offsets: dict[str, int] = {}
    for line, offset in text.sections["marker infos"]:
        key, separator, value = line.partition("=")
        if not separator or key[:2].lower() != "mk":
            continue
        row, fault = _marker(value.split(","))
        if row is not None:
            rows.append(row)
        if fault is not None:
            faults[fault] += 1
            offsets.setdefault(fault, offset)
    for fault, count in faults.items():
        lost = count if fault in _LOSING else 0
        reason = f"{fault} ({count:,} times, first here)" if count > 1 else fault
        opening.note(reason, path=text.path, offset=offsets[fault], field="marker", lost=lost)
    return Markers(*zip(*rows, strict=True)) if rows else Markers()


_FEW_FIELDS = "a marker with fewer than 3 fields is left out"
_NO_POSITION = "a marker whose position is not a number is left out"
_RAW_COMMA = "a description holds a comma that should be written \\1; it was read as meant"
_FRACTION = "a position is not a whole number; it is rounded"
_BAD_DATE = "a date is not of the form YYYYMMDDhhmmssuuuuuu; it is left out"
_LOSING = {_FEW_FIELDS, _NO_POSITION}


def _marker(fields: list[str]) -> tuple[tuple[Any, ...] | None, str | None]:
    """Read a marker; the second value says what was wrong with it, if anything."""
    if len(fields) < 3:
        return None, _FEW_FIELDS
    fault = None
    position = whole_number(fields[2])
    if position is None:
        position, fault = _rounded(fields[2])
    if position is None:
        fields, fault = _with_raw_commas(fields), _RAW_COMMA
        position = whole_number(fields[2])
    if position is None:
        return None, _NO_POSITION
    date = None
    if len(fields) > 5 and fields[5].strip().strip("0"):
        date = _date(fields[5].strip())
        fault = fault or (_BAD_DATE if date is None else None)
    size, channel = (whole_number(text) or 0 for text in [*fields[3:5], "", ""][:2])
    kind, label = unescaped(fields[0].strip()), unescaped(fields[1])
    return (kind, label, position, size, channel, date), fault


def _rounded(text: str) -> tuple[int | None, str | None]:
    """Give the nearest whole position, for writers that store fractions of a sample."""
    number = real_number(text)
    if number is None or abs(number) >= 1e15:
        return None, None
    return round(number), None if number.is_integer() else _FRACTION


def _with_raw_commas(fields: list[str]) -> list[str]:
    """Join a description that was cut at its own commas, if three numbers follow it."""
    for i in range(3, len(fields)):
        numbers = fields[i : i + 3]
        if len(numbers) == 3 and all(whole_number(number) is not None for number in numbers):
            return [fields[0], ",".join(fields[1:i]), *fields[i:]]
    return fields


def _date(text: str) -> datetime | None:
    if len(text) != _DATE_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    parts = (text[:4], text[4:6], text[6:8], text[8:10], text[10:12], text[12:14], text[14:])
    try:
        return datetime(*map(int, parts))  # type: ignore[arg-type]  # seven integers
    except ValueError:
        return None


def marker_tables(
    opening: Opening,
    markers: Markers,
    points: int,
    segments: Sequence[int],
    end: int | None,
    path: str,
) -> list[MarkerTable]:
    """Make a table for each type, in the order in which the types occur.

    Parameters
    ----------
    opening : Opening
        The context.
    markers : Markers
        All markers.
    points : int
        Samples of the recording.
    segments : sequence of int
        First sample of each segment.
    end : int or None
        Where the last segment would end if it were whole; markers behind it have no segment and
        are left out.
    path : str
        The marker file, for notes.
    """
    tick = np.array(markers.positions, np.int64) - 1
    outside = np.flatnonzero((tick < 0) | (tick >= points))
    if outside.size:
        opening.note(
            f"{outside.size:,} markers lie outside of the data (1 to {points:,}), "
            f"the first at position {tick[outside[0]] + 1}; they are kept",
            path=path,
            field="marker",
        )
    is_kept = np.ones(tick.size, bool) if end is None else tick < end
    if not is_kept.all():
        lost = int(np.count_nonzero(~is_kept))
        reason = "markers behind the last segment are left out"
        opening.note(reason, path=path, field="marker", lost=lost)
    starts = np.array(segments, np.int64)
    segment = np.maximum(np.searchsorted(starts, tick, "right") - 1, 0)
    columns = {
        "tick": tick - starts[segment],
        "label": np.array(markers.labels, object),
        "durations": np.array(markers.sizes, np.int64),
        "channels": np.array(markers.channels, np.int64),
        "dates": np.array([date.isoformat() if date else "" for date in markers.dates], object),
    }
    codes: dict[str, int] = {}
    code = np.array([codes.setdefault(name, len(codes)) for name in markers.types], np.int64)
    order = np.lexsort((columns["tick"], segment, code))
    order = order[is_kept[order]]
    groups = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
    return [_table(markers.types[rows[0]], columns, segment, rows) for rows in groups if rows.size]


def _table(
    name: str, columns: dict[str, NDArray[Any]], segment: NDArray[np.intp], rows: NDArray[np.intp]
) -> MarkerTable:
    """Take the markers of one type, given by their rows in time order."""
    chosen = {key: column[rows] for key, column in columns.items()}
    if not any(chosen["dates"]):
        del chosen["dates"]
    there, counts = np.unique(segment[rows], return_counts=True)
    return MarkerTable(name, chosen, run_table(counts, 0, there))
