"""Container.filter and filterdata: terms, classes, order, results."""

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
    Segment,
    SpikeTrain,
)
from ephyrus.core.container import filterdata
from ephyrus.core.dataobject import DataObject
from ephyrus.core.filters import Equals, GreaterThan, IsIn, LessThan, Not
from ephyrus.core.spiketrainlist import SpikeTrainList
from tests.core.fake_sources import FakePoints


def train(name, **annotations):
    return SpikeTrain([1.0], 5.0, units="s", name=name, **annotations)


@pytest.fixture
def block():
    """Two segments of a signal, two trains and an event each; a group with a subgroup."""
    block = Block(name="B")
    for number in (0, 1):
        segment = Segment(name=f"S{number}", index=number, kind="trial")
        segment.analogsignals.append(
            AnalogSignal(
                [[1.0, 2.0]], units="mV", sampling_rate=(1 + number) * pq.kHz, name=f"sig{number}",
                kind="lfp", array_annotations={"electrode": [10 * number, 10 * number + 1]},
            )
        )  # fmt: skip
        segment.spiketrains.append(train(f"a{number}", unit=3, quality="good"))
        segment.spiketrains.append(train(f"b{number}", unit=4, quality="bad"))
        segment.events.append(Event([1.0, 2.0], ["x", "y"], "s", name=f"ev{number}", kind="stim"))
        block.segments.append(segment)
    first = block.segments[0]
    view = ChannelView(first.analogsignals[0], [0], name="view", kind="lfp")
    inner = Group([first.events[0]], name="inner", kind="trial")
    block.groups.append(Group([first.spiketrains[0], view, inner], name="G"))
    return block


def names(found):
    return [obj.name for obj in found]


def test_without_terms_everything_is_found(block):
    data = ["sig0", "ev0", "a0", "b0", "sig1", "ev1", "a1", "b1", "view"]
    assert names(block.filter()) == data
    assert names(block.filter({})) == data
    assert names(block.filter([{}])) == data
    assert names(block.filter(container=True)) == [*data, "S0", "S1", "G", "inner"]
    assert names(block.filter(data=False, container=True)) == ["S0", "S1", "G", "inner"]
    assert block.filter(data=False) == []
    assert block.filter(recursive=False) == []
    assert names(block.filter(recursive=False, container=True)) == ["S0", "S1", "G"]
    assert names(block.segments[0].filter()) == data[:4]


def test_terms_look_at_attributes_and_annotations(block):
    assert names(block.filter(name="sig1")) == ["sig1"]
    assert names(block.filter(kind="lfp")) == ["sig0", "sig1", "view"]
    assert names(block.filter({"unit": 3})) == ["a0", "a1"]
    assert names(block.filter(kind="trial", container=True)) == ["S0", "S1", "inner"]
    assert names(block.filter(index=1, container=True, data=False)) == ["S1"]
    assert names(block.filter(sampling_rate=2000 * pq.Hz)) == ["sig1"]
    assert names(block.filter(segment=block.segments[1])) == ["sig1", "ev1", "a1", "b1"]
    block.segments[0].spiketrains[1].mark = 7  # an attribute of the user
    assert names(block.filter(mark=7)) == ["b0"]
    assert names(block.filter(nothing=1)) == []


def test_surprise_32_any_or_all(block):
    assert names(block.filter(unit=3, quality="bad")) == ["a0", "b0", "a1", "b1"]
    assert names(block.filter(unit=3, quality="bad", match="any")) == ["a0", "b0", "a1", "b1"]
    assert names(block.filter(unit=3, quality="good", match="all")) == ["a0", "a1"]
    assert names(block.filter(unit=3, quality="bad", match="all")) == []
    assert names(block.filter({"name": "a1", "unit": 4})) == ["b0", "a1", "b1"]
    assert names(block.filter({"name": "a1", "unit": 3}, match="all")) == ["a1"]
    with pytest.raises(ValueError, match="match must be 'any' or 'all', not 'some'"):
        block.filter(unit=3, match="some")


def test_several_dicts_are_applied_one_after_the_other(block):
    assert names(block.filter([{"unit": 3, "name": "b1"}, {"quality": "bad"}])) == ["b1"]
    assert names(block.filter([{"unit": 3}, {}, {"name": "a1"}])) == ["a1"]
    assert names(block.filter({"unit": 3, "name": "b1"}, quality="good")) == ["a0", "a1"]
    assert names(block.filter(({"unit": 3},), name="a0")) == ["a0"]


def test_surprise_32_arrays_are_compared_without_errors(block):
    odd = train("odd", unit=np.array([3, 4]), quality=[1, 2])
    block.segments[1].spiketrains.append(odd)
    assert names(block.filter(unit=3)) == ["a0", "a1"]
    assert names(block.filter(unit=np.array([3, 4]))) == ["odd"]
    assert names(block.filter(unit=[3, 4])) == ["odd"]
    assert names(block.filter(quality=[1, 2])) == ["odd"]
    assert names(block.filter(times=[1.0, 2.0] * pq.s)) == ["ev0", "ev1"]
    assert names(block.filter(labels=["x", "y"])) == ["ev0", "ev1"]
    assert names(block.filter(times=1.0)) == ["a0", "b0", "a1", "b1", "odd"]


