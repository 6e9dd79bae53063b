"""Data arrays, dimensions, views, and what goes to xarray."""

from __future__ import annotations

import math

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus import nix
from ephyrus.nix import IndexMode, SliceMode, exceptions
from ephyrus.nix.axes import RangeAxis, SampledAxis, SetAxis

TYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8", "?", "c16"]


@pytest.mark.parametrize("dtype", TYPES)
def test_types_and_shapes(path, dtype):
    rng = np.random.default_rng(1)
    data = rng.integers(0, 100, (3, 4)).astype(dtype)
    with nix.File(path, "w") as file:
        block = file.create_block("b", "t")
        block.create_data_array("a", "t", data=data)
        block.create_data_array("empty", "t", dtype, (0, 3))
        block.create_data_array("scalar", "t", data=data[0, 0])
        block.create_data_array("zeros", "t", dtype, 5)
    with nix.File(path, "r") as file:
        arrays = file.blocks[0].data_arrays
        array = arrays["a"]
        np.testing.assert_array_equal(array[:], data)
        assert array[:].dtype == array.dtype == array.data_type == data.dtype
        assert (array.shape, array.data_extent, array.size, len(array)) == ((3, 4), (3, 4), 12, 3)
        assert arrays["empty"][:].shape == (0, 3)
        assert arrays["scalar"].shape == (1,)
        assert arrays["scalar"][0] == data[0, 0]
        assert arrays["zeros"][:].tolist() == [0] * 5


def test_indexing(block):
    data = np.arange(60.0).reshape(5, 4, 3)
    array = block.create_data_array("a", "t", data=data)
    flat = block.create_data_array("f", "t", data=data.ravel())
    for key in (
        slice(None),
        Ellipsis,
        (),
        1,
        -1,
        (1, 2),
        slice(1, 4, 2),
        (Ellipsis, 1),
        (slice(None), 2),
        [0, 3],
        np.int64(2),
        (slice(1, 2), Ellipsis, slice(0, 2)),
        np.array([True, False, True, False, True]),
    ):
        np.testing.assert_array_equal(array[key], data[key])
    assert flat[3].shape == (1,)
    assert array[1, 2, 0].tolist() == [18.0]
    for key in (5, -6, (0, 4)):
        with pytest.raises(IndexError):
            array[key]
    np.testing.assert_array_equal(list(array), list(data))
    np.testing.assert_array_equal(np.asarray(array), data)
    assert np.asarray(array, dtype="i4").dtype == "i4"
    with pytest.raises(ValueError, match="copy"):
        np.asarray(array, copy=False)
    array[1:3, 0] = 7
    data[1:3, 0] = 7
    np.testing.assert_array_equal(array[:], data)
    target = np.empty_like(data)
    array.read_direct(target)
    np.testing.assert_array_equal(target, data)
    array.write_direct(data * 2)
    np.testing.assert_array_equal(array[:], data * 2)
    for call in (array.read_direct, array.write_direct):
        with pytest.raises(ValueError, match="shape"):
            call(np.zeros(3))
    assert array.data is array


def test_appending_and_resizing(block):
    array = block.create_data_array("a", "t", data=np.ones((2, 3)))
    array.append(np.full((1, 3), 2.0))
    array.append(np.full((3, 2), 3.0), axis=1)
    expected = np.array([[1, 1, 1, 3, 3], [1, 1, 1, 3, 3], [2, 2, 2, 3, 3]], float)
    np.testing.assert_array_equal(array[:], expected)
    for data, axis in ((np.ones(3), 0), (np.ones((1, 4)), 0), (np.ones((2, 5)), 1), (expected, 2)):
        with pytest.raises(ValueError, match=r"axis|rank"):
            array.append(data, axis)
    array.data_extent = (2, 2)
    np.testing.assert_array_equal(array[:], np.ones((2, 2)))
    array.data_extent = (3, 2)
    np.testing.assert_array_equal(array[:], [[1, 1], [1, 1], [0, 0]])
    texts = block.create_data_array("s", "t", dtype=nix.DataType.String, data=["a"])
    texts.append(["ü", "c"])
    texts[0] = "z"
    assert texts[:].tolist() == ["z", "ü", "c"]
    assert texts[1].tolist() == ["ü"]
    assert texts.data_type is nix.DataType.String


