"""The application behind a real server: connections that break, stop in the middle, or drip."""

from __future__ import annotations

import http.client
import socket
import threading
import time

import pytest
import uvicorn

from ephyrus.service.app import create_app
from ephyrus.service.routes.answers import Answer, StreamAnswer
from ephyrus.service.routes.table import Route, RouteTable
from tests.service.support import cheap_settings

PATIENCE = 60.0  # seconds after which a test gives up
EVENTS: list[str] = []
RELEASED = threading.Event()
BLOCK = b"x" * 2**20


def _endless():
    try:
        while True:
            yield BLOCK
    finally:
        EVENTS.append("closed")


def _broken():
    yield b"first"
    raise OSError("gone")


def _slow(call):
    EVENTS.append("began")
    assert RELEASED.wait(PATIENCE)
    return Answer(body=b"done")


async def _take(call):
    return Answer(body=b"%d" % sum([len(piece) async for piece in call.stream(limit=2**21)]))


def _route(method, name, handler, **options):
    return Route(name=name, method=method, path=f"/{name}", handler=handler, summary="x",
                 access="open", **options)  # fmt: skip


ROUTES = [
    _route("GET", "endless", lambda call: StreamAnswer(blocks=_endless())),
    _route("GET", "broken", lambda call: StreamAnswer(blocks=_broken(), length=10)),
    _route("GET", "slow", _slow),
    _route("GET", "plain", lambda call: Answer(body=b"plain")),
    _route("POST", "json", lambda call: Answer(body=b"ok"), body="json"),
    _route("POST", "take", _take, body="stream"),
]


class Running:
    """A server in a thread."""

    def __init__(self, app) -> None:
        self.app = app
        config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.005)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()

    @property
    def is_refusing(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE).close()
        except ConnectionRefusedError:
            return True
        return False

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def socket(self, text: bytes) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        made.sendall(text.replace(b"\n", b"\r\n"))
        return made


def _running(folder, **limits):
    app = create_app(cheap_settings(folder, allowed_hosts=("*",), **limits))
    app.table = RouteTable(ROUTES)
    return Running(app)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    made = _running(tmp_path_factory.mktemp("service"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    """A server that waits for nobody for long."""
    limits = {"receive_timeout": 0.2, "send_timeout": 0.2}
    made = _running(tmp_path_factory.mktemp("service"), **limits)
    yield made
    made.stop()


def _until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_reader_who_stops_reading_is_dropped(impatient):
    EVENTS.clear()
    with impatient.socket(b"GET /endless HTTP/1.1\nHost: x\n\n"):
        _until(
            lambda: "closed" in EVENTS
        )  # after send_timeout, though nobody reads and nobody hangs up


def test_a_reader_who_hangs_up_ends_the_work(running):
    EVENTS.clear()
    reader = running.socket(b"GET /endless HTTP/1.1\nHost: x\n\n")
    assert reader.recv(1000)
    reader.close()
    _until(lambda: "closed" in EVENTS)


def test_an_answer_that_breaks_is_short(running):
    connection = running.connect()
    connection.request("GET", "/broken")
    answer = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as info:
        answer.read()
    assert info.value.partial == b"first"
    connection.close()


def test_a_sender_who_stops_sending_is_told_so(impatient):
    text = b"POST /json HTTP/1.1\nHost: x\nContent-Length: 10\n\n{"
    with impatient.socket(text) as sender:
        answer = b""
        while piece := sender.recv(4000):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"request_timeout"' in answer


def test_a_chunked_body_that_is_too_large_is_refused(running):
    connection = running.connect()
    pieces = iter([BLOCK, BLOCK, b"x"])
    connection.request("POST", "/take", body=pieces, encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})  # fmt: skip
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("connection")) == (413, "close")
    connection.close()


def test_connections_are_kept(running):
    connection = running.connect()
    for _ in range(3):
        connection.request("GET", "/plain/")
        assert connection.getresponse().read() == b"plain"
    connection.request("HEAD", "/plain")
    answer = connection.getresponse()
    assert (answer.getheader("content-length"), answer.read()) == ("5", b"")
    connection.request("GET", "/plain")
    assert connection.getresponse().read() == b"plain"
    connection.close()


def test_a_stop_waits_for_what_is_under_way(tmp_path):
    running = _running(tmp_path)
    EVENTS.clear()
    RELEASED.clear()
    try:
        connection = running.connect()
        connection.request("GET", "/slow")
        _until(lambda: "began" in EVENTS)
        running.server.should_exit = True
        _until(lambda: running.is_refusing)
        assert running.thread.is_alive()
        RELEASED.set()
        assert connection.getresponse().read() == b"done"
        connection.close()
    finally:
        RELEASED.set()
        running.stop()
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = running.app.service
