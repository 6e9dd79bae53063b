"""The header file: finding it, and reading it."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError, FormatError, UnsupportedVersionError
from ephyrus.formats.brainvision.layout import (
    DATA_SUFFIXES,
    HEADER_LINE,
    HEADER_SUFFIXES,
    MARKER_LINE,
    MARKER_SUFFIXES,
    NUMBER_FORMATS,
    Section,
    TextFile,
    parse_text,
    real_number,
    unescaped,
    unit_text,
    whole_number,
)
from ephyrus.recording import HEADER_BYTES, SNIFF_BYTES, Channels, FileSet, Opening, corrupt
from ephyrus.recording.plaintext import UTF8_MARK

__all__ = ["Header", "TextLayout", "parse_header", "read_text_file", "sniff"]

_NAME_BYTES = 255  # longest file name that file systems have
# Other formats with the ending .eeg: Nihon Kohden begins with the name of the device.
_FOREIGN = (b"EEG-", b"QI-403A", b"DAE-2100D")
_FOREIGN_COMPANIONS = ("{name}.ent", "{stem}.xml")  # ELAN, Neuroscope
_CREATED = re.compile(r";\s*data created by (?:the )?(.+)", re.IGNORECASE)
_INTERVALS = 1e-9, 1e15  # microseconds; beyond them it is no sampling interval
_DOUBLE_DIGITS = 15
_ROUNDED_DIGITS = 9  # intervals with as many digits are taken as rounded


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How numbers stand in a text data file."""

    decimal_symbol: str
    skip_lines: int
    skip_columns: int


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What the header file says.

    Attributes
    ----------
    name, path : str
        The header file: name within the recording's files, and path for error messages.
    data_file : str
        Name of the data file, found.
    marker_file : str or None
        Name of the marker file, found.
    text : TextLayout or None
        Present if data are text.
    is_vectorized : bool
        All points of a channel are together.
    dtype : numpy.dtype
        Type of the stored numbers.
    stored_channels : int
        Channels in the data file; those beyond ``channels`` are not listed by the header.
    rate : Fraction
        Samples per second.
    data_points : int or None
        Samples per channel, as the header says.
    segment_points : int or None
        Samples of a segment, for marker-based segmented data.
    channels : Channels
        The channels.
    annotations : mapping
        Facts of the recording.
    software : str or None
        What wrote the file.
    """

    name: str
    path: str
    data_file: str
    marker_file: str | None
    text: TextLayout | None
    is_vectorized: bool
    dtype: np.dtype[Any]
    stored_channels: int
    rate: Fraction
    data_points: int | None
    segment_points: int | None
    channels: Channels
    annotations: Mapping[str, Any]
    software: str | None


def sniff(files: FileSet, head: bytes) -> float:
    """Tell header and marker files by their first line, data files by the header that names them.

    Raises
    ------
    OSError
        If the file system fails.
    """
    first = _first_line(head)
    if HEADER_LINE.match(first) or MARKER_LINE.match(first):
        return 1.0
    text_suffix = files.suffix in HEADER_SUFFIXES + MARKER_SUFFIXES
    lower = head.lower()
    if b"[common infos]" in lower and (b"numberofchannels" in lower or b"[marker infos]" in lower):
        return 0.9 if text_suffix else 0.5
    if files.suffix in DATA_SUFFIXES:
        return _sniff_data(files, head)
    return 0.1 if text_suffix else 0.0


def _sniff_data(files: FileSet, head: bytes) -> float:
    if head.startswith(_FOREIGN):
        return 0.0
    if _headers_of(files):
        return 0.9
    companions = (name.format(name=files.name, stem=files.stem) for name in _FOREIGN_COMPANIONS)
    if any(files.find(name) for name in companions):
        return 0.0
    return 0.1 if files.suffix == "eeg" else 0.05


def _first_line(head: bytes) -> str:
    return head.removeprefix(UTF8_MARK).split(b"\n", 1)[0].decode("latin-1").strip()


def _headers_of(files: FileSet) -> list[str]:
    """Names of the headers that a data or marker file belongs to, one if all is well."""
    for suffix in HEADER_SUFFIXES:
        name = files.find(f"{files.stem}.{suffix}")
        if name is not None and _names(files, name, or_nothing=True):
            return [name]
    suffixes = tuple("." + suffix for suffix in HEADER_SUFFIXES)
    headers = (name for name in files.names() if name.lower().endswith(suffixes))
    return [name for name in headers if _names(files, name, or_nothing=False)]


def _names(files: FileSet, header: str, *, or_nothing: bool) -> bool:
    """Tell whether a header names the main file (or, where allowed, a file that is not there)."""
    source = files.source(header)
    common = parse_text(source.name, source.head(SNIFF_BYTES)).section("Common Infos")
    key = "MarkerFile" if files.suffix in MARKER_SUFFIXES else "DataFile"
    named = _with_base(common.text(key), header)
    if named.casefold() == files.name.casefold():
        return True
    return or_nothing and (not _is_usable(named) or files.find(named) is None)


def _with_base(named: str, header: str) -> str:
    """Fill in ``$b``: the header's name without its ending."""
    return named.replace("$b", header.rpartition(".")[0])


