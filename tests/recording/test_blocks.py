"""Objects in memory as a recording."""

from __future__ import annotations

import numpy as np
import pytest

from ephyrus.recording.blocks import from_blocks
from tests.synth.objects import block_of, signal_of


@pytest.mark.parametrize("channels", [None, [0], [1, 0], []])
def test_an_empty_range_has_the_channels_that_are_chosen(channels):
    recording = from_blocks(block_of(signal_of([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])))
    width = 2 if channels is None else len(channels)
    found = recording.read_signal(0, 1, 1, channels)
    assert (found.shape, found.dtype) == ((0, width), np.dtype(np.float64))


def test_channels_over_several_segments():
    first, second = (block_of(signal_of(values)) for values in ([[1.0, 2.0]], [[3.0, 4.0]]))
    first.segments.extend(second.segments)
    recording = from_blocks(first)
    np.testing.assert_array_equal(recording.read_signal(0, channels=[1, 0]), [[2, 1], [4, 3]])
