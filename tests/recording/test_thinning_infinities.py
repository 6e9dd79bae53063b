"""Overviews of samples among which are infinities: every kind answers, quietly."""

from __future__ import annotations

import numpy as np
import pytest

from ephyrus.recording.rowsource import Rows
from ephyrus.recording.thinning import thin


def _thinned(values, points, kind):
    part = Rows(lambda a, b: values[a:b], len(values), values.dtype, values.shape[1:])
    array = thin(part, points, kind)
    return array.read(0, array.shape[0])


@pytest.fixture
def values():
    made = np.linspace(-1, 1, 60)[:, None] * np.array([1.0, -1.0])
    made[10, 0], made[11, 0], made[40, 0] = np.inf, -np.inf, np.nan
    return made


def test_means_of_both_infinities_are_none(values):
    expected = np.array([np.nanmean(each, axis=0) for each in values.reshape(4, 15, 2)[1:]])
    got = _thinned(values, 4, "mean")
    np.testing.assert_allclose(got[1:], expected, rtol=1e-12)
    assert np.isnan(got[0]).tolist() == [True, False]


def test_extremes_are_found(values):
    got = _thinned(values, 8, "minmax")
    assert got[:2, 0].tolist() == [np.inf, -np.inf]
    np.testing.assert_array_equal(got[:2, 1], values[[0, 14], 1])


@pytest.mark.parametrize("kind", ["lttb", "minmaxlttb"])
def test_an_infinity_is_part_of_the_line(values, kind):
    got = _thinned(values, 8, kind)
    np.testing.assert_array_equal(got[[0, -1]], values[[0, -1]])
    assert np.inf in got[:, 0]
    assert set(got[:, 1].tolist()) <= set(values[:, 1].tolist())


@pytest.mark.parametrize("kind", ["resample", "decimate"])
def test_filters_leave_the_other_channel_alone(values, kind):
    got = _thinned(values, 6, kind)
    alone = _thinned(values[:, 1:], 6, kind)
    assert np.isnan(got[:, 0]).any()
    np.testing.assert_allclose(got[:, 1:], alone, rtol=1e-12)
