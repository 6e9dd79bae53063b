"""Takes in many arrays of one request as they come, each checked, straight into the store.

They are ``.npy`` files, whose heads `ephyrus.service.files.npyhead` reads; no process of its own is
needed for them. Small arrays go into one file together: one file each would be as many times made
durable, and as many requests to an object store. What is held in memory is one small array and one
piece of a large one.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.errors import ServiceError
from ephyrus.service.files.canonical import (
    MOST_TEXT,
    StoredArrayInfo,
    array_header,
    array_nbytes,
    kept_dtype,
)
from ephyrus.service.files.npyhead import NpyHead, read_head, refused
from ephyrus.service.files.order import Order
from ephyrus.service.files.store import ArrayStore, Discarded, NewFile

__all__ = ["SMALL_BYTES", "Intake", "TakenArray"]

SMALL_BYTES = 2**20  # arrays up to here go together
PACK_BYTES = 64 * 2**20  # of a file of small arrays


class TakenArray:
    """An array that has arrived.

    Parameters
    ----------
    info : StoredArrayInfo
        What it is and where it lies.
    is_packed : bool
        It lies in a file with others.

    Attributes
    ----------
    info : StoredArrayInfo
        What it is and where it lies.
    """

    __slots__ = ("_is_packed", "info")

    def __init__(self, info: StoredArrayInfo, *, is_packed: bool) -> None:
        self.info = info
        self._is_packed = is_packed

    @property
    def row(self) -> dict[str, Any]:
        """Its row in the table of arrays, but for the datafile."""
        row = self.info.row
        return {**row, "location": {**row["location"], "packed": True}} if self._is_packed else row


class _Holder(Protocol):
    """What the values of an array go to."""

    def add(self, data: bytes) -> None:
        """Take the next values, whole ones."""

    def finish(self) -> TakenArray:
        """Give the array, all of which has come."""


class _Small:
    """An array that is collected in memory and goes into the file of small ones."""

    def __init__(self, intake: Intake, head: NpyHead) -> None:
        self._intake = intake
        self._head = head
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Take the next values."""
        self._data += data

    def finish(self) -> TakenArray:
        """Put it into the file."""
        values = _kept(np.frombuffer(bytes(self._data), self._head.dtype))
        data = values.tobytes()
        order = Order(values.dtype, self._head.shape[1:])
        order.add(values)
        key, offset = self._intake.pack(data)
        return TakenArray(
            _info(key, offset, values.dtype, self._head.shape, data, order), is_packed=True
        )


def _info(
    key: str,
    offset: int,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    data: bytes,
    order: Order,
) -> StoredArrayInfo:
    """Describe an array that shares a file; its size is that of a file of its own."""
    return StoredArrayInfo(
        key,
        offset,
        dtype.str,
        shape,
        order.is_sorted,
        hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        len(array_header(dtype, shape)) + len(data),
    )


class _Large:
    """An array that gets a file of its own, piece by piece."""

    def __init__(self, intake: Intake, head: NpyHead) -> None:
        if head.dtype.kind == "U":
            raise refused(
                f"text of more than {SMALL_BYTES:,} bytes must be UTF-8: write "
                'numpy.char.encode(values, "utf-8")'
            )
        self._head = head
        self._dtype = kept_dtype(head.dtype) if head.dtype.kind != "S" else head.dtype
        header = array_header(self._dtype, head.shape)
        self._offset = len(header)
        self._digest = hashlib.sha1(usedforsecurity=False)
        self._order = Order(self._dtype, head.shape[1:])
        self._file = intake.file()
        self._file.write(header)

    def add(self, data: bytes) -> None:
        """Take the next values."""
        values = _kept(np.frombuffer(data, self._head.dtype))
        if not values.size:  # not even one has come as a whole
            return
        self._order.add(values)
        kept = values.view(np.uint8).data
        self._digest.update(kept)
        self._file.write(kept)

    def finish(self) -> TakenArray:
        """Take the file over."""
        shape = self._head.shape
        info = StoredArrayInfo(
            self._file.commit(settled=False),
            self._offset,
            self._dtype.str,
            shape,
            self._order.is_sorted,
            self._digest.hexdigest(),
            self._offset + array_nbytes(self._dtype, shape),
        )
        return TakenArray(info, is_packed=False)


def _kept(values: NDArray[Any]) -> NDArray[Any]:
    """Give values in the form in which they are kept: little-endian, text as UTF-8."""
    kind = values.dtype.kind
    if kind == "b":
        truths: NDArray[Any] = (values.view(np.uint8) != 0).astype(np.uint8)
        return truths
    if kind == "S":
        return _checked_utf8(values)
    if kind == "U":
        return _as_utf8(values)
    return values.astype(kept_dtype(values.dtype), copy=False)


def _checked_utf8(values: NDArray[Any]) -> NDArray[Any]:
    if values.size and values.view(np.uint8).max() > 127:
        try:
            np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            raise refused("its text is not UTF-8") from None
    return values


