"""ObjectList: what it admits, links and refuses, and that it is a whole list."""

import copy
import logging
import operator
import pickle

import pytest

from ephyrus.core import Block, Event, Group, Segment, SpikeTrain
from ephyrus.core.baseneo import BaseNeo
from ephyrus.core.objectlist import ObjectList, _rebuild_list


def make(*names):
    return [Segment(name=name) for name in names]


@pytest.fixture
def filled():
    block = Block()
    items = make("a", "b", "c", "d")
    block.segments.extend(items)
    return block, block.segments, items


class Loader:
    """Makes segments named after their addresses and remembers what it made."""

    def __init__(self, make=None):
        self.calls = []
        self.make = make or (lambda address: Segment(name=str(address)))

    def load_lazy_cascade(self, address, lazy):
        self.calls.append((address, lazy))
        return self.make(address)


def test_append_links_and_keeps_order(filled):
    block, segments, items = filled
    assert list(segments) == items
    assert len(segments) == 4
    assert all(item.block is block for item in items)
    assert segments.parent is block
    assert segments.allowed_contents == (Segment,)


@pytest.mark.parametrize("classes", [[Event, Segment], (Event, Segment)])
def test_classes_may_be_any_sequence(classes):
    mixed = ObjectList(classes)
    assert mixed.allowed_contents == (Event, Segment)
    items = [Event(), Segment()]
    mixed.extend(items)
    assert [*map(id, mixed)] == [*map(id, items)]
    with pytest.raises(TypeError):
        mixed.append(Block())


def test_admits_only_allowed_classes(filled):
    _, segments, items = filled
    with pytest.raises(TypeError, match="holds Segment objects, not Block"):
        segments.append(Block())
    with pytest.raises(TypeError, match="not int"):
        segments.extend([Segment(), 3])
    assert list(segments) == items


def test_refuses_an_object_twice(filled):
    _, segments, items = filled
    with pytest.raises(ValueError, match=r"already in the list.*'b'"):
        segments.append(items[1])
    fresh = Segment()
    with pytest.raises(ValueError, match="given twice"):
        segments.extend([fresh, fresh])
    assert list(segments) == items
    assert fresh.block is None


def test_allowed_contents_must_be_baseneo_classes():
    with pytest.raises(TypeError, match="not <class 'int'>"):
        ObjectList((Segment, int))
    with pytest.raises(TypeError, match="not 'S'"):
        ObjectList("Segment")


def test_several_classes_and_stand_ins():
    class Proxy(BaseNeo):
        proxy_for = Segment

    either = ObjectList((Segment, Group))
    either.append(Segment(name="s"))
    either.append(Group(name="g"))
    either.append(Proxy(name="p"))
    assert [item.name for item in either] == ["s", "g", "p"]
    Proxy.proxy_for = Block
    with pytest.raises(TypeError, match="Segment or Group objects, not Proxy"):
        either.append(Proxy())


def test_surprise_20_whole_list_interface(filled):
    block, segments, (a, b, c, d) = filled
    assert segments[1] is b
    assert segments[-1] is d
    assert type(segments[1:3]) is list
    assert segments[1:3] == [b, c]
    assert list(reversed(segments)) == [d, c, b, a]
    assert segments.copy() == [a, b, c, d]
    assert type(segments.copy()) is list
    segments.reverse()
    assert segments == [d, c, b, a]
    segments.sort(key=lambda segment: segment.name)
    assert segments == [a, b, c, d]
    segments.sort(key=lambda segment: segment.name, reverse=True)
    assert segments == [d, c, b, a]
    del segments[0]
    assert segments == [c, b, a]
    assert segments.pop() is a
    assert segments.pop(0) is c
    segments.insert(0, d)
    assert segments == [d, b]
    segments[1:1] = (a, c)
    assert segments == [d, a, c, b]
    del segments[::2]
    assert segments == [a, b]
    segments.remove(a)
    assert segments == [b]
    segments.clear()
    assert len(segments) == 0
    segments.append(b)
    assert segments == (b,)
    assert b.block is block


def test_surprise_20_assigning_an_item_checks_and_links(filled):
    block, segments, (a, b, c, d) = filled
    new = Segment(name="new")
    segments[1] = new
    assert segments == [a, new, c, d]
    assert new.block is block
    assert b not in segments
    segments[1] = new
    assert segments == [a, new, c, d]
    with pytest.raises(ValueError, match="already in the list"):
        segments[0] = c
    with pytest.raises(TypeError, match="not Block"):
        segments[0] = Block()
    with pytest.raises(IndexError):
        segments[4] = Segment()
    assert segments == [a, new, c, d]
    segments.append(b)
    assert segments[-1] is b


