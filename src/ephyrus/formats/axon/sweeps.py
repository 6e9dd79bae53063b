"""Where the sweeps of ABF1 and ABF2 lie, when they begin, and which tags belong to them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import TruncatedError
from ephyrus.formats.axon.layout import GAP_FREE, MODES, VARIABLE_LENGTH, Header
from ephyrus.recording import RUN_DTYPE, ByteSource, Opening, corrupt, run_table

EPISODIC = 5
MAX_SWEEPS = 10**6
PROTOCOL_SWEEPS = 10_000  # most that the acquisition programs accept


@dataclass(frozen=True, slots=True, eq=False)
class Sweeps:
    """Where the samples lie.

    Attributes
    ----------
    runs : ndarray of RUN_DTYPE, shape (sweeps,)
        In samples of one channel.
    clock : Fraction
        Ticks per second of the runs.
    rate : Fraction
        Samples per second of one channel.
    planned : ndarray of int64, shape (sweeps,)
        Samples that each sweep should have; the last one may be cut.
    recorded : bool
        There are samples, not only a protocol.
    begins : ndarray of int64, shape (sweeps,), or None
        First multiplexed sample of each sweep, where that is not the sum of those before.
    values : ndarray of float64, shape (samples, channels), or None
        The samples themselves, for text.
    tag_order : ndarray of int, shape (tags,)
        Tags by sweep and time.
    tag_runs : ndarray of RUN_DTYPE
        One per sweep that has tags, on the synch clock.
    """

    runs: NDArray[Any]
    clock: Fraction
    rate: Fraction
    planned: NDArray[np.int64]
    recorded: bool = True
    begins: NDArray[np.int64] | None = None
    values: NDArray[np.float64] | None = None
    tag_order: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    tag_runs: NDArray[Any] = field(default_factory=lambda: np.zeros(0, RUN_DTYPE))


@dataclass(frozen=True, slots=True, eq=False)
class _Timed:
    """Lengths (multiplexed samples) and starts of sweeps."""

    lengths: NDArray[np.int64]
    ticks: NDArray[np.int64]
    clock: Fraction


def find_sweeps(opening: Opening, source: ByteSource, header: Header) -> Sweeps:
    """Locate the sweeps; reads nothing.

    Raises
    ------
    TruncatedError
        If whole sweeps are missing at the end of the file.
    CorruptError
        If lengths cannot be true.
    """
    if header.sample_count == 0:
        if not source.name.lower().endswith(".pro"):
            opening.note(
                "there are no samples; only the protocol is read",
                path=source.name,
                field="data section",
            )
        found = _protocol_sweeps(source, header)
        counts = found.lengths // len(header.channels)
        runs = run_table(counts, found.ticks)
        order, tag_runs = _tags_by_sweep(header, runs, found.clock)
        return Sweeps(
            runs,
            found.clock,
            header.rate,
            runs["count"],
            recorded=False,
            tag_order=order,
            tag_runs=tag_runs,
        )
    timed = _recorded_sweeps(opening, source, header)
    planned = timed.lengths // len(header.channels)
    begins, lengths = _fitted(opening, source, header, timed.lengths)
    timed = _Timed(lengths, timed.ticks[: len(lengths)], timed.clock)
    channels = len(header.channels)
    if np.any(timed.lengths % channels):
        opening.note(
            f"sweeps that do not hold whole samples of {channels} channels lose their last, "
            "incomplete one",
            path=source.name,
            field="data section",
            lost=int((timed.lengths % channels).sum()),
        )
    runs = run_table(timed.lengths // channels, timed.ticks)
    order, tag_runs = _tags_by_sweep(header, runs, timed.clock)
    contiguous = np.array_equal(begins, runs["first"] * channels)
    return Sweeps(
        runs,
        timed.clock,
        header.rate,
        planned[: len(runs)],
        begins=None if contiguous else begins,
        tag_order=order,
        tag_runs=tag_runs,
    )


def _recorded_sweeps(opening: Opening, source: ByteSource, header: Header) -> _Timed:
    if header.mode == GAP_FREE:  # a count of sweeps in the header means nothing here
        return _equal(header, 1, header.sample_count)
    if len(header.synch):
        return _synchronised(opening, source, header)
    if header.synch_lost:
        return _lost_sweeps(source, header)
    if header.mode == VARIABLE_LENGTH or header.mode not in MODES:
        opening.note(
            "there is no synch array; the recording is taken as one sweep",
            path=source.name,
            field="synch array",
        )
        return _equal(header, 1, header.sample_count)
    if header.sweeps <= 1:
        return _equal(header, 1, header.sample_count)
    return _equal_sweeps(opening, source, header)


def _synchronised(opening: Opening, source: ByteSource, header: Header) -> _Timed:
    lengths = header.synch["length"].astype(np.int64)
    if np.any(lengths < 0):
        corrupt(source, f"a sweep of {lengths.min()} samples", field="synch array")
    unit = header.synch_unit
    if header.mode == VARIABLE_LENGTH and unit > 0 and lengths.sum() > header.sample_count:
        divided = np.round(lengths / unit)
        if divided.sum() <= header.sample_count:
            opening.note(
                f"sweep lengths fit the data only as times; they are divided by {unit:g} us",
                path=source.name,
                field="synch array",
            )
            lengths = divided.astype(np.int64)
    return _Timed(lengths, header.synch["start"].astype(np.int64), header.synch_clock)


def _lost_sweeps(source: ByteSource, header: Header) -> _Timed:
    """Sweeps of a file whose synch array is cut off, if the header makes them known."""
    known = header.mode not in (VARIABLE_LENGTH, GAP_FREE) and header.mode in MODES
    if not known or header.sweeps * header.samples_per_sweep != header.sample_count:
        raise TruncatedError(
            source.name,
            "the synch array is lost, and the header does not tell lengths and times of sweeps",
            field="synch array",
        )
    timed = _equal(header, header.sweeps, header.samples_per_sweep)
    return _Timed(timed.lengths, _on_clock(timed, header.synch_clock), header.synch_clock)


def _equal_sweeps(opening: Opening, source: ByteSource, header: Header) -> _Timed:
    count, length = header.sweeps, header.samples_per_sweep
    if count > min(header.sample_count, MAX_SWEEPS):
        corrupt(
            source,
            f"{count} sweeps in {header.sample_count} samples, at most {MAX_SWEEPS:,} are read",
            field="number of sweeps",
        )
    if not (count - 1) * length < header.sample_count <= count * length:
        if length > 0:
            opening.note(
                f"{count} sweeps of {length} samples do not make {header.sample_count}; sweeps "
                f"of {header.sample_count // count} samples are taken",
                path=source.name,
                field="samples per sweep",
            )
        length = header.sample_count // count
    return _equal(header, count, length)


def _equal(header: Header, count: int, length: int) -> _Timed:
    """Sweeps of one length, at equal distances."""
    number = np.arange(count, dtype=np.int64)
    lengths = np.full(count, length, np.int64)
    if count > 1 and header.start_to_start > 0:
        return _Timed(lengths, number, 1 / Fraction(header.start_to_start))
    return _Timed(lengths, number * length, header.rate * len(header.channels))


def _protocol_sweeps(source: ByteSource, header: Header) -> _Timed:
    """Sweeps that a protocol without samples would make."""
    if header.mode != EPISODIC:
        return _equal(header, 1, 0)
    count, length = max(header.sweeps_per_run, 1), header.samples_per_sweep
    if count > PROTOCOL_SWEEPS or length < 0:
        corrupt(
            source,
            f"{count} sweeps of {length} samples (at most {PROTOCOL_SWEEPS} sweeps are possible)",
            field="sweeps per run",
        )
    return _equal(header, count, length)


def _fitted(
    opening: Opening, source: ByteSource, header: Header, lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Begins and lengths of the sweeps that are there, cut to the data section and the file."""
    total, stated = int(lengths.sum()), header.sample_count
    begins = np.cumsum(lengths) - lengths
    if total != stated:
        opening.note(
            f"the sweeps are {total:,} samples long, the data section {stated:,}; "
            f"{min(total, stated):,} are read",
            path=source.name,
            field="synch array",
            lost=max(stated - total, 0),
        )
    limit = min(total, stated)
    there = max(source.size - header.data_offset, 0) // header.dtype.itemsize
    if there < limit:
        _cut_end(opening, source, header, there, limit, int(begins[lengths > 0][-1]))
        limit = there
    keep = max(int(np.count_nonzero((begins < limit) | (lengths == 0))), 1)
    return begins[:keep], np.clip(limit - begins[:keep], 0, lengths[:keep])


