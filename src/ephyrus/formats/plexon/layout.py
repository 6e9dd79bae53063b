"""Layout of .plx files: the file header, the channel headers, the head of a block, the gains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError, UnsupportedVersionError, WrongFormatError
from ephyrus.recording import (
    ByteSource,
    Opening,
    corrupt,
    decode,
    read_entries,
    read_struct,
)

MAGIC = b"PLEX"
OLDEST, NEWEST = 100, 107
USUAL_CLOCK = 40_000  # Hz
MOST_CHANNELS = 2**16  # blocks number their channel with 16 bits
MOST_STRANGERS = 1024  # channels without a header; more are not a recording, but broken blocks
MOST_LISTED = 20  # numbers in a note
STROBED = 257  # event channel of digital words

FILE_HEADER = np.dtype(
    {
        "names": [
            "magic", "version", "comment", "clock", "spike_channels", "event_channels",
            "slow_channels", "points", "points_before", "date", "waveform_rate", "trodality",
            "data_trodality", "spike_bits", "slow_bits", "spike_full_scale", "slow_full_scale",
            "spike_preamplifier_gain", "acquiring_software", "processing_software",
        ],
        "formats": [
            "S4", "<i4", "S128", "<i4", "<i4", "<i4",
            "<i4", "<i4", "<i4", ("<i4", 6), "<i4", "u1",
            "u1", "u1", "u1", "<u2", "<u2",
            "<u2", "S18", "S18",
        ],
        "offsets": [
            0, 4, 8, 136, 140, 144,
            148, 152, 156, 160, 188, 200,
            201, 202, 203, 204, 206,
            208, 210, 228,
        ],
        "itemsize": 7504,
    }
)  # fmt: skip
SPIKE_CHANNEL = np.dtype(
    {
        "names": ["name", "sig_name", "channel", "reference", "gain", "filter", "threshold",
                  "method", "comment", "source", "source_channel"],
        "formats": ["S32", "S32", "<i4", "<i4", "<i4", "<i4", "<i4", "<i4", "S128", "u1", "<u2"],
        "offsets": [0, 32, 64, 76, 80, 84, 88, 92, 848, 976, 978],
        "itemsize": 1020,
    }
)  # fmt: skip
EVENT_CHANNEL = np.dtype(
    {
        "names": ["name", "channel", "comment", "source", "source_channel"],
        "formats": ["S32", "<i4", "S128", "u1", "<u2"],
        "offsets": [0, 32, 36, 164, 166],
        "itemsize": 296,
    }
)
SLOW_CHANNEL = np.dtype(
    {
        "names": ["name", "channel", "rate", "gain", "preamplifier_gain", "spike_channel",
                  "comment", "source", "source_channel"],
        "formats": ["S32", "<i4", "<i4", "<i4", "<i4", "<i4", "S128", "u1", "<u2"],
        "offsets": [0, 32, 36, 40, 48, 52, 56, 184, 186],
        "itemsize": 296,
    }
)  # fmt: skip
BLOCK = np.dtype(
    [
        ("type", "<u2"),
        ("high", "<u2"),  # bits 32-39 of the time stamp
        ("low", "<u4"),
        ("channel", "<u2"),
        ("unit", "<u2"),  # of events: the strobed word
        ("waves", "<u2"),
        ("words", "<u2"),
    ]
)


@dataclass(frozen=True, slots=True)
class Range:
    """What the converter of one kind of data spans.

    Attributes
    ----------
    full_scale : float
        Millivolt at the largest count, behind the amplifiers.
    largest : float
        That count: half of two to the number of bits.
    preamplifier : float or None
        Gain before that of the channel; None: each channel has its own.
    is_assumed : bool
        The header holds zeros, so that the range of older versions is taken.
    lacks_gain : bool
        The header holds a preamplifier gain of 0, so that 1 is taken.
    """

    full_scale: float
    largest: float
    preamplifier: float | None
    is_assumed: bool = False
    lacks_gain: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What stands before the blocks.

    Attributes
    ----------
    version : int
        Version of the file.
    clock : Fraction
        Ticks per second; an assumed one if `clock_found` is not above 0.
    clock_found : int
        What the header says.
    waveform_rate : Fraction
        Samples per second of waveforms; the clock if the header has none.
    points_before : int
        Samples before a waveform's time.
    spikes, slow : Range
        How counts become millivolt.
    spike_channels, event_channels, slow_channels : structured ndarray
        Channel headers.
    data_offset : int
        First byte of the first block.
    recorded : datetime or None
        When the recording began.
    facts : mapping
        Annotations of the block.
    """

    version: int
    clock: Fraction
    clock_found: int
    waveform_rate: Fraction
    points_before: int
    spikes: Range
    slow: Range
    spike_channels: NDArray[Any]
    event_channels: NDArray[Any]
    slow_channels: NDArray[Any]
    data_offset: int
    recorded: datetime | None
    facts: Mapping[str, Any] = field(default_factory=dict)


