"""A small laboratory for the tests of the catalog: users, and objects with all relations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from ephyrus.service.accounts.tables import GROUP, USER
from ephyrus.service.catalog import writing
from ephyrus.service.catalog.bulk import NewObject, insert_tree
from ephyrus.service.catalog.records import Record
from ephyrus.service.db.schema import ARRAYS, SHARES
from ephyrus.service.principals import ANONYMOUS, Principal

ALL = frozenset({"read", "write", "admin"})
BOB = Principal(1, "bob", scopes=ALL)
EVE = Principal(2, "eve", groups=frozenset({1}), scopes=ALL)
FRIEND = Principal(3, "fred", friends=frozenset({1}), scopes=ALL)
ADMIN = Principal(4, "root", is_admin=True, scopes=ALL)
STRANGER = Principal(5, "sue", scopes=ALL)
EVERYBODY = (BOB, EVE, FRIEND, ADMIN, STRANGER, ANONYMOUS)


def add_users(connection: Connection) -> None:
    """Make the users above, and the group of eve."""
    names = ("bob", "eve", "fred", "root", "sue")
    rows = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    connection.execute(insert(USER), rows)
    connection.execute(insert(GROUP), {"id": 1, "name": "ephys"})


def add_array(
    connection: Connection, principal: Principal, shape: tuple[int, ...], *, dtype: str = "<i2"
) -> Record:
    """Make a datafile that holds an array."""
    datafile = writing.create(
        connection, principal, "datafile", {"name": "array.h5"}, facts={"file_type": 5, "size": 9}
    )
    location = {"kind": "stored", "key": f"k{datafile.id}", "offset": 0}
    row = {"datafile_id": datafile.id, "dtype": dtype, "shape": list(shape), "location": location}
    connection.execute(insert(ARRAYS), row)
    return datafile


def quantity(number: float, units: str) -> dict[str, Any]:
    """Give a number with a unit as a body holds it."""
    return {"data": number, "units": units}


def new_signal(datafile: Record, **fields: Any) -> dict[str, Any]:
    """Give the body of an analog signal."""
    return {
        "name": "signal",
        "sampling_rate": quantity(20000, "hz"),
        "t_start": quantity(0, "ms"),
        "signal": {"data": f"/datafiles/{datafile.id}", "units": "mv"},
        **fields,
    }


NAMES = (
    "Zelle 1",
    "zelle 2",
    "ÄRGER",
    "ärger",
    "straße 100%",
    "STRASSE_7",
    "a%b",
    "a_b",
    "a\\b",
    "",
    None,
    "naïve",
    "Ελλάδα",
)


def fill(connection: Connection) -> None:
    """Make objects of bob, eve and fred with all kinds of relations, rights and values."""
    add_users(connection)
    for owner in (1, 2, 3):
        insert_tree(connection, owner, _tree(owner))
    shares = [
        {"type": "analogsignal", "object_id": number, "user_id": 2, "level": 1}
        for number in range(1, 40, 3)
    ]
    shares += [
        {"type": "analogsignal", "object_id": number, "group_id": 1, "level": 2}
        for number in range(41, 80, 3)
    ]
    shares += [{"type": "block", "object_id": 1, "user_id": 5, "level": 2}]
    shares += [{"type": "segment", "object_id": 2, "user_id": 5, "level": 1}]
    for share in shares:
        connection.execute(insert(SHARES), share)


def _tree(owner: int) -> list[NewObject]:
    """Make the objects of one owner: what is odd, even or unset differs between them."""
    objects = _metadata(owner)
    array = {"dtype": "<f4", "shape": [10], "sorted": None, "location": {"kind": "stored"}}
    objects.append(
        NewObject("datafile", "d", {"name": f"file {owner}"}, facts={"file_type": 5, "size": owner,
                  "mime": "application/x-hdf"}, array=array, safety_level=owner)
    )  # fmt: skip
    for block in range(2):
        when = datetime(2020 + block, 1 + owner, 3 + block, 12, 30, 15)
        section = {"section": "s1"} if block else {}
        objects.append(
            NewObject("block", ("b", block), {"name": f"Block {owner}-{block}", "index": block * 7,
                      "filedatetime": when if owner > 1 else None}, parents=section,
                      safety_level=1 + (owner + block) % 3)
        )  # fmt: skip
        for group in range(2):
            objects.append(
                NewObject("recordingchannelgroup", ("g", block, group), {"name": f"Group {group}"},
                          parents={"block": ("b", block)}, safety_level=1)
            )  # fmt: skip
        for channel in range(3):
            above = tuple(("g", block, group) for group in range(2) if (channel >> group) & 1)
            objects.append(
                NewObject("recordingchannel", ("c", block, channel), {"name": f"Ch {channel}",
                          "index": channel}, parents={"recordingchannelgroup": above},
                          safety_level=1 + channel)
            )  # fmt: skip
        for segment in range(2):
            objects.append(
                NewObject("segment", ("s", block, segment), {"name": f"Segment {segment}"},
                          parents={"block": ("b", block)}, safety_level=1 + segment * 2)
            )  # fmt: skip
            objects.extend(_signals(owner, block, segment))
    return objects


def _metadata(owner: int) -> list[NewObject]:
    """Make sections, properties and values."""
    return [
        NewObject("section", "s0", {"name": "Experiment", "odml_type": 5}, safety_level=2),
        NewObject("section", "s1", {"name": "Stimulus", "odml_type": "5"},
                  parents={"parent_section": "s0"}, safety_level=1 + owner % 3),
        NewObject("section", "s2", {"name": "Deep one"}, parents={"parent_section": "s1"},
                  safety_level=1),
        NewObject("property", "p1", {"name": "Colour"}, parents={"section": "s1"}),
        NewObject("property", "p2", {"name": "Contrast"}, parents={"section": "s2"}),
        NewObject("value", "v1", {"data": "Green"}, parents={"parent_property": "p1"}),
        NewObject("value", "v2", {"data": "12.5"}, parents={"parent_property": "p2"}),
    ]  # fmt: skip


def _signals(owner: int, block: int, segment: int) -> list[NewObject]:
    """Make the signals of a segment."""
    objects = []
    for place, name in enumerate(NAMES):
        number = owner * 100 + block * 50 + segment * 20 + place
        channel = {"recordingchannel": ("c", block, place % 3)} if place % 4 else {}
        tags = tuple(tag for tag, n in (("v1", 3), ("v2", 5)) if place % n == 0)
        start = None if place % 7 == 6 else place - 4.5 * segment
        objects.append(
            NewObject("analogsignal", ("a", block, segment, place),
                      {"name": name, "description": f"number {number}"},
                      {"sampling_rate": (1000 * (1 + place % 2), "hz"), "t_start": (start, "ms")},
                      {"signal": ("d", "mv")} if place % 2 else {},
                      {"segment": ("s", block, segment), **channel},
                      safety_level=1 + number % 3, tags=tags)
        )  # fmt: skip
    return objects