def _is_usable(name: str) -> bool:
    """Tell whether a file system can have a file of that name."""
    return 0 < len(os.fsencode(name)) <= _NAME_BYTES


def parse_header(opening: Opening) -> Header:
    """Find the header of the file that was opened, read it, and find its data and markers."""
    name = _header_name(opening.files)
    text = read_text_file(opening, name, "header")
    common = text.section("Common Infos")
    version = next(filter(None, map(HEADER_LINE.match, text.first_lines()[:1])), None)
    if version is None:
        opening.note("the first line is not that of a BrainVision header", path=text.path, offset=0)
    domain = common.text("DataType").upper() or "TIMEDOMAIN"
    if domain != "TIMEDOMAIN":
        raise UnsupportedVersionError(
            text.path,
            f"data of type {domain} are not read, only TIMEDOMAIN; export the data in time domain",
            field="[Common Infos] DataType",
        )
    text_layout = _text_layout(text, common)
    stored, listed = _channel_counts(opening, common, text.section("Channel Infos"))
    channels = _channels(opening, text, listed)
    is_v_amp = name.lower().endswith(".ahdr")
    created = next(filter(None, map(_CREATED.match, text.first_lines())), None)
    return Header(
        name=name,
        path=text.path,
        data_file=_data_file(opening, common, name),
        marker_file=_marker_file(opening, common, name),
        text=text_layout,
        is_vectorized=common.choice("DataOrientation", ("MULTIPLEXED", "VECTORIZED"))
        == "VECTORIZED",
        dtype=np.dtype("<f8") if text_layout else _dtype(text.section("Binary Infos")),
        stored_channels=stored + is_v_amp,
        rate=_rate(common),
        data_points=_positive(opening, common, "DataPoints"),
        segment_points=_segment_points(opening, common),
        channels=_without_gain(channels) if text_layout else channels,
        annotations=_annotations(text, common, version),
        software=created.group(1).strip() if created else None,
    )


def _header_name(files: FileSet) -> str:
    """Name of the header to read, for any of the three files."""
    head = files.main.head(SNIFF_BYTES)
    if files.suffix in HEADER_SUFFIXES or HEADER_LINE.match(_first_line(head)):
        return files.name
    if files.suffix not in MARKER_SUFFIXES + DATA_SUFFIXES and b"[common infos]" in head.lower():
        return files.name
    found = _headers_of(files)
    if len(found) == 1:
        return found[0]
    if found:
        reason = f"it belongs to {' and '.join(found)}; open the one that is meant"
    else:
        reason = "no BrainVision header (.vhdr) beside it names it; open the .vhdr file instead"
    raise FormatError(files.path, reason)


def read_text_file(opening: Opening, name: str, what: str) -> TextFile:
    """Read a header or marker file."""
    source = opening.files.source(name)
    if source.size > HEADER_BYTES:
        corrupt(source, f"a {what} of {source.size:,} bytes (at most {HEADER_BYTES:,} are read)")
    text = parse_text(source.name, source.read_at(0, source.size, field=what))
    if text.misfit:
        opening.note(
            f"its code page {text.misfit!r} is unknown or does not fit; it was read by what fits",
            path=text.path,
            field="[Common Infos] Codepage",
        )
    return text


