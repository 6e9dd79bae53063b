"""cut_block_by_epochs and cut_segment_by_epoch."""

from datetime import datetime

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus.core import AnalogSignal, Block, Epoch, Event, Segment, SpikeTrain
from ephyrus.utils import cut_block_by_epochs, cut_segment_by_epoch


@pytest.fixture
def segment():
    """Ten seconds: a signal of its own times, a train, and epochs of two kinds."""
    segment = Segment(name="all", subject="m1", index=4)
    segment.analogsignals.append(
        AnalogSignal(np.arange(100.0), units="mV", sampling_rate=10 * pq.Hz, name="sig")
    )
    segment.spiketrains.append(SpikeTrain([0.5, 2.25, 2.5, 6.5, 9.0], 10.0, units="s", name="u"))
    segment.events.append(Event([2.1, 6.9] * pq.s, labels=["x", "y"], name="ev"))
    segment.epochs.append(
        Epoch(
            [2.0, 6.0] * pq.s, durations=[1000, 500] * pq.ms, labels=["t1", "t2"], name="trials",
            array_annotations={
                "trial": [1, 2], "side": ["l", "r"], "level": [0.5, 1.5] * pq.mV, "later": [],
            },
            task="go",
        )
    )  # fmt: skip
    segment.epochs.append(Epoch([0.0] * pq.s, durations=1 * pq.s, name="rest"))
    return segment


def test_cut_segment(segment):
    first, second = cut_segment_by_epoch(segment, segment.epochs[0])
    assert first.analogsignals[0].magnitude.ravel().tolist() == np.arange(20.0, 30.0).tolist()
    assert float(first.analogsignals[0].t_start) == 2.0
    assert second.analogsignals[0].magnitude.ravel().tolist() == np.arange(60.0, 65.0).tolist()
    assert first.spiketrains[0].magnitude.tolist() == [2.25, 2.5]
    assert (float(first.spiketrains[0].t_start), float(first.spiketrains[0].t_stop)) == (2.0, 3.0)
    assert second.spiketrains[0].magnitude.tolist() == [6.5]
    assert first.events[0].labels.tolist() == ["x"]
    assert second.events == []
    assert first.epochs[0].labels.tolist() == ["t1"]
    assert first.name == "all"
    assert first.index == 4


def test_annotations_of_the_epoch_are_handed_on(segment):
    first, second = cut_segment_by_epoch(segment, segment.epochs[0])
    level = second.annotations.pop("level")
    assert second.annotations == {"subject": "m1", "task": "go", "trial": 2, "side": "r"}
    assert type(second.annotations["trial"]) is int
    assert type(second.annotations["side"]) is str
    assert float(level) == 1.5
    assert level.dimensionality == pq.mV.dimensionality
    assert first.annotations["trial"] == 1
    assert segment.annotations == {"subject": "m1"}


def test_reset_time(segment):
    first, second = cut_segment_by_epoch(segment, segment.epochs[0], reset_time=True)
    assert first.spiketrains[0].magnitude.tolist() == [0.25, 0.5]
    assert float(second.spiketrains[0].t_start) == 0.0
    assert float(second.spiketrains[0].t_stop) == 0.5
    assert float(second.analogsignals[0].t_start) == 0.0
    assert first.events[0].magnitude.tolist() == pytest.approx([0.1])
    assert first.epochs[0].magnitude.tolist() == [0.0]


def test_cut_block(segment):
    when = datetime(2020, 1, 2)
    block = Block(name="B", rec_datetime=when, file_origin="f", lab=[1, 2])
    other = Segment(name="other", index=5)
    other.epochs.append(Epoch([0.0] * pq.s, durations=1 * pq.s, name="trials"))
    other.spiketrains.append(SpikeTrain([0.5, 1.5], 2.0, units="s"))
    block.segments.extend([segment, other, Segment(name="none")])
    new = cut_block_by_epochs(block, {"name": "trials"}, reset_time=True)
    assert (new.name, new.rec_datetime, new.file_origin) == ("B", when, "f")
    assert new.annotations == {"lab": [1, 2]}
    assert [part.name for part in new.segments] == ["all", "all", "other"]
    assert [part.annotations.get("trial") for part in new.segments] == [1, 2, None]
    assert [part.spiketrains[0].magnitude.tolist() for part in new.segments] == [
        [0.25, 0.5], [0.5], [0.5],
    ]  # fmt: skip
    assert all(part.block is new for part in new.segments)
    assert len(block.segments) == 3
    new.annotations["lab"].append(3)
    assert block.annotations == {"lab": [1, 2]}
    assert len(cut_block_by_epochs(block).segments) == 4
    assert [part.annotations["trial"] for part in cut_block_by_epochs(block, {"side": "r"}).segments] == [2]  # noqa: E501 # fmt: skip


def test_a_block_without_such_epochs_gives_a_warning(segment):
    block = Block(name="B")
    block.segments.append(segment)
    with pytest.warns(UserWarning, match=r"no epoch in .*<Block 'B'.*\{'name': 'no'\}.*empty"):
        new = cut_block_by_epochs(block, {"name": "no"})
    assert new.segments == []
    assert new.name == "B"


def test_arguments_are_checked(segment):
    with pytest.raises(TypeError, match="only a Block can be cut, not a Segment"):
        cut_block_by_epochs(segment)
    with pytest.raises(TypeError, match="only a Segment can be cut, not a Block"):
        cut_segment_by_epoch(Block(), segment.epochs[0])
    with pytest.raises(TypeError, match="cut by an Epoch, not by a Event"):
        cut_segment_by_epoch(segment, segment.events[0])


def test_an_empty_epoch_gives_no_segments(segment):
    assert cut_segment_by_epoch(segment, Epoch()) == []


def test_lazy_data_are_loaded_for_the_windows():
    block, full = (ephyrus.read("made-up.fake", lazy=lazy)[0] for lazy in (True, False))
    for each in (block, full):
        each.segments[0].epochs.append(
            Epoch([1.0, 3.0] * pq.s, durations=0.5 * pq.s, name="windows")
        )
    cut = cut_block_by_epochs(block, {"name": "windows"})
    expected = cut_block_by_epochs(full, {"name": "windows"})
    assert len(cut.segments) == len(expected.segments) == 2
    for part, other in zip(cut.segments, expected.segments, strict=True):
        assert part.size == other.size
        for signal, same in zip(part.analogsignals, other.analogsignals, strict=True):
            assert signal.lazy_shape is None
            np.testing.assert_array_equal(signal.magnitude, same.magnitude)
            assert float(signal.t_start) == float(same.t_start)
        for train, same in zip(part.spiketrains, other.spiketrains, strict=True):
            np.testing.assert_array_equal(train.magnitude, same.magnitude)
