"""Checks of what is read from a sound recording: the laws that every format keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ephyrus.recording import Recording, SignalStream, TableStream
from ephyrus.recording.sampleplaces import sample_places_of
from ephyrus.testing.mutate import generator
from ephyrus.testing.subject import (
    Subject,
    all_signals,
    all_streams,
    read_all,
    require,
    same,
)

__all__ = [
    "check_channel_selection",
    "check_columns",
    "check_lazy",
    "check_rows",
    "check_sample_places",
    "check_scaling",
    "check_slices",
    "check_ticks",
    "check_unit_counts",
]

RANDOM_CUTS = 12


def _cuts(stream: SignalStream | TableStream, seed: str) -> list[int]:
    """Give places to cut at: ends, seams of runs and beside them, and seeded ones."""
    seams = [int(first) for first in stream.runs["first"][:4]]
    places = {0, 1, stream.length - 1, stream.length}
    places |= {seam + step for seam in seams for step in (-1, 0, 1)}
    places |= set(generator(seed, 1).integers(0, stream.length + 1, RANDOM_CUTS).tolist())
    return sorted(place for place in places if 0 <= place <= stream.length)


def check_slices(rec: Recording, seed: str) -> None:
    """Check read(a, b) + read(b, c) = read(a, c) = the slice of the full read."""
    for key, stream in all_streams(rec):
        full = read_all(rec, stream)
        places = _cuts(stream, seed)
        for a, b, c in _triples(places, seed):
            what = f"{' '.join(key)}, items {a} to {b} to {c}"
            one, other, both = (read_all(rec, stream, *ends) for ends in ((a, b), (b, c), (a, c)))
            require(same(both, _sliced(full, a, c)), f"{what}: not the slice of the full read")
            require(same(_joined(one, other), both), f"{what}: the two halves are not the whole")
        again = read_all(rec, stream)
        require(same(again, full), f"{' '.join(key)}: a second reading differs")


def _triples(places: list[int], seed: str) -> Iterator[tuple[int, int, int]]:
    """Give neighbours and seeded choices of three places in order."""
    yield places[0], places[len(places) // 2], places[-1]
    yield from zip(places[:-2], places[1:-1], places[2:], strict=True)
    rng = generator(seed, 2)
    for _ in range(RANDOM_CUTS):
        a, b, c = sorted(rng.choice(places, 3).tolist())
        yield a, b, c


def _sliced(found: Any, start: int, stop: int) -> Any:
    if isinstance(found, Mapping):
        return {name: column[start:stop] for name, column in found.items()}
    return found[start:stop]


def _joined(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping):
        return {name: _joined(one[name], other[name]) for name in one}
    joined = np.concatenate([one, other])
    return joined if joined.dtype.kind in "OU" else joined.astype(one.dtype)  # its byte order too


def check_channel_selection(rec: Recording, seed: str) -> None:
    """Check that chosen channels are the columns of the full read, however they are chosen."""
    for key, signal in all_signals(rec):
        if len(signal.item_shape) > 1:
            continue
        start, stop = signal.length // 3, signal.length
        full = rec.read_signal(signal, start, stop)
        for chosen, columns in _selections(signal, seed):
            found = rec.read_signal(signal, start, stop, chosen)
            require(
                same(found, full[:, columns]),
                f"{' '.join(key)}: channels {chosen!r} are not columns {columns} of the full read",
            )


def _selections(signal: SignalStream, seed: str) -> Iterator[tuple[Any, list[int]]]:
    """Give channel selections with the columns that they mean."""
    count = len(signal.channels)
    rng = generator(seed, 3)
    everything = list(range(count))
    shuffled = rng.permutation(count).tolist()
    some = np.asarray(rng.random(count) < 0.5)
    yield 0, [0]
    yield -1, [count - 1]
    yield everything, everything
    yield shuffled, shuffled
    yield np.array(shuffled[: count // 2 + 1]), shuffled[: count // 2 + 1]
    yield [0, -1, 0], [0, count - 1, 0]
    yield [-1 - each for each in everything], everything[::-1]
    yield some, np.flatnonzero(some).tolist()
    yield [bool(each) for each in ~some], np.flatnonzero(~some).tolist()
    yield slice(None, None, 2), everything[::2]
    yield slice(None, None, -1), everything[::-1]
    yield slice(1, 1), []
    names = signal.channels.names
    if len(set(names)) == count and not set(names) & set(signal.channels.ids):
        yield names[-1], [count - 1]
        yield list(names[::-1]), everything[::-1]


def check_columns(rec: Recording) -> None:
    """Check that each column read alone, and all in another order, is as when read together."""
    for table in rec.tables:
        full = read_all(rec, table)
        for name in table.columns:
            alone = rec.read_table(table, columns=[name])
            require(list(alone) == [name], f"{table.id!r}: asked for {name!r}, got {list(alone)}")
            require(same(alone[name], full[name]), f"{table.id!r}: {name!r} alone differs")
        turned = rec.read_table(table, columns=list(table.columns)[::-1])
        require(same(turned, full), f"{table.id!r}: columns in another order differ")


def check_rows(rec: Recording, seed: str) -> None:
    """Check that items read by their positions are those of the full read."""
    read_rows = getattr(rec.module, "read_rows", None)
    if read_rows is None:
        return
    for table in rec.tables:
        if table.kind != "spikes":
            continue
        full: dict[str, Any] = read_all(rec, table)  # type: ignore[assignment]  # of a table
        some = generator(seed, 3).random(table.length) < 0.5
        for rows in (np.arange(table.length), np.flatnonzero(some), np.empty(0, np.intp)):
            found = read_rows(rec.reading, table, rows, list(table.columns))
            wanted = {name: column[rows] for name, column in full.items()}
            require(same(found, wanted), f"{table.id!r}: read_rows differs from read_table")


def check_sample_places(rec: Recording, seed: str) -> None:
    """Check that samples read from where the format says that they lie are those of the signal."""
    for stream in rec.signals:
        runs = (stream.runs[name][:4].tolist() for name in ("first", "count"))
        for run, (first, count) in enumerate(zip(*runs, strict=True)):
            places = sample_places_of(rec, stream, run) if count else None
            if places is None:
                continue
            random = generator(seed, run)
            starts = np.unique(random.integers(0, count, 5))
            counts = np.minimum(random.integers(0, 40, len(starts)), count - starts)
            wanted = np.concatenate(
                [
                    rec.read_signal(stream, first + at, first + at + many)
                    for at, many in zip(starts.tolist(), counts.tolist(), strict=True)
                ]
            )
            width = stream.item_shape[0]
            told = f"{stream.id!r}: samples of run {run} do not lie where sample_places says"
            found = places.gather(starts, counts)[:, :width]
            require(same(found.astype(wanted.dtype), wanted), told)
            found = places.gather(starts[:1], int(counts[0]), np.array([width - 1]))[0]
            require(same(found.astype(wanted.dtype), wanted[: counts[0], -1:]), told)


def check_ticks(rec: Recording) -> None:
    """Check that ticks are numbers and never decrease within a run, unless `is_sorted` is False."""
    for table in rec.tables:
        ticks = rec.read_table(table, columns=["tick"])["tick"]
        require(ticks.dtype.kind in "iuf", f"{table.id!r}: ticks of type {ticks.dtype}")
        require(np.isfinite(ticks).all(), f"{table.id!r}: ticks that are not finite")
        for run in table.runs if table.is_sorted else ():
            within = ticks[run["first"] : run["first"] + run["count"]]
            back = np.flatnonzero(within[1:] < within[:-1])
            require(
                not back.size,
                f"{table.id!r}, segment {run['segment']}: time goes back after item {back[:1]}; "
                "sort the items of each run, or declare is_sorted=False",
            )


def check_unit_counts(rec: Recording) -> None:
    """Check `unit_counts` and `Recording.unit_rows` against the ``unit`` column."""
    for table in rec.tables:
        if table.kind != "spikes":
            continue
        ids = rec.read_table(table, columns=["unit"])["unit"]
        known = np.array([unit.id for unit in table.units])
        require(np.isin(ids, known).all(), f"{table.id!r}: units that are not declared")
        for number, run in enumerate(table.runs):
            within = ids[run["first"] : run["first"] + run["count"]]
            counts = (within == known[:, np.newaxis]).sum(axis=1)
            require(
                np.array_equal(table.unit_counts[:, number], counts),
                f"{table.id!r}, run {number}: unit_counts {table.unit_counts[:, number].tolist()}, "
                f"the unit column has {counts.tolist()}",
            )
            for unit, rows in zip(table.units, rec.unit_rows(table, number), strict=True):
                right = np.array_equal(rows, np.flatnonzero(within == unit.id))
                require(right, f"{table.id!r}, run {number}: unit_rows of {unit.label!r}")


def check_scaling(rec: Recording) -> None:
    """Check that scaled values are stored ones times gain plus offset, and chunks their pieces."""
    for key, signal in all_signals(rec):
        raw = rec.read_signal(signal).astype(np.float64)
        table = signal.channels
        rows = slice(None) if raw.ndim == 2 else 0
        with np.errstate(over="ignore", invalid="ignore"):
            expected = raw * table.gain[rows] + table.offset[rows]
            found = rec.read_scaled(signal, dtype=np.dtype(np.float64))
        right = np.allclose(found, expected, rtol=1e-12, atol=0, equal_nan=True)
        require(right, f"{' '.join(key)}: scaled values are not stored * gain + offset")
        rows_at_once = max(7, signal.length // 50)
        chunks = rec.chunks(signal, max_bytes=max(8 * raw[:1].size * rows_at_once, 1))
        whole = rec.read_scaled(signal)
        joined = np.concatenate([whole[:0], *(piece for _, piece in chunks)])
        require(same(joined, whole), f"{' '.join(key)}: chunks are not the whole")


def check_lazy(subject: Subject) -> None:
    """Check that lazy objects of the tree load what the full tree holds."""
    with subject.open() as rec:
        for full, lazy in zip(rec.tree(), rec.tree(lazy=True), strict=True):
            if not hasattr(subject.module, "read_blocks"):
                _require_lazy(lazy)
            _compare(full, lazy, "block")


def _require_lazy(block: Any) -> None:
    """Require that no object of a lazy tree holds data."""
    for child in block.data_children_recur:
        waits = child.lazy_shape is not None and child.size == 0
        require(waits, f"{type(child).__name__} {child.name!r} of the lazy tree holds data")


CHILDREN = (
    "segments", "groups", "analogsignals", "irregularlysampledsignals", "spiketrains", "events",
    "epochs", "imagesequences", "channelviews", "regionsofinterest",
)  # fmt: skip
FACTS = ("name", "description", "file_origin", "rec_datetime", "index", "annotations")
NUMBERS = ("times", "durations", "waveforms", "t_start", "t_stop", "sampling_rate", "left_sweep")


def _compare(full: Any, lazy: Any, what: str) -> None:
    """Compare two trees, object by object."""
    require(type(full) is type(lazy), f"{what}: {type(full).__name__}, lazy {type(lazy).__name__}")
    for fact in FACTS:
        found, wanted = getattr(lazy, fact, None), getattr(full, fact, None)
        message = f"{what}: {fact} is {found!r} when lazy, {wanted!r} in full"
        require(_equal(found, wanted), message)
    if hasattr(full, "magnitude"):
        _compare_data(full, lazy, what)
    for name in CHILDREN:
        children, others = getattr(full, name, ()), getattr(lazy, name, ())
        require(len(children) == len(others), f"{what}: {len(others)} lazy {name}")
        for number, (child, other) in enumerate(zip(children, others, strict=True)):
            _compare(child, other, f"{what}.{name}[{number}]")


def _compare_data(full: Any, lazy: Any, what: str) -> None:
    """Load a lazy object and compare it with the full one; its outside must not change by that."""
    shape = lazy.true_shape
    require(shape == full.shape, f"{what}: shape {shape} when lazy, {full.shape} in full")
    keywords = {}
    if hasattr(full, "waveforms"):
        keywords = {"load_waveforms": full.waveforms is not None}
    loaded = lazy.load(**keywords)
    require(_equal(loaded, full), f"{what}: loaded values differ from those of the full tree")
    for name in NUMBERS:
        require(
            _equal(getattr(loaded, name, None), getattr(full, name, None)),
            f"{what}: {name} differs between a loaded and a full object",
        )
    arrays, others = full.array_annotations, loaded.array_annotations
    require(
        arrays.keys() == others.keys() and all(_equal(others[key], arrays[key]) for key in arrays),
        f"{what}: array annotations differ between a loaded and a full object",
    )


def _equal(found: Any, expected: Any) -> bool:
    """Tell whether two values of any plain or quantity kind are equal, NaN included."""
    if hasattr(expected, "dimensionality"):
        return (
            hasattr(found, "dimensionality")
            and found.dimensionality == expected.dimensionality
            and same(np.asarray(found.magnitude), np.asarray(expected.magnitude))
        )
    if isinstance(expected, np.ndarray):
        return isinstance(found, np.ndarray) and same(found, expected)
    if isinstance(expected, Mapping):
        return found.keys() == expected.keys() and all(
            _equal(found[key], item) for key, item in expected.items()
        )
    if isinstance(expected, float) and isinstance(found, float) and math.isnan(expected):
        return math.isnan(found)
    return bool(found == expected)