def _data_file(opening: Opening, common: Section, header: str) -> str:
    if not common.text("DataFile"):
        raise common.error("DataFile", "it is missing: the header does not name its data file")
    own = opening.files.name
    others = [own] if own.rpartition(".")[2].lower() in DATA_SUFFIXES else []
    found, tried = _companion(opening, common, header, "DataFile", others)
    if found is None:
        raise common.error(
            "DataFile", f"the data file is not in the folder; tried: {', '.join(tried)}"
        )
    return found


def _marker_file(opening: Opening, common: Section, header: str) -> str | None:
    if not common.text("MarkerFile"):
        return None
    found, tried = _companion(opening, common, header, "MarkerFile", [])
    if found is None:
        opening.note(
            f"the marker file is not in the folder, there are no events; tried: {', '.join(tried)}",
            path=common.path,
            field="[Common Infos] MarkerFile",
        )
    return found


def _companion(
    opening: Opening, common: Section, header: str, key: str, others: list[str]
) -> tuple[str | None, list[str]]:
    """Find a file that the header names, else one that was renamed together with the header."""
    named = _with_base(common.text(key), header)
    base = header.rpartition(".")[0]
    renamed = base + PureWindowsPath(named).suffix  # knows both separators
    tried = list(dict.fromkeys([named, renamed, *others]))
    for name in tried:
        if not _is_usable(name):
            continue
        try:
            opening.files.exists(name)
        except FormatError as error:
            opening.damaged(CorruptError(common.path, error.reason, field=f"[{common.name}] {key}"))
        found = opening.files.find(name)
        if found is None:
            continue
        if name != named:
            opening.note(
                f"there is no {named!r}; {found!r} is taken, which has the header's own name",
                path=common.path,
                field=f"[{common.name}] {key}",
            )
        return found, tried
    return None, tried


def _text_layout(text: TextFile, common: Section) -> TextLayout | None:
    """Give the layout of text data, None for binary data."""
    if common.choice("DataFormat", ("BINARY", "ASCII")) == "BINARY":
        return None
    infos = text.section("ASCII Infos")
    symbol = infos.text("DecimalSymbol") or "."
    if symbol not in (".", ","):
        raise infos.error("DecimalSymbol", f"found {symbol!r}, expected . or ,")
    skipped = [infos.whole(key, 0) or 0 for key in ("SkipLines", "SkipColumns")]
    for key, count in zip(("SkipLines", "SkipColumns"), skipped, strict=True):
        if count < 0:
            raise infos.error(key, f"found {count}, expected 0 or more")
    return TextLayout(symbol, *skipped)


def _dtype(infos: Section) -> np.dtype[Any]:
    dtype = NUMBER_FORMATS[infos.choice("BinaryFormat", tuple(NUMBER_FORMATS))].dtype
    big = infos.choice("UseBigEndianOrder", ("YES", "NO"), "NO") == "YES"
    return dtype.newbyteorder(">") if big else dtype


def _rate(common: Section) -> Fraction:
    """Give samples per second, from the interval in microseconds."""
    text = common.text("SamplingInterval")
    interval = real_number(text)
    if interval is None or not _INTERVALS[0] <= interval <= _INTERVALS[1]:
        what = f"found {text!r}" if text else "it is missing"
        raise common.error("SamplingInterval", f"{what}, expected a number of microseconds above 0")
    rate = 10**6 / Fraction(text)
    # 33.3333333 stands for 1e6 / 30000: the interval was rounded, not the rate
    digits = min(len(re.sub(r"[eE].*|\D", "", text).lstrip("0")), _DOUBLE_DIGITS)
    whole = round(rate)
    if whole and digits >= _ROUNDED_DIGITS:
        shown = f".{digits - 1}e"
        if format(interval, shown) == format(10**6 / whole, shown):
            return Fraction(whole)
    return rate


def _positive(opening: Opening, common: Section, key: str) -> int | None:
    """Give a count above 0; one that is not is ignored with a note."""
    text = common.text(key)
    count = whole_number(text)
    if count is not None and count > 0:
        return count
    if text and count != 0:
        opening.note(
            f"found {text!r}, expected a whole number; it is ignored",
            path=common.path,
            field=f"[{common.name}] {key}",
        )
    return None


def _segment_points(opening: Opening, common: Section) -> int | None:
    if common.text("SegmentationType").upper() != "MARKERBASED":
        return None
    return _positive(opening, common, "SegmentDataPoints")


