"""A whole block of the object model -> objects on a service.

Parents go before children. The numbers of several objects go together, as HDF5 files that are
written and sent piece by piece (`ephyrus.client.sending`); then the objects, one after the other,
as a service lists objects in the order in which they came. If anything fails, what was made so far
is taken away.

Groups of spike trains become units, groups with signals become channel groups; an object that is
in several groups goes to the first. Annotations become metadata: a property for each, with a value
or several, which objects with equal annotations share. Times in another unit than s, ms or us go in
seconds. What a service has no place for is named in one warning: annotations of single items,
channel views, image sequences, groups in groups in groups.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.client.annotations import Note, notes_of
from ephyrus.client.calls import Call
from ephyrus.client.objects import RemoteObject, collection
from ephyrus.client.reading import WAVEFORM_NOTES
from ephyrus.client.sending import Arrays, quantity

if TYPE_CHECKING:
    from ephyrus.client.sync import Client
    from ephyrus.core import Block

__all__ = ["write_block"]

_DATA: Mapping[str, str] = {
    "analogsignals": "analogsignalarray",
    "irregularlysampledsignals": "irsaanalogsignal",
    "spiketrains": "spiketrain",
    "events": "eventarray",
    "epochs": "epocharray",
}
_QUANTITIES: Mapping[str, tuple[str, ...]] = {
    "analogsignalarray": ("sampling_rate", "t_start"),
    "irsaanalogsignal": ("t_start",),
    "spiketrain": ("t_start", "t_stop"),
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
    section : str
        Id of the section that annotations and files go to; empty: none yet.
    blocks : list of RemoteObject
        The block, once it was made.
    properties : dict
        Ids of properties by name, type and unit.
    values : dict
        Permalinks of the values of an annotation that was sent.
    left_out : Counter
        What the service has no place for.
    """

    client: Client
    progress: Any
    folder: Path
    section: str = ""
    blocks: list[RemoteObject] = field(default_factory=list)
    properties: dict[tuple[str, str, str], str] = field(default_factory=dict)
    values: dict[Note, list[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def create(self, type_name: str, **values: Any) -> RemoteObject:
        """Create one object."""
        return self.client.create(type_name, **values)

    def annotated(self, annotations: Mapping[str, Any]) -> list[str]:
        """Send annotations as properties with values; gives the values' permalinks."""
        found: list[str] = []
        notes, left_out = notes_of(annotations)
        self.left_out["empty annotations"] += left_out
        for note in notes:
            if note not in self.values:
                about = self._property(note)
                self.values[note] = [
                    self.create("value", parent_property=about, data=text).permalink
                    for text in note.texts
                ]
            found += self.values[note]
        return found

    def _property(self, note: Note) -> str:
        """Give the id of the property of an annotation."""
        key = note.name, note.dtype, note.unit
        if key not in self.properties:
            facts = {"unit": note.unit} if note.unit else {}
            made = self.create(
                "property", name=note.name, section=self.section, dtype=note.dtype, **facts
            )
            self.properties[key] = made.id
        return self.properties[key]


def write_block(client: Client, block: Block, progress: Any) -> RemoteObject:
    """Send a block; see `Client.upload`."""
    with tempfile.TemporaryDirectory(prefix="ephyrus-upload-") as folder:
        job = _Job(client, progress, Path(folder))
        try:
            made = _block(job, block)
        except BaseException:
            _take_away(job)
            raise
    said = ", ".join(f"{count} {what}" for what, count in sorted(job.left_out.items()) if count)
    if said:
        log.warning("%s: a service has no place for %s; they were left out", made.permalink, said)
    return made


def _take_away(job: _Job) -> None:
    """Delete the block, the files, and the section; all else that was made lies below them."""
    from ephyrus.errors import RemoteError

    force = ("force", "1")
    calls = [Call("DELETE", each.permalink, params=(force,)) for each in job.blocks]
    if job.section:
        files = ("section", job.section), force
        calls.append(Call("DELETE", collection("datafile"), params=files))
        calls.append(Call("DELETE", collection("section") + job.section, params=(force,)))
    for call in calls:
        try:
            job.client.run(job.client.flows.told(call))
        except RemoteError as error:
            log.warning("%s was not taken away: %s", call.path, error)


def _block(job: _Job, block: Block) -> RemoteObject:
    """Send the block and all below it."""
    name = block.name or "block"
    job.section = job.create("section", name=name, odml_type="recording").id
    made = job.create(
        "block",
        name=name,
        section=job.section,
        metadata=job.annotated(block.annotations),
        **_container(block),
    )
    job.blocks.append(made)
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


def _groups(job: _Job, block: Block, made: RemoteObject) -> dict[int, dict[str, str]]:
    """Send groups; gives the parent fields of the objects in them, by their identity."""
    places: dict[int, dict[str, str]] = {}
    orphans: RemoteObject | None = None
    for group in block.groups:
        if len(group.analogsignals) or group.groups:
            above = job.create("recordingchannelgroup", **_group_facts(job, group, made))
            _place(job, group.analogsignals, {"recordingchannelgroup": above.id}, places)
            for inner in group.groups:
                _unit(job, inner, above, places)
                job.left_out["groups in groups in groups"] += len(inner.groups)
            job.left_out["members of groups"] += len(group.spiketrains)
        else:
            if orphans is None:
                orphans = job.create("recordingchannelgroup", name="units", block=made.id)
            _unit(job, group, orphans, places)
        _note_members(job, group)
    return places


def _place(
    job: _Job, members: Iterable[Any], parent: dict[str, str], places: dict[int, dict[str, str]]
) -> None:
    """Note the parent of the members of a group; they can have but one."""
    for each in members:
        if places.setdefault(id(each), parent) is not parent:
            job.left_out["members of groups"] += 1


def _note_members(job: _Job, group: Any) -> None:
    """Count what is in a group and cannot be in one of a service."""
    job.left_out["channel views"] += len(group.channelviews)
    job.left_out["members of groups"] += sum(
        len(getattr(group, name))
        for name in ("segments", "irregularlysampledsignals", "events", "epochs", "imagesequences")
    )


def _group_facts(job: _Job, group: Any, made: RemoteObject) -> dict[str, Any]:
    facts = {
        "name": group.name or "group",
        "block": made.id,
        "metadata": job.annotated(group.annotations),
    }
    return facts | ({"description": group.description} if group.description else {})


def _unit(job: _Job, group: Any, above: RemoteObject, places: dict[int, dict[str, str]]) -> None:
    """Send a group of spike trains as a unit."""
    facts = {"name": group.name or "unit", "recordingchannelgroup": above.id}
    if group.description:
        facts["description"] = group.description
    unit = job.create("unit", metadata=job.annotated(group.annotations), **facts)
    _place(job, group.spiketrains, {"unit": unit.id}, places)
    job.left_out["members of groups"] += len(group.analogsignals)


def _segment(
    job: _Job, segment: Any, above: RemoteObject, places: dict[int, dict[str, str]]
) -> None:
    """Send a segment and the data in it."""
    name = segment.name or f"segment {segment.index if segment.index is not None else ''}".strip()
    notes = job.annotated(segment.annotations)
    made = job.create("segment", name=name, block=above.id, metadata=notes, **_container(segment))
    for list_name, type_name in _DATA.items():
        arrays = Arrays(job.client, type_name, job.folder, job.section, job.progress)
        waiting: list[tuple[Any, dict[str, str]]] = []
        for held in getattr(segment, list_name):
            place = places.get(id(held), {})
            if type_name == "analogsignalarray":
                place = _channels(job, held, above, place)
            arrays.add(held)
            waiting.append((held, place))
            if arrays.is_full:
                _flush(job, arrays, waiting, made)
        _flush(job, arrays, waiting, made)
    job.left_out["image sequences"] += len(segment.imagesequences)


def _flush(
    job: _Job,
    arrays: Arrays,
    waiting: list[tuple[Any, dict[str, str]]],
    segment: RemoteObject,
) -> None:
    """Send the arrays that wait, then the objects that own them."""
    for (held, place), fields in zip(waiting, arrays.send(), strict=True):
        _data(job, arrays.type_name, held, {"segment": segment.id, **place, **fields})
    waiting.clear()


def _data(job: _Job, type_name: str, held: Any, fields: dict[str, Any]) -> None:
    """Send an object whose arrays are there."""
    notes = dict(held.annotations)
    if type_name == "spiketrain" and held.waveforms is not None:
        notes[WAVEFORM_NOTES] = _waveform_notes(held)
    job.left_out["array annotations"] += len(set(held.array_annotations or ()) - {"channel_names"})
    if held.description:
        fields["description"] = held.description
    for name in _QUANTITIES.get(type_name, ()):
        value = getattr(held, name)
        fields[name] = {"data": 0.0, "units": "s"} if value is None else quantity(value)
    job.create(type_name, name=held.name or "", metadata=job.annotated(notes), **fields)


def _waveform_notes(train: Any) -> dict[str, float]:
    """Give what a service has no field for: rate (Hz) and left sweep (s) of waveforms."""
    notes: dict[str, float] = {}
    if train.sampling_rate is not None:
        notes["sampling_rate"] = float(train.sampling_rate.rescale("Hz").magnitude)
    if train.left_sweep is not None:
        notes["left_sweep"] = float(np.ravel(train.left_sweep.rescale("s").magnitude)[0])
    return notes


def _channels(job: _Job, signal: Any, block: RemoteObject, place: dict[str, str]) -> dict[str, str]:
    """Send the names of a signal's channels as a group of channels, if it is in no other."""
    names = (signal.array_annotations or {}).get("channel_names")
    if names is None or not len(names):
        return place
    if place:
        job.left_out["channel names (of a signal in a group)"] += 1
        return place
    group = job.create("recordingchannelgroup", name=signal.name or "channels", block=block.id)
    for at, name in enumerate(names):
        job.create(
            "recordingchannel",
            name=str(name) or f"channel {at}",
            index=at,
            recordingchannelgroup=[group.id],
        )
    return {"recordingchannelgroup": group.id}