def _cut_end(
    opening: Opening, source: ByteSource, header: Header, there: int, wanted: int, last: int
) -> None:
    """Note that the last sweep is not complete; refuse a file in which whole sweeps are missing."""
    itemsize = header.dtype.itemsize
    reason = (
        f"the samples need {wanted * itemsize:,} bytes from here, "
        f"{max(source.size - header.data_offset, 0):,} are in the file"
    )
    if there > last:
        opening.note(
            f"{reason}; the last sweep is not complete",
            path=source.name,
            offset=header.data_offset,
            field="data section",
            lost=wanted - there,
        )
        return
    opening.damaged(
        TruncatedError(source.name, reason, offset=header.data_offset, field="data section"),
        lost=wanted - there,
    )


def _tags_by_sweep(
    header: Header, runs: NDArray[Any], clock: Fraction
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Order the tags by sweep and time, and count them per sweep."""
    ticks = header.tags["time"].astype(np.int64)
    if not len(ticks):
        return np.zeros(0, np.intp), np.zeros(0, RUN_DTYPE)
    timed = _Timed(runs["count"], runs["tick"], clock)
    starts = _on_clock(timed, header.synch_clock, up=True)
    ordered = np.maximum.accumulate(starts)
    sweep = np.clip(np.searchsorted(ordered, ticks, "right") - 1, 0, None)
    order = np.lexsort((ticks, sweep))
    present, counts = np.unique(sweep, return_counts=True)
    return order, run_table(counts, starts[present], present)


def _on_clock(timed: _Timed, clock: Fraction, *, up: bool = False) -> NDArray[np.int64]:
    """Ticks of another clock: nearest to the sweeps' starts, or the first ones not before them."""
    if timed.clock == clock:
        return timed.ticks
    ratio = clock / timed.clock
    exact = [int(tick) * ratio for tick in timed.ticks]
    ticks = [math.ceil(tick) if up else round(tick) for tick in exact]
    return np.array([min(max(tick, -(2**62)), 2**62) for tick in ticks], np.int64)
