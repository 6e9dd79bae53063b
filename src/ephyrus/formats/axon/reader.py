"""Headers, sweeps and samples of one file, whichever of the three kinds it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import UnsupportedVersionError, WrongFormatError
from ephyrus.formats.axon import abf1, abf2, atf
from ephyrus.formats.axon.atf_table import read_sweeps
from ephyrus.formats.axon.layout import Header
from ephyrus.formats.axon.sweeps import Sweeps, find_sweeps
from ephyrus.recording import ByteSource, Opening
from ephyrus.recording.sampleplaces import EvenRows

ABF1_MAGIC, ABF2_MAGIC = b"ABF ", b"ABF2"
REVERSED_MAGICS = (ABF1_MAGIC[::-1], ABF2_MAGIC[::-1])

AnyHeader = Header | atf.TextHeader


def is_axon(head: bytes) -> bool:
    """Tell by its first bytes whether a file is of one of the kinds, or a byte-reversed one."""
    return head[:4] in (ABF1_MAGIC, ABF2_MAGIC, *REVERSED_MAGICS) or atf.is_text(head)


def parse(opening: Opening, source: ByteSource) -> AnyHeader:
    """Read the header of a file.

    Raises
    ------
    WrongFormatError
        If it is none of the kinds.
    UnsupportedVersionError
        If it was written by an old Macintosh.
    FormatError
        If the header is damaged.
    """
    head = source.head(64)
    if head[:4] == ABF2_MAGIC:
        return abf2.parse(opening, source)
    if head[:4] == ABF1_MAGIC:
        return abf1.parse(opening, source)
    if atf.is_text(head):
        return atf.parse(opening, source)
    if head[:4] in REVERSED_MAGICS:
        raise UnsupportedVersionError(
            source.name,
            f"the signature {head[:4]!r} is byte-reversed: a file of an old Macintosh program, "
            "which is not read; save it again with a newer Clampfit",
            offset=0,
            field="signature",
        )
    raise WrongFormatError(
        source.name,
        f"it begins with {head[:4]!r}, expected {ABF1_MAGIC!r}, {ABF2_MAGIC!r} or the text 'ATF'",
        offset=0,
        field="signature",
    )


def sweeps_of(opening: Opening, source: ByteSource, header: AnyHeader) -> Sweeps:
    """Find the sweeps of a file; text is read whole.

    Raises
    ------
    FormatError
        If the data are damaged.
    """
    if isinstance(header, atf.TextHeader):
        return read_sweeps(opening, source, header)
    return find_sweeps(opening, source, header)


def samples(
    source: ByteSource,
    header: AnyHeader,
    sweeps: Sweeps,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored samples [start, stop) of the given channels.

    Returns
    -------
    ndarray, shape (stop - start, channels)
        A view of the file where that is possible.
    """
    columns = _columns(channels)
    if sweeps.values is not None:
        return sweeps.values[start:stop, columns]
    assert isinstance(header, Header)  # noqa: S101 - text has values
    if sweeps.begins is None:
        return _rows(source, header, start * len(header.channels), stop - start)[:, columns]
    first, count = sweeps.runs["first"], sweeps.runs["count"]
    parts = [np.empty((0, len(header.channels)), header.dtype)]
    run = int(np.searchsorted(first + count, start, "right"))
    while start < stop:
        inside = start - int(first[run])
        rows = min(int(count[run]) - inside, stop - start)
        begin = int(sweeps.begins[run]) + inside * len(header.channels)
        parts.append(_rows(source, header, begin, rows))
        start += rows
        run += 1
    return np.concatenate(parts)[:, columns]


def sample_places(
    source: ByteSource, header: AnyHeader, sweeps: Sweeps, run: int
) -> EvenRows | None:
    """Tell where the samples of a sweep lie; None: they are text."""
    if sweeps.values is not None or not isinstance(header, Header):
        return None
    width = len(header.channels)
    begin = sweeps.runs["first"][run] * width if sweeps.begins is None else sweeps.begins[run]
    offset = header.data_offset + int(begin) * header.dtype.itemsize
    return EvenRows(source, offset, header.dtype, width)


def _columns(channels: NDArray[np.intp] | None) -> Any:
    """Index of the columns; a slice, which makes a view, where one channel or all are asked for."""
    if channels is None:
        return slice(None)
    if len(channels) == 1:
        return slice(int(channels[0]), int(channels[0]) + 1)
    return channels


def _rows(source: ByteSource, header: Header, begin: int, rows: int) -> NDArray[Any]:
    width = len(header.channels)
    offset = header.data_offset + begin * header.dtype.itemsize
    data = source.array(offset, header.dtype, rows * width, field="data section")
    return data.reshape(rows, width)