def test_pieces(block):
    rng = np.random.default_rng(2)
    data = rng.normal(size=(1000, 3))
    parts = iter([data[:100], data[100:101], data[101:]])
    np.testing.assert_array_equal(block.create_data_array("i", "t", data=parts)[:], data)
    dask = pytest.importorskip("dask.array")
    lazy = dask.from_array(data, chunks=(64, 2)) * 2
    np.testing.assert_array_equal(block.create_data_array("d", "t", data=lazy)[:], data * 2)
    with pytest.raises(ValueError, match="no array"):
        block.create_data_array("e", "t", data=iter(()))


def test_polynomial(block):
    raw = np.array([0, 1, 2, 5], "i2")
    array = block.create_data_array("a", "t", data=raw)
    array.append_range_dimension_using_self()
    assert array.polynom_coefficients == ()
    assert array.expansion_origin is None
    array.expansion_origin = 1
    assert array[:].tolist() == [-1.0, 0.0, 1.0, 4.0]
    array.polynom_coefficients = (1.0, 2.0, 3.0)
    expected = [1 + 2 * (x - 1) + 3 * (x - 1) ** 2 for x in raw.tolist()]
    assert array[:].tolist() == expected
    assert array[:].dtype == np.float64
    assert array[2].tolist() == expected[2:3]
    assert [float(each[0]) for each in array] == expected
    assert array.get_slice([1], [2])[:].tolist() == expected[1:3]
    assert array.dimensions[0].ticks == (0, 1, 2, 5)
    target = np.empty(4)
    array.read_direct(target)
    assert target.tolist() == expected
    array[0] = 4  # stored as it is
    assert array[0].tolist() == [1 + 2 * 3 + 3 * 9]
    array.polynom_coefficients = None
    array.expansion_origin = None
    assert array[:].tolist() == [4, 1, 2, 5]
    assert array[:].dtype == np.int16
    with pytest.raises(TypeError):
        array.polynom_coefficients = "abc"
    with pytest.raises(TypeError):
        array.expansion_origin = "a"


def test_long_polynomial(block):
    raw = np.random.default_rng(1).normal(size=300_001).astype("f4")
    array = block.create_data_array("a", "t", data=raw)
    array.polynom_coefficients = (0.5, 0.0, 2.0)
    x = raw.astype(float)
    np.testing.assert_allclose(array[:], 0.5 + 2 * x * x, rtol=1e-15)


def test_attributes(block):
    array = block.create_data_array("a", "t", data=[1.0], unit="µ V", label="x")
    assert (array.unit, array.label) == ("uV", "x")
    array.unit = "mul"
    assert array.unit == "ul"
    array.unit = ""
    array.label = None
    assert (array.unit, array.label) == (None, None)
    for name in ("unit", "label"):
        with pytest.raises(exceptions.InvalidAttrType):
            setattr(array, name, 3)


# --- dimensions ---


