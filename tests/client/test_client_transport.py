"""Calls, retries, ranges and the cache, against a service that is a function."""

from __future__ import annotations

import io
import json
import pickle

import anyio
import httpx2
import numpy as np
import pytest

from ephyrus.client import AsyncClient, BodyCache, Client, RemoteObject, transport
from ephyrus.client import flows as flows_module
from ephyrus.errors import (
    RemoteConflict,
    RemoteError,
    RemoteForbidden,
    RemoteMissing,
    RemoteUnreachable,
)

ADDRESS = "http://service.test"
SIGNAL = {
    "model": "neo_api.analogsignal",
    "permalink": "/electrophysiology/analogsignal/11",
    "id": "11",
    "fields": {
        "id": 11,
        "guid": "a" * 40,
        "name": "one",
        "signal": {"units": "mV", "data": "/datafiles/7"},
        "t_start": {"units": "ms", "data": 5},
        "sampling_rate": {"units": "Hz", "data": 20000},
    },
    "arrays": {"signal": {"dtype": "<f4", "shape": [100]}},
}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ephyrus.client.driving.time.sleep", lambda seconds: None)


def envelope(*selected: dict, status: int = 200, **more: object) -> httpx2.Response:
    document = {"selected": list(selected), "selected_range": [0, len(selected) - 1], **more}
    return httpx2.Response(status, json=document)


def client(answer: object, **keywords: object) -> Client:
    return Client(ADDRESS, transport=httpx2.MockTransport(answer), **{"cache": None, **keywords})


def npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def test_get_gives_the_fields_of_an_object():
    seen = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return envelope(SIGNAL)

    with client(answer, token="secret") as service:
        found = service.get("analogsignal", 11, start_time=50, downsample=20, cascade=True)
    assert seen[0].url.path == "/electrophysiology/analogsignal/11"
    assert dict(seen[0].url.params) == {"start_time": "50", "downsample": "20", "cascade": "1"}
    assert seen[0].headers["authorization"] == "Bearer secret"
    assert found["t_start"] == {"units": "ms", "data": 5}
    assert found.type == "analogsignal"
    assert found.id == "11"
    assert found.arrays["signal"].shape == (100,)
    assert found.link("signal") == "/datafiles/7"
    assert "analogsignal 11" in repr(found)
    assert "20000 Hz" in found._repr_html_()


def test_an_unknown_field_names_those_there_are():
    with pytest.raises(KeyError, match="no field 'nothing'; it has: id, guid"):
        RemoteObject.of(SIGNAL)["nothing"]


def test_the_token_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EPHYRUS_TOKEN", "from outside")
    heads = []
    with client(lambda request: heads.append(request.headers) or envelope(SIGNAL)) as service:
        service.get("analogsignal", 11)
    assert heads[0]["authorization"] == "Bearer from outside"


def test_login_comes_before_the_first_call():
    paths = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        paths.append((request.url.path, request.headers.get("cookie")))
        if request.url.path == "/account/authenticate/":
            assert request.content == b"username=ada&password=p+w"
            document = {"logged_in_as": "ada", "message": "", "message_type": "authenticated"}
            return httpx2.Response(
                200, json=document, headers={"set-cookie": "sessionid=abc; Path=/"}
            )
        return envelope(SIGNAL)

    with client(answer, username="ada", password="p w") as service:
        service.get("analogsignal", 11)
        service.get("analogsignal", 11)
    assert paths == [
        ("/account/authenticate/", None),
        ("/electrophysiology/analogsignal/11", "sessionid=abc"),
        ("/electrophysiology/analogsignal/11", "sessionid=abc"),
        ("/account/logout/", "sessionid=abc"),
    ]


def test_all_pages_are_fetched():
    def answer(request: httpx2.Request) -> httpx2.Response:
        offset = int(request.url.params.get("offset", 0))
        assert request.url.params["name__icontains"] == "x"
        item = {**SIGNAL, "id": str(offset), "permalink": f"/electrophysiology/unit/{offset}"}
        more = f"/electrophysiology/unit/?name__icontains=x&offset={offset + 1}"
        return envelope(item, next=more if offset < 3 else None, total=4)

    with client(answer) as service:
        page = service.select("unit", name__icontains="x")
        assert page.total == 4
        assert [each.id for each in service.iterate("unit", name__icontains="x")] == list("0123")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RemoteError), (401, RemoteForbidden), (403, RemoteForbidden), (404, RemoteMissing),
     (409, RemoteConflict), (412, RemoteConflict), (500, RemoteError)],
)  # fmt: skip
def test_a_refusal_is_an_error_that_tells_the_reason(status: int, kind: type):
    document = {"message": "No.", "message_type": "word", "details": "start_time"}
    with (
        client(lambda request: httpx2.Response(status, json=document)) as service,
        pytest.raises(kind) as caught,
    ):
        service.get("analogsignal", 11)
    error = pickle.loads(pickle.dumps(caught.value))
    assert type(error) is kind
    assert (error.status, error.message_type, error.details) == (status, "word", "start_time")
    assert str(error).startswith(f"{ADDRESS}/electrophysiology/analogsignal/11: No.")
    assert ("EPHYRUS_TOKEN" in str(error)) == (status == 401)


