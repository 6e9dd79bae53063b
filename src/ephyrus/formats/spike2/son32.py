"""The 32-bit filing system (.smr): file head and channel slots."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ephyrus.errors import CorruptError, UnsupportedVersionError
from ephyrus.formats.spike2 import model
from ephyrus.formats.spike2.model import DATA_BYTES, Channel, Header, Order
from ephyrus.recording import (
    ByteSource,
    Opening,
    fixed_text,
    read_entries,
    read_struct,
)

MAGIC = b"(C) CED 87"
MAGIC_OFFSET = 2
VERSIONS = range(1, 10)
HEAD_BYTES, SLOT_BYTES, BLOCK_HEAD_BYTES, MARKER_BYTES = 512, 140, 20, 8
MOST_SLOTS = 511  # a block names its channel in nine bits
SECTOR = 512
DIVIDE_FROM = 6  # version from which intervals and the time base are stored
SECTORS_FROM = 9  # version from which pointers count sectors
MACINTOSH = 0x0101
END = -1

HEAD = np.dtype(
    {
        "names": ["version", "magic", "creator", "us_per_time", "time_per_adc", "slots",
                  "os_format", "last_tick", "time_base", "date", "year", "comments"],
        "formats": ["<i2", "S10", "S8", "<u2", "<u2", "<i2", "<u2", "<i4", "<f8", ("u1", 6), "<u2",
                    ("S80", 5)],
        "offsets": [0, 2, 12, 20, 22, 30, 38, 40, 44, 52, 58, 112],
        "itemsize": HEAD_BYTES,
    }
)  # fmt: skip

SLOT = np.dtype(
    {
        "names": ["first", "blocks", "extra_bytes", "pre_trigger", "blocks_high", "block_bytes",
                  "comment", "last_tick", "divide", "physical", "title", "ideal_rate", "kind",
                  "scale", "level", "offset", "units", "adc_divide"],
        "formats": ["<i4", "<u2", "<u2", "<i2", "<u2", "<u2", "S72", "<i4", "<i4", "<i2", "S10",
                    "<f4", "u1", "<f4", "u1", "<f4", "S6", "<u2"],
        "offsets": [6, 14, 16, 18, 20, 22, 26, 98, 102, 106, 108, 118, 122, 124, 124, 128, 132,
                    138],
        "itemsize": SLOT_BYTES,
    }
)  # fmt: skip


def is_ours(head: bytes) -> bool:
    """Tell the signature."""
    return head[MAGIC_OFFSET : MAGIC_OFFSET + len(MAGIC)] == MAGIC


def byte_order(head: bytes) -> Order | None:
    """Tell in which byte order the version can be true; None: in neither."""
    if int.from_bytes(head[:2], "little") in VERSIONS:
        return "<"
    return ">" if int.from_bytes(head[:2], "big") in VERSIONS else None


def parse(opening: Opening, source: ByteSource) -> Header:
    """Read the head and the channel slots.

    Raises
    ------
    TruncatedError
        If the file ends inside them.
    UnsupportedVersionError
        If the version is not 1 to 9.
    CorruptError
        If a value cannot be true.
    """
    order = byte_order(source.head(2))
    if order is None:
        raise UnsupportedVersionError(
            source.name,
            f"version {int.from_bytes(source.head(2), 'little')}; versions 1 to 9 are read",
            offset=0,
            field="version",
        )
    head = read_struct(source, 0, HEAD.newbyteorder(order), "file head")
    _check_order(opening, order, int(head["os_format"]))
    version = int(head["version"])
    base = _time_base(opening, version, float(head["time_base"]))
    tick = int(head["us_per_time"]) * base
    channels, empty = _channels(opening, source, head, order)
    return Header(
        bits=32,
        version=str(version),
        order=order,
        unit=SECTOR if version >= SECTORS_FROM else 1,
        clock=model.clock_of(source, tick, 20, "us_per_time"),
        last_tick=int(head["last_tick"]),
        channels=channels,
        empty=empty,
        recorded=model.recorded_at(opening, head["date"], int(head["year"]), 52),
        creator=fixed_text(head["creator"]),
        annotations={
            "system_id": version,
            "creator": fixed_text(head["creator"]),
            "file_comments": [pascal(text) for text in head["comments"]],
            "time_base": float(base),
            "us_per_time": int(head["us_per_time"]),
        },
    )


def pascal(raw: bytes | np.bytes_) -> str:
    """Decode a text whose first byte is its length; what follows it is rubbish."""
    text = bytes(raw)
    return fixed_text(text[1 : 1 + text[0]]) if text else ""


def _check_order(opening: Opening, order: Order, os_format: int) -> None:
    """Note where the byte order that is written is not that of the numbers."""
    if os_format not in (0, MACINTOSH) or (os_format == MACINTOSH) != (order == ">"):
        opening.note(
            f"the byte order is given as {os_format:#06x}; that of the version number is used",
            offset=38,
            field="osFormat",
        )


def _time_base(opening: Opening, version: int, stored: float) -> Fraction:
    """Seconds of a time unit: a microsecond, unless the file says otherwise.

    The shortest decimal of the stored number is what was meant: 1e-6 is not a binary fraction.
    """
    if version < DIVIDE_FROM:
        return Fraction(1, 10**6)
    if not np.isfinite(stored) or stored <= 0:
        opening.note(
            f"a time base of {stored} s; 1 microsecond is used", offset=44, field="time base"
        )
        return Fraction(1, 10**6)
    return Fraction(repr(stored))


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the numbers of a slot mean in this file."""

    version: int
    order: Order
    time_per_adc: int
    unit: int


