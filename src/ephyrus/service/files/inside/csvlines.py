"""Reads text files in which each line is one signal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.files.canonical import ArrayWriter
from ephyrus.service.files.nursery import Refused

__all__ = ["Line", "find_lines", "looks_like_csv", "write_line"]

SEPARATORS = (b"\t", b";", b",")  # the first that occurs; a comma beside others is a decimal one
MOST_LINES = 100_000
MOST_NAME = 200  # bytes of a name at the beginning of a line
BLOCK = 2**20
BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Line:
    """One line of a file.

    Attributes
    ----------
    start, stop : int
        Its bytes, without the name and the end of line.
    count : int
        Values in it.
    name : str
        What the line begins with, if that is no number.
    """

    start: int
    stop: int
    count: int
    name: str = ""


def looks_like_csv(head: bytes) -> bool:
    """Tell by the beginning of a file whether its lines are numbers, perhaps after a name."""
    text = head.removeprefix(BOM)
    if b"\0" in text or not text.strip():
        return False
    lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if len(lines) > 1:
        lines.pop()  # it may be cut
    else:
        lines[0] = lines[0][: max(lines[0].rfind(each) for each in SEPARATORS)]
    separator = _separator(text)
    if separator is None:
        return False
    found = [line for line in lines if line.strip()]
    return bool(found) and all(_is_signal(line, separator) for line in found)


def _separator(text: bytes) -> bytes | None:
    return next((each for each in SEPARATORS if each in text), None)


def _is_signal(line: bytes, separator: bytes) -> bool:
    """Tell whether a line is two numbers at least, perhaps after a name."""
    cells = line.strip().rstrip(separator).split(separator)
    if len(cells) > 1 and not _is_number(cells[0], separator):
        cells = cells[1:]
    return len(cells) > 1 and all(_is_number(cell, separator) for cell in cells)


def _is_number(cell: bytes, separator: bytes) -> bool:
    try:
        float(_plain(cell, separator).strip() or b"nan")
    except ValueError:
        return False
    return b"_" not in cell  # which Python takes for a part of numbers


def _plain(text: bytes, separator: bytes) -> bytes:
    """Give numbers with decimal points."""
    return text if separator == b"," else text.replace(b",", b".")


def find_lines(path: Path) -> tuple[list[Line], bytes]:
    """Find the lines of a file and count their values.

    Returns
    -------
    lines : list of Line
        Those that are not empty.
    separator : bytes
        What stands between values.

    Raises
    ------
    Refused
        If there are too many lines, or none.
    """
    with path.open("rb") as file:
        separator = _separator(file.read(BLOCK)) or b","
    lines: list[Line] = []
    for start, stop in _line_ranges(path):
        line = _line(path, start, stop, separator)
        if line.count:
            lines.append(line)
        if len(lines) > MOST_LINES:
            raise Refused(f"the file has more than {MOST_LINES:,} lines; each would be a signal")
    if not lines:
        raise Refused("the file holds no line of numbers")
    return lines, separator


def _line_ranges(path: Path) -> Iterator[tuple[int, int]]:
    """Give where lines begin and end, whatever ends them, however long they are."""
    begin = at = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            values = np.frombuffer(block, np.uint8)
            for end in (np.flatnonzero((values == 10) | (values == 13)) + at).tolist():
                if end > begin:
                    yield begin, end
                begin = end + 1
            at += len(block)
    if at > begin:
        yield begin, at


def _line(path: Path, start: int, stop: int, separator: bytes) -> Line:
    """Look at one line: its name, and how many values it has."""
    with path.open("rb") as file:
        file.seek(start)
        head = file.read(min(stop - start, MOST_NAME))
    if start == 0 and head.startswith(BOM):
        start, head = start + len(BOM), head[len(BOM) :]
    name = ""
    first, found, _ = head.partition(separator)
    if found and not _is_number(first, separator):
        name = first.decode("utf-8", "replace").strip().strip('"')
        start += len(first) + 1
    count, tail = 0, b""
    for piece in _pieces(path, start, stop):
        count += piece.count(separator)
        tail = (tail + piece)[-MOST_NAME:]
    while tail.rstrip().endswith(separator):  # nothing follows the last one
        count, tail = count - 1, tail.rstrip()[: -len(separator)]
    return Line(start, stop, count + 1 if tail.strip() else 0, name)


def _pieces(path: Path, start: int, stop: int) -> Iterator[bytes]:
    """Read a range in blocks."""
    with path.open("rb") as file:
        file.seek(start)
        while start < stop:
            piece = file.read(min(BLOCK, stop - start))
            if not piece:
                return
            start += len(piece)
            yield piece


def write_line(path: Path, line: Line, separator: bytes, writer: ArrayWriter) -> None:
    """Write the values of a line.

    Raises
    ------
    Refused
        If one of them is no number; the message tells which.
    """
    rest, done = b"", 0
    for piece in _pieces(path, line.start, line.stop):
        whole, found, rest_of_piece = (rest + piece).rpartition(separator)
        rest = rest_of_piece
        if found:
            done = _write_cells(whole.split(separator), line, separator, done, writer)
        if len(rest) > MOST_NAME:
            raise Refused(f"value {done + 1} of the line at byte {line.start} is no number")
    _write_cells([rest], line, separator, done, writer)


def _write_cells(
    cells: list[bytes], line: Line, separator: bytes, done: int, writer: ArrayWriter
) -> int:
    """Write cells as float64, empty ones as NaN, and none behind the last value."""
    cells = cells[: line.count - done]
    if cells:
        writer.write(_numbers(cells, line, separator, done))
    return done + len(cells)


def _numbers(cells: list[bytes], line: Line, separator: bytes, done: int) -> NDArray[Any]:
    texts = [_plain(cell, separator).strip() or b"nan" for cell in cells]
    try:
        return np.array(texts).astype(np.float64)
    except ValueError:
        bad = next(at for at, cell in enumerate(cells) if not _is_number(cell, separator))
        shown = cells[bad][:40].decode("utf-8", "replace")
        raise Refused(
            f"value {done + bad + 1} of the line at byte {line.start} is no number: {shown!r}"
        ) from None
