"""Continuous data: runs of each slow channel, the streams they make up, common pauses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.plexon.blocks import SLOW, Blocks
from ephyrus.formats.plexon.layout import (
    BLOCK,
    Header,
    channel_facts,
    described_groups,
    listed,
    millivolt,
    text,
)
from ephyrus.recording import (
    ByteSource,
    Channels,
    Opening,
    PacketedSignal,
    SignalStream,
    joint_stretches,
    read_channels,
    run_table,
    segment_at,
    stretch_starts,
)
from ephyrus.recording.sampleplaces import PieceRows

SAMPLE = np.dtype("<i2")
MOST_PREFIXES = 3  # in the name of a stream
MOST_DRIFT = 2  # samples (or ticks, if longer) between stamps and rate that rounding explains
_FACTS = ("gain", "preamplifier_gain", "spike_channel")


@dataclass(frozen=True, slots=True, eq=False)
class SlowChannel:
    """A slow channel that has data.

    Attributes
    ----------
    number : int
        Channel number.
    name : str
        Its name.
    rate : Fraction
        Samples per second.
    gain : float
        Millivolt per count.
    facts : mapping
        What its header says.
    offsets : ndarray of int64, shape (blocks,)
        First byte of each block.
    counts : ndarray of int, shape (blocks,)
        Samples of each block.
    lengths, starts : ndarray of int64, shape (runs,)
        Samples and first tick of each run.
    stops : ndarray of float64, shape (runs,)
        Tick just after the last sample of each run, as the stamp of its last block tells.
    """

    number: int
    name: str
    rate: Fraction
    gain: float
    facts: Mapping[str, Any]
    offsets: NDArray[np.int64]
    counts: NDArray[Any]
    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.float64]

    def drift(self, clock: Fraction) -> float:
        """Give the ticks by which stamps and rate disagree about the length of a run, at most."""
        lengths = self.lengths * float(clock / self.rate)
        return float(np.abs(self.stops - self.starts - lengths).max())


@dataclass(frozen=True, slots=True, eq=False)
class Continuous:
    """All continuous data.

    Attributes
    ----------
    streams : tuple of tuple of SlowChannel
        Channels of one rate that were recorded at the same times.
    stretches : ndarray of int64, shape (stretches,)
        Ticks at which recording began, at first and after each pause common to all channels.
    packets : dict
        What reading knows of channels that were read: see `_packets`.
    """

    streams: tuple[tuple[SlowChannel, ...], ...]
    stretches: NDArray[np.int64]
    packets: dict[int, PacketedSignal] = field(default_factory=dict)


def find_continuous(opening: Opening, header: Header, blocks: Blocks) -> Continuous:
    """Find runs, streams and pauses."""
    groups, rows = described_groups(opening, "slow", header.slow_channels, blocks.groups(SLOW))
    found = [
        channel
        for number, place in groups
        if (channel := _channel(opening, header, blocks, number, place, rows.get(number)))
    ]
    if not found:
        return Continuous((), np.zeros(0, np.int64))
    clock = header.clock
    _note_drift(opening, found, clock)
    starts, _ = joint_stretches(
        np.concatenate([channel.starts for channel in found]),
        np.concatenate([channel.stops for channel in found]),
        _tolerance(clock, min(channel.rate for channel in found)),
    )
    alike: dict[Any, list[SlowChannel]] = {}
    for channel in found:
        key = channel.rate, channel.lengths.tobytes(), channel.starts.tobytes()
        alike.setdefault(key, []).append(channel)
    return Continuous(tuple(map(tuple, alike.values())), starts)


def _tolerance(clock: Fraction, rate: Fraction) -> float:
    """Give the ticks that a block may be late: one sample; stamps are not finer than one tick."""
    return max(float(clock / rate), 1.0)


def _note_drift(opening: Opening, found: Sequence[SlowChannel], clock: Fraction) -> None:
    """Note rates that are not those of the time stamps: a sample's time is told by the rate."""
    drifts = {
        channel.number: drift
        for channel in found
        if (drift := channel.drift(clock)) > MOST_DRIFT * _tolerance(clock, channel.rate)
    }
    if drifts:
        opening.note(
            f"slow channels {listed([*drifts])}: their rates and the time stamps of their blocks "
            f"disagree by up to {max(drifts.values()) / float(clock):.3g} s within a run; samples "
            "are given at these rates",
            field="slow channel header",
        )


def _channel(
    opening: Opening, header: Header, blocks: Blocks, number: int, place: slice, row: Any
) -> SlowChannel | None:
    """Find the runs of a channel; None if its blocks are empty."""
    counts: NDArray[Any] = blocks.words[place]
    if not (blocks.waves[place] == 1).all():
        counts = counts * blocks.waves[place].astype(np.int64)
    ticks, offsets = blocks.tick[place], blocks.offset[place]
    if not counts.all():
        filled = np.flatnonzero(counts)
        counts, ticks, offsets = counts[filled], ticks[filled], offsets[filled]
    if not counts.size:
        return None
    rate = _rate(opening, header, number, row, ticks, counts)
    step = float(header.clock / rate)
    ends = ticks + counts * step
    begins = stretch_starts(ticks, ends, _tolerance(header.clock, rate))
    starts = ticks[begins]
    if back := np.count_nonzero(starts[1:] < starts[:-1]):
        opening.note(
            f"slow channel {number}: time goes back at {back:,} of its blocks; its data are given "
            "in the order of the file",
            field="block",
        )
    return SlowChannel(
        number=number,
        name=f"ch{number}" if row is None else text(row["name"]),
        rate=rate,
        gain=_gain(opening, header, number, row),
        facts={} if row is None else _facts(header, row),
        offsets=offsets,
        counts=counts,
        lengths=np.add.reduceat(counts, begins, dtype=np.int64),
        starts=starts,
        stops=ends[np.append(begins[1:], ticks.size) - 1],
    )


