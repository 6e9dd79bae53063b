"""Writes the spike trains of one segment as text, one train a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus._shared.words import counted
from ephyrus.core.units import as_unit, convert
from ephyrus.errors import NeoReadWriteError
from ephyrus.export import WriteReport
from ephyrus.export.columns import left_out, notes_left_out, single_segment
from ephyrus.export.files import beside
from ephyrus.formats.asciispiketrain import separators_of
from ephyrus.recording import under_way
from ephyrus.recording.plaintext import units_per_second

if TYPE_CHECKING:
    from ephyrus.core import Block, Segment
    from ephyrus.recording import Progress

__all__ = ["write"]

LABEL = "a text of spike trains"
PIECE_BYTES = 2**20  # of times that are held at a time; their text takes several times as much


def write(
    blocks: Sequence[Block],
    path: Path,
    options: Mapping[str, Any],
    *,
    progress: Progress,
) -> WriteReport:
    """Write spike times, one train a line, with all their digits.

    Parameters
    ----------
    blocks : sequence of Block
        One block with one segment.
    path : Path
        The file.
    options : mapping
        ``delimiter`` is written after each time; ``unit`` is that of the times.
    progress : Progress
        Told about trains.

    Returns
    -------
    WriteReport
        Losses: other objects, waveforms, and where trains begin and end.

    Raises
    ------
    NeoReadWriteError
        If there is not exactly one segment, or it has no spike train.
    ValueError
        If the unit is none of time, or the delimiter cannot stand between numbers.
    """
    segment = single_segment(blocks, LABEL)
    trains = list(segment.spiketrains)
    if not trains:
        raise NeoReadWriteError(f"{LABEL} holds spike trains, the segment has none")
    delimiter = separators_of(options["delimiter"]).decode("ascii")
    units_per_second(options["unit"], "unit")  # refuses what is no unit of time
    unit = as_unit(options["unit"])
    with (
        under_way(progress, len(trains), "trains", f"writing {path.name}"),
        beside(path) as (part,),
        part.open("w", encoding="ascii", newline="\n") as file,
    ):
        for train in trains:
            for piece in train.chunks(PIECE_BYTES):
                values = np.asarray(piece.magnitude, np.float64)
                times = convert(values, as_unit(piece.units), unit)
                file.writelines(f"{time!r}{delimiter}" for time in times.tolist())
            file.write("\n")
            progress.advance(1)
    losses = (
        *left_out(segment, "spiketrains", LABEL),
        *notes_left_out(blocks, trains),
        *_untold(segment, options["unit"]),
    )
    return WriteReport((path,), losses)


def _untold(segment: Segment, unit: str) -> list[str]:
    """Tell what of the trains is not written."""
    trains = list(segment.spiketrains)
    found = []
    with_waveforms = sum(_has_waveforms(train) for train in trains)
    if with_waveforms:
        found.append(f"the waveforms of {counted(with_waveforms, 'spike train')} are left out")
    begins = {float(train.t_start.rescale("s").magnitude) for train in trains}
    ends = {float(train.t_stop.rescale("s").magnitude) for train in trains}
    return [
        *found,
        f"units, names, and where trains begin ({min(begins):g} s) and end ({max(ends):g} s) are "
        f"not in the file; to read it, say unit={unit!r}, t_start={min(begins)!r}",
    ]


def _has_waveforms(train: Any) -> bool:
    """Tell whether a train, loaded or lazy, has waveforms."""
    return train.waveforms is not None or (
        train.lazy_shape is not None and train.left_sweep is not None
    )
