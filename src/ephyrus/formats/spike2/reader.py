"""Samples of signals and columns of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.spike2 import gather, model
from ephyrus.formats.spike2.describe import CHARACTER, CODE_COLUMNS, value_columns
from ephyrus.formats.spike2.plan import Items, Levels, Signal, Wave
from ephyrus.recording import ByteSource, PacketedSignal
from ephyrus.recording.sampleplaces import PieceRows, Pieces

__all__ = ["epoch_columns", "item_columns", "sample_columns", "sample_places", "samples"]


def _letter(code: int) -> str:
    """Decode one byte: code page 1252, or Latin-1 where that has no letter."""
    raw = bytes([code])
    return raw.decode("cp1252", "replace").replace("\ufffd", raw.decode("latin-1"))


CACHED_BYTES = 2**23
CODE_TEXTS = np.array([str(code) for code in range(256)])
CHARACTERS = np.array([chr(code) if 32 <= code < 127 else "" for code in range(256)])
LETTERS = np.array([ord(_letter(code)) for code in range(256)], np.uint32)


def samples(
    source: ByteSource, signal: Signal, start: int, stop: int, channels: NDArray[np.intp] | None
) -> NDArray[Any]:
    """Give stored samples [start, stop), shape (samples, channels)."""
    chosen = range(len(signal.waves)) if channels is None else channels.tolist()
    waves = [signal.waves[position] for position in chosen]
    dtype = signal.waves[0].channel.item
    if not waves:
        return np.empty((stop - start, 0), dtype)
    if start == stop:
        return np.empty((0, len(waves)), dtype)
    packets = [_within(source, wave, start, stop) for wave in waves]
    if len(packets) == 1:
        return packets[0].read(0, stop - start)[:, np.newaxis]
    table = np.empty((stop - start, len(waves)), dtype)
    rows = max(1, CACHED_BYTES // table.itemsize // len(waves))
    for first in range(0, stop - start, rows):  # rows that stay in the cache while they are filled
        last = min(first + rows, stop - start)
        for place, packet in enumerate(packets):
            packet.read(first, last, out=table[first:last, place])
    return table


def sample_places(source: ByteSource, signal: Signal, first: int) -> PieceRows:
    """Tell where samples from `first` on lie: in blocks of each channel."""
    channels = [
        Pieces(
            source,
            wave.blocks["offset"],
            np.append(wave.firsts, wave.firsts[-1:] + wave.blocks["count"][-1:]),
            wave.channel.item,
        )
        for wave in signal.waves
    ]
    return PieceRows(channels, first)


def _within(source: ByteSource, wave: Wave, start: int, stop: int) -> PacketedSignal:
    """Give samples [start, stop) as a signal of its own: no other bytes are read."""
    low = int(np.searchsorted(wave.firsts, start, "right")) - 1
    high = int(np.searchsorted(wave.firsts, stop, "left"))
    blocks, dtype = wave.blocks[low:high], wave.channel.item
    offsets, counts = blocks["offset"].copy(), blocks["count"].copy()
    skipped = start - int(wave.firsts[low])
    offsets[0] += skipped * dtype.itemsize
    counts[-1] = stop - int(wave.firsts[high - 1])
    counts[0] -= skipped
    return PacketedSignal(source, offsets, counts, dtype)


def sample_columns(
    source: ByteSource, signal: Signal, start: int, stop: int, names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Give columns of samples [start, stop) of a signal that is a table."""
    found: dict[str, NDArray[Any]] = {}
    if "tick" in names:
        rows = np.arange(start, stop)
        runs = signal.runs[np.searchsorted(signal.runs["first"], rows, "right") - 1]
        found["tick"] = runs["tick"] + (rows - runs["first"]) * signal.waves[0].channel.interval
    if "value" in names:
        found["value"] = samples(source, signal, start, stop, None)
    return {name: found[name] for name in names}


def epoch_columns(
    levels: Levels, start: int, stop: int, names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Give columns of the high periods [start, stop)."""
    rows = slice(start, stop)
    found = {
        "tick": levels.ticks[rows],
        "duration": levels.stops[rows] - levels.ticks[rows],
        "label": np.full(stop - start, "high"),
        "is_cut": levels.is_cut[rows],
    }
    return {name: found[name] for name in names}


def item_columns(
    source: ByteSource,
    items: Items,
    start: int,
    stop: int,
    rows: NDArray[np.intp] | None,
    names: Sequence[str],
    *,
    by_code: bool,
) -> dict[str, NDArray[Any]]:
    """Give columns of the items [start, stop), or of those at `rows`.

    Parameters
    ----------
    source : ByteSource
        The file.
    items : Items
        Events, markers or spikes.
    start, stop : int
        Half-open range.
    rows : ndarray of intp or None
        Positions, where they are not all of the range.
    names : sequence of str
        The columns.
    by_code : bool
        The first code is the unit.
    """
    picked: Any = slice(start, stop) if rows is None else rows
    heads = items.picked(picked)
    found: dict[str, NDArray[Any]] = {"tick": heads["time"].astype(np.int64) + items.delay}
    if "codes" in (heads.dtype.names or ()):
        first = heads["codes"][:, 0]
        found["unit"] = first if by_code else np.zeros(len(heads), np.uint8)
        found |= {name: heads["codes"][:, place] for place, name in enumerate(CODE_COLUMNS)}
        if CHARACTER in names:
            found[CHARACTER] = CHARACTERS[first]
    if "label" in names:
        found["label"] = _labels(source, items, heads, start, stop, rows)
    values = value_columns(items.channel)
    if "waveform" in names:
        found["waveform"] = _data(source, items, start, stop, rows).transpose(0, 2, 1)
    elif set(values) & set(names):
        numbers = _data(source, items, start, stop, rows)
        found |= {name: numbers[:, place].astype("<f4") for place, name in enumerate(values)}
    return {name: found[name] for name in names}


def _data(
    source: ByteSource, items: Items, start: int, stop: int, rows: NDArray[np.intp] | None
) -> NDArray[Any]:
    """Give the data of items, in the order of the stream."""
    if items.order is not None:
        rows = items.order[start:stop] if rows is None else items.order[rows]
    return gather.item_data(source, items.channel, items.blocks, start, stop, rows)


def _labels(
    source: ByteSource,
    items: Items,
    heads: NDArray[Any],
    start: int,
    stop: int,
    rows: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give the label of each item: direction of an edge, first code, or text."""
    kind = items.channel.kind
    if kind == model.MARKER:
        return np.asarray(CODE_TEXTS[heads["codes"][:, 0]])
    if kind == model.LEVEL:
        is_down = (np.arange(start, stop) + items.channel.starts_high) % 2
        return np.where(is_down, "down", "up")
    if kind == model.TEXT_MARK and items.channel.rows:
        return _texts(_data(source, items, start, stop, rows))
    return np.full(len(heads), "", "<U1")


def _texts(raw: NDArray[Any]) -> NDArray[Any]:
    """Decode texts, shape (items, bytes): each up to its first NUL."""
    is_text = np.cumprod(raw != 0, axis=1, dtype=np.uint8)
    letters = np.ascontiguousarray(np.where(is_text, LETTERS[raw], np.uint32(0)), np.uint32)
    return letters.view(f"<U{raw.shape[1]}")[:, 0]
