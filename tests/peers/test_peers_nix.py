"""nixio (dependency group witnesses): its files are read here, ours are read there."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ephyrus import nix
from tests.peers.facts import peer

nixio = peer("nixio")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

KINDS = ("data_arrays", "data_frames", "tags", "multi_tags", "groups", "sources")


def fill(package: Any, path: Path) -> None:
    """Make an entity of every kind, by what both packages have."""
    file = package.File(str(path), "w")
    block = file.create_block("session", "nix.session")
    block.definition = "a session"
    section = file.create_section("recording", "metadata.recording")
    section.repository, section.reference = "http://odml", "page 3"
    gain = section.create_property("gain", [1.5, 2.5])
    gain.unit, gain.uncertainty, gain.reference = "mV", 0.25, "sheet"
    gain.dependency, gain.dependency_value, gain.value_origin = "amplifier", "on", "disk"
    gain.definition, gain.odml_type = "gain of it", package.OdmlType.Float
    section["count"], section["texts"], section["flag"] = 3, ["ä", "b"], True
    section.create_property("empty", package.DataType.Int64)
    child = section.create_section("amplifier", "metadata.hardware")
    child["name"] = "A-1"
    section.link = file.create_section("template", "metadata.template")
    block.metadata = section

    voltage = block.create_data_array("voltage", "nix.sampled", data=np.arange(100.0) / 10)
    voltage.unit, voltage.label, voltage.metadata = "mV", "V", child
    voltage.append_sampled_dimension(0.1, label="time", unit="s", offset=1.0)
    image = block.create_data_array(
        "image", "nix.image", data=np.arange(24, dtype="i2").reshape(4, 6)
    )
    image.append_range_dimension([1.0, 2.0, 4.0, 8.0], label="depth", unit="um")
    image.append_set_dimension(["a", "b", "c", "d", "e", "f"])
    image.polynom_coefficients, image.expansion_origin = (1.0, 2.0, 0.5), 3.0
    spikes = block.create_data_array("spikes", "nix.events", data=np.array([1.5, 2.5, 5.0]))
    spikes.unit = "s"
    spikes.append_range_dimension_using_self()
    texts = block.create_data_array(
        "texts", "nix.texts", dtype=package.DataType.String, data=["x", "yé"]
    )
    flags = block.create_data_array("flags", "nix.flags", data=np.array([True, False, True]))
    small = block.create_data_array(
        "small",
        "nix.small",
        data=np.arange(1000, dtype="u1"),
        compression=package.Compression.DeflateNormal,
    )
    small.append_set_dimension()
    block.create_data_array("empty", "nix.empty", dtype="f4", shape=(0, 2))
    frame = block.create_data_frame(
        "table",
        "nix.table",
        col_names=["name", "id", "value", "good"],
        col_dtypes=[package.DataType.String, int, float, bool],
        data=[("one", 1, 1.5, True), ("twö", 2, 2.5, False)],
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
    tag.create_feature(image, package.LinkType.Untagged)
    tag.create_feature(voltage, package.LinkType.Tagged)
    lengths = block.create_data_array("lengths", "nix.lengths", data=np.array([0.5, 0.0, 1.0]))
    lengths.append_set_dimension()
    events = block.create_multi_tag("events", "nix.events", spikes)
    events.extents, events.units = lengths, ["s"]
    events.references.append(voltage)
    events.create_feature(flags, package.LinkType.Indexed)
    events.create_feature(frame, package.LinkType.Untagged)
    points = block.create_multi_tag("points", "nix.points", np.array([[1.0, 2.0], [4.0, 3.0]]))
    points.references.append(image)
    group = block.create_group("all", "nix.group")
    group.data_arrays.append(voltage)
    group.data_arrays.append(image)
    group.data_frames.append(frame)
    group.tags.append(tag)
    group.multi_tags.append(events)
    group.sources.append(cell)
    group.metadata = section
    file.create_block("second", "nix.session")
    file.close()


def plain(value: Any) -> Any:
    """Give a value in a form that compares exactly."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return value


