"""Rows that are sent to be appended: taken as they come, checked, and kept in little memory."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.arrays.pieces import Piece
from ephyrus.service.errors import ServiceError
from ephyrus.service.files.npyhead import read_head
from ephyrus.service.files.order import Order, has_order

if TYPE_CHECKING:
    from ephyrus.service.files.store import ArrayStore, NewFile

__all__ = ["JsonRows", "NpyRows", "RawRows", "RowSink", "Rows", "Shape", "Taker"]

_TYPE_NAME = re.compile(r"[<>|=]?[biufS][0-9]{1,9}|(?:u?int|float)[0-9]{1,2}", re.ASCII)
HELD = 2**20  # bytes of an array that are held in memory; more go to the store


@dataclass(frozen=True, slots=True)
class Shape:
    """What rows must be.

    Attributes
    ----------
    dtype : numpy.dtype
        Type of the array.
    items : tuple of int
        Shape of a row.
    """

    dtype: np.dtype[Any]
    items: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.dtype.itemsize * prod(self.items)

    @property
    def is_ordered(self) -> bool:
        """The rows are numbers, which can be in ascending order."""
        return has_order(self.dtype, self.items)

    def check_sent(self, dtype: str, lengths: Sequence[int]) -> None:
        """Refuse an array of another type or width; see `check`."""
        self.check(np.dtype(dtype), lengths[1:])

    def check(self, dtype: np.dtype[Any], items: Sequence[int]) -> None:
        """Refuse rows of another type or width.

        Raises
        ------
        ServiceError
            ``data_inconsistency``.
        """
        if dtype == self.dtype and tuple(items) == self.items:
            return
        raise ServiceError(
            "data_inconsistency",
            f"The array has rows of {_words(self.dtype, self.items)}; those that were sent are of "
            f"{_words(dtype, items)}. Send them as the array has them.",
            details={
                "dtype": self.dtype.str,
                "row_shape": list(self.items),
                "sent_dtype": dtype.str,
                "sent_row_shape": list(items),
            },
        )


def _words(dtype: np.dtype[Any], items: Sequence[int]) -> str:
    return f"type {dtype.str} and shape ({', '.join(map(str, items))})"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that have arrived.

    Attributes
    ----------
    count : int
        How many.
    digest : str
        SHA-1 of them.
    is_ascending : bool
        They never decrease; only told of numbers in one dimension.
    first : numpy scalar or None
        The first value of such.
    data : bytes or None
        Their bytes, while they are few.
    piece : Piece or None
        Where they lie in the store, if they are many.
    """

    count: int
    digest: str
    is_ascending: bool
    first: Any
    data: bytes | None
    piece: Piece | None


class RowSink:
    """Takes the bytes of rows of one array.

    Parameters
    ----------
    store : ArrayStore
        Where they go when they are many.
    shape : Shape
        What rows are.
    """

    def __init__(self, store: ArrayStore, shape: Shape) -> None:
        self._store = store
        self._shape = shape
        self._held = bytearray()
        self._file: NewFile | None = None
        self._digest = hashlib.sha1(usedforsecurity=False)
        self._taken = 0  # bytes, of whole values
        self._order = Order(shape.dtype, shape.items)
        self.key = ""

    def write(self, data: Any) -> None:
        """Take bytes, which may end within a row."""
        self._held += data
        if len(self._held) < HELD:
            return
        # whole values are enough: a row may be far longer than what is held
        whole = len(self._held) - len(self._held) % self._shape.dtype.itemsize
        if whole:
            block = bytes(memoryview(self._held)[:whole])
            del self._held[:whole]
            self._look(block)
            if self._file is None:
                self._file = self._store.create()
            self._file.write(block)

    def finish(self) -> Rows:
        """Give the rows; those in the store are durable then.

        Raises
        ------
        ServiceError
            ``data_missing``: there are none. ``data_inconsistency``: the last one is cut.
        """
        count, over = divmod(self._taken + len(self._held), self._shape.row_bytes)
        if over:
            raise ServiceError(
                "data_inconsistency",
                f"A row has {self._shape.row_bytes} bytes, and the body ends {over} bytes behind "
                "the last whole one.",
                details={"row_bytes": self._shape.row_bytes},
            )
        block = bytes(self._held)
        self._look(block)
        if not count:
            raise ServiceError("data_missing", "The body holds no rows; send one at least.")
        piece = None
        if self._file is not None:
            self._file.write(block)
            self.key = self._file.commit()
            self._file = None
            piece = Piece(self.key, 0, count, self._digest.hexdigest())
        return Rows(
            count,
            self._digest.hexdigest(),
            self._order.is_sorted is True,
            self._order.first,
            block if piece is None else None,
            piece,
        )

    def discard(self) -> None:
        """Remove what was stored."""
        if self._file is not None:
            self._file.abort()
        if self.key:
            self._store.delete(self.key)

    def _look(self, block: bytes) -> None:
        """Take note of whole values, and check them."""
        self._digest.update(block)
        self._taken += len(block)
        values = np.frombuffer(block, self._shape.dtype)
        if self._shape.dtype.kind == "S":
            _check_text(values)
        self._order.add(values)


