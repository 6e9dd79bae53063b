"""Files of levels: where each level lies, and the head that says of what they are.

The file begins with a line that names the format, and a JSON object in a head of `HEAD_BYTES`; then
the levels follow, little-endian, each at a multiple of `ALIGNMENT`. Where each lies follows from
length, dtype and shape, so a file that says otherwise is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

from ephyrus.errors import FormatError
from ephyrus.recording.files import ByteSource
from ephyrus.recording.levelquery import RATIO
from ephyrus.recording.rowsource import Rows

__all__ = ["PAIR_FACTOR", "SUM_FACTOR", "Place", "head_of", "layout", "read_facts", "worth_levels"]

MAGIC = b"EPHYRUS LEVELS 1\n"
HEAD_BYTES = 4096
ALIGNMENT = 64
PAIR_FACTOR = 32  # samples of a block of the finest level of extremes
SUM_FACTOR = 64
FEWEST_BLOCKS = 64  # a level with fewer is not worth having
SHORTEST = 2**14  # samples of the shortest array that levels are made for
MAX_ITEM = 8  # bytes of the numbers that levels are made for

Section = Literal["pairs", "sums", "counts"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a level lies in the file.

    Attributes
    ----------
    section : {"pairs", "sums", "counts"}
        What its entries are.
    factor : int
        Samples of a block.
    count : int
        Number of blocks; the last one may have fewer samples.
    dtype : numpy.dtype
        Type of the numbers.
    shape : tuple of int
        Shape of an entry.
    offset : int
        First byte.
    """

    section: Section
    factor: int
    count: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def items(self) -> int:
        """Numbers of one entry."""
        return prod(self.shape)

    @property
    def entry_bytes(self) -> int:
        """Bytes of one entry."""
        return self.dtype.itemsize * self.items

    @property
    def end(self) -> int:
        """Byte behind the level."""
        return self.offset + self.count * self.entry_bytes


def worth_levels(length: int, dtype: np.dtype[Any], item_shape: tuple[int, ...] = ()) -> bool:
    """Tell whether levels are made of an array: numbers, and many of them.

    Parameters
    ----------
    length : int
        Number of rows.
    dtype : numpy.dtype
        Type of the values.
    item_shape : tuple of int
        Shape of a row.
    """
    numbers = dtype.kind in "iuf" and dtype.itemsize <= MAX_ITEM
    return numbers and length >= SHORTEST and 0 not in item_shape


def head_of(rows: Rows, source: str, with_counts: bool, places: list[Place]) -> bytes:
    """Write the head of a file.

    Raises
    ------
    ValueError
        If `source` is too long for it.
    """
    facts = {
        "length": rows.length,
        "dtype": rows.dtype.newbyteorder("<").str,
        "item_shape": list(rows.item_shape),
        "counts": with_counts,
        "factors": {name: _factors(places, name) for name in ("pairs", "sums")},
        "source": source,
    }
    head = MAGIC + json.dumps(facts).encode() + b"\n"
    if len(head) > HEAD_BYTES:
        raise ValueError(f"source is {len(source):,} characters long, too long for the head")
    return head.ljust(HEAD_BYTES, b" ")


def _factors(places: list[Place], section: str) -> list[int]:
    return [place.factor for place in places if place.section == section]


def layout(
    length: int, dtype: np.dtype[Any], item_shape: tuple[int, ...], *, counts: bool
) -> list[Place]:
    """Place the levels in the file; those that may be missing come last."""
    little = dtype.newbyteorder("<")
    kinds: list[tuple[Section, int, tuple[int, ...]]] = [
        ("pairs", PAIR_FACTOR, (2, *item_shape)),
        ("sums", SUM_FACTOR, item_shape),
    ]
    if counts:
        kinds.append(("counts", SUM_FACTOR, item_shape))
    places: list[Place] = []
    at = HEAD_BYTES
    for section, finest, shape in kinds:
        for factor in _factors_from(finest, length):
            at = -(-at // ALIGNMENT) * ALIGNMENT
            stored = little if section == "pairs" else _sum_dtype(section, dtype, factor)
            places.append(Place(section, factor, -(-length // factor), stored, shape, at))
            at = places[-1].end
    return places


def _factors_from(finest: int, length: int) -> Iterator[int]:
    """Give the factors of the levels of an array, the finest first."""
    factor = finest
    yield factor
    while length > factor * RATIO * FEWEST_BLOCKS:
        factor *= RATIO
        yield factor


def _sum_dtype(section: Section, dtype: np.dtype[Any], factor: int) -> np.dtype[Any]:
    """Give the smallest type that holds every sum of a block."""
    if section == "counts":
        return np.dtype("<i4" if factor < 2**31 else "<i8")
    if dtype.kind == "f" or dtype.itemsize == 8:
        return np.dtype("<f8")
    unsigned = dtype.kind == "u"
    largest = factor << (8 * dtype.itemsize - (0 if unsigned else 1))
    return np.dtype("<i4" if largest < 2**31 else "<i8")


def read_facts(source: ByteSource) -> dict[str, Any]:
    """Read and check the head."""
    head = source.head(HEAD_BYTES)
    if not head.startswith(MAGIC) or len(head) < HEAD_BYTES:
        raise FormatError(source.name, "not a file of levels; remove it, so that it is made again")
    try:
        facts = json.loads(head[len(MAGIC) :])
        dtype = np.dtype(facts["dtype"])
        length, shape = facts["length"], facts["item_shape"]
        numbers = [length, *shape]
        sound = (
            all(type(number) is int and 0 < number < 2**48 for number in numbers)
            and len(shape) <= 3
            and worth_levels(length, dtype, tuple(shape))
            and isinstance(facts["source"], str)
            and isinstance(facts["counts"], bool)
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        sound = False
    if not sound:
        raise FormatError(source.name, "the head of these levels cannot be true; remove the file")
    places = layout(length, dtype, tuple(shape), counts=facts["counts"])
    if facts.get("factors") != {name: _factors(places, name) for name in ("pairs", "sums")}:
        raise FormatError(source.name, "these levels have other factors than they should")
    return dict(facts)
