"""Receives files of a multipart form straight into the store, as they come."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ephyrus.service.errors import ServiceError
from ephyrus.service.files.scratch import plain_name
from ephyrus.service.files.store import NewFile

__all__ = ["FILE_FIELD", "Form", "Place", "Received", "receive_form"]

FILE_FIELD = "raw_file"
WRITTEN = 2**20  # bytes that are handed to the store at a time
MOST_FIELD = 64 * 2**10  # bytes of a field that is no file
MOST_FIELDS = 64
MOST_NAME = 1000  # characters of a file's name

Run = Callable[..., Awaitable[Any]]


class Place(Protocol):
    """Where files go: the store, or what looks at them before they go there."""

    def create(self) -> NewFile:
        """Begin a file."""

    def settle(self, keys: Iterable[str]) -> None:
        """Make files durable."""

    def delete(self, key: str) -> None:
        """Remove a file."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has arrived and is durable.

    Attributes
    ----------
    name : str
        As it was sent, without folders.
    key : str
        Its key in the store.
    size : int
        Bytes.
    digest : str
        SHA-1 of its content.
    """

    name: str
    key: str
    size: int
    digest: str


@dataclass(slots=True)
class Form:
    """What was sent.

    Attributes
    ----------
    files : list of Received
        The files, in order.
    fields : dict of str to str
        The other fields; of those of equal names the last counts.
    """

    files: list[Received] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Part:
    """The part that is being received."""

    headers: dict[str, str] = field(default_factory=dict)
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    name: str = ""
    filename: str | None = None
    file: NewFile | None = None
    text: bytearray = field(default_factory=bytearray)
    digest: Any = None


class _Receiver:
    """Takes a form apart; runs in worker threads, one call after the other.

    Parameters
    ----------
    store : Place
        Where files go.
    boundary : bytes
        What stands between parts.
    most_files : int
        Files that are taken.
    """

    def __init__(self, store: Place, boundary: bytes, most_files: int) -> None:
        self.form = Form()
        self._is_complete = False
        self._lock = threading.Lock()
        self._is_discarded = False
        self._store = store
        self._most_files = most_files
        self._part = _Part()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._all,
            },
        )

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body."""
        try:
            with self._lock:
                if not self._is_discarded:
                    self._parser.write(data)
        except FormParserError as error:
            raise ServiceError(
                "data_parsing_error", f"The body is not a sound multipart form: {error}"
            ) from error

    def check_complete(self) -> None:
        """Refuse a form whose end has not come."""
        if not self._is_complete:
            raise ServiceError("data_parsing_error", "The form ends before its last boundary.")

    def discard(self) -> None:
        """Remove what was received, once no piece is being taken any more."""
        with self._lock:
            self._is_discarded = True
            if self._part.file is not None:
                self._part.file.abort()
            for received in self.form.files:
                self._store.delete(received.key)

    def _begin(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.value += data[start:end]

    def _header_end(self) -> None:
        part = self._part
        part.headers[part.header.decode("latin-1").lower()] = part.value.decode("latin-1")
        part.header, part.value = bytearray(), bytearray()

    def _headers_end(self) -> None:
        part = self._part
        disposition = part.headers.get("content-disposition", "").encode("latin-1")
        _, options = parse_options_header(disposition)
        part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            part.filename = options[b"filename"].decode("utf-8", "replace")
        if part.name == FILE_FIELD:
            if len(self.form.files) >= self._most_files:
                raise ServiceError(
                    "too_large",
                    f"One upload may have at most {self._most_files} files; send the others apart.",
                )
            part.file = self._store.create()
            part.digest = hashlib.sha1(usedforsecurity=False)
        elif len(self.form.fields) >= MOST_FIELDS:
            raise ServiceError("too_large", f"A form may have at most {MOST_FIELDS} fields.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        part, piece = self._part, memoryview(data)[start:end]
        if part.file is not None:
            part.file.write(piece)
            part.digest.update(piece)
        elif part.filename is None:
            part.text += piece
            if len(part.text) > MOST_FIELD:
                raise ServiceError(
                    "too_large", f"The field {part.name!r} is longer than {MOST_FIELD:,} bytes."
                )

    def _end(self) -> None:
        part = self._part
        if part.file is not None:
            key = part.file.commit(settled=False)
            size, part.file, digest = part.file.size, None, part.digest.hexdigest()
            name = plain_name((part.filename or "file")[:MOST_NAME])
            self.form.files.append(Received(name, key, size, digest))
        elif part.filename is None and part.name:
            self.form.fields[part.name] = part.text.decode("utf-8", "replace")

    def _all(self) -> None:
        self._is_complete = True


async def receive_form(
    stream: AsyncIterator[bytes],
    content_type: str,
    store: Place,
    run: Run,
    *,
    most_files: int,
) -> Form:
    """Receive a form; its files are durable in the store when it is given back.

    Parameters
    ----------
    stream : async iterator of bytes
        The body; its sizes and its pace are watched there.
    content_type : str
        Header of the request.
    store : Place
        Where files go.
    run : callable
        ``await run(function, *arguments)`` runs it in a worker thread. None is held while the
        sender is waited for.
    most_files : int
        Files that are taken.

    Raises
    ------
    ServiceError
        ``data_parsing_error``: no multipart form, or it ends early; ``too_large``. Nothing of it
        is left in the store then, nor if the sender goes away.
    """
    kind, options = parse_options_header(content_type.encode("latin-1", "replace"))
    if kind != b"multipart/form-data" or not 1 <= len(options.get(b"boundary", b"")) <= 200:
        raise ServiceError(
            "data_parsing_error",
            f"An upload is a multipart form (multipart/form-data) with the key {FILE_FIELD}.",
        )
    receiver = _Receiver(store, options[b"boundary"], most_files)
    try:
        waiting = bytearray()
        async for piece in stream:
            waiting += piece
            if len(waiting) >= WRITTEN:
                whole, waiting = bytes(waiting), bytearray()
                await run(receiver.feed, whole)
        if waiting:
            await run(receiver.feed, bytes(waiting))
        receiver.check_complete()
        await run(store.settle, [received.key for received in receiver.form.files])
    except BaseException:  # also when the request is cancelled: nothing is left behind
        await run(receiver.discard)
        raise
    return receiver.form