def test_sampled_dimension(block):
    array = block.create_data_array("a", "t", data=np.zeros(10))
    dimension = array.append_sampled_dimension(0.1, label="time", unit="m s", offset=3)
    assert dimension.dimension_type is nix.DimensionType.Sample
    assert (dimension.index, dimension.label, dimension.unit) == (1, "time", "ms")
    assert (dimension.sampling_interval, dimension.offset) == (0.1, 3.0)
    assert dimension.position_at(5) == 5 * 0.1 + 3
    assert dimension.index_of(3.25) == 2
    assert dimension.axis(3, 2) == (2 * 0.1 + 3, 3 * 0.1 + 3, 4 * 0.1 + 3)
    assert dimension.axis(2, start_position=3.25) == (3.25, 3.35)
    with pytest.raises(ValueError, match="index -1"):
        dimension.axis(3, -1)
    with pytest.raises(ValueError, match="offset"):
        dimension.axis(3, start_position=2.0)
    with pytest.raises(RuntimeError):
        dimension.link_data_array(array, [-1])
    with pytest.raises(RuntimeError):
        dimension.remove_link()
    dimension.sampling_interval = 2
    dimension.offset = dimension.unit = dimension.label = None
    again = array.dimensions[0]
    assert (again.sampling_interval, again.offset, again.unit, again.label) == (
        2.0,
        None,
        None,
        None,
    )
    for value in (None, "a"):
        with pytest.raises(exceptions.InvalidAttrType):
            dimension.sampling_interval = value
    with pytest.raises(exceptions.InvalidAttrType):
        array.append_sampled_dimension("a")
    with pytest.raises(exceptions.InvalidAttrType):
        array.append_sampled_dimension(1, unit=3)
    assert len(array.dimensions) == 1


def test_range_dimension(block):
    array = block.create_data_array("a", "t", data=np.zeros(3))
    dimension = array.append_range_dimension([1.0, 2.5, 4.0], label="x", unit="mm")
    assert dimension.ticks == (1.0, 2.5, 4.0)
    assert (dimension.label, dimension.unit, dimension.is_alias) == ("x", "mm", False)
    assert dimension.tick_at(-1) == 4.0
    assert dimension.axis(2, 1) == (2.5, 4.0)
    assert dimension.index_of(3.0) == 1
    assert dimension.index_of(3.0, IndexMode.GEQ, ticks=[3.0, 4.0]) == 0
    with pytest.raises(IndexError):
        dimension.axis(3, 1)
    with pytest.raises(IndexError):
        dimension.tick_at(3)
    with pytest.raises(ValueError, match="descend"):
        dimension.ticks = [2.0, 1.0]
    dimension.ticks = [1, 2, 3, 4]
    assert array.dimensions[0].ticks == (1.0, 2.0, 3.0, 4.0)


def test_set_dimension(block):
    array = block.create_data_array("a", "t", data=np.zeros(3))
    dimension = array.append_set_dimension(["a", "b", "c"])
    assert dimension.labels == ("a", "b", "c")
    dimension.label = "channel"
    for labels in ("abc", 5, ["a", 1]):
        with pytest.raises(ValueError, match="text"):
            dimension.labels = labels
    dimension.labels = None
    assert (dimension.labels, dimension.label) == ((), "channel")
    assert dimension.index_of(1e6) == 10**6
    assert [number for number, _ in array.iter_dimensions()] == [1]
    assert array.delete_dimensions() is True
    assert len(array.dimensions) == 0
    assert array.append_set_dimension().index == 1


def test_links(block):
    ticks = block.create_data_array("t", "t", data=[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], unit="s")
    ticks.label, ticks.polynom_coefficients = "when", (0.0, 10.0)
    array = block.create_data_array("a", "t", data=np.zeros(3))
    dimension = array.append_range_dimension()
    for index, error in (
        ([0, 0], ValueError),
        ([-1, -1], ValueError),
        ([-2, -1], ValueError),
        ([-1], exceptions.IncompatibleDimensions),
        ([-1, 3], IndexError),
    ):
        with pytest.raises(error):
            dimension.link_data_array(ticks, index)
    assert not dimension.has_link
    dimension.link_data_array(ticks, [1, -1])
    assert dimension.ticks == (4.0, 5.0, 6.0)  # raw
    assert (dimension.unit, dimension.label, dimension.is_alias) == ("s", "when", True)
    link = dimension.dimension_link
    assert (link.index, link.linked_data, link.unit) == ((1, -1), ticks, "s")
    assert link.file is array.file
    dimension.unit = "ms"
    assert ticks.unit == "ms"
    dimension.ticks = [1.0, 2.0, 3.0]
    assert not dimension.has_link
    dimension.link_data_array(ticks, [0, -1])
    dimension.remove_link()
    assert dimension.ticks == ()
    frame = block.create_data_frame(
        "f", "t", col_dict={"name": str, "x": float}, data=[("p", 1.0), ("q", 2.0)]
    )
    frame.units = [None, "mV"]
    dimension.link_data_frame(frame, 1)
    assert (dimension.ticks, dimension.unit, dimension.label) == ((1.0, 2.0), "mV", "x")
    labels = array.append_data_frame_dimension(frame)
    assert (labels.labels, labels.label) == (("p", "q"), "name")
    with pytest.raises(RuntimeError):
        labels.labels = ["a"]
    with pytest.raises(exceptions.OutOfBounds):
        labels.link_data_frame(frame, 2)
    own = ticks.append_range_dimension_using_self([0, -1])
    assert own.ticks == (1.0, 2.0, 3.0)
    assert ticks.append_alias_range_dimension().dimension_link.index == (-1, 0)


