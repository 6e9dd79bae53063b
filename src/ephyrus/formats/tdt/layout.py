"""Layouts and tables of TDT blocks, and the values that the parts of the reader share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLOCK = Fraction(2**24)  # ticks per second: doubles near 1.6e9 are whole multiples of 2**-22 s
LONGEST = 2.0**35  # seconds that a record may be away from the start of its block
RECORD_BYTES = 40
HEAD_WORDS = 10  # words of a record that its size counts

# A record of the .tsq; `ident` is type and store name together.
RECORD = np.dtype(
    {
        "names": ["size", "type", "ident", "name", "code", "channel", "sort", "buddy", "time",
                  "offset", "value", "format", "rate", "note", "layout"],
        "formats": ["<i4", "<u4", "<u8", "S4", "<u4", "<u2", "<u2", "S4", "<f8",
                    "<i8", "<f8", "<i4", "<f4", "<u4", "<u8"],
        "offsets": [0, 4, 4, 8, 8, 12, 14, 12, 16, 24, 24, 32, 36, 36, 32],
        "itemsize": RECORD_BYTES,
    }
)  # fmt: skip

# Types of records, after masking the flags.
TYPE_MASK = 0xFF0F
STROBE_ON, STROBE_OFF, SCALAR = 0x0101, 0x0102, 0x0201
STREAM, SNIPPET, MARK = 0x8101, 0x8201, 0x8801
KNOWN = (STROBE_ON, STROBE_OFF, SCALAR, STREAM, SNIPPET, MARK)
IN_SEV, PHANTOM = 0x10, 0x20  # flags: one .sev per channel; no data stored by the recording PC
HAS_DATA = 0x8000
START, STOP = 1, 2  # codes of marks

# Formats of stored numbers.
DTYPES = {
    code: np.dtype(kind) for code, kind in enumerate(("<f4", "<i4", "<i2", "i1", "<f8", "<i8"))
}

# Head of a .sev file.
SEV_HEAD = np.dtype(
    {
        "names": ["file_size", "magic", "version", "store", "channel", "channels", "width",
                  "format", "decimation", "rate"],
        "formats": ["<u8", "S3", "u1", "S4", "<u2", "<u2", "<u2", "u1", "u1", "<u2"],
        "offsets": [0, 8, 11, 12, 16, 18, 20, 24, 25, 26],
        "itemsize": 40,
    }
)  # fmt: skip
SEV_MAGIC = b"SEV"
SEV_NAMED = 3  # first version whose store name is to be trusted
MASTER_CLOCK = 25_000_000  # Hz
OLD_SEV_RATE = 24414.0625  # Hz, of version 0, which stores f4

SORT_MAP_BYTES = 1024  # of a .SortResult: one per channel, non-zero where it was sorted


@dataclass(frozen=True, slots=True)
class BlockFiles:
    """The files of one block, by their paths within the recording's folder.

    Attributes
    ----------
    name : str
        Name of the block.
    tsq : str
        Its index.
    tev, tbk : str or None
        Data; description of the stores.
    notes : tuple of str
        Texts that the user wrote (.tnt, Notes.txt).
    sevs, logs : tuple of str
        Files of single channels; logs of gaps in them.
    sorts : mapping
        Name of a sort to {name of a store, lower case: path}.
    doubtful : tuple of str
        Names of files of which only the first was taken.
    """

    name: str
    tsq: str
    tev: str | None = None
    tbk: str | None = None
    notes: tuple[str, ...] = ()
    sevs: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    sorts: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    doubtful: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What is known of a block before its index is read.

    Attributes
    ----------
    files : BlockFiles
        Its files.
    stores : mapping
        Items of the .Tbk by the name of their store.
    notes : str
        What the user wrote.
    """

    files: BlockFiles
    stores: Mapping[str, Mapping[str, str]]
    notes: str


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """The blocks, and how the numbers are to be taken.

    Attributes
    ----------
    tank : str
        Name of the tank.
    blocks : tuple of Block
        In the order of their names.
    options : mapping
        Options of opening.
    """

    tank: str
    blocks: tuple[Block, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """The records of one store.

    Attributes
    ----------
    kind : int
        Type of its records, without flags.
    name : str
        Its four characters, without padding.
    flags : int
        Flags of the type.
    first : numpy.void
        Its first record; all agree in size, format and rate.
    buddy : str
        Strobe-off stores: the store that they end.
    rows : ndarray of intp
        Record numbers, channel after channel; in file order within a channel.
    channels : ndarray of int
        Channels, ascending (stores without data: one, 0).
    bounds : ndarray of intp
        Where each channel begins in `rows`.
    """

    kind: int
    name: str
    flags: int
    first: np.void
    buddy: str
    rows: NDArray[np.intp]
    channels: NDArray[np.int64]
    bounds: NDArray[np.intp]


def store_name(raw: bytes | np.bytes_) -> str:
    """Decode the four characters of a store name."""
    return bytes(raw).decode("cp437").rstrip("\0 ")


def in_file_name(store: str) -> str:
    """Give the form that a store name has in file names, in lower case."""
    return "".join("_" if letter in '\\/:*?"<>|' else letter for letter in store).casefold()