def named(entity: Any) -> dict[str, Any]:
    return {key: getattr(entity, key) for key in ("id", "name", "type", "definition")}


def metadata(entity: Any) -> Any:
    return None if entity.metadata is None else entity.metadata.id


def dimension_facts(dimension: Any) -> dict[str, Any]:
    found = {"kind": dimension.dimension_type.value, "index": dimension.index}
    keys = {
        "sample": ("label", "unit", "sampling_interval", "offset"),
        "range": ("label", "unit", "ticks", "has_link"),
        "set": ("labels", "has_link"),
    }
    return found | {key: plain(getattr(dimension, key)) for key in keys[found["kind"]]}


def array_facts(array: Any) -> dict[str, Any]:
    keys = ("unit", "label", "expansion_origin", "polynom_coefficients", "shape")
    return {
        **named(array),
        **{key: plain(getattr(array, key)) for key in keys},
        "metadata": metadata(array),
        "data": plain(array[:]),
        "sources": [each.id for each in array.sources],
        "dimensions": [dimension_facts(each) for each in array.dimensions],
        "times": (array.created_at, array.updated_at),
    }


def frame_facts(frame: Any) -> dict[str, Any]:
    return {
        **named(frame),
        "columns": [(name, str(kind), unit) for name, kind, unit in frame.columns],
        "rows": plain(frame[:].tolist()),
    }


def feature_facts(feature: Any) -> tuple[str, str, str]:
    return feature.id, feature.link_type.value, feature.data.id


def tag_facts(tag: Any) -> dict[str, Any]:
    found = {
        **named(tag),
        "units": plain(tag.units),
        "references": [each.id for each in tag.references],
        "features": [feature_facts(each) for each in tag.features],
        "metadata": metadata(tag),
    }
    if hasattr(tag, "positions"):
        count = len(tag.positions)
        found["positions"] = tag.positions.id
        found["extents"] = None if tag.extents is None else tag.extents.id
        views = [tag.tagged_data(number, 0) for number in range(count)]
        found["data"] = [plain(view[:]) if view.valid else None for view in views]
    else:
        found["region"] = plain(tag.position), plain(tag.extent)
        found["data"] = plain(tag.tagged_data(0)[:])
        found["feature data"] = [plain(tag.feature_data(k)[:]) for k in range(len(tag.features))]
    return found


def section_facts(section: Any) -> dict[str, Any]:
    keys = (
        "unit",
        "uncertainty",
        "reference",
        "dependency",
        "dependency_value",
        "value_origin",
        "definition",
    )
    return {
        **named(section),
        "repository": section.repository,
        "reference": section.reference,
        "link": None if section.link is None else section.link.id,
        "properties": [
            {
                "name": prop.name,
                "id": prop.id,
                "values": plain(prop.values),
                "odml": None if prop.odml_type is None else prop.odml_type.value,
                **{key: plain(getattr(prop, key)) for key in keys},
            }
            for prop in section.props
        ],
        "sections": [section_facts(each) for each in section.sections],
    }


def source_facts(source: Any) -> dict[str, Any]:
    return {
        **named(source),
        "metadata": metadata(source),
        "sources": [source_facts(each) for each in source.sources],
    }


def group_facts(group: Any) -> dict[str, Any]:
    kinds = ("data_arrays", "data_frames", "tags", "multi_tags", "sources")
    return {
        **named(group),
        "metadata": metadata(group),
        **{kind: [each.id for each in getattr(group, kind)] for kind in kinds},
    }


def block_facts(block: Any) -> dict[str, Any]:
    readers = (array_facts, frame_facts, tag_facts, tag_facts, group_facts, source_facts)
    return {
        **named(block),
        "metadata": metadata(block),
        **{
            kind: [reader(each) for each in getattr(block, kind)]
            for kind, reader in zip(KINDS, readers, strict=True)
        },
    }