def _facts(header: Header, row: Any) -> dict[str, Any]:
    facts = {name: int(row[name]) for name in _FACTS}
    return facts | channel_facts(row, header.version)


def _rate(
    opening: Opening,
    header: Header,
    number: int,
    row: Any,
    ticks: NDArray[np.int64],
    counts: NDArray[Any],
) -> Fraction:
    """Give the rate that the header tells, else the one at which the blocks follow each other."""
    if row is not None and row["rate"] > 0:
        return Fraction(int(row["rate"]))
    rate = header.waveform_rate
    steps = np.diff(ticks)
    if (steps > 0).any():
        forward = np.flatnonzero(steps > 0)
        per_sample = float(np.median(steps[forward] / counts[forward]))
        rate = Fraction(max(round(float(header.clock) / per_sample), 1))
    what = "no header" if row is None else f"a rate of {int(row['rate'])} Hz"
    opening.note(
        f"slow channel {number} has data and {what}; {rate} Hz is assumed, as its time stamps tell"
        + ("" if row is not None else ", and a gain of 1"),
        field="slow channel header",
    )
    return rate


def _gain(opening: Opening, header: Header, number: int, row: Any) -> float:
    if row is None:
        return millivolt(header.slow, 1, 1)
    gain, preamplifier = int(row["gain"]), int(row["preamplifier_gain"])
    if gain == 0 or (header.slow.preamplifier is None and preamplifier == 0):
        opening.note(
            f"slow channel {number} has data and a gain of 0; 1 is assumed",
            field="slow channel header",
        )
    return millivolt(header.slow, gain, preamplifier)


def describe_signals(
    header: Header, continuous: Continuous, segment_starts: NDArray[np.int64]
) -> tuple[SignalStream, ...]:
    """Describe the streams."""
    taken: set[str] = set()
    described = []
    for index, channels in enumerate(continuous.streams):
        name = _stream_name([channel.name for channel in channels])
        name = f"{name} ({channels[0].name})" if name in taken else name
        taken.add(name)
        first = channels[0]
        segments = segment_at(first.starts, segment_starts)
        described.append(
            SignalStream(
                index=index,
                id=str(first.number),
                name=name,
                length=int(first.lengths.sum()),
                dtype=SAMPLE,
                rate=first.rate,
                channels=_channel_table(header, channels),
                runs=run_table(first.lengths, first.starts, segments),
                clock=header.clock,
            )
        )
    return tuple(described)


def _stream_name(names: Sequence[str]) -> str:
    """Name a stream by what the names of its channels begin with: WB, FP, SPKC, AI ..."""
    prefixes = dict.fromkeys(re.sub(r"[\W\d_]+$", "", name) or name for name in names)
    if len(prefixes) > MOST_PREFIXES:
        return "continuous"
    return " ".join(prefixes) or "continuous"


def _channel_table(header: Header, channels: Sequence[SlowChannel]) -> Channels:
    missing: dict[str, Any] = {"gain": 1, "preamplifier_gain": 1}  # in headers that are made up
    if header.version >= 104:
        missing["spike_channel"] = 0
    if header.version >= 106:
        missing |= {"source_id": 0, "source_channel": 0}
    if any("comment" in channel.facts for channel in channels):
        missing["comment"] = ""
    extra: dict[str, list[Any]] = {
        name: [channel.facts.get(name, value) for channel in channels]
        for name, value in missing.items()
    }
    return Channels.table(
        [channel.name for channel in channels],
        ids=[str(channel.number) for channel in channels],
        units="mV",
        gain=[channel.gain for channel in channels],
        extra=extra,
    )


def read_samples(
    source: ByteSource,
    continuous: Continuous,
    stream: int,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give samples [start, stop) of the chosen channels of a stream."""
    members = continuous.streams[stream]
    chosen = members if channels is None else [members[at] for at in channels.tolist()]
    signals = [_packets(source, continuous, channel) for channel in chosen]
    if not signals:
        return np.empty((stop - start, 0), SAMPLE)
    return read_channels(signals, start, stop)


def sample_places(source: ByteSource, continuous: Continuous, stream: int, first: int) -> PieceRows:
    """Tell where samples from `first` on lie: in packets of each channel."""
    members = continuous.streams[stream]
    pieces = [_packets(source, continuous, channel).pieces() for channel in members]
    return PieceRows(pieces, first)


def _packets(source: ByteSource, continuous: Continuous, channel: SlowChannel) -> PacketedSignal:
    """Give the samples of a channel; their places are added up once, not for every slice."""
    known = continuous.packets.get(channel.number)
    if known is None or known.source is not source:
        samples = channel.offsets + BLOCK.itemsize
        known = PacketedSignal(source, samples, channel.counts, SAMPLE)
        continuous.packets[channel.number] = known
    return known
