"""Saved selections: what is kept, what they select, for whom, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import delete, insert, select, update

from ephyrus.service.accounts.tables import USER
from ephyrus.service.catalog import deleting, reading, selections, writing
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.records import BRIEF
from ephyrus.service.catalog.selected import KIND, stale
from ephyrus.service.db.schema import SELECTIONS, SHARES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import ANONYMOUS, Principal
from tests.service.catalog_lab import ADMIN, BOB, EVE, FRIEND, STRANGER, add_users
from tests.service.support import Site

PEOPLE = {"bob": BOB, "eve": EVE, "fred": FRIEND, "root": ADMIN, "sue": STRANGER, "": ANONYMOUS}


@pytest.fixture(scope="module")
def database(module_database):
    """Bob's blocks 1 to 6: odd ones are public, 4 is that of his friends."""
    with module_database.writing() as conn:
        add_users(conn)
        for number in range(1, 7):
            level = {4: 2}.get(number, 1 if number % 2 else 3)
            fields = {"name": f"b{number}", "index": number % 3, "safety_level": level}
            writing.create(conn, BOB, "block", fields)
    return module_database


class Undone(Exception):
    """Ends a transaction."""


@pytest.fixture
def conn(database):
    """A transaction that is taken back at the end of the test."""
    with suppress(Undone), database.writing() as found:
        yield found
        raise Undone


def save(conn, query, *, who=BOB, kind="block", name="mine", **rest):
    checked = selections.check_query(conn, who, kind, query)
    values = {"name": name, "query": checked, **rest}
    return selections.create(conn, who.user_id, kind, values, who)


def members(conn, who, *pairs, kind="block"):
    page = reading.select(conn, who, kind, ListQuery.parse(pairs), detail=BRIEF)
    assert page.total == len(page.records)
    return [record.id for record in page.records]


def refused(call, *args, **keywords):
    with pytest.raises(ServiceError) as info:
        call(*args, **keywords)
    return info.value.message_type, info.value.message


def test_what_is_kept(conn):
    made = save(conn, " ?name__startswith=b&order_by=-name&search=%C3%A4 b ", description=" why ")
    assert (made.owner, made.type, made.name, made.description) == ("bob", "block", "mine", "why")
    assert made.query == "name__startswith=b&order_by=-name&search=%C3%A4+b"
    assert (made.safety_level, made.shared_with, made.shared_with_groups) == (3, {}, {})
    changed = selections.change(conn, BOB, made.id, {"name": "its", "shared_with": {"eve": 2}})
    assert (changed.name, changed.shared_with, changed.query) == ("its", {"eve": 2}, made.query)
    assert changed.created == made.created
    assert changed.modified > made.modified
    assert selections.get(conn, BOB, made.id) == changed


def test_members_are_those_that_the_asker_may_read(conn):
    made = save(conn, "index__in=0,1&order_by=-name", safety_level=1)
    wanted = {"bob": [6, 4, 3, 1], "eve": [3, 1], "fred": [4, 3, 1], "root": [6, 4, 3, 1],
              "sue": [3, 1], "": [3, 1]}  # fmt: skip
    found = {name: members(conn, who, ("selection", str(made.id))) for name, who in PEOPLE.items()}
    assert found == wanted


def test_further_filters_all_hold(conn):
    made = save(conn, "id__in=1,2,3,4&order_by=-id&search=b")
    other = save(conn, "id__in=2,3,4,5", name="other")
    one, two = ("selection", str(made.id)), ("selection", f"/account/selections/{other.id}/")
    assert members(conn, BOB, one) == [4, 3, 2, 1]
    assert members(conn, BOB, one, ("id__in", "4,5,1")) == [4, 1]
    assert members(conn, BOB, one, two) == [4, 3, 2]
    assert members(conn, BOB, one, ("order_by", "name"), ("search", "3")) == [3]
    assert members(conn, BOB, one, ("n__name", "b2"), ("order_by", "id")) == [1, 3, 4]
    assert members(conn, BOB, one, ("at_time", "2020-01-01 00:00:00")) == []