MODES = [IndexMode.LessOrEqual, IndexMode.Less, IndexMode.GreaterOrEqual]


@pytest.mark.parametrize(
    ("axis", "position", "expected"),
    [
        (SampledAxis(0.001), 1000.0007, (1000000, 1000000, 1000001)),
        (SampledAxis(0.001), 1000.0003, (1000000, 1000000, 1000001)),
        (SampledAxis(0.001), 1000.0, (1000000, 999999, 1000000)),
        (SampledAxis(1 / 30000), 60.0, (1800000, 1799999, 1800000)),
        (SampledAxis(0.1), 0.3, (3, 2, 3)),
        (SampledAxis(1.0), -0.5, (None, None, 0)),
        (SampledAxis(1.0), 0.0, (0, None, 0)),
        (SampledAxis(1.0, -2.0), 0.0, (2, 1, 2)),
        (SampledAxis(1.0, 5.0), 4.0, (None, None, 0)),
        (SampledAxis(1.0), math.nan, (None, None, None)),
        (RangeAxis(np.array([1.0, 2.0, 4.0])), 2.0, (1, 0, 1)),
        (RangeAxis(np.array([1.0, 2.0, 4.0])), 3.0, (1, 1, 2)),
        (RangeAxis(np.array([1.0, 2.0, 4.0])), 0.0, (None, None, 0)),
        (RangeAxis(np.array([1.0, 2.0, 4.0])), 5.0, (2, 2, None)),
        (SetAxis(("a", "b")), 0.5, (0, 0, 1)),
        (SetAxis(("a", "b")), 7.0, (1, 1, None)),
        (SetAxis(), 7.0, (7, 6, 7)),
    ],
)
def test_index_of(axis, position, expected):
    for mode, index in zip(MODES, expected, strict=True):
        if index is None:
            with pytest.raises(IndexError):
                axis.index_of(position, mode)
        else:
            assert axis.index_of(position, mode) == index
    with pytest.raises(ValueError, match="mode"):
        axis.index_of(position, "leq")


@pytest.mark.parametrize(
    ("axis", "start", "end", "exclusive", "inclusive"),
    [
        (SampledAxis(0.1), 0.1, 0.3, (1, 2), (1, 3)),
        (SampledAxis(0.1), 0.31, 0.39, None, None),
        (SampledAxis(0.1), -1.0, 0.1, (0, 0), (0, 1)),
        (SampledAxis(0.1), -1.0, -0.5, None, None),
        (SampledAxis(0.1), 0.3, 0.1, None, None),
        (RangeAxis(np.array([1.0, 2.0, 4.0])), 1.0, 4.0, (0, 1), (0, 2)),
        (RangeAxis(np.array([1.0, 2.0, 4.0])), 5.0, 6.0, None, None),
        (RangeAxis(np.array([1.0, 2.0, 4.0])), 2.5, 3.0, None, None),
        (SetAxis(("a", "b", "c")), 0, 2, (0, 1), (0, 2)),
        (SetAxis(), 1, 3, (1, 2), (1, 3)),
    ],
)
def test_range_indices(axis, start, end, exclusive, inclusive):
    assert axis.range_indices(start, end) == exclusive
    assert axis.range_indices(start, end, SliceMode.Inclusive) == inclusive
    with pytest.raises(ValueError, match="mode"):
        axis.range_indices(start, end, "inclusive")
    if not isinstance(axis, SampledAxis):
        with pytest.raises(IndexError, match="behind"):
            axis.range_indices(end, start)


