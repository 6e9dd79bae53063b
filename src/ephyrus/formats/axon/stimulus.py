"""Command signals: what the protocol plays on the analog and digital outputs in each sweep.

Source: the vendor's description of the epoch table. A command begins with 1/64 of the sweep at
the holding level, then come the epochs, then holding again. Conditioning trains, leak subtraction
and outputs that alternate between sweeps are not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import FormatError
from ephyrus.formats.axon import reader
from ephyrus.formats.axon.common import doubles
from ephyrus.formats.axon.layout import GAP_FREE, VARIABLE_LENGTH, Dac, Digital, Header
from ephyrus.formats.axon.sweeps import Sweeps
from ephyrus.recording import Channels, FileSet, Opening, SignalStream, scaled

HOLDING_PART = 64  # of a sweep, before the first epoch
EPOCH_TABLE, STIMULUS_FILE = 1, 2  # waveform sources
STEP, RAMP, RECTANGLES, TRIANGLES, COSINES, RESISTANCE, BIPHASIC = range(1, 8)
SHAPED = (RAMP, RECTANGLES, TRIANGLES, COSINES, BIPHASIC)
LIST_LEVEL, LIST_DURATION, LIST_PERIOD, LIST_WIDTH = 21, 31, 41, 51  # of epoch 0
LISTS = {LIST_LEVEL: "level", LIST_DURATION: "duration", LIST_PERIOD: "period", LIST_WIDTH: "width"}
LIST_EPOCHS = 10
BITS = 16
DIGITAL = "digital"


@dataclass(frozen=True, slots=True, eq=False)
class StimulusFile:
    """A file that an output plays.

    Attributes
    ----------
    name : str
        Its name beside the recording.
    header, sweeps
        As read.
    scale, offset : float
        Command = value * scale + offset.
    """

    name: str
    header: reader.AnyHeader
    sweeps: Sweeps
    scale: float
    offset: float


StimulusFiles = Mapping[int, StimulusFile | None]


def source_of(header: Header, dac: Dac) -> int:
    """Where an output's command comes from: only recordings in sweeps play commands."""
    return 0 if header.mode in (VARIABLE_LENGTH, GAP_FREE) else dac.source


def find_files(opening: Opening, header: Header) -> StimulusFiles:
    """Open the stimulus files that lie beside the recording, by position of the output."""
    found: dict[int, StimulusFile | None] = {}
    for position, dac in enumerate(header.dacs):
        source = source_of(header, dac)
        if source == STIMULUS_FILE:
            found[position] = _stimulus_file(opening, dac)
        elif source == EPOCH_TABLE:
            _check_epochs(opening, dac)
    return found


def _stimulus_file(opening: Opening, dac: Dac) -> StimulusFile | None:
    place = f"stimulus file of output {dac.number}"
    name = opening.files.find(dac.file_name) if dac.file_name else None
    if name is None:
        opening.note(
            f"{dac.file_name!r} is not beside the recording; the command is not known and given "
            "as not a number (put the file there to read it)",
            field=place,
        )
        return None
    try:
        source = opening.files.source(name, field=place)
        header = reader.parse(opening, source)
        sweeps = reader.sweeps_of(opening, source, header)
    except FormatError as error:
        opening.note(f"{error}; the command is not known and given as not a number", field=place)
        return None
    usable = np.isfinite(dac.file_scale) and dac.file_scale != 0
    if not usable:
        opening.note(f"a scale of {dac.file_scale}; 1 is used", field=place)
    return StimulusFile(name, header, sweeps, dac.file_scale if usable else 1.0, dac.file_offset)


def _check_epochs(opening: Opening, dac: Dac) -> None:
    place = f"epoch table of output {dac.number}"
    kinds = np.setdiff1d(dac.epochs["kind"], np.arange(STEP, BIPHASIC + 1))
    if kinds.size:
        opening.note(
            f"epochs of types {kinds.tolist()} are not known; they are given as steps", field=place
        )
    listed = dac.user_list
    if listed is not None and _listed(listed.parameter) is None:
        opening.note(
            f"the user list varies parameter {listed.parameter}, which is not part of the command "
            "signals; they are given without it",
            field=place,
        )


