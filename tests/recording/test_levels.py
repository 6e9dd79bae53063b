"""Levels: the same points as from the samples, whatever the range; files that cannot be true."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.errors import Cancelled, FormatError, TruncatedError
from ephyrus.recording import CallbackProgress, levelfile, levels
from ephyrus.recording.files import MemorySource, PreadSource
from ephyrus.recording.levelfile import HEAD_BYTES, MAGIC
from ephyrus.recording.levels import Levels, build_levels, worth_levels
from ephyrus.recording.rowsource import Rows
from ephyrus.recording.thinning import thin

DTYPES = ["<i2", ">i4", "|u1", "|i1", "<f4", ">f8", "<u8", "<i8", "<u2"]


def rows_of(data):
    return Rows(lambda start, stop: data[start:stop], len(data), data.dtype, data.shape[1:])


def made(path, data, **options):
    build_levels(
        path,
        lambda start, stop: data[start:stop],
        len(data),
        dtype=data.dtype,
        item_shape=data.shape[1:],
        **options,
    )
    return Levels.open(path)


def signals(kind, n, shape, dtype, seed):
    """Make signals of different looks, for which cut blocks matter seldom or always."""
    rng = np.random.default_rng(seed)
    t = np.arange(n).reshape(-1, *[1] * len(shape))
    if kind == "noise":
        data = rng.normal(60, 15, (n, *shape))
    elif kind == "ramp":
        data = np.broadcast_to(t * (120 / n), (n, *shape))
    elif kind == "two values":
        data = rng.integers(0, 2, (n, *shape))
    else:
        data = np.broadcast_to(60 + 50 * np.sin(t / 400), (n, *shape))
    result = data.astype(dtype)
    if result.dtype.kind == "f" and kind == "noise":
        result[rng.random(result.shape) < 0.3] = np.nan
        result[n // 3 : n // 2] = np.nan
    return result


@pytest.fixture(scope="module", autouse=True)
def short_ones_too():
    """Make levels of short arrays, so that there are several of them in quick tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levelfile, "SHORTEST", 1)
        patch.setattr(levelfile, "FEWEST_BLOCKS", 2)
        yield


@pytest.fixture(params=[2**21, 0], ids=["held", "read each time"])
def held(request, monkeypatch):
    monkeypatch.setattr(levels, "HELD_BYTES", request.param)


class Queried:
    """Levels that remember that they were asked with success."""

    def __init__(self, chosen):
        self.chosen, self.used = chosen, 0

    def pairs(self, rows, edges):
        found = self.chosen.pairs(rows, edges)
        self.used += found is not None
        return found

    def means(self, rows, edges):
        found = self.chosen.means(rows, edges)
        self.used += found is not None
        return found