def _as_utf8(values: NDArray[Any]) -> NDArray[Any]:
    """Give text as UTF-8, in the width that it needs."""
    points = values.astype(values.dtype.newbyteorder("="), copy=False).view(np.uint32)
    if np.any((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))):
        raise refused("its text holds what is no character")
    texts = np.char.encode(values, "utf-8")
    if texts.dtype.itemsize > MOST_TEXT:
        raise refused(f"a text has {texts.dtype.itemsize:,} bytes, {MOST_TEXT:,} are allowed")
    return texts if texts.dtype.itemsize else texts.astype("S1")


class _Incoming(Discarded):
    """One file of the request: a `NewFile` for `receive_form`."""

    def __init__(self, intake: Intake, place: int) -> None:
        self.key = str(place)
        self.size = 0
        self._intake = intake
        self._place = place
        self._begun = bytearray()  # of the head, then of a value of which a part has come
        self._head: NpyHead | None = None
        self._holder: _Holder | None = None
        self._left = 0  # bytes of values that are still to come

    def write(self, data: Any) -> None:
        """Take the next bytes."""
        self.size += len(data)
        try:
            self._take(data)
        except ServiceError as error:
            raise self._named(error) from error

    def commit(self, *, settled: bool = True) -> str:
        """Take note of the array, which must be complete."""
        if self._holder is None or self._left:
            why = "it ends within its head" if self._holder is None else (
                f"it ends {self._left:,} bytes before its head says"
            )  # fmt: skip
            raise self._named(refused(why))
        try:
            self._intake.arrays.append(self._holder.finish())
        except ServiceError as error:
            raise self._named(error) from error
        return self.key

    def abort(self) -> None:
        """Nothing: the intake takes everything back together."""

    def __enter__(self) -> _Incoming:
        return self

    def _take(self, data: Any) -> None:
        if self._head is None:
            self._begun += data
            self._head = read_head(self._begun)
            if self._head is None:
                return
            data, self._begun = bytes(self._begun[self._head.length :]), bytearray()
            self._holder = self._intake.holder(self._head)
            self._left = self._head.nbytes
        if len(data) > self._left:
            raise refused(f"it goes on for {len(data) - self._left:,} bytes after its last value")
        self._left -= len(data)
        if data:
            self._add(self._head.dtype.itemsize, data)

    def _add(self, width: int, data: Any) -> None:
        """Hand on whole values; what is left of one waits for its rest."""
        assert self._holder is not None  # noqa: S101 - made with the head
        whole = bytes(self._begun) + bytes(data) if self._begun else bytes(data)
        used = len(whole) - len(whole) % width
        self._holder.add(whole[:used])
        self._begun = bytearray(whole[used:])

    def _named(self, error: ServiceError) -> ServiceError:
        return ServiceError(
            error.message_type,
            f"File {self._place}: {error.message}",
            details={"item": self._place, "parameter": error.details},
        )


class Intake:
    """A place for `receive_form` to put files, each of which must be an array.

    Parameters
    ----------
    store : ArrayStore
        Where the arrays go.
    most_bytes : int
        Longest array that is taken.

    Attributes
    ----------
    arrays : list of TakenArray
        Those that have arrived, in order.
    """

    def __init__(self, store: ArrayStore, most_bytes: int) -> None:
        self.arrays: list[TakenArray] = []
        self._store = store
        self._most_bytes = most_bytes
        self._count = 0
        self._pack: NewFile | None = None
        self._files: list[NewFile] = []  # all that were begun
        self._lock = threading.Lock()
        self._is_discarded = False

    def create(self) -> NewFile:
        """Begin an array."""
        self._count += 1
        return _Incoming(self, self._count - 1)

    def holder(self, head: NpyHead) -> _Holder:
        """Give what takes the values of an array."""
        if head.nbytes > self._most_bytes:
            raise ServiceError(
                "too_large",
                f"An array may have at most {self._most_bytes:,} bytes.",
                details={"limit": self._most_bytes},
            )
        return _Small(self, head) if head.nbytes <= SMALL_BYTES else _Large(self, head)

    def file(self) -> NewFile:
        """Begin a file of the store."""
        new = self._store.create()
        self._files.append(new)
        return new

    def pack(self, data: bytes) -> tuple[str, int]:
        """Append a small array to the file of small ones; gives the file's key and the place."""
        if self._pack is not None and self._pack.size + len(data) > PACK_BYTES:
            self._pack.commit(settled=False)
            self._pack = None
        if self._pack is None:
            self._pack = self.file()
        offset = self._pack.size
        self._pack.write(data)
        return self._pack.key, offset

    def settle(self, keys: Iterable[str]) -> None:
        """Make everything durable."""
        with self._lock:
            if self._is_discarded:
                return
            if self._pack is not None:
                self._pack.commit(settled=False)
                self._pack = None
            self._store.settle([file.key for file in self._files])

    def delete(self, key: str) -> None:
        """Nothing: everything is taken back together."""

    def discard(self) -> None:
        """Take everything back, once nothing is being written any more."""
        with self._lock:
            self._is_discarded = True
            for file in self._files:
                file.abort()
                with suppress(OSError):  # it is swept when it is old
                    self._store.delete(file.key)
