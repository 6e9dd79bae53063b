"""Appending to arrays of a running service: numbers, texts, several arrays, lost answers."""

from __future__ import annotations

import anyio
import httpx2
import numpy as np
import pytest

from ephyrus.client import Appended, AsyncClient, appending
from ephyrus.errors import RemoteConflict, RemoteError


@pytest.fixture(scope="module")
def site(running):
    running.site.user("ada")
    return running.site


def stored(site, number):
    from ephyrus.service.arrays.opening import ArrayOpener
    from ephyrus.service.catalog.reading import array_of

    with site.database.reading() as conn:
        row = array_of(conn, number)
    opener = ArrayOpener(site.app.service.store)
    try:
        return opener.open(row).read(0, row.shape[0], None)
    finally:
        opener.close()


def test_rows_go_behind_the_last_one(running, site, monkeypatch):
    number = site.put_array("ada", np.zeros((2, 2), "<i2"))
    values = np.arange(20, dtype=">i2").reshape(10, 2)
    with running.client("ada") as client:
        told = client.append(number, values[:3])
        datafile = client.get("datafile", number, q="info")
        assert told == Appended(2, 5, datafile.guid)
        monkeypatch.setattr(appending, "SENT_BYTES", 8)  # two rows
        told = client.append(datafile, values[3:8], start=5)
        assert (told.start, told.length) == (5, 10)
        told = client.append(f"/datafiles/{number}?start_index=3", values[8:])
        assert (told.start, told.length) == (10, 12)
        with pytest.raises(RemoteConflict, match="has 12 rows, not 10") as caught:
            client.append(number, values[:2], start=10)
        assert caught.value.details["length"] == 12
        assert client.append(number, values[8:], start=10).length == 12  # these are there
        with pytest.raises(RemoteError, match="those that were sent are of type <f8"):
            client.append(number, values.astype(float))
        with pytest.raises(ValueError, match="as many rows"):
            client.append(number, values[:0])
        with pytest.raises(ValueError, match="not a single number"):
            client.append(number, 3)
        block = client.create("block", name="b")
        with pytest.raises(ValueError, match="to a datafile, not to the block"):
            client.append(block, values)
    np.testing.assert_array_equal(stored(site, number)[2:], values)


def test_arrays_that_belong_together(running, site):
    times = site.put_array("ada", np.array([1.0]))
    labels = site.put_array("ada", np.array([b"a"], "S4"))
    with running.client("ada") as client:
        segment = client.create("segment", name="s")
        client.create(
            "eventarray",
            segment=segment.id,
            times={"data": times, "units": "s"},
            labels={"data": labels, "units": None},
        )
        told = client.append(times, [2.0, 3.0], start=1, beside={labels: ["ä", "b"]})
        assert told.length == 3
        with pytest.raises(ValueError, match="do not fit"):
            client.append(times, [4.0], beside={labels: ["too long"]})
        with pytest.raises(RemoteError, match="its labels must be as long"):
            client.append(times, [4.0])
    np.testing.assert_array_equal(stored(site, times), [1, 2, 3])
    assert stored(site, labels).tolist() == [b"a", "ä".encode(), b"b"]


class Forgetful(httpx2.HTTPTransport):
    """Loses the answer to every second append."""

    def __init__(self) -> None:
        super().__init__()
        self.appends = 0

    def handle_request(self, request):
        answer = super().handle_request(request)
        if request.url.path.endswith("/append"):
            self.appends += 1
            if self.appends % 2:
                answer.read()
                answer.close()
                raise httpx2.ReadError("the connection was cut", request=request)
        return answer


def test_rows_are_appended_once_though_answers_are_lost(running, site):
    number = site.put_array("ada", np.array([0.0]))
    transport = Forgetful()
    with running.client("ada", transport=transport) as client:
        for start in range(1, 4):
            told = client.append(number, [float(start)], start=start)
            assert (told.start, told.length) == (start, start + 1)
        assert transport.appends == 6
        transport.appends = 0
        with pytest.raises(RemoteError, match="cut"):
            client.append(number, [4.0])  # nobody knows where it would go a second time
    np.testing.assert_array_equal(stored(site, number), [0, 1, 2, 3, 4])


def test_the_asynchronous_client(running, site):
    number = site.put_array("ada", np.array([0], "u1"))

    async def work():
        async with AsyncClient(running.address, token=running.token("ada"), cache=None) as client:
            return await client.append(number, np.array([True, False]), start=1)

    told = anyio.run(work)
    assert (told.start, told.length) == (1, 3)
    np.testing.assert_array_equal(stored(site, number), [0, 1, 0])
