"""The body of an answer: bytes that are made while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.arrays.part import ArrayPart

__all__ = [
    "Body",
    "Buffer",
    "array_bytes",
    "bytes_body",
    "checked_blocks",
    "fixed_body",
    "streamed",
]

Buffer = bytes | memoryview
"""What a body is made of: bytes that nobody changes any more."""

_JOINED_BYTES = 2**17  # pieces up to this size are quicker copied together than sent one by one
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an answer and what its headers must say of it.

    Attributes
    ----------
    media_type : str
        Value of ``Content-Type``.
    stream : callable
        ``stream(start, stop)`` gives the bytes [start, stop) in blocks; use :meth:`blocks`.
    length : int or None
        Number of bytes; None: known only when all have been made.
    headers : mapping of str to str
        Further headers (``X-Array-Shape``). ``Content-Disposition`` is the caller's.
    extension : str
        Ending of a file name for the body, with its dot.
    seekable : bool
        Whether a range costs no more than its own bytes, so that ``Range`` may be answered.
    compressible : bool
        Whether a content coding makes the body much smaller, so that one is worth its time.
    whole : callable or None
        A way to all bytes that is shorter than the blocks, in one piece or several; use
        :meth:`pieces`.
    """

    media_type: str
    stream: Callable[[int, int | None], Iterator[Buffer]]
    length: int | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    extension: str = ""
    seekable: bool = False
    compressible: bool = False
    whole: Callable[[], Buffer | tuple[Buffer, ...]] | None = None

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Buffer]:
        """Make the body, or a range of its bytes, in blocks of about 1 MiB.

        Parameters
        ----------
        start, stop : int
            Half-open range of bytes; only where the body is seekable.

        Returns
        -------
        iterator of bytes or memoryview
            The blocks. A failure of reading is raised in the middle: the connection must then be
            cut, so that the client does not take the beginning for the whole.

        Raises
        ------
        ValueError
            A range of a body that is not seekable.
        """
        if not self.seekable and (start != 0 or stop not in {None, self.length}):
            msg = (
                f"a body of {self.media_type} has no ranges of bytes: ask for it from 0 to its end"
            )
            raise ValueError(msg)
        return self.stream(start, stop)

    def read_all(self) -> bytes:
        """Make the whole body in one piece: for bodies that fit into memory easily."""
        return b"".join(self.pieces())

    def pieces(self) -> tuple[Buffer, Buffer]:
        """Make the whole body in two pieces; a large one is not copied, the second may be empty."""
        found = tuple(self.stream(0, None)) if self.whole is None else self.whole()
        if not isinstance(found, tuple):
            return found, b""
        if len(found) == 2 and len(found[1]) > _JOINED_BYTES:
            return found
        return b"".join(found), b""


def array_bytes(block: NDArray[Any]) -> memoryview:
    """Show the bytes of a C-contiguous array, without copying them."""
    return block.reshape(-1).view(np.uint8).data


def checked(part: ArrayPart, block: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return `block` in C order once it is known to be what the head of the body promised.

    Raises
    ------
    ValueError
        It has another shape or dtype: sent on, it would shift everything behind it.
    """
    if block.dtype != part.dtype or block.shape != (rows, *part.shape[1:]):
        msg = (
            f"array {part.name}: reading {rows} rows gave {block.dtype} {block.shape}, not "
            f"{part.dtype} {(rows, *part.shape[1:])}"
        )
        raise ValueError(msg)
    return np.ascontiguousarray(block)


def checked_blocks(
    part: ArrayPart, start: int = 0, stop: int | None = None, *, rows: int | None = None
) -> Iterator[NDArray[Any]]:
    """Read rows [start, stop) in blocks of `rows` rows (default about 1 MiB), each one checked."""
    end = part.shape[0] if stop is None else stop
    step = part.rows_per_block if rows is None else rows
    for first in range(start, end, step):
        last = min(first + step, end)
        yield checked(part, part.read(first, last), last - first)


def bytes_body(data: bytes, media_type: str, **facts: Any) -> Body:
    """Make a body of bytes that exist."""

    def stream(start: int, stop: int | None) -> Iterator[Buffer]:
        yield data[start:stop]

    return Body(media_type, stream, len(data), seekable=True, whole=lambda: data, **facts)


def fixed_body(
    part: ArrayPart,
    head: bytes,
    media_type: str,
    extension: str,
    *,
    convert: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    headers: Mapping[str, str] = _NO_HEADERS,
) -> Body:
    """Make a body of a head and the samples as they lie in memory.

    Parameters
    ----------
    part : ArrayPart
        What is sent.
    head : bytes
        What stands before the samples.
    media_type, extension, headers
        As those of :class:`Body`.
    convert : callable, optional
        Applied to each block; the number of bytes must stay.

    Returns
    -------
    Body
        Of known length and seekable: a range reads the rows that it touches, no others.
    """

    def stream(start: int, stop: int | None) -> Iterator[Buffer]:
        return _fixed_range(part, head, convert, start, stop)

    def whole() -> tuple[Buffer, ...]:
        rows = part.shape[0]
        block = checked(part, part.read(0, rows), rows)
        data = array_bytes(block if convert is None else convert(block))
        return (head, data) if head else (data,)

    return Body(
        media_type, stream, len(head) + part.nbytes, headers, extension, seekable=True, whole=whole
    )


def _fixed_range(
    part: ArrayPart,
    head: bytes,
    convert: Callable[[NDArray[Any]], NDArray[Any]] | None,
    start: int,
    stop: int | None,
) -> Iterator[Buffer]:
    """Make the bytes [start, stop) of a head that is followed by samples."""
    end = len(head) + part.nbytes
    end = end if stop is None else min(stop, end)
    if start < min(end, len(head)):
        yield head[start:end]
    first = max(start - len(head), 0)
    last = end - len(head)
    if last <= first:
        return
    row = part.row_bytes
    position = first // row * row
    for block in checked_blocks(part, first // row, -(-last // row)):
        view = array_bytes(block if convert is None else convert(block))
        yield view[max(first - position, 0) : last - position]
        position += len(view)


def streamed(make: Callable[[], Iterable[Buffer]]) -> Callable[[int, int | None], Iterator[Buffer]]:
    """Turn a maker of all blocks into the `stream` of a body without ranges."""

    def stream(_start: int, _stop: int | None) -> Iterator[Buffer]:
        return iter(make())

    return stream
