"""Bodies of requests: limits of size and time, strict JSON, forms."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.bodies import parse_form, parse_json, read_body, read_stream
from ephyrus.service.routes.call import Query


def _receiver(*pieces: bytes, pause: float = 0.0):
    messages = [
        {"type": "http.request", "body": piece, "more_body": index + 1 < len(pieces)}
        for index, piece in enumerate(pieces)
    ]

    async def receive():
        await asyncio.sleep(pause)
        return messages.pop(0)

    return receive


def _read(receive, headers=None, *, limit=100, seconds=1.0) -> bytes:
    return asyncio.run(read_body(receive, headers or {}, limit=limit, seconds=seconds))


def test_a_body_is_joined():
    assert _read(_receiver(b"ab", b"", b"cd")) == b"abcd"


def test_a_length_that_is_too_large_is_refused_before_anything_is_read():
    async def receive():
        raise AssertionError("nothing may be read")

    with pytest.raises(ServiceError) as info:
        _read(receive, {"content-length": "101"})
    assert (info.value.status, info.value.details) == (413, {"limit": 100})
    assert info.value.headers == {"Connection": "close"}


@pytest.mark.parametrize("length", ["-1", "1e3", "", "٣"])
def test_a_length_that_is_no_number_is_refused(length):
    with pytest.raises(ServiceError) as info:
        _read(_receiver(b""), {"content-length": length})
    assert info.value.message_type == "data_parsing_error"


def test_pieces_that_sum_up_to_too_much_are_refused():
    receive = _receiver(b"x" * 60, b"x" * 60, b"x" * 60)
    with pytest.raises(ServiceError) as info:
        _read(receive)
    assert info.value.status == 413
    assert asyncio.run(receive())["body"] == b"x" * 60  # the third was never taken


def test_a_sender_who_pauses_is_given_up():
    with pytest.raises(ServiceError) as info:
        _read(_receiver(b"a", b"b", pause=0.5), seconds=0.05)
    assert (info.value.status, info.value.message_type) == (408, "request_timeout")


def test_a_sender_who_drips_is_given_up():
    with pytest.raises(ServiceError) as info:
        _read(_receiver(*[b"a"] * 50, pause=0.01), seconds=0.1)
    assert info.value.status == 408


def test_an_upload_may_take_its_time_but_not_drip(monkeypatch):
    moments = iter(range(1000))  # a second passes each time that somebody looks
    clock = SimpleNamespace(monotonic=lambda: float(next(moments)))
    monkeypatch.setattr("ephyrus.service.routes.bodies.time", clock)

    async def take(pieces: int, size: int) -> int:
        receive = _receiver(*[b"a" * size] * pieces)
        stream = read_stream(receive, {}, limit=100_000, idle=5.0, total=None)
        return sum([len(piece) async for piece in stream])

    assert asyncio.run(take(5, 1)) == 5
    assert asyncio.run(take(50, 1024)) == 51_200
    with pytest.raises(ServiceError, match="less than 1024 bytes came per second"):
        asyncio.run(take(6, 1))


def test_a_sender_who_goes_away_is_told_apart():
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(ServiceError, match="The connection ended before the body did"):
        _read(receive)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", None),
        (b"  \n", None),
        (b"{}", {}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"ü": ["µ", null, true, 1.5]}'.encode(), {"ü": ["µ", None, True, 1.5]}),
        (b"[1, 2]", [1, 2]),
    ],
)
def test_json_is_read(body, value):
    assert parse_json(body) == value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "Expecting property name"),
        (b"{'a': 1}", "Expecting property name"),
        (b'{"a": NaN}', "NaN is not a JSON value"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON value"),
        (b'{"a": 1e999}', "beyond the range of doubles"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' stands twice"),
        (b'{"x": {"a": 1, "a": 3}}', "'a' stands twice"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\\u0000"}', "character 0"),
        (b'{"\\u0000": 1}', "character 0"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"[" * 33 + b"]" * 33, "more than 32 deep"),
        (b"[" * 100_000, "more than 32 deep"),
        (b"1" * 5000, "too many digits"),
    ],
)
def test_what_is_not_strict_json_is_refused(body, reason):
    with pytest.raises(ServiceError, match=reason) as info:
        parse_json(body)
    assert (info.value.status, info.value.message_type) == (400, "data_parsing_error")


def test_depth_of_32_is_read():
    document = parse_json(b"[" * 31 + b"1" + b"]" * 31)
    for _ in range(31):
        assert len(document) == 1
        document = document[0]
    assert document == 1


MULTIPART = (
    b'--X\r\nContent-Disposition: form-data; name="username"\r\n\r\nbob\r\n'
    b'--X\r\nContent-Disposition: form-data; name="password"\r\n\r\np\xc3\xa4ss\r\n--X--\r\n'
)


@pytest.mark.parametrize(
    ("body", "kind", "fields"),
    [
        (b"username=bob&password=p%C3%A4ss", "application/x-www-form-urlencoded",
         {"username": "bob", "password": "päss"}),
        (b"username=bob&password=", "", {"username": "bob", "password": ""}),
        (b'{"username": "bob"}', "application/json", {"username": "bob"}),
        (b'{"username": "bob"}', "", {"username": "bob"}),
        (b"", "application/json", {}),
        (MULTIPART, "multipart/form-data; boundary=X", {"username": "bob", "password": "päss"}),
    ],
)  # fmt: skip
def test_forms_are_read(body, kind, fields):
    assert parse_form(body, kind) == fields


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"[1]", "application/json"),
        (b"&".join([b"a=1"] * 1001), ""),
        (b"--X\r\n", "multipart/form-data"),
        (MULTIPART.replace(b'name="password"', b'name="f"; filename="x"'),
         "multipart/form-data; boundary=X"),
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused(body, kind):
    with pytest.raises(ServiceError) as info:
        parse_form(body, kind)
    assert info.value.message_type == "data_parsing_error"


@given(st.text("ab=&%+20 é", max_size=30))
def test_a_query_is_taken_apart_as_the_standard_library_does(text):
    try:
        expected = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(ServiceError, match="UTF-8"):
            Query(text)
        return
    if any("\0" in part for pair in expected for part in pair):
        return
    assert Query(text).pairs == expected
