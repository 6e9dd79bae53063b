"""Splitting index columns: groups, pauses, segments, runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ephyrus.recording import (
    grouped,
    joint_stretches,
    run_table,
    segment_at,
    stretch_starts,
    table_runs,
    time_ordered,
    unit_counts,
)


@given(st.lists(st.integers(-5, 5)))
def test_groups_hold_every_item_once_in_order(keys):
    groups = grouped(np.array(keys, np.int64))
    assert groups.values.tolist() == sorted(set(keys))
    for position, value in enumerate(groups.values.tolist()):
        assert groups.rows(position).tolist() == [i for i, key in enumerate(keys) if key == value]
    assert groups.counts.sum() == len(keys)


def test_the_compiled_sort_is_stable_too(monkeypatch):
    pytest.importorskip("numba")
    from ephyrus.recording import _compiled, grouping

    assert _compiled is not None
    monkeypatch.setattr(grouping, "COMPILED_FROM", 0)
    for keys in (np.random.default_rng(1).integers(0, 2**16, 5000), [65535, 0, 0, 65535], []):
        column = np.array(keys, np.uint16)
        groups = grouped(column)
        np.testing.assert_array_equal(groups.order, np.argsort(column, kind="stable"))
        assert groups.order.dtype == np.intp


def test_times_fall_into_the_last_segment_that_has_begun():
    assert segment_at([-5, 100, 199, 200, 10**9], [100, 200]).tolist() == [0, 0, 0, 1, 1]
    assert segment_at([3.5], [0]).tolist() == [0]


def test_a_stretch_begins_where_packets_do_not_continue():
    ticks, ends = [0, 10, 21, 40, 49], [10, 20, 31, 50, 59]
    assert stretch_starts(ticks, ends, 1).tolist() == [0, 3]
    assert stretch_starts(ticks, ends, 0).tolist() == [0, 2, 3, 4]
    assert stretch_starts([], [], 0).tolist() == []


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 30)), min_size=1, max_size=20),
    st.integers(0, 5),
)
def test_joint_stretches_are_the_union(parts, tolerance):
    starts = np.array([start for start, _ in parts])
    stops = np.array([start + length for start, length in parts])
    first, last = joint_stretches(starts, stops, tolerance)
    covered = np.zeros(300, bool)
    for start, stop in zip(starts, stops, strict=True):
        covered[start:stop] = True
    united = np.zeros(300, bool)
    for start, stop in zip(first, last, strict=True):
        assert covered[start]
        assert covered[stop - 1]
        united[start:stop] = True
    assert not (covered & ~united).any()
    assert (first[1:] - last[:-1] > tolerance).all()
    bridged = np.flatnonzero(united & ~covered)
    lengths = [run.size for run in np.split(bridged, np.flatnonzero(np.diff(bridged) > 1) + 1)]
    assert max(lengths) <= tolerance


def test_nothing_united_is_nothing():
    first, last = joint_stretches([], [], 1)
    assert (first.size, last.size) == (0, 0)


def test_order_is_none_where_it_is_right():
    assert time_ordered([1, 2, 2, 5]) is None
    assert time_ordered([9, 1], [0, 1]) is None
    order = time_ordered([5, 1, 5, 0], [0, 0, 1, 0])
    assert order is not None
    assert order.tolist() == [3, 1, 0, 2]
    order = time_ordered([3, 1, 1])
    assert order is not None
    assert order.tolist() == [1, 2, 0]


def test_runs_are_the_segments_that_have_items():
    runs = table_runs([0, 0, 2, 2, 2], [100, 200, 300])
    np.testing.assert_array_equal(runs, run_table([2, 3], [100, 300], [0, 2]))
    assert table_runs([], [100]).size == 0


def test_units_are_counted_in_each_run():
    runs = run_table([3, 0, 4])
    for far in (7, 10**9):
        counts = unit_counts([0, 2, 0, 2, 2, far, 0], [2, 0, far], runs)
        np.testing.assert_array_equal(counts, [[1, 0, 2], [2, 0, 1], [0, 0, 1]])
    assert unit_counts([], [], run_table([])).shape == (0, 0)


@pytest.mark.parametrize("keys", [np.empty(0, np.uint16)])
def test_no_items_no_groups(keys):
    groups = grouped(keys)
    assert (groups.values.size, groups.bounds.tolist()) == (0, [0])
