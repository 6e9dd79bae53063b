"""The 64-bit filing system (.smrx): trees of index blocks, and the data blocks below them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.spike2 import model
from ephyrus.formats.spike2.model import BLOCKS, Chain, Channel, Header
from ephyrus.formats.spike2.son64 import BLOCK
from ephyrus.recording import ByteSource, Opening, heads

__all__ = ["chains"]

LEVEL_SHIFT, LEVEL_MASK = 8, 7  # in the first number of a block: 0 data, 1 and above index
RUN_ALIGNMENT = 8

PAIR = np.dtype([("tick", "<i8"), ("offset", "<i8")])
RUN = np.dtype([("tick", "<i8"), ("count", "<u4"), ("padding", "<u4")])


def chains(opening: Opening, source: ByteSource, header: Header) -> Iterator[tuple[Channel, Chain]]:
    """Give the data blocks of each channel; channels without blocks are left out."""
    for channel in header.channels:
        tree = _Tree(opening, source, channel)
        offsets, found, is_whole = tree.data_blocks()
        if len(offsets):
            found, is_sound = tree.pieces(offsets, found)
            yield channel, Chain(found, not (is_whole and is_sound))


def _entries(source: ByteSource, offsets: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read a value at each offset, without reading what lies between them."""
    if source.is_in_memory:
        return heads(source, offsets, dtype)
    raw = [source.read_at(offset, dtype.itemsize) for offset in offsets.tolist()]
    return np.frombuffer(b"".join(raw), dtype)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The index blocks of one channel, and the data blocks below them."""

    opening: Opening
    source: ByteSource
    channel: Channel

    def data_blocks(self) -> tuple[NDArray[np.int64], NDArray[Any], bool]:
        """Give offsets and heads of the data blocks, and whether all were found."""
        offsets, is_whole = np.array([self.channel.first], np.int64), True
        blocks = np.empty(0, BLOCK)
        level = None
        for _ in range(LEVEL_MASK + 1):
            offsets, blocks, is_sound = self._sound(offsets, level)
            is_whole &= is_sound
            if not len(offsets):
                break
            level = int(blocks["parent"][0]) >> LEVEL_SHIFT & LEVEL_MASK
            if level == 0:
                break
            offsets, is_sound = self._children(offsets, blocks)
            is_whole &= is_sound
            level -= 1
        return offsets, blocks, is_whole

    def _sound(
        self, offsets: NDArray[np.int64], level: int | None
    ) -> tuple[NDArray[np.int64], NDArray[Any], bool]:
        """Read the heads of blocks, up to the first that is not one of this channel and level."""
        inside = (offsets > 0) & (offsets <= self.source.size - BLOCK.itemsize)
        count = len(offsets) if inside.all() else int(np.argmin(inside))
        blocks = _entries(self.source, offsets[:count], BLOCK)
        good = (blocks["channel"] == self.channel.slot) & (
            blocks["channel_id"] == self.channel.number
        )
        if level is not None:
            good &= (blocks["parent"] >> LEVEL_SHIFT & LEVEL_MASK) == level
        first = np.unique(offsets[:count], return_index=True)[1]
        good &= np.isin(np.arange(count), first)  # a block that comes again
        stop = count if good.all() else int(np.argmin(good))
        if stop < len(offsets):
            self._note(
                "a pointer leads to no block of this channel; what comes after it is lost",
                int(offsets[stop]),
            )
        return offsets[:stop], blocks[:stop], stop == len(offsets)

    def _children(
        self, offsets: NDArray[np.int64], blocks: NDArray[Any]
    ) -> tuple[NDArray[np.int64], bool]:
        """Give the offsets that index blocks hold."""
        found: list[NDArray[Any]] = []
        for offset, count in zip(offsets.tolist(), blocks["items"].tolist(), strict=True):
            place = offset + BLOCK.itemsize
            there = min(count, (self.source.size - place) // PAIR.itemsize)
            most = self.channel.block_bytes // PAIR.itemsize
            if count > most or sum(map(len, found)) * PAIR.itemsize > self.source.size:
                self._note(f"an index block of {count:,} entries; the rest is lost", offset)
                return np.concatenate([*found, np.empty(0, np.int64)]), False
            found.append(self.source.array(place, PAIR, there)["offset"])
            if there < count:
                self._note("the file ends inside an index block", offset)
                return np.concatenate(found), False
        return np.concatenate(found).astype(np.int64), True

    def pieces(self, offsets: NDArray[np.int64], blocks: NDArray[Any]) -> tuple[NDArray[Any], bool]:
        """Give where samples or items lie, and whether all are there."""
        if self.channel.is_wave:
            found, is_sound = self._runs(offsets, blocks["items"].astype(np.int64))
        else:
            found = np.zeros(len(offsets), BLOCKS)
            found["offset"] = offsets + BLOCK.itemsize
            found["count"] = blocks["items"]
            is_sound = True
        return self._checked(found, is_sound=is_sound)

    def _checked(self, found: NDArray[Any], *, is_sound: bool) -> tuple[NDArray[Any], bool]:
        """Cut what cannot be true or lies behind the end of the file."""
        size, counts = self.channel.item.itemsize, found["count"]
        most = (self.channel.block_bytes - BLOCK.itemsize) // size
        in_time = (found["tick"] >= 0) & (found["tick"] <= model.LATEST_TICK)
        good = (counts <= most) & in_time & (np.cumsum(counts) * size <= self.source.size)
        if not good.all():
            stop = int(np.argmin(good))
            self._note(
                f"{counts[stop]:,} items from tick {found['tick'][stop]:,} on cannot be in a "
                "block; what comes after them is lost",
                int(found["offset"][stop]),
            )
            found, is_sound = found[:stop].copy(), False
        whole = np.minimum(found["count"], (self.source.size - found["offset"]) // size)
        if (whole < found["count"]).any():
            lost = int((found["count"] - np.maximum(whole, 0)).sum())
            self._note("the file ends inside a block", int(found["offset"][-1]), lost=lost)
            found["count"], is_sound = np.maximum(whole, 0), False
        return found[found["count"] > 0], is_sound

    def _runs(
        self, offsets: NDArray[np.int64], items: NDArray[np.int64]
    ) -> tuple[NDArray[Any], bool]:
        """Find the runs of samples in each block, the first of all blocks in one step, and so on.

        The head of a block counts its runs; where it counts the samples instead, the runs end with
        the last of them.
        """
        block, ends = np.arange(len(offsets)), offsets + self.channel.block_bytes
        place, after = offsets + BLOCK.itemsize, np.full(len(offsets), -1, np.int64)
        found, numbers = [np.empty(0, BLOCKS)], [block[:0]]
        for turn in range(self.channel.block_bytes // RUN.itemsize):
            inside = place[block] + RUN.itemsize <= np.minimum(ends[block], self.source.size)
            block = block[inside & (items[block] > turn)]
            if not block.size:
                break
            runs, is_run = self._next_runs(place[block], ends[block], after[block])
            block, runs = block[is_run], runs[is_run]
            found.append(runs)
            numbers.append(block)
            after[block] = runs["tick"] + (runs["count"] - 1) * self.channel.interval
            sizes = runs["count"] * self.channel.item.itemsize
            place[block] = runs["offset"] + -(-sizes // RUN_ALIGNMENT) * RUN_ALIGNMENT
        joined, owners = np.concatenate(found), np.concatenate(numbers)
        seen = np.bincount(owners, minlength=len(offsets))
        samples = np.bincount(owners, weights=joined["count"], minlength=len(offsets))
        wrong = np.flatnonzero((seen != items) & (samples != items))
        if wrong.size:
            where = int(offsets[wrong[0]])
            self._note(f"{wrong.size} blocks have fewer runs than they count", where)
        return joined[np.argsort(owners, kind="stable")], not wrong.size

    def _next_runs(
        self, places: NDArray[np.int64], ends: NDArray[np.int64], after: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read the heads of runs, and tell which can be true: in their block, later than before."""
        heads_of_runs = _entries(self.source, places, RUN)
        runs = np.empty(len(places), BLOCKS)
        runs["offset"] = places + RUN.itemsize
        runs["count"], runs["tick"] = heads_of_runs["count"], heads_of_runs["tick"]
        fits = runs["offset"] + runs["count"] * self.channel.item.itemsize <= ends
        is_later = (runs["tick"] > after) & (heads_of_runs["padding"] == 0)
        return runs, fits & is_later & (runs["count"] > 0)

    def _note(self, reason: str, offset: int, *, lost: int = 0) -> None:
        title = f" ({self.channel.title})" if self.channel.title else ""
        self.opening.note(
            f"channel {self.channel.slot}{title}: {reason}", offset=offset, field="block", lost=lost
        )
