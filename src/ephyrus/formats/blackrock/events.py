"""Columns of events: what the packets of each kind hold beside their time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ephyrus.formats.blackrock.header import NevHeader
from ephyrus.formats.blackrock.layout import (
    BUTTON,
    COMMENT,
    CONFIGURATION,
    TRACKING,
    VIDEO,
    event_layout,
)
from ephyrus.formats.blackrock.texts import packet_texts
from ephyrus.recording import seconds
from ephyrus.recording.clock import as_fraction

__all__ = ["PERIODIC_INPUTS", "event_columns", "event_labels", "tracked_points"]

Packets = NDArray[Any]
Maker = Callable[[Packets, NDArray[np.int64]], NDArray[Any]]
PERIODIC_INPUTS = "periodic_sampling_events"
COLOURED, DATED = 0, 1  # flags of comments
TRIGGERS = {1: "press", 2: "reset"}
# Kinds whose columns are fields as they stand: name of the column, and of the field.
PLAIN_FIELDS = {
    VIDEO: {"file_number": "file_number", "frame": "frame", "elapsed_ms": "elapsed_ms",
            "video_source": "source"},
    TRACKING: {"parent": "parent", "node": "node", "node_count": "node_count",
               "point_count": "point_count"},
    BUTTON: {"trigger": "trigger"},
    CONFIGURATION: {"change_type": "type"},
}  # fmt: skip
LABEL_FIELDS = {0: "word", VIDEO: "frame", TRACKING: "node"}


def event_columns(
    header: NevHeader, kind: int, name: str, channel: int, points: int
) -> dict[str, tuple[np.dtype[Any], Maker]]:
    """Give the columns of an event table, with the functions that make them of packets.

    Parameters
    ----------
    header : NevHeader
        The file's header.
    kind : int
        Packet id.
    name : str
        Name of the table.
    channel : int
        Analog input of the table; 0: none.
    points : int
        Most numbers that a tracking packet of the table has.
    """
    layout = event_layout(kind, header.major, header.packet_bytes)
    made: dict[str, tuple[np.dtype[Any], Maker]] = {}

    def add(column: str, needed: str, form: DTypeLike, make: Maker) -> None:
        if needed in (layout.names or ()):
            made[column] = np.dtype(form), make

    if kind == 0:
        add("digital_value", "word", "<u2", _field("word"))
        if channel and has_analog_inputs(header):
            add("analog_value", "analog", "<i2", _analog(channel))
        if name == PERIODIC_INPUTS and has_analog_inputs(header):
            for each in range(1, 6):
                add(f"analog_value_{each}", "analog", "<i2", _analog(each))
    elif kind == COMMENT:
        add("charset", "charset", "u1", _field("charset"))
        add("color", "extra", "<U9", _colours)
        clock = as_fraction(header.resolution)
        add("start_time", "extra", "<f8", lambda read, ticks: seconds(_begins(read, ticks), clock))
    for column, field in PLAIN_FIELDS.get(kind, {}).items():
        if field in (layout.names or ()):
            add(column, field, layout[field], _field(field))
    if kind == TRACKING:
        for each in range(points):
            add(f"point_{each}", "points", "<u2", _point(each))
    return made


def tracked_points(read: Packets) -> int:
    """Give how many numbers the longest of some tracking packets has: two for each point."""
    if "points" not in (read.dtype.names or ()):
        return 0
    return min(2 * int(read["point_count"].max(initial=0)), int(read["points"].shape[1]))


def has_analog_inputs(header: NevHeader) -> bool:
    """Tell whether packets of inputs hold the analog ones: up to 2.2."""
    layout = event_layout(0, header.major, header.packet_bytes)
    return header.version <= (2, 2) and "analog" in (layout.names or ())


def event_labels(header: NevHeader, kind: int, channel: int, read: Packets) -> NDArray[np.str_]:
    """Give the labels of events: the value in decimal, or the text."""
    names = read.dtype.names or ()
    if kind in (COMMENT, CONFIGURATION):
        if "text" not in names:
            return np.zeros(len(read), "U1")
        return packet_texts(read["text"], read["charset"] if kind == COMMENT else None)
    if kind == BUTTON:
        values, inverse = np.unique(read["trigger"], return_inverse=True)
        texts = [TRIGGERS.get(value, str(value)) for value in values.tolist()]
        return np.array(texts, np.str_)[inverse] if texts else np.zeros(0, "U1")
    if channel and has_analog_inputs(header):
        return _decimal(read["analog"][:, channel - 1])
    field = LABEL_FIELDS[kind]
    return _decimal(read[field]) if field in names else np.zeros(len(read), "U1")


def _decimal(numbers: NDArray[Any]) -> NDArray[np.str_]:
    """Write integers in decimal, each value once."""
    values, inverse = np.unique(numbers, return_inverse=True)
    return values.astype(np.str_)[inverse]


def _field(name: str) -> Maker:
    return lambda read, ticks: read[name]


def _analog(channel: int) -> Maker:
    return lambda read, ticks: read["analog"][:, channel - 1]


def _point(number: int) -> Maker:
    return lambda read, ticks: read["points"][:, number]


def _colours(read: Packets, ticks: NDArray[np.int64]) -> NDArray[np.str_]:
    """Give colours as #RRGGBBAA, empty where a comment has none."""
    values, inverse = np.unique(read["extra"], return_inverse=True)
    texts = np.array([f"#{value:08X}" for value in values.tolist()], "<U9")
    if not texts.size:
        return texts
    return np.where(read["flag"] == COLOURED, texts[inverse], "")


def _begins(read: Packets, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the time stamps at which comments were begun, their own where none is stored."""
    return np.where(read["flag"] == DATED, read["extra"].astype(np.int64), ticks)
