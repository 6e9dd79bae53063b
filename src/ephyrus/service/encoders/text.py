"""Bodies of text: JSON and CSV, formatted by the block.

Numbers are printed by orjson, which prints the shortest text that reads back to the same value of
the same type (a float32 as ``0.1``, not as ``0.10000000149011612``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders.body import Body, Buffer, checked_blocks, streamed
from ephyrus.service.encoders.columns import Table, native, texts

__all__ = ["CSV_MEDIA_TYPE", "JSON_MEDIA_TYPE", "csv_body", "json_body"]

JSON_MEDIA_TYPE = "application/json"
CSV_MEDIA_TYPE = "text/csv; charset=utf-8; header=present"
_VALUES_PER_BLOCK = 2**16  # at most some 20 characters each, so that a block stays near 1 MiB
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


def _rows(part: ArrayPart) -> int:
    """Rows of a block whose text is about 1 MiB."""
    values = int(np.prod(part.shape[1:], dtype=np.int64))
    if part.dtype.kind == "S":
        values *= max(1, part.dtype.itemsize // 8)
    return max(1, _VALUES_PER_BLOCK // max(1, values))


def _json(block: NDArray[Any]) -> bytes:
    """Print a block as a list of lists."""
    if block.dtype.kind == "S":
        return orjson.dumps(texts(block).tolist())
    return orjson.dumps(native(block), option=_OPTIONS)


def json_body(part: ArrayPart) -> Body:
    """Make a bare JSON list, nested by the dimensions; NaN and infinity are ``null``."""

    def whole() -> bytes:
        return b"".join(_json_blocks(part))

    make = streamed(partial(_json_blocks, part))
    return Body(JSON_MEDIA_TYPE, make, extension=".json", compressible=True, whole=whole)


def _json_blocks(part: ArrayPart) -> Iterator[Buffer]:
    """Print block by block: the lists of all blocks, run together into one."""
    if part.shape[0] == 0:
        yield b"[]"
        return
    before = b"["
    for block in checked_blocks(part, rows=_rows(part)):
        yield before + memoryview(_json(block))[1:-1]
        before = b","
    yield b"]"


def csv_body(
    part: ArrayPart,
    *,
    columns: Sequence[str] | None = None,
    indices: NDArray[np.int64] | None = None,
) -> Body:
    """Make a CSV table with a header line: a column per channel, a line per row.

    Parameters
    ----------
    part : ArrayPart
        The values. Further axes become columns named ``<channel>[<number>]``.
    columns : sequence of str, optional
        Names of the channels.
    indices : ndarray of int64, optional
        Index of each row (a first column ``index``), or of each value (``index:<channel>``).

    Returns
    -------
    Body
        Lines end in a line feed; NaN is ``nan`` and infinity ``inf``, truth values are 1 and 0; the
        unit of the values is in the header ``X-Array-Units``.
    """
    table = Table(part, columns, indices)
    units = part.attributes.get("units")
    headers = {} if units is None else {"X-Array-Units": str(units)}
    make = streamed(partial(_csv_blocks, table))
    return Body(CSV_MEDIA_TYPE, make, headers=headers, extension=".csv", compressible=True)


def _csv_blocks(table: Table) -> Iterator[Buffer]:
    """Print the header line, then block by block."""
    yield _lines([table.column_names])
    if not table.column_names:
        return
    first = 0
    for block in checked_blocks(table.part, rows=_rows(table.part)):
        rows = len(block)
        indices = table.index_columns(first, first + rows)
        yield _csv_block(block.reshape(rows, len(table.value_names)), indices)
        first += rows


def _lines(rows: Sequence[Sequence[Any]]) -> bytes:
    """Print rows with quotes where they are needed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _csv_block(values: NDArray[Any], indices: NDArray[np.int64] | None) -> bytes:
    """Print rows of values, with their indices."""
    if indices is not None and not values.size:
        return _numbers(indices)
    if values.dtype.kind == "S":
        cells = texts(values)
        if indices is not None:
            cells = _interleaved(indices.astype(str), cells)
        return _lines(cells.tolist())
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
    if indices is None:
        return _numbers(values)
    if values.dtype.kind in "iu":
        return _numbers(_interleaved(indices, values))
    # numbers with a point beside indices without: printed apart, then brought together by columns
    return _lines(_interleaved(_cells(indices), _cells(values)).tolist())


def _interleaved(indices: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Put the indices before the values: one column before all, or one before each."""
    if indices.shape[1] != values.shape[1]:
        return np.concatenate((indices, values), axis=1)
    return np.stack((indices, values), axis=-1).reshape(len(values), -1)


def _cells(values: NDArray[Any]) -> NDArray[np.str_]:
    """Print numbers into an array of texts."""
    lines = _numbers(values).decode("ascii").replace("\n", ",").rstrip(",").split(",")
    return np.array(lines, dtype=np.str_).reshape(values.shape)


def _numbers(values: NDArray[Any]) -> bytes:
    """Print rows of numbers: the lists of JSON with other punctuation."""
    if values.shape[1] == 1:  # a list without lists in it is printed much faster
        text = (
            orjson.dumps(native(values[:, 0]), option=_OPTIONS)[1:-1].replace(b",", b"\n") + b"\n"
        )
    else:
        text = orjson.dumps(native(values), option=_OPTIONS)[2:-2].replace(b"],[", b"\n") + b"\n"
    if values.dtype.kind != "f":
        return text
    special = values[~np.isfinite(values)]
    if not special.size:
        return text
    # JSON has one word for them all: each is replaced by the name of its own value
    pieces: list[bytes] = text.split(b"null")
    names = np.where(np.isnan(special), b"nan", np.where(special > 0, b"inf", b"-inf")).tolist()
    joined = [b""] * (2 * len(pieces) - 1)
    joined[::2] = pieces
    joined[1::2] = names
    return b"".join(joined)
