r"""Text columns: a table of numbers, one signal a column, one sample a line.

Written by nearly every program that exports anything, named ``.txt``, ``.asc``, ``.csv`` or
``.tsv``. Lines are cut into cells at tabs, semicolons, commas or blanks (``delimiter``), decimals
may be written with a comma (``decimal=","``); both are found out where they are not told. Empty
lines and lines that begin with ``#`` are left out, and so are ``skiprows`` lines at the start;
further lines at the start without any number are taken for a header, with a note. A delimiter at
the end of every line makes no column.

``usecols`` chooses columns. ``timecolumn`` says which of the chosen ones holds the times, in
``time_units``; negative numbers count from the end. Times that are equally spaced (each within 1 %
of a step of the straight line from first to last) give an AnalogSignal with the rate
(n - 1) / (last - first), others an IrregularlySampledSignal; ``regular`` says beforehand which of
the two it is. Without times, ``sampling_rate`` and ``t_start`` tell them. Columns are named
``Column <i>`` after their place among the chosen ones.

``method`` tells what is accepted as a cell: ``"genfromtxt"`` (the default) takes cells as they are
delimited, an empty one has no number; ``"csv"`` takes off double quotes too; ``"homemade"`` drops
empty cells, so that several delimiters in a row are one. One parser serves all three, in double
precision. A cell without a number is NaN, with a note; ``strict=True`` makes it an error. Rows with
more or fewer cells than the first are an error that names the line; a cut last line is left out.
A callable as ``method`` gets the file's path and ``usecols`` and gives a two-dimensional array.

A file ``<name>_about.json`` beside the table (or ``metadata_filename``) may tell the options; it
wins over those given. Keys: filename, delimiter, timecolumn, units, time_units, sampling_rate and
t_start (``{"value": ..., "units": ...}``), usecols, skiprows, method, signal_group_mode.

Opening walks through the file once (twice with a time column) without keeping it; reading a range
of samples reads only the text around it.

Not read: text in UTF-16, delimiters of several characters, thousands separators, dates as times.

Source: there is no specification; options and sidecar are those of Neo's ``AsciiSignalIO``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.asciisignal.first import Start, found_start, likeness
from ephyrus.formats.asciisignal.layout import named_delimiter
from ephyrus.formats.asciisignal.sidecar import told_by_sidecar
from ephyrus.formats.asciisignal.times import Times, examined
from ephyrus.formats.asciisignal.walk import Table, read_rows, table_times, walked
from ephyrus.recording import (
    Channels,
    FileSet,
    Format,
    Opening,
    Option,
    Reading,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    as_fraction,
    columns,
    corrupt,
    exact_clock,
    run_table,
    seconds,
)
from ephyrus.recording.plaintext import units_per_second

__all__ = [
    "FORMAT",
    "describe",
    "index",
    "named_delimiter",
    "parse_header",
    "read_options",
    "read_signal",
    "read_table",
    "sniff",
]

MODES = ("split-all", "all-in-one")
METHODS = ("genfromtxt", "csv", "homemade")
LARGEST_TIME = 2**53  # seconds
LARGEST_TICK = 2**62

log = logging.getLogger(__name__)

_DELIMITER = Option("delimiter", None, "What stands between cells (default: found out).", "text")
_TIMECOLUMN = Option("timecolumn", None, "Which of the chosen columns holds the times.", "int")
_UNITS = Option("units", "V", "Unit of the values, or one per column.", "unit", (), ("unit",))
_TIME_UNITS = Option("time_units", "s", "Unit of the time column.", "unit")
_DECIMAL = Option("decimal", None, "Decimal mark (default: found out).", "text", (".", ","))
_SIDECAR = Option("metadata_filename", None, "JSON file that tells the other options.", "text")
_MODE = Option("signal_group_mode", None, "How columns are grouped into signals.", "text")

FORMAT = Format(
    name="asciisignal",
    label="Text columns",
    io_class="AsciiSignalIO",
    extensions=("txt", "asc", "csv", "tsv"),
    holds=("Block", "Segment", "AnalogSignal", "IrregularlySampledSignal"),
    writes=("Block", "Segment"),
    signal_group_modes=MODES,
    options=(
        _DELIMITER,
        Option("usecols", None, "Columns to read (default: all).", "list"),
        Option("skiprows", 0, "Lines to skip at the start.", "int"),
        _TIMECOLUMN,
        Option("sampling_rate", 1.0, "Rows per second, without time column.", "frequency"),
        Option("t_start", 0.0, "Time of the first row, without time column.", "time"),
        _UNITS,
        _TIME_UNITS,
        Option("method", "genfromtxt", "genfromtxt, csv, homemade, or a callable."),
        _MODE,
        _SIDECAR,
        _DECIMAL,
        Option("regular", None, "Times are equally spaced, or not (default: found out).", "bool"),
        Option("strict", False, "Refuse cells without a number.", "bool"),
    ),
    write_options=(
        Option("delimiter", "\t", "What to write between cells.", "text"),
        _TIMECOLUMN,
        Option("units", None, "Unit to write in (default: their own).", "unit", (), ("unit",)),
        _TIME_UNITS,
        Option("decimal", ".", "Decimal mark.", "text", (".", ",")),
        Option("fmt", "%.18e", "How a number is written, as for numpy.savetxt.", "text"),
        Option("metadata_filename", None, "JSON file to describe the table in.", "text"),
        _MODE,
    ),
)


@dataclass(frozen=True, slots=True)
class Header:
    """What was told of the table, and where it begins.

    Attributes
    ----------
    options : mapping
        All options, after the sidecar had its say.
    start : Start or None
        The first row; None where a callable read the table.
    columns : tuple of int
        Chosen columns of the file.
    time_position : int or None
        Position of the time column among the chosen ones.
    array : ndarray or None
        The chosen columns, where a callable read them.
    """

    options: Mapping[str, Any]
    start: Start | None
    columns: tuple[int, ...]
    time_position: int | None
    array: NDArray[np.float64] | None = None

    @property
    def signal_group_mode(self) -> str | None:
        """How columns are to be grouped into signals, if that was told."""
        mode: str | None = self.options["signal_group_mode"]
        return mode

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions of the signals among the chosen columns."""
        return tuple(at for at in range(len(self.columns)) if at != self.time_position)


