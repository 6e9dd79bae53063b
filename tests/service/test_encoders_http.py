"""Content codings, ranges of bytes and negotiation, by the rules of RFC 9110."""

import zlib
from datetime import UTC, datetime, timedelta, timezone

import brotli
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders import accepts, choose_format, coding, encode, format_of
from ephyrus.service.encoders.ranges import ByteRange, requested
from ephyrus.service.errors import ServiceError

DECODERS = {
    "gzip": lambda data: zlib.decompress(data, 31),
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def part_of(array):
    return ArrayPart("a" * 40, array.dtype, array.shape, lambda start, stop: array[start:stop])


# ------------------------------------------------------------------------------- content coding


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("*", "zstd"),
        ("gzip;q=1.0, *;q=0.5", "gzip"),
        ("gzip;q=0.8, br;q=0.9, zstd;q=0.1", "br"),
        ("gzip ; q=0.5 , br;Q=0.4", "gzip"),
        ("deflate", "identity"),
        ("compress, deflate;q=0.5", "identity"),
        ("identity", "identity"),
        ("identity;q=1, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0, br;q=0, zstd;q=0", "identity"),
        ("*;q=0, gzip", "gzip"),
        ("*;q=0, identity", "identity"),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("deflate, identity;q=0", None),
        ("gzip;q=high, br", "br"),
        ("gzip;q=7, br;q=0.001", "br"),
        (",, ,gzip,", "gzip"),
    ],
)
def test_choice_of_a_coding(header, expected):
    assert coding.choose(header, ("zstd", "br", "gzip")) == expected


def test_only_what_is_installed_is_chosen():
    assert coding.AVAILABLE == ("zstd", "br", "gzip")
    assert coding.choose("br, zstd, gzip;q=0.1", ("gzip",)) == "gzip"
    assert coding.choose("br, zstd", ("gzip",)) == "identity"


@pytest.mark.parametrize("name", sorted(DECODERS))
@settings(deadline=None, max_examples=40)
@given(blocks=st.lists(st.binary(max_size=3000), max_size=6))
def test_any_blocks_come_back(name, blocks):
    pieces = list(coding.compressed(blocks, name))
    assert all(pieces)
    assert DECODERS[name](b"".join(pieces)) == b"".join(blocks)
    assert DECODERS[name](coding.compress(b"".join(blocks), name)) == b"".join(blocks)


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_a_body_under_a_coding(name):
    array = np.arange(300_000, dtype="<i4").reshape(-1, 3) % 1000
    body = encode(part_of(array), "json")
    coded = coding.encoded(body, name)
    assert coded.headers == {"Content-Encoding": name}
    assert coded.media_type == "application/json"
    assert coded.length is None
    assert not coded.seekable
    assert not coded.compressible
    streamed = b"".join(coded.blocks())
    assert DECODERS[name](streamed) == body.read_all()
    assert DECODERS[name](coded.read_all()) == body.read_all()
    assert len(streamed) < len(body.read_all()) / 3
    raw = coding.encoded(encode(part_of(array), "raw"), name)
    assert raw.headers == {
        "X-Array-Shape": "100000,3",
        "X-Array-Dtype": "<i4",
        "Content-Encoding": name,
    }
    assert DECODERS[name](b"".join(raw.blocks())) == array.tobytes()
    with pytest.raises(ValueError, match="no ranges of bytes"):
        raw.blocks(0, 10)


def test_identity_and_unknown_codings():
    body = encode(part_of(np.arange(3)), "json")
    assert coding.encoded(body, "identity") is body
    with pytest.raises(ValueError, match="'deflate' is not a content coding"):
        coding.compress(b"text", "deflate")


