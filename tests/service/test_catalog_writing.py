"""Creating and changing objects: values, references, versions, and all that is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from ephyrus.service.catalog import history, reading, rights, writing
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.records import ArrayRef, Record
from ephyrus.service.db.engine import Database
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import ANONYMOUS
from ephyrus.service.types import TYPES
from tests.service.catalog_lab import (
    ADMIN,
    BOB,
    EVE,
    FRIEND,
    STRANGER,
    add_array,
    add_users,
    new_signal,
    quantity,
)


@pytest.fixture(scope="module")
def lab(module_database: Database) -> Database:
    with module_database.writing() as connection:
        add_users(connection)
    return module_database


@pytest.fixture
def conn(lab: Database) -> Iterator[Connection]:
    """A writing transaction that is kept."""
    with lab.writing() as connection:
        yield connection


def refused(kind: str) -> Any:
    """Expect a failure of a type of message."""

    class _Refused:
        def __enter__(self) -> _Refused:
            self._inner = pytest.raises(ServiceError)
            self._info = self._inner.__enter__()
            return self

        def __exit__(self, *exc: Any) -> bool:
            done = bool(self._inner.__exit__(*exc))
            self.error = self._info.value
            assert self.error.message_type == kind, self.error
            return done

    return _Refused()


def block(conn: Connection, **fields: Any) -> Record:
    return writing.create(conn, BOB, "block", {"name": "b", **fields})


def test_a_block_comes_back_as_it_was_sent(conn: Connection) -> None:
    made = writing.create(
        conn, BOB, "block",
        {"fields": {"name": "Ünï", "index": 3, "description": None},
         "filedatetime": "2026-01-02T03:04:05+01:00", "guid": "x", "owner": 7, "segment_set": [1],
         "model": "y", "id": 99},
    )  # fmt: skip
    assert made.type == "block"
    assert made.attributes["name"] == "Ünï"
    assert made.attributes["index"] == 3
    assert made.attributes["description"] is None
    assert str(made.attributes["filedatetime"]) == "2026-01-02 02:04:05"
    assert (made.owner_id, made.owner, made.safety_level, made.state) == (1, "bob", 3, 10)
    assert made.created == made.modified
    assert made.children == {"segment": (), "recordingchannelgroup": ()}
    assert (made.parents, made.metadata, made.shared_with) == ({"section": None}, (), None)
    assert made.permalink == f"/electrophysiology/block/{made.id}"
    assert len(made.guid) == 40
    assert made == reading.get(conn, BOB, "block", made.id)


def test_a_signal_with_its_quantities_and_array(conn: Connection) -> None:
    segment = writing.create(conn, BOB, "segment", {"name": "s", "block": block(conn).permalink})
    datafile = add_array(conn, BOB, (100,))
    made = writing.create(
        conn, BOB, "analogsignal",
        new_signal(datafile, segment=segment.id, t_start=quantity(0.5, "MS")),
    )  # fmt: skip
    assert made.quantities == {"sampling_rate": (20000, "hz"), "t_start": (0.5, "MS")}
    assert type(made.quantities["sampling_rate"][0]) is int
    assert made.arrays == {"signal": ArrayRef(datafile.id, "mv")}
    assert made.parents == {
        "segment": segment.id, "recordingchannel": None, "analogsignalarray": None,
    }  # fmt: skip
    assert reading.owner_of_array(conn, datafile.id) == ("analogsignal", made.id, "signal")
    row = reading.array_of(conn, datafile.id)
    assert row is not None
    assert (row.dtype, row.shape, row.sorted, row.levels_key) == ("<i2", (100,), None, None)
    assert reading.get(conn, BOB, "segment", segment.id).children["analogsignal"] == (made.id,)


@pytest.mark.parametrize(
    ("change", "kind", "named"),
    [
        ({"colour": 1}, "post_data_invalid", "colour"),
        ({"name": ["x"]}, "bad_parameter", "name"),
        ({"name": "a\0b"}, "bad_parameter", "name"),
        ({"name": "x" * 501}, "bad_parameter", "name"),
        ({"description": "x" * (2**20 + 1)}, "bad_parameter", "description"),
        ({"name": "a\ud800b"}, "bad_parameter", "name"),
        ({"t_start": 5}, "dict_required", "t_start"),
        ({"t_start": {"units": "ms"}}, "data_missing", "t_start"),
        ({"t_start": {"data": 5}}, "units_missing", "t_start"),
        ({"t_start": {"data": "5", "units": "ms"}}, "bad_float_data", "t_start"),
        ({"t_start": {"data": True, "units": "ms"}}, "bad_float_data", "t_start"),
        ({"t_start": {"data": 10**400, "units": "ms"}}, "bad_float_data", "t_start"),
        ({"t_start": {"data": 5, "units": "mv"}}, "bad_parameter", "t_start"),
        ({"t_start": {"data": 5, "units": "ms", "x": 1}}, "post_data_invalid", "t_start"),
        ({"t_start": {"data": None, "units": None}}, "missing_parameter", "t_start"),
        ({"sampling_rate": {"data": 5, "units": "ms"}}, "bad_parameter", "sampling_rate"),
        ({"signal": None}, "missing_parameter", "signal"),
        ({"signal": 5}, "dict_required", "signal"),
        ({"signal": {"data": "/datafiles/99999", "units": "mv"}}, "wrong_reference", None),
        ({"signal": {"data": "x y", "units": "mv"}}, "wrong_reference", None),
        ({"segment": 99999}, "wrong_reference", None),
        ({"segment": "/electrophysiology/block/1"}, "wrong_reference", None),
        ({"segment": [1]}, "wrong_reference", None),
        ({"metadata": 5}, "not_iterable", "metadata"),
        ({"metadata": [99999]}, "wrong_reference", None),
        ({"safety_level": 4}, "bad_parameter", "safety_level"),
    ],
)
def test_what_is_refused(conn: Connection, change: Any, kind: str, named: str | None) -> None:
    body = new_signal(add_array(conn, BOB, (5,)), **change)
    with refused(kind) as caught:
        writing.create(conn, BOB, "analogsignal", body)
    assert caught.error.status == 400
    if named is not None:
        assert caught.error.details == named


def test_everything_that_is_missing_is_named(conn: Connection) -> None:
    with refused("missing_parameter") as caught:
        writing.create(conn, BOB, "analogsignal", {"name": "x"})
    assert caught.error.extra == {"missing": ["sampling_rate", "t_start", "signal"]}
    for kind in TYPES.values():
        if kind.required:
            with refused("missing_parameter") as caught:
                writing.create(conn, BOB, kind.name, {})
            assert caught.error.extra == {"missing": list(kind.required)}
    for name, value in (("index", "x"), ("index", 2**63), ("filedatetime", 5),
                        ("filedatetime", "x"), ("index", True)):  # fmt: skip
        with refused("bad_parameter"):
            block(conn, **{name: value})
    for body in ([], "x", {"fields": 5}):
        with refused("data_parsing_error"):
            writing.create(conn, BOB, "block", body)
    with refused("not_authenticated"):
        writing.create(conn, ANONYMOUS, "block", {"name": "x"})


def test_arrays_must_have_the_right_form(conn: Connection) -> None:
    times, labels = add_array(conn, BOB, (4,)), add_array(conn, BOB, (4,), dtype="|S3")
    short, flat = add_array(conn, BOB, (3,)), add_array(conn, BOB, (4, 2))
    plain = writing.create(conn, BOB, "datafile", {"title": "notes"}, facts={"file_type": 0})
    assert plain.attributes["name"] == "notes"

    def events(**fields: Record) -> Record:
        arrays = {"times": times, "labels": labels, **fields}
        units = {"times": "ms", "labels": None}
        body = {name: {"data": each.id, "units": units[name]} for name, each in arrays.items()}
        return writing.create(conn, BOB, "eventarray", body)

    made = events()
    assert made.arrays == {"labels": ArrayRef(labels.id, None), "times": ArrayRef(times.id, "ms")}
    for wrong in ({"times": short}, {"times": flat}, {"times": labels}, {"times": plain}):
        with refused("data_inconsistency"):
            events(**wrong)
    with refused("data_inconsistency"):
        body = {"times": {"data": short.id, "units": "ms"}}
        writing.update(conn, BOB, "eventarray", made.id, body)
    text = events(labels=times)  # numbers as labels are kept as they are
    assert text.arrays["labels"] == ArrayRef(times.id, None)
    foreign = add_array(conn, EVE, (4,))
    with refused("not_authorized"):
        events(times=foreign)


def test_every_type_can_be_created(conn: Connection) -> None:
    section = writing.create(conn, BOB, "section", {"name": "s", "odml_type": "experiment"})
    prop = writing.create(conn, BOB, "property", {"name": "p", "section": section.id})
    value = writing.create(conn, BOB, "value", {"data": 4.5, "parent_property": prop.permalink})
    assert section.attributes["odml_type"] == "experiment"
    assert value.attributes["data"] == "4.5"
    assert (
        writing.create(conn, BOB, "document", {"date": "2020-01-01"}).attributes["author"] is None
    )
    sizes = {1: add_array(conn, BOB, (6,)), 2: add_array(conn, BOB, (6, 2)),
             3: add_array(conn, BOB, (6, 2, 5))}  # fmt: skip
    units = {"time": "ms", "rate": "khz", "signal": "mv", "any": None}
    for kind in TYPES.values():
        if kind.category != "electrophysiology":
            continue
        body: dict[str, Any] = {"name": kind.name, "label": "l"} if any(
            each.name == "label" for each in kind.attributes
        ) else {"name": kind.name}  # fmt: skip
        body |= {each.name: quantity(1, units[each.dimension]) for each in kind.quantities}
        body |= {
            each.name: {"data": sizes[each.ndims[0]].permalink, "units": units[each.dimension]}
            for each in kind.arrays
        }
        made = writing.create(conn, BOB, kind.name, body)
        assert made.attributes["name"] == kind.name
        assert [ref.units for ref in made.arrays.values() if ref] == [
            units[each.dimension] for each in kind.arrays
        ]
        assert made == reading.get(conn, BOB, kind.name, made.id)


def test_an_update_changes_what_it_names_and_makes_a_version(lab: Database) -> None:
    with lab.writing() as conn:
        made = block(conn, index=1, description="d")
    with lab.writing() as conn:
        done = writing.update(conn, BOB, "block", made.id, {"index": 2})
    assert done.changed
    assert done.record.attributes == {**made.attributes, "index": 2}
    assert done.record.created == made.created
    assert done.record.modified > made.modified
    assert done.record.guid != made.guid
    with lab.writing() as conn:
        again = writing.update(conn, BOB, "block", made.id, {"index": 2, "name": "b"})
    assert not again.changed
    assert again.record == done.record
    with lab.writing() as conn:
        back = writing.update(conn, BOB, "block", made.id, {"index": 1})
        assert back.record.guid == made.guid  # the same content
        found = history.versions(conn, BOB, "block", made.id)
    assert [version.changed for version in found] == [("created",), ("index",), ("index",)]
    assert [version.guid for version in found] == [made.guid, done.record.guid, made.guid]
    assert [version.user for version in found] == ["bob"] * 3
    assert [version.ends_at for version in found] == [found[1].starts_at, found[2].starts_at, None]


def test_long_texts_are_kept(conn: Connection) -> None:
    name = "".join(chr(0x10000 + 37 * n) for n in range(500))  # nothing that could be compressed
    text = "ä" * 2**20
    assert block(conn, name=name, description=text).attributes["description"] == text
    query = ListQuery(filters=(("name", name),), order_by=("name",))
    assert len(reading.select(conn, BOB, "block", query).records) == 1


def test_the_guid_is_that_of_the_content(conn: Connection) -> None:
    first, second = block(conn), block(conn)
    assert first.guid != second.guid
    segment = writing.create(conn, BOB, "segment", {"name": "s", "block": first.id})
    rights.set_acl(conn, BOB, "block", first.id, {"safety_level": 1, "shared_with": {"eve": 1}})
    assert reading.get(conn, BOB, "block", first.id).guid == first.guid
    moved = writing.update(conn, BOB, "segment", segment.id, {"block": second.id})
    assert moved.record.guid != segment.guid
    loose = writing.update(conn, BOB, "segment", segment.id, {"block": None})
    assert loose.record.parents == {"block": None}
    assert len({segment.guid, moved.record.guid, loose.record.guid}) == 3


def test_if_match(conn: Connection) -> None:
    made = block(conn)
    writing.update(conn, BOB, "block", made.id, {"index": 5}, expected_guid=made.guid)
    with refused("precondition_failed") as caught:
        writing.update(conn, BOB, "block", made.id, {"index": 6}, expected_guid=made.guid)
    assert caught.error.status == 412
    assert reading.get(conn, BOB, "block", made.id).attributes["index"] == 5


def test_only_one_of_two_who_saw_the_same_version_changes_it(lab: Database) -> None:
    import threading

    with lab.writing() as conn:
        made = block(conn, index=0)
    done: list[int] = []
    lost: list[str] = []

    def change(index: int) -> None:
        try:
            with lab.writing() as conn:
                writing.update(
                    conn, BOB, "block", made.id, {"index": index}, expected_guid=made.guid
                )
            done.append(index)
        except ServiceError as error:
            lost.append(error.message_type)

    threads = [threading.Thread(target=change, args=(index,)) for index in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == ["precondition_failed"] * 5
    with lab.reading() as conn:
        assert [reading.get(conn, BOB, "block", made.id).attributes["index"]] == done


def test_several_parents(conn: Connection) -> None:
    groups = [
        writing.create(conn, BOB, "recordingchannelgroup", {"name": f"g{n}"}) for n in range(3)
    ]
    ids = [group.id for group in groups]
    name = "recordingchannelgroup"
    channel = writing.create(conn, BOB, "recordingchannel", {"name": "c", name: ids[:2]})
    assert channel.parents == {name: tuple(ids[:2])}
    changed = writing.update(
        conn, BOB, "recordingchannel", channel.id, {name: [groups[2].permalink, ids[1], ids[1]]}
    )
    assert changed.record.parents == {name: (ids[1], ids[2])}
    same = writing.update(conn, BOB, "recordingchannel", channel.id, {name: [ids[2], ids[1]]})
    assert not same.changed
    with refused("not_iterable"):
        writing.update(conn, BOB, "recordingchannel", channel.id, {name: ids[0]})
    none = writing.update(conn, BOB, "recordingchannel", channel.id, {name: None})
    assert none.record.parents == {name: ()}
    assert reading.get(conn, BOB, name, ids[2]).children["recordingchannel"] == ()


def test_sections_do_not_lie_in_themselves(conn: Connection) -> None:
    top = writing.create(conn, BOB, "section", {"name": "top"})
    below = writing.create(conn, BOB, "section", {"name": "b", "parent_section": top.id})
    for target in (top.id, below.id):
        with refused("data_inconsistency"):
            writing.update(conn, BOB, "section", top.id, {"parent_section": target})
    with refused("missing_parameter"):
        prop = writing.create(conn, BOB, "property", {"name": "p", "section": top.id})
        writing.update(conn, BOB, "property", prop.id, {"section": None})


def test_new_objects_get_the_rights_of_their_parent(conn: Connection) -> None:
    made = block(conn, safety_level=2)
    rights.set_acl(conn, BOB, "block", made.id, {"shared_with": {"eve": 2, 5: "reader"},
                                                 "shared_with_groups": {"ephys": 1}})  # fmt: skip
    segment = writing.create(conn, EVE, "segment", {"name": "s", "block": made.id})
    assert (segment.owner, segment.safety_level) == ("eve", 2)
    found = rights.acl(conn, EVE, "segment", segment.id)
    assert found.shared_with == {"eve": 2, "sue": 1}
    assert found.groups == {"ephys": 1}
    own = writing.create(conn, EVE, "segment", {"name": "s", "block": made.id, "safety_level": 1})
    assert own.safety_level == 1
    with refused("not_authorized"):
        writing.create(conn, STRANGER, "segment", {"name": "s", "block": made.id})
    with refused("not_authorized"):
        writing.create(conn, FRIEND, "segment", {"name": "s", "block": made.id})


def test_who_may_change(conn: Connection) -> None:
    made = block(conn, safety_level=1)
    rights.set_acl(conn, BOB, "block", made.id, {"shared_with": {"eve": 2, "sue": 1}})
    assert writing.update(conn, EVE, "block", made.id, {"index": 1}).changed
    assert writing.update(conn, ADMIN, "block", made.id, {"index": 2}).changed
    for who in (STRANGER, FRIEND):
        with refused("not_authorized"):
            writing.update(conn, who, "block", made.id, {"index": 3})
    with refused("not_authenticated"):
        writing.update(conn, ANONYMOUS, "block", made.id, {"index": 3})
    with refused("does_not_exist"):
        writing.update(conn, BOB, "block", 10**9, {"index": 3})
    with refused("not_authorized"):  # a collaborator does not share
        writing.update(conn, EVE, "block", made.id, {"safety_level": 3})
    sent_back = {"safety_level": 1, "shared_with": None, "index": 4}
    assert writing.update(conn, EVE, "block", made.id, sent_back).record.attributes["index"] == 4
    both = writing.update(conn, BOB, "block", made.id, {"safety_level": 3, "shared_with": {}})
    assert both.changed
    assert (both.record.safety_level, both.record.shared_with) == (3, None)


def test_bulk_update(conn: Connection) -> None:
    mine = [block(conn, name="bulk", index=n) for n in range(3)]
    other = writing.create(conn, EVE, "block", {"name": "bulk", "safety_level": 1})
    query = ListQuery(filters=(("name", "bulk"),), max_results=1)
    with refused("not_authorized"):
        writing.bulk_update(conn, BOB, "block", query, {"index": 1})
    assert reading.get(conn, BOB, "block", mine[0].id).attributes["index"] == 0
    done = writing.bulk_update(conn, BOB, "block", query, {"index": 1}, skip=True)
    assert done == (mine[0].id, mine[2].id)  # the second one had the value
    assert [reading.get(conn, BOB, "block", each.id).attributes["index"] for each in mine] == [
        1
    ] * 3
    assert reading.get(conn, EVE, "block", other.id).attributes["index"] is None
    with refused("post_data_invalid"):
        writing.bulk_update(conn, BOB, "block", query, {"colour": 1}, skip=True)
    past = ListQuery(at_time=mine[0].created)
    with refused("wrong_params"):
        writing.bulk_update(conn, BOB, "block", past, {"index": 1})


def test_a_failed_update_leaves_nothing(lab: Database) -> None:
    with lab.writing() as conn:
        made = block(conn, index=1)
    before = lab.changes()
    with refused("wrong_reference"), lab.writing() as conn:
        writing.update(conn, BOB, "block", made.id, {"index": 2, "metadata": [10**6]})
    assert lab.changes() == before
    with lab.reading() as conn:
        assert reading.get(conn, BOB, "block", made.id) == made


def test_facts_of_datafiles(conn: Connection) -> None:
    made = writing.create(conn, BOB, "datafile", {"name": "d", "size": 9, "file_type": 5})
    assert made.facts == dict.fromkeys(made.facts)
    writing.set_facts(conn, made.id, last_task_id=7, extracted_info={"a": [1]})
    same = reading.get(conn, BOB, "datafile", made.id)
    assert (same.guid, same.facts["extracted_info"]) == (made.guid, {"a": [1]})
    writing.set_facts(conn, made.id, file_type=5, content="sha")
    assert reading.get(conn, BOB, "datafile", made.id).guid != made.guid
    writing.log_operation(conn, made.id, "converted")
    writing.log_operation(conn, made.id, "checked")
    lines = reading.get(conn, BOB, "datafile", made.id).facts["operations_log"]
    assert [line[20:] for line in lines] == ["converted", "checked"]
    with pytest.raises(TypeError, match="no colour"):
        writing.set_facts(conn, made.id, colour=1)
    for wrong in (lambda: writing.set_facts(conn, 10**9, size=1),
                  lambda: writing.log_operation(conn, 10**9, "x")):  # fmt: skip
        with refused("does_not_exist"):
            wrong()


def test_copies_of_sections(conn: Connection) -> None:
    top = writing.create(conn, BOB, "section", {"name": "T", "is_template": True, "odml_type": 7})
    below = writing.create(conn, BOB, "section", {"name": "B", "parent_section": top.id})
    deep = writing.create(conn, BOB, "section", {"name": "D", "parent_section": below.id})
    for section in (top, deep):
        prop = writing.create(conn, BOB, "property", {"name": section.attributes["name"] + "p",
                              "section": section.id, "unit": "mV"})  # fmt: skip
        writing.create(conn, BOB, "value", {"data": "1", "parent_property": prop.id})
    datafile = writing.create(conn, BOB, "datafile", {"name": "f", "section": below.id})

    flat = writing.create(conn, BOB, "section", {"source_template": top.permalink, "name": "New"})
    assert flat.attributes == {**top.attributes, "name": "New", "is_template": False}
    assert set(flat.children.values()) == {()}

    full = writing.create(
        conn, BOB, "section",
        {"source_template": top.id, "with_properties": 1, "recursive": True, "with_datafiles": "1",
         "parent_section": below.id},
    )  # fmt: skip
    assert full.parents["parent_section"] == below.id
    (copy_of_below,) = full.children["section"]
    inner = reading.get(conn, BOB, "section", copy_of_below)
    assert inner.attributes["name"] == "B"
    assert inner.children["datafile"] == (datafile.id,)
    (copy_of_deep,) = inner.children["section"]
    (prop_id,) = reading.get(conn, BOB, "section", copy_of_deep).children["property"]
    prop = reading.get(conn, BOB, "property", prop_id)
    assert (prop.attributes["name"], prop.attributes["unit"]) == ("Dp", "mV")
    (value_id,) = prop.children["value"]
    assert reading.get(conn, BOB, "value", value_id).attributes["data"] == "1"
    (top_prop,) = full.children["property"]
    assert reading.get(conn, BOB, "property", top_prop).attributes["name"] == "Tp"
    with refused("wrong_reference"):
        writing.create(conn, BOB, "section", {"source_template": 10**9})
    with refused("bad_parameter"):
        writing.create(conn, BOB, "section", {"source_template": top.id, "recursive": "x"})
    with refused("not_authorized"):
        writing.create(conn, EVE, "section", {"source_template": top.id})
