"""Header of the Axon Text Format: quoted ``Key=value`` lines and column titles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ephyrus.recording import (
    HEADER_BYTES,
    ByteSource,
    Channels,
    Opening,
    corrupt,
    decode,
)
from ephyrus.recording.plaintext import TIME_UNITS

FIRST_LINE = re.compile(rb"(?:\xef\xbb\xbf)?\"?ATF[\t ,]+([0-9][0-9.]*)")
QUOTED = re.compile(r'"([^"]*)"|([^\t,"]+)')
UNITS = re.compile(r"\(([^()]*)\)[^()]*$")
HEAD_PIECE = 64 * 1024
LONGEST = 1e9  # s; times beyond cannot be true


@dataclass(frozen=True, slots=True, eq=False)
class TextHeader:
    """What the header of an ATF file says.

    Attributes
    ----------
    version : str
        Of the text format.
    keys : mapping of str to str
        Values of the optional header lines.
    has_time : bool
        The first column holds times.
    time_unit : Fraction
        Seconds per unit of that column.
    columns : int
        Columns of the table, times included.
    sweeps : int
        Sweeps side by side in the table.
    channels : Channels
        The signals of each sweep.
    start_times : tuple of float
        Seconds of sweep starts; empty where the file does not say.
    body : int
        Offset of the first row.
    annotations : mapping
        Facts of the whole recording.
    """

    version: str
    keys: Mapping[str, str]
    has_time: bool
    time_unit: Fraction
    columns: int
    sweeps: int
    channels: Channels
    start_times: tuple[float, ...]
    body: int
    annotations: Mapping[str, Any]


def is_text(head: bytes) -> bool:
    """Tell whether a file begins like an ATF file."""
    return FIRST_LINE.match(head) is not None


def parse(opening: Opening, source: ByteSource) -> TextHeader:
    """Read the header of an ATF file; the table is not looked at.

    Raises
    ------
    CorruptError
        If counts are missing or cannot be true.
    """
    first = FIRST_LINE.match(source.head(64))
    version = "" if first is None else first.group(1).decode("ascii")
    optional, columns = _counts(source, _header_lines(source, 2)[0][1])
    lines, body = _header_lines(source, 3 + optional)
    keys: dict[str, str] = {}
    signals: list[str] = []
    for line in lines[2:-1]:
        key, value, others = _entry(line)
        keys[key] = value
        if key == "Signals":
            signals = [*([value] if value else []), *others]
    titles = _fields(lines[-1])
    if len(titles) != columns:
        corrupt(
            source,
            f"{len(titles)} column titles for {columns} columns",
            offset=body,
            field="column titles",
        )
    has_time = titles[0].lower().startswith("time")
    names, sweeps = _signal_names(opening, source, keys, signals, titles[has_time:])
    if not names:
        corrupt(source, "there is no column but the times", field="column titles")
    units = [_units(title) for title in titles[has_time:]]
    if units != units[: len(names)] * sweeps:
        opening.note(
            "units differ between sweeps; those of the first sweep are given",
            path=source.name,
            field="column titles",
        )
    mode = keys.get("AcquisitionMode", "")
    return TextHeader(
        version=version,
        keys=keys,
        has_time=has_time,
        time_unit=_time_unit(opening, source, titles[0]) if has_time else Fraction(1),
        columns=columns,
        sweeps=sweeps,
        channels=Channels.table(names, units=units[: len(names)]),
        start_times=_start_times(opening, source, keys, sweeps),
        body=body,
        annotations={
            "atf_version": version,
            "file_comment": keys.get("Comment", ""),
            "operation_mode": mode,
            "header": dict(keys),
        },
    )


def _header_lines(source: ByteSource, count: int) -> tuple[list[str], int]:
    """First lines of the file without their ends, and the offset behind them."""
    size = HEAD_PIECE
    while True:
        raw = source.head(size)
        if raw.count(b"\n") >= count or size >= min(source.size, HEADER_BYTES):
            break
        size *= 8
    lines = raw.split(b"\n", count)
    if len(lines) < count or (len(lines) == count and raw[-1:] == b"\n"):
        corrupt(source, f"{count} header lines are promised, {len(lines)} are there", field="head")
    offset = sum(len(line) + 1 for line in lines[:count])
    return [decode(line).rstrip("\r") for line in lines[:count]], min(offset, source.size)


def _counts(source: ByteSource, line: str) -> tuple[int, int]:
    """Numbers of optional header lines and of columns."""
    try:
        optional, columns = (int(part) for part in re.split(r"[\t ,]+", line.strip())[:2])
    except ValueError:
        optional, columns = -1, -1
    if optional < 0 or columns < 1 or optional > source.size or columns > source.size:
        corrupt(
            source,
            f"found {line[:40]!r}, expected the numbers of header lines and of columns",
            field="second line",
        )
    return optional, columns


def _fields(line: str) -> list[str]:
    """Cells of a line of quoted texts."""
    found = QUOTED.findall(line)
    return [plain.strip() or quoted for quoted, plain in found if plain.strip() or not plain]


def _entry(line: str) -> tuple[str, str, list[str]]:
    """Key, value, and further cells of a header line."""
    cells = _fields(line) if line.startswith('"') else [line]
    key, _, value = (cells[0] if cells else "").partition("=")
    return key.strip(), value.strip(), cells[1:]


def _units(title: str) -> str:
    found = UNITS.search(title)
    return found.group(1).strip() if found else ""


def _plain(title: str) -> str:
    return UNITS.sub("", title).strip()


def _time_unit(opening: Opening, source: ByteSource, title: str) -> Fraction:
    unit = _units(title)
    if unit not in TIME_UNITS:
        opening.note(
            f"times are in {unit!r}, which is not known; seconds are assumed",
            path=source.name,
            field="column titles",
        )
    return 1 / TIME_UNITS.get(unit, Fraction(1))


def _signal_names(
    opening: Opening,
    source: ByteSource,
    keys: Mapping[str, str],
    signals: Sequence[str],
    titles: Sequence[str],
) -> tuple[list[str], int]:
    """Names of the signals of a sweep, and the number of sweeps in the table."""
    exported = [name.strip() for name in keys.get("SignalsExported", "").split(",") if name.strip()]
    starts = [part for part in keys.get("SweepStartTimesMS", "").split(",") if part.strip()]
    names = exported or list(dict.fromkeys(signals))
    if not names and starts and len(titles) % len(starts) == 0:
        names = [_plain(title) for title in titles[: len(titles) // len(starts)]]
    if names and len(titles) % len(names) == 0:
        return names, len(titles) // len(names)
    if names:
        opening.note(
            f"{len(titles)} columns are not a multiple of {len(names)} signals; "
            "each column is taken as a signal",
            path=source.name,
            field="SignalsExported",
        )
    return [_plain(title) or f"ch{k}" for k, title in enumerate(titles)], 1


def _start_times(
    opening: Opening, source: ByteSource, keys: Mapping[str, str], sweeps: int
) -> tuple[float, ...]:
    """Sweep starts in seconds; empty if the file does not give one for each sweep."""
    text = keys.get("SweepStartTimesMS", "")
    try:
        starts = tuple(float(part) / 1000 for part in text.split(",") if part.strip())
    except ValueError:
        starts = ()
    if text and (len(starts) < sweeps or not np.all(np.abs(starts) < LONGEST)):
        opening.note(
            f"{text[:60]!r} are not {sweeps} times; sweeps are taken to follow each other",
            path=source.name,
            field="SweepStartTimesMS",
        )
        return ()
    return starts[:sweeps]
