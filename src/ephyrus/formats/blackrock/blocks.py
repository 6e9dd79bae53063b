"""Data blocks of .nsX files: where they lie, which follow each other, and their samples.

A file has a few large blocks, hundreds of them where packets were lost, or (PTP) one per sample.
Equal small blocks that follow each other in time are kept as one *piece*: a table of records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError
from ephyrus.formats.blackrock.header import NsxHeader
from ephyrus.formats.blackrock.layout import block_head
from ephyrus.recording import ByteSource, FileSet, Opening, under_way

__all__ = ["Samples", "index_samples", "read_samples"]

PIECE = np.dtype(
    [
        ("offset", "<i8"),  # of the head of the first block
        ("blocks", "<i8"),
        ("points", "<i8"),  # samples of each block
        ("tick", "<i8"),  # time stamp of the first block
        ("last", "<i8"),  # time stamp of the last block
    ]
)
UNKNOWN_POINTS = (0, 0xFFFFFFFF)  # in the last block of a recording that was interrupted
LARGEST_STAMP = 2**62
SMALL_BLOCK = 4096  # bytes; smaller blocks are looked at many at once
BATCH_BYTES = 8 * 2**20
TOLERANCE = 2.0  # samples that a block may be late (or early), unless told otherwise
RECORD_TOLERANCE = 1.0  # the same of blocks of one sample: stamps up to 2 samples apart


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The samples of one nsX file.

    Attributes
    ----------
    head_bytes : int
        Bytes before the samples of each block.
    pieces : ndarray of PIECE
        Where the samples lie, in order.
    firsts : ndarray of int64, shape (pieces + 1,)
        First sample of each piece, and their number.
    counts, ticks, stops, groups : ndarray of int64, shape (runs,)
        Samples, first time stamp, time stamp that would follow, and clock (0, one more after each
        reset) of each stretch.
    """

    head_bytes: int
    pieces: NDArray[Any]
    firsts: NDArray[np.int64]
    counts: NDArray[np.int64]
    ticks: NDArray[np.int64]
    stops: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def length(self) -> int:
        """Samples over all stretches."""
        return int(self.firsts[-1])


def index_samples(opening: Opening, header: NsxHeader) -> Samples:
    """Find the blocks of a file and the stretches that they make."""
    if header.version == (2, 1):
        pieces, head_bytes = _only_piece(opening, header), 0
    else:
        found = opening.cached(header.name, lambda: _walked(opening, header), (header.name,))
        pieces, head_bytes = found["pieces"], block_head(header.version[0]).itemsize
    samples = _stretches(opening, header, pieces, head_bytes)
    if not samples.length:
        opening.note("it holds no samples", path=opening.files.source(header.name).name)
    return samples


def _only_piece(opening: Opening, header: NsxHeader) -> NDArray[Any]:
    """Give the data of 2.1: samples to the end of the file, from time 0."""
    source = opening.files.source(header.name)
    start = header.start + _stray_head(opening, source, header)
    points, rest = divmod(source.size - start, header.frame_bytes)
    if rest:
        opening.note(
            f"the data are not whole samples of {len(header.channels)} channels; "
            f"the last {rest} bytes are left out",
            path=source.name,
            offset=source.size - rest,
        )
    return np.array([(start, 1, points, 0, 0)], PIECE)


def _stray_head(opening: Opening, source: ByteSource, header: NsxHeader) -> int:
    """Give the size of a block head as later versions have it, if it fits the file exactly."""
    head = block_head(2)
    room = source.size - header.start - head.itemsize
    if room < 0 or room % header.frame_bytes:
        return 0
    first = source.array(header.start, head, 1)[0]
    points = room // header.frame_bytes
    if (int(first["marker"]), int(first["stamp"]), int(first["points"])) != (1, 0, points):
        return 0
    opening.note(
        f"the head of a data block, which specification 2.1 does not have, tells of the "
        f"{points:,} samples that follow it; it is not read as samples",
        path=source.name,
        offset=header.start,
    )
    return head.itemsize


def _walked(opening: Opening, header: NsxHeader) -> dict[str, NDArray[Any]]:
    """Walk the blocks."""
    source = opening.files.source(header.name)
    size = source.size - header.start
    with under_way(opening.progress, size, "B", f"indexing {header.name}"):
        found = _walk(opening, source, header)
    return {"pieces": np.concatenate(found) if found else np.empty(0, PIECE)}


