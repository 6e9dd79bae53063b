"""Makes .mpx and .map files and .lsx lists from the description of the format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.testing.sample import Sample

END = b"\xff\xff\xff\xff\xff"
RESOLUTION = 1250000 / 2**15
RAW_RATE, LFP_RATE = 44.0, 11.0  # kHz


def block(kind: str, body: bytes, *, extra: int = 0) -> bytes:
    """One block: length, type, a byte that data and stream events use, body."""
    return np.array([4 + len(body)], "<u2").tobytes() + kind.encode() + bytes([extra]) + body


def packed(*fields: tuple[str, Any]) -> bytes:
    """Numbers and texts one after the other, by their types."""
    return b"".join(np.array([value], form).tobytes() for form, value in fields)


def head(
    first: float = 10.0,
    last: float = 11.0,
    *,
    date: tuple[int, int, int] = (2021, 5, 4),
    clock: tuple[int, int, int, int] = (13, 14, 15, 16),
    version: int = 4,
    application: bytes = b"ALab SNR",
    length: int = 60,
) -> bytes:
    """The first block: 60 bytes of .mpx, or fewer of .map."""
    year, month, day = date
    fields = [("<i4", length), ("<i2", 180)]
    fields += [("u1", number) for number in (*clock, day, month)]
    fields += [("<u2", year), ("u1", 2), ("u1", 0), ("<f8", first), ("<f8", last)]
    fields += [("<i4", 7), ("u1", version), ("S10", application)]
    fields += [("u1", number) for number in (0, 1, 8, 0)] + [("u1", 0), ("<i4", 0)]
    return block("h", packed(*fields)[: length - 4].ljust(length - 4, b"\0"), extra=192)


@dataclass(frozen=True)
class Channel:
    """What a definition block says; `kind` is "signal", "spikes", "digital", "port", "stream"."""

    number: int
    name: str
    kind: str = "signal"
    khz: float = RAW_RATE
    amplitude: float = RESOLUTION
    gain100: int = 2000
    samples: int = 20
    pre: float = 0.25  # ms
    post: float = 0.5
    duration: float = 1000.0
    spike_mode: int = 0
    level: int = -40
    mode: int | None = None
    tail: bytes = b"\0X"  # what the program leaves behind a name

    @property
    def scale(self) -> float:
        """Microvolt per count."""
        amplitude = float(np.float32(self.amplitude))
        return (amplitude if amplitude > 5 else RESOLUTION) / (self.gain100 / 100)

    def raw_name(self) -> bytes:
        return self.name.encode("cp1252") + self.tail

    def mpx(self) -> bytes:
        """Definition block of .mpx."""
        if self.kind == "stream":
            body = packed(("<i4", 0), ("<i2", self.number), ("<f4", self.khz))
            return block("S", body + self.raw_name(), extra=83)
        if self.kind == "port":
            body = packed(("<i4", 1), ("<i4", self.number), ("<f4", self.khz), ("<u2", 3))
            return block("b", body + self.raw_name(), extra=83)
        is_analog = int(self.kind != "digital")
        body = packed(("<i4", 0), ("<i2", is_analog), ("<i2", 1), ("<i2", self.number))
        body += bytes([255, 1, 2, 3])
        if self.kind == "digital":
            fields = [("<f4", self.khz), ("<i2", 0), ("<f4", self.duration), ("<i2", 1)]
            return block("2", body + packed(*fields) + self.raw_name(), extra=83)
        mode = int(self.kind == "spikes") if self.mode is None else self.mode
        fields = [("<i2", mode), ("<f4", self.amplitude), ("<f4", self.khz)]
        fields += [("<i2", self.samples + 2), ("<u2", self.spike_mode)]
        if self.kind == "spikes":
            fields += [("<f4", self.pre), ("<f4", self.post), ("<i2", self.level)]
            fields += [("<i2", 5), ("<i2", 1), ("<i2", self.gain100)]
        else:
            fields += [("<f4", self.duration), ("<i2", self.gain100)]
        return block("2", body + packed(*fields) + self.raw_name(), extra=83)

    def map(self) -> bytes:
        """Definition block of .map; mode 2: external trigger."""
        if self.kind in ("port", "stream"):
            return self.mpx()
        mode = self.mode if self.mode is not None else int(self.kind == "spikes")
        is_analog = int(self.kind != "digital")
        body = packed(("<i4", 0), ("<i2", is_analog), ("<i2", 1), ("<i2", self.number))
        body += packed(("<i2", 9), ("<i2", mode))
        if self.kind == "digital":
            fields = [("<f4", self.khz), ("<i2", 0), ("<f4", self.duration), ("<i2", 1)]
        elif self.kind == "signal":
            fields = [("<i2", 0), ("<f4", self.amplitude), ("<f4", self.khz)]
            fields += [("<i2", self.samples + 2), ("<i2", self.spike_mode)]
            fields += [("<f4", self.duration), ("<i2", 0)]
        else:
            fields = [("<f4", self.amplitude), ("<f4", self.khz), ("<i2", self.samples + 2)]
            fields += [("<i2", self.spike_mode), ("<f4", self.pre), ("<f4", self.post)]
            fields += [("<i2", self.level), ("<i2", 5), ("<i2", 1), ("<i2", 0)]
            if mode == 2:
                fields[-4:] = [("<i2", 77)]
        return block("2", body + packed(*fields) + self.raw_name())


# Data blocks: each function gives an array of bytes, one row per block


def analog_blocks(
    number: int, samples: np.ndarray, stamps: np.ndarray, units: np.ndarray | int = 0
) -> np.ndarray:
    """Blocks of an analog channel: `samples` has one row per block."""
    count, width = samples.shape
    rows = np.zeros(
        count,
        [
            ("length", "<u2"),
            ("kind", "u1"),
            ("unit", "u1"),
            ("number", "<i2"),
            ("samples", "<i2", (width,)),
            ("stamp", "<u4"),
        ],
    )
    rows["length"], rows["kind"], rows["unit"] = rows.dtype.itemsize, ord("5"), units
    rows["number"], rows["samples"], rows["stamp"] = number, samples, stamps
    return _rows(rows)


def value_blocks(
    number: int, values: np.ndarray, stamps: np.ndarray, *, is_port: bool = False
) -> np.ndarray:
    """Blocks of a digital input or of a port."""
    fields = [("stamp", "<u4"), ("value", "<u2" if is_port else "<i2")]
    if is_port:
        fields.reverse()
    rows = np.zeros(
        len(values),
        [("length", "<u2"), ("kind", "u1"), ("unit", "u1"), ("number", "<i2"), *fields],
    )
    rows["length"], rows["kind"] = 12, ord("5")
    rows["number"], rows["value"], rows["stamp"] = number, values, stamps
    return _rows(rows)


def _rows(table: np.ndarray) -> np.ndarray:
    return table.view("u1").reshape(len(table), table.dtype.itemsize)


def message_block(stamp: int, payload: bytes) -> bytes:
    """A stream event."""
    return block("E", packed(("<u4", stamp)) + payload, extra=ord("S"))


def in_rounds(*tables: np.ndarray) -> bytes:
    """Interleave: first a block of each table, then the next; tables may be of other lengths."""
    shortest = min(len(table) for table in tables)
    rounds = np.hstack([table[:shortest] for table in tables]).tobytes()
    return rounds + b"".join(table[shortest:].tobytes() for table in tables)


def split(signal: np.ndarray, width: int) -> np.ndarray:
    """Whole blocks of a signal."""
    return signal[: len(signal) // width * width].reshape(-1, width)


def boundaries(data: bytes) -> list[int]:
    """Where blocks begin."""
    places, at = [], 0
    while at + 2 <= len(data):
        places.append(at)
        length = int.from_bytes(data[at : at + 2], "little")
        if length in (0, 0xFFFF):
            break
        at += length
    return [*places, len(data)]


# Recordings with their truth


@dataclass
class Truth:
    """A recording of three signals, spikes, digital input, port and messages, as one file."""

    seed: int = 0
    tick: int = 440_000  # of the first sample at 44 kHz
    rounds: int = 6
    width: int = 20  # samples of a block at 44 kHz
    prefix: str = "RAW"
    offset: int = 0  # added to channel numbers
    drops: Sequence[int] = ()  # rounds without RAW blocks
    raw: np.ndarray = field(init=False)
    lfp: np.ndarray = field(init=False)
    spikes: dict[str, np.ndarray] = field(init=False)
    digital: dict[str, np.ndarray] = field(init=False)
    port: dict[str, np.ndarray] = field(init=False)
    messages: list[tuple[int, bytes]] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        count = self.rounds * self.width
        self.raw = rng.integers(-3000, 3000, (count, 2)).astype("<i2")
        self.lfp = rng.integers(-3000, 3000, (self.rounds * 5, 1)).astype("<i2")
        ticks = self.tick + np.sort(rng.integers(0, count, 9))
        self.spikes = {
            "tick": ticks,
            "unit": rng.integers(0, 3, 9).astype("u1"),
            "waveform": rng.integers(-500, 500, (9, 1, 33)).astype("<i2"),
        }
        self.digital = {
            "tick": self.tick + np.sort(rng.integers(0, count, 5)),
            "word": np.array([1, 0, 1, -2, 0], "<i2"),
        }
        self.port = {
            "tick": self.tick + np.sort(rng.integers(0, count, 4)),
            "word": np.array([0, 65535, 256, 3], "<u2"),
        }
        payload = bytes(range(20))
        self.messages = [(self.tick + 3, payload), (self.tick + 8, b""), (self.tick + 9, b"\xff\1")]

    @property
    def channels(self) -> list[Channel]:
        """Definitions of all channels, and of some that have no data."""
        at = self.offset
        return [
            Channel(10384 + at, f"{self.prefix} 01", samples=self.width),
            Channel(10385 + at, f"{self.prefix} 02", amplitude=4.0, gain100=500),
            Channel(10386 + at, f"{self.prefix} 03"),
            Channel(10001 + at, "LFP 01", khz=LFP_RATE, amplitude=76.5, gain100=25, samples=5),
            Channel(10129 + at, "SEG 01", "spikes", samples=33, spike_mode=0x1011),
            Channel(11220 + at, "TTL 1", "digital"),
            Channel(11202 + at, "PORT 1", "port"),
            Channel(11999 + at, "Stream Channel", "stream"),
        ]

    @property
    def lfp_tick(self) -> int:
        return self.tick // 4

    @property
    def times(self) -> tuple[float, float]:
        """First and last time of the head."""
        return self.tick / 44000, (self.tick + len(self.raw) - 1) / 44000

    def head(self, **options: Any) -> bytes:
        first, last = self.times
        return head(**{"first": first, "last": last, **options})

    def definitions(self) -> bytes:
        return b"".join(channel.mpx() for channel in self.channels)

    def rounds_of_blocks(self) -> bytes:
        """Data, in rounds of one block of each continuous channel."""
        at = self.offset
        kept = [number for number in range(self.rounds) if number not in self.drops]
        stamps = (self.tick + np.arange(self.rounds) * self.width) % 2**32
        lfp_stamps = (self.lfp_tick + np.arange(self.rounds) * 5) % 2**32
        raw = [
            analog_blocks(10384 + at + i, split(self.raw[:, i], self.width)[kept], stamps[kept])
            for i in range(2)
        ]
        lfp = analog_blocks(10001 + at, split(self.lfp[:, 0], 5), lfp_stamps)
        return in_rounds(*raw, lfp)

    def points(self) -> bytes:
        """Spikes, values and messages."""
        at = self.offset
        spikes, wave = self.spikes, self.spikes["waveform"][:, 0]
        seg = analog_blocks(10129 + at, wave, spikes["tick"] % 2**32, spikes["unit"])
        ttl = value_blocks(11220 + at, self.digital["word"], self.digital["tick"] % 2**32)
        port = value_blocks(11202 + at, self.port["word"], self.port["tick"] % 2**32, is_port=True)
        messages = b"".join(message_block(tick % 2**32, text) for tick, text in self.messages)
        return in_rounds(seg, ttl, port) + messages

    def tobytes(self, **options: Any) -> bytes:
        """The whole file, with a block of unknown type in the middle."""
        unknown = block("3", b"All_Channels\0")
        data = self.rounds_of_blocks()
        return self.head(**options) + self.definitions() + unknown + data + self.points() + END

    def kept(self) -> np.ndarray:
        """Samples of the RAW channels that are in the file."""
        rounds = self.raw.reshape(self.rounds, self.width, 2)
        return np.delete(rounds, list(self.drops), axis=0).reshape(-1, 2)


def after(truth: Truth, **options: Any) -> Truth:
    """The next file of the same recording."""
    return Truth(**{"seed": truth.seed + 1, "tick": truth.tick + len(truth.raw), **options})


def map_file(
    signal: np.ndarray,
    spikes: np.ndarray,
    *,
    mode: int = 128,
    trigger: int = 1,
    tick: int = 100,
    blocks: bytes = b"",
) -> bytes:
    """An AlphaMap file with a signal (blocks, samples), spikes (n, samples) and a digital input."""
    channels = [
        Channel(3, "Wire", khz=22.0, samples=signal.shape[1], mode=mode),
        Channel(4, "Level", "spikes", khz=22.0, samples=spikes.shape[1], mode=trigger),
        Channel(5, "In", "digital", khz=22.0),
    ]
    step = np.arange(len(signal)) * signal.shape[1]
    first = np.arange(len(spikes)) * 7
    values = analog_blocks(5, np.array([[1], [0]], "<i2"), np.array([tick + 2, tick + 30]))
    return (
        head(tick / 22000, (tick + signal.size - 1) / 22000, length=36)
        + b"".join(channel.map() for channel in channels)
        + block("R", b"anything")
        + in_rounds(analog_blocks(3, signal, tick + step), analog_blocks(4, spikes, tick + first))
        + values.tobytes()
        + blocks
        + END
    )


# Large files


def big(
    path: Path,
    *,
    packets: int = 300_000,
    channels: int = 16,
    samples: int = 200,
    spikes: int = 0,
    spike_samples: int = 32,
    closed: bool = True,
) -> Path:
    """Write a large .mpx file quickly.

    Parameters
    ----------
    path : Path
        The file.
    packets : int
        Data blocks of continuous channels: rounds of one block of each channel.
    channels : int
        Continuous channels at 44 kHz.
    samples : int
        Samples of a block; the file has 16 + 2 x samples bytes a block or so.
    spikes : int
        Spikes, of 8 channels and 4 units, of `spike_samples` each; after the signals.
    spike_samples : int
        Samples of a waveform.
    closed : bool
        Write the end mark.

    Returns
    -------
    Path
        The file. Sample k of channel c is ``(k * 7 + c * 13) % 2001 - 1000``; spike i is of
        channel i % 8 and unit i // 8 % 4, at tick 3 * i, its sample j is ``(i + j) % 512``.
    """
    rounds = packets // channels
    raw = [Channel(10384 + at, f"RAW {at + 1:02d}", samples=samples) for at in range(channels)]
    seg = [
        Channel(10128 + at, f"SEG {at + 1:02d}", "spikes", samples=spike_samples)
        for at in range(8 if spikes else 0)
    ]
    last = max(rounds * samples - 1, 3 * spikes) / 44000
    with path.open("wb") as file:
        file.write(head(0.0, max(last, 1.0)) + b"".join(each.mpx() for each in raw + seg))
        for begin in range(0, rounds, 4096):
            numbers = np.arange(begin, min(begin + 4096, rounds))
            ticks = numbers[:, np.newaxis] * samples + np.arange(samples)
            tables = [
                analog_blocks(each.number, (ticks * 7 + at * 13) % 2001 - 1000, numbers * samples)
                for at, each in enumerate(raw)
            ]
            np.hstack(tables).tofile(file)
        for begin in range(0, spikes, 2**17):
            numbers = np.arange(begin, min(begin + 2**17, spikes))
            waves = (numbers[:, np.newaxis] + np.arange(spike_samples)) % 512
            table = analog_blocks(0, waves, numbers * 3, numbers // 8 % 4)
            table[:, 4:6] = (10128 + numbers % 8).astype("<i2")[:, np.newaxis].view("u1")
            table.tofile(file)
        file.write(END if closed else b"")
    return path


def _written(name: str, data: bytes) -> Any:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


def write_folder(folder: Path) -> Path:
    """Two recordings of different channels, and files that are not ours."""
    (folder / "day1F0001.mpx").write_bytes(Truth(1).tobytes())
    later = Truth(2, tick=2_000_000, prefix="SPK", offset=100, rounds=4)
    (folder / "day1F0002.mpx").write_bytes(later.tobytes(clock=(15, 0, 0, 0)))
    (folder / "day1.log").write_bytes(b"nothing to read")
    return folder


def write_list(folder: Path) -> Path:
    """The same files, in a list with the paths of another machine."""
    write_folder(folder)
    lines = [rf"D:\Surgery\{name}" for name in ("day1F0001.mpx", "day1F0002.mpx")]
    (folder / "day.lsx").write_bytes("\r\n".join(lines).encode())
    return folder / "day.lsx"


def samples() -> list[Sample]:
    """Small recordings for the contract."""
    rng = np.random.default_rng(5)
    signal = rng.integers(-100, 100, (5, 12)).astype("<i2")
    spikes = rng.integers(-100, 100, (4, 10)).astype("<i2")
    plain = Truth(1).tobytes()
    whole = {"boundaries": boundaries}
    return [
        Sample("alphaomega", "mpx", _written("recF0001.mpx", plain), **whole),
        Sample(
            "alphaomega",
            "mpx-gap",
            _written("gap.mpx", Truth(2, drops=[2, 3]).tobytes()),
            **whole,
        ),
        Sample(
            "alphaomega",
            "mpx-unclosed",
            _written("crash.mpx", plain[: -len(END)]),
            **whole,
            states_length=False,
        ),
        Sample("alphaomega", "map", _written("old.map", map_file(signal, spikes)), **whole),
        Sample("alphaomega", "folder", write_folder, **whole),
        Sample("alphaomega", "list", write_list, states_length=False),
    ]