@pytest.mark.parametrize("look", ["noise", "ramp", "two values", "wave"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_points_are_those_of_the_samples(tmp_path, dtype, look, held):
    rng = np.random.default_rng(abs(hash((dtype, look))) % 1000)
    for n, shape in ((7_001, ()), (8_192, (3,)), (4_099, (2, 2))):
        data = signals(look, n, shape, dtype, 7)
        rows = rows_of(data)
        known = Queried(made(tmp_path / f"{n}", data).of())
        for _ in range(12):
            start = int(rng.integers(0, n - 1500))
            stop = int(rng.choice([n, rng.integers(start + 1400, n)]))
            points = int(rng.integers(2, 30))
            direct = thin(rows, points, "minmax", start=start, stop=stop).read(0, points)
            found = thin(rows, points, "minmax", start=start, stop=stop, levels=known)
            np.testing.assert_array_equal(found.read(0, points), direct)
            assert found.read(0, points).dtype == data.dtype
            points = int(rng.integers(1, 6))
            direct = thin(rows, points, "mean", start=start, stop=stop).read(0, points)
            found = thin(rows, points, "mean", start=start, stop=stop, levels=known)
            np.testing.assert_allclose(found.read(0, points), direct, rtol=1e-12)
        assert known.used > 20


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(300, 3000),
    points=st.integers(1, 12),
    ends=st.tuples(st.floats(0, 0.4), st.floats(0.5, 1)),
    look=st.sampled_from(["noise", "ramp", "two values", "wave"]),
    dtype=st.sampled_from(["<i2", "<f4"]),
    seed=st.integers(0, 100),
)
def test_any_range_in_any_number_of_points(tmp_path_factory, n, points, ends, look, dtype, seed):
    data = signals(look, n, (2,), dtype, seed)
    start, stop = int(ends[0] * n), int(np.ceil(ends[1] * n))
    folder = tmp_path_factory.mktemp("levels")
    known, rows = made(folder / "levels", data).of(), rows_of(data)
    for kind in ("minmax", "mean"):
        direct = thin(rows, points, kind, start=start, stop=stop).read(0, points)
        found = thin(rows, points, kind, start=start, stop=stop, levels=known).read(0, points)
        if kind == "minmax" or dtype == "<i2":
            np.testing.assert_array_equal(found, direct)
        else:
            np.testing.assert_allclose(found, direct, rtol=1e-12)


def defined_pairs(data, points, start, stop):
    """Take the definition at its word: lowest and highest of each bin as they occur."""
    edges = [start + at * (stop - start) // (points // 2) for at in range(points // 2 + 1)]
    result = []
    for values in (data[a:b] for a, b in pairwise(edges)):
        there = np.flatnonzero(~np.isnan(values))
        if len(there):
            ends = there[values[there].argmin()], there[values[there].argmax()]
            result += [values[min(ends)], values[max(ends)]]
        else:
            result += [np.nan, np.nan]
    return result


@pytest.mark.parametrize("dtype", ["<i2", "<f4"])
def test_the_extremes_of_pulses_occur_in_order(tmp_path, dtype, held):
    """Both extremes of a bin often lie in the same cut block, of any level."""
    rng = np.random.default_rng(5)
    data = np.zeros(9_000, dtype)
    for at in rng.integers(0, 8_900, 60):
        data[at : at + rng.integers(1, 50)] = rng.integers(-9, 9)
    if dtype == "<f4":
        for value in (np.nan, np.inf, -np.inf):
            at = int(rng.integers(0, 7_000))
            data[at : at + 1_500 : rng.integers(1, 3)] = value
    known = made(tmp_path / "levels", data).of()
    for _ in range(60):
        start = int(rng.integers(0, 5_000))
        stop = int(rng.integers(start + 1_500, 9_001))
        points = 2 * int(rng.integers(1, 6))
        found = thin(rows_of(data), points, "minmax", start=start, stop=stop, levels=known)
        np.testing.assert_array_equal(
            found.read(0, points), defined_pairs(data, points, start, stop)
        )


def test_some_channels(tmp_path, held):
    data = signals("noise", 9_000, (6,), "<f4", 3)
    channels = np.array([4, 0, 5])
    known = made(tmp_path / "levels", data).of(channels)
    some = rows_of(np.ascontiguousarray(data[:, channels]))
    for kind, rtol in (("minmax", 0), ("mean", 1e-12)):
        direct = thin(some, 14, kind, start=5, stop=8_901).read(0, 14)
        found = thin(some, 14, kind, start=5, stop=8_901, levels=known).read(0, 14)
        np.testing.assert_allclose(found, direct, rtol=rtol)


def test_bins_that_are_short_are_left_to_the_samples(tmp_path):
    data = signals("noise", 3_000, (), "<i2", 3)
    known = made(tmp_path / "levels", data).of()
    assert known.pairs(rows_of(data), np.array([0, 127, 300])) is None
    assert known.means(rows_of(data), np.array([0, 255, 600])) is None


def test_whole_numbers_have_exact_means(tmp_path):
    data = np.full(40_000, 2**31 - 1, "<i4")
    data[::2] -= 1
    known = made(tmp_path / "levels", data).of()
    found = known.means(rows_of(data), np.array([1, 20_001, 40_000]))
    np.testing.assert_array_equal(found, [2**31 - 1.5, 2**31 - 2 + 10_000 / 19_999])


def test_work_does_not_follow_the_length(tmp_path, monkeypatch):
    monkeypatch.setattr(levels, "HELD_BYTES", 0)
    counts = []
    for n in (200_000, 3_200_000):
        rng = np.random.default_rng(0)
        data = rng.integers(-3000, 3000, n).astype("<i2")
        read = [0]

        def reading(start, stop, data=data, read=read):
            read[0] += stop - start
            return data[start:stop]

        made(tmp_path / f"{n}", data)
        file = PreadSource(tmp_path / f"{n}")
        rows = Rows(reading, n, data.dtype)
        thin(rows, 200, "minmax", start=3, levels=Levels(file).of()).read(0, 200)
        counts.append((file.bytes_read, read[0]))
    for (few, samples), (more, more_samples) in [counts]:
        assert more < 6 * few + HEAD_BYTES
        assert more_samples < 2 * samples + 64
        assert samples < 101 * 32


def test_what_they_are_made_of_and_how_large_they_are(tmp_path):
    data = signals("noise", 100_000, (4,), "<i2", 3)
    found = made(tmp_path / "levels", data, source="ab" * 20)
    assert (found.length, found.dtype, found.item_shape) == (100_000, np.dtype("<i2"), (4,))
    assert found.source == "ab" * 20
    size = (tmp_path / "levels").stat().st_size
    assert 0.10 < size / data.nbytes < 0.15
    head = (tmp_path / "levels").read_bytes()[len(MAGIC) : HEAD_BYTES]
    assert json.loads(head)["factors"]["pairs"][:3] == [32, 128, 512]


def test_made_again_they_are_the_same(tmp_path):
    data = signals("noise", 10_000, (2,), "<f8", 3)
    made(tmp_path / "levels", data)
    before = (tmp_path / "levels").read_bytes()
    made(tmp_path / "levels", data)
    assert (tmp_path / "levels").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["levels"]


def test_cancelled_leaves_nothing(tmp_path):
    data = np.zeros(2_000_000, "<i2")

    def stop(done, total):
        if done:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        made(tmp_path / "levels", data, progress=CallbackProgress(stop))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_leaves_nothing_that_can_be_seen(tmp_path):
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        import numpy as np
        from ephyrus.recording.levels import build_levels

        def read(start, stop):
            print(start, flush=True)
            time.sleep(0.01)
            return np.zeros(stop - start, "<i2")

        build_levels(Path(sys.argv[1]), read, 10**9, dtype=np.dtype("<i2"))
        """
    )
    path = tmp_path / "levels"
    child = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE)
    with child, child.stdout as out:
        for _ in range(3):
            out.readline()
        time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
    assert not path.exists()
    data = signals("ramp", 20_000, (), "<i2", 0)
    known = made(path, data).of()  # and it is made in spite of what was left
    np.testing.assert_array_equal(
        known.pairs(rows_of(data), np.array([0, 10_000, 20_000])).ravel(),
        data[[0, 9_999, 10_000, -1]],
    )


def changed(raw, **facts):
    head = json.loads(raw[len(MAGIC) : HEAD_BYTES])
    head = {key: value for key, value in (head | facts).items() if value is not ...}
    return (MAGIC + json.dumps(head).encode()).ljust(HEAD_BYTES) + raw[HEAD_BYTES:]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"length": 10**14}, "cannot be true|have .* bytes|other factors"),
        ({"length": 2**60}, "cannot be true"),
        ({"length": -5}, "cannot be true"),
        ({"length": 1.5}, "cannot be true"),
        ({"length": True}, "cannot be true"),
        ({"length": 10_500}, "have .* bytes, the file has"),
        ({"length": ...}, "cannot be true"),
        ({"dtype": "O"}, "cannot be true"),
        ({"dtype": "<f8"}, "have .* bytes, the file has"),
        ({"dtype": [["a", "<i2"]]}, "cannot be true"),
        ({"dtype": "nonsense"}, "cannot be true"),
        ({"dtype": 7}, "cannot be true"),
        ({"item_shape": [10**9, 10**9]}, "have .* bytes, the file has"),
        ({"item_shape": [0]}, "cannot be true"),
        ({"item_shape": 3}, "cannot be true"),
        ({"item_shape": [1] * 40}, "cannot be true"),
        ({"counts": 1}, "cannot be true"),
        ({"counts": True}, "have .* bytes, the file has"),
        ({"source": None}, "cannot be true"),
        ({"factors": {"pairs": [0], "sums": [0]}}, "other factors"),
        ({"factors": ...}, "other factors"),
    ],
)
def test_heads_that_cannot_be_true(tmp_path, facts, message):
    data = signals("ramp", 10_000, (2,), "<i2", 0)
    made(tmp_path / "levels", data)
    raw = changed((tmp_path / "levels").read_bytes(), **facts)
    with pytest.raises(FormatError, match=message):
        Levels(MemorySource("levels", raw))


@pytest.mark.parametrize("keep", [0, 5, len(MAGIC), HEAD_BYTES - 1, HEAD_BYTES, -1])
def test_files_that_end_early(tmp_path, keep):
    data = signals("ramp", 10_000, (2,), "<i2", 0)
    made(tmp_path / "levels", data)
    raw = (tmp_path / "levels").read_bytes()[:keep]
    with pytest.raises(FormatError):
        Levels(MemorySource("levels", raw))


@pytest.mark.parametrize("head", [b"", b"[", b"[]", b"3", b"[" * 4000, b"\xff\xfe", b"NaN"])
def test_heads_that_are_no_object(head):
    raw = (MAGIC + head).ljust(HEAD_BYTES)
    with pytest.raises(FormatError, match="cannot be true"):
        Levels(MemorySource("levels", raw))


def test_a_file_that_becomes_shorter_while_it_is_open(tmp_path, monkeypatch):
    monkeypatch.setattr(levels, "HELD_BYTES", 0)
    data = signals("ramp", 100_000, (2,), "<i2", 0)
    known = made(tmp_path / "levels", data)
    os.truncate(tmp_path / "levels", HEAD_BYTES)
    with pytest.raises(TruncatedError, match="became shorter"):
        thin(rows_of(data), 10, "minmax", levels=known.of()).read(0, 10)


def test_what_levels_are_made_of(tmp_path, monkeypatch):
    monkeypatch.setattr(levelfile, "SHORTEST", 2**14)
    assert worth_levels(2**14, np.dtype("<i2"), (4,))
    assert not worth_levels(2**14 - 1, np.dtype("<i2"))
    assert not worth_levels(2**20, np.dtype("S8"))
    assert not worth_levels(2**20, np.dtype("?"))
    assert not worth_levels(2**20, np.dtype("c16"))
    assert not worth_levels(2**20, np.dtype("<i2"), (0,))
    with pytest.raises(ValueError, match="no levels are made of 10 rows of type int16"):
        made(tmp_path / "levels", np.zeros(10, "<i2"))
