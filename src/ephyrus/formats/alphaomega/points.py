"""Spikes, digital inputs, ports and stream messages: tables of what happens at its own times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.alphaomega.blocks import MESSAGE_AT, VALUE_AT, Blocks, FileBlocks
from ephyrus.formats.alphaomega.heads import FileHead
from ephyrus.formats.alphaomega.layout import (
    ANALOG,
    MESSAGES,
    PORT,
    SAMPLE,
    SEGMENTED,
    SIGNAL,
    Definition,
)
from ephyrus.formats.alphaomega.signals import Chains, chain_stamps
from ephyrus.recording import (
    FileSet,
    Opening,
    TableStream,
    Unit,
    Waveforms,
    columns,
    heads,
    padded_rows,
    rows,
    run_table,
    time_ordered,
    unit_counts,
)

__all__ = ["Points", "point_tables", "read_columns", "table_stream"]

WORDS = {PORT: np.dtype("<u2")}  # digital inputs have signed values
LONGEST_MESSAGE = 128  # bytes that a label shows
DIGITS = np.array([b"%02x" % value for value in range(256)], "S2")


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The items of one channel over all files, by segment and time.

    Attributes
    ----------
    definition : Definition
        The channel.
    id : str
        Of the table.
    rate : Fraction
        Ticks per second.
    names : tuple of str
        The files.
    file : ndarray of int32, shape (items,)
        File of each item, as a position in `names`.
    offsets : ndarray of int64, shape (items,)
        First byte of the values.
    sizes : int or ndarray of uint16, shape (items,)
        Bytes of the values; one number where all are equal.
    ticks : ndarray of int64, shape (items,)
        Sample numbers.
    units : ndarray of uint8, shape (items,)
        Unit numbers.
    samples : int
        Samples of a waveform.
    runs : ndarray of RUN_DTYPE
        One per segment that has items.
    """

    definition: Definition
    id: str
    rate: Fraction
    names: tuple[str, ...]
    file: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sizes: int | NDArray[np.uint16]
    ticks: NDArray[np.int64]
    units: NDArray[np.uint8]
    samples: int
    runs: NDArray[Any]

    @property
    def kind(self) -> str:
        """What the items are."""
        return self.definition.kind


def point_tables(
    opening: Opening,
    file_heads: Sequence[FileHead],
    files: Sequence[FileBlocks],
    chains: Chains,
    keys: Mapping[Definition, list[int]],
    ids: Mapping[Definition, str],
) -> list[Points]:
    """Gather the items of every channel that is no signal."""
    tables = []
    for known, places in keys.items():
        if known.kind == SIGNAL:
            continue
        data = {at: _data_of(known, files[at]) for at in places}
        there = {at: blocks for at, blocks in data.items() if blocks is not None}
        if any(blocks.offsets.size for blocks in there.values()):
            tables.append(_gathered(opening, file_heads, chains, known, ids[known], there))
        elif not opening.options["prune_channels"]:
            tables.append(_gathered(opening, file_heads, chains, known, ids[known], {}))
    return tables


def _data_of(known: Definition, file: FileBlocks) -> Blocks | None:
    """Give the blocks of a channel; stream events do not tell theirs: they are of the first one."""
    if known.kind != MESSAGES:
        return file.data.get(known.number)
    return file.messages if file.first_stream == known else None


