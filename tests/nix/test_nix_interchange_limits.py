"""What tables, pieces and choices of regions may not be, and what becomes of odd ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ephyrus import nix


def test_indices_of_several_levels_become_columns(block):
    levels = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["cell", "trial"])
    table = pd.DataFrame({"rate": [1.5, 2.5]}, index=levels)
    frame = nix.DataFrame.from_pandas(block, "rates", "t", table)
    assert frame.column_names == ("cell", "trial", "rate")
    assert frame[:].tolist() == [("a", 1, 1.5), ("b", 2, 2.5)]


@pytest.mark.parametrize("columns", [["x", "x"], [1, "1"]])
def test_columns_of_one_name_are_refused(block, columns):
    table = pd.DataFrame([[1, 2]], columns=columns)
    with pytest.raises(nix.exceptions.DuplicateColumnName, match="two columns"):
        nix.DataFrame.from_pandas(block, "twins", "t", table)
    assert len(block.data_frames) == 0


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([1, 2], [1.5]),
        (np.array([1], "i2"), [40_000]),
        ([True], [2]),
        ([1.0], ["x"]),
        ([1.0], [1j]),
    ],
)
def test_pieces_that_do_not_fit_the_first_are_refused(block, first, then):
    with pytest.raises(TypeError, match="dtype="):
        block.create_data_array("pieces", "t", data=iter([np.array(first), np.array(then)]))
    assert len(block.data_arrays) == 0


@pytest.mark.parametrize(
    ("first", "then", "dtype", "kept"),
    [
        (np.array([1], "i2"), np.array([2], "i8"), None, np.array([1, 2], "i2")),
        (np.array([1.0]), np.array([2]), None, np.array([1.0, 2.0])),
        (np.array([1]), np.array([2.0]), None, np.array([1, 2])),
        (np.array([1]), np.array([1.5]), np.float32, np.array([1, 1.5], "f4")),
        (np.array(["a"]), np.array(["bcd"]), None, np.array(["a", "bcd"], object)),
    ],
)
def test_pieces_that_fit(block, first, then, dtype, kept):
    array = block.create_data_array("pieces", "t", dtype=dtype, data=iter([first, then]))
    assert array.dtype == kept.dtype
    assert array[:].tolist() == kept.tolist()


def test_rows_of_a_table_as_a_feature(block):
    frame = block.create_data_frame("table", "t", col_dict={"n": int}, data=[(1,), (2,)])
    tag = block.create_tag("tag", "t", 0.0)
    tag.create_feature(frame, nix.LinkType.Untagged)
    view = tag.feature_data("table")
    assert (view.unit, view.label, view.dimensions) == (None, None, [])
    assert view[:].tolist() == [(1,), (2,)]


def test_choices_of_regions(block):
    array = block.create_data_array("signal", "t", data=np.arange(10.0))
    array.append_sampled_dimension(1.0)
    tags = block.create_multi_tag("tags", "t", [1.0, 4.0, 7.0], [1.0, 2.0, 1.0])
    tags.references.append(array)
    for mask in ([True, False, True], np.array([True, False, True])):
        assert [each.tolist() for each in tags.read_tagged(0, mask)] == [[1.0], [7.0]]
        assert [view[:].tolist() for view in tags.tagged_data(mask, 0)] == [[1.0], [7.0]]
    assert tags.read_tagged(0, []) == []
    assert [each.tolist() for each in tags.read_tagged(0, np.array([-1, 1]))] == [[7.0], [4.0, 5.0]]
    with pytest.raises(nix.exceptions.OutOfBounds, match="the mask 2 items"):
        tags.read_tagged(0, [True, False])
    for wrong in (1.0, "1"):
        with pytest.raises(TypeError, match="list of indices"):
            tags.tagged_data(wrong, 0)
    with pytest.raises(TypeError):
        tags.read_tagged(0, [0.5])


@pytest.mark.parametrize("data", [np.arange(6.0).reshape(2, 3), np.array([["a"] * 3] * 2)])
def test_an_index_outside_of_the_data_names_them(block, data):
    array = block.create_data_array("signal", "t", data=data)
    for index in (2, (0, 3), (slice(None), -4)):
        with pytest.raises(nix.exceptions.OutOfBounds, match=r"'signal' of the shape \(2, 3\)"):
            array[index]
        with pytest.raises(nix.exceptions.OutOfBounds, match="'signal'"):
            array[index] = data[0, 0]
    assert array[:].tolist() == data.tolist()
