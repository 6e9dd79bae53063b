"""One connection of a client: limits on what comes before, after and beside requests.

The application limits the bodies that it reads and the blocks that it sends. What the server reads
by itself (heads, trailers) and what lies in its buffers is limited here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from ephyrus.service.settings import Settings

__all__ = ["Connection"]

MOST_HEAD = 65_536  # bytes of a head or of trailers, beyond the piece that they begin in
_TEXT = b"The head of the request is too long."
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\n"
    b"connection: close\r\n\r\n%b" % (len(_TEXT), _TEXT)
)


class Connection(HttpToolsProtocol):
    """A connection that nobody can hold up for ever: for ``uvicorn.Config(http=...)``.

    Two settings of the application are kept to. ``receive_timeout`` is the time for the head of a
    request from its first byte, for a new connection to say anything, and for the rest of a body
    that nobody reads any more. ``send_timeout`` is the time after which there must be room in the
    buffer again, which the reader makes.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        app: Any = self.app
        while not hasattr(app, "settings"):  # middleware of the server may lie around it
            app = app.app
        self._application = app
        settings: Settings = app.settings
        self._receive_timeout = settings.receive_timeout
        self._send_timeout = settings.send_timeout
        self._unread = 0  # bytes since the last piece of a body
        self._is_between = True  # no request is being received
        self._is_in_head = False
        self._is_lost = False
        self._receiving: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: something must come soon."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._is_lost = True
        self._expect_nothing()
        if self._sending is not None:
            self._sending.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._unread += len(data)
        super().data_received(data)
        # most heads come in one piece and need no limit of time
        if self._is_in_head and self._receiving is None:
            self._expect()
        if self._unread > MOST_HEAD and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self._leave()

    def on_message_begin(self) -> None:
        """Take the first byte of a head: the rest must follow."""
        self._unread = 0
        self._is_between = False
        self._is_in_head = True
        self._expect_nothing()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Take the end of a head: the application watches the body from here."""
        self._unread = 0
        self._is_in_head = False
        self._expect_nothing()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._unread = 0
        self._is_between = True
        self._expect_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note the end of an answer: nobody reads what is left of the body."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._limit_sending()
        elif not self._is_between and not self.pipeline:
            self._expect()

    def pause_writing(self) -> None:
        """Wait for the reader to make room, for some time."""
        super().pause_writing()
        self._limit_sending()

    def resume_writing(self) -> None:
        """Go on: there is room."""
        super().resume_writing()
        if self._sending is not None and not self.transport.is_closing():
            self._sending.cancel()
            self._sending = None

    def shutdown(self) -> None:
        """End, as the server does: answers under way may go on for some time."""
        self._application.end_endless()
        super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, though its reader may not have taken the last answer."""
        self._leave()

    def _leave(self) -> None:
        """Close the connection; a reader that does not take what is left has some time for it."""
        if not self.transport.is_closing():
            self.transport.close()
            self._limit_sending()

    def _limit_sending(self) -> None:
        if self._sending is None and not self._is_lost:
            self._sending = self.loop.call_later(self._send_timeout, self.transport.abort)

    def _expect(self) -> None:
        self._expect_nothing()
        self._receiving = self.loop.call_later(self._receive_timeout, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None
