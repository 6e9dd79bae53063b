"""CED Spike2: .smr files of the 32-bit filing system (SON) and .smrx files (SON64).

Read are .smr files of the versions 1 to 9 in both byte orders, and .smrx files as far as their
layout is known. A recording is one block. Pauses that all waveform channels have in common
separate its segments; further pauses of single channels separate signals within a segment.

=============================  =====================================================================
kind of channel                comes as
=============================  =====================================================================
Adc, RealWave                  one signal for all channels with the same unit, rate, beginning and
                               length (``try_signal_grouping=False``: one for each); RealWave with
                               gaps also as irregular samples (``irregular_realwaves=True``)
Event-, Event+                 event without labels
EventBoth                      event with labels "up" and "down", and (``level_epochs``) an epoch of
                               the high periods; ``is_cut`` marks those that begin or end with the
                               recording, not with an edge
Marker                         event; label is the first code in decimal, all four codes and the
                               character of the first are array annotations
TextMark                       event; label is the text, the codes are array annotations
AdcMark (WaveMark), RealMark   spike train for each first code (``ced_units=False``: for each
                               channel); AdcMarks have waveforms, the numbers of RealMarks are array
                               annotations
=============================  =====================================================================

Sampling rates are those that the clock made; the rate that was asked for is the annotation
``ideal_rate`` (``take_ideal_sampling_rate=True`` gives it to the signals). Ids are made of the
channel's position in the file, from 0, as titles need not be unique. Times are exact to the tick.
Chains of blocks that are cut, lead astray or name another channel are read up to there, and noted;
``salvage`` finds blocks of interrupted recordings whose pointers were not written.

The stored time of an AdcMark, which the program shows and which is given here, is that of the first
point of its waveform: in the recording, the waveform goes on from there, and the trigger comes
``left_sweep`` later. ``trigger_times=True`` gives the times of the triggers, from which
``left_sweep`` leads back to the first point.

The layout of .smrx files is from the public description of the filing system and was not compared
with files of the program.

Not read: deleted blocks, display settings (.s2r, .s2rx), user data and lookup tables of the head.

Source: Cambridge Electronic Design, "The SON filing system" and the structure definitions of its
library; for .smrx the SON64 library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import WrongFormatError
from ephyrus.formats.spike2 import plan, reader, son32, son64
from ephyrus.formats.spike2.describe import recording_info
from ephyrus.formats.spike2.model import Header
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
from ephyrus.recording.sampleplaces import PieceRows

FORMAT = Format(
    name="spike2",
    label="CED Spike2 (SMR, SMRX)",
    io_class="Spike2IO",
    extensions=("smr", "smrx"),
    holds=(
        "Block",
        "Segment",
        "Group",
        "AnalogSignal",
        "IrregularlySampledSignal",
        "SpikeTrain",
        "Event",
        "Epoch",
    ),
    options=(
        Option(
            "take_ideal_sampling_rate",
            False,
            "Give signals the rate that was asked for instead of the real one.",
            "bool",
        ),
        Option(
            "ced_units",
            True,
            "Make a spike train of each first code; else one of each channel.",
            "bool",
        ),
        Option(
            "trigger_times",
            False,
            "Give AdcMarks the time of their trigger; else the stored one, of the first point.",
            "bool",
        ),
        Option(
            "try_signal_grouping",
            True,
            "Put channels with equal units, rate, beginning and length into one signal.",
            "bool",
        ),
        Option(
            "irregular_realwaves",
            False,
            "Give RealWave channels with gaps as irregularly sampled signals.",
            "bool",
        ),
        Option(
            "level_epochs",
            True,
            "Make epochs of the high periods of level (EventBoth) channels.",
            "bool",
        ),
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Where everything lies, and the options that tell what becomes of it."""

    plan: plan.Index
    options: Mapping[str, Any]


def sniff(files: FileSet, head: bytes) -> float:
    """Tell by the signatures; other versions are ours to refuse."""
    if son32.is_ours(head):
        return 1.0 if son32.byte_order(head) else 0.9
    return 1.0 if son64.is_ours(head) else 0.0


def parse_header(opening: Opening) -> Header:
    """Read the head and the channels."""
    source = opening.files.main
    head = source.head(son32.HEAD_BYTES)
    if son32.is_ours(head):
        return son32.parse(opening, source)
    if son64.is_ours(head):
        return son64.parse(opening, source)
    raise WrongFormatError(
        source.name,
        f"it begins with {head[:12]!r}, expected {son32.MAGIC!r} from byte 2 on, or 'S64'",
        offset=0,
        field="signature",
    )


def index(opening: Opening, header: Header) -> Index:
    """Follow the chains of blocks."""
    return Index(plan.index(opening, header), opening.options)


def describe(header: Header, index: Index) -> RecordingInfo:
    """Build the descriptors."""
    return recording_info(header, index.plan, index.options)


def read_signal(
    reading: Reading[Header, Index],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored samples [start, stop)."""
    signal = reading.index.plan.signals[stream.index]
    return reader.samples(reading.files.main, signal, start, stop, channels)


def sample_places(reading: Reading[Header, Index], stream: SignalStream, run: int) -> PieceRows:
    """Tell where the samples of a run lie."""
    signal = reading.index.plan.signals[stream.index]
    return reader.sample_places(reading.files.main, signal, int(stream.runs["first"][run]))


def read_table(
    reading: Reading[Header, Index],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    source, table = reading.files.main, reading.index.plan.tables[stream.index]
    if isinstance(table, plan.Signal):
        return reader.sample_columns(source, table, start, stop, columns)
    if isinstance(table, plan.Levels):
        return reader.epoch_columns(table, start, stop, columns)
    by_code = bool(reading.index.options["ced_units"])
    return reader.item_columns(source, table, start, stop, None, columns, by_code=by_code)


def read_rows(
    reading: Reading[Header, Index],
    stream: TableStream,
    rows: NDArray[np.intp],
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of the spikes at `rows`."""
    table = reading.index.plan.tables[stream.index]
    assert isinstance(table, plan.Items)  # noqa: S101 - called for spikes only
    by_code = bool(reading.index.options["ced_units"])
    return reader.item_columns(reading.files.main, table, 0, 0, rows, columns, by_code=by_code)
