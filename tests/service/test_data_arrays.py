"""Arrays opened for reading, and parts of them: physical values, points, types, rows by time."""

import threading
import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ephyrus.recording.files import MemorySource, PreadSource
from ephyrus.recording.levels import build_levels
from ephyrus.service.arrays.opening import ArrayOpener
from ephyrus.service.arrays.parts import Choice, choose, chosen_positions
from ephyrus.service.arrays.recorded import RecordedArray
from ephyrus.service.arrays.stored import StoredArray
from ephyrus.service.arrays.timed import counts, rows_in_window
from ephyrus.service.catalog.records import ArrayRow
from ephyrus.service.errors import ServiceError
from ephyrus.service.inplace.files import files_of, opened, state_of
from ephyrus.service.inplace.pool import Recipe, RecordingPool
from ephyrus.service.memory import keep_freed_memory
from ephyrus.service.partial.times import Times
from tests.synth import brainvision

GAIN = np.array([0.5, -0.25, 2.0])
OFFSET = np.array([1.0, 0.0, -3.0])


class Store:
    """Files in a folder under plain names."""

    def __init__(self, folder):
        self.folder = folder
        self.opened = 0

    def source(self, key):
        self.opened += 1
        return PreadSource(self.folder / key)


def stored_row(store, values, number=1, offset=24, **changes):
    (store.folder / f"file{number}").write_bytes(b"x" * offset + values.tobytes())
    location = {"kind": "stored", "key": f"file{number}", "offset": offset}
    row = ArrayRow(number, values.dtype.str, values.shape, None, location, None)
    return replace(row, **changes)


class Pool:
    """A recording of three channels with gains of their own."""

    def __init__(self, values):
        def read(start, stop, channels, scale):
            part = values[start:stop] if channels is None else values[start:stop][:, channels]
            if not scale:
                return np.ascontiguousarray(part)
            picked = slice(None) if channels is None else channels
            return np.ascontiguousarray(part * GAIN[picked] + OFFSET[picked], "f4")

        self.found = RecordedArray(
            np.dtype("f4"), values.dtype, values.shape, gain=GAIN, offset=OFFSET,
            channel_names=("a", "b", "c"), _read=read,
        )  # fmt: skip

    def array(self, location):
        assert location["recording"] == 7
        return self.found


RECORDED = {"kind": "recorded", "recording": 7, "address": {}, "field": "signal"}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(0, 900, (5_000, 3)).astype("<i2")


@pytest.fixture
def recorded(store, values):
    return ArrayOpener(store, Pool(values)).open(
        ArrayRow(1, "<f4", (5000, 3), None, RECORDED, None)
    )