def text(raw: bytes) -> str:
    """Decode a text of fixed width; programs leave old bytes behind its end."""
    return decode(bytes(raw).split(b"\0", 1)[0]).strip()


def channel_facts(row: Any, version: int) -> dict[str, Any]:
    """Give what the later versions say of every channel: a comment, and where it comes from."""
    facts: dict[str, Any] = {}
    if version >= 105 and text(row["comment"]):
        facts["comment"] = text(row["comment"])
    if version >= 106:
        facts["source_id"] = int(row["source"])
        facts["source_channel"] = int(row["source_channel"])
    return facts


def parse(opening: Opening) -> Header:
    """Read everything before the blocks.

    Raises
    ------
    WrongFormatError, UnsupportedVersionError
        If it is no .plx file.
    FormatError
        If a count is negative, or a table does not fit in the file.
    """
    source = opening.files.main
    _check_magic(opening, source)
    head = read_struct(source, 0, FILE_HEADER, "file header")
    version = int(head["version"])
    if not OLDEST <= version <= NEWEST:
        nearest = min(max(version, OLDEST), NEWEST)
        opening.note(
            f"version {version} is not known ({OLDEST} to {NEWEST} are); read as {nearest}",
            offset=4,
            field="version",
        )
        version = nearest
    clock, waveform_rate = _rates(opening, head)
    tables, data_offset = _channel_tables(source, head)
    return Header(
        version=version,
        clock=clock,
        clock_found=int(head["clock"]),
        waveform_rate=waveform_rate,
        points_before=int(head["points_before"]),
        spikes=_spike_range(head, version),
        slow=_slow_range(head, version),
        spike_channels=tables[0],
        event_channels=tables[1],
        slow_channels=tables[2],
        data_offset=data_offset,
        recorded=_date(opening, head["date"].tolist()),
        facts=_facts(head, version),
    )


def _check_magic(opening: Opening, source: ByteSource) -> None:
    found = source.head(len(MAGIC))
    if found == MAGIC:
        return
    if opening.files.suffix == "pl2":
        raise UnsupportedVersionError(
            source.name,
            "a .pl2 file, which is another format and not read; export it as .plx with Plexon's "
            "programs",
            offset=0,
            field="magic",
        )
    raise WrongFormatError(
        source.name, f"it begins with {found!r}, expected {MAGIC!r}", offset=0, field="magic"
    )


def _rates(opening: Opening, head: np.void) -> tuple[Fraction, Fraction]:
    """Give the clock and the rate of waveforms; where one is missing the other stands for it."""
    clock, rate = int(head["clock"]), int(head["waveform_rate"])
    if clock <= 0:
        assumed = rate if rate > 0 else USUAL_CLOCK
        opening.note(
            f"a time stamp frequency of {clock} Hz; {assumed} Hz is assumed",
            offset=136,
            field="time stamp frequency",
        )
        clock = assumed
    return Fraction(clock), Fraction(rate if rate > 0 else clock)


def _channel_tables(source: ByteSource, head: np.void) -> tuple[list[NDArray[Any]], int]:
    """Read the three tables of channels, and give the place behind them."""
    offset = FILE_HEADER.itemsize
    tables = []
    for name, dtype in (
        ("spike_channels", SPIKE_CHANNEL),
        ("event_channels", EVENT_CHANNEL),
        ("slow_channels", SLOW_CHANNEL),
    ):
        count, label = int(head[name]), f"number of {name.replace('_', ' ')}"
        if count > MOST_CHANNELS:
            place = FILE_HEADER.fields[name][1] if FILE_HEADER.fields else None
            corrupt(source, f"{count:,}, at most {MOST_CHANNELS:,}", offset=place, field=label)
        tables.append(np.array(read_entries(source, offset, dtype, count, label)))
        offset += count * dtype.itemsize
    return tables, offset


def _spike_range(head: np.void, version: int) -> Range:
    found = float(head["spike_preamplifier_gain"]) if version >= 105 else 1000.0
    return replace(_range(head, "spike", version, 3000.0, found or 1.0), lacks_gain=found == 0)


def _slow_range(head: np.void, version: int) -> Range:
    return _range(head, "slow", version, 5000.0, None if version >= 102 else 1000.0)