def test_a_selection_names_what_is_changed_and_deleted(conn):
    made = save(conn, "name__in=b2,b6")
    query = ListQuery.parse([("selection", str(made.id)), ("index", "0")])
    assert writing.bulk_update(conn, BOB, "block", query, {"description": "x"}) == (6,)
    assert deleting.delete_many(conn, BOB, "block", query).ids == (6,)
    assert members(conn, BOB, ("selection", str(made.id))) == [2]
    order = save(conn, "order_by=-name", name="only an order")
    query = ListQuery.parse([("selection", str(order.id))])
    assert refused(deleting.delete_many, conn, BOB, "block", query)[0] == "wrong_params"


def test_who_may_do_what_with_a_selection(conn):
    made = save(conn, "index=1", shared_with={"sue": 1}, shared_with_groups={"ephys": 2})
    seen, changed, shared, gone = {}, {}, {}, {}
    for name, who in PEOPLE.items():
        seen[name] = made.id in [each.id for each in selections.listing(conn, who)[0]]
        for found, sent in ((changed, {"description": name}), (shared, {"safety_level": 3})):
            try:
                selections.change(conn, who, made.id, sent)
                found[name] = "done"
            except ServiceError as error:
                found[name] = error.message_type
        if name not in ("bob", "root"):
            gone[name] = refused(selections.remove, conn, who, made.id)[0]
    no, nobody = "not_authorized", "not_authenticated"
    assert seen == {"bob": True, "eve": True, "fred": False, "root": True, "sue": True, "": False}
    assert changed == {"bob": "done", "eve": "done", "fred": no, "root": "done", "sue": no,
                       "": nobody}  # fmt: skip
    assert shared == changed | {"eve": no}
    assert gone == {"eve": no, "fred": no, "sue": no, "": nobody}
    assert selections.get(conn, BOB, made.id).shared_with_groups == {"ephys": 2}
    seen_by_sue = selections.get(conn, STRANGER, made.id)
    assert (seen_by_sue.shared_with, seen_by_sue.shared_with_groups) == ({"sue": 1}, {})
    query = ListQuery.parse([("selection", str(made.id))])
    refusal = no, "This selection may not be read by fred."
    assert refused(reading.select, conn, FRIEND, "block", query) == refusal
    selections.change(conn, BOB, made.id, {"safety_level": 2})
    assert members(conn, FRIEND, ("selection", str(made.id))) == [1, 4]
    selections.remove(conn, BOB, made.id)
    shares = select(SHARES.c.id).where(SHARES.c.type == KIND)
    assert conn.execute(shares).all() == []
    assert refused(selections.get, conn, BOB, made.id)[0] == "does_not_exist"


@pytest.mark.parametrize(
    "query",
    ["nme=1", "name__near=1", "index=x", "order_by=nme", "id__in=1&search=" + "a" * 501,
     "created_min=never", "name=%00", "segment__name=1", "name__regex=(", "visibility=none",
     "order_by=name&order_by=id", "n__selection=1", "a=1&" * 101],
)  # fmt: skip
def test_a_filter_is_refused_as_a_list_refuses_it(conn, query):
    from urllib.parse import parse_qsl

    pairs = parse_qsl(query, keep_blank_values=True)
    answered = refused(members, conn, BOB, *pairs)
    assert refused(selections.check_query, conn, BOB, "block", query) == answered
    assert answered[0] == "wrong_params"


@pytest.mark.parametrize(
    "name", ["offset", "limit", "cursor", "count", "q", "start_time", "at_time", "bulk_update",
             "selection", "_"],
)  # fmt: skip
def test_what_belongs_to_a_request_is_not_saved(conn, name):
    kind, message = refused(selections.check_query, conn, BOB, "block", f"index=1&{name}=1")
    assert kind == "wrong_params"
    assert f"{name!r} " in message


