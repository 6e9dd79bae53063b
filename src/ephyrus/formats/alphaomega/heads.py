"""The files of a recording day: which there are, what their heads say, which continue which."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Any

import numpy as np

from ephyrus.errors import CorruptError, FormatError, UnsupportedVersionError, WrongFormatError
from ephyrus.formats.alphaomega.layout import BLOCK_HEAD, FILE_HEAD, HEAD, MAP_HEAD, MAP_VERSION
from ephyrus.recording import ByteSource, FileSet, Opening, decode, fixed_text, read_struct
from ephyrus.recording.layout import read_text

__all__ = ["FileHead", "Header", "chained", "parse_header", "sniff"]

LIST_SUFFIX = "lsx"
DATA_SUFFIXES = (".mpx", ".map")
VERSION_AT = MAP_HEAD.itemsize + np.dtype("<i4").itemsize  # behind the erase count
LATEST = 1e9  # s; no hardware runs for so long
PART = re.compile(r"F?\d+$")  # number of a file within its recording, at the end of its stem


@dataclass(frozen=True, slots=True)
class FileHead:
    """What the first block of a file says.

    Attributes
    ----------
    name : str
        File, within the recording's folder.
    is_map : bool
        It is an AlphaMap file.
    first_block : int
        Offset of the block after the head.
    recorded : datetime or None
        When the recording began.
    day : tuple of int
        Year, month, day as stored.
    first_time, last_time : float or None
        Seconds of the first and last sample; None where they cannot be true.
    facts : dict
        Annotations.
    """

    name: str
    is_map: bool
    first_block: int
    recorded: datetime | None
    day: tuple[int, int, int]
    first_time: float | None
    last_time: float | None
    facts: dict[str, Any]

    @property
    def order(self) -> tuple[Any, ...]:
        """Key of the order in which files were written."""
        return self.day, self.first_time or 0.0, self.name


@dataclass(frozen=True, slots=True)
class Header:
    """The heads of all files, in the order in which they were written."""

    files: tuple[FileHead, ...]


# What is there


def sniff(files: FileSet, head: bytes) -> float:
    """Tell by the first block; folders by that of a file in them, lists by the names in them."""
    if files.is_dir:
        names = _data_files(files)
        names.sort(key=lambda name: not name.lower().endswith(DATA_SUFFIXES[0]))
        return min(_sure(files.source(names[0]).head(FILE_HEAD.itemsize)), 0.95) if names else 0.0
    return _sure(head) or _is_list(files, head)


def _data_files(files: FileSet) -> list[str]:
    """Give the data files of a folder; hidden ones are what other systems leave on disks."""
    names = files.names()
    return [each for each in names if each.lower().endswith(DATA_SUFFIXES) and each[0] != "."]


def _sure(head: bytes) -> float:
    """Tell how much the beginning of a file looks like a head."""
    if len(head) < MAP_HEAD.itemsize or head[2:3] != HEAD.encode():
        return 0.0
    fields = np.frombuffer(head, MAP_HEAD, 1)[0]
    length = int(fields["block"]["length"])
    plausible = 1 <= fields["month"] <= 12 and 1 <= fields["day"] <= 31 and fields["hour"] < 24
    if length == FILE_HEAD.itemsize and len(head) >= length:
        known = head[VERSION_AT] == MAP_VERSION
        return 1.0 if known and plausible else 0.5 if known or plausible else 0.0
    is_map = MAP_HEAD.itemsize <= length < FILE_HEAD.itemsize
    return 0.9 if is_map and plausible else 0.0


def _is_list(files: FileSet, head: bytes) -> float:
    """Tell by the lines, which are names of data files."""
    start = head[:1024]
    if files.suffix == LIST_SUFFIX:
        start = start.replace(b"\0", b"")  # of two bytes a character
    if b"\0" in start:
        return 0.0
    lines = [line.strip().lower() for line in decode(start).splitlines() if line.strip()]
    if not lines or not lines[0].endswith(DATA_SUFFIXES):
        return 0.0
    return 0.9 if files.suffix == LIST_SUFFIX else 0.5


def parse_header(opening: Opening) -> Header:
    """Find the files and read their heads."""
    names = _file_names(opening)
    heads = []
    for name in names:
        head = _read_head(opening, name)
        if head is not None:
            heads.append(head)
    if not heads:
        raise CorruptError(opening.files.path, "there is no sound .mpx or .map file in it")
    return Header(tuple(sorted(heads, key=lambda head: head.order)))


def _file_names(opening: Opening) -> list[str]:
    """Give the names of the data files: those listed, those of the folder, or the one opened."""
    files, lists = opening.files, opening.options["lsx_files"]
    if lists:
        wanted = [PureWindowsPath(str(name)).name for name in lists]
        return _listed(opening, [_found(files, name) for name in wanted])
    if files.is_dir:
        names = _data_files(files)
        modern = [name for name in names if name.lower().endswith(DATA_SUFFIXES[0])]
        if names:
            return modern or names
        raise FormatError(files.path, "there are no .mpx (or .map) files in this folder")
    start = files.main.head(1024)
    if not _sure(start) and (files.suffix == LIST_SUFFIX or _is_list(files, start)):
        return _listed(opening, [files.name])
    return [files.name]


def _found(files: FileSet, name: str) -> str:
    there = files.find(name)
    if there is None:
        raise FormatError(files.path, f"the list {name!r} is not there", field="lsx_files")
    return there


def _listed(opening: Opening, lists: Iterable[str]) -> list[str]:
    """Give the data files that lists name, once each; the folders are of another machine."""
    files, names = opening.files, dict[str, None]()
    for each in lists:
        source = files.source(each)
        for line in read_text(source, "list of files").replace("\0", "").splitlines():
            name = PureWindowsPath(line.strip()).name
            if not name:
                continue
            there = files.find(name)
            if there is None:
                opening.note(f"the file {name!r} of the list is not there", path=source.name)
            elif there not in lists:
                names[there] = None
    if not names:
        raise FormatError(files.path, "none of the files that the list names is there")
    return list(names)


# Heads


def _read_head(opening: Opening, name: str) -> FileHead | None:
    """Read the head of a file; of several, unreadable ones may be left out."""
    source = opening.files.source(name)
    try:
        return _parsed(opening, source, name)
    except FormatError as error:
        opening.damaged(error)
        return None


def _parsed(opening: Opening, source: ByteSource, name: str) -> FileHead:
    block = read_struct(source, 0, BLOCK_HEAD, "first block")
    length = int(block["length"])
    if block["kind"] != ord(HEAD) or length < MAP_HEAD.itemsize:
        raise WrongFormatError(
            source.name,
            "the file does not begin with the head of an Alpha Omega file (a block of type h)",
            offset=0,
            field="first block",
        )
    if length > FILE_HEAD.itemsize:
        raise CorruptError(
            source.name,
            f"a head of {length} bytes, expected {FILE_HEAD.itemsize} (.mpx) or fewer (.map)",
            offset=0,
            field="first block",
        )
    is_map = length < FILE_HEAD.itemsize
    fields = read_struct(source, 0, MAP_HEAD if is_map else FILE_HEAD, "file head")
    if not is_map and fields["map_version"] != MAP_VERSION:
        raise UnsupportedVersionError(
            source.name,
            f"map version {fields['map_version']}; {MAP_VERSION} is read",
            offset=VERSION_AT,
            field="map version",
        )
    first, last = _times(opening, source, fields)
    return FileHead(
        name,
        is_map,
        length,
        _recorded(opening, source, fields),
        (int(fields["year"]), int(fields["month"]), int(fields["day"])),
        first,
        last,
        _facts(fields, is_map=is_map),
    )


def _facts(fields: np.void, *, is_map: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {"program_version": int(fields["program_version"])}
    if not is_map:
        facts |= {
            "application": fixed_text(bytes(fields["application"])),
            "map_version": int(fields["map_version"]),
            "resource_version": ".".join(map(str, fields["resource_version"].tolist())),
            "erase_count": int(fields["erase_count"]),
        }
    return facts


def _times(
    opening: Opening, source: ByteSource, fields: np.void
) -> tuple[float | None, float | None]:
    """Give first and last time, if they can be true; both are 0 where they were never written."""
    first, last = float(fields["first_time"]), float(fields["last_time"])
    if first == last == 0:
        return None, None
    if last == 0 and 0 < first <= LATEST:
        return first, None  # written when the file is closed, which did not happen
    if all(map(math.isfinite, (first, last))) and 0 <= first <= last <= LATEST:
        return first, last
    opening.note(
        f"times of the first and last sample {first:g} s and {last:g} s cannot be true; "
        "those of the data are used",
        path=source.name,
        offset=0,
        field="file head",
    )
    return None, None


def _recorded(opening: Opening, source: ByteSource, fields: np.void) -> datetime | None:
    names = ("year", "month", "day", "hour", "minute", "second", "hundredths")
    year, month, day, hour, minute, second, hundredths = (int(fields[name]) for name in names)
    try:
        return datetime(year, month, day, hour, minute, second, 10_000 * hundredths)
    except ValueError:
        opening.note(
            "the date of the recording cannot be true", path=source.name, field="file head"
        )
        return None


# Which file continues which


def chained(heads: Sequence[FileHead], fastest: Sequence[float]) -> list[list[int]]:
    """Join files to recordings.

    Parameters
    ----------
    heads : sequence of FileHead
        In the order of writing.
    fastest : sequence of float
        Highest sampling rate in each file, Hz.

    Returns
    -------
    list of list of int
        Positions of the files of each recording, in order.
    """
    chains: list[list[int]] = []
    for number, head in enumerate(heads):
        near = [
            (_distance(heads[chain[-1]], head), chain)
            for chain in chains
            if _continues(heads[chain[-1]], head, fastest[chain[-1]])
        ]
        if near:
            min(near, key=lambda each: each[0])[1].append(number)
        else:
            chains.append([number])
    return chains


def _continues(before: FileHead, after: FileHead, rate: float) -> bool:
    """Tell whether a file begins with the sample after the last one of another."""
    if before.last_time is None or after.first_time is None or before.day != after.day:
        return False
    if before.is_map != after.is_map:
        return False
    # one sample apart; times are rounded to double precision
    return 0 <= after.first_time - before.last_time <= 1.5 / rate


def _distance(before: FileHead, after: FileHead) -> tuple[bool, float]:
    """Rank what a file may continue: by names that differ in the number only, then by time."""
    stems = {PART.sub("", PureWindowsPath(head.name).stem) for head in (before, after)}
    return len(stems) > 1, (after.first_time or 0.0) - (before.last_time or 0.0)
