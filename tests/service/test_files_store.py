"""The store of files: whole or not there, in a folder and in an object store."""

from __future__ import annotations

import io
import os
import shutil
import stat
import time
from pathlib import Path

import h5py
import numpy as np
import obstore.store
import pytest
from obstore.exceptions import GenericError

from ephyrus.errors import TruncatedError
from ephyrus.service.db.engine import Database
from ephyrus.service.files.canonical import ArrayWriter, array_header, kept_dtype, store_array
from ephyrus.service.files.objectstore import ObjectStore
from ephyrus.service.files.scratch import Scratch, lay_out, plain_name
from ephyrus.service.files.store import FolderStore, open_store
from ephyrus.service.settings import Settings


@pytest.fixture(params=["folder", "memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FolderStore | ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "arrays")
    if request.param == "memory":
        return ObjectStore(obstore.store.MemoryStore())
    return ObjectStore(obstore.store.LocalStore(tmp_path / "objects", mkdir=True))


def test_what_is_written_is_read(store):
    data = np.random.default_rng(1).integers(0, 256, 9_000_000, np.uint8).tobytes()
    with store.create() as new:
        new.write(data[:10])
        new.write(bytearray(data[10:20]))
        new.write(memoryview(data)[20:])
        key = new.commit()
    source = store.source(key)
    assert source.size == store.size(key) == new.size == len(data)
    assert source.read_at(0, len(data)) == data
    assert source.read_at(5, 7) == data[5:12]
    assert source.array(2, "<u2", 3).tobytes() == data[2:8]
    with pytest.raises(TruncatedError):
        source.read_at(len(data) - 1, 2)
    source.close()
    assert list(store.keys()) == [key]


def test_many_places_are_read_at_once(store, monkeypatch):
    data = np.random.default_rng(2).integers(0, 256, 5_000_000, np.uint8)
    with store.create() as new:
        new.write(data)
        key = new.commit()
    source = store.source(key)
    if isinstance(store, ObjectStore):  # each request costs as much as thousands of bytes
        monkeypatch.setattr(obstore, "get_range", None)
    offsets = np.array([3, 70_000, 70_001, 3_000_000, 4_999_990])
    expected = np.stack([data[offset : offset + 10] for offset in offsets])
    np.testing.assert_array_equal(source.gather(offsets, 10), expected)
    sizes = np.array([2, 0, 5, 1_000, 1])
    expected = [data[offset : offset + size] for offset, size in zip(offsets, sizes, strict=True)]
    np.testing.assert_array_equal(source.ranges(offsets, sizes), np.concatenate(expected))
    source.close()


def test_what_is_not_committed_is_not_there(store):
    with store.create() as new:
        new.write(b"abc")
    assert list(store.keys()) == []
    with pytest.raises(FileNotFoundError):
        store.source(new.key)

    def fail() -> None:
        with store.create() as new:
            new.write(b"abc" * 10_000_000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(store.keys()) == []


def test_local_files_are_taken_over(store, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    key = store.adopt(path)
    assert not path.exists()
    assert store.source(key).read_at(0, 5) == b"hello"
    store.delete(key)
    store.delete(key)
    with pytest.raises(FileNotFoundError):
        store.size(key)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "a" * 31, "A" * 32, "a" * 32 + "\n"])
def test_only_keys_of_the_store_are_opened(store, key):
    for call in (store.source, store.size, store.delete):
        with pytest.raises(FileNotFoundError):
            call(key)


def test_files_of_a_folder_are_private_and_cannot_be_changed(tmp_path):
    store = FolderStore(tmp_path / "arrays")
    key = store.adopt(_file(tmp_path / "x", b"1"))
    path = store.local_path(key)
    assert path == tmp_path / "arrays" / key[:2] / key
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert stat.S_IMODE((tmp_path / "arrays").stat().st_mode) & 0o077 in (0, 0o055)


def test_leftovers_are_swept_when_they_are_old(tmp_path):
    store = FolderStore(tmp_path)
    store.create().write(b"killed here")
    (leftover,) = store.unfinished.iterdir()
    assert store.sweep(older_than=60) == 0
    os.utime(leftover, (time.time() - 100,) * 2)
    assert store.sweep(older_than=60) == 1
    assert list(store.unfinished.iterdir()) == []
    store.adopt(_file(tmp_path / "y", b"2"))
    assert list(store.keys(older_than=60)) == []


@pytest.mark.skipif(os.name == "nt", reason="permissions of files")
def test_nobody_else_can_read_what_is_stored(tmp_path):
    """Also where the data folder was made by an administrator, for all to see."""
    tmp_path.chmod(0o755)
    settings = Settings(data_folder=tmp_path)
    store = open_store(settings)
    with store.create() as new:
        new.commit()
    database = Database(settings)
    database.upgrade()
    database.close()
    made = list(tmp_path.rglob("*"))
    assert tmp_path / "catalog.sqlite" in made
    assert [each.name for each in made if each.stat().st_mode & 0o077] == []


def test_a_store_that_is_away_is_noticed(store, tmp_path):
    store.check()
    assert list(store.keys()) == []
    if isinstance(store, FolderStore):
        shutil.rmtree(store.root)
        with pytest.raises(FileNotFoundError):
            store.check()


def test_what_a_store_refuses_is_an_error_of_the_system(monkeypatch):
    store = ObjectStore(obstore.store.MemoryStore())

    def refuse(*arguments, **options):
        raise GenericError("no such bucket Debug source: {\n secret }")

    for name in ("head", "get_range", "list", "delete", "open_writer"):
        monkeypatch.setattr(obstore, name, refuse)
    for ask in (
        store.create,
        lambda: store.size("0" * 32),
        store.check,
        lambda: store.delete("0" * 32),
    ):
        with pytest.raises(OSError, match=r"the object store: no such bucket$"):
            ask()


def test_a_store_that_hangs_is_not_asked_by_all(monkeypatch):
    store = ObjectStore(obstore.store.MemoryStore(), seconds=0.0)  # no failure comes in time
    with store.create() as new:
        new.write(b"abc")
        key = new.commit()
    asked, head = [], obstore.head

    def refuse(*arguments):
        asked.append(arguments)
        raise GenericError("timeout")

    monkeypatch.setattr(obstore, "head", refuse)
    with pytest.raises(OSError, match="the object store: timeout"):
        store.size(key)
    for _ in range(3):
        with pytest.raises(OSError, match="does not answer"):
            store.size(key)
    assert len(asked) == 1
    monkeypatch.setattr(obstore, "head", head)
    store._line._lost -= 2  # a moment later
    assert [store.size(key), store.size(key)] == [3, 3]


@pytest.mark.parametrize("address", ["nowhere://bucket", "s3:bucket", "bucket"])
def test_addresses_that_are_none(address):
    with pytest.raises(OSError, match=f"array_store {address}: "):
        open_store(Settings(array_store=address))


def test_settings_name_the_store(tmp_path):
    assert isinstance(open_store(Settings(data_folder=tmp_path)), FolderStore)
    address = f"file://{tmp_path}"
    assert isinstance(open_store(Settings(array_store=address)), ObjectStore)


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


ARRAYS = [
    np.arange(12, dtype=">i2").reshape(3, 4),
    np.linspace(0, 1, 7),
    np.array([True, False, True]),
    np.zeros((0, 3), "f4"),
    np.arange(24, dtype="u1").reshape(2, 3, 4),
    np.array([b"a", "\xe4".encode(), b"xyz"]),
    np.array([1.5, np.nan], "f2"),
]


@pytest.mark.parametrize("values", ARRAYS, ids=lambda each: f"{each.dtype.str}{each.shape}")
def test_kept_arrays_are_plain_hdf5_with_the_values_at_a_known_place(store, values):
    info = store_array(store, values)
    data = store.source(info.key).read_at(0, info.size)
    expected = values.astype(kept_dtype(values.dtype))
    kept = np.frombuffer(data, info.dtype, offset=info.offset).reshape(info.shape)
    np.testing.assert_array_equal(kept, expected)
    with h5py.File(io.BytesIO(data)) as file:
        assert list(file) == ["data"]
        np.testing.assert_array_equal(file["data"][...], expected)
        if values.dtype.kind == "S":
            assert file["data"].asstr()[1] == "\xe4"
    assert info.row["shape"] == list(values.shape)
    assert info.location == {"kind": "stored", "key": info.key, "offset": info.offset}


def test_a_header_needs_no_room_for_its_values():
    header = array_header(np.dtype("<f8"), (10**12, 64))
    assert len(header) < 4096
    assert header == array_header(np.dtype("<f8"), (10**12, 64))


@pytest.mark.parametrize(
    ("values", "is_sorted"),
    [
        ([1.0, 1.0, 2.0], True),
        ([1.0, 0.5], False),
        ([np.nan], False),
        ([1.0, np.nan], False),
        ([np.nan, 1.0], False),
        ([], True),
        ([3], True),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 10])
def test_order_is_found_across_blocks(values, is_sorted, step):
    values = np.array(values, float)
    sink = io.BytesIO()
    writer = ArrayWriter(sink, values.dtype, values.shape)
    for start in range(0, len(values), step):
        writer.write(values[start : start + step])
    assert writer.finish("k").sorted is is_sorted


def test_rows_that_do_not_fit_are_refused():
    writer = ArrayWriter(io.BytesIO(), np.dtype("i2"), (3, 2))
    with pytest.raises(ValueError, match="do not fit"):
        writer.write(np.zeros((1, 3), "i2"))
    with pytest.raises(ValueError, match="do not fit"):
        writer.write(np.zeros((4, 2), "i2"))
    with pytest.raises(ValueError, match="0 of 3 rows"):
        writer.finish("k")
    with pytest.raises(TypeError, match="complex128"):
        ArrayWriter(io.BytesIO(), np.dtype(complex), (3,))


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a.abf", "a.abf"),
        ("C:\\data\\a.abf", "a.abf"),
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        ("", "file"),
        (".ssh", "ssh"),
        ("a\0b\nc:d", "a_b_c_d"),
        ("x" * 300 + ".vhdr", "x" * 195 + ".vhdr"),
        ("\xe4" * 150 + ".eeg", "\xe4" * 98 + ".eeg"),
        ("\ud800.eeg", "_.eeg"),
    ],
)
def test_names_are_made_plain(name, plain):
    made = plain_name(name)
    assert made == plain
    assert len(made.encode()) <= 200


def test_stored_files_appear_under_their_names(store, tmp_path):
    keys = [store.adopt(_file(tmp_path / "x", data)) for data in (b"1", b"22", b"333")]
    scratch = Scratch(tmp_path / "scratch")
    with scratch.folder() as folder:
        names = ["a.eeg", "../b.eeg", "a.eeg"]
        beside = [("a.eeg", keys[2]), ("c.vhdr", keys[1]), ("lost.vmrk", "0" * 32)]
        paths = lay_out(store, zip(names, keys, strict=True), folder, siblings=beside)
        assert (folder / "c.vhdr").read_bytes() == b"22"
        assert not (folder / "lost.vmrk").exists()
        assert [path.read_bytes() for path in paths] == [b"1", b"22", b"333"]
        assert paths[:2] == [folder / "a.eeg", folder / "b.eeg"]
        assert paths[2].name == "a.eeg"
    assert list(scratch.root.iterdir()) == []
    kept = scratch.root / "killed"
    kept.mkdir()
    os.utime(kept, (0, 0))
    assert scratch.sweep(older_than=60) == 1
