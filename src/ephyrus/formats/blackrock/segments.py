"""Segments: the stretches of the continuous files, and which packets belong to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.blackrock.blocks import Samples
from ephyrus.formats.blackrock.header import NevHeader, NsxHeader
from ephyrus.formats.blackrock.packets import Packets
from ephyrus.recording import Opening, joint_stretches, segment_at

__all__ = ["Segments", "of_packets", "of_samples", "packet_segments", "packet_starts"]

LARGEST_TICK = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The segments of a recording.

    Attributes
    ----------
    starts : tuple of ndarray of float64 or int64
        For each clock (one more after each reset) the first ticks of its segments.
    resolution : Fraction
        Ticks per second of `starts`.
    run_segments : tuple of ndarray of int64
        Segment of each stretch, for each continuous file.
    """

    starts: tuple[NDArray[Any], ...]
    resolution: Fraction
    run_segments: tuple[NDArray[np.int64], ...] = ()

    @property
    def count(self) -> int:
        """Number of segments."""
        return sum(map(len, self.starts))


def of_samples(
    opening: Opening, headers: Sequence[NsxHeader], samples: Sequence[Samples]
) -> Segments | None:
    """Make segments of the stretches that all continuous files have together; None without any."""
    if not any(each.counts.size for each in samples):
        return None
    resolution, scales = _common_clock(headers, samples)
    starts = [each.ticks * scale for each, scale in zip(samples, scales, strict=True)]
    stops = [each.stops * scale for each, scale in zip(samples, scales, strict=True)]
    clocks = [int(each.groups[-1]) + 1 if each.groups.size else 0 for each in samples]
    _note_unequal(opening, headers, samples, clocks)
    joint: list[NDArray[Any]] = []
    run_segments = [np.zeros(each.counts.size, np.int64) for each in samples]
    before = 0
    for clock in range(max(clocks)):
        mine = [each.groups == clock for each in samples]
        firsts = [start[chosen] for start, chosen in zip(starts, mine, strict=True)]
        lasts = [stop[chosen] for stop, chosen in zip(stops, mine, strict=True)]
        begins, _ = joint_stretches(np.concatenate(firsts), np.concatenate(lasts), 0)
        for found, chosen, first in zip(run_segments, mine, firsts, strict=True):
            found[chosen] = before + segment_at(first, begins)
        joint.append(begins)
        before += len(begins)
    return Segments(tuple(joint), resolution, tuple(run_segments))


def _common_clock(
    headers: Sequence[NsxHeader], samples: Sequence[Samples]
) -> tuple[Fraction, list[float | int]]:
    """Give a clock on which the ticks of all files are whole, and what makes them so.

    It is seconds, and they are not whole, where such a clock would need more than 63 bits.
    """
    resolutions = [header.resolution for header in headers]
    common = math.lcm(*resolutions)
    scales = [common // resolution for resolution in resolutions]
    latest = max(
        int(each.stops.max(initial=0)) * scale for each, scale in zip(samples, scales, strict=True)
    )
    if latest <= LARGEST_TICK:
        return Fraction(common), [*scales]
    return Fraction(1), [1 / resolution for resolution in resolutions]


def _note_unequal(
    opening: Opening,
    headers: Sequence[NsxHeader],
    samples: Sequence[Samples],
    clocks: Sequence[int],
) -> None:
    """Tell where the files of a recording pause at different times."""
    counts = [each.counts.size for each in samples]
    if len(set(counts)) > 1 or len(set(clocks)) > 1:
        texts = ", ".join(
            f"{header.name}: {count}" for header, count in zip(headers, counts, strict=True)
        )
        opening.note(
            f"the continuous files have different numbers of stretches ({texts}); a segment "
            "begins where all of them pause, and holds several signals where only one does"
        )


def of_packets(header: NevHeader, packets: Packets) -> Segments:
    """Make one segment for each clock of a recording without continuous files."""
    clocks = packets.resets.size + 1
    if clocks == 1:
        first = int(packets.ticks.min()) if packets.ticks.size else 0
        return Segments((np.array([first], np.int64),), Fraction(header.resolution))
    starts = np.full(clocks, np.iinfo(np.int64).max)
    places = np.searchsorted(packets.resets, packets.numbers, "right")
    np.minimum.at(starts, places, packets.ticks)
    return Segments(tuple(starts[:, np.newaxis]), Fraction(header.resolution))


def packet_segments(
    segments: Segments, header: NevHeader, packets: Packets, first: int, last: int
) -> NDArray[np.intp]:
    """Give the segments of the packets [first, last) of the index."""
    starts = [packet_starts(each, segments.resolution, header) for each in segments.starts]
    ticks = packets.ticks[first:last]
    if len(starts) == 1:
        return segment_at(ticks, starts[0])
    clocks = np.searchsorted(packets.resets, packets.numbers[first:last], "right")
    before = np.cumsum([0, *map(len, starts)])
    found = np.zeros(ticks.size, np.intp)
    for clock, begins in enumerate(starts):
        chosen = clocks == clock
        found[chosen] = before[clock] + segment_at(ticks[chosen], begins)
    return found


def packet_starts(
    starts: NDArray[Any], resolution: Fraction, header: NevHeader
) -> NDArray[np.int64]:
    """Give the first ticks of segments on the clock of the packets."""
    if resolution == header.resolution:
        return starts.astype(np.int64)
    ratio = header.resolution / resolution
    return np.array([-(-Fraction(start) * ratio // 1) for start in starts.tolist()], np.int64)