def _check_text(values: NDArray[Any]) -> None:
    try:
        np.char.decode(values, "utf-8")
    except UnicodeDecodeError:
        raise ServiceError("data_inconsistency", "The texts are not UTF-8.") from None


class Taker(Protocol):
    """Takes a body apart into rows of arrays."""

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body."""

    def finish(self) -> list[Rows]:
        """Give the rows of each array, when the body has ended."""

    def discard(self) -> None:
        """Remove what was stored."""


class _Sinks:
    """What the rows of each array go to.

    Parameters
    ----------
    store : ArrayStore
        Where rows go when they are many.
    shapes : sequence of Shape
        What the rows of each array are.
    """

    def __init__(self, store: ArrayStore, shapes: Sequence[Shape]) -> None:
        self._shapes = shapes
        self._sinks = [RowSink(store, each) for each in shapes]

    def discard(self) -> None:
        """Remove what was stored."""
        for sink in self._sinks:
            sink.discard()

    def _rows(self) -> list[Rows]:
        """Give the rows of each array."""
        return [sink.finish() for sink in self._sinks]


class RawRows(_Sinks):
    """Takes bare samples: little-endian, C order.

    Parameters
    ----------
    store : ArrayStore
        Where rows go when they are many.
    shape : Shape
        What rows are.
    declared : str, str
        Headers ``X-Array-Dtype`` and ``X-Array-Shape``; empty: not sent.
    """

    def __init__(self, store: ArrayStore, shape: Shape, declared: tuple[str, str]) -> None:
        super().__init__(store, [shape])
        self._count: int | None = None
        dtype, lengths = declared
        items = shape.items
        if lengths:
            parts = lengths.split(",")
            if not all(each.strip().isdecimal() and len(each) < 19 for each in parts):
                raise ServiceError(
                    "data_parsing_error", "X-Array-Shape must be whole numbers with commas."
                )
            self._count, *items = map(int, parts)  # type: ignore[assignment]  # a list, as told
        shape.check(_dtype(dtype) if dtype else shape.dtype, items)

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body."""
        self._sinks[0].write(data)

    def finish(self) -> list[Rows]:
        """Give the rows."""
        (rows,) = self._rows()
        if self._count is not None and rows.count != self._count:
            raise ServiceError(
                "data_inconsistency",
                f"X-Array-Shape tells of {self._count} rows, the body holds {rows.count}.",
            )
        return [rows]


def _dtype(text: str) -> np.dtype[Any]:
    """Understand the name of a type that was sent."""
    if _TYPE_NAME.fullmatch(text):  # of anything else NumPy would make far more than numbers
        try:
            return np.dtype(text)
        except (TypeError, ValueError):
            pass
    raise ServiceError("data_parsing_error", f"X-Array-Dtype is {text[:40]!r}, no type of numbers.")


