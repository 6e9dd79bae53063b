"""Downsampling against plain numpy over whole arrays."""

import tracemalloc
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus._shared.bins import thinned
from ephyrus.errors import Cancelled
from ephyrus.recording import CallbackProgress, FileSet, Limits
from ephyrus.recording.downsample import bin_edges, downsample, reduce_pieces
from tests.synth import arrays

seeds = st.integers(0, 2**32 - 1)


def cut(data, sizes, first=0):
    """Cut an array into pieces of the given sizes, again and again."""
    at = 0
    turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        yield first + at, data[at : at + size]
        at, turn = at + size, turn + 1


def reference(data, edges, method):
    """Do the same with a loop over bins of the whole array."""
    parts = [data[a:b] for a, b in pairwise(edges)]
    if method == "stride":
        return np.array([part[0] for part in parts])
    if method == "mean":
        return np.array([part.astype(np.float64).mean(axis=0) for part in parts])
    return np.array([[part.min(axis=0), part.max(axis=0)] for part in parts])


@settings(deadline=None, max_examples=100)
@given(
    n=st.integers(1, 400),
    bins=st.integers(1, 90),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    shape=st.sampled_from([(), (1,), (3,), (2, 2)]),
    dtype=st.sampled_from(["<i2", ">i4", "<u1", "<f4", "<f8", "<u8"]),
    method=st.sampled_from(["minmax", "mean", "stride"]),
    seed=seeds,
)
def test_pieces_of_any_size_give_the_same_as_the_whole(n, bins, sizes, shape, dtype, method, seed):
    rng = np.random.default_rng(seed)
    data = (rng.normal(0, 40, (n, *shape)) + 100).astype(dtype)
    edges = bin_edges([0, n], bins)
    found = reduce_pieces(cut(data, sizes), edges, method, dtype=np.dtype(dtype), item_shape=shape)
    expected = reference(data, edges, method)
    assert found.shape == expected.shape
    if method == "mean":
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    else:
        assert found.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=150)
@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=12), bins=st.integers(1, 200))
def test_bins_cover_everything_once_and_keep_to_ranges(lengths, bins):
    borders = np.concatenate([[7], 7 + np.cumsum(lengths)])
    edges = bin_edges(borders, bins)
    filled = sum(length > 0 for length in lengths)
    assert edges[0] == 7
    assert edges[-1] == borders[-1]
    assert np.all(np.diff(edges) > 0)
    assert set(borders.tolist()) <= set(edges.tolist())
    assert len(edges) - 1 == min(max(bins, filled), sum(lengths))
    for first, stop in pairwise(borders):
        inside = np.diff(edges[(edges >= first) & (edges <= stop)])
        assert not inside.size or inside.max() - inside.min() <= 1


