"""The 64-bit filing system (.smrx): head stream, strings, channel heads."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ephyrus.errors import CorruptError
from ephyrus.formats.spike2 import model
from ephyrus.formats.spike2.model import DATA_BYTES, Channel, Header
from ephyrus.recording import (
    ByteSource,
    Opening,
    checked_count,
    corrupt,
    fixed_text,
    positive,
    read_struct,
)

MAGIC = b"S64"
LETTERS = range(ord("i"), ord("x") + 1)  # block sizes of 2**9 to 2**24 bytes
STREAM_BYTES = 2**20  # of the head stream that is read at once at most

HEAD = np.dtype(
    {
        "names": ["magic", "size_letters", "minor", "major", "creator", "date", "year",
                  "tick_seconds", "channel_start", "string_start", "channels", "channel_bytes",
                  "comments", "extensions", "last_tick", "extension_offsets"],
        "formats": ["S3", ("u1", 2), "u1", "u1", "S8", ("u1", 6), "<u2", "<f8", "<u4", "<u4",
                    "<u4", "<u4", ("<u4", 8), "<u4", "<i8", ("<i8", 128)],
        "offsets": [0, 3, 6, 7, 16, 24, 30, 32, 48, 52, 56, 60, 64, 996, 1016, 1024],
        "itemsize": 0x800,
    }
)  # fmt: skip

CHANNEL = np.dtype(
    [
        ("top", "<i8"),  # index block
        ("last_tick", "<i8"),
        ("blocks", "<u8"),
        ("allocated_blocks", "<u8"),
        ("object_bytes", "<u4"),
        ("rows", "<u2"),
        ("columns", "<u2"),
        ("pre_trigger", "<u2"),
        ("item_bytes", "<u2"),
        ("channel_id", "<u2"),
        ("kind", "u1"),
        ("last_kind", "u1"),
        ("physical", "<i4"),
        ("title", "<u4"),
        ("units", "<u4"),
        ("comment", "<u4"),
        ("divide", "<i8"),
        ("rate", "<f8"),
        ("scale", "<f8"),
        ("offset", "<f8"),
        ("y_low", "<f8"),
        ("y_high", "<f8"),
        ("flags", "<u8"),  # bit 0: the level starts high
        ("padding", "<u8", (19,)),
    ]
)

BLOCK = np.dtype([("parent", "<i8"), ("channel", "<u2"), ("channel_id", "<u2"), ("items", "<u4")])
MARKER_BYTES = 16


def is_ours(head: bytes) -> bool:
    """Tell the signature and the two letters of the block sizes."""
    return head[:3] == MAGIC and len(head) > 4 and head[3] in LETTERS and head[4] in LETTERS


def parse(opening: Opening, source: ByteSource) -> Header:
    """Read the head, the strings and the channel heads.

    Raises
    ------
    TruncatedError
        If the file ends inside them.
    CorruptError
        If a value cannot be true.
    """
    head = read_struct(source, 0, HEAD, "file head")
    stream = _HeadStream.of(source, head)
    texts = _strings(source, stream, int(head["string_start"]))
    seconds = positive(source, float(head["tick_seconds"]), "seconds per tick", offset=32)
    used, empty = _channels(opening, source, head, stream, texts)
    creator = fixed_text(head["creator"])
    return Header(
        bits=64,
        version=f"{head['major']}.{head['minor']}",
        order="<",
        unit=1,
        clock=model.clock_of(source, Fraction(repr(seconds)), 32, "seconds per tick"),
        last_tick=min(max(int(head["last_tick"]), 0), model.LATEST_TICK),
        channels=used,
        empty=empty,
        recorded=model.recorded_at(opening, head["date"], int(head["year"]), 24),
        creator=creator,
        annotations={
            "system_id": f"{head['major']}.{head['minor']}",
            "creator": creator,
            "file_comments": [_text(texts, number) for number in head["comments"].tolist()],
            "time_base": seconds,
        },
    )


@dataclass(frozen=True, slots=True)
class _HeadStream:
    """The first block, and the extension blocks without their heads, as one stretch of bytes."""

    source: ByteSource
    parts: tuple[tuple[int, int], ...]  # offset and bytes of each

    @classmethod
    def of(cls, source: ByteSource, head: np.void) -> _HeadStream:
        """Find its parts; an extension outside the file ends it."""
        size = 2 << (int(head["size_letters"][0]) - ord("a"))
        parts = [(0, min(size, source.size))]
        count = int(head["extensions"])
        if count > len(head["extension_offsets"]):
            corrupt(source, f"{count} extensions of the head", offset=996, field="head extensions")
        for offset in head["extension_offsets"][:count].tolist():
            if not 0 < offset <= source.size - BLOCK.itemsize:
                break
            parts.append(
                (offset + BLOCK.itemsize, min(size, source.size - offset) - BLOCK.itemsize)
            )
        return cls(source, tuple(parts))

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(size for _, size in self.parts)

    def read(self, start: int, count: int, field: str) -> bytes:
        """Copy `count` bytes of the stream."""
        if start < 0 or start + count > self.size:
            corrupt(
                self.source,
                f"bytes {start:,} to {start + count:,} of the head, which has {self.size:,}",
                field=field,
            )
        pieces = []
        for offset, size in self.parts:
            if start < size and count:
                taken = min(size - start, count)
                pieces.append(self.source.read_at(offset + start, taken, field=field))
                count -= taken
                start = 0
            else:
                start = max(start - size, 0)
        return b"".join(pieces)


def _strings(source: ByteSource, stream: _HeadStream, start: int) -> list[str]:
    """Read all texts; the first is the empty one."""
    words, entries = np.frombuffer(stream.read(start, 8, "strings"), "<u4").tolist()
    length = min(stream.size - start - 8, words * 4, STREAM_BYTES)
    raw = stream.read(start + 8, length, "strings")
    texts, place = [""], 0
    for _ in range(entries):
        end = raw.find(b"\0", place + 4)
        if end < 0:
            break
        is_free = raw[place : place + 4] == bytes(4)
        texts.append("" if is_free else fixed_text(raw[place + 4 : end]))
        place += 4 + (end - place - 4 + 4) // 4 * 4
    return texts


def _text(texts: list[str], number: int) -> str:
    return texts[number] if number < len(texts) else ""


def _channels(
    opening: Opening, source: ByteSource, head: np.void, stream: _HeadStream, texts: list[str]
) -> tuple[tuple[Channel, ...], tuple[Channel, ...]]:
    """Read the channel heads in use: those with blocks, and those without."""
    stored, count = int(head["channel_bytes"]), int(head["channels"])
    if stored < CHANNEL.itemsize:
        corrupt(
            source,
            f"channel heads of {stored} bytes, expected {CHANNEL.itemsize} at least",
            offset=60,
            field="bytes per channel head",
        )
    checked_count(source, count, stored, 0, "channel heads")
    start = int(head["channel_start"])
    raw = np.frombuffer(stream.read(start, count * stored, "channel heads"), "u1")
    entries = raw.reshape(count, stored)[:, : CHANNEL.itemsize].copy().view(CHANNEL)[:, 0]
    size = 2 << (int(head["size_letters"][0]) - ord("a"))
    used, empty = [], []
    for slot in np.flatnonzero(entries["kind"] != model.OFF).tolist():
        entry = entries[slot]
        if entry["kind"] > model.REAL_WAVE:
            opening.note(
                f"channel {slot} is of the unknown kind {entry['kind']}; it is left out",
                field="kind",
            )
            continue
        channel = _channel(opening, slot, entry, texts, size)
        if channel.first <= 0:
            empty.append(channel)
        elif _is_readable(opening, source, channel, entry):
            used.append(channel)
    return tuple(used), tuple(empty)


def _channel(
    opening: Opening, slot: int, entry: np.void, texts: list[str], block_bytes: int
) -> Channel:
    kind, title = int(entry["kind"]), _text(texts, int(entry["title"]))
    scale, offset = float(entry["scale"]), float(entry["offset"])
    if entry["top"] > 0 and kind in (model.ADC, model.WAVE_MARK):
        scale, offset = model.sound_scale(opening, f"channel {slot} ({title})", scale, offset)
    is_extended = kind in DATA_BYTES
    has_interval = kind in (*model.WAVES, model.WAVE_MARK)
    object_bytes = int(entry["object_bytes"])
    object_bytes = object_bytes if object_bytes <= block_bytes else 0
    return Channel(
        slot=slot,
        kind=kind,
        title=title,
        units=_text(texts, int(entry["units"])),
        comment=_text(texts, int(entry["comment"])),
        physical=int(entry["physical"]),
        interval=int(entry["divide"]) if has_interval else 0,
        ideal_rate=float(entry["rate"]),
        scale=scale,
        offset=offset,
        starts_high=kind == model.LEVEL and bool(entry["flags"] & np.uint64(1)),
        pre_trigger=int(entry["pre_trigger"]),
        rows=int(entry["rows"]) if is_extended else 0,
        traces=int(entry["columns"]) if is_extended else 1,
        item=_item(kind, int(entry["rows"]), int(entry["columns"]), object_bytes),
        first=int(entry["top"]),
        block_bytes=block_bytes,
        block_count=0,
        number=int(entry["channel_id"]),
        annotations=_limits(entry),
    )


def _limits(entry: np.void) -> dict[str, Any]:
    """Give the range that a channel states."""
    low, high = float(entry["y_low"]), float(entry["y_high"])
    if entry["kind"] != model.REAL_MARK or not np.isfinite([low, high]).all():
        return {}
    return {"minimum": low, "maximum": high}


def _item(kind: int, rows: int, columns: int, object_bytes: int) -> np.dtype[Any]:
    """Layout of a sample or an item; one that does not fit its data has none."""
    if kind in model.WAVES:
        return np.dtype("<i2" if kind == model.ADC else "<f4")
    if kind in model.EVENTS:
        return np.dtype([("time", "<i8")])
    names, formats, offsets = ["time", "codes"], ["<i8", ("u1", (model.CODES,))], [0, 8]
    size = MARKER_BYTES
    if kind in DATA_BYTES:
        size = max(object_bytes, MARKER_BYTES)
        if 0 < rows * columns * DATA_BYTES[kind] <= size - MARKER_BYTES:
            names, offsets = [*names, "data"], [*offsets, MARKER_BYTES]
            formats = [*formats, model.data_field(kind, rows, columns)]
    layout: np.dtype[Any] = np.dtype(
        {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}
    )
    return layout


def _is_readable(opening: Opening, source: ByteSource, channel: Channel, entry: np.void) -> bool:
    """Tell whether the numbers of a channel head suffice to read its blocks."""
    name = f"channel {channel.slot} ({channel.title})"
    if channel.kind in DATA_BYTES and "data" not in (channel.item.names or ()):
        reason = (
            f"{name}: {channel.rows} x {channel.traces} values do not make items of "
            f"{entry['object_bytes']} bytes"
        )
        field = "object size"
    elif channel.item.itemsize > channel.block_bytes - BLOCK.itemsize:
        reason = f"{name}: items of {channel.item.itemsize} bytes do not fit into a block"
        field = "object size"
    elif channel.is_wave and not 0 < channel.interval <= model.LONGEST_INTERVAL:
        reason = f"{name}: an interval of {channel.interval} ticks between samples"
        field = "divide"
    else:
        model.check_waveforms(opening, channel)
        return True
    opening.damaged(CorruptError(source.name, reason, field=field))
    return False
