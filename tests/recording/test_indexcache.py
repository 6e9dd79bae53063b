"""The cache of index columns: never served for another file, never in the way."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ephyrus.errors import CorruptError
from ephyrus.recording import FileSet, Opening, indexcache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(indexcache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(indexcache, "CACHED_FROM_BYTES", 1000)
    monkeypatch.setattr(indexcache, "SETTLED_SECONDS", 0.0)
    return tmp_path / "cache"


def recording(path, value=3, size=5000):
    path.write_bytes(bytes([value]) * size)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


class Walker:
    """Builds columns and counts how often."""

    def __init__(self, path, *, salvage=False, options=None):
        self.opening = Opening(FileSet(path), options or {}, salvage=salvage, format_name="toy")
        self.calls = 0

    def build(self):
        self.calls += 1
        data = self.opening.files.main.array(0, "u1", self.opening.files.main.size)
        self.opening.note("the last packet is cut", offset=7, lost=2)
        return {
            "first": data[::100].astype(np.int64),
            "heads": np.zeros(3, [("tick", "<u4"), ("unit", "u1")]),
        }

    def columns(self, name="packets", **keywords):
        return self.opening.cached(name, self.build, **keywords)


def test_the_second_opening_maps_what_the_first_kept(folder, tmp_path):
    path = recording(tmp_path / "a.toy")
    first, second = Walker(path), Walker(path)
    built, mapped = first.columns(), second.columns()
    assert (first.calls, second.calls) == (1, 0)
    assert list(mapped) == list(built)
    for name, column in built.items():
        np.testing.assert_array_equal(mapped[name], column)
        assert mapped[name].dtype == column.dtype
    assert second.opening.problems == first.opening.problems != []


def test_a_changed_file_is_never_served_from_an_old_entry(folder, tmp_path):
    path = recording(tmp_path / "a.toy")
    Walker(path).columns()
    status = path.stat()
    for change in (
        lambda: recording(path, size=5001),  # another size
        lambda: recording(path, value=4),  # other bytes, size and time as they were
        lambda: os.utime(path, (1_700_000_000, 1_700_000_001)),  # another time
    ):
        change()
        walker = Walker(path)
        expected = walker.opening.files.main.array(0, "u1", path.stat().st_size)[::100]
        np.testing.assert_array_equal(walker.columns()["first"], expected)
        assert walker.calls == 1
    recording(path)
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert Walker(path).columns()["first"].tolist() == [3] * 50


def test_a_file_that_changes_while_it_is_walked_is_not_kept(folder, tmp_path):
    path = recording(tmp_path / "a.toy")
    walker = Walker(path)
    walker.opening.cached("packets", lambda: (recording(path, 9), walker.build())[1])
    assert not folder.exists()


def test_other_columns_options_formats_and_places_have_entries_of_their_own(folder, tmp_path):
    path = recording(tmp_path / "a.toy")
    other = recording(tmp_path / "b.toy")
    walkers = [
        Walker(path),
        Walker(path, salvage=True),
        Walker(path, options={"rate": 5}),
        Walker(other),
    ]
    for walker in walkers:
        walker.columns()
    named = Walker(path)
    named.columns("spikes")
    both = Walker(path)
    both.columns(files=["a.toy", "b.toy"])
    assert [walker.calls for walker in [*walkers, named, both]] == [1] * 6
    recording(other, 8)
    again = Walker(path)
    again.columns(files=["a.toy", "b.toy"])
    assert again.calls == 1


def test_damage_is_raised_each_time_and_nothing_is_kept(folder, tmp_path):
    path = recording(tmp_path / "a.toy")
    walker = Walker(path)

    def fail():
        walker.opening.damaged(CorruptError(str(path), "a broken packet"))

    for _ in range(2):
        with pytest.raises(CorruptError):
            walker.opening.cached("packets", fail)
    assert not folder.exists()


@pytest.mark.parametrize("damage", ["cut", "shape", "facts", "pickle", "missing"])
def test_a_damaged_entry_is_built_anew(folder, tmp_path, damage):
    path = recording(tmp_path / "a.toy")
    expected = Walker(path).columns()["first"]
    (entry,) = folder.iterdir()
    column = entry / "0.npy"
    if damage == "cut":
        column.write_bytes(column.read_bytes()[:-1])
    elif damage == "shape":
        np.save(column, np.zeros(3))
    elif damage == "facts":
        (entry / indexcache.FACTS).write_text("[]")
    elif damage == "pickle":
        np.save(column, np.array([print], object), allow_pickle=True)
    else:
        column.unlink()
    for calls in (1, 0):
        walker = Walker(path)
        np.testing.assert_array_equal(walker.columns()["first"], expected)
        assert walker.calls == calls


def test_small_new_and_remote_files_are_not_kept(folder, tmp_path, monkeypatch):
    Walker(recording(tmp_path / "small.toy", size=999)).columns()
    memory = Opening(FileSet("m", memory={"m": bytes(5000)}), format_name="toy")
    assert memory.cached("x", lambda: {"a": np.arange(3)})["a"].tolist() == [0, 1, 2]
    monkeypatch.setattr(indexcache, "SETTLED_SECONDS", 1e12)
    Walker(recording(tmp_path / "new.toy")).columns()
    assert not folder.exists()


def test_the_cache_can_be_off_or_unwritable(folder, tmp_path, monkeypatch):
    path = recording(tmp_path / "a.toy")
    folder.write_text("a file where the folder would be")
    Walker(path).columns()
    assert folder.read_text() == "a file where the folder would be"
    monkeypatch.setenv(indexcache.CACHE_VARIABLE, "off")
    assert indexcache.cache_folder() is None
    monkeypatch.delenv(indexcache.CACHE_VARIABLE)
    assert indexcache.cache_folder().name == "index"


def test_the_oldest_entries_go_when_there_are_too_many(folder, tmp_path, monkeypatch):
    paths = [recording(tmp_path / f"{k}.toy") for k in range(4)]
    monkeypatch.setattr(indexcache, "MOST_BYTES", 2500)
    for path in paths:
        Walker(path).columns()
        newest = max(folder.iterdir(), key=lambda entry: entry.stat().st_mtime_ns)
        os.utime(newest, (1_700_000_000 + paths.index(path), 1_700_000_000 + paths.index(path)))
    walkers = [Walker(path) for path in paths]
    assert sum(sum(f.stat().st_size for f in e.iterdir()) for e in folder.iterdir()) <= 2500
    walkers[-1].columns()
    assert walkers[-1].calls == 0
    walkers[0].columns()
    assert walkers[0].calls == 1
