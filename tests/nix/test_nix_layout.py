"""The layout of written files, seen with plain h5py."""

from __future__ import annotations

import re

import h5py
import numpy as np
from h5py import h5p, h5t

from ephyrus import nix

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{8}T\d{6}")


def attributes(item):
    return {name: value for name, value in item.attrs.items() if name != "ephyrus.ids"}


def plain(item):
    """Attributes without ids and times, whose form is checked."""
    found = attributes(item)
    for name in ("entity_id", "id"):
        if name in found:
            assert UUID.fullmatch(found.pop(name))
    for name in ("created_at", "updated_at"):
        if name in found:
            assert TIME.fullmatch(found.pop(name))
    return found


def test_root(full):
    with h5py.File(full) as file:
        assert attributes(file)["format"] == "nix"
        version = file.attrs["version"]
        assert version.dtype == np.int32
        assert version.tolist() == [1, 2, 1]
        assert UUID.fullmatch(file.attrs["id"])
        assert list(file) == ["data", "metadata"]
        assert list(file["data"]) == ["session", "second"]
        assert list(file["metadata"]) == ["recording", "template"]
        assert file.id.get_create_plist().get_version()[0] == 2  # superblock


def test_everything_is_tracked_and_text_is_utf8(full):
    checked = []

    def visit(name, item):
        if isinstance(item, h5py.Group):
            flags = item.id.get_create_plist().get_link_creation_order()
            assert flags == h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED, name
            for child in item:
                assert item.get(child, getlink=True).__class__ is h5py.HardLink
        else:
            plist = item.id.get_create_plist()
            assert plist.get_layout() == h5py.h5d.CHUNKED, name
            assert item.maxshape == (None,) * item.ndim, name
        for key in item.attrs:
            kind = item.attrs.get_id(key).get_type()
            if isinstance(kind, h5t.TypeStringID):
                assert kind.is_variable_str(), (name, key)
                assert kind.get_cset() == h5t.CSET_UTF8, (name, key)
                checked.append(key)

    with h5py.File(full) as file:
        visit("/", file["/"])
        file.visititems(visit)
        assert len(checked) > 100
        texts = file["data/session/data_arrays/texts/data"]
        assert texts.id.get_type().get_cset() == h5t.CSET_UTF8


def test_data_array(full):
    with h5py.File(full) as file:
        block = file["data/session"]
        assert plain(block) == {
            "name": "session",
            "type": "nix.session",
            "definition": "a session",
        }
        voltage = block["data_arrays/voltage"]
        assert plain(voltage) == {
            "name": "voltage",
            "type": "nix.sampled",
            "unit": "mV",
            "label": "V",
            "definition": "membrane potential",
        }
        assert voltage["data"].dtype == "f8"
        np.testing.assert_array_equal(voltage["data"], np.arange(100.0) / 10)
        assert list(voltage["dimensions"]) == ["1"]
        dimension = attributes(voltage["dimensions/1"])
        assert dimension == {
            "dimension_type": "sample",
            "sampling_interval": 0.1,
            "label": "time",
            "unit": "s",
            "offset": 1.0,
        }
        assert voltage["dimensions/1"].attrs["sampling_interval"].dtype == np.float64
        image = block["data_arrays/image"]
        assert image["data"].dtype == "i2"
        assert image["polynom_coefficients"][()].tolist() == [1.0, 2.0]
        assert image.attrs["expansion_origin"] == 3.0
        first, second = image["dimensions/1"], image["dimensions/2"]
        assert attributes(first) == {"dimension_type": "range", "label": "depth", "unit": "um"}
        assert first["ticks"][()].tolist() == [1.0, 2.0, 4.0, 8.0]
        assert first["ticks"].dtype == "f8"
        assert attributes(second) == {"dimension_type": "set", "label": "channel"}
        assert second["labels"].asstr()[()].tolist() == ["a", "b", "c", "d", "e", "f"]
        flags = block["data_arrays/flags/data"]
        assert h5py.check_enum_dtype(flags.dtype) is None
        assert flags.dtype.kind == "b"
        members = flags.id.get_type()
        assert members.get_size() == 1
        assert {members.get_member_name(i): members.get_member_value(i) for i in (0, 1)} == {
            b"FALSE": 0,
            b"TRUE": 1,
        }


def test_dimension_links(full):
    with h5py.File(full) as file:
        arrays = file["data/session/data_arrays"]
        spikes, table = arrays["spikes"], file["data/session/data_frames/table"]
        own = spikes["dimensions/1"]
        assert list(own) == ["link"]
        assert plain(own["link"]).pop("data_object_type") == "DataArray"
        assert own["link"].attrs["index"].tolist() == [-1]
        assert own["link"].attrs["index"].dtype == np.int64
        assert list(own["link"]) == [spikes.attrs["entity_id"]]
        assert own["link"][spikes.attrs["entity_id"]] == spikes
        to_frame = arrays["texts/dimensions/1/link"]
        assert to_frame.attrs["data_object_type"] == "DataFrame"
        assert to_frame.attrs["index"] == 0
        assert to_frame.attrs["index"].shape == ()
        assert to_frame[table.attrs["entity_id"]] == table


