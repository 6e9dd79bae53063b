"""What handlers answer, and how it is sent: whole or in blocks, compressed where that is wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ephyrus.service.encoders import coding as codings

if TYPE_CHECKING:
    from starlette.types import Receive, Send

    from ephyrus.service.routes.call import Service

__all__ = ["JSON_TYPE", "Answer", "Headers", "StreamAnswer", "header_pairs", "send_answer"]

JSON_TYPE = "application/json; charset=utf-8"
_COMPRESSED_FROM = 4096  # bytes: below, compressing costs more time than sending
_IN_THREAD_FROM = 65536  # bytes: above, compressing would hold up the other requests

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
Block = bytes | memoryview


@dataclass(slots=True, kw_only=True)
class Answer:
    """An answer that is sent in one piece.

    Attributes
    ----------
    status : int
        HTTP status.
    body : bytes
        The body.
    rest : bytes or memoryview
        What comes behind it, sent without being joined to it.
    media_type : str
        Its type; empty: no header.
    headers : mapping or iterable of (str, str)
        Further headers.
    coding : bool
        The body may be compressed as the request's ``Accept-Encoding`` says.
    """

    status: int = 200
    body: Block = b""
    rest: Block = b""
    media_type: str = JSON_TYPE
    headers: Headers = field(default_factory=dict)
    coding: bool = True


@dataclass(slots=True, kw_only=True)
class StreamAnswer:
    """An answer that is sent in blocks, with one block in memory and one being made.

    Attributes
    ----------
    blocks : iterator or async iterator of bytes
        The body. A plain iterator runs in a worker thread and is closed at the end.
    status : int
        HTTP status.
    media_type : str
        Type of the body.
    headers : mapping or iterable of (str, str)
        Further headers.
    length : int, optional
        Bytes of the body, where known.
    coding : bool
        The body may be compressed as the request's ``Accept-Encoding`` says.
    """

    blocks: Iterator[Block] | AsyncIterator[Block]
    status: int = 200
    media_type: str = "application/octet-stream"
    headers: Headers = field(default_factory=dict)
    length: int | None = None
    coding: bool = False


def header_pairs(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Give headers as ASGI wants them.

    Raises
    ------
    ValueError
        A value would end the header: it holds a line break.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    made = []
    for name, value in pairs:
        if "\n" in value or "\r" in value:
            raise ValueError(f"the header {name} holds a line break")
        made.append((_header_name(name), value.encode("latin-1", "replace")))
    return made


@lru_cache(maxsize=256)  # names are those that the handlers write
def _header_name(name: str) -> bytes:
    return name.lower().encode("latin-1")


async def send_answer(
    answer: Answer | StreamAnswer,
    *,
    service: Service,
    accept_encoding: str,
    is_head: bool,
    receive: Receive,
    send: Send,
) -> None:
    """Send an answer.

    Parameters
    ----------
    answer : Answer or StreamAnswer
        What is sent.
    service : Service
        Threads and settings.
    accept_encoding : str
        Header of the request.
    is_head : bool
        Only headers are sent.
    receive, send : callable
        The connection.
    """
    headers = header_pairs(answer.headers)
    if answer.media_type:
        headers.append((b"content-type", answer.media_type.encode("latin-1")))
    if isinstance(answer, Answer):
        await _send_whole(answer, headers, service, accept_encoding, is_head=is_head, send=send)
    else:
        _prepare_stream(answer, headers, accept_encoding)
        await _send_stream(answer, headers, service, is_head=is_head, receive=receive, send=send)


async def _send_whole(
    answer: Answer,
    headers: list[tuple[bytes, bytes]],
    service: Service,
    accept_encoding: str,
    *,
    is_head: bool,
    send: Send,
) -> None:
    body, rest = answer.body, answer.rest
    if answer.coding and rest:
        body, rest = b"".join((body, rest)), b""
    size = len(body)
    if answer.coding and len(body) >= _COMPRESSED_FROM and accept_encoding:
        coding = codings.choose(accept_encoding)
        if coding not in (None, "identity"):
            if len(body) >= _IN_THREAD_FROM:
                body = await service.thread(codings.compress, body, coding)
            else:
                body = codings.compress(body, coding)
            headers.append((b"content-encoding", coding.encode("ascii")))
    if answer.coding and size >= _COMPRESSED_FROM:
        headers.append((b"vary", b"Accept-Encoding"))
    if answer.status not in (204, 304):
        headers.append((b"content-length", b"%d" % (len(body) + len(rest))))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if rest and not is_head:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        body = rest
    await send({"type": "http.response.body", "body": b"" if is_head else body})


def _prepare_stream(
    answer: StreamAnswer, headers: list[tuple[bytes, bytes]], accept_encoding: str
) -> None:
    """Put the content coding around the blocks, or announce their length."""
    coding = codings.choose(accept_encoding) if answer.coding and accept_encoding else None
    if answer.coding:
        headers.append((b"vary", b"Accept-Encoding"))
    if coding not in (None, "identity") and not hasattr(answer.blocks, "__aiter__"):
        answer.blocks = codings.compressed(answer.blocks, coding)
        answer.length = None
        headers.append((b"content-encoding", coding.encode("ascii")))
    if answer.length is not None:
        headers.append((b"content-length", b"%d" % answer.length))


async def _send_stream(
    answer: StreamAnswer,
    headers: list[tuple[bytes, bytes]],
    service: Service,
    *,
    is_head: bool,
    receive: Receive,
    send: Send,
) -> None:
    """Send block after block until the end, or until the reader is gone or too slow."""
    source = _Source(answer.blocks, service)
    gone: asyncio.Task[None] | None = None
    try:
        if is_head:
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        block = await source.next()  # a failure before the first block still gets its status
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        gone = asyncio.create_task(_until_gone(receive))
        while block is not None:
            ahead = source.prefetch()
            async with asyncio.timeout(service.settings.send_timeout):
                await send({"type": "http.response.body", "body": block, "more_body": True})
            both: set[asyncio.Future[Any]] = {ahead, gone}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                break
            block = await source.next()
        if block is None:
            await send({"type": "http.response.body", "body": b""})
    finally:
        if gone is not None:
            gone.cancel()
        await source.close()


async def _until_gone(receive: Receive) -> None:
    """Wait until the reader has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        continue


class _Source:
    """The blocks of an answer, one made ahead."""

    def __init__(self, blocks: Any, service: Service) -> None:
        self._is_async = hasattr(blocks, "__aiter__")
        self._blocks = blocks.__aiter__() if self._is_async else iter(blocks)
        self._service = service
        self._ahead: asyncio.Future[Block | None] | None = None

    def prefetch(self) -> asyncio.Future[Block | None]:
        """Begin to make the next block."""
        if self._ahead is None:
            self._ahead = asyncio.ensure_future(self._make())
        return self._ahead

    async def _make(self) -> Block | None:
        if self._is_async:
            return await anext(self._blocks, None)
        return await self._service.stream(next, self._blocks, None)

    async def next(self) -> Block | None:
        """Give the next block; None at the end."""
        ahead = self.prefetch()
        self._ahead = None
        return await ahead

    async def close(self) -> None:
        """Close the iterator, after the block that is being made."""
        if self._ahead is not None:
            if self._is_async:
                self._ahead.cancel()
            # what goes wrong with a block that nobody will see concerns nobody
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await self._ahead
        close = getattr(self._blocks, "aclose" if self._is_async else "close", None)
        if close is None:
            return
        if self._is_async:
            await close()
        else:
            await self._service.stream(close)
