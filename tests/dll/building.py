"""Builds the vendor library of `vendor.c`: with the machine's C compiler, once for each variant."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("vendor.c")
NAME = "nsTestLibrary"


@cache
def compiler() -> str:
    """The C compiler; without one the tests that need it are left out, but never in CI."""
    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    found = next((path for path in map(shutil.which, filter(None, names)) if path), None)
    if found is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail("there is no C compiler, and in CI there must be one")
        pytest.skip("the vendor library of these tests needs a C compiler (cc, gcc, clang or $CC)")
    return found


def build(folder: Path, *defines: str, name: str = NAME) -> Path:
    """Compile a variant of the library into a folder, unless it is there already."""
    path = folder / "-".join(["variant", *defines]) / f"{name}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        options = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
        options += [f"-D{define}" for define in defines]
        command = [compiler(), *options, "-o", str(path), str(SOURCE), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return path


def recording(path: Path, *orders: str) -> Path:
    """Write a "recording" of the library, with orders for faults."""
    path.write_text("\n".join(["NSTEST", *orders]) + "\n", encoding="ascii")
    return path
