"""Which library reads a file, and what libraries say of themselves."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

import ephyrus
from ephyrus import neuroshare
from ephyrus.dll.constants import LibraryFlags
from ephyrus.errors import (
    ArgumentError,
    DLLException,
    DLLNotFound,
    DLLTypeUnknown,
    FormatError,
    NeuroshareError,
)
from ephyrus.recording.blocks import from_blocks
from tests.dll import building, contents
from tests.synth import nsn
from tests.synth.objects import block_of, signal_of


@pytest.fixture
def folder(tmp_path, monkeypatch, vendor_library):
    """A folder of libraries, in which the vendor's has the names of several."""
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for name in ("nsMCDLibrary", "nsPlxLibrary", "nsNSNLibrary"):
        (libraries / f"{name}.so").symlink_to(vendor_library)
    monkeypatch.setenv("EPHYRUS_NEUROSHARE_PATH", str(libraries))
    monkeypatch.setenv("HOME", str(tmp_path))
    return libraries


def test_names_of_the_package():
    names = {
        "AnalogEntity",
        "ArgumentError",
        "DLLException",
        "DLLNotFound",
        "DLLTypeUnknown",
        "Entity",
        "EntityTime",
        "EntityType",
        "EventEntity",
        "File",
        "Library",
        "NeuralEntity",
        "SegmentEntity",
        "SegmentSource",
        "__version__",
        "error",
        "find_library_for_file",
        "load_library_for_file",
    }
    assert names <= set(neuroshare.__all__)
    assert all(hasattr(neuroshare, name) for name in neuroshare.__all__)
    assert neuroshare.__version__ == ephyrus.__version__
    assert neuroshare.error is NeuroshareError
    types = {kind.name: kind.value for kind in neuroshare.EntityType}
    assert types == {"Unknown": 0, "Event": 1, "Analog": 2, "Segment": 3, "Neural": 4}
    assert neuroshare.EntityType.Unkown == 0
    assert {each.name: each.value for each in neuroshare.EntityTime} == {
        "Closest": 0,
        "Before": -1,
        "After": 1,
    }
    event = neuroshare.EventEntity
    assert (event.EVENT_TEXT, event.EVENT_CSV, event.EVENT_BYTE) == (0, 1, 2)
    assert (event.EVENT_WORD, event.EVENT_DWORD) == (3, 4)


def test_facts_of_a_vendors_library(libraries, vendor_library):
    library, info = libraries["vendor"], contents.LIBRARY
    assert library.name == "vendor"
    assert library.path == str(vendor_library)
    assert library.metadata_raw == {
        "Description": "Library for tests",
        "Creator": "ephyrus",
        "LibVersionMaj": 2,
        "LibVersionMin": 7,
        "APIVersionMaj": 1,
        "APIVersionMin": 3,
        "Time_Year": 2011,
        "Time_Month": 12,
        "Time_Day": 31,
        "MaxFiles": 8,
    }
    assert (library.description, library.creator) == ("Library for tests", "ephyrus")
    assert (library.api_version, library.library_version) == ((1, 3), (2, 7))
    assert (library.max_files, library.mtime) == (8, date(2011, 12, 31))
    assert library.flags == LibraryFlags.DEBUG
    assert library.file_types == info.file_types
    assert repr(library) == f"neuroshare.Library('vendor', {str(vendor_library)!r})"


def test_facts_of_our_readers():
    library = neuroshare.Library("ephyrus")
    assert (library.path, library.mtime, library.creator) == (None, None, "ephyrus")
    assert library.api_version == (1, 3)
    assert LibraryFlags.MULTITHREADED in library.flags
    assert {"plx", "nev", "smr", "nsn", "abf"} <= {each.extension for each in library.file_types}


def test_own_readers_come_first(folder, tmp_path):
    """A file that the package reads needs no vendor's library, whatever it is called."""
    path = nsn.spikes().write(tmp_path / "x.nsn")
    assert neuroshare.Library.for_file(path).name == "ephyrus"
    with neuroshare.File(path) as file:
        assert file.library.path is None
        assert file.entities[0].label == "one source"
    renamed = path.rename(tmp_path / "x.plx")
    assert neuroshare.load_library_for_file(renamed).path is None


def test_a_vendors_library_reads_the_rest(folder, tmp_path):
    for name in ("x.mcd", "x.MCD", "x.plx"):
        path = building.recording(tmp_path / name)
        with neuroshare.File(path, isolate=False) as file:
            assert file.library.name == {"x.plx": "nsPlxLibrary"}.get(name, "nsMCDLibrary")
            assert file.entities[0].get_data(1) == (0.5, "Reiz ü")


