"""Every sample of every format ends in a NIX file that reads back equal."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache

import pytest

from ephyrus.export import writer
from ephyrus.io import NixIO
from ephyrus.recording import NullProgress
from ephyrus.registry import format_names, open_recording
from ephyrus.testing import Sample
from tests.nix.same import assert_same_blocks


@cache
def _samples() -> tuple[Sample, ...]:
    names = [name for name in format_names() if importlib.util.find_spec(f"tests.synth.{name}")]
    modules = [importlib.import_module(f"tests.synth.{name}") for name in names]
    return tuple(sample for module in modules for sample in module.samples())


@pytest.mark.parametrize("sample", _samples(), ids=lambda each: f"{each.format}-{each.name}")
def test_a_conversion_reads_back_equal(sample, tmp_path):
    path = sample.write(tmp_path)
    target = tmp_path / "out.nix"
    with open_recording(path, format=sample.format, **sample.options) as recording:
        options = {"use_obj_names": False, "compression": False}
        report = writer("nix")(recording.tree(lazy=True), target, options, progress=NullProgress())
        expected = recording.tree(lazy=True)
        kept = [loss for loss in report.losses if "is named" not in loss]
        assert kept == []
        with NixIO(target, "ro") as converted:
            found = converted.read_all_blocks(lazy=True)
            assert len(found) == len(expected)
            for block, other in zip(found, expected, strict=True):
                assert_same_blocks(block, other)
