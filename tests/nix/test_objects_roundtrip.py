"""Trees of objects written to NIX files and read back: every kind, every annotation."""

from __future__ import annotations

from datetime import date, datetime, time

import numpy as np
import pytest
import quantities as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ephyrus.core import (
    AnalogSignal,
    Block,
    ChannelView,
    CircularRegionOfInterest,
    Epoch,
    Event,
    Group,
    ImageSequence,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)
from ephyrus.io import NixIO
from tests.nix.same import assert_same_blocks, assert_same_values

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
KEYS = st.text("abcdefgh_", min_size=1, max_size=8).map(lambda text: f"k{text}")
NUMBERS = st.floats(allow_nan=False, width=64)
INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
TIMES = ("s", "ms", "us")
VALUES = st.one_of(
    TEXTS,
    st.booleans(),
    INTEGERS,
    NUMBERS,
    st.lists(INTEGERS, max_size=4),
    st.lists(NUMBERS, max_size=4),
    st.lists(TEXTS, max_size=4),
    st.lists(st.booleans(), max_size=4),
    st.builds(lambda value, unit: pq.Quantity(value, unit), NUMBERS, st.sampled_from(["mV", "s"])),
    npst.arrays(st.sampled_from(["f8", "f4", "i2", "u1", "?"]), st.integers(1, 4)),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.none(),
    st.dictionaries(KEYS, st.lists(INTEGERS, max_size=2), max_size=2),
    st.lists(st.lists(INTEGERS, max_size=2), min_size=1, max_size=3),
)
NOTES = st.dictionaries(KEYS, VALUES, max_size=3)
NAMES = st.none() | st.text("abc ä/.", min_size=1, max_size=5)


def floats(*shape):
    return npst.arrays(np.float64, shape, elements=st.floats(-1e6, 1e6))


@st.composite
def signals(draw):
    length, count = draw(st.integers(0, 5)), draw(st.integers(1, 3))
    dtype = draw(st.sampled_from(["f8", "f4", "i2", ">i4"]))
    unit = draw(st.sampled_from(TIMES))
    return AnalogSignal(
        draw(floats(length, count)).astype(dtype)
        if dtype[-2] == "f"
        else np.ones((length, count), dtype),
        units=draw(st.sampled_from(["mV", "uV", "pA", "dimensionless", "mV/s"])),
        sampling_rate=draw(st.floats(1e-3, 1e6)) * draw(st.sampled_from([pq.Hz, pq.kHz, 1 / pq.s])),
        t_start=pq.Quantity(draw(st.floats(-1e3, 1e3)), unit),
        name=draw(NAMES),
        array_annotations={"depth": draw(floats(count)) * pq.um, "names": ["x"] * count},
        **draw(NOTES),
    )


@st.composite
def irregulars(draw):
    length = draw(st.integers(0, 5))
    return IrregularlySampledSignal(
        np.sort(draw(floats(length))),
        draw(floats(length, draw(st.integers(1, 2)))),
        units="pA",
        time_units=draw(st.sampled_from(TIMES)),
        name=draw(NAMES),
        **draw(NOTES),
    )


@st.composite
def trains(draw):
    count, unit = draw(st.integers(0, 4)), draw(st.sampled_from(TIMES))
    waves = draw(st.none() | st.just((count, draw(st.integers(1, 2)), draw(st.integers(1, 3)))))
    more = {}
    if waves is not None:
        more = {
            "waveforms": draw(floats(*waves)) * pq.uV,
            "sampling_rate": draw(st.floats(1e-2, 1e5)) * draw(st.sampled_from([pq.Hz, pq.kHz])),
            "left_sweep": draw(st.none() | st.just(0.3 * pq.ms)),
        }
    return SpikeTrain(
        pq.Quantity(draw(floats(count)), unit),
        t_start=pq.Quantity(-1e6, unit),
        t_stop=pq.Quantity(1e6, unit),
        name=draw(NAMES),
        array_annotations={"mark": np.arange(count)},
        **more,
        **draw(NOTES),
    )


@st.composite
def events(draw):
    count = draw(st.integers(0, 4))
    labels = np.array(draw(st.lists(TEXTS, min_size=count, max_size=count)), np.str_)
    times = pq.Quantity(draw(floats(count)), draw(st.sampled_from(TIMES)))
    if draw(st.booleans()):
        return Event(times, labels=labels, name=draw(NAMES), **draw(NOTES))
    durations = pq.Quantity(draw(floats(count)), draw(st.sampled_from(TIMES)))
    return Epoch(times, durations=durations, labels=labels, name=draw(NAMES), **draw(NOTES))


@st.composite
def images(draw):
    shape = tuple(draw(st.integers(1, 3)) for _ in range(3))
    return ImageSequence(
        draw(floats(*shape)),
        units="V",
        sampling_rate=draw(st.floats(0.1, 100)) * pq.Hz,
        spatial_scale=draw(st.floats(0.1, 10)) * pq.um,
        t_start=draw(st.floats(0, 10)) * pq.s,
        name=draw(NAMES),
        **draw(NOTES),
    )


