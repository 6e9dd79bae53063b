"""Records the calls with which a program changes a folder, and makes them again one by one.

What a folder is like when the program is stopped between two calls is what it is like after a
prefix of them. The recording is done by `calls.c`, which is loaded before the C library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("calls.c")
EXPECTED = {"create", "write", "truncate", "sync", "rename", "unlink"}


@dataclass(frozen=True)
class Call:
    """One call that changes a folder: its kind, names in the folder, place or size, and data."""

    kind: str
    name: str
    second: str
    place: int
    data: bytes

    @property
    def is_boundary(self) -> bool:
        """Whether names change."""
        return self.kind in ("create", "rename", "unlink")


def recorder(folder: Path) -> Path:
    """Compile the recorder. Where that cannot be, the test is left out, but never in CI."""
    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    compiler = next((path for path in map(shutil.which, filter(None, names)) if path), None)
    reason = None
    if sys.platform != "linux":
        reason = "recording the calls of a program needs LD_PRELOAD, so Linux"
    elif compiler is None:
        reason = "recording the calls of a program needs a C compiler (cc, gcc, clang or $CC)"
    if reason is not None or compiler is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"{reason}; in CI there must be one")
        pytest.skip(str(reason))
    path = folder / "calls.so"
    options = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]
    command = [compiler, *options, "-o", str(path), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


def record(library: Path, folder: Path, arguments: Sequence[str]) -> list[Call]:
    """Run Python with arguments; give all calls that changed a folder."""
    log = library.with_name("calls.log")
    log.unlink(missing_ok=True)
    places = {"EPHYRUS_CALLS_FOLDER": str(folder.resolve()), "EPHYRUS_CALLS_LOG": str(log)}
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **places, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calls = list(_parsed(log.read_bytes(), len(os.fsencode(folder.resolve())) + 1))
    log.unlink()
    unknown = {call.kind for call in calls} - EXPECTED
    assert not unknown, f"the program also made calls that cannot be replayed: {unknown}"
    return calls


def _parsed(log: bytes, length: int) -> Iterator[Call]:
    """Read the notes; `length` is that of the folder's name."""
    at = 0
    while at < len(log):
        end = log.index(b"\n", at)
        kind, *numbers = log[at:end].split(b" ")
        place, size, first, second = map(int, numbers)
        names = end + 1
        data = names + first + second
        at = data + size
        yield Call(
            kind.decode(),
            os.fsdecode(log[names + length : names + first]),
            os.fsdecode(log[names + first + length : data]),
            place,
            log[data:at],
        )


def make(call: Call, folder: Path) -> None:
    """Make a call again, in another folder."""
    path = folder / call.name
    if call.kind == "create":
        path.touch()
    elif call.kind == "rename":
        path.replace(folder / call.second)
    elif call.kind == "unlink":
        path.unlink()
    elif call.kind == "truncate":
        os.truncate(path, call.place)
    elif call.kind == "write":
        with path.open("rb+") as file:
            file.seek(call.place)
            file.write(call.data)


def contents(folder: Path) -> dict[str, bytes]:
    """Give the bytes of all files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
