"""Byte sources and file sets: values, bounds, siblings, closing, pickling, threads."""

import errno
import os
import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ephyrus.errors import FormatError, MissingExtraError, TruncatedError
from ephyrus.recording.files import FileSet, MappedSource, MemorySource, PreadSource, is_url

CONTENT = bytes(range(256)) * 4


@pytest.fixture(params=["mmap", "pread", "memory", "fsspec"])
def files(request, tmp_path):
    """The same two files, however they are reached."""
    kind = request.param
    if kind == "memory":
        made = FileSet("main.dat", memory={"main.dat": CONTENT, "side.txt": b"side"})
    elif kind == "fsspec":
        fsspec = pytest.importorskip("fsspec")
        filesystem = fsspec.filesystem("memory")
        filesystem.pipe({"/rec/main.dat": CONTENT, "/rec/side.txt": b"side", "/rec/sub/a": b"a"})
        made = FileSet("memory://rec/main.dat")
    else:
        (tmp_path / "main.dat").write_bytes(CONTENT)
        (tmp_path / "side.txt").write_bytes(b"side")
        (tmp_path / "sub").mkdir()
        made = FileSet(tmp_path / "main.dat", access=kind)
    yield made
    made.close()
    if kind == "fsspec":
        filesystem.rm("/rec", recursive=True)


def test_values_at_any_offset(files):
    source = files.main
    assert source.size == 1024
    assert source.read_at(250, 10) == CONTENT[250:260]
    assert source.head(5) == CONTENT[:5]
    assert source.head(5000) == CONTENT
    found = source.array(3, ">u4", 5)
    np.testing.assert_array_equal(found, np.frombuffer(CONTENT, ">u4", 5, 3))
    assert found.dtype == np.dtype(">u4")
    assert not found.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


def test_structured_values(files):
    dtype = np.dtype([("a", "<i2"), ("b", "S3")])
    found = files.main.array(65, dtype, 2)
    assert found["a"].tolist() == [0x4241, 0x4746]
    assert found["b"].tolist() == [b"CDE", b"HIJ"]


def test_nothing_at_the_end(files):
    assert files.main.read_at(1024, 0) == b""
    assert files.main.array(1024, "<f8", 0).shape == (0,)
    assert files.main.array(1000, "<f8", 3).shape == (3,)


@pytest.mark.parametrize(
    ("offset", "count", "text"),
    [
        (1000, 25, "byte 1000 (samples): 25 bytes are needed here, the file has 1,024 bytes"),
        (1025, 0, "byte 1025 (samples): 0 bytes are needed here, the file has 1,024 bytes"),
        (-1, 4, "and the place is before its start"),
        (0, 10**15, "1,000,000,000,000,000 bytes are needed here"),
    ],
)
def test_bounds_are_checked_before_anything_is_allocated(files, offset, count, text):
    with pytest.raises(TruncatedError) as caught:
        files.main.array(offset, "u1", count, field="samples")
    assert text in str(caught.value)
    assert caught.value.offset == offset
    with pytest.raises(TruncatedError):
        files.main.read_at(offset, count)


def test_negative_counts_are_refused(files):
    with pytest.raises(TruncatedError):
        files.main.array(10, "<i4", -1)


def test_requests_are_counted(files):
    source = files.main
    requests, read = source.requests, source.bytes_read
    source.array(0, "<i4", 10)
    source.read_at(3, 2)
    assert (source.requests - requests, source.bytes_read - read) == (2, 42)


def test_names_and_siblings(files):
    assert (files.name, files.stem, files.suffix) == ("main.dat", "main", "dat")
    assert not files.is_dir
    assert files.names() == ["main.dat", "side.txt"]
    assert files.exists("side.txt")
    assert not files.exists("none.txt")
    assert files.find("SIDE.TXT") == "side.txt"
    assert files.find("side.txt") == "side.txt"
    assert files.find("none.txt") is None
    assert files.source("side.txt").read_at(0, 4) == b"side"
    assert files.source("side.txt") is files.source("side.txt")
    with pytest.raises(FileNotFoundError):
        files.source("none.txt")


@pytest.mark.parametrize(
    "name",
    [
        "../side.txt",
        "sub/../../side.txt",
        "..",
        "..\\side.txt",
        "/etc/passwd",
        "\\windows\\system.ini",
        "C:\\secret.dat",
        "c:secret.dat",
        "\\\\server\\share\\file",
        "//server/share/file",
        "side.txt\0.dat",
        "",
        ".",
    ],
)
def test_names_that_lead_out_are_refused(files, name):
    with pytest.raises(FormatError, match="leads out of the recording's folder") as caught:
        files.source(name, field="DataFile")
    assert caught.value.field == "DataFile"
    with pytest.raises(FormatError):
        files.exists(name)
    assert files.find(name) is None