def facts(package: Any, path: Path) -> dict[str, Any]:
    file = package.File(str(path), "r")
    found = {
        "id": file.id,
        "version": plain(tuple(file.version)),
        "blocks": [block_facts(each) for each in file.blocks],
        "sections": [section_facts(each) for each in file.sections],
    }
    file.close()
    return found


@pytest.mark.parametrize("writer", [nix, nixio], ids=["ephyrus", "nixio"])
def test_files_are_read_alike(tmp_path, writer):
    path = tmp_path / "f.nix"
    fill(writer, path)
    ours, theirs = facts(nix, path), facts(nixio, path)
    assert len(ours["blocks"][0]["data_arrays"]) == 9
    assert ours == theirs


def test_both_write_the_same(tmp_path):
    """Without ids and times there is no difference between the files."""

    def strip(value: Any, names: dict[str, str]) -> Any:
        if isinstance(value, dict):
            return {key: strip(each, names) for key, each in value.items() if key != "times"}
        if isinstance(value, list | tuple):
            return [strip(each, names) for each in value]
        if isinstance(value, str) and len(value) == 36:
            return names.setdefault(value, f"id {len(names)}")
        return value

    found = []
    for package in (nix, nixio):
        path = tmp_path / f"{package.__name__}.nix"
        fill(package, path)
        found.append(strip(facts(nix, path), {}))
    assert found[0] == found[1]


def test_validators_agree(tmp_path):
    path = tmp_path / "f.nix"
    fill(nix, path)
    reports = []
    for package in (nix, nixio):
        file = package.File(str(path), "r")
        report = file.validate()
        reports.append(
            {
                kind: {getattr(each, "name", "file"): texts for each, texts in report[kind].items()}
                for kind in ("errors", "warnings")
            }
        )
        file.close()
    assert reports[0] == reports[1]
    # What the content deserves: these arrays were left without dimensions or units.
    assert set(reports[0]["errors"]) == {"points", "points-positions", "empty"}


def test_editing_in_turn(tmp_path):
    path = tmp_path / "f.nix"
    fill(nix, path)
    file = nixio.File(str(path), "a")
    block = file.blocks["session"]
    block.create_data_array("theirs", "t", data=np.arange(3.0)).unit = "mV"
    block.groups["all"].data_arrays.append(block.data_arrays["theirs"])
    del block.data_arrays["voltage"]
    file.sections["recording"]["new"] = [1, 2]
    file.close()
    with nix.File(path, "a") as file:
        block = file.blocks["session"]
        assert [each.name for each in block.groups["all"].data_arrays] == ["image", "theirs"]
        assert list(block.tags[0].references) == []
        assert file.sections["recording"]["new"] == [1, 2]
        block.create_data_array("ours", "t", data=[1, 2, 3])
        del block.data_arrays["image"]
        block.data_arrays["theirs"].rename("renamed")
        block.data_arrays["renamed"].append([9.0])
    ours = nix.File(path, "r")
    theirs = nixio.File(str(path), "r")
    names = [[each.name for each in file.blocks["session"].data_arrays] for file in (ours, theirs)]
    assert names[0] == names[1]
    assert theirs.blocks["session"].data_arrays["renamed"][:].tolist() == [0.0, 1.0, 2.0, 9.0]
    assert [each.name for each in theirs.blocks["session"].groups["all"].data_arrays] == ["renamed"]
    ours.close()
    theirs.close()


def test_large_containers_in_their_reader(tmp_path):
    """The ids that we keep beside large containers do not disturb it."""
    path = tmp_path / "f.nix"
    with nix.File(path, "w") as file:
        block = file.create_block("b", "t")
        made = [block.create_data_array(f"a{i}", "t", data=[i]) for i in range(1500)]
        identity = made[1321].id
    file = nixio.File(str(path), "a")
    arrays = file.blocks[0].data_arrays
    assert arrays[identity][:].tolist() == [1321]
    del arrays["a0"]
    file.close()
    with nix.File(path, "r") as file:
        assert file.blocks[0].data_arrays[identity].name == "a1321"