def test_details_that_say_the_same_are_not_said_twice():
    document = {"message": "Expired.", "details": "Expired."}
    with (
        client(lambda request: httpx2.Response(401, json=document)) as service,
        pytest.raises(RemoteForbidden) as caught,
    ):
        service.get("analogsignal", 11)
    assert str(caught.value).count("Expired.") == 1


def test_an_answer_of_something_else_is_told_as_such():
    with (
        client(lambda request: httpx2.Response(200, text="<html>")) as service,
        pytest.raises(RemoteError, match="not that of a data service"),
    ):
        service.get("analogsignal", 11)
    with (
        client(lambda request: envelope({"model": "x"})) as service,
        pytest.raises(RemoteError, match="not that of a data service"),
    ):
        service.get("analogsignal", 11)


def test_reads_are_sent_again_and_changes_are_not():
    count = 0

    def answer(request: httpx2.Request) -> httpx2.Response:
        nonlocal count
        count += 1
        if count < 3:
            raise httpx2.ConnectError("down")
        return envelope(SIGNAL)

    with client(answer) as service:
        assert service.get("analogsignal", 11).id == "11"
        assert count == 3
        count = 0
        with pytest.raises(RemoteUnreachable, match="is it running"):
            service.create("unit", name="a")
        assert count == 1
    with client(answer, retries=1) as service:
        count = 0
        with pytest.raises(RemoteUnreachable):
            service.get("analogsignal", 11)
        assert count == 2


def test_a_busy_service_says_how_long_to_wait():
    answers = [
        httpx2.Response(503, json={"message": "busy"}, headers={"retry-after": "7"}),
        httpx2.Response(429, json={"message": "slow down"}),
        envelope(SIGNAL),
    ]
    pauses = []
    with client(lambda request: answers.pop(0)) as service:
        import ephyrus.client.driving

        ephyrus.client.driving.time.sleep = pauses.append
        assert service.get("analogsignal", 11).id == "11"
    assert pauses[0] == 7
    assert 0.2 <= pauses[1] <= 0.4


def test_update_sends_the_version_that_was_seen():
    heads = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        heads.append((request.headers.get("if-match"), json.loads(request.content)))
        return envelope(SIGNAL)

    with client(answer) as service:
        seen = RemoteObject.of(SIGNAL)
        service.update(seen, name="new")
        service.update(seen, force=True, segment=seen)
    assert heads == [("a" * 40, {"name": "new"}), (None, {"segment": 11})]


class Arrays:
    """A service with one array."""

    def __init__(self, values: np.ndarray) -> None:
        self.body, self.calls, self.tag = npy(values), [], '"one"'

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path != "/datafiles/7":
            return envelope(SIGNAL)
        self.calls.append((str(request.url.query.decode()), request.headers.get("range")))
        if "range" not in request.headers:
            return httpx2.Response(200, content=self.body)
        first, last = map(int, request.headers["range"][6:].split("-"))
        if request.headers.get("if-range", self.tag) != self.tag:
            return httpx2.Response(200, content=self.body)
        part = self.body[first : last + 1]
        head = {"content-range": f"bytes {first}-{first + len(part) - 1}/{len(self.body)}",
                "etag": self.tag}  # fmt: skip
        return httpx2.Response(206, content=part, headers=head)


def test_an_array_comes_with_unit_start_and_rate():
    values = np.arange(100, dtype=np.float32)
    service_side = Arrays(values)
    with client(service_side) as service:
        found = service.array(RemoteObject.of(SIGNAL), "signal")
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found, values)
    assert (found.units, found.t_start, found.sampling_rate) == ("mV", (5, "ms"), (20000, "Hz"))
    assert not found.values.flags.writeable


