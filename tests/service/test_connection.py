"""Limits of a connection: heads, trailers, silence, readers that stall."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from ephyrus.service.connection import MOST_HEAD, Connection

RECEIVE, SEND, IDLE = 0.25, 0.3, 0.5  # seconds


class Application:
    """Answers with what is asked for."""

    settings = SimpleNamespace(receive_timeout=RECEIVE, send_timeout=SEND)

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


@pytest.fixture(scope="module")
def server() -> Iterator[uvicorn.Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Application(),
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=IDLE,  # type: ignore[arg-type]  # any number of seconds does
        timeout_graceful_shutdown=1,
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    while not running.started:
        time.sleep(0.01)
    running.port = listener.getsockname()[1]  # type: ignore[attr-defined]
    yield running
    running.should_exit = True
    thread.join()


@pytest.fixture
def connect(server: Any) -> Iterator[Callable[[], socket.socket]]:
    opened = []

    def make() -> socket.socket:
        made = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        opened.append(made)
        return made

    yield make
    for each in opened:
        each.close()


def until_closed(connection: socket.socket) -> tuple[bytes, float]:
    """Read until the other side ends it; what came, and how long it took."""
    started = time.monotonic()
    received = b""
    try:
        while piece := connection.recv(2**20):
            received += piece
    except ConnectionResetError:
        pass
    return received, time.monotonic() - started


def gone(server: uvicorn.Server, seconds: float = 5.0) -> float:
    """Wait until the server holds no connection; how long that took."""
    started = time.monotonic()
    while server.server_state.connections:
        assert time.monotonic() - started < seconds
        time.sleep(0.01)
    return time.monotonic() - started


def exchange(connection: socket.socket, request: bytes, end: bytes) -> bytes:
    connection.sendall(request)
    received = b""
    while not received.endswith(end):
        piece = connection.recv(2**16)
        assert piece, received
        received += piece
    return received


def send_until_refused(
    connection: socket.socket, piece: bytes, *, pause: float = 0.0
) -> tuple[int, float]:
    """Send until the other side has closed; bytes that were sent, and how long it took."""
    started, sent = time.monotonic(), 0
    try:
        while sent < 2**28:
            sent += connection.send(piece)
            time.sleep(pause)
    except OSError:
        return sent, time.monotonic() - started
    raise AssertionError("all of it was taken")


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


def test_a_silent_connection_is_closed(connect: Callable[[], socket.socket]) -> None:
    received, seconds = until_closed(connect())
    assert received == b""
    assert RECEIVE * 0.9 < seconds < RECEIVE + 1


def test_a_head_that_comes_byte_by_byte_is_closed(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"GET / HTTP/1.1\r\nlong: ")
    _, seconds = send_until_refused(connection, b"a", pause=0.02)
    assert RECEIVE * 0.9 < seconds < RECEIVE + 1


def test_a_pause_between_requests_may_be_longer_than_that_for_a_head(
    connect: Callable[[], socket.socket],
) -> None:
    connection = connect()
    exchange(connection, GET, b"\r\n\r\nxx")
    time.sleep(RECEIVE * 1.5)
    exchange(connection, GET, b"\r\n\r\nxx")
    assert IDLE * 0.8 < until_closed(connection)[1] < IDLE + 1


def test_a_slow_body_is_left_to_the_application(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
    for _ in range(9):
        time.sleep(RECEIVE / 5)
        connection.sendall(b"x")
    assert exchange(connection, b"x", b"\r\n\r\n10").startswith(b"HTTP/1.1 200")


def test_the_rest_of_a_body_that_nobody_reads_may_not_take_for_ever(
    connect: Callable[[], socket.socket],
) -> None:
    connection = connect()
    exchange(
        connection, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n", b"\r\n\r\nxx"
    )
    _, seconds = send_until_refused(connection, b"x", pause=0.02)
    assert RECEIVE * 0.9 < seconds < RECEIVE + 1


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
    sent, _ = send_until_refused(connection, b"a" * 65536)
    # beyond the limit comes what the buffers of both sockets and one reading hold
    assert MOST_HEAD <= sent < MOST_HEAD + 2**24


def test_a_long_head_is_told_why(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    for piece in (b"GET /?", *[b"a" * 30_000] * 3):
        connection.sendall(piece)
        time.sleep(0.05)  # so that each piece is one reading
    received, _ = until_closed(connection)
    assert received.startswith(b"HTTP/1.1 431 ")
    assert received.endswith(b"\r\n\r\nThe head of the request is too long.")


def test_a_long_head_within_the_limit_is_read(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    for number in range(3):
        connection.sendall(b"h%d: %b\r\n" % (number, b"a" * 15_000) if number else GET[:-2])
        time.sleep(0.02)
    assert exchange(connection, b"\r\n", b"\r\n\r\nxx").startswith(b"HTTP/1.1 200")


def test_a_reader_that_stalls_in_the_middle_is_dropped(
    server: uvicorn.Server, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    connection.sendall(b"GET /stream?100 HTTP/1.1\r\nhost: x\r\n\r\n")
    time.sleep(0.1)
    assert SEND * 0.5 < gone(server) < SEND + 1.5
    assert len(until_closed(connection)[0]) < 2**24


@pytest.mark.parametrize("close", [b"", b"connection: close\r\n"])
def test_a_reader_that_stalls_at_the_end_is_dropped(
    server: uvicorn.Server, connect: Callable[[], socket.socket], close: bytes
) -> None:
    connection = connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b"GET /?20000000 HTTP/1.1\r\nhost: x\r\n" + close + b"\r\n")
    time.sleep(0.1)
    gone(server, 4.0)


def test_a_reader_that_is_slow_but_goes_on_gets_everything(
    connect: Callable[[], socket.socket],
) -> None:
    connection = connect()
    connection.sendall(b"GET /stream?24 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    received = 0
    for _ in range(6):
        time.sleep(SEND / 3)
        received += len(connection.recv(4 * 2**20, socket.MSG_WAITALL))
    received += len(until_closed(connection)[0])
    assert received > 24 * 2**20
