"""Blackrock: recordings of Cerebus, NeuroPort and Gemini systems (Blackrock Microsystems).

A recording is a file ``.nev`` of spikes, digital and analog events and comments, and up to nine
continuous files ``.ns1`` to ``.ns9`` of the same base name. Any one of them can be opened, and is
readable alone; the others are found beside it. Ripple's Trellis writes the same format. The
``.nev`` files of Neuralynx are another format: the first bytes tell them apart.

Read are file specifications 2.1, 2.2, 2.3 and 3.0, also with the nanosecond clock of the precision
time protocol (PTP), where every sample has a time stamp of its own. Each continuous file is a
stream (``nsx5`` is that of ``.ns5``); channels with other units than most (analog inputs) become a
signal of their own. The scale of 2.1 is that of the ``.nev`` file; without it raw counts are given.

Where the continuous files pause, a segment ends: a data block that begins more than
``gap_tolerance_ms`` (default: 2 samples) after the end of the one before it begins a new stretch,
and a segment begins where all files pause. Where a single file has lost samples, its segment holds
several signals. A time stamp that goes back is a reset of the clock (two systems that were
synchronised) and always begins a new segment; blocks of a single sample before it are left out.
Stamps of 32 bits begin again at 0 after 40 hours: where the samples go on, so do the times.
Spikes and events belong to the segment that has begun last.

Spikes of each electrode and unit are a train ``ch5#1``: unit 0 is unclassified, 255 noise.
Waveforms have 8, 16 or 32 bits; they begin 10 samples before the spike by convention, the file does
not say. Electrodes whose scale is not known (stimulation channels of Trellis) give raw counts.
Events are ``digital_input_port``, ``serial_input_port``, ``analog_input_channel_1`` to ``_5``,
``periodic_sampling_events`` (labels are values in decimal), ``comments``, ``video_sync``,
``tracking``, ``button`` and ``configuration``, with the fields of their packets as array
annotations: ``digital_value``, ``analog_value`` (mV), ``color`` (#RRGGBBAA) and others. Dates are
in universal time.

Files that were interrupted are read as far as they go. Not read: configuration files ``.ccf``, and
the files ``.sif`` and ``.mat`` of other programs that lie beside a recording.

Source of the layout: Blackrock Microsystems, "NEV file format" (specifications 2.1 to 3.0), and the
vendor's published utilities.
"""

from __future__ import annotations

from ephyrus.formats.blackrock.header import Header, parse_header
from ephyrus.formats.blackrock.members import is_blackrock
from ephyrus.formats.blackrock.reader import (
    Index,
    describe,
    index,
    read_rows,
    read_signal,
    read_table,
    sample_places,
)
from ephyrus.recording import FileSet, Format, Option

__all__ = [
    "FORMAT",
    "Header",
    "Index",
    "describe",
    "index",
    "parse_header",
    "read_rows",
    "read_signal",
    "read_table",
    "sample_places",
    "sniff",
]

NSX = tuple(f"ns{number}" for number in range(1, 10))

FORMAT = Format(
    name="blackrock",
    label="Blackrock (nev, ns1 to ns9)",
    io_class="BlackrockIO",
    extensions=("nev", *NSX),
    companions=NSX,
    holds=("Block", "Segment", "Group", "AnalogSignal", "SpikeTrain", "Event"),
    options=(
        Option(
            "nsx_to_load",
            "all",
            "Which continuous files are read: a number, a list of numbers (an empty one: none), "
            '"all" or "max".',
        ),
        Option(
            "nsx_override",
            None,
            "Base name of the continuous files in the same folder, if it is another one.",
            "text",
        ),
        Option(
            "nev_override",
            None,
            "Base name of the .nev file in the same folder, if it is another one.",
            "text",
        ),
        Option("load_nev", True, "Read the .nev file.", "bool"),
        Option(
            "gap_tolerance_ms",
            None,
            "Longest pause (ms) that begins no new stretch (default: 2 samples).",
            "float",
        ),
    ),
)


def sniff(files: FileSet, head: bytes) -> float:
    """Tell by the first bytes, which all of these files have."""
    return 1.0 if is_blackrock(head) else 0.0
