"""Servers that are killed while arrays grow: what was acknowledged is there, and nothing half."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import numpy as np
import pytest

from ephyrus.service.catalog.reading import array_of
from ephyrus.service.files.canonical import store_array
from ephyrus.service.upkeep.check import check_service
from tests.service.servers import Place, Process, eventually, server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills processes")

ROWS = 64  # of one append


@pytest.fixture
def place(new_sqlite: Callable[[], Path]) -> Iterator[Place]:
    with Place(new_sqlite()) as made:
        yield made


def rows(first: int) -> np.ndarray:
    """What belongs at some rows: each tells where it is."""
    return np.arange(2 * first, 2 * (first + ROWS), dtype="<i4").reshape(ROWS, 2)


class Writer(threading.Thread):
    """Appends until the server is gone.

    Attributes
    ----------
    acknowledged : int
        Rows that the array has for certain.
    """

    def __init__(self, process: Process, token: str, number: int) -> None:
        super().__init__()
        self.acknowledged = 0
        self.failure = ""
        self._process, self._token, self._number = process, token, number

    def run(self) -> None:
        path = f"/datafiles/{self._number}/append"
        headers = {"content-type": "application/octet-stream"}
        with suppress(httpx2.TransportError), self._process.client(self._token) as client:
            while True:
                start = self.acknowledged
                answer = client.post(
                    path,
                    content=rows(start).tobytes(),
                    headers=headers,
                    params={"start_index": start},
                )
                if answer.status_code != 200:
                    self.failure = answer.text
                    return
                self.acknowledged = answer.json()["length"]


def test_servers_that_are_killed_while_an_array_grows(place: Place) -> None:
    owner, token = place.user("ada")
    info = store_array(place.store, np.empty((0, 2), "<i4"))
    number = place.put_array(owner, info.row, name="growing", size=info.size, content=info.digest)
    # pieces are joined all the time
    with server(place, worker_threads=1, merge_seconds=0.001) as process:
        writer = Writer(process, token, number)
        writer.start()
        try:
            eventually(lambda: writer.acknowledged >= 20 * ROWS, what=process.log)
            eventually(lambda: _is_joined(place, number), what="some pieces are joined")
        finally:
            os.kill(process.pid, signal.SIGKILL)
            writer.join()
    assert writer.failure == ""
    with place.catalog.reading() as connection:
        row = array_of(connection, number)
    assert row is not None
    # the last request may have been kept, though its answer did not arrive
    assert row.shape[0] - writer.acknowledged in (0, ROWS)
    _check(place, token, number, row.shape[0])


def _is_joined(place: Place, number: int) -> bool:
    with place.catalog.reading() as connection:
        row = array_of(connection, number)
    assert row is not None
    return row.location["kind"] == "stored" or row.location["pieces"][0][1] > 0


def _check(place: Place, token: str, number: int, length: int) -> None:
    """Compare all rows with what they must be, and the store with the catalog."""
    with place.client(token) as client:
        body = client.get(f"/datafiles/{number}/data", params={"format": "npy"}).content
    values = np.load(io.BytesIO(body))
    np.testing.assert_array_equal(values, np.arange(2 * length).reshape(length, 2))
    report = check_service(place.catalog, place.store, digests=True)
    assert report.findings == []