@st.composite
def blocks(draw):
    block = Block(name=draw(NAMES), description=draw(NAMES), **draw(NOTES))
    block.rec_datetime = draw(st.none() | st.datetimes(datetime(1980, 1, 1), datetime(2030, 1, 1)))
    for _ in range(draw(st.integers(0, 2))):
        segment = Segment(name=draw(NAMES), **draw(NOTES))
        block.segments.append(segment)
        for kind in (signals(), irregulars(), trains(), events(), images()):
            for obj in draw(st.lists(kind, max_size=2)):
                segment.add(obj)
    members = [obj for segment in block.segments for obj in segment.data_children]
    if members:
        outer, inner = Group(name=draw(NAMES)), Group(name=draw(NAMES), **draw(NOTES))
        outer.add(*draw(st.lists(st.sampled_from(members), max_size=3, unique_by=id)), inner)
        inner.add(*draw(st.lists(st.sampled_from(members), max_size=3, unique_by=id)))
        for obj in members:
            if isinstance(obj, AnalogSignal):
                inner.add(ChannelView(obj, np.array([0]), name=draw(NAMES), **draw(NOTES)))
                break
        block.groups.append(outer)
    return block


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(block=blocks())
def test_random_trees_come_back(tmp_path, block):
    path = tmp_path / "tree.nix"
    with NixIO(path, "ow") as file:
        file.write_block(block)
        assert_same_blocks(file.read_block(0), block)
        assert_same_blocks(file.read_block(0, lazy=True), block)
        assert_same_blocks(file.read_block(0, cascade="lazy"), block)


@settings(deadline=None, max_examples=50)
@given(value=VALUES)
def test_annotations_come_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("note") / "note.nix"
    block = Block()
    block.annotations["note"] = value
    with NixIO(path, "ow") as file:
        file.write_block(block)
        assert_same_values(file.read_block(0).annotations["note"], value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), [1, 2]),
        (np.float32(0.5), 0.5),
        (np.array("text"), "text"),
        (2**70, 2**70),
        ([1, "two", None], [1, "two", None]),
        ({"a": {"b": [1.5]}}, {"a": {"b": [1.5]}}),
        ("nul\0inside", "nul\0inside"),
        (["a\0", "b"], ["a\0", "b"]),
        ([1.0] * pq.mV, [1.0] * pq.mV),
        (np.array([1, 2], "i2") * pq.s, np.array([1, 2], "i2") * pq.s),
        (np.zeros((2, 2)), [[0.0, 0.0], [0.0, 0.0]]),
        (date(5, 1, 2), date(5, 1, 2)),
        (time(1, 2, 3, 4), time(1, 2, 3, 4)),
    ],
)
def test_unusual_annotations(tmp_path, value, expected):
    block = Block()
    block.annotations["note"] = value
    with NixIO(tmp_path / "x.nix", "ow") as file:
        file.write_block(block)
        assert_same_values(file.read_block(0).annotations["note"], expected)


def test_what_is_lost_is_said(tmp_path, caplog):
    block, segment = Block(name="b"), Segment()
    block.segments.append(segment)
    signal = AnalogSignal([[1.0]], units="mV", sampling_rate=1 * pq.Hz, name="s")
    segment.analogsignals.append(signal)
    signal.annotations |= {"t_start": 3, "a/b": 1, "z": 1 + 2j}
    movie = ImageSequence(
        np.zeros((1, 4, 4)), units="V", sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um
    )
    segment.imagesequences.append(movie)
    group = Group(name="g")
    group.add(CircularRegionOfInterest(movie, 1, 1, 1))
    block.groups.append(group)
    with NixIO(tmp_path / "x.nix", "ow") as file:
        file.write_block(block)
        found = file.read_block(0).segments[0].analogsignals[0]
    assert found.annotations == {
        "t_start": 3,
        "a/b": 1,
        "nix_name": signal.annotations["nix_name"],
    }
    text = caplog.text
    assert "complex is not kept" in text
    assert "1 regions of interest of the group 'g'" in text


def test_objects_in_several_segments_are_stored_once(tmp_path):
    block = Block()
    block.segments.extend([Segment(name="a"), Segment(name="b")])
    shared = Event([1.0] * pq.s, labels=["x"], name="shared")
    for segment in block.segments:
        segment.events.append(shared)
    with NixIO(tmp_path / "x.nix", "ow") as file:
        file.write_block(block)
        assert len(file.nix_file.blocks[0].multi_tags) == 1
        found = file.read_block(0)
    assert found.segments[0].events[0] is found.segments[1].events[0]


def test_copies_of_an_object_get_names_of_their_own(tmp_path):
    block = Block()
    block.segments.append(Segment())
    signal = AnalogSignal(np.arange(10.0)[:, None], units="mV", sampling_rate=1 * pq.Hz)
    block.segments[0].analogsignals.append(signal)
    with NixIO(tmp_path / "x.nix", "ow") as file:
        file.write_block(block)
        part = signal.time_slice(2 * pq.s, 4 * pq.s)
        assert part.annotations["nix_name"] == signal.annotations["nix_name"]
        block.segments[0].analogsignals.append(part)
        file.write_block(block)
        first, second = file.read_block(0).segments[0].analogsignals
    np.testing.assert_array_equal(first.magnitude[:, 0], np.arange(10.0))
    np.testing.assert_array_equal(second.magnitude[:, 0], [2.0, 3.0])


def test_unsorted_samples_are_sorted(tmp_path, caplog):
    block = Block()
    block.segments.append(Segment())
    values = np.array([[3.0], [1.0], [2.0]])
    signal = IrregularlySampledSignal([3.0, 1.0, 2.0] * pq.s, values, units="mV")
    block.segments[0].irregularlysampledsignals.append(signal)
    with NixIO(tmp_path / "x.nix", "ow") as file:
        file.write_block(block)
        found = file.read_block(0).segments[0].irregularlysampledsignals[0]
    np.testing.assert_array_equal(found.times.magnitude, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(found.magnitude, [[1.0], [2.0], [3.0]])
    assert "sorted by their times" in caplog.text
