"""The sample of the made-up format: it needs no file, so none is written."""

from __future__ import annotations

from pathlib import Path

from ephyrus.testing.sample import Sample


def write(folder: Path) -> Path:
    """Give a path at which nothing is."""
    return folder / "x.fake"


def samples() -> list[Sample]:
    """Give the one sample; its format declares mode ``"fake"``, so there is no file to damage."""
    return [Sample("example", "no-file", write, boundaries=lambda data: [])]
