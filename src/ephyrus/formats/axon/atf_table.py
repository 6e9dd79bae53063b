"""The table of an ATF file.

Text has no index: the table is parsed when the file is opened, piece by piece, and kept as float64.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.axon.atf import LONGEST, TextHeader
from ephyrus.formats.axon.sweeps import Sweeps
from ephyrus.recording import ByteSource, Opening, corrupt, run_table, under_way

PIECE = 4 * 2**20
COMMA_TO_TAB = bytes.maketrans(b",", b"\t")
LAST_ROWS = 8  # whose time cells tell how precisely times are written
NEWLINE, TAB = 10, 9
SHORTEST = 1e-12  # sampling interval that can be true, in units of the time column


def read_sweeps(opening: Opening, source: ByteSource, header: TextHeader) -> Sweeps:
    """Parse the table.

    Raises
    ------
    CorruptError
        If a cell is not a number, or a row has another number of cells.
    """
    end = _end_of_text(source, header.body)
    signals, skip = len(header.channels), int(header.has_time)
    lines = sum(piece.count(b"\n") for _, piece in _pieces(source, header.body, end))
    total = min(lines, (end - header.body + 1) // header.columns)  # a cell takes a byte at least
    values = np.empty((header.sweeps, total, signals))
    times = np.empty(total)
    rows = 0
    with under_way(opening.progress, end - header.body, "B", "reading text"):
        for offset, piece in _pieces(source, header.body, end):
            table = _numbers(source, offset, piece, header.columns)
            stop = rows + len(table)
            cells = table[:, skip:].reshape(len(table), header.sweeps, signals)
            values[:, rows:stop] = cells.transpose(1, 0, 2)
            times[rows:stop] = table[:, 0]
            rows = stop
            opening.progress.advance(len(piece))
    rate, t_start = _timing(opening, source, header, times[:rows], end)
    starts = _sweep_starts(header, rows, rate, t_start)
    clock, ticks = _on_clock(starts)
    stream = values[:, :rows].reshape(header.sweeps * rows, signals)
    stream.flags.writeable = False
    runs = run_table(np.full(header.sweeps, rows), ticks)
    return Sweeps(runs, clock, rate, runs["count"], values=stream)


def _end_of_text(source: ByteSource, body: int) -> int:
    """Offset behind the last byte that is not blank."""
    end = source.size
    while end > body:
        begin = max(body, end - 4096)
        tail = source.read_at(begin, end - begin).rstrip(b" \t\r\n\0\x1a")
        if tail:
            return begin + len(tail)
        end = begin
    return body


def _pieces(source: ByteSource, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines of the text, in pieces of bounded size; the last line gets a line end."""
    while start < stop:
        size = PIECE
        raw = source.read_at(start, min(size, stop - start))
        while start + len(raw) < stop and b"\n" not in raw:
            size *= 2
            raw = source.read_at(start, min(size, stop - start))
        if start + len(raw) < stop:
            raw = raw[: raw.rindex(b"\n") + 1]
        yield start, raw if raw.endswith(b"\n") else raw + b"\n"
        start += len(raw)


def _numbers(source: ByteSource, offset: int, piece: bytes, columns: int) -> NDArray[np.float64]:
    """Parse lines in one call; where their shape is not the plain one, line by line."""
    text = piece.translate(COMMA_TO_TAB)
    if _is_regular(text, columns):
        try:
            with warnings.catch_warnings():  # before numpy 2.3 text that is no number only warns
                warnings.simplefilter("error", DeprecationWarning)
                table = np.fromstring(text, sep=" ")
        except (ValueError, DeprecationWarning):
            table = np.empty(0)
        if table.size == text.count(b"\n") * columns:
            return table.reshape(-1, columns)
    return _numbers_by_line(source, offset, text, columns)


def _is_regular(text: bytes, columns: int) -> bool:
    """Tell whether every line has columns - 1 tabs."""
    data = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(data == NEWLINE)
    before = np.searchsorted(np.flatnonzero(data == TAB), ends)
    return bool(np.all(np.diff(before, prepend=0) == columns - 1))


def _numbers_by_line(
    source: ByteSource, offset: int, text: bytes, columns: int
) -> NDArray[np.float64]:
    """Parse lines with empty cells (not a number), empty lines (skipped) and tabs at their ends."""
    rows = []
    for line in text.split(b"\n")[:-1]:
        cells = line.rstrip(b"\r ").split(b"\t")
        while len(cells) > columns and not cells[-1].strip():
            cells.pop()
        if any(cell.strip() for cell in cells):
            if len(cells) != columns:
                corrupt(
                    source,
                    f"a row of {len(cells)} cells, expected {columns}",
                    offset=offset,
                    field="table",
                )
            rows.append([_number(source, offset, cell) for cell in cells])
        offset += len(line) + 1
    return np.array(rows, np.float64).reshape(-1, columns)


