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
from ephyrus.formats.blackrock.layout import STAMPS, block_head
from ephyrus.recording import (
    ByteSource,
    FileSet,
    Opening,
    PacketLayout,
    heads,
    rows,
    under_way,
    walk,
)

__all__ = ["Samples", "block_offset", "index_samples", "read_samples"]

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
SMALL_BLOCK = 4096  # bytes of samples; smaller blocks are looked at many at once
SHORT_PIECE = 64  # samples; shorter pieces are not read one by one
GATHERED = 2**14  # samples that are gathered at once
BATCH_BYTES = 8 * 2**20
TOLERANCE = 2.0  # samples that a block may be late (or early), unless told otherwise
RECORD_TOLERANCE = 1.0  # the same of blocks of one sample: stamps up to 2 samples apart
LESS_THAN_A_TICK = 0.99  # what rounding makes of stamps; it is no pause at any tolerance


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
    late = _tolerance_option(opening)
    found: list[NDArray[Any]] = []
    offset = header.start
    while source.size - offset >= head.itemsize:
        first = source.array(offset, head, 1, field="data block")[0]
        if _is_no_block(opening, source, header, first, offset):
            return found
        points, body = int(first["points"]), source.size - offset - head.itemsize
        if points * frame > body or (points == 0 and _ends_here(source, header, offset, body)):
            found.append(_cut_block(opening, source, header, first, offset))
            return found
        places = np.array([offset])
        if points * frame <= SMALL_BLOCK:
            places = _small_blocks(source, header, offset)
        pieces, after = _pieces(source, header, places, late)
        found.append(pieces)
        opening.progress.advance(after - offset)
        offset = after
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


def _small_blocks(source: ByteSource, header: NsxHeader, offset: int) -> NDArray[np.int64]:
    """Give the offsets of the block at `offset`, and of those behind it that are surely blocks.

    The walk knows only the low half of the number of samples: it goes astray behind a block that
    has more of them, and what is found from there on is not taken.
    """
    head = block_head(header.version[0])
    field = head.fields["points"][1] if head.fields is not None else 0
    layout = PacketLayout(head.itemsize, (field,), unit=header.frame_bytes, base=head.itemsize)
    stop = min(offset + BATCH_BYTES, source.size)
    places = walk(source, offset, layout, stop=stop).offsets
    found = heads(source, places, head)
    sound = (found["marker"] == 1) & (found["stamp"] < LARGEST_STAMP) & (found["points"] < 2**16)
    count = places.size if sound.all() else int(np.argmin(sound))
    if count > 1 and found["points"][count - 1] == 0:
        count -= 1  # it is the last one of the file, perhaps
    return places[: max(count, 1)]


def _pieces(
    source: ByteSource, header: NsxHeader, places: NDArray[np.int64], late: float | None
) -> tuple[NDArray[Any], int]:
    """Put blocks of equal size that follow each other in time together; give what is behind them.

    What is put together here is never taken apart, so that a shorter tolerance than usual counts.
    """
    head = block_head(header.version[0])
    found = heads(source, places, head)
    ticks, points = found["stamp"].astype(np.int64), found["points"].astype(np.int64)
    gaps = _gaps(header, ticks[1:], ticks[:-1], points[:-1])
    most, early = _tolerances(header, points[:-1], None)
    most = np.minimum(most, _tolerances(header, points[:-1], late)[0])
    apart = (gaps > most) | (gaps < -early) | (points[1:] != points[:-1])
    begins = np.concatenate(([0], np.flatnonzero(apart) + 1))
    ends = np.append(begins[1:], places.size)
    pieces = np.zeros(begins.size, PIECE)
    pieces["offset"] = places[begins]
    pieces["blocks"] = ends - begins
    pieces["points"] = points[begins]
    pieces["tick"], pieces["last"] = ticks[begins], ticks[ends - 1]
    after = int(places[-1]) + head.itemsize + int(points[-1]) * header.frame_bytes
    return pieces, after


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
    late = max(milliseconds * header.resolution / 1000, LESS_THAN_A_TICK)
    return np.full(points.shape, late), early


