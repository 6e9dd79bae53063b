"""The 32-bit filing system (.smr): chains of blocks, one for each channel."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.spike2.model import BLOCKS, Chain, Channel, Header, Order
from ephyrus.formats.spike2.son32 import END, HEAD_BYTES, SECTOR
from ephyrus.recording import ByteSource, Opening, heads

__all__ = ["chains"]

BLOCK = np.dtype(
    [
        ("previous", "<i4"),
        ("next", "<i4"),
        ("tick", "<i4"),
        ("last_tick", "<i4"),
        ("channel", "<u2"),  # number + 1; the ninth bit is bit 9
        ("items", "<u2"),
    ]
)
SCANNED_BYTES = 2**27  # at once, for lost blocks; a multiple of a sector
SPARE_SHARE, SPARE_BLOCKS = 2, 1000  # places that are looked at for each promised block, and more
NEXT = slice(4, 8)  # where the pointer to the next block is
BYTE_ORDERS: Mapping[Order, Literal["little", "big"]] = {"<": "little", ">": "big"}


def chains(opening: Opening, source: ByteSource, header: Header) -> Iterator[tuple[Channel, Chain]]:
    """Follow the chain of each channel; channels without blocks are left out."""
    grid = _Grid.of(source, header)
    for channel in header.channels:
        walk = _Walk(opening, source, header, channel)
        found = None if grid is None else grid.chain(channel)
        offsets, blocks = walk.followed() if found is None else found
        if len(offsets):
            yield channel, walk.checked(offsets, blocks)
    if opening.salvage and header.empty:
        yield from _recovered(opening, source, header)


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The heads of all blocks, where all are of one size."""

    offsets: NDArray[np.int64]
    blocks: NDArray[Any]
    numbers: NDArray[np.intp]
    unit: int

    @classmethod
    def of(cls, source: ByteSource, header: Header) -> _Grid | None:
        """Read them in one step; None where blocks differ in size or have to be read one by one."""
        sizes = {channel.block_bytes for channel in header.channels}
        if len(sizes) != 1 or not source.is_in_memory:
            return None
        size = sizes.pop()
        base = min(channel.first for channel in header.channels)
        if base < 0 or any((channel.first - base) % size for channel in header.channels):
            return None
        promised = sum(channel.block_count for channel in header.channels)
        if (source.size - base) // size > SPARE_SHARE * promised + SPARE_BLOCKS:
            return None  # most of the file is no block of theirs
        offsets = np.arange(base, source.size - BLOCK.itemsize + 1, size)
        blocks = heads(source, offsets, BLOCK.newbyteorder(header.order))
        return cls(offsets, blocks, channel_numbers(blocks), header.unit)

    def chain(self, channel: Channel) -> tuple[NDArray[np.int64], NDArray[Any]] | None:
        """Give the blocks of a channel, if its chain runs through them in the order on disk."""
        mine = np.flatnonzero(self.numbers == channel.number)
        if not mine.size:
            return None
        offsets, blocks = self.offsets[mine], self.blocks[mine]
        following = blocks["next"].astype(np.int64)
        linked = np.array_equal(following[:-1] * self.unit, offsets[1:])
        if linked and offsets[0] == channel.first and following[-1] == END:
            return offsets, blocks
        return None


def channel_numbers(blocks: NDArray[Any]) -> NDArray[np.intp]:
    """Give the number of the channel that each block names; bit 8 is a level, the ninth bit 9."""
    named = blocks["channel"].astype(np.intp)
    return (named & 0xFF) | (named >> 1 & 0x100)


