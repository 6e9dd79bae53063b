"""Finding formats, telling which one a file is of, opening it."""

import logging
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from ephyrus import registry
from ephyrus.errors import MissingExtraError, WrongFormatError
from ephyrus.formats import example
from ephyrus.recording import FileSet, Limits
from tests.synth import arrays


@pytest.fixture
def formats(monkeypatch):
    """Only the example, and the test format as another package would bring it."""
    entry = EntryPoint("arrays", "tests.synth.arrays", "ephyrus.formats")
    clash = EntryPoint("example", "tests.synth.arrays", "ephyrus.formats")

    class Named:
        name = "example"

    monkeypatch.setattr(registry, "entry_points", lambda group: [entry, clash])
    monkeypatch.setattr(registry.pkgutil, "iter_modules", lambda path: [Named])
    clear()
    yield
    clear()


def clear():
    registry._module_names.cache_clear()
    registry.format_module.cache_clear()


@pytest.fixture
def path(tmp_path):
    return arrays.write(tmp_path / "made.arrays", [arrays.signal(np.arange(6).reshape(3, 2))])


@pytest.mark.usefixtures("formats")
def test_names_come_from_our_modules_and_from_entry_points():
    assert registry.format_names() == ["arrays", "example"]
    assert registry.format_module("arrays") is arrays
    assert registry.format_module("example") is example  # ours wins
    assert [declared.name for declared in registry.all_formats()] == ["arrays", "example"]


@pytest.mark.usefixtures("formats")
@pytest.mark.parametrize("name", ["arrays", "ArraysIO", "ARRAYSIO", "Arrays"])
def test_formats_by_name(name):
    assert registry.format_named(name) is arrays
    with pytest.raises(ValueError, match="no format 'none'; there are: arrays, example"):
        registry.format_named("NoneIO")


def test_every_module_of_the_package_is_a_format():
    assert "example" in registry.format_names()
    assert registry.format_named("ExampleIO") is example


@pytest.mark.usefixtures("formats")
def test_identify(path):
    files = FileSet(path)
    (match,) = registry.identify(files)
    assert (match.format.name, match.confidence) == ("arrays", 1.0)
    files.close()


@pytest.mark.usefixtures("formats")
def test_the_most_likely_is_first_and_opened(path, monkeypatch):
    monkeypatch.setattr(example, "sniff", lambda files, head: 0.4)
    files = FileSet(path)
    found = registry.identify(files)
    assert [match.format.name for match in found] == ["arrays", "example"]
    monkeypatch.setattr(arrays, "sniff", lambda files, head: 0.3)
    assert registry.identify(files)[0].format.name == "example"
    files.close()


@pytest.mark.usefixtures("formats")
def test_candidates_see_the_beginning_once(path, monkeypatch):
    seen = []
    monkeypatch.setattr(example, "sniff", lambda files, head: float(bool(seen.append(head))))
    files = FileSet(path)
    registry.identify(files)
    assert seen == [path.read_bytes()]
    (path.parent / "long.x").write_bytes(bytes(100_000))
    registry.identify(FileSet(path.parent / "long.x"))
    assert len(seen[1]) == registry.SNIFF_BYTES == 16384
    files.close()


@pytest.mark.usefixtures("formats")
def test_folders_are_shown_only_to_formats_of_folders(tmp_path):
    (tmp_path / "x.arrays").mkdir()
    assert registry.identify(FileSet(tmp_path / "x.arrays")) == []


@pytest.mark.usefixtures("formats")
def test_open(path):
    with registry.open_recording(path, note="hm", limits=Limits(12), access="pread") as recording:
        assert recording.format is arrays.FORMAT
        assert recording.reading.files.access == "pread"
        assert recording.limits.read_bytes == 12
        assert [problem.reason for problem in recording.problems] == ["hm"]
        assert recording.read_signal(0, 1, 2, [1]).tolist() == [[3]]


@pytest.mark.usefixtures("formats")
def test_open_with_a_named_format(path):
    other = path.rename(path.with_suffix(".dat"))
    with registry.open_recording(other, format="ArraysIO") as recording:
        assert recording.read_signal(0).tolist() == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(ValueError, match="no format 'x'"):
        registry.open_recording(other, format="x")


@pytest.mark.usefixtures("formats")
def test_a_named_format_finds_its_file_by_the_base_name(path):
    with registry.open_recording(path.with_suffix(""), format="arrays") as recording:
        assert recording.path == str(path)
    with pytest.raises(FileNotFoundError, match="made2"):
        registry.open_recording(path.with_name("made2"), format="arrays")


def test_a_fake_recording_needs_no_file():
    for path in ("made-up.fake", "no/such/folder/made-up.FAKE"):
        with registry.open_recording(path) as recording:
            assert recording.format.name == "example"
            assert recording.path == path
    with registry.open_recording("anything", format="example") as recording:
        assert len(recording.segments) == 5


@pytest.mark.usefixtures("formats")
def test_unknown_files_are_told(tmp_path):
    path = tmp_path / "what.dat"
    path.write_bytes(b"no format at all")
    with pytest.raises(WrongFormatError) as caught:
        registry.open_recording(path)
    assert str(caught.value) == (
        f"{path}: none of the 2 formats recognises it; "
        "`ephyrus formats` lists them, format=... names one"
    )
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        registry.open_recording(tmp_path / "none.dat")


@pytest.mark.usefixtures("formats")
def test_a_name_alone_does_not_open_a_file(path, monkeypatch):
    monkeypatch.setattr(arrays, "sniff", lambda files, head: registry.BY_NAME)
    with pytest.raises(WrongFormatError, match="nothing in the file tells its format") as caught:
        registry.open_recording(path)
    assert "say format='arrays' and the options it needs (`ephyrus formats arrays`" in str(
        caught.value
    )


@pytest.mark.usefixtures("formats")
def test_unknown_options_are_told_and_the_file_is_closed(path, monkeypatch):
    opened = []
    original = registry.file_set

    def remembered(*args, **options):
        opened.append(original(*args, **options))
        return opened[-1]

    monkeypatch.setattr(registry, "file_set", remembered)
    with pytest.raises(TypeError, match="has no option 'gain'; its options are: note"):
        registry.open_recording(path, gain=3)
    assert not opened[0].is_open


@pytest.mark.usefixtures("formats")
def test_missing_packages_are_named(path, monkeypatch):
    declared = arrays.FORMAT
    wanting = type(declared)(
        name=declared.name,
        label="Arrays",
        io_class=declared.io_class,
        extensions=(),
        holds=(),
        extras=(("h5py_not_there", "hdf5"),),
    )
    monkeypatch.setattr(arrays, "FORMAT", wanting)
    with pytest.raises(MissingExtraError) as caught:
        registry.open_recording(path)
    assert str(caught.value) == (
        "Reading Arrays needs the package h5py_not_there: pip install 'ephyrus[hdf5]'"
    )


@pytest.mark.usefixtures("formats")
def test_opening_through_fsspec(path):
    fsspec = pytest.importorskip("fsspec")
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/cloud/made.arrays", path.read_bytes())
    with registry.open_recording("memory://cloud/made.arrays") as recording:
        assert recording.read_signal(0, 2).tolist() == [[4, 5]]
    filesystem.rm("/cloud", recursive=True)


@pytest.mark.usefixtures("formats")
def test_the_choice_is_logged(path, caplog):
    with caplog.at_level(logging.DEBUG, "ephyrus"):
        registry.open_recording(path).close()
    assert any("with confidence 1.0" in message for message in caplog.messages)
