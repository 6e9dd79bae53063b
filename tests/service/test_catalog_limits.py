"""How much one request may ask of the catalog, and that much is written in parts as little is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

from ephyrus.service.catalog import (
    annotation,
    deleting,
    driving,
    history,
    limits,
    loading,
    reading,
    rights,
    sharing,
    storing,
    tree,
    writing,
)
from ephyrus.service.catalog.bulk import NewObject, insert_tree
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.records import BRIEF, Detail
from ephyrus.service.db import postgres
from ephyrus.service.db.engine import Database, moment
from ephyrus.service.db.schema import TAGGINGS
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings
from tests.service.catalog_lab import ADMIN, BOB, EVE, add_users, quantity

EVENTS = 7


@pytest.fixture(scope="module")
def lab(module_database: Database) -> Database:
    """Bob's block with three segments, each of which has events and one annotation."""
    objects = [
        NewObject("section", "s", {"name": "all"}),
        NewObject("property", "p", {"name": "dose"}, parents={"section": "s"}),
    ]
    objects += [
        NewObject("value", ("v", each), {"data": f"{each} mg"}, parents={"parent_property": "p"})
        for each in range(4)
    ]
    objects.append(NewObject("block", "b", {"name": "wide"}))
    for segment in range(3):
        objects.append(
            NewObject("segment", segment, {"name": f"trial {segment}"}, parents={"block": "b"},
                      tags=(("v", segment),))
        )  # fmt: skip
        objects += [
            NewObject("event", (segment, each), {"label": "x"},
                      {"time": (10 * segment + each, "ms")}, parents={"segment": segment})
            for each in range(EVENTS)
        ]  # fmt: skip
    with module_database.writing() as connection:
        add_users(connection)
        insert_tree(connection, 1, objects)
    return module_database


class _UndoError(Exception):
    """Ends a transaction without keeping it."""


@pytest.fixture
def conn(lab: Database) -> Iterator[Connection]:
    """A writing transaction of which nothing is kept."""
    with suppress(_UndoError), lab.writing() as connection:
        yield connection
        raise _UndoError


@pytest.fixture
def fresh_plans() -> Iterator[None]:
    """Statements that hold a limit are put together anew."""
    loading._present_plan.cache_clear()
    yield
    loading._present_plan.cache_clear()


def all_of(kind: str, **query: Any) -> ListQuery:
    return ListQuery(filters=(("id__gt", "0"),), **query)


def too_large(limit: int) -> Any:
    """Expect that something is refused since there is a limit."""

    class _Expected:
        def __enter__(self) -> _Expected:
            self._inner = pytest.raises(ServiceError)
            self._info = self._inner.__enter__()
            return self

        def __exit__(self, *exc: Any) -> bool:
            done = bool(self._inner.__exit__(*exc))
            self.error = self._info.value
            assert (self.error.status, self.error.message_type) == (413, "too_large")
            assert self.error.details == {"limit": limit}
            return done

    return _Expected()


def test_relations_of_one_answer(
    conn: Connection, monkeypatch: pytest.MonkeyPatch, fresh_plans: None
) -> None:
    for module in (limits, loading):
        monkeypatch.setattr(module, "MOST_LINKS", 3 * EVENTS + 3)
    page = reading.select(conn, BOB, "segment", ListQuery())
    children = [each.children or {} for each in page.records]
    assert [len(each["event"]) for each in children] == [EVENTS] * 3
    assert [each.metadata for each in page.records] == [(1,), (2,), (3,)]
    for module in (limits, loading):
        monkeypatch.setattr(module, "MOST_LINKS", 3 * EVENTS + 2)
    loading._present_plan.cache_clear()
    with too_large(3 * EVENTS + 2) as expected:
        reading.select(conn, BOB, "segment", ListQuery())
    assert "show_kids=0" in expected.error.message
    assert len(reading.select(conn, BOB, "segment", ListQuery(max_results=2)).records) == 2
    detail = Detail(children=False)
    assert len(reading.select(conn, BOB, "segment", ListQuery(), detail=detail).records) == 3


