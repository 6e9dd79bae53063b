"""A whole block of the object model -> objects on a service.

Numbers go first, as HDF5 files that are written and sent piece by piece; then the objects, parents
before children, several at a time. If anything fails, what was made so far is taken away.

Groups of spike trains become units, groups with signals become channel groups; an object that is
in several groups goes to the first. Annotations become metadata: a property for each, with a value
or several. What a service has no place for is named in one warning: annotations of single items,
channel views, regions of interest.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephyrus.client.annotations import as_text, flat
from ephyrus.client.calls import Call, Flow, Reply
from ephyrus.client.objects import RemoteObject, collection
from ephyrus.client.reading import WAVEFORM_NOTES

if TYPE_CHECKING:
    from ephyrus.client.sync import Client
    from ephyrus.core import Block

__all__ = ["write_block"]

PIECE_BYTES = 8 * 2**20
CHUNK_BYTES = 2**20  # of the arrays in the files that are sent
AT_ONCE = 32  # objects that are sent together

Column: TypeAlias = Callable[[Any], tuple[Any, str | None]]

_DATA: Mapping[str, str] = {
    "analogsignals": "analogsignalarray",
    "irregularlysampledsignals": "irsaanalogsignal",
    "spiketrains": "spiketrain",
    "events": "eventarray",
    "epochs": "epocharray",
}

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """What is sent, and what has been made.

    Attributes
    ----------
    client : Client
        How the service is reached.
    progress : object
        Told about bytes; None: nobody is.
    folder : Path
        Place for the files that are sent.
    made : list of RemoteObject
        What to take away if it fails, in the order in which it was made.
    sections : str
        Id of the section that annotations go to; empty: none yet.
    left_out : Counter
        What the service has no place for.
    """

    client: Client
    progress: Any
    folder: Path
    made: list[RemoteObject] = field(default_factory=list)
    section: str = ""
    left_out: Counter[str] = field(default_factory=Counter)

    def create(self, type_name: str, **values: Any) -> RemoteObject:
        """Create one object."""
        found = self.client.create(type_name, **values)
        self.made.append(found)
        return found

    def create_all(
        self, type_name: str, documents: Sequence[Mapping[str, Any]]
    ) -> list[RemoteObject]:
        """Create several objects of a type."""
        found: list[RemoteObject] = []
        for first in range(0, len(documents), AT_ONCE):
            some = documents[first : first + AT_ONCE]
            found += self.client.run(_created(self, type_name, some))
        return found


def _created(
    job: _Job, type_name: str, documents: Sequence[Mapping[str, Any]]
) -> Flow[list[RemoteObject]]:
    """Create objects with calls that run at the same time."""
    path = collection(type_name)
    calls = [Call("POST", path, json=job.client.plain(each)) for each in documents]
    replies: list[Reply] = yield calls
    address = job.client.address + path
    found = [RemoteObject.of(reply.envelope(address)["selected"][0]) for reply in replies]
    job.made.extend(found)
    return found


def write_block(client: Client, block: Block, progress: Any) -> RemoteObject:
    """Send a block; see `Client.upload`."""
    with tempfile.TemporaryDirectory(prefix="ephyrus-upload-") as folder:
        job = _Job(client, progress, Path(folder))
        try:
            made = _block(job, block)
        except BaseException:
            _take_away(job)
            raise
    if job.left_out:
        said = ", ".join(f"{count} {what}" for what, count in sorted(job.left_out.items()))
        log.warning("%s: a service has no place for %s; they were left out", made.permalink, said)
    return made


def _take_away(job: _Job) -> None:
    """Delete what was made, the last first; what is gone with its parent is no failure."""
    from ephyrus.errors import RemoteError

    for found in reversed(job.made):
        try:
            job.client.delete(found, force=True)
        except RemoteError as error:
            log.debug("%s was not taken away: %s", found.permalink, error)


def _block(job: _Job, block: Block) -> RemoteObject:
    """Send the block and all below it."""
    name = block.name or "block"
    job.section = job.create("section", name=name, odml_type="recording").id
    made = job.create(
        "block",
        name=name,
        section=job.section,
        metadata=_values(job, block.annotations, name),
        **_container(block),
    )
    places = _groups(job, block, made)
    for segment in block.segments:
        _segment(job, segment, made, places)
    return made


def _container(held: Any) -> dict[str, Any]:
    """Give the attributes of blocks and segments."""
    values = {
        "description": held.description,
        "filedatetime": None if held.rec_datetime is None else held.rec_datetime.isoformat(),
        "index": held.index,
    }
    return {name: value for name, value in values.items() if value is not None}


def _values(job: _Job, annotations: Mapping[str, Any], owner: str) -> list[str]:
    """Send annotations as properties with values; gives the values' permalinks."""
    notes = flat(annotations)
    if not notes:
        return []
    section = job.create("section", name=owner, parent_section=job.section)
    kinds = {name: as_text(values[0])[1] for name, values in notes.items()}
    documents = [{"name": name, "section": section.id, "dtype": kinds[name]} for name in notes]
    properties = job.create_all("property", documents)
    texts = [
        {"parent_property": about.id, "data": as_text(value)[0]}
        for about, values in zip(properties, notes.values(), strict=True)
        for value in values
    ]
    return [each.permalink for each in job.create_all("value", texts)]


