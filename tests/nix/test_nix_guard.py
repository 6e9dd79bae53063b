"""Damaged collections of texts, on which HDF5 itself would never end, are refused in good time."""

from __future__ import annotations

import errno
import io
import subprocess
import sys

import h5py
import numpy as np
import pytest

from ephyrus import nix
from ephyrus.errors import FormatError, WrongFormatError
from ephyrus.nix import guard, opening
from ephyrus.nix.exceptions import LockedFileError

HEAD = 16


def collection(*objects, size_of_lengths=8, size=4096):
    """Make a collection: objects are (number, claimed length, bytes)."""
    data = b"GCOL\1\0\0\0" + size.to_bytes(size_of_lengths, "little").ljust(8, b"\0")
    for number, length, content in objects:
        claimed = length.to_bytes(size_of_lengths, "little").ljust(8, b"\0")
        data += number.to_bytes(2, "little") + b"\1\0\0\0\0\0" + claimed
        data += content.ljust(-(-len(content) // 8) * 8, b"\0")
    return data.ljust(size, b"\0")


def free(length):
    return (0, length, b"")


@pytest.mark.parametrize("size", [2, 4, 8])
def test_sound_collections(size):
    sound = [
        collection(free(4080), size_of_lengths=size),
        collection((1, 3, b"abc"), free(4056), size_of_lengths=size),
        collection((1, 8, b"abcdefgh"), (300, 0, b""), free(4040), size_of_lengths=size),
        collection((7, 4061, b"x" * 4061), size_of_lengths=size),  # full
        collection((7, 4050, b"x" * 4050), size_of_lengths=size),  # 8 bytes are left over
    ]
    assert [guard.heap_fault(each, size) for each in sound] == [None] * 5


@pytest.mark.parametrize("length", [2**64 - 16, 2**64 - 1, 2**64 - 64, 2**63, 4096, 4065])
def test_objects_that_claim_too_much(length):
    fault = guard.heap_fault(collection((1, 3, b"abc"), (2, length, b"")))
    step = 16 + (length + 7) // 8 * 8
    assert fault == f"the object 40 bytes after its beginning claims {step} bytes"


@pytest.mark.parametrize("length", [0, 8, 15, 4057, 2**64 - 1])
def test_free_space_that_leads_nowhere(length):
    fault = guard.heap_fault(collection((1, 3, b"abc"), free(length)))
    assert fault == f"the object 40 bytes after its beginning claims {length} bytes"


def test_a_collection_that_is_cut():
    cut = collection(free(4080))[:4000]
    assert guard.heap_fault(cut) == "it claims 4096 bytes and there are 4000"


def with_endless_heap(content, which=-1):
    """Give a file in which the first object of a collection claims a length that wraps to zero."""
    data = bytearray(content)
    places = [at for at in range(len(data)) if data.startswith(b"GCOL", at)]
    at = places[which] + HEAD + 8
    data[at : at + 8] = (2**64 - 16).to_bytes(8, "little")
    return bytes(data)


CHILD = """
import io, sys
from pathlib import Path
from ephyrus import nix
from ephyrus.errors import CorruptError, WrongFormatError

class Plain:  # has no readinto
    def __init__(self, content):
        self.file = io.BytesIO(content)
        self.seek, self.tell, self.read = self.file.seek, self.file.tell, self.file.read

class Short(io.BytesIO):  # a stream that gives a little at once
    def readinto(self, buffer):
        return super().readinto(memoryview(buffer)[:100])

path = Path(sys.argv[1])
content = path.read_bytes()
openings = {
    "memory": lambda: nix.File(io.BytesIO(content), "r"),
    "without readinto": lambda: nix.File(Plain(content), "r"),
    "short": lambda: nix.File(Short(content), "r"),
    "path": lambda: nix.File(path, "r"),
    "edit": lambda: nix.File(path, "a"),
    "safe edit": lambda: nix.File(path, "a", safe=True),
    "edit in memory": lambda: nix.File(io.BytesIO(content), "a"),
}
for name, opening in openings.items():
    try:
        with opening() as file:
            file.validate()
            list(file.find_sections())
            [block.name + block.type for block in file.blocks]
            print(name, "read")
    except (CorruptError, WrongFormatError) as error:
        assert "damaged" in str(error), error
        print(name, "refused")
    assert path.read_bytes() == content
"""


def test_reading_ends(full):
    """Seven ways to open a file whose first collection HDF5 would never leave."""
    full.write_bytes(with_endless_heap(full.read_bytes(), 0))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, str(full)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "memory refused",
        "without readinto refused",
        "short refused",
        "path refused",
        "edit refused",
        "safe edit refused",
        "edit in memory refused",
    ]


def test_the_message_names_file_and_place(full):
    content = with_endless_heap(full.read_bytes(), 0)
    full.write_bytes(content)
    place = content.index(b"GCOL")
    with pytest.raises(FormatError) as caught:
        nix.File(full, "r")
    assert full.name in str(caught.value)
    assert f"at byte {place} is damaged" in str(caught.value)


@pytest.fixture
def misleading(path):
    """Path of a sound file that has what looks like an endless collection among its data."""
    fake = np.frombuffer(collection((1, 2**64 - 16, b"")), np.uint8)
    values = np.concatenate([np.arange(100, dtype=np.uint8), fake])
    with nix.File(path, "w") as file:
        file.create_block("b", "t").create_data_array("a", "t", data=values)
    assert guard.looks_damaged(path)
    return path, values


def test_data_that_look_like_a_damaged_collection(misleading):
    path, values = misleading
    with nix.File(path, "r") as file:
        np.testing.assert_array_equal(file.blocks[0].data_arrays["a"][:], values)
    for safe in (False, True):
        with nix.File(path, "a", safe=safe) as file:
            file.blocks[0].create_data_array(f"new {safe}", "t", data=["ä", "b"])
            file.blocks[0].data_arrays["a"].append(values)
    with nix.File(path, "r") as file:
        arrays = file.blocks[0].data_arrays
        assert [arrays["new False"][:].tolist(), arrays["new True"][:].tolist()] == [["ä", "b"]] * 2
        np.testing.assert_array_equal(arrays["a"][:], np.tile(values, 3))
    with h5py.File(path, "r") as raw:
        np.testing.assert_array_equal(raw["data/b/data_arrays/a/data"][:], np.tile(values, 3))


def test_a_guarded_file_is_locked(misleading):
    path, _ = misleading
    with nix.File(path, "a"), pytest.raises(LockedFileError, match="close it there first"):
        nix.File(path, "r")
    with nix.File(path, "r"), nix.File(path, "r") as file:
        assert file.blocks[0].name == "b"
        with pytest.raises(LockedFileError, match=path.name):
            nix.File(path, "a")
    with nix.File(path, "a") as file:
        assert file.blocks[0].name == "b"


def test_only_suspicious_files_are_guarded(full, monkeypatch):
    assert not guard.looks_damaged(full)
    full.with_name("empty").touch()
    assert not guard.looks_damaged(full.with_name("empty"))
    monkeypatch.setattr(opening, "looks_damaged", None)  # is not called for
    monkeypatch.setattr(opening, "SEARCHED", full.stat().st_size - 1)
    with nix.File(full, "r") as file:
        assert file.blocks[0].name == "session"


def test_lengths_of_other_sizes():
    old = io.BytesIO()
    with h5py.File(old, "w", libver="earliest"):
        pass
    new = io.BytesIO()
    with h5py.File(new, "w", libver="v110"):
        pass
    for content in (old.getvalue(), new.getvalue()):
        reader = guard.Guard(io.BytesIO(content))
        assert reader.readinto(bytearray(16)) == 16
        assert guard._size_of_lengths(content[:16]) == 8
    head = bytearray(new.getvalue()[:16])
    head[10] = 4
    damaged = bytes(head) + collection((1, 2**32 - 1, b""), size_of_lengths=4)
    reader = guard.Guard(io.BytesIO(damaged))
    reader.readinto(bytearray(16))
    reader.seek(16)
    with pytest.raises(OSError, match="at byte 16 is damaged"):
        reader.readinto(bytearray(4096))


def test_beyond_the_end_there_are_zeros():
    buffer = bytearray(b"x" * 8)
    reader = guard.Guard(io.BytesIO(b"abc"))
    assert reader.readinto(buffer) == 8
    assert buffer == b"abc\0\0\0\0\0"


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_errors_of_opening_are_told_apart(mode):
    def explained(error):
        with pytest.raises(OSError) as caught, opening._explained("x.nix", mode):
            raise error
        return caught.value

    denied = PermissionError(errno.EACCES, "not yours")
    assert explained(denied) is denied
    assert type(explained(BlockingIOError(errno.EAGAIN, "busy"))) is LockedFileError
    assert type(explained(OSError("unable to lock file, errno = 11"))) is LockedFileError
    assert type(explained(OSError("file signature not found"))) is WrongFormatError