def test_references(full):
    with h5py.File(full) as file:
        block = file["data/session"]
        arrays = block["data_arrays"]
        identity = {name: arrays[name].attrs["entity_id"] for name in arrays}
        tag = block["tags/stimulus"]
        assert plain(tag) == {"name": "stimulus", "type": "nix.stimulus"}
        assert tag["position"][()].tolist() == [2.0]
        assert tag["extent"][()].tolist() == [1.5]
        assert tag["units"].asstr()[()].tolist() == ["s"]
        assert list(tag["references"]) == [identity["voltage"]]
        assert tag["references"][identity["voltage"]] == arrays["voltage"]
        assert tag["metadata"] == file["metadata/recording"]
        (feature,) = tag["features"].values()
        assert feature.name.rpartition("/")[2] == feature.attrs["entity_id"]
        assert plain(feature) == {"link_type": "untagged", "target_type": "DataArray"}
        assert feature["data"] == arrays["image"]
        events = block["multi_tags/events"]
        assert events["positions"] == arrays["spikes"]
        assert events["extents"] == arrays["lengths"]
        kinds = [each.attrs["link_type"] for each in events["features"].values()]
        assert kinds == ["indexed", "tagged", "indexed"]
        group = block["groups/all"]
        assert list(group["data_arrays"]) == [identity["voltage"], identity["image"]]
        assert (
            group["data_frames"][block["data_frames/table"].attrs["entity_id"]]
            == (block["data_frames/table"])
        )
        cell = block["sources/animal/sources/cell"]
        assert group["sources"][cell.attrs["entity_id"]] == cell
        assert arrays["voltage/sources"][cell.attrs["entity_id"]] == cell
        assert arrays["voltage/metadata"] == file["metadata/recording/sections/amplifier"]


def test_data_frame(full):
    with h5py.File(full) as file:
        table = file["data/session/data_frames/table"]
        data = table["data"]
        assert data.dtype.names == ("name", "id", "value", "good")
        assert data.dtype["id"] == np.int64
        assert data.dtype["good"].kind == "b"
        assert h5py.check_string_dtype(data.dtype["name"]).encoding == "utf-8"
        assert data[()].tolist() == [(b"one", 1, 1.5, True), (b"two", 2, 2.5, False)]
        assert table.attrs["units"].tolist() == ["", "", "mV", ""]
        assert data.attrs["units"].tolist() == ["", "", "mV", ""]


def test_metadata(full):
    with h5py.File(full) as file:
        section = file["metadata/recording"]
        assert plain(section) == {
            "name": "recording",
            "type": "metadata.recording",
            "repository": "http://odml",
            "reference": "page 3",
            "definition": "how it was recorded",
        }
        assert section["link"] == file["metadata/template"]
        properties = section["properties"]
        assert list(properties) == ["gain", "count", "texts", "flag", "empty"]
        assert plain(properties["gain"]) == {
            "name": "gain",
            "unit": "mV",
            "uncertainty": 0.25,
            "reference": "sheet",
            "dependency": "amplifier",
            "dependency_value": "on",
            "value_origin": "disk",
            "definition": "gain of it",
            "odml_type": "float",
            "type": "free",
        }
        assert properties["gain"][()].tolist() == [1.5, 2.5]
        assert properties["count"].dtype == np.int64
        assert properties["texts"].asstr()[()].tolist() == ["ä", "b"]
        assert properties["flag"].dtype == bool
        assert properties["empty"].shape == (0,)


def test_gzip_level_6_without_shuffle(path):
    with nix.File(path, "w", compression=nix.Compression.DeflateNormal) as file:
        block = file.create_block("b", "t")
        block.create_data_array("auto", "t", data=np.zeros(10))
        block.create_data_array("no", "t", data=np.zeros(10), compression=nix.Compression.No)
        plain_block = file.create_block("c", "t", compression=nix.Compression.No)
        plain_block.create_data_array("auto", "t", data=np.zeros(10))
        plain_block.create_data_frame(
            "frame", "t", col_dict={"a": int}, compression=nix.Compression.DeflateNormal
        )
    with h5py.File(path) as file:
        data = file["data/b/data_arrays/auto/data"]
        assert (data.compression, data.compression_opts, data.shuffle) == ("gzip", 6, False)
        assert file["data/b/data_arrays/no/data"].compression is None
        assert file["data/c/data_arrays/auto/data"].compression is None
        assert file["data/c/data_frames/frame/data"].compression_opts == 6