def _groups(job: _Job, block: Block, made: RemoteObject) -> dict[int, dict[str, str]]:
    """Send groups; gives the parent fields of the objects in them, by their identity."""
    places: dict[int, dict[str, str]] = {}
    orphans: RemoteObject | None = None
    for group in block.groups:
        signals = list(group.analogsignals)
        if signals or group.groups:
            above = job.create("recordingchannelgroup", **_group_facts(job, group, made))
            for signal in signals:
                places.setdefault(id(signal), {"recordingchannelgroup": above.id})
            for inner in group.groups:
                _unit(job, inner, above, places)
        else:
            if orphans is None:
                orphans = job.create("recordingchannelgroup", name="units", block=made.id)
            _unit(job, group, orphans, places)
        job.left_out["channel views"] += len(group.channelviews)
    job.left_out += Counter()  # drops counts of zero
    return places


def _group_facts(job: _Job, group: Any, made: RemoteObject) -> dict[str, Any]:
    name = group.name or "group"
    facts = {"name": name, "block": made.id, "metadata": _values(job, group.annotations, name)}
    return facts | ({"description": group.description} if group.description else {})


def _unit(job: _Job, group: Any, above: RemoteObject, places: dict[int, dict[str, str]]) -> None:
    """Send a group of spike trains as a unit."""
    name = group.name or "unit"
    facts = {"name": name, "recordingchannelgroup": above.id}
    if group.description:
        facts["description"] = group.description
    unit = job.create("unit", metadata=_values(job, group.annotations, name), **facts)
    for train in group.spiketrains:
        places.setdefault(id(train), {"unit": unit.id})


def _segment(
    job: _Job, segment: Any, above: RemoteObject, places: dict[int, dict[str, str]]
) -> None:
    """Send a segment and the data in it."""
    name = segment.name or f"segment {segment.index if segment.index is not None else ''}".strip()
    notes = _values(job, segment.annotations, name)
    made = job.create("segment", name=name, block=above.id, metadata=notes, **_container(segment))
    for list_name, type_name in _DATA.items():
        for held in getattr(segment, list_name):
            _data(job, type_name, held, made, places.get(id(held), {}), above)
    job.left_out["image sequences"] += len(segment.imagesequences)
    job.left_out += Counter()


def _data(
    job: _Job,
    type_name: str,
    held: Any,
    segment: RemoteObject,
    place: dict[str, str],
    block: RemoteObject,
) -> None:
    """Send an object with data."""
    notes = dict(held.annotations)
    if type_name == "spiketrain" and held.waveforms is not None:
        notes[WAVEFORM_NOTES] = _waveform_notes(held)
    if type_name == "analogsignalarray" and not place:
        place = _channels(job, held, block)
    job.left_out["array annotations"] += len(set(held.array_annotations or ()) - {"channel_names"})
    facts = {"description": held.description} if held.description else {}
    job.create(
        type_name,
        name=held.name or "",
        segment=segment.id,
        metadata=_values(job, notes, held.name or type_name),
        **facts,
        **place,
        **_fields(job, type_name, held),
    )


def _waveform_notes(train: Any) -> dict[str, float]:
    """Give what a service has no field for: rate (Hz) and left sweep (s) of waveforms."""
    notes: dict[str, float] = {}
    if train.sampling_rate is not None:
        notes["sampling_rate"] = float(train.sampling_rate.rescale("Hz").magnitude)
    if train.left_sweep is not None:
        notes["left_sweep"] = float(np.ravel(train.left_sweep.rescale("s").magnitude)[0])
    return notes


