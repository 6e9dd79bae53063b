"""Chains of blocks -> runs, segments, streams: what a recording consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.spike2 import chains32, gather, model, trees64
from ephyrus.formats.spike2.model import Chain, Channel, Header
from ephyrus.recording import (
    ByteSource,
    Opening,
    joint_stretches,
    run_table,
    segment_at,
    stretch_starts,
    table_runs,
    time_ordered,
    under_way,
)

__all__ = ["Index", "Items", "Levels", "Signal", "Table", "Wave", "index"]

RAGGED_BLOCKS = 2  # blocks by which chains that were cut may differ and still belong together


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """A channel that is sampled on and on.

    Attributes
    ----------
    channel : Channel
        The channel.
    blocks : ndarray of BLOCKS
        Where its samples lie.
    firsts : ndarray of int64, shape (blocks,)
        First sample of each block.
    ticks, counts : ndarray of int64, shape (runs,)
        First tick and samples of each stretch without a gap.
    is_broken : bool
        Its chain ended before its end.
    """

    channel: Channel
    blocks: NDArray[Any]
    firsts: NDArray[np.int64]
    ticks: NDArray[np.int64]
    counts: NDArray[np.int64]
    is_broken: bool

    @property
    def length(self) -> int:
        """Number of samples."""
        return int(self.counts.sum())

    def cut(self, length: int) -> Wave:
        """Give the first `length` samples."""
        before = np.cumsum(self.counts) - self.counts
        counts = np.minimum(self.counts, length - before)
        kept = counts > 0
        return replace(self, ticks=self.ticks[kept], counts=counts[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """Channels that are sampled together.

    Attributes
    ----------
    waves : tuple of Wave
        One per channel, all with the same runs.
    runs : ndarray of RUN_DTYPE
        Their runs.
    """

    waves: tuple[Wave, ...]
    runs: NDArray[Any]

    @property
    def has_gaps(self) -> bool:
        """Whether it is one of floats that has (or may have had, where it is cut) pauses."""
        leader = self.waves[0]
        is_forward = bool((np.diff(self.runs["tick"]) > 0).all())
        is_gapped = len(self.runs) > 1 or leader.is_broken
        return leader.channel.kind == model.REAL_WAVE and is_gapped and is_forward


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A channel of events, markers or spikes.

    Attributes
    ----------
    channel : Channel
        The channel.
    blocks : ndarray of BLOCKS
        Where its items lie.
    heads : ndarray, shape (items,)
        Time and codes of each item, in the order of the file.
    order : ndarray of intp or None
        The order by segment and time, where that is another.
    runs : ndarray of RUN_DTYPE
        One per segment with items.
    is_broken : bool
        Its chain ended before its end.
    delay : int
        Ticks from the stored times to those that are given.
    """

    channel: Channel
    blocks: NDArray[Any]
    heads: NDArray[Any]
    order: NDArray[np.intp] | None
    runs: NDArray[Any]
    is_broken: bool
    delay: int

    def ticks(self, rows: Any = slice(None)) -> NDArray[np.int64]:
        """Give the ticks of items, in the order of the stream."""
        return self.picked(rows)["time"].astype(np.int64) + self.delay

    def picked(self, rows: Any) -> NDArray[Any]:
        """Give times and codes of items, in the order of the stream."""
        found: NDArray[Any] = self.heads[rows if self.order is None else self.order[rows]]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The high periods of a level channel.

    Attributes
    ----------
    channel : Channel
        The channel.
    ticks, stops : ndarray of int64, shape (periods,)
        Where each begins and ends.
    is_cut : ndarray of bool, shape (periods,)
        An end of the recording stands for an edge.
    runs : ndarray of RUN_DTYPE
        One per segment in which periods begin.
    """

    channel: Channel
    ticks: NDArray[np.int64]
    stops: NDArray[np.int64]
    is_cut: NDArray[np.bool_]
    runs: NDArray[Any]


Table = Signal | Items | Levels


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Where everything lies.

    Attributes
    ----------
    signals : tuple of Signal
        Streams of samples.
    tables : tuple of Signal, Items or Levels
        Irregular samples; events, markers and spikes; high periods.
    starts : ndarray of int64, shape (segments,)
        First tick of each segment.
    """

    signals: tuple[Signal, ...]
    tables: tuple[Table, ...]
    starts: NDArray[np.int64]


