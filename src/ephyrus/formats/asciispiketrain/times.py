"""Times in text: how bytes are cut into pieces, and pieces into times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError
from ephyrus.recording import ByteSource, Opening, corrupt
from ephyrus.recording.plaintext import NUMBER_BYTES, TIME_UNITS, byte_flags, delimiter_named

__all__ = [
    "Header",
    "Walk",
    "parsed",
    "separators_of",
    "text_pieces",
    "time_count",
]

PIECE = 256 * 1024  # bytes of text that are looked at together
CELL_LIMIT = 1024  # bytes; a number is not longer
ANY_DELIMITER = b"\t ,;"
SPACES = b" \t\r\v\f"
NUMBER_STARTS = b"0123456789+-."

_UNIT_BYTES = {
    text.encode(encoding): per_second
    for text, per_second in TIME_UNITS.items()
    for encoding in (("utf-8", "latin-1") if "µ" in text else ("utf-8",))
}


def separators_of(delimiter: str | None) -> bytes:
    """Give the bytes that separate times.

    Raises
    ------
    ValueError
        If the delimiter is not one character that cannot be part of a number.
    """
    if delimiter is None:
        return ANY_DELIMITER
    return delimiter_named(delimiter, refused="+-.\r\n")


@dataclass(frozen=True, slots=True)
class Header:
    """How the lines are to be read.

    Attributes
    ----------
    offset : int
        First byte of the first line.
    newline : bytes
        The byte that ends a line.
    separators : bytes
        Bytes that may stand between times.
    per_second : Fraction
        Time units per second.
    t_start : float
        Beginning of all trains in seconds.
    """

    offset: int
    newline: bytes
    separators: bytes
    per_second: Fraction
    t_start: float


def time_count(line: bytes) -> int | None:
    """Count the times of a line; None if something else is in it."""
    cells = re.split(rb"[\t ,;]+", line.strip(b"\t ,;"))
    times = [cell for cell in cells if cell and cell not in _UNIT_BYTES]
    if len(cells) != len(times) and cells[0] in _UNIT_BYTES:
        return None
    return len(times) if all(_is_number(cell) for cell in times) else None


def _is_number(cell: bytes) -> bool:
    try:
        return bool(np.isfinite(float(cell))) and b"_" not in cell
    except ValueError:
        return False


def text_pieces(source: ByteSource, header: Header) -> Iterator[tuple[int, bytes]]:
    """Cut a file into pieces, each with its offset.

    Lines may be longer than a piece, but no time is cut, nor parted from a unit behind it.
    """
    offset = header.offset
    while offset < source.size:
        data = source.read_at(offset, min(PIECE, source.size - offset), field="times")
        if offset + len(data) < source.size:
            end = _last_begin(data[-CELL_LIMIT:], header)
            length = len(data) - min(CELL_LIMIT, len(data)) + end if end else 0
            length = length or _last_begin(data, header)
            if not length:
                corrupt(source, "no times here; is this a text file?", offset=offset)
            data = data[:length]
        yield offset, data
        offset += len(data)


def _last_begin(data: bytes, header: Header) -> int:
    """Find the last place where a line or a time begins behind another; 0 if there is none."""
    array = np.frombuffer(data, np.uint8)
    before = byte_flags(header.separators + SPACES)[array[:-1]]
    begins = before & byte_flags(NUMBER_STARTS)[array[1:]]
    begins |= array[:-1] == ord(header.newline)
    found = np.flatnonzero(begins)
    return int(found[-1]) + 1 if found.size else 0


@dataclass(frozen=True, slots=True)
class Times:
    """The times in a piece of text.

    Attributes
    ----------
    values : ndarray of float64
        In the recording's time unit.
    ends : ndarray of int64
        How many of them stand before each newline of the piece.
    bad : list of (int, int, bytes)
        What is not a time: line within the piece, field of the line from 1, content.
    """

    values: NDArray[np.float64]
    ends: NDArray[np.int64]
    bad: list[tuple[int, int, bytes]] = field(default_factory=list)


def parsed(data: bytes, header: Header) -> Times:
    """Parse a piece."""
    blanks = header.separators + SPACES
    text = data.translate(bytes.maketrans(blanks + header.newline, b" " * len(blanks) + b"\n"))
    if text.translate(None, NUMBER_BYTES + b" \n"):
        return _parsed_by_line(text, header)
    try:
        values = np.array(text.split(), np.float64)
    except ValueError:
        return _parsed_by_line(text, header)
    if not np.isfinite(values).all():
        return _parsed_by_line(text, header)
    array = np.frombuffer(text, np.uint8)
    begins = array > ord(" ")
    begins[1:] &= ~begins[:-1].copy()
    stops = np.flatnonzero(array == ord("\n"))
    return Times(values, np.searchsorted(np.flatnonzero(begins), stops))


def _parsed_by_line(text: bytes, header: Header) -> Times:
    """Parse a piece in which there is more than plain numbers."""
    values: list[float] = []
    ends: list[int] = []
    bad: list[tuple[int, int, bytes]] = []
    for at, line in enumerate(text.split(b"\n")):
        begin = len(values)
        for position, cell in enumerate(line.split()):
            if _is_number(cell):
                values.append(float(cell))
            elif cell in _UNIT_BYTES and len(values) > begin:
                values[-1] = _in_unit(values[-1], _UNIT_BYTES[cell], header.per_second)
            else:
                bad.append((at, position + 1, cell))
        ends.append(len(values))
    return Times(np.array(values, np.float64), np.array(ends[:-1], np.int64), bad)


def _in_unit(time: float, told: Fraction, wanted: Fraction) -> float:
    """Convert a time between units, given as units per second; its digits are exact."""
    return time if told == wanted else float(Fraction(repr(time)) * wanted / told)


class Walk:
    """Counts spikes and looks at their times, piece by piece."""

    def __init__(self, opening: Opening, header: Header) -> None:
        self.opening, self.header = opening, header
        self.spikes, self.line = 0, 1
        self.line_first = 0  # first spike of the line that the next piece begins in
        self.pieces: list[tuple[int, int]] = []
        self.first: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
        self.offsets: list[NDArray[np.int64]] = [np.array([header.offset])]
        self.unsorted: list[NDArray[np.int64]] = []
        self.low, self.high, self.last = np.inf, -np.inf, -np.inf
        self.is_open = False  # the last line has content and no newline yet

    def take(self, offset: int, data: bytes) -> None:
        """Look at one more piece."""
        found = parsed(data, self.header)
        if found.bad:
            self._refuse(offset, data, *found.bad[0], count=len(found.bad))
        newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(self.header.newline))
        self.pieces.append((offset, self.spikes))
        self.first.append(self.spikes + found.ends)
        self.offsets.append(offset + newlines + 1)
        values = found.values
        if values.size:
            self._compare(values, found.ends)
        tail = data.rpartition(self.header.newline)[2]
        self.is_open = bool(tail.strip()) or (self.is_open and not newlines.size)
        if newlines.size:
            self.line_first = int(self.first[-1][-1])
        self.spikes += values.size
        self.line += newlines.size

    def _refuse(
        self, offset: int, data: bytes, line: int, position: int, cell: bytes, *, count: int
    ) -> None:
        """Refuse what is not a time, or leave it out where damage is salvaged."""
        before = data.split(self.header.newline)[:line]
        error = CorruptError(
            self.opening.files.path,
            f"{cell[:80].decode('latin-1')!r} is not a time",
            offset=offset + sum(len(each) + 1 for each in before),
            field=f"line {self.line + line}, field {position}",
        )
        self.opening.damaged(error, lost=count)

    def _compare(self, values: NDArray[np.float64], ends: NDArray[np.int64]) -> None:
        """Keep smallest and largest time, and the lines whose times decrease."""
        falls = np.flatnonzero(np.diff(values, prepend=self.last) < 0)
        if falls.size:
            lines = np.searchsorted(ends, falls, "right")
            same = lines == np.searchsorted(ends, falls - 1, "right")
            if falls[0] == 0:  # the spike before it is in the piece before
                same[0] = lines[0] == 0 and self.line_first < self.spikes
            self.unsorted.append(np.unique(lines[same]) + self.line - 1)
        self.last = float(values[-1])
        self.low, self.high = (
            min(self.low, float(values.min())),
            max(self.high, float(values.max())),
        )
