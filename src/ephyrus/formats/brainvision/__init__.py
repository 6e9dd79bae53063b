"""BrainVision: the exchange format of Brain Products' Recorder, Analyzer and PyCorder.

A recording is three files: a header ``.vhdr`` (text), markers ``.vmrk`` (text, may be missing) and
data ``.eeg``, ``.dat``, ``.seg`` or ``.avg`` (named by the header). Any of the three can be opened;
the header is found beside it. V-Amp amplifiers write ``.ahdr`` and ``.amrk`` instead, with one
stored channel more than they list; it is dropped.

Read are versions 1.0 and 2.0 of header and marker files, with or without their first line, in
UTF-8, cp1252 or Latin-1; binary data (``INT_16``, ``INT_32``, ``IEEE_FLOAT_32``, and the
``UINT_16`` and ``IEEE_FLOAT_64`` of other writers) in both byte orders, and text data with either
decimal symbol; both multiplexed (all channels of a point together) and vectorized (all points of a
channel together).

Values are stored number x resolution, in the channel's unit (microvolt where none is given), for
integers and floats alike; numbers in text are in the unit already. Each type of marker is an event
table of that name, labelled with the descriptions; positions in the file count from 1, so the time
is (position - 1) / rate. Array annotations of the events are ``durations`` (s), ``channels`` (0:
all) and, where the file has any, ``dates``. ``New Segment`` markers say when the recording was
interrupted: the samples follow each other in the file, but not in time. With the option
``segmented=True`` data that were cut into equal segments (``SegmentationType=MARKERBASED``) become
segments of their own, each beginning at 0. The free text of the header (amplifier set-up,
impedances, filters) is kept as the annotation ``comment``.

A binary file that is larger or smaller than ``DataPoints`` says is read as far as it goes; a
vectorized one that is too small is refused, because its end says nothing of where the channels
begin (with ``salvage=True`` the channels that are whole are read).

Not read: data in the frequency domain, and the sections ``[User Infos]``, ``[Channel User Infos]``
and ``[Marker User Infos]``.

Source of the layout: Brain Products, "BrainVision Core Data Format" versions 1.0 and 2.0, and the
comments that the vendor's programs write into the files themselves.
"""

from __future__ import annotations

from ephyrus.formats.brainvision.header import Header, parse_header, sniff
from ephyrus.formats.brainvision.layout import NUMBER_FORMATS
from ephyrus.formats.brainvision.reader import (
    Index,
    describe,
    index,
    read_signal,
    read_table,
    sample_places,
)
from ephyrus.recording import Format, Option

__all__ = [
    "FORMAT",
    "Header",
    "Index",
    "describe",
    "index",
    "parse_header",
    "read_signal",
    "read_table",
    "sample_places",
    "sniff",
]

FORMAT = Format(
    name="brainvision",
    label="BrainVision",
    io_class="BrainVisionIO",
    extensions=("vhdr", "eeg", "vmrk", "dat", "seg", "avg", "ahdr"),
    companions=("eeg", "vmrk", "dat", "seg", "avg"),
    holds=("Block", "Segment", "AnalogSignal", "Event"),
    writes=("Block", "Segment"),
    options=(
        Option(
            "segmented",
            False,
            "Split data that the header calls marker-based segments into segments.",
            "bool",
        ),
    ),
    write_options=(
        Option(
            "format",
            "binary",
            "How numbers are stored: ``binary``, or as text (``ascii``).",
            "text",
            choices=("binary", "ascii"),
        ),
        Option(
            "orientation",
            "multiplexed",
            "Whether all channels of a sample or all samples of a channel are together.",
            "text",
            choices=("multiplexed", "vectorized"),
        ),
        Option(
            "number_format",
            "IEEE_FLOAT_32",
            "Type of the numbers in binary files.",
            "text",
            choices=tuple(name for name, form in NUMBER_FORMATS.items() if form.is_written),
        ),
    ),
)
