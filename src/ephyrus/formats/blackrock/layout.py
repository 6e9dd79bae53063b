"""Layout tables of .nev and .nsX files: little-endian, packed."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

__all__ = [
    "COMMENT",
    "CONFIGURATION",
    "EVENT_KINDS",
    "EXTENDED",
    "EXTENDED_HEADERS",
    "FILTER_TYPES",
    "LARGEST_ELECTRODE",
    "NEV_BASIC",
    "NEV_MAGICS",
    "NSX_BASIC",
    "NSX_CHANNEL",
    "NSX_MAGICS",
    "NSX_OLD_BASIC",
    "STAMPS",
    "TICKS_PER_SECOND",
    "block_head",
    "event_layout",
    "packet_head",
    "stamp_bytes",
]

STAMPS = 2**32  # time stamps of 32 bits begin again behind them
TICKS_PER_SECOND = 30_000  # what periods of nsX files are counted in

# Magic bytes to the versions (major, minor) that they stand for.
NEV_MAGICS = MappingProxyType({b"NEURALEV": ((2, 1), (2, 2), (2, 3)), b"BREVENTS": ((3, 0),)})
NSX_MAGICS = MappingProxyType(
    {b"NEURALSG": ((2, 1),), b"NEURALCD": ((2, 2), (2, 3)), b"BRSMPGRP": ((3, 0),)}
)

NEV_BASIC = np.dtype(
    [
        ("magic", "S8"),
        ("major", "u1"),
        ("minor", "u1"),
        ("flags", "<u2"),  # bit 0: all waveforms have 16-bit samples
        ("header_bytes", "<u4"),  # of all headers: where the packets begin
        ("packet_bytes", "<u4"),
        ("resolution", "<u4"),  # time stamps per second
        ("wave_rate", "<u4"),  # Hz
        ("date", "<u2", 8),  # year, month, day of week, day, hour, minute, second, ms
        ("application", "S32"),
        ("comment", "S256"),
        ("extended", "<u4"),  # number of extended headers
    ]
)

EXTENDED = np.dtype([("id", "S8"), ("body", "V24")])
_TEXT = np.dtype([("id", "S8"), ("text", "S24")])
EXTENDED_HEADERS: MappingProxyType[bytes, np.dtype[Any]] = MappingProxyType(
    {
        b"ARRAYNME": _TEXT,
        b"ECOMMENT": _TEXT,
        b"CCOMMENT": _TEXT,
        b"MAPFILE": _TEXT,
        b"NEUEVWAV": np.dtype(
            [
                ("id", "S8"),
                ("electrode", "<u2"),
                ("connector", "u1"),
                ("pin", "u1"),
                ("factor", "<u2"),  # nV per bit
                ("energy_threshold", "<u2"),
                ("high_threshold", "<i2"),
                ("low_threshold", "<i2"),
                ("sorted_units", "u1"),
                ("sample_bytes", "u1"),  # 0 and 1: one byte
                ("samples", "<u2"),  # of a waveform; since 2.2
                ("reserved", "V8"),
            ]
        ),
        b"NEUEVLBL": np.dtype(
            [("id", "S8"), ("electrode", "<u2"), ("label", "S16"), ("reserved", "V6")]
        ),
        b"NEUEVFLT": np.dtype(
            [
                ("id", "S8"),
                ("electrode", "<u2"),
                ("high_pass", "<u4"),  # mHz
                ("high_pass_order", "<u4"),
                ("high_pass_type", "<u2"),
                ("low_pass", "<u4"),  # mHz
                ("low_pass_order", "<u4"),
                ("low_pass_type", "<u2"),
                ("reserved", "V2"),
            ]
        ),
        b"DIGLABEL": np.dtype([("id", "S8"), ("label", "S16"), ("mode", "u1"), ("reserved", "V7")]),
        b"VIDEOSYN": np.dtype(
            [
                ("id", "S8"),
                ("source", "<u2"),
                ("name", "S16"),
                ("frame_rate", "<f4"),
                ("reserved", "V2"),
            ]
        ),
        b"TRACKOBJ": np.dtype(
            [
                ("id", "S8"),
                ("type", "<u2"),
                ("track", "<u2"),
                ("points", "<u2"),
                ("source", "S16"),
                ("reserved", "V2"),
            ]
        ),
        b"NSASEXEV": np.dtype(
            [
                ("id", "S8"),
                ("frequency", "<u2"),
                ("digital", "u1"),
                ("analog", [("config", "u1"), ("threshold", "<i2")], 5),
                ("reserved", "V6"),
            ]
        ),
    }
)

FILTER_TYPES = MappingProxyType({0: "none", 1: "Butterworth"})

# Greatest packet id that is an electrode, where no NEUEVWAV header says more.
LARGEST_ELECTRODE = MappingProxyType({(2, 1): 255, (2, 2): 255, (2, 3): 2048, (3, 0): 16384})

NSX_OLD_BASIC = np.dtype(  # 2.1; electrode ids (u4) and samples follow
    [("magic", "S8"), ("label", "S16"), ("period", "<u4"), ("channels", "<u4")]
)

NSX_BASIC = np.dtype(  # 2.2, 2.3, 3.0
    [
        ("magic", "S8"),
        ("major", "u1"),
        ("minor", "u1"),
        ("header_bytes", "<u4"),
        ("label", "S16"),
        ("comment", "S256"),
        ("period", "<u4"),  # 1/30000 s
        ("resolution", "<u4"),  # time stamps per second
        ("date", "<u2", 8),
        ("channels", "<u4"),
    ]
)

NSX_CHANNEL = np.dtype(
    [
        ("type", "S2"),  # "CC"
        ("electrode", "<u2"),
        ("label", "S16"),
        ("connector", "u1"),
        ("pin", "u1"),
        ("min_digital", "<i2"),
        ("max_digital", "<i2"),
        ("min_analog", "<i2"),
        ("max_analog", "<i2"),
        ("units", "S16"),
        ("high_pass", "<u4"),  # mHz
        ("high_pass_order", "<u4"),
        ("high_pass_type", "<u2"),
        ("low_pass", "<u4"),  # mHz
        ("low_pass_order", "<u4"),
        ("low_pass_type", "<u2"),
    ]
)

# Packet ids that are not electrodes, from 2.3 on (0 is the digital and analog input).
LARGEST_FIELD = 4096  # bytes of a text or list of points; packets have about 100
COMMENT, VIDEO, TRACKING, BUTTON, CONFIGURATION = 0xFFFF, 0xFFFE, 0xFFFD, 0xFFFC, 0xFFFB
EVENT_KINDS = MappingProxyType(
    {
        COMMENT: "comments",
        VIDEO: "video_sync",
        TRACKING: "tracking",
        BUTTON: "button",
        CONFIGURATION: "configuration",
    }
)


def stamp_bytes(major: int) -> int:
    """Give the size of a time stamp."""
    return 4 if major < 3 else 8


def block_head(major: int) -> np.dtype[Any]:
    """Give the head of a data block of an nsX file."""
    return np.dtype([("marker", "u1"), ("stamp", f"<u{stamp_bytes(major)}"), ("points", "<u4")])


def packet_head(major: int) -> np.dtype[Any]:
    """Give the head of a nev packet; `byte` is the unit of a spike, the reason of an input."""
    return np.dtype(
        [("stamp", f"<u{stamp_bytes(major)}"), ("id", "<u2"), ("byte", "u1"), ("reserved", "u1")]
    )


def event_layout(kind: int, major: int, packet_bytes: int) -> np.dtype[Any]:
    """Give the layout of a packet that is no spike: the fields for which a packet has room."""
    start = stamp_bytes(major) + 2
    room = min(packet_bytes - start, LARGEST_FIELD)
    fields: list[tuple[str, str | tuple[str, tuple[int, ...]], int]]
    if kind == 0:
        fields = [("reason", "u1", 0), ("word", "<u2", 2), ("analog", ("<i2", (5,)), 4)]
    elif kind == COMMENT:
        fields = [("charset", "u1", 0), ("flag", "u1", 1), ("extra", "<u4", 2)]
        fields += [("text", ("u1", (max(room - 6, 0),)), 6)]
    elif kind == VIDEO:
        fields = [("file_number", "<u2", 0), ("frame", "<u4", 2)]
        fields += [("elapsed_ms", "<u4", 6), ("source", "<u4", 10)]
    elif kind == TRACKING:
        fields = [("parent", "<u2", 0), ("node", "<u2", 2), ("node_count", "<u2", 4)]
        fields += [("point_count", "<u2", 6), ("points", ("<u2", (max(room - 8, 0) // 2,)), 8)]
    elif kind == BUTTON:
        fields = [("trigger", "<u2", 0)]
    else:
        fields = [("type", "<u2", 0), ("text", ("u1", (max(room - 2, 0),)), 2)]
    known = [each for each in fields if each[2] + np.dtype(each[1]).itemsize <= room]
    return np.dtype(
        {
            "names": [name for name, _, _ in known],
            "formats": [form for _, form, _ in known],
            "offsets": [start + offset for _, _, offset in known],
            "itemsize": start + max(offset + np.dtype(form).itemsize for _, form, offset in known),
        }
    )
