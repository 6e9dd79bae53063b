"""Broken toy formats."""

from __future__ import annotations

import pytest

from ephyrus.testing import Subject
from tests.testing import toyformat as toy


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Make the subject of a toy format with other functions."""

    def make(**changed) -> Subject:
        recording, scratch = tmp_path / "recording", tmp_path / "scratch"
        recording.mkdir()
        scratch.mkdir()
        module = toy.variant(monkeypatch, "broken", **changed)
        sample = toy.samples()[0]
        return Subject(module, sample, sample.write(recording), scratch)

    return make
