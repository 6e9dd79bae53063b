"""What the headers of ABF1 and ABF2 have in common: gains, clocks, dates, tables that may fail."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephyrus.errors import FormatError
from ephyrus.formats.axon.layout import EXPERIMENT_TYPES, MODES, SAMPLE_DTYPES, UserList
from ephyrus.recording import ByteSource, Opening, as_fraction, corrupt, positive, read_entries

MICROSECONDS = 10**6
SHORTEST, LONGEST = 1e-6, 1e12  # of a time that can be true, in us
LARGEST = 1e30  # gain or offset that can be true


def optional_entries(
    opening: Opening,
    source: ByteSource,
    offset: int,
    dtype: np.dtype[Any],
    count: int,
    field: str,
    *,
    entry_bytes: int | None = None,
) -> NDArray[Any]:
    """Read a table that the samples do not need: of a damaged one the sound part is salvaged."""
    if offset == 0 or count == 0:
        return np.zeros(0, dtype)
    try:
        entries = read_entries(source, offset, dtype, count, field, entry_bytes=entry_bytes)
    except FormatError as error:
        stored = max(dtype.itemsize if entry_bytes is None else entry_bytes, 1)
        there = max(min((source.size - offset) // stored, count), 0)
        opening.damaged(error, lost=max(count - there, 0))
        if not there:
            return np.zeros(0, dtype)
        entries = read_entries(source, offset, dtype, there, field, entry_bytes=stored)
    return entries.copy()  # a view would keep the file open


def doubles(values: ArrayLike) -> NDArray[np.float64]:
    """Widen stored numbers to float64; any bytes are allowed, signalling NaN too."""
    with np.errstate(invalid="ignore"):
        return np.asarray(values, np.float64)


def sample_dtype(source: ByteSource, code: int, offset: int) -> np.dtype[Any]:
    """Type of the samples by the header's code."""
    if code not in SAMPLE_DTYPES:
        corrupt(
            source,
            f"found {code}, expected 0 (16-bit integers) or 1 (32-bit floats)",
            offset=offset,
            field="data format",
        )
    return SAMPLE_DTYPES[code]


def checked_mode(opening: Opening, source: ByteSource, mode: int) -> int:
    """Give the operation mode; one that is not known is noted and read by the synch array."""
    if mode not in MODES:
        opening.note(
            f"operation mode {mode} is not known (1 to 5 are); sweeps are taken from the synch "
            "array, if there is one",
            path=source.name,
            field="operation mode",
        )
    return mode


def experiment_type(code: int) -> str:
    """Name of the experiment type; unknown codes are given as a number."""
    return EXPERIMENT_TYPES.get(code, str(code))


def mode_name(mode: int) -> str:
    """Name of the operation mode; unknown codes are given as a number."""
    return MODES.get(mode, str(mode))


def sampling_rate(source: ByteSource, interval: float, multiplex: int, offset: int) -> Fraction:
    """Give samples per second of a channel, from microseconds between multiplexed samples.

    The stored interval is a float32 and is taken as exactly that number.
    """
    checked = positive(source, interval, "sampling interval", offset=offset)
    if not SHORTEST <= checked <= LONGEST:
        corrupt(source, f"{checked} us cannot be true", offset=offset, field="sampling interval")
    return MICROSECONDS / (as_fraction(checked) * multiplex)


def synch_clock(
    opening: Opening, source: ByteSource, unit: float, rate: Fraction, channels: int
) -> tuple[Fraction, float]:
    """Clock of sweep starts and tags, and its unit (us; 0: ticks are multiplexed samples)."""
    if SHORTEST <= unit <= LONGEST:
        return MICROSECONDS / as_fraction(unit), unit
    if unit != 0:
        opening.note(
            f"a synch time unit of {unit} us; sweep starts and tags are taken as sample counts",
            path=source.name,
            field="synch time unit",
        )
    return rate * channels, 0.0


def start_to_start(opening: Opening, source: ByteSource, seconds: float) -> float:
    """Seconds between sweep starts; 0 where one follows the other."""
    if seconds == 0 or SHORTEST <= seconds * MICROSECONDS <= LONGEST:
        return seconds
    opening.note(
        f"sweeps start every {seconds} s; they are taken to follow each other",
        path=source.name,
        field="start to start interval",
    )
    return 0.0


