"""A file in a temporary folder, and one that has an entity of every kind."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from ephyrus import nix


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.nix"


@pytest.fixture
def file(path: Path):
    file = nix.File(path, nix.FileMode.Overwrite)
    yield file
    file.close()


@pytest.fixture
def block(file):
    return file.create_block("block", "nix.session")


def fill(file: nix.File) -> None:
    """Make an entity of every kind, with every attribute."""
    block = file.create_block("session", "nix.session")
    block.definition = "a session"
    section = file.create_section("recording", "metadata.recording")
    section.repository, section.reference = "http://odml", "page 3"
    section.definition = "how it was recorded"
    made = section.create_property("gain", [1.5, 2.5])
    made.unit, made.uncertainty, made.reference = "mV", 0.25, "sheet"
    made.dependency, made.dependency_value, made.value_origin = "amplifier", "on", "disk"
    made.definition, made.odml_type, made.type = "gain of it", nix.OdmlType.Float, "free"
    section["count"], section["texts"], section["flag"] = 3, ["ä", "b"], True
    section.create_property("empty", nix.DataType.Int64)
    child = section.create_section("amplifier", "metadata.hardware")
    child["name"] = "A-1"
    other = file.create_section("template", "metadata.template")
    section.link = other
    block.metadata = section

    voltage = block.create_data_array(
        "voltage", "nix.sampled", data=np.arange(100.0) / 10, unit="mV", label="V"
    )
    voltage.append_sampled_dimension(0.1, label="time", unit="s", offset=1.0)
    voltage.definition, voltage.metadata = "membrane potential", child
    image = block.create_data_array(
        "image", "nix.image", data=np.arange(24, dtype="i2").reshape(4, 6)
    )
    image.append_range_dimension([1.0, 2.0, 4.0, 8.0], label="depth", unit="um")
    image.append_set_dimension(["a", "b", "c", "d", "e", "f"]).label = "channel"
    image.polynom_coefficients, image.expansion_origin = (1.0, 2.0), 3.0
    spikes = block.create_data_array("spikes", "nix.events", data=[1.5, 2.5, 5.0], unit="s")
    spikes.append_range_dimension_using_self()
    texts = block.create_data_array(
        "texts", "nix.texts", dtype=nix.DataType.String, data=["x", "yé"]
    )
    flags = block.create_data_array("flags", "nix.flags", data=[True, False, True])
    frame = block.create_data_frame(
        "table",
        "nix.table",
        col_names=["name", "id", "value", "good"],
        col_dtypes=[str, int, float, bool],
        data=[("one", 1, 1.5, True), ("two", 2, 2.5, False)],
    )
    frame.units = [None, None, "mV", None]
    texts.append_set_dimension().link_data_frame(frame, 0)
    flags.append_range_dimension().link_data_array(spikes, [-1])

    animal = block.create_source("animal", "nix.animal")
    cell = animal.create_source("cell", "nix.cell")
    cell.metadata = child
    voltage.sources.append(cell)
    tag = block.create_tag("stimulus", "nix.stimulus", [2.0])
    tag.extent, tag.units, tag.metadata = [1.5], ["s"], section
    tag.references.append(voltage)
    tag.sources.append(animal)
    tag.create_feature(image, nix.LinkType.Untagged)
    events = block.create_multi_tag("events", "nix.events", spikes)
    lengths = block.create_data_array("lengths", "nix.lengths", data=[0.5, 0.5, 1.0])
    lengths.append_set_dimension()
    events.extents = lengths
    events.units = ["s"]
    events.references.append(voltage)
    events.create_feature(flags, nix.LinkType.Indexed)
    events.create_feature(voltage, nix.LinkType.Tagged)
    events.create_feature(frame, nix.LinkType.Indexed)
    group = block.create_group("all", "nix.group")
    group.data_arrays.extend([voltage, image])
    group.data_frames.append(frame)
    group.tags.append(tag)
    group.multi_tags.append(events)
    group.sources.append(cell)
    group.metadata = section
    file.create_block("second", "nix.session")


@pytest.fixture
def full(path: Path, monkeypatch) -> Path:
    """Path of a closed file that has an entity of every kind: the same each time.

    Only HDF5's own times of its objects differ from one run to the next.
    """
    with monkeypatch.context() as patch:
        patch.setattr("os.urandom", random.Random(1).randbytes)
        patch.setattr("time.time", lambda: 1_700_000_000.0)
        with nix.File(path, nix.FileMode.Overwrite) as file:
            fill(file)
    return path
