"""Memory of a server, and its patience: whatever is asked, sent or not sent.

No request makes a process grow by more than 256 MiB (most by far less), others are answered
meanwhile, and connections that hold things up are dropped.
"""

from __future__ import annotations

import gzip
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephyrus.service.catalog.bulk import NewObject, insert_tree
from tests.service.processes import PATIENCE, eventually
from tests.service.servers import Place, Process, raw_request, server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

MIB = 2**20
MOST = 256 * MIB  # that one request may cost
FLAT = 64 * MIB  # that a download of any length may cost: some blocks, and what libraries keep
LENGTH = 512 * MIB
RECEIVE, SEND = 2.0, 2.5  # seconds: time limits of the server that is impatient
SEGMENTS = "/electrophysiology/segment/"


class Site:
    """A server with an array of half a gigabyte, and objects with many annotations."""

    def __init__(self, place: Place) -> None:
        self.place = place
        owner, self.token = place.user("ada")
        self.array = place.sparse_array(owner, (LENGTH // 2,), "<i2")
        self.table = place.sparse_array(owner, (LENGTH // 64, 32), "<i2")
        self.blocks = _annotated(place, owner)
        self.process: Process

    def get(self, path: str, **query: Any) -> httpx2.Response:
        """Get an answer as a whole."""
        with self.process.client(self.token) as client:
            return client.get(path, params=query or None)

    def post(self, path: str, content: Any, **headers: str) -> httpx2.Response:
        """Send a body."""
        with self.process.client(self.token) as client:
            return client.post(path, content=content, headers=headers)

    def fetch(self, path: str, most: int = LENGTH * 2) -> int:
        """Get the beginning of an answer and count its bytes."""
        head = f"GET {path} HTTP/1.1\nhost: {{host}}\nauthorization: Bearer {self.token}\n"
        received, buffer = 0, bytearray(MIB)
        with raw_request(self.process, f"{head}connection: close\n\n") as connection:
            while received < most and (count := connection.recv_into(buffer)):
                if not received:
                    assert buffer.startswith(b"HTTP/1.1 200 "), bytes(buffer[:500])
                received += count
        return received


def _annotated(place: Place, owner: int) -> int:
    """Make a block of 1000 segments, each with ten annotations and an event; the block's id."""
    objects = [
        NewObject("section", "section", attributes={"name": "all"}),
        NewObject(
            "property", "property", attributes={"name": "each"}, parents={"section": "section"}
        ),
        NewObject("block", "block", attributes={"name": "wide"}),
    ]
    tags = tuple(f"value {number}" for number in range(10))
    objects += [
        NewObject("value", key, attributes={"data": key}, parents={"parent_property": "property"})
        for key in tags
    ]
    for number in range(1000):
        segment = f"segment {number}"
        objects.append(
            NewObject(
                "segment",
                segment,
                attributes={"name": segment, "description": "d" * 200},
                parents={"block": "block"},
                tags=tags,
            )
        )
        objects.append(
            NewObject(
                "event",
                f"event {number}",
                attributes={"label": "x"},
                quantities={"time": (number, "s")},
                parents={"segment": segment},
            )
        )
    with place.catalog.writing() as connection:
        return insert_tree(connection, owner, objects)["block"]


@pytest.fixture(scope="module")
def site(new_sqlite: Callable[[], Path]) -> Iterator[Site]:
    limits = {"receive_timeout": PATIENCE, "send_timeout": PATIENCE}
    with Place(new_sqlite(), settings=limits) as place:
        made = Site(place)
        with server(place) as made.process:
            yield made
            assert '"level":"error"' not in made.process.log


@pytest.fixture
def impatient(site: Site) -> Iterator[Site]:
    """The same, with a server that does not wait for long."""
    made = copy(site)
    with server(site.place, receive_timeout=RECEIVE, send_timeout=SEND) as made.process:
        yield made
        assert '"level":"error"' not in made.process.log


@contextmanager
def watched(site: Site, most: int) -> Iterator[None]:
    """Check that the server grows by `most` bytes at most, and answers others within a second."""
    late: list[tuple[float, float]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.1):
            taken = _time_to_answer(site)
            if not _is_prompt(*taken):
                late.append(taken)

    asking = threading.Thread(target=ask)  # what fails there fails the test
    with site.process.growth() as growth:
        asking.start()
        try:
            yield
        finally:
            stop.set()
            asking.join()
        assert growth() <= most
    assert late == []


def _time_to_answer(site: Site) -> tuple[float, float]:
    """Ask for the server's health; seconds until it answers, and seconds that it works in them."""
    work, started = site.process.work, time.monotonic()
    # who is too slow in asking is refused by a server that is impatient
    eventually(lambda: site.process.health() == 200, what="health")
    return time.monotonic() - started, site.process.work - work


def _is_prompt(seconds: float, work: float) -> bool:
    """Tell whether an answer came within a second, or would have on a machine of its own.

    What would hold it up is work of the server, as health alone needs next to none.
    """
    return seconds < 1.0 or work < 2.0


@pytest.mark.parametrize("format", ["raw", "npy", "hdf5", "arrow", "zarr", "csv", "json"])
def test_downloads_of_any_length_cost_some_blocks(site: Site, format: str) -> None:
    if format == "arrow":
        pytest.importorskip("pyarrow")
    part = LENGTH * 2 if format == "raw" else 64 * MIB  # the others send what they have and go on
    with watched(site, FLAT + (64 * MIB if format == "arrow" else 0)):
        received = site.fetch(f"/datafiles/{site.array}/data?format={format}", part)
    assert received > LENGTH if format == "raw" else received >= part


@pytest.mark.parametrize(
    "query",
    [
        "format=raw&channels=0,5-9",
        "format=raw&downsample=100000",
        "format=raw&downsample=2000&kind=minmax",
        "format=raw&downsample=100000&kind=decimate&end_index=2000000",
        "format=hdf5&compression=gzip&end_index=1000000",
        "format=raw&dtype=f4&end_index=2000000",
        "format=raw&indices=0-2000000",
    ],
)
def test_computed_parts_cost_some_blocks(site: Site, query: str) -> None:
    with watched(site, FLAT):
        site.fetch(f"/datafiles/{site.table}/data?{query}", 64 * MIB)


def test_a_query_for_many_large_parts_costs_some_blocks(site: Site) -> None:
    items = [{"datafile": site.array} for _ in range(1000)]
    received = 0
    with (
        watched(site, FLAT),
        site.process.client(site.token) as client,
        client.stream("POST", "/datafiles/query/?format=raw", json=items) as answer,
    ):
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            received += len(piece)
            if received > 64 * MIB:
                break


@pytest.mark.parametrize(
    "path",
    [
        f"{SEGMENTS}?max_results=1000",
        f"{SEGMENTS}?max_results=1000&q=full",
        "/electrophysiology/block/{block}?q=full",
        "/electrophysiology/block/{block}?cascade=1&q=full",
        "/electrophysiology/event/?segment__block__name__icontains=wide&q=full&max_results=1000",
    ],
)
def test_lists_and_trees(site: Site, path: str) -> None:
    with watched(site, MOST):
        answer = site.get(path.format(block=site.blocks))
    assert answer.status_code in (200, 413), answer.text
    assert answer.json()["message_type"] in ("object_selected", "too_large")


def test_readers_that_stall_are_dropped(impatient: Site) -> None:
    site = impatient
    head = f"GET /datafiles/{site.array}/data?format=raw HTTP/1.1\nhost: {{host}}\n"
    head += f"authorization: Bearer {site.token}\n\n"
    with ExitStack() as stack:
        before = site.process.connections()
        with watched(site, 100 * 4 * MIB):
            readers = []
            for _ in range(100):
                # little room: otherwise each takes megabytes at once for its buffers
                reader = raw_request(site.process, head, room=65536)
                readers.append(stack.enter_context(reader))
                time.sleep(0.005)
            for each in readers:
                assert each.recv(1000).startswith(b"HTTP/1.1 200 OK")
            eventually(
                lambda: site.process.connections() <= before + 2,  # those who ask for its health
                what="connections are dropped",
                pause=0.1,
            )
        for each in readers:
            assert _rest(each) < 32 * MIB
        assert site.get("/datafiles/", max_results=1).status_code == 200


def _rest(connection: socket.socket) -> int:
    """Count what still comes."""
    received = 0
    try:
        while piece := connection.recv(MIB):
            received += len(piece)
    except ConnectionResetError:
        pass
    return received


def test_senders_that_stall_are_dropped(impatient: Site) -> None:
    site = impatient
    heads = [
        "",
        "GET / HTTP/1.1\nhost: {host}\nsl",
        f"POST {SEGMENTS} HTTP/1.1\nhost: {{host}}\nauthorization: Bearer {site.token}\n"
        "content-length: 1000\n\n{{",
        f"POST /datafiles/ HTTP/1.1\nhost: {{host}}\nauthorization: Bearer {site.token}\n"
        "content-type: multipart/form-data; boundary=b\ncontent-length: 1000\n\n--b",
        "POST /account/authenticate/ HTTP/1.1\nhost: {host}\ntransfer-encoding: chunked\n\nff\nna",
    ]
    with ExitStack() as stack, watched(site, FLAT):
        started = time.monotonic()
        senders = [
            (stack.enter_context(raw_request(site.process, head)), b"a" if head else b"")
            for head in heads
            for _ in range(20)
        ]
        while senders and time.monotonic() - started < PATIENCE:
            time.sleep(0.2)
            senders = [each for each in senders if _goes_on(*each)]
        assert senders == []
        assert time.monotonic() - started > RECEIVE * 0.9
    assert site.get("/datafiles/", max_results=1).status_code == 200


def _goes_on(connection: socket.socket, more: bytes) -> bool:
    """Send one more byte; tell whether the server still takes it, without having answered."""
    try:
        connection.sendall(more)
        connection.setblocking(False)
        try:
            answer = connection.recv(4096)
        except BlockingIOError:
            return True
        finally:
            connection.setblocking(True)
    except OSError:
        return False
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")
    return False


def _sent(connection: socket.socket, piece: bytes) -> int:
    """Send up to a gigabyte, until the connection is closed; how much it was."""
    sent = 0
    with suppress(OSError):
        while sent < 2**30:
            sent += connection.send(piece)
    return sent


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "announced"])
@pytest.mark.parametrize("path", [SEGMENTS, "/account/authenticate/", "/datafiles/query/"])
def test_a_body_of_a_gigabyte_is_refused(site: Site, path: str, chunked: bool) -> None:
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {2**30}"
    head = (
        f"POST {path} HTTP/1.1\nhost: {{host}}\nauthorization: Bearer {site.token}\n{framing}\n\n"
    )
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536
    with watched(site, FLAT), raw_request(site.process, head) as connection:
        sent, answer = _sent(connection, piece), b""
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
    assert sent < 64 * MIB
    if answer:
        status, _, document = answer.partition(b"\r\n\r\n")
        assert status.startswith(b"HTTP/1.1 413 ")
        assert json.loads(document)["message_type"] == "too_large"


_FOUR = 4 * MIB - 100  # bytes: within the limit of a JSON body
BODIES: dict[str, Callable[[], bytes]] = {
    "deep": lambda: b"[" * 200_000,
    "very deep": lambda: b"[" * _FOUR,
    "lists": lambda: b"[" + b"[]," * (_FOUR // 3) + b"[]]",
    "objects": lambda: b"[" + b"{}," * (_FOUR // 3) + b"{}]",
    "numbers": lambda: b"[" + b"1.5," * (_FOUR // 4) + b"1]",
    "digits": lambda: b'{"index":' + b"9" * _FOUR + b"}",
    "text": lambda: b'{"name":"' + b"x" * (_FOUR - 20) + b'"}',
    "names": lambda: b"{" + b",".join(b'"%x":1' % each for each in range(300_000)) + b"}",
    "equal names": lambda: b"{%b}" % b",".join(b'"%x":1' % (i % 299_999) for i in range(300_000)),
    "compressed": lambda: gzip.compress(b'{"name":"' + b"x" * (128 * MIB) + b'"}'),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_costly_to_understand(site: Site, name: str) -> None:
    body = BODIES[name]()
    coding = {"content-encoding": "gzip"} if name == "compressed" else {}
    with watched(site, MOST):
        answer = site.post(SEGMENTS, body, **coding)
    assert answer.status_code in (400, 415), answer.text
    assert len(answer.content) < 100_000
    assert answer.json()["message_type"] in (
        "data_parsing_error", "post_data_invalid", "bad_parameter",
    )  # fmt: skip


def test_forms_that_are_costly_to_understand(site: Site) -> None:
    part = b'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n1\r\n'
    kind = "multipart/form-data; boundary=b"
    with watched(site, FLAT):
        login = site.post(
            "/account/authenticate/", part * 70_000 + b"--b--\r\n", **{"content-type": kind}
        )
        upload = site.post("/datafiles/", part * 70_000 + b"--b--\r\n", **{"content-type": kind})
    assert login.status_code == 400
    assert upload.status_code in (400, 413)


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"name__in=a{number}" for number in range(3000)),
        "&".join(f"^{number}segment__block__name__icontains=a" for number in range(900)),
        "id__in=" + ",".join(map(str, range(9000))),
        "description__regex=" + "(d%2B)%2B%24" * 20,
        "name__icontains=" + "%25" * 10_000,
        "order_by=" + ",".join(["name"] * 5000),
    ],
)
def test_queries_that_are_costly_to_understand(site: Site, query: str) -> None:
    with watched(site, FLAT):
        answer = site.get(f"/electrophysiology/event/?{query}")
    assert answer.status_code in (200, 400), answer.text
    assert answer.json()["message_type"] in (
        "no_objects_found", "object_selected", "wrong_params",
    )  # fmt: skip


def test_a_head_without_end_is_refused(site: Site) -> None:
    with watched(site, FLAT), raw_request(site.process, "GET /?") as connection:
        assert _sent(connection, b"a" * 65536) < 64 * MIB