def _tolerance_option(opening: Opening) -> float | None:
    tolerance: float | None = opening.options.get("gap_tolerance_ms")
    return tolerance


def _stretches(
    opening: Opening, header: NsxHeader, pieces: NDArray[Any], head_bytes: int
) -> Samples:
    """Join pieces that follow each other in time; time that goes back is a reset of the clock."""
    option = _tolerance_option(opening)
    pieces = _unwrapped(header, pieces)
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
    lengths = np.floor(pieces["points"] * float(header.ticks_per_sample))
    after = np.minimum(lengths, LARGEST_STAMP).astype(np.int64)
    return Samples(
        head_bytes=head_bytes,
        pieces=pieces,
        firsts=firsts,
        counts=firsts[lasts + 1] - firsts[begins],
        ticks=pieces["tick"][begins],
        stops=(pieces["last"] + after)[lasts],
        groups=groups[begins],
    )


def _unwrapped(header: NsxHeader, pieces: NDArray[Any]) -> NDArray[Any]:
    """Count on where stamps of 32 bits begin again at 0 and the samples go on without a pause.

    Behind a pause there is no telling it from a reset of the clock, which it is taken for.
    """
    if header.version[0] > 2:
        return pieces
    points = pieces["points"][:-1]
    gaps = _gaps(header, pieces["tick"][1:], pieces["last"][:-1], points)
    tolerance, _ = _tolerances(header, points, None)
    turns = np.rint(-gaps / STAMPS).astype(np.int64)
    turns[(turns < 0) | (np.abs(gaps + turns * STAMPS) > tolerance)] = 0
    if not turns.any():
        return pieces
    later = np.concatenate(([0], np.cumsum(turns))) * STAMPS
    counted = pieces.copy()
    counted["tick"] += later
    counted["last"] += later
    return counted


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
    if stop - start < SHORT_PIECE * (high - low):
        for begin in range(start, stop, GATHERED):
            end = min(begin + GATHERED, stop)
            part = rows(source, _offsets(header, samples, begin, end), "<i2", len(header.channels))
            result[begin - start : end - start] = part[:, chosen]
        return result
    for place in range(low, high):
        begin = max(int(samples.firsts[place]), start)
        end = min(int(samples.firsts[place + 1]), stop)
        part = _part(source, header, samples, place, begin, end)
        result[begin - start : end - start] = part[:, chosen]
    return result


def _offsets(header: NsxHeader, samples: Samples, start: int, stop: int) -> NDArray[np.int64]:
    """Give the first bytes of samples [start, stop) of the stream."""
    positions = np.arange(start, stop)
    places = np.searchsorted(samples.firsts, positions, "right") - 1
    pieces = samples.pieces[places]
    blocks, within = np.divmod(positions - samples.firsts[places], pieces["points"])
    records = samples.head_bytes + pieces["points"] * header.frame_bytes
    offsets: NDArray[np.int64] = pieces["offset"] + blocks * records + within * header.frame_bytes
    return offsets + samples.head_bytes


def block_offset(header: NsxHeader, samples: Samples, first: int, count: int) -> int | None:
    """Give the byte where samples begin that lie in one block; None: they lie in several."""
    place = int(np.searchsorted(samples.firsts, first, "right")) - 1
    if not count or first + count > samples.firsts[place + 1]:
        return None
    piece = samples.pieces[place]
    if piece["blocks"] != 1:
        return None
    inside = (first - int(samples.firsts[place])) * header.frame_bytes
    return int(piece["offset"]) + samples.head_bytes + inside


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
    frames = table[:, 0] if points == 1 else table.reshape(-1, width)
    return frames[begin - low * points : end - low * points]