def test_pickling_is_a_recipe(files):
    assert len(pickle.dumps(files)) < 4 * len(CONTENT)
    again = pickle.loads(pickle.dumps(files))
    assert again.main.read_at(250, 10) == CONTENT[250:260]
    assert again.access == files.access
    assert again.names() == files.names()
    again.close()


def test_closing_and_reading_again(files):
    before = files.main
    assert before.read_at(0, 2) == b"\0\1"
    files.close()
    files.close()
    assert files.main is not before
    assert files.main.read_at(0, 2) == b"\0\1"


def test_threads_read_the_same(files):
    wrong = []

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(50):
            offset, count = int(rng.integers(0, 900)), int(rng.integers(0, 100))
            if files.main.read_at(offset, count) != CONTENT[offset : offset + count]:
                wrong.append((offset, count))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_empty_file(tmp_path, access):
    path = tmp_path / "empty.dat"
    path.touch()
    files = FileSet(path, access=access)
    assert files.main.size == 0
    assert files.main.head(10) == b""
    assert files.main.array(0, "<i2", 0).shape == (0,)
    with pytest.raises(TruncatedError):
        files.main.read_at(0, 1)
    files.close()


def test_arrays_of_a_map_outlive_it(tmp_path):
    path = tmp_path / "main.dat"
    path.write_bytes(CONTENT)
    source = MappedSource(path)
    array = source.array(0, "u1", 1024)
    source.close()
    assert array.tobytes() == CONTENT
    assert source.read_at(4, 2) == b"\4\5"  # the map lives as long as the array
    del array
    source.close()
    with pytest.raises(ValueError, match="closed"):
        source.read_at(0, 1)


def test_a_map_is_not_copied_but_a_descriptor_is(tmp_path):
    path = tmp_path / "main.dat"
    path.write_bytes(CONTENT)
    mapped, positional = MappedSource(path), PreadSource(path)
    assert not mapped.array(0, "u1", 8).flags.owndata
    one, other = (np.asarray(positional.array(0, "u1", 8)) for _ in range(2))
    assert not np.shares_memory(one, other)
    positional.close()
    with pytest.raises(ValueError, match="closed file"):
        positional.read_at(0, 1)


def test_closing_releases_descriptors(tmp_path):
    path = tmp_path / "main.dat"
    path.write_bytes(CONTENT)
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("no /proc on this system")
    before = len(list(folder.iterdir()))
    files = FileSet(path, access="pread")
    files.main.read_at(0, 1)
    assert len(list(folder.iterdir())) == before + 1
    files.close()
    assert len(list(folder.iterdir())) == before


def test_systems_without_positioned_reads_share_one_position(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "preadv", raising=False)
    path = tmp_path / "main.dat"
    path.write_bytes(CONTENT)
    source = PreadSource(path)
    assert source.read_at(250, 10) == CONTENT[250:260]
    assert source.read_at(3, 4) == CONTENT[3:7]
    os.truncate(path, 100)
    with pytest.raises(TruncatedError, match="became shorter"):
        source.read_at(90, 20)
    source.close()


def test_a_file_that_shrinks_is_told(tmp_path):
    path = tmp_path / "main.dat"
    path.write_bytes(CONTENT)
    source = PreadSource(path)
    os.truncate(path, 100)
    with pytest.raises(TruncatedError, match="byte 100: the file became shorter while it was read"):
        source.array(90, "u1", 20)
    source.close()


def test_a_remote_file_that_shrinks_is_told():
    fsspec = pytest.importorskip("fsspec")
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/short.dat", CONTENT)
    source = FileSet("memory://short.dat").main
    filesystem.pipe("/short.dat", CONTENT[:100])
    with pytest.raises(TruncatedError, match="became shorter"):
        source.read_at(90, 20)
    filesystem.rm("/short.dat")


@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_a_file_that_changed_is_not_read_with_the_old_header(tmp_path, access):
    path = tmp_path / "main.dat"
    path.write_bytes(CONTENT)
    files = FileSet(path, access=access)
    files.main.read_at(0, 1)
    files.close()
    path.write_bytes(CONTENT + b"more")
    with pytest.raises(FormatError, match="changed after it was opened; open the recording again"):
        files.main.read_at(0, 1)