def _gathered(
    opening: Opening,
    file_heads: Sequence[FileHead],
    chains: Chains,
    known: Definition,
    table_id: str,
    data: Mapping[int, Blocks],
) -> Points:
    """Put the items of a channel in order."""
    rate = known.rate or Fraction(1)
    order = [at for chain in chains for at in chain if at in data]
    sizes = [data[at].offsets.size for at in order]
    items = [sum(data[at].offsets.size for at in chain if at in data) for chain in chains]
    ticks = np.concatenate(
        [np.empty(0, np.int64), *(chain_stamps(file_heads, chain, data, rate) for chain in chains)]
    )
    payload = [data[at].offsets + _value_at(known, is_map=file_heads[at].is_map) for at in order]
    offsets = np.concatenate([np.empty(0, np.int64), *payload])
    stored = np.concatenate([np.empty(0, np.uint16), *(_sizes(known, data[at]) for at in order)])
    units = np.concatenate([np.empty(0, np.uint8), *(data[at].units for at in order)])
    file = np.repeat(np.array(order, np.int32), sizes)
    segments = np.repeat(np.arange(len(chains)), items) if len(chains) > 1 else None
    sorting = time_ordered(ticks, segments)
    if sorting is not None:
        ticks, offsets, stored = ticks[sorting], offsets[sorting], stored[sorting]
        units, file = units[sorting], file[sorting]
    equal = bool(stored.size) and bool((stored == stored[0]).all())
    return Points(
        known,
        table_id,
        rate,
        tuple(head.name for head in file_heads),
        file,
        offsets,
        int(stored[0]) if equal else stored,
        ticks,
        units,
        _common_samples(opening, known, stored[:1] if equal else stored),
        _runs(file_heads, chains, items, rate),
    )


def _value_at(known: Definition, *, is_map: bool) -> int:
    """Give the place of the values within a block."""
    if known.kind == MESSAGES:
        return MESSAGE_AT
    return ANALOG if is_map else VALUE_AT.get(known.kind, ANALOG)


def _sizes(known: Definition, blocks: Blocks) -> NDArray[np.uint16]:
    """Give the bytes of values in each block."""
    if known.kind == MESSAGES:
        return blocks.lengths - np.uint16(MESSAGE_AT)
    return (blocks.samples * SAMPLE.itemsize).astype(np.uint16)


def _common_samples(opening: Opening, known: Definition, sizes: NDArray[np.uint16]) -> int:
    """Give the samples that most waveforms have."""
    if not sizes.size or known.kind != SEGMENTED:
        return known.block_samples
    lengths, counts = np.unique(sizes, return_counts=True)
    common = int(lengths[np.argmax(counts)])
    if lengths.size > 1:
        opening.note(
            f"waveforms of {known.name!r} differ in length; all are given "
            f"{common // SAMPLE.itemsize} samples, with zeros at the end of shorter ones",
            field="data block",
        )
    return common // SAMPLE.itemsize


def _runs(
    file_heads: Sequence[FileHead], chains: Chains, items: Sequence[int], rate: Fraction
) -> NDArray[Any]:
    """Make a run of each segment that has items."""
    there = np.flatnonzero(items)
    firsts = [file_heads[chains[at][0]].first_time or 0.0 for at in there.tolist()]
    ticks = np.array([round(Fraction(first) * rate) for first in firsts], np.int64)
    return run_table(np.asarray(items, np.int64)[there], ticks, there)


def table_stream(index: int, points: Points) -> TableStream:
    """Describe a table."""
    known = points.definition
    annotations = {"channel_number": known.number, "channel_name": known.name, **dict(known.facts)}
    shared: dict[str, Any] = {
        "index": index,
        "id": points.id,
        "name": known.name,
        "length": points.ticks.size,
        "clock": points.rate,
        "runs": points.runs,
    }
    if known.kind == SEGMENTED:
        return _spikes(points, annotations, shared)
    extra = {"message_size": "<u2"} if known.kind == MESSAGES else {"word": _word(points)}
    return TableStream(
        kind="events",
        columns=columns(tick="<i8", label=object, **extra),
        annotations=annotations,
        **shared,
    )


def _spikes(points: Points, annotations: dict[str, Any], shared: dict[str, Any]) -> TableStream:
    known = points.definition
    numbers = np.flatnonzero(np.bincount(points.units)).tolist() or [0]
    if known.is_scaled:
        annotations |= {"bit_resolution": known.amplitude, "gain": known.gain}
    return TableStream(
        kind="spikes",
        columns=columns(tick="<i8", unit="u1", waveform=(SAMPLE, (1, points.samples))),
        units=tuple(
            Unit(number, f"{known.name}#{number}", f"{points.id}#{number}", {"unit": number})
            for number in numbers
        ),
        unit_counts=unit_counts(points.units, numbers, points.runs),
        waveforms=Waveforms(points.rate, known.left_sweep, known.unit, known.scale),
        annotations=annotations,
        **shared,
    )


