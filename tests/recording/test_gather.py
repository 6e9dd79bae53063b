"""Many short ranges of a file at once, and reading into memory that is there."""

import os

import numpy as np
import pytest

from ephyrus.errors import TruncatedError
from ephyrus.recording.bytesources import GAP_BYTES, MappedSource, MemorySource, PreadSource


@pytest.fixture(params=["memory", "mapped", "pread", "pread without preadv"])
def source(request, tmp_path, monkeypatch):
    data = np.random.default_rng(0).integers(0, 256, 3_000_000, np.uint8)
    path = tmp_path / "file"
    path.write_bytes(data.tobytes())
    if request.param == "memory":
        return MemorySource("memory", data.tobytes()), data
    if request.param == "pread without preadv":
        monkeypatch.delattr(os, "preadv", raising=False)
    return (MappedSource if request.param == "mapped" else PreadSource)(path), data


@pytest.mark.parametrize(
    "offsets",
    [
        [],
        [0],
        [2_999_990],
        [5, 5, 6, 100],
        np.arange(0, 2_999_000, 1_000),
        np.arange(0, 2_999_000, GAP_BYTES * 3),
        [0, 2_999_990],
    ],
)
@pytest.mark.parametrize("nbytes", [0, 1, 10])
def test_ranges(source, offsets, nbytes):
    found, data = source
    places = np.array(offsets, np.int64)
    expected = np.array([data[place : place + nbytes] for place in places], np.uint8)
    result = found.gather(places, nbytes)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected.reshape(len(places), nbytes))


@pytest.mark.parametrize(
    ("offsets", "sizes"),
    [
        ([], []),
        ([7], [0]),
        ([2_999_990], [10]),
        ([5, 5, 6, 3_000_000], [3, 0, 100, 0]),
        (np.arange(0, 2_990_000, 1_000), np.arange(2990) % 37),
    ],
)
def test_ranges_of_different_length(source, offsets, sizes):
    found, data = source
    places, counts = np.array(offsets, np.int64), np.array(sizes, np.int64)
    parts = [data[a : a + n] for a, n in zip(places, counts, strict=True)]
    result = found.ranges(places, counts)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, np.concatenate([np.empty(0, np.uint8), *parts]))


def test_near_ranges_are_read_in_one_go(tmp_path):
    (tmp_path / "file").write_bytes(bytes(1_000_000))
    near, far = np.arange(0, 9_000, 1_000), np.arange(0, 999_000, 10 * GAP_BYTES)
    for places, nbytes in ((near, 8_010), (far, int(far[-1]) + 10)):
        source = PreadSource(tmp_path / "file")
        source.gather(places, 10)
        assert source.requests == 1
        assert source.bytes_read == nbytes


@pytest.mark.parametrize("offsets", [[-1, 5], [5, 2_999_991], [3_000_000]])
def test_ranges_outside(source, offsets):
    with pytest.raises(TruncatedError):
        source[0].gather(np.array(offsets), 10)
    with pytest.raises(TruncatedError):
        source[0].ranges(np.array(offsets), np.full(len(offsets), 10))


def test_a_file_that_becomes_shorter(tmp_path):
    (tmp_path / "file").write_bytes(bytes(1_000_000))
    source = PreadSource(tmp_path / "file")
    os.truncate(tmp_path / "file", 500_000)
    with pytest.raises(TruncatedError, match="became shorter"):
        source.gather(np.array([0, 900_000]), 10)
    with pytest.raises(TruncatedError, match="became shorter"):
        source.ranges(np.array([0, 900_000]), np.array([3, 10]))
    with pytest.raises(TruncatedError, match="became shorter"):
        source.read_into(499_999, np.empty(10, np.uint8))


def test_reading_into_memory(source):
    found, data = source
    buffer = np.zeros(1_000, np.uint8)
    found.read_into(77, buffer)
    np.testing.assert_array_equal(buffer, data[77:1077])
    with pytest.raises(TruncatedError):
        found.read_into(2_999_001, buffer)
