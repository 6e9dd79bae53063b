"""Processes that are killed in the middle of what they do.

Nothing is half visible, nothing is lost that was acknowledged, what is left over is swept, and
work that was begun is done by somebody else.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from sqlalchemy import select, update

from ephyrus.service.db.schema import ARRAYS, JOBS, TABLES
from ephyrus.service.files.making import enqueue_levels
from ephyrus.service.files.worker import Worker, sweep
from ephyrus.service.files.workshop import open_workshop
from tests.service.postgres import postgres_server
from tests.service.processes import eventually, is_alive
from tests.service.servers import (
    Place,
    Process,
    array_file,
    job_worker,
    raw_request,
    server,
)
from tests.synth import axon

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

SEGMENTS = "/electrophysiology/segment/"


@pytest.fixture
def place(new_sqlite: Callable[[], Path]) -> Iterator[Place]:
    with Place(new_sqlite()) as made:
        yield made


def stored(place: Place) -> tuple[list[str], list[str]]:
    """Give the keys of the store, and the names of what is unfinished or scratch."""
    unfinished = [each.name for each in place.store.unfinished.iterdir()]
    scratch = place.folder / "scratch"
    unfinished += [each.name for each in scratch.iterdir()] if scratch.exists() else []
    return list(place.store.keys()), unfinished


def sweep_days_later(place: Place) -> None:
    """Do what workers do every hour, as if it were three days later."""
    past = time.time() - 3 * 86_400
    for root in (place.store.root, place.folder / "scratch"):
        for each in root.rglob("*"):
            os.utime(each, (past, past))
    sweep(open_workshop(place.catalog.settings, database=place.catalog, store=place.store))


def let_leases_end(place: Place) -> None:
    """Do as if those who have jobs had not been heard of for long."""
    with place.catalog.writing(quiet=True) as connection:
        silent = update(JOBS).where(JOBS.c.state == "running")
        connection.execute(silent.values(heartbeat_at=datetime(2000, 1, 1)))


def jobs(place: Place) -> list[Any]:
    with place.catalog.reading() as connection:
        return list(connection.execute(select(JOBS).order_by(JOBS.c.id)))


def count(place: Place, kind: str) -> int:
    with place.catalog.reading() as connection:
        return len(list(connection.execute(select(TABLES[kind].c.id))))


def test_servers_that_are_killed_in_the_middle_of_uploads(place: Place) -> None:
    token = place.user("ada")[1]
    acknowledged: dict[str, int] = {}
    sent = iter(range(1_000_000))
    dice = random.Random(5)
    for _ in range(2):
        with server(place) as process, _half_an_upload(place, process, token):
            threads = [
                threading.Thread(target=_upload, args=(process, token, sent, acknowledged))
                for _ in range(3)
            ]
            for each in threads:
                each.start()
            wanted = len(acknowledged) + 3
            eventually(partial(_has, acknowledged, wanted), what="some are acknowledged")
            time.sleep(dice.uniform(0, 0.05))
            os.kill(process.pid, signal.SIGKILL)
            for each in threads:
                each.join()
    assert len(stored(place)[1]) >= 2  # the halves
    with server(place) as process, process.client(token) as client:
        items = client.get("/datafiles/", params={"max_results": 1000}).json()["selected"]
        assert {each["permalink"] for each in items} >= set(acknowledged)
        for each in items:
            answer = client.get(f"{each['permalink']}/data", params={"format": "raw"})
            number = int(each["fields"]["name"].removesuffix(".h5"))
            assert answer.status_code == 200
            assert answer.content == _values(number).tobytes()
            assert acknowledged.get(each["permalink"], number) == number
    assert set(stored(place)[0]) >= _keys(place)
    sweep_days_later(place)
    assert (set(stored(place)[0]), stored(place)[1]) == (_keys(place), [])


@contextmanager
def _half_an_upload(place: Place, process: Process, token: str) -> Iterator[None]:
    """Keep the first half of an upload sent during the block."""
    body = b'--b\r\ncontent-disposition: form-data; name="raw_file"; filename="a.h5"\r\n\r\n'
    body += array_file(np.arange(2**19, dtype="<i8"))
    head = (
        "POST /datafiles/ HTTP/1.1\nhost: {host}\n"
        f"authorization: Bearer {token}\n"
        f"content-type: multipart/form-data; boundary=b\ncontent-length: {len(body) * 2}\n\n"
    )
    before = _written(place)
    with raw_request(process, head, body):
        eventually(lambda: _written(place) > before + len(body) // 2, what="some is written")
        yield


def _written(place: Place) -> int:
    return sum(map(_size, place.store.unfinished.iterdir()))


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):  # it may be gone by now
        return path.stat().st_size
    return 0


def _has(acknowledged: dict[str, int], least: int) -> bool:
    return len(acknowledged) >= least


def _values(number: int) -> np.ndarray:
    return np.arange(number, number + 5000, dtype="<i4")


def _upload(
    process: Process, token: str, sent: Iterator[int], acknowledged: dict[str, int]
) -> None:
    """Upload one array after the other until the server is gone."""
    with suppress(httpx2.TransportError), process.client(token) as client:
        while True:
            number = next(sent)
            files = {"raw_file": (f"{number}.h5", array_file(_values(number)))}
            answer = client.post("/datafiles/", files=files)
            assert answer.status_code == 201, answer.text
            acknowledged[answer.json()["selected"][0]["permalink"]] = number


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, np.ndarray]:
    """A vendor recording that takes a moment to convert, and its numbers."""
    data = np.random.default_rng(1).integers(-30_000, 30_000, (200_000, 8), np.int16)
    inputs = [axon.Adc(name=f"IN {number}", number=number) for number in range(8)]
    parts = axon.abf2(data, adcs=inputs, mode=3, interval=50.0)
    path = parts.write(tmp_path_factory.mktemp("recording") / "long.abf")
    return path.read_bytes(), data


def test_a_worker_that_is_killed_in_the_middle_of_an_import(
    place: Place, recording: tuple[bytes, np.ndarray]
) -> None:
    content, data = recording
    with place.client(place.user("ada")[1]) as client:
        answer = client.post("/datafiles/", files={"raw_file": ("long.abf", content)})
        (item,) = answer.json()["selected"]
        task = f"/tasks/{item['fields']['last_task_id']}"
        assert client.get(task).json()["state"] == "waiting"
        with job_worker(place) as worker, _no_end(place, worker):
            scratch = place.folder / "scratch"
            eventually(
                lambda: any(_size(each) for each in scratch.glob("*/*") if each.is_file()),
                what="the conversion writes\n" + worker.log,
            )
            below = worker.below()
            os.kill(worker.pid, signal.SIGKILL)  # the worker alone: its children find out
            worker.wait()
            eventually(lambda: not any(map(is_alive, below)), what="its children have ended")
        assert client.get(task).json()["state"] == "running"
        assert [count(place, kind) for kind in ("block", "segment", "analogsignalarray")] == [0] * 3
        assert count(place, "datafile") == 1
        let_leases_end(place)
        with job_worker(place) as worker:
            eventually(
                lambda: client.get(task).json()["state"] in ("done", "failed"),
                what="the job is done by another\n" + worker.log,
                pause=0.05,
            )
            found = client.get(task).json()
            assert (found["state"], found["attempts"]) == ("done", 2), found
        assert len(client.get("/electrophysiology/block/").json()["selected"]) == 1
        signals = client.get("/electrophysiology/analogsignalarray/").json()["selected"]
        assert len(signals) == 1
        link = signals[0]["fields"]["signal"]["data"]
        part = client.get(link, params={"format": "json", "start_index": 1000, "end_index": 1010})
        gains = np.array([each.gain() for each in [axon.Adc()] * 8])
        np.testing.assert_allclose(part.json(), data[1000:1010] * gains, rtol=1e-5)
        sweep_days_later(place)
        assert (set(stored(place)[0]), stored(place)[1]) == (_keys(place), [])


@contextmanager
def _no_end(place: Place, worker: Process) -> Iterator[None]:
    """Wait until a job has begun; it cannot end before the block does, as others write."""
    eventually(lambda: jobs(place)[0].state != "waiting", what=f"it begins\n{worker.log}")
    with place.catalog.writing(quiet=True):
        assert jobs(place)[0].state == "running"
        yield


def _keys(place: Place) -> set[str]:
    """Give the keys of all files that the catalog names."""
    with place.catalog.reading() as connection:
        arrays = list(connection.execute(select(ARRAYS)))
        files = connection.execute(select(TABLES["datafile"].c.store_key)).scalars()
        keys = {each for each in files if each}
    keys |= {each.levels_key for each in arrays if each.levels_key}
    return keys | {each.location["key"] for each in arrays}


def test_a_worker_that_is_killed_in_the_middle_of_building_levels(place: Place) -> None:
    owner, _ = place.user("ada")
    length = 60_000_000
    datafile = place.sparse_array(owner, (length,), "<i2")
    with place.catalog.writing() as connection:
        array = {"dtype": "<i2", "shape": (length,)}
        enqueue_levels(connection, datafile, array, user_id=owner)
    with job_worker(place) as worker, _no_end(place, worker):
        scratch = place.folder / "scratch"
        eventually(lambda: any(scratch.glob("*/*")), what=f"it builds\n{worker.log}")
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    assert [each.state for each in jobs(place)] == ["running"]
    assert _levels_key(place) is None
    assert len(stored(place)[0]) == 1
    let_leases_end(place)
    workshop = open_workshop(place.catalog.settings, database=place.catalog, store=place.store)
    assert Worker(workshop).run_once() == 1  # another takes the job
    assert [(each.state, each.attempts) for each in jobs(place)] == [("done", 2)]
    assert _levels_key(place) is not None
    sweep_days_later(place)
    assert (set(stored(place)[0]), stored(place)[1]) == (_keys(place), [])


def _levels_key(place: Place) -> str | None:
    with place.catalog.reading() as connection:
        key: str | None = connection.execute(select(ARRAYS.c.levels_key)).scalar_one()
        return key


class Writer(threading.Thread):
    """Creates segments until it is told to stop; what the service says is checked.

    Attributes
    ----------
    acknowledged : dict
        Name by permalink of what was created.
    refused : int
        How often the service was not available.
    """

    def __init__(self, process: Process, token: str, number: int) -> None:
        super().__init__()
        self.acknowledged: dict[str, str] = {}
        self.refused = 0
        self.failure: BaseException | None = None
        self.is_stopped = threading.Event()
        self._process, self._token, self._number = process, token, number

    def run(self) -> None:
        try:
            with self._process.client(self._token) as client:
                while not self.is_stopped.is_set():
                    self._write(client, f"{self._number}-{len(self.acknowledged)}-{self.refused}")
        except BaseException as error:
            self.failure = error

    def _write(self, client: httpx2.Client, name: str) -> None:
        answer = client.post(SEGMENTS, json={"name": name, "description": name})
        document = answer.json()
        if answer.status_code == 201:
            self.acknowledged[document["selected"][0]["permalink"]] = name
            return
        assert (answer.status_code, document["message_type"]) == (503, "unavailable"), answer.text
        assert set(document) >= {"logged_in_as", "message", "message_type", "details"}
        assert int(answer.headers["retry-after"]) > 0
        self.refused += 1
        time.sleep(0.02)


def test_a_database_that_is_killed_in_the_middle_of_writing(tmp_path: Path) -> None:
    folder = Path(tempfile.gettempdir()) / f"ephyrus-pg-{uuid.uuid4().hex[:12]}"
    quick = {"database_seconds": 5.0}  # to find out that it is away
    with postgres_server(folder) as postgres, Place(tmp_path, postgres.address, quick) as place:
        place.catalog.upgrade()
        token = place.user("ada")[1]
        with server(place) as process:
            writers = [Writer(process, token, number) for number in range(3)]
            for each in writers:
                each.start()
            try:
                for _ in range(2):
                    _interrupt(postgres, process, writers)
            finally:
                for each in writers:
                    each.is_stopped.set()
                for each in writers:
                    each.join()
            assert [each.failure for each in writers] == [None] * 3
            acknowledged = {
                key: name for each in writers for key, name in each.acknowledged.items()
            }
            _check_segments(process, token, acknowledged)
            assert process.is_running


def _interrupt(postgres: Any, process: Process, writers: list[Writer]) -> None:
    """Kill the database while writers write, and start it again."""

    def done() -> int:
        return sum(len(each.acknowledged) for each in writers)

    before = done()
    eventually(lambda: done() >= before + 10, what="segments are written")
    refused = sum(each.refused for each in writers)
    postgres.kill()
    with process.client() as anonymous:
        health = anonymous.get("/health")
        assert (health.status_code, health.json()["message_type"]) == (503, "unavailable")
        assert anonymous.get(SEGMENTS).json()["message_type"] == "unavailable"
    eventually(lambda: sum(each.refused for each in writers) >= refused + 6, what="refusals")
    postgres.start()
    after = done()
    eventually(lambda: done() >= after + 5, what="segments are written again")


def _check_segments(process: Process, token: str, acknowledged: dict[str, str]) -> None:
    """Compare what is there with what was acknowledged: all of it, and whole."""
    with process.client(token) as client:
        found: dict[str, str] = {}
        while True:
            query = {"offset": len(found), "max_results": 1000}
            items = client.get(SEGMENTS, params=query).json()["selected"]
            found |= {each["permalink"]: each["fields"]["name"] for each in items}
            assert all(each["fields"]["name"] == each["fields"]["description"] for each in items)
            if not items:
                break
        assert acknowledged.items() <= found.items()
        assert len(set(found.values())) == len(found)  # nothing was written twice