@dataclass(frozen=True, slots=True)
class Index:
    """How many rows there are, where they are, and what their times are like."""

    rows: int
    table: Table | None
    times: Times | None


def sniff(files: FileSet, head: bytes) -> float:
    """Tell a table of numbers, perhaps below header lines."""
    rows, has_header = likeness(head)
    fits = files.suffix in FORMAT.extensions
    if rows < 0:  # rows of different length: .txt may be spike trains
        return 0.3 if fits and files.suffix != "txt" else 0.1 * fits
    if rows == 0:
        return 0.0
    return (0.45 if has_header else 0.5) if fits else 0.2


def parse_header(opening: Opening) -> Header:
    """Read the sidecar, skip header lines, and look at the first row."""
    options = {**opening.options, **told_by_sidecar(opening, FORMAT.options)}
    method = options["method"]
    if callable(method):
        array = _array_of(opening, method, options["usecols"])
        chosen = tuple(range(array.shape[1]))
        return Header(options, None, chosen, _time_position(opening, options, chosen), array)
    if method not in METHODS:
        raise ValueError(f"method={method!r}: expected {', '.join(METHODS)} or a callable")
    if options["skiprows"] < 0:
        raise ValueError(f"skiprows={options['skiprows']}: expected 0 or more")
    start = found_start(opening, options)
    chosen = _chosen(opening, options["usecols"], start.fields - start.trailing)
    return Header(options, start, chosen, _time_position(opening, options, chosen))


