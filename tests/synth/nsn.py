"""Makes .nsn files from the description of the format."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ephyrus.testing.sample import Sample

TEXT, CSV, BYTE, WORD, DWORD = range(5)
MAGIC = b"NSN ver00000010\0"
HEADER_BYTES = 16 + 404


@dataclass
class Place:
    """Place and filters, as several structures end with them."""

    location: tuple[float, float, float, float] = (0.001, 0.002, 0.003, 0.004)
    high: float = 5000.0
    high_order: int = 4
    high_type: bytes = b"Butterworth"
    low: float = 1.0
    low_order: int = 2
    low_type: bytes = b"sixteen letters!"
    probe: bytes = "probe é".encode("latin-1")

    def packed(self) -> bytes:
        return struct.pack(
            "<5dI16sdI16s128s",
            *self.location,
            self.high,
            self.high_order,
            self.high_type,
            self.low,
            self.low_order,
            self.low_type,
            self.probe,
        )


@dataclass
class Analog:
    label: bytes
    runs: Sequence[tuple[float, np.ndarray]]
    rate: float = 1000.0
    units: bytes = b"uV"
    least: float = -100.0
    greatest: float = 1000.0
    resolution: float = 0.5
    place: Place = field(default_factory=Place)
    kind = 2

    @property
    def count(self) -> int:
        return sum(len(samples) for _, samples in self.runs)

    def info(self) -> bytes:
        head = struct.pack(
            "<3d16sd", self.rate, self.least, self.greatest, self.units, self.resolution
        )
        return head + self.place.packed()

    def data(self) -> bytes:
        return b"".join(
            struct.pack("<dI", time, len(samples)) + np.asarray(samples, "<f8").tobytes()
            for time, samples in self.runs
        )


@dataclass
class Events:
    label: bytes
    times: Sequence[float]
    items: Sequence[bytes]
    event_type: int = TEXT
    csv: bytes = b""
    kind = 1

    @property
    def count(self) -> int:
        return len(self.items)

    def info(self) -> bytes:
        lengths = [len(item) for item in self.items] or [0]
        return struct.pack("<3I128s", self.event_type, min(lengths), max(lengths), self.csv)

    def data(self) -> bytes:
        return b"".join(
            struct.pack("<dI", time, len(item)) + item
            for time, item in zip(self.times, self.items, strict=True)
        )


@dataclass
class Segments:
    """Items of shape (sources, samples) each; `rows_written` 1: only the first row is stored."""

    label: bytes
    times: Sequence[float]
    waveforms: Sequence[np.ndarray]
    units: Sequence[int]
    sources: int = 1
    rate: float = 30000.0
    unit: bytes = b"mV"
    rows_written: int | None = None
    kind = 3

    @property
    def count(self) -> int:
        return len(self.times)

    def info(self) -> bytes:
        lengths = [each.shape[1] for each in self.waveforms] or [0]
        head = struct.pack(
            "<3Id32s", self.sources, min(lengths), max(lengths), self.rate, self.unit
        )
        return head + b"".join(
            struct.pack("<4d", -1.0, 1.0, 0.001 * (at + 1), 1e-6 * at) + Place().packed()
            for at in range(self.sources)
        )

    def data(self) -> bytes:
        return b"".join(
            struct.pack("<IdI", each.shape[1], time, unit)
            + np.asarray(each[: self.rows_written], "<f8").tobytes()
            for time, each, unit in zip(self.times, self.waveforms, self.units, strict=True)
        )


@dataclass
class Neural:
    label: bytes
    times: Sequence[float]
    source_entity: int = 0
    source_unit: int = 0
    probe: bytes = b"tetrode"
    kind = 4

    @property
    def count(self) -> int:
        return len(self.times)

    def info(self) -> bytes:
        return struct.pack("<2I128s", self.source_entity, self.source_unit, self.probe)

    def data(self) -> bytes:
        return np.asarray(self.times, "<f8").tobytes()


@dataclass
class Information:
    text: str
    kind = 5


@dataclass
class Unknown:
    kind: int
    content: bytes


Entity = Analog | Events | Segments | Neural | Information | Unknown


def element(entity: Entity, count: int | None = None) -> bytes:
    if isinstance(entity, Information):
        body = gzip.compress(entity.text.encode("utf-8"), mtime=0)
    elif isinstance(entity, Unknown):
        body = entity.content
    else:
        items = entity.count if count is None else count
        body = struct.pack("<32sII", entity.label, entity.kind, items)
        body += entity.info() + entity.data()
    return struct.pack("<II", entity.kind, len(body)) + body


@dataclass
class File:
    entities: Sequence[Entity]
    magic: bytes = MAGIC
    file_type: bytes = b"test recording"
    resolution: float = 1 / 30000
    span: float = 12.5
    application: bytes = b"a program"
    date: tuple[int, ...] = (2019, 2, 4, 28, 23, 59, 58, 999)
    comment: bytes = "Messung ä".encode("latin-1")
    entity_count: int | None = None

    def head(self) -> bytes:
        count = len(self.entities) if self.entity_count is None else self.entity_count
        return self.magic + struct.pack(
            "<32sI2d64s8I256s",
            self.file_type,
            count,
            self.resolution,
            self.span,
            self.application,
            *self.date,
            self.comment,
        )

    def packed(self) -> bytes:
        return self.head() + b"".join(element(entity) for entity in self.entities)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.packed())
        return path


def wave(start: int, count: int, step: float = 0.5) -> np.ndarray:
    return (np.arange(start, start + count) % 4096) * step - 100


GAPS = ((0.0, wave(0, 100)), (2.5, wave(100, 50)), (10.0, wave(150, 1)))


def everything() -> File:
    shapes = np.random.default_rng(6).normal(size=(6, 3, 20))
    return File(
        [
            Events(b"words", [0.25, 0.5, 0.75, 12.0], [b"start", "Reiz ü".encode(), b"", b"stop"]),
            Events(b"table", [1.25, 1.5], [b"0,100", b"1,101"], CSV, b"x,y"),
            Events(b"bytes", [0.1, 0.2, 10.0], [bytes([n]) for n in (250, 251, 0)], BYTE),
            Events(
                b"word pairs",
                [0.1, 1.1, 2.6],
                [struct.pack("<2H", 65533 + n, 7 * n) for n in range(3)],
                WORD,
            ),
            Events(
                b"long words", [0.0, 3.0], [struct.pack("<I", 2**32 - 2 + n) for n in (0, 1)], DWORD
            ),
            Analog(b"gaps", GAPS),
            Analog(b"gaps too", [(time, 2 * samples) for time, samples in GAPS], units=b"mV"),
            Segments(
                b"tetrode",
                [0.5 + 1.25 * n for n in range(6)],
                [shapes[n, :, : 5 + 3 * n] for n in range(6)],
                [0, 1, 2, 4, 2, 0],
                sources=3,
            ),
            Neural(b"neural", [0.125 * n * n for n in range(7)], 7, 2),
            Events(b"nothing", [], [], WORD),
            Analog(b"fast", [(0.0, wave(0, 3000))], rate=30000.0),
            Information("<xml>größer</xml>"),
            Neural(b"no spikes", []),
            Events(b"epochs", [0.5, 2.5], [b'"a, b",0.25', b"c,1.5"], CSV, b"label,duration (s)"),
        ]
    )


def spikes(count: int = 40, samples: int = 32) -> File:
    """Waveforms of equal length of one source, and one row each of two sources."""
    shapes = np.random.default_rng(7).normal(size=(count, 1, samples))
    times = np.arange(count) / 8
    units = [n % 3 for n in range(count)]
    return File(
        [
            Segments(b"one source", times.tolist(), list(shapes), units),
            Segments(
                b"one row",
                times[:7].tolist(),
                list(shapes[:7]),
                units[:7],
                sources=2,
                rows_written=1,
            ),
        ]
    )


def atr(count: int = 5, samples: int = 16) -> File:
    """One source record for every item."""
    shapes = np.random.default_rng(8).normal(size=(count, 1, samples))
    times = (np.arange(count) / 4).tolist()
    return File([Segments(b"atr", times, list(shapes), [0] * count, sources=count)])


def old() -> File:
    """Blanks instead of NUL, months from 0, another signature."""
    entities = [Analog(b"ch1".ljust(32), GAPS[:1], units=b"mV".ljust(16))]
    return File(
        entities,
        magic=b"NSN ver000000010",
        date=(2004, 0, 0, 3, 1, 2, 3, 4),
        application=b"old".ljust(64),
        comment=b" " * 256,
    )


def boundaries(data: bytes) -> list[int]:
    places, at = [0, 16, HEADER_BYTES], HEADER_BYTES
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        places += [at + 8, at + 48, at + 8 + length]
        at += 8 + length
    return places


def big(path: Path, *, samples: int = 12_500_000, channels: int = 1) -> Path:
    """A recording of continuous channels of known values, `samples` each, quickly."""
    entity = Analog(b"big", [(0.0, np.empty(0))], rate=30000.0)
    ramp = wave(0, 4096)
    with path.open("wb") as file:
        file.write(File([entity] * channels, span=samples / 30000).head())
        for number in range(channels):
            label = f"big {number}".encode()
            info = struct.pack("<32sII", label, 2, samples) + entity.info()
            info += struct.pack("<dI", 0.0, samples)
            file.write(struct.pack("<II", 2, len(info) + 8 * samples) + info)
            whole, rest = divmod(samples, 4096)
            for _ in range(whole):
                file.write(ramp.tobytes())
            file.write(ramp[:rest].tobytes())
    return path


def large(folder: Path) -> Path:
    """The same, of zeros, as a sparse file."""
    path, samples = folder / "large.nsn", 13_000_000
    entity = Analog(b"large", [(0.0, np.empty(0))], rate=30000.0)
    info = struct.pack("<32sII", b"large", 2, samples) + entity.info()
    info += struct.pack("<dI", 0.0, samples)
    with path.open("wb") as file:
        file.write(File([entity], span=samples / 30000).head())
        file.write(struct.pack("<II", 2, len(info) + 8 * samples) + info)
        file.truncate(file.tell() + 8 * samples)
    return path


def big_spikes(path: Path, count: int, samples: int = 32) -> Path:
    """Spikes with waveforms of equal length, quickly."""
    item = np.dtype([("n", "<u4"), ("t", "<f8"), ("unit", "<u4"), ("wave", "<f8", (samples,))])
    made = np.zeros(count, item)
    made["n"], made["t"], made["unit"] = samples, np.arange(count) / 100, np.arange(count) % 4
    made["wave"] = wave(0, samples)
    entity = Segments(b"spikes", [], [], [])
    info = struct.pack("<32sII", b"spikes", 3, count) + entity.info()
    with path.open("wb") as file:
        file.write(File([entity], span=count / 100).head())
        file.write(struct.pack("<II", 3, len(info) + made.nbytes) + info)
        made.tofile(file)
    return path


def _written(make: Callable[[], File]) -> Callable[[Path], Path]:
    return lambda folder: make().write(folder / "recording.nsn")


def samples() -> list[Sample]:
    makers = {"everything": everything, "spikes": spikes, "atr": atr, "old": old}
    return [
        Sample(
            "nsn",
            name,
            _written(make),
            boundaries=boundaries,
            large=large if name == "everything" else None,
        )
        for name, make in makers.items()
    ]
