"""The beginning of a text table: what its lines look like and where its first row is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ephyrus.formats.asciisignal.layout import (
    SPACES,
    Layout,
    guessed_layout,
    named_delimiter,
    number,
    row_length,
)
from ephyrus.formats.asciisignal.walk import Start, line_pieces
from ephyrus.recording import SNIFF_BYTES, ByteSource, Opening, corrupt
from ephyrus.recording.plaintext import UTF8_MARK, UTF16_MARKS, text_start

__all__ = ["Start", "found_start", "likeness"]

SAMPLE_LINES = 50  # are looked at to find the delimiter


def likeness(head: bytes) -> tuple[int, bool]:
    """Tell how much the beginning of a file looks like a table of numbers.

    Returns
    -------
    rows : int
        Rows of numbers, all with as many cells; 0 if it is something else, -1 if rows of numbers
        differ in their number of cells.
    has_header : bool
        There are lines of another kind before them.
    """
    lines = _content_lines(head)
    layout = guessed_layout(lines[-SAMPLE_LINES:], Layout(b"", b"", method="csv"))
    counts = [row_length(layout.cells(line)) for line in lines]
    first = next((at for at, count in enumerate(counts) if count), len(counts))
    body = counts[first:]
    if not body or not all(body) or (first and len(body) < 2):
        return 0, False
    return (len(body) if len(set(body)) == 1 else -1), first > 0


def _content_lines(head: bytes) -> list[bytes]:
    """Give the lines that are not empty and not comments; none if it is not text."""
    if b"\0" in head or head.startswith((b"ATF", *UTF16_MARKS)):
        return []
    lines = re.split(rb"\r\n|\n|\r", head.removeprefix(UTF8_MARK))
    if len(head) >= SNIFF_BYTES and len(lines) > 1:
        lines.pop()  # cut by the end of the head
    return [line for line in lines if _is_content(line)]


def _is_content(line: bytes) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(b"#")


def found_start(opening: Opening, options: Mapping[str, Any]) -> Start:
    """Find the first row of a table, and the delimiter where none is told.

    Parameters
    ----------
    opening : Opening
        The recording being opened; told about lines that are taken for a header.
    options : mapping
        Checked options, after the sidecar had its say.

    Raises
    ------
    CorruptError
        If the file is empty, or there is no row of numbers at its beginning.
    WrongFormatError
        If it is text in UTF-16.
    """
    main = opening.files.main
    head = main.head(SNIFF_BYTES)
    if not head.strip():
        corrupt(main, "the file is empty" if not head else "the file begins with empty lines only")
    begin, newline = text_start(main, head)
    offset = _behind(main, begin, newline, options["skiprows"])
    data = next((data for _, data in line_pieces(main, offset, newline)), b"")
    lines = data.split(newline)
    content = [line for line in lines if _is_content(line)]
    told = options["delimiter"], options["decimal"]
    delimiter = b"" if told[0] is None else named_delimiter(told[0])
    decimal = b"" if told[1] is None else told[1].encode()
    if delimiter and delimiter == decimal:
        raise ValueError(f"{told[0]!r} cannot be both delimiter and decimal mark")
    known = Layout(delimiter, decimal, newline, options["method"])
    layout = guessed_layout(content[:SAMPLE_LINES], known)
    if layout.decimal == b"," and not decimal:
        opening.note("numbers seem to have decimal commas (decimal='.' says that they have not)")
    first = _first_row(opening, layout, lines, options["skiprows"])
    rows = [layout.cells(line) for line in lines[first:] if _is_content(line)][:2]
    return Start(
        layout=layout,
        offset=offset + sum(len(line) + 1 for line in lines[:first]),
        line=options["skiprows"] + first + 1,
        fields=len(rows[0]),
        trailing=_has_trailing(layout, rows),
    )


def _behind(source: ByteSource, offset: int, newline: bytes, lines: int) -> int:
    """Give the offset behind a number of lines."""
    end = offset
    for start, data in line_pieces(source, offset, newline):
        count = data.count(newline)
        if lines <= count:
            return start + sum(len(line) + 1 for line in data.split(newline, lines)[:lines])
        lines, end = lines - count, start + len(data)
    if lines > 0:
        corrupt(source, "skiprows skips the whole file", field="skiprows")
    return end


def _first_row(opening: Opening, layout: Layout, lines: Sequence[bytes], skipped: int) -> int:
    """Find the first line with a number; note the lines before it that are a header."""
    for at, line in enumerate(lines):
        if not _is_content(line):
            continue
        if any(number(cell) is not None for cell in layout.cells(line)):
            break
        text = line.strip(SPACES).decode("latin-1")
        shown = text if len(text) <= 60 else f"{text[:60]}..."
        opening.note(
            f"{shown!r} holds no number and is taken for a header "
            f"(skiprows={skipped + at + 1} skips it)",
            field=f"line {skipped + at + 1}",
        )
    else:
        corrupt(
            opening.files.main,
            f"no line with a number in the first {len(lines)} lines; are delimiter "
            f"({layout.delimiter.decode()!r}) and decimal ({layout.decimal.decode()!r}) right? "
            "(cells in quotes need method='csv')",
        )
    return at


def _has_trailing(layout: Layout, rows: Sequence[list[bytes]]) -> bool:
    """Tell whether rows end with a delimiter."""
    return not layout.merges and all(len(row) > 1 and not row[-1].strip() for row in rows)