def _channel_counts(opening: Opening, common: Section, infos: Section) -> tuple[int, int]:
    """Channels that are stored, and those of them that have a line."""
    count = common.whole("NumberOfChannels")
    if count is None or count <= 0:
        what = "it is missing" if count is None else f"found {count}"
        raise common.error("NumberOfChannels", f"{what}, expected 1 or more")
    numbers = {key[2:] for key in infos.entries if key.startswith("ch") and key[2:].isdigit()}
    listed = next((i for i in range(len(numbers)) if str(i + 1) not in numbers), len(numbers))
    if not listed:
        raise infos.error("Ch1", "it is missing: no channel is listed")
    if listed != count or listed != len(numbers):
        missing = f" and Ch{listed + 1} is missing" if listed < len(numbers) else ""
        reason = f"{count} channels are announced, [Channel Infos] lists {len(numbers)}{missing}"
        opening.damaged(common.error("NumberOfChannels", reason))
    return count, min(count, listed)


def _channels(opening: Opening, text: TextFile, count: int) -> Channels:
    """Read the channel lines and the coordinates."""
    infos = text.section("Channel Infos")
    fields = [(infos.text(f"Ch{i}") + ",,,").split(",")[:4] for i in range(1, count + 1)]
    names = tuple(unescaped(field[0].strip()) or f"Ch{i}" for i, field in enumerate(fields, 1))
    if twice := sorted(name for name, times in Counter(names).items() if times > 1):
        opening.note(
            f"channel names occur more than once: {', '.join(twice)}; their ids differ",
            path=text.path,
            field="[Channel Infos]",
        )
    resolution = np.array([_resolution(opening, infos, i, f[2]) for i, f in enumerate(fields, 1)])
    extra: dict[str, NDArray[Any]] = {
        "reference": np.array([unescaped(field[1].strip()) for field in fields]),
        "resolution": resolution,
    }
    extra |= _coordinates(opening, text.section("Coordinates"), count)
    return Channels.table(
        names,
        ids=[str(i) for i in range(1, count + 1)],
        units=[unit_text(field[3]) for field in fields],
        gain=resolution,
        extra=extra,
    )


def _resolution(opening: Opening, infos: Section, number: int, text: str) -> float:
    """Units per count of a channel; 1 where nothing is said."""
    if not text.strip():
        return 1.0
    value = real_number(text)
    if value is None or value == 0:
        reason = f"resolution {text.strip()!r}, expected a number other than 0"
        opening.damaged(infos.error(f"Ch{number}", reason))
        return 1.0
    return value


def _coordinates(opening: Opening, section: Section, count: int) -> dict[str, NDArray[Any]]:
    """Radius, theta and phi of the channels (degrees); NaN where they are not told."""
    if not section.entries:
        return {}
    table = np.full((count, 3), np.nan)
    for i in range(count):
        text = section.text(f"Ch{i + 1}")
        values = [real_number(field) for field in text.split(",")[:3]]
        if text and (len(values) < 3 or None in values):
            opening.note(
                f"found {text!r}, expected radius, theta and phi; the place is not known",
                path=section.path,
                field=f"[Coordinates] Ch{i + 1}",
            )
        elif text:
            table[i] = values
    return {f"coordinates_{i}": table[:, i].copy() for i in range(3)}


def _without_gain(channels: Channels) -> Channels:
    """Channels of text data, whose numbers are in the unit already."""
    return Channels.table(
        channels.names, ids=channels.ids, units=channels.units, extra=channels.extra
    )


def _annotations(text: TextFile, common: Section, version: re.Match[str] | None) -> dict[str, Any]:
    """Facts of the recording that have no place of their own."""
    found: dict[str, Any] = {"format_version": version.group(1)} if version else {}
    if comment := text.comment():
        found["comment"] = comment
    if kind := common.text("SegmentationType"):
        found["segmentation_type"] = kind
    if (points := whole_number(common.text("SegmentDataPoints"))) is not None:
        found["segment_data_points"] = points
    if common.text("Averaged").upper() == "YES":
        found["averaged"] = True
        if (count := whole_number(common.text("AveragedSegments"))) is not None:
            found["averaged_segments"] = count
    return found
