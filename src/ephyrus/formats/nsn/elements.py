"""The elements of a file: heads, information on entities, where the items lie."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll import structures
from ephyrus.dll.interface import FileInfo
from ephyrus.errors import TruncatedError, WrongFormatError
from ephyrus.formats.nsn.layout import (
    ELEMENT,
    ENTITY,
    FILE,
    INFO,
    MAGIC,
    SIGNATURE_BYTES,
    SOURCE,
    Kind,
    facts_of,
)
from ephyrus.recording import HEADER_BYTES, ByteSource, Opening, decode, read_struct

__all__ = ["Element", "Header", "parse"]

_GZIP = 31  # window bits that make zlib expect a gzip stream


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """An entity of the file.

    Attributes
    ----------
    number : int
        Its number among the entities of the file.
    kind : Kind
        What it is.
    label : str
        Its name.
    item_count : int
        Number of items, as the file says.
    info : dict
        What the file says of an entity of this type.
    start, stop : int
        Where its items lie, as far as the file goes.
    declared_stop : int
        Where the element says that it ends.
    sources : ndarray of SOURCE
        The sources of a segment entity.
    """

    number: int
    kind: Kind
    label: str
    item_count: int
    info: dict[str, Any]
    start: int
    stop: int
    declared_stop: int
    sources: NDArray[np.void]


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What the file says of itself, and its elements.

    Attributes
    ----------
    file : FileInfo
        Date, program, comment, resolution and length of the recording.
    elements : tuple of Element
        The entities.
    information : tuple of str
        Texts of information elements.
    """

    file: FileInfo
    elements: tuple[Element, ...]
    information: tuple[str, ...]


def parse(opening: Opening) -> Header:
    """Read the head of the file and of each element."""
    source = opening.files.main
    head = source.head(SIGNATURE_BYTES)
    if not head.startswith(MAGIC):
        raise WrongFormatError(
            source.name, f"it begins with {head!r}; a Neuroshare native file with {MAGIC!r}"
        )
    record = read_struct(source, SIGNATURE_BYTES, FILE, "file information")
    facts = facts_of(structures.FILE_INFO, record)
    del facts["reserved"]
    file = FileInfo(**facts)
    elements, information = [], []
    for number, kind, start, stop, declared in _heads(opening, source, file.entity_count):
        if kind == Kind.INFORMATION:
            information.append(_information(opening, source, start, stop))
        elif kind in INFO:
            element = _element(opening, source, number, Kind(kind), (start, stop, declared))
            elements += [] if element is None else [element]
        else:
            opening.note(f"an element of unknown type {kind} is left out", offset=start - 8)
    texts = tuple(text for text in information if text is not None)
    return Header(file, tuple(elements), texts)


def _heads(
    opening: Opening, source: ByteSource, count: int
) -> Iterator[tuple[int, int, int, int, int]]:
    """Give number, type, begin, end and declared end of each element; the file may end first."""
    at = SIGNATURE_BYTES + FILE.itemsize
    for number in range(count):
        if at + ELEMENT.itemsize > source.size:
            error = TruncatedError(
                source.name,
                f"{count:,} entities are promised, the file ends after {number:,}",
                offset=at,
                field="entities",
            )
            opening.damaged(error, lost=count - number)
            return
        head = read_struct(source, at, ELEMENT, "element")
        start, length = at + ELEMENT.itemsize, int(head["length"])
        if length > source.size - start:
            opening.note(
                f"entity {number} has {length:,} bytes, {source.size - start:,} are left in the "
                "file; what is whole is read",
                offset=at,
                field="element length",
            )
        yield number, int(head["kind"]), start, min(start + length, source.size), start + length
        at = start + length
    if at < source.size:
        opening.note(f"{source.size - at:,} bytes after the last entity are left out", offset=at)


def _element(
    opening: Opening, source: ByteSource, number: int, kind: Kind, place: tuple[int, int, int]
) -> Element | None:
    """Read the information on an entity; None where the element is too short for it."""
    start, stop, declared = place
    table, dtype = INFO[kind]
    if stop - start < ENTITY.itemsize + dtype.itemsize:
        opening.note(
            f"entity {number} is left out: its element of {stop - start} bytes is too short",
            offset=start,
            field="element length",
            lost=1,
        )
        return None
    general = facts_of(structures.ENTITY_INFO, read_struct(source, start, ENTITY, "entity"))
    at = start + ENTITY.itemsize
    info = facts_of(table, read_struct(source, at, dtype, f"entity {number}"))
    at += dtype.itemsize
    sources = np.zeros(0, SOURCE)
    if kind == Kind.SEGMENT:
        there = min(info["source_count"], (stop - at) // SOURCE.itemsize)
        if there < info["source_count"]:
            opening.note(
                f"entity {number} promises {info['source_count']:,} sources, there is room for "
                f"{there:,}",
                offset=at,
                field="sources",
            )
        sources = source.array(at, SOURCE, there, field="sources")
        at = at + there * SOURCE.itemsize if there == info["source_count"] else stop
    label = general["label"] or f"entity {number}"
    return Element(number, kind, label, general["item_count"], info, at, stop, declared, sources)


def _information(opening: Opening, source: ByteSource, start: int, stop: int) -> str | None:
    """Unpack the text of an information element."""
    packed = source.read_at(start, min(stop - start, HEADER_BYTES), field="information")
    unpacking = zlib.decompressobj(_GZIP)
    try:
        text = unpacking.decompress(packed, HEADER_BYTES)
    except zlib.error as error:
        opening.note(f"an information element is left out: {error}", offset=start)
        return None
    if not unpacking.eof:
        opening.note("an information element is not whole", offset=start)
    return decode(text)
