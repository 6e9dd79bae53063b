"""NIX: data with units, tags and metadata in one HDF5 file, as a container of recordings.

Files in which a tree of objects is kept as Neo's ``NixIO`` keeps it (blocks of type ``neo.block``)
are read as that tree: blocks, segments, groups and views, signals, irregular signals, images,
spikes with their waveforms, events, epochs, all annotations. Opening reads what describes the
objects; their data are read when they are asked for.

In other NIX files every block is read as one segment: its data arrays whose first or last dimension
is sampled in time become signals, those with ticks in time irregular signals, each with the name of
the array. A file without any of these is refused; what is left out is listed among the problems.
:mod:`ephyrus.nix` reads all of NIX.

Versions 1.0.0 to 1.2.1 of the layout are read. External and soft links, and data in other files,
are refused. In other NIX files, tags, features, sources and data frames are not converted to
objects.

Not read: regions of interest and segments within groups, which the layout has no place for.

Source: the NIX file layout of the German Neuroinformatics Node; the mapping of objects as files of
Neo 0.14 show it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError, FormatError, NeoReadWriteError, WrongFormatError
from ephyrus.recording import (
    FileSet,
    Format,
    Opening,
    Option,
    Reading,
    SignalStream,
    TableStream,
    blocks,
)

if TYPE_CHECKING:
    from ephyrus.core import Block
    from ephyrus.nix.objects import NixPath

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# The text "nix" as HDF5 keeps texts of variable length: its length, then the letters.
FORMAT_TEXT = re.compile(rb"[\x03\x04]\0{7}nix\0")

FORMAT = Format(
    name="nix",
    label="NIX",
    io_class="NixIO",
    extensions=("nix", "h5"),
    holds=(
        "Block",
        "Segment",
        "Group",
        "AnalogSignal",
        "IrregularlySampledSignal",
        "SpikeTrain",
        "Event",
        "Epoch",
        "ImageSequence",
        "ChannelView",
    ),
    writes=("Block", "Segment"),
    signal_group_modes=("as-stored",),
    write_options=(
        Option("use_obj_names", False, "Name entities like the objects.", "bool"),
        Option("compression", False, "Compress the data (gzip).", "bool"),
    ),
)


class SourceFile:
    """The main file of a recording, as HDF5 reads it.

    Parameters
    ----------
    files : FileSet
        The recording's files; what is read reopens them where they were closed.
    """

    def __init__(self, files: FileSet) -> None:
        self.files = files
        self.name = files.address
        self._place = 0

    def __repr__(self) -> str:
        return self.name  # what HDF5 takes for the name of the file, and messages show

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place}.get(whence, self.files.main.size)
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        """Give the place."""
        return self._place

    def read(self, count: int = -1) -> bytes:
        """Read bytes from the place on."""
        source = self.files.main
        left = max(source.size - self._place, 0)
        data = source.read_at(self._place, left if count < 0 else min(count, left))
        self._place += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Read bytes into a buffer; what lies behind the end is zero."""
        source, view = self.files.main, np.frombuffer(buffer, np.uint8)
        count = min(len(view), max(source.size - self._place, 0))
        view[:count] = source.array(self._place, np.uint8, count) if count else 0
        view[count:] = 0
        self._place += count
        return count


@dataclass(frozen=True, slots=True)
class Header:
    """What a file holds.

    Attributes
    ----------
    place : NixPath
        The file.
    names : tuple of str
        Names of the NIX blocks that are read.
    is_plain : bool
        They hold no objects: their data arrays are read.
    """

    place: NixPath
    names: tuple[str, ...]
    is_plain: bool


def sniff(files: FileSet, head: bytes) -> float:
    """Tell NIX by the signature of HDF5 and the attribute format at the root."""
    if head[: len(SIGNATURE)] != SIGNATURE:
        return 0.0
    if b"format\0" in head and FORMAT_TEXT.search(head):
        return 1.0
    from ephyrus.nix.exceptions import InvalidFile, VersionError

    try:  # files in which other things come first
        file_of(files).close()
    except InvalidFile:
        return 0.0
    except VersionError:
        return 0.9
    except FormatError:
        return 0.1 if files.suffix == "nix" else 0.0
    return 1.0


def file_of(files: FileSet) -> Any:
    """Open the NIX file."""
    from ephyrus.nix.file import File, FileMode

    return File(SourceFile(files), FileMode.ReadOnly)


@contextmanager
def _sound(files: FileSet) -> Iterator[None]:
    """Tell whatever HDF5 and we stumble on in a damaged file as such."""
    from ephyrus.nix.storage import FAULTS

    try:
        yield
    except NeoReadWriteError:
        raise
    except (*FAULTS, MemoryError, LookupError, ArithmeticError, AttributeError) as error:
        reason = f"the file is damaged: {type(error).__name__}: {error}"
        raise CorruptError(files.address, reason) from error


def parse_header(opening: Opening) -> Header:
    """Open the file and name the blocks in it."""
    from ephyrus.nix.objects import NixPath, block_names

    files = opening.files
    head = files.main.head(len(SIGNATURE))
    if head != SIGNATURE:
        raise WrongFormatError(
            files.address, f"found {head!r}, expected the signature of HDF5", offset=0
        )
    place = NixPath(files.address, opener=partial(file_of, files))
    with _sound(files):
        names = block_names(place)
        if names:
            return Header(place, tuple(names), is_plain=False)
        return Header(place, tuple(block.name for block in place.file.blocks), is_plain=True)


def index(opening: Opening, header: Header) -> blocks.TreeIndex:
    """Make the lazy objects and sort them into streams."""
    with _sound(opening.files):
        notes: list[str] = []
        tree = blocks.index_blocks(_blocks(header, lazy=True, notes=notes))
    if header.is_plain and not tree.signals and not tree.tables:
        raise WrongFormatError(
            opening.files.address,
            f"it is a NIX file with {len(header.names)} blocks, but without recordings: "
            f"{'; '.join(notes[:3]) or 'no data arrays'}. ephyrus.nix.File opens it",
        )
    for text in notes:
        opening.note(text)
    return tree


def _blocks(header: Header, *, lazy: bool, notes: list[str]) -> list[Block]:
    from ephyrus.nix.objects import read_block, read_plain

    if header.is_plain:
        return [read_plain(header.place, name, lazy=lazy, notes=notes) for name in header.names]
    return [read_block(header.place, name, lazy=lazy) for name in header.names]


describe = blocks.describe


def read_signal(
    reading: Reading[Header, blocks.TreeIndex],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give the values of samples [start, stop)."""
    with _sound(reading.files):
        return blocks.read_signal(reading, stream, start, stop, channels)


def read_table(
    reading: Reading[Header, blocks.TreeIndex],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    with _sound(reading.files):
        return blocks.read_table(reading, stream, start, stop, columns)


def read_blocks(reading: Reading[Header, blocks.TreeIndex], *, lazy: bool = False) -> list[Block]:
    """Give the objects of the file."""
    with _sound(reading.files):
        return _blocks(reading.header, lazy=lazy, notes=[])
