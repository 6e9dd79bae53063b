"""Objects of a service -> the object model, lazy or not.

Blocks, segments, signals, irregular signals, spike trains, events and epochs become the objects of
the same kind. A channel group that has channels names the channels of its signals; one without is a
Group of its signals, and every unit is a Group of its spike trains. Single events and epochs of a
segment make one Event and one Epoch, single spikes of a unit one SpikeTrain. Metadata are
annotations. However many objects a block has, they are described by a few requests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.client.annotations import annotations_of
from ephyrus.client.bulk import load_all, seconds_of, single_spikes
from ephyrus.client.objects import RemoteObject
from ephyrus.client.sources import RemotePoints, RemoteSignal, unit_info
from ephyrus.client.units import spelled

if TYPE_CHECKING:
    from ephyrus.client.sync import Client
    from ephyrus.core import Block

__all__ = ["read_block"]

SIGNAL_TYPES = ("analogsignalarray", "analogsignal")
DATA_TYPES = (*SIGNAL_TYPES, "irsaanalogsignal", "spiketrain", "eventarray", "epocharray")


@dataclass(slots=True)
class _Tree:
    """What a block consists of, on the service and here.

    Attributes
    ----------
    client : Client
        How the service is reached.
    file_origin : str
        Address of the block.
    channels : dict
        Names of channels by the id of their group.
    made : dict
        Data objects here by (type, id) on the service.
    spikes : dict
        Trains of single spikes by the id of their unit.
    extents : dict
        First and last time of irregular signals by their id.
    """

    client: Client
    file_origin: str
    channels: dict[str, list[str]] = field(default_factory=dict)
    made: dict[tuple[str, str], Any] = field(default_factory=dict)
    spikes: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    extents: dict[str, tuple[float, float]] = field(default_factory=dict)

    def facts(self, found: RemoteObject) -> dict[str, Any]:
        """Give what all objects have."""
        return {
            "name": found.get("name") or None,
            "description": found.get("description"),
            "file_origin": self.file_origin,
            "annotations": annotations_of(found.get("metadata") or ()),
        }


def read_block(client: Client, permalink: str, *, lazy: bool) -> Block:
    """Fetch a block.

    Parameters
    ----------
    client : Client
        How the service is reached.
    permalink : str
        Of the block.
    lazy : bool
        Leave the numbers on the service until they are asked for.

    Raises
    ------
    RemoteError
        If the service refuses.
    """
    from ephyrus.core import Block

    found = client.run(client.flows.get(permalink, {"q": "full"}))
    tree = _Tree(client, client.address + found.permalink)
    block = Block(
        name=found.get("name") or None,
        description=found.get("description"),
        file_origin=tree.file_origin,
        rec_datetime=_time(found.get("filedatetime")),
        index=found.get("index"),
        **annotations_of(found.get("metadata") or ()),
    )
    _name_channels(tree, found.id)
    _add_segments(tree, block, found.id, lazy=lazy)
    _add_groups(tree, block, found.id)
    block.check_relationships()
    return block


def _all(tree: _Tree, type_name: str, **params: Any) -> list[RemoteObject]:
    query = {"q": "full", "order_by": "id", **params}
    return tree.client.run(tree.client.flows.all_of(type_name, query))


def _time(text: Any) -> datetime | None:
    return None if not text else datetime.fromisoformat(str(text))


def _id(link: Any) -> str:
    """Give the id at the end of a permalink."""
    return str(link).rstrip("/").rpartition("/")[2]


def _name_channels(tree: _Tree, block: str) -> None:
    """Note the names of channels by their group, in order."""
    named: defaultdict[str, list[tuple[Any, str]]] = defaultdict(list)
    found = _all(tree, "recordingchannel", recordingchannelgroup__block=block)
    for channel in found:
        for link in channel["recordingchannelgroup"] or ():
            order = (channel.get("index") is None, channel.get("index") or 0)
            named[_id(link)].append((order, str(channel["name"])))
    tree.channels = {
        group: [name for _, name in sorted(names, key=lambda each: each[0])]
        for group, names in named.items()
    }


def _add_segments(tree: _Tree, block: Block, block_id: str, *, lazy: bool) -> None:
    """Make the segments and what is in them; what lies in a hidden segment is left out."""
    segments = {found.id: _segment(tree, found) for found in _all(tree, "segment", block=block_id)}
    for type_name in DATA_TYPES:
        found = [
            each
            for each in _all(tree, type_name, segment__block=block_id)
            if _id(each["segment"]) in segments
            and not (type_name == "analogsignal" and each.get("analogsignalarray"))
        ]  # a channel of a signal that is there is no signal of its own
        _prepare(tree, type_name, found)
        made = [_MAKERS[type_name](tree, each) for each in found]
        if not lazy:
            made = load_all(tree.client, made)
        for each, obj in zip(found, made, strict=True):
            tree.made[type_name, each.id] = obj
            segments[_id(each["segment"])].add(obj)
    for type_name, maker in (("event", _single_events), ("epoch", _single_epochs)):
        query = {"segment__block": block_id, f"{type_name}array__isnull": 1}
        for segment, objects in _by(_all(tree, type_name, **query), "segment").items():
            if segment in segments:
                segments[segment].add(maker(objects))
    for segment, spikes in _by(_all(tree, "spike", segment__block=block_id), "segment").items():
        for unit, some in _by(spikes, "unit").items():
            if segment in segments:
                train = single_spikes(tree.client, some)
                tree.spikes[unit].append(train)
                segments[segment].add(train)
    block.segments.extend(segments.values())


def _by(objects: Iterable[RemoteObject], parent: str) -> dict[str, list[RemoteObject]]:
    """Sort objects by the id of a parent."""
    sorted_: defaultdict[str, list[RemoteObject]] = defaultdict(list)
    for each in objects:
        sorted_[_id(each.get(parent))].append(each)
    return sorted_


def _prepare(tree: _Tree, type_name: str, objects: Sequence[RemoteObject]) -> None:
    """Fetch the first and last time of all irregular signals, in one request."""
    if type_name != "irsaanalogsignal":
        return
    some = [each for each in objects if each.facts("times", 1).shape[0]]
    wanted = [
        {"datafile": each.link("times"), "start_index": at, "end_index": at + 1}
        for each in some
        for at in (0, each.facts("times").shape[0] - 1)
    ]
    ends = tree.client.run(tree.client.flows.parts(wanted, 64 * len(wanted)))
    for number, each in enumerate(some):
        first, last = ends[2 * number : 2 * number + 2]
        tree.extents[each.id] = float(first[0]), float(last[0])


def _segment(tree: _Tree, found: RemoteObject) -> Any:
    from ephyrus.core import Segment

    facts = tree.facts(found)
    notes = facts.pop("annotations")
    return Segment(
        rec_datetime=_time(found.get("filedatetime")), index=found.get("index"), **facts, **notes
    )


def _signal(tree: _Tree, found: RemoteObject) -> Any:
    from ephyrus.core import AnalogSignal
    from ephyrus.core.units import unit_from_text

    known = found.facts("signal", 1, 2)
    link = found.link("signal")
    source = RemoteSignal(tree.client, link or "", found.guid, known.shape, known.dtype)
    facts = tree.facts(found)
    unit, is_known = unit_from_text(spelled(found["signal"]["units"], "signal"))
    if not is_known:
        facts["annotations"]["units_string"] = found["signal"]["units"]
    width = source.shape[1]
    names = tree.channels.get(_id(found.get("recordingchannelgroup")), [])
    arrays = {"channel_names": np.array(names, np.str_)} if len(names) == width else {}
    return AnalogSignal._create(
        np.empty((0, width), known.dtype),
        unit,
        sampling_rate=float(found["sampling_rate"]["data"]),
        rate_unit=spelled(found["sampling_rate"]["units"], "rate"),
        t_start=float(found["t_start"]["data"]),
        time_unit=spelled(found["t_start"]["units"], "time"),
        array_annotations=arrays,
        source=source,
        **facts,
    )


def _samples(tree: _Tree, found: RemoteObject) -> Any:
    from ephyrus.core import IrregularlySampledSignal
    from ephyrus.core.units import unit_from_text

    known = found.facts("signal", 1, 2)
    points = RemotePoints(tree.client, found, (("times", "times"), ("values", "signal")))
    unit, _ = unit_from_text(spelled(found["signal"]["units"], "signal"))
    time_unit = spelled(found["times"]["units"], "time")
    extent = tree.extents.get(found.id, (None, None))
    return IrregularlySampledSignal._create(
        np.empty(0),
        np.empty((0, known.shape[1] if len(known.shape) == 2 else 1), known.dtype),
        unit,
        time_unit=time_unit,
        t_start=extent[0],
        t_stop=extent[1],
        source=points,
        **tree.facts(found),
    )


def _spiketrain(tree: _Tree, found: RemoteObject) -> Any:
    import quantities as pq

    from ephyrus.core import SpikeTrain
    from ephyrus.core.units import as_unit, convert, unit_from_text

    unit = as_unit(spelled(found["times"]["units"], "time"))
    limits = [
        0.0
        if found[name]["data"] is None  # as old services have it
        else float(convert(float(found[name]["data"]), unit_info(found[name]["units"]), unit))
        for name in ("t_start", "t_stop")
    ]
    fields = [("times", "times")]
    facts = tree.facts(found)
    waveforms = None
    if "waveforms" in found.arrays:
        fields.append(("waveforms", "waveforms"))
        known = found.facts("waveforms", 3)
        wave_unit, _ = unit_from_text(spelled(found["waveforms"]["units"], "signal"))
        waveforms = pq.Quantity(np.empty((0, *known.shape[1:]), known.dtype), wave_unit)
    notes = facts["annotations"].pop(WAVEFORM_NOTES, {})
    return SpikeTrain._create(
        np.empty(0),
        unit=unit,
        t_start=limits[0],
        t_stop=limits[1],
        waveforms=waveforms,
        sampling_rate=notes.get("sampling_rate"),
        left_sweep=notes.get("left_sweep"),
        source=RemotePoints(tree.client, found, tuple(fields)),
        **facts,
    )


def _marker_facts(tree: _Tree, found: RemoteObject) -> dict[str, Any]:
    return {"unit": spelled(found["times"]["units"], "time"), **tree.facts(found)}


def _event(tree: _Tree, found: RemoteObject) -> Any:
    from ephyrus.core import Event

    points = RemotePoints(tree.client, found, (("times", "times"), ("labels", "labels")))
    return Event._create(
        np.empty(0), np.empty(0, np.str_), source=points, **_marker_facts(tree, found)
    )


def _epoch(tree: _Tree, found: RemoteObject) -> Any:
    import quantities as pq

    from ephyrus.core import Epoch

    fields = (("times", "times"), ("durations", "durations"), ("labels", "labels"))
    points = RemotePoints(tree.client, found, fields)
    durations = pq.Quantity(np.empty(0), unit_info(found["durations"]["units"]).unit)
    return Epoch._create(
        np.empty(0), durations, np.empty(0, np.str_), source=points, **_marker_facts(tree, found)
    )


def _single_events(objects: Sequence[RemoteObject]) -> Any:
    """Make one Event of single events."""
    from ephyrus.core import Event

    labels = np.array([str(each["label"]) for each in objects], np.str_)
    return Event(seconds_of(objects, "time"), labels, units="s", name="events")


def _single_epochs(objects: Sequence[RemoteObject]) -> Any:
    """Make one Epoch of single epochs."""
    from ephyrus.core import Epoch

    labels = np.array([str(each["label"]) for each in objects], np.str_)
    times, durations = seconds_of(objects, "time"), seconds_of(objects, "duration")
    return Epoch(times, durations, labels, units="s", name="epochs")


def _add_groups(tree: _Tree, block: Block, block_id: str) -> None:
    """Make groups of units, and of channel groups that have signals but no channels."""
    from ephyrus.core import Group

    found = _all(tree, "recordingchannelgroup", block=block_id)
    plain = {each.id: each for each in found if each.id not in tree.channels}
    groups = {}
    for each in plain.values():
        signals = _made(tree, each, SIGNAL_TYPES)
        if signals:
            groups[each.id] = Group(signals, **_named(tree, each))
    units = _all(tree, "unit", recordingchannelgroup__block=block_id)
    for unit in units:
        trains = [*_made(tree, unit, ("spiketrain",)), *tree.spikes.get(unit.id, ())]
        if trains:
            above = groups.get(_id(unit["recordingchannelgroup"]))
            made = Group(trains, **_named(tree, unit))
            (block.groups if above is None else above.groups).append(made)
    block.groups.extend(groups.values())


def _made(tree: _Tree, found: RemoteObject, types: Iterable[str]) -> list[Any]:
    """Give the children of an object that were made here."""
    keys = [(name, _id(link)) for name in types for link in found.children(name)]
    return [tree.made[key] for key in keys if key in tree.made]


def _named(tree: _Tree, found: RemoteObject) -> dict[str, Any]:
    facts = tree.facts(found)
    return {"name": facts["name"], "description": facts["description"], **facts["annotations"]}


_MAKERS: Mapping[str, Callable[[_Tree, RemoteObject], Any]] = {
    "analogsignalarray": _signal,
    "analogsignal": _signal,
    "irsaanalogsignal": _samples,
    "spiketrain": _spiketrain,
    "eventarray": _event,
    "epocharray": _epoch,
}

WAVEFORM_NOTES = "waveforms"  # annotations of a train that tell the rate and left sweep of these
