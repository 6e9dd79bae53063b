"""Makes ABF1, ABF2 and ATF files from the description of the format."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.testing.sample import Sample

BLOCK = 512
SECTIONS = [
    "protocol",
    "adc",
    "dac",
    "epoch",
    "adc_per_dac",
    "epoch_per_dac",
    "user_list",
    "stats_region",
    "math",
    "strings",
    "data",
    "tag",
    "scope",
    "delta",
    "voice_tag",
    "synch_array",
    "annotation",
    "stats",
]
OFF, STEP, RAMP, RECTANGLES, TRIANGLES, COSINES, RESISTANCE, BIPHASIC = range(8)


@dataclass
class Adc:
    name: str | bytes = "IN 0"
    units: str | bytes = "pA"
    number: int = 0
    scale_factor: float = 0.0005
    signal_gain: float = 1.0
    programmable_gain: float = 1.0
    instrument_offset: float = 0.0
    signal_offset: float = 0.0
    telegraph_enable: int = 0
    telegraph_gain: float = 1.0
    lowpass: float = 5000.0
    highpass: float = 1.0

    def gain(self, *, adc_range: float = 10.0, resolution: int = 32768) -> float:
        """What the page says, of values as the file holds them."""
        factors = [self.scale_factor, self.signal_gain, self.programmable_gain]
        if self.telegraph_enable == 1:
            factors.append(self.telegraph_gain)
        product = float(resolution or 1)
        for factor in factors:
            product *= float(np.float32(factor)) or 1.0
        return adc_range / product

    def offset(self) -> float:
        return float(np.float32(self.instrument_offset)) - float(np.float32(self.signal_offset))


@dataclass
class Epoch:
    kind: int = STEP
    level: float = 0.0
    increment: float = 0.0
    duration: int = 0
    duration_increment: int = 0
    period: int = 0
    width: int = 0
    digital: int = 0
    train: int = 0


@dataclass
class Dac:
    name: str | bytes = "Cmd 0"
    units: str | bytes = "mV"
    number: int = 0
    holding: float = 0.0
    enable: int = 1
    source: int = 1
    inter_sweep: int = 0
    file_path: str = ""
    file_scale: float = 1.0
    file_offset: float = 0.0
    file_sweep: int = 0
    file_adc: int = 0
    epochs: Sequence[Epoch] = ()


@dataclass
class UserList:
    values: str
    parameter: int
    number: int = 0
    enable: int = 1
    repeat: int = 0


@dataclass
class Tag:
    time: int
    comment: str | bytes = ""
    kind: int = 1


@dataclass
class Parts:
    """A file: what stands before the samples, the samples, and what follows."""

    before: bytes
    data: np.ndarray
    after: bytes
    boundaries: list[int] = field(default_factory=list)

    def tobytes(self) -> bytes:
        return self.before + self.data.tobytes() + self._padding() + self.after

    def _padding(self) -> bytes:
        return bytes(-self.data.nbytes % BLOCK) if self.after else b""

    def write(self, path: Path) -> Path:
        with path.open("wb") as file:
            file.write(self.before)
            self.data.tofile(file)
            file.write(self._padding() + self.after)
        return path


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("cp1252")


def _blocks(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % BLOCK)


def tag_bytes(tags: Sequence[Tag]) -> bytes:
    return b"".join(
        struct.pack("<i56shh", tag.time, _raw(tag.comment).ljust(56), tag.kind, 0) for tag in tags
    )


def synch_bytes(synch: Sequence[tuple[int, int]]) -> bytes:
    return np.array(synch, "<i4").reshape(-1, 2).tobytes()


class _Strings:
    def __init__(self) -> None:
        self.items: list[bytes] = []

    def add(self, text: str | bytes | None) -> int:
        if text is None:
            return 0
        self.items.append(_raw(text))
        return len(self.items)

    def tobytes(self) -> bytes:
        text = b"".join(item + b"\0" for item in self.items)
        longest = max((len(item) for item in self.items), default=0)
        head = b"SSCH" + bytes([1, 0, 0, 0])
        return head + struct.pack("<III", len(self.items), longest, len(text)) + bytes(24) + text


def abf2(
    data: np.ndarray,
    *,
    adcs: Sequence[Adc] | None = None,
    dacs: Sequence[Dac] = (),
    mode: int = 5,
    interval: float = 50.0,
    synch_unit: float = 0.0,
    synch: Sequence[tuple[int, int]] = (),
    sweeps: int = 0,
    samples_per_sweep: int = 0,
    sweeps_per_run: int = 1,
    start_to_start: float = 0.0,
    tags: Sequence[Tag] = (),
    date: int = 20240229,
    time_ms: int = 45_296_789,
    version: Sequence[int] = (0, 0, 6, 2),
    adc_range: float = 10.0,
    resolution: int = 32768,
    experiment_type: int = 0,
    digital_enable: int = 0,
    active_dac: int = 0,
    digital_holding: int = 0,
    digital_inter_sweep: int = 0,
    alternate: int = 0,
    user_lists: Sequence[UserList] = (),
    comment: str | bytes | None = "a comment",
    creator: str | bytes | None = "Clampex",
    protocol: str | bytes | None = "C:\\protocols\\steps.pro",
    extra_entry_bytes: int = 0,
    empty_string_first: bool = False,
    data_count: int | None = None,
) -> Parts:
    """An ABF2 file; `data` has shape (samples, channels)."""
    data = np.ascontiguousarray(data)
    adcs = [Adc(name=f"IN {k}", number=k) for k in range(data.shape[1])] if adcs is None else adcs
    strings = _Strings()
    if empty_string_first:
        strings.add("")
    creator_index, protocol_index = strings.add(creator), strings.add(protocol)
    head = bytearray(BLOCK)
    struct.pack_into("<4s4BIIII", head, 0, b"ABF2", *version, 512, sweeps, date, time_ms)
    struct.pack_into("<HH", head, 28, 1, 0 if data.dtype.kind == "i" else 1)
    head[40:56] = bytes(range(16))
    struct.pack_into("<4BI", head, 56, 3, 0, 7, 10, creator_index)
    struct.pack_into("<I", head, 72, protocol_index)
    tables = {
        "protocol": [
            _protocol(
                mode=mode,
                interval=interval,
                synch_unit=synch_unit,
                samples_per_sweep=samples_per_sweep,
                sweeps_per_run=sweeps_per_run,
                start_to_start=start_to_start,
                adc_range=adc_range,
                resolution=resolution,
                experiment_type=experiment_type,
                comment=strings.add(comment),
                digital=(digital_enable, active_dac, digital_holding, digital_inter_sweep),
                alternate=alternate,
            )
        ],
        "adc": [_adc2(adc, strings) for adc in adcs],
        "dac": [_dac2(dac, strings) for dac in dacs],
        "epoch_per_dac": [
            _epoch2(number, dac.number, epoch)
            for dac in dacs
            for number, epoch in reversed(list(enumerate(dac.epochs)))
        ],
        "epoch": [
            struct.pack("<hhh", number, epoch.digital, epoch.train) + bytes(26)
            for dac in dacs
            if dac.number == active_dac
            for number, epoch in enumerate(dac.epochs)
        ],
        "user_list": [
            struct.pack("<hhhhi", u.number, u.enable, u.parameter, u.repeat, strings.add(u.values))
            + bytes(52)
            for u in user_lists
        ],
    }
    body = bytearray()
    boundaries = [0, 4, 76, BLOCK]
    for name, entries in tables.items():
        if entries:
            padded = [entry + b"\xaa" * extra_entry_bytes for entry in entries]
            _place(head, name, BLOCK + len(body), len(padded[0]), len(padded))
            body += _blocks(b"".join(padded))
            boundaries.append(BLOCK + len(body))
    text = strings.tobytes()
    _place(head, "strings", BLOCK + len(body), len(text), len(strings.items))
    body += _blocks(text)
    data_offset = BLOCK + len(body)
    count = data.size if data_count is None else data_count
    if count:
        _place(head, "data", data_offset, data.dtype.itemsize, count)
    after = bytearray()
    after_offset = data_offset + data.nbytes + -data.nbytes % BLOCK
    for name, raw, size in (
        ("tag", tag_bytes(tags), 64),
        ("synch_array", synch_bytes(synch), 8),
    ):
        if raw:
            _place(head, name, after_offset + len(after), size, len(raw) // size)
            after += _blocks(raw)
            boundaries.append(after_offset + len(after))
    boundaries += [data_offset, data_offset + data.nbytes // 2, data_offset + data.nbytes]
    return Parts(bytes(head + body), data, bytes(after), sorted(set(boundaries)))


def _place(head: bytearray, name: str, offset: int, size: int, count: int) -> None:
    struct.pack_into("<IIq", head, 76 + 16 * SECTIONS.index(name), offset // BLOCK, size, count)


def _protocol(**values: Any) -> bytes:
    raw = bytearray(512)
    struct.pack_into("<hf", raw, 0, values["mode"], values["interval"])
    struct.pack_into("<f", raw, 14, values["synch_unit"])
    struct.pack_into("<i", raw, 22, values["samples_per_sweep"])
    struct.pack_into("<i", raw, 30, values["sweeps_per_run"])
    struct.pack_into("<f", raw, 62, values["start_to_start"])
    struct.pack_into("<ff", raw, 110, values["adc_range"], 10.0)
    struct.pack_into("<ii", raw, 118, values["resolution"], 32768)
    struct.pack_into("<h", raw, 126, values["experiment_type"])
    struct.pack_into("<i", raw, 132, values["comment"])
    struct.pack_into("<hhhh", raw, 140, *values["digital"])
    struct.pack_into("<h", raw, 184, values["alternate"])
    return bytes(raw)


def _adc2(adc: Adc, strings: _Strings) -> bytes:
    raw = bytearray(128)
    struct.pack_into("<hhhf", raw, 0, adc.number, adc.telegraph_enable, 24, adc.telegraph_gain)
    struct.pack_into("<f", raw, 28, adc.programmable_gain)
    struct.pack_into("<ff", raw, 40, adc.scale_factor, adc.instrument_offset)
    struct.pack_into("<ff", raw, 48, adc.signal_gain, adc.signal_offset)
    struct.pack_into("<ff", raw, 56, adc.lowpass, adc.highpass)
    struct.pack_into("<ii", raw, 74, strings.add(adc.name), strings.add(adc.units))
    return bytes(raw)


def _dac2(dac: Dac, strings: _Strings) -> bytes:
    raw = bytearray(256)
    struct.pack_into("<h", raw, 0, dac.number)
    struct.pack_into("<f", raw, 12, dac.holding)
    struct.pack_into("<ii", raw, 24, strings.add(dac.name), strings.add(dac.units))
    struct.pack_into("<hhh", raw, 40, dac.enable, dac.source, dac.inter_sweep)
    struct.pack_into(
        "<ffih", raw, 46, dac.file_scale, dac.file_offset, dac.file_sweep, dac.file_adc
    )
    struct.pack_into("<i", raw, 118, strings.add(dac.file_path or None))
    return bytes(raw)


def _epoch2(number: int, dac: int, epoch: Epoch) -> bytes:
    return struct.pack(
        "<hhhffiiii18x",
        number,
        dac,
        epoch.kind,
        epoch.level,
        epoch.increment,
        epoch.duration,
        epoch.duration_increment,
        epoch.period,
        epoch.width,
    )


def abf1(
    data: np.ndarray,
    *,
    version: float = 1.84,
    adcs: Sequence[Adc] | None = None,
    dacs: Sequence[Dac] = (),
    mode: int = 5,
    interval: float = 50.0,
    synch_unit: float = 0.0,
    synch: Sequence[tuple[int, int]] = (),
    sweeps: int = 0,
    samples_per_sweep: int = 0,
    sweeps_per_run: int = 1,
    start_to_start: float = 0.0,
    tags: Sequence[Tag] = (),
    date: int = 20240229,
    time: int = 45_296,
    milliseconds: int = 789,
    adc_range: float = 10.0,
    resolution: int = 32768,
    experiment_type: int = 1,
    digital_enable: int = 0,
    active_dac: int = 0,
    digital_holding: int = 0,
    digital_inter_sweep: int = 0,
    user_lists: Sequence[UserList] = (),
    ignored: int = 0,
    sequence: Sequence[int] | None = None,
    channels: int | None = None,
    comment: str = "a comment",
    header_size: int = 6144,
    data_count: int | None = None,
) -> Parts:
    """An ABF1 file; `interval` is that of one channel (the file holds the multiplexed one)."""
    data = np.ascontiguousarray(data)
    width = data.shape[1]
    adcs = [Adc(name=f"IN {k}", number=k) for k in range(width)] if adcs is None else adcs
    sequence = [adc.number for adc in adcs] if sequence is None else sequence
    extended = version >= 1.6
    head = bytearray(6144 if extended else 2048)
    count = data.size if data_count is None else data_count
    data_end = len(head) + data.nbytes
    data_end += -data_end % BLOCK
    tag_raw, synch_raw = _blocks(tag_bytes(tags)), _blocks(synch_bytes(synch))
    put = struct.pack_into
    put("<4sfhihi", head, 0, b"ABF ", version, mode, count, ignored, sweeps)
    put("<ii", head, 20, date, time)
    put("<iii", head, 40, len(head) // BLOCK, data_end // BLOCK if tags else 0, len(tags))
    put("<ii", head, 92, (data_end + len(tag_raw)) // BLOCK if synch else 0, len(synch))
    put("<h", head, 100, 0 if data.dtype.kind == "i" else 1)
    put("<hhf", head, 118, width, width if channels is None else channels, interval / width)
    put("<f", head, 130, synch_unit)
    put("<i", head, 138, samples_per_sweep)
    put("<i", head, 146, sweeps_per_run)
    put("<f", head, 178, start_to_start)
    put("<ff", head, 244, adc_range, 10.0)
    put("<iih", head, 252, resolution, 32768, experiment_type)
    put("<16s56sh", head, 294, b"Clampex 9.2.0.9 ", _raw(comment), milliseconds)
    put("<16h", head, 410, *[*sequence, *[-1] * 16][:16])
    for adc in adcs:
        _put_adc1(head, adc, extended=extended)
    for dac in dacs:
        put("<10s", head, 1306 + 10 * dac.number, _raw(dac.name).ljust(10))
        put("<8s", head, 1346 + 8 * dac.number, _raw(dac.units).ljust(8))
        put("<f", head, 1394 + 4 * dac.number, dac.holding)
        if dac.number == active_dac:
            put(f"<{len(dac.epochs)}h", head, 1588, *[epoch.digital for epoch in dac.epochs])
    put("<h", head, 1436, digital_enable)
    put("<h", head, 1440, active_dac)
    put("<hh", head, 1584, digital_holding, digital_inter_sweep)
    put("<i", head, 2034, header_size)
    if extended:
        _put_extended(head, dacs, user_lists, comment)
    after = (tag_raw + synch_raw) if (tags or synch) else b""
    boundaries = [0, 4, 2048, len(head), len(head) + data.nbytes // 2, len(head) + data.nbytes]
    boundaries += [data_end + len(tag_raw)] if after else []
    return Parts(bytes(head), data, after, sorted(set(boundaries)))


def _put_adc1(head: bytearray, adc: Adc, *, extended: bool) -> None:
    put, p = struct.pack_into, adc.number
    put("<10s", head, 442 + 10 * p, _raw(adc.name).ljust(10))
    put("<8s", head, 602 + 8 * p, _raw(adc.units).ljust(8))
    for offset, value in (
        (730, adc.programmable_gain),
        (922, adc.scale_factor),
        (986, adc.instrument_offset),
        (1050, adc.signal_gain),
        (1114, adc.signal_offset),
        (1178, adc.lowpass),
        (1242, adc.highpass),
    ):
        put("<f", head, offset + 4 * p, value)
    if extended:
        put("<h", head, 4512 + 2 * p, adc.telegraph_enable)
        put("<f", head, 4576 + 4 * p, adc.telegraph_gain)


def _put_extended(
    head: bytearray, dacs: Sequence[Dac], user_lists: Sequence[UserList], comment: str
) -> None:
    put = struct.pack_into
    for dac in dacs:
        if dac.number > 1:
            continue
        put("<h", head, 2296 + 2 * dac.number, dac.enable)
        put("<h", head, 2300 + 2 * dac.number, dac.source)
        put("<h", head, 2304 + 2 * dac.number, dac.inter_sweep)
        put("<f", head, 2708 + 4 * dac.number, dac.file_scale)
        put("<f", head, 2716 + 4 * dac.number, dac.file_offset)
        put("<256s", head, 2736 + 256 * dac.number, _raw(dac.file_path))
        for number, epoch in enumerate(dac.epochs):
            k = 10 * dac.number + number
            put("<i", head, 2136 + 4 * k, epoch.period)
            put("<i", head, 2216 + 4 * k, epoch.width)
            put("<h", head, 2308 + 2 * k, epoch.kind)
            put("<f", head, 2348 + 4 * k, epoch.level)
            put("<f", head, 2428 + 4 * k, epoch.increment)
            put("<i", head, 2508 + 4 * k, epoch.duration)
            put("<i", head, 2588 + 4 * k, epoch.duration_increment)
    for k, user in enumerate(user_lists):
        put("<h", head, 3360 + 2 * k, user.enable)
        put("<h", head, 3368 + 2 * k, user.parameter)
        put("<256s", head, 3376 + 256 * k, _raw(user.values))
        put("<h", head, 4400 + 2 * k, user.repeat)
    put("<256s128s", head, 4898, b"C:\\protocols\\steps.pro", _raw(comment))
    put("<16B", head, 5282, *range(16))
    put("<4h", head, 5798, 9, 2, 0, 9)


def atf(
    data: np.ndarray,
    *,
    names: Sequence[str],
    units: Sequence[str],
    interval: float = 0.0001,
    t_start: float = 0.0,
    starts_ms: Sequence[float] | None = None,
    time_title: str | None = "Time (s)",
    separator: str = "\t",
    line_end: str = "\r\n",
    number: str = "%.6g",
    time_number: str = "%.6f",
    exported: bool = True,
    signals: bool = True,
    extra: Sequence[str] = (),
) -> bytes:
    """An ATF file; `data` has shape (sweeps, rows, signals)."""
    sweeps, rows, width = data.shape
    quoted = [f'"{key}"' for key in ("AcquisitionMode=Episodic Stimulation", "Comment=a, comment")]
    quoted += [f'"{key}"' for key in extra]
    if starts_ms is not None:
        quoted.append('"SweepStartTimesMS=' + ",".join(f"{start:.3f}" for start in starts_ms) + '"')
    if exported:
        quoted.append('"SignalsExported=' + ",".join(names) + '"')
    if signals:
        cells = ['"Signals="', *[f'"{name}"' for _ in range(sweeps) for name in names]]
        quoted.append(separator.join(cells))
    titles = [] if time_title is None else [f'"{time_title}"']
    titles += [
        f'"Trace #{sweep + 1} ({unit})"' for sweep in range(sweeps) for unit in units[:width]
    ]
    lines = [
        f"ATF{separator}1.0",
        f"{len(quoted)}{separator}{len(titles)}",
        *quoted,
        separator.join(titles),
    ]
    table = data.transpose(1, 0, 2).reshape(rows, -1)
    times = t_start + np.arange(rows) * interval
    body = []
    for time, row in zip(times, table, strict=True):
        cells = [] if time_title is None else [time_number % time]
        body.append(separator.join([*cells, *[number % value for value in row]]))
    return (line_end.join([*lines, *body]) + line_end).encode("cp1252")


def counts(samples: int, channels: int = 2, *, seed: int = 1) -> np.ndarray:
    """16-bit test samples, shape (samples, channels)."""
    return np.random.default_rng(seed).integers(-30000, 30000, (samples, channels), "<i2")


STEPS = Dac(
    holding=-70.0,
    epochs=[
        Epoch(STEP, -80.0, 5.0, 40, 2, digital=0b101),
        Epoch(RAMP, 20.0, 1.0, 30),
        Epoch(RECTANGLES, 10.0, 0.0, 50, 0, 12, 5, digital=0b10, train=0b1000),
    ],
)


def _written(parts: Callable[[], Parts], name: str) -> Callable[[Path], Path]:
    return lambda folder: parts().write(folder / name)


def _sample(name: str, parts: Callable[[], Parts], **extra: Any) -> Sample:
    boundaries = parts().boundaries
    suffix = "pro" if "protocol" in name else "abf"
    return Sample(
        "axon",
        name,
        _written(parts, f"{name}.{suffix}"),
        boundaries=lambda _: list(boundaries),
        **extra,
    )


def _large(folder: Path) -> Path:
    """A gap-free recording of 200 MB, sparse."""
    samples, channels = 50_000_000, 2
    parts = abf2(np.zeros((0, channels), "<i2"), mode=3, data_count=samples * channels)
    path = folder / "large.abf"
    with path.open("wb") as file:
        file.write(parts.before)
        file.truncate(len(parts.before) + samples * channels * 2)
    return path


def _text_sample(name: str, data: Callable[[], bytes]) -> Sample:
    def write(folder: Path) -> Path:
        path = folder / f"{name}.atf"
        path.write_bytes(data())
        return path

    return Sample("axon", name, write, states_length=False)


def samples() -> list[Sample]:
    """One small recording per variant."""
    sweeps = [(0, 400), (2000, 400), (4000, 400)]
    tags = [Tag(2100, "drug on"), Tag(50, "before"), Tag(9000, "after", 2)]
    floats = counts(500).astype("<f4") / 7

    def text(**extra: Any) -> bytes:
        names, units = ["IN 0", "Cmd"], ["pA", "mV"]
        data = counts(120).reshape(3, 40, 2) / 8
        return atf(data, names=names, units=units, **extra)

    return [
        _sample(
            "abf2-episodic",
            lambda: abf2(
                counts(600),
                synch=sweeps,
                synch_unit=12.5,
                sweeps=3,
                samples_per_sweep=400,
                start_to_start=0.025,
                tags=tags,
                dacs=[STEPS, Dac("Cmd 1", number=1, enable=0, holding=3.0)],
                digital_enable=1,
            ),
        ),
        _sample("abf2-gap-free", lambda: abf2(counts(500), mode=3, tags=tags), large=_large),
        _sample(
            "abf2-variable",
            lambda: abf2(counts(500), mode=1, synch=[(7, 300), (900, 500), (1500, 200)]),
        ),
        _sample("abf2-float", lambda: abf2(floats, mode=3)),
        _sample(
            "abf2-equal-sweeps",
            lambda: abf2(counts(600, 1), mode=2, sweeps=3, samples_per_sweep=200),
        ),
        _sample(
            "abf2-scope",
            lambda: abf2(
                counts(600, 3), mode=4, sweeps=2, samples_per_sweep=900, start_to_start=0.5
            ),
        ),
        _sample(
            "abf2-protocol",
            lambda: abf2(
                np.zeros((0, 2), "<i2"),
                dacs=[STEPS],
                sweeps_per_run=3,
                samples_per_sweep=400,
            ),
        ),
        _sample(
            "abf1-episodic",
            lambda: abf1(
                counts(600),
                synch=sweeps,
                synch_unit=12.5,
                sweeps=3,
                samples_per_sweep=400,
                start_to_start=0.025,
                tags=tags,
                dacs=[STEPS],
                digital_enable=1,
            ),
        ),
        _sample("abf1-gap-free", lambda: abf1(counts(500), mode=3, sweeps=4688, tags=tags)),
        _sample("abf1-float", lambda: abf1(floats, mode=3)),
        _sample(
            "abf1-old",
            lambda: abf1(counts(600, 1), version=1.3, sweeps=3, samples_per_sweep=200),
        ),
        _text_sample("atf-sweeps", lambda: text(starts_ms=[21.0, 221.0, 421.0])),
        _text_sample(
            "atf-gap-free",
            lambda: atf(counts(90).reshape(1, 90, 2) / 8, names=["a", "b"], units=["pA", "mV"]),
        ),
    ]
