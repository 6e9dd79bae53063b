"""The blocks of a .plx file, as columns split by kind and channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError
from ephyrus.formats.plexon.layout import BLOCK, Header
from ephyrus.recording import (
    ByteSource,
    Opening,
    PacketLayout,
    Walked,
    grouped,
    heads,
    walk,
)

CHAIN = PacketLayout(BLOCK.itemsize, (12, 14), unit=2, base=BLOCK.itemsize)
SPIKE, EVENT, SLOW = 1, 4, 5  # types of blocks
LARGEST_HIGH = 0xFF  # time stamps have 40 bits
MOST_WAVES = 4  # of a tetrode
_RANKS = np.zeros(2**16, np.uint16)  # of each type; 0: not read
_RANKS[[SPIKE, EVENT, SLOW]] = 1, 2, 3
_KINDS = np.array([0, SPIKE, EVENT, SLOW], np.uint8)  # of each rank
_COPIED = ("channel", "unit", "waves", "words")
PIECE = 2**15  # blocks
_SMALL = 14  # bits of the channel number where it leaves room for the rank in 16


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Blocks group after group: those of one kind and channel lie together.

    Within a group spikes and events are in the order of their times, continuous data in the order
    of the file.

    Attributes
    ----------
    offset, tick : ndarray of int64, shape (blocks,)
        First byte of each block; its time stamp.
    unit, waves, words : ndarray of uint16, shape (blocks,)
        Unit (of events: the word), number of waveforms, words of each of them.
    kind : ndarray of uint8, shape (groups,)
        `SPIKE`, `EVENT` or `SLOW`.
    channel : ndarray of uint16, shape (groups,)
        Channel number.
    bounds : ndarray of int64, shape (groups + 1,)
        Where each group begins.
    """

    offset: NDArray[np.int64]
    tick: NDArray[np.int64]
    unit: NDArray[np.uint16]
    waves: NDArray[np.uint16]
    words: NDArray[np.uint16]
    kind: NDArray[np.uint8]
    channel: NDArray[np.uint16]
    bounds: NDArray[np.int64]

    def groups(self, kind: int) -> list[tuple[int, slice]]:
        """Give channel number and place of each group of a kind, by channel number."""
        places = np.flatnonzero(self.kind == kind).tolist()
        return [
            (int(self.channel[place]), slice(int(self.bounds[place]), int(self.bounds[place + 1])))
            for place in places
        ]


def find_blocks(opening: Opening, header: Header) -> Blocks:
    """Walk through the file, or take what an earlier walk found.

    Raises
    ------
    CorruptError
        If what follows is no block.
    """
    return Blocks(**opening.cached("blocks", lambda: _columns(opening, header)))


def _columns(opening: Opening, header: Header) -> dict[str, NDArray[Any]]:
    source = opening.files.main
    walked = walk(
        source, header.data_offset, CHAIN, progress=opening.progress, label="indexing blocks"
    )
    found = _read_heads(source, walked.offsets)
    if not found["rank"].all():
        sound = _sound_blocks(opening, source, walked.offsets, found["rank"])
        if sound < walked.offsets.size:
            walked = Walked(walked.offsets[:sound], source.size, "whole")
        known = np.flatnonzero(found["rank"][:sound])
        found = {name: column[known] for name, column in found.items()}
    _judge_end(opening, source, walked)
    return _split(found)


