"""Containers: children, adding, links, merging, copies and pickles."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import (
    AnalogSignal,
    Block,
    ChannelView,
    Epoch,
    Event,
    Group,
    RectangularRegionOfInterest,
    Segment,
    SpikeTrain,
)
from ephyrus.core.container import ChildList, Container, unique_objs
from ephyrus.core.dataobject import DataObject


def signal(name=None, value=0.0, channels=1):
    return AnalogSignal(
        np.full((4, channels), value), units="mV", sampling_rate=1 * pq.Hz, name=name
    )


def train(name=None, times=(1.0, 2.0)):
    return SpikeTrain(list(times), 10.0, units="s", name=name)


@pytest.fixture
def tree():
    """One block, two segments, a group of a signal, a train and a view, and a subgroup."""
    block = Block(name="B", subject="m1")
    for number in (0, 1):
        segment = Segment(name=f"S{number}", index=number)
        segment.analogsignals.append(signal(f"sig{number}", number))
        segment.spiketrains.append(train(f"train{number}"))
        segment.events.append(Event([1.0], labels=["x"], units="s", name=f"ev{number}"))
        block.segments.append(segment)
    first = block.segments[0]
    inner = Group([first.events[0]], name="inner")
    view = ChannelView(first.analogsignals[0], [0], name="view")
    group = Group([first.analogsignals[0], first.spiketrains[0], view, inner], name="G")
    block.groups.append(group)
    return block


def test_children(tree):
    s0, s1 = tree.segments
    group = tree.groups[0]
    inner = group.groups[0]
    view = group.channelviews[0]
    assert tree.data_children == ()
    assert tree.container_children == (s0, s1, group)
    assert tree.children == (s0, s1, group)
    assert tree.container_children_recur == (s0, s1, group, inner)
    expected = [
        s0.analogsignals[0], s0.events[0], s0.spiketrains[0],
        s1.analogsignals[0], s1.events[0], s1.spiketrains[0],
        view,
    ]  # fmt: skip
    assert [id(child) for child in tree.data_children_recur] == [id(child) for child in expected]
    assert len(tree.children_recur) == 11
    assert [id(child) for child in s0.children] == [id(child) for child in expected[:3]]
    assert group.container_children == (inner,)
    assert [id(c) for c in group.data_children] == [id(expected[0]), id(expected[2]), id(view)]


def test_sizes_and_names_of_lists(tree):
    assert tree.size == {"segments": 2, "groups": 1}
    assert tree.segments[0].size == {
        "analogsignals": 1, "epochs": 0, "events": 1, "irregularlysampledsignals": 0,
        "spiketrains": 1, "imagesequences": 0,
    }  # fmt: skip
    assert tree.groups[0].size == {
        "groups": 1, "analogsignals": 1, "irregularlysampledsignals": 0, "spiketrains": 1,
        "events": 0, "epochs": 0, "channelviews": 1, "imagesequences": 0, "regionsofinterest": 0,
    }  # fmt: skip
    assert Block()._child_objects == ("Segment", "Group")
    assert Block()._child_containers == ("segments", "groups")
    assert Block()._data_child_objects == ()
    assert Segment()._data_child_objects == (
        "AnalogSignal", "Epoch", "Event", "IrregularlySampledSignal", "SpikeTrain",
        "ImageSequence",
    )  # fmt: skip
    assert Segment()._container_child_containers == ()
    assert Group()._container_child_objects == ("Group",)
    assert Group()._data_child_objects == (
        "AnalogSignal", "IrregularlySampledSignal", "SpikeTrain", "Event", "Epoch",
        "ChannelView", "ImageSequence", "CircularRegionOfInterest",
        "RectangularRegionOfInterest", "PolygonRegionOfInterest",
    )  # fmt: skip
    assert Group()._data_child_containers[-1] == "regionsofinterest"
    assert Container()._child_objects == ()
    assert Container()._single_children == ()
    assert Segment._repr_pretty_containers == ("analogsignals",)
    assert [name for name, *_ in Block()._all_attrs] == [
        "file_datetime", "rec_datetime", "index", "name", "description", "file_origin",
    ]  # fmt: skip


def test_add_sorts_by_class(tree):
    segment = Segment()
    sig, spikes, event, epoch = signal(), train(), Event(), Epoch()
    segment.add(spikes, event, sig, epoch)
    assert segment.analogsignals == [sig]
    assert segment.spiketrains == [spikes]
    assert segment.events == [event]
    assert segment.epochs == [epoch]
    assert sig.segment is segment
    block = Block()
    block.add(segment, Group(name="g"))
    assert block.size == {"segments": 1, "groups": 1}
    roi = RectangularRegionOfInterest(2, 2, 1, 1)
    group = Group([roi])
    assert group.regionsofinterest == [roi]


def test_add_refuses_what_does_not_belong():
    segment = Segment()
    with pytest.raises(
        TypeError, match=r"object of type Block to a Segment, only .*AnalogSignal, Epoch"
    ):
        segment.add(signal(), Block())
    assert segment.analogsignals == []
    with pytest.raises(TypeError, match="type int to a Block"):
        Block().add(3)
    sig = signal()
    segment.add(sig)
    with pytest.raises(ValueError, match="already in the list"):
        segment.add(sig)


def test_subclasses_of_users_find_their_list():
    class MyTrain(SpikeTrain):
        pass

    class MySegment(Segment):
        pass

    mine = MyTrain([1.0], 2.0, units="s")
    segment = MySegment(name="mine")
    segment.add(mine)
    block = Block()
    block.add(segment)
    assert segment.spiketrains == [mine]
    assert segment.block is block
    assert mine.segment is segment
    assert repr(segment) == "<MySegment 'mine' with 1 spiketrains>"
    assert block.list_children_by_class("MyTrain") == [mine]


def test_list_children_by_class(tree):
    signals = [segment.analogsignals[0] for segment in tree.segments]
    assert tree.list_children_by_class(AnalogSignal) == signals
    assert tree.list_children_by_class("AnalogSignal") == signals
    assert tree.list_children_by_class("ChannelView") == [tree.groups[0].channelviews[0]]
    assert tree.list_children_by_class(Group) == [tree.groups[0], tree.groups[0].groups[0]]
    assert len(tree.list_children_by_class(DataObject)) == 6
    assert tree.list_children_by_class(Epoch) == []
    assert tree.segments[0].list_children_by_class(SpikeTrain) == [tree.segments[0].spiketrains[0]]


def test_unique_objs():
    a, b = signal(), signal()
    assert [id(o) for o in unique_objs([a, b, a, b, a])] == [id(a), id(b)]


def test_surprise_37_reprs(tree):
    assert repr(tree) == "<Block 'B' with 2 segments, 1 groups>"
    assert repr(tree.segments[0]) == "<Segment 'S0' with 1 analogsignals, 1 events, 1 spiketrains>"
    assert repr(Group()) == "<Group with no children>"
    assert str(tree) == repr(tree)


def test_pretty_printing(tree):
    lines = []

    class Printer:
        text = staticmethod(lines.append)

        def break_(self):
            lines.append("\n")

        def pretty(self, value):
            lines.append(repr(value))

    tree._repr_pretty_(Printer(), cycle=False)
    assert "".join(lines) == (
        "Block with 2 segments, 1 groups\nname: 'B'\nannotations: {'subject': 'm1'}"
    )


def test_relationships(tree):
    tree.check_relationships()
    sig = tree.segments[1].analogsignals[0]
    sig.segment = None
    with pytest.raises(AttributeError, match="AnalogSignal 'sig1' is listed by <Segment 'S1'"):
        tree.check_relationships()
    tree.check_relationships(recursive=False)
    tree.create_relationship(recursive=False)
    assert sig.segment is None
    tree.create_relationship()
    assert sig.segment is tree.segments[1]
    other = Segment()
    sig.segment = other
    tree.create_relationship()
    assert sig.segment is other
    tree.create_relationship(force=True)
    assert sig.segment is tree.segments[1]
    tree.check_relationships()


def test_set_parent_and_parents(tree):
    segment = tree.segments[0]
    assert segment.parents == (tree,)
    assert tree.parents == ()
    with pytest.raises(TypeError, match="Segment cannot have a parent of type Group"):
        segment.set_parent(Group())


def assert_same_tree(copied, original):
    """The copy has the same names and links, all within itself."""
    assert [s.name for s in copied.segments] == [s.name for s in original.segments]
    copied.check_relationships()
    for mine, theirs in zip(copied.children_recur, original.children_recur, strict=True):
        assert type(mine) is type(theirs)
        assert mine is not theirs
        assert mine.name == theirs.name
    group, first = copied.groups[0], copied.segments[0]
    assert group.analogsignals[0] is first.analogsignals[0]
    assert group.spiketrains[0] is first.spiketrains[0]
    assert group.channelviews[0].obj is first.analogsignals[0]
    assert group.groups[0].events[0] is first.events[0]
    assert copied.annotations == original.annotations
    assert copied.annotations is not original.annotations
    np.testing.assert_array_equal(copied.segments[1].analogsignals[0].magnitude, np.ones((4, 1)))


def test_deepcopy_of_a_block(tree):
    copied = copy.deepcopy(tree)
    assert_same_tree(copied, tree)
    copied.segments[0].analogsignals[0][0] = 7 * pq.mV
    assert tree.segments[0].analogsignals[0].magnitude[0, 0] == 0.0
    copied.segments.append(Segment())
    assert len(tree.segments) == 2


def test_copy_of_a_container_lists_the_same_objects(tree):
    segment = tree.segments[0]
    copied = copy.copy(segment)
    assert copied.block is tree
    assert copied.analogsignals == segment.analogsignals
    copied.analogsignals.append(signal())
    copied.annotate(new=1)
    assert len(segment.analogsignals) == 1
    assert segment.annotations == {}
    assert segment.analogsignals[0].segment is segment
    assert copied.analogsignals[1].segment is copied
    assert list(copied.events.copy()) == list(segment.events)


def test_deepcopy_of_a_segment_leaves_its_block(tree):
    copied = copy.deepcopy(tree.segments[1])
    assert copied.block is None
    assert copied.spiketrains[0].segment is copied
    assert copied.index == 1
    copied.spiketrains.append(train())
    assert len(tree.segments[1].spiketrains) == 1


def test_deepcopy_of_a_group_copies_its_members(tree):
    copied = copy.deepcopy(tree.groups[0])
    assert copied.block is None
    assert copied.analogsignals[0] is not tree.groups[0].analogsignals[0]
    assert copied.analogsignals[0].segment is None
    assert copied.channelviews[0].obj is copied.analogsignals[0]


def test_pickle_of_a_block(tree):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert_same_tree(pickle.loads(pickle.dumps(tree, protocol)), tree)


def test_surprise_24_links_in_pickles(tree):
    child = pickle.loads(pickle.dumps(tree)).segments[0].analogsignals[0]
    assert child.segment.block.name == "B"
    alone = pickle.loads(pickle.dumps(tree.segments[0].spiketrains[0]))
    assert alone.segment.block.segments[0].spiketrains[0] is alone
    detached = pickle.loads(pickle.dumps(tree.segments[0].spiketrains[0].detached()))
    assert detached.segment is None
    assert len(pickle.dumps(tree.segments[0].spiketrains[0].detached())) < 600


def test_empty_containers_survive():
    for container in (Block(name="b"), Segment(name="s", index=3), Group(name="g")):
        again = pickle.loads(pickle.dumps(container))
        assert again.__getstate__() == container.__getstate__()
        assert copy.deepcopy(container).name == container.name
        assert container.children == ()
    segment = Segment()
    assert list(segment.events) == []
    assert list(copy.deepcopy(segment).events) == []
    assert list(pickle.loads(pickle.dumps(segment)).events) == []


def test_child_lists_on_the_class():
    assert isinstance(Segment.analogsignals, ChildList)


def test_deferred_lists_count_without_loading():
    class Loader:
        def load_lazy_cascade(self, address, lazy):
            return signal(address)

    segment = Segment()
    segment.analogsignals._defer(["a", "b"], Loader())
    assert segment.size["analogsignals"] == 2
    assert repr(segment) == "<Segment with 2 analogsignals>"
    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(lambda _: id(segment.analogsignals[1]), range(20)))
    assert len(ids) == 1
    assert segment.analogsignals[1].segment is segment


# --- merging ----------------------------------------------------------------------------------


def test_merge_appends_what_has_other_names():
    one, two = Segment(name="s", k="a"), Segment(name="t", k="b", only=1)
    a, b, unnamed = signal("a"), signal("b"), signal()
    one.analogsignals.append(a)
    two.analogsignals.extend([b, unnamed])
    two.events.append(Event([1.0], units="s"))
    one.merge(two)
    assert one.analogsignals == [a, b, unnamed]
    assert b.segment is one
    assert one.events[0].segment is one
    assert one.annotations == {"k": "a;b", "only": 1}
    assert one.name == "s"
    assert len(two.analogsignals) == 2


def test_merge_joins_namesakes():
    one, two = Segment(), Segment()
    one.add(signal("x", 1.0), train("t", [1.0, 3.0]), Event([1.0], ["a"], "s", name="e"))
    two.add(signal("x", 2.0), train("t", [2.0]), Event([2.0], ["b"], "s", name="e"))
    one.merge(two)
    assert one.size["analogsignals"] == one.size["spiketrains"] == one.size["events"] == 1
    np.testing.assert_array_equal(
        one.analogsignals[0].magnitude, np.column_stack([np.full(4, 1.0), np.full(4, 2.0)])
    )
    np.testing.assert_array_equal(one.spiketrains[0].magnitude, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(one.events[0].magnitude, [1.0, 2.0])
    assert one.events[0].labels.tolist() == ["a", "b"]
    one.check_relationships()
    two.check_relationships()
    np.testing.assert_array_equal(two.spiketrains[0].magnitude, [2.0])


def test_merge_appends_namesakes_that_cannot_be_joined():
    one, two = Segment(), Segment()
    one.add(signal("x"), train("t"))
    fast = AnalogSignal([1.0], units="mV", sampling_rate=9 * pq.Hz, name="x")
    longer = SpikeTrain([1.0], 99.0, units="s", name="t")
    two.add(fast, longer)
    one.merge(two)
    assert one.analogsignals[1] is fast
    assert one.spiketrains[1] is longer
    assert longer.segment is fast.segment is one


def test_merge_appends_namesakes_of_other_kinds():
    class Special(SpikeTrain):
        pass

    one, two = Segment(), Segment()
    one.add(train("t"))
    one.channelviews.append(ChannelView(signal(), [0], name="v"))
    special = Special([1.0], 10.0, units="s", name="t")
    view = ChannelView(signal(), [0], name="v")
    two.add(special)
    two.channelviews.append(view)
    one.merge(two)
    assert one.spiketrains[1] is special
    assert one.channelviews[1] is view


def test_merge_of_three_joins_all():
    parts = [Segment() for _ in range(3)]
    for number, part in enumerate(parts):
        part.add(train("t", [float(number)]))
    parts[0].merge(*parts[1:])
    assert [t.magnitude.tolist() for t in parts[0].spiketrains] == [[0.0, 1.0, 2.0]]


def test_merge_skips_what_is_there():
    one, two = Segment(), Segment()
    shared = signal("x")
    one.analogsignals.append(shared)
    two.analogsignals.append(shared)
    one.merge(two)
    assert one.analogsignals == [shared]
    one.merge(one)
    assert one.analogsignals == [shared]


def test_merge_of_blocks_merges_containers_of_one_name():
    def block(value):
        made = Block()
        segment = Segment(name="s", k=str(value))
        segment.add(signal("x", value), Event([float(value)], units="s"))
        made.segments.append(segment)
        made.groups.append(Group([segment.analogsignals[0]], name="g"))
        return made

    one, two = block(1), block(2)
    only_here = Group([one.segments[0].analogsignals[0], SpikeTrain([], 1.0, units="s")])
    one.groups.append(only_here)
    two.segments.append(Segment(name="other"))
    one.merge(two)
    assert [segment.name for segment in one.segments] == ["s", "other"]
    merged = one.segments[0].analogsignals[0]
    np.testing.assert_array_equal(merged.magnitude[0], [1.0, 2.0])
    assert one.segments[0].annotations == {"k": "1;2"}
    assert [float(event[0]) for event in one.segments[0].events] == [1.0, 2.0]
    assert one.groups[0].analogsignals == [merged]
    assert only_here.analogsignals == [merged]
    assert len(only_here.spiketrains) == 1
    one.check_relationships()


def test_members_of_groups_are_never_joined():
    one, two = Segment(), Segment()
    a, b = train("unit 0"), train("unit 0")
    one.add(a)
    two.add(b)
    group = Group([a], name="g")
    group.merge(Group([b], name="g"))
    assert group.spiketrains == [a, b]
    assert len(one.spiketrains) == 1
    assert b.segment is two


def test_merge_takes_several_and_refuses_other_classes():
    one = Segment()
    one.merge(Segment(a=1), Segment(b=2))
    assert one.annotations == {"a": 1, "b": 2}
    with pytest.raises(TypeError, match="a Segment cannot be merged with a Block"):
        one.merge(Segment(c=3), Block())
    assert one.annotations == {"a": 1, "b": 2}
    with pytest.raises(TypeError, match="a Block cannot be merged with a Segment"):
        Block().merge(Segment())
