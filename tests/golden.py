"""Finds the real recordings and compares readers with the golden values made by other software."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("EPHYRUS_TEST_DATA", ROOT.parent / "shared" / "data"))


def data_path(name: str) -> Path:
    """Path of a real recording; skips the test where the folder is absent, but not in CI."""
    path = DATA / name
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{path} is missing; CI must have the real recordings")
        pytest.skip(f"{path} is missing; set EPHYRUS_TEST_DATA to the folder of real recordings")
    return path


def golden(name: str) -> dict[str, Any]:
    """Golden values of a file, by ``<format>/<file>``."""
    path = data_path("golden") / (name.replace("/", "__") + ".json")
    return json.loads(path.read_text(encoding="utf-8"))


def assert_channel(values: np.ndarray, expected: dict[str, Any], *, scale: float = 1.0) -> None:
    """Compare one channel (1-D, physical units) with its golden values.

    Tolerance: 1e-6 of the channel's range, because peers scale in float32.
    """
    values = np.asarray(values, np.float64)
    assert values.shape == (expected["n"],)
    if not expected["n"]:
        return
    low, high = expected["min"] * scale, expected["max"] * scale
    tolerance = 1e-6 * max(high - low, abs(high), abs(low), 1e-30)
    for part, found in (("first5", values[:5]), ("last5", values[-5:])):
        np.testing.assert_allclose(found, np.array(expected[part]) * scale, rtol=0, atol=tolerance)
    statistics = {
        "min": values.min(),
        "max": values.max(),
        "mean": values.mean(),
        "std": values.std(),
        "sum": values.sum(),
    }
    for name, found in statistics.items():
        allowed = tolerance * (len(values) if name == "sum" else 1)
        assert abs(found - expected[name] * scale) <= allowed, (name, found, expected[name] * scale)


def assert_points(times: np.ndarray, expected: dict[str, Any], *, atol: float = 1e-9) -> None:
    """Compare times (s) of spikes, events or epochs with their golden values."""
    times = np.asarray(times, np.float64)
    assert len(times) == expected["count"]
    np.testing.assert_allclose(times[:5], expected["first5"], rtol=1e-12, atol=atol)
    np.testing.assert_allclose(times[-5:], expected["last5"], rtol=1e-12, atol=atol)
    np.testing.assert_allclose(times.sum(), expected["sum"], rtol=1e-9, atol=atol * len(times))