def _read_heads(source: ByteSource, offsets: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Read the heads of blocks into columns, in pieces that stay in the processor's cache."""
    found: dict[str, NDArray[Any]] = {"offset": offsets, "tick": np.empty(offsets.size, np.int64)}
    found |= {name: np.empty(offsets.size, np.uint16) for name in ("rank", *_COPIED)}
    for first in range(0, offsets.size, PIECE):
        piece = slice(first, first + PIECE)
        part = heads(source, offsets[piece], BLOCK)
        found["rank"][piece] = _RANKS[part["type"]]
        ticks = found["tick"][piece]
        ticks[...] = part["high"]
        ticks <<= 32
        ticks |= part["low"]
        for name in _COPIED:
            found[name][piece] = part[name]
    return found


def _sound_blocks(
    opening: Opening, source: ByteSource, offsets: NDArray[np.int64], ranks: NDArray[np.uint16]
) -> int:
    """Tell what blocks of other types mean; gives how many blocks are sound."""
    other = np.flatnonzero(ranks == 0)
    found = heads(source, offsets[other], BLOCK)
    unlikely = _unlikely(found)
    sound = offsets.size
    if unlikely.any():
        first = int(np.argmax(unlikely))
        sound, kind = int(other[first]), int(found["type"][first])
        place = int(offsets[sound])
        opening.damaged(
            CorruptError(
                source.name,
                f"a block of type {kind}, which cannot be one: the chain of blocks is broken here, "
                f"{source.size - place:,} bytes are not read",
                offset=place,
                field="block",
            )
        )
        other, found = other[:first], found[:first]
    if other.size:
        types = ", ".join(map(str, np.unique(found["type"]).tolist()))
        opening.note(
            f"{other.size:,} blocks of other types ({types}) are not read",
            offset=int(offsets[other[0]]),
            field="block",
            lost=int(other.size),
        )
    return sound


def _is_nonsense(source: ByteSource, place: int) -> bool:
    """Tell whether what begins here is no block, as far as it is there."""
    if source.size - place < BLOCK.itemsize:
        return False
    head = heads(source, np.array([place]), BLOCK)
    return bool(_unlikely(head)[0])


def _unlikely(head: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which heads of blocks hold numbers that none can have."""
    found: NDArray[np.bool_] = (head["high"] > LARGEST_HIGH) | (head["waves"] > MOST_WAVES)
    return found


def _judge_end(opening: Opening, source: ByteSource, walked: Walked) -> None:
    """Note why the chain ended before the file did."""
    left = source.size - walked.stop
    if walked.end == "cut" and _is_nonsense(source, walked.stop):
        opening.damaged(
            CorruptError(
                source.name,
                "a block that cannot be one and runs past the end of the file: the chain of blocks "
                f"is broken here, {left:,} bytes are not read",
                offset=walked.stop,
                field="block",
            )
        )
    elif walked.end == "cut":
        opening.note(
            f"the last block runs past the end of the file; {left:,} bytes are not read",
            offset=walked.stop,
            field="block",
            lost=1,
        )
    if walked.end != "blank":
        return
    head = source.read_at(walked.stop, BLOCK.itemsize, field="block")
    if not any(head):
        opening.note(
            f"a blank block: the file was made larger than what was recorded; {left:,} bytes are "
            "not read",
            offset=walked.stop,
            field="block",
        )
        return
    opening.damaged(
        CorruptError(
            source.name,
            f"a block of type 0, which cannot be one: the chain of blocks is broken here, {left:,} "
            "bytes are not read",
            offset=walked.stop,
            field="block",
        )
    )


def _split(found: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Sort blocks by kind and channel, spikes and events by time too."""
    ranks, channels = found.pop("rank"), found.pop("channel")
    bits = _SMALL if int(channels.max(initial=0)) < 2**_SMALL else 16
    if bits > _SMALL:
        ranks = ranks.astype(np.uint32)
    groups = grouped(ranks << bits | channels)  # 16 bits are sorted in linear time
    kind = _KINDS[groups.values >> bits]
    found["tick"] = found["tick"][groups.order]
    turned = _time_order(found["tick"], groups.bounds, kind)
    order = groups.order
    if turned is not None:
        order, found["tick"] = order[turned], found["tick"][turned]
    for name in ("offset", "unit", "waves", "words"):  # one by one: the old ones make room
        found[name] = found[name][order]
    return {
        **found,
        "kind": kind,
        "channel": (groups.values & ((1 << bits) - 1)).astype(np.uint16),
        "bounds": groups.bounds.astype(np.int64),
    }


def _time_order(
    ticks: NDArray[np.int64], bounds: NDArray[np.intp], kind: NDArray[np.uint8]
) -> NDArray[np.intp] | None:
    """Give the order that brings spikes and events into time; None where they are in it."""
    back = np.flatnonzero(ticks[1:] < ticks[:-1]) + 1
    begins = np.searchsorted(bounds, back)  # a group may begin before the one in front of it
    inside = bounds[begins] != back
    unordered = np.unique(np.searchsorted(bounds, back[inside], "right") - 1)
    unordered = unordered[kind[unordered] != SLOW]
    if not unordered.size:
        return None
    order = np.arange(ticks.size)
    for group in unordered.tolist():
        begin, end = int(bounds[group]), int(bounds[group + 1])
        order[begin:end] = begin + np.argsort(ticks[begin:end], kind="stable")
    return order
