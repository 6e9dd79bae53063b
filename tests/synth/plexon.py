"""Makes .plx files from the description of the format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.testing import Sample

CLOCK = 40_000
SPIKE, EVENT, SLOW = 1, 4, 5
STROBED, START, STOP = 257, 258, 259
FILE_BYTES, SPIKE_BYTES, EVENT_BYTES, SLOW_BYTES, BLOCK_BYTES = 7504, 1020, 296, 296, 16
HEAD = [
    ("type", "<u2"), ("high", "<u2"), ("low", "<u4"),
    ("channel", "<u2"), ("unit", "<u2"), ("waves", "<u2"), ("words", "<u2"),
]  # fmt: skip


@dataclass
class Spikes:
    """The spikes of one channel; waveforms (spikes, points), or None."""

    name: str | bytes
    number: int
    ticks: Any
    units: Any = 0
    waveforms: np.ndarray | None = None
    gain: int = 1000
    threshold: int = -100
    comment: str | bytes = ""
    source: int = 5
    has_header: bool = True


@dataclass
class Events:
    """The events of one channel."""

    name: str | bytes
    number: int
    ticks: Any = ()
    words: Any = 0
    comment: str | bytes = ""
    source: int = 2
    has_header: bool = True


@dataclass
class Slow:
    """Continuous data of one channel: runs of (first tick, samples), cut into blocks."""

    name: str | bytes
    number: int
    rate: int
    runs: Sequence[tuple[int, np.ndarray]] = ()
    block: int = 10
    gain: int = 1000
    preamp: int = 1
    spike_channel: int = 0
    comment: str | bytes = ""
    source: int = 3
    has_header: bool = True

    @property
    def samples(self) -> np.ndarray:
        """All samples, run after run."""
        return np.concatenate([np.empty(0, "<i2"), *(samples for _, samples in self.runs)])


@dataclass
class Settings:
    """What the file header says."""

    version: int = 106
    clock: int = CLOCK
    points_before: int = 3
    waveform_rate: int = 40_000
    date: Sequence[int] = (2024, 2, 29, 13, 45, 59)
    comment: str | bytes = ""
    trodality: int = 1
    spike_bits: int = 12
    slow_bits: int = 16
    spike_full_scale: int = 3000
    slow_full_scale: int = 5000
    spike_preamp: int = 20
    acquiring: str = "OmniPlex 1.2"
    processing: str = "OFS 4"

    def slow_gain(self, channel: Slow) -> float:
        """Millivolt per count, as the page says."""
        gain, preamp = channel.gain or 1, channel.preamp or 1
        if self.version <= 101:
            return 5000 / (2048 * gain * 1000)
        if self.version == 102:
            return 5000 / (2048 * gain * preamp)
        return self.slow_full_scale / (0.5 * 2**self.slow_bits * gain * preamp)

    def spike_gain(self, channel: Spikes) -> float:
        """Millivolt per count, as the page says."""
        gain = channel.gain or 1
        if self.version < 103:
            return 3000 / (2048 * gain * 1000)
        preamp = 1000 if self.version < 105 else self.spike_preamp or 1
        return self.spike_full_scale / (0.5 * 2**self.spike_bits * gain * preamp)


@dataclass
class File:
    """A file, with the places at which its parts begin."""

    data: np.ndarray
    data_offset: int
    blocks: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def tobytes(self) -> bytes:
        return self.data.tobytes()

    def write(self, path: Path) -> Path:
        self.data.tofile(path)
        return path


def _put(raw: np.ndarray, offset: int, value: Any, dtype: str) -> None:
    """Write numbers of a type at a place."""
    data = np.atleast_1d(np.asarray(value, dtype)).view("u1")
    raw[offset : offset + data.size] = data


def _text(raw: np.ndarray, offset: int, text: str | bytes, width: int) -> None:
    data = (text if isinstance(text, bytes) else text.encode())[:width]
    raw[offset : offset + len(data)] = np.frombuffer(data, "u1")


def _file_header(settings: Settings, points: int, counts: Sequence[int]) -> np.ndarray:
    raw = np.zeros(FILE_BYTES, "u1")
    _text(raw, 0, b"PLEX", 4)
    _put(raw, 4, settings.version, "<i4")
    _text(raw, 8, settings.comment, 128)
    _put(raw, 136, [settings.clock, *counts, points, settings.points_before], "<i4")
    _put(raw, 160, [*settings.date, 0, settings.waveform_rate], "<i4")
    if settings.version >= 103:
        _put(raw, 200, [settings.trodality] * 2, "u1")
        _put(raw, 202, [settings.spike_bits, settings.slow_bits], "u1")
        _put(raw, 204, [settings.spike_full_scale, settings.slow_full_scale], "<u2")
    if settings.version >= 105:
        _put(raw, 208, settings.spike_preamp, "<u2")
    if settings.version >= 106:
        _text(raw, 210, settings.acquiring, 18)
        _text(raw, 228, settings.processing, 18)
    return raw


def _count_tables(raw: np.ndarray, spikes: Sequence[Spikes], events: Sequence[Events]) -> None:
    """Fill in the hints: five units of 129 channels, events of 512."""
    table = np.zeros((2, 130, 5), "<i4")
    for channel in spikes:
        units = np.broadcast_to(channel.units, np.shape(channel.ticks))
        if channel.number < 130:
            counts = np.bincount(units[units < 5], minlength=5)
            table[:, channel.number] = [counts, counts * (channel.waveforms is not None)]
    happened = np.zeros(512, "<i4")
    for input_ in events:
        if input_.number < 300:
            happened[input_.number] = np.size(input_.ticks)
    raw[256:5456] = table.reshape(-1).view("u1")
    raw[5456:7504] = happened.view("u1")


def _spike_header(channel: Spikes, version: int) -> np.ndarray:
    raw = np.zeros(SPIKE_BYTES, "u1")
    _text(raw, 0, channel.name, 32)
    _text(raw, 32, f"sig{channel.number:03d}", 32)
    _put(raw, 64, [channel.number, 10, channel.number, 0], "<i4")
    _put(raw, 80, [channel.gain, 1, channel.threshold, 2, 0], "<i4")
    if version >= 105:
        _text(raw, 848, channel.comment, 128)
    if version >= 106:
        _put(raw, 976, channel.source, "u1")
        _put(raw, 978, channel.number, "<u2")
    return raw


def _event_header(channel: Events, version: int) -> np.ndarray:
    raw = np.zeros(EVENT_BYTES, "u1")
    _text(raw, 0, channel.name, 32)
    _put(raw, 32, channel.number, "<i4")
    if version >= 105:
        _text(raw, 36, channel.comment, 128)
    if version >= 106:
        _put(raw, 164, channel.source, "u1")
        _put(raw, 166, channel.number, "<u2")
    return raw


def _slow_header(channel: Slow, version: int) -> np.ndarray:
    raw = np.zeros(SLOW_BYTES, "u1")
    _text(raw, 0, channel.name, 32)
    _put(raw, 32, [channel.number, channel.rate, channel.gain, 1, channel.preamp], "<i4")
    if version >= 104:
        _put(raw, 52, channel.spike_channel, "<i4")
    if version >= 105:
        _text(raw, 56, channel.comment, 128)
    if version >= 106:
        _put(raw, 184, channel.source, "u1")
        _put(raw, 186, channel.number, "<u2")
    return raw


def block_rows(
    kind: int, channel: Any, ticks: Any, *, unit: Any = 0, data: np.ndarray | None = None
) -> np.ndarray:
    """Make blocks of one size; `data` (blocks, words) are their samples."""
    ticks = np.atleast_1d(np.asarray(ticks, np.int64))
    words = 0 if data is None else data.shape[1]
    rows = np.zeros(ticks.size, [*HEAD, ("data", "<i2", (words,))])
    rows["type"], rows["channel"], rows["unit"] = kind, channel, unit
    rows["high"], rows["low"] = ticks >> 32, ticks & 0xFFFFFFFF
    rows["waves"], rows["words"] = data is not None, words
    if data is not None:
        rows["data"] = data
    return rows


def assembled(head: np.ndarray, pieces: Sequence[tuple[Any, np.ndarray]]) -> File:
    """Put blocks of many sizes behind the headers, ordered by the key that each has."""
    places = (np.broadcast_to(np.asarray(key, np.float64), rows.shape) for key, rows in pieces)
    keys = np.concatenate([np.zeros(0), *places])
    sizes = np.concatenate(
        [np.zeros(0, np.int64), *(np.full(rows.size, rows.itemsize) for _, rows in pieces)]
    )
    order = np.argsort(keys, kind="stable")
    offsets = np.empty(sizes.size, np.int64)
    offsets[order] = head.size + np.cumsum(sizes[order]) - sizes[order]
    data = np.zeros(head.size + int(sizes.sum()), "u1")
    data[: head.size] = head
    done = 0
    for _, rows in pieces:
        if rows.size:
            item = np.dtype(f"V{rows.itemsize}")
            everywhere = np.ndarray((data.size - item.itemsize + 1,), item, data, 0, (1,))
            everywhere[offsets[done : done + rows.size]] = rows.view(item)
        done += rows.size
    return File(data, head.size, np.sort(offsets))


def _slow_pieces(channel: Slow, clock: int) -> list[tuple[np.ndarray, np.ndarray]]:
    pieces = []
    for first, samples in channel.runs:
        whole = len(samples) // channel.block
        cut = whole * channel.block
        starts = first + np.arange(whole) * channel.block * clock // channel.rate
        data = np.asarray(samples[:cut], "<i2").reshape(whole, channel.block)
        pieces.append((starts - 0.5, block_rows(SLOW, channel.number, starts, data=data)))
        if cut < len(samples):
            last = first + cut * clock // channel.rate
            rest = np.asarray(samples[cut:], "<i2")[np.newaxis]
            pieces.append(
                (np.array([last - 0.5]), block_rows(SLOW, channel.number, last, data=rest))
            )
    return pieces


def plx(
    slow: Sequence[Slow] = (),
    spikes: Sequence[Spikes] = (),
    events: Sequence[Events] = (),
    *,
    settings: Settings | None = None,
    more: Sequence[tuple[Any, np.ndarray]] = (),
    in_order: bool = True,
) -> File:
    """Make a file.

    Parameters
    ----------
    slow, spikes, events : sequences
        Channels with their data.
    settings : Settings
        What the file header says.
    more : sequence of (keys, rows)
        Further blocks, with their places in time.
    in_order : bool
        Blocks stand in the order of their times; False: channel after channel.
    """
    settings = settings or Settings()
    groups: list[list[Any]] = [
        [channel for channel in channels if channel.has_header]
        for channels in (spikes, events, slow)
    ]
    points = max([0, *(s.waveforms.shape[1] for s in spikes if s.waveforms is not None)])
    head = _file_header(settings, points, [len(group) for group in groups])
    _count_tables(head, groups[0], groups[1])
    makers = (_spike_header, _event_header, _slow_header)
    headers = [
        make(channel, settings.version)
        for make, group in zip(makers, groups, strict=True)
        for channel in group
    ]
    pieces = [piece for channel in slow for piece in _slow_pieces(channel, settings.clock)]
    for train in spikes:
        ticks = np.asarray(train.ticks, np.int64)
        rows = block_rows(SPIKE, train.number, ticks, unit=train.units, data=train.waveforms)
        pieces.append((ticks, rows))
    for table in events:
        ticks = np.asarray(table.ticks, np.int64)
        pieces.append((ticks, block_rows(EVENT, table.number, ticks, unit=table.words)))
    pieces += more
    if not in_order:
        pieces = [(np.full(rows.size, at), rows) for at, (_, rows) in enumerate(pieces)]
    return assembled(np.concatenate([head, *headers]), pieces)


def counts(number: int, *, seed: int = 0) -> np.ndarray:
    """Samples over the whole range of the type."""
    values = np.random.default_rng(seed).integers(-(2**15), 2**15, number, np.int16)
    if number > 1:
        values[0], values[-1] = -(2**15), 2**15 - 1
    return values


def waveforms(number: int, points: int, *, seed: int = 0) -> np.ndarray:
    """Waveforms over the whole range of the type."""
    return counts(number * points, seed=seed).reshape(number, points)


@dataclass
class Everything:
    """A recording of all kinds of data, with two segments, and what it holds."""

    slow: list[Slow]
    spikes: list[Spikes]
    events: list[Events]
    settings: Settings

    def file(self, **options: Any) -> File:
        return plx(self.slow, self.spikes, self.events, settings=self.settings, **options)


def everything(version: int = 106, *, late: int = 0, **settings: Any) -> Everything:
    """Two field potentials, a wide band that pauses alone, spikes with and without waveforms.

    All pause from tick 4400 to 8000; the wide band also from tick 1400 to 2000. `late` is added
    to all times.
    """
    rng = np.random.default_rng(version)
    first, second = 400 + late, 8000 + late

    def runs(rate: int, seed: int) -> list[tuple[int, np.ndarray]]:
        step = CLOCK // rate
        return [
            (first, counts(4000 // step, seed=seed)),
            (second, counts(2000 // step, seed=-~seed)),
        ]

    ticks = [np.sort(rng.integers(200, 10_000, number)) + late for number in (40, 25, 12)]
    band = counts(900, seed=7)
    return Everything(
        slow=[
            Slow("FP01", 128, 1000, runs(1000, 1), block=7, gain=500, preamp=2, spike_channel=1),
            Slow("FP02", 129, 1000, runs(1000, 3), block=7, gain=250, preamp=2, source=4),
            Slow("WB01", 0, 10_000, [
                (first, band[:250]), (2000 + late, band[250:600]), (second, band[600:]),
            ], block=60, gain=100, preamp=10),
            Slow("AI01", 7, 500, ()),
        ],
        spikes=[
            Spikes("SPK01", 1, ticks[0], rng.integers(0, 4, 40), waveforms(40, 8, seed=5)),
            Spikes("SPK02", 2, ticks[1], 2, None, gain=500),
            Spikes("SPK200", 200, ticks[2], rng.integers(5, 27, 12), waveforms(12, 8), gain=50,
                   comment="deep"),
            Spikes("SPK04", 4, ()),
        ],
        events=[
            Events("Event01", 1, np.array([500, 7000, 9000]) + late, comment="lever"),
            Events("Strobed", STROBED, np.array([600, 600, 9500]) + late, [0, 65535, 1200]),
            Events("Start", START, np.array([0, 7990]) + late),
            Events("Stop", STOP, np.array([4500, 10_100]) + late),
            Events("KBD1", 260),
        ],
        settings=Settings(version=version, **settings),
    )  # fmt: skip


def big(
    path: Path,
    *,
    spikes: int = 576_000,
    slow_blocks: int = 24_000,
    spike_channels: int = 64,
    slow_channels: int = 16,
    units: int = 4,
    points: int = 32,
    samples: int = 200,
    rate: int = 1000,
    seed: int = 0,
) -> File:
    """Write a large recording, and give its bytes.

    Parameters
    ----------
    path : Path
        File to write.
    spikes, slow_blocks : int
        Blocks of each kind; the default are 600,000 blocks in 57 MB. Slow channels take turns, as
        on disk; spikes of all channels lie between them at random times.
    spike_channels, slow_channels, units : int
        Channels of each kind; units of each spike channel (0 included).
    points, samples : int
        Samples of a waveform, and of a block of continuous data.
    rate : int
        Rate of the slow channels (Hz).
    """
    rng = np.random.default_rng(seed)
    rounds = slow_blocks // slow_channels
    starts = np.repeat(np.arange(rounds) * samples * (CLOCK // rate), slow_channels)
    duration = max(rounds * samples * (CLOCK // rate), CLOCK)
    slow = [Slow(f"FP{number + 1:02d}", number, rate) for number in range(slow_channels)]
    trains = [Spikes(f"SPK{number:02d}", number, ()) for number in range(1, spike_channels + 1)]
    pieces = []
    if rounds:
        data = rng.integers(-3000, 3000, (starts.size, samples), np.int16)
        rows = block_rows(SLOW, np.tile(np.arange(slow_channels), rounds), starts, data=data)
        pieces.append((starts - 0.5, rows))
    if spikes:
        ticks = np.sort(rng.integers(0, duration, spikes))
        data = rng.integers(-500, 500, (spikes, points), np.int16)
        channel = rng.integers(1, spike_channels + 1, spikes)
        unit = rng.integers(0, units, spikes)
        pieces.append((ticks, block_rows(SPIKE, channel, ticks, unit=unit, data=data)))
    made = assembled(plx(slow, trains).data, pieces)
    made.write(path)
    return made


def _boundaries(file: File) -> list[int]:
    """Ends of the headers, and the first, a middle and the last block with its head."""
    blocks = file.blocks[[0, file.blocks.size // 2, -1]] if file.blocks.size else file.blocks
    places = [0, 256, FILE_BYTES, file.data_offset]
    return [
        *places,
        *(int(at) + step for at in blocks for step in (0, BLOCK_BYTES)),
        file.data.size,
    ]


def _sample(name: str, file: File) -> Sample:
    def write(folder: Path) -> Path:
        return file.write(folder / "test.plx")

    places = _boundaries(file)
    return Sample("plexon", name, write, boundaries=lambda _data: places, states_length=False)


def samples() -> list[Sample]:
    """One small recording of each version, and of each kind of data alone."""
    made = [
        _sample(f"version-{version}", everything(version).file()) for version in range(100, 108)
    ]
    far = everything(late=2**32 - 5000)
    spikes, events = everything().spikes, everything().events
    pair = [Slow(f"SPKC{number:02d}", number, 40_000, [(7, counts(95, seed=number))], block=95)
            for number in (1, 2)]  # fmt: skip
    return [
        *made,
        _sample("time-stamps-of-40-bits", far.file()),
        _sample("spikes-only", plx(spikes=spikes[:3], events=events)),
        _sample("events-only", plx(events=events)),
        _sample("empty", plx(spikes=[Spikes("SPK01", 1, ())])),
        _sample("continuous-only", plx(pair)),
    ]