@settings(deadline=None, max_examples=100)
@given(n=st.integers(1, 10**12), bins=st.integers(1, 3000))
def test_borders_of_one_range_are_the_floor_of_equal_parts(n, bins):
    edges = bin_edges([0, n], bins)
    if bins < n:
        assert edges.tolist() == [j * n // bins for j in range(bins + 1)]


def test_shares_follow_the_lengths():
    assert np.diff(bin_edges([0, 8, 10], 4)).tolist() == [2, 3, 3, 2]
    edges = bin_edges([0, 1000, 1001, 1002, 2002], 20)
    assert edges.searchsorted([0, 1000, 1001, 1002, 2002]).tolist() == [0, 9, 10, 11, 20]
    assert bin_edges([3, 3], 5).tolist() == [3]
    many = np.arange(0, 3_000_001, 3)
    assert bin_edges([*many[:1000], 10**9], 2000).size == 2001


@pytest.mark.parametrize(("borders", "bins"), [([0, 10], 0), ([0, 10, 5], 2), ([4], 1), ([], 1)])
def test_bin_edges_refuse_nonsense(borders, bins):
    with pytest.raises(ValueError, match=r"bins must be|do not decrease"):
        bin_edges(borders, bins)


def test_missing_items_are_noticed():
    data = np.arange(10)
    edges = [0, 5, 10]
    for chunks in ([(0, data[:9])], [(1, data[1:])], [(0, data[:4]), (5, data[5:])], []):
        with pytest.raises(ValueError, match=r"expected|the last bin at"):
            reduce_pieces(chunks, edges, dtype=data.dtype)
    with pytest.raises(ValueError, match="ends at 11, the last bin at 10"):
        reduce_pieces([(0, np.arange(11))], edges, dtype=data.dtype)
    with pytest.raises(ValueError, match="do not hold position 5"):
        reduce_pieces([(0, data[:4]), (6, data[6:])], edges, "stride", dtype=data.dtype)
    with pytest.raises(ValueError, match="one of 'minmax', 'mean', 'stride', not 'median'"):
        reduce_pieces([], edges, "median", dtype=data.dtype)


def test_nan_counts_as_nothing():
    nan = np.nan
    data = np.array([[1, nan], [nan, nan], [3, nan], [nan, 5], [-2, 7], [nan, 9]], "<f4")
    pieces = [(0, data[:2]), (2, data[2:4]), (4, data[4:])]
    low_high = reduce_pieces(pieces, [0, 3, 6], dtype=data.dtype, item_shape=(2,))
    np.testing.assert_array_equal(low_high, [[[1, nan], [3, nan]], [[-2, 5], [-2, 9]]])
    mean = reduce_pieces(pieces, [0, 3, 6], "mean", dtype=data.dtype, item_shape=(2,))
    np.testing.assert_array_equal(mean, [[2, nan], [-2, 7]])


def test_infinities():
    data = np.array([1.0, np.inf, -np.inf, 2.0, np.inf, 3.0])
    pieces = [(0, data)]
    found = reduce_pieces(pieces, [0, 3, 6], dtype=data.dtype)
    np.testing.assert_array_equal(found, [[-np.inf, np.inf], [2, np.inf]])
    mean = reduce_pieces(pieces, [0, 3, 6], "mean", dtype=data.dtype)
    np.testing.assert_array_equal(mean, [np.nan, np.inf])


def test_booleans_and_empty_pieces():
    data = np.array([False, True, False, False])
    found = reduce_pieces([(0, data[:0]), (0, data)], [0, 2, 4], dtype=data.dtype)
    assert found.tolist() == [[False, True], [False, False]]
    nothing = reduce_pieces([], [5], dtype=np.dtype("<i2"), item_shape=(3,))
    assert nothing.shape == (0, 2, 3)


RNG = np.random.default_rng(5)
DATA = RNG.integers(-2000, 2000, (5000, 3)).astype("<i2")
GAIN, OFFSET = np.array([0.25, -0.5, 1.0]), np.array([0.0, 10.0, -3.0])
RUNS = [(3000, 50, 0), (10, 4000, 0), (1990, 9000, 1)]


def recording(**more):
    signal = arrays.signal(
        DATA, rate=Fraction(1000), clock=2000, runs=RUNS, gain=GAIN.tolist(), offset=OFFSET.tolist()
    )
    return arrays.in_memory([signal], **more)


@pytest.mark.parametrize("max_bytes", [1, 100, 1000, 2**20])
def test_recording_minmax_is_that_of_scaled_samples(max_bytes):
    made = recording()
    found = downsample(made, 0, 40, max_bytes=max_bytes)
    scaled = made.read_scaled(0)
    edges = np.append(found.first, 5000)
    np.testing.assert_array_equal(edges, bin_edges([0, 3000, 3010, 5000], 40))
    np.testing.assert_array_equal(found.last, edges[1:] - 1)
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, reference(scaled, edges, "minmax"))
    np.testing.assert_array_equal(found.low, found.values[:, 0])
    np.testing.assert_array_equal(found.high, found.values[:, 1])
    assert found.run.tolist() == [0] * 23 + [1] + [2] * 16
    assert len(found) == 40
    assert found.counts.sum() == 5000


def test_recording_times_are_those_of_the_samples():
    found = downsample(recording(), "stream 0", 40, method="mean")
    ticks = {0: (0, 50), 1: (3000, 4000), 2: (3010, 9000)}
    first = [
        float(Fraction(ticks[run][1], 2000) + Fraction(sample - ticks[run][0], 1000))
        for run, sample in zip(found.run.tolist(), found.first.tolist(), strict=True)
    ]
    assert found.t_first.tolist() == first
    np.testing.assert_array_equal(found.times, (found.t_first + found.t_last) / 2)
    assert downsample(recording(), 0, 40, method="stride").times.tolist() == first


def test_recording_mean_and_stride_of_a_range():
    made = recording()
    edges = bin_edges([2500, 3000, 3010, 4000], 30)
    mean = downsample(made, 0, 30, start=2500, stop=4000, channels=["ch2", "ch1"], method="mean")
    assert mean.first.tolist() == edges[:-1].tolist()
    raw = reference(DATA[:, [2, 1]], edges, "mean")
    np.testing.assert_allclose(mean.values, raw * GAIN[[2, 1]] + OFFSET[[2, 1]], rtol=1e-14)
    stride = downsample(made, 0, 30, start=2500, stop=4000, channels=-1, method="stride")
    np.testing.assert_array_equal(stride.values, made.read_scaled(0, channels=-1)[edges[:-1]])
    stored = downsample(made, 0, 30, start=2500, stop=4000, scaled=False)
    assert stored.values.dtype == np.int16
    np.testing.assert_array_equal(stored.values, reference(DATA, edges, "minmax"))
    with pytest.raises(ValueError, match="only method="):
        _ = mean.low


