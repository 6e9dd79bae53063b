"""The index of a block (.tsq): its records, sorted once by store and channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError, TruncatedError
from ephyrus.formats.tdt.layout import (
    CLOCK,
    HAS_DATA,
    KNOWN,
    LONGEST,
    MARK,
    RECORD,
    RECORD_BYTES,
    START,
    STOP,
    STROBE_OFF,
    TYPE_MASK,
    Block,
    Store,
    store_name,
)
from ephyrus.recording import ByteSource, Opening

__all__ = ["BlockIndex", "place_of", "read_index", "ticks_of"]

_HASHES = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)  # odd numbers
_STEPS = (np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F))  # odd numbers too
_TABLE = 2**16  # places of kinds
_HIGHEST = np.dtype({"names": ["highest"], "formats": ["<u2"], "offsets": [6], "itemsize": 8})
_BLOCK = 2**15  # records looked at together
_HEAD_MASK = np.uint64(TYPE_MASK << 32 | 0xFFFFFFFF)  # size and type
_DATA_BIT = np.uint64(32 + HAS_DATA.bit_length() - 1)  # the highest one of those
_NAME_MASK = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What is needed of every record, side by side: much faster to pick from.

    `place` is a hash of the kind of the record: of type, store, size, format and rate; `tick` the
    time in ticks since 1970, anything where that is no number.
    """

    place: NDArray[np.uint16]
    channel: NDArray[np.uint16]
    sort: NDArray[np.uint16]
    tick: NDArray[np.int64]
    offset: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class BlockIndex:
    """The records of a block.

    Attributes
    ----------
    block : Block
        Whose they are.
    source : ByteSource
        The .tsq.
    records : ndarray of RECORD
        All but the first, which describes the file, as they lie in the file.
    start, stop : float
        Seconds since 1970.
    has_stop : bool
        The block ended cleanly: no records are missing at its end.
    stores : tuple of Store
        By kind, then in the order in which they first occur.
    """

    block: Block
    source: ByteSource
    records: NDArray[Any]
    start: float
    stop: float
    has_stop: bool
    stores: tuple[Store, ...]
    columns: _Columns

    def column(self, name: str) -> NDArray[Any]:
        """Give a field of all records."""
        found: NDArray[Any] = getattr(self.columns, name, self.records[name])
        return found


def read_index(opening: Opening, block: Block) -> BlockIndex:
    """Read and sort the index of a block.

    Raises
    ------
    TruncatedError
        If it is too short for a record of its own and a start.
    CorruptError
        If records of one store contradict each other, or times cannot be true.
    """
    source = opening.files.source(block.files.tsq)
    count, rest = divmod(source.size, RECORD_BYTES)
    if count < 2:
        raise TruncatedError(
            source.name, f"a .tsq of {source.size} bytes: two records of 40 bytes are the least"
        )
    if rest:
        opening.note(
            f"the last {rest} bytes make no whole record; they are ignored",
            path=source.name,
            offset=count * RECORD_BYTES,
        )
    records = source.array(RECORD_BYTES, RECORD, count - 1, field="records")
    columns, number, firsts = _variants(records)
    variants = records[firsts]
    kinds = (variants["type"] & TYPE_MASK).astype(np.int64)
    _note_ignored(opening, source, columns, number, variants, kinds)
    order, bounds, variant_of, channel_of = _sorted(columns, number, kinds)
    groups = _Groups(order, bounds, variant_of, channel_of)
    start, stop, has_stop = _extent(opening, source, records, variants, kinds, groups)
    stores = _stores(opening, source, records, firsts, kinds, groups)
    return BlockIndex(block, source, records, start, stop, has_stop, stores, columns)


