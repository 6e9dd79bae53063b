"""Makes .nev and .nsX files from the description of the formats, with what must come out of them.

`Nev` and `Nsx` are files; their ``tobytes()`` gives the content. Packets are made as whole arrays
(`spikes`, `inputs`, `comments`, ...), each a table of bytes with one row per packet, and put into
the order of a file by `in_order`. `big` writes the large files of benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.testing.sample import Sample

Version = tuple[int, int]
DATE = datetime(2024, 2, 29, 23, 59, 58, 987000)
CLOCK = 30_000
PTP_CLOCK = 1_000_000_000
PTP_START = 1_709_251_199_123_456_789  # ns since 1970
NEV_MAGIC = {2: b"NEURALEV", 3: b"BREVENTS"}
COMMENT, VIDEO, TRACKING, BUTTON, CONFIGURATION = 0xFFFF, 0xFFFE, 0xFFFD, 0xFFFC, 0xFFFB


def _date(when: datetime | None) -> np.ndarray:
    if when is None:
        return np.zeros(8, "<u2")
    weekday = when.isoweekday() % 7
    parts = [when.year, when.month, weekday, when.day, when.hour, when.minute, when.second]
    return np.array([*parts, when.microsecond // 1000], "<u2")


def _record(fields: Sequence[tuple[str, Any]]) -> bytes:
    """Pack values; texts and bytes are padded to the width in their type (``S16``)."""
    parts = []
    for form, value in fields:
        raw = value.encode("cp1252") if isinstance(value, str) else value
        parts.append(np.array(raw, np.dtype(form)).tobytes())
    return b"".join(parts)


# Continuous files


@dataclass
class Channel:
    """A channel of 2.2 and later."""

    electrode: int
    label: str = "chan"
    units: str = "uV"
    digital: tuple[int, int] = (-32764, 32764)
    analog: tuple[int, int] = (-8191, 8191)
    connector: int = 1
    pin: int = 1
    high_pass: tuple[int, int, int] = (300, 1, 1)  # mHz, order, type
    low_pass: tuple[int, int, int] = (7_500_000, 3, 1)

    def gain(self) -> float:
        return (self.analog[1] - self.analog[0]) / (self.digital[1] - self.digital[0])

    def offset(self) -> float:
        return self.analog[0] - self.digital[0] * self.gain()

    def tobytes(self) -> bytes:
        return _record(
            [
                ("S2", b"CC"),
                ("<u2", self.electrode),
                ("S16", self.label),
                ("u1", self.connector),
                ("u1", self.pin),
                ("<i2", self.digital[0]),
                ("<i2", self.digital[1]),
                ("<i2", self.analog[0]),
                ("<i2", self.analog[1]),
                ("S16", self.units),
                ("<u4", self.high_pass[0]),
                ("<u4", self.high_pass[1]),
                ("<u2", self.high_pass[2]),
                ("<u4", self.low_pass[0]),
                ("<u4", self.low_pass[1]),
                ("<u2", self.low_pass[2]),
            ]
        )


def channels(count: int) -> list[Channel]:
    """Make channels; the last is an analog input in mV, if there are several."""
    made = [
        Channel(each, f"elec{each}", pin=each, analog=(-8191, 8191 - each))
        for each in range(1, count + 1)
    ]
    if count > 1:
        made[-1] = Channel(
            129, "ainp1", "mV", (-32767, 32767), (-5000, 5000), 0, 1, (0, 0, 0), (0, 0, 0)
        )
    return made


@dataclass
class Block:
    """A data block; `points` is what its head says, `stamps` make one block of each sample."""

    stamp: int
    values: np.ndarray
    points: int | None = None
    stamps: np.ndarray | None = None
    marker: int = 1


@dataclass
class Nsx:
    """A continuous file."""

    version: Version = (2, 3)
    blocks: Sequence[Block] = ()
    channels: Sequence[Channel] = ()
    period: int = 1
    resolution: int = CLOCK
    label: str = "30 kS/s"
    comment: str = "made for a test"
    date: datetime | None = DATE
    tail: bytes = b""
    header_padding: int = 0
    channel_count: int | None = None
    changes: dict[str, Any] = field(default_factory=dict)

    def header(self) -> bytes:
        count = len(self.channels) if self.channel_count is None else self.channel_count
        if self.version == (2, 1):
            ids = np.array([each.electrode for each in self.channels], "<u4").tobytes()
            head = [("S8", b"NEURALSG"), ("S16", self.label), ("<u4", self.period), ("<u4", count)]
            return _record(head) + ids
        magic = b"BRSMPGRP" if self.version[0] == 3 else b"NEURALCD"
        size = 314 + 66 * len(self.channels) + self.header_padding
        basic = _record(
            [
                ("S8", magic),
                ("u1", self.version[0]),
                ("u1", self.version[1]),
                ("<u4", self.changes.get("header_bytes", size)),
                ("S16", self.label),
                ("S256", self.comment),
                ("<u4", self.period),
                ("<u4", self.resolution),
                ("<u2", _date(self.date)),
                ("<u4", count),
            ]
        )
        return (
            basic + b"".join(each.tobytes() for each in self.channels) + bytes(self.header_padding)
        )

    def block_bytes(self, block: Block) -> bytes:
        values = np.ascontiguousarray(block.values, "<i2")
        if self.version == (2, 1):
            return values.tobytes()
        stamp = "<u8" if self.version[0] == 3 else "<u4"
        if block.stamps is not None:
            record = [("marker", "u1"), ("stamp", stamp), ("points", "<u4")]
            made = np.zeros(len(values), [*record, ("data", "<i2", values.shape[1])])
            made["marker"], made["stamp"], made["points"] = block.marker, block.stamps, 1
            made["data"] = values
            return made.tobytes()
        points = len(values) if block.points is None else block.points
        head = [("u1", block.marker), (stamp, block.stamp), ("<u4", points)]
        return _record(head) + values.tobytes()

    def tobytes(self) -> bytes:
        return self.header() + b"".join(map(self.block_bytes, self.blocks)) + self.tail

    def boundaries(self) -> list[int]:
        places = [0, 8, 32, 314, len(self.header())]
        for block in self.blocks:
            places += [places[-1] + 9, places[-1] + len(self.block_bytes(block))]
        return places

    @property
    def values(self) -> np.ndarray:
        """All samples, as they are stored."""
        return np.concatenate([block.values for block in self.blocks])


def counts(samples: int, width: int, seed: int = 0) -> np.ndarray:
    """Make stored samples."""
    rng = np.random.default_rng(seed)
    return rng.integers(-32764, 32765, (samples, width)).astype("<i2")


def jittered(samples: int, start: int, seed: int = 0, rate: int = CLOCK) -> np.ndarray:
    """Make PTP time stamps: nominal times with tens of nanoseconds of jitter."""
    rng = np.random.default_rng(seed)
    nominal = start + np.arange(samples) * PTP_CLOCK // rate
    return (nominal + rng.integers(-40, 41, samples)).astype("<u8")


# Spikes and events


@dataclass
class Electrode:
    """A NEUEVWAV header, and the NEUEVLBL and NEUEVFLT headers where there are such."""

    number: int
    factor: int = 250
    sample_bytes: int = 2
    samples: int = 48
    connector: int = 1
    pin: int = 1
    energy: int = 7
    high: int = 60
    low: int = -65
    sorted_units: int = 0
    label: str | None = None
    high_pass: tuple[int, int, int] = (250_000, 4, 1)
    low_pass: tuple[int, int, int] = (7_500_000, 3, 0)

    def headers(self, version: Version) -> list[bytes]:
        made = [
            _record(
                [
                    ("S8", b"NEUEVWAV"),
                    ("<u2", self.number),
                    ("u1", self.connector),
                    ("u1", self.pin),
                    ("<u2", self.factor),
                    ("<u2", self.energy),
                    ("<i2", self.high),
                    ("<i2", self.low),
                    ("u1", self.sorted_units),
                    ("u1", self.sample_bytes),
                    ("<u2", 0 if version == (2, 1) else self.samples),
                    ("S8", b""),
                ]
            )
        ]
        if self.label is not None and version > (2, 1):
            made.append(
                _record(
                    [("S8", b"NEUEVLBL"), ("<u2", self.number), ("S16", self.label), ("S6", b"")]
                )
            )
            made.append(
                _record(
                    [
                        ("S8", b"NEUEVFLT"),
                        ("<u2", self.number),
                        ("<u4", self.high_pass[0]),
                        ("<u4", self.high_pass[1]),
                        ("<u2", self.high_pass[2]),
                        ("<u4", self.low_pass[0]),
                        ("<u4", self.low_pass[1]),
                        ("<u2", self.low_pass[2]),
                        ("S2", b""),
                    ]
                )
            )
        return made


def text_header(kind: str, text: str) -> bytes:
    return _record([("S8", kind), ("S24", text)])


def digital_label(label: str, mode: int) -> bytes:
    return _record([("S8", b"DIGLABEL"), ("S16", label), ("u1", mode), ("S7", b"")])


def video_header(source: int, name: str, rate: float) -> bytes:
    return _record(
        [("S8", b"VIDEOSYN"), ("<u2", source), ("S16", name), ("<f4", rate), ("S2", b"")]
    )


def tracking_header(kind: int, number: int, points: int, source: str) -> bytes:
    head = [("S8", b"TRACKOBJ"), ("<u2", kind), ("<u2", number), ("<u2", points)]
    return _record([*head, ("S16", source), ("S2", b"")])


def sampling_header(frequency: int, digital: int, analog: Sequence[tuple[int, int]]) -> bytes:
    parts = [("S8", b"NSASEXEV"), ("<u2", frequency), ("u1", digital)]
    for config, threshold in analog:
        parts += [("u1", config), ("<i2", threshold)]
    return _record([*parts, ("S6", b"")])


@dataclass
class Nev:
    """A file of spikes and events; `packets` has a row of bytes for each packet."""

    version: Version = (2, 3)
    electrodes: Sequence[Electrode] = ()
    packet_bytes: int = 104
    packets: np.ndarray = field(default_factory=lambda: np.zeros((0, 104), "u1"))
    resolution: int = CLOCK
    wave_rate: int = CLOCK
    is_16_bit: bool = True
    date: datetime | None = DATE
    application: str = "Central 7.0"
    comment: str = "spikes of a test"
    extended: Sequence[bytes] = ()
    header_padding: int = 0
    tail: bytes = b""
    changes: dict[str, Any] = field(default_factory=dict)

    def header(self) -> bytes:
        extended = [each for one in self.electrodes for each in one.headers(self.version)]
        extended += self.extended
        size = 336 + 32 * len(extended) + self.header_padding
        basic = _record(
            [
                ("S8", NEV_MAGIC[self.version[0]]),
                ("u1", self.version[0]),
                ("u1", self.version[1]),
                ("<u2", int(self.is_16_bit)),
                ("<u4", self.changes.get("header_bytes", size)),
                ("<u4", self.changes.get("packet_bytes", self.packet_bytes)),
                ("<u4", self.resolution),
                ("<u4", self.wave_rate),
                ("<u2", _date(self.date)),
                ("S32", self.application),
                ("S256", self.comment),
                ("<u4", self.changes.get("extended", len(extended))),
            ]
        )
        return basic + b"".join(extended) + bytes(self.header_padding)

    def tobytes(self) -> bytes:
        return self.header() + np.ascontiguousarray(self.packets).tobytes() + self.tail

    def boundaries(self) -> list[int]:
        start = len(self.header())
        ends = start + self.packet_bytes * np.arange(1, min(len(self.packets), 12) + 1)
        return [0, 8, 336, 368, start, *ends.tolist()]

    @property
    def stamp_bytes(self) -> int:
        return 4 if self.version[0] < 3 else 8

    def rows(self, ticks: Any, ids: Any, fields: Sequence[tuple[int, str, Any]]) -> np.ndarray:
        """Make packets; fields are (offset behind the id, type, values of all packets)."""
        stamps = np.atleast_1d(np.asarray(ticks))
        table = np.zeros((len(stamps), self.packet_bytes), "u1")
        whole = [(0, f"<u{self.stamp_bytes}", stamps), (self.stamp_bytes, "<u2", ids)]
        whole += [(self.stamp_bytes + 2 + offset, form, values) for offset, form, values in fields]
        for offset, form, values in whole:
            array = np.asarray(values)
            wide = np.broadcast_to(array, (len(stamps), *array.shape[1:])).astype(form)
            raw = wide.reshape(len(stamps), -1).view("u1")
            room = max(self.packet_bytes - offset, 0)
            table[:, offset : offset + raw.shape[1]] = raw[:, :room]
        return table

    def spikes(self, ticks: Any, electrodes: Any, units: Any, waves: np.ndarray) -> np.ndarray:
        """Spikes; `waves` (spikes, samples) has the type that is stored."""
        return self.rows(
            ticks, electrodes, [(0, "u1", units), (2, waves.dtype.newbyteorder("<").str, waves)]
        )

    def inputs(
        self, ticks: Any, reasons: Any, words: Any, analog: np.ndarray | None = None
    ) -> np.ndarray:
        """Digital, serial and analog inputs."""
        fields = [(0, "u1", reasons), (2, "<u2", words)]
        if analog is not None:
            fields.append((4, "<i2", analog))
        return self.rows(ticks, 0, fields)

    def comments(
        self, ticks: Any, texts: Sequence[bytes], charsets: Any, flags: Any, extra: Any
    ) -> np.ndarray:
        width = self.packet_bytes - self.stamp_bytes - 8
        raw = np.array([text[:width].ljust(width, b"\0") for text in texts], f"S{width}")
        table = np.frombuffer(raw.tobytes(), "u1").reshape(len(texts), width)
        fields = [(0, "u1", charsets), (1, "u1", flags), (2, "<u4", extra), (6, "u1", table)]
        return self.rows(ticks, COMMENT, fields)

    def video(self, ticks: Any, files: Any, frames: Any, elapsed: Any, source: Any) -> np.ndarray:
        fields = [(0, "<u2", files), (2, "<u4", frames), (6, "<u4", elapsed), (10, "<u4", source)]
        return self.rows(ticks, VIDEO, fields)

    def tracking(
        self, ticks: Any, parent: Any, node: Any, nodes: Any, points: np.ndarray
    ) -> np.ndarray:
        fields = [(0, "<u2", parent), (2, "<u2", node), (4, "<u2", nodes)]
        fields += [(6, "<u2", points.shape[1] // 2), (8, "<u2", points)]
        return self.rows(ticks, TRACKING, fields)

    def buttons(self, ticks: Any, triggers: Any) -> np.ndarray:
        return self.rows(ticks, BUTTON, [(0, "<u2", triggers)])

    def configurations(self, ticks: Any, kinds: Any, texts: Sequence[bytes]) -> np.ndarray:
        width = self.packet_bytes - self.stamp_bytes - 4
        raw = b"".join(text[:width].ljust(width, b"\0") for text in texts)
        table = np.frombuffer(raw, "u1").reshape(len(texts), width)
        return self.rows(ticks, CONFIGURATION, [(0, "<u2", kinds), (2, "u1", table)])


def stamps_of(nev: Nev, packets: np.ndarray) -> np.ndarray:
    raw = np.ascontiguousarray(packets[:, : nev.stamp_bytes])
    return raw.view(f"<u{nev.stamp_bytes}")[:, 0]


def in_order(nev: Nev, *tables: np.ndarray) -> np.ndarray:
    """Put packets into the order of their time stamps."""
    packets = np.concatenate(tables)
    return packets[np.argsort(stamps_of(nev, packets), kind="stable")]


@dataclass
class Train:
    """The spikes of an electrode, as they must come out."""

    ticks: np.ndarray
    units: np.ndarray
    waves: np.ndarray


def trains(
    nev: Nev, count: int, t_start: int, t_stop: int, seed: int = 3
) -> tuple[np.ndarray, dict[int, Train]]:
    """Make spikes of all electrodes of a file, `count` each, with units 0, 1, 2 and 255."""
    rng = np.random.default_rng(seed)
    tables, truth = [], {}
    for each in nev.electrodes:
        size = each.sample_bytes if not nev.is_16_bit else 2
        size = max(size, 1)
        room = (nev.packet_bytes - nev.stamp_bytes - 4) // size
        samples = room if nev.version == (2, 1) or not each.samples else each.samples
        low, high = -(2 ** (8 * size - 1)), 2 ** (8 * size - 1)
        ticks = np.sort(rng.integers(t_start, t_stop, count))
        units = rng.choice([0, 1, 2, 255], count)
        waves = rng.integers(low, high, (count, samples)).astype(f"<i{size}")
        tables.append(nev.spikes(ticks, each.number, units, waves))
        truth[each.number] = Train(ticks, units, waves)
    return np.concatenate(tables), truth


def electrodes(*numbers: int, **changes: Any) -> list[Electrode]:
    return [
        Electrode(each, factor=250 + each, pin=each % 32, label=f"elec{each}", **changes)
        for each in numbers
    ]


# Whole recordings, as tests use them

SPANS = ((0, 3000), (6000, 4000))  # first tick and samples of the stretches of 30 kS/s


@dataclass
class Session:
    """The files of a recording by their ending, and the spikes by electrode."""

    files: dict[str, Nsx | Nev]
    trains: dict[int, Train] = field(default_factory=dict)
    main: str = "nev"

    def write(self, folder: Path, name: str = "session") -> Path:
        for ending, file in self.files.items():
            (folder / f"{name}.{ending}").write_bytes(file.tobytes())
        return folder / f"{name}.{self.main}"


def nev_file(version: Version, span: tuple[int, int] = (10, 3000), **changes: Any) -> Session:
    """Spikes of three electrodes and digital inputs."""
    numbers = (1, 7, 255 if version < (2, 3) else 300)
    settings: dict[str, Any] = {"packet_bytes": 104 if version[0] < 3 else 108}
    nev = Nev(version, electrodes(*numbers), **settings | changes)
    spiked, truth = trains(nev, 40, *span)
    ticks = np.linspace(span[0], span[1] - 1, 9).astype(np.int64)
    analog = None
    if version < (2, 3):
        analog = np.arange(45).reshape(9, 5) * 100 - 2000
    reasons = [1, 1, 129, 129, 1, 2, 32, 3, 64]
    if version >= (2, 3):
        reasons = [1, 1, 129, 129, 1, 1, 1, 1, 1]
    typed = nev.inputs(ticks, reasons, np.arange(9) * 7000, analog)
    packets = in_order(nev, spiked, typed)
    return Session({"nev": replace(nev, packets=packets)}, truth)


def rich_nev() -> Session:
    """Every kind of packet and extended header of 2.3, with waveforms of 8, 16 and 32 bits."""
    made = [
        Electrode(1, sample_bytes=0, samples=30, label="one byte"),
        Electrode(2, sample_bytes=1, samples=0, label="as many as fit"),
        Electrode(3, sample_bytes=2, samples=20, label="two bytes"),
        Electrode(4, factor=21516, sample_bytes=4, samples=24, label="four bytes"),
        Electrode(2048, sample_bytes=2, samples=46, label="long"),
    ]
    extended = [
        text_header("ARRAYNME", "Utah"),
        text_header("ECOMMENT", "a comment of which there"),
        text_header("CCOMMENT", " is more"),
        text_header("ECOMMENT", "another"),
        text_header("MAPFILE", "array.cmp"),
        digital_label("digin", 1),
        digital_label("serial", 0),
        video_header(2, "camera", 29.97),
        tracking_header(1, 3, 2, "camera"),
        sampling_header(100, 1, [(1, -5), (0, 0), (2, 7), (3, 300), (4, -300)]),
    ]
    nev = Nev((2, 3), made, is_16_bit=False, extended=extended, header_padding=32)
    spiked, truth = trains(nev, 25, 0, 30_000)
    texts = [
        b"start\0 and what is behind",
        "\N{GREEK SMALL LETTER MU}V \N{CAT FACE} end".encode("utf-16-le"),
        b"caf\xe9 \x80",
        b"ROI 1,2,3",
    ]
    tables = [
        nev.comments(
            [5, 900, 900, 20_000], texts, [0, 1, 0, 255], [0, 0, 1, 0], [0x11223344, 0xFF, 850, 0]
        ),
        nev.video([100, 200], [1, 1], [7, 8], [33, 66], [2, 2]),
        nev.tracking(
            [101, 201], [0, 1], [3, 4], [2, 2], np.array([[10, 20, 30, 40], [1, 2, 3, 4]])
        ),
        nev.buttons([300, 400, 500], [1, 2, 9]),
        nev.configurations([600], [4], [b"filter changed"]),
        nev.inputs([700, 800], [1, 129], [65535, 65]),
    ]
    packets = in_order(nev, spiked, *tables)
    return Session({"nev": replace(nev, packets=packets)}, truth)


def nsx_file(
    version: Version,
    ending: str = "ns5",
    *,
    width: int = 3,
    spans: Sequence[tuple[int, int]] = SPANS,
    period: int = 1,
    **changes: Any,
) -> Session:
    """A continuous file with a block for each span (first tick, samples at 30 kS/s)."""
    blocks = [
        Block(tick, counts(samples // period, width, seed))
        for seed, (tick, samples) in enumerate(spans)
    ]
    nsx = Nsx(version, blocks, channels(width), period, **changes)
    return Session({ending: nsx}, main=ending)


def ptp_file(gap_ns: int = 50_000_000, samples: Sequence[int] = (700, 500)) -> Session:
    """A 3.0 file with a block for each sample, and a gap."""
    blocks, start = [], PTP_START
    for seed, count in enumerate(samples):
        stamps = jittered(count, start, seed)
        blocks.append(Block(int(stamps[0]), counts(count, 3, seed), stamps=stamps))
        start = int(stamps[-1]) + gap_ns
    nsx = Nsx((3, 0), blocks, channels(3), resolution=PTP_CLOCK)
    return Session({"ns5": nsx}, main="ns5")


def full_session(version: Version, spans: Sequence[tuple[int, int]] = SPANS) -> Session:
    """Two continuous files with the same pauses, spikes and events."""
    slow = nsx_file(version, "ns2", width=2, spans=spans, period=30)
    fast = nsx_file(version, "ns5", spans=spans)
    last = spans[-1][0] + spans[-1][1]
    spiked = nev_file(version, (10, last + 50))
    return Session(slow.files | fast.files | spiked.files, spiked.trains, main="ns5")


def old_session() -> Session:
    """Files of 2.1: no time stamps, scale of the .nev file."""
    values = counts(1000, 3)
    wide = [Channel(1), Channel(7), Channel(129)]
    fast = Nsx((2, 1), [Block(0, values)], wide)
    nev = Nev((2, 1), [*electrodes(1, 7), Electrode(129, factor=21516)])
    spiked, truth = trains(nev, 30, 0, 1000)
    nev = replace(nev, packets=in_order(nev, spiked))
    return Session({"ns5": fast, "nev": nev}, truth, main="ns5")


def reset_session(version: Version = (2, 3), *, lone: bool = False) -> Session:
    """Two systems that were synchronised: the clock begins anew, twice, with a pause between.

    With `lone`, a block of one sample stands before the first reset.
    """
    spans = [(0, 3000), (100, 3000), (9000, 3000), (60, 1500)]
    made = full_session(version, spans)
    for ending in ("ns2", "ns5"):
        nsx = made.files[ending]
        assert isinstance(nsx, Nsx)
        if lone:
            single = Block(3090, counts(1, len(nsx.channels), 9))
            nsx.blocks = [nsx.blocks[0], single, *nsx.blocks[1:]]
    nev = made.files["nev"]
    assert isinstance(nev, Nev)
    parts, truth = [], {each.number: [] for each in nev.electrodes}
    for seed, (first, last) in enumerate([(0, 3000), (100, 12_100), (60, 1570)]):
        spiked, train = trains(nev, 20, first, last, seed)
        packets = in_order(nev, spiked)
        parts.append(packets)
        for number, one in train.items():
            truth[number].append(one)
    nev.packets = np.concatenate(parts)
    joined = {
        number: Train(*(np.concatenate([getattr(one, name) for one in several])
                        for name in ("ticks", "units", "waves")))
        for number, several in truth.items()
    }  # fmt: skip
    return Session(made.files, joined, main="ns5")


# Large files


def big(
    path: Path,
    *,
    packets: int = 1_000_000,
    electrode_count: int = 128,
    unit_count: int = 3,
    samples: int = 48,
    megabytes: float = 100,
    channel_count: int = 32,
    version: Version = (2, 3),
    ptp: bool = False,
) -> Path:
    """Write a large file; its ending tells which.

    A ``.nev`` gets `packets` spikes in random order over `electrode_count` electrodes with
    `unit_count` units and waveforms of `samples` samples; an ``.nsX`` gets about `megabytes` of
    samples of `channel_count` channels in one block, or (`ptp`) in one block of 3.0 per sample.
    """
    with path.open("wb") as file:
        if path.suffix == ".nev":
            _write_big_nev(file, packets, electrode_count, unit_count, samples, version)
        else:
            _write_big_nsx(file, int(megabytes * 1e6), channel_count, version, ptp=ptp)
    return path


def _write_big_nev(
    file: Any, packets: int, electrode_count: int, unit_count: int, samples: int, version: Version
) -> None:
    stamp = 4 if version[0] < 3 else 8
    size = stamp + 4 + 2 * samples
    made = electrodes(*range(1, electrode_count + 1), samples=samples)
    nev = Nev(version, made, packet_bytes=size)
    file.write(nev.header())
    rng = np.random.default_rng(5)
    record = np.dtype(
        [
            ("stamp", f"<u{stamp}"),
            ("id", "<u2"),
            ("unit", "u1"),
            ("reserved", "u1"),
            ("wave", "<i2", samples),
        ]
    )
    waves = rng.integers(-2000, 2000, (4096, samples)).astype("<i2")
    for first in range(0, packets, 2**17):
        many = min(2**17, packets - first)
        table = np.zeros(many, record)
        table["stamp"] = np.arange(first, first + many) * 3
        table["id"] = rng.integers(1, electrode_count + 1, many)
        table["unit"] = rng.integers(0, unit_count, many)
        table["wave"] = np.resize(waves, (many, samples))
        table.tofile(file)


def _write_big_nsx(file: Any, nbytes: int, width: int, version: Version, *, ptp: bool) -> None:
    samples = nbytes // (2 * width)
    chosen = (3, 0) if ptp else version
    nsx = Nsx(chosen, [], channels(width), resolution=PTP_CLOCK if ptp else CLOCK)
    file.write(nsx.header())
    if not ptp:
        nsx.blocks = [Block(0, np.zeros((0, width)), points=samples)]
        file.write(nsx.block_bytes(nsx.blocks[0]))
    base = counts(4096, width)
    for first in range(0, samples, 2**16):
        many = min(2**16, samples - first)
        values = np.resize(base, (many, width))
        if ptp:
            stamps = jittered(many, PTP_START + first * PTP_CLOCK // CLOCK, first)
            file.write(nsx.block_bytes(Block(0, values, stamps=stamps)))
        else:
            values.tofile(file)


def _large(folder: Path) -> Path:
    """A recording of 200 MB in one block, sparse, with spikes beside it."""
    samples, width = 25_000_000, 4
    nsx = Nsx((2, 3), [], channels(width))
    head = nsx.header() + nsx.block_bytes(Block(0, np.zeros((0, width)), points=samples))
    path = nev_file((2, 3)).write(folder).with_suffix(".ns5")
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + samples * width * 2)
    return path


def _sample(name: str, make: Callable[[], Session], **facts: Any) -> Sample:
    def boundaries(data: bytes) -> list[int]:
        made = make()
        places = made.files[made.main].boundaries()
        return sorted({place for place in places if place <= len(data)})

    def write(folder: Path) -> Path:
        return make().write(folder)

    return Sample("blackrock", name, write, boundaries=boundaries, **facts)


def samples() -> list[Sample]:
    """Give one small recording for each variant."""
    short = ((0, 300), (900, 400))
    one = ((0, 300),)
    return [
        _sample("nev-2.1", partial(nev_file, (2, 1)), states_length=False),
        _sample("nev-2.2", partial(nev_file, (2, 2)), states_length=False),
        _sample("nev-2.3", rich_nev, states_length=False),
        _sample("nev-3.0", partial(nev_file, (3, 0)), states_length=False),
        _sample("ns5-2.1", old_session, states_length=False),
        _sample("ns5-2.2", partial(nsx_file, (2, 2), spans=one)),
        _sample("ns5-2.3", partial(nsx_file, (2, 3), spans=one), large=_large),
        _sample("ns5-3.0-pause", partial(nsx_file, (3, 0), spans=short), states_length=False),
        _sample("ptp", partial(ptp_file, samples=(70, 50)), states_length=False),
        _sample("session-2.2", partial(full_session, (2, 2), one)),
        _sample("session-2.3", partial(full_session, (2, 3), short), states_length=False),
        _sample("session-3.0", partial(full_session, (3, 0), short), states_length=False),
        _sample("resets", reset_session, states_length=False),
    ]
