"""What holds for every request: addresses, methods, headers, failures, logs, limits, streams."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import logging

import pytest
from sqlalchemy.exc import OperationalError

from ephyrus.errors import CorruptError, LimitError
from ephyrus.service.app import create_app
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.answers import Answer, StreamAnswer
from ephyrus.service.routes.logs import ACCESS, JsonFormatter
from ephyrus.service.routes.metrics import Metrics
from ephyrus.service.routes.table import Route, RouteTable
from tests.service.support import cheap_settings

CLOSED: list[str] = []


def _blocks():
    try:
        for number in range(5):
            yield bytes([65 + number]) * 1000
    finally:
        CLOSED.append("blocks")


def _broken_blocks():
    yield b"first"
    raise OSError("gone")


async def _async_blocks():
    for number in range(3):
        yield b"%d" % number


def _fail(error: Exception):
    def handler(call):
        raise error

    return handler


async def _take(call):
    size = sum([len(piece) async for piece in call.stream(limit=5000)])
    return Answer(body=b"%d" % size)


FAILURES = {
    "value": ValueError("a path that must not be shown: /etc/x"),
    "format": CorruptError("/secret/x.plx", "a count of -1", offset=12, field="header"),
    "limit": LimitError("too much"),
    "missing": FileNotFoundError(errno.ENOENT, "gone", "/secret/file"),
    "full": OSError(errno.ENOSPC, "full", "/secret/file"),
    "system": OSError(errno.EIO, "broken", "/secret/file"),
    "database": OperationalError("SELECT secret", {}, Exception("locked")),
}


def _route(name: str, handler, *, method: str = "GET", **options) -> Route:
    options.setdefault("access", "open")
    return Route(
        name=f"{name}.{method}",
        method=method,
        path=f"/{name}",
        handler=handler,
        summary="x",
        **options,
    )


def _echo(call):
    return Answer(body=json.dumps({"document": call.document, "form": call.form}).encode())


ROUTES = [
    _route("plain", lambda call: Answer(body=b'{"a": 1}')),
    _route("plain", lambda call: Answer(status=201, body=b"{}"), method="POST"),
    _route("inline", lambda call: Answer(body=call.request_id.encode()), inline=True),
    _route("big", lambda call: Answer(body=b'"' + b"x" * 100_000 + b'"')),
    _route("middle", lambda call: Answer(body=b'"' + b"x" * 10_000 + b'"')),
    _route("opaque", lambda call: Answer(body=b"x" * 100_000, coding=False)),
    _route("stream", lambda call: StreamAnswer(blocks=_blocks(), length=5000)),
    _route("async-stream", lambda call: StreamAnswer(blocks=_async_blocks())),
    _route("coded-stream", lambda call: StreamAnswer(blocks=_blocks(), length=5000, coding=True)),
    _route("broken-stream", lambda call: StreamAnswer(blocks=_broken_blocks())),
    _route("twice", lambda call: Answer(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])),
    _route("echo", _echo, method="POST", body="json"),
    _route("form", _echo, method="POST", body="form"),
    _route("take", _take, method="POST", body="stream"),
    _route("refuse", _fail(ServiceError("too_many_requests", "Wait.", headers={"Retry-After": "7"},
                                        extra={"missing": ["x"]}))),
    _route("health", lambda call: Answer()),
    _route("user", lambda call: Answer(), access="user"),
    *(_route(f"fail-{name}", _fail(error)) for name, error in FAILURES.items()),
]  # fmt: skip


class Wire:
    """Asks an application as a server would, message by message."""

    def __init__(self, app) -> None:
        self.app = app

    def ask(self, method, path, *, headers=(), body=(b"",), query=b"", host="testserver"):
        """Ask; status, headers (dict of lists), body."""
        headers = [*headers, ("host", host)]
        return asyncio.run(self._ask(method, path, headers, list(body), query))

    async def _ask(self, method, path, headers, body, query):
        sent = []

        async def receive():
            if body:
                return {"type": "http.request", "body": body.pop(0), "more_body": bool(body)}
            await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": query, "scheme": "http", "client": ("10.1.1.1", 1), "server": ("x", 80),
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }  # fmt: skip
        async with self.app.running():
            await self.app(scope, receive, send)
        found: dict[str, list[str]] = {}
        for name, value in sent[0]["headers"] if sent else ():
            found.setdefault(name.decode(), []).append(value.decode())
        self.complete = bool(sent) and not sent[-1].get("more_body", False)
        return (
            sent[0]["status"] if sent else None,
            found,
            b"".join(message.get("body", b"") for message in sent[1:]),
        )


@pytest.fixture(scope="module")
def wire(tmp_path_factory):
    app = create_app(cheap_settings(tmp_path_factory.mktemp("service"), cors_origins=()))
    app.table = RouteTable(ROUTES)
    return Wire(app)


@pytest.mark.parametrize("path", ["/plain", "/plain/"])
def test_both_spellings_of_an_address_answer_without_a_redirect(wire, path):
    status, headers, body = wire.ask("GET", path)
    assert (status, body) == (200, b'{"a": 1}')
    assert headers["content-type"] == ["application/json; charset=utf-8"]
    assert headers["content-length"] == ["8"]


def test_common_headers(wire):
    _, headers, _ = wire.ask("GET", "/plain")
    assert headers["x-content-type-options"] == ["nosniff"]
    assert headers["x-frame-options"] == ["DENY"]
    assert headers["referrer-policy"] == ["same-origin"]
    assert headers["content-security-policy"] == ["default-src 'none'; frame-ancestors 'none'"]
    assert "strict-transport-security" not in headers
    assert not any(name.startswith("access-control") for name in headers)


def test_head_gives_the_headers_alone(wire):
    status, headers, body = wire.ask("HEAD", "/plain")
    assert (status, headers["content-length"], body) == (200, ["8"], b"")
    CLOSED.clear()
    status, headers, body = wire.ask("HEAD", "/stream")
    assert (status, headers["content-length"], body) == (200, ["5000"], b"")


def test_options_and_other_methods(wire):
    status, headers, body = wire.ask("OPTIONS", "/plain")
    assert (status, headers["allow"], body) == (204, ["GET, HEAD, OPTIONS, POST"], b"")
    status, headers, body = wire.ask("DELETE", "/plain")
    assert (status, headers["allow"]) == (405, ["GET, HEAD, OPTIONS, POST"])
    assert json.loads(body) == {
        "logged_in_as": "",
        "message": "DELETE is not possible here; use GET, HEAD, OPTIONS, POST.",
        "message_type": "invalid_method",
        "details": "DELETE is not possible here; use GET, HEAD, OPTIONS, POST.",
    }


def test_an_unknown_address(wire):
    status, headers, body = wire.ask("GET", "/nothing")
    assert status == 404
    assert json.loads(body)["message_type"] == "not_found"
    assert headers["content-type"] == ["application/json; charset=utf-8"]


def test_request_ids(wire):
    _, headers, body = wire.ask("GET", "/inline")
    assert headers["x-request-id"] == [body.decode()]
    _, headers, body = wire.ask("GET", "/inline", headers=[("x-request-id", "abc-1.2")])
    assert (headers["x-request-id"], body) == (["abc-1.2"], b"abc-1.2")
    for bad in ("a b", "x" * 65, "a\r\nb", "ä"):
        _, headers, _ = wire.ask("GET", "/inline", headers=[("x-request-id", bad)])
        assert headers["x-request-id"] != [bad]


def test_two_headers_of_one_name(wire):
    assert wire.ask("GET", "/twice")[1]["set-cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("name", "status", "kind", "message"),
    [
        ("format", 503, "unavailable", "The file of this object cannot be read: a count of -1."),
        ("limit", 413, "too_large",
         "The request is larger than the limits of the service; ask for less."),
        ("missing", 503, "unavailable", "The file of this object is missing from the store."),
        ("full", 503, "unavailable", "The disk of the service is full."),
        ("system", 503, "unavailable", "The files of the service cannot be reached; try again."),
        ("database", 503, "unavailable", "The database does not answer; try again."),
    ],
)  # fmt: skip
def test_failures_of_files_and_database(wire, name, status, kind, message):
    got, _, body = wire.ask("GET", f"/fail-{name}")
    document = json.loads(body)
    assert (got, document["message_type"], document["message"]) == (status, kind, message)
    assert b"secret" not in body


def test_a_fault_of_the_service_names_its_request_and_nothing_else(wire, caplog):
    with caplog.at_level(logging.ERROR, "ephyrus.service"):
        status, headers, body = wire.ask("GET", "/fail-value")
    document = json.loads(body)
    assert (status, document["message_type"]) == (500, "internal_error")
    assert document["details"] == {"request_id": headers["x-request-id"][0]}
    assert b"/etc/x" not in body
    assert b"Traceback" not in body
    assert caplog.records[-1].exc_info[1] is FAILURES["value"]  # the log has it


def test_a_refusal_has_its_headers_and_keys(wire):
    status, headers, body = wire.ask("GET", "/refuse")
    assert (status, headers["retry-after"]) == (429, ["7"])
    assert json.loads(body) == {
        "logged_in_as": "",
        "message": "Wait.",
        "message_type": "too_many_requests",
        "details": "Wait.",
        "missing": ["x"],
    }


def test_users_only(wire):
    status, headers, body = wire.ask("GET", "/user")
    assert (status, headers["www-authenticate"]) == (401, ["Session"])
    assert json.loads(body)["message_type"] == "not_authenticated"


def test_json_is_read_whatever_the_content_type(wire):
    for headers in ((), [("content-type", "text/plain")]):
        _, _, body = wire.ask("POST", "/echo", headers=headers, body=[b'{"a":', b"[1]}"])
        assert json.loads(body) == {"document": {"a": [1]}, "form": {}}
    assert json.loads(wire.ask("POST", "/echo")[2])["document"] is None
    assert wire.ask("POST", "/echo", body=[b"{"])[0] == 400


def test_forms(wire):
    _, _, body = wire.ask("POST", "/form", body=[b"a=1&b=x%20y"])
    assert json.loads(body)["form"] == {"a": "1", "b": "x y"}


def test_bodies_have_a_limit(wire):
    most = wire.app.settings.max_json_bytes
    status, headers, _ = wire.ask("POST", "/echo", headers=[("content-length", str(most + 1))])
    assert (status, headers["connection"]) == (413, ["close"])
    chunk = b" " * (most // 2 + 1)
    assert wire.ask("POST", "/echo", body=[chunk, chunk])[0] == 413
    assert wire.ask("POST", "/take", body=[b"x" * 2000, b"y" * 3000])[2] == b"5000"
    assert wire.ask("POST", "/take", body=[b"x" * 2001, b"y" * 3000])[0] == 413


def test_a_refused_upload_is_not_read_to_its_end(wire):
    for headers in ([("content-length", "99999999")], [("transfer-encoding", "chunked")]):
        _, found, _ = wire.ask("POST", "/nothing", headers=headers)
        assert found["connection"] == ["close"]
    assert "connection" not in wire.ask("POST", "/nothing", headers=[("content-length", "9")])[1]


@pytest.mark.parametrize("path", ["/middle", "/big"])  # compressed at once, and in a thread
def test_answers_are_compressed_as_asked(wire, path):
    _, headers, plain = wire.ask("GET", path)
    assert "content-encoding" not in headers
    _, headers, body = wire.ask("GET", path, headers=[("accept-encoding", "gzip")])
    assert (headers["content-encoding"], headers["vary"]) == (["gzip"], ["Accept-Encoding"])
    assert gzip.decompress(body) == plain
    assert headers["content-length"] == [str(len(body))]


def test_small_and_opaque_answers_are_not_compressed(wire):
    for path in ("/plain", "/opaque"):
        assert (
            "content-encoding"
            not in wire.ask("GET", path, headers=[("accept-encoding", "gzip")])[1]
        )


def test_streams(wire):
    whole = b"".join(bytes([65 + number]) * 1000 for number in range(5))
    CLOSED.clear()
    status, headers, body = wire.ask("GET", "/stream")
    assert (status, headers["content-length"], body, CLOSED) == (200, ["5000"], whole, ["blocks"])
    assert wire.complete
    assert wire.ask("GET", "/async-stream")[2] == b"012"
    _, headers, body = wire.ask("GET", "/coded-stream", headers=[("accept-encoding", "gzip")])
    assert (headers["content-encoding"], gzip.decompress(body)) == (["gzip"], whole)
    assert "content-length" not in headers


def test_a_stream_that_breaks_is_cut_off(wire):
    status, _, body = wire.ask("GET", "/broken-stream")
    assert (status, body) == (200, b"first")
    assert not wire.complete  # the server closes the connection: the reader sees that it is short


def _stream_app(tmp_path, blocks, **settings):
    app = create_app(cheap_settings(tmp_path, **settings))
    app.table = RouteTable([_route("stream", lambda call: StreamAnswer(blocks=blocks))])
    return app


async def _drive(app, receive, send):
    scope = {
        "type": "http", "method": "GET", "path": "/stream", "raw_path": b"/stream",
        "query_string": b"", "scheme": "http", "client": None,
        "headers": [(b"host", b"testserver")],
    }  # fmt: skip
    async with app.running():
        await app(scope, receive, send)


def test_a_slow_reader_is_given_up(tmp_path):
    made, closed = [], []

    def endless():
        try:
            while True:
                made.append(1)
                yield b"x"
        finally:
            closed.append(True)

    async def never():
        await asyncio.sleep(3600)

    async def send(message):
        if message["type"] == "http.response.body":
            await asyncio.sleep(3600)

    app = _stream_app(tmp_path, endless(), send_timeout=0.05)
    asyncio.run(asyncio.wait_for(_drive(app, never, send), 60))
    assert closed == [True]
    assert len(made) in (1, 2)  # one that was sent, at most one ahead


def test_a_reader_who_goes_away_ends_the_stream(tmp_path):
    closed = []

    async def endless():
        try:
            yield b"x"
            await asyncio.sleep(3600)
        finally:
            closed.append(True)

    async def receive():
        await asyncio.sleep(0.02)
        return {"type": "http.disconnect"}

    async def send(message):
        pass

    asyncio.run(asyncio.wait_for(_drive(_stream_app(tmp_path, endless()), receive, send), 60))
    assert closed == [True]


def test_each_request_is_logged_without_its_address(wire, caplog):
    with caplog.at_level(logging.INFO, ACCESS.name):
        wire.ask("GET", "/plain", query=b"token=secret", headers=[("x-request-id", "r1")])
    record = next(each for each in caplog.records if each.name == ACCESS.name)
    line = json.loads(JsonFormatter().format(record))
    assert line.pop("ms") >= 0
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "ephyrus.service.access",
        "message": "GET /plain 200",
        "method": "GET",
        "route": "/plain",
        "status": 200,
        "bytes": 8,
        "user": None,
        "request_id": "r1",
    }


def test_metrics_count_by_route():
    metrics = Metrics()
    metrics.observe("/a/{id}", "GET", 200, 0.002, 10)
    metrics.observe("/a/{id}", "GET", 200, 0.2, 10)
    metrics.observe("(none)", "BREW", 404, 0.2, 1)
    metrics.observe("(none)", "MAKE", 404, 0.2, 1)
    text = metrics.text()[0].decode()
    assert 'ephyrus_request_seconds_count{method="GET",route="/a/{id}",status="200"} 2.0' in text
    assert (
        'ephyrus_request_seconds_bucket{le="0.0025",method="GET",route="/a/{id}",status="200"} 1.0'
        in text
    )
    assert 'ephyrus_request_seconds_count{method="other",route="(none)",status="404"} 2.0' in text
    assert 'ephyrus_response_bytes_total{route="/a/{id}"} 20.0' in text


def test_pages_of_other_sites(tmp_path):
    app = create_app(cheap_settings(tmp_path, cors_origins=("https://lab.example",)))
    app.table = RouteTable(ROUTES)
    wire = Wire(app)
    known = ("origin", "https://lab.example")
    _, headers, _ = wire.ask("GET", "/plain", headers=[known])
    assert headers["access-control-allow-origin"] == ["https://lab.example"]
    assert headers["access-control-allow-credentials"] == ["true"]
    assert "Origin" in headers["vary"]
    _, headers, _ = wire.ask("GET", "/plain", headers=[("origin", "https://other.example")])
    assert "access-control-allow-origin" not in headers
    assert "Origin" in headers["vary"]
    status, headers, _ = wire.ask(
        "OPTIONS", "/plain", headers=[known, ("access-control-request-method", "POST")]
    )
    assert (status, headers["access-control-allow-methods"]) == (204, ["GET, HEAD, OPTIONS, POST"])
    assert "Authorization" in headers["access-control-allow-headers"][0]


def test_any_site_may_read_without_the_session(tmp_path):
    app = create_app(cheap_settings(tmp_path, cors_origins=("*",)))
    app.table = RouteTable(ROUTES)
    _, headers, _ = Wire(app).ask("GET", "/plain", headers=[("origin", "https://x.example")])
    assert headers["access-control-allow-origin"] == ["*"]
    assert "access-control-allow-credentials" not in headers


def test_other_names_of_the_service_are_refused(wire):
    for _ in range(2):
        status, _, body = wire.ask("GET", "/plain", host="evil.example")
        assert (status, json.loads(body)["message_type"]) == (403, "not_authorized")
    assert wire.ask("GET", "/plain", host="testserver:8420")[0] == 200
    assert wire.ask("GET", "/health", host="10.0.0.1")[0] == 200  # by whatever watches it


def test_a_service_that_cannot_start_says_why(tmp_path):
    (tmp_path / "catalog.sqlite").write_bytes(b"this is no database, whatever it is called" * 100)
    app = create_app(cheap_settings(tmp_path))
    sent = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    with pytest.raises(Exception, match="database"):
        asyncio.run(app({"type": "lifespan"}, receive, send))
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = app.service


def test_websockets_are_closed(wire):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(wire.app({"type": "websocket"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1000}]
