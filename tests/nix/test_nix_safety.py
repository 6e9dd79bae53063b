"""Hostile and damaged files, edits that end in the middle, bounded memory, real files."""

from __future__ import annotations

import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

from ephyrus import nix
from ephyrus.errors import CorruptError, FormatError
from tests.golden import assert_channel, data_path, golden

MUTANTS = Path(__file__).with_name("mutants.py")


def run_mutants(path: Path, first: int, count: int) -> list[str]:
    """Read damaged copies in child processes; one that the system had to stop is named so."""
    lines: list[str] = []
    last = first + count
    while first < last:
        done = subprocess.run(
            [sys.executable, str(MUTANTS), str(path), str(first), str(last - first)],
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        seen = done.stdout.splitlines()
        lines += [line for line in seen if not line.endswith("begins")]
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGPROF, done.stderr[-2000:]
        stopped = int(seen[-1].split()[0])
        lines.append(f"{stopped} stopped")
        first = stopped + 1
    return lines


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(0, 1000, 250))
def test_mutations(full, first):
    """Each copy is read, or refused with an error of ours; none hangs or needs much memory.

    What HDF5 does not survive by itself are damaged collections of texts, through which it walks
    without end: :mod:`ephyrus.nix.guard` finds those before HDF5 does. That holds for everything
    that is no local file, and for local files of up to 1 MiB. In longer ones that are given by
    their path they cannot be found without reading the whole file: HDF5 does not tell where its
    collections are, and passing each of its reads through Python makes reading metadata 1.5 times
    slower. ``nix.File(open(path, "rb"), "r")`` does that, for files of any size.
    """
    lines = run_mutants(full, first, 250)
    assert len(lines) == 250
    assert [line for line in lines if "RAISED" in line] == []
    assert sum("refused" in line for line in lines) > 50
    assert [line for line in lines if "stopped" in line] == []


def replaced(full, name, make):
    with h5py.File(full, "r+") as raw:
        parent, _, child = name.rpartition("/")
        del raw[name]
        make(raw[parent], child)


def external_data(group, name):
    Path(group.file.filename).with_name("secret.bin").write_bytes(b"\1" * 800)
    group.create_dataset(name, (100,), "f8", external=[("secret.bin", 0, 800)])


