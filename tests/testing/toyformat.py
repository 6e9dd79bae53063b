"""A tiny format with everything the contract looks at, and ways to break it.

A recording is the file ``rec.toy``, or its folder. File: magic, channels, rate, samples, spikes,
name of a companion; then the samples; then the spikes. The companion has one line of text per
event: its tick and its label.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np

from ephyrus.errors import WrongFormatError
from ephyrus.recording import (
    Channels,
    Format,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    Unit,
    checked_count,
    columns,
    corrupt,
    fixed_text,
    read_struct,
    read_text,
    run_table,
)
from ephyrus.testing import Sample

MAGIC = b"TOY1"
HEAD = np.dtype(
    [
        ("magic", "S4"),
        ("channels", "<u2"),
        ("rate", "<u2"),
        ("samples", "<u4"),
        ("spikes", "<u4"),
        ("companion", "S16"),
    ]
)
SPIKE = np.dtype([("tick", "<u4"), ("unit", "<u2")])
FORMAT = Format(
    name="toy",
    label="Toy",
    io_class="ToyIO",
    extensions=("toy",),
    holds=("AnalogSignal", "SpikeTrain", "Event"),
)


# Writing


def write(folder: Path, *, channels=3, samples=200, spikes=40, companion="events.txt") -> Path:
    rng = np.random.default_rng(channels)
    head = np.array((MAGIC, channels, 1000, samples, spikes, companion.encode()), HEAD)
    values = rng.integers(-30000, 30000, (samples, channels)).astype("<i2")
    table = np.zeros(spikes, SPIKE)
    table["tick"] = np.sort(rng.integers(0, samples, spikes))
    table["unit"] = rng.integers(0, 2, spikes)
    path = folder / "rec.toy"
    path.write_bytes(head.tobytes() + values.tobytes() + table.tobytes())
    (folder / companion).write_text("".join(f"{tick}\tlabel {tick}\n" for tick in (5, 60, 100)))
    return path


def write_large(folder: Path) -> Path:
    path = write(folder, channels=100, samples=1, spikes=0)
    count = 600_000
    head = np.array((MAGIC, 100, 1000, count, 0, b"events.txt"), HEAD)
    with path.open("r+b") as file:
        file.write(head.tobytes())
        file.truncate(HEAD.itemsize + count * 100 * 2)
    return path


def boundaries(data: bytes) -> list[int]:
    head = np.frombuffer(data, HEAD, 1)[0]
    spikes = HEAD.itemsize + int(head["samples"]) * int(head["channels"]) * 2
    return [0, 4, 6, 8, 12, 16, HEAD.itemsize, spikes, len(data)]


def samples() -> list[Sample]:
    return [
        Sample("toy", "three", write, boundaries=boundaries, large=write_large),
        Sample("toy", "one", lambda folder: write(folder, channels=1), boundaries=boundaries),
    ]


def folder_sample() -> Sample:
    return Sample("toy", "folder", lambda folder: write(folder).parent)


# Reading


@dataclass(frozen=True, slots=True)
class Header:
    channels: int
    rate: int
    samples: int
    spikes: int
    events: tuple[tuple[int, str], ...]


def main_file(files):
    return files.source("rec.toy") if files.is_dir else files.main


def sniff(files, head):
    if files.is_dir:
        return 0.9 if files.exists("rec.toy") else 0.0
    return 1.0 if head.startswith(MAGIC) else 0.0


def parse_header(opening):
    main = main_file(opening.files)
    head = read_struct(main, 0, HEAD, "head")
    if head["magic"] != MAGIC:
        raise WrongFormatError(main.name, "no toy file")
    if not head["channels"] or not head["rate"]:
        corrupt(main, "channels and rate must be above 0", field="head")
    samples, spikes, channels = (int(head[name]) for name in ("samples", "spikes", "channels"))
    room = main.size - HEAD.itemsize
    needed = samples * channels * 2 + spikes * SPIKE.itemsize
    if needed > room and opening.salvage:
        opening.note("cut", lost=1)
        samples = min(samples, room // (channels * 2))
        spikes = min(spikes, (room - samples * channels * 2) // SPIKE.itemsize)
    checked_count(main, samples, channels * 2, HEAD.itemsize, "samples")
    checked_count(main, spikes, SPIKE.itemsize, HEAD.itemsize + samples * channels * 2, "spikes")
    return Header(channels, int(head["rate"]), samples, spikes, _events(opening, head))


def _events(opening, head):
    source = opening.files.source(fixed_text(head["companion"]), field="companion")
    events = []
    for line in read_text(source, "events").splitlines():
        tick, _, label = line.partition("\t")
        if not (tick.isascii() and tick.isdigit() and int(tick) < 2**62 and label):
            corrupt(source, f"found {line!r}, expected a tick and a label")
        events.append((int(tick), label))
    return tuple(sorted(events))


def index(opening, header):
    main = main_file(opening.files)
    offset = HEAD.itemsize + header.samples * header.channels * 2
    spikes = main.array(offset, SPIKE, header.spikes, field="spikes")
    return spikes[np.argsort(spikes["tick"], kind="stable")]


def describe(header, index):
    clock = Fraction(header.rate)
    names = [f"ch{number}" for number in range(header.channels)]
    units = np.unique([0, *index["unit"].tolist()])
    counts = np.array([[np.count_nonzero(index["unit"] == unit)] for unit in units])
    runs = {True: run_table([]), False: run_table([len(index)])}[len(index) == 0]
    spikes = TableStream(
        0,
        "spikes",
        "spikes",
        "spikes",
        len(index),
        columns(tick="<i8", unit="<i4"),
        clock,
        runs,
        units=tuple(Unit(int(unit), f"unit{unit}", f"#{unit}") for unit in units),
        unit_counts=counts[:, : len(runs)],
    )
    count = len(header.events)
    runs = run_table([count] if count else [])
    events = TableStream(
        1, "events", "events", "events", count, columns(tick="<i8", label=object), clock, runs
    )
    signal = SignalStream(
        0,
        "signal",
        "signal",
        header.samples,
        np.dtype("<i2"),
        clock,
        Channels.table(names, units="uV", gain=0.5, offset=1.0),
        run_table([header.samples]),
        clock,
    )
    return RecordingInfo((SegmentInfo(),), signals=(signal,), tables=(spikes, events))


def read_signal(reading, stream, start, stop, channels):
    width = reading.header.channels
    offset = HEAD.itemsize + start * width * 2
    flat = main_file(reading.files).array(offset, stream.dtype, (stop - start) * width)
    values = flat.reshape(stop - start, width)
    return values if channels is None else values[:, channels]


def read_table(reading, stream, start, stop, columns):
    if stream.kind == "spikes":
        rows = reading.index[start:stop]
        made = {"tick": rows["tick"].astype("<i8"), "unit": rows["unit"].astype("<i4")}
    else:
        events = reading.header.events[start:stop]
        made = {
            "tick": np.array([tick for tick, _ in events], "<i8"),
            "label": np.array([label for _, label in events], object),
        }
    return {name: made[name] for name in columns}


def read_rows(reading, stream, rows, columns):
    found = read_table(reading, stream, 0, stream.length, columns)
    return {name: column[rows] for name, column in found.items()}


NAMES = (
    "FORMAT",
    "sniff",
    "parse_header",
    "index",
    "describe",
    "read_signal",
    "read_table",
    "read_rows",
)


def variant(monkeypatch, name: str, **changed) -> ModuleType:
    """A module like this one, with other functions, that can be imported while the test runs."""
    module = ModuleType(f"toy_{name}")
    for each in NAMES:
        setattr(module, each, changed.pop(each, globals()[each]))
    assert not changed, "no such function"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module