def test_surprise_20_any_iterable_replaces_the_contents():
    block = Block()
    a, b, c = make("a", "b", "c")
    block.segments = (a, b)
    assert block.segments == [a, b]
    block.segments = (segment for segment in (b, c))
    assert block.segments == [b, c]
    assert c.block is block
    block.segments += [a]
    assert block.segments == [b, c, a]
    block.segments = block.segments[::-1]
    assert block.segments == [a, c, b]


def test_a_refused_replacement_changes_nothing(filled):
    block, segments, items = filled
    with pytest.raises(TypeError):
        block.segments = [Segment(), "x"]
    with pytest.raises(ValueError, match="extended slice"):
        segments[::2] = make("x")
    assert segments == items
    with pytest.raises(ValueError, match="already in the list"):
        segments.append(items[0])


def test_plus_gives_a_plain_list(filled):
    _, segments, items = filled
    other = Segment()
    joined = operator.add(segments, [other])
    assert type(joined) is list
    assert joined == [*items, other]
    assert operator.add([other], segments) == [other, *items]
    assert segments == items


def test_membership_goes_by_identity():
    segment = Segment()
    one = SpikeTrain([1.0], 2.0, units="s")
    twin = SpikeTrain([1.0], 2.0, units="s")
    segment.spiketrains.append(one)
    segment.events.extend([Event([1.0], units="s"), Event([1.0], units="s")])
    assert one in segment.spiketrains
    assert twin not in segment.spiketrains
    assert segment.spiketrains.index(one) == 0
    with pytest.raises(ValueError, match="SpikeTrain is not in the list"):
        segment.spiketrains.index(twin)
    assert segment.events.index(segment.events[1], 1) == 1
    with pytest.raises(ValueError, match="not in the list"):
        segment.events.index(segment.events[1], 0, 1)
    assert segment.events.count(segment.events[1]) == 1
    assert segment.spiketrains.count(twin) == 0
    segment.events.remove(segment.events[1])
    assert len(segment.events) == 1
    with pytest.raises(ValueError, match="not in the list"):
        segment.spiketrains.remove(twin)
    segment.spiketrains.append(twin)
    assert segment.spiketrains == [one, twin]
    assert segment.spiketrains != [twin, one]
    assert segment.spiketrains != [one]
    assert segment.spiketrains != 3


def test_lists_are_not_hashable(filled):
    with pytest.raises(TypeError, match="unhashable"):
        hash(filled[1])


def test_surprise_21_membership_is_kept_in_a_set(filled):
    _, segments, items = filled
    assert segments._load_ids() == {id(item) for item in items}
    removed = segments.pop(1)
    assert id(removed) not in segments._load_ids()
    segments[0:2] = []
    assert segments._load_ids() == {id(items[3])}


def test_surprise_23_moving_an_object_is_logged(caplog):
    one, two, segment = Block(name="one"), Block(name="two"), Segment(name="s")
    one.segments.append(segment)
    with caplog.at_level(logging.DEBUG, logger="ephyrus.core.objectlist"):
        two.segments.append(segment)
    assert segment.block is two
    assert segment in one.segments
    assert (
        "Segment 's' moves from <Block 'one' with 1 segments> to <Block 'two' with no children>"
    ) in caplog.text
    with pytest.raises(AttributeError, match="Segment 's' is listed by <Block 'one'"):
        one.check_relationships()


def test_copies(filled):
    block, segments, items = filled
    shallow = copy.copy(segments)
    shallow.append(Segment(name="e"))
    assert len(segments) == 4
    assert shallow[0] is items[0]
    deep = copy.deepcopy(segments)
    assert [segment.name for segment in deep] == ["a", "b", "c", "d"]
    assert deep[0] is not items[0]
    assert deep[0].block is None
    assert deep.parent is None
    again = pickle.loads(pickle.dumps(segments))
    assert [segment.name for segment in again] == ["a", "b", "c", "d"]
    assert again.parent.segments[2] is again[2]
    assert again[1].block is again.parent
    with pytest.raises(ValueError, match="already"):
        again.append(again[0])
    assert block.segments is segments


def test_moving_is_quiet_without_another_parent(caplog):
    block, group = Block(), ObjectList(Segment)
    segment = Segment()
    with caplog.at_level(logging.DEBUG, logger="ephyrus.core.objectlist"):
        group.append(segment)
        block.segments.append(segment)
        del block.segments[0]
        block.segments.append(segment)
    assert caplog.text == ""


def test_repr_is_that_of_a_list(filled):
    assert repr(filled[1]) == str(filled[2]) == str(filled[1])


