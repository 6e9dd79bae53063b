"""Makes .nex and .nex5 files from the description of the formats."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.testing.sample import Sample

NEURON, EVENT, INTERVAL, WAVEFORM, POPULATION, CONTINUOUS, MARKER = range(7)
NEX_HEADER, NEX_VARIABLE, NEX5_HEADER, NEX5_VARIABLE = 544, 208, 356, 244


@dataclass
class Variable:
    """One variable; its arrays are the truth.

    `ticks`: time stamps, starts of intervals, or of fragments; `values`: waveforms (n, points),
    samples, ends of intervals, or weights; `indexes`: first sample of each fragment; `fields`:
    name and values of each field of a marker. Other attributes overwrite the header.
    """

    kind: int
    name: str | bytes
    ticks: Any = ()
    values: Any = ()
    indexes: Any = (0,)
    fields: Sequence[tuple[str | bytes, Sequence[Any]]] = ()
    rate: float = 1000.0
    gain: float = 0.5
    shift: float = 0.0
    prethreshold: float = 0.0
    version: int = 102
    wire: int = 0
    unit: int = 0
    x: float = 0.0
    y: float = 0.0
    units: str = "mV"
    is_long: bool = False
    is_float: bool = False
    has_long_indexes: bool = False
    has_numbers: bool = False
    text_bytes: int = 8
    count: int | None = None
    points: int | None = None
    offset: int | None = None
    n_fields: int | None = None
    types: dict[str, int] = field(default_factory=dict)

    @property
    def tick_type(self) -> str:
        return "<i8" if self.is_long else "<i4"

    def arrays(self, *, new: bool) -> list[Any]:
        """What stands at the offset, in order."""
        ticks = np.asarray(self.ticks, self.tick_type)
        if self.kind in (NEURON, EVENT):
            return [ticks]
        if self.kind == INTERVAL:
            return [ticks, np.asarray(self.values, self.tick_type)]
        if self.kind == POPULATION:
            return [np.asarray(self.values, "<f8")]
        values = "<f4" if self.is_float else "<i2"
        if self.kind == WAVEFORM:
            return [ticks, np.asarray(self.values, values)]
        if self.kind == CONTINUOUS:
            index = ("<u8" if self.has_long_indexes else "<u4") if new else "<i4"
            return [ticks, np.asarray(self.indexes, index), np.asarray(self.values, values)]
        return [ticks, *(part for name, each in self.fields for part in self._field(name, each))]

    def _field(self, name: str | bytes, values: Sequence[Any]) -> list[Any]:
        if self.has_numbers:
            return [text(name, 64), np.asarray(values, "<u4")]
        return [text(name, 64), b"".join(text(each, self.text_bytes) for each in values)]

    def numbers(self) -> tuple[int, int, int]:
        """Count, points and marker fields as the header gives them."""
        count = len(self.values) if self.kind == POPULATION else len(self.ticks)
        shape = np.shape(self.values)
        points = {WAVEFORM: shape[1] if len(shape) > 1 else 0, CONTINUOUS: len(self.values)}
        return (
            count if self.count is None else self.count,
            points.get(self.kind, 0) if self.points is None else self.points,
            len(self.fields) if self.n_fields is None else self.n_fields,
        )


@dataclass
class Parts:
    """A file as a list of byte strings and arrays."""

    parts: list[Any]
    boundaries: list[int] = field(default_factory=list)

    def tobytes(self) -> bytes:
        return b"".join(
            part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
            for part in self.parts
        )

    def write(self, path: Path) -> Path:
        with path.open("wb") as file:
            for part in self.parts:
                if isinstance(part, bytes):
                    file.write(part)
                else:
                    np.ascontiguousarray(part).tofile(file)
        return path


def text(value: str | bytes, width: int, encoding: str = "cp1252") -> bytes:
    """Text of fixed width; bytes are taken as they are."""
    raw = value if isinstance(value, bytes) else value.encode(encoding)
    return raw[:width].ljust(width, b"\0")


def size(part: Any) -> int:
    return len(part) if isinstance(part, bytes) else part.nbytes


def nex(
    variables: Sequence[Variable],
    *,
    version: int = 106,
    frequency: float = 40_000.0,
    comment: str | bytes = "made",
    extent: tuple[int, int] = (0, 1),
    count: int | None = None,
    data_order: Sequence[int] | None = None,
    gap: int = 0,
) -> Parts:
    """A .nex file; `data_order`: positions of the variables in the order of their data."""
    arrays = [variable.arrays(new=False) for variable in variables]
    begin = NEX_HEADER + NEX_VARIABLE * len(variables)
    offsets, data, bounds = placed(arrays, begin, data_order, gap)
    head = struct.pack("<4si", b"NEX1", version) + text(comment, 256)
    number = len(variables) if count is None else count
    head += struct.pack("<diiii", frequency, *extent, number, 0) + bytes(256)
    for variable, offset in zip(variables, offsets, strict=True):
        n, points, fields = variable.numbers()
        place = offset if variable.offset is None else variable.offset
        head += struct.pack("<ii", variable.kind, variable.version) + text(variable.name, 64)
        head += struct.pack("<Iiii", place & 0xFFFFFFFF, n, variable.wire, variable.unit)
        head += struct.pack("<iidd", 0, 0, variable.x, variable.y)
        head += struct.pack("<ddi", variable.rate, variable.gain, points)
        head += struct.pack("<ii", fields, variable.text_bytes)
        head += struct.pack("<dd", variable.shift, variable.prethreshold) + bytes(52)
    assert len(head) == begin
    return Parts([head, *data], boundaries(begin, NEX_HEADER, NEX_VARIABLE, bounds))


def nex5(
    variables: Sequence[Variable],
    *,
    version: int = 502,
    frequency: float = 40_000.0,
    comment: str | bytes = "made",
    extent: tuple[int, int] = (0, 1),
    metadata: Any = None,
    data_order: Sequence[int] | None = None,
    gap: int = 0,
) -> Parts:
    """A .nex5 file; `metadata`: what becomes JSON, or bytes as they are."""
    arrays = [variable.arrays(new=True) for variable in variables]
    begin = NEX5_HEADER + NEX5_VARIABLE * len(variables)
    offsets, data, bounds = placed(arrays, begin, data_order, gap)
    tail = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    end = bounds[-1] if metadata is not None else 0
    head = struct.pack("<4si", b"NEX5", version) + text(comment, 256, "utf-8")
    head += struct.pack("<dqi", frequency, extent[0], len(variables))
    head += struct.pack("<qq", end, extent[1]) + bytes(56)
    for variable, offset in zip(variables, offsets, strict=True):
        n, points, fields = variable.numbers()
        place = offset if variable.offset is None else variable.offset
        types = {
            "tick": int(variable.is_long),
            "value": int(variable.is_float),
            "marker": int(variable.has_numbers),
            "index": int(variable.has_long_indexes),
            **variable.types,
        }
        head += struct.pack("<ii", variable.kind, 500) + text(variable.name, 64, "utf-8")
        head += struct.pack("<QQii", place, n, types["tick"], types["value"])
        head += struct.pack("<d", variable.rate) + text(variable.units, 32, "utf-8")
        head += struct.pack("<ddQ", variable.gain, variable.shift, points)
        head += struct.pack(
            "<diii", variable.prethreshold, types["marker"], fields, variable.text_bytes
        )
        head += struct.pack("<i", types["index"]) + bytes(60)
    assert len(head) == begin
    parts = [head, *data] + ([tail] if metadata is not None else [])
    return Parts(parts, boundaries(begin, NEX5_HEADER, NEX5_VARIABLE, bounds))


def placed(
    arrays: list[list[Any]], begin: int, order: Sequence[int] | None, gap: int
) -> tuple[list[int], list[Any], list[int]]:
    """Offsets of the variables, the data in file order, and where each array ends."""
    offsets, data, bounds, place = [0] * len(arrays), [], [begin], begin
    for at in range(len(arrays)) if order is None else order:
        if gap:
            data.append(b"\xee" * gap)
            place += gap
        offsets[at] = place
        for part in arrays[at]:
            data.append(part)
            place += size(part)
            bounds.append(place)
    return offsets, data, bounds


def boundaries(begin: int, header: int, variable: int, bounds: list[int]) -> list[int]:
    return [0, 4, 264, header, *range(header, begin + 1, variable), *bounds]


# Recordings


def ramp(count: int, start: int = 0, dtype: str = "<i2") -> np.ndarray:
    """Samples that differ from their neighbours, positive and negative."""
    return ((np.arange(start, start + count) * 37) % 4001 - 2000).astype(dtype)


def everything(*, is_long: bool = False, is_float: bool = False) -> list[Variable]:
    """One variable of each kind, and two continuous ones of equal rate; one stretch."""
    waves = ramp(60, 5, "<f4" if is_float else "<i2").reshape(6, 10)
    made = [
        Variable(NEURON, "sig001a", [400, 1200, 1200, 5000], wire=1, unit=1, x=20.0, y=30.0),
        Variable(
            WAVEFORM, "sig001a_wf", [400, 1200, 1300, 5000, 5001, 7999], waves, rate=40_000.0,
            gain=0.25, shift=1.5, prethreshold=0.000225, wire=1, unit=1,
        ),
        Variable(EVENT, "Start", [0]),
        Variable(EVENT, "None"),
        Variable(INTERVAL, "AllFile", [0], [8000]),
        Variable(INTERVAL, "trials", [100, 2000, 4000], [1500, 2500, 7000]),
        Variable(CONTINUOUS, "FP01", [0], ramp(200), gain=0.125, shift=-2.0),
        Variable(CONTINUOUS, "FP02", [0], ramp(200, 77), gain=0.25),
        Variable(CONTINUOUS, "slow", [40], ramp(20, 9), rate=100.0),
        Variable(CONTINUOUS, "empty", (), (), ()),
        Variable(
            MARKER, "Strobed", [80, 800, 8000],
            fields=[("DIO", ["00001", "00255", "9"]), ("note", ["first", "", "third"])],
            text_bytes=6,
        ),
        Variable(POPULATION, "weights", values=[0.25, -1.5]),
    ]  # fmt: skip
    for variable in made:
        variable.is_long = is_long
        variable.is_float = is_float
    return made


def stretches(*, is_long: bool = False, has_long_indexes: bool = False) -> list[Variable]:
    """Two pauses common to all, and fragments that follow without a gap; ticks of 40 kHz."""
    starts, indexes = [400, 2400, 10_000, 30_000], [0, 50, 100, 180]
    made = [
        Variable(CONTINUOUS, "FP01", starts, ramp(220), indexes),
        Variable(CONTINUOUS, "FP02", starts, ramp(220, 50), indexes, gain=0.25),
        Variable(
            CONTINUOUS, "fast", [400, 10_000, 30_000], ramp(440, 7), [0, 200, 360], rate=2000.0
        ),
        Variable(NEURON, "sig001a", [399, 400, 9999, 10_000, 29_999, 30_000, 90_000]),
        Variable(EVENT, "late", [31_000]),
    ]  # fmt: skip
    for variable in made:
        variable.is_long = is_long
        variable.has_long_indexes = has_long_indexes
    return made


def unrelated() -> list[Variable]:
    """One variable pauses while another goes on."""
    return [
        Variable(CONTINUOUS, "whole", [0], ramp(1000)),
        Variable(CONTINUOUS, "parts", [4000, 24_000], ramp(300), [0, 100]),
        Variable(EVENT, "both", [5000, 30_000]),
    ]


def unsorted() -> list[Variable]:
    """Time stamps that go back, one of them negative."""
    waves = ramp(40).reshape(4, 10)
    return [
        Variable(NEURON, "sig001a", [500, -200, 300, 300]),
        Variable(WAVEFORM, "sig001a_wf", [500, -200, 300, 300], waves),
        Variable(INTERVAL, "trials", [900, 100], [950, 400]),
        Variable(MARKER, "words", [9, 3, 5], fields=[("word", ["i", "c", "e"])]),
    ]


def numbered() -> list[Variable]:
    """Markers whose values are numbers (.nex5)."""
    fields = [("word", [3, 2**32 - 1, 0]), ("box", [7, 8, 9])]
    return [Variable(MARKER, "Strobed", [10, 20, 30], fields=fields, has_numbers=True)]


def many(count: int = 12) -> list[Variable]:
    """As many continuous variables as are put together in the other way."""
    return [Variable(CONTINUOUS, f"FP{at:02}", [0], ramp(300, at), gain=0.5) for at in range(count)]


METADATA = {
    "file": {"writerSoftware": {"name": "made", "version": "1.5"}},
    "variables": [
        {
            "name": "sig001a",
            "unitNumber": 1,
            "probe": {"wireNumber": 7, "position": {"x": 10, "y": 2.5}},
        },
        {"name": "sig001a_wf"},
    ],
}


def big(
    path: Path,
    *,
    samples: int = 0,
    channels: int = 16,
    spikes: int = 0,
    units: int = 16,
    points: int = 32,
    events: int = 0,
    rate: float = 1000.0,
) -> Path:
    """A large file: .nex5 or .nex by the ending of `path`.

    Parameters
    ----------
    path : Path
        Where to.
    samples, channels : int
        Samples of each continuous variable, and their number; all have one fragment from 0 on.
    spikes, units, points : int
        Spikes altogether, spread over so many waveform variables with waveforms of so many points
        (0: neurons instead).
    events : int
        Time stamps of one event variable.
    rate : float
        Of continuous variables, Hz.
    """
    rng = np.random.default_rng(1)
    made = []
    for unit in range(units if spikes else 0):
        count = spikes * (unit + 1) // units - spikes * unit // units
        ticks = np.cumsum(rng.integers(20, 400, count)).astype(np.int64)
        waves = rng.integers(-2000, 2000, (count, points), np.int16) if points else ()
        made.append(
            Variable(
                WAVEFORM if points else NEURON,
                f"sig{unit:03}a",
                ticks,
                waves,
                rate=40_000.0,
                gain=0.001,
                prethreshold=0.0002,
                wire=unit,
                unit=1,
            )
        )
    if events:
        made.append(Variable(EVENT, "Event", np.arange(events) * 40))
    if samples:
        base = rng.integers(-2000, 2000, samples, np.int16)
        made += [
            Variable(CONTINUOUS, f"FP{at:03}", [0], base, rate=rate, gain=0.01)
            for at in range(channels)
        ]
    last = [int(each.ticks[-1]) for each in made if len(each.ticks)]
    extent = 0, max([*last, round(samples / rate * 40_000)]) + 1
    return (nex5 if path.suffix == ".nex5" else nex)(made, extent=extent).write(path)


def sparse(path: Path, *, samples: int = 30_000_000, channels: int = 2) -> Path:
    """A file of continuous variables whose samples are a hole in the file."""
    begin = NEX_HEADER + NEX_VARIABLE * channels
    step = 8 + 2 * samples
    made = [
        Variable(
            CONTINUOUS, f"FP{at:03}", [0], points=samples, offset=begin + at * step
        )
        for at in range(channels)
    ]  # fmt: skip
    with nex(made).write(path).open("r+b") as file:
        file.truncate(begin)
        for at in range(channels):
            file.seek(begin + at * step)
            file.write(bytes(8))
        file.truncate(begin + channels * step)
    return path


def sample(name: str, made: Parts, *, large: bool = False) -> Sample:
    suffix = "nex5" if made.parts[0].startswith(b"NEX5") else "nex"
    return Sample(
        "neuroexplorer",
        name,
        lambda folder: made.write(folder / f"{name}.{suffix}"),
        boundaries=lambda data: made.boundaries,
        large=(lambda folder: sparse(folder / "large.nex")) if large else None,
    )


def samples() -> list[Sample]:
    """Small recordings of every variant."""
    extent = {"extent": (0, 8001)}
    return [
        sample("nex-106", nex(everything(), **extent), large=True),
        sample("nex-101", nex(everything(), version=101, **extent)),
        sample("nex-stretches", nex(stretches(), gap=5)),
        sample("nex-unrelated", nex(unrelated())),
        sample("nex-unsorted", nex(unsorted())),
        sample("nex-many", nex(many())),
        sample("nex5-502", nex5(everything(is_long=True), metadata=METADATA, **extent)),
        sample("nex5-float", nex5(everything(is_float=True), version=501, **extent)),
        sample(
            "nex5-stretches",
            nex5(stretches(is_long=True, has_long_indexes=True), version=500),
        ),
        sample("nex5-numbers", nex5(numbered())),
    ]
