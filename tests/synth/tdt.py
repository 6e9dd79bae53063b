"""Writes TDT tanks byte for byte: .tsq, .tev, .Tbk, .sev, logs, notes and sort results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from ephyrus.testing.sample import Sample

START = 1_486_502_304.25  # seconds since 1970
RATE = 24414.0625  # Hz: 25 MHz / 1024
RECORD = np.dtype(
    [
        ("size", "<i4"),
        ("type", "<i4"),
        ("name", "S4"),
        ("channel", "<u2"),
        ("sort", "<u2"),
        ("time", "<f8"),
        ("offset", "<i8"),
        ("format", "<i4"),
        ("rate", "<f4"),
    ]
)
FORMATS = {"f4": 0, "i4": 1, "i2": 2, "i1": 3, "f8": 4, "i8": 5}
ON, OFF, SCALAR, STREAM, SNIP, MARK = 0x101, 0x102, 0x201, 0x8101, 0x8201, 0x8801


def code_of(dtype: np.dtype) -> int:
    return FORMATS[np.dtype(dtype).str[1:]]


def stored_numbers(samples: int, channels: int, dtype: str = "f4", seed: int = 0) -> np.ndarray:
    """Numbers that differ everywhere, shape (samples, channels)."""
    ramp = np.arange(samples * channels, dtype=np.int64).reshape(samples, channels) + seed
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return (np.sin(ramp * 0.37) * 100).astype(kind)
    return (ramp * 7919 + seed).astype(kind)  # wraps around


@dataclass
class Stream:
    """A stream store: `data` (samples, channels); chunk k is late by ``late[k]`` seconds."""

    name: str
    data: np.ndarray
    rate: float = RATE
    points: int = 64
    first: float = 0.0  # of the first sample, seconds since the block's start
    late: dict[int, float] = field(default_factory=dict)
    flags: int = 0
    channels: Sequence[int] = ()
    head_name: str = ""

    def times(self) -> np.ndarray:
        """Of each chunk, since the start of the block."""
        chunks = len(self.data) // self.points
        late = np.zeros(chunks)
        for chunk, seconds in self.late.items():
            late[chunk:] += seconds
        return (
            self.first
            + np.arange(chunks) * (self.points / np.float64(np.float32(self.rate)))
            + late
        )

    def numbers(self) -> list[int]:
        return list(self.channels) or list(range(1, self.data.shape[1] + 1))

    def records(self, start: float) -> tuple[np.ndarray, np.ndarray]:
        """Records and their data, chunk by chunk: shapes (n,), (n, bytes)."""
        count = self.data.shape[1]
        times = self.times()
        found = np.zeros((len(times), count), RECORD)
        found["type"] = STREAM | self.flags
        found["name"] = self.name.encode("cp437")
        found["channel"] = self.numbers()
        found["time"] = (start + times)[:, None]
        found["format"] = code_of(self.data.dtype)
        found["rate"] = self.rate
        whole = self.data[: len(times) * self.points].reshape(len(times), self.points, count)
        data = np.ascontiguousarray(whole.transpose(0, 2, 1)).reshape(-1, self.points)
        payload = data.view("u1")
        found["size"] = 10 + payload.shape[1] // 4
        return found.reshape(-1), payload


@dataclass
class Snippets:
    """A snippet store; all arrays have one entry per snippet, `waves` the shape (n, points)."""

    name: str
    times: np.ndarray
    channels: np.ndarray
    codes: np.ndarray
    waves: np.ndarray
    rate: float = RATE

    def records(self, start: float) -> tuple[np.ndarray, np.ndarray]:
        found = np.zeros(len(self.times), RECORD)
        found["type"] = SNIP
        found["name"] = self.name.encode("cp437")
        found["channel"], found["sort"] = self.channels, self.codes
        found["time"] = start + np.asarray(self.times)
        found["format"], found["rate"] = code_of(self.waves.dtype), self.rate
        payload = np.ascontiguousarray(self.waves).view("u1")
        found["size"] = 10 + payload.shape[1] // 4
        return found, payload


@dataclass
class Marks:
    """Strobes (with `off`: the name of their offset store) or scalars (with `channels`)."""

    name: str
    times: Sequence[float]
    values: Sequence[float]
    kind: int = ON
    channels: Sequence[int] = ()
    notes: Sequence[int] = ()
    onset: str = ""  # offset stores: the store they end

    def records(self, start: float) -> tuple[np.ndarray, np.ndarray]:
        found = np.zeros(len(self.times), RECORD)
        found["size"], found["type"], found["name"] = 10, self.kind, self.name.encode("cp437")
        found["time"] = start + np.asarray(self.times, float)
        found["offset"] = np.asarray(self.values, "<f8").view("<i8")
        found["format"] = 4
        if len(self.channels):
            found["channel"] = self.channels
        if self.onset:
            buddy = np.frombuffer(self.onset.encode("cp437").ljust(4, b"\0"), "<u2")
            found["channel"], found["sort"] = buddy
        if len(self.notes):
            found["rate"] = np.asarray(self.notes, "<u4").view("<f4")
        return found, np.zeros((len(found), 0), "u1")


Content = Stream | Snippets | Marks


@dataclass
class Made:
    """What was written: the folder, the records in the order of the file, the .tev's size."""

    folder: Path
    stem: str
    tsq: Path
    records: np.ndarray
    tev_size: int


