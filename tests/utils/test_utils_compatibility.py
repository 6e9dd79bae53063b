"""is_block_rawio_compatible."""

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus.core import (
    AnalogSignal,
    Block,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)
from ephyrus.utils import is_block_rawio_compatible


def signal(channels=2, units="mV", rate=1 * pq.kHz, dtype=np.float64):
    return AnalogSignal(
        np.zeros((3, channels), dtype=dtype), units=units, dtype=dtype, sampling_rate=rate
    )


@pytest.fixture
def block():
    block = Block()
    for _ in range(2):
        segment = Segment()
        segment.analogsignals.append(signal())
        segment.spiketrains.append(SpikeTrain([], 1.0, units="s"))
        block.segments.append(segment)
    return block


def problems(block):
    compatible, found = is_block_rawio_compatible(block, return_problems=True)
    assert compatible is (not found)
    assert is_block_rawio_compatible(block) is compatible
    return found


def test_segments_that_are_alike(block):
    assert problems(block) == []
    assert problems(Block()) == []
    block.segments[1].analogsignals[0] = signal(rate=1000 * pq.Hz)
    assert problems(block) == []


def test_counts_must_be_equal(block):
    block.segments[1].events.append(Event())
    block.segments[0].analogsignals.append(signal())
    assert problems(block) == [
        "the segments have different numbers of analogsignals: [2, 1]",
        "the segments have different numbers of events: [0, 1]",
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"channels": 3}, "number of channels between segments: 2, 3"),
        ({"units": "V"}, "units between segments: mV, V"),
        ({"rate": 2 * pq.kHz}, "sampling rate between segments: 1000.0, 2000.0"),
        ({"dtype": np.float32}, "dtype between segments: float64, float32"),
    ],
)
def test_signals_must_be_alike(block, changes, problem):
    block.segments[1].analogsignals[0] = signal(**changes)
    assert problems(block) == [f"analogsignals[0] differ in {problem}"]


def test_what_cannot_be_there(block):
    block.segments[0].irregularlysampledsignals.append(
        IrregularlySampledSignal([1.0], [1.0], units="mV", time_units="s")
    )
    block.segments[1].imagesequences.append(
        ImageSequence(
            np.zeros((1, 2, 2)), units="V", sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um
        )
    )
    assert problems(block) == [
        "segment 0 has 1 irregularlysampledsignals",
        "segment 1 has 1 imagesequences",
    ]


def test_lazy_blocks_are_not_loaded():
    for lazy in (True, False):
        assert problems(ephyrus.read("made-up.fake", lazy=lazy)[0]) == []


def test_only_blocks(block):
    with pytest.raises(TypeError, match="asks for a Block, not a Segment"):
        is_block_rawio_compatible(block.segments[0])
