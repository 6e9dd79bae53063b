"""Heads, rows and samples spread over packets, from memory and from files that are read."""

from __future__ import annotations

import numpy as np
import pytest

from ephyrus.errors import TruncatedError
from ephyrus.recording import PacketedSignal, heads, packets, padded_rows, read_channels, rows
from ephyrus.recording.files import FileSet

RNG = np.random.default_rng(3)


@pytest.fixture(params=["memory", "mmap", "pread", "pread in pieces"])
def opened(request, tmp_path, monkeypatch):
    path = tmp_path / "x.bin"
    sets = []
    if request.param == "pread in pieces":
        monkeypatch.setattr(packets, "PIECE_BYTES", 64)

    def make(data: bytes):
        path.write_bytes(data)
        if request.param == "memory":
            sets.append(FileSet("x.bin", memory={"x.bin": data}))
        else:
            sets.append(FileSet(path, access=request.param.split()[0]))
        return sets[-1].main

    yield make
    for files in sets:
        files.close()


def test_heads_of_any_offsets(opened):
    data = RNG.integers(0, 256, 5000, np.uint8)
    offsets = RNG.permutation(4900)[:300].astype(np.int64)
    dtype = np.dtype([("kind", "<u2"), ("tick", "<u4"), ("unit", "u1")])
    found = heads(opened(data.tobytes()), offsets, dtype)
    expected = np.array([data[at : at + 7].view(dtype)[0] for at in offsets], dtype)
    np.testing.assert_array_equal(found, expected)


def test_rows_of_equal_length(opened):
    data = RNG.integers(-30000, 30000, 3000, np.int16)
    offsets = np.array([1, 403, 400, 5000], np.int64)
    found = rows(opened(data.tobytes()), offsets, "<i2", 20)
    raw = data.tobytes()
    expected = [np.frombuffer(raw, "<i2", 20, at) for at in offsets]
    np.testing.assert_array_equal(found, expected)


def test_rows_of_different_lengths(opened):
    """Longer ones are cut, and nothing behind them is read; zeros follow the shorter ones."""
    data = RNG.integers(1, 30000, 50, np.int16)
    offsets, counts = np.array([10, 0, 96, 40], np.int64), np.array([4, 0, 2, 9], np.uint16)
    found = padded_rows(opened(data.tobytes()), offsets, "<i2", counts, 6)
    expected = np.zeros((4, 6), np.int16)
    expected[0, :4], expected[2, :2], expected[3] = data[5:9], data[48:], data[20:26]
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(TruncatedError):
        padded_rows(opened(data.tobytes()), offsets, "<i2", counts + np.uint16(1), 6)
    assert padded_rows(opened(b""), offsets[:0], "<i2", counts[:0], 6).shape == (0, 6)


def test_nothing_asked_for_is_nothing(opened):
    source = opened(bytes(10))
    assert heads(source, np.empty(0, np.int64), "<u4").tolist() == []
    assert rows(source, np.empty(0, np.int64), "<i2", 5).shape == (0, 5)
    assert rows(source, np.zeros(3, np.int64), "<i2", 0).shape == (3, 0)


@pytest.mark.parametrize("offset", [-1, 97, 10**15])
def test_offsets_outside_of_the_file_are_refused(opened, offset):
    with pytest.raises(TruncatedError):
        heads(opened(bytes(100)), np.array([5, offset], np.int64), "<u4")


SIZES = {
    "equal": np.full(50, 12),
    "last shorter": np.array([12] * 49 + [5]),
    "pauses": np.array([12] * 20 + [3] + [12] * 20 + [7] + [12] * 9),
    "all different": RNG.integers(0, 30, 60),
    "one": np.array([9]),
    "empty ones": np.array([0, 5, 0, 0, 5, 0]),
}


@pytest.mark.parametrize("spaced", [True, False], ids=["equal distances", "scattered"])
@pytest.mark.parametrize("counts", SIZES.values(), ids=list(SIZES))
def test_samples_over_packets_are_joined(opened, counts, spaced):
    gap = 6 if spaced else RNG.integers(1, 40, counts.size)
    lengths = 2 * counts + gap
    offsets = np.cumsum(lengths) - lengths + 3
    data = RNG.integers(0, 256, int(lengths.sum()) + 3, np.uint8).tobytes()
    truth = np.concatenate(
        [np.frombuffer(data, "<i2", n, at) for n, at in zip(counts, offsets, strict=True)]
    )
    signal = PacketedSignal(opened(data), offsets, counts, "<i2")
    assert signal.length == truth.size
    for start in range(0, truth.size + 1, 7):
        for stop in (start, start + 1, start + 13, truth.size):
            if start <= stop <= truth.size:
                np.testing.assert_array_equal(signal.read(start, stop), truth[start:stop])
    out = np.zeros((truth.size, 2), "<i2")
    signal.read(0, truth.size, out=out[:, 1])
    np.testing.assert_array_equal(out, np.stack([np.zeros_like(truth), truth], axis=1))


def test_one_count_for_all_and_several_channels(opened):
    data = np.arange(600, dtype="<i2")
    source = opened(data.tobytes())
    offsets = np.arange(0, 1200, 40, dtype=np.int64)
    signals = [PacketedSignal(source, offsets[k::2], 20, "<i2") for k in range(2)]
    found = read_channels(signals, 30, 250)
    table = data.reshape(-1, 2, 20)
    expected = np.stack([table[:, k].ravel() for k in range(2)], axis=1)[30:250]
    np.testing.assert_array_equal(found, expected)


def test_a_short_read_touches_only_its_packets(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(np.arange(100_000).astype("<i2").tobytes())
    files = FileSet(path, access="pread")
    source = files.main
    signal = PacketedSignal(source, np.arange(0, 200_000, 200, dtype=np.int64), 100, "<i2")
    before = source.bytes_read
    expected = np.arange(100_000).astype(np.int16)[50_050:50_060]
    np.testing.assert_array_equal(signal.read(50_050, 50_060), expected)
    assert source.bytes_read - before == 200
    files.close()


@pytest.mark.parametrize("dtype", ["<i2", "<f4", "<f8", "i1"])
@pytest.mark.parametrize("samples", [0, 1, 31, 32, 33, 4096, 2**18])
def test_rows_of_channels_are_odd_numbers_of_cache_lines_apart(samples, dtype):
    table = packets.channel_rows(3, samples, dtype)
    assert (table.shape, table.dtype) == ((3, samples), np.dtype(dtype))
    lines, rest = divmod(table.strides[0], 64)
    assert (rest, lines % 2) == (0, 1)
    assert table.strides[1] == table.dtype.itemsize
