"""Interleaved raw binary: numbers without any description.

Written by countless acquisition programs and scripts, usually named ``.raw``, ``.bin`` or ``.dat``:
a header to skip, then frames of one sample per channel, all of one type. Nothing in the file tells
what it holds, so everything must be said when it is opened: ``dtype``, ``nb_channel``,
``sampling_rate``, ``bytesoffset``, and how stored numbers become values: either ``signal_gain`` and
``signal_offset`` (value = sample * gain + offset), or the range of the converter, ``rangemin`` and
``rangemax``, whose ends the smallest and the largest integer stand for. Integers and floating point
numbers of up to 8 bytes are read, in either byte order.

A file is never recognised by its content; a name ending alone does not open it without
``format="rawbinarysignal"``. A rest that does not fill the last frame is left out, with a note.

Not read: complex and structured types, channels one after the other (planar files), headers (they
are skipped).

Source: there is no specification; the arguments and their defaults are those of Neo's
``RawBinarySignalIO``, in its present form (arguments of the class) and its old one (arguments of
``read_segment``: float32, one channel at 1 Hz in volts, range -10 to 10).
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import TruncatedError
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
    exact_clock,
    run_table,
)
from ephyrus.recording.sampleplaces import EvenRows

KINDS = "iuf"  # numpy kinds of the stored numbers: signed, unsigned, floating point
LONGEST_SAMPLE = 8  # bytes

_DTYPE = Option("dtype", "int16", "Type of a stored number, any numpy type string.", "dtype")
_GAIN = Option("signal_gain", 1.0, "Value of one step of a stored number.", "float")
_OFFSET = Option("signal_offset", 0.0, "Value of a stored 0.", "float")
_RANGEMIN = Option(
    "rangemin", None, "Value of the smallest integer; replaces gain and offset.", "float"
)
_RANGEMAX = Option("rangemax", None, "Value just above that of the largest integer.", "float")
_BYTESOFFSET = Option("bytesoffset", 0, "Bytes of the header to skip.", "int")

FORMAT = Format(
    name="rawbinarysignal",
    label="Interleaved raw binary",
    io_class="RawBinarySignalIO",
    extensions=("raw", "bin", "dat"),
    holds=("Segment", "AnalogSignal"),
    writes=("Block", "Segment"),
    options=(
        _DTYPE,
        Option("sampling_rate", 10_000.0, "Samples per second and channel.", "frequency"),
        Option("nb_channel", 2, "Samples of one frame.", "int", aliases=("nbchannel",)),
        _GAIN,
        _OFFSET,
        _BYTESOFFSET,
        Option("units", "", "Unit of the values, or one per channel.", "unit", aliases=("unit",)),
        Option("t_start", 0.0, "Time of the first sample.", "time"),
        _RANGEMIN,
        _RANGEMAX,
    ),
    write_options=(
        _DTYPE,
        _GAIN,
        _OFFSET,
        _RANGEMIN,
        _RANGEMAX,
        Option("bytesoffset", 0, "Only 0 can be written: there is no header.", "int"),
        Option(
            "units", None, "Unit to write values in (default: their own).", "unit", (), ("unit",)
        ),
    ),
)

# What Neo's old read_segment took for granted; the range does nothing to floating point numbers.
OLD_DEFAULTS: Mapping[str, Any] = {
    "dtype": "f4",
    "sampling_rate": 1.0,
    "nb_channel": 1,
    "bytesoffset": 0,
    "units": "V",
    "t_start": 0.0,
    "rangemin": -10.0,
    "rangemax": 10.0,
}


@dataclass(frozen=True, slots=True)
class Header:
    """What was said of the file, checked.

    Attributes
    ----------
    name : str
        Name of the file.
    dtype : numpy.dtype
        Type of a stored number.
    channels : int
        Samples of one frame.
    offset : int
        First byte of the first frame.
    frames : int
        Complete frames.
    gain, shift : float
        Value = stored number * gain + shift.
    units : tuple of str
        One per channel.
    rate, t_start : Fraction, float
        Samples per second; time of the first sample in seconds.
    """

    name: str
    dtype: np.dtype[Any]
    channels: int
    offset: int
    frames: int
    gain: float
    shift: float
    units: tuple[str, ...]
    rate: Fraction
    t_start: float


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """Accept a type of numbers that raw files can hold.

    Raises
    ------
    ValueError
        If it is complex, structured, text, truth values or longer than 8 bytes.
    """
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind.kind not in KINDS or kind.itemsize > LONGEST_SAMPLE or kind.subdtype is not None:
        raise ValueError(
            f"dtype={kind}: raw files hold integers or floating point numbers of up to "
            f"{LONGEST_SAMPLE} bytes (int16, uint16, int32, float32, ...)"
        )
    return kind


def scaling(dtype: np.dtype[Any], options: Mapping[str, Any]) -> tuple[float, float]:
    """Give gain and offset: as told, or from the range of the converter.

    Parameters
    ----------
    dtype : numpy.dtype
        Type of a stored number.
    options : mapping
        Checked options: signal_gain, signal_offset, rangemin, rangemax.

    Returns
    -------
    gain, offset : float
        Value = stored number * gain + offset.

    Raises
    ------
    ValueError
        If only one end of the range is given, or it is empty, or the gain is 0 or not finite.
    """
    low, high = options["rangemin"], options["rangemax"]
    if low is None and high is None:
        gain, shift = options["signal_gain"], options["signal_offset"]
        if gain == 0 or not np.isfinite([gain, shift]).all():
            raise ValueError(
                f"signal_gain={gain} and signal_offset={shift}: both must be finite, the gain not 0"
            )
        return gain, shift
    if low is None or high is None or not -np.inf < low < high < np.inf:
        raise ValueError(
            f"rangemin={low} and rangemax={high}: both must be given, rangemin the smaller one"
        )
    if dtype.kind == "f":
        return 1.0, 0.0
    shift = low if dtype.kind == "u" else (high + low) / 2
    return (high - low) / 2.0 ** (8 * dtype.itemsize), shift


def sniff(files: FileSet, head: bytes) -> float:
    """Tell a fitting name; nothing in a file speaks for it, but text speaks against it."""
    return 0.1 if files.suffix in FORMAT.extensions and not _is_text(head) else 0.0


def _is_text(head: bytes) -> bool:
    """Tell text from numbers: at least 16 bytes, all of them printable."""
    return len(head) >= 16 and not head.translate(None, string.printable.encode())


def parse_header(opening: Opening) -> Header:
    """Check what was said of the file against its size."""
    options, main = opening.options, opening.files.main
    dtype = checked_dtype(options["dtype"])
    channels, offset = options["nb_channel"], options["bytesoffset"]
    if channels < 1:
        raise ValueError(f"nb_channel={channels}: a frame has at least one sample")
    if offset < 0:
        raise ValueError(f"bytesoffset={offset}: the header cannot be shorter than nothing")
    if offset > main.size:
        raise TruncatedError(
            main.name,
            f"bytesoffset={offset:,} is beyond the end of the file of {main.size:,} bytes",
            field="bytesoffset",
        )
    frame_bytes = channels * dtype.itemsize
    frames, rest = divmod(main.size - offset, frame_bytes)
    if rest:
        opening.note(
            f"the last {rest} bytes do not fill a frame of {channels} x {dtype} and are left out; "
            "are dtype, nb_channel and bytesoffset right?",
            offset=main.size - rest,
        )
    gain, shift = scaling(dtype, options)
    return Header(
        name=opening.files.name,
        dtype=dtype,
        channels=channels,
        offset=offset,
        frames=frames,
        gain=gain,
        shift=shift,
        units=_units(options["units"], channels),
        rate=as_fraction(options["sampling_rate"]),
        t_start=options["t_start"],
    )


def _units(units: str | Sequence[str], channels: int) -> tuple[str, ...]:
    """Give one unit per channel."""
    if isinstance(units, str):
        return (units,) * channels
    if len(units) != channels:
        raise ValueError(f"{len(units)} units are given for {channels} channels")
    return tuple(units)


def index(opening: Opening, header: Header) -> None:
    """Find nothing: the place of every frame follows from the header."""


def describe(header: Header, index: None) -> RecordingInfo:
    """Build the descriptors: one segment, one signal."""
    clock, ticks = exact_clock([header.t_start])
    signal = SignalStream(
        index=0,
        id="0",
        name="Signals",
        length=header.frames,
        dtype=header.dtype,
        rate=header.rate,
        channels=Channels.table(
            [f"ch{number}" for number in range(header.channels)],
            units=header.units,
            gain=header.gain,
            offset=header.shift,
        ),
        runs=run_table([header.frames], ticks),
        clock=clock,
    )
    return RecordingInfo(segments=(SegmentInfo(),), signals=(signal,))


def read_signal(
    reading: Reading[Header, None],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored numbers of samples [start, stop): a view of the file where it is mapped."""
    header = reading.header
    first = header.offset + start * header.channels * header.dtype.itemsize
    count = (stop - start) * header.channels
    flat = reading.files.main.array(first, header.dtype, count, field=f"samples {start} to {stop}")
    frames = flat.reshape(stop - start, header.channels)
    return frames if channels is None else frames[:, channels]


def sample_places(reading: Reading[Header, None], stream: SignalStream, run: int) -> EvenRows:
    """Tell where the samples lie."""
    header = reading.header
    return EvenRows(reading.files.main, header.offset, header.dtype, header.channels)


def read_table(
    reading: Reading[Header, None],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give nothing: there are no tables in raw files."""
    return {}


def read_options(options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options of opening for the old style: arguments given to ``read_segment``.

    Parameters
    ----------
    options : mapping
        Options that the recording was opened with; they win over the old defaults.
    given : mapping
        Keywords of ``read_segment``: dtype, sampling_rate, t_start, unit, nbchannel, bytesoffset,
        rangemin, rangemax.

    Returns
    -------
    dict
        Options, and ``signal_group_mode``: the old style has one signal per channel.
    """
    told = FORMAT.renamed({**options, **given})
    defaults = dict(OLD_DEFAULTS)
    if "signal_gain" in told or "signal_offset" in told:
        del defaults["rangemin"], defaults["rangemax"]
    return {**defaults, **told, "signal_group_mode": "split-all"}