def _array_of(opening: Opening, method: Any, usecols: Sequence[int] | None) -> NDArray[np.float64]:
    """Let a callable read the table."""
    array = np.asarray(method(opening.files.path, usecols), np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"method gave an array of shape {array.shape}, expected (rows, columns)")
    return array


def _chosen(opening: Opening, usecols: Sequence[int] | None, count: int) -> tuple[int, ...]:
    """Give the chosen columns as positions from 0."""
    if usecols is None:
        return tuple(range(count))
    for column in usecols:
        if not isinstance(column, int | np.integer) or not -count <= column < count:
            _no_such_column(opening, f"usecols={list(usecols)}", count)
    if not usecols:
        raise ValueError("usecols=[]: choose one column at least, or None for all")
    return tuple(int(column) % count for column in usecols)


def _time_position(
    opening: Opening, options: Mapping[str, Any], chosen: tuple[int, ...]
) -> int | None:
    """Give the position of the time column among the chosen ones."""
    position, count = options["timecolumn"], len(chosen)
    if position is None:
        return None
    if not -count <= position < count:
        _no_such_column(opening, f"timecolumn={position}", count)
    if count == 1:
        _no_such_column(opening, f"timecolumn={position} leaves no column for a signal", count)
    return int(position) % count


def _no_such_column(opening: Opening, what: str, count: int) -> None:
    corrupt(opening.files.main, f"{what}: there are {count} columns, counted from 0")


def index(opening: Opening, header: Header) -> Index:
    """Walk through the file: count rows, check cells, look at the times."""
    per_second = units_per_second(header.options["time_units"], "time_units")
    table, times, at, rows = None, None, header.time_position, 0
    if header.start is not None:
        table = walked(opening, header.start, header.columns, strict=header.options["strict"])
        if at is not None:
            table, times = table_times(opening, table, header.columns[at])
        rows = table.rows
    elif header.array is not None:
        rows = len(header.array)
        times = None if at is None else _array_times(opening, header.array[:, at])
    if times is not None:
        if max(abs(times.low), abs(times.high)) / per_second > LARGEST_TIME:
            corrupt(opening.files.main, f"a time of {times.high} {header.options['time_units']}")
        times = _as_told(opening, times, rows, header.options["regular"])
    return Index(rows, table, times)


def _as_told(opening: Opening, times: Times, rows: int, regular: bool | None) -> Times:
    """Take times as equally spaced, or not, where that was told."""
    if regular is False:
        return replace(times, t_start=None, rate=None)
    if regular and times.t_start is None:
        if rows > 1:
            corrupt(opening.files.main, "regular=True: the times are not equally spaced")
        return replace(times, t_start=Fraction(repr(times.low)))  # its rate must be told
    return times


def _array_times(opening: Opening, times: NDArray[np.float64]) -> Times:
    """Look at the times in an array that a callable read."""
    first, last = (repr(float(times[at])).encode() for at in (0, -1))
    found = examined(first, last, len(times), [(0, times)])
    if not isinstance(found, Times):
        corrupt(opening.files.main, f"row {found}: {times[found]} is not a time")
    return found


def describe(header: Header, index: Index) -> RecordingInfo:
    """Build the descriptors: one segment, one regular or irregular stream."""
    channels = _channels(header)
    per_second = units_per_second(header.options["time_units"], "time_units")
    times = index.times
    if times is not None and times.t_start is None:
        table = TableStream(
            index=0,
            id="0",
            name="multichannel",
            kind="samples",
            length=index.rows,
            columns=columns(tick="<f8", value=("<f8", (len(channels),))),
            clock=per_second,
            runs=run_table([index.rows]),
            channels=channels,
            is_sorted=times.is_sorted,
        )
        t_start, t_stop = (float(seconds(edge, per_second)) for edge in (times.low, times.high))
        return RecordingInfo(
            segments=(SegmentInfo(t_start, t_stop),),
            tables=(table,),
            signal_group_mode=header.signal_group_mode,
        )
    clock, tick, rate = _regular(header.options, times, per_second)
    signal = SignalStream(
        index=0,
        id="0",
        name="multichannel",
        length=index.rows,
        dtype=np.dtype("<f8"),
        rate=rate,
        channels=channels,
        runs=run_table([index.rows], tick),
        clock=clock,
    )
    return RecordingInfo(
        segments=(SegmentInfo(),), signals=(signal,), signal_group_mode=header.signal_group_mode
    )


