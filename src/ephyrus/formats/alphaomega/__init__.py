"""Alpha Omega: recordings of AlphaLab SnR, AlphaRS and Neuro Omega (.mpx), and AlphaMap (.map).

Open one ``.mpx`` file, a folder, or an ``.lsx`` file, which lists the files of a recording day. The
programs split long recordings into numbered files (``...F0001.mpx``); of a folder or a list, files
that continue each other are joined, and each recording is a segment, in the order of time. One file
opened by its name is read alone. The option ``lsx_files`` names lists within a folder; the other
files of the folder are then left out. Of a folder that holds both kinds, the .mpx files are read.

Read are continuous channels, segmented channels (spikes with waveforms), digital inputs, ports and
stream messages of ``.mpx`` files (map version 4). Continuous channels of one kind ("RAW 01",
"RAW 02", ...), one sampling rate and the same times make one signal; channels with names of their
own make the signal "Analog". Lost blocks are gaps, never bridged; where blocks overlap, the later
one counts. Channels without data are left out; ``prune_channels=False`` keeps them, with no
samples.

Values are count x bit resolution / gain, in microvolt; both numbers are kept as annotations,
because other programs multiply or divide otherwise (a gain of 20 and a bit resolution of 38.147 uV
give 1.907 uV per count). Times count from the start of the hardware. Spikes are one train per
channel and unit number (unit 0: threshold crossings, not sorted); the time is that of the trigger,
and ``left_sweep`` tells how long before it the waveform begins. Digital inputs and ports are one
event per change, labelled with the value in decimal (as a number in the array annotation ``word``).
Stream messages have no documented meaning: their bytes are the labels, as hexadecimal digits (the
first 128).

The older ``.map`` files are read as far as their layout is known: in counts, without unit, because
they do not tell a reliable scale. No such file was there to compare with.

Files that the program did not close (there is no end mark) are read as far as they are whole; the
last samples that only some channels of a signal have are left out, and noted. Where the chain of
blocks is broken, what follows cannot be read (strict reading refuses such files).

Not read: in ``.map`` files, blocks that hold several channels (type 7; such files are refused);
colours, groups and display settings, video (``.vmt``), logs and analog or digital outputs.

Source of the layout: what Alpha Omega's manuals say of AlphaMap and .mpx files. Where they are
not clear (names of streams, order of the fields of ports, position of the trigger within waveforms,
scale), recordings of a Neuro Omega decided.
"""

from __future__ import annotations

from ephyrus.formats.alphaomega.heads import Header, parse_header, sniff
from ephyrus.formats.alphaomega.reader import (
    Index,
    describe,
    index,
    read_rows,
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
    "read_rows",
    "read_signal",
    "read_table",
    "sample_places",
    "sniff",
]

FORMAT = Format(
    name="alphaomega",
    label="Alpha Omega",
    io_class="AlphaOmegaIO",
    extensions=("mpx", "lsx", "map"),
    mode="dir",
    holds=("Block", "Segment", "Group", "AnalogSignal", "SpikeTrain", "Event"),
    options=(
        Option(
            "lsx_files",
            None,
            "Names of .lsx lists in the folder; only the files that they name are read.",
            "list",
        ),
        Option(
            "prune_channels",
            True,
            "Leave out channels that have no data.",
            "bool",
        ),
    ),
)
