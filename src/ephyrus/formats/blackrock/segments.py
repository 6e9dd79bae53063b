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
    starts : ndarray of int64 or float64, shape (segments,)
        Their first ticks, ascending within each clock.
    clocks : ndarray of int64, shape (segments,)
        Their clocks: 0, and one more after each reset.
    resolution : Fraction
        Ticks per second of `starts`.
    run_segments : tuple of ndarray of int64
        Segment of each stretch, for each continuous file.
    """

    starts: NDArray[Any]
    clocks: NDArray[np.int64]
    resolution: Fraction
    run_segments: tuple[NDArray[np.int64], ...] = ()

    @property
    def count(self) -> int:
        """Number of segments."""
        return len(self.starts)

    @property
    def resets(self) -> int:
        """How often the clock began anew."""
        return int(self.clocks[-1])


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
    sizes = np.cumsum([each.counts.size for each in samples])[:-1]
    groups = np.concatenate([each.groups for each in samples])
    firsts, lasts = np.concatenate(starts), np.concatenate(stops)
    # Ticks of a later clock are made greater than all of the clocks before: stretches of all
    # clocks are joined at once. Their ranks are as good as they are where no gap is bridged.
    ticks, ranks = np.unique(np.concatenate([firsts, lasts]), return_inverse=True)
    ranks = ranks.astype(np.int64) + np.tile(groups, 2) * ticks.size
    begins, _ = joint_stretches(ranks[: firsts.size], ranks[firsts.size :], 0)
    run_segments = segment_at(ranks[: firsts.size], begins).astype(np.int64)
    return Segments(
        starts=ticks[begins % ticks.size],
        clocks=begins // ticks.size,
        resolution=resolution,
        run_segments=tuple(np.split(run_segments, sizes)),
    )


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
    clocks = np.arange(packets.resets.size + 1)
    starts = np.full(clocks.size, np.iinfo(np.int64).max)
    if packets.ticks.size:
        places = np.searchsorted(packets.resets, packets.numbers, "right")
        np.minimum.at(starts, places, packets.ticks)
    else:
        starts[0] = 0
    return Segments(starts, clocks, Fraction(header.resolution))


def packet_segments(segments: Segments, header: NevHeader, packets: Packets) -> NDArray[np.intp]:
    """Give the segment of each packet of the index."""
    starts, ticks = packet_starts(segments, header), packets.ticks
    if not segments.resets:
        return segment_at(ticks, starts)
    # As in `of_samples`: ranks among the starts of all segments, those of later clocks greater.
    values = np.unique(starts)
    clocks = np.searchsorted(packets.resets, packets.numbers, "right")
    firsts = np.searchsorted(segments.clocks, np.arange(segments.resets + 1))
    keys = np.searchsorted(values, starts) + segments.clocks * values.size
    ranks = np.searchsorted(values, ticks, "right") - 1
    found = segment_at(ranks + clocks * values.size, keys)
    return np.where(ranks < 0, firsts[clocks], np.maximum(found, firsts[clocks]))


def packet_starts(segments: Segments, header: NevHeader) -> NDArray[np.int64]:
    """Give the first ticks of segments on the clock of the packets."""
    if segments.resolution == header.resolution:
        return segments.starts.astype(np.int64)
    ratio = header.resolution / segments.resolution
    starts = [-(-Fraction(start) * ratio // 1) for start in segments.starts.tolist()]
    return np.array(starts, np.int64)
