"""Services that fail, lie, or want what is not theirs; secrets stay where they belong."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
import tracemalloc

import anyio
import httpx2
import numpy as np
import pytest

from ephyrus.client import AsyncClient, BodyCache, Client, RemoteObject, bodies
from ephyrus.client import flows as flows_module
from ephyrus.client.calls import Reply
from ephyrus.errors import RemoteError, RemoteForbidden, RemoteUnreachable
from tests.client.test_client_transport import ADDRESS, SIGNAL, Arrays, client, envelope, npy

OWNER = RemoteObject.of(SIGNAL)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ephyrus.client.driving.time.sleep", lambda seconds: None)


def linked(link: str) -> dict:
    return {**SIGNAL, "fields": {**SIGNAL["fields"], "signal": {"units": "mV", "data": link}}}


@pytest.mark.parametrize(
    "link",
    ["http://evil.test/datafiles/7", "https://service.test/datafiles/7", "//evil.test/datafiles/7",
     "http://service.test.evil.test/x", "http://service.test@evil.test/x", "file:///etc/passwd"],
)  # fmt: skip
def test_the_token_goes_to_no_other_host(link: str):
    hosts = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        hosts.append(request.url.host)
        return envelope(SIGNAL, next=link)

    with client(answer, token="secret") as service:
        with pytest.raises(RemoteError, match="nothing is sent there") as caught:
            service.array(RemoteObject.of(linked(link)), "signal")
        with pytest.raises(RemoteError, match="nothing is sent there"):
            list(service.iterate("analogsignal"))
        if "://" in link:
            with pytest.raises(RemoteError, match="nothing is sent there"):
                service.get("analogsignal", link)
    assert hosts == ["service.test"]
    assert "secret" not in str(caught.value)


def test_absolute_links_to_the_service_itself_are_followed():
    service_side = Arrays(np.arange(5.0))
    with client(service_side) as service:
        found = service.array(RemoteObject.of(linked(f"{ADDRESS}/datafiles/7")), "signal")
    assert found.values.tolist() == [0, 1, 2, 3, 4]


def test_redirects_are_told_and_not_followed():
    hosts = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        hosts.append(request.url.host)
        head = {"location": "https://other.test:8443/x?token=abc"}
        return httpx2.Response(307, headers=head)

    with client(answer, token="secret") as service, pytest.raises(RemoteError) as caught:
        service.get("analogsignal", 11)
    assert hosts == ["service.test"]
    assert str(caught.value).endswith(
        "the service points to https://other.test:8443; if you trust it, give that address instead"
    )


def test_secrets_are_shown_nowhere(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/account/authenticate/":
            return httpx2.Response(401, json={"message": "Wrong."})
        return httpx2.Response(403, json={"message": "No."})

    for keywords in ({"token": "secret"}, {"username": "ada", "password": "secret"}):
        with client(answer, cache=BodyCache(tmp_path), **keywords) as service:
            assert "secret" not in repr(service) + repr(service.access) + repr(service.flows)
            with pytest.raises(RemoteForbidden) as caught:
                service.get("analogsignal", 11)
            assert "secret" not in repr(caught.value) + str(caught.value)
    assert "secret" not in caplog.text
    with pytest.raises(ValueError, match=r"at service\.test holds a name or a password") as refused:
        Client("http://ada:secret@service.test")
    assert "secret" not in str(refused.value)


def test_a_pickle_holds_a_token_that_was_given_and_no_password(monkeypatch):
    monkeypatch.setenv("EPHYRUS_TOKEN", "of the variable")

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"logged_in_as": "ada"},
                               headers={"set-cookie": "sessionid=abc; Path=/"})  # fmt: skip

    with client(answer) as service:
        assert b"of the variable" not in pickle.dumps(service)
    with client(answer, token="given") as service:
        assert b"given" in pickle.dumps(service)
    with client(answer, username="ada", password="secret") as service:
        pickled = pickle.dumps(service)
        assert b"secret" not in pickled
        again = pickle.loads(pickled)
        assert dict(again._http.cookies) == {"sessionid": "abc"}
        assert pickle.loads(pickled) is again
        again.close()
        assert pickle.loads(pickled) is not again


def test_a_login_that_fails_is_tried_again():
    paths = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        paths.append(request.url.path)
        if len(paths) == 1:
            raise httpx2.ConnectError("down")
        return envelope(SIGNAL)

    with client(answer, username="ada", password="p") as service:
        with pytest.raises(RemoteUnreachable):
            service.get("analogsignal", 11)
        assert service.get("analogsignal", 11).id == "11"
    get, out = "/electrophysiology/analogsignal/11", "/account/logout/"
    assert paths == ["/account/authenticate/", "/account/authenticate/", get, out]


def test_a_closed_client_says_so():
    service = client(lambda request: envelope(SIGNAL))
    service.close()
    service.close()
    with pytest.raises(RemoteError, match="is closed; open another one"):
        service.get("analogsignal", 11)

    async def run() -> None:
        other = AsyncClient(
            ADDRESS, transport=httpx2.MockTransport(lambda request: envelope(SIGNAL))
        )
        await other.close()
        with pytest.raises(RemoteError, match="is closed"):
            await other.get("analogsignal", 11)

    anyio.run(run)


@pytest.mark.parametrize(
    "told",
    ["bytes 0-99/1000000000000", "bytes 0-99/99999999999999999999", "bytes 0-99/*", "",
     "bytes 5-104/200", "bytes 0-9/200", "pages 0-99/200"],
)  # fmt: skip
def test_a_length_that_cannot_be_true_costs_no_memory(told: str):
    body = npy(np.zeros(1000))

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(206, content=body[:100], headers={"content-range": told})

    tracemalloc.start()
    with client(answer) as service, pytest.raises(RemoteError):
        service.run(service.flows.numbers("/datafiles/7", ""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6


def test_a_head_that_promises_too_much_costs_no_memory():
    head = npy(np.zeros(1))
    huge = head.replace(b"(1,), }" + b" " * 10, b"(99999999999,), }")
    total = bodies.npy_bytes(huge, "here")
    assert total > 7e11

    def answer(request: httpx2.Request) -> httpx2.Response:
        first = int(request.headers["range"][6:].partition("-")[0])
        if first:
            return httpx2.Response(206, content=b"")
        end = {"content-range": f"bytes 0-{len(huge) - 1}/{total}"}
        return httpx2.Response(206, content=huge, headers=end)

    tracemalloc.start()
    with client(answer) as service:
        with pytest.raises(RemoteError, match="are not the length of this array"):
            service.run(service.flows.numbers("/datafiles/7", "", most_bytes=10**9))
        with pytest.raises(RemoteError, match="changed while it was fetched"):
            service.run(service.flows.numbers("/datafiles/7", ""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6


def test_an_answer_without_end_is_cut():
    sent = 0

    def endless():
        nonlocal sent
        while True:
            sent += 2**16
            yield bytes(2**16)

    with client(lambda request: httpx2.Response(200, content=endless())) as service:
        with pytest.raises(RemoteError, match="longer than the 68,736 bytes"):
            service.array(OWNER, "signal")
        assert sent <= 3 * 2**16


@pytest.mark.parametrize(
    "facts",
    [{"dtype": "O", "shape": [1]}, {"dtype": "<f4", "shape": [-1]}, {"dtype": "no", "shape": [1]},
     {"dtype": "<f4", "shape": []}, {"dtype": "i4,i4", "shape": [1]}, {"shape": [1]}],
)  # fmt: skip
def test_arrays_that_cannot_be_are_refused(facts: dict):
    with (
        client(lambda request: envelope({**SIGNAL, "arrays": {"signal": facts}})) as service,
        pytest.raises(RemoteError, match="not that of a data service"),
    ):
        service.get("analogsignal", 11)


@pytest.mark.parametrize(
    "body",
    [npy(np.arange(9.0))[:-1], npy(np.arange(9.0)) + b"x",
     b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 9999, npy(np.arange(9.0)).replace(b"(9,)", b"(-9)"),
     npy(np.arange(9.0)).replace(b"'<f8'", b"'|O8'"), b"\x93NUMPY\x07\x00"],
)  # fmt: skip
def test_damaged_arrays_are_errors(body: bytes):
    with pytest.raises(RemoteError, match="no array"):
        bodies.from_npy(body, "here")


def test_arrays_of_every_kind_are_read():
    for values in (np.empty((0, 3), "f4"), np.asfortranarray(np.arange(6).reshape(2, 3)),
                   np.array([b"a", b"bc"]), np.arange(3, dtype=">i2"),
                   np.empty(0, "S1")):  # fmt: skip
        found = bodies.from_npy(npy(values), "here")
        np.testing.assert_array_equal(found, values)
        assert (found.dtype, found.shape) == (values.dtype, values.shape)


def test_a_damaged_entry_of_the_cache_is_fetched_again(tmp_path):
    service_side = Arrays(np.arange(5.0))
    with client(service_side, cache=BodyCache(tmp_path)) as service:
        service.array(OWNER, "signal")
        (entry,) = tmp_path.glob("??/*")
        entry.write_bytes(entry.read_bytes()[:-3])
        assert service.array(OWNER, "signal").values.tolist() == [0, 1, 2, 3, 4]
        assert len(service_side.calls) == 2
        assert service.array(OWNER, "signal").values.tolist() == [0, 1, 2, 3, 4]
        assert len(service_side.calls) == 2


def test_a_range_that_fails_is_fetched_again_alone(monkeypatch):
    monkeypatch.setattr(flows_module, "RANGE_BYTES", 1000)
    values = np.arange(1000.0)
    service_side = Arrays(values)
    failed = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        wanted = request.headers.get("range", "")
        if wanted in ("bytes=2000-2999", "bytes=5000-5999") and wanted not in failed:
            failed.append(wanted)
            raise httpx2.ReadError("the line broke")
        return service_side(request)

    owner = RemoteObject.of({**SIGNAL, "arrays": {"signal": {"dtype": "<f8", "shape": [1000]}}})
    with client(answer) as service:
        np.testing.assert_array_equal(service.array(owner, "signal").values, values)
    assert len(failed) == 2
    assert len(service_side.calls) == -(-len(service_side.body) // 1000)


@pytest.mark.parametrize(
    ("kind", "body"),
    [("text/plain", b"x"), ("multipart/mixed; boundary=abc", b""),
     ("multipart/mixed; boundary=abc", b"--abc\r\nContent-Length: 5\r\n\r\nab"),
     ("multipart/mixed; boundary=abc", b"--abc\r\n\r\nabcde\r\n--abc--\r\n"),
     ("multipart/mixed; boundary=abc",
      b"--abc\r\nContent-Length: 999999999999\r\n\r\nabcde\r\n--abc--\r\n")],
)  # fmt: skip
def test_many_parts_that_are_none_are_errors(kind: str, body: bytes):
    with pytest.raises(RemoteError, match="holds 0 arrays where 2 were asked for"):
        bodies.parts_of(Reply(200, {"content-type": kind}, body), "here", 2)


def answering(*answers: bytes) -> tuple[str, threading.Thread]:
    """Listen at a port; give one connection each of these bytes, and close it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(60)

    def serve() -> None:
        with listener:
            for each in answers:
                there, _ = listener.accept()
                with there:
                    there.recv(65536)
                    there.sendall(each)

    thread = threading.Thread(target=serve)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", thread