@settings(deadline=None, max_examples=200)
@given(
    axis=st.one_of(
        st.builds(SampledAxis, st.floats(1e-5, 10), st.floats(-5, 5)),
        st.lists(st.floats(-10, 10), max_size=8).map(lambda x: RangeAxis(np.array(sorted(x)))),
        st.integers(0, 4).map(lambda n: SetAxis(tuple("abcd"[:n]))),
    ),
    start=st.floats(-20, 20),
    extent=st.floats(0, 10),
    mode=st.sampled_from(SliceMode),
)
def test_many_ranges_are_as_one(axis, start, extent, mode):
    """The vectorised search finds what the single one finds."""
    inclusive = np.array([mode is SliceMode.Inclusive])
    first, last = axis.many_ranges(np.array([start]), np.array([start + extent]), inclusive)
    expected = axis.range_indices(start, start + extent, mode)
    found = (int(first[0]), int(last[0])) if first[0] <= last[0] else None
    assert found == expected


# --- views ---


def test_get_slice(block):
    data = np.arange(50.0).reshape(10, 5)
    array = block.create_data_array("a", "t", data=data)
    array.append_sampled_dimension(0.1, unit="s", offset=1.0)
    array.append_set_dimension()
    np.testing.assert_array_equal(array.get_slice([2, 1], [3, 2])[:], data[2:5, 1:3])
    np.testing.assert_array_equal(array.get_slice([2, 1])[:], data[2:, 1:])
    view = array.get_slice([1.15, 0], [0.3, 3], nix.DataSliceMode.Data)
    np.testing.assert_array_equal(view[:], data[2:4, 0:3])
    assert not array.get_slice([9.0, 0], [0.05, 3], nix.DataSliceMode.Data).valid
    with pytest.raises(exceptions.IncompatibleDimensions):
        array.get_slice([1], [2])
    with pytest.raises(exceptions.OutOfBounds):
        array.get_slice([9, 0], [2, 1])
    with pytest.raises(ValueError, match="mode"):
        array.get_slice([0, 0], [1, 1], "index")


def test_view(block):
    data = np.arange(50.0).reshape(10, 5)
    array = block.create_data_array("a", "t", data=data, unit="mV")
    time = array.append_sampled_dimension(0.1, unit="s", offset=1.0)
    array.append_set_dimension(list("abcde"))
    view = array.get_slice([2, 1], [4, 3])
    part = data[2:6, 1:4]
    assert view.valid
    assert (view.shape, view.data_extent, view.size, len(view)) == ((4, 3), (4, 3), 12, 4)
    assert (view.dtype, view.data_type, view.unit) == (np.float64, np.float64, "mV")
    for key in (
        slice(None),
        Ellipsis,
        1,
        -1,
        (1, 2),
        (Ellipsis, 0),
        slice(0, 4, 2),
        (-1, slice(1, None)),
    ):
        np.testing.assert_array_equal(view[key], np.atleast_1d(part[key]))
    np.testing.assert_array_equal(np.asarray(view), part)
    np.testing.assert_array_equal(list(view), list(part))
    for key, error in (
        (4, exceptions.OutOfBounds),
        (-5, exceptions.OutOfBounds),
        (slice(0, 9), exceptions.OutOfBounds),
        ((0, 0, 0), exceptions.OutOfBounds),
        (slice(None, None, -1), ValueError),
        ((Ellipsis, Ellipsis), IndexError),
        ("a", TypeError),
        (1.5, TypeError),
    ):
        with pytest.raises(error):
            view[key]
    view[0, 1:] = 99
    assert array[2].tolist() == [10.0, 11.0, 99.0, 99.0, 14.0]
    axis, labels = view.dimensions
    assert axis.positions(0, 2).tolist() == [time.position_at(2), time.position_at(3)]
    assert (axis.unit, labels.labels) == ("s", ("b", "c", "d"))
    nothing = nix.DataView(array, None, "why")
    assert (nothing.valid, nothing.shape, nothing.debug_message) == (False, None, "why")
    assert nothing[:].size == 0
    with pytest.raises(exceptions.InvalidSlice, match="why"):
        nothing[:] = 1
    with pytest.raises(AttributeError):
        view.data_extent = (1, 1)


