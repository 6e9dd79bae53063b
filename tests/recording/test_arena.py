"""Arrays that share blocks of memory do not share values."""

from __future__ import annotations

import numpy as np
import pytest

from ephyrus.recording.arena import ALIGNMENT, FIRST_BLOCK, LARGEST_BLOCK, Arena
from ephyrus.recording.tree import TreeOptions, read_block
from tests.synth import arrays

F4, F8 = np.dtype("f4"), np.dtype("f8")


def root(array):
    """The array that owns the memory."""
    while array.base is not None:
        array = array.base
    return array


def test_arrays_are_apart_and_as_asked_for():
    arena = Arena()
    made = []
    for number, (shape, dtype) in enumerate(
        [((10, 3), F4), ((0, 2), F8), ((7,), F8), ((1, 1), F4), ((300_000, 2), F4), ((5, 5), F8)]
    ):
        array = arena.empty(shape, dtype)
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable
        array[...] = number
        made.append(array)
    assert [set(array.ravel().tolist()) for array in made] == [{0}, set(), {2}, {3}, {4}, {5}]


def test_small_arrays_share_a_block_and_begin_at_cache_lines():
    arena = Arena()
    first, second = arena.empty((3,), F4), arena.empty((4,), F4)
    assert root(first) is root(second)
    assert root(first).nbytes == FIRST_BLOCK
    assert second.ctypes.data - first.ctypes.data == ALIGNMENT


def test_blocks_grow_up_to_the_largest():
    arena, sizes = Arena(), []
    for _ in range(80):
        block = root(arena.empty((2**17,), F8)).nbytes
        if not sizes or sizes[-1] != block:
            sizes.append(block)
    assert sizes == [2**20, 2**21, 2**22, 2**23, LARGEST_BLOCK]


def test_large_arrays_are_on_their_own():
    array = Arena().empty((LARGEST_BLOCK // 4 // 8 + 1,), F8)
    assert array.base is None


@pytest.mark.parametrize("counts", [[20] * 5, [3, 0, 50, 1, 46]])
def test_sweeps_of_a_block_do_not_share_values(counts):
    data = np.arange(300, dtype="i2").reshape(100, 3)
    runs = [(count, 100 * sweep, sweep) for sweep, count in enumerate(counts)]
    recording = arrays.in_memory([arrays.signal(data, runs=runs, gain=0.5)])
    block = read_block(recording, 0, TreeOptions())
    signals = [segment.analogsignals[0] for segment in block.segments]
    parts = np.split(data * np.float32(0.5), np.cumsum(counts)[:-1])
    for signal, part in zip(signals, parts, strict=True):
        np.testing.assert_array_equal(signal.magnitude, part)
    signals[2].magnitude[...] = -1
    np.testing.assert_array_equal(signals[0].magnitude, parts[0])
    np.testing.assert_array_equal(signals[4].magnitude, parts[4])
