"""Objects in NIX files, against the same file work in plain low-level h5py.

The floors know a file that was written: its groups, attributes, data sets and links in their order.
Writing repeats every one of them; reading lists every group and reads every attribute and data set
once. What is measured is a block of 200 segments with 20 signals of one channel each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import quantities as pq
from h5py import h5a, h5d, h5g, h5o, h5p, h5s, h5t

from benchmarks.measure import Benchmark, Place, Work
from ephyrus.core import AnalogSignal, Block, Segment
from ephyrus.io import NixIO

SAMPLES = 1000
LINK = h5p.create(h5p.LINK_CREATE)
LINK.set_char_encoding(h5t.CSET_UTF8)
GROUP = h5p.create(h5p.GROUP_CREATE)
GROUP.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
SCALAR = h5s.create(h5s.SCALAR)


def _block(package: Any, segments: int, signals: int) -> Any:
    """Make a block of one-channel signals."""
    values = np.random.default_rng(1).normal(size=(SAMPLES, 1))
    block = package.Block(name="session", rig="left")
    for number in range(segments):
        segment = package.Segment(name=f"trial {number}", trial=number)
        block.segments.append(segment)
        for channel in range(signals):
            signal = package.AnalogSignal(
                values + channel, units="mV", sampling_rate=1 * pq.kHz, name=f"cell {channel}"
            )
            signal.annotate(gain=2.0, electrode="tip")
            segment.analogsignals.append(signal)
    return block


class _Ours:
    Block, Segment, AnalogSignal = Block, Segment, AnalogSignal


def _steps(path: Path) -> list[tuple[Any, ...]]:
    """List what there is to make in a file like this one: groups, data sets, links, attributes."""
    steps: list[tuple[Any, ...]] = []
    seen: dict[Any, bytes] = {}

    def visit(gid: Any, place: bytes) -> None:
        _attributes(gid, place, steps)
        names: list[bytes] = []
        gid.links.iterate(names.append, idx_type=h5py.h5.INDEX_CRT_ORDER)
        for name in names:
            child = h5o.open(gid, name)
            where = place + b"/" + name if place else name
            key = h5g.get_objinfo(child, b".").objno
            if key in seen:
                steps.append(("link", seen[key], place, name))
                continue
            seen[key] = where
            if isinstance(child, h5g.GroupID):
                steps.append(("group", place, name, where))
                visit(child, where)
            else:
                values = np.empty(child.shape, child.dtype)
                child.read(h5s.ALL, h5s.ALL, values)
                facts = child.get_type(), child.get_space(), child.get_create_plist()
                steps.append(("data", place, name, where, *facts, values))
                _attributes(child, where, steps)

    with h5py.File(path, "r") as file:
        visit(h5g.open(file.id, b"/"), b"")
    return steps


def _attributes(loc: Any, place: bytes, steps: list[tuple[Any, ...]]) -> None:
    for number in range(h5a.get_num_attrs(loc)):
        found = h5a.open(loc, index=number)
        values = np.empty(found.shape, found.dtype)
        found.read(values)
        is_text = values.dtype == object
        if is_text:
            texts = [each.decode() if isinstance(each, bytes) else each for each in values.ravel()]
            values = np.array(texts, h5py.string_dtype()).reshape(found.shape)
        memory = h5t.py_create(values.dtype) if is_text else None
        steps.append(
            ("text", place, found.name, found.get_type(), found.get_space(), values, memory)
        )


def _repeat(steps: list[tuple[Any, ...]], path: Path) -> None:
    """Make a file of these steps."""
    path.unlink(missing_ok=True)
    with h5py.File(path, "w", libver=("v108", "latest"), track_order=True) as file:
        places: dict[bytes, Any] = {b"": h5g.open(file.id, b"/")}
        for kind, place, *facts in steps:
            if kind == "group":
                name, where = facts
                places[where] = h5g.create(places[place], name, LINK, GROUP)
            elif kind == "data":
                name, where, dtype, space, plist, values = facts
                did = h5d.create(places[place], name, dtype, space, plist, lcpl=LINK)
                if values.size:
                    did.write(h5s.ALL, h5s.ALL, values)
                places[where] = did
            elif kind == "link":
                where, name = facts
                h5o.link(places[place], places[where], name, lcpl=LINK)
            else:
                name, dtype, space, values, memory = facts
                h5a.create(places[place], name, dtype, space).write(values, mtype=memory)


def _visit(path: Path) -> None:
    """List every group, read every attribute and every data set of a file once."""
    seen = set()

    def visit(gid: Any) -> None:
        _read_attributes(gid)
        names: list[bytes] = []
        gid.links.iterate(names.append, idx_type=h5py.h5.INDEX_CRT_ORDER)
        for name in names:
            child = h5o.open(gid, name)
            key = h5g.get_objinfo(child, b".").objno
            if key in seen:
                continue
            seen.add(key)
            if isinstance(child, h5g.GroupID):
                visit(child)
            else:
                values = np.empty(child.shape, child.dtype)
                child.read(h5s.ALL, h5s.ALL, values)
                _read_attributes(child)

    with h5py.File(path, "r") as file:
        visit(h5g.open(file.id, b"/"))


def _read_attributes(loc: Any) -> None:
    for number in range(h5a.get_num_attrs(loc)):
        found = h5a.open(loc, index=number)
        found.read(np.empty(found.shape, found.dtype))


def _sizes(place: Place) -> tuple[int, int]:
    return place.count(200), 20


def _written(place: Place) -> Path:
    path = place.folder / "session.nix"
    with NixIO(path, "ow") as file:
        file.write_block(_block(_Ours, *_sizes(place)))
    return path


def _write(place: Place) -> Work:
    steps = _steps(_written(place))
    block = _block(_Ours, *_sizes(place))
    ours, floor = place.folder / "ours.nix", place.folder / "floor.h5"

    def write() -> None:
        ours.unlink(missing_ok=True)
        with NixIO(ours, "ow") as file:
            file.write_block(block)

    return Work(write, lambda: _repeat(steps, floor), _neo_writes(place))


def _neo_writes(place: Place) -> Any:
    io = _neo_io(place)
    if io is None:
        return None
    block = _block(place.neo, *_sizes(place))
    path = place.folder / "neo.nix"

    def write() -> None:
        file = io(str(path), "ow")
        file.write_block(block)
        file.close()

    return write


def _neo_io(place: Place) -> Any:
    """Give neo's NixIO where it and the package that it needs are installed."""
    if place.neo is None:
        return None
    try:
        import nixio  # noqa: F401  # neo's class is there without it, and fails when it is used
        from neo.io.nixio import NixIO as NeoNixIO
    except ImportError:
        return None
    return NeoNixIO


def _read(place: Place, *, lazy: bool) -> Work:
    path = _written(place)

    def read() -> None:
        with NixIO(path, "ro") as file:
            file.read_block(0, lazy=lazy)

    def read_by_neo() -> None:
        file = _neo_io(place)(str(path), "ro")
        file.read_block(0)
        file.close()

    neo = None if lazy or _neo_io(place) is None else read_by_neo
    return Work(read, lambda: _visit(path), neo)


def benchmarks() -> list[Benchmark]:
    """List the benchmarks of objects in NIX."""
    title = "a block of 200 segments x 20 signals"
    return [
        Benchmark("nix", f"{title}: write", _write, ratio=1.5),
        Benchmark("nix", f"{title}: read", lambda place: _read(place, lazy=False), ratio=1.5),
        Benchmark("nix", f"{title}: read lazily", lambda place: _read(place, lazy=True), ratio=1.5),
    ]
