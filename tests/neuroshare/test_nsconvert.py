"""``ns-convert``: NIX, plain HDF5 and native files of every entity."""

from __future__ import annotations

import sys
from itertools import pairwise

import h5py
import numpy as np
import pytest

from ephyrus import neuroshare, nix
from ephyrus.cli import nsconvert
from ephyrus.errors import NeoReadWriteError
from ephyrus.neuroshare.converting import convert, default_target, unique_names
from ephyrus.recording import CallbackProgress
from tests.dll import building, contents
from tests.neuroshare import vendor
from tests.synth import nsn

KEYS = {"EntityLabel", "EntityType", "ItemCount"}


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command; gives exit code, output and errors."""

    def running(*arguments):
        monkeypatch.setattr(sys, "argv", ["ns-convert", *map(str, arguments)])
        code = nsconvert.main()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return running


@pytest.fixture(params=["vendor", "own"])
def source(request, tmp_path, libraries):
    """A recording, and the library that reads it."""
    if request.param == "own":
        return vendor.as_nsn().write(tmp_path / "recording.nsn"), None
    return building.recording(tmp_path / "recording.nst"), libraries["vendor"]


def test_nix(source):
    path, library = source
    target, losses = convert(path, library=library)
    assert target == path.with_suffix(".h5")
    assert losses == (() if library is None else ("left out: 1 entity of unknown type",))
    with neuroshare.File(path, library) as file, nix.File.open(target, "r") as converted:
        (block,) = converted.blocks
        (top,) = converted.sections
        assert block.name == top.name == str(path).replace("/", "_")
        assert (block.type, top.type) == ("nix.session", "odml.recording")
        assert {p.name: p.values[0] for p in top.props} == file.metadata_raw
        assert {g.name for g in block.groups} == {"Event", "Analog", "Segment", "Neural"}
        assert {s.name for s in top.sections} == {"events", "analogs", "segments", "neurals"}
        for entity in file.entities:
            check_nix(block, top, entity)


def check_nix(block, top, entity):
    if isinstance(entity, neuroshare.SegmentEntity):
        check_segments(block, top, entity)
        return
    kinds = {1: ("Event", "nix.event"), 2: ("Analog", "nix.analog"), 4: ("Neural", "nix.neural")}
    if entity.entity_type not in kinds or not len(entity):
        return
    group, kind = kinds[entity.entity_type]
    is_neural = entity.entity_type == 4
    name = f"{entity.id} - {entity.label}" if is_neural else entity.label
    array = block.groups[group].data_arrays[name]
    assert array.type == kind
    assert {p.name: p.values[0] for p in array.metadata.props} == entity.metadata_raw
    assert array.metadata.name == f"{name} metadata"
    (dimension,) = array.dimensions
    if is_neural:
        np.testing.assert_array_equal(array[:], entity.get_data())
        assert (array.label, array.unit) == ("timestamps", "s")
        assert dimension.is_alias
        return
    assert (dimension.label, dimension.unit) == ("time", "s")
    if entity.entity_type == 2:
        data, times, _ = entity.get_data()
        np.testing.assert_array_equal(array[:], data)
        assert (array.label, array.unit) == ("waveform", "uV")
    else:
        times, values = entity.get_items()
        assert array[:].tolist() == values
        assert array.label == "timepoints"
    np.testing.assert_array_equal(dimension.ticks, times)


def check_segments(block, top, entity):
    items = entity.get_items()
    facts = top.sections["segments"].sections[f"{entity.label}_metadata"]
    assert {p.name: p.values[0] for p in facts.props} == entity.metadata_raw
    for source in entity.sources:
        section = facts.sections[f"SourceInfo.{source.id}"]
        assert {p.name: p.values[0] for p in section.props} == source.metadata_raw
    for at in range(len(entity)):
        title = f"{at} - {items.times[at]:.6f}"
        array = block.groups["Segment"].data_arrays[f"{entity.label}_{title}"]
        expected = items.values[at, :, : items.sample_counts[at]].T
        np.testing.assert_array_equal(
            array[:], expected[:, 0] if entity.source_count == 1 else expected
        )
        assert (array.type, array.unit, array.label) == ("nix.segment", "mV", "cutout waveform")
        dimension = array.dimensions[0]
        assert dimension.sampling_interval == 1 / entity.sample_rate
        assert (dimension.offset, dimension.unit) == (items.times[at], "s")
        assert array.metadata.name == f"{entity.id}_{title}_metadata"
        assert array.metadata.props["unitID"].values[0] == items.unit_ids[at]


def test_hdf5(source):
    path, library = source
    target, _ = convert(path, format="hdf5", library=library)
    assert target == path.with_suffix(".hdf5")
    with neuroshare.File(path, library) as file, h5py.File(target) as converted:
        assert dict(converted.attrs) == file.metadata_raw
        assert set(converted) == {"Event", "Analog", "Segment", "Neural"}
        for entity in file.entities:
            if isinstance(entity, neuroshare.EventEntity):
                found = converted["Event"][entity.label]
                times, values = entity.get_items()
                if entity.event_type <= 1:
                    values = [item.split(b"\0")[0] for item in entity.get_bytes().values]
                np.testing.assert_array_equal(found["timestamp"], times)
                assert found["value"].tolist() == values
            elif isinstance(entity, neuroshare.AnalogEntity):
                found = converted["Analog"][entity.label]
                data, times, _ = entity.get_data()
                np.testing.assert_array_equal(found[:], np.column_stack([times, data]))
            elif isinstance(entity, neuroshare.SegmentEntity):
                found = converted["Segment"][entity.label]
                items = entity.get_items()
                assert found.attrs["SourceInfo.0.Resolution"] == 0.001
                for at, time in enumerate(items.times):
                    item = found[f"{at} - {time:.6f}"]
                    expected = items.values[at, :, : items.sample_counts[at]].T
                    np.testing.assert_array_equal(item[:], expected)
                    assert dict(item.attrs) == {
                        "Timestamp": time,
                        "Unit": items.unit_ids[at],
                        "Index": at,
                    }
            elif isinstance(entity, neuroshare.NeuralEntity):
                found = converted["Neural"][f"{entity.id} - {entity.label}"]
                np.testing.assert_array_equal(found[:], entity.get_data())
            else:
                continue
            assert {k: found.attrs[k] for k in KEYS} == {k: entity.metadata_raw[k] for k in KEYS}


def test_native(source, tmp_path):
    path, library = source
    target, losses = convert(path, tmp_path / "out.NSN", library=library)
    assert losses in ((), ("annotations are left out: library",))
    with neuroshare.File(target) as file:
        by_label = {each.label: each for each in file.entities}
        data, times, _ = by_label["gaps µV"].get_data()
        np.testing.assert_array_equal(data, contents.analog_values(0, 1501))
        np.testing.assert_allclose(times, contents.times(5), rtol=0, atol=1e-12)
        for label in ("words", "bytes", "word pairs", "long words"):
            assert by_label[label].get_items()[1] == vendor.event_values(label)
        assert by_label["word pairs"].get_bytes().values == contents.EVENT_VALUES[3]
        np.testing.assert_array_equal(by_label["neural"].get_data(), contents.times(8))
        is_two = contents.segment_units(7) == 2
        items = by_label["tetrode#2"].get_items()
        expected = contents.segment_values(7)[is_two][:, :, : items.values.shape[2]]
        np.testing.assert_array_equal(items.values, expected)
        assert items.unit_ids.tolist() == [2, 2]


def test_names():
    assert unique_names({0: "a", 1: "b/c", 4: "a", 5: "", 6: "."}) == {
        0: "a",
        1: "b_c",
        4: "a #4",
        5: "entity 5",
        6: "_.",
    }
    assert default_target("x/y.mcd", "nix").as_posix() == "x/y.h5"
    assert default_target("x/y.mcd", "nsn").as_posix() == "x/y.nsn"


def test_labels_that_repeat(tmp_path):
    analog = nsn.Analog(b"a/b", [(0.0, nsn.wave(0, 5))], units=b"raw")
    path = nsn.File([analog, analog, nsn.Events(b"a/b", [1.0], [b"x"])]).write(tmp_path / "x.nsn")
    target, _ = convert(path)
    with nix.File.open(target, "r") as converted:
        (block,) = converted.blocks
        names = {array.name: array.type for array in block.data_arrays}
        assert names == {"a_b": "nix.analog", "a_b #1": "nix.analog", "a_b #2": "nix.event"}
        assert block.data_arrays["a_b"].unit == "V"


def test_refusals(tmp_path):
    path = nsn.spikes().write(tmp_path / "x.nsn")
    before = path.read_bytes()
    with pytest.raises(NeoReadWriteError, match="cannot be replaced by what is made of it"):
        convert(path, path)
    with pytest.raises(ValueError, match="format='csv': expected one of nix, hdf5, nsn"):
        convert(path, format="csv")
    assert path.read_bytes() == before


def test_nothing_is_left_of_a_failure(tmp_path, libraries):
    path = building.recording(tmp_path / "x.nst", "error ns_GetNeuralData -3")
    with pytest.raises(neuroshare.NeuroshareError):
        convert(path, library=libraries["vendor"])
    assert list(tmp_path.iterdir()) == [path]


def test_progress(tmp_path):
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    convert(nsn.everything().write(tmp_path / "x.nsn"), progress=progress)
    ends = [now for now, then in pairwise([*seen, (0, 0)]) if then[0] == 0]
    assert all(done == total for done, total in ends)
    assert len(ends) >= 13


def test_the_command(run, tmp_path):
    path = nsn.spikes().write(tmp_path / "x.nsn")
    code, out, err = run(path)
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == ["1 of 2: one source", "2 of 2: one row"]
    assert out.splitlines()[-1].startswith(f"{tmp_path / 'x.h5'} written in ")
    assert run(path, "--hdf5", "-q") == (0, "", "")
    assert (tmp_path / "x.hdf5").exists()
    assert run(path, "-o", tmp_path / "y.nsn", "-q") == (0, "", "")
    with neuroshare.File(tmp_path / "y.nsn") as file:
        assert file.entity_count == 6


def test_the_command_through_a_library(run, tmp_path, vendor_library):
    path = building.recording(tmp_path / "x.nst")
    code, out, err = run(path, "--library", vendor_library, "-o", tmp_path / "y.h5")
    assert code == 0
    assert "12 of 12: large spikes" in out
    assert "left out: 1 entity of unknown type" in err


def test_what_the_command_refuses(run, tmp_path):
    path = nsn.spikes().write(tmp_path / "x.nsn")
    assert run(path, "-o", path)[0] == 2
    code, _, err = run(path, "--hdf5", "-o", tmp_path / "y.nsn")
    assert (code, "--hdf5 makes no .nsn file" in err) == (2, True)
    code, _, err = run(tmp_path / "missing.mcd")
    assert (code, "no such file" in err) == (2, True)
    code, _, err = run("-x")
    assert (code, "'ns-convert --help' shows how it is used" in err) == (2, True)
