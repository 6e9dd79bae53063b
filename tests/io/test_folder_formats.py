"""Formats whose recordings are folders: found by `open` and by IO classes; folders in file sets."""

from __future__ import annotations

import numpy as np
import pytest

import ephyrus
from ephyrus import io
from ephyrus.errors import WrongFormatError
from ephyrus.io import get_io, list_candidate_ios
from ephyrus.recording import FileSet
from tests.synth.tdt import Stream, stored_numbers, write_block


@pytest.fixture
def tank(tmp_path):
    """A tank of two blocks beside a file of another format."""
    top = tmp_path / "data"
    for at in range(2):
        stream = Stream("Wav1", stored_numbers(128, 2, seed=at))
        write_block(top / "Tank" / f"b{at}", [stream], start=1e9 + 100 * at)
    (top / "Tank" / "b0" / "Notes.txt").write_text("hello\n")
    (top / "notes.md").write_text("of the experiment")
    return top / "Tank"


def test_open_and_classes_take_folders(tank):
    for path, segments in ((tank, 2), (tank / "b1", 1), (tank / "b1" / "TANK_b1.Tbk", 1)):
        with ephyrus.open(path) as recording:
            assert (recording.format.name, len(recording.segments)) == ("tdt", segments)
        assert type(get_io(path)) is io.TdtIO
        assert list_candidate_ios(path)[0] is io.TdtIO
        (block,) = ephyrus.read(path)
        assert len(block.segments) == segments
    reader = io.TdtIO(dirname=tank)
    assert (reader.mode, len(reader.read_block().segments)) == ("dir", 2)


def test_a_folder_that_is_no_recording(tank):
    with pytest.raises(WrongFormatError, match="none of the"):
        ephyrus.open(tank.parent)
    assert io.TdtIO in list_candidate_ios(tank.parent)  # what lies in it votes


def test_listing_below_the_folder(tank):
    files = FileSet(tank)
    assert files.names() == []
    assert files.folders() == ["b0", "b1"]
    assert files.names("b0") == ["Notes.txt", "TANK_b0.Tbk", "TANK_b0.tev", "TANK_b0.tsq"]
    assert files.folders("b0") == []
    with pytest.raises(ephyrus.errors.FormatError, match="leads out"):
        files.names("../Tank")
    with pytest.raises(ephyrus.errors.FormatError, match="leads out"):
        files.folders("/")


def test_listing_of_files_in_memory():
    files = FileSet("a.tsq", memory={"a.tsq": b"", "sort/x/y.z": b"", "sort/top": b""})
    assert files.names() == ["a.tsq", "sort/top", "sort/x/y.z"]
    assert files.folders() == ["sort"]
    assert files.names("sort") == ["top"]
    assert files.folders("sort") == ["x"]
    assert files.names("sort/x") == ["y.z"]
    assert files.folders("sort/x") == []


def test_listing_through_fsspec():
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for name in ("/tank/b1/x.tsq", "/tank/b2/x.tsq"):
        memory.pipe_file(name, b"x")
    files = FileSet("memory://tank")
    assert files.folders() == ["b1", "b2"]
    assert files.names("b1") == ["x.tsq"]
    np.testing.assert_array_equal(files.source("b2/x.tsq").array(0, "u1", 1), [ord("x")])
    memory.rm("/tank", recursive=True)


def test_a_folder_elsewhere(tank):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(str(tank), "/Elsewhere", recursive=True)
    with ephyrus.open("memory://Elsewhere") as recording:
        expected = np.concatenate([stored_numbers(128, 2, seed=at) for at in range(2)])
        np.testing.assert_array_equal(recording.read_signal("Wav1"), expected)
        assert [segment.name for segment in recording.segments] == ["b0", "b1"]
        assert recording.blocks[0].name == "Elsewhere"
    memory.rm("/Elsewhere", recursive=True)