def _variants(
    records: NDArray[Any],
) -> tuple[_Columns, NDArray[np.uint16], NDArray[np.intp]]:
    """Take the records apart, and give a number to each kind of them.

    The kinds are few and the records many: each record is put into one of 65,536 places by a hash
    of its kind. That goes a part of the index at a time, so that everything stays in the cache.

    Returns
    -------
    columns : _Columns
        Of all records.
    number : ndarray of uint16, shape (65536,)
        Number of the kind in each place.
    firsts : ndarray of intp
        A record of each kind: its first.
    """
    for factor in _HASHES:
        columns, first = _taken_apart(records, np.uint64(factor))
        if first is not None:
            there = np.flatnonzero(first >= 0)
            there = there[np.argsort(first[there])]
            number = np.zeros(_TABLE, np.uint16)
            number[there] = np.arange(there.size)
            return columns, number, first[there]
    codes, firsts = _variants_by_sorting(records)
    return replace(columns, place=codes), np.arange(_TABLE, dtype=np.uint16), firsts


def _kinds(words: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], ...]:
    """Give what the records of one kind have in common, as three numbers each.

    `words` are records as five numbers. Strobes and scalars have a note where others have a rate.
    """
    head = words[:, 0] & _HEAD_MASK
    layout = words[:, 4] * (head >> _DATA_BIT)
    return head, words[:, 1] & _NAME_MASK, layout


