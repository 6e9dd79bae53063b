"""Uploaded files are opened in processes of their own, which refuse what is hostile."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from ephyrus.service.files import kinds
from ephyrus.service.files.looking import checked_array
from ephyrus.service.files.nursery import ChildFailed, ChildLimits, ChildLost, Nursery, Refused

PATIENCE = 60.0  # seconds after which a test gives up
LIMITS = ChildLimits(memory=512 * 2**20, seconds=PATIENCE, file_bytes=256 * 2**20)
ROOM = {"most": 2**30, "ratio": 200}
VALUES = np.arange(1000, dtype="f8")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery(4)
    yield made
    made.close()


def look(nursery: Nursery, path: Path, folder: Path, limits: ChildLimits = LIMITS, **more) -> dict:
    folder.mkdir(exist_ok=True)
    (folder / "array").unlink(missing_ok=True)
    request = {"path": str(path), "folder": str(folder), **ROOM, **more}
    return nursery.run("look", request, limits)


def array_of(nursery: Nursery, path: Path, tmp_path: Path) -> np.ndarray:
    """Upload a file and read its array from the form that is kept."""
    report = look(nursery, path, tmp_path / "out")
    assert report["file_type"] == kinds.ARRAY, report
    info = checked_array(tmp_path / "out" / "array", report["array"])
    data = (tmp_path / "out" / "array").read_bytes()
    return np.frombuffer(data, info.dtype, offset=info.offset).reshape(info.shape)


def made(path: Path, **dataset) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", **dataset)
    return path


@pytest.mark.parametrize(
    "dataset",
    [
        {"data": VALUES},
        {"data": VALUES.reshape(100, 10), "compression": "gzip", "shuffle": True},
        {"data": VALUES.reshape(10, 10, 10).astype(">i2"), "chunks": (3, 4, 5)},
        {"data": VALUES.astype("f2"), "compression": "lzf", "fletcher32": True},
        {"data": np.arange(100, dtype="u4"), "scaleoffset": 0},
        {"data": VALUES > 5},
        {"data": np.zeros((0, 3), "f4"), "maxshape": (None, 3)},
        {"data": np.array([b"one", b"two words"])},
        {"shape": (5,), "dtype": "i8", "fillvalue": 7},
    ],
    ids=lambda each: str({k: v for k, v in each.items() if k != "data"}),
)
def test_arrays_of_all_layouts_are_kept_exactly(nursery, tmp_path, dataset):
    path = made(tmp_path / "in", **dataset)
    with h5py.File(path) as file:
        expected = file["x"][...]
    kept = array_of(nursery, path, tmp_path)
    np.testing.assert_array_equal(kept, expected)
    assert kept.dtype == (
        np.dtype("u1") if expected.dtype == bool else expected.dtype.newbyteorder("<")
    )


def test_texts_are_kept_as_utf8(nursery, tmp_path):
    texts = ["", "a", "\xe4\xf6\xfc \u03bc", "x" * 100]
    path = made(tmp_path / "in", data=texts, dtype=h5py.string_dtype())
    kept = array_of(nursery, path, tmp_path)
    assert [each.decode() for each in kept.tolist()] == texts
    assert kept.dtype == "S100"
    latin = made(tmp_path / "latin", data=np.array([b"\xe4x", b"ok"]))
    assert [each.decode() for each in array_of(nursery, latin, tmp_path).tolist()] == [
        "\xe4x",
        "ok",
    ]


def test_a_user_block_is_no_hindrance(nursery, tmp_path):
    with h5py.File(tmp_path / "in", "w", userblock_size=1024) as file:
        file["x"] = VALUES
    np.testing.assert_array_equal(array_of(nursery, tmp_path / "in", tmp_path), VALUES)


def _virtual(path: Path) -> None:
    other = made(path.with_name("source"), data=VALUES)
    layout = h5py.VirtualLayout((1000,), "f8")
    layout[:] = h5py.VirtualSource(str(other), "x", (1000,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x", layout)


def _link(path: Path, link: object) -> None:
    made(path.with_name("source"), data=VALUES)
    with h5py.File(path, "w") as file:
        file["x"] = link


HOSTILE = {
    "external link": (lambda path: _link(path, h5py.ExternalLink("source", "x")), "a link"),
    "soft link": (lambda path: _link(path, h5py.SoftLink("/y")), "a link"),
    "external storage": (
        lambda path: made(path, shape=(4,), dtype="u1", external=[("/etc/passwd", 0, 4)]),
        "external files",
    ),
    "virtual": (_virtual, "a virtual one"),
    "declares 4 TB": (
        lambda path: made(path, shape=(10**12,), dtype="f4", chunks=(1024,)),
        "4,000,000,000,000 bytes",
    ),
    "declares 300 MB texts": (
        lambda path: made(path, shape=(3 * 10**7,), dtype="S10", chunks=(1024,)),
        "300,000,000 bytes",
    ),
    "plug-in": (
        lambda path: made(path, data=VALUES, chunks=(100,), **hdf5plugin.Zstd()),
        "filter 32015",
    ),
    "wide texts": (
        lambda path: made(path, data=["a"] * 2000 + ["b" * 60_000], dtype=h5py.string_dtype()),
        "declares 120,060,000 bytes",
    ),
    "very wide text": (
        lambda path: made(path, data=["b" * 70_000], dtype=h5py.string_dtype()),
        "70,000 bytes",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(nursery, tmp_path, name):
    make, reason = HOSTILE[name]
    make(tmp_path / "in")
    report = look(nursery, tmp_path / "in", tmp_path / "out")
    assert report["file_type"] == kinds.UNKNOWN
    assert reason in report["note"]


OTHER = {
    "two entries": lambda file: (
        file.create_dataset("x", data=1),
        file.create_dataset("y", data=1),
    ),
    "a group": lambda file: file.create_group("x"),
    "empty": lambda file: None,
    "a number": lambda file: file.create_dataset("x", data=1.0),
    "four dimensions": lambda file: file.create_dataset("x", data=np.zeros((1, 1, 1, 1))),
    "endless rows of nothing": lambda file: file.create_dataset("x", (2**40, 0), "f4"),
    "complex": lambda file: file.create_dataset("x", data=VALUES * 1j),
    "records": lambda file: file.create_dataset("x", data=np.zeros(3, "i4,f8")),
    "ragged": lambda file: file.create_dataset("x", (3,), h5py.vlen_dtype("f8")),
    "references": lambda file: file.create_dataset("x", (3,), h5py.ref_dtype),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_is_not_one_array_is_no_array(nursery, tmp_path, name):
    with h5py.File(tmp_path / "in", "w") as file:
        OTHER[name](file)
    report = look(nursery, tmp_path / "in", tmp_path / "out")
    assert report["file_type"] == kinds.UNKNOWN
    assert report["note"].startswith("not an array")


def test_cut_files_are_refused(nursery, tmp_path):
    data = made(tmp_path / "whole", data=VALUES, chunks=(100,)).read_bytes()
    for length in (9, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "in").write_bytes(data[:length])
        report = look(nursery, tmp_path / "in", tmp_path / "out")
        assert report["file_type"] == kinds.UNKNOWN
        assert "array" not in report


def test_damaged_files_never_hurt(nursery, tmp_path):
    """200 mutations: each is read, or refused, or ends its own process; none takes long."""
    sources = [
        made(tmp_path / "a", data=VALUES[:50], chunks=(10,), compression="gzip").read_bytes(),
        made(tmp_path / "b", data=["a", "bc", "def"] * 5, dtype=h5py.string_dtype()).read_bytes(),
        made(tmp_path / "c", data=VALUES[:60].reshape(3, 4, 5)).read_bytes(),
    ]
    limits = ChildLimits(memory=256 * 2**20, seconds=20.0, file_bytes=128 * 2**20)

    def outcome(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        dice = random.Random(number)
        data = bytearray(dice.choice(sources))
        for _ in range(dice.choice((1, 1, 2, 8))):
            place = dice.randrange(min(len(data), 2500))
            data[place] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        (folder / "in").write_bytes(data)
        try:
            report = look(nursery, folder / "in", folder, limits)
        except ChildFailed:
            return "ended"
        if report["file_type"] != kinds.ARRAY:
            assert report["file_type"] == kinds.UNKNOWN
            return "refused"
        checked_array(folder / "array", report["array"])
        return "array"

    with ThreadPoolExecutor(4) as pool:
        outcomes = Counter(pool.map(outcome, range(200)))
    assert outcomes["array"] > 20
    assert outcomes["refused"] > 20
    assert look(nursery, tmp_path / "a", tmp_path / "out")["file_type"] == kinds.ARRAY


def test_reports_are_not_believed(tmp_path):
    from ephyrus.service.files.canonical import array_header

    header = array_header(np.dtype("<f8"), (4,))
    good = {"dtype": "<f8", "shape": [4], "sorted": True, "digest": "0" * 40}
    path = tmp_path / "array"
    path.write_bytes(header + bytes(32))
    assert checked_array(path, good).offset == len(header)
    for wrong in (
        {"dtype": "<f4"},
        {"dtype": "O"},
        {"dtype": "|S0"},
        {"dtype": ["<f8"]},
        {"shape": [5]},
        {"shape": [4, 1]},
        {"shape": [-4]},
        {"shape": [True]},
        {"shape": [1, 1, 1, 4]},
        {"shape": 4},
        {"sorted": "yes"},
        {"digest": "x"},
    ):
        with pytest.raises(ChildFailed):
            checked_array(path, {**good, **wrong})
    path.write_bytes(header + bytes(31))
    with pytest.raises(ChildFailed):
        checked_array(path, good)
    path.write_bytes(bytes(len(header)) + bytes(32))
    with pytest.raises(ChildFailed):
        checked_array(path, good)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(ChildFailed):
        checked_array(path, good)
    with pytest.raises(ChildFailed):
        checked_array(path, None)


def test_children_have_limits(nursery, tmp_path):
    path = made(tmp_path / "in", data=np.zeros(4_000_000), chunks=(1_000_000,), compression="gzip")
    with pytest.raises(ChildFailed):
        look(nursery, path, tmp_path / "out", ChildLimits(2**20, PATIENCE))
    report = look(nursery, path, tmp_path / "out", ChildLimits(2**29, PATIENCE, 2**20))
    assert "too large" in report["note"]
    assert look(nursery, path, tmp_path / "out")["file_type"] == kinds.ARRAY


def _child_of(nursery: Nursery) -> int:
    """Wait for the process of a task, and give its number."""
    parent = nursery._process.pid
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.001)
    raise AssertionError("no child was made")


def _is_gone(process: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("victim", ["child", "nursery"])
def test_killed_children_and_killed_nurseries_are_told(nursery, tmp_path, victim):
    path = made(tmp_path / "in", data=VALUES)
    look(nursery, path, tmp_path / "out")
    os.mkfifo(tmp_path / "never")  # opening it takes for ever
    failures: list[Exception] = []

    def work() -> None:
        try:
            look(nursery, tmp_path / "never", tmp_path / "out")
        except ChildLost as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    child = _child_of(nursery)
    os.kill(child if victim == "child" else nursery._process.pid, signal.SIGKILL)
    thread.join(PATIENCE)
    assert len(failures) == 1
    deadline = time.monotonic() + PATIENCE
    while not _is_gone(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _is_gone(child)
    assert look(nursery, path, tmp_path / "out")["file_type"] == kinds.ARRAY


def test_children_that_hang_are_ended(nursery, tmp_path):
    os.mkfifo(tmp_path / "never")
    with pytest.raises(ChildFailed, match=r"more than 0.2 s"):
        look(nursery, tmp_path / "never", tmp_path / "out", ChildLimits(2**29, 0.2))


def test_without_forks_it_is_the_same(tmp_path):
    nursery = Nursery(1, fork=False)
    path = made(tmp_path / "in", data=VALUES)
    np.testing.assert_array_equal(array_of(nursery, path, tmp_path), VALUES)
    (tmp_path / "odml").write_text("<odML>")
    request = {"path": str(tmp_path / "odml"), "folder": str(tmp_path / "out"), **ROOM}
    with pytest.raises(Refused, match="not sound XML"):
        nursery.run("odml", request, LIMITS)


def test_recordings_that_would_grow_too_large_are_refused(nursery, tmp_path):
    import quantities as pq

    from ephyrus.core import AnalogSignal, Block, Segment
    from ephyrus.io import NixIO

    path, folder = tmp_path / "in.nix", tmp_path / "out"
    folder.mkdir()
    block = Block()
    block.segments.append(Segment())
    signal = AnalogSignal(np.zeros((1000, 1)), "V", sampling_rate=1 * pq.kHz)
    block.segments[0].analogsignals.append(signal)
    with NixIO(str(path), "ow") as writer:
        writer.write_block(block)
    request = {"path": str(path), "folder": str(folder), "format": "nix", "ratio": 200}
    for task in ("convert", "export"):
        with pytest.raises(Refused, match="more room"):
            nursery.run(task, {**request, "most": 7999}, LIMITS)
    (folder / "objects.jsonl").unlink()
    assert nursery.run("convert", {**request, "most": 8000}, LIMITS)["objects"] > 5


def test_children_know_no_secrets(monkeypatch):
    from ephyrus.service.files.nursery import _environment

    monkeypatch.setenv("EPHYRUS_SERVICE_DATABASE", "postgresql://secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "secret" not in str(_environment())