def test_limits(conn, monkeypatch):
    longest = "name=" + "a" * (selections.LONGEST_QUERY - 5)
    assert selections.check_query(conn, BOB, "block", longest) == longest
    for query in (f"{longest}a", "name=" + "ä" * (selections.LONGEST_QUERY // 3)):
        assert refused(selections.check_query, conn, BOB, "block", query)[0] == "bad_parameter"
    made = save(conn, "index=1", name="n" * 100)
    for changes in ({"name": "n" * 101}, {"name": " "}, {"description": "d" * 2001},
                    {"safety_level": 4}, {"shared_with": {"eve": 3}}):  # fmt: skip
        assert refused(selections.change, conn, BOB, made.id, changes)[0] == "bad_parameter"
    assert refused(save, conn, "index=1", name="n" * 100)[0] == "bad_parameter"
    assert save(conn, "index=1", name="n" * 100, who=EVE).owner == "eve"  # a name of her own
    monkeypatch.setattr(selections, "MOST_SELECTIONS", 2)
    save(conn, "index=1", name="second")
    kind, message = refused(save, conn, "index=1", name="third")
    assert (kind, "there are 2 already" in message) == ("bad_parameter", True)
    many = ListQuery.parse([(f"^{each}name", "b") for each in range(100)])
    with pytest.raises(ServiceError, match="more than 100 filters"):
        ListQuery.parse([("index", "1")]).within(many)
    assert refused(ListQuery.parse, [("selection", "1")] * 6)[0] == "wrong_params"


def test_what_is_no_longer_understood_is_said_to_be_the_selection(conn):
    made = save(conn, "index=1", safety_level=1)
    query = ListQuery.parse([("selection", str(made.id))])
    wrong = ListQuery.parse([("selection", str(made.id)), ("nme", "1")])
    assert refused(reading.select, conn, BOB, "block", wrong)[1].startswith("The filter 'nme'")
    assert list(stale(conn)) == []
    for text, why in (
        ("gone=1", "The filter 'gone' names 'gone', which a block does not have."),
        ("order_by=gone", "order_by names 'gone', which a block cannot be sorted by."),
        ("groups_of=x", "The parameter 'groups_of' must be a whole number of at least 1, not 'x'."),
    ):
        conn.execute(update(SELECTIONS).values(query=text))
        said = f"The selection {made.id} (mine) is no longer understood, change its query: {why}"
        assert refused(reading.select, conn, BOB, "block", query) == ("wrong_params", said)
        assert list(stale(conn)) == [said]
    with pytest.raises(ServiceError, match="no longer understood"):
        reading.select_ids(conn, BOB, "block", query)


@pytest.mark.parametrize("given", ["999", "x", "", "-1", "9" * 30])
def test_there_is_no_such_selection(conn, given):
    kind, message = refused(members, conn, BOB, ("selection", given))
    assert (kind, message) == (
        "wrong_params", f"There is no selection {given!r}; give the id of one."
    )  # fmt: skip


def test_a_selection_of_another_type(conn):
    made = save(conn, "name=x", kind="segment")
    assert refused(members, conn, BOB, ("selection", str(made.id))) == (
        "wrong_params",
        f"The selection {made.id} is one of segment objects, not of block.",
    )


def test_selections_go_with_their_user(conn):
    conn.execute(insert(USER), {"id": 77, "name": "ted"})
    made = save(conn, "index=1", who=Principal(77, "ted"))
    assert selections.listing(conn, ADMIN, owner="ted")[0] == [made]
    conn.execute(delete(USER).where(USER.c.id == 77))
    assert selections.listing(conn, ADMIN, owner="ted") == ([], 0)
    assert refused(selections.get, conn, ADMIN, made.id)[0] == "does_not_exist"


# over HTTP ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("service")) as made:
        bob = made.user("bob")
        for number in range(5):
            bob.make("electrophysiology/block", name=f"b{number}", safety_level=1 + number % 2 * 2)
        yield made


def names(answer):
    assert answer.status_code == 200, answer.text
    return [item["fields"].get("name") for item in answer.json()["selected"]]


def test_from_saving_to_deleting(site):
    bob, eve = site.user("bob"), site.user("eve")
    sent = {"type": "block", "name": "last first", "query": "name__gte=b1&order_by=-name"}
    answer = bob.post("/account/selections/", {**sent, "safety_level": 1})
    assert (answer.status_code, answer.json()["message_type"]) == (201, "object_created")
    (made,) = answer.json()["selections"]
    assert answer.headers["location"] == made["permalink"]
    assert {name: made[name] for name in sent} == sent
    assert (made["owner"], made["owner_name"]) == (f"/profiles/profile/{site.ids['bob']}", "bob")
    for person in (eve, site.anonymous):
        assert person.get(made["permalink"]).json()["selections"] == [made]
        assert names(person.get(made["objects"])) == ["b4", "b2"]
    listed = eve.get("/account/selections", {"type": "block", "owner": "BOB"}).json()
    assert (listed["total"], listed["selections"]) == (1, [made])
    assert eve.get("/account/selections", {"type": "segment"}).json()["total"] == 0
    before = bob.get(made["objects"]).headers["etag"]
    answer = bob.post(made["permalink"], {"query": "name=b1", "name": "one"})
    assert answer.json()["selections"][0]["query"] == "name=b1"
    answer = bob.get(made["objects"], headers={"If-None-Match": before})
    assert (names(answer), answer.json()["total"]) == (["b1"], 1)
    assert bob.post(made["permalink"], {"query": "nme=1"}).json()["details"] == "nme"
    assert bob.delete(made["permalink"]).json()["message_type"] == "deleted"
    assert bob.get(made["objects"]).status_code == 404


def test_members_are_shown_as_lists_are(site):
    bob = site.user("bob")
    sent = {"type": "block", "name": "all", "query": "order_by=name"}
    (made,) = bob.post("/account/selections", sent).json()["selections"]
    page = bob.get(made["objects"], {"max_results": 2, "q": "info", "n__name": "b1"})
    assert names(page) == ["b0", "b2"]
    assert "segment_set" not in page.json()["selected"][0]["fields"]
    assert page.json()["selected_range"] == [0, 1]
    second = bob.get(page.json()["next"])
    assert names(second) == ["b3", "b4"]
    assert second.json()["next"] is None
    assert names(bob.get(second.json()["previous"])) == ["b0", "b2"]
    deep = {"max_results": 2, "cursor": page.json()["next_cursor"], "n__name": "b1"}
    assert names(bob.get(made["objects"], deep)) == ["b3", "b4"]
    link = bob.get("/electrophysiology/block/", {"selection": made["id"], "max_results": 4})
    assert names(link) == ["b0", "b1", "b2", "b3"]
    assert names(bob.get(link.json()["next"])) == ["b4"]
    assert f"selection={made['id']}" in link.json()["next"]
    assert bob.get(made["objects"], {"offset": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"name": "n", "query": ""}, "missing_parameter"),
        ({"type": "blocks", "name": "n", "query": ""}, "bad_parameter"),
        ({"type": "block", "name": 3, "query": ""}, "bad_parameter"),
        ({"type": "block", "name": "n", "query": ["x"]}, "bad_parameter"),
        ({"type": "block", "name": "\ud800", "query": ""}, "data_parsing_error"),
        ({"type": "block", "name": "n", "query": "x=%FF"}, "wrong_params"),
        ({"type": "block", "name": "n", "query": "", "shared_with": ["eve"]}, "dict_required"),
        ({"type": "block", "name": "n", "query": "", "shared_with": {"no": 1}}, "wrong_reference"),
        ({"type": "block", "name": "n", "query": "", "colour": 1}, "post_data_invalid"),
    ],
)
def test_bodies_that_are_refused(site, sent, told):
    answer = site.user("bob").post("/account/selections", sent)
    assert (answer.status_code, answer.json()["message_type"]) == (400, told)
