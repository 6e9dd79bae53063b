"""Headers of .nev and .nsX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import TruncatedError, UnsupportedVersionError
from ephyrus.formats.blackrock.layout import (
    EXTENDED,
    EXTENDED_HEADERS,
    FILTER_TYPES,
    NEV_BASIC,
    NEV_MAGICS,
    NSX_BASIC,
    NSX_CHANNEL,
    NSX_MAGICS,
    NSX_OLD_BASIC,
    TICKS_PER_SECOND,
)
from ephyrus.formats.blackrock.members import find_members
from ephyrus.recording import (
    ByteSource,
    Channels,
    Opening,
    checked_count,
    corrupt,
    fixed_text,
    positive,
    read_entries,
    read_struct,
)

__all__ = ["Header", "NevHeader", "NsxHeader", "filter_facts", "parse_header", "version_text"]

SMALLEST_PACKET = 12
OLD_FACTOR, TRUE_FACTOR = 21516, 152592.547  # of old firmware: an overflow, and what it means
NEURAL_CHANNELS = 128  # electrodes beyond are analog inputs

Version = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class NevHeader:
    """What a .nev file says of itself.

    Attributes
    ----------
    name : str
        Name of the file.
    version : (int, int)
        File specification.
    start, packet_bytes : int
        First byte of the packets, and size of one.
    resolution : int
        Time stamps per second.
    wave_rate : int
        Samples per second of the waveforms.
    is_16_bit : bool
        All waveforms have 16-bit samples.
    waves, filters : mapping of int to numpy.void
        NEUEVWAV and NEUEVFLT headers by electrode.
    labels : mapping of int to str
        Labels of electrodes.
    facts : mapping
        Annotations from the other extended headers.
    """

    name: str
    version: Version
    start: int
    packet_bytes: int
    resolution: int
    wave_rate: int
    is_16_bit: bool
    recorded: datetime | None
    application: str
    comment: str
    waves: Mapping[int, np.void]
    filters: Mapping[int, np.void]
    labels: Mapping[int, str]
    facts: Mapping[str, Any]

    @property
    def major(self) -> int:
        """First number of the file specification."""
        return self.version[0]

    def factor(self, electrode: int) -> float:
        """Nanovolts per bit; 0 where the file does not say."""
        wave = self.waves.get(electrode)
        stored = 0 if wave is None else int(wave["factor"])
        return TRUE_FACTOR if stored == OLD_FACTOR else float(stored)


@dataclass(frozen=True, slots=True, eq=False)
class NsxHeader:
    """What an .nsX file says of itself.

    Attributes
    ----------
    number : int
        The X.
    name : str
        Name of the file.
    version : (int, int)
        File specification.
    start : int
        First byte of the data.
    period : int
        Sampling interval in 1/30000 s.
    resolution : int
        Time stamps per second.
    channels : Channels
        One per electrode.
    """

    number: int
    name: str
    version: Version
    start: int
    period: int
    resolution: int
    channels: Channels
    label: str = ""
    comment: str = ""
    recorded: datetime | None = None

    @property
    def rate(self) -> Fraction:
        """Samples per second."""
        return Fraction(TICKS_PER_SECOND, self.period)

    @property
    def ticks_per_sample(self) -> Fraction:
        """Sampling interval on the clock of the time stamps."""
        return Fraction(self.resolution * self.period, TICKS_PER_SECOND)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return 2 * len(self.channels)


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """The headers of all files that are read."""

    nev: NevHeader | None
    nsx: Sequence[NsxHeader] = field(default_factory=tuple)

    @property
    def members(self) -> list[NevHeader | NsxHeader]:
        """The headers of all files, that of spikes and events first."""
        return [*self.nsx] if self.nev is None else [self.nev, *self.nsx]


def version_text(version: Version) -> str:
    """Give a file specification as people write it."""
    return f"{version[0]}.{version[1]}"


def parse_header(opening: Opening) -> Header:
    """Read the headers of the recording's files.

    Raises
    ------
    WrongFormatError, UnsupportedVersionError, CorruptError, TruncatedError
        If a header cannot be true.
    ValueError
        If options name files that are not there, or cannot be meant.
    """
    tolerance = opening.options.get("gap_tolerance_ms")
    if tolerance is not None and not tolerance >= 0:
        raise ValueError(f"option gap_tolerance_ms={tolerance!r}: expected 0 or more")
    members = find_members(opening)
    nev = None
    if members.nev is not None:
        nev = _parse_nev(opening, members.nev)
    nsx = tuple(_parse_nsx(opening, number, name, nev) for number, name in members.nsx.items())
    header = Header(nev, nsx)
    versions = {each.version for each in header.members}
    if len(versions) > 1:
        texts = ", ".join(map(version_text, sorted(versions)))
        opening.note(
            f"its files are of different specifications ({texts}); each is read as its own"
        )
    return header


def _version(
    opening: Opening, source: ByteSource, basic: np.void, known: Mapping[bytes, Sequence[Version]]
) -> Version:
    """Check the version against those that the magic bytes stand for."""
    magic, version = bytes(basic["magic"]), (int(basic["major"]), int(basic["minor"]))
    versions = known[magic]
    if version not in versions:
        texts = " or ".join(map(version_text, versions))
        reason = f"file specification {version_text(version)}; {magic.decode()} is read as {texts}"
        opening.damaged(UnsupportedVersionError(source.name, reason, offset=8, field="version"))
        return versions[-1]
    return version


def _header_end(source: ByteSource, stated: int, needed: int, offset: int) -> int:
    """Check where the header is said to end."""
    if stated < needed:
        corrupt(
            source,
            f"headers of {stated:,} bytes; those that are listed need {needed:,}",
            offset=offset,
            field="bytes in headers",
        )
    if stated > source.size:
        raise TruncatedError(
            source.name,
            f"headers of {stated:,} bytes, the file has {source.size:,}",
            offset=offset,
            field="bytes in headers",
        )
    return stated


def _date(opening: Opening, source: ByteSource, stored: NDArray[Any]) -> datetime | None:
    """Read a date; one of zeros is none."""
    year, month, _, day, hour, minute, second, millisecond = (int(part) for part in stored)
    if not year and not month and not day:
        return None
    try:
        return datetime(year, month, day, hour, minute, second, millisecond * 1000)
    except ValueError:
        opening.note(f"a date of {[*map(int, stored)]} is none", path=source.name, field="date")
        return None


def _parse_nev(opening: Opening, name: str) -> NevHeader:
    source = opening.files.source(name)
    basic = read_struct(source, 0, NEV_BASIC, "basic header")
    version = _version(opening, source, basic, NEV_MAGICS)
    count = int(basic["extended"])
    entries = read_entries(source, NEV_BASIC.itemsize, EXTENDED, count, "extended headers")
    needed = NEV_BASIC.itemsize + count * EXTENDED.itemsize
    start = _header_end(source, int(basic["header_bytes"]), needed, 12)
    packet_bytes = int(basic["packet_bytes"])
    if packet_bytes < SMALLEST_PACKET:
        corrupt(source, f"packets of {packet_bytes} bytes", offset=16, field="bytes per packet")
    resolution = int(positive(source, basic["resolution"], "time stamp resolution", offset=20))
    wave_rate = int(basic["wave_rate"])
    if not wave_rate:
        wave_rate = TICKS_PER_SECOND
        opening.note(
            f"a waveform sampling rate of 0; {wave_rate} Hz is assumed",
            path=source.name,
            offset=24,
            field="waveform sampling rate",
        )
    return NevHeader(
        name=name,
        version=version,
        start=start,
        packet_bytes=packet_bytes,
        resolution=resolution,
        wave_rate=wave_rate,
        is_16_bit=bool(basic["flags"] & 1),
        recorded=_date(opening, source, basic["date"]),
        application=fixed_text(basic["application"]),
        comment=fixed_text(basic["comment"]),
        waves=_by_electrode(entries, b"NEUEVWAV"),
        filters=_by_electrode(entries, b"NEUEVFLT"),
        labels={
            electrode: fixed_text(entry["label"])
            for electrode, entry in _by_electrode(entries, b"NEUEVLBL").items()
        },
        facts=_facts(entries),
    )


def _of_kind(entries: NDArray[Any], kind: bytes) -> NDArray[Any]:
    """Give the extended headers of one kind, as what they are."""
    found: NDArray[Any] = entries[entries["id"] == kind].view(EXTENDED_HEADERS[kind])
    return found


def _by_electrode(entries: NDArray[Any], kind: bytes) -> dict[int, np.void]:
    """Give the extended headers of one kind by electrode; the first of an electrode counts."""
    found: dict[int, np.void] = {}
    for entry in _of_kind(entries, kind):
        found.setdefault(int(entry["electrode"]), entry)
    return found


def _facts(entries: NDArray[Any]) -> dict[str, Any]:
    """Make annotations of the extended headers that belong to no electrode."""
    facts: dict[str, Any] = {}
    names = {b"ARRAYNME": "array_name", b"MAPFILE": "map_file"}
    for kind, key in names.items():
        if len(found := _of_kind(entries, kind)):
            facts[key] = fixed_text(found[0]["text"])
    if comments := _comments(entries):
        facts["extra_comments"] = comments
    lists = {
        "digital_labels": [
            {"label": fixed_text(each["label"]), "mode": "parallel" if each["mode"] else "serial"}
            for each in _of_kind(entries, b"DIGLABEL")
        ],
        "video_sources": [
            {
                "source": int(each["source"]),
                "label": fixed_text(each["name"]),
                "frame_rate": float(each["frame_rate"]),
            }
            for each in _of_kind(entries, b"VIDEOSYN")
        ],
        "tracking_objects": [
            {
                "type": int(each["type"]),
                "id": int(each["track"]),
                "points": int(each["points"]),
                "video_source": fixed_text(each["source"]),
            }
            for each in _of_kind(entries, b"TRACKOBJ")
        ],
        "periodic_sampling": [
            {
                "frequency": int(each["frequency"]),
                "digital_config": int(each["digital"]),
                "analog_configs": each["analog"]["config"].tolist(),
                "analog_thresholds": each["analog"]["threshold"].tolist(),
            }
            for each in _of_kind(entries, b"NSASEXEV")
        ],
    }
    return facts | {key: found for key, found in lists.items() if found}


def _comments(entries: NDArray[Any]) -> list[str]:
    """Join comments with those that continue them."""
    texts: list[bytes] = []
    chosen = entries[(entries["id"] == b"ECOMMENT") | (entries["id"] == b"CCOMMENT")]
    for entry in chosen.view(EXTENDED_HEADERS[b"ECOMMENT"]):
        if entry["id"] == b"CCOMMENT" and texts:
            texts[-1] += bytes(entry["text"])
        else:
            texts.append(bytes(entry["text"]))
    return [fixed_text(text) for text in texts]


def _parse_nsx(opening: Opening, number: int, name: str, nev: NevHeader | None) -> NsxHeader:
    source = opening.files.source(name)
    if source.head(8) == b"NEURALSG":
        return _parse_old_nsx(opening, number, source, name, nev)
    basic = read_struct(source, 0, NSX_BASIC, "basic header")
    version = _version(opening, source, basic, NSX_MAGICS)
    count = _channel_count(source, int(basic["channels"]), 310)
    entries = read_entries(source, NSX_BASIC.itemsize, NSX_CHANNEL, count, "channel headers")
    if (wrong := entries["type"] != b"CC").any():
        at = int(np.flatnonzero(wrong)[0])
        corrupt(
            source,
            f"a channel header begins with {bytes(entries['type'][at])!r}, expected b'CC'",
            offset=NSX_BASIC.itemsize + at * NSX_CHANNEL.itemsize,
            field=f"channel header {at}",
        )
    needed = NSX_BASIC.itemsize + count * NSX_CHANNEL.itemsize
    return NsxHeader(
        number=number,
        name=name,
        version=version,
        start=_header_end(source, int(basic["header_bytes"]), needed, 10),
        period=int(positive(source, basic["period"], "period", offset=286)),
        resolution=int(positive(source, basic["resolution"], "time stamp resolution", offset=290)),
        channels=_channels(opening, source, entries),
        label=fixed_text(basic["label"]),
        comment=fixed_text(basic["comment"]),
        recorded=_date(opening, source, basic["date"]),
    )


def _channel_count(source: ByteSource, count: int, offset: int) -> int:
    if count == 0:
        corrupt(source, "no channels", offset=offset, field="channel count")
    return count


def _parse_old_nsx(
    opening: Opening, number: int, source: ByteSource, name: str, nev: NevHeader | None
) -> NsxHeader:
    """Read the header of 2.1, whose scale and units are those of the .nev file."""
    basic = read_struct(source, 0, NSX_OLD_BASIC, "basic header")
    first = NSX_OLD_BASIC.itemsize
    count = checked_count(source, int(basic["channels"]), 4, first, "electrode ids")
    _channel_count(source, count, 28)
    electrodes = read_entries(source, first, np.dtype("<u4"), count, "electrode ids").tolist()
    factors = np.array([0.0 if nev is None else nev.factor(each) for each in electrodes])
    if not factors.all():
        missing = f"{np.count_nonzero(factors == 0)} of {count} channels"
        reason = "there is no .nev file" if nev is None else "the .nev file does not tell of them"
        opening.note(
            f"the scale of {missing} is not known ({reason}): raw counts are given without unit",
            path=source.name,
        )
    channels = Channels.table(
        [_old_name(electrode) for electrode in electrodes],
        ids=_unique_ids(electrodes),
        units=["uV" if factor else "" for factor in factors],
        gain=np.where(factors > 0, factors / 1000, 1.0),
    )
    return NsxHeader(
        number=number,
        name=name,
        version=(2, 1),
        start=first + 4 * count,
        period=int(positive(source, basic["period"], "period", offset=24)),
        resolution=TICKS_PER_SECOND,
        channels=channels,
        label=fixed_text(basic["label"]),
    )


def _old_name(electrode: int) -> str:
    if electrode <= NEURAL_CHANNELS:
        return f"chan{electrode}"
    return f"ainp{electrode - NEURAL_CHANNELS}"


def _unique_ids(electrodes: Sequence[int]) -> list[str]:
    """Give electrodes as ids; one that is recorded again gets a number behind a point."""
    seen: dict[int, int] = {}
    ids = []
    for electrode in electrodes:
        times = seen[electrode] = seen.get(electrode, -1) + 1
        ids.append(f"{electrode}.{times}" if times else str(electrode))
    return ids


def _channels(opening: Opening, source: ByteSource, entries: NDArray[Any]) -> Channels:
    """Make the channels table of 2.2 and later."""
    digital = entries["max_digital"].astype(np.float64) - entries["min_digital"]
    analog = entries["max_analog"].astype(np.float64) - entries["min_analog"]
    known = (digital != 0) & (analog != 0)
    if not known.all():
        opening.note(
            f"the ranges of {np.count_nonzero(~known)} of {known.size} channels are empty: "
            "raw counts are given without unit",
            path=source.name,
            field="channel headers",
        )
    gain = np.divide(analog, digital, out=np.ones(known.size), where=known)
    offset = np.where(known, entries["min_analog"] - entries["min_digital"] * gain, 0.0)
    electrodes = entries["electrode"].tolist()
    labels = [fixed_text(label) for label in entries["label"]]
    units = [
        fixed_text(unit) if good else "" for unit, good in zip(entries["units"], known, strict=True)
    ]
    return Channels.table(
        [label or f"chan{each}" for label, each in zip(labels, electrodes, strict=True)],
        ids=_unique_ids(electrodes),
        units=units,
        gain=gain,
        offset=offset,
        extra={
            "connector": entries["connector"].astype(np.int64),
            "pin": entries["pin"].astype(np.int64),
            **filter_facts(entries),
        },
    )


def filter_facts(entries: NDArray[Any] | np.void) -> dict[str, NDArray[Any]]:
    """Give corner frequencies (Hz), orders and types of filters."""
    facts: dict[str, NDArray[Any]] = {}
    for name in ("high_pass", "low_pass"):
        kinds = np.atleast_1d(entries[f"{name}_type"]).tolist()
        facts[f"{name}_frequency"] = np.atleast_1d(entries[name]) / 1000
        facts[f"{name}_order"] = np.atleast_1d(entries[f"{name}_order"]).astype(np.int64)
        facts[f"{name}_type"] = np.array([FILTER_TYPES.get(kind, str(kind)) for kind in kinds])
    return facts