# Reading


def read_columns(
    files: FileSet, points: Points, chosen: Any, names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Give columns of the items that a slice or positions choose."""
    found: dict[str, NDArray[Any]] = {}
    for name in names:
        if name == "tick":
            found[name] = points.ticks[chosen]
        elif name == "unit":
            found[name] = points.units[chosen]
        elif name == "waveform":
            found[name] = _waveforms(files, points, chosen)
        elif name == "message_size":
            found[name] = _sizes_of(points, chosen)
        elif points.kind == MESSAGES:
            found[name] = _messages(files, points, chosen)
        else:
            words = _words(files, points, chosen)
            found[name] = words if name == "word" else _labels(words)
    return found


def _sizes_of(points: Points, chosen: Any) -> NDArray[np.uint16]:
    """Give the bytes of each chosen item."""
    if isinstance(points.sizes, int):
        return np.full(points.ticks[chosen].size, points.sizes, np.uint16)
    sizes: NDArray[np.uint16] = points.sizes[chosen]
    return sizes


def _by_file(points: Points, chosen: Any) -> list[tuple[str, NDArray[np.intp], NDArray[np.int64]]]:
    """Give, for each file, the places of its items among the chosen ones, and their offsets."""
    file, offsets = points.file[chosen], points.offsets[chosen]
    if not file.size or (file == file[0]).all():
        everything = np.arange(file.size)
        return [(points.names[int(at)], everything, offsets) for at in file[:1]]
    there = [(int(at), np.flatnonzero(file == at)) for at in np.unique(file)]
    return [(points.names[at], places, offsets[places]) for at, places in there]


def _waveforms(files: FileSet, points: Points, chosen: Any) -> NDArray[np.int16]:
    """Read waveforms: of longer ones the beginning, shorter ones are filled with zeros."""
    wanted = points.samples
    parts = _by_file(points, chosen)
    if isinstance(points.sizes, int) and len(parts) == 1:
        name, _, offsets = parts[0]
        return rows(files.source(name), offsets, SAMPLE, wanted)[:, np.newaxis]
    counts = _sizes_of(points, chosen) // SAMPLE.itemsize
    result = np.zeros((counts.size, 1, wanted), SAMPLE)
    for name, places, offsets in parts:
        source = files.source(name)
        result[places, 0] = padded_rows(source, offsets, SAMPLE, counts[places], wanted)
    return result


def _word(points: Points) -> np.dtype[Any]:
    return WORDS.get(points.definition.kind, SAMPLE)


def _words(files: FileSet, points: Points, chosen: Any) -> NDArray[Any]:
    """Read the values of digital inputs and ports."""
    result = np.zeros(points.ticks[chosen].size, _word(points))
    for name, places, offsets in _by_file(points, chosen):
        result[places] = heads(files.source(name), offsets, result.dtype)
    return result


def _labels(words: NDArray[Any]) -> NDArray[np.object_]:
    """Write values in decimal."""
    values, places = np.unique(words, return_inverse=True)
    texts = np.array([str(value) for value in values.tolist()], object)
    return texts[places] if words.size else np.empty(0, object)


def _messages(files: FileSet, points: Points, chosen: Any) -> NDArray[np.object_]:
    """Write messages as hexadecimal digits."""
    sizes = _sizes_of(points, chosen)
    shown = np.minimum(sizes, LONGEST_MESSAGE)
    result = np.full(sizes.size, "", object)
    for name, places, offsets in _by_file(points, chosen):
        for length in np.unique(shown[places]).tolist():
            mine = shown[places] == length
            if length:
                values = DIGITS[rows(files.source(name), offsets[mine], "u1", length)]
                texts = values.view(f"S{2 * length}")[:, 0].astype(np.str_)
                result[places[mine]] = texts.astype(object)
    longer = sizes > LONGEST_MESSAGE
    result[longer] = result[longer] + "..."
    return result