def index(opening: Opening, header: Header) -> Index:
    """Follow the chains and find runs, segments and streams."""
    source, options = opening.files.main, opening.options
    columns = opening.cached("chains", lambda: _columns(opening, source, header))
    waves, points = [], []
    for channel in (*header.channels, *header.empty):
        blocks = columns.get(f"{channel.slot}.blocks")
        if blocks is None:
            continue
        chain = Chain(blocks, bool(columns[f"{channel.slot}.broken"][0]))
        if channel.is_wave:
            waves.append(_wave(opening, channel, chain))
        else:
            points.append((channel, chain, columns[f"{channel.slot}.heads"]))
    groups = _grouped(opening, waves)
    starts = _segment_starts(groups)
    signals = [_signal(group, starts) for group in groups]
    irregular = [each for each in signals if options["irregular_realwaves"] and each.has_gaps]
    items = [_items(opening, *each, starts) for each in points]
    tables: list[Table] = [*irregular]
    for each in sorted(items, key=lambda each: each.channel.slot):
        tables.append(each)
        if each.channel.kind == model.LEVEL and options["level_epochs"]:
            tables.append(_levels(each, header.last_tick, starts))
    regular = tuple(each for each in signals if each not in irregular)
    return Index(regular, tuple(tables), starts)


def _columns(opening: Opening, source: ByteSource, header: Header) -> Mapping[str, NDArray[Any]]:
    """Follow all chains: blocks of each channel, times and codes of items."""
    columns: dict[str, NDArray[Any]] = {}
    layout = chains32 if header.bits == 32 else trees64
    total = len(header.channels)
    with under_way(opening.progress, total, "channels", "following blocks"):
        for channel, chain in layout.chains(opening, source, header):
            opening.progress.advance(1)
            if not len(chain.blocks):
                continue
            columns[f"{channel.slot}.blocks"] = chain.blocks
            columns[f"{channel.slot}.broken"] = np.array([chain.is_broken])
            if not channel.is_wave:
                columns[f"{channel.slot}.heads"] = gather.item_heads(source, channel, chain.blocks)
    return columns


def _wave(opening: Opening, channel: Channel, chain: Chain) -> Wave:
    """Find the stretches of a channel: a block that begins late (or early) begins a new one."""
    blocks = chain.blocks
    ends = blocks["tick"] + blocks["count"] * channel.interval
    early = int((blocks["tick"][1:] < ends[:-1]).sum())
    if early:
        opening.note(
            f"channel {channel.slot} ({channel.title}): {early} blocks begin before the end of "
            "the one before; each is a stretch of its own",
            field="data block",
        )
    firsts = stretch_starts(blocks["tick"], ends, 0)
    counts = np.add.reduceat(blocks["count"], firsts)
    begins = np.cumsum(blocks["count"]) - blocks["count"]
    return Wave(channel, blocks, begins, blocks["tick"][firsts], counts, chain.is_broken)


def _grouped(opening: Opening, waves: Sequence[Wave]) -> list[list[Wave]]:
    """Put channels together that are sampled together and have the same unit."""
    if not opening.options["try_signal_grouping"]:
        return [[wave] for wave in waves]
    ideal = opening.options["take_ideal_sampling_rate"]
    groups: list[list[Wave]] = []
    for wave in waves:
        found = next((group for group in groups if _belong(group[0], wave, ideal=ideal)), None)
        if found is None:
            groups.append([wave])
            continue
        found.append(wave)
        shortest = min(each.length for each in found)
        for place, each in enumerate(found):
            if each.length > shortest:
                found[place] = _shortened(opening, each, shortest)
    return groups


