"""Data stored as text: where the numbers lie, and reading a range of them.

Opening walks the file once. Of multiplexed data every line's offset is kept, of vectorized data
(one line per channel) the offset of every 4096th number, so that a slice costs what it holds.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import TruncatedError
from ephyrus.formats.brainvision.header import Header, TextLayout
from ephyrus.recording import HEADER_BYTES, ByteSource, Opening, corrupt, pieces, under_way

__all__ = ["TextIndex", "index_text", "read_text_data"]

STEP = 4096  # numbers between two kept offsets of a line
_SCAN_BYTES = 4 * 2**20
_NEWLINE, _RETURN, _COMMA = 10, 13, 44
# Bytes of other alphabets are letters of names; some of them are blanks in Latin-1.
_COMMA_IS_BLANK = bytes(ord(" ") if i == _COMMA else i if i < 128 else ord("?") for i in range(256))
_COMMA_IS_POINT = _COMMA_IS_BLANK[:_COMMA] + b"." + _COMMA_IS_BLANK[_COMMA + 1 :]
_BLANKS = b" \t\r\n\0\x1a"  # what may stand behind the last line


@dataclass(frozen=True, slots=True, eq=False)
class TextIndex:
    """Where the numbers lie.

    Attributes
    ----------
    points, channels : int
        Samples per channel, and channels that are there.
    offsets : list of ndarray of int64
        Multiplexed: one array, the first byte of each sample's line and the end of the file.
        Vectorized: for each channel the first byte of numbers 0, 4096, ..., and the line's end.
    """

    points: int
    channels: int
    offsets: list[NDArray[np.int64]]


def index_text(opening: Opening, header: Header, text: TextLayout) -> TextIndex:
    """Walk a text data file once.

    Raises
    ------
    CorruptError
        If its lines do not hold the numbers that the header promises.
    TruncatedError
        If channels are missing or shorter than others.
    """
    source = opening.files.source(header.data_file)
    with under_way(opening.progress, source.size, "B", f"indexing {header.data_file}"):
        lines = _lines(opening, source, text)
        if header.is_vectorized:
            return _vectorized(opening, source, header, text, lines)
        return _multiplexed(opening, source, header, text, lines)


def _lines(opening: Opening, source: ByteSource, text: TextLayout) -> NDArray[np.int64]:
    """First bytes of the lines that hold something, behind the skipped ones, and the file's end."""
    found: list[NDArray[np.int64]] = []
    start, skip, before = 0, text.skip_lines, 0
    for first, last in pieces(0, source.size, 1, _SCAN_BYTES):
        data = source.array(first, "u1", last - first, field="data")
        ends = np.flatnonzero(data == _NEWLINE)
        behind_return = np.where(ends > 0, data[ends - 1], before) == _RETURN
        begins = np.concatenate(([start], ends[:-1] + first + 1))[: ends.size]
        is_filled = ends + first - behind_return > begins
        found.append(begins[skip:][is_filled[skip:]].astype(np.int64))
        skip = max(0, skip - ends.size)
        start = int(ends[-1]) + first + 1 if ends.size else start
        before = int(data[-1])
        opening.progress.advance(last - first)
    found.append(np.array([start] * (skip == 0 and start < source.size), np.int64))
    lines = np.append(np.concatenate(found), source.size)
    is_short = lines.size > 1 and lines[-1] - lines[-2] <= len(_BLANKS) * 8
    if is_short and not source.read_at(int(lines[-2]), int(lines[-1] - lines[-2])).strip(_BLANKS):
        return np.delete(lines, -2)
    return lines


def _multiplexed(
    opening: Opening,
    source: ByteSource,
    header: Header,
    text: TextLayout,
    lines: NDArray[np.int64],
) -> TextIndex:
    """Check the first and the last line; every line between is checked when it is read."""
    count, wanted = len(header.channels), text.skip_columns + header.stored_channels
    if lines.size == 1:
        return TextIndex(0, count, [lines])
    lengths = np.diff(lines)
    if lengths.max() > HEADER_BYTES:
        place = int(lines[int(lengths.argmax())])
        corrupt(source, f"a line of {lengths.max():,} bytes", offset=place, field="data")
    found = len(_separated(_bytes(source, lines[0], lines[1]), text).split())
    if found < wanted:
        reason = f"the first line holds {found} columns, expected {wanted}"
        corrupt(source, reason, offset=int(lines[0]), field="data")
    tail = _bytes(source, lines[-2], lines[-1])
    if lines.size > 2 and b"\n" not in tail and len(_separated(tail, text).split()) < wanted:
        opening.note(
            "the last line is incomplete; it is left out",
            path=source.name,
            offset=int(lines[-2]),
            field="data",
            lost=1,
        )
        lines = lines[:-1]
    return TextIndex(lines.size - 1, count, [lines])


