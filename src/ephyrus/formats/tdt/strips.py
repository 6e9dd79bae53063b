"""Streams whose channels lie in .sev files, with records in the index or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError
from ephyrus.formats.tdt import texts
from ephyrus.formats.tdt.chunks import (
    Samples,
    StreamPart,
    runs_of,
    samples_of,
    stream_notes,
    table_of,
)
from ephyrus.formats.tdt.data import Strips
from ephyrus.formats.tdt.layout import (
    CLOCK,
    HEAD_WORDS,
    PHANTOM,
    SEV_HEAD,
    Store,
    in_file_name,
)
from ephyrus.formats.tdt.sev import Channel, Sevs, read_channel
from ephyrus.formats.tdt.tsq import BlockIndex
from ephyrus.recording import Opening, as_fraction

__all__ = ["part_in_sev", "part_without_records"]


def _channels_in_sev(
    opening: Opening, index: BlockIndex, store: str, channels: Sequence[int], sevs: Sevs
) -> dict[int, Channel]:
    """Read the heads of a store's files; one that is missing is named."""
    form, item = in_file_name(store), index.block.stores.get(store, {})
    found: dict[int, Channel] = {}
    for channel in channels:
        paths = sevs.paths.get((form, channel))
        if paths is None:
            opening.damaged(
                CorruptError(
                    index.source.name,
                    f"store {store!r} keeps its samples in files of single channels, and "
                    f"*_{form}_Ch{channel}.sev is missing",
                    field=store,
                )
            )
            continue
        read = read_channel(opening, paths, item)
        if read is not None:
            found[channel] = read
    return _alike(opening, index, store, found)


def _alike(
    opening: Opening, index: BlockIndex, store: str, found: dict[int, Channel]
) -> dict[int, Channel]:
    """Leave out channels of another type or rate than the first."""
    first = next(iter(found.values()), None)
    odd = [
        channel
        for channel, each in found.items()
        if first is not None and (each.dtype, each.rate) != (first.dtype, first.rate)
    ]
    if odd:
        reason = f"the .sev files of store {store!r} differ in format or rate (channels {odd})"
        opening.damaged(CorruptError(index.source.name, reason, field=store))
    return {channel: each for channel, each in found.items() if channel not in odd}


def _length(opening: Opening, index: BlockIndex, store: str, found: Mapping[int, Channel]) -> int:
    """Give the samples that all channels have."""
    lengths = [channel.length for channel in found.values()]
    if max(lengths) > min(lengths):
        opening.note(
            f"the .sev files of store {store!r} have {min(lengths):,} to {max(lengths):,} "
            "samples: all channels are cut to the shortest",
            path=index.source.name,
            field=store,
            lost=sum(lengths) - min(lengths) * len(lengths),
        )
    return min(lengths)


def part_in_sev(opening: Opening, index: BlockIndex, store: Store, sevs: Sevs) -> StreamPart | None:
    """Make a stream of .sev files, whose gaps the records or the log tell."""
    samples = samples_of(opening, index, store)
    if samples is None:
        return None
    table = table_of(opening, index, store, samples)
    found = _channels_in_sev(opening, index, store.name, table.channels, sevs)
    found = _as_recorded(opening, index, store, samples, found)
    if not found or not table.rows.size:
        return None
    length = _length(opening, index, store.name, found)
    counts, ticks = runs_of(table.ticks[0], samples)
    gaps = _gaps(opening, index, store.name)
    skip = 0
    if len(counts) == 1 and gaps:
        counts, starts = _gaps_as_runs(opening, index, store.name, gaps, length, samples.rate)
        ticks = ticks[0] + starts
    else:
        wanted = np.array([channel in found for channel in table.channels])
        offsets = index.column("offset")[table.rows[wanted]]
        if not store.flags & PHANTOM:
            skip = _first_sample(opening, index, store, list(found.values()), offsets)
        counts = _fitted(opening, index, store, samples, counts, length - skip)
        ticks = ticks[: len(counts)]
    if not counts.sum():
        return None
    return StreamPart(
        store.name,
        tuple(found),
        samples.dtype,
        as_fraction(samples.rate),
        (_strips(found, samples.dtype, skip, int(counts.sum())),),
        counts,
        ticks,
        stream_notes(index, store.name, samples.dtype),
    )


def _as_recorded(
    opening: Opening,
    index: BlockIndex,
    store: Store,
    samples: Samples,
    found: Mapping[int, Channel],
) -> dict[int, Channel]:
    """Give channels whose samples are of the type that the records say; old heads say none."""
    typed = {
        channel: each.as_type(samples.dtype) if each.is_old else each
        for channel, each in found.items()
    }
    kinds = {each.dtype for each in typed.values()} - {samples.dtype}
    if not kinds:
        return typed
    error = CorruptError(
        index.source.name,
        f"samples of store {store.name!r} are of type {samples.dtype} as its records say, and "
        f"{kinds.pop()} as its .sev files say",
        field="format",
    )
    opening.damaged(error, lost=store.rows.size)
    return {}


