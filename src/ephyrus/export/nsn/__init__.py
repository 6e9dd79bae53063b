"""Writes any tree as a Neuroshare native data file.

The file has one span of time: segments that overlap follow each other. Each channel of each signal
becomes an analog entity with a run for each signal of the same name and channels; events become
texts (or the numbers that they were read as), epochs comma-separated label and duration, spike
trains segment entities where they have waveforms, else neural ones, and irregular samples segments
of one sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ephyrus._shared.words import counted
from ephyrus._version import __version__
from ephyrus.export import WriteReport
from ephyrus.export.columns import groups_left_out
from ephyrus.export.files import beside
from ephyrus.export.nsn.elements import Texts
from ephyrus.export.nsn.points import PointWriter
from ephyrus.export.nsn.signals import SignalTrack
from ephyrus.export.nsn.tracks import Tree, rate_of
from ephyrus.formats.nsn.layout import FILE, SIGNATURE, SIGNATURE_BYTES
from ephyrus.recording import Progress, under_way

if TYPE_CHECKING:
    from ephyrus.core import Block

__all__ = ["write"]

MICROSECOND = 1e-6  # resolution where no rate tells a finer one


def write(
    blocks: Sequence[Block],
    path: Path,
    options: Mapping[str, Any],
    *,
    progress: Progress,
) -> WriteReport:
    """Write blocks to a ``.nsn`` file.

    Parameters
    ----------
    blocks : sequence of Block
        Their segments follow each other in the file.
    path : Path
        The file.
    options : mapping
        There are none.
    progress : Progress
        Told about the bytes of signals.

    Returns
    -------
    WriteReport
        Losses: images, groups, annotations, array annotations, texts that were cut.

    Raises
    ------
    NeoReadWriteError
        If an entity takes 4 GiB or more.

    Notes
    -----
    Memory: one piece of one signal or of one object with times.
    """
    tree = Tree.of(blocks)
    texts = Texts()
    place = SIGNATURE_BYTES + FILE.itemsize
    signals: list[SignalTrack] = []
    for track in tree.signals():
        signals.append(SignalTrack(track, place))
        place = signals[-1].stop
    total = sum(each.data_bytes for each in signals)
    with (
        under_way(progress, total, "B", f"writing {path.name}"),
        beside(path) as (part,),
        part.open("wb") as file,
    ):
        file.truncate(place)
        for each in signals:
            each.write(file, texts, progress)
        points = PointWriter(file, place, texts, sum(each.width for each in signals))
        _write_points(tree, points)
        _write_file_info(file, blocks, tree, points.count, texts)
    return WriteReport((path,), tuple(_losses(blocks, tree, texts, points)))


def _write_points(tree: Tree, points: PointWriter) -> None:
    """Write everything that is no signal."""
    for track in tree.others("events"):
        points.events(track)
    for track in tree.others("epochs"):
        points.events(track, are_epochs=True)
    for track in tree.others("spiketrains"):
        points.spikes(track)
    for track in tree.others("irregularlysampledsignals"):
        points.samples(track)


def _write_file_info(
    file: BinaryIO, blocks: Sequence[Block], tree: Tree, count: int, texts: Texts
) -> None:
    """Write what is at the file's beginning."""
    facts: dict[str, Any] = dict(blocks[0].annotations) if blocks else {}
    rates = [
        rate_of(obj)
        for segment in tree.segments
        for obj in (*segment.analogsignals, *segment.spiketrains)
    ]
    fastest = max(rates, default=0.0)
    info: dict[str, Any] = {
        "file_type": str(facts.get("file_type") or "Neuroshare native"),
        "entity_count": count,
        "time_stamp_resolution": 1 / fastest if fastest > 1 else MICROSECOND,
        "time_span": tree.stop,
        "app_name": f"ephyrus {__version__}",
        "comment": str(facts.get("comment") or (blocks[0].description if blocks else "") or ""),
    }
    holders: list[Any] = [*blocks, *tree.segments]
    when = next((each.rec_datetime for each in holders if each.rec_datetime is not None), None)
    if when is not None:
        for name in ("year", "month", "day", "hour", "minute", "second"):
            info[name] = getattr(when, name)
        info["millisecond"] = when.microsecond // 1000
    file.seek(0)
    file.write(SIGNATURE + texts.record(FILE, info).tobytes())


# Facts that have a place in the file, or that reading makes anew.
_KEPT = {
    "channel_ids",
    "channel_names",
    "comment",
    "entity_id",
    "event_type",
    "field_names",
    "file_type",
    "high_filter_type",
    "high_pass_frequency",
    "high_pass_order",
    "high_pass_type",
    "high_freq_corner",
    "high_freq_order",
    "id",
    "highpass",
    "impedance",
    "location_user",
    "location_x",
    "location_y",
    "location_z",
    "low_filter_type",
    "low_freq_corner",
    "low_freq_order",
    "low_pass_frequency",
    "low_pass_order",
    "low_pass_type",
    "lowpass",
    "max_value",
    "min_sample_count",
    "min_value",
    "probe_info",
    "resolution",
    "source_entity_id",
    "stream_id",
    "sub_sample_shift",
    "unit_id",
    "unit_ids_are_bits",
    "unit_name",
    "units_string",
}


def _losses(
    blocks: Sequence[Block], tree: Tree, texts: Texts, points: PointWriter
) -> Iterator[str]:
    """Tell what the file does not have of the tree."""
    if tree.moved:
        behind = "that one" if tree.moved == 1 else "those"
        yield (
            f"{counted(tree.moved, 'segment')} began before the one before it ended: moved behind "
            f"{behind}, as the file has one span of time"
        )
    images = sum(len(segment.imagesequences) for segment in tree.segments)
    if images:
        yield f"left out: {counted(images, 'image sequence')}; the format has nothing like them"
    if texts.cut:
        yield f"{counted(texts.cut, 'name or text', 'names or texts')} had to be cut"
    if points.unordered:
        yield f"times go back in {', '.join(points.unordered)}; the format wants them in order"
    holders = [*blocks, *tree.segments]
    data: list[Any] = [obj for segment in tree.segments for obj in segment.data_children]
    notes = {name for each in (*holders, *data) for name in each.annotations} - _KEPT
    signals = (signal for segment in tree.segments for signal in segment.analogsignals)
    arrays = {name for each in signals for name in each.array_annotations} | points.arrays
    arrays -= _KEPT
    arrays = {name for name in arrays if not name.startswith("number")}
    if lost := sorted(notes - arrays):
        yield f"annotations are left out: {', '.join(lost)}"
    if lost := sorted(arrays):
        yield f"array annotations are left out: {', '.join(lost)}"
    yield from groups_left_out(blocks)
