"""Deleting, history, annotations, rights, many objects at once, and reading without rights."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, text

from ephyrus.service.catalog import (
    annotation,
    deleting,
    history,
    reading,
    rights,
    writing,
)
from ephyrus.service.catalog.bulk import (
    Existing,
    NewObject,
    insert_tree,
    remove_recording,
    replace_recording,
)
from ephyrus.service.catalog.query import ListQuery, parse_at_time
from ephyrus.service.catalog.records import BRIEF, Record
from ephyrus.service.db.engine import Database, moment
from ephyrus.service.db.schema import LINKS, RECORDINGS, SHARES, TABLES, TAGGINGS, VERSIONS
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import ANONYMOUS, Principal
from tests.service.catalog_lab import (
    ADMIN,
    ALL,
    BOB,
    EVE,
    FRIEND,
    STRANGER,
    add_array,
    add_users,
    new_signal,
)


@pytest.fixture(scope="module")
def lab(module_database: Database) -> Database:
    with module_database.writing() as connection:
        add_users(connection)
    return module_database


@pytest.fixture
def conn(lab: Database) -> Iterator[Connection]:
    with lab.writing() as connection:
        yield connection


def make(conn: Connection, kind: str, who: Principal = BOB, **fields: Any) -> Record:
    return writing.create(conn, who, kind, {"name": kind, **fields})


def tree(conn: Connection) -> dict[str, Record]:
    """Make a block with one of each relation that matters for deleting."""
    made = {"block": make(conn, "block")}
    made["segment"] = make(conn, "segment", block=made["block"].id)
    made["group"] = make(conn, "recordingchannelgroup", block=made["block"].id)
    made["other group"] = make(conn, "recordingchannelgroup")
    name = "recordingchannelgroup"
    made["channel"] = make(conn, "recordingchannel", **{name: [made["group"].id]})
    both = [made["group"].id, made["other group"].id]
    made["shared channel"] = make(conn, "recordingchannel", **{name: both})
    made["unit"] = make(
        conn, "unit", recordingchannel=[made["shared channel"].id], **{name: both[0]}
    )
    made["file"] = add_array(conn, BOB, (5,))
    body = new_signal(made["file"], segment=made["segment"].id, recordingchannel=made["channel"].id)
    made["signal"] = writing.create(conn, BOB, "analogsignal", body)
    body = new_signal(made["file"], recordingchannel=made["channel"].id)
    made["loose signal"] = writing.create(conn, BOB, "analogsignal", body)
    return made


def exists(conn: Connection, record: Record) -> bool:
    return bool(reading.get_many(conn, ADMIN, record.type, [record.id], detail=BRIEF))


def refused(kind: str, call: Any, *args: Any, **options: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        call(*args, **options)
    assert caught.value.message_type == kind, caught.value
    return caught.value


# deleting


def test_what_an_object_owns_goes_with_it_and_links_are_taken_away(lab: Database) -> None:
    with lab.writing() as conn:
        made = tree(conn)
    with lab.writing() as conn:
        done = deleting.delete(conn, BOB, "block", made["block"].id)
        assert done.ids == (made["block"].id,)
        assert done.counts == {
            "block": 1, "segment": 1, "recordingchannelgroup": 1, "recordingchannel": 1,
            "analogsignal": 1,
        }  # fmt: skip
        gone = {name for name, record in made.items() if not exists(conn, record)}
        assert gone == {"block", "segment", "group", "channel", "signal"}
        channel = reading.get(conn, BOB, "recordingchannel", made["shared channel"].id)
        assert channel.parents == {"recordingchannelgroup": (made["other group"].id,)}
        unit = reading.get(conn, BOB, "unit", made["unit"].id)
        assert unit.parents == {"recordingchannel": (channel.id,), "recordingchannelgroup": None}
        loose = reading.get(conn, BOB, "analogsignal", made["loose signal"].id)
        assert loose.parents["recordingchannel"] is None
        found = history.versions(conn, BOB, "analogsignal", loose.id)
        assert [version.changed for version in found] == [("created",), ("recordingchannel",)]
        refused("does_not_exist", reading.get, conn, BOB, "block", made["block"].id)
        refused("does_not_exist", deleting.delete, conn, BOB, "block", made["block"].id)
        refused("wrong_reference", make, conn, "segment", block=made["block"].id)
        before = made["loose signal"].created
        for name, record in made.items():  # as it was
            past = reading.get(conn, BOB, record.type, record.id, at_time=before)
            assert past.guid == record.guid, name
            assert past.parents == record.parents


def test_a_file_that_is_in_use_stays(conn: Connection) -> None:
    made = tree(conn)
    error = refused("in_use", deleting.delete, conn, BOB, "datafile", made["file"].id)
    assert (error.status, error.details["field"]) == (409, "signal")
    for name in ("signal", "loose signal"):
        deleting.delete(conn, BOB, "analogsignal", made[name].id)
    assert deleting.delete(conn, BOB, "datafile", made["file"].id).counts == {"datafile": 1}


def test_others_who_may_write_are_protected(conn: Connection) -> None:
    block = make(conn, "block")
    segment = make(conn, "segment", block=block.id)
    rights.set_acl(conn, BOB, "segment", segment.id, {"shared_with": {"sue": 1}})
    assert deleting.delete(conn, BOB, "segment", segment.id).counts == {"segment": 1}
    segment = make(conn, "segment", block=block.id)
    rights.set_acl(conn, BOB, "segment", segment.id, {"shared_with": {"sue": 2}})
    error = refused("has_collaborators", deleting.delete, conn, BOB, "block", block.id)
    assert error.status == 409
    assert exists(conn, block)
    refused("not_authorized", deleting.delete, conn, STRANGER, "block", block.id)
    refused("has_collaborators", deleting.delete, conn, STRANGER, "segment", segment.id)
    done = deleting.delete(conn, BOB, "block", block.id, force=True)
    assert done.counts == {"block": 1, "segment": 1}


def test_deleting_a_list(conn: Connection) -> None:
    mine = [make(conn, "block", name="going") for _ in range(3)]
    other = make(conn, "block", EVE, name="going", safety_level=1)
    query = ListQuery(filters=(("name", "going"),), max_results=1)
    refused("wrong_params", deleting.delete_many, conn, BOB, "block", ListQuery())
    refused("not_authorized", deleting.delete_many, conn, BOB, "block", query)
    done = deleting.delete_many(conn, BOB, "block", query, skip=True)
    assert done.ids == tuple(each.id for each in mine)
    assert exists(conn, other)
    assert deleting.delete_many(conn, BOB, "block", query, skip=True).ids == ()


def test_if_match_guards_deleting(conn: Connection) -> None:
    block = make(conn, "block")
    changed = writing.update(conn, BOB, "block", block.id, {"index": 1}).record
    args = (conn, BOB, "block", block.id)
    refused("precondition_failed", deleting.delete, *args, expected_guid=block.guid)
    assert deleting.delete(*args, expected_guid=changed.guid).counts == {"block": 1}


def test_sections_take_their_metadata_with_them_and_leave_blocks(conn: Connection) -> None:
    section = make(conn, "section")
    prop = make(conn, "property", section=section.id)
    value = writing.create(conn, BOB, "value", {"data": "x", "parent_property": prop.id})
    block = make(conn, "block", section=section.id, metadata=[value.permalink])
    assert block.metadata == (value.id,)
    done = deleting.delete(conn, BOB, "section", section.id)
    assert done.counts == {"section": 1, "property": 1, "value": 1}
    left = reading.get(conn, BOB, "block", block.id)
    assert (left.metadata, left.parents) == ((), {"section": None})
    changes = [version.changed for version in history.versions(conn, BOB, "block", block.id)]
    assert changes[0] == ("created",)
    assert {("section",), ("metadata",)} <= set(changes)


# history


def test_the_state_at_a_time_with_its_relations(lab: Database) -> None:
    times = []

    def step(change: Any) -> Any:
        with lab.writing() as conn:
            times.append(moment(conn))
            return change(conn)

    block = step(lambda conn: make(conn, "block", name="one"))
    segment = step(lambda conn: make(conn, "segment", block=block.id))
    step(lambda conn: writing.update(conn, BOB, "block", block.id, {"name": "two"}))
    step(lambda conn: writing.update(conn, BOB, "segment", segment.id, {"block": None}))
    step(lambda conn: deleting.delete(conn, BOB, "block", block.id))
    seen = []
    with lab.reading() as conn:
        for time in times[:4]:
            past = reading.get(conn, BOB, "block", block.id, at_time=time)
            seen.append((past.attributes["name"], past.children["segment"]))
            query = ListQuery(filters=(("id", str(block.id)),), at_time=time)
            assert reading.select(conn, BOB, "block", query).records == (past,)
            named = ListQuery(filters=(("segment_set__name", "segment"),), at_time=time)
            ids = [each.id for each in reading.select(conn, BOB, "block", named).records]
            assert (block.id in ids) == bool(past.children["segment"])
        early = times[0] - timedelta(microseconds=1)
        for time in (early, times[4]):
            refused("does_not_exist", reading.get, conn, BOB, "block", block.id, at_time=time)
        nothing = ListQuery(filters=(("id", str(block.id)),), at_time=early)
        assert reading.select(conn, BOB, "block", nothing).records == ()
        above = ListQuery(filters=(("block__name", "one"),), at_time=times[1])
        assert [each.id for each in reading.select(conn, BOB, "segment", above).records] == [
            segment.id
        ]
        refused("not_authorized", reading.get, conn, EVE, "block", block.id, at_time=times[1])
        found = history.versions(conn, BOB, "block", block.id)
        assert [(v.starts_at, v.ends_at) for v in found] == [
            (times[0], times[2]),
            (times[2], times[4]),
        ]
        first = history.versions(conn, BOB, "block", block.id, end=times[1])
        assert [v.starts_at for v in first] == [times[0]]
        second = history.versions(conn, BOB, "block", block.id, start=times[1], end=times[2])
        assert [v.starts_at for v in second] == [times[2]]
        refused("not_authorized", history.versions, conn, EVE, "block", block.id)
        refused("does_not_exist", history.versions, conn, BOB, "block", 10**9)
    one, two = ("one", ()), ("two", (segment.id,))
    assert seen == [one, ("one", (segment.id,)), two, ("two", ())]


def test_a_printed_time_includes_its_second(lab: Database) -> None:
    with lab.writing() as conn:
        block = make(conn, "block")
    with lab.reading() as conn:
        printed = f"{block.created:%Y-%m-%dT%H:%M:%S}"
        past = reading.get(conn, BOB, "block", block.id, at_time=parse_at_time(printed))
        assert past.guid == block.guid
        error = refused("wrong_params", parse_at_time, "soon")
        assert error.details == "at_time"


def test_earlier_links_and_annotations_and_arrays(lab: Database) -> None:
    with lab.writing() as conn:
        groups = [make(conn, "recordingchannelgroup").id for _ in range(2)]
        channel = make(conn, "recordingchannel", recordingchannelgroup=groups[:1])
        section = make(conn, "section")
        prop = make(conn, "property", section=section.id)
        values = [
            writing.create(conn, BOB, "value", {"data": d, "parent_property": prop.id}).id
            for d in "ab"
        ]
        first, second = add_array(conn, BOB, (5,)), add_array(conn, BOB, (6,))
        signal = writing.create(conn, BOB, "analogsignal", new_signal(first, metadata=values[:1]))
        before = moment(conn)
    with lab.writing() as conn:
        writing.update(
            conn, BOB, "recordingchannel", channel.id, {"recordingchannelgroup": groups[1:]}
        )
        body = {"signal": {"data": second.id, "units": "mv"}, "metadata": values[1:]}
        now = writing.update(conn, BOB, "analogsignal", signal.id, body, append=False).record
    with lab.reading() as conn:
        then = reading.get(conn, BOB, "recordingchannel", channel.id, at_time=before)
        assert then.parents == {"recordingchannelgroup": (groups[0],)}
        assert reading.get(conn, BOB, "recordingchannelgroup", groups[0], at_time=before).children[
            "recordingchannel"
        ] == (channel.id,)
        past = reading.get(conn, BOB, "analogsignal", signal.id, at_time=before)
        assert past.arrays["signal"].datafile_id == first.id
        assert (past.metadata, now.metadata) == ((values[0],), (values[1],))
        assert reading.owner_of_array(conn, first.id) is None
        assert reading.owner_of_array(conn, first.id, at_time=before).id == signal.id
        was = annotation.pairs(conn, BOB, "analogsignal", signal.id, at_time=before)
        assert [(p.id, v.attributes["data"]) for p, v in was] == [(prop.id, "a")]
        tagged = ListQuery(filters=(("metadata", str(values[0])),), at_time=before)
        assert signal.id in reading.select_ids(conn, BOB, "analogsignal", tagged)
        other = reading.get(conn, BOB, "datafile", first.id, at_time=before)
        assert other.facts["file_type"] == 5


# annotation


def test_annotations_go_down_the_tree(conn: Connection) -> None:
    made = tree(conn)
    section = make(conn, "section")
    prop = make(conn, "property", section=section.id)
    values = [
        writing.create(conn, BOB, "value", {"data": str(n), "parent_property": prop.id})
        for n in range(3)
    ]
    links = [value.permalink for value in values]
    block, signal = made["block"].id, made["signal"].id

    def tags(kind: str, number: int) -> tuple[int, ...] | None:
        return reading.get(conn, BOB, kind, number).metadata

    assert annotation.annotate(conn, BOB, "block", [block], links[:2]) == 8
    everything = {values[0].id, values[1].id}
    for name in ("block", "segment", "group", "channel", "shared channel", "unit", "signal",
                 "loose signal"):  # fmt: skip
        assert set(tags(made[name].type, made[name].id)) == everything, name
    assert tags("datafile", made["file"].id) == ()
    assert annotation.annotate(conn, BOB, "block", [block], links[:1]) == 0
    assert annotation.annotate(conn, BOB, "block", [block], links[2:], cascade=False) == 1
    assert tags("segment", made["segment"].id) == (values[0].id, values[1].id)
    changed = annotation.annotate(
        conn, BOB, "segment", [made["segment"].id], links[2:], append=False
    )
    assert changed == 2
    assert tags("analogsignal", signal) == (values[2].id,)
    writing.update(conn, BOB, "segment", made["segment"].id, {"metadata": []}, append=False)
    assert tags("analogsignal", signal) == ()
    assert tags("block", block) == tuple(value.id for value in values)
    pairs = annotation.pairs(conn, BOB, "block", block)
    assert [(p.id, v.id) for p, v in pairs] == [(prop.id, value.id) for value in values]
    found = history.versions(conn, BOB, "analogsignal", signal)
    assert [version.changed for version in found][1:] == [("metadata",)] * 3


def test_annotating_many_with_a_number_of_statements_that_does_not_grow(lab: Database) -> None:
    from sqlalchemy import event

    with lab.writing() as conn:
        section = make(conn, "section")
        prop = make(conn, "property", section=section.id)
        value = writing.create(conn, BOB, "value", {"data": "v", "parent_property": prop.id})

    def statements(segments: int) -> int:
        with lab.writing() as conn:
            new = [NewObject("block", "b", {"name": "many"})]
            new += [
                NewObject("segment", n, {"name": "s"}, parents={"block": "b"})
                for n in range(segments)
            ]
            ids = insert_tree(conn, 1, new)
        count = 0

        def add(*_: Any) -> None:
            nonlocal count
            count += 1

        event.listen(lab.engine, "before_cursor_execute", add)
        with lab.writing() as conn:
            assert annotation.annotate(conn, BOB, "block", [ids["b"]], [value.id]) == segments + 1
        event.remove(lab.engine, "before_cursor_execute", add)
        return count

    assert statements(3) == statements(300)


def test_who_may_annotate_with_what(conn: Connection) -> None:
    block = make(conn, "block")
    rights.set_acl(conn, BOB, "block", block.id, {"shared_with": {"eve": 2, "sue": 1}})
    section = make(conn, "section", EVE)
    prop = make(conn, "property", EVE, section=section.id)
    value = writing.create(conn, EVE, "value", {"data": "x", "parent_property": prop.id})
    refused("not_authorized", annotation.annotate, conn, BOB, "block", [block.id], [value.id])
    refused("not_authorized", annotation.annotate, conn, STRANGER, "block", [block.id], [value.id])
    gone = make(conn, "block")
    deleting.delete(conn, BOB, "block", gone.id)
    refused("does_not_exist", annotation.annotate, conn, BOB, "block", [block.id, gone.id], [])
    assert annotation.annotate(conn, EVE, "block", [block.id], [value.id]) == 1
    assert reading.get(conn, EVE, "block", block.id).metadata == (value.id,)
    assert reading.get(conn, BOB, "block", block.id).metadata == ()  # eve's section is private
    assert annotation.pairs(conn, BOB, "block", block.id) == []
    args = (conn, EVE, "section", [section.id], [value.id])
    refused("post_data_invalid", annotation.annotate, *args)
    assert not writing.update(conn, EVE, "section", section.id, {"metadata": []}).changed


# rights

LEVELS = {"bob": 3, "root": 3, "eve": 0, "fred": 0, "sue": 0, "": 0}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, {}),
        ({"safety_level": 2}, {"fred": 1}),
        ({"safety_level": 1}, {"eve": 1, "fred": 1, "sue": 1, "": 1}),
        ({"shared_with": {"sue": 1}}, {"sue": 1}),
        ({"shared_with": {"5": "collaborator"}}, {"sue": 2}),
        ({"shared_with_groups": {"ephys": 2}}, {"eve": 2}),
        ({"shared_with_groups": {"1": 1}, "shared_with": {"eve": 2}, "safety_level": 2},
         {"eve": 2, "fred": 1}),
    ],
)  # fmt: skip
def test_levels(conn: Connection, document: Any, expected: dict[str, int]) -> None:
    section = make(conn, "section")
    prop = make(conn, "property", section=section.id)
    value = writing.create(conn, BOB, "value", {"data": "x", "parent_property": prop.id})
    rights.set_acl(conn, BOB, "section", section.id, document)
    for record in (section, prop, value):
        for who in (BOB, EVE, FRIEND, ADMIN, STRANGER, ANONYMOUS):
            wanted = {**LEVELS, **expected}[who.username]
            assert rights.level(conn, who, record.type, record.id) == wanted
            seen = reading.get_many(conn, who, record.type, [record.id])
            assert list(seen) == ([record.id] if wanted else [])
            listed = reading.select_ids(
                conn, who, record.type, ListQuery(filters=(("id", str(record.id)),))
            )
            assert listed == list(seen)
            if wanted:
                rights.require(conn, who, record.type, record.id, wanted)
            if wanted < 3:
                kind = "not_authenticated" if who is ANONYMOUS else "not_authorized"
                refused(kind, rights.require, conn, who, record.type, record.id, wanted + 1)


def test_public_objects_are_for_users_alone_if_the_server_says_so(lab: Database) -> None:
    with lab.writing() as conn:
        block = make(conn, "block", safety_level=1)
    closed = Database(lab.settings.model_copy(update={"anonymous_read": False}))
    with closed.reading() as conn:
        assert rights.level(conn, ANONYMOUS, "block", block.id) == 0
        assert reading.select(conn, ANONYMOUS, "block", ListQuery()).records == ()
        error = refused("not_authenticated", reading.get, conn, ANONYMOUS, "block", block.id)
        assert error.headers == {"WWW-Authenticate": "Session"}
        assert reading.get(conn, STRANGER, "block", block.id).guid == block.guid
    closed.close()


def test_acl(conn: Connection) -> None:
    block = make(conn, "block")
    segment = make(conn, "segment", block=block.id)
    foreign = make(conn, "segment", ADMIN, block=block.id)
    document = {"safety_level": 2, "shared_with": {"eve": 2, "SUE": "reader"}}
    found = rights.set_acl(conn, BOB, "block", block.id, document)
    assert (found.safety_level, found.shared_with, found.groups) == (2, {"eve": 2, "sue": 1}, {})
    assert rights.acl(conn, BOB, "block", block.id) == found
    assert reading.get(conn, BOB, "block", block.id).shared_with == {"eve": 2, "sue": 1}
    assert reading.get(conn, EVE, "block", block.id).shared_with is None
    assert rights.acl(conn, STRANGER, "block", block.id).shared_with == {"sue": 1}
    assert rights.acl(conn, BOB, "segment", segment.id).shared_with == {}
    rights.set_acl(conn, BOB, "block", block.id, {"shared_with": {"sue": 2}}, cascade=True)
    assert rights.acl(conn, BOB, "segment", segment.id).shared_with == {"sue": 2}
    assert rights.acl(conn, BOB, "segment", segment.id).safety_level == 3
    assert rights.acl(conn, ADMIN, "segment", foreign.id).shared_with == {}
    rights.set_acl(conn, BOB, "block", block.id, {"shared_with": None})
    assert rights.acl(conn, BOB, "block", block.id).shared_with == {}
    args = (conn, BOB, "block", block.id)
    assert (
        refused("bad_parameter", rights.set_acl, *args, {"safety_level": 4}).details
        == "safety_level"
    )
    assert (
        refused("bad_parameter", rights.set_acl, *args, {"shared_with": {"eve": 3}}).status == 400
    )
    refused("dict_required", rights.set_acl, *args, {"shared_with": ["eve"]})
    refused("wrong_reference", rights.set_acl, *args, {"shared_with": {"nobody": 1}})
    refused("wrong_reference", rights.set_acl, *args, {"shared_with_groups": {"none": 1}})
    refused("post_data_invalid", rights.set_acl, *args, {"colour": 1})
    refused("not_authorized", rights.set_acl, conn, EVE, "block", block.id, {"safety_level": 1})
    section = make(conn, "section", safety_level=2)
    prop = make(conn, "property", section=section.id)
    args = (conn, BOB, "property", prop.id)
    refused("post_data_invalid", rights.set_acl, *args, {"safety_level": 1})
    assert rights.acl(*args) == rights.acl(conn, BOB, "section", section.id)
    assert rights.acl(*args).safety_level == 2


def test_rights_of_many(conn: Connection) -> None:
    mine = [make(conn, "block", name="many", safety_level=level) for level in (1, 2, 3)]
    other = make(conn, "block", EVE, name="many", safety_level=1)
    rights.set_acl(conn, EVE, "block", other.id, {"shared_with": {"bob": 2}})
    query = ListQuery(filters=(("name", "many"), ("created_min", f"{mine[0].created}")))
    document = {"safety_level": 1}
    done = writing.bulk_update(conn, BOB, "block", query, document)
    assert done == (mine[1].id, mine[2].id)
    assert writing.bulk_update(conn, BOB, "block", query, document) == ()
    refused("not_authorized", writing.bulk_update, conn, BOB, "block", query, {"safety_level": 3})
    own = ListQuery(filters=(*query.filters, ("owner", "bob")))
    shared = {"shared_with": {"sue": 1}, "shared_with_groups": {"ephys": 2}}
    ids = tuple(each.id for each in mine)
    assert writing.bulk_update(conn, BOB, "block", own, shared) == ids
    assert writing.bulk_update(conn, BOB, "block", own, shared) == ()
    found = rights.acl(conn, BOB, "block", mine[1].id)
    assert (found.safety_level, found.shared_with, found.groups) == (1, {"sue": 1}, {"ephys": 2})


def test_sharing_a_signal_shares_its_numbers(lab: Database) -> None:
    with lab.writing() as conn:
        datafile = add_array(conn, BOB, (5,))
        signal = writing.create(conn, BOB, "analogsignal", new_signal(datafile))
        rights.set_acl(conn, BOB, "analogsignal", signal.id, {"shared_with": {"sue": 1}})
        when = moment(conn)
    with lab.reading() as conn:
        rights.require_data(conn, STRANGER, datafile.id)
        rights.require_data(conn, BOB, datafile.id)
        assert reading.get(conn, STRANGER, "datafile", datafile.id).guid == datafile.guid
        refused("not_authorized", rights.require_data, conn, EVE, datafile.id)
        refused("not_authorized", reading.get, conn, EVE, "datafile", datafile.id)
        refused("not_authorized", rights.require, conn, STRANGER, "datafile", datafile.id, 2)
        refused("not_authenticated", rights.require_data, conn, ANONYMOUS, datafile.id)
        refused("does_not_exist", rights.require_data, conn, BOB, 10**9)
    with lab.writing() as conn:
        deleting.delete(conn, BOB, "analogsignal", signal.id)
    with lab.reading() as conn:
        refused("not_authorized", rights.require_data, conn, STRANGER, datafile.id)
        rights.require_data(conn, STRANGER, datafile.id, at_time=when)


# many objects at once


def recording(conn: Connection) -> int:
    """Make the row of a recording."""
    row = {"path": "/r.plx", "state": "ready"}
    return int(conn.execute(insert(RECORDINGS).values(row)).inserted_primary_key[0])


def rows(suffix: str = "") -> list[NewObject]:
    """Make the objects of a recording, children before some of their parents."""
    array = {"dtype": "<i2", "shape": (7, 2), "sorted": None,
             "location": {"kind": "recorded", "recording": 0, "field": "signal"}}  # fmt: skip
    return [
        NewObject("analogsignalarray", "a", {"name": f"wide\0\ud800{suffix}"},
                  {"sampling_rate": (1000.0, "Hz"), "t_start": (0, "s")}, {"signal": ("d", "mV")},
                  {"segment": "s", "recordingchannelgroup": "g"}, tags=("v",)),
        NewObject("datafile", "d", {"name": "r.plx"}, array=array,
                  facts={"file_type": 5, "content": f"c{suffix}"}),
        NewObject("block", "b", {"name": "r.plx"}, parents={"section": "top"}),
        NewObject("segment", "s", {"name": "s"}, parents={"block": "b"}),
        NewObject("recordingchannelgroup", "g", {"name": "g"}, parents={"block": "b"}),
        NewObject("recordingchannel", "c", {"name": "c", "index": 1},
                  parents={"recordingchannelgroup": ("g",)}),
        NewObject("section", "top", {"name": "top"}),
        NewObject("section", "below", {"name": "below"}, parents={"parent_section": "top"}),
        NewObject("property", "p", {"name": "p"}, parents={"section": "below"}),
        NewObject("value", "v", {"data": "v"}, parents={"parent_property": "p"}),
    ]  # fmt: skip


def test_a_tree_is_stored_as_if_each_object_had_been_created(lab: Database) -> None:
    with lab.writing() as conn:
        number = recording(conn)
        ids = insert_tree(conn, 1, rows(), recording_id=number, user_id=2)
    with lab.reading() as conn:
        wide = reading.get(conn, BOB, "analogsignalarray", ids["a"])
        assert wide.attributes["name"] == "wide?"
        assert wide.quantities == {"sampling_rate": (1000.0, "Hz"), "t_start": (0, "s")}
        assert wide.parents == {"segment": ids["s"], "recordingchannelgroup": ids["g"]}
        assert (wide.metadata, wide.recording_id, wide.owner) == ((ids["v"],), number, "bob")
        row = reading.array_of(conn, wide.arrays["signal"].datafile_id)
        assert row.shape == (7, 2)
        assert row.location == {"kind": "recorded", "recording": number, "field": "signal"}
        assert reading.get(conn, BOB, "block", ids["b"]).children == {
            "segment": (ids["s"],), "recordingchannelgroup": (ids["g"],),
        }  # fmt: skip
        channel = reading.get(conn, BOB, "recordingchannel", ids["c"])
        assert channel.parents == {"recordingchannelgroup": (ids["g"],)}
        found = history.versions(conn, BOB, "analogsignalarray", ids["a"])
        assert [(v.guid, v.user, v.changed) for v in found] == [(wide.guid, "eve", ("created",))]
        past = reading.get(conn, BOB, "analogsignalarray", ids["a"], at_time=wide.created)
        assert past.guid == wide.guid
    with lab.writing() as conn:
        again = make(conn, "block", name="x")
        assert again.id > ids["b"]
        body = {"name": "y", "sampling_rate": {"data": 1, "units": "hz"}}
        for refusing in (
            lambda: writing.update(conn, BOB, "analogsignalarray", ids["a"], body),
            lambda: deleting.delete(conn, BOB, "block", ids["b"]),
            lambda: make(conn, "segment", block=ids["b"]),
            lambda: make(conn, "property", section=ids["top"]),
        ):
            assert "served" in str(refused("not_authorized", refusing))
        section = make(conn, "section")
        moved = writing.update(conn, BOB, "block", ids["b"], {"section": section.id})
        assert moved.record.parents == {"section": section.id}


def test_guids_of_stored_trees_are_those_of_single_objects(conn: Connection) -> None:
    ids = insert_tree(conn, 1, rows("g"))
    for kind, key in (("analogsignalarray", "a"), ("datafile", "d"), ("recordingchannel", "c")):
        before = reading.get(conn, BOB, kind, ids[key])
        changed = writing.update(conn, BOB, kind, ids[key], {"name": "other"}).record
        assert changed.guid != before.guid
        name = {"name": before.attributes["name"]}
        assert writing.update(conn, BOB, kind, ids[key], name).record.guid == before.guid


def test_existing_objects_and_shares(conn: Connection) -> None:
    section = make(conn, "section", safety_level=2)
    rights.set_acl(conn, BOB, "section", section.id, {"shared_with": {"eve": 1}})
    new = [NewObject("block", "b", {"name": "b"}, parents={"section": Existing(section.id)},
                     safety_level=2)]  # fmt: skip
    ids = insert_tree(conn, 1, new, shares_of=("section", section.id))
    found = rights.acl(conn, BOB, "block", ids["b"])
    assert (found.safety_level, found.shared_with) == (2, {"eve": 1})
    with pytest.raises(KeyError):
        insert_tree(conn, 1, [NewObject("segment", "s", {"name": "s"}, parents={"block": "none"})])


def count(conn: Connection) -> int:
    tables = [*TABLES.values(), *VERSIONS.values(), *LINKS.values(), TAGGINGS, SHARES]
    return sum(
        conn.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
    )


def test_removing_a_recording_leaves_nothing_of_it(lab: Database) -> None:
    with lab.writing() as conn:
        other = insert_tree(conn, 1, rows("o"), recording_id=recording(conn))
        mine = make(conn, "block")
        before = count(conn)
        number = recording(conn)
        ids = insert_tree(conn, 1, rows("r"), recording_id=number)
        rights.set_acl(conn, BOB, "block", ids["b"], {"shared_with": {"eve": 1}}, cascade=True)
        annotation.annotate(conn, BOB, "block", [mine.id], [ids["v"]])
        writing.update(conn, BOB, "block", mine.id, {"metadata": []}, append=True)
        gone = remove_recording(conn, number)
        assert gone == {"analogsignalarray": 1, "block": 1, "datafile": 1, "property": 1,
                        "recordingchannel": 1, "recordingchannelgroup": 1, "section": 2,
                        "segment": 1, "value": 1}  # fmt: skip
        assert count(conn) == before + 2  # versions of the block that was tagged and is not now
        assert reading.get(conn, BOB, "block", mine.id).metadata == ()
        assert reading.get(conn, BOB, "block", mine.id).guid == mine.guid
        assert exists(conn, reading.get(conn, BOB, "block", other["b"]))
        assert remove_recording(conn, number) == {}


def test_a_recording_that_changed_keeps_what_people_did_with_its_block(conn: Connection) -> None:
    number = recording(conn)
    ids = insert_tree(conn, 1, rows(), recording_id=number)
    section = make(conn, "section")
    prop = make(conn, "property", section=section.id)
    value = writing.create(conn, BOB, "value", {"data": "x", "parent_property": prop.id})
    document = {"safety_level": 1, "shared_with": {"eve": 2}}
    rights.set_acl(conn, BOB, "block", ids["b"], document, cascade=True)
    body = {"section": section.id, "metadata": [value.id]}
    writing.update(conn, BOB, "block", ids["b"], body, cascade=False)
    new = replace_recording(conn, 1, number, rows("2"))
    assert new["b"] > ids["b"]
    assert not reading.get_many(conn, BOB, "block", [ids["b"]])
    block = reading.get(conn, BOB, "block", new["b"])
    assert (block.parents, block.metadata) == ({"section": section.id}, (value.id,))
    assert (block.safety_level, block.shared_with) == (1, {"eve": 2})
    wide = reading.get(conn, BOB, "analogsignalarray", new["a"])
    assert (wide.safety_level, wide.shared_with, wide.metadata) == (1, {"eve": 2}, (new["v"],))
    assert reading.array_of(conn, new["d"]).location["recording"] == number


def test_lists_take_a_number_of_queries_that_does_not_grow(lab: Database) -> None:
    from sqlalchemy import event

    with lab.writing() as conn:
        for name, n in (("few", 2), ("several", 60)):
            new: list[NewObject] = []
            for b in range(n):
                new.append(NewObject("block", ("b", b), {"name": name}))
                new.append(
                    NewObject("segment", ("s", b), {"name": "s"}, parents={"block": ("b", b)})
                )
            insert_tree(conn, 1, new)
    counts = []
    for name in ("few", "several"):
        seen: list[str] = []

        def add(_c: Any, _cursor: Any, statement: str, *_: Any, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(lab.engine, "before_cursor_execute", add)
        with lab.reading() as conn:
            page = reading.select(conn, BOB, "block", ListQuery(filters=(("name", name),)))
        event.remove(lab.engine, "before_cursor_execute", add)
        assert all(len(record.children["segment"]) == 1 for record in page.records)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 5


def test_nothing_that_a_request_holds_is_put_into_sql_as_text(conn: Connection) -> None:
    evil = "x'; DROP TABLE block; --"
    block = make(conn, "block", name=evil)
    query = ListQuery(filters=(("name", evil), ("name__icontains", "'; drop")), search="DROP")
    assert reading.select_ids(conn, BOB, "block", query) == [block.id]
    assert conn.execute(text("SELECT count(*) FROM block")).scalar_one() > 0


def test_ids_of_groups_and_friends_come_with_the_principal(conn: Connection) -> None:
    block = make(conn, "block")
    rights.set_acl(conn, BOB, "block", block.id, {"shared_with_groups": {"ephys": 1}})
    member = Principal(9, "new", groups=frozenset({1, 77}), scopes=ALL)
    assert reading.get(conn, member, "block", block.id).guid == block.guid
    refused("not_authorized", reading.get, conn, Principal(9, "new", scopes=ALL), "block", block.id)
