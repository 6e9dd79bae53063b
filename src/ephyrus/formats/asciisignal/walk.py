"""The walk through a text table: where its rows are, and what its cells are like.

The file is read in pieces of whole lines; of each piece only its place is kept (24 bytes for every
256 KiB of text), so that any range of rows can be read again without the rows before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError
from ephyrus.formats.asciisignal.layout import BadCells, Layout, Rows, parsed
from ephyrus.formats.asciisignal.times import Times, examined
from ephyrus.recording import ByteSource, Opening, corrupt, under_way

__all__ = ["Start", "Table", "line_pieces", "read_rows", "table_times", "walked"]

PIECE = 256 * 1024  # bytes of text that are looked at together
LINE_LIMIT = 32 * 2**20  # bytes; a longer "line" is no line of a table

PIECE_DTYPE = np.dtype(
    [
        ("offset", "<i8"),  # first byte
        ("row", "<i8"),  # number of its first row
        ("line", "<i8"),  # number of its first line in the file, from 1
    ]
)


@dataclass(frozen=True, slots=True)
class Start:
    """The first row of a table.

    Attributes
    ----------
    layout : Layout
        How lines are cut into cells.
    offset, line : int
        First byte of the row, and number of its line from 1.
    fields : int
        Cells of the row, as stored.
    trailing : bool
        Rows end with a delimiter, so that the last cell is none.
    """

    layout: Layout
    offset: int
    line: int
    fields: int
    trailing: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Where the rows of a text table are.

    Attributes
    ----------
    layout : Layout
        How lines are cut into cells.
    columns : tuple of int
        Columns of the file that are read, in the order chosen.
    pieces : ndarray of PIECE_DTYPE
        The pieces of the file, and an entry for the end.
    strict : bool
        Cells without a number are errors.
    bad_cells : int
        Cells without a number that were found by the walk.
    """

    layout: Layout
    columns: tuple[int, ...]
    pieces: NDArray[Any]
    strict: bool
    bad_cells: int

    @property
    def rows(self) -> int:
        """Rows of the whole table."""
        return int(self.pieces["row"][-1])