# ------------------------------------------------------------------------------- ranges of bytes


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-499", (0, 500)),
        ("bytes=500-999", (500, 1000)),
        ("bytes=-500", (9500, 10000)),
        ("bytes=9500-", (9500, 10000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=-1", (9999, 10000)),
        ("bytes=9999-20000", (9999, 10000)),
        ("bytes=0-99999999999999999999999999", (0, 10000)),
        ("bytes=-99999999999999999999999999", (0, 10000)),
        ("bytes=00000000000000000000000000007-8", (7, 9)),
        ("BYTES = 3-4", (3, 5)),
        ("bytes=5-4", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=1.5-2", None),
        ("bytes=٣-٤", None),
        ("bytes 1-2", None),
        ("rows=1-2", None),
        ("bytes=0-1,5-6", None),
        ("bytes=0-1, -1", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_ranges(header, expected):
    found = requested(header, length=10_000)
    assert found == (None if expected is None else ByteRange(*expected))


@pytest.mark.parametrize(
    ("header", "length"),
    [
        ("bytes=10000-", 10_000),
        ("bytes=10000-10001", 10_000),
        ("bytes=-0", 10_000),
        ("bytes=0-", 0),
        ("bytes=-5", 0),
        ("bytes=99999999999999999999-", 10),
    ],
)
def test_ranges_behind_the_end(header, length):
    with pytest.raises(ServiceError, match=f"the body has {length} bytes") as caught:
        requested(header, length=length)
    assert caught.value.status == 416
    assert caught.value.headers == {"Content-Range": f"bytes */{length}"}


def test_facts_of_a_range():
    found = requested("bytes=10-19", length=100)
    assert found.size == 10
    assert found.content_range(100) == "bytes 10-19/100"


def test_if_range():
    moment = datetime(2024, 2, 29, 12, 30, 15, 250_000, tzinfo=UTC)
    facts = {"length": 100, "etag": '"abc"', "last_modified": moment}
    part = ByteRange(0, 10)

    def found(validator, **changes):
        return requested("bytes=0-9", if_range=validator, **{**facts, **changes})

    assert found(None) == part
    assert found('"abc"') == part
    assert found(' "abc" ') == part
    assert found('"abd"') is None
    assert found('W/"abc"') is None
    assert found('W/"abc"', etag='W/"abc"') is None
    assert found('"abc"', etag=None) is None
    assert found("Thu, 29 Feb 2024 12:30:15 GMT") == part
    assert found("Thu, 29 Feb 2024 12:30:14 GMT") is None
    assert found("Thu, 29 Feb 2024 12:30:16 GMT") is None
    assert found("not a date") is None
    assert found("Thu, 29 Feb 2024 12:30:15 GMT", last_modified=None) is None
    naive = moment.replace(tzinfo=None)
    assert found("Thu, 29 Feb 2024 12:30:15 GMT", last_modified=naive) == part
    east = moment.astimezone(timezone(timedelta(hours=5)))
    assert found("Thu, 29 Feb 2024 12:30:15 GMT", last_modified=east) == part
    # of another version everything is sent, even where the range could not be
    assert requested("bytes=900-", if_range='"old"', **facts) is None


# ------------------------------------------------------------------------------- negotiation


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "hdf5"),
        ("", "hdf5"),
        ("*/*", "hdf5"),
        ("application/x-hdf", "hdf5"),
        ("application/x-hdf5", "hdf5"),
        ("application/json", "json"),
        ("Application/JSON; charset=utf-8", "json"),
        ("application/x-npy", "npy"),
        ("application/octet-stream", "raw"),
        ("application/vnd.apache.arrow.stream", "arrow"),
        ("text/csv", "csv"),
        ("text/csv;q=0.5, application/json;q=0.7", "json"),
        ("application/json, application/x-hdf", "json"),
        ("application/json;q=0.9, application/x-hdf", "hdf5"),
        ("application/json, text/plain, */*", "json"),
        ("*/*, application/json", "json"),
        ("application/json;q=0.5, */*", "hdf5"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "hdf5"),
        ("application/json;q=0", "hdf5"),
        ("image/png", "hdf5"),
        ("application/json;q=x, text/csv;q=0.1", "csv"),
    ],
)
def test_format_by_accept(accept, expected):
    assert choose_format(None, accept) == expected


def test_the_parameter_wins():
    assert choose_format("csv", "application/json") == "csv"
    assert choose_format("h5", "application/json") == "hdf5"
    assert format_of("zarr") == "zarr"
    with pytest.raises(ServiceError, match="format=xml is unknown") as caught:
        choose_format("xml", "application/json")
    assert (caught.value.status, caught.value.message_type) == (400, "wrong_params")
    assert caught.value.details == {"parameter": "format"}


@pytest.mark.parametrize(
    ("accept", "weight"),
    [
        (None, 1.0),
        (" ", 1.0),
        ("application/json", 1.0),
        ("application/json;q=0.3, */*", 0.3),
        ("application/*;q=0.2, */*;q=0.1", 0.2),
        ("text/html, */*;q=0.1", 0.1),
        ("text/html", 0.0),
        ("application/json;q=0, */*", 0.0),
    ],
)
def test_weight_of_a_media_type(accept, weight):
    assert accepts(accept, "application/json") == weight
