"""Writes the signals of one segment as columns of text, with a sidecar if one is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ephyrus._shared.words import counted
from ephyrus.errors import NeoReadWriteError
from ephyrus.export import WriteReport
from ephyrus.export.columns import Columns, left_out, notes_left_out, single_segment
from ephyrus.export.files import beside
from ephyrus.formats.asciisignal import named_delimiter
from ephyrus.recording import under_way
from ephyrus.recording.clock import sample_times
from ephyrus.recording.plaintext import units_per_second

if TYPE_CHECKING:
    from ephyrus.core import Block
    from ephyrus.recording import Progress

__all__ = ["write"]

LABEL = "a table of text"
ROWS_AT_ONCE = 1024  # are formatted by one operation
FORMATS = re.compile(r"%[-+ 0]*\d*(\.\d+)?[eEfFgG]")


def write(
    blocks: Sequence[Block],
    path: Path,
    options: Mapping[str, Any],
    *,
    progress: Progress,
) -> WriteReport:
    """Write the analog signals of one segment as columns.

    Parameters
    ----------
    blocks : sequence of Block
        One block with one segment, whose signals share rate, beginning, length and units.
    path : Path
        The file.
    options : mapping
        ``delimiter``, ``decimal``, ``fmt``; ``timecolumn`` to write the times as well, at this
        position, in ``time_units``; ``units`` to write in; ``metadata_filename`` for a sidecar,
        beside the file if it is a bare name.
    progress : Progress
        Told about bytes of text, whose total is not known before.

    Returns
    -------
    WriteReport
        Losses: other objects; names; rate and units where there is no sidecar to hold them.

    Raises
    ------
    NeoReadWriteError
        If there is not exactly one segment, or it has no analog signal.
    ValueError
        If signals differ in rate, beginning, length or units, or an option cannot be.
    """
    segment = single_segment(blocks, LABEL)
    columns = Columns.of(segment, LABEL, options["units"])
    if len(set(columns.units)) > 1:
        raise ValueError(
            f"{LABEL} has one unit, the signals have {', '.join(sorted(set(columns.units)))}; "
            "units=... writes them all in one"
        )
    if not columns.length:
        raise NeoReadWriteError(f"{LABEL} is made of rows, the signals have no samples")
    line_format, to_comma = _line_format(columns, options)
    sidecar = _sidecar_path(path, options["metadata_filename"])
    targets = [path] if sidecar is None else [path, sidecar]
    with (
        under_way(progress, None, "B", f"writing {path.name}"),
        beside(*targets) as parts,
        parts[0].open("wb") as file,
    ):
        for rows in _rows(columns, options):
            progress.advance(_write_rows(file, rows, line_format, to_comma))
        if sidecar is not None:
            about = json.dumps(_about(path, columns, options), indent=2, ensure_ascii=False)
            parts[1].write_text(about + "\n", encoding="utf-8")
    losses = (
        *left_out(segment, "analogsignals", LABEL),
        *notes_left_out(blocks, columns.signals),
        *_untold(columns, options, sidecar),
    )
    return WriteReport(tuple(targets), losses)


def _line_format(columns: Columns, options: Mapping[str, Any]) -> tuple[str, bool]:
    """Give the format of a line, and whether points are to become commas."""
    fmt, decimal = options["fmt"], options["decimal"]
    if not FORMATS.fullmatch(fmt):
        raise ValueError(f"fmt={fmt!r}: expected the format of one number, such as '%.18e'")
    delimiter = named_delimiter(options["delimiter"]).decode("ascii")
    if delimiter in (decimal, "."):
        raise ValueError(f"{delimiter!r} cannot be both delimiter and decimal mark")
    count = columns.width + (options["timecolumn"] is not None)
    return delimiter.replace("%", "%%").join([fmt] * count) + "\n", decimal == ","


def _rows(columns: Columns, options: Mapping[str, Any]) -> Iterator[NDArray[np.float64]]:
    """Give all columns piece by piece, with the times where they are wanted."""
    position = options["timecolumn"]
    count = columns.width + 1
    if position is not None and not -count <= position < count:
        raise ValueError(f"timecolumn={position}: there are {count} columns, counted from 0")
    per_second = units_per_second(options["time_units"], "time_units")
    rate = Fraction(repr(columns.rate)) / per_second
    t_start = Fraction(repr(columns.t_start)) * per_second
    first = 0
    for values in columns.pieces():
        if position is None:
            yield values
            continue
        samples = np.arange(first, first + len(values))
        times = sample_times(t_start.numerator, Fraction(t_start.denominator), samples, rate)
        yield np.insert(values, position % count, times, axis=1)
        first += len(values)


def _write_rows(file: BinaryIO, rows: NDArray[np.float64], line_format: str, to_comma: bool) -> int:
    """Write rows; give the number of bytes."""
    written = 0
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[begin : begin + ROWS_AT_ONCE]
        text = (line_format * len(part)) % tuple(part.ravel().tolist())
        written += file.write((text.replace(".", ",") if to_comma else text).encode("ascii"))
    return written


def _sidecar_path(path: Path, name: str | None) -> Path | None:
    """Give the path of the sidecar: a bare name lies beside the file."""
    if name is None:
        return None
    return path.with_name(name) if Path(name).name == name else Path(name).expanduser()


def _about(path: Path, columns: Columns, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the content of the sidecar."""
    return {
        "filename": path.name,
        "delimiter": options["delimiter"],
        "decimal": options["decimal"],
        "timecolumn": options["timecolumn"],
        "units": columns.units[0],
        "time_units": options["time_units"],
        "sampling_rate": {"value": columns.rate, "units": "Hz"},
        "t_start": {"value": columns.t_start, "units": "s"},
        "usecols": None,
        "skiprows": 0,
        "method": "genfromtxt",
        "signal_group_mode": options["signal_group_mode"] or "split-all",
    }


def _untold(columns: Columns, options: Mapping[str, Any], sidecar: Path | None) -> list[str]:
    """Tell what the files do not tell."""
    names = [signal.name for signal in columns.signals if signal.name]
    found = [f"the names of {counted(len(names), 'signal')} are left out"] if names else []
    if sidecar is not None:
        return found
    told = f"units={columns.units[0]!r}"
    if options["timecolumn"] is None:
        told += f", sampling_rate={columns.rate!r}, t_start={columns.t_start!r}"
    else:
        told += f", timecolumn={options['timecolumn']}, time_units={options['time_units']!r}"
    return [*found, f"units and times are not told in the file; to read it, say {told}"]