def _vectorized(
    opening: Opening,
    source: ByteSource,
    header: Header,
    text: TextLayout,
    lines: NDArray[np.int64],
) -> TextIndex:
    """Find the numbers of each channel's line."""
    promised = len(header.channels)
    count = min(promised, lines.size - 1)
    if count < promised:
        reason = f"{promised} channels are promised, one in each line; there are {count} lines"
        opening.damaged(TruncatedError(source.name, reason, field="data"), lost=promised - count)
    found = [_numbers_of_line(source, text, *map(int, lines[i : i + 2])) for i in range(count)]
    points = np.array([numbers for _, numbers in found], np.int64)
    if points.size and points.min() != points.max():
        channel = int(points.argmin())
        opening.damaged(
            TruncatedError(
                source.name,
                f"channel {channel + 1} has {points.min():,} points, others up to "
                f"{points.max():,} (SkipColumns={text.skip_columns})",
                offset=int(lines[channel]),
                field="data",
            ),
            lost=int(points.max() - points.min()),
        )
    return TextIndex(int(points.min(initial=points.max(initial=0))), count, [o for o, _ in found])


def _numbers_of_line(
    source: ByteSource, text: TextLayout, start: int, stop: int
) -> tuple[NDArray[np.int64], int]:
    """Offsets of every 4096th number of a line, with the line's end, and how many there are."""
    is_blank = np.arange(256) <= ord(" ")
    is_blank[_COMMA] |= text.decimal_symbol == "."
    kept: list[NDArray[np.int64]] = []
    count, behind_blank = 0, True
    for first, last in pieces(start, stop, 1, _SCAN_BYTES):
        blank = is_blank[source.array(first, "u1", last - first, field="data")]
        begins = ~blank
        begins[1:] &= blank[:-1]
        begins[0] &= behind_blank
        behind_blank = bool(blank[-1])
        where = np.flatnonzero(begins)
        ahead = text.skip_columns - count
        kept.append(where[ahead if ahead > 0 else ahead % STEP :: STEP] + first)
        count += where.size
    offsets = np.concatenate([*kept, [stop]]).astype(np.int64)
    return offsets, max(0, count - text.skip_columns)


def read_text_data(
    source: ByteSource,
    header: Header,
    index: TextIndex,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    """Read samples [start, stop) of some channels.

    Raises
    ------
    CorruptError
        If a line does not hold the numbers that it should.
    """
    chosen = np.arange(index.channels) if channels is None else channels
    if stop == start or not chosen.size or header.text is None:
        return np.empty((stop - start, chosen.size))
    if not header.is_vectorized:
        lines = index.offsets[0]
        columns = chosen + header.text.skip_columns
        return _numbers(source, header.text, lines[start], lines[stop], columns, stop - start)
    result = np.empty((chosen.size, stop - start))
    first = start // STEP
    for row, channel in enumerate(chosen):
        offsets = index.offsets[channel]
        end = offsets[min(-(-stop // STEP), offsets.size - 1)]
        values = _numbers(source, header.text, offsets[first], end, None, 1)[0]
        if values.size < stop - first * STEP:
            corrupt(source, "numbers are missing", offset=int(offsets[first]), field="data")
        result[row] = values[start - first * STEP : stop - first * STEP]
    return result.T


def _bytes(source: ByteSource, start: np.int64, stop: np.int64) -> bytes:
    return source.read_at(int(start), int(stop - start), field="data")


def _separated(stored: bytes, text: TextLayout) -> bytes:
    """Give text with decimal points and blanks between numbers."""
    return stored.translate(_COMMA_IS_POINT if text.decimal_symbol == "," else _COMMA_IS_BLANK)


def _numbers(
    source: ByteSource,
    text: TextLayout,
    start: np.int64,
    stop: np.int64,
    columns: NDArray[np.intp] | None,
    rows: int,
) -> NDArray[np.float64]:
    """Parse a byte range in one call; shape (rows, columns)."""
    stored = _separated(_bytes(source, start, stop), text)
    if not stored.strip(_BLANKS):
        corrupt(source, "a line without numbers", offset=int(start), field="data")
    usecols = None if columns is None else columns.tolist()
    try:
        values = np.loadtxt(
            io.BytesIO(stored), usecols=usecols, ndmin=2, comments=None, encoding="ascii"
        )
    except ValueError as error:
        corrupt(source, f"not all are numbers: {error}", offset=int(start), field="data")
    if len(values) != rows:
        reason = f"{len(values)} lines with numbers, expected {rows}"
        corrupt(source, reason, offset=int(start), field="data")
    return values
