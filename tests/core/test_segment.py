"""Segment: limits, slices in time, old names."""

import datetime

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import (
    AnalogSignal,
    Block,
    ChannelView,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)


@pytest.fixture
def segment():
    """Signals from 1 to 5 s and 0 to 10 s, events, epochs, trains, images."""
    segment = Segment(
        name="S", description="d", file_origin="f", index=4, k=[1, 2],
        rec_datetime=datetime.datetime(2020, 1, 2),
    )  # fmt: skip
    segment.analogsignals.append(
        AnalogSignal(
            np.arange(8.0).reshape(4, 2),
            units="mV",
            sampling_rate=1 * pq.Hz,
            t_start=1 * pq.s,
            name="short",
            array_annotations={"ch": ["a", "b"]},
        )
    )
    segment.analogsignals.append(
        AnalogSignal(np.arange(100.0), units="mV", sampling_rate=10 * pq.Hz, name="long")
    )
    segment.irregularlysampledsignals.append(
        IrregularlySampledSignal([2.0, 3.0, 6.5], [1, 2, 3], units="V", time_units="s")
    )
    segment.spiketrains.append(SpikeTrain([2000.0, 4000.0], 9000.0, units="ms", name="t"))
    segment.spiketrains.append(SpikeTrain([8.0], 9.0, t_start=7.0, units="s", name="late"))
    segment.events.append(Event([0.5, 3.5], ["x", "y"], "s", name="e"))
    segment.events.append(Event(name="none"))
    segment.epochs.append(Epoch([2.5, 7.0], [1.0, 2.0], ["p", "q"], "s", name="ep"))
    segment.channelviews.append(
        ChannelView(segment.analogsignals[0], [1], name="v", array_annotations={"w": [9]}, a=1)
    )
    segment.imagesequences.append(
        ImageSequence(
            np.arange(40.0).reshape(10, 2, 2),
            units="V",
            sampling_rate=1 * pq.Hz,
            spatial_scale=1 * pq.um,
        )
    )
    return segment


def test_attributes(segment):
    assert (segment.name, segment.description, segment.file_origin) == ("S", "d", "f")
    assert segment.index == 4
    assert segment.rec_datetime == datetime.datetime(2020, 1, 2)
    assert segment.annotations == {"k": [1, 2]}
    assert segment.block is None
    block = Block()
    block.segments.append(segment)
    assert segment.block is block
    assert Segment._parent_objects == ("Block",)
    assert Segment._parent_attrs == ("block",)


def test_children_have_the_segment_as_parent(segment):
    assert all(child.segment is segment for child in segment.data_children)
    segment.check_relationships()
    assert segment.spiketrains.parent is segment


def test_limits(segment):
    assert segment.t_start == 0.0 * pq.s
    assert segment.t_stop == 10.0 * pq.s
    assert Segment().t_start is None
    assert Segment().t_stop is None


def test_limits_of_single_kinds():
    segment = Segment()
    segment.events.append(Event([3.0, 1.0], units="s"))
    assert (segment.t_start, segment.t_stop) == (1.0 * pq.s, 3.0 * pq.s)
    segment.epochs.append(Epoch([0.5], [100.0], units="s"))
    assert (segment.t_start, segment.t_stop) == (0.5 * pq.s, 3.0 * pq.s)
    segment.spiketrains.append(SpikeTrain([], 4500.0, t_start=-1000.0, units="ms"))
    assert segment.t_start.units == pq.ms
    assert (segment.t_start, segment.t_stop) == (-1.0 * pq.s, 4.5 * pq.s)
    assert str(segment.t_stop) == "4500.0 ms"
    segment.irregularlysampledsignals.append(
        IrregularlySampledSignal([], [], units="V", time_units="s")
    )
    assert segment.t_stop == 4.5 * pq.s


def test_surprise_33_limits_are_fresh(segment):
    start = segment.t_start
    start += 5 * pq.s
    assert segment.t_start == 0.0 * pq.s


