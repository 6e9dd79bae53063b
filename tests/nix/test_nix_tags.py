"""Tags, multi tags and their features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus import nix
from ephyrus.nix import SliceMode, exceptions


@pytest.fixture
def signal(block):
    array = block.create_data_array("signal", "t", data=np.arange(100.0) * 2, unit="mV")
    array.append_sampled_dimension(0.1, unit="s", offset=1.0, label="time")
    return array


@pytest.fixture
def image(block):
    data = np.arange(200.0).reshape(20, 10)
    array = block.create_data_array("image", "t", data=data)
    array.append_sampled_dimension(1.0, unit="ms")
    array.append_range_dimension(np.arange(10.0) ** 2, unit="mm")
    return array


def test_tag(block, signal):
    tag = block.create_tag("tag", "t", 2.0)
    assert (tag.position, tag.extent, tag.units) == ((2.0,), (), ())
    with pytest.raises(exceptions.OutOfBounds, match="no references"):
        tag.tagged_data(0)
    tag.references.append(signal)
    assert tag.tagged_data("signal")[:].tolist() == [20.0]  # a point: index (2 - 1) / 0.1
    tag.extent = 0.5
    assert tag.extent == (0.5,)
    values = np.arange(100.0) * 2
    assert tag.tagged_data(0)[:].tolist() == values[10:15].tolist()
    assert tag.tagged_data(signal.id, SliceMode.Inclusive)[:].tolist() == values[10:16].tolist()
    tag.units = ["ms"]
    tag.position, tag.extent = [2000], [500]
    assert tag.tagged_data(0)[:].tolist() == values[10:15].tolist()
    tag.position = 2010
    tag.extent = None
    view = tag.tagged_data(0)
    assert not view.valid
    assert "no sample" in view.debug_message
    tag.extent = -1
    assert not tag.tagged_data(0).valid
    tag.position, tag.extent = 0, 1200  # before the axis: from its start
    assert tag.tagged_data(0)[:].tolist() == values[:2].tolist()
    tag.position = 10_000
    with pytest.raises(exceptions.OutOfBounds, match="end of the data"):
        tag.tagged_data(0)
    for key, error in ((1, exceptions.OutOfBounds), ("x", KeyError)):
        with pytest.raises(error):
            tag.tagged_data(key)
    with pytest.raises(ValueError, match="rule"):
        tag.tagged_data(0, "inclusive")
    tag.position = 2000
    with pytest.warns(DeprecationWarning, match="retrieve_data"):
        assert tag.retrieve_data(0)[:].tolist() == values[10:22].tolist()
    tag.extent = [1, 2]
    with pytest.raises(exceptions.IncompatibleDimensions):
        tag.tagged_data(0)


@pytest.mark.parametrize(
    ("unit", "dimension_unit", "scale"),
    [("ms", "us", 1e3), ("ms", "s", 1e-3), ("s", "s", 1.0), ("mV^2", "uV^2", 1e6)],
)
def test_scaling_between_prefixes(block, unit, dimension_unit, scale):
    array = block.create_data_array("a", "t", data=np.arange(10_000))
    array.append_sampled_dimension(scale / 1000, unit=dimension_unit)
    tag = block.create_tag("t", "t", [2.0])
    tag.extent, tag.units = [0.003], [unit]
    tag.references.append(array)
    assert tag.tagged_data(0)[:].tolist() == [2000, 2001, 2002]


def test_units_that_do_not_fit(block, signal):
    tag = block.create_tag("tag", "t", [2.0])
    tag.references.append(signal)
    tag.units = ["mV"]
    with pytest.raises(exceptions.IncompatibleDimensions, match="mV"):
        tag.tagged_data(0)
    tag.units = ["s"]
    signal.dimensions[0].unit = None
    with pytest.raises(exceptions.IncompatibleDimensions, match="none"):
        tag.tagged_data(0)
    tag.units = None
    assert tag.tagged_data(0)[:].tolist() == [20.0]
    labels = block.create_data_array("set", "t", data=[5, 6, 7])
    labels.append_set_dimension()
    tag.references.append(labels)
    tag.units = ["none"]
    assert tag.tagged_data(1)[:].tolist() == [7]
    tag.units = ["s"]
    with pytest.raises(exceptions.IncompatibleDimensions):
        tag.tagged_data(1)
    for units in ("s", 3, [3]):
        with pytest.raises(exceptions.InvalidAttrType):
            tag.units = units


def test_regions_of_an_image(block, image):
    data = image[:]
    tag = block.create_tag("tag", "t", [2.0, 4.0])
    tag.extent = [3.0, 12.5]
    tag.references.append(image)
    np.testing.assert_array_equal(tag.tagged_data(0)[:], data[2:5, 2:5])
    tag.position, tag.extent = [2.0], [3.0]
    np.testing.assert_array_equal(tag.tagged_data(0)[:], data[2:5])
    tag.position, tag.extent = [2.0, 4.0, 9.0], [3.0, 12.5, 1.0]  # one too many is ignored
    np.testing.assert_array_equal(tag.tagged_data(0)[:], data[2:5, 2:5])
    positions = [[0.0, 0.0], [2.0, 4.0], [19.0, 81.0], [18.5, 0.0], [25.0, 0.0]]
    extents = [[1.0, 1.0], [3.0, 12.5], [0.0, 0.0], [0.2, 1.0], [1.0, 1.0]]
    many = block.create_multi_tag("many", "t", positions, extents)
    assert many.positions.name == "many-positions"
    assert many.positions.type == "t-positions"
    many.references.append(image)
    expected = [data[:1, :1], data[2:5, 2:5], data[19:, 9:], None, None]
    for number, part in enumerate(expected):
        view = many.tagged_data(number, 0)
        assert view.valid == (part is not None)
        if part is not None:
            np.testing.assert_array_equal(view[:], part)
    for found, part in zip(many.read_tagged(0), expected, strict=True):
        np.testing.assert_array_equal(found, np.empty((0, 0)) if part is None else part)
    assert [view.valid for view in many.tagged_data(None, 0)] == [True, True, True, False, False]
    np.testing.assert_array_equal(many.tagged_data([1], 0)[0][:], data[2:5, 2:5])


@pytest.mark.parametrize("shape", ["(n,)", "(n, 1)"])
@pytest.mark.parametrize("extents", [True, False])
def test_multi_tag(block, signal, shape, extents):
    starts = np.array([1.0, 3.0, 5.5, 2.0])
    lengths = np.array([0.5, 0.0, 0.3, 0.25])
    if shape == "(n, 1)":
        starts, lengths = starts[:, np.newaxis], lengths[:, np.newaxis]
    tag = block.create_multi_tag("tag", "t", starts, lengths if extents else None)
    tag.units = ["s"]
    with pytest.raises(exceptions.OutOfBounds, match="no references"):
        tag.tagged_data(0, 0)
    tag.references.append(signal)
    values = signal[:]
    first = [0, 20, 45, 10]
    last = [5, 21, 48, 13] if extents else [each + 1 for each in first]
    for _ in range(2):
        for number in range(4):
            view = tag.tagged_data(number, 0)
            assert view[:].tolist() == values[first[number] : last[number]].tolist()
    assert tag.tagged_data(-1, "signal")[:].tolist() == values[first[3] : last[3]].tolist()
    found = tag.read_tagged(0)
    assert [each.tolist() for each in found] == [
        values[a:b].tolist() for a, b in zip(first, last, strict=True)
    ]
    assert [each.tolist() for each in tag.read_tagged(0, slice(1, 3))] == [
        values[a:b].tolist() for a, b in zip(first[1:3], last[1:3], strict=True)
    ]
    assert tag.read_tagged(0, [2, -4])[1].tolist() == values[first[0] : last[0]].tolist()
    for posidx, refidx in ((4, 0), (0, 1), (-5, 0)):
        with pytest.raises(IndexError):
            tag.tagged_data(posidx, refidx)
    tag.positions.append(np.full((1, *starts.shape[1:]), 1.3))
    if extents:
        with pytest.raises(exceptions.IncompatibleDimensions):
            tag.tagged_data(4, 0)
        tag.extents.append(np.zeros((1, *starts.shape[1:])))
    assert tag.tagged_data(4, 0)[:].tolist() == [values[3]]
    tag.extents = None
    tag.extents = None
    assert tag.extents is None
    assert tag.tagged_data(0, 0)[:].tolist() == [values[0]]
    with pytest.raises(TypeError):
        tag.positions = None
    with pytest.warns(DeprecationWarning, match="older name"):
        assert tag.retrieve_data(0, 0)[:].tolist() == [values[0]]


@settings(deadline=None, max_examples=50)
@given(
    positions=st.lists(st.floats(-2, 14), min_size=1, max_size=6),
    lengths=st.lists(st.floats(-1, 4), min_size=6, max_size=6),
    rule=st.sampled_from(SliceMode),
    rank=st.sampled_from([1, 2]),
)
def test_many_regions_are_as_one_by_one(tmp_path_factory, positions, lengths, rule, rank):
    with nix.File(tmp_path_factory.mktemp("t") / "t.nix", "w") as file:
        block = file.create_block("b", "t")
        data = np.arange(100.0) if rank == 1 else np.arange(200.0).reshape(100, 2)
        array = block.create_data_array("a", "t", data=data)
        array.append_sampled_dimension(0.1, unit="s", offset=1.0)
        if rank == 2:
            array.append_set_dimension()
        tag = block.create_multi_tag("m", "t", positions, lengths[: len(positions)])
        tag.references.append(array)
        together = tag.read_tagged(0, stop_rule=rule)
        for number, values in enumerate(together):
            view = tag.tagged_data(number, 0, rule)
            np.testing.assert_array_equal(values.ravel(), view[:].ravel())


def test_features(block, signal, image):
    tag = block.create_tag("tag", "t", [2.0])
    tag.extent = [0.5]
    tag.references.append(signal)
    with pytest.raises(exceptions.OutOfBounds, match="no features"):
        tag.feature_data(0)
    tagged = tag.create_feature(signal, nix.LinkType.Tagged)
    untagged = tag.create_feature(image, "Untagged")
    indexed = tag.create_feature("image", nix.LinkType.Indexed)
    assert [each.link_type.value for each in tag.features] == ["tagged", "untagged", "indexed"]
    assert tag.features["signal"] == tagged
    assert tag.features[signal.id] == tagged
    assert tag.features[untagged.id] == untagged
    assert "image" in tag.features
    assert indexed in tag.features
    assert tag.feature_data(0)[:].tolist() == signal[10:15].tolist()
    np.testing.assert_array_equal(tag.feature_data("image")[:], image[:])
    np.testing.assert_array_equal(tag.feature_data(2)[:], image[:])
    with pytest.raises(exceptions.OutOfBounds):
        tag.feature_data(3)
    with pytest.raises(KeyError):
        tag.feature_data("nothing")
    with pytest.warns(DeprecationWarning, match="older name"):
        assert tag.retrieve_feature_data(0).shape == (5,)
    tagged.data = image
    assert tagged.data == image
    tagged.link_type = "indexed"
    assert tagged.link_type is nix.LinkType.Indexed
    del tag.features[0]
    assert len(tag.features) == 2
    other = block.file.create_block("other", "t").create_data_array("o", "t", data=[1.0])
    for data, kind, error in (
        (other, "tagged", RuntimeError),
        (None, "tagged", TypeError),
        (tag, "tagged", TypeError),
        (signal, "sometimes", ValueError),
        ("nothing", "tagged", KeyError),
    ):
        with pytest.raises(error):
            tag.create_feature(data, kind)
    assert len(tag.features) == 2


def test_features_of_multi_tags(block, signal):
    tag = block.create_multi_tag("tag", "t", [1.0, 3.0], [0.2, 0.3])
    tag.references.append(signal)
    rows = block.create_data_array("rows", "t", data=np.arange(6.0).reshape(2, 3))
    short = block.create_data_array("short", "t", data=[1.0])
    frame = block.create_data_frame("f", "t", col_dict={"a": int}, data=[(1,), (2,)])
    tag.create_feature(signal, nix.LinkType.Tagged)
    tag.create_feature(rows, nix.LinkType.Indexed)
    tag.create_feature(rows, nix.LinkType.Untagged)
    tag.create_feature(short, nix.LinkType.Indexed)
    tag.create_feature(frame, nix.LinkType.Indexed)
    assert tag.feature_data(1, 0)[:].tolist() == signal[20:23].tolist()
    assert tag.feature_data(1, 1)[:].tolist() == [[3.0, 4.0, 5.0]]
    assert tag.feature_data(1, "rows").shape == (1, 3)
    np.testing.assert_array_equal(tag.feature_data(1, 2)[:], rows[:])
    with pytest.raises(exceptions.OutOfBounds):
        tag.feature_data(1, 3)
    assert tag.feature_data(1, 4)[:].tolist() == [(2,)]
    with pytest.warns(DeprecationWarning, match="older name"):
        assert tag.retrieve_feature_data(0, 1)[:].tolist() == [[0.0, 1.0, 2.0]]
    with pytest.raises(exceptions.UnsupportedLinkType):
        tag.create_feature(frame, nix.LinkType.Tagged)
    assert len(tag.features) == 5


def test_positions_of_other_blocks_are_refused(file, block, signal):
    other = file.create_block("other", "t")
    with pytest.raises(RuntimeError, match="belong"):
        other.create_multi_tag("m", "t", signal)
    with pytest.raises(TypeError):
        block.create_multi_tag("m", "t", [1.0], ["a"])
    assert [each.name for each in block.data_arrays] == ["signal"]
    block.create_multi_tag("m", "t", signal)
    with pytest.raises(exceptions.DuplicateName):
        block.create_multi_tag("m", "t", [1.0])
    assert [each.name for each in block.data_arrays] == ["signal"]


@pytest.mark.parametrize(
    "lengths",
    [
        [10.0] * 6,
        [1.0, 64.0, 3.0, 10.0, 64.0, 2.0],
        [65.0, 1.0, 200.0, 64.0, 5.0, 5.0],
        [300.0] * 6,
    ],
)
def test_regions_of_all_lengths_read_together(block, lengths):
    """Equal and unequal short ones, and long ones, overlapping; each has values of its own."""
    array = block.create_data_array("a", "t", data=np.arange(400.0))
    array.append_sampled_dimension(1.0)
    starts = [50.0, 7.0, 53.0, 7.0, 0.0, 390.0]
    tag = block.create_multi_tag("tag", "t", starts, lengths)
    tag.references.append(array)
    expected = [
        np.arange(a, a + n) if a + n <= 400 else np.empty(0)
        for a, n in zip(starts, lengths, strict=True)
    ]
    found = tag.read_tagged(0)
    for number, (part, values) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_array_equal(part, values)
        part[:] = -number
    for number, (part, values) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_array_equal(part, np.full(len(values), -number))
    np.testing.assert_array_equal(array[:], np.arange(400.0))
