"""How the lines of a text table are cut into cells, and cells become numbers.

Text is handled as bytes in pieces of whole lines. Almost all lines hold nothing but numbers, so a
piece goes through one call of numpy's C parser; only where that fails are its rows looked at one by
one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.plaintext import NUMBER_BYTES, byte_flags, delimiter_named

__all__ = [
    "DELIMITERS",
    "BadCells",
    "Layout",
    "Rows",
    "guessed_layout",
    "named_delimiter",
    "number",
    "parsed",
    "row_length",
]

# Tried in this order where none is told; blanks are any run of spaces and tabs.
DELIMITERS = (b"\t", b";", b",", b" ")
COMMENT = ord("#")
SPACES = b" \r\v\f"


@dataclass(frozen=True)
class Layout:
    """How cells stand in a line.

    Attributes
    ----------
    delimiter : bytes
        One byte between cells; a space stands for any run of spaces and tabs.
    decimal : bytes
        The decimal mark.
    newline : bytes
        The byte that ends a line (a carriage return before a line feed counts as a space).
    method : {"genfromtxt", "csv", "homemade"}
        ``"csv"``: cells may be in double quotes; ``"homemade"``: empty cells are dropped.
    """

    delimiter: bytes = b"\t"
    decimal: bytes = b"."
    newline: bytes = b"\n"
    method: str = "genfromtxt"

    @property
    def merges(self) -> bool:
        """Several delimiters in a row count as one."""
        return self.delimiter == b" " or self.method == "homemade"

    @property
    def quoted(self) -> bool:
        """Cells may be in double quotes."""
        return self.method == "csv"

    @cached_property
    def separators(self) -> bytes:
        """All bytes that may stand between cells; the same as spaces where they merge."""
        if not self.merges:
            return self.delimiter
        return self.delimiter + b"\t " + (b'"' if self.quoted else b"")

    @cached_property
    def spaces(self) -> bytes:
        """Bytes around a number that do not matter."""
        if self.merges:
            return SPACES + self.separators
        return SPACES if self.delimiter == b"\t" else SPACES + b"\t"

    @cached_property
    def table(self) -> bytes | None:
        """Translation to what the C parser reads: decimal points, line feeds, spaces."""
        old, new = self.decimal + self.newline, b".\n"
        if self.merges:
            old, new = old + self.separators, new + b" " * len(self.separators)
        return None if old == new else bytes.maketrans(old, new)

    @cached_property
    def in_cells(self) -> NDArray[np.bool_]:
        """For each byte value: it is part of a cell."""
        return ~byte_flags(self.spaces + self.separators + self.newline)

    @cached_property
    def is_odd(self) -> NDArray[np.bool_]:
        """For each byte value: a line with it does not consist of plain numbers."""
        plain = NUMBER_BYTES.replace(b".", self.decimal)
        return ~byte_flags(plain + self.spaces + self.separators + self.newline)

    def cells(self, line: bytes) -> list[bytes]:
        """Cut a line into cells, with decimal points and without quotes and comments."""
        line = line.partition(b"#")[0].strip(SPACES + self.newline)
        if self.merges:
            return line.translate(self.table).split()
        if self.quoted and b'"' in line:
            parts = _unquoted(line, self.delimiter)
        else:
            parts = line.split(self.delimiter)
        return [part.replace(self.decimal, b".") for part in parts]


def _unquoted(line: bytes, delimiter: bytes) -> list[bytes]:
    """Cut a line with quoted cells; delimiters within quotes are part of the cell."""
    text = line.decode("latin-1")
    try:
        cells = next(csv.reader([text], delimiter=delimiter.decode("latin-1")), [])
    except csv.Error:
        return line.split(delimiter)
    return [cell.encode("latin-1") for cell in cells]


def named_delimiter(text: str) -> bytes:
    """Give the delimiter that a user means.

    Raises
    ------
    ValueError
        If it is not one character of ASCII (spaces around it do not matter).
    """
    return delimiter_named(text, refused='\r\n#"')


def guessed_layout(lines: Sequence[bytes], layout: Layout) -> Layout:
    """Find the delimiter and the decimal mark with which most lines are rows of numbers.

    Parameters
    ----------
    lines : sequence of bytes
        Lines of the table, perhaps some of a header.
    layout : Layout
        What is known; an empty delimiter or decimal is to be found.

    Returns
    -------
    Layout
        A point wins over a comma, and the order of `DELIMITERS` decides between equals.
    """
    decimals = (layout.decimal,) if layout.decimal else (b".", b",")
    delimiters = (layout.delimiter,) if layout.delimiter else DELIMITERS
    trials = [
        replace(layout, delimiter=delimiter, decimal=decimal)
        for decimal in decimals
        for delimiter in delimiters
        if delimiter != decimal
    ]
    best, most = None, 0
    for trial in trials:
        score = sum(row_length(trial.cells(line)) > 1 for line in lines)
        if score > most:
            best, most = trial, score
        if score == len(lines):  # none can be better
            break
    if best is not None:
        return best
    decimal = layout.decimal or _decimal_of_cells(lines, layout)
    last = lines[-1] if lines else b""
    there = (each for each in DELIMITERS if each != decimal and each in last)
    delimiter = layout.delimiter or next(there, b"\t")
    return replace(layout, delimiter=delimiter, decimal=decimal)


def _decimal_of_cells(lines: Sequence[bytes], layout: Layout) -> bytes:
    """Find the decimal mark where rows have one cell, or cells that are not numbers."""
    for decimal in (b".", b","):
        trials = (replace(layout, delimiter=each, decimal=decimal) for each in DELIMITERS)
        for trial in trials:
            if trial.delimiter != decimal and any(
                number(cell) is not None for line in lines for cell in trial.cells(line)
            ):
                return decimal
    return b"."


def row_length(cells: Sequence[bytes]) -> int:
    """Count the cells up to the last filled one; 0 if one that is filled is not a number."""
    filled = [at for at, cell in enumerate(cells) if cell.strip()]
    if not filled or any(number(cells[at]) is None for at in filled):
        return 0
    return filled[-1] + 1


def number(cell: bytes) -> float | None:
    """Give the number in a cell, or None if there is none."""
    try:
        return None if b"_" in cell else float(cell)
    except ValueError:
        return None


@dataclass(slots=True)
class BadCells:
    """Cells that hold no number.

    Attributes
    ----------
    count : int
        How many there are.
    first : tuple or None
        Row (within the piece), column and content of the first.
    """

    count: int = 0
    first: tuple[int, int, bytes] | None = None

    def add(self, row: int, column: int, cell: bytes) -> None:
        """Count one more."""
        self.count += 1
        self.first = self.first or (row, column, cell)


@dataclass(frozen=True)
class Rows:
    """The lines of a piece of text that are rows of the table, not empty and not comments.

    Attributes
    ----------
    data : bytes
        Whole lines.
    layout : Layout
        How they are cut into cells.
    starts, stops : ndarray of int64
        First byte of each row, and the byte after its last (the newline).
    lines : ndarray of int64
        Position of each row among the lines of the piece.
    line_count : int
        Lines in the piece.
    """

    data: bytes
    layout: Layout
    starts: NDArray[np.int64] = field(init=False)
    stops: NDArray[np.int64] = field(init=False)
    lines: NDArray[np.int64] = field(init=False)
    line_count: int = field(init=False)

    def __post_init__(self) -> None:
        array = self.array
        stops = np.flatnonzero(array == ord(self.layout.newline))
        if len(array) and (not stops.size or stops[-1] != len(array) - 1):
            stops = np.append(stops, len(array))
        starts = np.concatenate((np.zeros(min(stops.size, 1), np.int64), stops[:-1] + 1))
        rows = np.flatnonzero(self._are_rows(starts, stops))
        found: dict[str, Any] = {
            "starts": starts[rows],
            "stops": stops[rows],
            "lines": rows,
            "line_count": stops.size,
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def array(self) -> NDArray[np.uint8]:
        """The bytes as numbers."""
        return np.frombuffer(self.data, np.uint8)

    def __len__(self) -> int:
        return len(self.starts)

    def row(self, number: int) -> bytes:
        """One row, without its newline."""
        return self.data[self.starts[number] : self.stops[number]]

    def _are_rows(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell rows from empty lines and comments."""
        array, in_cells = self.array, self.layout.in_cells
        if not starts.size:
            return np.zeros(0, np.bool_)
        if not self.layout.merges:  # a line of nothing but delimiters is a row of empty cells
            in_cells = in_cells.copy()
            in_cells[ord(self.layout.delimiter)] = True
        first = array[starts]
        are_rows = in_cells[first] & (first != COMMENT)
        unsure = np.flatnonzero(~in_cells[first])
        if unsure.size:
            content = np.append(np.flatnonzero(in_cells[array]), len(array))
            begin = content[np.searchsorted(content, starts[unsure])]
            has_content = begin < stops[unsure]
            begin[~has_content] = 0
            are_rows[unsure] = has_content & (array[begin] != COMMENT)
        return np.asarray(are_rows)

    def field_counts(self, expected: int) -> NDArray[np.int64] | None:
        """Count the cells of each row.

        Parameters
        ----------
        expected : int
            Cells that a row should have.

        Returns
        -------
        ndarray of int64, shape (rows,), or None
            None where every row has `expected` cells (the usual case, found faster).
        """
        array, layout = self.array, self.layout
        if layout.merges:
            inside = layout.in_cells[array]
            inside[1:] &= ~inside[:-1].copy()
            marks, fewer = np.flatnonzero(inside), 0
        else:
            marks, fewer = np.flatnonzero(array == ord(layout.delimiter)), 1
        special = self._special()
        if not special.size and _evenly(marks, expected - fewer, self.starts, self.stops):
            return None
        counts = np.searchsorted(marks, self.stops) - np.searchsorted(marks, self.starts) + fewer
        for row in special:
            counts[row] = len(layout.cells(self.row(row)))
        return None if np.all(counts == expected) else counts

    def _special(self) -> NDArray[np.int64]:
        """Rows that hold a comment or quotes: their delimiters cannot simply be counted."""
        array = self.array
        found = array == COMMENT
        if self.layout.quoted:
            found |= array == ord('"')
        return self._rows_of(np.flatnonzero(found))

    def odd(self) -> NDArray[np.int64]:
        """Rows that may hold something other than numbers (letters, empty cells)."""
        array, layout = self.array, self.layout
        found = layout.is_odd[array]
        if not layout.merges:
            at_edge = array == ord(layout.delimiter)
            empty = at_edge.copy()  # a delimiter at the start, or after another, or at the end
            ends = at_edge | (array == ord(layout.newline)) | (array == ord("\r"))
            empty[1:] &= ends[:-1]
            found |= empty
            found[:-1] |= at_edge[:-1] & ends[1:]
            found[-1:] |= at_edge[-1:]
        return self._rows_of(np.flatnonzero(found))

    def _rows_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows in which the given bytes are."""
        if not positions.size or not len(self):
            return np.zeros(0, np.int64)
        rows = np.unique(np.searchsorted(self.starts, positions, "right") - 1)
        positions_in = np.searchsorted(positions, self.starts[np.maximum(rows, 0)])
        inside = positions[np.minimum(positions_in, positions.size - 1)] < self.stops[rows]
        return rows[inside & (rows >= 0)]


def _evenly(
    marks: NDArray[np.int64], per_row: int, starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> bool:
    """Tell whether each row holds exactly `per_row` of the marks."""
    if marks.size != per_row * starts.size:
        return False
    if per_row == 0 or not marks.size:
        return True
    table = marks.reshape(-1, per_row)
    return bool(np.all(table[:, 0] >= starts) and np.all(table[:, -1] < stops))


def parsed(
    data: bytes, layout: Layout, columns: Sequence[int], *, count: int | None = None
) -> tuple[NDArray[np.float64], BadCells]:
    """Give the numbers of some columns of whole lines.

    Parameters
    ----------
    data : bytes
        Whole lines.
    layout : Layout
        How they are cut into cells.
    columns : sequence of int
        Which columns, from 0.
    count : int, optional
        How many rows there are, where that is known.

    Returns
    -------
    values : ndarray of float64, shape (rows, columns)
        NaN where a cell holds no number.
    bad : BadCells
        What those cells are.
    """
    bad = BadCells()
    if count == 0 or not data:
        return np.empty((0, len(columns))), bad
    values = _by_numpy(data, layout, columns)
    if values is not None and (count is None or len(values) == count):
        return values, bad
    rows = Rows(data, layout)
    table = [_row(layout.cells(rows.row(at)), columns, at, bad) for at in range(len(rows))]
    return np.array(table, np.float64).reshape(len(rows), len(columns)), bad


def _by_numpy(data: bytes, layout: Layout, columns: Sequence[int]) -> NDArray[np.float64] | None:
    """Parse lines with numpy's C parser; None where it finds something other than numbers."""
    prepared = data if layout.table is None else data.translate(layout.table)
    if not prepared.strip():
        return None
    try:
        return np.loadtxt(
            io.BytesIO(prepared),
            delimiter=None if layout.merges else layout.delimiter.decode("latin-1"),
            comments="#",
            usecols=columns,
            ndmin=2,
            encoding="latin-1",
            quotechar='"' if layout.quoted and not layout.merges else None,
        )
    except ValueError:
        return None


def _row(cells: list[bytes], columns: Sequence[int], row: int, bad: BadCells) -> list[float]:
    """Numbers of the chosen cells of one row."""
    values = []
    for column in columns:
        cell = cells[column] if column < len(cells) else b""
        value = number(cell)
        if value is None:
            bad.add(row, column, cell)
            value = np.nan
        values.append(value)
    return values