def _listed(parameter: int) -> tuple[str, int] | None:
    """Tell what a user list varies: field and number of an epoch; None for other parameters."""
    for first, name in LISTS.items():
        if first <= parameter < first + LIST_EPOCHS:
            return name, parameter - first
    return None


def describe(header: Header, sweeps: Sweeps) -> tuple[SignalStream, ...]:
    """Streams of the analog outputs and of the digital outputs, with the runs of the sweeps."""
    streams = []
    numbers = [dac.number for dac in header.dacs]
    unique = len(set(numbers)) == len(numbers)
    for position, dac in enumerate(header.dacs):
        number = dac.number if unique else position
        name = dac.name or f"dac{number}"
        table = Channels.table([name], ids=[str(number)], units=dac.units)
        streams.append(_stream(position, f"dac{number}", name, "<f8", table, sweeps))
    bits = used_bits(header.digital)
    if bits:
        table = Channels.table([f"digital {bit}" for bit in bits], ids=[str(bit) for bit in bits])
        streams.append(_stream(len(streams), DIGITAL, "Digital outputs", "u1", table, sweeps))
    return tuple(streams)


def _stream(
    index: int, identifier: str, name: str, dtype: str, table: Channels, sweeps: Sweeps
) -> SignalStream:
    return SignalStream(
        index=index,
        id=identifier,
        name=name,
        length=int(sweeps.runs["count"].sum()),
        dtype=np.dtype(dtype),
        rate=sweeps.rate,
        channels=table,
        runs=sweeps.runs,
        clock=sweeps.clock,
    )


def used_bits(digital: Digital | None) -> list[int]:
    """Digital outputs that are ever high."""
    if digital is None:
        return []
    used = digital.holding
    for number in digital.dac.epochs["number"]:
        used |= digital.values.get(int(number), 0) | digital.trains.get(int(number), 0)
    return [bit for bit in range(BITS) if used >> bit & 1]


