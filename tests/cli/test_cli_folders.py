"""Recordings that are folders, on the command line."""

from __future__ import annotations

import pytest

from tests.synth.tdt import Stream, stored_numbers, write_block


@pytest.fixture
def tank(tmp_path):
    """A tank of two blocks beside a file that is no recording."""
    top = tmp_path / "data"
    for at in range(2):
        stream = Stream("Wav1", stored_numbers(128, 2, seed=at))
        write_block(top / "Tank" / f"b{at}", [stream], start=1e9 + 100 * at)
    (top / "Tank" / "b0" / "Notes.txt").write_text("hello\n")
    (top / "notes.md").write_text("of the experiment")
    return top / "Tank"


def test_a_folder_is_one_recording(run, tank):
    for path in (tank, tank / "b0"):
        (entry,) = run("identify", path, "--json").json
        assert (entry["path"], entry["format"]) == (str(path), "tdt")


def test_folders_in_folders_are_found(run, tank):
    (entry,) = run("identify", tank.parent, "--json").json
    assert entry["path"] == str(tank)
    (tank / "b0").rename(tank.parent / "b0")  # then the folder above is the tank
    (entry,) = run("identify", tank.parent, "--json").json
    assert entry["path"] == str(tank.parent)


def test_files_of_a_block_are_listed_once(run, tank):
    files = sorted((tank / "b0").glob("TANK*"))
    entries = run("identify", *files, "--json").json
    assert [entry["path"] for entry in entries] == [str(tank / "b0" / "TANK_b0.tsq")]


def test_a_format_that_is_named_counts_for_folders(run, tank):
    (entry,) = run("info", "--json", "--format", "tdt", tank.parent).json
    assert (entry["format"], entry["path"]) == ("tdt", str(tank))
    failed = run("info", "--format", "axon", tank.parent)
    assert failed.code != 0
    assert "no recording is recognised in this folder" in failed.err