def virtual_data(group, name):
    layout = h5py.VirtualLayout((100,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "data", (100,))
    group.create_virtual_dataset(name, layout)


def soft_link(group, name):
    group[name] = h5py.SoftLink("/data/session/data_arrays/voltage")


def external_link(group, name):
    group[name] = h5py.ExternalLink("other.h5", "/data")


@pytest.mark.parametrize("make", [external_data, virtual_data, soft_link, external_link])
def test_data_outside_of_the_file(full, make):
    replaced(full, "data/session/data_arrays/voltage/data", make)
    with nix.File(full, "r") as file:
        array = file.blocks[0].data_arrays["voltage"]
        with pytest.raises((CorruptError, nix.exceptions.UninitializedEntity)):
            array[:]
        assert "voltage" in {getattr(each, "name", "") for each in file.validate()["errors"]}


@pytest.mark.parametrize("make", [soft_link, external_link])
@pytest.mark.parametrize(
    ("name", "touch"),
    [
        ("data/session/data_arrays/voltage", lambda file: file.blocks[0].data_arrays["voltage"]),
        ("data/session/data_arrays/voltage", lambda file: file.blocks[0].data_arrays[-1]),
        ("data/session/data_arrays", lambda file: len(file.blocks[0].data_arrays)),
        ("data/session/metadata", lambda file: file.blocks[0].metadata),
        ("data/session/multi_tags/events/positions", lambda f: f.blocks[0].multi_tags[0].positions),
        ("data/session/tags/stimulus/position", lambda file: file.blocks[0].tags[0].position),
        ("metadata/recording/properties/gain", lambda file: file.sections[0]["gain"]),
        ("metadata/recording/link", lambda file: file.sections[0].link),
    ],
)
def test_links_that_are_not_hard(full, make, name, touch):
    replaced(full, name, make)
    with nix.File(full, "r") as file:
        with pytest.raises(FormatError, match="soft or external"):
            touch(file)
        assert file.validate()["errors"]


def test_copies_of_foreign_data_are_refused(full, tmp_path):
    replaced(full, "data/session/data_arrays/voltage/data", external_data)
    with nix.File(full, "r") as file, nix.File(tmp_path / "o.nix", "w") as target:
        with pytest.raises(CorruptError):
            target.create_block(copy_from=file.blocks[0])
        assert list(target.blocks) == []


def test_claimed_sizes_are_not_believed(full):
    with h5py.File(full, "r+") as raw:
        data = raw["data/session/data_arrays/voltage/data"]
        data.resize((2**50,))
    with nix.File(full, "r") as file:
        array = file.blocks[0].data_arrays["voltage"]
        assert array.shape == (2**50,)
        assert array[3:5].tolist() == [0.3, 0.4]
        with pytest.raises(MemoryError):
            array[:]


CHILD = """
import os, sys
from ephyrus import nix
path, stop = sys.argv[1], int(sys.argv[2])
file = nix.File(path, "a", safe=True)
block = file.blocks[0]
steps = [
    lambda: block.create_data_array("new", "t", data=range(1000)),
    lambda: block.data_arrays["voltage"].append([1.0] * 10000),
    lambda: block.data_arrays.__delitem__("image"),
    lambda: file.flush(),
    lambda: file.sections[0].__setitem__("new", "x"),
    lambda: file.blocks[0].rename("renamed"),
    lambda: file.flush(),
]
for number, step in enumerate(steps):
    if number == stop:
        os._exit(7)
    step()
os._exit(7)
"""


@pytest.mark.parametrize("stop", range(0, 8, 2))
def test_a_safe_edit_that_ends_in_the_middle_leaves_the_old_file(full, stop):
    before = full.read_bytes()
    done = subprocess.run([sys.executable, "-c", CHILD, str(full), str(stop)], check=False)
    assert done.returncode == 7
    assert full.read_bytes() == before
    with nix.File(full, "a") as file:  # and nobody holds a lock
        assert file.validate()["errors"] == {}


def test_pieces_need_little_memory(path):
    count, length = 64, 2**17
    tracemalloc.start()
    with nix.File(path, "w") as file:
        pieces = (np.full(length, number, np.float64) for number in range(count))
        file.create_block("b", "t").create_data_array("a", "t", data=pieces)
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * length * 6
    with nix.File(path, "r") as file:
        array = file.blocks[0].data_arrays[0]
        assert array.shape == (count * length,)
        assert array[length * 5 - 1 : length * 5 + 1].tolist() == [4.0, 5.0]


@pytest.mark.real
def test_real_file():
    expected = golden("nix/spike_features.h5")
    with nix.File(data_path("nix/spike_features.h5"), "r") as file:
        assert list(file.version) == expected["version"]
        assert len(file.blocks) == len(expected["blocks"])
        for block, facts in zip(file.blocks, expected["blocks"], strict=True):
            assert (block.name, block.type, block.id) == (facts["name"], facts["type"], facts["id"])
            assert len(block.data_arrays) == len(facts["data_arrays"])
            for array, known in zip(block.data_arrays, facts["data_arrays"], strict=True):
                for key in ("name", "type", "id", "label", "unit"):
                    assert getattr(array, key) == known[key]
                assert list(array.shape) == known["shape"]
                assert str(array.dtype) == known["dtype"]
                assert len(array.dimensions) == len(known["dimensions"])
                for dimension, each in zip(array.dimensions, known["dimensions"], strict=True):
                    assert dimension.dimension_type.name == each["kind"]
                    assert dimension.label == each["label"]
                assert_channel(array[:].ravel(), known)
            assert len(block.multi_tags) == 1
            tag = block.multi_tags[0]
            views = [tag.tagged_data(number, 0) for number in range(len(tag.positions))]
            together = tag.read_tagged(0)
            for view, values in zip(views, together, strict=True):
                np.testing.assert_array_equal(view[:].ravel(), values.ravel())
        known = golden("nix/spike_features.h5")["blocks"][0]["multi_tags"][0]
        assert (tag.name, tag.type, list(tag.units)) == (known["name"], known["type"], [])
        assert [each.name for each in tag.references] == known["references"]
        assert [each.data.name for each in tag.features] == ["stimulus"]
    with pytest.raises(nix.exceptions.VersionError, match=r"file_upgrade"):
        nix.File(data_path("nix/spike_features.h5"), "a")