class NpyRows(_Sinks):
    """Takes NumPy files, one for each array, one behind the other.

    Parameters
    ----------
    store : ArrayStore
        Where rows go when they are many.
    shapes : sequence of Shape
        What the rows of each array are.
    """

    def __init__(self, store: ArrayStore, shapes: Sequence[Shape]) -> None:
        super().__init__(store, shapes)
        self._at = 0
        self._left: int | None = None  # bytes of the file that is being taken; None: its head
        self._head = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body."""
        rest = memoryview(data)
        while rest:
            if self._at == len(self._sinks):
                raise ServiceError(
                    "data_inconsistency", "The body goes on behind the last array that was named."
                )
            if self._left is None:
                rest = memoryview(self._take_head(rest))
                continue
            self._sinks[self._at].write(rest[: self._left])
            taken = min(self._left, len(rest))
            self._left -= taken
            rest = rest[taken:]
            self._next()

    def finish(self) -> list[Rows]:
        """Give the rows."""
        if self._at < len(self._sinks):
            raise ServiceError(
                "data_parsing_error",
                f"The body ends within the NumPy file {self._at + 1} of {len(self._sinks)}.",
            )
        return self._rows()

    def _next(self) -> None:
        if self._left == 0:
            self._at, self._left = self._at + 1, None

    def _take_head(self, data: memoryview) -> bytes:
        """Collect the head of a file; gives what follows it."""
        self._head += data
        head = read_head(self._head)
        if head is None:
            return b""
        rest, shape = bytes(self._head[head.length :]), self._shapes[self._at]
        self._head = bytearray()
        is_truth = head.dtype.kind == "b" and shape.dtype == np.dtype("u1")  # kept as bytes
        shape.check(shape.dtype if is_truth else head.dtype, head.shape[1:])
        self._left = head.shape[0] * shape.row_bytes
        self._next()
        return rest


class JsonRows(_Sinks):
    """Takes JSON lists: of rows, or of lists of rows for several arrays.

    Parameters
    ----------
    store : ArrayStore
        Where rows go when they are many.
    shapes : sequence of Shape
        What the rows of each array are.
    """

    def __init__(self, store: ArrayStore, shapes: Sequence[Shape]) -> None:
        super().__init__(store, shapes)
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body."""
        self._body += data

    def finish(self) -> list[Rows]:
        """Give the rows."""
        try:
            sent = json.loads(self._body.decode("utf-8-sig"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ServiceError("data_parsing_error", "The body is not JSON.") from error
        several = [sent] if len(self._shapes) == 1 else sent
        if not isinstance(several, list) or len(several) != len(self._shapes):
            raise ServiceError(
                "data_parsing_error",
                f"The body must be a list of {len(self._shapes)} lists of rows, one for each array "
                "that is named.",
            )
        for values, shape, sink in zip(several, self._shapes, self._sinks, strict=True):
            sink.write(_values(values, shape).tobytes())
        return self._rows()


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _values(sent: Any, shape: Shape) -> NDArray[Any]:
    """Make an array of nested lists.

    Raises
    ------
    ServiceError
        ``data_parsing_error``: no list of rows. ``data_inconsistency``: of another shape or type.
    """
    if not isinstance(sent, list):
        raise ServiceError("data_parsing_error", "The body must be a JSON list of rows.")
    flat = sent
    for length in shape.items:
        if not all(isinstance(each, list) and len(each) == length for each in flat):
            raise ServiceError(
                "data_inconsistency",
                f"Each row must be of shape ({', '.join(map(str, shape.items))}).",
                details={"row_shape": list(shape.items)},
            )
        flat = list(chain.from_iterable(flat))
    if shape.dtype.kind == "S":
        values = _texts(flat, shape.dtype)
    else:
        values = _numbers(flat, shape.dtype)
    return values.reshape(len(sent), *shape.items)


def _texts(flat: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if not set(map(type, flat)) <= {str}:
        raise _other("texts")
    coded = [each.encode("utf-8", "surrogatepass") for each in flat]
    if max(map(len, coded), default=0) > dtype.itemsize:
        raise ServiceError(
            "data_inconsistency",
            f"The array holds texts of at most {dtype.itemsize} bytes (UTF-8); a longer one was "
            "sent.",
            details={"dtype": dtype.str},
        )
    return np.array(coded, dtype)


def _numbers(flat: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    allowed: set[type] = {int, float, type(None)} if dtype.kind == "f" else {int}
    if dtype == np.dtype("u1"):
        allowed.add(bool)
    if not set(map(type, flat)) <= allowed:
        raise _other("numbers" if dtype.kind == "f" else "whole numbers")
    try:
        if dtype.kind != "f":
            return np.array(flat, dtype)
        with np.errstate(over="raise"):
            values = np.array(flat, np.float64).astype(dtype)  # null is NaN, as it is written
    except (OverflowError, FloatingPointError):
        raise _unfit(dtype) from None
    if np.isinf(values).any():  # 1e999
        raise _unfit(dtype)
    return values


def _unfit(dtype: np.dtype[Any]) -> ServiceError:
    return ServiceError(
        "data_inconsistency",
        f"A number does not fit into the type of the array, {dtype.str}.",
        details={"dtype": dtype.str},
    )


def _other(wanted: str) -> ServiceError:
    return ServiceError("data_inconsistency", f"The array holds {wanted}; something else was sent.")
