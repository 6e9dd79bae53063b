"""Gains and offsets against float64 arithmetic, value by value."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.recording.scale import scaled, scaled_dtype, single_gain


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("i1", "f4"),
        ("u1", "f4"),
        ("<i2", "f4"),
        (">u2", "f4"),
        ("<f2", "f4"),
        ("<f4", "f4"),
        (">f4", "f4"),
        ("?", "f4"),
        ("<i4", "f8"),
        ("<u4", "f8"),
        ("<i8", "f8"),
        ("<f8", "f8"),
        (">f8", "f8"),
    ],
)
def test_dtype_holds_every_stored_number(stored, expected):
    assert scaled_dtype(np.dtype(stored)) == np.dtype(expected)
    assert scaled(np.zeros((1, 1), stored), 2.0).dtype == np.dtype(expected)


def assert_scaled(raw, gain, offset, **options):
    """Compare with float64 arithmetic, to the last digits of the result's type."""
    found = scaled(raw, gain, offset, **options)
    exact = raw.astype(np.float64) * np.asarray(gain, np.float64)
    size = np.abs(exact) + np.abs(np.asarray(offset, np.float64))
    tolerance = 2 * np.finfo(found.dtype).eps * size
    assert found.shape == raw.shape
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert not np.shares_memory(found, raw)
    assert np.all(np.abs(found.astype(np.float64) - (exact + offset)) <= tolerance)


@settings(deadline=None, max_examples=150)
@given(
    rows=st.integers(0, 5000),
    channels=st.integers(0, 9),
    dtype=st.sampled_from(["i1", "<i2", ">i2", "<u2", "<i4", ">f4", "<f8"]),
    per_channel=st.booleans(),
    order=st.sampled_from(["C", "F", "strided", "reversed"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_layout(rows, channels, dtype, per_channel, order, seed):
    rng = np.random.default_rng(seed)
    raw = rng.integers(-100, 100, (rows, 2 * channels)).astype(dtype)
    raw = {
        "C": np.ascontiguousarray(raw[:, :channels]),
        "F": np.asfortranarray(raw[:, :channels]),
        "strided": raw[:, ::2],
        "reversed": raw[::-1, :channels],
    }[order]
    size = channels if per_channel else None
    assert_scaled(raw, rng.normal(0, 3, size), rng.normal(0, 50, size))


def test_per_channel_factors_over_long_rows():
    raw = np.arange(30_001 * 7, dtype="<i2").reshape(30_001, 7)
    assert_scaled(raw, np.linspace(0.1, 2, 7), np.zeros(7))
    assert_scaled(raw, np.linspace(0.1, 2, 7), np.linspace(-5, 5, 7))
    assert_scaled(raw, np.ones(7), np.linspace(-5, 5, 7))
    assert_scaled(raw, np.full(7, 0.5), np.full(7, 2.0))


def test_three_dimensions():
    raw = np.arange(4 * 5 * 3, dtype="<u2").reshape(4, 5, 3)
    assert_scaled(raw, [0.5, 1.5, 2.5], [1.0, 0.0, -1.0])
    assert_scaled(raw, 0.25, 3.0)
    assert_scaled(raw[:, ::2], [0.5, 1.5, 2.5], [1.0, 0.0, -1.0])


def test_exact_values():
    raw = np.array([[-32768, 32767], [0, 1]], "<i2")
    assert scaled(raw, [1.0, 0.5], [0.0, 0.25]).tolist() == [[-32768.0, 16383.75], [0.0, 0.75]]
    assert scaled(raw, 1.0).tolist() == raw.tolist()
    assert scaled(raw, 1.0, 1.0).tolist() == (raw.astype(int) + 1).tolist()


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (0, 3, 4), (3, 4, 0)])
def test_empty(shape):
    found = scaled(np.zeros(shape, "<i2"), np.ones(shape[-1]) * 2, np.ones(shape[-1]))
    assert found.shape == shape
    assert found.dtype == np.float32


def test_wanted_dtype():
    raw = np.array([[1, 2]], "<i2")
    found = scaled(raw, [0.1, 0.2], dtype=np.dtype(np.float64))
    assert found.dtype == np.float64
    assert found.tolist() == [[0.1, 0.4]]
    assert scaled(np.array([[1]], "<i4"), 0.5, dtype=np.dtype("f4")).dtype == np.float32


def test_single_gain():
    assert single_gain([0.5, 0.5], [0.0, 0.0]) == 0.5
    assert single_gain(2.0, 0.0) == 2.0
    for gain, offset in (([0.5, 0.6], 0.0), ([0.5, 0.5], [0.0, 1.0]), ([], [])):
        with pytest.raises(ValueError, match="needs one gain for all channels and no offset"):
            single_gain(gain, offset)