def _number(source: ByteSource, offset: int, cell: bytes) -> float:
    if not cell.strip():
        return float("nan")
    if b"_" in cell:  # which Python takes for part of a number
        _refuse(source, offset, cell)
    try:
        return float(cell)
    except ValueError:
        _refuse(source, offset, cell)


def _refuse(source: ByteSource, offset: int, cell: bytes) -> NoReturn:
    corrupt(
        source,
        f"{cell.strip()[:40].decode('latin-1')!r} is not a number; only tables of numbers are read",
        offset=offset,
        field="table",
    )


def _timing(
    opening: Opening, source: ByteSource, header: TextHeader, times: NDArray[np.float64], end: int
) -> tuple[Fraction, Fraction]:
    """Give the sampling rate, and the time of the first row in seconds."""
    if not header.has_time or not len(times):
        reason = "there is no column of times" if len(times) else "there are no rows"
    elif not np.all(np.abs(times * float(header.time_unit)) < LONGEST):
        reason = "a time is missing or cannot be true"
    elif len(times) < 2 or not times[-1] - times[0] > SHORTEST * len(times):
        reason = "the times do not tell a sampling rate"
    else:
        digits = _decimals(source, header, end)
        rate = _written_rate(times, digits)
        expected = times[0] + np.arange(len(times)) / float(rate)
        if np.abs(times - expected).max() > 0.5 / float(rate) + 10.0**-digits:
            opening.note(
                "times are not equally spaced; their mean distance is taken",
                path=source.name,
                field="time column",
            )
        return rate / header.time_unit, _decimal(times[0]) * header.time_unit
    opening.note(f"{reason}; 1 Hz is assumed", path=source.name, field="time column")
    return Fraction(1), Fraction(0)


def _decimals(source: ByteSource, header: TextHeader, end: int) -> int:
    """Digits behind the decimal point with which the last times are written."""
    begin = max(header.body, end - 64 * 1024)
    lines = source.read_at(begin, end - begin).split(b"\n")[-LAST_ROWS:]
    digits = 0
    for line in lines:
        cell = re.split(rb"[\t,]", line, maxsplit=1)[0].strip().lower()
        mantissa, _, exponent = cell.partition(b"e")
        shift = int(exponent) if re.fullmatch(rb"[+-]?\d{1,3}", exponent) else 0
        digits = max(digits, len(mantissa.partition(b".")[2]) - shift)
    return min(digits, 30)


def _written_rate(times: NDArray[np.float64], digits: int) -> Fraction:
    """Rate by first and last time: exact if the digits allow, else the roundest that fits them."""
    steps = len(times) - 1
    span = _decimal(times[-1]) - _decimal(times[0])
    interval = span / steps
    if (interval * 10**digits).denominator == 1:
        return 1 / interval
    slack = Fraction(1, 10**digits) / 2
    for significant in range(1, 16):
        simple = Fraction(f"{float(1 / interval):.{significant}g}")
        if abs(steps / simple - span) <= slack:
            return simple
    return 1 / interval


def _decimal(value: float) -> Fraction:
    """Decimal number that was written."""
    return Fraction(repr(float(value)))


def _sweep_starts(
    header: TextHeader, rows: int, rate: Fraction, t_start: Fraction
) -> list[Fraction]:
    """Give the times of the sweeps' first samples.

    The time column counts from the sweep's start, unless it begins with that start itself.
    """
    if not header.start_times:
        return [t_start + sweep * rows / rate for sweep in range(header.sweeps)]
    starts = [_decimal(start * 1000) / 1000 for start in header.start_times]
    absolute = abs(t_start - starts[0]) < 1 / (2 * rate)
    return starts if absolute else [start + t_start for start in starts]


def _on_clock(times: Sequence[Fraction]) -> tuple[Fraction, NDArray[np.int64]]:
    """Clock on which the times are whole ticks, or nanoseconds (at worst seconds)."""
    latest = max(abs(time) for time in times)
    scales = (math.lcm(*(time.denominator for time in times)), 10**9)
    scale = next((each for each in scales if latest * each < 2**62), 1)
    return Fraction(scale), np.array([round(time * scale) for time in times], np.int64)