def test_folders(tmp_path):
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "a.dat").write_bytes(b"aa")
    (tmp_path / "rec" / "sub").mkdir()
    (tmp_path / "rec" / "sub" / "b.dat").write_bytes(b"bb")
    files = FileSet(tmp_path / "rec")
    assert files.is_dir
    assert files.names() == ["a.dat"]
    assert files.source("sub/b.dat").read_at(0, 2) == b"bb"
    assert files.source("sub\\b.dat").read_at(0, 2) == b"bb"  # as Windows programs write it
    assert pickle.loads(pickle.dumps(files)).is_dir
    files.close()


def test_the_users_own_name_may_have_any_characters(tmp_path):
    for name in ("a:b.dat", "odd\\name.dat", "we..ird.dat"):
        path = tmp_path / name
        path.write_bytes(b"content")
        with_map = FileSet(path)
        assert with_map.name == name
        assert with_map.main.read_at(0, 7) == b"content"
        with_map.close()


def test_memory_files_may_have_folders_in_their_name():
    files = FileSet("some/where/x.dat", memory={"some/where/x.dat": b"abc"})
    assert files.main.read_at(0, 3) == b"abc"


def test_a_pickled_recipe_does_not_depend_on_the_folder_one_is_in(tmp_path, monkeypatch):
    (tmp_path / "main.dat").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    files = FileSet("main.dat")
    assert files.path == "main.dat"
    recipe = pickle.dumps(files)
    monkeypatch.chdir("/")
    again = pickle.loads(recipe)
    assert again.main.read_at(0, 3) == CONTENT[:3]
    again.close()


def test_fingerprints(tmp_path):
    path = tmp_path / "main.dat"
    path.write_bytes(CONTENT)
    files = FileSet(path)
    assert files.fingerprint() == (1024, path.stat().st_mtime)
    assert FileSet("x", memory={"x": b""}).fingerprint() is None


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.dat: no such file or folder"):
        FileSet(tmp_path / "nothing.dat")
    with pytest.raises(FileNotFoundError, match=r"no file 'b' in memory; there are \['a'\]"):
        FileSet("b", memory={"a": b""})
    pytest.importorskip("fsspec")
    with pytest.raises(FileNotFoundError, match=r"memory://nothing\.dat: no such file or folder"):
        FileSet("memory://nothing.dat")
    with pytest.raises(ValueError, match='access must be "mmap" or "pread", not \'read\''):
        FileSet(tmp_path, access="read")


def test_fsspec_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"Opening s3://bucket/x needs the package fsspec"):
        FileSet("s3://bucket/x")


def test_addresses():
    assert is_url("s3://bucket/file")
    assert is_url("memory://x")
    assert not is_url("C:\\data\\x.abf")
    assert not is_url("/data/x.abf")
    assert not is_url("relative/x.abf")


def test_memory_source_looks_at_its_bytes():
    source = MemorySource("name", CONTENT)
    array = source.array(0, "u1", 1024)
    assert np.shares_memory(array, np.frombuffer(CONTENT, "u1"))
    source.close()
    assert source.read_at(0, 1) == b"\0"


@pytest.mark.parametrize("access", ["mmap", "pread"])
@pytest.mark.parametrize("name", ["x" * 300, "é" * 200, "x/" * 3000, "a\ud800b", "main.bin/within"])
def test_names_that_no_file_can_have_are_of_none(tmp_path, access, name):
    """Headers may hold any name; the system's own complaint about it is no fault of the disk."""
    (tmp_path / "main.bin").write_bytes(b"abc")
    files = FileSet(tmp_path / "main.bin", access=access)
    assert files.exists(name) is False
    assert files.find(name) is None
    with pytest.raises(FileNotFoundError):
        files.source(name)
    files.close()


def test_a_failing_disk_is_not_a_missing_file(tmp_path, monkeypatch):
    (tmp_path / "main.bin").write_bytes(b"abc")
    files = FileSet(tmp_path / "main.bin")

    def fails(self, **keywords):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "stat", fails)
    with pytest.raises(OSError, match="Input/output error") as caught:
        files.exists("other.bin")
    assert not isinstance(caught.value, FileNotFoundError)
    with pytest.raises(OSError, match="Input/output error"):
        files.source("other.bin")


def test_address_is_what_the_user_gave(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://folder/address.bin", "wb") as file:
        file.write(b"abc")
    assert FileSet("memory://folder/address.bin").address == "memory:///folder/address.bin"
    (tmp_path / "a.bin").write_bytes(b"abc")
    assert FileSet(tmp_path / "a.bin").address == str(tmp_path / "a.bin")


@pytest.mark.parametrize("address", ["nosuch://x.abf", "s3://bucket/x.abf"])
def test_addresses_that_cannot_be_opened_are_errors_of_the_file_system(address, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)  # also where it is installed
    with pytest.raises(OSError, match=address.partition(":")[0]) as caught:
        FileSet(address)
    assert str(caught.value).startswith(address)