def _taken_apart(
    records: NDArray[Any], factor: np.uint64
) -> tuple[_Columns, NDArray[np.intp] | None]:
    """Give columns, and the first record of each place; None: a place has two kinds."""
    count = len(records)
    place, channel, sort = (np.empty(count, np.uint16) for _ in range(3))
    tick, offset = np.empty(count, np.int64), np.empty(count, np.int64)
    columns = _Columns(place, channel, sort, tick, offset)
    first = np.full(_TABLE, -1, np.intp)
    kinds = np.zeros(_TABLE, np.uint64)
    is_unique = True
    words = records.view(np.dtype("<u8")).reshape(count, -1)
    for begin in range(0, count, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        mixed = _mixed(_kinds(words[part]), factor)
        hashed = mixed.view(_HIGHEST)["highest"].copy()
        odd = np.flatnonzero(kinds[hashed] != mixed)
        if odd.size:
            # of several values for one place the last stays, and should be the first record
            new = odd[first[hashed[odd]] < 0][::-1]
            first[hashed[new]] = new + begin
            kinds[hashed[new]] = mixed[new]
            is_unique &= np.array_equal(kinds[hashed[odd]], mixed[odd])
        place[part] = hashed
        channel[part], sort[part] = records["channel"][part], records["sort"][part]
        tick[part], offset[part] = _ticks(records["time"][part]), records["offset"][part]
    return columns, first if is_unique else None


def _ticks(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count in ticks; exact, because times since 1970 are whole ones."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is no time is far from all others
        ticks = seconds * float(CLOCK)
        np.rint(ticks, out=ticks)
        return ticks.astype(np.int64)


def _mixed(kinds: tuple[NDArray[np.uint64], ...], factor: np.uint64) -> NDArray[np.uint64]:
    """Mix three numbers into one that is not 0, and whose highest bits depend on all of theirs."""
    mixed = kinds[0] * factor
    for kind, step in zip(kinds[1:], _STEPS, strict=True):
        mixed += kind * step
    mixed |= np.uint64(1)
    return mixed


def _variants_by_sorting(
    records: NDArray[Any],
) -> tuple[NDArray[np.uint16], NDArray[np.intp]]:
    """Give numbers to very many kinds: known types first, those beyond 65,536 the same."""
    words = records.view(np.dtype("<u8")).reshape(len(records), -1)
    table = np.stack(_kinds(words), axis=1)
    _, firsts, codes = np.unique(table, axis=0, return_index=True, return_inverse=True)
    is_known = np.isin(records["type"][firsts] & TYPE_MASK, KNOWN)
    by_place = np.lexsort((firsts, ~is_known))
    number = np.empty(firsts.size, np.int64)
    number[by_place] = np.arange(firsts.size)
    ordered = np.minimum(number[codes.reshape(-1)], _TABLE - 1)
    return ordered.astype(np.uint16), firsts[by_place][:_TABLE]


def _note_ignored(
    opening: Opening,
    source: ByteSource,
    columns: _Columns,
    number: NDArray[np.uint16],
    variants: NDArray[Any],
    kinds: NDArray[np.int64],
) -> None:
    """Tell of records that are blank, or of a type that is not known."""
    unknown = ~np.isin(kinds, KNOWN)
    if not unknown.any():
        return
    counts = np.bincount(number[columns.place], minlength=len(variants))
    for at in np.flatnonzero(unknown)[:4].tolist():
        is_blank = kinds[at] == 0 and not variants["name"][at]
        what = "blank records" if is_blank else f"records of unknown type {kinds[at]:#06x}"
        opening.note(f"{counts[at]:,} {what} are skipped", path=source.name, field="records")
    more = int(unknown.sum()) - 4
    if more > 0:
        opening.note(f"records of {more} more unknown kinds are skipped", path=source.name)


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Records by variant and channel; `order` holds record numbers."""

    order: NDArray[np.intp]
    bounds: NDArray[np.intp]
    variant: NDArray[np.int64]
    channel: NDArray[np.int64]

    def of(self, variant: int) -> slice:
        """Give the groups of a variant."""
        first, last = np.searchsorted(self.variant, [variant, variant + 1])
        return slice(int(first), int(last))

    def rows(self, groups: slice) -> NDArray[np.intp]:
        """Give the records of neighbouring groups."""
        return self.order[self.bounds[groups.start] : self.bounds[groups.stop]]


def _sorted(
    columns: _Columns, number: NDArray[np.uint16], kinds: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Sort record numbers by variant and channel with one stable sort (two where keys are long)."""
    has_channels = ((kinds & HAS_DATA) != 0) & (kinds != MARK)
    mask = np.where(has_channels, np.uint16(0xFFFF), np.uint16(0))[number * (number < kinds.size)]
    channels = np.empty_like(columns.channel)
    for begin in range(0, channels.size, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        np.bitwise_and(columns.channel[part], mask[columns.place[part]], out=channels[part])
    width = int(channels.max()) + 1
    if len(kinds) * width <= _TABLE:
        keys = channels
        base = number * np.uint16(width)
        for begin in range(0, keys.size, _BLOCK):
            keys[begin : begin + _BLOCK] += base[columns.place[begin : begin + _BLOCK]]
        order = np.argsort(keys, kind="stable")  # a radix sort: keys have 16 bits
    else:
        codes = number[columns.place]
        order = np.argsort(channels, kind="stable")
        order = order[np.argsort(codes[order], kind="stable")]
        keys = codes.astype(np.uint32) * np.uint32(width) + channels
    ordered = keys[order]
    begins = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    bounds = np.concatenate(([0], begins, [ordered.size])).astype(np.intp)
    values = ordered[bounds[:-1]].astype(np.int64)
    return order, bounds, values // width, values % width


def _extent(
    opening: Opening,
    source: ByteSource,
    records: NDArray[Any],
    variants: NDArray[Any],
    kinds: NDArray[np.int64],
    groups: _Groups,
) -> tuple[float, float, bool]:
    """Give start and stop, and whether they are marked; else the first and last record's times."""
    start = stop = None
    for variant in np.flatnonzero(kinds == MARK).tolist():
        rows = groups.rows(groups.of(variant))
        if variants["code"][variant] == START and start is None:
            start = _sane(records["time"][rows[0]])
        elif variants["code"][variant] == STOP:
            stop = _sane(records["time"][rows[-1]])
    if start is not None and stop is not None and 0 <= stop - start < LONGEST:
        return start, stop, True
    known = np.isin(kinds, KNOWN)[groups.variant]
    edges = np.concatenate([groups.order[groups.bounds[:-1]], groups.order[groups.bounds[1:] - 1]])
    places = np.sort(edges[np.tile(known, 2)])
    times = [time for time in map(_sane, records["time"][places]) if time is not None]
    if start is None:
        start = times[0] if times else 0.0
        opening.note("no start mark; the first record's time is taken for it", path=source.name)
    times = [time for time in times if 0 <= time - start < LONGEST]
    if stop is None or not 0 <= stop - start < LONGEST:
        stop = max(times, default=start)
        opening.note(
            "no stop mark: the recording did not end cleanly, or the file was cut; "
            "it is taken to end with the last record",
            path=source.name,
        )
        return start, stop, False
    return start, stop, True


def _sane(time: Any) -> float | None:
    """Accept a time of this age of the world."""
    value = float(time)
    return value if 0 <= value < LONGEST else None


def _stores(
    opening: Opening,
    source: ByteSource,
    records: NDArray[Any],
    firsts: NDArray[np.intp],
    kinds: NDArray[np.int64],
    groups: _Groups,
) -> tuple[Store, ...]:
    """Make a store of the records of each type and name."""
    by_store: dict[tuple[int, bytes], list[int]] = {}
    for variant, first in enumerate(firsts.tolist()):
        kind = int(kinds[variant])
        if kind in KNOWN and kind != MARK:
            by_store.setdefault((kind, bytes(records["name"][first])), []).append(variant)
    stores = []
    for (kind, name), variants in by_store.items():
        found = [(groups.rows(groups.of(each)).size, int(firsts[each]), each) for each in variants]
        chosen = found[0] if len(found) == 1 else _chosen(opening, source, name, found)
        stores.append(_store(records, kind, name, chosen[1], groups, chosen[2]))
    return tuple(stores)


def _chosen(
    opening: Opening, source: ByteSource, name: bytes, found: Sequence[tuple[int, int, int]]
) -> tuple[int, int, int]:
    """Choose among records of one store that contradict each other: those that are most.

    Parameters
    ----------
    found : sequence of (count, first record, variant)
        In the order of the file.
    """
    best = max(found, key=lambda each: each[0])
    opening.damaged(
        CorruptError(
            source.name,
            f"records of store {store_name(name)!r} differ in size, format or sampling rate; "
            "salvaging keeps those that are most",
            offset=place_of(min(first for _, first, each in found if each != best[2])),
            field="size",
        ),
        lost=sum(count for count, _, _ in found) - best[0],
    )
    return best


def _store(
    records: NDArray[Any], kind: int, name: bytes, first: int, groups: _Groups, variant: int
) -> Store:
    chosen = groups.of(variant)
    bounds = groups.bounds[chosen.start : chosen.stop + 1]
    return Store(
        kind,
        store_name(name),
        int(records["type"][first]) & ~TYPE_MASK,
        records[first],
        store_name(records["buddy"][first]) if kind == STROBE_OFF else "",
        groups.rows(chosen),
        groups.channel[chosen],
        bounds - bounds[0],
    )


def place_of(row: int) -> int:
    """Give the byte offset of a record in the .tsq; record 0 of the file is not counted."""
    return (row + 1) * RECORD_BYTES


def ticks_of(
    opening: Opening, index: BlockIndex, rows: NDArray[np.intp], what: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Give the times of records in ticks since the start of their block.

    Returns
    -------
    ticks : ndarray of int64
        Exact.
    sound : ndarray of bool or None
        None: all times can be true; else those that can (salvage only).
    """
    ticks = index.columns.tick[rows]
    ticks -= _ticks(np.array([index.start]))
    limit = int(LONGEST * CLOCK)
    if -limit < ticks.min(initial=0) and ticks.max(initial=0) < limit:
        return ticks, None
    sound = (-limit < ticks) & (ticks < limit)
    bad = int(np.flatnonzero(~sound)[0])
    opening.damaged(
        CorruptError(
            index.source.name,
            f"a record of {what!r} has the time {float(index.records['time'][rows[bad]])}, "
            "which is not near the start of the block",
            offset=place_of(int(rows[bad])) + 16,
            field="time",
        ),
        lost=int((~sound).sum()),
    )
    return np.where(sound, ticks, 0), sound
