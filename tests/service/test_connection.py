"""Limits of a connection: heads, trailers, silence, readers that stall.

The time of the server stands still until a test lets it pass: no test depends on how fast the
machine is.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from ephyrus.service.connection import MOST_HEAD, Connection

RECEIVE, SEND, IDLE = 10.0, 12.0, 20.0  # seconds of the server's time
PATIENCE = 60.0  # seconds after which a test gives up


class Application:
    """Answers with what is asked for."""

    settings = SimpleNamespace(receive_timeout=RECEIVE, send_timeout=SEND)

    def end_endless(self) -> None:
        """Has no answers without an end."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        size = int(scope["query_string"] or b"2")
        if scope["path"] == "/echo":
            await _answer(send, b"%d" % await _counted(receive))
        elif scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(size):
                await send({"type": "http.response.body", "body": bytes(2**20), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            await _answer(send, b"x" * size)


async def _counted(receive: Any) -> int:
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    return size


async def _answer(send: Any, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


class Watched(Connection):
    """A connection that tells how far it is."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.received = 0  # bytes
        self.is_paused = False
        self.resumed = 0  # times

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.received += len(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.is_paused = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self.is_paused = False
        self.resumed += 1


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time passes when it is told to."""

    now = 0.0

    def time(self) -> float:
        return self.now


class Server:
    """A server in a thread."""

    def __init__(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            Application(),
            http=Watched,
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_keep_alive=IDLE,  # type: ignore[arg-type]  # any number of seconds does
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._loop = Loop()
        self._thread = threading.Thread(target=self._run, args=(listener,))
        self._thread.start()
        eventually(lambda: self._server.started)

    def _run(self, listener: socket.socket) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._server.serve([listener]))

    def stop(self) -> None:
        self._server.should_exit = True

        def has_ended() -> bool:
            if self._thread.is_alive():
                self._loop.now += 1.0
            return not self._thread.is_alive()

        eventually(has_ended)

    @property
    def connections(self) -> list[Watched]:
        """Those that it holds."""
        return list(self._server.server_state.connections)  # type: ignore[arg-type]

    def connection(self) -> Watched:
        """Wait for the only one."""
        (found,) = eventually(lambda: self.connections)
        return found

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is due be done."""

        async def done() -> None:
            self._loop.now += seconds
            for _ in range(5):  # rounds of the loop: timers, what they call, what that closes
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(done(), self._loop).result(PATIENCE)

    def wait_until_gone(self, at_a_time: float) -> float:
        """Let time pass until no connection is held; how long that took."""
        passed = 0.0
        while self.connections:
            assert passed < 1000 * at_a_time
            self.wait(at_a_time)
            passed += at_a_time
        return passed


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait for what is under way; gives what the condition gave."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.001)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[[], socket.socket]]:
    opened = []

    def make() -> socket.socket:
        made = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        opened.append(made)
        server.connection()
        return made

    yield make
    for each in opened:
        each.close()
    eventually(lambda: not server.connections)


def until_closed(connection: socket.socket) -> bytes:
    """Read until the other side ends it; what came."""
    received = b""
    try:
        while piece := connection.recv(2**20):
            received += piece
    except ConnectionResetError:
        pass
    return received


def send_and_see(server: Server, connection: socket.socket, piece: bytes) -> None:
    """Send a piece, which the server has read then."""
    held = server.connection()
    expected = held.received + len(piece)
    connection.sendall(piece)
    eventually(lambda: held.received == expected)


def exchange(connection: socket.socket, request: bytes, end: bytes) -> bytes:
    connection.sendall(request)
    received = b""
    while not received.endswith(end):
        piece = connection.recv(2**16)
        assert piece, received
        received += piece
    return received


def send_until_refused(connection: socket.socket, piece: bytes) -> int:
    """Send until the other side has closed; bytes that were sent."""
    sent = 0
    try:
        while sent < 2**28:
            sent += connection.send(piece)
    except OSError:
        return sent
    raise AssertionError("all of it was taken")


def drip_until_gone(server: Server, connection: socket.socket) -> float:
    """Send a byte ten times within the time for a head; how long the server takes them."""
    passed = 0.0
    while server.connections:
        assert passed < 10 * RECEIVE
        send_and_see(server, connection, b"a")
        server.wait(RECEIVE / 10)
        passed += RECEIVE / 10
    return passed


GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


def test_requests_follow_each_other_on_one_connection(
    connect: Callable[[], socket.socket],
) -> None:
    connection = connect()
    for _ in range(3):
        assert exchange(connection, GET, b"\r\n\r\nxx").startswith(b"HTTP/1.1 200")
    post = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n" + bytes(300_000)
    assert exchange(connection, post, b"\r\n\r\n300000").startswith(b"HTTP/1.1 200")
    two = exchange(connection, post + GET, b"\r\n\r\nxx")  # sent ahead of the first answer
    assert two.count(b"HTTP/1.1 200") == 2


def test_a_silent_connection_is_closed(
    server: Server, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    server.wait(RECEIVE * 0.99)
    assert len(server.connections) == 1
    server.wait(RECEIVE * 0.02)
    assert server.connections == []
    assert until_closed(connection) == b""


def test_a_head_that_comes_byte_by_byte_is_closed(
    server: Server, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    send_and_see(server, connection, b"GET / HTTP/1.1\r\nlong: ")
    assert drip_until_gone(server, connection) == pytest.approx(RECEIVE)


def test_a_pause_between_requests_may_be_longer_than_that_for_a_head(
    server: Server, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    exchange(connection, GET, b"\r\n\r\nxx")
    server.wait(RECEIVE * 1.5)
    exchange(connection, GET, b"\r\n\r\nxx")
    server.wait(IDLE * 0.99)
    assert len(server.connections) == 1
    server.wait(IDLE * 0.02)
    assert server.connections == []
    assert until_closed(connection) == b""


def test_a_slow_body_is_left_to_the_application(
    server: Server, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"
    send_and_see(server, connection, head)
    for _ in range(9):
        server.wait(RECEIVE)
        send_and_see(server, connection, b"x")
    assert exchange(connection, b"x", b"\r\n\r\n10").startswith(b"HTTP/1.1 200")


def test_the_rest_of_a_body_that_nobody_reads_may_not_take_for_ever(
    server: Server, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    exchange(
        connection, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n", b"\r\n\r\nxx"
    )
    assert drip_until_gone(server, connection) == pytest.approx(RECEIVE)


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /?",
        b"GET / HTTP/1.1\r\nhost: x\r\nlong: ",
        b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\ntrailer: ",
        b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;extension=",
    ],
    ids=["address", "header", "trailer", "extension"],
)
def test_what_surrounds_a_body_has_a_limit(
    connect: Callable[[], socket.socket], begin: bytes
) -> None:
    connection = connect()
    connection.sendall(begin)
    sent = send_until_refused(connection, b"a" * 65536)
    # beyond the limit comes what the buffers of both sockets and one reading hold
    assert MOST_HEAD <= sent < MOST_HEAD + 2**24


def test_a_long_head_is_told_why(server: Server, connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    for piece in (b"GET /?", *[b"a" * 30_000] * 3):
        send_and_see(server, connection, piece)
    received = until_closed(connection)
    assert received.startswith(b"HTTP/1.1 431 ")
    assert received.endswith(b"\r\n\r\nThe head of the request is too long.")


def test_a_long_head_within_the_limit_is_read(
    server: Server, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    for number in range(3):
        line = b"h%d: %b\r\n" % (number, b"a" * 15_000)
        send_and_see(server, connection, line if number else GET[:-2])
    assert exchange(connection, b"\r\n", b"\r\n\r\nxx").startswith(b"HTTP/1.1 200")


def test_a_reader_that_stalls_in_the_middle_is_dropped(
    server: Server, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    connection.sendall(b"GET /stream?100 HTTP/1.1\r\nhost: x\r\n\r\n")
    eventually(lambda: server.connection().is_paused)
    assert server.wait_until_gone(SEND / 10) >= SEND * 0.99
    assert len(until_closed(connection)) < 2**24


@pytest.mark.parametrize("close", [b"", b"connection: close\r\n"])
def test_a_reader_that_stalls_at_the_end_is_dropped(
    server: Server, connect: Callable[[], socket.socket], close: bytes
) -> None:
    connection = connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b"GET /?20000000 HTTP/1.1\r\nhost: x\r\n" + close + b"\r\n")
    eventually(lambda: server.connection().is_paused)
    assert SEND * 0.99 <= server.wait_until_gone(SEND / 10) < IDLE + 5 * SEND


def test_a_reader_that_is_slow_but_goes_on_gets_everything(
    server: Server, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**18)  # not what the system likes
    # much more than six times what both sockets may take at once (about 6 MiB)
    connection.sendall(b"GET /stream?64 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    held, received = server.connection(), 0
    for _ in range(6):
        eventually(lambda: held.is_paused)
        server.wait(SEND * 0.7)
        resumed = held.resumed
        while held.resumed == resumed:  # the sockets have buffers of their own
            piece = connection.recv(2**20)
            assert piece
            received += len(piece)
    received += len(until_closed(connection))
    assert received > 64 * 2**20
