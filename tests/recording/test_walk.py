"""Walking packet chains: loop, gallop and the compiled kernel find the same packets."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.errors import Cancelled
from ephyrus.recording import CallbackProgress, PacketLayout, walk
from ephyrus.recording.files import FileSet

PRODUCT = PacketLayout(16, (12, 14), unit=2, base=16)
LENGTH = PacketLayout(4, (0,), sentinel=0xFFFF)


@pytest.fixture(params=["loop", "compiled"])
def kernel(request, monkeypatch):
    module = importlib.import_module("ephyrus.recording.walk")  # its function has the same name
    if request.param == "compiled":
        pytest.importorskip("numba")
    for least in ("COMPILE_FROM_BYTES", "COMPILED_FROM_BYTES"):
        monkeypatch.setattr(module, least, 0 if request.param == "compiled" else 2**62)
    monkeypatch.setattr(module, "WINDOW_BYTES", 4096)
    return request.param


def source_of(data: bytes):
    return FileSet("x.bin", memory={"x.bin": data}).main


def product_chain(words, waves=None):
    """Packets of a 16-byte head and waves x words samples; their offsets."""
    words = np.asarray(words, "<u2")
    waves = np.ones_like(words) if waves is None else np.asarray(waves, "<u2")
    lengths = 16 + 2 * words.astype(int) * waves
    offsets = np.cumsum(lengths) - lengths
    data = np.full(lengths.sum(), 7, "u1")
    for place, column in ((0, np.full(words.size, 5, "<u2")), (12, waves), (14, words)):
        raw = column.astype("<u2").view("u1").reshape(-1, 2)
        for byte in range(2):
            data[offsets + place + byte] = raw[:, byte]
    return data.tobytes(), offsets


CHAINS = {
    "equal": [30] * 5000,
    "rounds": [3, 3, 5, 9] * 2000,
    "rounds that end": [3, 5] * 800 + [4] * 700 + [3, 5, 5] * 900,
    "random": np.random.default_rng(1).integers(0, 60, 6000),
    "rounds with odd ones": np.where(np.random.default_rng(2).random(9000) < 0.002, 8, 20),
    "one": [12],
    "long": [40_000, 3, 3, 30_000],
    "empty packets": [0] * 3000,
}


@pytest.mark.parametrize("words", CHAINS.values(), ids=list(CHAINS))
def test_all_packets_are_found(kernel, words):
    data, offsets = product_chain(words)
    found = walk(source_of(data), 0, PRODUCT)
    np.testing.assert_array_equal(found.offsets, offsets)
    assert found.offsets.dtype == np.int64
    assert (found.stop, found.end) == (len(data), "whole")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=5), min_size=1, max_size=4),
    st.integers(1, 400),
    st.integers(0, 200),
)
def test_any_chain_and_any_cut(rounds, repeats, cut):
    words = np.concatenate([np.tile(one, repeats) for one in rounds])
    data, offsets = product_chain(words)
    ends = np.append(offsets[1:], len(data))
    kept = data[: max(len(data) - cut, 0)]
    found = walk(source_of(kept), 0, PRODUCT)
    np.testing.assert_array_equal(found.offsets, offsets[ends <= len(kept)])
    whole = len(kept) == 0 or len(kept) in ends
    assert found.end == ("whole" if whole else "cut")
    assert found.stop == (0 if found.offsets.size == 0 else ends[found.offsets.size - 1])


def test_a_chain_begins_and_ends_where_it_is_told(kernel):
    data, offsets = product_chain([10] * 400)
    found = walk(source_of(b"head" + data + b"tail"), 4, PRODUCT, stop=4 + len(data))
    np.testing.assert_array_equal(found.offsets, offsets + 4)
    assert (found.stop, found.end) == (4 + len(data), "whole")


@pytest.mark.parametrize("before", [3, 200, 3000])
@pytest.mark.parametrize(
    ("tail", "end"),
    [
        (b"\xff\xff__rest of the file that is no packet", "sentinel"),
        (b"\x03\x00" + bytes(20), "short"),
        (bytes(64), "blank"),
        (b"\x00\x10" + bytes(30), "cut"),
        (b"\x08", "cut"),
    ],
)
def test_what_ends_a_chain_is_told_at_its_place(kernel, before, tail, end):
    packet = b"\x0c\x00" + bytes(range(1, 11))
    found = walk(source_of(packet * before + tail), 0, LENGTH)
    np.testing.assert_array_equal(found.offsets, np.arange(before) * 12)
    assert (found.stop, found.end) == (12 * before, end)


def test_sentinel_in_the_middle_of_equal_packets_stops_the_gallop(kernel):
    packet = b"\x0c\x00" + bytes(10)
    data = packet * 700 + b"\xff\xff" + bytes(10) + packet * 700
    found = walk(source_of(data), 0, LENGTH)
    assert (found.offsets.size, found.stop, found.end) == (700, 8400, "sentinel")


def test_products_of_large_fields_do_not_wrap(kernel):
    data, _ = product_chain([4] * 10)
    huge = data + np.array([5, 0, 0, 0, 0, 0, 65535, 65535], "<u2").tobytes() + bytes(1000)
    found = walk(source_of(huge), 0, PRODUCT)
    assert (found.offsets.size, found.stop, found.end) == (10, len(data), "cut")


def test_a_walk_reports_and_can_be_cancelled(kernel):
    data, _ = product_chain([10] * 4000)
    seen = []
    walk(source_of(data), 0, PRODUCT, progress=CallbackProgress(lambda *done: seen.append(done)))
    assert seen[0] == (0, len(data))
    assert seen[-1] == (len(data), len(data))
    assert len(seen) > 10
    progress = CallbackProgress(lambda done, total: done > 20_000 and progress.cancel())
    with pytest.raises(Cancelled):
        walk(source_of(data), 0, PRODUCT, progress=progress)
