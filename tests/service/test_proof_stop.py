"""Processes that are asked to stop: what is under way ends well, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from ephyrus.service.db.schema import JOBS, TABLES
from ephyrus.service.files.making import enqueue_levels
from tests.service.processes import eventually
from tests.service.servers import (
    Place,
    Process,
    array_file,
    job_worker,
    raw_request,
    server,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

MIB = 2**20


@pytest.fixture
def place(new_sqlite: Callable[[], Path]) -> Iterator[Place]:
    with Place(new_sqlite()) as made:
        yield made


def is_refused(process: Process) -> bool:
    """Tell whether new connections are refused."""
    try:
        socket.create_connection(("127.0.0.1", process.port), timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


def exists(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_server_that_stops_answers_what_it_was_asked(place: Place) -> None:
    owner, token = place.user("ada")
    length = 64 * MIB
    datafile = place.sparse_array(owner, (length // 2,), "<i2")
    body = b'--b\r\ncontent-disposition: form-data; name="raw_file"; filename="a.h5"\r\n\r\n'
    body += array_file(np.arange(MIB, dtype="<i4")) + b"\r\n--b--\r\n"
    common = f"host: {{host}}\nauthorization: Bearer {token}\n"
    download = f"GET /datafiles/{datafile}/data?format=raw HTTP/1.1\n{common}\n"
    upload = (
        f"POST /datafiles/ HTTP/1.1\n{common}content-length: {len(body)}\n"
        "content-type: multipart/form-data; boundary=b\n\n"
    )
    with (
        server(place, workers=2) as process,
        raw_request(process, upload, body[: len(body) // 2]) as sending,
        raw_request(process, download) as receiving,
        raw_request(process, "GET /health HTTP/1.1\nhost: {host}\n\n") as idle,
    ):
        answer = idle.recv(MIB)
        while not answer.endswith(b"}}}"):
            answer += idle.recv(MIB)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        first = receiving.recv(65536)
        assert first.startswith(b"HTTP/1.1 200 OK")
        below = process.below()
        process.send(signal.SIGTERM)
        eventually(lambda: is_refused(process), what="new connections are refused")
        sending.sendall(body[len(body) // 2 :])
        assert idle.recv(MIB) == b""  # nothing is under way on it
        received = first.partition(b"\r\n\r\n")[2]
        count = len(received)
        buffer = bytearray(MIB)
        while more := receiving.recv_into(buffer):
            count += more
        assert count == length
        assert sending.recv(MIB).startswith(b"HTTP/1.1 201 Created")
        assert process.wait() == 0, process.log
        eventually(lambda: not any(map(exists, below)), what="all its processes have ended")
        assert "Traceback" not in process.log
    assert list(place.store.unfinished.iterdir()) == []
    with place.catalog.reading() as connection:
        table = TABLES["datafile"]
        key = connection.execute(select(table.c.store_key).where(table.c.name == "a.h5")).scalar()
    assert place.store.source(key or "").read_at(0, 8) == b"\x89HDF\r\n\x1a\n"


def _note_who_answers(process: Process, known: set[str]) -> set[str]:
    """Ask on a new connection, and note which process answers: its requests begin alike."""
    with process.client() as client:
        known.add(client.get("/health").headers["x-request-id"].partition("-")[0])
    return known


def test_streams_without_an_end_do_not_hold_up_a_stop(place: Place) -> None:
    _, token = place.user("ada")
    listen = f"GET /events/ HTTP/1.1\nhost: {{host}}\nauthorization: Bearer {token}\n\n"
    with (
        server(place, events_life=3600.0, stop_seconds=3600.0) as process,
        raw_request(process, listen) as stream,
    ):
        told = stream.recv(MIB)
        assert told.startswith(b"HTTP/1.1 200")
        process.send(signal.SIGTERM)
        while piece := stream.recv(MIB):
            told += piece
        assert told.endswith(b"0\r\n\r\n")  # it was ended, not cut
        assert process.wait() == 0


def test_a_worker_process_that_dies_is_replaced_and_none_outlives_the_parent(place: Place) -> None:
    with server(place, workers=2) as process:
        answering: set[str] = set()
        eventually(lambda: len(_note_who_answers(process, answering)) == 2, what="both answer")
        first, second = process.workers()
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not exists(first), what="one has ended")
        eventually(
            lambda: len(set(process.workers()) - {first}) == 2 and process.health() == 200,
            what="another one has taken its place",
        )
        for _ in range(20):  # each on a connection of its own: both answer some
            assert process.health() == 200
        with process.client() as client:
            lines = client.get("/metrics").text.splitlines()
        counted = [line for line in lines if line.startswith("ephyrus_request_seconds_count{")]
        assert any('route="/health"' in line and float(line.split()[-1]) >= 20 for line in counted)
        below = process.below()
        assert second in below
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        eventually(lambda: not any(map(exists, below)), what="none is left")
        assert is_refused(process)


def test_a_server_does_not_wait_for_ever_for_readers(place: Place) -> None:
    owner, token = place.user("ada")
    datafile = place.sparse_array(owner, (256 * MIB,), "<i2")
    head = f"GET /datafiles/{datafile}/data?format=raw HTTP/1.1\nhost: {{host}}\n"
    head += f"authorization: Bearer {token}\n\n"
    with (
        server(place, stop_seconds=1.0, send_timeout=600.0, receive_timeout=600.0) as process,
        raw_request(process, head) as stalled,
        raw_request(process, "GET / HTTP/1.1\nhost: {host}\nx"),
    ):
        assert stalled.recv(1000).startswith(b"HTTP/1.1 200 OK")
        process.send(signal.SIGTERM)
        assert process.wait() == 0, process.log


def jobs(place: Place) -> list[Any]:
    with place.catalog.reading() as connection:
        return list(connection.execute(select(JOBS).order_by(JOBS.c.id)))


def test_a_worker_that_stops_gives_its_job_back_or_ends_it(place: Place) -> None:
    owner, _ = place.user("ada")
    length = 400_000_000
    datafile = place.sparse_array(owner, (length,), "<i2")
    with place.catalog.writing() as connection:
        array = {"dtype": "<i2", "shape": (length,)}
        enqueue_levels(connection, datafile, array, user_id=owner)
    with job_worker(place, stop_seconds=0.2) as worker:
        eventually(lambda: jobs(place)[0].state != "waiting", what=f"it begins\n{worker.log}")
        below = worker.below()
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0, worker.log
        eventually(lambda: not any(map(exists, below)), what="its children have ended")
    (job,) = jobs(place)
    assert (job.state, job.attempts) in (("waiting", 0), ("done", 1))
    scratch = place.folder / "scratch"
    assert not scratch.exists() or list(scratch.iterdir()) == []


def test_an_import_under_way_is_given_back(place: Place, tmp_path: Path) -> None:
    _, token = place.user("ada")
    text = tmp_path / "long.csv"
    rows = "".join(f"{number}," * 99 + "1\n" for number in range(100))
    text.write_text(rows * 200)  # which takes some seconds to convert
    with place.client(token) as client:
        answer = client.post("/datafiles/", files={"raw_file": ("long.csv", text.read_bytes())})
        item = answer.json()["selected"][0]
        number = item["fields"]["last_task_id"] or _convert(client, item["permalink"])
        with job_worker(place, stop_seconds=0.0) as worker:

            def state() -> str:
                return client.get(f"/tasks/{number}").json()["state"]

            eventually(lambda: state() != "waiting", what=f"it begins\n{worker.log}")
            eventually(lambda: len(worker.below()) >= 2 or state() == "done", what="it converts")
            below = worker.below()
            worker.send(signal.SIGTERM)
            assert worker.wait() == 0, worker.log
            eventually(lambda: not any(map(exists, below)), what="its children have ended")
        found = client.get(f"/tasks/{number}").json()
        assert (found["state"], found["attempts"]) in (("waiting", 0), ("done", 1)), found
        assert list((place.folder / "scratch").iterdir()) == []


def _convert(client: TestClient, permalink: str) -> int:
    task: int = client.post(f"{permalink}/convert/").json()["task_id"]
    return task
