"""Axon: ABF1, ABF2 and ATF files of the pCLAMP programs (Clampex, AxoScope, Fetchex).

Read are ABF1 (.abf, all versions 1.x of pCLAMP 6 to 9), ABF2 (.abf, pCLAMP 10 and later) with
16-bit or float samples, in all operation modes (gap-free, episodic, variable-length and
fixed-length events, high-speed oscilloscope), their protocols without samples (.pro), and the Axon
Text Format (.atf).

A recording is one block with one segment per sweep. All channels share one stream; their physical
ADC numbers are their ids. Sweeps begin at the times of the synch array. Tags are the event table
"Tag": each belongs to the sweep during (or after) which it was set, and column ``tag_type`` tells
what it is: 0 time, 1 comment, 2 external, 3 voice, 4 new file, 5 annotation.

Command signals are computed from the protocol, as one stream per analog output ("dac0", ...) and
one for the digital outputs: epoch tables with increments and user lists of levels, durations,
periods and widths, and stimulus files that lie beside the recording. Recordings without sweeps
(gap-free, variable length), and outputs that are switched off, hold their level.

Not read: deltas, oscilloscope settings, voice tags, annotations, statistics, math channels,
conditioning trains, leak subtraction, outputs that alternate between sweeps, the epoch tables of
ABF1 before version 1.6 (those outputs are given at holding level), and byte-reversed files of old
Macintosh programs. Side files of Clampfit (.sta, .rlt, .abfinfo) are not needed.

Source: Axon Instruments and Molecular Devices, "ABF file format" (headers of ABF 1.x and 2.x) and
"Axon Text File format" as published with pCLAMP and in the headers of the file support pack; the
meaning of fields was compared with recordings made by pCLAMP 6 to 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.axon import reader, stimulus
from ephyrus.formats.axon.layout import Header
from ephyrus.formats.axon.sweeps import Sweeps
from ephyrus.recording import (
    BlockInfo,
    FileSet,
    Format,
    Opening,
    Reading,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    columns,
    fixed_text,
)
from ephyrus.recording.sampleplaces import EvenRows

FORMAT = Format(
    name="axon",
    label="Axon (ABF, ATF)",
    io_class="AxonIO",
    extensions=("abf", "atf"),
    holds=("Block", "Segment", "Group", "AnalogSignal", "Event"),
    has_protocol=True,
)

SAMPLES = "samples"
AnyHeader = reader.AnyHeader


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Where the samples lie, and the files that the outputs play."""

    sweeps: Sweeps
    stimuli: stimulus.StimulusFiles


def sniff(files: FileSet, head: bytes) -> float:
    """Tell by the signature, which all kinds have; byte-reversed files are ours to refuse."""
    return 1.0 if reader.is_axon(head) else 0.0


def parse_header(opening: Opening) -> AnyHeader:
    """Read the header of the main file."""
    return reader.parse(opening, opening.files.main)


def index(opening: Opening, header: AnyHeader) -> Index:
    """Find the sweeps and the stimulus files; text is read whole."""
    sweeps = reader.sweeps_of(opening, opening.files.main, header)
    files = stimulus.find_files(opening, header) if isinstance(header, Header) else {}
    return Index(sweeps, files)


def describe(header: AnyHeader, index: Index) -> RecordingInfo:
    """Build the descriptors."""
    sweeps = index.sweeps
    binary = header if isinstance(header, Header) else None
    key = "abf_version" if binary else "atf_version"
    segments = tuple(
        SegmentInfo(annotations={key: header.version, "sweep_index": sweep})
        for sweep in range(len(sweeps.runs))
    )
    block = BlockInfo(
        annotations=header.annotations, rec_datetime=binary.recorded if binary else None
    )
    return RecordingInfo(
        segments=segments,
        blocks=(block,),
        signals=(_signal(header, sweeps),) if sweeps.recorded else (),
        tables=(_tags(binary, sweeps),) if binary else (),
        stimuli=stimulus.describe(binary, sweeps) if binary else (),
        software=(binary.creator or None) if binary else None,
    )


def _signal(header: AnyHeader, sweeps: Sweeps) -> SignalStream:
    return SignalStream(
        index=0,
        id=SAMPLES,
        name="Signals",
        length=int(sweeps.runs["count"].sum()),
        dtype=header.dtype if isinstance(header, Header) else np.dtype(np.float64),
        rate=sweeps.rate,
        channels=header.channels,
        runs=sweeps.runs,
        clock=sweeps.clock,
    )


def _tags(header: Header, sweeps: Sweeps) -> TableStream:
    return TableStream(
        index=0,
        id="tag",
        name="Tag",
        kind="events",
        length=len(header.tags),
        columns=columns(tick="<i8", label=object, tag_type="<i2"),
        clock=header.synch_clock,
        runs=sweeps.tag_runs,
    )


def read_signal(
    reading: Reading[AnyHeader, Index],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored samples [start, stop); commands of the outputs are computed."""
    header, files, sweeps = reading.header, reading.files, reading.index.sweeps
    if stream.id == SAMPLES or not isinstance(header, Header):
        return reader.samples(files.main, header, sweeps, start, stop, channels)
    if stream.id == stimulus.DIGITAL and header.digital is not None:
        bits = np.array([int(bit) for bit in stream.channels.ids], np.intp)
        bits = bits if channels is None else bits[channels]
        return stimulus.digital_outputs(header.digital, sweeps, start, stop, bits)
    dac = header.dacs[stream.index]
    if stream.index in reading.index.stimuli:
        played = reading.index.stimuli[stream.index]
        values = stimulus.played_file(files, dac, played, stream.runs, start, stop)
    else:
        values = stimulus.command(header, dac, sweeps, start, stop)
    values = values[:, np.newaxis]
    return values if channels is None else values[:, channels]


def sample_places(
    reading: Reading[AnyHeader, Index], stream: SignalStream, run: int
) -> EvenRows | None:
    """Tell where the samples of a sweep lie; those of text and of outputs are not in the file."""
    if stream.id != SAMPLES:
        return None
    return reader.sample_places(reading.files.main, reading.header, reading.index.sweeps, run)


def read_table(
    reading: Reading[AnyHeader, Index],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of the tags [start, stop)."""
    header = reading.header
    assert isinstance(header, Header)  # noqa: S101 - text has no tags
    tags = header.tags[reading.index.sweeps.tag_order[start:stop]]
    found = {
        "tick": tags["time"].astype(np.int64),
        "label": np.array([fixed_text(text) for text in tags["comment"]], object),
        "tag_type": tags["kind"].astype(np.int16),
    }
    return {name: found[name] for name in columns}
