"""Writes a block as BrainVision: header, markers and data, in UTF-8 and little-endian.

The analog signals of a segment stand side by side; segments follow each other, each with a
``New Segment`` marker. Events and epochs become markers, named by type. Integers keep the
resolution that a signal was recorded with (its array annotation ``resolution``) where its values
are whole multiples of it, so that such data come back bit for bit; else each channel's resolution
is its largest value / the largest integer. What is left out is told in sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ephyrus._shared.words import counted
from ephyrus.errors import NeoReadWriteError
from ephyrus.export import WriteReport
from ephyrus.export.brainvision.channels import (
    CHANNEL_NOTES,
    LABEL,
    Channel,
    Table,
    channels_of,
    sample_count,
    tables_of,
)
from ephyrus.export.brainvision.data import DataWriter
from ephyrus.export.brainvision.markers import MarkerList
from ephyrus.export.columns import groups_left_out
from ephyrus.export.files import beside
from ephyrus.formats.brainvision.layout import (
    DATA_SUFFIXES,
    HEADER_SUFFIXES,
    KNOWN_SECTIONS,
    MARKER_SUFFIXES,
    escaped,
)

if TYPE_CHECKING:
    from ephyrus.core import Block, Segment
    from ephyrus.recording import Progress

__all__ = ["write"]

_KINDS = {
    "spiketrains": "spike train",
    "irregularlysampledsignals": "irregularly sampled signal",
    "imagesequences": "image sequence",
}
# Annotations that are written, or that reading makes anew.
_KNOWN_NOTES = {"comment", "format_version", "units_string", "stream_id"} | {
    "segmentation_type",
    "segment_data_points",
}
_INTERVAL_DIGITS = 25  # of the interval in microseconds, so that the rate comes back exactly
_INTERVALS = 1e-9, 1e15


def write(
    blocks: Sequence[Block],
    path: Path,
    options: Mapping[str, Any],
    *,
    progress: Progress,
) -> WriteReport:
    """Write a block as three files of one base name.

    Parameters
    ----------
    blocks : sequence of Block
        One block; its segments have the same channels and rate.
    path : Path
        One of the files; a BrainVision ending is added if it has none. Data are ``.eeg`` unless
        the path has another ending of data.
    options : mapping
        ``format``: ``"binary"`` or ``"ascii"``; ``orientation``: ``"multiplexed"`` or
        ``"vectorized"``; ``number_format`` of binary data.
    progress : Progress
        Told about bytes; integers take two passes.

    Returns
    -------
    WriteReport
        Header, marker file and data file; what was left out or rounded.

    Raises
    ------
    NeoReadWriteError
        If there is not exactly one block, or it has no samples.
    ValueError
        If signals differ in rate, beginning, length or channels, or hold what the number format
        cannot hold (the message names them).
    """
    if len(blocks) != 1:
        raise NeoReadWriteError(
            f"{LABEL} holds one block, there are {len(blocks)}: write each to files of its own"
        )
    block = blocks[0]
    segments = [segment for segment in block.segments if sample_count(segment)]
    tables = tables_of(segments)
    channels = channels_of(tables[0])
    markers = MarkerList(channels)
    markers.collect(block, segments, tables)
    data_writer = DataWriter(tables, channels, options, progress)
    targets = _targets(path)
    with beside(*targets) as (data, marker_file, header):
        data_writer.write(data)
        names = targets[0].name, targets[1].name
        marker_file.write_bytes(_encoded([*_marker_head(names[0]), *markers.lines()]))
        header.write_bytes(_encoded(_header_lines(block, tables, channels, data_writer, names)))
    losses = [
        *_left_out(block, segments),
        *_time_losses(tables),
        *data_writer.losses(),
        *markers.losses(),
        *_annotation_losses(block, segments),
        *groups_left_out(blocks),
    ]
    return WriteReport(tuple(reversed(targets)), tuple(losses))


def _targets(path: Path) -> tuple[Path, Path, Path]:
    """Give data, marker and header file; the header, which makes them a recording, comes last."""
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{path.name!r} cannot be written into a header: it is not valid Unicode"
        ) from error
    suffix = path.suffix[1:].lower()
    is_data = suffix in DATA_SUFFIXES
    is_known = is_data or suffix in HEADER_SUFFIXES + MARKER_SUFFIXES
    base = path.stem if is_known else path.name
    data = path.name if is_data else f"{base}.{DATA_SUFFIXES[0]}"
    return path.with_name(data), path.with_name(f"{base}.vmrk"), path.with_name(f"{base}.vhdr")


def _encoded(lines: Sequence[str]) -> bytes:
    return "\r\n".join([*lines, ""]).encode("utf-8")


def _header_lines(
    block: Block,
    tables: Sequence[Table],
    channels: Sequence[Channel],
    data: DataWriter,
    names: tuple[str, str],
) -> list[str]:
    lines = [
        "BrainVision Data Exchange Header File Version 1.0",
        "; Data created by ephyrus",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={names[0]}",
        f"MarkerFile={names[1]}",
        f"DataFormat={'ASCII' if data.is_text else 'BINARY'}",
        f"DataOrientation={'VECTORIZED' if data.is_vectorized else 'MULTIPLEXED'}",
        "DataType=TIMEDOMAIN",
        f"NumberOfChannels={len(channels)}",
        f"DataPoints={data.points}",
        f"SamplingInterval={_interval(tables[0].rate)}",
    ]
    if len(tables) > 1 and len({table.length for table in tables}) == 1:
        lines += ["SegmentationType=MARKERBASED", f"SegmentDataPoints={tables[0].length}"]
    if data.is_text:
        skipped = (0, 1) if data.is_vectorized else (1, 0)
        lines += ["", "[ASCII Infos]", "DecimalSymbol=."]
        lines += [f"SkipLines={skipped[0]}", f"SkipColumns={skipped[1]}"]
    else:
        lines += ["", "[Binary Infos]", f"BinaryFormat={data.number_format}"]
        lines += ["UseBigEndianOrder=NO"]
    lines += ["", "[Channel Infos]"]
    for number, (channel, resolution) in enumerate(zip(channels, data.resolution, strict=True), 1):
        fields = [escaped(channel.name), escaped(channel.reference)]
        fields += [repr(float(resolution)).removesuffix(".0"), escaped(channel.unit)]
        lines.append(f"Ch{number}={','.join(fields)}")
    if any(channel.place for channel in channels):
        lines += ["", "[Coordinates]"]
        for number, channel in enumerate(channels, 1):
            place = channel.place or (0.0, 0.0, 0.0)  # radius 0: no place
            fields = [repr(value).removesuffix(".0") for value in place]
            lines.append(f"Ch{number}={','.join(fields)}")
    comment = block.annotations.get("comment")
    return [*lines, *_comment_lines(comment)] if isinstance(comment, str) and comment else lines


def _comment_lines(comment: str) -> list[str]:
    """Give the free text; a line that would begin a section is marked."""
    lines = ["", "[Comment]"]
    for line in comment.splitlines():
        bare = line.strip().lower()
        is_section = bare[:1] + bare[-1:] == "[]" and bare[1:-1].strip() in KNOWN_SECTIONS
        lines.append("> " + line if is_section else line)
    return lines


def _interval(rate: float) -> str:
    """Give the sampling interval in microseconds, for a rate in Hz."""
    exact = 10**6 / Fraction(rate)
    if not _INTERVALS[0] <= exact <= _INTERVALS[1]:
        raise ValueError(f"{LABEL} files cannot hold a sampling rate of {rate:g} Hz")
    context = Context(prec=_INTERVAL_DIGITS)
    interval = context.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    text = format(interval, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _marker_head(data_name: str) -> list[str]:
    return [
        "BrainVision Data Exchange Marker File Version 1.0",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={data_name}",
        "",
        "[Marker Infos]",
        "; Mk<number>=<type>,<description>,<position>,<size>,<channel, 0 = all>[,<date>]",
    ]


def _left_out(block: Block, written: Sequence[Segment]) -> list[str]:
    """Tell which objects are not written."""
    found = []
    for children, kind in _KINDS.items():
        count = sum(len(getattr(segment, children)) for segment in block.segments)
        if count:
            are = "is" if count == 1 else "are"
            reason = f"{LABEL} files hold signals and markers"
            found.append(f"{counted(count, kind)} {are} left out: {reason}")
    empty = len(block.segments) - len(written)
    if empty:
        segments = counted(empty, "segment")
        found.append(f"{segments} without analog signals left out, with events and epochs")
    return found


def _time_losses(tables: Sequence[Table]) -> list[str]:
    """Tell which times are not kept."""
    if len(tables) > 1:
        return [
            f"the times of the {len(tables)} segments are not kept: they follow each other from 0 s"
        ]
    start = tables[0].t_start
    return [f"the beginning at {start:g} s is not kept: files begin at 0 s"] if start else []


def _annotation_losses(block: Block, segments: Sequence[Segment]) -> list[str]:
    """Tell which annotations are not written."""
    signals = [signal for segment in segments for signal in segment.analogsignals]
    notes = {name for each in (block, *segments) for name in each.annotations}
    for signal in signals:  # facts of a single channel may stand in both places
        notes |= signal.annotations.keys() - signal.array_annotations.keys()
    arrays = {name for signal in signals for name in signal.array_annotations}
    found = []
    if lost := sorted(notes - _KNOWN_NOTES):
        found.append(f"annotations are left out: {', '.join(lost)}")
    if lost := sorted(arrays - CHANNEL_NOTES):
        found.append(f"array annotations of signals are left out: {', '.join(lost)}")
    return found
