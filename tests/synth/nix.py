"""Small NIX files, written with plain h5py after the layout of the files that Neo's NixIO writes.

Nothing of ephyrus makes these files; `EXPECTED` and the functions below say what is in them.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ephyrus.testing.sample import Sample

TEXT = h5py.string_dtype()
TIME = "20240102T030405"
NEO = "0.14.6"

# What the sample "objects" holds.
SIGNAL = np.array([[0.0, 10.0], [0.5, 11.0], [1.5, 12.0], [3.0, 13.0]])  # mV, at 2 kHz from 1 s
IRREGULAR = np.array([1.0, 4.0, 9.0])  # pA
IRREGULAR_TIMES = np.array([0.0, 5.0, 7.5])  # ms
EVENT_TIMES = np.array([1.25, 1.75])
EPOCH_TIMES, EPOCH_DURATIONS = np.array([10.0, 20.0]), np.array([0.5, 1.0])  # ms, s
SPIKES = np.array([1001.0, 1002.5, 1004.0])  # ms
WAVEFORMS = np.arange(12.0).reshape(3, 2, 2)
FRAMES = np.arange(24.0).reshape(2, 3, 4)  # frame, row, column


class Writer:
    """A NIX file that is being made; ids are counted, so that files are the same every time."""

    def __init__(self, path: Path, version: tuple[int, int, int] = (1, 2, 1)) -> None:
        self.file = h5py.File(path, "w", track_order=True, libver=("v108", "latest"))
        self.version = version
        self.count = 0
        root = self.file.attrs
        root["format"] = "nix"
        root["version"] = np.array(version, np.int32)
        if version >= (1, 2, 0):
            root["id"] = self.new_id()
        root["created_at"] = root["updated_at"] = TIME
        self.data = self.group(self.file, "data")
        self.metadata = self.group(self.file, "metadata")

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def new_id(self) -> str:
        self.count += 1
        return str(uuid.UUID(int=self.count, version=4))

    def group(self, parent: Any, name: str) -> Any:
        return parent[name] if name in parent else parent.create_group(name, track_order=True)

    def entity(self, parent: Any, container: str, name: str, type_: str, **more: Any) -> Any:
        """Make an entity in a container (or right in `parent`)."""
        made = self.group(self.group(parent, container) if container else parent, name)
        facts = {"name": name, "type": type_, "entity_id": self.new_id(), **more}
        for key, value in {**facts, "created_at": TIME, "updated_at": TIME}.items():
            made.attrs[key] = value
        return made

    def section(self, parent: Any, name: str, type_: str, **properties: Any) -> Any:
        is_root = parent is self.metadata
        made = self.entity(parent, "" if is_root else "sections", name, type_)
        for key, value in properties.items():
            self.property(made, key, value)
        return made

    def property(self, section: Any, name: str, value: Any, **facts: Any) -> None:
        """Make a property: a value, a list, or (values, unit)."""
        if isinstance(value, tuple):
            value, facts["unit"] = value
        values = np.atleast_1d(np.asarray(value))
        if values.dtype.kind == "U":
            values = values.astype(object) if values.size and str(value) else np.empty(0, object)
        kind = TEXT if values.dtype == object else values.dtype
        if self.version < (1, 1, 1):
            values, kind = _with_uncertainty(values, kind)
        data = self.group(section, "properties").create_dataset(
            name, data=values, dtype=kind, maxshape=(None,), chunks=(max(len(values), 8),)
        )
        facts |= {"name": name, "entity_id": self.new_id(), "created_at": TIME, "updated_at": TIME}
        for key, fact in facts.items():
            data.attrs[key] = fact

    def array(
        self, block: Any, name: str, type_: str, values: Any, unit: str | None = None, **more: Any
    ) -> Any:
        """Make a data array."""
        made = self.entity(block, "data_arrays", name, type_, **more)
        values = np.asarray(values)
        made.create_dataset(
            "data", data=values, maxshape=(None,) * values.ndim, chunks=values.shape
        )
        if unit:
            made.attrs["unit"] = unit
        return made

    def dimension(self, array: Any, kind: str, **facts: Any) -> None:
        """Add a dimension."""
        dimensions = self.group(array, "dimensions")
        made = self.group(dimensions, str(len(dimensions) + 1))
        made.attrs["dimension_type"] = kind
        for key, value in facts.items():
            if key in ("ticks", "labels"):
                kind = TEXT if key == "labels" else None
                made.create_dataset(key, data=value, dtype=kind, maxshape=(None,), chunks=(8,))
            else:
                made.attrs[key] = value

    def link(self, entity: Any, container: str, *targets: Any) -> None:
        """Refer to entities by their ids."""
        for target in targets:
            self.group(entity, container)[target.attrs["entity_id"]] = target


def _with_uncertainty(values: Any, kind: Any) -> tuple[Any, Any]:
    """Give property values as files before 1.1.1 have them."""
    names = ("reference", "filename", "encoder", "checksum")
    dtype = np.dtype([("value", kind), ("uncertainty", "f8"), *((name, TEXT) for name in names)])
    rows = np.zeros(len(values), dtype)
    rows["value"] = values
    for name in names:
        rows[name] = ""
    return rows, dtype


def _block(writer: Writer, name: str, **properties: Any) -> tuple[Any, Any]:
    """Make a NIX block for objects, and its section."""
    if "neo" not in writer.metadata:
        writer.section(writer.metadata, "neo", "neo.metadata", version=NEO)
    block = writer.entity(writer.data, "", name, "neo.block")
    section = writer.section(
        writer.metadata, name, "neo.block.metadata", nix_name=name, **properties
    )
    block["metadata"] = section
    return block, section


def _container(
    writer: Writer, block: Any, parent: Any, name: str, type_: str, **properties: Any
) -> tuple[Any, Any]:
    group = writer.entity(block, "groups", name, type_)
    section = writer.section(parent, name, f"{type_}.metadata", nix_name=name, **properties)
    group["metadata"] = section
    return group, section


def objects(folder: Path) -> Path:
    """Write one object of every kind, in one segment, with a group, a subgroup and a view."""
    path = folder / "objects.nix"
    with Writer(path) as writer:
        block, root = _block(writer, "neo.block.1", neo_name="session", rig="left", rates=[1, 2, 3])
        segment, section = _container(
            writer, block, root, "neo.segment.1", "neo.segment", neo_name="trial"
        )
        signal = _signal(writer, block, section)
        irregular = _irregular(writer, block, section)
        tags = [
            _event(writer, block, section),
            _epoch(writer, block, section),
            _train(writer, block, section),
        ]
        for tag in tags:
            writer.link(tag, "references", *signal, *irregular)
        images = _images(writer, block, section)
        writer.link(segment, "data_arrays", *signal, *irregular, *images)
        writer.link(segment, "multi_tags", *tags)
        group, of_group = _container(
            writer, block, root, "neo.group.1", "neo.group", neo_name="unit"
        )
        writer.link(group, "multi_tags", tags[2], _view(writer, block, of_group, signal))
        inner, _ = _container(
            writer,
            block,
            root,
            "neo.subgroup.1",
            "neo.subgroup",
            neo_name="inner",
            neo_parent="neo.group.1",
        )
        writer.link(inner, "data_arrays", *signal)
    return path


def small(folder: Path) -> Path:
    """Write an irregular signal and an event: little, as it is damaged thousands of times."""
    path = folder / "small.nix"
    with Writer(path) as writer:
        block, root = _block(writer, "neo.block.1", neo_name="session")
        segment, section = _container(
            writer, block, root, "neo.segment.1", "neo.segment", neo_name="trial"
        )
        writer.link(segment, "data_arrays", *_irregular(writer, block, section))
        writer.link(segment, "multi_tags", _event(writer, block, section))
    return path


def _signal(writer: Writer, block: Any, parent: Any) -> list[Any]:
    name = "neo.analogsignal.1"
    section = writer.section(
        parent,
        name,
        "neo.analogsignal.metadata",
        neo_name="voltage",
        nix_name=name,
        t_start=(1.0, "s"),
        gain=(2.5, "mV"),
    )
    for key, values in (("channel_names", ["left", "right"]), ("depth", ([10.0, 20.0], "um"))):
        writer.property(section, key, values, type="ARRAYANNOTATION")
    arrays = []
    for channel, column in enumerate(SIGNAL.T):
        array = writer.array(block, f"{name}.{channel}", "neo.analogsignal", column, "mV")
        array["metadata"] = section
        writer.dimension(
            array, "sample", sampling_interval=0.5, unit="ms", offset=1000.0, label="time"
        )
        arrays.append(array)
    return arrays


def _irregular(writer: Writer, block: Any, parent: Any) -> list[Any]:
    name = "neo.irregularlysampledsignal.1"
    kind = "neo.irregularlysampledsignal"
    section = writer.section(parent, name, f"{kind}.metadata", neo_name="drug", nix_name=name)
    array = writer.array(block, f"{name}.0", kind, IRREGULAR, "pA", definition="in the bath")
    array["metadata"] = section
    writer.dimension(array, "range", ticks=IRREGULAR_TIMES, unit="ms", label="time")
    return [array]


def _tag(writer: Writer, block: Any, parent: Any, kind: str, times: Any, **facts: Any) -> Any:
    name = f"neo.{kind}.1"
    positions = writer.array(
        block, f"{name}.times", f"neo.{kind}.times", times, facts.pop("unit", "s")
    )
    labels = facts.pop("labels", None)
    if labels:
        writer.dimension(positions, "set", labels=labels)
    durations = facts.pop("durations", None)
    tag = writer.entity(block, "multi_tags", name, f"neo.{kind}")
    tag["positions"] = positions
    if durations is not None:
        kind_of = f"neo.{kind}.durations"
        tag["extents"] = writer.array(block, f"{name}.durations", kind_of, durations, "s")
    tag["metadata"] = writer.section(parent, name, f"neo.{kind}.metadata", nix_name=name, **facts)
    return tag


def _event(writer: Writer, block: Any, parent: Any) -> Any:
    tag = _tag(writer, block, parent, "event", EVENT_TIMES, neo_name="cues", labels=["go", "stop"])
    writer.property(tag["metadata"], "button", [1, 2], type="ARRAYANNOTATION")
    return tag


def _epoch(writer: Writer, block: Any, parent: Any) -> Any:
    facts = {"neo_name": "states", "labels": ["rest", "wörk"], "unit": "ms"}
    return _tag(writer, block, parent, "epoch", EPOCH_TIMES, durations=EPOCH_DURATIONS, **facts)


def _train(writer: Writer, block: Any, parent: Any) -> Any:
    facts = {"neo_name": "unit 1", "unit": "ms", "t_start": (1.0, "s"), "t_stop": (2000.0, "ms")}
    tag = _tag(writer, block, parent, "spiketrain", SPIKES, **facts)
    name = "neo.spiketrain.1.waveforms"
    waves = writer.array(block, name, "neo.waveforms", WAVEFORMS, "uV")
    writer.dimension(waves, "set")
    writer.dimension(waves, "set")
    writer.dimension(waves, "sample", sampling_interval=0.05, unit="ms", label="time")
    waves["metadata"] = writer.section(
        tag["metadata"], name, "neo.waveforms.metadata", left_sweep=(0.2, "ms")
    )
    feature_id = writer.new_id()
    feature = writer.group(writer.group(tag, "features"), feature_id)
    facts = {"entity_id": feature_id, "link_type": "Indexed", "target_type": "DataArray"}
    for key, value in {**facts, "created_at": TIME, "updated_at": TIME}.items():
        feature.attrs[key] = value
    feature["data"] = waves
    return tag


def _images(writer: Writer, block: Any, parent: Any) -> list[Any]:
    name = "neo.imagesequence.1"
    facts = {"sampling_rate": (20.0, "Hz"), "spatial_scale": (1.5, "um"), "t_start": (3.0, "s")}
    section = writer.section(
        parent, name, "neo.imagesequence.metadata", neo_name="movie", nix_name=name, **facts
    )
    arrays = []
    for column in range(FRAMES.shape[2]):
        values = FRAMES[:, :, column].T
        array = writer.array(block, f"{name}.{column}", "neo.imagesequence", values, "V")
        array["metadata"] = section
        arrays.append(array)
    return arrays


def _view(writer: Writer, block: Any, parent: Any, signal: list[Any]) -> Any:
    name = "neo.channelview.1"
    index = writer.array(block, f"{name}.index", "neo.channelview.index", np.array([1]))
    tag = writer.entity(block, "multi_tags", name, "neo.channelview")
    tag["positions"] = index
    tag["metadata"] = writer.section(
        parent, name, "neo.channelview.metadata", neo_name="right only", nix_name=name
    )
    writer.link(tag, "references", *signal)
    return tag


def plain(folder: Path) -> Path:
    """Write data arrays over time, and one that is not, without objects."""
    path = folder / "plain.h5"
    with Writer(path, (1, 1, 0)) as writer:
        block = writer.entity(writer.data, "", "session", "nix.session")
        voltage = writer.array(block, "voltage", "nix.sampled", np.arange(6.0), "mV")
        writer.dimension(voltage, "sample", sampling_interval=0.01, unit="s", offset=0.5)
        section = writer.section(writer.metadata, "about", "nix.metadata", amplifier="A-1")
        voltage["metadata"] = section
        matrix = writer.array(block, "lfp", "nix.sampled", np.arange(12, dtype="i2").reshape(3, 4))
        writer.dimension(matrix, "set", labels=["a", "b", "c"])
        writer.dimension(matrix, "sample", sampling_interval=2.0, unit="ms", label="time")
        matrix.create_dataset(
            "polynom_coefficients", data=[1.0, 0.5], maxshape=(None,), chunks=(2,)
        )
        ticks = writer.array(block, "drug", "nix.irregular", np.array([1.0, 3.0, 2.0]), "pA")
        writer.dimension(ticks, "range", ticks=np.array([0.0, 1.0, 4.0]), unit="s")
        other = writer.array(block, "image", "nix.image", np.zeros((2, 2)))
        writer.dimension(other, "sample", sampling_interval=1.0, unit="um")
        writer.dimension(other, "sample", sampling_interval=1.0, unit="um")
    return path


def old(folder: Path) -> Path:
    """Write what early Neo wrote: signals in no group, no start among the properties."""
    path = folder / "old.nix"
    with Writer(path, (1, 1, 0)) as writer:
        block, root = _block(writer, "neo.block.old", neo_name="early")
        name = "neo.analogsignal.old"
        section = writer.section(
            root, name, "neo.analogsignal.metadata", neo_name="loose", nix_name=name, depth=3
        )
        array = writer.array(block, f"{name}.0", "neo.analogsignal", np.arange(5.0), "uV")
        array["metadata"] = section
        writer.dimension(
            array, "sample", sampling_interval=2.0, unit="1/kHz", offset=500.0, label="time"
        )
        writer.entity(block, "sources", "neo.channelindex.1", "neo.channelindex")
    return path


def large(folder: Path) -> Path:
    """Write a signal of 128 MB; its bytes are a hole in the file."""
    path = folder / "large.nix"
    with Writer(path) as writer:
        block = writer.entity(writer.data, "", "session", "nix.session")
        array = writer.entity(block, "data_arrays", "voltage", "nix.sampled")
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_layout(h5py.h5d.CONTIGUOUS)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((16_000_000, 1))
        h5py.h5d.create(array.id, b"data", h5py.h5t.IEEE_F64LE, space, layout)
        array.attrs["unit"] = "mV"
        writer.dimension(array, "sample", sampling_interval=0.0001, unit="s")
        writer.dimension(array, "set")
    return path


def samples() -> list[Sample]:
    """Files with objects, without, and of an early layout; all small."""
    return [
        Sample("nix", "small", small),
        Sample("nix", "plain", plain, large=large),
        Sample("nix", "old", old),
    ]