def _regular(
    options: Mapping[str, Any], times: Times | None, per_second: Fraction
) -> tuple[Fraction, int, Fraction]:
    """Give clock, first tick and rate of equally spaced rows."""
    told = as_fraction(options["sampling_rate"])
    if times is None or times.t_start is None:
        clock, ticks = exact_clock([options["t_start"]])
        return clock, int(ticks[0]), told
    t_start = times.t_start / per_second
    rate = told if times.rate is None else times.rate * per_second
    if max(t_start.denominator, abs(t_start.numerator)) < LARGEST_TICK:
        return Fraction(t_start.denominator), t_start.numerator, rate
    if abs(t_start) < 10**6:
        return Fraction(10**12), round(t_start * 10**12), rate
    clock, ticks = exact_clock([float(t_start)])
    return clock, int(ticks[0]), rate


def _channels(header: Header) -> Channels:
    """Name the signals after their column among the chosen ones."""
    positions, units = header.positions, header.options["units"]
    if not isinstance(units, str):
        if len(units) == len(header.columns):  # the time column may have an entry
            units = [units[at] for at in positions]
        if len(units) != len(positions):
            raise ValueError(f"units: {len(units)} are given for {len(positions)} signals")
    return Channels.table(
        [f"Column {at}" for at in positions],
        ids=[str(at) for at in positions],
        units=units,
        extra={"channel_index": np.array(positions, np.int64)},
    )


def read_signal(
    reading: Reading[Header, Index],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give the numbers of rows [start, stop)."""
    header = reading.header
    positions = header.positions
    if channels is not None:
        positions = tuple(positions[int(channel)] for channel in channels)
    return _values(reading, start, stop, positions)


def read_table(
    reading: Reading[Header, Index],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give times and values of rows [start, stop)."""
    header = reading.header
    times = () if header.time_position is None else (header.time_position,)
    positions = {"tick": times, "value": header.positions}
    wanted = tuple(at for name in columns for at in positions[name])
    values = _values(reading, start, stop, wanted)
    found, begin = {}, 0
    for name in columns:
        end = begin + len(positions[name])
        found[name] = values[:, begin] if name == "tick" else values[:, begin:end]
        begin = end
    return found


def _values(
    reading: Reading[Header, Index], start: int, stop: int, positions: tuple[int, ...]
) -> NDArray[np.float64]:
    """Read chosen columns of rows [start, stop); a cell without a number is NaN."""
    header, table = reading.header, reading.index.table
    if table is None:
        return np.empty((0, 0)) if header.array is None else header.array[start:stop, positions]
    wanted = tuple(header.columns[at] for at in positions)
    values, bad = read_rows(reading.files.main, table, start, stop, wanted)
    if bad and not table.bad_cells:  # else it was told when the file was opened
        log.warning("%s: no number in %s: read as NaN", reading.files.path, bad)
    return values


def read_options(options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options of opening for the old style: arguments given to ``read_segment``.

    Parameters
    ----------
    options : mapping
        Options that the recording was opened with.
    given : mapping
        Keywords of ``read_segment``: delimiter, usecols, skiprows, timecolumn, sampling_rate,
        t_start, unit, method; they win.

    Returns
    -------
    dict
        Options.
    """
    return FORMAT.renamed({**options, **given})
