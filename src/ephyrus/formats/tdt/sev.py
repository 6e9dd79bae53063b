"""Files of single channels (.sev): which there are, and what their heads say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np

from ephyrus.errors import CorruptError, FormatError, UnsupportedVersionError
from ephyrus.formats.tdt.layout import (
    DTYPES,
    MASTER_CLOCK,
    OLD_SEV_RATE,
    SEV_HEAD,
    SEV_MAGIC,
    SEV_NAMED,
    Block,
    in_file_name,
    store_name,
)
from ephyrus.recording import ByteSource, Opening, corrupt, read_struct

__all__ = ["Channel", "Part", "Sevs", "find_sevs", "read_channel"]

Part = tuple[str, int, int]  # path, first byte, samples
_TAIL = re.compile(r"_ch(\d{1,5})(?:-(\d{1,5})h)?\.sev$")


@dataclass(frozen=True, slots=True)
class Sevs:
    """The .sev files of a block.

    Attributes
    ----------
    paths : mapping
        (Store as in file names, channel) to paths, in the order of their hours.
    names : mapping
        Store as in file names to its name, as a head gives it or the file name spells it.
    """

    paths: Mapping[tuple[str, int], tuple[str, ...]]
    names: Mapping[str, str]

    def channels(self, store: str) -> list[int]:
        """Give the channels of a store that have files."""
        return sorted(channel for name, channel in self.paths if name == store)


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """One channel of a stream in .sev files."""

    parts: tuple[Part, ...]
    dtype: np.dtype[np.generic]
    rate: Fraction
    is_old: bool

    @property
    def length(self) -> int:
        """Number of samples."""
        return sum(count for _, _, count in self.parts)

    def as_type(self, dtype: np.dtype[np.generic]) -> Channel:
        """Give the same bytes as samples of another type."""
        parts = tuple(
            (path, offset, count * self.dtype.itemsize // dtype.itemsize)
            for path, offset, count in self.parts
        )
        return Channel(parts, dtype, self.rate, self.is_old)


def find_sevs(opening: Opening, block: Block, stores: Iterable[str]) -> Sevs:
    """Tell which .sev file holds which channel of which store.

    Names decide; where a name says nothing, the head of the file does.

    Raises
    ------
    CorruptError
        If several files may be the same part of a channel, or one between two parts is missing.
    """
    known = sorted({in_file_name(store) for store in stores}, key=len, reverse=True)
    candidates: dict[tuple[str, int, int], list[str]] = {}
    names: dict[str, str] = {}
    for path in block.files.sevs:
        found = _from_name(path, known) or _from_head(opening, path)
        if found is None:
            opening.note("neither the name nor the head tells the store; not read", path=path)
            continue
        spelled, channel, hour = found
        form = in_file_name(spelled)
        if form not in names:
            names[form] = spelled if form in known else _full_name(opening, path, spelled)
        candidates.setdefault((form, channel, hour), []).append(path)
    return Sevs(_in_order(opening, block, candidates), names)


def _in_order(
    opening: Opening, block: Block, candidates: Mapping[tuple[str, int, int], Sequence[str]]
) -> dict[tuple[str, int], tuple[str, ...]]:
    """Put the parts of each channel in their order; what follows a missing part has no place."""
    paths: dict[tuple[str, int], tuple[str, ...]] = {}
    broken = set()
    for form, channel, hour in sorted(candidates):
        there, before = candidates[form, channel, hour], paths.get((form, channel), ())
        if hour == len(before):
            chosen = there[0] if len(there) == 1 else _one_of(opening, block, there, channel)
            paths[form, channel] = (*before, chosen)
        elif (form, channel) not in broken:
            broken.add((form, channel))
            missing = f"-{len(before)}h" if before else ""
            error = CorruptError(
                opening.files.source(there[0]).name,
                f"this is a later part of a channel, and *_{form}_Ch{channel}{missing}.sev is "
                "missing; salvaging leaves out what follows it",
                field=".sev",
            )
            opening.damaged(error)
    return paths


def _from_name(path: str, known: Sequence[str]) -> tuple[str, int, int] | None:
    """Take store, channel and hour from ``TANK_BLOCK_STORE_ChN-Kh.sev``."""
    name = PurePosixPath(path).name
    tail = _TAIL.search(name.casefold())
    if tail is None:
        return None
    rest = name[: tail.start()]
    folded = rest.casefold()
    store = next((each for each in known if folded == each or folded.endswith(f"_{each}")), None)
    if store is None:  # names have four characters, which may be underscores
        store = rest[-4:] if len(rest) <= 4 or rest[-5] == "_" else rest.rpartition("_")[2]
    return (store, int(tail[1]), int(tail[2] or 0)) if store else None


def _full_name(opening: Opening, path: str, spelled: str) -> str:
    """Give the name of a store as a head has it, with what file names cannot have."""
    head = _from_head(opening, path)
    return (
        head[0] if head is not None and in_file_name(head[0]) == in_file_name(spelled) else spelled
    )


def _from_head(opening: Opening, path: str) -> tuple[str, int, int] | None:
    source = opening.files.source(path)
    if source.size < SEV_HEAD.itemsize:
        return None
    head = read_struct(source, 0, SEV_HEAD, "head")
    if head["magic"] != SEV_MAGIC or head["version"] < SEV_NAMED:
        return None
    return store_name(head["store"]), int(head["channel"]), 0


def _one_of(opening: Opening, block: Block, paths: Sequence[str], channel: int) -> str:
    """Choose among files of one channel: the one called like the block."""
    stem = PurePosixPath(block.files.tsq).stem.casefold()
    own = [path for path in paths if PurePosixPath(path).name.casefold().startswith(stem)]
    if len(own) != 1:
        names = ", ".join(PurePosixPath(path).name for path in paths)
        opening.damaged(
            CorruptError(
                opening.files.path,
                f"{names} may each be channel {channel} of one store; "
                "salvaging takes the first: remove the others",
                field=".sev",
            )
        )
    return [*own, *paths][0]


def read_channel(opening: Opening, paths: Sequence[str], item: Mapping[str, str]) -> Channel | None:
    """Read the heads of the files of one channel.

    Parameters
    ----------
    opening : Opening
        The context.
    paths : sequence of str
        Its parts in their order.
    item : mapping
        What the .Tbk says of the store: the rate of files of version 0.

    Returns
    -------
    Channel or None
        None where it is damaged and the rest is to be salvaged.

    Raises
    ------
    FormatError
        If a head cannot be true, or the samples are packed.
    """
    try:
        return _read_channel(opening, paths, item)
    except FormatError as error:
        opening.damaged(error)
        return None


def _read_channel(opening: Opening, paths: Sequence[str], item: Mapping[str, str]) -> Channel:
    parts: list[Part] = []
    heads = [_head(opening, opening.files.source(path), item) for path in paths]
    dtype, rate, is_old = heads[0]
    for path, head in zip(paths, heads, strict=True):
        source = opening.files.source(path)
        if head[:2] != (dtype, rate):
            corrupt(source, "its format or rate differs from that of the first part", field="head")
        parts.append((path, SEV_HEAD.itemsize, (source.size - SEV_HEAD.itemsize) // dtype.itemsize))
        lost = _cut_off(source)
        if lost:
            _note_cut(opening, source, lost, dtype, paths[len(parts) :])
            break
    return Channel(tuple(parts), dtype, rate, is_old)


def _cut_off(source: ByteSource) -> int:
    """Give the bytes that a file says to have and has not."""
    head = read_struct(source, 0, SEV_HEAD, "head")
    return max(int(head["file_size"]) - source.size, 0) if head["magic"] == SEV_MAGIC else 0


def _note_cut(
    opening: Opening,
    source: ByteSource,
    lost: int,
    dtype: np.dtype[np.generic],
    later: Sequence[str],
) -> None:
    """Tell of a file that is shorter than it says; parts behind it cannot be placed."""
    lost += sum(opening.files.source(path).size - SEV_HEAD.itemsize for path in later)
    opening.note(
        f"the file has {source.size:,} bytes, fewer than its head says: it was cut, or is still "
        "being copied" + ("; later parts are left out" if later else ""),
        path=source.name,
        field="file size",
        lost=lost // dtype.itemsize,
    )


def _head(
    opening: Opening, source: ByteSource, item: Mapping[str, str]
) -> tuple[np.dtype[np.generic], Fraction, bool]:
    """Read type of samples, rate, and whether it is of version 0."""
    head = read_struct(source, 0, SEV_HEAD, "head")
    if head["magic"] != SEV_MAGIC or head["version"] == 0:
        if head.tobytes().strip(b"\0"):
            error = CorruptError(source.name, "the head does not begin with SEV", field="head")
            opening.damaged(error)
        return DTYPES[0], Fraction(_rate_of(item)), True
    dtype = DTYPES.get(int(head["format"]) & 7)
    if dtype is None or dtype.itemsize != head["width"]:
        raise UnsupportedVersionError(
            source.name,
            f"samples of format {head['format']} with {head['width']} bytes each are not read",
            offset=24,
            field="format",
        )
    if not head["decimation"] or head["rate"] > 40:
        corrupt(
            source,
            f"a rate of code {head['rate']}, decimated by {head['decimation']}",
            offset=25,
            field="rate",
        )
    power = Fraction(2) ** (int(head["rate"]) - 12)
    return dtype, power * MASTER_CLOCK / int(head["decimation"]), False


def _rate_of(item: Mapping[str, str]) -> float:
    """Give the rate that a .Tbk states, or that of old files."""
    try:
        rate = float(item.get("SampleFreq", ""))
    except ValueError:
        return OLD_SEV_RATE
    return rate if 0 < rate < MASTER_CLOCK else OLD_SEV_RATE
