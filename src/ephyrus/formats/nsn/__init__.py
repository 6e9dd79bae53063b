"""Neuroshare native data files, ``.nsn``: entities with their times and values, one after another.

Written by converters of the Neuroshare project and of laboratories, and by ephyrus from any
recording. Values are floating point numbers in physical units. What is read:

- analog entities, with gaps: channels of equal rate and runs are one signal; pauses that all of
  them have in common divide the recording into segments;
- event entities: texts, comma-separated values, and numbers of 8, 16 or 32 bits (label: the number
  as text; ``number`` and, of items with several numbers, ``number_2``, ... as array
  annotations);
- epochs, where an entity of comma-separated values has the fields ``label,duration (s)``, as
  ephyrus writes them;
- segment entities, as spike trains with waveforms, one for each unit number of the file (numbers
  are kept as they are: the interface means bits, some programs write plain numbers); waveforms
  that are shorter than the longest end with NaN;
- segment entities whose items have one sample each, as samples at times of their own;
- neural entities, as spike trains;
- information elements (XML), as the annotation ``information``.

Segment entities that repeat an analog entity of the same label, as those of triggered recordings
do, are not given a second time as spike trains. A month of 0, of old writers, is January. What goes
past the end of the file or of its element is left out with a note.

Nothing is left out of what the description of the format has. Source: the public readers and
writers in Java of the Kamitani laboratory, and the Neuroshare API specification, revision 1.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.formats.nsn import describing, elements, reading
from ephyrus.formats.nsn.describing import Plan
from ephyrus.formats.nsn.elements import Header
from ephyrus.formats.nsn.layout import MAGIC
from ephyrus.recording import (
    FileSet,
    Format,
    Opening,
    Reading,
    RecordingInfo,
    SignalStream,
    TableStream,
)

FORMAT = Format(
    name="nsn",
    label="Neuroshare native (nsn)",
    io_class="NsnIO",
    extensions=("nsn",),
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
    writes=("Block", "Segment"),
)


def sniff(files: FileSet, head: bytes) -> float:
    """Tell by the signature."""
    return 1.0 if head.startswith(MAGIC) else 0.0


def parse_header(opening: Opening) -> Header:
    """Read the information on the file and walk the heads of its elements."""
    return elements.parse(opening)


def index(opening: Opening, header: Header) -> Plan:
    """Find runs and items, and put them into segments."""
    return describing.plan(opening, header)


def describe(header: Header, index: Plan) -> RecordingInfo:
    """Build the descriptors."""
    return describing.describe(header, index)


def read_signal(
    reading_from: Reading[Header, Plan],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give samples [start, stop)."""
    return reading.signal(reading_from, stream, start, stop, channels)


def read_table(
    reading_from: Reading[Header, Plan],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    return reading.table(reading_from, stream, np.arange(start, stop), columns)


def read_rows(
    reading_from: Reading[Header, Plan],
    stream: TableStream,
    rows: NDArray[np.intp],
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of the items at ascending positions."""
    return reading.table(reading_from, stream, rows, columns)