def _channels(
    opening: Opening, source: ByteSource, head: np.void, order: Order
) -> tuple[tuple[Channel, ...], tuple[Channel, ...]]:
    """Read the slots in use: those with blocks, and those without."""
    count = int(head["slots"])
    if not 1 <= count <= MOST_SLOTS:
        raise CorruptError(
            source.name,
            f"found {count}, expected 1 to {MOST_SLOTS}",
            offset=30,
            field="channel slots",
        )
    slots = read_entries(source, HEAD_BYTES, SLOT.newbyteorder(order), count, "channel slots")
    version = int(head["version"])
    unit = SECTOR if version >= SECTORS_FROM else 1
    rules = _Rules(version, order, int(head["time_per_adc"]), unit)
    used, empty = [], []
    for slot in np.flatnonzero(slots["kind"] != model.OFF).tolist():
        entry = slots[slot]
        if entry["kind"] > model.REAL_WAVE:
            opening.note(
                f"channel {slot} is of the unknown kind {entry['kind']}; it is left out",
                offset=HEAD_BYTES + slot * SLOT_BYTES + 122,
                field="kind",
            )
            continue
        channel = _channel(opening, source, slot, entry, rules)
        if int(entry["first"]) == END:
            empty.append(channel)
            _check_empty(opening, channel)
        elif _is_readable(opening, source, channel):
            used.append(channel)
    return tuple(used), tuple(empty)


def _channel(
    opening: Opening, source: ByteSource, slot: int, entry: np.void, rules: _Rules
) -> Channel:
    kind, extra = int(entry["kind"]), int(entry["extra_bytes"])
    has_blocks = int(entry["first"]) != END
    title = pascal(entry["title"])
    scale, offset = float(entry["scale"]), float(entry["offset"])
    if has_blocks and kind in (model.ADC, model.WAVE_MARK):
        scale, offset = model.sound_scale(opening, f"channel {slot} ({title})", scale, offset)
    is_new = rules.version >= DIVIDE_FROM
    traces = max(int(entry["adc_divide"]), 1) if kind == model.WAVE_MARK and is_new else 1
    if has_blocks:
        traces = _sound_traces(opening, slot, kind, extra, traces)
    interval = int(entry["divide"]) if is_new else int(entry["adc_divide"]) * rules.time_per_adc
    if kind not in (*model.WAVES, model.WAVE_MARK):
        interval = 0
    return Channel(
        slot=slot,
        kind=kind,
        title=title,
        units=pascal(entry["units"]),
        comment=pascal(entry["comment"]),
        physical=int(entry["physical"]),
        interval=interval,
        ideal_rate=float(entry["ideal_rate"]),
        scale=scale,
        offset=offset,
        # 1 means that the level is low before the first edge
        starts_high=kind == model.LEVEL and not entry["level"],
        pre_trigger=int(entry["pre_trigger"]),
        rows=extra // (DATA_BYTES[kind] * traces) if kind in DATA_BYTES else 0,
        traces=traces,
        item=_item(kind, extra, traces).newbyteorder(rules.order),
        first=int(entry["first"]) * rules.unit,
        block_bytes=int(entry["block_bytes"]),
        block_count=int(entry["blocks"])
        + (int(entry["blocks_high"]) << 16 if rules.version >= SECTORS_FROM else 0),
        number=slot + 1,
        annotations=_limits(kind, entry),
    )