class _Timing:
    """Which part of a range falls into which epoch of which sweep.

    Columns are the holding part, the epochs and the rest of the sweep.
    """

    def __init__(self, dac: Dac, sweeps: Sweeps, start: int, stop: int) -> None:
        first, count = sweeps.runs["first"], sweeps.runs["count"]
        last = np.searchsorted(first, stop, "left")
        self.sweeps = np.arange(np.searchsorted(first + count, start, "right"), last)
        self.epochs = dac.epochs
        length = count[self.sweeps][:, np.newaxis]
        self.durations = np.maximum(varied(dac, self.epochs, "duration", self.sweeps), 0)
        before = sweeps.planned[self.sweeps][:, np.newaxis] // HOLDING_PART
        edges = before + np.cumsum(self.durations, axis=1)
        edges = np.hstack([np.zeros_like(before), before, edges, length])
        edges = np.minimum(edges, length) + first[self.sweeps][:, np.newaxis]
        clipped = np.clip(edges, start, stop)
        self.counts = np.diff(clipped, axis=1)  # samples of the range
        self.skipped = clipped[:, :-1] - edges[:, :-1]  # samples of the epoch before the range
        self.places = clipped[:, :-1] - start  # of the first sample in the range

    def spread(self, column: NDArray[Any], epoch: int) -> NDArray[Any]:
        """Repeat one value per sweep for each sample of an epoch."""
        return np.repeat(column, self.counts[:, epoch + 1])

    def positions(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of an epoch's samples, in the range and in the epoch."""
        counts = self.counts[:, epoch + 1]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat(self.places[:, epoch + 1], counts) + within
        return places, within + np.repeat(self.skipped[:, epoch + 1], counts)


def varied(dac: Dac, epochs: NDArray[Any], field: str, sweeps: NDArray[np.intp]) -> NDArray[Any]:
    """Value of a field of the epochs in each sweep: increments and the user list applied.

    Parameters
    ----------
    dac : Dac
        The output.
    epochs : ndarray of EPOCH, shape (epochs,)
        Its epochs.
    field : {"level", "duration", "period", "width"}
        Which field.
    sweeps : ndarray of int, shape (sweeps,)
        Numbers of the sweeps.

    Returns
    -------
    ndarray of float64 (levels) or int64, shape (sweeps, epochs)
    """
    values = np.tile(_widened(epochs[field]), (len(sweeps), 1))
    if field in ("level", "duration"):
        values = values + sweeps[:, np.newaxis] * _widened(epochs[f"{field}_increment"])
    if dac.user_list is None:
        return values
    listed, count = _listed(dac.user_list.parameter), len(dac.user_list.values)
    if listed is None or listed[0] != field:
        return values
    which = sweeps % count if dac.user_list.repeat else np.minimum(sweeps, count - 1)
    column = np.clip(np.array(dac.user_list.values), -(2.0**31), 2.0**31)[which]
    values[:, epochs["number"] == listed[1]] = column[:, np.newaxis].astype(values.dtype)
    return values


def _widened(column: NDArray[Any]) -> NDArray[Any]:
    return doubles(column) if column.dtype.kind == "f" else column.astype(np.int64)


def command(header: Header, dac: Dac, sweeps: Sweeps, start: int, stop: int) -> NDArray[np.float64]:
    """Command of an output that plays its epochs, or holds its level.

    Parameters
    ----------
    header : Header
        Of the recording.
    dac : Dac
        The output.
    sweeps : Sweeps
        The sweeps.
    start, stop : int
        Half-open sample range over all sweeps.

    Returns
    -------
    ndarray of float64, shape (stop - start,)
        In units of the output.
    """
    if source_of(header, dac) != EPOCH_TABLE:
        return np.full(stop - start, dac.holding)
    timing = _Timing(dac, sweeps, start, stop)
    levels = varied(dac, timing.epochs, "level", timing.sweeps)
    before = np.full((len(timing.sweeps), 1), dac.holding)
    after = before
    if dac.inter_sweep and len(timing.epochs):
        earlier = varied(dac, timing.epochs[-1:], "level", timing.sweeps - 1)
        before = np.where(timing.sweeps[:, np.newaxis] > 0, earlier, dac.holding)
        after = levels[:, -1:]
    table = np.hstack([before, levels, after])
    result = np.repeat(table.ravel(), timing.counts.ravel())
    periods = varied(dac, timing.epochs, "period", timing.sweeps)
    widths = varied(dac, timing.epochs, "width", timing.sweeps)
    for epoch, kind in enumerate(timing.epochs["kind"]):
        if kind in SHAPED and timing.counts[:, epoch + 1].any():
            columns = (table[:, epoch], levels[:, epoch], timing.durations[:, epoch])
            trains = (periods[:, epoch], widths[:, epoch])
            places, within = timing.positions(epoch)
            spread = [timing.spread(column, epoch) for column in (*columns, *trains)]
            result[places] = _shape(int(kind), within, *spread)
    return result


def _shape(
    kind: int,
    within: NDArray[np.int64],
    previous: NDArray[np.float64],
    level: NDArray[np.float64],
    duration: NDArray[np.int64],
    period: NDArray[np.int64],
    width: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Values of an epoch that is not a step, at the given samples of it."""
    delta = level - previous
    if kind == RAMP:
        rising = previous + delta * (within / np.maximum(duration - 1, 1))
        return np.where((within == duration - 1) & (duration > 1), level, rising)
    if kind == COSINES:
        turns = duration / np.maximum(period, 1) * within / np.maximum(duration - 1, 1)
        return previous + np.where(period > 0, (1 - np.cos(2 * np.pi * turns)) / 2 * delta, 0)
    inside, phase = _pulse_phase(within, duration, period)
    width = np.clip(width, 0, np.maximum(period, 0))
    high = inside & (phase < width)
    if kind == RECTANGLES:
        return np.where(high, level, previous)
    if kind == BIPHASIC:
        return previous + np.where(high, np.where(phase < width // 2, delta, -delta), 0)
    rise = phase / np.maximum(width - 1, 1)
    fall = (phase - width) / np.maximum(period - width - 1, 1)
    return previous + delta * np.where(high, rise, np.where(inside, 1 - fall, 0))


def _pulse_phase(
    within: NDArray[np.int64], duration: NDArray[np.int64], period: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether samples are inside whole periods of a train, and their place in the period."""
    step = np.maximum(period, 1)
    return (period > 0) & (within < duration // step * step), within % step


def played_file(
    files: FileSet, dac: Dac, played: StimulusFile | None, runs: NDArray[Any], start: int, stop: int
) -> NDArray[np.float64]:
    """Command of an output that plays a file: not a number where that is not known.

    A sweep plays the sweep of the same number, the one that the protocol names, or the only one;
    after its end the output holds its level.
    """
    if played is None:
        return np.full(stop - start, np.nan)
    result = np.full(stop - start, dac.holding)
    first, count = runs["first"], runs["count"]
    last = int(np.searchsorted(first, stop, "left"))
    for sweep in range(int(np.searchsorted(first + count, start, "right")), last):
        begin = max(start, int(first[sweep]))
        end = min(stop, int(first[sweep] + count[sweep]))
        part = result[begin - start : end - start]
        _fill(part, files, dac, played, sweep, begin - int(first[sweep]))
    return result


def _fill(
    part: NDArray[np.float64],
    files: FileSet,
    dac: Dac,
    played: StimulusFile,
    sweep: int,
    inside: int,
) -> None:
    """Fill in the part of a sweep that begins `inside` samples behind the sweep's start."""
    runs = played.sweeps.runs
    wanted = dac.file_sweep - 1 if dac.file_sweep > 0 else sweep if len(runs) > 1 else 0
    if wanted >= len(runs):
        part[:] = np.nan
        return
    table = played.header.channels
    channel = str(dac.file_adc)
    position = table.ids.index(channel) if channel in table.ids else 0
    length = max(min(len(part), int(runs["count"][wanted]) - inside), 0)
    if not length:
        return
    start = int(runs["first"][wanted]) + inside
    source = files.source(played.name)
    stop, columns = start + length, np.array([position], np.intp)
    raw = reader.samples(source, played.header, played.sweeps, start, stop, columns)[:, 0]
    values = scaled(raw, table.gain[position], table.offset[position], dtype=np.dtype(np.float64))
    part[:length] = values * played.scale + played.offset


def digital_outputs(
    digital: Digital, sweeps: Sweeps, start: int, stop: int, bits: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """State of digital outputs.

    The bits of an epoch are held while it lasts; bits of its train are high in the pulses of the
    epoch's period and width.

    Returns
    -------
    ndarray of uint8, shape (stop - start, bits)
        1 where the output is high.
    """
    timing = _Timing(digital.dac, sweeps, start, stop)
    numbers = [int(number) for number in timing.epochs["number"]]
    held = [digital.values.get(number, 0) for number in numbers]
    outside = held[-1] if digital.inter_sweep and held else digital.holding
    table = np.tile(np.array([outside, *held, outside], np.int64), (len(timing.sweeps), 1))
    table[timing.sweeps == 0, 0] = digital.holding
    state = np.repeat(table.ravel(), timing.counts.ravel())
    periods = varied(digital.dac, timing.epochs, "period", timing.sweeps)
    widths = varied(digital.dac, timing.epochs, "width", timing.sweeps)
    for epoch, number in enumerate(numbers):
        train = digital.trains.get(number, 0)
        if train and timing.counts[:, epoch + 1].any():
            places, within = timing.positions(epoch)
            columns = (timing.durations[:, epoch], periods[:, epoch], widths[:, epoch])
            duration, period, width = (timing.spread(column, epoch) for column in columns)
            inside, phase = _pulse_phase(within, duration, period)
            state[places] |= np.where(inside & (phase < width), train, 0)
    return (state[:, np.newaxis] >> bits & 1).astype(np.uint8)