# --- deferred items ---------------------------------------------------------------------------


def deferred(count=3, **kwargs):
    block, loader = Block(), Loader()
    block.segments._defer(range(count), loader, **kwargs)
    return block, loader


def test_len_loads_nothing_and_touching_loads_one():
    block, loader = deferred()
    assert len(block.segments) == 3
    assert bool(block.segments)
    assert block.size == {"segments": 3, "groups": 0}
    assert loader.calls == []
    second = block.segments[1]
    assert loader.calls == [(1, False)]
    assert (second.name, second.block) == ("1", block)
    assert block.segments[1] is second
    assert block.segments[-2] is second
    assert second in block.segments
    assert loader.calls == [(1, False)]


def test_slices_and_iteration_load_what_they_reach():
    block, loader = deferred(5, lazy=True)
    assert [segment.name for segment in block.segments[1:4:2]] == ["1", "3"]
    assert loader.calls == [(1, True), (3, True)]
    assert next(iter(block.segments)).name == "0"
    assert len(loader.calls) == 3
    assert [segment.name for segment in block.segments] == ["0", "1", "2", "3", "4"]
    assert len(loader.calls) == 5
    assert [segment.name for segment in block.segments] == ["0", "1", "2", "3", "4"]
    assert len(loader.calls) == 5
    with pytest.raises(ValueError, match="already"):
        block.segments.append(block.segments[4])


def test_deferred_items_move_with_the_list():
    block, loader = deferred(4)
    new = Segment(name="new")
    block.segments.append(new)
    block.segments.reverse()
    del block.segments[1]
    block.segments[0:1] = []
    assert len(block.segments) == 3
    assert loader.calls == []
    assert [segment.name for segment in block.segments] == ["2", "1", "0"]
    assert not block.segments._pending


def test_a_refused_replacement_keeps_deferred_items():
    block, loader = deferred(2)
    with pytest.raises(TypeError):
        block.segments = ["x"]
    assert loader.calls == []
    assert [segment.name for segment in block.segments] == ["0", "1"]


def test_pop_sort_repr_and_reversed_load():
    block, loader = deferred(3)
    assert block.segments.pop().name == "2"
    assert loader.calls == [(2, False)]
    assert [segment.name for segment in reversed(block.segments)] == ["1", "0"]
    block, _ = deferred(3)
    block.segments.sort(key=lambda segment: -int(segment.name))
    assert [segment.name for segment in block.segments] == ["2", "1", "0"]
    block, _ = deferred(1)
    assert repr(block.segments) == "[<Segment '0' with no children>]"


def test_a_loader_of_the_wrong_class_is_refused():
    block = Block()
    block.segments._defer(["x"], Loader(make=lambda _: Group()))
    with pytest.raises(TypeError, match="holds Segment objects, not Group"):
        _ = block.segments[0]


def test_a_loader_that_touches_the_list_itself_gives_one_object():
    block = Block()
    inner = []

    def make(address):
        if not inner:
            inner.append(None)
            inner[0] = block.segments[0]
        return Segment(name=str(len(inner)))

    block.segments._defer(["x"], Loader(make))
    first = block.segments[0]
    assert first is inner[0] is block.segments[0]
    assert block.segments._pending == 0


def test_an_item_that_two_lists_share_is_loaded_once():
    loader = Loader()
    one = Block()
    one.segments._defer(["x"], loader)
    item = one.segments._items[0]
    assert item.load() is item.load()
    assert one.segments[0] is item.load()
    assert loader.calls == [("x", False)]


def test_only_child_lists_are_rebuilt():
    with pytest.raises(TypeError, match="dict is not a child list"):
        _rebuild_list(dict)


def test_clearing_forgets_deferred_items():
    block, loader = deferred(3)
    block.segments.clear()
    assert list(block.segments) == []
    assert loader.calls == []


def test_pickles_and_copies_of_deferred_items_are_loaded():
    block, _ = deferred(2)
    again = pickle.loads(pickle.dumps(block))
    assert [segment.name for segment in again.segments] == ["0", "1"]
    assert again.segments[0].block is again
    block, _ = deferred(2)
    twin = copy.deepcopy(block)
    assert [segment.name for segment in twin.segments] == ["0", "1"]
    assert twin.segments[1].block is twin
    assert twin.segments[1] is not block.segments[1]


def test_two_threads_get_one_object():
    from concurrent.futures import ThreadPoolExecutor

    block, _ = deferred(50)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda index: block.segments[index % 50], range(400)))
    assert len({id(segment) for segment in found}) == 50
    assert block.segments._pending == 0