def _check_empty(opening: Opening, channel: Channel) -> None:
    """Note where a channel has no first block although blocks are counted."""
    if channel.block_count:
        opening.note(
            f"channel {channel.slot} ({channel.title}) has no first block, but counts "
            f"{channel.block_count}; salvage looks for them",
            offset=HEAD_BYTES + channel.slot * SLOT_BYTES + 6,
            field="first data block",
        )


def _limits(kind: int, entry: np.void) -> dict[str, Any]:
    """Give the range that a RealMark channel states."""
    low, high = float(entry["scale"]), float(entry["offset"])
    if kind != model.REAL_MARK or not np.isfinite([low, high]).all():
        return {}
    return {"minimum": low, "maximum": high}


def _sound_traces(opening: Opening, slot: int, kind: int, extra: int, traces: int) -> int:
    """Give the traces of the data of an extended marker, and note what is odd about them."""
    if kind not in DATA_BYTES:
        return 1
    reason = ""
    if extra == 0:
        reason = f"channel {slot} attaches no data to its {model.KIND_NAMES[kind]}s"
    elif traces > 1 and extra % (DATA_BYTES[kind] * traces):
        reason = (
            f"channel {slot}: {extra} bytes are no whole number of points of {traces} traces; "
            "they are given as one trace"
        )
        traces = 1
    if reason:
        opening.note(reason, offset=HEAD_BYTES + slot * SLOT_BYTES + 16, field="nExtra")
    return traces


def _item(kind: int, extra: int, traces: int) -> np.dtype[Any]:
    """Layout of a sample or an item."""
    if kind in model.WAVES:
        return np.dtype("<i2" if kind == model.ADC else "<f4")
    if kind in model.EVENTS:
        return np.dtype([("time", "<i4")])
    names, formats, offsets = ["time", "codes"], ["<i4", ("u1", (model.CODES,))], [0, 4]
    rows = extra // (DATA_BYTES[kind] * traces) if kind in DATA_BYTES else 0
    if rows:
        names, offsets = [*names, "data"], [*offsets, MARKER_BYTES]
        formats = [*formats, model.data_field(kind, rows, traces)]
    size = MARKER_BYTES + (extra if kind in DATA_BYTES else 0)
    layout: np.dtype[Any] = np.dtype(
        {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}
    )
    return layout


def _is_readable(opening: Opening, source: ByteSource, channel: Channel) -> bool:
    """Tell whether the numbers of a slot suffice to read its blocks."""
    where = HEAD_BYTES + channel.slot * SLOT_BYTES
    name = f"channel {channel.slot} ({channel.title})"
    if channel.block_bytes < BLOCK_HEAD_BYTES + channel.item.itemsize:
        reason = (
            f"{name}: an item of {channel.item.itemsize} bytes does not fit into a block of "
            f"{channel.block_bytes}"
        )
        offset, field = where + 22, "physical block size"
    elif channel.is_wave and not 0 < channel.interval <= model.LONGEST_INTERVAL:
        reason = f"{name}: an interval of {channel.interval} ticks between samples"
        offset, field = where + 102, "waveform divide"
    else:
        model.check_waveforms(opening, channel)
        return True
    opening.damaged(CorruptError(source.name, reason, offset=offset, field=field))
    return False