@dataclass(frozen=True, slots=True)
class _Walk:
    """The way along the chain of one channel."""

    opening: Opening
    source: ByteSource
    header: Header
    channel: Channel

    def followed(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Follow the pointers, one block after the other."""
        raw: dict[int, bytes] = {}
        place, word = self.channel.first, BYTE_ORDERS[self.header.order]
        while True:
            reason = self._refusal(place, raw)
            if reason:
                self.note(f"{reason}; it ends there, after {len(raw)} blocks", place)
                break
            raw[place] = self.source.read_at(place, BLOCK.itemsize)
            following = int.from_bytes(raw[place][NEXT], word, signed=True)
            if following == END:
                break
            place = following * self.header.unit
        blocks = np.frombuffer(b"".join(raw.values()), BLOCK.newbyteorder(self.header.order))
        stop = int(np.argmin([*(channel_numbers(blocks) == self.channel.number), False]))
        if stop < len(blocks):
            self.note(
                f"the chain leads to a block that names {blocks['channel'][stop]}; it ends there, "
                f"after {stop} blocks",
                [*raw][stop],
            )
        return np.array([*raw], np.int64)[:stop], blocks[:stop]

    def _refusal(self, place: int, seen: Container[int]) -> str:
        """Tell why there can be no next block at a place; empty if there can be one."""
        if not HEAD_BYTES <= place <= self.source.size - BLOCK.itemsize:
            return f"the chain leads to byte {place:,}, outside the file"
        if place in seen:
            return "the chain leads back to a block that was read"
        return ""

    def checked(self, offsets: NDArray[np.int64], blocks: NDArray[Any]) -> Chain:
        """Cut the chain where a block cannot be true, or the file ends."""
        size = self.channel.item.itemsize
        counts = blocks["items"].astype(np.int64)
        is_broken = int(blocks["next"][-1]) != END
        stop = self._possible(offsets, counts)
        if stop < len(counts):
            offsets, counts, is_broken = offsets[:stop], counts[:stop], True
        room = self.source.size - offsets - BLOCK.itemsize
        whole = np.minimum(counts, room // size)
        lost = int((counts - whole).sum())
        if lost:
            place = int(offsets[np.argmax(whole < counts)])
            self.note("the file ends inside a block", place, lost=lost)
            is_broken = True
        if not is_broken and len(offsets) < self.channel.block_count:
            self.note(
                f"{len(offsets)} blocks are in the chain, {self.channel.block_count} are promised",
                int(offsets[0]),
            )
        found = np.empty(len(offsets), BLOCKS)
        found["offset"], found["count"] = offsets + BLOCK.itemsize, whole
        found["tick"] = blocks["tick"][: len(offsets)]
        return Chain(found[whole > 0], is_broken)

    def _possible(self, offsets: NDArray[np.int64], counts: NDArray[np.int64]) -> int:
        """Give the number of blocks before the first that cannot hold its items."""
        size = self.channel.item.itemsize
        most = (self.channel.block_bytes - BLOCK.itemsize) // size
        wrong = np.flatnonzero((counts > most) | (np.cumsum(counts) * size > self.source.size))
        if not wrong.size:
            return len(counts)
        stop = int(wrong[0])
        self.note(
            f"a block of {self.channel.block_bytes:,} bytes cannot hold {counts[stop]:,} items; "
            f"the chain ends before it, after {stop} blocks",
            int(offsets[stop]),
            lost=int(np.minimum(counts[stop:], most).sum()),
        )
        return stop

    def note(self, reason: str, offset: int, *, lost: int = 0) -> None:
        """Note what is wrong with the chain."""
        title = f" ({self.channel.title})" if self.channel.title else ""
        self.opening.note(
            f"channel {self.channel.slot}{title}: {reason}",
            offset=offset,
            field="data block",
            lost=lost,
        )


def _recovered(
    opening: Opening, source: ByteSource, header: Header
) -> Iterator[tuple[Channel, Chain]]:
    """Find the blocks of channels of an interrupted recording, whose pointers were not written."""
    offsets, blocks = _scanned(source, header, [channel.number for channel in header.empty])
    numbers = channel_numbers(blocks)
    for channel in header.empty:
        if channel.is_wave and channel.interval <= 0:
            continue
        most = (channel.block_bytes - BLOCK.itemsize) // channel.item.itemsize
        mine = (numbers == channel.number) & (blocks["items"] <= most)
        before = blocks["previous"].astype(np.int64) * header.unit
        mine &= np.isin(before, offsets[mine]) | (blocks["previous"] == END)
        found = np.flatnonzero(mine)
        found = found[np.argsort(blocks["tick"][found], kind="stable")]
        if found.size:
            walk = _Walk(opening, source, header, channel)
            walk.note(f"{found.size} blocks without a chain were found", int(offsets[found[0]]))
            yield channel, Chain(walk.checked(offsets[found], blocks[found]).blocks, True)


def _scanned(
    source: ByteSource, header: Header, numbers: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Look at every place at which a block may begin for heads that name one of the channels."""
    layout = BLOCK.newbyteorder(header.order)
    places, found = [np.empty(0, np.int64)], [np.empty(0, layout)]
    stop = source.size - BLOCK.itemsize + 1
    for first in range(HEAD_BYTES, stop, SCANNED_BYTES):
        offsets = np.arange(first, min(first + SCANNED_BYTES, stop), SECTOR)
        blocks = heads(source, offsets, layout)
        good = np.isin(channel_numbers(blocks), numbers) & (blocks["items"] > 0)
        good &= (blocks["tick"] >= 0) & (blocks["tick"] <= blocks["last_tick"])
        places.append(offsets[good])
        found.append(blocks[good])
    return np.concatenate(places), np.concatenate(found)
