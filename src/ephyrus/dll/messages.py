"""What this process and the child in which a library runs say to each other.

Messages are JSON; arrays follow in the shared memory, or, where they do not fit, as bytes behind
the message. Nothing that is received can have code in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from mmap import mmap
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.constants import LibraryFlags
from ephyrus.dll.failures import failure
from ephyrus.dll.interface import FileDescription, LibraryInfo
from ephyrus.dll.memory import ROOM
from ephyrus.errors import DLLUnusable, NeuroshareError

__all__ = [
    "Answer",
    "Arrays",
    "Connection",
    "Request",
    "library_info",
    "received",
    "received_request",
    "send_error",
    "send_request",
    "send_value",
]

Arrays = Sequence[NDArray[Any]]

_ERRORS: dict[str, Callable[..., Exception]] = {
    "NeuroshareError": failure,
    "DLLUnusable": DLLUnusable,
    "ValueError": ValueError,
    "TypeError": TypeError,
    "MemoryError": MemoryError,
}
_ALIGNMENT = 8  # bytes


class Connection(Protocol):
    """The part of a connection of `multiprocessing` that is used."""

    def send_bytes(self, buf: bytes, /) -> None:
        """Send a message."""

    def recv_bytes(self) -> bytes:
        """Wait for a message."""


class Request(NamedTuple):
    """A call, and its arguments: numbers and texts."""

    call: str
    arguments: list[Any]


class Answer(NamedTuple):
    """A number or the fields of an information class, arrays, or an error instead of them."""

    value: Any
    arrays: list[NDArray[Any]]
    error: Exception | None = None


def send_request(connection: Connection, call: str, *arguments: Any) -> None:
    """Ask the child for something."""
    connection.send_bytes(json.dumps([call, arguments]).encode())


def received_request(connection: Connection) -> Request:
    """Wait for what is asked for."""
    return Request(*json.loads(connection.recv_bytes()))


def send_value(connection: Connection, shared: mmap, value: Any, arrays: Arrays = ()) -> None:
    """Answer with a value (a number, or one of the information classes) and arrays."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    kinds = [(array.dtype.str, array.shape) for array in arrays]
    places, end = _places([array.nbytes for array in arrays])
    is_shared = end <= ROOM
    for array, place in zip(arrays, places, strict=True):
        if is_shared:
            into = np.frombuffer(shared, array.dtype, array.size, place)
            into[:] = array.reshape(-1)
    head = {"value": value, "arrays": kinds, "is_shared": is_shared}
    connection.send_bytes(json.dumps(head, default=_as_text).encode())
    if not is_shared:
        for array in arrays:
            connection.send_bytes(array.tobytes())


def send_error(connection: Connection, error: Exception) -> None:
    """Answer with an error."""
    told: list[Any] = [type(error).__name__, str(error)]
    if isinstance(error, NeuroshareError):
        told = ["NeuroshareError", error.code, error.message]
    elif isinstance(error, DLLUnusable):
        told = ["DLLUnusable", error.path, error.reason]
    connection.send_bytes(json.dumps({"error": told}).encode())


def received(connection: Connection, shared: mmap) -> Answer:
    """Wait for an answer."""
    head = json.loads(connection.recv_bytes())
    if "error" in head:
        kind, *arguments = head["error"]
        return Answer(None, [], _ERRORS.get(kind, RuntimeError)(*arguments))
    kinds = [(np.dtype(kind), tuple(shape)) for kind, shape in head["arrays"]]
    sizes = [kind.itemsize * int(np.prod(shape, dtype=int)) for kind, shape in kinds]
    places, _ = _places(sizes)
    arrays = []
    for (kind, shape), place, size in zip(kinds, places, sizes, strict=True):
        if head["is_shared"]:
            array = np.frombuffer(shared, kind, size // kind.itemsize, place).copy()
        else:
            array = np.frombuffer(bytearray(connection.recv_bytes()), kind)
        arrays.append(array.reshape(shape))
    return Answer(head["value"], arrays)


def library_info(values: dict[str, Any]) -> LibraryInfo:
    """Make the information on a library from an answer."""
    types = tuple(
        FileDescription(**(each | {"magic_code": each["magic_code"].encode("latin-1")}))
        for each in values["file_types"]
    )
    return LibraryInfo(**(values | {"flags": LibraryFlags(values["flags"]), "file_types": types}))


def _as_text(raw: bytes) -> str:
    """Give bytes, which JSON has not, as text with a character for each."""
    return raw.decode("latin-1")


def _places(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Give the offset of each array behind the one before, and the end of the last."""
    places, end = [], 0
    for size in sizes:
        places.append(end)
        end += -(-size // _ALIGNMENT) * _ALIGNMENT
    return places, end
