"""Group: membership without ownership."""

import copy

import pytest
import quantities as pq

from ephyrus.core import (
    AnalogSignal,
    Block,
    ChannelView,
    CircularRegionOfInterest,
    Event,
    Group,
    Segment,
    SpikeTrain,
)


def signal():
    return AnalogSignal([[1.0, 2.0]], units="mV", sampling_rate=1 * pq.Hz)


def test_members_keep_their_segment():
    segment = Segment()
    member = signal()
    segment.analogsignals.append(member)
    one, two = Group([member], name="one", k=1), Group([member])
    assert one.analogsignals == two.analogsignals == [member]
    assert member.segment is segment
    assert (one.name, one.annotations) == ("one", {"k": 1})
    assert one.allowed_types is None
    one.check_relationships()


def test_all_kinds_of_members():
    member, train = signal(), SpikeTrain([], 1.0, units="s")
    view, roi = ChannelView(member, [0]), CircularRegionOfInterest(2, 2, 1)
    segment, inner = Segment(), Group()
    group = Group([member, train, view, roi, segment, inner, Event()])
    assert group.analogsignals == [member]
    assert group.spiketrains == [train]
    assert group.channelviews == [view]
    assert group.regionsofinterest == [roi]
    assert group.segments == [segment]
    assert group.groups == [inner]
    assert (segment.block, inner.block, view.group, roi.group) == (None, None, None, None)
    assert type(group.spiketrains).__name__ == "SpikeTrainList"


def test_allowed_types():
    group = Group(allowed_types=[AnalogSignal, SpikeTrain])
    assert group.allowed_types == (AnalogSignal, SpikeTrain)
    group.add(signal())
    with pytest.raises(TypeError, match=r"only contain AnalogSignal, SpikeTrain .*not Event"):
        group.add(Event())
    with pytest.raises(TypeError, match="not Event"):
        Group([Event()], allowed_types=SpikeTrain)
    with pytest.raises(TypeError, match="cannot contain objects of type Block"):
        Group(allowed_types=[Block])
    with pytest.raises(TypeError, match="cannot contain objects of type 'Event'"):
        Group(allowed_types=["Event"])
    with pytest.raises(TypeError, match="cannot add an object of type Block to a Group"):
        Group().add(Block())


def test_subclasses_are_allowed():
    class Mine(SpikeTrain):
        pass

    group = Group(allowed_types=[SpikeTrain])
    group.add(Mine([], 1.0, units="s"))
    assert type(group.spiketrains[0]) is Mine
    assert Group(allowed_types=[Mine]).allowed_types == (Mine,)


def test_walk_goes_depth_first():
    leaf1, leaf2, leaf3 = Group(name="l1"), Group(name="l2"), Group(name="l3")
    branch = Group([leaf1, leaf2], name="b")
    root = Group([branch, leaf3], name="r")
    assert [group.name for group in root.walk()] == ["r", "b", "l1", "l2", "l3"]
    assert root.container_children_recur == (branch, leaf3, leaf1, leaf2)


def test_class_tables():
    assert Group._parent_objects == ("Block",)
    assert Group().parents == (None,)
    assert Group._repr_pretty_containers == ()


def test_deepcopy_keeps_allowed_types():
    group = Group([signal()], allowed_types=[AnalogSignal])
    copied = copy.deepcopy(group)
    assert copied.allowed_types == (AnalogSignal,)
    with pytest.raises(TypeError):
        copied.add(Event())
