from __future__ import annotations

import shutil

import h5py
import pytest

from ephyrus import nix
from tests.synth import nix as synth


@pytest.fixture
def objects(tmp_path):
    return synth.objects(tmp_path)


@pytest.fixture
def plain(tmp_path):
    return synth.plain(tmp_path)


def test_tree_names_everything_with_shapes_and_sizes(run, objects):
    found = run("nix", "tree", objects)
    assert (found.code, found.err) == (0, "")
    lines = [line.strip() for line in found.out.splitlines()]
    assert lines[0] == f"{objects}  (NIX 1.2.1)"
    assert "group neo.segment.1  [neo.segment]  7 data arrays, 3 multi tags" in lines
    wanted = "data array neo.analogsignal.1.0  [neo.analogsignal]  4 float64, mV, 32 B, time every"
    assert f"{wanted} 0.5 ms" in lines
    assert "multi tag neo.spiketrain.1  [neo.spiketrain]  3 references, 1 features" in lines
    assert "section neo  [neo.metadata]  1 property" in lines


def test_tree_to_a_depth_and_as_json(run, objects):
    lines = run("nix", "tree", "--depth", 1, objects).out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["block", "neo.block.1"],
        ["section", "neo"],
        ["section", "neo.block.1"],
    ]
    block, *_ = run("nix", "tree", "--json", objects).json
    array = next(each for each in block["children"] if each["name"] == "neo.epoch.1.times")
    assert (array["shape"], array["unit"], array["bytes"]) == ([2], "ms", 16)
    assert array["dimensions"] == [{"kind": "set", "labels": ["rest", "wörk"]}]


def test_dump_shows_attributes_and_values(run, plain):
    found = run("nix", "dump", "-n", 4, plain)
    lines = [line.strip() for line in found.out.splitlines()]
    assert found.code == 0
    assert "values: 0.0, 1.0, 2.0, 3.0" in lines
    assert "amplifier = A-1" in lines
    assert "unit: mV" in lines
    arrays = run("nix", "dump", "--json", plain).json[0]["children"]
    assert [each["name"] for each in arrays] == ["voltage", "lfp", "drug", "image"]
    assert arrays[0]["values"] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert arrays[2]["dimensions"] == [
        {"kind": "range", "unit": "s", "ticks": 3, "first": 0.0, "last": 4.0}
    ]


def test_validate_tells_what_is_wrong_by_its_exit_code(run, plain, tmp_path):
    fine = run("nix", "validate", plain)
    assert fine.code == 0
    assert fine.out.splitlines()[-1] == f"{plain}: 0 errors, 3 warnings"
    assert run("nix", "validate", "--strict", plain).code == 1
    old = synth.old(tmp_path)
    broken = run("nix", "validate", "--errors", old)
    assert broken.code == 1
    assert broken.out.splitlines()[0].startswith(f"{old}: error: data array neo.analogsignal.old.0")
    report = run("nix", "validate", "--json", old, plain).json
    assert [len(each["errors"]) for each in report] == [1, 0]
    missing = run("nix", "validate", tmp_path / "none.nix")
    assert missing.code == 2
    assert missing.errors == [f"error: {tmp_path / 'none.nix'}: no such file"]


def test_upgrade_keeps_ids(run, plain):
    ids = {each["name"]: each["id"] for each in run("nix", "tree", "--json", plain).json}
    found = run("nix", "upgrade", plain)
    assert (found.code, found.out) == (0, f"{plain}: 1.1.0 -> 1.2.1\n")
    with h5py.File(plain) as file:
        assert list(file.attrs["version"]) == [1, 2, 1]
    assert {each["name"]: each["id"] for each in run("nix", "tree", "--json", plain).json} == ids
    assert run("nix", "upgrade", plain.with_name("none.nix")).code == 2


def test_diff(run, objects, tmp_path):
    copy = tmp_path / "copy.nix"
    shutil.copyfile(objects, copy)
    same = run("nix", "diff", objects, copy)
    assert (same.code, same.out) == (0, "no differences\n")
    with nix.File(copy, nix.FileMode.ReadWrite) as file:
        block = file.blocks[0]
        array = block.data_arrays["neo.analogsignal.1.0"]
        array[1:3] = [7.0, 8.0]
        array.unit = "uV"
        file.sections["neo.block.1"]["rig"] = "right"
        block.create_data_array("extra", "nix.extra", data=[1.0])
    found = run("nix", "diff", objects, copy)
    assert found.code == 1
    assert found.out.splitlines() == [
        "/neo.block.1/data array extra: only in the second",
        "/neo.block.1/data array neo.analogsignal.1.0: unit: mV -> uV",
        "/neo.block.1/data array neo.analogsignal.1.0: 2 values differ",
        "metadata /neo.block.1: property rig: {'values': ['left']} -> {'values': ['right']}",
    ]
    changes = run("nix", "diff", "--json", objects, copy).json
    assert {"path": "/neo.block.1/data array extra", "change": "only in the second"} in changes
    assert run("nix", "diff", objects, tmp_path / "none.nix").code == 2


def test_metadata_as_text_json_and_yaml(run, objects):
    lines = run("nix", "metadata", objects).out.splitlines()
    assert lines[:2] == ["neo  [neo.metadata]", "  version = 0.14.6"]
    assert "      t_stop = 2000.0 ms" in lines
    found = run("nix", "metadata", "--json", "--section", "neo.analogsignal.1", objects).json
    assert found[0]["properties"]["gain"] == {"values": [2.5], "unit": "mV"}
    assert found[0]["properties"]["depth"]["values"] == [10.0, 20.0]
    text = run("nix", "metadata", "--yaml", "-s", "neo.waveforms.metadata", objects).out
    assert text.splitlines() == [
        "-",
        '  "name": "neo.spiketrain.1.waveforms"',
        '  "type": "neo.waveforms.metadata"',
        '  "properties":',
        '    "left_sweep":',
        '      "values":',
        "        - 0.2",
        '      "unit": "ms"',
        '  "sections": []',
    ]
    assert run("nix", "metadata", "--section", "none", objects).code == 2
    assert run("nix", "metadata", "--json", "--yaml", objects).code == 2


@pytest.mark.parametrize("name", ["tree", "dump", "validate", "upgrade", "diff", "metadata"])
def test_help_has_examples(run, name):
    found = run("nix", name, "--help")
    assert found.code == 0
    assert f"ephyrus nix {name}" in found.out


def test_convert_info_and_plot_know_nix(run, eeg, tmp_path):
    target = tmp_path / "out.nix"
    assert run("convert", eeg.path, target).code == 0
    assert run("nix", "validate", "--errors", target).code == 0
    (entry,) = run("info", "--json", target).json
    assert entry["format"] == "nix"
    picture = tmp_path / "look.png"
    assert run("plot", target, "-o", picture).code == 0
    assert picture.stat().st_size > 1000
