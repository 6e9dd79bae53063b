"""Columns of spikes, events, intervals and markers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.neuroexplorer.places import Part, Table
from ephyrus.recording import ByteSource, rows

__all__ = ["column"]

ESCAPES = (0xDC80, 0xDCFF)  # what "surrogateescape" makes of bytes that are no UTF-8


def column(
    source: ByteSource,
    table: Table,
    name: str,
    start: int,
    stop: int,
    order: NDArray[np.int64] | None,
) -> NDArray[Any]:
    """Give a column of items [start, stop) in the order of their times.

    Parameters
    ----------
    source : ByteSource
        The file.
    table : Table
        The variable.
    name : str
        ``tick``, ``unit``, ``duration``, ``label``, ``waveform`` or a field of markers.
    start, stop : int
        Half-open range of items.
    order : ndarray of int64 or None
        Their places in the file; None: as they stand there.

    Returns
    -------
    ndarray, shape (stop - start, ...)
        A view of the file for time stamps and waveforms in order.
    """
    count = stop - start

    def read(key: str) -> NDArray[Any]:
        return _items(source, table, table.parts[key], start, stop, order)

    if name == "tick":
        return read(name)[:, 0]
    if name == "unit":
        return np.full(count, table.variable.unit, np.int32)
    if name == "waveform":
        return read(name)[:, np.newaxis]
    if name == "duration":
        lengths: NDArray[np.int64] = read("end")[:, 0].astype(np.int64) - read("tick")[:, 0]
        return lengths
    if name != "label":
        values = read(name)
        return values[:, 0] if table.variable.has_numbers else texts(values)
    if not table.fields:
        return np.zeros(count, "U1")
    values = read(table.fields[0])
    return values[:, 0].astype("U10") if table.variable.has_numbers else texts(values)


def _items(
    source: ByteSource,
    table: Table,
    part: Part,
    start: int,
    stop: int,
    order: NDArray[np.int64] | None,
) -> NDArray[Any]:
    if order is None:
        return part.read(source, start, stop, table.variable.name)
    offsets = part.offset + order[start:stop] * part.item_bytes
    return rows(source, offsets, part.dtype, part.width)


def texts(raw: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Decode texts of fixed width, each up to its first NUL.

    Parameters
    ----------
    raw : ndarray of uint8, shape (texts, bytes)
        As stored; what follows a NUL is left over from other texts.

    Returns
    -------
    ndarray of str, shape (texts,)
        From UTF-8; texts that are none from cp1252.
    """
    count, width = raw.shape
    if not raw.size:
        return np.zeros(count, f"U{max(width, 1)}")
    ended = np.logical_or.accumulate(raw == 0, axis=1)
    stored = np.where(ended, np.uint8(0), raw).view(f"S{width}")[:, 0]
    if raw.max() < 0x80 or stored.view("u1").max() < 0x80:
        return stored.astype(f"U{width}")
    decoded = np.char.decode(stored, "utf-8", "surrogateescape").astype(f"U{width}")
    points = decoded.view("u4").reshape(count, width)
    strange = ((points >= ESCAPES[0]) & (points <= ESCAPES[1])).any(axis=1)
    decoded[strange] = np.char.decode(stored[strange], "cp1252", "replace")
    return decoded
