"""TDT: tanks and blocks of Tucker-Davis Technologies (OpenEx, Synapse).

A tank is a folder, and each recording in it, a block, a folder of its own with the files .tsq
(index), .tev (data), .Tbk (description) and others. Opened are a whole tank (every block becomes a
segment), one block, or any one file of a block. Names do not matter, endings do: folders may have
been renamed. Only the .tsq is always needed, the .tev where no .sev files take its place.

Streams become signals, one per store, with one run per stretch without gaps. Their samples are in
the .tev, or in one .sev file per channel (stores saved as "discrete files", RS4 storage), in parts
of hours ("-1h", "-2h") or whole; of a thousand of them few are open at a time. Gaps come from the
times in the index, or for .sev files from their ``STORE_log.txt``, which counts samples from 1.
Files of stores that the index does not know are read too; they begin with the block.

Snippets become spikes, one train per store, channel and sort code (0: unsorted; 31: outliers by
the sorter's convention). Off-line sort codes (``sort/NAME/STORE.SortResult``) take the place of the
recorded ones where there is one sort; of several, ``sortname`` chooses one, and ``sortname=""``
keeps the recorded codes. Strobes with an offset store are epochs, other strobes and scalars are
events; their values are the labels and the array annotation ``values``. Numbers of notes are the
array annotation ``note``, notes themselves (.tnt, Notes.txt) an annotation of the block.

Time 0 is the start mark of the earliest block; all times are exact to the file's 0.24 us. Units
are not stored: streams are taken for microvolts and snippets for volts, as is usual, and stored
integers have no scale; ``stream_units``, ``stream_gain``, ``snippet_units`` and ``snippet_gain``
say it better. A block without .tev and .sev files still gives its events. ``salvage`` leaves out
what follows a missing part of hours, and blocks of a tank that cannot be read.

Not read: settings (.tin), the epoch index (.Tdx, made of the .tsq), the index in the .Tbk, samples
packed in pairs (.sev), the listing of stores that Synapse writes.

Source: the descriptions of tank, block and .sev files that Tucker-Davis Technologies publish with
their software; the meaning of fields was compared with a recording of a photometry system.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import FormatError
from ephyrus.formats.tdt import texts
from ephyrus.formats.tdt.data import read_pieces
from ephyrus.formats.tdt.folder import ENDINGS, NOTE_ENDINGS, find_blocks, index_names, tank_name
from ephyrus.formats.tdt.layout import (
    KNOWN,
    MARK,
    RECORD,
    RECORD_BYTES,
    START,
    TYPE_MASK,
    Block,
    BlockFiles,
    Header,
)
from ephyrus.formats.tdt.points import mark_parts, spike_parts
from ephyrus.formats.tdt.streams import stream_parts
from ephyrus.formats.tdt.tank import BlockParts, Spikes, Tank, describe_tank
from ephyrus.formats.tdt.tsq import read_index
from ephyrus.recording import (
    FileSet,
    Format,
    Opening,
    Option,
    Reading,
    RecordingInfo,
    SignalStream,
    TableStream,
)
from ephyrus.recording import (
    rows as rows_at,
)

FORMAT = Format(
    name="tdt",
    label="TDT tank",
    io_class="TdtIO",
    extensions=(*ENDINGS, "txt"),
    companions=(*ENDINGS[1:], "txt"),
    mode="dir",
    holds=("Block", "Segment", "Group", "AnalogSignal", "SpikeTrain", "Event", "Epoch"),
    options=(
        Option(
            "sortname",
            None,
            "Off-line sort whose codes are used; empty: codes as recorded (default: the only one).",
            "text",
        ),
        Option("stream_units", "uV", "Unit of the samples of streams.", "unit"),
        Option("stream_gain", 1.0, "Value of one step of a stored sample.", "float"),
        Option("snippet_units", "V", "Unit of the waveforms of snippets.", "unit"),
        Option("snippet_gain", 1.0, "Value of one step of a stored waveform.", "float"),
    ),
)

SNIFFED_FOLDERS = 64  # folders in a folder that are looked into to tell a tank


def sniff(files: FileSet, head: bytes) -> float:
    """Tell by the first records of an index: of this file, beside it, or in this folder."""
    if files.is_dir:
        return _sniff_folder(files)
    if files.suffix == "tsq":
        return _index_confidence(head)
    if files.suffix in ENDINGS or files.name.casefold().endswith(NOTE_ENDINGS):
        return 0.95 * _best_index(files, "")
    return 0.0


def _sniff_folder(files: FileSet) -> float:
    own = _best_index(files, "")
    if own > 0:
        return own
    visible = [name for name in files.folders() if not name.startswith(".")]
    best = 0.0
    for name in visible[:SNIFFED_FOLDERS]:
        with suppress(PermissionError):  # of a folder that need not be a tank
            best = max(best, _best_index(files, name))
        if best >= 1:
            break
    return best


def _best_index(files: FileSet, folder: str) -> float:
    """Give the confidence in the best of the .tsq files in a folder."""
    names = index_names(files, folder)
    paths = [f"{folder}/{name}" if folder else name for name in names]
    return max((_index_confidence(files.source(path).head(1024)) for path in paths), default=0.0)


def _index_confidence(head: bytes) -> float:
    """Tell how much the beginning of a file looks like that of a .tsq."""
    count = len(head) // RECORD_BYTES
    if count < 2:
        return 0.0
    records = np.frombuffer(head, RECORD, count)[1:]
    kinds = records["type"] & TYPE_MASK
    known = (np.isin(kinds, KNOWN) | (kinds == 0)) & (records["type"] < 2**16)
    if kinds[0] == MARK and records["code"][0] == START:
        return 1.0 if known.all() else 0.6
    return 0.5 if known.mean() > 0.5 and (kinds != 0).any() else 0.0


def parse_header(opening: Opening) -> Header:
    """Find the blocks; read the lists of their stores and their notes."""
    found = find_blocks(opening.files)
    for files in found:
        if files.doubtful:
            names = ", ".join(files.doubtful)
            opening.note(f"of {names} the first of each ending is used, none is called like the "
                         ".tsq", path=files.tsq)  # fmt: skip
    _check_options(opening, found)
    blocks = tuple(
        Block(
            files,
            texts.read_stores(opening.files, files.tbk),
            texts.read_notes(opening.files, files.notes),
        )
        for files in found
    )
    return Header(tank_name(opening.files, found), blocks, opening.options)


def _check_options(opening: Opening, found: Sequence[BlockFiles]) -> None:
    """Refuse gains that lose every value, and the name of a sort that is not there."""
    for name in ("stream_gain", "snippet_gain"):
        gain = opening.options[name]
        if gain == 0 or not np.isfinite(gain):
            raise ValueError(f"option {name}={gain}: a gain is finite and not 0")
    wanted = opening.options["sortname"]
    there = sorted({name for files in found for name in files.sorts})
    if wanted and wanted.casefold() not in map(str.casefold, there):
        raise ValueError(f"option sortname={wanted!r}: there is {there or 'no off-line sort'}")


def index(opening: Opening, header: Header) -> Tank:
    """Read and sort the index of each block, and put the blocks together."""
    found = []
    for place, block in enumerate(header.blocks, 1):
        try:
            found.append(_parts(opening, block))
        except FormatError as error:
            if place == len(header.blocks) and not found:  # salvaging needs one sound block
                raise
            opening.damaged(error)
    return describe_tank(header, found)


def _parts(opening: Opening, block: Block) -> BlockParts:
    index = read_index(opening, block)
    return BlockParts(
        index,
        tuple(stream_parts(opening, index)),
        tuple(mark_parts(opening, index)),
        tuple(spike_parts(opening, index)),
    )


def describe(header: Header, index: Tank) -> RecordingInfo:
    """Give the descriptors."""
    return index.info


def read_signal(
    reading: Reading[Header, Tank],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored samples [start, stop)."""
    pieces = reading.index.pieces[stream.index]
    width = len(stream.channels) if channels is None else len(channels)
    empty = np.empty((0, width), stream.dtype)
    return read_pieces(reading.files, pieces, start, stop, channels, empty)