def test_sel_and_xarray(block):
    xarray = pytest.importorskip("xarray")
    data = np.arange(20.0).reshape(10, 2)
    array = block.create_data_array("a", "t", data=data, unit="mV", label="V")
    array.append_sampled_dimension(0.5, unit="s", label="time")
    array.append_set_dimension(["x", "y"])
    np.testing.assert_array_equal(array.sel(time=slice(1.0, 2.0))[:], data[2:4])
    np.testing.assert_array_equal(array.sel(time=slice(1.0, 2.0), inclusive=True)[:], data[2:5])
    np.testing.assert_array_equal(array.sel(time=1.2, dim_2="y")[:], data[2:3, 1:])
    np.testing.assert_array_equal(array.sel(time=slice(None, 1e9))[:], data)
    with pytest.raises(KeyError, match="time"):
        array.sel(depth=1)
    with pytest.raises(exceptions.OutOfBounds):
        array.sel(time=slice(100, 200))
    expected = xarray.DataArray(
        data,
        dims=["time", "dim_2"],
        coords={"time": np.arange(10) * 0.5, "dim_2": np.array(["x", "y"], object)},
        name="a",
    )
    found = array.to_xarray()
    xarray.testing.assert_equal(found, expected)
    assert found.attrs["units"] == "mV"
    assert found.time.attrs == {"units": "s"}


# --- older files ---


def test_bit_fields_and_aliases_of_old_files(full):
    with h5py.File(full, "r+") as raw:
        raw.attrs["version"] = np.array([1, 1, 0], "i4")
        arrays = raw["data/session/data_arrays"]
        flags = arrays["flags"]
        del flags["data"]
        space = h5py.h5s.create_simple((3,))
        bits = h5py.h5d.create(flags.id, b"data", h5py.h5t.STD_B8LE, space)
        bits.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1, 0, 1], "u1"), mtype=h5py.h5t.STD_B8LE)
        spikes = arrays["spikes"]
        del spikes["dimensions/1/link"]
        spikes["dimensions/1"][spikes.attrs["entity_id"]] = spikes
        texts = arrays["texts/dimensions/1"]
        del texts["link"]
        texts.attrs["dimension_type"] = "data_frame"
        texts["data_frame"] = raw["data/session/data_frames/table"]
    with nix.File(full, "r") as file:
        arrays = file.blocks[0].data_arrays
        assert arrays["flags"][:].tolist() == [True, False, True]
        assert arrays["flags"][0].tolist() == [True]
        assert arrays["flags"].dtype == bool
        alias = arrays["spikes"].dimensions[0]
        assert (alias.ticks, alias.unit, alias.is_alias) == ((1.5, 2.5, 5.0), "s", True)
        rows = arrays["texts"].dimensions[0]
        assert (rows.labels, rows.label) == (("0", "1"), "table")
    assert nix.file_upgrade(full)
    with nix.File(full, "a") as file:
        arrays = file.blocks[0].data_arrays
        assert arrays["spikes"].dimensions[0].ticks == (1.5, 2.5, 5.0)
        assert arrays["texts"].dimensions[0].labels == ("one", "two")


def test_a_single_value_of_an_odd_file(full):
    with h5py.File(full, "r+") as raw:
        array = raw["data/session/data_arrays/voltage"]
        del array["data"]
        array["data"] = 5.0
    with nix.File(full, "r") as file:
        array = file.blocks[0].data_arrays["voltage"]
        assert array.shape == ()
        assert array[()] == array[:] == np.asarray(array) == 5.0