def _strips(found: Mapping[int, Channel], dtype: np.dtype[Any], skip: int, length: int) -> Strips:
    """Give the place of samples [skip, skip + length) of each channel."""
    channels = []
    for channel in found.values():
        parts, left = [], skip
        for path, offset, count in channel.parts:
            gone = min(left, count)
            left -= gone
            if count > gone:
                parts.append((path, offset + gone * dtype.itemsize, count - gone))
        channels.append(tuple(parts))
    return Strips(dtype, length, tuple(channels))


def _first_sample(
    opening: Opening,
    index: BlockIndex,
    store: Store,
    channels: Sequence[Channel],
    offsets: NDArray[np.int64],
) -> int:
    """Give the sample to which the first record points; the others must follow.

    Offsets begin anew with each part of a channel, or go on as if the parts were one file.
    """
    item = channels[0].dtype.itemsize
    firsts = offsets[:, 0] - SEV_HEAD.itemsize
    skip = int(firsts[0]) // item
    good = (firsts == firsts[0]).all() and firsts[0] >= 0 and firsts[0] % item == 0
    steps = np.diff(offsets, axis=1)
    width = (int(store.first["size"]) - HEAD_WORDS) * 4
    good &= bool(((steps == width) | (steps < 0)).all()) and (steps < 0).sum() < sum(
        len(channel.parts) for channel in channels
    )
    if not good:
        error = CorruptError(
            index.source.name,
            f"records of store {store.name!r} do not point to one sample of its .sev files after "
            "the other; salvaging reads the files from their beginning",
            field="offset",
        )
        opening.damaged(error)
        return 0
    return skip


def _fitted(
    opening: Opening,
    index: BlockIndex,
    store: Store,
    samples: Samples,
    counts: NDArray[np.int64],
    length: int,
) -> NDArray[np.int64]:
    """Fit the runs of the records to the samples that there are."""
    indexed = int(counts.sum())
    if length >= indexed and index.has_stop:
        if length - indexed >= samples.points:
            opening.note(
                f"the .sev files of store {store.name!r} have {length - indexed:,} samples "
                "behind the last record; they are taken to follow without a gap",
                path=index.source.name,
                field=store.name,
            )
        counts = counts.copy()
        counts[-1] += length - indexed
        return counts
    if length != indexed:
        which = "end before" if length < indexed else "go on behind"
        opening.note(
            f"the .sev files of store {store.name!r} {which} the last record; only samples that "
            "have both are read",
            path=index.source.name,
            field=store.name,
            lost=abs(indexed - length),
        )
    ends = np.minimum(np.cumsum(counts), max(length, 0))
    cut = np.diff(np.concatenate(([0], ends)))
    return cut[cut > 0]


def _gaps(opening: Opening, index: BlockIndex, store: str) -> list[tuple[int, int]]:
    """Read the gaps from the log of a store."""
    ending = f"{in_file_name(store)}_log.txt"
    for path in index.block.files.logs:
        name = path.rpartition("/")[2].casefold()
        if name == ending or name.endswith(f"_{ending}"):
            return texts.gaps_of(opening.files, path)
    return []


def _gaps_as_runs(
    opening: Opening,
    index: BlockIndex,
    store: str,
    gaps: Sequence[tuple[int, int]],
    length: int,
    rate: float | Fraction,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Make runs of the gaps of a log, which counts samples from 1, lost ones too.

    Returns
    -------
    counts, ticks : ndarray of int64
        Samples of each run; ticks from the first sample of the first run.
    """
    last, new = np.array(gaps, np.int64).reshape(-1, 2).T
    lost = np.cumsum(new - last - 1)
    places = last - np.concatenate(([0], lost[:-1]))
    good = (new > last).all() and (np.diff(np.concatenate(([0], places))) > 0).all()
    if not good or (places.size and places[-1] > length) or new.max(initial=0) > 2**48:
        opening.note(
            f"the log of gaps in store {store!r} does not fit its files; it is ignored",
            path=index.source.name,
            field=store,
        )
        last = new = places = np.empty(0, np.int64)
    edges = np.concatenate(([0], places, [length]))
    starts = np.concatenate(([0.0], (new - 1) / float(rate)))
    counts = np.diff(edges)
    there = counts > 0
    return counts[there], np.rint(starts * float(CLOCK)).astype(np.int64)[there]


def part_without_records(
    opening: Opening, index: BlockIndex, form: str, sevs: Sevs
) -> StreamPart | None:
    """Make a stream of .sev files of which the index says nothing: it begins with the block."""
    name = next((each for each in index.block.stores if in_file_name(each) == form), None)
    name = name or sevs.names[form]
    found = _channels_in_sev(opening, index, name, sevs.channels(form), sevs)
    if not found:
        return None
    first = next(iter(found.values()))
    length = _length(opening, index, name, found)
    gaps = _gaps(opening, index, name)
    counts, ticks = _gaps_as_runs(opening, index, name, gaps, length, first.rate)
    if not counts.size:
        return None
    return StreamPart(
        name,
        tuple(found),
        first.dtype,
        first.rate,
        (_strips(found, first.dtype, 0, length),),
        counts,
        ticks,
        stream_notes(index, name, first.dtype),
    )