def test_more_bins_than_samples_gives_the_samples():
    found = downsample(recording(), 0, 10**6, start=2998, stop=3002, method="mean", scaled=False)
    np.testing.assert_array_equal(found.values, DATA[2998:3002])
    np.testing.assert_array_equal(found.first, found.last)


def test_empty_range():
    found = downsample(recording(), 0, 10, start=5, stop=5)
    assert found.values.shape == (0, 2, 3)
    assert found.times.size == 0
    assert downsample(recording(), 0, 10, start=5, stop=5, method="stride").values.shape == (0, 3)


def test_arguments_are_checked():
    made = recording()
    for wrong in ({"start": -1}, {"stop": 5001}, {"start": 9, "stop": 3}, {"channels": [3]}):
        with pytest.raises(IndexError, match="stream 0"):
            downsample(made, 0, 5, **wrong)
    with pytest.raises(ValueError, match="bins must be 1 or more, not 0"):
        downsample(made, 0, 0)
    with pytest.raises(ValueError, match="not 'lttb'"):
        downsample(made, 0, 4, method="lttb")
    with pytest.raises(KeyError, match="no signal 'x'"):
        downsample(made, "x", 4)


def test_stride_reads_only_the_samples_it_gives():
    data = np.arange(400_000, dtype="<i4").reshape(100_000, 4)
    made = arrays.in_memory([arrays.signal(data, rate=30000)])
    source = made.reading.files.main
    before = source.bytes_read
    found = downsample(made, 0, 10, method="stride", scaled=False)
    np.testing.assert_array_equal(found.values, data[::10_000])
    assert source.bytes_read - before == 10 * 16
    before, requests = source.bytes_read, source.requests
    found = downsample(made, 0, 1000, method="stride", scaled=False)
    np.testing.assert_array_equal(found.values, data[::100])
    assert source.requests - requests == 1  # near samples are read in one go
    assert source.bytes_read - before == 99_901 * 16


def test_limits_make_smaller_pieces():
    made = recording(limits=Limits(read_bytes=600))
    found = downsample(made, 0, 7, scaled=False)
    edges = np.append(found.first, 5000)
    np.testing.assert_array_equal(found.values, reference(DATA, edges, "minmax"))


def test_progress_counts_bytes_and_cancels():
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    downsample(recording(), 0, 5, max_bytes=12_000, progress=progress)
    assert seen == [(0, 30_000), (12_000, 30_000), (24_000, 30_000), (30_000, 30_000)]
    progress = CallbackProgress(lambda done, total: progress.cancel() if done else None)
    with pytest.raises(Cancelled):
        downsample(recording(), 0, 5, max_bytes=12_000, progress=progress)


def test_images():
    frames = RNG.integers(0, 255, (50, 3, 4)).astype("u1")
    made = arrays.in_memory([arrays.signal(frames, names=["camera"], gain=-2.0, offset=1.0)])
    found = downsample(made, 0, 6)
    edges = np.append(found.first, 50)
    np.testing.assert_array_equal(
        found.values, reference(frames.astype("f4") * -2 + 1, edges, "minmax")
    )
    assert downsample(made, 0, 6, method="mean", channels=0).values.shape == (6, 3, 4)


def test_memory_stays_bounded(tmp_path):
    data = np.zeros((2_000_000, 4), "<i2")
    data[1_234_567, 2] = 77
    path = arrays.write(tmp_path / "long.arrays", [arrays.signal(data, rate=30000)])
    made = arrays.opened(FileSet(path, access="pread"))
    tracemalloc.start()
    try:
        found = downsample(made, 0, 100, max_bytes=2**18)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        made.close()
    assert peak < 2**20  # 16 MB of samples
    assert np.flatnonzero(found.high[:, 2]).tolist() == [61]
    assert found.high[61].tolist() == [0, 0, 77, 0]


@pytest.mark.parametrize("ordered", [True, False])
def test_thinned_keeps_one_time_of_each_quarter_column(ordered):
    times = np.linspace(0, 1, 1001)[:-1]
    if not ordered:
        times = np.concatenate([times[500:], times[:500]])
    kept = times[thinned(times, 0.0, 1.0, 10)]
    np.testing.assert_allclose(np.sort(kept), np.arange(40) / 40, atol=1e-12)
    assert thinned(times[:80], 0.0, 1.0, 10) == slice(None)