def test_surprise_32_conditions_look_at_attributes_and_array_annotations(block):
    assert names(block.filter(unit=GreaterThan(3))) == ["b0", "b1"]
    assert names(block.filter(quality=Not(Equals("good")))) == ["b0", "b1"]
    assert names(block.filter(name=IsIn(["a0", "sig1", "S0"]))) == ["a0", "sig1"][::1]
    assert names(block.filter(electrode=Equals(11))) == ["sig1"]
    assert names(block.filter(electrode=LessThan(11))) == ["sig0", "sig1"]
    assert names(block.filter(labels=Equals("y"))) == ["ev0", "ev1"]
    assert names(block.filter(sampling_rate=GreaterThan(1.5 * pq.kHz))) == ["sig1"]
    # a plain value is not looked for in array annotations, as in Neo
    assert names(block.filter(electrode=11)) == []


def test_conditions_read_array_annotations_of_lazy_objects():
    source = FakePoints([1.0, 2.0], [[0.0], [0.0]], {"trial": np.array([3, 9])})
    lazy = Event._create(
        np.empty(0), np.empty(0, "U1"), name="lazy", t_start=0.0, t_stop=3.0, source=source
    )
    segment = Segment()
    segment.events.append(lazy)
    assert names(segment.filter(name="lazy")) == ["lazy"]
    assert source.reads == []
    assert names(segment.filter(trial=GreaterThan(8))) == ["lazy"]
    assert names(segment.filter(trial=GreaterThan(9))) == []
    assert lazy.lazy_shape == (2,)


def test_objects_selects_classes(block):
    assert names(block.filter(objects=AnalogSignal)) == ["sig0", "sig1"]
    assert names(block.filter(objects="Event", name="ev1")) == ["ev1"]
    assert names(block.filter(objects=[Event, "Segment"])) == ["ev0", "ev1", "S0", "S1"]
    assert names(block.filter(objects=Segment, data=False)) == ["S0", "S1"]
    assert names(block.filter(objects=Group, kind="trial")) == ["inner"]
    assert names(block.filter(objects=DataObject, kind="stim")) == ["ev0", "ev1"]
    assert block.filter(objects=Epoch) == []
    assert block.filter(objects=()) == []
    with pytest.raises(TypeError, match="objects must be a class"):
        block.filter(objects=3)
    with pytest.raises(TypeError, match="classes or names of classes, not 3"):
        block.filter(objects=[Event, 3])


def test_stand_ins_count_as_their_class():
    class Other:
        def __init__(self, name):
            self.name = name
            self.annotations = {"kind": "stim"}

    class Proxy(Other):
        proxy_for = Event

    both = [Proxy("p"), Other("o")]
    assert names(filterdata(both, objects=Event)) == ["p"]
    assert names(filterdata(both, kind="stim")) == ["p", "o"]


def test_results_are_spike_train_lists_where_all_are_trains(block):
    found = block.filter(unit=3)
    assert type(found) is SpikeTrainList
    assert found[0] is block.segments[0].spiketrains[0]
    assert found[0].segment is block.segments[0]
    assert found.multiplexed[0].tolist() == [0, 1]
    assert type(block.filter(objects=SpikeTrain, unit=99)) is SpikeTrainList
    assert len(block.filter(objects="SpikeTrain", unit=99)) == 0
    assert type(block.filter(unit=99)) is list
    assert type(block.filter(kind="lfp")) is list
    found.append(train("more"))
    assert len(found) == 3
    assert len(block.segments[0].spiketrains) == 2


def test_each_object_is_found_once(block):
    assert names(block.filter(quality="good")) == ["a0", "a1"]
    doubled = [*block.segments[0].events, *block.segments[0].events]
    assert names(filterdata(doubled)) == ["ev0"]
    assert names(filterdata(iter(doubled), kind="stim")) == ["ev0"]


def test_filterdata(block):
    objs = [*block.segments, *block.segments[0].events, *block.segments[1].spiketrains]
    assert names(filterdata(objs, {"kind": "trial"})) == ["S0", "S1"]
    assert names(filterdata(objs, kind="trial", unit=4)) == ["S0", "S1", "b1"]
    assert names(filterdata(objs, objects=Event)) == ["ev0"]
    assert names(filterdata(objs, kind="trial", index=1, match="all")) == ["S1"]
    assert filterdata([]) == []
    assert type(filterdata([], objects=SpikeTrain)) is SpikeTrainList


def test_terms_of_another_type_are_refused(block):
    for wrong in ("name", 3, ["name"], [{"a": 1}, 3]):
        with pytest.raises(TypeError, match="targdict must be a dict"):
            block.filter(wrong)
        with pytest.raises(TypeError, match="targdict must be a dict"):
            filterdata(block.segments, wrong)


def test_objects_without_annotations_are_not_found_by_them():
    segment = Segment()
    bare = Event([1.0], units="s", name="bare")
    segment.events.extend([bare, Event([1.0], units="s", name="other", x=0)])
    assert names(segment.filter(x=0)) == ["other"]
    assert names(segment.filter(x=None)) == []
    assert names(segment.filter(description=None)) == ["bare", "other"]
    assert bare._annotations is None or bare.annotations == {}


def test_deferred_trains_are_made():
    segment = Segment()
    segment.spiketrains = SpikeTrainList.from_spike_time_array(
        [1.0, 2.0], [5, 6], [5, 6], 3.0, units="s", layer=["II", "V"]
    )
    found = segment.filter(layer="V")
    assert found.all_channel_ids == [6]
    assert found[0].magnitude.tolist() == [2.0]
