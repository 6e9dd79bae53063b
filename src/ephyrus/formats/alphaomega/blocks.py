"""Walking a file: where the blocks of each channel are, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError, UnsupportedVersionError
from ephyrus.formats.alphaomega.heads import FileHead
from ephyrus.formats.alphaomega.layout import (
    ANALOG,
    BLOCK_HEAD,
    BLOCKS,
    DATA,
    DEFINITIONS,
    DIGITAL,
    EVENT,
    IGNORED,
    INTERLEAVED,
    MESSAGES,
    PORT,
    SAMPLE,
    SEGMENTED,
    SIGNAL,
    Definition,
    definition,
)
from ephyrus.recording import ByteSource, Opening, Walked, grouped, heads, walk

__all__ = ["Blocks", "FileBlocks", "read_blocks_of"]

STAMP = np.dtype("<u4")
AROUND = np.dtype(  # the beginning of a block: one look for what all blocks have
    [("stamp_before", STAMP), *BLOCK_HEAD.descr, ("number", SAMPLE)]
)
IS_DEFINITION = np.isin(np.arange(256), DEFINITIONS)
VALUE_AT = {DIGITAL: 10, PORT: 6}
STAMP_AT = {DIGITAL: 6, PORT: 8, MESSAGES: 4}  # other data blocks end with their stamp
MESSAGE_AT = 8
SHORTEST = {SIGNAL: 10, SEGMENTED: 10, DIGITAL: 12, PORT: 12, MESSAGES: 8}
IS_TYPE = np.array([0x20 < each < 0x7F for each in range(256)])  # printable characters
LARGEST_TAIL = 2**16  # of zeros behind the last block, looked at to tell them from damage


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """The data blocks of one channel in one file, in the order of the file.

    Attributes
    ----------
    offsets : ndarray of int64
        First byte of each block.
    lengths : ndarray of uint16
        Bytes of each block.
    stamps : ndarray of uint32
        Sample number of the first sample.
    units : ndarray of uint8
        Unit numbers.
    """

    offsets: NDArray[np.int64]
    lengths: NDArray[np.uint16]
    stamps: NDArray[np.uint32]
    units: NDArray[np.uint8]

    @property
    def samples(self) -> NDArray[np.int64]:
        """Samples of each block of an analog channel."""
        return (self.lengths.astype(np.int64) - ANALOG - STAMP.itemsize) // SAMPLE.itemsize

    @property
    def payload(self) -> NDArray[np.int64]:
        """First byte of the samples of each block of an analog channel."""
        return self.offsets + ANALOG


@dataclass(frozen=True, slots=True, eq=False)
class FileBlocks:
    """What a walk through one file finds.

    Attributes
    ----------
    definitions : dict of int to Definition
        Channels, ports and streams by number.
    places : dict of int to int
        Offset of each of these definitions.
    data : dict of int to Blocks
        Data blocks by channel number.
    messages : Blocks
        Stream events.
    is_closed : bool
        The file has its end mark: the recording program finished it.
    """

    definitions: Mapping[int, Definition]
    places: Mapping[int, int]
    data: Mapping[int, Blocks] = field(default_factory=dict)
    messages: Blocks | None = None
    is_closed: bool = True

    @property
    def first_stream(self) -> Definition | None:
        """The stream that messages belong to; they do not say it themselves."""
        streams = (each for each in self.definitions.values() if each.kind == MESSAGES)
        return next(streams, None)

    @property
    def fastest(self) -> float:
        """Highest sampling rate of anything defined, Hz."""
        rates = [float(each.rate) for each in self.definitions.values() if each.rate is not None]
        return max(rates, default=1.0)


def read_blocks_of(opening: Opening, head: FileHead) -> FileBlocks:
    """Walk through a file, or take its columns from the cache."""
    source = opening.files.source(head.name)
    build = partial(_columns, opening, source, head)
    columns = opening.cached(f"blocks of {head.name}", build, [head.name])
    definitions, places, _ = _definitions(source, columns["definition"], head)
    split = dict(zip(columns["channels"].tolist(), columns["bounds"].tolist(), strict=True))
    begins = {}
    begin = 0
    for number, end in split.items():
        begins[number] = _part(columns, begin, end)
        begin = end
    return FileBlocks(
        definitions,
        places,
        begins,
        _part(columns, begin, len(columns["offset"])),
        bool(columns["is_closed"][0]),
    )


def _part(columns: Mapping[str, NDArray[Any]], begin: int, end: int) -> Blocks:
    names = ("offset", "length", "stamp", "unit")
    return Blocks(*(columns[name][begin:end] for name in names))


# The walk


def _columns(opening: Opening, source: ByteSource, head: FileHead) -> dict[str, NDArray[Any]]:
    """Walk, and sort data blocks by channel; stream events come last."""
    found = walk(source, head.first_block, BLOCKS, progress=opening.progress)
    offsets, each, last_stamp = _heads(source, found.offsets)
    if IS_TYPE[each["kind"]].all():
        is_closed = _check_end(opening, source, found)
    else:
        is_closed, first = False, int(np.argmin(IS_TYPE[each["kind"]]))
        _refuse_type(opening, source, int(offsets[first]), int(each["kind"][first]))
        offsets, each, last_stamp = _heads(source, offsets[:first])
    kinds = each["kind"]
    if (kinds == INTERLEAVED).any() and head.is_map:
        raise UnsupportedVersionError(
            source.name,
            "data of several channels in one block (type 7) are not documented and not read",
            offset=int(offsets[np.argmax(kinds == INTERLEAVED)]),
            field="block of type 7",
        )
    places = offsets[IS_DEFINITION[kinds]]
    definitions, _, twice = _definitions(source, places, head)
    _note_definitions(opening, source, twice)
    chosen, groups = _by_channel(opening, source, offsets, each, definitions, head)
    columns = {"offset": offsets[chosen], "length": each["length"][chosen]}
    columns["unit"] = each["extra"][chosen]
    columns["stamp"] = np.append(each["stamp_before"][1:], last_stamp)[chosen]
    _place_stamps(source, columns, groups, definitions, head)
    return {
        **columns,
        "definition": places,
        "channels": np.array(list(groups), np.int64),
        "bounds": np.cumsum(np.array(list(groups.values()), np.int64)),
        "is_closed": np.array([is_closed], np.uint8),
    }


def _heads(
    source: ByteSource, offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.uint32]]:
    """Read what stands around the beginning of each block, and the stamp of the last one."""
    before = STAMP.itemsize
    while offsets.size and offsets[-1] - before + AROUND.itemsize > source.size:
        offsets = offsets[:-1]  # too short to hold anything
    each = heads(source, offsets - before, AROUND)
    end = offsets[-1:] + each["length"][-1:]
    return offsets, each, heads(source, end - before, STAMP)


def _refuse_type(opening: Opening, source: ByteSource, place: int, kind: int) -> None:
    left = source.size - place
    opening.damaged(
        CorruptError(
            source.name,
            f"a block of type {kind:#04x}, which is no character: the chain of blocks is broken, "
            f"the {left:,} bytes from here on cannot be read",
            offset=place,
            field="type of a block",
        ),
        lost=1,
    )


def _check_end(opening: Opening, source: ByteSource, found: Walked) -> bool:
    """Judge where the chain ended; tell whether the program closed the file."""
    at, left = found.stop, source.size - found.stop
    if found.end == "sentinel":
        _note_behind(opening, source, at)
        return True
    if found.end == "whole":
        opening.note(
            "the end mark is missing: the recording program did not close the file",
            path=source.name,
            offset=at,
        )
    elif found.end == "cut" or _is_blank(source, at):
        opening.note(
            f"the file ends inside a block; its {left:,} bytes are left out"
            if found.end == "cut"
            else f"the last {left:,} bytes are zero: the program did not close the file",
            path=source.name,
            offset=at,
            lost=1,
        )
    else:
        opening.damaged(
            CorruptError(
                source.name,
                f"a block shorter than {BLOCKS.head} bytes; the {left:,} bytes from here on "
                "cannot be read",
                offset=at,
                field="length of a block",
            ),
            lost=1,
        )
    return False


def _note_behind(opening: Opening, source: ByteSource, at: int) -> None:
    """Note what follows the end mark, which fills the rest of the file with ones."""
    behind = source.array(at, "u1", min(source.size - at, LARGEST_TAIL))
    if behind.size > BLOCK_HEAD.itemsize and not np.isin(behind, (0x00, 0xFF)).all():
        opening.note(
            f"{source.size - at:,} bytes from the end mark on, which are not read",
            path=source.name,
            offset=at,
            field="end mark",
        )


def _is_blank(source: ByteSource, at: int) -> bool:
    """Tell whether zeros fill the rest of the file (as far as it is looked at)."""
    return not source.array(at, "u1", min(source.size - at, LARGEST_TAIL)).any()


def _definitions(
    source: ByteSource, places: NDArray[np.int64], head: FileHead
) -> tuple[dict[int, Definition], dict[int, int], list[tuple[int | None, int]]]:
    """Read the definition blocks: them and their offsets by number, those without effect.

    The latter are pairs of number and offset; of a block that is too short the number is None.
    """
    lengths = heads(source, places, BLOCK_HEAD)["length"]
    found: dict[int, Definition] = {}
    where: dict[int, int] = {}
    refused: list[tuple[int | None, int]] = []
    for place, length in zip(places.tolist(), lengths.tolist(), strict=True):
        read = definition(source.read_at(place, length), is_map=head.is_map)
        if read is None:
            refused.append((None, place))
        elif found.setdefault(read.number, read) != read:
            refused.append((read.number, place))
        else:
            where.setdefault(read.number, place)
    return found, where, refused


def _note_definitions(
    opening: Opening, source: ByteSource, refused: list[tuple[int | None, int]]
) -> None:
    again = [(number, place) for number, place in refused if number is not None]
    if again:
        numbers = dict.fromkeys(str(number) for number, _ in again)
        opening.note(
            "channels are defined again, and differently; the first definition holds: "
            + ", ".join([*numbers][:20]),
            path=source.name,
            offset=again[0][1],
            field="channel definition",
        )
    for number, place in refused:
        if number is None:
            opening.damaged(
                CorruptError(
                    source.name,
                    "a definition of a channel that is too short",
                    offset=place,
                    field="channel definition",
                )
            )


def _by_channel(
    opening: Opening,
    source: ByteSource,
    offsets: NDArray[np.int64],
    each: NDArray[Any],
    definitions: Mapping[int, Definition],
    head: FileHead,
) -> tuple[NDArray[np.intp], dict[int, int]]:
    """Sort data blocks by channel, stream events last; drop what cannot be read."""
    kinds, lengths = each["kind"], each["length"]
    data = np.flatnonzero((kinds == DATA) & (lengths >= AROUND.itemsize - STAMP.itemsize))
    groups = grouped(each["number"][data])
    parts, counts = [], {}
    strange: dict[int, int] = {}
    for at, number in enumerate(groups.values.tolist()):
        rows = data[groups.rows(at)]
        known = definitions.get(number)
        if known is None or known.kind == MESSAGES:
            strange[number] = rows.size
        elif known.kind != IGNORED:
            whole = _whole_blocks(opening, source, known, rows, lengths[rows], offsets)
            parts.append(whole)
            counts[number] = whole.size
    if strange:
        opening.note(
            "data of channels that are not defined are left out: "
            + ", ".join(map(str, list(strange)[:20])),
            path=source.name,
            lost=sum(strange.values()),
        )
    events = np.flatnonzero((kinds == EVENT) & (lengths >= SHORTEST[MESSAGES]))
    if events.size and not any(each.kind == MESSAGES for each in definitions.values()):
        opening.note(
            "stream messages are left out: no stream is defined",
            path=source.name,
            offset=int(offsets[events[0]]),
            lost=events.size,
        )
        events = events[:0]
    return np.concatenate([np.empty(0, np.intp), *parts, events]), counts


def _whole_blocks(
    opening: Opening,
    source: ByteSource,
    known: Definition,
    rows: NDArray[np.intp],
    lengths: NDArray[np.uint16],
    offsets: NDArray[np.int64],
) -> NDArray[np.intp]:
    """Leave out blocks of a channel that are too short; note samples that are cut in two."""
    if lengths.min() >= SHORTEST[known.kind] and not np.bitwise_or.reduce(lengths) & 1:
        return rows
    short = lengths < SHORTEST[known.kind]
    if short.any():
        opening.note(
            f"blocks of channel {known.number} are too short and left out",
            path=source.name,
            offset=int(offsets[rows[short][0]]),
            field="data block",
            lost=int(short.sum()),
        )
    odd = (lengths & 1).astype(bool) & ~short
    if odd.any() and known.kind in (SIGNAL, SEGMENTED):
        opening.note(
            f"blocks of channel {known.number} hold half a sample, which is left out",
            path=source.name,
            offset=int(offsets[rows[odd][0]]),
            field="data block",
        )
    return rows[~short]


def _place_stamps(
    source: ByteSource,
    columns: Mapping[str, NDArray[Any]],
    groups: Mapping[int, int],
    definitions: Mapping[int, Definition],
    head: FileHead,
) -> None:
    """Read the sample numbers of blocks that do not end with it."""
    begin, total = 0, len(columns["offset"])
    for number, count in [*groups.items(), (None, total)]:
        kind = MESSAGES if number is None else definitions[number].kind
        where = None if head.is_map and number is not None else STAMP_AT.get(kind)
        end = min(begin + count, total)
        if where is not None:
            columns["stamp"][begin:end] = heads(source, columns["offset"][begin:end] + where, STAMP)
        begin = end