def read(part):
    """Read a part in uneven blocks; they must fit what it says."""
    length = part.shape[0]
    cuts = [0, min(1, length), max(min(1, length), length // 3), length, length]
    blocks = [part.read(a, b) for a, b in pairwise(cuts)]
    for block in blocks:
        assert block.dtype == part.dtype
        assert block.flags.c_contiguous
    found = np.concatenate(blocks)
    assert found.shape == part.shape
    return found


class TestStored:
    @pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 3)])
    @pytest.mark.parametrize(
        "make", [PreadSource, lambda path: MemorySource("x", path.read_bytes())]
    )
    def test_rows_and_channels(self, tmp_path, shape, make):
        data = np.arange(2000 * int(np.prod(shape)), dtype="<i4").reshape(2000, *shape)
        path = tmp_path / "file"
        path.write_bytes(b"head" + data.tobytes() + b"tail")
        array = StoredArray(make(path), 4, data.dtype, data.shape)
        np.testing.assert_array_equal(array.read(3, 1999), data[3:1999])
        assert array.read(5, 5).shape == (0, *shape)
        starts = np.array([0, 7, 7, 1990])
        expected = np.stack([data[start : start + 10] for start in starts])
        np.testing.assert_array_equal(array.gather(starts, 10), expected)
        lengths = np.array([1, 0, 7, 10])
        ranges = np.concatenate([data[a : a + n] for a, n in zip(starts, lengths, strict=True)])
        np.testing.assert_array_equal(array.gather(starts, lengths), ranges)
        if shape:
            for channels in ([0], [shape[0] - 1, 0]):
                chosen = np.array(channels)
                np.testing.assert_array_equal(array.read(3, 999, chosen), data[3:999, channels])
                found = array.gather(starts, 10, chosen)
                np.testing.assert_array_equal(found, expected[:, :, channels])
                found = array.gather(starts, lengths, chosen)
                np.testing.assert_array_equal(found, ranges[:, channels])

    def test_channels_of_many_rows_are_read_piece_by_piece(self, tmp_path):
        data = np.arange(500_000 * 8, dtype="<i2").reshape(-1, 8)
        (tmp_path / "file").write_bytes(data.tobytes())
        array = StoredArray(PreadSource(tmp_path / "file"), 0, data.dtype, data.shape)
        tracemalloc.start()
        found = array.read(0, len(data), np.array([1]))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        np.testing.assert_array_equal(found[:, 0], data[:, 1])
        assert peak < found.nbytes + 2.2 * 2**20  # of 8 MB

    def test_threads_do_not_disturb_each_other(self, tmp_path):
        data = np.arange(40_000 * 4, dtype="<i4").reshape(-1, 4)
        (tmp_path / "file").write_bytes(data.tobytes())
        array = StoredArray(PreadSource(tmp_path / "file"), 0, data.dtype, data.shape)
        wrong = []

        def check(channel):
            for start in range(0, 30_000, 1_000):
                found = array.read(start, start + 9_000, np.array([channel]))
                if not np.array_equal(found[:, 0], data[start : start + 9_000, channel]):
                    wrong.append((channel, start))

        threads = [threading.Thread(target=check, args=(channel,)) for channel in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


class TestOpener:
    def test_an_array_is_opened_once(self, store, values):
        opener = ArrayOpener(store)
        row = stored_row(store, values)
        first = opener.open(row)
        assert opener.open(replace(row)) is first
        np.testing.assert_array_equal(first.read(2, 9, None), values[2:9])
        opener.forget(1)
        assert opener.open(row) is not first

    def test_one_that_changed_is_opened_again(self, store, values):
        opener = ArrayOpener(store)
        opener.open(stored_row(store, values))
        found = opener.open(stored_row(store, values + 1, offset=8))
        np.testing.assert_array_equal(found.read(0, 5, None), values[:5] + 1)

    def test_those_used_last_are_kept_and_the_others_stay_readable(self, store, values):
        opener = ArrayOpener(store, most=2)
        rows = [stored_row(store, values + n, n) for n in range(4)]
        arrays = [opener.open(row) for row in rows]
        assert store.opened == 4
        opener.open(rows[3])
        assert store.opened == 4
        opener.open(rows[0])
        assert store.opened == 5
        for n, array in enumerate(arrays):
            np.testing.assert_array_equal(array.read(0, 9, None), values[:9] + n)

    def test_a_file_that_is_not_there(self, store, values):
        row = stored_row(store, values, location={"kind": "stored", "key": "gone", "offset": 0})
        with pytest.raises(ServiceError, match="file of this array is missing"):
            ArrayOpener(store).open(row)

    def test_recordings_are_served_only_where_they_are(self, store):
        with pytest.raises(ServiceError, match="served in place"):
            ArrayOpener(store).open(ArrayRow(1, "<f4", (1,), None, RECORDED, None))

    @pytest.mark.parametrize("damage", ["gone", "cut", "other"])
    def test_levels_that_cannot_be_used_are_not(self, store, values, damage, caplog):
        long = np.tile(values, (4, 1))
        other = long[:-1] if damage == "other" else long
        build_levels(
            store.folder / "levels",
            lambda start, stop: other[start:stop],
            len(other),
            dtype=other.dtype,
            item_shape=(3,),
        )
        if damage == "cut":
            raw = (store.folder / "levels").read_bytes()
            (store.folder / "levels").write_bytes(raw[:-1])
        key = "nothing" if damage == "gone" else "levels"
        array = ArrayOpener(store).open(stored_row(store, long, levels_key=key))
        assert array.levels is None
        assert "levels of datafile 1 are" in caplog.text
        found = choose(array, Choice(0, len(long), points=10, kind="minmax"), name="x")
        assert read(found).shape == (10, 3)


class TestPhysical:
    def test_rows(self, recorded, values):
        expected = (values * GAIN + OFFSET).astype("f4")
        np.testing.assert_array_equal(
            read(choose(recorded, Choice(9, 99), name="x")), expected[9:99]
        )
        chosen = Choice(9, 99, channels=np.array([2, 0]))
        np.testing.assert_array_equal(
            read(choose(recorded, chosen, name="x")), expected[9:99, [2, 0]]
        )

    def test_stored_numbers(self, recorded, values):
        part = choose(recorded, Choice(9, 99, is_scaled=False), name="x")
        assert part.dtype == np.dtype("<i2")
        np.testing.assert_array_equal(read(part), values[9:99])

    def test_rows_one_by_one(self, recorded, values):
        places = np.array([4000, 3, 3, 17, 4999])
        part = choose(recorded, Choice(0, 5, places=places), name="x")
        np.testing.assert_array_equal(read(part), (values[places] * GAIN + OFFSET).astype("f4"))

    @pytest.mark.parametrize("channels", [None, np.array([1]), np.array([2, 1])])
    def test_points_are_made_of_stored_numbers_and_then_scaled(self, recorded, values, channels):
        picked = slice(None) if channels is None else channels
        stored = values[10:4010, picked]
        scale = lambda numbers: numbers * GAIN[picked] + OFFSET[picked]  # noqa: E731
        choice = Choice(10, 4010, channels=channels, points=8)
        part = choose(recorded, choice, name="x")
        assert part.dtype == np.float64
        np.testing.assert_allclose(read(part), scale(stored.reshape(8, 500, -1).mean(axis=1)))
        part = choose(recorded, replace(choice, kind="minmax"), name="x")
        bins = stored.reshape(4, 1000, -1)
        places = np.sort(np.stack([bins.argmin(axis=1), bins.argmax(axis=1)], axis=1), axis=1)
        expected = np.take_along_axis(bins, places, axis=1).reshape(8, -1)
        assert part.dtype == np.dtype("f4")
        np.testing.assert_array_equal(read(part), scale(expected).astype("f4"))
        rows = chosen_positions(recorded, replace(choice, kind="minmax"))
        np.testing.assert_array_equal(np.take_along_axis(values[:, picked], rows, 0), expected)

    def test_another_type_is_given_after_scaling(self, recorded, values):
        part = choose(recorded, Choice(0, 50, dtype=np.dtype("<i2")), name="x")
        expected = np.rint((values[:50] * GAIN + OFFSET).astype("f4"))
        np.testing.assert_array_equal(read(part), expected.astype("i2"))

    def test_waveforms_have_one_gain(self, store):
        waves = np.arange(5 * 2 * 4, dtype="i2").reshape(5, 2, 4)
        pool = Pool(waves[:, :, 0])
        pool.found = RecordedArray(
            np.dtype("f4"), waves.dtype, waves.shape, gain=np.array([0.5]), offset=np.array([1.0]),
            _read=lambda a, b, _, scale: waves[a:b] * np.float32(0.5) + 1 if scale else waves[a:b],
        )  # fmt: skip
        array = ArrayOpener(store, pool).open(ArrayRow(1, "<f4", (5, 2, 4), None, RECORDED, None))
        part = choose(array, Choice(0, 2, places=np.array([3, 1])), name="x")
        np.testing.assert_array_equal(read(part), waves[[3, 1]] * 0.5 + 1)


def times_of(values, is_sorted=None):
    return Times(len(values), "s", lambda a, b: values[a:b], is_sorted=is_sorted)


class TestTimes:
    def test_windows(self, monkeypatch):
        rng = np.random.default_rng(1)
        values = rng.uniform(0, 10, 300)
        for low, high in ((2.0, 5.0), (None, 5.0), (2.0, None), (None, None), (11.0, 12.0)):
            inside = (values >= (-1 if low is None else low)) & (
                values <= (99 if high is None else high)
            )
            found = rows_in_window(times_of(values), (low, high))
            np.testing.assert_array_equal(found, np.flatnonzero(inside))
            found = rows_in_window(times_of(np.sort(values), True), (low, high))
            assert len(np.sort(values)[found]) == inside.sum()
        monkeypatch.setattr("ephyrus.service.arrays.timed.MOST_PLACES", 10)
        with pytest.raises(ServiceError, match="not sorted") as caught:
            rows_in_window(times_of(values), (None, None))
        assert caught.value.status == 413

    @pytest.mark.parametrize("is_sorted", [True, False])
    def test_counts_are_those_of_a_histogram(self, is_sorted):
        values = np.random.default_rng(2).normal(0, 10, 5_000).round(1)
        values = np.sort(values) if is_sorted else values
        for window in ((-5.0, 5.0), (None, 3.0), (0.0, None), (None, None)):
            part = counts(times_of(values, is_sorted), 20, window, name="x")
            low = values.min() if window[0] is None else window[0]
            high = values.max() if window[1] is None else window[1]
            borders = low + np.arange(21) * ((high - low) / 20)
            within = values[(values >= low) & (values <= high)]
            expected = [int(np.sum((within >= a) & (within < b))) for a, b in pairwise(borders)]
            expected[-1] += int(np.sum(within >= borders[-1]))
            np.testing.assert_array_equal(part.read(0, 20), expected)
            assert part.attributes["bin_start"] == low
            assert part.attributes["bin_width"] == (high - low) / 20

    def test_counts_of_nothing(self):
        part = counts(times_of(np.array([])), 3, (None, None), name="x")
        np.testing.assert_array_equal(part.read(0, 3), [0, 0, 0])
        part = counts(times_of(np.array([np.nan, 4.0, np.nan])), 2, (None, None), name="x")
        np.testing.assert_array_equal(part.read(0, 2), [0, 1])


def test_memory_that_was_freed_is_kept_where_the_c_library_can():
    assert keep_freed_memory() in (True, False)


def test_arrays_and_levels_in_an_object_store(tmp_path, values):
    pytest.importorskip("obstore")
    from ephyrus.service.files.store import open_store
    from tests.service.support import cheap_settings

    store = open_store(cheap_settings(tmp_path, array_store=f"file://{tmp_path}"))
    long = np.tile(values, (8, 1))
    with store.create() as new:
        new.write(b"head" + long.tobytes())
        key = new.commit()
    build_levels(
        tmp_path / "levels",
        lambda start, stop: long[start:stop],
        len(long),
        dtype=long.dtype,
        item_shape=(3,),
    )
    location = {"kind": "stored", "key": key, "offset": 4}
    row = ArrayRow(1, "<i2", long.shape, None, location, store.adopt(tmp_path / "levels"))
    array = ArrayOpener(store).open(row)
    assert array.levels is not None
    np.testing.assert_array_equal(array.gather(np.array([0, 9, 39_990]), 10)[2], long[39_990:])
    for kind in ("minmax", "mean"):
        choice = Choice(7, 39_991, channels=np.array([2, 0]), points=20, kind=kind)
        found = read(choose(array, choice, name="x"))
        expected = read(choose(replace(array, levels=None), choice, name="x"))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def recorded_row(path, format_name, facts, shape):
    """A signal of a recording that is served in place, and the pool that opens it."""
    recording, files = opened(str(path), format_name, facts)
    with recording:
        paths = tuple(files_of(files, recording.format))
    recipe = Recipe(1, str(path), format_name, facts, paths, state_of(paths))
    location = {**RECORDED, "recording": 1, "address": {"stream": 0, "run": 0}}
    return ArrayRow(1, "<f4", shape, None, location, None), RecordingPool(lambda _: recipe)


@pytest.mark.parametrize(("width", "axes"), [(4, 2), (1, 1)])
def test_recordings_are_read_at_many_places_at_once(tmp_path, width, axes):
    stored = np.random.default_rng(0).integers(-1000, 1000, (2000, width)).astype("<i2")
    path = tmp_path / "cells.raw"
    stored.tofile(path)
    facts = {"nb_channel": width, "sampling_rate": 1000.0, "dtype": "int16", "signal_gain": 0.5}
    row, pool = recorded_row(path, "rawbinarysignal", facts, stored.shape[:axes])
    array = ArrayOpener(Store(tmp_path), pool).open(row)
    assert len(array.shape) == axes
    starts, lengths = np.array([0, 3, 3, 1995]), np.array([2, 0, 1, 5])
    expected = np.stack([stored[start : start + 5] for start in starts])
    ranges = np.concatenate([stored[a : a + n] for a, n in zip(starts, lengths, strict=True)])
    if axes == 1:
        np.testing.assert_array_equal(array.gather(starts, 5, None), expected[:, :, 0])
        np.testing.assert_array_equal(array.gather(starts, lengths, None), ranges[:, 0])
    else:
        np.testing.assert_array_equal(array.gather(starts, 5, None), expected)
        for channels in ([3, 0], [1, 2], [2]):
            found = array.gather(starts, 5, np.array(channels))
            np.testing.assert_array_equal(found, expected[:, :, channels])
            found = array.gather(starts, lengths, np.array(channels))
            np.testing.assert_array_equal(found, ranges[:, channels])
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(ServiceError, match="changed on disk"):
        array.gather(starts, 5, None)


@pytest.mark.parametrize("orientation", ["MULTIPLEXED", "VECTORIZED"])
def test_recordings_whose_samples_lie_evenly_or_not(tmp_path, orientation):
    recipe = brainvision.Recipe(orientation=orientation, markers=())
    stored = brainvision.stored_numbers(300)
    path = brainvision.write(tmp_path, recipe, stored)
    row, pool = recorded_row(path, "brainvision", {}, stored.shape)
    array = ArrayOpener(Store(tmp_path), pool).open(row)
    starts, lengths = np.array([0, 9, 290]), np.array([4, 0, 10])
    whole = array.read(0, 300, None)
    expected = np.stack([whole[start : start + 10] for start in starts])
    ranges = np.concatenate([whole[:4], whole[290:]])
    for channels in (None, np.array([1]), np.array([1, 0])):
        picked = slice(None) if channels is None else channels
        np.testing.assert_array_equal(array.gather(starts, 10, channels), expected[..., picked])
        np.testing.assert_array_equal(array.gather(starts, lengths, channels), ranges[:, picked])