def line_pieces(source: ByteSource, offset: int, newline: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a file into pieces of whole lines, each with its offset.

    Raises
    ------
    CorruptError
        If a line is too long to be one.
    """
    while offset < source.size:
        want, end = PIECE, 0
        while not end:
            data = source.read_at(offset, min(want, source.size - offset), field="rows")
            is_last = offset + len(data) == source.size
            end = len(data) if is_last else data.rfind(newline) + 1
            if not end and want >= LINE_LIMIT:
                corrupt(
                    source,
                    f"a line of more than {LINE_LIMIT:,} bytes; is this a text file?",
                    offset=offset,
                )
            want *= 4
        yield offset, data[:end]
        offset += end


class _Walk:
    """Counts rows and checks their cells, piece by piece."""

    def __init__(
        self, opening: Opening, start: Start, columns: tuple[int, ...], strict: bool
    ) -> None:
        self.opening, self.columns, self.strict = opening, columns, strict
        self.layout, self.fields, self.trailing = start.layout, start.fields, start.trailing
        self.source = opening.files.main
        self.row = 0
        self.bad = BadCells()
        self.first_bad = ""

    def take(self, offset: int, line: int, data: bytes) -> tuple[Rows, int]:
        """Check a piece; give its rows and how many bytes of it belong to the table."""
        rows = Rows(data, self.layout)
        counts = rows.field_counts(self.fields)
        length = len(data)
        if counts is not None:
            is_cut = offset + length == self.source.size and not data.endswith(self.layout.newline)
            if is_cut and counts[-1] < self.fields:
                length = int(rows.starts[-1])
                self.opening.note(
                    f"the last line has {counts[-1]} of {self.fields} cells and no end; left out",
                    offset=offset + length,
                    field=f"line {line + int(rows.lines[-1])}",
                    lost=1,
                )
                return self.take(offset, line, data[:length])[0], length
            self._ragged(rows, counts, offset, line)
        if self.trailing:
            self._check_trailing(rows, offset, line)
        self._check_cells(rows, offset, line)
        self.row += len(rows)
        return rows, length

    def _ragged(self, rows: Rows, counts: NDArray[np.int64], offset: int, line: int) -> None:
        wrong = np.flatnonzero(counts != self.fields)
        first = int(wrong[0])
        error = CorruptError(
            self.source.name,
            f"{counts[first]} cells, the first row has {self.fields} (header lines? skiprows says "
            f"how many to skip; another delimiter than {self.layout.delimiter.decode()!r}?)",
            offset=offset + int(rows.starts[first]),
            field=f"line {line + int(rows.lines[first])}",
        )
        self.opening.damaged(error, lost=len(wrong))

    def _check_trailing(self, rows: Rows, offset: int, line: int) -> None:
        """Refuse a value behind the delimiter that ends the other rows."""
        last = rows.array[np.maximum(rows.stops - 1, 0)]
        is_return = last == ord("\r")
        last[is_return] = rows.array[np.maximum(rows.stops[is_return] - 2, 0)]
        unsure = np.flatnonzero(last != ord(self.layout.delimiter))
        wrong = [int(row) for row in unsure if self.layout.cells(rows.row(int(row)))[-1].strip()]
        if wrong:
            at = wrong[0]
            error = CorruptError(
                self.source.name,
                "a value stands behind the delimiter that ends the first rows",
                offset=offset + int(rows.starts[at]),
                field=f"line {line + int(rows.lines[at])}",
            )
            self.opening.damaged(error, lost=len(wrong))

    def _check_cells(self, rows: Rows, offset: int, line: int) -> None:
        """Count cells without a number among the rows that may have some."""
        odd = rows.odd()
        if not odd.size:
            return
        text = self.layout.newline.join(rows.row(int(at)) for at in odd)
        _, bad = parsed(text, self.layout, self.columns, count=odd.size)
        if bad.first is not None and not self.bad.count:
            row, column, cell = bad.first
            row = int(odd[row])
            self.first_bad = bad_cell_text(line + int(rows.lines[row]), column, cell)
            if self.strict:
                corrupt(
                    self.source,
                    f"column {column}: {cell.decode('latin-1')!r} is not a number",
                    offset=offset + int(rows.starts[row]),
                    field=f"line {line + int(rows.lines[row])}",
                )
        self.bad.count += bad.count


def bad_cell_text(line: int, column: int, cell: bytes) -> str:
    """Name a cell that holds no number."""
    return f"line {line}, column {column}: {cell.decode('latin-1')!r}"


def walked(opening: Opening, start: Start, columns: tuple[int, ...], *, strict: bool) -> Table:
    """Walk through a file once.

    Parameters
    ----------
    opening : Opening
        The recording being opened; its progress is told.
    start : Start
        The first row, which the others must be like.
    columns : tuple of int
        Columns to read.
    strict : bool
        Refuse cells without a number.

    Returns
    -------
    Table

    Raises
    ------
    CorruptError
        If a row has more or fewer cells than the first (unless damage is salvaged), or, where
        cells are to be strict, one holds no number.
    """
    walk = _Walk(opening, start, columns, strict)
    pieces: list[tuple[int, int, int]] = []
    end, line = start.offset, start.line
    label = f"reading {opening.files.name}"
    with under_way(opening.progress, walk.source.size - start.offset, "B", label):
        for offset, data in line_pieces(walk.source, start.offset, start.layout.newline):
            pieces.append((offset, walk.row, line))
            rows, length = walk.take(offset, line, data)
            line += rows.line_count
            end = offset + length
            opening.progress.advance(len(data))
    if walk.bad.count:
        opening.note(
            f"{walk.bad.count:,} cells hold no number and are read as NaN, the first in "
            f"{walk.first_bad} (strict=True refuses them)"
        )
    pieces.append((end, walk.row, line))
    table = np.array(pieces, PIECE_DTYPE)
    return Table(start.layout, columns, table, strict, walk.bad.count)


def read_rows(
    source: ByteSource, table: Table, start: int, stop: int, columns: tuple[int, ...]
) -> tuple[NDArray[np.float64], str]:
    """Read some columns of rows [start, stop).

    Returns
    -------
    values : ndarray of float64, shape (stop - start, columns)
    bad : str
        Where the first cell without a number is; empty if there is none.

    Raises
    ------
    CorruptError
        If a cell holds no number and the table is strict.
    """
    values = np.empty((stop - start, len(columns)))
    where = ""
    if start >= stop:
        return values, where
    pieces = table.pieces
    first = int(np.searchsorted(pieces["row"], start, "right")) - 1
    last = int(np.searchsorted(pieces["row"], stop, "left"))
    for at in range(first, last):
        offset, row = int(pieces["offset"][at]), int(pieces["row"][at])
        begin, end = max(start, row), min(stop, int(pieces["row"][at + 1]))
        if begin == end:
            continue
        data = source.read_at(offset, int(pieces["offset"][at + 1]) - offset, field="rows")
        if (begin, end) != (row, int(pieces["row"][at + 1])):
            data = _cut(data, table.layout, begin - row, end - row)
        found, bad = parsed(data, table.layout, columns, count=end - begin)
        values[begin - start : end - start] = found
        if bad.first is not None and not where:
            bad_row, column, cell = bad.first
            line = _line_of(source, table, at, begin - row + bad_row)
            where = bad_cell_text(line, column, cell)
            if table.strict:
                reason = f"column {column}: {cell.decode('latin-1')!r} is not a number"
                corrupt(source, reason, offset=offset, field=f"line {line}")
    return values, where


def _cut(data: bytes, layout: Layout, begin: int, end: int) -> bytes:
    """Cut rows [begin, end) out of a piece."""
    rows = Rows(data, layout)
    return data[int(rows.starts[begin]) : int(rows.stops[end - 1])]


def _line_of(source: ByteSource, table: Table, piece: int, row: int) -> int:
    """Line number of a row of a piece."""
    offset = int(table.pieces["offset"][piece])
    data = source.read_at(offset, int(table.pieces["offset"][piece + 1]) - offset)
    return int(table.pieces["line"][piece]) + int(Rows(data, table.layout).lines[row])


def table_times(opening: Opening, table: Table, column: int) -> tuple[Table, Times]:
    """Look at the times of a column, in a second walk.

    Returns
    -------
    table : Table
        The table, ended before the first row without a time where damage is salvaged.
    times : Times
        What was found.

    Raises
    ------
    CorruptError
        If a time is missing, not a number or not finite.
    """
    source, count = opening.files.main, table.rows
    first, last = (_cell(source, table, row, column) for row in (0, count - 1))
    with under_way(opening.progress, count, "rows", f"checking the times of {opening.files.name}"):
        found = examined(first, last, count, _time_pieces(opening, table, column))
    if isinstance(found, Times):
        return table, found
    return table_times(opening, _without_time(opening, table, found, column), column)


def _time_pieces(
    opening: Opening, table: Table, column: int
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Read one column piece by piece."""
    lenient = replace(table, strict=False)  # the caller refuses what is no time, with its place
    rows = table.pieces["row"].tolist()
    for row, stop in pairwise(rows):
        yield row, read_rows(opening.files.main, lenient, row, stop, (column,))[0][:, 0]
        opening.progress.advance(stop - row)


def _without_time(opening: Opening, table: Table, row: int, column: int) -> Table:
    """Refuse a row that has no time, or end the table before it where damage is salvaged."""
    source = opening.files.main
    at, offset = _place(source, table, row)
    line = _line_of(source, table, at, row - int(table.pieces["row"][at]))
    error = CorruptError(
        source.name,
        f"{_cell(source, table, row, column).decode('latin-1')!r} in the time column is not a time "
        "(header lines? skiprows says how many to skip)",
        offset=offset,
        field=f"line {line}",
    )
    if row == 0:
        raise error
    opening.damaged(error, lost=table.rows - row)
    pieces = table.pieces[: at + 2].copy()
    pieces[-1] = offset, row, line
    return replace(table, pieces=pieces)


def _place(source: ByteSource, table: Table, row: int) -> tuple[int, int]:
    """Piece in which a row is, and the row's first byte in the file."""
    at = int(np.searchsorted(table.pieces["row"], row, "right")) - 1
    offset, first = int(table.pieces["offset"][at]), int(table.pieces["row"][at])
    data = source.read_at(offset, int(table.pieces["offset"][at + 1]) - offset)
    return at, offset + int(Rows(data, table.layout).starts[row - first])


def _cell(source: ByteSource, table: Table, row: int, column: int) -> bytes:
    """One cell as it stands in the file."""
    at = int(np.searchsorted(table.pieces["row"], row, "right")) - 1
    offset, first = int(table.pieces["offset"][at]), int(table.pieces["row"][at])
    data = source.read_at(offset, int(table.pieces["offset"][at + 1]) - offset)
    cells = table.layout.cells(Rows(data, table.layout).row(row - first))
    return cells[column].strip() if column < len(cells) else b""
