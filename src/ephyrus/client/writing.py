"""A whole block of the object model -> objects on a service.

The numbers of many objects go together in one request (`ephyrus.client.sending`), long ones through
files that are written and sent piece by piece; then the objects that own them, many in one request
too (`ephyrus.client.waiting`), in which they name one another. A service lists objects in the order
in which they came. If anything fails, what was made so far is taken away: all of it belongs to the
one section that is made first.

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
from ephyrus.client.reading import WAVEFORM_NOTES
from ephyrus.client.removing import SECTION_TYPE, calls_to_remove
from ephyrus.client.sending import Arrays, quantity
from ephyrus.client.waiting import NewObject, Waiting

if TYPE_CHECKING:
    from ephyrus.client.objects import RemoteObject
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
    waiting : Waiting
        Objects that are to be created.
    arrays : Arrays
        Arrays that are to be sent.
    section : str
        Id of the section that annotations and files go to.
    owners : list
        Objects whose arrays wait: type, the object here, and its parents.
    properties : dict
        Properties by name, type and unit.
    values : dict
        Values of an annotation that was sent.
    left_out : Counter
        What the service has no place for.
    """

    waiting: Waiting
    arrays: Arrays
    section: str
    owners: list[tuple[str, Any, dict[str, NewObject]]] = field(default_factory=list)
    properties: dict[tuple[str, str, str], NewObject] = field(default_factory=dict)
    values: dict[Note, list[NewObject]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def create(self, type_name: str, **values: Any) -> NewObject:
        """Let one object be created."""
        return self.waiting.add(type_name, **values)

    def annotated(self, annotations: Mapping[str, Any]) -> list[NewObject]:
        """Send annotations as properties with values; gives the values."""
        found: list[NewObject] = []
        notes, left_out = notes_of(annotations)
        self.left_out["empty annotations"] += left_out
        for note in notes:
            if note not in self.values:
                about = self._property(note)
                self.values[note] = [
                    self.create("value", parent_property=about, data=text) for text in note.texts
                ]
            found += self.values[note]
        return found

    def _property(self, note: Note) -> NewObject:
        """Give the property of an annotation."""
        key = note.name, note.dtype, note.unit
        if key not in self.properties:
            facts = {"unit": note.unit} if note.unit else {}
            self.properties[key] = self.create(
                "property", name=note.name, section=self.section, dtype=note.dtype, **facts
            )
        return self.properties[key]


def write_block(client: Client, block: Block, progress: Any) -> RemoteObject:
    """Send a block; see `Client.upload`."""
    name = block.name or "block"
    section = client.create("section", name=name, odml_type=SECTION_TYPE).id
    with tempfile.TemporaryDirectory(prefix="ephyrus-upload-") as folder:
        job = _Job(Waiting(client), Arrays(client, Path(folder), section, progress), section)
        try:
            sent = _block(job, block, name)
            _flush(job)
            job.waiting.flush()
            made = client.run(client.flows.get(sent.permalink, {}))
        except BaseException:
            _take_away(client, section)
            raise
    said = ", ".join(f"{count} {what}" for what, count in sorted(job.left_out.items()) if count)
    if said:
        log.warning("%s: a service has no place for %s; they were left out", made.permalink, said)
    return made


def _take_away(client: Client, section: str) -> None:
    """Delete the block, the files, and their section; all else that was made lies below them.

    They are found by the section, as nobody may know whether a request that failed made them.
    """
    from ephyrus.errors import RemoteError

    for call in calls_to_remove(section, force=True):
        try:
            client.run(client.flows.told(call))
        except RemoteError as error:
            log.warning("%s was not taken away: %s", call.path, error)


def _block(job: _Job, block: Block, name: str) -> NewObject:
    """Send the block and all below it."""
    made = job.create(
        "block",
        name=name,
        section=job.section,
        metadata=job.annotated(block.annotations),
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


def _groups(job: _Job, block: Block, made: NewObject) -> dict[int, dict[str, NewObject]]:
    """Send groups; gives the parent fields of the objects in them, by their identity."""
    places: dict[int, dict[str, NewObject]] = {}
    orphans: NewObject | None = None
    for group in block.groups:
        if len(group.analogsignals) or group.groups:
            above = job.create("recordingchannelgroup", **_group_facts(job, group, made))
            _place(job, group.analogsignals, {"recordingchannelgroup": above}, places)
            for inner in group.groups:
                _unit(job, inner, above, places)
                job.left_out["groups in groups in groups"] += len(inner.groups)
            job.left_out["members of groups"] += len(group.spiketrains)
        else:
            if orphans is None:
                orphans = job.create("recordingchannelgroup", name="units", block=made)
            _unit(job, group, orphans, places)
        _note_members(job, group)
    return places


def _place(
    job: _Job,
    members: Iterable[Any],
    parent: dict[str, NewObject],
    places: dict[int, dict[str, NewObject]],
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


def _group_facts(job: _Job, group: Any, made: NewObject) -> dict[str, Any]:
    facts = {
        "name": group.name or "group",
        "block": made,
        "metadata": job.annotated(group.annotations),
    }
    return facts | ({"description": group.description} if group.description else {})


def _unit(job: _Job, group: Any, above: NewObject, places: dict[int, dict[str, NewObject]]) -> None:
    """Send a group of spike trains as a unit."""
    facts = {"name": group.name or "unit", "recordingchannelgroup": above}
    if group.description:
        facts["description"] = group.description
    unit = job.create("unit", metadata=job.annotated(group.annotations), **facts)
    _place(job, group.spiketrains, {"unit": unit}, places)
    job.left_out["members of groups"] += len(group.analogsignals)


def _segment(
    job: _Job, segment: Any, above: NewObject, places: dict[int, dict[str, NewObject]]
) -> None:
    """Send the segment and the data in it."""
    name = segment.name or f"segment {segment.index if segment.index is not None else ''}".strip()
    notes = job.annotated(segment.annotations)
    made = job.create("segment", name=name, block=above, metadata=notes, **_container(segment))
    for list_name, type_name in _DATA.items():
        for held in getattr(segment, list_name):
            place = places.get(id(held), {})
            if type_name == "analogsignalarray":
                place = _channels(job, held, above, place)
            job.arrays.add(type_name, held)
            job.owners.append((type_name, held, {"segment": made, **place}))
            if job.arrays.is_full:
                _flush(job)
    job.left_out["image sequences"] += len(segment.imagesequences)


def _flush(job: _Job) -> None:
    """Send the arrays that wait, and let the objects that own them be created."""
    if job.owners:
        for (type_name, held, parents), fields in zip(job.owners, job.arrays.send(), strict=True):
            _data(job, type_name, held, {**parents, **fields})
        job.owners.clear()


def _data(job: _Job, type_name: str, held: Any, fields: dict[str, Any]) -> None:
    """Let an object be created whose arrays are there."""
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


def _channels(
    job: _Job, signal: Any, block: NewObject, place: dict[str, NewObject]
) -> dict[str, NewObject]:
    """Send the names of a signal's channels as a group of channels, if it is in no other."""
    names = (signal.array_annotations or {}).get("channel_names")
    if names is None or not len(names):
        return place
    if place:
        job.left_out["channel names (of a signal in a group)"] += 1
        return place
    group = job.create("recordingchannelgroup", name=signal.name or "channels", block=block)
    for at, name in enumerate(names):
        job.create(
            "recordingchannel",
            name=str(name) or f"channel {at}",
            index=at,
            recordingchannelgroup=[group],
        )
    return {"recordingchannelgroup": group}
