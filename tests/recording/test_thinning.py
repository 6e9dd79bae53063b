"""Every kind of downsampling against a loop over points of the whole array."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus._shared.bins import bin_edges, even_edges
from ephyrus.recording.rowsource import PIECE_VALUES, Rows
from ephyrus.recording.thinning import KINDS, MAX_CHOSEN, positions, thin

seeds = st.integers(0, 2**32 - 1)
DTYPES = ["<i2", ">i4", "<u1", "<f4", ">f8", "<u8", "<i8"]
SHAPES = [(), (1,), (3,), (2, 2)]


def random(seed, n, shape, dtype, nans=0.0):
    rng = np.random.default_rng(seed)
    data = (rng.normal(0, 6, (n, *shape)) + 40).astype(dtype)
    if data.dtype.kind == "f":
        data[rng.random(data.shape) < nans] = np.nan
    return data


def rows_of(data):
    return Rows(lambda start, stop: data[start:stop], len(data), data.dtype, data.shape[1:])


@pytest.fixture(params=[PIECE_VALUES, 40], ids=["one piece", "many pieces"])
def piece(request, monkeypatch):
    monkeypatch.setattr("ephyrus.recording.rowsource.PIECE_VALUES", request.param)
    return request.param


def bins_of(n, points):
    return [(j * n // points, (j + 1) * n // points) for j in range(points)]


def mean_oracle(data, points):
    result = np.full((points, *data.shape[1:]), np.nan)
    for j, (a, b) in enumerate(bins_of(len(data), points)):
        for place in np.ndindex(data.shape[1:]):
            values = data[(slice(a, b), *place)].astype(np.float64)
            values = values[~np.isnan(values)]
            if len(values):
                result[(j, *place)] = values.sum() / len(values)
    return result


def stride_oracle(data, points):
    return np.stack([data[a] for a, _ in bins_of(len(data), points)])


def minmax_places(data, points):
    result = np.zeros((points, *data.shape[1:]), np.int64)
    bins = points // 2
    for place in np.ndindex(data.shape[1:]):
        for j, (a, b) in enumerate(bins_of(len(data), bins) if bins else []):
            values = data[(slice(a, b), *place)]
            known = [i for i, value in enumerate(values.tolist()) if value == value]
            low = min(known, key=lambda i: values[i], default=0)
            high = max(known, key=lambda i: values[i], default=0)
            result[(2 * j, *place)] = a + min(low, high)
            result[(2 * j + 1, *place)] = a + max(low, high)
    if points % 2:
        result[-1] = len(data) - 1
    return result


def lttb_places(x, y, points):
    """Choose points of one line; x are positions, y values."""
    chosen = [0]
    buckets = points - 2
    n = len(x)
    cuts = [1 + j * (n - 2) // buckets for j in range(buckets + 1)] if buckets > 0 else []
    for j in range(max(buckets, 0)):
        if j + 1 < buckets:
            behind = slice(cuts[j + 1], cuts[j + 2])
        else:
            behind = slice(n - 1, n)
        known = y[behind][~np.isnan(y[behind])]
        cx, cy = x[behind].mean(), known.mean() if len(known) else np.nan
        ax, ay = x[chosen[-1]], y[chosen[-1]]
        best, most = cuts[j], -1.0
        for i in range(cuts[j], cuts[j + 1]):
            area = abs((ax - cx) * (y[i] - ay) - (ax - x[i]) * (cy - ay))
            if area > most:
                best, most = i, area
        chosen.append(best)
    if points > 1:
        chosen.append(n - 1)
    return x[chosen].astype(np.int64)


def each_channel(data, function):
    flat = data.reshape(len(data), -1).astype(np.float64)
    lines = [function(flat[:, channel]) for channel in range(flat.shape[1])]
    return np.stack(lines, axis=1).reshape(-1, *data.shape[1:])


def lttb_oracle(data, points):
    x = np.arange(len(data), dtype=np.float64)
    return each_channel(data, lambda y: lttb_places(x, y, points))


def minmaxlttb_oracle(data, points):
    if points < 3 or len(data) - 2 <= 4 * points:
        return lttb_oracle(data, points)
    inner = minmax_places(data[1:-1], 4 * points) + 1
    flat = inner.reshape(len(inner), -1)
    last = np.full((1, flat.shape[1]), len(data) - 1)
    places = np.concatenate([0 * last, flat, last])
    values = data.reshape(len(data), -1).astype(np.float64)
    lines = [
        lttb_places(places[:, c].astype(np.float64), values[places[:, c], c], points)
        for c in range(flat.shape[1])
    ]
    return np.stack(lines, axis=1).reshape(points, *data.shape[1:])


def resample_oracle(data, points):
    """Sum the Fourier series up to the highest frequency that the points can hold."""
    n = len(data)
    spectrum = np.fft.fft(data.astype(np.float64), axis=0) / n
    at = np.arange(points) / points
    result = np.zeros((points, *data.shape[1:]), complex)
    for k in range(-(points // 2), points // 2 + 1):
        weight = 0.5 if 2 * abs(k) == points else 1.0
        wave = np.exp(2j * np.pi * k * at).reshape(-1, *[1] * (data.ndim - 1))
        same = weight * (spectrum[k] + (spectrum[-k] if 2 * abs(k) == points else 0))
        result += wave * same
    return result.real


def decimate_oracle(data, points):
    n = len(data)
    ratio = n / points
    reach = int(np.ceil(10 * ratio))
    taps = np.sinc(np.arange(-reach, reach + 1) / ratio) * np.hamming(2 * reach + 1)
    result = np.zeros((points, *data.shape[1:]))
    for j in range(points):
        place = j * n // points
        inside = [k for k in range(-reach, reach + 1) if 0 <= place + k < n]
        weights = np.array([taps[k + reach] for k in inside])
        values = data[[place + k for k in inside]].astype(np.float64)
        result[j] = np.tensordot(weights, values, 1) / weights.sum()
    return result


def taken(data, places):
    return np.take_along_axis(data, places, axis=0)


ORACLES = {
    "mean": mean_oracle,
    "stride": stride_oracle,
    "minmax": lambda data, points: taken(data, minmax_places(data, points)),
    "lttb": lambda data, points: taken(data, lttb_oracle(data, points)),
    "minmaxlttb": lambda data, points: taken(data, minmaxlttb_oracle(data, points)),
    "resample": resample_oracle,
    "decimate": decimate_oracle,
}
PICKING = ("stride", "minmax", "lttb", "minmaxlttb")


def check(kind, found, expected, data):
    assert found.shape == expected.shape
    if kind in PICKING:
        assert found.dtype == data.dtype
        np.testing.assert_array_equal(found, expected)
    else:
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=150)
@given(
    n=st.integers(2, 300),
    points=st.integers(1, 90),
    shape=st.sampled_from(SHAPES),
    dtype=st.sampled_from(DTYPES),
    nans=st.sampled_from([0.0, 0.2, 0.9]),
    kind=st.sampled_from([kind for kind in KINDS if kind != "resample"]),
    small=st.booleans(),
    seed=seeds,
)
def test_each_kind_gives_what_a_loop_over_points_gives(
    n, points, shape, dtype, nans, kind, small, seed
):
    if kind == "decimate":
        nans = 0.0
    data = random(seed, n, shape, dtype, nans)
    points = min(points, n - 1)
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr("ephyrus.recording.rowsource.PIECE_VALUES", 40)
            patch.setattr("ephyrus.recording.thinning.PIECE_VALUES", 40)
            patch.setattr("ephyrus.recording.spectral.WINDOW_VALUES", 200)
        thinned = thin(rows_of(data), points, kind)
        found = thinned.read(0, points)
    assert thinned.shape == found.shape
    assert thinned.dtype == found.dtype
    check(kind, found, ORACLES[kind](data, points), data)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 200),
    points=st.integers(1, 90),
    shape=st.sampled_from(SHAPES),
    dtype=st.sampled_from(DTYPES),
    seed=seeds,
)
def test_resample_is_the_fourier_series(n, points, shape, dtype, seed):
    data = random(seed, n, shape, dtype)
    points = min(points, n - 1)
    found = thin(rows_of(data), points, "resample").read(0, points)
    check("resample", found, resample_oracle(data, points), data)


def test_resample_is_what_scipy_gives():
    signal = pytest.importorskip("scipy.signal")
    data = random(3, 500, (2,), "<f8")
    for points in (1, 2, 99, 100, 499):
        found = thin(rows_of(data), points, "resample").read(0, points)
        np.testing.assert_allclose(found, signal.resample(data, points), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_points_as_samples_changes_nothing(kind):
    data = random(1, 50, (2,), "<i2")
    for points in (50, 51, 10**12):
        thinned = thin(rows_of(data), points, kind)
        assert (thinned.shape, thinned.dtype) == ((50, 2), data.dtype)
        np.testing.assert_array_equal(thinned.read(3, 20), data[3:20])


@pytest.mark.parametrize("kind", KINDS)
def test_a_range_is_thinned_as_an_array_of_its_own(kind, piece):
    data = random(2, 400, (2,), "<f4")
    whole = thin(rows_of(data[37:311].copy()), 41, kind).read(0, 41)
    part = thin(rows_of(data), 41, kind, start=37, stop=311)
    np.testing.assert_array_equal(part.read(0, 41), whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("points", [1, 2, 37, 40])
def test_points_are_read_in_any_ranges(kind, points, piece):
    data = random(4, 333, (3,), "<i2")
    thinned = thin(rows_of(data), points, kind)
    whole = thinned.read(0, points)
    for first in range(points):
        for last in range(first, min(points, first + 4) + 1):
            np.testing.assert_allclose(thinned.read(first, last), whole[first:last], rtol=1e-12)


@pytest.mark.parametrize("kind", PICKING)
@pytest.mark.parametrize("shape", SHAPES)
def test_positions_name_the_samples_that_are_given(kind, shape, piece):
    data = random(5, 500, shape, "<f8", 0.05)
    for points in (1, 2, 3, 64, 500):
        places = positions(rows_of(data), points, kind, start=10, stop=490)
        values = thin(rows_of(data), points, kind, start=10, stop=490).read(0, min(points, 480))
        by_row = places.reshape(len(places), *[1] * (data.ndim - places.ndim), *places.shape[1:])
        np.testing.assert_array_equal(values, np.take_along_axis(data, by_row, axis=0))
        assert np.all(np.diff(places, axis=0) >= 0)


def test_filters_have_no_positions():
    rows = rows_of(random(5, 50, (), "<f8"))
    for kind in ("mean", "resample", "decimate"):
        with pytest.raises(ValueError, match=f"kind={kind} gives no samples of the array"):
            positions(rows, 5, kind)


def test_one_point_of_minmax_is_the_last_sample():
    data = np.array([3, 1, 2], "<i2")
    np.testing.assert_array_equal(thin(rows_of(data), 1, "minmax").read(0, 1), [2])


def test_extremes_come_in_the_order_in_which_they_occur():
    data = np.array([5, 9, 1, 1, 0, 7, 7, 7, 2, 2], "<i2")
    found = thin(rows_of(data), 4, "minmax").read(0, 4)
    np.testing.assert_array_equal(found, [9, 0, 7, 2])  # of 5 9 1 1 0, and of 7 7 7 2 2


def test_infinities_are_numbers():
    data = np.array([np.nan, np.inf, np.nan, np.nan, -np.inf, 1.0])
    found = thin(rows_of(data), 4, "minmax").read(0, 4)
    np.testing.assert_array_equal(found, [np.inf, np.inf, -np.inf, 1.0])
    found = thin(rows_of(np.array([np.inf, -np.inf, 1.0, 1.0])), 2, "mean").read(0, 2)
    np.testing.assert_array_equal(found, [np.nan, 1.0])


@pytest.mark.parametrize(
    ("points", "kind", "message"),
    [
        (0, "mean", "points must be 1 or more, not 0"),
        (5, "median", "kind must be one of 'mean', 'stride', 'minmax', .*, not 'median'"),
    ],
)
def test_bad_requests_are_refused(points, kind, message):
    with pytest.raises(ValueError, match=message):
        thin(rows_of(np.arange(10)), points, kind)


def test_what_would_cost_too_much_is_refused():
    rows = Rows(lambda start, stop: np.zeros((stop - start, 2)), 2**22, np.dtype("f8"), (2,))
    with pytest.raises(ValueError, match="kind=resample transforms the whole range at once"):
        thin(rows, 100, "resample")
    with pytest.raises(ValueError, match="kind=decimate would need a filter of"):
        thin(rows, 3, "decimate")
    with pytest.raises(ValueError, match="too many to be chosen one by one: at most 1,048,576"):
        thin(rows, MAX_CHOSEN // 2 + 1, "lttb")
    for kind in ("lttb", "minmaxlttb"):
        with pytest.raises(ValueError, match="at most 100,000, not 100,001; ask for fewer"):
            thin(rows, 100_001, kind)


def test_even_edges_are_a_part_of_all_edges():
    whole = bin_edges([0, 1000], 77)
    np.testing.assert_array_equal(even_edges(1000, 77, 5, 31), whole[5:32])
    far = even_edges(2**60 + 7, 1000, 999, 1000)
    np.testing.assert_array_equal(far, [(999 * (2**60 + 7)) // 1000, 2**60 + 7])


@pytest.mark.parametrize("kind", ["mean", "minmax", "lttb", "minmaxlttb"])
def test_memory_is_that_of_a_piece(kind):
    length = 2_000_000

    def read(start, stop):
        return (np.arange(start, stop) * 7919 % 10007).astype("<i2")[:, None].repeat(4, 1)

    rows = Rows(read, length, np.dtype("<i2"), (4,))
    tracemalloc.start()
    found = thin(rows, 200, kind).read(0, 200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (200, 4)
    assert peak < 60 * 2**20  # the array has 16 MB, a piece of it 1 MB
