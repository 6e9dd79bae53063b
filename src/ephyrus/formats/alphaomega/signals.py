"""Continuous channels: their samples over all files, and which of them make one signal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.alphaomega.blocks import Blocks, FileBlocks
from ephyrus.formats.alphaomega.heads import FileHead
from ephyrus.formats.alphaomega.layout import ANALOG, SAMPLE, SIGNAL, Definition
from ephyrus.formats.alphaomega.placing import Placed, placed, stretches, ticks_of
from ephyrus.recording import (
    RUN_DTYPE,
    Channels,
    FileSet,
    Opening,
    PacketedSignal,
    SignalStream,
    channel_rows,
    run_table,
)

__all__ = ["Group", "Samples", "chain_stamps", "signal_groups", "signal_stream"]

# What the vendor's programs call their channels; the number behind it is that of the electrode.
PREFIXES = ("RAW", "SPK", "LFP", "AI", "ACC", "UD")
NUMBERED = re.compile(r"(.*[^\s\d_-])[\s_-]*\d+$", re.DOTALL)
OTHERS = "Analog"

Chains = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The samples of one channel over all files.

    Attributes
    ----------
    definition : Definition
        The channel.
    id : str
        Its id.
    files : tuple of (str, int, int)
        Files, each with the first of its pieces and the one after its last.
    offsets : ndarray of int64, shape (pieces,)
        First byte of each piece.
    firsts : ndarray of int64, shape (pieces + 1,)
        First sample of each piece, and the number of samples.
    runs : ndarray of RUN_DTYPE
        Stretches without a gap.
    """

    definition: Definition
    id: str
    files: tuple[tuple[str, int, int], ...]
    offsets: NDArray[np.int64]
    firsts: NDArray[np.int64]
    runs: NDArray[Any]

    def read(self, files: FileSet, start: int, stop: int, out: NDArray[Any]) -> None:
        """Read samples [start, stop) into `out`."""
        first = int(np.searchsorted(self.firsts, start, "right")) - 1
        last = int(np.searchsorted(self.firsts, stop, "left"))
        for name, begin, end in self.files:
            low, high = max(first, begin), min(last, end)
            if low >= high:
                continue
            base = int(self.firsts[low])
            counts = np.diff(self.firsts[low : high + 1])
            signal = PacketedSignal(files.source(name), self.offsets[low:high], counts, SAMPLE)
            a, b = max(start, base), min(stop, int(self.firsts[high]))
            signal.read(a - base, b - base, out[a - start : b - start])


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Channels that make one signal.

    Attributes
    ----------
    id, name : str
        Of the stream.
    rate : Fraction
        Samples per second.
    channels : tuple of Samples
        In the order of their numbers.
    """

    id: str
    name: str
    rate: Fraction
    channels: tuple[Samples, ...]

    def read(
        self, files: FileSet, start: int, stop: int, positions: Iterable[int] | None
    ) -> NDArray[np.int16]:
        """Read samples [start, stop) of channels; each is contiguous in memory."""
        chosen = self.channels if positions is None else [self.channels[at] for at in positions]
        table = channel_rows(len(chosen), stop - start, SAMPLE)
        if stop > start:
            for channel, row in zip(chosen, table, strict=True):
                channel.read(files, start, stop, row)
        return table.T


def signal_groups(
    opening: Opening,
    heads: Sequence[FileHead],
    files: Sequence[FileBlocks],
    chains: Chains,
    keys: Mapping[Definition, list[int]],
    ids: Mapping[Definition, str],
) -> list[Group]:
    """Sort the continuous channels into signals.

    Parameters
    ----------
    opening : Opening
        Is told of lost and doubled samples; its options say whether empty channels are kept.
    heads, files : sequence
        The files.
    chains : sequence of sequence of int
        Files of each segment.
    keys : mapping of Definition to list of int
        The channels, with the files that define them so.
    ids : mapping of Definition to str
        Their ids.
    """
    families: dict[tuple[str, Fraction], list[Definition]] = {}
    for known in keys:
        if known.kind == SIGNAL and known.rate is not None:
            families.setdefault((stem_of(known.name), known.rate), []).append(known)
    rates = Counter(stem for stem, _ in families)
    groups = []
    for (stem, rate), members in families.items():
        name = stem if rates[stem] == 1 else f"{stem} ({float(rate):g} Hz)"
        found = _family(opening, heads, files, chains, {each: keys[each] for each in members}, ids)
        groups += _named(name, rate, found)
    return groups


def stem_of(name: str) -> str:
    """Give what channels of one kind have in common: their name without the number.

    Examples
    --------
    >>> stem_of("RAW 02"), stem_of("Macro LFP 01"), stem_of("left STN")
    ('RAW', 'Macro LFP', 'Analog')
    """
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return prefix
    numbered = NUMBERED.match(name)
    return numbered[1] if numbered and not name.startswith("channel ") else OTHERS


def _family(
    opening: Opening,
    heads: Sequence[FileHead],
    files: Sequence[FileBlocks],
    chains: Chains,
    members: Mapping[Definition, list[int]],
    ids: Mapping[Definition, str],
) -> list[Samples]:
    """Place the samples of the channels of one name and rate."""
    data = {
        known: {at: files[at].data[known.number] for at in places if known.number in files[at].data}
        for known, places in members.items()
    }
    data = {known: blocks for known, blocks in data.items() if blocks}
    for at, file in enumerate(files):
        if not file.is_closed:
            _cut_alike(opening, heads[at], at, data)
    placed_ones = [
        _placed_channel(opening, heads, chains, known, ids[known], blocks)
        for known, blocks in data.items()
    ]
    if opening.options["prune_channels"]:
        return placed_ones
    empty = [
        _placed_channel(opening, heads, chains, known, ids[known], dict.fromkeys(places))
        for known, places in members.items()
        if known not in data
    ]
    return sorted(placed_ones + empty, key=lambda each: each.definition.number)


def _cut_alike(
    opening: Opening, head: FileHead, at: int, data: dict[Definition, dict[int, Blocks]]
) -> None:
    """Cut the channels of a file that was not closed to the samples that all of them have.

    The last round of blocks is not complete in such a file.
    """
    there = {known: blocks[at] for known, blocks in data.items() if at in blocks}
    there = {known: blocks for known, blocks in there.items() if blocks.offsets.size}
    if len(data) < 2 or not there:
        return
    ends = {
        known: int(blocks.stamps[-1]) + int(blocks.samples[-1]) for known, blocks in there.items()
    }
    common = min(ends.values())
    if len(there) < len(data):
        common = min(int(blocks.stamps[0]) for blocks in there.values())
    widest = max(int(blocks.samples.max()) for blocks in there.values())
    ahead = {known: end - common for known, end in ends.items() if end > common}
    if not ahead or max(ahead.values()) > widest:
        return
    for known in ahead:
        blocks = there[known]
        left = np.clip(common - blocks.stamps.astype(np.int64), 0, blocks.samples)
        lengths = (left * SAMPLE.itemsize + ANALOG + blocks.stamps.itemsize).astype(np.uint16)
        data[known][at] = replace(blocks, lengths=lengths)
    opening.note(
        "the last blocks of the other channels are not there: samples at the end are left out of "
        + ", ".join(known.name for known in list(ahead)[:20]),
        path=opening.files.source(head.name).name,
        lost=sum(ahead.values()),
    )


def chain_stamps(
    heads: Sequence[FileHead], chain: Sequence[int], blocks: Mapping[int, Blocks], rate: Fraction
) -> NDArray[np.int64]:
    """Give the sample numbers of all blocks of a channel in the files of a recording."""
    ticks = [
        ticks_of(blocks[at].stamps, float(rate), heads[at].first_time, heads[at].last_time)
        for at in chain
        if at in blocks and blocks[at].stamps.size
    ]
    if not ticks:
        return np.empty(0, np.int64)
    return ticks[0] if len(ticks) == 1 else np.concatenate(ticks)


def _placed_channel(
    opening: Opening,
    heads: Sequence[FileHead],
    chains: Chains,
    known: Definition,
    channel_id: str,
    blocks: Mapping[int, Blocks | None],
) -> Samples:
    """Put the blocks of a channel in order, recording by recording."""
    rate = known.rate or Fraction(1)
    full = {at: each for at, each in blocks.items() if each is not None}
    runs = [np.empty((0, 3), np.int64)]
    parts: list[tuple[str, int, int]] = []
    offsets, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    pieces = 0
    for segment, chain in enumerate(chains):
        there = [at for at in chain if at in full]
        if not there:
            if any(at in blocks for at in chain):
                runs.append(_no_samples(heads[chain[0]], rate, segment))
            continue
        ticks = chain_stamps(heads, chain, full, rate)
        found = placed(ticks, np.concatenate([full[at].samples for at in there]))
        _note_hidden(opening, known, found)
        offsets.append(
            np.concatenate([full[at].payload for at in there])[found.rows]
            + found.skips * SAMPLE.itemsize
        )
        counts.append(found.counts)
        parts += _files_of(heads, there, [full[at].offsets.size for at in there], found, pieces)
        pieces += found.rows.size
        where = stretches(found.ticks, found.counts)
        runs.append(np.column_stack([where, np.full(len(where), segment)]))
    table = np.concatenate(runs)
    sizes = np.concatenate(counts)
    firsts = np.zeros(sizes.size + 1, np.int64)
    np.cumsum(sizes, out=firsts[1:])
    return Samples(
        known,
        channel_id,
        tuple(parts),
        np.concatenate(offsets),
        firsts,
        run_table(table[:, 1], table[:, 0], table[:, 2]) if len(table) else np.zeros(0, RUN_DTYPE),
    )


def _no_samples(head: FileHead, rate: Fraction, segment: int) -> NDArray[np.int64]:
    """Make the run of a channel that is defined in a recording, but has no samples in it."""
    tick = round(Fraction(head.first_time or 0.0) * rate)
    return np.array([[tick, 0, segment]], np.int64)


def _files_of(
    heads: Sequence[FileHead],
    there: Sequence[int],
    sizes: Sequence[int],
    found: Placed,
    before: int,
) -> list[tuple[str, int, int]]:
    """Give the pieces of each file as ranges."""
    bounds = np.cumsum(sizes)
    file = np.searchsorted(bounds, found.rows, "right")
    begins = np.flatnonzero(np.diff(file, prepend=-1))
    stops = np.append(begins, file.size)[1:]
    return [
        (heads[there[file[begin]]].name, before + begin, before + stop)
        for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True)
    ]


def _note_hidden(opening: Opening, known: Definition, found: Placed) -> None:
    if found.hidden:
        opening.note(
            f"blocks of {known.name!r} overlap in time; of doubled samples the later ones are kept",
            field="sample number",
            lost=found.hidden,
        )


def _named(name: str, rate: Fraction, found: Sequence[Samples]) -> list[Group]:
    """Make a signal of the channels that have samples at the same times."""
    alike: dict[bytes, list[Samples]] = {}
    for channel in found:
        alike.setdefault(channel.runs.tobytes(), []).append(channel)
    with_samples = sum(bool(channels[0].offsets.size) for channels in alike.values())
    groups = []
    for channels in alike.values():
        alone = len(alike) == 1 or (with_samples == 1 and channels[0].offsets.size)
        label = name if alone else f"{name}:{channels[0].id}"
        groups.append(Group(label, name, rate, tuple(channels)))
    return groups


def signal_stream(index: int, group: Group) -> SignalStream:
    """Describe a signal."""
    known = [channel.definition for channel in group.channels]
    runs = group.channels[0].runs
    return SignalStream(
        index=index,
        id=group.id,
        name=group.name,
        length=int(runs["count"].sum()),
        dtype=SAMPLE,
        rate=group.rate,
        channels=Channels.table(
            [each.name for each in known],
            ids=[channel.id for channel in group.channels],
            units=[each.unit for each in known],
            gain=[each.scale for each in known],
            extra={
                "gain": [each.gain for each in known],
                "bit_resolution": [each.amplitude for each in known],
                "duration": [each.duration for each in known],
                "block_samples": [each.block_samples for each in known],
            },
        ),
        runs=runs,
        clock=group.rate,
    )


def channel_ids(numbers: Sequence[int]) -> list[str]:
    """Give the channel numbers as ids; a number with a second definition gets a suffix."""
    seen: Counter[int] = Counter()
    ids = []
    for number in numbers:
        seen[number] += 1
        ids.append(str(number) if seen[number] == 1 else f"{number}.{seen[number]}")
    return ids