def test_answers_of_old_servers_and_of_broken_ones():
    body = npy(np.arange(5.0))
    without_length = b"HTTP/1.0 200 OK\r\n\r\n" + body
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-4]
    address, thread = answering(without_length, without_length[:-4], cut, b"nonsense\r\n", cut,
                                without_length)  # fmt: skip
    with Client(address, cache=None, retries=0) as service:
        assert service.array(OWNER, "signal").values.tolist() == [0, 1, 2, 3, 4]
        with pytest.raises(RemoteError, match="no array"):
            service.array(OWNER, "signal")
        for _ in range(2):
            with pytest.raises(RemoteUnreachable, match="does not answer"):
                service.array(OWNER, "signal")
    with Client(address, cache=None, retries=1) as service:
        assert service.array(OWNER, "signal").values.tolist() == [0, 1, 2, 3, 4]
    thread.join(60)


def test_a_service_that_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            Client(address, cache=None, retries=0, timeout=0.1) as service,
            pytest.raises(RemoteUnreachable, match="does not answer"),
        ):
            service.get("block", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            Client(address, cache=None, retries=0) as service,
            pytest.raises(RemoteUnreachable, match="is it running at this address"),
        ):
            service.get("block", 1)


def test_a_window_of_another_shape_is_an_error():
    from ephyrus.client.sources import RemoteSignal

    service_side = Arrays(np.arange(10.0))
    with client(service_side) as service:
        source = RemoteSignal(service, "/datafiles/7", "", (100,), np.dtype("f8"))
        with pytest.raises(RemoteError, match=r"shape \(10,\) instead of \(20,\)"):
            source.read(0, 20, None)
        np.testing.assert_array_equal(source.read(0, 10, None), np.arange(10.0)[:, None])