def _range(
    head: np.void, kind: str, version: int, usual: float, preamplifier: float | None
) -> Range:
    """Give the range of a kind of data; older versions have 12 bits and a fixed full scale."""
    full, bits = int(head[f"{kind}_full_scale"]), int(head[f"{kind}_bits"])
    if version < 103 or not full or not bits:
        return Range(usual, 2048.0, preamplifier, version >= 103)
    return Range(float(full), 0.5 * 2.0**bits, preamplifier)


def _date(opening: Opening, parts: list[int]) -> datetime | None:
    try:
        return datetime(*parts)  # type: ignore[arg-type]  # six numbers: year to second
    except (ValueError, OverflowError):
        if any(parts):
            opening.note(f"{parts} is no date; it is ignored", offset=160, field="date")
        return None


def _facts(head: np.void, version: int) -> dict[str, Any]:
    """Give the annotations that a version has."""
    facts: dict[str, Any] = {
        "plexon_version": int(head["version"]),
        "comment": text(head["comment"]),
    }
    if version >= 103:
        facts["trodality"] = int(head["trodality"])
        facts["data_trodality"] = int(head["data_trodality"])
    if version >= 106:
        facts["acquiring_software"] = text(head["acquiring_software"])
        facts["processing_software"] = text(head["processing_software"])
    return facts


def millivolt(scale: Range, gain: int, preamplifier: int) -> float:
    """Give the factor that makes counts of a channel millivolt; gains of 0 count as 1.

    Parameters
    ----------
    scale : Range
        Range of the kind of data.
    gain, preamplifier : int
        Gains of the channel; the second where `scale` has none.
    """
    before = scale.preamplifier or float(preamplifier or 1)
    return scale.full_scale / (scale.largest * float(gain or 1) * before)


def listed(numbers: Sequence[int]) -> str:
    """List the first numbers in words."""
    more = f" and {len(numbers) - MOST_LISTED:,} more" if len(numbers) > MOST_LISTED else ""
    return ", ".join(map(str, numbers[:MOST_LISTED])) + more


def described_groups(
    opening: Opening, kind: str, table: NDArray[Any], groups: Sequence[tuple[int, slice]]
) -> tuple[list[tuple[int, slice]], dict[int, Any]]:
    """Find the headers of the channels that have data; of equal numbers the first one counts.

    Parameters
    ----------
    opening : Opening
        Is told of headers that share a number, and of too many channels without a header.
    kind : str
        Kind of the channels, for what is told.
    table : structured ndarray
        Channel headers.
    groups : sequence of (int, slice)
        Channel number and blocks of each channel that has data.

    Returns
    -------
    groups : list of (int, slice)
        The same; without those that have no header where they are too many (salvage).
    rows : dict of int to structured scalar
        Header by channel number.

    Raises
    ------
    CorruptError
        If more channels than a recording can have are not in the headers.
    """
    rows = {int(row["channel"]): row for row in table[::-1]}
    numbers = table["channel"].tolist()
    doubled = {number for number, times in Counter(numbers).items() if times > 1}
    shared = [number for number, _ in groups if number in doubled]
    if shared:
        opening.note(
            f"{kind} channels {listed(shared)} have data and several headers; the first one counts",
            field=f"{kind} channel header",
        )
    return known_groups(opening, kind, rows, groups), rows


def known_groups(
    opening: Opening, kind: str, known: Container[int], groups: Sequence[tuple[int, slice]]
) -> list[tuple[int, slice]]:
    """Refuse channels without a header where they are too many; salvage leaves them out."""
    strangers = [place for number, place in groups if number not in known]
    if len(strangers) <= MOST_STRANGERS:
        return list(groups)
    opening.damaged(
        CorruptError(
            opening.files.main.name,
            f"{len(strangers):,} {kind} channels have data and no header: the blocks cannot be "
            "sound",
            offset=FILE_HEADER.fields[f"{kind}_channels"][1] if FILE_HEADER.fields else None,
            field=f"number of {kind} channels",
        ),
        lost=sum(place.stop - place.start for place in strangers),
    )
    return [(number, place) for number, place in groups if number in known]


def check_clock(opening: Opening, header: Header) -> None:
    """Refuse data whose times nothing tells; salvage keeps the assumed clock (noted before)."""
    if header.clock_found > 0 or opening.salvage:
        return
    raise CorruptError(
        opening.files.main.name,
        f"a time stamp frequency of {header.clock_found} Hz: the times of its blocks cannot be "
        f"told; salvage=True assumes {header.clock} Hz",
        offset=136,
        field="time stamp frequency",
    )
