"""Recordings of the vendor library of tests/dll, which is compiled when it is first needed."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from ephyrus.testing.sample import Sample
from tests.dll import building


@cache
def library() -> Path:
    """The library, compiled into a folder that goes with this process."""
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        raise RuntimeError("the vendor library of the tests needs a C compiler")
    folder = Path(tempfile.mkdtemp(prefix="ephyrus-vendor-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return building.build(folder)


def written(folder: Path) -> Path:
    return building.recording(folder / "recording.mcd")


def samples() -> list[Sample]:
    options = {"dllname": str(library()), "isolate": False}
    return [
        Sample(
            "neuroshare",
            "vendor",
            written,
            options=options,
            boundaries=lambda data: [0, 6, len(data)],
            states_length=False,
        )
    ]