def _channels(job: _Job, signal: Any, block: RemoteObject) -> dict[str, str]:
    """Send the names of a signal's channels as a group of channels."""
    names = (signal.array_annotations or {}).get("channel_names")
    if names is None or not len(names):
        return {}
    group = job.create("recordingchannelgroup", name=signal.name or "channels", block=block.id)
    documents = [
        {"name": str(name) or f"channel {at}", "index": at, "recordingchannelgroup": [group.id]}
        for at, name in enumerate(names)
    ]
    job.create_all("recordingchannel", documents)
    return {"recordingchannelgroup": group.id}


# --- arrays ---


def _quantity(value: Any) -> dict[str, Any]:
    """Give a number with its unit as it is sent."""
    return {"data": float(value.magnitude), "units": _unit_of(value)}


def _unit_of(value: Any) -> str:
    """Give the text of a unit."""
    return str(value.dimensionality.string)


def _times(piece: Any) -> tuple[Any, str | None]:
    return piece.times.magnitude, _unit_of(piece.times)


def _values_of(piece: Any) -> tuple[Any, str | None]:
    return piece.magnitude, _unit_of(piece)


def _waveforms(piece: Any) -> tuple[Any, str | None]:
    return piece.waveforms.magnitude, _unit_of(piece.waveforms)


def _durations(piece: Any) -> tuple[Any, str | None]:
    return piece.durations.magnitude, _unit_of(piece.durations)


def _labels(piece: Any) -> tuple[Any, str | None]:
    return np.asarray(piece.labels, object), None


_COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "analogsignalarray": {"signal": _values_of},
    "irsaanalogsignal": {"signal": _values_of, "times": _times},
    "spiketrain": {"times": _values_of, "waveforms": _waveforms},
    "eventarray": {"times": _values_of, "labels": _labels},
    "epocharray": {"times": _values_of, "durations": _durations, "labels": _labels},
}
_QUANTITIES: Mapping[str, tuple[str, ...]] = {
    "analogsignalarray": ("sampling_rate", "t_start"),
    "irsaanalogsignal": ("t_start",),
    "spiketrain": ("t_start", "t_stop"),
}


def _fields(job: _Job, type_name: str, held: Any) -> dict[str, Any]:
    """Send the arrays of an object; gives its arrays and quantities as they are sent."""
    columns = dict(_COLUMNS[type_name])
    if type_name == "spiketrain" and held.waveforms is None:
        del columns["waveforms"]
    fields = _sent(job, held, columns)
    for name in _QUANTITIES.get(type_name, ()):
        value = getattr(held, name)
        fields[name] = {"data": 0.0, "units": "s"} if value is None else _quantity(value)
    return fields


def _sent(job: _Job, held: Any, columns: Mapping[str, Column]) -> dict[str, Any]:
    """Write the arrays of an object to files, piece by piece, and send these."""
    import h5py

    units: dict[str, str | None] = {}
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(h5py.File(job.folder / f"{name}.h5", "w")) for name in columns
        }
        for piece in held.chunks(max_bytes=PIECE_BYTES):
            for name, column in columns.items():
                values, units[name] = column(piece)
                _append(files[name], np.asarray(values))
    return {
        name: {"data": _uploaded(job, job.folder / f"{name}.h5"), "units": units[name]}
        for name in columns
    }


def _append(file: Any, values: NDArray[Any]) -> None:
    """Append rows to the one array of a file."""
    import h5py

    first = 0
    if "array" in file:
        stored = file["array"]
        first = stored.shape[0]
        stored.resize(first + len(values), axis=0)
    else:
        dtype = h5py.string_dtype() if values.dtype.kind == "O" else values.dtype
        rows = max(1, CHUNK_BYTES // max(1, values[:1].nbytes))
        shape = values.shape
        chunks = (rows, *(max(1, extent) for extent in shape[1:]))
        stored = file.create_dataset(
            "array", shape, dtype, chunks=chunks, maxshape=(None, *shape[1:])
        )
    stored[first:] = values


def _uploaded(job: _Job, path: Path) -> int | str:
    """Send the file of an array; gives the id of its datafile."""
    told = None if job.progress is None else job.progress.advance
    upload = job.client.upload_value(path, told)
    found = job.client.run(job.client.flows.upload(upload, job.section or None, convert=False))
    job.made.append(found)
    path.unlink()
    return int(found.id) if found.id.isdecimal() else found.id