def test_time_slice(segment):
    part = segment.time_slice(2 * pq.s, 4 * pq.s)
    assert (part.name, part.index, part.annotations) == ("S", 4, {"k": [1, 2]})
    assert part.annotations["k"] is not segment.annotations["k"]
    assert part.rec_datetime == segment.rec_datetime
    short, long = part.analogsignals
    np.testing.assert_array_equal(short.magnitude, [[2.0, 3.0], [4.0, 5.0]])
    assert short.t_start == 2 * pq.s
    assert short.array_annotations == {"ch": np.array(["a", "b"])}
    np.testing.assert_array_equal(long.magnitude.ravel(), np.arange(20.0, 40.0))
    np.testing.assert_array_equal(part.irregularlysampledsignals[0].times.magnitude, [2.0, 3.0])
    assert len(part.spiketrains) == 1
    np.testing.assert_array_equal(part.spiketrains[0].magnitude, [2000.0, 4000.0])
    assert (part.spiketrains[0].t_start, part.spiketrains[0].t_stop) == (2 * pq.s, 4 * pq.s)
    assert [repr(event) for event in part.events] == ["<Event: y@3.5 s>"]
    assert [repr(epoch) for epoch in part.epochs] == ["<Epoch: p@2.5 s for 1.0 s>"]
    np.testing.assert_array_equal(
        part.imagesequences[0].magnitude, np.arange(8.0, 16.0).reshape(2, 2, 2)
    )
    view = part.channelviews[0]
    assert view.obj is short
    assert (view.name, view.annotations, view.array_annotations["w"].tolist()) == (
        "v", {"a": 1}, [9],
    )  # fmt: skip
    part.check_relationships()
    assert part.block is None
    short[0] = [7, 7] * pq.mV
    assert segment.analogsignals[0].magnitude[1].tolist() == [2.0, 3.0]


def test_time_slice_reset(segment):
    part = segment.time_slice(2 * pq.s, 4 * pq.s, reset_time=True)
    assert part.t_start == 0 * pq.s
    assert part.t_stop == 2 * pq.s
    np.testing.assert_array_equal(part.spiketrains[0].magnitude, [0.0, 2000.0])
    assert repr(part.events[0]) == "<Event: y@1.5 s>"
    assert part.analogsignals[0].t_start == 0 * pq.s
    assert part.imagesequences[0].t_start == 0 * pq.s


def test_time_slice_defaults_and_numbers(segment):
    whole = segment.time_slice()
    assert whole.size == segment.size | {"events": 1}
    np.testing.assert_array_equal(
        whole.analogsignals[1].magnitude, segment.analogsignals[1].magnitude
    )
    late = segment.time_slice(6.0)
    assert late.size == {
        "analogsignals": 1, "epochs": 1, "events": 0, "irregularlysampledsignals": 1,
        "spiketrains": 2, "imagesequences": 1,
    }  # fmt: skip
    assert late.channelviews == []
    early = segment.time_slice(None, 2000 * pq.ms, name="early", trial=7)
    assert (early.name, early.annotations) == ("early", {"k": [1, 2], "trial": 7})
    assert [len(signal) for signal in early.analogsignals] == [1, 20]
    shifted = segment.time_slice(6.0, 7.0, reset_time=True)
    assert shifted.t_start == 0 * pq.s


def test_time_slice_of_an_empty_segment():
    part = Segment(name="e", k=1).time_slice()
    assert (part.name, part.annotations, part.children) == ("e", {"k": 1}, ())
    assert Segment().time_slice(1 * pq.s, 2 * pq.s).children == ()


def test_time_slice_leaves_out_signals_without_times():
    segment = Segment()
    segment.add(
        IrregularlySampledSignal([], [], units="V", time_units="s"),
        Event([1.0], units="s"),
    )
    assert segment.time_slice(0, 2).size["irregularlysampledsignals"] == 0


def test_time_slice_turned_around(segment):
    with pytest.raises(ValueError, match=r"t_start \(4.0 s\) is after t_stop \(2.0 s\)"):
        segment.time_slice(4 * pq.s, 2 * pq.s)


def test_names_of_old_versions_are_deprecated(segment):
    with pytest.warns(DeprecationWarning, match="eventarrays is an old name: use Segment.events"):
        assert segment.eventarrays == list(segment.events)
    with pytest.warns(DeprecationWarning, match="epocharrays is an old name"):
        assert segment.epocharrays == list(segment.epochs)
    with pytest.raises(AttributeError):
        segment.eventarrays = []
