"""A conversion and a safe edit, stopped after every single call that changes the disk.

The calls are recorded once, then made again one by one in a copy of the folder. After each of them
the file that was there before is whole, to the byte, until one renaming puts the new one, whole, in
its place. Writes are also cut in the middle. That the bytes of the new file are on the disk before
the renaming (after a loss of power, too) is seen from the order of the calls.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from ephyrus import nix
from tests.nix.replay import Call, contents, make, record, recorder

OPENINGS = 60  # of a long recording; the bytes are compared after every call

EDIT = """
import sys
from ephyrus import nix
with nix.File(sys.argv[1], "a", safe=True) as file:
    block = file.blocks[0]
    made = block.create_data_array("new", "t", data=range(1000), unit="mV")
    made.append_sampled_dimension(0.5, unit="s")
    block.data_arrays["voltage"].append([1.0] * 10000)
    file.flush()
    del block.data_arrays["image"]
    del block.tags["stimulus"]
    file.sections[0]["new"] = "x"
    file.flush()
    block.rename("renamed")
    for number in range(8):
        more = block.create_data_array(f"more {number}", "t", data=[float(number)])
        more.append_set_dimension()
        file.flush()
"""


def everything(path: Path) -> dict[str, object]:
    """Read every attribute and every value of an HDF5 file."""
    found: dict[str, object] = {}

    def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
        values = item[()].tolist() if isinstance(item, h5py.Dataset) else sorted(item)
        attributes = {key: np.asarray(value).tolist() for key, value in item.attrs.items()}
        found[name] = values, attributes

    with h5py.File(path, "r") as raw:
        take("/", raw)
        raw.visititems(take)
    return found


def torn(call: Call) -> Call:
    """Give the first half of a call that writes."""
    return Call(call.kind, call.name, call.second, call.place, call.data[: len(call.data) // 2])


def opened_at(calls: Sequence[Call]) -> set[int]:
    """Give the calls after which the file is opened: all, or of many the telling ones."""
    count = len(calls)
    telling = {number for number, call in enumerate(calls) if call.is_boundary}
    near = {number + step for number in telling for step in (-1, 0, 1)}
    spread = {int(number) for number in np.linspace(0, count - 1, min(count, OPENINGS))}
    return (near | spread) & set(range(count))


def renaming_of(calls: Sequence[Call], name: str) -> int:
    """Give the number of the one call that changes a file; it must be a renaming."""
    touching = [number for number, call in enumerate(calls) if name in (call.name, call.second)]
    touching = [number for number in touching if calls[number].kind != "sync"]
    assert len(touching) == 1
    assert calls[touching[0]].kind == "rename"
    assert calls[touching[0]].second == name
    return touching[0]


def assert_on_disk_first(calls: Sequence[Call], renaming: int) -> None:
    """The bytes are flushed after the last of them is written, and before the renaming."""
    name, kinds = calls[renaming].name, []
    for call in reversed(calls[:renaming]):
        if call.kind == "rename" and call.second == name:
            name = call.name  # it was made beside, and renamed to lie beside
        elif call.name == name:
            kinds.append(call.kind)
    assert kinds[0] == "sync"
    assert "write" in kinds


def replay(calls: Sequence[Call], path: Path, final: bytes) -> int:
    """Make calls again around an old file, and look at it after each; gives how often it was read.

    Looked at are its bytes each time; all that is in it, and whether it can be opened for writing,
    at the calls of `opened_at`.
    """
    renaming = renaming_of(calls, path.name)
    openings = opened_at(calls)
    before, old = path.read_bytes(), everything(path)
    with nix.File(path, "r") as file:
        name = file.blocks[0].name
    is_new = False
    count = 0
    for number, call in enumerate(calls):
        if call.kind == "write" and len(call.data) > 1:
            make(torn(call), path.parent)
            assert number < renaming
            assert path.read_bytes() == before
        make(call, path.parent)
        assert path.read_bytes() == (before if number < renaming else final), number
        if number not in openings:
            continue
        count += 1
        if number < renaming:
            assert everything(path) == old
            with nix.File(path, "a") as file:  # what lies beside is in nobody's way
                assert file.blocks[0].name == name
            assert path.read_bytes() == before
        elif not is_new:
            is_new = everything(path) != old
            with nix.File(path, "r") as file:
                assert file.validate()["errors"] == {}
    assert is_new
    return count


@pytest.fixture
def library(tmp_path):
    return recorder(tmp_path)


def run(library, path, *arguments):
    """Record a run of Python that changes a file; replay it in a copy of the folder."""
    start = path.parent.with_name("start")
    shutil.copytree(path.parent, start)
    calls = record(library, path.parent, arguments)
    after = contents(path.parent)
    assert list(after) == [path.name]  # nothing is left beside it
    assert_on_disk_first(calls, renaming_of(calls, path.name))
    count = replay(calls, start / path.name, after[path.name])
    assert contents(start) == after  # so no call that changed the folder was missed
    return calls, count


def test_safe_edit(library, full):
    folder = full.parent / "work"
    folder.mkdir()
    path = full.rename(folder / "file.nix")
    calls, count = run(library, path, "-c", EDIT, str(path))
    assert count >= min(len(calls), OPENINGS)
    with nix.File(path, "r") as file:
        assert len(file.blocks["renamed"].data_arrays["voltage"]) == 10100


def test_a_plain_edit_writes_into_the_file(library, full):
    """What is not promised; and a proof that the recorder would see it."""
    program = EDIT.replace("safe=True", "safe=False")
    calls = record(library, full.parent, ["-c", program, str(full)])
    assert {call.name for call in calls} == {full.name}
    assert sum(call.kind == "write" for call in calls) > 50


@pytest.mark.timeout(300)
def test_conversion(library, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    path = folder / "out.nix"
    with nix.File(path, "w") as file:
        file.create_block("old", "t").create_data_array("a", "t", data=[1.0, 2.0], unit="mV")
    command = ["-m", "ephyrus", "convert", "x.fake", str(path), "--overwrite", "--quiet"]
    calls, count = run(library, path, *command)
    assert count >= min(len(calls), OPENINGS)
    with nix.File(path, "r") as file:
        assert [block.type for block in file.blocks] == ["neo.block", "neo.block"]