def test_the_database_gives_no_more_relations_than_one_too_many(
    lab: Database, monkeypatch: pytest.MonkeyPatch, fresh_plans: None
) -> None:
    monkeypatch.setattr(loading, "MOST_LINKS", 4)
    counts: list[int] = []
    monkeypatch.setattr(loading, "check_links", counts.append)
    with lab.reading() as connection:
        reading.select(connection, BOB, "segment", ListQuery())
    assert counts == [5]


def test_annotations_that_are_written_out(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = reading.select(conn, BOB, "segment", ListQuery())
    found = annotation.pairs_of(conn, BOB, page.records)
    assert {
        number: [(above.attributes["name"], value.attributes["data"]) for above, value in pairs]
        for number, pairs in found.items()
    } == {1: [("dose", "0 mg")], 2: [("dose", "1 mg")], 3: [("dose", "2 mg")]}
    monkeypatch.setattr(limits, "MOST_PAIRS", 2)
    with too_large(2) as expected:
        annotation.pairs_of(conn, BOB, page.records)
    assert expected.error.message == (
        "The objects have 3 annotations together; an answer shows 2. Ask for fewer objects at once "
        "(max_results), or without q=full, which gives their addresses."
    )
    monkeypatch.setattr(limits, "MOST_PAIRS", 3)
    length = 3 * len("dose0 mg")  # counted as often as it is written out
    monkeypatch.setattr(annotation, "MOST_TEXT", length)
    assert len(annotation.pairs_of(conn, BOB, page.records)) == 3
    monkeypatch.setattr(annotation, "MOST_TEXT", length - 1)
    with too_large(limits.MOST_TEXT):
        annotation.pairs_of(conn, BOB, page.records)


def test_long_texts_come_as_a_whole_unless_they_are_too_long_together(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["ä" * 3000, "b" * 1024, "c" * 1025]
    for number, each in enumerate(texts, start=1):
        writing.update(conn, BOB, "segment", number, {"description": each})
    query = ListQuery(order_by=("id",))
    for at_time in (None, moment(conn)):
        page = reading.select(conn, BOB, "segment", ListQuery(at_time=at_time))
        assert [each.attributes["description"] for each in page.records] == texts
    assert reading.get(conn, BOB, "segment", 1).attributes["description"] == texts[0]
    monkeypatch.setattr(loading, "MOST_TEXT", 4025 + len("trial 0trial 2"))
    assert len(reading.select(conn, BOB, "segment", query).records) == 3
    monkeypatch.setattr(loading, "MOST_TEXT", 4024)
    with too_large(limits.MOST_TEXT) as expected:
        reading.select(conn, BOB, "segment", query)
    assert "max_results" in expected.error.message
    assert len(reading.select(conn, BOB, "segment", ListQuery(max_results=1)).records) == 1


def test_a_list_sorted_by_long_texts_goes_on_with_an_offset(conn: Connection) -> None:
    for number, each in ((1, "c" * 600), (2, "b" * 600), (3, "a" * 400)):
        writing.update(conn, BOB, "segment", number, {"description": each})
    order = ("description",)
    page = reading.select(conn, BOB, "segment", ListQuery(order_by=order, max_results=1))
    assert [each.id for each in page.records] == [3]
    assert page.next_cursor is not None
    query = ListQuery.parse([("order_by", "description"), ("cursor", page.next_cursor)])
    assert [each.id for each in reading.select(conn, BOB, "segment", query).records] == [2, 1]
    page = reading.select(conn, BOB, "segment", ListQuery(order_by=order, max_results=2))
    assert [each.id for each in page.records] == [3, 2]
    assert (page.has_more, page.next_cursor) == (True, None)
    page = reading.select(conn, BOB, "segment", ListQuery(order_by=order, offset=2))
    assert [each.id for each in page.records] == [1]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (storing, annotation):
        monkeypatch.setattr(module, "BATCH", 3)
    monkeypatch.setattr(storing, "_ROWS", 2)


def test_a_bulk_update_in_batches_is_as_one(conn: Connection, small_batches: None) -> None:
    values = reading.select(conn, BOB, "value", ListQuery()).records
    document = {"description": "seen", "metadata": [each.permalink for each in values[:2]]}
    changed = writing.bulk_update(conn, BOB, "event", all_of("event"), document)
    numbers = tuple(range(1, 3 * EVENTS + 1))
    assert changed == numbers
    records = reading.get_many(conn, BOB, "event", numbers)
    before = {}
    for number, each in records.items():
        assert each.attributes["description"] == "seen"
        assert each.metadata == (1, 2)
        versions = history.versions(conn, BOB, "event", number)
        assert [(version.guid, version.ends_at) for version in versions if not version.ends_at] == [
            (each.guid, None)
        ]
        assert {name for version in versions for name in version.changed} == {
            "created", "description", "metadata",
        }  # fmt: skip
        before[number] = versions[-1].guid
    # the same by itself has the same guid
    assert not writing.update(conn, BOB, "event", 5, document).changed
    assert not writing.bulk_update(conn, BOB, "event", all_of("event"), document)
    assert len({each.guid for each in records.values()}) == len(numbers)


def test_rows_of_long_texts_are_in_memory_a_few_at_a_time(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, length in ((2, 30), (3, 20), (4, 100)):  # which are kept twice: folded, too
        writing.update(conn, BOB, "event", number, {"description": "x" * length})
    monkeypatch.setattr(storing, "_CHARACTERS", 120)
    found = list(storing.batches(conn, "event", range(1, 7)))
    assert found == [[1, 2, 3], [4], [5, 6]]
    changed = writing.bulk_update(conn, BOB, "event", all_of("event"), {"label": "new"})
    assert changed == tuple(range(1, 3 * EVENTS + 1))
    assert list(storing.batches(conn, "event", [])) == []


def test_replacing_annotations_in_batches(conn: Connection, small_batches: None) -> None:
    count = annotation.annotate(conn, BOB, "block", [1], [1, 2, 3])
    assert count == 1 + 3 + 3 * EVENTS
    count = annotation.annotate(conn, BOB, "block", [1], [3, 4], append=False)
    assert count == 1 + 3 + 3 * EVENTS
    for kind, number in (("block", 1), ("segment", 2), ("event", 3 * EVENTS)):
        assert reading.get(conn, BOB, kind, number).metadata == (3, 4)


def test_a_bulk_update_of_too_many_objects(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_CHANGED", 3 * EVENTS - 1)
    with too_large(3 * EVENTS - 1) as expected:
        writing.bulk_update(conn, BOB, "event", all_of("event"), {"description": "seen"})
    assert "Narrow the selection" in expected.error.message
    monkeypatch.setattr(writing, "MOST_CHANGED", 3 * EVENTS)
    changed = writing.bulk_update(conn, BOB, "event", all_of("event"), {"description": "seen"})
    assert len(changed) == 3 * EVENTS


def test_too_many_annotations_at_once(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = 1 + 3 + 3 * EVENTS
    monkeypatch.setattr(limits, "MOST_TAGGED", 2 * objects - 1)
    count = select(func.count()).select_from(TAGGINGS)
    before = conn.execute(count).scalar_one()
    with too_large(2 * objects - 1) as expected:
        annotation.annotate(conn, BOB, "block", [1], [1, 2])
    assert f"{objects} objects times 2 values" in expected.error.message
    assert conn.execute(count).scalar_one() == before
    assert annotation.annotate(conn, BOB, "block", [1], [1, 2], cascade=False) == 1
    monkeypatch.setattr(annotation, "MOST_CHANGED", objects - 1)
    with too_large(objects - 1):
        annotation.annotate(conn, BOB, "block", [1], [3])


def test_too_many_annotations_of_one_object(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotation, "MOST_TAGS", 2)
    with too_large(2) as expected:
        annotation.annotate(conn, BOB, "event", [1], [1, 2, 3])
    assert expected.error.message == "'metadata' names 3 values; an object has at most 2."
    assert annotation.annotate(conn, BOB, "event", [1], [1, 2]) == 1
    assert annotation.annotate(conn, BOB, "event", [1], [1, 2]) == 0
    with too_large(2) as expected:
        annotation.annotate(conn, BOB, "event", [1], [3])
    assert "m2m_append=0" in expected.error.message
    assert annotation.annotate(conn, BOB, "event", [1], [3], append=False) == 1
    assert reading.get(conn, BOB, "event", 1).metadata == (3,)


def test_too_many_shares_and_relations(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_TAGGED", 2 * 3 * EVENTS - 1)
    shares = {"shared_with": {"eve": 1, "fred": 2}}
    with too_large(2 * 3 * EVENTS - 1) as expected:
        writing.bulk_update(conn, BOB, "event", all_of("event"), shares)
    assert expected.error.message.startswith("'shared_with': 21 objects times 2 values")
    monkeypatch.setattr(limits, "MOST_TAGGED", 2 * 3 * EVENTS)
    assert len(writing.bulk_update(conn, BOB, "event", all_of("event"), shares)) == 3 * EVENTS
    assert rights.acl(conn, BOB, "event", 9).shared_with == {"eve": 1, "fred": 2}
    assert reading.get(conn, BOB, "event", 9).shared_with == {"eve": 1, "fred": 2}
    assert reading.get(conn, ADMIN, "event", 9).shared_with == {"eve": 1, "fred": 2}
    assert reading.get(conn, EVE, "event", 9).shared_with is None


def test_too_much_below_an_object(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = 1 + 3 + 3 * EVENTS
    for most in (EVENTS, objects - 1):
        monkeypatch.setattr(tree, "MOST_IN_TREE", most)
        with too_large(most):
            deleting.delete(conn, BOB, "block", 1)
        with too_large(most):
            rights.set_acl(conn, BOB, "block", 1, {"safety_level": 1}, cascade=True)
    with too_large(20):
        reading.select_ids(conn, BOB, "event", ListQuery(), most=20)
    monkeypatch.setattr(tree, "MOST_IN_TREE", objects)
    assert deleting.delete(conn, BOB, "block", 1).counts == {
        "block": 1, "segment": 3, "event": 3 * EVENTS,
    }  # fmt: skip


def test_messages_name_a_few_of_many() -> None:
    assert limits.few([]) == ""
    assert limits.few(["a", "b", "c", "d", "e"]) == "a, b, c, d, e"
    assert limits.few(list("abcdef")) == "a, b, c, d, e and 1 other"
    assert limits.few([f"n{each}" for each in range(350_000)]) == (
        "n0, n1, n2, n3, n4 and 349,995 others"
    )
    assert limits.few(["x" * 100]) == "x" * 60 + "..."


def test_unknown_names_are_not_all_repeated(conn: Connection) -> None:
    document = {f"key{each}": 1 for each in range(100_000)}
    with pytest.raises(ServiceError) as caught:
        writing.create(conn, BOB, "segment", document)
    assert caught.value.message_type == "post_data_invalid"
    assert caught.value.message.startswith(
        "A segment has no key0, key1, key2, key3, key4 and 99,995 others; it has block, "
    )
    assert caught.value.details == "key0, key1, key2, key3, key4 and 99,995 others"
    with pytest.raises(ServiceError) as caught:
        rights.set_acl(conn, BOB, "block", 1, document)
    assert len(caught.value.message) < 200
    with pytest.raises(ServiceError) as caught:
        sharing.read_wanted(conn, {"shared_with": {"eve": "x" * 100_000}})
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("rate", [0, 0.0, -5, -1e-300])
def test_rates_are_positive(conn: Connection, rate: float) -> None:
    document = {"time": quantity(1, "ms"), "sampling_rate": quantity(rate, "khz")}
    with pytest.raises(ServiceError) as caught:
        writing.create(conn, BOB, "spike", document)
    assert (caught.value.status, caught.value.message_type) == (400, "bad_parameter")
    assert caught.value.message == f"sampling_rate must be greater than 0, not {rate}."
    assert caught.value.details == "sampling_rate"
    spike = writing.create(conn, BOB, "spike", {**document, "sampling_rate": quantity(5, "hz")})
    with pytest.raises(ServiceError, match="greater than 0"):
        writing.update(conn, BOB, "spike", spike.id, {"sampling_rate": quantity(rate, "hz")})
    record = reading.get(conn, BOB, "spike", spike.id, detail=BRIEF)
    assert record.quantities["sampling_rate"] == (5, "hz")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 10**400])
def test_quantities_are_finite(conn: Connection, number: float) -> None:
    for name in ("time", "sampling_rate"):
        document = {"time": quantity(1, "ms"), name: quantity(number, "ms")}
        with pytest.raises(ServiceError) as caught:
            writing.create(conn, BOB, "spike", document)
        assert caught.value.message_type == "bad_float_data"


RANGES: list[tuple[list[tuple[str, str]], Callable[[float], bool]]] = [
    ([("time__gt", "12")], lambda time: time > 12),
    ([("time__gte", "12.0")], lambda time: time >= 12),
    ([("time__le", "3")], lambda time: time <= 3),
    ([("time__gt", "4.5"), ("time__lt", "21.5")], lambda time: 4.5 < time < 21.5),
    ([("time__range", "5,11")], lambda time: 5 <= time <= 11),
    ([("time", "20")], lambda time: time == 20),
    ([("time__gt", "1e300")], lambda time: False),
    ([("n__time__gt", "12")], lambda time: time <= 12),
    ([("time__gt", "12"), ("segment__name", "trial 1")], lambda time: 12 < time < 20),
    ([("time__in", "1,2,30")], lambda time: time in (1, 2)),
]


@pytest.mark.parametrize("most", [0, 4, 3000])
def test_filters_on_times_select_the_same_whichever_way_they_are_looked_for(
    lab: Database, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(driving, "_MOST_WITHIN", most)
    times = [10 * segment + each for segment in range(3) for each in range(EVENTS)]
    with lab.reading() as connection:
        for pairs, holds in RANGES:
            wanted = [time for time in times if holds(time)]
            for order, expected in (("id", wanted), ("-time", wanted[::-1])):
                query = ListQuery.parse([*pairs, ("order_by", order), ("count", "1")])
                page = reading.select(connection, BOB, "event", query)
                found = [each.quantities["time"][0] for each in page.records]
                assert (found, page.total) == (expected, len(wanted)), pairs
            ids = reading.select_ids(connection, BOB, "event", ListQuery.parse(pairs))
            assert len(ids) == len(wanted)


def test_only_small_tables_are_counted_without_being_asked_to(
    lab: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lab.reading() as connection:
        assert reading.is_counted_quickly(connection, "event")
        assert reading.is_counted_quickly(connection, "unit")  # there are none
        monkeypatch.setattr(reading, "COUNTED_ANYWAY", 3)
        assert not reading.is_counted_quickly(connection, "event")
        assert reading.is_counted_quickly(connection, "segment")


def test_a_connection_that_was_closed_meanwhile_is_made_anew(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_IDLE_SECONDS", 0.0)
    mine, other = (Database(Settings(database=postgresql_url)) for _ in range(2))
    asked, closing = "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(:number, 60000)"
    with mine.reading() as connection:
        number = connection.execute(text(asked)).scalar_one()
    with other.reading() as connection:
        assert connection.execute(text(closing), {"number": number}).scalar_one() is True
    with mine.reading() as connection:
        assert connection.execute(text(asked)).scalar_one() != number
        assert reading.select(connection, BOB, "block", ListQuery()).records == ()
    mine.close()
    other.close()