def _belong(one: Wave, other: Wave, *, ideal: bool) -> bool:
    """Tell whether two channels are sampled together.

    Chains that were cut may differ by what was lost of the blocks under way: the channels stay
    together then, as far as both go.
    """
    mine, theirs = one.channel, other.channel
    if (mine.interval, mine.item, mine.units) != (theirs.interval, theirs.item, theirs.units):
        return False
    if ideal and mine.ideal_rate != theirs.ideal_rate:
        return False
    length = min(one.length, other.length)
    if one.length != other.length:
        most = max(int(wave.blocks["count"].max()) for wave in (one, other))
        is_cut = one.is_broken or other.is_broken
        if not is_cut or abs(one.length - other.length) > RAGGED_BLOCKS * most:
            return False
    part, counterpart = one.cut(length), other.cut(length)
    return np.array_equal(part.ticks, counterpart.ticks) and np.array_equal(
        part.counts, counterpart.counts
    )


def _shortened(opening: Opening, wave: Wave, length: int) -> Wave:
    """Cut a channel to what all channels sampled with it have."""
    lost = wave.length - length
    opening.note(
        f"channel {wave.channel.slot} ({wave.channel.title}): its last samples are left out, as "
        "those of a channel sampled with it are lost; try_signal_grouping=False gives them",
        lost=lost,
    )
    return wave.cut(length)


def _segment_starts(groups: Sequence[Sequence[Wave]]) -> NDArray[np.int64]:
    """Find the pauses that all channels have in common; each separates two segments.

    A pause of less than the shortest interval between samples is none.
    """
    if not groups:
        return np.zeros(1, np.int64)
    leaders = [group[0] for group in groups]
    ticks = np.concatenate([wave.ticks for wave in leaders])
    stops = np.concatenate([wave.ticks + wave.counts * wave.channel.interval for wave in leaders])
    shortest = min(wave.channel.interval for wave in leaders)
    starts, _ = joint_stretches(ticks, stops, shortest - 1)
    return np.asarray(starts, np.int64)


def _signal(group: Sequence[Wave], starts: NDArray[np.int64]) -> Signal:
    leader = group[0]
    return Signal(
        tuple(group), run_table(leader.counts, leader.ticks, segment_at(leader.ticks, starts))
    )


def _items(
    opening: Opening,
    channel: Channel,
    chain: Chain,
    heads: NDArray[Any],
    starts: NDArray[np.int64],
) -> Items:
    """Put items into segments; they are sorted where the file has them out of order."""
    is_late = opening.options["trigger_times"] and channel.has_waveforms
    delay = channel.pre_trigger * channel.interval if is_late else 0
    ticks = heads["time"].astype(np.int64) + delay if delay else heads["time"]
    if len(starts) == 1:
        order, runs = time_ordered(ticks), run_table([len(heads)], starts)
    else:
        segments = segment_at(ticks, starts)
        order = time_ordered(ticks, segments)
        runs = table_runs(segments if order is None else segments[order], starts)
    if order is not None:
        opening.note(
            f"channel {channel.slot} ({channel.title}): its items are not in the order of time; "
            "they are sorted",
            field="data block",
        )
    return Items(channel, chain.blocks, heads, order, runs, chain.is_broken, delay)


def _levels(items: Items, last_tick: int, starts: NDArray[np.int64]) -> Levels:
    """Find the periods from each rising to the next falling edge.

    A level that is high before the first edge has been so from tick 0 on; one that is high after
    the last edge stays so to the end of the recording, unless that end is lost.
    """
    edges, is_high = items.ticks(), items.channel.starts_high
    if is_high:
        edges = np.concatenate(([min(0, int(edges[0]))], edges))
    is_open = bool(len(edges) % 2)
    if is_open:
        last = max(last_tick, int(edges[-1]))
        edges = edges[:-1] if items.is_broken else np.append(edges, last)
    ticks, stops = edges[0::2], edges[1::2]
    is_cut = np.zeros(len(ticks), bool)
    if len(ticks):
        is_cut[0] |= is_high
        is_cut[-1] |= is_open and not items.is_broken
    runs = table_runs(segment_at(ticks, starts), starts)
    return Levels(items.channel, ticks, stops, is_cut, runs)
