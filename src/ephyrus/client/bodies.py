"""Bodies of arrays -> numbers. Nothing in a body is believed before it is checked."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from io import BytesIO
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephyrus.client.calls import Reply
from ephyrus.errors import RemoteError

__all__ = ["from_npy", "npy_bytes", "parts_of", "total_of"]

NPY_HEAD = 4096  # more than the head of any npy body
PART_HEAD = 4096  # more than the lines before any part of a multipart body

_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)
_BOUNDARY = re.compile(r"multipart/mixed;\s*boundary=\"?([\w'()+,./:=?-]{1,70})\"?", re.ASCII)
_LENGTH = re.compile(rb"(?:^|\r\n)content-length:[ \t]*(\d{1,19})[ \t]*(?:\r\n|$)", re.IGNORECASE)

Buffer: TypeAlias = bytes | bytearray | memoryview


def total_of(reply: Reply, address: str) -> int | None:
    """Give the length of the whole body of which the reply is the beginning; None: it is whole.

    Raises
    ------
    RemoteError
        If it is another part of the body, or does not say how long that is.
    """
    if reply.status != 206:
        return None
    told = reply.headers.get("content-range", "")
    match = _RANGE.fullmatch(told)
    if match is None or match[1] != "0" or int(match[2]) + 1 != len(reply.body):
        raise RemoteError(address, f"the answer is not the part that was asked for ({told[:80]!r})")
    return int(match[3])


def _npy_head(body: Buffer) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Read shape, order, type and length of the head of a body of format npy.

    Raises
    ------
    ValueError
        If it is none, or would hold objects.
    """
    head = BytesIO(bytes(body[:NPY_HEAD]))
    version = np.lib.format.read_magic(head)
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
        version, np.lib.format.read_array_header_2_0
    )
    try:
        shape, is_fortran, dtype = read(head)
    except (tokenize.TokenError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("its head cannot be read") from error
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError("it holds objects, or fewer than none")
    return shape, is_fortran, dtype, head.tell()


def npy_bytes(body: Buffer, address: str) -> int:
    """Tell from its beginning how long a body of format npy is.

    Raises
    ------
    RemoteError
        If it is none.
    """
    try:
        shape, _, dtype, first = _npy_head(body)
    except (ValueError, TypeError) as error:
        raise RemoteError(address, f"the answer is no array ({error})") from error
    return first + prod(shape) * dtype.itemsize


def from_npy(body: Buffer, address: str) -> NDArray[Any]:
    """Read a body of format npy; the array is read-only and shares its memory.

    Raises
    ------
    RemoteError
        If it is none.
    """
    try:
        shape, is_fortran, dtype, first = _npy_head(body)
        count = prod(shape)
        values = np.frombuffer(body, dtype, count, first) if count else np.empty(0, dtype)
        values = values.reshape(shape, order="F" if is_fortran else "C")
    except (ValueError, TypeError) as error:
        raise RemoteError(address, f"the answer is no array ({error})") from error
    if len(body) != first + values.nbytes:
        raise RemoteError(address, f"the answer is no array ({len(body):,} bytes are too many)")
    values.flags.writeable = False
    return values


def parts_of(reply: Reply, address: str, count: int) -> list[memoryview]:
    """Cut a body of many parts (``multipart/mixed``) into these.

    Raises
    ------
    RemoteError
        If it is none, or has not as many parts as were asked for.
    """
    boundary = _BOUNDARY.fullmatch(reply.headers.get("content-type", ""))
    parts = [] if boundary is None else list(_parts(reply.body, boundary[1].encode()))
    if len(parts) != count:
        raise RemoteError(
            address, f"the answer holds {len(parts)} arrays where {count} were asked for"
        )
    return parts


def _parts(body: bytes, boundary: bytes) -> Iterator[memoryview]:
    """Give the parts by the lengths that they tell; stops where something does not fit."""
    whole = memoryview(body)
    line, at = b"--" + boundary + b"\r\n", 0
    while body.startswith(line, at):
        at += len(line)
        end = body.find(b"\r\n\r\n", at, at + PART_HEAD)
        length = None if end < 0 else _LENGTH.search(body[at:end])
        if length is None:
            return
        start, at = end + 4, end + 4 + int(length[1])
        if not body.startswith(b"\r\n", at):
            return
        yield whole[start:at]
        at += 2
