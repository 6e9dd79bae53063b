"""Block: attributes, child lists, names of old versions."""

import datetime

import pytest

from ephyrus.core import AnalogSignal, Block, ChannelView, Group, Segment, SpikeTrain

WHEN = datetime.datetime(2021, 3, 4, 5, 6, 7)


def test_attributes():
    block = Block("n", "d", "f.abf", WHEN, WHEN, 3, species="rat", ages=[1, 2])
    assert (block.name, block.description, block.file_origin) == ("n", "d", "f.abf")
    assert (block.file_datetime, block.rec_datetime, block.index) == (WHEN, WHEN, 3)
    assert block.annotations == {"species": "rat", "ages": [1, 2]}
    assert block.parents == ()
    empty = Block()
    assert empty.annotations == {}
    assert (empty.name, empty.rec_datetime, empty.index) == (None, None, None)


def test_annotations_are_checked():
    with pytest.raises(ValueError, match="type set"):
        Block(bad={1})
    block = Block()
    block.annotate(a=1)
    assert block.annotations == {"a": 1}


def test_class_tables():
    assert Block._parent_objects == ()
    assert Block._container_child_objects == ("Segment", "Group")
    assert Block._recommended_attrs == (
        ("file_datetime", datetime.datetime),
        ("rec_datetime", datetime.datetime),
        ("index", int),
        ("name", str),
        ("description", str),
        ("file_origin", str),
    )
    assert Block._repr_pretty_attrs_keys_ == (
        "name", "description", "annotations", "file_origin", "file_datetime", "rec_datetime",
        "index",
    )  # fmt: skip
    assert Block._repr_pretty_containers == ("segments",)


def test_lists_are_of_their_block():
    one, two = Block(), Block()
    one.segments.append(Segment())
    assert len(two.segments) == 0
    assert one.segments is one.segments
    assert one.segments[0].block is one
    group = Group()
    one.groups.append(group)
    assert group.block is one
    with pytest.raises(TypeError, match="holds Segment"):
        one.segments.append(group)


def test_names_of_old_versions_are_deprecated():
    block = Block()
    signal = AnalogSignal([[1.0, 2.0]], units="mV", sampling_rate=_hertz(1))
    channels = Group([signal], name="channels")
    views = Group([ChannelView(signal, [1])], name="views")
    unit = Group([SpikeTrain([], 1.0, units="s")], name="unit")
    channels.groups.append(unit)
    block.groups.extend([channels, views, Group(name="empty")])
    with pytest.warns(DeprecationWarning, match="recordingchannelgroups is an old name"):
        assert block.recordingchannelgroups == [channels, views]
    with pytest.warns(DeprecationWarning, match="Block.units is an old name: use Block.groups"):
        assert block.units == [unit]
    with pytest.raises(AttributeError):
        block.units = []


def _hertz(rate):
    import quantities as pq

    return rate * pq.Hz
