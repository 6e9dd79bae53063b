"""Levels of an array that has grown: overviews are those of all of its rows."""

from __future__ import annotations

import numpy as np
import pytest

from ephyrus.recording.levels import Levels, build_levels
from ephyrus.recording.rowsource import Rows
from ephyrus.recording.thinning import thin

LENGTH = 40_000
RANGES = ((0, LENGTH), (100, 30_000), (17_000, LENGTH), (17_001, LENGTH), (5, 18_000))


@pytest.mark.parametrize(("dtype", "items"), [("<i2", (3,)), ("<f4", ()), ("<u8", ()), ("|u1", ())])
@pytest.mark.parametrize("known", [2**14, 17_001, LENGTH - 1])
def test_rows_that_the_levels_do_not_know_are_read(tmp_path, dtype, items, known):
    dice = np.random.default_rng(known)
    values = dice.integers(0, 200, (LENGTH, *items)).astype(dtype)
    if values.dtype.kind == "f":
        values[dice.integers(0, LENGTH, 900)] = np.nan
        values[known - 50 : known + 50] = np.nan
    path = tmp_path / "levels"
    build_levels(path, lambda a, b: values[a:b], known, dtype=values.dtype, item_shape=items)
    levels = Levels.open(path)
    try:
        rows = Rows(lambda a, b: values[a:b], LENGTH, values.dtype, items)
        for start, stop in RANGES:
            for points in (1, 2, 7, 100, 900):
                for kind in ("mean", "minmax"):
                    part = thin(rows, points, kind, start=start, stop=stop, levels=levels.of())
                    plain = thin(rows, points, kind, start=start, stop=stop)
                    got, expected = (each.read(0, each.shape[0]) for each in (part, plain))
                    if kind == "minmax":
                        np.testing.assert_array_equal(got, expected)
                    else:
                        np.testing.assert_allclose(got, expected, rtol=1e-12)
    finally:
        levels.close()