def test_large_arrays_come_in_ranges(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flows_module, "RANGE_BYTES", 1000)
    values = np.random.default_rng(1).normal(size=(700, 2))
    service_side = Arrays(values)
    with client(service_side) as service:
        found = service.array(RemoteObject.of(SIGNAL), "signal")
    np.testing.assert_array_equal(found.values, values)
    assert len(service_side.calls) == -(-len(service_side.body) // 1000)
    assert service_side.calls[0] == ("format=npy", "bytes=0-999")

    async def again() -> np.ndarray:
        async with AsyncClient(
            ADDRESS, transport=httpx2.MockTransport(service_side), cache=None
        ) as service:
            return (await service.array(RemoteObject.of(SIGNAL), "signal")).values

    np.testing.assert_array_equal(anyio.run(again), values)


def test_an_array_that_changes_while_it_is_fetched_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flows_module, "RANGE_BYTES", 1000)
    service_side = Arrays(np.arange(1000.0))

    def answer(request: httpx2.Request) -> httpx2.Response:
        response = service_side(request)
        service_side.tag = '"two"'
        return response

    with client(answer) as service, pytest.raises(RemoteError, match="changed while"):
        service.array(RemoteObject.of(SIGNAL), "signal")


def test_a_body_that_is_no_array_is_an_error():
    for body in (b"", b"nonsense", npy(np.arange(10))[:-8]):
        with (
            client(lambda request, body=body: httpx2.Response(200, content=body)) as service,
            pytest.raises(RemoteError, match="no array"),
        ):
            service.array(RemoteObject.of(SIGNAL), "signal")


def test_nothing_in_an_array_is_executed():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], object), allow_pickle=True)
    with (
        client(lambda request: httpx2.Response(200, content=buffer.getvalue())) as service,
        pytest.raises(RemoteError, match="no array"),
    ):
        service.array(RemoteObject.of(SIGNAL), "signal")


def test_the_cache_answers_as_long_as_the_object_has_not_changed(tmp_path):
    service_side = Arrays(np.arange(5.0))
    owner = RemoteObject.of(SIGNAL)
    with client(service_side, cache=BodyCache(tmp_path)) as service:
        first = service.array(owner, "signal")
        again = service.array(owner, "signal")
        assert len(service_side.calls) == 1
        np.testing.assert_array_equal(first.values, again.values)
        changed = {**SIGNAL, "fields": {**SIGNAL["fields"], "guid": "b" * 40}}
        service.array(RemoteObject.of(changed), "signal")
        assert len(service_side.calls) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.glob("??/*"))


def test_the_cache_drops_what_was_not_used_for_longest(tmp_path):
    cache = BodyCache(tmp_path, max_bytes=10_000)
    for number in range(20):
        cache.put("s", str(number), "r", bytes(1000))
        path = cache._path("s", str(number), "r")
        import os

        os.utime(path, (number, number))
    cache.put("s", "large", "r", bytes(5000))
    assert cache.get("s", "large", "r") is None
    cache.get("s", "0", "r")
    cache.sweep()
    kept = {number for number in range(20) if cache.get("s", str(number), "r") is not None}
    assert kept == {0, *range(12, 20)}


def test_an_upload_is_sent_whole_with_its_name(tmp_path):
    path = tmp_path / 'data "1".h5'
    path.write_bytes(bytes(range(256)) * 10_000)
    seen = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append((request.url.query, request.headers["content-length"], request.read()))
        item = {"model": "datafiles.datafile", "permalink": "/datafiles/3", "fields": {"id": 3}}
        return envelope(item, status=201)

    told = []
    with client(answer) as service:
        found = service.upload_file(path, convert=False, progress=told.append)
    query, length, body = seen[0]
    assert query == b"convert=0"
    assert int(length) == len(body)
    assert b'name="raw_file"; filename="data %221%22.h5"' in body
    assert path.read_bytes() in body
    assert sum(told) == path.stat().st_size
    assert (found.type, found.id) == ("datafile", "3")


def test_addresses_are_checked():
    with pytest.raises(ValueError, match='begins with "http://"'):
        Client("ftp://host")
    assert transport.base_address("http://host:1/") == "http://host:1"


def test_a_client_can_be_pickled():
    with Client("http://host:8420", token="t", retries=1, cache=None) as service:
        again = pickle.loads(pickle.dumps(service))
    assert again.access == service.access
    again.close()


def test_async_calls_are_those_of_the_other_client():
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/404"):
            return httpx2.Response(404, json={"message": "gone"})
        return envelope(SIGNAL, next=None)

    async def run() -> None:
        async with AsyncClient(
            ADDRESS, transport=httpx2.MockTransport(answer), cache=None
        ) as service:
            assert (await service.get("analogsignal", 11)).id == "11"
            assert [each.id async for each in service.iterate("analogsignal")] == ["11"]
            assert (await service.create("unit", name="x")).id == "11"
            with pytest.raises(RemoteMissing, match="gone"):
                await service.get("analogsignal", 404)

    anyio.run(run)


def test_both_clients_have_the_same_methods():
    names = {name for name in dir(Client) if not name.startswith("_")} - {"take_session"}
    assert names == {name for name in dir(AsyncClient) if not name.startswith("_")}
