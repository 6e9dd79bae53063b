"""Recordings that only a vendor's library reads, through the Neuroshare interface.

For ``.mcd`` (Multi Channel Systems MC_Rack), ``.map`` (Alpha Omega), ``.stb`` (TDT), ``.cfs`` (CED)
and every other file for which you have a Neuroshare library. The library is found by the ending of
the file's name in ``EPHYRUS_NEUROSHARE_PATH``, ``~/.neuroshare``, ``/usr/lib/neuroshare`` and
``/usr/local/lib/neuroshare``, or named with ``dllname=``. It runs in a process of its own, so that
its crash is an exception here, unless it is known to be well-behaved (``isolate=``).

What is read: analog entities (those of equal rate and runs are one signal; triggered recordings are
divided into segments at the pauses that all of them have in common); events, with numbers as labels
and in the array annotations ``number``, ``number_2``, ...; segment entities as spike trains with
waveforms, one for each unit number, but for those that repeat an analog entity of the same label;
neural entities as spike trains; the digital lines of MC_Rack as epochs too, from 1 to the next 255.
Files that are not on a local disk are copied to a temporary file.

Opening asks the library for every event and every spike. Not read: entities of types that the
interface does not define. Source: the Neuroshare API specification, revision 1.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.find import EXTENSIONS, find_library_for_file
from ephyrus.errors import DLLException
from ephyrus.formats.neuroshare import contents
from ephyrus.formats.neuroshare.contents import Contents, Header
from ephyrus.recording import (
    BlockInfo,
    FileSet,
    Format,
    Opening,
    Option,
    Reading,
    RecordingInfo,
    SignalStream,
    TableStream,
)
from ephyrus.recording.entities import date_of, file_facts

MCD_MAGIC = b"MCSSTRM"  # files of Multi Channel Systems, which no other software reads
BY_NAME = 0.15  # only the name speaks for a library
WITH_LIBRARY = 0.2  # and the library is there

FORMAT = Format(
    name="neuroshare",
    label="Neuroshare (through a vendor's library)",
    io_class="NeuroshareIO",
    extensions=("mcd", "map", "stb", "cfs"),
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
            "dllname",
            None,
            "Name or path of the vendor's library (default: by the ending of the file's name).",
            "text",
            aliases=("library",),
        ),
        Option(
            "isolate",
            None,
            "Run the library in a process of its own (default: unless it is known to be "
            "well-behaved).",
            "bool",
        ),
    ),
)


def sniff(files: FileSet, head: bytes) -> float:
    """Tell by the signature of Multi Channel Systems, else by the name and the library for it."""
    if head.startswith(MCD_MAGIC):
        return 1.0
    if files.suffix not in EXTENSIONS:
        return 0.0
    try:
        find_library_for_file(files.name)
    except DLLException:
        return BY_NAME
    return WITH_LIBRARY


def parse_header(opening: Opening) -> Header:
    """Let the library open the file."""
    from ephyrus.dll.opening import library_for  # loads what runs libraries in other processes

    library = library_for(
        opening.files.name, opening.options["dllname"], isolate=opening.options["isolate"]
    )
    return contents.opened(opening, library)


def index(opening: Opening, header: Header) -> Contents:
    """Ask for the runs of all signals, and for all events and spikes."""
    return contents.walked(opening, header)


def describe(header: Header, index: Contents) -> RecordingInfo:
    """Build the descriptors."""
    facts: dict[str, Any] = {**file_facts(header.info), "library": header.file.library.name}
    return RecordingInfo(
        segments=index.segments.infos([items.times for items in index.items]),
        blocks=(BlockInfo(annotations=facts, rec_datetime=date_of(header.info)),),
        signals=index.signals,
        tables=index.tables,
        software=header.info.app_name or None,
    )


def read_signal(
    reading: Reading[Header, Contents],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give samples [start, stop)."""
    entities = [int(name) for name in stream.channels.ids]
    chosen = entities if channels is None else [entities[at] for at in channels.tolist()]
    found = np.empty((len(chosen), stop - start), stream.dtype)
    for row, entity in zip(found, chosen, strict=True):
        row[:], _ = reading.header.ask("analog_data", entity, start, stop - start)
    return found.T


def read_table(
    reading: Reading[Header, Contents],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    return read_rows(reading, stream, np.arange(start, stop), columns)


def read_rows(
    reading: Reading[Header, Contents],
    stream: TableStream,
    rows: NDArray[np.intp],
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of the items at ascending positions."""
    items = reading.index.items[stream.index]
    place = reading.index.places[stream.index]
    chosen = rows if place.order is None else place.order[rows]
    found: dict[str, NDArray[Any]] = {}
    for name in columns:
        if name == "tick":
            found[name] = place.ticks[rows]
        elif name in ("waveform", "value"):
            shape = stream.columns[name].shape
            waveforms = contents.waveforms(reading.header, items.entity, chosen, shape[0])
            found[name] = waveforms if name == "waveform" else waveforms[:, :, 0]
        else:
            found[name] = items.columns[name][chosen]
    return found