def read_table(
    reading: Reading[Header, Tank],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    return _columns(reading, stream, slice(start, stop), columns)


def read_rows(
    reading: Reading[Header, Tank],
    stream: TableStream,
    rows: NDArray[np.intp],
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of the items at positions `rows`, ascending."""
    return _columns(reading, stream, rows, columns)


def _columns(
    reading: Reading[Header, Tank],
    stream: TableStream,
    items: slice | NDArray[np.intp],
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    table = reading.index.tables[stream.index]
    found: dict[str, NDArray[Any]] = {}
    for name in columns:
        if isinstance(table, Spikes):
            if name == "waveform":
                found[name] = _waveforms(reading.files, stream, table, items)
            else:
                found[name] = (table.ticks if name == "tick" else table.codes)[items]
        elif name == "label":
            found[name] = _labels(table.columns["values"][items])
        else:
            found[name] = table.columns[name][items]
    return found


def _labels(values: NDArray[np.float64]) -> NDArray[Any]:
    """Write values as short as they are exact to six digits: each different one once."""
    different, places = np.unique(values, return_inverse=True)
    return np.array([f"{value:g}" for value in different.tolist()], object)[places]


def _waveforms(
    files: FileSet, stream: TableStream, table: Spikes, items: slice | NDArray[np.intp]
) -> NDArray[Any]:
    """Gather waveforms, from the file of each block."""
    dtype = stream.columns["waveform"]
    chosen = np.arange(*items.indices(stream.length)) if isinstance(items, slice) else items
    firsts = np.array([first for first, _ in table.paths])
    edges = np.append(np.searchsorted(chosen, firsts), chosen.size)
    out = np.empty((chosen.size, *dtype.shape), dtype.base)
    for (_, path), begin, end in zip(table.paths, edges[:-1], edges[1:], strict=True):
        if end > begin:
            offsets = table.offsets[chosen[begin:end]]
            source = files.source(path)
            out[begin:end, 0] = rows_at(source, offsets, dtype.base, dtype.shape[1])
    return out