def test_a_token_that_expired_is_told(monkeypatch):
    answers = [envelope(SIGNAL), httpx2.Response(401, json={"message": "Expired."})]
    with client(lambda request: answers.pop(0), token="t") as service:
        service.get("analogsignal", 11)
        with pytest.raises(RemoteForbidden, match=r"Expired\. Log in with token="):
            service.get("analogsignal", 11)


def test_proxies_of_the_environment_are_used(monkeypatch):
    address, thread = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    monkeypatch.setenv("HTTP_PROXY", address)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Client("http://far.invalid", cache=None, retries=0) as service:
        assert len(service.select("block")) == 0
    thread.join(60)


@pytest.mark.parametrize("arrays", [{}, {"signal": {"dtype": "<f4", "shape": [2, 2, 2]}}])
def test_signals_that_cannot_be_read_are_named(arrays: dict):
    def answer(request: httpx2.Request) -> httpx2.Response:
        kind = request.url.path.split("/")[2]
        if kind in ("block", "segment"):
            fields = {"name": "x", "guid": "b" * 40}
            link = f"/electrophysiology/{kind}/1"
            return envelope({"model": f"neo_api.{kind}", "permalink": link, "fields": fields})
        if kind == "analogsignal":
            fields = {**SIGNAL["fields"], "segment": "/electrophysiology/segment/1"}
            return envelope({**SIGNAL, "fields": fields, "arrays": arrays})
        return envelope()

    with client(answer) as service, pytest.raises(RemoteError, match="it has no signal") as told:
        service.block(1)
    assert str(told.value).startswith("/electrophysiology/analogsignal/11")