def _walk(opening: Opening, source: ByteSource, header: NsxHeader) -> list[NDArray[Any]]:
    head, frame = block_head(header.version[0]), header.frame_bytes
    found: list[NDArray[Any]] = []
    offset, batch = header.start, 1
    while source.size - offset >= head.itemsize:
        first = source.array(offset, head, 1, field="data block")[0]
        if _is_no_block(opening, source, header, first, offset):
            return found
        points, body = int(first["points"]), source.size - offset - head.itemsize
        record = head.itemsize + points * frame
        if points * frame > body or (points == 0 and _ends_here(source, header, offset, body)):
            found.append(_cut_block(opening, source, header, first, offset))
            return found
        take = min(batch, (source.size - offset) // record, max(BATCH_BYTES // record, 1))
        if record > SMALL_BLOCK or points == 0:
            take = 1
        pieces = _equal_blocks(source, header, offset, record, take)
        found.append(pieces)
        got = int(pieces["blocks"].sum())
        batch = min(batch * 8, BATCH_BYTES) if got == take else 1
        offset += got * record
        opening.progress.advance(got * record)
    if offset < source.size:
        opening.note(
            f"the last {source.size - offset} bytes are no whole head of a data block",
            path=source.name,
            offset=offset,
            field="data block",
        )
    return found


def _is_no_block(
    opening: Opening, source: ByteSource, header: NsxHeader, head: np.void, offset: int
) -> bool:
    """Tell where the data end before the file does: 3.0 files may be filled up with anything."""
    if head["marker"] == 1 and head["stamp"] < LARGEST_STAMP:
        return False
    error = CorruptError(
        source.name,
        f"a data block begins with {int(head['marker'])} and the time stamp {int(head['stamp'])}, "
        f"expected 1 and a time; the {source.size - offset:,} bytes from here on are not read",
        offset=offset,
        field="data block",
    )
    if header.version[0] < 3:
        opening.damaged(error)
    else:
        opening.note(error.reason, path=source.name, offset=offset, field="data block")
    return True


def _ends_here(source: ByteSource, header: NsxHeader, offset: int, body: int) -> bool:
    """Tell whether a block of 0 samples is the last, whose number was never written."""
    head = block_head(header.version[0])
    if body < head.itemsize:
        return body > 0
    following = source.array(offset + head.itemsize, head, 1)[0]
    points = int(following["points"])
    fits = points in UNKNOWN_POINTS or points * header.frame_bytes <= body - head.itemsize
    return not (following["marker"] == 1 and following["stamp"] < LARGEST_STAMP and fits)


def _cut_block(
    opening: Opening, source: ByteSource, header: NsxHeader, head: np.void, offset: int
) -> NDArray[Any]:
    """Take what is there of the last block."""
    start = offset + block_head(header.version[0]).itemsize
    whole = (source.size - start) // header.frame_bytes
    points, stamp = int(head["points"]), int(head["stamp"])
    is_known = points not in UNKNOWN_POINTS
    promised = f"{points:,} samples are promised" if is_known else "their number was never written"
    opening.note(
        f"the recording was interrupted, or the file is cut: {promised}, {whole:,} are there",
        path=source.name,
        offset=offset,
        field="data block",
        lost=points - whole if is_known else 0,
    )
    return np.array([(offset, 1, whole, stamp, stamp)], PIECE)


def _equal_blocks(
    source: ByteSource, header: NsxHeader, offset: int, record: int, most: int
) -> NDArray[Any]:
    """Give the first of `most` blocks and those behind it that are of equal size, as pieces."""
    head = block_head(header.version[0])
    raw = source.array(offset, "u1", (most - 1) * record + head.itemsize)
    table: NDArray[Any] = np.ndarray((most,), f"V{head.itemsize}", raw, 0, (record,))
    heads = table.copy().view(head)
    alike = (heads["marker"] == 1) & (heads["points"] == heads["points"][0])
    alike &= heads["stamp"] < LARGEST_STAMP
    count = most if alike.all() else int(np.argmin(alike))
    ticks = heads["stamp"][:count].astype(np.int64)
    points = int(heads["points"][0])
    gaps = _gaps(header, ticks[1:], ticks[:-1], points)
    late, early = _tolerances(header, np.full(count - 1, points), None)
    begins = np.concatenate(([0], np.flatnonzero((gaps > late) | (gaps < -early)) + 1))
    ends = np.append(begins[1:], count)
    pieces = np.zeros(begins.size, PIECE)
    pieces["offset"] = offset + begins * record
    pieces["blocks"] = ends - begins
    pieces["points"] = points
    pieces["tick"], pieces["last"] = ticks[begins], ticks[ends - 1]
    return pieces


def _gaps(
    header: NsxHeader, ticks: NDArray[np.int64], before: NDArray[np.int64], points: Any
) -> NDArray[np.float64]:
    """Give how many ticks blocks begin after the end of the one before."""
    gaps: NDArray[np.float64] = (ticks - before) - points * float(header.ticks_per_sample)
    return gaps


def _tolerances(
    header: NsxHeader, points: NDArray[np.int64], milliseconds: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give how many ticks the block after each may be late, and early, without a new stretch."""
    samples = np.where(points == 1, RECORD_TOLERANCE, TOLERANCE)
    early = samples * float(header.ticks_per_sample)
    if milliseconds is None:
        return early, early
    return np.full(points.shape, milliseconds * header.resolution / 1000), early


def _stretches(
    opening: Opening, header: NsxHeader, pieces: NDArray[Any], head_bytes: int
) -> Samples:
    """Join pieces that follow each other in time; time that goes back is a reset of the clock."""
    option = opening.options.get("gap_tolerance_ms")
    late, early = _tolerances(header, pieces["points"][:-1], option)
    gaps = _gaps(header, pieces["tick"][1:], pieces["last"][:-1], pieces["points"][:-1])
    is_reset = np.concatenate(([False], gaps < -early))[: len(pieces)]
    sizes = pieces["blocks"] * pieces["points"]
    kept = (sizes > 0) | (header.version == (2, 1))  # which always begins at 0, also without any
    before_reset = np.append(is_reset[1:], False)[: len(pieces)]
    if (lone := (sizes == 1) & before_reset).any():
        kept &= ~lone
        opening.note(
            f"{np.count_nonzero(lone)} blocks of one sample before the clock was reset are "
            "left out, as the systems were not running together yet",
            path=opening.files.source(header.name).name,
        )
    clocks = np.cumsum(is_reset)
    pieces, sizes = pieces[kept], sizes[kept]
    groups = np.unique(clocks[kept], return_inverse=True)[1].astype(np.int64)
    late, _ = _tolerances(header, pieces["points"][:-1], option)
    gaps = _gaps(header, pieces["tick"][1:], pieces["last"][:-1], pieces["points"][:-1])
    apart = (gaps > late) | (np.diff(groups) != 0)
    begins = np.concatenate(([0], np.flatnonzero(apart) + 1))[: len(pieces)]
    lasts = np.append(begins[1:], len(pieces))[: begins.size] - 1
    firsts = np.concatenate(([0], np.cumsum(sizes)))
    after = np.floor(pieces["points"] * float(header.ticks_per_sample)).astype(np.int64)
    return Samples(
        head_bytes=head_bytes,
        pieces=pieces,
        firsts=firsts,
        counts=firsts[lasts + 1] - firsts[begins],
        ticks=pieces["tick"][begins],
        stops=(pieces["last"] + after)[lasts],
        groups=groups[begins],
    )


def read_samples(
    files: FileSet,
    header: NsxHeader,
    samples: Samples,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give samples [start, stop) of channels; a view of the file where one piece holds them all."""
    chosen = _as_slice(channels)
    width = len(header.channels) if channels is None else len(channels)
    low = int(np.searchsorted(samples.firsts, start, "right")) - 1
    high = max(int(np.searchsorted(samples.firsts, stop, "left")), low + 1)
    source = files.source(header.name)
    if stop <= start:
        return np.empty((0, width), "<i2")
    if high - low == 1:
        return _part(source, header, samples, low, start, stop)[:, chosen]
    result = np.empty((stop - start, width), "<i2")
    for place in range(low, high):
        begin = max(int(samples.firsts[place]), start)
        end = min(int(samples.firsts[place + 1]), stop)
        part = _part(source, header, samples, place, begin, end)
        result[begin - start : end - start] = part[:, chosen]
    return result


def _as_slice(channels: NDArray[np.intp] | None) -> slice | NDArray[np.intp]:
    """Give neighbouring channels as a slice, which costs no copy."""
    if channels is None:
        return slice(None)
    if channels.size and np.all(np.diff(channels) == 1):
        return slice(int(channels[0]), int(channels[-1]) + 1)
    return channels


def _part(
    source: ByteSource, header: NsxHeader, samples: Samples, place: int, start: int, stop: int
) -> NDArray[Any]:
    """Give samples [start, stop) of the stream that lie in one piece, all channels."""
    piece, width = samples.pieces[place], len(header.channels)
    begin, end = start - int(samples.firsts[place]), stop - int(samples.firsts[place])
    points, offset = int(piece["points"]), int(piece["offset"])
    if piece["blocks"] == 1:
        first = offset + samples.head_bytes + begin * header.frame_bytes
        return source.array(first, "<i2", (end - begin) * width, field="data").reshape(-1, width)
    low, high = begin // points, -(-end // points)
    record = np.dtype([("head", f"V{samples.head_bytes}"), ("data", "<i2", (points, width))])
    table = source.array(offset + low * record.itemsize, record, high - low, field="data")["data"]
    rows = table[:, 0] if points == 1 else table.reshape(-1, width)
    return rows[begin - low * points : end - low * points]
