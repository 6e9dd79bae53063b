"""Open recordings: kept, let go, opened again, and never taken for another one."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ephyrus.service.errors import ServiceError
from ephyrus.service.inplace import pool as module
from ephyrus.service.inplace.files import files_of, is_unchanged, opened, state_of
from ephyrus.service.inplace.pool import Recipe, RecordingPool
from tests.synth import brainvision

OPTIONS = {"nb_channel": 4, "sampling_rate": 1000.0, "dtype": "int16", "signal_gain": 0.5}


@pytest.fixture
def raw(tmp_path) -> tuple[Path, np.ndarray]:
    stored = np.random.default_rng(0).integers(-1000, 1000, (2000, 4)).astype("<i2")
    path = tmp_path / "cells.raw"
    stored.tofile(path)
    return path, stored


def recipe_of(path: Path, number: int = 1) -> Recipe:
    recording, files = opened(str(path), "rawbinarysignal", OPTIONS)
    with recording:
        paths = tuple(files_of(files, recording.format))
    return Recipe(number, str(path), "rawbinarysignal", OPTIONS, paths, state_of(paths))


def place(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "kind": "recorded",
        "recording": number,
        "field": "signal",
        "address": {"stream": 0, "run": 0},
        **more,
    }


def test_arrays_are_kept(raw):
    path, stored = raw
    asked: list[int] = []
    recipe = recipe_of(path)

    def look(number: int) -> Recipe:
        asked.append(number)
        return recipe

    pool = RecordingPool(look)
    array = pool.array(place())
    np.testing.assert_array_equal(array.read(5, 9), stored[5:9] * np.float32(0.5))
    assert pool.array(place()) is array
    assert asked == [1]
    pool.forget(1)
    np.testing.assert_array_equal(array.read(5, 9, scaled=False), stored[5:9])
    assert pool.array(place()) is not array
    assert asked == [1, 1]
    pool.close()


def test_few_are_open_at_a_time(raw, tmp_path):
    _path, stored = raw
    recipes = {}
    for number in range(1, 6):
        copy = tmp_path / f"{number}.raw"
        (stored + number).astype("<i2").tofile(copy)
        recipes[number] = recipe_of(copy, number)
    pool = RecordingPool(recipes.get, most=2)
    arrays = {number: pool.array(place(number)) for number in recipes}
    assert len(pool._held) == 2
    for number, array in arrays.items():  # those that were let go can still be read
        np.testing.assert_array_equal(array.read(0, 3, scaled=False), stored[:3] + number)


def test_fewer_are_open_where_the_system_allows_few_files(raw, tmp_path, monkeypatch):
    _path, stored = raw
    monkeypatch.setattr(module, "most_open", lambda: 2)
    recipes = {}
    for number in range(1, 5):
        copy = tmp_path / f"{number}.raw"
        (stored + number).astype("<i2").tofile(copy)
        recipes[number] = recipe_of(copy, number)
    pool = RecordingPool(recipes.get)
    for number in (1, 2, 3, 4, 3):
        array = pool.array(place(number))
        np.testing.assert_array_equal(array.read(0, 3, scaled=False), stored[:3] + number)
    assert list(pool._held) == [4, 3]


def test_descriptors_are_given_back(raw, tmp_path):
    path, _ = raw
    recipes = {}
    for number in range(1, 31):
        copy = tmp_path / f"{number}.raw"
        copy.write_bytes(path.read_bytes())
        recipes[number] = recipe_of(copy, number)
    pool = RecordingPool(recipes.get, most=3)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in recipes:
        pool.array(place(number)).read(0, 3)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 4


def overwrite(path: Path, stored: np.ndarray) -> None:
    """Other values of the same length, later."""
    (stored + 1).astype("<i2").tofile(path)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))


CHANGES = {
    "overwritten": lambda path, stored: overwrite(path, stored),
    "shorter": lambda path, stored: os.truncate(path, 800),
    "longer": lambda path, stored: path.write_bytes(path.read_bytes() + b"\0" * 800),
    "gone": lambda path, stored: path.unlink(),
    "empty": lambda path, stored: path.write_bytes(b""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_is_no_longer_read(raw, change):
    path, stored = raw
    recipe = recipe_of(path)
    pool, told = RecordingPool(lambda number: recipe), []
    pool.on_change = told.append
    array = pool.array(place())
    array.read(0, 10)
    CHANGES[change](path, stored)
    for _ in range(2):
        with pytest.raises(ServiceError, match=r"cells\.raw") as caught:
            pool.array(place()).read(900, 1000)
        assert caught.value.status == 503
        assert caught.value.message_type == "unavailable"
        assert "Retry-After" in caught.value.headers
        assert str(path.parent) not in caught.value.message
    assert told[0] == 1
    with pytest.raises(ServiceError):
        array.read(900, 1000)


def test_many_files_are_looked_at_every_now_and_then(raw, tmp_path, monkeypatch):
    path, _stored = raw
    recipe = recipe_of(path)
    others = [tmp_path / f"other {at}" for at in range(10)]
    for other in others:
        other.write_bytes(b"x")
    paths = (*recipe.files, *map(str, others))
    pool = RecordingPool(lambda number: replace(recipe, files=paths, state=state_of(paths)))
    array = pool.array(place())
    array.read(0, 1)
    others[5].write_bytes(b"xy")
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    with pytest.raises(ServiceError, match="changed on disk"):
        array.read(0, 1)


def test_another_version_is_opened_when_the_catalog_has_it(raw):
    path, stored = raw
    recipes = [recipe_of(path)]
    pool = RecordingPool(lambda number: recipes[-1])
    old = place(version=recipes[0].state.modified_ns)
    array = pool.array(old)
    overwrite(path, stored)
    recipes.append(recipe_of(path))
    new = place(version=recipes[1].state.modified_ns)
    np.testing.assert_array_equal(pool.array(new).read(0, 4, scaled=False), stored[:4] + 1)
    with pytest.raises(ServiceError, match="changed on disk"):
        array.read(0, 4)


def test_a_recording_that_is_not_served_any_more():
    with pytest.raises(ServiceError) as caught:
        RecordingPool(lambda number: None).array(place())
    assert caught.value.status == 404


def test_damage_found_later_is_told_without_the_path(raw, monkeypatch):
    path, _ = raw
    recipe = recipe_of(path)
    pool = RecordingPool(lambda number: recipe)
    array = pool.array(place())
    held = next(iter(pool._held.values()))

    def fail(*arguments: Any) -> Any:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(held.recording.module, "read_signal", fail)
    with pytest.raises(ServiceError, match=r"cannot be read.*Input/output error") as caught:
        array.read(0, 1)
    assert str(path.parent) not in caught.value.message


def test_from_many_threads(raw, tmp_path):
    _path, stored = raw
    recipes = {}
    for number in range(1, 5):
        copy = tmp_path / f"{number}.raw"
        (stored + number).astype("<i2").tofile(copy)
        recipes[number] = recipe_of(copy, number)
    pool = RecordingPool(recipes.get, most=2)
    wrong: list[Any] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(60):
            number, first = int(rng.integers(1, 5)), int(rng.integers(0, 1990))
            try:
                values = pool.array(place(number)).read(first, first + 10, [2], scaled=False)
            except Exception as error:
                wrong.append(error)
                return
            if not np.array_equal(values, stored[first : first + 10, [2]] + number):
                wrong.append((number, first))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_files_of_a_recording_of_several(tmp_path):
    header = brainvision.write(tmp_path, brainvision.Recipe(), brainvision.stored_numbers(50))
    recording, files = opened(str(header), "brainvision", {})
    with recording:
        paths = files_of(files, recording.format)
    assert paths[0] == str(header)
    assert sorted(Path(path).suffix for path in paths) == [".eeg", ".vhdr", ".vmrk"]
    state = state_of(paths)
    assert is_unchanged(paths, state)
    assert state.size == sum(Path(path).stat().st_size for path in paths)
    marks = header.with_suffix(".vmrk")
    marks.write_bytes(marks.read_bytes() + b"\n")
    assert not is_unchanged(paths, state)
    marks.unlink()
    assert not is_unchanged(paths, state)