def index_and_data(
    contents: Iterable[Content], start: float, stop: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """All records, by time, between the marks; and the bytes of the .tev."""
    found = [content.records(start) for content in contents]
    records = np.concatenate([np.zeros(0, RECORD), *(each for each, _ in found)])
    order = np.argsort(records["time"], kind="stable")
    has_data = ((records["type"] & 0x8000) != 0) & ((records["type"] & 0x30) == 0)
    nbytes = np.where(has_data, (records["size"].astype(np.int64) - 10) * 4, 0)
    ends = np.cumsum(nbytes[order])
    offsets = np.zeros(len(records), np.int64)
    offsets[order] = ends - nbytes[order]
    data = np.zeros(int(nbytes.sum()), "u1")
    done = 0
    for each, payload in found:
        part = slice(done, done + len(each))
        done += len(each)
        if payload.shape[1] and has_data[part].any():
            records["offset"][part] = offsets[part]
            width = payload.shape[1]
            rows = np.ndarray((data.size - width + 1,), f"V{width}", data, 0, (1,))
            rows[offsets[part]] = np.ascontiguousarray(payload).view(f"V{width}")[:, 0]
    marks = np.zeros(3, RECORD)
    marks["type"] = 0, MARK, MARK
    marks["name"] = b"", b"\1", b"\2"
    marks["size"] = 0, 20, 20
    marks["time"] = 0, start, stop or 0
    whole = np.concatenate([marks[:2], records[order], marks[2:][: stop is not None]])
    whole["size"][0] = min(whole.nbytes, 2**31 - 1)
    return whole, data


def _tbk_fields(each: Content) -> list[tuple[str, str, object]]:
    """What a description says of the records of a store."""
    if isinstance(each, Stream):
        kind, count, points = STREAM | each.flags, each.data.shape[1], each.points
        circuit, form, rate = 5, code_of(each.data.dtype), f"{each.rate:.6f}"
    elif isinstance(each, Snippets):
        kind, count, points = SNIP, int(np.max(each.channels, initial=1)), each.waves.shape[1]
        circuit, form, rate = 4, code_of(each.waves.dtype), f"{each.rate:.6f}"
    else:
        kind, count, points = each.kind, max(each.channels, default=0), 0
        circuit, form, rate = 3, 4, "0"
    return [
        ("CircType", "L", circuit),
        ("NumChan", "L", count),
        ("StrobeMode", "L", 0),
        ("TankEvType", "L", kind),
        ("NumPoints", "L", points),
        ("DataFormat", "L", form),
        ("SampleFreq", "L", rate),
    ]


def tbk_text(contents: Iterable[Content], extra: str = "") -> bytes:
    """The description of the stores, between what a tank puts before and behind it."""
    items = []
    for each in contents:
        fields = [
            ("StoreName", "T", each.name),
            ("HeadName", "T", getattr(each, "head_name", "") or f"{each.name}/"),
            ("Enabled", "L", 1),
            *_tbk_fields(each),
        ]
        lines = "".join(f"NAME={key};TYPE={kind};VALUE={value};\r\n" for key, kind, value in fields)
        items.append(lines + "[STOREHDRITEM]")
    listing = "".join(items) + extra
    delimiter = b"[USERNOTEDELIMITER]"
    head = b"\x01\x004\x12Tank_Information\0\0\0\0"
    return delimiter.join([head, head, listing.encode("cp437"), b"\0\x28\0\0\0\xff" * 9])


def sev_head(
    size: int,
    name: str,
    channel: int,
    dtype: str,
    *,
    channels: int = 1,
    version: int = 3,
    rate_code: int = 2,
    decimation: int = 1,
    store_format: int | None = None,
) -> bytes:
    """The 40 bytes before the samples; version 0 has none of them."""
    head = bytearray(40)
    if version == 0:
        return bytes(head)
    kind = np.dtype(dtype)
    head[0:8] = size.to_bytes(8, "little")
    head[8:11], head[11] = b"SEV", version
    head[12:16] = name.encode("cp437").ljust(4, b"\0")
    for at, value in ((16, channel), (18, channels), (20, kind.itemsize), (26, rate_code)):
        head[at : at + 2] = value.to_bytes(2, "little")
    head[24] = code_of(kind) if store_format is None else store_format
    head[25] = decimation
    return bytes(head)


def write_sevs(
    folder: Path, stem: str, stream: Stream, *, parts: int = 1, spelled: str | None = None, **head
) -> list[Path]:
    """One file per channel, or `parts` of them."""
    written = []
    name = stream.name.replace("/", "_") if spelled is None else spelled
    cuts = np.linspace(0, len(stream.data), parts + 1).astype(int)
    for column, channel in enumerate(stream.numbers()):
        for part, (begin, end) in enumerate(pairwise(cuts)):
            data = np.ascontiguousarray(stream.data[begin:end, column])
            suffix = f"-{part}h" if part else ""
            path = folder / f"{stem}_{name}_Ch{channel}{suffix}.sev"
            text = sev_head(40 + data.nbytes, stream.name, channel, stream.data.dtype.str, **head)
            path.write_bytes(text + data.tobytes())
            written.append(path)
    return written


def sev_offsets(records: np.ndarray, stream: Stream) -> None:
    """Let the records of a stream point into its .sev files, chunk after chunk."""
    nbytes = stream.points * stream.data.dtype.itemsize
    for channel in stream.numbers():
        mine = (records["name"] == stream.name.encode()) & (records["channel"] == channel)
        mine &= (records["type"] & 0xFF0F) == STREAM
        records["offset"][mine] = 40 + np.arange(mine.sum()) * nbytes


def write_block(
    folder: Path,
    contents: Sequence[Content],
    *,
    stem: str | None = None,
    start: float = START,
    stop: float | None = None,
    duration: float | None = 2.0,
    tbk: bool | bytes = True,
    tev: bool = True,
    parts: int = 1,
    case: Callable[[str], str] = str,
    **head,
) -> Made:
    """Write the files of a block; streams with flag 0x10 go into .sev files."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"TANK_{folder.name}" if stem is None else stem
    end = start + duration if stop is None and duration is not None else stop
    records, data = index_and_data(contents, start, end)
    for each in contents:
        if isinstance(each, Stream) and each.flags & 0x10:
            write_sevs(folder, stem, each, parts=parts, **head)
            sev_offsets(records, each)
    tsq = folder / f"{stem}.{case('tsq')}"
    tsq.write_bytes(records.tobytes())
    if tev:
        (folder / f"{stem}.{case('tev')}").write_bytes(data.tobytes())
    if tbk is not False:
        text = tbk_text(contents) if tbk is True else tbk
        (folder / f"{stem}.{case('Tbk')}").write_bytes(text)
    return Made(folder, stem, tsq, records, data.size)


def sort_result(records: np.ndarray, codes: np.ndarray, channels: Iterable[int]) -> bytes:
    """A .SortResult: the map of sorted channels, and a code for each record 1 .. n-2."""
    sorted_channels = np.zeros(1024, "u1")
    sorted_channels[[channel - 1 for channel in channels]] = 1
    assert len(codes) == len(records) - 2
    return sorted_channels.tobytes() + codes.astype("u1").tobytes()


def spikes(
    count: int = 40, channels: int = 3, points: int = 30, dtype: str = "f4", name: str = "eNe1"
) -> Snippets:
    """Snippets on several channels with codes 0, 1, 2 and 31."""
    rng = np.random.default_rng(count)
    return Snippets(
        name,
        np.sort(rng.random(count)) * 1.5 + 0.1,
        rng.integers(1, channels + 1, count),
        rng.choice([0, 1, 2, 31], count),
        stored_numbers(count, points, dtype),
    )


def pulses(name: str = "PtC/", off: str = "PtCx", count: int = 4) -> list[Marks]:
    """Epochs of 0.1 s, one each 0.25 s."""
    onsets = 0.2 + 0.25 * np.arange(count)
    values = np.arange(count) * 1.5
    return [Marks(name, onsets, values), Marks(off, onsets + 0.1, values, OFF, onset=name)]


# Large files for benchmarks


def big(
    path: Path,
    *,
    samples: int = 0,
    channels: int = 16,
    points: int = 512,
    sev: bool = False,
    spikes: int = 0,
    snippet: int = 30,
    strobes: int = 0,
) -> Path:
    """Write a large block into the folder `path`.

    Parameters
    ----------
    path : Path
        The folder; gives the name of the block.
    samples, channels, points : int
        Samples of each channel of a float32 stream (whole chunks, one at least), its channels,
        the samples of a chunk.
    sev : bool
        The stream lies in one .sev file per channel, else in the .tev.
    spikes, snippet : int
        Snippets with codes 0 to 3 on 16 channels, and samples of each.
    strobes : int
        Strobes without offsets.
    """
    rng = np.random.default_rng(1)
    contents: list[Content] = []
    if samples:
        data = rng.standard_normal((max(1, samples // points) * points, channels), np.float32)
        contents.append(Stream("Wav1", data, points=points, flags=0x10 if sev else 0))
    if spikes:
        waves = rng.standard_normal((spikes, snippet), np.float32)
        times = np.sort(rng.random(spikes)) * spikes / 1000
        numbers = rng.integers(1, 17, spikes)
        contents.append(Snippets("eNe1", times, numbers, rng.integers(0, 4, spikes), waves))
    if strobes:
        contents.append(Marks("Tick", np.arange(strobes) * 0.01, np.arange(strobes)))
    longest = max(samples / RATE, spikes / 1000, strobes * 0.01)
    write_block(path, contents, duration=longest + 1)
    return path


def _sparse(folder: Path) -> Path:
    """A block of more than 100 MB, most of it a hole in the .tev."""
    points, channels, chunks = 8192, 8, 400
    stream = Stream("Wav1", np.zeros((0, channels), "f4"), points=points)
    times = np.arange(chunks) * points / RATE
    records = np.zeros((chunks, channels), RECORD)
    records["type"], records["name"], records["rate"] = STREAM, b"Wav1", RATE
    records["size"] = 10 + points
    records["channel"], records["time"] = stream.numbers(), (START + times)[:, None]
    records["offset"] = np.arange(chunks * channels).reshape(chunks, channels) * points * 4
    whole, _ = index_and_data([], START, START + chunks * points / RATE)
    block = folder / "big-1"
    block.mkdir()
    index = np.concatenate([whole[:2], records.reshape(-1), whole[2:]])
    (block / "T_big-1.tsq").write_bytes(index.tobytes())
    with (block / "T_big-1.tev").open("wb") as file:
        file.truncate(chunks * channels * points * 4)
    return block


# Samples for the contract


def _record_edges(data: bytes) -> list[int]:
    return [0, 40, 80, 120, len(data) // 80 * 40, len(data) - 40]


def _streams(folder: Path) -> Path:
    contents = [
        Stream("Wav1", stored_numbers(640, 4), late={6: 0.5}),
        Stream("Raw_", stored_numbers(128, 2, "i2"), rate=1017.2526, points=32, first=0.01),
    ]
    return write_block(folder / "B-1", contents).tsq


def _kinds(folder: Path) -> Path:
    contents = [
        Stream(f"S_{kind}", stored_numbers(96, 2, kind), points=32, rate=500.0)
        for kind in ("i1", "i2", "i4", "i8", "f4", "f8")
    ]
    return write_block(folder / "B-2", contents, case=str.upper).tsq


def _snippets(folder: Path) -> Path:
    contents = [spikes(), spikes(12, 1, 16, "i2", "SU/2")]
    made = write_block(folder / "B-3", contents)
    return made.folder / f"{made.stem}.tev"


def _marks(folder: Path) -> Path:
    contents = [
        Marks("off1", [0.05, 0.35, 0.75], [3, 4, 5], OFF, onset="on_1"),
        Marks("on_1", [0.348, 0.748], [4, 5]),
        Marks("Tick", np.arange(150) * 0.01, np.arange(150) * 0.5, notes=[2] + [0] * 149),
        Marks("Sc/1", [0.11, 0.11, 0.62], [1.0, -2.5, 1e9], SCALAR, channels=[1, 2, 1]),
    ]
    made = write_block(folder / "B-4", contents, tev=False)
    (made.folder / "Notes.txt").write_text("Subject: A1\r\nNote-1: 3:18pm moved\r\n")
    return made.tsq


def _sev(folder: Path) -> Path:
    contents = [
        Stream("PC0_", stored_numbers(640, 3), flags=0x10),
        Stream("LFP1", stored_numbers(64, 2, seed=5), rate=1017.2526, points=16),
    ]
    return write_block(folder / "B-5", contents, parts=2).tsq


def _sev_alone(folder: Path) -> Path:
    stream = Stream("RSn1", stored_numbers(500, 2, "i2"))
    made = write_block(folder / "B-6", [Marks("Tick", [0.1, 0.2, 0.3], [1, 2, 3])], tev=False)
    write_sevs(made.folder, made.stem, stream)
    return made.folder


def _tank(folder: Path) -> Path:
    tank = folder / "TANK"
    write_block(
        tank / "B-2",
        [Stream("Wav1", stored_numbers(128, 2, seed=9)), spikes(), Marks("Tick", [0.5], [1])],
        start=START + 100,
    )
    only_here = Stream("Rare", stored_numbers(64, 1), points=32)
    write_block(tank / "B-1", [Stream("Wav1", stored_numbers(256, 2)), spikes(20), only_here])
    return tank


def _sorted(folder: Path) -> Path:
    made = write_block(folder / "B-7", [spikes()])
    codes = np.arange(len(made.records) - 2) % 5 + 1
    result = made.folder / "sort" / "PLX" / "eNe1.SortResult"
    result.parent.mkdir(parents=True)
    result.write_bytes(sort_result(made.records, codes, [1, 2]))
    return made.folder


def samples() -> list[Sample]:
    """One small recording per variant."""
    return [
        Sample("tdt", "streams", _streams, boundaries=_record_edges, large=_sparse),
        Sample("tdt", "kinds", _kinds, boundaries=_record_edges),
        Sample("tdt", "snippets", _snippets),
        Sample("tdt", "marks", _marks, boundaries=_record_edges),
        Sample("tdt", "sev", _sev, boundaries=_record_edges),
        Sample("tdt", "sev-alone", _sev_alone),
        Sample("tdt", "tank", _tank),
        Sample("tdt", "sorted", _sorted),
    ]