def test_a_library_is_named(folder, tmp_path, vendor_library):
    """By name, by path, as a `Library`, as calls; the package's own by its name."""
    path = building.recording(tmp_path / "x.abc")
    for library in (
        "nsMCDLibrary",
        vendor_library,
        str(vendor_library),
        neuroshare.Library("mine", vendor_library),
        neuroshare.Library("mine", vendor_library).calls,
    ):
        with neuroshare.File(path, library) as file:
            assert file.time_span == 12.5
    with pytest.raises(FormatError):
        neuroshare.File(path, library="ephyrus")
    own = nsn.spikes().write(tmp_path / "x.nsn")
    with neuroshare.File(own, library="ephyrus") as file:
        assert file.entity_count == 2


def test_a_library_is_loaded_once(vendor_library):
    one = neuroshare.Library("a", vendor_library, isolate=False)
    other = neuroshare.Library("b", vendor_library, isolate=False)
    assert one.calls is other.calls
    apart = neuroshare.Library("c", vendor_library, isolate=True)
    assert apart.calls is not one.calls
    assert apart.calls is neuroshare.Library("d", vendor_library).calls  # isolated unless trusted


def test_no_library(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("EPHYRUS_NEUROSHARE_PATH", raising=False)
    plain = tmp_path / "no ending"
    plain.write_bytes(b"nothing")
    with pytest.raises(ArgumentError):
        neuroshare.File(plain)
    unknown = tmp_path / "x.qqq"
    unknown.write_bytes(b"nothing")
    with pytest.raises(DLLTypeUnknown, match='"qqq": Unknown library type') as caught:
        neuroshare.File(unknown)
    assert isinstance(caught.value, DLLException)
    missing = tmp_path / "x.mcd"
    missing.write_bytes(b"MCSSTRM")
    with pytest.raises(DLLNotFound, match='Vendor DLL "nsMCDLibrary" could not be found') as found:
        neuroshare.File(missing)
    assert (found.value.ext, found.value.lib) == ("mcd", "nsMCDLibrary")
    with pytest.raises(DLLNotFound):
        ephyrus.open(missing)


def test_a_library_that_refuses_the_file(tmp_path, libraries):
    wrong = tmp_path / "wrong.nst"
    wrong.write_text("something else")
    with pytest.raises(
        NeuroshareError, match=r"Neuroshare-Error \(-2\): not a test recording"
    ) as c:
        neuroshare.File(wrong, libraries["vendor"])
    assert (c.value.code, c.value.name) == (-2, "ns_TYPEERROR")
    with pytest.raises(NeuroshareError) as c:
        neuroshare.File(tmp_path / "not there.nst", libraries["vendor"])
    assert c.value.code == -3


def test_a_crash_is_an_exception(tmp_path, libraries):
    path = building.recording(tmp_path / "crash.nst", "crash ns_GetEventData")
    with neuroshare.File(path, libraries["isolated"]) as file:
        with pytest.raises(neuroshare.LibraryCrashed):
            file.entities[0].get_data(0)
        with pytest.raises(neuroshare.LibraryCrashed):
            file.entities[0]
    sound = building.recording(tmp_path / "sound.nst")
    with neuroshare.File(sound, libraries["isolated"]) as file:
        assert file.entities[0].get_data(0) == (0.25, "start")


@pytest.mark.parametrize("order", ["lie times", "lie counts", "lie continuous"])
def test_answers_that_contradict_each_other(tmp_path, libraries, order):
    path = building.recording(tmp_path / "lies.nst", order)
    with neuroshare.File(path, libraries["vendor"]) as file:
        by_label = {each.label: each for each in file.entities}
        gaps, tetrode = by_label["gaps µV"], by_label["tetrode"]
        data, times, continuous = gaps.get_data()
        np.testing.assert_array_equal(data, contents.analog_values(0, 1501))
        if order != "lie continuous":
            np.testing.assert_allclose(times, contents.times(5), rtol=0, atol=1e-12)
            assert continuous == 1000
        assert gaps.get_index_by_time(1.5, neuroshare.EntityTime.After) == 1000
        assert tetrode.get_index_by_time(3.0) == 2
        assert len(tetrode) == 6


def test_a_recording_that_is_open_already(tmp_path):
    """Recordings in memory are files too."""
    library = neuroshare.RecordingLibrary()
    handle = library.add(from_blocks(block_of(signal_of([[1.0], [2.0], [4.0]]))))
    assert library.entity_info(handle, 0).item_count == 3
    np.testing.assert_array_equal(library.analog_data(handle, 0, 0, 3)[0], [1.0, 2.0, 4.0])
    library.close(handle)
    with pytest.raises(NeuroshareError) as caught:
        library.entity_info(handle, 0)
    assert caught.value.code == -4


def test_options_of_a_format(tmp_path):
    path = tmp_path / "numbers.raw"
    np.arange(6, dtype="<i2").tofile(path)
    library = neuroshare.RecordingLibrary(
        format="rawbinarysignal", dtype="i2", nb_channel=2, sampling_rate=10.0
    )
    with neuroshare.File(path, library) as file:
        data, times, count = file.entities[1].get_data()
        assert (data.tolist(), count) == ([1.0, 3.0, 5.0], 3)
        np.testing.assert_allclose(times, [0, 0.1, 0.2], rtol=1e-15)
