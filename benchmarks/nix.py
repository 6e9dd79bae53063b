"""NIX files: each piece of work against the same work in HDF5 with h5py.

The floors make and read the same objects of HDF5: groups, attributes, data sets and links,
nothing left out. Floors of making use the low-level interface of h5py with types and property
lists that are prepared once; floors of reading are plain h5py as people write it.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t

from benchmarks.measure import Benchmark, Operation, Place, Work
from ephyrus import nix

TEXT = h5t.C_S1.copy()
TEXT.set_size(h5t.VARIABLE)
TEXT.set_cset(h5t.CSET_UTF8)
STR = h5py.string_dtype()
MEMORY = h5t.py_create(STR)
SCALAR = h5s.create(h5s.SCALAR)
LINK = h5p.create(h5p.LINK_CREATE)
LINK.set_char_encoding(h5t.CSET_UTF8)
GROUP = h5p.create(h5p.GROUP_CREATE)
GROUP.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
NOW = "20260101T000000"


def _text(loc: Any, name: bytes, value: str) -> None:
    h5a.create(loc, name, TEXT, SCALAR).write(np.array(value, STR), mtype=MEMORY)


def _number(loc: Any, name: bytes, value: float) -> None:
    h5a.create(loc, name, h5t.IEEE_F64LE, SCALAR).write(np.array(value))


def _group(loc: Any, name: str) -> Any:
    return h5g.create(loc, name.encode(), LINK, GROUP)


def _entity(loc: Any, name: str, kind: str | None) -> Any:
    gid = _group(loc, name)
    _named(gid, name, kind)
    return gid


def _named(gid: Any, name: str, kind: str | None) -> None:
    _text(gid, b"name", name)
    if kind is not None:
        _text(gid, b"type", kind)
    _text(gid, b"entity_id", str(uuid.uuid4()))
    _text(gid, b"created_at", NOW)
    _text(gid, b"updated_at", NOW)


def _data_list(chunk: tuple[int, ...]) -> Any:
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk(chunk)
    return plist


@contextmanager
def _plain_file(path: Path) -> Iterator[h5py.File]:
    """Make a file as new NIX files are made: beside, flushed to the disk, renamed."""
    part = path.with_suffix(".part")
    with h5py.File(part, "w", libver=("v108", "latest"), track_order=True) as file:
        yield file
    with part.open("rb+") as written:
        os.fsync(written.fileno())
    part.replace(path)


VALUES = np.arange(10.0)


def _make_arrays_plain(path: Path, count: int) -> None:
    """Make what a NIX file of data arrays has, with the low-level interface."""
    with _plain_file(path) as file:
        arrays = _group(_entity(_group(file.id, "data"), "block", "nix.session"), "data_arrays")
        plist = _data_list((128,))
        space = h5s.create_simple((10,), (h5s.UNLIMITED,))
        for number in range(count):
            gid = _entity(arrays, f"array {number}", "nix.sampled")
            data = h5d.create(gid, b"data", h5t.IEEE_F64LE, space, plist)
            data.write(h5s.ALL, h5s.ALL, VALUES)
            _text(gid, b"unit", "mV")
            _text(gid, b"label", "voltage")
            dimension = _group(_group(gid, "dimensions"), "1")
            _text(dimension, b"dimension_type", "sample")
            _number(dimension, b"sampling_interval", 0.001)


def _make_arrays(package: Any, path: Path, count: int) -> None:
    file = package.File(str(path), "w")
    block = file.create_block("block", "nix.session")
    for number in range(count):
        array = block.create_data_array(
            f"array {number}", "nix.sampled", data=VALUES, unit="mV", label="voltage"
        )
        array.append_sampled_dimension(0.001)
    file.close()


def _create(place: Place) -> Work:
    count = place.count(10_000)
    ours, floor = place.folder / "ours.nix", place.folder / "floor.h5"

    def make(path: Path, work: Callable[[], None]) -> Operation:
        def operation() -> None:
            path.unlink(missing_ok=True)
            work()

        return operation

    return Work(
        make(ours, lambda: _make_arrays(nix, ours, count)),
        make(floor, lambda: _make_arrays_plain(floor, count)),
    )


def _touch(how: str) -> Callable[[Place], Work]:
    """Open a file of many arrays and touch one."""

    def prepare(place: Place) -> Work:
        count = place.count(10_000)
        path = place.folder / "many.nix"
        _make_arrays(nix, path, count)
        number = count // 2
        with nix.File(path, "r") as file:
            keys = {
                "name": f"array {number}",
                "index": number,
                "id": file.blocks[0].data_arrays[number].id,
            }

        def ours() -> str:
            with nix.File(path, "r") as file:
                return file.blocks["block"].data_arrays[keys[how]].type

        def floor() -> str:
            with h5py.File(path, "r") as file:
                return file[f"data/block/data_arrays/array {number}"].attrs["type"]

        return Work(ours, floor)

    return prepare


def _names(place: Place) -> Work:
    path = place.folder / "many.nix"
    _make_arrays(nix, path, place.count(10_000))

    def ours() -> list[str]:
        with nix.File(path, "r") as file:
            return [array.name for array in file.blocks[0].data_arrays]

    def floor() -> list[str]:
        with h5py.File(path, "r") as file:
            return [each.attrs["name"] for each in file["data/block/data_arrays"].values()]

    return Work(ours, floor)


def _look_up(place: Place) -> Work:
    count = place.count(10_000)
    path = place.folder / "many.nix"
    _make_arrays(nix, path, count)
    numbers = np.random.default_rng(1).integers(0, count, place.count(1000)).tolist()

    def ours() -> list[str]:
        with nix.File(path, "r") as file:
            arrays = file.blocks[0].data_arrays
            return [arrays[number].type for number in numbers]

    def floor() -> list[str]:
        with h5py.File(path, "r") as file:
            arrays = file["data/block/data_arrays"]
            names = list(arrays)
            return [arrays[names[number]].attrs["type"] for number in numbers]

    return Work(ours, floor)


def _delete(place: Place) -> Work:
    # Each run takes one, and there are many runs where the time is measured in earnest.
    count = max(5_000 if place.scale >= 0.01 else 100, place.count(10_000))
    source = place.folder / "many.nix"
    _make_arrays(nix, source, count)
    ours_path, floor_path = place.folder / "ours.nix", place.folder / "floor.nix"
    for path in (ours_path, floor_path):
        shutil.copyfile(source, path)
    left = {"ours": count, "floor": count}
    file = nix.File(ours_path)
    plain = h5py.File(floor_path, "r+")
    group = plain["data/block/data_arrays"]
    arrays = file.blocks[0].data_arrays

    def ours() -> None:
        left["ours"] -= 1
        del arrays[f"array {left['ours']}"]

    def floor() -> None:
        left["floor"] -= 1
        del group[f"array {left['floor']}"]

    return Work(ours, floor)


def _tagged(shape: str, *, at_once: bool) -> Callable[[Place], Work]:
    """Read the regions of a multi tag."""

    def prepare(place: Place) -> Work:
        count = place.count(10_000)
        path = place.folder / "tags.nix"
        with nix.File(path, "w") as file:
            block = file.create_block("block", "nix.session")
            data = np.random.default_rng(1).normal(size=20 * count)
            array = block.create_data_array("voltage", "nix.sampled", data=data)
            array.append_sampled_dimension(0.001, unit="s")
            starts = np.arange(count) * 0.02
            rows = starts if shape == "(n,)" else starts[:, np.newaxis]
            tag = block.create_multi_tag("tag", "nix.tag", rows, np.full_like(rows, 0.01))
            tag.units = ["s"]
            tag.references.append(array)

        def ours() -> list[np.ndarray]:
            with nix.File(path, "r") as file:
                tag = file.blocks[0].multi_tags[0]
                if at_once:
                    return tag.read_tagged(0)
                return [tag.tagged_data(number, 0)[:] for number in range(count)]

        def floor() -> list[np.ndarray]:
            with h5py.File(path, "r") as file:
                block = file["data/block"]
                starts = block["multi_tags/tag/positions/data"][()].reshape(-1)
                lengths = block["multi_tags/tag/extents/data"][()].reshape(-1)
                data = block["data_arrays/voltage/data"]
                first = np.ceil(starts / 0.001 - 1e-6).astype(int)
                last = np.ceil((starts + lengths) / 0.001 - 1e-6).astype(int)
                if at_once:
                    data = data[()]
                return [data[a:b].copy() for a, b in zip(first, last, strict=True)]

        return Work(ours, floor)

    return prepare


def _make_sections_plain(path: Path, count: int) -> None:
    with _plain_file(path) as file:
        _group(file.id, "data")
        root = _group(file.id, "metadata")
        space = h5s.create_simple((1,), (h5s.UNLIMITED,))
        plist, texts = _data_list((16,)), _data_list((8,))
        for number in range(count):
            section = _entity(root, f"section {number}", "metadata")
            properties = _group(section, "properties")
            for key in range(5):
                kind, chunks = (TEXT, texts) if key == 4 else (h5t.IEEE_F64LE, plist)
                did = h5d.create(properties, f"key {key}".encode(), kind, space, chunks, lcpl=LINK)
                value = np.array(["text"], STR) if key == 4 else np.array([float(key)])
                did.write(h5s.ALL, h5s.ALL, value)
                _named(did, f"key {key}", None)


def _make_sections(path: Path, count: int) -> None:
    file = nix.File(path, "w")
    for number in range(count):
        section = file.create_section(f"section {number}", "metadata")
        for key in range(5):
            section.create_property(f"key {key}", "text" if key == 4 else float(key))
    file.close()


def _create_sections(place: Place) -> Work:
    count = place.count(10_000)
    ours, floor = place.folder / "ours.nix", place.folder / "floor.h5"

    def operation(path: Path, work: Callable[[Path, int], None]) -> Operation:
        def run() -> None:
            path.unlink(missing_ok=True)
            work(path, count)

        return run

    return Work(operation(ours, _make_sections), operation(floor, _make_sections_plain))


def _read_sections(place: Place) -> Work:
    path = place.folder / "sections.nix"
    _make_sections(path, place.count(10_000))

    def ours() -> int:
        with nix.File(path, "r") as file:
            return sum(len(prop.values) for section in file.sections for prop in section.props)

    def floor() -> int:
        with h5py.File(path, "r") as file:
            sections = file["metadata"].values()
            return sum(
                len(tuple(prop[()].tolist()))
                for section in sections
                for prop in section["properties"].values()
            )

    return Work(ours, floor)


def _write_large(place: Place) -> Work:
    data = np.ones(place.count(250_000_000, 1000), np.float32)
    ours_path, floor_path = place.folder / "ours.nix", place.folder / "floor.h5"

    def ours() -> None:
        ours_path.unlink(missing_ok=True)
        file = nix.File(ours_path, "w")
        file.create_block("block", "nix.session").create_data_array("a", "nix.sampled", data=data)
        file.close()

    def floor() -> None:
        floor_path.unlink(missing_ok=True)
        with _plain_file(floor_path) as file:
            file.create_dataset("data", data=data, chunks=(2**18,), maxshape=(None,))

    return Work(ours, floor)


def _read_large(polynomial: tuple[float, ...], full: int) -> Callable[[Place], Work]:
    def prepare(place: Place) -> Work:
        path = place.folder / "large.nix"
        data = np.random.default_rng(1).random(place.count(full, 1000), np.float32)
        with nix.File(path, "w") as file:
            block = file.create_block("block", "nix.session")
            array = block.create_data_array("a", "nix.sampled", data=data)
            array.polynom_coefficients = polynomial
        del data

        def ours() -> np.ndarray:
            with nix.File(path, "r") as file:
                return file.blocks[0].data_arrays[0][:]

        def floor() -> np.ndarray:
            with h5py.File(path, "r") as file:
                return file["data/block/data_arrays/a/data"][()]

        return Work(ours, floor)

    return prepare


LOW = "the same objects with the low-level h5py"
FLUSHED = "the same with h5py: written beside, flushed to the disk, renamed"
TOUCH = "h5py: open the file and the group by its path"


def benchmarks() -> list[Benchmark]:
    """Give the rows."""
    plain = "the same with h5py"

    def row(name: str, prepare: Any, ratio: float, floor: str = plain) -> Benchmark:
        return Benchmark("nix", name, prepare, ratio=ratio, floor_is=floor)

    return [
        row("create 10,000 data arrays", _create, 1.2, LOW),
        row("open, touch one of 10,000 by name", _touch("name"), 3, TOUCH),
        row("open, touch one of 10,000 by index", _touch("index"), 5, TOUCH),
        row("open, touch one of 10,000 by id", _touch("id"), 30, TOUCH),
        row("names of 10,000 arrays", _names, 0.1),
        row("1,000 look-ups by index", _look_up, 2),
        row("delete one of 10,000 arrays", _delete, 20),
        row("10,000 regions (n,), one by one", _tagged("(n,)", at_once=False), 5),
        row("10,000 regions (n, 1), one by one", _tagged("(n, 1)", at_once=False), 5),
        row("10,000 regions (n,), in one call", _tagged("(n,)", at_once=True), 1.5),
        row("10,000 regions (n, 1), in one call", _tagged("(n, 1)", at_once=True), 1.5),
        row("create 10,000 sections, 50,000 properties", _create_sections, 1.2, LOW),
        row("read 50,000 properties", _read_sections, 1),
        row("write 1 GB float32", _write_large, 1.05, FLUSHED),
        row("read 1 GB float32", _read_large((), 250_000_000), 1.05),
        row("read 0.4 GB with a polynomial", _read_large((0.5, 2.0, 0.1), 100_000_000), 3),
    ]
