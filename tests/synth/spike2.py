"""Makes Spike2 files, .smr (versions 1 to 9, both byte orders) and .smrx, from the description.

A file is made of channels that hold their own truth: `Wave`, `Events`, `Markers`. `smr` and `smrx`
lay them out in blocks; `big` writes large files quickly.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.testing.sample import Sample

ADC, EVENT_FALL, EVENT_RISE, LEVEL, MARKER, WAVE_MARK, REAL_MARK, TEXT_MARK, REAL_WAVE = range(
    1, 10
)
HEAD, SLOT, BLOCK = 512, 140, 20
DATE = (25, 45, 34, 12, 29, 2, 2024)  # hundredths, s, min, h, day, month, year


@dataclass
class Base:
    """What every channel has."""

    slot: int
    title: str | bytes = ""
    units: str | bytes = ""
    comment: str | bytes = ""
    physical: int = 0
    ideal_rate: float = 0.0
    block_bytes: int = 512
    kind: int = 0
    scale: float = 1.0
    offset: float = 0.0


@dataclass
class Wave(Base):
    """Stretches of samples: (tick, samples) each."""

    pieces: Sequence[tuple[int, np.ndarray]] = ()
    divide: int = 10
    kind: int = ADC

    @property
    def data(self) -> np.ndarray:
        return np.concatenate([samples for _, samples in self.pieces])

    def values(self) -> np.ndarray:
        """What the page says, of numbers as the file holds them."""
        if self.kind == REAL_WAVE:
            return self.data.astype("f8")
        return self.data * (float(np.float32(self.scale)) / 6553.6) + float(np.float32(self.offset))

    def ticks(self) -> np.ndarray:
        return np.concatenate(
            [tick + np.arange(len(samples)) * self.divide for tick, samples in self.pieces]
        )


@dataclass
class Events(Base):
    """Times of events."""

    times: Sequence[int] | np.ndarray = ()
    kind: int = EVENT_RISE
    initial_low: int = 1


@dataclass
class Markers(Base):
    """Times, four codes each, and data: (n, points, traces), (n, numbers) or texts."""

    times: Sequence[int] | np.ndarray = ()
    codes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), "u1"))
    kind: int = MARKER
    data: Any = None
    divide: int = 0
    pre_trigger: int = 0
    text_bytes: int = 16

    @property
    def traces(self) -> int:
        return self.data.shape[2] if self.kind == WAVE_MARK and self.data is not None else 1

    def attached(self, order: str) -> np.ndarray:
        """Bytes attached to each marker, shape (n, bytes)."""
        count = len(self.times)
        if self.data is None:
            return np.zeros((count, 0), "u1")
        if self.kind == TEXT_MARK:
            raw = np.full((count, self.text_bytes), ord("~"), "u1")  # rubbish after the NUL
            for row, text in enumerate(self.data):
                coded = np.frombuffer(_raw(text)[: self.text_bytes - 1] + b"\0", "u1")
                raw[row, : len(coded)] = coded
            return raw
        dtype = np.dtype("i2" if self.kind == WAVE_MARK else "f4").newbyteorder(order)
        return np.ascontiguousarray(self.data, dtype).reshape(count, -1).view("u1")

    def waveforms(self) -> np.ndarray:
        """In units, shape (n, traces, points)."""
        gain = float(np.float32(self.scale)) / 6553.6
        return self.data.transpose(0, 2, 1) * gain + float(np.float32(self.offset))


Channel = Wave | Events | Markers


@dataclass
class Parts:
    """A file, and the places where its structures begin."""

    data: np.ndarray
    boundaries: list[int]

    def tobytes(self) -> bytes:
        return self.data.tobytes()

    def write(self, path: Path) -> Path:
        self.data.tofile(path)
        return path


@dataclass
class _Block:
    slot: int
    tick: int
    last: int
    items: int
    payload: np.ndarray


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("cp1252")


def pascal(text: str | bytes, size: int) -> bytes:
    """A text with its length before it; what follows is rubbish."""
    raw = _raw(text)[: size - 1]
    return (bytes([len(raw)]) + raw).ljust(size, b"?")


def item_bytes(channel: Channel, order: str, wide: int) -> np.ndarray:
    """Items of a channel as bytes, shape (n, size); `wide`: bytes of a time."""
    times = np.asarray(channel.times, np.dtype(f"i{wide}").newbyteorder(order))
    raw = times.view("u1").reshape(len(times), wide)
    if isinstance(channel, Events):
        return raw
    fill = np.zeros((len(times), wide - 4), "u1")
    parts = [raw, np.asarray(channel.codes, "u1").reshape(-1, 4), fill, channel.attached(order)]
    joined = np.concatenate(parts, axis=1)
    if wide == 8:
        joined = np.pad(joined, ((0, 0), (0, -joined.shape[1] % 8)))
    return joined


def _sample_type(channel: Wave, order: str) -> np.dtype:
    return np.dtype("i2" if channel.kind == ADC else "f4").newbyteorder(order)


def _blocks(channel: Channel, order: str) -> list[_Block]:
    """Cut the data of a channel into blocks."""
    room, made = channel.block_bytes - BLOCK, []
    if isinstance(channel, Wave):
        dtype = _sample_type(channel, order)
        most = room // dtype.itemsize
        for tick, samples in channel.pieces:
            raw = np.ascontiguousarray(samples, dtype)
            for first in range(0, len(raw), most):
                part = raw[first : first + most]
                begin = tick + first * channel.divide
                last = begin + (len(part) - 1) * channel.divide
                made.append(_Block(channel.slot, begin, last, len(part), part.view("u1")))
        return made
    raw = item_bytes(channel, order, 4)
    most = room // raw.shape[1] if raw.size else 1
    times = np.asarray(channel.times)
    for first in range(0, len(raw), most):
        part, within = raw[first : first + most], times[first : first + most]
        made.append(
            _Block(channel.slot, int(within[0]), int(within[-1]), len(part), part.reshape(-1))
        )
    return made


def smr(
    channels: Sequence[Channel],
    *,
    version: int = 9,
    order: str = "<",
    us_per_time: int = 10,
    time_per_adc: int = 1,
    time_base: float = 1e-6,
    date: Sequence[int] | None = DATE,
    comments: Sequence[str | bytes] = ("a comment", "another"),
    creator: bytes = b"Spike2 8",
    slots: int = 32,
    last_tick: int | None = None,
    by_channel: bool = False,
    block_counts: bool = True,
) -> Parts:
    """A .smr file; blocks lie in the order of their last times, or channel by channel."""
    area = -(-slots * SLOT // 512) * 512
    unit = 512 if version == 9 else 1
    chains = {channel.slot: _blocks(channel, order) for channel in channels}
    blocks = [block for chain in chains.values() for block in chain]
    if not by_channel:
        blocks.sort(key=lambda block: block.last)
    sizes = {channel.slot: channel.block_bytes for channel in channels}
    steps = np.array([0] + [sizes[block.slot] for block in blocks], np.int64)
    places = np.cumsum(steps) + HEAD + area
    data = np.zeros(int(places[-1]), "u1")
    where: dict[int, list[int]] = {slot: [] for slot in chains}
    for block, place in zip(blocks, places.tolist(), strict=False):
        where[block.slot].append(place)
    for slot, chain in chains.items():
        pointers = [-1, *[place // unit for place in where[slot]], -1]
        for number, (block, place) in enumerate(zip(chain, where[slot], strict=True)):
            named = (slot + 1) & 0xFF | ((slot + 1) & 0x100) << 1
            head = struct.pack(
                order + "iiiiHH",
                pointers[number],
                pointers[number + 2],
                block.tick,
                block.last,
                named,
                block.items,
            )
            data[place : place + BLOCK] = np.frombuffer(head, "u1")
            data[place + BLOCK : place + BLOCK + len(block.payload)] = block.payload
    last = max([block.last for block in blocks], default=0) if last_tick is None else last_tick
    head = bytearray(HEAD)
    put = struct.pack_into
    put(order + "h10s8sHHh", head, 0, version, b"(C) CED 87", creator, us_per_time, time_per_adc, 1)
    put(order + "ihHHHH", head, 26, int(places[0]) // unit, slots, area, 0, 512, 0)
    put(order + "H", head, 38, 0x0101 if order == ">" else 0)
    put(order + "i", head, 40, last)
    if version >= 6:
        put(order + "d", head, 44, time_base)
    if date is not None:
        put(order + "6BH", head, 52, *date)
    for number in range(5):
        text = comments[number] if number < len(comments) else ""
        put("80s", head, 112 + 80 * number, pascal(text, 80))
    data[:HEAD] = np.frombuffer(bytes(head), "u1")
    for channel in channels:
        chain = where[channel.slot]
        raw = _slot(channel, order, version, time_per_adc, [place // unit for place in chain],
                    count=len(chain) if block_counts else 0)  # fmt: skip
        begin = HEAD + channel.slot * SLOT
        data[begin : begin + SLOT] = np.frombuffer(raw, "u1")
    boundaries = {0, HEAD, HEAD + SLOT, HEAD + area, len(data)}
    boundaries |= {place + step for place in places[:40].tolist() for step in (0, BLOCK)}
    return Parts(data, sorted(place for place in boundaries if place <= len(data)))


def _slot(
    channel: Channel,
    order: str,
    version: int,
    time_per_adc: int,
    pointers: Sequence[int],
    *,
    count: int,
) -> bytes:
    raw = bytearray(SLOT)
    put = struct.pack_into
    first, last = (pointers[0], pointers[-1]) if pointers else (-1, -1)
    extra, divide, adc_divide, most = 0, 0, 0, 0
    if isinstance(channel, Markers) and channel.data is not None:
        extra = channel.attached(order).shape[1]
    if not isinstance(channel, Events) and channel.divide:
        divide = channel.divide if version >= 6 else 0
        adc_divide = 0 if version >= 6 else channel.divide // time_per_adc
    if isinstance(channel, Markers) and channel.kind == WAVE_MARK and version >= 6:
        adc_divide = channel.traces
    put(order + "HiiiH", raw, 0, 0, -1, first, last, count & 0xFFFF)
    put(order + "H", raw, 16, extra)
    put(order + "h", raw, 18, channel.pre_trigger if isinstance(channel, Markers) else 0)
    put(order + "h", raw, 20, count >> 16 if version == 9 else 0)
    put(order + "HH", raw, 22, channel.block_bytes, most)
    put("72s", raw, 26, pascal(channel.comment, 72))
    put(order + "iih", raw, 98, 0, divide, channel.physical)
    put("10s", raw, 108, pascal(channel.title, 10))
    put(order + "fBB", raw, 118, channel.ideal_rate, channel.kind, 0)
    put(order + "ff", raw, 124, channel.scale, channel.offset)
    if channel.kind == LEVEL:
        put("BB2x", raw, 124, channel.initial_low, 0)
    put("6s", raw, 132, pascal(channel.units, 6))
    put(order + "H", raw, 138, adc_divide)
    return bytes(raw)


# .smrx


CHANNEL_HEAD = 272


def smrx(
    channels: Sequence[Channel],
    *,
    letters: bytes = b"pl",
    fanout: int = 255,
    tick_seconds: float = 1e-6,
    date: Sequence[int] | None = DATE,
    comments: Sequence[str] = ("a comment",),
    creator: bytes = b"Spike2 9",
    slots: int | None = None,
    last_tick: int | None = None,
    samples_per_run: int | None = None,
    counts_samples: bool = False,
) -> Parts:
    """A .smrx file; small `letters` make small blocks, `fanout` the entries of an index block."""
    size = 2 << (letters[0] - ord("a"))
    index_size = 2 << (letters[1] - ord("a"))
    slots = max(channel.slot for channel in channels) + 1 if slots is None else slots
    texts = _Texts()
    comment_ids = [texts.add(comments[n] if n < len(comments) else "") for n in range(8)]
    heads = {}
    for channel in channels:
        heads[channel.slot] = [
            texts.add(t) for t in (channel.title, channel.units, channel.comment)
        ]
    string_bytes = texts.tobytes()
    channel_start = 0x800
    string_start = channel_start + slots * CHANNEL_HEAD
    stream_bytes = string_start + len(string_bytes)
    extensions = max(0, -(-(stream_bytes - size) // (size - 16)))
    data = bytearray(size)
    made: dict[int, tuple[int, int, int]] = {}
    boundaries = [0, 0x800, size]
    extension_places = []
    for number, channel in enumerate(channels):
        if number == 0:
            for _ in range(extensions):
                extension_places.append(len(data))
                data += bytes(size)
        chain = _data_blocks(channel, size, samples_per_run, counts_samples)
        made[channel.slot] = _tree(data, channel, chain, size, index_size, fanout, boundaries)
    stream = bytearray(stream_bytes)
    put = struct.pack_into
    put("<3s2sxBB", stream, 0, b"S64", letters, 1, 0)
    put("<HHI", stream, 8, 0xFFFF, 0, 0)
    put("<8s", stream, 16, creator)
    if date is not None:
        put("<6BH", stream, 24, *date)
    put("<d", stream, 32, tick_seconds)
    put("<IIIIII", stream, 40, 0, 0, channel_start, string_start, slots, CHANNEL_HEAD)
    put("<8I", stream, 64, *comment_ids)
    last = max((last for _, _, last in made.values()), default=0)
    put("<Iqqq", stream, 996, extensions, 0, 0, last if last_tick is None else last_tick)
    put(f"<{extensions}q", stream, 1024, *extension_places)
    stream[string_start:] = string_bytes
    for channel in channels:
        begin = channel_start + channel.slot * CHANNEL_HEAD
        top, blocks, last = made[channel.slot]
        stream[begin : begin + CHANNEL_HEAD] = _channel_head(
            channel, top, blocks, last, heads[channel.slot]
        )
    data[: min(size, stream_bytes)] = stream[:size]
    for number, place in enumerate(extension_places):
        part = stream[size + number * (size - 16) :][: size - 16]
        put("<qHHI", data, place, 0, 0xFFFF, 0, 0)
        data[place + 16 : place + 16 + len(part)] = part
    boundaries.append(len(data))
    return Parts(np.frombuffer(bytes(data), "u1"), sorted(set(boundaries)))


class _Texts:
    """The table of texts; a free entry stands among them."""

    def __init__(self) -> None:
        self.items: list[bytes | None] = [None]

    def add(self, text: str | bytes) -> int:
        if not text:
            return 0
        self.items.append(_raw(text))
        return len(self.items)

    def tobytes(self) -> bytes:
        body = b""
        for text in self.items:
            raw = b"" if text is None else text
            body += struct.pack("<I", 0 if text is None else 1)
            body += raw.ljust((len(raw) + 4) // 4 * 4, b"\0")
        return struct.pack("<II", len(body) // 4, len(self.items)) + body


def _data_blocks(
    channel: Channel, size: int, samples_per_run: int | None, counts_samples: bool
) -> list[tuple[int, int, int, bytes]]:
    """First and last tick, items, payload of each data block."""
    room, made = size - 16, []
    if not isinstance(channel, Wave):
        raw = item_bytes(channel, "<", 8)
        most = room // raw.shape[1] if raw.size else 1
        times = np.asarray(channel.times)
        for first in range(0, len(raw), most):
            part, within = raw[first : first + most], times[first : first + most]
            made.append((int(within[0]), int(within[-1]), len(part), part.tobytes()))
        return made
    dtype = _sample_type(channel, "<")
    payload, runs, ticks = b"", [], []

    def finish() -> None:
        items = sum(runs) if counts_samples else len(runs)
        made.append((ticks[0], ticks[-1], items, payload))

    for tick, samples in channel.pieces:
        raw, done = np.ascontiguousarray(samples, dtype), 0
        while done < len(raw):
            left = (room - len(payload) - 16) // dtype.itemsize
            count = min(left, len(raw) - done, samples_per_run or len(raw))
            if count <= 0:
                finish()
                payload, runs, ticks = b"", [], []
                continue
            begin = tick + done * channel.divide
            part = raw[done : done + count].tobytes()
            payload += struct.pack("<qII", begin, count, 0) + part.ljust(
                -(-len(part) // 8) * 8, b"\0"
            )
            runs.append(count)
            ticks += [begin, begin + (count - 1) * channel.divide]
            done += count
    if runs:
        finish()
    return made


def _tree(
    data: bytearray,
    channel: Channel,
    chain: Sequence[tuple[int, int, int, bytes]],
    size: int,
    index_size: int,
    fanout: int,
    boundaries: list[int],
) -> tuple[int, int, int]:
    """Append data blocks and their index blocks; gives the top, blocks and last tick."""
    if not chain:
        return 0, 0, 0
    entries = []
    for tick, _, items, payload in chain:
        place = len(data)
        boundaries += [place, place + 16]
        head = struct.pack("<qHHI", 0, channel.slot, 3, items)
        data += (head + payload).ljust(size, b"\0")
        entries.append((tick, place))
    level = 1
    while True:
        parents = []
        for first in range(0, len(entries), fanout):
            part = entries[first : first + fanout]
            place = len(data)
            boundaries += [place, place + 16]
            raw = struct.pack("<qHHI", level << 8, channel.slot, 3, len(part))
            raw += b"".join(struct.pack("<qq", *entry) for entry in part)
            data += raw.ljust(index_size, b"\0")
            for number, (_, below) in enumerate(part):
                parent = place | (level - 1) << 8 | number
                struct.pack_into("<q", data, below, parent)
            parents.append((part[0][0], place))
        data += bytes(-len(data) % size)
        if len(parents) == 1:
            return parents[0][1], len(chain), chain[-1][1]
        entries, level = parents, level + 1


def _channel_head(
    channel: Channel, top: int, blocks: int, last: int, texts: Sequence[int]
) -> bytes:
    raw = bytearray(CHANNEL_HEAD)
    put = struct.pack_into
    object_bytes, rows, columns, size = 0, 0, 0, 0
    if isinstance(channel, Markers):
        object_bytes = item_bytes(channel, "<", 8).shape[1]
        if channel.kind == WAVE_MARK:
            rows, columns, size = *channel.data.shape[1:], 2
        elif channel.kind == REAL_MARK:
            rows, columns, size = channel.data.shape[1], 1, 4
        elif channel.kind == TEXT_MARK:
            rows, columns, size = channel.text_bytes, 1, 1
    divide = 0 if isinstance(channel, Events) else channel.divide
    put("<qqQQ", raw, 0, top, last, blocks, blocks)
    put("<IHHHHHBB", raw, 32, object_bytes, rows, columns, getattr(channel, "pre_trigger", 0), size,
        3, channel.kind, channel.kind)  # fmt: skip
    put("<iIII", raw, 48, channel.physical, *texts)
    put("<qddd", raw, 64, divide, channel.ideal_rate, np.float32(channel.scale),
        np.float32(channel.offset))  # fmt: skip
    is_high = isinstance(channel, Events) and channel.kind == LEVEL and not channel.initial_low
    put("<ddQ", raw, 96, -5.0, 5.0, int(is_high))
    return bytes(raw)


# Ready-made channels and files


def counts(count: int, *, seed: int = 1) -> np.ndarray:
    """16-bit test samples."""
    return np.random.default_rng(seed).integers(-30000, 30000, count, "<i2")


def floats(count: int, *, seed: int = 2) -> np.ndarray:
    """Float test samples."""
    return np.random.default_rng(seed).normal(0, 3, count).astype("<f4")


def times(count: int, *, last: int = 20_000, seed: int = 3) -> np.ndarray:
    """Ticks in order, without repeats."""
    return np.sort(np.random.default_rng(seed).permutation(last)[:count]).astype(np.int64)


def codes(count: int, *, most: int = 3, seed: int = 4) -> np.ndarray:
    """Codes of markers: the first below `most`."""
    made = np.random.default_rng(seed).integers(0, 256, (count, 4)).astype("u1")
    made[:, 0] = made[:, 0].astype(int) % most
    return made


def point_channels(*, block_bytes: int = 512, last: int = 20_000) -> list[Channel]:
    """One channel of each kind that has no samples."""
    spikes = np.random.default_rng(5).integers(-3000, 3000, (60, 12, 1)).astype("<i2")
    tetrode = np.random.default_rng(6).integers(-3000, 3000, (40, 8, 4)).astype("<i2")
    texts = ["drug on", "", "caf\xe9", "washed out!!!!!", b"\x81 odd", "a"]
    common: dict[str, Any] = {"block_bytes": block_bytes}
    return [
        Events(10, "fall", times=times(90, last=last), kind=EVENT_FALL, physical=3, **common),
        Events(11, "rise", times=times(200, last=last, seed=7), comment="rising", **common),
        Events(12, "up", times=times(31, last=last, seed=8), kind=LEVEL, **common),
        Events(13, "down", times=times(30, last=last, seed=9), kind=LEVEL, initial_low=0, **common),
        Markers(14, "Keyboard", times=times(80, last=last, seed=10),
                codes=codes(80, most=256), **common),
        Markers(15, "unit", "uV", times=times(60, last=last, seed=11), codes=codes(60),
                kind=WAVE_MARK, data=spikes, divide=4, pre_trigger=5, scale=500.0, offset=0.25,
                **common),
        Markers(16, "tetrode", " volt", times=times(40, last=last, seed=12),
                codes=codes(40, most=2), kind=WAVE_MARK, data=tetrode, divide=4, pre_trigger=3,
                **common),
        Markers(17, "real", "kg", times=times(50, last=last, seed=13), codes=codes(50, most=2),
                kind=REAL_MARK, data=floats(150).reshape(50, 3), scale=-4.0, offset=4.0, **common),
        Markers(18, "text", times=times(6, last=last, seed=14), codes=codes(6),
                kind=TEXT_MARK, data=texts, **common),
    ]  # fmt: skip


def wave_channels(*, block_bytes: int = 512, floats_too: bool = True) -> list[Channel]:
    """Two channels that belong together, a slower one, and one of floats; one stretch."""
    common: dict[str, Any] = {"block_bytes": block_bytes}
    made: list[Channel] = [
        Wave(0, "EMG", "mV", "left", 1, 1000.0, scale=2.5, pieces=[(3, counts(1900))], **common),
        Wave(1, "EMG", "mV", "right", 2, 1000.0, scale=5.0, offset=0.5,
             pieces=[(3, counts(1900, seed=15))], **common),
        Wave(3, "slow", "deg", pieces=[(7, counts(190, seed=16))], divide=100, **common),
    ]  # fmt: skip
    if floats_too:
        made.append(
            Wave(4, "force", "N", pieces=[(5, floats(950))], divide=20, kind=REAL_WAVE, **common)
        )
    return made


def paused(*, seed: int = 20) -> list[Channel]:
    """Three stretches that two channels have in common."""
    made: list[Channel] = []
    for slot, dtype, shift in ((0, ADC, 0), (1, REAL_WAVE, 4)):
        make = counts if dtype == ADC else floats
        pieces = [
            (tick + shift, make(length, seed=seed + slot + number))
            for number, (tick, length) in enumerate([(0, 300), (5000, 500), (15_000, 400)])
        ]
        made.append(Wave(slot, f"wave {slot}", "V", pieces=pieces, kind=dtype))
    return made


def triggered() -> list[Channel]:
    """A channel that goes on, and two that are sampled now and then; then a pause of all."""
    return [
        Wave(0, "on", "V", pieces=[(0, counts(1000)), (15_000, counts(500, seed=31))]),
        Wave(
            1,
            "bursts",
            "V",
            pieces=[(tick, counts(50, seed=32 + tick)) for tick in (100, 2000, 4000, 16_000)],
        ),
        Wave(
            2,
            "force",
            "N",
            pieces=[(tick, floats(60, seed=33 + tick)) for tick in (50, 3000, 15_500)],
            kind=REAL_WAVE,
        ),
    ]


def big(
    path: Path,
    *,
    what: str = "waves",
    megabytes: int = 100,
    channels: int = 4,
    spikes: int = 1_000_000,
    points: int = 32,
    units: int = 4,
    block_bytes: int = 32_768,
    version: int = 9,
) -> list[Channel]:
    """Write a large .smr file; gives the channels, which hold the truth.

    Parameters
    ----------
    path : Path
        Where to.
    what : {"waves", "spikes"}
        Channels of 16-bit samples at 25 kHz, or one channel of WaveMarks.
    megabytes, channels : int
        Size and number of the channels of samples.
    spikes, points, units : int
        WaveMarks, points of each, and different first codes.
    block_bytes : int
        Size of a block.
    version : int
        Version of the file.
    """
    rng = np.random.default_rng(1)
    made: list[Channel]
    if what == "waves":
        length = megabytes * 10**6 // 2 // channels
        made = [
            Wave(slot, f"ch {slot}", "uV", divide=4, scale=500.0, block_bytes=block_bytes,
                 pieces=[(0, rng.integers(-2000, 2000, length, "<i2"))])
            for slot in range(channels)
        ]  # fmt: skip
    else:
        data = rng.integers(-2000, 2000, (spikes, points, 1), "<i2")
        kinds = np.zeros((spikes, 4), "u1")
        kinds[:, 0] = rng.integers(0, units, spikes)
        made = [
            Markers(0, "spikes", "uV", times=np.arange(spikes) * 100 + 7, codes=kinds, divide=4,
                    kind=WAVE_MARK, data=data, pre_trigger=8, scale=500.0, block_bytes=block_bytes)
        ]  # fmt: skip
    smr(made, version=version).write(path)
    return made


def _large(folder: Path) -> Path:
    """A channel of 130 MB, sparse: the heads of its blocks are there."""
    block_bytes, blocks = 65_024, 2000
    count = (block_bytes - BLOCK) // 2
    raw = smr([Wave(0, "large", "V", block_bytes=block_bytes, divide=5, pieces=[(0, counts(2))])],
              version=8).tobytes()  # fmt: skip
    start = len(raw) - block_bytes
    path = folder / "large.smr"
    with path.open("wb") as file:
        file.write(raw[:start])
        for number in range(blocks):
            here = start + number * block_bytes
            file.seek(here)
            back = here - block_bytes if number else -1
            following = here + block_bytes if number + 1 < blocks else -1
            tick = number * count * 5
            last = tick + (count - 1) * 5
            file.write(struct.pack("<iiiiHH", back, following, tick, last, 1, count))
        file.truncate(start + blocks * block_bytes)
    return path


def _sample(name: str, parts: Callable[[], Parts], suffix: str = "smr", **extra: Any) -> Sample:
    boundaries = parts().boundaries
    return Sample(
        "spike2",
        name,
        lambda folder: parts().write(folder / f"{name}.{suffix}"),
        boundaries=lambda _: list(boundaries),
        **extra,
    )


def samples() -> list[Sample]:
    """One small recording per variant.

    Points lie behind the samples on disk: an end that is cut loses them first, so that they do not
    move to other segments.
    """
    irregular = {"irregular_realwaves": True, "try_signal_grouping": False}
    return [
        _sample("v9", lambda: smr(wave_channels()), large=_large),
        _sample("v9-points", lambda: smr(point_channels(), by_channel=True)),
        _sample("v9-paused", lambda: smr([*paused(), *point_channels()], by_channel=True)),
        _sample("v9-triggered", lambda: smr(triggered(), by_channel=True)),
        _sample("v8-irregular", lambda: smr(triggered(), version=8, by_channel=True),
                options=irregular),
        _sample("v6-big-endian", lambda: smr([*wave_channels(), *point_channels()], version=6,
                                             order=">", by_channel=True)),
        _sample("v5", lambda: smr(wave_channels(), version=5, time_per_adc=2, date=None)),
        _sample("v3-points", lambda: smr(point_channels(block_bytes=1024), version=3,
                                         by_channel=True),
                options={"ced_units": False, "level_epochs": False}),
        _sample("v1-odd-sizes", lambda: smr(
            [Wave(0, "a", "V", pieces=[(0, counts(700))]),
             Wave(1, "b", "V", pieces=[(4, counts(700, seed=9))], block_bytes=1024)],
            version=1)),
        _sample("x-waves", lambda: smrx(
            wave_channels(), letters=b"lk", fanout=2), "smrx"),
        _sample("x-points", lambda: smrx(point_channels(), letters=b"lk", fanout=3), "smrx"),
        _sample("x-runs", lambda: smrx(paused(), letters=b"lk", samples_per_run=90), "smrx"),
    ]  # fmt: skip