def divisor(opening: Opening, source: ByteSource, values: ArrayLike, field: str) -> Any:
    """Give divisors of the gain as float64; those that are 0 (or not a number) count as 1."""
    array = doubles(values)
    bad = ~np.isfinite(array) | (array == 0)
    if np.any(bad):
        where = "" if array.ndim == 0 else f" of channels {np.flatnonzero(bad).tolist()}"
        opening.note(
            f"{field}{where} is 0 or not a number; 1 is used, check the scale of these signals",
            path=source.name,
            field=field,
        )
    return np.where(bad, 1.0, array)


def gains_and_offsets(
    opening: Opening,
    source: ByteSource,
    table: Any,
    *,
    adc_range: float,
    adc_resolution: float,
    telegraph_on: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale of 16-bit samples.

    ``adc_range / (scale factor * signal gain * programmable gain * resolution)``, divided by the
    telegraphed gain where that is enabled; offset is the instrument's minus the signal's.

    Parameters
    ----------
    opening, source
        For notes.
    table : structured ndarray or mapping of str to ndarray, shape (channels,)
        Gains and offsets of the channels.
    adc_range, adc_resolution : float
        Half range in volts, and its counts.
    telegraph_on : ndarray of bool, shape (channels,)
        Where the telegraphed gain counts.

    Returns
    -------
    gain, offset : ndarray of float64, shape (channels,)
    """
    full_range = positive(source, adc_range, "ADC range")
    divisors = divisor(opening, source, adc_resolution, "ADC resolution")
    for name in ("scale_factor", "signal_gain", "programmable_gain"):
        divisors = divisors * divisor(opening, source, table[name], name.replace("_", " "))
    telegraphed = np.where(telegraph_on, table["telegraph_gain"], 1.0)
    divisors = divisors * divisor(opening, source, telegraphed, "telegraphed gain")
    with np.errstate(all="ignore"):  # infinity - infinity, and products beyond float64
        offset = doubles(table["instrument_offset"]) - doubles(table["signal_offset"])
        gain = full_range / divisors
    return (
        _possible(opening, source, gain, 1.0, "gain"),
        _possible(opening, source, offset, 0.0, "offset"),
    )


def _possible(
    opening: Opening, source: ByteSource, values: NDArray[np.float64], default: float, name: str
) -> NDArray[np.float64]:
    """Replace gains or offsets that cannot be true, with a note."""
    bad = ~(np.abs(values) < LARGEST)
    if np.any(bad):
        opening.note(
            f"the {name} of channels {np.flatnonzero(bad).tolist()} cannot be true; "
            f"{default:g} is used",
            path=source.name,
            field=name,
        )
    return np.where(bad, default, values)


def recording_time(
    opening: Opening, source: ByteSource, date: int, seconds: float
) -> datetime | None:
    """Date as decimal YYYYMMDD or YYMMDD plus seconds since midnight; None where it is unknown."""
    if date in (0, -1, 0xFFFFFFFF):
        return None
    year, month, day = date // 10_000, date // 100 % 100, date % 100
    if 0 <= year < 100:
        year += 2000 if 2000 + year <= datetime.now().astimezone().year else 1900
    try:
        midnight = datetime(year, month, day)  # the file gives no time zone
        return midnight + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        opening.note(
            f"{date} is not a date; the recording has no start date",
            path=source.name,
            field="start date",
        )
        return None


def unique_ids(numbers: NDArray[Any]) -> list[str]:
    """Physical numbers as channel ids; positions where the numbers repeat."""
    wanted = [str(int(number)) for number in numbers]
    return wanted if len(set(wanted)) == len(wanted) else [str(k) for k in range(len(wanted))]


def bare_name(path: str) -> str:
    """Name of a file without the folder of the computer that recorded it."""
    return PureWindowsPath(path).name


def user_list(
    opening: Opening, source: ByteSource, *, parameter: int, repeat: bool, text: str
) -> UserList | None:
    """Read the values of a user list; None (and a note) if they are not numbers."""
    try:
        values = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        values = ()
    if values and np.all(np.isfinite(values)):
        return UserList(parameter, repeat, values)
    opening.note(
        f"{text!r} are not numbers; the list is ignored", path=source.name, field="user list"
    )
    return None
